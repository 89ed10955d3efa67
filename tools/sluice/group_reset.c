/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "group.h"
#include "out.h"
#include "table.h"
#include "when.h"
#include "wire/offset_commit.h"

struct reset {
	struct kafka k;
	struct group g;
	const char *id;
	struct when to;
	int64_t *target; /* of each row */
};

/* ---- which partitions ---- */

/* All partitions of a topic that there are, whether the group has read them or not. */
static void add_topic(struct reset *r, const struct group_topic *t, struct group *chosen)
{
	char *name = str_dup(t->name);
	const struct metadata_response_response_topic *topic = kafka_topic(&r->k, name);
	size_t before = chosen->row_count;

	for (uint32_t i = 0; i < topic->partitions_count; i++) {
		int32_t partition = topic->partitions[i].partition_index;
		int64_t committed;

		if (!group_topic_has(t, partition))
			continue;
		committed = group_row(&r->g, topic->name, partition)->committed;
		group_row(chosen, topic->name, partition)->committed = committed;
	}
	if (chosen->row_count == before)
		cli_fail("%s has partitions 0 to %" PRIu32 ", not %s", name,
		         topic->partitions_count - 1, t->partitions);
	mem_free(name);
}

static void choose(struct reset *r, const struct group_topic *topic)
{
	struct group chosen = r->g;

	chosen.row = NULL;
	chosen.row_count = 0;
	chosen.row_capacity = 0;
	for (const struct group_topic *t = topic; t->name.data; t++)
		add_topic(r, t, &chosen);
	for (size_t i = 0; !topic->name.data && i < r->g.row_count; i++)
		if (r->g.row[i].committed >= 0)
			group_row(&chosen, r->g.row[i].end.topic, r->g.row[i].end.partition)
				->committed = r->g.row[i].committed;
	group_fini(&r->g);
	r->g = chosen;
	group_sort(&r->g);
	group_leaders(&r->k, &r->g);
	if (!r->g.row_count)
		cli_fail("%s: the group has committed no offsets; --topic NAME says which it is "
		         "to have",
		         r->id);
}

/* ---- where to ---- */

static int64_t *look(struct reset *r, int64_t time)
{
	int64_t *offset = arena_array(&r->k.arena, r->g.row_count, sizeof(*offset));

	group_offsets(&r->k, &r->g, time);
	for (size_t i = 0; i < r->g.row_count; i++) {
		const struct place *p = &r->g.row[i].end;

		if (p->error)
			kafka_fail(&r->k,
			           arena_printf(&r->k.arena, "%.*s:%" PRId32, STR_ARG(p->topic),
			                        p->partition)
			                   .data,
			           p->error, (struct str){ 0 });
		offset[i] = p->offset;
	}
	return offset;
}

static int64_t wanted(const struct reset *r, size_t i, int64_t low, int64_t high)
{
	const struct group_row *row = &r->g.row[i];

	switch (r->to.kind) {
	case WHEN_BEGINNING:
		return low;
	case WHEN_END:
	case WHEN_TIME: /* no record is as young */
		return high;
	case WHEN_OFFSET:
		return r->to.number;
	case WHEN_BACK:
	case WHEN_FORTH:
		break;
	}
	if (row->committed < 0)
		cli_fail("%.*s:%" PRId32 " has no committed offset to count from; choose a "
		         "position of the log",
		         STR_ARG(row->end.topic), row->end.partition);
	return row->committed + (r->to.kind == WHEN_BACK ? -r->to.number : r->to.number);
}

static void plan(struct reset *r)
{
	int64_t *at_time = r->to.kind == WHEN_TIME ? look(r, r->to.number) : NULL;
	int64_t *low = look(r, TIME_BEGINNING);
	int64_t *high = look(r, TIME_END);

	r->target = arena_array(&r->k.arena, r->g.row_count, sizeof(*r->target));
	for (size_t i = 0; i < r->g.row_count; i++) {
		int64_t to =
			at_time && at_time[i] >= 0 ? at_time[i] : wanted(r, i, low[i], high[i]);

		r->target[i] = to < low[i] ? low[i] : to > high[i] ? high[i] : to;
	}
}

