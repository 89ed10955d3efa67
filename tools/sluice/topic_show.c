/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "out.h"
#include "topic.h"

/* ---- list ---- */

static void print_name(struct out *o, const struct metadata_response_response_topic *t)
{
	if (!o->json) {
		printf("%.*s\n", STR_ARG(t->name));
		return;
	}
	out_begin(o, "topic");
	out_bytes(o, "name", span_of(t->name));
	out_number(o, "partition_count", t->partitions_count);
	out_flag(o, "internal", t->is_internal);
	out_end(o);
}

int topic_list(struct cli *cli)
{
	bool internal = cli_flag(cli, "--internal");
	struct out out = { .json = cli_wants_json(cli) };
	const struct metadata_response *md;
	struct kafka k;

	cli_done(cli);
	kafka_open(&k, cli);
	md = kafka_topics(&k, NULL, 0);
	for (uint32_t i = 0; i < md->topics_count; i++)
		if (internal || !md->topics[i].is_internal)
			print_name(&out, &md->topics[i]);
	kafka_close(&k);
	out_fini(&out);
	return EXIT_OK;
}

/* ---- describe ---- */

struct described {
	struct kafka k;
	struct out out;
	const struct metadata_response_response_topic *topic;
	/* Of each partition, in the order of `topic`. */
	struct place *low;
	struct place *high;
	const struct describe_configs_response_result *configs; /* NULL: not known */
};

static const struct describe_configs_response_result *configs(struct kafka *k, struct str topic)
{
	const char *name = arena_printf(&k->arena, "%.*s", STR_ARG(topic)).data;
	const struct describe_configs_response_result *result =
		config_describe(k, (struct config_of){ CONFIG_TOPIC, name }, NULL);

	if (!result->error_code)
		return result;
	kafka_say(k, name, result->error_code, result->error_message);
	return NULL;
}

/* The next config that the topic has itself, from *at on; NULL: there is no other. */
static const struct describe_configs_response_resource_result *
next_config(const struct described *d, uint32_t *at)
{
	while (d->configs && *at < d->configs->configs_count) {
		const struct describe_configs_response_resource_result *c =
			&d->configs->configs[(*at)++];

		if (c->config_source == SOURCE_TOPIC)
			return c;
	}
	return NULL;
}

static void print_ids(const char *label, const int32_t *id, uint32_t count)
{
	printf("  %s ", label);
	for (uint32_t i = 0; i < count; i++)
		printf("%s%" PRId32, i ? "," : "", id[i]);
}

/* What is first wrong with the partition. */
static int16_t error_of(const struct described *d, uint32_t i)
{
	if (d->topic->partitions[i].error_code)
		return d->topic->partitions[i].error_code;
	return d->low[i].error ? d->low[i].error : d->high[i].error;
}

static void print_topic(const struct described *d)
{
	const struct metadata_response_response_topic *t = d->topic;
	const struct describe_configs_response_resource_result *c;
	uint32_t at = 0;

	printf("%.*s: %" PRIu32 " partition%s\n", STR_ARG(t->name), t->partitions_count,
	       t->partitions_count == 1 ? "" : "s");
	while ((c = next_config(d, &at)))
		printf("  config %.*s=%.*s\n", STR_ARG(c->name),
		       STR_ARG(c->value.data ? c->value : STR("(hidden)")));
	for (uint32_t i = 0; i < t->partitions_count; i++) {
		const struct metadata_response_response_partition *p = &t->partitions[i];

		printf("  partition %" PRId32 "  leader %" PRId32, p->partition_index,
		       p->leader_id);
		print_ids("replicas", p->replica_nodes, p->replica_nodes_count);
		print_ids("isr", p->isr_nodes, p->isr_nodes_count);
		if (error_of(d, i))
			printf("  %s\n", wire_error_name(error_of(d, i)));
		else
			printf("  offsets %" PRId64 "..%" PRId64 "\n", d->low[i].offset,
			       d->high[i].offset);
	}
}

static void out_ids(struct out *o, const char *name, const int32_t *id, uint32_t count)
{
	out_list(o, name);
	for (uint32_t i = 0; i < count; i++)
		out_list_number(o, id[i]);
	out_list_end(o);
}

static void out_offset(struct out *o, const char *name, const struct place *p)
{
	if (p->error)
		out_null(o, name);
	else
		out_number(o, name, p->offset);
}

static void out_partition(struct described *d, uint32_t i)
{
	const struct metadata_response_response_partition *p = &d->topic->partitions[i];
	struct out *o = &d->out;

	out_item(o);
	out_number(o, "partition", p->partition_index);
	out_number(o, "leader", p->leader_id);
	out_ids(o, "replicas", p->replica_nodes, p->replica_nodes_count);
	out_ids(o, "isr", p->isr_nodes, p->isr_nodes_count);
	out_offset(o, "start_offset", &d->low[i]);
	out_offset(o, "end_offset", &d->high[i]);
	if (error_of(d, i))
		out_word(o, "error", wire_error_name(error_of(d, i)));
	out_item_end(o);
}

static void out_topic(struct described *d)
{
	const struct describe_configs_response_resource_result *c;
	struct out *o = &d->out;
	uint32_t at = 0;

	out_begin(o, "topic");
	out_bytes(o, "name", span_of(d->topic->name));
	out_uuid(o, "id", d->topic->topic_id);
	out_flag(o, "internal", d->topic->is_internal);
	out_list(o, "configs");
	while ((c = next_config(d, &at))) {
		out_item(o);
		out_bytes(o, "name", span_of(c->name));
		out_bytes(o, "value", span_of(c->value));
		out_item_end(o);
	}
	out_list_end(o);
	out_list(o, "partitions");
	for (uint32_t i = 0; i < d->topic->partitions_count; i++)
		out_partition(d, i);
	out_list_end(o);
	out_end(o);
}

static void describe(struct described *d, const struct metadata_response_response_topic *t)
{
	d->topic = t;
	d->low = kafka_places(&d->k, t);
	d->high = kafka_places(&d->k, t);
	kafka_offsets(&d->k, d->low, t->partitions_count, TIME_BEGINNING);
	kafka_offsets(&d->k, d->high, t->partitions_count, TIME_END);
	d->configs = configs(&d->k, t->name);
	if (d->out.json)
		out_topic(d);
	else
		print_topic(d);
}

/* One topic, or all (NULL); false: it is not there. */
static bool describe_named(struct described *d, const char *name, bool internal)
{
	struct str s = str_of(name);
	const struct metadata_response *md = kafka_topics(&d->k, name ? &s : NULL, name ? 1 : 0);
	bool ok = true;

	for (uint32_t i = 0; i < md->topics_count; i++) {
		const struct metadata_response_response_topic *t = &md->topics[i];

		if (t->error_code)
			kafka_say(&d->k, arena_printf(&d->k.arena, "%.*s", STR_ARG(t->name)).data,
			          t->error_code,
			          t->error_code == WIRE_UNKNOWN_TOPIC_OR_PARTITION
			                  ? STR("there is no such topic")
			                  : (struct str){ 0 });
		else if (name || internal || !t->is_internal)
			describe(d, t);
		ok = ok && !t->error_code;
	}
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
	kafka_open(&d.k, cli);
	do {
		if (!describe_named(&d, name, internal))
			status = EXIT_FAILED;
	} while (name && (name = cli_word(cli)));
	kafka_close(&d.k);
	out_fini(&d.out);
	return status;
}
