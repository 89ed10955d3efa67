/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_fixture.h"
#include "base/crc32c.h"
#include "store/compress.h"
#include "wire/batch.h"
#include "wire/list_offsets.h"
#include "wire/produce.h"

/*
 * What wirediff does not see: order, many partitions, connections that die.  What Apache Kafka
 * 4.3.1 answers to single requests is compared there, all of it.
 */
static struct compress_scratch scratch;
static struct str transactional_id; /* of the next requests */

/* One batch of a record; data of that size, all the same byte. */
static struct buf batch_of(size_t size, enum batch_compression codec, int64_t producer_id,
                           int32_t sequence)
{
	struct batch_options options = BATCH_PLAIN;
	struct batch_builder b;
	struct buf compressed = { 0 };
	struct buf out = { 0 };
	uint8_t *value = mem_zalloc(size + 1);

	options.producer_id = producer_id;
	options.producer_epoch = producer_id < 0 ? -1 : 0;
	options.base_sequence = sequence;
	batch_begin(&b, &out, &options);
	batch_add(&b, 1000, (struct span){ (const uint8_t *)"k", 1 }, (struct span){ value, size },
	          NULL, 0);
	if (codec == BATCH_NONE) {
		(void)batch_end(&b);
	} else {
		assert_int_equal(compress_encode(&scratch, codec, COMPRESS_LEVEL_DEFAULT,
		                                 batch_builder_records(&b), &compressed),
		                 0);
		(void)batch_end_compressed(&b, codec,
		                           (struct span){ compressed.data, compressed.size });
	}
	buf_fini(&compressed);
	mem_free(value);
	return out;
}

struct part {
	int32_t index;
	struct span records;
};

static void add_parts(struct buf *out, int32_t correlation, const char *name, int16_t acks,
                      const struct part *part, uint32_t count)
{
	struct produce_request_partition_produce_data *data = mem_array(count, sizeof(*data));
	struct produce_request_topic_produce_data topic = {
		.name = str_of(name),
		.partition_data = data,
		.partition_data_count = count,
	};
	struct produce_request r;

	for (uint32_t i = 0; i < count; i++) {
		data[i].index = part[i].index;
		data[i].records.data = part[i].records.data;
		data[i].records.size = (uint32_t)part[i].records.size;
	}
	produce_request_init(&r);
	r.transactional_id = transactional_id;
	r.acks = acks;
	r.timeout_ms = 10000;
	r.topic_data = &topic;
	r.topic_data_count = 1;
	add_frame(out, wire_api_find(API_PRODUCE), 9, correlation, &r);
	mem_free(data);
}

static void add_batch(struct buf *out, int32_t correlation, const char *name, int16_t acks,
                      int32_t index, struct buf batch)
{
	struct part part = { index, { batch.data, batch.size } };

	add_parts(out, correlation, name, acks, &part, 1);
}

static void flush(int fd, struct buf *out)
{
	send_bytes(fd, out->data, out->size);
	out->size = 0;
}

/* The only partition of the next answer. */
static int16_t next_error(int fd, int32_t correlation, int64_t base_offset)
{
	struct answer a = recv_answer(fd, API_PRODUCE, 9);
	const struct produce_response *r = a.body;
	int16_t error;

	assert_int_equal(a.correlation, correlation);
	assert_int_equal(r->responses_count, 1);
	assert_int_equal(r->responses[0].partition_responses_count, 1);
	error = r->responses[0].partition_responses[0].error_code;
	assert_int_equal(r->responses[0].partition_responses[0].base_offset, base_offset);
	answer_free(&a);
	return error;
}

