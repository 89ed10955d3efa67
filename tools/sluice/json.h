/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_JSON_H
#define SLUICE_JSON_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/bytes.h"

/* A JSON value as a tree in an arena.  Numbers stay as they were written. */
struct json {
	enum json_type {
		JSON_NULL,
		JSON_FALSE,
		JSON_TRUE,
		JSON_NUMBER,
		JSON_STRING,
		JSON_LIST,
		JSON_OBJECT,
	} type;
	struct str name;   /* of a member of an object */
	struct str string; /* JSON_STRING: what it says, in UTF-8 */
	struct str text;   /* as it stands in the source */
	struct json *child;
	struct json *next; /* in the list or object */
};

/* NULL, and *ret_why says what is wrong: a static text. */
struct json *json_parse(struct str text, struct arena *arena, const char **ret_why);
/* NULL: no such member, or no object. */
const struct json *json_get(const struct json *object, const char *name);
/* False: it is no whole number, or too large. */
bool json_number(const struct json *j, int64_t *ret);
/* Padding may be left out; false: it is no base64. */
bool json_base64(struct str text, struct arena *arena, struct span *ret);

#endif
