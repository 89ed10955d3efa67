/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "controller_private.h"
#include "image_object.h"
#include "core/topic_name.h"
#include "wire/alter_configs.h"
#include "wire/incremental_alter_configs.h"
#include "wire/metadata_records.h"

#define MIN_ISR  "min.insync.replicas"
#define CORDONED "cordoned.log.dirs"

/* A resource's configs as they would be, by name: existing ones and what changes. */
struct outcome {
	struct step *s;
	int8_t type;
	struct str resource_name;
	const struct config_change *altered; /* value data NULL: deleted */
	size_t altered_count;
	const struct str *dropped; /* by leaving them out of the old AlterConfigs */
	size_t dropped_count;
};

static const char *op_name(int8_t op)
{
	return op == CONFIG_APPEND ? "APPEND" : "SUBTRACT";
}

static void emit_config(struct step *s, int8_t type, struct str resource_name, struct str name,
                        struct str value)
{
	step_emit(s, METADATA_CONFIG, 0,
	          &(struct config_record){ .resource_type = type,
	                                   .resource_name = resource_name,
	                                   .name = name,
	                                   .value = value });
}

/* A new min.insync.replicas gives the eligible leader replicas another meaning: they start anew. */
static void emit_clear_elr(struct step *s, int8_t type, struct str resource_name, struct str name)
{
	if (!elr_enabled(s->c) || !str_eq(name, STR(MIN_ISR)))
		return;
	step_emit(s, METADATA_CLEAR_ELR, 0,
	          &(struct clear_elr_record){
			  .topic_name = type == IMAGE_RESOURCE_TOPIC ? resource_name : STR("") });
}

/* ---- what ELR and cordoned directories forbid ---- */

static bool is_blank(struct str s)
{
	for (uint32_t i = 0; i < s.size; i++)
		if (s.data[i] != ' ' && s.data[i] != '\t')
			return false;
	return true;
}

static struct verdict check_size(struct str value)
{
	if (value.size > CONFIG_VALUE_BYTES_MAX)
		return verdict_of(WIRE_INVALID_CONFIG,
		                  STR("The configuration value cannot be added because it exceeds "
		                      "the maximum value size of 32767 bytes."));
	return verdict_ok();
}

static struct verdict check_alteration(struct step *s, const struct outcome *o, struct str name,
                                       struct str value)
{
	bool of_broker = o->type == IMAGE_RESOURCE_BROKER;

	if (of_broker && elr_enabled(s->c) && str_eq(name, STR(MIN_ISR))) {
		if (o->resource_name.size)
			return verdict_of(WIRE_INVALID_CONFIG,
			                  STR("Broker-level " MIN_ISR " cannot be altered while "
			                      "ELR is enabled."));
		if (!value.data)
			return verdict_of(WIRE_INVALID_CONFIG,
			                  STR("Cluster-level " MIN_ISR " cannot be removed while "
			                      "ELR is enabled."));
	}
	if (of_broker && str_eq(name, STR(CORDONED)) && !is_blank(value) &&
	    s->c->image->metadata_version < METADATA_VERSION_4_3_IV0)
		return verdict_of(WIRE_INVALID_CONFIG,
		                  STR("The " CORDONED
		                      " configuration value cannot be set because it "
		                      "requires metadata.version >= 4.3-IV0"));
	return check_size(value);
}

static bool parse_id(struct str text, int32_t *ret)
{
	char copy[12];
	char *end;
	long value;

	/* strtol() also takes blanks before the number, Java does not. */
	if (!text.size || text.size >= sizeof(copy) || text.data[0] == ' ' ||
	    (text.data[0] >= '\t' && text.data[0] <= '\r'))
		return false;
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	value = strtol(copy, &end, 10);
	*ret = (int32_t)value;
	return !*end && value >= INT32_MIN && value <= INT32_MAX;
}

/* ControllerConfigurationValidator: the names that resources of each type can have. */
static struct verdict check_name(const struct outcome *o)
{
	struct str name = o->resource_name;
	struct str error;
	int32_t id;

