/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/str.h"
#include "base/uuid.h"
#include "io/file.h"
#include "io/rcu.h"
#include "io/strand.h"
#include "wire/batch.h"

/*
 * One partition's bytes in Kafka's files (org.apache.kafka.storage.internals.log: UnifiedLog,
 * LocalLog, LogSegment, LogLoader; docs/disk-format.md).
 *
 * A log belongs to its partition's strand: "strand" below means that the caller holds it.  Readers
 * need no strand: they use the published view and the end mark, and hold the log by its partition.
 */
struct log;
struct log_view;

/* What a topic's configs say to its log (config names in LogConfig). */
struct log_config {
	uint32_t segment_bytes;
	int64_t segment_ms;
	int64_t segment_jitter_ms;
	uint32_t index_interval_bytes;
	uint32_t index_bytes; /* segment.index.bytes: a full index rolls */
	int64_t retention_ms; /* -1: none */
	int64_t retention_bytes;
	int64_t file_delete_delay_ms;
	int64_t flush_messages; /* an append that makes so many unsynced is synced; INT64_MAX: none
	                         */
	int64_t flush_ms;       /* log_is_flush_due() */
	int64_t producer_expiration_ms;
	bool cleanup_delete;
	bool cleanup_compact;
	bool ack_synced; /* sluice.ack=synced: an append is done when the device has it */
};

/* ---- positions ---- */

/* An offset and where it lies: `position` bytes into the segment that begins at `segment`. */
struct log_mark {
	int64_t offset;
	int64_t segment;
	uint64_t position;
};

/* A mark that one strand publishes and everybody reads: never torn, never waits long. */
struct log_mark_slot {
	_Atomic(uint32_t) version; /* odd while it changes */
	_Atomic(int64_t) offset;
	_Atomic(int64_t) segment;
	_Atomic(uint64_t) position;
};
void log_mark_publish(struct log_mark_slot *slot, struct log_mark mark);
struct log_mark log_mark_read(const struct log_mark_slot *slot);

/* ---- opening (worker) ---- */

enum log_recovery {
	LOG_CLEAN,  /* the directory was closed cleanly: believe its files */
	LOG_KILLED, /* same boot, so the page cache is whole: walk headers, check the last batch */
	LOG_POWERLESS /* the machine went down: check every batch from the recovery point on */
};

struct log_options {
	struct dir *dir;
	const char *name; /* "topic-0"; copied */
	struct log_config config;
	enum log_recovery recovery;
	int64_t recovery_point; /* from the checkpoint; 0: all of it */
	int64_t start_offset;   /* from the log-start checkpoint; the larger of it and the files'
	                           counts */
	int64_t now_ms;
	/* strand: a log that answered SETTLED_PARKED goes on; call strand_unpark(). */
	void (*unpark)(void *arg);
	/* strand: records up to `end` became readable, before their done(); `bytes` of them. */
	void (*published)(void *arg, struct log_mark end, uint64_t bytes);
	/* strand: the files cannot be trusted any more (-errno); the log answers every append so.
	 */
	void (*failed)(void *arg, int err);
	void *arg;
};

struct log_recovered {
	uint32_t segments;        /* looked into */
	uint64_t truncated_bytes; /* cut off the end */
	uint32_t indexes_rebuilt;
};

/*
 * Directory and partition.metadata; nothing is synced, the first sync of the log does it.  reborn:
 * checkpoints may still speak of another log of this name, and are not believed.  -EEXIST: there is
 * such a directory.
 */
int log_create(struct dir *dir, const char *name, struct uuid topic_id, bool reborn) must_check;
/* partition.metadata once more: a crash left none, or a torn one. */
int log_identify(struct dir *dir, const char *name, struct uuid topic_id, bool reborn) must_check;
/* -ENOENT: no such directory; -EBADMSG: files that contradict each other beyond repair; -errno. */
int log_open(const struct log_options *options, struct log **ret,
             struct log_recovered *ret_recovered) must_check;
/*
 * worker; nobody uses the log any more.  clean: index ends, producer snapshot, epochs are written;
 * one dir_syncfs(), log_dir_checkpoint() and log_dir_end() then make a clean shutdown of it.
 */
