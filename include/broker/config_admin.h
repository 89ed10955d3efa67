/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_CONFIG_ADMIN_H
#define BROKER_CONFIG_ADMIN_H

#include "base/arena.h"
#include "broker/config_describe.h"
#include "core/image.h"
#include "wire/alter_configs.h"
#include "wire/describe_configs.h"
#include "wire/incremental_alter_configs.h"

/*
 * DescribeConfigs, and what a broker does to the Alter requests before and after the controller
 * (kafka.server.ConfigHelper, ConfigAdminManager).  Responses are made in the arena and borrow
 * texts from request, config and image.
 */
struct config_admin {
	const struct config *config;
	const struct image *image;
	int32_t node_id;
	struct arena *arena; /* reached limits are WIRE_UNKNOWN_SERVER_ERROR of a resource */
	/* The controller's listener: only loggers are judged, the rest goes on as it is. */
	bool is_controller;
};

void config_admin_describe(const struct config_admin *a,
                           const struct describe_configs_request *request,
                           struct describe_configs_response *ret);

/* What this broker says of a resource; forwarded: what the controller is to say. */
struct config_admin_verdict {
	bool forwarded;
	int16_t error;
	struct str message;
};

/*
 * One verdict for each resource of the request; `forward` gets those that the controller decides.
 * NULL: the arena's limit.
 */
struct config_admin_verdict *
config_admin_incremental(const struct config_admin *a,
                         const struct incremental_alter_configs_request *request,
                         struct incremental_alter_configs_request *forward);
/* `answer` is the controller's, NULL when nothing was forwarded. */
void config_admin_incremental_answer(struct arena *arena,
                                     const struct incremental_alter_configs_request *request,
                                     const struct config_admin_verdict *verdict,
                                     const struct incremental_alter_configs_response *answer,
                                     struct incremental_alter_configs_response *ret);

struct config_admin_verdict *config_admin_alter(const struct config_admin *a,
                                                const struct alter_configs_request *request,
                                                struct alter_configs_request *forward);
void config_admin_alter_answer(struct arena *arena, const struct alter_configs_request *request,
                               const struct config_admin_verdict *verdict,
                               const struct alter_configs_response *answer,
                               struct alter_configs_response *ret);

#endif
