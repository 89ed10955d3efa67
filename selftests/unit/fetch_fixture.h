/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A whole broker in this process, on real reactors and in a directory of its own, and clients that
 * block.  Everything here may be called by any thread of the test once the broker runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "broker/broker.h"
#include "broker/diag.h"
#include "io/file.h"
#include "io/reactor.h"
#include "wire/api.h"
#include "wire/batch.h"
#include "wire/create_topics.h"
#include "wire/delete_topics.h"
#include "wire/errors.h"
#include "wire/header.h"
#include "wire/produce.h"

enum { PATIENCE_MS = 20000 };

static struct broker *test_broker;
static char test_path[64];
static uint16_t test_port;
static pthread_t server_thread;
static atomic_bool is_ready;
static struct mail stop_mail;

/* ---- time ---- */

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

/* ---- the broker ---- */

static void hear_nothing(const char *line, size_t size)
{
	(void)line;
	(void)size;
}

static void on_ready(void *arg, uint64_t ms)
{
	(void)arg;
	(void)ms;
	atomic_store(&is_ready, true);
}

static void start_broker(void *arg)
{
	broker_start(arg);
}

static void *serve(void *arg)
{
	reactors_run(start_broker, arg);
	return NULL;
}

static void stop_broker(struct mail *mail)
{
	(void)mail;
	broker_stop(test_broker);
}

/* A port that was free a moment ago. */
static inline uint16_t free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static inline const struct config *load_config(void)
{
	struct config_report report = { 0 };
	struct config_input in = { .file_name = "test" };
	struct buf text = { 0 };
	struct config *config;
	uint16_t controller = free_port();

	test_port = free_port();
	buf_printf(&text,
	           "process.roles=broker,controller\nnode.id=1\n"
	           "listeners=PLAINTEXT://127.0.0.1:%u,CONTROLLER://127.0.0.1:%u\n"
	           "controller.listener.names=CONTROLLER\n"
	           "controller.quorum.voters=1@127.0.0.1:%u\nlog.dirs=%s\n",
	           test_port, controller, controller, test_path);
	in.file = (struct span){ text.data, text.size };
	config = config_load(&in, &report);
	if (!config)
		fprintf(stderr, "%.*s", (int)report.text.size, (char *)report.text.data);
	assert_non_null(config);
	config_report_fini(&report);
	buf_fini(&text);
	return config;
}

/* In the directory that is there, or a new one. */
static inline void broker_begin(int reactors)
{
	struct reactors_options reactors_options = { .count = reactors };
	struct broker_options options = { .ready = on_ready };
	struct broker_error why;
	int err;

	if (!test_path[0]) {
		snprintf(test_path, sizeof(test_path), "/tmp/sluice-broker-XXXXXX");
		assert_non_null(mkdtemp(test_path));
	}
	diag_sink_set(hear_nothing);
	options.config = load_config();
	assert_int_equal(reactors_open(&reactors_options), 0);
	err = broker_open(&options, &test_broker, &why);
	if (err)
		fprintf(stderr, "%s\n", why.text);
	assert_int_equal(err, 0);
	atomic_store(&is_ready, false);
	assert_int_equal(pthread_create(&server_thread, NULL, serve, test_broker), 0);
	for (uint64_t until = now_ms() + PATIENCE_MS; !atomic_load(&is_ready);) {
		assert_true(now_ms() < until);
		sleep_ms(1);
	}
}

static inline void broker_end(void)
{
	stop_mail.run = stop_broker;
	reactor_post(0, &stop_mail);
	assert_int_equal(pthread_join(server_thread, NULL), 0);
	assert_int_equal(broker_close(test_broker), 0);
	reactors_close();
	broker_free(test_broker);
	diag_sink_set(NULL);
}

static inline void broker_forget_files(void)
{
	char *slash = strrchr(test_path, '/');
	struct dir *tmp;

	*slash = '\0';
	assert_int_equal(dir_open(test_path, false, &tmp), 0);
	assert_int_equal(dir_remove_all(tmp, slash + 1), 0);
	dir_close(tmp);
	test_path[0] = '\0';
}

/* ---- clients ---- */

struct client {
	int fd;
	int32_t correlation;
	struct buf out;
	uint8_t *in; /* the last answer, and what it points to */
	struct arena arena;
};

