/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_PROPERTIES_H
#define BROKER_PROPERTIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/str.h"

enum { PROPERTIES_BYTES_MAX = 1 << 20 };

/*
 * A file of properties as java.util.Properties.load() reads it: comments (# !), separators (= : or
 * blanks), lines continued with a backslash, escapes \t \n \r \f \uXXXX.  Differs in two things:
 * bytes beyond ASCII are kept as they are (UTF-8), where Java takes them for Latin-1; and \u0000 is
 * refused.
 */
struct property {
	struct str key;
	struct str value;
	uint32_t line; /* where it begins, from 1 */
};

struct properties { /* in the order of the file; a key may come again, the last one counts */
	struct property *item;
	size_t count;
	size_t capacity;
	char *text; /* what the strings point into */
};

/*
 * 0; -EBADMSG: a bad \u escape in line *ret_line; -EFBIG: over PROPERTIES_BYTES_MAX.
 * properties_fini() in any case.
 */
int properties_parse(struct span file, struct properties *ret, uint32_t *ret_line) must_check;
void properties_fini(struct properties *p);

#endif
