/* SPDX-License-Identifier: Apache-2.0 */
#include "topic.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config.h"
#include "wire/create_partitions.h"
#include "wire/create_topics.h"
#include "wire/delete_topics.h"

const char topic_help[] =
	"sluice topic: what there is in a cluster\n"
	"\n"
	"  sluice topic create NAME [--partitions N] [--replication-factor N]\n"
	"                           [--config KEY=VALUE]...\n"
	"      without a number the cluster's default\n"
	"  sluice topic list [--internal] [--format json]\n"
	"  sluice topic describe [NAME...] [--internal] [--format json]\n"
	"      partitions, their leaders, replicas and offsets; configs of its own\n"
	"  sluice topic alter NAME [--config KEY=VALUE]... [--delete-config KEY]... [--dry-run]\n"
	"  sluice topic add-partitions NAME --to N [--dry-run]\n"
	"      so many in all; keys of later records then go elsewhere than those of earlier ones\n"
	"  sluice topic trim NAME --offset O [--partition N]... (--yes | --dry-run)\n"
	"      removes the records before O: an offset, end (all of them), beginning, -N (all but\n"
	"      the last N), @TIME (those before it) or +DURATION (those older, as in +7d)\n"
	"  sluice topic delete NAME...\n"
	"\n"
	"TIME is in milliseconds since 1970 or like 2026-11-27T19:30:00Z, without Z local time.\n"
	"Exit status 1: something was refused or is not there; standard error says what.\n";

static const char *wanted_name(struct cli *cli, const char *what)
{
	const char *name = cli_word(cli);

	if (!name)
		cli_usage("topic %s: a name is wanted", what);
	cli_done(cli);
	return name;
}

static int say_result(struct kafka *k, const char *done, struct str name, int16_t error,
                      struct str message)
{
	char *text = str_dup(name);

	if (error)
		kafka_say(k, text, error, message);
	else
		printf("%s %s\n", done, text);
	mem_free(text);
	return error ? EXIT_FAILED : EXIT_OK;
}

/* ---- create ---- */

static int topic_create(struct cli *cli)
{
	long partitions = cli_number(cli, "--partitions", -1, 1, 1000000);
	long replicas = cli_number(cli, "--replication-factor", -1, 1, 32767);
	const char **config = config_options(cli, "--config");
	struct create_topics_request_creatable_topic topic = {
		.num_partitions = (int32_t)partitions,
		.replication_factor = (int16_t)replicas,
	};
	struct create_topics_request r = { .topics = &topic,
		                           .topics_count = 1,
		                           .timeout_ms = CLI_TIMEOUT_MS };
	const struct create_topics_response *answer;
	struct kafka k;
	int status = EXIT_OK;

	topic.name = str_of(wanted_name(cli, "create"));
	while (config[topic.configs_count])
		topic.configs_count++;
	topic.configs = mem_array(topic.configs_count + 1, sizeof(*topic.configs));
	for (uint32_t i = 0; i < topic.configs_count; i++) {
		topic.configs[i].name = config_key("--config", config[i]);
		topic.configs[i].value = str_of(config[i] + topic.configs[i].name.size + 1);
	}
	kafka_open(&k, cli);
	answer = kafka_ask(&k, kafka_controller(&k), API_CREATE_TOPICS, &r);
	for (uint32_t i = 0; i < answer->topics_count; i++)
		status |= say_result(&k, "created", answer->topics[i].name,
		                     answer->topics[i].error_code, answer->topics[i].error_message);
	kafka_close(&k);
	mem_free(topic.configs);
	mem_free(config);
	return status;
}

/* ---- alter ---- */

