/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERN_PRIVATE_H
#define KERN_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/steer.h"

/* What the loaders share. */

/* ---- pins.c: a node's directory below KERNEL_PINS ---- */

struct pins;

/*
 * Empties the directory first: what is there was left by a crash.  -ENOTSUP where no BPF file
 * system is mounted, else -errno; no pins is never a reason to go without a help.
 */
int pins_open(int32_t node_id, struct pins **ret);
int pins_add(struct pins *p, const char *name, int bpf_fd);
void pins_close(struct pins *p); /* removes those that are still ours */
/* A descriptor of what a node pinned, to be closed; -errno. */
int pin_get(int32_t node_id, const char *name);

/* ---- rights.c ---- */

/*
 * Gives up CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON for this thread and those it makes later, when
 * `works` still says so without them; some kernels want them for every use of a map.
 */
void rights_drop(bool (*works)(void *arg), void *arg);

/* ---- steer.c ---- */

int steer_pin(struct steer *s, struct pins *p);
bool steer_works(void *steer); /* a map may be written */

#endif
