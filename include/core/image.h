/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/pmap.h"
#include "base/str.h"
#include "base/uuid.h"

/*
 * The cluster's metadata as the replay of `__cluster_metadata` up to an offset (Kafka:
 * org.apache.kafka.image.MetadataImage).  A published image is immutable and shared; changing
 * one topic copies that topic and a path to it, never the rest.
 *
 * Everything reached through an image lives as long as the reference to it: a reactor's borrowed
 * one ends with its turn (io/rcu.h), image_get() keeps one longer.
 */
enum { IMAGE_NO_LEADER = -1, IMAGE_LEADER_RECOVERED = 0, IMAGE_LEADER_RECOVERING = 1 };

/* org.apache.kafka.common.config.ConfigResource.Type */
enum image_resource_type {
	IMAGE_RESOURCE_TOPIC = 2,
	IMAGE_RESOURCE_BROKER = 4,
	IMAGE_RESOURCE_BROKER_LOGGER = 8,
	IMAGE_RESOURCE_CLIENT_METRICS = 16,
	IMAGE_RESOURCE_GROUP = 32,
};

struct image_ids {
	const int32_t *id;
	uint32_t count;
};

bool image_ids_has(struct image_ids ids, int32_t id);
bool image_ids_eq(struct image_ids a, struct image_ids b);

struct image_partition {
	struct object object;
	int32_t index;
	int32_t leader; /* IMAGE_NO_LEADER when there is none */
	int32_t leader_epoch;
	int32_t partition_epoch;
	int8_t leader_recovery_state;
	struct image_ids replicas; /* in order of preference */
	struct image_ids isr;
	struct image_ids elr;
	struct image_ids last_known_elr;
	struct image_ids adding;
	struct image_ids removing;
	const struct uuid *directory; /* one for each of replicas */
};

/* The directory of `broker_id`'s replica; the zero uuid (MIGRATING) when it holds none. */
struct uuid image_partition_directory(const struct image_partition *p, int32_t broker_id);

struct image_topic {
	struct object object;
	struct uuid id;
	struct str name;
	uint32_t partition_count;
	uint32_t partition_capacity;
	struct image_partition **partition; /* by index, ascending; [i]->index == i in a sane log */
};

const struct image_partition *image_topic_partition(const struct image_topic *t, int32_t index);

struct image_endpoint {
	struct str name; /* of the listener */
	struct str host;
	uint16_t port;
	int16_t security_protocol; /* 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL */
};

struct image_feature_range {
	struct str name;
	int16_t min;
	int16_t max;
};

/* A registered broker or controller. */
struct image_node {
	struct object object;
	int32_t id;
	int64_t epoch; /* of a broker: the offset of its first record; a controller has 0 */
	int64_t register_offset; /* of the newest record of its registration, or its snapshot */
	struct uuid incarnation_id;
	struct str rack; /* data NULL: none */
	bool fenced;
	bool in_controlled_shutdown;
	bool migrating_zk;
	bool cordoned_known; /* cordoned_dir was given, be it empty */
	uint32_t endpoint_count;
	uint32_t feature_count;
	uint32_t log_dir_count;
	uint32_t cordoned_dir_count;
	const struct image_endpoint *endpoint;
	const struct image_feature_range *feature;
	const struct uuid *log_dir;
	const struct uuid *cordoned_dir;
};

const struct image_endpoint *image_node_endpoint(const struct image_node *n, struct str listener);
bool image_node_is_active(const struct image_node *n); /* not fenced, not shutting down */

/* Values kept as counted bytes: config values, feature levels, ... */
struct image_value {
	struct object object;
	struct str text;
};

struct image_config {
	struct object object;
	int8_t resource_type;
	struct str resource_name;
	struct pmap value; /* config name -> struct image_value */
};

/* A client quota's entity: types and names in the order of the record, name.data NULL: default. */
struct image_quota_part {
	struct str type;
	struct str name;
};

struct image_quota {
	struct object object;
	uint32_t part_count;
	const struct image_quota_part *part;
	struct pmap value; /* quota name -> struct image_double */
};

struct image_double {
	struct object object;
	double value;
};

struct image_level {
	struct object object;
	int16_t level;
};

struct image_acl {
	struct object object;
	struct uuid id;
	int8_t resource_type;
	int8_t pattern_type;
	int8_t operation;
	int8_t permission_type;
	struct str resource_name;
	struct str principal;
	struct str host;
};

enum { IMAGE_SCRAM_SHA_256 = 1, IMAGE_SCRAM_SHA_512 = 2 };

struct image_scram {
	struct object object;
	int8_t mechanism;
	int32_t iterations;
	struct str user;
	struct span salt;
	struct span stored_key;
	struct span server_key;
};

