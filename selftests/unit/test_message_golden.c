/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "message_fill.h"
#include "wire/api_table.h"
#include "wire/api_versions.h"
#include "wire/batch.h"
#include "wire/create_topics.h"
#include "wire/fetch.h"
#include "wire/header.h"
#include "wire/init_producer_id.h"
#include "wire/list_offsets.h"
#include "wire/metadata.h"
#include "wire/produce.h"

/*
 * Bytes that Kafka itself wrote (selftests/golden/message/make.sh): both sides fill each message
 * with the same values, field by field, so these must be the same bytes and mean the same.
 */
enum { SEEDS = 6, PLENTY = 64 << 20 };

static struct buf golden(const char *name)
{
	struct buf b = { 0 };
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "selftests/golden/message/%s", name);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("%s: not found (run from the repository's root)", path);
	for (int c = fgetc(f); c != EOF; c = fgetc(f))
		*buf_extend(&b, 1) = (uint8_t)c;
	fclose(f);
	return b;
}

static const struct message *message_named(struct str name)
{
	for (size_t i = 0; i < wire_message_count; i++) {
		if (str_eq(str_of(wire_messages[i]->name), name))
			return wire_messages[i];
	}
	fail_msg("%.*s: not in our schema", STR_ARG(name));
	return NULL;
}

static void explain(const struct message *m, int16_t version, const void *want, const void *got)
{
	struct buf b = { 0 };

	message_json(m, version, want, &b);
	print_error("wanted %.*s\n", (int)b.size, (char *)b.data);
	b.size = 0;
	message_json(m, version, got, &b);
	print_error("got    %.*s\n", (int)b.size, (char *)b.data);
	buf_fini(&b);
}

static void same(const struct message *m, int16_t version, uint64_t seed, struct span theirs)
{
	struct reader r = reader_of(theirs.data, theirs.size);
	struct buf ours = { 0 };
	struct writer w = writer_of(&ours);
	struct arena arena;
	void *in, *out;

	arena_init(&arena, PLENTY);
	in = fill_message(m, version, seed, &arena);
	out = arena_alloc(&arena, m->size);
	if (message_decode(m, version, &r, &arena, out) || reader_left(&r))
		fail_msg("%s/%d seed %d: refused", m->name, version, (int)seed);
	if (!message_equal(m, in, out)) {
		explain(m, version, in, out);
		fail_msg("%s/%d seed %d: means something else", m->name, version, (int)seed);
	}
	message_encode(m, version, &w, in);
	/* The last seed's tags, which nobody knows, are not kept. */
	if (seed == SEEDS - 1 && version >= m->flexible)
		assert_true(ours.size < theirs.size);
	else if (ours.size != theirs.size ||
	         (ours.size && memcmp(ours.data, theirs.data, ours.size)))
		fail_msg("%s/%d seed %d: other bytes", m->name, version, (int)seed);
	buf_fini(&ours);
	arena_fini(&arena);
}

static void every_message_has_kafkas_bytes(void **state)
{
	struct buf file = golden("java.bin");
	struct reader r = reader_of(file.data, file.size);
	size_t count = 0, versions = 0;

	(void)state;
	for (; reader_left(&r); count++) {
		uint8_t size = reader_u8(&r);
		struct str name = { (const char *)reader_take(&r, size), size };
		const struct message *m = message_named(name);
		int16_t version = reader_u8(&r);

		assert_in_range(version, m->min, m->max);
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			uint16_t bytes = (uint16_t)reader_i16(&r);

			same(m, version, seed, (struct span){ reader_take(&r, bytes), bytes });
		}
	}
	assert_int_equal(r.err, 0);
	for (size_t i = 0; i < wire_message_count; i++)
		versions += (size_t)(wire_messages[i]->max - wire_messages[i]->min + 1);
	assert_int_equal(count, versions);
	buf_fini(&file);
}

/* ---- what clients and Kafka really said to each other: tap.py ---- */

