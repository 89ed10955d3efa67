/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "log_dump.h"

enum {
	OFFSET_ENTRY = 8,   /* offset - base u32, position u32 */
	TIME_ENTRY = 12,    /* timestamp i64, offset - base u32 */
	ABORTED_ENTRY = 34, /* version i16, producer, first, last, last stable offset i64 */
	INDEX_BYTES_MAX = 1 << 30,
};

/* ---- the log beside an index ---- */

struct beside {
	struct walk walk;
	struct batch batch;
	bool known; /* there is one */
	int state;  /* walk_next()'s */
};

static struct beside beside_open(const struct dump *d, int64_t base)
{
	size_t size = d->dir_size + 64;
	char *path = mem_alloc(size);
	struct beside b;

	snprintf(path, size, "%.*s%020" PRId64 ".log%s", (int)d->dir_size, d->path, base,
	         d->suffix);
	b.known = base >= 0 && !walk_open(&b.walk, NULL, path);
	b.state = b.known ? walk_next(&b.walk, &b.batch) : -1;
	mem_free(path);
	return b;
}

static void beside_step(struct beside *b)
{
	b->state = walk_next(&b->walk, &b->batch);
}

static void beside_close(struct beside *b)
{
	if (b->known)
		walk_close(&b->walk);
}

/* ---- what all of them are: entries of one size ---- */

struct entries {
	uint8_t *data;
	size_t count;
	size_t entry_size;
	int64_t base;
	struct beside log;
};

static struct entries entries_open(struct dump *d, const char *type, size_t entry_size)
{
	struct entries e = { .entry_size = entry_size, .base = dump_base_offset(d->name) };
	size_t size;

	e.data = dump_read(d, INDEX_BYTES_MAX, &size);
	if (!e.data)
		return e;
	e.count = size / entry_size;
	e.log = beside_open(d, e.base);
	out_begin(&d->out, type);
	out_number(&d->out, "start_offset", e.base);
	out_number(&d->out, "entries", (int64_t)e.count);
	out_flag(&d->out, "checked_with_log", e.log.known);
	out_bytes(&d->out, "file", span_of(str_of(d->path)));
	out_end(&d->out);
	if (size % entry_size)
		dump_complain(d, e.count * entry_size,
		              "%zu bytes are no whole entry, which has %zu", size % entry_size,
		              entry_size);
	if (e.base < 0)
		dump_complain(d, 0, "its name does not begin with an offset of 20 digits");
	return e;
}

static void entries_close(struct entries *e)
{
	beside_close(&e->log);
	mem_free(e->data);
}

/*
 * A running Kafka keeps the files of its active segment at full size, zeros behind the entries:
 * only the first can be of the base offset itself.
 */
static bool is_unused(struct dump *d, const struct entries *e, size_t i, uint32_t delta)
{
	if (!i || delta)
		return false;
	out_begin(&d->out, " unused");
	out_number(&d->out, "entries", (int64_t)(e->count - i));
	out_end(&d->out);
	return true;
}

/* ---- offsets ---- */

static void check_offset(struct dump *d, struct beside *log, size_t i, int64_t offset,
                         uint32_t position)
{
	while (log->state == 1 && log->walk.position < position)
		beside_step(log);
	if (log->state != 1 || log->walk.position != position)
		dump_complain(d, i * OFFSET_ENTRY,
		              "entry %zu says position %" PRIu32
		              ", where no batch of the log begins",
		              i, position);
	else if (batch_last_offset(&log->batch) != offset)
		dump_complain(d, i * OFFSET_ENTRY,
		              "entry %zu says offset %" PRId64
		              ", but the batch at position %" PRIu32 " ends with %" PRId64,
		              i, offset, position, batch_last_offset(&log->batch));
}

void dump_index(struct dump *d)
{
	struct entries e = entries_open(d, "index", OFFSET_ENTRY);
	int64_t last = -1;

	for (size_t i = 0; i < e.count; i++) {
		const uint8_t *at = e.data + i * OFFSET_ENTRY;
		uint32_t delta = load_be32(at);
		int64_t offset = e.base + delta;

		if (is_unused(d, &e, i, delta))
			break;
		out_begin(&d->out, " entry");
		out_number(&d->out, "offset", offset);
		out_number(&d->out, "position", load_be32(at + 4));
		out_end(&d->out);
		if (offset <= last)
			dump_complain(d, i * OFFSET_ENTRY, "entry %zu does not rise", i);
		if (e.log.known)
			check_offset(d, &e.log, i, offset, load_be32(at + 4));
		last = offset;
	}
	entries_close(&e);
}

/* ---- times ---- */

static void check_time(struct dump *d, struct beside *log, size_t i, int64_t timestamp,
                       int64_t offset)
{
	while (log->state == 1 && batch_last_offset(&log->batch) < offset)
		beside_step(log);
	if (log->state != 1 || batch_last_offset(&log->batch) != offset)
		dump_complain(d, i * TIME_ENTRY,
		              "entry %zu says offset %" PRId64 ", with which no batch ends", i,
		              offset);
	else if (log->batch.max_timestamp != timestamp)
		dump_complain(d, i * TIME_ENTRY,
		              "entry %zu says timestamp %" PRId64
		              ", but the largest of the batch that ends with offset %" PRId64
		              " is %" PRId64,
		              i, timestamp, offset, log->batch.max_timestamp);
}

void dump_time_index(struct dump *d)
{
	struct entries e = entries_open(d, "timeindex", TIME_ENTRY);
	int64_t last = INT64_MIN;

	for (size_t i = 0; i < e.count; i++) {
		const uint8_t *at = e.data + i * TIME_ENTRY;
		int64_t timestamp = (int64_t)load_be64(at);
		uint32_t delta = load_be32(at + 8);

		if (is_unused(d, &e, i, delta))
			break;
		out_begin(&d->out, " entry");
		out_number(&d->out, "timestamp", timestamp);
		out_number(&d->out, "offset", e.base + delta);
		out_end(&d->out);
		if (timestamp <= last)
			dump_complain(d, i * TIME_ENTRY, "entry %zu does not rise", i);
		if (e.log.known)
			check_time(d, &e.log, i, timestamp, e.base + delta);
		last = timestamp;
	}
	entries_close(&e);
}

/* ---- aborted transactions ---- */

void dump_txn_index(struct dump *d)
{
	struct entries e = entries_open(d, "txnindex", ABORTED_ENTRY);

	for (size_t i = 0; i < e.count; i++) {
		const uint8_t *at = e.data + i * ABORTED_ENTRY;
		int16_t version = (int16_t)load_be16(at);

		out_begin(&d->out, " aborted");
		out_number(&d->out, "version", version);
		out_number(&d->out, "producer_id", (int64_t)load_be64(at + 2));
		out_number(&d->out, "first_offset", (int64_t)load_be64(at + 10));
		out_number(&d->out, "last_offset", (int64_t)load_be64(at + 18));
		out_number(&d->out, "last_stable_offset", (int64_t)load_be64(at + 26));
		out_end(&d->out);
		if (version)
			dump_complain(d, i * ABORTED_ENTRY, "entry %zu has the unknown version %d",
			              i, version);
	}
	entries_close(&e);
}
