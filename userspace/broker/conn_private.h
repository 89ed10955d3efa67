/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONN_PRIVATE_H
#define CONN_PRIVATE_H

#include "broker/call.h"
#include "broker/conn.h"
#include "broker/diag.h"
#include "broker/limits.h"
#include "io/rcu.h"
#include "broker/metrics.h"

/* ---- a server, its listeners, what each reactor has of it ---- */

struct conn_listener {
	struct call_listener call;
	struct conn_server *server;
	struct listener *socket;
	struct conn_listener *next;
};

/* Counted on one reactor, read on any. */
enum shard_counter {
	SHARD_ACCEPTED,
	SHARD_REFUSED,
	SHARD_BROKEN,
	SHARD_REQUESTS,
	SHARD_TRAILING,
	SHARD_MEMORY_WAITS,
	SHARD_COUNTERS,
};

struct shard {
	struct conn_server *server;
	struct list conns;
	struct call *free_call;
	uint32_t free_count;
	uint32_t alive; /* connections that are not freed yet */
	_Atomic(uint32_t) open;
	_Atomic(uint32_t) calls;
	struct counter counter[SHARD_COUNTERS];
	struct mail drain;
	struct mail force;
	bool is_stopping;
	bool is_forced;
	bool is_stopped;
	char apart[128]; /* no line of it is another reactor's */
};

struct ip_table;

/* How many connections there may be: published, for reactors that accept. */
struct conn_quota {
	struct rcu_head rcu;
	uint32_t connections_max;
	uint32_t connections_ip_max;
	uint32_t override_count;
	struct conn_override override[]; /* hosts are its own */
};

struct conn_server {
	struct broker *broker;
	struct conn_limits limits; /* but for what the quota says */
	_Atomic(struct conn_quota *) quota;
	struct conn_listener *listener;
	struct ip_table *ips;
	_Atomic(uint32_t) open;
	_Atomic(uint64_t) hungry_ms; /* when memory for a large request was last refused */
	_Atomic(bool) is_stopping;
	_Atomic(int) shards_left; /* until all are stopped */
	struct mail stopped_mail;
	struct timer grace;
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct diag_limit say_refused;
	struct diag_limit say_broken;
	struct diag_limit say_closed;
	int shard_count;
	struct shard shard[];
};

static inline void shard_count(struct shard *s, enum shard_counter which)
{
	counter_add(&s->counter[which], 1);
}
/* After a connection or a call ended: is this reactor done, too? */
void shard_look(struct shard *s);

/* ---- connections ---- */

struct conn {
	struct sock_owner owner;
	struct sock *sock;
	struct conn_server *server;
	struct shard *shard;
	struct conn_listener *listener;
	struct list link;
	struct sock_address peer;
	void *ip; /* what ip_enter() gave */

	struct list calls; /* oldest first: running, or answered and not yet sent */
	size_t unsent;     /* bytes of answers */
	uint32_t call_count;
	uint32_t running;  /* of calls */
	bool runs_produce; /* all that run are Produce */

	struct frame *in; /* a chunk, only while something is in it */
	size_t begin;     /* bytes begin..end are not parsed yet */
	size_t end;
	struct buf stash;    /* a slow peer's beginning of a frame, in place of a chunk */
	struct frame *large; /* the frame that is being received, when it is large */
	size_t large_size;
	size_t large_filled;

	bool is_pumping;
	bool is_dead;    /* ended; freed when nobody is inside and no mail is under way */
	bool is_eof;     /* the peer writes no more */
	bool is_ending;  /* reads no more; ends when all answers are sent */
	bool is_blocked; /* a whole frame waits for calls to end */
	bool is_full;    /* the peer reads too slowly */
	bool is_hungry;  /* waits for memory */
	bool is_posted;
	struct mail again;
	struct timer timer;
	uint64_t sent_ns; /* when bytes were last given to the kernel */
	uint64_t progress_ms;
	uint64_t grew_ms; /* the large frame */
	char *software;   /* name and version of the client, each terminated; NULL: not said */
	struct uuid telemetry_instance; /* zero: none */
};

/* A connection that was accepted; NULL: refused. */
struct sock_owner *conn_start(struct conn_listener *listener, struct sock *sock);
/* Goes on with whatever can go on; the connection may be gone afterwards. */
void conn_pump(struct conn *c);
void conn_post(struct conn *c);  /* the same in a later turn */
void conn_drain(struct conn *c); /* no more requests */
void conn_end(struct conn *c);
/* The peer broke the protocol: says so, no more input. */
void conn_broken(struct conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sends answers that are next in order; false: the connection is to be ended. */
bool conn_send(struct conn *c);

/* ---- calls ---- */

enum call_state {
	CALL_RUNNING,
	CALL_ANSWERED,
	CALL_ENDED, /* it left its connection; parts of it still run */
};

struct call_segment {
	struct file *file; /* NULL: memory */
	uint64_t position;
	struct span bytes;
	size_t size;
};

/* Of the connection, running. */
struct call *call_new(struct conn *c, size_t frame_size);
/* Sent, or never to be: leaves its connection and goes to the pool when no part of it runs. */
void call_end(struct call *call);
void call_pool_fini(struct shard *s);
/* Its answer is laid out: in its turn it is sent. */
void call_answered(struct call *call);
/* Starts the request; false: the protocol was broken (conn_broken() has been called). */
bool dispatch(struct conn *c, const uint8_t *data, size_t size, struct frame *frame);

/* ---- connections of an address ---- */

struct ip_table *ip_table_new(void);
void ip_table_free(struct ip_table *t);
/* One more from this host; NULL: there are `max` of them already. */
void *ip_enter(struct ip_table *t, const char *host, uint32_t max);
void ip_leave(void *entry);

#endif
