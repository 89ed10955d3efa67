/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"
#include "wire/alter_client_quotas.h"
#include "wire/alter_partition_reassignments.h"
#include "wire/alter_user_scram_credentials.h"
#include "wire/create_partitions.h"
#include "wire/create_topics.h"
#include "wire/delete_topics.h"
#include "wire/elect_leaders.h"
#include "wire/list_partition_reassignments.h"

/*
 * Requests that fail as a whole (Kafka: AbstractRequest.getErrorResponse): where the response has
 * an error of its own it says so there, elsewhere each item of the request does.
 */

static bool set_field(const struct message *m, const char *name, int16_t error, struct str message,
                      void *response)
{
	for (uint32_t i = 0; i < m->field_count; i++) {
		const struct message_field *f = &m->field[i];
		void *at = (char *)response + f->offset;

		if (strcmp(f->name, name) != 0 || f->is_array)
			continue;
		if (f->type == WIRE_I16)
			*(int16_t *)at = error;
		else if (f->type == WIRE_STRING)
			*(struct str *)at = message;
		return true;
	}
	return false;
}

static bool of_create_topics(struct call *call, int16_t error, struct str message,
                             struct create_topics_response *ret)
{
	const struct create_topics_request *r = call->request;

	ret->topics = arena_array(&call->arena, r->topics_count, sizeof(*ret->topics));
	if (!ret->topics)
		return false;
	ret->topics_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++)
		ret->topics[i] = (struct create_topics_response_creatable_topic_result){
			.name = r->topics[i].name,
			.error_code = error,
			.error_message = message,
			.num_partitions = -1,
			.replication_factor = -1,
			.configs = WIRE_EMPTY,
		};
	return true;
}

static bool of_delete_topics(struct call *call, int16_t error, struct delete_topics_response *ret)
{
	const struct delete_topics_request *r = call->request;
	uint32_t count = r->topics_count + r->topic_names_count;

	ret->responses = arena_array(&call->arena, count, sizeof(*ret->responses));
	if (!ret->responses)
		return false;
	ret->responses_count = count;
	for (uint32_t i = 0; i < count; i++) {
		bool by_state = i < r->topics_count;

		ret->responses[i].name =
			by_state ? r->topics[i].name : r->topic_names[i - r->topics_count];
		if (by_state)
			ret->responses[i].topic_id = r->topics[i].topic_id;
		ret->responses[i].error_code = error;
	}
	return true;
}

static bool of_create_partitions(struct call *call, int16_t error, struct str message,
                                 struct create_partitions_response *ret)
{
	const struct create_partitions_request *r = call->request;

	ret->results = arena_array(&call->arena, r->topics_count, sizeof(*ret->results));
	if (!ret->results)
		return false;
	ret->results_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++)
		ret->results[i] =
			(struct create_partitions_response_topic_result){ r->topics[i].name, error,
			                                                  message };
	return true;
}

static bool of_incremental(struct call *call, int16_t error, struct str message,
                           struct incremental_alter_configs_response *ret)
{
	const struct incremental_alter_configs_request *r = call->request;

	ret->responses = arena_array(&call->arena, r->resources_count, sizeof(*ret->responses));
	if (!ret->responses)
		return false;
	ret->responses_count = r->resources_count;
	for (uint32_t i = 0; i < r->resources_count; i++) {
		ret->responses[i].error_code = error;
		ret->responses[i].error_message = message;
		ret->responses[i].resource_type = r->resources[i].resource_type;
		ret->responses[i].resource_name = r->resources[i].resource_name;
	}
	return true;
}

static bool of_alter_configs(struct call *call, int16_t error, struct str message,
                             struct alter_configs_response *ret)
{
	const struct alter_configs_request *r = call->request;

	ret->responses = arena_array(&call->arena, r->resources_count, sizeof(*ret->responses));
	if (!ret->responses)
		return false;
	ret->responses_count = r->resources_count;
	for (uint32_t i = 0; i < r->resources_count; i++) {
		ret->responses[i].error_code = error;
		ret->responses[i].error_message = message;
		ret->responses[i].resource_type = r->resources[i].resource_type;
		ret->responses[i].resource_name = r->resources[i].resource_name;
	}
	return true;
}

static bool of_quotas(struct call *call, int16_t error, struct str message,
                      struct alter_client_quotas_response *ret)
{
	const struct alter_client_quotas_request *r = call->request;

	ret->entries = arena_array(&call->arena, r->entries_count, sizeof(*ret->entries));
	if (!ret->entries)
		return false;
	ret->entries_count = r->entries_count;
	for (uint32_t i = 0; i < r->entries_count; i++) {
		ret->entries[i].error_code = error;
		ret->entries[i].error_message = message;
		ret->entries[i].entity = arena_array(&call->arena, r->entries[i].entity_count,
		                                     sizeof(*ret->entries[i].entity));
		if (!ret->entries[i].entity)
			return false;
		ret->entries[i].entity_count = r->entries[i].entity_count;
		for (uint32_t j = 0; j < r->entries[i].entity_count; j++) {
			ret->entries[i].entity[j].entity_type = r->entries[i].entity[j].entity_type;
			ret->entries[i].entity[j].entity_name = r->entries[i].entity[j].entity_name;
		}
	}
	return true;
}

