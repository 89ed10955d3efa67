/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kafka.h"
#include "topic.h"
#include "when.h"
#include "wire/delete_records.h"

/* Where each partition would begin then, beside where it begins now. */
struct trim {
	struct kafka k;
	const char *name;
	struct when to;
	size_t count;
	struct place *low;
	struct place *high;
	int64_t *target;
};

/* The partitions asked for, or all. */
static void choose(struct trim *t, const int32_t *wanted, size_t wanted_count)
{
	const struct metadata_response_response_topic *topic = kafka_topic(&t->k, t->name);
	struct place *all = kafka_places(&t->k, topic);

	t->low = arena_array(&t->k.arena, topic->partitions_count + wanted_count + 1,
	                     sizeof(*t->low));
	for (size_t i = 0; i < wanted_count; i++)
		if (wanted[i] >= (int32_t)topic->partitions_count)
			cli_fail("%s has partitions 0 to %u, not %" PRId32, t->name,
			         topic->partitions_count - 1, wanted[i]);
	for (uint32_t i = 0; i < topic->partitions_count; i++) {
		bool is_wanted = !wanted_count;

		for (size_t j = 0; j < wanted_count && !is_wanted; j++)
			is_wanted = wanted[j] == all[i].partition;
		if (is_wanted)
			t->low[t->count++] = all[i];
	}
}

static void look(struct trim *t, struct place *place, int64_t time)
{
	kafka_offsets(&t->k, place, t->count, time);
	for (size_t i = 0; i < t->count; i++) {
		struct str what;

		if (!place[i].error)
			continue;
		what = arena_printf(&t->k.arena, "%s, partition %" PRId32, t->name,
		                    place[i].partition);
		kafka_fail(&t->k, what.data, place[i].error, (struct str){ 0 });
	}
}

static int64_t target(const struct trim *t, size_t i, const struct place *at_time)
{
	int64_t low = t->low[i].offset;
	int64_t high = t->high[i].offset;
	int64_t to = low;

	switch (t->to.kind) {
	case WHEN_BEGINNING:
		break;
	case WHEN_END:
		to = high;
		break;
	case WHEN_OFFSET:
		to = t->to.number;
		break;
	case WHEN_BACK:
		to = high - t->to.number;
		break;
	case WHEN_FORTH:
		to = low + t->to.number;
		break;
	case WHEN_TIME:
		/* No record is as young: all are before that time. */
		to = at_time[i].offset < 0 ? high : at_time[i].offset;
		break;
	}
	if (t->to.kind == WHEN_OFFSET && to > high)
		cli_fail("%s: partition %" PRId32 " has no offset %" PRId64 ": it ends at %" PRId64,
		         t->name, t->low[i].partition, to, high);
	return to < low ? low : to > high ? high : to;
}

static void plan(struct trim *t)
{
	size_t size = (t->count + 1) * sizeof(*t->low);
	struct place *at_time = arena_zalloc(&t->k.arena, size);

	t->high = arena_zalloc(&t->k.arena, size);
	t->target = arena_array(&t->k.arena, t->count + 1, sizeof(*t->target));
	memcpy(t->high, t->low, size);
	memcpy(at_time, t->low, size);
	look(t, t->low, TIME_BEGINNING);
	look(t, t->high, TIME_END);
	if (t->to.kind == WHEN_TIME)
		look(t, at_time, t->to.number);
	for (size_t i = 0; i < t->count; i++)
		t->target[i] = target(t, i, at_time);
}

static void print_plan(const struct trim *t, const char *verb)
{
	for (size_t i = 0; i < t->count; i++)
		printf("%s: partition %" PRId32 ": %s offsets %" PRId64 "..%" PRId64 " of %" PRId64
		       "..%" PRId64 "\n",
		       t->name, t->low[i].partition, verb, t->low[i].offset, t->target[i],
		       t->low[i].offset, t->high[i].offset);
}

/* The partitions that one broker leads. */
static int trim_at(struct trim *t, int32_t leader)
{
	struct delete_records_request_topic topic = { .name = str_of(t->name) };
	struct delete_records_request r = { .topics = &topic,
		                            .topics_count = 1,
		                            .timeout_ms = CLI_TIMEOUT_MS };
	const struct delete_records_response *answer;
	int status = EXIT_OK;

	topic.partitions = arena_array(&t->k.arena, t->count, sizeof(*topic.partitions));
	for (size_t i = 0; i < t->count; i++) {
		if (t->low[i].leader != leader || t->target[i] == t->low[i].offset)
			continue;
		topic.partitions[topic.partitions_count++] =
			(struct delete_records_request_partition){ t->low[i].partition,
			                                           t->target[i] };
		t->low[i].leader = -1;
	}
	if (!topic.partitions_count)
		return EXIT_OK;
	answer = kafka_ask(&t->k, leader, API_DELETE_RECORDS, &r);
	for (uint32_t i = 0; i < answer->topics_count; i++)
		for (uint32_t j = 0; j < answer->topics[i].partitions_count; j++)
			if (answer->topics[i].partitions[j].error_code) {
				kafka_say(&t->k, t->name,
				          answer->topics[i].partitions[j].error_code,
				          (struct str){ 0 });
				status = EXIT_FAILED;
			}
	return status;
}

int topic_trim(struct cli *cli)
{
	bool yes = cli_flag(cli, "--yes");
	bool dry_run = cli_flag(cli, "--dry-run");
	const char *to = cli_option(cli, "--offset");
	int32_t *wanted = mem_array((size_t)cli->argc + 1, sizeof(*wanted));
	size_t wanted_count = 0;
	struct trim t = { 0 };
	long partition;
	int status = EXIT_OK;

	while ((partition = cli_number(cli, "--partition", -1, 0, INT32_MAX)) >= 0)
		wanted[wanted_count++] = (int32_t)partition;
	t.name = cli_word(cli);
	cli_done(cli);
	if (!t.name || !to)
		cli_usage("topic trim: a name and --offset are wanted");
	if (yes && dry_run)
		cli_usage("topic trim: --yes and --dry-run exclude each other");
	t.to = when_parse("--offset", to);
	kafka_open(&t.k, cli);
	choose(&t, wanted, wanted_count);
	plan(&t);
	print_plan(&t, yes ? "removes" : "would remove");
	for (size_t i = 0; yes && i < t.count; i++)
		if (t.low[i].leader >= 0)
			status |= trim_at(&t, t.low[i].leader);
	kafka_close(&t.k);
	mem_free(wanted);
	if (!yes && !dry_run)
		cli_usage("nothing was removed, and what is removed is gone: --yes does it");
	return status;
}
