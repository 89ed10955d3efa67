/* SPDX-License-Identifier: Apache-2.0 */
/* What is on the device and what a start believes of it; what grows old. */
#include "log_fixture.h"

#define SEGMENT_0 "00000000000000000000"

enum { FLUSH_MS = 30 };

static void put_one(void)
{
	put(1, 10, 5000);
}

static void put_three(void)
{
	for (int i = 0; i < 3; i++)
		put(1, 10, 5000);
}

static void put_ten(void)
{
	for (int i = 0; i < 10; i++)
		put(1, 1000, 5000);
}

/* As whoever keeps logs does; nobody else runs. */
static void sync_all(void)
{
	const struct log_view *view;
	int64_t end;

	view = log_view_to_sync(test_log, &end);
	assert_int_equal(log_sync(test_log, view, end), 0);
	log_checkpointed(test_log, view);
	log_drain(test_log);
	log_view_put(view);
}

/* ---- flush.messages, sluice.ack, flush.ms ---- */

static void flush_messages_counts_what_is_not_synced(void **state)
{
	(void)state;
	test_options.config.flush_messages = 3;
	open_log(LOG_CLEAN);
	RUN(put_one);
	RUN(put_one);
	assert_int_equal(log_recovery_point(test_log), 0);
	RUN(put_one);
	assert_int_equal(log_recovery_point(test_log), 3);
	RUN(put_one);
	assert_int_equal(log_recovery_point(test_log), 3);
	RUN(sync_all); /* whoever synced it, it is synced */
	assert_int_equal(log_recovery_point(test_log), 4);
	RUN(put_one);
	RUN(put_one);
	assert_int_equal(log_recovery_point(test_log), 4);
	RUN(put_one);
	assert_int_equal(log_recovery_point(test_log), 7);
	assert_int_equal(outcome[0].error, WIRE_NONE);
	close_log(true);
}

static void every_ack_is_synced_when_asked(void **state)
{
	uint64_t syncs;

	(void)state;
	test_options.config.ack_synced = true;
	open_log(LOG_CLEAN);
	syncs = dir_counters(test_dir).sync_count;
	for (int i = 1; i < 4; i++) {
		RUN(put_one);
		assert_int_equal(log_recovery_point(test_log), i);
		assert_true(dir_counters(test_dir).sync_count > syncs);
		syncs = dir_counters(test_dir).sync_count;
	}
	/* One write and one sync for all that came together. */
	RUN(put_ten);
	assert_int_equal(log_recovery_point(test_log), 13);
	assert_int_equal(dir_counters(test_dir).sync_count, syncs + 1);
	close_log(true);
}

static void flush_ms_is_due_when_something_is_old(void **state)
{
	struct log_config config = plain_config;

	(void)state;
	open_log(LOG_CLEAN);
	RUN(put_one);
	usleep(2 * FLUSH_MS * 1000);
	assert_false(log_is_flush_due(test_log));
	config.flush_ms = FLUSH_MS;
	log_configure(test_log, &config);
	assert_true(log_is_flush_due(test_log));
	RUN(sync_all);
	assert_false(log_is_flush_due(test_log));
	usleep(2 * FLUSH_MS * 1000);
	assert_false(log_is_flush_due(test_log)); /* nothing is behind */
	RUN(put_one);
	assert_true(log_is_flush_due(test_log));
	close_log(true);
}

/* ---- cuts ---- */

static const struct log_view *old_view;
static int64_t old_end;

static void take_view(void)
{
	old_view = log_view_to_sync(test_log, &old_end);
}

static void end_old_sync(void)
{
	log_synced(test_log, old_view, old_end);
	log_checkpointed(test_log, old_view);
	log_view_put(old_view);
}

static void truncate_to_5(void)
{
	log_truncate(test_log, 5);
}

