/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

#include "wire/heartbeat.h"
#include "wire/leave_group.h"
#include "wire/sync_group.h"

/* ---- SyncGroup ---- */

static void sync_refuse(struct group_step *st, int16_t error)
{
	struct sync_group_response *r = step_answer_alloc(st, &sync_group_response_message);

	r->error_code = error;
	step_answer(st, r);
}

static bool differs(struct str theirs, struct str ours)
{
	return theirs.data && !(ours.data && str_eq(theirs, ours));
}

static int16_t sync_check(const struct group_step *st, const struct group *g,
                          struct group_member **ret)
{
	const struct sync_group_request *request = st->event->request;
	int16_t error;

	if (st->event->version >= 5 &&
	    (!request->protocol_type.data || !request->protocol_name.data))
		return WIRE_INCONSISTENT_GROUP_PROTOCOL;
	if (!request->group_id.size)
		return WIRE_INVALID_GROUP_ID;
	if (!g || g->state == GROUP_EMPTY)
		return WIRE_UNKNOWN_MEMBER_ID;
	error = group_member_check(g, request->member_id, request->group_instance_id, ret);
	if (error)
		return error;
	if (request->generation_id != g->generation)
		return WIRE_ILLEGAL_GENERATION;
	if (differs(request->protocol_type, g->protocol_type) ||
	    differs(request->protocol_name, g->protocol_name))
		return WIRE_INCONSISTENT_GROUP_PROTOCOL;
	return g->state == GROUP_PREPARING_REBALANCE ? WIRE_REBALANCE_IN_PROGRESS : WIRE_NONE;
}

/* An assignment that no record can hold: everyone hears so, and tries again. */
static void sync_fail(struct group_step *st, struct group *g, int16_t error)
{
	list_each(pos, &g->members)
	{
		struct group_member *m = group_member_at(pos);

		group_span_drop(&m->assignment);
		if (group_answer_sync(st, m, error))
			group_session_begin(st, m, m->session_ms);
	}
	group_prepare(st, g, "the assignment is larger than a record may be, by", g->leader->id);
}

static void sync_by_leader(struct group_step *st, struct group *g)
{
	const struct sync_group_request *request = st->event->request;
	struct group_record record;

	list_each(pos, &g->members) group_member_at(pos)->offered = (struct span){ NULL, 0 };
	for (uint32_t i = 0; i < request->assignments_count; i++) {
		struct group_member *m = group_member_find(g, request->assignments[i].member_id);

		if (m)
			m->offered = request->assignments[i].assignment;
	}
	record = group_record_of(st->arena, g, true);
	if (!group_records_fit(st->s, &record, 1)) {
		sync_fail(st, g, WIRE_UNKNOWN_SERVER_ERROR);
		return;
	}
	group_write(st, g, record);
	list_each(pos, &g->members)
	{
		struct group_member *m = group_member_at(pos);

		group_member_assign(m, m->offered);
		m->offered = (struct span){ NULL, 0 };
		/* While it waited its session could not end; now it may again. */
		if (group_answer_sync(st, m, WIRE_NONE))
			group_session_begin(st, m, m->session_ms);
	}
	group_state_set(g, GROUP_STABLE, st->event->wall_ms);
}

void group_on_sync(struct group_step *st)
{
	const struct sync_group_request *request = st->event->request;
	struct group *g = group_find(st->s, request->group_id);
	struct group_member *m = NULL;
	int16_t error = sync_check(st, g, &m);

	if (error) {
		sync_refuse(st, error);
		return;
	}
	group_must_sync_set(m, false);
	group_wait_sync(st, m);
	if (g->state == GROUP_STABLE)
		group_answer_sync(st, m, WIRE_NONE);
	else if (m == g->leader)
		sync_by_leader(st, g);
}

/* ---- Heartbeat ---- */

static int16_t heartbeat(struct group_step *st)
{
	const struct heartbeat_request *request = st->event->request;
	struct group *g = group_find(st->s, request->group_id);
	struct group_member *m;
	int16_t error;

	if (!request->group_id.size)
		return WIRE_INVALID_GROUP_ID;
	if (!g)
		return WIRE_UNKNOWN_MEMBER_ID;
	error = group_member_check(g, request->member_id, request->group_instance_id, &m);
	if (error)
		return error;
	if (request->generation_id != g->generation)
		return WIRE_ILLEGAL_GENERATION;
	group_session_begin(st, m, m->session_ms);
	return g->state == GROUP_PREPARING_REBALANCE ? WIRE_REBALANCE_IN_PROGRESS : WIRE_NONE;
}

void group_on_heartbeat(struct group_step *st)
{
	struct heartbeat_response *r = step_answer_alloc(st, &heartbeat_response_message);

	r->error_code = heartbeat(st);
	step_answer(st, r);
}

/* ---- LeaveGroup ---- */

/* An administrator removes a static member by its instance alone. */
static int16_t leave_one(struct group_step *st, struct group *g,
                         const struct leave_group_request_member_identity *who)
{
	struct group_pending *p;
	struct group_member *m;
	int16_t error;

	if (!g)
		return WIRE_UNKNOWN_MEMBER_ID;
	p = group_pending_find(g, who->member_id);
	if (!who->member_id.size) {
		m = who->group_instance_id.data
		            ? group_member_of_instance(g, who->group_instance_id)
		            : NULL;
		if (!m)
			return WIRE_UNKNOWN_MEMBER_ID;
	} else if (p) {
		group_pending_remove(p);
		return WIRE_NONE;
	} else {
		error = group_member_check(g, who->member_id, who->group_instance_id, &m);
		if (error)
			return error;
	}
	step_note(st, "group %.*s: member %.*s left: %.*s", STR_ARG(g->id), STR_ARG(m->id),
	          STR_ARG(who->reason.data ? who->reason : STR("no reason given")));
	group_member_lose(st, m);
	return WIRE_NONE;
}

static void go_on_without(struct group_step *st, struct group *g, struct str who)
{
	if (g->state != GROUP_EMPTY) /* in which an id can be given back that was not used */
		group_prepare_or_complete(st, g, "left:", who);
}

/* Before version 3 one member leaves, and its error is that of the answer. */
static void leave_alone(struct group_step *st, struct group *g, struct leave_group_response *r)
{
	const struct leave_group_request *request = st->event->request;
	struct leave_group_request_member_identity who = { .member_id = request->member_id };

	r->error_code = leave_one(st, g, &who);
	if (!r->error_code)
		go_on_without(st, g, request->member_id);
}

void group_on_leave(struct group_step *st)
{
	const struct leave_group_request *request = st->event->request;
	struct leave_group_response *r = step_answer_alloc(st, &leave_group_response_message);
	struct group *g = group_find(st->s, request->group_id);
	struct str gone = { NULL, 0 };

	step_answer(st, r);
	if (!request->group_id.size) {
		r->error_code = WIRE_INVALID_GROUP_ID;
		return;
	}
	if (st->event->version < 3) {
		leave_alone(st, g, r);
		return;
	}
	r->members = arena_array(st->arena, request->members_count, sizeof(*r->members));
	for (uint32_t i = 0; i < request->members_count; i++) {
		const struct leave_group_request_member_identity *who = &request->members[i];

		r->members[r->members_count++] = (struct leave_group_response_member_response){
			.member_id = arena_str(st->arena, who->member_id),
			.group_instance_id = arena_str(st->arena, who->group_instance_id),
			.error_code = leave_one(st, g, who),
		};
		if (!r->members[i].error_code)
			gone = who->member_id.size ? who->member_id : who->group_instance_id;
	}
	if (gone.data)
		go_on_without(st, g, gone);
}
