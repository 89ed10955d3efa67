/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "out.h"

static void end_cell(struct table *t)
{
	t->cell = mem_grow(t->cell, t->cell_count, &t->cell_capacity, sizeof(*t->cell));
	t->cell[t->cell_count++] = t->text.size;
}

void table_str(struct table *t, struct str s)
{
	if (s.data)
		out_escape(&t->text, span_of(s));
	else
		buf_add(&t->text, "-", 1);
	end_cell(t);
}

void table_number(struct table *t, int64_t n)
{
	buf_printf(&t->text, "%" PRId64, n);
	end_cell(t);
}

void table_word(struct table *t, const char *word)
{
	table_str(t, str_of(word));
}

void table_row(struct table *t)
{
	if (!t->columns)
		t->columns = t->cell_count;
	check(t->columns && t->cell_count % t->columns == 0);
}

static struct str cell_at(const struct table *t, size_t i)
{
	size_t from = i ? t->cell[i - 1] : 0;

	return (struct str){ (const char *)t->text.data + from, (uint32_t)(t->cell[i] - from) };
}

static uint32_t width(const struct table *t, size_t column)
{
	uint32_t widest = 0;

	for (size_t i = column; i < t->cell_count; i += t->columns)
		if (cell_at(t, i).size > widest)
			widest = cell_at(t, i).size;
	return widest;
}

void table_print(struct table *t, const char *indent)
{
	uint32_t *wide = mem_array(t->columns + 1, sizeof(*wide));

	for (size_t c = 0; c < t->columns; c++)
		wide[c] = width(t, c);
	for (size_t i = 0; i < t->cell_count; i++) {
		size_t column = i % t->columns;
		struct str s = cell_at(t, i);

		printf("%s%.*s", column ? "  " : indent, STR_ARG(s));
		if (column + 1 < t->columns)
			printf("%*s", (int)(wide[column] - s.size), "");
		else
			putchar('\n');
	}
	mem_free(wide);
	mem_free(t->cell);
	buf_fini(&t->text);
	*t = (struct table){ 0 };
}
