/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/broker.h"
#include "broker/telemetry.h"
#include "conn_private.h"

enum {
	ROOM_MIN = 16 * 1024,       /* a chunk with less room behind its bytes is left */
	TICK_MS = 1000,             /* how often a half frame is looked at */
	HUNGRY_MS = 20,             /* how often memory is asked for again */
	PROGRESS_BYTES = 64 * 1024, /* of a large frame count as progress */
};

/* ---- the end ---- */

static void free_if_left(struct conn *c)
{
	struct shard *shard = c->shard;

	if (!c->is_dead || c->is_pumping || c->is_posted)
		return;
	buf_fini(&c->stash);
	mem_free(c->software);
	mem_free(c);
	shard->alive--;
	shard_look(shard);
}

static void let_go_input(struct conn *c)
{
	frame_put(c->in);
	frame_put(c->large);
	c->in = c->large = NULL;
	c->begin = c->end = 0;
	c->is_hungry = false;
}

void conn_end(struct conn *c)
{
	struct list *node;

	if (c->is_dead)
		return;
	c->is_dead = true;
	diag_debug("conn", "%s:%u: disconnected", c->peer.host, c->peer.port);
	sock_close(c->sock);
	timer_disarm(&c->timer);
	let_go_input(c);
	while ((node = list_pop(&c->calls))) {
		struct call *call = list_entry(node, struct call, link);

		call->conn = NULL;
		call->is_detached = true;
		if (call->state == CALL_ANSWERED)
			call_end(call);
		else if (call->on_detach)
			call->on_detach(call);
	}
	c->call_count = c->running = 0;
	list_remove(&c->link);
	atomic_fetch_sub_explicit(&c->shard->open, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&c->server->open, 1, memory_order_relaxed);
	ip_leave(c->ip);
	if (!uuid_is_zero(c->telemetry_instance))
		telemetry_forget(c->server->broker->telemetry, c->telemetry_instance);
	free_if_left(c);
}

void conn_broken(struct conn *c, const char *format, ...)
{
	char why[256];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	diag_limited(&c->server->say_broken, DIAG_WARN, "conn", "%s:%u: %s; closed", c->peer.host,
	             c->peer.port, why);
	shard_count(c->shard, SHARD_BROKEN);
	c->is_ending = true;
}

/* ---- frames ---- */

enum cut { CUT_FRAME, CUT_MORE, CUT_WAIT, CUT_BROKEN };

struct cut_frame {
	const uint8_t *data;
	size_t size;
	struct frame *frame;
};

/* What speaks another protocol is told by the four bytes that stand where the size should. */
static void refuse_size(struct conn *c, int32_t size)
{
	static const struct {
		const char *bytes;
		const char *what;
	} known[] = {
		{ "GET ", "an HTTP request on a Kafka port" },
		{ "POST", "an HTTP request on a Kafka port" },
		{ "PUT ", "an HTTP request on a Kafka port" },
		{ "HEAD", "an HTTP request on a Kafka port" },
		{ "OPTI", "an HTTP request on a Kafka port" },
		{ "PRI ", "an HTTP/2 request on a Kafka port" },
		{ "SSH-", "an SSH client on a Kafka port" },
	};
	uint8_t bytes[4];

	store_be32(bytes, (uint32_t)size);
	if (bytes[0] == 0x16 && bytes[1] == 3) {
		conn_broken(c,
		            "a TLS ClientHello on a plaintext port (listener %.*s): set "
		            "security.protocol=PLAINTEXT in the client, or use a TLS listener",
		            STR_ARG(c->listener->call.name));
		return;
	}
	for (size_t i = 0; i < array_count(known); i++) {
		if (memcmp(bytes, known[i].bytes, sizeof(bytes)) == 0) {
			conn_broken(c, "%s (listener %.*s)", known[i].what,
			            STR_ARG(c->listener->call.name));
			return;
		}
	}
	if (size > 0)
		conn_broken(c, "a request of %d bytes, socket.request.max.bytes is %u", size,
		            c->server->limits.request_bytes_max);
	else
		conn_broken(c, "a request of %d bytes", size);
}

