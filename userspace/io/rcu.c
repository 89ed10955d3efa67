/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

/*
 * Quiescent states.  `epoch` counts grace periods begun.  A reactor announces at the end of
 * each turn the epoch it sees, and RCU_ASLEEP before it sleeps.  What was deferred in a turn
 * begins a period at the end of that turn and is freed once everybody announced it or sleeps.
 *
 * Why that is enough: a reader that announces e loaded e with acquire, so its next turn sees
 * all that was replaced before e began; its earlier loads come before its release.
 */
enum { EPOCH_OLDEST = 1 };

static atomic_ulong epoch = EPOCH_OLDEST;

void rcu_sleep(struct reactor *r)
{
	/* Release: our last use of anything comes before its reclaimer sees us asleep. */
	atomic_store_explicit(&r->rcu_seen, RCU_ASLEEP, memory_order_release);
}

void rcu_wake(struct reactor *r)
{
	unsigned long seen;

	atomic_store_explicit(&r->rcu_seen, EPOCH_OLDEST, memory_order_relaxed);
	/*
	 * A read-modify-write, so that it stands before or after the one that begins a period:
	 * before, and that reclaimer sees us awake; after, and we see what it replaced.
	 */
	seen = atomic_fetch_add_explicit(&epoch, 0, memory_order_acq_rel);
	atomic_store_explicit(&r->rcu_seen, seen, memory_order_release);
}

void rcu_defer(struct rcu_head *head, void (*free)(struct rcu_head *self))
{
	struct reactor *r = reactor_here();

	head->next = NULL;
	head->free = free;
	*r->rcu_end = head;
	r->rcu_end = &head->next;
}

bool rcu_is_waiting(const struct reactor *r)
{
	return r->rcu_first;
}

/* The oldest epoch that somebody awake may still be reading in. */
static unsigned long oldest_seen(void)
{
	unsigned long oldest = ~0ul;

	for (int i = 0; i < reactor_count(); i++) {
		/* Acquire: what that reader did before it announced this is over. */
		unsigned long seen =
			atomic_load_explicit(&reactor_at(i)->rcu_seen, memory_order_acquire);

		if (seen != RCU_ASLEEP && seen < oldest)
			oldest = seen;
	}
	return oldest;
}

void rcu_turn_ends(struct reactor *r)
{
	unsigned long oldest;
	struct rcu_head *head;

	if (*r->rcu_fresh) {
		/* Release: whoever sees the new epoch sees what we replaced in this turn. */
		unsigned long begun =
			atomic_fetch_add_explicit(&epoch, 1, memory_order_acq_rel) + 1;

		for (head = *r->rcu_fresh; head; head = head->next)
			head->epoch = begun;
		r->rcu_fresh = r->rcu_end;
	}
	atomic_store_explicit(&r->rcu_seen, atomic_load_explicit(&epoch, memory_order_acquire),
	                      memory_order_release);
	if (!r->rcu_first)
		return;

	oldest = oldest_seen();
	while ((head = r->rcu_first) && r->rcu_fresh != &r->rcu_first && head->epoch <= oldest) {
		r->rcu_first = head->next;
		if (r->rcu_fresh == &head->next)
			r->rcu_fresh = &r->rcu_first;
		if (r->rcu_end == &head->next)
			r->rcu_end = &r->rcu_first;
		head->free(head); /* may defer more */
	}
}

void rcu_drain(struct reactor *r)
{
	struct rcu_head *head;

	while ((head = r->rcu_first)) {
		r->rcu_first = head->next;
		if (!r->rcu_first)
			r->rcu_end = &r->rcu_first;
		head->free(head);
	}
	r->rcu_fresh = &r->rcu_first;
}
