/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Steering: a new connection goes to the reactor of the CPU its SYN came in on.  Fails open:
 * whatever is unknown here is left to the kernel's own choice, which is a hash of the addresses.
 *
 * One program serves all listeners.  Which of them it runs for is told by the cookie of the
 * group's socket that the kernel shows (5.14 and newer; older kernels refuse the program).
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "abi/steer.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the loader says how many CPUs there can be */
	__type(key, __u32);
	__type(value, struct steer_cpu);
} steer_cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_LISTENERS_MAX *STEER_REACTORS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct steer_listener);
} steer_listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, STEER_LISTENERS_MAX *STEER_REACTORS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} steer_socks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER_LISTENERS_MAX);
	__type(key, __u32);
	__type(value, struct steer_counter);
} steer_counters SEC(".maps");

SEC("sk_reuseport")
int steer(struct sk_reuseport_md *md)
{
	__u64 cookie = bpf_get_socket_cookie(md->sk);
	__u32 cpu = bpf_get_smp_processor_id();
	struct steer_listener *listener = bpf_map_lookup_elem(&steer_listeners, &cookie);
	struct steer_counter *counter;
	struct steer_cpu *owner;
	__u32 slot, at;

	if (!listener)
		return SK_PASS;
	slot = listener->slot;
	counter = bpf_map_lookup_elem(&steer_counters, &slot);
	if (!counter)
		return SK_PASS;
	owner = bpf_map_lookup_elem(&steer_cpus, &cpu);
	if (!owner || !owner->has_reactor) {
		counter->elsewhere++;
		return SK_PASS;
	}
	at = slot * STEER_REACTORS_MAX + owner->reactor;
	if (bpf_sk_select_reuseport(md, &steer_socks, &at, 0))
		counter->failed++;
	else
		counter->local++;
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
