/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONSUME_H
#define SLUICE_CONSUME_H

#include "cli.h"
#include "out.h"
#include "progress.h"
#include "when.h"

/* A partition that is being read. */
struct source {
	rd_kafka_topic_t *topic; /* alone; NULL in a group */
	char *name;
	int32_t partition;
	bool ended; /* its end was seen */
};

struct consume {
	rd_kafka_t *client;
	rd_kafka_queue_t *queue; /* alone; NULL in a group */
	const char **name;       /* topics as they were asked for, or one expression; NULL ends */
	bool is_regex;
	const char *format;
	struct when from;
	struct out out;
	bool exit_at_end;
	bool verbose;
	int64_t count; /* so many at most; -1: no limit */
	int64_t taken;
	int32_t *partition; /* those asked for */
	size_t partition_count;
	struct source *source;
	size_t source_count;
	size_t source_capacity;
	size_t ended_count;
	struct progress progress;
	/* In a group: */
	const char *group; /* NULL: alone */
	bool commits;
	bool was_assigned;
	/* What was printed and not yet told librdkafka, which commits what it is told. */
	rd_kafka_topic_partition_list_t *printed;
};

void consume_print(struct consume *c, const rd_kafka_message_t *m); /* consume_print.c */
void consume_check_format(const char *format);

/* consume_seek.c: where reading begins, as --from says. */
int64_t consume_start_of(struct consume *c, const char *topic, int32_t partition);
void consume_add(struct consume *c, const char *topic, int32_t partition);
void consume_remove(struct consume *c, const char *topic, int32_t partition);
void consume_ended(struct consume *c, const char *topic, int32_t partition, bool ended);
void consume_start_alone(struct consume *c);
void consume_stop_alone(struct consume *c);

/* consume_group.c */
void consume_group_conf(struct consume *c, rd_kafka_conf_t *conf);
void consume_start_group(struct consume *c);
void consume_printed(struct consume *c, const rd_kafka_message_t *m);
/* What standard output has taken may be committed from now on. */
void consume_store(struct consume *c);
void consume_stop_group(struct consume *c); /* commits and leaves */

#endif
