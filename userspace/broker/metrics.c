/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/metrics.h"

#include <string.h>

#include "base/mem.h"
#include "wire/errors.h"

enum { LINE = 64 };

_Atomic(struct metrics_shard *) metrics_shards[METRICS_REACTORS_MAX];

_Static_assert(sizeof(struct topic_counts) == LINE, "a line of its own");

/* ---- making ---- */

/* On lines of its own, zeroed; what to free is in *ret_block. */
static void *line_alloc(size_t size, void **ret_block)
{
	uint8_t *block = mem_zalloc(size + LINE);

	*ret_block = block;
	return block + (LINE - (uintptr_t)block % LINE) % LINE;
}

struct shard_block {
	struct metrics_shard shard;
	void *block;
};

struct metrics_shard *metrics_shard_new(int reactor)
{
	struct shard_block *s;
	void *block;

	check(reactor >= 0 && reactor < METRICS_REACTORS_MAX);
	s = line_alloc(sizeof(*s), &block);
	s->block = block;
	atomic_store_explicit(&metrics_shards[reactor], &s->shard, memory_order_release);
	return &s->shard;
}

static const struct message_field *error_code_of(const struct message *m)
{
	for (uint16_t i = 0; i < m->field_count; i++) {
		const struct message_field *f = &m->field[i];

		if (f->type == WIRE_I16 && !f->is_array && !strcmp(f->name, "error_code"))
			return f;
	}
	return NULL;
}

struct api_meter *metrics_api_new(struct metrics_shard *s, const struct wire_api *api)
{
	struct api_meter *m = mem_zalloc(sizeof(*m));

	m->error_code = error_code_of(api->response);
	atomic_store_explicit(&s->api[api->key], m, memory_order_release);
	return m;
}

struct topic_meter *topic_meter_new(void)
{
	size_t count = reactor_count() > 0 ? (size_t)reactor_count() : 1;
	size_t lines = (sizeof(struct topic_meter) + LINE - 1) / LINE + 1 + count;
	struct topic_meter *m = mem_zalloc(lines * LINE);
	uintptr_t end = (uintptr_t)(m + 1);

	object_init(&m->object, NULL);
	m->at = (struct topic_counts *)(end + (LINE - end % LINE) % LINE);
	return m;
}

void metrics_close(void)
{
	for (int i = 0; i < METRICS_REACTORS_MAX; i++) {
		struct metrics_shard *s = atomic_exchange(&metrics_shards[i], NULL);

		if (!s)
			continue;
		for (int key = 0; key <= WIRE_API_MAX; key++)
			mem_free(atomic_load(&s->api[key]));
		mem_free(container_of(s, struct shard_block, shard)->block);
	}
}

/* ---- counting ---- */

void metrics_count_error(const struct wire_api *api, int16_t error)
{
	int at = error + 1;

	if (at < 0 || at >= API_METER_ERRORS)
		at = 0; /* UNKNOWN_SERVER_ERROR is -1 */
	counter_add(&metrics_api(metrics_here(), api)->error[at], 1);
}

void metrics_time(struct api_meter *m, uint64_t ns)
{
	histogram_add(&m->time_us, ns / 1000);
}

static void add_append(struct topic_counts *c, uint64_t bytes, uint64_t messages)
{
	counter_add(&c->produces, 1);
	counter_add(&c->bytes_in, bytes);
	counter_add(&c->messages_in, messages);
}

void metrics_appended(struct topic_meter *topic, uint64_t bytes, uint64_t messages)
{
	int self = reactor_self();

	add_append(&metrics_of(self)->all, bytes, messages);
	if (topic)
		add_append(&topic->at[self], bytes, messages);
}

/* Kafka does not count as failed what is the client's to correct (ReplicaManager.appendToLocalLog).
 */
static bool is_produce_failure(int16_t error)
{
	switch (error) {
	case WIRE_NONE:
	case WIRE_UNKNOWN_TOPIC_OR_PARTITION:
	case WIRE_UNKNOWN_TOPIC_ID:
	case WIRE_NOT_LEADER_OR_FOLLOWER:
	case WIRE_MESSAGE_TOO_LARGE:
	case WIRE_RECORD_LIST_TOO_LARGE:
	case WIRE_CORRUPT_MESSAGE:
	case WIRE_KAFKA_STORAGE_ERROR:
		return false;
	default:
		return true;
	}
}

