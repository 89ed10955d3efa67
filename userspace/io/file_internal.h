/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILE_INTERNAL_H
#define FILE_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/list.h"
#include "io/file.h"

/* Shared by file.c, dir.c, writer.c, uring.c and net.c. */

enum { WRITE_BYTES_MAX = 256 * 1024 }; /* of one pwritev: on XFS a reader waits for it */

struct dir {
	atomic_int refs; /* the opener's and one for each file */
	int fd;
	int lock_fd;
	char *path;
	char *absolute;
	bool has_nowait_write;   /* XFS: a buffered write that would wait says EAGAIN */
	atomic_bool no_nowait;   /* it said it cannot after all */
	atomic_bool no_sendfile; /* the file system cannot */
	atomic_int failed;       /* the -errno of the first failed sync: for ever */
	atomic_bool marked_slow; /* dir_mark_slow() */
	atomic_ulong slow_until_ms;

	/* Dirty bytes: appended and not known to be on the device. */
	_Atomic int64_t dirty;
	_Atomic int64_t orphaned; /* of these, in files closed since; only syncfs cleans them */
	_Atomic int64_t budget;
	atomic_bool cleaning; /* the writer was asked */

	pthread_mutex_t lock; /* files: taken by open, the last put and the writer's cleaning */
	struct list files;

	/* writer.c */
	_Atomic(struct mail *) parked; /* newest first */
	sem_t wake;
	atomic_bool writer_started;
	atomic_bool writer_ends;
	pthread_t writer;

	_Atomic uint64_t write_count, write_bytes, write_slow_count, write_slow_ns;
	_Atomic uint64_t write_ns_max, parked_count, sync_count, sync_ns_max;
};

struct file {
	atomic_int refs;
	int fd;
	struct dir *dir;
	char *name;
	struct list link;          /* dir->files */
	atomic_bool broken;        /* a failed append could not be cut back */
	atomic_bool parked;        /* an append of it is with the writer */
	_Atomic int64_t dirty;     /* bytes */
	_Atomic uint64_t hot_from; /* first byte appended since it was opened; UINT64_MAX */
	_Atomic uint64_t hot_to;
};

void dir_put(struct dir *d); /* the last one closes */

int file_fd(const struct file *f);
/* Writes all, in pieces of WRITE_BYTES_MAX.  0 or -errno. */
int file_write_all(struct file *f, const struct iovec *iov, int count, uint64_t position);
/* The same for an append: cuts back what a failure left.  Counts and measures. */
int file_append_now(struct file_op *op);
/* What an append wrote is taken away again.  err, or -EIO when that fails too. */
int file_cut_back(struct file *f, uint64_t position, int err);
/* Syncs, remembers a failure for ever, accounts.  0 or -errno. */
int file_sync_now(struct file *f);
/* The two ends of a sync that somebody else performs. */
void file_sync_begin(struct file *f, int64_t *ret_dirty);
int file_sync_end(struct file *f, int64_t dirty, int result);
int dir_sync_failed(struct dir *d, int err); /* remembers; answers what to say */

/* Hands op to its directory's writer thread.  op->home is set. */
void writer_park(struct file_op *op);
void writer_clean(struct dir *d); /* any; asks for dirty bytes to be synced, soon */
void writer_close(struct dir *d);
int64_t writer_budget(uint64_t bytes_per_s);

#endif
