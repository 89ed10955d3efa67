/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/config.h"
#include "broker/storage.h"
#include "cli.h"
#include "core/feature.h"
#include "core/metadata_record.h"

const char storage_help[] =
	"sluice storage: what kafka-storage does\n"
	"\n"
	"  sluice storage random-uuid\n"
	"      a new id for a cluster\n"
	"  sluice storage format -t ID -c FILE [options]\n"
	"      makes the log directories of this node ready\n"
	"    -t, --cluster-id ID           of the cluster; the same on each of its nodes\n"
	"    -c, --config FILE             server.properties\n"
	"    -s, --standalone              a new quorum with this controller as its only voter\n"
	"    -N, --no-initial-controllers  a node that joins a quorum later\n"
	"    -g, --ignore-formatted        leave alone what is formatted already\n"
	"    -r, --release-version V       features as release V has them (4.0, 4.3-IV0)\n"
	"    -f, --feature NAME=LEVEL      may be repeated\n"
	"  sluice storage info -c FILE\n"
	"      what the log directories of this node are; exit status 1: something is wrong\n";

enum { CONFIG_BYTES_MAX = 16 << 20, FEATURES_MAX = 32 };

/* ---- what is configured ---- */

static struct config *load_config(const char *path)
{
	struct config_report report = { 0 };
	struct config *config;
	size_t size;
	void *data = cli_read_file(path, CONFIG_BYTES_MAX, &size);

	config = config_load(&(struct config_input){ .file = { data ? data : (void *)"", size },
	                                             .file_name = path },
	                     &report);
	if (report.text.size)
		fprintf(stderr, "%.*s", (int)report.text.size, (char *)report.text.data);
	config_report_fini(&report);
	mem_free(data);
	if (!config)
		exit(EXIT_FAILED);
	return config;
}

static struct config *config_wanted(struct cli *cli)
{
	const char *path = cli_option_or(cli, "--config", "-c");

	if (!path)
		cli_usage("storage: --config FILE is wanted");
	return load_config(path);
}

/* One log directory as it is found. */
struct found {
	char *path;
	struct dir *dir; /* NULL: could not be opened, or is not there */
	int err;         /* of opening it or reading its meta.properties; -ENOENT: not there */
	struct meta_properties meta;
	struct storage_error why;
};

struct found_dirs {
	struct found *item; /* in order of path */
	uint32_t count;
	struct arena arena;
};

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->path, ((const struct found *)b)->path);
}

static void look_at(struct found *f, struct arena *arena)
{
	f->err = dir_open(f->path, false, &f->dir);
	if (!f->err)
		f->err = storage_read(f->dir, arena, &f->meta, &f->why);
}

static struct found_dirs find_dirs(const struct config *c)
{
	struct config_list log_dirs = config_log_dirs(c);
	struct found_dirs d = { mem_array(log_dirs.count + 1, sizeof(*d.item)), 0, { 0 } };
	uint32_t count = 0;

	arena_init(&d.arena, SIZE_MAX);
	for (uint32_t i = 0; i < log_dirs.count; i++)
		d.item[count++].path = str_dup(log_dirs.item[i]);
	d.item[count++].path = str_dup(config_metadata_log_dir(c));
	qsort(d.item, count, sizeof(*d.item), by_path);
	for (uint32_t i = 0; i < count; i++) {
		if (d.count && !strcmp(d.item[d.count - 1].path, d.item[i].path)) {
			mem_free(d.item[i].path);
			continue;
		}
		d.item[d.count] = d.item[i];
		look_at(&d.item[d.count++], &d.arena);
	}
	return d;
}

static void put_dirs(struct found_dirs *d)
{
	for (uint32_t i = 0; i < d->count; i++) {
		dir_close(d->item[i].dir);
		mem_free(d->item[i].path);
	}
	mem_free(d->item);
	arena_fini(&d->arena);
}

/* ---- info ---- */

static void print_found(const struct found_dirs *d)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < d->count; i++)
		count += d->item[i].dir != NULL;
	if (!count)
		return;
	printf("Found log director%s:\n", count == 1 ? "y" : "ies");
	for (uint32_t i = 0; i < d->count; i++)
		if (d->item[i].dir)
			printf("  %s\n", d->item[i].path);
	putchar('\n');
}

