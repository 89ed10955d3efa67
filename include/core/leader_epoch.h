/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LEADER_EPOCH_H
#define CORE_LEADER_EPOCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"

/*
 * Which leader epoch wrote which offsets (KIP-101, KIP-279; LeaderEpochFileCache): entries of an
 * epoch and its first offset, both strictly rising.
 */
struct epoch_entry {
	int32_t epoch;
	int64_t start_offset;
};

struct epoch_cache {
	struct epoch_entry *entry;
	size_t count;
	size_t capacity;
};

void epoch_cache_fini(struct epoch_cache *c);
/* A batch of this epoch begins at start_offset.  True: the cache changed, so its file must. */
bool epoch_cache_assign(struct epoch_cache *c, int32_t epoch, int64_t start_offset);
int32_t epoch_cache_latest(const struct epoch_cache *c); /* -1: none */
/* The epoch that wrote `offset`; -1 when it lies before all. */
int32_t epoch_cache_of(const struct epoch_cache *c, int64_t offset);

/*
 * The answer to OffsetForLeaderEpoch: the largest known epoch <= `epoch` and the offset where it
 * ends.  {-1, -1}: not known.
 */
struct epoch_entry epoch_cache_end(const struct epoch_cache *c, int32_t epoch,
                                   int64_t log_end_offset);

/* Both true when the cache changed. */
bool epoch_cache_truncate_end(struct epoch_cache *c,
                              int64_t end_offset); /* forgets from there on */
bool epoch_cache_truncate_start(struct epoch_cache *c,
                                int64_t start_offset); /* the entry that covers it begins there */

/* leader-epoch-checkpoint: "0\nCOUNT\nEPOCH START\n..." */
void epoch_cache_encode(const struct epoch_cache *c, struct buf *out);
int epoch_cache_decode(struct epoch_cache *c, struct str text) must_check; /* 0 or -EBADMSG */

#endif
