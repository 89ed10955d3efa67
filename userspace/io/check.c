/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/reactor.h"

static void say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text)); /* nowhere else to complain */
}

void check_failed(const char *expr, const char *file, int line)
{
	char text[512];

	snprintf(text, sizeof(text), "sluice: bug: check(%s) failed at %s:%d\n", expr, file, line);
	say(text);
	abort();
}

void halt(const char *reason)
{
	say("sluice: halted: ");
	say(reason);
	say("\n");
	_exit(1);
}
