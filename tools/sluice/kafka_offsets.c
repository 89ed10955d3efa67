/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka.h"
#include "wire/list_offsets.h"

struct place *kafka_places(struct kafka *k, const struct metadata_response_response_topic *t)
{
	struct place *place = arena_array(&k->arena, t->partitions_count + 1, sizeof(*place));

	for (uint32_t i = 0; i < t->partitions_count; i++)
		place[i] = (struct place){ .topic = t->name,
			                   .partition = t->partitions[i].partition_index,
			                   .leader = t->partitions[i].leader_id,
			                   .offset = -1 };
	return place;
}

/* The places of one leader as a request; consecutive ones of a topic share its name. */
static struct list_offsets_request *ask_for(struct kafka *k, const struct place *place,
                                            size_t count, int32_t leader, int64_t time)
{
	struct list_offsets_request *r = arena_zalloc(&k->arena, sizeof(*r));
	struct list_offsets_request_partition *p = arena_array(&k->arena, count, sizeof(*p));
	struct list_offsets_request_topic *t = NULL;

	r->replica_id = -1;
	r->timeout_ms = CLI_TIMEOUT_MS;
	r->topics = arena_array(&k->arena, count, sizeof(*r->topics));
	for (size_t i = 0; i < count; i++) {
		if (place[i].leader != leader)
			continue;
		if (!t || !str_eq(t->name, place[i].topic)) {
			t = &r->topics[r->topics_count++];
			t->name = place[i].topic;
			t->partitions = p;
		}
		*p++ = (struct list_offsets_request_partition){ place[i].partition, -1, time };
		t->partitions_count++;
	}
	return r;
}

/* Answers come in the order of the questions, mostly: the search goes on where it found last. */
static void put(struct place *place, size_t count, size_t *at, struct str topic,
                const struct list_offsets_response_partition_response *p)
{
	for (size_t n = 0; n < count; n++, *at = (*at + 1) % count) {
		struct place *here = &place[*at];

		if (here->partition != p->partition_index || !str_eq(here->topic, topic))
			continue;
		here->error = p->error_code;
		here->offset = p->error_code ? -1 : p->offset;
		return;
	}
}

static void ask_leader(struct kafka *k, struct place *place, size_t count, int32_t leader,
                       int64_t time)
{
	const struct list_offsets_response *answer =
		kafka_ask(k, leader, API_LIST_OFFSETS, ask_for(k, place, count, leader, time));
	size_t at = 0;

	for (uint32_t i = 0; i < answer->topics_count; i++) {
		const struct list_offsets_response_topic_response *t = &answer->topics[i];

		for (uint32_t j = 0; j < t->partitions_count; j++)
			put(place, count, &at, t->name, &t->partitions[j]);
	}
}

void kafka_offsets(struct kafka *k, struct place *place, size_t count, int64_t time)
{
	for (size_t i = 0; i < count; i++) {
		place[i].error = WIRE_LEADER_NOT_AVAILABLE;
		place[i].offset = -1;
	}
	for (size_t i = 0; i < count; i++) {
		bool asked = place[i].leader < 0;

		for (size_t j = 0; j < i && !asked; j++)
			asked = place[j].leader == place[i].leader;
		if (!asked)
			ask_leader(k, place, count, place[i].leader, time);
	}
}
