/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_VALIDATORS_H
#define BROKER_VALIDATORS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "io/work.h"
#include "store/compress.h"
#include "store/validate.h"

/*
 * Where batches are validated: on the reactor that received them, or, when store/validate says
 * that this takes long, by a worker.  Each reactor has one scratch for the first, and a few for
 * jobs: LIMIT_VALIDATIONS of them at a time, the others wait in line, so that what decompression
 * holds is bounded.
 */
struct validators;

struct validators *validators_new(void);    /* after reactors_open() */
void validators_free(struct validators *v); /* reactors stopped; NULL is fine */

/* reactor: its own scratch, for validate_append() until the end of the turn */
struct compress_scratch *validators_scratch(struct validators *v);

/* A batch that validate_append() found heavy. */
struct validation {
	/* in; still until done() */
	struct validate_rules rules;
	struct span bytes;
	int64_t now_ms;
	void *owner; /* the submitter's */
	/* On the reactor that submitted it, in a later turn. */
	void (*done)(struct validation *self);

	/* out, until validation_fini(): never VALIDATE_HEAVY */
	struct validate_result result;
	struct buf rebuilt;

	/* the module's own */
	struct arena arena; /* the result's texts */
	struct job job;
	struct compress_scratch *scratch;
	struct validators *from;
	struct validation *next;
};

void validation_submit(struct validators *v, struct validation *self); /* reactor */
void validation_fini(struct validation *self);

#endif
