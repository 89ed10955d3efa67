/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/config.h"

#include <stdlib.h>

#include "base/mem.h"
#include "config_private.h"

struct config *config_get(const struct config *c)
{
	(void)object_get((struct object *)&c->object); /* the count is not the contents */
	return (struct config *)c;
}

void config_put(const struct config *c)
{
	if (c)
		object_put((struct object *)&c->object);
}

void config_report_fini(struct config_report *r)
{
	buf_fini(&r->text);
	*r = (struct config_report){ 0 };
}

/* ---- layers ---- */

struct str config_layer_value(struct config_layer layer, struct str name)
{
	uint32_t low = 0;
	uint32_t high = layer.count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order = str_cmp(name, layer.pair[middle].name);

		if (!order)
			return layer.pair[middle].value;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return (struct str){ NULL, 0 };
}

const struct config_given *config_givens_find(const struct config_givens *g, struct str name)
{
	uint32_t low = 0;
	uint32_t high = g->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order = str_cmp(name, g->item[middle].name);

		if (!order)
			return &g->item[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* ---- what kinds of names there are ---- */

#define LISTENER_PREFIX "listener.name."

struct str config_listener_base(struct str name)
{
	const char *dot;

	if (!str_starts(name, STR(LISTENER_PREFIX)))
		return (struct str){ NULL, 0 };
	name.data += sizeof(LISTENER_PREFIX) - 1;
	name.size -= (uint32_t)sizeof(LISTENER_PREFIX) - 1;
	dot = name.size ? memchr(name.data, '.', name.size) : NULL;
	if (!dot)
		return (struct str){ NULL, 0 };
	return (struct str){ dot + 1, (uint32_t)(name.data + name.size - dot - 1) };
}

bool config_is_dynamic(struct str name)
{
	int id = config_find(CONFIG_SCOPE_BROKER, name);

	return id >= 0 &&
	       config_table(CONFIG_SCOPE_BROKER).key[id].update != CONFIG_UPDATE_READ_ONLY;
}

bool config_is_per_broker(struct str name)
{
	struct str base = config_listener_base(name);
	int id = config_find(CONFIG_SCOPE_BROKER, base.data ? base : name);

	if (base.data) /* DynamicBrokerConfig.CLUSTER_LEVEL_LISTENER_CONFIGS */
		return id != CONFIG_MAX_CONNECTIONS && id != CONFIG_MAX_CONNECTION_CREATION_RATE &&
		       id != CONFIG_NUM_NETWORK_THREADS;
	return id >= 0 &&
	       config_table(CONFIG_SCOPE_BROKER).key[id].update == CONFIG_UPDATE_PER_BROKER;
}

/* SslConfigs.RECONFIGURABLE_CONFIGS */
bool config_is_security(struct str name)
{
	static const uint16_t ids[] = {
		CONFIG_SSL_KEYSTORE_TYPE,       CONFIG_SSL_KEYSTORE_LOCATION,
		CONFIG_SSL_KEYSTORE_PASSWORD,   CONFIG_SSL_KEY_PASSWORD,
		CONFIG_SSL_TRUSTSTORE_TYPE,     CONFIG_SSL_TRUSTSTORE_LOCATION,
		CONFIG_SSL_TRUSTSTORE_PASSWORD, CONFIG_SSL_KEYSTORE_CERTIFICATE_CHAIN,
		CONFIG_SSL_KEYSTORE_KEY,        CONFIG_SSL_TRUSTSTORE_CERTIFICATES,
	};
	int id = config_find(CONFIG_SCOPE_BROKER, name);

	for (size_t i = 0; i < array_count(ids); i++)
		if (id == ids[i])
			return true;
	return false;
}

static struct config_list group_of(const char *const *name, uint32_t count, struct arena *arena)
{
	struct str *item = config_alloc(arena, count, sizeof(*item));

	for (uint32_t i = 0; i < count; i++)
		item[i] = str_of(name[i]);
	return (struct config_list){ item, count };
}

/* DynamicBrokerConfig.LISTENER_MECHANISM_CONFIGS: also found behind a mechanism's name. */
static struct str without_mechanism(struct str base)
{
	static const char *const suffix[] = {
		"sasl.jaas.config",          "sasl.login.callback.handler.class",
		"sasl.login.class",          "sasl.server.callback.handler.class",
		"connections.max.reauth.ms",
	};

	for (size_t i = 0; i < array_count(suffix); i++) {
		struct str end = str_of(suffix[i]);

		if (base.size >= end.size &&
		    !memcmp(base.data + base.size - end.size, end.data, end.size))
			return end;
	}
	return base;
}

struct config_list config_broker_synonyms(struct str name, bool match_listener, struct arena *arena)
{
	static const char *const roll[] = { "log.roll.ms", "log.roll.hours" };
	static const char *const jitter[] = { "log.roll.jitter.ms", "log.roll.jitter.hours" };
	static const char *const flush[] = { "log.flush.interval.ms",
		                             "log.flush.scheduler.interval.ms" };
	static const char *const retention[] = { "log.retention.ms", "log.retention.minutes",
		                                 "log.retention.hours" };
	int id = config_find(CONFIG_SCOPE_BROKER, name);
	struct str base = config_listener_base(name);
	struct str *item;

	switch (id) {
	case CONFIG_LOG_ROLL_MS:
	case CONFIG_LOG_ROLL_HOURS:
		return group_of(roll, array_count(roll), arena);
	case CONFIG_LOG_ROLL_JITTER_MS:
	case CONFIG_LOG_ROLL_JITTER_HOURS:
		return group_of(jitter, array_count(jitter), arena);
	case CONFIG_LOG_FLUSH_INTERVAL_MS:
		return group_of(flush, array_count(flush), arena);
	case CONFIG_LOG_RETENTION_MS:
	case CONFIG_LOG_RETENTION_MINUTES:
	case CONFIG_LOG_RETENTION_HOURS:
		return group_of(retention, array_count(retention), arena);
	default:
		break;
	}
	item = config_alloc(arena, 2, sizeof(*item));
	item[0] = name;
	if (match_listener && base.data)
		item[1] = without_mechanism(base);
	return (struct config_list){ item, match_listener && base.data ? 2 : 1 };
}

/* ---- values ---- */

static const struct config_value *value_of(const struct config *c, enum config_id id)
{
	check((uint32_t)id < CONFIG_COUNT);
	return &c->value[id];
}

static enum config_type type_of(enum config_id id)
{
	return config_table(CONFIG_SCOPE_BROKER).key[id].type;
}

bool config_bool(const struct config *c, enum config_id id)
{
	check(type_of(id) == CONFIG_TYPE_BOOLEAN);
	return value_of(c, id)->number;
}

int32_t config_int(const struct config *c, enum config_id id)
{
	check(type_of(id) == CONFIG_TYPE_INT || type_of(id) == CONFIG_TYPE_SHORT);
	check(value_of(c, id)->text.data);
	return (int32_t)value_of(c, id)->number;
}

int64_t config_long(const struct config *c, enum config_id id)
{
	check(type_of(id) == CONFIG_TYPE_INT || type_of(id) == CONFIG_TYPE_SHORT ||
	      type_of(id) == CONFIG_TYPE_LONG);
	check(value_of(c, id)->text.data);
	return value_of(c, id)->number;
}

double config_double(const struct config *c, enum config_id id)
{
	check(type_of(id) == CONFIG_TYPE_DOUBLE);
	return value_of(c, id)->real;
}

struct str config_str(const struct config *c, enum config_id id)
{
	return value_of(c, id)->text;
}

struct config_list config_items(const struct config *c, enum config_id id)
{
	check(type_of(id) == CONFIG_TYPE_LIST);
	return (struct config_list){ value_of(c, id)->item, value_of(c, id)->item_count };
}

bool config_is_null(const struct config *c, enum config_id id)
{
	return !value_of(c, id)->text.data;
}

bool config_is_set(const struct config *c, enum config_id id)
{
	check((uint32_t)id < CONFIG_COUNT);
	return c->is_set[id];
}

struct str config_raw(const struct config *c, struct str name)
{
	const struct config_given *given = config_givens_find(&c->given, name);

	return given ? given->value : (struct str){ NULL, 0 };
}

struct str config_listener_str(const struct config *c, struct str listener, struct str mechanism,
                               enum config_id id)
{
	struct arena arena;
	struct str name;
	struct str found;
	uint32_t prefix;

	arena_init(&arena, SIZE_MAX / 2);
	listener = config_lower(listener, &arena);
	mechanism = config_lower(mechanism, &arena);
	name = arena_printf(&arena, LISTENER_PREFIX "%.*s.%.*s%s%s", STR_ARG(listener),
	                    STR_ARG(mechanism), mechanism.size ? "." : "",
	                    config_table(CONFIG_SCOPE_BROKER).key[id].name);
	found = config_raw(c, name);
	if (!found.data && mechanism.size) {
		prefix = sizeof(LISTENER_PREFIX) - 1 + listener.size + 1;
		name = arena_printf(&arena, "%.*s%s", (int)prefix, name.data,
		                    config_table(CONFIG_SCOPE_BROKER).key[id].name);
		found = config_raw(c, name);
	}
	arena_fini(&arena);
	return found.data ? config_trim(found) : config_str(c, id);
}

struct config_listeners config_listeners(const struct config *c)
{
	return c->listeners;
}

struct config_voters config_voters(const struct config *c)
{
	return c->voters;
}

struct config_voters config_bootstrap_servers(const struct config *c)
{
	return c->bootstrap_servers;
}

struct config_ip_limits config_ip_limits(const struct config *c)
{
	return c->ip_limits;
}

bool config_is_broker(const struct config *c)
{
	return c->is_broker;
}

bool config_is_controller(const struct config *c)
{
	return c->is_controller;
}

struct config_list config_log_dirs(const struct config *c)
{
	return c->log_dirs;
}

struct str config_metadata_log_dir(const struct config *c)
{
	struct str dir = config_str(c, CONFIG_METADATA_LOG_DIR);

	return dir.data ? dir : c->log_dirs.item[0];
}

struct config_voter config_metrics_listener(const struct config *c)
{
	return c->metrics_listener;
}

bool config_bpf(const struct config *c)
{
	return !str_eq(config_str(c, CONFIG_SLUICE_BPF), STR("off"));
}

enum config_file_io config_file_io(const struct config *c)
{
	struct str text = config_str(c, CONFIG_SLUICE_FILE_IO);

	if (str_eq(text, STR("io_uring")))
		return CONFIG_FILE_IO_URING;
	return str_eq(text, STR("threads")) ? CONFIG_FILE_IO_THREADS : CONFIG_FILE_IO_AUTO;
}