static bool of_scram(struct call *call, int16_t error, struct str message,
                     struct alter_user_scram_credentials_response *ret)
{
	const struct alter_user_scram_credentials_request *r = call->request;
	size_t count = (size_t)r->deletions_count + r->upsertions_count;

	ret->results = arena_array(&call->arena, count, sizeof(*ret->results));
	if (!ret->results)
		return false;
	ret->results_count = (uint32_t)count;
	for (uint32_t i = 0; i < count; i++) {
		ret->results[i].user = i < r->deletions_count
		                               ? r->deletions[i].name
		                               : r->upsertions[i - r->deletions_count].name;
		ret->results[i].error_code = error;
		ret->results[i].error_message = message;
	}
	return true;
}

static bool of_elections(struct call *call, int16_t error, struct str message,
                         struct elect_leaders_response *ret)
{
	const struct elect_leaders_request *r = call->request;

	ret->error_code = error;
	if (!r->topic_partitions)
		return true;
	ret->replica_election_results = arena_array(&call->arena, r->topic_partitions_count,
	                                            sizeof(*ret->replica_election_results));
	if (!ret->replica_election_results)
		return false;
	ret->replica_election_results_count = r->topic_partitions_count;
	for (uint32_t i = 0; i < r->topic_partitions_count; i++) {
		const struct elect_leaders_request_topic_partitions *from = &r->topic_partitions[i];
		struct elect_leaders_response_replica_election_result *to =
			&ret->replica_election_results[i];

		to->topic = from->topic;
		to->partition_result = arena_array(&call->arena, from->partitions_count,
		                                   sizeof(*to->partition_result));
		if (!to->partition_result)
			return false;
		to->partition_result_count = from->partitions_count;
		for (uint32_t j = 0; j < from->partitions_count; j++)
			to->partition_result[j] = (struct elect_leaders_response_partition_result){
				from->partitions[j], error, message
			};
	}
	return true;
}

static bool of_reassignments(struct call *call, int16_t error, struct str message,
                             struct alter_partition_reassignments_response *ret)
{
	const struct alter_partition_reassignments_request *r = call->request;

	ret->error_code = error;
	ret->error_message = message;
	ret->responses = arena_array(&call->arena, r->topics_count, sizeof(*ret->responses));
	if (!ret->responses)
		return false;
	ret->responses_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		const struct alter_partition_reassignments_request_reassignable_topic *from =
			&r->topics[i];
		struct alter_partition_reassignments_response_reassignable_topic_response *to =
			&ret->responses[i];

		to->name = from->name;
		to->partitions =
			arena_array(&call->arena, from->partitions_count, sizeof(*to->partitions));
		if (!to->partitions)
			return false;
		to->partitions_count = from->partitions_count;
		for (uint32_t j = 0; j < from->partitions_count; j++) {
			to->partitions[j].partition_index = from->partitions[j].partition_index;
			to->partitions[j].error_code = error;
			to->partitions[j].error_message = message;
		}
	}
	return true;
}

static bool of_reassignment_list(struct call *call, int16_t error, struct str message,
                                 struct list_partition_reassignments_response *ret)
{
	const struct list_partition_reassignments_request *r = call->request;

	ret->error_code = error;
	ret->error_message = message;
	ret->topics = arena_array(&call->arena, r->topics_count, sizeof(*ret->topics));
	if (!ret->topics)
		return false;
	ret->topics_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		const struct list_partition_reassignments_request_topics *from = &r->topics[i];
		struct list_partition_reassignments_response_ongoing_topic_reassignment *to =
			&ret->topics[i];

		to->name = from->name;
		to->partitions = arena_array(&call->arena, from->partition_indexes_count,
		                             sizeof(*to->partitions));
		if (!to->partitions)
			return false;
		to->partitions_count = from->partition_indexes_count;
		for (uint32_t j = 0; j < from->partition_indexes_count; j++)
			to->partitions[j].partition_index = from->partition_indexes[j];
	}
	return true;
}

static bool fill(struct call *call, int16_t error, struct str message, void *response)
{
	switch (call->api->key) {
	case API_CREATE_TOPICS:
		return of_create_topics(call, error, message, response);
	case API_DELETE_TOPICS:
		return of_delete_topics(call, error, response);
	case API_CREATE_PARTITIONS:
		return of_create_partitions(call, error, message, response);
	case API_INCREMENTAL_ALTER_CONFIGS:
		return of_incremental(call, error, message, response);
	case API_ALTER_CONFIGS:
		return of_alter_configs(call, error, message, response);
	case API_ALTER_CLIENT_QUOTAS:
		return of_quotas(call, error, message, response);
	case API_ALTER_USER_SCRAM_CREDENTIALS:
		return of_scram(call, error, message, response);
	case API_ELECT_LEADERS:
		return of_elections(call, error, message, response);
	case API_ALTER_PARTITION_REASSIGNMENTS:
		return of_reassignments(call, error, message, response);
	case API_LIST_PARTITION_REASSIGNMENTS:
		return of_reassignment_list(call, error, message, response);
	default:
		(void)set_field(call->api->response, "error_message", error, message, response);
		return set_field(call->api->response, "error_code", error, message, response);
	}
}

void *admin_error_response(struct call *call, int16_t error, struct str message)
{
	void *response = arena_zalloc(&call->arena, call->api->response->size);

	if (!response)
		return NULL;
	message_defaults(call->api->response, response);
	return fill(call, error, message, response) ? response : NULL;
}