	switch (o->type) {
	case IMAGE_RESOURCE_TOPIC:
		if (!name.size)
			return verdict_of(WIRE_INVALID_REQUEST,
			                  STR("Default topic resources are not allowed."));
		error = topic_name_error(o->s->arena, name);
		return error.data ? verdict_of(WIRE_INVALID_TOPIC_EXCEPTION, error) : verdict_ok();
	case IMAGE_RESOURCE_BROKER:
		if (name.size && !parse_id(name, &id))
			return verdict_of(WIRE_INVALID_REQUEST,
			                  STR("Unable to parse broker name as a base 10 number."));
		if (name.size && id < 0)
			return verdict_of(WIRE_INVALID_REQUEST, STR("Invalid negative broker ID."));
		return verdict_ok();
	case IMAGE_RESOURCE_GROUP:
		if (!name.size)
			return verdict_of(WIRE_INVALID_REQUEST,
			                  STR("Default group resources are not allowed."));
		return verdict_ok();
	case IMAGE_RESOURCE_CLIENT_METRICS:
		if (!name.size)
			return verdict_of(WIRE_INVALID_REQUEST,
			                  STR("Subscription name can't be empty"));
		return verdict_ok();
	default:
		return verdict_of(WIRE_INVALID_REQUEST, STR("Unknown resource type BROKER_LOGGER"));
	}
}

/* ---- the whole of the new configs, asked of the rules ---- */

static void merge_outcome(const struct outcome *o, struct pmap *all)
{
	const struct image_config *config =
		image_config(o->s->c->image, (enum image_resource_type)o->type, o->resource_name);

	*all = config ? pmap_share(&config->value) : (struct pmap){ 0 };
	for (size_t i = 0; i < o->altered_count; i++) {
		if (o->altered[i].value.data)
			pmap_put(all, o->altered[i].name,
			         &image_value_new(o->altered[i].value)->object);
		else
			(void)pmap_remove(all, o->altered[i].name); /* or was not there */
	}
	for (size_t i = 0; i < o->dropped_count; i++)
		(void)pmap_remove(all, o->dropped[i]); /* it is there */
}

static struct verdict ask_rules(const struct outcome *o)
{
	const struct controller_config_rules *rules = &o->s->c->options.rules;
	struct str message = { NULL, 0 };
	struct pmap all;
	struct pmap_iter it;
	struct str *name;
	struct str *value;
	size_t count = 0;
	int16_t error;

	merge_outcome(o, &all);
	name = step_array(o->s, all.count, sizeof(*name));
	value = step_array(o->s, all.count, sizeof(*value));
	pmap_each(it, &all)
	{
		name[count] = it.entry.key;
		value[count++] = image_value_of(struct image_value, it.entry)->text;
	}
	error = rules->validate(rules->arg, o->s->arena, (enum image_resource_type)o->type,
	                        o->resource_name, name, value, count, &message);
	pmap_fini(&all);
	return verdict_of(error, message);
}

/* QuorumController.ConfigResourceExistenceChecker */
static struct verdict check_existence(const struct outcome *o)
{
	const struct image *image = o->s->c->image;
	struct str name = o->resource_name;
	int32_t id;

	switch (o->type) {
	case IMAGE_RESOURCE_BROKER:
		if (name.size && parse_id(name, &id) && !image_broker(image, id) &&
		    !image_controller(image, id) && id != o->s->c->options.node_id)
			return verdict_printf(o->s, WIRE_BROKER_ID_NOT_REGISTERED,
			                      "No node with id %d found.", id);
		return verdict_ok();
	case IMAGE_RESOURCE_TOPIC:
		if (!image_topic_by_name(image, name))
			return verdict_printf(o->s, WIRE_UNKNOWN_TOPIC_OR_PARTITION,
			                      "The topic '%.*s' does not exist.", STR_ARG(name));
		return verdict_ok();
	default:
		return verdict_ok();
	}
}

static struct verdict check_outcome(const struct outcome *o, bool is_new)
{
	struct verdict v = verdict_ok();

	for (size_t i = 0; i < o->altered_count && !verdict_failed(v); i++)
		v = check_alteration(o->s, o, o->altered[i].name, o->altered[i].value);
	for (size_t i = 0; i < o->dropped_count && !verdict_failed(v); i++)
		v = check_alteration(o->s, o, o->dropped[i], (struct str){ NULL, 0 });
	if (!verdict_failed(v))
		v = check_name(o);
	if (!verdict_failed(v))
		v = ask_rules(o);
	if (!verdict_failed(v) && !is_new)
		v = check_existence(o);
	return v;
}

/* ---- IncrementalAlterConfigs ---- */

static struct verdict change_list(struct step *s, int8_t type, const struct config_change *change,
                                  struct str current, struct str *ret)
{
	const struct controller_config_rules *rules = &s->c->options.rules;
	struct str old = current;

	if (!rules->is_list(rules->arg, (enum image_resource_type)type, change->name))
		return verdict_printf(s, WIRE_INVALID_CONFIG,
		                      "Can't %s to key %.*s because its type is not LIST.",
		                      op_name(change->op), STR_ARG(change->name));
	if (change->value.size > CONFIG_VALUE_BYTES_MAX)
		return check_size(change->value);
	if (!old.data)
		old = rules->effective(rules->arg, s->arena, NULL, (enum image_resource_type)type,
		                       (struct str){ NULL, 0 }, change->name);
	*ret = config_list_apply(s->arena, change->op, old, change->value);
	return verdict_ok();
}