struct exchange {
	const struct wire_api *api;
	const char *topic;
	struct arena *arena;
	int16_t version;
};

/* Header and body, decoded and encoded again: the same bytes. */
static void *again(struct exchange *x, const struct message *m, int16_t header_version,
                   struct span bytes)
{
	bool is_request = m == x->api->request;
	const struct message *header =
		is_request ? &request_header_message : &response_header_message;
	void *head = arena_alloc(x->arena, header->size);
	void *body = arena_alloc(x->arena, m->size);
	struct reader r = reader_of(bytes.data, bytes.size);
	struct buf b = { 0 };
	struct writer w = writer_of(&b);

	assert_int_equal(message_decode(header, header_version, &r, x->arena, head), 0);
	assert_int_equal(message_decode(m, x->version, &r, x->arena, body), 0);
	assert_int_equal(reader_left(&r), 0);
	message_encode(header, header_version, &w, head);
	message_encode(m, x->version, &w, body);
	assert_int_equal(b.size, bytes.size);
	assert_memory_equal(b.data, bytes.data, bytes.size);
	buf_fini(&b);
	if (is_request) {
		const struct request_header *h = head;

		assert_int_equal(h->request_api_key, x->api->key);
		assert_int_equal(h->request_api_version, x->version);
		assert_true(str_eq(h->client_id, STR("golden")));
	}
	return body;
}

static void is_the_record(struct records records)
{
	struct record_iter it;
	struct record rec;
	struct batch b;

	assert_int_equal(batch_parse((struct span){ records.data, records.size }, &b), 0);
	assert_true(batch_crc_ok(&b));
	it = record_iter(batch_records(&b), b.record_count);
	assert_int_equal(record_iter_next(&it, &rec), 1);
	assert_memory_equal(rec.key.data, "key", rec.key.size);
	assert_memory_equal(rec.value.data, "value", rec.value.size);
	assert_int_equal(rec.header_count, 1);
}

static void check_produce(const struct exchange *x, const void *request, const void *response)
{
	const struct produce_request *q = request;
	const struct produce_response *a = response;

	assert_int_equal(q->acks, -1);
	assert_null(q->transactional_id.data);
	assert_true(str_eq(q->topic_data[0].name, str_of(x->topic)));
	assert_int_equal(q->topic_data[0].partition_data[0].index, 1);
	is_the_record(q->topic_data[0].partition_data[0].records);
	assert_true(str_eq(a->responses[0].name, str_of(x->topic)));
	assert_int_equal(a->responses[0].partition_responses[0].index, 1);
	assert_int_equal(a->responses[0].partition_responses[0].base_offset, 0);
	assert_int_equal(a->responses[0].partition_responses[0].log_append_time_ms, -1);
}

static void check_fetch(const struct exchange *x, const void *request, const void *response)
{
	const struct fetch_request *q = request;
	const struct fetch_response *a = response;

	assert_int_equal(q->topics[0].partitions[0].partition, 1);
	assert_int_equal(q->topics[0].partitions[0].fetch_offset, 0);
	if (x->version < 13)
		assert_true(str_eq(a->responses[0].topic, str_of(x->topic)));
	else
		assert_true(uuid_eq(a->responses[0].topic_id, q->topics[0].topic_id));
	assert_int_equal(a->responses[0].partitions[0].partition_index, 1);
	assert_int_equal(a->responses[0].partitions[0].high_watermark, 1);
	is_the_record(a->responses[0].partitions[0].records);
}

static void check_create_topics(const struct exchange *x, const void *request, const void *response)
{
	const struct create_topics_request *q = request;
	const struct create_topics_response *a = response;

	assert_int_equal(q->topics_count, 1);
	assert_true(str_eq(q->topics[0].name, str_of(x->topic)));
	assert_int_equal(q->topics[0].num_partitions, 2);
	assert_true(str_eq(q->topics[0].configs[0].name, STR("retention.ms")));
	assert_true(str_eq(q->topics[0].configs[0].value, STR("-1")));
	assert_true(str_eq(a->topics[0].name, str_of(x->topic)));
	assert_int_equal(a->topics[0].error_code, 0);
	if (x->version >= 5)
		assert_int_equal(a->topics[0].replication_factor, 1);
}

