/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "client_fixture.h"

#include "base/crc32c.h"
#include "broker/broker.h"
#include "broker/conn.h"
#include "broker/diag.h"
#include "conn_handlers.h"

/*
 * A server on real reactors, with handlers of the tests' own.
 */
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

/* ---- clients ---- */

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
