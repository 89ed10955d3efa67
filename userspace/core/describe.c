/* SPDX-License-Identifier: Apache-2.0 */
#include "core/describe.h"

#include <stdlib.h>

#include "core/topic_name.h"
#include "partition_change.h"
#include "wire/errors.h"

const struct image_endpoint *describe_endpoint(const struct describe *d, int32_t broker_id)
{
	const struct image_node *broker = image_broker(d->image, broker_id);

	return broker ? image_node_endpoint(broker, d->listener) : NULL;
}

int32_t describe_leader(const struct describe *d, const struct image_partition *p)
{
	return describe_endpoint(d, p->leader) ? p->leader : IMAGE_NO_LEADER;
}

struct image_ids describe_offline_replicas(const struct describe *d,
                                           const struct image_partition *p)
{
	int32_t *id = NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; i < p->replicas.count; i++) {
		const struct image_node *broker = image_broker(d->image, p->replicas.id[i]);

		if (broker && !broker->fenced && image_node_endpoint(broker, d->listener) &&
		    image_broker_has_online_dir(d->image, broker->id, p->directory[i]))
			continue;
		if (!id)
			id = arena_array(d->arena, p->replicas.count, sizeof(*id));
		if (id)
			id[count++] = p->replicas.id[i];
	}
	return (struct image_ids){ id, count };
}

static int32_t *list_of(struct image_ids ids)
{
	return ids.count ? (int32_t *)(uintptr_t)ids.id : WIRE_EMPTY;
}

/* ---- DescribeTopicPartitions ---- */

