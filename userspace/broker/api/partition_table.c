/* SPDX-License-Identifier: Apache-2.0 */
#include "partition_table.h"

#include "base/map.h"

struct partition_slot {
	struct partition_key key;
	void *value; /* NULL: free */
};

bool partition_table_init(struct partition_table *t, struct arena *arena, uint64_t count)
{
	uint64_t size = 2;

	while (size < count * 2)
		size *= 2;
	t->mask = size - 1;
	t->slot = arena_array(arena, size, sizeof(*t->slot));
	return t->slot;
}

static uint64_t hash_of(const struct partition_key *key)
{
	uint64_t both[2] = {
		uuid_is_zero(key->topic_id) ? hash_str(key->topic)
					    : hash_bytes(&key->topic_id, sizeof(key->topic_id)),
		(uint32_t)key->partition,
	};

	return hash_bytes(both, sizeof(both));
}

void *partition_table_add(struct partition_table *t, const struct partition_key *key, void *value)
{
	for (uint64_t i = hash_of(key);; i++) {
		struct partition_slot *slot = &t->slot[i & t->mask];

		if (!slot->value) {
			slot->key = *key;
			slot->value = value;
			return NULL;
		}
		if (slot->key.partition == key->partition &&
		    uuid_eq(slot->key.topic_id, key->topic_id) &&
		    str_eq(slot->key.topic, key->topic))
			return slot->value;
	}
}
