/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "broker/fetch_wait.h"
#include "broker/partition.h"
#include "io/rcu.h"

/* ---- partitions that have a strand, a list of subscribers and an end, and nothing else ---- */

struct source {
	struct partition part;
	_Atomic(int64_t) end;
};

static _Atomic(int) sources_alive;

static void free_source(struct rcu_head *head)
{
	mem_free(container_of(head, struct source, part.rcu));
	atomic_fetch_sub(&sources_alive, 1);
}

static void source_unreferenced(struct object *object)
{
	struct source *s = container_of(object, struct source, part.object);

	rcu_defer(&s->part.rcu, free_source);
}

static enum settled settle(struct strand *strand)
{
	(void)strand;
	return SETTLED;
}

static struct source *source_new(void)
{
	struct source *s = mem_zalloc(sizeof(*s));

	object_init(&s->part.object, source_unreferenced);
	strand_init(&s->part.strand, settle);
	list_init(&s->part.subscribers);
	atomic_fetch_add(&sources_alive, 1);
	return s;
}

struct append {
	struct work work;
	struct source *source;
	int64_t bytes;
	bool urgent;
	void (*done)(struct append *self);
};

static void run_append(struct work *work)
{
	struct append *a = container_of(work, struct append, work);

	atomic_fetch_add(&a->source->end, a->bytes);
	fetch_slots_publish(&a->source->part.subscribers, a->bytes, a->urgent);
	a->done(a); /* it may be gone now */
}

static void append_post(struct append *a)
{
	a->work = (struct work){ .run = run_append };
	strand_post(&a->source->part.strand, &a->work);
}

static void run(int reactors, void (*start)(void *arg))
{
	struct reactors_options options = { .count = reactors };

	assert_int_equal(reactors_open(&options), 0);
	reactors_run(start, NULL);
	reactors_close();
}

/* ---- one reactor: a script, a step a turn ---- */

static struct source *source[3];
static struct fetch_wait *wait;
static struct fetch_slot *slot[3];
static int woken_count;
static void (*const *script)(void);
static struct mail tick;

static void on_woken(struct fetch_wait *self)
{
	assert_ptr_equal(self, wait);
	assert_ptr_equal(self->owner, &woken_count);
	woken_count++;
}

static void free_append(struct append *a)
{
	mem_free(a);
}

static void publish(int i, int64_t bytes, bool urgent)
{
	struct append *a = mem_zalloc(sizeof(*a));

	*a = (struct append){
		.source = source[i], .bytes = bytes, .urgent = urgent, .done = free_append
	};
	append_post(a);
}

/* What is dirty, as digits; and clean from then on. */
static void expect_dirty(const char *digits)
{
	struct fetch_slot *s;

	while ((s = fetch_wait_take(wait))) {
		assert_true(*digits);
		assert_ptr_equal(s, slot[*digits - '0']);
		digits++;
	}
	assert_int_equal(*digits, '\0');
}

static void on_tick(struct mail *mail)
{
	void (*step)(void) = *script++;

	if (step) {
		step();
		reactor_post(0, mail);
	} else {
		reactors_stop();
	}
}

static void start_script(void *arg)
{
	(void)arg;
	wait = fetch_wait_new(on_woken, &woken_count);
	for (int i = 0; i < 3; i++) {
		source[i] = source_new();
		slot[i] = fetch_slot_join(wait, &source[i]->part, &slot[i]);
	}
	woken_count = 0;
	tick.run = on_tick;
	reactor_post(0, &tick);
}

static void pause(void)
{
}

static void leave_all(void)
{
	for (int i = 0; i < 3; i++) {
		if (slot[i])
			fetch_slot_leave(slot[i]);
		slot[i] = NULL;
		partition_put(&source[i]->part);
	}
	fetch_wait_put(wait);
}

/* The slots know of themselves first, and all is freed in the end. */
static void run_script(void (*const *steps)(void))
{
	script = steps;
	run(1, start_script);
	assert_int_equal(atomic_load(&sources_alive), 0);
}

static void take_first(void)
{
	expect_dirty("012");
}

/* ---- laws ---- */

static void sleep_for_100(void)
{
	assert_true(fetch_wait_sleep(wait, 100));
}

static void publish_60(void)
{
	publish(1, 60, false);
}

static void expect_asleep(void)
{
	assert_int_equal(woken_count, 0);
}

static void expect_awake(void)
{
	assert_int_equal(woken_count, 1);
	woken_count = 0;
}

static void take_1(void)
{
	expect_dirty("1");
}

static void a_fetch_sleeps_until_its_bytes_are_there(void **state)
{
	static void (*const steps[])(void) = {
		pause,         pause,      take_first, sleep_for_100, publish_60,   pause,
		expect_asleep, publish_60, pause,      pause,         expect_awake, take_1,
		leave_all,     pause,      pause,      NULL,
	};

	(void)state;
	run_script(steps);
}

static void publish_urgent(void)
{
	publish(2, 0, true);
}

