/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done now and then: retention, checkpoints with the sync they promise, removal of what was
 * deleted; and what happens when a directory fails.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "broker/diag.h"
#include "partitions_private.h"

enum {
	LOOK_MS = 5000, /* how often unsynced bytes are looked at */
	SOON_MS = 1000, /* a moved log start is kept after that */
};

/* ---- jobs ---- */

static void stop_if_idle(struct partitions *p)
{
	void (*stopped)(void *arg) = p->stopped;

	if (!p->is_stopping || p->jobs || atomic_load(&p->pinned) || !stopped)
		return;
	p->stopped = NULL;
	stopped(p->stopped_arg);
}

void partitions_submit(struct partitions *p, enum work_lane lane, struct job *job)
{
	p->jobs++;
	work_submit(lane, job);
}

void partitions_job_ended(struct partitions *p)
{
	p->jobs--;
	stop_if_idle(p);
}

void partitions_pinned(struct partitions *p)
{
	atomic_fetch_add_explicit(&p->pinned, 1, memory_order_relaxed);
}

static void on_unpinned(struct mail *mail)
{
	struct partitions *p = container_of(mail, struct partitions, unpinned_mail);

	atomic_store(&p->unpinned_posted, false);
	stop_if_idle(p);
}

void partitions_unpinned(struct partitions *p)
{
	if (atomic_fetch_sub(&p->pinned, 1) == 1 && atomic_load(&p->is_stopping) &&
	    !atomic_exchange(&p->unpinned_posted, true))
		reactor_post(0, &p->unpinned_mail);
}

/* ---- retention ---- */

static void retain_one(void *arg, struct partition *part)
{
	(void)arg;
	if (partition_facts(part)->role != PARTITION_OPENING)
		partition_retain(part);
}

static void fire_retention(struct timer *timer)
{
	struct partitions *p = container_of(timer, struct partitions, retention_timer);

	partitions_each(p, retain_one, NULL);
	timer_arm(timer, mono_ms() + (uint64_t)config_long(p->options.config,
	                                                   CONFIG_LOG_RETENTION_CHECK_INTERVAL_MS));
}

/* ---- checkpoints ---- */

/* One log of the checkpoint; pinned, or NULL: it could not be opened, and keeps what was known. */
struct checkpoint_part {
	struct partition *part;
	struct log *log;
	const struct log_view *view; /* what is synced of it, and */
	int64_t end;                 /* up to where */
};

struct checkpoint_job {
	struct job job;
	struct partitions *p;
	struct log_home *home;
	struct checkpoint_part *part;
	struct log_point *point;
	size_t count, capacity;
	uint64_t doomed; /* before */
	bool is_behind;  /* some log has bytes that are not synced */
	int err;
};

static void collect(void *arg, struct partition *part)
{
	struct checkpoint_job *j = arg;
	enum partition_role role = partition_facts(part)->role;
	struct log *log = role == PARTITION_OFFLINE ? NULL : part->log;

	if (part->home != j->home || role == PARTITION_OPENING || role == PARTITION_GONE)
		return;
	if (!log && part->is_new)
		return; /* what checkpoints say of its name is of another one */
	if (log && log_end_offset(log) > log_recovery_point(log))
		j->is_behind = true;
	j->part = mem_grow(j->part, j->count, &j->capacity, sizeof(*j->part));
	j->part[j->count++] = (struct checkpoint_part){ .part = part, .log = log };
	if (log) {
		partition_pin(part);
		j->part[j->count - 1].view = log_view_to_sync(log, &j->part[j->count - 1].end);
	} else {
		partition_get(part);
	}
}

struct log_point partitions_point(struct partition *part, struct log *log)
{
	const struct log_home *home = part->home;

	if (!log)
		return (struct log_point){
			.topic = part->topic,
			.partition = part->index,
			.recovery_point = log_offsets_find(&home->recovery_points, part->topic,
			                                   part->index, 0),
			.log_start =
				log_offsets_find(&home->log_starts, part->topic, part->index, -1),
		};
	return (struct log_point){
		.topic = part->topic,
		.partition = part->index,
		.recovery_point = log_end_offset(log),
		.high_watermark = partition_high_watermark(part).offset,
		.log_start = log_start_to_keep(log),
	};
}

