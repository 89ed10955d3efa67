/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of a segment may be believed, and what follows from it (LogSegment.recover,
 * sanityCheck; ProducerStateManager).  First the end is found and the index made to agree; then
 * producers and epochs are replayed over what is good.
 */
#include "log_private.h"

#include <errno.h>

#include "base/mem.h"

/* ---- index files ---- */

static bool offsets_ok(const struct index *x, uint64_t size)
{
	int64_t before_offset = -1;
	int64_t before_position = -1;

	for (uint32_t i = 0; i < index_count(x); i++) {
		const uint8_t *entry = index_at(x, i);
		int64_t offset = load_be32(entry);
		int64_t position = load_be32(entry + 4);

		if (offset <= before_offset || position <= before_position ||
		    position >= (int64_t)size || offset > INT32_MAX)
			return false;
		before_offset = offset;
		before_position = position;
	}
	return true;
}

static bool times_ok(const struct index *x)
{
	int64_t before = -1;

	for (uint32_t i = 0; i < index_count(x); i++) {
		int64_t timestamp = (int64_t)load_be64(index_at(x, i));

		if (timestamp <= before || load_be32(index_at(x, i) + 8) > INT32_MAX)
			return false;
		before = timestamp;
	}
	return true;
}

/* Kafka keeps an active segment's index files at segment.index.bytes, zeros behind the entries. */
static int refuse_preallocated(const struct segment *s, const char *path, uint32_t entry_size)
{
	static const uint8_t zeros[TIME_ENTRY];
	uint8_t entry[TIME_ENTRY];
	struct file *file;
	uint64_t size;
	int err = file_open(s->dir, path, FILE_READ, &file);

	if (err)
		return err;
	err = file_size(file, &size);
	if (!err && size > entry_size &&
	    file_read(file, entry, entry_size, size - entry_size) == (ssize_t)entry_size &&
	    !memcmp(entry, zeros, entry_size))
		err = -EBADMSG;
	file_put(file);
	return err;
}

static int read_index(const struct segment *s, const char *suffix, struct index *x)
{
	char *path = segment_path(s, suffix);
	void *data;
	size_t size;
	int err = refuse_preallocated(s, path, x->entry_size);

	if (!err)
		err = dir_read(s->dir, path, 256 << 20, &data, &size);
	mem_free(path);
	if (err)
		return err;
	if (size % x->entry_size)
		err = -EBADMSG;
	for (size_t at = 0; !err && at < size; at += x->entry_size)
		index_add(x, (uint8_t *)data + at);
	mem_free(data);
	x->written = index_count(x);
	return err;
}

/* Reads both index files; false when they cannot be believed. */
static bool load_indexes(struct segment *s, struct segment_index *x, uint64_t size)
{
	uint32_t count;

	if (read_index(s, ".index", &x->offsets) || read_index(s, ".timeindex", &x->times) ||
	    !offsets_ok(&x->offsets, size) || !times_ok(&x->times))
		return false;
	count = index_count(&x->times);
	if (count) {
		const uint8_t *last = index_at(&x->times, count - 1);

		atomic_store(&s->max_timestamp, (int64_t)load_be64(last));
		atomic_store(&s->max_timestamp_offset, s->base_offset + load_be32(last + 8));
	}
	return true;
}

static void forget_indexes(struct segment *s, struct segment_index *x)
{
	index_cut(&x->offsets, 0);
	index_cut(&x->times, 0);
	atomic_store(&s->max_timestamp, -1);
	atomic_store(&s->max_timestamp_offset, -1);
	s->first_timestamp = -1;
	s->bytes_since_index = 0;
}

/* ---- the end of a segment ---- */

struct end_walk {
	struct walk walk;
	struct measure *m;
	int64_t next_offset;
};

/*
 * Offsets must rise and belong to this file: else it is not the batch that was written here, or
 * one that was cut off again.
 */
static bool on_end_batch(struct walk *w, const struct batch *b)
{
	struct end_walk *e = container_of(w, struct end_walk, walk);
	struct segment *s = e->m->segment;

	if (b->base_offset < e->next_offset || batch_last_offset(b) < b->base_offset ||
	    batch_last_offset(b) >= e->m->next_base ||
	    batch_last_offset(b) - s->base_offset > INT32_MAX) {
		w->error = -EBADMSG;
		return false;
	}
	/* The walk begins at the batch of the last entry, whose bytes count towards the next. */
	segment_count_batch(s, e->m->index, b, w->position, e->m->log->config.index_interval_bytes);
	tail_push(&e->m->log->tail, b->base_offset, w->position);
	e->next_offset = batch_last_offset(b) + 1;
	return true;
}

