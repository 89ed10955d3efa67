/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_CONTROLLER_CLIENT_H
#define BROKER_CONTROLLER_CLIENT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/reactor.h"
#include "io/strand.h"

/*
 * The only road from the broker to the active controller: Kafka's own requests, answered later.
 * The controller is in this process, in the strand of `__cluster_metadata-0`; one in another
 * process would be asked through the same function.
 */
struct metadata;

struct controller_call {
	/* in; the request and what it points to stay still until done() */
	int16_t api_key;
	int16_t version;
	const void *request;  /* const struct create_topics_request * and so on */
	struct str principal; /* "User:alice"; data NULL: this broker itself */
	/* On the reactor that sent it, in a later turn.  The call is the caller's again. */
	void (*done)(struct controller_call *self);

	/*
	 * out, until controller_call_fini().  error WIRE_NONE: `response` is the API's response
	 * struct.  Else the request failed as a whole (WIRE_NOT_CONTROLLER...) and response is
	 * NULL; message may be null.
	 */
	int16_t error;
	struct str message;
	const void *response;

	/* the client's own */
	struct work work;
	struct mail mail;
	struct controller_call *next;
	struct metadata *metadata;
	struct arena arena;
	int64_t wait_offset; /* answered when this is committed */
	int home;
};

/* reactor.  Answers are given when everything they rest on is committed. */
void controller_send(struct metadata *metadata, struct controller_call *call);
/* Frees the response; the call may be sent again or dropped. */
void controller_call_fini(struct controller_call *call);

#endif
