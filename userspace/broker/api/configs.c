/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"

struct config_admin admin_config(struct call *call)
{
	const struct image *image = metadata_image(call->broker->metadata);

	return (struct config_admin){
		.config = broker_config(call->broker),
		.image = image,
		.node_id = call->broker->node_id,
		.arena = &call->arena,
		.is_controller = call->listener->is_controller,
	};
}

void api_describe_configs(struct call *call)
{
	const struct describe_configs_request *r = call->request;
	struct config_admin admin = admin_config(call);
	struct describe_configs_response response;

	config_admin_describe(&admin, r, &response);
	call_reply(call, &response);
}

/* ---- the Alter requests: what this broker says is kept in call->user meanwhile ---- */

static void reply_incremental(struct call *call, const void *answer)
{
	struct incremental_alter_configs_response response;

	config_admin_incremental_answer(&call->arena, call->request, call->user, answer, &response);
	call_reply(call, &response);
}

static bool has_loggers(const struct incremental_alter_configs_request *r)
{
	for (uint32_t i = 0; i < r->resources_count; i++)
		if (r->resources[i].resource_type == IMAGE_RESOURCE_BROKER_LOGGER)
			return true;
	return false;
}

void api_incremental_alter_configs(struct call *call)
{
	struct config_admin admin = admin_config(call);
	struct incremental_alter_configs_request *forward =
		arena_zalloc(&call->arena, sizeof(*forward));

	/* The controller's own listener checks nothing of a broker's but its loggers. */
	if (call->listener->is_controller && !has_loggers(call->request)) {
		admin_forward(call, NULL, NULL);
		return;
	}
	call->user = forward ? config_admin_incremental(&admin, call->request, forward) : NULL;
	if (!call->user)
		call_close(call);
	else if (forward->resources_count)
		admin_forward(call, forward, reply_incremental);
	else
		reply_incremental(call, NULL);
}

static void reply_alter(struct call *call, const void *answer)
{
	struct alter_configs_response response;

	config_admin_alter_answer(&call->arena, call->request, call->user, answer, &response);
	call_reply(call, &response);
}

void api_alter_configs(struct call *call)
{
	struct config_admin admin = admin_config(call);
	struct alter_configs_request *forward = arena_zalloc(&call->arena, sizeof(*forward));

	if (call->listener->is_controller) {
		admin_forward(call, NULL, NULL);
		return;
	}
	call->user = forward ? config_admin_alter(&admin, call->request, forward) : NULL;
	if (!call->user)
		call_close(call);
	else if (forward->resources_count)
		admin_forward(call, forward, reply_alter);
	else
		reply_alter(call, NULL);
}
