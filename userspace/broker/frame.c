/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/frame.h"

#include "base/check.h"
#include "base/mem.h"
#include "broker/limits.h"

/* Free chunks of a reactor. */
struct pool {
	struct frame *first;
	uint32_t count;
	char apart[112]; /* no line of it is another reactor's */
};

static struct pool *pools;
static int pool_count;
static size_t budget;
static _Atomic(size_t) used;

struct frame *frame_get(struct frame *f)
{
	if (f)
		atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

static void frame_free(struct frame *f)
{
	if (f->reserved)
		atomic_fetch_sub_explicit(&used, f->reserved, memory_order_relaxed);
	mem_free(f->data);
	mem_free(f);
}

static void come_home(struct mail *mail)
{
	struct frame *f = container_of(mail, struct frame, mail);

	struct pool *pool = &pools[f->home];

	if (pool->count >= LIMIT_POOL_CHUNKS) {
		frame_free(f);
		return;
	}
	f->next = pool->first;
	pool->first = f;
	pool->count++;
}

void frame_put(struct frame *f)
{
	if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (f->reserved) {
		frame_free(f);
	} else if (reactor_self() == f->home) {
		come_home(&f->mail);
	} else {
		f->mail.run = come_home;
		reactor_post(f->home, &f->mail);
	}
}

static struct frame *frame_new(size_t capacity, size_t reserved)
{
	struct frame *f = mem_zalloc(sizeof(*f));

	f->data = mem_alloc(capacity);
	f->capacity = capacity;
	f->reserved = reserved;
	f->home = reactor_self();
	atomic_store_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

struct frame *frame_chunk(void)
{
	struct pool *pool = &pools[reactor_self()];
	struct frame *f = pool->first;

	if (!f)
		return frame_new(FRAME_CHUNK_SIZE, 0);
	pool->first = f->next;
	pool->count--;
	atomic_store_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

struct frame *frame_large(size_t size)
{
	size_t now = atomic_load_explicit(&used, memory_order_relaxed);

	check(size > 0);
	do {
		/* One request is always let in: it may be larger than the whole budget. */
		if (now && (now > budget || size > budget - now))
			return NULL;
	} while (!atomic_compare_exchange_weak_explicit(
		&used, &now, now + size, memory_order_relaxed, memory_order_relaxed));
	return frame_new(size < FRAME_CHUNK_SIZE ? size : FRAME_CHUNK_SIZE, size);
}

void frame_grow(struct frame *f, size_t want, size_t filled)
{
	size_t capacity = f->capacity;

	check(want <= f->reserved && filled <= capacity);
	if (want <= capacity)
		return;
	capacity = capacity > f->reserved / 2 ? f->reserved : 2 * capacity;
	if (capacity < want)
		capacity = want;
	f->data = mem_realloc(f->data, capacity);
	f->capacity = capacity;
}

void frame_pools_open(size_t budget_bytes)
{
	check(!pools);
	pool_count = reactor_count();
	pools = mem_array((size_t)pool_count, sizeof(*pools));
	budget = budget_bytes;
}

void frame_pools_close(void)
{
	for (int i = 0; i < pool_count; i++) {
		struct frame *f = pools[i].first;

		while (f) {
			struct frame *next = f->next;

			frame_free(f);
			f = next;
		}
	}
	mem_free(pools);
	pools = NULL;
	pool_count = 0;
}

size_t frame_budget_used(void)
{
	return atomic_load_explicit(&used, memory_order_relaxed);
}
