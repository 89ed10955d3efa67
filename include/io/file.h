/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "io/reactor.h"

/*
 * Files.  A log directory is one descriptor and every name is relative to it
 * ("t-0/00000000000000000000.log"). Names of all files a broker makes go through here, so the
 * simulator sees them all.
 *
 * Survival.  Kill (the process dies): every call that returned is kept, the one under way may be
 * half done. Power (the machine dies): kept is what file_sync(), dir_sync() or dir_syncfs() covered
 * after it returned; of the rest any subset, torn at 512 bytes; a rename, creation or unlink needs
 * dir_sync() of its directory.
 */
struct dir;
struct file;

/* A full disk passes; other trouble does not (FAULTS S-07, S-10). */
static inline bool errno_is_full(int err)
{
	return err == -ENOSPC || err == -EDQUOT;
}

/* ---- directories ---- */

/* worker.  Makes the directory (with parents), durably, when `create`. -ENOENT, -ENOTDIR... */
int dir_open(const char *path, bool create, struct dir **ret) must_check;
void dir_close(struct dir *d);
const char *dir_path(const struct dir *d);          /* as given to dir_open() */
const char *dir_absolute_path(const struct dir *d); /* from the root on, . and .. left as given */
/* worker.  Takes the exclusive lock on `.lock`; -EWOULDBLOCK when another process holds it. */
int dir_lock(struct dir *d) must_check;

struct dir_entry {
	const char *name; /* valid during the callback */
	bool is_dir;
	uint64_t size; /* of a file */
};
/* worker.  All entries but . and .., in byte order of name.  sub: "" for the directory itself. */
int dir_list(struct dir *d, const char *sub, void (*entry)(void *arg, const struct dir_entry *e),
             void *arg) must_check;
int dir_mkdir(struct dir *d, const char *name) must_check;                  /* worker; -EEXIST */
int dir_rename(struct dir *d, const char *from, const char *to) must_check; /* worker; replaces */
int dir_unlink(struct dir *d, const char *name) must_check;                 /* worker */
int dir_rmdir(struct dir *d, const char *name) must_check;                  /* worker; -ENOTEMPTY */
int dir_remove_all(struct dir *d,
                   const char *name) must_check;         /* worker; a directory with its files */
int dir_sync(struct dir *d, const char *sub) must_check; /* worker; names in it are durable */
int dir_syncfs(struct dir *d) must_check;                /* worker; everything in it is durable */

struct dir_space {
	uint64_t total_bytes;
	uint64_t free_bytes; /* for us */
};
int dir_space(struct dir *d, struct dir_space *ret) must_check; /* worker */
/* Mount and device, as text: with boot_id() it says whether page cache may be believed. */
int dir_identity(struct dir *d, char *text, size_t size) must_check; /* worker */

/*
 * any.  Appends to the directory take the slow road while it is marked (a disk known to stall).
 * io marks it by itself for some seconds after a write held up a reactor.
 */
void dir_mark_slow(struct dir *d, bool slow);

struct dir_counters {
	uint64_t write_count; /* appends */
	uint64_t write_bytes;
	uint64_t write_slow_count; /* took longer than 2 ms, and that together */
	uint64_t write_slow_ns;
	uint64_t write_ns_max;
	uint64_t parked_count;
	uint64_t sync_count;
	uint64_t sync_ns_max;
	int64_t dirty_bytes;
	int64_t dirty_bytes_budget;
};
struct dir_counters dir_counters(struct dir *d); /* any */

/*
 * worker.  The one way small files are written: name.tmp, write, sync, rename, and with `durable`
 * dir_sync of its directory.  A crash leaves the old content or the new.
 */
int dir_replace(struct dir *d, const char *name, const void *data, size_t size,
                bool durable) must_check;
/* worker.  Reads a small file whole; the caller owns *ret_data (mem_free). -EFBIG over size_max. */
int dir_read(struct dir *d, const char *name, size_t size_max, void **ret_data,
             size_t *ret_size) must_check;

/* ---- files ---- */

enum file_flags {
	FILE_READ = 1,
	FILE_WRITE = 2,
	FILE_CREATE = 4, /* may exist */
	FILE_NEW = 8,    /* with FILE_CREATE: must not exist */
	FILE_TRUNCATE = 16,
};

int file_open(struct dir *d, const char *name, unsigned int flags,
              struct file **ret) must_check; /* any */
struct file *file_get(struct file *f);       /* any; counted reference */
void file_put(struct file *f);               /* any; the last one closes */
/* The name as opened; the file may have been renamed or unlinked since. */
const char *file_name(const struct file *f);
int file_size(struct file *f, uint64_t *ret) must_check; /* any; -EISDIR: a directory */

/* worker.  Reads up to size bytes, fewer only at the end of the file.  Bytes or -errno. */
ssize_t file_read(struct file *f, void *data, size_t size, uint64_t position) must_check;
/* worker.  Writes all or says -errno; then anything between may have been written. */
int file_write(struct file *f, const struct iovec *iov, int count, uint64_t position) must_check;
int file_sync(struct file *f)
	must_check; /* worker; data and size (fdatasync).  After an error: never again. */
int file_truncate(struct file *f, uint64_t size) must_check; /* worker */
/*
 * worker.  What is clean of it leaves the page cache, so that reads say what the device holds:
 * after a failed sync the cache still shows what was lost.
 */
void file_forget(struct file *f);

/*
 * Append: the one hot write.  The caller keeps op, the iovecs and what they point to still until
 * the answer, which is op->bytes     all written, now, on this core (fast road), or FILE_PARKED the
 * directory's writer has it (slow road): op->done(op) follows on this reactor, op->result holds
 * bytes or -errno; with op->sync the bytes are on the device when it says so, or -errno nothing was
 * written: a short or failed write was cut back to op->position (-EIO when even that failed: the
 * file must not be appended to again). Slow when op->sync, when the directory is marked slow, when
 * its budget of dirty bytes is used up, or when an earlier append to this file is still parked.  A
 * file has one append under way at a time.
 */
enum { FILE_PARKED = -4096 }; /* outside -errno */

struct file_op {
	struct mail mail; /* io's own */
	int home;         /* io's own */
	struct file *file;
	const struct iovec *iov;
	int iov_count;
	bool sync;
	int64_t dirty;     /* io's own */
	size_t bytes;      /* the sum of iov */
	uint64_t position; /* the end of the file, as the caller knows it */
	int64_t result;
	void (*done)(struct file_op *self);
};

int64_t file_append(struct file_op *op); /* reactor */

/* reactor.  Reads what is in the page cache now: bytes (may be short), or -EAGAIN: unknown, use
 * file_read_submit(). */
ssize_t file_read_hot(struct file *f, void *data, size_t size, uint64_t position) must_check;
/* reactor.  True when the range is known to be in the page cache (cachestat, mincore), so that
 * sending cannot stall. */
bool file_is_hot(struct file *f, uint64_t position, uint64_t size);
/* reactor.  op->iov[0] receives up to its size; done() follows; op->result bytes or -errno. */
void file_read_submit(struct file_op *op);
/* reactor.  Syncs op->file; done() follows. */
void file_sync_submit(struct file_op *op);

#endif