int log_close(struct log *log, bool clean) must_check;
/* partition.metadata: the topic id.  -ENOENT, -EBADMSG. */
int log_topic_id(struct dir *dir, const char *name, struct uuid *ret) must_check;

/* ---- appending (strand) ---- */

enum log_origin {
	LOG_CLIENT,   /* one batch, validated: sequences are checked, offsets given here */
	LOG_INTERNAL, /* coordinators, the raft leader: offsets given here, control batches allowed
	               */
	LOG_FOLLOWER, /* any number of batches with their offsets and epochs; the checksum is
	                 checked */
};

struct log_append {
	/* in; still until done() */
	uint8_t *data; /* whole batches; offsets, epochs (and append time) are patched in place */
	size_t size;
	enum log_origin origin;
	int32_t leader_epoch;
	int64_t append_time_ms; /* >= 0: patch it in (LogAppendTime); -1: leave */
	int64_t now_ms;
	bool sync; /* done when the device has it */
	/* Ran in the strand when everything before it is written too; may free the append. */
	void (*done)(struct log_append *self);

	/* out */
	int16_t error; /* WIRE_... */
	bool duplicate;
	int64_t base_offset;
	int64_t last_offset;
	int64_t timestamp; /* of a duplicate: as it was first answered or stamped; else
	                      append_time_ms */
	int64_t log_start_offset;

	/* the log's own */
	struct log_append *next;
	int64_t max_timestamp;
	int64_t record_count;
	uint32_t batch_count;
};

/*
 * Checks, gives offsets, patches.  Its verdict, done() included, comes in log_settle(), in the
 * order of staging.
 */
void log_stage(struct log *log, struct log_append *append);
bool log_has_staged(const struct log *log);
/*
 * Writes what was staged in one gathered append, makes it state, publishes it, and runs each
 * done(). SETTLED_PARKED: options->unpark() follows, then call it again.
 */
enum settled log_settle(struct log *log);

/* ---- the strand's other work ---- */

int64_t log_start_offset(const struct log *log); /* any */
/* any; what the checkpoint of log starts is to say: -1 when the first segment's name says it. */
int64_t log_start_to_keep(const struct log *log);
int64_t log_end_offset(const struct log *log);   /* any */
int32_t log_latest_epoch(const struct log *log); /* strand */
/*
 * strand.  The smallest offset of a transaction that is open, or whose marker is not below the high
 * watermark; INT64_MAX when there is none.
 */
int64_t log_first_unstable(struct log *log, int64_t high_watermark);
struct log_mark log_end_mark(const struct log *log); /* any */
uint64_t log_size(const struct log *log);            /* reactor; bytes of all segments */
uint32_t log_segment_count(const struct log *log);   /* reactor */

/* This broker leads from here on in this epoch (LeaderEpochFileCache.assign). */
void log_lead(struct log *log, int32_t epoch);

/* DeleteRecords: the start moves up to `offset` (<= log end); WIRE_NONE or
 * WIRE_OFFSET_OUT_OF_RANGE. */
int16_t log_delete_records(struct log *log, int64_t offset);
/*
 * Deletes what retention allows below the high watermark, by time, size and log start (always; of
 * what is only compacted nothing else); removes files whose file.delete.delay.ms is over; forgets
 * producers that expired.  To be called now and then.  True when the log start moved.
 */
bool log_retain(struct log *log, int64_t now_ms, int64_t high_watermark);
/*
 * Follower: forgets everything from `offset` on.  Not while something is staged.  Files are cut by
 * jobs: log_settle() answers SETTLED_PARKED until then.
 */
void log_truncate(struct log *log, int64_t offset);
/* Follower, far behind: everything is forgotten, the log goes on at `offset`.  As above. */
void log_restart_at(struct log *log, int64_t offset);
void log_configure(struct log *log, const struct log_config *config);

/* ---- durability ---- */

/*
 * The recovery point: everything below is on the device.  Appends that are synced move it; what
 * others wrote is made durable beside the strand, in four steps:
 *
 *   1. on a reactor log_view_to_sync() takes a view and the end that belongs to it;
 *   2. on a worker log_sync() makes it durable and moves the recovery point.  For many logs of a
 *      directory: log_drain() each, one dir_syncfs(), log_synced() each;
 *   3. log_dir_checkpoint() writes what log_recovery_point() says then;
 *   4. log_checkpointed() with the view of step 1.
 *
 * The log may be cut meanwhile: of what was synced before, a cut leaves nothing behind here.  Until
 * step 4 the log is limited: a file of its own keeps a start from believing a checkpoint that is
 * older than a cut, or than the log.  Kafka has no such file; a clean stop removes it when the
 * checkpoint is written.
 */
