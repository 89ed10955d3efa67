/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a log (LogLoader).  Each segment is measured, the last one always to its end; then epochs
 * and producers are brought up to the end; then the index files are made to agree.
 */
#include "log_private.h"

#include <errno.h>

#include "base/mem.h"
#include "io/reactor.h"

struct opening {
	struct log *log;
	struct scan scan;
	struct log_view *view;
	bool *rebuilt; /* of each segment of the view */
	struct log_recovered *told;
	int64_t end;
	int64_t suspect_from; /* nothing beside the segments is believed from this offset on */
};

static const char *const segment_suffix[] = { ".log", ".index", ".timeindex", ".txnindex",
	                                      ".snapshot" };

static int64_t next_base(const struct opening *o, size_t i)
{
	return i + 1 < o->scan.segment_count ? o->scan.segment[i + 1].offset : INT64_MAX;
}

static bool is_suspect(const struct opening *o, size_t i)
{
	return o->log->options.recovery != LOG_CLEAN &&
	       next_base(o, i) > o->log->options.recovery_point;
}

/* What follows a hole does not belong to this log. */
static int drop_from(struct opening *o, size_t first)
{
	int err = 0;

	for (size_t i = first; i < o->scan.segment_count && !err; i++) {
		struct segment *s =
			segment_new(o->scan.dir, o->scan.name, o->scan.segment[i].offset);

		o->told->truncated_bytes += o->scan.segment[i].size;
		for (size_t k = 0; k < array_count(segment_suffix) && !err; k++) {
			char *path = segment_path(s, segment_suffix[k]);

			err = dir_unlink(s->dir, path);
			if (err == -ENOENT)
				err = 0;
			mem_free(path);
		}
		segment_put(s);
	}
	o->scan.segment_count = first;
	return err;
}

/*
 * After a power cut a file, or its end, may be gone whose successors are there: above the recovery
 * point offsets that are missing between two segments are such a hole, below it compaction's.
 * Where none is missing, what was cut off is the rest of an append that failed (ENOSPC).
 */
static bool is_hole(const struct opening *o, size_t i, const struct measure *m)
{
	if (!is_suspect(o, i) || o->log->options.recovery != LOG_POWERLESS)
		return false;
	return m->end_offset < next_base(o, i) &&
	       (m->cut_bytes || m->end_offset >= o->log->options.recovery_point);
}

static int open_segment(struct opening *o, size_t i)
{
	struct log *log = o->log;
	bool last = i + 1 == o->scan.segment_count;
	bool suspect = is_suspect(o, i);
	bool powerless = log->options.recovery == LOG_POWERLESS;
	struct measure m = {
		.log = log,
		.found = &o->scan.segment[i],
		.next_base = next_base(o, i),
		.suspect_bytes = suspect && powerless,
		.check_last = last && suspect && !powerless,
		.may_cut = last || (suspect && powerless),
		.need_end = last || suspect,
	};
	int err = measure_run(&m);

	if (suspect && m.found->offset < o->suspect_from)
		o->suspect_from = m.found->offset;
	atomic_store(&m.segment->has_aborted, m.found->has_txns);
	atomic_store(&m.segment->is_named, log->options.recovery == LOG_CLEAN);
	o->told->segments += m.need_end || !m.believed;
	o->told->indexes_rebuilt += !m.believed;
	o->told->truncated_bytes += m.cut_bytes;
	o->rebuilt[o->view->count] = m.rebuilt;
	o->view->at[o->view->count++] = (struct view_segment){ m.segment, m.index };
	if (m.need_end)
		o->end = m.end_offset;
	if (!err && !last && is_hole(o, i, &m))
		err = drop_from(o, i + 1);
	return err;
}

static int open_segments(struct opening *o)
{
	size_t count = o->scan.segment_count;
	int err = 0;

	o->view = mem_zalloc(sizeof(*o->view) + (count + 1) * sizeof(o->view->at[0]));
	atomic_init(&o->view->refs, 1);
	o->rebuilt = mem_array(count + 1, sizeof(*o->rebuilt));
	o->suspect_from = INT64_MAX;
	for (size_t i = 0; i < o->scan.segment_count && !err; i++)
		err = open_segment(o, i);
	return err;
}

