/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONFIG_LIST_H
#define CORE_CONFIG_LIST_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/* org.apache.kafka.clients.admin.AlterConfigOp.OpType */
enum config_op { CONFIG_SET = 0, CONFIG_DELETE = 1, CONFIG_APPEND = 2, CONFIG_SUBTRACT = 3 };

/* Longer values are refused, those of APPEND and SUBTRACT before anything is made of them. */
enum { CONFIG_VALUE_BYTES_MAX = INT16_MAX };

/*
 * The value of a LIST after APPEND or SUBTRACT of `change`, in the arena: items are parted by
 * commas, empty ones of `old` left out.  APPEND adds what is not there, SUBTRACT takes each item
 * away once (ConfigurationControlManager, with Java's String.split()).
 */
struct str config_list_apply(struct arena *arena, int8_t op, struct str old, struct str change);

#endif
