/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

/* ---- finding ---- */

struct group_member *group_member_find(const struct group *g, struct str id)
{
	struct map_node *node = map_first(&g->member_by_id, hash_str(id));

	for (; node; node = map_next(node)) {
		struct group_member *m = container_of(node, struct group_member, by_id);

		if (str_eq(m->id, id))
			return m;
	}
	return NULL;
}

struct group_member *group_member_of_instance(const struct group *g, struct str instance_id)
{
	struct map_node *node = map_first(&g->member_by_instance, hash_str(instance_id));

	for (; node; node = map_next(node)) {
		struct group_member *m = container_of(node, struct group_member, by_instance);

		if (str_eq(m->instance_id, instance_id))
			return m;
	}
	return NULL;
}

int16_t group_member_check(const struct group *g, struct str id, struct str instance_id,
                           struct group_member **ret)
{
	struct group_member *m = instance_id.data ? group_member_of_instance(g, instance_id)
	                                          : group_member_find(g, id);

	if (!m)
		return WIRE_UNKNOWN_MEMBER_ID;
	if (!str_eq(m->id, id))
		return WIRE_FENCED_INSTANCE_ID;
	*ret = m;
	return WIRE_NONE;
}

/* ---- protocols: a group can use one that each of its members supports ---- */

static struct group_support *support_find(const struct group *g, struct str name)
{
	struct map_node *node = map_first(&g->support, hash_str(name));

	for (; node; node = map_next(node)) {
		struct group_support *support = container_of(node, struct group_support, node);

		if (str_eq((struct str){ support->name, support->name_size }, name))
			return support;
	}
	return NULL;
}

static struct group_support *support_at(struct group *g, struct str name)
{
	struct group_support *support = support_find(g, name);

	if (support)
		return support;
	support = mem_zalloc(sizeof(*support) + name.size);
	support->name_size = name.size;
	if (name.size)
		memcpy(support->name, name.data, name.size);
	map_insert(&g->support, &support->node, hash_str(name));
	return support;
}

/*
 * Copies what is offered, each name once, and counts it as supported.  All of it is one allocation:
 * the protocols, then the bytes that they point to.
 */
static void protocols_take(struct group_member *m, const struct group_new_member *info)
{
	struct group *g = m->group;
	uint64_t serial = ++g->shard->serial;
	size_t bytes = (size_t)info->protocol_count * sizeof(*m->protocol);
	uint8_t *to;

	for (uint32_t i = 0; i < info->protocol_count; i++)
		bytes += info->protocol[i].name.size + info->protocol[i].metadata.size;
	m->protocol = mem_alloc(bytes);
	m->protocol_count = 0;
	to = (uint8_t *)(m->protocol + info->protocol_count);
	for (uint32_t i = 0; i < info->protocol_count; i++) {
		struct str name = info->protocol[i].name;
		struct span metadata = info->protocol[i].metadata;
		struct group_support *support = support_at(g, name);

		if (support->serial == serial)
			continue;
		support->serial = serial;
		support->count++;
		m->protocol[m->protocol_count++] = (struct group_protocol){
			.name = { (char *)to, name.size },
			.metadata = { to + name.size, metadata.size },
		};
		if (name.size)
			memcpy(to, name.data, name.size);
		if (metadata.size)
			memcpy(to + name.size, metadata.data, metadata.size);
		to += name.size + metadata.size;
	}
}

static void protocols_drop(struct group_member *m)
{
	for (uint32_t i = 0; i < m->protocol_count; i++) {
		struct group_support *support = support_find(m->group, m->protocol[i].name);

		if (--support->count)
			continue;
		map_remove(&m->group->support, &support->node);
		mem_free(support);
	}
	mem_free(m->protocol);
	m->protocol = NULL;
	m->protocol_count = 0;
}

bool group_supports(const struct group *g, const struct join_group_request *request)
{
	if (g->state == GROUP_EMPTY)
		return request->protocol_type.size && request->protocols_count;
	if (!g->protocol_type.data || !str_eq(g->protocol_type, request->protocol_type))
		return false;
	for (uint32_t i = 0; i < request->protocols_count; i++) {
		struct group_support *support = support_find(g, request->protocols[i].name);

		if ((support ? support->count : 0) == g->member_by_id.count)
			return true;
	}
	return false;
}

/* Each member votes for the first of its protocols that all support. */
static struct group_support *vote_of(const struct group_member *m)
{
	for (uint32_t i = 0; i < m->protocol_count; i++) {
		struct group_support *support = support_find(m->group, m->protocol[i].name);

		if (support->count == m->group->member_by_id.count)
			return support;
	}
	return NULL;
}

/* Of two with as many votes it is the one that the longer-standing member prefers. */
struct str group_protocol_vote(const struct group *g)
{
	const struct group_support *best = NULL;
	uint64_t serial = ++g->shard->serial;

	list_each(pos, &g->members)
	{
		struct group_support *support = vote_of(group_member_at(pos));

		check(support);
		if (support->serial != serial) {
			support->serial = serial;
			support->votes = 0;
		}
		support->votes++;
	}
	list_each(pos, &g->members)
	{
		const struct group_support *support = vote_of(group_member_at(pos));

		if (!best || support->votes > best->votes)
			best = support;
	}
	check(best);
	return (struct str){ best->name, best->name_size };
}

