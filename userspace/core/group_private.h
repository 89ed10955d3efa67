/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_GROUP_PRIVATE_H
#define CORE_GROUP_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/group.h"
#include "wire/errors.h"
#include "wire/join_group.h"
#include "wire/message.h"

/* How long a member may wait in its first JoinGroup (GroupCoordinatorConfig). */
enum { GROUP_NEW_MEMBER_MS = 5 * 60 * 1000 };

/* The kind of a record: the version of its key. */
enum group_record_kind {
	GROUP_KIND_LEGACY_OFFSET = 0,
	GROUP_KIND_OFFSET = 1,
	GROUP_KIND_GROUP = 2,
};

/* ---- timers ---- */

enum group_timer_kind {
	GROUP_TIMER_SESSION, /* of a member */
	GROUP_TIMER_PENDING, /* of an id that was given out */
	GROUP_TIMER_JOIN,    /* the join phase ends */
	GROUP_TIMER_SYNC,    /* who has not synced is lost */
};

/*
 * A heap of deadlines.  A deadline that moves away, as with every heartbeat, is only noted: the
 * heap still has the old one as key and finds out when that comes up.
 */
struct group_timer {
	enum group_timer_kind kind;
	size_t place; /* in the heap, from 1 on; 0: not running */
	uint64_t key_ms;
	uint64_t at_ms;
};

struct group_timers {
	struct group_timer **heap; /* [0] unused */
	size_t count;
	size_t capacity;
};

void group_timer_set(struct group_timers *h, struct group_timer *t, uint64_t at_ms);
void group_timer_stop(struct group_timers *h, struct group_timer *t); /* harmless when stopped */
uint64_t group_timers_next_ms(const struct group_timers *h);          /* UINT64_MAX: none */
struct group_timer *group_timers_pop(struct group_timers *h, uint64_t now_ms); /* NULL: none due */
void group_timers_fini(struct group_timers *h);

/* ---- what is kept ---- */

/* A request that is not answered yet. */
struct group_waiter {
	struct map_node node; /* shard->waiters */
	void *token;          /* NULL: its caller is gone, but it still counts as waiting */
	int16_t version;
	bool waits;
};

struct group_protocol {
	struct str name;
	struct span metadata;
};

struct group_member {
	struct map_node by_id;
	struct map_node by_instance;
	struct list link; /* group->members, in the order in which they joined */
	struct group *group;
	struct str id;
	struct str instance_id; /* data NULL: a dynamic member */
	struct str client_id;
	struct str client_host;
	int32_t rebalance_ms;
	int32_t session_ms;
	struct group_protocol *protocol; /* one allocation with what it points to; no name twice */
	uint32_t protocol_count;
	struct span assignment;
	struct span offered; /* within the SyncGroup of the leader: borrowed */
	bool is_new;         /* its session does not count while it waits for the first time */
	bool must_sync;
	struct group_waiter join;
	struct group_waiter sync;
	struct group_timer session;
};

/* An id that was given out with MEMBER_ID_REQUIRED. */
struct group_pending {
	struct map_node node;
	struct list link;
	struct group *group;
	struct group_timer timer;
	uint32_t id_size;
	char id[];
};

/* How many members support a protocol. */
struct group_support {
	struct map_node node;
	uint32_t count;
	uint32_t votes;
	uint64_t serial; /* of the pass that last saw it */
	uint32_t name_size;
	char name[];
};

struct group_offset_value {
	int64_t offset;
	int64_t commit_ms;
	int64_t expire_ms; /* -1: by the retention of the broker */
	int32_t leader_epoch;
	struct uuid topic_id;
	struct str metadata; /* owned; data NULL stands for "" */
	uint64_t serial;     /* of its record: the later one wins */
};

/* One partition: what is committed, and what open transactions would commit. */
struct group_offset {
	struct map_node node;
	struct list link; /* topic->offsets */
	struct group_topic_offsets *topic;
	int32_t partition;
	bool is_committed;
	struct group_offset_value value;
	struct list pending; /* struct group_pending_offset */
};

struct group_topic_offsets {
	struct map_node node;
	struct list link; /* group->topics */
	struct list offsets;
	struct group *group;
	uint32_t name_size;
	char name[];
};

struct group_pending_offset {
	struct list link;   /* offset->pending */
	struct list of_txn; /* transaction->offsets */
	struct group_offset *offset;
	struct group_transaction *txn;
	struct group_offset_value value;
};

struct group_transaction {
	struct group_shard *shard;
	struct map_node node;
	int64_t producer_id;
	struct list offsets;
};

struct group {
	struct map_node node;
	struct list link; /* shard->order */
	struct group_shard *shard;
	struct str id;