static int name_order(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The names asked for, or all, from the cursor's on, sorted and each once. */
static bool gather_names(const struct describe *d,
                         const struct describe_topic_partitions_request *r, struct str from,
                         struct str **ret, size_t *ret_count)
{
	size_t max = r->topics_count ? r->topics_count : d->image->topics.count;
	struct str *name = arena_array(d->arena, max, sizeof(*name));
	struct pmap_iter it;
	size_t count = 0;
	size_t kept = 0;

	if (!name)
		return false;
	if (!r->topics_count) {
		for (bool more = pmap_from(&d->image->topics, from, &it); more;
		     more = pmap_next(&it))
			name[count++] = it.entry.key;
	}
	for (uint32_t i = 0; i < r->topics_count; i++)
		if (str_cmp(r->topics[i].name, from) >= 0)
			name[count++] = r->topics[i].name;
	qsort(name, count, sizeof(*name), name_order);
	for (size_t i = 0; i < count; i++)
		if (!kept || !str_eq(name[kept - 1], name[i]))
			name[kept++] = name[i];
	*ret = name;
	*ret_count = kept;
	return true;
}

static void fill_partition(const struct describe *d, const struct image_partition *p,
                           struct describe_topic_partitions_response_response_partition *ret)
{
	struct image_ids offline = describe_offline_replicas(d, p);

	*ret = (struct describe_topic_partitions_response_response_partition){
		.partition_index = p->index,
		.leader_id = describe_leader(d, p),
		.leader_epoch = p->leader_epoch,
		.replica_nodes = list_of(p->replicas),
		.replica_nodes_count = p->replicas.count,
		.isr_nodes = list_of(p->isr),
		.isr_nodes_count = p->isr.count,
		.eligible_leader_replicas = list_of(p->elr),
		.eligible_leader_replicas_count = p->elr.count,
		.last_known_elr = list_of(p->last_known_elr),
		.last_known_elr_count = p->last_known_elr.count,
		.offline_replicas = list_of(offline),
		.offline_replicas_count = offline.count,
	};
}

static bool set_cursor(const struct describe *d, struct describe_topic_partitions_response *ret,
                       struct str name, int32_t index)
{
	ret->next_cursor = arena_zalloc(d->arena, sizeof(*ret->next_cursor));
	if (!ret->next_cursor)
		return false;
	ret->next_cursor->topic_name = name;
	ret->next_cursor->partition_index = index;
	return true;
}

/* Partitions [from, from + limit) of a topic; true when all that are left of it fit. */
static bool fill_topic(const struct describe *d, const struct image_topic *topic, int32_t from,
                       int32_t limit, struct describe_topic_partitions_response_response_topic *ret)
{
	int64_t count = (int64_t)topic->partition_count - from;

	if (count > limit)
		count = limit;
	if (count < 0)
		count = 0;
	ret->topic_id = topic->id;
	ret->partitions = arena_array(d->arena, (size_t)count, sizeof(*ret->partitions));
	if (!ret->partitions)
		return false;
	for (int64_t i = 0; i < count; i++)
		fill_partition(d, topic->partition[from + i], &ret->partitions[i]);
	ret->partitions_count = (uint32_t)count;
	return from + count >= topic->partition_count;
}

static int16_t fill_page(const struct describe *d, const struct str *name, size_t name_count,
                         int32_t limit, const struct describe_topic_partitions_request *r,
                         struct describe_topic_partitions_response *ret)
{
	for (size_t i = 0; i < name_count; i++) {
		const struct image_topic *topic = image_topic_by_name(d->image, name[i]);
		bool at_cursor = r->cursor && str_eq(name[i], r->cursor->topic_name);
		int32_t from = at_cursor ? r->cursor->partition_index : 0;
		struct describe_topic_partitions_response_response_topic *t;

		if (!limit)
			return set_cursor(d, ret, name[i], 0) ? WIRE_NONE
			                                      : WIRE_UNKNOWN_SERVER_ERROR;
		t = &ret->topics[ret->topics_count];
		*t = (struct describe_topic_partitions_response_response_topic){
			.name = name[i],
			.is_internal = topic_name_is_internal(name[i]),
			.partitions = WIRE_EMPTY,
			.topic_authorized_operations = INT32_MIN,
		};
		ret->topics_count++;
		if (!topic) {
			t->error_code = topic_name_is_valid(name[i])
			                        ? WIRE_UNKNOWN_TOPIC_OR_PARTITION
			                        : WIRE_INVALID_TOPIC_EXCEPTION;
			continue;
		}
		if (!fill_topic(d, topic, from, limit, t))
			return set_cursor(d, ret, name[i], from + limit)
			               ? WIRE_NONE
			               : WIRE_UNKNOWN_SERVER_ERROR;
		limit -= (int32_t)t->partitions_count;
	}
	return WIRE_NONE;
}

int16_t describe_topic_partitions(const struct describe *d, int32_t partition_limit_max,
                                  const struct describe_topic_partitions_request *request,
                                  struct describe_topic_partitions_response *ret)
{
	struct str from = request->cursor ? request->cursor->topic_name : STR("");
	int32_t limit = request->response_partition_limit;
	struct str *name;
	size_t count;

	describe_topic_partitions_response_init(ret);
	if (!gather_names(d, request, from, &name, &count))
		return WIRE_UNKNOWN_SERVER_ERROR;
	if (request->cursor && request->topics_count && (!count || !str_eq(name[0], from)))
		return WIRE_INVALID_REQUEST;
	if (request->cursor && request->cursor->partition_index < 0)
		return WIRE_INVALID_REQUEST;
	if (limit > partition_limit_max)
		limit = partition_limit_max;
	if (limit < 1)
		limit = 1;
	ret->topics = arena_array(d->arena, count, sizeof(*ret->topics));
	if (!ret->topics)
		return WIRE_UNKNOWN_SERVER_ERROR;
	return fill_page(d, name, count, limit, request, ret);
}

/* ---- DescribeCluster ---- */

static const char *type_name(int8_t type)
{
	return type == DESCRIBE_BROKERS ? "BROKER" : "CONTROLLER";
}

static void add_node(struct describe_cluster_response *ret, const struct image_node *node,
                     const struct image_endpoint *endpoint)
{
	ret->brokers[ret->brokers_count++] = (struct describe_cluster_response_broker){
		.broker_id = node->id,
		.host = endpoint->host,
		.port = endpoint->port,
		.rack = node->rack,
		.is_fenced = node->fenced,
	};
}

static bool fill_nodes(const struct describe *d, const struct pmap *nodes, bool with_fenced,
                       struct describe_cluster_response *ret)
{
	struct pmap_iter it;

	ret->brokers = arena_array(d->arena, nodes->count, sizeof(*ret->brokers));
	if (!ret->brokers)
		return false;
	pmap_each(it, nodes)
	{
		const struct image_node *node = image_value_of(struct image_node, it.entry);
		const struct image_endpoint *endpoint = image_node_endpoint(node, d->listener);

		if (endpoint && (with_fenced || !node->fenced))
			add_node(ret, node, endpoint);
	}
	return true;
}

static bool has_node(const struct describe_cluster_response *r, int32_t id)
{
	for (uint32_t i = 0; i < r->brokers_count; i++)
		if (r->brokers[i].broker_id == id)
			return true;
	return false;
}

void describe_cluster(const struct describe *d, enum describe_endpoint_type expected,
                      int16_t version, struct str cluster_id, int32_t controller_id,
                      int32_t authorized_operations, const struct describe_cluster_request *request,
                      struct describe_cluster_response *ret)
{
	int8_t type = request->endpoint_type;
	const struct pmap *nodes =
		expected == DESCRIBE_BROKERS ? &d->image->brokers : &d->image->controllers;

	describe_cluster_response_init(ret);
	if (type != DESCRIBE_BROKERS && type != DESCRIBE_CONTROLLERS) {
		ret->error_code = version ? WIRE_UNSUPPORTED_ENDPOINT_TYPE : WIRE_INVALID_REQUEST;
		ret->error_message = arena_printf(d->arena, "Unsupported endpoint type %d", type);
		return;
	}
	if (type != (int8_t)expected) {
		ret->error_code = version ? WIRE_MISMATCHED_ENDPOINT_TYPE : WIRE_INVALID_REQUEST;
		ret->error_message = arena_printf(
			d->arena,
			"The request was sent to an endpoint of type %s, but we wanted an "
			"endpoint of type %s",
			type_name((int8_t)expected), type_name(type));
		return;
	}
	ret->endpoint_type = type;
	ret->cluster_id = cluster_id;
	if (request->include_cluster_authorized_operations)
		ret->cluster_authorized_operations = authorized_operations;
	if (!fill_nodes(d, nodes, request->include_fenced_brokers, ret)) {
		ret->error_code = WIRE_UNKNOWN_SERVER_ERROR;
		return;
	}
	ret->controller_id = has_node(ret, controller_id) ? controller_id : -1;
}

/* ---- DescribeQuorum ---- */

static bool asks_for_metadata(const struct describe_quorum_request *r)
{
	return r->topics_count == 1 &&
	       str_eq(r->topics[0].topic_name, STR(TOPIC_CLUSTER_METADATA)) &&
	       r->topics[0].partitions_count == 1 &&
	       r->topics[0].partitions[0].partition_index == 0;
}

/* Each partition that was asked for is unknown here. */
static bool refuse_quorum(struct arena *arena, const struct describe_quorum_request *r,
                          struct describe_quorum_response *ret)
{
	ret->topics = arena_array(arena, r->topics_count, sizeof(*ret->topics));
	if (!ret->topics)
		return false;
	ret->topics_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		struct describe_quorum_response_topic_data *topic = &ret->topics[i];

		topic->topic_name = r->topics[i].topic_name;
		topic->partitions = arena_array(arena, r->topics[i].partitions_count,
		                                sizeof(*topic->partitions));
		if (!topic->partitions)
			return false;
		topic->partitions_count = r->topics[i].partitions_count;
		for (uint32_t j = 0; j < topic->partitions_count; j++) {
			topic->partitions[j].partition_index =
				r->topics[i].partitions[j].partition_index;
			topic->partitions[j].error_code = WIRE_UNKNOWN_TOPIC_OR_PARTITION;
			topic->partitions[j].error_message =
				STR("This server does not host this topic-partition.");
		}
	}
	return true;
}

