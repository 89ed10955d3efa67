/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../userspace/io/reactor_internal.h"
#include "base/mem.h"
#include "io/rcu.h"
#include "io/work.h"
#include "world.h"

/*
 * The scheduler.  A step gathers what could happen next - a letter, a ready strand, a socket, a
 * due timer of each reactor; an event of the outside, a worker or a disk whose time has come -
 * and the seed chooses.  Each is a whole turn, so that what is deferred is freed right after it:
 * as early as is legal, since nobody else is inside a turn.
 */
enum { REACTORS_MAX = 64, STEP_NS_MAX = 3000, LAG_NS_MAX = 2000000 };

struct event {
	uint64_t at_ns;
	uint64_t number;
	enum place where;
	void (*run)(void *arg);
	void *arg;
};

struct box {
	struct mail *first, **end;
};

struct reactor {
	struct box own, others;
	uint64_t last_mail_ns; /* letters do not overtake */
	struct strand *ready, **ready_end;
	struct list timers; /* by due time */
	struct list sources;
	struct rcu_head *deferred, **deferred_end;
};

struct garbage {
	struct garbage *next;
	void *p;
};

static struct reactor *reactors;
static int count;
static int here = REACTOR_NONE;
static bool stopping;

static struct event *heap;
static size_t heap_count, heap_capacity;
static uint64_t event_numbers;
static struct garbage *garbage;

static struct box lanes[WORK_LANES];
static uint64_t lane_last_ns[WORK_LANES];

static void (*on_stop)(void), (*on_reload)(void);

/* ---- events in time ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->number < b->number;
}

static void swap(size_t a, size_t b)
{
	struct event e = heap[a];

	heap[a] = heap[b];
	heap[b] = e;
}

void event_at(uint64_t at_ns, enum place where, void (*run)(void *arg), void *arg)
{
	size_t i = heap_count;

	heap = mem_grow(heap, heap_count, &heap_capacity, sizeof(*heap));
	heap[heap_count++] = (struct event){ at_ns, event_numbers++, where, run, arg };
	for (; i && before(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

static struct event event_take(void)
{
	struct event e = heap[0];
	size_t i = 0;

	heap[0] = heap[--heap_count];
	for (;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
			if (child < heap_count && before(&heap[child], &heap[least]))
				least = child;
		if (least == i)
			return e;
		swap(i, least);
		i = least;
	}
}

uint64_t later(uint64_t ns_max)
{
	return world()->now_ns + (ns_max ? sim_random(ns_max) : 0);
}

void sim_after(uint64_t after_ns, void (*run)(void *arg), void *arg)
{
	event_at(world()->now_ns + after_ns, PLACE_OUTSIDE, run, arg);
}

/* ---- who and where ---- */

int reactor_count(void)
{
	return count;
}

int reactor_self(void)
{
	must_be_inside();
	return here;
}

const char *reactors_notes(void)
{
	return "reactors: simulated\n";
}

static struct reactor *reactor_here(void)
{
	must_be_reactor();
	return &reactors[here];
}

/* ---- mail ---- */

static void box_put(struct box *b, struct mail *mail)
{
	mail->next = NULL;
	*b->end = mail;
	b->end = &mail->next;
}

static struct mail *box_take(struct box *b)
{
	struct mail *mail = b->first;

	b->first = mail->next;
	if (!b->first)
		b->end = &b->first;
	return mail;
}

static void box_init(struct box *b)
{
	b->first = NULL;
	b->end = &b->first;
}

void mail_arrives(int to, struct mail *mail)
{
	check(to >= 0 && to < count);
	box_put(&reactors[to].others, mail);
}

struct letter {
	int to;
	struct mail *mail;
};

static void deliver(void *arg)
{
	struct letter *letter = arg;

	mail_arrives(letter->to, letter->mail);
	mem_free(letter);
}

void reactor_post(int to, struct mail *mail)
{
	struct letter *letter;
	struct reactor *r;

	must_be_inside();
	check(to >= 0 && to < count);
	r = &reactors[to];
	if (to == here) {
		box_put(&r->own, mail);
		return;
	}
	letter = mem_zalloc(sizeof(*letter));
	letter->to = to;
	letter->mail = mail;
	if (later(world()->manners.mail_ns_max) > r->last_mail_ns)
		r->last_mail_ns = later(world()->manners.mail_ns_max);
	if (r->last_mail_ns < world()->now_ns)
		r->last_mail_ns = world()->now_ns;
	event_at(r->last_mail_ns, PLACE_WORKER, deliver, letter);
}

/* ---- strands ---- */