static void print_meta(const struct meta_properties *m)
{
	char directory[UUID_TEXT_SIZE + 1];

	printf("Found metadata: {cluster.id=%.*s, ", STR_ARG(m->cluster_id));
	if (!uuid_is_zero(m->directory_id)) {
		uuid_format(m->directory_id, directory);
		printf("directory.id=%s, ", directory);
	}
	printf("node.id=%" PRId32 ", version=1}\n\n", m->node_id);
}

/* Adds to `out` what is wrong with f, if anything; `first` is the first formatted one before it. */
static bool add_problem(struct buf *out, const struct found *f, const struct meta_properties *first)
{
	size_t before = out->size;

	if (!f->dir && f->err == -ENOENT)
		buf_printf(out, "  %s does not exist\n", f->path);
	else if (!f->dir && f->err == -ENOTDIR)
		buf_printf(out, "  %s is not a directory\n", f->path);
	else if (!f->dir)
		buf_printf(out, "  %s: %s\n", f->path, strerror(-f->err));
	else if (f->err == -ENOENT)
		buf_printf(out, "  %s is not formatted.\n", f->path);
	else if (f->err)
		buf_printf(out, "  Error loading %s\n", f->why.text);
	else if (first && !str_eq(first->cluster_id, f->meta.cluster_id))
		buf_printf(out, "  Mismatched cluster IDs between storage directories.\n");
	else if (first && first->node_id != f->meta.node_id)
		buf_printf(out, "  Mismatched node IDs between storage directories.\n");
	return out->size > before;
}

static int storage_info(struct cli *cli)
{
	struct config *config = config_wanted(cli);
	struct found_dirs d;
	const struct meta_properties *first = NULL;
	struct buf problems = { 0 };
	uint32_t problem_count = 0;

	cli_done(cli);
	d = find_dirs(config);
	for (uint32_t i = 0; i < d.count; i++) {
		problem_count += add_problem(&problems, &d.item[i], first);
		if (!first && !d.item[i].err)
			first = &d.item[i].meta;
	}
	print_found(&d);
	if (first)
		print_meta(first);
	if (problem_count)
		printf("Found problem%s:\n%.*s\n", problem_count == 1 ? "" : "s",
		       (int)problems.size, (char *)problems.data);
	buf_fini(&problems);
	put_dirs(&d);
	config_put(config);
	return problem_count ? EXIT_FAILED : EXIT_OK;
}

/* ---- format ---- */

struct format {
	struct config *config;
	struct storage_format f;
	struct bootstrap_level level[FEATURES_MAX];
	bool dynamic; /* the quorum's voters are in its log, not in the config */
	bool no_initial;
	bool ignore_formatted;
};

/* A release named by --release-version, or the level that --feature metadata.version gives. */
static void choose_release(struct format *f, const char *release)
{
	f->f.metadata_version = METADATA_VERSION_LATEST;
	if (release) {
		f->f.metadata_version = metadata_version_parse(str_of(release));
		if (f->f.metadata_version)
			return;
		fprintf(stderr,
		        "sluice: Unknown metadata.version '%s'. Supported metadata.version are: ",
		        release);
		for (int16_t v = METADATA_VERSION_MIN; v <= METADATA_VERSION_LATEST; v++)
			fprintf(stderr, "%s%s", v > METADATA_VERSION_MIN ? ", " : "",
			        metadata_version_text(v));
		fputc('\n', stderr);
		exit(EXIT_FAILED);
	}
}

static struct bootstrap_level parse_feature(const char *text)
{
	const char *equals = strchr(text, '=');
	struct bootstrap_level ret;
	char *end;
	long level;

	if (!equals)
		cli_fail("Can't parse feature=level string %s: equals sign not found.", text);
	level = strtol(equals + 1, &end, 10);
	if (end == equals + 1 || *end || level < INT16_MIN || level > INT16_MAX)
		cli_fail("Can't parse feature=level string %s: unable to parse %s as a short.",
		         text, equals + 1);
	ret.name = (struct str){ text, (uint32_t)(equals - text) };
	ret.level = (int16_t)level;
	return ret;
}

static void check_kraft_version(const struct format *f, int16_t level)
{
	if (!level && f->dynamic)
		cli_fail("Cannot set kraft.version to 0 if controller.quorum.voters is empty and "
		         "one of the flags --standalone, --initial-controllers, or "
		         "--no-initial-controllers is used. For dynamic controllers support, try "
		         "removing the --feature flag for kraft.version.");
	if (level && !f->dynamic)
		cli_fail("Cannot set kraft.version to %d unless controller.quorum.voters is empty "
		         "and one of the flags --standalone, --initial-controllers, or "
		         "--no-initial-controllers is used. For dynamic controllers support, try "
		         "using one of --standalone, --initial-controllers, or "
		         "--no-initial-controllers and removing controller.quorum.voters.",
		         level);
}

