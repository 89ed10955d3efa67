/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_CALL_H
#define BROKER_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/str.h"
#include "broker/frame.h"
#include "io/file.h"
#include "io/net.h"
#include "io/reactor.h"
#include "wire/api.h"
#include "wire/errors.h"
#include "wire/message.h"

/*
 * A call is one request, from its last byte to the last byte of its answer (DESIGN 3).
 *
 * It lives on the reactor of its connection (home), and everything here is called there, except
 * call_part_done() and call_claim(), which any reactor may call.  A handler
 *
 *	void api_metadata(struct call *call);
 *
 * runs once the request is decoded and ends, now or in a later turn, with exactly one of
 * call_reply(), call_reply_none() and call_close(): after it the call may be gone.  In between it
 * may wait for parts, a timer or mail of its own.
 *
 * When the connection dies the call is detached: it goes on and its answer is dropped, unless
 * call->on_detach was set, which then ends it early (with any of the three).
 */
struct conn;
struct broker;
struct api_meter;

/* Bytes of a file, as the source of struct records in a response: see call_reply(). */
struct file_slice {
	struct file *file; /* a reference, the call's from call_reply() on */
	uint64_t position;
	uint32_t size;
};

struct call_listener {
	struct broker *broker;
	struct str name; /* in capitals, as configured: "PLAINTEXT" */
	int16_t security_protocol;
	bool is_controller; /* serves the controller's APIs, not the broker's */
	uint16_t port;      /* once it listens */
};

struct call {
	/* ---- for the handler, to read ---- */
	struct broker *broker;
	const struct call_listener *listener;
	const struct wire_api *api;
	int16_t version;
	int32_t correlation_id;
	struct str client_id; /* data NULL: null */
	/*
	 * struct produce_request and so on; points into the frame.  NULL: ApiVersions of a version
	 * that nobody knows, to be answered as version 0.
	 */
	void *request;
	struct frame *frame;  /* frame_get() to keep its bytes; NULL: they are in the arena */
	uint32_t frame_size;  /* of this request */
	struct str principal; /* "User:ANONYMOUS" */
	struct sock_address peer;
	uint64_t received_ns; /* mono_ns() when its last byte was there */
	int home;             /* reactor */
	bool is_detached;     /* the connection is gone: the answer will be dropped */

	/* ---- for the handler, to use ---- */
	struct arena arena; /* until the answer is sent; NULL from it: answer with an error */
	void *user;         /* NULL at first */
	void (*on_detach)(struct call *self);

	/* ---- the call's own ---- */
	struct shard *shard;
	struct api_meter *meter; /* of its API, at home */
	struct conn *conn;       /* NULL: detached */
	struct list link;        /* on the connection, in order of requests */
	_Atomic(int) pending;
	_Atomic(bool) claimed;
	void (*resume)(struct call *self);
	struct mail mail;
	struct timer timer;
	void (*fire)(struct call *self);
	int state;       /* enum call_state */
	bool is_awaited; /* parts run, or mail to it is under way */
	bool is_last;    /* the connection ends behind it */
	struct buf out;  /* size, header, body */
	struct buf side; /* bytes of small slices */
	struct wire_splice *splice;
	size_t splice_capacity;
	struct call_segment *segment;
	size_t segment_capacity;
	uint32_t segment_count;
	uint32_t segment_next; /* the one being sent, and how much of it was */
	size_t segment_done;
	struct call *pool_next;
};

/*
 * Encodes header and body and sends them when all earlier answers are.  The response and what it
 * points to may be on the stack: it is encoded before call_reply() returns.  Records whose data is
 * NULL and whose source is not: the source is a struct file_slice, copied, whose reference on the
 * file is the call's from now on; the records' size is the slice's.
 */
void call_reply(struct call *call, const void *response);
void call_reply_none(struct call *call); /* Produce with acks=0 */
/* The peer broke the protocol: earlier answers are sent, then the connection ends. */
void call_close(struct call *call);

/*
 * Parts: resume(call) runs at home, in a later turn, when call_part_done() was called `count`
 * times (count > 0).  Who runs elsewhere writes its own part and nothing else of the call.  A call
 * answered before that, by a timer that won call_claim(), keeps its memory until the last part is
 * done, and resume() does not run.
 */
void call_begin_parts(struct call *call, int count, void (*resume)(struct call *self));
void call_part_done(struct call *call); /* any reactor; the last one ends its use of the call */

/* resume(call) in a later turn: after 64 partitions or 256 KiB of work.  Not while parts run. */
void call_yield(struct call *call, void (*resume)(struct call *self));

/* fire(call) once, `ms` from now; set again it moves; ended by call_timer_end() and the answer. */
void call_timer(struct call *call, uint64_t ms, void (*fire)(struct call *self));
void call_timer_end(struct call *call);

/*
 * The call that came before it on its connection and is not sent yet; NULL: none, or detached.
 * Only Produce has one that may still run.
 */
struct call *call_before(const struct call *call);

/* True for the first who asks: completion against timeout.  any */
static inline bool call_claim(struct call *call)
{
	return !atomic_exchange_explicit(&call->claimed, true, memory_order_acq_rel);
}

/* CALL_REQUEST(call, produce_request) */
#define CALL_REQUEST(call, type) ((const struct type *)(call)->request)

/* ---- the table of handlers: api/dispatch ---- */

struct api_handler {
	int16_t key;
	int16_t max; /* highest version served; -1: all */
	bool on_broker;
	bool on_controller;
	void (*run)(struct call *call);
};

extern const struct api_handler api_handlers[]; /* sorted by key */
extern const size_t api_handler_count;
/* NULL: not served by that kind of listener. */
const struct api_handler *api_handler_find(int16_t key, bool controller);
/* Highest version served: never an unstable one. */
int16_t api_handler_max(const struct api_handler *h);

#endif