static bool str_same(struct str a, struct str b)
{
	return !a.data == !b.data && str_eq(a, b);
}

struct verdict config_alter(struct step *s, int8_t type, struct str resource_name,
                            const struct config_change *change, size_t count, bool is_new)
{
	struct config_change *altered = step_array(s, count, sizeof(*altered));
	struct outcome o = {
		.s = s, .type = type, .resource_name = resource_name, .altered = altered
	};
	struct verdict v;

	for (size_t i = 0; i < count; i++) {
		struct str current = image_config_value(s->c->image, (enum image_resource_type)type,
		                                        resource_name, change[i].name);
		struct str value =
			change[i].op == CONFIG_SET ? change[i].value : (struct str){ NULL, 0 };

		if (change[i].op < CONFIG_SET || change[i].op > CONFIG_SUBTRACT)
			return verdict_printf(s, WIRE_INVALID_REQUEST, "Unknown operation type %d",
			                      change[i].op);
		if (change[i].op == CONFIG_APPEND || change[i].op == CONFIG_SUBTRACT) {
			v = change_list(s, type, &change[i], current, &value);
			if (verdict_failed(v))
				return v;
		}
		/* Of a broker also what stays, so that it reloads (KAFKA-14136). */
		if (!str_same(current, value) || type == IMAGE_RESOURCE_BROKER)
			altered[o.altered_count++] =
				(struct config_change){ change[i].name, value, CONFIG_SET };
	}
	v = check_outcome(&o, is_new);
	if (verdict_failed(v))
		return v;
	for (size_t i = 0; i < o.altered_count; i++)
		emit_config(s, type, resource_name, altered[i].name, altered[i].value);
	for (size_t i = 0; i < o.altered_count; i++)
		emit_clear_elr(s, type, resource_name, altered[i].name);
	return v;
}

/* ---- the old AlterConfigs: what is not named is deleted ---- */

static struct verdict replace_configs(struct step *s, int8_t type, struct str resource_name,
                                      const struct config_change *change, size_t count,
                                      struct names *named)
{
	const struct image_config *config =
		image_config(s->c->image, (enum image_resource_type)type, resource_name);
	size_t existing = config ? config->value.count : 0;
	struct config_change *altered = step_array(s, count, sizeof(*altered));
	struct str *dropped = step_array(s, existing, sizeof(*dropped));
	struct outcome o = { .s = s,
		             .type = type,
		             .resource_name = resource_name,
		             .altered = altered,
		             .dropped = dropped };
	struct pmap_iter it;
	struct verdict v;

	for (size_t i = 0; i < count; i++) {
		struct str current = image_config_value(s->c->image, (enum image_resource_type)type,
		                                        resource_name, change[i].name);

		if (!str_same(current, change[i].value) || type == IMAGE_RESOURCE_BROKER)
			altered[o.altered_count++] = change[i];
	}
	if (config) {
		pmap_each(it, &config->value)
		{
			if (!names_find(named, it.entry.key))
				dropped[o.dropped_count++] = it.entry.key;
		}
	}
	v = check_outcome(&o, false);
	if (verdict_failed(v))
		return v;
	for (size_t i = 0; i < o.altered_count; i++)
		emit_config(s, type, resource_name, altered[i].name, altered[i].value);
	for (size_t i = 0; i < o.dropped_count; i++)
		emit_config(s, type, resource_name, dropped[i], (struct str){ NULL, 0 });
	for (size_t i = 0; i < o.altered_count; i++)
		emit_clear_elr(s, type, resource_name, altered[i].name);
	for (size_t i = 0; i < o.dropped_count; i++)
		emit_clear_elr(s, type, resource_name, dropped[i]);
	return v;
}

/* ---- requests (ControllerApis) ---- */

static bool is_known_type(int8_t type)
{
	return type == IMAGE_RESOURCE_TOPIC || type == IMAGE_RESOURCE_BROKER ||
	       type == IMAGE_RESOURCE_BROKER_LOGGER || type == IMAGE_RESOURCE_CLIENT_METRICS ||
	       type == IMAGE_RESOURCE_GROUP;
}

static struct str resource_key(struct step *s, int8_t type, struct str name)
{
	char *key = step_alloc(s, name.size + 1);

	key[0] = (char)type;
	if (name.size)
		memcpy(key + 1, name.data, name.size);
	return (struct str){ key, name.size + 1 };
}

