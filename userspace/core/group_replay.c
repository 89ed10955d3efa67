/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

#include <errno.h>

#include "wire/group_records.h"

/* Records of older versions, and of kinds that are not known here, are taken as they come. */

static int decode(const struct message *m, struct span value, struct arena *arena, void *ret)
{
	struct reader r = reader_of(value.data, value.size);
	int16_t version = reader_i16(&r);

	if (r.err || version < m->min || version > m->max)
		return -EBADMSG;
	return message_decode(m, version, &r, arena, ret) ? -EBADMSG : 0;
}

static int decode_key(const struct message *m, struct span key, struct arena *arena, void *ret)
{
	struct reader r = reader_of(key.data, key.size);

	(void)reader_i16(&r); /* the kind */
	return message_decode(m, 0, &r, arena, ret) ? -EBADMSG : 0;
}

/* ---- groups ---- */

static bool is_sane(const struct group_metadata_value *v)
{
	if (v->generation < 0)
		return false;
	return !v->members_count || (v->protocol_type.size && v->protocol.data);
}

static int add_member(struct group *g, const struct group_metadata_value *v,
                      const struct group_metadata_value_member_metadata *member)
{
	struct join_group_request_request_protocol protocol = { v->protocol, member->subscription };
	struct group_new_member info = {
		.id = member->member_id,
		.instance_id = member->group_instance_id,
		.client_id = member->client_id,
		.client_host = member->client_host,
		.rebalance_ms = member->rebalance_timeout < 0 ? member->session_timeout
		                                              : member->rebalance_timeout,
		.session_ms = member->session_timeout,
		.protocol_type = v->protocol_type,
		.protocol = &protocol,
		.protocol_count = 1,
	};

	if (group_member_find(g, info.id) ||
	    (info.instance_id.data && group_member_of_instance(g, info.instance_id)))
		return -EBADMSG;
	group_member_assign(group_member_add(g, &info), member->assignment);
	return 0;
}

static int fill(struct group *g, const struct group_metadata_value *v)
{
	for (uint32_t i = 0; i < v->members_count; i++)
		if (add_member(g, v, &v->members[i]))
			return -EBADMSG;
	if (v->members_count) {
		g->leader = v->leader.data ? group_member_find(g, v->leader) : NULL;
		if (!g->leader)
			return -EBADMSG;
		group_state_set(g, GROUP_STABLE, v->current_state_timestamp);
	}
	g->generation = v->generation;
	g->state_since_ms = v->current_state_timestamp;
	if (v->protocol_type.size)
		group_str_set(&g->protocol_type, v->protocol_type);
	group_str_set(&g->protocol_name, v->protocol);
	group_topics_set(g);
	return 0;
}

static int replay_group(struct group_shard *s, struct span key, struct span value,
                        struct arena *arena)
{
	struct group_metadata_value v;
	struct group_metadata_key k;
	struct group *g;

	if (decode_key(&group_metadata_key_message, key, arena, &k))
		return -EBADMSG;
	g = group_find(s, k.group);
	if (!value.data) {
		if (g && g->topic_by_name.count)
			group_reset(g, -1); /* whose offsets were not deleted with it */
		else if (g)
			group_free(g);
		return 0;
	}
	if (decode(&group_metadata_value_message, value, arena, &v) || !is_sane(&v))
		return -EBADMSG;
	if (g)
		group_reset(g, -1);
	else
		g = group_new(s, k.group, -1);
	if (fill(g, &v)) {
		group_reset(g, -1);
		if (!g->topic_by_name.count)
			group_free(g);
		return -EBADMSG;
	}
	group_stored_set(g, value);
	return 0;
}

/* ---- offsets ---- */

static int decode_offset(int16_t kind, struct span value, struct arena *arena,
                         struct group_offset_value *ret)
{
	struct legacy_offset_commit_value legacy;
	struct offset_commit_value v;

