/* SPDX-License-Identifier: Apache-2.0 */
/* flush.ms: what was appended so long ago and is not on the device yet is synced, log by log. */
#include "base/mem.h"
#include "partitions_private.h"

/* Kafka looks every log.flush.scheduler.interval.ms, by default never; we keep to flush.ms. */
enum { FLUSH_LOOK_MS = 1000 };

struct flush_job {
	struct job job;
	struct partitions *p;
	struct partition *part; /* pinned */
	struct log *log;
	const struct log_view *view;
	int64_t end;
	int err;
};

static void run_flush(struct job *job)
{
	struct flush_job *j = container_of(job, struct flush_job, job);

	j->err = log_sync(j->log, j->view, j->end);
}

static void flush_done(struct job *job)
{
	struct flush_job *j = container_of(job, struct flush_job, job);
	struct partitions *p = j->p;

	j->part->is_flushing = false;
	if (j->err)
		partitions_storage_failed(j->part, j->err);
	log_view_put(j->view);
	partition_unpin(j->part);
	mem_free(j);
	partitions_job_ended(p);
}

static void flush_if_due(struct partitions *p, struct partition *part)
{
	enum partition_role role = partition_facts(part)->role;
	struct flush_job *j;

	if (role == PARTITION_OPENING || role == PARTITION_OFFLINE || role == PARTITION_GONE ||
	    part->is_flushing || !log_is_flush_due(part->log))
		return;
	part->is_flushing = true;
	partition_pin(part);
	j = mem_zalloc(sizeof(*j));
	j->p = p;
	j->part = part;
	j->log = part->log;
	j->view = log_view_to_sync(part->log, &j->end);
	j->job.run = run_flush;
	j->job.done = flush_done;
	partitions_submit(p, WORK_SLOW, &j->job);
}

static void look(struct timer *timer)
{
	struct partitions *p = container_of(timer, struct partitions, flush_timer);
	struct pmap_iter it;

	pmap_each(it, &partitions_table(p)->by_id)
	{
		const struct topic_parts *t =
			container_of(it.entry.value, struct topic_parts, object);

		if (t->settings->config.log.flush_ms == INT64_MAX)
			continue;
		for (uint32_t i = 0; i < t->count; i++)
			if (t->part[i])
				flush_if_due(p, t->part[i]);
	}
	timer_arm(timer, mono_ms() + FLUSH_LOOK_MS);
}

void partitions_flush_init(struct partitions *p)
{
	timer_init(&p->flush_timer, look);
}

void partitions_flush_start(struct partitions *p)
{
	timer_arm(&p->flush_timer, mono_ms() + FLUSH_LOOK_MS);
}

void partitions_flush_stop(struct partitions *p)
{
	timer_disarm(&p->flush_timer);
}
