/* SPDX-License-Identifier: Apache-2.0 */
#include "log_fixture.h"

#define SEGMENT_0 "00000000000000000000"

static void put_many(void)
{
	for (int i = 0; i < 60; i++)
		put(1, 1000, 5000 + i);
}

static void put_few(void)
{
	for (int i = 0; i < 5; i++)
		put(2, 100, 5000 + i);
}

static void make(enum log_recovery recovery, bool clean)
{
	open_log(recovery);
	RUN(put_many, put_few);
	close_log(clean);
}

static void expect_whole(int64_t end)
{
	char text[2048];
	size_t used = 0;

	for (int64_t i = end < 60 ? end : 60, k = 0; k < i; k++)
		if (k >= 50)
			used += (size_t)snprintf(text + used, sizeof(text) - used,
			                         "%" PRId64 "-%" PRId64 " ", k, k);
	for (int64_t k = 60; k < end; k += 2)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		                         "%" PRId64 "-%" PRId64 " ", k, k + 1);
	assert_int_equal(log_end_offset(test_log), end);
	assert_string_equal(read_all(50), text);
}

static const enum log_recovery unclean[] = { LOG_KILLED, LOG_POWERLESS };

static void an_unclean_end_loses_nothing_written(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		open_log(LOG_CLEAN);
		if (!i)
			RUN(put_many, put_few);
		close_log(false);
		for (int again = 0; again < 2; again++) {
			open_log(unclean[i]);
			assert_int_equal(told.truncated_bytes, 0);
			expect_whole(70);
			close_log(false);
		}
	}
}

/* Every torn end: the log is what came before, and the same at the next start. */
static void any_torn_end_is_cut(void **state)
{
	uint64_t size;

	(void)state;
	make(LOG_CLEAN, false);
	size = size_of(SEGMENT_0 ".log");
	for (uint64_t cut = 1; cut < 300; cut += 37) {
		for (int i = 0; i < 2; i++) {
			int64_t end = 70 - 2 * (int64_t)((cut + 280) / 281);

			cut_to(SEGMENT_0 ".log", size - cut);
			open_log(unclean[i]);
			(void)end;
			assert_true(log_end_offset(test_log) < 70);
			assert_true(log_end_offset(test_log) >= 64);
			expect_whole(log_end_offset(test_log));
			assert_true(told.truncated_bytes > 0);
			close_log(false);
			open_log(unclean[i]);
			assert_int_equal(told.truncated_bytes, 0);
			RUN(put_few);
			close_log(true);
			open_log(LOG_CLEAN);
			cut_to(SEGMENT_0 ".log", size_of(SEGMENT_0 ".log"));
			close_log(false);
			/* Back to 70 for the next cut. */
			unlink_file(SEGMENT_0 ".log");
			make(LOG_KILLED, false);
		}
	}
}

static void zeros_behind_the_end_are_no_data(void **state)
{
	static const uint8_t zeros[10000];

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint64_t size;

		if (!i)
			make(LOG_CLEAN, false);
		size = size_of(SEGMENT_0 ".log");
		edit(SEGMENT_0 ".log", size, zeros, sizeof(zeros));
		open_log(unclean[i]);
		assert_int_equal(told.truncated_bytes, sizeof(zeros));
		expect_whole(70);
		close_log(false);
		assert_int_equal(size_of(SEGMENT_0 ".log"), size);
	}
}

static void a_wrong_checksum_at_the_end_is_cut(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		uint64_t size;

		if (i)
			unlink_file(SEGMENT_0 ".log");
		make(LOG_KILLED, false);
		size = size_of(SEGMENT_0 ".log");
		edit(SEGMENT_0 ".log", size - 5, "xxxxx", 5);
		open_log(unclean[i]);
		assert_true(told.truncated_bytes > 0);
		expect_whole(68);
		close_log(false);
	}
}

static void after_a_power_cut_every_checksum_counts(void **state)
{
	(void)state;
	test_options.config.segment_bytes = 20000;
	make(LOG_CLEAN, false);
	edit("00000000000000000018.log", 5000, "xxxxx", 5);
	test_options.recovery_point = 20;
	open_log(LOG_POWERLESS);
	assert_int_equal(log_end_offset(test_log), 22);
	assert_true(told.truncated_bytes > 40000);
	assert_int_equal(size_of("00000000000000000036.log"), UINT64_MAX);
	assert_int_equal(size_of("00000000000000000036.snapshot"), UINT64_MAX);
	RUN(put_few);
	assert_string_equal(read_all(20), "20-20 21-21 22-23 24-25 26-27 28-29 30-31 ");
	close_log(true);
}

