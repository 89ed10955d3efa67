/* SPDX-License-Identifier: Apache-2.0 */
#include "io/reactor.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop.h"
#include "reactor_internal.h"

enum {
	MAIL_PER_TURN = 256,
	TURNS_UNPOLLED = 2, /* with work at hand, look for events at least every so many turns */
	RCU_RETRY_MS = 2,
	REACTOR_STACK_BYTES = 2 * 1024 * 1024, /* of addresses; pages only as touched */
};

static struct reactor *reactors;
static int count;
static bool pinned;
static atomic_bool stopping;
static sem_t released; /* threads 1..n-1 wait for start() to have returned */
static int threads_made;
static char notes[2048];
static atomic_int senders; /* between reactors_enter() and reactors_leave() */
static _Thread_local struct reactor *here;

/* ---- who and where ---- */

int reactor_count(void)
{
	return count;
}

int reactor_self(void)
{
	return here ? here->index : REACTOR_NONE;
}

struct reactor *reactor_here(void)
{
	check(here);
	return here;
}

struct reactor *reactor_at(int index)
{
	check(index >= 0 && index < count);
	return &reactors[index];
}

bool reactors_are_pinned(void)
{
	return pinned;
}

void reactors_note(const char *format, ...)
{
	size_t used = strlen(notes);
	va_list args;

	va_start(args, format);
	vsnprintf(notes + used, sizeof(notes) - used, format, args);
	va_end(args);
	used = strlen(notes);
	if (used + 1 < sizeof(notes))
		strcpy(notes + used, "\n");
}

const char *reactors_notes(void)
{
	return notes;
}

/* ---- mail ---- */

static void wake(struct reactor *r)
{
	uint64_t one = 1;

	/* Watched edge-triggered and never read: each write is an edge.  It cannot fill up. */
	(void)!write(r->event_fd, &one, sizeof(one));
}

void reactor_send(struct reactor *to, struct mail *mail)
{
	struct mail *top = atomic_load_explicit(&to->mail, memory_order_relaxed);

	/*
	 * Sequentially consistent against the sleeper, which stores `sleeping` and then looks
	 * for mail: one of us sees the other.
	 */
	do {
		mail->next = top;
	} while (!atomic_compare_exchange_weak_explicit(&to->mail, &top, mail, memory_order_seq_cst,
	                                                memory_order_relaxed));
	if (atomic_load_explicit(&to->sleeping, memory_order_seq_cst) &&
	    atomic_exchange_explicit(&to->sleeping, false, memory_order_relaxed))
		wake(to);
}

void reactor_post(int to, struct mail *mail)
{
	struct reactor *r = reactor_at(to);

	if (r != here) {
		reactor_send(r, mail);
		return;
	}
	mail->next = NULL;
	*r->inbox_end = mail;
	r->inbox_end = &mail->next;
}

