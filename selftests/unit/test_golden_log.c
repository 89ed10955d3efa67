/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs that Apache Kafka wrote (selftests/golden/log, see make.sh there).  We open them as they
 * are, and the same appends make the same files, byte for byte.
 */
#include <dirent.h>

#include "log_fixture.h"

#define GOLDEN "selftests/golden/log/"

enum { FILES_MAX = 80, FILE_BYTES_MAX = 64 * 1024 };

struct golden_file {
	char name[64];
	uint8_t *data;
	size_t size;
};

static struct golden_file golden[FILES_MAX];
static int golden_count;

static void read_golden(const char *which)
{
	char path[512];
	struct dirent *e;
	DIR *d;

	golden_count = 0;
	snprintf(path, sizeof(path), GOLDEN "%s", which);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d))) {
		struct golden_file *g = &golden[golden_count];
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		assert_true(golden_count < FILES_MAX);
		snprintf(g->name, sizeof(g->name), "%.63s", e->d_name);
		snprintf(path, sizeof(path), GOLDEN "%s/%s", which, g->name);
		f = fopen(path, "rb");
		assert_non_null(f);
		g->data = mem_alloc(FILE_BYTES_MAX);
		g->size = fread(g->data, 1, FILE_BYTES_MAX, f);
		assert_true(g->size < FILE_BYTES_MAX);
		fclose(f);
		golden_count++;
	}
	closedir(d);
	assert_true(golden_count > 10);
}

static void forget_golden(void)
{
	while (golden_count)
		mem_free(golden[--golden_count].data);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct golden_file *)a)->name, ((const struct golden_file *)b)->name);
}

static void use_topic_configs(void)
{
	test_options.config.segment_ms = 10000;
	test_options.config.index_interval_bytes = 300;
}

/* ---- what lies in t-0 ---- */

static void put_golden_files(void)
{
	assert_int_equal(dir_remove_all(test_dir, "t-0"), 0);
	assert_int_equal(dir_mkdir(test_dir, "t-0"), 0);
	for (int i = 0; i < golden_count; i++)
		edit(golden[i].name, 0, golden[i].data, golden[i].size);
}

struct listing {
	char name[FILES_MAX][64];
	int count;
};

static void on_entry(void *arg, const struct dir_entry *e)
{
	struct listing *l = arg;

	assert_true(l->count < FILES_MAX);
	snprintf(l->name[l->count++], 64, "%.63s", e->name);
}

/* The same files with the same bytes; of partition.metadata another topic's id. */
static void expect_golden_files(void)
{
	static struct listing l;

	l.count = 0;
	assert_int_equal(dir_list(test_dir, "t-0", on_entry, &l), 0);
	qsort(golden, (size_t)golden_count, sizeof(golden[0]), by_name);
	for (int i = 0; i < golden_count && i < l.count; i++)
		assert_string_equal(l.name[i], golden[i].name);
	assert_int_equal(l.count, golden_count);
	for (int i = 0; i < golden_count; i++) {
		size_t size;
		uint8_t *data;

		if (!strcmp(golden[i].name, "partition.metadata"))
			continue;
		data = content_of(golden[i].name, &size);
		if (size != golden[i].size || memcmp(data, golden[i].data, size))
			fail_msg("%s differs from Kafka's", golden[i].name);
		mem_free(data);
	}
}

/* ---- opening ---- */

static size_t count_aborted(void)
{
	struct log_aborted *aborted;
	struct arena arena;
	size_t count;

	arena_init(&arena, SIZE_MAX);
	assert_int_equal(log_aborted(log_view(test_log), 0, log_end_offset(test_log), true, &arena,
	                             &aborted, &count),
	                 0);
	arena_fini(&arena);
	return count;
}

static void opens_what_kafka_stopped(void **state)
{
	static const enum log_recovery all[] = { LOG_CLEAN, LOG_KILLED, LOG_POWERLESS };

	(void)state;
	use_topic_configs();
	read_golden("clean");
	for (size_t i = 0; i < array_count(all); i++) {
		struct log_epoch_end end;

		put_golden_files();
		open_log(all[i]);
		assert_int_equal(told.truncated_bytes, 0);
		if (all[i] != LOG_POWERLESS)
			assert_int_equal(told.indexes_rebuilt, 0);
		assert_int_equal(log_start_offset(test_log), 0);
		assert_int_equal(log_end_offset(test_log), 192);
		assert_int_equal(log_latest_epoch(test_log), 2);
		end = log_epoch_end(test_log, 0);
		assert_int_equal(end.end_offset, 96);
		assert_int_equal(count_aborted(), 4);
		assert_int_equal(log_first_unstable(test_log, 192), INT64_MAX);
		/* And a clean stop changes nothing: indexes that were made again are the same. */
		close_log(true);
		expect_golden_files();
	}
	forget_golden();
}

