/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/reactor.h"

static char path[64];
static struct dir *dir;

static int open_dir(void **state)
{
	(void)state;
	strcpy(path, "/tmp/sluice-file-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	return dir_open(path, false, &dir);
}

static int close_dir(void **state)
{
	char *slash = strrchr(path, '/');
	struct dir *tmp;
	int err;

	(void)state;
	dir_close(dir);
	*slash = '\0';
	if (dir_open(path, false, &tmp))
		return -1;
	err = dir_remove_all(tmp, slash + 1);
	dir_close(tmp);
	return err;
}

/* ---- names ---- */

static char listed[256];

static void list_one(void *arg, const struct dir_entry *e)
{
	size_t used = strlen(listed);

	(void)arg;
	snprintf(listed + used, sizeof(listed) - used, "%s%s:%llu ", e->name, e->is_dir ? "/" : "",
	         (unsigned long long)e->size);
}

static const char *list(const char *sub)
{
	listed[0] = '\0';
	assert_int_equal(dir_list(dir, sub, list_one, NULL), 0);
	return listed;
}

static void names_are_listed_in_byte_order(void **state)
{
	(void)state;
	assert_string_equal(list(""), "");
	assert_int_equal(dir_mkdir(dir, "t-0"), 0);
	assert_int_equal(dir_mkdir(dir, "t-0"), -EEXIST);
	assert_int_equal(dir_replace(dir, "b", "12345", 5, false), 0);
	assert_int_equal(dir_replace(dir, "B", "", 0, false), 0);
	assert_int_equal(dir_replace(dir, "t-0/x", "1", 1, true), 0);
	assert_int_equal(dir_replace(dir, "\xff", "1", 1, true), 0);
	assert_string_equal(list(""), "B:0 b:5 t-0/:0 \xff:1 ");
	assert_string_equal(list("t-0"), "x:1 ");
	assert_int_equal(dir_list(dir, "none", list_one, NULL), -ENOENT);
	assert_int_equal(dir_rmdir(dir, "t-0"), -ENOTEMPTY);
	assert_int_equal(dir_rename(dir, "b", "t-0/x"), 0);
	assert_string_equal(list("t-0"), "x:5 ");
	assert_int_equal(dir_mkdir(dir, "t-0/deeper"), 0);
	assert_int_equal(dir_remove_all(dir, "t-0"), 0);
	assert_int_equal(dir_unlink(dir, "B"), 0);
	assert_int_equal(dir_unlink(dir, "B"), -ENOENT);
	assert_string_equal(list(""), "\xff:1 ");
	assert_int_equal(dir_sync(dir, ""), 0);
	assert_int_equal(dir_sync(dir, "none"), -ENOENT);
	assert_int_equal(dir_syncfs(dir), 0);
}

static void replace_leaves_the_new_content_and_nothing_else(void **state)
{
	void *data;
	size_t size;

	(void)state;
	assert_int_equal(dir_replace(dir, "meta", "old", 3, true), 0);
	assert_int_equal(dir_replace(dir, "meta", "newer", 5, true), 0);
	assert_string_equal(list(""), "meta:5 ");
	assert_int_equal(dir_read(dir, "meta", 4, &data, &size), -EFBIG);
	assert_int_equal(dir_read(dir, "none", 4, &data, &size), -ENOENT);
	assert_int_equal(dir_read(dir, "meta", 5, &data, &size), 0);
	assert_int_equal(size, 5);
	assert_memory_equal(data, "newer", 5);
	mem_free(data);
	assert_int_equal(dir_replace(dir, "none/meta", "x", 1, true), -ENOENT);
}

static void a_directory_is_locked_once(void **state)
{
	struct dir *other;

	(void)state;
	assert_int_equal(dir_lock(dir), 0);
	assert_int_equal(dir_open(path, true, &other), 0);
	assert_int_equal(dir_lock(other), -EWOULDBLOCK);
	dir_close(dir);
	assert_int_equal(dir_lock(other), 0);
	dir = other;
}

static void a_directory_is_made_with_its_parents_and_knows_itself(void **state)
{
	char deep[128], a[128], b[128];
	struct dir_space space;
	struct dir *d;

	(void)state;
	snprintf(deep, sizeof(deep), "%s/a/b//c", path);
	assert_int_equal(dir_open(deep, false, &d), -ENOENT);
	assert_int_equal(dir_open(deep, true, &d), 0);
	assert_string_equal(dir_path(d), deep);
	assert_int_equal(dir_identity(d, a, sizeof(a)), 0);
	assert_int_equal(dir_identity(d, b, sizeof(b)), 0);
	assert_string_equal(a, b);
	assert_int_equal(dir_identity(d, a, 5), -ENOSPC);
	assert_int_equal(dir_space(d, &space), 0);
	assert_true(space.free_bytes <= space.total_bytes);
	dir_close(d);
}

/* ---- reading and writing ---- */

static void files_are_what_was_written(void **state)
{
	enum { MANY = 3000 };
	static char out[MANY * 7];
	static struct iovec iov[MANY];
	struct file *f, *again;
	char got[64];
	uint64_t size;

	(void)state;
	assert_int_equal(file_open(dir, "f", FILE_READ, &f), -ENOENT);
	assert_int_equal(file_open(dir, "f", FILE_READ | FILE_WRITE | FILE_CREATE | FILE_NEW, &f),
	                 0);
	assert_int_equal(file_open(dir, "f", FILE_WRITE | FILE_CREATE | FILE_NEW, &again), -EEXIST);
	for (int i = 0; i < MANY; i++)
		iov[i] = (struct iovec){ "abcdefg", 7 };
	assert_int_equal(file_write(f, iov, MANY, 3),
	                 0); /* more vectors than a system call takes */
	assert_int_equal(file_size(f, &size), 0);
	assert_int_equal(size, 3 + MANY * 7);
	assert_int_equal(file_read(f, got, 5, 0), 5);
	assert_memory_equal(got, "\0\0\0ab", 5);
	assert_int_equal(file_read(f, out, sizeof(out), 3), sizeof(out));
	for (int i = 0; i < MANY; i++)
		assert_memory_equal(out + i * 7, "abcdefg", 7);
	assert_int_equal(file_read(f, got, 64, size - 2), 2);
	assert_int_equal(file_read(f, got, 64, size + 9), 0);
	assert_int_equal(file_truncate(f, 4), 0);
	assert_int_equal(file_read(f, got, 64, 0), 4);
	assert_int_equal(file_sync(f), 0);
	assert_string_equal(file_name(f), "f");
	assert_ptr_equal(file_get(f), f);
	file_put(f);
	assert_int_equal(file_read(f, got, 64, 0), 4);
	file_put(f);
	file_put(NULL);
	assert_int_equal(file_open(dir, "f", FILE_WRITE | FILE_TRUNCATE, &f), 0);
	assert_int_equal(file_size(f, &size), 0);
	assert_int_equal(size, 0);
	file_put(f);
}

/* ---- appends and submitted operations, on a reactor ---- */

enum { APPENDS = 40, ROAD_BYTES = 100000 };
static struct appender {
	struct file_op op;
	struct file_op sync_op, read_op;
	struct file *file;
	struct iovec iov[3], read_iov;
	char data[ROAD_BYTES], back[ROAD_BYTES + 10];
	uint64_t end;
	int left;
	bool sync;
	int parked_count;
} appenders[3];
static int appenders_left;
static int home;

static void append_on(struct appender *a);

static void read_back(struct file_op *op)
{
	struct appender *a = container_of(op, struct appender, read_op);

	assert_int_equal(reactor_self(), home);
	assert_int_equal(op->result, ROAD_BYTES);
	assert_memory_equal(a->back, a->data, ROAD_BYTES);
	assert_true(file_is_hot(a->file, 0, a->end));
	assert_int_equal(file_read_hot(a->file, a->back, 10, a->end), 0);
	if (!--appenders_left)
		reactors_stop();
}

static void synced(struct file_op *op)
{
	struct appender *a = container_of(op, struct appender, sync_op);

	assert_int_equal(reactor_self(), home);
	assert_int_equal(op->result, 0);
	/* Asked for more than there is: the answer is short. */
	a->read_iov = (struct iovec){ a->back, sizeof(a->back) };
	a->read_op = (struct file_op){ .file = a->file,
		                       .iov = &a->read_iov,
		                       .iov_count = 1,
		                       .position = a->end - ROAD_BYTES,
		                       .done = read_back };
	file_read_submit(&a->read_op);
}

static void appended(struct file_op *op)
{
	struct appender *a = container_of(op, struct appender, op);

	assert_int_equal(reactor_self(), home);
	assert_int_equal(op->result, ROAD_BYTES);
	a->end += ROAD_BYTES;
	a->parked_count++;
	append_on(a);
}

static void append_on(struct appender *a)
{
	while (a->left) {
		a->left--;
		a->iov[0] = (struct iovec){ a->data, 1 };
		a->iov[1] = (struct iovec){ a->data + 1, 0 };
		a->iov[2] = (struct iovec){ a->data + 1, ROAD_BYTES - 1 };
		a->op = (struct file_op){ .file = a->file,
			                  .iov = a->iov,
			                  .iov_count = 3,
			                  .bytes = ROAD_BYTES,
			                  .sync = a->sync,
			                  .position = a->end,
			                  .done = appended };
		switch (file_append(&a->op)) {
		case ROAD_BYTES:
			a->end += ROAD_BYTES;
			break;
		case FILE_PARKED:
			return;
		default:
			fail();
		}
	}
	a->sync_op = (struct file_op){ .file = a->file, .done = synced };
	file_sync_submit(&a->sync_op);
}

static void append_all(struct mail *mail)
{
	(void)mail;
	for (int i = 0; i < 3; i++) {
		struct appender *a = &appenders[i];

		for (size_t k = 0; k < ROAD_BYTES; k++)
			a->data[k] = (char)(k * 31 + (size_t)i);
		a->end = 0;
		a->left = APPENDS;
		a->parked_count = 0;
		append_on(a);
	}
}

static struct mail begin;

static void start_appends(void *arg)
{
	(void)arg;
	begin.run = append_all;
	reactor_post(home, &begin);
}

static void append_by_all_roads(bool slow, bool file_io_uring)
{
	struct reactors_options options = { .count = 2, .file_io_uring = file_io_uring };
	const char *const names[3] = { "a", "b", "c" };

	assert_int_equal(reactors_open(&options), 0);
	dir_mark_slow(dir, slow);
	appenders_left = 3;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(file_open(dir, names[i],
		                           FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE,
		                           &appenders[i].file),
		                 0);
		appenders[i].sync = i == 1;
	}
	reactors_run(start_appends, NULL);
	for (int i = 0; i < 3; i++) {
		uint64_t size;

		assert_int_equal(file_size(appenders[i].file, &size), 0);
		assert_int_equal(size, APPENDS * ROAD_BYTES);
		assert_int_equal(appenders[i].parked_count == APPENDS, slow || i == 1);
		file_put(appenders[i].file);
	}
	assert_int_equal(appenders_left, 0);
	assert_true(dir_counters(dir).write_count >= 3 * APPENDS);
	reactors_close();
	dir_mark_slow(dir, false);
}

