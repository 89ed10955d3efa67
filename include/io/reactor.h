/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_REACTOR_H
#define IO_REACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/list.h"

/*
 * Every effect the broker has on the world goes through include/io/.  userspace/io/ implements
 * it with epoll, io_uring and threads; selftests/sim/io/ with a seed.  Nothing above can tell
 * which.  Three kinds of place may call:
 *
 *   reactor   on a reactor thread, inside a callback.  Never blocks.
 *   worker    inside job->run(), or before reactors_run() on the main thread.  May block.
 *   any       both.
 *
 * One reactor a core, pinned.  A reactor's turn: mail; at most 32 socket events and 256 KiB of
 * input; the ready strands, first in first out; timers; a quiescent state (io/rcu.h).  It
 * sleeps only when nothing is ready.  Callbacks run from that loop only, never inside the call
 * that asked for them, and the stack depth is constant.
 */

enum { REACTOR_NONE = -1 };

struct reactors_options {
	int count;          /* 0: one for each core of our affinity and cgroup cpu.max */
	int worker_count;   /* 0: default */
	bool file_io_uring; /* false: thread pool instead, same contract */
};

/*
 * Makes the reactors; -errno when the machine refuses.  What was asked for and could not be
 * had (io_uring) falls back and is reported by reactors_notes().
 */
int reactors_open(const struct reactors_options *options) must_check;
/*
 * Runs them: calls start(arg) on reactor 0 first of all, returns when reactors_stop() was called.
 * The caller becomes reactor 0 meanwhile; the others begin when start() has returned.
 */
void reactors_run(void (*start)(void *arg), void *arg);
void reactors_stop(void); /* any; also async-signal-safe */
void reactors_close(void);
const char *reactors_notes(void); /* which helps are on, one line a fact */

int reactor_count(void);
int reactor_self(void); /* REACTOR_NONE on a worker or the main thread */

/* A message to a reactor: run(self) there, in a later turn.  The sender keeps its memory still. */
struct mail {
	struct mail *next;
	void (*run)(struct mail *self);
};

void reactor_post(int to, struct mail *mail); /* any */

/*
 * Timers belong to the reactor that armed them, with a resolution of 1 ms: never early, and late
 * by no more than a turn.  fire() runs once for each arming; re-arming moves it.
 */
struct timer {
	struct list link;
	uint64_t due_ms;  /* on the clock of mono_ms() */
	uint64_t wake_ms; /* io's own: when its slot is looked at, not after due_ms */
	void (*fire)(struct timer *self);
};

void timer_init(struct timer *t, void (*fire)(struct timer *self));
void timer_arm(struct timer *t, uint64_t due_ms); /* reactor */
void timer_disarm(struct timer *t);               /* reactor, the same one; harmless when idle */
bool timer_is_armed(const struct timer *t);

uint64_t mono_ns(void); /* any; time that only moves forward, for every timeout */
uint64_t mono_ms(void);
int64_t wall_ms(void); /* any; milliseconds since 1970, may jump: for record timestamps only */
void random_bytes(void *out, size_t size);

/* What identifies this boot of the machine: its page cache is gone when it changes. */
struct boot_id {
	char text[40];
};
struct boot_id boot_id(void);

/* The storage that holds what we promised cannot be trusted: say why, end at once, write nothing.
 */
void halt(const char *reason) __attribute__((noreturn));

/*
 * SIGTERM and SIGINT call `stop` on reactor 0 (a second one ends the process at once);
 * SIGHUP calls `reload`.  Either may be NULL.
 */
void signals_handle(void (*stop)(void), void (*reload)(void));

#endif
