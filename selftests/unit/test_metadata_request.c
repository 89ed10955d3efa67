/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_fixture.h"
#include "core/topic_name.h"

/* Metadata of a whole broker: many topics and partitions, topics made because they are asked for.
 */
enum { PARTITIONS = 1500 };

static struct answer ask_names(int fd, int16_t version, const char *const *name, uint32_t count,
                               bool create)
{
	struct metadata_request_request_topic topic[64] = { 0 };
	struct metadata_request r;

	assert_true(count <= array_count(topic));
	for (uint32_t i = 0; i < count; i++)
		topic[i].name = str_of(name[i]);
	metadata_request_init(&r);
	r.topics = topic;
	r.topics_count = count;
	r.allow_auto_topic_creation = create;
	return ask(fd, API_METADATA, version, &r);
}

static struct answer ask_all(int fd)
{
	struct metadata_request r;

	metadata_request_init(&r);
	r.topics = NULL;
	return ask(fd, API_METADATA, 12, &r);
}

static const struct metadata_response_response_topic *topic_in(const struct answer *a,
                                                               const char *name)
{
	const struct metadata_response *r = a->body;

	for (uint32_t i = 0; i < r->topics_count; i++)
		if (str_eq(r->topics[i].name, str_of(name)))
			return &r->topics[i];
	return NULL;
}

static bool is_there(int fd, const char *name)
{
	struct answer a = ask_names(fd, 12, &name, 1, false);
	bool there = !topic_in(&a, name)->error_code;

	answer_free(&a);
	return there;
}

/* ---- laws ---- */

static void every_partition_is_told_over_several_turns(void **state)
{
	const struct metadata_response_response_topic *t;
	struct answer a;
	int fd = client_open(port);

	(void)state;
	topic_make(fd, "large", PARTITIONS, NULL, 0);
	topic_make(fd, "zzz", 2, NULL, 0);
	a = ask_all(fd);
	t = topic_in(&a, "large");
	assert_int_equal(t->error_code, WIRE_NONE);
	assert_int_equal(t->partitions_count, PARTITIONS);
	for (int32_t i = 0; i < PARTITIONS; i++) {
		assert_int_equal(t->partitions[i].partition_index, i);
		assert_int_equal(t->partitions[i].leader_id, 1);
		assert_int_equal(t->partitions[i].error_code, WIRE_NONE);
	}
	assert_int_equal(topic_in(&a, "zzz")->partitions_count, 2);
	answer_free(&a);
	close(fd);
}

static void each_name_is_answered_once_in_the_order_of_the_request(void **state)
{
	static const char *const name[] = { "zzz", "none", "a/b", "large", "none", "zzz", "" };
	static const struct {
		const char *name;
		int16_t error;
	} want[] = { { "zzz", WIRE_NONE },
		     { "none", WIRE_UNKNOWN_TOPIC_OR_PARTITION },
		     { "a/b", WIRE_INVALID_TOPIC_EXCEPTION },
		     { "large", WIRE_NONE },
		     { "", WIRE_INVALID_TOPIC_EXCEPTION } };
	const struct metadata_response *r;
	struct answer a;
	int fd = client_open(port);

	(void)state;
	a = ask_names(fd, 12, name, array_count(name), false);
	r = a.body;
	assert_int_equal(r->topics_count, array_count(want));
	for (size_t i = 0; i < array_count(want); i++) {
		assert_true(str_eq(r->topics[i].name, str_of(want[i].name)));
		assert_int_equal(r->topics[i].error_code, want[i].error);
	}
	assert_int_equal(r->controller_id, 1);
	assert_int_equal(r->brokers_count, 1);
	assert_int_equal(r->brokers[0].port, port);
	answer_free(&a);
	close(fd);
}

/* Several clients ask for the same topics at once. */
static void what_is_asked_for_is_made_once(void **state)
{
	enum { CLIENTS = 8, TOPICS = 40 };
	static char text[TOPICS][16];
	const char *name[TOPICS];
	const struct metadata_response *r;
	struct answer a;
	int fd[CLIENTS];
	uint32_t before;

	(void)state;
	for (int i = 0; i < TOPICS; i++) {
		snprintf(text[i], sizeof(text[i]), "auto-%d", i);
		name[i] = text[i];
	}
	for (int i = 0; i < CLIENTS; i++)
		fd[i] = client_open(port);
	a = ask_all(fd[0]);
	before = ((struct metadata_response *)a.body)->topics_count;
	answer_free(&a);
	for (int i = 0; i < CLIENTS; i++) {
		a = ask_names(fd[i], 4, name, TOPICS, true);
		answer_free(&a);
	}
	for (int i = 0; i < TOPICS; i++)
		assert_soon(is_there(fd[i % CLIENTS], name[i]));
	a = ask_all(fd[0]);
	r = a.body;
	assert_int_equal(r->topics_count, before + TOPICS);
	assert_int_equal(topic_in(&a, "auto-7")->partitions_count, 3);
	answer_free(&a);
	for (int i = 0; i < CLIENTS; i++)
		close(fd[i]);
}

/* Nobody may make topics by asking where the request or the name forbids it. */
static void what_may_not_be_made_is_not(void **state)
{
	static const char *const forbidden = "forbidden";
	static const char *const invalid = "in valid";
	struct answer a;
	int fd = client_open(port);

	(void)state;
	for (int16_t version = 4; version <= 12; version++) {
		a = ask_names(fd, version, &forbidden, 1, false);
		assert_int_equal(topic_in(&a, forbidden)->error_code,
		                 WIRE_UNKNOWN_TOPIC_OR_PARTITION);
		answer_free(&a);
		a = ask_names(fd, version, &invalid, 1, true);
		assert_int_equal(topic_in(&a, invalid)->error_code, WIRE_INVALID_TOPIC_EXCEPTION);
		answer_free(&a);
	}
	sleep_ms(50);
	assert_false(is_there(fd, forbidden));
	close(fd);
}

static void a_coordinator_topic_is_made_as_its_coordinator_wants(void **state)
{
	static const char *const offsets = TOPIC_CONSUMER_OFFSETS;
	struct answer a;
	int fd = client_open(port);

	(void)state;
	a = ask_names(fd, 12, &offsets, 1, true);
	assert_true(topic_in(&a, offsets)->is_internal);
	answer_free(&a);
	assert_soon(is_there(fd, offsets));
	a = ask_names(fd, 12, &offsets, 1, true);
	assert_int_equal(topic_in(&a, offsets)->partitions_count, 5);
	answer_free(&a);
	close(fd);
}

static int up(void **state)
{
	(void)state;
	broker_up(3, "num.partitions=3\noffsets.topic.num.partitions=5\n");
	return 0;
}

static int down(void **state)
{
	(void)state;
	broker_down();
	broker_forget();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_partition_is_told_over_several_turns),
		cmocka_unit_test(each_name_is_answered_once_in_the_order_of_the_request),
		cmocka_unit_test(what_is_asked_for_is_made_once),
		cmocka_unit_test(what_may_not_be_made_is_not),
		cmocka_unit_test(a_coordinator_topic_is_made_as_its_coordinator_wants),
	};

	return cmocka_run_group_tests(tests, up, down);
}
