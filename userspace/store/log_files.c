/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files beside a segment's bytes.  All of them can be made again from the segments, so they are
 * written by jobs, without a sync; whoever writes them holds what he needs and never the log.
 */
#include "log_private.h"

#include <errno.h>
#include <inttypes.h>

#include "base/mem.h"

/* ---- small files: written beside, renamed over ---- */

struct small_file {
	struct task task;
	struct dir *dir;
	char *path;
	struct buf data;
};

int write_small(struct dir *dir, const char *path, const struct buf *data)
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
	if (err)
		(void)!dir_unlink(dir, (char *)tmp.data); /* on a full disk its room is needed */
	buf_fini(&tmp);
	return err;
}

/*
 * A later start makes again what is missing, from the segments; but an old file would be believed
 * below the recovery point.
 */
static void run_small(struct task *task)
{
	struct small_file *f = container_of(task, struct small_file, task);

	if (write_small(f->dir, f->path, &f->data))
		(void)!dir_unlink(f->dir, f->path);
	buf_fini(&f->data);
	mem_free(f->path);
	mem_free(f);
}

/* Takes path and data over. */
static void add_small(struct log *log, char *path, struct buf data)
{
	struct small_file *f = mem_zalloc(sizeof(*f));

	f->task.run = run_small;
	f->dir = log->options.dir;
	f->path = path;
	f->data = data;
	beside_add(log->beside, &f->task);
}

char *log_path(const char *log_name, const char *name)
{
	struct buf path = { 0 };

	buf_printf(&path, "%s/%s", log_name, name);
	return (char *)path.data;
}

char *snapshot_path(const char *log_name, int64_t offset)
{
	struct buf path = { 0 };

	buf_printf(&path, "%s/%020" PRId64 ".snapshot", log_name, offset);
	return (char *)path.data;
}

void log_save_epochs(struct log *log)
{
	struct buf data = { 0 };

	epoch_cache_encode(&log->epochs, &data);
	add_small(log, log_path(log->options.name, "leader-epoch-checkpoint"), data);
}

