/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/varint.h"
#include "wire/batch.h"

/*
 * Nearly every varint of a record is one or two bytes; the rest takes the long road.  All yield the
 * position behind the value, or NULL when it is cut short or too long.
 */
static inline const uint8_t *take_i32(const uint8_t *p, const uint8_t *end, int32_t *ret)
{
	uint32_t value;
	size_t used;

	if (p < end && *p < 0x80) {
		*ret = unzigzag32(*p);
		return p + 1;
	}
	if (end - p >= 2 && p[1] < 0x80) {
		*ret = unzigzag32((p[0] & 0x7fu) | (uint32_t)p[1] << 7);
		return p + 2;
	}
	used = uvarint_decode(p, (size_t)(end - p), &value);
	if (!used)
		return NULL;
	*ret = unzigzag32(value);
	return p + used;
}

static inline const uint8_t *take_i64(const uint8_t *p, const uint8_t *end, int64_t *ret)
{
	uint64_t value;
	size_t used;

	if (p < end && *p < 0x80) {
		*ret = unzigzag64(*p);
		return p + 1;
	}
	used = uvarlong_decode(p, (size_t)(end - p), &value);
	if (!used)
		return NULL;
	*ret = unzigzag64(value);
	return p + used;
}

static inline const uint8_t *take_bytes(const uint8_t *p, const uint8_t *end, struct span *ret)
{
	int32_t size;

	p = take_i32(p, end, &size);
	if (!p)
		return NULL;
	if (size < 0) {
		*ret = (struct span){ NULL, 0 };
		return p;
	}
	if (end - p < size)
		return NULL;
	*ret = (struct span){ p, (size_t)size };
	return p + size;
}

static const uint8_t *take_headers(const uint8_t *p, const uint8_t *end, int32_t count)
{
	struct span key, value;

	if (count < 0 || count > end - p)
		return NULL;
	for (int32_t i = 0; i < count; i++) {
		p = take_bytes(p, end, &key);
		if (!p || !key.data)
			return NULL;
		p = take_bytes(p, end, &value);
		if (!p)
			return NULL;
	}
	return p;
}

/* Why a length could not be read. */
static int length_error(struct span bytes)
{
	enum { LENGTH_SIZE_MAX = 5 };

	for (size_t i = 0; i < bytes.size; i++) {
		if (!(bytes.data[i] & 0x80))
			return -EBADMSG;
	}
	return bytes.size < LENGTH_SIZE_MAX ? -EAGAIN : -EBADMSG;
}

int record_decode(struct span bytes, struct record *ret)
{
	const uint8_t *end = bytes.data + bytes.size, *p;
	int32_t length;

	p = take_i32(bytes.data, end, &length);
	if (!p) {
		ret->size = 0;
		return length_error(bytes);
	}
	if (length <= 0)
		return -EBADMSG;
	ret->size = (size_t)(p - bytes.data) + (size_t)length;
	if (end - p < length)
		return -EAGAIN;
	end = p + length;
	ret->attributes = (int8_t)*p++;
	p = take_i64(p, end, &ret->timestamp_delta);
	if (p)
		p = take_i32(p, end, &ret->offset_delta);
	if (p)
		p = take_bytes(p, end, &ret->key);
	if (p)
		p = take_bytes(p, end, &ret->value);
	if (p)
		p = take_i32(p, end, &ret->header_count);
	if (!p)
		return -EBADMSG;
	ret->headers = (struct span){ p, (size_t)(end - p) };
	if (p == end && !ret->header_count)
		return 0;
	return take_headers(p, end, ret->header_count) == end ? 0 : -EBADMSG;
}

struct record_header record_header_next(struct span *headers)
{
	const uint8_t *p = headers->data, *end = p + headers->size;
	struct record_header h;

	p = take_bytes(p, end, &h.key);
	check(p && h.key.data);
	p = take_bytes(p, end, &h.value);
	check(p);
	*headers = (struct span){ p, (size_t)(end - p) };
	return h;
}

int record_iter_next(struct record_iter *it, struct record *ret)
{
	if (it->left <= 0)
		return it->left || it->rest.size ? -EBADMSG : 0;
	if (record_decode(it->rest, ret))
		return -EBADMSG;
	it->rest.data += ret->size;
	it->rest.size -= ret->size;
	it->left--;
	return 1;
}

void record_stream_begin(struct record_stream *s, int32_t record_count)
{
	s->left = record_count;
	s->carry.size = 0;
}

static int deliver(struct record_stream *s, const struct record *r)
{
	if (s->left <= 0)
		return -EBADMSG;
	s->left--;
	return s->each(s, r);
}

/* Whole records, straight out of the piece; what remains is cut short. */
static int feed_whole(struct record_stream *s, struct span *piece)
{
	struct record r;
	int err;

	while (piece->size) {
		if (s->left <= 0)
			return -EBADMSG;
		err = record_decode(*piece, &r);
		if (err == -EAGAIN)
			return r.size > s->record_size_max ? -EFBIG : 0;
		if (!err && r.size > s->record_size_max)
			err = -EFBIG;
		if (!err)
			err = deliver(s, &r);
		if (err)
			return err;
		piece->data += r.size;
		piece->size -= r.size;
	}
	return 0;
}

