/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net_internal.h"

enum {
	BACKLOG = 4096,
	ACCEPTS_PER_TURN = 16,
	PAUSE_MS = 100,
	SPREAD_SLACK = 8, /* connections above 1.5 times the mean before others are offered some */
};

/* One reactor's socket of a listener. */
struct shard {
	struct source source;
	struct mail mail;
	struct listener *listener;
	struct reactor *reactor;
	int fd;
	int reserve_fd; /* given up to accept and close when descriptors run out */
	bool watched;
	bool closed;
	struct timer pause;
};

struct listener {
	struct list link;
	struct listener_handler handler;
	uint16_t port;
	enum listener_spread spread;
	atomic_bool closed;
	atomic_int open_count; /* shards not yet closed by their reactors, and passings on */
	int shard_count;
	struct shard shard[];
};

/* An accepted connection on its way to a less busy reactor. */
struct passing {
	struct mail mail;
	struct listener *listener;
	int fd;
	int to;
	struct sockaddr_in6 peer;
};

static struct list listeners = { &listeners, &listeners };
static pthread_mutex_t listeners_lock = PTHREAD_MUTEX_INITIALIZER; /* open and close only */

static void drop(struct listener *l)
{
	/* Acquire and release: whoever frees comes after everybody's last use. */
	if (atomic_fetch_sub_explicit(&l->open_count, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_lock(&listeners_lock);
	list_remove(&l->link);
	pthread_mutex_unlock(&listeners_lock);
	mem_free(l);
}

static void welcome(struct listener *l, struct reactor *r, int fd, const struct sockaddr_in6 *peer)
{
	struct sock_owner *owner;
	struct sock *s;

	if (sock_make(r, fd, peer, &s))
		return;
	owner = l->handler.accepted(l->handler.arg, s);
	if (!owner) {
		sock_close(s);
		return;
	}
	if (s->fd < 0)
		return; /* closed by its owner already */
	if (sock_start(r, s, owner)) {
		/* It cannot be watched (ENOMEM): to its owner, an end of the stream. */
		(void)shutdown(fd, SHUT_RDWR);
		s->ended = true;
		owner->event(owner, SOCK_READABLE);
	}
}

static void arrive(struct mail *mail)
{
	struct passing *p = container_of(mail, struct passing, mail);

	if (atomic_load_explicit(&p->listener->closed, memory_order_acquire))
		close(p->fd);
	else
		welcome(p->listener, reactor_here(), p->fd, &p->peer);
	drop(p->listener);
	mem_free(p);
}

/*
 * Where a new connection goes: here, unless this reactor has much more than its share.  A
 * client or an RX queue of one CPU must not fill one core.
 */
static struct reactor *choose(struct reactor *here)
{
	int mine = atomic_load_explicit(&here->sock_count, memory_order_relaxed);
	struct reactor *least = here;
	int total = 0, lowest = mine, n = reactor_count();

	for (int i = 0; i < n; i++) {
		int socks = atomic_load_explicit(&reactor_at(i)->sock_count, memory_order_relaxed);

		total += socks;
		if (socks < lowest) {
			lowest = socks;
			least = reactor_at(i);
		}
	}
	return 2 * mine > 3 * (total / n) + SPREAD_SLACK ? least : here;
}

static void place(struct shard *shard, int fd, const struct sockaddr_in6 *peer)
{
	struct reactor *to = choose(shard->reactor);
	struct passing *p;

	if (to == shard->reactor) {
		welcome(shard->listener, to, fd, peer);
		return;
	}
	p = mem_zalloc(sizeof(*p));
	p->mail.run = arrive;
	p->listener = shard->listener;
	p->fd = fd;
	p->peer = *peer;
	atomic_fetch_add_explicit(&shard->listener->open_count, 1, memory_order_relaxed);
	reactor_post(to->index, &p->mail);
}

static void watch(struct shard *shard)
{
	/* Level-triggered: what a turn leaves is said again. */
	if (!reactor_watch(shard->reactor, shard->fd, EPOLLIN, &shard->source))
		shard->watched = true;
	else
		timer_arm(&shard->pause, mono_ms() + PAUSE_MS);
}

static void go_on(struct timer *timer)
{
	struct shard *shard = container_of(timer, struct shard, pause);

	if (shard->reserve_fd < 0)
		shard->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (!shard->closed)
		watch(shard);
}

/* No descriptor left: tell one peer by closing its connection, then leave the rest waiting. */
static void pause_accepting(struct shard *shard)
{
	int fd;

	if (shard->reserve_fd >= 0) {
		close(shard->reserve_fd);
		fd = accept4(shard->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			close(fd);
		shard->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	(void)epoll_ctl(shard->reactor->epoll_fd, EPOLL_CTL_DEL, shard->fd, NULL);
	shard->watched = false;
	timer_arm(&shard->pause, mono_ms() + PAUSE_MS);
}

static void shard_ready(struct source *source, uint32_t events)
{
	struct shard *shard = container_of(source, struct shard, source);

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_in6 peer = { 0 };
		socklen_t size = sizeof(peer);
		int fd;

		/* Acquire: after listener_close() returned on reactor 0 nothing is accepted. */
		if (shard->closed ||
		    atomic_load_explicit(&shard->listener->closed, memory_order_acquire))
			return;
		fd = accept4(shard->fd, (struct sockaddr *)&peer, &size,
		             SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			place(shard, fd, &peer);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			pause_accepting(shard);
			return;
		}
		/* The rest is trouble of one connection that is gone already. */
	}
}

static void shard_close(struct mail *mail)
{
	struct shard *shard = container_of(mail, struct shard, mail);

	shard->closed = true;
	reactor_forget(reactor_here(), &shard->source);
	timer_disarm(&shard->pause);
	close(shard->fd);
	if (shard->reserve_fd >= 0)
		close(shard->reserve_fd);
	drop(shard->listener);
}

void listener_close(struct listener *l)
{
	if (!l)
		return;
	atomic_store_explicit(&l->closed, true, memory_order_release);
	for (int i = 0; i < l->shard_count; i++) /* new connections are refused from now on */
		(void)shutdown(l->shard[i].fd, SHUT_RDWR);
	for (int i = 0; i < l->shard_count; i++) {
		l->shard[i].mail.run = shard_close;
		reactor_post(i, &l->shard[i].mail);
	}
}

static void discard(struct listener *l)
{
	for (int i = 0; i < l->shard_count; i++) {
		struct shard *shard = &l->shard[i];

		if (shard->closed)
			continue;
		if (shard->fd >= 0)
			close(shard->fd);
		if (shard->reserve_fd >= 0)
			close(shard->reserve_fd);
	}
	mem_free(l);
}

void listeners_close(void)
{
	struct list *node;

	while ((node = list_pop(&listeners)))
		discard(list_entry(node, struct listener, link));
}

uint16_t listener_port(const struct listener *l)
{
	return l->port;
}

enum listener_spread listener_spread(const struct listener *l)
{
	return l->spread;
}

static bool steered_by_handler(struct listener *l)
{
	int fd[REACTORS_MAX], cpu[REACTORS_MAX];

	if (!l->handler.steer)
		return false;
	for (int i = 0; i < l->shard_count; i++) {
		fd[i] = l->shard[i].fd;
		cpu[i] = reactor_at(i)->cpu;
	}
	return !l->handler.steer(l->handler.arg, l->port, fd, cpu, (uint32_t)l->shard_count);
}

static bool steered_by_classic_bpf(struct listener *l)
{
	struct sock_filter code[REACTORS_MAX * 2 + 3];
	struct sock_fprog program = { .filter = code };
	unsigned short n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                                         (uint32_t)(SKF_AD_OFF + SKF_AD_CPU));
	for (int i = 0; i < l->shard_count; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		                                         (uint32_t)reactor_at(i)->cpu, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (uint32_t)i);
	}
	code[n++] =
		(struct sock_filter)BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, (uint32_t)l->shard_count);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	program.len = n;
	return !setsockopt(l->shard[0].fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
	                   sizeof(program));
}