static int topic_alter(struct cli *cli)
{
	struct config_change change = { config_options(cli, "--config"),
		                        config_options(cli, "--delete-config"),
		                        cli_flag(cli, "--dry-run") };
	const char *name = wanted_name(cli, "alter");
	struct kafka k;
	int status;

	if (!*change.set && !*change.unset)
		cli_usage("topic alter: --config KEY=VALUE or --delete-config KEY is wanted");
	for (size_t i = 0; change.set[i]; i++)
		(void)config_key("--config", change.set[i]);
	kafka_open(&k, cli);
	status = config_alter(&k, (struct config_of){ CONFIG_TOPIC, name }, &change);
	if (!status)
		printf("%s %s\n", change.dry_run ? "would alter" : "altered", name);
	kafka_close(&k);
	mem_free(change.set);
	mem_free(change.unset);
	return status;
}

/* ---- add-partitions ---- */

static int topic_add_partitions(struct cli *cli)
{
	long to = cli_number(cli, "--to", 0, 1, 1000000);
	bool dry_run = cli_flag(cli, "--dry-run");
	const char *name = wanted_name(cli, "add-partitions");
	struct create_partitions_request_topic topic = { .name = str_of(name),
		                                         .count = (int32_t)to };
	struct create_partitions_request r = { .topics = &topic,
		                               .topics_count = 1,
		                               .timeout_ms = CLI_TIMEOUT_MS,
		                               .validate_only = dry_run };
	const struct create_partitions_response *answer;
	const struct metadata_response_response_topic *before;
	char done[80];
	struct kafka k;
	int status = EXIT_OK;

	if (!to)
		cli_usage("topic add-partitions: --to N is wanted, so many in all");
	kafka_open(&k, cli);
	before = kafka_topic(&k, name);
	snprintf(done, sizeof(done), "%s from %u to %ld partitions:", dry_run ? "would go" : "went",
	         before->partitions_count, to);
	answer = kafka_ask(&k, kafka_controller(&k), API_CREATE_PARTITIONS, &r);
	for (uint32_t i = 0; i < answer->results_count; i++)
		status |=
			say_result(&k, done, answer->results[i].name, answer->results[i].error_code,
		                   answer->results[i].error_message);
	kafka_close(&k);
	return status;
}

/* ---- delete ---- */

static int topic_delete(struct cli *cli)
{
	size_t room = (size_t)cli->argc + 1;
	struct delete_topics_request r = { .timeout_ms = CLI_TIMEOUT_MS };
	const struct delete_topics_response *answer;
	const char *name;
	struct kafka k;
	int status = EXIT_OK;

	r.topics = mem_array(room, sizeof(*r.topics));
	r.topic_names = mem_array(room, sizeof(*r.topic_names));
	while ((name = cli_word(cli))) {
		r.topics[r.topics_count++].name = str_of(name);
		r.topic_names[r.topic_names_count++] = str_of(name);
	}
	if (!r.topics_count)
		cli_usage("topic delete: a name is wanted");
	kafka_open(&k, cli);
	/* Which of the two is on the wire depends on the version. */
	if (kafka_max_version(&k, kafka_controller(&k), API_DELETE_TOPICS) < 6)
		r.topics_count = 0;
	else
		r.topic_names_count = 0;
	answer = kafka_ask(&k, kafka_controller(&k), API_DELETE_TOPICS, &r);
	for (uint32_t i = 0; i < answer->responses_count; i++)
		status |= say_result(&k, "deleted", answer->responses[i].name,
		                     answer->responses[i].error_code,
		                     answer->responses[i].error_message);
	kafka_close(&k);
	mem_free(r.topics);
	mem_free(r.topic_names);
	return status;
}

int cmd_topic(struct cli *cli)
{
	static const struct cli_command sub[] = {
		{ "create", topic_create, NULL },
		{ "list", topic_list, NULL },
		{ "describe", topic_describe, NULL },
		{ "alter", topic_alter, NULL },
		{ "add-partitions", topic_add_partitions, NULL },
		{ "trim", topic_trim, NULL },
		{ "delete", topic_delete, NULL },
	};

	return cli_run(cli, "topic", sub, sizeof(sub) / sizeof(sub[0]));
}
