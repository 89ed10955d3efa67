/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_STORAGE_H
#define BROKER_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/uuid.h"
#include "core/bootstrap.h"
#include "core/meta_properties.h"
#include "io/file.h"

/*
 * Log directories as `kafka-storage format` leaves them: meta.properties and bootstrap.checkpoint
 * in each; in the one for metadata, for a quorum that begins with this node, the checkpoint that
 * names its voters.  All of it on a worker.
 */
struct storage_format {
	struct str cluster_id; /* data NULL: a random uuid */
	int32_t node_id;
	int16_t metadata_version;
	const struct bootstrap_level *level; /* features that are not to have their default */
	uint32_t level_count;
	bool standalone; /* kraft.version 1, this node the only voter, reached at: */
	struct raft_endpoint controller;
	/* Before a directory is written to; may be NULL. */
	void (*formatting)(const struct storage_format *f, const char *path, bool for_metadata);
};

struct storage_error {
	char text[240];
};

/*
 * Formats every directory that has no meta.properties; the first is for metadata.  *ret_formatted
 * says how many had none.  -EEXIST when one had and `fresh` was asked for.
 */
int storage_format(struct dir *const *dir, uint32_t dir_count, const struct storage_format *f,
                   bool fresh, uint32_t *ret_formatted, struct storage_error *why) must_check;

/*
 * What storage_format() would refuse: -EEXIST, as there; -EINVAL: a directory belongs to another
 * node or cluster; -EBADMSG.
 */
int storage_check(struct dir *const *dir, uint32_t dir_count, const struct storage_format *f,
                  bool fresh, struct storage_error *why) must_check;

/* meta.properties of a directory; strings in the arena.  -ENOENT, -EBADMSG. */
int storage_read(struct dir *dir, struct arena *arena, struct meta_properties *ret,
                 struct storage_error *why) must_check;

/* A new random id as Kafka makes them: not reserved, not beginning with '-'. */
struct uuid storage_random_uuid(void);

#endif