static enum cut begin_large(struct conn *c, size_t size)
{
	size_t have = c->end - c->begin - 4;

	c->large = frame_large(size);
	if (!c->large) {
		if (!c->is_hungry)
			shard_count(c->shard, SHARD_MEMORY_WAITS);
		c->is_hungry = true;
		atomic_store_explicit(&c->server->hungry_ms, mono_ms(), memory_order_relaxed);
		return CUT_WAIT;
	}
	c->is_hungry = false;
	c->large_size = size;
	c->large_filled = have;
	c->grew_ms = mono_ms();
	memcpy(c->large->data, c->in->data + c->begin + 4, have);
	frame_put(c->in);
	c->in = NULL;
	c->begin = c->end = 0;
	return CUT_MORE;
}

static enum cut cut(struct conn *c, struct cut_frame *ret)
{
	size_t have = c->end - c->begin;
	int32_t size;

	if (c->large) {
		*ret = (struct cut_frame){ c->large->data, c->large_size, c->large };
		return c->large_filled == c->large_size ? CUT_FRAME : CUT_MORE;
	}
	if (have < 4)
		return CUT_MORE;
	size = (int32_t)load_be32(c->in->data + c->begin);
	if (size <= 0 || (uint32_t)size > c->server->limits.request_bytes_max) {
		refuse_size(c, size);
		return CUT_BROKEN;
	}
	*ret = (struct cut_frame){ c->in->data + c->begin + 4, (size_t)size, c->in };
	if (have - 4 >= (size_t)size)
		return CUT_FRAME;
	return (size_t)size + 4 > FRAME_CHUNK_SIZE ? begin_large(c, (size_t)size) : CUT_MORE;
}

/* The frame that cut() gave was started: its reference is the call's. */
static void consume(struct conn *c, const struct cut_frame *f)
{
	c->progress_ms = mono_ms();
	if (c->large) {
		frame_put(c->large);
		c->large = NULL;
	} else {
		c->begin += f->size + 4;
	}
}

/* A chunk with room for what is expected. */
static void make_room(struct conn *c)
{
	size_t have = c->end - c->begin;
	struct frame *next;

	if (c->in && !have && atomic_load_explicit(&c->in->refs, memory_order_acquire) == 1)
		c->begin = c->end = 0;
	if (c->in && c->in->capacity - c->end >= ROOM_MIN)
		return;
	if (c->in && !c->begin && c->in->capacity > c->end)
		return; /* another chunk would have no more */
	next = frame_chunk();
	if (c->in)
		memcpy(next->data, c->in->data + c->begin, have);
	frame_put(c->in);
	c->in = next;
	c->begin = 0;
	c->end = have;
	if (c->stash.size) {
		memcpy(next->data, c->stash.data, c->stash.size);
		c->end = c->stash.size;
		buf_fini(&c->stash);
	}
}

static ssize_t receive_large(struct conn *c)
{
	size_t room;
	ssize_t n;

	if (c->large_filled == c->large->capacity)
		frame_grow(c->large, c->large_filled + 1, c->large_filled);
	room = c->large->capacity < c->large_size ? c->large->capacity : c->large_size;
	n = sock_recv(c->sock, c->large->data + c->large_filled, room - c->large_filled);
	if (n > 0) {
		uint64_t now = mono_ms();

		if ((c->large_filled + (size_t)n) / PROGRESS_BYTES !=
		    c->large_filled / PROGRESS_BYTES)
			c->progress_ms = c->grew_ms = now;
		c->large_filled += (size_t)n;
	}
	return n;
}

static ssize_t receive(struct conn *c)
{
	ssize_t n;

	if (c->large)
		return receive_large(c);
	make_room(c);
	n = sock_recv(c->sock, c->in->data + c->end, c->in->capacity - c->end);
	if (n > 0)
		c->end += (size_t)n;
	return n;
}

/* ---- input ---- */

void conn_post(struct conn *c)
{
	if (c->is_posted)
		return;
	c->is_posted = true;
	reactor_post(reactor_self(), &c->again);
}