void reactor_ready(struct strand *s)
{
	struct reactor *r = reactor_here();

	/* As if another reactor's post had come first: then it is the holder. */
	if (sim_chance(world()->manners.other_per_cent))
		r = &reactors[sim_random((uint64_t)count)];
	s->ready_next = NULL;
	*r->ready_end = s;
	r->ready_end = &s->ready_next;
}

/* ---- timers ---- */

void timer_init(struct timer *t, void (*fire)(struct timer *self))
{
	list_init(&t->link);
	t->due_ms = 0;
	t->wake_ms = 0;
	t->fire = fire;
}

bool timer_is_armed(const struct timer *t)
{
	return !list_is_empty(&t->link);
}

void timer_arm(struct timer *t, uint64_t due_ms)
{
	struct reactor *r = reactor_here();
	struct list *at = &r->timers;

	check(t->fire);
	check(!timer_is_armed(t) || t->wake_ms == (uint64_t)here);
	list_remove(&t->link);
	t->due_ms = due_ms;
	t->wake_ms = (uint64_t)here; /* whose it is, to check */
	while (at->prev != &r->timers && list_entry(at->prev, struct timer, link)->due_ms > due_ms)
		at = at->prev;
	list_insert(&t->link, at);
}

void timer_disarm(struct timer *t)
{
	check(!timer_is_armed(t) || here == REACTOR_NONE || t->wake_ms == (uint64_t)here);
	list_remove(&t->link);
}

static struct timer *first_timer(struct reactor *r)
{
	return list_is_empty(&r->timers) ? NULL : list_entry(r->timers.next, struct timer, link);
}

/* ---- sockets ---- */

void source_raise(int reactor, struct source *source)
{
	if (source->queued)
		return;
	source->queued = true;
	list_push(&reactors[reactor].sources, &source->link);
}

void source_drop(struct source *source)
{
	if (source->queued)
		list_remove(&source->link);
	source->queued = false;
}

/* ---- deferred frees ---- */

void rcu_defer(struct rcu_head *head, void (*free)(struct rcu_head *self))
{
	struct reactor *r = reactor_here();

	head->next = NULL;
	head->free = free;
	*r->deferred_end = head;
	r->deferred_end = &head->next;
}

void free_after_event(void *p)
{
	struct garbage *g = mem_zalloc(sizeof(*g));

	g->p = p;
	g->next = garbage;
	garbage = g;
}

static void free_deferred(struct reactor *r)
{
	struct rcu_head *head;

	while ((head = r->deferred)) {
		r->deferred = head->next;
		if (!r->deferred)
			r->deferred_end = &r->deferred;
		head->free(head); /* may defer more */
	}
}

static void turn_ends(struct reactor *r)
{
	struct garbage *g;

	if (r)
		free_deferred(r);
	while ((g = garbage)) {
		garbage = g->next;
		mem_free(g->p);
		mem_free(g);
	}
}

/* ---- work ---- */

static void job_answer(struct mail *mail)
{
	struct job *job = container_of(mail, struct job, mail);

	job->done(job);
}

static void job_ends(void *arg)
{
	struct job *job = arg;

	job->mail.run = job_answer;
	mail_arrives(job->home, &job->mail);
}

static void job_begins(void *arg)
{
	struct box *lane = arg;
	struct job *job = container_of(box_take(lane), struct job, mail);
	bool has_done = job->done;

	job->run(job);
	if (has_done)
		event_at(later(world()->manners.job_ns_max), PLACE_WORKER, job_ends, job);
}

void work_submit(enum work_lane lane, struct job *job)
{
	uint64_t at_ns = later(world()->manners.job_ns_max);

	must_be_inside();
	check(lane < WORK_LANES);
	job->home = here == REACTOR_NONE ? 0 : here;
	box_put(&lanes[lane], &job->mail);
	if (at_ns > lane_last_ns[lane])
		lane_last_ns[lane] = at_ns;
	event_at(lane_last_ns[lane], PLACE_WORKER, job_begins, &lanes[lane]);
}

/* ---- the loop ---- */

static void enter(int reactor)
{
	here = reactor;
	place = reactor == REACTOR_NONE ? PLACE_WORKER : PLACE_REACTOR;
}

static void leave(void)
{
	turn_ends(here == REACTOR_NONE ? NULL : &reactors[here]);
	enter(REACTOR_NONE);
}

static void run_event(void)
{
	struct event e = event_take();

	place = e.where;
	e.run(e.arg);
	leave();
}

enum kind { KIND_OWN, KIND_OTHERS, KIND_READY, KIND_SOURCE, KIND_TIMER, KINDS };

static bool is_possible(struct reactor *r, enum kind kind)
{
	switch (kind) {
	case KIND_OWN:
		return r->own.first;
	case KIND_OTHERS:
		return r->others.first;
	case KIND_READY:
		return r->ready;
	case KIND_SOURCE:
		return !list_is_empty(&r->sources);
	default:
		return first_timer(r) && first_timer(r)->due_ms <= world()->now_ns / 1000000u;
	}
}

