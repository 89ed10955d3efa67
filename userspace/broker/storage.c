/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/storage.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/reactor.h"

#define METADATA_DIR "__cluster_metadata-0"

enum { PROPERTIES_MAX = 64 * 1024 };

__attribute__((format(printf, 3, 4))) static int fail(struct storage_error *why, int err,
                                                      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return err;
}

struct uuid storage_random_uuid(void)
{
	char text[UUID_TEXT_SIZE + 1];
	struct uuid id;

	do {
		random_bytes(&id, sizeof(id));
		/* As java.util.UUID.randomUUID(): version 4, variant 2. */
		id.byte[6] = (id.byte[6] & 0x0f) | 0x40;
		id.byte[8] = (id.byte[8] & 0x3f) | 0x80;
		uuid_format(id, text);
	} while (uuid_is_reserved(id) || text[0] == '-');
	return id;
}

int storage_read(struct dir *dir, struct arena *arena, struct meta_properties *ret,
                 struct storage_error *why)
{
	void *data;
	size_t size;
	struct str text;
	int err = dir_read(dir, "meta.properties", PROPERTIES_MAX, &data, &size);

	if (err == -ENOENT)
		return err;
	if (err)
		return fail(why, err, "%s/meta.properties: %s", dir_path(dir), strerror(-err));
	text = arena_str(arena, (struct str){ data, (uint32_t)size });
	mem_free(data);
	if (!text.data || meta_properties_decode(text, ret))
		return fail(why, -EBADMSG,
		            "%s/meta.properties is not of version 1 with cluster.id and node.id",
		            dir_path(dir));
	return 0;
}

static int write_file(struct dir *dir, const char *name, const struct buf *data,
                      struct storage_error *why)
{
	int err = dir_replace(dir, name, data->data, data->size, true);

	return err ? fail(why, err, "%s/%s: %s", dir_path(dir), name, strerror(-err)) : 0;
}

static int write_bootstrap(struct dir *dir, const struct storage_format *f, int64_t now_ms,
                           struct storage_error *why)
{
	struct bootstrap_level *level;
	const struct span *record;
	struct arena arena;
	struct buf file = { 0 };
	struct str reason;
	size_t count;
	int err;

	arena_init(&arena, SIZE_MAX);
	err = bootstrap_levels(&arena, f->metadata_version, f->level, f->level_count, &level,
	                       &count, &reason);
	if (err) {
		err = fail(why, err, "%.*s", STR_ARG(reason));
	} else {
		record = bootstrap_records(&arena, level, count, &count);
		bootstrap_checkpoint(&file, record, count, now_ms);
		err = write_file(dir, "bootstrap.checkpoint", &file, why);
	}
	buf_fini(&file);
	arena_fini(&arena);
	return err;
}

static int write_voters(struct dir *dir, const struct storage_format *f, struct uuid directory_id,
                        int64_t now_ms, struct storage_error *why)
{
	struct raft_quorum quorum = { .kraft_version = 1, .voters_offset = -1, .voter_count = 1 };
	struct buf file = { 0 };
	int err = dir_mkdir(dir, METADATA_DIR);

	if (err && err != -EEXIST)
		return fail(why, err, "%s/%s: %s", dir_path(dir), METADATA_DIR, strerror(-err));
	quorum.voter[0] = (struct raft_voter){
		.id = f->node_id,
		.directory_id = directory_id,
		.endpoint_count = 1,
		.endpoint = { f->controller },
		.kraft_version_max = 1,
	};
	bootstrap_quorum_checkpoint(&file, &quorum, now_ms);
	err = write_file(dir, METADATA_DIR "/00000000000000000000-0000000000.checkpoint", &file,
	                 why);
	buf_fini(&file);
	return err;
}

