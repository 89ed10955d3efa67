/* SPDX-License-Identifier: Apache-2.0 */
#include "group.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "out.h"
#include "table.h"
#include "wire/delete_groups.h"
#include "wire/list_groups.h"
#include "wire/offset_delete.h"

const char group_help[] =
	"sluice group: consumer groups, their members, offsets and lag\n"
	"\n"
	"  sluice group list [--state S]... [--format json]\n"
	"  sluice group describe GROUP... [--format json]\n"
	"      its state and members; of each partition what is committed, the log's end, the lag\n"
	"  sluice group reset GROUP --to O [--topic NAME[:P,P...]]... [--execute]\n"
	"      commits other offsets of a group without members; without --execute it only\n"
	"      shows them.  Without --topic all partitions that have an offset.  O is\n"
	"      beginning, end, an offset, -N or +N (from what is committed), @TIME or\n"
	"      +DURATION (of the last 90s, 5m, 2h, 1d).  What lies outside of the log becomes\n"
	"      its nearest end.\n"
	"  sluice group delete GROUP...\n"
	"  sluice group delete GROUP --topic NAME[:P,P...]...\n"
	"      only the offsets of these topics\n"
	"\n"
	"TIME is in milliseconds since 1970 or like 2026-11-27T19:30:00Z, without Z local time.\n"
	"Exit status 1: something was refused or is not there; standard error says what.\n";

/* ---- topics on the command line ---- */

static void check_partitions(const char *text, const char *partitions)
{
	for (const char *p = partitions; *p; p++)
		if (!isdigit((unsigned char)*p) &&
		    !(*p == ',' && p != partitions && p[1] != ',' && p[1]))
			cli_usage("--topic %s: NAME or NAME:0,1 is wanted", text);
}

struct group_topic *group_topics(struct cli *cli)
{
	struct group_topic *list = mem_array((size_t)cli->argc + 1, sizeof(*list));
	const char *text;
	size_t count = 0;

	while ((text = cli_option(cli, "--topic"))) {
		const char *colon = strchr(text, ':');
		struct group_topic *t = &list[count++];

		*t = (struct group_topic){ str_of(text), NULL };
		if (colon) {
			t->name.size = (uint32_t)(colon - text);
			t->partitions = colon + 1;
			check_partitions(text, t->partitions);
		}
		if (!t->name.size || (colon && !colon[1]))
			cli_usage("--topic %s: NAME or NAME:0,1 is wanted", text);
	}
	return list;
}

bool group_topic_has(const struct group_topic *t, int32_t partition)
{
	const char *p = t->partitions;

	if (!p)
		return true;
	for (;;) {
		if (strtol(p, NULL, 10) == partition)
			return true;
		p = strchr(p, ',');
		if (!p)
			return false;
		p++;
	}
}

/* ---- list ---- */

static int by_id(const void *a, const void *b)
{
	const struct list_groups_response_listed_group *x = a, *y = b;

	return str_cmp(x->group_id, y->group_id);
}

static void print_group(struct out *o, struct table *t,
                        const struct list_groups_response_listed_group *g)
{
	if (o->json) {
		out_begin(o, "group");
		out_bytes(o, "group", span_of(g->group_id));
		out_bytes(o, "state", span_of(g->group_state));
		out_bytes(o, "group_type", span_of(g->group_type));
		out_bytes(o, "protocol_type", span_of(g->protocol_type));
		out_end(o);
		return;
	}
	table_str(t, g->group_id);
	table_str(t, g->group_state);
	table_str(t, g->group_type);
	table_str(t, g->protocol_type.size ? g->protocol_type : (struct str){ 0 });
	table_row(t);
}

/* Every broker knows the groups that it coordinates. */
static size_t ask_all(struct kafka *k, const struct list_groups_request *r,
                      struct list_groups_response_listed_group **ret)
{
	struct list_groups_response_listed_group *all = NULL;
	size_t count = 0, capacity = 0;

	for (uint32_t i = 0; i < k->cluster->brokers_count; i++) {
		const struct list_groups_response *answer;
		int tries = 0;

		do {
			answer = kafka_ask(k, k->cluster->brokers[i].node_id, API_LIST_GROUPS, r);
		} while (kafka_again(answer->error_code, &tries));
		if (answer->error_code)
			kafka_fail(k, "group list", answer->error_code, (struct str){ 0 });
		for (uint32_t j = 0; j < answer->groups_count; j++) {
			all = mem_grow(all, count, &capacity, sizeof(*all));
			all[count++] = answer->groups[j];
		}
	}
	*ret = all;
	return count;
}

