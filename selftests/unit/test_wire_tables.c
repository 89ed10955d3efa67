/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/api_table.h"
#include "wire/errors.h"

/* The tables of APIs and errors, line by line as Kafka prints its own: Tables.java. */
static void assert_file(const char *name, struct buf *ours)
{
	char path[128], line[1024];
	size_t at = 0;
	FILE *f;

	snprintf(path, sizeof(path), "selftests/golden/message/%s", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: not found (run from the repository's root)", path);
	for (; fgets(line, sizeof(line), f); at += strlen(line)) {
		if (at + strlen(line) > ours->size || memcmp(ours->data + at, line, strlen(line)))
			fail_msg("%s: Kafka says %s", name, line);
	}
	assert_int_equal(at, ours->size);
	fclose(f);
	buf_fini(ours);
}

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static void the_apis_are_kafkas(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < wire_api_count; i++) {
		const struct wire_api *api = &wire_apis[i];
		int16_t min = api->request->min, max = api->request->max;

		assert_ptr_equal(wire_api_find(api->key), api);
		assert_int_equal(api->response->min, min);
		assert_int_equal(api->response->max, max);
		assert_false(wire_api_has(api, (int16_t)(min - 1)));
		assert_false(wire_api_has(api, (int16_t)(max + 1)));
		buf_printf(&b, "%d %s %d..%d stable %d broker %s controller %s headers", api->key,
		           api->name, min, max, max - api->latest_unstable, yes(api->on_broker),
		           yes(api->on_controller));
		for (int16_t v = min; v <= max; v++)
			buf_printf(&b, " %d/%d", wire_request_header_version(api, v),
			           wire_response_header_version(api, v));
		buf_printf(&b, "\n");
	}
	assert_null(wire_api_find(-1));
	assert_null(wire_api_find(4)); /* LeaderAndIsr, removed */
	assert_null(wire_api_find(WIRE_API_MAX + 1));
	assert_file("apis.txt", &b);
}

static void the_errors_are_kafkas(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int16_t error = -1; error <= WIRE_SHARE_SESSION_LIMIT_REACHED; error++)
		buf_printf(&b, "%d %s%s\n", error, wire_error_name(error),
		           wire_error_is_retriable(error) ? " retriable" : "");
	assert_string_equal(wire_error_name(-2), "?");
	assert_string_equal(wire_error_name(WIRE_SHARE_SESSION_LIMIT_REACHED + 1), "?");
	assert_string_equal(wire_error_name(INT16_MAX), "?");
	assert_false(wire_error_is_retriable(INT16_MIN));
	assert_file("errors.txt", &b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_apis_are_kafkas),
		cmocka_unit_test(the_errors_are_kafkas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
