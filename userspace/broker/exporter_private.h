/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORTER_PRIVATE_H
#define EXPORTER_PRIVATE_H

#include "base/arena.h"
#include "broker/broker.h"
#include "broker/coordinator.h"
#include "broker/exporter.h"
#include "broker/metadata.h"
#include "broker/metrics.h"
#include "broker/partitions.h"
#include "core/group.h"
#include "io/work.h"

/*
 * One answer on its way:
 *
 *	look	a worker asks the file systems for their space, each shard is asked for its groups,
 *		partitions are counted
 *	tell	row by row of metrics.def, each over what its walk says
 *
 * Everything happens in scrape_step(), a bounded piece at a time.
 */
enum walk {
	WALK_ONCE,
	WALK_API,        /* each that was asked */
	WALK_DIR,        /* each log directory */
	WALK_TOPIC,      /* all together (topic NULL), then each */
	WALK_TOPIC_SUM,  /* each, added up over its partitions */
	WALK_PARTITION,  /* each partition of each topic */
	WALK_GROUP,      /* each group */
	WALK_OFFSET,     /* each committed offset */
	WALK_OFFSET_SUM, /* each group and topic, added up */
};

struct scrape_offset {
	struct str group;
	struct str topic;
	int32_t partition;
	int64_t offset;
};

struct scrape_group {
	struct str id;
	uint32_t members;
};

/* What the walk over all partitions found. */
struct scrape_counts {
	uint32_t partitions; /* of the cluster */
	uint32_t offline;
	uint32_t imbalance;
	uint32_t here;
	uint32_t leaders;
	uint32_t offline_here;
	uint32_t under_replicated;
	uint32_t under_min_isr;
	uint32_t at_min_isr;
	uint32_t brokers;
	uint32_t brokers_fenced;
};

enum scrape_phase { SCRAPE_SPACE, SCRAPE_GROUPS, SCRAPE_COUNT, SCRAPE_TELL, SCRAPE_DONE };

struct scrape {
	struct broker *broker;
	const struct image *image; /* a reference, until the end */
	int64_t begun_ms;          /* of the process */
	enum scrape_phase phase;
	bool is_waiting;     /* for a worker or a strand: ready() follows */
	bool is_dropped;     /* meanwhile nobody wants it any more */
	bool per_partition;  /* the config */
	bool has_partitions; /* and there are few enough */
	bool has_topics;
	bool has_offsets;
	void (*ready)(void *arg);
	void *arg;

	struct dir_space *space; /* of each log directory; total 0: not known */
	struct job space_job;

	/* groups */
	struct coordinator_request request;
	uint32_t shard; /* the next partition of __consumer_offsets */
	struct arena arena;
	struct scrape_offset *offset;
	size_t offset_count, offset_capacity;
	struct scrape_group *group;
	size_t group_count, group_capacity;
	uint32_t group_states[GROUP_STATES];
	uint64_t offsets_seen;

	struct scrape_counts counts;

	/* where it is: the row, and in its walk */
	size_t row;
	bool has_begun;
	size_t at;
	struct pmap_iter topic;
	bool has_topic;
	uint32_t partition;
	int64_t sum;
	bool has_sum;
};

/* reactor */
struct scrape *scrape_new(struct broker *broker, int64_t begun_ms, void (*ready)(void *arg),
                          void *arg);
/* Adds the next piece; when it neither is_waiting nor is DONE there is more. */
void scrape_step(struct scrape *s, struct buf *out);
void scrape_drop(struct scrape *s); /* NULL is fine */

/* ---- exporter_look.c ---- */

/* Some of SPACE, GROUPS, COUNT. */
void scrape_look(struct scrape *s);

/* ---- what is told: exporter_values.c, exporter_walks.c ---- */

/* One value, or several samples, of what the walk stands at. */
struct emit {
	const struct scrape *s;
	struct buf *out;
	const struct metric_row *row;
	const struct wire_api *api;
	const struct api_totals *totals;
	uint32_t dir;
	const struct image_topic *topic;
	const struct topic_meter *meter; /* NULL: no partition of it is here */
	const struct image_partition *image;
	struct partition *part; /* NULL: not here */
	const struct log *log;  /* NULL: not open */
	const struct scrape_group *group;
	const struct scrape_offset *offset;
	/* Of the sums: what it adds; false: nothing. */
	int64_t value;
	bool has_value;
};

struct metric_value {
	enum walk walk;
	void (*tell)(struct emit *e);
};
extern const struct metric_value metric_values[]; /* as metrics_table() */

#define METRIC(walk, type, name, labels, value, help) void value_##value(struct emit *e);
#include "broker/metrics.def"
#undef METRIC

#endif