static void what_was_synced_is_never_cut(void **state)
{
	uint64_t size;

	(void)state;
	test_options.config.segment_bytes = 20000;
	make(LOG_CLEAN, false);
	size = size_of("00000000000000000018.log");
	edit("00000000000000000018.log", 5000, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 40);
	unlink_file("00000000000000000018.index");
	test_options.recovery_point = 54;
	open_log(LOG_POWERLESS);
	assert_int_equal(size_of("00000000000000000018.log"), size);
	assert_int_equal(log_end_offset(test_log), 70);
	close_log(false);
}

/* ---- indexes ---- */

static void damage(const char *name, int how)
{
	uint8_t entry[12] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
	};

	switch (how) {
	case 0:
		unlink_file(name);
		break;
	case 1:
		cut_to(name, size_of(name) - 1);
		break;
	case 2:
		edit(name, 0, entry, sizeof(entry));
		break;
	case 3: /* well formed, and wrong: positions in the middle of batches */
		store_be32(entry, 50);
		store_be32(entry + 4, 12345);
		store_be32(entry + 8, 50);
		if (strstr(name, "timeindex"))
			store_be64(entry, 5050);
		cut_to(name, 0);
		edit(name, 0, entry, strstr(name, "timeindex") ? 12 : 8);
		break;
	case 4:
		cut_to(name, 0);
		break;
	}
}

static void any_wrong_index_is_made_again(void **state)
{
	static const enum log_recovery all[] = { LOG_CLEAN, LOG_KILLED, LOG_POWERLESS };
	static const char *const names[] = { SEGMENT_0 ".index", SEGMENT_0 ".timeindex" };
	size_t size[2], now;
	void *right[2], *data;

	(void)state;
	make(LOG_CLEAN, true);
	for (int n = 0; n < 2; n++)
		right[n] = content_of(names[n], &size[n]);
	for (int n = 0; n < 2; n++) {
		for (int how = 0; how < 5; how++) {
			for (int r = 0; r < 3; r++) {
				damage(names[n], how);
				open_log(all[r]);
				expect_whole(70);
				close_log(true);
				if (how > 2)
					continue; /* well formed: not noticed when clean */
				data = content_of(names[n], &now);
				assert_int_equal(now, size[n]);
				assert_memory_equal(data, right[n], now);
				mem_free(data);
			}
			edit(names[n], 0, right[n], size[n]);
			cut_to(names[n], size[n]);
		}
	}
	mem_free(right[0]);
	mem_free(right[1]);
}

/* ---- what a crash leaves ---- */

static void leftovers_are_finished_or_undone(void **state)
{
	void *data;
	size_t size;

	(void)state;
	test_options.config.segment_bytes = 20000;
	make(LOG_CLEAN, true);
	data = content_of("00000000000000000018.log", &size);
	/* A compaction that was decided: 18.log.swap stands for 18 to 53. */
	edit("00000000000000000018.log.swap", 0, data, size);
	edit("00000000000000000018.index.swap", 0, "", 0);
	/* One that was not. */
	edit("00000000000000000054.log.cleaned", 0, data, size);
	edit("00000000000000000054.log.swap", 0, data, 100);
	edit("00000000000000000000.timeindex.deleted", 0, data, 12);
	edit("00000000000000000099.index", 0, data, 8);
	edit("leader-epoch-checkpoint.tmp", 0, data, 8);
	mem_free(data);
	for (int i = 0; i < 2; i++) {
		open_log(i ? LOG_CLEAN : LOG_KILLED);
		expect_whole(70);
		close_log(true);
		assert_int_equal(size_of("00000000000000000018.log.swap"), UINT64_MAX);
		assert_int_equal(size_of("00000000000000000018.log"), size);
		assert_int_equal(size_of("00000000000000000054.log.cleaned"), UINT64_MAX);
		assert_int_equal(size_of("00000000000000000054.log.swap"), UINT64_MAX);
		assert_int_equal(size_of("00000000000000000000.timeindex.deleted"), UINT64_MAX);
		assert_int_equal(size_of("00000000000000000099.index"), UINT64_MAX);
	}
}

/* ---- producers ---- */

static void put_sequences(void)
{
	for (int i = 0; i < 7; i++)
		put_from(42, 0, i * 2, 2, 0);
}

static void retry_last(void)
{
	put_from(42, 0, 12, 2, 0);
	put_from(42, 0, 14, 1, 0);
}

