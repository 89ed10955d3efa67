/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_PARTITIONS_H
#define BROKER_PARTITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "base/uuid.h"
#include "broker/config.h"
#include "broker/partition.h"
#include "core/image.h"
#include "io/file.h"
#include "store/log_dir.h"

/*
 * Every partition of this broker (kafka.server.ReplicaManager, LogManager): made, changed and
 * deleted as the metadata image says; found by name and by id from any reactor without a lock.
 */
struct metadata;
struct partitions;

struct partitions_dir {
	struct dir *dir; /* open and locked; stays the caller's */
	struct uuid id;  /* of meta.properties */
	enum log_recovery recovery;
};

struct partitions_options {
	int32_t node_id;
	const struct partitions_dir *dir;
	uint32_t dir_count;
	const struct config *config;
	struct metadata *metadata; /* whose controller is told where logs are; NULL: nobody */
	/*
	 * reactor 0.  This log directory cannot be trusted any more; `left` others can.
	 */
	void (*dir_failed)(void *arg, struct uuid id, uint32_t left);
	/* A new partition, before anybody knows it: attach what lives in its strand.  NULL: none.
	 */
	void (*attach)(void *arg, struct partition *part);
	void *arg;
};

/* What is told of the start: every log that was in the image at first is open (or failed). */
struct partitions_progress {
	uint32_t logs;
	uint32_t opened;
	uint32_t failed;
	uint64_t truncated_bytes;
	uint32_t indexes_rebuilt;
};

/* worker.  Looks at the directories; nothing is opened yet.  -errno */
int partitions_open(const struct partitions_options *options, struct partitions **ret) must_check;
/*
 * The image changed: to be called in order, one at a time (metadata's `changed`).  The first one
 * says which logs there are; directories that belong to none of them are set aside as strays.
 */
void partitions_changed(struct partitions *p, const struct image *old, const struct image *new);
/* reactor.  The broker's dynamic configs changed. */
void partitions_configure(struct partitions *p, const struct config *config,
                          const struct image *image);
/* reactor 0.  Retention, checkpoints and removals begin. */
void partitions_start(struct partitions *p);
/* reactor 0.  No more jobs; stopped(arg), on reactor 0, when those under way have ended. */
void partitions_stop(struct partitions *p, void (*stopped)(void *arg), void *arg);
/*
 * worker, reactors stopped.  Closes every log; clean: so that log_dir_end() may follow for each
 * directory whose error is 0 (ret_err, one a directory; NULL: nobody asks).
 */
void partitions_close(struct partitions *p, bool clean, int *ret_err);
void partitions_free(struct partitions *p); /* after it and reactors_close() */

/* ---- what handlers ask; reactor, borrowed until the end of the turn ---- */

/* NULL: none here. */
struct partition *partitions_find(const struct partitions *p, struct uuid topic_id, int32_t index);
/*
 * By name, by way of the image of this turn.  WIRE_NONE; UNKNOWN_TOPIC_OR_PARTITION;
 * NOT_LEADER_OR_FOLLOWER: it exists and is not here (ReplicaManager.getPartitionOrError).
 */
int16_t partitions_by_name(const struct partitions *p, const struct image *image, struct str topic,
                           int32_t index, struct partition **ret) must_check;
/* UNKNOWN_TOPIC_ID in place of the first. */
int16_t partitions_by_id(const struct partitions *p, const struct image *image,
                         struct uuid topic_id, int32_t index, struct partition **ret) must_check;

struct partitions_progress partitions_progress(const struct partitions *p); /* any */
/* any.  How many were ever taken away: who keeps partitions looks for them again when it rose. */
uint64_t partitions_removals(const struct partitions *p);

/* Directories and the logs in them, for DescribeLogDirs. */
struct partitions_dir_info {
	const char *path;
	struct uuid id;
	bool is_failed;
	struct dir *dir;
};
uint32_t partitions_dir_count(const struct partitions *p);
struct partitions_dir_info partitions_dir_info(const struct partitions *p, uint32_t i);
/* Every partition, in the order of topic ids; the directory is partitions_dir_of(). */
void partitions_each(const struct partitions *p, void (*each)(void *arg, struct partition *part),
                     void *arg);
int partitions_dir_of(const struct partitions *p, const struct partition *part); /* -1: none yet */

/* reactor.  Log starts moved (DeleteRecords): checkpoints are to be written soon. */
void partitions_checkpoint_soon(struct partitions *p);

#endif
