/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { CHUNK_BYTES = 8 * 1024 - 64 };

struct arena_chunk {
	struct arena_chunk *older;
	size_t size;
	size_t used;
	_Alignas(16) uint8_t data[];
};

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){ .limit = limit };
}

/* The oldest chunk has the standard size unless the first request was larger. */
void arena_reset(struct arena *a)
{
	while (a->chunk && (a->chunk->older || a->chunk->size > CHUNK_BYTES)) {
		struct arena_chunk *older = a->chunk->older;

		mem_free(a->chunk);
		a->chunk = older;
	}
	if (a->chunk)
		a->chunk->used = 0;
	a->used = 0;
}

void arena_fini(struct arena *a)
{
	arena_reset(a);
	mem_free(a->chunk);
	a->chunk = NULL;
}

static void add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *chunk = mem_alloc(sizeof(*chunk) + size);

	chunk->older = a->chunk;
	chunk->size = size;
	chunk->used = 0;
	a->chunk = chunk;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t rounded = (size + 15) & ~(size_t)15;
	void *p;

	if (rounded < size || a->limit < a->used || rounded > a->limit - a->used)
		return NULL;
	if (!a->chunk || rounded > a->chunk->size - a->chunk->used)
		add_chunk(a, rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES);
	p = a->chunk->data + a->chunk->used;
	a->chunk->used += rounded;
	a->used += rounded;
	return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
	void *p = arena_alloc(a, size);

	return p ? memset(p, 0, size) : NULL;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(count, size, &bytes) ? NULL : arena_zalloc(a, bytes);
}

struct str arena_str(struct arena *a, struct str s)
{
	char *copy = s.data ? arena_alloc(a, s.size) : NULL;

	if (!copy)
		return (struct str){ NULL, 0 };
	if (s.size)
		memcpy(copy, s.data, s.size);
	return (struct str){ copy, s.size };
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	char *text;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	check(size >= 0);
	text = arena_alloc(a, (size_t)size + 1);
	if (!text)
		return (struct str){ NULL, 0 };
	va_start(args, format);
	vsnprintf(text, (size_t)size + 1, format, args);
	va_end(args);
	return (struct str){ text, (uint32_t)size };
}
