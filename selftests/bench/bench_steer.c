/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request costs from its send to its answer, over many short connections, from a client
 * on one CPU: ApiVersions of version 0, 14 bytes there and some hundred back.
 *
 *	bench_steer PORT CPU CONNECTIONS TRIPS    p50, p90 and p99 in us against a broker
 *	bench_steer floor CPU CONNECTIONS TRIPS   against a blocking thread on the same CPU that
 *	                                          sends as many bytes, and knows nothing
 */
#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

enum { ANSWER_MAX = 8192, FLOOR_ANSWER = 512, WARM = 20 };

static const char request[] = "\0\0\0\12\0\22\0\0\0\0\0\1\377\377";
enum { REQUEST_SIZE = sizeof(request) - 1 };

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check(!sched_setaffinity(0, sizeof(set), &set));
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *floor_thread(void *arg)
{
	static const uint32_t size = FLOOR_ANSWER - 4;
	char in[REQUEST_SIZE], out[FLOOR_ANSWER] = { 0 };
	int one = 1;

	memcpy(out, &(uint32_t){ htobe32(size) }, 4);
	for (;;) {
		int fd = accept(*(int *)arg, NULL, NULL);

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while (recv(fd, in, sizeof(in), MSG_WAITALL) == sizeof(in))
			check(send(fd, out, sizeof(out), MSG_NOSIGNAL) == sizeof(out));
		close(fd);
	}
	return NULL;
}

static uint16_t floor_start(void)
{
	static int fd;
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t size = sizeof(any);
	pthread_t thread; /* pinned as we are */

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(!bind(fd, (struct sockaddr *)&any, size) && !listen(fd, 8));
	check(!getsockname(fd, (struct sockaddr *)&any, &size));
	check(!pthread_create(&thread, NULL, floor_thread, &fd));
	return ntohs(any.sin_port);
}

static int dial(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(!connect(fd, (struct sockaddr *)&to, sizeof(to)));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static double trip_us(int fd)
{
	char answer[ANSWER_MAX];
	uint64_t begin_ns = now_ns();
	size_t have = 0, want = 4;

	check(send(fd, request, REQUEST_SIZE, MSG_NOSIGNAL) == REQUEST_SIZE);
	while (have < want) {
		ssize_t n = recv(fd, answer + have, sizeof(answer) - have, 0);
		uint32_t size;

		check(n > 0);
		have += (size_t)n;
		memcpy(&size, answer, 4);
		if (have >= 4)
			want = 4 + (size_t)be32toh(size);
		check(want <= sizeof(answer));
	}
	return (double)(now_ns() - begin_ns) / 1000;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	size_t connections, trips, n = 0;
	uint16_t port;
	double *us;

	if (argc != 5) {
		fprintf(stderr, "bench_steer PORT|floor CPU CONNECTIONS TRIPS\n");
		return 2;
	}
	pin(atoi(argv[2]));
	connections = (size_t)atoi(argv[3]);
	trips = (size_t)atoi(argv[4]);
	port = strcmp(argv[1], "floor") ? (uint16_t)atoi(argv[1]) : floor_start();
	us = mem_array(connections * trips, sizeof(*us));
	for (size_t c = 0; c < connections; c++) {
		int fd = dial(port);

		for (int i = 0; i < WARM; i++)
			(void)trip_us(fd);
		for (size_t i = 0; i < trips; i++)
			us[n++] = trip_us(fd);
		close(fd);
	}
	qsort(us, n, sizeof(*us), by_size);
	printf("p50 %.2f p90 %.2f p99 %.2f\n", us[n / 2], us[n / 10 * 9], us[n / 100 * 99]);
	mem_free(us);
	return 0;
}
