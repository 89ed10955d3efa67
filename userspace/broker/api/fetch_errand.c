/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch.h"

#include <errno.h>

#include "base/mem.h"

/*
 * What a look cannot do on the spot.  An errand runs elsewhere and writes only to itself; what it
 * brought is given to its item at home, when all have come back.
 */
enum errand_kind { ERRAND_AWAIT, ERRAND_EPOCH, ERRAND_LOCATE, ERRAND_WARM, ERRAND_ABORTED };

enum {
	WARM_BYTES = 256 * 1024,              /* read at a time, and thrown away */
	ABORTED_BYTES_MAX = 64 * 1024 * 1024, /* of one partition's aborted transactions */
};

struct fetch_errand {
	struct fetch_errand *next;
	struct call *call;
	struct fetch_item *item;
	enum errand_kind kind;
	struct work work;
	struct job job;

	/* in; the item has a reference on the partition and on the file */
	struct partition *part; /* ERRAND_LOCATE: pinned */
	int32_t epoch;
	int64_t offset;
	uint32_t max_bytes;
	struct log_mark bound;
	int64_t log_end;
	const struct log_view *view; /* a reference */

	/* in or out */
	struct log_slice slice;

	/* out */
	int err;
	struct log_epoch_end epoch_end;
	struct arena arena; /* of aborted */
	struct log_aborted *aborted;
	size_t aborted_count;
};

static struct fetch_errand *add(struct fetch *f, struct fetch_item *item, enum errand_kind kind)
{
	struct fetch_errand *e = arena_zalloc(&f->call->arena, sizeof(*e));

	if (!e) {
		f->has_no_memory = true;
		return NULL;
	}
	e->call = f->call;
	e->item = item;
	e->kind = kind;
	e->part = item->part;
	e->next = f->errand;
	f->errand = e;
	f->errand_count++;
	return e;
}

/* ---- in the strand ---- */

static void run_await(struct work *work)
{
	call_part_done(container_of(work, struct fetch_errand, work)->call);
}

static void run_epoch(struct work *work)
{
	struct fetch_errand *e = container_of(work, struct fetch_errand, work);
	enum partition_role role = partition_facts(e->part)->role;

	/* Of one without a log the next look has other things to say. */
	e->epoch_end = (struct log_epoch_end){ -1, -1 };
	if (role == PARTITION_LEADER || role == PARTITION_FOLLOWER)
		e->epoch_end = log_epoch_end(e->part->log, e->epoch);
	call_part_done(e->call);
}

void fetch_errand_await(struct fetch *f, struct fetch_item *item)
{
	struct fetch_errand *e = add(f, item, ERRAND_AWAIT);

	if (e)
		e->work.run = run_await;
}

void fetch_errand_epoch(struct fetch *f, struct fetch_item *item)
{
	struct fetch_errand *e = add(f, item, ERRAND_EPOCH);

	if (!e)
		return;
	e->work.run = run_epoch;
	e->epoch = item->want.last_fetched_epoch;
}

/* ---- on a worker ---- */

static void run_locate(struct job *job)
{
	struct fetch_errand *e = container_of(job, struct fetch_errand, job);

	e->err = log_locate(e->part->log, e->view, e->offset, e->max_bytes, true, e->bound, true,
	                    &e->slice);
	partition_unpin(e->part);
}

/* Reading is what brings it into memory. */
static void run_warm(struct job *job)
{
	struct fetch_errand *e = container_of(job, struct fetch_errand, job);
	uint64_t position = e->slice.position;
	uint64_t end = position + e->slice.size;
	void *buffer = mem_alloc(WARM_BYTES);

	while (position < end) {
		size_t left = (size_t)(end - position);
		ssize_t got = file_read(e->slice.file, buffer,
		                        left < WARM_BYTES ? left : WARM_BYTES, position);

		if (got <= 0) {
			e->err = got < 0 ? (int)got : -EBADMSG;
			break;
		}
		position += (uint64_t)got;
	}
	mem_free(buffer);
}

static void run_aborted(struct job *job)
{
	struct fetch_errand *e = container_of(job, struct fetch_errand, job);
	int64_t bound = log_slice_bound(e->view, &e->slice, e->log_end, true);

	e->err = bound < 0 ? (int)bound
	                   : log_aborted(e->view, e->offset, bound, true, &e->arena, &e->aborted,
	                                 &e->aborted_count);
}

