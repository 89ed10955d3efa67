/* SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

/* ---- what is said ---- */

/* The whole report of a file, a line each. */
static void says(const char *text, const char *expected)
{
	struct config_input in = input_of(text);
	struct config_report report = { 0 };
	struct config *c = config_load(&in, &report);

	assert_int_equal(!c, report.errors > 0);
	buf_add(&report.text, "", 1);
	assert_string_equal((const char *)report.text.data, expected);
	config_put(c);
	config_report_fini(&report);
	assert_null(report.text.data);
}

static void a_good_file_says_nothing(void **state)
{
	(void)state;
	says(SINGLE_NODE, "");
}

static void wrong_values_are_said_with_their_line(void **state)
{
	(void)state;
	says(SINGLE_NODE "num.partitions=three\n\n# comment\nlog.segment.bytes=1\n"
	                 "auto.create.topics.enable=yes\ncompression.type=lzma\n",
	     "error: server.properties:11: Invalid value yes for configuration "
	     "auto.create.topics.enable: Expected value to be either true or false "
	     "(auto.create.topics.enable: BOOLEAN, true or false)\n"
	     "error: server.properties:12: Invalid value lzma for configuration compression.type: "
	     "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer "
	     "(compression.type: STRING, one of: uncompressed, zstd, lz4, snappy, gzip, producer)\n"
	     "error: server.properties:10: Invalid value 1 for configuration log.segment.bytes: "
	     "Value must be at least 1048576 (log.segment.bytes: INT, at least 1048576)\n"
	     "error: server.properties:7: Invalid value three for configuration num.partitions: "
	     "Not "
	     "a number of type INT (num.partitions: INT, at least 1)\n");
}

static void what_does_not_fit_together_is_said_with_a_line(void **state)
{
	(void)state;
	/* The key that is wrong is not the one that is complained of first. */
	says(SINGLE_NODE "group.share.partition.max.record.locks=5000\n",
	     "error: server.properties:7: group.share.max.partition.max.record.locks must be "
	     "greater "
	     "than or equal to group.share.partition.max.record.locks\n");
	says(SINGLE_NODE "log.retention.hours=0\n", "error: server.properties:7: log.retention.ms "
	                                            "must be unlimited (-1) or, greater than or "
	                                            "equal to 1\n");
	says(SINGLE_NODE "advertised.listeners=PLAINTEXT://0.0.0.0:1\nnum.partitions=2\n",
	     "error: server.properties:7: advertised.listeners cannot use the nonroutable "
	     "meta-address 0.0.0.0. Use a routable IP address.\n");
}

static void missing_keys_are_said_with_a_hint(void **state)
{
	(void)state;
	says("",
	     "error: server.properties: Missing required configuration "
	     "\"controller.listener.names\" which has no default value. It names those of "
	     "listeners "
	     "that are for controllers, such as CONTROLLER.\n"
	     "error: server.properties: Missing required configuration \"node.id\" which has no "
	     "default value. Each node of a cluster has its own number, from 0.\n"
	     "error: server.properties: Missing required configuration \"process.roles\" which has "
	     "no default value. A single node has process.roles=broker,controller.\n");
}

static void unknown_keys_warn_with_the_nearest_name(void **state)
{
	(void)state;
	says(SINGLE_NODE "num.partition=3\nmy.own=1\nretention.ms=5\nzookeeper.connect=a\n"
	                 "listener.name.plaintext.ssl.keystore.lokation=x\n"
	                 "leader.replication.throttled.rate=5\n",
	     "warning: server.properties:12: leader.replication.throttled.rate can only be set "
	     "dynamically; here it has no effect\n"
	     "warning: server.properties:11: unknown key "
	     "listener.name.plaintext.ssl.keystore.lokation: no config ends so\n"
	     "warning: server.properties:8: unknown key my.own\n"
	     "warning: server.properties:7: unknown key num.partition; did you mean "
	     "num.partitions?\n"
	     "warning: server.properties:9: retention.ms is a topic's config; the broker's is "
	     "log.retention.ms\n"
	     "warning: server.properties:10: unknown key zookeeper.connect\n");
}

static void a_key_given_twice_warns(void **state)
{
	struct config *c = load_node("num.partitions=3\nnum.partitions=4\n");

	(void)state;
	assert_int_equal(config_int(c, CONFIG_NUM_PARTITIONS), 4);
	config_put(c);
	says(SINGLE_NODE "num.partitions=3\nnum.partitions=4\n",
	     "warning: server.properties:8: num.partitions was given in line 7 already; this line "
	     "counts\n");
}

static void a_bad_escape_is_said_with_its_line(void **state)
{
	(void)state;
	says(SINGLE_NODE "broker.rack=\\u12\n",
	     "error: server.properties:7: a \\u is not followed by four hexadecimal digits (or by "
	     "0000)\n");
}

