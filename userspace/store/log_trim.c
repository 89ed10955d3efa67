/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves a log at its beginning, and its epochs. */
#include "log_private.h"

#include "base/mem.h"
#include "wire/errors.h"

/* ---- epochs ---- */

void log_lead(struct log *log, int32_t epoch)
{
	if (epoch_cache_assign(&log->epochs, epoch, log_end_offset(log)))
		log_save_epochs(log);
}

int32_t log_latest_epoch(const struct log *log)
{
	return epoch_cache_latest(&log->epochs);
}

struct log_epoch_end log_epoch_end(const struct log *log, int32_t epoch)
{
	struct epoch_entry end = epoch_cache_end(&log->epochs, epoch, log_end_offset(log));

	return (struct log_epoch_end){ end.epoch, end.start_offset };
}

int32_t log_epoch_of(const struct log *log, int64_t offset)
{
	return epoch_cache_of(&log->epochs, offset);
}

const struct producers *log_producers(const struct log *log)
{
	return &log->producers;
}

/* ---- transactions ---- */

int64_t log_first_unstable(struct log *log, int64_t high_watermark)
{
	int64_t first = producers_first_open(&log->producers);
	size_t kept = 0;

	for (size_t i = 0; i < log->ended_count; i++) {
		if (log->ended[i].last_offset < high_watermark)
			continue;
		if (log->ended[i].first_offset < first)
			first = log->ended[i].first_offset;
		log->ended[kept++] = log->ended[i];
	}
	log->ended_count = kept;
	return first;
}

/* ---- the log start ---- */

static void move_start(struct log *log, struct log_view *view, int64_t offset)
{
	view->start_offset = offset;
	if (epoch_cache_truncate_start(&log->epochs, offset))
		log_save_epochs(log);
}

int16_t log_delete_records(struct log *log, int64_t offset)
{
	struct log_view *view;

	if (offset > log_end_offset(log) || offset < 0)
		return WIRE_OFFSET_OUT_OF_RANGE;
	if (offset <= log_start_offset(log))
		return WIRE_NONE;
	view = view_copy(log_view(log), 0);
	move_start(log, view, offset);
	view_publish(log, view);
	return WIRE_NONE;
}

/* ---- retention ---- */

void log_remove_doomed(struct log *log, int64_t now_ms)
{
	size_t gone = 0;

	while (gone < log->doomed_count && log->doomed[gone].due_ms <= now_ms) {
		log_unlink_deleted(log, log->doomed[gone].segment);
		segment_put(log->doomed[gone].segment);
		gone++;
	}
	if (!gone)
		return;
	log->doomed_count -= gone;
	memmove(log->doomed, log->doomed + gone, log->doomed_count * sizeof(*log->doomed));
}

static void doom(struct log *log, struct segment *s, int64_t now_ms)
{
	log->doomed = mem_grow(log->doomed, log->doomed_count, &log->doomed_capacity,
	                       sizeof(*log->doomed));
	log->doomed[log->doomed_count++] =
		(struct doomed){ segment_get(s), now_ms + log->config.file_delete_delay_ms };
	log_rename_deleted(log, s);
}

/* UnifiedLog.deleteOldSegments: how many segments from the first on may go. */
static uint32_t count_deletable(const struct log *log, const struct log_view *view, int64_t now_ms,
                                int64_t high_watermark)
{
	const struct log_config *config = &log->config;
	int64_t end = log_end_offset(log);
	uint64_t total = log_size(log);
	uint32_t i = 0;

	for (; i < view->count; i++) {
		const struct segment *s = view->at[i].segment;
		bool last = i + 1 == view->count;
		int64_t upper = last ? end : view->at[i + 1].segment->base_offset;
		uint64_t size = atomic_load_explicit(&s->size, memory_order_relaxed);
		int64_t newest = atomic_load_explicit(&s->max_timestamp, memory_order_relaxed);
		bool old = config->retention_ms >= 0 &&
		           now_ms - (newest >= 0 ? newest : s->created_ms) > config->retention_ms;
		bool large = config->retention_bytes >= 0 &&
		             total >= (uint64_t)config->retention_bytes + size;

		if (upper > high_watermark || (last && !size))
			break;
		if (!(config->cleanup_delete && (old || large)) &&
		    (last || upper > view->start_offset))
			break;
		total -= size;
	}
	return i;
}

bool log_retain(struct log *log, int64_t now_ms, int64_t high_watermark)
{
	const struct log_view *old = log_view(log);
	uint32_t count = count_deletable(log, old, now_ms, high_watermark);
	int64_t start = old->start_offset;
	struct log_view *view;

	producers_expire(&log->producers, now_ms - log->config.producer_expiration_ms);
	log_remove_doomed(log, now_ms);
	if (!count || log->cut || log->failed)
		return false;
	/* The last one goes too: a new one keeps the offset where the log goes on. */
	if (count == old->count) {
		int64_t end = log_end_offset(log);

		if (log->active) {
			log_retire_active(log);
			log_save_snapshot(log, end);
		}
		if (log_add_segment(log, end, now_ms))
			return false; /* a full disk, most likely: the next time */
	}
	view = view_copy(log_view(log), 0);
	for (uint32_t i = 0; i < count; i++) {
		doom(log, view->at[i].segment, now_ms);
		segment_put(view->at[i].segment);
		segment_index_put(view->at[i].index);
	}
	view->count -= count;
	memmove(view->at, view->at + count, view->count * sizeof(view->at[0]));
	if (view->at[0].segment->base_offset > start)
		move_start(log, view, view->at[0].segment->base_offset);
	view_publish(log, view);
	return log_start_offset(log) != start;
}
