/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_fixture.h"
#include "core/describe.h"
#include "wire/alter_client_quotas.h"
#include "wire/alter_partition.h"
#include "wire/alter_partition_reassignments.h"
#include "wire/describe_quorum.h"
#include "wire/list_partition_reassignments.h"
#include "wire/update_features.h"

/* Answers of the controller that Kafka 4.3.1 gives word for word. */

struct limit {
	const char *type[2], *name[2];
	const char *key;
	double value;
};

/* The answers to all of them in one request. */
static const struct alter_client_quotas_response *limit(struct world *w, const struct limit *l,
                                                        uint32_t count)
{
	struct alter_client_quotas_request_entity_data entity[8][2];
	struct alter_client_quotas_request_op_data op[8];
	struct alter_client_quotas_request_entry_data entry[8];
	struct alter_client_quotas_request r;

	alter_client_quotas_request_init(&r);
	for (uint32_t i = 0; i < count; i++) {
		entry[i] = (struct alter_client_quotas_request_entry_data){
			.entity = entity[i],
			.entity_count = l[i].type[1] ? 2 : 1,
			.ops = &op[i],
			.ops_count = 1,
		};
		for (int j = 0; j < 2; j++) {
			entity[i][j].entity_type = str_of(l[i].type[j]);
			entity[i][j].entity_name = str_of(l[i].name[j]);
		}
		op[i] = (struct alter_client_quotas_request_op_data){
			.key = str_of(l[i].key),
			.value = l[i].value,
			.remove = l[i].value < 0,
		};
	}
	r.entries = entry;
	r.entries_count = count;
	request(w, API_ALTER_CLIENT_QUOTAS, 1, &r);
	return w->out.response;
}

static void assert_message(struct str got, const char *want)
{
	char text[300];

	snprintf(text, sizeof(text), "%.*s", STR_ARG(got));
	assert_int_equal(!got.data, !want);
	assert_string_equal(text, want ? want : "");
}

static void quotas_are_of_the_last_name_of_a_type(void **state)
{
	const struct limit l = { { "user", "user" }, { "a", "b" }, "producer_byte_rate", 1024 };
	const struct alter_client_quotas_response *answer;
	struct world w;

	(void)state;
	one_broker(&w);
	answer = limit(&w, &l, 1);
	assert_int_equal(answer->entries[0].error_code, WIRE_NONE);
	assert_int_equal(answer->entries[0].entity_count, 1);
	assert_message(answer->entries[0].entity[0].entity_name, "b");
	assert_trace(&w, "ClientQuotaRecord v0 {\"entity\":[{\"entity_type\":\"user\","
	                 "\"entity_name\":\"b\"}],\"key\":\"producer_byte_rate\",\"value\":1024,"
	                 "\"remove\":false}\n");
	assert_state_is_its_records(&w);
	world_fini(&w);
}

static void an_entity_that_comes_twice_is_answered_once(void **state)
{
	const struct limit l[] = {
		{ { "user", "client-id" }, { "a", NULL }, "producer_byte_rate", 1 },
		{ { "client-id", "user" }, { NULL, "a" }, "producer_byte_rate", 2 },
		{ { "user" }, { "a" }, "producer_byte_rate", 3 },
	};
	const struct alter_client_quotas_response *answer;
	struct world w;

	(void)state;
	one_broker(&w);
	answer = limit(&w, l, 3);
	assert_int_equal(answer->entries_count, 2);
	assert_int_equal(answer->entries[0].error_code, WIRE_INVALID_REQUEST);
	assert_message(answer->entries[0].error_message,
	               "Ignoring duplicate entity "
	               "ClientQuotaEntity(entries={client-id=null, user=a})");
	assert_int_equal(answer->entries[1].error_code, WIRE_NONE);
	assert_message(answer->entries[1].error_message, NULL);
	assert_int_equal(w.out.record_count, 2); /* the first of the two is done all the same */
	assert_state_is_its_records(&w);
	world_fini(&w);
}

static void quotas_of_addresses_want_addresses(void **state)
{
	static const char *const right[] = { "1.2.3.4",
		                             "255.255.255.255",
		                             "::",
		                             "::1",
		                             "1::",
		                             "fe80::1:2",
		                             "1:2:3:4:5:6:7:8",
		                             "::ffff:1.2.3.4",
		                             "1:2:3:4:5:6:1.2.3.4" };
	static const char *const wrong[] = { "1.2.3",
		                             "1.2.3.4.5",
		                             "1.2.3.256",
		                             "1.2.3.4.",
		                             ".1.2.3.4",
		                             "1..2.3",
		                             "1.2.3.00004",
		                             ":",
		                             ":1:2:3:4:5:6:7",
		                             ":::",
		                             "1::2::3",
		                             "1:2:3:4:5:6:7",
		                             "1:2:3:4:5:6:7:",
		                             "1:2:3:4:5:6:7:8:9",
		                             "1:2:3:4:5:6:7:8::",
		                             "12345::",
		                             "g::",
		                             "no.such.host",
		                             "::1.2.3",
		                             "x" };
	struct limit l = { { "ip" }, { NULL }, "connection_creation_rate", 1 };
	struct world w;

	(void)state;
	one_broker(&w);
	assert_int_equal(limit(&w, &l, 1)->entries[0].error_code, WIRE_NONE);
	for (size_t i = 0; i < array_count(right); i++) {
		l.name[0] = right[i];
		if (limit(&w, &l, 1)->entries[0].error_code != WIRE_NONE)
			fail_msg("%s refused", right[i]);
	}
	for (size_t i = 0; i < array_count(wrong); i++) {
		l.name[0] = wrong[i];
		if (limit(&w, &l, 1)->entries[0].error_code != WIRE_INVALID_REQUEST)
			fail_msg("%s accepted", wrong[i]);
	}
	l.name[0] = "x";
	assert_message(limit(&w, &l, 1)->entries[0].error_message,
	               "x is not a valid IP or resolvable host.");
	assert_int_equal(w.out.record_count, 0);
	world_fini(&w);
}