	enum group_state state;
	enum group_state previous_state;
	int64_t state_since_ms; /* by the wall; -1: an old record does not say */
	struct str protocol_type;
	struct str protocol_name;
	int32_t generation;
	struct group_member *leader;

	struct list members;
	struct map member_by_id;
	struct map member_by_instance;
	uint32_t waiting_count; /* for the join phase to end */
	uint32_t must_sync_count;
	struct map support;
	struct list pending;
	struct map pending_by_id;

	struct group_timer join_timer;
	struct group_timer sync_timer;
	bool is_initial; /* join_timer: the first rebalance, which waits for more members */
	bool new_member_added;
	int32_t initial_ms;   /* the delay that runs now */
	int32_t remaining_ms; /* of what it may be prolonged by */

	bool knows_topics; /* that its members subscribe to */
	struct str *topic; /* sorted, one allocation */
	uint32_t topic_count;

	struct span stored; /* the value of its last record; data NULL: it has none */

	struct list topics; /* struct group_topic_offsets */
	struct map topic_by_name;
	struct map offsets; /* struct group_offset by topic and partition */
	size_t offset_count;
};

/* A group of a newer protocol, as far as its records show. */
struct group_foreign {
	struct map_node node;
	struct list link; /* shard->foreigners */
	const char *type;
	uint32_t record_count;
	uint32_t member_count;
	uint32_t id_size;
	char id[];
};

/* A record that is kept as it is. */
struct group_foreign_record {
	struct map_node node;
	struct list link; /* shard->foreign_records */
	struct group_foreign *group;
	bool is_member;
	struct span key;
	struct span value;
};

struct group_shard {
	struct group_options options;
	struct map groups;
	struct list order;
	struct map waiters;
	struct group_timers timers;
	uint32_t count[GROUP_STATES];
	size_t record_count;
	uint64_t serial;

	struct map foreign_by_id;
	struct list foreigners;
	struct map foreign_by_key;
	struct list foreign_records;
	struct map transactions;

	uint64_t expire_at_ms;  /* UINT64_MAX before group_shard_loaded() */
	uint64_t held_until_ms; /* nothing expires before: the wall clock jumped */
	uint64_t seen_mono_ms;
	int64_t seen_wall_ms;
};

/* ---- one step ---- */

struct group_step {
	struct group_shard *s;
	const struct group_event *event;
	struct arena *arena; /* without a limit: nothing from it is NULL */
	struct group_out *out;
	size_t answer_capacity;
	size_t record_capacity;
	size_t note_capacity;
};

void *step_answer_alloc(struct group_step *st, const struct message *m); /* with its defaults */
void step_answer(struct group_step *st, const void *response);           /* to the event's token */
void step_answer_to(struct group_step *st, void *token, enum group_event_type type, int16_t version,
                    const void *response);
