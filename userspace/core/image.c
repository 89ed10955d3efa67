/* SPDX-License-Identifier: Apache-2.0 */
#include "core/image.h"

#include <stdio.h>

#include "base/mem.h"
#include "core/feature.h"
#include "core/metadata_record.h"
#include "image_private.h"

bool image_ids_has(struct image_ids ids, int32_t id)
{
	for (uint32_t i = 0; i < ids.count; i++)
		if (ids.id[i] == id)
			return true;
	return false;
}

bool image_ids_eq(struct image_ids a, struct image_ids b)
{
	return a.count == b.count && (!a.count || !memcmp(a.id, b.id, a.count * sizeof(*a.id)));
}

struct uuid image_partition_directory(const struct image_partition *p, int32_t broker_id)
{
	for (uint32_t i = 0; i < p->replicas.count; i++)
		if (p->replicas.id[i] == broker_id)
			return p->directory[i];
	return UUID_ZERO;
}

/* Where the partition is, or would be. */
uint32_t image_partition_slot(const struct image_topic *t, int32_t index)
{
	uint32_t low = 0;
	uint32_t high = t->partition_count;

	if (index >= 0 && (uint32_t)index < high && t->partition[index]->index == index)
		return (uint32_t)index;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->partition[middle]->index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct image_partition *image_topic_partition(const struct image_topic *t, int32_t index)
{
	uint32_t slot = image_partition_slot(t, index);

	return slot < t->partition_count && t->partition[slot]->index == index ? t->partition[slot]
	                                                                       : NULL;
}

const struct image_endpoint *image_node_endpoint(const struct image_node *n, struct str listener)
{
	for (uint32_t i = 0; i < n->endpoint_count; i++)
		if (str_eq(n->endpoint[i].name, listener))
			return &n->endpoint[i];
	return NULL;
}

bool image_node_is_active(const struct image_node *n)
{
	return !n->fenced && !n->in_controlled_shutdown;
}

/* ---- versions ---- */

static void fini_maps(struct image *image)
{
	pmap_fini(&image->features);
	pmap_fini(&image->brokers);
	pmap_fini(&image->controllers);
	pmap_fini(&image->topics);
	pmap_fini(&image->topics_by_id);
	pmap_fini(&image->configs);
	pmap_fini(&image->quotas);
	pmap_fini(&image->acls);
	pmap_fini(&image->scram);
	pmap_fini(&image->tokens);
}

static void share_maps(struct image *image, const struct image *base)
{
	image->features = pmap_share(&base->features);
	image->brokers = pmap_share(&base->brokers);
	image->controllers = pmap_share(&base->controllers);
	image->topics = pmap_share(&base->topics);
	image->topics_by_id = pmap_share(&base->topics_by_id);
	image->configs = pmap_share(&base->configs);
	image->quotas = pmap_share(&base->quotas);
	image->acls = pmap_share(&base->acls);
	image->scram = pmap_share(&base->scram);
	image->tokens = pmap_share(&base->tokens);
}

static void image_free(struct object *o)
{
	struct image *image = container_of(o, struct image, object);

	fini_maps(image);
	image_put(image->before);
	mem_free(image);
}

struct image *image_new(void)
{
	struct image *image = mem_zalloc(sizeof(*image));

	object_init(&image->object, image_free);
	image->offset = -1;
	image->append_ms = -1;
	image->next_producer_id = -1;
	image->transaction_offset = -1;
	return image;
}

struct image *image_get(const struct image *image)
{
	struct image *counted = (struct image *)(uintptr_t)image;

	if (counted)
		object_get(&counted->object);
	return counted;
}

void image_put(const struct image *image)
{
	if (image)
		object_put(&((struct image *)(uintptr_t)image)->object);
}

struct image *image_edit(const struct image *base)
{
	struct image *image = mem_dup(base, sizeof(*base));

	object_init(&image->object, image_free);
	share_maps(image, base);
	image->before = image_get(base->before);
	return image;
}

void image_begin(struct image *image, int64_t offset)
{
	check(!image->before);

	image->before = image_edit(image);
	image->transaction_offset = offset;
}

void image_end(struct image *image)
{
	image_put(image->before);
	image->before = NULL;
	image->transaction_offset = -1;
}

void image_abort(struct image *image)
{
	fini_maps(image);
	share_maps(image, image->before);
	image->metadata_version = image->before->metadata_version;
	image->next_producer_id = image->before->next_producer_id;
	image_end(image);
}

void image_advance(struct image *image, int64_t offset, int32_t epoch, int64_t append_ms)
{
	image->offset = offset;
	image->epoch = epoch;
	image->append_ms = append_ms;
}

/* ---- lookups ---- */

#define AS(type, object_ptr) ((const struct type *)(const void *)(object_ptr))

const struct image_topic *image_topic_by_name(const struct image *image, struct str name)
{
	return AS(image_topic, pmap_find(&image->topics, name));
}

const struct image_topic *image_topic_by_id(const struct image *image, struct uuid id)
{
	return AS(image_topic, pmap_find(&image->topics_by_id, image_uuid_key(&id)));
}

const struct image_node *image_broker(const struct image *image, int32_t id)
{
	struct pmap_key key;

	return AS(image_node, pmap_find(&image->brokers, pmap_key_i32(id, &key)));
}

const struct image_node *image_controller(const struct image *image, int32_t id)
{
	struct pmap_key key;

	return AS(image_node, pmap_find(&image->controllers, pmap_key_i32(id, &key)));
}

int16_t image_feature(const struct image *image, struct str name)
{
	const struct image_level *level;

	if (str_eq(name, STR("metadata.version")))
		return image->metadata_version;
	level = AS(image_level, pmap_find(&image->features, name));
	return level ? level->level : 0;
}

const struct image_config *image_config(const struct image *image, enum image_resource_type type,
                                        struct str name)
{
	struct image_text key = { .large = NULL };
	const struct image_config *config;

	image_text_add(&key, (uint8_t)type, name);
	config = AS(image_config, pmap_find(&image->configs, image_text_str(&key)));
	image_text_fini(&key);
	return config;
}

struct str image_config_value(const struct image *image, enum image_resource_type type,
                              struct str name, struct str key)
{
	const struct image_config *config = image_config(image, type, name);
	const struct image_value *value;

	value = config ? AS(image_value, pmap_find(&config->value, key)) : NULL;
	return value ? value->text : (struct str){ NULL, 0 };
}

const struct image_scram *image_scram(const struct image *image, int8_t mechanism, struct str user)
{
	struct image_text text = { .large = NULL };
	const struct object *found;

	image_text_add(&text, (uint8_t)mechanism, user);
	found = pmap_find(&image->scram, image_text_str(&text));
	image_text_fini(&text);
	return AS(image_scram, found);
}

const char *image_unsupported(const struct image *image, struct image_apply_error *why)
{
	struct pmap_iter it;

	if (image->metadata_version && (image->metadata_version < METADATA_VERSION_MIN ||
	                                image->metadata_version > METADATA_VERSION_LATEST)) {
		snprintf(why->text, sizeof(why->text),
		         "metadata.version %d is not one of %d to %d, which this version follows",
		         image->metadata_version, METADATA_VERSION_MIN, METADATA_VERSION_LATEST);
		return why->text;
	}
	pmap_each(it, &image->features)
	{
		const struct feature *known = feature_find(it.entry.key);
		int16_t level = AS(image_level, it.entry.value)->level;

		if (known && level >= known->min && level <= known->max)
			continue;
		snprintf(why->text, sizeof(why->text),
		         "feature %.*s has level %d, above what this version follows (%d)",
		         STR_ARG(it.entry.key), level, known ? known->max : 0);
		return why->text;
	}
	return NULL;
}
