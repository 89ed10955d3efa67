/* SPDX-License-Identifier: Apache-2.0 */
#include "core/describe.h"
#include "partition_change.h"
#include "wire/errors.h"

/* Version 0 left out brokers that are away, and called that an error. */
enum { VERSION_ALL_REPLICAS = 1, VERSION_LISTENER_NOT_FOUND = 6 };

static bool is_reached(const struct describe *d, int32_t broker_id)
{
	const struct image_node *broker = image_broker(d->image, broker_id);

	return broker && !broker->fenced && image_node_endpoint(broker, d->listener);
}

/* The ids, of version 0 only those that are reached; false: memory is out. */
static bool reached_of(const struct describe *d, int16_t version, struct image_ids *ids)
{
	int32_t *reached;
	uint32_t count = 0;

	if (version >= VERSION_ALL_REPLICAS)
		return true;
	reached = arena_array(d->arena, ids->count, sizeof(*reached));
	if (!reached)
		return false;
	for (uint32_t i = 0; i < ids->count; i++)
		if (is_reached(d, ids->id[i]))
			reached[count++] = ids->id[i];
	*ids = (struct image_ids){ reached, count };
	return true;
}

static int16_t error_of(const struct describe *d, int16_t version, const struct image_partition *p,
                        bool has_leader, bool is_whole)
{
	if (has_leader)
		return is_whole ? WIRE_NONE : WIRE_REPLICA_NOT_AVAILABLE;
	if (version >= VERSION_LISTENER_NOT_FOUND && image_broker(d->image, p->leader))
		return WIRE_LISTENER_NOT_FOUND;
	return WIRE_LEADER_NOT_AVAILABLE;
}

static int32_t *list_of(struct image_ids ids)
{
	return ids.count ? (int32_t *)(uintptr_t)ids.id : WIRE_EMPTY;
}

bool describe_metadata_partition(const struct describe *d, int16_t version,
                                 const struct image_partition *p,
                                 struct metadata_response_response_partition *ret)
{
	struct image_ids offline = describe_offline_replicas(d, p);
	struct image_ids replicas = p->replicas;
	struct image_ids isr = p->isr;
	int32_t leader = describe_leader(d, p);
	bool is_whole;

	if (!reached_of(d, version, &replicas) || !reached_of(d, version, &isr))
		return false;
	is_whole = replicas.count == p->replicas.count && isr.count == p->isr.count;
	*ret = (struct metadata_response_response_partition){
		.error_code = error_of(d, version, p, leader != IMAGE_NO_LEADER, is_whole),
		.partition_index = p->index,
		.leader_id = leader,
		.leader_epoch = p->leader_epoch,
		.replica_nodes = list_of(replicas),
		.replica_nodes_count = replicas.count,
		.isr_nodes = list_of(isr),
		.isr_nodes_count = isr.count,
		.offline_replicas = list_of(offline),
		.offline_replicas_count = offline.count,
	};
	return true;
}

bool describe_metadata_brokers(const struct describe *d, struct metadata_response *ret)
{
	struct pmap_iter it;

	ret->brokers = arena_array(d->arena, d->image->brokers.count, sizeof(*ret->brokers));
	if (!ret->brokers)
		return false;
	pmap_each(it, &d->image->brokers)
	{
		const struct image_node *broker = image_value_of(struct image_node, it.entry);
		const struct image_endpoint *endpoint = image_node_endpoint(broker, d->listener);

		if (endpoint && !broker->fenced)
			ret->brokers[ret->brokers_count++] =
				(struct metadata_response_response_broker){
					.node_id = broker->id,
					.host = endpoint->host,
					.port = endpoint->port,
					.rack = broker->rack,
				};
	}
	return true;
}
