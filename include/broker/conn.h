/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_CONN_H
#define BROKER_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/uuid.h"
#include "broker/call.h"

/*
 * Connections: frames cut from a stream, calls started in order, answers sent in order (FAULTS 2.2;
 * Kafka: Selector, SocketServer, RequestChannel).
 *
 * One call of a connection runs at a time, except that Produce may follow Produce; what has arrived
 * behind it stays unread.  A wrong frame closes its connection and nothing else.
 */
struct conn_override {
	struct str host; /* numeric */
	uint32_t connections_max;
};

struct conn_limits {
	uint32_t request_bytes_max;  /* socket.request.max.bytes */
	size_t requests_bytes_max;   /* queued.max.request.bytes: of large requests together */
	uint32_t connections_max;    /* max.connections; listeners of the controller are exempt */
	uint32_t connections_ip_max; /* max.connections.per.ip */
	const struct conn_override *override; /* max.connections.per.ip.overrides */
	uint32_t override_count;
	uint32_t idle_ms; /* connections.max.idle.ms; 0: never */
};
extern const struct conn_limits CONN_LIMITS_DEFAULT; /* Kafka's, and memory has a bound */

struct conn_counters {
	uint64_t accepted;
	uint64_t refused;      /* too many */
	uint64_t broken;       /* closed for what they sent */
	uint64_t requests;     /* handed to a handler */
	uint64_t trailing;     /* requests with bytes behind their body */
	uint32_t open;         /* now */
	uint32_t calls;        /* now: until sent, or detached and at their end */
	uint32_t memory_waits; /* large requests that had to wait for the budget */
};

/* What the client of a call said of itself in ApiVersions; data NULL: nothing. */
struct conn_software {
	struct str name;
	struct str version;
};
struct conn_software call_software(const struct call *call);
void call_software_set(struct call *call, struct conn_software software); /* copied */
/*
 * telemetry_forget() of this instance is called when the connection ends (of the one before it at
 * once); false: it has ended.
 */
bool call_owns_instance(struct call *call, struct uuid instance);

struct conn_server;

/* After reactors_open(); limits are copied, overrides with them. */
struct conn_server *conn_server_open(struct broker *broker, const struct conn_limits *limits);

/*
 * reactor 0.  Other limits of how many connections there may be, for those that come from now on:
 * nobody is sent away.  The rest of the limits stays what it was.
 */
void conn_server_configure(struct conn_server *server, const struct conn_limits *limits);

/* main thread before reactors_run(), or reactor 0.  -errno as listener_open(). */
int conn_server_listen(struct conn_server *server, const char *host, uint16_t port, struct str name,
                       int16_t security_protocol, bool is_controller,
                       uint16_t *ret_port) must_check;

/* How connections find their reactor, on the listener that was opened last. */
enum listener_spread conn_server_spread(const struct conn_server *server);

/*
 * reactor 0.  No more connections and no more requests; what was begun is answered, until grace_ms
 * are over; then every connection is closed and stopped(arg) runs on reactor 0.
 */
void conn_server_stop(struct conn_server *server, uint64_t grace_ms, void (*stopped)(void *arg),
                      void *arg);
/*
 * Reactors stopped, before reactors_close().  Connections and detached calls that are left, because
 * nobody waited for stopped(), are forgotten: the process is about to end.
 */
void conn_server_close(struct conn_server *server);

struct conn_counters conn_server_counters(const struct conn_server *server); /* any */

#endif