static void choose_features(struct cli *cli, struct format *f, const char *release)
{
	const char *text;

	while ((text = cli_option_or(cli, "--feature", "-f"))) {
		struct bootstrap_level level = parse_feature(text);

		if (str_eq(level.name, STR(FEATURE_METADATA_VERSION))) {
			if (release)
				cli_fail("Use --release-version instead of --feature "
				         "metadata.version=X to avoid ambiguity.");
			if (!metadata_version_text(level.level))
				cli_fail("No MetadataVersion with feature level %d. Valid feature "
				         "levels are from %d to %d.",
				         level.level, METADATA_VERSION_MIN,
				         METADATA_VERSION_LATEST);
			f->f.metadata_version = level.level;
			continue;
		}
		if (str_eq(level.name, STR(FEATURE_KRAFT_VERSION)))
			check_kraft_version(f, level.level);
		if (f->f.level_count == FEATURES_MAX)
			cli_usage("storage format: at most %d features", FEATURES_MAX);
		f->level[f->f.level_count++] = level;
	}
	f->f.level = f->level;
}

/* The first of controller.listener.names, as other nodes are told to reach it. */
static void choose_controller(struct format *f)
{
	struct config_listeners l = config_listeners(f->config);
	struct config_list names = config_items(f->config, CONFIG_CONTROLLER_LISTENER_NAMES);

	if (!config_is_controller(f->config))
		cli_fail("You can only use --standalone on a controller.");
	for (uint32_t i = 0; i < l.count; i++) {
		const struct listener_config *at = &l.listener[i];

		if (!at->is_controller || !names.count || at->name.size != names.item[0].size ||
		    strncasecmp(at->name.data, names.item[0].data, at->name.size))
			continue;
		f->f.controller = (struct raft_endpoint){
			.listener = names.item[0],
			.host = at->advertised_host.size ? at->advertised_host : STR("localhost"),
			.port = at->advertised_port,
		};
		return;
	}
	cli_fail("No controller listeners found.");
}

static void choose_quorum(struct format *f)
{
	f->dynamic = !config_voters(f->config).count;
	if (!f->dynamic && f->f.standalone)
		cli_fail(
			"You cannot specify controller.quorum.voters and format the node with "
			"--initial-controllers or --standalone. If you want to use dynamic quorum, "
			"please remove controller.quorum.voters and specify "
			"controller.quorum.bootstrap.servers instead.");
	if (f->f.standalone)
		choose_controller(f);
	else if (f->dynamic && !f->no_initial && config_is_controller(f->config))
		cli_fail("Because controller.quorum.voters is not set on this controller, you must "
		         "specify one of the following: --standalone, --initial-controllers, or "
		         "--no-initial-controllers.");
}

/* As Kafka prints its list of records. */
static void print_bootstrap(const struct format *f)
{
	struct bootstrap_level *level;
	struct arena arena;
	struct str why;
	size_t count;

	arena_init(&arena, SIZE_MAX);
	if (bootstrap_levels(&arena, f->f.metadata_version, f->f.level, f->f.level_count, &level,
	                     &count, &why))
		cli_fail("%.*s", STR_ARG(why));
	printf("Bootstrap metadata: BootstrapMetadata(records=[");
	for (size_t i = 0; i < count; i++)
		printf("%sApiMessageAndVersion(FeatureLevelRecord(name='%.*s', featureLevel=%d) at "
		       "version 0)",
		       i ? ", " : "", STR_ARG(level[i].name), level[i].level);
	printf("], metadataVersionLevel=%d, source=format command)\n", f->f.metadata_version);
	arena_fini(&arena);
}

static void say_formatting(const struct storage_format *f, const char *path, bool for_metadata)
{
	const char *kind = "data directory";

	if (for_metadata)
		kind = f->standalone ? "dynamic metadata voter directory" : "metadata directory";
	printf("Formatting %s %s with metadata.version %s.\n", kind, path,
	       metadata_version_text(f->metadata_version));
}