/* ---- epochs and producers ---- */

static bool load_epochs(struct log *log)
{
	char *path = log_path(log->options.name, "leader-epoch-checkpoint");
	void *data;
	size_t size;
	bool known = !dir_read(log->options.dir, path, 16 << 20, &data, &size);

	mem_free(path);
	if (known) {
		known = !epoch_cache_decode(&log->epochs, (struct str){ data, (uint32_t)size });
		mem_free(data);
	}
	return known;
}

static int replay_segment(struct opening *o, struct replay *r, uint32_t i)
{
	const struct view_segment *at = &o->view->at[i];
	bool last = i + 1 == o->view->count;
	int64_t next = last ? INT64_MAX : o->view->at[i + 1].segment->base_offset;
	int64_t from = r->producers_from < r->epochs_from ? r->producers_from : r->epochs_from;
	int err;

	if (next <= from && !last)
		return 0;
	err = segment_load_txns(at, r->producers_from);
	if (!err && o->end > from)
		err = replay_run(r, at);
	if (r->txns_changed)
		o->rebuilt[i] = true;
	return err;
}

/* ---- the batches before a snapshot ---- */

/* What is looked through for the last batches of producers. */
enum { WINDOW_BYTES = 1 << 20 };

/* Where the bytes begin that are looked through, so many before the snapshot. */
static int64_t window_from(const struct opening *o, int64_t snapshot)
{
	uint64_t left = WINDOW_BYTES;
	int64_t from = snapshot;

	for (uint32_t i = o->view->count; i; i--) {
		const struct view_segment *at = &o->view->at[i - 1];
		bool inside = i == o->view->count || at[1].segment->base_offset > snapshot;
		int64_t end = (int64_t)atomic_load(&at->segment->size);

		if (at->segment->base_offset >= snapshot)
			continue;
		if (inside)
			end = position_before(at, snapshot, true);
		if (end < 0)
			return end;
		if ((uint64_t)end > left)
			return offset_before(at, (uint64_t)end - left);
		left -= (uint64_t)end;
		from = at->segment->base_offset;
	}
	return from;
}

/*
 * A snapshot has one batch of each producer, as Kafka's, but a client may send any of its last
 * five again, over a restart too.
 */
static int remember_batches(struct opening *o, int64_t snapshot)
{
	struct epoch_cache none = { 0 };
	struct producers earlier;
	struct replay r = { .producers = &earlier,
		            .epochs = &none,
		            .producers_from = window_from(o, snapshot),
		            .epochs_from = INT64_MAX,
		            .end_offset = snapshot };
	int err = r.producers_from < 0 ? (int)r.producers_from : 0;

	producers_init(&earlier);
	for (uint32_t i = 0; i < o->view->count && !err; i++) {
		/* Its transactions are known. */
		struct view_segment at = { .segment = o->view->at[i].segment };
		bool last = i + 1 == o->view->count;

		if (at.segment->base_offset < snapshot &&
		    (last || o->view->at[i + 1].segment->base_offset > r.producers_from))
			err = replay_run(&r, &at);
	}
	producers_remember(&o->log->producers, &earlier);
	producers_fini(&earlier);
	epoch_cache_fini(&none);
	return err;
}

/*
 * Producers are known up to the last segment: when retention takes the others, nothing else says
 * so (UnifiedLog.rebuildProducerState).  On a full disk it stays as it is.
 */
static int save_snapshot(struct opening *o, const struct replay *r, int64_t offset)
{
	struct log *log = o->log;
	struct buf data = { 0 };
	char *path;
	int err;

	if (log->options.recovery == LOG_CLEAN || offset <= r->producers_from)
		return 0; /* it is what was read */
	producers_encode(&log->producers, &data);
	path = snapshot_path(log->options.name, offset);
	err = write_small(log->options.dir, path, &data);
	if (!err)
		log->last_snapshot_offset = offset;
	mem_free(path);
	buf_fini(&data);
	return errno_is_full(err) ? 0 : err;
}

