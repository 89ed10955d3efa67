/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The road of an append.  log_stage() only queues.  log_settle() takes appends off the queue: each
 * is checked, gets its offsets and joins the group; the group is written by one gathered append,
 * and only then becomes state.  A roll ends the group first, for it belongs to a request and not to
 * a gathering.
 */
#include "log_private.h"

#include <errno.h>

#include "base/mem.h"
#include "io/work.h"
#include "wire/errors.h"

void log_stage(struct log *log, struct log_append *append)
{
	append->next = NULL;
	append->error = WIRE_NONE;
	append->duplicate = false;
	append->base_offset = -1;
	append->last_offset = -1;
	append->timestamp = append->append_time_ms;
	*log->queue_end = append;
	log->queue_end = &append->next;
}

bool log_has_staged(const struct log *log)
{
	return log->queue || log->group || log->cut;
}

/* ---- admission ---- */

/*
 * A compacted away marker leaves an empty control batch, which says nothing.  The marker's key has
 * version and type, its value version and the coordinator's epoch.
 */
bool batch_marker(const struct batch *b, struct producer_marker *ret)
{
	struct record r;

	if (record_decode(batch_records(b), &r))
		return false;
	ret->commit = control_type_decode(r.key) == CONTROL_COMMIT;
	if (!control_end_txn_decode(r.value, &ret->coordinator_epoch))
		ret->coordinator_epoch = -1;
	return true;
}

static bool is_marker(const struct batch *b)
{
	return batch_is_control(b) && batch_has_producer(b);
}

/* Sums up all batches of the append before any is touched; false when they are none. */
static bool survey(struct log_append *a)
{
	struct span rest = { a->data, a->size };
	int64_t offset = -1;
	int64_t first = -1;
	struct batch b;

	a->batch_count = 0;
	a->record_count = 0;
	a->max_timestamp = -1;
	while (rest.size) {
		if (batch_parse(rest, &b) || b.magic != 2 || b.last_offset_delta < 0)
			return false;
		if (a->origin == LOG_FOLLOWER && (b.base_offset <= offset || !batch_crc_ok(&b)))
			return false;
		a->batch_count++;
		a->record_count += b.last_offset_delta + INT64_C(1);
		if (b.max_timestamp > a->max_timestamp)
			a->max_timestamp = b.max_timestamp;
		if (first < 0)
			first = b.base_offset;
		offset = batch_last_offset(&b);
		rest = (struct span){ rest.data + b.size, rest.size - b.size };
	}
	if (a->append_time_ms >= 0)
		a->max_timestamp = a->append_time_ms;
	if (a->origin == LOG_FOLLOWER) {
		a->base_offset = first;
		a->last_offset = offset;
	}
	return a->batch_count == 1 || (a->batch_count && a->origin != LOG_CLIENT);
}

/* LogSegment.shouldRoll, for the request that is about to be appended. */
static bool should_roll(const struct log *log, const struct log_append *a, int64_t last_offset)
{
	const struct segment *s = log->active;
	uint64_t size = atomic_load_explicit(&s->size, memory_order_relaxed) + log->group_bytes;
	int64_t waited = s->first_timestamp >= 0 ? a->max_timestamp - s->first_timestamp
	                                         : a->now_ms - s->created_ms;

	/* One that is larger than a segment may be has a segment of its own. */
	if (size + a->size > log->config.segment_bytes)
		return size > 0;
	return (size > 0 && waited > log->config.segment_ms - log->jitter_ms) ||
	       index_count(&log->index->offsets) >= log->config.index_bytes / OFFSET_ENTRY ||
	       index_count(&log->index->times) + 1 >= log->config.index_bytes / TIME_ENTRY ||
	       last_offset - s->base_offset > INT32_MAX;
}

/*
 * Gathering must not change where a segment ends: what the group will have done to the segment is
 * not known where it matters, so it is written first.  And one write is not to grow without end.
 */