/* What is appended meanwhile is not promised. */
static void run_checkpoint(struct job *job)
{
	struct checkpoint_job *j = container_of(job, struct checkpoint_job, job);

	j->point = mem_array(j->count + 1, sizeof(*j->point));
	for (size_t i = 0; i < j->count; i++) {
		j->point[i] = partitions_point(j->part[i].part, j->part[i].log);
		if (j->part[i].log)
			log_drain(j->part[i].log);
	}
	j->err = dir_syncfs(j->home->dir);
	for (size_t i = 0; i < j->count && !j->err; i++) {
		struct checkpoint_part *c = &j->part[i];

		if (!c->log)
			continue;
		log_synced(c->log, c->view, c->end);
		j->point[i].recovery_point = log_recovery_point(c->log);
	}
	if (!j->err)
		j->err = log_dir_checkpoint(j->home->dir, j->point, j->count);
	for (size_t i = 0; i < j->count && !j->err; i++)
		if (j->part[i].log)
			log_checkpointed(j->part[i].log, j->part[i].view);
}

static void home_failed(struct partitions *p, struct log_home *home);

static void free_checkpoint(struct checkpoint_job *j)
{
	for (size_t i = 0; i < j->count; i++) {
		log_view_put(j->part[i].view);
		if (j->part[i].log)
			partition_unpin(j->part[i].part);
		else
			partition_put(j->part[i].part);
	}
	mem_free(j->part);
	mem_free(j->point);
	mem_free(j);
}

static void checkpoint_done(struct job *job)
{
	struct checkpoint_job *j = container_of(job, struct checkpoint_job, job);
	struct partitions *p = j->p;
	struct log_home *home = j->home;
	int err = j->err;

	home->is_checkpointing = false;
	if (!err && j->doomed == home->doomed)
		atomic_store(&home->has_doomed, false);
	free_checkpoint(j);
	if (errno_is_full(err)) {
		home->is_dirty = true;
		diag_warn("log", "%s: no room for checkpoints", dir_path(home->dir));
	} else if (err) {
		diag_error("log", "%s: checkpoints: %s", dir_path(home->dir), strerror(-err));
		home_failed(p, home);
	}
	partitions_job_ended(p);
}

static void checkpoint(struct partitions *p, struct log_home *home)
{
	struct checkpoint_job *j;

	/* Before all of its logs are open the files know more than we do. */
	if (home->is_checkpointing || !home->is_recovered || atomic_load(&home->is_failed))
		return;
	j = mem_zalloc(sizeof(*j));
	j->p = p;
	j->home = home;
	partitions_each(p, collect, j);
	if (!j->is_behind && !home->is_dirty) {
		free_checkpoint(j);
		return;
	}
	home->is_dirty = false;
	home->is_checkpointing = true;
	j->doomed = home->doomed;
	j->job.run = run_checkpoint;
	j->job.done = checkpoint_done;
	partitions_submit(p, WORK_SLOW, &j->job);
}

/* Half of what may be unsynced is: a power cut would have us check so much. */
static bool has_much_unsynced(const struct log_home *home)
{
	struct dir_counters c = dir_counters(home->dir);

	return c.dirty_bytes_budget > 0 && c.dirty_bytes > c.dirty_bytes_budget / 2;
}

static void fire_checkpoint(struct timer *timer)
{
	struct partitions *p = container_of(timer, struct partitions, checkpoint_timer);
	uint64_t now = mono_ms();
	bool all = now >= p->checkpoint_due_ms;

	for (uint32_t i = 0; i < p->home_count; i++)
		if (all || has_much_unsynced(&p->home[i]))
			checkpoint(p, &p->home[i]);
	if (all)
		p->checkpoint_due_ms =
			now + (uint64_t)config_int(p->options.config,
		                                   CONFIG_LOG_FLUSH_OFFSET_CHECKPOINT_INTERVAL_MS);
	timer_arm(timer,
	          now + LOOK_MS < p->checkpoint_due_ms ? now + LOOK_MS : p->checkpoint_due_ms);
}

static void checkpoint_soon(struct mail *mail)
{
	struct partitions *p = container_of(mail, struct partitions, soon_mail);
	uint64_t due = mono_ms() + SOON_MS;

	atomic_store(&p->soon_posted, false);
	for (uint32_t i = 0; i < p->home_count; i++)
		p->home[i].is_dirty = true;
	if (p->is_stopping || p->checkpoint_due_ms <= due)
		return;
	p->checkpoint_due_ms = due;
	timer_arm(&p->checkpoint_timer, due);
}

void partitions_checkpoint_soon(struct partitions *p)
{
	if (!atomic_exchange(&p->soon_posted, true))
		reactor_post(0, &p->soon_mail);
}

