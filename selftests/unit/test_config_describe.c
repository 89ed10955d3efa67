/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/config_describe.h"
#include "config_fixture.h"
#include "wire/errors.h"

/*
 * What is expected was seen in answers of Kafka 4.3.1, or is in its ConfigHelper and
 * ControllerConfigurationValidator.
 */
static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, SIZE_MAX / 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct config *with_layers(const char *file, struct config_layer broker,
                                  struct config_layer cluster)
{
	struct config *base = load_node(file);
	struct config_report report = { 0 };
	struct config *c = config_update(
		base, &(struct config_dynamic){ .broker = broker, .cluster = cluster }, &report);

	assert_int_equal(report.warnings, 0);
	config_report_fini(&report);
	config_put(base);
	return c;
}

static const struct config_entry *entry_of(struct config_entries entries, const char *name)
{
	for (uint32_t i = 0; i < entries.count; i++)
		if (str_eq(entries.entry[i].name, str_of(name)))
			return &entries.entry[i];
	return NULL;
}

/* "value source type flags: name=value@source ..." with NULL as (null); r read-only, s sensitive.
 */
static void shows(struct config_entries entries, const char *name, const char *expected)
{
	static const char *const source[] = { "-",       "TOPIC", "BROKER",  "CLUSTER", "FILE",
		                              "DEFAULT", "-",     "METRICS", "GROUP" };
	const struct config_entry *e = entry_of(entries, name);
	struct buf text = { 0 };

	if (!e)
		fail_msg("no entry %s", name);
	buf_printf(&text, "%.*s %s %s %s%s:", STR_ARG(e->value.data ? e->value : STR("(null)")),
	           source[e->source], config_type_name((enum config_type)e->type),
	           e->is_read_only ? "r" : "", e->is_sensitive ? "s" : "");
	for (uint32_t i = 0; i < e->synonym_count; i++)
		buf_printf(&text, " %.*s=%.*s@%s", STR_ARG(e->synonym[i].name),
		           STR_ARG(e->synonym[i].value.data ? e->synonym[i].value : STR("(null)")),
		           source[e->synonym[i].source]);
	buf_add(&text, "", 1);
	assert_string_equal((const char *)text.data, expected);
	buf_fini(&text);
}

static void entries_are_sorted(struct config_entries entries)
{
	for (uint32_t i = 1; i < entries.count; i++)
		assert_true(str_cmp(entries.entry[i - 1].name, entries.entry[i].name) < 0);
}

/* ---- topics ---- */

static void a_topics_values_are_from_where_they_are_set(void **state)
{
	struct config *c = with_layers(
		"log.retention.hours=24\nlog.segment.bytes=2000000\n",
		LAYER(PAIR("log.flush.interval.messages", "5")),
		LAYER(PAIR("log.segment.bytes", "3000000"), PAIR("message.max.bytes", " 77 ")));
	struct config_entries e = config_describe_topic(
		c, LAYER(PAIR("cleanup.policy", "compact , delete"), PAIR("retention.ms", "1000")),
		&arena);

	(void)state;
	entries_are_sorted(e);
	assert_int_equal(e.count, TOPIC_CONFIG_COUNT - 2); /* without the internal and ours */
	shows(e, "retention.ms", "1000 TOPIC LONG : retention.ms=1000@TOPIC");
	shows(e, "cleanup.policy",
	      "compact,delete TOPIC LIST : cleanup.policy=compact,delete@TOPIC "
	      "log.cleanup.policy=delete@DEFAULT");
	shows(e, "flush.messages",
	      "5 BROKER LONG : log.flush.interval.messages=5@BROKER "
	      "log.flush.interval.messages=9223372036854775807@DEFAULT");
	shows(e, "segment.bytes",
	      "3000000 CLUSTER INT : log.segment.bytes=3000000@CLUSTER "
	      "log.segment.bytes=2000000@FILE log.segment.bytes=1073741824@DEFAULT");
	shows(e, "max.message.bytes",
	      "77 CLUSTER INT : message.max.bytes= 77 @CLUSTER message.max.bytes=1048588@DEFAULT");
	shows(e, "segment.ms", "604800000 DEFAULT LONG :");
	shows(e, "flush.ms", "9223372036854775807 DEFAULT LONG :");
	shows(e, "leader.replication.throttled.replicas", " DEFAULT LIST :");
	shows(e, "min.cleanable.dirty.ratio",
	      "0.5 DEFAULT DOUBLE : log.cleaner.min.cleanable.ratio=0.5@DEFAULT");
	shows(e, "preallocate", "false DEFAULT BOOLEAN : log.preallocate=false@DEFAULT");
	e = config_describe_topic(c, NO_LAYER, &arena);
	/* What stands behind the first of the broker's names has no source of its own. */
	shows(e, "retention.ms", "86400000 DEFAULT LONG :");
	assert_null(entry_of(e, "internal.segment.bytes"));
	assert_null(entry_of(e, "sluice.ack"));
	config_put(c);
}

