/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_FRAME_H
#define BROKER_FRAME_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "io/reactor.h"

/*
 * Received bytes, counted.  Requests up to FRAME_CHUNK_SIZE are parsed where they were received,
 * several to a frame; a larger one has its own memory, reserved in the budget of all requests
 * (queued.max.request.bytes) before its first byte and grown as bytes arrive.
 *
 * Who keeps a pointer into the bytes beyond his own call holds a reference.  Chunks go back to the
 * pool of the reactor they came from.
 */
enum { FRAME_CHUNK_SIZE = 256 * 1024 };

struct frame {
	_Atomic(uint32_t) refs;
	int home;
	struct mail mail;   /* brings a chunk home */
	struct frame *next; /* in the pool */
	uint8_t *data;
	size_t capacity; /* of data */
	size_t reserved; /* in the budget; 0: a chunk of the pool */
};

struct frame *frame_get(struct frame *f); /* any */
void frame_put(struct frame *f);          /* any; NULL is fine */

/* reactor: a chunk of this reactor's pool, one reference */
struct frame *frame_chunk(void);
/* reactor: a frame for one request of `size` bytes; NULL: the budget is used up */
struct frame *frame_large(size_t size);
/* reactor, sole holder: room for `want` bytes at least, earned as bytes arrive */
void frame_grow(struct frame *f, size_t want, size_t used);

/* After reactors_open(): a pool for each reactor, and the budget of large frames in bytes. */
void frame_pools_open(size_t budget);
void frame_pools_close(void);   /* reactors stopped */
size_t frame_budget_used(void); /* any */

#endif
