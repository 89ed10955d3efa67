/* SPDX-License-Identifier: Apache-2.0 */
#include "image_private.h"

#define AS(type, object_ptr) ((const struct type *)(const void *)(object_ptr))

static void on_topic(void *arg, struct str key, struct object *old, struct object *new)
{
	const struct image_changes *changes = arg;

	(void)key;
	changes->topic(changes->arg, AS(image_topic, old), AS(image_topic, new));
}

static void on_config(void *arg, struct str key, struct object *old, struct object *new)
{
	const struct image_changes *changes = arg;

	(void)key;
	changes->config(changes->arg, AS(image_config, old), AS(image_config, new));
}

static void on_broker(void *arg, struct str key, struct object *old, struct object *new)
{
	const struct image_changes *changes = arg;

	(void)key;
	changes->broker(changes->arg, AS(image_node, old), AS(image_node, new));
}

static void on_feature(void *arg, struct str key, struct object *old, struct object *new)
{
	const struct image_changes *changes = arg;

	changes->feature(changes->arg, key, old ? AS(image_level, old)->level : 0,
	                 new ? AS(image_level, new)->level : 0);
}

void image_diff(const struct image *old, const struct image *new,
                const struct image_changes *changes)
{
	void *arg = (void *)(uintptr_t)changes;

	if (changes->feature) {
		if (old->metadata_version != new->metadata_version)
			changes->feature(changes->arg, STR("metadata.version"),
			                 old->metadata_version, new->metadata_version);
		pmap_diff(&old->features, &new->features, on_feature, arg);
	}
	if (changes->broker)
		pmap_diff(&old->brokers, &new->brokers, on_broker, arg);
	if (changes->config)
		pmap_diff(&old->configs, &new->configs, on_config, arg);
	if (changes->topic)
		pmap_diff(&old->topics_by_id, &new->topics_by_id, on_topic, arg);
}

void image_diff_partitions(const struct image_topic *old, const struct image_topic *new,
                           void (*changed)(void *arg, const struct image_partition *old,
                                           const struct image_partition *new),
                           void *arg)
{
	uint32_t i = 0;
	uint32_t j = 0;

	while ((old && i < old->partition_count) || (new &&j < new->partition_count)) {
		const struct image_partition *a =
			old && i < old->partition_count ? old->partition[i] : NULL;
		const struct image_partition *b =
			new &&j < new->partition_count ? new->partition[j] : NULL;
		int order = !a ? 1 : !b ? -1 : (a->index > b->index) - (a->index < b->index);

		i += order <= 0;
		j += order >= 0;
		if (order || a != b)
			changed(arg, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
	}
}
