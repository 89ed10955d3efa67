/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- strings and bytes that somebody owns ---- */

struct str group_str_own(struct str s)
{
	return (struct str){ s.data ? mem_dup(s.data, s.size) : NULL, s.size };
}

void group_str_drop(struct str *s)
{
	mem_free((char *)s->data);
	*s = (struct str){ NULL, 0 };
}

void group_str_set(struct str *s, struct str value)
{
	struct str copy = group_str_own(value);

	group_str_drop(s);
	*s = copy;
}

struct span group_span_own(struct span s)
{
	return (struct span){ s.data ? mem_dup(s.data, s.size) : NULL, s.size };
}

void group_span_drop(struct span *s)
{
	mem_free((uint8_t *)s->data);
	*s = (struct span){ NULL, 0 };
}

/* ---- groups ---- */

struct group *group_find(const struct group_shard *s, struct str id)
{
	struct map_node *node = map_first(&s->groups, hash_str(id));

	for (; node; node = map_next(node)) {
		struct group *g = container_of(node, struct group, node);

		if (str_eq(g->id, id))
			return g;
	}
	return NULL;
}

struct group *group_new(struct group_shard *s, struct str id, int64_t wall_ms)
{
	struct group *g = mem_zalloc(sizeof(*g));

	g->shard = s;
	g->id = group_str_own(id);
	g->state = GROUP_EMPTY;
	g->previous_state = GROUP_DEAD;
	g->state_since_ms = wall_ms;
	g->join_timer.kind = GROUP_TIMER_JOIN;
	g->sync_timer.kind = GROUP_TIMER_SYNC;
	list_init(&g->members);
	list_init(&g->pending);
	list_init(&g->topics);
	map_insert(&s->groups, &g->node, hash_str(id));
	list_push(&s->order, &g->link);
	s->count[g->state]++;
	return g;
}

void group_stored_set(struct group *g, struct span value)
{
	g->shard->record_count -= !!g->stored.data;
	group_span_drop(&g->stored);
	g->stored = group_span_own(value);
	g->shard->record_count += !!g->stored.data;
}

void group_state_set(struct group *g, enum group_state state, int64_t wall_ms)
{
	g->shard->count[g->state]--;
	g->shard->count[state]++;
	g->previous_state = g->state;
	g->state = state;
	g->state_since_ms = wall_ms;
}

void group_reset(struct group *g, int64_t wall_ms)
{
	list_each_safe(pos, tmp, &g->members) group_member_remove(group_member_at(pos));
	list_each_safe(pos, tmp, &g->pending)
		group_pending_remove(list_entry(pos, struct group_pending, link));
	group_timer_stop(&g->shard->timers, &g->join_timer);
	group_timer_stop(&g->shard->timers, &g->sync_timer);
	group_topics_forget(g);
	group_str_drop(&g->protocol_type);
	group_str_drop(&g->protocol_name);
	group_stored_set(g, (struct span){ NULL, 0 });
	g->generation = 0;
	g->new_member_added = false;
	group_state_set(g, GROUP_EMPTY, wall_ms);
	g->previous_state = GROUP_DEAD;
}

void group_free(struct group *g)
{
	group_reset(g, -1);
	group_offsets_free(g);
	g->shard->count[g->state]--;
	map_remove(&g->shard->groups, &g->node);
	list_remove(&g->link);
	map_fini(&g->member_by_id);
	map_fini(&g->member_by_instance);
	map_fini(&g->support);
	map_fini(&g->pending_by_id);
	map_fini(&g->topic_by_name);
	map_fini(&g->offsets);
	group_str_drop(&g->id);
	mem_free(g);
}

const char *group_state_name(enum group_state state)
{
	static const char *const name[GROUP_STATES] = {
		[GROUP_EMPTY] = "Empty",
		[GROUP_PREPARING_REBALANCE] = "PreparingRebalance",
		[GROUP_COMPLETING_REBALANCE] = "CompletingRebalance",
		[GROUP_STABLE] = "Stable",
		[GROUP_DEAD] = "Dead",
	};

	return name[state];
}

/* ---- shards ---- */

struct group_shard *group_shard_new(const struct group_options *options)
{
	struct group_shard *s = mem_zalloc(sizeof(*s));

	s->options = *options;
	s->expire_at_ms = UINT64_MAX;
	list_init(&s->order);
	list_init(&s->foreigners);
	list_init(&s->foreign_records);
	return s;
}

void group_shard_free(struct group_shard *s)
{
	if (!s)
		return;
	map_each(node, &s->waiters) map_remove(&s->waiters, node);
	list_each_safe(pos, tmp, &s->order)
	{
		struct group *g = list_entry(pos, struct group, link);

		list_each(m, &g->members)
		{
			group_member_at(m)->join.waits = false;
			group_member_at(m)->sync.waits = false;
		}
		group_free(g);
	}
	group_foreign_free_all(s);
	map_fini(&s->groups);
	map_fini(&s->waiters);
	map_fini(&s->transactions);
	group_timers_fini(&s->timers);
	mem_free(s);
}

