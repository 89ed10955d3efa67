/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/topic_config.h"
#include "config_fixture.h"
#include "core/config_list.h"
#include "store/compress.h"
#include "wire/batch.h"

/* ---- config_update() ---- */

/* `c` with these layers; what is said of them. */
static struct config *update(const struct config *c, struct config_layer broker,
                             struct config_layer cluster, const char *said)
{
	struct config_report report = { 0 };
	struct config *now = config_update(
		c, &(struct config_dynamic){ .broker = broker, .cluster = cluster }, &report);

	assert_non_null(now);
	assert_int_equal(report.errors, 0);
	buf_add(&report.text, "", 1);
	assert_string_equal((const char *)report.text.data, said);
	config_report_fini(&report);
	return now;
}

static void a_brokers_own_is_before_the_clusters_is_before_the_files(void **state)
{
	struct config *c = load_node("message.max.bytes=1\nmin.insync.replicas=2\n"
	                             "log.retention.bytes=3\n");
	struct config *now =
		update(c, LAYER(PAIR("message.max.bytes", " 4 ")),
	               LAYER(PAIR("message.max.bytes", "5"), PAIR("min.insync.replicas", "6")), "");

	(void)state;
	assert_int_equal(config_int(now, CONFIG_MESSAGE_MAX_BYTES), 4);
	assert_int_equal(config_int(now, CONFIG_MIN_INSYNC_REPLICAS), 6);
	assert_int_equal(config_long(now, CONFIG_LOG_RETENTION_BYTES), 3);
	assert_int_equal(config_int(now, CONFIG_NODE_ID), 1);
	assert_int_equal(config_listeners(now).count, 2);
	assert_items(config_log_dirs(now), "/data");
	assert_int_equal(config_int(c, CONFIG_MESSAGE_MAX_BYTES), 1); /* the old one is as it was */
	config_put(c);
	/* And from the new one, its dynamic part is forgotten. */
	c = update(now, NO_LAYER, LAYER(PAIR("log.retention.bytes", "7")), "");
	assert_int_equal(config_int(c, CONFIG_MESSAGE_MAX_BYTES), 1);
	assert_int_equal(config_long(c, CONFIG_LOG_RETENTION_BYTES), 7);
	config_put(now);
	config_put(c);
}

/* A key puts those that say the same in other units out of force, whatever their order. */
static void a_dynamic_key_hides_its_synonyms(void **state)
{
	struct config *c = load_node("log.retention.ms=1000\nlog.roll.ms=2000\n"
	                             "log.flush.interval.ms=7\n");
	struct config *now =
		update(c, NO_LAYER,
	               LAYER(PAIR("log.retention.ms", "5000"), PAIR("log.roll.ms", "6000")), "");
	struct topic_config topic;

	(void)state;
	topic_config_build(now, NO_LAYER, &topic);
	assert_int_equal(topic.log.retention_ms, 5000);
	assert_int_equal(topic.log.segment_ms, 6000);
	assert_int_equal(topic.log.flush_ms, 7);
	config_put(now);
	config_put(c);
	c = load_node("log.retention.minutes=3\n");
	now = update(c, LAYER(PAIR("log.retention.ms", "-1")), NO_LAYER, "");
	assert_true(config_is_null(now, CONFIG_LOG_RETENTION_MINUTES));
	assert_false(config_is_set(now, CONFIG_LOG_RETENTION_MINUTES));
	topic_config_build(now, NO_LAYER, &topic);
	assert_int_equal(topic.log.retention_ms, -1);
	config_put(now);
	config_put(c);
}

