/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORLD_H
#define WORLD_H

#include "../sim.h"
#include "base/list.h"
#include "base/prng.h"
#include "io/file.h"
#include "io/reactor.h"

/* What the files of the simulator share. */

struct disk;

struct world { /* in shared memory */
	uint64_t seed;
	struct prng prng;
	struct sim_manners manners;
	struct sim_faults faults;
	uint64_t now_ns;
	int64_t wall_jump_ms;
	uint64_t boot;
	uint64_t lives, events, mutations, syncs, writes, reads;
	uint64_t space_bytes;
	struct disk *disk;

	size_t used;    /* of the arena, world included */
	void *free[40]; /* by size class */
};

struct world *world(void);
void *world_alloc(size_t size); /* zeroed */
void world_free(void *p);
char *world_text(const char *text);

/*
 * The two ends of each operation that changes the disk.  begin answers true when the machine dies
 * in the middle: do a part of it, then sim_crash().
 */
bool mutation_begins(void);
void mutation_ends(void);

/* With SIM_TRACE in the environment, the changes of the disk of the life so numbered (0: all). */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- places ---- */

enum place { PLACE_WORKER, PLACE_REACTOR, PLACE_OUTSIDE };
extern enum place place;

static inline void must_be_worker(void)
{
	check(place == PLACE_WORKER);
}

static inline void must_be_reactor(void)
{
	check(place == PLACE_REACTOR);
}

static inline void must_be_inside(void)
{
	check(place != PLACE_OUTSIDE);
}

/* ---- the loop ---- */

/* run(arg) at that time, as an event of `where` (a worker or the outside). */
void event_at(uint64_t at_ns, enum place where, void (*run)(void *arg), void *arg);
uint64_t later(uint64_t ns_max); /* a time from now on */
/* Into the reactor's letter box now: latency was paid before. */
void mail_arrives(int to, struct mail *mail);

/* A socket with something to say; run by its reactor. */
struct source {
	struct list link;
	bool queued;
	void (*ready)(struct source *self);
};
void source_raise(int reactor, struct source *source);
void source_drop(struct source *source);
/* At the end of this event: of the memory whose last use may be in it. */
void free_after_event(void *p);

void net_fini(void);
/* Nothing can ever happen any more: ends the life. */
void sim_idle(void) __attribute__((noreturn));

#endif
