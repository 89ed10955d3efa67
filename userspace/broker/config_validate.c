/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "config_private.h"
#include "wire/errors.h"

/* One question: the layer, and where the answer goes. */
struct validation {
	const struct config *c;
	struct config_layer layer;
	struct arena arena; /* without a limit, for what is parsed */
	struct arena *out;
	int16_t error;
	struct str message;
};

static bool refuse(struct validation *v, int16_t error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool refuse(struct validation *v, int16_t error, const char *format, ...)
{
	char text[1200];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (size >= (int)sizeof(text))
		size = (int)sizeof(text) - 1;
	v->error = error;
	v->message = arena_str(v->out, (struct str){ text, (uint32_t)size });
	return false;
}

static bool parse_all(struct validation *v, enum config_scope scope, struct config_value *value)
{
	struct config_table table = config_table(scope);
	struct str why;

	for (uint32_t id = 0; id < table.count; id++) {
		struct str given = config_layer_value(v->layer, str_of(table.key[id].name));

		if (given.data) {
			if (!config_parse(&table.key[id], given, &v->arena, &value[id], &why))
				return refuse(v, WIRE_INVALID_CONFIG, "%.*s", STR_ARG(why));
		} else if (scope == CONFIG_SCOPE_TOPIC) {
			config_topic_default(v->c, (enum topic_config_id)id, &v->arena, &value[id]);
		} else if (scope == CONFIG_SCOPE_GROUP) {
			config_group_default(v->c, (enum group_config_id)id, &v->arena, &value[id]);
		} else {
			config_parse_default(&table.key[id], &v->arena, &value[id]);
		}
	}
	return true;
}

/* Nulls and names; what an unknown name is called. */
static bool check_names(struct validation *v, enum config_scope scope, const char *kind,
                        int16_t error, const char *unknown)
{
	for (uint32_t i = 0; i < v->layer.count; i++)
		if (!v->layer.pair[i].value.data)
			return refuse(v, WIRE_INVALID_CONFIG,
			              "Null value not supported for %s configs: %.*s", kind,
			              STR_ARG(v->layer.pair[i].name));
	for (uint32_t i = 0; i < v->layer.count; i++)
		if (config_find(scope, v->layer.pair[i].name) < 0)
			return refuse(v, error, "%s: %.*s", unknown,
			              STR_ARG(v->layer.pair[i].name));
	return true;
}

/* ---- topics (LogConfig.validate) ---- */

static bool check_local(struct validation *v, const struct config_value *value,
                        enum topic_config_id local, enum topic_config_id all)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_TOPIC).key;
	int64_t here = value[local].number;
	int64_t total = value[all].number;

	if (total <= -1 || here == -2)
		return true;
	if (here == -1)
		return refuse(v, WIRE_INVALID_CONFIG,
		              "Invalid value %lld for configuration %s: Value must not be -1 as %s "
		              "value is set as %lld.",
		              (long long)here, key[local].name, key[all].name, (long long)total);
	if (here > total)
		return refuse(
			v, WIRE_INVALID_CONFIG,
			"Invalid value %lld for configuration %s: Value must not be more than "
			"%s property value: %lld",
			(long long)here, key[local].name, key[all].name, (long long)total);
	return true;
}

static bool check_remote(struct validation *v, const struct config_value *value)
{
	const struct config_value *policy = &value[TOPIC_CONFIG_CLEANUP_POLICY];

	if (!value[TOPIC_CONFIG_REMOTE_STORAGE_ENABLE].number)
		return true;
	if (!config_bool(v->c, CONFIG_REMOTE_LOG_STORAGE_SYSTEM_ENABLE))
		return refuse(
			v, WIRE_INVALID_CONFIG,
			"Tiered Storage functionality is disabled in the broker. Topic cannot "
			"be configured with remote log storage.");
	if (config_value_has(policy, STR("compact")))
		return refuse(
			v, WIRE_INVALID_CONFIG,
			"Remote log storage only supports topics with cleanup.policy=delete or "
			"cleanup.policy being an empty list.");
	return check_local(v, value, TOPIC_CONFIG_LOCAL_RETENTION_BYTES,
	                   TOPIC_CONFIG_RETENTION_BYTES) &&
	       check_local(v, value, TOPIC_CONFIG_LOCAL_RETENTION_MS, TOPIC_CONFIG_RETENTION_MS);
}

