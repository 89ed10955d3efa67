/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

#include "wire/offset_commit.h"
#include "wire/offset_delete.h"
#include "wire/offset_fetch.h"

/* Kafka counts the characters of metadata as Java does: in UTF-16 units. */
static uint32_t utf16_units(struct str s)
{
	uint32_t units = 0;

	for (uint32_t i = 0; i < s.size; i++) {
		uint8_t c = (uint8_t)s.data[i];

		units += (c & 0xc0) != 0x80; /* the first byte of a character */
		units += c >= 0xf0;          /* which needs a pair */
	}
	return units;
}

/* ---- OffsetCommit ---- */

/* With and without a group (a consumer that assigns partitions to itself). */
static int16_t commit_check(struct group_step *st, struct group *g, struct group_member **ret)
{
	const struct offset_commit_request *request = st->event->request;
	int32_t generation = request->generation_id_or_member_epoch;
	struct group_foreign *foreign = group_foreign_find(st->s, request->group_id);
	int16_t error;

	if (foreign)
		return generation < 0 && !foreign->member_count ? WIRE_NONE
		                                                : WIRE_UNKNOWN_MEMBER_ID;
	if (!g) {
		if (generation < 0)
			return WIRE_NONE;
		return st->event->version >= 9 ? WIRE_GROUP_ID_NOT_FOUND : WIRE_ILLEGAL_GENERATION;
	}
	if (generation < 0 && g->state == GROUP_EMPTY)
		return WIRE_NONE;
	if (generation < 0 && !request->member_id.size && !request->group_instance_id.data)
		return WIRE_UNKNOWN_MEMBER_ID;
	error = group_member_check(g, request->member_id, request->group_instance_id, ret);
	if (error)
		return error;
	if (generation != g->generation)
		return WIRE_ILLEGAL_GENERATION;
	return g->state == GROUP_COMPLETING_REBALANCE ? WIRE_REBALANCE_IN_PROGRESS : WIRE_NONE;
}

/* How long the client wants it kept; only versions up to 4 can say. */
static int64_t expire_ms(const struct group_step *st)
{
	const struct offset_commit_request *request = st->event->request;
	int64_t at_ms;

	if (request->retention_time_ms == -1)
		return -1;
	if (__builtin_add_overflow(st->event->wall_ms, request->retention_time_ms, &at_ms))
		return request->retention_time_ms > 0 ? INT64_MAX : 0;
	return at_ms > 0 ? at_ms : 0;
}

/* What is kept of a record of version 1 is what it says: no leader epoch and no topic id. */
static struct group_offset_value
commit_value(const struct group_step *st, const struct offset_commit_request_request_topic *topic,
             const struct offset_commit_request_request_partition *partition)
{
	struct group_offset_value value = {
		.offset = partition->committed_offset,
		.commit_ms = st->event->wall_ms,
		.expire_ms = expire_ms(st),
		.leader_epoch = -1,
		.metadata = partition->committed_metadata,
	};

	if (value.expire_ms < 0) {
		value.leader_epoch = partition->committed_leader_epoch;
		value.topic_id = topic->topic_id;
	}
	return value;
}

static bool is_too_large(const struct group_step *st,
                         const struct offset_commit_request_request_partition *partition)
{
	return partition->committed_metadata.size > (uint32_t)st->s->options.offset_metadata_max &&
	       utf16_units(partition->committed_metadata) >
	               (uint32_t)st->s->options.offset_metadata_max;
}

/* Answers each partition with the error, or with what is wrong with its metadata. */
static void commit_answer(struct group_step *st, int16_t error)
{
	const struct offset_commit_request *request = st->event->request;
	struct offset_commit_response *r = step_answer_alloc(st, &offset_commit_response_message);

	r->topics = arena_array(st->arena, request->topics_count, sizeof(*r->topics));
	r->topics_count = request->topics_count;
	for (uint32_t i = 0; i < request->topics_count; i++) {
		const struct offset_commit_request_request_topic *topic = &request->topics[i];
		struct offset_commit_response_response_topic *to = &r->topics[i];

		to->name = arena_str(st->arena, topic->name);
		to->topic_id = topic->topic_id;
		to->partitions =
			arena_array(st->arena, topic->partitions_count, sizeof(*to->partitions));
		to->partitions_count = topic->partitions_count;
		for (uint32_t j = 0; j < topic->partitions_count; j++) {
			const struct offset_commit_request_request_partition *partition =
				&topic->partitions[j];

			to->partitions[j].partition_index = partition->partition_index;
			to->partitions[j].error_code = error;
			if (!error && is_too_large(st, partition))
				to->partitions[j].error_code = WIRE_OFFSET_METADATA_TOO_LARGE;
		}
	}
	step_answer(st, r);
}

