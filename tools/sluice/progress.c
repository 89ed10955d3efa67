/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_MS = 1000, EVERY_MS = 250 };

static bool is_shown;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void progress_start(struct progress *p, int stream)
{
	p->is_on = isatty(STDERR_FILENO) && !isatty(stream);
	p->start_ms = p->is_on ? now_ms() : 0;
	p->next_ms = p->start_ms + FIRST_MS;
}

void progress_step(struct progress *p, int64_t records, int64_t total)
{
	int64_t now, ms;

	if (!p->is_on)
		return;
	now = now_ms();
	if (now < p->next_ms)
		return;
	p->next_ms = now + EVERY_MS;
	ms = now - p->start_ms;
	fprintf(stderr, "\r\033[K%" PRId64, records);
	if (total >= 0)
		fprintf(stderr, " of %" PRId64, total);
	fprintf(stderr, " records, %" PRId64 "/s", records * 1000 / ms);
	if (total > records && records > 0)
		fprintf(stderr, ", %" PRId64 " s left", (total - records) * ms / records / 1000);
	fflush(stderr);
	is_shown = true;
}

void progress_clear(void)
{
	if (!is_shown)
		return;
	fputs("\r\033[K", stderr);
	is_shown = false;
}
