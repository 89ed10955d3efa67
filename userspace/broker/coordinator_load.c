/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine from the records of its partition.  A worker reads from the log start to the end that
 * the log had when leadership began; nothing is appended meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "broker/diag.h"
#include "coordinator_private.h"
#include "store/compress.h"

enum {
	READ_BYTES = 1024 * 1024,
	RECORD_BYTES_MAX = 128 * 1024 * 1024,
	PLAIN_BYTES_MAX = 1 << 30,
};

struct load {
	struct job job;
	struct work loaded_work;
	struct coordinator *c;
	struct partition *part; /* pinned */
	const struct log_view *view;
	struct log_mark end;
	uint64_t life;

	void *machine;
	struct buf bytes;
	struct compress_scratch scratch;
	struct record_stream records;
	struct compress_sink sink;
	const struct batch *batch;
	uint64_t count, bad;
	uint64_t begun_ms;
	int err;
};

/* ---- records ---- */

static int on_record(struct record_stream *s, const struct record *r)
{
	struct load *l = container_of(s, struct load, records);
	const struct coordinator_record record = { r->key, r->value };

	l->count++;
	if (!r->key.data || l->c->ops->replay(l->machine, l->batch, &record))
		l->bad++;
	return 0;
}

static int take_piece(struct compress_sink *sink, struct span piece)
{
	return record_stream_feed(&container_of(sink, struct load, sink)->records, piece);
}

static int replay_batch(struct load *l, const struct batch *b)
{
	int err;

	l->batch = b;
	record_stream_begin(&l->records, b->record_count);
	if (batch_compression(b) == BATCH_NONE)
		err = record_stream_feed(&l->records, batch_records(b));
	else
		err = compress_decode(&l->scratch, batch_compression(b), batch_records(b),
		                      PLAIN_BYTES_MAX, &l->sink);
	return err ? err : record_stream_end(&l->records);
}

static void take_marker(struct load *l, const struct batch *b)
{
	struct record r;

	if (batch_has_producer(b) && !record_decode(batch_records(b), &r))
		l->c->ops->replay_marker(l->machine, b->producer_id,
		                         control_type_decode(r.key) == CONTROL_COMMIT);
}

static int take_batch(struct load *l, const struct batch *b)
{
	if (b->magic < 2)
		return 0; /* of Kafka before 0.11: nothing that still lives */
	if (!batch_is_control(b))
		return replay_batch(l, b);
	take_marker(l, b);
	return 0;
}

/* ---- worker ---- */

/* One stretch of the log; *offset moves behind the last whole batch in it. */
static int read_stretch(struct load *l, int64_t *offset)
{
	struct log_slice slice;
	struct span rest;
	struct batch b;
	ssize_t got;
	int64_t before = *offset;
	int err =
		log_locate(l->part->log, l->view, *offset, READ_BYTES, true, l->end, true, &slice);

	if (err)
		return err;
	if (!slice.file) {
		*offset = l->end.offset; /* what is missing at the end was compacted away */
		return 0;
	}
	l->bytes.size = 0;
	got = file_read(slice.file, buf_extend(&l->bytes, slice.size), slice.size, slice.position);
	file_put(slice.file);
	if (got < 0)
		return (int)got;
	rest = (struct span){ l->bytes.data, (size_t)got };
	while (rest.size && !err) {
		err = batch_parse(rest, &b);
		if (err == -EAGAIN) { /* cut short by the size of the stretch */
			err = 0;
			break;
		}
		if (!err && !batch_crc_ok(&b))
			err = -EBADMSG;
		if (!err)
			err = take_batch(l, &b);
		if (!err)
			*offset = batch_last_offset(&b) + 1;
		rest = (struct span){ rest.data + b.size, rest.size - b.size };
	}
	return err || *offset > before ? err : -EBADMSG;
}

static void run_load(struct job *job)
{
	struct load *l = container_of(job, struct load, job);
	int64_t offset = log_start_offset(l->part->log);

	l->machine = l->c->ops->open(l->c->arg);
	l->records.each = on_record;
	l->records.record_size_max = RECORD_BYTES_MAX;
	l->sink.take = take_piece;
	while (offset < l->end.offset && !l->err)
		l->err = read_stretch(l, &offset);
	compress_scratch_fini(&l->scratch);
	record_stream_fini(&l->records);
	buf_fini(&l->bytes);
}

/* ---- strand ---- */

static void say(const struct load *l)
{
	if (l->err)
		diag_error("coordinator", "%s cannot be loaded: %s", l->part->name,
		           l->err == -EBADMSG ? "its records are damaged" : strerror(-l->err));
	else if (l->bad)
		diag_warn("coordinator",
		          "%s: %llu of %llu records contradict themselves and were left out",
		          l->part->name, (unsigned long long)l->bad, (unsigned long long)l->count);
	else if (l->count)
		diag_debug("coordinator", "%s: loaded %llu records in %llu ms", l->part->name,
		           (unsigned long long)l->count,
		           (unsigned long long)(mono_ms() - l->begun_ms));
}

static void run_loaded(struct work *work)
{
	struct load *l = container_of(work, struct load, loaded_work);
	struct coordinator *c = l->c;
	struct partition *part = l->part;

	say(l);
	if (l->life != c->life || c->state != COORDINATOR_LOADING) {
		c->ops->close(l->machine); /* it leads no more, or again */
	} else if (l->err) {
		c->ops->close(l->machine);
		c->state = COORDINATOR_NONE;
	} else {
		c->machine = l->machine;
		c->state = COORDINATOR_ACTIVE;
		c->log_start = log_start_offset(part->log);
		c->log_end = l->end.offset;
		c->ops->loaded(c->arg, c->machine, mono_ms(), wall_ms());
		coordinator_stepped(c);
	}
	log_view_put(l->view);
	mem_free(l);
	partition_unpin(part);
}

static void load_done(struct job *job)
{
	struct load *l = container_of(job, struct load, job);

	l->loaded_work = (struct work){ .run = run_loaded };
	strand_post(&l->part->strand, &l->loaded_work);
}

void coordinator_load(struct coordinator *c)
{
	struct partition *part = c->part;
	struct load *l = mem_zalloc(sizeof(*l));

	c->state = COORDINATOR_LOADING;
	l->c = c;
	l->part = part;
	l->life = c->life;
	l->end = log_end_mark(part->log);
	l->view = log_view_get(log_view(part->log));
	l->begun_ms = mono_ms();
	partition_pin(part);
	l->job.run = run_load;
	l->job.done = load_done;
	work_submit(WORK_SLOW, &l->job);
}
