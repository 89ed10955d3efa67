/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "group.h"
#include "wire/client_protocols.h"
#include "wire/consumer_group_describe.h"
#include "wire/describe_groups.h"
#include "wire/offset_fetch.h"

/* ---- rows ---- */

static int by_place(const void *a, const void *b)
{
	const struct group_row *x = a, *y = b;
	int order = str_cmp(x->end.topic, y->end.topic);

	if (order)
		return order;
	return (x->end.partition > y->end.partition) - (x->end.partition < y->end.partition);
}

void group_sort(struct group *g)
{
	if (g->row_count)
		qsort(g->row, g->row_count, sizeof(*g->row), by_place);
}

struct group_row *group_row(struct group *g, struct str topic, int32_t partition)
{
	for (size_t i = 0; i < g->row_count; i++)
		if (g->row[i].end.partition == partition && str_eq(g->row[i].end.topic, topic))
			return &g->row[i];
	g->row = mem_grow(g->row, g->row_count, &g->row_capacity, sizeof(*g->row));
	g->row[g->row_count] = (struct group_row){
		.end = { .topic = topic, .partition = partition, .leader = -1, .offset = -1 },
		.committed = -1,
		.epoch = -1,
	};
	return &g->row[g->row_count++];
}

int64_t group_lag(const struct group_row *r)
{
	if (r->committed < 0 || r->end.offset < 0)
		return -1;
	return r->end.offset > r->committed ? r->end.offset - r->committed : 0;
}

static void assign(struct group *g, struct group_member *m, struct str topic,
                   const int32_t *partition, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		group_row(g, topic, partition[i])->member = m;
		m->assigned++;
	}
}

/* ---- members ---- */

static void set_member_count(struct kafka *k, struct group *g, uint32_t count)
{
	g->member = arena_array(&k->arena, count + 1, sizeof(*g->member));
	g->member_count = count;
}

/* False: it is no group of this protocol, or the broker does not know the protocol. */
static bool load_consumer(struct kafka *k, struct group *g)
{
	struct consumer_group_describe_request r = { .group_ids = &g->id, .group_ids_count = 1 };
	const struct consumer_group_describe_response *answer;
	const struct consumer_group_describe_response_described_group *d;
	int tries = 0;

	if (kafka_max_version(k, g->coordinator, API_CONSUMER_GROUP_DESCRIBE) < 0)
		return false;
	do {
		answer = kafka_ask(k, g->coordinator, API_CONSUMER_GROUP_DESCRIBE, &r);
		if (!answer->groups_count)
			return false;
		d = &answer->groups[0];
	} while (kafka_again(d->error_code, &tries));
	if (d->error_code == WIRE_GROUP_ID_NOT_FOUND || d->error_code == WIRE_UNSUPPORTED_VERSION)
		return false;
	if (d->error_code)
		kafka_fail(k, g->id.data, d->error_code, d->error_message);
	g->found = true;
	g->state = d->group_state;
	g->type = STR("consumer");
	g->protocol = d->assignor_name;
	set_member_count(k, g, d->members_count);
	for (uint32_t i = 0; i < d->members_count; i++) {
		const struct consumer_group_describe_response_member *m = &d->members[i];

		g->member[i] = (struct group_member){ m->member_id, m->instance_id, m->client_id,
			                              m->client_host, 0 };
		for (uint32_t j = 0; j < m->assignment.topic_partitions_count; j++)
			assign(g, &g->member[i], m->assignment.topic_partitions[j].topic_name,
			       m->assignment.topic_partitions[j].partitions,
			       m->assignment.topic_partitions[j].partitions_count);
	}
	return true;
}

/* What an assignor has written is nobody's promise: what cannot be read is left out. */
static void load_assignment(struct kafka *k, struct group *g, struct group_member *m,
                            struct span bytes)
{
	struct consumer_protocol_assignment *a = arena_zalloc(&k->arena, sizeof(*a));
	struct reader r = reader_of(bytes.data, bytes.size);
	int16_t version = reader_i16(&r);

	if (version > consumer_protocol_assignment_message.max)
		version = consumer_protocol_assignment_message.max;
	if (r.err || version < 0 || consumer_protocol_assignment_decode(&r, version, &k->arena, a))
		return;
	for (uint32_t i = 0; i < a->assigned_partitions_count; i++)
		assign(g, m, a->assigned_partitions[i].topic, a->assigned_partitions[i].partitions,
		       a->assigned_partitions[i].partitions_count);
}

