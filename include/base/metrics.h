/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * What is counted, and the text that Prometheus reads (exposition format 0.0.4).
 *
 * A counter has one writer, the reactor that it belongs to, and any number of readers: adding is a
 * plain load and a plain store, no line is fought for.  Each number that a reader sees was true at
 * some moment; two of them need not be of the same moment.
 */
struct counter {
	_Atomic(uint64_t) value;
};

static inline void counter_add(struct counter *c, uint64_t n)
{
	uint64_t value = atomic_load_explicit(&c->value, memory_order_relaxed);

	atomic_store_explicit(&c->value, value + n, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counter *c) /* any */
{
	return atomic_load_explicit(&c->value, memory_order_relaxed);
}

/*
 * Values by powers of two: bucket i counts those up to 2^(HISTOGRAM_FIRST + i) that fit no smaller
 * one, the last bucket all the others.  Of microseconds: 16 us, 32 us, ... 16.8 s, longer.
 */
enum { HISTOGRAM_FIRST = 4, HISTOGRAM_BUCKETS = 22 };

struct histogram {
	struct counter bucket[HISTOGRAM_BUCKETS];
	struct counter sum;
};

static inline uint32_t histogram_bucket(uint64_t value)
{
	uint32_t bits = value > 1 ? 64 - (uint32_t)__builtin_clzll(value - 1) : 0;
	uint32_t i = bits > HISTOGRAM_FIRST ? bits - HISTOGRAM_FIRST : 0;

	return i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS - 1;
}

static inline void histogram_add(struct histogram *h, uint64_t value)
{
	counter_add(&h->bucket[histogram_bucket(value)], 1);
	counter_add(&h->sum, value);
}

/* Of several reactors. */
struct histogram_total {
	uint64_t bucket[HISTOGRAM_BUCKETS];
	uint64_t count;
	uint64_t sum;
};
void histogram_gather(struct histogram_total *total, const struct histogram *h);

/* ---- the text ---- */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
const char *metric_type_name(enum metric_type type);

/* Values are any bytes: escaped, and what is not UTF-8 becomes U+FFFD. */
struct metric_label {
	const char *name;
	struct str value;
};
enum { METRIC_LABELS_MAX = 4 };

/* `# HELP` and `# TYPE`; all samples of the family follow. */
void metric_family(struct buf *out, const char *name, enum metric_type type, const char *help);
void metric_int(struct buf *out, const char *name, const struct metric_label *label, uint32_t count,
                int64_t value);
void metric_float(struct buf *out, const char *name, const struct metric_label *label,
                  uint32_t count, double value);
/* _bucket for each bound, in units of `unit`; _sum; _count. */
void metric_histogram(struct buf *out, const char *name, const struct metric_label *label,
                      uint32_t count, const struct histogram_total *total, double unit);
/* A line for whoever reads it: scrapers skip it. */
void metric_comment(struct buf *out, const char *text);

#endif
