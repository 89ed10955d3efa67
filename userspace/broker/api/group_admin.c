/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeGroups, ListGroups, DeleteGroups, OffsetDelete. */
#include "base/map.h"
#include "broker/api.h"
#include "broker/broker.h"
#include "broker/metadata.h"
#include "group.h"
#include "wire/delete_groups.h"
#include "wire/describe_groups.h"
#include "wire/list_groups.h"
#include "wire/offset_delete.h"

/* What everybody may do to a group: READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS. */
enum { GROUP_OPERATIONS = 0xd48 };

/* ---- a part for each group of the request ---- */

struct parts {
	uint32_t count;
	struct group_part part[];
};

static struct parts *parts_new(struct call *call, uint32_t count)
{
	struct parts *p = arena_zalloc(&call->arena, sizeof(*p) + count * sizeof(p->part[0]));

	call->user = p;
	if (p)
		p->count = count;
	return p;
}

static void parts_reply(struct call *call, const void *response)
{
	struct parts *p = call->user;

	group_parts_reply(call, response, p->part, p->count, sizeof(p->part[0]));
}

static void ask_each(struct call *call, enum group_event_type type, const struct str *group,
                     uint32_t count, void (*reply)(struct call *call))
{
	struct parts *p = parts_new(call, count);

	if (!p) {
		call_close(call);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		group_part_init(&p->part[i], call, type, &group[i]);
	if (!count) {
		reply(call);
		return;
	}
	call_begin_parts(call, (int)count, reply);
	for (uint32_t i = 0; i < count; i++)
		group_part_send(&p->part[i], group[i]);
}

/* ---- DescribeGroups ---- */

typedef struct describe_groups_response_described_group described_group;

static void reply_described(struct call *call)
{
	const struct describe_groups_request *r = call->request;
	struct parts *p = call->user;
	struct describe_groups_response response;

	describe_groups_response_init(&response);
	response.groups_count = p->count;
	response.groups = arena_array(&call->arena, p->count + 1, sizeof(*response.groups));
	for (uint32_t i = 0; response.groups && i < p->count; i++) {
		const struct group_request *answer = &p->part[i].request;
		described_group *to = &response.groups[i];

		if (answer->error)
			*to = (described_group){ .error_code = answer->error,
				                 .group_id = r->groups[i],
				                 .group_state = STR(""),
				                 .protocol_type = STR(""),
				                 .protocol_data = STR(""),
				                 .authorized_operations = INT32_MIN };
		else
			*to = *(const described_group *)answer->response;
		if (r->include_authorized_operations && !to->error_code)
			to->authorized_operations = GROUP_OPERATIONS;
	}
	parts_reply(call, response.groups ? &response : NULL);
}

void api_describe_groups(struct call *call)
{
	const struct describe_groups_request *r = call->request;

	ask_each(call, GROUP_DESCRIBE, r->groups, r->groups_count, reply_described);
}

/* ---- DeleteGroups ---- */

static void reply_deleted(struct call *call)
{
	struct parts *p = call->user;
	struct delete_groups_response response;

	delete_groups_response_init(&response);
	response.results_count = p->count;
	response.results = arena_array(&call->arena, p->count + 1, sizeof(*response.results));
	for (uint32_t i = 0; response.results && i < p->count; i++) {
		const struct group_request *answer = &p->part[i].request;

		response.results[i].group_id = *(const struct str *)answer->event.request;
		response.results[i].error_code =
			answer->error ? answer->error : *(const int16_t *)answer->response;
	}
	parts_reply(call, response.results ? &response : NULL);
}

/* A group that is named twice is deleted, and answered, once. */
struct named {
	struct map_node node;
	struct str name;
};

static bool is_new(struct map *seen, struct named *one)
{
	struct map_node *node = map_first(seen, hash_str(one->name));

	for (; node; node = map_next(node))
		if (str_eq(container_of(node, struct named, node)->name, one->name))
			return false;
	map_insert(seen, &one->node, hash_str(one->name));
	return true;
}

void api_delete_groups(struct call *call)
{
	const struct delete_groups_request *r = call->request;
	size_t count = r->groups_names_count;
	struct named *named = arena_array(&call->arena, count + 1, sizeof(*named));
	struct str *distinct = arena_array(&call->arena, count + 1, sizeof(*distinct));
	struct map seen = { 0 };
	uint32_t distinct_count = 0;

	if (!named || !distinct) {
		call_close(call);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		named[i].name = r->groups_names[i];
		if (is_new(&seen, &named[i]))
			distinct[distinct_count++] = r->groups_names[i];
	}
	map_fini(&seen);
	ask_each(call, GROUP_DELETE, distinct, distinct_count, reply_deleted);
}

/* ---- ListGroups: every shard of this broker ---- */

struct shards {
	struct call *call;
	struct partition **part;
	uint32_t count;
};

static void count_shard(void *arg, struct partition *part)
{
	(void)part;
	++*(uint32_t *)arg;
}

static void collect_shard(void *arg, struct partition *part)
{
	struct shards *s = arg;

	s->part[s->count++] = part;
}

static void reply_listed(struct call *call)
{
	struct parts *p = call->user;
	struct list_groups_response response;
	uint32_t count = 0;

	list_groups_response_init(&response);
	for (uint32_t i = 0; i < p->count; i++) {
		const struct list_groups_response *from = p->part[i].request.response;

		if (from)
			count += from->groups_count;
	}
	response.groups = arena_array(&call->arena, count + 1, sizeof(*response.groups));
	for (uint32_t i = 0; response.groups && i < p->count; i++) {
		const struct group_request *answer = &p->part[i].request;
		const struct list_groups_response *from = answer->response;

		/* Who is not the coordinator (any more) has nothing to add. */
		if (answer->error && answer->error != WIRE_NOT_COORDINATOR)
			response.error_code = answer->error;
		else if (from && from->error_code)
			response.error_code = from->error_code;
		if (from && from->groups_count)
			memcpy(&response.groups[response.groups_count], from->groups,
			       from->groups_count * sizeof(*from->groups));
		if (from)
			response.groups_count += from->groups_count;
	}
	parts_reply(call, response.groups ? &response : NULL);
}

void api_list_groups(struct call *call)
{
	struct shards shards = { .call = call };
	struct parts *p;
	uint32_t count = 0;

	groups_each(call->broker, count_shard, &count);
	shards.part = arena_array(&call->arena, count + 1, sizeof(struct partition *));
	p = parts_new(call, count);
	if (!p || !shards.part) {
		call_close(call);
		return;
	}
	groups_each(call->broker, collect_shard, &shards);
	for (uint32_t i = 0; i < count; i++)
		group_part_init(&p->part[i], call, GROUP_LIST, call->request);
	if (!count) {
		reply_listed(call);
		return;
	}
	call_begin_parts(call, (int)count, reply_listed);
	for (uint32_t i = 0; i < count; i++)
		groups_send_to(shards.part[i], &p->part[i].request);
}

/* ---- OffsetDelete ---- */

typedef struct offset_delete_request_request_topic asked_topic;
typedef struct offset_delete_response_response_topic told_topic;

struct deletion {
	struct group_part part;
	struct offset_delete_request asked;
	struct offset_delete_response told;
};

/* As in OffsetCommit: what there is not is answered here. */
static bool split(struct call *call, struct deletion *d, const asked_topic *from)
{
	const struct image *image = metadata_image(call->broker->metadata);
	const struct image_topic *topic = image_topic_by_name(image, from->name);
	asked_topic *ask = &d->asked.topics[d->asked.topics_count];
	told_topic *tell = &d->told.topics[d->told.topics_count++];

	if (topic && !from->partitions_count) {
		d->told.topics_count--;
		return true;
	}
	*tell = (told_topic){ .name = from->name };
	*ask = (asked_topic){ .name = from->name };
	tell->partitions =
		arena_array(&call->arena, from->partitions_count, sizeof(*tell->partitions));
	ask->partitions =
		arena_array(&call->arena, from->partitions_count, sizeof(*ask->partitions));
	if (!tell->partitions || !ask->partitions)
		return false;
	tell->partitions_count = from->partitions_count;
	for (uint32_t i = 0; i < from->partitions_count; i++) {
		int32_t index = from->partitions[i].partition_index;

		tell->partitions[i].partition_index = index;
		if (topic && image_topic_partition(topic, index))
			ask->partitions[ask->partitions_count++].partition_index = index;
		else
			tell->partitions[i].error_code = WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	}
	d->asked.topics_count += ask->partitions_count > 0;
	return true;
}

static void reply_offsets_deleted(struct call *call)
{
	struct deletion *d = call->user;
	const struct offset_delete_response *from = d->part.request.response;
	uint32_t at = 0;

	d->told.error_code = d->part.request.error ? d->part.request.error : from->error_code;
	if (d->told.error_code)
		d->told.topics_count = 0;
	for (uint32_t i = 0; i < d->told.topics_count && at < from->topics_count; i++) {
		told_topic *tell = &d->told.topics[i];
		uint32_t k = 0;

		for (uint32_t j = 0; j < tell->partitions_count; j++)
			if (!tell->partitions[j].error_code &&
			    k < from->topics[at].partitions_count)
				tell->partitions[j].error_code =
					from->topics[at].partitions[k++].error_code;
		at += k > 0;
	}
	group_parts_reply(call, &d->told, &d->part, 1, sizeof(d->part));
}

void api_offset_delete(struct call *call)
{
	const struct offset_delete_request *r = call->request;
	struct deletion *d = arena_zalloc(&call->arena, sizeof(*d));

	if (!d) {
		call_close(call);
		return;
	}
	call->user = d;
	d->asked.group_id = r->group_id;
	d->asked.topics = arena_array(&call->arena, r->topics_count + 1, sizeof(*d->asked.topics));
	d->told.topics = arena_array(&call->arena, r->topics_count + 1, sizeof(*d->told.topics));
	for (uint32_t i = 0; i < r->topics_count; i++) {
		if (!d->asked.topics || !d->told.topics || !split(call, d, &r->topics[i])) {
			call_close(call);
			return;
		}
	}
	group_part_init(&d->part, call, GROUP_OFFSET_DELETE, &d->asked);
	call_begin_parts(call, 1, reply_offsets_deleted);
	group_part_send(&d->part, r->group_id);
}
