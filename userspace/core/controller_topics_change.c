/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_private.h"
#include "wire/create_partitions.h"
#include "wire/delete_topics.h"
#include "wire/metadata_records.h"

/* ---- DeleteTopics (ControllerApis.deleteTopics) ---- */

struct deletion {
	struct step *s;
	struct delete_topics_response *response;
	struct names names; /* given by name */
	struct names ids;   /* given by id: the 16 bytes */
};

static struct str id_text(const struct uuid *id)
{
	return image_uuid_key(id);
}

static void answer_topic(struct deletion *d, struct str name, struct uuid id, struct verdict v)
{
	d->response->responses[d->response->responses_count++] =
		(struct delete_topics_response_deletable_topic_result){
			.name = name,
			.topic_id = id,
			.error_code = v.error,
			.error_message = v.message,
		};
}

static void gather(struct deletion *d, const struct delete_topics_request *r)
{
	const struct str null = { NULL, 0 };

	for (uint32_t i = 0; i < r->topic_names_count; i++)
		(void)names_add(&d->names, r->topic_names[i]); /* counted */
	for (uint32_t i = 0; i < r->topics_count; i++) {
		const struct delete_topics_request_delete_topic_state *t = &r->topics[i];

		if (t->name.data && uuid_is_zero(t->topic_id))
			(void)names_add(&d->names, t->name); /* counted */
		else if (t->name.data)
			answer_topic(d, t->name, t->topic_id,
			             verdict_of(WIRE_INVALID_REQUEST,
			                        STR("You may not specify both topic name and "
			                            "topic id.")));
		else if (uuid_is_zero(t->topic_id))
			answer_topic(d, null, t->topic_id,
			             verdict_of(WIRE_INVALID_REQUEST,
			                        STR("Neither topic name nor id were specified.")));
		else
			(void)names_add(&d->ids, id_text(&t->topic_id)); /* counted */
	}
}

static void delete_topic(struct deletion *d, const struct image_topic *topic, struct str name)
{
	step_emit(d->s, METADATA_REMOVE_TOPIC, 0,
	          &(struct remove_topic_record){ .topic_id = topic->id });
	answer_topic(d, name, topic->id, verdict_ok());
}

static void delete_by_id(struct deletion *d, struct uuid id)
{
	const struct image_topic *topic = image_topic_by_id(d->s->c->image, id);
	struct named *named = names_find(&d->ids, id_text(&id));
	const struct str null = { NULL, 0 };
	struct named *by_name;

	if (named->index++)
		return;
	if (named->count > 1) {
		answer_topic(d, null, id,
		             verdict_of(WIRE_INVALID_REQUEST, STR("Duplicate topic id.")));
		return;
	}
	if (!topic) {
		answer_topic(d, null, id,
		             verdict_of(WIRE_UNKNOWN_TOPIC_ID,
		                        STR("This server does not host this topic ID.")));
		return;
	}
	/* Named as well: then it is the name that is answered. */
	by_name = names_find(&d->names, topic->name);
	if (!by_name || by_name->count > 1)
		delete_topic(d, topic, step_str(d->s, topic->name));
}

static void delete_by_name(struct deletion *d, struct str name)
{
	const struct image_topic *topic = image_topic_by_name(d->s->c->image, name);
	struct named *named = names_find(&d->names, name);

	if (named->index++)
		return;
	if (named->count > 1)
		answer_topic(d, name, UUID_ZERO,
		             verdict_of(WIRE_INVALID_REQUEST, STR("Duplicate topic name.")));
	else if (!topic)
		answer_topic(d, name, UUID_ZERO,
		             verdict_of(WIRE_UNKNOWN_TOPIC_OR_PARTITION,
		                        STR("This server does not host this topic-partition.")));
	else if (names_find(&d->ids, id_text(&topic->id)))
		answer_topic(
			d, name, topic->id,
			verdict_of(WIRE_INVALID_REQUEST,
		                   STR("The provided topic name maps to an ID that was already "
		                       "supplied.")));
	else
		delete_topic(d, topic, name);
}

void controller_delete_topics(struct step *s)
{
	const struct delete_topics_request *r = s->event->request;
	struct delete_topics_response *response = step_alloc(s, sizeof(*response));
	struct deletion d = { .s = s, .response = response };

	delete_topics_response_init(response);
	response->responses = step_array(s, (size_t)r->topics_count + r->topic_names_count,
	                                 sizeof(*response->responses));
	names_init(&d.names, s);
	names_init(&d.ids, s);
	gather(&d, r);
	for (uint32_t i = 0; i < r->topics_count; i++) {
		const struct delete_topics_request_delete_topic_state *t = &r->topics[i];

		if (!t->name.data && !uuid_is_zero(t->topic_id))
			delete_by_id(&d, t->topic_id);
		else if (t->name.data && uuid_is_zero(t->topic_id))
			delete_by_name(&d, t->name);
	}
	for (uint32_t i = 0; i < r->topic_names_count; i++)
		delete_by_name(&d, r->topic_names[i]);
	names_fini(&d.names);
	names_fini(&d.ids);
	s->out->response = response;
}

