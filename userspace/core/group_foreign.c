/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

/*
 * Records of other kinds: those of the newer protocols, and any that a later Kafka adds.  They are
 * kept by their keys, so that they can be written again.  Of the kinds that are known to begin with
 * a group's id it is counted which group they make, because that is no group for classic members.
 */
static const struct foreign_kind {
	const char *type;
	bool is_member;
} kinds[] = {
	[3] = { "consumer", false },  [4] = { "consumer", false }, [5] = { "consumer", true },
	[6] = { "consumer", false },  [7] = { "consumer", false }, [8] = { "consumer", false },
	[10] = { "share", true },     [11] = { "share", false },   [12] = { "share", false },
	[13] = { "share", false },    [14] = { "share", false },   [15] = { "share", false },
	[16] = { "consumer", false }, [17] = { "streams", false }, [19] = { "streams", true },
	[20] = { "streams", false },  [21] = { "streams", false }, [22] = { "streams", false },
	[23] = { "streams", false },
};

struct group_foreign *group_foreign_find(const struct group_shard *s, struct str id)
{
	struct map_node *node;

	if (!s->foreign_by_id.count)
		return NULL;
	node = map_first(&s->foreign_by_id, hash_str(id));
	for (; node; node = map_next(node)) {
		struct group_foreign *f = container_of(node, struct group_foreign, node);

		if (str_eq((struct str){ f->id, f->id_size }, id))
			return f;
	}
	return NULL;
}

static struct group_foreign *foreign_at(struct group_shard *s, struct str id, const char *type)
{
	struct group_foreign *f = group_foreign_find(s, id);

	if (f)
		return f;
	f = mem_zalloc(sizeof(*f) + id.size);
	f->type = type;
	f->id_size = id.size;
	if (id.size)
		memcpy(f->id, id.data, id.size);
	map_insert(&s->foreign_by_id, &f->node, hash_str(id));
	list_push(&s->foreigners, &f->link);
	return f;
}

static void record_free(struct group_shard *s, struct group_foreign_record *record)
{
	struct group_foreign *f = record->group;

	map_remove(&s->foreign_by_key, &record->node);
	list_remove(&record->link);
	group_span_drop(&record->key);
	group_span_drop(&record->value);
	s->record_count--;
	if (f) {
		f->member_count -= record->is_member;
		f->record_count--;
	}
	mem_free(record);
	if (!f || f->record_count)
		return;
	map_remove(&s->foreign_by_id, &f->node);
	list_remove(&f->link);
	mem_free(f);
}

static struct group_foreign_record *record_find(const struct group_shard *s, struct span key)
{
	struct map_node *node = map_first(&s->foreign_by_key, hash_bytes(key.data, key.size));

	for (; node; node = map_next(node)) {
		struct group_foreign_record *record =
			container_of(node, struct group_foreign_record, node);

		if (record->key.size == key.size && !memcmp(record->key.data, key.data, key.size))
			return record;
	}
	return NULL;
}

static void count_in(struct group_shard *s, struct group_foreign_record *record, int16_t kind)
{
	struct reader r = reader_of(record->key.data, record->key.size);
	const uint8_t *id;
	int64_t size;

	(void)reader_i16(&r);
	size = reader_length(&r, false, 2);
	id = reader_take(&r, size < 0 ? SIZE_MAX : (size_t)size);
	if (!id || (size_t)kind >= array_count(kinds) || !kinds[kind].type)
		return;
	record->group =
		foreign_at(s, (struct str){ (const char *)id, (uint32_t)size }, kinds[kind].type);
	record->is_member = kinds[kind].is_member;
	record->group->record_count++;
	record->group->member_count += record->is_member;
}

void group_foreign_replay(struct group_shard *s, int16_t kind, struct span key, struct span value)
{
	struct group_foreign_record *record = record_find(s, key);

	if (!value.data) {
		if (record)
			record_free(s, record);
		return;
	}
	if (record) {
		group_span_drop(&record->value);
		record->value = group_span_own(value);
		return;
	}
	record = mem_zalloc(sizeof(*record));
	record->key = group_span_own(key);
	record->value = group_span_own(value);
	map_insert(&s->foreign_by_key, &record->node, hash_bytes(key.data, key.size));
	list_push(&s->foreign_records, &record->link);
	s->record_count++;
	count_in(s, record, kind);
}

void group_foreign_free_all(struct group_shard *s)
{
	list_each_safe(pos, tmp, &s->foreign_records)
		record_free(s, list_entry(pos, struct group_foreign_record, link));
	map_fini(&s->foreign_by_key);
	map_fini(&s->foreign_by_id);
}
