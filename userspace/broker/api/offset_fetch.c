/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/offset_fetch.h"

#include "broker/api.h"
#include "broker/broker.h"
#include "broker/metadata.h"
#include "group.h"

typedef struct offset_fetch_request_request_group asked_group;
typedef struct offset_fetch_request_request_topics asked_topic;
typedef struct offset_fetch_response_response_group told_group;
typedef struct offset_fetch_response_response_topics told_topic;
typedef struct offset_fetch_response_response_partitions told_partition;

/* One group of the request, and what is said of it. */
struct fetch_group {
	struct group_part part;
	const asked_group *asked; /* as it came */
	asked_group resolved;     /* names in place of ids; of topics that there are */
	told_group unknown;       /* topics by ids that there are not */
};

struct fetch_groups {
	uint32_t count;
	struct fetch_group group[];
};

/* ---- before: ids become names (version 10) ---- */

static bool tell_unknown(struct call *call, told_topic *tell, const asked_topic *from)
{
	*tell = (told_topic){ .name = STR(""), .topic_id = from->topic_id };
	tell->partitions =
		arena_array(&call->arena, from->partition_indexes_count, sizeof(*tell->partitions));
	if (!tell->partitions)
		return false;
	tell->partitions_count = from->partition_indexes_count;
	for (uint32_t i = 0; i < from->partition_indexes_count; i++)
		tell->partitions[i] = (told_partition){
			.partition_index = from->partition_indexes[i],
			.committed_offset = -1,
			.committed_leader_epoch = -1,
			.metadata = STR(""),
			.error_code = WIRE_UNKNOWN_TOPIC_ID,
		};
	return true;
}

static bool resolve(struct call *call, struct fetch_group *g)
{
	const struct image *image = metadata_image(call->broker->metadata);
	const asked_group *from = g->asked;

	g->resolved = *from;
	if (call->version < 10 || !from->topics)
		return true;
	g->resolved.topics_count = 0;
	g->resolved.topics =
		arena_array(&call->arena, from->topics_count + 1, sizeof(*g->resolved.topics));
	g->unknown.topics =
		arena_array(&call->arena, from->topics_count + 1, sizeof(*g->unknown.topics));
	if (!g->resolved.topics || !g->unknown.topics)
		return false;
	for (uint32_t i = 0; i < from->topics_count; i++) {
		const struct image_topic *t = image_topic_by_id(image, from->topics[i].topic_id);
		asked_topic *to = &g->resolved.topics[g->resolved.topics_count];

		if (t) {
			*to = from->topics[i];
			to->name = arena_str(&call->arena, t->name);
			g->resolved.topics_count++;
		} else if (!tell_unknown(call, &g->unknown.topics[g->unknown.topics_count++],
		                         &from->topics[i])) {
			return false;
		}
	}
	return true;
}

/* ---- after ---- */

/* Of what the coordinator told of all topics, those that still are, with their ids. */
static bool with_ids(struct call *call, const told_group *from, told_group *to)
{
	const struct image *image = metadata_image(call->broker->metadata);

	to->topics = arena_array(&call->arena, from->topics_count + to->topics_count + 1,
	                         sizeof(*to->topics));
	if (!to->topics)
		return false;
	to->topics_count = 0;
	for (uint32_t i = 0; i < from->topics_count; i++) {
		const struct image_topic *t = image_topic_by_name(image, from->topics[i].name);

		if (!t)
			continue;
		to->topics[to->topics_count] = from->topics[i];
		to->topics[to->topics_count++].topic_id = t->id;
	}
	return true;
}

static bool tell_group(struct call *call, struct fetch_group *g, told_group *to)
{
	const told_group *from = g->part.request.response;
	told_topic *unknown = g->unknown.topics;
	uint32_t unknown_count = g->unknown.topics_count;

	*to = (told_group){ .group_id = g->asked->group_id };
	if (g->part.request.error || from->error_code) {
		to->error_code = g->part.request.error ? g->part.request.error : from->error_code;
		return true;
	}
	if (call->version < 10) {
		*to = *from;
		return true;
	}
	to->topics_count = unknown_count;
	if (!with_ids(call, from, to))
		return false;
	for (uint32_t i = 0; i < unknown_count; i++)
		to->topics[to->topics_count++] = unknown[i];
	return true;
}

