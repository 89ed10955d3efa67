/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERN_KERNEL_H
#define KERN_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The kernel helps of one node, together.  Every one is optional and none changes a byte of an
 * answer.  They are loaded on the main thread before any other thread is made, then the rights
 * that loading takes are given up, where the kernel lets the rest be done without.
 */
#define KERNEL_PINS "/sys/fs/bpf/sluice"

struct kernel;
struct steer;

/* Never fails: what cannot be had is off, and kernel_help() says why. */
struct kernel *kernel_open(void);
/*
 * Pins what was loaded in KERNEL_PINS/<node id>/, where `bpftool` finds it; what is there was left
 * by a crash and goes.  Call it when the node's directories are locked, so that it is really ours.
 */
void kernel_pin(struct kernel *k, int32_t node_id);
struct steer *kernel_steer(struct kernel *k); /* NULL: off, or k is NULL */
/* Takes the pins away, where they are still ours.  NULL is fine. */
void kernel_close(struct kernel *k);

struct kernel_help {
	const char *name;
	bool is_on;
	char how[160]; /* where it is to be seen, or why it is off */
};
/* One help after the other; false: there is no such one. */
bool kernel_help(const struct kernel *k, int index, struct kernel_help *ret);
/* The same for this process and nobody's node: each help is loaded, then let go. */
bool kernel_probe(int index, struct kernel_help *ret);

#endif
