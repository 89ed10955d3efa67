/* SPDX-License-Identifier: Apache-2.0 */
#include "io/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "file_internal.h"
#include "loop.h"
#include "net_internal.h"

enum { COPY_BYTES = 64 * 1024 };

/* ---- addresses ---- */

int address_parse(const char *host, uint16_t port, struct sockaddr_in6 *ret, socklen_t *ret_size)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*ret_size = sizeof(*v4);
		return 0;
	}
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET6, host, &ret->sin6_addr) == 1) {
		ret->sin6_family = AF_INET6;
		ret->sin6_port = htons(port);
		*ret_size = sizeof(*ret);
		return 0;
	}
	return -EINVAL;
}

static struct sock_address address_text(const struct sockaddr_in6 *a)
{
	struct sock_address text = { .host = "" };
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
	const uint8_t *bytes = a->sin6_addr.s6_addr;

	if (a->sin6_family == AF_INET) {
		(void)inet_ntop(AF_INET, &v4->sin_addr, text.host, sizeof(text.host));
		text.port = ntohs(v4->sin_port);
		text.is_loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
	} else if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr)) {
		(void)inet_ntop(AF_INET, bytes + 12, text.host, sizeof(text.host));
		text.port = ntohs(a->sin6_port);
		text.is_loopback = bytes[12] == 127;
	} else {
		(void)inet_ntop(AF_INET6, &a->sin6_addr, text.host, sizeof(text.host));
		text.port = ntohs(a->sin6_port);
		text.is_loopback = IN6_IS_ADDR_LOOPBACK(&a->sin6_addr);
	}
	return text;
}

struct sock_address sock_peer(const struct sock *s)
{
	return address_text(&s->peer);
}

struct sock_address sock_local(const struct sock *s)
{
	struct sockaddr_in6 local = { 0 };
	socklen_t size = sizeof(local);

	(void)getsockname(s->fd, (struct sockaddr *)&local, &size); /* then it prints as :: */
	return address_text(&local);
}

/* ---- life ---- */

static void sock_ready(struct source *source, uint32_t events)
{
	struct sock *s = container_of(source, struct sock, source);
	unsigned int said = 0;

	s->drained = false;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->ended = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		said |= SOCK_READABLE;
	if (s->wants_write && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))) {
		s->wants_write = false;
		said |= SOCK_WRITABLE;
	}
	if (said)
		s->owner->event(s->owner, said);
}

/* Owns fd from here on, also when it fails. */
int sock_make(struct reactor *r, int fd, const struct sockaddr_in6 *peer, struct sock **ret)
{
	struct sock *s = mem_zalloc(sizeof(*s));
	int one = 1;

	s->fd = fd;
	s->peer = *peer;
	s->source.ready = sock_ready;
	/* Answers are written whole, so Nagle could only delay them. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	list_push(&r->socks, &s->link);
	atomic_fetch_add_explicit(&r->sock_count, 1, memory_order_relaxed);
	*ret = s;
	return 0;
}

int sock_start(struct reactor *r, struct sock *s, struct sock_owner *owner)
{
	s->owner = owner;
	return reactor_watch(r, s->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &s->source);
}

void sock_close(struct sock *s)
{
	struct reactor *r = reactor_here();

	if (!s)
		return;
	check(s->fd >= 0);
	reactor_forget(r, &s->source);
	close(s->fd); /* leaves the epoll set with it: never duplicated */
	s->fd = -1;
	list_remove(&s->link);
	list_push(&r->socks_closed, &s->link);
	atomic_fetch_sub_explicit(&r->sock_count, 1, memory_order_relaxed);
}

void net_turn_ends(struct reactor *r)
{
	struct list *node;

	while ((node = list_pop(&r->socks_closed)))
		mem_free(list_entry(node, struct sock, link));
}

void net_close(void)
{
	struct list *node;

	listeners_close();
	for (int i = 0; i < reactor_count(); i++) {
		struct reactor *r = reactor_at(i);

		while ((node = list_pop(&r->socks))) {
			struct sock *s = list_entry(node, struct sock, link);

			close(s->fd);
			mem_free(s);
		}
		net_turn_ends(r);
	}
}