static void run_mail(struct box *b)
{
	struct mail *mail = box_take(b);

	mail->run(mail);
}

static void run_on(struct reactor *r, enum kind kind)
{
	struct strand *s;
	struct timer *t;

	switch (kind) {
	case KIND_OWN:
		run_mail(&r->own);
		return;
	case KIND_OTHERS:
		run_mail(&r->others);
		return;
	case KIND_READY:
		s = r->ready;
		r->ready = s->ready_next;
		if (!r->ready)
			r->ready_end = &r->ready;
		strand_run(s);
		return;
	case KIND_SOURCE: {
		struct source *source = list_entry(list_pop(&r->sources), struct source, link);

		source->queued = false;
		source->ready(source);
		return;
	}
	default:
		t = first_timer(r);
		list_remove(&t->link);
		t->fire(t);
		return;
	}
}

/* Nothing is possible now: on to when something will be. */
static void pass_time(void)
{
	struct world *w = world();
	uint64_t next_ns = heap_count ? heap[0].at_ns : UINT64_MAX;

	for (int i = 0; i < count; i++) {
		struct timer *t = first_timer(&reactors[i]);

		if (t && t->due_ms < next_ns / 1000000u)
			next_ns = t->due_ms * 1000000u;
	}
	if (next_ns == UINT64_MAX)
		sim_idle();
	if (next_ns > w->now_ns)
		w->now_ns = next_ns;
	if (!sim_random(64)) /* the machine was busy elsewhere: several things are late */
		w->now_ns += sim_random(LAG_NS_MAX);
}

static void step(void)
{
	int possible[REACTORS_MAX * KINDS + 1];
	struct world *w = world();
	int n = 0, chosen;

	for (int i = 0; i < count * KINDS; i++)
		if (is_possible(&reactors[i / KINDS], (enum kind)(i % KINDS)))
			possible[n++] = i;
	if (heap_count && heap[0].at_ns <= w->now_ns)
		possible[n++] = -1;
	if (!n) {
		pass_time();
		return;
	}
	if (++w->events == w->faults.crash_at_event)
		sim_crash();
	w->now_ns += sim_random(STEP_NS_MAX);
	chosen = possible[sim_random((uint64_t)n)];
	if (chosen < 0) {
		run_event();
		return;
	}
	enter(chosen / KINDS);
	run_on(&reactors[here], (enum kind)(chosen % KINDS));
	leave();
}

int reactors_open(const struct reactors_options *options)
{
	check(!reactors);
	check(place == PLACE_WORKER);
	count = options->count ? options->count : world()->manners.reactor_count;
	check(count <= REACTORS_MAX);
	reactors = mem_array((size_t)count, sizeof(*reactors));
	for (int i = 0; i < count; i++) {
		struct reactor *r = &reactors[i];

		box_init(&r->own);
		box_init(&r->others);
		r->ready_end = &r->ready;
		r->deferred_end = &r->deferred;
		list_init(&r->timers);
		list_init(&r->sources);
	}
	for (int i = 0; i < WORK_LANES; i++)
		box_init(&lanes[i]);
	stopping = false;
	return 0;
}

void reactors_run(void (*start)(void *arg), void *arg)
{
	check(reactors && here == REACTOR_NONE);
	enter(0);
	if (start)
		start(arg);
	leave();
	while (!stopping)
		step();
}

void reactors_stop(void)
{
	stopping = true;
}

void reactors_close(void)
{
	if (!reactors)
		return;
	/* Jobs submitted before are run; their done() is not. */
	for (int i = 0; i < WORK_LANES; i++)
		while (lanes[i].first) {
			struct job *job = container_of(box_take(&lanes[i]), struct job, mail);

			job->run(job);
		}
	net_fini();
	for (int i = 0; i < count; i++) {
		enter(i);
		leave();
	}
	heap_count = 0;
	mem_free(reactors);
	reactors = NULL;
	count = 0;
}

/* ---- signals ---- */

static void run_stop(struct mail *mail)
{
	mem_free(mail);
	if (on_stop)
		on_stop();
}

static void run_reload(struct mail *mail)
{
	mem_free(mail);
	if (on_reload)
		on_reload();
}

static void post_signal(void (*run)(struct mail *mail))
{
	struct mail *mail = mem_zalloc(sizeof(*mail));

	mail->run = run;
	mail_arrives(0, mail);
}

void sim_signal_stop(void)
{
	post_signal(run_stop);
}

void sim_signal_reload(void)
{
	post_signal(run_reload);
}

void signals_handle(void (*stop)(void), void (*reload)(void))
{
	on_stop = stop;
	on_reload = reload;
}
