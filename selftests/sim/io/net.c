/* SPDX-License-Identifier: Apache-2.0 */
#include "io/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "file_internal.h"
#include "world.h"

enum { PORT_FIRST = 40000, CLIENT = -1 };

/* Bytes on their way or waiting to be read; of a file also where they came from. */
struct chunk {
	struct chunk *next;
	struct file *file;
	uint64_t position;
	size_t size;
	size_t read; /* by the receiver */
	unsigned char data[];
};

struct queue {
	struct chunk *first, **end;
};

/* What arrives at one end. */
struct side {
	struct sock *sock;         /* of a reactor, or */
	struct sim_client *client; /* of the outside, or neither: closed, or not yet accepted */
	struct queue way, here;
	size_t bytes; /* on the way or here */
	uint64_t last_ns;
	bool end_sent; /* nothing more is sent to it */
	bool end_came;
	bool is_refused;
	bool is_closed;  /* by whoever was here */
	bool is_waiting; /* its sender waits for room */
};

struct conn {
	int refs; /* two sides, and arrivals on their way */
	bool is_reset;
	uint16_t port[2];
	struct side side[2]; /* 0: who connected */
};

struct sock {
	struct source source;
	struct list link;
	int reactor;
	unsigned int said;
	bool is_closed;
	bool wants_write;
	struct sock_owner *owner;
	struct conn *conn;
	int at; /* its side */
};

struct listener {
	struct list link;
	struct listener_handler handler;
	uint16_t port;
	bool is_closed;
	int refs;
};

static struct list listeners = { &listeners, &listeners };
static struct list socks = { &socks, &socks };
static uint16_t next_port;

/* ---- queues ---- */

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static void queue_put(struct queue *q, struct chunk *c)
{
	c->next = NULL;
	*q->end = c;
	q->end = &c->next;
}

static struct chunk *queue_take(struct queue *q)
{
	struct chunk *c = q->first;

	if (!c)
		return NULL;
	q->first = c->next;
	if (!q->first)
		q->end = &q->first;
	return c;
}

static void chunk_free(struct chunk *c)
{
	if (c)
		file_put(c->file);
	mem_free(c);
}

static void queue_clear(struct queue *q)
{
	struct chunk *c;

	while ((c = queue_take(q)))
		chunk_free(c);
}

/* ---- connections ---- */

static struct conn *conn_new(uint16_t port)
{
	struct conn *conn = mem_zalloc(sizeof(*conn));

	if (next_port < PORT_FIRST)
		next_port = PORT_FIRST;
	conn->refs = 2;
	conn->port[0] = next_port++;
	conn->port[1] = port;
	for (int i = 0; i < 2; i++) {
		queue_init(&conn->side[i].way);
		queue_init(&conn->side[i].here);
	}
	return conn;
}

static void conn_put(struct conn *conn)
{
	if (--conn->refs)
		return;
	for (int i = 0; i < 2; i++) {
		queue_clear(&conn->side[i].way);
		queue_clear(&conn->side[i].here);
	}
	mem_free(conn);
}

static void sock_say(struct sock *s, unsigned int events)
{
	if (!s || s->is_closed)
		return;
	s->said |= events;
	if (s->owner)
		source_raise(s->reactor, &s->source);
}

static void sock_ready(struct source *source)
{
	struct sock *s = container_of(source, struct sock, source);
	unsigned int said = s->said;

	s->said = 0;
	if (sim_chance(2))
		said |= SOCK_READABLE | SOCK_WRITABLE; /* it may say so without need */
	s->owner->event(s->owner, said);
}

static void client_closed(struct sim_client *client)
{
	struct conn *conn = client->conn;

	client->conn = NULL;
	conn->side[0].client = NULL;
	conn->side[0].is_closed = true;
	conn_put(conn);
	client->closed(client);
}

static void conn_reset(struct conn *conn)
{
	conn->is_reset = true;
	for (int i = 0; i < 2; i++) {
		struct side *side = &conn->side[i];

		queue_clear(&side->way);
		sock_say(side->sock, SOCK_READABLE | SOCK_WRITABLE);
	}
	if (conn->side[0].client)
		client_closed(conn->side[0].client);
}

/* ---- arrivals ---- */

struct arrival {
	struct conn *conn;
	int to;
};

