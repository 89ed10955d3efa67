/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/message.h"

#include "message_private.h"

const char wire_empty[1];

const uint8_t message_value_size[WIRE_STRUCT] = {
	[WIRE_BOOL] = sizeof(bool),
	[WIRE_I8] = 1,
	[WIRE_I16] = 2,
	[WIRE_U16] = 2,
	[WIRE_I32] = 4,
	[WIRE_U32] = 4,
	[WIRE_I64] = 8,
	[WIRE_F64] = 8,
	[WIRE_UUID] = sizeof(struct uuid),
	[WIRE_STRING] = sizeof(struct str),
	[WIRE_BYTES] = sizeof(struct span),
	[WIRE_RECORDS] = sizeof(struct records),
};

void message_defaults(const struct message *m, void *out)
{
	memcpy(out, m->defaults, m->size);
}

/* ---- decoding ---- */

struct decode {
	struct reader *r;
	struct arena *arena;
	int16_t version;
	bool flexible;
};

static size_t smallest_struct(const struct message *m, int16_t version, bool flexible);

/* On the wire, of a field's value or of an array's element. */
static size_t smallest_value(const struct message_field *f, int16_t version, bool flexible)
{
	static const uint8_t fixed[WIRE_STRUCT] = { 1, 1, 2, 2, 4, 4, 8, 8, 16, 2, 4, 4 };

	if (f->type == WIRE_STRUCT)
		return smallest_struct(f->sub, version, flexible);
	if (f->type >= WIRE_STRING && flexible && !f->is_inflexible)
		return 1;
	return fixed[f->type];
}

static size_t smallest(const struct message_field *f, int16_t version, bool flexible)
{
	if (f->is_array)
		return flexible && !f->is_inflexible ? 1 : 4;
	return field_is_pointer(f) ? 1 : smallest_value(f, version, flexible);
}

static size_t smallest_struct(const struct message *m, int16_t version, bool flexible)
{
	size_t size = flexible ? 1 : 0;

	for (uint32_t i = 0; i < m->plain_count; i++) {
		const struct message_field *f = &m->field[i];

		if (field_has(f, version))
			size += smallest(f, version, flexible);
	}
	return size;
}

static void decode_struct(struct decode *d, const struct message *m, void *out);

/* Length of a string, bytes or array, -1 for null where the field may be null. */
static int64_t take_length(struct decode *d, const struct message_field *f, size_t fixed_size)
{
	int64_t length = reader_length(d->r, d->flexible && !f->is_inflexible, fixed_size);

	if (length < 0 && !field_is_nullable(f, d->version))
		reader_fail(d->r, -EBADMSG);
	return d->r->err ? 0 : length;
}

static void decode_blob(struct decode *d, const struct message_field *f, void *at)
{
	int64_t length = take_length(d, f, f->type == WIRE_STRING ? 2 : 4);
	const uint8_t *data = length < 0 ? NULL : reader_take(d->r, (size_t)length);
	uint32_t size = data ? (uint32_t)length : 0;

	switch (f->type) {
	case WIRE_STRING:
		if (length > INT16_MAX)
			reader_fail(d->r, -EBADMSG);
		*(struct str *)at = (struct str){ (const char *)data, size };
		break;
	case WIRE_BYTES:
		*(struct span *)at = (struct span){ data, size };
		break;
	default:
		*(struct records *)at = (struct records){ data, size, NULL };
	}
}

/* Before a nullable struct: negative for null.  In a tag it is a varint, and 0 is null as well. */
static bool take_presence(struct decode *d, const struct message_field *f)
{
	bool present =
		f->tag >= 0 ? (int32_t)reader_uvarint(d->r) > 0 : (int8_t)reader_u8(d->r) >= 0;

	return present && !d->r->err;
}

static void decode_inner(struct decode *d, const struct message_field *f, void *at)
{
	void *sub = NULL;

	if (!field_is_pointer(f)) {
		decode_struct(d, f->sub, at);
		return;
	}
	if (take_presence(d, f)) {
		sub = arena_alloc(d->arena, f->sub->size);
		if (!sub)
			reader_fail(d->r, -ENOMEM);
		else
			decode_struct(d, f->sub, sub);
	}
	*(void **)at = sub;
}

