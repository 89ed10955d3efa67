/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_LOG_PRIVATE_H
#define STORE_LOG_PRIVATE_H

#include "base/buf.h"
#include "core/leader_epoch.h"
#include "core/producer_state.h"
#include "store/log.h"

/* ---- index: entries that rise, kept in memory in chunks of one file block ---- */

/*
 * Written by one strand, read by anybody: an entry is complete before `count` says so, and chunks
 * only get added.
 */
enum { INDEX_CHUNK_BYTES = 4096, OFFSET_ENTRY = 8, TIME_ENTRY = 12, TXN_ENTRY = 34 };

struct index_chunk {
	_Atomic(struct index_chunk *) next;
	uint8_t data[INDEX_CHUNK_BYTES];
};

struct index {
	uint32_t entry_size;
	_Atomic(uint32_t) count;
	uint32_t written; /* entries that are in the file, or under way to it */
	struct index_chunk *first;
	struct index_chunk *last;
};

void index_init(struct index *x, uint32_t entry_size);
void index_fini(struct index *x);
uint32_t index_per_chunk(const struct index *x);
uint32_t index_count(const struct index *x);
void index_add(struct index *x, const void *entry);
const uint8_t *index_at(const struct index *x, uint32_t i); /* i < count */
/* Only while nobody else sees it: forgets what comes after the first `count` entries. */
void index_cut(struct index *x, uint32_t count);

/* ---- segments ---- */

/* The indexes of a segment while they are in memory; a view that has them holds a reference. */
struct segment_index {
	_Atomic(uint32_t) refs;
	_Atomic(bool) in_files; /* closed and written whole: memory may forget it */
	struct index offsets;   /* {relative offset u32, position u32} */
	struct index times;     /* {timestamp i64, relative offset u32} */
	struct index txns;      /* aborted: {version i16, producer, first, last, last stable i64} */
};

struct segment {
	_Atomic(uint32_t) refs;
	int64_t base_offset;
	struct dir *dir;
	char *path;                  /* "topic-0/00000000000000000000", a suffix follows */
	_Atomic(struct file *) file; /* opened when first needed */
	_Atomic(uint64_t) size;
	_Atomic(int64_t) max_timestamp;        /* -1: none */
	_Atomic(int64_t) max_timestamp_offset; /* last offset of the batch that has it */
	_Atomic(bool) has_aborted;             /* its transaction index is not empty */
	_Atomic(bool) is_named;                /* on the device, with all that is before it */
	int64_t first_timestamp;               /* of the first batch, for rolling; -1 */
	int64_t created_ms;
	uint64_t bytes_since_index;
};

enum { SEGMENT_NAME_SIZE = 20 };

struct segment *segment_new(struct dir *dir, const char *log_name, int64_t base_offset);
struct segment *segment_get(struct segment *s);
void segment_put(struct segment *s);
/* "topic-0/00000000000000000000.index"; the caller frees it. */
char *segment_path(const struct segment *s, const char *suffix);
/* Opens the .log file for reading and writing, making it when `create`. */
int segment_file(struct segment *s, bool create, struct file **ret) must_check; /* borrowed */
struct segment_index *segment_index_new(void);
struct segment_index *segment_index_get(struct segment_index *x); /* NULL is fine */
void segment_index_put(struct segment_index *x);
void offset_entry_add(struct index *x, const struct segment *s, int64_t offset, uint64_t position);
/* Of the segment's largest timestamp, when it rose. */
void time_entry_add(struct index *x, const struct segment *s);
void txn_entry_add(struct index *x, const struct producer_txn_end *end);

/*
 * Takes the next batch into account, before it is counted in s->size (LogSegment.append): the entry
 * is of the batch that comes after more than `interval` bytes without one.
 */
void segment_count_batch(struct segment *s, struct segment_index *x, const struct batch *b,
                         uint64_t position, uint32_t interval);

/* worker.  Walks batches from `position`; false from each() ends it. */
struct walk {
	struct file *file;
	uint64_t position; /* of the next batch */
	uint64_t end;      /* of what may be read */
	bool check_crc;
	bool (*each)(struct walk *self, const struct batch *b); /* b->data: the header at least */
	void *arg;
	struct buf buffer;
	uint64_t buffer_at;
	size_t last_size; /* of the batch before */
	uint64_t last_position;
	/* why it ended: 0 at the end, -EBADMSG a batch that is none, -errno */
	int error;
};
int walk_run(struct walk *w); /* w->error */

/* ---- views ---- */

