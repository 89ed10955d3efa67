/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <ftw.h>

#include "broker/broker.h"
#include "broker/diag.h"
#include "client_fixture.h"
#include "io/reactor.h"
#include "wire/create_topics.h"
#include "wire/errors.h"
#include "wire/metadata.h"

/* The whole broker, in this process, on a directory of its own. */
static struct broker *broker;
static uint16_t port, broker_controller_port;
static char broker_dir[32];
static pthread_t broker_thread;
static atomic_bool broker_is_ready;
static struct mail broker_stop_mail;

static void broker_ready(void *arg, uint64_t ms)
{
	(void)arg;
	(void)ms;
	atomic_store(&broker_is_ready, true);
}

static void broker_began(void *arg)
{
	broker_start(arg);
}

static void *broker_serve(void *arg)
{
	reactors_run(broker_began, arg);
	return NULL;
}

static void broker_told_to_stop(struct mail *mail)
{
	(void)mail;
	broker_stop(broker);
}

static inline uint16_t free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static inline void broker_say_nothing(const char *line, size_t size)
{
	(void)line;
	(void)size;
}

/* On the directory it had before, if there is one.  `more`: "key=value" lines. */
static inline void broker_up(int reactors, const char *more)
{
	struct reactors_options options = { .count = reactors };
	struct broker_options o = { .ready = broker_ready };
	struct config_report report = { 0 };
	struct broker_error why;
	struct buf text = { 0 };

	if (!broker_dir[0]) {
		strcpy(broker_dir, "/tmp/sluice-broker-XXXXXX");
		assert_non_null(mkdtemp(broker_dir));
	}
	port = free_port();
	broker_controller_port = free_port();
	buf_printf(&text,
	           "process.roles=broker,controller\nnode.id=1\n"
	           "controller.listener.names=CONTROLLER\n"
	           "controller.quorum.voters=1@127.0.0.1:%u\n"
	           "listeners=PLAINTEXT://127.0.0.1:%u,CONTROLLER://127.0.0.1:%u\n"
	           "log.dirs=%s/data\noffsets.topic.replication.factor=1\n"
	           "transaction.state.log.replication.factor=1\n"
	           "transaction.state.log.min.isr=1\nsluice.metrics.listener=\n%s",
	           broker_controller_port, port, broker_controller_port, broker_dir, more);
	o.config = config_load(
		&(struct config_input){ .file = { text.data, text.size }, .file_name = "test" },
		&report);
	if (!o.config)
		fail_msg("%.*s", (int)report.text.size, report.text.data);
	config_report_fini(&report);
	buf_fini(&text);
	diag_sink_set(broker_say_nothing);
	atomic_store(&broker_is_ready, false);
	assert_int_equal(reactors_open(&options), 0);
	if (broker_open(&o, &broker, &why))
		fail_msg("%s", why.text);
	assert_int_equal(pthread_create(&broker_thread, NULL, broker_serve, broker), 0);
	assert_soon(atomic_load(&broker_is_ready));
}

static inline void broker_down(void)
{
	broker_stop_mail.run = broker_told_to_stop;
	reactor_post(0, &broker_stop_mail);
	assert_int_equal(pthread_join(broker_thread, NULL), 0);
	assert_int_equal(broker_close(broker), 0);
	reactors_close();
	broker_free(broker);
	diag_sink_set(NULL);
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void broker_forget(void)
{
	assert_int_equal(nftw(broker_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	broker_dir[0] = '\0';
}

/* ---- its clients ---- */

static inline void send_request(int fd, int16_t key, int16_t version, int32_t correlation,
                                const void *body)
{
	struct buf out = { 0 };

	add_frame(&out, wire_api_find(key), version, correlation, body);
	send_bytes(fd, out.data, out.size);
	buf_fini(&out);
}

/* answer_free() */
static inline struct answer ask(int fd, int16_t key, int16_t version, const void *body)
{
	send_request(fd, key, version, 7, body);
	return recv_answer(fd, key, version);
}

/* Creates it; its id. */
static inline struct uuid topic_make(int fd, const char *name, int32_t partitions,
                                     struct create_topics_request_creatable_topic_config *config,
                                     uint32_t config_count)
{
	struct create_topics_request_creatable_topic topic = {
		.name = str_of(name),
		.num_partitions = partitions,
		.replication_factor = 1,
		.configs = config,
		.configs_count = config_count,
	};
	struct create_topics_request r;
	struct create_topics_response *response;
	struct answer a;
	struct uuid id;

	create_topics_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	r.timeout_ms = 10000;
	a = ask(fd, API_CREATE_TOPICS, 7, &r);
	response = a.body;
	assert_int_equal(response->topics_count, 1);
	assert_int_equal(response->topics[0].error_code, WIRE_NONE);
	id = response->topics[0].topic_id;
	answer_free(&a);
	return id;
}
