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
static char *transcript(uint64_t seed, bool io_uring)
{
	char path[] = "/tmp/sluice-conform-XXXXXX", *text;
	struct dir *d;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(mkdtemp(path));
	assert_int_equal(dir_open(path, false, &d), 0);
	conform_sequence(seed, d, io_uring, out);
	dir_close(d);
	fclose(out);
	assert_int_equal(rmdir(path), 0);
	return text;
}

static void a_transcript_depends_on_the_seed_alone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		char *a = transcript(seed, true), *b = transcript(seed, false);

		assert_string_equal(a, b);
		free(a);
		free(b);
	}
}

/* "PATH HOW FIRST COUNT" as program arguments: the transcripts on standard output. */
static int print_transcripts(char **argv)
{
	uint64_t first = strtoull(argv[2], NULL, 10), count = strtoull(argv[3], NULL, 10);
	struct dir *d;

	if (dir_open(argv[0], true, &d))
		return 1;
	for (uint64_t i = 0; i < count; i++)
		conform_sequence(first + i, d, !strcmp(argv[1], "uring"), stdout);
	dir_close(d);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transcript_depends_on_the_seed_alone),
	};

	if (argc == 5)
		return print_transcripts(argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