int64_t log_recovery_point(const struct log *log);                                /* any */
const struct log_view *log_view_to_sync(const struct log *log, int64_t *ret_end); /* counted */
int log_sync(struct log *log, const struct log_view *view, int64_t end) must_check;
void log_drain(struct log *log); /* worker: what was to be written beside the log is written */
void log_synced(struct log *log, const struct log_view *view, int64_t end);
void log_checkpointed(struct log *log, const struct log_view *view);
bool log_is_limited(const struct log *log);                        /* any */
int log_unlimit(struct dir *dir, const char *log_name) must_check; /* worker */
/*
 * any.  flush.ms: something is not on the device, and the last sync was that long ago: steps 1 and
 * 2 are due.  Whoever keeps logs asks now and then.  (Kafka only asks every
 * log.flush.scheduler.interval.ms, by default never.)
 */
bool log_is_flush_due(const struct log *log);

/* ---- reading (any reactor, borrowed until its turn ends; or counted, on a worker) ---- */

/* Log start and segments: immutable, replaced whole. */

const struct log_view *log_view(const struct log *log);
const struct log_view *log_view_get(const struct log_view *view); /* counted; for a job */
void log_view_put(const struct log_view *view);

/* A range of one segment's file; the reference on `file` is the caller's (file_put). */
struct log_slice {
	struct file *file;
	uint64_t position;
	uint32_t size;
	uint32_t first_size; /* of its first batch, which may be larger than size */
	int64_t segment;
};

/*
 * From the batch that holds `offset` on, at most max_bytes, nothing at or beyond `bound`; with
 *`whole` the first batch is whole however large it is (KIP-74).  The last batch may be cut. 0 *ret;
 *ret->size 0 and no file when offset == bound.offset -EAGAIN    needs the disk: ask again on a
 *worker (`worker` true) -ERANGE    offset < log start or > bound -EBADMSG, -errno   the files do
 *not hold what they must
 */
int log_locate(const struct log *log, const struct log_view *view, int64_t offset,
               uint32_t max_bytes, bool whole, struct log_mark bound, bool worker,
               struct log_slice *ret) must_check;

struct log_time {
	int64_t timestamp; /* -1, -1: there is none */
	int64_t offset;
	int32_t leader_epoch;
};
/* worker: the first record at or after `timestamp` below `bound`. */
int log_find_time(const struct log *log, const struct log_view *view, int64_t timestamp,
                  int64_t bound_offset, struct log_time *ret) must_check;
/* worker: the first record with the largest timestamp. */
int log_find_max_time(const struct log *log, const struct log_view *view,
                      struct log_time *ret) must_check;

/* strand, borrowed for the call: its idempotent and transactional producers. */
struct producers;
const struct producers *log_producers(const struct log *log);

/* strand: OffsetForLeaderEpoch. */
struct log_epoch_end {
	int32_t epoch; /* -1, -1: not known */
	int64_t end_offset;
};
struct log_epoch_end log_epoch_end(const struct log *log, int32_t epoch);
/* strand: the epoch that wrote `offset`, -1 when not known. */
int32_t log_epoch_of(const struct log *log, int64_t offset);

/*
 * An offset that is beyond `slice`: of the next index entry, the next segment or log_end
 * (LogSegment.fetchUpperBoundOffset).  -EAGAIN: ask again on a worker.
 */
int64_t log_slice_bound(const struct log_view *view, const struct log_slice *slice, int64_t log_end,
                        bool worker) must_check;
/*
 * Aborted transactions that touch [from, to), from the transaction indexes.  -EAGAIN: ask again on
 * a worker.
 */
struct log_aborted {
	int64_t producer_id;
	int64_t first_offset;
};
int log_aborted(const struct log_view *view, int64_t from, int64_t to, bool worker,
                struct arena *arena, struct log_aborted **ret, size_t *ret_count) must_check;
bool log_view_has_aborted(const struct log_view *view);

#endif
