/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RAFT_H
#define CORE_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/str.h"
#include "base/uuid.h"

/*
 * KRaft (KIP-595, KIP-853) for one node of the metadata quorum, as a pure machine.  It owns no
 * log: it is told what was appended and what is durable, and says what must be stored, appended
 * and may be taken as committed.
 *
 * Today a quorum has one voter, itself; with more than that raft_step(RAFT_START) answers
 * RAFT_REFUSE.  The events of peers (vote, fetch) come beside the ones below and use the same
 * `out`: nothing in it may be done before what stands above it is done, so a vote or an epoch is
 * durable before anybody hears of it.
 */
enum { RAFT_NOBODY = -1, RAFT_VOTERS_MAX = 9, RAFT_ENDPOINTS_MAX = 4 };

struct raft_endpoint {
	struct str listener;
	struct str host;
	uint16_t port;
};

struct raft_voter {
	int32_t id;
	struct uuid directory_id; /* zero: not known (kraft.version 0) */
	uint32_t endpoint_count;
	struct raft_endpoint endpoint[RAFT_ENDPOINTS_MAX];
	uint16_t kraft_version_min;
	uint16_t kraft_version_max;
};

/* The file `quorum-state` (Kafka: QuorumStateData.json, FileQuorumStateStore). */
struct raft_election {
	int32_t epoch;
	int32_t leader_id;
	int32_t voted_id;
	struct uuid voted_directory_id;
};

struct raft_position {
	int64_t offset;
	int32_t epoch; /* of the record before it */
};

enum raft_role { RAFT_UNATTACHED, RAFT_CANDIDATE, RAFT_LEADER, RAFT_RESIGNED };

/* The quorum as the newest snapshot and the log tell it; strings are the caller's. */
struct raft_quorum {
	uint16_t kraft_version;
	/* Offset of the VotersRecord; -1 when only the checkpoint of formatting had it. */
	int64_t voters_offset;
	uint32_t voter_count;
	struct raft_voter voter[RAFT_VOTERS_MAX];
};

struct raft {
	struct raft_voter self;
	struct raft_quorum quorum;
	bool voters_due; /* the leader's first batch carries KRaftVersion and Voters too */

	struct raft_election election; /* durable */
	enum raft_role role;
	bool election_stored;       /* what `election` says is durable */
	int64_t epoch_start_offset; /* of the LeaderChange record of this epoch; -1: not yet */
	int64_t log_end_offset;
	int64_t durable_end_offset;
	int64_t high_watermark; /* -1: not known in this epoch */
	uint64_t last_caught_up_ms;
};

enum raft_event_type {
	RAFT_START,    /* once: election (NULL on a new log), log end */
	RAFT_STORED,   /* what RAFT_STORE asked for is durable */
	RAFT_APPENDED, /* the log now ends at `end` */
	RAFT_SYNCED,   /* the log is durable up to `end` */
	RAFT_FAILED,   /* a store, append or sync failed: this node must not lead */
};

struct raft_event {
	enum raft_event_type type;
	uint64_t mono_ms;
	int64_t wall_ms;
	const struct raft_election *election;
	struct raft_position end;
};

enum raft_want_type {
	RAFT_STORE,         /* write `election` to quorum-state, durably; answer RAFT_STORED */
	RAFT_APPEND_LEADER, /* append the first batch of an epoch (LeaderChange, and when
	                       `voters` KRaftVersion and Voters of raft->quorum); RAFT_APPENDED */
	RAFT_LEAD,          /* this node leads `election.epoch`: activate the controller */
	RAFT_COMMITTED,     /* everything below `offset` is committed */
	RAFT_STEP_DOWN,     /* the controller is not active any more */
	RAFT_REFUSE,        /* cannot take part in this quorum; `reason` */
};

struct raft_want {
	enum raft_want_type type;
	struct raft_election election;
	int64_t offset;
	bool voters;
	const char *reason;
};

enum { RAFT_WANTS_MAX = 4 };

struct raft_out {
	uint32_t count;
	struct raft_want want[RAFT_WANTS_MAX]; /* in the order in which they must happen */
};

void raft_init(struct raft *raft, const struct raft_voter *self, const struct raft_quorum *quorum);
void raft_step(struct raft *raft, const struct raft_event *event, struct raft_out *out);

/*
 * quorum-state as text, one line of JSON: version 1 when kraft.version is 1, else version 0,
 * which holds the cluster id and the voters too.
 */
void raft_election_encode(const struct raft *raft, struct buf *out);
/* 0 or -EBADMSG.  Reads both versions, members in any order. */
int raft_election_decode(struct str text, struct raft_election *ret) must_check;

/* A file's name and what it stands for: 00000000000000000042-0000000001.checkpoint */
struct raft_snapshot_id {
	int64_t end_offset;
	int32_t epoch;
};
enum { RAFT_SNAPSHOT_NAME_SIZE = 20 + 1 + 10 + sizeof(".checkpoint") };
void raft_snapshot_name(struct raft_snapshot_id id, char name[RAFT_SNAPSHOT_NAME_SIZE]);
bool raft_snapshot_parse(struct str name, struct raft_snapshot_id *ret); /* .checkpoint only */

/* When to write a snapshot (Kafka: SnapshotGenerator). */
struct raft_snapshot_policy {
	uint64_t bytes_max;   /* metadata.log.max.record.bytes.between.snapshots */
	uint64_t interval_ms; /* metadata.log.max.snapshot.interval.ms; 0: never by time */
	uint64_t bytes;       /* records applied since the last one */
	uint64_t last_ms;     /* when the last one was made, or the first record came */
};
void raft_snapshot_count(struct raft_snapshot_policy *p, uint64_t bytes);
bool raft_snapshot_due(const struct raft_snapshot_policy *p, uint64_t mono_ms);
void raft_snapshot_done(struct raft_snapshot_policy *p, uint64_t mono_ms);

#endif
