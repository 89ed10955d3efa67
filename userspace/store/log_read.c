/* SPDX-License-Identifier: Apache-2.0 */
/* Finding what a reader wants: from an offset or a time to a place in a segment. */
#include "log_private.h"

#include <errno.h>

#include "base/mem.h"
#include "store/compress.h"

/* ---- index entries, in memory or in their file ---- */

struct lookup {
	const struct view_segment *at;
	struct file *file; /* of the index; NULL when it is in memory */
	const struct index *memory;
	uint32_t entry_size;
	uint32_t count;
	bool worker;
};

static int lookup_open(struct lookup *l, const struct view_segment *at, bool times, bool worker)
{
	char *path;
	uint64_t size;
	int err;

	*l = (struct lookup){ .at = at, .worker = worker };
	l->entry_size = times ? TIME_ENTRY : OFFSET_ENTRY;
	if (at->index) {
		l->memory = times ? &at->index->times : &at->index->offsets;
		l->count = index_count(l->memory);
		return 0;
	}
	if (!worker)
		return -EAGAIN;
	path = segment_path(at->segment, times ? ".timeindex" : ".index");
	err = file_open(at->segment->dir, path, FILE_READ, &l->file);
	mem_free(path);
	if (!err)
		err = file_size(l->file, &size);
	if (!err)
		l->count = (uint32_t)(size / l->entry_size);
	return err;
}

static void lookup_close(struct lookup *l)
{
	if (l->file)
		file_put(l->file);
}

static int lookup_entry(const struct lookup *l, uint32_t i, uint8_t *entry)
{
	ssize_t got;

	if (l->memory) {
		memcpy(entry, index_at(l->memory, i), l->entry_size);
		return 0;
	}
	got = file_read(l->file, entry, l->entry_size, (uint64_t)i * l->entry_size);
	if (got < 0)
		return (int)got;
	return got == (ssize_t)l->entry_size ? 0 : -EBADMSG;
}

enum entry_key { ENTRY_OFFSET = 0, ENTRY_TIME = 0, ENTRY_POSITION = 4 };

static int64_t entry_key(const struct lookup *l, const uint8_t *entry, enum entry_key by)
{
	return l->entry_size == TIME_ENTRY ? (int64_t)load_be64(entry + by)
	                                   : (int64_t)load_be32(entry + by);
}

/* The last entry whose key is <= `key`: its number plus one, 0 when there is none; or -errno. */
static int64_t lookup_floor(const struct lookup *l, enum entry_key by, int64_t key, uint8_t *entry)
{
	uint32_t low = 0;
	uint32_t high = l->count;
	int err;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int64_t value;

		err = lookup_entry(l, middle, entry);
		if (err)
			return err;
		value = entry_key(l, entry, by);
		if (value <= key)
			low = middle + 1;
		else
			high = middle;
	}
	err = low ? lookup_entry(l, low - 1, entry) : 0;
	return err ? err : (int64_t)low;
}

/* Whether the batch there ends with that offset: 1, 0 or -errno. */
static int leads_to(const struct view_segment *at, uint64_t position, int64_t last_offset,
                    bool worker)
{
	uint8_t header[BATCH_HEADER_SIZE];
	struct batch b;
	struct file *file;
	ssize_t got;
	int err = segment_file(at->segment, false, &file);

	if (err)
		return err;
	got = worker ? file_read(file, header, sizeof(header), position)
	             : file_read_hot(file, header, sizeof(header), position);
	if (got < 0)
		return (int)got;
	/* The header alone is looked at: its length may say that more follows. */
	return got == sizeof(header) && !batch_parse((struct span){ header, UINT32_MAX }, &b) &&
	       batch_last_offset(&b) == last_offset;
}

/* A position at or before the batch that holds `offset`. */
int64_t position_before(const struct view_segment *at, int64_t offset, bool worker)
{
	uint8_t entry[TIME_ENTRY];
	struct lookup l;
	int64_t found;
	int err = lookup_open(&l, at, false, worker);

	if (err == -ENOENT || err == -EBADMSG)
		return 0; /* without an index: from the beginning */
	if (err)
		return err;
	found = lookup_floor(&l, ENTRY_OFFSET, offset - at->segment->base_offset, entry);
	lookup_close(&l);
	if (found <= 0)
		return found;
	/* A wrong entry would make a reader miss batches: from the beginning then, not on a
	 * reactor.
	 */
	err = leads_to(at, load_be32(entry + 4), at->segment->base_offset + load_be32(entry),
	               worker);
	if (err < 0)
		return err;
	if (!err)
		return worker ? 0 : -EAGAIN;
	return load_be32(entry + 4);
}