static void what_cannot_be_dynamic_is_left_out(void **state)
{
	struct config *c = load_node("");
	struct config *now = update(
		c,
		LAYER(PAIR("log.cleaner.threads", "many"), PAIR("my.own", "1"),
	              PAIR("num.partitions", "9"), PAIR("ssl.keystore.location", "/x")),
		LAYER(PAIR("cordoned.log.dirs", "/data"),
	              PAIR("listener.name.x.max.connections", "5"),
	              PAIR("listener.name.x.ssl.keystore.location", "/x"),
	              PAIR("message.max.bytes", "3")),
		"warning: dynamic config log.cleaner.threads is left out: Invalid value many "
		"for configuration log.cleaner.threads: Not a number of type INT\n"
		"warning: dynamic config num.partitions is left out: it is not dynamic\n"
		"warning: dynamic config ssl.keystore.location is left out: it can only be "
		"set for a listener\n"
		"warning: dynamic config cordoned.log.dirs is left out: it can only be set "
		"for one broker\n"
		"warning: dynamic config listener.name.x.ssl.keystore.location is left out: "
		"it can only be set for one broker\n");

	(void)state;
	assert_int_equal(config_int(now, CONFIG_NUM_PARTITIONS), 1);
	assert_int_equal(config_int(now, CONFIG_LOG_CLEANER_THREADS), 1);
	assert_int_equal(config_int(now, CONFIG_MESSAGE_MAX_BYTES), 3);
	assert_str(config_raw(now, STR("my.own")), "1");
	assert_str(config_listener_str(now, STR("X"), STR(""), CONFIG_MAX_CONNECTIONS), "5");
	config_put(now);
	config_put(c);
}

static void what_does_not_fit_together_changes_nothing(void **state)
{
	struct config *c = load_node("message.max.bytes=5\n");
	struct config *now =
		update(c, NO_LAYER, LAYER(PAIR("log.roll.ms", "0"), PAIR("message.max.bytes", "6")),
	               "warning: the dynamic configs are left out: requirement failed: log.roll.ms "
	               "must be greater than or equal to 1\n");

	(void)state;
	assert_ptr_equal(now, c);
	assert_int_equal(config_int(now, CONFIG_MESSAGE_MAX_BYTES), 5);
	config_put(now);
	config_put(c);
}

static void assignment_intervals_stay_within_their_bounds(void **state)
{
	struct config *c = load_node("group.share.min.assignment.interval.ms=500\n");
	struct config *now =
		update(c, LAYER(PAIR("group.share.assignment.interval.ms", "10")),
	               LAYER(PAIR("group.consumer.assignment.interval.ms", "99999")),
	               "warning: dynamic config group.consumer.assignment.interval.ms=99999 is "
	               "taken for 15000\n"
	               "warning: dynamic config group.share.assignment.interval.ms=10 is taken for "
	               "500\n");

	(void)state;
	assert_int_equal(config_int(now, CONFIG_GROUP_CONSUMER_ASSIGNMENT_INTERVAL_MS), 15000);
	assert_int_equal(config_int(now, CONFIG_GROUP_SHARE_ASSIGNMENT_INTERVAL_MS), 500);
	config_put(now);
	config_put(c);
}

static void many_dynamic_configs_are_no_trouble(void **state)
{
	enum { COUNT = 50000 };
	struct config_pair *pair = calloc(COUNT, sizeof(*pair));
	struct config *c = load_node("");
	struct config *now;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		char *name = malloc(16);

		snprintf(name, 16, "x.%06d", i);
		pair[i] = (struct config_pair){ str_of(name), STR("1") };
	}
	now = update(c, (struct config_layer){ pair, COUNT }, (struct config_layer){ pair, COUNT },
	             "");
	assert_str(config_raw(now, STR("x.049999")), "1");
	config_put(now);
	config_put(c);
	for (int i = 0; i < COUNT; i++)
		free((char *)pair[i].name.data);
	free(pair);
}

/* ---- topics ---- */

