/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgc OUTDIR SCHEMA...   The schema compiler: OUTDIR/wire/NOUN.h with C structs for each NOUN.msg,
 * and OUTDIR/messages.c with the tables that wire/message.c interprets.
 *
 *	api KEY Name listeners broker controller [latest-unstable]
 *	request versions A..B [flexible N+]
 *		field   type   [versions] [tag N] [= default] [ignorable] [inflexible]
 *	response versions ...
 *	message name [id N] versions ...
 *
 * Types: bool i8 i16 u16 i32 u32 i64 f64 string bytes records uuid, a struct's name, []type; `?`
 *after it: nullable, `?3+`: from version 3 on.  Versions: none for all, `3+`, `..4`, `2..5`, `7`.
 *The lines indented below a field of a new struct are that struct's; later mentions name it only.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_MAX_SIZE = 128,
	FIELDS_MAX = 64,
	STRUCTS_MAX = 64,
	TOKENS_MAX = 24,
	MESSAGES_MAX = 512,
	APIS_MAX = 128
};

struct strct;

struct field {
	char name[NAME_MAX_SIZE];
	const char *type; /* of the table below, or NULL with sub */
	struct strct *sub;
	bool is_array;
	bool is_ignorable;
	bool is_inflexible;
	bool null_default;
	int min, max, null_min, tag;
	char number[32];
};

struct strct {
	char name[NAME_MAX_SIZE]; /* in the schema */
	char c_name[3 * NAME_MAX_SIZE];
	struct field field[FIELDS_MAX];
	int field_count;
	bool declared;
};

struct msg {
	int id;
	int min, max, flexible;
	struct strct st[STRUCTS_MAX]; /* [0] is the message itself */
	int struct_count;
};

static const struct {
	const char *name, *c_type, *constant;
} types[] = {
	{ "bool", "bool", "WIRE_BOOL" },          { "i8", "int8_t", "WIRE_I8" },
	{ "i16", "int16_t", "WIRE_I16" },         { "u16", "uint16_t", "WIRE_U16" },
	{ "i32", "int32_t", "WIRE_I32" },         { "u32", "uint32_t", "WIRE_U32" },
	{ "i64", "int64_t", "WIRE_I64" },         { "f64", "double", "WIRE_F64" },
	{ "uuid", "struct uuid", "WIRE_UUID" },   { "string", "struct str", "WIRE_STRING" },
	{ "bytes", "struct span", "WIRE_BYTES" }, { "records", "struct records", "WIRE_RECORDS" },
};

static const char *path;
static int line_number;
static FILE *tables;

static struct api {
	int key;
	char name[NAME_MAX_SIZE], noun[NAME_MAX_SIZE];
	bool broker, controller, unstable;
} api[APIS_MAX];
static int api_count;

static char message[MESSAGES_MAX][NAME_MAX_SIZE]; /* of all files, for the table of all */
static int message_count;

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", path, line_number);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static int type_at(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!strcmp(types[i].name, name))
			return (int)i;
	}
	return -1;
}

/* "3+", "..4", "2..5", "7" */
static bool is_versions(const char *t)
{
	return isdigit((unsigned char)t[0]) || !strncmp(t, "..", 2);
}

static void versions(const char *t, int *min, int *max)
{
	const char *dots = strstr(t, "..");

	if (dots) {
		if (dots != t)
			*min = atoi(t);
		*max = atoi(dots + 2);
	} else {
		*min = atoi(t);
		if (!strchr(t, '+'))
			*max = *min;
	}
}

static struct strct *find_struct(struct msg *m, const char *name)
{
	for (int i = 1; i < m->struct_count; i++) {
		if (!strcmp(m->st[i].name, name))
			return &m->st[i];
	}
	return NULL;
}

static struct strct *new_struct(struct msg *m, const char *name)
{
	struct strct *s;

	if (m->struct_count == STRUCTS_MAX)
		fail("too many structs");
	s = &m->st[m->struct_count++];
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->c_name, sizeof(s->c_name), "%.120s_%.120s", m->st[0].c_name, name);
	return s;
}

