/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/bytes.h"
#include "base/mem.h"

enum { BUCKETS_MIN = 16 };

static struct map_node **bucket_at(const struct map *m, uint64_t hash)
{
	return &m->bucket[hash & (m->bucket_count - 1)];
}

static void resize(struct map *m, size_t bucket_count)
{
	struct map old = *m;

	m->bucket = mem_array(bucket_count, sizeof(*m->bucket));
	m->bucket_count = bucket_count;
	map_each(node, &old)
	{
		struct map_node **bucket = bucket_at(m, node->hash);

		node->next = *bucket;
		*bucket = node;
	}
	mem_free(old.bucket);
}

void map_insert(struct map *m, struct map_node *node, uint64_t hash)
{
	struct map_node **bucket;

	if (m->count >= m->bucket_count)
		resize(m, m->bucket_count ? m->bucket_count * 2 : BUCKETS_MIN);
	bucket = bucket_at(m, hash);
	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
	m->count++;
}

void map_remove(struct map *m, struct map_node *node)
{
	struct map_node **link = bucket_at(m, node->hash);

	while (*link != node) {
		check(*link);
		link = &(*link)->next;
	}
	*link = node->next;
	node->next = NULL;
	m->count--;
}

static struct map_node *same_hash(struct map_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct map_node *map_first(const struct map *m, uint64_t hash)
{
	return m->bucket_count ? same_hash(*bucket_at(m, hash), hash) : NULL;
}

struct map_node *map_next(const struct map_node *node)
{
	return same_hash(node->next, node->hash);
}

void map_fini(struct map *m)
{
	mem_free(m->bucket);
	*m = (struct map){ 0 };
}

/*
 * Multiply and fold: high and low half of the 128-bit product, so that with unknown keys nobody can
 * choose bytes that collide.
 */
static uint64_t key[2] = { 0xcbf29ce484222325u, 0x9e3779b97f4a7c15u };

__extension__ typedef unsigned __int128 uint128;

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	uint128 product = (uint128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

void hash_keys_set(const uint64_t keys[2])
{
	key[0] = keys[0];
	key[1] = keys[1] | 1; /* a factor: never 0 */
}

uint64_t hash_bytes(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t h = key[0] ^ size;
	uint64_t word = 0;

	for (; size >= sizeof(word); p += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = fold(h ^ word, key[1]);
	}
	word = 0;
	if (size)
		memcpy(&word, p, size);
	return fold(h ^ word, key[1] ^ key[0]);
}
