/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_METRICS_H
#define BROKER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "base/pmap.h"
#include "io/reactor.h"
#include "wire/api.h"

/*
 * The numbers of this process.  Each reactor counts in a shard of its own, made when it first
 * counts something and kept until metrics_close(); whoever wants a number adds them all up.
 */

/* What is counted of a topic, and of all of them: one cache line. */
struct topic_counts {
	struct counter messages_in;
	struct counter bytes_in;
	struct counter bytes_out;
	struct counter bytes_rejected;
	struct counter produces; /* partitions in Produce requests, as Kafka counts them */
	struct counter produces_failed;
	struct counter fetches;
	struct counter fetches_failed;
};

/* Of a topic, shared by its partitions. */
struct topic_meter {
	struct object object;
	struct topic_counts *at; /* one a reactor, on lines of their own */
};
struct topic_meter *topic_meter_new(void); /* one reference */

/* Of an API. */
enum { API_METER_VERSIONS = 32, API_METER_ERRORS = 160 };
struct api_meter {
	struct counter request[API_METER_VERSIONS];
	struct counter bytes_in;
	struct counter bytes_out;
	struct histogram time_us;               /* from its last byte to the answer's last */
	struct counter error[API_METER_ERRORS]; /* by code + 1; beyond: the first */
	const struct message_field *error_code; /* of the response as a whole; NULL: none */
};

struct metrics_shard {
	_Alignas(64) struct topic_counts all;
	struct counter invalid_crc;
	struct counter invalid_sequence;
	struct counter rebuilt; /* batches that were compressed again */
	struct counter fetch_sessions_made;
	struct counter fetch_sessions_ended;
	struct counter fetch_evictions;
	_Atomic(struct api_meter *) api[WIRE_API_MAX + 1];
};

enum { METRICS_REACTORS_MAX = 1024 };
extern _Atomic(struct metrics_shard *) metrics_shards[METRICS_REACTORS_MAX];
struct metrics_shard *metrics_shard_new(int reactor);
struct api_meter *metrics_api_new(struct metrics_shard *s, const struct wire_api *api);

/* reactor `self` */
static inline struct metrics_shard *metrics_of(int self)
{
	struct metrics_shard *s = atomic_load_explicit(&metrics_shards[self], memory_order_relaxed);

	return s ? s : metrics_shard_new(self);
}

/* reactor: its own */
static inline struct metrics_shard *metrics_here(void)
{
	return metrics_of(reactor_self());
}

static inline struct api_meter *metrics_api(struct metrics_shard *s, const struct wire_api *api)
{
	struct api_meter *m = atomic_load_explicit(&s->api[api->key], memory_order_relaxed);

	return m ? m : metrics_api_new(s, api);
}

/* reactor.  An error code that an answer carries; 0 is none. */
void metrics_count_error(const struct wire_api *api, int16_t error);
static inline void metrics_error(const struct wire_api *api, int16_t error)
{
	if (error)
		metrics_count_error(api, error);
}

/* reactor, the meter's: a request was answered. */
void metrics_time(struct api_meter *m, uint64_t ns);

/*
 * reactor.  In a partition of this topic (NULL: it is not known).  A request that was appended, or
 * refused; a fetch that was answered.
 */
void metrics_appended(struct topic_meter *topic, uint64_t bytes, uint64_t messages);
void metrics_refused(struct topic_meter *topic, int16_t error, uint64_t bytes);
void metrics_fetched(struct topic_meter *topic, int16_t error, uint64_t bytes);

/* ---- reading; any ---- */

struct topic_totals {
	uint64_t messages_in, bytes_in, bytes_out, bytes_rejected;
	uint64_t produces, produces_failed, fetches, fetches_failed;
};
void topic_counts_gather(struct topic_totals *total, const struct topic_counts *c);
struct topic_totals topic_meter_read(const struct topic_meter *m);
struct topic_totals metrics_all_topics(void);

struct api_totals {
	uint64_t request[API_METER_VERSIONS];
	uint64_t requests; /* of all versions */
	uint64_t bytes_in, bytes_out;
	struct histogram_total time_us;
	uint64_t error[API_METER_ERRORS];
};
void metrics_api_read(int16_t key, struct api_totals *ret);

void metrics_close(void); /* reactors stopped: everything is zero again */

/* ---- the table of what is exported ---- */

struct metric_row {
	const char *name;
	enum metric_type type;
	const char *labels; /* "topic, partition"; "": none */
	const char *help;
};
const struct metric_row *metrics_table(size_t *ret_count);
void metrics_document(struct buf *out); /* docs/metrics.md */

#endif
