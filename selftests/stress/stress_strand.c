/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four reactors on whatever cores there are hammer 32 strands: work from everywhere, parking
 * with the answer from a worker or another reactor, and a published value in each that is
 * replaced and reclaimed while the others read it. The state of a strand has no protection of
 * its own: ThreadSanitizer, a lost count or a read of reclaimed memory says what is wrong.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "io/rcu.h"
#include "io/reactor.h"
#include "io/strand.h"
#include "io/work.h"

enum {
	REACTORS = 4,
	CELLS = 32,
	WALKERS = 48, /* each always has one work under way */
	RUN_MS = 4000,
	MAGIC = 0x5eed,
	DEAD = 0xdead,
};

struct view {
	struct rcu_head rcu;
	uint64_t magic;
	uint64_t sum, copy;
};

struct cell {
	struct strand strand;
	uint64_t sum; /* the strand's own, unprotected */
	uint64_t runs;
	bool inside;
	_Atomic(struct view *) view;
	struct job job;
	struct mail mail;
	struct prng prng;
};

struct walker {
	struct work work;
	struct mail mail;
	struct cell *cell;
	uint64_t steps;
	struct prng prng;
};

static struct cell cells[CELLS];
static struct walker walkers[WALKERS];
static atomic_bool ending;
static atomic_int walking;
static atomic_uint_fast64_t parks, reclaimed;
static struct timer end_timer;

static void reclaim(struct rcu_head *head)
{
	struct view *view = container_of(head, struct view, rcu);

	check(view->magic == MAGIC);
	view->magic = DEAD;
	mem_free(view);
	atomic_fetch_add_explicit(&reclaimed, 1, memory_order_relaxed);
}

static void publish(struct cell *cell)
{
	struct view *old = atomic_load_explicit(&cell->view, memory_order_relaxed);
	struct view *view = mem_zalloc(sizeof(*view));

	view->magic = MAGIC;
	view->sum = view->copy = cell->sum;
	rcu_publish(&cell->view, view);
	if (old)
		rcu_defer(&old->rcu, reclaim);
}

static void read_some(struct prng *prng)
{
	struct view *view = rcu_load(&cells[prng_below(prng, CELLS)].view);

	if (!view)
		return;
	check(view->magic == MAGIC);
	check(view->sum == view->copy);
}

static void unpark(struct mail *mail)
{
	struct cell *cell = container_of(mail, struct cell, mail);

	cell->sum++; /* parked is held: the completion may touch the state */
	strand_unpark(&cell->strand);
}

static void job_run(struct job *job)
{
	(void)job;
}

static void job_done(struct job *job)
{
	unpark(&container_of(job, struct cell, job)->mail);
}

static enum settled settle(struct strand *s)
{
	struct cell *cell = container_of(s, struct cell, strand);

	check(!cell->inside);
	cell->runs++;
	if (!prng_below(&cell->prng, 8))
		publish(cell);
	if (prng_below(&cell->prng, 16))
		return SETTLED;
	atomic_fetch_add_explicit(&parks, 1, memory_order_relaxed);
	if (prng_below(&cell->prng, 2)) {
		cell->job = (struct job){ .run = job_run, .done = job_done };
		work_submit(WORK_FAST, &cell->job);
	} else {
		cell->mail.run = unpark;
		reactor_post((int)prng_below(&cell->prng, REACTORS), &cell->mail);
	}
	return SETTLED_PARKED;
}

static void walk(struct walker *w)
{
	read_some(&w->prng);
	w->cell = &cells[prng_below(&w->prng, CELLS)];
	strand_post(&w->cell->strand, &w->work);
}

static void arrive(struct mail *mail)
{
	walk(container_of(mail, struct walker, mail));
}

static void step(struct work *work)
{
	struct walker *w = container_of(work, struct walker, work);

	check(!w->cell->inside);
	w->cell->inside = true;
	w->cell->sum++;
	w->steps++;
	w->cell->inside = false;
	if (atomic_load_explicit(&ending, memory_order_relaxed)) {
		if (atomic_fetch_sub(&walking, 1) == 1)
			reactors_stop();
		return;
	}
	if (prng_below(&w->prng, 3))
		walk(w); /* here, maybe to this very strand */
	else
		reactor_post((int)prng_below(&w->prng, REACTORS), &w->mail);
}

static void end(struct timer *t)
{
	(void)t;
	atomic_store(&ending, true);
}

static void start(void *arg)
{
	(void)arg;
	for (int i = 0; i < WALKERS; i++)
		reactor_post(i % REACTORS, &walkers[i].mail);
	timer_init(&end_timer, end);
	timer_arm(&end_timer, mono_ms() + RUN_MS);
}

int main(void)
{
	struct reactors_options options = { .count = REACTORS };
	uint64_t steps = 0, sums = 0, runs = 0;

	if (reactors_open(&options))
		return 1;
	for (int i = 0; i < CELLS; i++) {
		strand_init(&cells[i].strand, settle);
		cells[i].prng.state = (uint64_t)i;
	}
	for (int i = 0; i < WALKERS; i++) {
		walkers[i].work.run = step;
		walkers[i].mail.run = arrive;
		walkers[i].prng.state = (uint64_t)i + 1000;
	}
	atomic_store(&walking, WALKERS);
	reactors_run(start, NULL);
	reactors_close();

	for (int i = 0; i < WALKERS; i++)
		steps += walkers[i].steps;
	for (int i = 0; i < CELLS; i++) {
		struct view *view = atomic_load(&cells[i].view);

		sums += cells[i].sum;
		runs += cells[i].runs;
		mem_free(view);
	}
	printf("%llu steps in %llu runs, %llu parkings, %llu views reclaimed\n",
	       (unsigned long long)steps, (unsigned long long)runs,
	       (unsigned long long)atomic_load(&parks),
	       (unsigned long long)atomic_load(&reclaimed));
	/* Each step counted once, and each parking that came back. */
	if (sums < steps || sums > steps + atomic_load(&parks) ||
	    sums + CELLS < steps + atomic_load(&parks)) {
		printf("the strands counted %llu\n", (unsigned long long)sums);
		return 1;
	}
	return 0;
}