static int group_list(struct cli *cli)
{
	struct str *state = mem_array((size_t)cli->argc + 1, sizeof(*state));
	struct list_groups_request r = { .states_filter = state };
	struct list_groups_response_listed_group *all;
	struct out out = { .json = cli_wants_json(cli) };
	struct table table = { 0 };
	const char *text;
	struct kafka k;
	size_t count;

	while ((text = cli_option(cli, "--state")))
		state[r.states_filter_count++] = str_of(text);
	cli_done(cli);
	kafka_open(&k, cli);
	count = ask_all(&k, &r, &all);
	if (count)
		qsort(all, count, sizeof(*all), by_id);
	for (size_t i = 0; i < count; i++)
		print_group(&out, &table, &all[i]);
	table_print(&table, "");
	out_fini(&out);
	mem_free(all);
	mem_free(state);
	kafka_close(&k);
	return EXIT_OK;
}

/* ---- delete ---- */

static int delete_group(struct kafka *k, const char *id)
{
	struct str s = str_of(id);
	struct delete_groups_request r = { .groups_names = &s, .groups_names_count = 1 };
	int32_t coordinator = kafka_coordinator(k, s);
	const struct delete_groups_response *answer;
	int16_t error;
	int tries = 0;

	do {
		answer = kafka_ask(k, coordinator, API_DELETE_GROUPS, &r);
		error = answer->results_count ? answer->results[0].error_code
		                              : WIRE_UNKNOWN_SERVER_ERROR;
	} while (kafka_again(error, &tries));
	if (error)
		kafka_say(k, id, error, (struct str){ 0 });
	else
		printf("deleted %s\n", id);
	return error ? EXIT_FAILED : EXIT_OK;
}

/* The partitions of one topic whose offsets are to go; those without one stay out. */
static void add_offsets(struct kafka *k, const struct group *g, const struct group_topic *topic,
                        struct offset_delete_request *r)
{
	struct offset_delete_request_request_topic *t = &r->topics[r->topics_count];

	t->name = topic->name;
	t->partitions = arena_array(&k->arena, g->row_count + 1, sizeof(*t->partitions));
	for (size_t i = 0; i < g->row_count; i++)
		if (g->row[i].committed >= 0 && str_eq(g->row[i].end.topic, topic->name) &&
		    group_topic_has(topic, g->row[i].end.partition))
			t->partitions[t->partitions_count++].partition_index =
				g->row[i].end.partition;
	if (t->partitions_count)
		r->topics_count++;
	else
		cli_say("%.*s: the group has committed no offset of %.*s", STR_ARG(g->id),
		        STR_ARG(topic->name));
}

static int report_offsets(struct kafka *k, const struct offset_delete_response *answer)
{
	int status = EXIT_OK;

	for (uint32_t i = 0; i < answer->topics_count; i++)
		for (uint32_t j = 0; j < answer->topics[i].partitions_count; j++) {
			const struct offset_delete_response_response_partition *p =
				&answer->topics[i].partitions[j];
			struct str what =
				arena_printf(&k->arena, "%.*s:%d", STR_ARG(answer->topics[i].name),
			                     p->partition_index);

			if (p->error_code)
				kafka_say(k, what.data, p->error_code, (struct str){ 0 });
			else
				printf("deleted the offset of %s\n", what.data);
			status |= p->error_code ? EXIT_FAILED : EXIT_OK;
		}
	return status;
}

static int delete_offsets(struct kafka *k, const char *id, const struct group_topic *topic)
{
	struct offset_delete_request r = { .group_id = str_of(id) };
	const struct offset_delete_response *answer;
	struct group g;
	int status = EXIT_OK;
	uint32_t count = 0;

	group_load(k, id, &g);
	while (topic[count].name.data)
		count++;
	r.topics = arena_array(&k->arena, count + 1, sizeof(*r.topics));
	for (uint32_t i = 0; i < count; i++)
		add_offsets(k, &g, &topic[i], &r);
	if (!g.found && !g.row_count)
		kafka_fail(k, id, WIRE_GROUP_ID_NOT_FOUND, (struct str){ 0 });
	if (r.topics_count < count)
		status = EXIT_FAILED;
	if (r.topics_count) {
		answer = kafka_ask(k, g.coordinator, API_OFFSET_DELETE, &r);
		if (answer->error_code)
			kafka_fail(k, id, answer->error_code, (struct str){ 0 });
		status |= report_offsets(k, answer);
	}
	group_fini(&g);
	return status;
}

static int group_delete(struct cli *cli)
{
	struct group_topic *topic = group_topics(cli);
	const char *id = cli_word(cli);
	struct kafka k;
	int status = EXIT_OK;

	if (!id)
		cli_usage("group delete: a group is wanted");
	if (topic[0].name.data)
		cli_done(cli);
	kafka_open(&k, cli);
	if (topic[0].name.data)
		status = delete_offsets(&k, id, topic);
	else
		for (; id; id = cli_word(cli))
			status |= delete_group(&k, id);
	kafka_close(&k);
	mem_free(topic);
	return status;
}

int cmd_group(struct cli *cli)
{
	static const struct cli_command sub[] = {
		{ "list", group_list, NULL },
		{ "describe", group_describe, NULL },
		{ "reset", group_reset, NULL },
		{ "delete", group_delete, NULL },
	};

	return cli_run(cli, "group", sub, sizeof(sub) / sizeof(sub[0]));
}