/*
 * A byte of a file that was sent is read when it is delivered, as the real network card does.
 * The law: it is what it was when it was sent (DESIGN.md, section 6).
 */
static void check_file_range(const struct chunk *c)
{
	const struct content *now = &c->file->inode->now;

	if (c->position + c->size > now->size || memcmp(now->data + c->position, c->data, c->size))
		sim_fail("%s: bytes %llu to %llu changed after they were sent", c->file->name,
		         (unsigned long long)c->position,
		         (unsigned long long)(c->position + c->size));
}

static void made_room(struct conn *conn, int to)
{
	struct side *sender = &conn->side[!to];

	if (!conn->side[to].is_waiting)
		return;
	conn->side[to].is_waiting = false;
	if (sender->sock && sender->sock->wants_write) {
		sender->sock->wants_write = false;
		sock_say(sender->sock, SOCK_WRITABLE);
	}
}

static void arrive_at(struct conn *conn, int to)
{
	struct side *side = &conn->side[to];
	struct chunk *c = queue_take(&side->way);
	struct sim_client *client = side->client;

	if (!c) { /* the end */
		side->end_came = true;
		sock_say(side->sock, SOCK_READABLE);
		if (client)
			client_closed(client);
		return;
	}
	if (c->file)
		check_file_range(c);
	if (!client && !side->is_closed) {
		queue_put(&side->here, c);
		sock_say(side->sock, SOCK_READABLE);
		return;
	}
	side->bytes -= c->size;
	made_room(conn, to);
	if (client)
		client->received(client, c->data, c->size);
	else
		conn_reset(conn); /* bytes for one who closed */
	chunk_free(c);
}

static void arrive(void *arg)
{
	struct arrival *a = arg;

	if (!a->conn->is_reset) {
		if (sim_random(1000) < world()->faults.reset_per_mille)
			conn_reset(a->conn);
		else
			arrive_at(a->conn, a->to);
	}
	conn_put(a->conn);
	mem_free(a);
}

static void depart(struct conn *conn, int to)
{
	struct arrival *a = mem_zalloc(sizeof(*a));
	struct side *side = &conn->side[to];
	uint64_t at_ns = later(world()->manners.net_ns_max);

	if (at_ns > side->last_ns)
		side->last_ns = at_ns;
	a->conn = conn;
	a->to = to;
	conn->refs++;
	event_at(side->last_ns, PLACE_OUTSIDE, arrive, a);
}

static struct chunk *chunk_new(size_t size)
{
	struct chunk *c = mem_zalloc(sizeof(*c) + size);

	c->size = size;
	return c;
}

static void send_chunk(struct conn *conn, int to, struct chunk *c)
{
	conn->side[to].bytes += c->size;
	queue_put(&conn->side[to].way, c);
	depart(conn, to);
}

static void send_end(struct conn *conn, int to)
{
	if (conn->side[to].end_sent)
		return;
	conn->side[to].end_sent = true;
	depart(conn, to);
}

/* ---- sockets of reactors ---- */

static struct sock *sock_new(struct conn *conn, int at)
{
	struct sock *s = mem_zalloc(sizeof(*s));

	s->source.ready = sock_ready;
	list_init(&s->source.link);
	s->reactor = reactor_self();
	s->conn = conn;
	s->at = at;
	conn->side[at].sock = s;
	list_push(&socks, &s->link);
	return s;
}

static void must_be_home(const struct sock *s)
{
	must_be_reactor();
	check(!s->is_closed);
	check(s->reactor == reactor_self());
}

void sock_close(struct sock *s)
{
	if (!s)
		return;
	must_be_home(s);
	s->is_closed = true;
	source_drop(&s->source);
	list_remove(&s->link);
	s->conn->side[s->at].sock = NULL;
	s->conn->side[s->at].is_closed = true;
	send_end(s->conn, !s->at);
	conn_put(s->conn);
	free_after_event(s);
}

static size_t shorten(size_t size)
{
	if (size > 1 && sim_chance(world()->manners.short_per_cent))
		return 1 + (size_t)sim_random(size - 1);
	return size;
}

