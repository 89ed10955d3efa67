/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONTROLLER_H
#define CORE_CONTROLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/str.h"
#include "base/uuid.h"
#include "core/image.h"

/*
 * The active controller as a pure machine (Kafka: QuorumController and its managers).  It decides
 * on a private image that runs ahead of what is committed; its only effects are records.
 *
 *	request or time  ->  controller_step()  ->  response, and records to append as one batch
 *
 * The caller appends the records at `next_offset`, and answers when they are committed.  A
 * response without records is a statement about the state so far, so it too is answered when
 * everything before `next_offset` is committed.  If the append fails the caller calls
 * controller_reset() with the committed image and fails what it still owes.
 */
struct controller;

/*
 * What the controller must know about configs, asked of the broker's table (core knows no
 * names).  Texts given back live in `arena`.
 */
struct controller_config_entry {
	struct str name;
	struct str value; /* data NULL: sensitive */
	int8_t source;    /* DescribeConfigsResponse.ConfigSource */
	int8_t type;      /* DescribeConfigsResponse.ConfigType */
	bool is_sensitive;
	bool is_read_only;
};

struct controller_config_rules {
	void *arg;
	/*
	 * Would these be good configs of the resource?  `name` and `value` are the whole of its
	 * dynamic configs after the change.  WIRE_NONE, or an error code with Kafka's message in
	 * *ret_message (ConfigurationValidator.validate).
	 */
	int16_t (*validate)(void *arg, struct arena *arena, enum image_resource_type type,
	                    struct str resource_name, const struct str *name,
	                    const struct str *value, size_t count, struct str *ret_message);
	/* Is this a list (APPEND and SUBTRACT are allowed)? */
	bool (*is_list)(void *arg, enum image_resource_type type, struct str name);
	/*
	 * The value an unset config has: of a topic "cleanup.policy" the broker's own
	 * log.cleanup.policy...  data NULL when the name is unknown or has no default.  `image`
	 * gives the dynamic broker configs; NULL: the default of the key itself, whatever the
	 * broker has.
	 */
	struct str (*effective)(void *arg, struct arena *arena, const struct image *image,
	                        enum image_resource_type type, struct str resource_name,
	                        struct str name);
	/*
	 * All configs of a topic with these overrides, in the order Kafka lists them in a
	 * CreateTopics response.
	 */
	size_t (*topic_entries)(void *arg, struct arena *arena, const struct image *image,
	                        const struct str *name, const struct str *value, size_t count,
	                        const struct controller_config_entry **ret);
};

enum { CONTROLLER_SCRAM_KEY_MAX = 64 };

struct controller_scram_keys {
	uint32_t size; /* 32 or 64 */
	uint8_t stored_key[CONTROLLER_SCRAM_KEY_MAX];
	uint8_t server_key[CONTROLLER_SCRAM_KEY_MAX];
};

struct controller_options {
	int32_t node_id;
	struct str cluster_id;
	int32_t default_partition_count;    /* num.partitions */
	int16_t default_replication_factor; /* default.replication.factor */
	int32_t default_min_isr;            /* min.insync.replicas */
	uint32_t session_timeout_ms;        /* broker.session.timeout.ms */
	uint32_t idle_interval_ms;          /* metadata.max.idle.interval.ms; 0: no NoOp records */
	uint32_t imbalance_check_ms;        /* leader.imbalance.check.interval.seconds; 0: never */
	bool kraft_version_1;               /* kraft.version, which no metadata record tells */
	struct controller_config_rules rules;
	void (*random)(void *arg, void *out, size_t size); /* ids of topics, placement */
	void *random_arg;
	/*
	 * What a server keeps of a SCRAM password (RFC 5802: StoredKey and ServerKey), for hash
	 * functions are not core's.  `salted` is not empty; each result is `size` bytes long.
	 */
	void (*scram_keys)(int8_t mechanism, struct span salted, struct controller_scram_keys *ret);
};

/* Options are copied, strings in them included.  Inactive until CONTROLLER_ACTIVATE. */
struct controller *controller_new(const struct controller_options *options);
void controller_free(struct controller *c); /* NULL is fine */
/* Forget what is not committed.  Brokers get a fresh session from `mono_ms` on. */
void controller_reset(struct controller *c, const struct image *committed, uint64_t mono_ms);

enum controller_event_type {
	/* This node became the leader; bootstrap records for an empty log (core/bootstrap.h). */
	CONTROLLER_ACTIVATE,
	/* The clock reached controller_wake_ms(). */
	CONTROLLER_TICK,
	/* A request: api_key, version and the decoded struct of the generated codec. */
	CONTROLLER_REQUEST,
};

struct controller_event {
	enum controller_event_type type;
	uint64_t mono_ms;
	int64_t wall_ms;
	int64_t next_offset; /* that the first record will get */

	/* CONTROLLER_REQUEST */
	int16_t api_key;
	int16_t version;
	const void *request;  /* const struct create_topics_request * and so on */
	struct str principal; /* who asked, "User:alice"; for reassignments, tokens... */

	/* CONTROLLER_ACTIVATE: record values */
	const struct span *bootstrap;
	size_t bootstrap_count;
};

struct controller_out {
	/*
	 * Of a request: struct create_topics_response * and so on, in the arena of the step, as are
	 * the records.  NULL of other events.
	 */
	void *response;
	/*
	 * Not WIRE_NONE: the whole request failed with this code and `message`, and `response` is
	 * NULL; the caller makes the error response of that API (the controller answers
	 * NOT_CONTROLLER this way when it is not active).
	 */
	int16_t error;
	struct str message;

	const struct span *record; /* values, to append in this order */
	size_t record_count;
	/* false: the records frame themselves with Begin/EndTransaction and may be cut in batches
	 */
	bool atomic;
};

/*
 * Never fails: wrong input is an answer.  The records are applied to the private image already.
 * The arena must have no limit (SIZE_MAX): decisions are not made on half a memory.
 */
void controller_step(struct controller *c, const struct controller_event *event,
                     struct arena *arena, struct controller_out *out);

/* When CONTROLLER_TICK is wanted next, on the clock of mono_ms; UINT64_MAX for never. */
uint64_t controller_wake_ms(const struct controller *c);
bool controller_is_active(const struct controller *c);
/* The private image: for tests, and for the golden law controller state == replay. */
const struct image *controller_image(const struct controller *c);

#endif
