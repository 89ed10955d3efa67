/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "broker/broker.h"
#include "conn_private.h"
#include "kern/kernel.h"
#include "kern/steer.h"

const struct conn_limits CONN_LIMITS_DEFAULT = {
	.request_bytes_max = 100 * 1024 * 1024,
	.requests_bytes_max = 1 << 30,
	.connections_max = INT32_MAX,
	.connections_ip_max = INT32_MAX,
	.idle_ms = 10 * 60 * 1000,
};

/* ---- the end of a reactor's share ---- */

static void all_stopped(struct mail *mail)
{
	struct conn_server *server = container_of(mail, struct conn_server, stopped_mail);

	timer_disarm(&server->grace);
	server->stopped(server->stopped_arg);
}

void shard_look(struct shard *s)
{
	bool busy = atomic_load_explicit(&s->calls, memory_order_relaxed) && !s->is_forced;

	if (!s->is_stopping || s->is_stopped || s->alive || busy)
		return;
	s->is_stopped = true;
	/* Acquire and release: what every reactor did comes before stopped(). */
	if (atomic_fetch_sub_explicit(&s->server->shards_left, 1, memory_order_acq_rel) == 1)
		reactor_post(0, &s->server->stopped_mail);
}

static void drain(struct mail *mail)
{
	struct shard *s = container_of(mail, struct shard, drain);
	struct list todo;
	struct list *node;

	s->is_stopping = true;
	list_init(&todo);
	while ((node = list_pop(&s->conns)))
		list_push(&todo, node);
	while ((node = list_pop(&todo))) {
		list_push(&s->conns, node);
		conn_drain(list_entry(node, struct conn, link));
	}
	shard_look(s);
}

static void force(struct mail *mail)
{
	struct shard *s = container_of(mail, struct shard, force);

	s->is_forced = true;
	while (!list_is_empty(&s->conns))
		conn_end(list_entry(s->conns.next, struct conn, link));
	shard_look(s);
}

static void grace_is_over(struct timer *timer)
{
	struct conn_server *server = container_of(timer, struct conn_server, grace);

	for (int i = 0; i < server->shard_count; i++)
		reactor_post(i, &server->shard[i].force);
}

static void close_listeners(struct conn_server *server)
{
	for (struct conn_listener *l = server->listener; l; l = l->next) {
		listener_close(l->socket);
		l->socket = NULL;
	}
}

void conn_server_stop(struct conn_server *server, uint64_t grace_ms, void (*stopped)(void *arg),
                      void *arg)
{
	check(!atomic_load(&server->is_stopping));
	server->stopped = stopped;
	server->stopped_arg = arg;
	atomic_store(&server->shards_left, server->shard_count);
	atomic_store(&server->is_stopping, true);
	close_listeners(server);
	for (int i = 0; i < server->shard_count; i++)
		reactor_post(i, &server->shard[i].drain);
	timer_arm(&server->grace, mono_ms() + grace_ms);
}

/* ---- how many connections ---- */

static struct conn_quota *quota_new(const struct conn_limits *limits)
{
	struct conn_quota *q =
		mem_zalloc(sizeof(*q) + limits->override_count * sizeof(q->override[0]));

	q->connections_max = limits->connections_max;
	q->connections_ip_max = limits->connections_ip_max;
	q->override_count = limits->override_count;
	for (uint32_t i = 0; i < q->override_count; i++) {
		q->override[i] = limits->override[i];
		q->override[i].host.data = str_dup(limits->override[i].host);
	}
	return q;
}

static void quota_free(struct rcu_head *head)
{
	struct conn_quota *q = container_of(head, struct conn_quota, rcu);

	for (uint32_t i = 0; i < q->override_count; i++)
		mem_free((char *)(uintptr_t)q->override[i].host.data);
	mem_free(q);
}

void conn_server_configure(struct conn_server *server, const struct conn_limits *limits)
{
	struct conn_quota *old = atomic_load_explicit(&server->quota, memory_order_relaxed);

	rcu_publish(&server->quota, quota_new(limits));
	rcu_defer(&old->rcu, quota_free);
}

