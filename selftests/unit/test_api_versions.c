/* SPDX-License-Identifier: Apache-2.0 */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(api_versions_shows_what_the_listener_serves),
		cmocka_unit_test(api_versions_of_the_future_is_answered_as_version_0),
		cmocka_unit_test(a_client_must_have_a_decent_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
