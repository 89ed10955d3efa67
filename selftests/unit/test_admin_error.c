/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../userspace/broker/api/admin.h"
#include "message_fill.h"
#include "wire/api_table.h"

/* How a request is refused as a whole: byte for byte as Kafka does (golden/message/make.sh). */
enum { PLENTY = 64 << 20 };

static struct buf golden(void)
{
	struct buf b = { 0 };
	FILE *f = fopen("selftests/golden/message/refused.bin", "rb");

	if (!f)
		fail_msg("refused.bin: not found (run from the repository's root)");
	for (int c = fgetc(f); c != EOF; c = fgetc(f))
		*buf_extend(&b, 1) = (uint8_t)c;
	fclose(f);
	return b;
}

static void explain(const struct call *call, struct span theirs, const void *ours)
{
	const struct message *m = call->api->response;
	struct reader r = reader_of(theirs.data, theirs.size);
	struct buf b = { 0 };
	struct arena arena;
	void *body;

	arena_init(&arena, PLENTY);
	body = arena_alloc(&arena, m->size);
	assert_int_equal(message_decode(m, call->version, &r, &arena, body), 0);
	message_json(m, call->version, body, &b);
	print_error("wanted %.*s\n", (int)b.size, (char *)b.data);
	b.size = 0;
	message_json(m, call->version, ours, &b);
	print_error("got    %.*s\n", (int)b.size, (char *)b.data);
	buf_fini(&b);
	arena_fini(&arena);
	fail_msg("%s/%d", call->api->name, call->version);
}

/* Two requests are told the error's own text, whatever the reason was. */
static struct str message_of(int16_t key, uint64_t seed)
{
	if (key != API_ALTER_CLIENT_QUOTAS && key != API_CONTROLLER_REGISTRATION)
		return seed == 1 ? (struct str){ NULL, 0 } : STR("why");
	return seed == 1
	               ? STR("The request timed out.")
	               : STR("This most likely occurs because of a request being malformed by the "
	                     "client library or the message was sent to an incompatible broker. "
	                     "See the broker logs for more details.");
}

static void refuse(const struct wire_api *api, int16_t version, uint64_t seed, struct span theirs)
{
	struct call call = { .api = api, .version = version };
	struct buf b = { 0 };
	struct writer w = writer_of(&b);
	void *response;

	arena_init(&call.arena, PLENTY);
	call.request = fill_message(api->request, version, seed, &call.arena);
	response = admin_error_response(&call,
	                                seed == 1 ? WIRE_REQUEST_TIMED_OUT : WIRE_INVALID_REQUEST,
	                                message_of(api->key, seed));
	assert_non_null(response);
	message_encode(api->response, version, &w, response);
	if (b.size != theirs.size || memcmp(b.data, theirs.data, b.size))
		explain(&call, theirs, response);
	buf_fini(&b);
	arena_fini(&call.arena);
}

static void requests_are_refused_as_kafka_does(void **state)
{
	struct buf file = golden();
	struct reader r = reader_of(file.data, file.size);

	(void)state;
	while (reader_left(&r)) {
		const struct wire_api *api = wire_api_find(reader_u8(&r));
		int16_t version = reader_u8(&r);

		assert_non_null(api);
		for (uint64_t seed = 1; seed <= 2; seed++) {
			uint16_t size = (uint16_t)reader_i16(&r);

			refuse(api, version, seed, (struct span){ reader_take(&r, size), size });
		}
	}
	assert_int_equal(r.err, 0);
	buf_fini(&file);
}

static void a_small_arena_is_an_answer_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < wire_api_count; i++) {
		struct call call = { .api = &wire_apis[i], .version = wire_apis[i].request->max };
		struct arena arena;

		if (call.api->key != API_ELECT_LEADERS && call.api->key != API_CREATE_TOPICS &&
		    call.api->key != API_ALTER_PARTITION_REASSIGNMENTS)
			continue;
		arena_init(&arena, PLENTY);
		arena_init(&call.arena, call.api->response->size);
		call.request = fill_message(call.api->request, call.version, 2, &arena);
		assert_null(admin_error_response(&call, WIRE_INVALID_REQUEST, STR("why")));
		arena_fini(&call.arena);
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_refused_as_kafka_does),
		cmocka_unit_test(a_small_arena_is_an_answer_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
