/* SPDX-License-Identifier: Apache-2.0 */
#include "targets.h"

#include "core/topic_name.h"

enum { FEW = 16 }; /* of them are found by looking at each */

bool targets_init(struct targets *t, struct arena *arena, uint32_t topics, size_t partitions,
                  bool by_id)
{
	*t = (struct targets){
		.arena = arena,
		.by_id = by_id,
		.topic = arena_array(arena, topics, sizeof(*t->topic)),
		.topic_max = topics,
		.target = arena_array(arena, partitions + 1, sizeof(*t->target)),
	};
	return t->topic && t->target;
}

void targets_end(struct targets *t)
{
	map_fini(&t->map);
}

/* ---- topics ---- */

static bool is_same(const struct targets *t, const struct target_topic *topic, struct str name,
                    struct uuid id)
{
	return t->by_id ? uuid_eq(topic->asked_id, id) : str_eq(topic->name, name);
}

static uint64_t hash_of(const struct targets *t, struct str name, struct uuid id)
{
	return t->by_id ? hash_bytes(id.byte, sizeof(id.byte)) : hash_str(name);
}

static struct target_topic *find_topic(struct targets *t, struct str name, struct uuid id)
{
	struct map_node *n;

	for (uint32_t i = 0; t->topic_max <= FEW && i < t->topic_count; i++)
		if (is_same(t, &t->topic[i], name, id))
			return &t->topic[i];
	if (t->topic_max <= FEW)
		return NULL;
	for (n = map_first(&t->map, hash_of(t, name, id)); n; n = map_next(n))
		if (is_same(t, container_of(n, struct target_topic, node), name, id))
			return container_of(n, struct target_topic, node);
	return NULL;
}

static struct target_topic *add_topic(struct targets *t, const struct image *image, struct str name,
                                      struct uuid id)
{
	const struct image_topic *seen =
		t->by_id ? image_topic_by_id(image, id) : image_topic_by_name(image, name);
	struct target_topic *topic = &t->topic[t->topic_count++];

	topic->name = name;
	topic->asked_id = id;
	if (seen) {
		topic->id = seen->id;
		topic->is_internal = topic_name_is_internal(seen->name);
		topic->partition_count = seen->partition_count;
	}
	if (t->topic_max > FEW)
		map_insert(&t->map, &topic->node, hash_of(t, name, id));
	return topic;
}

static bool has_partition(const struct target_topic *topic, int32_t index)
{
	return index >= 0 && (uint32_t)index < topic->partition_count;
}

struct target_topic *targets_topic(struct targets *t, const struct image *image, struct str name,
                                   struct uuid id, uint32_t more)
{
	struct target_topic *topic = find_topic(t, name, id);

	if (!topic)
		topic = add_topic(t, image, name, id);
	if (topic->by_index || (uint64_t)topic->count + more <= FEW)
		return topic;
	topic->by_index = arena_array(t->arena, topic->partition_count, sizeof(*topic->by_index));
	for (uint32_t i = topic->first; topic->by_index && i; i = t->target[i].next)
		if (has_partition(topic, t->target[i].index))
			topic->by_index[t->target[i].index] = i;
	return topic->by_index ? topic : NULL;
}

/* ---- partitions ---- */

static uint32_t find_target(const struct targets *t, const struct target_topic *topic,
                            int32_t index)
{
	uint32_t i = topic->first;

	if (topic->by_index)
		return has_partition(topic, index) ? topic->by_index[index] : 0;
	while (i && t->target[i].index != index)
		i = t->target[i].next;
	return i;
}

uint32_t targets_partition(struct targets *t, struct target_topic *topic, int32_t index)
{
	uint32_t i = find_target(t, topic, index);

	if (i)
		return i;
	i = ++t->count;
	t->target[i] = (struct target){
		.index = index,
		.topic = (uint32_t)(topic - t->topic),
		.exists = has_partition(topic, index),
	};
	if (topic->last)
		t->target[topic->last].next = i;
	else
		topic->first = i;
	topic->last = i;
	topic->count++;
	if (topic->by_index && has_partition(topic, index))
		topic->by_index[index] = i;
	return i;
}
