/* SPDX-License-Identifier: Apache-2.0 */
/* ListOffsets, OffsetForLeaderEpoch and DescribeLogDirs of a whole broker. */
#include "fetch_fixture.h"

#include "wire/describe_log_dirs.h"
#include "wire/list_offsets.h"
#include "wire/offset_for_leader_epoch.h"

enum {
	LATEST = -1,
	EARLIEST = -2,
	MAX_TIMESTAMP = -3,
	EARLIEST_LOCAL = -4,
	LATEST_TIERED = -5,
	EARLIEST_PENDING_UPLOAD = -6,
	PARTITIONS = 200, /* more than are looked at in one go */
	OFFSETS_VERSION = 11,
};

static struct client client;

/* Records of one batch, at `time`, `time` + step, ... */
static void produce_at(int32_t partition, int64_t time, int64_t step, int count)
{
	const struct produce_response *r;
	struct batch_builder builder;
	struct buf batch = { 0 };
	struct produce_request_partition_produce_data data = { .index = partition };
	struct produce_request_topic_produce_data t = {
		.name = STR("t"),
		.partition_data = &data,
		.partition_data_count = 1,
	};
	struct produce_request request = {
		.acks = -1,
		.timeout_ms = PATIENCE_MS,
		.topic_data = &t,
		.topic_data_count = 1,
	};

	batch_begin(&builder, &batch, &BATCH_PLAIN);
	for (int i = 0; i < count; i++)
		batch_add(&builder, time + i * step, (struct span){ 0 },
		          (struct span){ (const uint8_t *)"v", 1 }, NULL, 0);
	assert_true(batch_end(&builder) > 0);
	data.records = (struct records){ .data = batch.data, .size = (uint32_t)batch.size };
	r = client_ask(&client, API_PRODUCE, 9, &request);
	assert_int_equal(r->responses[0].partition_responses[0].error_code, 0);
	buf_fini(&batch);
}

static void begin(int32_t partitions)
{
	uint64_t until;

	broker_begin(2);
	client_open(&client);
	create_topic(&client, "t", partitions, "retention.ms", "-1");
	until = now_ms() + PATIENCE_MS;
	for (int32_t i = 0; i < partitions; i++) {
		while (produce(&client, "t", i, 1, 1) != 0) {
			assert_true(now_ms() < until);
			sleep_ms(2);
		}
	}
}

static void end(void)
{
	client_close(&client);
	broker_end();
	broker_forget_files();
}

/* Of partition 0. */
static struct list_offsets_response_partition_response offset_at(int64_t timestamp, int16_t version)
{
	const struct list_offsets_response *r;
	struct list_offsets_request_partition partition = { 0, -1, timestamp };
	struct list_offsets_request_topic t = { STR("t"), &partition, 1 };
	struct list_offsets_request request = { .replica_id = -1, .topics = &t, .topics_count = 1 };

	r = client_ask(&client, API_LIST_OFFSETS, version, &request);
	assert_int_equal(r->topics_count, 1);
	assert_int_equal(r->topics[0].partitions_count, 1);
	return r->topics[0].partitions[0];
}

static void expect_at(int64_t timestamp, int64_t offset, int64_t time, int32_t epoch)
{
	struct list_offsets_response_partition_response p = offset_at(timestamp, OFFSETS_VERSION);

	assert_int_equal(p.error_code, WIRE_NONE);
	assert_int_equal(p.offset, offset);
	assert_int_equal(p.timestamp, time);
	assert_int_equal(p.leader_epoch, epoch);
}

