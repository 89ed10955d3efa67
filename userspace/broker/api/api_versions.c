/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/api.h"
#include "broker/broker.h"
#include "broker/conn.h"
#include "broker/metadata.h"
#include "core/feature.h"
#include "wire/api_versions.h"

/*
 * What this listener serves, and the features of the cluster (KIP-511, KIP-584).  It needs no
 * authentication: a client asks first of all.
 */
enum {
	LEVEL_ZERO_FROM = 4, /* older versions cannot say that a feature's lowest level is 0 */
	PRODUCE_MIN = 0,     /* what librdkafka must read there to compress at all (KAFKA-18659) */
};

/* [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? */
static bool is_software_name(struct str s)
{
	for (uint32_t i = 0; i < s.size; i++) {
		char c = s.data[i];
		bool inner = i && i + 1 < s.size && (c == '-' || c == '.');

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    !inner)
			return false;
	}
	return s.size > 0;
}

static bool is_valid(const struct call *call)
{
	const struct api_versions_request *r = call->request;

	return call->version < 3 || (is_software_name(r->client_software_name) &&
	                             is_software_name(r->client_software_version));
}

static struct conn_software software_of(const struct api_versions_request *r)
{
	return (struct conn_software){ r->client_software_name, r->client_software_version };
}

/* Clients push metrics to whoever says that it takes them: nobody does who is not told to. */
static bool is_shown(const struct call *call, const struct api_handler *h)
{
	const struct config *c = broker_config(call->broker);

	if (h->key == API_GET_TELEMETRY_SUBSCRIPTIONS || h->key == API_PUSH_TELEMETRY)
		return c && config_bool(c, CONFIG_SLUICE_CLIENT_TELEMETRY);
	return call->listener->is_controller ? h->on_controller : h->on_broker;
}

static struct api_versions_response_api_version range_of(const struct api_handler *h,
                                                         bool controller)
{
	int16_t min = wire_api_find(h->key)->request->min;

	if (h->key == API_PRODUCE && !controller)
		min = PRODUCE_MIN;
	return (struct api_versions_response_api_version){
		.api_key = h->key,
		.min_version = min,
		.max_version = api_handler_max(h),
	};
}

static void refuse(struct call *call, int16_t error)
{
	struct api_versions_response response;
	struct api_versions_response_api_version own;

	api_versions_response_init(&response);
	response.error_code = error;
	if (error == WIRE_UNSUPPORTED_VERSION) {
		own = range_of(api_handler_find(API_API_VERSIONS, call->listener->is_controller),
		               true);
		response.api_keys = &own;
		response.api_keys_count = 1;
	}
	call_reply(call, &response);
}

static bool add_apis(struct call *call, struct api_versions_response *response)
{
	bool controller = call->listener->is_controller;

	response->api_keys =
		arena_array(&call->arena, api_handler_count, sizeof(*response->api_keys));
	if (!response->api_keys)
		return false;
	for (size_t i = 0; i < api_handler_count; i++) {
		const struct api_handler *h = &api_handlers[i];

		if (is_shown(call, h))
			response->api_keys[response->api_keys_count++] = range_of(h, controller);
	}
	return true;
}

static bool add_supported(struct call *call, struct api_versions_response *response)
{
	size_t count;
	const struct feature *feature = feature_table(&count);

	response->supported_features =
		arena_array(&call->arena, count, sizeof(*response->supported_features));
	if (!response->supported_features)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!feature[i].min && call->version < LEVEL_ZERO_FROM)
			continue;
		response->supported_features[response->supported_features_count++] =
			(struct api_versions_response_supported_feature_key){
				.name = feature[i].name,
				.min_version = feature[i].min,
				.max_version = feature[i].max,
			};
	}
	return true;
}

static void add_level(struct api_versions_response *response, struct str name, int16_t level)
{
	if (!level)
		return;
	response->finalized_features[response->finalized_features_count++] =
		(struct api_versions_response_finalized_feature_key){
			.name = name,
			.max_version_level = level,
			.min_version_level = level,
		};
}

static bool add_finalized(struct call *call, struct api_versions_response *response)
{
	const struct metadata *metadata = call->broker->metadata;
	const struct image *image = metadata ? metadata_image(metadata) : NULL;
	struct metadata_quorum quorum;
	struct pmap_iter it;

	if (!image || !image->metadata_version)
		return true;
	response->finalized_features = arena_array(&call->arena, image->features.count + 2,
	                                           sizeof(*response->finalized_features));
	if (!response->finalized_features)
		return false;
	metadata_quorum(metadata, &quorum);
	add_level(response, STR(FEATURE_METADATA_VERSION), image->metadata_version);
	add_level(response, STR(FEATURE_KRAFT_VERSION), (int16_t)quorum.kraft_version);
	pmap_each(it, &image->features)
	{
		const struct image_level *level = image_value_of(struct image_level, it.entry);

		add_level(response, it.entry.key, level->level);
	}
	response->finalized_features_epoch = image->offset;
	return true;
}

void api_api_versions(struct call *call)
{
	struct api_versions_response response;

	if (!call->request) {
		refuse(call, WIRE_UNSUPPORTED_VERSION);
		return;
	}
	if (!is_valid(call)) {
		refuse(call, WIRE_INVALID_REQUEST);
		return;
	}
	if (call->version >= 3)
		call_software_set(call, software_of(call->request));
	api_versions_response_init(&response);
	if (add_apis(call, &response) && add_supported(call, &response) &&
	    add_finalized(call, &response))
		call_reply(call, &response);
	else
		call_close(call);
}