static void appends_arrive_whole_and_in_order_by_every_road(void **state)
{
	(void)state;
	for (home = 0; home < 2; home++)
		for (int slow = 0; slow < 2; slow++)
			for (int ring = 0; ring < 2; ring++)
				append_by_all_roads(slow, ring);
}

/* ---- dirty bytes ---- */

static void dirty_bytes_are_counted_and_cleaned_from_half_of_the_budget_on(void **state)
{
	enum { PIECE = 1 << 20 };
	char *piece = mem_zalloc(PIECE);
	struct iovec iov = { piece, PIECE };
	struct dir_counters counters = dir_counters(dir);
	int64_t half = counters.dirty_bytes_budget / 2, written = 0;
	uint64_t syncs, until_ms;
	struct file *f;

	(void)state;
	assert_int_equal(counters.dirty_bytes, 0);
	assert_int_equal(file_open(dir, "f", FILE_WRITE | FILE_CREATE, &f), 0);
	assert_int_equal(file_write(f, &iov, 1, 0), 0);
	assert_int_equal(dir_counters(dir).dirty_bytes, PIECE);
	assert_int_equal(file_sync(f), 0);
	assert_int_equal(dir_counters(dir).dirty_bytes, 0);
	assert_int_equal(file_write(f, &iov, 1, PIECE), 0);
	file_put(f); /* closed dirty: only the file system as a whole cleans it */
	assert_int_equal(dir_counters(dir).dirty_bytes, PIECE);
	assert_int_equal(dir_syncfs(dir), 0);
	assert_int_equal(dir_counters(dir).dirty_bytes, 0);

	syncs = dir_counters(dir).sync_count;
	assert_int_equal(file_open(dir, "g", FILE_WRITE | FILE_CREATE, &f), 0);
	for (; written <= half; written += PIECE)
		assert_int_equal(file_write(f, &iov, 1, (uint64_t)written), 0);
	until_ms = mono_ms() + 30000;
	while (dir_counters(dir).dirty_bytes > PIECE && mono_ms() < until_ms)
		usleep(1000);
	assert_true(dir_counters(dir).dirty_bytes <= PIECE);
	assert_true(dir_counters(dir).sync_count > syncs);
	file_put(f);
	mem_free(piece);
}