/* Rolling by time needs the first batch's timestamp (LogSegment.loadFirstBatchTimestamp). */
static void read_first_timestamp(struct segment *s, struct file *file, uint64_t size)
{
	uint8_t header[BATCH_HEADER_SIZE];
	struct batch b;

	if (size < sizeof(header) ||
	    file_read(file, header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return;
	/* The header alone is looked at: its length may say that more follows. */
	if (!batch_parse((struct span){ header, size }, &b))
		s->first_timestamp = b.max_timestamp;
}

/* Entries of what was cut off. */
static void cut_indexes(struct end_walk *e)
{
	struct segment_index *x = e->m->index;
	uint32_t count = index_count(&x->offsets);

	while (count && load_be32(index_at(&x->offsets, count - 1) + 4) >= e->walk.position)
		count--;
	index_cut(&x->offsets, count);
	count = index_count(&x->times);
	while (count &&
	       e->m->segment->base_offset + load_be32(index_at(&x->times, count - 1) + 8) >=
	               e->next_offset)
		count--;
	index_cut(&x->times, count);
}

static bool on_last_batch(struct walk *w, const struct batch *b)
{
	(void)w;
	(void)b;
	return true;
}

/* The one batch that a kill may have torn: what is behind the bad one is cut with it. */
static int check_last(struct end_walk *e)
{
	struct walk last = { .file = e->walk.file,
		             .position = e->walk.last_position,
		             .end = e->walk.position,
		             .check_crc = true,
		             .each = on_last_batch };
	int err;

	if (!e->walk.last_size)
		return 0;
	err = walk_run(&last);
	if (err == -EBADMSG)
		e->walk.position = e->walk.last_position;
	return err;
}

static int walk_from(struct end_walk *e, uint64_t position)
{
	tail_reset(&e->m->log->tail, e->m->segment->base_offset);
	e->walk.position = position;
	e->walk.last_size = 0;
	e->next_offset = e->m->segment->base_offset;
	e->m->segment->bytes_since_index = 0;
	return walk_run(&e->walk);
}

static int find_end(struct end_walk *e, bool believed)
{
	struct measure *m = e->m;
	uint32_t entries = index_count(&m->index->offsets);
	int err;

	if (believed && entries) {
		read_first_timestamp(m->segment, e->walk.file, m->found->size);
		err = walk_from(e, load_be32(index_at(&m->index->offsets, entries - 1) + 4));
		if (!err && m->check_last)
			err = check_last(e);
		if (err != -EBADMSG)
			return err;
		/* The index may be what is wrong: from the beginning then, without it. */
	}
	forget_indexes(m->segment, m->index);
	m->rebuilt = true;
	err = walk_from(e, 0);
	if (!err && m->check_last)
		err = check_last(e);
	if (err == -EBADMSG && m->check_last) {
		/* Once more up to the bad batch, so that nothing counts it. */
		e->walk.end = e->walk.position;
		forget_indexes(m->segment, m->index);
		(void)!walk_from(e, 0);
	}
	if (err == -EBADMSG)
		cut_indexes(e);
	return err;
}

int measure_run(struct measure *m)
{
	const struct log *log = m->log;
	struct end_walk e = { .m = m };
	bool believed;
	int err;

	m->segment = segment_new(log->options.dir, log->options.name, m->found->offset);
	m->index = segment_index_new();
	m->segment->created_ms = log->options.now_ms;
	atomic_store(&m->segment->size, m->found->size);
	believed = !m->suspect_bytes && load_indexes(m->segment, m->index, m->found->size);
	m->believed = believed;
	if (!believed) {
		forget_indexes(m->segment, m->index);
		m->rebuilt = true;
	}
	if (believed && !m->need_end)
		return 0;
	e.walk = (struct walk){ .end = m->found->size,
		                .check_crc = m->suspect_bytes,
		                .each = on_end_batch };
	err = segment_file(m->segment, false, &e.walk.file);
	if (!err && m->suspect_bytes)
		file_forget(e.walk.file);
	if (!err)
		err = find_end(&e, believed);
	if (err && err != -EBADMSG)
		return err;
	m->end_offset = e.next_offset;
	if (err && m->may_cut) {
		m->cut_bytes = m->found->size - e.walk.position;
		atomic_store(&m->segment->size, e.walk.position);
		err = file_truncate(e.walk.file, e.walk.position);
		m->rebuilt = true;
		return err;
	}
	return 0;
}

/* ---- state ---- */

struct state_walk {
	struct walk walk;
	struct replay *r;
	const struct view_segment *at;
};

static void replay_producer(struct state_walk *w, const struct batch *b)
{
	struct producer_marker marker = { 0 };
	struct producer_verdict verdict;
	bool control = batch_is_control(b);

	if (control && !batch_marker(b, &marker))
		return;
	producers_stage(w->r->producers, b, b->base_offset, b->max_timestamp,
	                control ? &marker : NULL, false, &verdict);
	producers_commit(w->r->producers, batch_last_offset(b) + 1);
	if (verdict.ended && verdict.end.aborted && w->at->index) {
		txn_entry_add(&w->at->index->txns, &verdict.end);
		atomic_store(&w->at->segment->has_aborted, true);
		w->r->txns_changed = true;
	}
}

static bool on_state_batch(struct walk *walk, const struct batch *b)
{
	struct state_walk *w = container_of(walk, struct state_walk, walk);
	struct replay *r = w->r;

	if (b->base_offset >= r->end_offset)
		return false;
	if (b->magic < 2)
		return true;
	if (b->base_offset >= r->epochs_from && b->leader_epoch > epoch_cache_latest(r->epochs))
		epoch_cache_assign(r->epochs, b->leader_epoch, b->base_offset);
	if (b->base_offset >= r->producers_from && batch_has_producer(b))
		replay_producer(w, b);
	return true;
}

int replay_run(struct replay *r, const struct view_segment *at)
{
	struct state_walk w = { .r = r, .at = at };
	int64_t from = r->producers_from < r->epochs_from ? r->producers_from : r->epochs_from;
	int64_t position = position_before(at, from, true);
	int err;

	r->txns_changed = false;
	if (position < 0)
		return (int)position;
	w.walk = (struct walk){ .position = (uint64_t)position,
		                .end = atomic_load(&at->segment->size),
		                .each = on_state_batch };
	err = segment_file(at->segment, false, &w.walk.file);
	if (!err)
		err = walk_run(&w.walk);
	return err == -EBADMSG ? 0 : err; /* a hole that measure_run() left: no more is known */
}

int segment_load_txns(const struct view_segment *at, int64_t before)
{
	char *path;
	void *data;
	size_t size;
	int err;

	if (!atomic_load(&at->segment->has_aborted))
		return 0;
	path = segment_path(at->segment, ".txnindex");
	err = dir_read(at->segment->dir, path, 256 << 20, &data, &size);
	mem_free(path);
	if (err)
		return err;
	for (size_t i = 0; i + TXN_ENTRY <= size; i += TXN_ENTRY) {
		const uint8_t *entry = (uint8_t *)data + i;

		if ((int64_t)load_be64(entry + 18) < before)
			index_add(&at->index->txns, entry);
	}
	at->index->txns.written = index_count(&at->index->txns);
	if (at->index->txns.written * TXN_ENTRY != size)
		at->index->txns.written = 0; /* the file says more than is known */
	atomic_store(&at->segment->has_aborted, index_count(&at->index->txns) > 0);
	mem_free(data);
	return 0;
}

int64_t load_snapshot(struct producers *producers, const struct scan *scan, int64_t start,
                      int64_t end)
{
	for (size_t i = scan->snapshot_count; i; i--) {
		char *path;
		void *data;
		size_t size;
		bool good = false;

		if (scan->snapshot[i - 1] > end || scan->snapshot[i - 1] < start)
			continue;
		path = snapshot_path(scan->name, scan->snapshot[i - 1]);
		if (!dir_read(scan->dir, path, 256 << 20, &data, &size)) {
			good = !producers_decode(producers, (struct span){ data, size });
			mem_free(data);
		}
		mem_free(path);
		if (good)
			return scan->snapshot[i - 1];
	}
	return -1;
}
