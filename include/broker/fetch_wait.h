/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_FETCH_WAIT_H
#define BROKER_FETCH_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "io/reactor.h"
#include "io/strand.h"

/*
 * How a Fetch waits for data without a thread and without asking again.
 *
 * A fetch session has one fetch_wait and a fetch_slot for each of its partitions.  The slot is
 * subscribed in the partition; a publication there marks it dirty, links it on the wait's dirty
 * stack and, when the fetch that waits now has its min bytes, claims that fetch and mails it home.
 * Append, timeout and disconnect race for the claim by one compare-and-swap; one of them wins.
 *
 * The wait and its session belong to one reactor (home).  The subscriber list belongs to the
 * partition's strand, so that joining and leaving are work posted there; a slot that has left is
 * freed at home, where the dirty stack is taken from, and holds a reference on the wait until then.
 */
struct partition;

enum fetch_wait_state { FETCH_IDLE, FETCH_WAITING, FETCH_CLAIMED };

struct fetch_wait {
	_Atomic(uint32_t) refs;
	_Atomic(int) state;                 /* enum fetch_wait_state */
	_Atomic(int64_t) bytes_left;        /* until min bytes; counts down */
	_Atomic(struct fetch_slot *) dirty; /* newest first */
	struct fetch_slot *taken;           /* home: off the stack, oldest first */
	int home;
	struct mail mail; /* under way from the claim until woken() */
	void (*woken)(struct fetch_wait *self);
	void *owner;
};

struct fetch_slot {
	struct work join;
	struct work leave;
	struct mail mail;        /* tells home that it has left */
	struct list subscriber;  /* strand: on partition->subscribers */
	struct partition *part;  /* a reference */
	struct fetch_wait *wait; /* a reference */
	_Atomic(bool) is_dirty;
	struct fetch_slot *dirty_next;
	void *owner; /* home's: the session's partition; NULL once it has left */
};

/* reactor.  With one reference; woken() runs on this reactor after each claim by a publication. */
struct fetch_wait *fetch_wait_new(void (*woken)(struct fetch_wait *self), void *owner);
void fetch_wait_put(struct fetch_wait *wait);

/*
 * home.  A new slot that will hear of publications; takes its own references.  Once it does, it is
 * dirty and wakes the fetch, for what came in between was told to nobody.
 */
struct fetch_slot *fetch_slot_join(struct fetch_wait *wait, struct partition *part, void *owner);
/* home.  The slot is gone for the caller. */
void fetch_slot_leave(struct fetch_slot *slot);
/* Reactors stopped, in place of leaving. */
void fetch_slot_drop(struct fetch_slot *slot);

/*
 * home.  Sleep until `bytes` more were published.  False: something is dirty already, look again.
 */
bool fetch_wait_sleep(struct fetch_wait *wait, int64_t bytes);
/* home.  Timeout or disconnect: true when the caller now owns the fetch, false when woken() is
 * coming. */
bool fetch_wait_claim(struct fetch_wait *wait);

/*
 * home.  Takes the dirty slots one by one, oldest mark last; a taken slot is clean from then on.
 * NULL when there are no more.
 */
struct fetch_slot *fetch_wait_take(struct fetch_wait *wait);

/* strand of the partition.  `bytes` became readable, or (0, urgent) something else changed. */
void fetch_slots_publish(struct list *subscribers, int64_t bytes, bool urgent);

#endif
