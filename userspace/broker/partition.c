/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/partition.h"

#include "base/mem.h"
#include "broker/fetch_wait.h"
#include "broker/metrics.h"
#include "partitions_private.h"
#include "wire/errors.h"

/* ---- life ---- */

static void free_facts(struct rcu_head *head)
{
	struct partition_facts *facts = container_of(head, struct partition_facts, rcu);

	object_put(&facts->settings->object);
	mem_free(facts);
}

static void free_partition(struct rcu_head *head)
{
	struct partition *p = container_of(head, struct partition, rcu);
	struct partition_facts *facts = (struct partition_facts *)(uintptr_t)atomic_load(&p->facts);

	if (p->attached)
		p->attached->free(p->attached);
	free_facts(&facts->rcu);
	object_put(&p->settings->object);
	object_put(p->meter ? &p->meter->object : NULL);
	mem_free(p->name);
	mem_free((char *)(uintptr_t)p->topic.data);
	mem_free(p);
}

static void free_later(struct mail *mail)
{
	rcu_defer(&container_of(mail, struct partition, mail)->rcu, free_partition);
}

/* The last reference may have been put by an item of its own strand, or on a worker. */
static void on_unreferenced(struct object *object)
{
	struct partition *p = container_of(object, struct partition, object);

	if (p->registry->is_closed) {
		free_partition(&p->rcu);
	} else if (reactor_self() != REACTOR_NONE) {
		free_later(&p->mail);
	} else {
		p->mail.run = free_later;
		reactor_post(0, &p->mail);
	}
}

static void publish(struct partition *p, const struct partition_facts *like,
                    enum partition_role role)
{
	const struct partition_facts *old = atomic_load_explicit(&p->facts, memory_order_relaxed);
	struct partition_facts *facts = mem_dup(like, sizeof(*like));

	facts->role = role;
	facts->settings = p->settings;
	object_get(&p->settings->object);
	p->is_leader = role == PARTITION_LEADER;
	rcu_publish(&p->facts, facts);
	if (old)
		rcu_defer(&((struct partition_facts *)(uintptr_t)old)->rcu, free_facts);
}

static enum settled settle(struct strand *strand);

struct partition *partition_new(struct partitions *registry, struct uuid topic_id, struct str topic,
                                int32_t index, struct topic_settings *settings)
{
	struct partition *p = mem_zalloc(sizeof(*p));
	const struct partition_facts facts = {
		.leader = IMAGE_NO_LEADER,
		.leader_epoch = -1,
		.epoch_start_offset = -1,
	};
	struct buf name = { 0 };

	object_init(&p->object, on_unreferenced);
	strand_init_parked(&p->strand, settle);
	p->topic_id = topic_id;
	p->topic = (struct str){ str_dup(topic), topic.size };
	p->index = index;
	buf_printf(&name, "%.*s-%d", STR_ARG(topic), index);
	p->name = str_dup((struct str){ (char *)name.data, (uint32_t)name.size });
	buf_fini(&name);
	list_init(&p->subscribers);
	list_init(&p->link);
	p->deferred_end = &p->deferred;
	object_get(&settings->object);
	p->settings = settings;
	p->registry = registry;
	publish(p, &facts, PARTITION_OPENING);
	return p;
}

/* ---- pins ---- */

static void pin(struct partition *p)
{
	atomic_fetch_add_explicit(&p->log_pins, 1, memory_order_relaxed);
	partition_get(p);
}

static void unpin(struct partition *p)
{
	if (atomic_fetch_sub_explicit(&p->log_pins, 1, memory_order_acq_rel) == 1)
		partitions_log_unused(p);
	partition_put(p);
}

void partition_pin(struct partition *p)
{
	partitions_pinned(p->registry);
	pin(p);
}

void partition_unpin(struct partition *p)
{
	struct partitions *registry = p->registry;

	unpin(p);
	partitions_unpinned(registry);
}

/* ---- what may be served ---- */

int16_t partition_error(const struct partition_facts *facts, int32_t current_leader_epoch)
{
	if (facts->role == PARTITION_GONE)
		return WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	if (facts->role == PARTITION_OFFLINE)
		return WIRE_KAFKA_STORAGE_ERROR;
	if (current_leader_epoch != -1 && current_leader_epoch < facts->leader_epoch)
		return WIRE_FENCED_LEADER_EPOCH;
	if (current_leader_epoch > facts->leader_epoch)
		return WIRE_UNKNOWN_LEADER_EPOCH;
	return facts->role == PARTITION_LEADER ? WIRE_NONE : WIRE_NOT_LEADER_OR_FOLLOWER;
}

