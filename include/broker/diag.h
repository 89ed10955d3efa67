/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_DIAG_H
#define BROKER_DIAG_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * What the operator reads: one line a fact, on stderr.
 *
 *	2026-11-24T16:20:01.123Z WARN  conn: 10.0.0.7:51320: a TLS ClientHello on a plaintext port
 *
 * A line is one write, whole up to DIAG_LINE_MAX bytes and cut there.  Bytes of peers go through
 * diag_escape(): nothing that they say can begin a line or speak to a terminal.
 */
enum { DIAG_LINE_MAX = 1024 };

enum diag_level { DIAG_ERROR, DIAG_WARN, DIAG_INFO, DIAG_DEBUG };

void diag_level_set(enum diag_level level); /* before reactors_run(); INFO by default */
enum diag_level diag_level(void);
/* Instead of stderr; NULL: stderr again.  For tests. */
void diag_sink_set(void (*sink)(const char *line, size_t size));

/* any.  `who` is the module: "conn". */
void diag(enum diag_level level, const char *who, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define diag_error(who, ...) diag(DIAG_ERROR, who, __VA_ARGS__)
#define diag_warn(who, ...)  diag(DIAG_WARN, who, __VA_ARGS__)
#define diag_info(who, ...)  diag(DIAG_INFO, who, __VA_ARGS__)
#define diag_debug(who, ...) diag(DIAG_DEBUG, who, __VA_ARGS__)

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