static void each_time_has_its_first_record(void **state)
{
	(void)state;
	begin(1);
	/* Offset 0 at 1; then 100 110 120, 300 200 100, 50; times need not rise. */
	produce_at(0, 100, 10, 3);
	produce_at(0, 300, -100, 3);
	produce_at(0, 50, 0, 1);
	expect_at(0, 0, 1, 0);
	expect_at(1, 0, 1, 0);
	expect_at(2, 1, 100, 0);
	expect_at(100, 1, 100, 0);
	expect_at(101, 2, 110, 0);
	expect_at(120, 3, 120, 0);
	expect_at(121, 4, 300, 0);
	expect_at(300, 4, 300, 0);
	expect_at(301, -1, -1, -1);
	expect_at(MAX_TIMESTAMP, 4, 300, 0);
	expect_at(LATEST, 8, -1, 0);
	expect_at(EARLIEST, 0, -1, 0);
	expect_at(EARLIEST_LOCAL, 0, -1, 0);
	expect_at(LATEST_TIERED, -1, -1, -1);
	expect_at(EARLIEST_PENDING_UPLOAD, -1, -1, -1);
	end();
}

static void what_a_version_does_not_know_is_refused(void **state)
{
	static const struct {
		int64_t timestamp;
		int16_t first;
	} since[] = {
		{ MAX_TIMESTAMP, 7 },        { EARLIEST_LOCAL, 8 },
		{ LATEST_TIERED, 9 },        { EARLIEST_PENDING_UPLOAD, 11 },
		{ -7, OFFSETS_VERSION + 1 }, { INT64_MIN, OFFSETS_VERSION + 1 },
	};

	(void)state;
	begin(1);
	for (size_t i = 0; i < array_count(since); i++) {
		for (int16_t v = 1; v <= OFFSETS_VERSION; v++)
			assert_int_equal(offset_at(since[i].timestamp, v).error_code,
			                 v < since[i].first ? WIRE_UNSUPPORTED_VERSION : WIRE_NONE);
	}
	end();
}