static inline void client_open(struct client *c)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(test_port) };
	struct timeval patience = { PATIENCE_MS / 1000, 0 };
	int one = 1;

	*c = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	arena_init(&c->arena, SIZE_MAX);
	check(!setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	check(!setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	check(!connect(c->fd, (struct sockaddr *)&address, sizeof(address)));
}

static inline void client_close(struct client *c)
{
	close(c->fd);
	buf_fini(&c->out);
	mem_free(c->in);
	arena_fini(&c->arena);
}

/* With a reset, as a process that dies does. */
static inline void client_reset(struct client *c)
{
	struct linger linger = { 1, 0 };

	check(!setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	client_close(c);
}

static inline void client_send(struct client *c, int16_t key, int16_t version, const void *request)
{
	const struct wire_api *api = wire_api_find(key);
	struct writer w = writer_of(&c->out);
	struct request_header header = {
		.request_api_key = key,
		.request_api_version = version,
		.correlation_id = ++c->correlation,
		.client_id = STR("test"),
	};

	c->out.size = 0;
	(void)buf_extend(&c->out, 4);
	request_header_encode(&w, wire_request_header_version(api, version), &header);
	message_encode(api->request, version, &w, request);
	store_be32(c->out.data, (uint32_t)(c->out.size - 4));
	for (size_t at = 0; at < c->out.size;) {
		ssize_t n = send(c->fd, c->out.data + at, c->out.size - at, MSG_NOSIGNAL);

		check(n > 0);
		at += (size_t)n;
	}
}

static inline void client_read(struct client *c, void *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = recv(c->fd, (char *)data + at, size - at, 0);

		check(n > 0);
		at += (size_t)n;
	}
}

/* The answer to the last request; until the next one. */
static inline const void *client_recv(struct client *c, int16_t key, int16_t version)
{
	const struct wire_api *api = wire_api_find(key);
	struct response_header header;
	struct reader r;
	uint8_t size[4];
	void *body;

	arena_reset(&c->arena);
	client_read(c, size, sizeof(size));
	mem_free(c->in);
	c->in = mem_alloc(load_be32(size) + 1);
	client_read(c, c->in, load_be32(size));
	r = reader_of(c->in, load_be32(size));
	check(!response_header_decode(&r, wire_response_header_version(api, version), &c->arena,
	                              &header));
	check(header.correlation_id == c->correlation);
	body = arena_alloc(&c->arena, api->response->size);
	check(!message_decode(api->response, version, &r, &c->arena, body));
	check(!reader_left(&r));
	return body;
}

static inline const void *client_ask(struct client *c, int16_t key, int16_t version,
                                     const void *request)
{
	client_send(c, key, version, request);
	return client_recv(c, key, version);
}

/* ---- what most tests need ---- */

static inline struct uuid create_topic(struct client *c, const char *name, int32_t partitions,
                                       const char *config, const char *value)
{
	const struct create_topics_response *r;
	struct create_topics_request_creatable_topic_config one = { str_of(config), str_of(value) };
	struct create_topics_request_creatable_topic topic = {
		.name = str_of(name),
		.num_partitions = partitions,
		.replication_factor = 1,
		.configs = &one,
		.configs_count = config ? 1 : 0,
	};
	struct create_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = PATIENCE_MS,
	};

	r = client_ask(c, API_CREATE_TOPICS, 7, &request);
	check(r->topics_count == 1 && !r->topics[0].error_code);
	return r->topics[0].topic_id;
}

static inline void delete_topic(struct client *c, const char *name)
{
	const struct delete_topics_response *r;
	struct str topic = str_of(name);
	struct delete_topics_request request = {
		.topic_names = &topic,
		.topic_names_count = 1,
		.timeout_ms = PATIENCE_MS,
	};

	r = client_ask(c, API_DELETE_TOPICS, 5, &request);
	check(r->responses_count == 1 && !r->responses[0].error_code);
}

/* One batch of `count` records of `size` bytes each; its first offset, or -1 - error. */
static inline int64_t produce(struct client *c, const char *topic, int32_t partition, int count,
                              size_t size)
{
	const struct produce_response *r;
	struct batch_builder builder;
	struct buf batch = { 0 };
	uint8_t *value = mem_alloc(size + 1);
	struct produce_request_partition_produce_data data = { .index = partition };
	struct produce_request_topic_produce_data t = {
		.name = str_of(topic),
		.partition_data = &data,
		.partition_data_count = 1,
	};
	struct produce_request request = {
		.acks = 1,
		.timeout_ms = PATIENCE_MS,
		.topic_data = &t,
		.topic_data_count = 1,
	};
	int64_t offset;

	memset(value, 'x', size);
	batch_begin(&builder, &batch, &BATCH_PLAIN);
	for (int i = 0; i < count; i++)
		batch_add(&builder, 1, (struct span){ 0 }, (struct span){ value, size }, NULL, 0);
	check(batch_end(&builder));
	data.records = (struct records){ .data = batch.data, .size = (uint32_t)batch.size };
	r = client_ask(c, API_PRODUCE, 9, &request);
	buf_fini(&batch);
	mem_free(value);
	check(r->responses_count == 1 && r->responses[0].partition_responses_count == 1);
	offset = r->responses[0].partition_responses[0].base_offset;
	return r->responses[0].partition_responses[0].error_code
	               ? -1 - r->responses[0].partition_responses[0].error_code
	               : offset;
}
