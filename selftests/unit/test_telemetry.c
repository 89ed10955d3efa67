/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_fixture.h"
#include "broker/telemetry.h"
#include "wire/api_versions.h"
#include "wire/get_telemetry_subscriptions.h"
#include "wire/incremental_alter_configs.h"
#include "wire/push_telemetry.h"

/* KIP-714 on a whole broker: who is asked for what, and who keeps to it. */

typedef struct incremental_alter_configs_request_alterable_config change;

static void subscribe(int fd, const char *name, change *config, uint32_t count)
{
	struct incremental_alter_configs_request_alter_configs_resource resource = {
		.resource_type = IMAGE_RESOURCE_CLIENT_METRICS,
		.resource_name = str_of(name),
		.configs = config,
		.configs_count = count,
	};
	struct incremental_alter_configs_request r = { .resources = &resource,
		                                       .resources_count = 1 };
	struct answer a = ask(fd, API_INCREMENTAL_ALTER_CONFIGS, 1, &r);

	assert_int_equal(
		((struct incremental_alter_configs_response *)a.body)->responses[0].error_code,
		WIRE_NONE);
	answer_free(&a);
}

static void introduce(int fd, const char *software, const char *version)
{
	struct api_versions_request r = { str_of(software), str_of(version) };
	struct answer a = ask(fd, API_API_VERSIONS, 4, &r);

	answer_free(&a);
}

struct got {
	int16_t error;
	struct uuid id;
	int32_t subscription;
	int32_t interval;
	uint32_t metrics;
	char first[40];
};

static struct got get(int fd, struct uuid id)
{
	struct get_telemetry_subscriptions_request r = { id };
	struct answer a = ask(fd, API_GET_TELEMETRY_SUBSCRIPTIONS, 0, &r);
	const struct get_telemetry_subscriptions_response *body = a.body;
	struct got got = {
		body->error_code,       body->client_instance_id,      body->subscription_id,
		body->push_interval_ms, body->requested_metrics_count, ""
	};

	if (!got.error) {
		assert_int_equal(body->accepted_compression_types_count, 4);
		assert_int_equal(body->accepted_compression_types[0], 4);
		assert_true(body->delta_temporality);
		assert_int_equal(body->telemetry_max_bytes, 1000);
	}
	if (got.metrics)
		snprintf(got.first, sizeof(got.first), "%.*s", STR_ARG(body->requested_metrics[0]));
	answer_free(&a);
	return got;
}

static int16_t push(int fd, struct uuid id, int32_t subscription, int8_t compression, size_t size,
                    bool terminating)
{
	uint8_t *bytes = mem_zalloc(size + 1);
	struct push_telemetry_request r = {
		id, subscription, terminating, compression, { bytes, size }
	};
	struct answer a = ask(fd, API_PUSH_TELEMETRY, 0, &r);
	int16_t error = ((struct push_telemetry_response *)a.body)->error_code;

	answer_free(&a);
	mem_free(bytes);
	return error;
}

static bool is_advertised(int fd)
{
	struct api_versions_request r;
	struct answer a;
	bool found = false;

	api_versions_request_init(&r);
	a = ask(fd, API_API_VERSIONS, 0, &r);
	for (uint32_t i = 0; i < ((struct api_versions_response *)a.body)->api_keys_count; i++)
		found |= ((struct api_versions_response *)a.body)->api_keys[i].api_key ==
		         API_PUSH_TELEMETRY;
	answer_free(&a);
	return found;
}

/* The broker has seen the subscriptions when a new client gets so many metrics. */
static struct got get_soon(int fd, uint32_t metrics)
{
	struct got got = get(fd, UUID_ZERO);

	for (int i = 0; i < 1000 && got.metrics != metrics; i++) {
		sleep_ms(2);
		got = get(fd, UUID_ZERO);
	}
	assert_int_equal(got.error, WIRE_NONE);
	assert_int_equal(got.metrics, metrics);
	return got;
}

static void nobody_is_asked_by_default(void **state)
{
	int fd;

	(void)state;
	broker_up(1, "");
	fd = client_open(port);
	assert_false(is_advertised(fd));
	close(fd);
	broker_down();
	broker_forget();
}

static void a_client_without_subscriptions_pushes_nothing(void **state)
{
	int fd = client_open(port);
	struct got got = get(fd, UUID_ZERO);

	(void)state;
	assert_true(is_advertised(fd));
	assert_int_equal(got.error, WIRE_NONE);
	assert_false(uuid_is_zero(got.id));
	assert_int_equal(got.metrics, 0);
	assert_int_equal(got.interval, 300000);
	assert_int_equal(get(fd, got.id).error, WIRE_THROTTLING_QUOTA_EXCEEDED);
	close(fd);
}

