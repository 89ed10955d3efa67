/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/metadata.h"

#include <errno.h>

#include "base/mem.h"
#include "metadata_private.h"
#include "store/log_dir.h"
#include "wire/errors.h"

/*
 * One strand holds the log of the metadata partition, the raft machine and the controller.  A
 * request goes through them in this order:
 *
 *	controller_step()   decides; its private image has the records already
 *	log_stage()         as one batch, with `sync`: the run's batches share one write and one
 *sync RAFT_SYNCED         the batch is durable, so in a quorum of one it is committed replay into
 *the committed image, which is published, `changed` told answer              mailed to the reactor
 *that asked
 *
 * A request that needed no records waits until what it saw is committed.
 */

/* The tick's timer is not moved for every step: it looks at least this often. */
enum { TICK_MS_MAX = 500, ACTIVATE_AGAIN_MS = 100 };

struct retired_image {
	struct rcu_head rcu;
	const struct image *image;
};

static void free_retired(struct rcu_head *head)
{
	struct retired_image *retired = (struct retired_image *)(void *)head;

	image_put(retired->image);
	mem_free(retired);
}

/* ---- commit ---- */

/* Inside a metadata transaction nothing is published: it may still be aborted. */
static void publish(struct metadata *m)
{
	struct image *old = atomic_load_explicit(&m->image, memory_order_relaxed);
	struct image *new = m->replay.image;
	struct retired_image *retired;

	if (image_in_transaction(new) || (old && old->offset == new->offset))
		return;
	m->replay.image = image_edit(new);
	retired = mem_alloc(sizeof(*retired));
	retired->image = old;
	/* First: nobody sees a partition in the image that is not to be found on this broker yet.
	 */
	if (m->options.changed)
		m->options.changed(m->options.arg, old, new);
	rcu_publish(&m->image, new);
	rcu_defer(&retired->rcu, free_retired);
}

static void replay_pending(struct metadata *m, struct pending *p)
{
	struct image_apply_error why;
	struct batch b;

	check(!batch_parse((struct span){ p->batch.data, p->batch.size }, &b));
	check(metadata_replay_batch(&m->replay, &b, &why) == IMAGE_APPLIED);

	raft_snapshot_count(&m->snapshots, p->batch.size);
}

static void free_pending(struct pending *p)
{
	buf_fini(&p->batch);
	mem_free(p);
}

static struct pending *take_pending(struct metadata *m)
{
	struct pending *p = m->pending;

	m->pending = p->next;
	if (!m->pending)
		m->pending_end = &m->pending;
	return p;
}

static void commit(struct metadata *m, int64_t high_watermark)
{
	while (m->pending && m->pending->end_offset <= high_watermark) {
		struct pending *p = take_pending(m);

		replay_pending(m, p);
		free_pending(p);
	}
	atomic_store_explicit(&m->high_watermark, high_watermark, memory_order_release);
}

/* ---- the end ---- */

struct halt_job {
	struct job job;
	struct dir *dir;
	const char *reason;
};

static void run_halt(struct job *job)
{
	struct halt_job *j = container_of(job, struct halt_job, job);

	log_dir_doubt(j->dir);
	halt(j->reason);
}

void metadata_halt(struct metadata *m, const char *reason)
{
	struct halt_job *j = mem_zalloc(sizeof(*j));

	j->job.run = run_halt;
	j->dir = m->options.dir;
	j->reason = reason;
	work_submit(WORK_SLOW, &j->job);
}

/* ---- append ---- */

static void on_appended(struct log_append *append)
{
	struct pending *p = container_of(append, struct pending, append);
	struct metadata *m = p->metadata;
	struct raft_event event = {
		.type = RAFT_APPENDED,
		.wall_ms = wall_ms(),
		.mono_ms = mono_ms(),
		.end = { append->last_offset + 1, append->leader_epoch },
	};

	if (append->error || m->append_failed) {
		m->append_failed = true;
		return;
	}
	check(append->last_offset + 1 == p->end_offset);

	metadata_raft(m, &event);
	event.type = RAFT_SYNCED;
	metadata_raft(m, &event);
}

static void stage(struct metadata *m, struct pending *p, uint32_t record_count)
{
	m->next_offset += record_count;
	p->metadata = m;
	p->next = NULL;
	p->end_offset = m->next_offset;
	p->append = (struct log_append){
		.data = p->batch.data,
		.size = p->batch.size,
		.origin = LOG_INTERNAL,
		.leader_epoch = m->raft.election.epoch,
		.append_time_ms = -1,
		.now_ms = wall_ms(),
		.sync = true,
		.done = on_appended,
	};
	*m->pending_end = p;
	m->pending_end = &p->next;
	log_stage(m->log, &p->append);
}