static void what_only_some_topics_have_is_shown_there(void **state)
{
	struct config *c = load_node("sluice.ack=synced\n");
	struct config_entries e = config_describe_topic(
		c,
		LAYER(PAIR("internal.segment.bytes", "1000"), PAIR("message.format.version", "2.0"),
	              PAIR("retention.ms", "soon")),
		&arena);

	(void)state;
	entries_are_sorted(e);
	shows(e, "sluice.ack",
	      "synced FILE STRING : sluice.ack=synced@FILE sluice.ack=page-cache@DEFAULT");
	shows(e, "internal.segment.bytes", "1000 TOPIC INT : internal.segment.bytes=1000@TOPIC");
	/* Of another version: nobody knows whether it is a secret. */
	shows(e, "message.format.version",
	      "(null) TOPIC UNKNOWN s: message.format.version=(null)@TOPIC");
	shows(e, "retention.ms", "soon TOPIC LONG : retention.ms=soon@TOPIC");
	config_put(c);
}

/* ---- brokers ---- */

static void a_brokers_values_have_all_that_is_behind_them(void **state)
{
	struct config *c =
		with_layers("log.retention.hours=24\nssl.key.password=secret\nmy.own=1\n"
	                    "controller.performance.sample.period.ms=5000\n"
	                    "listener.name.plaintext.sasl.jaas.config=x\nmax.connections=9\n",
	                    LAYER(PAIR("leader.replication.throttled.rate", "5"),
	                          PAIR("log.retention.ms", "7")),
	                    LAYER(PAIR("listener.name.plaintext.max.connections", "5"),
	                          PAIR("log.retention.ms", "8"), PAIR("no.such", "x")));
	struct config_entries e = config_describe_broker(c, &arena);

	(void)state;
	entries_are_sorted(e);
	shows(e, "log.retention.ms",
	      "7 BROKER LONG : log.retention.ms=7@BROKER log.retention.ms=8@CLUSTER "
	      "log.retention.hours=24@FILE log.retention.hours=168@DEFAULT");
	shows(e, "log.retention.hours",
	      "168 FILE INT r: log.retention.hours=24@FILE log.retention.hours=168@DEFAULT");
	shows(e, "log.retention.minutes", "(null) DEFAULT INT r:");
	shows(e, "log.dirs", "/data FILE LIST r: log.dirs=/data@FILE");
	shows(e, "log.dir", "/tmp/kafka-logs DEFAULT LIST r: log.dir=/tmp/kafka-logs@DEFAULT");
	shows(e, "node.id", "1 FILE INT r: node.id=1@FILE");
	shows(e, "broker.id", "1 FILE INT r: broker.id=1@FILE broker.id=-1@DEFAULT");
	shows(e, "ssl.key.password", "(null) FILE PASSWORD s: ssl.key.password=(null)@FILE");
	shows(e, "num.io.threads", "8 DEFAULT INT : num.io.threads=8@DEFAULT");
	shows(e, "broker.rack", "(null) DEFAULT STRING r:");
	/* What the table does not list, or does not know, is shown as it was given. */
	shows(e, "controller.performance.sample.period.ms",
	      "5000 FILE LONG r: controller.performance.sample.period.ms=5000@FILE "
	      "controller.performance.sample.period.ms=60000@DEFAULT");
	assert_null(entry_of(e, "controller.performance.always.log.threshold.ms"));
	shows(e, "my.own", "(null) FILE UNKNOWN rs: my.own=(null)@FILE");
	shows(e, "no.such", "(null) CLUSTER UNKNOWN rs: no.such=(null)@CLUSTER");
	shows(e, "leader.replication.throttled.rate",
	      "5 BROKER LONG : leader.replication.throttled.rate=5@BROKER");
	assert_null(entry_of(e, "follower.replication.throttled.rate"));
	shows(e, "listener.name.plaintext.max.connections",
	      "5 CLUSTER INT r: listener.name.plaintext.max.connections=5@CLUSTER "
	      "max.connections=9@FILE max.connections=2147483647@DEFAULT");
	shows(e, "listener.name.plaintext.sasl.jaas.config",
	      "(null) FILE PASSWORD rs: listener.name.plaintext.sasl.jaas.config=(null)@FILE");
	shows(e, "max.connections",
	      "9 FILE INT : max.connections=9@FILE max.connections=2147483647@DEFAULT");
	assert_null(entry_of(e, "sluice.reactors"));
	e = config_describe_cluster(c, &arena);
	assert_int_equal(e.count, 3);
	shows(e, "log.retention.ms", "8 CLUSTER LONG : log.retention.ms=8@CLUSTER");
	shows(e, "listener.name.plaintext.max.connections",
	      "5 CLUSTER INT r: listener.name.plaintext.max.connections=5@CLUSTER");
	shows(e, "no.such", "(null) CLUSTER UNKNOWN rs: no.such=(null)@CLUSTER");
	config_put(c);
}

