/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/auto_topics.h"
#include "broker/broker.h"
#include "broker/groups.h"
#include "broker/metadata.h"
#include "core/describe.h"
#include "core/topic_name.h"
#include "wire/find_coordinator.h"

#include "broker/api.h"

/* org.apache.kafka.common.requests.FindCoordinatorRequest.CoordinatorType */
enum key_type { KEY_GROUP, KEY_TRANSACTION, KEY_SHARE };

struct found {
	int16_t error;
	int32_t node_id;
	struct str host;
	int32_t port;
};

static const struct found nobody = { WIRE_COORDINATOR_NOT_AVAILABLE, -1, { "", 0 }, -1 };

static struct found refused(int16_t error)
{
	struct found f = nobody;

	f.error = error;
	return f;
}

static struct found leader_of(struct call *call, const struct image *image,
                              const struct image_partition *part)
{
	const struct describe d = { image, &call->arena, call->listener->name };
	const struct image_node *broker = image_broker(image, part->leader);
	const struct image_endpoint *at;

	if (part->leader == IMAGE_NO_LEADER || !broker || broker->fenced)
		return nobody;
	at = describe_endpoint(&d, part->leader);
	return at ? (struct found){ WIRE_NONE, part->leader, at->host, at->port } : nobody;
}

static struct found find_group(struct call *call, const struct image *image, struct str group_id)
{
	const struct str name = STR(TOPIC_CONSUMER_OFFSETS);
	const struct image_topic *topic = image_topic_by_name(image, name);
	const struct image_partition *part;

	if (!topic) {
		auto_topics_create(call->broker->auto_topics, &name, 1, call->principal);
		return nobody;
	}
	part = topic->partition_count
	               ? image_topic_partition(
				 topic, groups_partition_of(group_id, topic->partition_count))
	               : NULL;
	return part ? leader_of(call, image, part) : nobody;
}

/* Coordinators of transactions and share groups are not there yet, so nobody has one. */
static struct found find(struct call *call, const struct image *image, int8_t key_type,
                         struct str key)
{
	switch (key_type) {
	case KEY_GROUP:
		return find_group(call, image, key);
	case KEY_TRANSACTION:
		return nobody;
	case KEY_SHARE:
		return call->version < 6 ? refused(WIRE_INVALID_REQUEST) : nobody;
	default:
		return refused(WIRE_INVALID_REQUEST);
	}
}

static void reply_one(struct call *call, const struct find_coordinator_request *r,
                      const struct image *image)
{
	struct found f = find(call, image, r->key_type, r->key);
	struct find_coordinator_response response;

	find_coordinator_response_init(&response);
	response.error_code = f.error;
	response.error_message = str_of(f.error ? wire_error_name(f.error) : "NONE");
	response.node_id = f.node_id;
	response.host = f.host;
	response.port = f.port;
	call_reply(call, &response);
}

static void reply_many(struct call *call, const struct find_coordinator_request *r,
                       const struct image *image)
{
	struct find_coordinator_response response;

	find_coordinator_response_init(&response);
	response.coordinators = arena_array(&call->arena, r->coordinator_keys_count,
	                                    sizeof(*response.coordinators));
	if (!response.coordinators) {
		call_close(call);
		return;
	}
	response.coordinators_count = r->coordinator_keys_count;
	for (uint32_t i = 0; i < r->coordinator_keys_count; i++) {
		struct found f = find(call, image, r->key_type, r->coordinator_keys[i]);

		response.coordinators[i] = (struct find_coordinator_response_coordinator){
			.key = r->coordinator_keys[i],
			.node_id = f.node_id,
			.host = f.host,
			.port = f.port,
			.error_code = f.error,
			.error_message = STR(""),
		};
	}
	call_reply(call, &response);
}

void api_find_coordinator(struct call *call)
{
	const struct image *image = metadata_image(call->broker->metadata);

	if (call->version < 4)
		reply_one(call, call->request, image);
	else
		reply_many(call, call->request, image);
}