static int64_t log_end(int fd, const char *name, int32_t index)
{
	struct list_offsets_request_partition partition = {
		.partition_index = index,
		.current_leader_epoch = -1,
		.timestamp = -1,
	};
	struct list_offsets_request_topic topic = {
		.name = str_of(name),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct list_offsets_request r;
	const struct list_offsets_response *response;
	struct answer a;
	int64_t end;

	list_offsets_request_init(&r);
	r.replica_id = -1;
	r.topics = &topic;
	r.topics_count = 1;
	a = ask(fd, API_LIST_OFFSETS, 7, &r);
	response = a.body;
	assert_int_equal(response->topics[0].partitions[0].error_code, WIRE_NONE);
	end = response->topics[0].partitions[0].offset;
	answer_free(&a);
	return end;
}

/* ---- laws ---- */

/* A heavy batch is validated by a worker; what follows it on the connection follows it still. */
static void what_was_sent_in_a_row_is_appended_in_a_row(void **state)
{
	enum { ROUNDS = 20, IN_A_ROW = 5 };
	struct buf out = { 0 };
	int32_t sequence = 0;
	int fd = client_open(port);

	(void)state;
	topic_make(fd, "order", 1, NULL, 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < IN_A_ROW; i++) {
			struct buf batch =
				batch_of(i == round % 3 ? 8 << 20 : 10,
			                 i == round % 3 ? BATCH_ZSTD : BATCH_NONE, 77, sequence++);

			add_batch(&out, i, "order", -1, 0, batch);
			buf_fini(&batch);
		}
		flush(fd, &out);
		for (int i = 0; i < IN_A_ROW; i++)
			assert_int_equal(next_error(fd, i, round * IN_A_ROW + i), WIRE_NONE);
	}
	assert_int_equal(log_end(fd, "order", 0), ROUNDS * IN_A_ROW);
	buf_fini(&out);
	close(fd);
}

/* More than a turn of them, twice in a row, and each answered once in the order of the request. */
static void many_partitions_take_several_turns(void **state)
{
	enum { PARTITIONS = 300, REQUESTS = 3 };
	struct part part[PARTITIONS];
	struct buf batch = batch_of(3000, BATCH_NONE, -1, -1);
	struct buf out = { 0 };
	int fd = client_open(port);

	(void)state;
	topic_make(fd, "many", PARTITIONS, NULL, 0);
	for (int i = 0; i < PARTITIONS; i++)
		part[i] = (struct part){ PARTITIONS - 1 - i, { batch.data, batch.size } };
	for (int i = 0; i < REQUESTS; i++)
		add_parts(&out, i, "many", 1, part, PARTITIONS);
	flush(fd, &out);
	for (int i = 0; i < REQUESTS; i++) {
		struct answer a = recv_answer(fd, API_PRODUCE, 9);
		const struct produce_response *r = a.body;

		assert_int_equal(a.correlation, i);
		assert_int_equal(r->responses[0].partition_responses_count, PARTITIONS);
		for (int k = 0; k < PARTITIONS; k++) {
			const struct produce_response_partition_produce_response *p =
				&r->responses[0].partition_responses[k];

			assert_int_equal(p->error_code, WIRE_NONE);
			assert_int_equal(p->index, PARTITIONS - 1 - k);
			assert_int_equal(p->base_offset, i);
		}
		answer_free(&a);
	}
	buf_fini(&batch);
	buf_fini(&out);
	close(fd);
}

/* Kafka keeps the last of them, and one that is refused refuses the partition. */
static void a_partition_named_twice_is_one(void **state)
{
	enum { COUNT = 40 };
	struct buf one = batch_of(1, BATCH_NONE, -1, -1);
	struct buf two = batch_of(20, BATCH_NONE, -1, -1);
	struct part part[COUNT];
	struct buf out = { 0 };
	struct answer a;
	const struct produce_response *r;
	int fd = client_open(port);

	(void)state;
	topic_make(fd, "twice", 2, NULL, 0);
	for (int i = 0; i < COUNT; i++)
		part[i] = (struct part){
			i % 2, { i < 2 ? one.data : two.data, i < 2 ? one.size : two.size }
		};
	part[7].records.size = 5;
	add_parts(&out, 1, "twice", -1, part, COUNT);
	flush(fd, &out);
	a = recv_answer(fd, API_PRODUCE, 9);
	r = a.body;
	assert_int_equal(r->responses_count, 1);
	assert_int_equal(r->responses[0].partition_responses_count, 2);
	assert_int_equal(r->responses[0].partition_responses[0].error_code, WIRE_NONE);
	assert_int_equal(r->responses[0].partition_responses[0].base_offset, 0);
	assert_int_equal(r->responses[0].partition_responses[1].error_code, WIRE_INVALID_RECORD);
	answer_free(&a);
	assert_int_equal(log_end(fd, "twice", 0), 1);
	assert_int_equal(log_end(fd, "twice", 1), 0);
	buf_fini(&one);
	buf_fini(&two);
	buf_fini(&out);
	close(fd);
}

