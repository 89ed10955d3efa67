/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/api.h"
#include "wire/header.h"

/* Clients that block, for servers that run on threads beside the test's. */
enum { PATIENCE_MS = 10000 };

static inline uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* Waits until it holds, or fails. */
#define assert_soon(condition)                                                                     \
	do {                                                                                       \
		uint64_t until = now_ms() + PATIENCE_MS;                                           \
		while (!(condition) && now_ms() < until)                                           \
			sleep_ms(2);                                                               \
		assert_true(condition);                                                            \
	} while (0)

static inline int client_open(uint16_t to)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(to),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval patience = { PATIENCE_MS / 1000, 0 };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* With a reset, as a process that dies with unread answers does. */
static inline void client_reset(int fd)
{
	struct linger linger = { 1, 0 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

static inline void send_bytes(int fd, const void *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = send(fd, (const char *)data + at, size - at, MSG_NOSIGNAL);

		assert_true(n > 0);
		at += (size_t)n;
	}
}

/* Bytes before the end of the stream, at most size. */
static inline size_t recv_bytes(int fd, void *data, size_t size)
{
	size_t at = 0;

	while (at < size) {
		ssize_t n = recv(fd, (char *)data + at, size - at, 0);

		if (n < 0 && errno == ECONNRESET)
			n = 0;
		assert_true(n >= 0); /* EAGAIN: the server says nothing */
		if (!n)
			break;
		at += (size_t)n;
	}
	return at;
}

static inline bool is_closed(int fd)
{
	char byte;

	return recv_bytes(fd, &byte, 1) == 0;
}

/* Nothing comes within this time. */
static inline bool is_silent(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 0;
}

static inline void add_frame(struct buf *out, const struct wire_api *api, int16_t version,
                             int32_t correlation, const void *body)
{
	struct writer w = writer_of(out);
	struct request_header header = {
		.request_api_key = api->key,
		.request_api_version = version,
		.correlation_id = correlation,
		.client_id = STR("test"),
	};
	size_t at = out->size;

	(void)buf_extend(out, 4);
	request_header_encode(&w, wire_request_header_version(api, version), &header);
	message_encode(api->request, version, &w, body);
	store_be32(out->data + at, (uint32_t)(out->size - at - 4));
}

struct answer {
	int32_t correlation;
	struct arena arena;
	uint8_t *frame;
	void *body;
};

static inline void answer_free(struct answer *a)
{
	arena_fini(&a->arena);
	mem_free(a->frame);
}

/* The next answer, which must have this version. */
static inline struct answer recv_answer(int fd, int16_t key, int16_t version)
{
	const struct wire_api *api = wire_api_find(key);
	struct answer a = { 0 };
	struct response_header header;
	struct reader r;
	uint8_t size[4];

	arena_init(&a.arena, SIZE_MAX);
	assert_int_equal(recv_bytes(fd, size, 4), 4);
	a.frame = mem_alloc(load_be32(size) + 1);
	assert_int_equal(recv_bytes(fd, a.frame, load_be32(size)), load_be32(size));
	r = reader_of(a.frame, load_be32(size));
	assert_int_equal(response_header_decode(&r, wire_response_header_version(api, version),
	                                        &a.arena, &header),
	                 0);
	a.correlation = header.correlation_id;
	a.body = arena_alloc(&a.arena, api->response->size);
	assert_int_equal(message_decode(api->response, version, &r, &a.arena, a.body), 0);
	assert_int_equal(reader_left(&r), 0);
	return a;
}
