/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets by time (kafka.server.ReplicaManager.fetchOffset). */
#include "list_offsets.h"

#include "broker/api.h"
#include "partition_table.h"

enum { ASK_STEP = 64 /* partitions at a time */ };

struct asks {
	struct ask *ask;
	uint32_t count;
	uint32_t next;
	struct ask_topic *topic;
	uint32_t topic_count;
};

/* ---- the reply ---- */

static void asks_fini(struct asks *asks)
{
	for (uint32_t i = 0; i < asks->count; i++) {
		partition_put(asks->ask[i].part);
		log_view_put(asks->ask[i].view);
	}
}

static bool build(struct call *call, struct asks *asks, struct list_offsets_response *response)
{
	list_offsets_response_init(response);
	response->topics = arena_array(&call->arena, asks->topic_count, sizeof(*response->topics));
	if (asks->topic_count && !response->topics)
		return false;
	for (uint32_t i = 0; i < asks->topic_count; i++) {
		struct ask_topic *t = &asks->topic[i];

		t->partition = arena_array(&call->arena, t->count, sizeof(*t->partition));
		if (!t->partition)
			return false;
		response->topics[i] =
			(struct list_offsets_response_topic_response){ t->name, t->partition,
			                                               t->count };
	}
	response->topics_count = asks->topic_count;
	for (uint32_t i = 0; i < asks->count; i++) {
		const struct ask *ask = &asks->ask[i];

		*ask->topic->partition++ = (struct list_offsets_response_partition_response){
			ask->want->partition_index, ask->error, ask->timestamp, ask->offset,
			ask->leader_epoch
		};
	}
	return true;
}

static void reply(struct call *call)
{
	struct asks *asks = call->user;
	struct list_offsets_response response;
	bool built = build(call, asks, &response);

	asks_fini(asks);
	if (built)
		call_reply(call, &response);
	else
		call_close(call);
}

/* ---- all of them ---- */

static int count_of(const struct asks *asks, enum ask_state state)
{
	int count = 0;

	for (uint32_t i = 0; i < asks->count; i++)
		count += asks->ask[i].state == state;
	return count;
}

static void found(struct call *call)
{
	struct asks *asks = call->user;

	for (uint32_t i = 0; i < asks->count; i++) {
		if (asks->ask[i].state != ASK_ANSWERED)
			ask_take_back(&asks->ask[i]);
	}
	reply(call);
}

static void find_elsewhere(struct call *call, int count)
{
	struct asks *asks = call->user;

	call_begin_parts(call, count, found);
	for (uint32_t i = 0; i < asks->count; i++) {
		if (asks->ask[i].state != ASK_ANSWERED)
			ask_run(&asks->ask[i]);
	}
}

static void visit_on(struct call *call);

static void await_open(struct call *call, int count)
{
	struct asks *asks = call->user;

	asks->next = 0;
	call_begin_parts(call, count, visit_on);
	for (uint32_t i = 0; i < asks->count; i++) {
		if (asks->ask[i].state == ASK_OPENING)
			ask_run(&asks->ask[i]);
	}
}

static void visit_on(struct call *call)
{
	struct asks *asks = call->user;
	int elsewhere;

	for (int n = 0; asks->next < asks->count; asks->next++) {
		struct ask *ask = &asks->ask[asks->next];

		if (ask->state > ASK_OPENING)
			continue;
		if (n++ == ASK_STEP) {
			call_yield(call, visit_on);
			return;
		}
		ask_visit(ask);
	}
	elsewhere = count_of(asks, ASK_STRAND) + count_of(asks, ASK_WORKER);
	if (count_of(asks, ASK_OPENING))
		await_open(call, count_of(asks, ASK_OPENING));
	else if (elsewhere)
		find_elsewhere(call, elsewhere);
	else
		reply(call);
}

/* ---- what is asked ---- */

static struct ask_topic *topic_of(struct call *call, struct partition_table *table, struct str name)
{
	struct asks *asks = call->user;
	struct ask_topic *topic = &asks->topic[asks->topic_count];
	struct ask_topic *same =
		partition_table_add(table, &(struct partition_key){ .topic = name }, topic);

	if (same)
		return same;
	topic->name = name;
	asks->topic_count++;
	return topic;
}

/* Each partition once; whoever is named twice is refused. */
static void take(struct call *call, struct partition_table *table, struct ask_topic *topic,
                 const struct list_offsets_request_partition *want)
{
	struct asks *asks = call->user;
	struct ask *ask = &asks->ask[asks->count];
	struct ask *same = partition_table_add(
		table,
		&(struct partition_key){ .topic = topic->name, .partition = want->partition_index },
		ask);

	if (same) {
		ask_fail(same, WIRE_INVALID_REQUEST);
		return;
	}
	asks->count++;
	topic->count++;
	*ask = (struct ask){ .call = call, .want = want, .topic = topic };
	ask_answer(ask, -1, -1, -1);
	ask->state = ASK_NEW;
	if (ask_is_unsupported(want->timestamp, call->version))
		ask_fail(ask, WIRE_UNSUPPORTED_VERSION);
}

static bool take_all(struct call *call)
{
	const struct list_offsets_request *r = CALL_REQUEST(call, list_offsets_request);
	struct asks *asks = arena_zalloc(&call->arena, sizeof(*asks));
	struct partition_table partitions;
	struct partition_table topics;
	uint64_t count = 0;

	call->user = asks;
	for (uint32_t i = 0; i < r->topics_count; i++)
		count += r->topics[i].partitions_count;
	if (!asks || !partition_table_init(&partitions, &call->arena, count) ||
	    !partition_table_init(&topics, &call->arena, r->topics_count))
		return false;
	asks->ask = arena_array(&call->arena, count + 1, sizeof(*asks->ask));
	asks->topic = arena_array(&call->arena, r->topics_count + 1, sizeof(*asks->topic));
	if (!asks->ask || !asks->topic)
		return false;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		const struct list_offsets_request_topic *t = &r->topics[i];
		struct ask_topic *topic;

		if (!t->partitions_count)
			continue;
		topic = topic_of(call, &topics, t->name);
		for (uint32_t j = 0; j < t->partitions_count; j++)
			take(call, &partitions, topic, &t->partitions[j]);
	}
	return true;
}

void api_list_offsets(struct call *call)
{
	const struct list_offsets_request *r = call->request;
	struct asks *asks;

	if (!take_all(call)) {
		call_close(call);
		return;
	}
	asks = call->user;
	if (r->isolation_level < 0 || r->isolation_level > 1) {
		for (uint32_t i = 0; i < asks->count; i++)
			ask_fail(&asks->ask[i], WIRE_INVALID_REQUEST);
	}
	visit_on(call);
}