static void load_classic(struct kafka *k, struct group *g)
{
	struct describe_groups_request r = { .groups = &g->id, .groups_count = 1 };
	const struct describe_groups_response *answer;
	const struct describe_groups_response_described_group *d;
	int tries = 0;

	do {
		answer = kafka_ask(k, g->coordinator, API_DESCRIBE_GROUPS, &r);
		if (!answer->groups_count)
			return;
		d = &answer->groups[0];
	} while (kafka_again(d->error_code, &tries));
	if (d->error_code == WIRE_GROUP_ID_NOT_FOUND || str_eq(d->group_state, STR("Dead")))
		return;
	if (d->error_code)
		kafka_fail(k, g->id.data, d->error_code, d->error_message);
	g->found = true;
	g->state = d->group_state;
	g->type = STR("classic");
	g->protocol = d->protocol_data;
	set_member_count(k, g, d->members_count);
	for (uint32_t i = 0; i < d->members_count; i++) {
		const struct describe_groups_response_described_group_member *m = &d->members[i];

		g->member[i] = (struct group_member){ m->member_id, m->group_instance_id,
			                              m->client_id, m->client_host, 0 };
		if (str_eq(d->protocol_type, STR("consumer")))
			load_assignment(k, g, &g->member[i], m->member_assignment);
	}
}

/* ---- offsets ---- */

static void load_offsets(struct kafka *k, struct group *g)
{
	struct offset_fetch_request_request_group ask = { .group_id = g->id, .member_epoch = -1 };
	struct offset_fetch_request r;
	const struct offset_fetch_response *answer;
	const struct offset_fetch_response_response_group *of;
	int tries = 0;

	offset_fetch_request_init(&r);
	r.groups = &ask;
	r.groups_count = 1;
	do {
		answer = kafka_ask(k, g->coordinator, API_OFFSET_FETCH, &r);
		if (!answer->groups_count)
			return;
		of = &answer->groups[0];
	} while (kafka_again(of->error_code, &tries));
	if (of->error_code == WIRE_GROUP_ID_NOT_FOUND)
		return;
	if (of->error_code)
		kafka_fail(k, g->id.data, of->error_code, (struct str){ 0 });
	for (uint32_t i = 0; i < of->topics_count; i++) {
		for (uint32_t j = 0; j < of->topics[i].partitions_count; j++) {
			const struct offset_fetch_response_response_partitions *p =
				&of->topics[i].partitions[j];
			struct group_row *row =
				group_row(g, of->topics[i].name, p->partition_index);

			row->committed = p->committed_offset;
			row->epoch = p->committed_leader_epoch;
			row->metadata = p->metadata;
		}
	}
}

void group_load(struct kafka *k, const char *id, struct group *g)
{
	*g = (struct group){ .id = str_of(id) };
	g->coordinator = kafka_coordinator(k, g->id);
	if (!load_consumer(k, g))
		load_classic(k, g);
	load_offsets(k, g);
	group_sort(g);
}

void group_fini(struct group *g)
{
	mem_free(g->row);
	g->row = NULL;
}

void group_leaders(struct kafka *k, struct group *g)
{
	struct str *name = arena_array(&k->arena, g->row_count + 1, sizeof(*name));
	const struct metadata_response *md;
	size_t count = 0;

	for (size_t i = 0; i < g->row_count; i++)
		if (!i || !str_eq(g->row[i].end.topic, name[count - 1]))
			name[count++] = g->row[i].end.topic;
	md = kafka_topics(k, name, count);
	for (uint32_t i = 0; i < md->topics_count; i++)
		for (uint32_t j = 0; j < md->topics[i].partitions_count; j++) {
			const struct metadata_response_response_partition *p =
				&md->topics[i].partitions[j];

			for (size_t n = 0; n < g->row_count; n++)
				if (g->row[n].end.partition == p->partition_index &&
				    str_eq(g->row[n].end.topic, md->topics[i].name))
					g->row[n].end.leader = p->leader_id;
		}
}

void group_offsets(struct kafka *k, struct group *g, int64_t time)
{
	struct place *place = arena_array(&k->arena, g->row_count + 1, sizeof(*place));

	for (size_t i = 0; i < g->row_count; i++)
		place[i] = g->row[i].end;
	kafka_offsets(k, place, g->row_count, time);
	for (size_t i = 0; i < g->row_count; i++)
		g->row[i].end = place[i];
}
