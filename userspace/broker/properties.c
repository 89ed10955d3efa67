/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/properties.h"

#include <errno.h>

#include "base/mem.h"

struct scan {
	const uint8_t *pos;
	const uint8_t *end;
	char *out; /* logical lines, then their unescaped keys and values, never longer */
	uint32_t line;
};

static bool is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

static void skip_blanks(struct scan *s)
{
	while (s->pos < s->end && is_blank(*s->pos))
		s->pos++;
}

/* At \n, \r or \r\n: over it. */
static void end_line(struct scan *s)
{
	bool was_cr = *s->pos++ == '\r';

	if (was_cr && s->pos < s->end && *s->pos == '\n')
		s->pos++;
	s->line++;
}

static bool at_line_end(const struct scan *s)
{
	return *s->pos == '\n' || *s->pos == '\r';
}

/*
 * The rest of a natural line, raw, into out; true when it ends in an odd backslash, left out, and
 * the file goes on behind it.
 */
static bool copy_line(struct scan *s)
{
	bool escaped = false;
	bool last;

	while (s->pos < s->end && !at_line_end(s)) {
		escaped = *s->pos == '\\' && !escaped;
		*s->out++ = (char)*s->pos++;
	}
	if (escaped)
		s->out--;
	if (s->pos == s->end)
		return false;
	last = s->pos + 1 == s->end;
	end_line(s);
	return escaped && !last;
}

/* Over what begins no line: blanks, empty lines, comments.  False at the end of the file. */
static bool find_line(struct scan *s)
{
	for (;;) {
		skip_blanks(s);
		if (s->pos == s->end)
			return false;
		if (at_line_end(s)) {
			end_line(s);
			continue;
		}
		if (*s->pos != '#' && *s->pos != '!')
			return true;
		while (s->pos < s->end && !at_line_end(s))
			s->pos++;
	}
}

/* The next logical line.  data NULL at the end of the file. */
static struct str next_line(struct scan *s, uint32_t *ret_line)
{
	char *start = s->out;
	bool more;

	do {
		if (!find_line(s))
			return (struct str){ NULL, 0 };
		*ret_line = s->line;
		more = copy_line(s);
		while (more && s->out > start) {
			skip_blanks(s);
			more = copy_line(s);
		}
	} while (more); /* a lone backslash continues nothing: the next line is a new one */
	return (struct str){ start, (uint32_t)(s->out - start) };
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Four hex digits; -1 when they are not. */
static int32_t read_hex(struct str s, uint32_t at)
{
	int32_t value = 0;

	if (s.size < 4 || at > s.size - 4)
		return -1;
	for (uint32_t i = at; i < at + 4; i++) {
		if (hex_value(s.data[i]) < 0)
			return -1;
		value = value << 4 | hex_value(s.data[i]);
	}
	return value;
}

static char *put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* After "\u" at `at`: one character of one or two escapes.  0 when it is malformed. */
static uint32_t unescape_unicode(struct str raw, uint32_t *at)
{
	int32_t high = read_hex(raw, *at);
	int32_t low;

	if (high <= 0)
		return 0;
	*at += 4;
	if (high < 0xd800 || high > 0xdfff)
		return (uint32_t)high;
	if (high < 0xdc00 && *at + 1 < raw.size && raw.data[*at] == '\\' &&
	    raw.data[*at + 1] == 'u') {
		low = read_hex(raw, *at + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*at += 6;
			return 0x10000u + (((uint32_t)high - 0xd800u) << 10) +
			       ((uint32_t)low - 0xdc00u);
		}
	}
	return '?'; /* half a pair, as Java writes it in UTF-8 */
}

/* In place. */
static int unescape(char *data, uint32_t size, struct str *ret)
{
	struct str raw = { data, size };
	char *out = data;
	uint32_t i = 0;

	while (i < raw.size) {
		char c = raw.data[i++];

		if (c != '\\' || i == raw.size) {
			*out++ = c;
			continue;
		}
		c = raw.data[i++];
		if (c == 'u') {
			uint32_t unicode = unescape_unicode(raw, &i);

			if (!unicode)
				return -EBADMSG;
			out = put_utf8(out, unicode);
			continue;
		}
		*out++ = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
	}
	*ret = (struct str){ data, (uint32_t)(out - data) };
	return 0;
}

static int split(char *data, uint32_t size, struct property *ret)
{
	uint32_t key = 0;
	uint32_t value;
	int err;

	while (key < size && !is_blank(data[key]) && data[key] != '=' && data[key] != ':')
		key += data[key] == '\\' && key + 1 < size ? 2 : 1;
	value = key;
	while (value < size && is_blank(data[value]))
		value++;
	if (value < size && (data[value] == '=' || data[value] == ':'))
		value++;
	while (value < size && is_blank(data[value]))
		value++;
	err = unescape(data, key, &ret->key);
	return err ? err : unescape(data + value, size - value, &ret->value);
}

int properties_parse(struct span file, struct properties *ret, uint32_t *ret_line)
{
	struct scan s = { file.data, file.data + file.size, NULL, 1 };

	*ret = (struct properties){ 0 };
	if (file.size > PROPERTIES_BYTES_MAX)
		return -EFBIG;
	ret->text = mem_alloc(file.size + 1);
	s.out = ret->text;
	for (;;) {
		char *start = s.out;
		struct str line = next_line(&s, ret_line);
		struct property *item;

		if (!line.data)
			return 0;
		ret->item = mem_grow(ret->item, ret->count, &ret->capacity, sizeof(*ret->item));
		item = &ret->item[ret->count++];
		item->line = *ret_line;
		if (split(start, line.size, item))
			return -EBADMSG;
	}
}

void properties_fini(struct properties *p)
{
	mem_free(p->item);
	mem_free(p->text);
	*p = (struct properties){ 0 };
}