/* Adds to the carried record until it is whole or the piece is used up. */
static int feed_carried(struct record_stream *s, struct span *piece)
{
	struct record r;
	int err;

	while (s->carry.size) {
		size_t take;

		err = record_decode((struct span){ s->carry.data, s->carry.size }, &r);
		if (!err)
			err = deliver(s, &r);
		if (!err) {
			s->carry.size = 0;
			return 0;
		}
		if (err != -EAGAIN)
			return err;
		if (r.size > s->record_size_max)
			return -EFBIG;
		if (!piece->size)
			return 0;
		take = r.size ? r.size - s->carry.size : 1; /* 1: the length itself is cut */
		if (take > piece->size)
			take = piece->size;
		buf_add(&s->carry, piece->data, take);
		piece->data += take;
		piece->size -= take;
	}
	return 0;
}

int record_stream_feed(struct record_stream *s, struct span piece)
{
	int err = feed_carried(s, &piece);

	if (err)
		return err;
	err = feed_whole(s, &piece);
	if (err)
		return err;
	buf_add(&s->carry, piece.data, piece.size);
	return 0;
}

int record_stream_end(struct record_stream *s)
{
	return s->left || s->carry.size ? -EBADMSG : 0;
}

void record_stream_fini(struct record_stream *s)
{
	buf_fini(&s->carry);
}

/* ---- building ---- */

static size_t bytes_size(struct span s)
{
	int32_t size = s.data ? (int32_t)s.size : -1;

	return uvarint_size(zigzag32(size)) + s.size;
}

static uint8_t *put_i32(uint8_t *p, int32_t value)
{
	return p + uvarint_encode(p, zigzag32(value));
}

static uint8_t *put_bytes(uint8_t *p, struct span s)
{
	check(s.size <= INT32_MAX);
	p = put_i32(p, s.data ? (int32_t)s.size : -1);
	if (s.size)
		memcpy(p, s.data, s.size);
	return p + s.size;
}

/* The record up to its headers, with room behind for them. */
static uint8_t *put_record(struct batch_builder *b, int64_t offset, int64_t timestamp_ms,
                           const struct record *r, size_t headers_size)
{
	int64_t time_delta, offset_delta = offset - b->options.base_offset;
	size_t length;
	uint8_t *p;

	check(offset > b->last_offset && offset_delta <= INT32_MAX);
	if (!b->record_count && !(b->options.attributes & BATCH_DELETE_HORIZON))
		b->base_timestamp = timestamp_ms;
	time_delta = (int64_t)((uint64_t)timestamp_ms - (uint64_t)b->base_timestamp);
	length = 1 + uvarlong_size(zigzag64(time_delta)) +
	         uvarint_size(zigzag32((int32_t)offset_delta)) + bytes_size(r->key) +
	         bytes_size(r->value) + uvarint_size(zigzag32(r->header_count)) + headers_size;
	check(length <= INT32_MAX);
	p = buf_extend(b->out, uvarint_size(zigzag32((int32_t)length)) + length);
	p = put_i32(p, (int32_t)length);
	*p++ = 0; /* attributes: none are defined */
	p += uvarlong_encode(p, zigzag64(time_delta));
	p = put_i32(p, (int32_t)offset_delta);
	p = put_bytes(p, r->key);
	p = put_bytes(p, r->value);
	p = put_i32(p, r->header_count);

	b->last_offset = offset;
	b->record_count++;
	if (timestamp_ms > b->max_timestamp)
		b->max_timestamp = timestamp_ms;
	return p;
}

void batch_add_at(struct batch_builder *b, int64_t offset, int64_t timestamp_ms, struct span key,
                  struct span value, const struct record_pair *headers, uint32_t header_count)
{
	struct record r = { .key = key, .value = value, .header_count = (int32_t)header_count };
	size_t headers_size = 0;
	uint8_t *p;

	check(header_count <= INT32_MAX);
	for (uint32_t i = 0; i < header_count; i++) {
		check(headers[i].key.data);
		headers_size += bytes_size(headers[i].key) + bytes_size(headers[i].value);
	}
	p = put_record(b, offset, timestamp_ms, &r, headers_size);
	for (uint32_t i = 0; i < header_count; i++)
		p = put_bytes(put_bytes(p, headers[i].key), headers[i].value);
}

void batch_add(struct batch_builder *b, int64_t timestamp_ms, struct span key, struct span value,
               const struct record_pair *headers, uint32_t header_count)
{
	batch_add_at(b, b->last_offset + 1, timestamp_ms, key, value, headers, header_count);
}

void batch_add_record(struct batch_builder *b, int64_t offset, int64_t timestamp_ms,
                      const struct record *r)
{
	uint8_t *p = put_record(b, offset, timestamp_ms, r, r->headers.size);

	if (r->headers.size)
		memcpy(p, r->headers.data, r->headers.size);
}
