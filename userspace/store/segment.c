/* SPDX-License-Identifier: Apache-2.0 */
#include "log_private.h"

#include <errno.h>

#include <inttypes.h>

#include "base/mem.h"

struct segment *segment_new(struct dir *dir, const char *log_name, int64_t base_offset)
{
	struct segment *s = mem_zalloc(sizeof(*s));
	struct buf path = { 0 };

	buf_printf(&path, "%s/%020" PRId64, log_name, base_offset);
	atomic_init(&s->refs, 1);
	s->base_offset = base_offset;
	s->dir = dir;
	s->path = (char *)path.data; /* terminated by buf_printf() */
	atomic_init(&s->max_timestamp, -1);
	atomic_init(&s->max_timestamp_offset, -1);
	s->first_timestamp = -1;
	return s;
}

struct segment *segment_get(struct segment *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void segment_put(struct segment *s)
{
	struct file *file;

	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	file = atomic_load_explicit(&s->file, memory_order_relaxed);
	if (file)
		file_put(file);
	mem_free(s->path);
	mem_free(s);
}

char *segment_path(const struct segment *s, const char *suffix)
{
	struct buf path = { 0 };

	buf_printf(&path, "%s%s", s->path, suffix);
	return (char *)path.data;
}

int segment_file(struct segment *s, bool create, struct file **ret)
{
	struct file *file = atomic_load_explicit(&s->file, memory_order_acquire);
	struct file *first = NULL;
	char *path;
	int err;

	if (file) {
		*ret = file;
		return 0;
	}
	path = segment_path(s, ".log");
	err = file_open(s->dir, path, FILE_READ | FILE_WRITE | (create ? FILE_CREATE : 0), &file);
	mem_free(path);
	if (err == -ENOENT && (*ret = atomic_load_explicit(&s->file, memory_order_acquire)))
		return 0; /* it was being deleted, and is still open */
	if (err)
		return err;
	/* Two may have opened it: the first one's stays. */
	if (!atomic_compare_exchange_strong(&s->file, &first, file)) {
		file_put(file);
		file = first;
	}
	*ret = file;
	return 0;
}

struct segment_index *segment_index_new(void)
{
	struct segment_index *x = mem_zalloc(sizeof(*x));

	atomic_init(&x->refs, 1);
	index_init(&x->offsets, OFFSET_ENTRY);
	index_init(&x->times, TIME_ENTRY);
	index_init(&x->txns, TXN_ENTRY);
	return x;
}

struct segment_index *segment_index_get(struct segment_index *x)
{
	if (x)
		atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
	return x;
}

void segment_index_put(struct segment_index *x)
{
	if (!x || atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) != 1)
		return;
	index_fini(&x->offsets);
	index_fini(&x->times);
	index_fini(&x->txns);
	mem_free(x);
}

void offset_entry_add(struct index *x, const struct segment *s, int64_t offset, uint64_t position)
{
	uint8_t entry[OFFSET_ENTRY];

	store_be32(entry, (uint32_t)(offset - s->base_offset));
	store_be32(entry + 4, (uint32_t)position);
	index_add(x, entry);
}

/* TimeIndex.maybeAppend: timestamps rise strictly. */
void time_entry_add(struct index *x, const struct segment *s)
{
	int64_t timestamp = atomic_load_explicit(&s->max_timestamp, memory_order_relaxed);
	int64_t offset = atomic_load_explicit(&s->max_timestamp_offset, memory_order_relaxed);
	uint32_t count = index_count(x);
	uint8_t entry[TIME_ENTRY];

	if (timestamp < 0)
		return;
	if (count && (int64_t)load_be64(x->last->data +
	                                (count - 1) % index_per_chunk(x) * TIME_ENTRY) >= timestamp)
		return;
	store_be64(entry, (uint64_t)timestamp);
	store_be32(entry + 8, (uint32_t)(offset - s->base_offset));
	index_add(x, entry);
}

