/* SPDX-License-Identifier: Apache-2.0 */
#include "image_object.h"

void *carve(struct carve *c, size_t size, size_t align)
{
	size_t at = (c->size + align - 1) & ~(align - 1);

	c->size = at + size;
	return c->data ? c->data + at : NULL;
}

struct str carve_str(struct carve *c, struct str s)
{
	char *copy = carve(c, s.size, 1);

	if (copy && s.size)
		memcpy(copy, s.data, s.size);
	return (struct str){ s.data ? (copy ? copy : s.data) : NULL, s.size };
}

struct span carve_span(struct carve *c, struct span s)
{
	uint8_t *copy = carve(c, s.size, 1);

	if (copy && s.size)
		memcpy(copy, s.data, s.size);
	return (struct span){ copy, s.size };
}

struct image_ids carve_ids(struct carve *c, struct image_ids ids)
{
	int32_t *copy = carve(c, ids.count * sizeof(*copy), _Alignof(int32_t));

	if (copy && ids.count)
		memcpy(copy, ids.id, ids.count * sizeof(*copy));
	return (struct image_ids){ copy, ids.count };
}

const struct uuid *carve_uuids(struct carve *c, const struct uuid *uuid, size_t count)
{
	struct uuid *copy = carve(c, count * sizeof(*copy), 1);

	if (copy && count)
		memcpy(copy, uuid, count * sizeof(*copy));
	return copy;
}

/* Directories as given, or MIGRATING (zero) for each replica where none are. */
static const struct uuid *carve_directories(struct carve *c, const struct image_partition *p)
{
	struct uuid *copy = carve(c, p->replicas.count * sizeof(*copy), 1);

	if (copy && p->directory)
		memcpy(copy, p->directory, p->replicas.count * sizeof(*copy));
	else if (copy)
		memset(copy, 0, p->replicas.count * sizeof(*copy));
	return copy;
}

static struct image_partition *lay_partition(struct carve *c, const struct image_partition *from)
{
	struct image_partition *p = carve(c, sizeof(*p), _Alignof(struct image_partition));
	struct image_partition out = *from;

	out.replicas = carve_ids(c, from->replicas);
	out.isr = carve_ids(c, from->isr);
	out.elr = carve_ids(c, from->elr);
	out.last_known_elr = carve_ids(c, from->last_known_elr);
	out.adding = carve_ids(c, from->adding);
	out.removing = carve_ids(c, from->removing);
	out.directory = carve_directories(c, from);
	if (p)
		*p = out;
	return p;
}

struct image_partition *image_partition_new(const struct image_partition *from)
{
	struct carve size = { NULL, 0 };
	struct carve fill = { NULL, 0 };
	struct image_partition *p;

	lay_partition(&size, from);
	fill.data = mem_alloc(size.size);
	p = lay_partition(&fill, from);
	object_init(&p->object, NULL);
	return p;
}

static struct image_node *lay_node(struct carve *c, const struct image_node *from)
{
	struct image_node *n = carve(c, sizeof(*n), _Alignof(struct image_node));
	struct image_node out = *from;
	struct image_endpoint *endpoint;
	struct image_feature_range *feature;

	endpoint = carve(c, from->endpoint_count * sizeof(*endpoint), 8);
	for (uint32_t i = 0; i < from->endpoint_count; i++) {
		struct image_endpoint e = from->endpoint[i];

		e.name = carve_str(c, e.name);
		e.host = carve_str(c, e.host);
		if (endpoint)
			endpoint[i] = e;
	}
	feature = carve(c, from->feature_count * sizeof(*feature), 8);
	for (uint32_t i = 0; i < from->feature_count; i++) {
		struct image_feature_range f = from->feature[i];

		f.name = carve_str(c, f.name);
		if (feature)
			feature[i] = f;
	}
	out.endpoint = endpoint;
	out.feature = feature;
	out.rack = carve_str(c, from->rack);
	out.log_dir = carve_uuids(c, from->log_dir, from->log_dir_count);
	out.cordoned_dir = carve_uuids(c, from->cordoned_dir, from->cordoned_dir_count);
	if (n)
		*n = out;
	return n;
}

struct image_node *image_node_new(const struct image_node *from)
{
	struct carve size = { NULL, 0 };
	struct carve fill = { NULL, 0 };
	struct image_node *n;

	lay_node(&size, from);
	fill.data = mem_alloc(size.size);
	n = lay_node(&fill, from);
	object_init(&n->object, NULL);
	return n;
}

/* ---- topics ---- */

