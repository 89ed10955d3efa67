/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

const char topic_help[] =
	"sluice topic: what there is in a cluster\n"
	"\n"
	"  sluice topic create NAME [--partitions N] [--replication-factor N] [--config "
	"KEY=VALUE]...\n"
	"  sluice topic list [--internal]\n"
	"  sluice topic describe [NAME]\n"
	"  sluice topic delete NAME...\n";

/* ---- admin requests: each a queue, an event, and a result a topic ---- */

struct admin {
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	rd_kafka_AdminOptions_t *options;
};

static struct admin admin_open(struct cli *cli, rd_kafka_admin_op_t op)
{
	struct admin a;
	char error[256];

	a.client = cli_client(cli, RD_KAFKA_PRODUCER, NULL);
	a.queue = rd_kafka_queue_new(a.client);
	a.options = rd_kafka_AdminOptions_new(a.client, op);
	if (rd_kafka_AdminOptions_set_request_timeout(a.options, CLI_TIMEOUT_MS, error,
	                                              sizeof(error)))
		cli_fail("%s", error);
	if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS || op == RD_KAFKA_ADMIN_OP_DELETETOPICS)
		(void)rd_kafka_AdminOptions_set_operation_timeout(a.options, CLI_TIMEOUT_MS, error,
		                                                  sizeof(error));
	return a;
}

static rd_kafka_event_t *admin_wait(struct admin *a)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(a->queue, CLI_TIMEOUT_MS + 5000);

	if (!event)
		cli_fail("no answer");
	if (rd_kafka_event_error(event))
		cli_fail("%s", rd_kafka_event_error_string(event));
	return event;
}

static void admin_close(struct admin *a)
{
	rd_kafka_AdminOptions_destroy(a->options);
	rd_kafka_queue_destroy(a->queue);
	rd_kafka_destroy(a->client);
}

static int report(const rd_kafka_topic_result_t **result, size_t count, const char *done)
{
	int rc = EXIT_OK;

	for (size_t i = 0; i < count; i++) {
		const char *name = rd_kafka_topic_result_name(result[i]);

		if (!rd_kafka_topic_result_error(result[i])) {
			printf("%s %s\n", done, name);
			continue;
		}
		fprintf(stderr, "sluice: %s: %s\n", name,
		        rd_kafka_topic_result_error_string(result[i]));
		rc = EXIT_FAILED;
	}
	return rc;
}

static int topic_create(struct cli *cli)
{
	long partitions = cli_number(cli, "--partitions", -1, 1, 1000000);
	long replicas = cli_number(cli, "--replication-factor", -1, 1, 32767);
	struct admin a = admin_open(cli, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	const char *config[64];
	size_t config_count = 0;
	const char *name;
	char error[256];
	rd_kafka_NewTopic_t *topic;
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **result;
	size_t count;
	int rc;

	while (config_count < 64 && (config[config_count] = cli_option(cli, "--config")))
		config_count++;
	name = cli_word(cli);
	if (!name)
		cli_usage("topic create: a name is wanted");
	cli_done(cli);
	topic = rd_kafka_NewTopic_new(name, (int)partitions, (int)replicas, error, sizeof(error));
	if (!topic)
		cli_usage("%s", error);
	for (size_t i = 0; i < config_count; i++) {
		char *key = strdup(config[i]);
		char *value = key ? strchr(key, '=') : NULL;

		if (!value)
			cli_usage("--config %s: KEY=VALUE is wanted", config[i]);
		*value = '\0';
		if (rd_kafka_NewTopic_set_config(topic, key, value + 1))
			cli_usage("--config %s", config[i]);
		free(key);
	}
	rd_kafka_CreateTopics(a.client, &topic, 1, a.options, a.queue);
	event = admin_wait(&a);
	result = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event),
	                                             &count);
	rc = report(result, count, "created");
	rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy(topic);
	admin_close(&a);
	return rc;
}

static int topic_delete(struct cli *cli)
{
	struct admin a = admin_open(cli, RD_KAFKA_ADMIN_OP_DELETETOPICS);
	rd_kafka_DeleteTopic_t *topic[256];
	size_t count = 0;
	const char *name;
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **result;
	int rc;

	while ((name = cli_word(cli))) {
		if (count == 256)
			cli_usage("topic delete: at most 256 at a time");
		topic[count++] = rd_kafka_DeleteTopic_new(name);
	}
	if (!count)
		cli_usage("topic delete: a name is wanted");
	rd_kafka_DeleteTopics(a.client, topic, count, a.options, a.queue);
	rd_kafka_DeleteTopic_destroy_array(topic, count);
	event = admin_wait(&a);
	result = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event),
	                                             &count);
	rc = report(result, count, "deleted");
	rd_kafka_event_destroy(event);
	admin_close(&a);
	return rc;
}

