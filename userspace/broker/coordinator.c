/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/coordinator.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "broker/diag.h"
#include "coordinator_private.h"
#include "wire/errors.h"

/* ---- memory ---- */

struct coordinator_memory *coordinator_memory_new(void)
{
	struct coordinator_memory *memory = mem_zalloc(sizeof(*memory));

	atomic_init(&memory->refs, 1);
	arena_init(&memory->arena, SIZE_MAX);
	return memory;
}

struct coordinator_memory *coordinator_memory_get(struct coordinator_memory *memory)
{
	if (memory)
		atomic_fetch_add_explicit(&memory->refs, 1, memory_order_relaxed);
	return memory;
}

void coordinator_memory_put(struct coordinator_memory *memory)
{
	if (!memory || atomic_fetch_sub_explicit(&memory->refs, 1, memory_order_acq_rel) != 1)
		return;
	arena_fini(&memory->arena);
	mem_free(memory);
}

/* ---- answers ---- */

static void run_done(struct mail *mail)
{
	struct coordinator_request *r = container_of(mail, struct coordinator_request, mail);
	struct coordinator_memory *memory = r->memory;
	struct partition *part = r->part;

	r->done(r);
	coordinator_memory_put(memory);
	partition_put(part);
}

static void give(struct coordinator_request *r)
{
	list_remove(&r->link);
	r->mail.run = run_done;
	reactor_post(r->home, &r->mail);
}

static void refuse(struct coordinator_request *r, int16_t error)
{
	coordinator_memory_put(r->memory);
	r->memory = NULL;
	r->response = NULL;
	r->error = error;
	give(r);
}

void coordinator_answer(struct coordinator *c, struct coordinator_request *request,
                        const void *response, struct coordinator_memory *memory)
{
	request->memory = coordinator_memory_get(memory);
	request->response = response;
	request->wait = c->appended;
	list_remove(&request->link);
	list_push(&c->owed, &request->link);
	if (c->committed == c->appended)
		give(request);
}

static void give_committed(struct coordinator *c)
{
	list_each_safe(pos, tmp, &c->owed)
	{
		struct coordinator_request *r = list_entry(pos, struct coordinator_request, link);

		if (r->wait > c->committed)
			return; /* they are in order */
		give(r);
	}
}

static void refuse_all(struct list *requests, int16_t error)
{
	while (!list_is_empty(requests))
		refuse(list_entry(requests->next, struct coordinator_request, link), error);
}

/* ---- the machine goes ---- */

static void drop_machine(struct coordinator *c)
{
	void *machine = c->machine;

	c->machine = NULL;
	c->state = COORDINATOR_NONE;
	c->life++; /* what is under way for this machine comes too late */
	if (machine)
		c->ops->close(machine);
	refuse_all(&c->owed, WIRE_NOT_COORDINATOR);
	refuse_all(&c->parked, WIRE_NOT_COORDINATOR);
	c->committed = c->appended;
}

/* Outside of any step: another machine is made from what the log really holds. */
static void run_reload(struct work *work)
{
	struct coordinator *c = container_of(work, struct coordinator, reload_work);
	struct partition *part = c->part;

	c->is_reloading = false;
	if (c->has_failed) {
		c->has_failed = false;
		drop_machine(c);
		if (partition_facts(part)->role == PARTITION_LEADER)
			coordinator_load(c);
	}
	partition_put(part);
}

static void reload_later(struct coordinator *c)
{
	if (c->is_reloading)
		return;
	c->is_reloading = true;
	partition_get(c->part);
	c->reload_work = (struct work){ .run = run_reload };
	strand_post(&c->part->strand, &c->reload_work);
}

/* ---- appends ---- */

struct coordinator_batch {
	struct partition_append append;
	struct coordinator *c;
	struct buf data;
	uint64_t sequence;
	uint64_t life;
	void (*done)(struct coordinator_batch *self);
};

static void on_appended(struct partition_append *append)
{
	struct coordinator_batch *b = container_of(append, struct coordinator_batch, append);
	struct coordinator *c = b->c;

	if (b->life == c->life && append->log.error) {
		diag_warn("coordinator", "%s: error %d on append: it is loaded anew", c->part->name,
		          append->log.error);
		c->has_failed = true;
		reload_later(c);
	} else if (b->life == c->life && !c->has_failed) {
		c->committed = b->sequence;
		c->log_start = append->log.log_start_offset;
		c->log_end = append->log.last_offset + 1;
		give_committed(c);
	}
	if (b->done)
		b->done(b);
	buf_fini(&b->data);
	mem_free(b);
}

static struct coordinator_batch *batch_of(struct coordinator *c)
{
	struct coordinator_batch *b = mem_zalloc(sizeof(*b));

	b->c = c;
	b->life = c->life;
	return b;
}

