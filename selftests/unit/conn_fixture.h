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
#include "broker/api.h"
#include "broker/broker.h"
#include "broker/conn.h"
#include "broker/diag.h"
#include "wire/api_versions.h"
#include "wire/fetch.h"
#include "wire/find_coordinator.h"
#include "wire/header.h"
#include "wire/produce.h"

/*
 * A server on real reactors with handlers of its own, and clients that block: the server runs on
 * threads beside the test's.
 *
 *	FindCoordinator v1   does what its key says, see `commands`
 *	Produce              answers after timeout_ms with the CRC of all its records
 *	Fetch                answers after max_wait_ms with bytes of `file`, or with memory
 */
enum { PATIENCE_MS = 10000 };

static struct broker broker;
static struct conn_server *server;
static uint16_t port, controller_port;
static struct file *file; /* what Fetch answers with */
static uint32_t grace_ms = 5000;

static atomic_int running, running_most, detached, resumed_late;

/* ---- handlers ---- */

static void began(void)
{
	int now = atomic_fetch_add(&running, 1) + 1;

	if (now > atomic_load(&running_most))
		atomic_store(&running_most, now);
}

static void answer_text(struct call *call, const char *text, int32_t number)
{
	struct find_coordinator_response response;

	find_coordinator_response_init(&response);
	response.host = str_of(text);
	response.node_id = number;
	response.port = call->home;
	atomic_fetch_sub(&running, 1);
	call_reply(call, &response);
}

static void cmd_echo(struct call *call, const char *arg)
{
	answer_text(call, arg, 0);
}

static void answer_waited(struct call *call)
{
	answer_text(call, "waited", 0);
}

static void cmd_wait(struct call *call, const char *arg)
{
	call_timer(call, (uint64_t)atoi(arg), answer_waited);
}

static void on_detach(struct call *call)
{
	atomic_fetch_add(&detached, 1);
	atomic_fetch_sub(&running, 1);
	call_reply_none(call);
}

static void cmd_hang(struct call *call, const char *arg)
{
	(void)arg;
	call->on_detach = on_detach;
}

static void cmd_close(struct call *call, const char *arg)
{
	(void)arg;
	atomic_fetch_sub(&running, 1);
	call_close(call);
}

static void cmd_none(struct call *call, const char *arg)
{
	(void)arg;
	atomic_fetch_sub(&running, 1);
	call_reply_none(call);
}

struct turns {
	int left, count;
};

static void take_turn(struct call *call)
{
	struct turns *turns = call->user;

	if (!turns->left--)
		answer_text(call, "yielded", turns->count);
	else
		call_yield(call, take_turn);
}

static void cmd_yield(struct call *call, const char *arg)
{
	struct turns *turns = arena_zalloc(&call->arena, sizeof(*turns));

	turns->left = turns->count = atoi(arg);
	call->user = turns;
	take_turn(call);
}

struct part {
	struct mail mail;
	struct timer timer;
	struct call *call;
	int value; /* what it was told to find out */
	int result;
	int home;
};

struct parts {
	int count;
	struct part part[];
};

static void part_ends(struct timer *timer)
{
	struct part *part = container_of(timer, struct part, timer);

	part->result = part->value;
	call_part_done(part->call);
}

static void part_runs(struct mail *mail)
{
	struct part *part = container_of(mail, struct part, mail);

	if (part->value >= 0) {
		part->result = part->value;
		call_part_done(part->call);
		return;
	}
	timer_init(&part->timer, part_ends);
	timer_arm(&part->timer, mono_ms() + 200);
}

static struct parts *begin_parts(struct call *call, int count, int value,
                                 void (*resume)(struct call *call))
{
	struct parts *parts =
		arena_zalloc(&call->arena, sizeof(*parts) + (size_t)count * sizeof(parts->part[0]));

	parts->count = count;
	call->user = parts;
	call_begin_parts(call, count, resume);
	for (int i = 0; i < count; i++) {
		struct part *part = &parts->part[i];

		part->call = call;
		part->value = value < 0 ? value : value + i;
		part->mail.run = part_runs;
		reactor_post((call->home + i) % reactor_count(), &part->mail);
	}
	return parts;
}

static inline void add_up(struct call *call)
{
	const struct parts *parts = call->user;
	int sum = 0;

	for (int i = 0; i < parts->count; i++)
		sum += parts->part[i].result;
	answer_text(call, "parts", sum);
}

/* "parts N": the sum of 1 to N, found out all over the place. */
static void cmd_parts(struct call *call, const char *arg)
{
	begin_parts(call, atoi(arg), 1, add_up);
}

