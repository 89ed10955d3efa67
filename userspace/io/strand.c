/* SPDX-License-Identifier: Apache-2.0 */
#include "io/strand.h"

#include "base/check.h"
#include "io/reactor.h"
#include "reactor_internal.h"

/* The bottom of a held strand's stack; an idle strand has NULL instead. */
static struct work bottom;

void strand_init(struct strand *s, enum settled (*settle)(struct strand *self))
{
	atomic_init(&s->top, NULL);
	s->queue = NULL;
	s->ready_next = NULL;
	s->settle = settle;
}

void strand_init_parked(struct strand *s, enum settled (*settle)(struct strand *self))
{
	strand_init(s, settle);
	atomic_init(&s->top, &bottom);
}

void strand_post(struct strand *s, struct work *work)
{
	struct work *top = atomic_load_explicit(&s->top, memory_order_relaxed);

	check(reactor_self() != REACTOR_NONE);
	/* Release gives the holder our work; acquire gives us what the last holder left. */
	do {
		work->next = top ? top : &bottom;
	} while (!atomic_compare_exchange_weak_explicit(&s->top, &top, work, memory_order_acq_rel,
	                                                memory_order_relaxed));
	if (!top)
		reactor_ready(s);
}

static struct work *oldest_first(struct work *newest)
{
	struct work *queue = NULL;

	while (newest != &bottom) {
		struct work *next = newest->next;

		newest->next = queue;
		queue = newest;
		newest = next;
	}
	return queue;
}

static struct work *take(struct strand *s)
{
	struct work *work;

	if (!s->queue)
		/* Acquire: with the release of every post in the stack. */
		s->queue = oldest_first(
			atomic_exchange_explicit(&s->top, &bottom, memory_order_acquire));
	work = s->queue;
	if (work)
		s->queue = work->next;
	return work;
}

/* Held becomes idle only if nothing was posted meanwhile. */
static bool let_go(struct strand *s)
{
	struct work *expected = &bottom;

	/* Release: the next holder sees the state as we leave it. */
	return !s->queue &&
	       atomic_compare_exchange_strong_explicit(&s->top, &expected, NULL,
	                                               memory_order_release, memory_order_relaxed);
}

void strand_run(struct strand *s)
{
	uint64_t end_ns = mono_ns() + STRAND_RUN_US * 1000ull;
	size_t bytes = 0;

	check(atomic_load_explicit(&s->top, memory_order_relaxed));

	for (int items = 0; items < STRAND_RUN_ITEMS && bytes < STRAND_RUN_BYTES; items++) {
		struct work *work = take(s);

		if (!work)
			break;
		bytes += work->bytes;
		work->run(work);
		if (mono_ns() >= end_ns)
			break;
	}

	switch (s->settle(s)) {
	case SETTLED:
		if (!let_go(s))
			reactor_ready(s);
		return;
	case SETTLED_PARKED:
	case SETTLED_DEAD:
		return; /* after either, s may already be another's */
	}
}

void strand_unpark(struct strand *s)
{
	check(reactor_self() != REACTOR_NONE);
	check(atomic_load_explicit(&s->top, memory_order_relaxed));
	reactor_ready(s);
}
