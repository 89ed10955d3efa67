/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_STRAND_H
#define IO_STRAND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Work on one piece of state, one item at a time, on whichever reactor was there first: a lock
 * that nobody waits for.  The state inside a strand (a partition) is touched only by its holder
 * and needs no other protection.
 *
 * Posting never runs anything.  Whoever finds the strand idle holds it from then on, and its
 * reactor runs it later in the turn; what others post meanwhile joins that run or a later one,
 * in the order of posting.  So a run gathers what came during the turn, no strand runs inside
 * another, and work may post to its own strand.
 *
 * A run takes at most STRAND_RUN_ITEMS items, STRAND_RUN_BYTES of work->bytes, STRAND_RUN_US; then
 * settle() runs once.  run() only stages; settle() does.
 */
struct work {
	struct work *next;
	size_t bytes;                   /* what run() will stage to be written */
	void (*run)(struct work *self); /* may free or re-post its work */
};

enum settled {
	SETTLED,        /* done: run on, or let go */
	SETTLED_PARKED, /* still held, on no list; work collects until strand_unpark() */
	SETTLED_DEAD,   /* its last item ran: the strand is gone, and may have been freed */
};

struct strand {
	_Atomic(struct work *) top; /* NULL: idle; else newest first, ending in the bottom mark */
	struct work *queue;         /* taken from top, oldest first; the holder's own */
	struct strand *ready_next;  /* on the holder's ready list */
	enum settled (*settle)(struct strand *self);
};

enum { STRAND_RUN_ITEMS = 64, STRAND_RUN_BYTES = 256 * 1024, STRAND_RUN_US = 200 };

void strand_init(struct strand *s, enum settled (*settle)(struct strand *self));
/* Before anybody else sees it: it begins parked, and work collects until strand_unpark(). */
void strand_init_parked(struct strand *s, enum settled (*settle)(struct strand *self));
void strand_post(struct strand *s, struct work *work); /* reactor */

/*
 * After SETTLED_PARKED, once, on a reactor (the completion of what it waited for): the strand goes
 * to the end of that reactor's ready list and its next run begins.
 */
void strand_unpark(struct strand *s);

#endif