int sock_connect(const char *host, uint16_t port, struct sock_owner *owner, struct sock **ret)
{
	struct reactor *r = reactor_here();
	struct sockaddr_in6 peer;
	socklen_t size = 0;
	struct sock *s;
	int fd, err = address_parse(host, port, &peer, &size);

	if (err)
		return err;
	fd = socket(peer.sin6_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = sock_make(r, fd, &peer, &s);
	if (err)
		return err;
	s->wants_write = true;
	if (connect(fd, (struct sockaddr *)&peer, size) && errno != EINPROGRESS)
		err = -errno;
	if (!err)
		err = sock_start(r, s, owner);
	if (err) {
		sock_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

/* ---- bytes ---- */

ssize_t sock_recv(struct sock *s, void *data, size_t size)
{
	ssize_t n;

	if (s->drained)
		return -EAGAIN;
	do
		n = recv(s->fd, data, size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);

	if (n < 0)
		return -errno;
	/*
	 * The queue was empty after a short read, and what comes now comes with an edge: the next
	 * call need not ask.  The end of the stream is an edge of its own, seen or to be seen.
	 */
	s->drained = n > 0 && (size_t)n < size && !s->ended;
	reactor_here()->input_bytes += (size_t)n;
	return n;
}

static void set_cork(struct sock *s, bool on)
{
	int value = on;

	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_CORK, &value, sizeof(value)); /* packets only */
	s->corked = on;
}

static ssize_t sent(struct sock *s, ssize_t n, size_t asked, bool more)
{
	if (n < 0 ? n == -EAGAIN : (size_t)n < asked)
		s->wants_write = true;
	else if (s->corked && !more && n >= 0)
		set_cork(s, false); /* pushes */
	return n;
}

ssize_t sock_send(struct sock *s, const struct iovec *iov, int count, bool more)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov };
	size_t asked = 0;
	ssize_t n;

	msg.msg_iovlen = (size_t)(count < SOCK_IOV_MAX ? count : SOCK_IOV_MAX);
	more = more || count > SOCK_IOV_MAX;
	for (size_t i = 0; i < msg.msg_iovlen; i++)
		asked += iov[i].iov_len;
	do
		n = sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	while (n < 0 && errno == EINTR);
	return sent(s, n < 0 ? -errno : n, asked, more);
}

static ssize_t send_copy(struct sock *s, struct file *f, uint64_t position, size_t size, bool more)
{
	static _Thread_local char copy[COPY_BYTES];
	size_t total = 0;

	while (total < size) {
		size_t part = size - total < COPY_BYTES ? size - total : COPY_BYTES;
		ssize_t got = file_read(f, copy, part, position + total), n;
		struct iovec iov = { copy, got > 0 ? (size_t)got : 0 };

		if (got <= 0)
			return total ? (ssize_t)total : got;
		n = sock_send(s, &iov, 1, more || total + (size_t)got < size);
		if (n < 0)
			return total ? (ssize_t)total : n;
		total += (size_t)n;
		if (n < got || (size_t)got < part)
			break;
	}
	return (ssize_t)total;
}

ssize_t sock_send_file(struct sock *s, struct file *f, uint64_t position, size_t size, bool more)
{
	off_t at = (off_t)position;
	ssize_t n;

	if (atomic_load_explicit(&f->dir->no_sendfile, memory_order_relaxed))
		return send_copy(s, f, position, size, more);
	if (more && !s->corked)
		set_cork(s, true); /* sendfile() has no MSG_MORE to say */
	do
		n = sendfile(s->fd, file_fd(f), &at, size);
	while (n < 0 && errno == EINTR);

	if (n < 0 && (errno == EINVAL || errno == ENOSYS)) {
		atomic_store_explicit(&f->dir->no_sendfile, true, memory_order_relaxed);
		return send_copy(s, f, position, size, more);
	}
	return sent(s, n < 0 ? -errno : n, size, more);
}
