/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"
#include "broker/config_admin.h"
#include "broker/diag.h"
#include "config_private.h"
#include "core/config_list.h"
#include "wire/errors.h"

/* One config of either request. */
struct alteration {
	struct str name;
	struct str value;
	int8_t op;
};

struct resource {
	int8_t type;
	struct str name;
	const struct alteration *change;
	uint32_t change_count;
	bool is_whole; /* the old request: what is not named goes */
	bool validate_only;
};

static struct config_admin_verdict invalid(struct str message)
{
	return (struct config_admin_verdict){ false, WIRE_INVALID_REQUEST, message };
}

static struct config_admin_verdict forwarded(void)
{
	return (struct config_admin_verdict){ .forwarded = true };
}

/* ---- names that come twice ---- */

struct seen {
	struct map_node node;
	struct str key;
	uint32_t count;
};

/* How often the key came before and now; 0: no memory for it. */
static uint32_t count_key(struct map *map, struct arena *arena, struct str key)
{
	struct seen *seen;

	for (struct map_node *n = map_first(map, hash_str(key)); n; n = map_next(n)) {
		seen = container_of(n, struct seen, node);
		if (str_eq(seen->key, key))
			return ++seen->count;
	}
	seen = arena_zalloc(arena, sizeof(*seen));
	if (!seen)
		return 0;
	seen->key = key;
	seen->count = 1;
	map_insert(map, &seen->node, hash_str(key));
	return 1;
}

static bool has_duplicates(struct arena *arena, const struct resource *r)
{
	struct map map = { 0 };
	bool twice = false;

	for (uint32_t i = 0; i < r->change_count; i++)
		twice |= count_key(&map, arena, r->change[i].name) != 1;
	map_fini(&map);
	return twice;
}

/* No more of them than a message is worth. */
enum { NULL_NAMES_BYTES_MAX = 1024 };

static struct str null_names(struct arena *arena, const struct resource *r)
{
	struct buf names = { 0 };
	struct str message = { NULL, 0 };

	for (uint32_t i = 0; i < r->change_count && names.size < NULL_NAMES_BYTES_MAX; i++)
		if (r->change[i].op != CONFIG_DELETE && !r->change[i].value.data)
			buf_printf(&names, "%s%.*s", names.size ? ", " : "",
			           STR_ARG(r->change[i].name));
	if (names.size)
		message = arena_printf(arena, "Null value not supported for : %.*s",
		                       (int)names.size, (const char *)names.data);
	buf_fini(&names);
	return message;
}

/* ---- configs of brokers ---- */

static int pair_order(const void *a, const void *b)
{
	return str_cmp(((const struct config_pair *)a)->name,
	               ((const struct config_pair *)b)->name);
}

static struct config_pair *find_pair(struct config_pair *pair, uint32_t count, struct str name)
{
	for (uint32_t i = 0; i < count; i++)
		if (str_eq(pair[i].name, name))
			return &pair[i];
	return NULL;
}

static struct config_admin_verdict refuse(struct str message)
{
	return (struct config_admin_verdict){ .error = WIRE_INVALID_CONFIG, .message = message };
}

/* ConfigAdminManager.prepareIncrementalConfigs: what is not set begins with the default. */
static struct config_admin_verdict apply_list(const struct config_admin *a,
                                              const struct alteration *change, struct str *value)
{
	int id = config_find(CONFIG_SCOPE_BROKER, change->name);
	const struct config_key *key = id < 0 ? NULL : &config_table(CONFIG_SCOPE_BROKER).key[id];

	if (!key || key->flags & CONFIG_QUOTA)
		return refuse(
			arena_printf(a->arena, "Unknown config name: %.*s", STR_ARG(change->name)));
	if (key->type != CONFIG_TYPE_LIST)
		return refuse(arena_printf(a->arena,
		                           "Config value %s is not allowed for config key: %.*s",
		                           change->op == CONFIG_APPEND ? "append" : "subtract",
		                           STR_ARG(change->name)));
	if (change->value.size > CONFIG_VALUE_BYTES_MAX)
		return refuse(STR("The configuration value cannot be added because it exceeds the "
		                  "maximum value size of 32767 bytes."));
	*value = config_list_apply(a->arena, change->op,
	                           value->data ? *value : str_of(key->default_text), change->value);
	return forwarded();
}