static void a_topic_has_kafkas_defaults(void **state)
{
	struct config *c = load_node("");
	struct topic_config t;

	(void)state;
	topic_config_build(c, NO_LAYER, &t);
	assert_int_equal(t.log.segment_bytes, 1 << 30);
	assert_int_equal(t.log.segment_ms, 7 * 24 * 3600 * 1000LL);
	assert_int_equal(t.log.segment_jitter_ms, 0);
	assert_int_equal(t.log.index_interval_bytes, 4096);
	assert_int_equal(t.log.index_bytes, 10 << 20);
	assert_int_equal(t.log.retention_ms, 7 * 24 * 3600 * 1000LL);
	assert_int_equal(t.log.retention_bytes, -1);
	assert_int_equal(t.log.file_delete_delay_ms, 60000);
	assert_int_equal(t.log.flush_messages, INT64_MAX);
	assert_int_equal(t.log.flush_ms, INT64_MAX);
	assert_int_equal(t.log.producer_expiration_ms, 24 * 3600 * 1000LL);
	assert_true(t.log.cleanup_delete);
	assert_false(t.log.cleanup_compact);
	assert_false(t.log.ack_synced);
	assert_int_equal(t.max_message_bytes, 1048588);
	assert_false(t.append_time);
	assert_int_equal(t.before_max_ms, INT64_MAX);
	assert_int_equal(t.after_max_ms, 3600000);
	assert_int_equal(t.compression, -1);
	assert_int_equal(t.compression_level, COMPRESS_LEVEL_DEFAULT);
	assert_int_equal(t.min_insync_replicas, 1);
	assert_false(t.unclean_leader_election);
	assert_false(t.preallocate);
	assert_false(t.remote_storage);
	assert_true(t.min_cleanable_ratio == 0.5);
	assert_int_equal(t.min_compaction_lag_ms, 0);
	assert_int_equal(t.max_compaction_lag_ms, INT64_MAX);
	assert_int_equal(t.delete_retention_ms, 24 * 3600 * 1000LL);
	config_put(c);
}

static void a_topic_has_the_brokers_values_where_it_has_none(void **state)
{
	struct config *c = load_node("log.retention.hours=2\nlog.roll.hours=3\n"
	                             "log.roll.jitter.hours=1\nlog.segment.bytes=2000000\n"
	                             "log.cleanup.policy=compact,delete\nsluice.ack=synced\n"
	                             "compression.type=zstd\ncompression.zstd.level=7\n"
	                             "log.message.timestamp.type=LogAppendTime\n"
	                             "unclean.leader.election.enable=true\n"
	                             "producer.id.expiration.ms=5\n"
	                             "log.flush.scheduler.interval.ms=9\n");
	struct topic_config t;

	(void)state;
	topic_config_build(c, NO_LAYER, &t);
	assert_int_equal(t.log.retention_ms, 2 * 3600 * 1000);
	assert_int_equal(t.log.segment_ms, 3 * 3600 * 1000);
	assert_int_equal(t.log.segment_jitter_ms, 3600 * 1000);
	assert_int_equal(t.log.segment_bytes, 2000000);
	assert_int_equal(t.log.producer_expiration_ms, 5);
	assert_int_equal(t.log.flush_ms, 9);
	assert_true(t.log.cleanup_compact);
	assert_true(t.log.ack_synced);
	assert_true(t.append_time);
	assert_true(t.unclean_leader_election);
	assert_int_equal(t.compression, BATCH_ZSTD);
	assert_int_equal(t.compression_level, 7);
	topic_config_build(c,
	                   LAYER(PAIR("cleanup.policy", ""), PAIR("compression.lz4.level", "4"),
	                         PAIR("compression.type", "lz4"),
	                         PAIR("message.timestamp.type", "CreateTime"),
	                         PAIR("retention.ms", "-1"), PAIR("segment.bytes", "1048576"),
	                         PAIR("sluice.ack", "page-cache")),
	                   &t);
	assert_false(t.log.cleanup_delete);
	assert_false(t.log.cleanup_compact);
	assert_int_equal(t.compression, BATCH_LZ4);
	assert_int_equal(t.compression_level, 4);
	assert_false(t.append_time);
	assert_int_equal(t.log.retention_ms, -1);
	assert_int_equal(t.log.segment_bytes, 1048576);
	assert_false(t.log.ack_synced);
	config_put(c);
}

