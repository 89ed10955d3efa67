/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/fetch_session.h"
#include "wire/errors.h"

static struct fetch_sessions sessions;
static uint64_t now_ms;
static int forgotten, ended;

static void on_forget(void *arg, struct fetch_partition *part)
{
	assert_ptr_equal(arg, &sessions);
	assert_non_null(part->session);
	forgotten++;
}

static void on_ended(void *arg, struct fetch_session *session)
{
	assert_ptr_equal(arg, &sessions);
	assert_true(list_is_empty(&session->all));
	assert_true(list_is_empty(&session->ready));
	ended++;
}

static void begin(size_t count_max)
{
	fetch_sessions_init(&sessions, count_max, 5000);
	sessions.forget = on_forget;
	sessions.ended = on_ended;
	sessions.arg = &sessions;
	now_ms = 1000;
	forgotten = ended = 0;
}

static struct fetch_session *make(int32_t id, size_t partition_count)
{
	struct fetch_session *s = fetch_session_new(&sessions, id, false, partition_count, now_ms);

	for (size_t i = 0; s && i < partition_count; i++)
		fetch_session_want(
			s, &(struct fetch_want){ .topic = STR("t"), .partition = (int32_t)i });
	return s;
}

static int16_t next(struct fetch_session *s, int32_t epoch)
{
	int16_t error = fetch_session_begin(&sessions, s, epoch, s->uses_topic_ids, now_ms);

	if (!error)
		fetch_session_end(&sessions, s);
	return error;
}

/* ---- epochs ---- */

static void each_request_carries_the_next_epoch(void **state)
{
	struct fetch_session *s;

	(void)state;
	begin(1);
	s = make(7, 1);
	assert_ptr_equal(fetch_session_find(&sessions, 7), s);
	assert_null(fetch_session_find(&sessions, 8));
	assert_int_equal(next(s, 0), WIRE_INVALID_FETCH_SESSION_EPOCH);
	assert_int_equal(next(s, 2), WIRE_INVALID_FETCH_SESSION_EPOCH);
	assert_int_equal(next(s, 1), WIRE_NONE);
	assert_int_equal(next(s, 1), WIRE_INVALID_FETCH_SESSION_EPOCH);
	assert_int_equal(next(s, 2), WIRE_NONE);
	s->epoch = INT32_MAX;
	assert_int_equal(next(s, INT32_MAX), WIRE_NONE);
	assert_int_equal(next(s, 1), WIRE_NONE); /* never 0 or -1 again: those say other things */
	fetch_sessions_fini(&sessions);
}

static void names_and_ids_do_not_mix(void **state)
{
	struct fetch_session *s;

	(void)state;
	begin(1);
	s = make(7, 1);
	assert_int_equal(fetch_session_begin(&sessions, s, 1, true, now_ms),
	                 WIRE_FETCH_SESSION_TOPIC_ID_ERROR);
	/* The epoch is looked at first, and stays. */
	assert_int_equal(fetch_session_begin(&sessions, s, 9, true, now_ms),
	                 WIRE_INVALID_FETCH_SESSION_EPOCH);
	assert_int_equal(next(s, 1), WIRE_NONE);
	fetch_sessions_fini(&sessions);
}

static void one_request_at_a_time(void **state)
{
	struct fetch_session *s;

	(void)state;
	begin(1);
	s = make(7, 2);
	assert_int_equal(fetch_session_begin(&sessions, s, 1, false, now_ms), WIRE_NONE);
	assert_int_equal(fetch_session_begin(&sessions, s, 2, false, now_ms),
	                 WIRE_INVALID_FETCH_SESSION_EPOCH);
	/* Closed meanwhile it is not found and not freed. */
	fetch_session_close(&sessions, s);
	assert_null(fetch_session_find(&sessions, 7));
	assert_int_equal(ended, 0);
	fetch_session_end(&sessions, s);
	assert_int_equal(ended, 1);
	assert_int_equal(forgotten, 2);
	fetch_sessions_fini(&sessions);
}

/* ---- partitions ---- */

static void a_name_and_an_id_are_found_each_by_itself(void **state)
{
	struct uuid one = { { 1 } }, two = { { 2 } };
	struct fetch_session *s;
	struct fetch_partition *p;

	(void)state;
	begin(1);
	s = fetch_session_new(&sessions, 7, true, 1, now_ms);
	p = fetch_session_want(s, &(struct fetch_want){ .topic_id = one, .fetch_offset = 5 });
	assert_null(p->topic);
	/* Whether its name is known changes nothing. */
	assert_ptr_equal(fetch_session_want(s, &(struct fetch_want){ .topic_id = one,
	                                                             .topic = STR("t"),
	                                                             .fetch_offset = 6 }),
	                 p);
	assert_int_equal(p->fetch_offset, 6);
	assert_ptr_not_equal(fetch_session_want(s, &(struct fetch_want){ .topic_id = two }), p);
	assert_ptr_not_equal(
		fetch_session_want(s, &(struct fetch_want){ .topic_id = one, .partition = 1 }), p);
	assert_int_equal(s->partitions.count, 3);
	fetch_session_forget(&sessions, s, two, (struct str){ 0 }, 7);
	assert_int_equal(forgotten, 0);
	fetch_session_forget(&sessions, s, one, (struct str){ 0 }, 0);
	assert_int_equal(forgotten, 1);
	assert_int_equal(s->partitions.count, 2);
	fetch_sessions_fini(&sessions);
	assert_int_equal(forgotten, 3);
	assert_int_equal(ended, 1);
}

