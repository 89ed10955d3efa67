/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_TELEMETRY_H
#define BROKER_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pmap.h"
#include "base/str.h"
#include "base/uuid.h"
#include "core/image.h"
#include "io/reactor.h"

/*
 * Metrics that clients push (KIP-714; kafka.server.ClientMetricsManager): which clients shall push
 * what, how often, by the client metrics configs of the image; and that they keep to it.  What they
 * push is counted and let go: there is no receiver.
 *
 * All of it is on reactor 0, to which requests come by mail.
 */
struct telemetry;

/* Which metrics a client is to push: shared, immutable. */
struct telemetry_metrics {
	struct object object;
	uint32_t count;
	struct str name[]; /* sorted, each once; "*" alone is all of them */
};

struct telemetry_client { /* who asks; data NULL: not known */
	struct str client_id;
	struct str software_name;
	struct str software_version;
	struct str host;
	uint16_t port;
};

struct telemetry_request {
	/* in; still until done() */
	bool is_push;
	struct uuid instance; /* zero: a new one */
	struct telemetry_client client;
	int32_t subscription_id; /* of a push, as are these */
	bool is_terminating;
	int8_t compression;
	uint32_t size;
	void (*done)(struct telemetry_request *self); /* on reactor 0 */

	/* out */
	int16_t error;
	bool is_new; /* the instance was made for this connection, and is to end with it */
	int32_t push_interval_ms;
	struct telemetry_metrics *metrics; /* a reference, NULL with an error */

	struct telemetry *from; /* telemetry's own */
	struct mail mail;
};

struct telemetry_counters {
	uint64_t pushes;
	uint64_t bytes;
	uint64_t throttled;
	uint64_t unknown_subscriptions;
	uint32_t instances;
};

struct telemetry *telemetry_new(uint32_t bytes_max);
void telemetry_free(struct telemetry *t); /* reactors closed; NULL is fine */

/* any: when it changed, in order */
void telemetry_subscribe(struct telemetry *t, const struct image *image);
void telemetry_ask(struct telemetry *t, struct telemetry_request *request); /* reactor */
/* reactor: the connection that this instance was made for is gone. */
void telemetry_forget(struct telemetry *t, struct uuid instance);
/* any: what was pushed could be read. */
void telemetry_pushed(struct telemetry *t, uint32_t bytes);
struct telemetry_counters telemetry_counters(const struct telemetry *t); /* any */

#endif
