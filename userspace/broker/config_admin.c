/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/config_admin.h"

#include <stdlib.h>

#include "broker/diag.h"
#include "config_private.h"
#include "core/topic_name.h"
#include "wire/errors.h"

struct outcome {
	int16_t error;
	struct str message;
	struct config_entries entries;
};

static struct outcome refuse(int16_t error, struct str message)
{
	return (struct outcome){ .error = error, .message = message };
}

static struct outcome invalid(struct str message)
{
	return refuse(WIRE_INVALID_REQUEST, message);
}

static struct outcome found(struct config_entries entries)
{
	if (!entries.entry)
		return refuse(WIRE_UNKNOWN_SERVER_ERROR, (struct str){ NULL, 0 });
	return (struct outcome){ .entries = entries };
}

/* ---- DescribeConfigs ---- */

static struct config_layer layer_of(const struct config_admin *a, enum image_resource_type type,
                                    struct str name)
{
	return config_layer_of(a->image, type, name, a->arena);
}

static struct outcome describe_topic(const struct config_admin *a, struct str name)
{
	struct str error = topic_name_error(a->arena, name);

	if (error.data)
		return refuse(WIRE_INVALID_TOPIC_EXCEPTION, error);
	if (!image_topic_by_name(a->image, name))
		return refuse(WIRE_UNKNOWN_TOPIC_OR_PARTITION, (struct str){ NULL, 0 });
	return found(config_describe_topic(a->config, layer_of(a, IMAGE_RESOURCE_TOPIC, name),
	                                   a->arena));
}

static int entry_order(const void *a, const void *b)
{
	return str_cmp(((const struct config_entry *)a)->name,
	               ((const struct config_entry *)b)->name);
}

/* Our modules in the place of Kafka's loggers, with the levels that count. */
static struct config_entries describe_loggers(struct arena *arena)
{
	uint32_t count = diag_module_count();
	struct config_entry *entry = arena_array(arena, count, sizeof(*entry));

	for (uint32_t i = 0; entry && i < count; i++)
		entry[i] = (struct config_entry){
			.name = str_of(diag_module_name(i)),
			.value = str_of(diag_level_name(diag_module_level(i))),
			.source = CONFIG_SOURCE_DYNAMIC_BROKER_LOGGER,
		};
	if (entry)
		qsort(entry, count, sizeof(*entry), entry_order);
	return (struct config_entries){ entry, count };
}

static struct outcome describe_broker(const struct config_admin *a, struct str name, bool loggers)
{
	int64_t id;

	if (!name.size)
		return loggers ? invalid(STR("Broker id must not be empty"))
		               : found(config_describe_cluster(a->config, a->arena));
	if (!config_parse_long(name, &id) || id < INT32_MIN || id > INT32_MAX)
		return invalid(arena_printf(
			a->arena, "Broker id must be an integer, but it is: %.*s", STR_ARG(name)));
	if (id != a->node_id)
		return invalid(arena_printf(
			a->arena, "Unexpected broker id, expected %d%s but received %.*s",
			a->node_id, loggers ? "" : " or empty string,", STR_ARG(name)));
	return found(loggers ? describe_loggers(a->arena)
	                     : config_describe_broker(a->config, a->arena));
}

static struct outcome describe_resource(const struct config_admin *a, int8_t type, struct str name)
{
	switch (type) {
	case IMAGE_RESOURCE_TOPIC:
		return describe_topic(a, name);
	case IMAGE_RESOURCE_BROKER:
		return describe_broker(a, name, false);
	case IMAGE_RESOURCE_BROKER_LOGGER:
		return describe_broker(a, name, true);
	case IMAGE_RESOURCE_CLIENT_METRICS:
		if (!name.size)
			return invalid(STR("Client metrics subscription name must not be empty"));
		return found(config_describe_client_metrics(
			layer_of(a, IMAGE_RESOURCE_CLIENT_METRICS, name), a->arena));
	default:
		if (!name.size)
			return invalid(STR("Group name must not be empty"));
		return found(config_describe_group(
			a->config, layer_of(a, IMAGE_RESOURCE_GROUP, name), a->arena));
	}
}

static bool is_known_type(int8_t type)
{
	return type == IMAGE_RESOURCE_TOPIC || type == IMAGE_RESOURCE_BROKER ||
	       type == IMAGE_RESOURCE_BROKER_LOGGER || type == IMAGE_RESOURCE_CLIENT_METRICS ||
	       type == IMAGE_RESOURCE_GROUP;
}