struct image_token {
	struct object object;
	struct str id;
	struct str owner;
	struct str requester;
	int64_t issue_ms;
	int64_t max_ms;
	int64_t expiry_ms;
	uint32_t renewer_count;
	const struct str *renewer;
};

struct image {
	struct object object;

	/* What it stands for: everything up to and with this record; -1 for nothing yet. */
	int64_t offset;
	int32_t epoch;
	int64_t append_ms; /* of the newest batch */

	int16_t metadata_version; /* 0 until a FeatureLevelRecord gave it */
	int64_t next_producer_id;

	struct pmap features;     /* name -> struct image_level, all but metadata.version */
	struct pmap brokers;      /* id -> struct image_node */
	struct pmap controllers;  /* id -> struct image_node */
	struct pmap topics;       /* name -> struct image_topic */
	struct pmap topics_by_id; /* the same objects */
	struct pmap configs;      /* type and resource name -> struct image_config */
	struct pmap quotas;       /* entity -> struct image_quota */
	struct pmap acls;         /* id -> struct image_acl */
	struct pmap scram;        /* mechanism and user -> struct image_scram */
	struct pmap tokens;       /* token id -> struct image_token */

	/* Inside a metadata transaction (KIP-868): what it began from, and where; else NULL. */
	struct image *before;
	int64_t transaction_offset;
};

/* ---- versions ---- */

struct image *image_new(void);                      /* empty, offset -1 */
struct image *image_get(const struct image *image); /* a reference; O(1) */
void image_put(const struct image *image);          /* NULL is fine; any core */
/* A new version to change, sharing everything with `base`; nobody else may see it yet. */
struct image *image_edit(const struct image *base);

/* One record of the metadata log: `value` is frame, api key, version and body. */
enum image_verdict {
	IMAGE_APPLIED,
	IMAGE_BAD_RECORD, /* unknown type or version, short or long body, or it contradicts the
	                     image: the log cannot be followed any further (FAULTS M-06) */
};

/*
 * Applies the record at `offset` to an unpublished version.  Total: on IMAGE_BAD_RECORD the
 * version is to be thrown away and `why`, if given, has the reason.
 */
struct image_apply_error {
	char text[160];
};
enum image_verdict image_apply(struct image *image, int64_t offset, struct span value,
                               struct image_apply_error *why) must_check;
/* The batch or control batch that ended at `offset` was seen. */
void image_advance(struct image *image, int64_t offset, int32_t epoch, int64_t append_ms);
static inline bool image_in_transaction(const struct image *image)
{
	return image->before;
}

/*
 * NULL when we can serve this image, else a text: a feature level above what is known here.
 * Such a log is to be refused at start, never guessed at.  The text lives in `why`.
 */
const char *image_unsupported(const struct image *image, struct image_apply_error *why);

/*
 * Every record that makes this image, in the order of Kafka's snapshot writer.  `on_record` borrows
 * `value` for the call.  Not inside a transaction.
 */
void image_snapshot(const struct image *image, void (*on_record)(void *arg, struct span value),
                    void *arg);

/* ---- lookups; NULL or the stated default when there is none ---- */

const struct image_topic *image_topic_by_name(const struct image *image, struct str name);
const struct image_topic *image_topic_by_id(const struct image *image, struct uuid id);
const struct image_node *image_broker(const struct image *image, int32_t id);
const struct image_node *image_controller(const struct image *image, int32_t id);
/* Level of a finalized feature, 0 when not there; "metadata.version" included. */
int16_t image_feature(const struct image *image, struct str name);
const struct image_config *image_config(const struct image *image, enum image_resource_type type,
                                        struct str name);
/* A resource's own dynamic value; data NULL when not set. */
struct str image_config_value(const struct image *image, enum image_resource_type type,
                              struct str name, struct str key);

const struct image_scram *image_scram(const struct image *image, int8_t mechanism, struct str user);

/* Walks: pmap_each() over a map above, with these on each value. */
#define image_value_of(type, entry) container_of((entry).value, type, object)

/* ---- what changed between two versions, cheaply ---- */

struct image_changes {
	/* Old NULL: new; new NULL: gone.  A topic made again under its name is both, by id.  */
	void (*topic)(void *arg, const struct image_topic *old, const struct image_topic *new);
	void (*config)(void *arg, const struct image_config *old, const struct image_config *new);
	void (*broker)(void *arg, const struct image_node *old, const struct image_node *new);
	void (*feature)(void *arg, struct str name, int16_t old, int16_t new);
	void *arg;
};
/* Members may be NULL.  Order: features, brokers, configs, topics (by id). */
void image_diff(const struct image *old, const struct image *new,
                const struct image_changes *changes);
/* The partitions that differ; either topic may be NULL. */
void image_diff_partitions(const struct image_topic *old, const struct image_topic *new,
                           void (*changed)(void *arg, const struct image_partition *old,
                                           const struct image_partition *new),
                           void *arg);

#endif
