/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/prng.h"
#include "io/rcu.h"
#include "io/reactor.h"
#include "io/work.h"

static void run(int count, void (*start)(void *arg))
{
	struct reactors_options options = { .count = count };

	assert_int_equal(reactors_open(&options), 0);
	assert_int_equal(reactor_count(), count);
	assert_int_equal(reactor_self(), REACTOR_NONE);
	reactors_run(start, NULL);
	assert_int_equal(reactor_self(), REACTOR_NONE);
	reactors_close();
}

/* ---- mail ---- */

enum { ROUNDS = 3000 };
static struct mail ball;
static int rounds;
static bool bounced_right;

static void bounce(struct mail *mail)
{
	bounced_right &= reactor_self() == rounds % 3;
	if (++rounds == ROUNDS)
		reactors_stop();
	else
		reactor_post(rounds % 3, mail);
}

static void serve(void *arg)
{
	(void)arg;
	rounds = 0;
	bounced_right = true;
	ball.run = bounce;
	reactor_post(0, &ball);
}

static void a_letter_runs_where_it_was_sent_and_wakes_a_sleeper(void **state)
{
	(void)state;
	run(3, serve);
	assert_int_equal(rounds, ROUNDS);
	assert_true(bounced_right);
}

enum { LETTERS = 1000 };
static struct mail letters[LETTERS], back[LETTERS];
static int received, answered;
static bool in_order, answers_in_order;

static void receive_answer(struct mail *mail)
{
	answers_in_order &= mail == &back[answered];
	if (++answered == LETTERS)
		reactors_stop();
}

static void receive(struct mail *mail)
{
	in_order &= mail == &letters[received];
	back[received].run = receive_answer;
	reactor_post(0, &back[received]);
	received++;
}

static void send_all(void *arg)
{
	(void)arg;
	received = answered = 0;
	in_order = answers_in_order = true;
	for (int i = 0; i < LETTERS; i++) {
		letters[i].run = receive;
		reactor_post(reactor_count() - 1, &letters[i]);
	}
}

static void letters_of_one_sender_keep_their_order(void **state)
{
	(void)state;
	run(2, send_all);
	assert_true(in_order && answers_in_order);
	run(1, send_all);
	assert_true(in_order && answers_in_order);
}

/* ---- timers ---- */

enum { TIMERS = 400 };
struct alarm {
	struct timer timer;
	uint64_t asked_ms;
	int fired;
};
static struct alarm alarms[TIMERS];
static int fired;
static bool on_time;
static uint64_t latest_ms;
static struct prng prng;

static void ring(struct timer *t)
{
	struct alarm *alarm = container_of(t, struct alarm, timer);
	uint64_t now_ms = mono_ms();

	alarm->fired++;
	on_time &= now_ms >= alarm->asked_ms && !timer_is_armed(t);
	if (now_ms - alarm->asked_ms > latest_ms)
		latest_ms = now_ms - alarm->asked_ms;
	if (++fired == TIMERS / 2)
		reactors_stop();
}

static void set_alarms(void *arg)
{
	uint64_t now_ms = mono_ms();

	(void)arg;
	fired = 0;
	latest_ms = 0;
	on_time = true;
	for (int i = 0; i < TIMERS; i++) {
		struct alarm *alarm = &alarms[i];

		alarm->fired = 0;
		timer_init(&alarm->timer, ring);
		assert_false(timer_is_armed(&alarm->timer));
		timer_arm(&alarm->timer, now_ms + prng_below(&prng, 300));
		/* Moved earlier, later, or by nothing; the odd ones are disarmed. */
		alarm->asked_ms = now_ms + prng_below(&prng, 300);
		timer_arm(&alarm->timer, alarm->asked_ms);
		assert_true(timer_is_armed(&alarm->timer));
		if (i % 2)
			timer_disarm(&alarm->timer);
	}
}

static void timers_fire_once_never_early_and_not_when_disarmed(void **state)
{
	uint64_t best_ms = UINT64_MAX;

	(void)state;
	/* A busy machine is late now and then; a wheel that is late is late every time. */
	for (int tries = 0; tries < 10 && best_ms >= 100; tries++) {
		run(1, set_alarms);
		assert_true(on_time);
		for (int i = 0; i < TIMERS; i++)
			assert_int_equal(alarms[i].fired, i % 2 ? 0 : 1);
		if (latest_ms < best_ms)
			best_ms = latest_ms;
	}
	assert_true(best_ms < 100);
}

static struct timer chain;
static int links;

static void next_link(struct timer *t)
{
	if (++links == 50)
		reactors_stop();
	else
		timer_arm(t, links % 2 ? 0 : mono_ms() + 1);
}

static void start_chain(void *arg)
{
	(void)arg;
	links = 0;
	timer_init(&chain, next_link);
	timer_arm(&chain, 0);
}

static void a_timer_may_arm_itself_for_the_past(void **state)
{
	(void)state;
	run(1, start_chain);
	assert_int_equal(links, 50);
}

static struct timer never, later;

static void stop_all(struct timer *t)
{
	(void)t;
	reactors_stop();
}

