/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_OUT_H
#define SLUICE_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/str.h"
#include "base/uuid.h"

/*
 * One line of output at a time, as JSON or as text for people:
 *
 *	{"type":"record","offset":7,"key":"k","value":null,"headers":[{"name":"a","value":"b"}]}
 *	record offset=7 key="k" value=null headers=[{"a" "b"}]
 *
 * Bytes that are no UTF-8 become NAME_base64 in JSON and \xNN in text.  A false flag is left out
 * of text.  All zero is a new one, for text.
 */
struct out {
	struct buf buf;
	bool json;
	bool fresh; /* nothing stands before in this line, list or item */
};

void out_begin(struct out *o, const char *type); /* text: two blanks first for each leading one */
void out_number(struct out *o, const char *name, int64_t value);
void out_hex(struct out *o, const char *name, uint32_t value); /* JSON: a number */
void out_flag(struct out *o, const char *name, bool value);
void out_word(struct out *o, const char *name, const char *value); /* text: unquoted */
void out_uuid(struct out *o, const char *name, struct uuid value);
void out_bytes(struct out *o, const char *name, struct span value); /* data NULL: null */
void out_json(struct out *o, const char *name, struct str json);    /* is JSON already */
void out_null(struct out *o, const char *name);
/* What lies between belongs to the list; items are objects. */
void out_list(struct out *o, const char *name);
void out_item(struct out *o);
void out_item_end(struct out *o);
void out_list_end(struct out *o);
void out_list_number(struct out *o, int64_t value); /* an item that is a number */
void out_end(struct out *o);                        /* to standard output */
void out_fini(struct out *o);

/* Appends the bytes as text does, without quotes around them. */
void out_escape(struct buf *to, struct span bytes);

static inline struct span span_of(struct str s)
{
	return (struct span){ (const uint8_t *)s.data, s.size };
}

#endif
