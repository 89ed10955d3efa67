/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/config.h"
#include "broker/config_describe.h"
#include "broker/metadata.h"
#include "conn_fixture.h"
#include "wire/api_versions.h"

/* What a client is told of the versions that there are. */

static struct answer ask_versions(int fd, uint16_t version, const char *software, int16_t answered)
{
	const struct wire_api *api = wire_api_find(API_API_VERSIONS);
	struct api_versions_request r;
	struct buf out = { 0 };
	struct answer a;

	api_versions_request_init(&r);
	r.client_software_name = str_of(software);
	r.client_software_version = STR("1.0");
	add_frame(&out, api, version > 4 ? 4 : (int16_t)version, 9, &r);
	store_be16(out.data + 6, version);
	send_bytes(fd, out.data, out.size);
	buf_fini(&out);
	a = recv_answer(fd, API_API_VERSIONS, answered);
	assert_int_equal(a.correlation, 9);
	return a;
}

static void api_versions_shows_what_the_listener_serves(void **state)
{
	static const int16_t shown[][3] = {
		{ 0, 0, 13 }, { 1, 4, 18 }, { 10, 0, 3 }, { 18, 0, 4 }
	};
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (int16_t version = 0; version <= 4; version++) {
		struct answer a = ask_versions(fd, (uint16_t)version, "tester", version);
		const struct api_versions_response *r = a.body;

		assert_int_equal(r->error_code, WIRE_NONE);
		assert_int_equal(r->api_keys_count, array_count(shown));
		for (size_t i = 0; i < array_count(shown); i++) {
			assert_int_equal(r->api_keys[i].api_key, shown[i][0]);
			assert_int_equal(r->api_keys[i].min_version, shown[i][1]);
			assert_int_equal(r->api_keys[i].max_version, shown[i][2]);
		}
		assert_int_equal(r->supported_features_count, version < 3   ? 0
		                                              : version < 4 ? 1
		                                                            : 7);
		assert_int_equal(r->finalized_features_epoch, -1);
		assert_false(r->zk_migration_ready);
		answer_free(&a);
	}
	close(fd);
	fd = client_open(controller_port);
	{
		struct answer a = ask_versions(fd, 0, "", 0);
		const struct api_versions_response *r = a.body;

		assert_int_equal(r->api_keys_count, 2);
		assert_int_equal(r->api_keys[0].api_key, API_FETCH);
		assert_int_equal(r->api_keys[1].api_key, API_API_VERSIONS);
		answer_free(&a);
	}
	close(fd);
	server_stop();
}

static void api_versions_of_the_future_is_answered_as_version_0(void **state)
{
	static const uint16_t versions[] = { 5, 99, 0x7fff, 0xffff };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (size_t i = 0; i < array_count(versions); i++) {
		struct answer a = ask_versions(fd, versions[i], "tester", 0);
		const struct api_versions_response *r = a.body;

		assert_int_equal(r->error_code, WIRE_UNSUPPORTED_VERSION);
		assert_int_equal(r->api_keys_count, 1);
		assert_int_equal(r->api_keys[0].api_key, API_API_VERSIONS);
		assert_int_equal(r->api_keys[0].min_version, 0);
		assert_int_equal(r->api_keys[0].max_version, 4);
		answer_free(&a);
	}
	send_command(fd, 1, "echo open");
	expect_text(fd, 1, "open");
	close(fd);
	server_stop();
}

static void a_client_must_have_a_decent_name(void **state)
{
	static const struct {
		const char *name;
		bool right;
	} names[] = {
		{ "a", true },    { "apache-kafka-java", true },
		{ "a..b", true }, { "9-9", true },
		{ "", false },    { "-a", false },
		{ "a.", false },  { "a b", false },
		{ "a\n", false }, { "a_b", false },
		{ ".", false },   { "\xc3\xa9", false },
	};
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (size_t i = 0; i < array_count(names); i++) {
		struct answer a = ask_versions(fd, 3, names[i].name, 3);
		const struct api_versions_response *r = a.body;

		assert_int_equal(r->error_code, names[i].right ? WIRE_NONE : WIRE_INVALID_REQUEST);
		assert_int_equal(r->api_keys_count > 0, names[i].right);
		answer_free(&a);
	}
	close(fd);
	server_stop();
}

/* ---- features of a cluster ---- */

static struct dir *dir;
static struct mail start_mail, end_mail;
static atomic_bool unfenced;

static void on_unfenced(void *arg)
{
	(void)arg;
	atomic_store(&unfenced, true);
}

static void on_ready(void *arg)
{
	(void)arg;
	metadata_unfence(broker.metadata);
}

static void on_changed(void *arg, const struct image *old, const struct image *new)
{
	(void)arg, (void)old, (void)new;
}

static void start_metadata(struct mail *mail)
{
	(void)mail;
	metadata_start(broker.metadata);
}

static void metadata_stopped(void *arg)
{
	(void)arg;
	stop_server(NULL);
}

static void end_metadata(struct mail *mail)
{
	(void)mail;
	metadata_stop(broker.metadata, 5000, metadata_stopped, NULL);
}