/* ---- removal ---- */

struct removal_job {
	struct job job;
	struct partitions *p;
	struct dir *dir;
	struct list removals;
};

static void run_removal(struct job *job)
{
	struct removal_job *j = container_of(job, struct removal_job, job);
	struct list *node;

	while ((node = list_pop(&j->removals))) {
		struct removal *r = list_entry(node, struct removal, link);
		int err = log_dir_remove(j->dir, r->name);

		if (err && err != -ENOENT)
			diag_warn("log", "%s/%s cannot be removed: %s", dir_path(j->dir), r->name,
			          strerror(-err));
		mem_free(r->name);
		mem_free(r);
	}
}

static void removal_done(struct job *job)
{
	struct removal_job *j = container_of(job, struct removal_job, job);

	partitions_job_ended(j->p);
	mem_free(j);
}

/* What is due goes; when the rest will be. */
static uint64_t remove_due(struct partitions *p, struct log_home *home, uint64_t now)
{
	struct removal_job *j = NULL;
	uint64_t next = UINT64_MAX;

	list_each_safe(pos, tmp, &home->removals)
	{
		struct removal *r = list_entry(pos, struct removal, link);

		if (r->due_ms > now) {
			next = r->due_ms < next ? r->due_ms : next;
			continue;
		}
		if (!j) {
			j = mem_zalloc(sizeof(*j));
			j->p = p;
			j->dir = home->dir;
			list_init(&j->removals);
		}
		list_remove(&r->link);
		list_push(&j->removals, &r->link);
	}
	if (j) {
		j->job.run = run_removal;
		j->job.done = removal_done;
		partitions_submit(p, WORK_SLOW, &j->job);
	}
	return next;
}

static void fire_removal(struct timer *timer)
{
	struct partitions *p = container_of(timer, struct partitions, removal_timer);
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; i < p->home_count; i++) {
		uint64_t due = remove_due(p, &p->home[i], mono_ms());

		next = due < next ? due : next;
	}
	if (next != UINT64_MAX)
		timer_arm(timer, next);
}

void partitions_remove_later(struct partitions *p, struct log_home *home, const char *name,
                             uint64_t delay_ms)
{
	struct removal *r = mem_zalloc(sizeof(*r));

	r->name = str_dup(str_of(name));
	r->due_ms = mono_ms() + delay_ms;
	list_push(&home->removals, &r->link);
	if (!p->is_stopping &&
	    (!timer_is_armed(&p->removal_timer) || p->removal_timer.due_ms > r->due_ms))
		timer_arm(&p->removal_timer, r->due_ms);
}

/* ---- a deleted log: closed, renamed at once, removed later ---- */

struct doom_job {
	struct job job;
	struct partition *part;
	struct arena arena;
	const char *name;
	int err;
};

static void run_doom(struct job *job)
{
	struct doom_job *j = container_of(job, struct doom_job, job);
	struct partition *part = j->part;

	if (log_close(part->log, false))
		diag_debug("log", "%s was not closed well before its removal", part->name);
	j->err = log_dir_doom(part->home->dir, part->name, &j->arena, &j->name);
}

void partitions_log_dies(struct partition *part)
{
	atomic_fetch_add(&part->home->dying, 1);
}

void partitions_log_died(struct partition *part)
{
	atomic_fetch_sub(&part->home->dying, 1);
}

static void doom_done(struct job *job)
{
	struct doom_job *j = container_of(job, struct doom_job, job);
	struct partition *part = j->part;
	struct partitions *p = part->registry;
	struct log_home *home = part->home;

	if (j->err)
		diag_error("log", "%s/%s was deleted and cannot be renamed: %s",
		           dir_path(home->dir), part->name, strerror(-j->err));
	else
		partitions_remove_later(p, home, j->name,
		                        (uint64_t)part->settings->config.log.file_delete_delay_ms);
	atomic_fetch_sub_explicit(&home->log_count, 1, memory_order_relaxed);
	partitions_log_died(part);
	home->is_dirty = true;
	arena_fini(&j->arena);
	mem_free(j);
	partition_put(part);
	partitions_job_ended(p);
}

static void begin_doom(struct mail *mail)
{
	struct partition *part = container_of(mail, struct partition, mail);
	struct doom_job *j = mem_zalloc(sizeof(*j));

	part->home->doomed++;
	atomic_store(&part->home->has_doomed, true);
	j->part = part;
	j->job.run = run_doom;
	j->job.done = doom_done;
	arena_init(&j->arena, SIZE_MAX);
	partitions_submit(part->registry, WORK_SLOW, &j->job);
}

