/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The simulated world: selftests/sim/io/ implements all of include/io/ with one thread, one
 * clock and one seed, so that the same seed gives the same run to the last event.
 *
 * A world lives in shared memory and has many lives.  A life is a child process that runs the
 * system under test; when it crashes, its heap and globals are truly gone, while the disk and
 * what clients know (sim_alloc) stay.  Without a life the contract of io/ works too, in the
 * calling process and without crashes: for tests of pure functions of the disk and for fuzzers.
 *
 * Time is simulated.  Every callback of a reactor, every job and every arrival on the network is
 * one atomic event; which of those that are possible comes next is the seed's choice.
 */

/* ---- worlds ---- */

/* Begins a new world: an empty disk, no faults.  The last one is gone with all of its memory. */
void sim_begin(uint64_t seed);
uint64_t sim_seed(void);

/* Memory of the world: zeroed, survives crashes, freed with the world. */
void *sim_alloc(size_t size);
void sim_free(void *p);

uint64_t sim_random(uint64_t below); /* of the seed's numbers; below 0 is not allowed */
bool sim_chance(unsigned int per_cent);

/* How the seed likes this world; drawn by sim_begin(), may be changed between lives. */
struct sim_manners {
	int reactor_count;           /* for those who open reactors with count 0 */
	uint64_t mail_ns_max;        /* on its way between reactors */
	uint64_t job_ns_max;         /* until a job begins, and again until done() is on its way */
	uint64_t disk_ns_max;        /* of a parked append, a submitted read or sync, each step */
	uint64_t net_ns_max;         /* one way */
	size_t window_bytes;         /* that one direction of a connection holds */
	unsigned int park_per_cent;  /* of appends that need not */
	unsigned int cold_per_cent;  /* of questions after the page cache */
	unsigned int other_per_cent; /* of idle strands that turn out held by another reactor */
	unsigned int short_per_cent; /* of sends and receives */
};
struct sim_manners *sim_manners(void);

/*
 * What main() of a simulation does.  The seeds: FIRST [COUNT] of its arguments, else from 1 on as
 * many as SEEDS of the environment says, else *count as given.
 */
void sim_seeds_of(int argc, char **argv, uint64_t *first, uint64_t *count);
/* Runs them until one answers false, says how to replay that one, and answers main()'s status. */
int sim_seeds(int argc, char **argv, uint64_t count, bool (*run)(uint64_t seed));

/* ---- lives ---- */

enum sim_when { SIM_BEFORE, SIM_DURING, SIM_AFTER };

/* Numbers count from 1 in each life; 0 is never. */
struct sim_faults {
	uint64_t crash_at_mutation; /* see sim_mutations() */
	enum sim_when crash_when;   /* during: a write is short; else as before */
	uint64_t crash_at_event;
	uint64_t fail_sync_at; /* with EIO */
	uint64_t fail_write_at;
	uint64_t fail_read_at;
	unsigned int reset_per_mille; /* of arrivals at a peer: the connection is reset instead */
};

enum sim_end {
	SIM_RETURNED, /* life() returned */
	SIM_CRASHED,  /* as the faults said, or sim_crash() */
	SIM_HALTED,   /* halt() */
	SIM_IDLE,     /* nothing could ever happen any more */
	SIM_FAILED,   /* check(), a signal, or sim_fail(): a bug was found */
};

enum sim_end sim_life(const struct sim_faults *faults, void (*life)(void *arg), void *arg);
uint64_t sim_lives(void);     /* begun so far */
uint64_t sim_mutations(void); /* of the disk, in this or the last life */
uint64_t sim_events(void);    /* likewise */
bool sim_is_trouble_over(void);
bool sim_has_sync_failed(void); /* in this or the last life */

void sim_crash(void) __attribute__((noreturn));
/* At the n-th change of the disk from now on, instead of where the faults said. */
void sim_crash_soon(uint64_t n, enum sim_when when);
/* A law is broken: says it with seed, life and event, and ends the life. */
void sim_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
#define sim_law(expr, ...)                                                                         \
	do {                                                                                       \
		if (!(expr))                                                                       \
			sim_fail(__VA_ARGS__);                                                     \
	} while (0)

/* ---- the disk, between lives ---- */

/* The machine dies: of what is not durable the seed's choice survives.  A new boot id. */
void sim_power_cut(void);
/* Everything becomes durable, as if the machine had idled. */
void sim_settle_disk(void);
void sim_space(uint64_t bytes);      /* what files may hold together; UINT64_MAX: no limit */
void sim_space_left(uint64_t bytes); /* inside a life too: as much as there is, and so much more */

/* ---- the outside, inside a life ---- */

/* Calls run(arg) `after_ns` from now, outside of any reactor. */
void sim_after(uint64_t after_ns, void (*run)(void *arg), void *arg);
/* As SIGTERM and SIGHUP would. */
void sim_signal_stop(void);
void sim_signal_reload(void);
void sim_wall_jump(int64_t ms);

/*
 * A client of the system under test; its callbacks run outside of any reactor and call nothing
 * of io/.  After closed() it may connect again; sim_client_close() calls nothing.
 */
struct conn;
struct sim_client {
	void (*received)(struct sim_client *self, const void *data, size_t size);
	void (*closed)(struct sim_client *self); /* ended, reset or refused */
	struct conn *conn;                       /* the simulator's own; NULL when not connected */
};
void sim_client_connect(struct sim_client *c, uint16_t port); /* sending may begin at once */
void sim_client_send(struct sim_client *c, const void *data, size_t size);
void sim_client_close(struct sim_client *c);

#endif
