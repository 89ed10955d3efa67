/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_private.h"
#include "wire/alter_partition.h"
#include "wire/alter_partition_reassignments.h"
#include "wire/assign_replicas_to_dirs.h"
#include "wire/elect_leaders.h"
#include "wire/list_partition_reassignments.h"

static const struct str NO_TEXT = { NULL, 0 };

/* A response outlives the image it was made from: what it says is copied. */
static int32_t *list_of(struct step *s, struct image_ids ids)
{
	int32_t *copy = step_array(s, ids.count, sizeof(*copy));

	if (ids.count)
		memcpy(copy, ids.id, ids.count * sizeof(*copy));
	return ids.count ? copy : WIRE_EMPTY;
}

/* ---- AlterPartition ---- */

struct alteration {
	int32_t broker_id;
	const struct alter_partition_request_partition_data *r;
	struct image_ids isr;
	const int64_t *epoch; /* of the brokers in isr; -1: not checked */
};

/* Before version 3 the in-sync set comes without the epochs of its brokers. */
static void read_isr(struct step *s, struct alteration *a)
{
	bool with_epochs = s->event->version >= 3;
	uint32_t count = with_epochs ? a->r->new_isr_with_epochs_count : a->r->new_isr_count;
	int32_t *id = step_array(s, count, sizeof(*id));
	int64_t *epoch = step_array(s, count, sizeof(*epoch));

	for (uint32_t i = 0; i < count; i++) {
		id[i] = with_epochs ? a->r->new_isr_with_epochs[i].broker_id : a->r->new_isr[i];
		epoch[i] = with_epochs ? a->r->new_isr_with_epochs[i].broker_epoch : -1;
	}
	a->isr = (struct image_ids){ id, count };
	a->epoch = epoch;
}

/* Replicas.validateIsr: not empty, all of them replicas, none twice. */
static bool is_possible_isr(const struct image_partition *p, struct image_ids isr)
{
	for (uint32_t i = 0; i < isr.count; i++) {
		if (!image_ids_has(p->replicas, isr.id[i]))
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (isr.id[i] == isr.id[j])
				return false;
	}
	return isr.count;
}

static bool is_eligible(const struct step *s, int32_t broker_id, int64_t epoch)
{
	const struct image_node *broker = image_broker(s->c->image, broker_id);

	return broker && image_node_is_active(broker) && (epoch == -1 || epoch == broker->epoch);
}

static int16_t check_alteration(struct step *s, const struct alteration *a,
                                const struct image_partition *p)
{
	if (!p)
		return WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	/* It knows more than this controller, which then is not the controller any more. */
	if (a->r->leader_epoch > p->leader_epoch || a->r->partition_epoch > p->partition_epoch)
		return WIRE_NOT_CONTROLLER;
	if (a->r->leader_epoch < p->leader_epoch)
		return WIRE_FENCED_LEADER_EPOCH;
	if (a->broker_id != p->leader)
		return WIRE_INVALID_REQUEST;
	if (a->r->partition_epoch < p->partition_epoch)
		return WIRE_INVALID_UPDATE_VERSION;
	if (!is_possible_isr(p, a->isr) || !image_ids_has(a->isr, p->leader))
		return WIRE_INVALID_REQUEST;
	if (a->r->leader_recovery_state == IMAGE_LEADER_RECOVERING &&
	    (a->isr.count > 1 || p->leader_recovery_state == IMAGE_LEADER_RECOVERED))
		return WIRE_INVALID_REQUEST;
	for (uint32_t i = 0; i < a->isr.count; i++)
		if (!is_eligible(s, a->isr.id[i], a->epoch[i]))
			return WIRE_INELIGIBLE_REPLICA;
	return WIRE_NONE;
}

static void alter_partition(struct step *s, const struct image_topic *topic, struct alteration *a,
                            struct alter_partition_response_partition_data *ret)
{
	const struct image_partition *p;
	struct image_partition next;
	struct partition_target t;
	struct partition_change change;