static void check_metadata(const struct exchange *x, const void *request, const void *response)
{
	const struct metadata_request *q = request;
	const struct metadata_response *a = response;

	assert_true(str_eq(q->topics[0].name, str_of(x->topic)));
	assert_int_equal(a->brokers_count, 1);
	assert_int_equal(a->brokers[0].node_id, 1);
	assert_true(str_eq(a->brokers[0].host, STR("127.0.0.1")));
	assert_int_equal(a->topics_count, 1);
	assert_true(str_eq(a->topics[0].name, str_of(x->topic)));
	assert_int_equal(a->topics[0].partitions_count, 2);
	assert_int_equal(a->topics[0].partitions[0].leader_id, 1);
}

static void check_others(const struct exchange *x, const void *request, const void *response)
{
	const struct api_versions_request *names = request;
	const struct api_versions_response *versions = response;
	const struct init_producer_id_response *producer = response;
	const struct list_offsets_response *offsets = response;

	switch (x->api->key) {
	case API_API_VERSIONS:
		assert_true(names->client_software_name.size > 0);
		assert_int_equal(versions->api_keys[0].api_key, 0);
		assert_int_equal(versions->api_keys[0].max_version, 13);
		assert_true(versions->finalized_features_count > 0);
		break;
	case API_INIT_PRODUCER_ID:
		assert_int_equal(producer->error_code, 0);
		assert_in_range(producer->producer_id, 0, 1 << 20);
		break;
	case API_LIST_OFFSETS:
		assert_true(str_eq(offsets->topics[0].name, str_of(x->topic)));
		assert_in_range(offsets->topics[0].partitions[0].offset, 0, 1);
		break;
	default:
		assert_int_equal(x->api->key, API_FIND_COORDINATOR);
	}
}

static void check_exchange(struct exchange *x, struct span request, struct span response)
{
	const void *q =
		again(x, x->api->request, wire_request_header_version(x->api, x->version), request);
	const void *a = again(x, x->api->response, wire_response_header_version(x->api, x->version),
	                      response);

	switch (x->api->key) {
	case API_PRODUCE:
		check_produce(x, q, a);
		break;
	case API_FETCH:
		check_fetch(x, q, a);
		break;
	case API_CREATE_TOPICS:
		check_create_topics(x, q, a);
		break;
	case API_METADATA:
		check_metadata(x, q, a);
		break;
	default:
		check_others(x, q, a);
	}
}

static void take_exchanges(const char *client)
{
	char name[32];
	struct buf file;
	struct reader r;
	int count = 0;

	snprintf(name, sizeof(name), "%s.bin", client);
	file = golden(name);
	for (r = reader_of(file.data, file.size); reader_left(&r); count++) {
		int16_t key = reader_i16(&r);
		struct arena arena;
		struct exchange x = { wire_api_find(key), client, &arena, reader_i16(&r) };
		size_t request_size = (size_t)reader_i32(&r);
		const uint8_t *request = reader_take(&r, request_size);
		size_t response_size = (size_t)reader_i32(&r);
		const uint8_t *response = reader_take(&r, response_size);

		assert_int_equal(r.err, 0);
		arena_init(&arena, PLENTY);
		check_exchange(&x, (struct span){ request, request_size },
		               (struct span){ response, response_size });
		arena_fini(&arena);
	}
	assert_in_range(count, 7, 8);
	buf_fini(&file);
}

static void kafka_python_is_understood(void **state)
{
	(void)state;
	take_exchanges("python");
}

static void librdkafka_is_understood(void **state)
{
	(void)state;
	take_exchanges("rdkafka");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_has_kafkas_bytes),
		cmocka_unit_test(kafka_python_is_understood),
		cmocka_unit_test(librdkafka_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
