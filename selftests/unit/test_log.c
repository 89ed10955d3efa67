/* SPDX-License-Identifier: Apache-2.0 */
#include "log_fixture.h"

#define SEGMENT_0 "00000000000000000000"

/* ---- appending ---- */

static void put_three(void)
{
	put(1, 10, 5000);
	put(3, 10, 6000);
	put(2, 10, 5500);
}

static void offsets_follow_each_other(void **state)
{
	(void)state;
	open_log(LOG_CLEAN);
	RUN(put_three);
	assert_int_equal(outcome_count, 3);
	assert_int_equal(outcome[0].error, WIRE_NONE);
	assert_int_equal(outcome[0].base_offset, 0);
	assert_int_equal(outcome[1].base_offset, 1);
	assert_int_equal(outcome[1].last_offset, 3);
	assert_int_equal(outcome[2].base_offset, 4);
	assert_int_equal(log_end_offset(test_log), 6);
	assert_int_equal(published_end, 6);
	assert_string_equal(read_all(0), "0-0 1-3 4-5 ");
	assert_string_equal(read_all(2), "1-3 4-5 ");
	close_log(true);
}

static void reopens_where_it_ended(void **state)
{
	(void)state;
	open_log(LOG_CLEAN);
	RUN(put_three);
	close_log(true);
	open_log(LOG_CLEAN);
	assert_int_equal(told.truncated_bytes, 0);
	assert_int_equal(told.indexes_rebuilt, 0);
	assert_int_equal(log_end_offset(test_log), 6);
	assert_int_equal(log_recovery_point(test_log), 6);
	assert_string_equal(read_all(0), "0-0 1-3 4-5 ");
	RUN(put_three);
	assert_string_equal(read_all(4), "4-5 6-6 7-9 10-11 ");
	close_log(true);
}

static void an_empty_log_leaves_no_segment(void **state)
{
	(void)state;
	open_log(LOG_CLEAN);
	assert_int_equal(log_end_offset(test_log), 0);
	close_log(true);
	assert_int_equal(size_of(SEGMENT_0 ".log"), UINT64_MAX);
	assert_int_equal(size_of(SEGMENT_0 ".snapshot"), UINT64_MAX);
	assert_int_equal(size_of("leader-epoch-checkpoint"), 4);
}

static void put_garbage(void)
{
	struct test_append *t = new_append(LOG_CLIENT);

	add_batch(t, BATCH_PLAIN, 1, 10, 0);
	t->data.size--;
	stage_append(t);
	t = new_append(LOG_CLIENT);
	add_batch(t, BATCH_PLAIN, 1, 10, 0);
	add_batch(t, BATCH_PLAIN, 1, 10, 0);
	stage_append(t);
	put(1, 10, 0);
}

static void refuses_what_is_no_batch(void **state)
{
	(void)state;
	open_log(LOG_CLEAN);
	RUN(put_garbage);
	assert_int_equal(outcome[0].error, WIRE_CORRUPT_MESSAGE);
	assert_int_equal(outcome[0].base_offset, -1);
	assert_int_equal(outcome[1].error, WIRE_CORRUPT_MESSAGE);
	assert_int_equal(outcome[2].error, WIRE_NONE);
	assert_int_equal(outcome[2].base_offset, 0);
	close_log(true);
}

static void put_with_time(void)
{
	struct test_append *t = new_append(LOG_CLIENT);

	t->append.append_time_ms = 77777;
	add_batch(t, BATCH_PLAIN, 2, 10, 5000);
	stage_append(t);
}

static void append_time_is_patched_with_its_checksum(void **state)
{
	struct batch b;
	size_t size;
	uint8_t *data;

	(void)state;
	open_log(LOG_CLEAN);
	RUN(put_with_time);
	assert_int_equal(outcome[0].timestamp, 77777);
	close_log(true);
	data = content_of(SEGMENT_0 ".log", &size);
	assert_int_equal(batch_parse((struct span){ data, size }, &b), 0);
	assert_true(batch_crc_ok(&b));
	assert_int_equal(b.max_timestamp, 77777);
	mem_free(data);
}

static void put_slowly(void)
{
	struct test_append *t = new_append(LOG_CLIENT);

	t->append.sync = true;
	add_batch(t, BATCH_PLAIN, 2, 10, 5000);
	stage_append(t);
	put(1, 10, 5000);
}

