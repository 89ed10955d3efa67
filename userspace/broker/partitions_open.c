/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening logs: a few at a time, wanted ones first.  A partition's strand begins parked; what is
 * posted to it runs when its log is there.
 *
 *	who makes it	partitions_open_log(): asks reactor 0
 *	reactor 0	takes it from the list, submits the job
 *	worker		makes the directory, or recovers what is in it
 *	reactor 0	counts; tells the reactor that made it
 *	that one	partition_opened(), and the strand goes on
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "broker/diag.h"
#include "partitions_private.h"

enum {
	OPEN_JOBS_MAX = 4,
	RETRY_MS = 20,
	RETRIES_MAX = 250, /* 5 s: until a deleted log of the same name is out of the way */
};

struct open_job {
	struct job job;
	struct partition *part; /* the reference of partitions_open_log() */
	struct log_config config;
	struct log *log;
	struct log_mark stable;
	struct log_recovered recovered;
	int err;
};

/* ---- which directory ---- */

struct log_home *partitions_choose_home(struct partitions *p, struct uuid id)
{
	struct log_home *best = NULL;

	for (uint32_t i = 0; i < p->home_count; i++) {
		struct log_home *home = &p->home[i];

		if (uuid_eq(home->id, id))
			return home;
		if (atomic_load(&home->is_failed))
			continue;
		if (!best || atomic_load(&home->log_count) < atomic_load(&best->log_count))
			best = home;
	}
	return best ? best : &p->home[0];
}

/* ---- worker ---- */

/* A directory of that name that is another topic's: kept for the operator, out of the way. */
static int set_aside(struct dir *dir, const char *name)
{
	struct buf stray = { 0 };
	uint8_t id[16];
	int err;

	random_bytes(id, sizeof(id));
	buf_printf(&stray, "%s.", name);
	for (size_t i = 0; i < sizeof(id); i++)
		buf_printf(&stray, "%02x", id[i]);
	buf_printf(&stray, "-stray%c", '\0');
	err = dir_rename(dir, name, (char *)stray.data);
	if (!err)
		diag_warn(
			"log",
			"%s/%s belongs to no topic of this cluster: renamed to %s, remove it when "
			"it is not needed",
			dir_path(dir), name, (char *)stray.data);
	buf_fini(&stray);
	return err;
}

/* Checkpoints may speak of a log of this name: of one that was deleted. */
static bool is_told_of(const struct partition *part)
{
	const struct log_home *home = part->home;

	return atomic_load(&home->has_doomed) ||
	       log_offsets_find(&home->recovery_points, part->topic, part->index, -1) >= 0 ||
	       log_offsets_find(&home->log_starts, part->topic, part->index, -1) >= 0;
}

/* -EAGAIN: a deleted log of this name is still there. */
static int make_directory(struct partition *part)
{
	struct dir *dir = part->home->dir;
	struct uuid id;
	int err = log_create(dir, part->name, part->topic_id, is_told_of(part));

	if (err != -EEXIST)
		return err;
	err = log_topic_id(dir, part->name, &id);
	if (err == -ENOENT || err == -EBADMSG) /* an earlier try found no room for it */
		return log_identify(dir, part->name, part->topic_id, is_told_of(part));
	if (err)
		return err;
	if (uuid_eq(id, part->topic_id))
		return 0;
	if (part->open_tries <= RETRIES_MAX || atomic_load(&part->home->dying))
		return -EAGAIN;
	err = set_aside(dir, part->name);
	return err ? err : log_create(dir, part->name, part->topic_id, is_told_of(part));
}

/* It was found by its name: a crash may have come before its topic id was durable. */
static int identify(struct partition *part)
{
	struct uuid id;
	int err = log_topic_id(part->home->dir, part->name, &id);

	if (err != -ENOENT && err != -EBADMSG)
		return err;
	return log_identify(part->home->dir, part->name, part->topic_id, is_told_of(part));
}

