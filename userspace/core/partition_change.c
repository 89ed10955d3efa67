/* SPDX-License-Identifier: Apache-2.0 */
#include "partition_change.h"

#include "core/metadata_record.h"

static const struct image_ids NONE = { NULL, 0 };

struct image_ids image_ids_minus(struct arena *arena, struct image_ids ids, struct image_ids other)
{
	int32_t *kept = arena_array(arena, ids.count, sizeof(*kept));
	uint32_t count = 0;

	for (uint32_t i = 0; kept && i < ids.count; i++)
		if (!image_ids_has(other, ids.id[i]))
			kept[count++] = ids.id[i];
	return (struct image_ids){ kept, count };
}

struct image_ids image_ids_without(struct arena *arena, struct image_ids ids, int32_t id)
{
	return image_ids_minus(arena, ids, (struct image_ids){ &id, 1 });
}

struct image_ids image_ids_one(struct arena *arena, int32_t id)
{
	int32_t *one = arena_alloc(arena, sizeof(*one));

	if (one)
		*one = id;
	return (struct image_ids){ one, one ? 1 : 0 };
}

static bool has_all(struct image_ids ids, struct image_ids wanted)
{
	for (uint32_t i = 0; i < wanted.count; i++)
		if (!image_ids_has(ids, wanted.id[i]))
			return false;
	return true;
}

bool image_broker_is_active(const struct image *image, int32_t broker_id)
{
	const struct image_node *broker = image_broker(image, broker_id);

	return broker && image_node_is_active(broker);
}

/* No directories at all are those of a registration from before JBOD: taken as online. */
bool image_broker_has_online_dir(const struct image *image, int32_t broker_id, struct uuid dir)
{
	const struct image_node *broker = image_broker(image, broker_id);

	if (!broker)
		return false;
	if (uuid_eq(dir, DIRECTORY_UNASSIGNED) || uuid_eq(dir, DIRECTORY_MIGRATING))
		return true;
	if (uuid_eq(dir, DIRECTORY_LOST))
		return false;
	for (uint32_t i = 0; i < broker->log_dir_count; i++)
		if (uuid_eq(broker->log_dir[i], dir))
			return true;
	return !broker->log_dir_count;
}

struct uuid image_broker_default_dir(const struct image *image, int32_t broker_id)
{
	const struct image_node *broker = image_broker(image, broker_id);

	if (!broker)
		return DIRECTORY_UNASSIGNED;
	if (!broker->log_dir_count)
		return DIRECTORY_MIGRATING;
	return broker->log_dir_count == 1 ? broker->log_dir[0] : DIRECTORY_UNASSIGNED;
}

void partition_target_init(struct partition_target *t, const struct image *image,
                           const struct image_partition *p, struct arena *arena)
{
	*t = (struct partition_target){
		.partition = p,
		.arena = arena,
		.image = image,
		.election = ELECTION_ONLINE,
		.unclean_shutdown_id = -1,
		.moved_broker_id = -1,
		.leader_recovery_state = p->leader_recovery_state,
		.isr = p->isr,
		.replicas = p->replicas,
		.removing = p->removing,
		.adding = p->adding,
		.elr = p->elr,
	};
}

/*
 * A reassignment is done when all that is added is in sync and something in sync stays; one that
 * shrinks the partition waits for everything that stays.
 */
static void finish_reassignment(struct partition_target *t)
{
	struct image_ids isr = image_ids_minus(t->arena, t->isr, t->removing);
	struct image_ids replicas = image_ids_minus(t->arena, t->replicas, t->removing);

	if (!t->removing.count && !t->adding.count)
		return;
	if (t->removing.count && (!isr.count || !replicas.count))
		return;
	if (!has_all(isr, t->adding))
		return;
	if (t->adding.count < t->removing.count && !has_all(isr, replicas))
		return;
	t->isr = isr;
	t->replicas = replicas;
	t->removing = NONE;
	t->adding = NONE;
}

static void add_sorted(int32_t *ids, uint32_t *count, int32_t id)
{
	uint32_t at = 0;

	while (at < *count && ids[at] < id)
		at++;
	if (at < *count && ids[at] == id)
		return;
	memmove(ids + at + 1, ids + at, (*count - at) * sizeof(*ids));
	ids[at] = id;
	++*count;
}