/* ---- CreatePartitions ---- */

static struct verdict check_growth(struct step *s, const struct create_partitions_request_topic *r,
                                   const struct image_topic *topic)
{
	int32_t count;

	if (!topic)
		return verdict_of(WIRE_UNKNOWN_TOPIC_OR_PARTITION, (struct str){ NULL, 0 });
	count = (int32_t)topic->partition_count;
	if (r->count == count)
		return verdict_printf(s, WIRE_INVALID_PARTITIONS,
		                      "Topic already has %d partition(s).", count);
	if (r->count < count)
		return verdict_printf(s, WIRE_INVALID_PARTITIONS,
		                      "The topic %.*s currently has %d partition(s); %d would not "
		                      "be an increase.",
		                      STR_ARG(r->name), count, r->count);
	if (r->assignments && (int64_t)r->assignments_count != (int64_t)r->count - count)
		return verdict_printf(s, WIRE_INVALID_REPLICA_ASSIGNMENT,
		                      "Attempted to add %d additional partition(s), but only %u "
		                      "assignment(s) were specified.",
		                      r->count - count, r->assignments_count);
	if (r->count - count > CONTROLLER_RECORDS_MAX)
		return verdict_of(WIRE_POLICY_VIOLATION,
		                  STR("Unable to perform excessively large batch operation."));
	return verdict_ok();
}

static struct verdict place_by_hand(struct step *s, const struct create_partitions_request_topic *r,
                                    const struct image_topic *topic, struct new_partition *ret)
{
	uint32_t replication_factor = topic->partition[0]->replicas.count;

	for (uint32_t i = 0; i < r->assignments_count; i++) {
		struct image_ids replicas = { r->assignments[i].broker_ids,
			                      r->assignments[i].broker_ids_count };
		struct verdict v = manual_assignment_check(s, replicas, replication_factor);

		if (verdict_failed(v))
			return v;
		ret[i].replicas = replicas;
		ret[i].isr = active_brokers(s, replicas);
		if (!ret[i].isr.count)
			return verdict_printf(s, WIRE_INVALID_REPLICA_ASSIGNMENT,
			                      "All brokers specified in the manual partition "
			                      "assignment for partition %u are fenced or in "
			                      "controlled shutdown.",
			                      topic->partition_count + i);
	}
	return verdict_ok();
}

static struct verdict grow(struct step *s, const struct create_partitions_request_topic *r)
{
	const struct image_topic *topic = image_topic_by_name(s->c->image, r->name);
	struct verdict v = check_growth(s, r, topic);
	struct new_partition *new;
	int32_t more;

	if (verdict_failed(v))
		return v;
	if (!topic->partition_count)
		return verdict_printf(s, WIRE_UNKNOWN_SERVER_ERROR,
		                      "Invalid state: topic %.*s appears to have no partitions.",
		                      STR_ARG(r->name));
	more = r->count - (int32_t)topic->partition_count;
	new = step_array(s, (size_t)more, sizeof(*new));
	if (r->assignments)
		v = place_by_hand(s, r, topic, new);
	else
		v = new_partitions_place(s, more, (int16_t)topic->partition[0]->replicas.count,
		                         new);
	for (int32_t i = 0; !verdict_failed(v) && i < more; i++)
		new_partition_emit(s, topic->id, (int32_t)topic->partition_count + i, &new[i]);
	return v;
}

static void answer_growth(struct create_partitions_response *response, struct str name,
                          struct verdict v)
{
	response->results[response->results_count++] =
		(struct create_partitions_response_topic_result){
			.name = name,
			.error_code = v.error,
			.error_message = v.message,
		};
}

void controller_create_partitions(struct step *s)
{
	const struct create_partitions_request *r = s->event->request;
	struct create_partitions_response *response = step_alloc(s, sizeof(*response));
	struct names names;

	create_partitions_response_init(response);
	response->results = step_array(s, r->topics_count, sizeof(*response->results));
	names_init(&names, s);
	for (uint32_t i = 0; i < r->topics_count; i++)
		(void)names_add(&names, r->topics[i].name); /* counted */
	for (uint32_t i = 0; i < r->topics_count; i++) {
		struct named *named = names_find(&names, r->topics[i].name);

		if (named->count > 1 && !named->index++)
			answer_growth(
				response, named->name,
				verdict_of(WIRE_INVALID_REQUEST, STR("Duplicate topic name.")));
	}
	for (uint32_t i = 0; i < r->topics_count; i++)
		if (names_find(&names, r->topics[i].name)->count == 1)
			answer_growth(response, r->topics[i].name, grow(s, &r->topics[i]));
	names_fini(&names);
	s->out->response = response;
	if (r->validate_only)
		step_drop_records(s, 0);
}
