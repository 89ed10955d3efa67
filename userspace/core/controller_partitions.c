/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "controller_private.h"
#include "wire/metadata_records.h"

/* Leaders are moved this many at a time (MAX_ELECTIONS_PER_IMBALANCE). */
enum { ELECTIONS_MAX = 1000 };

#define UNCONST(type, p) ((type *)(uintptr_t)(p))

/* A topic's own value, or the one it has by default, which a step asks for once. */
static struct str effective(struct step *s, const struct image_topic *topic,
                            enum step_default which)
{
	static const char *const names[] = {
		[DEFAULT_MIN_ISR] = "min.insync.replicas",
		[DEFAULT_UNCLEAN] = "unclean.leader.election.enable",
	};
	const struct controller_config_rules *rules = &s->c->options.rules;
	struct str name = str_of(names[which]);
	struct str own = image_config_value(s->c->image, IMAGE_RESOURCE_TOPIC, topic->name, name);

	if (own.data)
		return own;
	if (!s->topic_default[which].data)
		s->topic_default[which] = rules->effective(rules->arg, s->arena, s->c->image,
		                                           IMAGE_RESOURCE_TOPIC, topic->name, name);
	return s->topic_default[which];
}

int topic_min_isr(struct step *s, const struct image_topic *topic)
{
	struct str value = effective(s, topic, DEFAULT_MIN_ISR);
	int replication_factor;
	int min_isr = 0;

	for (uint32_t i = 0; i < value.size && value.data[i] >= '0' && value.data[i] <= '9'; i++)
		min_isr = min_isr < INT16_MAX ? min_isr * 10 + (value.data[i] - '0') : min_isr;
	if (!topic->partition_count)
		return min_isr;
	replication_factor = (int)topic->partition[0]->replicas.count;
	return min_isr < replication_factor ? min_isr : replication_factor;
}

bool topic_unclean_election(struct step *s, const struct image_topic *topic)
{
	struct str value = effective(s, topic, DEFAULT_UNCLEAN);

	return value.size == 4 && (value.data[0] | 0x20) == 't' && (value.data[1] | 0x20) == 'r' &&
	       (value.data[2] | 0x20) == 'u' && (value.data[3] | 0x20) == 'e';
}

static bool is_active(const void *arg, int32_t broker_id)
{
	return image_broker_is_active(arg, broker_id);
}

void partition_target_of(struct step *s, const struct image_topic *topic,
                         const struct image_partition *p, struct partition_target *t)
{
	partition_target_init(t, s->c->image, p, s->arena);
	t->acceptable = is_active;
	t->acceptable_arg = s->c->image;
	t->min_isr = topic_min_isr(s, topic);
	t->elr_enabled = elr_enabled(s->c);
}

static void set_list(int32_t **field, uint32_t *field_count, bool has, struct image_ids ids)
{
	if (!has)
		return;
	*field = ids.count ? UNCONST(int32_t, ids.id) : WIRE_EMPTY;
	*field_count = ids.count;
}

bool partition_emit(struct step *s, const struct image_topic *topic, struct partition_target *t,
                    struct partition_change *ret)
{
	struct partition_change_record rec;
	struct partition_change c;

	if (!partition_change_build(t, &c))
		return false;
	partition_change_record_init(&rec);
	rec.partition_id = t->partition->index;
	rec.topic_id = topic->id;
	rec.leader = c.leader;
	rec.leader_recovery_state = c.leader_recovery_state;
	set_list(&rec.isr, &rec.isr_count, c.has_isr, c.isr);
	set_list(&rec.replicas, &rec.replicas_count, c.has_replicas, c.replicas);
	set_list(&rec.removing_replicas, &rec.removing_replicas_count, c.has_removing, c.removing);
	set_list(&rec.adding_replicas, &rec.adding_replicas_count, c.has_adding, c.adding);
	set_list(&rec.eligible_leader_replicas, &rec.eligible_leader_replicas_count, c.has_elr,
	         c.elr);
	set_list(&rec.last_known_elr, &rec.last_known_elr_count, c.has_last_known_elr,
	         c.last_known_elr);
	if (c.has_directories) {
		rec.directories = UNCONST(struct uuid, c.directory);
		rec.directories_count = c.directory_count;
	}
	step_emit_now(s, METADATA_PARTITION_CHANGE, &rec);
	if (ret)
		*ret = c;
	return true;
}

/* ---- what the coming and going of brokers does ---- */