static void print_plan(const struct reset *r, bool json)
{
	struct out out = { .json = json };
	struct table t = { 0 };

	for (size_t i = 0; i < r->g.row_count; i++) {
		const struct group_row *row = &r->g.row[i];

		if (json) {
			out_begin(&out, "reset");
			out_bytes(&out, "group", span_of(r->g.id));
			out_bytes(&out, "topic", span_of(row->end.topic));
			out_number(&out, "partition", row->end.partition);
			if (row->committed < 0)
				out_null(&out, "committed");
			else
				out_number(&out, "committed", row->committed);
			out_number(&out, "new", r->target[i]);
			out_end(&out);
			continue;
		}
		table_str(&t, row->end.topic);
		table_number(&t, row->end.partition);
		if (row->committed < 0)
			table_word(&t, NULL);
		else
			table_number(&t, row->committed);
		table_word(&t, "->");
		table_number(&t, r->target[i]);
		table_row(&t);
	}
	table_print(&t, "");
	out_fini(&out);
}

/* ---- doing it ---- */

static struct offset_commit_request *commit_request(struct reset *r)
{
	struct offset_commit_request *c = arena_zalloc(&r->k.arena, sizeof(*c));
	struct offset_commit_request_request_partition *p =
		arena_array(&r->k.arena, r->g.row_count, sizeof(*p));
	struct offset_commit_request_request_topic *t = NULL;

	offset_commit_request_init(c);
	c->group_id = r->g.id;
	c->topics = arena_array(&r->k.arena, r->g.row_count, sizeof(*c->topics));
	c->topics_count = 0;
	for (size_t i = 0; i < r->g.row_count; i++) {
		const struct place *place = &r->g.row[i].end;

		if (!t || !str_eq(t->name, place->topic)) {
			t = &c->topics[c->topics_count++];
			t->name = place->topic;
			t->partitions = p;
		}
		*p++ = (struct offset_commit_request_request_partition){
			.partition_index = place->partition,
			.committed_offset = r->target[i],
			.committed_leader_epoch = -1,
			.committed_metadata = STR(""),
		};
		t->partitions_count++;
	}
	return c;
}

static int commit(struct reset *r)
{
	const struct offset_commit_request *c = commit_request(r);
	const struct offset_commit_response *answer =
		kafka_ask(&r->k, r->g.coordinator, API_OFFSET_COMMIT, c);

	for (uint32_t i = 0; i < answer->topics_count; i++)
		for (uint32_t j = 0; j < answer->topics[i].partitions_count; j++)
			if (answer->topics[i].partitions[j].error_code) {
				kafka_say(&r->k, r->id, answer->topics[i].partitions[j].error_code,
				          (struct str){ 0 });
				return EXIT_FAILED;
			}
	return EXIT_OK;
}

static void check_idle(const struct reset *r)
{
	const struct group *g = &r->g;
	const char *is_static = "";

	if (!g->found || str_eq(g->state, STR("Empty")) || str_eq(g->state, STR("Dead")))
		return;
	for (uint32_t i = 0; i < g->member_count; i++)
		if (g->member[i].instance.data)
			is_static = " (a static member counts until its session times out)";
	cli_fail("%s: the group is %.*s and has %" PRIu32 " active member%s, whose own commits "
	         "would undo this; stop its consumers first%s, `sluice group describe %s` shows "
	         "who they are",
	         r->id, STR_ARG(g->state), g->member_count, g->member_count == 1 ? "" : "s",
	         is_static, r->id);
}

int group_reset(struct cli *cli)
{
	bool execute = cli_flag(cli, "--execute");
	bool json = cli_wants_json(cli);
	const char *to = cli_option(cli, "--to");
	struct group_topic *topic = group_topics(cli);
	struct reset r = { .id = cli_word(cli) };
	int status = EXIT_OK;

	cli_done(cli);
	if (!r.id || !to)
		cli_usage("group reset: a group and --to are wanted");
	r.to = when_parse("--to", to);
	kafka_open(&r.k, cli);
	group_load(&r.k, r.id, &r.g);
	check_idle(&r);
	choose(&r, topic);
	plan(&r);
	print_plan(&r, json);
	if (execute)
		status = commit(&r);
	else
		cli_say("nothing was changed: --execute does it");
	group_fini(&r.g);
	kafka_close(&r.k);
	mem_free(topic);
	return status;
}
