/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../sim/conformance.h"

/*
 * The real half of sim_conformance: with arguments it prints the transcript that the simulated
 * one must equal.  Without, it shows that a transcript depends on nothing but the seed.
 */
static char *transcript(uint64_t seed)
{
	char path[] = "/tmp/sluice-conform-XXXXXX", *text;
	struct dir *d;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(mkdtemp(path));
	assert_int_equal(dir_open(path, false, &d), 0);
	conform_sequence(seed, d, out);
	dir_close(d);
	fclose(out);
	assert_int_equal(rmdir(path), 0);
	return text;
}

static void a_transcript_depends_on_the_seed_alone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		char *a = transcript(seed), *b = transcript(seed);

		assert_string_equal(a, b);
		free(a);
		free(b);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transcript_depends_on_the_seed_alone),
	};

	if (argc == 4)
		return conform_main(argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