static void many_partitions_are_all_found(void **state)
{
	struct fetch_session *s;

	(void)state;
	begin(1);
	s = make(7, 5000);
	assert_int_equal(s->partitions.count, 5000);
	for (int32_t i = 0; i < 5000; i += 3)
		fetch_session_forget(&sessions, s, UUID_ZERO, STR("t"), i);
	assert_int_equal(s->partitions.count, 5000 - 1667);
	for (int32_t i = 0; i < 5000; i++)
		fetch_session_want(s, &(struct fetch_want){ .topic = STR("t"), .partition = i });
	assert_int_equal(s->partitions.count, 5000);
	fetch_sessions_fini(&sessions);
}

/* ---- what is told ---- */

static struct fetch_partition *only(struct fetch_session *s)
{
	return list_entry(s->all.next, struct fetch_partition, link);
}

static bool is_ready(const struct fetch_partition *p)
{
	return !list_is_empty(&p->ready);
}

static void only_news_is_told(void **state)
{
	struct fetch_outcome o = { .high_watermark = 10, .log_start_offset = 0 };
	struct fetch_partition *p;

	(void)state;
	begin(1);
	p = only(make(7, 1));
	assert_true(is_ready(p));
	assert_true(fetch_partition_tell(p, &o)); /* the first time */
	assert_false(is_ready(p));
	assert_false(fetch_partition_tell(p, &o));
	o.high_watermark = 11;
	assert_true(fetch_partition_tell(p, &o));
	assert_false(fetch_partition_tell(p, &o));
	o.log_start_offset = 3;
	assert_true(fetch_partition_tell(p, &o));
	assert_false(fetch_partition_tell(p, &o));
	o.has_records = true;
	assert_true(fetch_partition_tell(p, &o));
	assert_true(fetch_partition_tell(p, &o));
	o.has_records = false;
	o.has_diverged = true;
	assert_true(fetch_partition_tell(p, &o));
	o.has_diverged = false;
	assert_false(fetch_partition_tell(p, &o));
	fetch_sessions_fini(&sessions);
}

static void an_error_is_told_until_it_ends_and_so_is_its_end(void **state)
{
	struct fetch_outcome o = { .high_watermark = 10 };
	struct fetch_outcome bad = { .error = WIRE_OFFSET_OUT_OF_RANGE,
		                     .has_more = true,
		                     .high_watermark = -1,
		                     .log_start_offset = -1 };
	struct fetch_partition *p;

	(void)state;
	begin(1);
	p = only(make(7, 1));
	assert_true(fetch_partition_tell(p, &o));
	assert_true(fetch_partition_tell(p, &bad));
	assert_true(is_ready(p));
	assert_true(fetch_partition_tell(p, &bad));
	assert_true(fetch_partition_tell(p, &o));
	assert_false(is_ready(p));
	assert_false(fetch_partition_tell(p, &o));
	fetch_sessions_fini(&sessions);
}

static void expect_ready(struct fetch_session *s, const char *digits)
{
	list_each(pos, &s->ready)
	{
		struct fetch_partition *p = list_entry(pos, struct fetch_partition, ready);

		assert_int_equal('0' + p->partition, *digits);
		digits++;
	}
	assert_int_equal(*digits, '\0');
}

static struct fetch_partition *nth(struct fetch_session *s, int32_t n)
{
	list_each(pos, &s->all)
	{
		struct fetch_partition *p = list_entry(pos, struct fetch_partition, link);

		if (p->partition == n)
			return p;
	}
	fail();
	return NULL;
}

/* Nobody starves: who had records waits until all others were looked at. */
static void who_had_records_comes_last(void **state)
{
	struct fetch_outcome some = { .has_records = true, .has_more = true };
	struct fetch_outcome none = { .has_more = true };
	struct fetch_outcome quiet = { 0 };
	struct fetch_session *s;

	(void)state;
	begin(1);
	s = make(7, 4);
	expect_ready(s, "0123");
	fetch_partition_tell(nth(s, 0), &some);
	expect_ready(s, "1230");
	fetch_partition_tell(nth(s, 2), &none);
	expect_ready(s, "1230");
	fetch_partition_tell(nth(s, 1), &quiet);
	expect_ready(s, "230");
	fetch_partition_ready(nth(s, 1));
	fetch_partition_ready(nth(s, 2)); /* where it is already */
	expect_ready(s, "2301");
	fetch_session_want(s, &(struct fetch_want){ .topic = STR("t"), .partition = 3 });
	expect_ready(s, "2301");
	fetch_session_forget(&sessions, s, UUID_ZERO, STR("t"), 3);
	expect_ready(s, "201");
	fetch_sessions_fini(&sessions);
}

