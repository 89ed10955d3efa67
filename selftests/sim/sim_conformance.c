/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "conformance.h"
#include "sim.h"

/*
 * The simulated disk says what a real one says: the transcripts of this program and of
 * test_conformance, which is the same text on the real seam, are equal, whichever file system and
 * whichever way to it.
 *
 *   sim_conformance [SEED [COUNT]]
 */
enum { COUNT = 400, LINE = 4096 };

static const struct way {
	const char *parent;
	const char *how;
} ways[] = {
	{ "/tmp", "uring" },
	{ "/tmp", "threads" },
	{ "/dev/shm", "uring" },
	{ "/dev/shm", "threads" },
};

static FILE *real_transcript(const char *self, const char *dir, const char *how, uint64_t first,
                             uint64_t count)
{
	const char *slash = strrchr(self, '/');
	char command[LINE];

	snprintf(command, sizeof(command), "%.*s/../unit/test_conformance %s %s %llu %llu",
	         slash ? (int)(slash - self) : 1, slash ? self : ".", dir, how,
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

static bool simulate(uint64_t first, uint64_t count, FILE *out)
{
	struct dir *d;

	sim_begin(first);
	if (dir_open("/conform", true, &d))
		return false;
	for (uint64_t i = 0; i < count; i++)
		conform_sequence(first + i, d, false, out);
	dir_close(d);
	rewind(out);
	return true;
}

static int run_way(const struct way *way, const char *self, uint64_t first, uint64_t count)
{
	FILE *real, *simulated = tmpfile();
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "%s/sluice-conform-XXXXXX", way->parent);
	if (!simulated || !mkdtemp(path) || !simulate(first, count, simulated))
		return 1;
	real = real_transcript(self, path, way->how, first, count);
	if (!real)
		return 1;
	rc = compare(real, simulated);
	if (pclose(real))
		rc = 1;
	fclose(simulated);
	(void)!rmdir(path);
	printf("%s with %s: %llu sequences from %llu: %s\n", way->parent, way->how,
	       (unsigned long long)count, (unsigned long long)first,
	       rc ? "they differ" : "the same");
	return rc;
}

int main(int argc, char **argv)
{
	uint64_t first, count = COUNT, share;

	sim_seeds_of(argc, argv, &first, &count);
	share = (count + array_count(ways) - 1) / array_count(ways);
	for (size_t i = 0; i < array_count(ways); i++) {
		if (access(ways[i].parent, W_OK)) {
			printf("%s cannot be written to\n", ways[i].parent);
			continue;
		}
		if (run_way(&ways[i], argv[0], first, share))
			return 1;
	}
	return 0;
}
