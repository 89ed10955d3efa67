/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

/*
 * JoinGroup (GroupMetadataManager.classicGroupJoin).  A dynamic member that comes without an id
 * gets one and, from version 4 on, must come again with it, so that a request that is tried again
 * does not leave members behind that nobody knows of.
 */

static void refuse(struct group_step *st, struct str member_id, int16_t error)
{
	group_refuse_join(st, NULL, member_id, error);
}

static struct group_new_member info_of(const struct group_step *st, struct str member_id)
{
	const struct join_group_request *request = st->event->request;
	int32_t rebalance_ms = request->rebalance_timeout_ms;

	/* Version 0 has none; what is negative means nothing. */
	if (st->event->version == 0 || rebalance_ms < 0)
		rebalance_ms = request->session_timeout_ms;
	return (struct group_new_member){
		.id = member_id,
		.instance_id = request->group_instance_id,
		.client_id = st->event->client_id.data ? st->event->client_id : STR(""),
		.client_host = st->event->client_host.data ? st->event->client_host : STR(""),
		.rebalance_ms = rebalance_ms,
		.session_ms = request->session_timeout_ms,
		.protocol_type = request->protocol_type,
		.protocol = request->protocols,
		.protocol_count = request->protocols_count,
	};
}

/* The client's id, or that of its instance, and a random UUID. */
static struct str new_member_id(struct group_step *st)
{
	const struct join_group_request *request = st->event->request;
	struct str prefix =
		request->group_instance_id.data ? request->group_instance_id : st->event->client_id;
	uint8_t b[16];