static void job_done(struct job *job)
{
	call_part_done(container_of(job, struct fetch_errand, job)->call);
}

static struct fetch_errand *add_job(struct fetch *f, struct fetch_item *item, enum errand_kind kind,
                                    void (*run)(struct job *job))
{
	struct fetch_errand *e = add(f, item, kind);

	if (!e)
		return NULL;
	e->job.run = run;
	e->job.done = job_done;
	e->offset = item->want.fetch_offset;
	e->log_end = item->log_end;
	e->slice = item->slice; /* borrowed from the item */
	e->slice.size = item->size;
	return e;
}

void fetch_errand_locate(struct fetch *f, struct fetch_item *item, const struct log_view *view,
                         struct log_mark bound)
{
	struct fetch_errand *e = add_job(f, item, ERRAND_LOCATE, run_locate);

	if (!e)
		return;
	e->max_bytes = item->want.max_bytes > 0 ? (uint32_t)item->want.max_bytes : 0;
	e->bound = bound;
	e->slice = (struct log_slice){ 0 };
	e->view = log_view_get(view);
	partition_pin(item->part);
}

void fetch_errand_warm(struct fetch *f, struct fetch_item *item)
{
	add_job(f, item, ERRAND_WARM, run_warm);
}

void fetch_errand_aborted(struct fetch *f, struct fetch_item *item)
{
	struct fetch_errand *e = add_job(f, item, ERRAND_ABORTED, run_aborted);

	if (!e)
		return;
	e->view = log_view_get(item->view);
	arena_init(&e->arena, ABORTED_BYTES_MAX);
}

/* ---- at home ---- */

static void take_aborted(struct fetch *f, struct fetch_errand *e)
{
	struct fetch_item *item = e->item;
	size_t size = e->aborted_count * sizeof(*e->aborted);
	void *copy = NULL;

	if (!e->err && size) {
		copy = arena_alloc(&f->call->arena, size);
		if (copy)
			memcpy(copy, e->aborted, size);
		else
			f->has_no_memory = true;
	}
	item->aborted = copy;
	item->aborted_count = copy ? e->aborted_count : 0;
	if (e->err) /* without them its records would be taken for committed ones */
		fetch_fail(f, item, WIRE_KAFKA_STORAGE_ERROR);
	arena_fini(&e->arena);
}

static void take_back(struct fetch *f, struct fetch_errand *e)
{
	struct fetch_item *item = e->item;

	switch (e->kind) {
	case ERRAND_AWAIT:
		break;
	case ERRAND_EPOCH:
		item->has_end = true;
		item->epoch_end = e->epoch_end;
		break;
	case ERRAND_LOCATE:
		/* The file left with its segment: the next look knows a later log start. */
		fetch_clear(item);
		item->is_located = e->err != -ENOENT;
		item->locate_err = e->err;
		item->slice = e->slice;
		break;
	case ERRAND_WARM:
		if (e->err)
			fetch_fail(f, item, WIRE_KAFKA_STORAGE_ERROR);
		break;
	case ERRAND_ABORTED:
		take_aborted(f, e);
		break;
	}
	log_view_put(e->view);
}

static void came_back(struct call *call)
{
	struct fetch *f = call->user;
	struct fetch_errand *e = f->errand;

	f->errand = NULL;
	f->errand_count = 0;
	for (; e; e = e->next)
		take_back(f, e);
	f->after_errands(f);
}

void fetch_errands_drop(struct fetch *f)
{
	for (struct fetch_errand *e = f->errand; e; e = e->next) {
		if (e->kind == ERRAND_LOCATE)
			partition_unpin(e->part);
		if (e->kind == ERRAND_ABORTED)
			arena_fini(&e->arena);
		log_view_put(e->view);
	}
	f->errand = NULL;
}

void fetch_errands_run(struct fetch *f, void (*after)(struct fetch *f))
{
	struct fetch_errand *e = f->errand;

	f->after_errands = after;
	call_begin_parts(f->call, f->errand_count, came_back);
	while (e) {
		struct fetch_errand *next = e->next;

		if (e->kind == ERRAND_AWAIT)
			partition_await(e->part, &e->work);
		else if (e->kind == ERRAND_EPOCH)
			strand_post(&e->part->strand, &e->work);
		else
			work_submit(WORK_FAST, &e->job);
		e = next;
	}
}
