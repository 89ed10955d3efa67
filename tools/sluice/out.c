/* SPDX-License-Identifier: Apache-2.0 */
#include "out.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- bytes as text ---- */

/* The size of the character that begins here; 0: these bytes are no UTF-8. */
static size_t utf8_size(struct span s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t c = s.data[0];
	size_t size = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
	uint32_t code = size == 1 ? c : c & (0x7fu >> size);

	if (!size || size > s.size)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if (s.data[i] >> 6 != 2)
			return 0;
		code = code << 6 | (s.data[i] & 0x3f);
	}
	/* Longer than need be, half of a surrogate pair, or beyond Unicode. */
	if (code < least[size] || code >> 11 == 0xd800 >> 11 || code > 0x10ffff)
		return 0;
	return size;
}

static bool is_utf8(struct span s)
{
	while (s.size) {
		size_t size = utf8_size(s);

		if (!size)
			return false;
		s.data += size;
		s.size -= size;
	}
	return true;
}

/* `other` prints a byte that is no part of a character. */
static void escape(struct buf *to, struct span s, const char *control, const char *other)
{
	while (s.size) {
		uint8_t c = s.data[0];
		size_t size = utf8_size(s);

		if (c == '"' || c == '\\')
			buf_printf(to, "\\%c", c);
		else if (c == '\n')
			buf_printf(to, "\\n");
		else if (c == '\t')
			buf_printf(to, "\\t");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(to, control, c);
		else if (!size)
			buf_printf(to, other, c);
		else
			buf_add(to, s.data, size);
		s.data += size ? size : 1;
		s.size -= size ? size : 1;
	}
}

void out_escape(struct buf *to, struct span bytes)
{
	escape(to, bytes, "\\x%02x", "\\x%02x");
}

static void quote(struct out *o, struct span s)
{
	buf_add(&o->buf, "\"", 1);
	if (o->json)
		escape(&o->buf, s, "\\u%04x", "\\ufffd");
	else
		out_escape(&o->buf, s);
	buf_add(&o->buf, "\"", 1);
}

static void base64(struct buf *to, struct span s)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < s.size; i += 3) {
		size_t left = s.size - i;
		uint32_t bits = (uint32_t)s.data[i] << 16;
		char text[4];

		if (left > 1)
			bits |= (uint32_t)s.data[i + 1] << 8;
		if (left > 2)
			bits |= s.data[i + 2];
		for (int j = 0; j < 4; j++)
			text[j] = digit[bits >> (18 - 6 * j) & 63];
		if (left < 3)
			text[3] = '=';
		if (left < 2)
			text[2] = '=';
		buf_add(to, text, 4);
	}
}

/* ---- lines ---- */

static void separate(struct out *o)
{
	if (!o->fresh)
		buf_printf(&o->buf, o->json ? "," : " ");
	o->fresh = false;
}

static void name_it(struct out *o, const char *name, const char *suffix)
{
	separate(o);
	if (o->json)
		buf_printf(&o->buf, "\"%s%s\":", name, suffix);
	else
		buf_printf(&o->buf, "%s=", name);
}

void out_begin(struct out *o, const char *type)
{
	o->buf.size = 0;
	o->fresh = false;
	if (!o->json) {
		for (; *type == ' '; type++)
			buf_printf(&o->buf, "  ");
		buf_printf(&o->buf, "%s", type);
		return;
	}
	while (*type == ' ')
		type++;
	buf_printf(&o->buf, "{\"type\":\"%s\"", type);
}

void out_number(struct out *o, const char *name, int64_t value)
{
	name_it(o, name, "");
	buf_printf(&o->buf, "%" PRId64, value);
}

void out_hex(struct out *o, const char *name, uint32_t value)
{
	name_it(o, name, "");
	buf_printf(&o->buf, o->json ? "%" PRIu32 : "0x%08" PRIx32, value);
}

void out_flag(struct out *o, const char *name, bool value)
{
	if (o->json) {
		name_it(o, name, "");
		buf_printf(&o->buf, value ? "true" : "false");
	} else if (value) {
		separate(o);
		buf_printf(&o->buf, "%s", name);
	}
}

void out_word(struct out *o, const char *name, const char *value)
{
	name_it(o, name, "");
	buf_printf(&o->buf, o->json ? "\"%s\"" : "%s", value);
}

void out_uuid(struct out *o, const char *name, struct uuid value)
{
	char text[UUID_TEXT_SIZE + 1];

	uuid_format(value, text);
	out_word(o, name, text);
}

void out_bytes(struct out *o, const char *name, struct span value)
{
	bool as_base64 = o->json && value.data && !is_utf8(value);

	if (!value.data) {
		out_null(o, name);
		return;
	}
	name_it(o, name, as_base64 ? "_base64" : "");
	if (as_base64) {
		buf_add(&o->buf, "\"", 1);
		base64(&o->buf, value);
		buf_add(&o->buf, "\"", 1);
	} else {
		quote(o, value);
	}
}

void out_json(struct out *o, const char *name, struct str json)
{
	struct span s = span_of(json);

	name_it(o, name, "");
	/* Strings in it may come from anywhere; all else is ASCII. */
	while (s.size) {
		size_t size = utf8_size(s);

		if (size)
			buf_add(&o->buf, s.data, size);
		else
			buf_printf(&o->buf, "\\ufffd");
		s.data += size ? size : 1;
		s.size -= size ? size : 1;
	}
}

void out_null(struct out *o, const char *name)
{
	name_it(o, name, "");
	buf_printf(&o->buf, "null");
}

void out_list(struct out *o, const char *name)
{
	name_it(o, name, "");
	buf_printf(&o->buf, "[");
	o->fresh = true;
}

void out_item(struct out *o)
{
	separate(o);
	buf_printf(&o->buf, "{");
	o->fresh = true;
}

void out_item_end(struct out *o)
{
	buf_printf(&o->buf, "}");
	o->fresh = false;
}

void out_list_end(struct out *o)
{
	buf_printf(&o->buf, "]");
	o->fresh = false;
}

void out_list_number(struct out *o, int64_t value)
{
	separate(o);
	buf_printf(&o->buf, "%" PRId64, value);
}

void out_end(struct out *o)
{
	buf_printf(&o->buf, o->json ? "}\n" : "\n");
	fwrite(o->buf.data, 1, o->buf.size, stdout);
}

void out_fini(struct out *o)
{
	buf_fini(&o->buf);
}