/* Who left the in-sync set while it was smaller than min.insync.replicas may still be elected. */
static void grow_elr(struct partition_target *t)
{
	const struct image_partition *p = t->partition;
	int32_t *elr;
	uint32_t count = 0;

	if (!t->elr_enabled)
		return;
	if ((int)t->isr.count >= t->min_isr) {
		t->elr = NONE;
		return;
	}
	elr = arena_array(t->arena, (size_t)t->elr.count + p->isr.count, sizeof(*elr));
	for (uint32_t i = 0; elr && i < t->elr.count + p->isr.count; i++) {
		int32_t id = i < t->elr.count ? t->elr.id[i] : p->isr.id[i - t->elr.count];

		if (!image_ids_has(t->isr, id) && id != t->unclean_shutdown_id)
			add_sorted(elr, &count, id);
	}
	t->elr = (struct image_ids){ elr, count };
}

static bool may_lead(const struct partition_target *t, int32_t id)
{
	return t->acceptable(t->acceptable_arg, id) &&
	       image_broker_has_online_dir(t->image, id,
	                                   image_partition_directory(t->partition, id));
}

static bool is_valid_leader(const struct partition_target *t, int32_t id)
{
	if (!image_ids_has(t->isr, id) && (t->isr.count || !image_ids_has(t->elr, id)))
		return false;
	return may_lead(t, id);
}

/*
 * Nobody in sync is left, but the last leader is back: better than nothing, as it was the last to
 * take writes (KIP-966, balanced recovery).
 */
static bool last_known_may_lead(const struct partition_target *t)
{
	return t->elr_enabled && !t->elr.count && !t->isr.count &&
	       t->partition->last_known_elr.count == 1 &&
	       may_lead(t, t->partition->last_known_elr.id[0]);
}

static int32_t elect(const struct partition_target *t, bool *unclean)
{
	const struct image_partition *p = t->partition;

	*unclean = false;
	if (t->election == ELECTION_PREFERRED && is_valid_leader(t, t->replicas.id[0]))
		return t->replicas.id[0];
	if (is_valid_leader(t, p->leader))
		return p->leader;
	for (uint32_t i = 0; i < t->replicas.count; i++)
		if (is_valid_leader(t, t->replicas.id[i]))
			return t->replicas.id[i];
	*unclean = true;
	if (last_known_may_lead(t))
		return p->last_known_elr.id[0];
	for (uint32_t i = 0; t->election == ELECTION_UNCLEAN && i < t->replicas.count; i++)
		if (may_lead(t, t->replicas.id[i]))
			return t->replicas.id[i];
	*unclean = false;
	return IMAGE_NO_LEADER;
}

static void set_ids(bool *has, struct image_ids *field, struct image_ids ids)
{
	*has = true;
	*field = ids;
}

static void try_election(struct partition_target *t, struct partition_change *c)
{
	bool unclean = false;
	int32_t leader = t->replicas.count ? elect(t, &unclean) : IMAGE_NO_LEADER;

	if (leader == t->partition->leader)
		return;
	c->leader = leader;
	if (image_ids_has(t->elr, leader)) {
		t->isr = image_ids_one(t->arena, leader);
		t->elr = image_ids_without(t->arena, t->elr, leader);
	}
	if (leader == IMAGE_NO_LEADER || !unclean)
		return;
	/* Others in sync would disagree with the new leader's log. */
	set_ids(&c->has_isr, &c->isr, image_ids_one(t->arena, leader));
	if (t->partition->leader_recovery_state != IMAGE_LEADER_RECOVERING)
		c->leader_recovery_state = IMAGE_LEADER_RECOVERING;
}

static void update_elr(struct partition_target *t, struct partition_change *c)
{
	if (c->has_isr || !t->elr_enabled)
		t->elr = NONE;
	if (!image_ids_eq(t->elr, t->partition->elr))
		set_ids(&c->has_elr, &c->elr, t->elr);
}

/* lastKnownElr holds the one leader that there was before there was none. */
static void update_last_known_leader(const struct partition_target *t, struct partition_change *c)
{
	const struct image_partition *p = t->partition;

	if (!t->elr_enabled)
		return;
	if (c->leader == IMAGE_NO_LEADER && !p->last_known_elr.count)
		set_ids(&c->has_last_known_elr, &c->last_known_elr,
		        image_ids_one(t->arena, p->leader));
	else if (c->leader >= 0 && p->last_known_elr.count)
		set_ids(&c->has_last_known_elr, &c->last_known_elr, NONE);
}

