/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "out.h"
#include "topic.h"

/* ---- what a broker tells ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const rd_kafka_metadata_topic_t *)a)->topic,
	              ((const rd_kafka_metadata_topic_t *)b)->topic);
}

static int by_id(const void *a, const void *b)
{
	int32_t x = ((const rd_kafka_metadata_partition_t *)a)->id;
	int32_t y = ((const rd_kafka_metadata_partition_t *)b)->id;

	return (x > y) - (x < y);
}

/* Of one topic, or of all (NULL): sorted. */
static const rd_kafka_metadata_t *metadata(rd_kafka_t *client, const char *name)
{
	const rd_kafka_metadata_t *md;
	rd_kafka_topic_t *topic = name ? rd_kafka_topic_new(client, name, NULL) : NULL;
	rd_kafka_resp_err_t err;

	if (name && !topic)
		cli_fail_with(rd_kafka_last_error(), name);
	err = rd_kafka_metadata(client, !name, topic, &md, CLI_TIMEOUT_MS);
	if (topic)
		rd_kafka_topic_destroy(topic);
	if (err)
		cli_fail_with(err, name);
	qsort(md->topics, (size_t)md->topic_cnt, sizeof(*md->topics), by_name);
	for (int i = 0; i < md->topic_cnt; i++)
		qsort(md->topics[i].partitions, (size_t)md->topics[i].partition_cnt,
		      sizeof(*md->topics[i].partitions), by_id);
	return md;
}

/* The protocol's flag for it does not come through librdkafka. */
static bool is_internal(const char *name)
{
	return !strcmp(name, "__consumer_offsets") || !strcmp(name, "__transaction_state") ||
	       !strcmp(name, "__share_group_state");
}

/* A client that only looks: asking for a topic must not make it. */
static rd_kafka_t *looking_client(struct cli *cli)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	cli_conf(conf, "allow.auto.create.topics", "false");
	return cli_client(cli, RD_KAFKA_CONSUMER, conf);
}

/* ---- list ---- */

static void print_name(struct out *o, const rd_kafka_metadata_topic_t *t)
{
	if (!o->json) {
		puts(t->topic);
		return;
	}
	out_begin(o, "topic");
	out_bytes(o, "name", span_of(str_of(t->topic)));
	out_number(o, "partition_count", t->partition_cnt);
	out_flag(o, "internal", is_internal(t->topic));
	out_end(o);
}

int topic_list(struct cli *cli)
{
	bool internal = cli_flag(cli, "--internal");
	struct out out = { .json = cli_wants_json(cli) };
	rd_kafka_t *client;
	const rd_kafka_metadata_t *md;

	cli_done(cli);
	client = looking_client(cli);
	md = metadata(client, NULL);
	for (int i = 0; i < md->topic_cnt; i++)
		if (internal || !is_internal(md->topics[i].topic))
			print_name(&out, &md->topics[i]);
	rd_kafka_metadata_destroy(md);
	rd_kafka_destroy(client);
	out_fini(&out);
	return EXIT_OK;
}

/* ---- describe ---- */

struct described {
	rd_kafka_t *client;
	struct out out;
	const rd_kafka_metadata_topic_t *topic;
	/* Of each partition, in the order of `topic`. */
	rd_kafka_topic_partition_list_t *low;
	rd_kafka_topic_partition_list_t *high;
	rd_kafka_event_t *configs; /* NULL: not known */
};

/* The offsets that the broker has for a special time: -2 the first, -1 the next. */
static rd_kafka_topic_partition_list_t *offsets(const struct described *d, int64_t time)
{
	const rd_kafka_metadata_topic_t *t = d->topic;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(t->partition_cnt);
	rd_kafka_resp_err_t err;

	for (int i = 0; i < t->partition_cnt; i++)
		rd_kafka_topic_partition_list_add(list, t->topic, t->partitions[i].id)->offset =
			time;
	err = rd_kafka_offsets_for_times(d->client, list, CLI_TIMEOUT_MS);
	for (int i = 0; err && i < list->cnt; i++)
		if (!list->elems[i].err)
			list->elems[i].err = err;
	return list;
}

