/* SPDX-License-Identifier: Apache-2.0 */
#include "conn_fixture.h"

/* Streams of bytes become requests, within limits; what is wrong closes its connection only. */

enum { RECORDS_MAX = 3 * 1024 * 1024 };

static struct span some_records(size_t size)
{
	static uint8_t *data;

	if (!data) {
		data = mem_alloc(RECORDS_MAX);
		for (size_t i = 0; i < RECORDS_MAX; i++)
			data[i] = byte_at(i);
	}
	return (struct span){ data, size };
}

static struct conn_limits limits_of(size_t requests_bytes_max)
{
	struct conn_limits limits = CONN_LIMITS_DEFAULT;

	limits.requests_bytes_max = requests_bytes_max;
	return limits;
}

/* ---- frames ---- */

static void a_request_may_come_byte_by_byte(void **state)
{
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	add_command(&out, 1, "echo slowly");
	add_produce(&out, 2, 1, 0, some_records(700));
	add_command(&out, 3, "parts 3");
	for (size_t i = 0; i < out.size; i++) {
		send_bytes(fd, out.data + i, 1);
		if (i % 16 == 3)
			sleep_ms(1);
	}
	expect_text(fd, 1, "slowly");
	expect_produced(fd, 2, some_records(700));
	assert_int_equal(expect_text(fd, 3, "parts"), 6);
	close(fd);
	buf_fini(&out);
	server_stop();
}

/* A half frame that rests is kept in as many bytes as it has, and goes on from there. */
static void a_half_frame_survives_a_long_pause(void **state)
{
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	add_produce(&out, 1, 1, 0, some_records(20000));
	for (size_t at = 0, next; at < out.size; at = next) {
		next = !at ? 2 : at == 2 ? 9000 : out.size;
		send_bytes(fd, out.data + at, next - at);
		if (next < out.size)
			sleep_ms(2300);
	}
	expect_produced(fd, 1, some_records(20000));
	close(fd);
	buf_fini(&out);
	server_stop();
}

static void every_size_around_a_chunk_arrives_whole(void **state)
{
	int32_t id = 0;
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (size_t less = 0; less < 160; less++) {
		struct span records = some_records(FRAME_CHUNK_SIZE - less);
		struct buf out = { 0 };

		add_command(&out, id, "echo before");
		add_produce(&out, id + 1, 1, 0, records);
		add_command(&out, id + 2, "echo after");
		send_bytes(fd, out.data, out.size);
		expect_text(fd, id, "before");
		expect_produced(fd, id + 1, records);
		expect_text(fd, id + 2, "after");
		id += 3;
		buf_fini(&out);
	}
	close(fd);
	server_stop();
}

static void large_requests_arrive_whole_and_give_their_memory_back(void **state)
{
	struct conn_limits limits = limits_of(64 << 20);
	struct buf out = { 0 };
	int fd[4];

	(void)state;
	server_open(2, &limits);
	for (size_t i = 0; i < array_count(fd); i++)
		fd[i] = client_open(port);
	for (int32_t id = 0; id < 8; id++) {
		for (size_t i = 0; i < array_count(fd); i++) {
			struct span records = some_records(RECORDS_MAX - (size_t)id * 300000 - i);

			out.size = 0;
			add_produce(&out, id, 1, 1, records);
			send_bytes(fd[i], out.data, out.size);
		}
		for (size_t i = 0; i < array_count(fd); i++)
			expect_produced(fd[i], id,
			                some_records(RECORDS_MAX - (size_t)id * 300000 - i));
	}
	assert_soon(!frame_budget_used());
	for (size_t i = 0; i < array_count(fd); i++)
		close(fd[i]);
	buf_fini(&out);
	server_stop();
}

/* ---- memory ---- */

static void a_large_request_waits_for_memory(void **state)
{
	struct conn_limits limits = limits_of(1 << 20);
	struct buf out = { 0 };
	int first, second;

	(void)state;
	server_open(2, &limits);
	first = client_open(port);
	second = client_open(port);
	add_produce(&out, 1, 1, 0, some_records(800000));
	send_bytes(first, out.data, 500000);
	assert_soon(frame_budget_used() > 800000);
	send_bytes(second, out.data, 300000); /* it fits into the buffers of the kernel */
	assert_soon(conn_server_counters(server).memory_waits == 1);
	assert_true(is_silent(second, 100));
	assert_true(frame_budget_used() < 900000);

	send_bytes(first, out.data + 500000, out.size - 500000);
	expect_produced(first, 1, some_records(800000));
	send_bytes(second, out.data + 300000, out.size - 300000);
	expect_produced(second, 1, some_records(800000));
	assert_int_equal(conn_server_counters(server).memory_waits, 1);
	close(first);
	close(second);
	buf_fini(&out);
	server_stop();
}