/* Makes the records; false when they are more than one batch may hold. */
static bool commit_records(struct group_step *st)
{
	const struct offset_commit_request *request = st->event->request;

	for (uint32_t i = 0; i < request->topics_count; i++) {
		const struct offset_commit_request_request_topic *topic = &request->topics[i];

		for (uint32_t j = 0; j < topic->partitions_count; j++) {
			struct group_offset_value value =
				commit_value(st, topic, &topic->partitions[j]);
			struct group_record record;

			if (is_too_large(st, &topic->partitions[j]))
				continue;
			record = group_offset_record(st->arena, request->group_id, topic->name,
			                             topic->partitions[j].partition_index, &value);
			step_record(st, record);
		}
	}
	if (group_records_fit(st->s, st->out->record, st->out->record_count))
		return true;
	st->out->record_count = 0;
	return false;
}

static void commit_apply(struct group_step *st, struct group *g)
{
	const struct offset_commit_request *request = st->event->request;

	for (uint32_t i = 0; i < request->topics_count; i++) {
		const struct offset_commit_request_request_topic *topic = &request->topics[i];

		for (uint32_t j = 0; j < topic->partitions_count; j++) {
			struct group_offset_value value =
				commit_value(st, topic, &topic->partitions[j]);

			if (is_too_large(st, &topic->partitions[j]))
				continue;
			value.serial = ++st->s->serial;
			group_offset_set(group_offset_at(g, topic->name,
			                                 topic->partitions[j].partition_index),
			                 &value);
		}
	}
}

void group_on_offset_commit(struct group_step *st)
{
	const struct offset_commit_request *request = st->event->request;
	struct group *g = group_find(st->s, request->group_id);
	struct group_member *m = NULL;
	int16_t error = commit_check(st, g, &m);

	/* A commit shows that the member lives. */
	if (!error && m)
		group_session_begin(st, m, m->session_ms);
	if (!error && !commit_records(st))
		error = WIRE_UNKNOWN_SERVER_ERROR;
	if (!error && st->out->record_count)
		commit_apply(st, g ? g : group_new(st->s, request->group_id, st->event->wall_ms));
	commit_answer(st, error);
}

/* ---- OffsetFetch ---- */

static bool is_mismatched(struct uuid a, struct uuid b)
{
	return !uuid_is_zero(a) && !uuid_is_zero(b) && !uuid_eq(a, b);
}

static struct offset_fetch_response_response_partitions
fetch_one(struct group_step *st, const struct group_offset *o, int32_t partition, struct uuid id)
{
	struct offset_fetch_response_response_partitions r = {
		.partition_index = partition,
		.committed_offset = -1,
		.committed_leader_epoch = -1,
		.metadata = STR(""),
	};

	if (o && st->event->require_stable && !list_is_empty(&o->pending)) {
		r.error_code = WIRE_UNSTABLE_OFFSET_COMMIT;
	} else if (o && o->is_committed && !is_mismatched(o->value.topic_id, id)) {
		r.committed_offset = o->value.offset;
		r.committed_leader_epoch = o->value.leader_epoch;
		if (o->value.metadata.data)
			r.metadata = arena_str(st->arena, o->value.metadata);
	}
	return r;
}

static void fetch_all(struct group_step *st, const struct group *g,
                      struct offset_fetch_response_response_group *r)
{
	r->topics = arena_array(st->arena, g->topic_by_name.count, sizeof(*r->topics));
	list_each(pos, &g->topics)
	{
		const struct group_topic_offsets *t =
			list_entry(pos, struct group_topic_offsets, link);
		struct offset_fetch_response_response_topics *to = &r->topics[r->topics_count];
		uint32_t count = 0;

		list_each(at, &t->offsets) count++;
		to->partitions = arena_array(st->arena, count, sizeof(*to->partitions));
		list_each(at, &t->offsets)
		{
			const struct group_offset *o = list_entry(at, struct group_offset, link);

			if (o->is_committed)
				to->partitions[to->partitions_count++] =
					fetch_one(st, o, o->partition, UUID_ZERO);
		}
		to->name = arena_str(st->arena, (struct str){ t->name, t->name_size });
		r->topics_count += !!to->partitions_count;
	}
}

