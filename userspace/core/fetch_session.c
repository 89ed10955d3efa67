/* SPDX-License-Identifier: Apache-2.0 */
#include "core/fetch_session.h"

#include "base/mem.h"
#include "wire/errors.h"

void fetch_sessions_init(struct fetch_sessions *s, size_t count_max, size_t partition_count_max)
{
	*s = (struct fetch_sessions){
		.count_max = count_max,
		.partition_count_max = partition_count_max,
	};
	list_init(&s->lru);
}

/* ---- partitions ---- */

static uint64_t partition_hash(const struct fetch_session *session, struct uuid topic_id,
                               struct str topic, int32_t partition)
{
	uint64_t both[2] = {
		session->uses_topic_ids ? hash_bytes(&topic_id, sizeof(topic_id)) : hash_str(topic),
		(uint32_t)partition,
	};

	return hash_bytes(both, sizeof(both));
}

static struct fetch_partition *find(const struct fetch_session *session, struct uuid topic_id,
                                    struct str topic, int32_t partition)
{
	uint64_t hash = partition_hash(session, topic_id, topic, partition);
	struct map_node *node = map_first(&session->partitions, hash);

	for (; node; node = map_next(node)) {
		struct fetch_partition *part = container_of(node, struct fetch_partition, node);

		if (part->partition != partition)
			continue;
		/* The name of an id is only remembered: it says nothing about which one is meant.
		 */
		if (session->uses_topic_ids ? uuid_eq(part->topic_id, topic_id)
		                            : str_eq(str_of(part->topic), topic))
			return part;
	}
	return NULL;
}

static void drop(struct fetch_sessions *s, struct fetch_partition *part)
{
	s->forget(s->arg, part);
	s->partition_count--;
	map_remove(&part->session->partitions, &part->node);
	list_remove(&part->link);
	list_remove(&part->ready);
	mem_free(part->topic);
	mem_free(part);
}

static struct fetch_partition *add(struct fetch_session *session, const struct fetch_want *want)
{
	struct fetch_partition *part;

	if (session->sessions->partition_count >= session->sessions->partition_count_max)
		return NULL;
	session->sessions->partition_count++;
	part = mem_zalloc(sizeof(*part));
	part->session = session;
	part->topic_id = want->topic_id;
	part->topic = want->topic.data ? str_dup(want->topic) : NULL;
	part->partition = want->partition;
	part->high_watermark = -1;
	part->log_start_offset = -1;
	list_init(&part->ready);
	list_push(&session->all, &part->link);
	map_insert(&session->partitions, &part->node,
	           partition_hash(session, want->topic_id, want->topic, want->partition));
	return part;
}

struct fetch_partition *fetch_session_want(struct fetch_session *session,
                                           const struct fetch_want *want)
{
	struct fetch_partition *part = find(session, want->topic_id, want->topic, want->partition);

	if (!part)
		part = add(session, want);
	if (!part)
		return NULL;
	part->max_bytes = want->max_bytes;
	part->current_leader_epoch = want->current_leader_epoch;
	part->last_fetched_epoch = want->last_fetched_epoch;
	part->fetch_offset = want->fetch_offset;
	part->follower_log_start_offset = want->follower_log_start_offset;
	fetch_partition_ready(part);
	return part;
}

void fetch_session_forget(struct fetch_sessions *s, struct fetch_session *session,
                          struct uuid topic_id, struct str topic, int32_t partition)
{
	struct fetch_partition *part = find(session, topic_id, topic, partition);

	if (part)
		drop(s, part);
}

void fetch_partition_ready(struct fetch_partition *part)
{
	if (list_is_empty(&part->ready))
		list_push(&part->session->ready, &part->ready);
}