/* The whole of the resource's configs as they would be; a pair without value is one deleted. */
static struct config_admin_verdict apply_changes(const struct config_admin *a,
                                                 const struct resource *r, struct config_pair *pair,
                                                 uint32_t *count)
{
	for (uint32_t i = 0; i < r->change_count; i++)
		if (r->change[i].op < CONFIG_SET || r->change[i].op > CONFIG_SUBTRACT)
			return invalid(arena_printf(a->arena, "Unknown operations type %d",
			                            r->change[i].op));
	for (uint32_t i = 0; i < r->change_count; i++) {
		const struct alteration *change = &r->change[i];
		struct config_pair *at = find_pair(pair, *count, change->name);
		struct config_admin_verdict v = forwarded();

		if (!at) {
			at = &pair[(*count)++];
			*at = (struct config_pair){ .name = change->name };
		}
		if (change->op == CONFIG_SET)
			at->value = change->value;
		else if (change->op == CONFIG_DELETE)
			at->value = (struct str){ NULL, 0 };
		else
			v = apply_list(a, change, &at->value);
		if (v.error)
			return v;
	}
	return forwarded();
}

/* More than Kafka has names for cannot all be good ones. */
enum { BROKER_CHANGES_MAX = 4096 };

static struct config_admin_verdict check_broker(const struct config_admin *a,
                                                const struct resource *r)
{
	struct config_layer layer = { NULL, 0 };
	struct config_admin_verdict v;
	struct config_pair *pair;
	struct arena own;
	uint32_t count = 0;
	uint32_t kept = 0;

	if (r->change_count > BROKER_CHANGES_MAX)
		return invalid(STR("Too many configs for one broker"));
	arena_init(&own, SIZE_MAX / 2);
	if (!r->is_whole)
		layer = config_good_layer(a->image, r->name, &own);
	pair = arena_array(a->arena, (size_t)layer.count + r->change_count, sizeof(*pair));
	for (uint32_t i = 0; pair && i < layer.count; i++)
		pair[count++] = layer.pair[i];
	arena_fini(&own);
	if (!pair)
		return (struct config_admin_verdict){ .error = WIRE_UNKNOWN_SERVER_ERROR };
	v = apply_changes(a, r, pair, &count);
	if (v.error)
		return v;
	for (uint32_t i = 0; i < count; i++)
		if (pair[i].value.data)
			pair[kept++] = pair[i];
	qsort(pair, kept, sizeof(*pair), pair_order);
	v.error = config_validate_broker(a->config, (struct config_layer){ pair, kept },
	                                 r->name.size > 0, a->arena, &v.message);
	v.forwarded = !v.error;
	return v;
}

/* ---- one resource ---- */

static struct config_admin_verdict check_node_id(const struct config_admin *a, struct str name,
                                                 bool loggers)
{
	int64_t id;

	if (!config_parse_long(name, &id) || id < INT32_MIN || id > INT32_MAX)
		return invalid(arena_printf(a->arena, "Node id must be an integer, but it is: %.*s",
		                            STR_ARG(name)));
	if (id == a->node_id)
		return forwarded();
	if (loggers)
		return invalid(arena_printf(a->arena,
		                            "Unexpected node id. Expected %d, but received %d",
		                            a->node_id, (int)id));
	return invalid(arena_printf(a->arena,
	                            "Unexpected broker id, expected %d, but received %.*s",
	                            a->node_id, STR_ARG(name)));
}

