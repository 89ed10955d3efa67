/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/validators.h"

#include <stdbool.h>

#include "base/mem.h"
#include "broker/limits.h"
#include "io/reactor.h"

enum {
	TEXTS_MAX = 1024 * 1024, /* of the errors of one batch's records */
	PLAIN_KEEP_MAX = 1024 * 1024,
};

/* What one reactor has; nobody else touches it but a job its own scratch. */
struct place {
	struct compress_scratch own;
	struct compress_scratch scratch[LIMIT_VALIDATIONS];
	bool is_taken[LIMIT_VALIDATIONS];
	struct validation *waiting; /* oldest first */
	struct validation **waiting_end;
};

struct validators {
	int count;
	struct place *place; /* one a reactor */
};

struct validators *validators_new(void)
{
	struct validators *v = mem_zalloc(sizeof(*v));

	v->count = reactor_count();
	v->place = mem_array((size_t)v->count, sizeof(*v->place));
	for (int i = 0; i < v->count; i++)
		v->place[i].waiting_end = &v->place[i].waiting;
	return v;
}

void validators_free(struct validators *v)
{
	if (!v)
		return;
	for (int i = 0; i < v->count; i++) {
		compress_scratch_fini(&v->place[i].own);
		for (int j = 0; j < LIMIT_VALIDATIONS; j++)
			compress_scratch_fini(&v->place[i].scratch[j]);
	}
	mem_free(v->place);
	mem_free(v);
}

/* The decoders bound what they keep, the caller's buffers are ours to bound. */
static void trim(struct compress_scratch *s)
{
	if (s->plain.capacity > PLAIN_KEEP_MAX)
		buf_fini(&s->plain);
}

struct compress_scratch *validators_scratch(struct validators *v)
{
	struct compress_scratch *s = &v->place[reactor_self()].own;

	trim(s);
	return s;
}

static void run_job(struct job *job)
{
	struct validation *self = container_of(job, struct validation, job);

	validate_append(&self->rules, self->bytes, self->now_ms, self->scratch, &self->arena,
	                &self->rebuilt, &self->result);
	trim(self->scratch);
}

static void job_done(struct job *job);

/* The oldest in line, into this scratch. */
static void start(struct place *place, int i)
{
	struct validation *self = place->waiting;

	place->waiting = self->next;
	if (!place->waiting)
		place->waiting_end = &place->waiting;
	place->is_taken[i] = true;
	self->scratch = &place->scratch[i];
	self->job = (struct job){ .run = run_job, .done = job_done };
	work_submit(WORK_FAST, &self->job);
}

static void job_done(struct job *job)
{
	struct validation *self = container_of(job, struct validation, job);
	struct place *place = &self->from->place[reactor_self()];
	int i = (int)(self->scratch - place->scratch);

	place->is_taken[i] = false;
	if (place->waiting)
		start(place, i);
	self->done(self);
}

void validation_submit(struct validators *v, struct validation *self)
{
	struct place *place = &v->place[reactor_self()];

	self->from = v;
	self->next = NULL;
	self->rules.heavy_ok = true;
	self->rebuilt = (struct buf){ 0 };
	arena_init(&self->arena, TEXTS_MAX);
	*place->waiting_end = self;
	place->waiting_end = &self->next;
	for (int i = 0; i < LIMIT_VALIDATIONS; i++) {
		if (!place->is_taken[i]) {
			start(place, i);
			return;
		}
	}
}

void validation_fini(struct validation *self)
{
	buf_fini(&self->rebuilt);
	arena_fini(&self->arena);
}
