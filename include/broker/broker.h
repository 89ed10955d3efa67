/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "broker/call.h"
#include "broker/conn.h"

/*
 * The broker: what every handler finds behind call->broker.
 */
struct config;
struct metadata;
struct partitions;

struct broker {
	/* rcu_load() it: until the end of the turn.  NULL: none, for tests. */
	_Atomic(const struct config *) config;
	struct metadata *metadata;   /* NULL: no image, no controller */
	struct partitions *partitions;
	int32_t node_id;
	struct conn_server *server;
};

#endif