/* True: the struct is new, and the lines below are its fields. */
static bool set_type(struct msg *m, struct field *f, char *text)
{
	char *mark = strchr(text, '?');
	int type;

	f->null_min = -1;
	if (mark) {
		*mark = '\0';
		f->null_min = mark[1] ? atoi(mark + 1) : 0;
	}
	if (!strncmp(text, "[]", 2)) {
		f->is_array = true;
		text += 2;
	}
	type = type_at(text);
	if (type >= 0) {
		f->type = types[type].name;
		return false;
	}
	f->sub = find_struct(m, text);
	if (f->sub)
		return false;
	f->sub = new_struct(m, text);
	return true;
}

static void set_default(struct field *f, const char *text)
{
	if (!strcmp(text, "null"))
		f->null_default = true;
	else if (!strcmp(text, "true"))
		strcpy(f->number, "1");
	else if (isdigit((unsigned char)text[0]) || text[0] == '-')
		snprintf(f->number, sizeof(f->number), "%s", text);
	else
		fail("default %s", text);
}

static bool add_field(struct msg *m, struct strct *s, char **token, int count)
{
	struct field *f = &s->field[s->field_count++];
	bool is_new;

	if (s->field_count == FIELDS_MAX || count < 2)
		fail("a field is: name type ...");
	*f = (struct field){ .min = m->min, .max = INT16_MAX, .tag = -1, .number = "0" };
	snprintf(f->name, sizeof(f->name), "%s", token[0]);
	is_new = set_type(m, f, token[1]);
	for (int i = 2; i < count; i++) {
		if (is_versions(token[i]))
			versions(token[i], &f->min, &f->max);
		else if (!strcmp(token[i], "tag") && i + 1 < count)
			f->tag = atoi(token[++i]);
		else if (!strcmp(token[i], "=") && i + 1 < count)
			set_default(f, token[++i]);
		else if (!strcmp(token[i], "ignorable"))
			f->is_ignorable = true;
		else if (!strcmp(token[i], "inflexible"))
			f->is_inflexible = true;
		else
			fail("what is '%s'?", token[i]);
	}
	/* What the codec leaves out, because no message has it. */
	if (f->sub && !f->is_array && f->null_min > f->min)
		fail("a struct may be null in all of its versions or in none");
	if (f->tag >= 0 && f->type && !strcmp(f->type, "records"))
		fail("records have no tag");
	if (f->tag >= 0 && (f->min < m->flexible || f->tag >= FIELDS_MAX))
		fail("a tag needs a flexible version, and is a small number");
	return is_new;
}

static struct msg *begin_message(struct msg *m, const char *noun, char **token, int count)
{
	*m = (struct msg){ .id = -1, .flexible = INT16_MAX, .struct_count = 1 };
	snprintf(m->st[0].c_name, sizeof(m->st[0].c_name), "%s", noun);
	snprintf(m->st[0].name, sizeof(m->st[0].name), "%s", noun);
	for (int i = 0; i + 1 < count; i += 2) {
		if (!strcmp(token[i], "id"))
			m->id = atoi(token[i + 1]);
		else if (!strcmp(token[i], "versions"))
			versions(token[i + 1], &m->min, &m->max);
		else if (!strcmp(token[i], "flexible"))
			m->flexible = atoi(token[i + 1]);
		else
			fail("what is '%s'?", token[i]);
	}
	return m;
}

/* ---- what comes out ---- */

static const char *c_type(const struct field *f)
{
	static char text[4 * NAME_MAX_SIZE];

	if (f->sub)
		snprintf(text, sizeof(text), "struct %s", f->sub->c_name);
	else
		snprintf(text, sizeof(text), "%s", types[type_at(f->type)].c_type);
	return text;
}

static bool is_pointer(const struct field *f)
{
	return f->is_array || (f->sub && f->null_min >= 0);
}