enum { BATCH_RECORDS_MAX = 10000 };

/* Records that need not be one batch are cut where Kafka cuts them. */
static void stage_records(struct metadata *m, const struct controller_out *out)
{
	size_t at = 0;

	while (at < out->record_count) {
		size_t count = out->record_count - at;
		struct pending *p = mem_zalloc(sizeof(*p));

		if (count > BATCH_RECORDS_MAX)
			count = BATCH_RECORDS_MAX;
		metadata_batch_encode(&p->batch, m->next_offset, m->raft.election.epoch, wall_ms(),
		                      out->record + at, count);
		stage(m, p, (uint32_t)count);
		at += count;
	}
}

static void stage_leader_batch(struct metadata *m, const struct raft_want *want)
{
	struct pending *p = mem_zalloc(sizeof(*p));
	uint32_t count = metadata_leader_batch_encode(&p->batch, &m->raft, want, wall_ms());

	check(want->offset == m->next_offset);

	stage(m, p, count);
}

/* ---- the controller ---- */

static void answer(struct controller_call *call)
{
	reactor_post(call->home, &call->mail);
}

static void wait_for_commit(struct metadata *m, struct controller_call *call)
{
	call->wait_offset = m->next_offset;
	call->next = NULL;
	*m->waiting_end = call;
	m->waiting_end = &call->next;
}

void metadata_event(struct metadata *m, struct controller_event *event,
                    struct controller_call *call)
{
	struct arena *arena = call ? &call->arena : &m->step_arena;
	struct controller_out out;

	event->mono_ms = mono_ms();
	event->wall_ms = wall_ms();
	event->next_offset = m->next_offset;
	arena_reset(arena);
	controller_step(m->controller, event, arena, &out);
	stage_records(m, &out);
	if (!call)
		return;
	call->error = out.error;
	call->message = out.message;
	call->response = out.response;
	wait_for_commit(m, call);
}

static void activate(struct metadata *m)
{
	struct controller_event event = {
		.type = CONTROLLER_ACTIVATE,
		.bootstrap = m->bootstrap,
		.bootstrap_count = m->bootstrap_count,
	};

	metadata_event(m, &event, NULL);
}

/*
 * The log took nothing: everything that rested on it is void, the controller begins anew, a little
 * later: its first records may find no room either.
 */
static void take_back(struct metadata *m)
{
	int64_t committed = atomic_load_explicit(&m->high_watermark, memory_order_relaxed);
	struct controller_call *call;

	m->append_failed = false;
	while (m->pending)
		free_pending(take_pending(m));
	while ((call = m->waiting)) {
		m->waiting = call->next;
		call->error = WIRE_NOT_CONTROLLER;
		call->message = STR("The metadata log could not be written.");
		call->response = NULL;
		answer(call);
	}
	m->waiting_end = &m->waiting;
	if (committed < 0) {
		metadata_halt(m, "the metadata log cannot be written");
		return;
	}
	/* What came behind the one that failed may have found room: it is void, too. */
	log_truncate(m->log, committed);
	m->next_offset = committed;
	controller_reset(m->controller, m->replay.image, mono_ms());
	m->activate_ms = mono_ms() + ACTIVATE_AGAIN_MS;
}

static void answer_committed(struct metadata *m)
{
	int64_t high_watermark = atomic_load_explicit(&m->high_watermark, memory_order_relaxed);
	struct controller_call *call;

	while ((call = m->waiting) && call->wait_offset <= high_watermark) {
		m->waiting = call->next;
		if (!m->waiting)
			m->waiting_end = &m->waiting;
		answer(call);
	}
}

/* ---- raft ---- */

static void write_state(struct job *job)
{
	struct file_job *state = container_of(job, struct file_job, job);

	state->err = dir_replace(state->metadata->options.dir, METADATA_LOG "/quorum-state",
	                         state->data.data, state->data.size, true);
}

static void state_written(struct job *job)
{
	struct file_job *state = container_of(job, struct file_job, job);

	strand_post(&state->metadata->strand, &state->news);
}

