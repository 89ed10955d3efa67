/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/steer.h"

#include <asm/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/steer.h"
#include "base/check.h"
#include "base/mem.h"
#include "kern_private.h"
#include "skel/steer.skel.h"

struct steer {
	struct steer_bpf *bpf;
	uint32_t cpu_count;
	uint32_t slots_used;
};

static int cpu_set(struct steer *s, uint32_t cpu, struct steer_cpu value)
{
	return bpf_map_update_elem(bpf_map__fd(s->bpf->maps.steer_cpus), &cpu, &value, BPF_ANY);
}

int steer_open(struct steer **ret)
{
	int cpus = libbpf_num_possible_cpus();
	struct steer *s;
	int err;

	if (cpus < 0)
		return cpus;
	s = mem_zalloc(sizeof(*s));
	s->cpu_count = (uint32_t)cpus;
	s->bpf = steer_bpf__open();
	err = s->bpf ? 0 : -errno;
	if (!err)
		err = bpf_map__set_max_entries(s->bpf->maps.steer_cpus, s->cpu_count);
	if (!err)
		err = steer_bpf__load(s->bpf);
	if (err) {
		steer_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

static int add_socket(struct steer *s, uint16_t port, uint32_t reactor, int fd)
{
	struct steer_listener listener = { .slot = s->slots_used, .port = port };
	uint32_t at = s->slots_used * STEER_REACTORS_MAX + reactor;
	uint64_t cookie, value = (uint64_t)fd;
	socklen_t size = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size))
		return -errno;
	if (bpf_map_update_elem(bpf_map__fd(s->bpf->maps.steer_socks), &at, &value, BPF_ANY))
		return -errno;
	if (bpf_map_update_elem(bpf_map__fd(s->bpf->maps.steer_listeners), &cookie, &listener,
	                        BPF_ANY))
		return -errno;
	return 0;
}

int steer_add(struct steer *s, uint16_t port, const int *fd, const int *cpu, uint32_t count)
{
	int program = bpf_program__fd(s->bpf->progs.steer);
	int err = 0;

	if (!count || count > STEER_REACTORS_MAX || s->slots_used == STEER_LISTENERS_MAX)
		return -ENOSPC;
	for (uint32_t i = 0; !err && i < count; i++) {
		if (cpu[i] < 0 || (uint32_t)cpu[i] >= s->cpu_count)
			return -EINVAL;
		err = cpu_set(s, (uint32_t)cpu[i], (struct steer_cpu){ 1, i });
		if (!err)
			err = add_socket(s, port, i, fd[i]);
	}
	s->slots_used++; /* also after an error: the slot is not clean */
	if (err)
		return err;
	return setsockopt(fd[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program))
	               ? -errno
	               : 0;
}

int steer_pin(struct steer *s, struct pins *p)
{
	const struct bpf_map *map;
	int err = pins_add(p, "steer", bpf_program__fd(s->bpf->progs.steer));

	bpf_object__for_each_map(map, s->bpf->obj) err =
		err ? err : pins_add(p, bpf_map__name(map), bpf_map__fd(map));
	return err;
}

bool steer_works(void *steer)
{
	return !cpu_set(steer, 0, (struct steer_cpu){ 0 });
}

void steer_close(struct steer *s)
{
	if (!s)
		return;
	steer_bpf__destroy(s->bpf);
	mem_free(s);
}

/* ---- reading ---- */

static int read_counters(int map, uint32_t slot, struct steer_count *count)
{
	int cpus = libbpf_num_possible_cpus();
	struct steer_counter *value;
	int err;

	if (cpus < 0)
		return cpus;
	value = mem_array((size_t)cpus, sizeof(*value));
	err = bpf_map_lookup_elem(map, &slot, value);
	for (int i = 0; !err && i < cpus; i++) {
		count->local += value[i].local;
		count->elsewhere += value[i].elsewhere;
		count->failed += value[i].failed;
	}
	mem_free(value);
	return err;
}

/* Ports by slot; 0 where there is none. */
static void read_ports(int map, uint16_t port[static STEER_LISTENERS_MAX])
{
	uint64_t cookie;
	void *previous = NULL;

	while (!bpf_map_get_next_key(map, previous, &cookie)) {
		struct steer_listener listener;

		if (!bpf_map_lookup_elem(map, &cookie, &listener) &&
		    listener.slot < STEER_LISTENERS_MAX)
			port[listener.slot] = listener.port;
		previous = &cookie;
	}
}

int steer_read(int32_t node_id, struct steer_count *ret, int max)
{
	uint16_t port[STEER_LISTENERS_MAX] = { 0 };
	int counters = pin_get(node_id, "steer_counters");
	int listeners = counters < 0 ? counters : pin_get(node_id, "steer_listeners");
	int n = 0, err = listeners < 0 ? listeners : 0;

	if (!err)
		read_ports(listeners, port);
	for (uint32_t slot = 0; !err && slot < STEER_LISTENERS_MAX && n < max; slot++) {
		if (!port[slot])
			continue;
		ret[n] = (struct steer_count){ .port = port[slot] };
		err = read_counters(counters, slot, &ret[n++]);
	}
	if (listeners >= 0)
		close(listeners);
	if (counters >= 0)
		close(counters);
	return err ? err : n;
}
