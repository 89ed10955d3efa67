/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * Memory with one lifetime.  A call's arena is reset, whole, when its response has
 * been handed to the kernel, so nothing inside it is ever freed by hand or outlives
 * the request.  The first chunk is kept over resets: a warm arena calls no malloc.
 */
struct arena_chunk;

struct arena {
	struct arena_chunk *chunk; /* the one being filled; older ones behind it */
	size_t used;               /* bytes handed out since the last reset */
	size_t limit;              /* at most so many: beyond it arena_alloc() says NULL */
};

void arena_init(struct arena *a, size_t limit);
void arena_reset(struct arena *a);
void arena_fini(struct arena *a);

/* Aligned to 16; not zeroed.  NULL when the limit is reached: answer, do not abort. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_zalloc(struct arena *a, size_t size);
/* Zeroed array; overflow counts as over the limit. */
void *arena_array(struct arena *a, size_t count, size_t size);
struct str arena_str(struct arena *a, struct str s); /* a copy; {NULL, 0} when over */
struct str arena_printf(struct arena *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