void partitions_log_unused(struct partition *part)
{
	partition_get(part);
	part->mail.run = begin_doom;
	reactor_post(0, &part->mail);
}

/* ---- a directory that cannot be trusted (FAULTS S-07) ---- */

struct failing {
	struct log_home *home;
};

static void fail_one(void *arg, struct partition *part)
{
	if (part->home == ((struct failing *)arg)->home)
		partition_fail(part);
}

struct doubt_job {
	struct job job;
	struct partitions *p;
	struct log_home *home;
};

static void run_doubt(struct job *job)
{
	log_dir_doubt(container_of(job, struct doubt_job, job)->home->dir);
}

static void doubt_done(struct job *job)
{
	struct doubt_job *j = container_of(job, struct doubt_job, job);
	struct partitions *p = j->p;
	uint32_t left = 0;

	for (uint32_t i = 0; i < p->home_count; i++)
		left += !atomic_load(&p->home[i].is_failed);
	p->options.dir_failed(p->options.arg, j->home->id, left);
	mem_free(j);
	partitions_job_ended(p);
}

/* The next start is told before this one may end. */
static void home_failed(struct partitions *p, struct log_home *home)
{
	struct failing failing = { home };
	struct doubt_job *j;

	if (atomic_exchange(&home->is_failed, true))
		return;
	partitions_each(p, fail_one, &failing);
	j = mem_zalloc(sizeof(*j));
	j->p = p;
	j->home = home;
	j->job.run = run_doubt;
	j->job.done = doubt_done;
	partitions_submit(p, WORK_SLOW, &j->job);
}

struct failure {
	struct mail mail;
	struct partition *part;
	int err;
};

static void on_failure(struct mail *mail)
{
	struct failure *f = container_of(mail, struct failure, mail);

	diag_error("log", "%s/%s: %s: the directory is not used any more",
	           dir_path(f->part->home->dir), f->part->name, strerror(-f->err));
	home_failed(f->part->registry, f->part->home);
	partition_put(f->part);
	mem_free(f);
}

void partitions_storage_failed(struct partition *part, int err)
{
	struct failure *f = mem_zalloc(sizeof(*f));

	f->part = partition_get(part);
	f->err = err;
	f->mail.run = on_failure;
	reactor_post(0, &f->mail);
}

/* ---- start and stop ---- */

static void fire_retry(struct timer *timer)
{
	partitions_open_more(container_of(timer, struct partitions, retry_timer));
}

void partitions_upkeep_init(struct partitions *p)
{
	timer_init(&p->retention_timer, fire_retention);
	timer_init(&p->checkpoint_timer, fire_checkpoint);
	timer_init(&p->removal_timer, fire_removal);
	timer_init(&p->retry_timer, fire_retry);
	partitions_flush_init(p);
	p->soon_mail.run = checkpoint_soon;
	p->unpinned_mail.run = on_unpinned;
}

void partitions_start(struct partitions *p)
{
	const struct config *c = p->options.config;
	uint64_t now = mono_ms();

	atomic_store_explicit(&p->is_registered, true, memory_order_release);
	p->checkpoint_due_ms =
		now + (uint64_t)config_int(c, CONFIG_LOG_FLUSH_OFFSET_CHECKPOINT_INTERVAL_MS);
	timer_arm(&p->checkpoint_timer, now + LOOK_MS);
	partitions_flush_start(p);
	partitions_assign_start(p);
	timer_arm(&p->retention_timer,
	          now + (uint64_t)config_long(c, CONFIG_LOG_INITIAL_TASK_DELAY_MS));
}

static void stop_attached(void *arg, struct partition *part)
{
	(void)arg;
	if (part->attached)
		part->attached->stop(part->attached);
}

void partitions_stop(struct partitions *p, void (*stopped)(void *arg), void *arg)
{
	p->is_stopping = true;
	p->stopped = stopped;
	p->stopped_arg = arg;
	timer_disarm(&p->retention_timer);
	timer_disarm(&p->checkpoint_timer);
	timer_disarm(&p->removal_timer);
	timer_disarm(&p->retry_timer);
	partitions_flush_stop(p);
	partitions_assign_stop(p);
	partitions_each(p, stop_attached, NULL);
	stop_if_idle(p);
}
