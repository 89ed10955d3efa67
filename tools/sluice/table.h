/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TABLE_H
#define SLUICE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * Rows for people, the columns as wide as what is in them.  All zero is a new one; the number of
 * columns is that of the first row.
 */
struct table {
	struct buf text; /* the cells, one behind the other */
	size_t *cell;    /* where each ends */
	size_t cell_count;
	size_t cell_capacity;
	size_t columns;
};

/* Null prints as "-", control characters as \xNN. */
void table_str(struct table *t, struct str s);
void table_number(struct table *t, int64_t n);
void table_word(struct table *t, const char *word);
void table_row(struct table *t); /* ends one */
/* To standard output; the table is empty then and can be used again. */
void table_print(struct table *t, const char *indent);

#endif
