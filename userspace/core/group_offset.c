/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

/* What is committed, by group, topic and partition. */

struct group_topic_offsets *group_topic_find(const struct group *g, struct str topic)
{
	struct map_node *node = map_first(&g->topic_by_name, hash_str(topic));

	for (; node; node = map_next(node)) {
		struct group_topic_offsets *t =
			container_of(node, struct group_topic_offsets, node);

		if (str_eq((struct str){ t->name, t->name_size }, topic))
			return t;
	}
	return NULL;
}

static uint64_t offset_hash(const struct group_topic_offsets *topic, int32_t partition)
{
	/* Buckets are chosen by the low bits: those that a multiplication mixes best come there. */
	return (topic->node.hash ^ (uint32_t)partition) * 0x9e3779b97f4a7c15u >> 32;
}

struct group_offset *group_offset_find(const struct group *g,
                                       const struct group_topic_offsets *topic, int32_t partition)
{
	struct map_node *node =
		topic ? map_first(&g->offsets, offset_hash(topic, partition)) : NULL;

	for (; node; node = map_next(node)) {
		struct group_offset *o = container_of(node, struct group_offset, node);

		if (o->topic == topic && o->partition == partition)
			return o;
	}
	return NULL;
}

static struct group_topic_offsets *topic_at(struct group *g, struct str topic)
{
	struct group_topic_offsets *t = group_topic_find(g, topic);

	if (t)
		return t;
	t = mem_zalloc(sizeof(*t) + topic.size);
	t->group = g;
	t->name_size = topic.size;
	if (topic.size)
		memcpy(t->name, topic.data, topic.size);
	list_init(&t->offsets);
	list_push(&g->topics, &t->link);
	map_insert(&g->topic_by_name, &t->node, hash_str(topic));
	return t;
}

struct group_offset *group_offset_at(struct group *g, struct str topic, int32_t partition)
{
	struct group_topic_offsets *t = topic_at(g, topic);
	struct group_offset *o = group_offset_find(g, t, partition);

	if (o)
		return o;
	o = mem_zalloc(sizeof(*o));
	o->topic = t;
	o->partition = partition;
	list_init(&o->pending);
	list_push(&t->offsets, &o->link);
	map_insert(&g->offsets, &o->node, offset_hash(t, partition));
	return o;
}

void group_offset_set(struct group_offset *o, const struct group_offset_value *value)
{
	struct group_shard *s = o->topic->group->shard;
	struct str metadata = { NULL, 0 };

	if (value->metadata.size)
		metadata = group_str_own(value->metadata);
	group_str_drop(&o->value.metadata);
	o->value = *value;
	o->value.metadata = metadata;
	s->record_count += !o->is_committed;
	o->is_committed = true;
}

/* Also its topic, when this was the last one. */
static void offset_free(struct group_offset *o)
{
	struct group_topic_offsets *t = o->topic;
	struct group *g = t->group;

	while (!list_is_empty(&o->pending))
		group_pending_offset_free(
			list_entry(o->pending.next, struct group_pending_offset, link));
	g->shard->record_count -= o->is_committed;
	group_str_drop(&o->value.metadata);
	list_remove(&o->link);
	map_remove(&g->offsets, &o->node);
	mem_free(o);
	if (!list_is_empty(&t->offsets))
		return;
	list_remove(&t->link);
	map_remove(&g->topic_by_name, &t->node);
	mem_free(t);
}

void group_offset_remove(struct group_offset *o)
{
	offset_free(o);
}

void group_offset_lose(struct group_step *st, struct group_offset *o)
{
	struct str topic = { o->topic->name, o->topic->name_size };

	step_record(st,
	            group_offset_tombstone(st->arena, o->topic->group->id, topic, o->partition));
	offset_free(o);
}

void group_offsets_free(struct group *g)
{
	while (!list_is_empty(&g->topics)) {
		struct group_topic_offsets *t =
			list_entry(g->topics.next, struct group_topic_offsets, link);

		offset_free(list_entry(t->offsets.next, struct group_offset, link));
	}
}

/* ---- transactions that are open ---- */

static uint64_t producer_hash(int64_t producer_id)
{
	return hash_bytes(&producer_id, sizeof(producer_id));
}

static struct group_transaction *transaction_find(const struct group_shard *s, int64_t producer_id)
{
	struct map_node *node = map_first(&s->transactions, producer_hash(producer_id));

	for (; node; node = map_next(node)) {
		struct group_transaction *txn = container_of(node, struct group_transaction, node);

		if (txn->producer_id == producer_id)
			return txn;
	}
	return NULL;
}

void group_pending_offset_free(struct group_pending_offset *p)
{
	struct group_transaction *txn = p->txn;

	list_remove(&p->link);
	list_remove(&p->of_txn);
	group_str_drop(&p->value.metadata);
	mem_free(p);
	if (!list_is_empty(&txn->offsets))
		return;
	map_remove(&txn->shard->transactions, &txn->node);
	mem_free(txn);
}

/* A producer has at most one pending value for a partition: its last. */
void group_transaction_add(struct group_shard *s, struct group_offset *o, int64_t producer_id,
                           const struct group_offset_value *value)
{
	struct group_transaction *txn = transaction_find(s, producer_id);
	struct group_pending_offset *p = mem_zalloc(sizeof(*p));

	if (!txn) {
		txn = mem_zalloc(sizeof(*txn));
		txn->shard = s;
		txn->producer_id = producer_id;
		list_init(&txn->offsets);
		map_insert(&s->transactions, &txn->node, producer_hash(producer_id));
	}
	p->offset = o;
	p->txn = txn;
	p->value = *value;
	p->value.metadata = group_str_own(value->metadata);
	list_push(&txn->offsets, &p->of_txn);
	list_each_safe(pos, tmp, &o->pending)
	{
		struct group_pending_offset *old =
			list_entry(pos, struct group_pending_offset, link);

		if (old->txn == txn)
			group_pending_offset_free(old);
	}
	list_push(&o->pending, &p->link);
}

/* An offset that was committed later than this one stays. */
static void transaction_commit(const struct group_pending_offset *p)
{
	struct group_offset *o = p->offset;

	if (!o->is_committed || p->value.serial > o->value.serial)
		group_offset_set(o, &p->value);
}

void group_shard_replay_marker(struct group_shard *s, int64_t producer_id, bool commit)
{
	struct group_transaction *txn = transaction_find(s, producer_id);

	for (size_t left = !!txn; left;) {
		struct group_pending_offset *p =
			list_entry(txn->offsets.next, struct group_pending_offset, of_txn);
		struct group_offset *o = p->offset;

		left = p->of_txn.next != &txn->offsets; /* the transaction goes with its last */
		if (commit)
			transaction_commit(p);
		group_pending_offset_free(p);
		if (!o->is_committed && list_is_empty(&o->pending))
			offset_free(o);
	}
}