/* ---- a server ---- */

struct conn_server *conn_server_open(struct broker *broker, const struct conn_limits *limits)
{
	int count = reactor_count();
	struct conn_server *server =
		mem_zalloc(sizeof(*server) + (size_t)count * sizeof(server->shard[0]));

	server->broker = broker;
	server->limits = *limits;
	server->shard_count = count;
	server->stopped_mail.run = all_stopped;
	timer_init(&server->grace, grace_is_over);
	for (int i = 0; i < count; i++) {
		struct shard *s = &server->shard[i];

		s->server = server;
		s->drain.run = drain;
		s->force.run = force;
		list_init(&s->conns);
	}
	server->limits.override = NULL;
	server->limits.override_count = 0;
	atomic_init(&server->quota, quota_new(limits));
	server->ips = ip_table_new(); /* a limit may come when connections are there already */
	frame_pools_open(limits->requests_bytes_max);
	return server;
}

static struct sock_owner *accepted(void *arg, struct sock *sock)
{
	return conn_start(arg, sock);
}

static int steer(void *arg, uint16_t port, const int *fd, const int *cpu, uint32_t count)
{
	struct conn_listener *l = arg;
	struct steer *help = kernel_steer(l->server->broker->kernel);
	int err = help ? steer_add(help, port, fd, cpu, count) : -EOPNOTSUPP;

	if (err && help)
		diag_warn("kernel", "port %u: eBPF steering: %s", port, strerror(-err));
	return err;
}

enum listener_spread conn_server_spread(const struct conn_server *server)
{
	return server->listener ? listener_spread(server->listener->socket) : LISTENER_ALONE;
}

int conn_server_listen(struct conn_server *server, const char *host, uint16_t port, struct str name,
                       int16_t security_protocol, bool is_controller, uint16_t *ret_port)
{
	struct conn_listener *l = mem_zalloc(sizeof(*l));
	struct listener_handler handler = { accepted, l, steer };
	int err;

	l->server = server;
	l->call = (struct call_listener){
		.broker = server->broker,
		.name = { str_dup(name), name.size },
		.security_protocol = security_protocol,
		.is_controller = is_controller,
		.port = port,
	};
	err = listener_open(host ? host : "", port, &handler, &l->socket);
	if (err) {
		mem_free((void *)(uintptr_t)l->call.name.data);
		mem_free(l);
		return err;
	}
	if (!port)
		l->call.port = listener_port(l->socket);
	*ret_port = l->call.port;
	l->next = server->listener;
	server->listener = l;
	return 0;
}

void conn_server_close(struct conn_server *server)
{
	struct conn_listener *l;

	if (!server)
		return;
	while ((l = server->listener)) {
		server->listener = l->next;
		mem_free((void *)(uintptr_t)l->call.name.data);
		mem_free(l);
	}
	for (int i = 0; i < server->shard_count; i++)
		call_pool_fini(&server->shard[i]);
	frame_pools_close();
	ip_table_free(server->ips);
	quota_free(&atomic_load(&server->quota)->rcu);
	mem_free(server);
}

struct conn_counters conn_server_counters(const struct conn_server *server)
{
	struct conn_counters sum = { 0 };

	for (int i = 0; i < server->shard_count; i++) {
		const struct shard *s = &server->shard[i];
		uint64_t n[SHARD_COUNTERS];

		for (int k = 0; k < SHARD_COUNTERS; k++)
			n[k] = counter_read(&s->counter[k]);
		sum.accepted += n[SHARD_ACCEPTED];
		sum.refused += n[SHARD_REFUSED];
		sum.broken += n[SHARD_BROKEN];
		sum.requests += n[SHARD_REQUESTS];
		sum.trailing += n[SHARD_TRAILING];
		sum.memory_waits += (uint32_t)n[SHARD_MEMORY_WAITS];
		sum.open += atomic_load_explicit(&s->open, memory_order_relaxed);
		sum.calls += atomic_load_explicit(&s->calls, memory_order_relaxed);
	}
	return sum;
}
