/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "out.h"
#include "table.h"
#include "wire/list_config_resources.h"

const char config_help[] =
	"sluice config: what is set of a topic, a broker, a group, a metrics subscription\n"
	"\n"
	"  sluice config get TYPE NAME [KEY]... [--all] [--format json]\n"
	"      what somebody has set, and where; --all: defaults as well\n"
	"  sluice config set TYPE NAME KEY=VALUE... [--dry-run]\n"
	"  sluice config unset TYPE NAME KEY... [--dry-run]\n"
	"      --dry-run: the cluster says whether it would, and does not\n"
	"  sluice config list [--format json]\n"
	"      what there is with configs of its own\n"
	"\n"
	"TYPE is topic, broker, broker-logger, group or client-metrics.  NAME of a broker is its\n"
	"number, or default: what all brokers have unless they have it themselves.\n"
	"Exit status 1: something was refused or is not there; standard error says what.\n";

static const struct {
	const char *name;
	enum config_type type;
} types[] = {
	{ "topic", CONFIG_TOPIC },
	{ "broker", CONFIG_BROKER },
	{ "broker-logger", CONFIG_BROKER_LOGGER },
	{ "group", CONFIG_GROUP },
	{ "client-metrics", CONFIG_CLIENT_METRICS },
};
enum { TYPES = sizeof(types) / sizeof(types[0]) };

static const char *type_name(int8_t type)
{
	for (size_t i = 0; i < TYPES; i++)
		if ((int8_t)types[i].type == type)
			return types[i].name;
	return "unknown";
}

static const char *source_name(int8_t source)
{
	static const char *const name[] = {
		"unknown", "topic",         "broker",         "broker-default", "server.properties",
		"default", "broker-logger", "client-metrics", "group",
	};

	return source >= 0 && source < (int8_t)(sizeof(name) / sizeof(name[0])) ? name[source]
	                                                                        : "unknown";
}

/* ---- whose ---- */

static const char *parse_broker(const char *name, enum config_type type)
{
	char *end;
	long id;

	if (!strcmp(name, "default") && type == CONFIG_BROKER)
		return "";
	id = strtol(name, &end, 10);
	if (*end || end == name || id < 0 || id > INT32_MAX)
		cli_usage("%s %s: a broker's number%s is wanted", type_name((int8_t)type), name,
		          type == CONFIG_BROKER ? " or default" : "");
	return name;
}

static struct config_of parse_of(struct cli *cli, const char *what)
{
	const char *type = cli_word(cli);
	const char *name = type ? cli_word(cli) : NULL;

	if (!name)
		cli_usage("config %s: TYPE NAME is wanted, as in topic orders or broker 1", what);
	for (size_t i = 0; i < TYPES; i++) {
		struct config_of of = { types[i].type, name };

		if (strcmp(type, types[i].name))
			continue;
		if (of.type == CONFIG_BROKER || of.type == CONFIG_BROKER_LOGGER)
			of.name = parse_broker(name, of.type);
		return of;
	}
	cli_usage("%s: topic, broker, broker-logger, group or client-metrics is wanted", type);
}

/* The words that are left, NULL behind the last. */
static const char **words(struct cli *cli)
{
	const char **list = mem_array((size_t)cli->argc + 1, sizeof(*list));
	size_t count = 0;

	while ((list[count] = cli_word(cli)))
		count++;
	return list;
}

/* ---- get ---- */