void group_shard_configure(struct group_shard *s, const struct group_options *options)
{
	s->options = *options;
}

uint64_t group_shard_wake_ms(const struct group_shard *s)
{
	uint64_t next_ms = group_timers_next_ms(&s->timers);

	return next_ms < s->expire_at_ms ? next_ms : s->expire_at_ms;
}

void group_shard_counts(const struct group_shard *s, uint32_t ret[GROUP_STATES])
{
	memcpy(ret, s->count, sizeof(s->count));
}

void group_shard_members(const struct group_shard *s,
                         void (*each)(void *arg, struct str group, uint32_t members), void *arg)
{
	list_each(pos, &s->order)
	{
		const struct group *g = list_entry(pos, struct group, link);

		each(arg, g->id, (uint32_t)g->member_by_id.count);
	}
}

size_t group_shard_record_count(const struct group_shard *s)
{
	return s->record_count;
}

bool group_shard_has_transactions(const struct group_shard *s)
{
	return s->transactions.count;
}

/* ---- what a step says ---- */

void *step_answer_alloc(struct group_step *st, const struct message *m)
{
	void *response = arena_alloc(st->arena, m->size);

	message_defaults(m, response);
	return response;
}

/* An arena cannot grow an array in place: the old one stays behind until the arena is reset. */
static void *grow(struct arena *a, const void *array, size_t count, size_t *capacity, size_t size)
{
	void *larger;

	if (count < *capacity)
		return (void *)array;
	*capacity = *capacity ? *capacity * 2 : 4;
	larger = arena_array(a, *capacity, size);
	if (count)
		memcpy(larger, array, count * size);
	return larger;
}

void step_answer_to(struct group_step *st, void *token, enum group_event_type type, int16_t version,
                    const void *response)
{
	struct group_out *out = st->out;

	out->answer = grow(st->arena, out->answer, out->answer_count, &st->answer_capacity,
	                   sizeof(*out->answer));
	out->answer[out->answer_count++] = (struct group_answer){ token, type, version, response };
}

void step_answer(struct group_step *st, const void *response)
{
	step_answer_to(st, st->event->token, st->event->type, st->event->version, response);
}

void step_record(struct group_step *st, struct group_record record)
{
	struct group_out *out = st->out;

	out->record = grow(st->arena, out->record, out->record_count, &st->record_capacity,
	                   sizeof(*out->record));
	out->record[out->record_count++] = record;
}

void step_note(struct group_step *st, const char *format, ...)
{
	struct group_out *out = st->out;
	struct str line;
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	check(size >= 0);
	line = (struct str){ arena_alloc(st->arena, (size_t)size + 1), (uint32_t)size };
	va_start(args, format);
	vsnprintf((char *)line.data, (size_t)size + 1, format, args);
	va_end(args);
	out->note =
		grow(st->arena, out->note, out->note_count, &st->note_capacity, sizeof(*out->note));
	out->note[out->note_count++] = line;
}

struct span step_span(struct group_step *st, struct span bytes)
{
	uint8_t *copy = arena_alloc(st->arena, bytes.size);

	if (bytes.size)
		memcpy(copy, bytes.data, bytes.size);
	return (struct span){ copy, bytes.size };
}

static void tick(struct group_step *st)
{
	struct group_timer *t;

	st->out->atomic = false;
	while ((t = group_timers_pop(&st->s->timers, st->event->mono_ms)))
		group_on_timer(st, t);
	if (st->event->mono_ms >= st->s->expire_at_ms)
		group_expire(st);
}

void group_shard_step(struct group_shard *s, const struct group_event *event, struct arena *arena,
                      struct group_out *out)
{
	static void (*const on[])(struct group_step *) = {
		[GROUP_JOIN] = group_on_join,
		[GROUP_SYNC] = group_on_sync,
		[GROUP_HEARTBEAT] = group_on_heartbeat,
		[GROUP_LEAVE] = group_on_leave,
		[GROUP_OFFSET_COMMIT] = group_on_offset_commit,
		[GROUP_OFFSET_FETCH] = group_on_offset_fetch,
		[GROUP_OFFSET_DELETE] = group_on_offset_delete,
		[GROUP_DESCRIBE] = group_on_describe,
		[GROUP_LIST] = group_on_list,
		[GROUP_DELETE] = group_on_delete,
		[GROUP_TOPIC_DELETED] = group_on_topic_deleted,
		[GROUP_TICK] = tick,
	};
	struct group_step st = { .s = s, .event = event, .arena = arena, .out = out };

	check(arena->limit == SIZE_MAX);
	*out = (struct group_out){ .atomic = true };
	if (event->type == GROUP_DETACHED)
		group_detach(s, ((const struct group_detached *)event->request)->token);
	else
		on[event->type](&st);
}
