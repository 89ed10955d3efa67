/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_LIMITS_H
#define BROKER_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Every queue of the broker is bounded, and this is the table of the bounds: docs/threads.md is
 * made from it.
 */
enum {
	LIMIT_PRODUCE_IN_FLIGHT = 5,          /* calls of a connection */
	LIMIT_CALL_COPY_BYTES = 1024,         /* smaller requests are copied into their arena */
	LIMIT_DECODE_BYTES_BASE = 64 * 1024,  /* arena while decoding: this and */
	LIMIT_DECODE_BYTES_FACTOR = 32,       /* so many times the frame */
	LIMIT_DECODE_BYTES_MAX = 1 << 30,     /* and never more */
	LIMIT_ANSWER_ARENA_BYTES = 512 << 20, /* arena while answering */
	LIMIT_SLICE_COPY_BYTES = 8 * 1024,    /* smaller slices of files are gathered in memory */
	LIMIT_UNSENT_BYTES = 64 * 1024,       /* of answers: with more no request is begun */
	/* Of a connection in one go: what is fetched by default, 1 MiB, with all that belongs to it. */
	LIMIT_SEND_TURN_BYTES = 1088 * 1024,
	LIMIT_CALLS_A_TURN = 32,              /* requests of a connection in one go */
	LIMIT_POOL_CHUNKS = 64,               /* free receive chunks kept by a reactor */
	LIMIT_POOL_CALLS = 256,               /* free calls kept by a reactor */
	LIMIT_AUTO_TOPICS = 1000,             /* topics asked for by Metadata, under way */
	LIMIT_VALIDATIONS = 4,                /* batches of a reactor with workers, at a time */
	LIMIT_FETCH_PARTITIONS = 500000,      /* of all fetch sessions of a reactor */
	LIMIT_STALL_MS =
		5000, /* a large request that grew by nothing when others wait for memory */
};

struct limit {
	const char *name;
	const char *unit;
	const char *bound;     /* as text: a number or the key of the config that gives it */
	const char *when_full; /* what happens then */
};

const struct limit *limits_table(size_t *ret_count);
void limits_document(struct buf *out); /* a table in Markdown */

#endif