static void what_was_synced_before_a_cut_says_nothing(void **state)
{
	(void)state;
	open_log(LOG_CLEAN);
	RUN(put_ten);
	RUN(sync_all);
	assert_int_equal(log_recovery_point(test_log), 10);
	RUN(take_view, truncate_to_5, put_three);
	assert_int_equal(log_recovery_point(test_log), 5);
	RUN(end_old_sync);
	assert_int_equal(log_recovery_point(test_log), 5);
	assert_int_not_equal(size_of("recovery-point"), UINT64_MAX);
	RUN(sync_all);
	assert_int_equal(log_recovery_point(test_log), 8);
	assert_int_equal(size_of("recovery-point"), UINT64_MAX);
	close_log(true);
}

/* The checkpoint says 10, of what was cut off; the log goes on, and the machine dies. */
static void a_checkpoint_older_than_a_cut_is_not_believed(void **state)
{
	static const uint8_t bad[4];

	(void)state;
	test_options.config.segment_bytes = 2500;
	open_log(LOG_CLEAN);
	RUN(put_ten);
	RUN(truncate_to_5, put_ten);
	close_log(false);
	edit("00000000000000000006.log", 100, bad, sizeof(bad));
	test_options.recovery_point = 10;
	open_log(LOG_POWERLESS);
	assert_int_equal(log_end_offset(test_log), 6);
	assert_true(told.truncated_bytes > 0);
	assert_int_equal(log_recovery_point(test_log), 5);
	assert_true(log_is_limited(test_log));
	close_log(true);
	assert_int_not_equal(size_of("recovery-point"), UINT64_MAX);
	assert_int_equal(log_unlimit(test_dir, "t-0"), 0);
	assert_int_equal(size_of("recovery-point"), UINT64_MAX);
}

static void an_end_below_the_checkpoint_is_remembered(void **state)
{
	(void)state;
	open_log(LOG_CLEAN);
	RUN(put_three);
	close_log(false);
	test_options.recovery_point = 100;
	open_log(LOG_POWERLESS);
	assert_int_equal(log_recovery_point(test_log), 3);
	assert_int_not_equal(size_of("recovery-point"), UINT64_MAX);
	close_log(false);
	open_log(LOG_POWERLESS);
	assert_int_equal(log_recovery_point(test_log), 3);
	RUN(sync_all);
	close_log(true);
}

static void a_new_log_has_nothing_of_one_before(void **state)
{
	(void)state;
	assert_int_equal(log_create(test_dir, "t-0", UUID_METADATA_TOPIC, true), -EEXIST);
	assert_int_equal(dir_remove_all(test_dir, "t-0"), 0);
	assert_int_equal(log_create(test_dir, "t-0", UUID_METADATA_TOPIC, true), 0);
	open_log(LOG_CLEAN);
	RUN(put_three);
	close_log(false);
	/* What the checkpoints still say of the deleted one. */
	test_options.recovery_point = 900;
	test_options.start_offset = 800;
	open_log(LOG_KILLED);
	assert_int_equal(log_start_offset(test_log), 0);
	assert_int_equal(log_end_offset(test_log), 3);
	assert_int_equal(log_recovery_point(test_log), 0);
	close_log(true);
}

/* ---- epochs ---- */

static void lead_3_then_5(void)
{
	log_lead(test_log, 3);
	for (int i = 0; i < 4; i++) {
		struct test_append *t = new_append(LOG_INTERNAL);

		t->append.leader_epoch = 3;
		add_batch(t, BATCH_PLAIN, 1, 10, 5000);
		stage_append(t);
	}
}

static void lead_5(void)
{
	struct test_append *t = new_append(LOG_INTERNAL);

	log_lead(test_log, 5);
	t->append.leader_epoch = 5;
	add_batch(t, BATCH_PLAIN, 6, 10, 5000);
	stage_append(t);
}

/* The leader says that epoch 3 ended at 2 there: the follower keeps the smaller end. */
static void truncate_by_epoch(void)
{
	struct log_epoch_end leader = { 3, 2 };
	struct log_epoch_end ours = log_epoch_end(test_log, leader.epoch);

	assert_int_equal(ours.epoch, 3);
	assert_int_equal(ours.end_offset, 4);
	log_truncate(test_log,
	             leader.end_offset < ours.end_offset ? leader.end_offset : ours.end_offset);
}