/* ---- trouble ---- */

static struct file_op trouble_op;
static struct iovec trouble_iov;
static int64_t trouble_result;
static char block[8192];

static void trouble_over(struct file_op *op)
{
	trouble_result = op->result;
	reactors_stop();
}

static void cause_trouble(void *arg)
{
	(void)arg;
	trouble_result = file_append(&trouble_op);
	if (trouble_result != FILE_PARKED)
		reactors_stop();
}

static int64_t append_once(struct file *f, uint64_t position, size_t size, bool sync)
{
	struct reactors_options options = { .count = 1 };

	trouble_iov = (struct iovec){ block, size };
	trouble_op = (struct file_op){ .file = f,
		                       .iov = &trouble_iov,
		                       .iov_count = 1,
		                       .sync = sync,
		                       .bytes = size,
		                       .position = position,
		                       .done = trouble_over };
	assert_int_equal(reactors_open(&options), 0);
	reactors_run(cause_trouble, NULL);
	reactors_close();
	return trouble_result;
}

static void a_failed_append_is_cut_back(void **state)
{
	struct rlimit old, small;
	struct file *f;
	uint64_t size;

	(void)state;
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 10000;
	assert_int_equal(file_open(dir, "f", FILE_READ | FILE_WRITE | FILE_CREATE, &f), 0);
	assert_int_equal(append_once(f, 0, 8000, false), 8000);
	for (int sync = 0; sync < 2; sync++) {
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		assert_int_equal(append_once(f, 8000, 8000, sync), -EFBIG);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(file_size(f, &size), 0);
		assert_int_equal(size, 8000);
	}
	assert_int_equal(append_once(f, 8000, 100, true), 100);
	assert_int_equal(file_size(f, &size), 0);
	assert_int_equal(size, 8100);
	file_put(f);
}

