/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARTITIONS_PRIVATE_H
#define PARTITIONS_PRIVATE_H

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pmap.h"
#include "broker/controller_client.h"
#include "broker/diag.h"
#include "broker/partitions.h"
#include "io/work.h"

/*
 * Who touches what.  The table of topics is replaced by partitions_changed() alone, which its
 * caller serialises; everything under "reactor 0" is reactor 0's; a job has what it was given.
 */

/* ---- log directories ---- */

struct log_home {
	struct dir *dir;
	struct uuid id;
	enum log_recovery recovery;
	uint32_t index;
	_Atomic(bool) is_failed;
	_Atomic(uint32_t) log_count;
	_Atomic(uint32_t) unopened; /* of the logs found at the start */
	_Atomic(bool) has_doomed;   /* since the last checkpoint */
	_Atomic(uint32_t) dying;    /* deleted logs that still have their names */
	/* What the files said at the start; read only. */
	struct log_offsets recovery_points;
	struct log_offsets log_starts;
	struct log_dir_entry *entry;
	size_t entry_count;

	/* ---- reactor 0 ---- */
	bool is_recovered;
	bool is_dirty; /* its checkpoints are behind in more than what logs tell */
	bool is_checkpointing;
	uint64_t doomed;      /* logs that were deleted in this life */
	struct list removals; /* struct removal, by time */
	struct mail failed_mail;
};

/* A directory that was found at the start and belongs to nobody yet. */
struct found_log {
	struct map_node node;
	struct log_home *home;
	const struct log_dir_entry *entry;
	bool is_taken;
};

struct removal {
	struct list link;
	char *name;
	uint64_t due_ms;
};

/* ---- what the controller is told of them: partitions_assign.c ---- */

struct assigning { /* reactor 0 */
	struct list ready;
	struct assignment **sent; /* under way */
	uint32_t sent_count;
	bool under_way;
	bool is_begun; /* this life is registered */
	uint64_t backoff_ms;
	struct timer timer;
	struct controller_call call;
	struct arena arena; /* of the request */
	struct diag_limit say_failed;
};

/* ---- the table ---- */

struct topic_parts {
	struct object object; /* holds a reference on each partition */
	struct uuid id;
	struct topic_settings *settings;
	struct topic_meter *meter;
	uint32_t count; /* partitions by index; NULL: not here */
	struct partition *part[];
};

struct table {
	struct rcu_head rcu;
	struct pmap by_id; /* topic id -> struct topic_parts */
};

struct partitions {
	struct partitions_options options;
	_Atomic(struct table *) table;
	struct log_home *home;
	uint32_t home_count;
	struct arena arena; /* names of what was found */

	/* ---- partitions_changed() ---- */
	const struct config *config; /* a reference: what settings are made with */
	struct map found;
	bool has_begun; /* the first image was seen */
	bool is_closed; /* reactors stopped */

	/* any */
	_Atomic(bool) is_registered; /* this life's registration: the image may call us leader */
	_Atomic(uint32_t) pinned;    /* jobs that use a log */
	_Atomic(uint32_t) logs, opened, failed, rebuilt;
	_Atomic(uint64_t) removals;
	_Atomic(uint64_t) truncated;

	/* ---- reactor 0 ---- */
	struct list opening; /* partitions, wanted ones first */
	uint32_t jobs;       /* of every kind, under way */
	uint32_t open_jobs;
	bool is_begun;
	_Atomic(bool) is_stopping;
	struct mail unpinned_mail;
	_Atomic(bool) unpinned_posted;
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct timer retention_timer;
	struct timer checkpoint_timer;
	struct timer removal_timer;
	struct timer retry_timer;
	struct timer flush_timer;
	struct mail begun_mail;
	struct assigning assign;
	struct mail soon_mail;
	_Atomic(bool) soon_posted;
	uint64_t checkpoint_due_ms;
};

static inline const struct table *partitions_table(const struct partitions *p)
{
	return rcu_load(&p->table);
}

/* Every partition of a table. */
void table_each(const struct table *table, void (*each)(void *arg, struct partition *part),
                void *arg);

/* ---- jobs: counted, so that partitions_stop() knows when the last has ended; reactor 0 ---- */

void partitions_submit(struct partitions *p, enum work_lane lane, struct job *job);
void partitions_job_ended(struct partitions *p);
/* any: somebody else's job holds a log open, and the last one lets go. */
void partitions_pinned(struct partitions *p);
void partitions_unpinned(struct partitions *p);

/* ---- partitions_open.c ---- */

/* Of a new partition, whose strand is parked on this reactor: asks for its log to be opened. */
void partitions_open_log(struct partition *part);
/* reactor: somebody waits for it */
void partitions_want(struct partition *part);
/* The home of a new partition: `id` when it is one of ours, else the one with the fewest logs. */
struct log_home *partitions_choose_home(struct partitions *p, struct uuid id);
/* reactor 0: goes on with what waits to be opened. */
void partitions_open_more(struct partitions *p);
/* reactor 0: the first image was seen: strays are set aside, what was deleted is removed. */
void partitions_begun(struct mail *mail);

/* ---- partitions_upkeep.c ---- */

void partitions_upkeep_init(struct partitions *p);
/* any: the partition is deleted, its log still has its name; then it never had a log, or */
void partitions_log_dies(struct partition *part);
void partitions_log_died(struct partition *part);
/* nobody can see its log any more. */
void partitions_log_unused(struct partition *part);
/* What checkpoints say of a partition; log NULL: it could not be opened. */
struct log_point partitions_point(struct partition *part, struct log *log);
/* any reactor */
void partitions_storage_failed(struct partition *part, int err);
/* reactor 0 */
void partitions_remove_later(struct partitions *p, struct log_home *home, const char *name,
                             uint64_t delay_ms);

/* ---- partitions_flush.c; reactor 0 ---- */

void partitions_flush_init(struct partitions *p);
void partitions_flush_start(struct partitions *p);
void partitions_flush_stop(struct partitions *p);

/* ---- partitions_assign.c ---- */

/* While the image is followed: a replica that may be elsewhere than the image says. */
void partitions_assign_notice(struct partitions *p, struct list *noticed, const struct image *image,
                              const struct image_partition *at, struct partition *part);
void partitions_assign_post(struct partitions *p, struct list *noticed); /* empties the list */
void partitions_assign_init(struct partitions *p);
/* reactor 0 */
void partitions_assign_start(struct partitions *p);
void partitions_assign_stop(struct partitions *p);
/* With the last of the partitions, reactors stopped. */
void partitions_assign_fini(struct partitions *p);

#endif