/* ---- the same appends ---- */

static const uint8_t *next_bytes;
static size_t next_size;
static int64_t next_offset;
static int32_t next_epoch;

/* The batches of the golden segments, one after the other. */
static bool next_batch(struct batch *b)
{
	while (!next_size) {
		char name[64];
		int i = 0;

		snprintf(name, sizeof(name), "%020" PRId64 ".log", next_offset);
		while (i < golden_count && strcmp(golden[i].name, name))
			i++;
		if (i == golden_count)
			return false;
		next_bytes = golden[i].data;
		next_size = golden[i].size;
	}
	assert_int_equal(batch_parse((struct span){ next_bytes, next_size }, b), 0);
	return true;
}

static void lead(void)
{
	log_lead(test_log, next_epoch);
}

/* What this epoch's leader appended: each batch a request of its own. */
static void append_epoch(void)
{
	struct batch b;

	while (next_batch(&b) && b.leader_epoch == next_epoch) {
		struct test_append *t =
			new_append(batch_is_control(&b) ? LOG_INTERNAL : LOG_CLIENT);

		buf_add(&t->data, b.data, b.size);
		batch_patch_offset(t->data.data, 0, -1); /* as a client sends it */
		t->append.leader_epoch = next_epoch;
		stage_append(t);
		next_bytes += b.size;
		next_size -= b.size;
		next_offset = batch_last_offset(&b) + 1;
	}
}

static void expect_good(void)
{
	for (int i = 0; i < outcome_count; i++)
		assert_int_equal(outcome[i].error, WIRE_NONE);
}

/* Kafka was stopped where the epoch changes. */
static void append_all(bool last_is_clean)
{
	struct batch b;

	next_size = 0;
	next_offset = 0;
	while (next_batch(&b)) {
		next_epoch = b.leader_epoch;
		open_log(LOG_CLEAN);
		RUN(lead);
		RUN(append_epoch);
		expect_good();
		assert_int_equal(log_end_offset(test_log), next_offset);
		close_log(next_batch(&b) || last_is_clean);
	}
}

static void the_same_appends_make_the_same_files(void **state)
{
	(void)state;
	use_topic_configs();
	read_golden("clean");
	append_all(true);
	expect_golden_files();
	forget_golden();
}

/* ---- killed ---- */

/* What our own log looks like after the same, when it was closed cleanly. */
static void take_own_files(void)
{
	static struct listing l;

	forget_golden();
	l.count = 0;
	assert_int_equal(dir_list(test_dir, "t-0", on_entry, &l), 0);
	for (golden_count = 0; golden_count < l.count; golden_count++) {
		struct golden_file *g = &golden[golden_count];

		snprintf(g->name, sizeof(g->name), "%s", l.name[golden_count]);
		g->data = content_of(g->name, &g->size);
	}
}

static void goes_on_where_kafka_was_killed(void **state)
{
	static const enum log_recovery all[] = { LOG_KILLED, LOG_POWERLESS };
	static struct golden_file kafka[FILES_MAX];
	int kafka_count;

	(void)state;
	use_topic_configs();
	read_golden("killed");
	append_all(true);
	kafka_count = golden_count;
	memcpy(kafka, golden, sizeof(kafka));
	golden_count = 0;
	take_own_files();
	for (size_t i = 0; i < array_count(all); i++) {
		assert_int_equal(dir_remove_all(test_dir, "t-0"), 0);
		assert_int_equal(dir_mkdir(test_dir, "t-0"), 0);
		for (int k = 0; k < kafka_count; k++)
			edit(kafka[k].name, 0, kafka[k].data, kafka[k].size);
		open_log(all[i]);
		assert_int_equal(told.truncated_bytes, 0);
		assert_int_equal(log_end_offset(test_log), 288);
		assert_int_equal(count_aborted(), 6);
		close_log(true);
		expect_golden_files();
	}
	forget_golden();
	for (int k = 0; k < kafka_count; k++)
		mem_free(kafka[k].data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LAW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		LAW(opens_what_kafka_stopped),
		LAW(the_same_appends_make_the_same_files),
		LAW(goes_on_where_kafka_was_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
