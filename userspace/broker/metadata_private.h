/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_METADATA_PRIVATE_H
#define BROKER_METADATA_PRIVATE_H

#include "base/buf.h"
#include "broker/controller_client.h"
#include "broker/metadata.h"
#include "core/checkpoint.h"
#include "core/metadata_replay.h"
#include "core/raft.h"
#include "io/rcu.h"
#include "io/work.h"
#include "wire/broker_heartbeat.h"
#include "wire/broker_registration.h"
#include "wire/controller_registration.h"

#define METADATA_LOG "__cluster_metadata-0"

/* A batch on its way to the log; committed, it is replayed into the image from here. */
struct pending {
	struct pending *next;
	struct metadata *metadata;
	struct log_append append;
	struct buf batch;
	int64_t end_offset;
};

/* A small file to be made durable beside the strand, and the news of it. */
struct file_job {
	struct job job;
	struct work news;
	struct metadata *metadata;
	struct buf data;
	int err;
};

struct snapshot_job {
	struct job job;
	struct work news;
	struct metadata *metadata;
	struct image *image;
	struct raft_quorum quorum;
	uint64_t log_bytes;
	int64_t delete_before; /* older snapshots are gone, the log may begin here */
	int err;
};

/* Reactor 0's: this broker as the controller sees it. */
enum lifecycle {
	LIFE_IDLE,
	LIFE_CONTROLLER, /* registering this process as controller */
	LIFE_REGISTER,
	LIFE_FENCED,
	LIFE_UNFENCED,
	LIFE_STOPPING,
	LIFE_STOPPED,
};

struct lifecycle_state {
	enum lifecycle phase;
	bool want_unfence;
	bool under_way; /* the call is */
	struct timer timer;
	struct controller_call call;
	struct uuid incarnation_id;
	struct uuid controller_incarnation_id;
	union {
		struct broker_registration_request registration;
		struct controller_registration_request controller;
		struct broker_heartbeat_request heartbeat;
	} request;
	struct arena arena; /* of the request */
	void (*stopped)(void *arg);
	void *stopped_arg;
	uint64_t stop_due_ms;
	_Atomic(int64_t) epoch;
};

struct metadata {
	struct metadata_options options;
	struct arena arena; /* cluster id, listener names: as long as this */
	struct str cluster_id;
	struct uuid directory_id;
	struct log *log;

	/* strand */
	struct strand strand;
	struct raft raft;
	struct raft_out first_wants; /* of RAFT_START, for metadata_start() */
	struct metadata_replay replay;
	struct controller *controller;
	struct arena step_arena;
	const struct span *bootstrap;
	size_t bootstrap_count;
	int64_t next_offset; /* after everything staged */
	int64_t restart_at;  /* the snapshot is ahead of the log, which begins anew here; -1 */
	struct pending *pending;
	struct pending **pending_end;
	struct controller_call *waiting;
	struct controller_call **waiting_end;
	bool append_failed;
	uint64_t activate_ms; /* when the controller tries again after that; 0: not */
	bool led;             /* the leader's first batch is committed */
	struct raft_snapshot_policy snapshots;
	bool snapshot_under_way;
	struct work start_work;
	struct work tick_work;
	struct file_job state_job;
	struct snapshot_job snapshot_job;

	/* any */
	_Atomic(struct image *) image;
	_Atomic(int64_t) high_watermark;
	_Atomic(int32_t) leader_id;
	_Atomic(int32_t) leader_epoch;
	_Atomic(uint64_t) wake_ms;
	_Atomic(bool) tick_posted;

	/* reactor 0 */
	struct timer tick_timer;
	struct mail ready_mail;
	struct lifecycle_state life;
};

/* metadata.c */
struct metadata *metadata_new(const struct metadata_options *options);
void metadata_free(struct metadata *m); /* half-built too; the log stays open */
void metadata_random(void *arg, void *out, size_t size);

/* metadata.c, in the strand */
void metadata_event(struct metadata *m, struct controller_event *event,
                    struct controller_call *call);
void metadata_raft(struct metadata *m, const struct raft_event *event);

/* metadata_snapshot.c, in the strand */
void metadata_snapshot_maybe(struct metadata *m);

/* metadata_broker.c, reactor 0 */
void metadata_life_init(struct metadata *m);
void metadata_life_start(struct metadata *m);

/* The directory lied: the next start is told, then the process ends.  Returns at once. */
void metadata_halt(struct metadata *m, const char *reason);

#endif