static void documentation_is_the_tables(void **state)
{
	struct config *c = load_node("my.own=1\nsluice.reactors=2\n");
	struct config_entries e = config_describe_broker(c, &arena);

	(void)state;
	for (uint32_t i = 0; i < e.count; i++) {
		int id = config_find(CONFIG_SCOPE_BROKER, e.entry[i].name);

		assert_str(e.entry[i].doc,
		           id < 0 ? NULL : config_table(CONFIG_SCOPE_BROKER).key[id].doc);
	}
	assert_non_null(entry_of(e, "sluice.reactors"));
	config_put(c);
}

/* ---- groups, client metrics ---- */

static void groups_and_metrics_have_theirs(void **state)
{
	struct config *c = with_layers("group.share.session.timeout.ms=50000\n", NO_LAYER,
	                               LAYER(PAIR("group.consumer.assignment.interval.ms", "5")));
	struct config_entries e = config_describe_group(
		c, LAYER(PAIR("consumer.session.timeout.ms", "46000"), PAIR("no.such", "1")),
		&arena);

	(void)state;
	entries_are_sorted(e);
	assert_int_equal(e.count, GROUP_CONFIG_COUNT + 1);
	shows(e, "consumer.session.timeout.ms",
	      "46000 GROUP INT : consumer.session.timeout.ms=46000@GROUP "
	      "group.consumer.session.timeout.ms=45000@DEFAULT");
	shows(e, "share.session.timeout.ms",
	      "50000 FILE INT : group.share.session.timeout.ms=50000@FILE "
	      "group.share.session.timeout.ms=45000@DEFAULT");
	shows(e, "consumer.assignment.interval.ms",
	      "5 CLUSTER INT : group.consumer.assignment.interval.ms=5@CLUSTER "
	      "group.consumer.assignment.interval.ms=1000@DEFAULT");
	shows(e, "share.isolation.level",
	      "read_uncommitted DEFAULT STRING : share.isolation.level=read_uncommitted@DEFAULT");
	shows(e, "no.such", "(null) GROUP UNKNOWN s: no.such=(null)@GROUP");
	e = config_describe_client_metrics(LAYER(PAIR("interval.ms", "1000"), PAIR("no.such", "1")),
	                                   &arena);
	assert_int_equal(e.count, CLIENT_METRICS_CONFIG_COUNT + 1);
	shows(e, "interval.ms", "1000 METRICS INT : interval.ms=1000@METRICS");
	shows(e, "match", " DEFAULT LIST :");
	shows(e, "no.such", "1 METRICS UNKNOWN : no.such=1@METRICS");
	config_put(c);
}

/* An arena that says no gives no entries, and nothing else breaks. */
static void a_full_arena_has_no_entries(void **state)
{
	struct config *c = load_node("");

	(void)state;
	for (size_t limit = 0; limit < 400000; limit += limit < 2000 ? 97 : 9973) {
		struct arena small;
		struct config_entries e;

		arena_init(&small, limit);
		e = config_describe_broker(c, &small);
		assert_true(e.entry || !e.count);
		arena_fini(&small);
		arena_init(&small, limit);
		e = config_describe_topic(c, NO_LAYER, &small);
		assert_true(e.entry || !e.count);
		arena_fini(&small);
	}
	config_put(c);
}

/* ---- config_validate() ---- */