/* ---- what there is ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const rd_kafka_metadata_topic_t *)a)->topic,
	              ((const rd_kafka_metadata_topic_t *)b)->topic);
}

static const rd_kafka_metadata_t *metadata(rd_kafka_t *client, const char *name)
{
	const rd_kafka_metadata_t *md;
	rd_kafka_topic_t *topic = name ? rd_kafka_topic_new(client, name, NULL) : NULL;
	rd_kafka_resp_err_t err = rd_kafka_metadata(client, !name, topic, &md, CLI_TIMEOUT_MS);

	if (topic)
		rd_kafka_topic_destroy(topic);
	if (err)
		cli_fail("%s", rd_kafka_err2str(err));
	qsort(md->topics, (size_t)md->topic_cnt, sizeof(*md->topics), by_name);
	return md;
}

static bool is_internal(const char *name)
{
	return name[0] == '_' && name[1] == '_';
}

static int topic_list(struct cli *cli)
{
	bool internal = cli_flag(cli, "--internal");
	rd_kafka_t *client = cli_client(cli, RD_KAFKA_PRODUCER, NULL);
	const rd_kafka_metadata_t *md;

	cli_done(cli);
	md = metadata(client, NULL);
	for (int i = 0; i < md->topic_cnt; i++) {
		if (internal || !is_internal(md->topics[i].topic))
			puts(md->topics[i].topic);
	}
	rd_kafka_metadata_destroy(md);
	rd_kafka_destroy(client);
	return EXIT_OK;
}

static void print_ids(const char *label, const int32_t *id, int count)
{
	printf("  %s ", label);
	for (int i = 0; i < count; i++)
		printf("%s%d", i ? "," : "", id[i]);
}

static void print_topic(rd_kafka_t *client, const rd_kafka_metadata_topic_t *t)
{
	printf("%s: %d partition%s\n", t->topic, t->partition_cnt,
	       t->partition_cnt == 1 ? "" : "s");
	for (int i = 0; i < t->partition_cnt; i++) {
		const rd_kafka_metadata_partition_t *p = &t->partitions[i];
		int64_t low = 0;
		int64_t high = 0;
		rd_kafka_resp_err_t err = p->err;

		if (!err)
			err = rd_kafka_query_watermark_offsets(client, t->topic, p->id, &low, &high,
			                                       CLI_TIMEOUT_MS);
		printf("  %-4d leader %d", p->id, p->leader);
		print_ids("replicas", p->replicas, p->replica_cnt);
		print_ids("isr", p->isrs, p->isr_cnt);
		if (err)
			printf("  %s\n", rd_kafka_err2str(err));
		else
			printf("  offsets %" PRId64 "..%" PRId64 "\n", low, high);
	}
}

static int topic_describe(struct cli *cli)
{
	const char *name = cli_word(cli);
	rd_kafka_t *client;
	const rd_kafka_metadata_t *md;
	int rc = EXIT_OK;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	cli_done(cli);
	cli_conf(conf, "allow.auto.create.topics", "false");
	client = cli_client(cli, RD_KAFKA_CONSUMER, conf);
	md = metadata(client, name);
	for (int i = 0; i < md->topic_cnt; i++) {
		const rd_kafka_metadata_topic_t *t = &md->topics[i];

		if (t->err) {
			fprintf(stderr, "sluice: %s: %s\n", t->topic, rd_kafka_err2str(t->err));
			rc = EXIT_FAILED;
		} else if (name || !is_internal(t->topic)) {
			print_topic(client, t);
		}
	}
	rd_kafka_metadata_destroy(md);
	rd_kafka_destroy(client);
	return rc;
}

int cmd_topic(struct cli *cli)
{
	static const struct {
		const char *name;
		int (*run)(struct cli *cli);
	} sub[] = {
		{ "create", topic_create },
		{ "list", topic_list },
		{ "describe", topic_describe },
		{ "delete", topic_delete },
	};
	const char *word = cli_word(cli);

	for (size_t i = 0; word && i < sizeof(sub) / sizeof(sub[0]); i++) {
		if (!strcmp(word, sub[i].name))
			return sub[i].run(cli);
	}
	cli_usage("topic: create, list, describe or delete is wanted");
}