static void too_large_a_file_is_refused(void **state)
{
	size_t size = (1 << 20) + 1;
	char *text = malloc(size + 1);

	(void)state;
	memset(text, '\n', size);
	text[size] = '\0';
	says(text, "error: server.properties: larger than 1048576 bytes\n");
	free(text);
}

static void what_is_not_there_yet_is_refused(void **state)
{
	(void)state;
	says("process.roles=broker\nnode.id=1\nlisteners=PLAINTEXT://:9092\n"
	     "controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers=a:1\n",
	     "error: server.properties:1: sluice is a single node so far: "
	     "process.roles=broker,controller and itself as the one controller\n");
	says(SINGLE_NODE "controller.quorum.voters=1@a:1,2@b:2\n",
	     "error: server.properties:7: sluice is a single node so far: "
	     "process.roles=broker,controller and itself as the one controller\n");
	says(SINGLE_NODE "authorizer.class.name=org.apache.kafka.metadata.authorizer."
	                 "StandardAuthorizer\nremote.log.storage.system.enable=true\n",
	     "error: server.properties:7: authorizer.class.name: sluice has no authorizer yet, and "
	     "without one everybody may do everything; remove the key to accept that\n"
	     "error: server.properties:8: remote.log.storage.system.enable: sluice has no remote "
	     "storage\n");
	says(SINGLE_NODE "config.providers=file\n",
	     "error: server.properties:7: config.providers is not supported: values of the form "
	     "${...} would be taken literally\n");
}

/* ---- no file, overrides ---- */

static void without_a_file_it_is_one_node_on_loopback(void **state)
{
	struct config_input in = { 0 };
	struct config_report report = { 0 };
	struct config *c = config_load(&in, &report);
	struct config_listeners l;

	(void)state;
	assert_non_null(c);
	assert_int_equal(report.text.size, 0);
	assert_true(config_is_broker(c));
	assert_true(config_is_controller(c));
	assert_int_equal(config_int(c, CONFIG_NODE_ID), 1);
	assert_int_equal(config_int(c, CONFIG_BROKER_ID), 1);
	assert_items(config_log_dirs(c), "./data");
	assert_str(config_metadata_log_dir(c), "./data");
	l = config_listeners(c);
	assert_int_equal(l.count, 2);
	assert_str(l.listener[0].name, "PLAINTEXT");
	assert_str(l.listener[0].host, "127.0.0.1");
	assert_int_equal(l.listener[0].port, 9092);
	assert_str(l.listener[0].advertised_host, "127.0.0.1");
	assert_int_equal(l.listener[0].advertised_port, 9092);
	assert_true(l.listener[0].is_inter_broker);
	assert_false(l.listener[0].is_controller);
	assert_str(l.listener[1].name, "CONTROLLER");
	assert_str(l.listener[1].host, "127.0.0.1");
	assert_int_equal(l.listener[1].port, 9093);
	assert_true(l.listener[1].is_controller);
	/* One node keeps one copy. */
	assert_int_equal(config_int(c, CONFIG_OFFSETS_TOPIC_REPLICATION_FACTOR), 1);
	assert_int_equal(config_int(c, CONFIG_TRANSACTION_STATE_LOG_REPLICATION_FACTOR), 1);
	assert_int_equal(config_int(c, CONFIG_TRANSACTION_STATE_LOG_MIN_ISR), 1);
	config_put(c);
	config_report_fini(&report);
}

static struct config *load_with(const char *file, const struct str *override, uint32_t count,
                                struct config_report *report)
{
	struct config_input in = input_of(file);

	in.override = override;
	in.override_count = count;
	return config_load(&in, report);
}

static void overrides_come_after_the_file(void **state)
{
	const struct str override[] = { STR("num.partitions=5"), STR(" log.dirs = /a , /b "),
		                        STR("num.partitions=6"), STR("broker.rack=a=b") };
	struct config_report report = { 0 };
	struct config *c = load_with(SINGLE_NODE "num.partitions=3\n", override, 4, &report);

	(void)state;
	assert_non_null(c);
	assert_int_equal(report.text.size, 0);
	assert_int_equal(config_int(c, CONFIG_NUM_PARTITIONS), 6);
	assert_items(config_log_dirs(c), "/a,/b");
	assert_str(config_str(c, CONFIG_BROKER_RACK), "a=b");
	config_put(c);
	/* Also where there is no file. */
	c = load_with(NULL, override, 4, &report);
	assert_non_null(c);
	assert_items(config_log_dirs(c), "/a,/b");
	config_put(c);
	config_report_fini(&report);
}

