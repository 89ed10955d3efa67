/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/str.h"
#include "base/uuid.h"
#include "wire/reader.h"
#include "wire/writer.h"

/*
 * The codec.  userspace/wire/schema/NOUN.msg is compiled (tools/msgc) to wire/NOUN.h, which has a
 * C struct for each message, one for all its versions, and to tables that describe them.  One
 * interpreter does the rest, so that every bounds check is in one place.
 *
 * In the structs
 *	string    struct str, data NULL is null
 *	bytes     struct span, data NULL is null
 *	records   struct records
 *	[]T       T *name; uint32_t name_count.  In a nullable field NULL is null and an empty array
 *	          is WIRE_EMPTY; elsewhere the pointer of an empty array does not matter
 *	T?        a pointer, NULL is null.  The rare T? whose default is not null (Kafka's generator
 *	          makes one where a definition forgets to say null) points to a constant by default
 *
 * A field that a version does not have is its default after decoding, and is left out of the
 * encoding.
 */
extern const char
	wire_empty[1]; /* in read-only memory: nobody adds to an array without making one */
#define WIRE_EMPTY ((void *)(uintptr_t)wire_empty)

struct records {
	const uint8_t *data; /* NULL with no source: null */
	uint32_t size;
	void *source; /* with data NULL: the bytes are elsewhere, see struct wire_splice */
};

enum wire_type {
	WIRE_BOOL,
	WIRE_I8,
	WIRE_I16,
	WIRE_U16,
	WIRE_I32,
	WIRE_U32,
	WIRE_I64,
	WIRE_F64,
	WIRE_UUID,
	WIRE_STRING,
	WIRE_BYTES,
	WIRE_RECORDS,
	WIRE_STRUCT,
};

struct message;

struct message_field {
	const char *name;
	const struct message *sub; /* WIRE_STRUCT */
	uint32_t offset;
	uint32_t count_offset; /* arrays */
	uint8_t type;          /* enum wire_type */
	bool is_array;
	bool is_ignorable;
	bool is_inflexible; /* not compact even in flexible versions */
	bool null_default;
	int16_t tag;      /* -1: none; where it has one, all its versions are flexible */
	int16_t min, max; /* versions that have it */
	int16_t null_min; /* versions from which it may be null; -1: never */
	int64_t number;   /* default; of strings only "" and null exist */
};

struct message {
	const char *name;     /* fetch_request; of a nested struct its own */
	int16_t id;           /* api key of a request, id of a record; -1: none */
	int16_t min, max;     /* versions */
	int16_t flexible;     /* from this version on */
	uint16_t plain_count; /* of the fields without a tag, which come first, in the wire's order
	                       */
	uint16_t field_count; /* behind them those with a tag, in the order of tags */
	uint32_t size;        /* of the C struct */
	const struct message_field *field;
	const void *defaults; /* a C struct */
};

void message_defaults(const struct message *m, void *out);

/*
 * 0 with the cursor after the body, -EBADMSG, or -ENOMEM when the arena's limit is reached. Nothing
 * is allocated for a count before that many smallest elements fit into what is left.
 */
int message_decode(const struct message *m, int16_t version, struct reader *r, struct arena *arena,
                   void *out) must_check;
void message_encode(const struct message *m, int16_t version, struct writer *w, const void *in);
size_t message_size(const struct message *m, int16_t version, const void *in); /* splices counted */

/* The first field that says something this version cannot carry and that matters; NULL: none. */
const char *message_unsupported(const struct message *m, int16_t version, const void *in);
bool message_equal(const struct message *m, const void *a, const void *b);
/* {"field": value, ...} of the fields that the version has. */
void message_json(const struct message *m, int16_t version, const void *in, struct buf *out);

#endif
