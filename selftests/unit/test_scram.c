/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_fixture.h"
#include "broker/scram.h"
#include "core/describe.h"
#include "wire/alter_client_quotas.h"
#include "wire/alter_user_scram_credentials.h"

/* SCRAM users and client quotas: what the controller stores, what is told of it. */

/* ---- RFC 5802 ---- */

static struct span hex(const char *text, uint8_t *out)
{
	size_t size = strlen(text) / 2;

	for (size_t i = 0; i < size; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return (struct span){ out, size };
}

/* The user "user" with the password "pencil" of RFC 7677. */
static void keys_are_those_of_the_rfc(void **state)
{
	struct controller_scram_keys keys;
	uint8_t salted[32], want[32];

	(void)state;
	scram_keys(IMAGE_SCRAM_SHA_256,
	           hex("c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d", salted),
	           &keys);
	assert_int_equal(keys.size, 32);
	hex("586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6", want);
	assert_memory_equal(keys.stored_key, want, 32);
	hex("c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5", want);
	assert_memory_equal(keys.server_key, want, 32);
	scram_keys(IMAGE_SCRAM_SHA_512, (struct span){ salted, 32 }, &keys);
	assert_int_equal(keys.size, 64);
}

/* ---- the controller ---- */

typedef struct alter_user_scram_credentials_request_scram_credential_deletion deletion;
typedef struct alter_user_scram_credentials_request_scram_credential_upsertion upsertion;

static void plain_keys(int8_t mechanism, struct span salted, struct controller_scram_keys *ret)
{
	ret->size = 2;
	ret->stored_key[0] = (uint8_t)mechanism;
	ret->stored_key[1] = salted.data[0];
	ret->server_key[0] = ret->server_key[1] = 's';
}

static void begin(struct world *w)
{
	struct controller_options options;

	world_init(w, 1);
	controller_free(w->c);
	options = options_of(w);
	options.scram_keys = plain_keys;
	w->c = controller_new(&options);
	activate(w);
}

static upsertion up(const char *name, int8_t mechanism, int32_t iterations)
{
	return (upsertion){
		.name = str_of(name),
		.mechanism = mechanism,
		.iterations = iterations,
		.salt = { (const uint8_t *)"salt", 4 },
		.salted_password = { (const uint8_t *)"p", 1 },
	};
}

static const struct alter_user_scram_credentials_response *
alter(struct world *w, deletion *d, uint32_t deletions, upsertion *u, uint32_t upsertions)
{
	struct alter_user_scram_credentials_request r = { d, deletions, u, upsertions };

	request(w, API_ALTER_USER_SCRAM_CREDENTIALS, 0, &r);
	return w->out.response;
}

static void assert_result(const struct alter_user_scram_credentials_response *r, uint32_t i,
                          const char *user, int16_t error, const char *message)
{
	assert_true(i < r->results_count);
	assert_true(str_eq(r->results[i].user, str_of(user)));
	assert_int_equal(r->results[i].error_code, error);
	assert_int_equal(!r->results[i].error_message.data, !message);
	assert_true(str_eq(r->results[i].error_message, str_of(message)));
}

static void a_user_is_stored_and_removed(void **state)
{
	const struct alter_user_scram_credentials_response *r;
	upsertion u[] = { up("a", 1, 4096), up("b", 2, 16384) };
	deletion d = { STR("a"), 1 };
	struct world w;

	(void)state;
	begin(&w);
	r = alter(&w, NULL, 0, u, 2);
	assert_int_equal(r->results_count, 2);
	assert_result(r, 0, "a", WIRE_NONE, NULL);
	assert_result(r, 1, "b", WIRE_NONE, NULL);
	assert_state_is_its_records(&w);
	assert_int_equal(image_scram(controller_image(w.c), 1, STR("a"))->iterations, 4096);
	assert_memory_equal(image_scram(controller_image(w.c), 2, STR("b"))->stored_key.data, "\2p",
	                    2);
	r = alter(&w, &d, 1, NULL, 0);
	assert_result(r, 0, "a", WIRE_NONE, NULL);
	assert_null(image_scram(controller_image(w.c), 1, STR("a")));
	assert_non_null(image_scram(controller_image(w.c), 2, STR("b")));
	assert_state_is_its_records(&w);
	world_fini(&w);
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const char none[] = "Attempt to delete a user credential that does not exist";
	const struct alter_user_scram_credentials_response *r;
	upsertion u[] = { up("few", 1, 4095), up("many", 2, 16385), up("", 1, 4096),
		          up("odd", 3, 4096), up("empty", 1, 4096) };
	deletion d[] = { { STR("none"), 1 }, { STR("zero"), 0 } };
	struct world w;

	(void)state;
	begin(&w);
	u[4].salted_password.size = 0;
	r = alter(&w, d, 2, u, 5);
	assert_int_equal(r->results_count, 7);
	assert_result(r, 0, "none", WIRE_RESOURCE_NOT_FOUND, none);
	assert_result(r, 1, "zero", WIRE_UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism");
	assert_result(r, 2, "few", WIRE_UNACCEPTABLE_CREDENTIAL, "Too few iterations");
	assert_result(r, 3, "many", WIRE_UNACCEPTABLE_CREDENTIAL, "Too many iterations");
	assert_result(r, 4, "", WIRE_UNACCEPTABLE_CREDENTIAL, "Username must not be empty");
	assert_result(r, 5, "odd", WIRE_UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism");
	assert_result(r, 6, "empty", WIRE_UNKNOWN_SERVER_ERROR, NULL);
	assert_int_equal(w.out.record_count, 0);
	world_fini(&w);
}

static void a_user_is_altered_once_a_request(void **state)
{
	static const char twice[] = "A user credential cannot be altered twice in the same request";
	const struct alter_user_scram_credentials_response *r;
	upsertion u[] = { up("a", 1, 4096), up("a", 2, 4096), up("b", 1, 4096) };
	deletion d = { STR("b"), 1 };
	struct world w;

	(void)state;
	begin(&w);
	alter(&w, NULL, 0, &u[2], 1);
	r = alter(&w, &d, 1, u, 3);
	assert_int_equal(r->results_count, 2);
	assert_result(r, 0, "b", WIRE_DUPLICATE_RESOURCE, twice);
	assert_result(r, 1, "a", WIRE_DUPLICATE_RESOURCE, twice);
	assert_int_equal(w.out.record_count, 0); /* nor what came first of it */
	world_fini(&w);
}

static void users_are_described_without_their_keys(void **state)
{
	struct describe_user_scram_credentials_request_user_name name[] = {
		{ STR("b") }, { STR("a") }, { STR("c") }, { STR("b") }
	};
	struct describe_user_scram_credentials_request all = { NULL, 0 };
	struct describe_user_scram_credentials_request some = { name, 4 };
	struct describe_user_scram_credentials_response r;
	upsertion a1 = up("a", 1, 4096), a2 = up("a", 2, 8192), b = up("b", 1, 4097);
	struct describe d;
	struct world w;

	(void)state;
	begin(&w);
	alter(&w, NULL, 0, &a1, 1);
	alter(&w, NULL, 0, &a2, 1);
	alter(&w, NULL, 0, &b, 1);
	d = (struct describe){ .image = controller_image(w.c), .arena = &w.arena };
	describe_scram(&d, &all, &r);
	assert_int_equal(r.results_count, 2);
	assert_int_equal(r.results[0].credential_infos_count, 2);
	assert_int_equal(r.results[0].credential_infos[1].mechanism, 2);
	assert_int_equal(r.results[0].credential_infos[1].iterations, 8192);
	describe_scram(&d, &some, &r);
	assert_int_equal(r.results_count, 3);
	assert_int_equal(r.results[0].error_code, WIRE_NONE);
	assert_int_equal(r.results[1].error_code, WIRE_DUPLICATE_RESOURCE);
	assert_int_equal(r.results[1].credential_infos_count, 0);
	assert_int_equal(r.results[2].error_code, WIRE_RESOURCE_NOT_FOUND);
	world_fini(&w);
}

/* ---- quotas ---- */

typedef struct describe_client_quotas_request_component_data component;

static void limit(struct world *w, const char *type1, const char *name1, const char *type2,
                  const char *name2)
{
	struct alter_client_quotas_request_entity_data entity[] = {
		{ str_of(type1), str_of(name1) }, { str_of(type2), str_of(name2) }
	};
	struct alter_client_quotas_request_op_data op = { .key = STR("producer_byte_rate"),
		                                          .value = 10 };
	struct alter_client_quotas_request_entry_data entry = {
		.entity = entity, .entity_count = type2 ? 2 : 1, .ops = &op, .ops_count = 1
	};
	struct alter_client_quotas_request r = { .entries = &entry, .entries_count = 1 };

	request(w, API_ALTER_CLIENT_QUOTAS, 1, &r);
	assert_int_equal(w->out.record_count, 1);
}

static struct describe_client_quotas_response ask(struct world *w, component *c, uint32_t count,
                                                  bool strict)
{
	struct describe_client_quotas_request r = { c, count, strict };
	struct describe d = { .image = controller_image(w->c), .arena = &w->arena };
	struct describe_client_quotas_response response;

	describe_client_quotas(&d, &r, &response);
	return response;
}

static void a_filter_finds_entities(void **state)
{
	component any_user = { STR("user"), 2, { NULL, 0 } };
	component user_a = { STR("user"), 0, STR("a") };
	component default_user = { STR("user"), 1, { NULL, 0 } };
	component both[] = { any_user, { STR("client-id"), 0, STR("c") } };
	struct describe_client_quotas_response r;
	struct world w;

	(void)state;
	begin(&w);
	limit(&w, "user", "a", NULL, NULL);
	limit(&w, "user", NULL, NULL, NULL);
	limit(&w, "user", "a", "client-id", "c");
	limit(&w, "client-id", "c", NULL, NULL);
	assert_int_equal(ask(&w, NULL, 0, false).entries_count, 4);
	assert_int_equal(ask(&w, NULL, 0, true).entries_count, 0);
	assert_int_equal(ask(&w, &any_user, 1, false).entries_count, 3);
	assert_int_equal(ask(&w, &any_user, 1, true).entries_count, 2);
	assert_int_equal(ask(&w, &user_a, 1, false).entries_count, 2);
	assert_int_equal(ask(&w, &user_a, 1, true).entries_count, 1);
	assert_int_equal(ask(&w, both, 2, true).entries_count, 1);
	r = ask(&w, &default_user, 1, false);
	assert_int_equal(r.entries_count, 1);
	assert_null(r.entries[0].entity[0].entity_name.data);
	assert_int_equal(r.entries[0].values_count, 1);
	assert_true(str_eq(r.entries[0].values[0].key, STR("producer_byte_rate")));
	assert_true(r.entries[0].values[0].value == 10);
	world_fini(&w);
}

static void a_filter_that_makes_no_sense_is_refused(void **state)
{
	static const struct {
		component c[2];
		uint32_t count;
		int16_t error;
	} wrong[] = {
		{ { { { "", 0 }, 0, { "x", 1 } } }, 1, WIRE_INVALID_REQUEST },
		{ { { { "host", 4 }, 0, { "x", 1 } } }, 1, WIRE_UNSUPPORTED_VERSION },
		{ { { { "user", 4 }, 0, { NULL, 0 } } }, 1, WIRE_INVALID_REQUEST },
		{ { { { "user", 4 }, 1, { "x", 1 } } }, 1, WIRE_INVALID_REQUEST },
		{ { { { "user", 4 }, 2, { "", 0 } } }, 1, WIRE_INVALID_REQUEST },
		{ { { { "user", 4 }, 3, { NULL, 0 } } }, 1, WIRE_INVALID_REQUEST },
		{ { { { "user", 4 }, 2, { NULL, 0 } }, { { "user", 4 }, 0, { "a", 1 } } },
		  2,
		  WIRE_INVALID_REQUEST },
		{ { { { "user", 4 }, 2, { NULL, 0 } }, { { "ip", 2 }, 2, { NULL, 0 } } },
		  2,
		  WIRE_INVALID_REQUEST },
	};
	struct world w;

	(void)state;
	begin(&w);
	for (size_t i = 0; i < array_count(wrong); i++) {
		component c[2] = { wrong[i].c[0], wrong[i].c[1] };
		struct describe_client_quotas_response r = ask(&w, c, wrong[i].count, false);

		assert_int_equal(r.error_code, wrong[i].error);
		assert_true(r.error_message.size > 0);
		assert_null(r.entries);
	}
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_those_of_the_rfc),
		cmocka_unit_test(a_user_is_stored_and_removed),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(a_user_is_altered_once_a_request),
		cmocka_unit_test(users_are_described_without_their_keys),
		cmocka_unit_test(a_filter_finds_entities),
		cmocka_unit_test(a_filter_that_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
