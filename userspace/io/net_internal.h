/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

#include <netinet/in.h>

#include "io/net.h"
#include "loop.h"

/* Shared by net.c and listen.c. */

enum { SOCK_IOV_MAX = 1024 };

struct sock {
	struct source source;
	struct sock_owner *owner;
	struct list link; /* reactor->socks or ->socks_closed */
	int fd;
	bool wants_write; /* a send said -EAGAIN or was short, or connecting */
	bool drained;     /* a receive was short: nothing to read before the next edge */
	bool ended;       /* the peer's end or an error was seen */
	bool corked;
	struct sockaddr_in6 peer; /* or a sockaddr_in */
};

int address_parse(const char *host, uint16_t port, struct sockaddr_in6 *ret,
                  socklen_t *ret_size) must_check;
/* Owns fd from here on, also when it fails. */
int sock_make(struct reactor *r, int fd, const struct sockaddr_in6 *peer,
              struct sock **ret) must_check;
/* Events begin.  0 or -errno, and then the caller closes. */
int sock_start(struct reactor *r, struct sock *s, struct sock_owner *owner) must_check;

void listeners_close(void); /* all of them, nobody runs any more */

#endif