static void a_parked_append_goes_on(void **state)
{
	(void)state;
	open_log(LOG_CLEAN);
	RUN(put_slowly, put_three, put_slowly);
	assert_int_equal(outcome_count, 7);
	for (int i = 0; i < 7; i++)
		assert_int_equal(outcome[i].error, WIRE_NONE);
	assert_int_equal(log_end_offset(test_log), 12);
	close_log(true);
}

/* ---- rolling ---- */

static void put_large(void)
{
	for (int i = 0; i < 10; i++)
		put(1, 300, 5000 + i);
}

static void rolls_by_size(void **state)
{
	(void)state;
	test_options.config.segment_bytes = 1000;
	open_log(LOG_CLEAN);
	RUN(put_large);
	assert_string_equal(read_all(0), "0-0 1-1 2-2 3-3 4-4 5-5 6-6 7-7 8-8 9-9 ");
	close_log(true);
	assert_true(size_of("00000000000000000002.log") < 1000);
	assert_int_equal(size_of("00000000000000000002.snapshot"), 10);
	assert_int_equal(size_of("00000000000000000002.timeindex"), 12);
	assert_int_equal(size_of("00000000000000000002.index"), 0);
	assert_int_equal(size_of("00000000000000000010.snapshot"), 10);
	open_log(LOG_CLEAN);
	assert_int_equal(told.indexes_rebuilt, 0);
	assert_string_equal(read_all(3), "3-3 4-4 5-5 6-6 7-7 8-8 9-9 ");
	close_log(true);
}

static void put_at_times(void)
{
	put(1, 10, 1000);
	put(1, 10, 1500);
	put(1, 10, 2001); /* a second after the first */
	put(1, 10, 1800); /* older than the segment's first: stays */
}

static void rolls_by_the_first_batch_s_time(void **state)
{
	(void)state;
	test_options.config.segment_ms = 1000;
	open_log(LOG_CLEAN);
	RUN(put_at_times);
	close_log(true);
	assert_true(size_of("00000000000000000002.log") > 100);
	assert_int_equal(size_of("00000000000000000003.log"), UINT64_MAX);
}

static void put_many(void)
{
	for (int i = 0; i < 60; i++)
		put(1, 1000, 5000 + i);
}

static void rolls_when_the_index_is_full(void **state)
{
	(void)state;
	test_options.config.index_bytes = 40; /* 5 offsets, 3 times */
	open_log(LOG_CLEAN);
	RUN(put_many);
	close_log(true);
	/* An entry each 4 batches (1000 bytes and more each); the third fills the time index but
	 * one. */
	assert_int_equal(size_of(SEGMENT_0 ".index"), 16);
	open_log(LOG_CLEAN);
	assert_int_equal(log_end_offset(test_log), 60);
	close_log(true);
}

static void gathering_changes_no_file(void **state)
{
	static const char *const suffix[] = { ".log", ".index", ".timeindex" };
	size_t size[3], size2;
	void *one[3], *two;

	(void)state;
	open_log(LOG_CLEAN);
	RUN(put_many, put_many);
	close_log(true);
	for (int i = 0; i < 3; i++) {
		char name[64];

		snprintf(name, sizeof(name), SEGMENT_0 "%s", suffix[i]);
		one[i] = content_of(name, &size[i]);
		unlink_file(name);
	}
	unlink_file("00000000000000000120.snapshot");
	test_options.config.ack_synced = true; /* every append waits, so they gather differently */
	open_log(LOG_CLEAN);
	RUN(put_many, put_many);
	close_log(true);
	for (int i = 0; i < 3; i++) {
		char name[64];

		snprintf(name, sizeof(name), SEGMENT_0 "%s", suffix[i]);
		two = content_of(name, &size2);
		assert_int_equal(size[i], size2);
		assert_memory_equal(one[i], two, size2);
		mem_free(one[i]);
		mem_free(two);
	}
}

/* ---- reading ---- */

