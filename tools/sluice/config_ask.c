/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config.h"
#include "wire/incremental_alter_configs.h"

enum { OP_SET = 0, OP_DELETE = 1 };

const char **config_options(struct cli *cli, const char *name)
{
	const char **list = mem_array((size_t)cli->argc + 1, sizeof(*list));
	size_t count = 0;

	while ((list[count] = cli_option(cli, name)))
		count++;
	return list;
}

struct str config_key(const char *option, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		cli_usage("%s%s%s: KEY=VALUE is wanted", option, *option ? " " : "", text);
	return (struct str){ text, (uint32_t)(equals - text) };
}

/* A broker's own configs are known to that broker. */
static int32_t who_knows(struct kafka *k, struct config_of of)
{
	if ((of.type == CONFIG_BROKER || of.type == CONFIG_BROKER_LOGGER) && *of.name)
		return (int32_t)strtol(of.name, NULL, 10);
	return k->cluster->controller_id >= 0 ? k->cluster->controller_id : KAFKA_ANY;
}

static size_t count_of(const char **list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	return count;
}

int config_alter(struct kafka *k, struct config_of of, const struct config_change *change)
{
	size_t set = count_of(change->set);
	size_t unset = count_of(change->unset);
	struct incremental_alter_configs_request_alterable_config *c =
		arena_array(&k->arena, set + unset, sizeof(*c));
	struct incremental_alter_configs_request_alter_configs_resource resource = {
		.resource_type = (int8_t)of.type,
		.resource_name = str_of(of.name),
		.configs = c,
		.configs_count = (uint32_t)(set + unset),
	};
	struct incremental_alter_configs_request r = { .resources = &resource,
		                                       .resources_count = 1,
		                                       .validate_only = change->dry_run };
	const struct incremental_alter_configs_response *answer;
	int status = EXIT_OK;

	for (size_t i = 0; i < set; i++, c++) {
		c->name = config_key("--config", change->set[i]);
		c->config_operation = OP_SET;
		c->value = str_of(change->set[i] + c->name.size + 1);
	}
	for (size_t i = 0; i < unset; i++, c++) {
		c->name = str_of(change->unset[i]);
		c->config_operation = OP_DELETE;
	}
	answer = kafka_ask(k, who_knows(k, of), API_INCREMENTAL_ALTER_CONFIGS, &r);
	for (uint32_t i = 0; i < answer->responses_count; i++) {
		if (!answer->responses[i].error_code)
			continue;
		kafka_say(k, *of.name ? of.name : "default", answer->responses[i].error_code,
		          answer->responses[i].error_message);
		status = EXIT_FAILED;
	}
	return status;
}

const struct describe_configs_response_result *config_describe(struct kafka *k, struct config_of of,
                                                               const char **key)
{
	size_t count = count_of(key);
	struct describe_configs_request_resource resource = {
		.resource_type = (int8_t)of.type,
		.resource_name = str_of(of.name),
		.configuration_keys =
			count ? arena_array(&k->arena, count, sizeof(struct str)) : NULL,
		.configuration_keys_count = (uint32_t)count,
	};
	struct describe_configs_request r = { .resources = &resource,
		                              .resources_count = 1,
		                              .include_synonyms = true };
	const struct describe_configs_response *answer;

	for (size_t i = 0; i < count; i++)
		resource.configuration_keys[i] = str_of(key[i]);
	answer = kafka_ask(k, who_knows(k, of), API_DESCRIBE_CONFIGS, &r);
	if (!answer->results_count)
		cli_fail("%s: an empty answer to DescribeConfigs", kafka_address(k, k->last_node));
	return &answer->results[0];
}
