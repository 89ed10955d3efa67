/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_METADATA_REPLAY_H
#define CORE_METADATA_REPLAY_H

#include "base/arena.h"
#include "core/image.h"
#include "core/raft.h"
#include "wire/batch.h"

/*
 * From batches of the metadata log, or of one of its snapshots, to the image and the quorum
 * (Kafka: MetadataBatchLoader, KRaftControlRecordStateMachine).
 */
struct metadata_replay {
	struct image *image;       /* being edited; owned until taken */
	struct raft_quorum quorum; /* strings live in `strings` */
	struct arena strings;
	int64_t snapshot_offset; /* the last one the snapshot stands for; -1 with a log */
	bool in_snapshot;
	bool header_seen; /* of the snapshot */
	bool footer_seen;
	int64_t last_contained_ms; /* from the snapshot's header */
};

/* Nothing is known yet: an empty image, kraft.version 0 and no voters. */
void metadata_replay_init(struct metadata_replay *r);
void metadata_replay_fini(struct metadata_replay *r);

/* What follows is the snapshot `id`, and takes the place of everything so far. */
void metadata_replay_snapshot(struct metadata_replay *r, struct raft_snapshot_id id);
/* All of it was there: the log follows at id.end_offset.  IMAGE_BAD_RECORD when cut short. */
enum image_verdict metadata_replay_snapshot_end(struct metadata_replay *r,
                                                struct raft_snapshot_id id,
                                                struct image_apply_error *why) must_check;

/* The checksum is the caller's to look at. */
enum image_verdict metadata_replay_batch(struct metadata_replay *r, const struct batch *b,
                                         struct image_apply_error *why) must_check;

#endif
