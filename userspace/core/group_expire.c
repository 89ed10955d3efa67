/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

/*
 * Offsets expire (KIP-211):
 *
 *	no protocol (offsets that were committed without a group)    so long after their commit
 *	Empty                                                        so long after it became empty
 *	Stable, consumers                                            so long after their commit,
 *	                                                             of topics that none subscribes
 *to else                                                         never
 *
 * where an offset may say itself when (version 1 of its record).  An empty group goes with its last
 * offset.
 */

/*
 * A wall clock that jumps must not make a month of offsets old in one instant.  When it moved
 * against the monotonic clock by more than so much, nothing expires for a day, in which it may be
 * set right.
 */
enum { JUMP_MS = 60 * 60 * 1000, HOLD_MS = 24 * 60 * 60 * 1000 };

bool group_clock_is_sane(struct group_shard *s, uint64_t mono_ms, int64_t wall_ms)
{
	int64_t passed_ms = (int64_t)(mono_ms - s->seen_mono_ms);
	int64_t moved_ms = wall_ms - s->seen_wall_ms;

	if (moved_ms - passed_ms > JUMP_MS || passed_ms - moved_ms > JUMP_MS)
		s->held_until_ms = mono_ms + HOLD_MS;
	s->seen_mono_ms = mono_ms;
	s->seen_wall_ms = wall_ms;
	return mono_ms >= s->held_until_ms;
}

static bool expires(const struct group *g)
{
	if (!g->protocol_type.data || g->state == GROUP_EMPTY)
		return true;
	return g->state == GROUP_STABLE && group_uses_consumer_protocol(g) && g->knows_topics;
}

static bool is_expired(const struct group_step *st, const struct group_offset *o)
{
	const struct group *g = o->topic->group;
	int64_t base_ms = o->value.commit_ms;

	if (!o->is_committed || !list_is_empty(&o->pending))
		return false;
	if (o->value.expire_ms >= 0)
		return st->event->wall_ms >= o->value.expire_ms;
	if (g->protocol_type.data && g->state == GROUP_EMPTY && g->state_since_ms != -1)
		base_ms = g->state_since_ms;
	return base_ms <= st->event->wall_ms - st->s->options.offsets_retention_ms;
}

/* How many went. */
static size_t expire_topic(struct group_step *st, struct group_topic_offsets *t)
{
	size_t count = 0;

	if (group_is_subscribed(t->group, (struct str){ t->name, t->name_size }))
		return 0;
	/* The topic goes with its last offset, so it is held by its neighbour in the list. */
	for (struct list *pos = t->offsets.next, *next; pos; pos = next) {
		struct group_offset *o = list_entry(pos, struct group_offset, link);

		next = pos->next == &t->offsets ? NULL : pos->next;
		if (!is_expired(st, o))
			continue;
		group_offset_lose(st, o);
		count++;
	}
	return count;
}

static void expire_group(struct group_step *st, struct group *g)
{
	size_t count = 0;

	if (group_foreign_find(st->s, g->id) || !expires(g))
		return;
	list_each_safe(pos, tmp, &g->topics) count +=
		expire_topic(st, list_entry(pos, struct group_topic_offsets, link));
	if (count)
		step_note(st, "group %.*s: %zu offsets expired", STR_ARG(g->id), count);
	if (!g->topic_by_name.count && g->state == GROUP_EMPTY && list_is_empty(&g->pending)) {
		step_note(st, "group %.*s: deleted, it has neither members nor offsets",
		          STR_ARG(g->id));
		group_delete(st, g);
	}
}

void group_expire(struct group_step *st)
{
	struct group_shard *s = st->s;

	s->expire_at_ms = st->event->mono_ms + (uint64_t)s->options.retention_check_ms;
	if (!group_clock_is_sane(s, st->event->mono_ms, st->event->wall_ms))
		return;
	list_each_safe(pos, tmp, &s->order) expire_group(st, list_entry(pos, struct group, link));
}

/* ---- topics that are gone ---- */

/* An offset of old has no topic id: its name must do. */
static void forget_topic(struct group_step *st, struct group *g, const struct group_topic *gone)
{
	struct group_topic_offsets *t = group_topic_find(g, gone->name);

	if (!t)
		return;
	for (struct list *pos = t->offsets.next, *next; pos; pos = next) {
		struct group_offset *o = list_entry(pos, struct group_offset, link);

		next = pos->next == &t->offsets ? NULL : pos->next;
		if (uuid_is_zero(o->value.topic_id) || uuid_eq(o->value.topic_id, gone->id))
			group_offset_lose(st, o);
	}
}

void group_on_topic_deleted(struct group_step *st)
{
	const struct group_topic *gone = st->event->request;

	st->out->atomic = false;
	list_each(pos, &st->s->order) forget_topic(st, list_entry(pos, struct group, link), gone);
}
