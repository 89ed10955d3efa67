/* SPDX-License-Identifier: Apache-2.0 */
#include "group_private.h"

#include <stdlib.h>

#include "wire/client_protocols.h"

/*
 * What topics a group of consumers subscribes to, read from the metadata that its members sent: an
 * i16 version, and the subscription, which begins in every version as it does in the first. Offsets
 * of these topics neither expire nor may they be deleted.
 */

bool group_uses_consumer_protocol(const struct group *g)
{
	return g->protocol_type.data && str_eq(g->protocol_type, STR("consumer"));
}

void group_topics_forget(struct group *g)
{
	mem_free(g->topic);
	g->topic = NULL;
	g->topic_count = 0;
	g->knows_topics = false;
}

struct topics {
	struct str *topic;
	size_t count;
	size_t capacity;
};

static bool add_topics(struct topics *t, struct span metadata, struct arena *arena)
{
	struct reader r = reader_of(metadata.data, metadata.size);
	struct consumer_protocol_subscription subscription;

	if (reader_i16(&r) < 0 ||
	    consumer_protocol_subscription_decode(&r, 0, arena, &subscription))
		return false;
	for (uint32_t i = 0; i < subscription.topics_count; i++) {
		t->topic = mem_grow(t->topic, t->count, &t->capacity, sizeof(*t->topic));
		t->topic[t->count++] = subscription.topics[i];
	}
	return true;
}

static int compare(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Sorted, each once, in one allocation with their bytes. */
static void keep(struct group *g, struct topics *t)
{
	size_t bytes = 0, count = 0;
	char *to;

	if (t->count)
		qsort(t->topic, t->count, sizeof(*t->topic), compare);
	for (size_t i = 0; i < t->count; i++) {
		if (count && str_eq(t->topic[count - 1], t->topic[i]))
			continue;
		bytes += t->topic[i].size;
		t->topic[count++] = t->topic[i];
	}
	g->topic = mem_alloc(count * sizeof(*g->topic) + bytes);
	to = (char *)(g->topic + count);
	for (size_t i = 0; i < count; i++) {
		g->topic[i] = (struct str){ to, t->topic[i].size };
		if (t->topic[i].size)
			memcpy(to, t->topic[i].data, t->topic[i].size);
		to += t->topic[i].size;
	}
	g->topic_count = (uint32_t)count;
	g->knows_topics = true;
}

void group_topics_set(struct group *g)
{
	struct topics t = { 0 };
	struct arena arena;
	bool known = group_uses_consumer_protocol(g) &&
	             (g->protocol_name.data || list_is_empty(&g->members));

	group_topics_forget(g);
	arena_init(&arena, SIZE_MAX);
	list_each(pos, &g->members)
	{
		struct group_member *m = group_member_at(pos);

		if (!known)
			break;
		known = add_topics(&t, group_member_metadata(m, g->protocol_name), &arena);
	}
	if (known)
		keep(g, &t);
	mem_free(t.topic);
	arena_fini(&arena);
}

/* A group of consumers of which it is not known may subscribe to anything. */
bool group_is_subscribed(const struct group *g, struct str topic)
{
	if (!g->knows_topics)
		return group_uses_consumer_protocol(g);
	return g->topic_count && bsearch(&topic, g->topic, g->topic_count, sizeof(topic), compare);
}
