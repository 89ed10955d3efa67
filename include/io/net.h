/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_NET_H
#define IO_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "io/file.h"
#include "io/reactor.h"

/*
 * Stream sockets.  A socket lives on one reactor and only that reactor calls its functions.
 * Nothing blocks.  Events are edges: event() says what has become possible since a call last
 * answered -EAGAIN; it may say so without need, so try and see.
 */
enum sock_event {
	SOCK_READABLE = 1, /* also: the peer ended or reset, as sock_recv() will tell */
	SOCK_WRITABLE = 2, /* also: a connection attempt ended, as sock_send() will tell */
};

struct sock_address {
	char host[64]; /* numeric */
	uint16_t port;
	bool is_loopback;
};

struct sock; /* io's own; freed by sock_close() at the end of the turn */

struct sock_owner {
	void (*event)(struct sock_owner *self, unsigned int events); /* enum sock_event, or-ed */
};

/* Bytes, 0 when the peer ended its side, -EAGAIN, or -errno. */
ssize_t sock_recv(struct sock *s, void *data, size_t size) must_check;
/* Bytes taken (may be short), -EAGAIN, or -errno.  more: another send follows at once (MSG_MORE).
 */
ssize_t sock_send(struct sock *s, const struct iovec *iov, int count, bool more) must_check;
/* The same from a file, by sendfile where the kernel can, else through memory.  Short at the end of
 * the file. */
ssize_t sock_send_file(struct sock *s, struct file *f, uint64_t position, size_t size,
                       bool more) must_check;
void sock_close(struct sock *s); /* NULL is fine */
struct sock_address sock_peer(const struct sock *s);
struct sock_address sock_local(const struct sock *s);

/*
 * Listening: every reactor accepts (SO_REUSEPORT), and accepted() runs on the one the connection
 * will live on. It answers the owner, or NULL to refuse (the socket is then closed).  It may
 * already send; who speaks first must begin there.  A connection goes to the reactor of the CPU
 * its SYN came in on, or to another when that one has far more than its share.  When
 * descriptors run out io pauses accepting and goes on later by itself.
 */
struct listener;
struct listener_handler {
	struct sock_owner *(*accepted)(void *arg, struct sock *s);
	void *arg;
	/*
	 * May be NULL.  Inside listener_open(), when every reactor is pinned and its socket
	 * listens: asks somebody to steer by CPU better than io does, as include/kern/ can.  Socket
	 * fd[i] is reactor i's, which runs on cpu[i].  -errno: io steers as it can.
	 */
	int (*steer)(void *arg, uint16_t port, const int *fd, const int *cpu, uint32_t count);
};

/* How new connections find their reactor. */
enum listener_spread {
	LISTENER_ALONE,      /* there is only one */
	LISTENER_BY_HANDLER, /* by CPU, as handler->steer() arranged */
	LISTENER_BY_CPU,     /* by CPU, with classic BPF */
	LISTENER_BY_HASH,    /* as the kernel likes, for reactors are not pinned */
	LISTENER_REFUSED,    /* the same, for BPF was refused */
};

/* main thread before reactors_run(), or reactor 0.  port 0: the kernel chooses, see
 * listener_port().  -EADDRINUSE... */
int listener_open(const char *host, uint16_t port, const struct listener_handler *handler,
                  struct listener **ret) must_check;
uint16_t listener_port(const struct listener *l);
enum listener_spread listener_spread(const struct listener *l);
void listener_close(struct listener *l); /* reactor 0; no accepted() after it returned on any
                                            reactor but those under way */

/* worker.  The first address of a name, numeric, IPv4 before IPv6.  -ENOENT, -EAGAIN. */
int host_resolve(const char *name, char ret_host[64]) must_check;
/* worker.  What this machine calls itself: its canonical name, as far as it is known. */
void host_name(char *ret, size_t size);

/* reactor.  A numeric host.  owner->event(SOCK_WRITABLE) follows; sock_send() then works or says
 * why not. */
int sock_connect(const char *host, uint16_t port, struct sock_owner *owner,
                 struct sock **ret) must_check;

#endif
