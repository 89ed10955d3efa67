/* SPDX-License-Identifier: Apache-2.0 */
/* From what was found to the response (kafka.server.KafkaApis.handleFetchRequest, FetchContext). */
#include "broker/metrics.h"
#include "fetch.h"

struct answer {
	struct fetch *fetch;
	const struct image *image;
	struct fetch_response response;
	struct fetch_response_partition_data *partition; /* the next one */
};

/* ---- where the leader is ---- */

static bool add_endpoint(struct answer *a, int32_t id)
{
	const struct call *call = a->fetch->call;
	struct fetch_response *r = &a->response;
	const struct image_node *node = image_broker(a->image, id);
	const struct image_endpoint *at =
		node && !node->fenced ? image_node_endpoint(node, call->listener->name) : NULL;

	for (uint32_t i = 0; i < r->node_endpoints_count; i++) {
		if (r->node_endpoints[i].node_id == id)
			return true;
	}
	if (!at)
		return true;
	if (!r->node_endpoints_count) /* each broker once, so that this is enough */
		r->node_endpoints = arena_array(&a->fetch->call->arena, a->image->brokers.count,
		                                sizeof(*r->node_endpoints));
	if (!r->node_endpoints)
		return false;
	r->node_endpoints[r->node_endpoints_count++] = (struct fetch_response_node_endpoint){
		.node_id = id,
		.host = at->host,
		.port = at->port,
		.rack = node->rack,
	};
	return true;
}

static bool add_leader(struct answer *a, const struct fetch_item *item,
                       struct fetch_response_partition_data *p)
{
	const struct image_topic *topic;
	const struct image_partition *known;

	if (a->fetch->call->version < 16 ||
	    (item->error != WIRE_NOT_LEADER_OR_FOLLOWER && item->error != WIRE_FENCED_LEADER_EPOCH))
		return true;
	if (item->part) {
		const struct partition_facts *facts = partition_facts(item->part);

		p->current_leader.leader_id = facts->leader;
		p->current_leader.leader_epoch = facts->leader_epoch;
	} else {
		topic = image_topic_by_id(a->image, item->want.topic_id);
		known = topic ? image_topic_partition(topic, item->want.partition) : NULL;
		if (known) {
			p->current_leader.leader_id = known->leader;
			p->current_leader.leader_epoch = known->leader_epoch;
		}
	}
	/* A broker knows the others. */
	return a->fetch->replica_id >= 0 || add_endpoint(a, p->current_leader.leader_id);
}

/* ---- one partition ---- */

static bool add_aborted(struct answer *a, const struct fetch_item *item,
                        struct fetch_response_partition_data *p)
{
	p->aborted_transactions = WIRE_EMPTY;
	if (!item->aborted_count)
		return true;
	p->aborted_transactions = arena_array(&a->fetch->call->arena, item->aborted_count,
	                                      sizeof(*p->aborted_transactions));
	if (!p->aborted_transactions)
		return false;
	p->aborted_transactions_count = (uint32_t)item->aborted_count;
	for (size_t i = 0; i < item->aborted_count; i++)
		p->aborted_transactions[i] = (struct fetch_response_aborted_transaction){
			item->aborted[i].producer_id, item->aborted[i].first_offset
		};
	return true;
}

/* The reference on the file is the call's from here on. */
static bool add_records(struct answer *a, struct fetch_item *item,
                        struct fetch_response_partition_data *p)
{
	struct file_slice *slice;

	p->records = (struct records){ .data = WIRE_EMPTY };
	if (!item->size)
		return true;
	slice = arena_alloc(&a->fetch->call->arena, sizeof(*slice));
	if (!slice)
		return false;
	*slice = (struct file_slice){ item->slice.file, item->slice.position, item->size };
	p->records = (struct records){ .size = item->size, .source = slice };
	return true;
}

/* Clients of the first versions do not know that the storage may fail. */
static int16_t known_error(const struct fetch *f, int16_t error)
{
	return error == WIRE_KAFKA_STORAGE_ERROR && f->call->version <= 5
	               ? WIRE_NOT_LEADER_OR_FOLLOWER
	               : error;
}

static bool add_partition(struct answer *a, struct fetch_item *item)
{
	struct fetch *f = a->fetch;
	struct fetch_response_partition_data *p = a->partition++;

	*p = (struct fetch_response_partition_data){
		.partition_index = item->want.partition,
		.error_code = known_error(f, item->error),
		.high_watermark = item->high_watermark,
		.last_stable_offset = item->last_stable,
		.log_start_offset = item->log_start,
		.diverging_epoch = { -1, -1 },
		.current_leader = { -1, -1 },
		.snapshot_id = { -1, -1 },
		.preferred_read_replica = -1,
	};
	metrics_error(f->call->api, item->error);
	metrics_fetched(item->part ? item->part->meter : NULL, item->error, item->size);
	if (item->is_diverged)
		p->diverging_epoch =
			(struct fetch_response_epoch_end_offset){ item->epoch_end.epoch,
			                                          item->epoch_end.end_offset };
	if (item->is_filtered && !add_aborted(a, item, p))
		return false;
	return add_records(a, item, p) && add_leader(a, item, p);
}

/* ---- all of them ---- */

