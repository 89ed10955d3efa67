/* SPDX-License-Identifier: Apache-2.0 */
#include "produce.h"

#include "broker/api.h"

/*
 * The survey.  Kafka keeps partitions in a map: of one that is named twice the later records count,
 * unless any of them is refused at sight.
 */
enum { SURVEY_TURN = 1024 }; /* partitions and topics looked at in a turn */

static bool by_id(const struct produce *p)
{
	return p->call->version >= 13;
}

/* RequestUtils.hasTransactionalRecords: it looks at first batches until it finds one. */
static void judge_request(struct produce *p, const struct validate_result *shape,
                          bool is_transactional)
{
	if (p->has_transactional || p->error)
		return;
	p->has_transactional = is_transactional;
	if (is_transactional && !p->request->transactional_id.data) {
		p->error = WIRE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	} else if (shape->outcome == VALIDATE_REFUSED && shape->whole_request) {
		p->error = shape->error;
		p->message = shape->message;
	}
}

static void survey_partition(struct produce *p, struct target_topic *topic,
                             const struct produce_request_partition_produce_data *data)
{
	struct validate_rules rules = { .api_version = p->call->version };
	struct span records = { data->records.data, data->records.size };
	uint32_t target = targets_partition(&p->targets, topic, data->index);
	struct produce_entry *e = &p->entry[target];
	struct validate_result shape;
	bool is_transactional;

	if (p->error)
		return;
	(void)validate_shape(&rules, records, &p->call->arena, &shape);
	is_transactional = shape.batch.data && batch_is_transactional(&shape.batch);
	judge_request(p, &shape, is_transactional);
	if (e->is_refused)
		return;
	if (!p->targets.target[target].exists) {
		e->is_refused = true;
		e->error = uuid_is_zero(topic->id) && by_id(p) ? WIRE_UNKNOWN_TOPIC_ID
		                                               : WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	} else if (shape.outcome == VALIDATE_REFUSED) {
		e->is_refused = true;
		e->error = shape.error;
	} else if (is_transactional && !batch_has_producer(&shape.batch)) {
		/* Kafka appends it as if it were verified: whose transaction would it be? */
		e->is_refused = true;
		e->error = WIRE_INVALID_RECORD;
	}
	e->records = records;
	e->is_transactional = is_transactional;
}

/* ---- the request ---- */

/*
 * Transactional batches that would be verified together are one producer's
 * (ReplicaManager.handleProduceAppend).
 */
static void judge_producers(struct produce *p)
{
	struct validate_rules rules = { .api_version = p->call->version };
	struct batch first = { 0 };
	struct validate_result shape;

	for (uint32_t i = 1; i <= p->targets.count && !p->error; i++) {
		const struct produce_entry *e = &p->entry[i];

		if (!e->is_transactional || e->is_refused ||
		    !validate_shape(&rules, e->records, &p->call->arena, &shape) ||
		    !batch_has_producer(&shape.batch))
			continue;
		if (!first.data)
			first = shape.batch;
		if (first.producer_id == shape.batch.producer_id &&
		    first.producer_epoch == shape.batch.producer_epoch)
			continue;
		p->error = WIRE_INVALID_PRODUCER_ID_MAPPING;
		p->message = STR("Transactional records contained more than one producer ID");
	}
}

static void survey_end(struct produce *p)
{
	targets_end(&p->targets);
	if (p->has_transactional && !p->error)
		judge_producers(p);
	if (p->error)
		produce_answer(p);
	else
		produce_submit(p);
}

/* One topic or partition further; false: memory is out. */
static bool survey_step(struct produce *p)
{
	const struct produce_request_topic_produce_data *data =
		&p->request->topic_data[p->at_topic];

	if (!p->at)
		p->at = targets_topic(&p->targets, metadata_image(p->call->broker->metadata),
		                      data->name, data->topic_id, data->partition_data_count);
	if (!p->at)
		return false;
	if (p->at_partition < data->partition_data_count)
		survey_partition(p, p->at, &data->partition_data[p->at_partition++]);
	if (p->at_partition == data->partition_data_count) {
		p->at = NULL;
		p->at_partition = 0;
		p->at_topic++;
	}
	return true;
}

static void survey(struct call *call)
{
	struct produce *p = call->user;
	struct produce *follower;
	int steps = 0;

	while (p->at_topic < p->request->topic_data_count) {
		if (steps++ == SURVEY_TURN) {
			call_yield(call, survey);
			return;
		}
		if (!survey_step(p)) {
			targets_end(&p->targets);
			follower = produce_pass(p);
			call_close(call);
			produce_begin(follower);
			return;
		}
	}
	survey_end(p);
}

/* ---- in the order of the connection ---- */

struct produce *produce_pass(struct produce *p)
{
	struct produce *follower = p->follower;

	p->follower = NULL;
	p->is_passed = true;
	return follower;
}

void produce_begin(struct produce *p)
{
	if (p)
		survey(p->call);
}

static void queue(struct produce *p)
{
	struct call *before = call_before(p->call);
	struct produce *leader = before && before->api->key == API_PRODUCE ? before->user : NULL;

	if (leader && !leader->is_passed)
		leader->follower = p;
	else
		produce_begin(p);
}

void api_produce(struct call *call)
{
	const struct produce_request *request = call->request;
	struct produce *p = arena_zalloc(&call->arena, sizeof(*p));
	size_t entries = 0;

	for (uint32_t i = 0; i < request->topic_data_count; i++)
		entries += request->topic_data[i].partition_data_count;
	if (p)
		p->entry = arena_array(&call->arena, entries + 1, sizeof(*p->entry));
	if (!p || !p->entry ||
	    !targets_init(&p->targets, &call->arena, request->topic_data_count, entries,
	                  call->version >= 13)) {
		call_close(call);
		return;
	}
	p->call = call;
	p->request = request;
	call->user = p;
	queue(p);
}
