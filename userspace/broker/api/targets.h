/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_API_TARGETS_H
#define BROKER_API_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/map.h"
#include "core/image.h"

/*
 * The partitions that a request names, each once, by topic, in the order of the request.  Of one
 * that is not there a few repetitions are found and many are not.
 */
struct target_topic {
	struct map_node node;
	struct str name; /* as the request says it, as asked_id */
	struct uuid asked_id;
	struct uuid id; /* zero: there is no such topic */
	bool is_internal;
	uint32_t partition_count; /* in the image */
	uint32_t count;           /* of its targets */
	uint32_t first;           /* 0: none */
	uint32_t last;
	uint32_t *by_index; /* the target of each partition, 0: none; NULL while they are few */
};

struct target {
	int32_t index;
	uint32_t topic;
	uint32_t next; /* of the topic; 0: it is the last */
	bool exists;
};

struct targets {
	struct arena *arena;
	bool by_id;
	struct target_topic *topic;
	uint32_t topic_count;
	uint32_t topic_max;
	struct target *target; /* from 1 on */
	uint32_t count;
	struct map map; /* while there are many topics */
};

/* Room for so many; false: the arena's limit is reached. */
bool targets_init(struct targets *t, struct arena *arena, uint32_t topics, size_t partitions,
                  bool by_id);
/* The topic of that name, or id; `more` partitions of it follow.  NULL: the limit is reached. */
struct target_topic *targets_topic(struct targets *t, const struct image *image, struct str name,
                                   struct uuid id, uint32_t more);
/* The number of the target, the one it had when it was named before. */
uint32_t targets_partition(struct targets *t, struct target_topic *topic, int32_t index);
/* No more follow. */
void targets_end(struct targets *t);

#endif
