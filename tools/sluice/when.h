/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_WHEN_H
#define SLUICE_WHEN_H

#include <stdint.h>

/*
 * A position in a log as people write it:
 *
 *	beginning, end
 *	N            an offset
 *	-N, +N       so many back or forth; from where is the command's to say
 *	@TIME        the first record at or after a time: milliseconds since 1970, or
 *	             2026-11-27, 2026-11-27T19:30, ...T19:30:00.250, local or with Z or +01:00
 *	+DURATION    the first record of the last 90s, 5m, 2h, 1d
 */
struct when {
	enum when_kind {
		WHEN_BEGINNING,
		WHEN_END,
		WHEN_OFFSET,
		WHEN_BACK,
		WHEN_FORTH,
		WHEN_TIME,
	} kind;
	int64_t number; /* of records; the offset; the time in ms */
};

/* Ends the program with a message about the option when the text is none of that. */
struct when when_parse(const char *option, const char *text);

#endif
