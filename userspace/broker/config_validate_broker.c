/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "config_private.h"
#include "wire/errors.h"

/* Changes of brokers' configs (ConfigAdminManager, DynamicBrokerConfig.validate). */

/* "[a, b]": the names of the layer that `is` tells. */
static bool refuse_names(struct validation *v, bool (*is)(struct str name), const char *message)
{
	struct buf list = { 0 };
	bool ok = true;

	for (uint32_t i = 0; i < v->layer.count; i++)
		if (is(v->layer.pair[i].name))
			buf_printf(&list, "%s%.*s", list.size ? ", " : "",
			           STR_ARG(v->layer.pair[i].name));
	if (list.size)
		ok = validation_refuse(v, WIRE_INVALID_REQUEST, "%s: [%.*s]", message,
		                       (int)list.size, (const char *)list.data);
	buf_fini(&list);
	return ok;
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
			return validation_refuse(v, WIRE_INVALID_REQUEST, "%.*s", STR_ARG(why));
	}
	return true;
}

/* ---- what may change while the broker runs (BrokerReconfigurable, ListenerReconfigurable) ---- */

/* In the words that Kafka's wrapping of one ConfigException in another makes of it. */
static bool refuse_change(struct validation *v, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool refuse_change(struct validation *v, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return validation_refuse(v, WIRE_INVALID_REQUEST,
	                         "Invalid value org.apache.kafka.common.config.ConfigException: "
	                         "%s for configuration Invalid dynamic configuration",
	                         text);
}

/* A pool of threads grows to the double at most, and shrinks to the half. */
static bool check_pool(struct validation *v, const char *name, int64_t before, int64_t after)
{
	if (after < before / 2)
		return refuse_change(v,
		                     "Dynamic thread count update validation failed for %s=%lld, "
		                     "value should be at least half the current value %lld",
		                     name, (long long)after, (long long)before);
	if (after > before * 2)
		return refuse_change(v,
		                     "Dynamic thread count update validation failed for %s=%lld, "
		                     "value should not be greater than double the current value "
		                     "%lld",
		                     name, (long long)after, (long long)before);
	return true;
}

static bool check_pools(struct validation *v, const struct config *now)
{
	static const uint16_t ids[] = {
		CONFIG_NUM_IO_THREADS,
		CONFIG_NUM_REPLICA_FETCHERS,
		CONFIG_NUM_RECOVERY_THREADS_PER_DATA_DIR,
		CONFIG_BACKGROUND_THREADS,
		CONFIG_REMOTE_LOG_MANAGER_COPIER_THREAD_POOL_SIZE,
		CONFIG_REMOTE_LOG_MANAGER_EXPIRATION_THREAD_POOL_SIZE,
		CONFIG_REMOTE_LOG_MANAGER_FOLLOWER_THREAD_POOL_SIZE,
		CONFIG_REMOTE_LOG_READER_THREADS,
	};

	for (size_t i = 0; i < array_count(ids); i++)
		if (!check_pool(v, config_table(CONFIG_SCOPE_BROKER).key[ids[i]].name,
		                config_int(v->c, ids[i]), config_int(now, ids[i])))
			return false;
	return true;
}

static bool check_cleaner(struct validation *v, const struct config *now)
{
	int32_t before = config_int(v->c, CONFIG_LOG_CLEANER_THREADS);
	int32_t after = config_int(now, CONFIG_LOG_CLEANER_THREADS);

	if (after < before / 2)
		return refuse_change(v,
		                     "Log cleaner threads cannot be reduced to less than half the "
		                     "current value %d",
		                     before);
	if (after > (int64_t)before * 2)
		return refuse_change(v,
		                     "Log cleaner threads cannot be increased to more than double "
		                     "the current value %d",
		                     before);
	return true;
}

/* What one listener may have of its own, before and after. */
static bool check_listener(struct validation *v, const struct config *now, struct str listener,
                           enum config_id id)
{
	const char *name = config_table(CONFIG_SCOPE_BROKER).key[id].name;
	struct str old = config_listener_str(v->c, listener, STR(""), id);
	struct str new = config_listener_str(now, listener, STR(""), id);
	int64_t before;
	int64_t after;

	if (str_eq(old, new) || !config_parse_long(old, &before) || !config_parse_long(new, &after))
		return true;
	if (id == CONFIG_NUM_NETWORK_THREADS)
		return check_pool(v, name, before, after);
	return after > 0 || refuse_change(v, "Invalid %s %lld", name, (long long)after);
}

static bool check_listener_limits(struct validation *v, const struct config *now)
{
	static const uint16_t ids[] = { CONFIG_NUM_NETWORK_THREADS, CONFIG_MAX_CONNECTIONS,
		                        CONFIG_MAX_CONNECTION_CREATION_RATE };

	for (uint32_t i = 0; i < now->listeners.count; i++)
		for (size_t j = 0; j < array_count(ids); j++)
			if (!check_listener(v, now, now->listeners.listener[i].name,
			                    (enum config_id)ids[j]))
				return false;
	return true;
}

/* DynamicLogConfig looks at local retention when any of its keys changes. */
static bool has_new_log_config(const struct config *before, const struct config *now)
{
	for (int id = 0; id < TOPIC_CONFIG_COUNT; id++) {
		const struct config_topic_synonym *s =
			config_topic_synonyms((enum topic_config_id)id);

		if (s->id >= 0 && !str_eq(config_str(before, (enum config_id)s->id),
		                          config_str(now, (enum config_id)s->id)))
			return true;
	}
	return false;
}

static bool check_local(struct validation *v, enum config_id local, int64_t here, const char *all,
                        int64_t total)
{
	const char *name = config_table(CONFIG_SCOPE_BROKER).key[local].name;

	if (total <= -1 || here == -2)
		return true;
	if (here == -1)
		return refuse_change(v,
		                     "Invalid value %lld for configuration %s: Value must not be "
		                     "-1 as %s value is set as %lld.",
		                     (long long)here, name, all, (long long)total);
	if (here > total)
		return refuse_change(v,
		                     "Invalid value %lld for configuration %s: Value must not be "
		                     "more than %s property value: %lld",
		                     (long long)here, name, all, (long long)total);
	return true;
}

static bool check_retention(struct validation *v, const struct config *now)
{
	struct config_value retention;

	if (!has_new_log_config(v->c, now))
		return true;
	config_topic_default(now, TOPIC_CONFIG_RETENTION_MS, &v->arena, &retention);
	return check_local(v, CONFIG_LOG_LOCAL_RETENTION_MS,
	                   config_long(now, CONFIG_LOG_LOCAL_RETENTION_MS), "log.retention.ms",
	                   retention.number) &&
	       check_local(v, CONFIG_LOG_LOCAL_RETENTION_BYTES,
	                   config_long(now, CONFIG_LOG_LOCAL_RETENTION_BYTES),
	                   "log.retention.bytes", config_long(now, CONFIG_LOG_RETENTION_BYTES));
}

/* There are no Java classes here but the one that is the default. */
static bool check_reporters(struct validation *v, const struct config *now)
{
	struct config_list list = config_items(now, CONFIG_METRIC_REPORTERS);

	for (uint32_t i = 0; i < list.count; i++)
		if (!str_eq(list.item[i], STR("org.apache.kafka.common.metrics.JmxReporter")))
			return refuse_change(
				v, "Validation of dynamic config update of Set(metric.reporters) "
				   "failed with class class kafka.server.DynamicMetricsReporters");
	return true;
}

/* Kafka opens and closes listeners while it runs. */
static bool check_listeners(struct validation *v, const struct config *now)
{
	static const uint16_t ids[] = { CONFIG_LISTENERS, CONFIG_LISTENER_SECURITY_PROTOCOL_MAP };

	for (size_t i = 0; i < array_count(ids); i++)
		if (!str_eq(config_str(v->c, ids[i]), config_str(now, ids[i])))
			return validation_refuse(
				v, WIRE_INVALID_REQUEST,
				"%s cannot be changed while the broker runs: change the file and "
				"start again",
				config_table(CONFIG_SCOPE_BROKER).key[ids[i]].name);
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
		ok = validation_refuse(v, WIRE_INVALID_REQUEST, "%.*s", STR_ARG(to.first));
	else
		ok = check_listener_limits(v, to.c) && check_reporters(v, to.c) &&
		     check_cleaner(v, to.c) && check_pools(v, to.c) && check_retention(v, to.c) &&
		     check_listeners(v, to.c);
	config_put(to.c);
	return ok;
}

int16_t config_validate_broker(const struct config *c, struct config_layer layer, bool per_broker,
                               struct arena *arena, struct str *ret_message)
{
	struct validation v = { .c = c, .layer = validation_layer(layer), .out = arena };

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
