/* SPDX-License-Identifier: Apache-2.0 */
#include "log_private.h"

#include "base/mem.h"

/* What readers see of a log: marks, the tail ring, the view. */

/*
 * A sequence lock with one writer.  The fields are atomics, so that a torn read is a retry and
 * never undefined; the fences order them against the version.
 */
void log_mark_publish(struct log_mark_slot *slot, struct log_mark mark)
{
	uint32_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);

	atomic_store_explicit(&slot->version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&slot->offset, mark.offset, memory_order_relaxed);
	atomic_store_explicit(&slot->segment, mark.segment, memory_order_relaxed);
	atomic_store_explicit(&slot->position, mark.position, memory_order_relaxed);
	atomic_store_explicit(&slot->version, version + 2, memory_order_release);
}

struct log_mark log_mark_read(const struct log_mark_slot *slot)
{
	struct log_mark mark;
	uint32_t before;
	uint32_t after;

	do {
		before = atomic_load_explicit(&slot->version, memory_order_acquire);
		mark.offset = atomic_load_explicit(&slot->offset, memory_order_relaxed);
		mark.segment = atomic_load_explicit(&slot->segment, memory_order_relaxed);
		mark.position = atomic_load_explicit(&slot->position, memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&slot->version, memory_order_relaxed);
	} while (before != after || before & 1);
	return mark;
}

void tail_reset(struct tail *t, int64_t segment)
{
	uint32_t version = atomic_load_explicit(&t->version, memory_order_relaxed);

	atomic_store_explicit(&t->version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&t->segment, segment, memory_order_relaxed);
	atomic_store_explicit(&t->count, 0, memory_order_relaxed);
	atomic_store_explicit(&t->version, version + 2, memory_order_release);
}

void tail_push(struct tail *t, int64_t offset, uint64_t position)
{
	uint32_t version = atomic_load_explicit(&t->version, memory_order_relaxed);
	uint32_t count = atomic_load_explicit(&t->count, memory_order_relaxed);

	atomic_store_explicit(&t->version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&t->at[count % TAIL_SIZE].offset, offset, memory_order_relaxed);
	atomic_store_explicit(&t->at[count % TAIL_SIZE].position, position, memory_order_relaxed);
	atomic_store_explicit(&t->count, count + 1, memory_order_relaxed);
	atomic_store_explicit(&t->version, version + 2, memory_order_release);
}

/* One try; the newest batch at or below `offset`. */
static bool tail_search(const struct tail *t, int64_t segment, int64_t offset,
                        struct tail_found *ret)
{
	uint32_t count = atomic_load_explicit(&t->count, memory_order_relaxed);
	uint32_t low = count > TAIL_SIZE ? count - TAIL_SIZE : 0;
	uint32_t high = count;

	if (atomic_load_explicit(&t->segment, memory_order_relaxed) != segment)
		return false;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (atomic_load_explicit(&t->at[middle % TAIL_SIZE].offset, memory_order_relaxed) <=
		    offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || (count > TAIL_SIZE && low == count - TAIL_SIZE))
		return false;
	ret->offset =
		atomic_load_explicit(&t->at[(low - 1) % TAIL_SIZE].offset, memory_order_relaxed);
	ret->position =
		atomic_load_explicit(&t->at[(low - 1) % TAIL_SIZE].position, memory_order_relaxed);
	if (low < count)
		ret->end = atomic_load_explicit(&t->at[low % TAIL_SIZE].position,
		                                memory_order_relaxed);
	return true;
}

bool tail_find(const struct tail *t, int64_t segment, int64_t offset, struct tail_found *ret)
{
	for (int tries = 0; tries < 4; tries++) {
		uint32_t before = atomic_load_explicit(&t->version, memory_order_acquire);
		struct tail_found at = { 0 };
		bool found = tail_search(t, segment, offset, &at);

		atomic_thread_fence(memory_order_acquire);
		if (before != atomic_load_explicit(&t->version, memory_order_relaxed) || before & 1)
			continue;
		if (found)
			*ret = at;
		return found;
	}
	return false; /* busy: the index knows too */
}

/* ---- views ---- */

struct log_view *view_copy(const struct log_view *old, uint32_t extra)
{
	uint32_t count = old ? old->count : 0;
	struct log_view *view = mem_zalloc(sizeof(*view) + (count + extra) * sizeof(view->at[0]));

	atomic_init(&view->refs, 1);
	view->start_offset = old ? old->start_offset : 0;
	view->cuts = old ? old->cuts : 0;
	view->count = count;
	for (uint32_t i = 0; i < count; i++) {
		view->at[i].segment = segment_get(old->at[i].segment);
		view->at[i].index = segment_index_get(old->at[i].index);
	}
	return view;
}

static void free_view(struct rcu_head *head)
{
	log_view_put(container_of(head, struct log_view, rcu));
}

void view_publish(struct log *log, struct log_view *view)
{
	struct log_view *old = atomic_load_explicit(&log->view, memory_order_relaxed);

	int64_t first = view->count ? view->at[0].segment->base_offset : 0;

	atomic_store_explicit(&log->start_offset, view->start_offset, memory_order_relaxed);
	atomic_store_explicit(&log->start_to_keep,
	                      view->start_offset > first ? view->start_offset : -1,
	                      memory_order_relaxed);
	rcu_publish(&log->view, view);
	if (!old)
		return;
	/* Before the reactors run nobody else has seen it. */
	if (reactor_self() == REACTOR_NONE)
		log_view_put(old);
	else
		rcu_defer(&old->rcu, free_view);
}

const struct log_view *log_view(const struct log *log)
{
	return rcu_load(&log->view);
}

const struct log_view *log_view_get(const struct log_view *view)
{
	struct log_view *v = (struct log_view *)(uintptr_t)view;

	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return view;
}

void log_view_put(const struct log_view *view)
{
	struct log_view *v = (struct log_view *)(uintptr_t)view;

	if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < v->count; i++) {
		segment_put(v->at[i].segment);
		segment_index_put(v->at[i].index);
	}
	mem_free(v);
}

int64_t log_start_offset(const struct log *log)
{
	return atomic_load_explicit(&log->start_offset, memory_order_relaxed);
}

int64_t log_start_to_keep(const struct log *log)
{
	return atomic_load_explicit(&log->start_to_keep, memory_order_relaxed);
}

struct log_mark log_end_mark(const struct log *log)
{
	return log_mark_read(&log->end);
}

int64_t log_end_offset(const struct log *log)
{
	return atomic_load_explicit(&log->end.offset, memory_order_acquire);
}

uint64_t log_size(const struct log *log)
{
	const struct log_view *view = log_view(log);
	uint64_t size = 0;

	for (uint32_t i = 0; i < view->count; i++)
		size += atomic_load_explicit(&view->at[i].segment->size, memory_order_relaxed);
	return size;
}

uint32_t log_segment_count(const struct log *log)
{
	return log_view(log)->count;
}

bool log_view_has_aborted(const struct log_view *view)
{
	for (uint32_t i = 0; i < view->count; i++) {
		if (atomic_load_explicit(&view->at[i].segment->has_aborted, memory_order_relaxed))
			return true;
	}
	return false;
}
