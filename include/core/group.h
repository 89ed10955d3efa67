/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_GROUP_H
#define CORE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/str.h"
#include "base/uuid.h"

/*
 * The group coordinator's rules as a pure machine: all groups whose records are in one partition of
 * `__consumer_offsets` (Kafka: GroupCoordinatorShard, GroupMetadataManager, OffsetMetadataManager,
 * ClassicGroup; KIP-62, 134, 345, 394, 429, 811).
 *
 *	a request, the time  ->  group_shard_step()  ->  answers, and records to append as one batch
 *
 * A step changes the state at once.  The caller appends the records and gives each answer when all
 * records so far, also those of earlier steps, are committed: an answer without records rests on
 * what was seen.  When an append fails the state is wrong: the caller frees the shard, loads
 * another one from the log and fails what it still owes with NOT_COORDINATOR.
 *
 * JoinGroup and SyncGroup may be answered by a later step: by others' requests or by the time. Each
 * request is answered exactly once, unless GROUP_DETACHED says that nobody waits for it.
 *
 * Groups of the newer protocols (consumer, share, streams) are known by their records alone: they
 *are kept, listed, and refused to classic members; their offsets are committed and fetched as any.
 */
struct group_shard;

struct group_options {
	int32_t session_ms_min; /* group.min.session.timeout.ms */
	int32_t session_ms_max;
	int32_t initial_rebalance_delay_ms;
	int32_t size_max;            /* group.max.size */
	int32_t offset_metadata_max; /* offset.metadata.max.bytes, in UTF-16 units as Kafka counts
	                              */
	/*
	 * max.message.bytes of the partition: what would need a larger batch is refused with
	 * UNKNOWN_SERVER_ERROR, as Kafka does.  0: no limit.
	 */
	int32_t batch_bytes_max;
	int64_t offsets_retention_ms;
	int64_t retention_check_ms;                        /* offsets.retention.check.interval.ms */
	void (*random)(void *arg, void *out, size_t size); /* member ids */
	void *random_arg;
};

struct group_shard *group_shard_new(const struct group_options *options); /* copied */
void group_shard_free(struct group_shard *s);                             /* NULL is fine */
void group_shard_configure(struct group_shard *s, const struct group_options *options);

/* ---- loading ---- */

struct group_record {
	struct span key;
	struct span value; /* data NULL: a tombstone */
};

enum { GROUP_NO_PRODUCER = -1 };

/*
 * One record of the partition, in order; value.data NULL: a tombstone.  producer_id is that of a
 * transactional batch, else GROUP_NO_PRODUCER: offsets of a transaction count when its marker
 * commits it.  -EBADMSG: it contradicts itself, and was left out.  Records of kinds that are not
 * known here are kept as they are, and never tombstoned.
 */
int group_shard_replay(struct group_shard *s, const struct group_record *record,
                       int64_t producer_id) must_check;
/* The marker that ends a transaction. */
void group_shard_replay_marker(struct group_shard *s, int64_t producer_id, bool commit);
/* All were replayed: sessions of the members that are known begin now. */
void group_shard_loaded(struct group_shard *s, uint64_t mono_ms, int64_t wall_ms);

/* ---- steps ---- */

enum group_event_type {
	GROUP_JOIN,          /* struct join_group_request */
	GROUP_SYNC,          /* struct sync_group_request */
	GROUP_HEARTBEAT,     /* struct heartbeat_request */
	GROUP_LEAVE,         /* struct leave_group_request */
	GROUP_OFFSET_COMMIT, /* struct offset_commit_request, with names and ids resolved */
	/*
	 * struct offset_fetch_request_request_group: one group of the request (made of the older
	 * form where that came), with the names of ids filled in.
	 */
	GROUP_OFFSET_FETCH,
	GROUP_OFFSET_DELETE, /* struct offset_delete_request */
	GROUP_DESCRIBE,      /* struct str: the id of one group */
	GROUP_LIST,          /* struct list_groups_request: the groups of this shard */
	GROUP_DELETE,        /* struct str: the id of one group */
	GROUP_TOPIC_DELETED, /* struct group_topic: its offsets go; no answer */
	GROUP_TICK,          /* group_shard_wake_ms() is reached; no answer */
	GROUP_DETACHED, /* struct group_detached: nobody waits for an answer any more; no answer */
};

struct group_topic {
	struct str name;
	struct uuid id;
};

struct group_detached {
	void *token;
};

struct group_event {
	enum group_event_type type;
	int16_t version; /* of the request's API */
	const void *request;
	void *token; /* the caller's name for the answer; not NULL, not in use */
	struct str client_id;
	struct str client_host; /* "/127.0.0.1", as Kafka keeps it */
	bool require_stable;    /* GROUP_OFFSET_FETCH */
	uint64_t mono_ms;       /* for every timeout */
	int64_t wall_ms;        /* for what is stored */
};

struct group_answer {
	void *token;
	enum group_event_type type; /* of the event that it answers */
	int16_t version;            /* of the request that it answers */
	/*
	 * struct join_group_response and so on, ready to be encoded in that version; of
	 * GROUP_OFFSET_FETCH struct offset_fetch_response_response_group (of all topics: without
	 * their ids), of GROUP_DESCRIBE struct describe_groups_response_described_group, of
	 * GROUP_DELETE int16_t (an error code).
	 */
	const void *response;
};

/* Everything in it is in the arena of the step, so that the state may change at once. */
struct group_out {
	struct group_answer *answer; /* in the order in which they are to be given */
	size_t answer_count;
	struct group_record *record;
	size_t record_count;
	/* All in one batch; false: they may be cut in several, in this order. */
	bool atomic;
	/* What an operator wants to know, a line each: why a rebalance began, who was lost. */
	struct str *note;
	size_t note_count;
};

/* Never fails: wrong input is an answer.  The arena has no limit (SIZE_MAX). */
void group_shard_step(struct group_shard *s, const struct group_event *event, struct arena *arena,
                      struct group_out *out);

/* When GROUP_TICK is wanted next, on the clock of mono_ms; UINT64_MAX: never. */
uint64_t group_shard_wake_ms(const struct group_shard *s);

/* ---- the whole of it ---- */

/*
 * Every record that makes this state, borrowed for the call: for re-appending what lives when most
 * of the log is dead.  Not while a transaction is open: its records cannot be written again.
 */
bool group_shard_has_transactions(const struct group_shard *s);
void group_shard_snapshot(const struct group_shard *s,
                          void (*on_record)(void *arg, const struct group_record *record),
                          void *arg);
size_t group_shard_record_count(const struct group_shard *s); /* how many those would be */

/* ---- for metrics ---- */

enum group_state {
	GROUP_EMPTY,
	GROUP_PREPARING_REBALANCE,
	GROUP_COMPLETING_REBALANCE,
	GROUP_STABLE,
	GROUP_DEAD,
	GROUP_STATES,
};
void group_shard_counts(const struct group_shard *s, uint32_t ret[GROUP_STATES]);
/* Every group, and how many members it has. */
void group_shard_members(const struct group_shard *s,
                         void (*each)(void *arg, struct str group, uint32_t members), void *arg);
/* Every committed offset, group by group and in them topic by topic. */
void group_shard_offsets(const struct group_shard *s,
                         void (*each)(void *arg, struct str group, struct str topic,
                                      int32_t partition, int64_t offset),
                         void *arg);

#endif
