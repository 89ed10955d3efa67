/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

struct parser {
	const char *at;
	const char *end;
	struct arena *arena;
	const char *why;
	int depth;
};

static struct json *value(struct parser *p);

static void *wrong(struct parser *p, const char *why)
{
	if (!p->why)
		p->why = why;
	return NULL;
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && strchr(" \t\r\n", *p->at) && *p->at)
		p->at++;
}

static bool take(struct parser *p, char c)
{
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

static bool take_word(struct parser *p, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(p->end - p->at) < size || memcmp(p->at, word, size))
		return false;
	p->at += size;
	return true;
}

/* ---- strings ---- */

static bool hex4(struct parser *p, uint32_t *ret)
{
	*ret = 0;
	for (int i = 0; i < 4; i++, p->at++) {
		if (p->at == p->end || !isxdigit((unsigned char)*p->at))
			return false;
		*ret = *ret << 4 |
		       (uint32_t)(isdigit((unsigned char)*p->at) ? *p->at - '0'
		                                                 : (*p->at | 0x20) - 'a' + 10);
	}
	return true;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* Behind \u: one character, which may be written as a pair of surrogates. */
static char *unicode(struct parser *p, char *to)
{
	uint32_t c, low;

	if (!hex4(p, &c))
		return wrong(p, "\\u without four hexadecimal digits");
	if (c >> 11 == 0xd800 >> 11) {
		if (c >= 0xdc00 || !take_word(p, "\\u") || !hex4(p, &low) ||
		    low >> 10 != 0xdc00 >> 10)
			return wrong(p, "half of a surrogate pair");
		c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
	}
	return put_utf8(to, c);
}

static char *escape(struct parser *p, char *to)
{
	static const char from[] = "\"\\/bfnrt";
	static const char is[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (take(p, 'u'))
		return unicode(p, to);
	at = p->at < p->end && *p->at ? strchr(from, *p->at) : NULL;
	if (!at)
		return wrong(p, "an unknown escape behind \\");
	p->at++;
	*to++ = is[at - from];
	return to;
}

/* No escape is shorter than what it means, so the source's size is room enough. */
static bool string(struct parser *p, struct str *ret)
{
	char *start = arena_alloc(p->arena, (size_t)(p->end - p->at) + 1);
	char *to = start;

	while (p->at < p->end && *p->at != '"') {
		if ((unsigned char)*p->at < 0x20)
			return wrong(p, "a control character in a string");
		if (!take(p, '\\'))
			*to++ = *p->at++;
		else if (!(to = escape(p, to)))
			return false;
	}
	if (!take(p, '"'))
		return wrong(p, "a string without end");
	*ret = (struct str){ start, (uint32_t)(to - start) };
	return true;
}

/* ---- the rest ---- */

static bool digits(struct parser *p)
{
	const char *start = p->at;

	while (p->at < p->end && isdigit((unsigned char)*p->at))
		p->at++;
	return p->at > start;
}

static bool number(struct parser *p)
{
	take(p, '-');
	if (!take(p, '0') && !digits(p))
		return wrong(p, "a value is wanted");
	if (take(p, '.') && !digits(p))
		return wrong(p, "a number with nothing behind its point");
	if (take(p, 'e') || take(p, 'E')) {
		if (!take(p, '+'))
			take(p, '-');
		if (!digits(p))
			return wrong(p, "a number with nothing behind its e");
	}
	return true;
}

static bool member_name(struct parser *p, struct str *ret)
{
	skip_blanks(p);
	if (!take(p, '"'))
		return wrong(p, "a name in quotes is wanted");
	if (!string(p, ret))
		return false;
	skip_blanks(p);
	return take(p, ':') || wrong(p, "a : is wanted");
}

/* The members of an object or a list up to its end. */
static bool members(struct parser *p, struct json *of, char end)
{
	struct json **last = &of->child;

	skip_blanks(p);
	if (take(p, end))
		return true;
	do {
		struct str name = { 0 };

		if (of->type == JSON_OBJECT && !member_name(p, &name))
			return false;
		*last = value(p);
		if (!*last)
			return false;
		(*last)->name = name;
		last = &(*last)->next;
		skip_blanks(p);
	} while (take(p, ','));
	return take(p, end) || wrong(p, end == '}' ? "a , or } is wanted" : "a , or ] is wanted");
}

static bool fill(struct parser *p, struct json *j)
{
	if (take(p, '"')) {
		j->type = JSON_STRING;
		return string(p, &j->string);
	}
	if (take(p, '{')) {
		j->type = JSON_OBJECT;
		return members(p, j, '}');
	}
	if (take(p, '[')) {
		j->type = JSON_LIST;
		return members(p, j, ']');
	}
	if (take_word(p, "null"))
		return true;
	j->type = JSON_TRUE;
	if (take_word(p, "true"))
		return true;
	j->type = JSON_FALSE;
	if (take_word(p, "false"))
		return true;
	j->type = JSON_NUMBER;
	return number(p);
}

static struct json *value(struct parser *p)
{
	struct json *j = arena_zalloc(p->arena, sizeof(*j));
	bool ok;

	skip_blanks(p);
	if (p->depth == DEPTH_MAX)
		return wrong(p, "too deep");
	j->text.data = p->at;
	p->depth++;
	ok = fill(p, j);
	p->depth--;
	j->text.size = (uint32_t)(p->at - j->text.data);
	return ok ? j : NULL;
}

struct json *json_parse(struct str text, struct arena *arena, const char **ret_why)
{
	struct parser p = { text.data, text.data + text.size, arena, NULL, 0 };
	struct json *j = value(&p);

	skip_blanks(&p);
	if (j && p.at < p.end)
		j = wrong(&p, "something stands behind the value");
	*ret_why = p.why;
	return j;
}

const struct json *json_get(const struct json *object, const char *name)
{
	if (object->type != JSON_OBJECT)
		return NULL;
	for (const struct json *j = object->child; j; j = j->next)
		if (str_eq(j->name, str_of(name)))
			return j;
	return NULL;
}

bool json_number(const struct json *j, int64_t *ret)
{
	char text[24];
	char *end;

	if (j->type != JSON_NUMBER || j->text.size >= sizeof(text))
		return false;
	memcpy(text, j->text.data, j->text.size);
	text[j->text.size] = '\0';
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return !*end && !errno;
}

bool json_base64(struct str text, struct arena *arena, struct span *ret)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *start = arena_alloc(arena, text.size + 1);
	uint8_t *to = start;
	uint32_t bits = 0;
	int count = 0;

	while (text.size && text.data[text.size - 1] == '=')
		text.size--;
	for (uint32_t i = 0; i < text.size; i++) {
		const char *at = text.data[i] ? strchr(digit, text.data[i]) : NULL;

		if (!at)
			return false;
		bits = bits << 6 | (uint32_t)(at - digit);
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		*to++ = (uint8_t)(bits >> count);
	}
	*ret = (struct span){ start, (size_t)(to - start) };
	return text.size % 4 != 1;
}
