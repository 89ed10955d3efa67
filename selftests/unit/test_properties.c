/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "broker/properties.h"

struct pair {
	const char *key;
	const char *value;
	uint32_t line;
};

/* In a block of its own, so that the sanitizer sees every step beyond it. */
static int parse(const char *text, size_t size, struct properties *ret, uint32_t *ret_line)
{
	uint8_t *copy = malloc(size ? size : 1);
	int err;

	memcpy(copy, text, size);
	err = properties_parse((struct span){ copy, size }, ret, ret_line);
	free(copy); /* the strings are the parser's own */
	return err;
}

#define reads(text, ...)                                                                           \
	reads_as(text, sizeof(text) - 1, (const struct pair[]){ __VA_ARGS__, { NULL, NULL, 0 } })
#define reads_nothing(text) reads_as(text, sizeof(text) - 1, (const struct pair[]){ { 0 } })

static void reads_as(const char *text, size_t size, const struct pair *pair)
{
	struct properties p;
	uint32_t line = 0;
	size_t count = 0;

	assert_int_equal(parse(text, size, &p, &line), 0);
	for (; pair[count].key; count++) {
		if (count >= p.count)
			fail_msg("%s: only %zu properties", text, p.count);
		if (!str_eq(p.item[count].key, str_of(pair[count].key)) ||
		    !str_eq(p.item[count].value, str_of(pair[count].value)))
			fail_msg("%s: %.*s is %.*s", text, STR_ARG(p.item[count].key),
			         STR_ARG(p.item[count].value));
		assert_int_equal(p.item[count].line, pair[count].line);
	}
	if (p.count != count)
		fail_msg("%s: %zu properties", text, p.count);
	properties_fini(&p);
	assert_null(p.item);
}

static void a_key_ends_at_a_separator(void **state)
{
	(void)state;
	reads("a=b", { "a", "b", 1 });
	reads("a:b", { "a", "b", 1 });
	reads("a b", { "a", "b", 1 });
	reads("a\tb", { "a", "b", 1 });
	reads("a\fb", { "a", "b", 1 });
	reads("a = b", { "a", "b", 1 });
	reads("a \t: \fb", { "a", "b", 1 });
	reads("  a=b", { "a", "b", 1 });
	reads("a==b", { "a", "=b", 1 }); /* one separator only */
	reads("a = = b", { "a", "= b", 1 });
	reads("a=b=c:d e", { "a", "b=c:d e", 1 });
	reads("a:=b", { "a", "=b", 1 });
	reads("a", { "a", "", 1 });
	reads("a=", { "a", "", 1 });
	reads("a  ", { "a", "", 1 });
	reads("=b", { "", "b", 1 });
	reads(":", { "", "", 1 });
	reads("a=b  ", { "a", "b  ", 1 }); /* blanks behind a value are part of it */
	reads("a=b\vc", { "a", "b\vc", 1 });
}

static void lines_end_in_three_ways(void **state)
{
	(void)state;
	reads("a=1\nb=2\rc=3\r\nd=4", { "a", "1", 1 }, { "b", "2", 2 }, { "c", "3", 3 },
	      { "d", "4", 4 });
	reads("\n\n \t\na=1\n\n", { "a", "1", 4 });
	reads("\r\r\na=1", { "a", "1", 3 });
	reads_nothing("");
	reads_nothing(" ");
	reads_nothing("\n \r\n\f\r");
}

static void comments_begin_a_line(void **state)
{
	(void)state;
	reads_nothing("# a=1");
	reads_nothing("!a=1");
	reads_nothing("  \t# a=1\n!");
	reads("#one\\\na=1", { "a", "1", 2 }); /* no comment goes on */
	reads("a#b=1", { "a#b", "1", 1 });
	reads("a=#1", { "a", "#1", 1 });
	reads("a=1 # not a comment", { "a", "1 # not a comment", 1 });
}

static void a_backslash_continues_a_line(void **state)
{
	(void)state;
	reads("a=1,\\\n  2,\\\r\n\t3\nb=4", { "a", "1,2,3", 1 }, { "b", "4", 4 });
	reads("a\\\n=1", { "a", "1", 1 });
	reads("a=1\\\\\nb=2", { "a", "1\\", 1 }, { "b", "2", 2 }); /* an even number does not */
	reads("a=1\\\\\\\nb=2", { "a", "1\\b=2", 1 });
	reads("a=1\\\n#2", { "a", "1#2", 1 }); /* no comment there */
	reads("a=1\\\n\nb=2", { "a", "1", 1 }, { "b", "2", 3 });
	reads("a=1\\", { "a", "1", 1 });
	reads("a=1\\\n", { "a", "1", 1 });
	/* Alone it continues nothing. */
	reads("\\\n#2\na=1", { "a", "1", 3 });
	reads("\\\n\n\\\r\na=1", { "a", "1", 4 });
	reads_nothing("\\\r\n");
	reads("\\\n", { "", "", 1 }); /* as Java has it */
	reads("\\", { "", "", 1 });
}

