/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_DIAG_H
#define BROKER_DIAG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * What the operator reads: one line a fact, on stderr.
 *
 *	2026-11-24T16:20:01.123Z WARN  conn: 10.0.0.7:51320: a TLS ClientHello on a plaintext port
 *
 * In the journal it is "<4>conn: ..." instead, a priority in front, for the journal has the time.
 *
 * A line is one write, whole up to DIAG_LINE_MAX bytes and cut there.  Bytes of peers go through
 * diag_escape(): nothing that they say can begin a line or speak to a terminal.
 */
enum { DIAG_LINE_MAX = 1024 };

/* The levels of Kafka's loggers (LogLevelConfig).  Nothing is said at FATAL: it silences the rest.
 */
enum diag_level { DIAG_FATAL, DIAG_ERROR, DIAG_WARN, DIAG_INFO, DIAG_DEBUG, DIAG_TRACE };

/*
 * Whoever speaks is a module, and each may have a level of its own; without one it has the level of
 * "root", the module with index 0.  any, at any time.
 */
void diag_level_set(enum diag_level level); /* of the root; INFO by default */
enum diag_level diag_level(void);
uint32_t diag_module_count(void);
const char *diag_module_name(uint32_t module);
int diag_module_find(struct str name); /* -1: no such */
enum diag_level diag_module_level(uint32_t module);
void diag_module_set(uint32_t module, enum diag_level level);
void diag_module_unset(uint32_t module);            /* not of the root */
const char *diag_level_name(enum diag_level level); /* "WARN" */
bool diag_level_parse(struct str name, enum diag_level *ret);

/* The highest level that any module has: a line above it costs this load and nothing else. */
extern _Atomic(int) diag_loudest;
static inline bool diag_may_show(enum diag_level level)
{
	return (int)level <= atomic_load_explicit(&diag_loudest, memory_order_relaxed);
}
void diag_journal_set(bool is_journal); /* before reactors_run(); false by default */
/* Instead of stderr; NULL: stderr again.  For tests. */
void diag_sink_set(void (*sink)(const char *line, size_t size));

/* any.  `who` is the module: "conn". */
void diag(enum diag_level level, const char *who, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What the line would say is not even worked out while nobody can hear it. */
#define diag_at(level, who, ...)                                                                   \
	do {                                                                                       \
		if (diag_may_show(level))                                                          \
			diag(level, who, __VA_ARGS__);                                             \
	} while (0)
#define diag_error(who, ...) diag_at(DIAG_ERROR, who, __VA_ARGS__)
#define diag_warn(who, ...)  diag_at(DIAG_WARN, who, __VA_ARGS__)
#define diag_info(who, ...)  diag_at(DIAG_INFO, who, __VA_ARGS__)
#define diag_debug(who, ...) diag_at(DIAG_DEBUG, who, __VA_ARGS__)
#define diag_trace(who, ...) diag_at(DIAG_TRACE, who, __VA_ARGS__)

/* At most `burst` lines every 10 s; the next line that passes says how many did not. */
struct diag_limit {
	uint32_t burst; /* 0: 5 */
	_Atomic(uint64_t) window;
	_Atomic(uint32_t) count;
	_Atomic(uint32_t) dropped;
};
void diag_limited(struct diag_limit *limit, enum diag_level level, const char *who,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Printable ASCII as it is, everything else as \xNN, backslash and quote escaped; cut with "..."
 * when it does not fit.  Returns `out`, terminated.
 */
const char *diag_escape(char *out, size_t size, struct str text);

#endif
