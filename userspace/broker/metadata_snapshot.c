/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/mem.h"
#include "metadata_private.h"

/*
 * Snapshots are written by a job from a published image while the strand goes on.  Older ones go
 * when log and snapshots together are over metadata.max.retention.bytes, or the next one is older
 * than metadata.max.retention.ms; the log then begins where the oldest snapshot left ends
 * (KafkaRaftLog.maybeClean).
 */
enum { SNAPSHOTS_MAX = 64 };

struct snapshot_file {
	struct raft_snapshot_id id;
	uint64_t size;
};

struct snapshot_list {
	struct snapshot_file file[SNAPSHOTS_MAX]; /* ascending: names sort as offsets do */
	uint32_t count;
};

static void add_emitted(void *arg, struct span value)
{
	checkpoint_add(arg, value);
}

static void path_of(struct raft_snapshot_id id, char *path, size_t size)
{
	char name[RAFT_SNAPSHOT_NAME_SIZE];

	raft_snapshot_name(id, name);
	snprintf(path, size, "%s/%s", METADATA_LOG, name);
}

static int write_snapshot(struct snapshot_job *job)
{
	const struct image *image = job->image;
	char path[sizeof(METADATA_LOG) + RAFT_SNAPSHOT_NAME_SIZE + 1];
	struct buf file = { 0 };
	struct checkpoint c;
	int err;

	checkpoint_begin(&c, &file,
	                 &(struct checkpoint_options){ .epoch = image->epoch,
	                                               .wall_ms = wall_ms(),
	                                               .last_contained_ms = image->append_ms,
	                                               .quorum = &job->quorum });
	image_snapshot(image, add_emitted, &c);
	checkpoint_end(&c);
	path_of((struct raft_snapshot_id){ image->offset + 1, image->epoch }, path, sizeof(path));
	err = dir_replace(job->metadata->options.dir, path, file.data, file.size, true);
	buf_fini(&file);
	return err;
}

static void list_snapshot(void *arg, const struct dir_entry *e)
{
	struct snapshot_list *list = arg;
	struct snapshot_file file = { .size = e->size };

	if (!e->is_dir && list->count < SNAPSHOTS_MAX &&
	    raft_snapshot_parse(str_of(e->name), &file.id))
		list->file[list->count++] = file;
}

/* When the newest record that the snapshot stands for was written; 0 when that cannot be told. */
static int64_t snapshot_time(struct dir *dir, struct raft_snapshot_id id)
{
	char path[sizeof(METADATA_LOG) + RAFT_SNAPSHOT_NAME_SIZE + 1];
	uint8_t head[256];
	struct metadata_replay replay;
	struct file *file;
	struct batch b;
	ssize_t got;
	int64_t time_ms = 0;

	path_of(id, path, sizeof(path));
	if (file_open(dir, path, FILE_READ, &file))
		return 0;
	got = file_read(file, head, sizeof(head), 0);
	file_put(file);
	metadata_replay_init(&replay);
	metadata_replay_snapshot(&replay, id);
	if (got > 0 && !batch_parse((struct span){ head, (size_t)got }, &b) &&
	    metadata_replay_batch(&replay, &b, NULL) == IMAGE_APPLIED)
		time_ms = replay.last_contained_ms;
	metadata_replay_fini(&replay);
	return time_ms;
}

static bool is_over_retention(const struct snapshot_job *job, uint64_t bytes,
                              struct raft_snapshot_id next)
{
	const struct metadata_options *o = &job->metadata->options;
	int64_t next_ms;

	if (bytes > o->retention_bytes)
		return true;
	next_ms = snapshot_time(o->dir, next);
	return next_ms && o->retention_ms && wall_ms() - next_ms > (int64_t)o->retention_ms;
}

/* The newest stays whatever it costs. */
static int delete_old(struct snapshot_job *job)
{
	struct dir *dir = job->metadata->options.dir;
	struct snapshot_list list = { .count = 0 };
	uint64_t bytes = job->log_bytes;
	int err = dir_list(dir, METADATA_LOG, list_snapshot, &list);

	for (uint32_t i = 0; i < list.count; i++)
		bytes += list.file[i].size;
	for (uint32_t i = 0; !err && i + 1 < list.count; i++) {
		char path[sizeof(METADATA_LOG) + RAFT_SNAPSHOT_NAME_SIZE + 1];

		if (!is_over_retention(job, bytes, list.file[i + 1].id))
			break;
		path_of(list.file[i].id, path, sizeof(path));
		err = dir_unlink(dir, path);
		bytes -= list.file[i].size;
		job->delete_before = list.file[i + 1].id.end_offset;
	}
	return err;
}

static void run_snapshot(struct job *job)
{
	struct snapshot_job *snapshot = container_of(job, struct snapshot_job, job);

	snapshot->delete_before = 0;
	snapshot->err = write_snapshot(snapshot);
	if (!snapshot->err)
		snapshot->err = delete_old(snapshot);
	image_put(snapshot->image);
	snapshot->image = NULL;
}

static void snapshot_done(struct job *job)
{
	struct snapshot_job *snapshot = container_of(job, struct snapshot_job, job);

	strand_post(&snapshot->metadata->strand, &snapshot->news);
}

/* A snapshot that could not be written is tried again when the next one is due. */
static void on_snapshot_done(struct work *work)
{
	struct snapshot_job *snapshot = container_of(work, struct snapshot_job, news);
	struct metadata *m = snapshot->metadata;

	m->snapshot_under_way = false;
	if (!snapshot->err && snapshot->delete_before > log_start_offset(m->log))
		(void)log_delete_records(m->log, snapshot->delete_before); /* it is below the end */
}

void metadata_snapshot_maybe(struct metadata *m)
{
	struct snapshot_job *snapshot = &m->snapshot_job;
	const struct image *image = atomic_load_explicit(&m->image, memory_order_relaxed);

	if (m->snapshot_under_way || !m->led || !raft_snapshot_due(&m->snapshots, mono_ms()) ||
	    !image->metadata_version)
		return;
	m->snapshot_under_way = true;
	raft_snapshot_done(&m->snapshots, mono_ms());
	snapshot->metadata = m;
	snapshot->image = image_get(image);
	snapshot->quorum = m->raft.quorum;
	snapshot->log_bytes = log_size(m->log);
	snapshot->job.run = run_snapshot;
	snapshot->job.done = snapshot_done;
	snapshot->news = (struct work){ .run = on_snapshot_done };
	work_submit(WORK_SLOW, &snapshot->job);
}
