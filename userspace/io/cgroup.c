/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

/*
 * The limits of our control group and of those above it, v2 or v1.  A limit set anywhere on
 * the way up holds for us.
 */

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(line, (int)size, f);
	fclose(f);
	return ok;
}

/* Our path in the hierarchy of `controller` ("" is v2): "/a/b", false when there is none. */
static bool find_path(const char *controller, char *path, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[1024];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		char *names = strchr(line, ':');
		char *at = names ? strchr(names + 1, ':') : NULL;

		if (!at)
			continue;
		*names++ = *at++ = '\0';
		names[strcspn(names, ":")] = '\0';
		at[strcspn(at, "\n")] = '\0';
		if (!strcmp(names, controller)) {
			snprintf(path, size, "%s", at);
			found = true;
		}
	}
	fclose(f);
	return found;
}

/* Calls visit(dir) for our group and each above it. */
static void each_group(const char *controller, uint64_t (*limit_of)(const char *dir),
                       uint64_t *lowest)
{
	char path[1024], dir[1200];

	if (!find_path(controller, path, sizeof(path)))
		return;
	for (;;) {
		uint64_t limit;
		char *slash = strrchr(path, '/');

		snprintf(dir, sizeof(dir), "/sys/fs/cgroup/%s%s", controller, path);
		limit = limit_of(dir);
		if (limit && (!*lowest || limit < *lowest))
			*lowest = limit;
		if (!slash)
			return;
		*slash = '\0';
	}
}

/* In thousandths of a core. */
static uint64_t cpu_limit(const char *dir)
{
	char name[1300], line[128], quota_text[64];
	long long quota = 0, period = 100000;

	snprintf(name, sizeof(name), "%s/cpu.max", dir);
	if (read_line(name, line, sizeof(line))) {
		if (sscanf(line, "%63s %lld", quota_text, &period) != 2)
			return 0;
		quota = strtoll(quota_text, NULL, 10); /* "max": 0 */
	} else {
		snprintf(name, sizeof(name), "%s/cpu.cfs_quota_us", dir);
		if (!read_line(name, line, sizeof(line)))
			return 0;
		quota = strtoll(line, NULL, 10);
		snprintf(name, sizeof(name), "%s/cpu.cfs_period_us", dir);
		if (read_line(name, line, sizeof(line)))
			period = strtoll(line, NULL, 10);
	}
	return quota > 0 && period > 0 ? (uint64_t)(quota * 1000 / period) : 0;
}

static uint64_t memory_limit(const char *dir)
{
	char name[1300], line[128];
	uint64_t limit;

	snprintf(name, sizeof(name), "%s/memory.max", dir);
	if (!read_line(name, line, sizeof(line))) {
		snprintf(name, sizeof(name), "%s/memory.limit_in_bytes", dir);
		if (!read_line(name, line, sizeof(line)))
			return 0;
	}
	limit = strtoull(line, NULL, 10); /* "max": 0 */
	return limit < (UINT64_C(1) << 60) ? limit : 0;
}

int cgroup_cpu_count(void)
{
	uint64_t thousandths = 0;

	each_group("", cpu_limit, &thousandths);
	each_group("cpu", cpu_limit, &thousandths);
	return (int)((thousandths + 999) / 1000);
}

uint64_t cgroup_memory_bytes(void)
{
	uint64_t bytes = 0;

	each_group("", memory_limit, &bytes);
	each_group("memory", memory_limit, &bytes);
	return bytes;
}