static void says(const struct config *c, enum image_resource_type type, struct config_layer layer,
                 int16_t error, const char *expected)
{
	struct str message = { NULL, 0 };

	assert_int_equal(config_validate(c, type, layer, &arena, &message), error);
	assert_str(message, expected);
}

static void a_topics_configs_are_validated_as_kafkas(void **state)
{
	struct config *c = load_node("log.cleaner.max.compaction.lag.ms=5\n");
	const enum image_resource_type topic = IMAGE_RESOURCE_TOPIC;
	const struct config_pair null = { STR("flush.ms"), { NULL, 0 } };

	(void)state;
	says(c, topic, NO_LAYER, WIRE_NONE, NULL);
	says(c, topic, LAYER(PAIR("cleanup.policy", ""), PAIR("retention.ms", " -1 ")), WIRE_NONE,
	     NULL);
	says(c, topic, LAYER(PAIR("flush.ms", "1"), PAIR("no.such", "1")), WIRE_INVALID_CONFIG,
	     "Unknown topic config name: no.such");
	says(c, topic, (struct config_layer){ &null, 1 }, WIRE_INVALID_CONFIG,
	     "Null value not supported for topic configs: flush.ms");
	says(c, topic, LAYER(PAIR("flush.ms", "x")), WIRE_INVALID_CONFIG,
	     "Invalid value x for configuration flush.ms: Not a number of type LONG");
	says(c, topic, LAYER(PAIR("flush.ms", "-1")), WIRE_INVALID_CONFIG,
	     "Invalid value -1 for configuration flush.ms: Value must be at least 0");
	says(c, topic, LAYER(PAIR("cleanup.policy", "delete,x")), WIRE_INVALID_CONFIG,
	     "Invalid value x for configuration cleanup.policy: String must be one of: compact, "
	     "delete");
	says(c, topic, LAYER(PAIR("follower.replication.throttled.replicas", "1:2,*")),
	     WIRE_INVALID_CONFIG,
	     "Invalid value [1:2, *] for configuration follower.replication.throttled.replicas: "
	     "follower.replication.throttled.replicas must be the literal '*' or a list of "
	     "replicas "
	     "in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...");
	/* What the topic does not set counts too. */
	says(c, topic, LAYER(PAIR("min.compaction.lag.ms", "6")), WIRE_INVALID_CONFIG,
	     "conflict topic config setting min.compaction.lag.ms (6) > max.compaction.lag.ms (5)");
	says(c, topic, LAYER(PAIR("remote.storage.enable", "true")), WIRE_INVALID_CONFIG,
	     "Tiered Storage functionality is disabled in the broker. Topic cannot be configured "
	     "with remote log storage.");
	says(c, topic, LAYER(PAIR("sluice.ack", "synced")), WIRE_NONE, NULL);
	says(c, topic, LAYER(PAIR("sluice.ack", "never")), WIRE_INVALID_CONFIG,
	     "Invalid value never for configuration sluice.ack: String must be one of: page-cache, "
	     "synced");
	says(c, IMAGE_RESOURCE_BROKER, LAYER(PAIR("no.such", "1")), WIRE_NONE, NULL);
	config_put(c);
}

static void a_groups_configs_are_validated_as_kafkas(void **state)
{
	struct config *c = load_node("");
	const enum image_resource_type group = IMAGE_RESOURCE_GROUP;

	(void)state;
	says(c, group, LAYER(PAIR("consumer.session.timeout.ms", "50000")), WIRE_NONE, NULL);
	says(c, group, LAYER(PAIR("no.such", "1")), WIRE_INVALID_CONFIG,
	     "Unknown group config name: no.such");
	says(c, group, LAYER(PAIR("consumer.heartbeat.interval.ms", "4999")), WIRE_INVALID_CONFIG,
	     "consumer.heartbeat.interval.ms must be greater than or equal to "
	     "group.consumer.min.heartbeat.interval.ms");
	says(c, group, LAYER(PAIR("share.delivery.count.limit", "11")), WIRE_INVALID_CONFIG,
	     "share.delivery.count.limit must be less than or equal to "
	     "group.share.max.delivery.count.limit");
	says(c, group, LAYER(PAIR("streams.num.standby.replicas", "3")), WIRE_INVALID_CONFIG,
	     "streams.num.standby.replicas must be less than or equal to "
	     "group.streams.max.standby.replicas");
	says(c, group, LAYER(PAIR("share.auto.offset.reset", "none")), WIRE_INVALID_CONFIG,
	     "Invalid value none for configuration share.auto.offset.reset: Invalid value `none` "
	     "for "
	     "configuration share.auto.offset.reset. The value must be either 'earliest', 'latest' "
	     "or of the format 'by_duration:<PnDTnHnMn.nS>'.");
	config_put(c);
	c = load_node("group.share.min.session.timeout.ms=5000\n");
	says(c, group,
	     LAYER(PAIR("share.heartbeat.interval.ms", "6000"),
	           PAIR("share.session.timeout.ms", "6000")),
	     WIRE_INVALID_CONFIG,
	     "share.session.timeout.ms must be greater than share.heartbeat.interval.ms");
	config_put(c);
}