	ret->partition_index = a->r->partition_index;
	p = topic ? image_topic_partition(topic, a->r->partition_index) : NULL;
	read_isr(s, a);
	ret->error_code = topic ? check_alteration(s, a, p) : WIRE_UNKNOWN_TOPIC_ID;
	if (ret->error_code)
		return;
	partition_target_of(s, topic, p, &t);
	if (topic_unclean_election(s, topic))
		t.election = ELECTION_UNCLEAN;
	t.isr = a->isr;
	t.leader_recovery_state = a->r->leader_recovery_state;
	next = *p;
	if (partition_emit(s, topic, &t, &change)) {
		partition_change_preview(p, &change, &next);
		/* A reassignment that this completes may take the leadership away. */
		if (change.leader != PARTITION_NO_LEADER_CHANGE && change.leader != a->broker_id) {
			ret->error_code = WIRE_NEW_LEADER_ELECTED;
			return;
		}
	}
	ret->leader_id = next.leader;
	ret->leader_epoch = next.leader_epoch;
	ret->isr = list_of(s, next.isr);
	ret->isr_count = next.isr.count;
	ret->leader_recovery_state = next.leader_recovery_state;
	ret->partition_epoch = next.partition_epoch;
}

void controller_alter_partition(struct step *s)
{
	const struct alter_partition_request *r = s->event->request;
	struct alter_partition_response *response = step_alloc(s, sizeof(*response));
	struct verdict v = verdict_ok();

	if (r->topics_count) /* of a request without topics Kafka does not even look at the broker
	                      */
		v = broker_epoch_check(s, r->broker_id, r->broker_epoch);
	if (verdict_failed(v)) {
		step_fail(s, v);
		return;
	}
	s->out->atomic = false;
	alter_partition_response_init(response);
	response->topics = step_array(s, r->topics_count, sizeof(*response->topics));
	response->topics_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		const struct alter_partition_request_topic_data *from = &r->topics[i];
		struct alter_partition_response_topic_data *to = &response->topics[i];
		const struct image_topic *topic = image_topic_by_id(s->c->image, from->topic_id);

		to->topic_id = from->topic_id;
		to->partitions = step_array(s, from->partitions_count, sizeof(*to->partitions));
		to->partitions_count = from->partitions_count;
		for (uint32_t j = 0; j < from->partitions_count; j++) {
			struct alteration a = { .broker_id = r->broker_id,
				                .r = &from->partitions[j] };

			alter_partition(s, topic, &a, &to->partitions[j]);
		}
	}
	s->out->response = response;
}

/* ---- ElectLeaders ---- */

enum { ELECT_PREFERRED = 0, ELECT_UNCLEAN = 1 };

static struct verdict elect_leader(struct step *s, struct str name, int32_t index, int8_t type)
{
	const struct image_topic *topic = image_topic_by_name(s->c->image, name);
	const struct image_partition *p = topic ? image_topic_partition(topic, index) : NULL;
	struct partition_target t;

	if (!topic)
		return verdict_printf(s, WIRE_UNKNOWN_TOPIC_OR_PARTITION, "No such topic as %.*s",
		                      STR_ARG(name));
	if (!p)
		return verdict_printf(s, WIRE_UNKNOWN_TOPIC_OR_PARTITION,
		                      "No such partition as %.*s-%d", STR_ARG(name), index);
	if (type == ELECT_PREFERRED ? p->replicas.count && p->leader == p->replicas.id[0]
	                            : p->leader != IMAGE_NO_LEADER)
		return verdict_of(WIRE_ELECTION_NOT_NEEDED,
		                  STR("Leader election not needed for topic partition."));
	partition_target_of(s, topic, p, &t);
	t.election = type == ELECT_PREFERRED ? ELECTION_PREFERRED : ELECTION_UNCLEAN;
	if (partition_emit(s, topic, &t, NULL))
		return verdict_ok();
	if (type == ELECT_PREFERRED)
		return verdict_of(WIRE_PREFERRED_LEADER_NOT_AVAILABLE,
		                  STR("The preferred leader was not available."));
	return verdict_of(WIRE_ELIGIBLE_LEADERS_NOT_AVAILABLE,
	                  STR("Eligible topic partition leaders are not available."));
}

static void add_election(struct elect_leaders_response_replica_election_result *result,
                         int32_t index, struct verdict v)
{
	result->partition_result[result->partition_result_count++] =
		(struct elect_leaders_response_partition_result){
			.partition_id = index,
			.error_code = v.error,
			.error_message = v.message,
		};
}

/* Of all partitions, those that have the right leader already are not mentioned. */
static void elect_all(struct step *s, int8_t type, struct elect_leaders_response *response)
{
	struct pmap_iter it;

	response->replica_election_results = step_array(
		s, s->c->image->topics.count, sizeof(*response->replica_election_results));
	pmap_each(it, &s->c->image->topics)
	{
		const struct image_topic *topic = image_value_of(struct image_topic, it.entry);
		struct elect_leaders_response_replica_election_result *result;

		result = &response->replica_election_results
		                  [response->replica_election_results_count++];
		result->topic = step_str(s, topic->name);
		result->partition_result =
			step_array(s, topic->partition_count, sizeof(*result->partition_result));
		for (uint32_t i = 0; i < topic->partition_count; i++) {
			int32_t index = topic->partition[i]->index;
			struct verdict v = elect_leader(s, topic->name, index, type);

			if (v.error != WIRE_ELECTION_NOT_NEEDED)
				add_election(result, index, v);
		}
	}
}