static void rules_choose_clients(void **state)
{
	change rust[] = { { STR("metrics"), 0, STR("b.,a.,b.c") },
		          { STR("match"), 0,
		            STR("client_software_name=rust.*, "
		                "client_source_address=127\\.0\\.0\\.[0-9]+") },
		          { STR("interval.ms"), 0, STR("60000") } };
	change all[] = { { STR("metrics"), 0, STR("*") },
		         { STR("match"), 0, STR("client_software_version=9.*") },
		         { STR("interval.ms"), 0, STR("70000") } };
	struct got got;
	int fd = client_open(port), other = client_open(port);

	(void)state;
	introduce(fd, "rust-rdkafka", "9.1");
	introduce(other, "java", "1");
	subscribe(fd, "rust", rust, 3);
	got = get_soon(fd, 3);
	assert_string_equal(got.first, "a.");
	assert_int_equal(got.interval, 60000);
	subscribe(fd, "all", all, 3);
	got = get_soon(fd, 1);
	assert_string_equal(got.first, "*");
	assert_int_equal(got.interval, 60000);
	assert_int_equal(get(other, UUID_ZERO).metrics, 0);
	assert_int_equal(get(other, UUID_ZERO).interval, 300000);
	for (int i = 0; i < 3; i++) {
		rust[i].config_operation = all[i].config_operation = 1; /* DELETE */
		rust[i].value = all[i].value = (struct str){ NULL, 0 };
	}
	subscribe(fd, "rust", rust, 3);
	subscribe(fd, "all", all, 3);
	(void)get_soon(fd, 0);
	close(fd);
	close(other);
}

static void a_push_must_be_as_it_was_asked_for(void **state)
{
	change metrics = { STR("metrics"), 0, STR("x") };
	struct telemetry_counters before = telemetry_counters(broker->telemetry);
	int fd = client_open(port);
	struct got got, again;

	(void)state;
	assert_int_equal(push(fd, UUID_ZERO, 1, 0, 1, false), WIRE_INVALID_REQUEST);
	subscribe(fd, "x", &metrics, 1);
	got = get_soon(fd, 1);
	assert_int_equal(push(fd, got.id, got.subscription, 4, 10, false), WIRE_INVALID_RECORD);
	got = get(fd, UUID_ZERO);
	assert_int_equal(push(fd, got.id, got.subscription, 0, 10, false), WIRE_NONE);
	assert_int_equal(push(fd, got.id, got.subscription, 4, 10, false),
	                 WIRE_THROTTLING_QUOTA_EXCEEDED);
	got = get(fd, UUID_ZERO);
	assert_int_equal(push(fd, got.id, got.subscription + 1, 4, 10, false),
	                 WIRE_UNKNOWN_SUBSCRIPTION_ID);
	again = get(fd, got.id); /* not too early: it has to be mended */
	assert_int_equal(again.error, WIRE_NONE);
	assert_int_equal(again.subscription, got.subscription);
	got = get(fd, UUID_ZERO);
	assert_int_equal(push(fd, got.id, got.subscription, 5, 10, false),
	                 WIRE_UNSUPPORTED_COMPRESSION_TYPE);
	got = get(fd, UUID_ZERO);
	assert_int_equal(push(fd, got.id, got.subscription, 0, 1001, false),
	                 WIRE_TELEMETRY_TOO_LARGE);
	/* The last one may come at any time, and nothing comes after it. */
	assert_int_equal(push(fd, got.id, got.subscription, 0, 1000, true), WIRE_NONE);
	assert_int_equal(push(fd, got.id, got.subscription, 0, 0, true), WIRE_INVALID_REQUEST);
	assert_int_equal(telemetry_counters(broker->telemetry).pushes, before.pushes + 2);
	assert_int_equal(telemetry_counters(broker->telemetry).bytes, before.bytes + 1010);
	close(fd);
}

static void an_instance_ends_with_its_connection(void **state)
{
	int fd = client_open(port);
	struct got got;

	(void)state;
	assert_soon(telemetry_counters(broker->telemetry).instances == 0);
	for (int i = 0; i < 5; i++)
		got = get(fd, UUID_ZERO);
	assert_soon(telemetry_counters(broker->telemetry).instances == 1); /* the newest */
	assert_int_equal(get(fd, got.id).error, WIRE_THROTTLING_QUOTA_EXCEEDED);
	close(fd);
	assert_soon(telemetry_counters(broker->telemetry).instances == 0);
}

static int up(void **state)
{
	(void)state;
	broker_up(2, "sluice.client.telemetry=true\ntelemetry.max.bytes=1000\n");
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
	const struct CMUnitTest first[] = {
		cmocka_unit_test(nobody_is_asked_by_default),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_without_subscriptions_pushes_nothing),
		cmocka_unit_test(rules_choose_clients),
		cmocka_unit_test(a_push_must_be_as_it_was_asked_for),
		cmocka_unit_test(an_instance_ends_with_its_connection),
	};

	return cmocka_run_group_tests(first, NULL, NULL) + cmocka_run_group_tests(tests, up, down);
}