static void escapes_are_javas(void **state)
{
	(void)state;
	reads("a=\\t\\n\\r\\f", { "a", "\t\n\r\f", 1 });
	reads("a=\\b\\x\\'\\\"\\0", { "a", "bx'\"0", 1 }); /* no others: the backslash goes */
	reads("a\\ b\\=c\\:d=1", { "a b=c:d", "1", 1 });
	reads("\\#a=1", { "#a", "1", 1 });
	reads("a=C:\\\\data", { "a", "C:\\data", 1 });
	reads("a=\\u0041\\u00e9\\u20AC", { "a", "A\xc3\xa9\xe2\x82\xac", 1 });
	reads("a=\\u007f\\u0080\\u07ff\\u0800\\uffff",
	      { "a", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 1 });
	reads("a=\\ud83d\\ude00\\uD800\\uDC00\\uDBFF\\uDFFF",
	      { "a", "\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 1 });
	reads("a=\\ud83dx\\ude00\\ud83d\\u0041", { "a", "?x??A", 1 }); /* halves of pairs */
	reads("\\u0061\\u003d=1", { "a=", "1", 1 });
	reads("a=\\u00411", { "a", "A1", 1 });
	reads("a=caf\xc3\xa9", { "a", "caf\xc3\xa9", 1 }); /* UTF-8 stays as it is */
}

static void a_key_may_come_again(void **state)
{
	(void)state;
	reads("a=1\na=2", { "a", "1", 1 }, { "a", "2", 2 });
}

static void refuses_half_an_escape(void **state)
{
	static const char *const texts[] = {
		"\\u",     "\\u0",    "\\u00",   "\\u004",    "\\u004g",
		"\\u-041", "\\u 041", "\\u0000", "\\u004\n1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[64];
		struct properties p;
		uint32_t line = 0;
		int size = snprintf(text, sizeof(text), "a=1\\\n2\n#\nb=%s", texts[i]);

		assert_int_equal(parse(text, (size_t)size, &p, &line), -EBADMSG);
		assert_int_equal(line, 4);
		properties_fini(&p);
		size = snprintf(text, sizeof(text), "b%s=1", texts[i]);
		assert_int_equal(parse(text, (size_t)size, &p, &line), -EBADMSG);
		assert_int_equal(line, 1);
		properties_fini(&p);
	}
}

static void refuses_what_is_no_configuration(void **state)
{
	size_t size = PROPERTIES_BYTES_MAX + 1;
	uint8_t *text = mem_zalloc(size);
	struct properties p;
	uint32_t line = 0;

	(void)state;
	memset(text, 'a', size);
	assert_int_equal(properties_parse((struct span){ text, size }, &p, &line), -EFBIG);
	properties_fini(&p);
	assert_int_equal(properties_parse((struct span){ text, size - 1 }, &p, &line), 0);
	assert_int_equal(p.count, 1);
	assert_int_equal(p.item[0].key.size, size - 1);
	properties_fini(&p);
	mem_free(text);
}

/* Every prefix parses or is refused; none is read beyond its end (run under ASan). */
static void every_prefix_ends(void **state)
{
	static const char text[] =
		"# x\\\na\\ b = \\u0041\\\r\n  c\\\\\n!\n\\\n\\ud83d\\ude00:\\t\r";

	(void)state;
	for (size_t size = 0; size < sizeof(text); size++) {
		struct properties p;
		uint32_t line = 0;
		int err = parse(text, size, &p, &line);

		assert_true(!err || err == -EBADMSG);
		properties_fini(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_ends_at_a_separator),
		cmocka_unit_test(lines_end_in_three_ways),
		cmocka_unit_test(comments_begin_a_line),
		cmocka_unit_test(a_backslash_continues_a_line),
		cmocka_unit_test(escapes_are_javas),
		cmocka_unit_test(a_key_may_come_again),
		cmocka_unit_test(refuses_half_an_escape),
		cmocka_unit_test(refuses_what_is_no_configuration),
		cmocka_unit_test(every_prefix_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