ssize_t sock_recv(struct sock *s, void *data, size_t size)
{
	struct side *side = &s->conn->side[s->at];
	struct chunk *c = side->here.first;
	size_t n;

	must_be_home(s);
	if (s->conn->is_reset)
		return -ECONNRESET;
	if (side->is_refused)
		return -ECONNREFUSED;
	if (!c)
		return side->end_came ? 0 : -EAGAIN;
	n = c->size - c->read;
	if (n > size)
		n = size;
	n = shorten(n);
	memcpy(data, c->data + c->read, n);
	c->read += n;
	side->bytes -= n;
	if (c->read == c->size)
		chunk_free(queue_take(&side->here));
	made_room(s->conn, s->at);
	return (ssize_t)n;
}

/* How many of `size` bytes the other side takes now, or why none. */
static ssize_t room_for(struct sock *s, size_t size)
{
	struct side *to = &s->conn->side[!s->at];
	size_t window = world()->manners.window_bytes, n;

	must_be_home(s);
	if (s->conn->is_reset)
		return -ECONNRESET;
	if (s->conn->side[s->at].is_refused)
		return -ECONNREFUSED;
	if (!size)
		return 0;
	n = to->bytes < window ? window - to->bytes : 0;
	n = n < size ? n : shorten(size);
	if (n < size)
		to->is_waiting = s->wants_write = true;
	/* Short although there was room: it says so when asked again, or by this. */
	if (n && n < size && to->bytes + n < window)
		sock_say(s, SOCK_WRITABLE);
	return n ? (ssize_t)n : -EAGAIN;
}

ssize_t sock_send(struct sock *s, const struct iovec *iov, int count, bool more)
{
	size_t asked = 0, done = 0;
	struct chunk *c;
	ssize_t n;

	(void)more;
	for (int i = 0; i < count; i++)
		asked += iov[i].iov_len;
	n = room_for(s, asked);
	if (n <= 0)
		return n;
	c = chunk_new((size_t)n);
	for (int i = 0; i < count && done < c->size; i++) {
		size_t part = iov[i].iov_len < c->size - done ? iov[i].iov_len : c->size - done;

		if (part)
			memcpy(c->data + done, iov[i].iov_base, part);
		done += part;
	}
	send_chunk(s->conn, !s->at, c);
	return n;
}

ssize_t sock_send_file(struct sock *s, struct file *f, uint64_t position, size_t size, bool more)
{
	const struct content *now = &f->inode->now;
	struct chunk *c;
	ssize_t n;

	(void)more;
	must_be_home(s);
	check(f->flags & FILE_READ);
	if (position >= now->size)
		size = 0;
	else if (size > now->size - position)
		size = (size_t)(now->size - position);
	n = room_for(s, size);
	if (n <= 0)
		return n;
	c = chunk_new((size_t)n);
	memcpy(c->data, now->data + position, c->size);
	c->file = file_get(f);
	c->position = position;
	send_chunk(s->conn, !s->at, c);
	return n;
}

static struct sock_address address(uint16_t port)
{
	return (struct sock_address){ .host = "127.0.0.1", .port = port, .is_loopback = true };
}

struct sock_address sock_peer(const struct sock *s)
{
	return address(s->conn->port[!s->at]);
}

struct sock_address sock_local(const struct sock *s)
{
	return address(s->conn->port[s->at]);
}

/* ---- listening ---- */

static struct listener *listener_find(uint16_t port)
{
	list_each(node, &listeners)
	{
		struct listener *l = list_entry(node, struct listener, link);

		if (l->port == port)
			return l;
	}
	return NULL;
}

static void listener_put(struct listener *l)
{
	if (!--l->refs)
		mem_free(l);
}

int listener_open(const char *host, uint16_t port, const struct listener_handler *handler,
                  struct listener **ret)
{
	struct listener *l;

	(void)host;
	must_be_inside();
	check(reactor_self() <= 0);
	if (port && listener_find(port))
		return -EADDRINUSE;
	l = mem_zalloc(sizeof(*l));
	while (!port)
		port = listener_find(++next_port) ? 0 : next_port;
	l->handler = *handler;
	l->port = port;
	l->refs = 1;
	list_push(&listeners, &l->link);
	*ret = l;
	return 0;
}

uint16_t listener_port(const struct listener *l)
{
	return l->port;
}

