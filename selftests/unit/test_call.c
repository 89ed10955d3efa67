/* SPDX-License-Identifier: Apache-2.0 */
#include "conn_fixture.h"

/* Requests become answers: in order, one at a time, and detached when nobody waits. */

/* ---- order ---- */

static void answers_come_in_the_order_of_requests(void **state)
{
	enum { COUNT = 10000 };
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(3, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (int i = 0; i < COUNT; i++)
		add_command(&out, i,
		            i % 1000 == 7    ? "wait 5"
		            : i % 1000 == 77 ? "yield 3"
		            : i % 100 == 9   ? "parts 6"
		                             : "echo hello");
	send_bytes(fd, out.data, out.size);
	for (int i = 0; i < COUNT; i++)
		expect_text(fd, i,
		            i % 1000 == 7    ? "waited"
		            : i % 1000 == 77 ? "yielded"
		            : i % 100 == 9   ? "parts"
		                             : "hello");
	assert_int_equal(atomic_load(&running_most), 1);
	assert_int_equal(conn_server_counters(server).requests, COUNT);
	close(fd);
	buf_fini(&out);
	server_stop();
}

static void connections_do_not_wait_for_each_other(void **state)
{
	int slow, quick;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	slow = client_open(port);
	quick = client_open(port);
	send_command(slow, 1, "wait 300");
	for (int i = 0; i < 20; i++) {
		send_command(quick, i, "echo quick");
		expect_text(quick, i, "quick");
	}
	assert_true(is_silent(slow, 0));
	expect_text(slow, 1, "waited");
	close(slow);
	close(quick);
	server_stop();
}

/* Five at a time, the first the slowest, and nothing else beside them. */
static void produce_follows_produce_and_nothing_else_does(void **state)
{
	enum { COUNT = 8 };
	static const uint8_t data[3000] = { 1, 2, 3 };
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (int i = 0; i < COUNT; i++)
		add_produce(&out, i, 1, 400 - 45 * i, (struct span){ data, (size_t)i * 300 });
	add_command(&out, COUNT, "wait 100");
	add_produce(&out, COUNT + 1, 1, 0, (struct span){ data, 9 });
	send_bytes(fd, out.data, out.size);
	assert_soon(atomic_load(&running) == 5);
	assert_true(is_silent(fd, 0));
	for (int i = 0; i < COUNT; i++)
		expect_produced(fd, i, (struct span){ data, (size_t)i * 300 });
	assert_int_equal(atomic_load(&running_most), 5);
	assert_soon(atomic_load(&running) == 1);
	assert_true(is_silent(fd, 30));
	expect_text(fd, COUNT, "waited");
	expect_produced(fd, COUNT + 1, (struct span){ data, 9 });
	close(fd);
	buf_fini(&out);
	server_stop();
}

static void a_request_without_answer_is_followed_by_the_next(void **state)
{
	static const uint8_t data[10];
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (int i = 0; i < 100; i++)
		add_produce(&out, i, 0, i % 10 == 4, (struct span){ data, 10 });
	add_produce(&out, 100, 1, 0, (struct span){ data, 10 });
	add_command(&out, 101, "none ");
	add_command(&out, 102, "echo end");
	send_bytes(fd, out.data, out.size);
	expect_produced(fd, 100, (struct span){ data, 10 });
	expect_text(fd, 102, "end");
	close(fd);
	buf_fini(&out);
	server_stop();
}

/* ---- parts, turns, time ---- */

static void parts_run_anywhere_and_the_last_resumes_the_call(void **state)
{
	int fd[4];

	(void)state;
	server_open(4, &CONN_LIMITS_DEFAULT);
	for (size_t i = 0; i < array_count(fd); i++)
		fd[i] = client_open(port);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < array_count(fd); i++)
			send_command(fd[i], round, "parts 100");
		for (size_t i = 0; i < array_count(fd); i++)
			assert_int_equal(expect_text(fd[i], round, "parts"), 5050);
	}
	for (size_t i = 0; i < array_count(fd); i++)
		close(fd[i]);
	server_stop();
}

static void a_call_may_yield_as_often_as_it_likes(void **state)
{
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	send_command(fd, 1, "yield 5000");
	assert_int_equal(expect_text(fd, 1, "yielded"), 5000);
	close(fd);
	server_stop();
}