static void client_metrics_are_validated_as_kafkas(void **state)
{
	static const char *const good[] = { "",
		                            "client_id=a",
		                            "client_id=a,client_id=b",
		                            "client_id=a=",
		                            " client_id = a ",
		                            "client_software_name=x, client_source_port=1" };
	static const char *const bad[] = { "x=a", "client_id", "client_id=", "=a",
		                           "client_id=a=b" };
	const enum image_resource_type metrics = IMAGE_RESOURCE_CLIENT_METRICS;
	struct config *c = load_node("");

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct config_pair pair = { STR("match"), str_of(good[i]) };

		says(c, metrics, (struct config_layer){ &pair, 1 }, WIRE_NONE, NULL);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config_pair pair = { STR("match"), str_of(bad[i]) };
		char message[100];

		snprintf(message, sizeof(message), "Illegal client matching pattern: %s", bad[i]);
		says(c, metrics, (struct config_layer){ &pair, 1 }, WIRE_INVALID_CONFIG, message);
	}
	says(c, metrics, LAYER(PAIR("no.such", "1")), WIRE_INVALID_REQUEST,
	     "Unknown client metrics configuration: no.such");
	says(c, metrics, LAYER(PAIR("interval.ms", "99")), WIRE_INVALID_REQUEST,
	     "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)");
	says(c, metrics, LAYER(PAIR("interval.ms", "x")), WIRE_INVALID_CONFIG,
	     "Invalid value x for configuration interval.ms: Not a number of type INT");
	config_put(c);
}

/* ---- config_validate_broker() ---- */

#define WRAPPED(text)                                                                              \
	"Invalid value org.apache.kafka.common.config.ConfigException: " text                      \
	" for configuration Invalid dynamic configuration"

static void broker_says(const struct config *c, struct config_layer layer, bool per_broker,
                        const char *expected)
{
	struct str message = { NULL, 0 };
	int16_t error = config_validate_broker(c, layer, per_broker, &arena, &message);

	assert_int_equal(error, expected ? WIRE_INVALID_REQUEST : WIRE_NONE);
	assert_str(message, expected);
}

static void a_brokers_configs_are_validated_as_kafkas(void **state)
{
	struct config *c = load_node("");

	(void)state;
	broker_says(c, NO_LAYER, true, NULL);
	broker_says(c, LAYER(PAIR("log.retention.ms", "5"), PAIR("no.such", "x")), true, NULL);
	broker_says(c, LAYER(PAIR("log.dirs", "x"), PAIR("num.partitions", "2")), true,
	            "Cannot update these configs dynamically: [log.dirs, num.partitions]");
	broker_says(c, LAYER(PAIR("ssl.keystore.location", "x")), true,
	            "These security configs can be dynamically updated only per-listener using the "
	            "listener prefix: [ssl.keystore.location]");
	broker_says(c, LAYER(PAIR("num.io.threads", "x")), true,
	            "Invalid value x for configuration num.io.threads: Not a number of type INT");
	broker_says(c, LAYER(PAIR("listener.name.x.max.connections", "x")), true,
	            "Invalid value x for configuration max.connections: Not a number of type INT");
	broker_says(c, LAYER(PAIR("cordoned.log.dirs", "/data")), true, NULL);
	broker_says(c, LAYER(PAIR("cordoned.log.dirs", "/data")), false,
	            "Cannot update these configs at default cluster level, broker id must be "
	            "specified: [cordoned.log.dirs]");
	broker_says(c, LAYER(PAIR("log.roll.ms", "0")), false,
	            "requirement failed: log.roll.ms must be greater than or equal to 1");
	broker_says(c, LAYER(PAIR("group.consumer.assignment.interval.ms", "99999")), false,
	            "group.consumer.assignment.interval.ms must be less than or equal to "
	            "group.consumer.max.assignment.interval.ms");
	broker_says(c, LAYER(PAIR("config.providers", "x")), false, NULL);
	config_put(c);
}

