/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_MESSAGE_PRIVATE_H
#define WIRE_MESSAGE_PRIVATE_H

#include "wire/message.h"

/* How the tables are read: shared by decoding, encoding and printing. */

/* In a C struct, by enum wire_type. */
extern const uint8_t message_value_size[WIRE_STRUCT];

static inline bool field_has(const struct message_field *f, int16_t version)
{
	return version >= f->min && version <= f->max;
}

static inline bool field_is_nullable(const struct message_field *f, int16_t version)
{
	return f->null_min >= 0 && version >= f->null_min;
}

/* A nullable struct is a pointer. */
static inline bool field_is_pointer(const struct message_field *f)
{
	return f->type == WIRE_STRUCT && !f->is_array && f->null_min >= 0;
}

static inline size_t field_value_size(const struct message_field *f)
{
	return f->type == WIRE_STRUCT ? f->sub->size : message_value_size[f->type];
}

/* Does the field hold its default (and need no tag)? */
bool field_is_default(const struct message_field *f, const void *in);

#define FIELD_AT(f, base)    ((void *)((char *)(uintptr_t)(base) + (f)->offset))
#define FIELD_COUNT(f, base) (*(uint32_t *)(void *)((char *)(uintptr_t)(base) + (f)->count_offset))

#endif