static void replicate_epoch_7(void)
{
	struct test_append *t = new_append(LOG_FOLLOWER);

	for (int i = 0; i < 2; i++) {
		size_t at = t->data.size;

		add_batch(t, BATCH_PLAIN, 2, 10, 6000);
		batch_patch_offset(t->data.data + at, 2 + 2 * i, 7);
	}
	stage_append(t);
}

static void a_follower_truncates_by_epoch(void **state)
{
	struct log_epoch_end end;

	(void)state;
	open_log(LOG_CLEAN);
	RUN(lead_3_then_5, lead_5, truncate_by_epoch, replicate_epoch_7);
	assert_int_equal(outcome[outcome_count - 1].error, WIRE_NONE);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(read_all(0), "0-0 1-1 2-3 4-5 ");
		assert_int_equal(log_latest_epoch(test_log), 7);
		end = log_epoch_end(test_log, 5); /* nothing of it is left */
		assert_int_equal(end.epoch, 3);
		assert_int_equal(end.end_offset, 2);
		close_log(false);
		open_log(LOG_KILLED);
	}
	close_log(true);
}

/* ---- what grows old ---- */

enum { DAY_MS = 86400000 };

static int64_t now_ms;

static void retain_now(void)
{
	(void)log_retain(test_log, now_ms, log_end_offset(test_log));
}

static void put_each_day(void)
{
	for (int day = 0; day < 5; day++)
		for (int i = 0; i < 4; i++)
			put(1, 1000, INT64_C(1000) + day * (int64_t)DAY_MS);
}

static void retention_cuts_whole_segments_by_time(void **state)
{
	(void)state;
	test_options.config.segment_bytes = 5000;
	test_options.config.retention_ms = 2 * (int64_t)DAY_MS;
	open_log(LOG_CLEAN);
	RUN(put_each_day);
	now_ms = 1000 + 2 * (int64_t)DAY_MS;
	RUN(retain_now);
	assert_int_equal(log_start_offset(test_log), 0); /* to the millisecond */
	now_ms++;
	RUN(retain_now);
	assert_int_equal(log_start_offset(test_log), 4);
	now_ms = 1000 + 4 * (int64_t)DAY_MS;
	RUN(retain_now);
	assert_int_equal(log_start_offset(test_log), 8);
	assert_int_equal(size_of(SEGMENT_0 ".log"), UINT64_MAX);
	close_log(true);
	open_log(LOG_CLEAN);
	assert_int_equal(log_start_offset(test_log), 8);
	close_log(true);
}

static void retain_below_9(void)
{
	assert_true(log_retain(test_log, INT64_C(1) << 50, 9));
}

static void nothing_goes_above_the_high_watermark(void **state)
{
	(void)state;
	test_options.config.segment_bytes = 5000;
	test_options.config.retention_ms = 1;
	open_log(LOG_CLEAN);
	RUN(put_each_day);
	RUN(retain_below_9);
	assert_int_equal(log_start_offset(test_log), 8);
	close_log(true);
}

static void put_from_7(void)
{
	put_from(7, 0, 0, 2, 0);
	put_from(8, 0, 0, 1, BATCH_TRANSACTIONAL);
}

static void put_from_7_again(void)
{
	put_from(7, 0, 5, 1, 0); /* a gap for who is known, fine for who is not */
	put_from(8, 0, 5, 1, BATCH_TRANSACTIONAL);
}

