/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TIMER_H
#define TIMER_H

#include "io/reactor.h"

/*
 * A hierarchical wheel of 1 ms ticks: eight levels of 64 slots, each level 64 times coarser.
 * A timer sits on the level of the highest digit (base 64) in which it differs from now_ms, so
 * it moves down at most once a level, and an idle reactor wakes for nothing else.
 */
enum { WHEEL_BITS = 6, WHEEL_SLOTS = 1 << WHEEL_BITS, WHEEL_LEVELS = 8 };

struct wheel {
	uint64_t now_ms;
	uint64_t used[WHEEL_LEVELS]; /* a clear bit: the slot is empty; a set one: look */
	struct list slot[WHEEL_LEVELS][WHEEL_SLOTS];
	struct list expired; /* due, to be fired by the next wheel_run() */
};

void wheel_init(struct wheel *w, uint64_t now_ms);
/* Fires what is due; what becomes due by firing waits for the next call. */
void wheel_run(struct wheel *w, uint64_t now_ms);
/* When to call wheel_run() next; UINT64_MAX: no timer. */
uint64_t wheel_next_ms(struct wheel *w);

#endif
