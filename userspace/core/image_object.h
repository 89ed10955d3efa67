/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_IMAGE_OBJECT_H
#define CORE_IMAGE_OBJECT_H

#include "image_private.h"

/*
 * An object with all that it points to is one allocation: the same function lays it out twice,
 * first with no memory to learn the size, then for good.  Results are NULL the first time.
 */
struct carve {
	uint8_t *data;
	size_t size;
};

void *carve(struct carve *c, size_t size, size_t align);
struct str carve_str(struct carve *c, struct str s);
struct span carve_span(struct carve *c, struct span s);
struct image_ids carve_ids(struct carve *c, struct image_ids ids);
const struct uuid *carve_uuids(struct carve *c, const struct uuid *uuid, size_t count);

/* Copies, with one reference. */
struct image_partition *image_partition_new(const struct image_partition *from);
struct image_node *image_node_new(const struct image_node *from);
struct image_value *image_value_new(struct str text);

struct image_topic *image_topic_new(struct str name, struct uuid id);
struct object *image_topic_copy(const struct object *o);
void image_topic_set(struct image_topic *t, struct image_partition *p); /* takes the reference */

struct image_config *image_config_new(int8_t type, struct str name);
struct object *image_config_copy(const struct object *o);
struct image_quota *image_quota_new(const struct image_quota_part *part, uint32_t part_count);
struct object *image_quota_copy(const struct object *o);

#endif
