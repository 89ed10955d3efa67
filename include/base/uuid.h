/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

/* Kafka's Uuid (org.apache.kafka.common.Uuid): 16 bytes, text is unpadded base64url. */
struct uuid {
	uint8_t byte[16];
};

enum { UUID_TEXT_SIZE = 22 };

#define UUID_ZERO           ((struct uuid){ { 0 } })
/* The topic id of __cluster_metadata: Uuid(0, 1). */
#define UUID_METADATA_TOPIC ((struct uuid){ { [15] = 1 } })

static inline bool uuid_eq(struct uuid a, struct uuid b)
{
	return !memcmp(a.byte, b.byte, sizeof(a.byte));
}

static inline bool uuid_is_zero(struct uuid u)
{
	return uuid_eq(u, UUID_ZERO);
}

/* The first 100 values (0..99) are reserved for Kafka's own use. */
bool uuid_is_reserved(struct uuid u);

/* text has room for UUID_TEXT_SIZE + 1. */
void uuid_format(struct uuid u, char *text);
bool uuid_parse(struct str text, struct uuid *ret);

#endif