static void decode_value(struct decode *d, const struct message_field *f, void *at)
{
	switch (f->type) {
	case WIRE_BOOL:
		*(bool *)at = reader_u8(d->r);
		break;
	case WIRE_I8:
		*(uint8_t *)at = reader_u8(d->r);
		break;
	case WIRE_I16:
	case WIRE_U16:
		*(int16_t *)at = reader_i16(d->r);
		break;
	case WIRE_I32:
	case WIRE_U32:
		*(int32_t *)at = reader_i32(d->r);
		break;
	case WIRE_I64:
	case WIRE_F64:
		*(int64_t *)at = reader_i64(d->r); /* a double's bits come in the same order */
		break;
	case WIRE_UUID:
		*(struct uuid *)at = reader_uuid(d->r);
		break;
	case WIRE_STRUCT:
		decode_inner(d, f, at);
		break;
	default:
		decode_blob(d, f, at);
	}
}

static void decode_array(struct decode *d, const struct message_field *f, void *out)
{
	int64_t count = take_length(d, f, 4);
	size_t size = field_value_size(f);
	char *array = WIRE_EMPTY;

	/* take_length() bounds the count by the bytes that are left, so nothing can overflow. */
	if (count > 0 &&
	    (size_t)count * smallest_value(f, d->version, d->flexible) > reader_left(d->r))
		reader_fail(d->r, -EBADMSG);
	if (count > 0 && !d->r->err) {
		array = arena_alloc(d->arena, (size_t)count * size);
		if (!array)
			reader_fail(d->r, -ENOMEM);
	}
	if (d->r->err)
		return;
	*(void **)FIELD_AT(f, out) = count < 0 ? NULL : array;
	FIELD_COUNT(f, out) = count < 0 ? 0 : (uint32_t)count;
	for (int64_t i = 0; i < count && !d->r->err; i++)
		decode_value(d, f, array + (size_t)i * size);
}

static inline void decode_field(struct decode *d, const struct message_field *f, void *out)
{
	if (f->is_array)
		decode_array(d, f, out);
	else
		decode_value(d, f, FIELD_AT(f, out));
}

static const struct message_field *find_tag(const struct message *m, int16_t version, uint32_t tag)
{
	for (uint32_t i = m->plain_count; i < m->field_count; i++) {
		const struct message_field *f = &m->field[i];

		if ((uint32_t)f->tag == tag && field_has(f, version))
			return f;
	}
	return NULL;
}

/* A known tag must fill its own size exactly; an unknown one is skipped. */
static void decode_tags(struct decode *d, const struct message *m, void *out)
{
	uint32_t count = reader_uvarint(d->r);

	for (; count && !d->r->err; count--) {
		const struct message_field *f = find_tag(m, d->version, reader_uvarint(d->r));
		uint32_t size = reader_uvarint(d->r);
		const uint8_t *start = reader_take(d->r, size);
		struct reader inside = { start, start ? start + size : NULL, 0 };
		struct decode sub = { &inside, d->arena, d->version, true };

		if (!start || !f)
			continue;
		decode_field(&sub, f, out);
		if (!inside.err && inside.pos != inside.end)
			inside.err = -EBADMSG;
		if (inside.err)
			reader_fail(d->r, inside.err);
	}
}

static void decode_struct(struct decode *d, const struct message *m, void *out)
{
	message_defaults(m, out);
	for (uint32_t i = 0; i < m->plain_count && !d->r->err; i++) {
		const struct message_field *f = &m->field[i];

		if (field_has(f, d->version))
			decode_field(d, f, out);
	}
	if (d->flexible)
		decode_tags(d, m, out);
}

int message_decode(const struct message *m, int16_t version, struct reader *r, struct arena *arena,
                   void *out)
{
	struct decode d = { r, arena, version, version >= m->flexible };

	check(version >= m->min && version <= m->max);
	decode_struct(&d, m, out);
	return r->err;
}
