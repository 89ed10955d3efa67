/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BOOTSTRAP_H
#define CORE_BOOTSTRAP_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "core/checkpoint.h"

/*
 * What a new cluster starts with (Kafka: org.apache.kafka.metadata.storage.Formatter,
 * BootstrapDirectory): FeatureLevelRecords of metadata.version and of every other feature whose
 * level is not 0, as record values of the metadata log.
 */
struct bootstrap_level {
	struct str name;
	int16_t level;
};

/*
 * The levels for a metadata.version, metadata.version first and the others by name; `override` sets
 * some.  0, or -EINVAL with *ret_why in the arena: an unknown feature, a level out of range, or one
 * that needs a higher metadata.version.
 */
int bootstrap_levels(struct arena *arena, int16_t metadata_version,
                     const struct bootstrap_level *override, size_t override_count,
                     struct bootstrap_level **ret, size_t *ret_count,
                     struct str *ret_why) must_check;
/* Their record values, in the arena. */
const struct span *bootstrap_records(struct arena *arena, const struct bootstrap_level *level,
                                     size_t count, size_t *ret_count);

/* The file `bootstrap.checkpoint` of these records. */
void bootstrap_checkpoint(struct buf *out, const struct span *record, size_t count,
                          int64_t wall_ms);
/*
 * The file 00000000000000000000-0000000000.checkpoint in `__cluster_metadata-0`, which tells the
 * voters of a new quorum (`kafka-storage format --standalone`).
 */
void bootstrap_quorum_checkpoint(struct buf *out, const struct raft_quorum *quorum,
                                 int64_t wall_ms);
/* The record values of a bootstrap.checkpoint, borrowing from `file`.  0 or -EBADMSG. */
int bootstrap_read(struct arena *arena, struct span file, const struct span **ret,
                   size_t *ret_count) must_check;

#endif
