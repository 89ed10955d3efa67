/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REACTOR_INTERNAL_H
#define REACTOR_INTERNAL_H

#include "io/strand.h"

/*
 * What strand.c and a reactor need from each other.  strand.c is portable: the simulator
 * compiles it too and brings a reactor_ready() of its own.
 */

/* The caller's reactor holds the strand: it goes to the end of its ready list. */
void reactor_ready(struct strand *s);

/* One run of a strand from the ready list.  It may be freed when this returns. */
void strand_run(struct strand *s);

#endif