static void far_ahead(void *arg)
{
	(void)arg;
	timer_init(&never, stop_all);
	timer_arm(&never, UINT64_MAX);
	timer_init(&later, stop_all);
	timer_arm(&later, mono_ms() + 600);
}

static uint64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void an_idle_system_sleeps(void **state)
{
	struct rusage before, after;
	uint64_t begin_us = cpu_us();

	(void)state;
	getrusage(RUSAGE_SELF, &before);
	run(2, far_ahead);
	getrusage(RUSAGE_SELF, &after);
	assert_true(cpu_us() - begin_us < 100000);
	/* Threads begin and end, and a timer moves down the wheel: nothing periodic. */
	assert_true(after.ru_nvcsw - before.ru_nvcsw < 60);
}

/* ---- workers ---- */

enum { JOBS = 100 };
static struct job jobs[JOBS];
static int jobs_done;
static bool jobs_right;

static void job_run(struct job *job)
{
	if (reactor_self() != REACTOR_NONE)
		jobs_right = false;
	(void)job;
}

static void job_done(struct job *job)
{
	jobs_right &= reactor_self() == 0 && job >= jobs && job < jobs + JOBS;
	if (++jobs_done == JOBS)
		reactors_stop();
}

static void submit_all(void *arg)
{
	(void)arg;
	jobs_done = 0;
	jobs_right = true;
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){ .run = job_run, .done = job_done };
		work_submit(i % 2 ? WORK_FAST : WORK_SLOW, &jobs[i]);
	}
}

static void jobs_run_on_workers_and_end_at_home(void **state)
{
	(void)state;
	run(2, submit_all);
	assert_true(jobs_right);
	assert_int_equal(jobs_done, JOBS);
}

/* ---- reclamation ---- */

static struct garbage {
	struct rcu_head head;
	atomic_bool freed;
} garbage;
static struct mail hold, replace;
static atomic_bool holding, deferred;
static bool freed_under_reader;
static struct timer look;

static void nap_ms(long ms)
{
	struct timespec ts = { 0, ms * 1000000 };

	nanosleep(&ts, NULL);
}

static void reclaim(struct rcu_head *head)
{
	atomic_store(&container_of(head, struct garbage, head)->freed, true);
}

static void read_long(struct mail *mail)
{
	(void)mail;
	atomic_store(&holding, true);
	while (!atomic_load(&deferred))
		;
	nap_ms(30); /* the one place where a reactor sleeps: a long turn */
	freed_under_reader = atomic_load(&garbage.freed);
}

static void check_freed(struct timer *t)
{
	if (atomic_load(&garbage.freed))
		reactors_stop();
	else
		timer_arm(t, mono_ms() + 1);
}

static void defer_it(struct mail *mail)
{
	if (!atomic_load(&holding)) {
		reactor_post(0, mail);
		return;
	}
	rcu_defer(&garbage.head, reclaim);
	atomic_store(&deferred, true);
	timer_init(&look, check_freed);
	timer_arm(&look, 0);
}

static void reader_and_writer(void *arg)
{
	(void)arg;
	hold.run = read_long;
	reactor_post(1, &hold);
	replace.run = defer_it;
	reactor_post(0, &replace);
}

static void nothing_is_freed_while_a_turn_that_may_read_it_goes_on(void **state)
{
	(void)state;
	atomic_store(&garbage.freed, false);
	run(2, reader_and_writer);
	assert_false(freed_under_reader);
	assert_true(atomic_load(&garbage.freed));
}

/* ---- signals ---- */

static int reloads;

static void reloaded(void)
{
	reloads++;
	raise(SIGTERM);
}

static void handle_signals(void *arg)
{
	(void)arg;
	reloads = 0;
	signals_handle(reactors_stop, reloaded);
	raise(SIGHUP);
}

static void signals_arrive_on_reactor_0(void **state)
{
	(void)state;
	run(2, handle_signals);
	assert_int_equal(reloads, 1);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
}

static void knows_the_time_and_the_boot(void **state)
{
	uint64_t a = mono_ns();
	uint8_t x[32] = { 0 }, y[32] = { 0 };

	(void)state;
	assert_true(mono_ns() >= a);
	assert_true(wall_ms() > INT64_C(1700000000000));
	assert_string_equal(boot_id().text, boot_id().text);
	assert_int_equal(strlen(boot_id().text), 36);
	random_bytes(x, sizeof(x));
	random_bytes(y, sizeof(y));
	assert_memory_not_equal(x, y, sizeof(x));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_letter_runs_where_it_was_sent_and_wakes_a_sleeper),
		cmocka_unit_test(letters_of_one_sender_keep_their_order),
		cmocka_unit_test(timers_fire_once_never_early_and_not_when_disarmed),
		cmocka_unit_test(a_timer_may_arm_itself_for_the_past),
		cmocka_unit_test(an_idle_system_sleeps),
		cmocka_unit_test(jobs_run_on_workers_and_end_at_home),
		cmocka_unit_test(nothing_is_freed_while_a_turn_that_may_read_it_goes_on),
		cmocka_unit_test(signals_arrive_on_reactor_0),
		cmocka_unit_test(knows_the_time_and_the_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
