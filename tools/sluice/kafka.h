/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_KAFKA_H
#define SLUICE_KAFKA_H

#include "base/arena.h"
#include "cli.h"
#include "wire/api.h"
#include "wire/errors.h"
#include "wire/metadata.h"

/*
 * A cluster as the administrative commands see it: blocking connections and one question at a
 * time, in the daemon's own codec, so that what can be asked does not depend on a library.
 * Whatever is answered lives until kafka_close().  Nobody who cannot be asked is survived: the
 * program ends and says who it was and what can be done.
 */

/* ---- one connection: kafka_conn.c ---- */

struct conn;

struct conn_version {
	int16_t min; /* min > max: the broker does not know this API */
	int16_t max;
};

/* NULL: no connection; *ret_why says so (a static text). */
struct conn *conn_open(const char *host, const char *port, const char **ret_why);
void conn_close(struct conn *c);
/* The answer's body in *ret; its bytes are the arena's.  NULL, or what went wrong. */
const char *conn_call(struct conn *c, const struct wire_api *api, int16_t version,
                      const void *request, struct arena *arena, void *ret);
struct conn_version conn_version(const struct conn *c, int16_t key);
/* "broker 1 (127.0.0.1:9092)" goes into messages. */
const char *conn_address(const struct conn *c);
/* Of the answer to ApiVersions, with which a connection begins. */
const struct api_versions_response *conn_features(const struct conn *c);

/* ---- the cluster: kafka.c ---- */

struct kafka_node {
	int32_t id; /* -1: the bootstrap server */
	struct conn *conn;
};

struct kafka {
	const struct cli *cli;
	struct arena arena;
	struct kafka_node *node; /* those that were talked to; the first is the bootstrap server */
	size_t node_count;
	size_t node_capacity;
	const struct metadata_response *cluster;
	/* Who was asked last, and what: for messages. */
	int32_t last_node;
	int16_t last_key;
};

enum { KAFKA_ANY = -1 };

void kafka_open(struct kafka *k, const struct cli *cli);
void kafka_close(struct kafka *k);
/* The decoded answer of the highest version that both know and in which nothing is lost. */
const void *kafka_ask(struct kafka *k, int32_t node, int16_t key, const void *request);
/* Of the broker's; -1: it does not know this API. */
int16_t kafka_max_version(struct kafka *k, int32_t node, int16_t key);
const char *kafka_address(struct kafka *k, int32_t node);
/* Features that the broker has and that the cluster uses. */
const struct api_versions_response *kafka_features(struct kafka *k);
int32_t kafka_controller(const struct kafka *k);
/* Waits while the coordinator is being found or loaded. */
int32_t kafka_coordinator(struct kafka *k, struct str group);
/* True after a moment when the error may be gone then; false when it will stay. */
bool kafka_again(int16_t error, int *tries);

/* Of the topics named, or of all (NULL): sorted by name, their partitions by number. */
struct metadata_response *kafka_topics(struct kafka *k, const struct str *name, size_t count);
/* The one topic; ends the program when it is not there. */
const struct metadata_response_response_topic *kafka_topic(struct kafka *k, const char *name);

/* A partition and an offset of it. */
struct place {
	struct str topic;
	int32_t partition;
	int32_t leader;
	int16_t error; /* of the last lookup */
	int64_t offset;
};
enum { TIME_BEGINNING = -2, TIME_END = -1 };
/* ListOffsets to every leader: `offset` of the first record at or after `time`; -1: none. */
void kafka_offsets(struct kafka *k, struct place *place, size_t count, int64_t time);
/* The place of each partition of a topic, in order. */
struct place *kafka_places(struct kafka *k, const struct metadata_response_response_topic *t);

/* ---- what was refused: kafka_error.c ---- */

/* "sluice: WHAT: MESSAGE (ERROR: API, broker N at ADDRESS); what can be done" */
void kafka_say(struct kafka *k, const char *what, int16_t error, struct str message);
void kafka_fail(struct kafka *k, const char *what, int16_t error, struct str message)
	__attribute__((noreturn));

#endif