static bool may_start(const struct conn *c, const struct cut_frame *f)
{
	bool is_produce = f->size >= 2 && load_be16(f->data) == API_PRODUCE;

	if (c->is_full || c->unsent > LIMIT_UNSENT_BYTES)
		return false;
	if (!c->running)
		return true;
	return is_produce && c->runs_produce && c->running < LIMIT_PRODUCE_IN_FLIGHT;
}

/* The bytes of a half frame wait for the rest, an empty chunk goes back. */
static void rest(struct conn *c)
{
	if (c->in && c->begin == c->end) {
		frame_put(c->in);
		c->in = NULL;
		c->begin = c->end = 0;
	}
	if (c->is_hungry)
		timer_arm(&c->timer, mono_ms() + HUNGRY_MS);
	else if ((c->in || c->large) &&
	         (!timer_is_armed(&c->timer) || c->timer.due_ms > mono_ms() + TICK_MS))
		timer_arm(&c->timer, mono_ms() + TICK_MS);
}

/* The stream is at its end, or broken. */
static void ended(struct conn *c, ssize_t err)
{
	if (!err) {
		c->is_eof = true; /* who has only stopped writing may still read */
		return;
	}
	if (err != -ECONNRESET && err != -EPIPE)
		diag_limited(&c->server->say_closed, DIAG_WARN, "conn", "%s:%u: %s", c->peer.host,
		             c->peer.port, strerror((int)-err));
	conn_end(c);
}

/* A frame that waits must not hide that the peer is gone. */
static void look_ahead(struct conn *c)
{
	ssize_t n;

	if (c->is_eof || !c->in || c->end == c->in->capacity)
		return;
	n = sock_recv(c->sock, c->in->data + c->end, c->in->capacity - c->end);
	if (n > 0)
		c->end += (size_t)n;
	else if (n != -EAGAIN)
		ended(c, n);
}

static void take_input(struct conn *c)
{
	int left = LIMIT_CALLS_A_TURN;

	c->is_blocked = false;
	while (!c->is_ending && !c->is_dead) {
		struct cut_frame f;
		enum cut is = cut(c, &f);
		ssize_t n;

		if (is == CUT_FRAME) {
			if (!may_start(c, &f)) {
				c->is_blocked = true;
				look_ahead(c);
				return;
			}
			if (!left--) {
				conn_post(c);
				return;
			}
			if (dispatch(c, f.data, f.size, f.frame))
				consume(c, &f);
			continue;
		}
		if (is != CUT_MORE)
			return;
		if (c->is_eof) {
			c->is_ending = true;
			return;
		}
		n = receive(c);
		if (n == -EAGAIN)
			return;
		if (n <= 0)
			ended(c, n);
	}
}

static void send_or_end(struct conn *c)
{
	if (!c->is_dead && !conn_send(c))
		conn_end(c);
}

void conn_pump(struct conn *c)
{
	if (c->is_pumping || c->is_dead)
		return;
	c->is_pumping = true;
	send_or_end(c);
	do {
		take_input(c);
		send_or_end(c);
	} while (!c->is_dead && !c->is_ending && c->is_blocked && !c->running && !c->is_full &&
	         !c->is_posted);

	if (!c->is_dead && c->is_ending) {
		let_go_input(c);
		if (!c->call_count)
			conn_end(c);
	}
	if (!c->is_dead)
		rest(c);
	c->is_pumping = false;
	free_if_left(c);
}

void conn_drain(struct conn *c)
{
	c->is_ending = true;
	conn_pump(c);
}

static void go_on(struct mail *mail)
{
	struct conn *c = container_of(mail, struct conn, again);

	c->is_posted = false;
	if (c->is_dead)
		free_if_left(c);
	else
		conn_pump(c);
}

static void on_event(struct sock_owner *owner, unsigned int events)
{
	struct conn *c = container_of(owner, struct conn, owner);

	if (events & SOCK_WRITABLE)
		c->is_full = false;
	conn_pump(c);
}

/* ---- time ---- */

