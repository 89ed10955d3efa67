/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

static void place(struct group_timers *h, size_t at, struct group_timer *t)
{
	h->heap[at] = t;
	t->place = at;
}

static void sift_up(struct group_timers *h, struct group_timer *t)
{
	size_t at = t->place;

	for (; at > 1 && h->heap[at / 2]->key_ms > t->key_ms; at /= 2)
		place(h, at, h->heap[at / 2]);
	place(h, at, t);
}

static void sift_down(struct group_timers *h, struct group_timer *t)
{
	size_t at = t->place;

	for (size_t child = at * 2; child <= h->count; at = child, child *= 2) {
		if (child < h->count && h->heap[child + 1]->key_ms < h->heap[child]->key_ms)
			child++;
		if (h->heap[child]->key_ms >= t->key_ms)
			break;
		place(h, at, h->heap[child]);
	}
	place(h, at, t);
}

void group_timer_set(struct group_timers *h, struct group_timer *t, uint64_t at_ms)
{
	t->at_ms = at_ms;
	if (t->place && at_ms >= t->key_ms)
		return;
	t->key_ms = at_ms;
	if (!t->place) {
		h->count++;
		h->heap = mem_grow(h->heap, h->count, &h->capacity, sizeof(*h->heap));
		place(h, h->count, t);
	}
	sift_up(h, t);
}

void group_timer_stop(struct group_timers *h, struct group_timer *t)
{
	struct group_timer *last;

	if (!t->place)
		return;
	last = h->heap[h->count--];
	if (last != t) {
		place(h, t->place, last);
		sift_up(h, last);
		sift_down(h, last);
	}
	t->place = 0;
}

uint64_t group_timers_next_ms(const struct group_timers *h)
{
	return h->count ? h->heap[1]->key_ms : UINT64_MAX;
}

struct group_timer *group_timers_pop(struct group_timers *h, uint64_t now_ms)
{
	while (h->count && h->heap[1]->key_ms <= now_ms) {
		struct group_timer *t = h->heap[1];

		if (t->at_ms <= now_ms) {
			group_timer_stop(h, t);
			return t;
		}
		t->key_ms = t->at_ms;
		sift_down(h, t);
	}
	return NULL;
}

void group_timers_fini(struct group_timers *h)
{
	mem_free(h->heap);
	*h = (struct group_timers){ 0 };
}
