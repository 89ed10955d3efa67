/* SPDX-License-Identifier: Apache-2.0 */
#include "base/regex.h"

#include "base/mem.h"

/*
 * An expression becomes a program for a machine that is in many places at once (Thompson): each
 * byte of the text moves all of them one step.
 */
enum {
	PROGRAM_MAX = 1000, /* instructions */
	STEPS_MAX = 100000, /* of the parser: repeated groups are read again */
	DEPTH_MAX = 50,     /* of groups */
	REPEAT_MAX = 1000,
};

enum op { OP_SET, OP_SPLIT, OP_JUMP, OP_BEGIN, OP_END, OP_MATCH };

struct instruction {
	enum op op;
	uint16_t next[2]; /* SPLIT both, JUMP the first */
	uint8_t set[32];  /* of bytes */
};

struct regex {
	uint16_t count;
	struct instruction at[];
};

struct parser {
	struct str text;
	uint32_t pos;
	uint32_t steps;
	uint32_t depth;
	bool failed;
	struct instruction *at;
	size_t count;
	size_t capacity;
};

/* ---- the program ---- */

static uint16_t emit(struct parser *p, enum op op)
{
	if (p->failed || p->count >= PROGRAM_MAX) {
		p->failed = true;
		return 0;
	}
	p->at = mem_grow(p->at, p->count, &p->capacity, sizeof(*p->at));
	p->at[p->count] = (struct instruction){ .op = op };
	return (uint16_t)p->count++;
}

/* Makes room for one instruction at `from`: what follows moves, and so do its jumps. */
static void insert(struct parser *p, uint16_t from, enum op op)
{
	(void)emit(p, op); /* room for it, or failed */
	if (p->failed)
		return;
	memmove(&p->at[from + 1], &p->at[from], (p->count - 1 - from) * sizeof(*p->at));
	p->at[from] = (struct instruction){ .op = op };
	for (size_t i = from + 1; i < p->count; i++)
		for (int k = 0; k < 2; k++)
			if ((p->at[i].op == OP_SPLIT || p->at[i].op == OP_JUMP) &&
			    p->at[i].next[k] >= from)
				p->at[i].next[k]++;
}

static void set_add(uint8_t *set, uint8_t first, uint8_t last)
{
	for (unsigned int c = first; c <= last; c++)
		set[c / 8] |= (uint8_t)(1 << c % 8);
}

static void set_invert(uint8_t *set)
{
	for (int i = 0; i < 32; i++)
		set[i] = (uint8_t)~set[i];
}

/* ---- parsing ---- */

static bool at_end(struct parser *p)
{
	if (++p->steps > STEPS_MAX)
		p->failed = true;
	return p->failed || p->pos >= p->text.size;
}

static bool take(struct parser *p, char c)
{
	if (at_end(p) || p->text.data[p->pos] != c)
		return false;
	p->pos++;
	return true;
}

static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void add_class(uint8_t *set, char name)
{
	uint8_t own[32] = { 0 };

	switch (name) {
	case 'd':
	case 'D':
		set_add(own, '0', '9');
		break;
	case 'w':
	case 'W':
		set_add(own, '0', '9');
		set_add(own, 'a', 'z');
		set_add(own, 'A', 'Z');
		set_add(own, '_', '_');
		break;
	default:
		set_add(own, '\t', '\r');
		set_add(own, ' ', ' ');
	}
	if (name < 'a')
		set_invert(own);
	for (int i = 0; i < 32; i++)
		set[i] |= own[i];
}

/* Behind a backslash.  -1: it was a class, or wrong; else the byte that it stands for. */
static int escape(struct parser *p, uint8_t *set)
{
	char c;

	if (at_end(p)) {
		p->failed = true;
		return -1;
	}
	c = p->text.data[p->pos++];
	switch (c) {
	case 'd':
	case 'D':
	case 'w':
	case 'W':
	case 's':
	case 'S':
		add_class(set, c);
		return -1;
	case 't':
		return '\t';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	default:
		if (is_letter_or_digit(c))
			p->failed = true;
		return (uint8_t)c;
	}
}

/* A byte of a class; -1: it was an escaped class. */
static int class_byte(struct parser *p, uint8_t *set)
{
	char c;

	if (at_end(p)) {
		p->failed = true;
		return -1;
	}
	c = p->text.data[p->pos++];
	if (c == '\\')
		return escape(p, set);
	if (c == '[' || c == '&')
		p->failed = true; /* Java's classes of classes */
	return (uint8_t)c;
}