void partition_await(struct partition *p, struct work *work)
{
	partitions_want(p);
	strand_post(&p->strand, work);
}

/* ---- marks ---- */

/* Where the batch that holds `offset` begins; false: it would have to be read from the disk. */
static bool mark_of(struct log *log, int64_t offset, struct log_mark end, bool worker,
                    struct log_mark *ret)
{
	struct log_slice slice;

	if (log_locate(log, log_view(log), offset, 0, false, end, worker, &slice) ||
	    slice.segment < 0)
		return false;
	*ret = (struct log_mark){ offset, slice.segment, slice.position };
	return true;
}

struct log_mark partition_stable_mark(struct log *log)
{
	struct log_mark end = log_end_mark(log);
	int64_t unstable = log_first_unstable(log, end.offset);
	struct log_mark mark = end;

	if (unstable < end.offset && !mark_of(log, unstable, end, true, &mark))
		mark = (struct log_mark){ .offset = log_start_offset(log) };
	return mark;
}

/*
 * What is committed: with this broker as the only replica all that its own commit end covers.  The
 * last stable offset stays where it was when its place is not in memory: it is late then, not
 * wrong.
 */
static void move_high_watermark(struct partition *p, struct log_mark end)
{
	int64_t unstable = log_first_unstable(p->log, end.offset);
	struct log_mark stable = end;

	log_mark_publish(&p->high_watermark, end);
	if (unstable < end.offset && (unstable == partition_last_stable(p).offset ||
	                              !mark_of(p->log, unstable, end, false, &stable)))
		return;
	log_mark_publish(&p->last_stable, stable);
}

/* ---- appends ---- */

static void count(const struct partition_append *a)
{
	bool is_new = !a->log.duplicate;

	if (a->log.error)
		metrics_refused(a->part->meter, a->log.error, a->log.size);
	else
		metrics_appended(a->part->meter, is_new ? a->log.size : 0,
		                 is_new ? (uint64_t)a->log.record_count : 0);
}

static void finish(struct partition_append *a)
{
	struct partition *p = a->part;

	count(a);
	a->done(a);
	partition_put(p);
}

static void complete_deferred(struct partition *p)
{
	int64_t high_watermark = partition_high_watermark(p).offset;
	struct partition_append *a;

	while ((a = p->deferred) && a->log.last_offset < high_watermark) {
		p->deferred = a->next;
		if (!p->deferred)
			p->deferred_end = &p->deferred;
		finish(a);
	}
}

/* Its leadership or its storage is lost: what was appended may not survive. */
static void fail_deferred(struct partition *p, int16_t error)
{
	struct partition_append *a = p->deferred;

	p->deferred = NULL;
	p->deferred_end = &p->deferred;
	while (a) {
		struct partition_append *next = a->next;

		a->log.error = error;
		finish(a);
		a = next;
	}
}

static void on_published(void *arg, struct log_mark end, uint64_t bytes)
{
	struct partition *p = arg;

	if (!p->is_leader)
		return;
	move_high_watermark(p, end);
	complete_deferred(p);
	fetch_slots_publish(&p->subscribers, (int64_t)bytes, false);
}

static void on_appended(struct log_append *log)
{
	struct partition_append *a = container_of(log, struct partition_append, log);
	struct partition *p = a->part;

	if (!a->log.error && a->acks == -1 && !p->is_leader) {
		/* Lost while it was written: nobody will say that it is committed. */
		a->log.error = partition_error(partition_facts(p), -1);
	} else if (!a->log.error && a->acks == -1 &&
	           a->log.last_offset >= partition_high_watermark(p).offset) {
		a->next = NULL;
		*p->deferred_end = a;
		p->deferred_end = &a->next;
		atomic_store_explicit(&a->is_deferred, true, memory_order_release);
		return;
	}
	finish(a);
}