/* A request larger than all memory for requests is let in when it is the only one. */
static void one_large_request_is_always_let_in(void **state)
{
	struct conn_limits limits = limits_of(1000);
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &limits);
	fd = client_open(port);
	add_produce(&out, 1, 1, 0, some_records(RECORDS_MAX));
	send_bytes(fd, out.data, out.size);
	expect_produced(fd, 1, some_records(RECORDS_MAX));
	close(fd);
	buf_fini(&out);
	server_stop();
}

static void who_stalls_while_others_wait_for_memory_is_closed(void **state)
{
	struct conn_limits limits = limits_of(1 << 20);
	struct buf out = { 0 };
	int staller, other;

	(void)state;
	server_open(1, &limits);
	staller = client_open(port);
	other = client_open(port);
	add_produce(&out, 1, 1, 0, some_records(800000));
	send_bytes(staller, out.data, 400000);
	assert_soon(frame_budget_used() > 800000);
	send_bytes(other, out.data, 300000);
	assert_true(is_closed(staller));
	assert_true(was_said("makes no progress while others wait for memory"));
	send_bytes(other, out.data + 300000, out.size - 300000);
	expect_produced(other, 1, some_records(800000));
	close(staller);
	close(other);
	buf_fini(&out);
	server_stop();
}

/* It has said all it has to say: what it waits for is its own turn. */
static void a_whole_request_behind_a_running_one_does_not_stall(void **state)
{
	struct conn_limits limits = limits_of(1 << 20);
	struct buf out = { 0 };
	int patient, other;

	(void)state;
	server_open(1, &limits);
	patient = client_open(port);
	other = client_open(port);
	add_produce(&out, 1, 1, 0, some_records(800000));
	send_command(patient, 0, "wait 6500");
	send_bytes(patient, out.data, out.size);
	assert_soon(frame_budget_used() > 800000);
	send_bytes(other, out.data, out.size);
	expect_text(patient, 0, "waited");
	expect_produced(patient, 1, some_records(800000));
	expect_produced(other, 1, some_records(800000));
	close(patient);
	close(other);
	buf_fini(&out);
	server_stop();
}

/* ---- what is wrong ---- */

struct wrong {
	const char *bytes;
	size_t size;
	const char *says;
};