void controller_elect_leaders(struct step *s)
{
	const struct elect_leaders_request *r = s->event->request;
	struct elect_leaders_response *response = step_alloc(s, sizeof(*response));

	if (r->election_type != ELECT_PREFERRED && r->election_type != ELECT_UNCLEAN) {
		step_fail(s, verdict_printf(s, WIRE_INVALID_REQUEST, "Unknown election type %d",
		                            r->election_type));
		return;
	}
	s->out->atomic = false;
	s->out->response = response;
	elect_leaders_response_init(response);
	if (!r->topic_partitions) {
		elect_all(s, r->election_type, response);
		return;
	}
	response->replica_election_results = step_array(
		s, r->topic_partitions_count, sizeof(*response->replica_election_results));
	response->replica_election_results_count = r->topic_partitions_count;
	for (uint32_t i = 0; i < r->topic_partitions_count; i++) {
		const struct elect_leaders_request_topic_partitions *from = &r->topic_partitions[i];
		struct elect_leaders_response_replica_election_result *result =
			&response->replica_election_results[i];

		result->topic = from->topic;
		result->partition_result =
			step_array(s, from->partitions_count, sizeof(*result->partition_result));
		for (uint32_t j = 0; j < from->partitions_count; j++)
			add_election(result, from->partitions[j],
			             elect_leader(s, from->topic, from->partitions[j],
			                          r->election_type));
	}
}

/* ---- reassignments ---- */

static bool is_reassigning(const struct image_partition *p)
{
	return p->adding.count || p->removing.count;
}

static struct verdict cancel_reassignment(struct step *s, const struct image_topic *topic,
                                          const struct image_partition *p)
{
	struct image_ids replicas = image_ids_minus(s->arena, p->replicas, p->adding);
	struct image_ids isr = image_ids_minus(s->arena, p->isr, p->adding);
	bool unclean = topic_unclean_election(s, topic);
	struct partition_target t;

	if (!is_reassigning(p))
		return verdict_of(WIRE_NO_REASSIGNMENT_IN_PROGRESS, NO_TEXT);
	if (!replicas.count)
		return verdict_of(WIRE_INVALID_REPLICA_ASSIGNMENT,
		                  STR("Invalid replica assignment: addingReplicas contains all "
		                      "replicas."));
	if (!isr.count && !unclean)
		return verdict_printf(
			s, WIRE_INVALID_REPLICA_ASSIGNMENT,
			"Unable to revert partition assignment for %.*s:%d because it "
			"would require an unclean leader election.",
			STR_ARG(topic->name), p->index);
	partition_target_of(s, topic, p, &t);
	if (unclean)
		t.election = ELECTION_UNCLEAN;
	t.isr = isr.count ? isr : image_ids_one(s->arena, replicas.id[0]);
	t.replicas = replicas;
	t.removing = (struct image_ids){ NULL, 0 };
	t.adding = (struct image_ids){ NULL, 0 };
	(void)partition_emit(s, topic, &t, NULL); /* or nothing changes */
	return verdict_ok();
}

static struct image_ids sorted_minus(struct step *s, struct image_ids a, struct image_ids b)
{
	struct image_ids difference = image_ids_minus(s->arena, a, b);
	int32_t *id = (int32_t *)(uintptr_t)difference.id;

	for (uint32_t i = 1; i < difference.count; i++)
		for (uint32_t j = i; j && id[j] < id[j - 1]; j--) {
			int32_t swap = id[j];

			id[j] = id[j - 1];
			id[j - 1] = swap;
		}
	return difference;
}

static struct image_ids joined(struct step *s, struct image_ids a, struct image_ids b)
{
	int32_t *id = step_array(s, (size_t)a.count + b.count, sizeof(*id));

	if (a.count)
		memcpy(id, a.id, a.count * sizeof(*id));
	if (b.count)
		memcpy(id + a.count, b.id, b.count * sizeof(*id));
	return (struct image_ids){ id, a.count + b.count };
}

/* Replicas as they were or are becoming, without those on their way out. */
static uint32_t settled_count(struct step *s, const struct image_partition *p)
{
	struct image_ids added = image_ids_minus(s->arena, p->adding, p->replicas);
	struct image_ids all = joined(s, p->replicas, added);

	return image_ids_minus(s->arena, all, p->removing).count;
}

