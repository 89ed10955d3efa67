/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_IMAGE_PRIVATE_H
#define CORE_IMAGE_PRIVATE_H

#include "base/mem.h"
#include "core/image.h"

/* A key put together from parts, on the stack while it is short. */
struct image_text {
	uint8_t local[96];
	uint8_t *large; /* instead, when it does not fit */
	size_t size;
};

static inline uint8_t *image_text_extend(struct image_text *t, size_t more)
{
	size_t at = t->size;

	t->size += more;
	if (!t->large && t->size <= sizeof(t->local))
		return t->local + at;
	if (!t->large)
		t->large = memcpy(mem_alloc(t->size), t->local, at);
	else
		t->large = mem_realloc(t->large, t->size);
	return t->large + at;
}

/* A byte and then text that ends the key. */
static inline void image_text_add(struct image_text *t, uint8_t first, struct str text)
{
	uint8_t *p = image_text_extend(t, 1 + text.size);

	p[0] = first;
	if (text.size)
		memcpy(p + 1, text.data, text.size);
}

static inline struct str image_text_str(const struct image_text *t)
{
	return (struct str){ (const char *)(t->large ? t->large : t->local), (uint32_t)t->size };
}

static inline void image_text_fini(struct image_text *t)
{
	mem_free(t->large);
	t->large = NULL;
}

static inline struct str image_uuid_key(const struct uuid *id)
{
	return (struct str){ (const char *)id->byte, sizeof(id->byte) };
}

uint32_t image_partition_slot(const struct image_topic *t, int32_t index);

/* The record that makes the partition; lists are borrowed from it. */
struct partition_record;
void image_partition_record(const struct image_partition *p, struct uuid topic_id,
                            struct partition_record *ret);

/* A client quota's key; sorts the entity by type, which is as equal to Kafka. */
struct client_quota_record_entity_data;
void image_quota_key(struct image_text *text, struct client_quota_record_entity_data *entity,
                     uint32_t count);

/* Metadata transactions (KIP-868). */
void image_begin(struct image *image, int64_t offset);
void image_end(struct image *image);
void image_abort(struct image *image);

#endif