bool fetch_partition_tell(struct fetch_partition *part, const struct fetch_outcome *o)
{
	bool tell = o->has_records || o->has_diverged || o->error ||
	            part->high_watermark != o->high_watermark ||
	            part->log_start_offset != o->log_start_offset;

	/* After an error the next outcome is told, whatever it is. */
	part->high_watermark = o->error ? -1 : o->high_watermark;
	part->log_start_offset = o->log_start_offset;
	if (!o->has_more || o->has_records)
		list_remove(&part->ready);
	if (o->has_more)
		fetch_partition_ready(part);
	return tell;
}

/* ---- sessions ---- */

static void free_session(struct fetch_sessions *s, struct fetch_session *session)
{
	list_each_safe(pos, tmp, &session->all)
		drop(s, list_entry(pos, struct fetch_partition, link));
	s->ended(s->arg, session);
	map_fini(&session->partitions);
	mem_free(session);
}

void fetch_session_close(struct fetch_sessions *s, struct fetch_session *session)
{
	map_remove(&s->map, &session->node);
	list_remove(&session->lru);
	session->is_closed = true;
	if (!session->in_use)
		free_session(s, session);
}

void fetch_sessions_fini(struct fetch_sessions *s)
{
	list_each_safe(pos, tmp, &s->lru)
		fetch_session_close(s, list_entry(pos, struct fetch_session, lru));
	map_fini(&s->map);
}

/* Of the old ones that are smaller than the new one, the smallest. */
static struct fetch_session *find_smaller(const struct fetch_sessions *s, size_t partition_count,
                                          uint64_t now_ms)
{
	struct fetch_session *found = NULL;

	list_each(pos, &s->lru)
	{
		struct fetch_session *old = list_entry(pos, struct fetch_session, lru);

		if (old->in_use || now_ms - old->created_ms <= FETCH_SESSION_EVICT_MS ||
		    old->partitions.count >= partition_count)
			continue;
		if (!found || old->partitions.count < found->partitions.count)
			found = old;
	}
	return found;
}

static struct fetch_session *find_stale(const struct fetch_sessions *s, uint64_t now_ms)
{
	list_each(pos, &s->lru)
	{
		struct fetch_session *old = list_entry(pos, struct fetch_session, lru);

		if (now_ms - old->used_ms <= FETCH_SESSION_EVICT_MS)
			return NULL; /* the others are fresher still */
		if (!old->in_use)
			return old;
	}
	return NULL;
}

static bool make_room(struct fetch_sessions *s, size_t partition_count, uint64_t now_ms)
{
	struct fetch_session *victim;

	if (s->map.count < s->count_max)
		return true;
	victim = find_stale(s, now_ms);
	if (!victim)
		victim = find_smaller(s, partition_count, now_ms);
	if (!victim)
		return false;
	fetch_session_close(s, victim);
	s->evicted_count++;
	return true;
}

struct fetch_session *fetch_session_new(struct fetch_sessions *s, int32_t id, bool uses_topic_ids,
                                        size_t partition_count, uint64_t now_ms)
{
	struct fetch_session *session;

	check(id != FETCH_SESSION_NONE);
	if (!make_room(s, partition_count, now_ms))
		return NULL;
	session = mem_zalloc(sizeof(*session));
	session->sessions = s;
	session->id = id;
	session->epoch = 1;
	session->uses_topic_ids = uses_topic_ids;
	session->created_ms = now_ms;
	session->used_ms = now_ms;
	list_init(&session->all);
	list_init(&session->ready);
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
	if (session->epoch != epoch || session->in_use)
		return WIRE_INVALID_FETCH_SESSION_EPOCH;
	if (session->uses_topic_ids != uses_topic_ids)
		return WIRE_FETCH_SESSION_TOPIC_ID_ERROR;
	session->epoch = epoch == INT32_MAX ? 1 : epoch + 1;
	session->in_use = true;
	session->used_ms = now_ms;
	list_remove(&session->lru);
	list_push(&s->lru, &session->lru);
	return WIRE_NONE;
}

void fetch_session_end(struct fetch_sessions *s, struct fetch_session *session)
{
	session->in_use = false;
	if (session->is_closed)
		free_session(s, session);
}
