/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/config_admin.h"
#include "broker/diag.h"
#include "config_fixture.h"
#include "core/config_list.h"
#include "core/metadata_record.h"
#include "wire/errors.h"
#include "wire/metadata_records.h"

/* Node 1 of a cluster with the topic "a". */
struct world {
	struct config *config;
	struct image *image;
	struct arena arena;
	struct config_admin admin;
};

static void apply(struct world *w, enum metadata_record_type type, const void *body)
{
	struct image_apply_error why;
	struct buf b = { 0 };

	metadata_record_encode(&b, type, 0, body);
	assert_int_equal(image_apply(w->image, 1, (struct span){ b.data, b.size }, &why),
	                 IMAGE_APPLIED);
	buf_fini(&b);
}

static void set(struct world *w, enum image_resource_type type, const char *resource,
                const char *name, const char *value)
{
	apply(w, METADATA_CONFIG,
	      &(struct config_record){ (int8_t)type, str_of(resource), str_of(name),
	                               str_of(value) });
}

static void world_open(struct world *w, const char *file)
{
	struct topic_record topic = { .name = STR("a") };

	*w = (struct world){ .config = load_node(file), .image = image_new() };
	topic.topic_id.byte[0] = 1;
	arena_init(&w->arena, SIZE_MAX / 2);
	apply(w, METADATA_TOPIC, &topic);
	w->admin = (struct config_admin){ w->config, w->image, 1, &w->arena, false };
}

static void world_close(struct world *w)
{
	arena_fini(&w->arena);
	image_put(w->image);
	config_put(w->config);
}

/* ---- DescribeConfigs ---- */

static const struct describe_configs_response_result *describe(struct world *w, int8_t type,
                                                               const char *name, const char *key)
{
	struct describe_configs_request_resource resource = { .resource_type = type,
		                                              .resource_name = str_of(name) };
	struct describe_configs_request request = { .resources = &resource, .resources_count = 1 };
	static struct describe_configs_response response;
	struct str keys[2] = { str_of(key), STR("no.such") };

	if (key) {
		resource.configuration_keys = keys;
		resource.configuration_keys_count = 2;
	}
	config_admin_describe(&w->admin, &request, &response);
	assert_int_equal(response.results_count, 1);
	assert_int_equal(response.results[0].resource_type, type);
	assert_str(response.results[0].resource_name, name);
	return &response.results[0];
}

static void describing_is_refused(struct world *w, int8_t type, const char *name, int16_t error,
                                  const char *message)
{
	const struct describe_configs_response_result *r = describe(w, type, name, NULL);

	assert_int_equal(r->error_code, error);
	assert_str(r->error_message, message);
	assert_int_equal(r->configs_count, 0);
}

static void only_what_exists_is_described(void **state)
{
	static const char malformed[] =
		"This most likely occurs because of a request being malformed by the client "
		"library or the message was sent to an incompatible broker. See the broker logs "
		"for more details.";
	struct world w;

	(void)state;
	world_open(&w, "");
	describing_is_refused(&w, IMAGE_RESOURCE_TOPIC, "none", WIRE_UNKNOWN_TOPIC_OR_PARTITION,
	                      "");
	describing_is_refused(&w, IMAGE_RESOURCE_TOPIC, "", WIRE_INVALID_TOPIC_EXCEPTION,
	                      "Topic name is invalid: the empty string is not allowed");
	describing_is_refused(&w, IMAGE_RESOURCE_BROKER, "2", WIRE_INVALID_REQUEST,
	                      "Unexpected broker id, expected 1 or empty string, but received 2");
	describing_is_refused(&w, IMAGE_RESOURCE_BROKER, " 1", WIRE_INVALID_REQUEST,
	                      "Broker id must be an integer, but it is:  1");
	describing_is_refused(&w, IMAGE_RESOURCE_BROKER_LOGGER, "", WIRE_INVALID_REQUEST,
	                      "Broker id must not be empty");
	describing_is_refused(&w, IMAGE_RESOURCE_CLIENT_METRICS, "", WIRE_INVALID_REQUEST,
	                      "Client metrics subscription name must not be empty");
	describing_is_refused(&w, IMAGE_RESOURCE_GROUP, "", WIRE_INVALID_REQUEST,
	                      "Group name must not be empty");
	describing_is_refused(&w, 0, "a", WIRE_INVALID_REQUEST, malformed);
	describing_is_refused(&w, 99, "a", WIRE_INVALID_REQUEST, malformed);
	world_close(&w);
}