static struct uuid directory_of(const struct partition_target *t, int32_t id)
{
	if (id == t->moved_broker_id)
		return t->moved_to;
	if (image_ids_has(t->partition->replicas, id))
		return image_partition_directory(t->partition, id);
	return image_broker_default_dir(t->image, id);
}

static void update_directories(const struct partition_target *t, struct partition_change *c)
{
	const struct image_partition *p = t->partition;
	struct uuid *dir = arena_array(t->arena, t->replicas.count, sizeof(*dir));
	bool same = t->replicas.count == p->replicas.count;

	for (uint32_t i = 0; dir && i < t->replicas.count; i++) {
		dir[i] = directory_of(t, t->replicas.id[i]);
		same = same && uuid_eq(dir[i], p->directory[i]);
	}
	if (!dir || same)
		return;
	c->has_directories = true;
	c->directory = dir;
	c->directory_count = t->replicas.count;
}

static void update_assignment(const struct partition_target *t, struct partition_change *c)
{
	const struct image_partition *p = t->partition;

	if (t->replicas.count) {
		if (t->image->metadata_version >= METADATA_VERSION_3_7_IV2)
			update_directories(t, c);
		if (!image_ids_eq(t->replicas, p->replicas))
			set_ids(&c->has_replicas, &c->replicas, t->replicas);
	}
	if (!image_ids_eq(t->removing, p->removing))
		set_ids(&c->has_removing, &c->removing, t->removing);
	if (!image_ids_eq(t->adding, p->adding))
		set_ids(&c->has_adding, &c->adding, t->adding);
}

/* Naming the leader again raises its epoch: followers that were dropped must notice. */
static void raise_leader_epoch(const struct partition_target *t, struct partition_change *c)
{
	const struct image_partition *p = t->partition;

	if (c->leader != PARTITION_NO_LEADER_CHANGE)
		return;
	if (!has_all(t->replicas, p->replicas))
		c->leader = p->leader;
	else if (c->has_isr && !has_all(c->isr, p->isr) &&
	         t->image->metadata_version < METADATA_VERSION_3_6_IV0)
		c->leader = p->leader;
}

bool partition_change_build(struct partition_target *t, struct partition_change *ret)
{
	struct partition_change c = {
		.leader = PARTITION_NO_LEADER_CHANGE,
		.leader_recovery_state = PARTITION_NO_RECOVERY_CHANGE,
	};

	finish_reassignment(t);
	grow_elr(t);
	try_election(t, &c);
	update_elr(t, &c);
	if (!c.has_isr && (t->isr.count || t->elr_enabled) &&
	    !image_ids_eq(t->isr, t->partition->isr))
		set_ids(&c.has_isr, &c.isr, t->isr);
	raise_leader_epoch(t, &c);
	update_last_known_leader(t, &c);
	update_assignment(t, &c);
	if (t->leader_recovery_state != t->partition->leader_recovery_state)
		c.leader_recovery_state = t->leader_recovery_state;
	*ret = c;
	return c.has_isr || c.has_elr || c.has_last_known_elr || c.has_replicas || c.has_removing ||
	       c.has_adding || c.has_directories || c.leader != PARTITION_NO_LEADER_CHANGE ||
	       c.leader_recovery_state != PARTITION_NO_RECOVERY_CHANGE;
}

void partition_change_preview(const struct image_partition *p, const struct partition_change *c,
                              struct image_partition *ret)
{
	*ret = *p;
	ret->isr = c->has_isr ? c->isr : p->isr;
	ret->elr = c->has_elr ? c->elr : p->elr;
	ret->last_known_elr = c->has_last_known_elr ? c->last_known_elr : p->last_known_elr;
	ret->replicas = c->has_replicas ? c->replicas : p->replicas;
	ret->removing = c->has_removing ? c->removing : p->removing;
	ret->adding = c->has_adding ? c->adding : p->adding;
	ret->directory = c->has_directories ? c->directory : p->directory;
	if (c->leader != PARTITION_NO_LEADER_CHANGE) {
		ret->leader = c->leader;
		ret->leader_epoch++;
	}
	if (c->leader_recovery_state != PARTITION_NO_RECOVERY_CHANGE)
		ret->leader_recovery_state = c->leader_recovery_state;
	ret->partition_epoch++;
}
