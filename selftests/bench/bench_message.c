/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the codec costs: the messages of the data path, decoded and encoded, in nanoseconds each.
 * `bench_message NAME` runs one of them only (under callgrind, say).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/mem.h"
#include "wire/fetch.h"
#include "wire/metadata.h"
#include "wire/produce.h"

enum { ROUNDS = 20000, PARTITIONS = 10, RECORDS_SIZE = 1024 };

static uint8_t bytes[RECORDS_SIZE];

static void *zeros(struct arena *arena, const struct message *m, uint32_t count)
{
	char *array = arena_zalloc(arena, count * m->size);

	check(array);
	for (uint32_t i = 0; i < count; i++)
		message_defaults(m, array + i * m->size);
	return array;
}

static const struct message *inner(const struct message *m, const char *field)
{
	for (uint32_t i = 0; i < m->field_count; i++) {
		if (!strcmp(m->field[i].name, field))
			return m->field[i].sub;
	}
	check(false); /* no such field */
	return NULL;
}

static void produce(struct arena *arena, void *out, uint32_t partitions)
{
	struct produce_request *q = out;
	const struct message *topic = inner(&produce_request_message, "topic_data");

	q->acks = -1;
	q->topic_data = zeros(arena, topic, 1);
	q->topic_data_count = 1;
	q->topic_data->name = STR("a-topic-with-a-name");
	q->topic_data->partition_data = zeros(arena, inner(topic, "partition_data"), partitions);
	q->topic_data->partition_data_count = partitions;
	for (uint32_t i = 0; i < partitions; i++)
		q->topic_data->partition_data[i].records =
			(struct records){ bytes, RECORDS_SIZE, NULL };
}

static void produce_one(struct arena *arena, void *out)
{
	produce(arena, out, 1);
}

static void produce_ten(struct arena *arena, void *out)
{
	produce(arena, out, PARTITIONS);
}

static void produce_answer(struct arena *arena, void *out)
{
	struct produce_response *a = out;
	const struct message *topic = inner(&produce_response_message, "responses");

	a->responses = zeros(arena, topic, 1);
	a->responses_count = 1;
	a->responses->name = STR("a-topic-with-a-name");
	a->responses->partition_responses =
		zeros(arena, inner(topic, "partition_responses"), PARTITIONS);
	a->responses->partition_responses_count = PARTITIONS;
}

static void fetch(struct arena *arena, void *out)
{
	struct fetch_request *q = out;
	const struct message *topic = inner(&fetch_request_message, "topics");

	q->topics = zeros(arena, topic, 1);
	q->topics_count = 1;
	q->topics->topic = STR("a-topic-with-a-name");
	q->topics->partitions = zeros(arena, inner(topic, "partitions"), PARTITIONS);
	q->topics->partitions_count = PARTITIONS;
	q->rack_id = STR("");
}

static void fetch_answer(struct arena *arena, void *out)
{
	struct fetch_response *a = out;
	const struct message *topic = inner(&fetch_response_message, "responses");

	a->responses = zeros(arena, topic, 1);
	a->responses_count = 1;
	a->responses->topic = STR("a-topic-with-a-name");
	a->responses->partitions = zeros(arena, inner(topic, "partitions"), PARTITIONS);
	a->responses->partitions_count = PARTITIONS;
	for (uint32_t i = 0; i < PARTITIONS; i++)
		a->responses->partitions[i].records = (struct records){ bytes, RECORDS_SIZE, NULL };
}

static void metadata_answer(struct arena *arena, void *out)
{
	static int32_t replicas[] = { 1, 2, 3 };
	struct metadata_response *a = out;
	const struct message *topic = inner(&metadata_response_message, "topics");

	a->brokers = zeros(arena, inner(&metadata_response_message, "brokers"), 3);
	a->brokers_count = 3;
	for (uint32_t i = 0; i < 3; i++)
		a->brokers[i].host = STR("broker-with-a-name.example.com");
	a->topics = zeros(arena, topic, 10);
	a->topics_count = 10;
	for (uint32_t i = 0; i < 10; i++) {
		struct metadata_response_response_topic *t = &a->topics[i];

		t->name = STR("a-topic-with-a-name");
		t->partitions = zeros(arena, inner(topic, "partitions"), PARTITIONS);
		t->partitions_count = PARTITIONS;
		for (uint32_t p = 0; p < PARTITIONS; p++) {
			t->partitions[p].replica_nodes = t->partitions[p].isr_nodes = replicas;
			t->partitions[p].replica_nodes_count = 3;
			t->partitions[p].isr_nodes_count = 3;
		}
	}
}

static const struct {
	const char *name;
	const struct message *message;
	int16_t version;
	void (*fill)(struct arena *arena, void *out);
} cases[] = {
	{ "produce-9-1", &produce_request_message, 9, produce_one },
	{ "produce-9-10", &produce_request_message, 9, produce_ten },
	{ "produce-9-answer", &produce_response_message, 9, produce_answer },
	{ "fetch-12", &fetch_request_message, 12, fetch },
	{ "fetch-12-answer", &fetch_response_message, 12, fetch_answer },
	{ "metadata-12-answer", &metadata_response_message, 12, metadata_answer },
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void run(size_t i)
{
	const struct message *m = cases[i].message;
	struct arena kept, arena;
	struct buf b = { 0 };
	struct writer w = writer_of(&b);
	double decode_ns, encode_ns, begin;
	void *in;

	arena_init(&kept, 1 << 24);
	arena_init(&arena, 1 << 24);
	in = zeros(&kept, m, 1);
	cases[i].fill(&kept, in);
	begin = now_ns();
	for (int n = 0; n < ROUNDS; n++) {
		b.size = 0;
		message_encode(m, cases[i].version, &w, in);
	}
	encode_ns = (now_ns() - begin) / ROUNDS;
	begin = now_ns();
	for (int n = 0; n < ROUNDS; n++) {
		struct reader r = reader_of(b.data, b.size);

		arena_reset(&arena);
		check(!message_decode(m, cases[i].version, &r, &arena,
		                      arena_alloc(&arena, m->size)));
	}
	decode_ns = (now_ns() - begin) / ROUNDS;
	printf("%-20s %6zu bytes   decode %7.0f ns   encode %7.0f ns\n", cases[i].name, b.size,
	       decode_ns, encode_ns);
	buf_fini(&b);
	arena_fini(&arena);
	arena_fini(&kept);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < array_count(cases); i++) {
		if (argc < 2 || !strcmp(argv[1], cases[i].name))
			run(i);
	}
	return 0;
}
