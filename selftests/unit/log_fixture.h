/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A partition in miniature for tests of store/log: a directory, one log, one strand.  A test says
 * what happens in steps; each runs on the reactor when all before it is settled.
 */
#ifndef LOG_FIXTURE_H
#define LOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/reactor.h"
#include "io/strand.h"
#include "io/work.h"
#include "store/log.h"
#include "wire/batch.h"
#include "wire/errors.h"

enum { STEPS_MAX = 64, RESULTS_MAX = 4096 };

struct outcome {
	int16_t error;
	bool duplicate;
	int64_t base_offset;
	int64_t last_offset;
	int64_t timestamp;
};

static char test_path[64];
static struct dir *test_dir;
static struct log *test_log;
static struct log_options test_options;
static struct log_recovered told;
static struct strand test_strand;
static struct outcome outcome[RESULTS_MAX];
static int outcome_count;
static int64_t published_end;
static int failed_with;
static void (*steps[STEPS_MAX])(void);
static int step_count, step_at;
static struct mail step_mail;

static const struct log_config plain_config = {
	.segment_bytes = 1 << 30,
	.segment_ms = INT64_C(7) * 24 * 3600 * 1000,
	.index_interval_bytes = 4096,
	.index_bytes = 10 << 20,
	.retention_ms = -1,
	.retention_bytes = -1,
	.flush_messages = INT64_MAX,
	.flush_ms = INT64_MAX,
	.producer_expiration_ms = 86400000,
	.cleanup_delete = true,
};

static __attribute__((unused)) enum settled settle(struct strand *self)
{
	(void)self;
	return log_settle(test_log);
}

static void unpark(void *arg)
{
	strand_unpark(arg);
}

static void on_published(void *arg, struct log_mark end, uint64_t bytes)
{
	(void)arg;
	(void)bytes;
	published_end = end.offset;
}

static void on_failed(void *arg, int err)
{
	(void)arg;
	failed_with = err;
}

static __attribute__((unused)) int set_up(void **state)
{
	const char *given = getenv("LOG_TEST_DIR");

	(void)state;
	snprintf(test_path, sizeof(test_path), "%s/sluice-log-XXXXXX", given ? given : "/tmp");
	if (!mkdtemp(test_path) || dir_open(test_path, false, &test_dir))
		return -1;
	test_options = (struct log_options){
		.dir = test_dir,
		.name = "t-0",
		.config = plain_config,
		.now_ms = 1000,
		.unpark = unpark,
		.published = on_published,
		.failed = on_failed,
		.arg = &test_strand,
	};
	failed_with = 0;
	return log_create(test_dir, "t-0", UUID_METADATA_TOPIC, false);
}

static __attribute__((unused)) int tear_down(void **state)
{
	char *slash = strrchr(test_path, '/');
	struct dir *tmp;

	(void)state;
	dir_close(test_dir);
	if (getenv("LOG_TEST_KEEP"))
		return 0;
	*slash = '\0';
	if (dir_open(test_path, false, &tmp))
		return -1;
	(void)!dir_remove_all(tmp, slash + 1);
	dir_close(tmp);
	return 0;
}

static __attribute__((unused)) void open_log(enum log_recovery recovery)
{
	test_options.recovery = recovery;
	assert_int_equal(log_open(&test_options, &test_log, &told), 0);
}

static __attribute__((unused)) void close_log(bool clean)
{
	assert_int_equal(log_close(test_log, clean), 0);
	test_log = NULL;
}

/* ---- steps ---- */

static struct work step_work;

static void run_step(struct work *work)
{
	(void)work;
	steps[step_at++]();
}

static struct job last_job;

static void run_nothing(struct job *job)
{
	(void)job;
}

static void stop(struct job *job)
{
	(void)job;
	reactors_stop();
}

static void next_step(struct mail *mail)
{
	if (!log_has_staged(test_log) && step_work.bytes == 0) {
		if (step_at == step_count) {
			/* Behind every job that the log submitted. */
			last_job = (struct job){ .run = run_nothing, .done = stop };
			work_submit(WORK_SLOW, &last_job);
			return;
		}
		step_work = (struct work){ .run = run_step };
		strand_post(&test_strand, &step_work);
	}
	reactor_post(0, mail);
}

static void start_steps(void *arg)
{
	(void)arg;
	step_mail.run = next_step;
	reactor_post(0, &step_mail);
}

static __attribute__((unused)) void run_steps(void (*const *step)(void), int count)
{
	static const struct reactors_options one = { .count = 1 };

	memcpy(steps, step, count * sizeof(*step));
	step_count = count;
	step_at = 0;
	outcome_count = 0;
	strand_init(&test_strand, settle);
	assert_int_equal(reactors_open(&one), 0);
	reactors_run(start_steps, NULL);
	log_drain(test_log);
	reactors_close();
}
#define RUN(...)                                                                                   \
	do {                                                                                       \
		static void (*const list[])(void) = { __VA_ARGS__ };                               \
		run_steps(list, array_count(list));                                                \
	} while (0)

/* ---- appends ---- */

struct test_append {
	struct log_append append;
	struct buf data;
};