	offset_commit_value_init(&v);
	if (kind == GROUP_KIND_LEGACY_OFFSET) {
		if (decode(&legacy_offset_commit_value_message, value, arena, &legacy))
			return -EBADMSG;
		v.offset = legacy.offset;
		v.metadata = legacy.metadata;
		v.commit_timestamp = legacy.commit_timestamp;
	} else if (decode(&offset_commit_value_message, value, arena, &v)) {
		return -EBADMSG;
	}
	if (v.expire_timestamp < -1)
		v.expire_timestamp = 0;
	*ret = (struct group_offset_value){
		.offset = v.offset,
		.commit_ms = v.commit_timestamp,
		.expire_ms = v.expire_timestamp,
		.leader_epoch = v.leader_epoch,
		.topic_id = v.topic_id,
		.metadata = v.metadata,
	};
	return 0;
}

static int replay_offset(struct group_shard *s, int16_t kind, struct span key, struct span value,
                         int64_t producer_id)
{
	struct group_offset_value v;
	struct offset_commit_key k;
	struct group_offset *o;
	struct arena arena;
	struct group *g;
	int err;

	/* The legacy key has the same fields. */
	arena_init(&arena, SIZE_MAX);
	err = decode_key(&offset_commit_key_message, key, &arena, &k);
	if (!err && value.data)
		err = decode_offset(kind, value, &arena, &v);
	arena_fini(&arena);
	if (err)
		return err;
	g = group_find(s, k.group);
	if (!value.data) {
		o = g ? group_offset_find(g, group_topic_find(g, k.topic), k.partition) : NULL;
		if (o)
			group_offset_remove(o);
		return 0;
	}
	if (!g)
		g = group_new(s, k.group, -1);
	o = group_offset_at(g, k.topic, k.partition);
	v.serial = ++s->serial;
	if (producer_id == GROUP_NO_PRODUCER)
		group_offset_set(o, &v);
	else
		group_transaction_add(s, o, producer_id, &v);
	return 0;
}

int group_shard_replay(struct group_shard *s, const struct group_record *record,
                       int64_t producer_id)
{
	struct span key = record->key, value = record->value;
	struct reader r = reader_of(key.data, key.size);
	int16_t kind = reader_i16(&r);
	struct arena arena;
	int err;

	if (r.err || kind < 0)
		return -EBADMSG;
	switch (kind) {
	case GROUP_KIND_LEGACY_OFFSET:
	case GROUP_KIND_OFFSET:
		return replay_offset(s, kind, key, value, producer_id);
	case GROUP_KIND_GROUP:
		arena_init(&arena, SIZE_MAX);
		err = replay_group(s, key, value, &arena);
		arena_fini(&arena);
		return err;
	default:
		group_foreign_replay(s, kind, key, value);
		return 0;
	}
}

void group_shard_loaded(struct group_shard *s, uint64_t mono_ms, int64_t wall_ms)
{
	struct group_event event = { .type = GROUP_TICK, .mono_ms = mono_ms, .wall_ms = wall_ms };
	struct group_out out = { 0 };
	struct group_step st = { .s = s, .event = &event, .out = &out };
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	st.arena = &arena;
	list_each(pos, &s->order)
	{
		struct group *g = list_entry(pos, struct group, link);

		list_each(m, &g->members) group_session_begin(&st, group_member_at(m),
		                                              group_member_at(m)->session_ms);
		/* group.max.size was lowered: who comes last has to go, after committing. */
		if (g->member_by_id.count > (uint32_t)s->options.size_max)
			group_prepare(&st, g, "loaded with more members than group.max.size",
			              g->id);
	}
	check(!out.answer_count && !out.record_count); /* nobody waits, and members are left */
	s->expire_at_ms = mono_ms + (uint64_t)s->options.retention_check_ms;
	s->seen_mono_ms = mono_ms;
	s->seen_wall_ms = wall_ms;
	arena_fini(&arena);
}