static void keys_choose_what_is_described(void **state)
{
	const struct describe_configs_response_result *r;
	struct world w;

	(void)state;
	world_open(&w, "");
	set(&w, IMAGE_RESOURCE_TOPIC, "a", "retention.ms", "7");
	set(&w, IMAGE_RESOURCE_GROUP, "g", "consumer.session.timeout.ms", "46000");
	set(&w, IMAGE_RESOURCE_CLIENT_METRICS, "m", "interval.ms", "1000");
	r = describe(&w, IMAGE_RESOURCE_TOPIC, "a", NULL);
	assert_int_equal(r->error_code, WIRE_NONE);
	assert_str(r->error_message, "");
	assert_int_equal(r->configs_count, TOPIC_CONFIG_COUNT - 2);
	r = describe(&w, IMAGE_RESOURCE_TOPIC, "a", "retention.ms");
	assert_int_equal(r->configs_count, 1);
	assert_str(r->configs[0].name, "retention.ms");
	assert_str(r->configs[0].value, "7");
	assert_int_equal(r->configs[0].config_source, CONFIG_SOURCE_TOPIC);
	assert_int_equal(r->configs[0].config_type, CONFIG_TYPE_LONG);
	assert_null(r->configs[0].documentation.data);
	assert_int_equal(r->configs[0].synonyms_count, 0);
	r = describe(&w, IMAGE_RESOURCE_GROUP, "g", "consumer.session.timeout.ms");
	assert_int_equal(r->configs[0].config_source, CONFIG_SOURCE_GROUP);
	r = describe(&w, IMAGE_RESOURCE_CLIENT_METRICS, "m", "interval.ms");
	assert_str(r->configs[0].value, "1000");
	r = describe(&w, IMAGE_RESOURCE_BROKER, "1", "node.id");
	assert_true(r->configs[0].read_only);
	r = describe(&w, IMAGE_RESOURCE_BROKER, "", NULL);
	assert_int_equal(r->configs_count, 0);
	r = describe(&w, IMAGE_RESOURCE_BROKER_LOGGER, "1", NULL);
	assert_int_equal(r->error_code, WIRE_NONE);
	assert_int_equal(r->configs_count, diag_module_count());
	r = describe(&w, IMAGE_RESOURCE_BROKER_LOGGER, "1", "conn");
	assert_int_equal(r->configs_count, 1);
	assert_str(r->configs[0].name, "conn");
	assert_str(r->configs[0].value, "INFO");
	assert_int_equal(r->configs[0].config_source, CONFIG_SOURCE_DYNAMIC_BROKER_LOGGER);
	world_close(&w);
}

static void synonyms_and_documentation_come_when_asked_for(void **state)
{
	struct str key = STR("message.max.bytes");
	struct describe_configs_request_resource resource = {
		.resource_type = IMAGE_RESOURCE_BROKER,
		.resource_name = STR("1"),
		.configuration_keys = &key,
		.configuration_keys_count = 1,
	};
	struct describe_configs_request request = { .resources = &resource,
		                                    .resources_count = 1,
		                                    .include_synonyms = true,
		                                    .include_documentation = true };
	struct describe_configs_response response;
	struct world w;

	(void)state;
	world_open(&w, "message.max.bytes=5\n");
	config_admin_describe(&w.admin, &request, &response);
	assert_int_equal(response.results[0].configs_count, 1);
	assert_true(response.results[0].configs[0].documentation.size);
	assert_int_equal(response.results[0].configs[0].synonyms_count, 2);
	assert_int_equal(response.results[0].configs[0].synonyms[0].source,
	                 CONFIG_SOURCE_STATIC_BROKER);
	world_close(&w);
}

/* ---- IncrementalAlterConfigs, before and after the controller ---- */

struct change {
	const char *name;
	const char *value;
	int8_t op;
};

