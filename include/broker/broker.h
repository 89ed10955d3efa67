/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "broker/config.h"
#include "io/rcu.h"

/*
 * The broker: what every handler finds behind call->broker, and its life.
 *
 *	broker_open()	main thread: directories, metadata, logs to be
 *	broker_start()	reactor 0: leads, registers, serves; `ready` when clients can connect
 *	broker_stop()	reactor 0: controlled shutdown, answers what was begun; then reactors_stop()
 *	broker_close()	main thread: closes logs, says that it was clean
 *	broker_free()	when the reactors are closed, too
 */
struct config;
struct metadata;
struct partitions;
struct producer_ids;
struct fetchers;
struct conn_server;
struct kernel;
struct auto_topics;
struct validators;
struct telemetry;

struct broker {
	_Atomic(const struct config *) config; /* broker_config(); NULL: none, for tests */
	struct metadata *metadata;             /* NULL: no image, no controller */
	struct partitions *partitions;
	struct producer_ids *producer_ids;
	struct fetchers *fetchers;     /* fetch sessions of each reactor: api/fetch.c */
	struct validators *validators; /* of batches: api/produce.c */
	struct auto_topics *auto_topics;
	struct telemetry *telemetry;
	int32_t node_id;
	struct conn_server *server;
	struct kernel *kernel; /* NULL: no kernel helps */
};

/* reactor: until the end of the turn */
static inline const struct config *broker_config(const struct broker *b)
{
	return rcu_load(&b->config);
}

/* any: as the file says; dynamic configs are not in it. */
const struct config *broker_base_config(const struct broker *b);

struct broker_error {
	char text[300]; /* a sentence for the operator */
};

struct broker_options {
	const struct config *config; /* a reference, the broker's from then on */
	struct kernel *kernel;       /* stays the caller's, to be closed after broker_free(); or NULL */
	/* reactor 0: clients can connect, since `ms` after broker_open() began. */
	void (*ready)(void *arg, uint64_t ms);
	/* reactor 0: it cannot go on; broker_stop() is under way already. */
	void (*failed)(void *arg);
	void *arg;
};

int broker_open(const struct broker_options *options, struct broker **ret,
                struct broker_error *why) must_check;
void broker_start(struct broker *b);
void broker_stop(struct broker *b);
/* 0 when everything was closed and synced. */
int broker_close(struct broker *b);
void broker_free(struct broker *b); /* after it and reactors_close() */

#endif