/* meta.properties is what makes a directory formatted, so it is written last. */
static int format_dir(struct dir *dir, bool for_metadata, const struct storage_format *f,
                      struct str cluster_id, struct storage_error *why)
{
	struct meta_properties m = { cluster_id, f->node_id, storage_random_uuid() };
	struct buf file = { 0 };
	int64_t now_ms = wall_ms();
	int err;

	if (f->formatting)
		f->formatting(f, dir_path(dir), for_metadata);
	err = write_bootstrap(dir, f, now_ms, why);
	if (!err && for_metadata && f->standalone)
		err = write_voters(dir, f, m.directory_id, now_ms, why);
	if (err)
		return err;
	meta_properties_encode(&m, now_ms, &file);
	err = write_file(dir, "meta.properties", &file, why);
	buf_fini(&file);
	return err;
}

struct format_run {
	struct dir *const *dir;
	uint32_t count;
	const struct storage_format *f;
	struct arena arena;
	struct str cluster_id;       /* data NULL: not known yet */
	const struct dir *formatted; /* the first that is, NULL when none */
	uint32_t missing;
};

/* What formatted directories say must agree with each other and with what is asked for. */
static int check_dirs(struct format_run *run, struct storage_error *why)
{
	struct meta_properties m;

	for (uint32_t i = 0; i < run->count; i++) {
		const struct dir *dir = run->dir[i];
		int err = storage_read(run->dir[i], &run->arena, &m, why);

		if (err == -ENOENT) {
			run->missing++;
			continue;
		}
		if (err)
			return err;
		if (!run->formatted)
			run->formatted = dir;
		if (m.node_id != run->f->node_id)
			return fail(why, -EINVAL, "%s belongs to node %d, not %d", dir_path(dir),
			            m.node_id, run->f->node_id);
		if (run->cluster_id.data && !str_eq(run->cluster_id, m.cluster_id))
			return fail(why, -EINVAL, "%s belongs to cluster %.*s, not %.*s",
			            dir_path(dir), STR_ARG(m.cluster_id), STR_ARG(run->cluster_id));
		run->cluster_id = m.cluster_id;
	}
	return 0;
}

static int format_missing(struct format_run *run, struct storage_error *why)
{
	char text[UUID_TEXT_SIZE + 1];
	struct meta_properties m;

	if (!run->cluster_id.data) {
		uuid_format(storage_random_uuid(), text);
		run->cluster_id = str_of(text);
	}
	for (uint32_t i = 0; i < run->count; i++) {
		int err = storage_read(run->dir[i], &run->arena, &m, why);

		if (err == -ENOENT)
			err = format_dir(run->dir[i], i == 0, run->f, run->cluster_id, why);
		if (err)
			return err;
	}
	return 0;
}

static int check_all(struct format_run *run, bool fresh, struct storage_error *why)
{
	int err = check_dirs(run, why);

	if (!err && fresh && run->formatted)
		err = fail(
			why, -EEXIST,
			"Log directory %s is already formatted. Use --ignore-formatted to ignore "
			"this directory and format the others.",
			dir_path(run->formatted));
	return err;
}

int storage_check(struct dir *const *dir, uint32_t dir_count, const struct storage_format *f,
                  bool fresh, struct storage_error *why)
{
	struct format_run run = { dir, dir_count, f, .cluster_id = f->cluster_id };
	int err;

	arena_init(&run.arena, SIZE_MAX);
	err = check_all(&run, fresh, why);
	arena_fini(&run.arena);
	return err;
}

int storage_format(struct dir *const *dir, uint32_t dir_count, const struct storage_format *f,
                   bool fresh, uint32_t *ret_formatted, struct storage_error *why)
{
	struct format_run run = { dir, dir_count, f, .cluster_id = f->cluster_id };
	int err;

	arena_init(&run.arena, SIZE_MAX);
	err = check_all(&run, fresh, why);
	if (!err)
		err = format_missing(&run, why);
	arena_fini(&run.arena);
	if (!err)
		*ret_formatted = run.missing;
	return err;
}
