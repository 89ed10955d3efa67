/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "group.h"
#include "out.h"
#include "table.h"
#include "wire/list_groups.h"

/* Of the partitions whose lag is known. */
static int64_t total_lag(const struct group *g)
{
	int64_t sum = 0;

	for (size_t i = 0; i < g->row_count; i++)
		if (group_lag(&g->row[i]) > 0)
			sum += group_lag(&g->row[i]);
	return sum;
}

/* ---- text ---- */

static void cell_number(struct table *t, int64_t n)
{
	if (n < 0)
		table_word(t, NULL);
	else
		table_number(t, n);
}

static void print_members(const struct group *g)
{
	struct table t = { 0 };

	for (uint32_t i = 0; i < g->member_count; i++) {
		const struct group_member *m = &g->member[i];

		table_word(&t, "member");
		table_str(&t, m->id);
		table_str(&t, m->client);
		table_str(&t, m->host);
		table_str(&t, m->instance.data ? m->instance : STR(""));
		buf_printf(&t.text, "%" PRIu32 " partition", m->assigned);
		table_word(&t, m->assigned == 1 ? "" : "s");
		table_row(&t);
	}
	table_print(&t, "  ");
}

static void print_rows(const struct group *g)
{
	static const char *const head[] = { "topic", "partition", "committed",
		                            "end",   "lag",       "member" };
	struct table t = { 0 };

	for (size_t i = 0; g->row_count && i < sizeof(head) / sizeof(head[0]); i++)
		table_word(&t, head[i]);
	table_row(&t);
	for (size_t i = 0; i < g->row_count; i++) {
		const struct group_row *r = &g->row[i];

		table_str(&t, r->end.topic);
		table_number(&t, r->end.partition);
		cell_number(&t, r->committed);
		cell_number(&t, r->end.offset);
		cell_number(&t, group_lag(r));
		table_str(&t, r->member ? r->member->id : (struct str){ 0 });
		table_row(&t);
	}
	table_print(&t, "  ");
}

static void print_group(const struct group *g)
{
	printf("%.*s: %.*s  %.*s  coordinator %" PRId32 "  members %" PRIu32 "  lag %" PRId64 "\n",
	       STR_ARG(g->id), STR_ARG(g->state), STR_ARG(g->type), g->coordinator, g->member_count,
	       total_lag(g));
	print_members(g);
	if (g->row_count)
		print_rows(g);
}

/* ---- JSON ---- */

static void out_known(struct out *o, const char *name, int64_t value)
{
	if (value < 0)
		out_null(o, name);
	else
		out_number(o, name, value);
}

static void out_members(struct out *o, const struct group *g)
{
	out_list(o, "members");
	for (uint32_t i = 0; i < g->member_count; i++) {
		out_item(o);
		out_bytes(o, "member", span_of(g->member[i].id));
		out_bytes(o, "instance", span_of(g->member[i].instance));
		out_bytes(o, "client", span_of(g->member[i].client));
		out_bytes(o, "host", span_of(g->member[i].host));
		out_number(o, "partition_count", g->member[i].assigned);
		out_item_end(o);
	}
	out_list_end(o);
}

static void out_row(struct out *o, const struct group_row *r)
{
	out_item(o);
	out_bytes(o, "topic", span_of(r->end.topic));
	out_number(o, "partition", r->end.partition);
	out_known(o, "committed", r->committed);
	out_bytes(o, "metadata", span_of(r->metadata));
	out_known(o, "end_offset", r->end.offset);
	out_known(o, "lag", group_lag(r));
	out_bytes(o, "member", r->member ? span_of(r->member->id) : (struct span){ 0 });
	if (r->end.error)
		out_word(o, "error", wire_error_name(r->end.error));
	out_item_end(o);
}

static void out_group(struct out *o, const struct group *g)
{
	out_begin(o, "group");
	out_bytes(o, "group", span_of(g->id));
	out_bytes(o, "state", span_of(g->state));
	out_bytes(o, "group_type", span_of(g->type));
	out_bytes(o, "protocol", span_of(g->protocol));
	out_number(o, "coordinator", g->coordinator);
	out_number(o, "lag", total_lag(g));
	out_members(o, g);
	out_list(o, "partitions");
	for (size_t i = 0; i < g->row_count; i++)
		out_row(o, &g->row[i]);
	out_list_end(o);
	out_end(o);
}

/* It is not there, or of a kind that is neither classic nor consumer: share, streams. */
static void say_not_found(struct kafka *k, const struct group *g)
{
	struct list_groups_request r = { 0 };
	const struct list_groups_response *answer =
		kafka_ask(k, g->coordinator, API_LIST_GROUPS, &r);

	for (uint32_t i = 0; i < answer->groups_count; i++) {
		if (!str_eq(answer->groups[i].group_id, g->id))
			continue;
		cli_say("%.*s: it is a %.*s group, which can be listed and deleted here, not "
		        "described",
		        STR_ARG(g->id), STR_ARG(answer->groups[i].group_type));
		return;
	}
	k->last_key = API_DESCRIBE_GROUPS;
	kafka_say(k, g->id.data, WIRE_GROUP_ID_NOT_FOUND, (struct str){ 0 });
}

static int describe(struct kafka *k, struct out *o, const char *id)
{
	struct group g;

	group_load(k, id, &g);
	if (!g.found) {
		say_not_found(k, &g);
		group_fini(&g);
		return EXIT_FAILED;
	}
	group_leaders(k, &g);
	group_offsets(k, &g, TIME_END);
	if (o->json)
		out_group(o, &g);
	else
		print_group(&g);
	group_fini(&g);
	return EXIT_OK;
}

int group_describe(struct cli *cli)
{
	struct out out = { .json = cli_wants_json(cli) };
	const char *id = cli_word(cli);
	struct kafka k;
	int status = EXIT_OK;

	if (!id)
		cli_usage("group describe: a group is wanted; `sluice group list` shows them");
	kafka_open(&k, cli);
	for (; id; id = cli_word(cli))
		status |= describe(&k, &out, id);
	kafka_close(&k);
	out_fini(&out);
	return status;
}