	st->s->options.random(st->s->options.random_arg, b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	return arena_printf(
		st->arena,
		"%.*s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		STR_ARG(prefix), b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
		b[11], b[12], b[13], b[14], b[15]);
}

static void add_member(struct group_step *st, struct group *g, struct str member_id)
{
	struct group_new_member info = info_of(st, member_id);
	struct group_member *m;

	if (g->state == GROUP_PREPARING_REBALANCE && g->previous_state == GROUP_EMPTY)
		g->new_member_added = true;
	m = group_member_add(g, &info);
	m->is_new = true;
	group_wait_join(st, m);
	group_session_begin(st, m, GROUP_NEW_MEMBER_MS);
	group_prepare_or_complete(st, g, "new member", member_id);
}

static void update_member(struct group_step *st, struct group_member *m, const char *reason)
{
	struct group_new_member info = info_of(st, m->id);
	struct str id = arena_str(st->arena, m->id);

	group_member_update(m, &info);
	group_wait_join(st, m);
	group_prepare_or_complete(st, m->group, reason, id);
}

/*
 * What a member learns of the generation that is.  skip_assignment tells a leader that came back
 * that the assignment stands: it gets the members only to watch their topics.
 */
static void tell_generation(struct group_step *st, struct group_member *m, bool with_members,
                            bool skip_assignment)
{
	struct join_group_response *r = step_answer_alloc(st, &join_group_response_message);

	group_join_response_fill(st, m, with_members, r);
	r->skip_assignment = skip_assignment;
	group_answer_join(st, NULL, r);
}

/*
 * A static member came back while the group is stable.  If the group's protocol stays what it is,
 * its new id is written and nobody else notices.  Before version 9 it must not take itself for the
 * leader, or it would assign anew, so it is told the leader's old id.
 */
static void replace_in_stable(struct group_step *st, struct group_member *m, struct str old_leader)
{
	struct group *g = m->group;
	struct group_record record;
	struct join_group_response *r;
	struct str id = arena_str(st->arena, m->id);

	if (!str_eq(group_protocol_vote(g), g->protocol_name)) {
		group_prepare(st, g, "the protocol changes with static member", id);
		return;
	}
	record = group_record_of(st->arena, g, false);
	if (!group_records_fit(st->s, &record, 1)) {
		group_prepare(st, g, "more metadata than a record holds from", id);
		return;
	}
	group_write(st, g, record);
	r = step_answer_alloc(st, &join_group_response_message);
	if (st->event->version >= 9) {
		group_join_response_fill(st, m, m == g->leader, r);
		r->skip_assignment = m == g->leader;
	} else {
		group_join_response_fill(st, m, false, r);
		r->leader = old_leader;
	}
	group_answer_join(st, m, r);
}

static void replace_static(struct group_step *st, struct group_member *m, struct str new_id)
{
	struct group *g = m->group;
	struct group_new_member info = info_of(st, new_id);
	struct str old_leader = arena_str(st->arena, g->leader->id);

	step_note(st, "group %.*s: static member %.*s is now %.*s", STR_ARG(g->id),
	          STR_ARG(m->instance_id), STR_ARG(new_id));
	group_refuse_join(st, m, m->id, WIRE_FENCED_INSTANCE_ID);
	group_answer_sync(st, m, WIRE_FENCED_INSTANCE_ID);
	group_member_rename(m, new_id);
	m->is_new = false;
	group_session_begin(st, m, m->session_ms);
	group_member_update(m, &info);
	group_wait_join(st, m);
	if (g->state == GROUP_STABLE)
		replace_in_stable(st, m, old_leader);
	else if (g->state == GROUP_COMPLETING_REBALANCE)
		group_prepare(st, g, "static member came back as", new_id);
	else
		group_complete_if_joined(st, g);
}

static void join_new(struct group_step *st, struct group *g)
{
	const struct join_group_request *request = st->event->request;
	struct group_member *m;
	struct str id;

	if (!group_supports(g, request)) {
		refuse(st, STR(""), WIRE_INCONSISTENT_GROUP_PROTOCOL);
		return;
	}
	id = new_member_id(st);
	m = request->group_instance_id.data
	            ? group_member_of_instance(g, request->group_instance_id)
	            : NULL;
	if (m) {
		replace_static(st, m, id);
	} else if (request->group_instance_id.data || st->event->version < 4) {
		add_member(st, g, id);
	} else {
		struct group_pending *p = group_pending_add(g, id);

		group_timer_set(&st->s->timers, &p->timer,
		                st->event->mono_ms + (uint64_t)request->session_timeout_ms);
		refuse(st, id, WIRE_MEMBER_ID_REQUIRED);
	}
}

static void join_stable(struct group_step *st, struct group_member *m)
{
	/* What the leader sees may have changed without any member's metadata. */
	if (m == m->group->leader)
		update_member(st, m, "joins again: the leader");
	else if (!group_member_matches(m, st->event->request))
		update_member(st, m, "new metadata of");
	else
		tell_generation(st, m, false, false);
}

static void join_known(struct group_step *st, struct group *g)
{
	const struct join_group_request *request = st->event->request;
	struct group_pending *p = group_pending_find(g, request->member_id);
	struct group_member *m = NULL;
	int16_t error = WIRE_NONE;

	if (!group_supports(g, request))
		error = WIRE_INCONSISTENT_GROUP_PROTOCOL;
	else if (!p || request->group_instance_id.data)
		error = group_member_check(g, request->member_id, request->group_instance_id, &m);
	if (error) {
		refuse(st, request->member_id, error);
		return;
	}
	if (p) {
		group_pending_remove(p);
		add_member(st, g, request->member_id);
		return;
	}
	switch (g->state) {
	case GROUP_PREPARING_REBALANCE:
		update_member(st, m, "joins");
		break;
	case GROUP_COMPLETING_REBALANCE:
		/* Perhaps it did not get the answer to the first one. */
		if (group_member_matches(m, request))
			tell_generation(st, m, m == g->leader, false);
		else
			update_member(st, m, "new metadata of");
		break;
	default:
		check(g->state == GROUP_STABLE);
		join_stable(st, m);
	}
}

/*
 * While a group rebalances only those count that joined: when group.max.size was lowered, those
 * that come last are the ones that go.
 */
static bool has_room(const struct group *g, const struct group_member *m)
{
	uint32_t size_max = (uint32_t)g->shard->options.size_max;

	switch (g->state) {
	case GROUP_PREPARING_REBALANCE:
		return (m && m->join.waits) || g->waiting_count < size_max;
	case GROUP_COMPLETING_REBALANCE:
	case GROUP_STABLE:
		return m || g->member_by_id.count < size_max;
	default:
		return true;
	}
}

static void refuse_for_size(struct group_step *st, struct group *g, struct group_member *m)
{
	const struct join_group_request *request = st->event->request;
	struct group_pending *p = group_pending_find(g, request->member_id);

	refuse(st, STR(""), WIRE_GROUP_MAX_SIZE_REACHED);
	if (p)
		group_pending_remove(p);
	if (m) {
		step_note(st, "group %.*s: member %.*s is one too many", STR_ARG(g->id),
		          STR_ARG(m->id));
		group_member_lose(st, m);
	}
	if (p || m)
		group_complete_if_joined(st, g);
}

/* The metadata of a member is stored in one record with that of all others. */
static bool fits_record(const struct group_step *st)
{
	const struct join_group_request *request = st->event->request;

	for (uint32_t i = 0; i < request->protocols_count; i++) {
		struct group_record least = { .value = request->protocols[i].metadata };

		if (!group_records_fit(st->s, &least, 1))
			return false;
	}
	return true;
}

void group_on_join(struct group_step *st)
{
	const struct join_group_request *request = st->event->request;
	const struct group_options *options = &st->s->options;
	struct group *g = group_find(st->s, request->group_id);
	bool is_unknown = !request->member_id.size;
	bool is_new = !g;
	struct group_member *m;

	if (!request->group_id.size) {
		refuse(st, request->member_id, WIRE_INVALID_GROUP_ID);
		return;
	}
	if (request->session_timeout_ms < options->session_ms_min ||
	    request->session_timeout_ms > options->session_ms_max) {
		refuse(st, request->member_id, WIRE_INVALID_SESSION_TIMEOUT);
		return;
	}
	if (group_foreign_find(st->s, request->group_id)) {
		refuse(st, STR(""), WIRE_INCONSISTENT_GROUP_PROTOCOL);
		return;
	}
	if (!fits_record(st)) {
		refuse(st, request->member_id, WIRE_UNKNOWN_SERVER_ERROR);
		return;
	}
	if (!g && !is_unknown) {
		refuse(st, request->member_id, WIRE_UNKNOWN_MEMBER_ID);
		return;
	}
	if (!g)
		g = group_new(st->s, request->group_id, st->event->wall_ms);
	m = is_unknown ? NULL : group_member_find(g, request->member_id);
	if (!has_room(g, m))
		refuse_for_size(st, g, m);
	else if (is_unknown)
		join_new(st, g);
	else
		join_known(st, g);
	/* A group that has members one day is known from its first one on. */
	if (is_new && !st->out->record_count)
		group_write(st, g, group_record_empty(st->arena, g));
}
