/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SELFTESTS_UNIT_MESSAGE_FILL_H
#define SELFTESTS_UNIT_MESSAGE_FILL_H

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/prng.h"
#include "wire/message.h"

/*
 * Messages filled from a seed.  What a field holds depends on the seed, the message, the version,
 * and the names and indexes that lead to it, and on nothing else: selftests/golden/message/Gen.java
 * finds the same values by itself, from Kafka's classes, so two encodings that are equal agree in
 * what each field means and not only in its shape.  Seed 0 is the defaults.
 */
struct fill {
	struct arena *arena;
	int16_t version;
};

static inline uint64_t fill_step(uint64_t path, uint64_t x)
{
	struct prng p = { path ^ (x + 1) * 0xff51afd7ed558ccdu };

	return prng_next(&p);
}

static inline uint64_t fill_name(uint64_t path, const char *name)
{
	for (; *name; name++)
		path = (path ^ (uint8_t)*name) * 0x100000001b3u;
	return fill_step(path, 0);
}

static inline void *fill_alloc(struct fill *fill, size_t size)
{
	void *p = arena_zalloc(fill->arena, size ? size : 1);

	check(p);
	return p;
}

/* Zero, the ends of the range, -1, or anything. */
static inline uint64_t fill_number(struct prng *p, uint32_t shape, int bits)
{
	switch (shape) {
	case 0:
		return 0;
	case 1:
		return UINT64_C(1) << (bits - 1);
	case 2:
		return (UINT64_C(1) << (bits - 1)) - 1;
	case 3:
		return UINT64_MAX;
	default:
		return prng_next(p);
	}
}

static inline struct uuid fill_uuid(struct prng *p, uint32_t shape)
{
	struct uuid u = UUID_ZERO;

	if (!shape)
		return u;
	store_be64(u.byte, prng_next(p));
	store_be64(u.byte + 8, prng_next(p));
	return u;
}

static inline uint32_t fill_size(uint32_t shape, uint32_t extra)
{
	if (shape == 1)
		return 0;
	return shape == 2 ? 130 + extra % 200 : 1 + extra % 12;
}

static inline struct str fill_string(struct fill *fill, uint32_t shape, uint32_t extra)
{
	uint32_t size = fill_size(shape, extra);
	char *text = fill_alloc(fill, 2 * (size_t)size);

	if (shape == 3) {
		for (uint32_t i = 0; i < size; i++)
			memcpy(text + 2 * i, "\xc3\xa9", 2);
		return (struct str){ text, 2 * size };
	}
	for (uint32_t i = 0; i < size; i++)
		text[i] = (char)('a' + (extra % 26 + i) % 26);
	return (struct str){ text, size };
}

static inline struct span fill_bytes(struct fill *fill, uint32_t shape, uint32_t extra)
{
	uint32_t size = fill_size(shape, extra);
	uint8_t *data = fill_alloc(fill, size);

	for (uint32_t i = 0; i < size; i++)
		data[i] = (uint8_t)(extra + 7 * i);
	return (struct span){ data, size };
}

static inline void fill_struct(struct fill *fill, const struct message *m, uint64_t path, int depth,
                               void *out);

static inline void fill_blob(struct fill *fill, const struct message_field *f, uint32_t shape,
                             uint32_t extra, void *at)
{
	struct span bytes;

	if (f->type == WIRE_STRING) {
		*(struct str *)at = fill_string(fill, shape, extra);
		return;
	}
	bytes = fill_bytes(fill, shape, extra);
	if (f->type == WIRE_BYTES)
		*(struct span *)at = bytes;
	else
		*(struct records *)at = (struct records){ bytes.data, (uint32_t)bytes.size, NULL };
}

static inline bool fill_is_nullable(const struct fill *fill, const struct message_field *f)
{
	return f->null_min >= 0 && fill->version >= f->null_min;
}

