/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"

/*
 * An intrusive hash table with chains.  The owner embeds struct map_node, computes the
 * hash and compares keys: walk map_first()/map_next(), which visit the nodes of one hash.
 * Its order must never be observable; where order matters keep a list beside it.
 */
struct map_node {
	struct map_node *next;
	uint64_t hash;
};

struct map { /* all zero is empty */
	struct map_node **bucket;
	size_t bucket_count; /* 0 or a power of two */
	size_t count;
};

void map_insert(struct map *m, struct map_node *node, uint64_t hash);
void map_remove(struct map *m, struct map_node *node); /* must be inside */
struct map_node *map_first(const struct map *m, uint64_t hash);
struct map_node *map_next(const struct map_node *node); /* same hash */
void map_fini(struct map *m);                           /* frees buckets, not nodes */

/* Every node, in no order; removing the current node is allowed. */
#define map_each(pos, m)                                                                           \
	for (size_t pos##_i = 0; pos##_i < (m)->bucket_count; pos##_i++)                           \
		for (struct map_node *pos = (m)->bucket[pos##_i], *pos##_n;                        \
		     pos && (pos##_n = pos->next, 1); pos = pos##_n)

/*
 * The keys are random numbers, set once before anything is hashed: names that peers choose would
 * otherwise be made to collide.
 */
void hash_keys_set(const uint64_t keys[2]);
uint64_t hash_bytes(const void *data, size_t size);
static inline uint64_t hash_str(struct str s)
{
	return hash_bytes(s.data, s.size);
}

#endif
