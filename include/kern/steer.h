/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERN_STEER_H
#define KERN_STEER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Connection steering (bpf/steer.bpf.c): a new connection goes to the reactor of the CPU its
 * SYN came in on.  Optional by design: where it cannot be had io steers by classic BPF, and
 * below that the kernel spreads connections by hash.
 */
struct steer;

/* Loads the program; -EPERM without rights, -EOPNOTSUPP when this build has no kernel helps. */
int steer_open(struct steer **ret);
/*
 * Steers one listener: socket i, already listening, is reactor i's, which is pinned to cpu[i].
 * -errno leaves the sockets as they were, or with a choice that is the kernel's own.
 */
int steer_add(struct steer *s, uint16_t port, const int *fd, const int *cpu, uint32_t count);
void steer_close(struct steer *s); /* NULL is fine; what is attached stays with the sockets */

/* What became of the SYNs of one listener, as the map of a running node says. */
struct steer_count {
	uint16_t port;
	uint64_t local;
	uint64_t elsewhere;
	uint64_t failed;
};
/* How many listeners there are, at most max; -ENOENT: that node has pinned nothing. */
int steer_read(int32_t node_id, struct steer_count *ret, int max);

#endif