int64_t offset_before(const struct view_segment *at, uint64_t position)
{
	uint8_t entry[TIME_ENTRY];
	int64_t offset = at->segment->base_offset;
	uint32_t low = 0;
	uint32_t high;
	struct lookup l;
	int err = lookup_open(&l, at, false, true);

	if (err)
		return err == -ENOENT ? offset : err;
	high = l.count;
	while (low < high && !err) {
		uint32_t middle = low + (high - low) / 2;

		err = lookup_entry(&l, middle, entry);
		if (!err && load_be32(entry + 4) <= position) {
			low = middle + 1;
			offset = at->segment->base_offset + load_be32(entry);
		} else {
			high = middle;
		}
	}
	lookup_close(&l);
	return err ? err : offset;
}

/* ---- by offset ---- */

struct locate {
	struct file *file;
	uint64_t end;
	bool worker;
	uint64_t position;
	uint32_t batch_size;
};

enum { LOCATE_BUFFER = 8192 };

static ssize_t read_at(const struct locate *l, void *data, size_t size, uint64_t position)
{
	return l->worker ? file_read(l->file, data, size, position)
	                 : file_read_hot(l->file, data, size, position);
}

/* From l->position on to the batch whose last offset is at or after `offset`. */
static int walk_to(struct locate *l, int64_t offset)
{
	uint8_t buffer[LOCATE_BUFFER];
	uint64_t buffer_at = 0;
	size_t have = 0;

	while (l->position < l->end) {
		struct batch b;
		size_t skip = (size_t)(l->position - buffer_at);
		int err;

		if (!have || skip + BATCH_HEADER_SIZE > have) {
			uint64_t left = l->end - l->position;
			size_t want = left < sizeof(buffer) ? (size_t)left : sizeof(buffer);
			ssize_t got = read_at(l, buffer, want, l->position);

			if (got < 0)
				return (int)got;
			if (got < BATCH_PREFIX_SIZE)
				return l->worker ? -EBADMSG : -EAGAIN;
			buffer_at = l->position;
			have = (size_t)got;
			skip = 0;
		}
		err = batch_parse((struct span){ buffer + skip, have - skip }, &b);
		if (err == -EAGAIN && b.size && have - skip >= BATCH_HEADER_SIZE)
			err = batch_parse((struct span){ buffer + skip, b.size }, &b);
		if (err == -EAGAIN && !l->worker)
			return -EAGAIN; /* less than asked for was in memory */
		if (err)
			return -EBADMSG;
		if (batch_last_offset(&b) >= offset) {
			l->batch_size = (uint32_t)b.size;
			return 0;
		}
		l->position += b.size;
	}
	return -ENODATA;
}