static struct config_admin_verdict alter(struct world *w, int8_t type, const char *name,
                                         const struct change *change, uint32_t count)
{
	struct incremental_alter_configs_request_alterable_config *config =
		arena_array(&w->arena, count, sizeof(*config));
	struct incremental_alter_configs_request_alter_configs_resource resource = {
		.resource_type = type,
		.resource_name = str_of(name),
		.configs = config,
		.configs_count = count
	};
	struct incremental_alter_configs_request request = { .resources = &resource,
		                                             .resources_count = 1 };
	struct incremental_alter_configs_request forward;
	struct config_admin_verdict *v;

	for (uint32_t i = 0; i < count; i++) {
		config[i].name = str_of(change[i].name);
		config[i].value = str_of(change[i].value);
		config[i].config_operation = change[i].op;
	}
	v = config_admin_incremental(&w->admin, &request, &forward);
	assert_non_null(v);
	assert_int_equal(forward.resources_count, v->forwarded);
	assert_true(v->forwarded != (v->error != 0) || type == IMAGE_RESOURCE_BROKER_LOGGER);
	return *v;
}

#define altering(w, type, name, error, text, ...)                                                  \
	altering_says(w, type, name, error, text, (const struct change[]){ __VA_ARGS__ },          \
	              sizeof((const struct change[]){ __VA_ARGS__ }) / sizeof(struct change))

static void altering_says(struct world *w, int8_t type, const char *name, int16_t error,
                          const char *text, const struct change *change, size_t count)
{
	struct config_admin_verdict v = alter(w, type, name, change, (uint32_t)count);

	assert_int_equal(v.error, error);
	assert_str(v.message, text);
}

static void what_the_controller_decides_is_forwarded(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, "");
	altering(&w, IMAGE_RESOURCE_TOPIC, "none", WIRE_NONE, NULL, { "no.such", "x", CONFIG_SET });
	altering(&w, IMAGE_RESOURCE_GROUP, "g", WIRE_NONE, NULL, { "no.such", "x", CONFIG_SET });
	altering(&w, IMAGE_RESOURCE_CLIENT_METRICS, "m", WIRE_NONE, NULL, { "a", "x", CONFIG_SET });
	altering(&w, IMAGE_RESOURCE_TOPIC, "a", WIRE_INVALID_REQUEST,
	         "Error due to duplicate config keys", { "flush.ms", "1", CONFIG_SET },
	         { "flush.ms", NULL, CONFIG_DELETE });
	altering(&w, IMAGE_RESOURCE_TOPIC, "a", WIRE_INVALID_REQUEST,
	         "Null value not supported for : flush.ms, retention.ms",
	         { "flush.ms", NULL, CONFIG_SET }, { "segment.ms", NULL, CONFIG_DELETE },
	         { "retention.ms", NULL, CONFIG_APPEND });
	altering(&w, 3, "a", WIRE_INVALID_REQUEST, "Unknown resource type 3",
	         { "a", "x", CONFIG_SET });
	altering(&w, IMAGE_RESOURCE_BROKER_LOGGER, "1", WIRE_INVALID_CONFIG,
	         "Logger kafka does not exist!", { "kafka", "INFO", CONFIG_SET });
	altering(&w, IMAGE_RESOURCE_BROKER_LOGGER, "2", WIRE_INVALID_REQUEST,
	         "Unexpected node id. Expected 1, but received 2", { "kafka", "INFO", CONFIG_SET });
	altering(&w, IMAGE_RESOURCE_BROKER_LOGGER, "1", WIRE_INVALID_REQUEST,
	         "APPEND operation is not allowed for the BROKER_LOGGER resource",
	         { "kafka", "INFO", CONFIG_APPEND });
	world_close(&w);
}

/* ---- levels of the log ---- */

static uint32_t lines;

static void count_line(const char *line, size_t size)
{
	(void)line;
	(void)size;
	lines++;
}

static uint32_t said_by(const char *who, enum diag_level level)
{
	lines = 0;
	if (diag_may_show(level))
		diag(level, who, "x");
	return lines;
}

