/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

#include "wire/describe_groups.h"
#include "wire/list_groups.h"

/* ---- DescribeGroups ---- */

static void describe_members(struct group_step *st, const struct group *g,
                             struct describe_groups_response_described_group *r)
{
	r->members = arena_array(st->arena, g->member_by_id.count, sizeof(*r->members));
	list_each(pos, &g->members)
	{
		const struct group_member *m = group_member_at(pos);
		struct span metadata = { NULL, 0 };

		/* Only while it is stable is the protocol the one that the members use. */
		if (g->state == GROUP_STABLE)
			metadata = group_member_metadata(m, g->protocol_name);
		r->members[r->members_count++] =
			(struct describe_groups_response_described_group_member){
				.member_id = arena_str(st->arena, m->id),
				.group_instance_id = arena_str(st->arena, m->instance_id),
				.client_id = arena_str(st->arena, m->client_id),
				.client_host = arena_str(st->arena, m->client_host),
				.member_metadata = step_span(st, metadata),
				.member_assignment = step_span(st, m->assignment),
			};
	}
}

static void describe_nothing(struct group_step *st, struct str id, const char *why,
                             struct describe_groups_response_described_group *r)
{
	r->group_state = str_of(group_state_name(GROUP_DEAD));
	if (st->event->version < 6)
		return;
	r->error_code = WIRE_GROUP_ID_NOT_FOUND;
	r->error_message = arena_printf(st->arena, "Group %.*s %s.", STR_ARG(id), why);
}

void group_on_describe(struct group_step *st)
{
	const struct str *id = st->event->request;
	const struct group *g = group_find(st->s, *id);
	struct describe_groups_response_described_group *r = arena_zalloc(st->arena, sizeof(*r));

	r->group_id = arena_str(st->arena, *id);
	r->protocol_type = r->protocol_data = STR("");
	r->members = WIRE_EMPTY;
	r->authorized_operations = INT32_MIN;
	step_answer(st, r);
	if (group_foreign_find(st->s, *id)) {
		describe_nothing(st, *id, "is not a classic group", r);
		return;
	}
	if (!g) {
		describe_nothing(st, *id, "not found", r);
		return;
	}
	r->group_state = str_of(group_state_name(g->state));
	if (g->protocol_type.data)
		r->protocol_type = arena_str(st->arena, g->protocol_type);
	if (g->state == GROUP_STABLE)
		r->protocol_data = arena_str(st->arena, g->protocol_name);
	describe_members(st, g, r);
}

/* ---- ListGroups ---- */

static uint8_t lower(char c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool same_word(struct str a, const char *word)
{
	if (a.size != strlen(word))
		return false;
	for (uint32_t i = 0; i < a.size; i++)
		if (lower(a.data[i]) != lower(word[i]))
			return false;
	return true;
}

static struct str trimmed(struct str s)
{
	while (s.size && (uint8_t)s.data[0] <= ' ') {
		s.data++;
		s.size--;
	}
	while (s.size && (uint8_t)s.data[s.size - 1] <= ' ')
		s.size--;
	return s;
}

/* No filter lets all through. */
static bool passes(const struct str *filter, uint32_t count, bool trim, const char *word)
{
	for (uint32_t i = 0; i < count; i++)
		if (same_word(trim ? trimmed(filter[i]) : filter[i], word))
			return true;
	return !count;
}

static void list_one(struct group_step *st, struct list_groups_response *r, struct str id,
                     struct str protocol_type, const char *state, const char *type)
{
	const struct list_groups_request *request = st->event->request;

	if (!passes(request->states_filter, request->states_filter_count, true, state) ||
	    !passes(request->types_filter, request->types_filter_count, false, type))
		return;
	r->groups[r->groups_count++] = (struct list_groups_response_listed_group){
		.group_id = arena_str(st->arena, id),
		.protocol_type = protocol_type.data ? arena_str(st->arena, protocol_type) : STR(""),
		.group_state = str_of(state),
		.group_type = str_of(type),
	};
}

void group_on_list(struct group_step *st)
{
	struct list_groups_response *r = step_answer_alloc(st, &list_groups_response_message);
	struct group_shard *s = st->s;

	step_answer(st, r);
	r->groups = arena_array(st->arena, s->groups.count + s->foreign_by_id.count,
	                        sizeof(*r->groups));
	list_each(pos, &s->order)
	{
		const struct group *g = list_entry(pos, struct group, link);

		if (!group_foreign_find(s, g->id))
			list_one(st, r, g->id, g->protocol_type, group_state_name(g->state),
			         "classic");
	}
	/* Members of the newer protocols are known by their records: whether they live is not. */
	list_each(pos, &s->foreigners)
	{
		const struct group_foreign *f = list_entry(pos, struct group_foreign, link);
		enum group_state state = f->member_count ? GROUP_STABLE : GROUP_EMPTY;

		list_one(st, r, (struct str){ f->id, f->id_size }, str_of(f->type),
		         group_state_name(state), f->type);
	}
}

/* ---- DeleteGroups ---- */

void group_on_delete(struct group_step *st)
{
	const struct str *id = st->event->request;
	int16_t *error = arena_zalloc(st->arena, sizeof(*error));
	struct group *g = group_find(st->s, *id);

	step_answer(st, error);
	if (group_foreign_find(st->s, *id))
		*error = WIRE_NON_EMPTY_GROUP; /* of records that must be kept */
	else if (!g)
		*error = WIRE_GROUP_ID_NOT_FOUND;
	else if (g->state != GROUP_EMPTY)
		*error = WIRE_NON_EMPTY_GROUP;
	if (*error)
		return;
	st->out->atomic = false; /* the tombstone of the group itself is the last */
	step_note(st, "group %.*s: deleted, with %zu offsets", STR_ARG(g->id), g->offsets.count);
	group_delete(st, g);
}
