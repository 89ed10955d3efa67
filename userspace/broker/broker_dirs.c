/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "broker/diag.h"
#include "broker/storage.h"
#include "broker_private.h"
#include "core/metadata_record.h"

/* ---- opening ---- */

static int open_dir(struct broker_dirs *dirs, struct str path, bool has_logs,
                    struct broker_error *why)
{
	char *name = str_dup(path);
	struct broker_dir *d = NULL;
	int err;

	for (uint32_t i = 0; i < dirs->count && !d; i++)
		if (!strcmp(dir_path(dirs->at[i].dir), name))
			d = &dirs->at[i];
	if (d) { /* named twice, or both for metadata and logs */
		d->has_logs |= has_logs;
		mem_free(name);
		return 0;
	}
	d = &dirs->at[dirs->count];
	err = dir_open(name, true, &d->dir);
	if (err) {
		err = broker_fail(why, err, "%s: %s", name, strerror(-err));
		mem_free(name);
		return err;
	}
	dirs->count++;
	d->has_logs = has_logs;
	err = dir_lock(d->dir);
	if (err == -EWOULDBLOCK)
		err = broker_fail(why, err, "%s is in use by another broker", name);
	else if (err)
		err = broker_fail(why, err, "%s/.lock: %s", name, strerror(-err));
	mem_free(name);
	return err;
}

static int open_all(const struct config *c, struct broker_dirs *dirs, struct broker_error *why)
{
	struct config_list logs = config_log_dirs(c);
	int err;

	dirs->at = mem_array(logs.count + 1, sizeof(*dirs->at));
	err = open_dir(dirs, config_metadata_log_dir(c), false, why);
	for (uint32_t i = 0; i < logs.count && !err; i++)
		err = open_dir(dirs, logs.item[i], true, why);
	return err;
}

/* ---- formatting ---- */

#define METADATA_DIR "__cluster_metadata-0"

struct contents {
	struct dir *dir;
	char name[64]; /* of something that neither a fresh directory has nor a begun formatting */
};

static bool ends_with(const char *name, const char *end)
{
	size_t size = strlen(name);

	return size >= strlen(end) && !strcmp(name + size - strlen(end), end);
}

static void look_in_metadata(void *arg, const struct dir_entry *e)
{
	struct contents *c = arg;

	if (strcmp(e->name, "00000000000000000000-0000000000.checkpoint") &&
	    !ends_with(e->name, ".tmp") && !c->name[0])
		snprintf(c->name, sizeof(c->name), METADATA_DIR "/%.40s", e->name);
}

/* A crash while formatting is no reason to refuse: meta.properties comes last. */
static void look_at_entry(void *arg, const struct dir_entry *e)
{
	struct contents *c = arg;

	if (c->name[0] || !strcmp(e->name, ".lock") || !strcmp(e->name, "lost+found") ||
	    !strcmp(e->name, "bootstrap.checkpoint") || ends_with(e->name, ".tmp"))
		return;
	if (!strcmp(e->name, METADATA_DIR) && !dir_list(c->dir, e->name, look_in_metadata, c))
		return;
	snprintf(c->name, sizeof(c->name), "%.60s", e->name);
}

/* Logs whose meta.properties is lost must not become strays of a new cluster. */
static int refuse_lost_identity(struct dir *dir, struct broker_error *why)
{
	struct contents contents = { .dir = dir };
	struct meta_properties m;
	struct storage_error ignored;
	struct arena arena;
	int err;

	arena_init(&arena, SIZE_MAX);
	err = storage_read(dir, &arena, &m, &ignored);
	arena_fini(&arena);
	if (err != -ENOENT)
		return 0; /* it is there; storage_format() looks at it */
	err = dir_list(dir, "", look_at_entry, &contents);
	if (err)
		return broker_fail(why, err, "%s: %s", dir_path(dir), strerror(-err));
	if (!contents.name[0])
		return 0;
	return broker_fail(why, -EEXIST,
	                   "%s has no meta.properties and is not empty (%s): not formatting it; "
	                   "restore the file, or use an empty directory",
	                   dir_path(dir), contents.name);
}

static struct raft_endpoint controller_endpoint(const struct config *c, char *host, size_t size)
{
	struct config_listeners l = config_listeners(c);