/* ---- room ---- */

static void a_full_cache_keeps_what_is_fresh(void **state)
{
	(void)state;
	begin(2);
	assert_non_null(make(1, 5));
	assert_non_null(make(2, 5));
	assert_null(make(3, 100));
	now_ms += FETCH_SESSION_EVICT_MS;
	assert_null(make(3, 100));
	assert_int_equal(sessions.evicted_count, 0);
	fetch_sessions_fini(&sessions);

	begin(0);
	assert_null(make(1, 1));
	fetch_sessions_fini(&sessions);
}

static void who_was_unused_for_long_makes_room(void **state)
{
	(void)state;
	begin(2);
	assert_non_null(make(1, 5));
	assert_non_null(make(2, 5));
	now_ms += 1;
	assert_int_equal(next(fetch_session_find(&sessions, 1), 1), WIRE_NONE);
	now_ms += FETCH_SESSION_EVICT_MS;
	assert_non_null(make(3, 1)); /* smaller, and yet */
	assert_null(fetch_session_find(&sessions, 2));
	assert_non_null(fetch_session_find(&sessions, 1));
	assert_int_equal(sessions.evicted_count, 1);
	assert_int_equal(forgotten, 5);
	fetch_sessions_fini(&sessions);
}

static void an_old_and_smaller_one_makes_room_the_smallest_first(void **state)
{
	(void)state;
	begin(3);
	assert_non_null(make(1, 4));
	assert_non_null(make(2, 2));
	assert_non_null(make(3, 3));
	now_ms += FETCH_SESSION_EVICT_MS;
	for (int32_t id = 1; id <= 3; id++)
		assert_int_equal(next(fetch_session_find(&sessions, id), 1), WIRE_NONE);
	now_ms += 1; /* older than the limit, used a moment ago */
	assert_null(make(4, 2));
	assert_non_null(make(4, 3));
	assert_null(fetch_session_find(&sessions, 2));
	assert_non_null(fetch_session_find(&sessions, 3));
	assert_null(make(5, 3)); /* the one that just came is young */
	fetch_sessions_fini(&sessions);
}

static void one_in_use_is_never_evicted(void **state)
{
	struct fetch_session *s;

	(void)state;
	begin(1);
	s = make(1, 1);
	assert_int_equal(fetch_session_begin(&sessions, s, 1, false, now_ms), WIRE_NONE);
	now_ms += 10 * FETCH_SESSION_EVICT_MS;
	assert_null(make(2, 9));
	fetch_session_end(&sessions, s);
	assert_non_null(make(2, 9));
	fetch_sessions_fini(&sessions);
}

static void partitions_of_all_sessions_are_bounded(void **state)
{
	struct fetch_want want = { .topic = STR("u") };
	struct fetch_session *s;

	(void)state;
	begin(2);
	assert_non_null(make(1, 4990));
	s = make(2, 10);
	assert_null(fetch_session_want(s, &want));
	want.topic = STR("t"); /* one that is there */
	assert_non_null(fetch_session_want(s, &want));
	fetch_session_forget(&sessions, s, UUID_ZERO, STR("t"), 0);
	want.topic = STR("u");
	assert_non_null(fetch_session_want(s, &want));
	want.partition = 1;
	assert_null(fetch_session_want(s, &want));
	fetch_session_close(&sessions, fetch_session_find(&sessions, 1));
	assert_non_null(fetch_session_want(s, &want));
	assert_int_equal(sessions.partition_count, 11);
	fetch_sessions_fini(&sessions);
	assert_int_equal(sessions.partition_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_carries_the_next_epoch),
		cmocka_unit_test(names_and_ids_do_not_mix),
		cmocka_unit_test(one_request_at_a_time),
		cmocka_unit_test(a_name_and_an_id_are_found_each_by_itself),
		cmocka_unit_test(many_partitions_are_all_found),
		cmocka_unit_test(only_news_is_told),
		cmocka_unit_test(an_error_is_told_until_it_ends_and_so_is_its_end),
		cmocka_unit_test(who_had_records_comes_last),
		cmocka_unit_test(a_full_cache_keeps_what_is_fresh),
		cmocka_unit_test(who_was_unused_for_long_makes_room),
		cmocka_unit_test(an_old_and_smaller_one_makes_room_the_smallest_first),
		cmocka_unit_test(one_in_use_is_never_evicted),
		cmocka_unit_test(partitions_of_all_sessions_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
