/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_API_FETCH_H
#define BROKER_API_FETCH_H

#include "broker/broker.h"
#include "broker/call.h"
#include "broker/fetch_wait.h"
#include "broker/fetchers.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "core/fetch_session.h"
#include "io/work.h"
#include "partition_table.h"
#include "wire/fetch.h"

/*
 * One Fetch:
 *
 *	fetch_ask.c       what is asked for
 *	fetch.c           its life: looking, sleeping, the end
 *	fetch_read.c      what one partition yields
 *	fetch_errand.c    what a look cannot do on the spot: strands and workers
 *	fetch_answer.c    from what was found to the response
 *	fetch_sessions.c  the sessions of a reactor
 *
 * A look goes over all items and finds what could be answered now, as far as the byte limits go.
 * If that is too little the fetch sleeps until its partitions have more, and looks again.
 */
enum {
	FETCH_STEP = 64,           /* partitions at a time */
	FETCH_FUTURE_REPLICA = -3, /* replica id: a directory's copy of another's (FetchRequest) */
};

enum fetch_isolation { FETCH_LOG_END, FETCH_HIGH_WATERMARK, FETCH_COMMITTED };

/* One partition that is asked for, and what the last look found. */
struct fetch_item {
	struct fetch_item *next;
	struct fetch_want want;         /* by id: topic is its name, once that is known */
	struct fetch_partition *cached; /* of the session; NULL: there is none (yet) */
	bool is_found;                  /* part is what the metadata says */
	struct partition *part;         /* a reference; NULL: not here */
	struct fetch_slot *slot;        /* of a fetch that had to wait without a session */

	int16_t error;
	bool is_unknown;  /* to the metadata: an error that can wait (Kafka's "erroneous") */
	bool is_diverged; /* epoch_end is told */
	bool is_filtered; /* aborted transactions belong to the answer, be there none */
	bool has_more;    /* to be looked at again without anything new */
	int64_t high_watermark;
	int64_t last_stable;
	int64_t log_start;
	uint32_t size; /* of slice, what the limits allow */

	struct log_slice slice;
	const struct log_view *view; /* counted: where aborted transactions are to be found */
	int64_t log_end;
	const struct log_aborted *aborted;
	size_t aborted_count;

	/* what an errand brought for the next look */
	bool has_end; /* epoch_end */
	bool is_located;
	int locate_err;
	struct log_epoch_end epoch_end;
};

struct fetch_errand;

struct fetch {
	struct call *call;

	/* what is asked */
	int32_t replica_id;
	int32_t min_bytes;
	int32_t max_bytes;
	enum fetch_isolation isolation;
	bool uses_topic_ids;
	bool is_new_session; /* to be made with the answer */
	struct fetch_item *first;
	struct fetch_item **end;
	uint32_t item_count;

	struct fetch_sessions *sessions; /* of this reactor */
	struct fetch_session *session;   /* in use by this fetch */
	struct fetch_wait *wait;         /* the session's, or this fetch's own */

	bool is_sleeping;
	bool is_timed;
	bool is_expired; /* max.wait.ms are over */
	bool has_no_memory;
	bool has_no_room; /* in the session */

	/* a walk under way: over the request, or over the items */
	uint32_t topic_next;
	uint32_t partition_next;
	struct partition_table table; /* of what was asked without a session */
	struct fetch_item *cursor;
	void (*step)(struct fetch *f, struct fetch_item *item);
	void (*after)(struct fetch *f);

	struct fetch_errand *errand; /* to be run */
	int errand_count;
	void (*after_errands)(struct fetch *f);

	/* the look under way */
	int32_t left;   /* of max_bytes */
	int64_t bytes;  /* found */
	bool has_first; /* one yielded something: the others keep to the limits (KIP-74) */
	bool has_open;  /* transactions hold something back */
	bool is_due;    /* to be answered whatever there is */
	uint32_t unknown_count;
};

/* ---- fetch.c ---- */

/* Calls step() for each item, in this and later turns, then after(). */
void fetch_each(struct fetch *f, void (*step)(struct fetch *f, struct fetch_item *item),
                void (*after)(struct fetch *f));
/* What can be answered now?  Then answers, or sleeps. */
void fetch_look(struct fetch *f);
/* Ends it without an answer: reply(call) is one of call.h. */
void fetch_give_up(struct fetch *f, void (*reply)(struct call *call));
/* Lets go of everything but the call and the session. */
void fetch_fini(struct fetch *f);
void fetch_woken(struct fetch_wait *wait);
/*
 * Its session is asked for anew, so nobody waits for this answer.  True: it has ended; false: it is
 * not asleep.
 */
bool fetch_give_way(struct fetch *f);

/* ---- fetch_ask.c ---- */

/* NULL: no memory, and has_no_memory says so. */
struct fetch_item *fetch_item_new(struct fetch *f, const struct fetch_want *want);
void fetch_item_add(struct fetch *f, struct fetch_item *item);

/* ---- fetch_read.c ---- */

/* What it yields now, within what is left of the limits; may leave errands. */
void fetch_visit(struct fetch *f, struct fetch_item *item);
/* It hears of publications from now on. */
void fetch_subscribe(struct fetch *f, struct fetch_item *item);
/*
 * Before its bytes are sent: are they in memory, and which transactions were aborted?  May leave
 * errands.
 */
void fetch_prepare(struct fetch *f, struct fetch_item *item);
/* An error that ends the wait. */
void fetch_fail(struct fetch *f, struct fetch_item *item, int16_t error);
/* Lets go of files and views. */
void fetch_clear(struct fetch_item *item);

/* ---- fetch_errand.c ---- */

/* Each is run by fetch_errands_run(). */
void fetch_errand_await(struct fetch *f, struct fetch_item *item); /* its log is open */
void fetch_errand_epoch(struct fetch *f, struct fetch_item *item); /* epoch_end */
void fetch_errand_locate(struct fetch *f, struct fetch_item *item, const struct log_view *view,
                         struct log_mark bound);
void fetch_errand_warm(struct fetch *f, struct fetch_item *item);
void fetch_errand_aborted(struct fetch *f, struct fetch_item *item);
/* All of them, then after(). */
void fetch_errands_run(struct fetch *f, void (*after)(struct fetch *f));
void fetch_errands_drop(struct fetch *f); /* none of them */

/* ---- fetch_answer.c: both end the fetch ---- */

void fetch_answer(struct fetch *f);
/* Of one that has nothing to let go of. */
void fetch_answer_error(struct fetch *f, int16_t error, int32_t session_id, bool with_partitions);

/* ---- fetch_sessions.c ---- */

/*
 * What the request says of sessions: afterwards there is one, or is_new_session, or neither.
 * WIRE_NONE or an error.
 */
int16_t fetch_open_session(struct fetch *f);
/* f->session, new and in use; NULL when there is no room. */
void fetch_make_session(struct fetch *f);
void fetch_leave_session(struct fetch_sessions *sessions, struct fetch_session *session);

#endif