static bool must_write_first(const struct log *log, const struct log_append *a)
{
	const struct segment *s = log->active;
	uint32_t entries = log->group_batches + 2;

	if (!log->group_count)
		return false;
	return !s || !atomic_load_explicit(&s->size, memory_order_relaxed) ||
	       log->group_bytes + a->size > STRAND_RUN_BYTES ||
	       (index_count(&log->index->times) + entries) * TIME_ENTRY >=
	               log->config.index_bytes ||
	       (index_count(&log->index->offsets) + entries) * OFFSET_ENTRY >=
	               log->config.index_bytes;
}

/* Producers: a duplicate or an error decides for the whole append. */
static void admit_producer(struct log *log, struct log_append *a, const struct batch *b,
                           int64_t base_offset)
{
	int64_t timestamp = a->append_time_ms >= 0 ? a->append_time_ms : b->max_timestamp;
	struct producer_marker marker;
	struct producer_verdict verdict;

	if (!batch_has_producer(b) || (is_marker(b) && !batch_marker(b, &marker)))
		return;
	producers_stage(&log->producers, b, base_offset, timestamp, is_marker(b) ? &marker : NULL,
	                a->origin == LOG_CLIENT, &verdict);
	a->error = verdict.error;
	if (verdict.duplicate) {
		a->duplicate = true;
		a->base_offset = verdict.duplicate_base_offset;
		a->last_offset = verdict.duplicate_base_offset + b->last_offset_delta;
		a->timestamp = verdict.duplicate_timestamp;
	}
	if (verdict.ended) {
		log->group_txn = mem_grow(log->group_txn, log->group_txn_count,
		                          &log->group_txn_capacity, sizeof(*log->group_txn));
		log->group_txn[log->group_txn_count++] = verdict.end;
	}
}

/* Offsets and epochs go in; what was checked is not checked again. */
static void place(struct log *log, struct log_append *a)
{
	uint8_t *data = a->data;
	uint8_t *end = a->data + a->size;
	int64_t offset = log->group_offset;
	struct batch b;

	while (data < end && !a->error && !a->duplicate) {
		int err = batch_parse((struct span){ data, (size_t)(end - data) }, &b);

		check(!err);
		if (a->origin != LOG_FOLLOWER) {
			if (a->append_time_ms >= 0 && !batch_is_control(&b))
				batch_patch_append_time(data, b.size, a->append_time_ms);
			batch_patch_offset(data, offset, a->leader_epoch);
			admit_producer(log, a, &b, offset);
			offset += b.last_offset_delta + 1;
		} else {
			admit_producer(log, a, &b, b.base_offset);
			offset = batch_last_offset(&b) + 1;
		}
		data += b.size;
	}
	if (a->error || a->duplicate)
		return;
	if (a->origin != LOG_FOLLOWER)
		a->base_offset = log->group_offset;
	a->last_offset = offset - 1;
	log->iov[log->group_count++] = (struct iovec){ a->data, a->size };
	log->group_bytes += a->size;
	log->group_offset = offset;
	log->group_sync |= a->sync || log->config.ack_synced;
	log->group_batches += a->batch_count;
	if (log->group_offset - log_recovery_point(log) >= log->config.flush_messages)
		log->group_sync = true;
}

static int16_t error_of(int err)
{
	(void)err; /* whatever the disk's trouble is, a client is to try again: FAULTS S-07..S-10 */
	return WIRE_KAFKA_STORAGE_ERROR;
}

/* A client sends it again: nothing of this producer may come before it. */
static void refuse(struct log *log, struct log_append *a, int err)
{
	struct batch b;

	a->error = error_of(err);
	if (a->origin == LOG_CLIENT && !batch_parse((struct span){ a->data, a->size }, &b) &&
	    batch_has_producer(&b))
		producers_refuse(&log->producers, &b);
}