static void run_open(struct job *job)
{
	struct open_job *j = container_of(job, struct open_job, job);
	struct partition *part = j->part;
	struct log_home *home = part->home;
	struct log_options o = {
		.dir = home->dir,
		.name = part->name,
		.config = j->config,
		.recovery = part->is_new ? LOG_CLEAN : home->recovery,
		.now_ms = wall_ms(),
	};

	partition_log_options(part, &o);
	if (part->is_new) {
		j->err = make_directory(part);
	} else {
		j->err = identify(part);
		o.recovery_point =
			log_offsets_find(&home->recovery_points, part->topic, part->index, 0);
		o.start_offset = log_offsets_find(&home->log_starts, part->topic, part->index, 0);
	}
	if (!j->err)
		j->err = log_open(&o, &j->log, &j->recovered);
	if (!j->err)
		j->stable = partition_stable_mark(j->log);
}

/* ---- the end of an opening ---- */

static void tell_strand(struct mail *mail)
{
	struct open_job *j = container_of((struct job *)(void *)mail, struct open_job, job);
	struct partition *part = j->part;

	partition_opened(part, j->log, j->stable);
	partition_put(part);
	mem_free(j);
}

struct recovered_job {
	struct job job;
	struct partitions *p;
	struct log_home *home;
	int err;
};

static void recovered_run(struct job *job)
{
	struct recovered_job *j = container_of(job, struct recovered_job, job);

	j->err = log_dir_recovered(j->home->dir);
}

static void recovered_done(struct job *job)
{
	struct recovered_job *j = container_of(job, struct recovered_job, job);

	if (j->err)
		diag_error("log", "%s: %s: what was recovered may not be on the device",
		           dir_path(j->home->dir), strerror(-j->err));
	partitions_job_ended(j->p);
	mem_free(j);
}

/* All logs that were found are open: one sync, and from here on a kill is only a kill. */
static void look_if_recovered(struct partitions *p, struct log_home *home)
{
	struct recovered_job *j;

	if (!p->is_begun || home->is_recovered || atomic_load(&home->unopened))
		return;
	j = mem_zalloc(sizeof(*j));
	j->job.run = recovered_run;
	j->job.done = recovered_done;
	j->p = p;
	j->home = home;
	home->is_recovered = true;
	partitions_submit(p, WORK_SLOW, &j->job);
}

static void count_opened(struct partitions *p, const struct open_job *j)
{
	struct log_home *home = j->part->home;

	atomic_fetch_add_explicit(&p->opened, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->truncated, j->recovered.truncated_bytes,
	                          memory_order_relaxed);
	atomic_fetch_add_explicit(&p->rebuilt, j->recovered.indexes_rebuilt, memory_order_relaxed);
	if (j->recovered.truncated_bytes)
		diag_warn("log", "%s/%s: %llu bytes after its last whole batch were cut off",
		          dir_path(home->dir), j->part->name,
		          (unsigned long long)j->recovered.truncated_bytes);
	if (j->err && j->err != -ECANCELED) {
		atomic_fetch_add_explicit(&p->failed, 1, memory_order_relaxed);
		diag_error("log", "%s/%s cannot be opened: %s", dir_path(home->dir), j->part->name,
		           j->err == -EBADMSG ? "its files contradict each other"
		                              : strerror(-j->err));
	}
	if (j->part->is_new)
		home->is_dirty = true;
	else
		atomic_fetch_sub(&home->unopened, 1);
	look_if_recovered(p, home);
}

static bool try_again(struct partitions *p, struct open_job *j)
{
	struct partition *part = j->part;

	if (j->err != -EAGAIN || p->is_stopping)
		return false;
	if (partitions_find(p, part->topic_id, part->index) != part) {
		j->err = -ECANCELED; /* deleted meanwhile */
		return false;
	}
	/* While a deleted one is still on its way out its directory is nobody else's. */
	if (!atomic_load(&part->home->dying) && part->open_tries++ > RETRIES_MAX)
		return false;
	list_push(&p->opening, &part->link);
	if (!timer_is_armed(&p->retry_timer))
		timer_arm(&p->retry_timer, mono_ms() + RETRY_MS);
	mem_free(j);
	return true;
}

