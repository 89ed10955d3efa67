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

#include "base/crc32c.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/conn.h"
#include "broker/diag.h"
#include "conn_handlers.h"
#include "wire/header.h"

/*
 * A server on real reactors, and clients that block: the server runs on threads beside the test's.
 */
enum { PATIENCE_MS = 10000 };

static struct broker broker;
static struct conn_server *server;
static uint16_t port, controller_port;
static uint32_t grace_ms;

/* ---- the server ---- */

static pthread_t server_thread;
static struct mail stop_mail;
static char said[64 * 1024]; /* by the server to its operator */
static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;

static void listen_in(const char *line, size_t size)
{
	size_t used;

	pthread_mutex_lock(&said_lock);
	used = strlen(said);
	if (used + size < sizeof(said))
		memcpy(said + used, line, size + 1);
	pthread_mutex_unlock(&said_lock);
}

static inline bool was_said(const char *text)
{
	bool was;

	pthread_mutex_lock(&said_lock);
	was = strstr(said, text);
	pthread_mutex_unlock(&said_lock);
	return was;
}

static void stopped(void *arg)
{
	(void)arg;
	reactors_stop();
}

static void stop_server(struct mail *mail)
{
	(void)mail;
	conn_server_stop(server, grace_ms, stopped, NULL);
}

static void *serve(void *arg)
{
	(void)arg;
	reactors_run(NULL, NULL);
	return NULL;
}

static inline void server_open(int reactors, const struct conn_limits *limits)
{
	struct reactors_options options = { .count = reactors };

	atomic_store(&running, 0);
	atomic_store(&running_most, 0);
	atomic_store(&detached, 0);
	atomic_store(&resumed_late, 0);
	said[0] = '\0';
	grace_ms = 5000;
	diag_sink_set(listen_in);
	assert_int_equal(reactors_open(&options), 0);
	broker = (struct broker){ .node_id = 1 };
	server = conn_server_open(&broker, limits);
	broker.server = server;
	assert_int_equal(
		conn_server_listen(server, "127.0.0.1", 0, STR("PLAINTEXT"), 0, false, &port), 0);
	assert_int_equal(conn_server_listen(server, "127.0.0.1", 0, STR("CONTROLLER"), 0, true,
	                                    &controller_port),
	                 0);
	assert_int_equal(pthread_create(&server_thread, NULL, serve, NULL), 0);
}

static inline void server_begin_stop(void)
{
	stop_mail.run = stop_server;
	reactor_post(0, &stop_mail);
}

static inline void server_end(void)
{
	assert_int_equal(pthread_join(server_thread, NULL), 0);
	assert_int_equal(conn_server_counters(server).open, 0);
	conn_server_close(server);
	reactors_close();
	diag_sink_set(NULL);
	assert_int_equal(frame_budget_used(), 0);
}

static inline void server_stop(void)
{
	server_begin_stop();
	server_end();
}

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

/* ---- clients ---- */

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

static inline void add_command(struct buf *out, int32_t correlation, const char *key)
{
	struct find_coordinator_request r;

	find_coordinator_request_init(&r);
	r.key = str_of(key);
	add_frame(out, wire_api_find(API_FIND_COORDINATOR), 1, correlation, &r);
}

static inline void add_produce(struct buf *out, int32_t correlation, int16_t acks, int32_t ms,
                               struct span records)
{
	struct produce_request_partition_produce_data partition = {
		.records = { .data = records.data, .size = (uint32_t)records.size },
	};
	struct produce_request_topic_produce_data topic = {
		.name = STR("t"),
		.partition_data = &partition,
		.partition_data_count = 1,
	};
	struct produce_request r;

	produce_request_init(&r);
	r.acks = acks;
	r.timeout_ms = ms;
	r.topic_data = &topic;
	r.topic_data_count = 1;
	add_frame(out, wire_api_find(API_PRODUCE), 7, correlation, &r);
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

/* The answer to a command: what it must say; returns its number. */
static inline int32_t expect_text(int fd, int32_t correlation, const char *text)
{
	struct answer a = recv_answer(fd, API_FIND_COORDINATOR, 1);
	struct find_coordinator_response *r = a.body;
	int32_t number = r->node_id;

	assert_int_equal(a.correlation, correlation);
	assert_int_equal(r->host.size, strlen(text));
	assert_memory_equal(r->host.data, text, r->host.size);
	answer_free(&a);
	return number;
}

static inline void expect_produced(int fd, int32_t correlation, struct span records)
{
	struct answer a = recv_answer(fd, API_PRODUCE, 7);
	struct produce_response *r = a.body;

	assert_int_equal(a.correlation, correlation);
	assert_int_equal((uint32_t)r->throttle_time_ms, crc32c(records.data, records.size));
	answer_free(&a);
}

static inline void send_command(int fd, int32_t correlation, const char *key)
{
	struct buf out = { 0 };

	add_command(&out, correlation, key);
	send_bytes(fd, out.data, out.size);
	buf_fini(&out);
}
