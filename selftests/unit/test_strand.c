/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/reactor.h"
#include "io/strand.h"

/* Items append their number to a journal, settle() a dot, or a 'p' when it parks. */
static struct strand strand;
static char journal[1024];
static size_t journal_size;
static int settle_count, items_in_run, items_in_run_max;
static enum settled next_settled;

static void note(char c)
{
	assert_true(journal_size + 1 < sizeof(journal));
	journal[journal_size++] = c;
	journal[journal_size] = '\0';
}

struct item {
	struct work work;
	char name;
	struct item *posts; /* posted by run() */
};

static void item_run(struct work *work)
{
	struct item *item = container_of(work, struct item, work);

	note(item->name);
	items_in_run++;
	if (item->posts) {
		strand_post(&strand, &item->posts->work);
		note('+');
	}
}

static enum settled settle(struct strand *s)
{
	enum settled answer = next_settled;

	assert_ptr_equal(s, &strand);
	if (items_in_run > items_in_run_max)
		items_in_run_max = items_in_run;
	items_in_run = 0;
	settle_count++;
	note(answer == SETTLED_PARKED ? 'p' : '.');
	next_settled = SETTLED;
	return answer;
}

static void post(struct item *item, char name)
{
	item->work = (struct work){ .run = item_run };
	item->name = name;
	strand_post(&strand, &item->work);
}

/* Calls f on reactor 0, then turns until `turns` letters to itself went round. */
static struct mail tick;
static int ticks_left;
static void (*at_tick[8])(void);
static int tick_number;

static void on_tick(struct mail *mail)
{
	if (tick_number < 8 && at_tick[tick_number])
		at_tick[tick_number]();
	tick_number++;
	if (--ticks_left)
		reactor_post(0, mail);
	else
		reactors_stop();
}

static void start(void *arg)
{
	void (*f)(void) = (void (*)(void))(uintptr_t)arg;

	tick.run = on_tick;
	f();
	reactor_post(0, &tick);
}

static void run(void (*f)(void), int turns)
{
	struct reactors_options options = { .count = 1 };

	journal_size = 0;
	journal[0] = '\0';
	settle_count = items_in_run = items_in_run_max = tick_number = 0;
	next_settled = SETTLED;
	ticks_left = turns;
	strand_init(&strand, settle);
	assert_int_equal(reactors_open(&options), 0);
	reactors_run(start, (void *)(uintptr_t)f);
	reactors_close();
	for (int i = 0; i < 8; i++)
		at_tick[i] = NULL;
}

static struct item items[200];

static void post_three(void)
{
	for (int i = 0; i < 3; i++)
		post(&items[i], (char)('a' + i));
	note('|');
}

static void runs_in_the_order_of_posting_and_never_inside_post(void **state)
{
	(void)state;
	run(post_three, 3);
	assert_string_equal(journal, "|abc.");
}

static void post_one_that_posts(void)
{
	items[1] = (struct item){ .work.run = item_run, .name = 'b' };
	items[0].posts = &items[1];
	post(&items[0], 'a');
}

static void work_may_post_to_its_own_strand(void **state)
{
	(void)state;
	run(post_one_that_posts, 4);
	items[0].posts = NULL;
	assert_string_equal(journal, "a+b.");
}

static void post_many(void)
{
	for (int i = 0; i < 150; i++)
		post(&items[i], 'x');
}

static void a_run_takes_at_most_64_items(void **state)
{
	(void)state;
	run(post_many, 8);
	assert_int_equal(items_in_run_max, STRAND_RUN_ITEMS);
	assert_true(settle_count >= 3);
	assert_int_equal(journal_size, 150 + settle_count);
}

static void post_heavy(void)
{
	for (int i = 0; i < 3; i++) {
		items[i] = (struct item){ .work = { .bytes = 200 * 1024, .run = item_run } };
		items[i].name = (char)('a' + i);
		strand_post(&strand, &items[i].work);
	}
}

static void a_run_ends_when_its_bytes_are_used_up(void **state)
{
	(void)state;
	run(post_heavy, 5);
	assert_string_equal(journal, "ab.c.");
}

static void post_and_park(void)
{
	next_settled = SETTLED_PARKED;
	post(&items[0], 'a');
}

static void post_more(void)
{
	post(&items[1], 'b');
	post(&items[2], 'c');
}

static void unpark(void)
{
	note('u');
	strand_unpark(&strand);
}

static void work_collects_behind_a_parked_strand(void **state)
{
	(void)state;
	at_tick[2] = post_more;
	at_tick[5] = unpark;
	run(post_and_park, 8);
	assert_string_equal(journal, "apubc.");
}

static void settles_once_after_unpark_even_without_work(void **state)
{
	(void)state;
	at_tick[3] = unpark;
	run(post_and_park, 8);
	assert_string_equal(journal, "apu.");
}

static void an_idle_strand_can_be_held_again(void **state)
{
	(void)state;
	at_tick[3] = post_more;
	run(post_three, 8);
	assert_string_equal(journal, "|abc.bc.");
}

/* ---- a strand that frees itself ---- */

static struct strand *mortal;

static enum settled die(struct strand *s)
{
	assert_ptr_equal(s, mortal);
	mem_free(s);
	mortal = NULL;
	return SETTLED_DEAD;
}

static void post_to_mortal(void)
{
	mortal = mem_zalloc(sizeof(*mortal));
	strand_init(mortal, die);
	items[0] = (struct item){ .work.run = item_run, .name = 'z' };
	strand_post(mortal, &items[0].work);
}

static void a_dead_strand_may_have_freed_itself(void **state)
{
	(void)state;
	run(post_to_mortal, 4);
	assert_null(mortal);
	assert_string_equal(journal, "z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_in_the_order_of_posting_and_never_inside_post),
		cmocka_unit_test(work_may_post_to_its_own_strand),
		cmocka_unit_test(a_run_takes_at_most_64_items),
		cmocka_unit_test(a_run_ends_when_its_bytes_are_used_up),
		cmocka_unit_test(work_collects_behind_a_parked_strand),
		cmocka_unit_test(settles_once_after_unpark_even_without_work),
		cmocka_unit_test(an_idle_strand_can_be_held_again),
		cmocka_unit_test(a_dead_strand_may_have_freed_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
