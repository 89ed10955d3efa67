/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PARTITION_CHANGE_H
#define CORE_PARTITION_CHANGE_H

#include "base/arena.h"
#include "core/image.h"

/*
 * From a partition and what is wanted of it to the change that a PartitionChangeRecord says:
 * finishing reassignments, eligible leader replicas (KIP-966), election, epochs (Kafka:
 * PartitionChangeBuilder).
 */
enum {
	PARTITION_NO_LEADER_CHANGE = -2,
	PARTITION_NO_RECOVERY_CHANGE = -1,
};

enum partition_election { ELECTION_PREFERRED, ELECTION_ONLINE, ELECTION_UNCLEAN };

struct partition_change {
	bool has_isr;
	bool has_replicas;
	bool has_removing;
	bool has_adding;
	bool has_elr;
	bool has_last_known_elr;
	bool has_directories; /* one for each of the (new) replicas */
	int8_t leader_recovery_state;
	int32_t leader;
	struct image_ids isr;
	struct image_ids replicas;
	struct image_ids removing;
	struct image_ids adding;
	struct image_ids elr;
	struct image_ids last_known_elr;
	const struct uuid *directory;
	uint32_t directory_count;
};

struct partition_target {
	const struct image_partition *partition;
	struct arena *arena;
	const struct image *image; /* for the directories of brokers */

	/* May this broker lead?  Its directory is looked at besides. */
	bool (*acceptable)(const void *arg, int32_t broker_id);
	const void *acceptable_arg;

	int min_isr; /* of the topic, at most its replication factor */
	bool elr_enabled;
	enum partition_election election;
	int32_t unclean_shutdown_id; /* -1: nobody */
	int8_t leader_recovery_state;

	struct image_ids isr;
	struct image_ids replicas;
	struct image_ids removing;
	struct image_ids adding;
	struct image_ids elr;

	int32_t moved_broker_id; /* its replica is in `moved_to`; -1: nobody's moved */
	struct uuid moved_to;
};

/* Everything as it is. */
void partition_target_init(struct partition_target *t, const struct image *image,
                           const struct image_partition *p, struct arena *arena);
/* False: nothing would change.  The target is used up. */
bool partition_change_build(struct partition_target *t, struct partition_change *ret);

/* Lists in the arena. */
struct image_ids image_ids_without(struct arena *arena, struct image_ids ids, int32_t id);
struct image_ids image_ids_minus(struct arena *arena, struct image_ids ids, struct image_ids other);
struct image_ids image_ids_one(struct arena *arena, int32_t id);

/* org.apache.kafka.common.DirectoryId */
#define DIRECTORY_MIGRATING  UUID_ZERO
#define DIRECTORY_UNASSIGNED ((struct uuid){ { [15] = 1 } })
#define DIRECTORY_LOST       ((struct uuid){ { [15] = 2 } })

bool image_broker_has_online_dir(const struct image *image, int32_t broker_id, struct uuid dir);
/* Where a new replica goes without being told: the only directory, or UNASSIGNED. */
struct uuid image_broker_default_dir(const struct image *image, int32_t broker_id);
bool image_broker_is_active(const struct image *image, int32_t broker_id);

/* What the partition becomes; values in the arena, not counted. */
void partition_change_preview(const struct image_partition *p, const struct partition_change *c,
                              struct image_partition *ret);

#endif