static void too_late(struct call *call)
{
	(void)call;
	atomic_fetch_add(&resumed_late, 1);
}

static void time_is_up(struct call *call)
{
	if (call_claim(call))
		answer_text(call, "timed out", 0);
}

/* "race N": N parts of which each takes longer than the call may. */
static void cmd_race(struct call *call, const char *arg)
{
	call_timer(call, 50, time_is_up);
	begin_parts(call, atoi(arg), -1, too_late);
}

static const struct {
	const char *name;
	void (*run)(struct call *call, const char *arg);
} commands[] = {
	{ "echo ", cmd_echo },   { "wait ", cmd_wait }, { "hang ", cmd_hang },
	{ "close ", cmd_close }, { "none ", cmd_none }, { "yield ", cmd_yield },
	{ "parts ", cmd_parts }, { "race ", cmd_race },
};

static void run_command(struct call *call)
{
	char *key = str_dup(CALL_REQUEST(call, find_coordinator_request)->key);
	bool known = false;

	began();
	for (size_t i = 0; i < array_count(commands) && !known; i++) {
		size_t size = strlen(commands[i].name);

		known = strncmp(key, commands[i].name, size) == 0;
		if (known)
			commands[i].run(call, key + size);
	}
	check(known);
	mem_free(key);
}

static void answer_produce(struct call *call)
{
	const struct produce_request *r = call->request;
	struct produce_response response;
	uint32_t crc = 0;

	for (uint32_t i = 0; i < r->topic_data_count; i++)
		for (uint32_t k = 0; k < r->topic_data[i].partition_data_count; k++) {
			struct records *records = &r->topic_data[i].partition_data[k].records;

			crc = crc32c_extend(crc, records->data, records->size);
		}
	produce_response_init(&response);
	response.throttle_time_ms = (int32_t)crc;
	atomic_fetch_sub(&running, 1);
	if (r->acks)
		call_reply(call, &response);
	else
		call_reply_none(call);
}

static void run_produce(struct call *call)
{
	int32_t ms = CALL_REQUEST(call, produce_request)->timeout_ms;

	began();
	if (ms)
		call_timer(call, (uint64_t)ms, answer_produce);
	else
		answer_produce(call);
}

static uint8_t byte_at(uint64_t position)
{
	return (uint8_t)(position * 2654435761u >> 13);
}

static void fill(struct call *call, const struct fetch_request_partition *want, bool memory,
                 struct records *records)
{
	uint32_t size = (uint32_t)want->partition_max_bytes;
	struct file_slice *slice;
	uint8_t *data;

	if (memory) {
		data = arena_alloc(&call->arena, size);
		for (uint32_t i = 0; i < size; i++)
			data[i] = byte_at((uint64_t)want->fetch_offset + i);
		*records = (struct records){ .data = data, .size = size };
		return;
	}
	slice = arena_zalloc(&call->arena, sizeof(*slice));
	*slice = (struct file_slice){ file_get(file), (uint64_t)want->fetch_offset, size };
	*records = (struct records){ .size = size, .source = slice };
}

static void answer_fetch(struct call *call)
{
	const struct fetch_request *r = call->request;
	struct fetch_response response;

	fetch_response_init(&response);
	response.responses =
		arena_array(&call->arena, r->topics_count, sizeof(*response.responses));
	response.responses_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		struct fetch_response_fetchable_topic_response *topic = &response.responses[i];

		topic->topic = r->topics[i].topic;
		topic->partitions = arena_array(&call->arena, r->topics[i].partitions_count,
		                                sizeof(*topic->partitions));
		topic->partitions_count = r->topics[i].partitions_count;
		for (uint32_t k = 0; k < topic->partitions_count; k++)
			fill(call, &r->topics[i].partitions[k], str_eq(topic->topic, STR("memory")),
			     &topic->partitions[k].records);
	}
	atomic_fetch_sub(&running, 1);
	call_reply(call, &response);
}

static void run_fetch(struct call *call)
{
	int32_t ms = CALL_REQUEST(call, fetch_request)->max_wait_ms;

	began();
	if (ms)
		call_timer(call, (uint64_t)ms, answer_fetch);
	else
		answer_fetch(call);
}

const struct api_handler api_handlers[] = {
	{ API_PRODUCE, -1, true, false, run_produce },
	{ API_FETCH, -1, true, true, run_fetch },
	{ API_FIND_COORDINATOR, 3, true, false, run_command },
	{ API_API_VERSIONS, -1, true, true, api_api_versions },
};
const size_t api_handler_count = array_count(api_handlers);

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
