/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ABI_STEER_H
#define ABI_STEER_H

#include <linux/types.h>

/*
 * What bpf/steer.bpf.c and its loader share.  Compiled by both, so the sizes are asserted on
 * both sides; `bpftool map dump` prints these names.
 */
enum {
	STEER_LISTENERS_MAX = 16,
	STEER_REACTORS_MAX = 256,
};

/* steer_cpus, by CPU: whose it is. */
struct steer_cpu {
	__u32 has_reactor;
	__u32 reactor;
};

/* steer_listeners, by cookie of a listening socket. */
struct steer_listener {
	__u32 slot; /* its sockets are steer_socks[slot * STEER_REACTORS_MAX + reactor] */
	__u16 port;
	__u16 zero;
};

/* steer_counters, by slot, on each CPU: what became of the SYNs that came in there. */
struct steer_counter {
	__u64 local;     /* given to the reactor of this CPU */
	__u64 elsewhere; /* this CPU has no reactor: left to the kernel's hash */
	__u64 failed;    /* the kernel refused our choice: left to its hash */
};

_Static_assert(sizeof(struct steer_cpu) == 8, "shared with bpf/");
_Static_assert(sizeof(struct steer_listener) == 8, "shared with bpf/");
_Static_assert(sizeof(struct steer_counter) == 24, "shared with bpf/");

#endif
