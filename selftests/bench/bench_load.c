/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the load for paired figures, the same bytes for any broker, from a client that costs
 *little. Method: blocking sockets and requests encoded once; the broker's own CPU time is read by
 *`run`.
 *
 *	bench_load PORT create TOPIC PARTITIONS
 *	bench_load PORT produce TOPIC PARTITIONS MEGABYTES    16 KiB batches of 1 KiB records,
 *acks=1, a connection a partition, 5 in flight bench_load PORT consume TOPIC PARTITIONS everything,
 *1 MiB a fetch bench_load PORT latency TOPIC RATE SECONDS            from before the send to after
 *the receive bench_load PORT first TOPIC                           ms until the first record was
 *read again
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "wire/api.h"
#include "wire/batch.h"
#include "wire/create_topics.h"
#include "wire/fetch.h"
#include "wire/produce.h"

enum {
	IN_FLIGHT = 5,
	RECORD_BYTES = 1024,
	BATCH_RECORDS = 16,
	FETCH_BYTES = 1024 * 1024,
	PRODUCE_VERSION = 9,
	FETCH_VERSION = 12,
	CREATE_VERSION = 5,
};

static uint16_t port;

static void fail(const char *what)
{
	fprintf(stderr, "bench_load: %s: %s\n", what, errno ? strerror(errno) : "wrong answer");
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the wire ---- */

static int try_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int dial(void)
{
	int fd = try_connect();

	if (fd < 0)
		fail("connect");
	return fd;
}

static bool send_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

static bool recv_all(int fd, void *data, size_t size)
{
	char *at = data;

	while (size) {
		ssize_t n = recv(fd, at, size, MSG_WAITALL);

		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

static void encode(struct buf *out, int16_t key, int16_t version, const void *request)
{
	const struct wire_api *api = wire_api_find(key);
	struct writer w = writer_of(out);

	out->size = 0;
	writer_i32(&w, 0);
	writer_i16(&w, key);
	writer_i16(&w, version);
	writer_i32(&w, 1);
	writer_i16(&w, -1);
	if (wire_request_header_version(api, version) == 2)
		writer_u8(&w, 0);
	message_encode(api->request, version, &w, request);
	store_be32(out->data, (uint32_t)(out->size - 4));
}

/* The body of the next answer is in *in; false: the connection ended. */
static bool receive(int fd, struct buf *in, int16_t key, int16_t version, struct reader *ret)
{
	uint8_t size[4];

	if (!recv_all(fd, size, 4))
		return false;
	in->size = 0;
	if (!recv_all(fd, buf_extend(in, load_be32(size)), load_be32(size)))
		return false;
	*ret = reader_of(in->data, in->size);
	(void)reader_i32(ret);
	if (wire_response_header_version(wire_api_find(key), version) == 1)
		reader_skip_tags(ret);
	return true;
}

/* ---- create ---- */

static void create(struct str topic, int32_t partitions)
{
	struct create_topics_request_creatable_topic t = { .name = topic,
		                                           .num_partitions = partitions,
		                                           .replication_factor = 1 };
	struct create_topics_request r = { .topics = &t, .topics_count = 1, .timeout_ms = 10000 };
	struct create_topics_response answer;
	struct buf out = { 0 }, in = { 0 };
	struct reader body;
	struct arena arena;
	int fd = dial();

	arena_init(&arena, SIZE_MAX);
	encode(&out, API_CREATE_TOPICS, CREATE_VERSION, &r);
	if (!send_all(fd, out.data, out.size) ||
	    !receive(fd, &in, API_CREATE_TOPICS, CREATE_VERSION, &body) ||
	    message_decode(&create_topics_response_message, CREATE_VERSION, &body, &arena,
	                   &answer) ||
	    (answer.topics[0].error_code && answer.topics[0].error_code != 36))
		fail("create");
	arena_fini(&arena);
	buf_fini(&out);
	buf_fini(&in);
	close(fd);
	usleep(500000);
}

/* ---- produce ---- */

static void make_batch(struct buf *out, int records, size_t record_bytes, int64_t timestamp)
{
	struct batch_builder b;
	uint8_t *value = mem_alloc(record_bytes);

	for (size_t i = 0; i < record_bytes; i++)
		value[i] = (uint8_t)(i * 7);
	batch_begin(&b, out, &BATCH_PLAIN);
	for (int i = 0; i < records; i++)
		batch_add(&b, timestamp, (struct span){ 0 }, (struct span){ value, record_bytes },
		          NULL, 0);
	batch_end(&b);
	mem_free(value);
}

static void encode_produce(struct buf *out, struct str topic, int32_t partition,
                           const struct buf *batch)
{
	struct produce_request_partition_produce_data p = {
		.index = partition,
		.records = { .data = batch->data, .size = (uint32_t)batch->size },
	};
	struct produce_request_topic_produce_data t = { .name = topic,
		                                        .partition_data = &p,
		                                        .partition_data_count = 1 };
	struct produce_request r = {
		.acks = 1, .timeout_ms = 30000, .topic_data = &t, .topic_data_count = 1
	};

	encode(out, API_PRODUCE, PRODUCE_VERSION, &r);
}

static int16_t produce_error(struct reader *body, struct arena *arena)
{
	struct produce_response answer;

	if (message_decode(&produce_response_message, PRODUCE_VERSION, body, arena, &answer) ||
	    !answer.responses_count)
		return -1;
	return answer.responses[0].partition_responses[0].error_code;
}

struct lane {
	pthread_t thread;
	struct str topic;
	int32_t partition;
	uint64_t requests;
	uint64_t bytes;
};

static void *run_produce(void *arg)
{
	struct lane *l = arg;
	struct buf batch = { 0 }, out = { 0 }, in = { 0 };
	struct timespec t;
	struct arena arena;
	struct reader body;
	uint64_t sent = 0;
	int16_t error;
	int fd = dial();

	clock_gettime(CLOCK_REALTIME, &t);
	make_batch(&batch, BATCH_RECORDS, RECORD_BYTES, t.tv_sec * 1000);
	encode_produce(&out, l->topic, l->partition, &batch);
	arena_init(&arena, SIZE_MAX);
	for (uint64_t got = 0; got < l->requests; got++) {
		for (; sent < l->requests && sent < got + IN_FLIGHT; sent++)
			if (!send_all(fd, out.data, out.size))
				fail("send");
		if (!receive(fd, &in, API_PRODUCE, PRODUCE_VERSION, &body))
			fail("receive");
		arena_reset(&arena);
		error = produce_error(&body, &arena);
		if (error) {
			fprintf(stderr, "bench_load: produce: error %d\n", error);
			exit(1);
		}
	}
	l->bytes = l->requests * batch.size;
	arena_fini(&arena);
	buf_fini(&batch);
	buf_fini(&out);
	buf_fini(&in);
	close(fd);
	return NULL;
}

/* ---- consume ---- */

static void encode_fetch(struct buf *out, struct str topic, int32_t partition, int64_t offset,
                         int32_t max_wait_ms)
{
	struct fetch_request_partition p = { .partition = partition,
		                             .current_leader_epoch = -1,
		                             .fetch_offset = offset,
		                             .last_fetched_epoch = -1,
		                             .log_start_offset = -1,
		                             .partition_max_bytes = FETCH_BYTES };
	struct fetch_request_topic t = { .topic = topic, .partitions = &p, .partitions_count = 1 };
	struct fetch_request r;

	fetch_request_init(&r);
	r.replica_id = -1;
	r.max_wait_ms = max_wait_ms;
	r.min_bytes = 1;
	r.max_bytes = 50 * 1024 * 1024;
	r.session_epoch = -1;
	r.topics = &t;
	r.topics_count = 1;
	encode(out, API_FETCH, FETCH_VERSION, &r);
}

struct fetched {
	int16_t error;
	int64_t high_watermark;
	struct span records;
};

static bool fetch(int fd, struct buf *out, struct buf *in, struct arena *arena, struct str topic,
                  int32_t partition, int64_t offset, int32_t max_wait_ms, struct fetched *ret)
{
	const struct fetch_response_partition_data *p;
	struct fetch_response answer;
	struct reader body;

	encode_fetch(out, topic, partition, offset, max_wait_ms);
	arena_reset(arena);
	if (!send_all(fd, out->data, out->size) ||
	    !receive(fd, in, API_FETCH, FETCH_VERSION, &body) ||
	    message_decode(&fetch_response_message, FETCH_VERSION, &body, arena, &answer))
		return false;
	*ret = (struct fetched){ .error = answer.error_code };
	if (!answer.responses_count || !answer.responses[0].partitions_count)
		return true;
	p = &answer.responses[0].partitions[0];
	*ret = (struct fetched){ p->error_code,
		                 p->high_watermark,
		                 { p->records.data, p->records.size } };
	return true;
}

/* The offset after the last whole batch, and what they were together. */
static int64_t end_of(struct span records, int64_t offset, uint64_t *bytes)
{
	struct batch b;

	while (records.size && !batch_parse(records, &b)) {
		offset = batch_last_offset(&b) + 1;
		*bytes += b.size;
		records = (struct span){ records.data + b.size, records.size - b.size };
	}
	return offset;
}

static void *run_consume(void *arg)
{
	struct lane *l = arg;
	struct buf out = { 0 }, in = { 0 };
	struct fetched f = { .high_watermark = 1 };
	struct arena arena;
	int64_t offset = 0;
	int fd = dial();

	arena_init(&arena, SIZE_MAX);
	while (offset < f.high_watermark) {
		if (!fetch(fd, &out, &in, &arena, l->topic, l->partition, offset, 500, &f) ||
		    f.error)
			fail("fetch");
		offset = end_of(f.records, offset, &l->bytes);
	}
	arena_fini(&arena);
	buf_fini(&out);
	buf_fini(&in);
	close(fd);
	return NULL;
}

static void run_lanes(struct str topic, int32_t partitions, uint64_t requests,
                      void *(*run)(void *arg))
{
	struct lane *lane = mem_array((size_t)partitions, sizeof(*lane));
	uint64_t begin = now_ns();
	uint64_t bytes = 0;
	double seconds;

	for (int32_t i = 0; i < partitions; i++) {
		lane[i] = (struct lane){ .topic = topic, .partition = i, .requests = requests };
		pthread_create(&lane[i].thread, NULL, run, &lane[i]);
	}
	for (int32_t i = 0; i < partitions; i++) {
		pthread_join(lane[i].thread, NULL);
		bytes += lane[i].bytes;
	}
	seconds = (double)(now_ns() - begin) / 1e9;
	printf("%.0f bytes %.3f s %.0f MB/s\n", (double)bytes, seconds,
	       (double)bytes / 1e6 / seconds);
	mem_free(lane);
}

/* ---- latency ---- */

struct latency {
	struct str topic;
	uint32_t rate;
	uint32_t count;
	_Atomic(int64_t) begin; /* offset of the first record; -1: not known */
	uint64_t *sent;         /* by record */
	uint64_t *took;
};

static void *run_latency_reader(void *arg)
{
	struct latency *l = arg;
	struct buf out = { 0 }, in = { 0 };
	struct fetched f;
	struct arena arena;
	int64_t offset = 0, begin;
	uint64_t bytes = 0;
	int fd = dial();

	arena_init(&arena, SIZE_MAX);
	if (!fetch(fd, &out, &in, &arena, l->topic, 0, 0, 0, &f) || f.error)
		fail("fetch");
	begin = offset = f.high_watermark;
	atomic_store(&l->begin, begin);
	while (offset < begin + l->count) {
		int64_t end;
		uint64_t now;

		if (!fetch(fd, &out, &in, &arena, l->topic, 0, offset, 500, &f) || f.error)
			fail("fetch");
		now = now_ns();
		end = end_of(f.records, offset, &bytes);
		for (; offset < end && offset < begin + l->count; offset++)
			l->took[offset - begin] = now - l->sent[offset - begin];
	}
	arena_fini(&arena);
	buf_fini(&out);
	buf_fini(&in);
	close(fd);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void run_latency(struct str topic, uint32_t rate, uint32_t seconds)
{
	struct latency l = { .topic = topic, .rate = rate, .count = rate * seconds };
	struct buf batch = { 0 }, out = { 0 }, in = { 0 };
	struct timespec t;
	struct arena arena;
	struct reader body;
	pthread_t reader;
	uint64_t due;
	int fd = dial();

	l.sent = mem_array(l.count, sizeof(*l.sent));
	l.took = mem_array(l.count, sizeof(*l.took));
	atomic_init(&l.begin, -1);
	clock_gettime(CLOCK_REALTIME, &t);
	make_batch(&batch, 1, RECORD_BYTES, t.tv_sec * 1000);
	encode_produce(&out, topic, 0, &batch);
	arena_init(&arena, SIZE_MAX);
	pthread_create(&reader, NULL, run_latency_reader, &l);
	while (atomic_load(&l.begin) < 0)
		usleep(1000);
	due = now_ns();
	for (uint32_t i = 0; i < l.count; i++, due += 1000000000u / rate) {
		struct timespec at = { (time_t)(due / 1000000000u), (long)(due % 1000000000u) };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		l.sent[i] = now_ns();
		if (!send_all(fd, out.data, out.size) ||
		    !receive(fd, &in, API_PRODUCE, PRODUCE_VERSION, &body))
			fail("produce");
		arena_reset(&arena);
		if (produce_error(&body, &arena))
			fail("produce");
	}
	pthread_join(reader, NULL);
	qsort(l.took, l.count, sizeof(*l.took), compare);
	printf("p50 %.0f us p99 %.0f us p999 %.0f us\n", (double)l.took[l.count / 2] / 1e3,
	       (double)l.took[l.count * 99ull / 100] / 1e3,
	       (double)l.took[l.count * 999ull / 1000] / 1e3);
	arena_fini(&arena);
	buf_fini(&batch);
	buf_fini(&out);
	buf_fini(&in);
	close(fd);
	mem_free(l.sent);
	mem_free(l.took);
}

/* ---- the first record after a start ---- */

static void run_first(struct str topic)
{
	struct buf out = { 0 }, in = { 0 };
	struct arena arena;
	struct fetched f;
	uint64_t begin = now_ns();

	arena_init(&arena, SIZE_MAX);
	for (;;) {
		int fd = try_connect();

		while (fd >= 0 && fetch(fd, &out, &in, &arena, topic, 0, 0, 100, &f)) {
			if (!f.error && f.records.size) {
				printf("%.1f ms\n", (double)(now_ns() - begin) / 1e6);
				exit(0);
			}
			usleep(1000);
		}
		if (fd >= 0)
			close(fd);
		usleep(1000);
		if (now_ns() - begin > 120000000000u)
			fail("no record in 120 s");
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[2] : "";
	struct str topic = str_of(argc > 3 ? argv[3] : "");
	long a = argc > 4 ? atol(argv[4]) : 0;
	long b = argc > 5 ? atol(argv[5]) : 0;

	port = argc > 1 ? (uint16_t)atoi(argv[1]) : 0;
	if (!strcmp(what, "create") && a > 0)
		create(topic, (int32_t)a);
	else if (!strcmp(what, "produce") && a > 0 && b > 0)
		run_lanes(topic, (int32_t)a,
		          (uint64_t)b * 1000000u / (BATCH_RECORDS * RECORD_BYTES) / (uint64_t)a,
		          run_produce);
	else if (!strcmp(what, "consume") && a > 0)
		run_lanes(topic, (int32_t)a, 0, run_consume);
	else if (!strcmp(what, "latency") && a > 0 && b > 0)
		run_latency(topic, (uint32_t)a, (uint32_t)b);
	else if (!strcmp(what, "first"))
		run_first(topic);
	else
		return 2;
	return 0;
}
