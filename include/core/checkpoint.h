/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CHECKPOINT_H
#define CORE_CHECKPOINT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "core/raft.h"
#include "wire/batch.h"

/*
 * The bytes of the metadata log's batches and of its snapshots (Kafka: RecordsSnapshotWriter,
 * KIP-630).  A snapshot file is
 *
 *	a control batch: SnapshotHeader, and from kraft.version 1 on KRaftVersion and Voters
 *	batches of records, 1024 at most in each
 *	a control batch: SnapshotFooter
 *
 * with offsets from 0 and the snapshot's epoch in each batch.  `bootstrap.checkpoint` is one of
 * epoch 0 without a quorum.
 */
struct checkpoint_options {
	int32_t epoch;
	int64_t wall_ms;
	int64_t last_contained_ms; /* append time of the newest record it stands for; 0 for none */
	const struct raft_quorum *quorum; /* NULL: not in it (kraft.version 0) */
};

struct checkpoint {
	struct buf *out;
	struct checkpoint_options options;
	struct batch_builder batch;
	int64_t next_offset;
	uint32_t batch_records; /* in the open batch; 0: none is open */
};

void checkpoint_begin(struct checkpoint *c, struct buf *out, const struct checkpoint_options *o);
void checkpoint_add(struct checkpoint *c, struct span value);
void checkpoint_end(struct checkpoint *c);

/* One batch of the metadata log. */
void metadata_batch_encode(struct buf *out, int64_t base_offset, int32_t epoch, int64_t wall_ms,
                           const struct span *value, size_t count);
/* The first batch of an epoch, as RAFT_APPEND_LEADER wants it; its records are counted. */
uint32_t metadata_leader_batch_encode(struct buf *out, const struct raft *raft,
                                      const struct raft_want *want, int64_t wall_ms);

#endif