static void a_module_has_the_level_it_was_given(void **state)
{
	const int8_t logger = IMAGE_RESOURCE_BROKER_LOGGER;
	struct world w;

	(void)state;
	world_open(&w, "");
	diag_sink_set(count_line);
	assert_int_equal(said_by("conn", DIAG_DEBUG), 0);
	altering(&w, logger, "1", WIRE_NONE, NULL, { "conn", "DEBUG", CONFIG_SET },
	         { "log", "FATAL", CONFIG_SET });
	assert_int_equal(said_by("conn", DIAG_DEBUG), 1);
	assert_int_equal(said_by("conn", DIAG_TRACE), 0);
	assert_int_equal(said_by("log", DIAG_ERROR), 0);
	assert_int_equal(said_by("group", DIAG_DEBUG), 0);
	assert_int_equal(said_by("group", DIAG_INFO), 1);
	assert_str(describe(&w, logger, "1", "conn")->configs[0].value, "DEBUG");
	altering(&w, logger, "1", WIRE_NONE, NULL, { "conn", NULL, CONFIG_DELETE },
	         { "log", NULL, CONFIG_DELETE }, { "root", "WARN", CONFIG_SET });
	assert_int_equal(said_by("conn", DIAG_INFO), 0);
	assert_int_equal(said_by("log", DIAG_WARN), 1);
	assert_int_equal(said_by("somebody", DIAG_INFO), 0);
	assert_str(describe(&w, logger, "1", "log")->configs[0].value, "WARN");
	altering(&w, logger, "1", WIRE_NONE, NULL, { "root", "INFO", CONFIG_SET });
	assert_false(diag_may_show(DIAG_DEBUG));
	diag_sink_set(NULL);
	world_close(&w);
}

/* One change that is wrong and none is made. */
static void levels_are_changed_together_or_not_at_all(void **state)
{
	const int8_t logger = IMAGE_RESOURCE_BROKER_LOGGER;
	struct world w;

	(void)state;
	world_open(&w, "");
	altering(&w, logger, "1", WIRE_INVALID_CONFIG,
	         "Cannot set the log level of log to LOUD as it is not a supported log level. "
	         "Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
	         { "conn", "DEBUG", CONFIG_SET }, { "log", "LOUD", CONFIG_SET });
	altering(&w, logger, "1", WIRE_INVALID_REQUEST,
	         "Removing the log level of the root logger is not allowed",
	         { "conn", "DEBUG", CONFIG_SET }, { "root", NULL, CONFIG_DELETE });
	assert_str(describe(&w, logger, "1", "conn")->configs[0].value, "INFO");
	world_close(&w);
}

static void a_brokers_changes_are_judged_as_a_whole(void **state)
{
	const int8_t broker = IMAGE_RESOURCE_BROKER;
	struct world w;

	(void)state;
	world_open(&w, "log.cleanup.policy=compact\n");
	altering(&w, broker, "x", WIRE_INVALID_REQUEST, "Node id must be an integer, but it is: x",
	         { "log.retention.ms", "5", CONFIG_SET });
	altering(&w, broker, "2", WIRE_INVALID_REQUEST,
	         "Unexpected broker id, expected 1, but received 2",
	         { "log.retention.ms", "5", CONFIG_SET });
	altering(&w, broker, "1", WIRE_NONE, NULL, { "log.retention.ms", "5", CONFIG_SET });
	altering(&w, broker, "", WIRE_INVALID_REQUEST,
	         "Cannot update these configs dynamically: [node.id]",
	         { "node.id", "5", CONFIG_SET });
	/* The default of the key, not the file's value, is what lists begin with. */
	altering(&w, broker, "", WIRE_INVALID_REQUEST,
	         "Invalid value x for configuration log.cleanup.policy: String must be one of: "
	         "compact, delete",
	         { "log.cleanup.policy", "x", CONFIG_APPEND });
	altering(&w, broker, "", WIRE_NONE, NULL,
	         { "log.cleanup.policy", "delete", CONFIG_SUBTRACT });
	altering(&w, broker, "", WIRE_INVALID_CONFIG,
	         "Config value append is not allowed for config key: num.io.threads",
	         { "num.io.threads", "5", CONFIG_APPEND });
	altering(&w, broker, "", WIRE_INVALID_CONFIG,
	         "Config value subtract is not allowed for config key: num.io.threads",
	         { "num.io.threads", "5", CONFIG_SUBTRACT });
	altering(&w, broker, "", WIRE_INVALID_CONFIG, "Unknown config name: no.such",
	         { "no.such", "5", CONFIG_APPEND });
	altering(&w, broker, "", WIRE_INVALID_REQUEST, "Unknown operations type 9",
	         { "no.such", "5", CONFIG_APPEND }, { "a", "5", 9 });
	/* What is stored already counts, where it is good. */
	set(&w, broker, "1", "log.roll.ms", "0");
	altering(&w, broker, "1", WIRE_INVALID_REQUEST,
	         "requirement failed: log.roll.ms must be greater than or equal to 1",
	         { "log.retention.ms", "5", CONFIG_SET });
	altering(&w, broker, "1", WIRE_NONE, NULL, { "log.roll.ms", NULL, CONFIG_DELETE });
	set(&w, broker, "1", "log.roll.ms", "never");
	altering(&w, broker, "1", WIRE_NONE, NULL, { "log.retention.ms", "5", CONFIG_SET });
	world_close(&w);
}