/*
 * The kernel gives a connection to the reactor that runs where its SYN came in.  Losing this
 * costs locality only.
 */
static enum listener_spread steer(struct listener *l)
{
	if (l->shard_count < 2)
		return LISTENER_ALONE;
	if (!reactors_are_pinned())
		return LISTENER_BY_HASH;
	if (steered_by_handler(l))
		return LISTENER_BY_HANDLER;
	return steered_by_classic_bpf(l) ? LISTENER_BY_CPU : LISTENER_REFUSED;
}

static int shard_bind(struct shard *shard, struct sockaddr_in6 *address, socklen_t size, bool first)
{
	int one = 1;
	int fd = socket(address->sin6_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	shard->fd = fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)); /* TIME_WAIT */
	/*
	 * The first binds alone, so that a port somebody else listens on is refused even when
	 * that is another broker of this user; only then the port is opened to our others.
	 */
	if (!first && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)))
		return -errno;
	if (bind(fd, (struct sockaddr *)address, size))
		return -errno;
	if (first && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)))
		return -errno;
	if (first && getsockname(fd, (struct sockaddr *)address, &size))
		return -errno;
	return 0;
}

static int bind_all(struct listener *l, const char *host, uint16_t port)
{
	struct sockaddr_in6 address;
	socklen_t size;
	bool any = !*host;
	int err;

	err = address_parse(any                          ? "::"
	                    : !strcmp(host, "localhost") ? "127.0.0.1"
	                                                 : host,
	                    port, &address, &size);
	if (err)
		return err;
	err = shard_bind(&l->shard[0], &address, size, true);
	if (err == -EAFNOSUPPORT && any) { /* no IPv6 on this machine */
		err = address_parse("0.0.0.0", port, &address, &size);
		if (!err)
			err = shard_bind(&l->shard[0], &address, size, true);
	}
	for (int i = 1; !err && i < l->shard_count; i++)
		err = shard_bind(&l->shard[i], &address, size, false);
	/* Port is at the same place in both families. */
	l->port = ntohs(address.sin6_port);
	for (int i = 0; !err && i < l->shard_count; i++)
		if (listen(l->shard[i].fd, BACKLOG))
			err = -errno;
	return err;
}

int listener_open(const char *host, uint16_t port, const struct listener_handler *handler,
                  struct listener **ret)
{
	int n = reactor_count(), err;
	struct listener *l = mem_zalloc(sizeof(*l) + (size_t)n * sizeof(l->shard[0]));

	check(reactor_self() <= 0); /* reactor 0 or none */
	l->handler = *handler;
	l->shard_count = n;
	atomic_init(&l->open_count, n);
	for (int i = 0; i < n; i++) {
		struct shard *shard = &l->shard[i];

		shard->source.ready = shard_ready;
		shard->listener = l;
		shard->reactor = reactor_at(i);
		shard->fd = -1;
		shard->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		timer_init(&shard->pause, go_on);
	}
	err = bind_all(l, host, port);
	if (err)
		goto fail;
	l->spread = steer(l);
	for (int i = 0; i < n; i++) {
		err = reactor_watch(reactor_at(i), l->shard[i].fd, EPOLLIN, &l->shard[i].source);
		if (err)
			goto fail;
	}
	pthread_mutex_lock(&listeners_lock);
	list_push(&listeners, &l->link);
	pthread_mutex_unlock(&listeners_lock);
	*ret = l;
	return 0;
fail:
	discard(l);
	return err;
}