static void acks_0_is_silent_and_an_error_closes(void **state)
{
	struct buf batch = batch_of(10, BATCH_NONE, -1, -1);
	struct buf out = { 0 };
	int fd = client_open(port);

	(void)state;
	topic_make(fd, "silent", 1, NULL, 0);
	for (int i = 0; i < 100; i++)
		add_batch(&out, i, "silent", 0, 0, batch);
	add_batch(&out, 100, "silent", 1, 0, batch);
	flush(fd, &out);
	assert_int_equal(next_error(fd, 100, 100), WIRE_NONE);
	add_batch(&out, 101, "silent", 0, 0, batch);
	add_batch(&out, 102, "silent", 0, 5, batch);
	flush(fd, &out);
	assert_true(is_closed(fd));
	close(fd);
	fd = client_open(port);
	assert_int_equal(log_end(fd, "silent", 0), 102);
	buf_fini(&batch);
	buf_fini(&out);
	close(fd);
}

/* Nobody learns of it; it is appended all the same, the queue behind it too. */
static void a_lost_connection_loses_no_append(void **state)
{
	enum { ROUNDS = 30 };
	struct buf heavy = batch_of(8 << 20, BATCH_ZSTD, -1, -1);
	struct buf light = batch_of(10, BATCH_NONE, -1, -1);
	struct buf out = { 0 };
	int fd = client_open(port);

	(void)state;
	topic_make(fd, "lost", 1, NULL, 0);
	for (int i = 0; i < ROUNDS; i++) {
		int dying = client_open(port);

		add_batch(&out, 1, "lost", -1, 0, heavy);
		add_batch(&out, 2, "lost", -1, 0, light);
		flush(dying, &out);
		assert_int_equal(next_error(dying, 1, 3 * i), WIRE_NONE);
		assert_int_equal(next_error(dying, 2, 3 * i + 1), WIRE_NONE);
		add_batch(&out, 3, "lost", -1, 0, heavy);
		flush(dying, &out);
		close(dying);
		assert_soon(log_end(fd, "lost", 0) == 3 * i + 3);
	}
	buf_fini(&heavy);
	buf_fini(&light);
	buf_fini(&out);
	close(fd);
}

static void nothing_is_ever_unknown_server_error(void **state)
{
	static const uint8_t garbage[100] = { 1, 2, 3 };
	struct buf transactional = batch_of(10, BATCH_NONE, 5, 0);
	struct buf unknown = batch_of(10, BATCH_NONE, -1, -1);
	int fd = client_open(port);
	struct buf out = { 0 };
	const struct {
		struct span records;
		int16_t acks;
		int16_t error;
	} cases[] = {
		{ { NULL, 0 }, 1, WIRE_INVALID_RECORD },
		{ { garbage, 0 }, 1, WIRE_INVALID_RECORD },
		{ { garbage, sizeof(garbage) }, 1, WIRE_CORRUPT_MESSAGE },
		{ { unknown.data, unknown.size }, 3, WIRE_INVALID_REQUIRED_ACKS },
		{ { transactional.data, transactional.size },
		  1,
		  WIRE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED },
	};

	(void)state;
	topic_make(fd, "never", 1, NULL, 0);
	transactional.data[22] |= BATCH_TRANSACTIONAL;
	for (size_t i = 0; i < array_count(cases); i++) {
		struct part part = { 0, cases[i].records };

		add_parts(&out, 1, "never", cases[i].acks, &part, 1);
		flush(fd, &out);
		assert_int_equal(next_error(fd, 1, -1), cases[i].error);
	}
	assert_int_equal(log_end(fd, "never", 0), 0);
	buf_fini(&transactional);
	buf_fini(&unknown);
	buf_fini(&out);
	close(fd);
}