static int replay(struct opening *o)
{
	struct log *log = o->log;
	struct replay r = { .producers = &log->producers, .epochs = &log->epochs };
	int64_t limit = o->end < o->suspect_from ? o->end : o->suspect_from;
	int64_t first = o->view->count ? o->view->at[0].segment->base_offset : 0;
	int64_t snapshot = load_snapshot(&log->producers, &o->scan, first, limit);
	int64_t start = log->options.start_offset;
	bool known = load_epochs(log);
	int err = 0;

	/* What is suspect is learnt again: the file may be older than a cut. */
	(void)epoch_cache_truncate_end(&log->epochs, limit);
	/*
	 * No snapshot that can be read: all of it, rather than take a retry for new.  Batches below
	 * the log start count as long as they are there.
	 */
	r.producers_from = snapshot > 0 ? snapshot : 0;
	r.epochs_from = known ? o->suspect_from : 0;
	r.end_offset = o->end;
	log->last_snapshot_offset = snapshot > start ? snapshot : start;
	if (snapshot > 0 && log->producers.map.count)
		err = remember_batches(o, snapshot);
	for (uint32_t i = 0; i < o->view->count && !err; i++) {
		if (i + 1 == o->view->count)
			err = save_snapshot(o, &r, o->view->at[i].segment->base_offset);
		if (!err)
			err = replay_segment(o, &r, i);
	}
	return err;
}

/* ---- the files beside ---- */

/* Snapshots above the end and those of no segment are of no use; the newest one always is. */
static int drop_snapshots(struct opening *o)
{
	int64_t first = o->view->count ? o->view->at[0].segment->base_offset : 0;
	int64_t newest = -1;
	int err = 0;

	for (size_t i = 0; i < o->scan.snapshot_count; i++) {
		if (o->scan.snapshot[i] <= o->end && o->scan.snapshot[i] >= first)
			newest = o->scan.snapshot[i];
	}
	for (size_t i = 0; i < o->scan.snapshot_count && !err; i++) {
		int64_t offset = o->scan.snapshot[i];
		char *path;

		if (offset == newest || (offset < newest && scan_find(&o->scan, offset)))
			continue;
		path = snapshot_path(o->scan.name, offset);
		err = dir_unlink(o->scan.dir, path);
		if (err == -ENOENT) /* went with its segment */
			err = 0;
		mem_free(path);
	}
	return err;
}

/* -errno; a full disk must not keep a log from being opened: *ret_whole then is false. */
static int settle_index(const struct view_segment *at, bool rebuilt, bool last, bool *ret_whole)
{
	struct segment_index *x = at->index;
	int err = 0;

	if (!last)
		time_entry_add(&x->times, at->segment);
	if (rebuilt || (!last && (x->offsets.written != index_count(&x->offsets) ||
	                          x->times.written != index_count(&x->times)))) {
		err = write_indexes(at->segment, x);
		x->offsets.written = index_count(&x->offsets);
		x->times.written = index_count(&x->times);
		x->txns.written = index_count(&x->txns);
	}
	*ret_whole = !err;
	return errno_is_full(err) ? 0 : err;
}

/* The index files of closed segments are whole, and their memory goes; the active one's stays. */
static int settle_indexes(struct opening *o)
{
	int err = 0;

	for (uint32_t i = 0; i < o->view->count && !err; i++) {
		struct view_segment *at = &o->view->at[i];
		bool last = i + 1 == o->view->count;
		bool whole;

		err = settle_index(at, o->rebuilt[i], last, &whole);
		if (!last && whole) {
			segment_index_put(at->index);
			at->index = NULL;
		}
	}
	return err;
}