static void retries_are_known_over_any_restart(void **state)
{
	static const enum log_recovery all[] = { LOG_CLEAN, LOG_KILLED, LOG_POWERLESS };

	(void)state;
	for (int snapshot = 0; snapshot < 2; snapshot++) {
		for (int r = 0; r < 3; r++) {
			open_log(LOG_CLEAN);
			RUN(put_many, put_sequences);
			close_log(all[r] == LOG_CLEAN);
			if (!snapshot && all[r] == LOG_CLEAN)
				unlink_file("00000000000000000074.snapshot");
			open_log(all[r]);
			RUN(retry_last);
			assert_true(outcome[0].duplicate);
			assert_int_equal(outcome[0].error, WIRE_NONE);
			assert_int_equal(outcome[0].base_offset, 72);
			assert_int_equal(outcome[0].timestamp, 5013);
			assert_false(outcome[1].duplicate);
			assert_int_equal(outcome[1].base_offset, 74);
			close_log(true);
			assert_int_equal(dir_remove_all(test_dir, "t-0"), 0);
			assert_int_equal(log_create(test_dir, "t-0", UUID_METADATA_TOPIC, false),
			                 0);
		}
	}
}

static void put_some(void)
{
	for (int i = 0; i < 10; i++)
		put(1, 500, 5000);
}

static void retry_six(void)
{
	for (int i = 1; i < 7; i++)
		put_from(42, 0, i * 2, 2, 0);
}

/* Though a snapshot has only the newest; wherever the segments end. */
static void the_last_five_are_known_over_any_restart(void **state)
{
	static const enum log_recovery all[] = { LOG_CLEAN, LOG_KILLED, LOG_POWERLESS };

	(void)state;
	for (uint32_t bytes = 300; bytes < 2000; bytes += 200) {
		for (int r = 0; r < 3; r++) {
			test_options.config.segment_bytes = bytes;
			open_log(LOG_CLEAN);
			RUN(put_some, put_sequences, put_some);
			close_log(all[r] == LOG_CLEAN);
			open_log(all[r]);
			RUN(retry_six);
			assert_int_equal(outcome[0].error, WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER);
			for (int i = 1; i < 6; i++) {
				assert_int_equal(outcome[i].error, WIRE_NONE);
				assert_true(outcome[i].duplicate);
				assert_int_equal(outcome[i].base_offset, 12 + 2 * i);
			}
			close_log(true);
			assert_int_equal(dir_remove_all(test_dir, "t-0"), 0);
			assert_int_equal(log_create(test_dir, "t-0", UUID_METADATA_TOPIC, false),
			                 0);
		}
	}
}

/* Nothing that a start finds says more than what is left. */
static void a_snapshot_of_what_is_gone_is_not_believed(void **state)
{
	(void)state;
	test_options.config.segment_bytes = 300;
	open_log(LOG_CLEAN);
	RUN(put_sequences);
	close_log(false);
	/* The first segments go, and a crash leaves one of their snapshots. */
	unlink_file("00000000000000000000.log");
	unlink_file("00000000000000000006.log");
	unlink_file("00000000000000000012.snapshot");
	assert_int_not_equal(size_of("00000000000000000006.snapshot"), UINT64_MAX);
	assert_int_not_equal(size_of("00000000000000000012.log"), UINT64_MAX);
	open_log(LOG_KILLED);
	RUN(retry_last);
	assert_true(outcome[0].duplicate);
	assert_int_equal(outcome[1].error, WIRE_NONE);
	assert_int_equal(outcome[1].base_offset, 14);
	close_log(true);
	assert_int_equal(size_of("00000000000000000006.snapshot"), UINT64_MAX);
}

static void the_window(void)
{
	for (int i = 0; i < 7; i++)
		put_from(42, 0, i * 2, 2, 0);
	put_from(42, 0, 4, 2, 0);  /* in the window */
	put_from(42, 0, 2, 2, 0);  /* older */
	put_from(42, 0, 20, 1, 0); /* a gap */
	put_from(42, 1, 5, 1, 0);  /* a new epoch begins at 0 */
	put_from(42, 1, 0, 1, 0);
	put_from(42, 0, 14, 1, 0);   /* the old epoch */
	put_from(43, 5, 1000, 1, 0); /* nothing known: any sequence */
	put_from(44, 0, INT32_MAX, 1, 0);
	put_from(44, 0, 0, 1, 0); /* wraps */
}

