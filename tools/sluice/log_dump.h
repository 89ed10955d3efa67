/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_LOG_DUMP_H
#define SLUICE_LOG_DUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "io/file.h"
#include "out.h"
#include "store/compress.h"
#include "wire/batch.h"

/* What the values of a log's records are, besides bytes. */
enum log_content { CONTENT_BYTES, CONTENT_METADATA, CONTENT_GROUPS, CONTENT_TXNS, CONTENT_SHARE };

struct dump {
	struct out out;
	bool records;
	bool broken; /* something was wrong with this file or one before */
	const char *path;
	size_t dir_size;    /* of its beginning, up to the last slash */
	char *name;         /* what follows, without: */
	const char *suffix; /* "", ".deleted", ".swap" or ".cleaned" */
	enum log_content content;
	struct compress_scratch scratch;
};

/* "sluice: PATH: position N: ..." on standard error; the exit status will be 1. */
void dump_complain(struct dump *d, uint64_t position, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a file that cannot be read at all. */
void dump_fail(struct dump *d, int err);
/* The file whole, to be freed; NULL: it said why not. */
void *dump_read(struct dump *d, size_t size_max, size_t *ret_size);
/* The offset that a file's name begins with; -1: none. */
int64_t dump_base_offset(const char *name);

/* ---- batches one after another: log_walk.c ---- */

struct walk {
	struct dump *d; /* NULL: nothing is said */
	struct file *file;
	uint64_t size;
	uint64_t position; /* of the batch that walk_next() gave; then of the next */
	uint64_t next;
	struct buf window; /* bytes of the file from window_at on */
	uint64_t window_at;
};

/* 0 or -errno. */
int walk_open(struct walk *w, struct dump *d, const char *path);
void walk_close(struct walk *w);
/* 1: *ret, until the next call; 0: the end; -1: no batch is here, as was said. */
int walk_next(struct walk *w, struct batch *ret);

/* ---- kinds of files ---- */

void dump_log(struct dump *d);                          /* log_batch.c */
void dump_record(struct dump *d, const struct batch *b, /* log_record.c */
                 uint64_t position, const struct record *r);
void dump_index(struct dump *d); /* log_index.c */
void dump_time_index(struct dump *d);
void dump_txn_index(struct dump *d);
void dump_producers(struct dump *d); /* log_small.c */
void dump_checkpoint(struct dump *d);
void dump_epochs(struct dump *d);
void dump_properties(struct dump *d);
void dump_quorum_state(struct dump *d);

#endif
