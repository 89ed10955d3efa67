/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "conformance.h"
#include "sim.h"

/*
 * The simulated disk says what a real one says: the transcripts of this program and of
 * test_conformance, which is the same text on the real seam, are equal.
 *
 *   sim_conformance [FIRST [COUNT]]
 */
enum { COUNT = 300, LINE = 4096 };

static FILE *real_transcript(const char *self, uint64_t first, uint64_t count, const char *dir)
{
	const char *slash = strrchr(self, '/');
	char command[LINE];

	snprintf(command, sizeof(command), "%.*s/../unit/test_conformance %s %llu %llu",
	         slash ? (int)(slash - self) : 1, slash ? self : ".", dir,
	         (unsigned long long)first, (unsigned long long)count);
	return popen(command, "r");
}

static int compare(FILE *real, FILE *simulated)
{
	char sequence[LINE] = "", a[LINE], b[LINE];

	for (unsigned long line = 1;; line++) {
		bool has_a = fgets(a, sizeof(a), real), has_b = fgets(b, sizeof(b), simulated);

		if (!has_a && !has_b)
			return line == 1;
		if (has_a && !strncmp(a, "sequence", 8))
			snprintf(sequence, sizeof(sequence), "%s", a);
		if (!has_a || !has_b || strcmp(a, b)) {
			printf("%sline %lu\nreal:      %ssimulated: %s", sequence, line,
			       has_a ? a : "nothing\n", has_b ? b : "nothing\n");
			return 1;
		}
	}
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : COUNT;
	char path[] = "/tmp/sluice-conform-XXXXXX";
	FILE *real, *simulated = tmpfile();
	struct dir *d;
	int rc;

	if (!mkdtemp(path) || !simulated)
		return 1;
	real = real_transcript(argv[0], first, count, path);
	if (!real)
		return 1;
	sim_begin(first);
	if (dir_open("/conform", true, &d))
		return 1;
	for (uint64_t i = 0; i < count; i++)
		conform_sequence(first + i, d, simulated);
	dir_close(d);
	rewind(simulated);
	rc = compare(real, simulated);
	if (pclose(real))
		rc = 1;
	fclose(simulated);
	(void)!rmdir(path);
	printf("%llu sequences from %llu: %s\n", (unsigned long long)count,
	       (unsigned long long)first, rc ? "they differ" : "the same");
	return rc;
}