static void publish(struct opening *o)
{
	struct log *log = o->log;
	struct log_view *view = o->view;
	int64_t start = log->options.start_offset;
	int64_t segment = start;
	uint64_t position = 0;

	if (view->count && view->at[0].segment->base_offset > start)
		start = view->at[0].segment->base_offset;
	view->start_offset = start;
	if (o->end < start)
		o->end = start;
	if (view->count) {
		log->active = view->at[view->count - 1].segment;
		log->index = segment_index_get(view->at[view->count - 1].index);
		position = atomic_load(&log->active->size);
		segment = log->active->base_offset;
		/* As Kafka: counting begins anew. */
		if (log->options.recovery == LOG_CLEAN)
			log->active->bytes_since_index = 0;
	}
	log->group_offset = o->end;
	log->producers.end_offset = o->end;
	view_publish(log, view);
	o->view = NULL;
	log_mark_publish(&log->end, (struct log_mark){ o->end, segment, position });
	atomic_store(&log->recovery_point,
	             log->options.recovery == LOG_CLEAN || log->options.recovery_point > o->end
	                     ? o->end
	                     : log->options.recovery_point);
	atomic_store(&log->synced_ms, mono_ms());
	(void)epoch_cache_truncate_start(&log->epochs, start);
}

static int load(struct opening *o)
{
	struct log *log = o->log;
	int64_t limit = read_recovery_limit(o->scan.dir, o->scan.name);
	int err = scan_run(&o->scan);

	atomic_store(&log->beside->has_limit, limit != INT64_MAX);
	if (log->options.recovery_point > limit)
		log->options.recovery_point = limit;
	/* A checkpoint that is older than the limit may be of another log. */
	if (log->options.start_offset > limit)
		log->options.start_offset = limit;
	if (!err)
		err = open_segments(o);
	if (!err && o->end < log->options.start_offset)
		o->end = log->options.start_offset;
	/* What comes next at offsets below the checkpoint is not what was synced there. */
	if (!err && log->options.recovery_point > o->end)
		err = limit_recovery(log, o->end);
	if (!err)
		err = replay(o);
	if (!err)
		err = drop_snapshots(o);
	if (!err)
		err = settle_indexes(o);
	return err;
}

static int64_t jitter(const char *name, const struct log_config *config)
{
	int64_t max = config->segment_jitter_ms;

	return max > 0 ? (int64_t)(hash_str(str_of(name)) % (uint64_t)(max + 1)) : 0;
}

void log_configure(struct log *log, const struct log_config *config)
{
	log->config = *config;
	atomic_store_explicit(&log->flush_ms, config->flush_ms, memory_order_relaxed);
	log->jitter_ms = jitter(log->options.name, config);
}

/*
 * Nobody reads what a power cut can take back, where acks say so: of what a kill left the end may
 * not be on the device yet.
 */
static int sync_end(struct log *log)
{
	const struct log_config *config = &log->config;

	if (log->options.recovery == LOG_CLEAN ||
	    !(config->ack_synced || config->flush_messages <= 1) ||
	    log_end_offset(log) <= log_recovery_point(log))
		return 0;
	return log_sync(log, log_view(log), log_end_offset(log));
}

int log_open(const struct log_options *options, struct log **ret,
             struct log_recovered *ret_recovered)
{
	struct log *log = mem_zalloc(sizeof(*log));
	struct opening o = { .log = log, .told = ret_recovered };
	int err;

	*ret_recovered = (struct log_recovered){ 0 };
	log->options = *options;
	log->options.name = str_dup(str_of(options->name));
	log_configure(log, &options->config);
	o.scan.dir = options->dir;
	o.scan.name = log->options.name;
	log->queue_end = &log->queue;
	log->group_end = &log->group;
	log->beside = beside_new();
	atomic_init(&log->lowest_cut, INT64_MAX);
	producers_init(&log->producers);
	err = load(&o);
	if (!err) {
		publish(&o);
		err = sync_end(log);
	}
	if (!err) {
		*ret = log;
	} else {
		log_view_put(o.view);
		log_free(log);
	}
	mem_free(o.rebuilt);
	scan_fini(&o.scan);
	return err;
}
