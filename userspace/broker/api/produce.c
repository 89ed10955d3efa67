/* SPDX-License-Identifier: Apache-2.0 */
#include "produce.h"

#include "broker/api.h"
#include "core/topic_name.h"

/*
 * The survey.  Kafka keeps partitions in a map: of one that is named twice the later records count,
 * unless any of them is refused at sight.
 */
enum {
	SURVEY_TURN = 1024, /* partitions and topics looked at in a turn */
	FEW = 16,           /* of them are found by looking at each */
};

static bool by_id(const struct produce *p)
{
	return p->call->version >= 13;
}

/* ---- topics ---- */

static bool is_same_topic(const struct produce *p, const struct produce_topic *t,
                          const struct produce_request_topic_produce_data *data)
{
	return by_id(p) ? uuid_eq(t->asked_id, data->topic_id) : str_eq(t->name, data->name);
}

static uint64_t topic_hash(const struct produce *p,
                           const struct produce_request_topic_produce_data *data)
{
	return by_id(p) ? hash_bytes(data->topic_id.byte, sizeof(data->topic_id.byte))
	                : hash_str(data->name);
}

static struct produce_topic *find_topic(struct produce *p,
                                        const struct produce_request_topic_produce_data *data)
{
	if (p->request->topic_data_count <= FEW) {
		for (uint32_t i = 0; i < p->topic_count; i++)
			if (is_same_topic(p, &p->topic[i], data))
				return &p->topic[i];
		return NULL;
	}
	for (struct map_node *n = map_first(&p->topics, topic_hash(p, data)); n; n = map_next(n)) {
		struct produce_topic *t = container_of(n, struct produce_topic, node);

		if (is_same_topic(p, t, data))
			return t;
	}
	return NULL;
}

static struct produce_topic *add_topic(struct produce *p,
                                       const struct produce_request_topic_produce_data *data)
{
	const struct image *image = metadata_image(p->call->broker->metadata);
	const struct image_topic *topic = by_id(p) ? image_topic_by_id(image, data->topic_id)
	                                           : image_topic_by_name(image, data->name);
	struct produce_topic *t = &p->topic[p->topic_count++];

	t->name = data->name;
	t->asked_id = data->topic_id;
	if (topic) {
		t->id = topic->id;
		t->is_internal = topic_name_is_internal(topic->name);
		t->partition_count = topic->partition_count;
	}
	if (p->request->topic_data_count > FEW)
		map_insert(&p->topics, &t->node, topic_hash(p, data));
	return t;
}

/* ---- partitions ---- */

/* Of a topic with many entries each partition has a place; entries of what is not there have none.
 */
static bool index_topic(struct produce *p, struct produce_topic *t, uint32_t more)
{
	if (t->by_index || (uint64_t)t->entry_count + more <= FEW)
		return true;
	t->by_index = arena_array(&p->call->arena, t->partition_count, sizeof(*t->by_index));
	for (uint32_t e = t->first; t->by_index && e; e = p->entry[e].next) {
		int32_t index = p->entry[e].index;

		if (index >= 0 && (uint32_t)index < t->partition_count)
			t->by_index[index] = e;
	}
	return t->by_index;
}

static bool has_partition(const struct produce_topic *t, int32_t index)
{
	return index >= 0 && (uint32_t)index < t->partition_count;
}

static struct produce_entry *find_entry(struct produce *p, const struct produce_topic *t,
                                        int32_t index)
{
	uint32_t e = t->first;

	if (t->by_index)
		e = has_partition(t, index) ? t->by_index[index] : 0;
	else
		while (e && p->entry[e].index != index)
			e = p->entry[e].next;
	return e ? &p->entry[e] : NULL;
}

static struct produce_entry *add_entry(struct produce *p, struct produce_topic *t, int32_t index)
{
	uint32_t i = ++p->entry_count;
	struct produce_entry *e = &p->entry[i];

	e->index = index;
	e->topic = (uint32_t)(t - p->topic);
	if (t->last)
		p->entry[t->last].next = i;
	else
		t->first = i;
	t->last = i;
	t->entry_count++;
	if (t->by_index && has_partition(t, index))
		t->by_index[index] = i;
	return e;
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

static void survey_partition(struct produce *p, struct produce_topic *t,
                             const struct produce_request_partition_produce_data *data)
{
	struct validate_rules rules = { .api_version = p->call->version };
	struct span records = { data->records.data, data->records.size };
	struct produce_entry *e = find_entry(p, t, data->index);
	struct validate_result shape;
	bool is_transactional;

	if (!e)
		e = add_entry(p, t, data->index);
	if (p->error)
		return;
	(void)validate_shape(&rules, records, &p->call->arena, &shape);
	is_transactional = shape.batch.data && batch_is_transactional(&shape.batch);
	judge_request(p, &shape, is_transactional);
	if (e->is_refused)
		return;
	if (uuid_is_zero(t->id) || !has_partition(t, data->index)) {
		e->is_refused = true;
		e->error = uuid_is_zero(t->id) && by_id(p) ? WIRE_UNKNOWN_TOPIC_ID
		                                           : WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	} else if (shape.outcome == VALIDATE_REFUSED) {
		e->is_refused = true;
		e->error = shape.error;
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

	for (uint32_t i = 1; i <= p->entry_count && !p->error; i++) {
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
	map_fini(&p->topics);
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

	if (!p->at) {
		p->at = find_topic(p, data);
		if (!p->at)
			p->at = add_topic(p, data);
		if (!index_topic(p, p->at, data->partition_data_count))
			return false;
	}
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
	int steps = 0;

	while (p->at_topic < p->request->topic_data_count) {
		if (steps++ == SURVEY_TURN) {
			call_yield(call, survey);
			return;
		}
		if (!survey_step(p)) {
			map_fini(&p->topics);
			call_close(call);
			return;
		}
	}
	survey_end(p);
}

void api_produce(struct call *call)
{
	const struct produce_request *request = call->request;
	struct produce *p = arena_zalloc(&call->arena, sizeof(*p));
	size_t entries = 1;

	for (uint32_t i = 0; i < request->topic_data_count; i++)
		entries += request->topic_data[i].partition_data_count;
	if (p) {
		p->topic = arena_array(&call->arena, request->topic_data_count, sizeof(*p->topic));
		p->entry = arena_array(&call->arena, entries, sizeof(*p->entry));
	}
	if (!p || !p->topic || !p->entry) {
		call_close(call);
		return;
	}
	p->call = call;
	p->request = request;
	call->user = p;
	survey(call);
}
