/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting the end of a log off (LocalLog.truncateTo), and beginning anew (truncateFullyAndStartAt).
 *
 * A worker finds where to cut and what the producers were then; the strand replaces the view and
 * publishes the new end; a worker cuts the files.  Only then appends go on, in a new segment: no
 * byte that was ever readable is written again.
 */
#include "log_private.h"

#include <errno.h>

#include "base/mem.h"
#include "io/work.h"

struct cut {
	struct job job;
	struct log *log;
	const struct log_view *view; /* as it was; counted */
	int64_t offset;
	uint32_t keep; /* segments that stay as they are */
	bool has_last; /* and one that is cut: */
	bool found;    /* the view is replaced: files next */
	bool done;
	struct measure last;
	struct producers producers;
	int64_t snapshot; /* that they come from */
	int err;
};

/* ---- on a worker ---- */

struct find_position {
	struct walk walk;
	int64_t offset;
};

static bool on_cut_batch(struct walk *w, const struct batch *b)
{
	return batch_last_offset(b) < container_of(w, struct find_position, walk)->offset;
}

/* Where the batch begins that holds `offset`. */
static int find_position(const struct view_segment *at, int64_t offset, uint64_t *ret)
{
	struct find_position f = { .offset = offset };
	int64_t position = position_before(at, offset, true);
	int err;

	if (position < 0)
		return (int)position;
	f.walk = (struct walk){ .position = (uint64_t)position,
		                .end = atomic_load(&at->segment->size),
		                .each = on_cut_batch };
	err = segment_file(at->segment, false, &f.walk.file);
	if (!err)
		err = walk_run(&f.walk);
	*ret = f.walk.position;
	return err;
}

static int measure_last(struct cut *cut)
{
	const struct view_segment *at = &cut->view->at[cut->keep];
	struct found found = { .offset = at->segment->base_offset };
	int err = find_position(at, cut->offset, &found.size);

	if (err || !found.size)
		return err;
	cut->has_last = true;
	cut->last = (struct measure){
		.log = cut->log, .found = &found, .next_base = INT64_MAX, .need_end = true
	};
	err = measure_run(&cut->last);
	cut->last.found = NULL;
	if (!err)
		time_entry_add(&cut->last.index->times, cut->last.segment);
	return err;
}

/* Producers as they were at the offset: from a snapshot, then from batches. */
static int find_producers(struct cut *cut)
{
	const char *name = cut->log->options.name;
	struct scan scan = { .dir = cut->log->options.dir, .name = name };
	struct epoch_cache none = { 0 };
	struct replay r = { .producers = &cut->producers,
		            .epochs = &none,
		            .epochs_from = INT64_MAX,
		            .end_offset = cut->offset };
	int err = scan_snapshots(&scan);

	cut->snapshot = err ? -1
	                    : load_snapshot(&cut->producers, &scan,
	                                    cut->view->at[0].segment->base_offset, cut->offset);
	r.producers_from = cut->snapshot > 0 ? cut->snapshot : 0;
	for (uint32_t i = 0; !err && i < cut->keep + cut->has_last; i++) {
		struct view_segment at = cut->view->at[i];

		if (i + 1 < cut->view->count &&
		    cut->view->at[i + 1].segment->base_offset <= r.producers_from)
			continue;
		if (i == cut->keep) {
			at = (struct view_segment){ cut->last.segment, cut->last.index };
			atomic_store(&at.segment->has_aborted,
			             atomic_load(&cut->view->at[i].segment->has_aborted));
			err = segment_load_txns(&at, r.producers_from);
		} else {
			at.index = NULL; /* its transactions are known */
		}
		if (!err)
			err = replay_run(&r, &at);
	}
	scan_fini(&scan);
	epoch_cache_fini(&none);
	return err;
}

static int remove_files(struct dir *dir, char *path)
{
	int err = dir_unlink(dir, path);

	mem_free(path);
	return err == -ENOENT ? 0 : err;
}

static int cut_files(struct cut *cut)
{
	static const char *const suffix[] = { ".log", ".index", ".timeindex", ".txnindex" };
	struct scan scan = { .dir = cut->log->options.dir, .name = cut->log->options.name };
	struct file *file = NULL;
	int err = limit_recovery(cut->log, cut->offset);

	/* From the end on: interrupted, the rest is still one log. */
	for (uint32_t i = cut->view->count; i > cut->keep + cut->has_last && !err; i--) {
		struct segment *s = cut->view->at[i - 1].segment;

		for (size_t k = 0; k < array_count(suffix) && !err; k++)
			err = remove_files(s->dir, segment_path(s, suffix[k]));
	}
	if (!err && cut->has_last) {
		err = segment_file(cut->last.segment, false, &file);
		if (!err)
			err = file_truncate(file, atomic_load(&cut->last.segment->size));
		if (!err)
			err = write_indexes(cut->last.segment, cut->last.index);
		if (!err && !index_count(&cut->last.index->txns))
			err = remove_files(cut->last.segment->dir,
			                   segment_path(cut->last.segment, ".txnindex"));
	}
	if (!err)
		err = scan_snapshots(&scan);
	for (size_t i = 0; i < scan.snapshot_count && !err; i++) {
		if (scan.snapshot[i] > cut->offset || !(cut->keep + cut->has_last))
			err = remove_files(scan.dir, snapshot_path(scan.name, scan.snapshot[i]));
	}
	scan_fini(&scan);
	/* What was cut off must not come back below what is appended next. */
	if (!err && cut->has_last)
		err = file_sync(file);
	/* An empty log knows where it goes on by the name of its empty segment. */
	if (!err && !(cut->keep + cut->has_last)) {
		struct segment *s =
			segment_new(cut->log->options.dir, cut->log->options.name, cut->offset);

		err = segment_file(s, true, &file);
		segment_put(s);
	}
	return err ? err : dir_sync(cut->log->options.dir, cut->log->options.name);
}