struct view_segment {
	struct segment *segment;
	struct segment_index *index; /* NULL: in its files */
};

struct log_view {
	struct rcu_head rcu;
	_Atomic(uint32_t) refs;
	int64_t start_offset;
	uint32_t cuts; /* of the log, when it was made */
	uint32_t count;
	struct view_segment at[];
};

/* ---- the tail: where the last batches lie ---- */

enum { TAIL_SIZE = 64 };

struct tail {
	_Atomic(uint32_t) version;
	_Atomic(uint32_t) count; /* ever pushed */
	struct {
		_Atomic(int64_t) offset;
		_Atomic(uint64_t) position;
	} at[TAIL_SIZE]; /* of the active segment only */
	_Atomic(int64_t) segment;
};

void tail_reset(struct tail *t, int64_t segment);
void tail_push(struct tail *t, int64_t offset, uint64_t position);
/* The newest batch that begins at or before an offset. */
struct tail_found {
	int64_t offset; /* of its first record */
	uint64_t position;
	uint64_t end; /* where the next one begins; 0: there is none yet */
};
/* In `segment`: false when it is older than the ring. */
bool tail_find(const struct tail *t, int64_t segment, int64_t offset, struct tail_found *ret);

/* ---- work beside the strand ---- */

/*
 * What is written, renamed and removed beside a log, strictly one after the other and in the order
 * of adding, by whichever worker is there.  A task holds what it needs and never the log.
 */
struct task {
	struct task *next;
	void (*run)(struct task *self); /* worker; frees its task */
};

struct beside {
	_Atomic(uint32_t) refs;
	_Atomic(struct task *) top; /* newest first */
	_Atomic(bool) running;
	bool closing;            /* no more jobs: beside_drain() follows */
	_Atomic(uint32_t) cuts;  /* how often the log was cut */
	_Atomic(bool) has_limit; /* there is a recovery limit file */
};

struct beside *beside_new(void);
struct beside *beside_get(struct beside *b);
void beside_put(struct beside *b);
void beside_add(struct beside *b, struct task *task); /* any */
void beside_drain(struct beside *b); /* worker: returns when all that was added has run */

/* ---- the log ---- */

/* A transaction that ended above the high watermark still holds the last stable offset back. */
struct ended_txn {
	int64_t first_offset;
	int64_t last_offset;
};

struct doomed {
	struct segment *segment;
	int64_t due_ms;
};

struct cut; /* log_truncate.c */

struct log {
	struct log_options options; /* name is owned */
	struct log_config config;
	_Atomic(struct log_view *) view;
	struct log_mark_slot end;
	struct tail tail;

	struct segment *active; /* the last of the view; NULL: the next append begins one */
	struct segment_index *index;
	struct producers producers;
	struct epoch_cache epochs;
	struct beside *beside;
	int64_t jitter_ms;
	_Atomic(int64_t) start_offset; /* of the view */
	_Atomic(int64_t) start_to_keep;
	_Atomic(int64_t) recovery_point;
	_Atomic(int64_t) lowest_cut;
	_Atomic(int64_t) flush_ms;
	_Atomic(uint64_t) synced_ms; /* on the clock of mono_ms() */
	_Atomic(bool) is_rooted;     /* its directory and partition.metadata are on the device */
	int failed;                  /* -errno: every append is refused */
	int64_t last_snapshot_offset;
	struct ended_txn *ended;
	size_t ended_count, ended_capacity;
	struct doomed *doomed; /* renamed to .deleted, in order of due_ms */
	size_t doomed_count, doomed_capacity;

	/* Appends as they came, and those that are being written together. */
	struct log_append *queue;
	struct log_append **queue_end;
	struct log_append *group;
	struct log_append **group_end;
	uint32_t group_count;
	uint64_t group_bytes;
	int64_t group_offset; /* the end offset with the group */
	uint32_t group_batches;
	bool group_sync;
	bool writing;
	bool syncing; /* the first synced append of a segment: its name, and all before it */
	struct log_sync_job *sync_job;
	struct producer_txn_end *group_txn; /* that the group ends */
	size_t group_txn_count, group_txn_capacity;
	struct iovec iov[STRAND_RUN_ITEMS];
	struct file_op op;
	struct cut *cut; /* under way: appends wait */
};

/* A new view of the segments, to be changed before it is published. */
struct log_view *view_copy(const struct log_view *old, uint32_t extra);
void view_publish(struct log *log, struct log_view *view);

/*
 * Moves what is left of the active segment's indexes to its files, beside; the next view forgets
 * them.
 */