/* Here the seed spreads them. */
enum listener_spread listener_spread(const struct listener *l)
{
	(void)l;
	return LISTENER_BY_HASH;
}

void listener_close(struct listener *l)
{
	if (!l)
		return;
	must_be_inside();
	l->is_closed = true;
	list_remove(&l->link);
	listener_put(l);
}

static void refuse(struct conn *conn)
{
	struct side *side = &conn->side[0];

	side->is_refused = true;
	conn->side[1].is_closed = true;
	sock_say(side->sock, SOCK_READABLE | SOCK_WRITABLE);
	if (side->client)
		client_closed(side->client);
	conn_put(conn);
}

/* A connection request on its way, then a letter to the reactor that accepts it. */
struct arriving {
	struct mail mail;
	struct conn *conn;
	struct listener *listener;
};

static void accept_here(struct mail *mail)
{
	struct arriving *a = container_of(mail, struct arriving, mail);
	struct listener *l = a->listener;
	struct conn *conn = a->conn;
	struct sock_owner *owner = NULL;
	struct sock *s;

	mem_free(a);
	if (l->is_closed) {
		place = PLACE_OUTSIDE; /* only the client hears of it */
		refuse(conn);
		listener_put(l);
		return;
	}
	s = sock_new(conn, 1);
	if (conn->side[0].sock)
		sock_say(conn->side[0].sock, SOCK_WRITABLE);
	owner = l->handler.accepted(l->handler.arg, s);
	listener_put(l);
	if (s->is_closed)
		return;
	if (!owner) {
		sock_close(s);
		return;
	}
	s->owner = owner;
	if (conn->side[1].here.first || conn->side[1].end_came || conn->is_reset)
		sock_say(s, SOCK_READABLE);
}

static void request_arrives(void *arg)
{
	struct arriving *a = arg;
	struct listener *l = listener_find(a->conn->port[1]);

	if (!l) {
		refuse(a->conn);
		mem_free(a);
		return;
	}
	a->listener = l;
	l->refs++;
	a->mail.run = accept_here;
	mail_arrives((int)sim_random((uint64_t)reactor_count()), &a->mail);
}

static void request(struct conn *conn)
{
	struct arriving *a = mem_zalloc(sizeof(*a));
	uint64_t at_ns = later(world()->manners.net_ns_max);

	a->conn = conn;
	conn->side[1].last_ns = at_ns; /* bytes do not overtake it */
	event_at(at_ns, PLACE_OUTSIDE, request_arrives, a);
}

int sock_connect(const char *host, uint16_t port, struct sock_owner *owner, struct sock **ret)
{
	struct conn *conn;
	struct sock *s;

	(void)host;
	must_be_reactor();
	conn = conn_new(port);
	s = sock_new(conn, 0);
	s->owner = owner;
	request(conn);
	*ret = s;
	return 0;
}

/* ---- clients ---- */

void sim_client_connect(struct sim_client *c, uint16_t port)
{
	check(!c->conn);
	c->conn = conn_new(port);
	c->conn->side[0].client = c;
	request(c->conn);
}

void sim_client_send(struct sim_client *c, const void *data, size_t size)
{
	const unsigned char *at = data;

	while (size) {
		struct chunk *part = chunk_new(shorten(size));

		memcpy(part->data, at, part->size);
		at += part->size;
		size -= part->size;
		send_chunk(c->conn, 1, part);
	}
}

void sim_client_close(struct sim_client *c)
{
	struct conn *conn = c->conn;

	if (!conn)
		return;
	c->conn = NULL;
	conn->side[0].client = NULL;
	conn->side[0].is_closed = true;
	send_end(conn, 1);
	conn_put(conn);
}

void net_fini(void)
{
	struct list *node;

	while ((node = list_pop(&socks))) {
		struct sock *s = list_entry(node, struct sock, link);

		source_drop(&s->source);
		conn_put(s->conn);
		mem_free(s);
	}
	while ((node = list_pop(&listeners)))
		listener_put(list_entry(node, struct listener, link));
}

/* ---- names: the simulated machine has one address ---- */

int host_resolve(const char *name, char ret_host[64])
{
	(void)name;
	snprintf(ret_host, 64, "127.0.0.1");
	return 0;
}

void host_name(char *ret, size_t size)
{
	snprintf(ret, size, "localhost");
}