static rd_kafka_event_t *configs(rd_kafka_t *client, const char *topic)
{
	rd_kafka_ConfigResource_t *resource =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
	rd_kafka_event_t *event;
	struct admin a;

	admin_open(&a, client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	rd_kafka_DescribeConfigs(client, &resource, 1, a.options, a.queue);
	rd_kafka_ConfigResource_destroy(resource);
	event = admin_wait(&a);
	if (rd_kafka_event_error(event)) {
		cli_say("%s: configs: %s", topic, rd_kafka_event_error_string(event));
		rd_kafka_event_destroy(event);
		event = NULL;
	}
	admin_close(&a);
	return event;
}

/* Calls each() for every config that the topic has itself. */
static void each_config(const struct described *d,
                        void (*each)(void *arg, const char *name, const char *value), void *arg)
{
	const rd_kafka_ConfigResource_t **resource;
	size_t count;

	if (!d->configs)
		return;
	resource = rd_kafka_DescribeConfigs_result_resources(
		rd_kafka_event_DescribeConfigs_result(d->configs), &count);
	for (size_t i = 0; i < count; i++) {
		size_t entries;
		const rd_kafka_ConfigEntry_t **entry =
			rd_kafka_ConfigResource_configs(resource[i], &entries);

		for (size_t j = 0; j < entries; j++)
			if (rd_kafka_ConfigEntry_source(entry[j]) ==
			    RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG)
				each(arg, rd_kafka_ConfigEntry_name(entry[j]),
				     rd_kafka_ConfigEntry_value(entry[j]));
	}
}

static void print_config(void *arg, const char *name, const char *value)
{
	(void)arg;
	printf("  config %s=%s\n", name, value ? value : "(hidden)");
}

static void out_config(void *arg, const char *name, const char *value)
{
	struct out *o = arg;

	out_item(o);
	out_bytes(o, "name", span_of(str_of(name)));
	out_bytes(o, "value", span_of(str_of(value)));
	out_item_end(o);
}

static void print_ids(const char *label, const int32_t *id, int count)
{
	printf("  %s ", label);
	for (int i = 0; i < count; i++)
		printf("%s%" PRId32, i ? "," : "", id[i]);
}

static void print_topic(const struct described *d)
{
	const rd_kafka_metadata_topic_t *t = d->topic;

	printf("%s: %d partition%s\n", t->topic, t->partition_cnt,
	       t->partition_cnt == 1 ? "" : "s");
	each_config(d, print_config, NULL);
	for (int i = 0; i < t->partition_cnt; i++) {
		const rd_kafka_metadata_partition_t *p = &t->partitions[i];
		rd_kafka_resp_err_t err = p->err ? p->err : d->low->elems[i].err;

		if (!err)
			err = d->high->elems[i].err;
		printf("  partition %" PRId32 "  leader %" PRId32, p->id, p->leader);
		print_ids("replicas", p->replicas, p->replica_cnt);
		print_ids("isr", p->isrs, p->isr_cnt);
		if (err)
			printf("  %s\n", rd_kafka_err2str(err));
		else
			printf("  offsets %" PRId64 "..%" PRId64 "\n", d->low->elems[i].offset,
			       d->high->elems[i].offset);
	}
}

static void out_ids(struct out *o, const char *name, const int32_t *id, int count)
{
	out_list(o, name);
	for (int i = 0; i < count; i++)
		out_list_number(o, id[i]);
	out_list_end(o);
}

static void out_partition(struct described *d, int i)
{
	const rd_kafka_metadata_partition_t *p = &d->topic->partitions[i];
	const rd_kafka_topic_partition_t *low = &d->low->elems[i];
	const rd_kafka_topic_partition_t *high = &d->high->elems[i];
	struct out *o = &d->out;

	out_item(o);
	out_number(o, "partition", p->id);
	out_number(o, "leader", p->leader);
	out_ids(o, "replicas", p->replicas, p->replica_cnt);
	out_ids(o, "isr", p->isrs, p->isr_cnt);
	if (low->err)
		out_null(o, "start_offset");
	else
		out_number(o, "start_offset", low->offset);
	if (high->err)
		out_null(o, "end_offset");
	else
		out_number(o, "end_offset", high->offset);
	if (p->err || low->err || high->err)
		out_word(o, "error",
		         rd_kafka_err2name(p->err     ? p->err
		                           : low->err ? low->err
		                                      : high->err));
	out_item_end(o);
}

static void out_topic(struct described *d)
{
	struct out *o = &d->out;

	out_begin(o, "topic");
	out_bytes(o, "name", span_of(str_of(d->topic->topic)));
	out_flag(o, "internal", is_internal(d->topic->topic));
	out_list(o, "configs");
	each_config(d, out_config, o);
	out_list_end(o);
	out_list(o, "partitions");
	for (int i = 0; i < d->topic->partition_cnt; i++)
		out_partition(d, i);
	out_list_end(o);
	out_end(o);
}

static void describe(struct described *d, const rd_kafka_metadata_topic_t *t)
{
	d->topic = t;
	d->low = offsets(d, -2);
	d->high = offsets(d, -1);
	d->configs = configs(d->client, t->topic);
	if (d->out.json)
		out_topic(d);
	else
		print_topic(d);
	rd_kafka_topic_partition_list_destroy(d->low);
	rd_kafka_topic_partition_list_destroy(d->high);
	if (d->configs)
		rd_kafka_event_destroy(d->configs);
}

/* One topic, or all (NULL); false: it is not there. */
static bool describe_named(struct described *d, const char *name, bool internal)
{
	const rd_kafka_metadata_t *md = metadata(d->client, name);
	bool ok = true;

	for (int i = 0; i < md->topic_cnt; i++) {
		const rd_kafka_metadata_topic_t *t = &md->topics[i];

		if (t->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
			cli_say("%s: there is no such topic", t->topic);
		else if (t->err)
			cli_say("%s: %s", t->topic, rd_kafka_err2str(t->err));
		else if (name || internal || !is_internal(t->topic))
			describe(d, t);
		ok = ok && !t->err;
	}
	rd_kafka_metadata_destroy(md);
	return ok;
}

int topic_describe(struct cli *cli)
{
	bool internal = cli_flag(cli, "--internal");
	struct described d = { .out.json = cli_wants_json(cli) };
	const char *name = cli_word(cli);
	int status = EXIT_OK;

	/* What is wrong with the command line is said before anybody is asked. */
	for (int i = 0; i < cli->argc; i++)
		if (cli->argv[i][0] == '-' && strcmp(cli->argv[i], "--"))
			cli_usage("unknown option %s", cli->argv[i]);
	d.client = looking_client(cli);
	do {
		if (!describe_named(&d, name, internal))
			status = EXIT_FAILED;
	} while (name && (name = cli_word(cli)));
	rd_kafka_destroy(d.client);
	out_fini(&d.out);
	return status;
}