static int roll(struct log *log, const struct log_append *a)
{
	int64_t base = log->group_offset;

	if (a->origin == LOG_FOLLOWER)
		base = a->base_offset;
	if (log->active) {
		log_retire_active(log);
		log_save_snapshot(log, base);
	}
	return log_add_segment(log, base, a->now_ms);
}

enum admitted { ADMITTED, WRITE_FIRST };

/* The first of the queue; it stays there when the group must be written before. */
static enum admitted admit(struct log *log, struct log_append *a)
{
	int64_t last;
	int err;

	if (log->failed) {
		a->error = error_of(log->failed);
		return ADMITTED;
	}
	if (!survey(a) || (a->origin == LOG_FOLLOWER && a->base_offset < log->group_offset)) {
		a->error = WIRE_CORRUPT_MESSAGE;
		return ADMITTED;
	}
	if (must_write_first(log, a))
		return WRITE_FIRST;
	last = a->origin == LOG_FOLLOWER ? a->last_offset : log->group_offset + a->record_count - 1;
	if (!log->active || should_roll(log, a, last)) {
		if (log->group_count)
			return WRITE_FIRST;
		err = roll(log, a);
		if (err) {
			refuse(log, a, err);
			return ADMITTED;
		}
	}
	place(log, a);
	return ADMITTED;
}

static bool gather(struct log *log)
{
	while (log->queue && log->group_count < STRAND_RUN_ITEMS) {
		struct log_append *a = log->queue;

		if (admit(log, a) == WRITE_FIRST)
			break;
		log->queue = a->next;
		if (!log->queue)
			log->queue_end = &log->queue;
		a->next = NULL;
		*log->group_end = a;
		log->group_end = &a->next;
	}
	return log->group;
}

/* ---- after the write ---- */

static void count_batches(struct log *log, const struct log_append *a, uint64_t *position)
{
	struct span rest = { a->data, a->size };
	struct batch b;

	while (rest.size) {
		int err = batch_parse(rest, &b);

		check(!err);
		if (epoch_cache_assign(&log->epochs, b.leader_epoch, b.base_offset))
			log_save_epochs(log);
		segment_count_batch(log->active, log->index, &b, *position,
		                    log->config.index_interval_bytes);
		tail_push(&log->tail, b.base_offset, *position);
		*position += b.size;
		rest = (struct span){ rest.data + b.size, rest.size - b.size };
	}
}

/* The transaction index knows before the high watermark can pass the marker. */
static void end_transactions(struct log *log)
{
	for (size_t i = 0; i < log->group_txn_count; i++) {
		const struct producer_txn_end *end = &log->group_txn[i];

		if (end->aborted) {
			txn_entry_add(&log->index->txns, end);
			atomic_store_explicit(&log->active->has_aborted, true,
			                      memory_order_release);
		}
		log->ended = mem_grow(log->ended, log->ended_count, &log->ended_capacity,
		                      sizeof(*log->ended));
		log->ended[log->ended_count++] =
			(struct ended_txn){ end->first_offset, end->last_offset };
	}
}

static void become_state(struct log *log)
{
	uint64_t position = atomic_load_explicit(&log->active->size, memory_order_relaxed);

	for (struct log_append *a = log->group; a; a = a->next) {
		if (!a->error && !a->duplicate)
			count_batches(log, a, &position);
	}
	producers_commit(&log->producers, log->group_offset);
	end_transactions(log);
	atomic_store_explicit(&log->active->size, position, memory_order_release);
	log_mark_publish(&log->end, (struct log_mark){ log->group_offset, log->active->base_offset,
	                                               position });
	log_write_indexes(log);
	if (log->group_sync)
		recovery_point_raise(log, log_view(log)->cuts, log->group_offset);
}

/* ENOSPC and the like pass; what the device lost does not. */
static void fail_group(struct log *log, int err)
{
	producers_abort(&log->producers);
	for (struct log_append *a = log->group; a; a = a->next) {
		if (!a->error)
			refuse(log, a, err);
		a->duplicate = false;
	}
	if (!errno_is_full(err)) {
		log->failed = err;
		log->options.failed(log->options.arg, err);
	}
}