static bool is_same_topic(const struct fetch *f, const struct fetch_item *item,
                          const struct fetch_response_fetchable_topic_response *t)
{
	return f->uses_topic_ids ? uuid_eq(t->topic_id, item->want.topic_id)
	                         : str_eq(t->topic, item->want.topic);
}

/* Partitions of one topic that follow each other share its entry. */
static bool add_item(struct answer *a, struct fetch_item *item)
{
	struct fetch_response *r = &a->response;
	struct fetch_response_fetchable_topic_response *t = NULL;

	if (r->responses_count)
		t = &r->responses[r->responses_count - 1];
	if (!t || !is_same_topic(a->fetch, item, t)) {
		t = &r->responses[r->responses_count++];
		*t = (struct fetch_response_fetchable_topic_response){
			.topic = item->want.topic,
			.topic_id = item->want.topic_id,
			.partitions = a->partition,
		};
	}
	t->partitions_count++;
	return add_partition(a, item);
}

static bool must_tell(const struct fetch *f, struct fetch_item *item)
{
	struct fetch_outcome outcome = {
		.error = item->error,
		.has_records = item->size > 0,
		.has_diverged = item->is_diverged,
		.has_more = item->has_more,
		.high_watermark = item->high_watermark,
		.log_start_offset = item->log_start,
	};

	if (!item->cached)
		return true;
	return fetch_partition_tell(item->cached, &outcome) || f->is_new_session;
}

static bool build(struct answer *a)
{
	struct fetch *f = a->fetch;
	struct fetch_response *r = &a->response;

	fetch_response_init(r);
	r->session_id = f->session ? f->session->id : FETCH_SESSION_NONE;
	r->responses = arena_array(&f->call->arena, f->item_count, sizeof(*r->responses));
	a->partition = arena_array(&f->call->arena, f->item_count, sizeof(*a->partition));
	if (f->item_count && (!r->responses || !a->partition))
		return false;
	/* What the metadata does not know comes last. */
	for (int unknown = 0; unknown < 2; unknown++) {
		for (struct fetch_item *item = f->first; item; item = item->next) {
			if (item->is_unknown == unknown && must_tell(f, item) && !add_item(a, item))
				return false;
		}
	}
	return true;
}

static void reply(struct fetch *f)
{
	struct answer a = { .fetch = f, .image = metadata_image(f->call->broker->metadata) };
	struct fetch_sessions *sessions = f->sessions;
	struct fetch_session *session = f->session;
	struct call *call = f->call;
	bool built = build(&a);

	if (f->has_no_room) {
		a.response.session_id = FETCH_SESSION_NONE;
		fetch_session_close(sessions, session);
	}
	/* Files that are in the response are the call's. */
	for (struct fetch_item *item = f->first; built && item; item = item->next) {
		if (item->size)
			item->slice.file = NULL;
	}
	fetch_fini(f);
	if (built)
		call_reply(call, &a.response);
	else
		call_close(call);
	fetch_leave_session(sessions, session);
}

/* What the new session has been told of it, and how it hears of more. */
static void remember(struct fetch *f, struct fetch_item *item)
{
	struct fetch_wait *wait = f->session->user;
	struct fetch_partition *part = fetch_session_want(f->session, &item->want);

	f->has_no_room |= !part;
	if (!part)
		return;
	if (item->part)
		part->slot = fetch_slot_join(wait, item->part, part);
	part->in_hand = true;
	item->cached = part;
}

void fetch_answer(struct fetch *f)
{
	if (f->is_new_session)
		fetch_make_session(f);
	if (f->is_new_session && f->session)
		fetch_each(f, remember, reply);
	else
		reply(f);
}

/* ---- a request that fails as a whole ---- */

static bool fail_partitions(struct call *call, int16_t error, struct fetch_response *response)
{
	const struct fetch_request *r = CALL_REQUEST(call, fetch_request);

	response->responses =
		arena_array(&call->arena, r->topics_count, sizeof(*response->responses));
	if (!response->responses)
		return !r->topics_count;
	response->responses_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		struct fetch_response_fetchable_topic_response *t = &response->responses[i];

		t->topic = r->topics[i].topic;
		t->partitions_count = r->topics[i].partitions_count;
		t->partitions =
			arena_array(&call->arena, t->partitions_count, sizeof(*t->partitions));
		if (!t->partitions)
			return !t->partitions_count;
		for (uint32_t j = 0; j < t->partitions_count; j++)
			t->partitions[j] = (struct fetch_response_partition_data){
				.partition_index = r->topics[i].partitions[j].partition,
				.error_code = error,
				.high_watermark = -1,
				.last_stable_offset = -1,
				.log_start_offset = -1,
				.diverging_epoch = { -1, -1 },
				.current_leader = { -1, -1 },
				.snapshot_id = { -1, -1 },
				.aborted_transactions = WIRE_EMPTY,
				.preferred_read_replica = -1,
				.records = { .data = WIRE_EMPTY },
			};
	}
	return true;
}

void fetch_answer_error(struct fetch *f, int16_t error, int32_t session_id, bool with_partitions)
{
	struct call *call = f->call;
	struct fetch_response response;

	fetch_response_init(&response);
	response.error_code = error;
	response.session_id = session_id;
	if (with_partitions && !fail_partitions(call, error, &response))
		call_close(call);
	else
		call_reply(call, &response);
}
