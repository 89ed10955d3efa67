/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/reader.h"

#include "base/varint.h"

uint32_t reader_uvarint_long(struct reader *r)
{
	uint32_t value;
	size_t used = r->err ? 0 : uvarint_decode(r->pos, reader_left(r), &value);

	if (!used) {
		reader_fail(r, -EBADMSG);
		return 0;
	}
	r->pos += used;
	return value;
}

struct uuid reader_uuid(struct reader *r)
{
	const uint8_t *p = reader_take(r, sizeof(struct uuid));
	struct uuid u = UUID_ZERO;

	if (p)
		memcpy(u.byte, p, sizeof(u.byte));
	return u;
}

int64_t reader_length(struct reader *r, bool compact, size_t fixed_size)
{
	int64_t length;

	if (compact)
		length = (int64_t)reader_uvarint(r) - 1;
	else
		length = fixed_size == 2 ? reader_i16(r) : reader_i32(r);
	if (length < -1 || length > (int64_t)reader_left(r))
		reader_fail(r, -EBADMSG);
	return r->err ? 0 : length;
}

void reader_skip_tags(struct reader *r)
{
	uint32_t count = reader_uvarint(r);

	for (; count && !r->err; count--) {
		(void)reader_uvarint(r); /* the tag */
		(void)reader_take(r, reader_uvarint(r));
	}
}
