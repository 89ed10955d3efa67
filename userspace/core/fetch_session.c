/* SPDX-License-Identifier: Apache-2.0 */
#include "core/fetch_session.h"

#include "base/mem.h"
#include "wire/errors.h"

void fetch_sessions_init(struct fetch_sessions *s, size_t count_max,
                         void (*forget)(void *arg, struct fetch_partition *part), void *arg)
{
	*s = (struct fetch_sessions){ .count_max = count_max, .forget = forget, .arg = arg };
	list_init(&s->lru);
}

void fetch_sessions_fini(struct fetch_sessions *s)
{
	list_each_safe(pos, tmp, &s->lru)
		fetch_session_free(s, list_entry(pos, struct fetch_session, lru));
	map_fini(&s->map);
}

static uint64_t partition_hash(struct uuid topic_id, struct str topic, int32_t partition)
{
	uint64_t hash = topic.size ? hash_str(topic) : hash_bytes(&topic_id, sizeof(topic_id));

	return hash ^ ((uint64_t)(uint32_t)partition * 0x9e3779b97f4a7c15u);
}

static struct fetch_partition *find(const struct fetch_session *session, struct uuid topic_id,
                                    struct str topic, int32_t partition)
{
	struct map_node *node =
		map_first(&session->partitions, partition_hash(topic_id, topic, partition));

	for (; node; node = map_next(node)) {
		struct fetch_partition *part = container_of(node, struct fetch_partition, node);

		if (part->partition == partition && uuid_eq(part->topic_id, topic_id) &&
		    str_eq(str_of(part->topic), topic))
			return part;
	}
	return NULL;
}

static void drop(struct fetch_sessions *s, struct fetch_partition *part)
{
	s->forget(s->arg, part);
	map_remove(&part->session->partitions, &part->node);
	list_remove(&part->link);
	mem_free(part->topic);
	mem_free(part);
}

void fetch_session_free(struct fetch_sessions *s, struct fetch_session *session)
{
	list_each_safe(pos, tmp, &session->order)
		drop(s, list_entry(pos, struct fetch_partition, link));
	map_fini(&session->partitions);
	map_remove(&s->map, &session->node);
	list_remove(&session->lru);
	mem_free(session);
}

static bool may_evict(const struct fetch_session *old, size_t partition_count, uint64_t now_ms)
{
	if (old->in_use)
		return false;
	if (now_ms - old->used_ms > FETCH_SESSION_EVICT_MS)
		return true;
	return now_ms - old->created_ms > FETCH_SESSION_EVICT_MS &&
	       old->partitions.count < partition_count;
}

static bool make_room(struct fetch_sessions *s, size_t partition_count, uint64_t now_ms)
{
	if (s->map.count < s->count_max)
		return true;
	list_each(pos, &s->lru)
	{
		struct fetch_session *old = list_entry(pos, struct fetch_session, lru);

		if (!may_evict(old, partition_count, now_ms))
			continue;
		fetch_session_free(s, old);
		s->evicted_count++;
		return true;
	}
	return false;
}

struct fetch_session *fetch_session_new(struct fetch_sessions *s, int32_t id, bool uses_topic_ids,
                                        size_t partition_count, uint64_t now_ms)
{
	struct fetch_session *session;

	check(id != FETCH_SESSION_NONE);
	if (!make_room(s, partition_count, now_ms))
		return NULL;
	session = mem_zalloc(sizeof(*session));
	session->id = id;
	session->epoch = 1;
	session->uses_topic_ids = uses_topic_ids;
	session->created_ms = now_ms;
	session->used_ms = now_ms;
	list_init(&session->order);
	map_insert(&s->map, &session->node, (uint32_t)id);
	list_push(&s->lru, &session->lru);
	return session;
}

struct fetch_session *fetch_session_find(const struct fetch_sessions *s, int32_t id)
{
	struct map_node *node = map_first(&s->map, (uint32_t)id);

	return node ? container_of(node, struct fetch_session, node) : NULL;
}

int16_t fetch_session_begin(struct fetch_sessions *s, struct fetch_session *session, int32_t epoch,
                            bool uses_topic_ids, uint64_t now_ms)
{
	if (session->epoch != epoch)
		return WIRE_INVALID_FETCH_SESSION_EPOCH;
	if (session->uses_topic_ids != uses_topic_ids)
		return WIRE_FETCH_SESSION_TOPIC_ID_ERROR;
	session->epoch = epoch == INT32_MAX ? 1 : epoch + 1;
	session->used_ms = now_ms;
	list_remove(&session->lru);
	list_push(&s->lru, &session->lru);
	return WIRE_NONE;
}

struct fetch_partition *fetch_session_want(struct fetch_session *session,
                                           const struct fetch_want *want, bool *added)
{
	struct fetch_partition *part = find(session, want->topic_id, want->topic, want->partition);

	*added = !part;
	if (!part) {
		part = mem_zalloc(sizeof(*part));
		part->session = session;
		part->topic_id = want->topic_id;
		part->topic = want->topic.data ? str_dup(want->topic) : NULL;
		part->partition = want->partition;
		part->high_watermark = -1;
		part->log_start_offset = -1;
		map_insert(&session->partitions, &part->node,
		           partition_hash(want->topic_id, want->topic, want->partition));
		list_push(&session->order, &part->link);
	}
	part->max_bytes = want->max_bytes;
	part->current_leader_epoch = want->current_leader_epoch;
	part->last_fetched_epoch = want->last_fetched_epoch;
	part->fetch_offset = want->fetch_offset;
	part->follower_log_start_offset = want->follower_log_start_offset;
	return part;
}

void fetch_session_forget(struct fetch_sessions *s, struct fetch_session *session,
                          struct uuid topic_id, struct str topic, int32_t partition)
{
	struct fetch_partition *part = find(session, topic_id, topic, partition);

	if (part)
		drop(s, part);
}

bool fetch_partition_tell(struct fetch_partition *part, int16_t error, int64_t high_watermark,
                          int64_t log_start_offset, bool has_records, bool diverged)
{
	bool tell = has_records || diverged || error || part->high_watermark != high_watermark ||
	            part->log_start_offset != log_start_offset;

	part->high_watermark = error ? -1 : high_watermark; /* an error is told until it ends */
	part->log_start_offset = log_start_offset;
	if (has_records) {
		list_remove(&part->link);
		list_push(&part->session->order, &part->link);
	}
	return tell;
}
