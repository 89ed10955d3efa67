/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_API_PARTITION_TABLE_H
#define BROKER_API_PARTITION_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"
#include "base/uuid.h"

/* Which partitions a request has named already: a hash table in the call's arena. */
struct partition_key {
	struct uuid topic_id; /* zero: by name */
	struct str topic;
	int32_t partition;
};

struct partition_table {
	struct partition_slot *slot;
	uint64_t mask;
};

/* For up to `count` partitions.  False: no memory. */
bool partition_table_init(struct partition_table *t, struct arena *arena,
                          uint64_t count) must_check;
/* What was put in with this key before; NULL: nothing, and now `value` is. */
void *partition_table_add(struct partition_table *t, const struct partition_key *key, void *value);

#endif