static int16_t may_append(const struct partition *p, const struct partition_append *a)
{
	const struct partition_facts *facts = partition_facts(p);
	int16_t error = partition_error(facts, -1);
	uint32_t min_isr = (uint32_t)facts->settings->config.min_insync_replicas;

	if (error)
		return error;
	/* More in-sync replicas than there are replicas cannot be asked for (effectiveMinIsr). */
	if (min_isr > facts->replica_count)
		min_isr = facts->replica_count;
	return a->acks == -1 && facts->isr_count < min_isr ? WIRE_NOT_ENOUGH_REPLICAS : WIRE_NONE;
}

static void stage(struct partition_append *a)
{
	struct partition *p = a->part;
	int16_t error = may_append(p, a);

	if (error) {
		a->log.error = error;
		a->log.base_offset = a->log.last_offset = a->log.timestamp = -1;
		a->log.log_start_offset = -1;
		finish(a);
		return;
	}
	a->log.leader_epoch = partition_facts(p)->leader_epoch;
	a->log.done = on_appended;
	log_stage(p->log, &a->log);
}

static void run_append(struct work *work)
{
	stage(container_of(work, struct partition_append, work));
}

void partition_stage(struct partition *p, struct partition_append *append)
{
	append->part = partition_get(p);
	stage(append);
}

void partition_append(struct partition *p, struct partition_append *append)
{
	if (partition_facts(p)->role == PARTITION_OPENING)
		partitions_want(p);
	append->part = partition_get(p);
	append->work = (struct work){ .bytes = append->log.size, .run = run_append };
	strand_post(&p->strand, &append->work);
}

int16_t partition_delete_records(struct partition *p, int64_t offset, int64_t *ret_low_watermark)
{
	int64_t high_watermark = partition_high_watermark(p).offset;
	int16_t error = partition_error(partition_facts(p), -1);

	*ret_low_watermark = -1;
	if (error)
		return error;
	if (offset == -1)
		offset = high_watermark;
	if (offset < 0 || offset > high_watermark)
		return WIRE_OFFSET_OUT_OF_RANGE;
	error = log_delete_records(p->log, offset);
	if (error)
		return error;
	*ret_low_watermark = log_start_offset(p->log);
	fetch_slots_publish(&p->subscribers, 0, false);
	return WIRE_NONE;
}

/* ---- the strand ---- */

static void unpin_gone(struct rcu_head *head)
{
	unpin(container_of(head, struct partition, rcu));
}

/* All that was staged has ended: the log is let go once no reactor's turn can still see it. */
static void let_log_go(struct partition *p)
{
	p->is_dying = false;
	rcu_defer(&p->rcu, unpin_gone);
}

static enum settled settle(struct strand *strand)
{
	struct partition *p = container_of(strand, struct partition, strand);
	enum settled answer = SETTLED;

	if (p->log && partition_facts(p)->role != PARTITION_GONE)
		return log_settle(p->log);
	if (p->log && p->is_dying) {
		answer = log_settle(p->log);
		if (answer == SETTLED)
			let_log_go(p);
	}
	return answer;
}

static void unpark(void *arg)
{
	strand_unpark(&((struct partition *)arg)->strand);
}

static void on_failed(void *arg, int err)
{
	partitions_storage_failed(arg, err);
}

void partition_log_options(struct partition *p, struct log_options *ret)
{
	ret->unpark = unpark;
	ret->published = on_published;
	ret->failed = on_failed;
	ret->arg = p;
}

void partition_opened(struct partition *p, struct log *log, struct log_mark stable)
{
	if (log) {
		p->log = log;
		pin(p); /* its own, until it is gone */
		log_mark_publish(&p->high_watermark, log_end_mark(log));
		log_mark_publish(&p->last_stable, stable);
	}
	/*
	 * What the image says of it is the strand's next item.  Until then it goes on as being
	 * opened: whoever comes waits, and is not told that nobody leads.
	 */
	if (!log)
		publish(p, partition_facts(p), PARTITION_OFFLINE);
	strand_unpark(&p->strand);
}

/* ---- what is attached ---- */

static void tell_attached(struct partition *p, bool leads)
{
	if (!p->attached)
		return;
	if (leads)
		p->attached->lead(p->attached);
	else
		p->attached->resign(p->attached);
}

/* ---- orders ---- */

/* One thing that the registry wants done in the strand. */
struct order {
	struct work work;
	struct partition *part;
	struct partition_change change;
	struct topic_settings *settings;
};

