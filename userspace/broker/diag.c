/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "io/reactor.h"

enum { WINDOW_MS = 10000, BURST_DEFAULT = 5 };

static enum diag_level shown = DIAG_INFO;
static void (*sink)(const char *line, size_t size);

void diag_level_set(enum diag_level level)
{
	shown = level;
}

enum diag_level diag_level(void)
{
	return shown;
}

void diag_sink_set(void (*to)(const char *line, size_t size))
{
	sink = to;
}

static void say(enum diag_level level, const char *who, uint32_t dropped, const char *format,
                va_list args)
{
	static const char *const name[] = { "ERROR", "WARN ", "INFO ", "DEBUG" };
	char line[DIAG_LINE_MAX];
	int64_t now = wall_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;
	size_t at;

	check((size_t)level < array_count(name));
	gmtime_r(&seconds, &tm);
	at = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	at += (size_t)snprintf(line + at, sizeof(line) - at, ".%03dZ %s %s: ", (int)(now % 1000),
	                       name[level], who);
	check(at < sizeof(line));
	at += (size_t)vsnprintf(line + at, sizeof(line) - at, format, args);
	if (dropped && at < sizeof(line))
		at += (size_t)snprintf(line + at, sizeof(line) - at, " (%u more like it)", dropped);
	if (at > sizeof(line) - 2)
		at = sizeof(line) - 2;
	line[at++] = '\n';
	line[at] = '\0';
	if (sink)
		sink(line, at);
	else
		(void)fputs(line, stderr); /* nowhere else to complain */
}

void diag(enum diag_level level, const char *who, const char *format, ...)
{
	va_list args;

	if (level > shown)
		return;
	va_start(args, format);
	say(level, who, 0, format, args);
	va_end(args);
}

void diag_limited(struct diag_limit *limit, enum diag_level level, const char *who,
                  const char *format, ...)
{
	uint64_t window = mono_ms() / WINDOW_MS + 1;
	uint64_t seen = atomic_load_explicit(&limit->window, memory_order_relaxed);
	uint32_t burst = limit->burst ? limit->burst : BURST_DEFAULT;
	va_list args;

	if (level > shown)
		return;
	if (seen != window &&
	    atomic_compare_exchange_strong_explicit(&limit->window, &seen, window,
	                                            memory_order_relaxed, memory_order_relaxed))
		atomic_store_explicit(&limit->count, 0, memory_order_relaxed);
	if (atomic_fetch_add_explicit(&limit->count, 1, memory_order_relaxed) >= burst) {
		atomic_fetch_add_explicit(&limit->dropped, 1, memory_order_relaxed);
		return;
	}
	va_start(args, format);
	say(level, who, atomic_exchange_explicit(&limit->dropped, 0, memory_order_relaxed), format,
	    args);
	va_end(args);
}

const char *diag_escape(char *out, size_t size, struct str text)
{
	size_t at = 0;

	check(size >= 8);
	for (uint32_t i = 0; i < text.size; i++) {
		uint8_t c = (uint8_t)text.data[i];

		if (at + 8 > size) {
			memcpy(out + at, "...", 3);
			at += 3;
			break;
		}
		if (c == '\\' || c == '"') {
			out[at++] = '\\';
			out[at++] = (char)c;
		} else if (c >= ' ' && c < 0x7f) {
			out[at++] = (char)c;
		} else {
			at += (size_t)snprintf(out + at, size - at, "\\x%02x", c);
		}
	}
	out[at] = '\0';
	return out;
}
