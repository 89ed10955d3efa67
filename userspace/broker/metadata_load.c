/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "broker/scram.h"
#include "broker/storage.h"
#include "core/feature.h"
#include "core/metadata_record.h"
#include "metadata_private.h"

enum {
	SNAPSHOT_BYTES_MAX = 1 << 30,
	STATE_BYTES_MAX = 64 * 1024,
	READ_BYTES = 1 << 20,
};

__attribute__((format(printf, 3, 4))) static int fail(struct metadata_error *why, int err,
                                                      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return err;
}

/* ---- identity ---- */

static int format_if_new(const struct metadata_options *o, struct storage_error *why)
{
	struct dir *dir[1] = { o->dir };
	uint32_t formatted;
	struct storage_format f = {
		.cluster_id = o->cluster_id,
		.node_id = o->node_id,
		.metadata_version = METADATA_VERSION_LATEST,
		.standalone = true,
		.controller = { o->controller[0].name, o->controller[0].host,
		                o->controller[0].port },
	};

	return storage_format(dir, 1, &f, false, &formatted, why);
}

static int load_identity(struct metadata *m, struct metadata_error *why)
{
	struct storage_error reason = { "" };
	struct meta_properties props;
	int err = format_if_new(&m->options, &reason);

	if (!err)
		err = storage_read(m->options.dir, &m->arena, &props, &reason);
	if (err)
		return fail(why, err, "%s", reason.text);
	if (uuid_is_zero(props.directory_id))
		return fail(why, -EINVAL, "%s/meta.properties has no directory.id",
		            dir_path(m->options.dir));
	m->cluster_id = props.cluster_id;
	m->directory_id = props.directory_id;
	return 0;
}

/* Without the file Kafka knows of no feature but metadata.version. */
static int load_bootstrap(struct metadata *m, struct metadata_error *why)
{
	struct bootstrap_level level = { STR(FEATURE_METADATA_VERSION), METADATA_VERSION_LATEST };
	struct span file;
	void *data;
	size_t size;
	int err =
		dir_read(m->options.dir, "bootstrap.checkpoint", SNAPSHOT_BYTES_MAX, &data, &size);

	if (err == -ENOENT) {
		m->bootstrap = bootstrap_records(&m->arena, &level, 1, &m->bootstrap_count);
		return 0;
	}
	if (err)
		return fail(why, err, "bootstrap.checkpoint cannot be read");
	file = (struct span){ arena_alloc(&m->arena, size), size };
	memcpy((uint8_t *)(uintptr_t)file.data, data, size);
	mem_free(data);
	err = bootstrap_read(&m->arena, file, &m->bootstrap, &m->bootstrap_count);
	return err ? fail(why, err, "bootstrap.checkpoint is damaged") : 0;
}

/* ---- snapshot and log ---- */

static int replay_bytes(struct metadata *m, struct span bytes, int64_t from, bool check_crc,
                        size_t *ret_used, struct metadata_error *why)
{
	struct image_apply_error reason = { "" };
	struct batch b;
	size_t used = 0;

	while (used < bytes.size) {
		int err = batch_parse((struct span){ bytes.data + used, bytes.size - used }, &b);

		if (err == -EAGAIN)
			break;
		if (err || (check_crc && !batch_crc_ok(&b)))
			return fail(why, -EBADMSG, "%s is damaged", METADATA_LOG);
		used += b.size;
		if (b.base_offset < from)
			continue;
		if (metadata_replay_batch(&m->replay, &b, &reason) != IMAGE_APPLIED)
			return fail(why, -EBADMSG, "%s: %s", METADATA_LOG, reason.text);
	}
	*ret_used = used;
	return 0;
}

static void find_newest(void *arg, const struct dir_entry *e)
{
	struct raft_snapshot_id *newest = arg;
	struct raft_snapshot_id id;

	if (!e->is_dir && raft_snapshot_parse(str_of(e->name), &id) &&
	    (id.end_offset > newest->end_offset ||
	     (id.end_offset == newest->end_offset && id.epoch > newest->epoch)))
		*newest = id;
}

/* *ret->end_offset is -1 when there is none. */
static int load_snapshot(struct metadata *m, struct raft_snapshot_id *ret,
                         struct metadata_error *why)
{
	char path[sizeof(METADATA_LOG) + RAFT_SNAPSHOT_NAME_SIZE + 1];
	char name[RAFT_SNAPSHOT_NAME_SIZE];
	struct image_apply_error reason = { "" };
	void *data;
	size_t size;
	size_t used;
	int err;