/* A metadata log may hold what another version wrote. */
static void a_value_that_is_not_good_is_none(void **state)
{
	struct config *c = load_node("log.retention.minutes=1\n");
	struct topic_config t;

	(void)state;
	topic_config_build(c,
	                   LAYER(PAIR("internal.segment.bytes", "1000"),
	                         PAIR("message.format.version", "2.0"),
	                         PAIR("retention.ms", "soon"), PAIR("segment.bytes", "1")),
	                   &t);
	assert_int_equal(t.log.retention_ms, 60000);
	assert_int_equal(t.log.segment_bytes, 1000); /* the internal one has no least value */
	topic_config_build(c, LAYER(PAIR("compression.type", "gzip")), &t);
	assert_int_equal(t.compression, BATCH_GZIP);
	assert_int_equal(t.compression_level, COMPRESS_LEVEL_DEFAULT);
	topic_config_build(c, LAYER(PAIR("compression.type", "uncompressed")), &t);
	assert_int_equal(t.compression, BATCH_NONE);
	topic_config_build(c, LAYER(PAIR("compression.type", "snappy")), &t);
	assert_int_equal(t.compression, BATCH_SNAPPY);
	config_put(c);
}

/* ---- groups ---- */

static void a_group_has_the_brokers_values_and_bounds(void **state)
{
	struct config *c = load_node("group.consumer.session.timeout.ms=50000\n"
	                             "group.streams.num.standby.replicas=1\n");
	struct group_config g;

	(void)state;
	group_config_build(c, NO_LAYER, &g);
	assert_int_equal(g.consumer_session_timeout_ms, 50000);
	assert_int_equal(g.consumer_heartbeat_interval_ms, 5000);
	assert_int_equal(g.consumer_assignment_interval_ms, 1000);
	assert_int_equal(g.share_session_timeout_ms, 45000);
	assert_int_equal(g.share_heartbeat_interval_ms, 5000);
	assert_int_equal(g.share_assignment_interval_ms, 1000);
	assert_int_equal(g.share_record_lock_duration_ms, 30000);
	assert_int_equal(g.share_delivery_count_limit, 5);
	assert_int_equal(g.share_partition_max_record_locks, 2000);
	assert_false(g.share_read_committed);
	assert_true(g.share_renew_acknowledge);
	assert_int_equal(g.share_reset, SHARE_RESET_LATEST);
	assert_int_equal(g.streams_session_timeout_ms, 45000);
	assert_int_equal(g.streams_heartbeat_interval_ms, 5000);
	assert_int_equal(g.streams_assignment_interval_ms, 1000);
	assert_int_equal(g.streams_initial_rebalance_delay_ms, 3000);
	assert_int_equal(g.streams_num_standby_replicas, 1);
	group_config_build(c,
	                   LAYER(PAIR("consumer.heartbeat.interval.ms", "1"),
	                         PAIR("consumer.session.timeout.ms", "55000"),
	                         PAIR("share.auto.offset.reset", "by_duration:PT1H"),
	                         PAIR("share.isolation.level", "read_committed"),
	                         PAIR("share.renew.acknowledge.enable", "false"),
	                         PAIR("share.session.timeout.ms", "100000"),
	                         PAIR("streams.num.standby.replicas", "99")),
	                   &g);
	assert_int_equal(g.consumer_session_timeout_ms, 55000);
	assert_int_equal(g.consumer_heartbeat_interval_ms, 5000);
	assert_int_equal(g.share_session_timeout_ms, 60000);
	assert_int_equal(g.streams_num_standby_replicas, 2);
	assert_true(g.share_read_committed);
	assert_false(g.share_renew_acknowledge);
	assert_int_equal(g.share_reset, SHARE_RESET_DURATION);
	assert_int_equal(g.share_reset_ms, 3600000);
	config_put(c);
}