static void fetch_some(struct group_step *st, const struct group *g,
                       struct offset_fetch_response_response_group *r)
{
	const struct offset_fetch_request_request_group *request = st->event->request;

	r->topics = arena_array(st->arena, request->topics_count, sizeof(*r->topics));
	for (uint32_t i = 0; i < request->topics_count; i++) {
		const struct offset_fetch_request_request_topics *topic = &request->topics[i];
		const struct group_topic_offsets *t = g ? group_topic_find(g, topic->name) : NULL;
		struct offset_fetch_response_response_topics *to = &r->topics[r->topics_count++];

		to->name = arena_str(st->arena, topic->name);
		to->topic_id = topic->topic_id;
		to->partitions = arena_array(st->arena, topic->partition_indexes_count,
		                             sizeof(*to->partitions));
		for (uint32_t j = 0; j < topic->partition_indexes_count; j++) {
			int32_t partition = topic->partition_indexes[j];

			to->partitions[to->partitions_count++] =
				fetch_one(st, t ? group_offset_find(g, t, partition) : NULL,
			                  partition, topic->topic_id);
		}
	}
}

void group_on_offset_fetch(struct group_step *st)
{
	const struct offset_fetch_request_request_group *request = st->event->request;
	struct offset_fetch_response_response_group *r = arena_zalloc(st->arena, sizeof(*r));
	struct group *g = group_find(st->s, request->group_id);

	r->group_id = arena_str(st->arena, request->group_id);
	r->topics = WIRE_EMPTY;
	step_answer(st, r);
	if (group_foreign_find(st->s, request->group_id) &&
	    (request->member_id.data || request->member_epoch >= 0)) {
		r->error_code = WIRE_UNKNOWN_MEMBER_ID;
		return;
	}
	if (request->topics)
		fetch_some(st, g, r);
	else if (g)
		fetch_all(st, g, r);
}

/* ---- OffsetDelete ---- */

static int16_t delete_check(const struct group_step *st, const struct group *g)
{
	const struct offset_delete_request *request = st->event->request;
	struct group_foreign *foreign = group_foreign_find(st->s, request->group_id);

	if (!request->group_id.size)
		return WIRE_INVALID_GROUP_ID;
	/* What its members subscribe to is not known. */
	if (foreign)
		return foreign->member_count ? WIRE_NON_EMPTY_GROUP : WIRE_NONE;
	if (!g)
		return WIRE_GROUP_ID_NOT_FOUND;
	return g->state != GROUP_EMPTY && !group_uses_consumer_protocol(g) ? WIRE_NON_EMPTY_GROUP
	                                                                   : WIRE_NONE;
}

static void delete_topic(struct group_step *st, const struct group *g,
                         const struct offset_delete_request_request_topic *topic,
                         struct offset_delete_response_response_topic *r)
{
	bool is_subscribed = g && group_is_subscribed(g, topic->name);

	r->name = arena_str(st->arena, topic->name);
	r->partitions = arena_array(st->arena, topic->partitions_count, sizeof(*r->partitions));
	r->partitions_count = topic->partitions_count;
	for (uint32_t i = 0; i < topic->partitions_count; i++) {
		int32_t partition = topic->partitions[i].partition_index;
		struct group_offset *o =
			g ? group_offset_find(g, group_topic_find(g, topic->name), partition)
			  : NULL;

		r->partitions[i].partition_index = partition;
		if (is_subscribed)
			r->partitions[i].error_code = WIRE_GROUP_SUBSCRIBED_TO_TOPIC;
		else if (o)
			group_offset_lose(st, o);
	}
}

void group_on_offset_delete(struct group_step *st)
{
	const struct offset_delete_request *request = st->event->request;
	struct offset_delete_response *r = step_answer_alloc(st, &offset_delete_response_message);
	struct group *g = group_find(st->s, request->group_id);

	step_answer(st, r);
	r->error_code = delete_check(st, g);
	if (r->error_code)
		return;
	st->out->atomic = false;
	r->topics = arena_array(st->arena, request->topics_count, sizeof(*r->topics));
	r->topics_count = request->topics_count;
	for (uint32_t i = 0; i < request->topics_count; i++)
		delete_topic(st, g, &request->topics[i], &r->topics[i]);
}