static bool validate_topic(struct validation *v)
{
	struct config_value value[TOPIC_CONFIG_COUNT];
	int64_t low;
	int64_t high;

	if (!check_names(v, CONFIG_SCOPE_TOPIC, "topic", WIRE_INVALID_CONFIG,
	                 "Unknown topic config name") ||
	    !parse_all(v, CONFIG_SCOPE_TOPIC, value))
		return false;
	low = value[TOPIC_CONFIG_MIN_COMPACTION_LAG_MS].number;
	high = value[TOPIC_CONFIG_MAX_COMPACTION_LAG_MS].number;
	if (low > high)
		return refuse(v, WIRE_INVALID_CONFIG,
		              "conflict topic config setting min.compaction.lag.ms (%lld) > "
		              "max.compaction.lag.ms (%lld)",
		              (long long)low, (long long)high);
	return check_remote(v, value);
}

/* ---- groups (GroupConfig.validate) ---- */

struct group_bound {
	uint8_t id;
	uint16_t low; /* enum config_id; CONFIG_COUNT: none */
	uint16_t high;
	bool only_given;
};

static bool check_bound(struct validation *v, const struct config_value *value,
                        const struct group_bound *b)
{
	const struct config_key *key = &config_table(CONFIG_SCOPE_GROUP).key[b->id];
	const struct config_key *broker = config_table(CONFIG_SCOPE_BROKER).key;

	if (b->only_given && !config_layer_value(v->layer, str_of(key->name)).data)
		return true;
	if (b->low != CONFIG_COUNT && value[b->id].number < v->c->value[b->low].number)
		return refuse(v, WIRE_INVALID_CONFIG, "%s must be greater than or equal to %s",
		              key->name, broker[b->low].name);
	if (value[b->id].number > v->c->value[b->high].number)
		return refuse(v, WIRE_INVALID_CONFIG, "%s must be less than or equal to %s",
		              key->name, broker[b->high].name);
	return true;
}

static bool check_longer(struct validation *v, const struct config_value *value,
                         enum group_config_id session, enum group_config_id heartbeat)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_GROUP).key;

	if (value[session].number > value[heartbeat].number)
		return true;
	return refuse(v, WIRE_INVALID_CONFIG, "%s must be greater than %s", key[session].name,
	              key[heartbeat].name);
}

#define BOUND(group, what, given)                                                                  \
	{                                                                                          \
		GROUP_CONFIG_##group##_##what, CONFIG_GROUP_##group##_MIN_##what,                  \
			CONFIG_GROUP_##group##_MAX_##what, given                                   \
	}

static bool validate_group(struct validation *v)
{
	static const struct group_bound bounds[] = {
		BOUND(CONSUMER, HEARTBEAT_INTERVAL_MS, false),
		BOUND(CONSUMER, SESSION_TIMEOUT_MS, false),
		BOUND(CONSUMER, ASSIGNMENT_INTERVAL_MS, true),
		BOUND(SHARE, HEARTBEAT_INTERVAL_MS, false),
		BOUND(SHARE, SESSION_TIMEOUT_MS, false),
		BOUND(SHARE, RECORD_LOCK_DURATION_MS, false),
		BOUND(SHARE, DELIVERY_COUNT_LIMIT, false),
		BOUND(SHARE, PARTITION_MAX_RECORD_LOCKS, false),
		BOUND(SHARE, ASSIGNMENT_INTERVAL_MS, true),
		BOUND(STREAMS, HEARTBEAT_INTERVAL_MS, false),
		BOUND(STREAMS, SESSION_TIMEOUT_MS, false),
		{ GROUP_CONFIG_STREAMS_NUM_STANDBY_REPLICAS, CONFIG_COUNT,
		  CONFIG_GROUP_STREAMS_MAX_STANDBY_REPLICAS, false },
		BOUND(STREAMS, ASSIGNMENT_INTERVAL_MS, true),
	};
	struct config_value value[GROUP_CONFIG_COUNT];

	if (!check_names(v, CONFIG_SCOPE_GROUP, "group", WIRE_INVALID_CONFIG,
	                 "Unknown group config name") ||
	    !parse_all(v, CONFIG_SCOPE_GROUP, value))
		return false;
	for (size_t i = 0; i < array_count(bounds); i++)
		if (!check_bound(v, value, &bounds[i]))
			return false;
	return check_longer(v, value, GROUP_CONFIG_CONSUMER_SESSION_TIMEOUT_MS,
	                    GROUP_CONFIG_CONSUMER_HEARTBEAT_INTERVAL_MS) &&
	       check_longer(v, value, GROUP_CONFIG_SHARE_SESSION_TIMEOUT_MS,
	                    GROUP_CONFIG_SHARE_HEARTBEAT_INTERVAL_MS) &&
	       check_longer(v, value, GROUP_CONFIG_STREAMS_SESSION_TIMEOUT_MS,
	                    GROUP_CONFIG_STREAMS_HEARTBEAT_INTERVAL_MS);
}