/* Others' mail goes behind our own, in the order of sending. */
static void collect_mail(struct reactor *r)
{
	struct mail *newest, *oldest = NULL, **end;

	if (!atomic_load_explicit(&r->mail, memory_order_relaxed))
		return;
	/* Acquire: what the senders wrote before they posted. */
	newest = atomic_exchange_explicit(&r->mail, NULL, memory_order_acquire);
	end = newest ? &newest->next : r->inbox_end;
	while (newest) {
		struct mail *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	*r->inbox_end = oldest;
	r->inbox_end = end;
}

static void run_mail(struct reactor *r)
{
	struct mail *mail, **end;
	int left = MAIL_PER_TURN;

	collect_mail(r);
	mail = r->inbox;
	if (!mail)
		return;
	end = r->inbox_end;
	r->inbox = NULL;
	r->inbox_end = &r->inbox;

	while (mail && left--) {
		struct mail *next = mail->next;

		mail->run(mail); /* what it posts goes to the new inbox */
		mail = next;
	}
	if (mail) { /* the rest stays in front of what came meanwhile */
		*end = r->inbox;
		if (!r->inbox)
			r->inbox_end = end;
		r->inbox = mail;
	}
}

void reactors_enter(void)
{
	atomic_fetch_add_explicit(&senders, 1, memory_order_relaxed);
}

void reactors_leave(void)
{
	/* Release: our last use of a reactor comes before its end. */
	atomic_fetch_sub_explicit(&senders, 1, memory_order_release);
}

/* ---- strands ---- */

void reactor_ready(struct strand *s)
{
	struct reactor *r = reactor_here();

	s->ready_next = NULL;
	*r->ready_end = s;
	r->ready_end = &s->ready_next;
}

static void run_ready(struct reactor *r)
{
	struct strand *s = r->ready;

	r->ready = NULL;
	r->ready_end = &r->ready;
	while (s) {
		struct strand *next = s->ready_next;

		strand_run(s);
		s = next;
	}
}

/* ---- events ---- */

static void woken(struct source *self, uint32_t events)
{
	(void)self;
	(void)events;
}

int reactor_watch(struct reactor *r, int fd, uint32_t events, struct source *source)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void reactor_forget(struct reactor *r, struct source *source)
{
	for (int i = r->event_next; i < r->event_count; i++)
		if (r->events[i].data.ptr == source)
			r->events[i].data.ptr = &r->wake;
}

static void run_events(struct reactor *r)
{
	r->input_bytes = 0;
	while (r->event_next < r->event_count && r->input_bytes < REACTOR_INPUT_BYTES) {
		struct epoll_event *event = &r->events[r->event_next++];
		struct source *source = event->data.ptr;

		source->ready(source, event->events);
	}
}

static void take_events(struct reactor *r, int timeout_ms)
{
	int n = epoll_wait(r->epoll_fd, r->events, REACTOR_EVENTS, timeout_ms);

	check(n >= 0 || errno == EINTR);
	r->event_next = 0;
	r->event_count = n > 0 ? n : 0;
	r->unpolled = 0;
}

static bool has_work(struct reactor *r)
{
	return r->inbox || r->ready || r->event_next < r->event_count || uring_has_waiting(r) ||
	       atomic_load_explicit(&r->mail, memory_order_relaxed);
}

static int sleep_ms(struct reactor *r)
{
	uint64_t next_ms = wheel_next_ms(&r->wheel);
	uint64_t now_ms, left_ms = INT_MAX;

	if (next_ms != UINT64_MAX) {
		now_ms = mono_ms();
		if (next_ms <= now_ms)
			return 0;
		if (next_ms - now_ms < left_ms)
			left_ms = next_ms - now_ms;
	} else if (!rcu_is_waiting(r)) {
		return -1;
	}
	/* Nobody tells us when the others have been quiescent; they soon will have been. */
	if (rcu_is_waiting(r) && left_ms > RCU_RETRY_MS)
		left_ms = RCU_RETRY_MS;
	return (int)left_ms;
}

static void poll_events(struct reactor *r)
{
	int timeout_ms;

	if (has_work(r)) {
		if (r->event_next == r->event_count && ++r->unpolled >= TURNS_UNPOLLED)
			take_events(r, 0);
		return;
	}
	timeout_ms = sleep_ms(r);
	if (!timeout_ms) {
		take_events(r, 0);
		return;
	}
	rcu_sleep(r);
	/* Sequentially consistent: see reactor_send(). */
	atomic_store_explicit(&r->sleeping, true, memory_order_seq_cst);
	if (atomic_load_explicit(&r->mail, memory_order_seq_cst))
		timeout_ms = 0;
	take_events(r, timeout_ms);
	atomic_store_explicit(&r->sleeping, false, memory_order_relaxed);
	rcu_wake(r);
}

static void turn(struct reactor *r)
{
	poll_events(r);
	run_mail(r);
	if (r->uring)
		uring_reap(r);
	run_events(r);
	run_ready(r);
	wheel_run(&r->wheel, mono_ms());
	if (r->uring)
		uring_turn_ends(r);
	net_turn_ends(r);
	rcu_turn_ends(r);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set); /* costs locality only */
}

static void run(struct reactor *r)
{
	while (!atomic_load_explicit(&stopping, memory_order_relaxed))
		turn(r);
	rcu_sleep(r); /* never reads again */
}

static void *reactor_main(void *arg)
{
	struct reactor *r = arg;

	while (sem_wait(&released))
		check(errno == EINTR);
	here = r;
	if (pinned)
		pin(r->cpu);
	rcu_wake(r);
	run(r);
	here = NULL;
	return NULL;
}

void reactors_run(void (*start)(void *arg), void *arg)
{
	struct reactor *r = reactor_at(0);
	cpu_set_t old;

	check(!here);
	CPU_ZERO(&old);
	(void)sched_getaffinity(0, sizeof(old), &old);
	if (pinned)
		pin(r->cpu);
	here = r;
	rcu_wake(r);
	if (start)
		start(arg);
	for (int i = 0; i < threads_made; i++)
		sem_post(&released);
	run(r);
	here = NULL;

	for (int i = 1; i <= threads_made; i++)
		pthread_join(reactors[i].thread, NULL);
	threads_made = 0;
	(void)sched_setaffinity(0, sizeof(old), &old);
}

void reactors_stop(void)
{
	int old_errno = errno;

	atomic_store_explicit(&stopping, true, memory_order_relaxed);
	for (int i = 0; i < count; i++)
		wake(&reactors[i]); /* a system call after the store: orders them */
	errno = old_errno;
}

