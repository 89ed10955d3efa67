/* SPDX-License-Identifier: Apache-2.0 */
#include "timer.h"

#include "loop.h"

#define WHEEL_MAX_MS ((UINT64_C(1) << (WHEEL_BITS * WHEEL_LEVELS)) - 1)

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	w->now_ms = now_ms;
	list_init(&w->expired);
	for (int level = 0; level < WHEEL_LEVELS; level++) {
		w->used[level] = 0;
		for (int slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&w->slot[level][slot]);
	}
}

static void insert(struct wheel *w, struct timer *t)
{
	uint64_t wake_ms = t->due_ms < WHEEL_MAX_MS ? t->due_ms : WHEEL_MAX_MS;
	int level, slot;

	t->wake_ms = wake_ms;
	if (wake_ms <= w->now_ms) {
		list_push(&w->expired, &t->link);
		return;
	}
	level = (63 - __builtin_clzll(wake_ms ^ w->now_ms)) / WHEEL_BITS;
	slot = (int)(wake_ms >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
	w->used[level] |= UINT64_C(1) << slot;
	list_push(&w->slot[level][slot], &t->link);
}

/* The first slot that is not empty, and when it begins.  Slots of a level lie ahead of now. */
static struct list *first_slot(struct wheel *w, uint64_t *ret_ms)
{
	for (int level = 0; level < WHEEL_LEVELS; level++) {
		int shift = level * WHEEL_BITS;

		while (w->used[level]) {
			int slot = __builtin_ctzll(w->used[level]);
			uint64_t block = w->now_ms >> shift >> WHEEL_BITS << WHEEL_BITS;

			if (!list_is_empty(&w->slot[level][slot])) {
				*ret_ms = (block | (uint64_t)slot) << shift;
				return &w->slot[level][slot];
			}
			w->used[level] &= w->used[level] - 1;
		}
	}
	return NULL;
}

uint64_t wheel_next_ms(struct wheel *w)
{
	uint64_t at_ms;

	if (!list_is_empty(&w->expired))
		return 0;
	return first_slot(w, &at_ms) ? at_ms : UINT64_MAX;
}

static void move_all(struct list *from, struct list *to)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	*to = *from;
	to->next->prev = to;
	to->prev->next = to;
	list_init(from);
}

void wheel_run(struct wheel *w, uint64_t now_ms)
{
	struct list moved, *node, *slot;
	uint64_t at_ms;

	while ((slot = first_slot(w, &at_ms)) && at_ms <= now_ms) {
		w->now_ms = at_ms;
		move_all(slot, &moved);
		while ((node = list_pop(&moved)))
			insert(w, list_entry(node, struct timer, link));
	}
	if (now_ms > w->now_ms)
		w->now_ms = now_ms;

	move_all(&w->expired, &moved);
	while ((node = list_pop(&moved))) {
		struct timer *t = list_entry(node, struct timer, link);

		if (t->due_ms > w->now_ms)
			insert(w, t); /* moved on while it waited here */
		else
			t->fire(t);
	}
}

void timer_init(struct timer *t, void (*fire)(struct timer *self))
{
	list_init(&t->link);
	t->due_ms = 0;
	t->wake_ms = 0;
	t->fire = fire;
}

void timer_arm(struct timer *t, uint64_t due_ms)
{
	t->due_ms = due_ms;
	if (timer_is_armed(t)) {
		if (due_ms >= t->wake_ms)
			return; /* its slot comes first and will see */
		list_remove(&t->link);
	}
	insert(&reactor_here()->wheel, t);
}

void timer_disarm(struct timer *t)
{
	list_remove(&t->link);
}

bool timer_is_armed(const struct timer *t)
{
	return !list_is_empty(&t->link);
}
