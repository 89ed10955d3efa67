/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "kern/steer.h"
#include "out.h"

const char kernel_help_text[] =
	"sluice kernel: what eBPF does for the brokers of this machine\n"
	"\n"
	"  sluice kernel [--format json]\n"
	"      a line for each help: whether this user could load it now, found out by loading "
	"it;\n"
	"      then a line for each listener of each broker that has it on: how many connections\n"
	"      went to the reactor of the CPU they came in on (local), were left to the kernel's\n"
	"      hash because that CPU has no reactor (elsewhere) or because the kernel refused\n"
	"      (failed)\n"
	"\n"
	"Reading what a broker pinned takes the rights of root.  docs/kernel.md has the bpftool\n"
	"commands that show the same.\n";

enum { LISTENERS_MAX = 64 };

static void show_probes(struct out *o)
{
	struct kernel_help help;

	for (int i = 0; kernel_probe(i, &help); i++) {
		out_begin(o, "help");
		out_word(o, "name", help.name);
		out_word(o, "state", help.is_on ? "available" : "refused");
		out_bytes(o, "how", span_of(str_of(help.how)));
		out_end(o);
	}
}

static bool show_node(struct out *o, int32_t node_id)
{
	struct steer_count count[LISTENERS_MAX];
	int n = steer_read(node_id, count, LISTENERS_MAX);

	if (n < 0)
		cli_say("node %d: %s", node_id, strerror(-n));
	for (int i = 0; i < n; i++) {
		out_begin(o, "steer");
		out_number(o, "node", node_id);
		out_number(o, "port", count[i].port);
		out_number(o, "local", (int64_t)count[i].local);
		out_number(o, "elsewhere", (int64_t)count[i].elsewhere);
		out_number(o, "failed", (int64_t)count[i].failed);
		out_end(o);
	}
	return n >= 0;
}

/* No directory: no broker of this machine has a help on, or none that we may see. */
static bool show_nodes(struct out *o)
{
	DIR *d = opendir(KERNEL_PINS);
	struct dirent *entry;
	bool good = true;

	if (!d && errno != ENOENT)
		cli_fail("%s: %s", KERNEL_PINS, strerror(errno));
	while (d && (entry = readdir(d))) {
		char *end;
		long node_id = strtol(entry->d_name, &end, 10);

		if (end != entry->d_name && !*end && node_id >= 0 && node_id <= INT32_MAX)
			good = show_node(o, (int32_t)node_id) && good;
	}
	if (d)
		closedir(d);
	return good;
}

int cmd_kernel(struct cli *cli)
{
	struct out o = { .json = cli_wants_json(cli) };
	bool good;

	cli_done(cli);
	show_probes(&o);
	good = show_nodes(&o);
	out_fini(&o);
	return good ? EXIT_OK : EXIT_FAILED;
}