void step_record(struct group_step *st, struct group_record record);
void step_note(struct group_step *st, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
struct span step_span(struct group_step *st, struct span bytes); /* a copy */

void group_on_join(struct group_step *st);
void group_on_sync(struct group_step *st);
void group_on_heartbeat(struct group_step *st);
void group_on_leave(struct group_step *st);
void group_on_offset_commit(struct group_step *st);
void group_on_offset_fetch(struct group_step *st);
void group_on_offset_delete(struct group_step *st);
void group_on_describe(struct group_step *st);
void group_on_list(struct group_step *st);
void group_on_delete(struct group_step *st);
void group_on_topic_deleted(struct group_step *st);
void group_on_timer(struct group_step *st, struct group_timer *t);
void group_expire(struct group_step *st);
bool group_clock_is_sane(struct group_shard *s, uint64_t mono_ms, int64_t wall_ms);

/* ---- groups ---- */

struct str group_str_own(struct str s); /* a copy of its own */
void group_str_drop(struct str *s);
struct span group_span_own(struct span s);
void group_span_drop(struct span *s);
void group_str_set(struct str *s, struct str value);

struct group *group_find(const struct group_shard *s, struct str id);
struct group *group_new(struct group_shard *s, struct str id, int64_t wall_ms);
void group_free(struct group *g);
/* What its record said is gone; its offsets stay. */
void group_reset(struct group *g, int64_t wall_ms);
void group_state_set(struct group *g, enum group_state state, int64_t wall_ms);
const char *group_state_name(enum group_state state);
void group_stored_set(struct group *g, struct span value);

/* ---- members ---- */

struct group_member *group_member_find(const struct group *g, struct str id);
struct group_member *group_member_of_instance(const struct group *g, struct str instance_id);
/* WIRE_NONE, UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID. */
int16_t group_member_check(const struct group *g, struct str id, struct str instance_id,
                           struct group_member **ret);
static inline struct group_member *group_member_at(struct list *link)
{
	return list_entry(link, struct group_member, link);
}

struct group_new_member {
	struct str id;
	struct str instance_id;
	struct str client_id;
	struct str client_host;
	int32_t rebalance_ms;
	int32_t session_ms;
	struct str protocol_type;
	const struct join_group_request_request_protocol *protocol;
	uint32_t protocol_count;
};

struct group_member *group_member_add(struct group *g, const struct group_new_member *info);
void group_member_update(struct group_member *m, const struct group_new_member *info);
void group_member_rename(struct group_member *m, struct str id); /* a static one came back */
void group_member_remove(struct group_member *m);                /* not while it waits */
void group_member_assign(struct group_member *m, struct span assignment);
bool group_member_matches(const struct group_member *m, const struct join_group_request *request);
struct span group_member_metadata(const struct group_member *m, struct str protocol);
void group_must_sync_set(struct group_member *m, bool must_sync);

struct group_pending *group_pending_find(const struct group *g, struct str id);
struct group_pending *group_pending_add(struct group *g, struct str id);
void group_pending_remove(struct group_pending *p);

bool group_supports(const struct group *g, const struct join_group_request *request);
struct str group_protocol_vote(const struct group *g); /* of a member's protocols */
int32_t group_rebalance_ms(const struct group *g);
void group_topics_set(struct group *g); /* what its members subscribe to now */
void group_topics_forget(struct group *g);
bool group_is_subscribed(const struct group *g, struct str topic);
bool group_uses_consumer_protocol(const struct group *g);

/* ---- waiting ---- */

void group_wait_join(struct group_step *st, struct group_member *m);
void group_wait_sync(struct group_step *st, struct group_member *m);
void group_detach(struct group_shard *s, void *token);
/* Does nothing when the member does not wait. */
void group_answer_join(struct group_step *st, struct group_member *m,
                       struct join_group_response *response);
bool group_answer_sync(struct group_step *st, struct group_member *m, int16_t error);
void group_refuse_join(struct group_step *st, struct group_member *m, struct str id, int16_t error);
void group_member_lose(struct group_step *st, struct group_member *m); /* answers it, removes it */

/* ---- rebalances ---- */

void group_session_begin(struct group_step *st, struct group_member *m, int32_t timeout_ms);
void group_prepare(struct group_step *st, struct group *g, const char *reason, struct str who);
/* Begins a rebalance, or goes on with the one that runs. */
void group_prepare_or_complete(struct group_step *st, struct group *g, const char *reason,
                               struct str who);
void group_complete_if_joined(struct group_step *st, struct group *g);
bool group_has_all_joined(const struct group *g);
void group_join_response_fill(struct group_step *st, const struct group_member *m,
                              bool with_members, struct join_group_response *r);

/* ---- records ---- */

struct group_record group_record_tombstone(struct arena *a, const struct group *g);
struct group_record group_record_empty(struct arena *a, const struct group *g);
/* With the assignments that are offered, or those that the members have. */
struct group_record group_record_of(struct arena *a, const struct group *g, bool offered);
struct group_record group_offset_record(struct arena *a, struct str group, struct str topic,
                                        int32_t partition, const struct group_offset_value *value);
struct group_record group_offset_tombstone(struct arena *a, struct str group, struct str topic,
                                           int32_t partition);
/* Do these records fit into one batch? */
bool group_records_fit(const struct group_shard *s, const struct group_record *record,
                       size_t count);
void group_write(struct group_step *st, struct group *g, struct group_record record);
void group_delete(struct group_step *st, struct group *g); /* tombstones all of it and frees it */

/* ---- offsets ---- */

struct group_topic_offsets *group_topic_find(const struct group *g, struct str topic);
struct group_offset *group_offset_find(const struct group *g,
                                       const struct group_topic_offsets *topic, int32_t partition);
struct group_offset *group_offset_at(struct group *g, struct str topic, int32_t partition);
/* Takes a copy of the metadata. */
void group_offset_set(struct group_offset *o, const struct group_offset_value *value);
void group_offset_remove(struct group_offset *o); /* with all that is pending */
void group_offset_lose(struct group_step *st, struct group_offset *o); /* with a tombstone */
void group_offsets_free(struct group *g);

void group_transaction_add(struct group_shard *s, struct group_offset *o, int64_t producer_id,
                           const struct group_offset_value *value);
void group_pending_offset_free(struct group_pending_offset *p);

/* ---- other protocols ---- */

struct group_foreign *group_foreign_find(const struct group_shard *s, struct str id);
void group_foreign_replay(struct group_shard *s, int16_t kind, struct span key, struct span value);
void group_foreign_free_all(struct group_shard *s);

#endif
