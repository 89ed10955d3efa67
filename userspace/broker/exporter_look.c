/* SPDX-License-Identifier: Apache-2.0 */
/* What a scrape must ask others for, and count, before it tells anything. */
#include "core/topic_name.h"
#include "base/mem.h"
#include "exporter_private.h"

enum { COUNT_STEP = 256 };

static void go_on(struct scrape *s)
{
	s->is_waiting = false;
	if (s->is_dropped)
		scrape_drop(s);
	else
		s->ready(s->arg);
}

/* ---- the space of file systems ---- */

static void ask_space(struct job *job)
{
	struct scrape *s = container_of(job, struct scrape, space_job);
	uint32_t count = partitions_dir_count(s->broker->partitions);

	for (uint32_t i = 0; i < count; i++) {
		struct dir *dir = partitions_dir_info(s->broker->partitions, i).dir;

		if (dir_space(dir, &s->space[i]))
			s->space[i] = (struct dir_space){ 0 };
	}
}

static void space_asked(struct job *job)
{
	struct scrape *s = container_of(job, struct scrape, space_job);

	s->phase = SCRAPE_GROUPS;
	go_on(s);
}

static void look_space(struct scrape *s)
{
	s->space = mem_array(partitions_dir_count(s->broker->partitions), sizeof(*s->space));
	s->space_job = (struct job){ .run = ask_space, .done = space_asked };
	s->is_waiting = true;
	work_submit(WORK_FAST, &s->space_job);
}

/* ---- groups, in the strands of their shards ---- */

/* Copies what is not the same as last time: offsets come group by group, topic by topic. */
static struct str keep(struct scrape *s, struct str text, struct str last)
{
	return last.data && str_eq(text, last) ? last : arena_str(&s->arena, text);
}

static void on_offset(void *arg, struct str group, struct str topic, int32_t partition,
                      int64_t offset)
{
	struct scrape *s = arg;
	struct scrape_offset last = { 0 };

	s->offsets_seen++;
	if (s->offset_count >= EXPORTER_OFFSETS)
		return;
	if (s->offset_count)
		last = s->offset[s->offset_count - 1];
	s->offset = mem_grow(s->offset, s->offset_count, &s->offset_capacity, sizeof(*s->offset));
	s->offset[s->offset_count++] =
		(struct scrape_offset){ keep(s, group, last.group), keep(s, topic, last.topic),
		                        partition, offset };
}

static void on_group(void *arg, struct str group, uint32_t members)
{
	struct scrape *s = arg;

	if (s->group_count >= EXPORTER_OFFSETS)
		return;
	s->group = mem_grow(s->group, s->group_count, &s->group_capacity, sizeof(*s->group));
	s->group[s->group_count++] = (struct scrape_group){ arena_str(&s->arena, group), members };
}

/* In the strand, on any reactor: home waits. */
static void look_shard(struct coordinator *c, void *machine, struct coordinator_request *self)
{
	struct scrape *s = container_of(self, struct scrape, request);
	uint32_t states[GROUP_STATES];

	(void)c;
	group_shard_counts(machine, states);
	for (int i = 0; i < GROUP_STATES; i++)
		s->group_states[i] += states[i];
	group_shard_members(machine, on_group, s);
	group_shard_offsets(machine, on_offset, s);
}

static void shard_seen(struct coordinator_request *self)
{
	go_on(container_of(self, struct scrape, request));
}

/* A shard that this broker leads; one that is not open yet would be waited for. */
static struct partition *next_shard(struct scrape *s)
{
	const struct image_topic *t = image_topic_by_name(s->image, STR(TOPIC_CONSUMER_OFFSETS));

	while (t && s->shard < t->partition_count) {
		int32_t index = t->partition[s->shard++]->index;
		struct partition *part = partitions_find(s->broker->partitions, t->id, index);

		if (part && part->attached && partition_facts(part)->role == PARTITION_LEADER)
			return part;
	}
	return NULL;
}

static void look_groups(struct scrape *s)
{
	struct partition *part = next_shard(s);

	if (!part) {
		s->phase = SCRAPE_COUNT;
		s->has_topic = pmap_first(&s->image->topics, &s->topic);
		return;
	}
	s->request = (struct coordinator_request){ .run = look_shard,
		                                   .done = shard_seen,
		                                   .is_news = true };
	s->is_waiting = true;
	coordinator_send(part, &s->request);
}

/* ---- partitions ---- */

static void count_leader(struct scrape_counts *n, const struct partition_facts *facts)
{
	uint32_t min_isr = (uint32_t)facts->settings->config.min_insync_replicas;

	if (min_isr > facts->replica_count)
		min_isr = facts->replica_count;
	n->leaders++;
	n->under_replicated += facts->isr_count < facts->replica_count;
	n->under_min_isr += facts->isr_count < min_isr;
	n->at_min_isr += facts->isr_count == min_isr;
}

static void count_partition(struct scrape *s, const struct image_topic *topic,
                            const struct image_partition *p)
{
	struct partition *part = partitions_find(s->broker->partitions, topic->id, p->index);
	struct scrape_counts *n = &s->counts;

	n->partitions++;
	n->offline += p->leader == IMAGE_NO_LEADER;
	n->imbalance += p->replicas.count && p->leader != p->replicas.id[0];
	if (!part)
		return;
	n->here++;
	n->offline_here += partition_facts(part)->role == PARTITION_OFFLINE;
	if (partition_facts(part)->role == PARTITION_LEADER)
		count_leader(n, partition_facts(part));
}

static void count_brokers(struct scrape *s)
{
	struct pmap_iter it;

	pmap_each(it, &s->image->brokers)
	{
		s->counts.brokers++;
		s->counts.brokers_fenced += image_value_of(struct image_node, it.entry)->fenced;
	}
}

static void look_partitions(struct scrape *s)
{
	for (int n = 0; n < COUNT_STEP && s->has_topic; n++) {
		const struct image_topic *t = image_value_of(struct image_topic, s->topic.entry);

		if (s->partition < t->partition_count) {
			count_partition(s, t, t->partition[s->partition++]);
		} else {
			s->partition = 0;
			s->has_topic = pmap_next(&s->topic);
		}
	}
	if (s->has_topic)
		return;
	count_brokers(s);
	s->has_topics = s->image->topics.count <= EXPORTER_SERIES;
	s->has_partitions = s->per_partition && s->counts.partitions <= EXPORTER_SERIES;
	s->has_offsets = s->per_partition && s->offset_count <= EXPORTER_SERIES;
	s->phase = SCRAPE_TELL;
}

void scrape_look(struct scrape *s)
{
	if (s->phase == SCRAPE_SPACE)
		look_space(s);
	else if (s->phase == SCRAPE_GROUPS)
		look_groups(s);
	else
		look_partitions(s);
}
