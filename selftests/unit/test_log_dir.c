/* SPDX-License-Identifier: Apache-2.0 */
#include "log_fixture.h"

#include "store/log_dir.h"

static struct arena arena;

static int set_up_arena(void **state)
{
	arena_init(&arena, 1 << 20);
	return set_up(state);
}

static int tear_down_arena(void **state)
{
	arena_fini(&arena);
	return tear_down(state);
}

static void names_say_what_a_directory_is(void **state)
{
	static const struct {
		const char *name;
		enum log_dir_kind kind;
		const char *topic;
		int32_t partition;
	} row[] = {
		{ "t-0", LOG_DIR_LOG, "t", 0 },
		{ "a-b.c_d-12", LOG_DIR_LOG, "a-b.c_d", 12 },
		{ "__cluster_metadata-0", LOG_DIR_LOG, "__cluster_metadata", 0 },
		{ "1-2-3", LOG_DIR_LOG, "1-2", 3 },
		{ "t-2147483647", LOG_DIR_LOG, "t", INT32_MAX },
		{ "t-2147483648", LOG_DIR_FOREIGN, NULL, 0 },
		{ "lost+found", LOG_DIR_FOREIGN, NULL, 0 },
		{ "-0", LOG_DIR_FOREIGN, NULL, 0 },
		{ "t-", LOG_DIR_FOREIGN, NULL, 0 },
		{ "t0", LOG_DIR_FOREIGN, NULL, 0 },
		{ "a.b-3.0123456789abcdef0123456789abcdef-delete", LOG_DIR_DELETED, "a.b", 3 },
		{ "t-3.0123456789abcdef0123456789abcdef-future", LOG_DIR_FUTURE, "t", 3 },
		{ "t-3.0123456789abcdef0123456789abcdef-stray", LOG_DIR_STRAY, "t", 3 },
		{ "t-delete", LOG_DIR_FOREIGN, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < array_count(row); i++) {
		struct log_name name;

		assert_int_equal(log_name_parse(str_of(row[i].name), &name), row[i].kind);
		if (!row[i].topic)
			continue;
		assert_true(str_eq(name.topic, str_of(row[i].topic)));
		assert_int_equal(name.partition, row[i].partition);
	}
}

static void lists_logs_with_their_topics(void **state)
{
	struct log_dir_entry *entry;
	const char *doomed;
	size_t count;

	(void)state;
	assert_int_equal(dir_mkdir(test_dir, "lost+found"), 0);
	assert_int_equal(dir_mkdir(test_dir, "u-7"), 0);
	assert_int_equal(log_dir_list(test_dir, &arena, &entry, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(entry[0].kind, LOG_DIR_FOREIGN);
	assert_string_equal(entry[1].name, "t-0");
	assert_true(uuid_eq(entry[1].topic_id, UUID_METADATA_TOPIC));
	assert_int_equal(entry[2].kind, LOG_DIR_LOG);
	assert_true(uuid_is_zero(entry[2].topic_id));
	assert_int_equal(log_dir_doom(test_dir, "u-7", &arena, &doomed), 0);
	assert_int_equal(log_dir_list(test_dir, &arena, &entry, &count), 0);
	assert_int_equal(entry[2].kind, LOG_DIR_DELETED);
	assert_string_equal(entry[2].name, doomed);
	assert_int_equal(log_dir_remove(test_dir, doomed), 0);
	assert_int_equal(log_dir_list(test_dir, &arena, &entry, &count), 0);
	assert_int_equal(count, 2);
}

static void a_doomed_name_is_never_too_long(void **state)
{
	const char *doomed;
	char name[256];

	(void)state;
	memset(name, 'x', sizeof(name));
	strcpy(name + 249, "-1234");
	assert_int_equal(dir_mkdir(test_dir, name), 0);
	assert_int_equal(log_dir_doom(test_dir, name, &arena, &doomed), 0);
	assert_int_equal(strlen(doomed), 255);
	assert_memory_equal(doomed + 255 - 45, "-1234.", 6);
}

static enum log_recovery look(int64_t *ret_epoch)
{
	struct log_dir_state state;

	assert_int_equal(log_dir_look(test_dir, &state), 0);
	if (ret_epoch)
		*ret_epoch = state.broker_epoch;
	return state.recovery;
}

static void a_stop_is_clean_only_when_it_was_said(void **state)
{
	int64_t epoch;
	void *data;
	size_t size;

	(void)state;
	assert_int_equal(look(NULL), LOG_POWERLESS);
	assert_int_equal(log_dir_begin(test_dir), 0);
	/* Not all is recovered: whatever this boot's cache holds was not looked at. */
	assert_int_equal(look(NULL), LOG_POWERLESS);
	assert_int_equal(log_dir_recovered(test_dir), 0);
	assert_int_equal(look(&epoch), LOG_KILLED);
	assert_int_equal(epoch, -1);
	assert_int_equal(log_dir_end(test_dir, 77), 0);
	assert_int_equal(look(&epoch), LOG_CLEAN);
	assert_int_equal(epoch, 77);
	assert_int_equal(dir_read(test_dir, ".kafka_cleanshutdown", 100, &data, &size), 0);
	assert_int_equal(size, 30);
	assert_memory_equal(data, "{\"version\":0,\"brokerEpoch\":77}", 30);
	mem_free(data);
	assert_int_equal(log_dir_begin(test_dir), 0);
	assert_int_equal(look(NULL), LOG_KILLED);
	/* A sync failed: the cache of this boot may show what the device never got. */
	log_dir_doubt(test_dir);
	log_dir_doubt(test_dir);
	assert_int_equal(look(NULL), LOG_POWERLESS);
	/* Another boot. */
	assert_int_equal(dir_replace(test_dir, ".sluice_boot", "version: 0\nboot: x\n", 19, true),
	                 0);
	assert_int_equal(look(NULL), LOG_POWERLESS);
	assert_int_equal(dir_replace(test_dir, ".kafka_cleanshutdown", "", 0, true), 0);
	assert_int_equal(look(&epoch), LOG_CLEAN);
	assert_int_equal(epoch, -1);
}

static void checkpoints_are_read_as_written(void **state)
{
	static const struct log_point point[] = {
		{ { "b", 1 }, 10, 5, 6, -1 },
		{ { "b", 1 }, 9, 7, 8, 2 },
		{ { "a-b", 3 }, 0, INT64_MAX, 0, 0 },
	};
	struct log_offsets o;
	void *data;
	size_t size;

	(void)state;
	assert_int_equal(log_offsets_read(test_dir, LOG_START_CHECKPOINT, &o), 0);
	assert_int_equal(o.count, 0);
	assert_int_equal(log_dir_checkpoint(test_dir, point, 3), 0);
	assert_int_equal(log_offsets_read(test_dir, RECOVERY_POINT_CHECKPOINT, &o), 0);
	assert_int_equal(log_offsets_find(&o, STR("b"), 10, -1), 5);
	assert_int_equal(log_offsets_find(&o, STR("b"), 9, -1), 7);
	assert_int_equal(log_offsets_find(&o, STR("b"), 8, -1), -1);
	assert_int_equal(log_offsets_find(&o, STR("a-b"), 0, -1), INT64_MAX);
	log_offsets_fini(&o);
	assert_int_equal(dir_read(test_dir, LOG_START_CHECKPOINT, 100, &data, &size), 0);
	assert_int_equal(size, strlen("0\n2\nb 9 2\na-b 0 0\n"));
	assert_memory_equal(data, "0\n2\nb 9 2\na-b 0 0\n", size);
	mem_free(data);
}

static void a_checkpoint_that_cannot_be_read_says_nothing(void **state)
{
	static const char *const wrong[] = {
		"0",
		"1\n0\n",
		"0\n1\n",
		"0\n1\nt 0\n",
		"0\n1\nt 0 \n",
		"0\n1\nt 0 -1\n",
		"0\n1\nt x 1\n",
		"0\n2\nt 0 1\n",
		"0\n0\nt 0 1\n",
		"0\n1\n 0 1\n",
		"0\n1\nt 0 99999999999999999999\n",
	};
	struct log_offsets o;

	(void)state;
	for (size_t i = 0; i < array_count(wrong); i++) {
		assert_int_equal(dir_replace(test_dir, "c", wrong[i], strlen(wrong[i]), false), 0);
		assert_int_equal(log_offsets_read(test_dir, "c", &o), -EBADMSG);
		assert_int_equal(log_offsets_find(&o, STR("t"), 0, -7), -7);
	}
	assert_int_equal(dir_replace(test_dir, "c", "", 0, false), 0);
	assert_int_equal(log_offsets_read(test_dir, "c", &o), 0);
	log_offsets_fini(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LAW(name) cmocka_unit_test_setup_teardown(name, set_up_arena, tear_down_arena)
		LAW(names_say_what_a_directory_is),
		LAW(lists_logs_with_their_topics),
		LAW(a_doomed_name_is_never_too_long),
		LAW(a_stop_is_clean_only_when_it_was_said),
		LAW(checkpoints_are_read_as_written),
		LAW(a_checkpoint_that_cannot_be_read_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
