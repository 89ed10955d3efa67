/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/kernel.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kern_private.h"

struct kernel {
	struct pins *pins;
	struct steer *steer;
	struct kernel_help steer_help;
};

/* What libbpf has to say is a log of the verifier; the errno says enough to an operator. */
static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

static void why_not(struct kernel_help *help, int err)
{
	if (err == -EPERM || err == -EACCES)
		snprintf(help->how, sizeof(help->how),
		         "eBPF refused: %s (it takes CAP_BPF and CAP_NET_ADMIN)", strerror(-err));
	else
		snprintf(help->how, sizeof(help->how), "eBPF refused: %s", strerror(-err));
}

static void say_where(struct kernel_help *help, int pins_err, int32_t node_id)
{
	if (!pins_err)
		snprintf(help->how, sizeof(help->how), "eBPF, pinned in %s/%d", KERNEL_PINS,
		         node_id);
	else
		snprintf(help->how, sizeof(help->how), "eBPF, not pinned: %s",
		         pins_err == -ENOTSUP ? "no BPF file system at /sys/fs/bpf"
		                              : strerror(-pins_err));
}

struct kernel *kernel_open(void)
{
	struct kernel *k = mem_zalloc(sizeof(*k));
	int err;

	k->steer_help.name = "steer";
	libbpf_set_print(quiet);
	err = steer_open(&k->steer);
	if (err) {
		why_not(&k->steer_help, err);
		return k;
	}
	k->steer_help.is_on = true;
	rights_drop(steer_works, k->steer);
	return k;
}

void kernel_pin(struct kernel *k, int32_t node_id)
{
	int err;

	if (!k || !k->steer)
		return;
	err = pins_open(node_id, &k->pins);
	if (!err)
		err = steer_pin(k->steer, k->pins);
	say_where(&k->steer_help, err, node_id);
}

struct steer *kernel_steer(struct kernel *k)
{
	return k ? k->steer : NULL;
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	pins_close(k->pins);
	steer_close(k->steer);
	mem_free(k);
}

bool kernel_help(const struct kernel *k, int index, struct kernel_help *ret)
{
	if (index)
		return false;
	*ret = k->steer_help;
	return true;
}

bool kernel_probe(int index, struct kernel_help *ret)
{
	struct steer *steer;
	int err;

	if (index)
		return false;
	*ret = (struct kernel_help){ .name = "steer" };
	libbpf_set_print(quiet);
	err = steer_open(&steer);
	if (err) {
		why_not(ret, err);
		return true;
	}
	steer_close(steer);
	ret->is_on = true;
	snprintf(ret->how, sizeof(ret->how), "eBPF");
	return true;
}