/* ---- client metrics (ClientMetricsConfigs.validate) ---- */

static bool check_pattern(struct validation *v, struct str pattern)
{
	static const char *const names[] = {
		"client_instance_id",    "client_id",
		"client_software_name",  "client_software_version",
		"client_source_address", "client_source_port",
	};
	const char *equal = pattern.size ? memchr(pattern.data, '=', pattern.size) : NULL;
	struct str name = pattern;
	struct str text;

	if (equal) {
		name.size = (uint32_t)(equal - pattern.data);
		text = (struct str){ equal + 1, pattern.size - name.size - 1 };
		name = config_trim(name);
		for (size_t i = 0; i < array_count(names); i++)
			if (str_eq(name, str_of(names[i])) && text.size &&
			    !memchr(text.data, '=', text.size))
				return true;
	}
	return refuse(v, WIRE_INVALID_CONFIG, "Illegal client matching pattern: %.*s",
	              STR_ARG(pattern));
}

static bool validate_client_metrics(struct validation *v)
{
	struct config_value value[CLIENT_METRICS_CONFIG_COUNT];
	const struct config_value *match = &value[CLIENT_METRICS_CONFIG_MATCH];
	int64_t interval;

	if (!check_names(v, CONFIG_SCOPE_CLIENT_METRICS, "client metrics", WIRE_INVALID_REQUEST,
	                 "Unknown client metrics configuration") ||
	    !parse_all(v, CONFIG_SCOPE_CLIENT_METRICS, value))
		return false;
	interval = value[CLIENT_METRICS_CONFIG_INTERVAL_MS].number;
	if (interval < 100 || interval > 3600000)
		return refuse(
			v, WIRE_INVALID_REQUEST,
			"Invalid value %lld for interval.ms, interval must be between 100 and "
			"3600000 (1 hour)",
			(long long)interval);
	for (uint32_t i = 0; i < match->item_count; i++)
		if (!check_pattern(v, match->item[i]))
			return false;
	return true;
}

/* ---- all kinds ---- */

static struct config_layer good_layer(struct config_layer layer)
{
	for (uint32_t i = 1; i < layer.count; i++)
		check(str_cmp(layer.pair[i - 1].name, layer.pair[i].name) < 0);
	return layer;
}

int16_t config_validate(const struct config *c, enum image_resource_type type,
                        struct config_layer layer, struct arena *arena, struct str *ret_message)
{
	struct validation v = { .c = c, .layer = good_layer(layer), .out = arena };

	arena_init(&v.arena, SIZE_MAX / 2);
	switch (type) {
	case IMAGE_RESOURCE_TOPIC:
		(void)validate_topic(&v); /* told by v.error */
		break;
	case IMAGE_RESOURCE_GROUP:
		(void)validate_group(&v);
		break;
	case IMAGE_RESOURCE_CLIENT_METRICS:
		(void)validate_client_metrics(&v);
		break;
	default: /* a broker has asked itself, see config_validate_broker() */
		break;
	}
	arena_fini(&v.arena);
	*ret_message = v.message;
	return v.error;
}

/* ---- brokers (ConfigAdminManager, DynamicBrokerConfig.validate) ---- */

