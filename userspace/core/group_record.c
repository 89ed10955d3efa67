/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

#include "wire/group_records.h"

/*
 * Records of __consumer_offsets: an i16 and a message, in the key as in the value.  Of the key the
 * number is the kind of record, of the value the version of the message.
 *
 *	kind 1	key group, topic, partition	value OffsetCommitValue: version 4, or version 1
 *						where the client said how long to keep it
 *	kind 2	key group			value GroupMetadataValue, version 3
 */
enum {
	KEY_VERSION = 0,
	GROUP_VALUE_VERSION = 3,
	OFFSET_VALUE_VERSION = 4,
	OFFSET_VALUE_VERSION_EXPIRING = 1,
};

/* A record is made where it stays; it has no more than FIXED_MAX bytes beside its strings. */
enum { FIXED_MAX = 64 };

struct encoding {
	struct arena *arena;
	size_t bytes_max;
};

static struct span encode(struct encoding e, int16_t number, const struct message *m,
                          int16_t version, const void *body)
{
	struct buf buf = { .data = arena_alloc(e.arena, e.bytes_max), .capacity = e.bytes_max };
	struct writer w = writer_of(&buf);
	const uint8_t *room = buf.data;

	writer_i16(&w, number);
	message_encode(m, version, &w, body);
	check(buf.data == room);
	return (struct span){ buf.data, buf.size };
}

/* Each with its header at its longest (AbstractRecords.estimateSizeInBytes). */
bool group_records_fit(const struct group_shard *s, const struct group_record *record, size_t count)
{
	enum { BATCH_HEADER = 61, RECORD_HEADER_MAX = 21, LENGTHS_MAX = 10 };
	size_t bytes = BATCH_HEADER;

	for (size_t i = 0; i < count; i++)
		bytes +=
			RECORD_HEADER_MAX + LENGTHS_MAX + record[i].key.size + record[i].value.size;
	return s->options.batch_bytes_max <= 0 || bytes <= (size_t)s->options.batch_bytes_max;
}

static struct span group_key(struct arena *a, const struct group *g)
{
	struct encoding e = { a, FIXED_MAX + g->id.size };
	struct group_metadata_key key = { .group = g->id };

	return encode(e, GROUP_KIND_GROUP, &group_metadata_key_message, KEY_VERSION, &key);
}

struct group_record group_record_tombstone(struct arena *a, const struct group *g)
{
	return (struct group_record){ .key = group_key(a, g) };
}

static struct span group_value(struct arena *a, const struct group_metadata_value *value)
{
	struct encoding e = { a, FIXED_MAX + value->protocol_type.size + value->protocol.size +
		                         value->leader.size };

	for (uint32_t i = 0; i < value->members_count; i++) {
		const struct group_metadata_value_member_metadata *m = &value->members[i];

		e.bytes_max += FIXED_MAX + m->member_id.size + m->group_instance_id.size +
		               m->client_id.size + m->client_host.size + m->subscription.size +
		               m->assignment.size;
	}
	return encode(e, GROUP_VALUE_VERSION, &group_metadata_value_message, GROUP_VALUE_VERSION,
	              value);
}

struct group_record group_record_empty(struct arena *a, const struct group *g)
{
	struct group_metadata_value value;

	group_metadata_value_init(&value);
	value.protocol = value.leader = (struct str){ NULL, 0 };
	value.current_state_timestamp = g->state_since_ms;
	return (struct group_record){ group_key(a, g), group_value(a, &value) };
}

struct group_record group_record_of(struct arena *a, const struct group *g, bool offered)
{
	struct group_metadata_value value;

	group_metadata_value_init(&value);
	if (g->protocol_type.data)
		value.protocol_type = g->protocol_type;
	value.generation = g->generation;
	value.protocol = g->protocol_name;
	value.leader = g->leader ? g->leader->id : (struct str){ NULL, 0 };
	value.current_state_timestamp = g->state_since_ms;
	value.members = arena_array(a, g->member_by_id.count, sizeof(*value.members));
	list_each(pos, &g->members)
	{
		const struct group_member *m = group_member_at(pos);

		value.members[value.members_count++] =
			(struct group_metadata_value_member_metadata){
				.member_id = m->id,
				.group_instance_id = m->instance_id,
				.client_id = m->client_id,
				.client_host = m->client_host,
				.rebalance_timeout = m->rebalance_ms,
				.session_timeout = m->session_ms,
				.subscription = group_member_metadata(m, g->protocol_name),
				.assignment = offered ? m->offered : m->assignment,
			};
	}
	return (struct group_record){ group_key(a, g), group_value(a, &value) };
}

