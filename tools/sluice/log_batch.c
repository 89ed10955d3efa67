/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/raft.h"
#include "log_dump.h"

enum { RECORD_BYTES_MAX = 1 << 30 };

/* ---- records of a batch ---- */

struct batch_dump {
	struct record_stream stream;
	struct compress_sink sink;
	struct dump *d;
	const struct batch *batch;
	uint64_t position;
};

static int each_record(struct record_stream *self, const struct record *r)
{
	struct batch_dump *b = container_of(self, struct batch_dump, stream);

	dump_record(b->d, b->batch, b->position, r);
	return 0;
}

static int take_piece(struct compress_sink *self, struct span piece)
{
	struct batch_dump *b = container_of(self, struct batch_dump, sink);

	return record_stream_feed(&b->stream, piece);
}

static void dump_records(struct dump *d, const struct batch *batch, uint64_t position)
{
	struct batch_dump b = {
		.stream = { .record_size_max = RECORD_BYTES_MAX, .each = each_record },
		.sink = { take_piece },
		.d = d,
		.batch = batch,
		.position = position,
	};
	int codec = batch->attributes & BATCH_COMPRESSION_MASK;
	int err;

	record_stream_begin(&b.stream, batch->record_count);
	if (codec == BATCH_NONE)
		err = record_stream_feed(&b.stream, batch_records(batch));
	else
		err = compress_decode(&d->scratch, batch_compression(batch), batch_records(batch),
		                      SIZE_MAX / 2, &b.sink);
	if (err == -EOPNOTSUPP)
		dump_complain(d, position, "compression %d is not known", codec);
	else if (err == -EFBIG)
		dump_complain(d, position, "a record of more than %d bytes", RECORD_BYTES_MAX);
	else if (err)
		dump_complain(d, position, "%s, %" PRId32 " of %" PRId32 " records were good",
		              codec ? "its compressed records are broken"
		                    : "its records are broken",
		              batch->record_count - b.stream.left, batch->record_count);
	else if (record_stream_end(&b.stream))
		dump_complain(d, position,
		              "its header promises %" PRId32 " records, it has %" PRId32,
		              batch->record_count, batch->record_count - b.stream.left);
	record_stream_fini(&b.stream);
}

/* ---- batches ---- */

static void out_timestamps(struct out *o, const struct batch *b)
{
	out_word(o, "timestamp_type", b->attributes & BATCH_LOG_APPEND_TIME ? "append" : "create");
	if (b->attributes & BATCH_DELETE_HORIZON)
		out_number(o, "delete_horizon_ms", b->base_timestamp);
	else if (b->magic >= 2)
		out_number(o, "base_timestamp", b->base_timestamp);
	out_number(o, "max_timestamp", b->max_timestamp);
}

static void out_producer(struct out *o, const struct batch *b)
{
	if (!o->json && !batch_has_producer(b) && b->base_sequence == BATCH_NO_SEQUENCE)
		return;
	out_number(o, "producer_id", b->producer_id);
	out_number(o, "producer_epoch", b->producer_epoch);
	out_number(o, "base_sequence", b->base_sequence);
	out_number(o, "last_sequence", batch_last_sequence(b));
}

static void dump_batch(struct dump *d, const struct batch *b, uint64_t position)
{
	struct out *o = &d->out;
	int codec = b->attributes & BATCH_COMPRESSION_MASK;
	bool crc_ok = batch_crc_ok(b);

	out_begin(o, "batch");
	if (b->magic >= 2) {
		out_number(o, "base_offset", b->base_offset);
		out_number(o, "last_offset", batch_last_offset(b));
		out_number(o, "records", b->record_count);
	} else {
		out_number(o, "offset", b->base_offset);
	}
	out_number(o, "position", (int64_t)position);
	out_number(o, "size", (int64_t)b->size);
	out_number(o, "magic", b->magic);
	out_word(o, "compression", compress_name(codec) ? compress_name(codec) : "unknown");
	out_timestamps(o, b);
	if (b->magic >= 2) {
		out_number(o, "leader_epoch", b->leader_epoch);
		out_producer(o, b);
		out_flag(o, "transactional", batch_is_transactional(b));
		out_flag(o, "control", batch_is_control(b));
	}
	out_hex(o, "crc", b->crc);
	out_flag(o, "crc_ok", crc_ok);
	out_end(o);
	if (!crc_ok)
		dump_complain(d, position, "the checksum of the batch is wrong");
	/* What a wrong checksum covers may be anything. */
	if (d->records && crc_ok && b->magic >= 2)
		dump_records(d, b, position);
}

static void dump_head(struct dump *d)
{
	struct raft_snapshot_id id;

	if (!strcmp(d->name, "bootstrap.checkpoint")) {
		out_begin(&d->out, "bootstrap");
	} else if (raft_snapshot_parse(str_of(d->name), &id)) {
		out_begin(&d->out, "snapshot");
		out_number(&d->out, "end_offset", id.end_offset);
		out_number(&d->out, "epoch", id.epoch);
	} else {
		out_begin(&d->out, "log");
		out_number(&d->out, "start_offset", dump_base_offset(d->name));
	}
	out_bytes(&d->out, "file", span_of(str_of(d->path)));
	out_end(&d->out);
}

void dump_log(struct dump *d)
{
	struct walk w;
	struct batch b;
	int64_t last = INT64_MIN;
	int err = walk_open(&w, d, d->path);

	if (err) {
		dump_fail(d, err);
		return;
	}
	dump_head(d);
	while (walk_next(&w, &b) == 1) {
		dump_batch(d, &b, w.position);
		if (b.base_offset <= last && b.magic >= 2)
			dump_complain(d, w.position,
			              "offset %" PRId64 " after %" PRId64 ": offsets must rise",
			              b.base_offset, last);
		last = batch_last_offset(&b);
	}
	walk_close(&w);
}