static void declare(FILE *out, struct strct *s)
{
	if (s->declared)
		return;
	s->declared = true;
	for (int i = 0; i < s->field_count; i++) {
		if (s->field[i].sub)
			declare(out, s->field[i].sub);
	}
	fprintf(out, "struct %s {\n", s->c_name);
	for (int i = 0; i < s->field_count; i++) {
		const struct field *f = &s->field[i];

		fprintf(out, "\t%s %s%s;\n", c_type(f), is_pointer(f) ? "*" : "", f->name);
		if (f->is_array)
			fprintf(out, "\tuint32_t %s_count;\n", f->name);
	}
	if (!s->field_count)
		fprintf(out, "\tchar nothing;\n");
	fprintf(out, "};\n\n");
}

static void emit_header(FILE *out, struct msg *m)
{
	const char *n = m->st[0].c_name;

	declare(out, &m->st[0]);
	fprintf(out, "extern const struct message %s_message;\n\n", n);
	fprintf(out,
	        "static inline void %s_init(struct %s *m)\n{\n\tmessage_defaults(&%s_message, "
	        "m);\n}\n\n",
	        n, n, n);
	fprintf(out,
	        "static inline int %s_decode(struct reader *r, int16_t version, struct arena "
	        "*arena, struct %s *ret)\n"
	        "{\n\treturn message_decode(&%s_message, version, r, arena, ret);\n}\n\n",
	        n, n, n);
	fprintf(out,
	        "static inline void %s_encode(struct writer *w, int16_t version, const struct %s "
	        "*m)\n"
	        "{\n\tmessage_encode(&%s_message, version, w, m);\n}\n\n",
	        n, n, n);
}

static void emit_default(const struct field *f)
{
	const char *type = f->sub ? NULL : f->type;

	fprintf(tables, ".%s = ", f->name);
	if (f->is_array)
		fprintf(tables, "%s, .%s_count = 0", f->null_default ? "NULL" : "WIRE_EMPTY",
		        f->name);
	else if (is_pointer(f) && f->null_default)
		fputs("NULL", tables);
	else if (is_pointer(f))
		fprintf(tables, "(void *)&%s_default", f->sub->c_name);
	else if (f->sub)
		fprintf(tables, "%s_DEFAULTS", f->sub->c_name);
	else if (!strcmp(type, "uuid"))
		fputs("{ .byte = { 0 } }", tables);
	else if (!strcmp(type, "string"))
		fprintf(tables, "{ %s, 0 }", f->null_default ? "NULL" : "\"\"");
	else if (!strcmp(type, "bytes"))
		fprintf(tables, "{ %s, 0 }", f->null_default ? "NULL" : "WIRE_EMPTY");
	else if (!strcmp(type, "records"))
		fputs("{ NULL, 0, NULL }", tables);
	else
		fprintf(tables, "INT64_C(%s)", f->number);
	fputs(", ", tables);
}

static void emit_defaults(const struct strct *s)
{
	fprintf(tables, "#define %s_DEFAULTS { ", s->c_name);
	for (int i = 0; i < s->field_count; i++)
		emit_default(&s->field[i]);
	if (!s->field_count)
		fputs(".nothing = 0 ", tables);
	fprintf(tables, "}\nstatic const struct %s %s_default = %s_DEFAULTS;\n", s->c_name,
	        s->c_name, s->c_name);
}

static void emit_field(const struct strct *s, const struct field *f)
{
	fprintf(tables, "\t{ .name = \"%s\", .offset = offsetof(struct %s, %s), ", f->name,
	        s->c_name, f->name);
	if (f->is_array)
		fprintf(tables, ".is_array = true, .count_offset = offsetof(struct %s, %s_count), ",
		        s->c_name, f->name);
	if (f->sub)
		fprintf(tables, ".type = WIRE_STRUCT, .sub = &%s_message, ", f->sub->c_name);
	else
		fprintf(tables, ".type = %s, ", types[type_at(f->type)].constant);
	fprintf(tables,
	        ".is_ignorable = %d, .is_inflexible = %d, .null_default = %d, .tag = %d, "
	        ".min = %d, .max = %d, .null_min = %d, .number = INT64_C(%s) },\n",
	        f->is_ignorable, f->is_inflexible, f->null_default, f->tag, f->min, f->max,
	        f->null_min, f->number);
}