static bool fill_voters(struct arena *arena, const struct describe_leader *leader,
                        struct describe_quorum_response_partition_data *p)
{
	p->current_voters = arena_array(arena, leader->voter_count, sizeof(*p->current_voters));
	if (!p->current_voters)
		return false;
	p->current_voters_count = leader->voter_count;
	for (uint32_t i = 0; i < leader->voter_count; i++) {
		bool leads = leader->voter[i].id == leader->leader_id;

		p->current_voters[i] = (struct describe_quorum_response_replica_state){
			.replica_id = leader->voter[i].id,
			.replica_directory_id = leader->voter[i].directory_id,
			.log_end_offset = leads ? leader->log_end_offset : -1,
			.last_fetch_timestamp = leads ? leader->now_ms : -1,
			.last_caught_up_timestamp = leads ? leader->now_ms : -1,
		};
	}
	return true;
}

static bool fill_quorum_nodes(struct arena *arena, const struct describe_leader *leader,
                              struct describe_quorum_response *ret)
{
	ret->nodes = arena_array(arena, leader->voter_count, sizeof(*ret->nodes));
	if (!ret->nodes)
		return false;
	ret->nodes_count = leader->voter_count;
	for (uint32_t i = 0; i < leader->voter_count; i++) {
		const struct raft_voter *voter = &leader->voter[i];
		struct describe_quorum_response_node *node = &ret->nodes[i];

		node->node_id = voter->id;
		node->listeners =
			arena_array(arena, voter->endpoint_count, sizeof(*node->listeners));
		if (!node->listeners)
			return false;
		node->listeners_count = voter->endpoint_count;
		for (uint32_t j = 0; j < voter->endpoint_count; j++)
			node->listeners[j] = (struct describe_quorum_response_listener){
				voter->endpoint[j].listener, voter->endpoint[j].host,
				voter->endpoint[j].port
			};
	}
	return true;
}

static bool fill_quorum(struct arena *arena, int16_t version, const struct describe_leader *leader,
                        struct describe_quorum_response *ret)
{
	struct describe_quorum_response_topic_data *topic = arena_zalloc(arena, sizeof(*topic));
	struct describe_quorum_response_partition_data *p = arena_zalloc(arena, sizeof(*p));