/*
 * The broker that comes is still fenced in the image while the records of its coming are made, and
 * the one that goes still active.
 */
struct acceptance {
	const struct image *image;
	struct isr_update update;
};

static bool is_acceptable(const void *arg, int32_t broker_id)
{
	const struct acceptance *a = arg;

	if (broker_id == a->update.remove || broker_id == a->update.unclean)
		return false;
	return broker_id == a->update.add || image_broker_is_active(a->image, broker_id);
}

static bool in_directory(const struct image_partition *p, struct uuid directory)
{
	for (uint32_t i = 0; i < p->replicas.count; i++)
		if (uuid_eq(p->directory[i], directory))
			return true;
	return false;
}

static bool is_selected(const struct image_partition *p, const struct partition_selection *sel)
{
	switch (sel->filter) {
	case PARTITIONS_WITH_IN_ISR:
		return image_ids_has(p->isr, sel->broker_id);
	case PARTITIONS_WITH_IN_ELR:
		return image_ids_has(p->elr, sel->broker_id);
	case PARTITIONS_WITHOUT_LEADER:
		return p->leader == IMAGE_NO_LEADER;
	case PARTITIONS_IN_DIRECTORY:
		return in_directory(p, sel->directory);
	}
	return false;
}

void partition_update(struct step *s, struct isr_update update, const struct image_topic *topic,
                      const struct image_partition *p)
{
	const struct acceptance acceptance = { s->c->image, update };
	struct partition_target t;

	partition_target_of(s, topic, p, &t);
	t.acceptable = is_acceptable;
	t.acceptable_arg = &acceptance;
	if (topic_unclean_election(s, topic))
		t.election = ELECTION_UNCLEAN;
	t.unclean_shutdown_id = update.unclean;
	if (update.remove != NOBODY)
		t.isr = image_ids_without(s->arena, t.isr, update.remove);
	if (update.unclean != NOBODY)
		t.isr = image_ids_without(s->arena, t.isr, update.unclean);
	(void)partition_emit(s, topic, &t, NULL); /* or nothing changes */
}

void partitions_update(struct step *s, struct isr_update update,
                       struct partition_selection selection)
{
	struct pmap_iter it;

	pmap_each(it, &s->c->image->topics_by_id)
	{
		const struct image_topic *topic = image_value_of(struct image_topic, it.entry);

		for (uint32_t i = 0; i < topic->partition_count; i++)
			if (is_selected(topic->partition[i], &selection))
				partition_update(s, update, topic, topic->partition[i]);
	}
}

bool broker_has_leaderships(const struct controller *c, int32_t broker_id)
{
	struct pmap_iter it;

	pmap_each(it, &c->image->topics_by_id)
	{
		const struct image_topic *topic = image_value_of(struct image_topic, it.entry);

		for (uint32_t i = 0; i < topic->partition_count; i++)
			if (topic->partition[i]->leader == broker_id)
				return true;
	}
	return false;
}

/* ---- elections ---- */

void partitions_balance(struct step *s)
{
	struct partition_target t;
	struct pmap_iter it;

	s->out->atomic = false;
	pmap_each(it, &s->c->image->topics_by_id)
	{
		const struct image_topic *topic = image_value_of(struct image_topic, it.entry);

		for (uint32_t i = 0; i < topic->partition_count; i++) {
			const struct image_partition *p = topic->partition[i];

			if (!p->replicas.count || p->leader == p->replicas.id[0])
				continue;
			partition_target_of(s, topic, p, &t);
			t.election = ELECTION_PREFERRED;
			(void)partition_emit(s, topic, &t, NULL); /* or nothing changes */
			if (s->record_count >= ELECTIONS_MAX)
				return;
		}
	}
}

void partitions_elect_unclean(struct step *s)
{
	struct partition_target t;
	struct pmap_iter it;

	s->out->atomic = false;
	pmap_each(it, &s->c->image->topics_by_id)
	{
		const struct image_topic *topic = image_value_of(struct image_topic, it.entry);

		for (uint32_t i = 0; i < topic->partition_count; i++) {
			const struct image_partition *p = topic->partition[i];

			if (p->leader != IMAGE_NO_LEADER || !topic_unclean_election(s, topic))
				continue;
			partition_target_of(s, topic, p, &t);
			t.election = ELECTION_UNCLEAN;
			(void)partition_emit(s, topic, &t, NULL); /* or nothing changes */
			if (s->record_count >= ELECTIONS_MAX)
				return;
		}
	}
}