/* The plain fields as they stand, then the tagged ones by their tags. */
static int emit_fields(const struct strct *s)
{
	int plain = 0;

	fprintf(tables, "static const struct message_field %s_fields[] = {\n", s->c_name);
	for (int i = 0; i < s->field_count; i++) {
		if (s->field[i].tag < 0) {
			emit_field(s, &s->field[i]);
			plain++;
		}
	}
	for (int tag = 0; tag < FIELDS_MAX; tag++) {
		for (int i = 0; i < s->field_count; i++) {
			if (s->field[i].tag == tag)
				emit_field(s, &s->field[i]);
		}
	}
	fputs("};\n", tables);
	return plain;
}

static void emit_table(const struct msg *m, const struct strct *s)
{
	int plain = 0;

	emit_defaults(s);
	if (s->field_count)
		plain = emit_fields(s);
	fprintf(tables,
	        "%sconst struct message %s_message = { .name = \"%s\", .id = %d, .min = %d, .max = "
	        "%d, .flexible = %d, .plain_count = %d, .field_count = %d, .size = sizeof(struct "
	        "%s), .field = %s%s, .defaults = &%s_default };\n",
	        s == m->st ? "" : "static ", s->c_name, s->name, m->id, m->min, m->max, m->flexible,
	        plain, s->field_count, s->c_name, s->field_count ? s->c_name : "NULL",
	        s->field_count ? "_fields" : "", s->c_name);
}

static void emit_tables(const struct msg *m)
{
	for (int i = 1; i < m->struct_count; i++)
		fprintf(tables, "static const struct message %s_message;\n", m->st[i].c_name);
	/* Inner structs stand behind the outer ones: their defaults are needed first. */
	for (int i = m->struct_count - 1; i >= 0; i--)
		emit_table(m, &m->st[i]);
}

/* ---- one file ---- */

static int split(char *line, char **token)
{
	int count = 0;

	for (char *t = strtok(line, " \t\n"); t; t = strtok(NULL, " \t\n")) {
		if (t[0] == '#')
			break;
		if (count == TOKENS_MAX)
			fail("too many words");
		token[count++] = t;
	}
	return count;
}

static void begin_api(const char *noun, char **token, int count)
{
	struct api *a = &api[api_count++];

	if (count < 3 || api_count == APIS_MAX)
		fail("api KEY Name ...");
	*a = (struct api){ .key = atoi(token[1]) };
	snprintf(a->name, sizeof(a->name), "%s", token[2]);
	snprintf(a->noun, sizeof(a->noun), "%s", noun);
	for (int i = 3; i < count; i++) {
		a->broker |= !strcmp(token[i], "broker");
		a->controller |= !strcmp(token[i], "controller");
		a->unstable |= !strcmp(token[i], "latest-unstable");
	}
}

static struct msg *begin_section(const char *noun, char **token, int count, struct msg *m, int *key)
{
	char name[NAME_MAX_SIZE];

	if (!strcmp(token[0], "api")) {
		begin_api(noun, token, count);
		*key = atoi(token[1]);
		return NULL;
	}
	if (!strcmp(token[0], "message") && count >= 2)
		return begin_message(m, token[1], token + 2, count - 2);
	if (strcmp(token[0], "request") && strcmp(token[0], "response"))
		fail("what is '%s'?", token[0]);
	snprintf(name, sizeof(name), "%.60s_%s", noun, token[0]);
	begin_message(m, name, token + 1, count - 1);
	m->id = *key;
	return m;
}

static void end_message(FILE *out, struct msg *m)
{
	if (!m)
		return;
	emit_header(out, m);
	emit_tables(m);
	if (message_count == MESSAGES_MAX)
		fail("too many messages");
	snprintf(message[message_count++], NAME_MAX_SIZE, "%s", m->st[0].name);
}