static void stage(struct coordinator *c, struct coordinator_batch *b, int64_t wall_ms)
{
	b->sequence = ++c->appended;
	b->append = (struct partition_append){
		.log = { .data = b->data.data,
		         .size = b->data.size,
		         .origin = LOG_INTERNAL,
		         .append_time_ms = -1,
		         .now_ms = wall_ms },
		.acks = -1,
		.done = on_appended,
	};
	partition_stage(c->part, &b->append);
}

/* As Kafka's coordinators write: from sequence 0 on, although there is no producer. */
static void begin_batch(struct batch_builder *builder, struct coordinator_batch *b)
{
	struct batch_options options = BATCH_PLAIN;

	options.base_sequence = 0;
	batch_begin(builder, &b->data, &options);
}

static void add_record(struct batch_builder *builder, const struct coordinator_record *record,
                       int64_t wall_ms)
{
	batch_add(builder, wall_ms, record->key, record->value, NULL, 0);
}

void coordinator_append(struct coordinator *c, const struct coordinator_record *record,
                        size_t count, bool atomic, int64_t wall_ms)
{
	struct coordinator_batch *b = NULL;
	struct batch_builder builder;

	for (size_t i = 0; i < count; i++) {
		if (b && !atomic &&
		    batch_builder_size(&builder) + record[i].key.size + record[i].value.size >
		            COORDINATOR_BATCH_BYTES) {
			batch_end(&builder);
			stage(c, b, wall_ms);
			b = NULL;
		}
		if (!b) {
			b = batch_of(c);
			begin_batch(&builder, b);
		}
		add_record(&builder, &record[i], wall_ms);
	}
	if (b) {
		batch_end(&builder);
		stage(c, b, wall_ms);
	}
}

/* ---- compaction: until there is a cleaner, what lives is appended again ---- */

struct snapshot {
	struct coordinator *c;
	struct coordinator_batch *batch;
	struct batch_builder builder;
	int64_t wall_ms;
	bool is_first;
};

static void on_first_appended(struct coordinator_batch *b)
{
	struct coordinator *c = b->c;

	if (!b->append.log.error && b->life == c->life)
		c->compacted_from = b->append.log.base_offset;
}

/* All of it is there: what lies before is dead. */
static void on_last_appended(struct coordinator_batch *b)
{
	struct coordinator *c = b->c;
	int64_t low;

	c->is_compacting = false;
	if (b->append.log.error || b->life != c->life || c->compacted_from < 0)
		return;
	if (!partition_delete_records(c->part, c->compacted_from, &low))
		c->log_start = low;
	c->compacted_from = -1;
}

static void end_snapshot_batch(struct snapshot *s, bool is_last)
{
	if (!s->batch)
		return;
	batch_end(&s->builder);
	s->batch->done = s->is_first ? on_first_appended : NULL;
	/* The first may be the last, too: its offset is known before the start moves. */
	if (is_last && s->is_first)
		s->batch->done = coordinator_only_appended;
	else if (is_last)
		s->batch->done = on_last_appended;
	s->is_first = false;
	stage(s->c, s->batch, s->wall_ms);
	s->batch = NULL;
}

void coordinator_only_appended(struct coordinator_batch *b)
{
	on_first_appended(b);
	on_last_appended(b);
}

static void on_snapshot_record(void *arg, const struct coordinator_record *record)
{
	struct snapshot *s = arg;

	if (s->batch && batch_builder_size(&s->builder) + record->key.size + record->value.size >
	                        COORDINATOR_BATCH_BYTES)
		end_snapshot_batch(s, false);
	if (!s->batch) {
		s->batch = batch_of(s->c);
		begin_batch(&s->builder, s->batch);
	}
	add_record(&s->builder, record, s->wall_ms);
}

static void compact_maybe(struct coordinator *c)
{
	uint64_t dead = (uint64_t)(c->log_end - c->log_start);
	struct snapshot s = { .c = c, .wall_ms = wall_ms(), .is_first = true };
	size_t live;

	if (c->is_compacting || c->has_failed || dead < COORDINATOR_DEAD_MIN ||
	    !c->ops->can_snapshot(c->machine))
		return;
	live = c->ops->record_count(c->machine);
	if (dead / COORDINATOR_DEAD_FACTOR < live)
		return;
	c->is_compacting = true;
	c->compacted_from = -1;
	c->ops->snapshot(c->machine, on_snapshot_record, &s);
	if (!s.batch && s.is_first) { /* nothing lives */
		int64_t low;

		c->is_compacting = false;
		if (!partition_delete_records(c->part, c->log_end, &low))
			c->log_start = low;
		return;
	}
	end_snapshot_batch(&s, true);
}

/* ---- time: a timer on reactor 0, moved when the machine wants to be woken earlier ---- */

