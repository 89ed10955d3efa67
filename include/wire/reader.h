/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_READER_H
#define WIRE_READER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/str.h"
#include "base/uuid.h"

/*
 * A cursor over borrowed bytes.  The first error sticks: every later read yields zero, so a
 * decoder reads all its fields in a straight line and asks for the verdict once.  Strings point
 * into the bytes; they live exactly as long as those do.
 */
struct reader {
	const uint8_t *pos;
	const uint8_t *end;
	int err; /* 0, -EBADMSG or -ENOMEM */
};

static inline struct reader reader_of(const void *data, size_t size)
{
	/* Nothing may be NULL, to which not even nothing can be added. */
	return (struct reader){ data, size ? (const uint8_t *)data + size : data, 0 };
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->pos);
}

static inline void reader_fail(struct reader *r, int err)
{
	if (!r->err)
		r->err = err;
}

static inline const uint8_t *reader_take(struct reader *r, size_t size)
{
	const uint8_t *start = r->pos;

	if (r->err || reader_left(r) < size) {
		reader_fail(r, -EBADMSG);
		return NULL;
	}
	r->pos += size;
	return start;
}

static inline uint8_t reader_u8(struct reader *r)
{
	const uint8_t *p = reader_take(r, 1);

	return p ? *p : 0;
}

uint32_t reader_uvarint_long(struct reader *r); /* for reader_uvarint() */

static inline uint32_t reader_uvarint(struct reader *r)
{
	/* Most are lengths and counts below 128. */
	if (!r->err && r->pos < r->end && *r->pos < 0x80)
		return *r->pos++;
	return reader_uvarint_long(r);
}

static inline int16_t reader_i16(struct reader *r)
{
	const uint8_t *p = reader_take(r, 2);

	return p ? (int16_t)load_be16(p) : 0;
}

static inline int32_t reader_i32(struct reader *r)
{
	const uint8_t *p = reader_take(r, 4);

	return p ? (int32_t)load_be32(p) : 0;
}

static inline int64_t reader_i64(struct reader *r)
{
	const uint8_t *p = reader_take(r, 8);

	return p ? (int64_t)load_be64(p) : 0;
}

struct uuid reader_uuid(struct reader *r);

/*
 * The length that stands before a string, bytes or array: compact (varint, plus one) or fixed (2
 * or 4 bytes).  -1 means null.  A length beyond what is left is an error here already.
 */
int64_t reader_length(struct reader *r, bool compact, size_t fixed_size);

/* After the body of a flexible struct: skips all tagged fields. */
void reader_skip_tags(struct reader *r);

#endif
