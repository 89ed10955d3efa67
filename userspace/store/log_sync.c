/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on the device.  The recovery point only says what was synced since the log was last cut:
 * views carry the number of cuts, and whoever synced an older one moves nothing.
 */
#include "log_private.h"

#include <errno.h>
#include <inttypes.h>

#include "base/mem.h"
#include "io/reactor.h"

/* ---- the recovery point ---- */

int64_t log_recovery_point(const struct log *log)
{
	return atomic_load_explicit(&log->recovery_point, memory_order_acquire);
}

static void lower(_Atomic(int64_t) *point, int64_t offset)
{
	int64_t from = atomic_load(point);

	while (offset < from && !atomic_compare_exchange_weak(point, &from, offset))
		;
}

void recovery_point_cut(struct log *log, int64_t offset)
{
	lower(&log->lowest_cut, offset);
	atomic_fetch_add(&log->beside->cuts, 1);
	lower(&log->recovery_point, offset);
}

void recovery_point_raise(struct log *log, uint32_t cuts, int64_t end)
{
	int64_t from = atomic_load(&log->recovery_point);

	while (end > from && atomic_load(&log->beside->cuts) == cuts &&
	       !atomic_compare_exchange_weak(&log->recovery_point, &from, end))
		;
	/* A cut in between: too low is always right. */
	if (atomic_load(&log->beside->cuts) != cuts)
		lower(&log->recovery_point, atomic_load(&log->lowest_cut));
}

/* ---- syncing ---- */

const struct log_view *log_view_to_sync(const struct log *log, int64_t *ret_end)
{
	const struct log_view *view;

	/* An end that was read while the view stayed the same belongs to it. */
	do {
		view = log_view(log);
		*ret_end = log_end_offset(log);
	} while (log_view(log) != view);
	return log_view_get(view);
}

void log_drain(struct log *log)
{
	beside_drain(log->beside);
}

void log_synced(struct log *log, const struct log_view *view, int64_t end)
{
	for (uint32_t i = 0; i < view->count; i++)
		atomic_store_explicit(&view->at[i].segment->is_named, true, memory_order_relaxed);
	recovery_point_raise(log, view->cuts, end);
	atomic_store(&log->is_rooted, true);
	atomic_store_explicit(&log->synced_ms, mono_ms(), memory_order_relaxed);
}

static int sync_small(struct dir *dir, char *path)
{
	struct file *file;
	int err = file_open(dir, path, FILE_READ | FILE_WRITE, &file);

	mem_free(path);
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	err = file_sync(file);
	file_put(file);
	return err;
}

/* The segments above the recovery point, with the snapshots that they begin with. */
static int sync_segments(struct log *log, const struct log_view *view)
{
	int64_t from = log_recovery_point(log);
	int err = 0;

	for (uint32_t i = 0; !err && i < view->count; i++) {
		const struct segment *s = view->at[i].segment;
		int64_t next =
			i + 1 < view->count ? view->at[i + 1].segment->base_offset : INT64_MAX;
		struct file *file;

		if (next <= from)
			continue;
		err = segment_file(view->at[i].segment, false, &file);
		if (err == -ENOENT) { /* deleted meanwhile */
			err = 0;
			continue;
		}
		if (!err)
			err = file_sync(file);
		if (!err && s->base_offset > from)
			err = sync_small(log->options.dir,
			                 snapshot_path(log->options.name, s->base_offset));
	}
	return err;
}

/* Nobody has synced the log since it was made, for all we know. */
static int sync_root(struct log *log)
{
	int err = sync_small(log->options.dir, log_path(log->options.name, "partition.metadata"));

	return err ? err : dir_sync(log->options.dir, "");
}

int log_sync(struct log *log, const struct log_view *view, int64_t end)
{
	const char *name = log->options.name;
	struct dir *dir = log->options.dir;
	int err;

	beside_drain(log->beside); /* epochs and snapshots below `end` are in their files */
	err = sync_segments(log, view);
	if (!err)
		err = sync_small(dir, log_path(name, "leader-epoch-checkpoint"));
	if (!err && !atomic_load(&log->is_rooted))
		err = sync_root(log);
	if (!err)
		err = dir_sync(dir, name);
	if (!err)
		log_synced(log, view, end);
	return err;
}

bool log_is_flush_due(const struct log *log)
{
	int64_t flush_ms = atomic_load_explicit(&log->flush_ms, memory_order_relaxed);
	uint64_t synced_ms = atomic_load_explicit(&log->synced_ms, memory_order_relaxed);

	return flush_ms != INT64_MAX && log_end_offset(log) > log_recovery_point(log) &&
	       mono_ms() - synced_ms >= (uint64_t)flush_ms;
}

/* ---- the recovery limit ---- */

#define LIMIT_FILE "recovery-point"

int64_t read_recovery_limit(struct dir *dir, const char *log_name)
{
	char *path = log_path(log_name, LIMIT_FILE);
	int64_t limit = 0; /* there and not to be read: nothing is believed */
	void *data;
	size_t size;
	int err = dir_read(dir, path, 64, &data, &size);

	mem_free(path);
	if (err)
		return err == -ENOENT ? INT64_MAX : 0;
	for (size_t i = 0; i < size && limit < INT64_MAX / 10 - 9; i++) {
		char c = ((char *)data)[i];

		if (c < '0' || c > '9')
			break;
		limit = limit * 10 + (c - '0');
	}
	mem_free(data);
	return limit;
}

int write_recovery_limit(struct dir *dir, const char *log_name, int64_t offset)
{
	int64_t limit = read_recovery_limit(dir, log_name);
	struct buf text = { 0 };
	char *path;
	int err;

	if (limit <= offset)
		return 0;
	path = log_path(log_name, LIMIT_FILE);
	buf_printf(&text, "%" PRId64 "\n", offset);
	err = dir_replace(dir, path, text.data, text.size, true);
	buf_fini(&text);
	mem_free(path);
	return err;
}

int limit_recovery(struct log *log, int64_t offset)
{
	atomic_store(&log->beside->has_limit, true);
	return write_recovery_limit(log->options.dir, log->options.name, offset);
}

bool log_is_limited(const struct log *log)
{
	return atomic_load(&log->beside->has_limit);
}

int log_unlimit(struct dir *dir, const char *log_name)
{
	char *path = log_path(log_name, LIMIT_FILE);
	int err = dir_unlink(dir, path);

	mem_free(path);
	return err == -ENOENT ? 0 : err;
}

struct limit_task {
	struct task task;
	struct beside *beside;
	uint32_t cuts;
	struct dir *dir;
	char *log_name;
};

/* A cut that begins from here on waits for what runs beside the log, and then writes its own. */
static void run_limit(struct task *task)
{
	struct limit_task *t = container_of(task, struct limit_task, task);

	if (atomic_load(&t->beside->cuts) == t->cuts && !log_unlimit(t->dir, t->log_name))
		atomic_store(&t->beside->has_limit, false);
	beside_put(t->beside);
	mem_free(t->log_name);
	mem_free(t);
}

void log_checkpointed(struct log *log, const struct log_view *view)
{
	struct limit_task *t;

	if (!atomic_load(&log->beside->has_limit) || atomic_load(&log->beside->cuts) != view->cuts)
		return;
	t = mem_zalloc(sizeof(*t));
	t->task.run = run_limit;
	t->beside = beside_get(log->beside);
	t->cuts = view->cuts;
	t->dir = log->options.dir;
	t->log_name = str_dup(str_of(log->options.name));
	beside_add(log->beside, &t->task);
}