static void compile(FILE *in, FILE *out, const char *noun)
{
	static struct msg space;
	struct msg *m = NULL;
	struct strct *at[16] = { NULL };
	char line[1024];
	char *token[TOKENS_MAX];
	int first = message_count;
	int key = -1;

	while (fgets(line, sizeof(line), in)) {
		int depth = (int)strspn(line, "\t");
		int count;

		line_number++;
		count = split(line, token);
		if (!count)
			continue;
		if (!depth) {
			end_message(out, m);
			m = begin_section(noun, token, count, &space, &key);
			at[1] = m ? &m->st[0] : NULL;
			continue;
		}
		if (!m || depth > 14 || !at[depth])
			fail("indented too far");
		memset(&at[depth + 1], 0, sizeof(at) - (size_t)(depth + 1) * sizeof(at[0]));
		if (add_field(m, at[depth], token, count))
			at[depth + 1] = at[depth]->field[at[depth]->field_count - 1].sub;
	}
	end_message(out, m);
	if (key >= 0)
		return;
	fprintf(out, "enum { %s_message_count = %d };\n", noun, message_count - first);
	fprintf(out, "extern const struct message *const %s_messages[%d];\n\n", noun,
	        message_count - first);
	fprintf(tables, "const struct message *const %s_messages[] = {\n", noun);
	for (int i = first; i < message_count; i++)
		fprintf(tables, "\t&%s_message,\n", message[i]);
	fprintf(tables, "};\n");
}

/* A header that would come out as it is stays untouched, and so does what includes it. */
static void replace(const char *name, const char *text, size_t size)
{
	FILE *f = fopen(name, "r");
	char *old = f ? malloc(size + 1) : NULL;
	bool same = old && fread(old, 1, size + 1, f) == size && !memcmp(old, text, size);

	free(old);
	if (f)
		fclose(f);
	if (same)
		return;
	f = fopen(name, "w");
	if (!f || fwrite(text, 1, size, f) != size || fclose(f))
		fail("cannot write %s", name);
}

static void compile_file(const char *dir)
{
	char noun[NAME_MAX_SIZE];
	char name[1024];
	const char *slash = strrchr(path, '/');
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!in || !out)
		fail("cannot open it");
	snprintf(noun, sizeof(noun), "%s", slash ? slash + 1 : path);
	*strrchr(noun, '.') = '\0';
	snprintf(name, sizeof(name), "%s/wire/%s.h", dir, noun);
	line_number = 0;
	fprintf(out,
	        "/* Made by tools/msgc from %s.msg. */\n#pragma once\n#include "
	        "\"wire/message.h\"\n\n",
	        noun);
	fprintf(tables, "#include \"wire/%s.h\"\n", noun);
	compile(in, out, noun);
	fclose(in);
	if (fclose(out))
		fail("no memory");
	replace(name, text, size);
	free(text);
}

static int by_key(const void *a, const void *b)
{
	return ((const struct api *)a)->key - ((const struct api *)b)->key;
}

int main(int argc, char **argv)
{
	char name[1024];

	if (argc < 3) {
		fputs("usage: msgc OUTDIR SCHEMA...\n", stderr);
		return 2;
	}
	snprintf(name, sizeof(name), "%s/messages.c", argv[1]);
	path = name;
	tables = fopen(name, "w");
	if (!tables)
		fail("cannot open it");
	fprintf(tables, "/* Made by tools/msgc. */\n#include <stddef.h>\n#include \"wire/api.h\"\n"
	                "#include \"wire/api_table.h\"\n");
	for (int i = 2; i < argc; i++) {
		path = argv[i];
		compile_file(argv[1]);
	}
	qsort(api, (size_t)api_count, sizeof(api[0]), by_key);
	fprintf(tables, "const struct wire_api wire_apis[] = {\n");
	for (int i = 0; i < api_count; i++)
		fprintf(tables,
		        "\t{ %d, \"%s\", &%s_request_message, &%s_response_message, %d, %d, %d "
		        "},\n",
		        api[i].key, api[i].name, api[i].noun, api[i].noun, api[i].broker,
		        api[i].controller, api[i].unstable);
	fprintf(tables, "};\nconst size_t wire_api_count = %d;\n", api_count);
	fprintf(tables, "const struct message *const wire_messages[] = {\n");
	for (int i = 0; i < message_count; i++)
		fprintf(tables, "\t&%s_message,\n", message[i]);
	fprintf(tables, "};\nconst size_t wire_message_count = %d;\n", message_count);
	return fclose(tables) ? 1 : 0;
}