static void cluster_open(const struct config *config)
{
	static const struct metadata_listener listener = {
		{ "PLAINTEXT", 9 }, { "127.0.0.1", 9 }, 21090, 0
	};
	struct metadata_options options = {
		.dir = dir,
		.log = { .segment_bytes = 1 << 20,
		         .segment_ms = INT64_MAX,
		         .index_interval_bytes = 4096,
		         .index_bytes = 1 << 20,
		         .retention_ms = -1,
		         .retention_bytes = -1,
		         .flush_messages = INT64_MAX,
		         .flush_ms = INT64_MAX,
		         .producer_expiration_ms = 86400000 },
		.node_id = 1,
		.listener = &listener,
		.listener_count = 1,
		.controller = &listener,
		.controller_count = 1,
		.previous_broker_epoch = -1,
		.rules = config_controller_rules(config),
		.default_partition_count = 1,
		.default_replication_factor = 1,
		.default_min_isr = 1,
		.session_timeout_ms = 9000,
		.heartbeat_interval_ms = 2000,
		.idle_interval_ms = 500,
		.snapshot_bytes = 20 << 20,
		.snapshot_interval_ms = 3600000,
		.retention_bytes = 100 << 20,
		.retention_ms = 604800000,
		.ready = on_ready,
		.changed = on_changed,
		.unfenced = on_unfenced,
	};
	struct metadata_error why = { "" };

	if (metadata_open(&options, &broker.metadata, &why))
		fail_msg("%s", why.text);
	atomic_store(&unfenced, false);
	start_mail.run = start_metadata;
	reactor_post(0, &start_mail);
	assert_soon(atomic_load(&unfenced));
}

/* What Apache Kafka 4.3.1 says after `kafka-storage format --standalone`, by name. */
static void expect_kafkas_features(const struct api_versions_response *r, int16_t version)
{
	static const struct {
		const char *name;
		int16_t min, max, level;
	} feature[] = {
		{ "eligible.leader.replicas.version", 0, 1, 1 },
		{ "group.version", 0, 1, 1 },
		{ "kraft.version", 0, 1, 1 },
		{ "metadata.version", 7, 30, 30 },
		{ "share.version", 0, 1, 1 },
		{ "streams.version", 0, 1, 1 },
		{ "transaction.version", 0, 2, 2 },
	};
	uint32_t supported = 0, finalized = 0;

	for (size_t i = 0; i < array_count(feature); i++) {
		for (uint32_t k = 0; k < r->supported_features_count; k++)
			if (str_eq(r->supported_features[k].name, str_of(feature[i].name))) {
				assert_int_equal(r->supported_features[k].min_version,
				                 feature[i].min);
				assert_int_equal(r->supported_features[k].max_version,
				                 feature[i].max);
				supported++;
			}
		for (uint32_t k = 0; k < r->finalized_features_count; k++)
			if (str_eq(r->finalized_features[k].name, str_of(feature[i].name))) {
				assert_int_equal(r->finalized_features[k].max_version_level,
				                 feature[i].level);
				assert_int_equal(r->finalized_features[k].min_version_level,
				                 feature[i].level);
				finalized++;
			}
	}
	assert_int_equal(supported, version < 4 ? 1 : array_count(feature));
	assert_int_equal(supported, r->supported_features_count);
	assert_int_equal(finalized, array_count(feature));
	assert_int_equal(finalized, r->finalized_features_count);
}

static void the_features_of_the_cluster_are_kafkas(void **state)
{
	struct config_report report = { { 0 }, 0, 0 };
	struct config *config = config_load(&(struct config_input){ 0 }, &report);
	char path[] = "/tmp/sluice-versions-XXXXXX", command[64];
	int64_t epoch = 0;
	int fd;

	(void)state;
	assert_non_null(config);
	assert_non_null(mkdtemp(path));
	assert_int_equal(dir_open(path, false, &dir), 0);
	server_open(1, &CONN_LIMITS_DEFAULT);
	cluster_open(config);
	fd = client_open(port);
	for (int16_t version = 3; version <= 4; version++) {
		struct answer a = ask_versions(fd, (uint16_t)version, "tester", version);
		const struct api_versions_response *r = a.body;

		expect_kafkas_features(r, version);
		assert_true(r->finalized_features_epoch >= epoch);
		epoch = r->finalized_features_epoch;
		answer_free(&a);
	}
	assert_true(epoch > 0);
	close(fd);
	end_mail.run = end_metadata;
	reactor_post(0, &end_mail);
	assert_int_equal(pthread_join(server_thread, NULL), 0);
	conn_server_close(server);
	reactors_close();
	diag_sink_set(NULL);
	assert_int_equal(metadata_close(broker.metadata, true), 0);
	dir_close(dir);
	config_put(config);
	config_report_fini(&report);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(api_versions_shows_what_the_listener_serves),
		cmocka_unit_test(api_versions_of_the_future_is_answered_as_version_0),
		cmocka_unit_test(a_client_must_have_a_decent_name),
		cmocka_unit_test(the_features_of_the_cluster_are_kafkas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