struct span group_member_metadata(const struct group_member *m, struct str protocol)
{
	for (uint32_t i = 0; i < m->protocol_count; i++)
		if (str_eq(m->protocol[i].name, protocol))
			return m->protocol[i].metadata;
	return (struct span){ NULL, 0 };
}

bool group_member_matches(const struct group_member *m, const struct join_group_request *request)
{
	if (m->protocol_count != request->protocols_count)
		return false;
	for (uint32_t i = 0; i < m->protocol_count; i++) {
		struct span mine = m->protocol[i].metadata;
		struct span theirs = request->protocols[i].metadata;

		if (!str_eq(m->protocol[i].name, request->protocols[i].name) ||
		    mine.size != theirs.size ||
		    (mine.size && memcmp(mine.data, theirs.data, mine.size)))
			return false;
	}
	return true;
}

int32_t group_rebalance_ms(const struct group *g)
{
	int32_t longest_ms = 0;

	list_each(pos, &g->members) if (group_member_at(pos)->rebalance_ms > longest_ms)
		longest_ms = group_member_at(pos)->rebalance_ms;
	return longest_ms;
}

/* ---- coming and going ---- */

void group_must_sync_set(struct group_member *m, bool must_sync)
{
	m->group->must_sync_count += (uint32_t)must_sync - (uint32_t)m->must_sync;
	m->must_sync = must_sync;
}

struct group_member *group_member_add(struct group *g, const struct group_new_member *info)
{
	struct group_member *m = mem_zalloc(sizeof(*m));

	m->group = g;
	m->id = group_str_own(info->id);
	m->instance_id = group_str_own(info->instance_id);
	m->client_id = group_str_own(info->client_id);
	m->client_host = group_str_own(info->client_host);
	m->rebalance_ms = info->rebalance_ms;
	m->session_ms = info->session_ms;
	m->session.kind = GROUP_TIMER_SESSION;
	protocols_take(m, info);
	if (list_is_empty(&g->members))
		group_str_set(&g->protocol_type, info->protocol_type);
	if (!g->leader)
		g->leader = m;
	list_push(&g->members, &m->link);
	map_insert(&g->member_by_id, &m->by_id, hash_str(m->id));
	if (m->instance_id.data)
		map_insert(&g->member_by_instance, &m->by_instance, hash_str(m->instance_id));
	return m;
}

void group_member_update(struct group_member *m, const struct group_new_member *info)
{
	protocols_drop(m);
	protocols_take(m, info);
	m->rebalance_ms = info->rebalance_ms;
	m->session_ms = info->session_ms;
}

void group_member_rename(struct group_member *m, struct str id)
{
	map_remove(&m->group->member_by_id, &m->by_id);
	group_str_set(&m->id, id);
	map_insert(&m->group->member_by_id, &m->by_id, hash_str(m->id));
}

void group_member_remove(struct group_member *m)
{
	struct group *g = m->group;

	check(!m->join.waits && !m->sync.waits);
	group_must_sync_set(m, false);
	group_timer_stop(&g->shard->timers, &m->session);
	protocols_drop(m);
	list_remove(&m->link);
	map_remove(&g->member_by_id, &m->by_id);
	if (m->instance_id.data)
		map_remove(&g->member_by_instance, &m->by_instance);
	if (g->leader == m)
		g->leader = list_is_empty(&g->members) ? NULL : group_member_at(g->members.next);
	group_str_drop(&m->id);
	group_str_drop(&m->instance_id);
	group_str_drop(&m->client_id);
	group_str_drop(&m->client_host);
	group_span_drop(&m->assignment);
	mem_free(m);
}

void group_member_assign(struct group_member *m, struct span assignment)
{
	struct span copy = group_span_own(assignment);

	group_span_drop(&m->assignment);
	m->assignment = copy;
}

/* ---- ids that were given out ---- */

struct group_pending *group_pending_find(const struct group *g, struct str id)
{
	struct map_node *node = map_first(&g->pending_by_id, hash_str(id));

	for (; node; node = map_next(node)) {
		struct group_pending *p = container_of(node, struct group_pending, node);

		if (str_eq((struct str){ p->id, p->id_size }, id))
			return p;
	}
	return NULL;
}

struct group_pending *group_pending_add(struct group *g, struct str id)
{
	struct group_pending *p = mem_zalloc(sizeof(*p) + id.size);

	p->group = g;
	p->timer.kind = GROUP_TIMER_PENDING;
	p->id_size = id.size;
	memcpy(p->id, id.data, id.size);
	list_push(&g->pending, &p->link);
	map_insert(&g->pending_by_id, &p->node, hash_str(id));
	return p;
}

void group_pending_remove(struct group_pending *p)
{
	group_timer_stop(&p->group->shard->timers, &p->timer);
	list_remove(&p->link);
	map_remove(&p->group->pending_by_id, &p->node);
	mem_free(p);
}
