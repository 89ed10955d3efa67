/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch.h"

/* ---- the end ---- */

void fetch_fini(struct fetch *f)
{
	fetch_errands_drop(f);
	for (struct fetch_item *item = f->first; item; item = item->next) {
		fetch_clear(item);
		if (item->slot)
			fetch_slot_leave(item->slot);
		partition_put(item->part);
		if (item->cached)
			item->cached->in_hand = false;
	}
	f->first = NULL;
	if (f->wait && (!f->session || f->session->user != f->wait))
		fetch_wait_put(f->wait);
	f->wait = NULL;
}

void fetch_give_up(struct fetch *f, void (*reply)(struct call *call))
{
	struct call *call = f->call;

	fetch_fini(f);
	/* A session that nobody was told of. */
	if (f->session && f->is_new_session)
		fetch_session_close(f->sessions, f->session);
	fetch_leave_session(f->sessions, f->session);
	reply(call);
}

/* ---- walking ---- */

static void walk_on(struct call *call)
{
	struct fetch *f = call->user;

	if (call->is_detached) {
		fetch_give_up(f, call_reply_none);
		return;
	}
	for (int n = 0; n < FETCH_STEP && f->cursor && !f->has_no_memory; n++) {
		struct fetch_item *item = f->cursor;

		f->cursor = item->next;
		f->step(f, item);
	}
	if (f->has_no_memory)
		fetch_give_up(f, call_close);
	else if (f->cursor)
		call_yield(call, walk_on);
	else
		f->after(f);
}

void fetch_each(struct fetch *f, void (*step)(struct fetch *f, struct fetch_item *item),
                void (*after)(struct fetch *f))
{
	f->cursor = f->first;
	f->step = step;
	f->after = after;
	walk_on(f->call);
}

/* ---- sleeping ---- */

static void look_again(struct call *call)
{
	fetch_look(call->user);
}

void fetch_woken(struct fetch_wait *wait)
{
	struct fetch *f = wait->owner;

	check(f && f->is_sleeping);
	fetch_look(f);
}

/* Who loses the claim leaves the rest to fetch_woken(). */
static void expired(struct call *call)
{
	struct fetch *f = call->user;

	f->is_expired = true;
	if (f->is_sleeping && fetch_wait_claim(f->wait))
		fetch_look(f);
}

static void detached(struct call *call)
{
	struct fetch *f = call->user;

	if (f->is_sleeping && fetch_wait_claim(f->wait))
		fetch_give_up(f, call_reply_none);
}

bool fetch_give_way(struct fetch *f)
{
	struct fetch_sessions *sessions = f->sessions;
	struct fetch_session *session = f->session;

	if (!f->is_sleeping || !fetch_wait_claim(f->wait))
		return false;
	fetch_fini(f);
	fetch_answer_error(f, WIRE_INVALID_FETCH_SESSION_EPOCH, session->id, false);
	fetch_leave_session(sessions, session);
	return true;
}

static void sleep_on(struct fetch *f)
{
	const struct fetch_request *r = CALL_REQUEST(f->call, fetch_request);
	int64_t bytes = f->min_bytes - f->bytes;

	if (!f->is_timed)
		call_timer(f->call, (uint64_t)r->max_wait_ms, expired);
	f->is_timed = true;
	/* What an open transaction holds back comes all at once, with a marker of a few bytes. */
	if (fetch_wait_sleep(f->wait, f->has_open ? 1 : bytes)) {
		f->is_sleeping = true;
		f->call->on_detach = detached;
	} else {
		call_yield(f->call, look_again);
	}
}

/*
 * Who only waits holds neither files open nor the memory that the request came in, which may be
 * much more than the request.
 */
static bool travel_light(struct fetch *f)
{
	struct call *call = f->call;
	struct str name = { 0 };
	struct str copy = { 0 };

	for (struct fetch_item *item = f->first; item; item = item->next) {
		fetch_clear(item);
		if (!call->frame || f->uses_topic_ids || item->cached)
			continue; /* the name is the arena's, or the session's */
		if (item->want.topic.data != name.data) {
			name = item->want.topic;
			copy = arena_str(&call->arena, name);
		}
		if (name.data && !copy.data)
			return false;
		item->want.topic = copy;
	}
	if (call->frame) {
		call->client_id = arena_str(&call->arena, call->client_id);
		frame_put(call->frame);
		call->frame = NULL;
	}
	return true;
}

static void fall_asleep(struct fetch *f)
{
	if (!travel_light(f)) {
		fetch_give_up(f, call_close);
		return;
	}
	if (f->wait) {
		sleep_on(f);
		return;
	}
	f->wait = fetch_wait_new(fetch_woken, f);
	fetch_each(f, fetch_subscribe, sleep_on);
}

/* ---- looking ---- */

static void prepared(struct fetch *f)
{
	if (f->errand)
		fetch_errands_run(f, fetch_answer);
	else
		fetch_answer(f);
}

static void looked(struct fetch *f)
{
	const struct fetch_request *r = CALL_REQUEST(f->call, fetch_request);
	size_t total = f->session ? f->session->partitions.count : f->item_count;

	if (f->errand) {
		fetch_errands_run(f, fetch_look);
		return;
	}
	if (f->is_due || f->is_expired || r->max_wait_ms <= 0 || f->bytes >= f->min_bytes ||
	    f->unknown_count == total)
		fetch_each(f, fetch_prepare, prepared);
	else
		fall_asleep(f);
}

/*
 * Topics were deleted: whose, every partition of the session is to find out, although its strand
 * may not have told of it yet.
 */
static void find_again(struct fetch *f)
{
	uint64_t removals = partitions_removals(f->call->broker->partitions);

	if (f->session->removals == removals)
		return;
	f->session->removals = removals;
	list_each(pos, &f->session->all)
		fetch_partition_ready(list_entry(pos, struct fetch_partition, link));
	for (struct fetch_item *item = f->first; item; item = item->next)
		item->is_found = false;
}

/* What the session has to look at and is not among the items yet. */
static void take_ready(struct fetch *f)
{
	list_each(pos, &f->session->ready)
	{
		struct fetch_partition *part = list_entry(pos, struct fetch_partition, ready);
		struct fetch_item *item;

		if (part->in_hand)
			continue;
		item = fetch_item_new(
			f, &(struct fetch_want){
				   .topic_id = part->topic_id,
				   .topic = str_of(part->topic),
				   .partition = part->partition,
				   .max_bytes = part->max_bytes,
				   .current_leader_epoch = part->current_leader_epoch,
				   .last_fetched_epoch = part->last_fetched_epoch,
				   .fetch_offset = part->fetch_offset,
				   .follower_log_start_offset = part->follower_log_start_offset,
			   });
		if (!item)
			return;
		item->cached = part;
		part->in_hand = true;
		fetch_item_add(f, item);
	}
}

void fetch_look(struct fetch *f)
{
	struct fetch_slot *slot;

	f->is_sleeping = false;
	f->call->on_detach = NULL;
	f->left = f->max_bytes;
	f->bytes = 0;
	f->has_first = false;
	f->has_open = false;
	f->is_due = false;
	f->unknown_count = 0;
	while (f->wait && (slot = fetch_wait_take(f->wait))) {
		if (f->session)
			fetch_partition_ready(slot->owner);
	}
	if (f->session) {
		find_again(f);
		take_ready(f);
	}
	fetch_each(f, fetch_visit, looked);
}