	*ret = (struct raft_snapshot_id){ -1, -1 };
	err = dir_list(m->options.dir, METADATA_LOG, find_newest, ret);
	if (err == -ENOENT || (!err && ret->end_offset < 0))
		return 0;
	if (err)
		return fail(why, err, "%s cannot be listed", METADATA_LOG);
	raft_snapshot_name(*ret, name);
	snprintf(path, sizeof(path), "%s/%s", METADATA_LOG, name);
	err = dir_read(m->options.dir, path, SNAPSHOT_BYTES_MAX, &data, &size);
	if (err)
		return fail(why, err, "%s cannot be read", path);
	metadata_replay_snapshot(&m->replay, *ret);
	err = replay_bytes(m, (struct span){ data, size }, 0, true, &used, why);
	if (!err && (used < size ||
	             metadata_replay_snapshot_end(&m->replay, *ret, &reason) != IMAGE_APPLIED))
		err = fail(why, -EBADMSG, "%s is cut short", path);
	mem_free(data);
	return err;
}

static void unpark(void *arg)
{
	struct metadata *m = arg;

	strand_unpark(&m->strand);
}

static void published(void *arg, struct log_mark end, uint64_t bytes)
{
	(void)arg;
	(void)end;
	(void)bytes;
}

static void log_failed(void *arg, int err)
{
	(void)err;
	metadata_halt(arg,
	              "the metadata log cannot be written: its directory is not to be trusted any "
	              "more");
}

static int open_log(struct metadata *m, struct metadata_error *why)
{
	struct log_recovered recovered;
	const struct log_options o = {
		.dir = m->options.dir,
		.name = METADATA_LOG,
		.config = m->options.log,
		.recovery = m->options.recovery,
		.now_ms = wall_ms(),
		.unpark = unpark,
		.published = published,
		.failed = log_failed,
		.arg = m,
	};
	struct uuid topic_id;
	int err = log_topic_id(m->options.dir, METADATA_LOG, &topic_id);

	if (err == -ENOENT || err == -EBADMSG)
		err = log_create(m->options.dir, METADATA_LOG, UUID_METADATA_TOPIC, false);
	if (err == -EEXIST)
		err = log_identify(m->options.dir, METADATA_LOG, UUID_METADATA_TOPIC, false);
	if (!err)
		err = log_open(&o, &m->log, &recovered);
	return err ? fail(why, err, "%s cannot be opened", METADATA_LOG) : 0;
}

/* One stretch of the log from `offset` on; *ret_next is where the next begins. */
static int replay_slice(struct metadata *m, struct buf *bytes, int64_t offset, int64_t *ret_next,
                        struct metadata_error *why)
{
	struct log_mark end = log_end_mark(m->log);
	struct log_slice slice;
	ssize_t got;
	size_t used;
	int err = log_locate(m->log, log_view(m->log), offset, READ_BYTES, true, end, true, &slice);

	if (err)
		return fail(why, err, "%s cannot be read at offset %lld", METADATA_LOG,
		            (long long)offset);
	if (!slice.file)
		return fail(why, -EBADMSG, "%s ends early", METADATA_LOG);
	bytes->size = 0;
	buf_extend(bytes, slice.size);
	got = file_read(slice.file, bytes->data, slice.size, slice.position);
	file_put(slice.file);
	if (got != (ssize_t)slice.size)
		return fail(why, got < 0 ? (int)got : -EBADMSG, "%s cannot be read", METADATA_LOG);
	err = replay_bytes(m, (struct span){ bytes->data, bytes->size }, offset, false, &used, why);
	if (err)
		return err;
	*ret_next = m->replay.image->offset + 1;
	if (*ret_next <= offset)
		return fail(why, -EBADMSG, "%s holds no batch at offset %lld", METADATA_LOG,
		            (long long)offset);
	raft_snapshot_count(&m->snapshots, used);
	return 0;
}

static int replay_log(struct metadata *m, int64_t from, struct metadata_error *why)
{
	struct buf bytes = { 0 };
	int64_t offset = from;
	int err = 0;

	if (log_end_offset(m->log) < from) {
		m->restart_at = from;
		return 0;
	}
	if (log_start_offset(m->log) > from)
		return fail(why, -EBADMSG, "%s begins at %lld, after its newest snapshot",
		            METADATA_LOG, (long long)log_start_offset(m->log));
	while (!err && offset < log_end_offset(m->log))
		err = replay_slice(m, &bytes, offset, &offset, why);
	buf_fini(&bytes);
	return err;
}

