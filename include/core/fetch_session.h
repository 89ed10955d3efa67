/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FETCH_SESSION_H
#define CORE_FETCH_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "base/uuid.h"

/*
 * Incremental fetch sessions (KIP-227; kafka.server.FetchSession): what a consumer asked for and
 * what it was last told, so that it names only what changes and hears only what is new.
 *
 * A cache belongs to one reactor.  Time and random ids are arguments.
 */

enum {
	FETCH_SESSION_NONE = 0,          /* session id */
	FETCH_SESSION_FINAL = -1,        /* epoch: close the session, answer without one */
	FETCH_SESSION_INITIAL = 0,       /* epoch: make a session */
	FETCH_SESSION_EVICT_MS = 120000, /* min.incremental.fetch.session.eviction.ms */
};

/* One partition of a session, in the order in which it will be read. */
struct fetch_partition {
	struct map_node node;
	struct list link; /* session->order */
	struct fetch_session *session;
	struct uuid topic_id; /* zero when the session uses names */
	char *topic;          /* NULL when the session uses ids; owned */
	int32_t partition;
	int32_t max_bytes;
	int32_t current_leader_epoch;
	int32_t last_fetched_epoch;
	int64_t fetch_offset;
	int64_t follower_log_start_offset;
	/* As last told; -1 forces the next answer. */
	int64_t high_watermark;
	int64_t log_start_offset;
	void *slot; /* the broker's subscription; handed to sessions->forget() */
};

struct fetch_session {
	struct map_node node;
	struct list lru; /* sessions->lru, least recently used first */
	int32_t id;
	int32_t epoch; /* that the next request must carry */
	bool uses_topic_ids;
	bool in_use; /* a call is being answered from it: not evicted */
	uint64_t created_ms;
	uint64_t used_ms;
	struct list order; /* struct fetch_partition */
	struct map partitions;
};

struct fetch_sessions {
	struct map map;
	struct list lru;
	size_t count_max;
	/* A partition leaves its session: release its slot. */
	void (*forget)(void *arg, struct fetch_partition *part);
	void *arg;
	uint64_t evicted_count;
};

/* What one request says of a partition. */
struct fetch_want {
	struct uuid topic_id;
	struct str topic;
	int32_t partition;
	int32_t max_bytes;
	int32_t current_leader_epoch;
	int32_t last_fetched_epoch;
	int64_t fetch_offset;
	int64_t follower_log_start_offset;
};

void fetch_sessions_init(struct fetch_sessions *s, size_t count_max,
                         void (*forget)(void *arg, struct fetch_partition *part), void *arg);
void fetch_sessions_fini(struct fetch_sessions *s);

/*
 * A new session with this id (not 0, not in use), or NULL when the cache is full of sessions that
 * may not be evicted.  A session is evictable when it was unused for FETCH_SESSION_EVICT_MS, or is
 * older than that and smaller than the new one (partition_count).
 */
struct fetch_session *fetch_session_new(struct fetch_sessions *s, int32_t id, bool uses_topic_ids,
                                        size_t partition_count, uint64_t now_ms);
struct fetch_session *fetch_session_find(const struct fetch_sessions *s, int32_t id);
void fetch_session_free(struct fetch_sessions *s, struct fetch_session *session);

/*
 * Begins the answer to an incremental request: WIRE_NONE and the epoch moved on, or
 * WIRE_INVALID_FETCH_SESSION_EPOCH, WIRE_FETCH_SESSION_TOPIC_ID_ERROR.
 */
int16_t fetch_session_begin(struct fetch_sessions *s, struct fetch_session *session, int32_t epoch,
                            bool uses_topic_ids, uint64_t now_ms);
/* Adds, or changes what is wanted.  `added` says which. */
struct fetch_partition *fetch_session_want(struct fetch_session *session,
                                           const struct fetch_want *want, bool *added);
void fetch_session_forget(struct fetch_sessions *s, struct fetch_session *session,
                          struct uuid topic_id, struct str topic, int32_t partition);

/*
 * Must this outcome be told?  Remembers what is told, and moves a partition that had records
 * to the end of the order.
 */
bool fetch_partition_tell(struct fetch_partition *part, int16_t error, int64_t high_watermark,
                          int64_t log_start_offset, bool has_records, bool diverged);

#endif