static void on_state_written(struct work *work)
{
	struct file_job *state = container_of(work, struct file_job, news);

	if (state->err) {
		metadata_halt(state->metadata, "quorum-state cannot be written");
		return;
	}
	metadata_raft(state->metadata, &(struct raft_event){ .type = RAFT_STORED });
}

static void store_election(struct metadata *m)
{
	struct file_job *state = &m->state_job;

	state->metadata = m;
	state->data.size = 0;
	raft_election_encode(&m->raft, &state->data);
	state->job.run = write_state;
	state->job.done = state_written;
	state->news = (struct work){ .run = on_state_written };
	work_submit(WORK_SLOW, &state->job);
}

static void lead(struct metadata *m, const struct raft_want *want)
{
	controller_reset(m->controller, m->replay.image, mono_ms());
	activate(m);
	atomic_store_explicit(&m->leader_epoch, want->election.epoch, memory_order_relaxed);
	atomic_store_explicit(&m->leader_id, want->election.leader_id, memory_order_release);
}

static void obey(struct metadata *m, const struct raft_out *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct raft_want *want = &out->want[i];

		switch (want->type) {
		case RAFT_STORE:
			store_election(m);
			break;
		case RAFT_APPEND_LEADER:
			stage_leader_batch(m, want);
			break;
		case RAFT_LEAD:
			lead(m, want);
			break;
		case RAFT_COMMITTED:
			commit(m, want->offset);
			break;
		case RAFT_STEP_DOWN:
		case RAFT_REFUSE:
			halt("this node cannot lead the metadata quorum any more");
		}
	}
}

void metadata_raft(struct metadata *m, const struct raft_event *event)
{
	struct raft_out out;

	raft_step(&m->raft, event, &out);
	obey(m, &out);
}

/* ---- the strand ---- */

static void on_ready(struct mail *mail)
{
	metadata_life_start(container_of(mail, struct metadata, ready_mail));
}

static void settled(struct metadata *m)
{
	if (m->append_failed)
		take_back(m);
	if (atomic_load_explicit(&m->high_watermark, memory_order_relaxed) >= 0) {
		publish(m);
		answer_committed(m);
		if (!m->led) {
			m->led = true;
			reactor_post(0, &m->ready_mail);
		}
		metadata_snapshot_maybe(m);
	}
	atomic_store_explicit(&m->wake_ms,
	                      m->activate_ms ? m->activate_ms : controller_wake_ms(m->controller),
	                      memory_order_relaxed);
}

static enum settled settle(struct strand *strand)
{
	struct metadata *m = container_of(strand, struct metadata, strand);

	do {
		enum settled answer = log_settle(m->log);

		if (answer != SETTLED)
			return answer;
		settled(m);
	} while (log_has_staged(m->log));
	return SETTLED;
}

static void on_start(struct work *work)
{
	struct metadata *m = container_of(work, struct metadata, start_work);

	if (m->restart_at >= 0)
		log_restart_at(m->log, m->restart_at);
	m->next_offset = m->restart_at >= 0 ? m->restart_at : log_end_offset(m->log);
	obey(m, &m->first_wants);
}

static void on_tick(struct work *work)
{
	struct metadata *m = container_of(work, struct metadata, tick_work);
	struct controller_event event = { .type = CONTROLLER_TICK };

	atomic_store_explicit(&m->tick_posted, false, memory_order_relaxed);
	if (m->activate_ms && mono_ms() >= m->activate_ms) {
		m->activate_ms = 0;
		activate(m);
	}
	if (controller_is_active(m->controller))
		metadata_event(m, &event, NULL);
}

static void fire_tick(struct timer *timer)
{
	struct metadata *m = container_of(timer, struct metadata, tick_timer);
	uint64_t now_ms = mono_ms();
	uint64_t wake_ms = atomic_load_explicit(&m->wake_ms, memory_order_relaxed);

	if (now_ms >= wake_ms && !atomic_exchange(&m->tick_posted, true)) {
		strand_post(&m->strand, &m->tick_work);
		wake_ms = now_ms + 1;
	}
	if (wake_ms > now_ms + TICK_MS_MAX)
		wake_ms = now_ms + TICK_MS_MAX;
	timer_arm(timer, wake_ms > now_ms ? wake_ms : now_ms + 1);
}

void metadata_start(struct metadata *m)
{
	strand_post(&m->strand, &m->start_work);
	timer_arm(&m->tick_timer, mono_ms() + TICK_MS_MAX);
}

/* ---- the client ---- */