/* WIRE_NONE: go on.  ret_skip: answered with an earlier one of the same name. */
static struct verdict check_resource(struct step *s, struct names *names, int8_t type,
                                     struct str name, bool *ret_skip)
{
	struct named *named;

	*ret_skip = false;
	if (!is_known_type(type))
		return verdict_printf(s, WIRE_UNSUPPORTED_VERSION, "Unknown resource type %d.",
		                      type);
	named = names_find(names, resource_key(s, type, name));
	if (named->count == 1)
		return verdict_ok();
	*ret_skip = named->index++ > 0;
	return verdict_of(WIRE_INVALID_REQUEST, STR("Duplicate resource."));
}

static struct verdict
alter_resource(struct step *s,
               const struct incremental_alter_configs_request_alter_configs_resource *r)
{
	struct config_change *change = step_array(s, r->configs_count, sizeof(*change));
	struct names names;
	struct verdict v;
	size_t count = 0;

	names_init(&names, s);
	for (uint32_t i = 0; i < r->configs_count; i++) {
		struct named *named = names_add(&names, r->configs[i].name);

		if (named->count == 1)
			named->index = count++;
		change[named->index] =
			(struct config_change){ r->configs[i].name, r->configs[i].value,
			                        r->configs[i].config_operation };
	}
	v = config_alter(s, r->resource_type, r->resource_name, change, count, false);
	names_fini(&names);
	return v;
}

void controller_incremental_alter_configs(struct step *s)
{
	const struct incremental_alter_configs_request *r = s->event->request;
	struct incremental_alter_configs_response *response = step_alloc(s, sizeof(*response));
	struct names names;

	incremental_alter_configs_response_init(response);
	response->responses = step_array(s, r->resources_count, sizeof(*response->responses));
	names_init(&names, s);
	for (uint32_t i = 0; i < r->resources_count; i++)
		(void)names_add(&names, resource_key(s, r->resources[i].resource_type,
		                                     r->resources[i].resource_name)); /* counted */
	for (uint32_t i = 0; i < r->resources_count; i++) {
		int8_t type = r->resources[i].resource_type;
		struct str name = r->resources[i].resource_name;
		bool skip;
		struct verdict v = check_resource(s, &names, type, name, &skip);

		if (skip)
			continue;
		if (!verdict_failed(v))
			v = alter_resource(s, &r->resources[i]);
		response->responses[response->responses_count++] =
			(struct incremental_alter_configs_response_alter_configs_resource_response){
				.error_code = v.error,
				.error_message = v.message,
				.resource_type = type,
				.resource_name = name,
			};
	}
	names_fini(&names);
	s->out->response = response;
	if (r->validate_only)
		step_drop_records(s, 0);
}

static struct verdict replace_resource(struct step *s,
                                       const struct alter_configs_request_resource *r)
{
	struct config_change *change = step_array(s, r->configs_count, sizeof(*change));
	struct names names;
	struct verdict v;
	size_t count = 0;

	names_init(&names, s);
	for (uint32_t i = 0; i < r->configs_count; i++) {
		struct named *named = names_add(&names, r->configs[i].name);

		if (named->count == 1)
			named->index = count++;
		change[named->index] = (struct config_change){ r->configs[i].name,
			                                       r->configs[i].value, CONFIG_SET };
	}
	v = replace_configs(s, r->resource_type, r->resource_name, change, count, &names);
	names_fini(&names);
	return v;
}

void controller_alter_configs(struct step *s)
{
	const struct alter_configs_request *r = s->event->request;
	struct alter_configs_response *response = step_alloc(s, sizeof(*response));
	struct names names;

	alter_configs_response_init(response);
	response->responses = step_array(s, r->resources_count, sizeof(*response->responses));
	names_init(&names, s);
	for (uint32_t i = 0; i < r->resources_count; i++)
		(void)names_add(&names, resource_key(s, r->resources[i].resource_type,
		                                     r->resources[i].resource_name)); /* counted */
	for (uint32_t i = 0; i < r->resources_count; i++) {
		int8_t type = r->resources[i].resource_type;
		struct str name = r->resources[i].resource_name;
		bool skip;
		struct verdict v = check_resource(s, &names, type, name, &skip);

		if (skip)
			continue;
		if (!verdict_failed(v))
			v = replace_resource(s, &r->resources[i]);
		response->responses[response->responses_count++] =
			(struct alter_configs_response_resource_response){
				.error_code = v.error,
				.error_message = v.message,
				.resource_type = type,
				.resource_name = name,
			};
	}
	names_fini(&names);
	s->out->response = response;
	if (r->validate_only)
		step_drop_records(s, 0);
}
