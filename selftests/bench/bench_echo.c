/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of every request: 100 bytes there and back over loopback, against a blocking echo
 * thread and against an echo on our reactor, on the client's core, in one process and in turns.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/net.h"
#include "io/reactor.h"

enum { BYTES = 100, WARM = 2000, TRIPS = 20000, PAIRS = 5 };

static uint16_t port_blocking, port_reactor;

static void pin_to_first(void)
{
	cpu_set_t set;
	int cpu = 0;

	sched_getaffinity(0, sizeof(set), &set);
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *blocking_echo(void *arg)
{
	int listening = *(int *)arg, one = 1;
	char buf[4096];
	ssize_t n;

	pin_to_first();
	for (;;) {
		int fd = accept(listening, NULL, NULL);

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
			check(send(fd, buf, (size_t)n, MSG_NOSIGNAL) == n);
		close(fd);
	}
	return NULL;
}

struct echo {
	struct sock_owner owner;
	struct sock *sock;
};

static void echo_event(struct sock_owner *self, unsigned int events)
{
	struct echo *e = container_of(self, struct echo, owner);
	char buf[4096];
	ssize_t n;

	(void)events;
	while ((n = sock_recv(e->sock, buf, sizeof(buf))) > 0) {
		struct iovec iov = { buf, (size_t)n };

		check(sock_send(e->sock, &iov, 1, false) == n);
	}
	if (n == -EAGAIN)
		return;
	sock_close(e->sock);
	mem_free(e);
}

static struct sock_owner *accepted(void *arg, struct sock *s)
{
	struct echo *e = mem_zalloc(sizeof(*e));

	(void)arg;
	e->owner.event = echo_event;
	e->sock = s;
	return &e->owner;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static double us[TRIPS];
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	char buf[BYTES] = { 0 };

	check(!connect(fd, (struct sockaddr *)&to, sizeof(to)));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (int i = -WARM; i < TRIPS; i++) {
		uint64_t begin_ns = mono_ns();

		check(send(fd, buf, BYTES, 0) == BYTES);
		check(recv(fd, buf, BYTES, MSG_WAITALL) == BYTES);
		if (i >= 0)
			us[i] = (double)(mono_ns() - begin_ns) / 1000;
	}
	close(fd);
	qsort(us, TRIPS, sizeof(us[0]), by_size);
	printf("%-10s p50 %6.2f us  p99 %6.2f us\n", name, us[TRIPS / 2], us[TRIPS / 100 * 99]);
	fflush(stdout);
}

static void *client(void *arg)
{
	(void)arg;
	pin_to_first();
	for (int i = 0; i < PAIRS; i++) {
		measure("blocking", port_blocking);
		measure("reactor", port_reactor);
	}
	reactors_stop();
	return NULL;
}

static void start(void *arg)
{
	struct listener_handler handler = { .accepted = accepted };
	struct listener *l;

	check(!listener_open("127.0.0.1", 0, &handler, &l));
	port_reactor = listener_port(l);
	check(!pthread_create(arg, NULL, client, NULL));
}

int main(void)
{
	struct reactors_options options = { .file_io_uring = true };
	struct sockaddr_in any = { .sin_family = AF_INET,
		                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t echo_thread, client_thread;

	check(!bind(fd, (struct sockaddr *)&any, size) && !listen(fd, 8));
	check(!getsockname(fd, (struct sockaddr *)&any, &size));
	port_blocking = ntohs(any.sin_port);
	check(!pthread_create(&echo_thread, NULL, blocking_echo, &fd));
	if (reactors_open(&options))
		return 1;
	reactors_run(start, &client_thread);
	pthread_join(client_thread, NULL);
	printf("%s", reactors_notes());
	reactors_close();
	return 0;
}
