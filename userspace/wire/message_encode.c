/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "base/varint.h"
#include "message_private.h"
#include "wire/message.h"

struct encode {
	struct writer *w;
	int16_t version;
	bool flexible;
	size_t *spliced; /* NULL, or only the sizes of splices are wanted, added up here */
};

static int64_t number_at(uint8_t type, const void *at)
{
	switch (type) {
	case WIRE_BOOL:
		return *(const bool *)at;
	case WIRE_I8:
		return *(const int8_t *)at;
	case WIRE_I16:
		return *(const int16_t *)at;
	case WIRE_U16:
		return *(const uint16_t *)at;
	case WIRE_I32:
		return *(const int32_t *)at;
	case WIRE_U32:
		return *(const uint32_t *)at;
	default:
		return *(const int64_t *)at;
	}
}

static bool struct_is_default(const struct message *m, const void *in)
{
	if (!memcmp(in, m->defaults, m->size))
		return true;
	for (uint32_t i = 0; i < m->field_count; i++) {
		if (!field_is_default(&m->field[i], in))
			return false;
	}
	return true;
}

bool field_is_default(const struct message_field *f, const void *in)
{
	const void *at = FIELD_AT(f, in);

	if (f->is_array)
		return f->null_default
		               ? !*(void *const *)at
		               : !FIELD_COUNT(f, in) && (*(void *const *)at || f->null_min < 0);
	if (field_is_pointer(f)) {
		const void *sub = *(void *const *)at;

		return f->null_default ? !sub : sub && struct_is_default(f->sub, sub);
	}
	switch (f->type) {
	case WIRE_STRUCT:
		return struct_is_default(f->sub, at);
	case WIRE_STRING:
	case WIRE_BYTES: {
		const char *data = *(const char *const *)at;
		bool empty = f->type == WIRE_STRING ? !((const struct str *)at)->size
		                                    : !((const struct span *)at)->size;

		return f->null_default ? !data : empty && (data || f->null_min < 0);
	}
	case WIRE_RECORDS:
		return !((const struct records *)at)->data && !((const struct records *)at)->source;
	case WIRE_UUID:
		return uuid_is_zero(*(const struct uuid *)at);
	case WIRE_F64:
		return (int64_t) * (const double *)at == f->number &&
		       *(const double *)at == (double)f->number;
	default:
		return number_at(f->type, at) == f->number;
	}
}

static void put_length(struct encode *e, const struct message_field *f, int64_t length,
                       size_t fixed_size)
{
	if (e->flexible && !f->is_inflexible)
		writer_uvarint(e->w, (uint32_t)(length + 1));
	else if (fixed_size == 2)
		writer_i16(e->w, (int16_t)length);
	else
		writer_i32(e->w, (int32_t)length);
}

/* Null where the version knows no null is written as empty. */
static int64_t length_of(const struct encode *e, const struct message_field *f, const void *data,
                         size_t size)
{
	return data || size || !field_is_nullable(f, e->version) ? (int64_t)size : -1;
}

static void encode_records(struct encode *e, const struct message_field *f,
                           const struct records *records)
{
	struct writer *w = e->w;
	const void *data = records->source ? records->source : records->data;

	put_length(e, f, length_of(e, f, data, records->size), 4);
	if (records->data || !records->source) {
		buf_add(w->buf, records->data, records->data ? records->size : 0);
		return;
	}
	if (e->spliced) {
		*e->spliced += records->size;
		return;
	}
	check(w->can_splice);
	w->splice = mem_grow(w->splice, w->splice_count, &w->splice_capacity, sizeof(*w->splice));
	w->splice[w->splice_count++] =
		(struct wire_splice){ w->buf->size, records->size, records->source };
}

static void encode_struct(struct encode *e, const struct message *m, const void *in);

/* In a tag the byte is a varint, and null is 0. */
static void encode_inner(struct encode *e, const struct message_field *f, const void *at)
{
	const void *sub = field_is_pointer(f) ? *(void *const *)at : at;

	if (field_is_pointer(f))
		writer_u8(e->w, sub ? 1 : f->tag >= 0 ? 0 : 0xff);
	if (sub)
		encode_struct(e, f->sub, sub);
}