static void a_wrong_override_is_named(void **state)
{
	static const char *const wrong[] = { "num.partitions", "=3", "", " =3", "num.partitions=x",
		                             "num.partition=3" };
	static const char *const said[] = {
		"error: --override num.partitions: not of the form key=value\n",
		"error: --override =3: not of the form key=value\n",
		"error: --override : not of the form key=value\n",
		"error: --override  =3: not of the form key=value\n",
		("error: --override: Invalid value x for configuration num.partitions: Not a "
		 "number of type INT (num.partitions: INT, at least 1)\n"),
		"warning: --override: unknown key num.partition; did you mean num.partitions?\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct str override = str_of(wrong[i]);
		struct config_report report = { 0 };
		struct config *c = load_with(SINGLE_NODE, &override, 1, &report);

		assert_int_equal(!c, said[i][0] == 'e');
		buf_add(&report.text, "", 1);
		assert_string_equal((const char *)report.text.data, said[i]);
		config_put(c);
		config_report_fini(&report);
	}
}

/* ---- values ---- */

static void every_default_is_as_the_table_has_it(void **state)
{
	struct config_table table = config_table(CONFIG_SCOPE_BROKER);
	struct config *c = load_node("");

	(void)state;
	for (uint32_t id = 0; id < table.count; id++) {
		if (config_is_set(c, (enum config_id)id))
			continue;
		assert_str(config_str(c, (enum config_id)id), table.key[id].default_text);
		assert_int_equal(config_is_null(c, (enum config_id)id),
		                 !table.key[id].default_text);
	}
	assert_true(config_bool(c, CONFIG_AUTO_CREATE_TOPICS_ENABLE));
	assert_false(config_bool(c, CONFIG_LOG_PREALLOCATE));
	assert_int_equal(config_int(c, CONFIG_NUM_PARTITIONS), 1);
	assert_int_equal(config_long(c, CONFIG_NUM_PARTITIONS), 1);
	assert_int_equal(config_int(c, CONFIG_OFFSETS_TOPIC_REPLICATION_FACTOR), 3);
	assert_int_equal(config_long(c, CONFIG_LOG_RETENTION_BYTES), -1);
	assert_int_equal(config_long(c, CONFIG_LOG_FLUSH_INTERVAL_MESSAGES), INT64_MAX);
	assert_true(config_double(c, CONFIG_LOG_CLEANER_MIN_CLEANABLE_RATIO) == 0.5);
	assert_items(config_items(c, CONFIG_SSL_ENABLED_PROTOCOLS), "TLSv1.2,TLSv1.3");
	assert_items(config_items(c, CONFIG_SSL_CIPHER_SUITES), "");
	assert_items(config_items(c, CONFIG_ADVERTISED_LISTENERS), "");
	assert_int_equal(config_file_io(c), CONFIG_FILE_IO_AUTO);
	assert_int_equal(config_ip_limits(c).count, 0);
	config_put(c);
}

static void values_are_what_the_file_says(void **state)
{
	struct config *c =
		load_node("metadata.log.dir=/meta\nsluice.file.io=threads\n"
	                  "max.connections.per.ip.overrides=10.0.0.1:5, ::1:-2 ,h:6,h:7\n"
	                  "ssl.keystore.password=secret\n"
	                  "client.foo=\\  bar \n"
	                  "listener.name.plaintext.max.connections= 7 \n"
	                  "listener.name.public.scram-sha-256.sasl.jaas.config=x\n"
	                  "listener.name.public.sasl.jaas.config=y\n"
	                  "max.connections=100\n");
	struct config_ip_limits limits = config_ip_limits(c);

	(void)state;
	assert_str(config_metadata_log_dir(c), "/meta");
	assert_int_equal(config_file_io(c), CONFIG_FILE_IO_THREADS);
	assert_int_equal(limits.count, 3);
	assert_str(limits.limit[0].host, "10.0.0.1");
	assert_int_equal(limits.limit[0].connections_max, 5);
	assert_str(limits.limit[1].host, "::1");
	assert_int_equal(limits.limit[1].connections_max, 0);
	assert_int_equal(limits.limit[2].connections_max, 7);
	assert_str(config_str(c, CONFIG_SSL_KEYSTORE_PASSWORD), "secret");
	assert_str(config_raw(c, STR("client.foo")), "  bar ");
	assert_str(config_raw(c, STR("client.bar")), NULL);
	assert_str(config_raw(c, STR("max.connections")), "100");
	assert_str(config_listener_str(c, STR("PLAINTEXT"), STR(""), CONFIG_MAX_CONNECTIONS), "7");
	assert_str(config_listener_str(c, STR("OTHER"), STR(""), CONFIG_MAX_CONNECTIONS), "100");
	assert_str(config_listener_str(c, STR("PUBLIC"), STR("SCRAM-SHA-256"),
	                               CONFIG_SASL_JAAS_CONFIG),
	           "x");
	assert_str(config_listener_str(c, STR("PUBLIC"), STR("PLAIN"), CONFIG_SASL_JAAS_CONFIG),
	           "y");
	assert_str(config_listener_str(c, STR("PLAINTEXT"), STR("PLAIN"), CONFIG_SASL_JAAS_CONFIG),
	           NULL);
	config_put(c);
	c = load_node("sluice.file.io=io_uring\n");
	assert_int_equal(config_file_io(c), CONFIG_FILE_IO_URING);
	config_put(c);
}

