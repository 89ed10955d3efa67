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

/* One partition of a session. */
struct fetch_partition {
	struct map_node node;
	struct list link;  /* session->all */
	struct list ready; /* session->ready, unless there is nothing new to tell of it */
	struct fetch_session *session;
	struct uuid topic_id; /* zero when the session uses names */
	char *topic;          /* owned; NULL: an id that had no name yet */
	int32_t partition;
	int32_t max_bytes;
	int32_t current_leader_epoch;
	int32_t last_fetched_epoch;
	int64_t fetch_offset;
	int64_t follower_log_start_offset;
	/* As last told; -1 forces the next answer. */
	int64_t high_watermark;
	int64_t log_start_offset;
	void *slot;   /* the broker's subscription, to be released in sessions->forget() */
	bool in_hand; /* the broker's: the call that is being answered looks at it */
};

struct fetch_session {
	struct map_node node;
	struct fetch_sessions *sessions;
	struct list lru; /* sessions->lru, least recently used first */
	int32_t id;
	int32_t epoch; /* that the next request must carry */
	bool uses_topic_ids;
	bool in_use;    /* a call is being answered from it: neither evicted nor freed */
	bool is_closed; /* meanwhile */
	uint64_t created_ms;
	uint64_t used_ms;
	struct list all;   /* struct fetch_partition */
	struct list ready; /* of them those to be looked at, in that order */
	struct map partitions;
	uint64_t removals; /* the broker's: when all partitions were last found */
	void *user; /* the broker's, to be released in sessions->ended() */
};

struct fetch_sessions {
	struct map map;
	struct list lru;
	size_t count_max;
	size_t partition_count; /* of all sessions */
	size_t partition_count_max;
	/* A partition leaves its session; the session ends, when they all have left. */
	void (*forget)(void *arg, struct fetch_partition *part);
	void (*ended)(void *arg, struct fetch_session *session);
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

/* What came out of looking at one. */
struct fetch_outcome {
	int16_t error;
	bool has_records;
	bool has_diverged;
	bool has_more; /* to be looked at again without anything new: an error, or records left */
	int64_t high_watermark;
	int64_t log_start_offset;
};

void fetch_sessions_init(struct fetch_sessions *s, size_t count_max, size_t partition_count_max);
void fetch_sessions_fini(struct fetch_sessions *s); /* none in use */

/*
 * A new session with this id (not 0, not in use), or NULL when the cache is full of sessions that
 * may not be evicted.  A session is evictable when it was unused for FETCH_SESSION_EVICT_MS, or is
 * older than that and smaller than the new one (partition_count).
 */
struct fetch_session *fetch_session_new(struct fetch_sessions *s, int32_t id, bool uses_topic_ids,
                                        size_t partition_count, uint64_t now_ms);
struct fetch_session *fetch_session_find(const struct fetch_sessions *s, int32_t id);
/* No longer found; freed now, or at its fetch_session_end(). */
void fetch_session_close(struct fetch_sessions *s, struct fetch_session *session);

/*
 * Begins the answer to an incremental request: WIRE_NONE, the epoch moved on and the session is in
 * use until fetch_session_end(); or WIRE_INVALID_FETCH_SESSION_EPOCH (also of a session in use),
 * WIRE_FETCH_SESSION_TOPIC_ID_ERROR.
 */
int16_t fetch_session_begin(struct fetch_sessions *s, struct fetch_session *session, int32_t epoch,
                            bool uses_topic_ids, uint64_t now_ms);
void fetch_session_end(struct fetch_sessions *s, struct fetch_session *session);

/* Adds, or changes what is wanted; ready in either case.  NULL: the cache has no room for it. */
struct fetch_partition *fetch_session_want(struct fetch_session *session,
                                           const struct fetch_want *want);
void fetch_session_forget(struct fetch_sessions *s, struct fetch_session *session,
                          struct uuid topic_id, struct str topic, int32_t partition);

/* There may be something new to tell. */
void fetch_partition_ready(struct fetch_partition *part);
/*
 * Must this outcome be told?  Remembers what is told; without more it is no longer ready, and with
 * records it is the last to be looked at next.
 */
bool fetch_partition_tell(struct fetch_partition *part, const struct fetch_outcome *outcome);

#endif
