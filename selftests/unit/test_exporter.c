/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of a whole broker, as a scraper sees them, and as one that means ill does. */
#include "broker_fixture.h"

#include "broker/exporter.h"

static uint16_t metrics_port;
static char *answer;

static void up(const char *more)
{
	char text[256];

	metrics_port = free_port();
	snprintf(text, sizeof(text), "sluice.metrics.listener=127.0.0.1:%u\n%s", metrics_port,
	         more);
	broker_up(2, text);
}

static int down(void **state)
{
	(void)state;
	free(answer);
	answer = NULL;
	broker_down();
	broker_forget();
	return 0;
}

static int up_plain(void **state)
{
	(void)state;
	up("");
	return 0;
}

static int up_without_partitions(void **state)
{
	(void)state;
	up("sluice.metrics.per.partition=false\n");
	return 0;
}

/* All that comes until the connection ends, terminated. */
static const char *receive_all(int fd)
{
	size_t size = 0;
	ssize_t n;

	answer = realloc(answer, 1 << 20);
	while ((n = recv(fd, answer + size, (1 << 20) - 1 - size, 0)) > 0)
		size += (size_t)n;
	answer[size] = '\0';
	close(fd);
	return answer;
}

static const char *http(const char *request)
{
	int fd = client_open(metrics_port);

	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	return receive_all(fd);
}

/* HTTP/1.0: not in chunks. */
static const char *scrape(void)
{
	return http("GET /metrics HTTP/1.0\r\n\r\n");
}

static void make_topic(const char *name, int32_t partitions)
{
	int fd = client_open(port);

	(void)topic_make(fd, name, partitions, NULL, 0);
	close(fd);
}

static void a_scrape_is_answered_and_every_line_is_well_formed(void **state)
{
	const char *at = scrape();
	int samples = 0;

	(void)state;
	assert_true(!strncmp(at, "HTTP/1.1 200 OK\r\n", 17));
	assert_non_null(strstr(at, "Content-Type: text/plain; version=0.0.4"));
	at = strstr(at, "\r\n\r\n") + 4;
	while (*at) {
		const char *eol = strchr(at, '\n');

		assert_non_null(eol);
		if (*at != '#') {
			const char *space = memrchr(at, ' ', (size_t)(eol - at));
			char *end;

			assert_non_null(space);
			(void)strtod(space + 1, &end);
			assert_ptr_equal(end, eol);
			assert_true(space > at &&
			            (space[-1] == '}' || !memchr(at, '{', (size_t)(eol - at))));
			samples++;
		}
		at = eol + 1;
	}
	assert_true(samples > 50);
	assert_non_null(
		strstr(answer, "\nkafka_controller_kafkacontroller_activecontrollercount 1\n"));
	assert_non_null(
		strstr(answer, "\nkafka_server_replicamanager_underreplicatedpartitions 0\n"));
}

/* Walks the chunks of the answer, which it makes one text; how many there are. */
static int join_chunks(const char *request, size_t *ret_largest)
{
	char *at = strstr(http(request), "\r\n\r\n");
	char *to = answer;
	size_t size;
	int count = 0;

	assert_non_null(strstr(answer, "Transfer-Encoding: chunked\r\n"));
	*ret_largest = 0;
	at += 4;
	do {
		size = strtoul(at, &at, 16);
		assert_true(!strncmp(at, "\r\n", 2));
		at += 2;
		memmove(to, at, size);
		to += size;
		at += size;
		assert_true(!strncmp(at, "\r\n", 2));
		at += 2;
		count++;
		if (size > *ret_largest)
			*ret_largest = size;
	} while (size);
	assert_int_equal(*at, '\0');
	*to = '\0';
	return count;
}

static void chunks_hold_what_they_say(void **state)
{
	size_t largest;

	(void)state;
	assert_true(join_chunks("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", &largest) > 1);
	assert_true(!strncmp(answer, "# HELP sluice_build_info", 24));
}

/* Each turn tells a piece, and together they tell of every partition once. */
static void many_partitions_are_told_of_in_pieces(void **state)
{
	static const char series[] = "\nkafka_topic_partition_leader{topic=\"many\",";
	size_t largest;
	int count = 0;

	(void)state;
	make_topic("many", 400);
	assert_true(join_chunks("GET /metrics HTTP/1.1\r\n\r\n", &largest) > 4);
	assert_in_range(largest, 1, 40 * 1024);
	for (const char *at = answer; (at = strstr(at, series)); at++)
		count++;
	assert_int_equal(count, 400);
	assert_non_null(
		strstr(answer, "\nkafka_controller_kafkacontroller_globalpartitioncount 400\n"));
}

