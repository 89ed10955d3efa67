/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "broker/properties.h"
#include "core/meta_properties.h"
#include "core/raft.h"
#include "log_dump.h"
#include "wire/producer_snapshot.h"

enum { SMALL_BYTES_MAX = 256 << 20 };

/* data NULL: it cannot be read, as was said. */
static struct str read_text(struct dump *d, const char *type)
{
	size_t size;
	void *data = dump_read(d, SMALL_BYTES_MAX, &size);

	if (!data)
		return (struct str){ NULL, 0 };
	out_begin(&d->out, type);
	out_bytes(&d->out, "file", span_of(str_of(d->path)));
	out_end(&d->out);
	return (struct str){ data, (uint32_t)size };
}

/* ---- NNN.snapshot: version i16 = 1, CRC-32C of what follows it, producers ---- */

enum { CRC_AT = 2, CRC_END = 6 };

static void out_producer(struct out *o, const struct producer_snapshot_producer_entry *e)
{
	out_begin(o, " producer");
	out_number(o, "producer_id", e->producer_id);
	out_number(o, "producer_epoch", e->epoch);
	out_number(o, "coordinator_epoch", e->coordinator_epoch);
	out_number(o, "txn_first_offset", e->current_txn_first_offset);
	out_number(o, "last_timestamp", e->timestamp);
	out_number(o, "last_offset", e->last_offset);
	out_number(o, "offset_delta", e->offset_delta);
	out_number(o, "last_sequence", e->last_sequence);
	out_end(o);
}

void dump_producers(struct dump *d)
{
	struct producer_snapshot snapshot;
	size_t size;
	uint8_t *data = dump_read(d, SMALL_BYTES_MAX, &size);
	struct reader r;
	int16_t version;
	struct arena arena;

	if (!data)
		return;
	r = reader_of(data, size);
	version = reader_i16(&r);
	arena_init(&arena, size * 8 + 4096);
	out_begin(&d->out, "producers");
	out_number(&d->out, "end_offset", dump_base_offset(d->name));
	out_number(&d->out, "version", version);
	out_bytes(&d->out, "file", span_of(str_of(d->path)));
	out_end(&d->out);
	if (size < CRC_END || version != 1) {
		dump_complain(d, 0, "not a snapshot of producers of version 1");
	} else if (load_be32(data + CRC_AT) != crc32c(data + CRC_END, size - CRC_END)) {
		dump_complain(d, CRC_AT, "the checksum is wrong");
	} else if (producer_snapshot_decode(&r, version, &arena, &snapshot)) {
		dump_complain(d, (uint64_t)(r.pos - data), "an entry is broken");
	} else {
		for (uint32_t i = 0; i < snapshot.producer_entries_count; i++)
			out_producer(&d->out, &snapshot.producer_entries[i]);
		if (reader_left(&r))
			dump_complain(d, (uint64_t)(r.pos - data), "%zu bytes too many",
			              reader_left(&r));
	}
	arena_fini(&arena);
	mem_free(data);
}

/* ---- checkpoints: "0", the count, then a line an entry ---- */

struct lines {
	struct str rest;
	uint64_t position; /* of the line that came last */
	uint64_t next;
};

static bool next_line(struct lines *l, struct str *ret)
{
	const char *end;

	if (!l->rest.size)
		return false;
	end = memchr(l->rest.data, '\n', l->rest.size);
	*ret = (struct str){ l->rest.data, end ? (uint32_t)(end - l->rest.data) : l->rest.size };
	l->position = l->next;
	l->next += ret->size + (end != NULL);
	l->rest.data += ret->size + (end != NULL);
	l->rest.size -= ret->size + (end != NULL);
	return true;
}

