/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

void buf_grow(struct buf *b, size_t more)
{
	check(b->size + more >= more);
	b->data = mem_grow(b->data, b->size + more, &b->capacity, 1);
}

void buf_add(struct buf *b, const void *data, size_t size)
{
	if (size)
		memcpy(buf_extend(b, size), data, size);
}

void buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.data, s.size);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	check(size >= 0);
	buf_reserve(b, (size_t)size + 1);
	va_start(args, format);
	vsnprintf((char *)b->data + b->size, (size_t)size + 1, format, args);
	va_end(args);
	b->size += (size_t)size;
}

void buf_fini(struct buf *b)
{
	mem_free(b->data);
	*b = (struct buf){ 0 };
}
