/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "log_dump.h"

const char log_help[] =
	"sluice log: what is in the files of a broker\n"
	"\n"
	"  sluice log dump [--records] [--decode WHAT] [--format json] FILE...\n"
	"      a line for each batch, entry, producer or property; `key=value` or JSON\n"
	"    --records      the records of each batch as well: decompressed, with headers\n"
	"    --decode WHAT  metadata, groups, transactions, share or none: what records are.\n"
	"                   Known by itself in the directories of Kafka's own topics.\n"
	"    FILE           .log .checkpoint .index .timeindex .txnindex .snapshot\n"
	"                   *-checkpoint meta.properties partition.metadata quorum-state\n"
	"\n"
	"An index is compared with the log beside it.  Exit status 1: something is broken, which\n"
	"standard error says with its position.\n";

void dump_complain(struct dump *d, uint64_t position, const char *format, ...)
{
	va_list args;

	d->broken = true;
	fflush(stdout);
	fprintf(stderr, "sluice: %s: position %" PRIu64 ": ", d->path, position);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void dump_fail(struct dump *d, int err)
{
	d->broken = true;
	cli_say("%s: %s", d->path, strerror(-err));
}

void *dump_read(struct dump *d, size_t size_max, size_t *ret_size)
{
	struct dir *here;
	void *data;
	int err = dir_open(".", false, &here);

	if (!err) {
		err = dir_read(here, d->path, size_max, &data, ret_size);
		dir_close(here);
	}
	if (!err)
		return data;
	dump_fail(d, err);
	return NULL;
}

int64_t dump_base_offset(const char *name)
{
	int64_t value = 0;
	int i = 0;

	for (; name[i] >= '0' && name[i] <= '9'; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, name[i] - '0', &value))
			return -1;
	/* Room for the offsets of a segment behind it. */
	return i == 20 && value <= INT64_MAX - UINT32_MAX ? value : -1;
}

/* ---- which file is what ---- */

static bool ends_with(const char *name, const char *ending)
{
	size_t size = strlen(name);

	return size >= strlen(ending) && !strcmp(name + size - strlen(ending), ending);
}

static const struct {
	const char *ending;
	void (*dump)(struct dump *d);
} kind[] = {
	{ ".log", dump_log },
	{ ".checkpoint", dump_log },
	{ ".index", dump_index },
	{ ".timeindex", dump_time_index },
	{ ".txnindex", dump_txn_index },
	{ ".snapshot", dump_producers },
	{ "leader-epoch-checkpoint", dump_epochs },
	{ "-offset-checkpoint", dump_checkpoint },
	{ "meta.properties", dump_properties },
	{ "partition.metadata", dump_properties },
	{ "quorum-state", dump_quorum_state },
};

static void name_file(struct dump *d, const char *path)
{
	static const char *const suffix[] = { ".deleted", ".swap", ".cleaned" };
	const char *slash = strrchr(path, '/');

	mem_free(d->name);
	d->path = path;
	d->dir_size = slash ? (size_t)(slash + 1 - path) : 0;
	d->name = str_dup(str_of(path + d->dir_size));
	d->suffix = "";
	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		if (!ends_with(d->name, suffix[i]))
			continue;
		d->suffix = suffix[i];
		d->name[strlen(d->name) - strlen(suffix[i])] = '\0';
		break;
	}
}

/* By the directory it lies in; every snapshot of our kind is of metadata. */
static enum log_content guess_content(const struct dump *d)
{
	static const struct {
		const char *topic;
		enum log_content content;
	} known[] = {
		{ "__cluster_metadata-", CONTENT_METADATA },
		{ "__consumer_offsets-", CONTENT_GROUPS },
		{ "__transaction_state-", CONTENT_TXNS },
		{ "__share_group_state-", CONTENT_SHARE },
	};
	char path[PATH_MAX];
	enum log_content ret = CONTENT_BYTES;
	char *slash;

	if (ends_with(d->name, ".checkpoint"))
		return CONTENT_METADATA;
	if (!realpath(d->path, path))
		return CONTENT_BYTES;
	slash = strrchr(path, '/');
	*slash = '\0';
	slash = strrchr(path, '/');
	for (size_t i = 0; slash && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strncmp(slash + 1, known[i].topic, strlen(known[i].topic)))
			ret = known[i].content;
	return ret;
}

/* -1: to be guessed. */
static int wanted_content(struct cli *cli)
{
	static const char *const name[] = {
		[CONTENT_BYTES] = "none",    [CONTENT_METADATA] = "metadata",
		[CONTENT_GROUPS] = "groups", [CONTENT_TXNS] = "transactions",
		[CONTENT_SHARE] = "share",
	};
	const char *text = cli_option(cli, "--decode");

	for (int i = 0; text && i < (int)(sizeof(name) / sizeof(name[0])); i++)
		if (!strcmp(text, name[i]))
			return i;
	if (text)
		cli_usage("--decode %s: metadata, groups, transactions, share or none is wanted",
		          text);
	return -1;
}

static void dump_file(struct dump *d, const char *path, int content)
{
	name_file(d, path);
	d->content = content < 0 ? guess_content(d) : (enum log_content)content;
	for (size_t i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
		if (ends_with(d->name, kind[i].ending)) {
			kind[i].dump(d);
			return;
		}
	}
	cli_say("%s: by its name it is no file of a broker", path);
	d->broken = true;
}

static int log_dump(struct cli *cli)
{
	struct dump d = { .out.json = cli_wants_json(cli) };
	int content = wanted_content(cli);
	const char *path;
	bool any = false;

	d.records = cli_flag(cli, "--records");
	while ((path = cli_word(cli))) {
		any = true;
		dump_file(&d, path, content);
		cli_flush();
	}
	if (!any)
		cli_usage("log dump: a file is wanted");
	mem_free(d.name);
	out_fini(&d.out);
	compress_scratch_fini(&d.scratch);
	return d.broken ? EXIT_FAILED : EXIT_OK;
}

int cmd_log(struct cli *cli)
{
	static const struct cli_command sub[] = { { "dump", log_dump, NULL } };

	return cli_run(cli, "log", sub, 1);
}