static void add_refusal(struct topic_counts *c, int16_t error, uint64_t bytes)
{
	counter_add(&c->produces, 1);
	counter_add(&c->produces_failed, is_produce_failure(error));
	if (error == WIRE_MESSAGE_TOO_LARGE)
		counter_add(&c->bytes_rejected, bytes);
}

void metrics_refused(struct topic_meter *topic, int16_t error, uint64_t bytes)
{
	int self = reactor_self();
	struct metrics_shard *s = metrics_of(self);

	add_refusal(&s->all, error, bytes);
	if (topic)
		add_refusal(&topic->at[self], error, bytes);
	if (error == WIRE_CORRUPT_MESSAGE)
		counter_add(&s->invalid_crc, 1);
	if (error == WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER)
		counter_add(&s->invalid_sequence, 1);
}

/* The same of Fetch (ReplicaManager.readFromLog). */
static bool is_fetch_failure(int16_t error)
{
	switch (error) {
	case WIRE_NONE:
	case WIRE_UNKNOWN_TOPIC_OR_PARTITION:
	case WIRE_UNKNOWN_TOPIC_ID:
	case WIRE_INCONSISTENT_TOPIC_ID:
	case WIRE_NOT_LEADER_OR_FOLLOWER:
	case WIRE_UNKNOWN_LEADER_EPOCH:
	case WIRE_FENCED_LEADER_EPOCH:
	case WIRE_REPLICA_NOT_AVAILABLE:
	case WIRE_KAFKA_STORAGE_ERROR:
	case WIRE_OFFSET_OUT_OF_RANGE:
		return false;
	default:
		return true;
	}
}

static void add_fetch(struct topic_counts *c, int16_t error, uint64_t bytes)
{
	counter_add(&c->fetches, 1);
	counter_add(&c->fetches_failed, is_fetch_failure(error));
	counter_add(&c->bytes_out, bytes);
}

void metrics_fetched(struct topic_meter *topic, int16_t error, uint64_t bytes)
{
	int self = reactor_self();

	add_fetch(&metrics_of(self)->all, error, bytes);
	if (topic)
		add_fetch(&topic->at[self], error, bytes);
}

/* ---- reading ---- */

void topic_counts_gather(struct topic_totals *total, const struct topic_counts *c)
{
	total->messages_in += counter_read(&c->messages_in);
	total->bytes_in += counter_read(&c->bytes_in);
	total->bytes_out += counter_read(&c->bytes_out);
	total->bytes_rejected += counter_read(&c->bytes_rejected);
	total->produces += counter_read(&c->produces);
	total->produces_failed += counter_read(&c->produces_failed);
	total->fetches += counter_read(&c->fetches);
	total->fetches_failed += counter_read(&c->fetches_failed);
}

struct topic_totals topic_meter_read(const struct topic_meter *m)
{
	struct topic_totals total = { 0 };

	for (int i = 0; i < reactor_count(); i++)
		topic_counts_gather(&total, &m->at[i]);
	return total;
}

struct topic_totals metrics_all_topics(void)
{
	struct topic_totals total = { 0 };

	for (int i = 0; i < reactor_count(); i++) {
		const struct metrics_shard *s =
			atomic_load_explicit(&metrics_shards[i], memory_order_acquire);

		if (s)
			topic_counts_gather(&total, &s->all);
	}
	return total;
}

static void gather_api(struct api_totals *total, const struct api_meter *m)
{
	for (int v = 0; v < API_METER_VERSIONS; v++) {
		uint64_t n = counter_read(&m->request[v]);

		total->request[v] += n;
		total->requests += n;
	}
	for (int e = 0; e < API_METER_ERRORS; e++)
		total->error[e] += counter_read(&m->error[e]);
	total->bytes_in += counter_read(&m->bytes_in);
	total->bytes_out += counter_read(&m->bytes_out);
	histogram_gather(&total->time_us, &m->time_us);
}

void metrics_api_read(int16_t key, struct api_totals *ret)
{
	*ret = (struct api_totals){ 0 };
	for (int i = 0; i < reactor_count(); i++) {
		const struct metrics_shard *s =
			atomic_load_explicit(&metrics_shards[i], memory_order_acquire);
		const struct api_meter *m =
			s ? atomic_load_explicit(&s->api[key], memory_order_acquire) : NULL;

		if (m)
			gather_api(ret, m);
	}
}
