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

void buf_reserve(struct buf *b, size_t more); /* room for `more` beyond size */
void buf_add(struct buf *b, const void *data, size_t size);
uint8_t *buf_extend(struct buf *b, size_t size); /* uninitialised room, already counted */
void buf_add_str(struct buf *b, struct str s);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_fini(struct buf *b);

#endif