static void a_full_disk_is_an_answer_and_passes(void **state)
{
	char mount_path[80];
	struct dir *small;
	struct file *f;
	uint64_t size, end = 0;
	int64_t n = 0;

	(void)state;
	assert_int_equal(dir_mkdir(dir, "mnt"), 0);
	snprintf(mount_path, sizeof(mount_path), "%s/mnt", path);
	if (mount("none", mount_path, "tmpfs", 0, "size=65536")) {
		print_message("not allowed to mount a tmpfs\n");
		skip();
	}
	assert_int_equal(dir_open(mount_path, false, &small), 0);
	assert_int_equal(file_open(small, "f", FILE_READ | FILE_WRITE | FILE_CREATE, &f), 0);
	while (end < 100 * sizeof(block) && (n = append_once(f, end, 7000, false)) == 7000)
		end += 7000;
	assert_int_equal(n, -ENOSPC);
	assert_int_equal(file_size(f, &size), 0);
	assert_int_equal(size, end);
	assert_int_equal(file_truncate(f, 0), 0);
	assert_int_equal(append_once(f, 0, 7000, true), 7000);
	file_put(f);
	dir_close(small);
	assert_int_equal(umount(mount_path), 0);
}

static struct file_op failing_sync;

static void failing_done(struct file_op *op)
{
	trouble_result = op->result;
	reactors_stop();
}

static void submit_failing_sync(void *arg)
{
	failing_sync = (struct file_op){ .file = arg, .done = failing_done };
	file_sync_submit(&failing_sync);
}

/* A pipe cannot be synced: the one failure that every machine has. */
static void a_failed_sync_is_the_answer_for_ever(void **state)
{
	struct reactors_options options = { .count = 1 };
	char fifo_path[80];
	struct file *fifo, *f;

	(void)state;
	snprintf(fifo_path, sizeof(fifo_path), "%s/fifo", path);
	assert_int_equal(mkfifo(fifo_path, 0600), 0);
	assert_int_equal(file_open(dir, "f", FILE_READ | FILE_WRITE | FILE_CREATE, &f), 0);
	assert_int_equal(file_open(dir, "fifo", FILE_READ | FILE_WRITE, &fifo), 0);
	assert_int_equal(file_sync(f), 0);
	for (int ring = 1; ring >= 0; ring--) {
		options.file_io_uring = ring;
		assert_int_equal(reactors_open(&options), 0);
		reactors_run(submit_failing_sync, fifo);
		reactors_close();
		assert_int_equal(trouble_result, -EINVAL);
	}
	assert_int_equal(file_sync(fifo), -EINVAL);
	assert_int_equal(file_sync(f), -EINVAL);
	assert_int_equal(dir_sync(dir, ""), -EINVAL);
	assert_int_equal(dir_syncfs(dir), -EINVAL);
	assert_int_equal(append_once(f, 0, 10, false), -EINVAL);
	assert_int_equal(append_once(f, 0, 10, true), -EINVAL);
	file_put(fifo);
	file_put(f);
}

#define in_a_directory(test) cmocka_unit_test_setup_teardown(test, open_dir, close_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_directory(names_are_listed_in_byte_order),
		in_a_directory(replace_leaves_the_new_content_and_nothing_else),
		in_a_directory(a_directory_is_locked_once),
		in_a_directory(a_directory_is_made_with_its_parents_and_knows_itself),
		in_a_directory(files_are_what_was_written),
		in_a_directory(appends_arrive_whole_and_in_order_by_every_road),
		in_a_directory(dirty_bytes_are_counted_and_cleaned_from_half_of_the_budget_on),
		in_a_directory(a_failed_append_is_cut_back),
		in_a_directory(a_full_disk_is_an_answer_and_passes),
		in_a_directory(a_failed_sync_is_the_answer_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