static void topic_free(struct object *o)
{
	struct image_topic *t = container_of(o, struct image_topic, object);

	for (uint32_t i = 0; i < t->partition_count; i++)
		object_put(&t->partition[i]->object);
	mem_free(t->partition);
	mem_free(t);
}

struct image_topic *image_topic_new(struct str name, struct uuid id)
{
	struct image_topic *t = mem_zalloc(sizeof(*t) + name.size);
	char *copy = (char *)(t + 1);

	object_init(&t->object, topic_free);
	memcpy(copy, name.data, name.size);
	t->name = (struct str){ copy, name.size };
	t->id = id;
	return t;
}

struct object *image_topic_copy(const struct object *o)
{
	const struct image_topic *from = container_of(o, struct image_topic, object);
	struct image_topic *t = image_topic_new(from->name, from->id);

	t->partition = mem_array(from->partition_count + 1, sizeof(*t->partition));
	t->partition_capacity = from->partition_count + 1;
	t->partition_count = from->partition_count;
	for (uint32_t i = 0; i < from->partition_count; i++) {
		object_get(&from->partition[i]->object);
		t->partition[i] = from->partition[i];
	}
	return &t->object;
}

void image_topic_set(struct image_topic *t, struct image_partition *p)
{
	uint32_t slot = image_partition_slot(t, p->index);
	size_t capacity = t->partition_capacity;

	if (slot < t->partition_count && t->partition[slot]->index == p->index) {
		object_put(&t->partition[slot]->object);
		t->partition[slot] = p;
		return;
	}
	t->partition = mem_grow(t->partition, t->partition_count, &capacity, sizeof(*t->partition));
	t->partition_capacity = (uint32_t)capacity;
	memmove(&t->partition[slot + 1], &t->partition[slot],
	        (t->partition_count - slot) * sizeof(*t->partition));
	t->partition[slot] = p;
	t->partition_count++;
}

/* ---- small ones ---- */

struct image_value *image_value_new(struct str text)
{
	struct image_value *v = mem_alloc(sizeof(*v) + text.size);
	char *copy = (char *)(v + 1);

	object_init(&v->object, NULL);
	if (text.size)
		memcpy(copy, text.data, text.size);
	v->text = (struct str){ copy, text.size };
	return v;
}

static void config_free(struct object *o)
{
	struct image_config *config = container_of(o, struct image_config, object);

	pmap_fini(&config->value);
	mem_free(config);
}

struct image_config *image_config_new(int8_t type, struct str name)
{
	struct image_config *config = mem_zalloc(sizeof(*config) + name.size);
	char *copy = (char *)(config + 1);

	object_init(&config->object, config_free);
	if (name.size)
		memcpy(copy, name.data, name.size);
	config->resource_type = type;
	config->resource_name = (struct str){ copy, name.size };
	return config;
}

struct object *image_config_copy(const struct object *o)
{
	const struct image_config *from = container_of(o, struct image_config, object);
	struct image_config *config = image_config_new(from->resource_type, from->resource_name);

	config->value = pmap_share(&from->value);
	return &config->object;
}

static void quota_free(struct object *o)
{
	struct image_quota *quota = container_of(o, struct image_quota, object);

	pmap_fini(&quota->value);
	mem_free(quota);
}

static struct image_quota *lay_quota(struct carve *c, const struct image_quota *from)
{
	struct image_quota *q = carve(c, sizeof(*q), _Alignof(struct image_quota));
	struct image_quota_part *part = carve(c, from->part_count * sizeof(*part), 8);

	for (uint32_t i = 0; i < from->part_count; i++) {
		struct image_quota_part p = {
			.type = carve_str(c, from->part[i].type),
			.name = carve_str(c, from->part[i].name),
		};

		if (part)
			part[i] = p;
	}
	if (q) {
		q->part_count = from->part_count;
		q->part = part;
		q->value = (struct pmap){ 0 };
	}
	return q;
}

struct image_quota *image_quota_new(const struct image_quota_part *part, uint32_t part_count)
{
	const struct image_quota from = { .part = part, .part_count = part_count };
	struct carve size = { NULL, 0 };
	struct carve fill = { NULL, 0 };
	struct image_quota *q;

	lay_quota(&size, &from);
	fill.data = mem_alloc(size.size);
	q = lay_quota(&fill, &from);
	object_init(&q->object, quota_free);
	return q;
}

struct object *image_quota_copy(const struct object *o)
{
	const struct image_quota *from = container_of(o, struct image_quota, object);
	struct image_quota *q = image_quota_new(from->part, from->part_count);

	q->value = pmap_share(&from->value);
	return &q->object;
}