static void finds_every_offset(void **state)
{
	(void)state;
	test_options.config.segment_bytes = 20000;
	open_log(LOG_CLEAN);
	RUN(put_many, put_many, put_many);
	for (int pass = 0; pass < 2; pass++) {
		struct log_mark end = log_end_mark(test_log);
		struct log_slice slice;

		for (int64_t offset = 0; offset < 180; offset++) {
			uint8_t header[8];

			assert_int_equal(log_locate(test_log, log_view(test_log), offset, 5000,
			                            true, end, true, &slice),
			                 0);
			assert_int_equal(file_read(slice.file, header, 8, slice.position), 8);
			assert_int_equal(load_be64(header), offset);
			file_put(slice.file);
		}
		assert_int_equal(log_locate(test_log, log_view(test_log), 180, 5000, true, end,
		                            true, &slice),
		                 0);
		assert_null(slice.file);
		assert_int_equal(log_locate(test_log, log_view(test_log), 181, 5000, true, end,
		                            true, &slice),
		                 -ERANGE);
		close_log(true);
		open_log(LOG_CLEAN);
	}
	close_log(true);
}

static void delete_40(void)
{
	assert_int_equal(log_delete_records(test_log, 40), WIRE_NONE);
}

static void a_time_finds_its_first_record(void **state)
{
	struct log_time at;

	(void)state;
	test_options.config.segment_bytes = 20000;
	open_log(LOG_CLEAN);
	RUN(put_many, put_three);
	assert_int_equal(log_find_time(test_log, log_view(test_log), 5030, 66, &at), 0);
	assert_int_equal(at.offset, 30);
	assert_int_equal(at.timestamp, 5030);
	assert_int_equal(log_find_time(test_log, log_view(test_log), 6002, 66, &at), 0);
	assert_int_equal(at.offset, 63);
	assert_int_equal(log_find_time(test_log, log_view(test_log), 6002, 63, &at), 0);
	assert_int_equal(at.offset, -1);
	assert_int_equal(log_find_time(test_log, log_view(test_log), 6003, 66, &at), 0);
	assert_int_equal(at.offset, -1);
	assert_int_equal(log_find_max_time(test_log, log_view(test_log), &at), 0);
	assert_int_equal(at.offset, 63);
	RUN(delete_40);
	assert_int_equal(log_find_time(test_log, log_view(test_log), 5030, 66, &at), 0);
	assert_int_equal(at.offset, 40);
	close_log(true);
}

/* ---- followers ---- */

static void replicate(void)
{
	struct test_append *t = new_append(LOG_FOLLOWER);
	struct batch_options options = BATCH_PLAIN;

	options.base_offset = 100;
	options.leader_epoch = 4;
	add_batch(t, options, 2, 10, 5000);
	options.base_offset = 110; /* a gap, as compaction leaves it */
	options.leader_epoch = 6;
	add_batch(t, options, 5, 10, 5000);
	stage_append(t);
	t = new_append(LOG_FOLLOWER);
	options.base_offset = 112;
	add_batch(t, options, 1, 10, 5000);
	stage_append(t);
}

static void a_follower_keeps_offsets_and_epochs(void **state)
{
	struct log_epoch_end end;

	(void)state;
	open_log(LOG_CLEAN);
	RUN(replicate);
	assert_int_equal(outcome[0].error, WIRE_NONE);
	assert_int_equal(outcome[1].error, WIRE_CORRUPT_MESSAGE);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(read_all(100), "100-101 110-114 ");
		assert_int_equal(log_latest_epoch(test_log), 6);
		end = log_epoch_end(test_log, 5);
		assert_int_equal(end.epoch, 4);
		assert_int_equal(end.end_offset, 110);
		assert_int_equal(log_epoch_of(test_log, 109), 4);
		close_log(true);
		open_log(LOG_CLEAN);
	}
	close_log(true);
}

static void truncate_to_70(void)
{
	log_truncate(test_log, 70);
}

static void a_truncated_log_goes_on_in_a_new_segment(void **state)
{
	(void)state;
	test_options.config.segment_bytes = 20000;
	open_log(LOG_CLEAN);
	RUN(put_many, put_many, truncate_to_70, put_three);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(log_end_offset(test_log), 76);
		assert_string_equal(read_all(68), "68-68 69-69 70-70 71-73 74-75 ");
		assert_true(size_of("00000000000000000070.log") < 1000);
		close_log(true);
		open_log(LOG_CLEAN);
		assert_int_equal(told.truncated_bytes, 0);
		assert_int_equal(told.indexes_rebuilt, 0);
	}
	close_log(true);
}

static void restart_at_500(void)
{
	log_restart_at(test_log, 500);
}

