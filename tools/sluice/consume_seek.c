/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <regex.h>
#include <string.h>

#include "base/mem.h"
#include "consume.h"

/* ---- where to begin ---- */

static int64_t offset_at_time(const struct consume *c, const char *topic, int32_t partition)
{
	rd_kafka_topic_partition_list_t *at = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t err;
	int64_t offset;

	rd_kafka_topic_partition_list_add(at, topic, partition)->offset = c->from.number;
	err = rd_kafka_offsets_for_times(c->client, at, CLI_TIMEOUT_MS);
	if (!err)
		err = at->elems[0].err;
	if (err)
		cli_fail_with(err, topic);
	offset = at->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(at);
	return offset < 0 ? RD_KAFKA_OFFSET_END : offset;
}

int64_t consume_start_of(struct consume *c, const char *topic, int32_t partition)
{
	int64_t number = c->from.number;
	int64_t low;
	int64_t high;
	rd_kafka_resp_err_t err;

	if (c->from.kind == WHEN_BEGINNING)
		return RD_KAFKA_OFFSET_BEGINNING;
	if (c->from.kind == WHEN_END)
		return RD_KAFKA_OFFSET_END;
	if (c->from.kind == WHEN_TIME)
		return offset_at_time(c, topic, partition);
	err = rd_kafka_query_watermark_offsets(c->client, topic, partition, &low, &high,
	                                       CLI_TIMEOUT_MS);
	if (err)
		cli_fail_with(err, topic);
	if (c->from.kind == WHEN_BACK)
		return high - low > number ? high - number : low;
	if (number < low || number > high)
		cli_fail("%s: partition %" PRId32 " has no offset %" PRId64
		         ": it goes from %" PRId64 " to %" PRId64,
		         topic, partition, number, low, high);
	return number;
}

/* ---- what is being read ---- */

void consume_add(struct consume *c, const char *topic, int32_t partition)
{
	c->source = mem_grow(c->source, c->source_count, &c->source_capacity, sizeof(*c->source));
	c->source[c->source_count++] =
		(struct source){ NULL, str_dup(str_of(topic)), partition, false };
}

static struct source *find(struct consume *c, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < c->source_count; i++)
		if (c->source[i].partition == partition && !strcmp(c->source[i].name, topic))
			return &c->source[i];
	return NULL;
}

void consume_remove(struct consume *c, const char *topic, int32_t partition)
{
	struct source *s = find(c, topic, partition);

	if (!s)
		return;
	c->ended_count -= s->ended;
	mem_free(s->name);
	*s = c->source[--c->source_count];
}

void consume_ended(struct consume *c, const char *topic, int32_t partition, bool ended)
{
	struct source *s = find(c, topic, partition);

	if (!s || s->ended == ended)
		return;
	s->ended = ended;
	c->ended_count += ended ? 1 : (size_t)-1;
}

/* ---- alone ---- */

static bool is_wanted(const struct consume *c, int32_t partition)
{
	for (size_t i = 0; i < c->partition_count; i++)
		if (c->partition[i] == partition)
			return true;
	return !c->partition_count;
}

/* Those asked for must be there; none asked for: all that are there. */
static void choose(struct consume *c, const rd_kafka_metadata_topic_t *t)
{
	if (t->err)
		cli_fail_with(t->err, t->topic);
	for (size_t i = 0; i < c->partition_count; i++)
		if (c->partition[i] >= t->partition_cnt)
			cli_fail("%s has partitions 0 to %d, not %" PRId32, t->topic,
			         t->partition_cnt - 1, c->partition[i]);
	for (int i = 0; i < t->partition_cnt; i++)
		if (is_wanted(c, t->partitions[i].id))
			consume_add(c, t->topic, t->partitions[i].id);
}

static void choose_named(struct consume *c, const char *name)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(c->client, name, NULL);
	const rd_kafka_metadata_t *md;
	rd_kafka_resp_err_t err;

	if (!topic)
		cli_fail_with(rd_kafka_last_error(), name);
	err = rd_kafka_metadata(c->client, 0, topic, &md, CLI_TIMEOUT_MS);
	if (err)
		cli_fail_with(err, name);
	choose(c, &md->topics[0]);
	rd_kafka_metadata_destroy(md);
	rd_kafka_topic_destroy(topic);
}

/* The topics whose whole name the expression is for. */
static void choose_matching(struct consume *c, const char *expression)
{
	const rd_kafka_metadata_t *md;
	rd_kafka_resp_err_t err = rd_kafka_metadata(c->client, 1, NULL, &md, CLI_TIMEOUT_MS);
	regmatch_t match;
	regex_t re;

	if (err)
		cli_fail_with(err, expression);
	/* It was compiled before, to see whether it can be. */
	if (regcomp(&re, expression, REG_EXTENDED))
		cli_usage("--regex %s: not a regular expression", expression);
	for (int i = 0; i < md->topic_cnt; i++) {
		const char *name = md->topics[i].topic;

		if (!regexec(&re, name, 1, &match, 0) && !match.rm_so &&
		    (size_t)match.rm_eo == strlen(name))
			choose(c, &md->topics[i]);
	}
	regfree(&re);
	rd_kafka_metadata_destroy(md);
	if (!c->source_count)
		cli_fail("%s: no topic has a name like this; `sluice topic list` shows those there "
		         "are",
		         expression);
}

void consume_start_alone(struct consume *c)
{
	c->queue = rd_kafka_queue_new(c->client);
	if (c->is_regex)
		choose_matching(c, c->name[0]);
	else
		for (size_t i = 0; c->name[i]; i++)
			choose_named(c, c->name[i]);
	for (size_t i = 0; i < c->source_count; i++) {
		struct source *s = &c->source[i];

		s->topic = rd_kafka_topic_new(c->client, s->name, NULL);
		if (!s->topic)
			cli_fail_with(rd_kafka_last_error(), s->name);
		if (rd_kafka_consume_start_queue(s->topic, s->partition,
		                                 consume_start_of(c, s->name, s->partition),
		                                 c->queue))
			cli_fail_with(rd_kafka_last_error(), s->name);
	}
}

void consume_stop_alone(struct consume *c)
{
	for (size_t i = 0; i < c->source_count; i++) {
		rd_kafka_consume_stop(c->source[i].topic, c->source[i].partition);
		rd_kafka_topic_destroy(c->source[i].topic);
	}
	rd_kafka_queue_destroy(c->queue);
}
