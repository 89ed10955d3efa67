/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/metrics.h"
#include "produce.h"

/* The response, out of what the entries and their parts say. */
struct answer {
	struct produce *p;
	const struct image *image;
	struct produce_response response;
	uint32_t endpoint_capacity;
};

static bool is_done(const struct produce_part *part)
{
	return atomic_load_explicit(&part->is_done, memory_order_acquire);
}

static int16_t error_of(const struct produce *p, const struct produce_entry *e)
{
	if (p->error)
		return p->error;
	if (!e->part)
		return e->error;
	return is_done(e->part) ? e->part->append.log.error : WIRE_REQUEST_TIMED_OUT;
}

/* ---- KIP-951: who leads ---- */

static void add_endpoint(struct answer *a, int32_t id)
{
	struct produce_response *r = &a->response;
	const struct image_node *node = image_broker(a->image, id);
	const struct image_endpoint *endpoint;

	endpoint = node && !node->fenced ? image_node_endpoint(node, a->p->call->listener->name)
	                                 : NULL;
	if (!endpoint)
		return;
	for (uint32_t i = 0; i < r->node_endpoints_count; i++)
		if (r->node_endpoints[i].node_id == id)
			return;
	if (!r->node_endpoints_count) {
		a->endpoint_capacity = (uint32_t)a->image->brokers.count;
		r->node_endpoints = arena_array(&a->p->call->arena, a->endpoint_capacity,
		                                sizeof(*r->node_endpoints));
	}
	if (!r->node_endpoints || r->node_endpoints_count == a->endpoint_capacity)
		return;
	r->node_endpoints[r->node_endpoints_count++] = (struct produce_response_node_endpoint){
		.node_id = id,
		.host = endpoint->host,
		.port = endpoint->port,
		.rack = node->rack,
	};
}

static void tell_leader(struct answer *a, const struct target_topic *t, int32_t index,
                        struct produce_response_leader_id_and_epoch *ret)
{
	const struct partition *partition =
		partitions_find(a->p->call->broker->partitions, t->id, index);
	const struct image_topic *topic = image_topic_by_id(a->image, t->id);
	const struct image_partition *seen = topic ? image_topic_partition(topic, index) : NULL;

	if (partition) {
		ret->leader_id = partition_facts(partition)->leader;
		ret->leader_epoch = partition_facts(partition)->leader_epoch;
	} else if (seen) {
		ret->leader_id = seen->leader;
		ret->leader_epoch = seen->leader_epoch;
	}
	add_endpoint(a, ret->leader_id);
}

/* ---- partitions ---- */

static void tell_append(const struct produce_part *part,
                        struct produce_response_partition_produce_response *ret)
{
	const struct log_append *log = &part->append.log;

	/* One that is not done is written: only its commit is missing. */
	if (is_done(part) && log->error) {
		if (produce_tells_log_start(log->error))
			ret->log_start_offset = log->log_start_offset;
		return;
	}
	ret->base_offset = log->base_offset;
	ret->log_start_offset = log->log_start_offset;
	ret->log_append_time_ms = part->stamps && !log->duplicate ? log->now_ms : log->timestamp;
}

static void tell_refusal(const struct answer *a, const struct produce_refusal *refusal,
                         struct produce_response_partition_produce_response *ret)
{
	ret->error_message = refusal->message;
	ret->log_start_offset = refusal->log_start_offset;
	ret->record_errors = arena_array(&a->p->call->arena, refusal->record_error_count,
	                                 sizeof(*ret->record_errors));
	if (!ret->record_errors)
		return;
	ret->record_errors_count = refusal->record_error_count;
	for (uint32_t i = 0; i < refusal->record_error_count; i++)
		ret->record_errors[i] = (struct produce_response_batch_index_and_error_message){
			refusal->record_error[i].batch_index, refusal->record_error[i].message
		};
}

static void tell_partition(struct answer *a, uint32_t i,
                           struct produce_response_partition_produce_response *ret)
{
	const struct produce *p = a->p;
	const struct target *target = &p->targets.target[i];
	const struct produce_entry *e = &p->entry[i];

	*ret = (struct produce_response_partition_produce_response){
		.index = target->index,
		.error_code = error_of(p, e),
		.base_offset = -1,
		.log_append_time_ms = -1,
		.log_start_offset = -1,
		.current_leader = { -1, -1 },
	};
	if (p->error)
		ret->error_message = p->message;
	else if (e->part)
		tell_append(e->part, ret);
	else if (e->refusal)
		tell_refusal(a, e->refusal, ret);
	metrics_error(p->call->api, ret->error_code);
	if (ret->error_code == WIRE_NOT_LEADER_OR_FOLLOWER && p->call->version >= 10)
		tell_leader(a, &p->targets.topic[target->topic], target->index,
		            &ret->current_leader);
}

static bool tell_topic(struct answer *a, const struct target_topic *t)
{
	struct produce_response_topic_produce_response *ret =
		&a->response.responses[a->response.responses_count++];

	ret->name = t->name;
	ret->topic_id = t->asked_id;
	ret->partition_responses =
		arena_array(&a->p->call->arena, t->count, sizeof(*ret->partition_responses));
	if (!ret->partition_responses)
		return false;
	for (uint32_t i = t->first; i; i = a->p->targets.target[i].next)
		tell_partition(a, i, &ret->partition_responses[ret->partition_responses_count++]);
	return true;
}

static bool build(struct answer *a)
{
	struct produce *p = a->p;

	produce_response_init(&a->response);
	a->response.responses = arena_array(&p->call->arena, p->targets.topic_count,
	                                    sizeof(*a->response.responses));
	if (!a->response.responses)
		return false;
	for (uint32_t i = 0; i < p->targets.topic_count; i++)
		if (p->targets.topic[i].count && !tell_topic(a, &p->targets.topic[i]))
			return false;
	return true;
}

static bool has_error(const struct produce *p)
{
	for (uint32_t i = 1; i <= p->targets.count; i++)
		if (error_of(p, &p->entry[i]))
			return true;
	return p->error;
}

void produce_answer(struct produce *p)
{
	struct answer a = { .p = p, .image = metadata_image(p->call->broker->metadata) };
	struct produce *follower = produce_pass(p);

	/* Nothing answers acks=0: a client learns of an error by losing its connection. */
	if (!p->request->acks && has_error(p))
		call_close(p->call);
	else if (!p->request->acks)
		call_reply_none(p->call);
	else if (build(&a))
		call_reply(p->call, &a.response);
	else
		call_close(p->call);
	produce_begin(follower);
}