static struct verdict change_reassignment(struct step *s, const struct image_topic *topic,
                                          const struct image_partition *p, struct image_ids wanted,
                                          bool may_resize)
{
	struct verdict v = manual_assignment_check(s, wanted, 0);
	struct image_ids removing;
	struct image_ids adding;
	struct partition_target t;

	if (verdict_failed(v))
		return v;
	if (!may_resize && settled_count(s, p) != wanted.count)
		return verdict_printf(s, WIRE_INVALID_REPLICATION_FACTOR,
		                      "The replication factor is changed from %u to %u",
		                      settled_count(s, p), wanted.count);
	removing = sorted_minus(s, p->replicas, wanted);
	adding = sorted_minus(s, wanted, p->replicas);
	partition_target_of(s, topic, p, &t);
	t.replicas = joined(s, wanted, removing);
	if (removing.count)
		t.removing = removing;
	if (adding.count)
		t.adding = adding;
	(void)partition_emit(s, topic, &t, NULL); /* or nothing changes */
	return verdict_ok();
}

static struct verdict
reassign(struct step *s, struct str name,
         const struct alter_partition_reassignments_request_reassignable_partition *r,
         bool may_resize)
{
	const struct image_topic *topic = image_topic_by_name(s->c->image, name);
	const struct image_partition *p;

	if (!topic)
		return verdict_printf(s, WIRE_UNKNOWN_TOPIC_OR_PARTITION,
		                      "Unable to find a topic named %.*s.", STR_ARG(name));
	p = image_topic_partition(topic, r->partition_index);
	if (!p)
		return verdict_printf(s, WIRE_UNKNOWN_TOPIC_OR_PARTITION,
		                      "Unable to find partition %.*s:%d.", STR_ARG(name),
		                      r->partition_index);
	if (!r->replicas)
		return cancel_reassignment(s, topic, p);
	return change_reassignment(
		s, topic, p, (struct image_ids){ r->replicas, r->replicas_count }, may_resize);
}

void controller_alter_reassignments(struct step *s)
{
	const struct alter_partition_reassignments_request *r = s->event->request;
	struct alter_partition_reassignments_response *response = step_alloc(s, sizeof(*response));

	alter_partition_reassignments_response_init(response);
	s->out->response = response;
	if (!r->topics_count)
		return; /* Kafka's answer is then a blank one, with the empty message */
	response->error_message = (struct str){ NULL, 0 };
	response->allow_replication_factor_change = r->allow_replication_factor_change;
	response->responses = step_array(s, r->topics_count, sizeof(*response->responses));
	response->responses_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		const struct alter_partition_reassignments_request_reassignable_topic *from =
			&r->topics[i];
		struct alter_partition_reassignments_response_reassignable_topic_response *to =
			&response->responses[i];

		to->name = from->name;
		to->partitions = step_array(s, from->partitions_count, sizeof(*to->partitions));
		to->partitions_count = from->partitions_count;
		for (uint32_t j = 0; j < from->partitions_count; j++) {
			struct verdict v = reassign(s, from->name, &from->partitions[j],
			                            r->allow_replication_factor_change);

			to->partitions[j].partition_index = from->partitions[j].partition_index;
			to->partitions[j].error_code = v.error;
			to->partitions[j].error_message = v.message;
		}
	}
}

static void
list_partition(struct step *s, const struct image_partition *p,
               struct list_partition_reassignments_response_ongoing_topic_reassignment *topic)
{
	if (!p || !is_reassigning(p))
		return;
	topic->partitions[topic->partitions_count++] =
		(struct list_partition_reassignments_response_ongoing_partition_reassignment){
			.partition_index = p->index,
			.replicas = list_of(s, p->replicas),
			.replicas_count = p->replicas.count,
			.adding_replicas = list_of(s, p->adding),
			.adding_replicas_count = p->adding.count,
			.removing_replicas = list_of(s, p->removing),
			.removing_replicas_count = p->removing.count,
		};
}

static void list_topic(struct step *s, const struct image_topic *topic, const int32_t *index,
                       uint32_t index_count, struct list_partition_reassignments_response *to)
{
	struct list_partition_reassignments_response_ongoing_topic_reassignment *result =
		&to->topics[to->topics_count];
	uint32_t count = index ? index_count : topic->partition_count;

	result->name = step_str(s, topic->name);
	result->partitions = step_array(s, count, sizeof(*result->partitions));
	for (uint32_t i = 0; i < count; i++)
		list_partition(s,
		               index ? image_topic_partition(topic, index[i]) : topic->partition[i],
		               result);
	to->topics_count += result->partitions_count > 0;
}