void log_save_snapshot(struct log *log, int64_t offset)
{
	struct buf data = { 0 };

	if (offset <= log->last_snapshot_offset)
		return;
	log->last_snapshot_offset = offset;
	producers_encode(&log->producers, &data);
	add_small(log, snapshot_path(log->options.name, offset), data);
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

static int write_one(const struct segment *s, const char *suffix, const struct index *x,
                     uint32_t from, bool whole)
{
	char *path = segment_path(s, suffix);
	int err = write_index(s->dir, path, x, from, whole);

	mem_free(path);
	return err;
}

/* Times before offsets: a start after a kill walks from the last offset entry on. */
static int write_from(const struct segment *s, const struct segment_index *x, uint32_t txns_from,
                      uint32_t times_from, uint32_t offsets_from, bool whole)
{
	int err = write_one(s, ".timeindex", &x->times, times_from, whole);

	if (!err)
		err = write_one(s, ".index", &x->offsets, offsets_from, whole);
	if (!err && index_count(&x->txns) > txns_from)
		err = write_one(s, ".txnindex", &x->txns, txns_from, whole);
	return err;
}

int write_indexes(const struct segment *s, const struct segment_index *x)
{
	return write_from(s, x, 0, 0, 0, true);
}

struct index_task {
	struct task task;
	struct segment *segment;
	struct segment_index *index;
	uint32_t offsets_from;
	uint32_t times_from;
	uint32_t txns_from;
	bool last; /* of a segment that is closed */
};

static void remove_index(const struct segment *s)
{
	char *path = segment_path(s, ".index");

	(void)!dir_unlink(s->dir, path);
	mem_free(path);
}

static void run_index(struct task *task)
{
	struct index_task *w = container_of(task, struct index_task, task);
	int err = write_from(w->segment, w->index, w->txns_from, w->times_from, w->offsets_from,
	                     w->last);

	/* The memory may be forgotten only when the files are whole; the next start is to see it.
	 */
	if (err)
		remove_index(w->segment);
	else if (w->last)
		atomic_store_explicit(&w->index->in_files, true, memory_order_release);
	segment_put(w->segment);
	segment_index_put(w->index);
	mem_free(w);
}

static void add_index(struct log *log, bool last)
{
	struct index_task *w = mem_zalloc(sizeof(*w));
	struct segment_index *x = log->index;

	w->task.run = run_index;
	w->segment = segment_get(log->active);
	w->index = segment_index_get(x);
	w->offsets_from = last ? 0 : x->offsets.written;
	w->times_from = last ? 0 : x->times.written;
	w->txns_from = last ? 0 : x->txns.written;
	w->last = last;
	x->offsets.written = index_count(&x->offsets);
	x->times.written = index_count(&x->times);
	x->txns.written = index_count(&x->txns);
	beside_add(log->beside, &w->task);
}

void log_write_indexes(struct log *log)
{
	const struct index *x = &log->index->offsets;

	if (index_count(x) - x->written >= index_per_chunk(x) ||
	    index_count(&log->index->txns) != log->index->txns.written)
		add_index(log, false);
}

void log_retire_active(struct log *log)
{
	time_entry_add(&log->index->times, log->active);
	add_index(log, true);
	log->active = NULL;
	segment_index_put(log->index);
	log->index = NULL;
}

/* ---- segments that go ---- */

struct remove_task {
	struct task task;
	struct segment *segment;
	char *log_name;
	bool rename; /* to .deleted; else unlink what was renamed */
};

static const char *const segment_suffix[] = { ".log", ".index", ".timeindex", ".txnindex",
	                                      ".snapshot" };

/* What cannot be renamed or removed now is so at the next start. */
static void run_remove(struct task *task)
{
	struct remove_task *t = container_of(task, struct remove_task, task);

	struct file *file;

	/* Who still has a view with it reads on: it is open, whatever its name. */
	if (t->rename)
		(void)!segment_file(t->segment, false, &file);
	for (size_t i = 0; i < array_count(segment_suffix); i++) {
		char *path = segment_path(t->segment, segment_suffix[i]);
		struct buf deleted = { 0 };

		buf_printf(&deleted, "%s.deleted", path);
		if (t->rename)
			(void)!dir_rename(t->segment->dir, path, (char *)deleted.data);
		else
			(void)!dir_unlink(t->segment->dir, (char *)deleted.data);
		buf_fini(&deleted);
		mem_free(path);
	}
	/* A power cut must not bring back one that is older than one that stays deleted. */
	if (t->rename)
		(void)!dir_sync(t->segment->dir, t->log_name);
	segment_put(t->segment);
	mem_free(t->log_name);
	mem_free(t);
}

static void add_remove(struct log *log, struct segment *s, bool rename)
{
	struct remove_task *t = mem_zalloc(sizeof(*t));

	t->task.run = run_remove;
	t->segment = segment_get(s);
	t->log_name = str_dup(str_of(log->options.name));
	t->rename = rename;
	beside_add(log->beside, &t->task);
}

void log_rename_deleted(struct log *log, struct segment *s)
{
	add_remove(log, s, true);
}

void log_unlink_deleted(struct log *log, struct segment *s)
{
	add_remove(log, s, false);
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

int log_create(struct dir *dir, const char *name, struct uuid topic_id, bool reborn)
{
	int err = dir_mkdir(dir, name);

	return err ? err : log_identify(dir, name, topic_id, reborn);
}

int log_identify(struct dir *dir, const char *name, struct uuid topic_id, bool reborn)
{
	struct buf path = { 0 };
	struct buf data = { 0 };
	char text[UUID_TEXT_SIZE + 1];
	int err;

	if (reborn) {
		err = write_recovery_limit(dir, name, 0);
		if (err)
			return err;
	}
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

/* ---- closing ---- */

static int write_state(struct log *log)
{
	struct buf data = { 0 };
	int64_t end = log_end_offset(log);
	char *path;
	int err;

	epoch_cache_encode(&log->epochs, &data);
	path = log_path(log->options.name, "leader-epoch-checkpoint");
	err = write_small(log->options.dir, path, &data);
	mem_free(path);
	data.size = 0;
	if (!err && end > log->last_snapshot_offset) {
		producers_encode(&log->producers, &data);
		path = snapshot_path(log->options.name, end);
		err = write_small(log->options.dir, path, &data);
		mem_free(path);
	}
	buf_fini(&data);
	return err;
}

void log_free(struct log *log)
{
	if (!log)
		return;
	log_view_put(atomic_load_explicit(&log->view, memory_order_relaxed));
	for (size_t i = 0; i < log->doomed_count; i++)
		segment_put(log->doomed[i].segment);
	segment_index_put(log->index);
	producers_fini(&log->producers);
	epoch_cache_fini(&log->epochs);
	beside_put(log->beside);
	mem_free(log->doomed);
	mem_free(log->ended);
	mem_free(log->group_txn);
	mem_free((char *)(uintptr_t)log->options.name);
	mem_free(log);
}

static int close_clean(struct log *log)
{
	const struct log_view *view = log_view(log);
	int err = 0;

	if (log->active)
		time_entry_add(&log->index->times, log->active);
	for (uint32_t i = 0; !err && i < view->count; i++) {
		const struct view_segment *at = &view->at[i];

		if (at->index && !atomic_load(&at->index->in_files))
			err = write_indexes(at->segment, at->index);
	}
	log_remove_doomed(log, INT64_MAX);
	beside_drain(log->beside);
	return err ? err : write_state(log);
}

int log_close(struct log *log, bool clean)
{
	int err = 0;

	if (!log)
		return 0;
	check(!log_has_staged(log));
	log->beside->closing = true;
	beside_drain(log->beside);
	if (clean && !log->failed)
		err = close_clean(log);
	else if (clean)
		err = log->failed;
	log_free(log);
	return err;
}
