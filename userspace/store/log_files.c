/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files beside a segment's bytes.  All of them can be made again from the segments, so they are
 * written by jobs, without a sync; whoever writes them holds what he needs and never the log.
 */
#include "log_private.h"

#include <errno.h>
#include <inttypes.h>

#include "base/mem.h"
#include "io/work.h"

/* ---- small files: written beside, renamed over ---- */

struct small_file {
	struct job job;
	struct dir *dir;
	char *path;
	struct buf data;
};

static int write_small(struct dir *dir, const char *path, const struct buf *data)
{
	struct iovec iov = { data->data, data->size };
	struct buf tmp = { 0 };
	struct file *file;
	int err;

	buf_printf(&tmp, "%s.tmp", path);
	err = file_open(dir, (char *)tmp.data, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &file);
	if (!err) {
		err = file_write(file, &iov, 1, 0);
		file_put(file);
	}
	if (!err)
		err = dir_rename(dir, (char *)tmp.data, path);
	buf_fini(&tmp);
	return err;
}

/* Only a hint is lost when it fails: a later start makes it again from the segments. */
static void run_small(struct job *job)
{
	struct small_file *f = container_of(job, struct small_file, job);

	(void)!write_small(f->dir, f->path, &f->data);
}

static void free_small(struct job *job)
{
	struct small_file *f = container_of(job, struct small_file, job);

	buf_fini(&f->data);
	mem_free(f->path);
	mem_free(f);
}

/* Takes path and data over. */
static void submit_small(struct dir *dir, char *path, struct buf data)
{
	struct small_file *f = mem_zalloc(sizeof(*f));

	f->job.run = run_small;
	f->job.done = free_small;
	f->dir = dir;
	f->path = path;
	f->data = data;
	work_submit(WORK_SLOW, &f->job);
}

static char *beside(const struct log *log, const char *name)
{
	struct buf path = { 0 };

	buf_printf(&path, "%s/%s", log->options.name, name);
	return (char *)path.data;
}

static char *snapshot_path(const struct log *log, int64_t offset)
{
	struct buf path = { 0 };

	buf_printf(&path, "%s/%020" PRId64 ".snapshot", log->options.name, offset);
	return (char *)path.data;
}

void log_save_epochs(struct log *log)
{
	struct buf data = { 0 };

	epoch_cache_encode(&log->epochs, &data);
	submit_small(log->options.dir, beside(log, "leader-epoch-checkpoint"), data);
}

void log_save_snapshot(struct log *log, int64_t offset)
{
	struct buf data = { 0 };

	if (offset <= log->last_snapshot_offset)
		return;
	log->last_snapshot_offset = offset;
	producers_encode(&log->producers, &data);
	submit_small(log->options.dir, snapshot_path(log, offset), data);
}

/* ---- indexes ---- */

int write_index(struct dir *dir, const char *path, const struct index *x, uint32_t from,
                bool truncate)
{
	uint32_t count = index_count(x);
	struct buf data = { 0 };
	struct iovec iov;
	struct file *file;
	int err = file_open(dir, path, FILE_WRITE | FILE_CREATE, &file);

	if (err)
		return err;
	for (uint32_t i = from; i < count; i++)
		buf_add(&data, index_at(x, i), x->entry_size);
	iov = (struct iovec){ data.data, data.size };
	if (data.size)
		err = file_write(file, &iov, 1, (uint64_t)from * x->entry_size);
	if (!err && truncate)
		err = file_truncate(file, (uint64_t)count * x->entry_size);
	file_put(file);
	buf_fini(&data);
	return err;
}

struct index_write {
	struct job job;
	struct segment *segment;
	struct segment_index *index;
	uint32_t offsets_from;
	uint32_t times_from;
	bool last; /* of a segment that is closed */
};

static int write_both(const struct segment *s, const struct segment_index *x, uint32_t offsets_from,
                      uint32_t times_from, bool last)
{
	char *offsets = segment_path(s, ".index");
	char *times = segment_path(s, ".timeindex");
	int err = write_index(s->dir, offsets, &x->offsets, offsets_from, last);

	if (!err)
		err = write_index(s->dir, times, &x->times, times_from, last);
	mem_free(offsets);
	mem_free(times);
	return err;
}

static void run_index(struct job *job)
{
	struct index_write *w = container_of(job, struct index_write, job);
	int err = write_both(w->segment, w->index, w->offsets_from, w->times_from, w->last);

	/* The memory may be forgotten only when the files are whole. */
	if (!err && w->last)
		atomic_store_explicit(&w->index->in_files, true, memory_order_release);
}

static void free_index(struct job *job)
{
	struct index_write *w = container_of(job, struct index_write, job);

	segment_put(w->segment);
	segment_index_put(w->index);
	mem_free(w);
}

static void submit_index(struct log *log, bool last)
{
	struct index_write *w = mem_zalloc(sizeof(*w));

	w->job.run = run_index;
	w->job.done = free_index;
	w->segment = segment_get(log->active);
	w->index = segment_index_get(log->index);
	w->offsets_from = last ? 0 : log->index->offsets.written;
	w->times_from = last ? 0 : log->index->times.written;
	w->last = last;
	log->index->offsets.written = index_count(&log->index->offsets);
	log->index->times.written = index_count(&log->index->times);
	work_submit(WORK_SLOW, &w->job);
}

