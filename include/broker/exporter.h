/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_EXPORTER_H
#define BROKER_EXPORTER_H

#include <stdint.h>

#include "base/check.h"

/*
 * Who may look: `GET /metrics` over HTTP/1.1, in Prometheus' text format, one answer a connection.
 * An answer is made as the peer takes it, a piece a turn, out of an image that stays the same
 * meanwhile: however much there is to tell, a scraper holds one piece of it in memory, and the
 * committed offsets it will be told of.
 */
struct exporter;
struct broker;

enum {
	EXPORTER_CONNECTIONS = 16,     /* more are closed at once */
	EXPORTER_REQUEST_BYTES = 8192, /* longer ones are refused */
	EXPORTER_REQUEST_MS = 10000,   /* to send one */
	EXPORTER_ANSWER_MS = 60000,    /* to take the answer */
	EXPORTER_SERIES = 10000,   /* partitions, topics, offsets: with more only sums are told */
	EXPORTER_OFFSETS = 100000, /* looked at; what is beyond is left out */
};

/* main thread before reactors_run(), or reactor 0.  -errno as listener_open(). */
int exporter_open(struct broker *broker, const char *host, uint16_t port,
                  struct exporter **ret) must_check;
uint16_t exporter_port(const struct exporter *e);
/* reactor 0: every connection is closed, then stopped(arg), on reactor 0.  NULL is fine. */
void exporter_stop(struct exporter *e, void (*stopped)(void *arg), void *arg);
void exporter_free(struct exporter *e); /* reactors stopped; NULL is fine */

#endif
