/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/fetch_wait.h"

#include "base/mem.h"
#include "broker/partition.h"

static void run_woken(struct mail *mail)
{
	struct fetch_wait *wait = container_of(mail, struct fetch_wait, mail);

	atomic_store_explicit(&wait->state, FETCH_IDLE, memory_order_relaxed);
	wait->woken(wait);
	fetch_wait_put(wait); /* the mail's */
}

struct fetch_wait *fetch_wait_new(void (*woken)(struct fetch_wait *self), void *owner)
{
	struct fetch_wait *wait = mem_zalloc(sizeof(*wait));

	atomic_init(&wait->refs, 1);
	wait->home = reactor_self();
	wait->mail.run = run_woken;
	wait->woken = woken;
	wait->owner = owner;
	return wait;
}

static void wait_get(struct fetch_wait *wait)
{
	atomic_fetch_add_explicit(&wait->refs, 1, memory_order_relaxed);
}

void fetch_wait_put(struct fetch_wait *wait)
{
	/* Release what was done to it, acquire what others did, before it goes. */
	if (atomic_fetch_sub_explicit(&wait->refs, 1, memory_order_acq_rel) == 1)
		mem_free(wait);
}

static void claim_and_mail(struct fetch_wait *wait)
{
	int expected = FETCH_WAITING;

	if (!atomic_compare_exchange_strong(&wait->state, &expected, FETCH_CLAIMED))
		return;
	wait_get(wait);
	reactor_post(wait->home, &wait->mail);
}

/* A slot is on the stack at most once: whoever turned is_dirty pushes it. */
static void mark(struct fetch_slot *slot)
{
	struct fetch_wait *wait = slot->wait;

	if (atomic_exchange(&slot->is_dirty, true))
		return;
	slot->dirty_next = atomic_load_explicit(&wait->dirty, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&wait->dirty, &slot->dirty_next, slot))
		;
}

static void subscribe(struct work *work)
{
	struct fetch_slot *slot = container_of(work, struct fetch_slot, join);

	list_push(&slot->part->subscribers, &slot->subscriber);
	/* What was published since home looked was told to nobody: home looks again. */
	mark(slot);
	claim_and_mail(slot->wait);
}

/* home: moves the stack, which is newest first, behind what was taken before. */
static void drain(struct fetch_wait *wait)
{
	struct fetch_slot *slot = atomic_exchange(&wait->dirty, NULL);
	struct fetch_slot *oldest = NULL;
	struct fetch_slot **end = &wait->taken;

	while (slot) {
		struct fetch_slot *next = slot->dirty_next;

		slot->dirty_next = oldest;
		oldest = slot;
		slot = next;
	}
	while (*end)
		end = &(*end)->dirty_next;
	*end = oldest;
}

/* home: nobody can mark the slot any more. */
static void has_left(struct mail *mail)
{
	struct fetch_slot *slot = container_of(mail, struct fetch_slot, mail);
	struct fetch_wait *wait = slot->wait;

	if (atomic_load(&slot->is_dirty)) {
		struct fetch_slot **link = &wait->taken;

		drain(wait);
		while (*link != slot)
			link = &(*link)->dirty_next;
		*link = slot->dirty_next;
	}
	partition_put(slot->part);
	mem_free(slot);
	fetch_wait_put(wait);
}

static void unsubscribe(struct work *work)
{
	struct fetch_slot *slot = container_of(work, struct fetch_slot, leave);

	list_remove(&slot->subscriber);
	reactor_post(slot->wait->home, &slot->mail);
}

struct fetch_slot *fetch_slot_join(struct fetch_wait *wait, struct partition *part, void *owner)
{
	struct fetch_slot *slot = mem_zalloc(sizeof(*slot));

	slot->part = partition_get(part);
	slot->wait = wait;
	wait_get(wait);
	slot->owner = owner;
	slot->mail.run = has_left;
	slot->join.run = subscribe;
	slot->leave.run = unsubscribe;
	list_init(&slot->subscriber);
	strand_post(&part->strand, &slot->join);
	return slot;
}

void fetch_slot_leave(struct fetch_slot *slot)
{
	slot->owner = NULL;
	strand_post(&slot->part->strand, &slot->leave);
}

void fetch_slot_drop(struct fetch_slot *slot)
{
	struct fetch_wait *wait = slot->wait;

	list_remove(&slot->subscriber);
	partition_put(slot->part);
	mem_free(slot);
	fetch_wait_put(wait);
}

bool fetch_wait_sleep(struct fetch_wait *wait, int64_t bytes)
{
	int expected = FETCH_WAITING;

	check(atomic_load_explicit(&wait->state, memory_order_relaxed) == FETCH_IDLE);
	atomic_store(&wait->bytes_left, bytes);
	atomic_store(&wait->state, FETCH_WAITING);
	/* What was marked before the state was set claimed nothing: it must be seen here. */
	if (!wait->taken && !atomic_load(&wait->dirty))
		return true;
	/* A claim that came first is answered by woken(), so this fetch does sleep. */
	return !atomic_compare_exchange_strong(&wait->state, &expected, FETCH_IDLE);
}

bool fetch_wait_claim(struct fetch_wait *wait)
{
	int expected = FETCH_WAITING;

	return atomic_compare_exchange_strong(&wait->state, &expected, FETCH_IDLE);
}

struct fetch_slot *fetch_wait_take(struct fetch_wait *wait)
{
	struct fetch_slot *slot;

	for (;;) {
		if (!wait->taken)
			drain(wait);
		slot = wait->taken;
		if (!slot)
			return NULL;
		wait->taken = slot->dirty_next;
		/* Clean before it is looked at: what comes from now on marks it again. */
		atomic_store(&slot->is_dirty, false);
		if (slot->owner)
			return slot;
	}
}

void fetch_slots_publish(struct list *subscribers, int64_t bytes, bool urgent)
{
	list_each(pos, subscribers)
	{
		struct fetch_slot *slot = list_entry(pos, struct fetch_slot, subscriber);
		int64_t left;

		mark(slot);
		left = atomic_fetch_sub(&slot->wait->bytes_left, bytes) - bytes;
		if (left <= 0 || urgent)
			claim_and_mail(slot->wait);
	}
}