/* One value, of a field or of an array's element: the latter is never null. */
static inline void fill_value(struct fill *fill, const struct message_field *f, uint64_t path,
                              int depth, void *at)
{
	struct prng p = { path };
	uint64_t r = prng_next(&p);
	uint32_t shape = r & 15;
	uint32_t extra = (uint32_t)(r >> 8);

	switch (f->type) {
	case WIRE_BOOL:
		*(bool *)at = extra & 1;
		break;
	case WIRE_I8:
		*(uint8_t *)at = (uint8_t)fill_number(&p, shape, 8);
		break;
	case WIRE_I16:
	case WIRE_U16:
		*(uint16_t *)at = (uint16_t)fill_number(&p, shape, 16);
		break;
	case WIRE_I32:
	case WIRE_U32:
		*(uint32_t *)at = (uint32_t)fill_number(&p, shape, 32);
		break;
	case WIRE_I64:
		*(uint64_t *)at = fill_number(&p, shape, 64);
		break;
	case WIRE_F64:
		*(double *)at = (double)(int32_t)fill_number(&p, shape, 32) / 8;
		break;
	case WIRE_UUID:
		*(struct uuid *)at = fill_uuid(&p, shape);
		break;
	case WIRE_STRUCT:
		fill_struct(fill, f->sub, path, depth, at);
		break;
	default:
		if (shape || f->is_array || !fill_is_nullable(fill, f))
			fill_blob(fill, f, shape, extra, at);
		else
			memset(at, 0,
			       f->type == WIRE_STRING  ? sizeof(struct str)
			       : f->type == WIRE_BYTES ? sizeof(struct span)
			                               : sizeof(struct records));
	}
}

static inline size_t fill_value_size(const struct message_field *f)
{
	static const uint8_t size[] = { sizeof(bool),
		                        1,
		                        2,
		                        2,
		                        4,
		                        4,
		                        8,
		                        8,
		                        sizeof(struct uuid),
		                        sizeof(struct str),
		                        sizeof(struct span),
		                        sizeof(struct records) };

	return f->type == WIRE_STRUCT ? f->sub->size : size[f->type];
}

static inline void fill_array(struct fill *fill, const struct message_field *f, uint64_t path,
                              int depth, void *out)
{
	struct prng p = { path };
	uint64_t r = prng_next(&p);
	uint32_t shape = r & 15;
	uint32_t count = 1 + (uint32_t)(r >> 8) % (depth < 2 ? 3 : 2);
	size_t size = fill_value_size(f);
	char *array;

	if (shape < 3)
		count = 0;
	else if (shape == 3 && f->type == WIRE_I32)
		count = 130;
	array = count ? fill_alloc(fill, count * size) : WIRE_EMPTY;
	if (!shape && fill_is_nullable(fill, f))
		array = NULL;
	*(void **)(void *)((char *)out + f->offset) = array;
	*(uint32_t *)(void *)((char *)out + f->count_offset) = count;
	for (uint32_t i = 0; i < count; i++)
		fill_value(fill, f, fill_step(path, i), depth + 1, array + i * size);
}

static inline void fill_struct(struct fill *fill, const struct message *m, uint64_t path, int depth,
                               void *out)
{
	message_defaults(m, out);
	for (uint32_t i = 0; i < m->field_count; i++) {
		const struct message_field *f = &m->field[i];
		uint64_t to = fill_name(path, f->name);
		void *at = (char *)out + f->offset;

		if (fill->version < f->min || fill->version > f->max)
			continue;
		if (f->is_array) {
			fill_array(fill, f, to, depth, out);
		} else if (f->type == WIRE_STRUCT && f->null_min >= 0) {
			struct prng p = { to };
			void *sub = prng_next(&p) & 3 ? fill_alloc(fill, f->sub->size) : NULL;

			*(void **)at = sub;
			if (sub)
				fill_struct(fill, f->sub, to, depth, sub);
		} else {
			fill_value(fill, f, to, depth, at);
		}
	}
}

static inline void *fill_message(const struct message *m, int16_t version, uint64_t seed,
                                 struct arena *arena)
{
	struct fill fill = { arena, version };
	void *out = fill_alloc(&fill, m->size);

	if (seed)
		fill_struct(&fill, m, fill_step(fill_name(seed, m->name), (uint64_t)version), 0,
		            out);
	else
		message_defaults(m, out);
	return out;
}

#endif