static bool ends_range(const struct parser *p)
{
	return p->pos + 1 < p->text.size && p->text.data[p->pos] == '-' &&
	       p->text.data[p->pos + 1] != ']';
}

/* Behind '['. */
static void parse_class(struct parser *p)
{
	uint8_t set[32] = { 0 };
	bool inverted = take(p, '^');
	bool first = true;
	uint16_t at;

	while (!p->failed && (first || !take(p, ']'))) {
		int from = class_byte(p, set);
		int to = from;

		first = false;
		if (from >= 0 && ends_range(p)) {
			p->pos++;
			to = class_byte(p, set);
			if (to < from)
				p->failed = true;
		}
		if (from >= 0 && !p->failed)
			set_add(set, (uint8_t)from, (uint8_t)to);
	}
	if (inverted)
		set_invert(set);
	at = emit(p, OP_SET);
	if (!p->failed)
		memcpy(p->at[at].set, set, sizeof(set));
}

static void parse_alternatives(struct parser *p);

/* Behind '('. */
static void parse_group(struct parser *p)
{
	if (take(p, '?') && !take(p, ':'))
		p->failed = true;
	if (++p->depth > DEPTH_MAX)
		p->failed = true;
	if (!p->failed)
		parse_alternatives(p);
	p->depth--;
	if (!take(p, ')'))
		p->failed = true;
}

static void parse_atom(struct parser *p)
{
	uint8_t set[32] = { 0 };
	char c = p->text.data[p->pos++];
	uint16_t at;
	int byte;

	switch (c) {
	case '(':
		parse_group(p);
		return;
	case '[':
		parse_class(p);
		return;
	case '^':
		(void)emit(p, OP_BEGIN); /* its place does not matter */
		return;
	case '$':
		(void)emit(p, OP_END);
		return;
	case '*':
	case '+':
	case '?':
	case '{':
		p->failed = true;
		return;
	case '.':
		set_add(set, '\n', '\n');
		set_add(set, '\r', '\r');
		set_invert(set);
		break;
	case '\\':
		byte = escape(p, set);
		if (byte >= 0)
			set_add(set, (uint8_t)byte, (uint8_t)byte);
		break;
	default:
		set_add(set, (uint8_t)c, (uint8_t)c);
	}
	at = emit(p, OP_SET);
	if (!p->failed)
		memcpy(p->at[at].set, set, sizeof(set));
}

/* From `start` on: once or not at all. */
static void make_optional(struct parser *p, uint16_t start)
{
	insert(p, start, OP_SPLIT);
	if (p->failed)
		return;
	p->at[start].next[0] = (uint16_t)(start + 1);
	p->at[start].next[1] = (uint16_t)p->count;
}

/* From `start` on: again and again. */
static void make_loop(struct parser *p, uint16_t start)
{
	uint16_t at = emit(p, OP_SPLIT);

	if (p->failed)
		return;
	p->at[at].next[0] = start;
	p->at[at].next[1] = (uint16_t)p->count;
}

static bool parse_number(struct parser *p, uint32_t *ret)
{
	uint32_t value = 0;
	uint32_t begin = p->pos;

	while (!at_end(p) && p->text.data[p->pos] >= '0' && p->text.data[p->pos] <= '9' &&
	       value <= REPEAT_MAX)
		value = value * 10 + (uint32_t)(p->text.data[p->pos++] - '0');
	*ret = value;
	return p->pos > begin && value <= REPEAT_MAX;
}

/* How often: *ret_max UINT32_MAX for no end.  False: once, nothing is said. */
static bool parse_repeat(struct parser *p, uint32_t *ret_min, uint32_t *ret_max)
{
	*ret_min = 0;
	*ret_max = UINT32_MAX;
	if (take(p, '*')) {
		/* any */
	} else if (take(p, '+')) {
		*ret_min = 1;
	} else if (take(p, '?')) {
		*ret_max = 1;
	} else if (take(p, '{')) {
		if (!parse_number(p, ret_min))
			p->failed = true;
		*ret_max = *ret_min;
		if (take(p, ',') && !parse_number(p, ret_max))
			*ret_max = UINT32_MAX;
		if (!take(p, '}') || *ret_max < *ret_min)
			p->failed = true;
	} else {
		return false;
	}
	if (!take(p, '?') && take(p, '+'))
		p->failed = true; /* possessive: not regular */
	return true;
}