static void reassignments_without_an_error_have_no_message(void **state)
{
	struct alter_partition_reassignments_request_reassignable_partition partition = { 0 };
	struct alter_partition_reassignments_request_reassignable_topic topic = { STR("none"),
		                                                                  &partition, 1 };
	struct alter_partition_reassignments_request alter;
	struct list_partition_reassignments_request list;
	struct world w;

	(void)state;
	one_broker(&w);
	alter_partition_reassignments_request_init(&alter);
	request(&w, API_ALTER_PARTITION_REASSIGNMENTS, 1, &alter);
	assert_message(
		((struct alter_partition_reassignments_response *)w.out.response)->error_message,
		"");
	alter.topics = &topic;
	alter.topics_count = 1;
	request(&w, API_ALTER_PARTITION_REASSIGNMENTS, 1, &alter);
	assert_message(
		((struct alter_partition_reassignments_response *)w.out.response)->error_message,
		NULL);
	list_partition_reassignments_request_init(&list);
	request(&w, API_LIST_PARTITION_REASSIGNMENTS, 0, &list);
	assert_message(
		((struct list_partition_reassignments_response *)w.out.response)->error_message,
		NULL);
	world_fini(&w);
}

static void nothing_to_alter_is_done_for_anybody(void **state)
{
	struct alter_partition_request_topic_data topic = { .topic_id = UUID_ZERO };
	struct alter_partition_request r;
	struct world w;

	(void)state;
	one_broker(&w);
	alter_partition_request_init(&r);
	r.broker_id = 7;
	request(&w, API_ALTER_PARTITION, 3, &r);
	assert_int_equal(((struct alter_partition_response *)w.out.response)->error_code,
	                 WIRE_NONE);
	r.topics = &topic;
	r.topics_count = 1;
	request(&w, API_ALTER_PARTITION, 3, &r);
	assert_int_equal(w.out.error, WIRE_STALE_BROKER_EPOCH);
	world_fini(&w);
}

static void a_feature_that_is_updated_says_none(void **state)
{
	struct update_features_request_feature_update_key update = { .upgrade_type = 1 };
	const struct update_features_response *response;
	struct update_features_request r;
	struct world w;

	(void)state;
	one_broker(&w);
	update_features_request_init(&r);
	r.feature_updates = &update;
	r.feature_updates_count = 1;
	update.feature = STR("group.version");
	update.max_version_level = 1;
	request(&w, API_UPDATE_FEATURES, 1, &r);
	response = w.out.response;
	assert_message(response->error_message, NULL);
	assert_int_equal(response->results_count, 1);
	assert_message(response->results[0].error_message, "NONE");
	update.feature = STR("no.such");
	request(&w, API_UPDATE_FEATURES, 1, &r);
	response = w.out.response;
	assert_int_equal(response->results_count, 0);
	assert_non_null(strstr(response->error_message.data, "The update failed for all features"));
	update.max_version_level = 0;
	request(&w, API_UPDATE_FEATURES, 2, &r);
	response = w.out.response;
	assert_int_equal(response->error_code, WIRE_INVALID_UPDATE_VERSION);
	assert_non_null(strstr(response->error_message.data, "Feature no.such not found."));
	world_fini(&w);
}

static void the_quorum_is_of_one_partition(void **state)
{
	struct describe_quorum_request_partition_data partition = { 0 };
	struct describe_quorum_request_topic_data topic = { STR("__cluster_metadata"), &partition,
		                                            1 };
	struct describe_quorum_request r = { &topic, 1 };
	struct describe_quorum_response response;
	struct describe_leader leader = { .leader_id = 1 };
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	describe_quorum(&arena, 2, &leader, &r, &response);
	assert_message(response.error_message, "");
	assert_message(response.topics[0].partitions[0].error_message, "");
	topic.topic_name = STR("other");
	describe_quorum(&arena, 2, &leader, &r, &response);
	assert_int_equal(response.topics[0].partitions[0].error_code,
	                 WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	assert_message(response.topics[0].partitions[0].error_message,
	               "This server does not host this topic-partition.");
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotas_are_of_the_last_name_of_a_type),
		cmocka_unit_test(an_entity_that_comes_twice_is_answered_once),
		cmocka_unit_test(quotas_of_addresses_want_addresses),
		cmocka_unit_test(reassignments_without_an_error_have_no_message),
		cmocka_unit_test(nothing_to_alter_is_done_for_anybody),
		cmocka_unit_test(a_feature_that_is_updated_says_none),
		cmocka_unit_test(the_quorum_is_of_one_partition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