static void run_tick(struct work *work)
{
	struct coordinator *c = container_of(work, struct coordinator, tick_work);
	struct partition *part = c->part;

	atomic_store(&c->tick_posted, false);
	c->armed_ms = UINT64_MAX;
	if (c->state == COORDINATOR_ACTIVE && !c->has_failed) {
		c->ops->tick(c, c->machine);
		coordinator_stepped(c);
	}
	partition_put(part);
}

static void fire(struct timer *timer)
{
	struct coordinator *c = container_of(timer, struct coordinator, timer);

	/* The reference is the timer's while it is armed, and the work's from here on. */
	if (atomic_exchange(&c->tick_posted, true))
		partition_put(c->part); /* the one before has not run yet */
	else
		strand_post(&c->part->strand, &c->tick_work);
}

static void rearm(struct mail *mail)
{
	struct coordinator *c = container_of(mail, struct coordinator, arm_mail);
	uint64_t due = atomic_exchange(&c->wanted_ms, UINT64_MAX);

	if (c->is_stopped) {
		partition_put(c->part);
		return;
	}
	if (timer_is_armed(&c->timer)) {
		if (due < c->timer.due_ms)
			timer_arm(&c->timer, due);
		partition_put(c->part);
		return;
	}
	timer_arm(&c->timer, due);
}

/* An armed timer would hold the partition for ever: nothing fires once the reactors end. */
static void on_stop(struct partition_attachment *attachment)
{
	struct coordinator *c = container_of(attachment, struct coordinator, attachment);

	c->is_stopped = true;
	if (!timer_is_armed(&c->timer))
		return;
	timer_disarm(&c->timer);
	partition_put(c->part);
}

/*
 * armed_ms is what the strand asked for last.  The mail holds a reference, which becomes the
 * timer's; wanted_ms says that one is under way.
 */
static void arm(struct coordinator *c, uint64_t due)
{
	if (due >= c->armed_ms)
		return;
	c->armed_ms = due;
	if (atomic_exchange(&c->wanted_ms, due) != UINT64_MAX)
		return;
	partition_get(c->part);
	reactor_post(0, &c->arm_mail);
}

void coordinator_stepped(struct coordinator *c)
{
	arm(c, c->ops->wake_ms(c->machine));
	compact_maybe(c);
}

/* ---- requests ---- */

static void run_request(struct work *work)
{
	struct coordinator_request *r = container_of(work, struct coordinator_request, work);
	struct partition_attachment *attached = r->part->attached;
	struct coordinator *c;

	list_init(&r->link);
	if (!attached || partition_facts(r->part)->role != PARTITION_LEADER) {
		refuse(r, WIRE_NOT_COORDINATOR);
		return;
	}
	c = container_of(attached, struct coordinator, attachment);
	if (c->state != COORDINATOR_ACTIVE || c->has_failed) {
		refuse(r, c->state == COORDINATOR_NONE ? WIRE_NOT_COORDINATOR
		                                       : WIRE_COORDINATOR_LOAD_IN_PROGRESS);
		return;
	}
	list_push(&c->parked, &r->link);
	r->run(c, c->machine, r);
	if (r->is_news)
		give(r);
	coordinator_stepped(c);
}

void coordinator_send(struct partition *p, struct coordinator_request *request)
{
	request->part = partition_get(p);
	request->home = reactor_self();
	request->memory = NULL;
	request->response = NULL;
	request->error = WIRE_NONE;
	request->work = (struct work){ .run = run_request };
	if (partition_facts(p)->role == PARTITION_OPENING)
		partition_await(p, &request->work);
	else
		strand_post(&p->strand, &request->work);
}

/* ---- the attachment ---- */

static struct coordinator *coordinator_of(struct partition_attachment *attachment)
{
	return container_of(attachment, struct coordinator, attachment);
}

static void on_lead(struct partition_attachment *attachment)
{
	struct coordinator *c = coordinator_of(attachment);

	if (c->state != COORDINATOR_NONE)
		drop_machine(c);
	coordinator_load(c);
}

static void on_resign(struct partition_attachment *attachment)
{
	drop_machine(coordinator_of(attachment));
}

static void on_free(struct partition_attachment *attachment)
{
	struct coordinator *c = coordinator_of(attachment);

	c->ops->close(c->machine);
	mem_free(c);
}

void coordinator_attach(struct partition *p, const struct coordinator_ops *ops, void *arg)
{
	struct coordinator *c = mem_zalloc(sizeof(*c));

	c->attachment = (struct partition_attachment){ on_lead, on_resign, on_stop, on_free };
	c->part = p;
	c->ops = ops;
	c->arg = arg;
	c->armed_ms = UINT64_MAX;
	c->compacted_from = -1;
	atomic_init(&c->wanted_ms, UINT64_MAX);
	list_init(&c->owed);
	list_init(&c->parked);
	timer_init(&c->timer, fire);
	c->arm_mail.run = rearm;
	c->tick_work.run = run_tick;
	p->attached = &c->attachment;
}
