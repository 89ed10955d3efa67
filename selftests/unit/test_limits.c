/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/limits.h"

/* On a mismatch: the table of the document is to be what is printed here. */
static void the_document_has_the_table_of_bounds(void **state)
{
	struct buf table = { 0 }, document = { 0 };
	FILE *f = fopen("docs/threads.md", "r");
	bool found;

	(void)state;
	assert_non_null(f);
	while (!feof(f)) {
		char part[4096];

		buf_add(&document, part, fread(part, 1, sizeof(part), f));
	}
	fclose(f);
	limits_document(&table);
	buf_add(&table, "", 1);
	buf_add(&document, "", 1);
	found = strstr((char *)document.data, (char *)table.data);
	if (!found)
		(void)fputs((char *)table.data, stdout);
	assert_true(found);
	buf_fini(&table);
	buf_fini(&document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_document_has_the_table_of_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
