/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TOPIC_NAME_H
#define CORE_TOPIC_NAME_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

/* The rules of topic names (Kafka: org.apache.kafka.common.internals.Topic). */
enum { TOPIC_NAME_MAX = 249 };

#define TOPIC_CONSUMER_OFFSETS  "__consumer_offsets"
#define TOPIC_TRANSACTION_STATE "__transaction_state"
#define TOPIC_SHARE_GROUP_STATE "__share_group_state"
#define TOPIC_CLUSTER_METADATA  "__cluster_metadata"

bool topic_name_is_valid(struct str name);
/* Why not, in Kafka's words, in the arena: "Topic name is invalid: ..."; data NULL when valid. */
struct str topic_name_error(struct arena *arena, struct str name);
/* One of the coordinators' topics. */
bool topic_name_is_internal(struct str name);
/* '.' and '_' are one character in the names of metrics, so names that differ in them collide. */
bool topic_name_has_collision_chars(struct str name);
/* The name with '_' for '.', of name.size bytes into `out`. */
void topic_name_unify(struct str name, char *out);

#endif