static void finish(struct log *log, int64_t result)
{
	struct log_append *a = log->group;
	uint64_t bytes = log->group_bytes;
	int64_t start = log_start_offset(log);

	if (result < 0)
		fail_group(log, (int)result);
	else if (log->group_count)
		become_state(log);
	else
		producers_abort(&log->producers);
	log->group = NULL;
	log->group_end = &log->group;
	log->group_count = 0;
	log->group_bytes = 0;
	log->group_batches = 0;
	log->group_txn_count = 0;
	log->group_sync = false;
	log->group_offset = log_end_offset(log);
	if (result > 0)
		log->options.published(log->options.arg, log_end_mark(log), bytes);
	while (a) {
		struct log_append *next = a->next;

		a->log_start_offset = start;
		if (a->error) {
			a->base_offset = -1;
			a->last_offset = -1;
			a->timestamp = -1;
		}
		a->done(a);
		a = next;
	}
}

static void on_written(struct file_op *op)
{
	struct log *log = container_of(op, struct log, op);

	log->options.unpark(log->options.arg);
}

/* The group's one write: bytes, -errno or FILE_PARKED. */
static int64_t write_group(struct log *log)
{
	struct file *file;
	int err;

	if (!log->group_count)
		return 0;
	err = segment_file(log->active, false, &file);
	if (err)
		return err;
	log->op = (struct file_op){
		.file = file,
		.iov = log->iov,
		.iov_count = (int)log->group_count,
		.sync = log->group_sync,
		.bytes = log->group_bytes,
		.position = atomic_load_explicit(&log->active->size, memory_order_relaxed),
		.done = on_written,
	};
	return file_append(&log->op);
}

/*
 * A synced append promises the whole log up to its end: the first one of a segment also needs the
 * segment's name and what earlier segments left unsynced.
 */
struct log_sync_job {
	struct job job;
	struct log *log;
	const struct log_view *view;
	int result;
};

static void run_sync(struct job *job)
{
	struct log_sync_job *j = container_of(job, struct log_sync_job, job);

	j->result = log_sync(j->log, j->view, j->log->group_offset);
}

static void sync_done(struct job *job)
{
	struct log *log = container_of(job, struct log_sync_job, job)->log;

	log->options.unpark(log->options.arg);
}

static bool begin_sync(struct log *log, int64_t result)
{
	struct log_sync_job *j;

	if (result <= 0 || !log->group_sync ||
	    atomic_load_explicit(&log->active->is_named, memory_order_relaxed))
		return false;
	j = mem_zalloc(sizeof(*j));
	j->job.run = run_sync;
	j->job.done = sync_done;
	j->log = log;
	j->view = log_view_get(log_view(log));
	log->sync_job = j;
	log->syncing = true;
	work_submit(WORK_SLOW, &j->job);
	return true;
}

static int64_t end_sync(struct log *log)
{
	struct log_sync_job *j = log->sync_job;
	int result = j->result;

	log->syncing = false;
	log->sync_job = NULL;
	log_view_put(j->view);
	mem_free(j);
	/* What is written and not synced stays there: nothing but a restart finds out what it is.
	 */
	return result ? -EIO : log->op.result;
}

/* What was parked goes on; true: it must wait once more. */
static bool resume(struct log *log)
{
	if (log->syncing) {
		finish(log, end_sync(log));
	} else if (log->writing) {
		log->writing = false;
		if (begin_sync(log, log->op.result))
			return true;
		finish(log, log->op.result);
	}
	return log->cut && log_cut_step(log);
}

enum settled log_settle(struct log *log)
{
	int64_t result;

	if (resume(log))
		return SETTLED_PARKED;
	while (gather(log)) {
		result = write_group(log);
		if (result == FILE_PARKED) {
			log->writing = true;
			return SETTLED_PARKED;
		}
		finish(log, result);
	}
	return SETTLED;
}
