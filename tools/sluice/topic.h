/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TOPIC_H
#define SLUICE_TOPIC_H

#include "cli.h"

/* One admin request under way. */
struct admin {
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	rd_kafka_AdminOptions_t *options;
};

void admin_open(struct admin *a, rd_kafka_t *client, rd_kafka_admin_op_t op);
/* Its answer, to be destroyed; ends the program when none comes. */
rd_kafka_event_t *admin_wait(struct admin *a);
void admin_close(struct admin *a);

int topic_list(struct cli *cli); /* topic_show.c */
int topic_describe(struct cli *cli);

#endif
