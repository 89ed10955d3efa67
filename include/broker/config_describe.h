/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_CONFIG_DESCRIBE_H
#define BROKER_CONFIG_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "broker/config.h"
#include "core/controller.h"
#include "core/image.h"

/*
 * What DescribeConfigs shows and what the Alter requests may set (kafka.server.ConfigHelper,
 * ConfigAdminManager, ControllerConfigurationValidator).  Texts are in the arena, in the config or
 * in the caller's layers.
 */
struct config_synonym {
	struct str name;
	struct str value; /* data NULL: sensitive, or null */
	int8_t source;    /* enum config_source */
};

struct config_entry {
	struct str name;
	struct str value; /* data NULL: sensitive, or null */
	struct str doc;
	const struct config_synonym *synonym; /* the first is where the value is from */
	uint32_t synonym_count;
	int8_t source; /* enum config_source */
	int8_t type;   /* enum config_type */
	bool is_read_only;
	bool is_sensitive;
};

struct config_entries {
	const struct config_entry *entry; /* NULL: the arena's limit was reached */
	uint32_t count;
};

/*
 * Entries in the order of their names.  `c` knows its dynamic configs (config_update()); the layer
 * is the resource's own.
 */
struct config_entries config_describe_topic(const struct config *c, struct config_layer topic,
                                            struct arena *arena);
struct config_entries config_describe_broker(const struct config *c, struct arena *arena);
/* The empty name: only what is set as the cluster's default. */
struct config_entries config_describe_cluster(const struct config *c, struct arena *arena);
struct config_entries config_describe_group(const struct config *c, struct config_layer group,
                                            struct arena *arena);
struct config_entries config_describe_client_metrics(struct config_layer layer,
                                                     struct arena *arena);

/*
 * Would these be good configs of a resource?  The whole of its dynamic configs after the change, as
 * ControllerConfigurationValidator.validate.  WIRE_NONE, or the error with Kafka's message in
 * *ret_message.  `c` is the controller's own config.
 */
int16_t config_validate(const struct config *c, enum image_resource_type type,
                        struct config_layer layer, struct arena *arena, struct str *ret_message);

/*
 * What a broker checks before it forwards an alteration of BROKER configs to the controller
 * (ConfigAdminManager.preprocess): `layer` is the whole of the resource's dynamic configs after the
 * change, per_broker false: of the empty name.
 */
int16_t config_validate_broker(const struct config *c, struct config_layer layer, bool per_broker,
                               struct arena *arena, struct str *ret_message);

/* A LIST: APPEND and SUBTRACT are allowed. */
bool config_is_list(enum image_resource_type type, struct str name);

/* The configs of a resource in an image, as a layer; in the arena, texts borrowed.  Empty when the
 * arena's limit is reached. */
struct config_layer config_layer_of(const struct image *image, enum image_resource_type type,
                                    struct str resource_name, struct arena *arena);

/* The controller's questions, answered by `c`, which must outlive them. */
struct controller_config_rules config_controller_rules(const struct config *c);

#endif
