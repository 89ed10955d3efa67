/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/notify.h"
#include "io/reactor.h"

/* Worse than any error that is said otherwise. */
static const char *priority(void)
{
	return notify_is_journal() ? "<2>" : "";
}

static void say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text)); /* nowhere else to complain */
}

void check_failed(const char *expr, const char *file, int line)
{
	char text[512];

	snprintf(text, sizeof(text), "%ssluice: bug: check(%s) failed at %s:%d\n", priority(), expr,
	         file, line);
	say(text);
	abort();
}

void halt(const char *reason)
{
	say(priority());
	say("sluice: halted: ");
	say(reason);
	say("\n");
	_exit(1);
}