static int by_name(const void *a, const void *b)
{
	const struct describe_configs_response_resource_result *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

static void out_value(struct out *o, const struct describe_configs_response_resource_result *c)
{
	out_bytes(o, "name", span_of(c->name));
	out_bytes(o, "value", span_of(c->value));
	out_word(o, "source", source_name(c->config_source));
	out_flag(o, "read_only", c->read_only);
	out_flag(o, "sensitive", c->is_sensitive);
	out_list(o, "synonyms");
	for (uint32_t i = 0; i < c->synonyms_count; i++) {
		out_item(o);
		out_bytes(o, "name", span_of(c->synonyms[i].name));
		out_bytes(o, "value", span_of(c->synonyms[i].value));
		out_word(o, "source", source_name(c->synonyms[i].source));
		out_item_end(o);
	}
	out_list_end(o);
}

static void print_configs(const struct describe_configs_response_result *result,
                          struct config_of of, bool all, bool json)
{
	struct out out = { .json = json };
	struct table table = { 0 };

	for (uint32_t i = 0; i < result->configs_count; i++) {
		const struct describe_configs_response_resource_result *c = &result->configs[i];

		if (!all && c->config_source == SOURCE_DEFAULT)
			continue;
		if (json) {
			out_begin(&out, "config");
			out_word(&out, "resource_type", type_name((int8_t)of.type));
			out_bytes(&out, "resource",
			          span_of(str_of(*of.name ? of.name : "default")));
			out_value(&out, c);
			out_end(&out);
			continue;
		}
		table_str(&table, c->name);
		table_str(&table, c->value.data     ? c->value
		                  : c->is_sensitive ? STR("(hidden)")
		                                    : c->value);
		table_word(&table, source_name(c->config_source));
		table_row(&table);
	}
	table_print(&table, "");
	out_fini(&out);
}

/* A key that was asked for and that nobody has is no answer to be silent about. */
static int check_keys(const struct describe_configs_response_result *result, const char **key)
{
	int status = EXIT_OK;

	for (; *key; key++) {
		bool found = false;

		for (uint32_t i = 0; i < result->configs_count && !found; i++)
			found = str_eq(result->configs[i].name, str_of(*key));
		if (found)
			continue;
		cli_say("%s: there is no such config here; --all shows those there are", *key);
		status = EXIT_FAILED;
	}
	return status;
}

/* Configs are described of what is not there as well, except for topics. */
static int config_get(struct cli *cli)
{
	bool all = cli_flag(cli, "--all");
	bool json = cli_wants_json(cli);
	struct config_of of = parse_of(cli, "get");
	const char **key = words(cli);
	const struct describe_configs_response_result *result;
	struct kafka k;
	int status;

	kafka_open(&k, cli);
	result = config_describe(&k, of, *key ? key : NULL);
	if (result->error_code)
		kafka_fail(&k, *of.name ? of.name : "default", result->error_code,
		           result->error_message);
	if (result->configs_count)
		qsort(result->configs, result->configs_count, sizeof(*result->configs), by_name);
	print_configs(result, of, all || *key, json);
	status = check_keys(result, key);
	kafka_close(&k);
	mem_free(key);
	return status;
}

/* ---- set, unset ---- */

static int alter(struct cli *cli, const char *what, bool is_set)
{
	struct config_change change = { .dry_run = cli_flag(cli, "--dry-run") };
	struct config_of of = parse_of(cli, what);
	const char **list = words(cli);
	struct kafka k;
	int status;

	if (!*list)
		cli_usage("config %s: %s is wanted", what, is_set ? "KEY=VALUE" : "KEY");
	for (size_t i = 0; list[i] && is_set; i++)
		(void)config_key("", list[i]);
	change.set = is_set ? list : NULL;
	change.unset = is_set ? NULL : list;
	kafka_open(&k, cli);
	status = config_alter(&k, of, &change);
	for (size_t i = 0; !status && list[i]; i++)
		printf("%s%s %s\n", change.dry_run ? "would " : "",
		       change.dry_run ? what
		       : is_set       ? "set"
		                      : "unset",
		       list[i]);
	kafka_close(&k);
	mem_free(list);
	return status;
}

static int config_set(struct cli *cli)
{
	return alter(cli, "set", true);
}

static int config_unset(struct cli *cli)
{
	return alter(cli, "unset", false);
}

/* ---- list ---- */

static int by_resource(const void *a, const void *b)
{
	const struct list_config_resources_response_config_resource *x = a, *y = b;
	int order = strcmp(type_name(x->resource_type), type_name(y->resource_type));

	return order ? order : str_cmp(x->resource_name, y->resource_name);
}

static int config_list(struct cli *cli)
{
	static int8_t wanted[] = { CONFIG_TOPIC, CONFIG_BROKER, CONFIG_BROKER_LOGGER, CONFIG_GROUP,
		                   CONFIG_CLIENT_METRICS };
	struct list_config_resources_request r = { .resource_types = wanted,
		                                   .resource_types_count = TYPES };
	const struct list_config_resources_response *answer;
	struct out out = { .json = cli_wants_json(cli) };
	struct table table = { 0 };
	struct kafka k;

	cli_done(cli);
	kafka_open(&k, cli);
	answer = kafka_ask(&k, KAFKA_ANY, API_LIST_CONFIG_RESOURCES, &r);
	if (answer->error_code)
		kafka_fail(&k, "config list", answer->error_code, (struct str){ 0 });
	if (answer->config_resources_count)
		qsort(answer->config_resources, answer->config_resources_count,
		      sizeof(*answer->config_resources), by_resource);
	for (uint32_t i = 0; i < answer->config_resources_count; i++) {
		const struct list_config_resources_response_config_resource *c =
			&answer->config_resources[i];

		if (out.json) {
			out_begin(&out, "config_resource");
			out_word(&out, "resource_type", type_name(c->resource_type));
			out_bytes(&out, "resource", span_of(c->resource_name));
			out_end(&out);
			continue;
		}
		table_word(&table, type_name(c->resource_type));
		table_str(&table, c->resource_name);
		table_row(&table);
	}
	table_print(&table, "");
	out_fini(&out);
	kafka_close(&k);
	return EXIT_OK;
}

int cmd_config(struct cli *cli)
{
	static const struct cli_command sub[] = {
		{ "get", config_get, NULL },
		{ "set", config_set, NULL },
		{ "unset", config_unset, NULL },
		{ "list", config_list, NULL },
	};

	return cli_run(cli, "config", sub, sizeof(sub) / sizeof(sub[0]));
}