/*
 * There are no transactions yet, so nothing is verified: whose batch it is, is to be tried again;
 * nobody's is refused; two producers' are refused together.
 */
static void transactional_batches_are_never_appended(void **state)
{
	struct buf mine = batch_of(10, BATCH_NONE, 5, 0);
	struct buf other = batch_of(10, BATCH_NONE, 6, 0);
	struct buf nobodys = batch_of(10, BATCH_NONE, -1, -1);
	struct buf plain = batch_of(10, BATCH_NONE, -1, -1);
	struct buf *const transactional[] = { &mine, &other, &nobodys };
	struct part part[3] = { 0 };
	const struct produce_response *r;
	struct buf out = { 0 };
	struct answer a;
	int fd = client_open(port);

	(void)state;
	topic_make(fd, "transactions", 3, NULL, 0);
	for (size_t i = 0; i < array_count(transactional); i++) {
		struct buf *b = transactional[i];

		b->data[22] |= BATCH_TRANSACTIONAL;
		store_be32(b->data + 17,
		           crc32c(b->data + BATCH_CRC_START, b->size - BATCH_CRC_START));
	}
	transactional_id = STR("t");
	part[0] = (struct part){ 0, { mine.data, mine.size } };
	part[1] = (struct part){ 1, { nobodys.data, nobodys.size } };
	part[2] = (struct part){ 2, { plain.data, plain.size } };
	add_parts(&out, 1, "transactions", -1, part, 3);
	part[1].records = (struct span){ other.data, other.size };
	add_parts(&out, 2, "transactions", -1, part, 3);
	flush(fd, &out);
	a = recv_answer(fd, API_PRODUCE, 9);
	r = a.body;
	assert_int_equal(r->responses[0].partition_responses[0].error_code,
	                 WIRE_NOT_ENOUGH_REPLICAS);
	assert_int_equal(r->responses[0].partition_responses[1].error_code, WIRE_INVALID_RECORD);
	assert_int_equal(r->responses[0].partition_responses[2].error_code, WIRE_NONE);
	answer_free(&a);
	a = recv_answer(fd, API_PRODUCE, 9);
	r = a.body;
	for (int i = 0; i < 3; i++)
		assert_int_equal(r->responses[0].partition_responses[i].error_code,
		                 WIRE_INVALID_PRODUCER_ID_MAPPING);
	answer_free(&a);
	for (int32_t i = 0; i < 3; i++)
		assert_int_equal(log_end(fd, "transactions", i), i == 2);
	transactional_id = (struct str){ 0 };
	buf_fini(&mine);
	buf_fini(&other);
	buf_fini(&nobodys);
	buf_fini(&plain);
	buf_fini(&out);
	close(fd);
}

static int up(void **state)
{
	(void)state;
	broker_up(3, "");
	return 0;
}

static int down(void **state)
{
	(void)state;
	broker_down();
	broker_forget();
	compress_scratch_fini(&scratch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sent_in_a_row_is_appended_in_a_row),
		cmocka_unit_test(many_partitions_take_several_turns),
		cmocka_unit_test(a_partition_named_twice_is_one),
		cmocka_unit_test(acks_0_is_silent_and_an_error_closes),
		cmocka_unit_test(a_lost_connection_loses_no_append),
		cmocka_unit_test(nothing_is_ever_unknown_server_error),
		cmocka_unit_test(transactional_batches_are_never_appended),
	};

	return cmocka_run_group_tests(tests, up, down);
}