static void producers_are_forgotten_when_they_are_old(void **state)
{
	(void)state;
	test_options.config.producer_expiration_ms = DAY_MS;
	open_log(LOG_CLEAN);
	RUN(put_from_7);
	now_ms = 5000 + DAY_MS;
	RUN(retain_now, put_from_7_again);
	assert_int_equal(outcome[0].error, WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(outcome[1].error, WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	now_ms += DAY_MS;
	RUN(retain_now, put_from_7_again);
	assert_int_equal(outcome[0].error, WIRE_NONE);
	/* Not while its transaction is open. */
	assert_int_equal(outcome[1].error, WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	close_log(true);
}

/* ---- wrong entries ---- */

/* Well formed and wrong: entries lead into the middle of a batch, or to a later one. */
static void a_wrong_entry_hides_nothing(void **state)
{
	static const enum log_recovery all[] = { LOG_CLEAN, LOG_KILLED };
	char want[32];
	uint8_t *right;
	size_t size;

	(void)state;
	test_options.config.segment_bytes = 12000;
	test_options.config.index_interval_bytes = 2000;
	open_log(LOG_CLEAN);
	RUN(put_ten);
	RUN(put_ten);
	close_log(true);
	right = content_of(SEGMENT_0 ".index", &size);
	assert_true(size >= 3 * 8);
	for (int shift = -1; shift < 2; shift++) {
		for (size_t r = 0; r < array_count(all); r++) {
			for (size_t at = 0; at < size; at += 8) {
				uint8_t entry[4];
				uint32_t position = load_be32(right + at + 4);

				store_be32(entry, position + (uint32_t)(shift ? shift * 7 : 1072));
				edit(SEGMENT_0 ".index", at + 4, entry, sizeof(entry));
			}
			open_log(all[r]);
			for (int offset = 0; offset < 11; offset++) {
				snprintf(want, sizeof(want), "%d-%d ", offset, offset);
				assert_memory_equal(read_all(offset), want, strlen(want));
			}
			close_log(true);
		}
	}
	mem_free(right);
}

/* An append that failed and could not be cut off again: what follows is not lost with it. */
static void a_torn_rest_before_a_segment_takes_nothing(void **state)
{
	static const uint8_t rest[100] = { 1, 2, 3 };

	(void)state;
	test_options.config.segment_bytes = 5000;
	open_log(LOG_CLEAN);
	RUN(put_ten);
	close_log(false);
	edit(SEGMENT_0 ".log", size_of(SEGMENT_0 ".log"), rest, sizeof(rest));
	open_log(LOG_POWERLESS);
	assert_int_equal(told.truncated_bytes, sizeof(rest));
	assert_int_equal(log_end_offset(test_log), 10);
	close_log(true);
}

/* The same, and the whole of it is there: another batch took its offset, in the next segment. */
static void a_batch_beyond_its_segment_is_none(void **state)
{
	uint8_t *next;
	struct batch b;
	size_t size;

	(void)state;
	test_options.config.segment_bytes = 5000;
	open_log(LOG_CLEAN);
	RUN(put_ten);
	close_log(false);
	next = content_of("00000000000000000004.log", &size);
	assert_int_equal(batch_parse((struct span){ next, size }, &b), 0);
	edit(SEGMENT_0 ".log", size_of(SEGMENT_0 ".log"), next, b.size);
	open_log(LOG_POWERLESS);
	assert_int_equal(told.truncated_bytes, b.size);
	assert_string_equal(read_all(2), "2-2 3-3 4-4 5-5 6-6 7-7 8-8 9-9 ");
	close_log(true);
	mem_free(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LAW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		LAW(flush_messages_counts_what_is_not_synced),
		LAW(every_ack_is_synced_when_asked),
		LAW(flush_ms_is_due_when_something_is_old),
		LAW(what_was_synced_before_a_cut_says_nothing),
		LAW(a_checkpoint_older_than_a_cut_is_not_believed),
		LAW(an_end_below_the_checkpoint_is_remembered),
		LAW(a_new_log_has_nothing_of_one_before),
		LAW(a_follower_truncates_by_epoch),
		LAW(retention_cuts_whole_segments_by_time),
		LAW(nothing_goes_above_the_high_watermark),
		LAW(producers_are_forgotten_when_they_are_old),
		LAW(a_wrong_entry_hides_nothing),
		LAW(a_torn_rest_before_a_segment_takes_nothing),
		LAW(a_batch_beyond_its_segment_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
