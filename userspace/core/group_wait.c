/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

#include "wire/sync_group.h"

/*
 * Members that wait: for the join phase to end, or for the leader's assignment.  Who hangs up still
 * counts as waiting, as in Kafka, which does not see it: the member may come again.
 */
static uint64_t token_hash(void *token)
{
	return hash_bytes(&token, sizeof(token));
}

static void begin(struct group_step *st, struct group_waiter *w)
{
	w->token = st->event->token;
	w->version = st->event->version;
	w->waits = true;
	map_insert(&st->s->waiters, &w->node, token_hash(w->token));
}

/* The token to answer; NULL when nobody is there. */
static void *end(struct group_shard *s, struct group_waiter *w)
{
	void *token = w->token;

	w->waits = false;
	w->token = NULL;
	if (token)
		map_remove(&s->waiters, &w->node);
	return token;
}

void group_detach(struct group_shard *s, void *token)
{
	struct map_node *node = map_first(&s->waiters, token_hash(token));

	for (; node; node = map_next(node)) {
		struct group_waiter *w = container_of(node, struct group_waiter, node);

		if (w->token != token)
			continue;
		map_remove(&s->waiters, node);
		w->token = NULL;
		return;
	}
}

/* ---- JoinGroup ---- */

/* A second request of the same member takes the place of the first, which must try again. */
void group_wait_join(struct group_step *st, struct group_member *m)
{
	if (m->join.waits)
		group_refuse_join(st, m, m->id, WIRE_REBALANCE_IN_PROGRESS);
	m->group->waiting_count++;
	begin(st, &m->join);
}

/* Before version 7 there is no null for the protocol's name. */
static void join_answer_to(struct group_step *st, void *token, int16_t version,
                           struct join_group_response *r)
{
	if (version < 7 && !r->protocol_name.data)
		r->protocol_name = STR("");
	else if (version >= 7 && !r->protocol_name.size)
		r->protocol_name = (struct str){ NULL, 0 };
	step_answer_to(st, token, GROUP_JOIN, version, r);
}

void group_answer_join(struct group_step *st, struct group_member *m,
                       struct join_group_response *response)
{
	void *token;

	if (!m) {
		join_answer_to(st, st->event->token, st->event->version, response);
		return;
	}
	if (!m->join.waits)
		return;
	m->group->waiting_count--;
	token = end(st->s, &m->join);
	if (token)
		join_answer_to(st, token, m->join.version, response);
}

void group_refuse_join(struct group_step *st, struct group_member *m, struct str id, int16_t error)
{
	struct join_group_response *r;

	if (m && !m->join.waits)
		return;
	r = step_answer_alloc(st, &join_group_response_message);
	r->error_code = error;
	r->member_id = arena_str(st->arena, id);
	group_answer_join(st, m, r);
}

/* ---- SyncGroup ---- */

void group_wait_sync(struct group_step *st, struct group_member *m)
{
	if (m->sync.waits)
		group_answer_sync(st, m, WIRE_REBALANCE_IN_PROGRESS);
	begin(st, &m->sync);
}

bool group_answer_sync(struct group_step *st, struct group_member *m, int16_t error)
{
	struct sync_group_response *r;
	void *token;

	if (!m->sync.waits)
		return false;
	token = end(st->s, &m->sync);
	if (!token)
		return true;
	r = step_answer_alloc(st, &sync_group_response_message);
	r->error_code = error;
	if (!error) {
		r->protocol_type = arena_str(st->arena, m->group->protocol_type);
		r->protocol_name = arena_str(st->arena, m->group->protocol_name);
		r->assignment = step_span(st, m->assignment);
	}
	step_answer_to(st, token, GROUP_SYNC, m->sync.version, r);
	return true;
}

/* Whoever waits as this member is told that there is none, and may join anew. */
void group_member_lose(struct group_step *st, struct group_member *m)
{
	group_refuse_join(st, m, STR(""), WIRE_UNKNOWN_MEMBER_ID);
	group_answer_sync(st, m, WIRE_UNKNOWN_MEMBER_ID);
	group_member_remove(m);
}