void log_retire_active(struct log *log);
/* Puts full chunks of the active indexes into their files, beside. */
void log_write_indexes(struct log *log);
int log_add_segment(struct log *log, int64_t base_offset, int64_t now_ms) must_check;
void log_save_epochs(struct log *log);
void log_save_snapshot(struct log *log, int64_t offset);
void log_free(struct log *log);
/* Beside: renames the files of a segment (and its snapshot) to .deleted; unlinks them. */
void log_rename_deleted(struct log *log, struct segment *s);
void log_unlink_deleted(struct log *log, struct segment *s);
void log_remove_doomed(struct log *log, int64_t now_ms);
/* The cut goes on; true: appends must still wait. */
bool log_cut_step(struct log *log);

/* worker */
int write_small(struct dir *dir, const char *path, const struct buf *data) must_check;
int write_index(struct dir *dir, const char *path, const struct index *x, uint32_t from,
                bool truncate) must_check;
int write_indexes(const struct segment *s, const struct segment_index *x) must_check; /* whole */
/*
 * The recovery limit: "recovery-point" in the log's directory, ours.  The checkpoint of the log
 * directory may still say more than a cut has left, and is not believed above the limit.
 * INT64_MAX when it is not there.
 */
int64_t read_recovery_limit(struct dir *dir, const char *log_name);
int write_recovery_limit(struct dir *dir, const char *log_name, int64_t offset) must_check;
int limit_recovery(struct log *log, int64_t offset) must_check; /* the same, of an open log */
/* Strand: nothing that was synced before says anything about what follows. */
void recovery_point_cut(struct log *log, int64_t offset);
void recovery_point_raise(struct log *log, uint32_t cuts, int64_t end); /* any */
char *log_path(const char *log_name, const char *name);
char *snapshot_path(const char *log_name, int64_t offset);

bool batch_marker(const struct batch *b, struct producer_marker *ret); /* false: it is empty */
/* worker.  The last offset of a batch that ends at or before `position`, as the index has it. */
int64_t offset_before(const struct view_segment *at, uint64_t position) must_check;
/* A position at or before the batch that holds `offset`; -EAGAIN: ask on a worker. */
int64_t position_before(const struct view_segment *at, int64_t offset, bool worker) must_check;

/* ---- opening (worker) ---- */

struct found {
	int64_t offset;
	uint64_t size;
	bool has_txns;
};

struct scan {
	struct dir *dir;
	const char *name;
	struct found *segment; /* by offset */
	size_t segment_count, segment_capacity;
	int64_t *snapshot; /* by offset */
	size_t snapshot_count, snapshot_capacity;
};

/* Removes and renames what an interrupted change left behind, then says what there is. */
int scan_run(struct scan *scan) must_check;
int scan_snapshots(struct scan *scan) must_check; /* changes nothing */
void scan_fini(struct scan *scan);
struct found *scan_find(struct scan *scan, int64_t offset);

/*
 * Makes segment and index agree with the file.  suspect_bytes: every checksum is looked at, and the
 * index files are not believed; check_last: that of the last batch; may_cut: bytes behind the last
 * good batch are cut off.
 */
struct measure {
	struct log *log;
	const struct found *found;
	int64_t next_base; /* where the next segment begins; INT64_MAX: none does */
	bool suspect_bytes;
	bool check_last;
	bool may_cut;
	bool need_end; /* walk at least from the last index entry on */
	/* out */
	struct segment *segment;
	struct segment_index *index;
	int64_t end_offset; /* with need_end */
	uint64_t cut_bytes;
	bool rebuilt;  /* the index files do not hold what index does */
	bool believed; /* the index files were taken as they are */
};
int measure_run(struct measure *m) must_check;

/* Producers and epochs from the batches of one segment. */
struct replay {
	struct producers *producers;
	struct epoch_cache *epochs;
	int64_t producers_from; /* offsets */
	int64_t epochs_from;
	int64_t end_offset; /* exclusive */
	bool txns_changed;  /* out */
};
int replay_run(struct replay *r, const struct view_segment *at) must_check;
/* Entries of the .txnindex whose marker lies below `before`: the replay makes the others again. */
int segment_load_txns(const struct view_segment *at, int64_t before) must_check;
/*
 * The newest snapshot that can be read, from `start` (where the first segment begins: of what came
 * before nothing is left) to `end`; -1 and empty when there is none.
 */
int64_t load_snapshot(struct producers *producers, const struct scan *scan, int64_t start,
                      int64_t end);

#endif
