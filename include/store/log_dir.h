/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_LOG_DIR_H
#define STORE_LOG_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"
#include "io/file.h"
#include "store/log.h"

/*
 * A log directory: what lies in it beside the logs themselves (LogManager, UnifiedLog's directory
 * names, CleanShutdownFileHandler, OffsetCheckpointFile; docs/disk-format.md).  All on a worker.
 * meta.properties is broker/storage.h's.
 */

/* ---- names of directories ---- */

enum log_dir_kind {
	LOG_DIR_LOG,     /* topic-0 */
	LOG_DIR_DELETED, /* topic-0.UUID-delete: to be removed */
	LOG_DIR_FUTURE,  /* topic-0.UUID-future: a move between directories; not ours to make */
	LOG_DIR_STRAY,   /* topic-0.UUID-stray: kept for the operator */
	LOG_DIR_FOREIGN, /* none of these: Kafka would refuse to start */
};

struct log_name {
	struct str topic; /* points into the name */
	int32_t partition;
};

enum log_dir_kind log_name_parse(struct str name, struct log_name *ret);
/* "topic-0", terminated; false when the arena is full. */
bool log_name_format(struct arena *arena, struct str topic, int32_t partition, char **ret);

struct log_dir_entry {
	const char *name;
	enum log_dir_kind kind;
	struct log_name log;
	struct uuid topic_id; /* of partition.metadata; zero: not there, or unreadable */
};

/* Every directory in it, in byte order; in the arena.  -ENOMEM: the arena's limit. */
int log_dir_list(struct dir *dir, struct arena *arena, struct log_dir_entry **ret,
                 size_t *ret_count) must_check;

/*
 * Out of sight at once and for good: the log is renamed to topic-0.UUID-delete.  Its name, in the
 * arena, is for log_dir_remove() when file.delete.delay.ms is over; a start removes what is left.
 */
int log_dir_doom(struct dir *dir, const char *name, struct arena *arena,
                 const char **ret_name) must_check;
int log_dir_remove(struct dir *dir, const char *name) must_check;

/* ---- start and stop ---- */

struct log_dir_state {
	enum log_recovery recovery; /* what its logs must be opened with */
	int64_t broker_epoch;       /* of the clean stop; -1: unclean, or not said */
};

/* How it was left: .kafka_cleanshutdown, .sluice_boot. */
int log_dir_look(struct dir *dir, struct log_dir_state *ret) must_check;
/* Before the first change of any log: a crash from here on is an unclean stop. */
int log_dir_begin(struct dir *dir) must_check;
/*
 * All logs are opened, and so recovered: one sync must succeed, then a kill in this boot is only a
 * kill.
 */
int log_dir_recovered(struct dir *dir) must_check;
/*
 * A sync failed: the next start is not to believe the page cache (FAULTS S-07).  To be called
 * before the process ends; once it has ended the kernel may say that all is well.
 */
void log_dir_doubt(struct dir *dir);
/* All logs are closed cleanly, checkpoints are written: syncs, then says so. */
int log_dir_end(struct dir *dir, int64_t broker_epoch) must_check;

/* ---- checkpoints: offsets of many logs in one text file ---- */

#define RECOVERY_POINT_CHECKPOINT "recovery-point-offset-checkpoint"
#define REPLICATION_CHECKPOINT    "replication-offset-checkpoint" /* high watermarks */
#define LOG_START_CHECKPOINT      "log-start-offset-checkpoint"
#define CLEANER_CHECKPOINT        "cleaner-offset-checkpoint"

struct log_offset {
	struct str topic;
	int32_t partition;
	int64_t offset;
};

struct log_offsets {
	struct log_offset *at; /* sorted by topic and partition */
	size_t count;
	void *text; /* owned: what the topics point into */
};

/* A missing or empty file is an empty one.  -EBADMSG: a hint that cannot be read; *ret is empty. */
int log_offsets_read(struct dir *dir, const char *name, struct log_offsets *ret) must_check;
void log_offsets_fini(struct log_offsets *o);
/* `otherwise` when it is not there. */
int64_t log_offsets_find(const struct log_offsets *o, struct str topic, int32_t partition,
                         int64_t otherwise);

struct log_point {
	struct str topic;
	int32_t partition;
	int64_t recovery_point;
	int64_t high_watermark;
	int64_t log_start; /* -1: at the beginning of its first segment, so not written */
};

/*
 * Rewrites recovery points, high watermarks and log starts together, under one sync of the
 * directory.  What lies below the recovery points is on the device before: a crash right after
 * makes a start believe it.
 */
int log_dir_checkpoint(struct dir *dir, const struct log_point *point, size_t count) must_check;

#endif
