/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_PARTITION_H
#define BROKER_PARTITION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/pmap.h"
#include "base/str.h"
#include "base/uuid.h"
#include "broker/topic_config.h"
#include "io/rcu.h"
#include "io/reactor.h"
#include "io/strand.h"
#include "store/log.h"

/*
 * A partition that this broker holds a replica of (kafka.cluster.Partition): a strand, the state
 * that is touched in it alone, and what of it is published for those who only read (DESIGN 3, 5).
 *
 * The strand is parked until the log is open, so what is posted meanwhile waits for creation or
 * recovery and is then answered: nobody is told to come again.  It lives on after the topic was
 * deleted (PARTITION_GONE), without a log, until the last reference is put.
 */
enum partition_role {
	PARTITION_OPENING,  /* its log is not open yet; partition_await() */
	PARTITION_OFFLINE,  /* its log directory cannot be trusted */
	PARTITION_FOLLOWER, /* another broker leads, or nobody does */
	PARTITION_LEADER,
	PARTITION_GONE, /* deleted */
};

/* The effective configs of a topic, shared by its partitions; immutable. */
struct topic_settings {
	struct object object;
	struct topic_config config;
};

/* Published whole (rcu): until the end of the turn. */
struct partition_facts {
	struct rcu_head rcu;
	enum partition_role role;
	int32_t leader; /* -1: nobody */
	int32_t leader_epoch;
	int32_t partition_epoch;
	uint32_t replica_count;
	uint32_t isr_count;
	int64_t epoch_start_offset; /* log end when this leader epoch began here */
	struct topic_settings *settings;
};

struct partition_append;
struct partitions;
struct log_home;
struct topic_meter;

/* What lives in the strand beside the log (broker/coordinator.h).  All of it in the strand. */
struct partition_attachment {
	void (*lead)(struct partition_attachment *self);   /* it leads, in a new epoch */
	void (*resign)(struct partition_attachment *self); /* it leads no more */
	void (*stop)(struct partition_attachment *self);   /* reactor 0: the broker stops */
	void (*free)(struct partition_attachment *self);   /* with its partition; any thread */
};

struct partition {
	struct object object; /* counted: partition_get(), partition_put() */
	struct strand strand;
	struct uuid topic_id;
	struct str topic; /* owned */
	int32_t index;
	char *name;                /* "topic-0" */
	struct topic_meter *meter; /* broker/metrics.h; a reference, NULL: none */

	_Atomic(const struct partition_facts *) facts;
	struct log_mark_slot high_watermark;
	struct log_mark_slot last_stable;

	/*
	 * NULL until it is open.  A reactor uses it within a turn in which the facts said neither
	 * OPENING nor GONE; a job holds a pin, taken in such a turn.
	 */
	struct log *log;
	_Atomic(uint32_t) log_pins;

	/* ---- strand ---- */
	struct list subscribers;           /* of struct fetch_slot */
	struct partition_append *deferred; /* by last offset: acks=all, not committed yet */
	struct partition_append **deferred_end;
	struct topic_settings *settings;
	bool is_leader; /* the facts' role */
	bool is_dying;
	struct partition_attachment *attached; /* NULL: nothing; set before it is opened */

	struct rcu_head rcu;
	/* ---- the registry's: partitions_private.h ---- */
	struct partitions *registry;
	struct log_home *home; /* its log directory */
	int parked_on;         /* reactor, while it is opened */
	bool is_new;           /* its directory may be missing */
	bool is_flushing;      /* for flush.ms */
	uint32_t open_tries;
	struct mail mail;
	struct mail wanted;
	struct list link;
	_Atomic(bool) is_wanted; /* somebody waits for it to be opened */
};

/* any */
static inline struct partition *partition_get(struct partition *p)
{
	object_get(&p->object);
	return p;
}
static inline void partition_put(struct partition *p) /* NULL is fine */
{
	object_put(p ? &p->object : NULL);
}

/* reactor: until the end of the turn */
static inline const struct partition_facts *partition_facts(const struct partition *p)
{
	return rcu_load(&p->facts);
}
/* any */
static inline struct log_mark partition_high_watermark(const struct partition *p)
{
	return log_mark_read(&p->high_watermark);
}
/* The last stable offset (read_committed ends here); never above the high watermark.  any */
static inline struct log_mark partition_last_stable(const struct partition *p)
{
	return log_mark_read(&p->last_stable);
}

/*
 * reactor.  May a request with this current_leader_epoch (-1: not said) be served here, as the
 * leader?  WIRE_NONE, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER,
 * KAFKA_STORAGE_ERROR; of one that is gone UNKNOWN_TOPIC_OR_PARTITION (Partition.getLocalLog).  Not
 * of one that is OPENING.
 */
int16_t partition_error(const struct partition_facts *facts, int32_t current_leader_epoch);

/*
 * reactor.  While the role is OPENING: runs `work` in the strand once the log is open (or cannot
 * be opened), and has it opened before others.
 */
void partition_await(struct partition *p, struct work *work);

/* reactor, in a turn that may use p->log: keeps the log open for a job.  unpin: any. */
void partition_pin(struct partition *p);
void partition_unpin(struct partition *p);

/* ---- appending ---- */

struct partition_append {
	/* in; still until done(), with what log_append says */
	struct log_append log; /* data, size, origin, append_time_ms, now_ms */
	int16_t acks;          /* -1: done when committed, and only with min.insync.replicas */
	/* In the strand.  log.error and the other outcomes are set; may free the append. */
	void (*done)(struct partition_append *self);

	/* any: it is in the log, with the outcomes set, and only waits to be committed */
	_Atomic(bool) is_deferred;

	/* the partition's own */
	struct work work;
	struct partition *part; /* a reference */
	struct partition_append *next;
};

/* reactor */
void partition_append(struct partition *p, struct partition_append *append);

/* ---- in the strand ---- */

/* partition_append() from within: staged in this run. */
void partition_stage(struct partition *p, struct partition_append *append);

/*
 * DeleteRecords: -1 is the high watermark.  WIRE_NONE and the new log start; the published view
 * changes.
 */
int16_t partition_delete_records(struct partition *p, int64_t offset, int64_t *ret_low_watermark);

/* ---- for the registry ---- */

struct partition_change { /* what the image says of it now */
	int32_t leader;
	int32_t leader_epoch;
	int32_t partition_epoch;
	uint32_t replica_count;
	uint32_t isr_count;
	bool is_leader; /* this broker is */
};

/* A reference; of settings it takes one of its own. */
struct partition *partition_new(struct partitions *registry, struct uuid topic_id, struct str topic,
                                int32_t index, struct topic_settings *settings);
/* What the log's options need: arg is the partition. */
void partition_log_options(struct partition *p, struct log_options *ret);
/* worker, before anybody else knows the log: where read_committed ends. */
struct log_mark partition_stable_mark(struct log *log);
/*
 * On the reactor that parked the strand: the log is there, or NULL: it cannot be opened.  The
 * strand goes on.
 */
void partition_opened(struct partition *p, struct log *log, struct log_mark stable);
/* reactor; each is posted to the strand, where it is done in this order. */
void partition_change(struct partition *p, const struct partition_change *change);
void partition_configure(struct partition *p, struct topic_settings *settings);
void partition_retain(struct partition *p);
void partition_fail(struct partition *p); /* its storage cannot be trusted any more */
void partition_die(struct partition *p);  /* the topic is gone, or its replica here */

#endif