static void a_wrong_size_closes_and_says_what_it_looks_like(void **state)
{
#define BYTES(text) (text), sizeof(text) - 1
	static const struct wrong wrong[] = {
		{ BYTES("\xff\xff\xff\xff"), "a request of -1 bytes" },
		{ BYTES("\x80\0\0\0"), "a request of -2147483648 bytes" },
		{ BYTES("\0\0\0\0"), "a request of 0 bytes" },
		{ BYTES("\x06\x40\0\x01"), "a request of 104857601 bytes, "
		                           "socket.request.max.bytes is 104857600" },
		{ BYTES("\x7f\xff\xff\xff"), "a request of 2147483647 bytes" },
		{ BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "an HTTP request on a Kafka port" },
		{ BYTES("POST /x HTTP/1.1\r\n\r\n"), "an HTTP request on a Kafka port" },
		{ BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "an HTTP/2 request" },
		{ BYTES("SSH-2.0-OpenSSH_9.2\r\n"), "an SSH client" },
		{ BYTES("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
		  "a TLS ClientHello on a plaintext port (listener PLAINTEXT)" },
		{ BYTES("\0\0\0\x03\0\0\0"), "a request of 3 bytes" },
	};
	int good;

	(void)state;
	for (size_t i = 0; i < array_count(wrong); i++) {
		int fd;

		if (i % 5 == 0) /* the operator is not flooded: five lines in ten seconds */
			server_open(1, &CONN_LIMITS_DEFAULT);
		good = client_open(port);
		fd = client_open(port);
		send_bytes(fd, wrong[i].bytes, wrong[i].size);
		assert_true(is_closed(fd));
		assert_true(was_said(wrong[i].says));
		send_command(good, 1, "echo fine");
		expect_text(good, 1, "fine");
		close(fd);
		close(good);
		if (i % 5 == 4 || i + 1 == array_count(wrong)) {
			assert_int_equal(conn_server_counters(server).broken, i % 5 + 1);
			server_stop();
		}
	}
}

static void the_largest_size_allowed_costs_nothing_before_its_bytes_come(void **state)
{
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	send_bytes(fd, "\x06\x40\0\0", 4);
	assert_soon(frame_budget_used() == 100 * 1024 * 1024);
	assert_true(is_silent(fd, 50));
	close(fd);
	assert_soon(!frame_budget_used());
	server_stop();
}

/* Sends a frame of these bytes; the connection is closed and this was said. */
static void expect_refusal(uint16_t to, const struct buf *frame, const char *says)
{
	int fd = client_open(to);

	send_bytes(fd, frame->data, frame->size);
	assert_true(is_closed(fd));
	assert_true(was_said(says));
	close(fd);
}

static void unknown_apis_and_versions_close(void **state)
{
	struct buf out = { 0 };

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	add_command(&out, 1, "echo x");
	store_be16(out.data + 4, 999);
	expect_refusal(port, &out, "a request of the unknown API 999");
	store_be16(out.data + 4, API_METADATA);
	expect_refusal(port, &out, "Metadata, which the listener PLAINTEXT does not serve");
	store_be16(out.data + 4, API_FIND_COORDINATOR);
	expect_refusal(controller_port, &out,
	               "FindCoordinator, which the listener CONTROLLER does not serve");
	store_be16(out.data + 6, 4);
	expect_refusal(port, &out, "FindCoordinator of version 4; served are 0 to 3");
	store_be16(out.data + 6, 0xffff);
	expect_refusal(port, &out, "FindCoordinator of version -1; served are 0 to 3");
	assert_int_equal(conn_server_counters(server).requests, 0);
	buf_fini(&out);
	server_stop();
}

static void a_body_cut_short_closes_and_one_too_long_is_counted(void **state)
{
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	add_command(&out, 1, "echo x");
	buf_add(&out, "more", 4);
	store_be32(out.data, (uint32_t)out.size - 4);
	send_bytes(fd, out.data, out.size);
	expect_text(fd, 1, "x");
	assert_int_equal(conn_server_counters(server).trailing, 1);
	out.size -= 4;
	for (uint32_t size = 4; size < out.size - 4; size++) {
		int short_fd = client_open(port);

		store_be32(out.data, size);
		send_bytes(short_fd, out.data, 4 + size);
		assert_true(is_closed(short_fd));
		close(short_fd);
	}
	assert_true(was_said("FindCoordinator of version 1, 4 bytes, cannot be read: it is cut "
	                     "short or damaged"));
	assert_int_equal(conn_server_counters(server).requests, 1);
	close(fd);
	buf_fini(&out);
	server_stop();
}

/* What was right before what was wrong is answered. */
static void garbage_behind_requests_closes_after_their_answers(void **state)
{
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	add_command(&out, 1, "wait 30");
	add_command(&out, 2, "echo last");
	buf_add(&out, "\xff\xff\xff\xff", 4);
	send_bytes(fd, out.data, out.size);
	expect_text(fd, 1, "waited");
	expect_text(fd, 2, "last");
	assert_true(is_closed(fd));
	close(fd);
	buf_fini(&out);
	server_stop();
}

/* ---- how many, how long ---- */

static void too_many_connections_are_refused_but_the_controllers(void **state)
{
	struct conn_limits limits = CONN_LIMITS_DEFAULT;
	int fd[4];

	(void)state;
	limits.connections_max = 3;
	server_open(1, &limits);
	for (size_t i = 0; i < array_count(fd); i++)
		fd[i] = client_open(port);
	assert_true(is_closed(fd[3]));
	assert_true(was_said("refused: max.connections is reached"));
	close(fd[3]);
	fd[3] = client_open(controller_port);
	assert_soon(conn_server_counters(server).open == 4);
	close(fd[3]);
	close(fd[2]);
	assert_soon(conn_server_counters(server).open == 2);
	fd[2] = client_open(port);
	send_command(fd[2], 1, "echo in");
	expect_text(fd[2], 1, "in");
	assert_int_equal(conn_server_counters(server).refused, 1);
	for (size_t i = 0; i < 3; i++)
		close(fd[i]);
	server_stop();
}

static void an_address_has_its_own_limit_and_may_have_another(void **state)
{
	static const struct conn_override override = { { "127.0.0.1", 9 }, 3 };
	struct conn_limits limits = CONN_LIMITS_DEFAULT;

	(void)state;
	limits.connections_ip_max = 1;
	for (int i = 0; i < 2; i++) {
		int fd[4];

		limits.override = i ? &override : NULL;
		limits.override_count = (uint32_t)i;
		server_open(2, &limits);
		for (int k = 0; k < (i ? 3 : 1); k++) {
			fd[k] = client_open(port);
			send_command(fd[k], k, "echo in");
			expect_text(fd[k], k, "in");
		}
		fd[3] = client_open(port);
		assert_true(is_closed(fd[3]));
		assert_true(was_said("refused: max.connections.per.ip is reached"));
		close(fd[3]);
		close(fd[0]);
		assert_soon(conn_server_counters(server).open == (i ? 2 : 0));
		fd[0] = client_open(port);
		send_command(fd[0], 7, "echo again");
		expect_text(fd[0], 7, "again");
		for (int k = 0; k < (i ? 3 : 1); k++)
			close(fd[k]);
		server_stop();
	}
}

static void an_idle_connection_is_closed_and_a_busy_one_is_not(void **state)
{
	struct conn_limits limits = CONN_LIMITS_DEFAULT;
	uint64_t begin;
	int idle, busy, half;

	(void)state;
	limits.idle_ms = 400;
	server_open(1, &limits);
	begin = now_ms();
	idle = client_open(port);
	busy = client_open(port);
	half = client_open(port);
	send_command(busy, 1, "wait 2500");
	send_bytes(half, "\0\0", 2); /* bytes are not progress: only requests are */
	assert_true(is_closed(idle));
	assert_true(now_ms() - begin >= 400);
	assert_true(is_closed(half));
	assert_true(now_ms() - begin < 2400);
	expect_text(busy, 1, "waited");
	assert_true(is_closed(busy));
	close(idle);
	close(busy);
	close(half);
	server_stop();
}

static struct mail limits_mail;
static struct conn_limits new_limits;

static void change_limits(struct mail *mail)
{
	(void)mail;
	conn_server_configure(server, &new_limits);
}

static bool gets_in(int *ret)
{
	char byte;

	*ret = client_open(port);
	send_command(*ret, 1, "echo in");
	if (recv(*ret, &byte, 1, MSG_PEEK) > 0) {
		expect_text(*ret, 1, "in");
		return true;
	}
	close(*ret);
	return false;
}

/* Those that are there already are counted, and stay. */
static void limits_change_while_it_serves(void **state)
{
	struct conn_override override = { STR("127.0.0.1"), 3 };
	int fd[3], more;

	(void)state;
	new_limits = CONN_LIMITS_DEFAULT;
	server_open(2, &new_limits);
	assert_true(gets_in(&fd[0]) && gets_in(&fd[1]));
	limits_mail.run = change_limits;
	new_limits.connections_ip_max = 1;
	reactor_post(0, &limits_mail);
	assert_soon(!gets_in(&more) || (close(more), false));
	send_command(fd[1], 2, "echo still");
	expect_text(fd[1], 2, "still");
	new_limits.override = &override;
	new_limits.override_count = 1;
	reactor_post(0, &limits_mail);
	for (int i = 0; i < 1000 && !gets_in(&fd[2]); i++)
		sleep_ms(2);
	assert_false(gets_in(&more));
	new_limits.override_count = 0;
	new_limits.connections_ip_max = INT32_MAX;
	new_limits.connections_max = 2;
	close(fd[2]);
	assert_soon(conn_server_counters(server).open == 2);
	reactor_post(0, &limits_mail);
	assert_soon(!gets_in(&more) || (close(more), false));
	assert_true(was_said("refused: max.connections is reached"));
	close(fd[0]);
	close(fd[1]);
	server_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_may_come_byte_by_byte),
		cmocka_unit_test(a_half_frame_survives_a_long_pause),
		cmocka_unit_test(every_size_around_a_chunk_arrives_whole),
		cmocka_unit_test(large_requests_arrive_whole_and_give_their_memory_back),
		cmocka_unit_test(a_large_request_waits_for_memory),
		cmocka_unit_test(one_large_request_is_always_let_in),
		cmocka_unit_test(who_stalls_while_others_wait_for_memory_is_closed),
		cmocka_unit_test(a_whole_request_behind_a_running_one_does_not_stall),
		cmocka_unit_test(a_wrong_size_closes_and_says_what_it_looks_like),
		cmocka_unit_test(the_largest_size_allowed_costs_nothing_before_its_bytes_come),
		cmocka_unit_test(unknown_apis_and_versions_close),
		cmocka_unit_test(a_body_cut_short_closes_and_one_too_long_is_counted),
		cmocka_unit_test(garbage_behind_requests_closes_after_their_answers),
		cmocka_unit_test(too_many_connections_are_refused_but_the_controllers),
		cmocka_unit_test(an_address_has_its_own_limit_and_may_have_another),
		cmocka_unit_test(an_idle_connection_is_closed_and_a_busy_one_is_not),
		cmocka_unit_test(limits_change_while_it_serves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