static void take_2(void)
{
	expect_dirty("2");
}

static void what_is_urgent_wakes_at_once(void **state)
{
	static void (*const steps[])(void) = {
		pause,        pause,  take_first, sleep_for_100, publish_urgent, pause, pause,
		expect_awake, take_2, leave_all,  pause,         pause,          NULL,
	};

	(void)state;
	run_script(steps);
}

static void expect_no_sleep(void)
{
	assert_false(fetch_wait_sleep(wait, 100));
}

static void publish_all_backwards(void)
{
	publish(2, 1, false);
	publish(0, 1, false);
	publish(1, 1, false);
	publish(2, 1, false);
}

static void take_backwards(void)
{
	expect_dirty("201");
}

static void whoever_is_dirty_does_not_sleep_and_is_taken_once(void **state)
{
	static void (*const steps[])(void) = {
		pause,
		pause,
		expect_no_sleep,
		take_first,
		publish_all_backwards,
		pause,
		expect_no_sleep,
		take_backwards,
		sleep_for_100,
		leave_all,
		pause,
		pause,
		NULL,
	};

	(void)state;
	run_script(steps);
}

/* Joining tells nothing until the subscription stands: only from then on can it miss nothing. */
static void expect_clean(void)
{
	expect_dirty("");
	assert_true(fetch_wait_sleep(wait, 100));
}

static void joining_wakes_when_the_subscription_stands(void **state)
{
	static void (*const steps[])(void) = {
		expect_clean, pause, pause, expect_awake, take_first, leave_all, pause, pause, NULL,
	};

	(void)state;
	run_script(steps);
}

static void claim_it(void)
{
	assert_true(fetch_wait_claim(wait));
	assert_false(fetch_wait_claim(wait));
}

static void publish_100(void)
{
	publish(0, 100, false);
}

static void take_0(void)
{
	expect_dirty("0");
}

static void a_claimed_fetch_is_not_woken(void **state)
{
	static void (*const steps[])(void) = {
		pause, pause,         take_first, sleep_for_100, claim_it, publish_100, pause,
		pause, expect_asleep, take_0,     leave_all,     pause,    pause,       NULL,
	};

	(void)state;
	run_script(steps);
}

static void leave_1(void)
{
	publish(0, 5, false);
	publish(1, 5, false);
	fetch_slot_leave(slot[1]);
	slot[1] = NULL;
}

static void who_left_is_not_seen_again(void **state)
{
	static void (*const steps[])(void) = {
		pause,         pause, take_first,    leave_1,   pause, take_0, pause, publish_60,
		sleep_for_100, pause, expect_asleep, leave_all, pause, pause,  NULL,
	};

	(void)state;
	run_script(steps);
}

/* ---- four reactors: nothing that was published is missed, nobody is woken twice ---- */

/*
 * Writers append everywhere; readers sleep until there is enough of what they have not seen, are
 * interrupted by timers, and now and then end their session and begin another.  In the end each has
 * to have seen everything, although nobody waits with a timeout any more: a lost wake-up hangs.
 */
enum {
	REACTORS = 4,
	SOURCES = 6,
	WRITERS = 8,
	READERS = 24,
	APPENDS = 20000, /* of a writer */
};

struct reader {
	struct mail mail;
	struct timer timer;
	struct prng prng;
	int home;
	struct fetch_wait *wait;
	struct fetch_slot *slot[SOURCES];
	int64_t seen[SOURCES];
	int64_t total;
	bool is_sleeping;
	uint64_t sleeps, wakes, claims;
};

struct writer {
	struct append append;
	struct mail mail;
	struct prng prng;
	int left;
};

static struct source *shared[SOURCES];
static struct reader readers[READERS];
static struct writer writers[WRITERS];
static _Atomic(int) writing;
static _Atomic(int) reading;
static _Atomic(bool) is_over; /* nothing more is written */
static _Atomic(int64_t) written;

static void reader_look(struct reader *r);

static void reader_woken(struct fetch_wait *self)
{
	struct reader *r = self->owner;

	assert_true(r->is_sleeping);
	assert_ptr_equal(r->wait, self);
	r->is_sleeping = false;
	r->wakes++;
	reader_look(r);
}

static void reader_join(struct reader *r)
{
	r->wait = fetch_wait_new(reader_woken, r);
	for (int i = 0; i < SOURCES; i++)
		r->slot[i] = fetch_slot_join(r->wait, &shared[i]->part, &r->seen[i]);
}

static void reader_leave(struct reader *r)
{
	for (int i = 0; i < SOURCES; i++)
		fetch_slot_leave(r->slot[i]);
	fetch_wait_put(r->wait);
}

static void ended(struct mail *mail)
{
	(void)mail;
	for (int i = 0; i < SOURCES; i++)
		partition_put(&shared[i]->part);
	reactors_stop();
}

static struct mail end_mail = { .run = ended };

static void reader_end(struct reader *r)
{
	timer_disarm(&r->timer);
	reader_leave(r);
	if (atomic_fetch_sub(&reading, 1) == 1)
		reactor_post(0, &end_mail);
}

