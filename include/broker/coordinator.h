/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_COORDINATOR_H
#define BROKER_COORDINATOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/list.h"
#include "broker/partition.h"
#include "io/reactor.h"
#include "io/strand.h"
#include "io/work.h"
#include "wire/batch.h"

/*
 * A machine attached to a partition of an internal topic (Kafka: CoordinatorRuntime).  It lives in
 * the partition's strand while this broker leads it: loaded by a worker from the partition's
 * records, fed with requests, its records appended in the same run and its answers given when all
 * that they rest on is committed.
 *
 *	NONE -> (leads) LOADING -> ACTIVE -> (leads no more, or an append failed) NONE
 *
 * Losing it fails every request that is not answered yet with NOT_COORDINATOR; they ask again.
 */
struct coordinator;

struct coordinator_record {
	struct span key;
	struct span value; /* data NULL: a tombstone */
};

/* What kind of machine: groups, later transactions and share groups. */
struct coordinator_ops {
	/* worker: an empty machine, then each record of the log, then the whole. */
	void *(*open)(void *arg);
	void (*close)(void *machine); /* any; NULL is fine */
	/* A record of a batch with data; 0 or -EBADMSG: it was left out. */
	int (*replay)(void *machine, const struct batch *b,
	              const struct coordinator_record *record);
	/* The marker that ends a transaction. */
	void (*replay_marker)(void *machine, int64_t producer_id, bool commit);
	/* strand, from here on */
	void (*loaded)(void *arg, void *machine, uint64_t mono_ms, int64_t wall_ms);
	/* When tick() is wanted, on the clock of mono_ms(); UINT64_MAX: never. */
	uint64_t (*wake_ms)(const void *machine);
	void (*tick)(struct coordinator *c, void *machine);
	/* For compaction: how many records make the state, and they themselves.  Not while
	   can_snapshot() says no. */
	bool (*can_snapshot)(const void *machine);
	size_t (*record_count)(const void *machine);
	void (*snapshot)(const void *machine,
	                 void (*on_record)(void *arg, const struct coordinator_record *record),
	                 void *arg);
};

/* Memory of one step: freed when the last answer in it was given. */
struct coordinator_memory {
	_Atomic(uint32_t) refs;
	struct arena arena;
};

struct coordinator_request {
	/*
	 * in.  run() in the strand, with the machine: it calls coordinator_answer() for this
	 * request now or in the run of a later one.
	 */
	void (*run)(struct coordinator *c, void *machine, struct coordinator_request *self);
	/* On the reactor that sent it, in a later turn.  The request is the caller's again. */
	void (*done)(struct coordinator_request *self);
	bool is_news; /* nothing is answered: done() follows run() */

	/*
	 * out, until done() returns.  error WIRE_NONE: `response`.  Else the machine did not
	 * decide: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS.
	 */
	int16_t error;
	const void *response;

	/* the coordinator's own */
	struct work work;
	struct mail mail;
	struct list link;
	struct partition *part;
	struct coordinator_memory *memory;
	uint64_t wait;
	int home;
};

/* For partitions_options.attach: the partition's, freed with it. */
void coordinator_attach(struct partition *p, const struct coordinator_ops *ops, void *arg);

/* reactor */
void coordinator_send(struct partition *p, struct coordinator_request *request);

/* ---- in the strand, in run() and tick() ---- */

struct coordinator_memory *coordinator_memory_new(void); /* one reference */
/* any; NULL is fine */
struct coordinator_memory *coordinator_memory_get(struct coordinator_memory *memory);
void coordinator_memory_put(struct coordinator_memory *memory);

/*
 * Appends the records as one batch, or where it need not be one as several.  They are copied.  A
 * failed append ends the machine, after the run: what the step did stays hidden.
 */
void coordinator_append(struct coordinator *c, const struct coordinator_record *record,
                        size_t count, bool atomic, int64_t wall_ms);
/* Given when everything appended so far is committed.  `response` is in `memory`. */
void coordinator_answer(struct coordinator *c, struct coordinator_request *request,
                        const void *response, struct coordinator_memory *memory);

#endif
