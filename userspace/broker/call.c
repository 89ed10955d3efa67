/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "conn_private.h"

enum {
	KEPT_BYTES = 16 * 1024, /* of each buffer of a call in the pool */
	KEPT_COUNT = 64,        /* of each array */
};

/* ---- the pool ---- */

static void shrink(struct call *call)
{
	if (call->out.capacity > KEPT_BYTES)
		buf_fini(&call->out);
	if (call->side.capacity > KEPT_BYTES)
		buf_fini(&call->side);
	if (call->segment_capacity > KEPT_COUNT) {
		mem_free(call->segment);
		call->segment = NULL;
		call->segment_capacity = 0;
	}
	if (call->splice_capacity > KEPT_COUNT) {
		mem_free(call->splice);
		call->splice = NULL;
		call->splice_capacity = 0;
	}
}

static void call_free(struct call *call)
{
	arena_fini(&call->arena);
	buf_fini(&call->out);
	buf_fini(&call->side);
	mem_free(call->segment);
	mem_free(call->splice);
	mem_free(call);
}

/* Nobody knows it any more. */
static void recycle(struct call *call)
{
	struct shard *s = call->shard;

	frame_put(call->frame);
	if (s->free_count >= LIMIT_POOL_CALLS) {
		call_free(call);
	} else {
		arena_reset(&call->arena);
		shrink(call);
		*call = (struct call){
			.arena = call->arena,
			.out = { .data = call->out.data, .capacity = call->out.capacity },
			.side = { .data = call->side.data, .capacity = call->side.capacity },
			.segment = call->segment,
			.segment_capacity = call->segment_capacity,
			.splice = call->splice,
			.splice_capacity = call->splice_capacity,
			.pool_next = s->free_call,
		};
		s->free_call = call;
		s->free_count++;
	}
	atomic_fetch_sub_explicit(&s->calls, 1, memory_order_relaxed);
	shard_look(s);
}

void call_pool_fini(struct shard *s)
{
	struct call *call;

	while ((call = s->free_call)) {
		s->free_call = call->pool_next;
		call_free(call);
	}
	s->free_count = 0;
}

/* ---- mail and timers of a call, at home ---- */

static void on_mail(struct mail *mail)
{
	struct call *call = container_of(mail, struct call, mail);

	call->is_awaited = false;
	if (call->state == CALL_RUNNING)
		call->resume(call);
	else if (call->state == CALL_ENDED)
		recycle(call);
}

static void on_timer(struct timer *timer)
{
	struct call *call = container_of(timer, struct call, timer);

	call->fire(call);
}

void call_begin_parts(struct call *call, int count, void (*resume)(struct call *self))
{
	check(count > 0 && call->state == CALL_RUNNING && !call->is_awaited);
	call->is_awaited = true;
	call->resume = resume;
	atomic_store_explicit(&call->pending, count, memory_order_relaxed);
}

void call_part_done(struct call *call)
{
	/* Release: what this part wrote.  Acquire: what the others wrote, for home to read. */
	int before = atomic_fetch_sub_explicit(&call->pending, 1, memory_order_acq_rel);

	check(before > 0);
	if (before == 1)
		reactor_post(call->home, &call->mail);
}

void call_yield(struct call *call, void (*resume)(struct call *self))
{
	check(call->state == CALL_RUNNING && !call->is_awaited);
	call->is_awaited = true;
	call->resume = resume;
	reactor_post(call->home, &call->mail);
}

void call_timer(struct call *call, uint64_t ms, void (*fire)(struct call *self))
{
	check(call->state == CALL_RUNNING);
	call->fire = fire;
	timer_arm(&call->timer, mono_ms() + ms);
}

void call_timer_end(struct call *call)
{
	timer_disarm(&call->timer);
}

struct call *call_before(const struct call *call)
{
	if (!call->conn || call->link.prev == &call->conn->calls)
		return NULL;
	return list_entry(call->link.prev, struct call, link);
}

/* ---- from the first byte to the last ---- */

static size_t decode_limit(size_t frame_size)
{
	size_t limit = LIMIT_DECODE_BYTES_BASE + LIMIT_DECODE_BYTES_FACTOR * frame_size;

	return limit < LIMIT_DECODE_BYTES_MAX ? limit : LIMIT_DECODE_BYTES_MAX;
}

struct call *call_new(struct conn *c, size_t frame_size)
{
	struct shard *s = c->shard;
	struct call *call = s->free_call;

	if (call) {
		s->free_call = call->pool_next;
		s->free_count--;
	} else {
		call = mem_zalloc(sizeof(*call));
	}
	call->pool_next = NULL;
	call->arena.limit = decode_limit(frame_size);
	call->broker = c->server->broker;
	call->listener = &c->listener->call;
	call->frame_size = (uint32_t)frame_size;
	call->principal = STR("User:ANONYMOUS");
	call->peer = c->peer;
	call->received_ns = mono_ns();
	call->home = reactor_self();
	call->shard = s;
	call->conn = c;
	call->mail.run = on_mail;
	call->state = CALL_RUNNING;
	timer_init(&call->timer, on_timer);
	list_push(&c->calls, &call->link);
	c->call_count++;
	c->running++;
	atomic_fetch_add_explicit(&s->calls, 1, memory_order_relaxed);
	return call;
}

void call_answered(struct call *call)
{
	struct conn *c = call->conn;

	timer_disarm(&call->timer);
	call->on_detach = NULL;
	call->state = CALL_ANSWERED;
	if (!call->is_awaited) {
		frame_put(call->frame); /* whoever reads the answer slowly shall not hold it */
		call->frame = NULL;
	}
	if (!c) {
		call_end(call);
		return;
	}
	c->running--;
	if (c->is_pumping)
		return; /* it sends when the handlers of this turn have run */
	if (c->call_count > 1)
		conn_post(c); /* others may be answered in this turn: one send for all */
	else if (!conn_send(c))
		conn_end(c);
	else if (c->is_blocked || c->is_ending)
		conn_post(c); /* not now: a handler runs from the loop only */
}

void call_end(struct call *call)
{
	struct conn *c = call->conn;

	timer_disarm(&call->timer);
	if (c) {
		list_remove(&call->link);
		c->call_count--;
		c->running -= call->state == CALL_RUNNING;
		call->conn = NULL;
	}
	for (uint32_t i = 0; i < call->segment_count; i++)
		file_put(call->segment[i].file);
	call->segment_count = 0;
	call->state = CALL_ENDED;
	if (!call->is_awaited)
		recycle(call);
}
