/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

/*
 * A rebalance:
 *
 *	Empty, Stable, CompletingRebalance  ->  PreparingRebalance: members are to join again
 *	PreparingRebalance  ->  CompletingRebalance: all joined, or the time is up.  A new
 *generation CompletingRebalance  ->  Stable: the leader gave the assignment (group_session.c)
 *	PreparingRebalance  ->  Empty: nobody is left
 *
 * The first rebalance of a group waits group.initial.rebalance.delay.ms for more members, and again
 * for each time that more came, as long as the longest rebalance timeout of a member lasts.
 */

enum {
	/* No rebalance that nobody joins is tried again sooner, whatever the members' timeouts. */
	RETRY_MS_MIN = 1000,
};

static uint64_t after_ms(const struct group_step *st, int32_t ms)
{
	return st->event->mono_ms + (uint64_t)(ms > 0 ? ms : 0);
}

static int32_t max_i32(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

void group_session_begin(struct group_step *st, struct group_member *m, int32_t timeout_ms)
{
	group_timer_set(&st->s->timers, &m->session, after_ms(st, timeout_ms));
}

bool group_has_all_joined(const struct group *g)
{
	return g->waiting_count == g->member_by_id.count && list_is_empty(&g->pending);
}

void group_join_response_fill(struct group_step *st, const struct group_member *m,
                              bool with_members, struct join_group_response *r)
{
	const struct group *g = m->group;

	r->generation_id = g->generation;
	r->protocol_type = arena_str(st->arena, g->protocol_type);
	r->protocol_name = arena_str(st->arena, g->protocol_name);
	r->leader = arena_str(st->arena, g->leader->id);
	r->member_id = arena_str(st->arena, m->id);
	if (!with_members)
		return;
	r->members = arena_array(st->arena, g->member_by_id.count, sizeof(*r->members));
	list_each(pos, &g->members)
	{
		const struct group_member *other = group_member_at(pos);
		struct span metadata = group_member_metadata(other, g->protocol_name);

		r->members[r->members_count++] = (struct join_group_response_response_member){
			.member_id = arena_str(st->arena, other->id),
			.group_instance_id = arena_str(st->arena, other->instance_id),
			.metadata = step_span(st, metadata),
		};
	}
}

/* The leader goes on when it joined; else the first one that did leads. */
static bool elect_leader(struct group *g)
{
	if (g->leader && g->leader->join.waits)
		return true;
	list_each(pos, &g->members)
	{
		if (!group_member_at(pos)->join.waits)
			continue;
		g->leader = group_member_at(pos);
		return true;
	}
	return false;
}

static void begin_generation(struct group_step *st, struct group *g)
{
	g->generation = g->generation == INT32_MAX ? 0 : g->generation + 1;
	list_each(pos, &g->members) group_must_sync_set(group_member_at(pos), false);
	if (list_is_empty(&g->members)) {
		group_str_drop(&g->protocol_name);
		group_state_set(g, GROUP_EMPTY, st->event->wall_ms);
	} else {
		group_str_set(&g->protocol_name, group_protocol_vote(g));
		group_state_set(g, GROUP_COMPLETING_REBALANCE, st->event->wall_ms);
	}
	group_topics_set(g);
}

/* Members that come by themselves and did not join are gone; static ones keep their place. */
static void drop_absent(struct group_step *st, struct group *g)
{
	list_each_safe(pos, tmp, &g->members)
	{
		struct group_member *m = group_member_at(pos);

		if (m->join.waits || m->instance_id.data)
			continue;
		step_note(st, "group %.*s: member %.*s did not rejoin in time", STR_ARG(g->id),
		          STR_ARG(m->id));
		group_member_lose(st, m);
	}
}

/* The join phase ends. */
static void complete(struct group_step *st, struct group *g)
{
	group_timer_stop(&st->s->timers, &g->join_timer);
	drop_absent(st, g);
	if (!elect_leader(g) && !list_is_empty(&g->members)) {
		int32_t retry_ms = max_i32(group_rebalance_ms(g), RETRY_MS_MIN);

		step_note(st, "group %.*s: no member rejoined, waiting on", STR_ARG(g->id));
		g->is_initial = false;
		group_timer_set(&st->s->timers, &g->join_timer, after_ms(st, retry_ms));
		return;
	}
	begin_generation(st, g);
	if (g->state == GROUP_EMPTY) {
		step_note(st, "group %.*s: empty since generation %d", STR_ARG(g->id),
		          g->generation);
		group_write(st, g, group_record_of(st->arena, g, false));
		return;
	}
	list_each(pos, &g->members)
	{
		struct group_member *m = group_member_at(pos);
		struct join_group_response *r = step_answer_alloc(st, &join_group_response_message);

		if (m->join.token)
			group_join_response_fill(st, m, m == g->leader, r);
		group_answer_join(st, m, r);
		group_session_begin(st, m, m->session_ms);
		m->is_new = false;
		group_must_sync_set(m, true);
	}
	step_note(st, "group %.*s: generation %d with %zu members", STR_ARG(g->id), g->generation,
	          g->member_by_id.count);
	group_timer_set(&st->s->timers, &g->sync_timer, after_ms(st, group_rebalance_ms(g)));
}

/* The first rebalance ends by its timer alone. */
void group_complete_if_joined(struct group_step *st, struct group *g)
{
	if (g->state == GROUP_PREPARING_REBALANCE && g->previous_state != GROUP_EMPTY &&
	    group_has_all_joined(g))
		complete(st, g);
}

void group_prepare(struct group_step *st, struct group *g, const char *reason, struct str who)
{
	bool is_initial = g->state == GROUP_EMPTY;

	if (g->state == GROUP_COMPLETING_REBALANCE)
		list_each(pos, &g->members)
		{
			struct group_member *m = group_member_at(pos);

			group_span_drop(&m->assignment);
			if (group_answer_sync(st, m, WIRE_REBALANCE_IN_PROGRESS))
				group_session_begin(st, m, m->session_ms);
		}
	list_each(pos, &g->members) group_must_sync_set(group_member_at(pos), false);
	group_timer_stop(&st->s->timers, &g->sync_timer);
	g->is_initial = is_initial;
	if (is_initial) {
		g->initial_ms = st->s->options.initial_rebalance_delay_ms;
		g->remaining_ms = max_i32(group_rebalance_ms(g) - g->initial_ms, 0);
		group_timer_set(&st->s->timers, &g->join_timer, after_ms(st, g->initial_ms));
	}
	group_state_set(g, GROUP_PREPARING_REBALANCE, st->event->wall_ms);
	step_note(st, "group %.*s: rebalance after generation %d: %s %.*s", STR_ARG(g->id),
	          g->generation, reason, STR_ARG(who));
	if (is_initial)
		return;
	if (group_has_all_joined(g))
		complete(st, g);
	else
		group_timer_set(&st->s->timers, &g->join_timer,
		                after_ms(st, group_rebalance_ms(g)));
}

void group_prepare_or_complete(struct group_step *st, struct group *g, const char *reason,
                               struct str who)
{
	if (g->state == GROUP_PREPARING_REBALANCE)
		group_complete_if_joined(st, g);
	else
		group_prepare(st, g, reason, who);
}

/* ---- time ---- */

static void initial_rebalance_is_due(struct group_step *st, struct group *g)
{
	int32_t delay_ms = g->initial_ms;

	if (!g->new_member_added || !g->remaining_ms) {
		complete(st, g);
		return;
	}
	g->new_member_added = false;
	g->initial_ms = st->s->options.initial_rebalance_delay_ms;
	if (g->initial_ms > g->remaining_ms)
		g->initial_ms = g->remaining_ms;
	g->remaining_ms = max_i32(g->remaining_ms - delay_ms, 0);
	group_timer_set(&st->s->timers, &g->join_timer, after_ms(st, g->initial_ms));
}

static void sync_is_due(struct group_step *st, struct group *g)
{
	struct str who = { NULL, 0 };

	if (!g->must_sync_count)
		return;
	list_each_safe(pos, tmp, &g->members)
	{
		struct group_member *m = group_member_at(pos);

		if (!m->must_sync)
			continue;
		who = arena_str(st->arena, m->id);
		group_member_lose(st, m);
	}
	group_prepare(st, g, "no SyncGroup in time from", who);
}

/* After somebody left by the time. */
static void go_on_without(struct group_step *st, struct group *g, struct str who)
{
	if (g->state == GROUP_STABLE || g->state == GROUP_COMPLETING_REBALANCE)
		group_prepare(st, g, "session timed out of", who);
	else if (g->state == GROUP_PREPARING_REBALANCE && group_has_all_joined(g))
		complete(st, g);
}

static void session_is_over(struct group_step *st, struct group_member *m)
{
	struct group *g = m->group;
	struct str who;

	/* Who waits for the coordinator has no heartbeat to send; its session begins again then. */
	if (!m->is_new && (m->join.waits || m->sync.waits))
		return;
	who = arena_str(st->arena, m->id);
	step_note(st, "group %.*s: member %.*s timed out", STR_ARG(g->id), STR_ARG(who));
	group_member_lose(st, m);
	go_on_without(st, g, who);
}

void group_on_timer(struct group_step *st, struct group_timer *t)
{
	struct group_pending *p;
	struct group *g;

	switch (t->kind) {
	case GROUP_TIMER_SESSION:
		session_is_over(st, container_of(t, struct group_member, session));
		break;
	case GROUP_TIMER_PENDING:
		p = container_of(t, struct group_pending, timer);
		g = p->group;
		group_pending_remove(p);
		if (g->state == GROUP_PREPARING_REBALANCE && group_has_all_joined(g))
			complete(st, g);
		break;
	case GROUP_TIMER_JOIN:
		g = container_of(t, struct group, join_timer);
		if (g->is_initial)
			initial_rebalance_is_due(st, g);
		else
			complete(st, g);
		break;
	case GROUP_TIMER_SYNC:
		sync_is_due(st, container_of(t, struct group, sync_timer));
		break;
	}
}