static void durations_are_javas(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: it is none */
	} cases[] = {
		{ "by_duration:PT1S", 1000 },
		{ "by_duration:P2D", 172800000 },
		{ "by_duration:p1dt2h3m4.5s", 93784500 },
		{ "by_duration:PT0.001S", 1 },
		{ "by_duration:PT0.0009S", 0 },
		{ "by_duration:PT90M", 5400000 },
		{ "by_duration:", -1 },
		{ "by_duration:P", -1 },
		{ "by_duration:PT", -1 },
		{ "by_duration:P1H", -1 },
		{ "by_duration:PT1D", -1 },
		{ "by_duration:PT1M1H", -1 },
		{ "by_duration:PT1.5M", -1 },
		{ "by_duration:-PT1S", -1 },
		{ "by_duration:-PT-1S", 1000 },
		{ "by_duration:+PT+1S", 1000 },
		{ "by_duration:PT1H-30M", 1800000 },
		{ "by_duration:PT1.S", 1000 },
		{ "by_duration:PT1,25S", 1250 },
		{ "by_duration:PT.5S", -1 },
		{ "by_duration:PT1.1234567890S", -1 },
		{ "by_duration:PT1S ", 1000 },
		{ "by_duration:PT1", -1 },
		{ "by_duration:PT1SS", -1 },
		{ "by_duration:PT 1S", -1 },
		{ "by_duration: PT1S", -1 },
		{ "by_duration:PT-1S", -1 },
		{ "by_duration:PT99999999999999999999S", -1 },
		{ "by_duration:P999999999999999D", -1 },
		{ "1h", -1 },
	};
	struct config *c = load_node("");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_pair pair = { STR("share.auto.offset.reset"), str_of(cases[i].text) };
		struct group_config g;

		group_config_build(c, (struct config_layer){ &pair, 1 }, &g);
		if ((g.share_reset == SHARE_RESET_DURATION) != (cases[i].ms >= 0))
			fail_msg("%s", cases[i].text);
		if (cases[i].ms >= 0)
			assert_int_equal(g.share_reset_ms, cases[i].ms);
	}
	config_put(c);
}

/* ---- APPEND and SUBTRACT ---- */

static void lists_grow_and_shrink_as_javas(void **state)
{
	static const struct {
		int8_t op;
		const char *old;
		const char *change;
		const char *result;
	} cases[] = {
		{ CONFIG_APPEND, "delete", "compact", "delete,compact" },
		{ CONFIG_APPEND, "delete", "delete", "delete" },
		{ CONFIG_APPEND, "delete", "compact,delete,x", "delete,compact,x" },
		{ CONFIG_APPEND, "", "a,a,b,", "a,b" },
		{ CONFIG_APPEND, "a,,b", "c", "a,b,c" },
		{ CONFIG_APPEND, "a", "", "a," },
		{ CONFIG_APPEND, "a", ",b", "a,,b" },
		{ CONFIG_APPEND, "a", ",,", "a" },
		{ CONFIG_APPEND, "a", " a", "a, a" },
		{ CONFIG_APPEND, "a,a", "a,b", "a,a,b" },
		{ CONFIG_SUBTRACT, "delete,compact", "compact", "delete" },
		{ CONFIG_SUBTRACT, "delete", "delete", "" },
		{ CONFIG_SUBTRACT, "a,b,a,c", "a", "b,a,c" },
		{ CONFIG_SUBTRACT, "a,b,a", "a,a,a", "b" },
		{ CONFIG_SUBTRACT, "a,b", "c,", "a,b" },
		{ CONFIG_SUBTRACT, "", "a", "" },
		{ CONFIG_SUBTRACT, "a", "", "a" },
	};
	struct arena arena;

	(void)state;
	arena_init(&arena, SIZE_MAX / 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_str(config_list_apply(&arena, cases[i].op, str_of(cases[i].old),
		                             str_of(cases[i].change)),
		           cases[i].result);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_brokers_own_is_before_the_clusters_is_before_the_files),
		cmocka_unit_test(a_dynamic_key_hides_its_synonyms),
		cmocka_unit_test(what_cannot_be_dynamic_is_left_out),
		cmocka_unit_test(what_does_not_fit_together_changes_nothing),
		cmocka_unit_test(assignment_intervals_stay_within_their_bounds),
		cmocka_unit_test(many_dynamic_configs_are_no_trouble),
		cmocka_unit_test(a_topic_has_kafkas_defaults),
		cmocka_unit_test(a_topic_has_the_brokers_values_where_it_has_none),
		cmocka_unit_test(a_value_that_is_not_good_is_none),
		cmocka_unit_test(a_group_has_the_brokers_values_and_bounds),
		cmocka_unit_test(durations_are_javas),
		cmocka_unit_test(lists_grow_and_shrink_as_javas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