static void a_request_of_many_is_answered_in_its_order(void **state)
{
	struct incremental_alter_configs_request_alter_configs_resource resource[5] = {
		{ .resource_type = IMAGE_RESOURCE_TOPIC, .resource_name = STR("a") },
		{ .resource_type = IMAGE_RESOURCE_TOPIC, .resource_name = STR("b") },
		{ .resource_type = 77, .resource_name = STR("c") },
		{ .resource_type = IMAGE_RESOURCE_TOPIC, .resource_name = STR("a") },
		{ .resource_type = IMAGE_RESOURCE_GROUP, .resource_name = STR("b") },
	};
	struct incremental_alter_configs_request request = { .resources = resource,
		                                             .resources_count = 5 };
	struct incremental_alter_configs_response_alter_configs_resource_response from = {
		.error_code = WIRE_INVALID_CONFIG,
		.error_message = STR("no"),
		.resource_type = IMAGE_RESOURCE_GROUP,
		.resource_name = STR("b"),
	};
	struct incremental_alter_configs_response answer = { .responses = &from,
		                                             .responses_count = 1 };
	struct incremental_alter_configs_request forward;
	struct incremental_alter_configs_response response;
	struct config_admin_verdict *v;
	struct world w;

	(void)state;
	world_open(&w, "");
	v = config_admin_incremental(&w.admin, &request, &forward);
	assert_int_equal(forward.resources_count, 2);
	assert_str(forward.resources[0].resource_name, "b");
	config_admin_incremental_answer(&w.arena, &request, v, &answer, &response);
	assert_int_equal(response.responses_count, 5);
	assert_str(response.responses[0].error_message, "Each resource must appear at most once.");
	assert_str(response.responses[3].error_message, "Each resource must appear at most once.");
	assert_str(response.responses[2].error_message, "Unknown resource type 77");
	assert_str(response.responses[4].error_message, "no");
	/* The controller forgot one. */
	assert_int_equal(response.responses[1].error_code, WIRE_UNKNOWN_SERVER_ERROR);
	world_close(&w);
}

/* ---- AlterConfigs ---- */

static void the_old_request_is_the_whole_of_a_resource(void **state)
{
	struct alter_configs_request_alterable_config config = { STR("log.retention.ms"),
		                                                 STR("5") };
	struct alter_configs_request_resource resource[2] = {
		{ .resource_type = IMAGE_RESOURCE_BROKER,
		  .resource_name = STR("1"),
		  .configs = &config,
		  .configs_count = 1 },
		{ .resource_type = IMAGE_RESOURCE_BROKER_LOGGER, .resource_name = STR("1") },
	};
	struct alter_configs_request request = { .resources = resource, .resources_count = 2 };
	struct alter_configs_request forward;
	struct alter_configs_response response;
	struct config_admin_verdict *v;
	struct world w;

	(void)state;
	world_open(&w, "");
	set(&w, IMAGE_RESOURCE_BROKER, "1", "log.roll.ms", "0"); /* goes, so it does not count */
	v = config_admin_alter(&w.admin, &request, &forward);
	assert_int_equal(forward.resources_count, 1);
	config_admin_alter_answer(&w.arena, &request, v, NULL, &response);
	assert_int_equal(response.responses[0].error_code, WIRE_UNKNOWN_SERVER_ERROR);
	assert_str(response.responses[1].error_message, "Unknown resource type 8");
	world_close(&w);
}

/* ---- the controller's questions ---- */