/* The directories that can be read, the one for metadata first; those not there are left out. */
static uint32_t known_dirs(const struct format *f, const struct found_dirs *d, struct dir **ret)
{
	struct str metadata = config_metadata_log_dir(f->config);
	uint32_t count = 0;

	for (uint32_t i = 0; i < d->count; i++) {
		struct dir *dir = d->item[i].dir;

		if (!dir || (d->item[i].err && d->item[i].err != -ENOENT))
			continue;
		ret[count] = dir;
		if (str_eq(str_of(d->item[i].path), metadata)) {
			ret[count] = ret[0];
			ret[0] = dir;
		}
		count++;
	}
	return count;
}

/* False: none is left to be formatted. */
static bool look_over(const struct format *f, struct found_dirs *d)
{
	struct str metadata = config_metadata_log_dir(f->config);
	uint32_t missing = 0;
	uint32_t bad = 0;

	for (uint32_t i = 0; i < d->count; i++) {
		const struct found *at = &d->item[i];

		missing += at->err == -ENOENT;
		if (!at->err || at->err == -ENOENT)
			continue;
		bad++;
		if (str_eq(str_of(at->path), metadata) && at->dir)
			cli_fail("%s", at->why.text);
		if (str_eq(str_of(at->path), metadata))
			cli_fail("%s: %s", at->path, strerror(-at->err));
		printf("I/O error trying to read log directory %s. Ignoring...\n", at->path);
	}
	if (bad == d->count)
		cli_fail("No available log directories to format.");
	return missing;
}

static void make_missing(struct found_dirs *d)
{
	for (uint32_t i = 0; i < d->count; i++) {
		struct found *at = &d->item[i];
		int err = at->dir || at->err != -ENOENT ? 0 : dir_open(at->path, true, &at->dir);

		if (err)
			cli_fail("%s: %s", at->path, strerror(-err));
	}
}

static void format_dirs(struct format *f)
{
	struct found_dirs d = find_dirs(f->config);
	struct dir **dir = mem_array(d.count, sizeof(struct dir *));
	struct storage_error why = { "" };
	uint32_t formatted;

	if (storage_check(dir, known_dirs(f, &d, dir), &f->f, !f->ignore_formatted, &why))
		cli_fail("%s", why.text);
	if (look_over(f, &d)) {
		print_bootstrap(f);
		make_missing(&d);
		if (storage_format(dir, known_dirs(f, &d, dir), &f->f, false, &formatted, &why))
			cli_fail("%s", why.text);
	} else {
		puts("All of the log directories are already formatted.");
	}
	mem_free(dir);
	put_dirs(&d);
}

static int storage_format_command(struct cli *cli)
{
	struct format f = { .f.formatting = say_formatting };
	const char *cluster_id = cli_option_or(cli, "--cluster-id", "-t");
	const char *release = cli_option_or(cli, "--release-version", "-r");

	f.f.standalone = cli_flag_or(cli, "--standalone", "-s");
	f.no_initial = cli_flag_or(cli, "--no-initial-controllers", "-N");
	f.ignore_formatted = cli_flag_or(cli, "--ignore-formatted", "-g");
	if (cli_option_or(cli, "--initial-controllers", "-I"))
		cli_usage("storage format: --initial-controllers is not supported yet; a quorum "
		          "has one voter: --standalone");
	if (cli_option_or(cli, "--add-scram", "-S"))
		cli_usage("storage format: --add-scram is not supported yet");
	if (f.f.standalone && f.no_initial)
		cli_usage("storage format: --standalone and --no-initial-controllers exclude each "
		          "other");
	if (!cluster_id || !*cluster_id)
		cli_usage("storage format: --cluster-id ID is wanted (sluice storage random-uuid "
		          "makes one)");
	f.config = config_wanted(cli);
	f.f.cluster_id = str_of(cluster_id);
	f.f.node_id = config_int(f.config, CONFIG_NODE_ID);
	choose_release(&f, release);
	choose_quorum(&f);
	choose_features(cli, &f, release);
	cli_done(cli);
	format_dirs(&f);
	config_put(f.config);
	return EXIT_OK;
}

static int storage_uuid(struct cli *cli)
{
	char text[UUID_TEXT_SIZE + 1];

	cli_done(cli);
	uuid_format(storage_random_uuid(), text);
	puts(text);
	return EXIT_OK;
}

int cmd_storage(struct cli *cli)
{
	static const struct cli_command sub[] = {
		{ "random-uuid", storage_uuid, NULL },
		{ "format", storage_format_command, NULL },
		{ "info", storage_info, NULL },
	};

	return cli_run(cli, "storage", sub, sizeof(sub) / sizeof(sub[0]));
}
