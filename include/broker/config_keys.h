/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_CONFIG_KEYS_H
#define BROKER_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * The table of every config (Kafka 4.3: AbstractKafkaConfig, QuotaConfig, LogConfig, GroupConfig,
 * ClientMetricsConfigs; `sluice.*` is our own).  The rows are in the .def files:
 *	CONFIG(ID, "name", TYPE, default text or NULL, check, update, flags, "what it does")
 * and an id is the name in capitals: CONFIG_NUM_PARTITIONS, TOPIC_CONFIG_RETENTION_MS.
 */
#define CONFIG(id, ...) CONFIG_##id,
enum config_id {
#include "broker/config_broker.def"
	CONFIG_COUNT
};
#undef CONFIG

#define CONFIG(id, ...) TOPIC_CONFIG_##id,
enum topic_config_id {
#include "broker/config_topic.def"
	TOPIC_CONFIG_COUNT
};
#undef CONFIG

#define CONFIG(id, ...) GROUP_CONFIG_##id,
enum group_config_id {
#include "broker/config_group.def"
	GROUP_CONFIG_COUNT
};
#undef CONFIG

#define CONFIG(id, ...) CLIENT_METRICS_CONFIG_##id,
enum client_metrics_config_id {
#include "broker/config_client_metrics.def"
	CLIENT_METRICS_CONFIG_COUNT
};
#undef CONFIG

/* DescribeConfigsResponse.ConfigType: the numbers of the wire. */
enum config_type {
	CONFIG_TYPE_UNKNOWN = 0,
	CONFIG_TYPE_BOOLEAN = 1,
	CONFIG_TYPE_STRING = 2,
	CONFIG_TYPE_INT = 3,
	CONFIG_TYPE_SHORT = 4,
	CONFIG_TYPE_LONG = 5,
	CONFIG_TYPE_DOUBLE = 6,
	CONFIG_TYPE_LIST = 7,
	CONFIG_TYPE_CLASS = 8,
	CONFIG_TYPE_PASSWORD = 9,
};

/* DescribeConfigsResponse.ConfigSource */
enum config_source {
	CONFIG_SOURCE_TOPIC = 1,
	CONFIG_SOURCE_DYNAMIC_BROKER = 2,
	CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER = 3,
	CONFIG_SOURCE_STATIC_BROKER = 4,
	CONFIG_SOURCE_DEFAULT = 5,
	CONFIG_SOURCE_DYNAMIC_BROKER_LOGGER = 6,
	CONFIG_SOURCE_CLIENT_METRICS = 7,
	CONFIG_SOURCE_GROUP = 8,
};

/* Kafka's dynamic update mode of a broker config. */
enum config_update {
	CONFIG_UPDATE_READ_ONLY,
	CONFIG_UPDATE_PER_BROKER,
	CONFIG_UPDATE_CLUSTER,
};

enum config_check_kind {
	CONFIG_CHECK_ANY,
	CONFIG_CHECK_RANGE,    /* low..high; high at its type's end: no upper bound */
	CONFIG_CHECK_RANGE_OR, /* low..high, or -1 */
	CONFIG_CHECK_ONE_OF,   /* a string; or each item of a list */
	CONFIG_CHECK_ONE_OF_NOCASE,
	CONFIG_CHECK_NON_EMPTY, /* a string, null allowed */
	CONFIG_CHECK_ITEMS,     /* a list without empty or equal items; low: at least so many */
	CONFIG_CHECK_THROTTLED, /* partition:broker,... or * or nothing */
	CONFIG_CHECK_OFFSET_RESET,
};

struct config_check {
	enum config_check_kind kind;
	double low;
	double high;
	const char *allowed; /* "a, b, c" */
};

enum config_flag {
	CONFIG_REQUIRED = 1,
	CONFIG_INTERNAL =
		2, /* Kafka's own, not in its documentation; not listed by DescribeConfigs */
	CONFIG_HONOURED = 4, /* else: accepted and described, without effect here */
	CONFIG_OWN = 8,      /* sluice.* */
	CONFIG_QUOTA = 16,   /* dynamic only, not part of the broker's own configs */
};

struct config_key {
	const char *name;
	const char *default_text; /* as DescribeConfigs prints it; NULL: null */
	const char *doc;          /* one sentence */
	struct config_check check;
	enum config_type type;
	enum config_update update;
	uint8_t flags;
};

enum config_scope {
	CONFIG_SCOPE_BROKER,
	CONFIG_SCOPE_TOPIC,
	CONFIG_SCOPE_GROUP,
	CONFIG_SCOPE_CLIENT_METRICS,
	CONFIG_SCOPE_COUNT,
};

/* Rows by id; sorted by name as well, so that id is also the place in the order of names. */
struct config_table {
	const struct config_key *key;
	uint32_t count;
};

struct config_table config_table(enum config_scope scope);
/* The row's id, or -1. */
int config_find(enum config_scope scope, struct str name);
/*
 * The known name nearest to a mistyped one: NULL when none is near.
 */
const char *config_nearest(enum config_scope scope, struct str name);
const char *config_type_name(enum config_type type);

static inline bool config_is_sensitive(const struct config_key *key)
{
	return key->type == CONFIG_TYPE_PASSWORD;
}

#endif