/* Every way to an answer at once: on the spot, in strands, on workers, and errors. */
static void many_partitions_are_asked_at_once(void **state)
{
	static struct list_offsets_request_partition partition[PARTITIONS + 2];
	static const int64_t timestamps[] = { LATEST, EARLIEST, MAX_TIMESTAMP, 0 };
	struct list_offsets_request_topic t[] = {
		{ STR("t"), partition, PARTITIONS + 2 },
		{ STR("none"), partition, 1 },
		{ STR("t"), partition, 1 }, /* 0 is named twice */
		{ STR("t"), NULL, 0 },
	};
	struct list_offsets_request request = {
		.replica_id = -1,
		.topics = t,
		.topics_count = array_count(t),
	};
	const struct list_offsets_response *r;

	(void)state;
	begin(PARTITIONS);
	for (int32_t i = 0; i < PARTITIONS + 2; i++)
		partition[i] = (struct list_offsets_request_partition){ i, -1, timestamps[i % 4] };
	partition[7].current_leader_epoch = 1;
	r = client_ask(&client, API_LIST_OFFSETS, OFFSETS_VERSION, &request);
	assert_int_equal(r->topics_count, 2);
	assert_int_equal(r->topics[1].partitions_count, 1);
	assert_int_equal(r->topics[1].partitions[0].error_code, WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(r->topics[0].partitions_count, PARTITIONS + 2);
	for (int32_t i = 0; i < PARTITIONS + 2; i++) {
		const struct list_offsets_response_partition_response *p =
			&r->topics[0].partitions[i];
		int16_t error = i == 0            ? WIRE_INVALID_REQUEST
		                : i == 7          ? WIRE_UNKNOWN_LEADER_EPOCH
		                : i >= PARTITIONS ? WIRE_UNKNOWN_TOPIC_OR_PARTITION
		                                  : WIRE_NONE;

		assert_int_equal(p->partition_index, i);
		assert_int_equal(p->error_code, error);
		assert_int_equal(p->offset, error ? -1 : timestamps[i % 4] == LATEST ? 1 : 0);
	}
	end();
}

/* Each start begins an epoch: where one ends is where the next begins. */
static void an_epoch_ends_where_the_next_begins(void **state)
{
	struct offset_for_leader_epoch_request_offset_for_leader_partition partition[] = {
		{ 0, -1, 0 }, { 0, -1, 1 }, { 0, -1, 99 }, { 0, -1, -1 }, { 0, 0, 0 }, { 5, -1, 0 },
	};
	struct offset_for_leader_epoch_request_offset_for_leader_topic t = {
		STR("t"), partition, array_count(partition)
	};
	struct offset_for_leader_epoch_request request = {
		.replica_id = -1,
		.topics = &t,
		.topics_count = 1,
	};
	const struct offset_for_leader_epoch_response_epoch_end_offset *p;
	const struct offset_for_leader_epoch_response *r;
	int32_t epoch;

	(void)state;
	begin(1);
	produce_at(0, 1, 0, 4);
	client_close(&client);
	broker_end();
	broker_begin(1);
	client_open(&client);
	produce_at(0, 1, 0, 2);
	epoch = offset_at(LATEST, OFFSETS_VERSION).leader_epoch;
	assert_true(epoch > 0);
	assert_int_equal(offset_at(EARLIEST, OFFSETS_VERSION).leader_epoch, 0);
	partition[1].leader_epoch = epoch;
	r = client_ask(&client, API_OFFSET_FOR_LEADER_EPOCH, 4, &request);
	assert_int_equal(r->topics_count, 1);
	assert_int_equal(r->topics[0].partitions_count, array_count(partition));
	p = r->topics[0].partitions;
	assert_int_equal(p[0].leader_epoch, 0);
	assert_int_equal(p[0].end_offset, 5);
	assert_int_equal(p[1].leader_epoch, epoch);
	assert_int_equal(p[1].end_offset, 7);
	for (int i = 2; i < 4; i++) {
		assert_int_equal(p[i].error_code, WIRE_NONE);
		assert_int_equal(p[i].leader_epoch, -1);
		assert_int_equal(p[i].end_offset, -1);
	}
	assert_int_equal(p[4].error_code, WIRE_FENCED_LEADER_EPOCH);
	assert_int_equal(p[5].error_code, WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	end();
}

static void a_directory_says_how_large_its_logs_are(void **state)
{
	struct describe_log_dirs_request_describable_log_dir_topic t[2];
	int32_t some[] = { 3, 1, 3, 900 };
	struct describe_log_dirs_request request = { 0 };
	const struct describe_log_dirs_response *r;

	(void)state;
	begin(PARTITIONS);
	r = client_ask(&client, API_DESCRIBE_LOG_DIRS, 5, &request);
	assert_int_equal(r->results_count, 1);
	assert_int_equal(r->results[0].error_code, WIRE_NONE);
	assert_true(str_eq(r->results[0].log_dir, str_of(test_path)));
	assert_true(r->results[0].total_bytes >= r->results[0].usable_bytes);
	assert_true(r->results[0].usable_bytes > 0);
	assert_int_equal(r->results[0].topics_count, 1);
	assert_int_equal(r->results[0].topics[0].partitions_count, PARTITIONS);
	for (int32_t i = 0; i < PARTITIONS; i++) {
		assert_int_equal(r->results[0].topics[0].partitions[i].partition_index, i);
		assert_true(r->results[0].topics[0].partitions[i].partition_size > 0);
	}
	t[0] = (struct describe_log_dirs_request_describable_log_dir_topic){ STR("t"), some,
		                                                             array_count(some) };
	t[1] = (struct describe_log_dirs_request_describable_log_dir_topic){ STR("none"), some, 1 };
	request.topics = t;
	request.topics_count = 2;
	r = client_ask(&client, API_DESCRIBE_LOG_DIRS, 5, &request);
	assert_int_equal(r->results[0].topics_count, 1);
	assert_int_equal(r->results[0].topics[0].partitions_count, 2);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_time_has_its_first_record),
		cmocka_unit_test(what_a_version_does_not_know_is_refused),
		cmocka_unit_test(many_partitions_are_asked_at_once),
		cmocka_unit_test(an_epoch_ends_where_the_next_begins),
		cmocka_unit_test(a_directory_says_how_large_its_logs_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