static void partitions_are_told_of(void **state)
{
	(void)state;
	make_topic("t", 3);
	assert_soon(
		strstr(scrape(), "kafka_log_log_logendoffset{topic=\"t\",partition=\"2\"} 0\n"));
	assert_non_null(strstr(answer, "kafka_topic_partitions{topic=\"t\"} 3\n"));
	assert_non_null(strstr(answer, "sluice_topic_log_bytes{topic=\"t\"} 0\n"));
	assert_non_null(
		strstr(answer, "kafka_topic_partition_leader{topic=\"t\",partition=\"0\"} 1\n"));
	assert_non_null(
		strstr(answer, "requests_total{request=\"CreateTopics\",version=\"7\"} 1\n"));
}

static void partitions_can_be_left_out(void **state)
{
	(void)state;
	make_topic("t", 3);
	assert_soon(strstr(scrape(), "sluice_topic_log_bytes{topic=\"t\"} 0\n"));
	assert_null(strstr(answer, "partition=\""));
	assert_non_null(strstr(answer, "(sluice.metrics.per.partition=false)"));
}

static void what_is_not_a_scrape_is_refused(void **state)
{
	char *large = malloc(EXPORTER_REQUEST_BYTES + 1);

	(void)state;
	assert_non_null(strstr(http("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 "));
	assert_non_null(strstr(http("GET /metrics?a=b HTTP/1.0\n\n"), "sluice_build_info"));
	assert_non_null(strstr(http("GET /metricsx HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 "));
	assert_non_null(strstr(http("POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 "));
	assert_non_null(strstr(http("GET /metrics\r\n\r\n"), "HTTP/1.1 400 "));
	assert_non_null(strstr(http("GET  HTTP/1.1 x\r\n\r\n"), "HTTP/1.1 400 "));
	assert_non_null(strstr(http("\r\n\r\n"), "HTTP/1.1 400 "));
	assert_non_null(strstr(http("GET /metrics FTP/1.1\r\n\r\n"), "HTTP/1.1 400 "));
	memset(large, 'a', EXPORTER_REQUEST_BYTES);
	large[EXPORTER_REQUEST_BYTES] = '\0';
	assert_non_null(strstr(http(large), "HTTP/1.1 431 "));
	free(large);
}

static void connections_are_bounded(void **state)
{
	int fd[EXPORTER_CONNECTIONS];
	char byte;

	(void)state;
	for (int i = 0; i < EXPORTER_CONNECTIONS; i++) {
		fd[i] = client_open(metrics_port);
		assert_int_equal(send(fd[i], "G", 1, MSG_NOSIGNAL), 1);
	}
	sleep_ms(50);
	assert_string_equal(receive_all(client_open(metrics_port)), "");
	for (int i = 0; i < EXPORTER_CONNECTIONS; i++) {
		assert_int_equal(recv(fd[i], &byte, 1, MSG_DONTWAIT), -1);
		close(fd[i]);
	}
	assert_soon(strstr(scrape(), "sluice_build_info"));
}

/* Half of a request, half of an answer: the stop in down() waits for neither. */
static void who_goes_or_stays_in_the_middle_holds_nothing(void **state)
{
	int fd = client_open(metrics_port);

	(void)state;
	assert_int_equal(send(fd, "GET /metrics HTTP/1.1\r\n\r\n", 25, MSG_NOSIGNAL), 25);
	close(fd);
	fd = client_open(metrics_port);
	assert_int_equal(send(fd, "GET /met", 8, MSG_NOSIGNAL), 8);
	assert_non_null(strstr(scrape(), "sluice_build_info"));
}

static void a_port_that_is_taken_is_no_reason_to_end(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[64];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	snprintf(text, sizeof(text), "sluice.metrics.listener=127.0.0.1:%u\n",
	         ntohs(address.sin_port));
	broker_up(1, text);
	make_topic("t", 1);
	broker_down();
	broker_forget();
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_scrape_is_answered_and_every_line_is_well_formed,
		                                up_plain, down),
		cmocka_unit_test_setup_teardown(chunks_hold_what_they_say, up_plain, down),
		cmocka_unit_test_setup_teardown(many_partitions_are_told_of_in_pieces, up_plain,
		                                down),
		cmocka_unit_test_setup_teardown(partitions_are_told_of, up_plain, down),
		cmocka_unit_test_setup_teardown(partitions_can_be_left_out, up_without_partitions,
		                                down),
		cmocka_unit_test_setup_teardown(what_is_not_a_scrape_is_refused, up_plain, down),
		cmocka_unit_test_setup_teardown(connections_are_bounded, up_plain, down),
		cmocka_unit_test_setup_teardown(who_goes_or_stays_in_the_middle_holds_nothing,
		                                up_plain, down),
		cmocka_unit_test(a_port_that_is_taken_is_no_reason_to_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