/* The atom is read again for each time that it must or may come. */
static void repeat(struct parser *p, uint32_t atom, uint32_t min, uint32_t max)
{
	uint32_t behind = p->pos;
	uint32_t times = max == UINT32_MAX ? (min ? min : 1) : max;

	for (uint32_t i = 0; i < times && !p->failed; i++) {
		uint16_t start = (uint16_t)p->count;

		p->pos = atom;
		parse_atom(p);
		if (max == UINT32_MAX && i + 1 == times)
			make_loop(p, start);
		if (i >= min)
			make_optional(p, start);
	}
	p->pos = behind;
}

static void parse_sequence(struct parser *p)
{
	while (!at_end(p) && p->text.data[p->pos] != '|' && p->text.data[p->pos] != ')') {
		uint32_t atom = p->pos;
		size_t start = p->count;
		uint32_t min;
		uint32_t max;

		parse_atom(p);
		if (!p->failed && parse_repeat(p, &min, &max)) {
			p->count = start;
			repeat(p, atom, min, max);
		}
	}
}

static void parse_alternatives(struct parser *p)
{
	uint16_t start = (uint16_t)p->count;

	parse_sequence(p);
	while (take(p, '|')) {
		uint16_t jump;

		insert(p, start, OP_SPLIT);
		jump = emit(p, OP_JUMP);
		if (p->failed)
			return;
		p->at[start].next[0] = (uint16_t)(start + 1);
		p->at[start].next[1] = (uint16_t)p->count;
		start = (uint16_t)p->count;
		parse_alternatives(p);
		if (p->failed)
			return;
		p->at[jump].next[0] = (uint16_t)p->count;
	}
}

struct regex *regex_new(struct str pattern)
{
	struct parser p = { .text = pattern };
	struct regex *r = NULL;

	parse_alternatives(&p);
	(void)emit(&p, OP_MATCH); /* or failed */
	if (!p.failed && p.pos == pattern.size) {
		r = mem_zalloc(sizeof(*r) + p.count * sizeof(r->at[0]));
		r->count = (uint16_t)p.count;
		memcpy(r->at, p.at, p.count * sizeof(r->at[0]));
	}
	mem_free(p.at);
	return r;
}

void regex_free(struct regex *r)
{
	mem_free(r);
}

/* ---- matching ---- */

struct places {
	uint16_t at[PROGRAM_MAX];
	uint16_t count;
	bool is_in[PROGRAM_MAX];
};

/* Adds a place and all that can be reached from it without a byte. */
static void enter(const struct regex *r, struct places *s, uint16_t at, bool begins, bool ends)
{
	uint16_t todo[PROGRAM_MAX + 1];
	uint32_t count = 0;

	todo[count++] = at;
	while (count) {
		const struct instruction *i;

		at = todo[--count];
		if (s->is_in[at])
			continue;
		s->is_in[at] = true;
		i = &r->at[at];
		if (i->op == OP_SET || i->op == OP_MATCH) {
			s->at[s->count++] = at;
			continue;
		}
		if ((i->op == OP_BEGIN && !begins) || (i->op == OP_END && !ends))
			continue;
		if (i->op == OP_BEGIN || i->op == OP_END) {
			todo[count++] = (uint16_t)(at + 1);
			continue;
		}
		if (i->op == OP_SPLIT && !s->is_in[i->next[1]])
			todo[count++] = i->next[1];
		if (!s->is_in[i->next[0]])
			todo[count++] = i->next[0];
	}
}

bool regex_matches(const struct regex *r, struct str text)
{
	struct places set[2] = { 0 };
	struct places *now = &set[0];

	if (text.size > REGEX_TEXT_MAX)
		return false;
	enter(r, now, 0, true, !text.size);
	for (uint32_t i = 0; i < text.size; i++) {
		struct places *next = now == &set[0] ? &set[1] : &set[0];
		uint8_t c = (uint8_t)text.data[i];

		next->count = 0;
		memset(next->is_in, 0, sizeof(next->is_in));
		for (uint16_t k = 0; k < now->count; k++) {
			const struct instruction *at = &r->at[now->at[k]];

			if (at->op == OP_SET && at->set[c / 8] >> c % 8 & 1)
				enter(r, next, (uint16_t)(now->at[k] + 1), false,
				      i + 1 == text.size);
		}
		now = next;
	}
	for (uint16_t k = 0; k < now->count; k++)
		if (r->at[now->at[k]].op == OP_MATCH)
			return true;
	return false;
}
