/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "broker/metrics.h"

static struct buf out;

static const char *text_of(void)
{
	buf_add(&out, "", 1);
	out.size--;
	return (const char *)out.data;
}

static void assert_out(const char *text)
{
	assert_string_equal(text_of(), text);
	out.size = 0;
}

static int fini(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

/* ---- histograms ---- */

static void a_value_is_in_the_first_bucket_that_holds_it(void **state)
{
	uint64_t least = UINT64_C(1) << HISTOGRAM_FIRST;

	(void)state;
	assert_int_equal(histogram_bucket(0), 0);
	assert_int_equal(histogram_bucket(1), 0);
	for (uint32_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
		uint64_t bound = least << i;

		assert_int_equal(histogram_bucket(bound - 1), i ? i - (bound / 2 > bound - 2) : 0);
		assert_int_equal(histogram_bucket(bound), i);
		assert_int_equal(histogram_bucket(bound + 1), i + 1);
	}
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void histograms_add_up(void **state)
{
	struct histogram a = { 0 }, b = { 0 };
	struct histogram_total total = { 0 };

	(void)state;
	histogram_add(&a, 1);
	histogram_add(&a, 17);
	histogram_add(&b, 17);
	histogram_add(&b, UINT64_C(1) << 40);
	histogram_gather(&total, &a);
	histogram_gather(&total, &b);
	assert_int_equal(total.count, 4);
	assert_int_equal(total.sum, 35 + (UINT64_C(1) << 40));
	assert_int_equal(total.bucket[0], 1);
	assert_int_equal(total.bucket[1], 2);
	assert_int_equal(total.bucket[HISTOGRAM_BUCKETS - 1], 1);
}

static void a_histogram_is_told_cumulatively_and_ends_with_inf(void **state)
{
	struct metric_label label = { "request", STR("Fetch") };
	struct histogram h = { 0 };
	struct histogram_total total = { 0 };
	const char *at;
	long last = 0;
	int lines = 0;

	(void)state;
	histogram_add(&h, 20);
	histogram_add(&h, 100);
	histogram_add(&h, UINT64_C(1) << 40);
	histogram_gather(&total, &h);
	metric_histogram(&out, "x", &label, 1, &total, 1e-3);
	for (at = text_of(); !strncmp(at, "x_bucket{request=\"Fetch\",le=\"", 29);
	     at = strchr(at, '\n') + 1, lines++) {
		long n = strtol(strchr(at, ' '), NULL, 10);

		assert_true(n >= last);
		last = n;
	}
	assert_int_equal(lines, HISTOGRAM_BUCKETS);
	assert_non_null(strstr(text_of(), "le=\"0.016\"} 0\n"));
	assert_non_null(strstr(text_of(), "le=\"0.032\"} 1\n"));
	assert_non_null(strstr(text_of(), "le=\"16777.216\"} 2\n"));
	assert_non_null(strstr(text_of(), "le=\"+Inf\"} 3\n"));
	assert_string_equal(strstr(text_of(), "x_sum"), "x_sum{request=\"Fetch\"} 1099511627.896\n"
	                                                "x_count{request=\"Fetch\"} 3\n");
	out.size = 0;
}

/* ---- the text ---- */

static void a_family_says_its_help_and_type(void **state)
{
	(void)state;
	metric_family(&out, "a_total", METRIC_COUNTER, "What \"it\" is\\\nand more.");
	assert_out("# HELP a_total What \"it\" is\\\\\\nand more.\n# TYPE a_total counter\n");
}

static void samples_have_labels_or_none(void **state)
{
	(void)state;
	metric_int(&out, "a", NULL, 0, -1);
	assert_out("a -1\n");
	metric_int(&out, "a", (struct metric_label[]){ { "b", STR("c") }, { "d", STR("") } }, 2,
	           INT64_MAX);
	assert_out("a{b=\"c\",d=\"\"} 9223372036854775807\n");
	metric_float(&out, "a", NULL, 0, 1795808201.0);
	assert_out("a 1795808201\n");
	metric_float(&out, "a", NULL, 0, 0.125);
	assert_out("a 0.125\n");
}

static void assert_label(const char *bytes, size_t size, const char *told)
{
	struct buf expected = { 0 };

	metric_int(&out, "a", &(struct metric_label){ "b", { bytes, (uint32_t)size } }, 1, 0);
	buf_printf(&expected, "a{b=\"%s\"} 0\n", told);
	assert_int_equal(out.size, expected.size);
	assert_memory_equal(out.data, expected.data, out.size);
	buf_fini(&expected);
	out.size = 0;
}
#define BAD "\xef\xbf\xbd"

static void nothing_in_a_label_ends_it(void **state)
{
	(void)state;
	assert_label("a\"b\\c\nd", 7, "a\\\"b\\\\c\\nd");
	assert_label("\"} 1\nx 2", 8, "\\\"} 1\\nx 2");
}

static void a_label_is_utf8_whatever_the_peer_sent(void **state)
{
	static const char overlong[] = "\xc0\xaf", surrogate[] = "\xed\xa0\x80";
	static const char beyond[] = "\xf4\x90\x80\x80",
			  good[] = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";

	(void)state;
	assert_label(good, sizeof(good) - 1, good);
	for (size_t cut = 1; cut < 4; cut++) {
		char told[16] = "";

		for (size_t i = 0; i < cut; i++)
			strcat(told, BAD);
		assert_label("\xf0\x9f\x98\x80", cut, told);
	}
	assert_label(overlong, 2, BAD BAD);
	assert_label(surrogate, 3, BAD BAD BAD);
	assert_label(beyond, 4, BAD BAD BAD BAD);
	assert_label("\xff"
	             "a\x80",
	             3, BAD "a" BAD);
	assert_label("\xe2\"", 2, BAD "\\\"");
}

/* ---- the table ---- */

static bool is_name(const char *name)
{
	return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static void rows_are_named_as_prometheus_wants(void **state)
{
	size_t count;
	const struct metric_row *row = metrics_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const char *end = strrchr(row[i].name, '_');
		bool is_total = end && !strcmp(end, "_total");

		if (!is_name(row[i].name) || is_total != (row[i].type == METRIC_COUNTER))
			fail_msg("%s: a bad name for a %s", row[i].name,
			         metric_type_name(row[i].type));
		if (row[i].help[strlen(row[i].help) - 1] != '.')
			fail_msg("%s: '%s' is no sentence", row[i].name, row[i].help);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(row[i].name, row[j].name);
	}
}

static void the_document_is_the_one_made_from_the_table(void **state)
{
	FILE *f = fopen("docs/metrics.md", "r");
	struct buf made = { 0 };
	char *text;

	(void)state;
	assert_non_null(f);
	metrics_document(&made);
	text = malloc(made.size + 2);
	assert_int_equal(fread(text, 1, made.size + 2, f), made.size);
	assert_memory_equal(text, made.data, made.size);
	free(text);
	fclose(f);
	buf_fini(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_in_the_first_bucket_that_holds_it),
		cmocka_unit_test(histograms_add_up),
		cmocka_unit_test(a_histogram_is_told_cumulatively_and_ends_with_inf),
		cmocka_unit_test(a_family_says_its_help_and_type),
		cmocka_unit_test(samples_have_labels_or_none),
		cmocka_unit_test(nothing_in_a_label_ends_it),
		cmocka_unit_test(a_label_is_utf8_whatever_the_peer_sent),
		cmocka_unit_test(rows_are_named_as_prometheus_wants),
		cmocka_unit_test(the_document_is_the_one_made_from_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, fini);
}