void log_write_indexes(struct log *log)
{
	const struct index *x = &log->index->offsets;

	if (index_count(x) - x->written >= index_per_chunk(x))
		submit_index(log, false);
}

void log_retire_active(struct log *log)
{
	time_entry_add(&log->index->times, log->active);
	submit_index(log, true);
	log->active = NULL;
	segment_index_put(log->index);
	log->index = NULL;
}

/* ---- segments ---- */

/* Indexes that are in their files leave the memory with the next view. */
static void forget_indexes(struct log_view *view)
{
	for (uint32_t i = 0; i < view->count; i++) {
		struct segment_index *x = view->at[i].index;

		if (x && atomic_load_explicit(&x->in_files, memory_order_acquire)) {
			segment_index_put(x);
			view->at[i].index = NULL;
		}
	}
}

int log_add_segment(struct log *log, int64_t base_offset, int64_t now_ms)
{
	struct segment *s = segment_new(log->options.dir, log->options.name, base_offset);
	struct log_view *view;
	struct file *file;
	int err = segment_file(s, true, &file);

	if (err) {
		segment_put(s);
		return err;
	}
	s->created_ms = now_ms;
	log->active = s; /* the view's reference */
	log->index = segment_index_new();
	view = view_copy(log_view(log), 1);
	forget_indexes(view);
	if (!view->count && view->start_offset < base_offset)
		view->start_offset = base_offset;
	view->at[view->count++] = (struct view_segment){ s, segment_index_get(log->index) };
	view_publish(log, view);
	tail_reset(&log->tail, base_offset);
	log->group_offset = base_offset;
	log_mark_publish(&log->end, (struct log_mark){ base_offset, base_offset, 0 });
	return 0;
}

/* ---- whole logs (worker) ---- */

int log_create(struct dir *dir, const char *name, struct uuid topic_id)
{
	struct buf path = { 0 };
	struct buf data = { 0 };
	char text[UUID_TEXT_SIZE + 1];
	int err = dir_mkdir(dir, name);

	if (err && err != -EEXIST)
		return err;
	uuid_format(topic_id, text);
	buf_printf(&path, "%s/partition.metadata", name);
	buf_printf(&data, "version: 0\ntopic_id: %s", text);
	err = write_small(dir, (char *)path.data, &data);
	buf_fini(&path);
	buf_fini(&data);
	return err;
}

int log_topic_id(struct dir *dir, const char *name, struct uuid *ret)
{
	static const char prefix[] = "version: 0\ntopic_id: ";
	struct buf path = { 0 };
	void *data;
	size_t size;
	int err;

	buf_printf(&path, "%s/partition.metadata", name);
	err = dir_read(dir, (char *)path.data, 4096, &data, &size);
	buf_fini(&path);
	if (err)
		return err;
	while (size && ((char *)data)[size - 1] == '\n')
		size--;
	if (size != sizeof(prefix) - 1 + UUID_TEXT_SIZE ||
	    memcmp(data, prefix, sizeof(prefix) - 1) ||
	    !uuid_parse((struct str){ (char *)data + sizeof(prefix) - 1, UUID_TEXT_SIZE }, ret))
		err = -EBADMSG;
	mem_free(data);
	return err;
}

static int write_state(struct log *log)
{
	struct buf data = { 0 };
	int64_t end = log_end_offset(log);
	char *path;
	int err;

	epoch_cache_encode(&log->epochs, &data);
	path = beside(log, "leader-epoch-checkpoint");
	err = write_small(log->options.dir, path, &data);
	mem_free(path);
	data.size = 0;
	if (!err && end > log->last_snapshot_offset) {
		producers_encode(&log->producers, &data);
		path = snapshot_path(log, end);
		err = write_small(log->options.dir, path, &data);
		mem_free(path);
	}
	buf_fini(&data);
	return err;
}

static void free_log(struct log *log)
{
	struct log_view *view = atomic_load_explicit(&log->view, memory_order_relaxed);

	log_view_put(view);
	segment_index_put(log->index);
	producers_fini(&log->producers);
	epoch_cache_fini(&log->epochs);
	mem_free((char *)(uintptr_t)log->options.name);
	mem_free(log);
}

int log_close(struct log *log, bool clean)
{
	const struct log_view *view;
	int err = 0;

	if (!log)
		return 0;
	check(!log_has_staged(log));
	view = log_view(log);
	if (clean && log->active)
		time_entry_add(&log->index->times, log->active);
	for (uint32_t i = 0; clean && !err && i < view->count; i++) {
		if (view->at[i].index)
			err = write_both(view->at[i].segment, view->at[i].index, 0, 0, true);
	}
	if (clean && !err)
		err = write_state(log);
	free_log(log);
	return err;
}

int log_sync(struct log *log)
{
	int64_t end = log_end_offset(log);
	int64_t from = log_recovery_point(log);
	const struct log_view *view = log_view_get(log_view(log));
	int err = 0;

	for (uint32_t i = 0; !err && i < view->count; i++) {
		int64_t next =
			i + 1 < view->count ? view->at[i + 1].segment->base_offset : INT64_MAX;
		struct file *file;

		if (next <= from)
			continue;
		err = segment_file(view->at[i].segment, false, &file);
		if (!err)
			err = file_sync(file);
	}
	log_view_put(view);
	if (!err && end > from)
		atomic_store_explicit(&log->recovery_point, end, memory_order_release);
	return err;
}