/* ---- opening and closing ---- */

static int reactor_open(struct reactor *r, int index)
{
	r->index = index;
	r->event_fd = -1;
	r->inbox_end = &r->inbox;
	r->ready_end = &r->ready;
	r->rcu_end = &r->rcu_first;
	r->rcu_fresh = &r->rcu_first;
	r->wake.ready = woken;
	list_init(&r->socks);
	list_init(&r->socks_closed);
	wheel_init(&r->wheel, mono_ms());

	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll_fd < 0)
		return -errno;
	r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->event_fd < 0)
		return -errno;
	return reactor_watch(r, r->event_fd, EPOLLIN | EPOLLET, &r->wake);
}

static void reactor_close(struct reactor *r)
{
	uring_close(r);
	if (r->event_fd >= 0)
		close(r->event_fd);
	if (r->epoll_fd >= 0)
		close(r->epoll_fd);
}

/* How many, and whether each gets a core of its own. */
static int choose_count(int wanted, cpu_set_t *cores)
{
	int core_count, limit;

	CPU_ZERO(cores);
	if (sched_getaffinity(0, sizeof(*cores), cores))
		CPU_SET(0, cores);
	core_count = CPU_COUNT(cores);
	limit = cgroup_cpu_count();
	if (!wanted)
		wanted = limit && limit < core_count ? limit : core_count;
	pinned = wanted == core_count;
	return wanted < REACTORS_MAX ? wanted : REACTORS_MAX;
}

static int start_threads(void)
{
	for (int i = 1; i < count; i++) {
		char name[24];
		int err;

		snprintf(name, sizeof(name), "sluice/r%d", i);
		err = thread_make(&reactors[i].thread, name, REACTOR_STACK_BYTES, reactor_main,
		                  &reactors[i]);
		if (err)
			return err;
		threads_made++;
	}
	return 0;
}

static void open_rings(bool wanted)
{
	int err = 0;

	for (int i = 0; wanted && !err && i < count; i++)
		err = uring_open(&reactors[i]);
	if (err)
		for (int i = 0; i < count; i++)
			uring_close(&reactors[i]);
	if (!wanted)
		reactors_note("files: thread pool");
	else if (err)
		reactors_note("files: thread pool; io_uring refused: %s", strerror(-err));
	else
		reactors_note("files: io_uring");
}

int reactors_open(const struct reactors_options *options)
{
	cpu_set_t cores;
	int err, cpu = -1;

	check(!reactors);
	notes[0] = '\0';
	(void)signal(SIGPIPE, SIG_IGN); /* sendfile() cannot ask for silence by flag */
	(void)signal(SIGXFSZ, SIG_IGN); /* a full file is an error, not an end */
	atomic_store(&stopping, false);
	sem_init(&released, 0, 0);
	count = choose_count(options->count, &cores);
	reactors = aligned_alloc(64, (size_t)count * sizeof(*reactors));
	check(reactors);
	memset(reactors, 0, (size_t)count * sizeof(*reactors));

	for (int i = 0; i < count; i++)
		reactors[i].event_fd = reactors[i].epoll_fd = -1;
	for (int i = 0; i < count; i++) {
		err = reactor_open(&reactors[i], i);
		if (err)
			goto fail;
		reactors[i].cpu = -1;
		if (pinned) {
			do
				cpu++;
			while (!CPU_ISSET(cpu, &cores));
			reactors[i].cpu = cpu;
		}
	}
	reactors_note("reactors: %d%s", count, pinned ? ", one a core, pinned" : ", not pinned");
	open_rings(options->file_io_uring);
	err = work_open(options->worker_count);
	if (!err)
		err = start_threads();
	if (!err)
		return 0;
fail:
	reactors_close();
	return err;
}

void reactors_close(void)
{
	if (!reactors)
		return;
	atomic_store(&stopping, true);
	for (int i = 0; i < threads_made; i++) /* never run */
		sem_post(&released);
	for (int i = 1; i <= threads_made; i++)
		pthread_join(reactors[i].thread, NULL);
	threads_made = 0;
	work_close();
	while (atomic_load_explicit(&senders, memory_order_acquire))
		sched_yield(); /* its letter has run already, it is about to leave */
	net_close();
	for (int i = 0; i < count; i++) {
		here = &reactors[i]; /* what is freed may defer more */
		rcu_drain(&reactors[i]);
		here = NULL;
	}
	for (int i = 0; i < count; i++)
		reactor_close(&reactors[i]);
	sem_destroy(&released);
	free(reactors);
	reactors = NULL;
	count = 0;
}