static void encode_value(struct encode *e, const struct message_field *f, const void *at)
{
	const struct str *s = at;
	const struct span *bytes = at;

	switch (f->type) {
	case WIRE_BOOL:
	case WIRE_I8:
		writer_u8(e->w, *(const uint8_t *)at);
		break;
	case WIRE_I16:
	case WIRE_U16:
		writer_i16(e->w, *(const int16_t *)at);
		break;
	case WIRE_I32:
	case WIRE_U32:
		writer_i32(e->w, *(const int32_t *)at);
		break;
	case WIRE_I64:
	case WIRE_F64:
		writer_i64(e->w, *(const int64_t *)at);
		break;
	case WIRE_UUID:
		buf_add(e->w->buf, at, sizeof(struct uuid));
		break;
	case WIRE_STRING:
		put_length(e, f, length_of(e, f, s->data, s->size), 2);
		buf_add(e->w->buf, s->data, s->size);
		break;
	case WIRE_BYTES:
		put_length(e, f, length_of(e, f, bytes->data, bytes->size), 4);
		buf_add(e->w->buf, bytes->data, bytes->size);
		break;
	case WIRE_RECORDS:
		encode_records(e, f, at);
		break;
	default:
		encode_inner(e, f, at);
	}
}

static void encode_array(struct encode *e, const struct message_field *f, const void *in)
{
	const char *array = *(const char *const *)FIELD_AT(f, in);
	uint32_t count = FIELD_COUNT(f, in);
	size_t size = field_value_size(f);

	put_length(e, f, length_of(e, f, array, count), 4);
	for (uint32_t i = 0; i < count; i++)
		encode_value(e, f, array + i * size);
}

static inline void encode_field(struct encode *e, const struct message_field *f, const void *in)
{
	if (f->is_array)
		encode_array(e, f, in);
	else
		encode_value(e, f, FIELD_AT(f, in));
}

/* The size stands before the value: the value is written, then moved to make room. */
static void encode_tag(struct encode *e, const struct message_field *f, const void *in)
{
	struct buf *b = e->w->buf;
	size_t start;
	size_t size;
	size_t prefix;

	writer_uvarint(e->w, (uint32_t)f->tag);
	start = b->size;
	encode_field(e, f, in);
	size = b->size - start;
	prefix = uvarint_size((uint32_t)size);
	(void)buf_extend(b, prefix);
	memmove(b->data + start + prefix, b->data + start, size);
	uvarint_encode(b->data + start, (uint32_t)size);
}

static bool wants_tag(const struct encode *e, const struct message_field *f, const void *in)
{
	return field_has(f, e->version) && !field_is_default(f, in);
}

static void encode_tags(struct encode *e, const struct message *m, const void *in)
{
	uint32_t count = 0;

	for (uint32_t i = m->plain_count; i < m->field_count; i++)
		count += wants_tag(e, &m->field[i], in);
	writer_uvarint(e->w, count);
	for (uint32_t i = m->plain_count; count && i < m->field_count; i++) {
		if (wants_tag(e, &m->field[i], in)) {
			encode_tag(e, &m->field[i], in);
			count--;
		}
	}
}

static void encode_struct(struct encode *e, const struct message *m, const void *in)
{
	for (uint32_t i = 0; i < m->plain_count; i++) {
		const struct message_field *f = &m->field[i];

		if (field_has(f, e->version))
			encode_field(e, f, in);
	}
	if (e->flexible)
		encode_tags(e, m, in);
}

void message_encode(const struct message *m, int16_t version, struct writer *w, const void *in)
{
	struct encode e = { w, version, version >= m->flexible, NULL };

	check(version >= m->min && version <= m->max);
	encode_struct(&e, m, in);
}

size_t message_size(const struct message *m, int16_t version, const void *in)
{
	struct buf b = { 0 };
	struct writer w = writer_of(&b);
	size_t size = 0;
	struct encode e = { &w, version, version >= m->flexible, &size };

	check(version >= m->min && version <= m->max);
	encode_struct(&e, m, in);
	size += b.size;
	buf_fini(&b);
	return size;
}
