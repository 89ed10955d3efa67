/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_API_TABLE_H
#define WIRE_API_TABLE_H

#include "wire/api.h"

/* Every API that the schema knows, by key, and every message: made by tools/msgc. */
extern const struct wire_api wire_apis[];
extern const size_t wire_api_count;
extern const struct message *const wire_messages[];
extern const size_t wire_message_count;

#endif
