/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "base/regex.h"
#include "config_private.h"
#include "wire/errors.h"

bool validation_refuse(struct validation *v, int16_t error, const char *format, ...)
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
				return validation_refuse(v, WIRE_INVALID_CONFIG, "%.*s",
				                         STR_ARG(why));
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
			return validation_refuse(v, WIRE_INVALID_CONFIG,
			                         "Null value not supported for %s configs: %.*s",
			                         kind, STR_ARG(v->layer.pair[i].name));
	for (uint32_t i = 0; i < v->layer.count; i++)
		if (config_find(scope, v->layer.pair[i].name) < 0)
			return validation_refuse(v, error, "%s: %.*s", unknown,
			                         STR_ARG(v->layer.pair[i].name));
	return true;
}

/* ---- topics (LogConfig.validate) ---- */

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
		return validation_refuse(
			v, WIRE_INVALID_CONFIG,
			"conflict topic config setting min.compaction.lag.ms (%lld) > "
			"max.compaction.lag.ms (%lld)",
			(long long)low, (long long)high);
	/* The broker's part of it is refused when it starts. */
	if (value[TOPIC_CONFIG_REMOTE_STORAGE_ENABLE].number)
		return validation_refuse(
			v, WIRE_INVALID_CONFIG,
			"Tiered Storage functionality is disabled in the broker. Topic "
			"cannot be configured with remote log storage.");
	return true;
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
		return validation_refuse(v, WIRE_INVALID_CONFIG,
		                         "%s must be greater than or equal to %s", key->name,
		                         broker[b->low].name);
	if (value[b->id].number > v->c->value[b->high].number)
		return validation_refuse(v, WIRE_INVALID_CONFIG,
		                         "%s must be less than or equal to %s", key->name,
		                         broker[b->high].name);
	return true;
}

static bool check_longer(struct validation *v, const struct config_value *value,
                         enum group_config_id session, enum group_config_id heartbeat)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_GROUP).key;

	if (value[session].number > value[heartbeat].number)
		return true;
	return validation_refuse(v, WIRE_INVALID_CONFIG, "%s must be greater than %s",
	                         key[session].name, key[heartbeat].name);
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

/* Java knows more of them: what is not regular is refused here. */
static bool is_pattern(struct str text)
{
	struct regex *r = regex_new(text);

	regex_free(r);
	return r;
}

static bool check_pattern(struct validation *v, struct str pattern)
{
	static const char *const names[] = {
		"client_instance_id",    "client_id",
		"client_software_name",  "client_software_version",
		"client_source_address", "client_source_port",
	};
	struct str whole = pattern;
	struct str name = pattern;
	struct str text;
	const char *equal;

	while (whole.size && whole.data[whole.size - 1] == '=')
		whole.size--; /* as String.split() drops empty parts at the end */
	equal = whole.size ? memchr(whole.data, '=', whole.size) : NULL;
	if (equal) {
		name.size = (uint32_t)(equal - whole.data);
		text = (struct str){ equal + 1, whole.size - name.size - 1 };
		name = config_trim(name);
		for (size_t i = 0; i < array_count(names); i++)
			if (str_eq(name, str_of(names[i])) && text.size &&
			    !memchr(text.data, '=', text.size) && is_pattern(config_trim(text)))
				return true;
	}
	return validation_refuse(v, WIRE_INVALID_CONFIG, "Illegal client matching pattern: %.*s",
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
		return validation_refuse(
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

struct config_layer validation_layer(struct config_layer layer)
{
	for (uint32_t i = 1; i < layer.count; i++)
		check(str_cmp(layer.pair[i - 1].name, layer.pair[i].name) < 0);
	return layer;
}

int16_t config_validate(const struct config *c, enum image_resource_type type,
                        struct config_layer layer, struct arena *arena, struct str *ret_message)
{
	struct validation v = { .c = c, .layer = validation_layer(layer), .out = arena };

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