static void running_pools_change_by_halves_and_doubles(void **state)
{
	struct config *c = load_node("listener.name.plaintext.num.network.threads=5\n");

	(void)state;
	broker_says(c, LAYER(PAIR("num.io.threads", "16")), false, NULL);
	broker_says(c, LAYER(PAIR("num.io.threads", "4")), false, NULL);
	broker_says(c, LAYER(PAIR("num.io.threads", "17")), false,
	            WRAPPED("Dynamic thread count update validation failed for num.io.threads=17, "
	                    "value should not be greater than double the current value 8"));
	broker_says(c, LAYER(PAIR("num.io.threads", "3")), false,
	            WRAPPED("Dynamic thread count update validation failed for num.io.threads=3, "
	                    "value should be at least half the current value 8"));
	broker_says(c, LAYER(PAIR("num.network.threads", "7")), false,
	            WRAPPED("Dynamic thread count update validation failed for "
	                    "num.network.threads=7, value should not be greater than double the "
	                    "current value 3"));
	broker_says(c, LAYER(PAIR("listener.name.plaintext.num.network.threads", "11")), false,
	            WRAPPED("Dynamic thread count update validation failed for "
	                    "num.network.threads=11, value should not be greater than double the "
	                    "current value 5"));
	broker_says(c, LAYER(PAIR("log.cleaner.threads", "3")), false,
	            WRAPPED("Log cleaner threads cannot be increased to more than double the "
	                    "current value 1"));
	broker_says(c, LAYER(PAIR("max.connections", "0")), false,
	            WRAPPED("Invalid max.connections 0"));
	broker_says(c, LAYER(PAIR("metric.reporters", "x")), false,
	            WRAPPED("Validation of dynamic config update of Set(metric.reporters) failed "
	                    "with class class kafka.server.DynamicMetricsReporters"));
	config_put(c);
}

static void local_retention_stays_below_retention(void **state)
{
	struct config *c = load_node("log.retention.bytes=5\n");

	(void)state;
	broker_says(c, LAYER(PAIR("log.local.retention.ms", "-1")), false,
	            WRAPPED("Invalid value -1 for configuration log.local.retention.ms: Value must "
	                    "not be -1 as log.retention.ms value is set as 604800000."));
	broker_says(c, LAYER(PAIR("log.local.retention.bytes", "6")), false,
	            WRAPPED("Invalid value 6 for configuration log.local.retention.bytes: Value "
	                    "must not be more than log.retention.bytes property value: 5"));
	broker_says(c, LAYER(PAIR("log.local.retention.bytes", "5")), false, NULL);
	config_put(c);
	c = load_node("log.local.retention.bytes=6\nlog.retention.bytes=5\n");
	broker_says(c, LAYER(PAIR("num.io.threads", "9")), false,
	            NULL); /* nothing of logs changes */
	config_put(c);
}

static void listeners_do_not_change_while_the_broker_runs(void **state)
{
	struct config *c = load_node("");

	(void)state;
	broker_says(c, LAYER(PAIR("listeners", "x")), true,
	            "Unable to parse a listener name from x");
	broker_says(
		c,
		LAYER(PAIR("listeners", "PLAINTEXT://127.0.0.1:9095,CONTROLLER://127.0.0.1:9093")),
		true,
		"listeners cannot be changed while the broker runs: change the file and start "
		"again");
	broker_says(
		c,
		LAYER(PAIR("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093")),
		true, NULL);
	config_put(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_topics_values_are_from_where_they_are_set),
		cmocka_unit_test(what_only_some_topics_have_is_shown_there),
		cmocka_unit_test(a_brokers_values_have_all_that_is_behind_them),
		cmocka_unit_test(documentation_is_the_tables),
		cmocka_unit_test(groups_and_metrics_have_theirs),
		cmocka_unit_test(a_full_arena_has_no_entries),
		cmocka_unit_test(a_topics_configs_are_validated_as_kafkas),
		cmocka_unit_test(a_groups_configs_are_validated_as_kafkas),
		cmocka_unit_test(client_metrics_are_validated_as_kafkas),
		cmocka_unit_test(a_brokers_configs_are_validated_as_kafkas),
		cmocka_unit_test(running_pools_change_by_halves_and_doubles),
		cmocka_unit_test(local_retention_stays_below_retention),
		cmocka_unit_test(listeners_do_not_change_while_the_broker_runs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