/* RuntimeLoggerManager.validateLogLevelConfigs */
static struct config_admin_verdict check_level(const struct config_admin *a,
                                               const struct alteration *change)
{
	enum diag_level level;
	int module;

	if (change->op == CONFIG_APPEND || change->op == CONFIG_SUBTRACT)
		return invalid(arena_printf(
			a->arena, "%s operation is not allowed for the BROKER_LOGGER resource",
			change->op == CONFIG_APPEND ? "APPEND" : "SUBTRACT"));
	if (change->op != CONFIG_SET && change->op != CONFIG_DELETE)
		return invalid(arena_printf(a->arena,
		                            "Unknown operation type %d is not allowed for the "
		                            "BROKER_LOGGER resource",
		                            change->op));
	module = diag_module_find(change->name);
	if (module < 0)
		return refuse(arena_printf(a->arena, "Logger %.*s does not exist!",
		                           STR_ARG(change->name)));
	if (change->op == CONFIG_SET && !diag_level_parse(change->value, &level))
		return refuse(arena_printf(
			a->arena,
			"Cannot set the log level of %.*s to %.*s as it is not a supported log "
			"level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
			STR_ARG(change->name), STR_ARG(change->value)));
	if (change->op == CONFIG_DELETE && !module)
		return invalid(STR("Removing the log level of the root logger is not allowed"));
	return (struct config_admin_verdict){ .error = WIRE_NONE };
}

/* Levels are this process's: nothing of them is written down, as in Kafka. */
static void set_level(const struct alteration *change)
{
	uint32_t module = (uint32_t)diag_module_find(change->name);
	enum diag_level level;

	if (change->op == CONFIG_DELETE)
		diag_module_unset(module);
	else if (diag_level_parse(change->value, &level))
		diag_module_set(module, level);
	diag_warn("config", "the log level of %s is %s now", diag_module_name(module),
	          diag_level_name(diag_module_level(module)));
}

static struct config_admin_verdict alter_loggers(const struct config_admin *a,
                                                 const struct resource *r)
{
	struct config_admin_verdict v = check_node_id(a, r->name, true);

	v.forwarded = false;
	for (uint32_t i = 0; i < r->change_count && !v.error; i++)
		v = check_level(a, &r->change[i]);
	for (uint32_t i = 0; i < r->change_count && !v.error && !r->validate_only; i++)
		set_level(&r->change[i]);
	return v;
}

static struct config_admin_verdict check_resource(const struct config_admin *a,
                                                  const struct resource *r)
{
	struct config_admin_verdict v = forwarded();
	struct str nulls;

	if (a->is_controller && r->type != IMAGE_RESOURCE_BROKER_LOGGER)
		return v;
	if (has_duplicates(a->arena, r))
		return invalid(STR("Error due to duplicate config keys"));
	nulls = null_names(a->arena, r);
	if (nulls.data)
		return invalid(nulls);
	switch (r->type) {
	case IMAGE_RESOURCE_BROKER_LOGGER:
		if (!r->is_whole)
			return alter_loggers(a, r);
		break;
	case IMAGE_RESOURCE_BROKER:
		if (r->name.size)
			v = check_node_id(a, r->name, false);
		return v.error ? v : check_broker(a, r);
	case IMAGE_RESOURCE_TOPIC:
	case IMAGE_RESOURCE_CLIENT_METRICS:
	case IMAGE_RESOURCE_GROUP:
		return v;
	}
	return invalid(arena_printf(a->arena, "Unknown resource type %d", r->type));
}

static struct str resource_key(struct arena *arena, int8_t type, struct str name)
{
	char *key = arena_alloc(arena, (size_t)name.size + 1);

	if (!key)
		return (struct str){ NULL, 0 };
	key[0] = (char)type;
	if (name.size)
		memcpy(key + 1, name.data, name.size);
	return (struct str){ key, name.size + 1 };
}