/* The last segment that begins at or before `offset`. */
static uint32_t segment_of(const struct log_view *view, int64_t offset)
{
	uint32_t low = 0;
	uint32_t high = view->count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (view->at[middle].segment->base_offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int locate_in(const struct log *log, const struct view_segment *at, int64_t offset,
                     struct locate *l)
{
	struct tail_found tail;
	int64_t position;
	int err = segment_file(at->segment, false, &l->file);

	if (err)
		return err;
	if (tail_find(&log->tail, at->segment->base_offset, offset, &tail)) {
		l->position = tail.position;
		/*
		 * Exactly where a batch begins, as a consumer at the tail asks: nothing needs to be
		 * read.  The newest of the ring ends where the bound does, which was taken before.
		 */
		if (tail.offset == offset && tail.position < l->end) {
			l->batch_size = (uint32_t)((tail.end ? tail.end : l->end) - tail.position);
			return 0;
		}
	} else {
		position = position_before(at, offset, l->worker);
		if (position < 0)
			return (int)position;
		l->position = (uint64_t)position < l->end ? (uint64_t)position : 0;
	}
	return walk_to(l, offset);
}

int log_locate(const struct log *log, const struct log_view *view, int64_t offset,
               uint32_t max_bytes, bool whole, struct log_mark bound, bool worker,
               struct log_slice *ret)
{
	int err = -ENODATA;

	if (offset < view->start_offset || offset > bound.offset)
		return -ERANGE;
	*ret = (struct log_slice){ .segment = -1 };
	if (offset == bound.offset)
		return 0;
	for (uint32_t i = segment_of(view, offset); i < view->count && err == -ENODATA; i++) {
		const struct view_segment *at = &view->at[i];
		bool last = at->segment->base_offset == bound.segment;
		struct locate l = { .worker = worker };
		uint64_t left;

		if (at->segment->base_offset > bound.segment)
			break;
		l.end = last ? bound.position
		             : atomic_load_explicit(&at->segment->size, memory_order_acquire);
		err = locate_in(log, at, offset, &l);
		if (err)
			continue; /* offsets may be missing at the end of a segment */
		left = l.end - l.position;
		if (whole && max_bytes < l.batch_size)
			max_bytes = l.batch_size;
		ret->size = left < max_bytes ? (uint32_t)left : max_bytes;
		ret->file = ret->size ? file_get(l.file) : NULL;
		ret->position = l.position;
		ret->first_size = l.batch_size;
		ret->segment = at->segment->base_offset;
	}
	return err == -ENODATA ? 0 : err;
}

/* ---- by time (worker) ---- */

struct find_time {
	struct walk walk;
	struct record_stream records;
	struct compress_sink sink;
	struct compress_scratch scratch;
	int64_t timestamp;
	int64_t start; /* offsets */
	int64_t bound;
	int64_t base_timestamp;
	struct batch batch;
	bool found;
	int err;
	struct log_time at;
};

static int on_time_record(struct record_stream *s, const struct record *r)
{
	struct find_time *f = container_of(s, struct find_time, records);
	int64_t timestamp = f->base_timestamp + r->timestamp_delta;
	int64_t offset = f->batch.base_offset + r->offset_delta;

	if (f->batch.attributes & BATCH_LOG_APPEND_TIME)
		timestamp = f->batch.max_timestamp;
	if (timestamp < f->timestamp || offset < f->start || offset >= f->bound)
		return 0;
	f->found = true;
	f->at = (struct log_time){ timestamp, offset, f->batch.leader_epoch };
	return 1;
}

static int take_piece(struct compress_sink *sink, struct span piece)
{
	return record_stream_feed(&container_of(sink, struct find_time, sink)->records, piece);
}

enum { TIME_OUTPUT_MAX = 1 << 30, TIME_RECORD_MAX = 1 << 30 };

static bool on_time_batch(struct walk *w, const struct batch *b)
{
	struct find_time *f = container_of(w, struct find_time, walk);

	if (b->base_offset >= f->bound)
		return false;
	if (b->max_timestamp < f->timestamp || batch_last_offset(b) < f->start || b->magic < 2)
		return true;
	f->batch = *b;
	f->base_timestamp = b->base_timestamp;
	f->records.each = on_time_record;
	f->records.record_size_max = TIME_RECORD_MAX;
	record_stream_begin(&f->records, b->record_count);
	f->sink.take = take_piece;
	if (batch_compression(b) == BATCH_NONE)
		f->err = record_stream_feed(&f->records, batch_records(b));
	else
		f->err = compress_decode(&f->scratch, batch_compression(b), batch_records(b),
		                         TIME_OUTPUT_MAX, &f->sink);
	if (f->err > 0)
		f->err = 0;
	return !f->found && !f->err;
}

/* The first position from which on the time may be found. */
static int64_t time_position(const struct view_segment *at, int64_t timestamp)
{
	uint8_t entry[TIME_ENTRY];
	struct lookup l;
	int64_t found;
	int err = lookup_open(&l, at, true, true);

	if (err)
		return err == -ENOENT ? 0 : err;
	/* The last entry below the time: batches up to it are all earlier. */
	found = lookup_floor(&l, ENTRY_TIME, timestamp - 1, entry);
	lookup_close(&l);
	if (found <= 0)
		return found;
	return position_before(at, at->segment->base_offset + load_be32(entry + 8), true);
}

static int find_in(const struct view_segment *at, struct find_time *f)
{
	int64_t position = time_position(at, f->timestamp);
	int err;

	if (position < 0)
		return (int)position;
	f->walk = (struct walk){
		.position = (uint64_t)position,
		.end = atomic_load_explicit(&at->segment->size, memory_order_acquire),
		.check_crc = true, /* the records are decoded: all of the batch must be there */
		.each = on_time_batch,
	};
	err = segment_file(at->segment, false, &f->walk.file);
	if (!err)
		err = walk_run(&f->walk);
	return err ? err : f->err;
}

int log_find_time(const struct log *log, const struct log_view *view, int64_t timestamp,
                  int64_t bound_offset, struct log_time *ret)
{
	struct find_time f = { .timestamp = timestamp,
		               .start = view->start_offset,
		               .bound = bound_offset };
	int err = 0;

	(void)log;
	*ret = (struct log_time){ -1, -1, -1 };
	for (uint32_t i = 0; i < view->count && !f.found && !err; i++) {
		const struct segment *s = view->at[i].segment;

		if (atomic_load_explicit(&s->max_timestamp, memory_order_relaxed) >= timestamp &&
		    s->base_offset < bound_offset)
			err = find_in(&view->at[i], &f);
	}
	compress_scratch_fini(&f.scratch);
	record_stream_fini(&f.records);
	if (f.found)
		*ret = f.at;
	return err;
}

int log_find_max_time(const struct log *log, const struct log_view *view, struct log_time *ret)
{
	int64_t max = -1;

	for (uint32_t i = 0; i < view->count; i++) {
		int64_t t = atomic_load_explicit(&view->at[i].segment->max_timestamp,
		                                 memory_order_relaxed);

		if (t > max)
			max = t;
	}
	*ret = (struct log_time){ -1, -1, -1 };
	return max < 0 ? 0 : log_find_time(log, view, max, INT64_MAX, ret);
}

/* ---- aborted transactions ---- */

static int load_txns(const struct segment *s, struct index *x)
{
	char *path = segment_path(s, ".txnindex");
	void *data;
	size_t size;
	int err = dir_read(s->dir, path, 256 << 20, &data, &size);

	mem_free(path);
	if (err)
		return err;
	for (size_t at = 0; at + TXN_ENTRY <= size; at += TXN_ENTRY)
		index_add(x, (uint8_t *)data + at);
	mem_free(data);
	return 0;
}

int64_t log_slice_bound(const struct log_view *view, const struct log_slice *slice, int64_t log_end,
                        bool worker)
{
	uint32_t i = segment_of(view, slice->segment);
	int64_t next = i + 1 < view->count ? view->at[i + 1].segment->base_offset : log_end;
	uint8_t entry[TIME_ENTRY];
	struct lookup l;
	int64_t found;
	int err = lookup_open(&l, &view->at[i], false, worker);

	if (err == -ENOENT)
		return next;
	if (err)
		return err;
	found = lookup_floor(&l, ENTRY_POSITION, (int64_t)(slice->position + slice->size) - 1,
	                     entry);
	if (found >= 0 && found < l.count) {
		err = lookup_entry(&l, (uint32_t)found, entry);
		found = err ? err : view->at[i].segment->base_offset + load_be32(entry);
	} else if (found >= 0) {
		found = next;
	}
	lookup_close(&l);
	return found;
}

/* Entries come in the order of their markers, so the walk ends at the first beyond
 * (TransactionIndex). */
static bool collect_aborted(const struct index *x, int64_t from, int64_t to, struct buf *found)
{
	uint32_t count = index_count(x);

	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *e = index_at(x, i);
		struct log_aborted aborted = { (int64_t)load_be64(e + 2),
			                       (int64_t)load_be64(e + 10) };

		if ((int64_t)load_be64(e + 18) >= from && aborted.first_offset < to)
			buf_add(found, &aborted, sizeof(aborted));
		if ((int64_t)load_be64(e + 26) >= to)
			return true;
	}
	return false;
}

int log_aborted(const struct log_view *view, int64_t from, int64_t to, bool worker,
                struct arena *arena, struct log_aborted **ret, size_t *ret_count)
{
	struct buf found = { 0 };
	bool complete = false;
	int err = 0;

	*ret_count = 0;
	for (uint32_t i = segment_of(view, from); i < view->count && !err && !complete; i++) {
		const struct view_segment *at = &view->at[i];
		struct index file;

		if (!atomic_load_explicit(&at->segment->has_aborted, memory_order_acquire))
			continue;
		if (at->index) {
			complete = collect_aborted(&at->index->txns, from, to, &found);
			continue;
		}
		if (!worker) {
			err = -EAGAIN;
			break;
		}
		index_init(&file, TXN_ENTRY);
		err = load_txns(at->segment, &file);
		if (!err)
			complete = collect_aborted(&file, from, to, &found);
		index_fini(&file);
	}
	if (!err && found.size) {
		*ret = arena_alloc(arena, found.size);
		if (*ret) {
			memcpy(*ret, found.data, found.size);
			*ret_count = found.size / sizeof(**ret);
		} else {
			err = -ENOMEM;
		}
	}
	buf_fini(&found);
	return err;
}
