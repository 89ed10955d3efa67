/* SPDX-License-Identifier: Apache-2.0 */
#include "core/describe.h"

#include "admin.h"

static struct describe describe_of(struct call *call)
{
	return (struct describe){
		.image = metadata_image(call->broker->metadata),
		.arena = &call->arena,
		.listener = call->listener->name,
	};
}

/* For a client every broker that serves is as good as the controller: it forwards. */
static int32_t serving_broker(const struct image *image)
{
	struct pmap_iter it;

	pmap_each(it, &image->brokers)
	{
		const struct image_node *broker = image_value_of(struct image_node, it.entry);

		if (!broker->fenced)
			return broker->id;
	}
	return -1;
}

void api_describe_cluster(struct call *call)
{
	const struct metadata *m = call->broker->metadata;
	struct describe d = describe_of(call);
	bool controller = call->listener->is_controller;
	struct describe_cluster_response response;

	describe_cluster(&d, controller ? DESCRIBE_CONTROLLERS : DESCRIBE_BROKERS, call->version,
	                 metadata_cluster_id(m),
	                 controller ? metadata_controller_id(m) : serving_broker(d.image),
	                 ADMIN_CLUSTER_OPERATIONS, call->request, &response);
	call_reply(call, &response);
}

void api_describe_quorum(struct call *call)
{
	struct metadata_quorum quorum;
	struct describe_quorum_response response;

	metadata_quorum(call->broker->metadata, &quorum);
	describe_quorum(&call->arena, call->version,
	                &(struct describe_leader){
				.leader_id = quorum.leader_id,
				.leader_epoch = quorum.leader_epoch,
				.high_watermark = quorum.high_watermark,
				.log_end_offset = quorum.log_end_offset,
				.now_ms = quorum.last_fetch_ms,
				.voter = quorum.voter,
				.voter_count = quorum.voter_count,
			},
	                call->request, &response);
	call_reply(call, &response);
}

void api_list_config_resources(struct call *call)
{
	struct describe d = describe_of(call);
	struct list_config_resources_response response;

	list_config_resources(&d, call->version, call->request, &response);
	call_reply(call, &response);
}

void api_describe_client_quotas(struct call *call)
{
	struct describe d = describe_of(call);
	struct describe_client_quotas_response response;

	describe_client_quotas(&d, call->request, &response);
	call_reply(call, &response);
}

void api_describe_user_scram_credentials(struct call *call)
{
	struct describe d = describe_of(call);
	struct describe_user_scram_credentials_response response;

	describe_scram(&d, call->request, &response);
	call_reply(call, &response);
}

static void refuse_topics(struct call *call, int16_t error)
{
	const struct describe_topic_partitions_request *r = call->request;
	struct describe_topic_partitions_response response;

	describe_topic_partitions_response_init(&response);
	response.topics = arena_array(&call->arena, r->topics_count, sizeof(*response.topics));
	if (!response.topics) {
		call_close(call);
		return;
	}
	response.topics_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++)
		response.topics[i] = (struct describe_topic_partitions_response_response_topic){
			.error_code = error,
			.name = r->topics[i].name,
			.partitions = WIRE_EMPTY,
			.topic_authorized_operations = INT32_MIN,
		};
	call_reply(call, &response);
}

void api_describe_topic_partitions(struct call *call)
{
	struct describe d = describe_of(call);
	int32_t limit =
		config_int(broker_config(call->broker), CONFIG_MAX_REQUEST_PARTITION_SIZE_LIMIT);
	struct describe_topic_partitions_response response;
	int16_t error = describe_topic_partitions(&d, limit, call->request, &response);

	if (error) {
		refuse_topics(call, error);
		return;
	}
	for (uint32_t i = 0; i < response.topics_count; i++)
		response.topics[i].topic_authorized_operations = ADMIN_TOPIC_OPERATIONS;
	call_reply(call, &response);
}
