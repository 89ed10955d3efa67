/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/offset_commit.h"

#include "broker/api.h"
#include "broker/broker.h"
#include "broker/metadata.h"
#include "group.h"

typedef struct offset_commit_request_request_topic asked_topic;
typedef struct offset_commit_request_request_partition asked_partition;
typedef struct offset_commit_response_response_topic told_topic;
typedef struct offset_commit_response_response_partition told_partition;

/*
 * What the coordinator is asked: the partitions that there are.  The others are answered here, and
 * both make one answer, in the order of the request.
 */
struct commit {
	struct group_request request;
	struct call *call;
	struct offset_commit_request asked;
	struct offset_commit_response told;
};

static int16_t topic_error(const struct image_topic *topic, bool by_id)
{
	if (topic)
		return WIRE_NONE;
	return by_id ? WIRE_UNKNOWN_TOPIC_ID : WIRE_UNKNOWN_TOPIC_OR_PARTITION;
}

/* Splits a topic of the request; false: the arena's limit. */
static bool split(struct commit *c, const struct image *image, const asked_topic *from, bool by_id)
{
	struct arena *arena = &c->call->arena;
	const struct image_topic *topic = by_id ? image_topic_by_id(image, from->topic_id)
	                                        : image_topic_by_name(image, from->name);
	asked_topic *ask = &c->asked.topics[c->asked.topics_count];
	told_topic *tell = &c->told.topics[c->told.topics_count++];
	int16_t error = topic_error(topic, by_id);

	/* Of a topic that there is, with nothing to commit, Kafka's answer says nothing. */
	if (topic && !from->partitions_count) {
		c->told.topics_count--;
		return true;
	}
	*tell = (told_topic){ .name = from->name, .topic_id = from->topic_id };
	tell->partitions = arena_array(arena, from->partitions_count, sizeof(*tell->partitions));
	*ask = (asked_topic){ .name = topic ? topic->name : from->name,
		              .topic_id = topic ? topic->id : UUID_ZERO };
	ask->partitions = arena_array(arena, from->partitions_count, sizeof(*ask->partitions));
	if (!tell->partitions || !ask->partitions)
		return false;
	tell->partitions_count = from->partitions_count;
	for (uint32_t i = 0; i < from->partitions_count; i++) {
		const asked_partition *p = &from->partitions[i];

		tell->partitions[i] = (told_partition){ p->partition_index, error };
		if (error)
			continue;
		if (image_topic_partition(topic, p->partition_index))
			ask->partitions[ask->partitions_count++] = *p;
		else
			tell->partitions[i].error_code = WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	}
	c->asked.topics_count += ask->partitions_count > 0;
	return true;
}

static void tell_all(struct commit *c, int16_t error)
{
	for (uint32_t i = 0; i < c->told.topics_count; i++)
		for (uint32_t j = 0; j < c->told.topics[i].partitions_count; j++)
			c->told.topics[i].partitions[j].error_code = error;
	call_reply(c->call, &c->told);
}

/* What was asked comes back in its order: it fills what has no error yet. */
static void merge(struct commit *c, const struct offset_commit_response *answer)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < c->told.topics_count && at < answer->topics_count; i++) {
		told_topic *tell = &c->told.topics[i];
		const told_topic *from = &answer->topics[at];
		uint32_t k = 0;

		for (uint32_t j = 0; j < tell->partitions_count; j++)
			if (!tell->partitions[j].error_code && k < from->partitions_count)
				tell->partitions[j].error_code = from->partitions[k++].error_code;
		at += k > 0;
	}
}

static void on_answer(struct group_request *request)
{
	struct commit *c = container_of(request, struct commit, request);

	if (request->error) {
		tell_all(c, request->error);
		return;
	}
	merge(c, request->response);
	call_reply(c->call, &c->told);
}

void api_offset_commit(struct call *call)
{
	const struct offset_commit_request *r = call->request;
	const struct image *image = metadata_image(call->broker->metadata);
	struct commit *c = arena_zalloc(&call->arena, sizeof(*c));
	int16_t error;

	if (!c) {
		call_close(call);
		return;
	}
	c->call = call;
	c->asked = *r;
	c->asked.topics_count = 0;
	offset_commit_response_init(&c->told);
	c->asked.topics = arena_array(&call->arena, r->topics_count, sizeof(*c->asked.topics));
	c->told.topics = arena_array(&call->arena, r->topics_count, sizeof(*c->told.topics));
	for (uint32_t i = 0; i < r->topics_count; i++) {
		if (!c->asked.topics || !c->told.topics ||
		    !split(c, image, &r->topics[i], call->version >= 10)) {
			call_close(call);
			return;
		}
	}
	if (!c->asked.topics_count) {
		call_reply(call, &c->told);
		return;
	}
	c->request.done = on_answer;
	c->request.event = (struct group_event){
		.type = GROUP_OFFSET_COMMIT,
		.version = call->version,
		.request = &c->asked,
		.client_id = call->client_id.data ? call->client_id : STR(""),
		.client_host = group_client_host(call),
	};
	error = groups_send(call->broker, r->group_id, &c->request);
	if (error)
		tell_all(c, error);
}
