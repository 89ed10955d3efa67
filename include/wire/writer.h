/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_WRITER_H
#define WIRE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/str.h"
#include "base/uuid.h"

/*
 * Appends to a buffer.  Records that are not in memory are spliced: their length is written, and
 * the place and the source are noted so that the sender can put the bytes there itself.  The
 * array of splices grows; its memory is the caller's (mem_free), who may use it again.
 */
struct wire_splice {
	size_t at;     /* in buf: the bytes belong before this position */
	uint32_t size; /* of the bytes */
	void *source;  /* records->source */
};

struct writer {
	struct buf *buf;
	bool can_splice; /* false: a source in a message is a bug */
	struct wire_splice *splice;
	size_t splice_count;
	size_t splice_capacity;
};

static inline struct writer writer_of(struct buf *buf)
{
	return (struct writer){ .buf = buf };
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
	*buf_extend(w->buf, 1) = v;
}

static inline void writer_i16(struct writer *w, int16_t v)
{
	store_be16(buf_extend(w->buf, 2), (uint16_t)v);
}

static inline void writer_i32(struct writer *w, int32_t v)
{
	store_be32(buf_extend(w->buf, 4), (uint32_t)v);
}

static inline void writer_i64(struct writer *w, int64_t v)
{
	store_be64(buf_extend(w->buf, 8), (uint64_t)v);
}

void writer_uvarint_long(struct writer *w, uint32_t v); /* for writer_uvarint() */

static inline void writer_uvarint(struct writer *w, uint32_t v)
{
	if (v < 0x80)
		writer_u8(w, (uint8_t)v);
	else
		writer_uvarint_long(w, v);
}

#endif