	for (uint32_t i = 0; i < l.count; i++) {
		const struct listener_config *at = &l.listener[i];

		if (!at->is_controller)
			continue;
		if (at->advertised_host.size)
			return (struct raft_endpoint){ at->name, at->advertised_host,
				                       at->advertised_port };
		host_name(host, size);
		return (struct raft_endpoint){ at->name, str_of(host), at->port };
	}
	return (struct raft_endpoint){ .port = 0 };
}

static int format(const struct config *c, struct broker_dirs *dirs, struct broker_error *why)
{
	struct dir **dir = mem_array(dirs->count, sizeof(struct dir *));
	struct storage_error reason;
	char host[256];
	struct storage_format f = {
		.node_id = config_int(c, CONFIG_NODE_ID),
		.metadata_version = METADATA_VERSION_LATEST,
		.standalone = !config_voters(c).count,
		.controller = controller_endpoint(c, host, sizeof(host)),
	};
	uint32_t formatted = 0;
	int err = 0;

	for (uint32_t i = 0; i < dirs->count && !err; i++) {
		dir[i] = dirs->at[i].dir;
		err = refuse_lost_identity(dir[i], why);
	}
	if (!err) {
		err = storage_format(dir, dirs->count, &f, false, &formatted, &reason);
		if (err)
			broker_fail(why, err, "%s", reason.text);
	}
	dirs->was_formatted = formatted;
	mem_free(dir);
	return err;
}

/* ---- what they say ---- */

static int look(struct broker_dirs *dirs, struct broker_error *why)
{
	for (uint32_t i = 0; i < dirs->count; i++) {
		struct broker_dir *d = &dirs->at[i];
		struct log_dir_state state;
		struct meta_properties m;
		struct storage_error reason;
		struct arena arena;
		int err;

		arena_init(&arena, SIZE_MAX);
		err = storage_read(d->dir, &arena, &m, &reason);
		if (!err)
			d->id = m.directory_id;
		arena_fini(&arena);
		if (err)
			return broker_fail(why, err, "%s", reason.text);
		err = log_dir_look(d->dir, &state);
		if (err)
			return broker_fail(why, err, "%s: %s", dir_path(d->dir), strerror(-err));
		d->recovery = state.recovery;
		if (i == 0)
			dirs->previous_broker_epoch = state.broker_epoch;
		else if (state.broker_epoch != dirs->previous_broker_epoch)
			dirs->previous_broker_epoch = -1;
	}
	return 0;
}

static int begin(struct broker_dirs *dirs, struct broker_error *why)
{
	for (uint32_t i = 0; i < dirs->count; i++) {
		int err = log_dir_begin(dirs->at[i].dir);

		if (err)
			return broker_fail(why, err, "%s: %s", dir_path(dirs->at[i].dir),
			                   strerror(-err));
	}
	return 0;
}

int broker_dirs_open(const struct config *c, struct broker_dirs *ret, struct broker_error *why)
{
	struct broker_dirs dirs = { .previous_broker_epoch = -1 };
	int err = open_all(c, &dirs, why);

	if (!err)
		err = format(c, &dirs, why);
	if (!err)
		err = look(&dirs, why);
	if (!err)
		err = begin(&dirs, why);
	if (err) {
		broker_dirs_close(&dirs);
		return err;
	}
	*ret = dirs;
	return 0;
}

/* ---- the end ---- */

int broker_dirs_end(struct broker_dirs *dirs, const int *err, int64_t broker_epoch)
{
	int worst = 0;

	for (uint32_t i = 0; i < dirs->count; i++) {
		int e = err[i] ? err[i] : log_dir_end(dirs->at[i].dir, broker_epoch);

		/* Nothing is wrong with what nobody has opened yet. */
		if (e == -EAGAIN) {
			diag_warn("broker",
			          "%s: stopped before all of its logs were open: the next start "
			          "looks at them",
			          dir_path(dirs->at[i].dir));
		} else if (e) {
			diag_error("broker", "%s is not closed cleanly: %s",
			           dir_path(dirs->at[i].dir), strerror(-e));
			worst = e;
		}
	}
	return worst;
}

void broker_dirs_close(struct broker_dirs *dirs)
{
	for (uint32_t i = 0; i < dirs->count; i++)
		dir_close(dirs->at[i].dir);
	mem_free(dirs->at);
	*dirs = (struct broker_dirs){ 0 };
}
