/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "consume.h"

/* ---- what is committed ---- */

void consume_printed(struct consume *c, const rd_kafka_message_t *m)
{
	const char *topic = rd_kafka_topic_name(m->rkt);
	rd_kafka_topic_partition_t *p =
		rd_kafka_topic_partition_list_find(c->printed, topic, m->partition);

	if (!p)
		p = rd_kafka_topic_partition_list_add(c->printed, topic, m->partition);
	p->offset = m->offset + 1;
}

void consume_store(struct consume *c)
{
	if (!c->commits || !c->printed->cnt)
		return;
	/* What a rebalance has taken away in between is its next owner's. */
	(void)rd_kafka_offsets_store(c->client, c->printed);
	rd_kafka_topic_partition_list_destroy(c->printed);
	c->printed = rd_kafka_topic_partition_list_new(8);
}

static void commit_now(struct consume *c)
{
	rd_kafka_resp_err_t err;

	cli_flush();
	consume_store(c);
	if (!c->commits)
		return;
	err = rd_kafka_commit(c->client, NULL, 0);
	if (err && err != RD_KAFKA_RESP_ERR__NO_OFFSET)
		cli_say("group %s: offsets were not committed: %s", c->group,
		        rd_kafka_err2str(err));
}

/* ---- rebalances ---- */

static void tell(const struct consume *c, const char *what,
                 const rd_kafka_topic_partition_list_t *list)
{
	struct buf text = { 0 };

	if (!c->verbose)
		return;
	for (int i = 0; i < list->cnt; i++) {
		bool first = !i || strcmp(list->elems[i].topic, list->elems[i - 1].topic);

		buf_printf(&text, first ? " %s:%" PRId32 : "%.0s,%" PRId32, list->elems[i].topic,
		           list->elems[i].partition);
	}
	cli_say("group %s: %s%.*s", c->group, what, (int)text.size,
	        text.size ? (const char *)text.data : "");
	buf_fini(&text);
}

/* The offset itself of a log's beginning or end. */
static int64_t offset_of(const struct consume *c, const char *topic, int32_t partition,
                         int64_t offset)
{
	rd_kafka_resp_err_t err;
	int64_t low;
	int64_t high;

	if (offset >= 0)
		return offset;
	err = rd_kafka_query_watermark_offsets(c->client, topic, partition, &low, &high,
	                                       CLI_TIMEOUT_MS);
	if (err)
		cli_fail_with(err, topic);
	return offset == RD_KAFKA_OFFSET_BEGINNING ? low : high;
}

/*
 * Where the group has committed nothing, --from says where it begins.  That is committed even
 * when no record comes: who goes on later must not miss those that come in between.
 */
static void find_starts(struct consume *c, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t err = rd_kafka_committed(c->client, list, CLI_TIMEOUT_MS);

	for (int i = 0; i < list->cnt; i++) {
		rd_kafka_topic_partition_t *p = &list->elems[i];

		if (err || p->err)
			cli_fail("group %s: its offsets: %s", c->group,
			         rd_kafka_err2str(err ? err : p->err));
		if (p->offset >= 0)
			continue;
		p->offset = consume_start_of(c, p->topic, p->partition);
		p->offset = offset_of(c, p->topic, p->partition, p->offset);
		rd_kafka_topic_partition_list_add(c->printed, p->topic, p->partition)->offset =
			p->offset;
	}
}

static void check_error(const struct consume *c, rd_kafka_error_t *error)
{
	if (!error)
		return;
	cli_say("group %s: %s", c->group, rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
}

static void take(struct consume *c, rd_kafka_topic_partition_list_t *list, bool cooperative)
{
	rd_kafka_topic_partition_list_sort(list, NULL, NULL);
	tell(c, list->cnt ? "assigned" : "assigned nothing", list);
	if (list->cnt)
		find_starts(c, list);
	for (int i = 0; i < list->cnt; i++)
		consume_add(c, list->elems[i].topic, list->elems[i].partition);
	/* A cooperative group's first round may give nothing, and the next one something. */
	c->was_assigned = c->was_assigned || list->cnt || !cooperative;
	if (cooperative)
		check_error(c, rd_kafka_incremental_assign(c->client, list));
	else
		rd_kafka_assign(c->client, list);
}

static void give(struct consume *c, rd_kafka_topic_partition_list_t *list, bool cooperative)
{
	bool lost = rd_kafka_assignment_lost(c->client);

	rd_kafka_topic_partition_list_sort(list, NULL, NULL);
	if (list->cnt)
		tell(c, lost ? "lost" : "revoked", list);
	if (!lost)
		commit_now(c);
	for (int i = 0; i < list->cnt; i++)
		consume_remove(c, list->elems[i].topic, list->elems[i].partition);
	if (!c->source_count)
		c->was_assigned = false;
	if (cooperative)
		check_error(c, rd_kafka_incremental_unassign(c->client, list));
	else
		rd_kafka_assign(c->client, NULL);
}

static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t err,
                         rd_kafka_topic_partition_list_t *list, void *arg)
{
	struct consume *c = arg;
	bool cooperative = !strcmp(rd_kafka_rebalance_protocol(client), "COOPERATIVE");

	if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		take(c, list, cooperative);
	} else if (err == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
		give(c, list, cooperative);
	} else {
		cli_say("group %s: %s", c->group, rd_kafka_err2str(err));
		rd_kafka_assign(client, NULL);
	}
}

/* ---- coming and going ---- */

void consume_group_conf(struct consume *c, rd_kafka_conf_t *conf)
{
	cli_conf(conf, "group.id", c->group);
	cli_conf(conf, "enable.auto.commit", c->commits ? "true" : "false");
	cli_conf(conf, "auto.commit.interval.ms", "1000");
	/* Only what has been printed is committed. */
	cli_conf(conf, "enable.auto.offset.store", "false");
	/* Of a committed offset that is not in the log any more. */
	cli_conf(conf, "auto.offset.reset",
	         c->from.kind == WHEN_BEGINNING ? "earliest"
	         : c->from.kind == WHEN_END     ? "latest"
	                                        : "error");
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_opaque(conf, c);
}

void consume_start_group(struct consume *c)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	struct buf expression = { 0 };
	rd_kafka_resp_err_t err;

	c->printed = rd_kafka_topic_partition_list_new(8);
	rd_kafka_poll_set_consumer(c->client);
	if (c->is_regex) {
		buf_printf(&expression, "^(%s)$", c->name[0]);
		rd_kafka_topic_partition_list_add(list, (const char *)expression.data,
		                                  RD_KAFKA_PARTITION_UA);
	}
	for (size_t i = 0; !c->is_regex && c->name[i]; i++)
		rd_kafka_topic_partition_list_add(list, c->name[i], RD_KAFKA_PARTITION_UA);
	err = rd_kafka_subscribe(c->client, list);
	if (err)
		cli_fail_with(err, c->name[0]);
	rd_kafka_topic_partition_list_destroy(list);
	buf_fini(&expression);
}

void consume_stop_group(struct consume *c)
{
	rd_kafka_resp_err_t err = rd_kafka_consumer_close(c->client);

	if (err)
		cli_say("group %s: %s", c->group, rd_kafka_err2str(err));
	else if (c->verbose)
		cli_say("group %s: left", c->group);
	rd_kafka_topic_partition_list_destroy(c->printed);
}
