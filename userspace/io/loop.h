/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOOP_H
#define LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "io/rcu.h"
#include "io/reactor.h"
#include "io/strand.h"
#include "io/work.h"
#include "timer.h"

/* What userspace/io shares among its own files. */

enum { REACTORS_MAX = 256, REACTOR_EVENTS = 32, REACTOR_INPUT_BYTES = 256 * 1024 };

/* Something with a descriptor in the reactor's epoll set. */
struct source {
	void (*ready)(struct source *self, uint32_t events);
};

struct uring;

struct reactor {
	/* Written by everybody. */
	_Alignas(64) _Atomic(struct mail *) mail; /* from the others, newest first */
	_Atomic bool sleeping;
	_Atomic int sock_count;
	_Atomic unsigned long rcu_seen; /* epoch of its last quiescent state; RCU_ASLEEP */

	/* The reactor's own from here on. */
	_Alignas(64) int index;
	int cpu; /* pinned to, or -1 */
	int epoll_fd;
	int event_fd;
	struct source wake;
	struct mail *inbox;
	struct mail **inbox_end;
	struct strand *ready;
	struct strand **ready_end;
	struct epoll_event events[REACTOR_EVENTS];
	int event_next;
	int event_count;
	int unpolled; /* turns since we looked for events */
	size_t input_bytes;
	struct wheel wheel;
	struct list socks;        /* open */
	struct list socks_closed; /* to be freed at the end of the turn */
	struct rcu_head *rcu_first;
	struct rcu_head **rcu_end;
	struct rcu_head **rcu_fresh; /* from here on: deferred in this turn */
	struct uring *uring;         /* NULL: the thread pool */
	pthread_t thread;
};

struct reactor *reactor_here(void); /* never NULL: check() */
struct reactor *reactor_at(int index);
bool reactors_are_pinned(void);
/* The sender need not be a reactor, nor outside a signal handler. */
void reactor_send(struct reactor *to, struct mail *mail);
/* Watches fd edge-triggered, or level-triggered without EPOLLET; 0 or -errno. */
int reactor_watch(struct reactor *r, int fd, uint32_t events, struct source *source);
void reactor_forget(struct reactor *r, struct source *source); /* in the events taken already */
/* Around the posting of a thread that is neither reactor nor worker: close waits for it. */
void reactors_enter(void);
void reactors_leave(void);
void reactors_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* rcu.c */
enum { RCU_ASLEEP = 0 };
void rcu_sleep(struct reactor *r);
void rcu_wake(struct reactor *r);
void rcu_turn_ends(struct reactor *r);
bool rcu_is_waiting(const struct reactor *r);
void rcu_drain(struct reactor *r); /* nobody runs any more */

/* net.c */
void net_turn_ends(struct reactor *r);
void net_close(void); /* what is still open when the reactors close */

/* uring.c: -errno when the machine refuses */
int uring_open(struct reactor *r);
void uring_close(struct reactor *r);
void uring_turn_ends(struct reactor *r); /* hands over what was submitted */
void uring_reap(struct reactor *r);
bool uring_has_waiting(const struct reactor *r); /* not handed over yet */

/* work.c */
int work_open(int slow_count);
void work_close(void);
/* mail->run() on a worker. */
void work_send(enum work_lane lane, struct mail *mail);
int thread_make(pthread_t *thread, const char *name, size_t stack_bytes, void *(*main)(void *),
                void *arg) must_check;

/* cgroup.c: 0 when there is no limit */
int cgroup_cpu_count(void); /* cpu.max, rounded up */
uint64_t cgroup_memory_bytes(void);

#endif