/* How often each resource of a request comes, by map; the second pass asks with count_of(). */
static uint32_t count_of(const struct map *map, struct arena *arena, int8_t type, struct str name)
{
	struct str key = resource_key(arena, type, name);

	for (struct map_node *n = map_first(map, hash_str(key)); n; n = map_next(n)) {
		const struct seen *seen = container_of(n, struct seen, node);

		if (str_eq(seen->key, key))
			return seen->count;
	}
	return 0;
}

static const struct config_admin_verdict TWICE = {
	.error = WIRE_INVALID_REQUEST,
	.message = { "Each resource must appear at most once.", 39 },
};

/* ---- IncrementalAlterConfigs ---- */

static struct config_admin_verdict
judge_incremental(const struct config_admin *a,
                  const struct incremental_alter_configs_request_alter_configs_resource *r,
                  bool validate_only)
{
	struct alteration *change = arena_array(a->arena, r->configs_count, sizeof(*change));

	if (!change)
		return (struct config_admin_verdict){ .error = WIRE_UNKNOWN_SERVER_ERROR };
	for (uint32_t i = 0; i < r->configs_count; i++)
		change[i] = (struct alteration){ r->configs[i].name, r->configs[i].value,
			                         r->configs[i].config_operation };
	return check_resource(a, &(struct resource){ r->resource_type, r->resource_name, change,
	                                             r->configs_count, false, validate_only });
}

struct config_admin_verdict *
config_admin_incremental(const struct config_admin *a,
                         const struct incremental_alter_configs_request *request,
                         struct incremental_alter_configs_request *forward)
{
	uint32_t count = request->resources_count;
	struct config_admin_verdict *verdict = arena_array(a->arena, count, sizeof(*verdict));
	struct map map = { 0 };

	incremental_alter_configs_request_init(forward);
	forward->validate_only = request->validate_only;
	forward->resources = arena_array(a->arena, count, sizeof(*forward->resources));
	if (!verdict || !forward->resources)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		(void)count_key(&map, a->arena,
		                resource_key(a->arena, request->resources[i].resource_type,
		                             request->resources[i].resource_name)); /* counted */
	for (uint32_t i = 0; i < count; i++) {
		verdict[i] = count_of(&map, a->arena, request->resources[i].resource_type,
		                      request->resources[i].resource_name) == 1
		                     ? judge_incremental(a, &request->resources[i],
		                                         request->validate_only)
		                     : TWICE;
		if (verdict[i].forwarded)
			forward->resources[forward->resources_count++] = request->resources[i];
	}
	map_fini(&map);
	return verdict;
}

/* The controller answers each forwarded resource once, in any order. */
static const struct incremental_alter_configs_response_alter_configs_resource_response *
find_answer(const struct incremental_alter_configs_response *answer, uint32_t hint, int8_t type,
            struct str name)
{
	for (uint32_t i = 0; answer && i < answer->responses_count; i++) {
		uint32_t at = (hint + i) % answer->responses_count;

		if (answer->responses[at].resource_type == type &&
		    str_eq(answer->responses[at].resource_name, name))
			return &answer->responses[at];
	}
	return NULL;
}

void config_admin_incremental_answer(struct arena *arena,
                                     const struct incremental_alter_configs_request *request,
                                     const struct config_admin_verdict *verdict,
                                     const struct incremental_alter_configs_response *answer,
                                     struct incremental_alter_configs_response *ret)
{
	uint32_t hint = 0;

	incremental_alter_configs_response_init(ret);
	ret->responses = arena_array(arena, request->resources_count, sizeof(*ret->responses));
	if (!ret->responses)
		return;
	ret->responses_count = request->resources_count;
	for (uint32_t i = 0; i < request->resources_count; i++) {
		int8_t type = request->resources[i].resource_type;
		struct str name = request->resources[i].resource_name;
		struct config_admin_verdict v = verdict[i];

		if (v.forwarded) {
			const struct
				incremental_alter_configs_response_alter_configs_resource_response
					*from = find_answer(answer, hint++, type, name);

			v.error = from ? from->error_code : WIRE_UNKNOWN_SERVER_ERROR;
			v.message = from ? from->error_message : (struct str){ NULL, 0 };
		}
		ret->responses[i].error_code = v.error;
		ret->responses[i].error_message = v.message;
		ret->responses[i].resource_type = type;
		ret->responses[i].resource_name = name;
	}
}