/* Takes the number that ends the line, and the blank before it. */
static bool take_number(struct str *line, int64_t *ret)
{
	uint32_t at = line->size;
	int64_t value = 0;

	while (at && line->data[at - 1] >= '0' && line->data[at - 1] <= '9')
		at--;
	if (at == line->size)
		return false;
	for (uint32_t i = at; i < line->size; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, line->data[i] - '0', &value))
			return false;
	line->size = at && line->data[at - 1] == ' ' ? at - 1 : at;
	*ret = value;
	return true;
}

static bool take_head(struct dump *d, struct lines *l, int64_t *ret_count)
{
	struct str line;
	int64_t version;

	if (!next_line(l, &line) || !take_number(&line, &version) || line.size || version) {
		dump_complain(d, l->position, "the first line is not the version, 0");
		return false;
	}
	if (!next_line(l, &line) || !take_number(&line, ret_count) || line.size) {
		dump_complain(d, l->position, "the second line is not the number of entries");
		return false;
	}
	return true;
}

/* An entry's numbers: of an epoch, then its start; or, behind the topic, partition and offset. */
static void dump_entries(struct dump *d, const char *type, const char *first, const char *second,
                         bool with_topic)
{
	struct str text = read_text(d, type);
	struct lines l = { text, 0, 0 };
	struct str line;
	int64_t promised = 0;
	int64_t count = 0;
	bool ok = !text.size || take_head(d, &l, &promised);

	if (!text.data)
		return;
	while (ok && next_line(&l, &line)) {
		int64_t a;
		int64_t b;

		ok = take_number(&line, &b) && take_number(&line, &a) && with_topic == !!line.size;
		if (!ok) {
			dump_complain(d, l.position, "line %" PRId64 " is no entry", count + 3);
			break;
		}
		out_begin(&d->out, " entry");
		if (with_topic)
			out_bytes(&d->out, "topic", span_of(line));
		out_number(&d->out, first, a);
		out_number(&d->out, second, b);
		out_end(&d->out);
		count++;
	}
	if (ok && count != promised)
		dump_complain(d, l.next, "%" PRId64 " entries are promised, %" PRId64 " are there",
		              promised, count);
	mem_free((void *)text.data);
}

void dump_checkpoint(struct dump *d)
{
	dump_entries(d, "offsets", "partition", "offset", true);
}

void dump_epochs(struct dump *d)
{
	dump_entries(d, "epochs", "epoch", "start_offset", false);
}

/* ---- meta.properties, partition.metadata ---- */

void dump_properties(struct dump *d)
{
	struct str text = read_text(d, "properties");
	struct properties p;
	struct meta_properties m;
	uint32_t line;

	if (!text.data)
		return;
	if (properties_parse(span_of(text), &p, &line)) {
		dump_complain(d, 0, "line %" PRIu32 " has a bad \\u escape", line);
	} else {
		for (size_t i = 0; i < p.count; i++) {
			out_begin(&d->out, " property");
			out_bytes(&d->out, "name", span_of(p.item[i].key));
			out_bytes(&d->out, "value", span_of(p.item[i].value));
			out_end(&d->out);
		}
		if (!strcmp(d->name, "meta.properties") && meta_properties_decode(text, &m))
			dump_complain(d, 0, "not of version 1 with cluster.id and node.id");
	}
	properties_fini(&p);
	mem_free((void *)text.data);
}

/* ---- quorum-state: one line of JSON ---- */

void dump_quorum_state(struct dump *d)
{
	struct str text = read_text(d, "quorum_state");
	struct raft_election e;

	if (!text.data)
		return;
	if (raft_election_decode(text, &e)) {
		dump_complain(d, 0, "not JSON of version 0 or 1 with a leader's epoch");
	} else {
		out_begin(&d->out, " election");
		out_number(&d->out, "leader_epoch", e.epoch);
		out_number(&d->out, "leader_id", e.leader_id);
		out_number(&d->out, "voted_id", e.voted_id);
		out_uuid(&d->out, "voted_directory_id", e.voted_directory_id);
		out_end(&d->out);
	}
	mem_free((void *)text.data);
}
