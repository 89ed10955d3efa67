/* SPDX-License-Identifier: Apache-2.0 */
#include "conn_fixture.h"

static void answers_come_in_the_order_of_requests(void **state)
{
	enum { COUNT = 10000 };
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(2, &CONN_LIMITS_DEFAULT);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_in_the_order_of_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