/* Before version 8 there is one group, whose error stands with each partition in version 1. */
static bool tell_old(struct call *call, const told_group *from, const asked_group *asked,
                     struct offset_fetch_response *to)
{
	to->error_code = from->error_code;
	if (from->error_code && call->version >= 2)
		return true;
	to->topics_count = from->error_code ? asked->topics_count : from->topics_count;
	to->topics = arena_array(&call->arena, to->topics_count, sizeof(*to->topics));
	for (uint32_t i = 0; to->topics && i < to->topics_count; i++) {
		const told_topic *t = from->error_code ? NULL : &from->topics[i];
		uint32_t count = t ? t->partitions_count : asked->topics[i].partition_indexes_count;

		to->topics[i].name = t ? t->name : asked->topics[i].name;
		to->topics[i].partitions_count = count;
		to->topics[i].partitions =
			arena_array(&call->arena, count, sizeof(*to->topics[i].partitions));
		if (!to->topics[i].partitions)
			return false;
		for (uint32_t j = 0; j < count; j++)
			to->topics[i].partitions[j] =
				(struct offset_fetch_response_response_partition){
					t ? t->partitions[j].partition_index
					  : asked->topics[i].partition_indexes[j],
					t ? t->partitions[j].committed_offset : -1,
					t ? t->partitions[j].committed_leader_epoch : -1,
					t ? t->partitions[j].metadata : STR(""),
					t ? t->partitions[j].error_code : from->error_code,
				};
	}
	return to->topics;
}

static void reply(struct call *call)
{
	struct fetch_groups *all = call->user;
	struct offset_fetch_response response;
	told_group *told = arena_array(&call->arena, all->count + 1, sizeof(*told));
	bool ok = told;

	offset_fetch_response_init(&response);
	for (uint32_t i = 0; ok && i < all->count; i++)
		ok = tell_group(call, &all->group[i], &told[i]);
	if (ok && call->version < 8) {
		ok = tell_old(call, &told[0], all->group[0].asked, &response);
	} else {
		response.groups = told;
		response.groups_count = all->count;
	}
	group_parts_reply(call, ok ? &response : NULL, &all->group[0].part, all->count,
	                  sizeof(all->group[0]));
}

/* ---- the request ---- */

/* The one group of a request before version 8, in the form of the later ones. */
static const asked_group *old_group(struct call *call)
{
	const struct offset_fetch_request *r = call->request;
	asked_group *g = arena_zalloc(&call->arena, sizeof(*g));

	if (!g)
		return NULL;
	g->group_id = r->group_id;
	g->member_epoch = -1;
	if (!r->topics)
		return g; /* null: all of them */
	g->topics_count = r->topics_count;
	g->topics = arena_array(&call->arena, r->topics_count + 1, sizeof(*g->topics));
	if (!g->topics)
		return NULL;
	for (uint32_t i = 0; i < r->topics_count; i++)
		g->topics[i] = (asked_topic){
			.name = r->topics[i].name,
			.partition_indexes = r->topics[i].partition_indexes,
			.partition_indexes_count = r->topics[i].partition_indexes_count,
		};
	return g;
}

void api_offset_fetch(struct call *call)
{
	const struct offset_fetch_request *r = call->request;
	uint32_t count = call->version < 8 ? 1 : r->groups_count;
	const asked_group *asked = call->version < 8 ? old_group(call) : r->groups;
	struct fetch_groups *all =
		arena_zalloc(&call->arena, sizeof(*all) + count * sizeof(all->group[0]));

	call->user = all;
	for (uint32_t i = 0; all && i < count; i++) {
		struct fetch_group *g = &all->group[i];

		if (!asked)
			break;
		g->asked = &asked[i];
		if (!resolve(call, g))
			break;
		group_part_init(&g->part, call, GROUP_OFFSET_FETCH, &g->resolved);
		g->part.request.event.require_stable = r->require_stable;
		all->count++;
	}
	if (!all || all->count < count) {
		call_close(call);
		return;
	}
	if (!count) {
		reply(call);
		return;
	}
	call_begin_parts(call, (int)count, reply);
	for (uint32_t i = 0; i < count; i++)
		group_part_send(&all->group[i].part, all->group[i].asked->group_id);
}