static void a_config_lives_until_its_last_reference(void **state)
{
	struct config *c = load_node("");
	struct config *again = config_get(c);

	(void)state;
	assert_ptr_equal(c, again);
	config_put(c);
	assert_int_equal(config_int(again, CONFIG_NODE_ID), 1);
	config_put(again);
	config_put(NULL);
}

/* ---- --check-config ---- */

static void checks(const char *file, bool good, const char *expected)
{
	struct config_input in = input_of(file);
	struct buf out = { 0 };

	assert_int_equal(config_check(&in, &out), good);
	buf_add(&out, "", 1);
	assert_string_equal((const char *)out.data, expected);
	buf_fini(&out);
}

static void a_check_says_all_that_will_be(void **state)
{
	(void)state;
	checks(SINGLE_NODE "num.io.threads=9\nnum.partition=3\nssl.key.password=secret\n", true,
	       "warning: server.properties:8: unknown key num.partition; did you mean "
	       "num.partitions?\n"
	       "controller.listener.names=CONTROLLER\n"
	       "controller.quorum.bootstrap.servers=127.0.0.1:9093\n"
	       "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
	       "log.dirs=/data\n"
	       "node.id=1\n"
	       "num.io.threads=9 (no effect here)\n"
	       "process.roles=broker,controller\n"
	       "ssl.key.password=[hidden] (no effect here)\n"
	       "log directory: /data\n"
	       "listener: PLAINTEXT (PLAINTEXT) on 127.0.0.1:9092, advertised as 127.0.0.1:9092\n"
	       "listener: CONTROLLER (PLAINTEXT) on 127.0.0.1:9093, for controllers\n"
	       "The configuration is good: 1 warning.\n");
	checks("node.id=x\n" SINGLE_NODE, true,
	       "warning: server.properties:3: node.id was given in line 1 already; this line "
	       "counts\n"
	       "controller.listener.names=CONTROLLER\n"
	       "controller.quorum.bootstrap.servers=127.0.0.1:9093\n"
	       "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
	       "log.dirs=/data\n"
	       "node.id=1\n"
	       "process.roles=broker,controller\n"
	       "log directory: /data\n"
	       "listener: PLAINTEXT (PLAINTEXT) on 127.0.0.1:9092, advertised as 127.0.0.1:9092\n"
	       "listener: CONTROLLER (PLAINTEXT) on 127.0.0.1:9093, for controllers\n"
	       "The configuration is good: 1 warning.\n");
	checks(SINGLE_NODE "node.id=x\nnum.partitions=0\n", false,
	       "warning: server.properties:7: node.id was given in line 2 already; this line "
	       "counts\n"
	       "error: server.properties:7: Invalid value x for configuration node.id: Not a "
	       "number "
	       "of type INT (node.id: INT, at least 0)\n"
	       "error: server.properties:8: Invalid value 0 for configuration num.partitions: "
	       "Value "
	       "must be at least 1 (num.partitions: INT, at least 1)\n"
	       "The broker would not start: 2 errors, 1 warning.\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_file_says_nothing),
		cmocka_unit_test(wrong_values_are_said_with_their_line),
		cmocka_unit_test(what_does_not_fit_together_is_said_with_a_line),
		cmocka_unit_test(missing_keys_are_said_with_a_hint),
		cmocka_unit_test(unknown_keys_warn_with_the_nearest_name),
		cmocka_unit_test(a_key_given_twice_warns),
		cmocka_unit_test(a_bad_escape_is_said_with_its_line),
		cmocka_unit_test(too_large_a_file_is_refused),
		cmocka_unit_test(what_is_not_there_yet_is_refused),
		cmocka_unit_test(without_a_file_it_is_one_node_on_loopback),
		cmocka_unit_test(overrides_come_after_the_file),
		cmocka_unit_test(a_wrong_override_is_named),
		cmocka_unit_test(every_default_is_as_the_table_has_it),
		cmocka_unit_test(values_are_what_the_file_says),
		cmocka_unit_test(a_config_lives_until_its_last_reference),
		cmocka_unit_test(a_check_says_all_that_will_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
