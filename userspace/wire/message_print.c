/* SPDX-License-Identifier: Apache-2.0 */
#include "message_private.h"
#include "wire/message.h"

/* What one does with messages besides sending them: compare, print, ask whether a version can carry
 * them. */

static bool values_equal(const struct message_field *f, const void *a, const void *b)
{
	switch (f->type) {
	case WIRE_STRUCT:
		return message_equal(f->sub, a, b);
	case WIRE_STRING: {
		const struct str *x = a;
		const struct str *y = b;

		return !x->data == !y->data && str_eq(*x, *y);
	}
	case WIRE_BYTES: {
		const struct span *x = a;
		const struct span *y = b;

		return !x->data == !y->data && x->size == y->size &&
		       (!x->size || !memcmp(x->data, y->data, x->size));
	}
	case WIRE_RECORDS: {
		const struct records *x = a;
		const struct records *y = b;

		return !x->data == !y->data && x->size == y->size && x->source == y->source &&
		       (!x->data || !memcmp(x->data, y->data, x->size));
	}
	default:
		return !memcmp(a, b, message_value_size[f->type]);
	}
}

static bool fields_equal(const struct message_field *f, const void *a, const void *b)
{
	const void *x = FIELD_AT(f, a);
	const void *y = FIELD_AT(f, b);
	const char *p;
	const char *q;

	if (!f->is_array && !field_is_pointer(f))
		return values_equal(f, x, y);
	p = *(const char *const *)x;
	q = *(const char *const *)y;
	if (f->null_min >= 0 && !p != !q)
		return false;
	if (field_is_pointer(f))
		return !p || message_equal(f->sub, p, q);
	if (FIELD_COUNT(f, a) != FIELD_COUNT(f, b))
		return false;
	for (uint32_t i = 0; i < FIELD_COUNT(f, a); i++) {
		if (!values_equal(f, p + i * field_value_size(f), q + i * field_value_size(f)))
			return false;
	}
	return true;
}

bool message_equal(const struct message *m, const void *a, const void *b)
{
	for (uint32_t i = 0; i < m->field_count; i++) {
		if (!fields_equal(&m->field[i], a, b))
			return false;
	}
	return true;
}

static const char *struct_unsupported(const struct message *m, int16_t version, const void *in);

static const char *field_unsupported(const struct message_field *f, int16_t version, const void *in)
{
	const char *at = FIELD_AT(f, in);
	uint32_t count = 1;
	const char *bad = NULL;

	if (!field_has(f, version))
		return f->is_ignorable || field_is_default(f, in) ? NULL : f->name;
	if (f->type != WIRE_STRUCT)
		return NULL;
	if (f->is_array)
		count = FIELD_COUNT(f, in);
	if (f->is_array || field_is_pointer(f))
		at = *(const char *const *)(const void *)at;
	for (uint32_t i = 0; at && i < count && !bad; i++)
		bad = struct_unsupported(f->sub, version, at + i * f->sub->size);
	return bad;
}

static const char *struct_unsupported(const struct message *m, int16_t version, const void *in)
{
	for (uint32_t i = 0; i < m->field_count; i++) {
		const char *bad = field_unsupported(&m->field[i], version, in);

		if (bad)
			return bad;
	}
	return NULL;
}

const char *message_unsupported(const struct message *m, int16_t version, const void *in)
{
	return struct_unsupported(m, version, in);
}

/* ---- JSON ---- */

static void print_string(struct buf *out, const char *data, size_t size)
{
	if (!data) {
		buf_printf(out, "null");
		return;
	}
	buf_printf(out, "\"");
	for (size_t i = 0; i < size; i++) {
		uint8_t c = (uint8_t)data[i];

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\u%04x", c);
		else
			buf_add(out, &data[i], 1);
	}
	buf_printf(out, "\"");
}

static void print_hex(struct buf *out, const uint8_t *data, size_t size)
{
	if (!data) {
		buf_printf(out, "null");
		return;
	}
	buf_printf(out, "\"");
	for (size_t i = 0; i < size; i++)
		buf_printf(out, "%02x", data[i]);
	buf_printf(out, "\"");
}

static void print_value(const struct message_field *f, int16_t version, const void *at,
                        struct buf *out)
{
	char text[UUID_TEXT_SIZE + 1];

	switch (f->type) {
	case WIRE_BOOL:
		buf_printf(out, *(const bool *)at ? "true" : "false");
		break;
	case WIRE_I8:
		buf_printf(out, "%d", *(const int8_t *)at);
		break;
	case WIRE_I16:
		buf_printf(out, "%d", *(const int16_t *)at);
		break;
	case WIRE_U16:
		buf_printf(out, "%u", *(const uint16_t *)at);
		break;
	case WIRE_I32:
		buf_printf(out, "%d", *(const int32_t *)at);
		break;
	case WIRE_U32:
		buf_printf(out, "%u", *(const uint32_t *)at);
		break;
	case WIRE_I64:
		buf_printf(out, "%lld", (long long)*(const int64_t *)at);
		break;
	case WIRE_F64:
		buf_printf(out, "%.17g", *(const double *)at);
		break;
	case WIRE_UUID:
		uuid_format(*(const struct uuid *)at, text);
		buf_printf(out, "\"%s\"", text);
		break;
	case WIRE_STRING:
		print_string(out, ((const struct str *)at)->data, ((const struct str *)at)->size);
		break;
	case WIRE_BYTES:
		print_hex(out, ((const struct span *)at)->data, ((const struct span *)at)->size);
		break;
	case WIRE_RECORDS:
		buf_printf(out, "{\"size\":%u}", ((const struct records *)at)->size);
		break;
	default:
		message_json(f->sub, version, at, out);
	}
}

static void print_array(const struct message_field *f, int16_t version, const char *array,
                        uint32_t count, struct buf *out)
{
	if (!array && f->null_min >= 0) {
		buf_printf(out, "null");
		return;
	}
	buf_printf(out, "[");
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			buf_printf(out, ",");
		print_value(f, version, array + i * field_value_size(f), out);
	}
	buf_printf(out, "]");
}

void message_json(const struct message *m, int16_t version, const void *in, struct buf *out)
{
	const char *separator = "{";

	for (uint32_t i = 0; i < m->field_count; i++) {
		const struct message_field *f = &m->field[i];
		const void *at = FIELD_AT(f, in);

		if (!field_has(f, version))
			continue;
		buf_printf(out, "%s\"%s\":", separator, f->name);
		separator = ",";
		if (f->is_array)
			print_array(f, version, *(const char *const *)at, FIELD_COUNT(f, in), out);
		else if (field_is_pointer(f) && !*(void *const *)at)
			buf_printf(out, "null");
		else
			print_value(f, version, field_is_pointer(f) ? *(void *const *)at : at, out);
	}
	buf_printf(out, "%s}", *separator == '{' ? "{" : "");
}