/* Entries are sorted by name. */
static void mark_wanted(struct config_entries entries, struct str name, bool *wanted)
{
	uint32_t low = 0;
	uint32_t high = entries.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (str_cmp(entries.entry[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < entries.count && str_eq(entries.entry[low].name, name))
		wanted[low] = true;
}

static bool fill_synonyms(struct arena *arena, const struct config_entry *entry,
                          struct describe_configs_response_resource_result *ret)
{
	ret->synonyms = arena_array(arena, entry->synonym_count, sizeof(*ret->synonyms));
	if (!ret->synonyms)
		return false;
	ret->synonyms_count = entry->synonym_count;
	for (uint32_t i = 0; i < entry->synonym_count; i++)
		ret->synonyms[i] = (struct describe_configs_response_synonym){
			entry->synonym[i].name, entry->synonym[i].value, entry->synonym[i].source
		};
	return true;
}

static bool fill_entries(const struct config_admin *a, const struct describe_configs_request *r,
                         const struct describe_configs_request_resource *resource,
                         struct config_entries entries,
                         struct describe_configs_response_result *ret)
{
	bool all = !resource->configuration_keys_count;
	bool *wanted = arena_array(a->arena, entries.count, sizeof(*wanted));

	ret->configs = arena_array(a->arena, entries.count, sizeof(*ret->configs));
	if (!wanted || !ret->configs)
		return false;
	for (uint32_t i = 0; i < resource->configuration_keys_count; i++)
		mark_wanted(entries, resource->configuration_keys[i], wanted);
	for (uint32_t i = 0; i < entries.count; i++) {
		const struct config_entry *entry = &entries.entry[i];
		struct describe_configs_response_resource_result *to =
			&ret->configs[ret->configs_count];

		if (!all && !wanted[i])
			continue;
		*to = (struct describe_configs_response_resource_result){
			.name = entry->name,
			.value = entry->value,
			.read_only = entry->is_read_only,
			.config_source = entry->source,
			.is_sensitive = entry->is_sensitive,
			.synonyms = WIRE_EMPTY,
			.config_type = entry->type,
		};
		/* Kafka says nothing about loggers, and says so unasked. */
		if (entry->source == CONFIG_SOURCE_DYNAMIC_BROKER_LOGGER)
			to->documentation = STR("");
		else if (r->include_documentation)
			to->documentation = entry->doc;
		if (r->include_synonyms && !fill_synonyms(a->arena, entry, to))
			return false;
		ret->configs_count++;
	}
	return true;
}

static void describe_one(const struct config_admin *a, const struct describe_configs_request *r,
                         const struct describe_configs_request_resource *resource,
                         struct describe_configs_response_result *ret)
{
	struct outcome o = describe_resource(a, resource->resource_type, resource->resource_name);

	*ret = (struct describe_configs_response_result){
		.error_code = o.error,
		.error_message = o.message.data ? o.message : STR(""),
		.resource_type = resource->resource_type,
		.resource_name = resource->resource_name,
		.configs = WIRE_EMPTY,
	};
	if (!o.error && !fill_entries(a, r, resource, o.entries, ret)) {
		ret->error_code = WIRE_UNKNOWN_SERVER_ERROR;
		ret->configs = WIRE_EMPTY;
		ret->configs_count = 0;
	}
}

/*
 * One resource of a type that does not exist spoils the request: all of them are answered so, in
 * the words that Kafka has for the error itself.
 */
static bool is_spoilt(const struct describe_configs_request *r)
{
	for (uint32_t i = 0; i < r->resources_count; i++)
		if (!is_known_type(r->resources[i].resource_type))
			return true;
	return false;
}

void config_admin_describe(const struct config_admin *a,
                           const struct describe_configs_request *request,
                           struct describe_configs_response *ret)
{
	bool spoilt = is_spoilt(request);

	describe_configs_response_init(ret);
	ret->results = arena_array(a->arena, request->resources_count, sizeof(*ret->results));
	if (!ret->results)
		return;
	ret->results_count = request->resources_count;
	for (uint32_t i = 0; i < request->resources_count; i++) {
		const struct describe_configs_request_resource *r = &request->resources[i];

		if (!spoilt) {
			describe_one(a, request, r, &ret->results[i]);
			continue;
		}
		ret->results[i] = (struct describe_configs_response_result){
			.error_code = WIRE_INVALID_REQUEST,
			.error_message =
				STR("This most likely occurs because of a request being malformed "
			            "by the client library or the message was sent to an "
			            "incompatible broker. See the broker logs for more details."),
			.resource_type = r->resource_type,
			.resource_name = r->resource_name,
			.configs = WIRE_EMPTY,
		};
	}
}
