/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PLACEMENT_H
#define CORE_PLACEMENT_H

#include "base/arena.h"
#include "base/prng.h"
#include "core/image.h"

/*
 * Where new replicas go (Kafka: StripedReplicaPlacer): leaders round-robin over racks and over the
 * brokers of each rack, followers on the racks behind the leader's, fenced brokers last and never
 * as leader.
 */
struct placement_broker {
	int32_t id;
	struct str rack;
	bool fenced;
};

struct placement; /* in the arena; one for all partitions of a request's topic */

struct placement *placement_new(struct arena *arena, struct prng *prng,
                                const struct placement_broker *broker, uint32_t count);
/*
 * Replicas of the next partition into `ret`.  NULL, or the reason why not, in the arena:
 * INVALID_REPLICATION_FACTOR.
 */
const struct str *placement_error(struct placement *p, int16_t replication_factor);
void placement_next(struct placement *p, int16_t replication_factor, int32_t *ret);

#endif