static bool reader_saw_all(const struct reader *r)
{
	return atomic_load(&is_over) && r->total == atomic_load(&written);
}

static void reader_sleep(struct reader *r)
{
	/* What is written after `is_over` was seen false is still published. */
	bool over = atomic_load(&is_over);

	if (!fetch_wait_sleep(r->wait, over ? 1 : 1 + (int64_t)(prng_next(&r->prng) % 200))) {
		reactor_post(r->home, &r->mail);
		return;
	}
	r->is_sleeping = true;
	r->sleeps++;
	if (!over && prng_next(&r->prng) % 4 == 0)
		timer_arm(&r->timer, mono_ms() + prng_next(&r->prng) % 3);
}

static void reader_look(struct reader *r)
{
	struct fetch_slot *s;

	timer_disarm(&r->timer);
	while ((s = fetch_wait_take(r->wait))) {
		int64_t *seen = s->owner;
		int64_t end = atomic_load(&shared[seen - r->seen]->end);

		assert_true(end >= *seen);
		r->total += end - *seen;
		*seen = end;
	}
	if (reader_saw_all(r)) {
		reader_end(r);
		return;
	}
	if (prng_next(&r->prng) % 50 == 0) {
		reader_leave(r);
		reader_join(r);
	}
	reader_sleep(r);
}

static void reader_mail(struct mail *mail)
{
	reader_look(container_of(mail, struct reader, mail));
}

static void reader_timer(struct timer *timer)
{
	struct reader *r = container_of(timer, struct reader, timer);

	if (!r->is_sleeping || !fetch_wait_claim(r->wait))
		return; /* it is being woken */
	r->is_sleeping = false;
	r->claims++;
	reader_look(r);
}

static void reader_begin(struct mail *mail)
{
	struct reader *r = container_of(mail, struct reader, mail);

	r->mail.run = reader_mail;
	timer_init(&r->timer, reader_timer);
	reader_join(r);
	reader_look(r);
}

static void write_next(struct mail *mail)
{
	struct writer *w = container_of(mail, struct writer, mail);

	w->append.source = shared[prng_next(&w->prng) % SOURCES];
	w->append.bytes = 1 + (int64_t)(prng_next(&w->prng) % 100);
	w->append.urgent = prng_next(&w->prng) % 20 == 0;
	append_post(&w->append);
}

static void write_done(struct append *a)
{
	struct writer *w = container_of(a, struct writer, append);

	atomic_fetch_add(&written, a->bytes);
	if (--w->left) {
		reactor_post((int)(prng_next(&w->prng) % REACTORS), &w->mail);
	} else if (atomic_fetch_sub(&writing, 1) == 1) {
		/* Whoever sleeps now looks once more: it may have seen all before it was over. */
		atomic_store(&is_over, true);
		fetch_slots_publish(&a->source->part.subscribers, 0, true);
	}
}

static void start_stress(void *arg)
{
	(void)arg;
	atomic_store(&writing, WRITERS);
	atomic_store(&reading, READERS);
	atomic_store(&is_over, false);
	atomic_store(&written, 0);
	for (int i = 0; i < SOURCES; i++)
		shared[i] = source_new();
	for (int i = 0; i < READERS; i++) {
		struct reader *r = &readers[i];

		*r = (struct reader){ .mail.run = reader_begin, .home = i % REACTORS };
		r->prng.state = (uint64_t)i;
		reactor_post(r->home, &r->mail);
	}
	for (int i = 0; i < WRITERS; i++) {
		struct writer *w = &writers[i];

		*w = (struct writer){ .mail.run = write_next, .left = APPENDS };
		w->append.done = write_done;
		w->prng.state = 1000 + (uint64_t)i;
		reactor_post(i % REACTORS, &w->mail);
	}
}

static void nothing_published_is_missed(void **state)
{
	uint64_t sleeps = 0, wakes = 0, claims = 0;

	(void)state;
	run(REACTORS, start_stress);
	for (int i = 0; i < READERS; i++) {
		const struct reader *r = &readers[i];

		assert_int_equal(r->total, atomic_load(&written));
		/* Each sleep ended exactly once. */
		assert_int_equal(r->sleeps, r->wakes + r->claims);
		sleeps += r->sleeps;
		wakes += r->wakes;
		claims += r->claims;
	}
	printf("%d sleeps, %d woken, %d interrupted\n", (int)sleeps, (int)wakes, (int)claims);
	assert_true(wakes > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fetch_sleeps_until_its_bytes_are_there),
		cmocka_unit_test(what_is_urgent_wakes_at_once),
		cmocka_unit_test(whoever_is_dirty_does_not_sleep_and_is_taken_once),
		cmocka_unit_test(joining_wakes_when_the_subscription_stands),
		cmocka_unit_test(a_claimed_fetch_is_not_woken),
		cmocka_unit_test(who_left_is_not_seen_again),
		cmocka_unit_test(nothing_published_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