static void rules_answer_the_controller(void **state)
{
	const struct str name[] = { STR("retention.ms"), STR("flush.ms") };
	const struct str value[] = { STR(" 7 "), STR("5") };
	const struct controller_config_entry *entry;
	struct controller_config_rules rules;
	struct str message = { NULL, 0 };
	struct world w;
	size_t count;

	(void)state;
	world_open(&w, "log.roll.hours=2\nlog.cleanup.policy=compact\n");
	set(&w, IMAGE_RESOURCE_BROKER, "", "message.max.bytes", " 77 ");
	set(&w, IMAGE_RESOURCE_BROKER, "1", "min.insync.replicas", "3");
	rules = config_controller_rules(w.config);
	assert_true(rules.is_list(rules.arg, IMAGE_RESOURCE_TOPIC, STR("cleanup.policy")));
	assert_true(rules.is_list(rules.arg, IMAGE_RESOURCE_BROKER, STR("log.dirs")));
	assert_false(rules.is_list(rules.arg, IMAGE_RESOURCE_TOPIC, STR("retention.ms")));
	assert_false(rules.is_list(rules.arg, IMAGE_RESOURCE_CLIENT_METRICS, STR("match")));
	assert_int_equal(rules.validate(rules.arg, &w.arena, IMAGE_RESOURCE_TOPIC, STR("a"), name,
	                                value, 2, &message),
	                 WIRE_NONE);
	assert_str(rules.effective(rules.arg, &w.arena, w.image, IMAGE_RESOURCE_TOPIC, STR("a"),
	                           STR("min.insync.replicas")),
	           "3");
	assert_str(rules.effective(rules.arg, &w.arena, w.image, IMAGE_RESOURCE_TOPIC, STR("a"),
	                           STR("cleanup.policy")),
	           "compact");
	assert_str(rules.effective(rules.arg, &w.arena, w.image, IMAGE_RESOURCE_TOPIC, STR("a"),
	                           STR("no.such")),
	           NULL);
	/* Without an image: the default of the key, for APPEND and SUBTRACT. */
	assert_str(rules.effective(rules.arg, &w.arena, NULL, IMAGE_RESOURCE_TOPIC, STR("a"),
	                           STR("cleanup.policy")),
	           "delete");
	count = rules.topic_entries(rules.arg, &w.arena, w.image, name, value, 2, &entry);
	assert_int_equal(count, TOPIC_CONFIG_COUNT - 2);
	for (size_t i = 0; i < count; i++) {
		if (str_eq(entry[i].name, STR("retention.ms"))) {
			assert_str(entry[i].value, " 7 "); /* as it was given */
			assert_int_equal(entry[i].source, CONFIG_SOURCE_TOPIC);
		} else if (str_eq(entry[i].name, STR("max.message.bytes"))) {
			assert_str(entry[i].value, " 77 ");
			assert_int_equal(entry[i].source, CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER);
		} else if (str_eq(entry[i].name, STR("segment.ms"))) {
			assert_str(entry[i].value, "7200000");
			assert_int_equal(entry[i].source, CONFIG_SOURCE_STATIC_BROKER);
		} else if (str_eq(entry[i].name, STR("retention.bytes"))) {
			assert_str(entry[i].value, "-1");
			assert_int_equal(entry[i].source, CONFIG_SOURCE_DEFAULT);
		}
	}
	world_close(&w);
}

/* Whatever the arena's limit, there is an answer or none. */
static void a_full_arena_is_an_answer_too(void **state)
{
	struct describe_configs_request_resource resource = { .resource_type =
		                                                      IMAGE_RESOURCE_BROKER,
		                                              .resource_name = STR("1") };
	struct describe_configs_request request = { .resources = &resource,
		                                    .resources_count = 1,
		                                    .include_synonyms = true };
	struct world w;

	(void)state;
	world_open(&w, "");
	for (size_t limit = 0; limit < 300000; limit += limit < 3000 ? 61 : 7919) {
		struct describe_configs_response response;

		arena_fini(&w.arena);
		arena_init(&w.arena, limit);
		config_admin_describe(&w.admin, &request, &response);
		if (response.results_count)
			assert_true(response.results[0].error_code ||
			            response.results[0].configs_count > 300);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_exists_is_described),
		cmocka_unit_test(keys_choose_what_is_described),
		cmocka_unit_test(synonyms_and_documentation_come_when_asked_for),
		cmocka_unit_test(what_the_controller_decides_is_forwarded),
		cmocka_unit_test(a_module_has_the_level_it_was_given),
		cmocka_unit_test(levels_are_changed_together_or_not_at_all),
		cmocka_unit_test(a_brokers_changes_are_judged_as_a_whole),
		cmocka_unit_test(a_request_of_many_is_answered_in_its_order),
		cmocka_unit_test(the_old_request_is_the_whole_of_a_resource),
		cmocka_unit_test(rules_answer_the_controller),
		cmocka_unit_test(a_full_arena_is_an_answer_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