/* The answer does not wait for the parts, the memory of the call does. */
static void a_timer_may_answer_before_the_parts_are_done(void **state)
{
	int fd;

	(void)state;
	server_open(4, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (int i = 0; i < 4; i++) {
		send_command(fd, i, "race 9");
		expect_text(fd, i, "timed out");
	}
	assert_true(conn_server_counters(server).calls > 0);
	assert_soon(!conn_server_counters(server).calls);
	send_command(fd, 4, "race 3");
	close(fd); /* and detached on top of it */
	server_stop();
	assert_int_equal(atomic_load(&resumed_late), 0);
}

/* ---- the end of a connection ---- */

static void a_reset_detaches_what_runs(void **state)
{
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(2, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	send_command(fd, 1, "hang ");
	assert_soon(atomic_load(&running) == 1);
	client_reset(fd);
	assert_soon(atomic_load(&detached) == 1);
	assert_soon(!conn_server_counters(server).calls);

	fd = client_open(port);
	for (int i = 0; i < 9; i++)
		add_produce(&out, i, 1, 100, (struct span){ 0 });
	send_bytes(fd, out.data, out.size);
	assert_soon(atomic_load(&running) == 5);
	client_reset(fd);
	assert_soon(!conn_server_counters(server).open);
	assert_int_equal(conn_server_counters(server).calls, 5);
	assert_soon(!conn_server_counters(server).calls);
	buf_fini(&out);
	server_stop();
}

static void who_has_only_stopped_writing_still_gets_its_answers(void **state)
{
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	add_command(&out, 1, "wait 50");
	add_command(&out, 2, "echo then");
	add_command(&out, 3, "wait 50");
	send_bytes(fd, out.data, out.size);
	shutdown(fd, SHUT_WR);
	expect_text(fd, 1, "waited");
	expect_text(fd, 2, "then");
	expect_text(fd, 3, "waited");
	assert_true(is_closed(fd));
	close(fd);
	buf_fini(&out);
	server_stop();
}

static void closing_a_call_sends_earlier_answers_first(void **state)
{
	static const uint8_t data[10];
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	add_produce(&out, 1, 1, 30, (struct span){ data, 10 });
	add_command(&out, 2, "close ");
	send_bytes(fd, out.data, out.size);
	expect_produced(fd, 1, (struct span){ data, 10 });
	assert_true(is_closed(fd));
	assert_int_equal(conn_server_counters(server).broken, 1);
	close(fd);
	buf_fini(&out);
	server_stop();
}

/* ---- stopping ---- */

static void a_stop_answers_what_was_begun_and_begins_nothing(void **state)
{
	struct sockaddr_in gone = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct buf out = { 0 };
	uint64_t begin;
	int busy, idle, late;

	(void)state;
	server_open(4, &CONN_LIMITS_DEFAULT);
	gone.sin_port = htons(port);
	busy = client_open(port);
	idle = client_open(port);
	add_command(&out, 1, "wait 300");
	add_command(&out, 2, "echo never");
	send_bytes(busy, out.data, out.size);
	assert_soon(atomic_load(&running) == 1);
	begin = now_ms();
	server_begin_stop();
	assert_true(is_closed(idle));
	late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(late, (struct sockaddr *)&gone, sizeof(gone)), -1);
	expect_text(busy, 1, "waited");
	assert_true(is_closed(busy));
	server_end();
	assert_true(now_ms() - begin < 3000);
	close(busy);
	close(idle);
	close(late);
	buf_fini(&out);
}

static void a_stop_ends_what_takes_longer_than_the_grace(void **state)
{
	uint64_t begin;
	int fd;

	(void)state;
	server_open(2, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	send_command(fd, 1, "hang ");
	assert_soon(atomic_load(&running) == 1);
	grace_ms = 200;
	begin = now_ms();
	server_stop();
	assert_true(now_ms() - begin >= 200);
	assert_int_equal(atomic_load(&detached), 1);
	assert_true(is_closed(fd));
	close(fd);
}

static void a_stop_with_nothing_to_do_is_over_at_once(void **state)
{
	uint64_t begin;

	(void)state;
	for (int count = 1; count <= 4; count++) {
		server_open(count, &CONN_LIMITS_DEFAULT);
		grace_ms = count == 4 ? 0 : 5000;
		begin = now_ms();
		server_stop();
		assert_true(now_ms() - begin < 2000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_in_the_order_of_requests),
		cmocka_unit_test(connections_do_not_wait_for_each_other),
		cmocka_unit_test(produce_follows_produce_and_nothing_else_does),
		cmocka_unit_test(a_request_without_answer_is_followed_by_the_next),
		cmocka_unit_test(parts_run_anywhere_and_the_last_resumes_the_call),
		cmocka_unit_test(a_call_may_yield_as_often_as_it_likes),
		cmocka_unit_test(a_timer_may_answer_before_the_parts_are_done),
		cmocka_unit_test(a_reset_detaches_what_runs),
		cmocka_unit_test(who_has_only_stopped_writing_still_gets_its_answers),
		cmocka_unit_test(closing_a_call_sends_earlier_answers_first),
		cmocka_unit_test(a_stop_answers_what_was_begun_and_begins_nothing),
		cmocka_unit_test(a_stop_ends_what_takes_longer_than_the_grace),
		cmocka_unit_test(a_stop_with_nothing_to_do_is_over_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
