/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "io/reactor.h"

enum { WINDOW_MS = 10000, BURST_DEFAULT = 5 };

static bool to_journal;
static void (*sink)(const char *line, size_t size);

/* ---- levels ---- */

enum { ROOT, UNSET = -1 };

/* Who speaks, by name but for the root; somebody else has the root's level. */
static struct {
	const char *name;
	_Atomic(int) level;
} module[] = {
	[ROOT] = { "root", DIAG_INFO },
	{ "broker", UNSET },
	{ "call", UNSET },
	{ "config", UNSET },
	{ "conn", UNSET },
	{ "coordinator", UNSET },
	{ "group", UNSET },
	{ "log", UNSET },
	{ "metrics", UNSET },
	{ "telemetry", UNSET },
	{ "topics", UNSET },
};

static const char *const level_name[] = { "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE" };

_Atomic(int) diag_loudest = DIAG_INFO;

uint32_t diag_module_count(void)
{
	return array_count(module);
}

const char *diag_module_name(uint32_t m)
{
	check(m < array_count(module));
	return module[m].name;
}

int diag_module_find(struct str name)
{
	for (uint32_t i = 0; i < array_count(module); i++)
		if (str_eq(str_of(module[i].name), name))
			return (int)i;
	return -1;
}

enum diag_level diag_module_level(uint32_t m)
{
	int level;

	check(m < array_count(module));
	level = atomic_load_explicit(&module[m].level, memory_order_relaxed);
	if (level == UNSET)
		level = atomic_load_explicit(&module[ROOT].level, memory_order_relaxed);
	return (enum diag_level)level;
}

/* Whoever changes a level last sees all of them, and leaves the right one behind. */
static void set(uint32_t m, int level)
{
	int loudest = DIAG_FATAL;

	check(m < array_count(module));
	atomic_store(&module[m].level, level);
	for (uint32_t i = 0; i < array_count(module); i++)
		if (atomic_load(&module[i].level) > loudest)
			loudest = atomic_load(&module[i].level);
	atomic_store(&diag_loudest, loudest);
}

void diag_module_set(uint32_t m, enum diag_level level)
{
	check((size_t)level < array_count(level_name));
	set(m, (int)level);
}

void diag_module_unset(uint32_t m)
{
	check(m != ROOT);
	set(m, UNSET);
}

void diag_level_set(enum diag_level level)
{
	diag_module_set(ROOT, level);
}

enum diag_level diag_level(void)
{
	return diag_module_level(ROOT);
}

const char *diag_level_name(enum diag_level level)
{
	check((size_t)level < array_count(level_name));
	return level_name[level];
}

bool diag_level_parse(struct str name, enum diag_level *ret)
{
	for (size_t i = 0; i < array_count(level_name); i++)
		if (str_eq(str_of(level_name[i]), name)) {
			*ret = (enum diag_level)i;
			return true;
		}
	return false;
}

static bool is_shown(enum diag_level level, const char *who)
{
	int m;

	if (!diag_may_show(level))
		return false;
	m = diag_module_find(str_of(who));
	return level <= diag_module_level(m < 0 ? ROOT : (uint32_t)m);
}

/* ---- lines ---- */

void diag_journal_set(bool is_journal)
{
	to_journal = is_journal;
}

void diag_sink_set(void (*to)(const char *line, size_t size))
{
	sink = to;
}

/* What stands before the fact: when, how bad, who says so. */
static size_t begin(char *line, size_t size, enum diag_level level, const char *who)
{
	/* Of syslog(3). */
	static const char priority[] = { '2', '3', '4', '6', '7', '7' };
	int64_t now = wall_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;
	size_t at;

	_Static_assert(array_count(priority) == DIAG_TRACE + 1, "each has one");
	check((size_t)level < array_count(priority));
	if (to_journal)
		return (size_t)snprintf(line, size, "<%c>%s: ", priority[level], who);
	gmtime_r(&seconds, &tm);
	at = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
	return at + (size_t)snprintf(line + at, size - at, ".%03dZ %-5s %s: ", (int)(now % 1000),
	                             diag_level_name(level), who);
}

static void say(enum diag_level level, const char *who, uint32_t dropped, const char *format,
                va_list args)
{
	char line[DIAG_LINE_MAX];
	size_t at = begin(line, sizeof(line), level, who);

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

	if (!is_shown(level, who))
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

	if (!is_shown(level, who))
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