static void stash_half_frame(struct conn *c)
{
	if (!c->in || c->begin == c->end || c->is_blocked || c->is_hungry)
		return;
	buf_add(&c->stash, c->in->data + c->begin, c->end - c->begin);
	frame_put(c->in);
	c->in = NULL;
	c->begin = c->end = 0;
}

/* A large frame of which more is to come: not one that waits for its turn. */
static bool is_growing(const struct conn *c)
{
	return c->large && c->large_filled < c->large_size;
}

static void on_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	uint64_t now = mono_ms();
	uint64_t hungry = atomic_load_explicit(&c->server->hungry_ms, memory_order_relaxed);
	uint32_t idle_ms = c->server->limits.idle_ms;

	if (c->is_hungry) {
		conn_pump(c);
		return;
	}
	if (is_growing(c) && now - c->grew_ms >= LIMIT_STALL_MS && hungry &&
	    now - hungry < TICK_MS) {
		conn_broken(c,
		            "a request of %zu bytes makes no progress while others wait for "
		            "memory",
		            c->large_size);
		conn_end(c);
		return;
	}
	if (idle_ms && now - c->progress_ms >= idle_ms && (!c->running || c->is_full)) {
		diag_debug("conn", "%s:%u: idle; closed", c->peer.host, c->peer.port);
		conn_end(c);
		return;
	}
	if (now - c->progress_ms >= TICK_MS)
		stash_half_frame(c);
	if (c->large || c->in)
		timer_arm(t, now + TICK_MS);
	else if (idle_ms)
		timer_arm(t, now - c->progress_ms >= idle_ms ? now + TICK_MS
		                                             : c->progress_ms + idle_ms);
}

/* ---- the beginning ---- */

static uint32_t ip_max(const struct conn_quota *quota, const char *host)
{
	for (uint32_t i = 0; i < quota->override_count; i++)
		if (str_eq(quota->override[i].host, str_of(host)))
			return quota->override[i].connections_max;
	return quota->connections_ip_max;
}

static struct sock_owner *refuse(struct conn_server *server, struct shard *shard,
                                 const struct sock_address *peer, const char *key)
{
	diag_limited(&server->say_refused, DIAG_WARN, "conn", "%s:%u: refused: %s is reached",
	             peer->host, peer->port, key);
	shard_count(shard, SHARD_REFUSED);
	return NULL;
}

struct sock_owner *conn_start(struct conn_listener *listener, struct sock *sock)
{
	struct conn_server *server = listener->server;
	struct shard *shard = &server->shard[reactor_self()];
	struct sock_address peer = sock_peer(sock);
	const struct conn_quota *quota;
	struct conn *c;
	void *ip;

	if (shard->is_stopping || atomic_load(&server->is_stopping))
		return NULL;
	quota = rcu_load(&server->quota);
	if (atomic_load_explicit(&server->open, memory_order_relaxed) >= quota->connections_max &&
	    !listener->call.is_controller)
		return refuse(server, shard, &peer, "max.connections");
	ip = ip_enter(server->ips, peer.host, ip_max(quota, peer.host));
	if (!ip)
		return refuse(server, shard, &peer, "max.connections.per.ip");
	atomic_fetch_add_explicit(&server->open, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&shard->open, 1, memory_order_relaxed);
	shard->alive++;
	shard_count(shard, SHARD_ACCEPTED);
	c = mem_zalloc(sizeof(*c));
	c->owner.event = on_event;
	c->sock = sock;
	c->server = server;
	c->shard = shard;
	c->listener = listener;
	c->peer = peer;
	c->ip = ip;
	c->again.run = go_on;
	c->progress_ms = mono_ms();
	list_init(&c->calls);
	list_push(&shard->conns, &c->link);
	timer_init(&c->timer, on_timer);
	if (server->limits.idle_ms)
		timer_arm(&c->timer, c->progress_ms + server->limits.idle_ms);
	diag_debug("conn", "%s:%u: connected to %.*s", peer.host, peer.port,
	           STR_ARG(listener->call.name));
	return &c->owner;
}