void controller_list_reassignments(struct step *s)
{
	const struct list_partition_reassignments_request *r = s->event->request;
	struct list_partition_reassignments_response *response = step_alloc(s, sizeof(*response));
	struct pmap_iter it;

	list_partition_reassignments_response_init(response);
	response->error_message = (struct str){ NULL, 0 };
	s->out->response = response;
	if (r->topics) {
		response->topics = step_array(s, r->topics_count, sizeof(*response->topics));
		for (uint32_t i = 0; i < r->topics_count; i++) {
			const struct image_topic *topic =
				image_topic_by_name(s->c->image, r->topics[i].name);

			if (topic)
				list_topic(s, topic,
				           r->topics[i].partition_indexes
				                   ? r->topics[i].partition_indexes
				                   : WIRE_EMPTY,
				           r->topics[i].partition_indexes_count, response);
		}
		return;
	}
	response->topics = step_array(s, s->c->image->topics.count, sizeof(*response->topics));
	pmap_each(it, &s->c->image->topics)
	{
		list_topic(s, image_value_of(struct image_topic, it.entry), NULL, 0, response);
	}
}

/* ---- AssignReplicasToDirs ---- */

static int16_t assign_replica(struct step *s, const struct assign_replicas_to_dirs_request *r,
                              struct uuid dir, struct uuid topic_id, int32_t index)
{
	const struct image_topic *topic = image_topic_by_id(s->c->image, topic_id);
	const struct image_partition *p = topic ? image_topic_partition(topic, index) : NULL;
	struct partition_target t;

	if (!topic)
		return WIRE_UNKNOWN_TOPIC_ID;
	if (!p)
		return WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	if (!image_ids_has(p->replicas, r->broker_id))
		return WIRE_NOT_LEADER_OR_FOLLOWER;
	partition_target_of(s, topic, p, &t);
	t.moved_broker_id = r->broker_id;
	t.moved_to = dir;
	(void)partition_emit(s, topic, &t, NULL); /* or it is there already */
	/* A directory that is gone takes the replica out of sync. */
	if (!image_broker_has_online_dir(s->c->image, r->broker_id, dir))
		partition_update(s, (struct isr_update){ r->broker_id, NOBODY, NOBODY }, topic, p);
	return WIRE_NONE;
}

static void assign_topic(struct step *s, const struct assign_replicas_to_dirs_request *r,
                         struct uuid dir,
                         const struct assign_replicas_to_dirs_request_topic_data *from,
                         struct assign_replicas_to_dirs_response_topic_data *to)
{
	to->topic_id = from->topic_id;
	to->partitions = step_array(s, from->partitions_count, sizeof(*to->partitions));
	to->partitions_count = from->partitions_count;
	for (uint32_t i = 0; i < from->partitions_count; i++) {
		to->partitions[i].partition_index = from->partitions[i].partition_index;
		to->partitions[i].error_code = assign_replica(s, r, dir, from->topic_id,
		                                              from->partitions[i].partition_index);
	}
}

void controller_assign_dirs(struct step *s)
{
	const struct assign_replicas_to_dirs_request *r = s->event->request;
	struct assign_replicas_to_dirs_response *response = step_alloc(s, sizeof(*response));
	struct verdict v = broker_epoch_check(s, r->broker_id, r->broker_epoch);

	if (s->c->image->metadata_version < METADATA_VERSION_3_7_IV2)
		v = verdict_of(WIRE_UNSUPPORTED_VERSION,
		               STR("Directory assignment is not supported yet."));
	if (verdict_failed(v)) {
		step_fail(s, v);
		return;
	}
	s->out->atomic = false;
	assign_replicas_to_dirs_response_init(response);
	response->directories = step_array(s, r->directories_count, sizeof(*response->directories));
	response->directories_count = r->directories_count;
	for (uint32_t i = 0; i < r->directories_count; i++) {
		const struct assign_replicas_to_dirs_request_directory_data *from =
			&r->directories[i];
		struct assign_replicas_to_dirs_response_directory_data *to =
			&response->directories[i];

		to->id = from->id;
		to->topics = step_array(s, from->topics_count, sizeof(*to->topics));
		to->topics_count = from->topics_count;
		for (uint32_t j = 0; j < from->topics_count; j++)
			assign_topic(s, r, from->id, &from->topics[j], &to->topics[j]);
	}
	s->out->response = response;
}
