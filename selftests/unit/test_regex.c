/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/regex.h"

static const struct {
	const char *pattern, *yes[4], *no[4];
} good[] = {
	{ "", { "" }, { "a" } },
	{ "abc", { "abc" }, { "", "ab", "abcd", "xabc" } },
	{ "a.c", { "abc", "a.c" }, { "ac", "a\nc" } },
	{ "a*", { "", "a", "aaaa" }, { "b", "aab" } },
	{ "a+b?", { "a", "aab" }, { "", "b", "abb" } },
	{ "a|bc|", { "a", "bc", "" }, { "b", "abc" } },
	{ "(a|b)*c", { "c", "abac" }, { "ab", "ca" } },
	{ "(?:ab)+", { "ab", "abab" }, { "aba", "" } },
	{ "[a-c]x[^a-c]", { "axd", "cx-" }, { "dxd", "axa" } },
	{ "[]a-]+", { "]-a" }, { "b" } },
	{ "\\d{2,3}", { "12", "123" }, { "1", "1234", "ab" } },
	{ "[\\d.]+", { "11.1.2" }, { "11,1", "" } },
	{ "11\\.1.*", { "11.1.1", "11.1" }, { "11x1.1" } },
	{ "a{0}b", { "b" }, { "ab" } },
	{ "(a{1,2}){2}", { "aa", "aaa", "aaaa" }, { "a", "aaaaa" } },
	{ "x{2,}", { "xx", "xxxxx" }, { "x" } },
	{ "^a$", { "a" }, { "aa" } },
	{ "a^b", { NULL }, { "ab", "a^b" } },
	{ "(^a|b)+", { "a", "ab", "b" }, { "ba" } },
	{ "a*?b", { "b", "aab" }, { "a" } },
	{ "(a*)*", { "", "aaa" }, { "b" } },
	{ "((a?)*b)*", { "", "aab", "bb" }, { "a" } },
	{ "\\w+\\s\\W", { "a_1 -" }, { "a b" } },
};

static void what_is_regular_matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_count(good); i++) {
		struct regex *r = regex_new(str_of(good[i].pattern));

		if (!r)
			fail_msg("%s refused", good[i].pattern);
		for (int k = 0; k < 4 && good[i].yes[k]; k++)
			if (!regex_matches(r, str_of(good[i].yes[k])))
				fail_msg("%s: %s", good[i].pattern, good[i].yes[k]);
		for (int k = 0; k < 4 && good[i].no[k]; k++)
			if (regex_matches(r, str_of(good[i].no[k])))
				fail_msg("%s: not %s", good[i].pattern, good[i].no[k]);
		regex_free(r);
	}
}

static void what_is_not_is_refused(void **state)
{
	static const char *const bad[] = {
		"(",
		")",
		"a)",
		"[a",
		"[z-a]",
		"*a",
		"a**",
		"a{",
		"a{1",
		"a{2,1}",
		"a{9999}",
		"\\",
		"\\1",
		"\\p{L}",
		"(?=a)",
		"a++",
		"(?i)a",
		"[a&&b]",
		"[[a]]",
		"a{x}",
		"+",
		"((a{900}){900}){900}",
		"((((){999}){999}){999}){999}",
	};
	struct buf deep = { 0 };

	(void)state;
	for (size_t i = 0; i < array_count(bad); i++) {
		struct regex *r = regex_new(str_of(bad[i]));

		if (r)
			fail_msg("%s accepted", bad[i]);
	}
	for (int i = 0; i < 100000; i++)
		buf_add(&deep, "(", 1);
	assert_null(regex_new((struct str){ (char *)deep.data, (uint32_t)deep.size }));
	buf_fini(&deep);
}

/* What takes others an eternity. */
static void time_is_bounded(void **state)
{
	char text[REGEX_TEXT_MAX + 1];
	struct regex *r = regex_new(STR("(a+)+(a+)+(a|a)*b"));

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_non_null(r);
	assert_false(regex_matches(r, (struct str){ text, REGEX_TEXT_MAX }));
	text[REGEX_TEXT_MAX - 1] = 'b';
	assert_true(regex_matches(r, (struct str){ text, REGEX_TEXT_MAX }));
	assert_false(regex_matches(r, (struct str){ text, sizeof(text) }));
	regex_free(r);
}

static void any_text_is_an_expression_or_not(void **state)
{
	static const char alphabet[] = "ab()[]{}|*+?.^$\\-,12d";
	struct prng prng = { 7 };
	char text[24];

	(void)state;
	for (int i = 0; i < 50000; i++) {
		uint32_t size = (uint32_t)(prng_next(&prng) % sizeof(text));
		struct regex *r;

		for (uint32_t k = 0; k < size; k++)
			text[k] = alphabet[prng_next(&prng) % (sizeof(alphabet) - 1)];
		r = regex_new((struct str){ text, size });
		if (r)
			(void)regex_matches(r, STR("abab1"));
		regex_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_regular_matches),
		cmocka_unit_test(what_is_not_is_refused),
		cmocka_unit_test(time_is_bounded),
		cmocka_unit_test(any_text_is_an_expression_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
