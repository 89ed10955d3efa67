/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli.h"
#include "topic.h"

const char topic_help[] =
	"sluice topic: what there is in a cluster\n"
	"\n"
	"  sluice topic create NAME [--partitions N] [--replication-factor N]\n"
	"                           [--config KEY=VALUE]...\n"
	"      without a number the cluster's default\n"
	"  sluice topic list [--internal] [--format json]\n"
	"  sluice topic describe [NAME...] [--internal] [--format json]\n"
	"      partitions, their leaders, replicas and offsets; configs of its own\n"
	"  sluice topic delete NAME...\n"
	"\n"
	"Exit status 1: something was refused or is not there; standard error says what.\n";

/* ---- admin requests: each a queue, an event, and a result a topic ---- */

void admin_open(struct admin *a, rd_kafka_t *client, rd_kafka_admin_op_t op)
{
	char error[256];

	a->client = client;
	a->queue = rd_kafka_queue_new(client);
	a->options = rd_kafka_AdminOptions_new(client, op);
	if (rd_kafka_AdminOptions_set_request_timeout(a->options, CLI_TIMEOUT_MS, error,
	                                              sizeof(error)))
		cli_fail("%s", error);
	/* How long the controller may take; not every request has such a time. */
	(void)rd_kafka_AdminOptions_set_operation_timeout(a->options, CLI_TIMEOUT_MS, error,
	                                                  sizeof(error));
}

rd_kafka_event_t *admin_wait(struct admin *a)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(a->queue, CLI_TIMEOUT_MS + 5000);

	if (!event)
		cli_fail("no answer in %d s%s%s", CLI_TIMEOUT_MS / 1000 + 5,
		         *cli_trouble() ? ": " : "", cli_trouble());
	return event;
}

void admin_close(struct admin *a)
{
	rd_kafka_AdminOptions_destroy(a->options);
	rd_kafka_queue_destroy(a->queue);
}

static void check_event(rd_kafka_event_t *event)
{
	if (rd_kafka_event_error(event))
		cli_fail("%s%s%s", rd_kafka_event_error_string(event), *cli_trouble() ? ": " : "",
		         cli_trouble());
}

static int report(const rd_kafka_topic_result_t **result, size_t count, const char *done)
{
	int status = EXIT_OK;

	for (size_t i = 0; i < count; i++) {
		const char *name = rd_kafka_topic_result_name(result[i]);

		if (!rd_kafka_topic_result_error(result[i])) {
			printf("%s %s\n", done, name);
			continue;
		}
		cli_say("%s: %s", name, rd_kafka_topic_result_error_string(result[i]));
		status = EXIT_FAILED;
	}
	return status;
}

/* ---- create ---- */

static void add_config(rd_kafka_NewTopic_t *topic, const char *text)
{
	const char *equals = strchr(text, '=');
	char *key;

	if (!equals || equals == text)
		cli_usage("--config %s: KEY=VALUE is wanted", text);
	key = str_dup((struct str){ text, (uint32_t)(equals - text) });
	if (rd_kafka_NewTopic_set_config(topic, key, equals + 1))
		cli_usage("--config %s: not understood", text);
	mem_free(key);
}

static rd_kafka_NewTopic_t *parse_topic(struct cli *cli)
{
	long partitions = cli_number(cli, "--partitions", -1, 1, 1000000);
	long replicas = cli_number(cli, "--replication-factor", -1, 1, 32767);
	const char **config = mem_array((size_t)cli->argc + 1, sizeof(*config));
	size_t config_count = 0;
	rd_kafka_NewTopic_t *topic;
	const char *name;
	char error[256];

	while ((config[config_count] = cli_option(cli, "--config")))
		config_count++;
	name = cli_word(cli);
	if (!name)
		cli_usage("topic create: a name is wanted");
	cli_done(cli);
	topic = rd_kafka_NewTopic_new(name, (int)partitions, (int)replicas, error, sizeof(error));
	if (!topic)
		cli_usage("%s", error);
	for (size_t i = 0; i < config_count; i++)
		add_config(topic, config[i]);
	mem_free(config);
	return topic;
}

static int topic_create(struct cli *cli)
{
	rd_kafka_NewTopic_t *topic = parse_topic(cli);
	rd_kafka_t *client = cli_client(cli, RD_KAFKA_PRODUCER, NULL);
	struct admin a;
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **result;
	size_t count;
	int status;

	admin_open(&a, client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_CreateTopics(client, &topic, 1, a.options, a.queue);
	event = admin_wait(&a);
	check_event(event);
	result = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event),
	                                             &count);
	status = report(result, count, "created");
	rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy(topic);
	admin_close(&a);
	rd_kafka_destroy(client);
	return status;
}

/* ---- delete ---- */

static int topic_delete(struct cli *cli)
{
	rd_kafka_DeleteTopic_t **topic = mem_array((size_t)cli->argc + 1, sizeof(*topic));
	size_t topic_count = 0;
	struct admin a;
	const char *name;
	rd_kafka_t *client;
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **result;
	size_t count;
	int status;

	while ((name = cli_word(cli)))
		topic[topic_count++] = rd_kafka_DeleteTopic_new(name);
	if (!topic_count)
		cli_usage("topic delete: a name is wanted");
	client = cli_client(cli, RD_KAFKA_PRODUCER, NULL);
	admin_open(&a, client, RD_KAFKA_ADMIN_OP_DELETETOPICS);
	rd_kafka_DeleteTopics(client, topic, topic_count, a.options, a.queue);
	rd_kafka_DeleteTopic_destroy_array(topic, topic_count);
	mem_free(topic);
	event = admin_wait(&a);
	check_event(event);
	result = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event),
	                                             &count);
	status = report(result, count, "deleted");
	rd_kafka_event_destroy(event);
	admin_close(&a);
	rd_kafka_destroy(client);
	return status;
}

int cmd_topic(struct cli *cli)
{
	static const struct cli_command sub[] = {
		{ "create", topic_create, NULL },
		{ "list", topic_list, NULL },
		{ "describe", topic_describe, NULL },
		{ "delete", topic_delete, NULL },
	};

	return cli_run(cli, "topic", sub, sizeof(sub) / sizeof(sub[0]));
}
