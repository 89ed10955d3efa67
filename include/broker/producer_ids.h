/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_PRODUCER_IDS_H
#define BROKER_PRODUCER_IDS_H

#include <stdint.h>

#include "io/reactor.h"

/*
 * Producer ids for InitProducerId, out of blocks of 1000 that the controller gives (Kafka:
 * RPCProducerIdManager).  Reactor 0 holds the block; the next is asked for before it is used up.
 */
struct metadata;
struct producer_ids;

struct producer_ids *producer_ids_new(struct metadata *metadata); /* before reactors_run() */
void producer_ids_free(struct producer_ids *p);                   /* reactors stopped */

struct producer_id_request {
	/* On the reactor that asked, in a later turn. */
	void (*done)(struct producer_id_request *self);

	/* out: WIRE_NONE, or COORDINATOR_LOAD_IN_PROGRESS: no block could be had, try again */
	int16_t error;
	int64_t id;

	/* the module's own */
	struct mail mail;
	struct producer_ids *from;
	struct producer_id_request *next;
	int home;
};

/* reactor.  The request stays still until done(). */
void producer_ids_take(struct producer_ids *p, struct producer_id_request *request);

#endif