static void on_call(struct work *work)
{
	struct controller_call *call = container_of(work, struct controller_call, work);
	struct controller_event event = {
		.type = CONTROLLER_REQUEST,
		.api_key = call->api_key,
		.version = call->version,
		.request = call->request,
		.principal = call->principal,
	};

	metadata_event(call->metadata, &event, call);
}

static void on_answer(struct mail *mail)
{
	struct controller_call *call = container_of(mail, struct controller_call, mail);

	call->done(call);
}

void controller_send(struct metadata *metadata, struct controller_call *call)
{
	arena_init(&call->arena, SIZE_MAX);
	call->metadata = metadata;
	call->home = reactor_self();
	call->mail = (struct mail){ .run = on_answer };
	call->work = (struct work){ .run = on_call };
	strand_post(&metadata->strand, &call->work);
}

void controller_call_fini(struct controller_call *call)
{
	arena_fini(&call->arena);
	call->response = NULL;
}

/* ---- life and lookups ---- */

void metadata_random(void *arg, void *out, size_t size)
{
	(void)arg;
	random_bytes(out, size);
}

struct metadata *metadata_new(const struct metadata_options *options)
{
	struct metadata *m = mem_zalloc(sizeof(*m));

	m->options = *options;
	m->restart_at = -1;
	m->pending_end = &m->pending;
	m->waiting_end = &m->waiting;
	m->start_work = (struct work){ .run = on_start };
	m->tick_work = (struct work){ .run = on_tick };
	m->ready_mail = (struct mail){ .run = on_ready };
	m->snapshots = (struct raft_snapshot_policy){
		.bytes_max = options->snapshot_bytes,
		.interval_ms = options->snapshot_interval_ms,
		.last_ms = mono_ms(),
	};
	arena_init(&m->arena, SIZE_MAX);
	arena_init(&m->step_arena, SIZE_MAX);
	timer_init(&m->tick_timer, fire_tick);
	strand_init(&m->strand, settle);
	metadata_replay_init(&m->replay);
	atomic_init(&m->image, image_new());
	atomic_init(&m->high_watermark, -1);
	atomic_init(&m->leader_id, -1);
	atomic_init(&m->leader_epoch, -1);
	atomic_init(&m->wake_ms, UINT64_MAX);
	metadata_life_init(m);
	return m;
}

void metadata_free(struct metadata *m)
{
	if (!m)
		return;
	while (m->pending)
		free_pending(take_pending(m));
	controller_free(m->controller);
	metadata_replay_fini(&m->replay);
	image_put(atomic_load_explicit(&m->image, memory_order_relaxed));
	buf_fini(&m->state_job.data);
	arena_fini(&m->life.arena);
	arena_fini(&m->step_arena);
	arena_fini(&m->arena);
	mem_free(m);
}

int metadata_close(struct metadata *m, bool clean)
{
	int err = m->log ? log_close(m->log, clean) : 0;

	if (m->log && clean && !err) /* no checkpoint speaks of it */
		err = log_unlimit(m->options.dir, METADATA_LOG);
	metadata_free(m);
	return err;
}

const struct image *metadata_image(const struct metadata *m)
{
	return rcu_load(&m->image);
}

struct str metadata_cluster_id(const struct metadata *m)
{
	return m->cluster_id;
}

struct uuid metadata_directory_id(const struct metadata *m)
{
	return m->directory_id;
}

int32_t metadata_node_id(const struct metadata *m)
{
	return m->options.node_id;
}

int64_t metadata_broker_epoch(const struct metadata *m)
{
	return atomic_load_explicit(&m->life.epoch, memory_order_relaxed);
}

int32_t metadata_controller_id(const struct metadata *m)
{
	return atomic_load_explicit(&m->leader_id, memory_order_acquire);
}

/* Voters do not change while the only one of them leads. */
void metadata_quorum(const struct metadata *m, struct metadata_quorum *ret)
{
	*ret = (struct metadata_quorum){
		.leader_id = metadata_controller_id(m),
		.leader_epoch = atomic_load_explicit(&m->leader_epoch, memory_order_relaxed),
		.high_watermark = atomic_load_explicit(&m->high_watermark, memory_order_acquire),
		.log_end_offset = log_end_offset(m->log),
		.last_fetch_ms = wall_ms(),
		.kraft_version = m->raft.quorum.kraft_version,
		.voter_count = m->raft.quorum.voter_count,
		.voter = m->raft.quorum.voter,
	};
}