/* "[a, b]": the names of the layer that `is` tells. */
static bool refuse_names(struct validation *v, bool (*is)(struct str name), const char *message)
{
	struct str list = { "", 0 };

	for (uint32_t i = 0; i < v->layer.count; i++)
		if (is(v->layer.pair[i].name))
			list = arena_printf(&v->arena, "%.*s%s%.*s", STR_ARG(list),
			                    list.size ? ", " : "", STR_ARG(v->layer.pair[i].name));
	return !list.size || refuse(v, WIRE_INVALID_REQUEST, "%s: [%.*s]", message, STR_ARG(list));
}

static bool is_not_dynamic(struct str name)
{
	return config_find(CONFIG_SCOPE_BROKER, name) >= 0 && !config_is_dynamic(name);
}

static bool check_types(struct validation *v)
{
	struct config_value value;
	struct str why;

	for (uint32_t i = 0; i < v->layer.count; i++) {
		struct str base = config_listener_base(v->layer.pair[i].name);
		struct str name = base.data ? base : v->layer.pair[i].name;
		int id = config_find(CONFIG_SCOPE_BROKER, name);

		if (id >= 0 && config_is_dynamic(name) &&
		    !config_parse(&config_table(CONFIG_SCOPE_BROKER).key[id],
		                  v->layer.pair[i].value, &v->arena, &value, &why))
			return refuse(v, WIRE_INVALID_REQUEST, "%.*s", STR_ARG(why));
	}
	return true;
}

/* DynamicThreadPool.validateReconfiguration, in the words its wrapping makes of it. */
static bool check_threads(struct validation *v, const struct config *now)
{
	static const uint16_t ids[] = {
		CONFIG_NUM_IO_THREADS,
		CONFIG_NUM_REPLICA_FETCHERS,
		CONFIG_NUM_RECOVERY_THREADS_PER_DATA_DIR,
		CONFIG_BACKGROUND_THREADS,
	};

	for (size_t i = 0; i < array_count(ids); i++) {
		const char *name = config_table(CONFIG_SCOPE_BROKER).key[ids[i]].name;
		int32_t before = config_int(v->c, ids[i]);
		int32_t after = config_int(now, ids[i]);
		const char *why;

		if (after < before / 2)
			why = "value should be at least half the current value";
		else if ((int64_t)after > (int64_t)before * 2)
			why = "value should not be greater than double the current value";
		else
			continue;
		return refuse(
			v, WIRE_INVALID_REQUEST,
			"Invalid value org.apache.kafka.common.config.ConfigException: Dynamic "
			"thread count update validation failed for %s=%d, %s %d for "
			"configuration Invalid dynamic configuration",
			name, after, why, before);
	}
	return true;
}

static bool check_whole(struct validation *v, bool per_broker)
{
	struct config_dynamic dynamic = {
		.broker = per_broker ? v->layer : v->c->broker,
		.cluster = per_broker ? v->c->cluster : v->layer,
	};
	struct config_complaints to = { config_assemble(v->c, &dynamic), NULL, { NULL, 0 } };
	bool ok;

	config_resolve(&to);
	if (to.first.data)
		ok = refuse(v, WIRE_INVALID_REQUEST, "%.*s", STR_ARG(to.first));
	else
		ok = check_threads(v, to.c);
	config_put(to.c);
	return ok;
}

int16_t config_validate_broker(const struct config *c, struct config_layer layer, bool per_broker,
                               struct arena *arena, struct str *ret_message)
{
	struct validation v = { .c = c, .layer = good_layer(layer), .out = arena };

	arena_init(&v.arena, SIZE_MAX / 2);
	if (refuse_names(&v, is_not_dynamic, "Cannot update these configs dynamically") &&
	    refuse_names(&v, config_is_security,
	                 "These security configs can be dynamically updated only per-listener "
	                 "using the listener prefix") &&
	    check_types(&v) &&
	    (per_broker || refuse_names(&v, config_is_per_broker,
	                                "Cannot update these configs at default cluster level, "
	                                "broker id must be specified")))
		(void)check_whole(&v, per_broker); /* told by v.error */
	arena_fini(&v.arena);
	*ret_message = v.message;
	return v.error;
}