static void run_cut(struct job *job)
{
	struct cut *cut = container_of(job, struct cut, job);

	beside_drain(cut->log->beside);
	if (cut->found) {
		cut->err = cut_files(cut);
		return;
	}
	if (cut->keep < cut->view->count)
		cut->err = measure_last(cut);
	if (!cut->err && cut->keep + cut->has_last)
		cut->err = find_producers(cut);
}

static void cut_job_done(struct job *job)
{
	struct cut *cut = container_of(job, struct cut, job);

	cut->done = true;
	cut->log->options.unpark(cut->log->options.arg);
}

/* ---- in the strand ---- */

static void replace_view(struct cut *cut)
{
	struct log *log = cut->log;
	uint32_t count = cut->keep + cut->has_last;
	struct log_view *view = view_copy(cut->view, 0);
	struct log_mark end = { cut->offset, cut->offset, 0 };

	for (uint32_t i = cut->keep; i < view->count; i++) {
		segment_put(view->at[i].segment);
		segment_index_put(view->at[i].index);
	}
	view->count = count;
	if (cut->has_last)
		view->at[cut->keep] = (struct view_segment){ segment_get(cut->last.segment),
			                                     segment_index_get(cut->last.index) };
	if (count) {
		const struct segment *s = view->at[count - 1].segment;

		end.segment = s->base_offset;
		end.position = atomic_load(&s->size);
	}
	if (!count || view->start_offset > cut->offset)
		view->start_offset = cut->offset;
	recovery_point_cut(log, cut->offset);
	view->cuts = atomic_load_explicit(&log->beside->cuts, memory_order_relaxed);
	/* The end first: with the new view nobody sees more than there is (log_view_to_sync()). */
	log_mark_publish(&log->end, end);
	view_publish(log, view);
	tail_reset(&log->tail, -1);
	log->active = NULL;
	segment_index_put(log->index);
	log->index = NULL;
	log->group_offset = cut->offset;
}

static void replace_state(struct cut *cut)
{
	struct log *log = cut->log;
	size_t kept = 0;

	producers_fini(&log->producers);
	producers_move(&log->producers, &cut->producers);
	log->producers.end_offset = cut->offset;
	log->last_snapshot_offset = cut->snapshot > 0 ? cut->snapshot : log_start_offset(log);
	for (size_t i = 0; i < log->ended_count; i++) {
		if (log->ended[i].last_offset < cut->offset)
			log->ended[kept++] = log->ended[i];
	}
	log->ended_count = kept;
	(void)epoch_cache_truncate_end(&log->epochs, cut->offset);
}

static void cut_free(struct cut *cut)
{
	log_view_put(cut->view);
	segment_put(cut->last.segment);
	segment_index_put(cut->last.index);
	producers_fini(&cut->producers);
	mem_free(cut);
}

bool log_cut_step(struct log *log)
{
	struct cut *cut = log->cut;

	if (!cut->done)
		return true;
	cut->done = false;
	if (!cut->err && !cut->found) {
		replace_view(cut);
		replace_state(cut);
		cut->found = true;
		work_submit(WORK_SLOW, &cut->job);
		return true;
	}
	if (cut->err) {
		log->failed = cut->err;
		log->options.failed(log->options.arg, cut->err);
	} else {
		log_save_epochs(log); /* not before: its batches may still be there */
	}
	log->cut = NULL;
	cut_free(cut);
	return false;
}

static void begin(struct log *log, int64_t offset, uint32_t keep, bool whole)
{
	struct cut *cut = mem_zalloc(sizeof(*cut));

	check(!log_has_staged(log));
	cut->log = log;
	cut->view = log_view_get(log_view(log));
	cut->offset = offset;
	cut->keep = keep;
	cut->snapshot = -1;
	cut->job.run = run_cut;
	cut->job.done = cut_job_done;
	producers_init(&cut->producers);
	log->cut = cut;
	if (whole) { /* nothing is to be found */
		replace_view(cut);
		replace_state(cut);
		cut->found = true;
	}
	work_submit(WORK_SLOW, &cut->job);
}

void log_truncate(struct log *log, int64_t offset)
{
	const struct log_view *view = log_view(log);
	uint32_t keep = view->count;

	if (offset >= log_end_offset(log))
		return;
	if (offset < view->start_offset ||
	    (view->count && offset <= view->at[0].segment->base_offset)) {
		log_restart_at(log, offset);
		return;
	}
	/* Segments that end below it stay; the one that holds it is cut. */
	while (keep && view->at[keep - 1].segment->base_offset >= offset)
		keep--;
	begin(log, offset, keep ? keep - 1 : 0, false);
}

void log_restart_at(struct log *log, int64_t offset)
{
	begin(log, offset, 0, true);
}