static struct span offset_key(struct arena *a, struct str group, struct str topic,
                              int32_t partition)
{
	struct encoding e = { a, FIXED_MAX + group.size + topic.size };
	struct offset_commit_key key = { group, topic, partition };

	return encode(e, GROUP_KIND_OFFSET, &offset_commit_key_message, KEY_VERSION, &key);
}

struct group_record group_offset_tombstone(struct arena *a, struct str group, struct str topic,
                                           int32_t partition)
{
	return (struct group_record){ .key = offset_key(a, group, topic, partition) };
}

struct group_record group_offset_record(struct arena *a, struct str group, struct str topic,
                                        int32_t partition, const struct group_offset_value *value)
{
	int16_t version =
		value->expire_ms >= 0 ? OFFSET_VALUE_VERSION_EXPIRING : OFFSET_VALUE_VERSION;
	struct offset_commit_value body = {
		.offset = value->offset,
		.leader_epoch = value->leader_epoch,
		.metadata = value->metadata.data ? value->metadata : STR(""),
		.commit_timestamp = value->commit_ms,
		.expire_timestamp = value->expire_ms,
		.topic_id = value->topic_id,
	};

	return (struct group_record){
		offset_key(a, group, topic, partition),
		encode((struct encoding){ a, FIXED_MAX + body.metadata.size }, version,
		       &offset_commit_value_message, version, &body),
	};
}

/* ---- writing ---- */

void group_write(struct group_step *st, struct group *g, struct group_record record)
{
	step_record(st, record);
	group_stored_set(g, record.value);
}

void group_delete(struct group_step *st, struct group *g)
{
	while (!list_is_empty(&g->topics)) {
		struct group_topic_offsets *topic =
			list_entry(g->topics.next, struct group_topic_offsets, link);

		/* The topic goes with its last offset. */
		group_offset_lose(st, list_entry(topic->offsets.next, struct group_offset, link));
	}
	step_record(st, group_record_tombstone(st->arena, g));
	group_free(g);
}

/* ---- the whole of it ---- */

static void snapshot_offsets(const struct group *g, struct arena *arena,
                             void (*on_record)(void *arg, const struct group_record *record),
                             void *arg)
{
	list_each(topic, &g->topics)
	{
		const struct group_topic_offsets *t =
			list_entry(topic, struct group_topic_offsets, link);
		struct str name = { t->name, t->name_size };

		list_each(pos, &t->offsets)
		{
			const struct group_offset *o = list_entry(pos, struct group_offset, link);
			struct group_record record;

			if (!o->is_committed)
				continue;
			record = group_offset_record(arena, g->id, name, o->partition, &o->value);
			on_record(arg, &record);
			arena_reset(arena);
		}
	}
}

void group_shard_snapshot(const struct group_shard *s,
                          void (*on_record)(void *arg, const struct group_record *record),
                          void *arg)
{
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	list_each(pos, &s->foreign_records)
	{
		const struct group_foreign_record *f =
			list_entry(pos, struct group_foreign_record, link);
		struct group_record record = { f->key, f->value };

		on_record(arg, &record);
	}
	list_each(pos, &s->order)
	{
		const struct group *g = list_entry(pos, struct group, link);

		if (g->stored.data) {
			struct group_record record = { group_key(&arena, g), g->stored };

			on_record(arg, &record);
		}
		snapshot_offsets(g, &arena, on_record, arg);
		arena_reset(&arena);
	}
	arena_fini(&arena);
}

void group_shard_offsets(const struct group_shard *s,
                         void (*each)(void *arg, struct str group, struct str topic,
                                      int32_t partition, int64_t offset),
                         void *arg)
{
	list_each(pos, &s->order)
	{
		const struct group *g = list_entry(pos, struct group, link);

		list_each(topic, &g->topics)
		{
			const struct group_topic_offsets *t =
				list_entry(topic, struct group_topic_offsets, link);
			struct str name = { t->name, t->name_size };

			list_each(at, &t->offsets)
			{
				const struct group_offset *o =
					list_entry(at, struct group_offset, link);

				if (o->is_committed)
					each(arg, g->id, name, o->partition, o->value.offset);
			}
		}
	}
}
