/* SPDX-License-Identifier: Apache-2.0 */
/* What a Fetch asks for: items, or what changes in a session. */
#include "fetch.h"

#include "broker/api.h"
#include "broker/config.h"
#include "partition_table.h"

struct fetch_item *fetch_item_new(struct fetch *f, const struct fetch_want *want)
{
	struct fetch_item *item = arena_zalloc(&f->call->arena, sizeof(*item));

	if (item)
		item->want = *want;
	else
		f->has_no_memory = true;
	return item;
}

void fetch_item_add(struct fetch *f, struct fetch_item *item)
{
	*f->end = item;
	f->end = &item->next;
	f->item_count++;
}

static void take_on(struct call *call);

/* The client asks again for all, and is served without a session if it must be. */
static void end_session(struct fetch *f)
{
	struct fetch_session *session = f->session;
	struct fetch_sessions *sessions = f->sessions;

	fetch_fini(f);
	fetch_session_close(sessions, session);
	fetch_answer_error(f, WIRE_FETCH_SESSION_ID_NOT_FOUND, FETCH_SESSION_NONE, false);
	fetch_leave_session(sessions, session);
}

/* Everything asked for was taken. */
static void begin(struct fetch *f)
{
	f->topic_next = 0;
	if (f->has_no_room) {
		end_session(f);
		return;
	}
	/* A session that lost its last partition ends, and the request is one without. */
	if (f->session && !f->session->partitions.count) {
		fetch_session_close(f->sessions, f->session);
		fetch_leave_session(f->sessions, f->session);
		f->session = NULL;
		f->wait = NULL;
		take_on(f->call);
		return;
	}
	fetch_look(f);
}

static void forget_on(struct call *call)
{
	const struct fetch_request *r = CALL_REQUEST(call, fetch_request);
	struct fetch *f = call->user;
	int n = 0;

	for (; f->topic_next < r->forgotten_topics_data_count; f->topic_next++) {
		const struct fetch_request_forgotten_topic *t =
			&r->forgotten_topics_data[f->topic_next];

		for (; f->partition_next < t->partitions_count; f->partition_next++) {
			if (n++ == FETCH_STEP) {
				call_yield(call, forget_on);
				return;
			}
			fetch_session_forget(f->sessions, f->session, t->topic_id, t->topic,
			                     t->partitions[f->partition_next]);
		}
		f->partition_next = 0;
	}
	begin(f);
}

static void take(struct fetch *f, const struct fetch_request_topic *t,
                 const struct fetch_request_partition *p)
{
	struct fetch_want want = {
		.topic_id = t->topic_id,
		.topic = f->uses_topic_ids ? (struct str){ 0 } : t->topic,
		.partition = p->partition,
		.max_bytes = p->partition_max_bytes,
		.current_leader_epoch = p->current_leader_epoch,
		.last_fetched_epoch = p->last_fetched_epoch,
		.fetch_offset = p->fetch_offset,
		.follower_log_start_offset = p->log_start_offset,
	};
	struct partition_key key = { t->topic_id, want.topic, p->partition };
	struct fetch_item *item;
	struct fetch_item *same;

	if (f->session) {
		f->has_no_room |= !fetch_session_want(f->session, &want);
		return;
	}
	item = fetch_item_new(f, &want);
	same = item ? partition_table_add(&f->table, &key, item) : NULL;
	if (same)
		same->want = want; /* the last one counts, in the place of the first */
	else if (item)
		fetch_item_add(f, item);
}

static void take_on(struct call *call)
{
	const struct fetch_request *r = CALL_REQUEST(call, fetch_request);
	struct fetch *f = call->user;
	int n = 0;

	for (; f->topic_next < r->topics_count && !f->has_no_memory; f->topic_next++) {
		const struct fetch_request_topic *t = &r->topics[f->topic_next];

		for (; f->partition_next < t->partitions_count; f->partition_next++) {
			if (n++ == FETCH_STEP) {
				call_yield(call, take_on);
				return;
			}
			take(f, t, &t->partitions[f->partition_next]);
		}
		f->partition_next = 0;
	}
	f->topic_next = 0;
	if (f->has_no_memory)
		fetch_give_up(f, call_close);
	else if (f->session)
		forget_on(call);
	else
		begin(f);
}

static bool table_init(struct fetch *f, const struct fetch_request *r)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < r->topics_count; i++)
		count += r->topics[i].partitions_count;
	return partition_table_init(&f->table, &f->call->arena, count);
}

static void set_limits(struct fetch *f, const struct fetch_request *r)
{
	const struct config *config = broker_config(f->call->broker);
	int32_t max_bytes = config_int(config, CONFIG_FETCH_MAX_BYTES);

	f->max_bytes = r->max_bytes < max_bytes ? r->max_bytes : max_bytes;
	f->min_bytes = r->min_bytes < f->max_bytes ? r->min_bytes : f->max_bytes;
}

void api_fetch(struct call *call)
{
	const struct fetch_request *r = call->request;
	struct fetch *f = arena_zalloc(&call->arena, sizeof(*f));
	int16_t error;

	if (!f) {
		call_close(call);
		return;
	}
	call->user = f;
	f->call = call;
	f->end = &f->first;
	f->uses_topic_ids = call->version >= 13;
	f->replica_id = call->version < 15 ? r->replica_id : r->replica_state.replica_id;
	f->isolation = f->replica_id >= 0 || f->replica_id == FETCH_FUTURE_REPLICA ? FETCH_LOG_END
	               : r->isolation_level                                        ? FETCH_COMMITTED
	                                    : FETCH_HIGH_WATERMARK;
	set_limits(f, r);
	if (r->isolation_level < 0 || r->isolation_level > 1) {
		fetch_answer_error(f, WIRE_INVALID_REQUEST, r->session_id, call->version < 13);
		return;
	}
	error = fetch_open_session(f);
	if (error)
		fetch_answer_error(f, error, FETCH_SESSION_NONE, false);
	else if (!table_init(f, r))
		fetch_give_up(f, call_close);
	else
		take_on(call);
}
