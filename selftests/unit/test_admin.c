/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_fixture.h"
#include "message_fill.h"
#include "wire/alter_partition_reassignments.h"
#include "wire/api_table.h"
#include "wire/api_versions.h"
#include "wire/create_partitions.h"
#include "wire/delete_topics.h"
#include "wire/list_partition_reassignments.h"

/* Requests on their way to the controller, and requests that nobody would send. */

static void create_late(int fd, int16_t version, int32_t timeout_ms)
{
	struct create_topics_request_creatable_topic topic = { .name = STR("late"),
		                                               .num_partitions = 1,
		                                               .replication_factor = 1 };
	struct create_topics_request r;
	const struct create_topics_response *response;
	struct answer a;

	create_topics_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	r.timeout_ms = timeout_ms;
	a = ask(fd, API_CREATE_TOPICS, version, &r);
	response = a.body;
	assert_int_equal(response->topics_count, 1);
	assert_int_equal(response->topics[0].error_code, WIRE_REQUEST_TIMED_OUT);
	assert_null(response->topics[0].error_message.data);
	assert_int_equal(response->topics[0].num_partitions, -1);
	answer_free(&a);
}

static void grow_late(int fd)
{
	struct create_partitions_request_topic topic = { .name = STR("t"), .count = 2 };
	struct create_partitions_request r;
	const struct create_partitions_response *response;
	struct answer a;

	create_partitions_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	a = ask(fd, API_CREATE_PARTITIONS, 3, &r);
	response = a.body;
	assert_int_equal(response->results[0].error_code, WIRE_REQUEST_TIMED_OUT);
	assert_null(response->results[0].error_message.data);
	answer_free(&a);
}

static void reassign_late(int fd)
{
	struct alter_partition_reassignments_request_reassignable_partition partition = { 0 };
	struct alter_partition_reassignments_request_reassignable_topic topic = { STR("t"),
		                                                                  &partition, 1 };
	struct alter_partition_reassignments_request r;
	const struct alter_partition_reassignments_response *response;
	struct answer a;

	alter_partition_reassignments_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	r.timeout_ms = -1;
	a = ask(fd, API_ALTER_PARTITION_REASSIGNMENTS, 0, &r);
	response = a.body;
	assert_int_equal(response->error_code, WIRE_REQUEST_TIMED_OUT);
	assert_int_equal(response->responses[0].partitions[0].error_code, WIRE_REQUEST_TIMED_OUT);
	assert_null(response->responses[0].partitions[0].error_message.data);
	answer_free(&a);
}

/* Their listing has a timeout too, which means nothing. */
static void list_late(int fd)
{
	struct list_partition_reassignments_request r;
	const struct list_partition_reassignments_response *response;
	struct answer a;

	list_partition_reassignments_request_init(&r);
	r.timeout_ms = -1;
	a = ask(fd, API_LIST_PARTITION_REASSIGNMENTS, 0, &r);
	response = a.body;
	assert_int_equal(response->error_code, WIRE_NONE);
	assert_null(response->error_message.data);
	answer_free(&a);
}

static void a_request_that_is_too_late_is_not_looked_at(void **state)
{
	int fd;

	(void)state;
	broker_up(1, "");
	fd = client_open(port);
	for (int16_t version = 2; version <= 7; version++) {
		create_late(fd, version, 0);
		create_late(fd, version, -1);
		create_late(fd, version, INT32_MIN);
	}
	topic_make(fd, "late", 1, NULL, 0); /* it was not made then */
	grow_late(fd);
	reassign_late(fd);
	list_late(fd);
	close(fd);
	broker_down();
	broker_forget();
}

/* Requests of any content, well encoded, each on a connection that is then closed. */
static void send_anything(const struct wire_api *api, int16_t version, uint16_t to)
{
	struct arena arena;
	struct buf out = { 0 };
	int fd = client_open(to);
	char byte;

	arena_init(&arena, 64 << 20);
	for (uint64_t seed = 0; seed < 6; seed++) {
		out.size = 0;
		add_frame(&out, api, version, (int32_t)seed,
		          fill_message(api->request, version, seed, &arena));
		if (send(fd, out.data, out.size, MSG_NOSIGNAL) != (ssize_t)out.size)
			break;
	}
	shutdown(fd, SHUT_WR);
	while (recv(fd, &byte, 1, 0) > 0)
		continue;
	close(fd);
	arena_fini(&arena);
	buf_fini(&out);
}

static void any_request_leaves_the_broker_well(void **state)
{
	struct api_versions_request r;
	struct answer a;
	int fd;

	(void)state;
	broker_up(2, "");
	for (size_t i = 0; i < wire_api_count; i++) {
		const struct wire_api *api = &wire_apis[i];

		for (int16_t v = api->request->min; v <= api->request->max; v++) {
			send_anything(api, v, port);
			send_anything(api, v, broker_controller_port);
		}
	}
	fd = client_open(port);
	api_versions_request_init(&r);
	a = ask(fd, API_API_VERSIONS, 0, &r);
	assert_int_equal(((struct api_versions_response *)a.body)->error_code, WIRE_NONE);
	answer_free(&a);
	close(fd);
	broker_down();
	broker_forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_that_is_too_late_is_not_looked_at),
		cmocka_unit_test(any_request_leaves_the_broker_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