static void sequences_answer_as_kafka_does(void **state)
{
	(void)state;
	open_log(LOG_CLEAN);
	RUN(the_window);
	assert_true(outcome[7].duplicate);
	assert_int_equal(outcome[7].base_offset, 4);
	assert_int_equal(outcome[8].error, WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(outcome[9].error, WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(outcome[10].error, WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(outcome[11].error, WIRE_NONE);
	assert_int_equal(outcome[11].base_offset, 14);
	assert_int_equal(outcome[12].error, WIRE_INVALID_PRODUCER_EPOCH);
	assert_int_equal(outcome[13].error, WIRE_NONE);
	assert_int_equal(outcome[14].error, WIRE_NONE);
	assert_int_equal(outcome[15].error, WIRE_NONE);
	close_log(true);
}

/* ---- transactions ---- */

static void transact(void)
{
	put_from(7, 0, 0, 2, BATCH_TRANSACTIONAL); /* 0-1 */
	put_from(8, 0, 0, 1, BATCH_TRANSACTIONAL); /* 2 */
	put_marker(7, 0, false);                   /* 3: aborts 0 */
	put_from(7, 0, 2, 1, 0);                   /* 4: plain */
	put_marker(8, 0, true);                    /* 5 */
	put_from(9, 0, 0, 1, BATCH_TRANSACTIONAL); /* 6: stays open */
	put_from(9, 0, 1, 1, 0);                   /* refused */
}

static void expect_transactions(void)
{
	struct arena arena;
	struct log_aborted *aborted;
	size_t count;

	arena_init(&arena, 1 << 20);
	assert_int_equal(log_aborted(log_view(test_log), 0, 7, true, &arena, &aborted, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(aborted[0].producer_id, 7);
	assert_int_equal(aborted[0].first_offset, 0);
	assert_int_equal(log_aborted(log_view(test_log), 4, 7, true, &arena, &aborted, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(log_first_unstable(test_log, log_end_offset(test_log)), 6);
	arena_fini(&arena);
}

static void transactions_are_known_over_any_restart(void **state)
{
	static const enum log_recovery all[] = { LOG_CLEAN, LOG_KILLED, LOG_POWERLESS };

	(void)state;
	open_log(LOG_CLEAN);
	RUN(transact);
	assert_int_equal(outcome[6].error, WIRE_INVALID_TXN_STATE);
	/* The markers are not below this high watermark. */
	assert_int_equal(log_first_unstable(test_log, 5), 2);
	expect_transactions();
	close_log(true);
	assert_int_equal(size_of(SEGMENT_0 ".txnindex"), 34);
	for (int r = 0; r < 3; r++) {
		open_log(all[r]);
		expect_transactions();
		close_log(all[r] == LOG_CLEAN);
		if (r == 1) /* the index is of the log, whatever its file says */
			unlink_file(SEGMENT_0 ".txnindex");
	}
	assert_int_equal(size_of(SEGMENT_0 ".txnindex"), 34);
}

/* ---- epochs ---- */

static void lead_and_put(void)
{
	struct test_append *t = new_append(LOG_CLIENT);

	log_lead(test_log, 3);
	t->append.leader_epoch = 3;
	add_batch(t, BATCH_PLAIN, 1, 10, 5000);
	stage_append(t);
}

static void lead_again(void)
{
	log_lead(test_log, 5);
}

static void epochs_come_from_the_batches_when_their_file_is_lost(void **state)
{
	size_t size;
	char *text;

	(void)state;
	open_log(LOG_CLEAN);
	RUN(lead_and_put, lead_again);
	close_log(true);
	text = content_of("leader-epoch-checkpoint", &size);
	assert_int_equal(size, strlen("0\n2\n3 0\n5 1\n"));
	assert_memory_equal(text, "0\n2\n3 0\n5 1\n", size);
	mem_free(text);
	for (int r = 0; r < 2; r++) {
		if (r)
			cut_to("leader-epoch-checkpoint", 3);
		else
			unlink_file("leader-epoch-checkpoint");
		open_log(LOG_CLEAN);
		assert_int_equal(log_latest_epoch(test_log), 3);
		close_log(true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LAW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		LAW(an_unclean_end_loses_nothing_written),
		LAW(any_torn_end_is_cut),
		LAW(zeros_behind_the_end_are_no_data),
		LAW(a_wrong_checksum_at_the_end_is_cut),
		LAW(after_a_power_cut_every_checksum_counts),
		LAW(what_was_synced_is_never_cut),
		LAW(any_wrong_index_is_made_again),
		LAW(leftovers_are_finished_or_undone),
		LAW(retries_are_known_over_any_restart),
		LAW(the_last_five_are_known_over_any_restart),
		LAW(a_snapshot_of_what_is_gone_is_not_believed),
		LAW(sequences_answer_as_kafka_does),
		LAW(transactions_are_known_over_any_restart),
		LAW(epochs_come_from_the_batches_when_their_file_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