static void give(struct partition *p, void (*run)(struct work *work),
                 const struct partition_change *change, struct topic_settings *settings)
{
	struct order *order = mem_zalloc(sizeof(*order));

	order->work.run = run;
	order->part = partition_get(p);
	if (change)
		order->change = *change;
	if (settings) {
		object_get(&settings->object);
		order->settings = settings;
	}
	strand_post(&p->strand, &order->work);
}

static struct order *order_of(struct work *work)
{
	return container_of(work, struct order, work);
}

static void order_free(struct order *order)
{
	partition_put(order->part);
	if (order->settings)
		object_put(&order->settings->object);
	mem_free(order);
}

static bool is_served(const struct partition *p)
{
	enum partition_role role = partition_facts(p)->role;

	return role == PARTITION_LEADER || role == PARTITION_FOLLOWER ||
	       (role == PARTITION_OPENING && p->log);
}

static void wake(struct partition *p)
{
	fetch_slots_publish(&p->subscribers, 0, true);
}

static void run_change(struct work *work)
{
	struct order *order = order_of(work);
	const struct partition_change *change = &order->change;
	struct partition *p = order->part;
	const struct partition_facts *old = partition_facts(p);
	struct partition_facts facts = *old;
	enum partition_role role = old->role;

	facts.leader = change->leader;
	facts.leader_epoch = change->leader_epoch;
	facts.partition_epoch = change->partition_epoch;
	facts.replica_count = change->replica_count;
	facts.isr_count = change->isr_count;
	if (is_served(p)) {
		role = change->is_leader ? PARTITION_LEADER : PARTITION_FOLLOWER;
		if (change->is_leader &&
		    (role != old->role || change->leader_epoch > old->leader_epoch)) {
			log_lead(p->log, change->leader_epoch);
			facts.epoch_start_offset = log_end_offset(p->log);
			move_high_watermark(p, log_end_mark(p->log));
		}
	}
	publish(p, &facts, role);
	if (old->role == PARTITION_LEADER && role != PARTITION_LEADER) {
		fail_deferred(p, WIRE_NOT_LEADER_OR_FOLLOWER);
		tell_attached(p, false);
	}
	if (role != old->role || facts.leader_epoch != old->leader_epoch) {
		if (role == PARTITION_LEADER)
			tell_attached(p, true);
		wake(p);
	}
	order_free(order);
}

void partition_change(struct partition *p, const struct partition_change *change)
{
	give(p, run_change, change, NULL);
}

static void run_configure(struct work *work)
{
	struct order *order = order_of(work);
	struct partition *p = order->part;
	struct topic_settings *old = p->settings;

	p->settings = order->settings;
	order->settings = NULL;
	if (is_served(p))
		log_configure(p->log, &p->settings->config.log);
	publish(p, partition_facts(p), partition_facts(p)->role);
	object_put(&old->object);
	order_free(order);
}

void partition_configure(struct partition *p, struct topic_settings *settings)
{
	give(p, run_configure, NULL, settings);
}

static void run_retain(struct work *work)
{
	struct order *order = order_of(work);
	struct partition *p = order->part;

	if (is_served(p) && log_retain(p->log, wall_ms(), partition_high_watermark(p).offset))
		fetch_slots_publish(&p->subscribers, 0, false);
	order_free(order);
}

void partition_retain(struct partition *p)
{
	give(p, run_retain, NULL, NULL);
}

static void run_fail(struct work *work)
{
	struct order *order = order_of(work);
	struct partition *p = order->part;

	if (is_served(p)) {
		publish(p, partition_facts(p), PARTITION_OFFLINE);
		fail_deferred(p, WIRE_KAFKA_STORAGE_ERROR);
		tell_attached(p, false);
		wake(p);
	}
	order_free(order);
}

void partition_fail(struct partition *p)
{
	give(p, run_fail, NULL, NULL);
}

static void run_die(struct work *work)
{
	struct order *order = order_of(work);
	struct partition *p = order->part;

	publish(p, partition_facts(p), PARTITION_GONE);
	fail_deferred(p, WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	tell_attached(p, false);
	p->is_dying = true;
	if (!p->log)
		partitions_log_died(p);
	wake(p);
	order_free(order);
}

void partition_die(struct partition *p)
{
	partitions_log_dies(p);
	give(p, run_die, NULL, NULL);
}
