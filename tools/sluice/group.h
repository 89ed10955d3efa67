/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_GROUP_H
#define SLUICE_GROUP_H

#include "kafka.h"

/* A group as its coordinator describes it, of either protocol.  All of it is the arena's. */
struct group_member {
	struct str id;
	struct str instance; /* null: not static */
	struct str client;
	struct str host;
	uint32_t assigned; /* so many partitions */
};

/* A partition that the group has committed an offset of, or that a member reads. */
struct group_row {
	struct place end;  /* topic, partition, leader; the offset where the log ends */
	int64_t committed; /* -1: none */
	struct str metadata;
	int32_t epoch;
	const struct group_member *member; /* NULL: nobody reads it */
};

struct group {
	struct str id;
	bool found;
	struct str state;
	struct str type;     /* "classic", "consumer" */
	struct str protocol; /* the assignor, of a classic group its protocol */
	int32_t coordinator;
	struct group_member *member;
	uint32_t member_count;
	struct group_row *row; /* by topic and partition */
	size_t row_count;
	size_t row_capacity;
};

/* Not found is no error: look at `found`. */
void group_load(struct kafka *k, const char *id, struct group *g);
void group_fini(struct group *g);
struct group_row *group_row(struct group *g, struct str topic, int32_t partition); /* or adds */
void group_sort(struct group *g);
/* -1: not known. */
int64_t group_lag(const struct group_row *r);
/* The leaders of all rows; of a topic that is gone -1. */
void group_leaders(struct kafka *k, struct group *g);
/* `offset` of each row's place at this time. */
void group_offsets(struct kafka *k, struct group *g, int64_t time);

/* `--topic NAME` or `--topic NAME:0,3`: NULL partitions are all of them. */
struct group_topic {
	struct str name;
	const char *partitions;
};
/* Every --topic of the command line; the caller's (mem_free), name.data NULL ends it. */
struct group_topic *group_topics(struct cli *cli);
bool group_topic_has(const struct group_topic *t, int32_t partition);

int group_describe(struct cli *cli); /* group_show.c */
int group_reset(struct cli *cli);    /* group_reset.c */

#endif