	if (!topic || !p)
		return false;
	ret->topics = topic;
	ret->topics_count = 1;
	topic->topic_name = STR(TOPIC_CLUSTER_METADATA);
	topic->partitions = p;
	topic->partitions_count = 1;
	p->current_voters = WIRE_EMPTY;
	p->observers = WIRE_EMPTY;
	p->error_message = STR("");
	if (leader->leader_id < 0) {
		p->error_code = WIRE_NOT_LEADER_OR_FOLLOWER;
		p->error_message = STR("This node does not lead the quorum.");
		return true;
	}
	p->leader_id = leader->leader_id;
	p->leader_epoch = leader->leader_epoch;
	p->high_watermark = leader->high_watermark;
	return fill_voters(arena, leader, p) &&
	       (version < 2 || fill_quorum_nodes(arena, leader, ret));
}

void describe_quorum(struct arena *arena, int16_t version, const struct describe_leader *leader,
                     const struct describe_quorum_request *request,
                     struct describe_quorum_response *ret)
{
	bool ok;

	describe_quorum_response_init(ret);
	if (asks_for_metadata(request))
		ok = fill_quorum(arena, version, leader, ret);
	else
		ok = refuse_quorum(arena, request, ret);
	if (!ok) {
		describe_quorum_response_init(ret);
		ret->error_code = WIRE_UNKNOWN_SERVER_ERROR;
	}
}

/* ---- ListConfigResources ---- */

static const int8_t listed_type[] = { IMAGE_RESOURCE_GROUP, IMAGE_RESOURCE_CLIENT_METRICS,
	                              IMAGE_RESOURCE_BROKER_LOGGER, IMAGE_RESOURCE_BROKER,
	                              IMAGE_RESOURCE_TOPIC };

static void add_resource(struct list_config_resources_response *ret, int8_t type, struct str name)
{
	ret->config_resources[ret->config_resources_count++] =
		(struct list_config_resources_response_config_resource){ name, type };
}

/* Groups and client metrics are there only as far as they have configs. */
static void list_configured(const struct describe *d, int8_t type,
                            struct list_config_resources_response *ret)
{
	struct pmap_iter it;

	pmap_each(it, &d->image->configs)
	{
		const struct image_config *config = image_value_of(struct image_config, it.entry);

		if (config->resource_type == type)
			add_resource(ret, type, config->resource_name);
	}
}

static void list_type(const struct describe *d, int8_t type,
                      struct list_config_resources_response *ret)
{
	struct pmap_iter it;

	if (type == IMAGE_RESOURCE_GROUP || type == IMAGE_RESOURCE_CLIENT_METRICS) {
		list_configured(d, type, ret);
	} else if (type == IMAGE_RESOURCE_TOPIC) {
		pmap_each(it, &d->image->topics) add_resource(ret, type, it.entry.key);
	} else {
		pmap_each(it, &d->image->brokers)
		{
			int32_t id = image_value_of(struct image_node, it.entry)->id;

			if (describe_endpoint(d, id))
				add_resource(ret, type, arena_printf(d->arena, "%d", id));
		}
	}
}

static bool is_supported(int16_t version, int8_t type)
{
	if (!version)
		return type == IMAGE_RESOURCE_CLIENT_METRICS;
	for (size_t i = 0; i < array_count(listed_type); i++)
		if (listed_type[i] == type)
			return true;
	return false;
}

static bool is_wanted(int16_t version, const struct list_config_resources_request *r, int8_t type)
{
	if (!version || !r->resource_types_count)
		return is_supported(version, type);
	for (uint32_t i = 0; i < r->resource_types_count; i++)
		if (r->resource_types[i] == type)
			return true;
	return false;
}

void list_config_resources(const struct describe *d, int16_t version,
                           const struct list_config_resources_request *request,
                           struct list_config_resources_response *ret)
{
	size_t max = d->image->configs.count + 2 * d->image->brokers.count + d->image->topics.count;

	list_config_resources_response_init(ret);
	for (uint32_t i = 0; version && i < request->resource_types_count; i++)
		if (!is_supported(version, request->resource_types[i])) {
			ret->error_code = WIRE_UNSUPPORTED_VERSION;
			return;
		}
	ret->config_resources = arena_array(d->arena, max, sizeof(*ret->config_resources));
	if (!ret->config_resources) {
		ret->error_code = WIRE_UNKNOWN_SERVER_ERROR;
		return;
	}
	for (size_t i = 0; i < array_count(listed_type); i++)
		if (is_wanted(version, request, listed_type[i]))
			list_type(d, listed_type[i], ret);
}
