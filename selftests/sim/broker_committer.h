/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_COMMITTER_H
#define BROKER_COMMITTER_H

#include "broker_audit.h"
#include "wire/find_coordinator.h"
#include "wire/offset_commit.h"
#include "wire/offset_fetch.h"

/*
 * A client that keeps offsets in a group without members: each commit says a larger number than
 * the one before, so that what is fetched tells when it was said.
 */
struct committer {
	struct peer peer;
	uint16_t port;
	int steps;
	void (*done)(void);
	enum { COMMITTER_IDLE, COMMITTER_FINDS, COMMITTER_COMMITS, COMMITTER_FETCHES } at;
	bool knows_coordinator;
	int group, topic;
	uint32_t life;
	int64_t number;
};

static void committer_step(void *arg);

static bool committer_is_done(const struct committer *c)
{
	return !c->steps && c->at == COMMITTER_IDLE;
}

static void committer_go_on(struct committer *c)
{
	c->at = COMMITTER_IDLE;
	if (c->steps && --c->steps)
		sim_after(sim_chance(70) ? 0 : sim_random(2000000000), committer_step, c);
	else
		c->done();
}

static void group_name(char *text, size_t size, int group)
{
	snprintf(text, size, "g%d", group);
}

/* A coordinator that loads, or is not there yet. */
static bool is_coordinator_s(int16_t error)
{
	return error == WIRE_COORDINATOR_LOAD_IN_PROGRESS ||
	       error == WIRE_COORDINATOR_NOT_AVAILABLE || error == WIRE_NOT_COORDINATOR;
}

/* ---- FindCoordinator ---- */

static void ask_for_coordinator(struct committer *c)
{
	struct find_coordinator_request r;
	char group[8];

	group_name(group, sizeof(group), c->group);
	find_coordinator_request_init(&r);
	r.key = str_of(group);
	c->at = COMMITTER_FINDS;
	peer_ask(&c->peer, API_FIND_COORDINATOR, 3, &r, true);
}

static void on_coordinator(struct committer *c, const struct find_coordinator_response *r)
{
	sim_law(!r->error_code || is_coordinator_s(r->error_code) || model->has_trouble,
	        "FindCoordinator: %d", r->error_code);
	sim_law(r->error_code || r->node_id == 1, "the coordinator is node %d", r->node_id);
	c->knows_coordinator = !r->error_code;
}

/* ---- OffsetCommit ---- */

static void ask_to_commit(struct committer *c)
{
	struct commit_model *m = &model->commit[c->group][c->topic];
	struct offset_commit_request_request_partition partition = {
		.committed_leader_epoch = -1,
		.committed_metadata = STR("noted"),
	};
	struct offset_commit_request_request_topic topic = { .partitions = &partition,
		                                             .partitions_count = 1 };
	struct offset_commit_request r;
	char name[8], group[8];

	c->number = partition.committed_offset = ++model->commits;
	if (m->life != c->life)
		*m = (struct commit_model){ .life = c->life, .known = -1 };
	m->asked = c->number;
	topic_name(name, sizeof(name), c->topic);
	group_name(group, sizeof(group), c->group);
	topic.name = str_of(name);
	offset_commit_request_init(&r);
	r.group_id = str_of(group);
	r.topics = &topic;
	r.topics_count = 1;
	c->at = COMMITTER_COMMITS;
	peer_ask(&c->peer, API_OFFSET_COMMIT, 8, &r, true);
}

static void on_committed(struct committer *c, const struct offset_commit_response *r)
{
	struct commit_model *m = &model->commit[c->group][c->topic];
	int16_t error = r->topics[0].partitions[0].error_code;

	if (error == WIRE_UNKNOWN_TOPIC_OR_PARTITION || is_coordinator_s(error) ||
	    (error && model->has_trouble))
		return;
	sim_law(!error, "OffsetCommit: %d", error);
	if (m->life == c->life)
		m->known = c->number;
}

/* ---- OffsetFetch ---- */

static void ask_for_committed(struct committer *c)
{
	struct offset_fetch_request_request_topic topic = { .partition_indexes_count = 1 };
	struct offset_fetch_request r;
	int32_t partition = 0;
	char name[8], group[8];

	topic_name(name, sizeof(name), c->topic);
	group_name(group, sizeof(group), c->group);
	topic.name = str_of(name);
	topic.partition_indexes = &partition;
	offset_fetch_request_init(&r);
	r.group_id = str_of(group);
	r.topics = &topic;
	r.topics_count = 1;
	c->at = COMMITTER_FETCHES;
	peer_ask(&c->peer, API_OFFSET_FETCH, 7, &r, true);
}

static void on_committed_offset(struct committer *c, const struct offset_fetch_response *r)
{
	struct commit_model *m = &model->commit[c->group][c->topic];
	const struct topic_model *t = &model->topic[c->topic];
	int64_t offset;

	if (is_coordinator_s(r->error_code) || (r->error_code && model->has_trouble))
		return;
	sim_law(!r->error_code, "OffsetFetch: %d", r->error_code);
	if (t->state != PRESENT || t->life != c->life || m->life != c->life)
		return;
	offset = r->topics[0].partitions[0].committed_offset;
	sim_law(offset >= m->known && offset <= m->asked,
	        "g%d committed %" PRId64 " of t%d and has %" PRId64, c->group, m->known, c->topic,
	        offset);
	m->known = offset;
}

/* ---- one thing after the other ---- */

static void committer_step(void *arg)
{
	struct committer *c = arg;

	if (!peer_is_connected(&c->peer))
		sim_client_connect(&c->peer.client, c->port);
	c->group = (int)sim_random(GROUPS_MAX);
	c->topic = (int)sim_random(TOPICS_MAX);
	c->life = model->topic[c->topic].life;
	if (!c->knows_coordinator)
		ask_for_coordinator(c);
	else if (model->topic[c->topic].state != PRESENT)
		committer_go_on(c);
	else if (sim_chance(60))
		ask_to_commit(c);
	else
		ask_for_committed(c);
}

static void committer_answered(struct peer *p, const void *body)
{
	struct committer *c = container_of(p, struct committer, peer);

	if (c->at == COMMITTER_FINDS)
		on_coordinator(c, body);
	else if (c->at == COMMITTER_COMMITS)
		on_committed(c, body);
	else
		on_committed_offset(c, body);
	committer_go_on(c);
}

static void committer_lost(struct peer *p)
{
	struct committer *c = container_of(p, struct committer, peer);

	if (c->at != COMMITTER_IDLE)
		committer_go_on(c);
}

static void committer_begin(struct committer *c, int steps, uint16_t port, void (*done)(void))
{
	*c = (struct committer){ .steps = steps, .port = port, .done = done };
	peer_init(&c->peer, committer_answered, committer_lost);
	if (steps)
		sim_after(sim_random(1000000), committer_step, c);
}

#endif
