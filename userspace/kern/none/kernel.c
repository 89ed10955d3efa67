/* SPDX-License-Identifier: Apache-2.0 */
/* The build had no clang, bpftool or libbpf: every help is off. */
#include "kern/kernel.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "kern/steer.h"

struct kernel *kernel_open(void)
{
	return NULL;
}

void kernel_pin(struct kernel *k, int32_t node_id)
{
	(void)k, (void)node_id;
}

struct steer *kernel_steer(struct kernel *k)
{
	(void)k;
	return NULL;
}

void kernel_close(struct kernel *k)
{
	(void)k;
}

bool kernel_help(const struct kernel *k, int index, struct kernel_help *ret)
{
	(void)k;
	return kernel_probe(index, ret);
}

bool kernel_probe(int index, struct kernel_help *ret)
{
	if (index)
		return false;
	*ret = (struct kernel_help){ .name = "steer" };
	snprintf(ret->how, sizeof(ret->how),
	         "built without kernel helps: BPF=0, or clang, bpftool or libbpf was missing");
	return true;
}

int steer_open(struct steer **ret)
{
	(void)ret;
	return -EOPNOTSUPP;
}

int steer_add(struct steer *s, uint16_t port, const int *fd, const int *cpu, uint32_t count)
{
	(void)s, (void)port, (void)fd, (void)cpu, (void)count;
	return -EOPNOTSUPP;
}

void steer_close(struct steer *s)
{
	(void)s;
}

int steer_read(int32_t node_id, struct steer_count *ret, int max)
{
	(void)node_id, (void)ret, (void)max;
	return -EOPNOTSUPP;
}