/* ---- raft ---- */

static struct raft_voter self_voter(const struct metadata *m)
{
	const struct metadata_options *o = &m->options;
	struct raft_voter self = {
		.id = o->node_id,
		.directory_id = m->directory_id,
		.kraft_version_max = 1,
	};

	for (uint32_t i = 0; i < o->controller_count && i < RAFT_ENDPOINTS_MAX; i++)
		self.endpoint[self.endpoint_count++] =
			(struct raft_endpoint){ o->controller[i].name, o->controller[i].host,
			                        o->controller[i].port };
	return self;
}

static int load_election(struct metadata *m, struct raft_election *ret, bool *ret_found,
                         struct metadata_error *why)
{
	void *data;
	size_t size;
	int err = dir_read(m->options.dir, METADATA_LOG "/quorum-state", STATE_BYTES_MAX, &data,
	                   &size);

	*ret_found = !err;
	if (err == -ENOENT)
		return 0;
	if (err)
		return fail(why, err, "quorum-state cannot be read");
	err = raft_election_decode((struct str){ data, (uint32_t)size }, ret);
	mem_free(data);
	return err ? fail(why, err, "quorum-state is damaged") : 0;
}

static int start_raft(struct metadata *m, struct metadata_error *why)
{
	struct raft_voter self = self_voter(m);
	struct raft_quorum quorum = m->replay.quorum;
	struct raft_election election;
	bool found;
	int err = load_election(m, &election, &found, why);

	if (err)
		return err;
	/* kraft.version 0: the voters are configured, and this node is configured as the only one.
	 */
	if (!quorum.kraft_version && !quorum.voter_count) {
		quorum.voter[quorum.voter_count++] = self;
		quorum.voter[0].directory_id = UUID_ZERO;
	}
	raft_init(&m->raft, &self, &quorum);
	raft_step(&m->raft,
	          &(struct raft_event){
			  .type = RAFT_START,
			  .election = found ? &election : NULL,
			  .end = { m->restart_at >= 0 ? m->restart_at : log_end_offset(m->log),
	                           m->replay.image->epoch } },
	          &m->first_wants);
	if (m->first_wants.want[0].type == RAFT_REFUSE)
		return fail(why, -EINVAL, "%s", m->first_wants.want[0].reason);
	return 0;
}

static void new_controller(struct metadata *m)
{
	const struct metadata_options *o = &m->options;
	struct controller_options c = {
		.node_id = o->node_id,
		.cluster_id = m->cluster_id,
		.default_partition_count = o->default_partition_count,
		.default_replication_factor = o->default_replication_factor,
		.default_min_isr = o->default_min_isr,
		.session_timeout_ms = o->session_timeout_ms,
		.idle_interval_ms = o->idle_interval_ms,
		.imbalance_check_ms = o->imbalance_check_ms,
		.kraft_version_1 = m->raft.quorum.kraft_version >= 1,
		.rules = o->rules,
		.random = metadata_random,
		.scram_keys = scram_keys,
	};

	m->controller = controller_new(&c);
}

static int load(struct metadata *m, struct metadata_error *why)
{
	struct image_apply_error reason;
	struct raft_snapshot_id snapshot;
	int err = load_identity(m, why);

	if (!err)
		err = load_bootstrap(m, why);
	if (!err)
		err = load_snapshot(m, &snapshot, why);
	if (!err)
		err = open_log(m, why);
	if (!err)
		err = replay_log(m, snapshot.end_offset < 0 ? 0 : snapshot.end_offset, why);
	if (!err && image_unsupported(m->replay.image, &reason))
		err = fail(why, -EINVAL, "this cluster is ahead of us: %s", reason.text);
	if (!err)
		err = start_raft(m, why);
	if (!err)
		new_controller(m);
	return err;
}

int metadata_open(const struct metadata_options *options, struct metadata **ret,
                  struct metadata_error *why)
{
	struct metadata *m = metadata_new(options);
	int err = load(m, why);

	if (err) {
		metadata_free(m);
		return err;
	}
	*ret = m;
	return 0;
}