static void open_done(struct job *job)
{
	struct open_job *j = container_of(job, struct open_job, job);
	struct partitions *p = j->part->registry;

	p->open_jobs--;
	partitions_job_ended(p);
	if (try_again(p, j))
		return;
	count_opened(p, j);
	/* To the turn of the reactor that parked it, when that is over. */
	j->job.mail.run = tell_strand;
	reactor_post(j->part->parked_on, &j->job.mail);
	partitions_open_more(p);
}

/* ---- reactor 0 ---- */

void partitions_open_more(struct partitions *p)
{
	while (p->open_jobs < OPEN_JOBS_MAX && !p->is_stopping &&
	       !timer_is_armed(&p->retry_timer)) {
		struct list *node = list_pop(&p->opening);
		struct partition *part;
		struct open_job *j;

		if (!node)
			return;
		part = list_entry(node, struct partition, link);
		j = mem_zalloc(sizeof(*j));
		j->job.run = run_open;
		j->job.done = open_done;
		j->part = part;
		j->config = partition_facts(part)->settings->config.log;
		p->open_jobs++;
		partitions_submit(p, WORK_SLOW, &j->job);
	}
}

static void enlist(struct mail *mail)
{
	struct partition *part = container_of(mail, struct partition, mail);
	struct partitions *p = part->registry;

	if (atomic_load_explicit(&part->is_wanted, memory_order_relaxed))
		list_push_front(&p->opening, &part->link);
	else
		list_push(&p->opening, &part->link);
	partitions_open_more(p);
}

void partitions_open_log(struct partition *part)
{
	partition_get(part);
	part->parked_on = reactor_self();
	part->mail.run = enlist;
	reactor_post(0, &part->mail);
}

static void move_up(struct mail *mail)
{
	struct partition *part = container_of(mail, struct partition, wanted);

	if (!list_is_empty(&part->link)) {
		list_remove(&part->link);
		list_push_front(&part->registry->opening, &part->link);
	}
	partition_put(part);
}

void partitions_want(struct partition *part)
{
	if (atomic_exchange(&part->is_wanted, true))
		return;
	partition_get(part);
	part->wanted.run = move_up;
	reactor_post(0, &part->wanted);
}

/* ---- the first image was seen: what of the directories belongs to nobody ---- */

struct stray_job {
	struct job job;
	struct partitions *p;
};

static void run_strays(struct job *job)
{
	struct partitions *p = container_of(job, struct stray_job, job)->p;

	map_each(node, &p->found)
	{
		struct found_log *f = container_of(node, struct found_log, node);
		int err = f->is_taken ? 0 : set_aside(f->home->dir, f->entry->name);

		if (err)
			diag_warn("log", "%s/%s is a stray and cannot be renamed: %s",
			          dir_path(f->home->dir), f->entry->name, strerror(-err));
	}
}

static void strays_done(struct job *job)
{
	struct stray_job *j = container_of(job, struct stray_job, job);

	partitions_job_ended(j->p);
	mem_free(j);
}

static void look_at_entries(struct partitions *p, struct log_home *home)
{
	for (size_t i = 0; i < home->entry_count; i++) {
		const struct log_dir_entry *entry = &home->entry[i];

		if (entry->kind == LOG_DIR_DELETED)
			partitions_remove_later(p, home, entry->name, 0);
		else if (entry->kind == LOG_DIR_FOREIGN)
			diag_warn("log", "%s/%s is no log: Apache Kafka would refuse to start here",
			          dir_path(home->dir), entry->name);
	}
}

void partitions_begun(struct mail *mail)
{
	struct partitions *p = container_of(mail, struct partitions, begun_mail);
	struct stray_job *j = mem_zalloc(sizeof(*j));

	p->is_begun = true;
	for (uint32_t i = 0; i < p->home_count; i++) {
		look_at_entries(p, &p->home[i]);
		look_if_recovered(p, &p->home[i]);
	}
	j->p = p;
	j->job.run = run_strays;
	j->job.done = strays_done;
	partitions_submit(p, WORK_SLOW, &j->job);
}