static void on_done(struct log_append *a)
{
	struct test_append *t = container_of(a, struct test_append, append);

	if (outcome_count < RESULTS_MAX)
		outcome[outcome_count++] = (struct outcome){ a->error, a->duplicate, a->base_offset,
			                                     a->last_offset, a->timestamp };
	buf_fini(&t->data);
	mem_free(t);
}

static __attribute__((unused)) struct test_append *new_append(enum log_origin origin)
{
	struct test_append *t = mem_zalloc(sizeof(*t));

	t->append.origin = origin;
	t->append.append_time_ms = -1;
	t->append.now_ms = 1000;
	t->append.done = on_done;
	return t;
}

static __attribute__((unused)) void add_batch(struct test_append *t, struct batch_options options,
                                              int records, size_t value_size, int64_t timestamp)
{
	static uint8_t value[1 << 20];
	struct batch_builder b;

	batch_begin(&b, &t->data, &options);
	for (int i = 0; i < records; i++)
		batch_add(&b, timestamp + i, (struct span){ NULL, 0 },
		          (struct span){ value, value_size }, NULL, 0);
	batch_end(&b);
}

static __attribute__((unused)) void stage_append(struct test_append *t)
{
	t->append.data = t->data.data;
	t->append.size = t->data.size;
	log_stage(test_log, &t->append);
}

static __attribute__((unused)) void put(int records, size_t value_size, int64_t timestamp)
{
	struct test_append *t = new_append(LOG_CLIENT);

	add_batch(t, BATCH_PLAIN, records, value_size, timestamp);
	stage_append(t);
}

static __attribute__((unused)) void put_from(int64_t id, int16_t epoch, int32_t sequence,
                                             int records, int16_t attributes)
{
	struct test_append *t = new_append(LOG_CLIENT);
	struct batch_options options = BATCH_PLAIN;

	options.producer_id = id;
	options.producer_epoch = epoch;
	options.base_sequence = sequence;
	options.attributes = attributes;
	add_batch(t, options, records, 10, INT64_C(5000) + sequence);
	stage_append(t);
}

static __attribute__((unused)) void put_marker(int64_t id, int16_t epoch, bool commit)
{
	struct test_append *t = new_append(LOG_INTERNAL);
	struct batch_options options = BATCH_PLAIN;
	struct batch_builder b;

	options.producer_id = id;
	options.producer_epoch = epoch;
	options.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
	batch_begin(&b, &t->data, &options);
	batch_add_end_txn(&b, 9000, commit, 3);
	batch_end(&b);
	stage_append(t);
}

/* ---- files ---- */

static __attribute__((unused)) uint64_t size_of(const char *name)
{
	char path[128];
	struct file *file;
	uint64_t size;

	snprintf(path, sizeof(path), "t-0/%s", name);
	if (file_open(test_dir, path, FILE_READ, &file))
		return UINT64_MAX;
	assert_int_equal(file_size(file, &size), 0);
	file_put(file);
	return size;
}

static __attribute__((unused)) void *content_of(const char *name, size_t *ret_size)
{
	char path[128];
	void *data;

	snprintf(path, sizeof(path), "t-0/%s", name);
	assert_int_equal(dir_read(test_dir, path, 64 << 20, &data, ret_size), 0);
	return data;
}

static __attribute__((unused)) void edit(const char *name, uint64_t at, const void *data,
                                         size_t size)
{
	char path[128];
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct file *file;

	snprintf(path, sizeof(path), "t-0/%s", name);
	assert_int_equal(file_open(test_dir, path, FILE_WRITE | FILE_CREATE, &file), 0);
	assert_int_equal(file_write(file, &iov, 1, at), 0);
	file_put(file);
}

static __attribute__((unused)) void cut_to(const char *name, uint64_t size)
{
	char path[128];
	struct file *file;

	snprintf(path, sizeof(path), "t-0/%s", name);
	assert_int_equal(file_open(test_dir, path, FILE_WRITE, &file), 0);
	assert_int_equal(file_truncate(file, size), 0);
	file_put(file);
}

static __attribute__((unused)) void unlink_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "t-0/%s", name);
	assert_int_equal(dir_unlink(test_dir, path), 0);
}

/* The offsets of all batches that readers see from `offset` on, as text. */
static __attribute__((unused)) const char *read_all(int64_t offset)
{
	static char text[8192];
	const struct log_view *view = log_view(test_log);
	struct log_mark end = log_end_mark(test_log);
	size_t used = 0;

	text[0] = '\0';
	while (offset < end.offset && used < sizeof(text) - 64) {
		uint8_t data[4096];
		struct log_slice slice;
		struct batch b;

		assert_int_equal(log_locate(test_log, view, offset, 100, true, end, true, &slice),
		                 0);
		if (!slice.file)
			break;
		assert_true(file_read(slice.file, data, sizeof(data), slice.position) > 60);
		assert_int_equal(batch_parse((struct span){ data, 1 << 30 }, &b), 0);
		assert_true(slice.size >= (b.size < 100 ? b.size : 100));
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		                         "%" PRId64 "-%" PRId64 " ", b.base_offset,
		                         batch_last_offset(&b));
		offset = batch_last_offset(&b) + 1;
		file_put(slice.file);
	}
	return text;
}

#endif
