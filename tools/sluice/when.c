/* SPDX-License-Identifier: Apache-2.0 */
#include "when.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

static bool parse_number(const char *text, int64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return !*end && !errno;
}

/* "5m": so many milliseconds. */
static bool parse_duration(const char *text, int64_t *ret)
{
	static const struct {
		const char *name;
		int64_t ms;
	} unit[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
		     { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 } };
	char *end;
	long long number;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	for (size_t i = 0; !errno && i < sizeof(unit) / sizeof(unit[0]); i++)
		if (!strcmp(end, unit[i].name))
			return !__builtin_mul_overflow(number, unit[i].ms, ret);
	return false;
}

/* "Z", "+01:00" or nothing, which is local time; *t is made seconds since 1970. */
static bool parse_zone(const char *text, struct tm *tm, int64_t *ret)
{
	int sign = *text == '-' ? -1 : 1;

	tm->tm_isdst = -1;
	if (!*text) {
		*ret = mktime(tm);
		return true;
	}
	*ret = timegm(tm);
	if (!strcmp(text, "Z"))
		return true;
	if ((*text != '+' && *text != '-') || strlen(text) != 6 || text[3] != ':' ||
	    !isdigit((unsigned char)text[1]) || !isdigit((unsigned char)text[2]) ||
	    !isdigit((unsigned char)text[4]) || !isdigit((unsigned char)text[5]))
		return false;
	*ret -= sign * (atoi(text + 1) * 3600 + atoi(text + 4) * 60);
	return true;
}

/* What stands behind the day: "T19:30", seconds and a fraction if wanted. */
static const char *parse_clock(const char *text, struct tm *tm, int64_t *ms)
{
	const char *rest;
	int64_t scale = 100;

	if (*text != 'T' && *text != ' ')
		return text;
	rest = strptime(text + 1, "%H:%M:%S", tm);
	if (!rest)
		return strptime(text + 1, "%H:%M", tm);
	if (*rest != '.')
		return rest;
	for (rest++; isdigit((unsigned char)*rest); rest++, scale /= 10)
		*ms += (*rest - '0') * scale;
	return rest;
}

static bool parse_time(const char *text, int64_t *ret)
{
	struct tm tm = { 0 };
	int64_t ms = 0;
	int64_t seconds;
	const char *rest;

	if (parse_number(text, ret))
		return true;
	rest = strptime(text, "%Y-%m-%d", &tm);
	if (rest)
		rest = parse_clock(rest, &tm, &ms);
	if (!rest || !parse_zone(rest, &tm, &seconds))
		return false;
	*ret = seconds * 1000 + ms;
	return *ret >= 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct when when_parse(const char *option, const char *text)
{
	struct when w = { WHEN_BEGINNING, 0 };
	int64_t ago;

	if (!strcmp(text, "beginning"))
		return w;
	w.kind = WHEN_END;
	if (!strcmp(text, "end"))
		return w;
	w.kind = WHEN_OFFSET;
	if (parse_number(text, &w.number))
		return w;
	w.kind = *text == '-' ? WHEN_BACK : WHEN_FORTH;
	if ((*text == '-' || *text == '+') && parse_number(text + 1, &w.number))
		return w;
	w.kind = WHEN_TIME;
	if (*text == '@' && parse_time(text + 1, &w.number))
		return w;
	if (*text == '+' && parse_duration(text + 1, &ago)) {
		w.number = now_ms() > ago ? now_ms() - ago : 0;
		return w;
	}
	cli_usage("%s %s: beginning, end, an offset, -N, +N, @TIME (milliseconds, or "
	          "2026-11-27T19:30[:00][Z]) or +DURATION (90s, 5m, 2h, 1d) is wanted",
	          option, text);
}