/* AbortedTxn.java */
void txn_entry_add(struct index *x, const struct producer_txn_end *end)
{
	uint8_t entry[TXN_ENTRY];

	store_be16(entry, 0);
	store_be64(entry + 2, (uint64_t)end->producer_id);
	store_be64(entry + 10, (uint64_t)end->first_offset);
	store_be64(entry + 18, (uint64_t)end->last_offset);
	store_be64(entry + 26, (uint64_t)end->last_stable_offset);
	index_add(x, entry);
}

void segment_count_batch(struct segment *s, struct segment_index *x, const struct batch *b,
                         uint64_t position, uint32_t interval)
{
	if (b->max_timestamp > atomic_load_explicit(&s->max_timestamp, memory_order_relaxed)) {
		atomic_store_explicit(&s->max_timestamp_offset, batch_last_offset(b),
		                      memory_order_relaxed);
		atomic_store_explicit(&s->max_timestamp, b->max_timestamp, memory_order_relaxed);
	}
	if (!position)
		s->first_timestamp = b->max_timestamp;
	if (s->bytes_since_index > interval) {
		offset_entry_add(&x->offsets, s, batch_last_offset(b), position);
		time_entry_add(&x->times, s);
		s->bytes_since_index = 0;
	}
	s->bytes_since_index += b->size;
}

/* ---- walking ---- */

enum { WALK_BUFFER = 64 * 1024, WALK_SKIP = 4096, WALK_BATCH_MAX = 1 << 30 };

/* Bytes from `position` on are in the buffer: at least `want`, unless the end comes first. */
static struct span fill(struct walk *w, size_t want)
{
	uint64_t left = w->end - w->position;
	uint64_t have_end = w->buffer_at + w->buffer.size;
	ssize_t got;

	if (want > left)
		want = (size_t)left;
	if (w->position < w->buffer_at || w->position + want > have_end) {
		/* Of large batches only the headers are read. */
		size_t ahead =
			!w->check_crc && w->last_size > WALK_SKIP ? BATCH_HEADER_SIZE : WALK_BUFFER;
		size_t size = want > ahead ? want : ahead;

		if (size > left)
			size = (size_t)left;
		w->buffer.size = 0;
		w->buffer_at = w->position;
		got = file_read(w->file, buf_extend(&w->buffer, size), size, w->position);
		w->buffer.size = got < 0 ? 0 : (size_t)got;
		if (got < 0)
			w->error = (int)got;
	}
	return (struct span){ w->buffer.data + (w->position - w->buffer_at),
		              w->buffer.size - (size_t)(w->position - w->buffer_at) };
}

static bool step(struct walk *w)
{
	struct span bytes = fill(w, BATCH_HEADER_SIZE);
	struct batch b;
	int err = batch_parse(bytes, &b);

	if (err == -EAGAIN && b.size && b.size <= w->end - w->position && b.size < WALK_BATCH_MAX) {
		size_t size = b.size;

		/*
		 * Larger than what is in memory.  The header alone tells all but the checksum; it
		 * is parsed as if the rest were there.  Markers are small, and are looked into.
		 */
		if (!w->check_crc && bytes.size >= BATCH_HEADER_SIZE)
			err = batch_parse((struct span){ bytes.data, size }, &b);
		if (err || batch_is_control(&b))
			err = batch_parse(fill(w, size), &b);
	}
	if (w->error)
		return false;
	if (err || (w->check_crc && !batch_crc_ok(&b))) {
		w->error = -EBADMSG;
		return false;
	}
	if (!w->each(w, &b))
		return false;
	w->last_position = w->position;
	w->position += b.size;
	w->last_size = b.size;
	return true;
}

int walk_run(struct walk *w)
{
	w->error = 0;
	while (w->position < w->end && step(w))
		;
	buf_fini(&w->buffer);
	return w->error;
}