static void a_restarted_log_knows_where_it_is(void **state)
{
	(void)state;
	open_log(LOG_CLEAN);
	RUN(put_many, restart_at_500);
	close_log(true);
	open_log(LOG_CLEAN);
	assert_int_equal(log_start_offset(test_log), 500);
	assert_int_equal(log_end_offset(test_log), 500);
	RUN(put_three);
	assert_string_equal(read_all(500), "500-500 501-503 504-505 ");
	close_log(true);
}

/* ---- retention ---- */

static bool retained;

static void retain_by_size(void)
{
	retained = log_retain(test_log, 1000000, log_end_offset(test_log));
}

static void retention_cuts_whole_segments_by_size(void **state)
{
	(void)state;
	test_options.config.segment_bytes = 10000;
	test_options.config.retention_bytes = 25000;
	open_log(LOG_CLEAN);
	RUN(put_many, retain_by_size);
	assert_true(retained);
	assert_int_equal(log_start_offset(test_log), 36);
	assert_true(log_size(test_log) < 25000 + 10000);
	assert_int_equal(size_of(SEGMENT_0 ".log"), UINT64_MAX);
	assert_true(size_of(SEGMENT_0 ".log.deleted") < 10000);
	RUN(retain_by_size);
	assert_false(retained);
	close_log(true);
	assert_int_equal(size_of(SEGMENT_0 ".log.deleted"), UINT64_MAX);
	open_log(LOG_CLEAN);
	assert_int_equal(log_start_offset(test_log), 36);
	close_log(true);
}

static void everything_may_go_but_not_the_end(void **state)
{
	(void)state;
	test_options.config.retention_ms = 100;
	open_log(LOG_CLEAN);
	RUN(put_three, retain_by_size);
	assert_true(retained);
	assert_int_equal(log_start_offset(test_log), 6);
	assert_int_equal(size_of("00000000000000000006.log"), 0);
	close_log(true);
	open_log(LOG_CLEAN);
	assert_int_equal(log_start_offset(test_log), 6);
	assert_int_equal(log_end_offset(test_log), 6);
	close_log(true);
}

static void what_is_compacted_is_never_cut(void **state)
{
	(void)state;
	test_options.config.retention_ms = 100;
	test_options.config.cleanup_delete = false;
	test_options.config.cleanup_compact = true;
	open_log(LOG_CLEAN);
	RUN(put_three, retain_by_size);
	assert_false(retained);
	assert_int_equal(log_start_offset(test_log), 0);
	close_log(true);
}

static void delete_20(void)
{
	assert_int_equal(log_delete_records(test_log, 61), WIRE_OFFSET_OUT_OF_RANGE);
	assert_int_equal(log_delete_records(test_log, 20), WIRE_NONE);
}

static void deleted_records_are_gone(void **state)
{
	struct log_slice slice;

	(void)state;
	test_options.config.segment_bytes = 10000;
	open_log(LOG_CLEAN);
	RUN(put_many, delete_20);
	assert_int_equal(log_start_offset(test_log), 20);
	assert_int_equal(log_locate(test_log, log_view(test_log), 19, 100, true,
	                            log_end_mark(test_log), true, &slice),
	                 -ERANGE);
	RUN(retain_by_size);
	assert_int_equal(log_start_offset(test_log), 20);
	assert_int_equal(size_of(SEGMENT_0 ".log"), UINT64_MAX);
	close_log(true);
	test_options.start_offset = 20;
	open_log(LOG_CLEAN);
	assert_int_equal(log_start_offset(test_log), 20);
	close_log(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LAW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		LAW(offsets_follow_each_other),
		LAW(reopens_where_it_ended),
		LAW(an_empty_log_leaves_no_segment),
		LAW(refuses_what_is_no_batch),
		LAW(append_time_is_patched_with_its_checksum),
		LAW(a_parked_append_goes_on),
		LAW(rolls_by_size),
		LAW(rolls_by_the_first_batch_s_time),
		LAW(rolls_when_the_index_is_full),
		LAW(gathering_changes_no_file),
		LAW(finds_every_offset),
		LAW(a_time_finds_its_first_record),
		LAW(a_follower_keeps_offsets_and_epochs),
		LAW(a_truncated_log_goes_on_in_a_new_segment),
		LAW(a_restarted_log_knows_where_it_is),
		LAW(retention_cuts_whole_segments_by_size),
		LAW(everything_may_go_but_not_the_end),
		LAW(what_is_compacted_is_never_cut),
		LAW(deleted_records_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
