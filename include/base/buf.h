/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Bytes that grow at the end.  All zero is an empty one; the owner calls buf_fini(). */
struct buf {
	uint8_t *data;
	size_t size;
	size_t capacity;
};

void buf_grow(struct buf *b, size_t more); /* for buf_reserve() */
void buf_add(struct buf *b, const void *data, size_t size);
void buf_add_str(struct buf *b, struct str s);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_fini(struct buf *b);

/* Room for `more` beyond size. */
static inline void buf_reserve(struct buf *b, size_t more)
{
	if (b->capacity < b->size || b->capacity - b->size <= more)
		buf_grow(b, more);
}

/* Uninitialised room, already counted. */
static inline uint8_t *buf_extend(struct buf *b, size_t size)
{
	uint8_t *room;

	buf_reserve(b, size);
	room = b->data + b->size;
	b->size += size;
	return room;
}

#endif