/* ---- AlterConfigs ---- */

static struct config_admin_verdict judge_alter(const struct config_admin *a,
                                               const struct alter_configs_request_resource *r)
{
	struct alteration *change = arena_array(a->arena, r->configs_count, sizeof(*change));

	if (!change)
		return (struct config_admin_verdict){ .error = WIRE_UNKNOWN_SERVER_ERROR };
	for (uint32_t i = 0; i < r->configs_count; i++)
		change[i] =
			(struct alteration){ r->configs[i].name, r->configs[i].value, CONFIG_SET };
	return check_resource(a, &(struct resource){ r->resource_type, r->resource_name, change,
	                                             r->configs_count, true, false });
}

struct config_admin_verdict *config_admin_alter(const struct config_admin *a,
                                                const struct alter_configs_request *request,
                                                struct alter_configs_request *forward)
{
	uint32_t count = request->resources_count;
	struct config_admin_verdict *verdict = arena_array(a->arena, count, sizeof(*verdict));
	struct map map = { 0 };

	alter_configs_request_init(forward);
	forward->validate_only = request->validate_only;
	forward->resources = arena_array(a->arena, count, sizeof(*forward->resources));
	if (!verdict || !forward->resources)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		(void)count_key(&map, a->arena,
		                resource_key(a->arena, request->resources[i].resource_type,
		                             request->resources[i].resource_name)); /* counted */
	for (uint32_t i = 0; i < count; i++) {
		verdict[i] = count_of(&map, a->arena, request->resources[i].resource_type,
		                      request->resources[i].resource_name) == 1
		                     ? judge_alter(a, &request->resources[i])
		                     : TWICE;
		if (verdict[i].forwarded)
			forward->resources[forward->resources_count++] = request->resources[i];
	}
	map_fini(&map);
	return verdict;
}

static const struct alter_configs_response_resource_response *
find_old_answer(const struct alter_configs_response *answer, uint32_t hint, int8_t type,
                struct str name)
{
	for (uint32_t i = 0; answer && i < answer->responses_count; i++) {
		uint32_t at = (hint + i) % answer->responses_count;

		if (answer->responses[at].resource_type == type &&
		    str_eq(answer->responses[at].resource_name, name))
			return &answer->responses[at];
	}
	return NULL;
}

void config_admin_alter_answer(struct arena *arena, const struct alter_configs_request *request,
                               const struct config_admin_verdict *verdict,
                               const struct alter_configs_response *answer,
                               struct alter_configs_response *ret)
{
	uint32_t hint = 0;

	alter_configs_response_init(ret);
	ret->responses = arena_array(arena, request->resources_count, sizeof(*ret->responses));
	if (!ret->responses)
		return;
	ret->responses_count = request->resources_count;
	for (uint32_t i = 0; i < request->resources_count; i++) {
		int8_t type = request->resources[i].resource_type;
		struct str name = request->resources[i].resource_name;
		struct config_admin_verdict v = verdict[i];

		if (v.forwarded) {
			const struct alter_configs_response_resource_response *from =
				find_old_answer(answer, hint++, type, name);

			v.error = from ? from->error_code : WIRE_UNKNOWN_SERVER_ERROR;
			v.message = from ? from->error_message : (struct str){ NULL, 0 };
		}
		ret->responses[i].error_code = v.error;
		ret->responses[i].error_message = v.message;
		ret->responses[i].resource_type = type;
		ret->responses[i].resource_name = name;
	}
}
