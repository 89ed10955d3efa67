/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_private.h"
#include "wire/alter_client_quotas.h"
#include "wire/metadata_records.h"

/* org.apache.kafka.server.config.QuotaConfig: what can be limited of whom, and in which numbers. */
static const struct {
	struct str name;
	bool of_ip;
	bool is_fraction;
	double max;
} limit[] = {
	{ { "producer_byte_rate", 18 }, false, false, 9223372036854775807.0 },
	{ { "consumer_byte_rate", 18 }, false, false, 9223372036854775807.0 },
	{ { "request_percentage", 18 }, false, true, 0 },
	{ { "controller_mutation_rate", 24 }, false, true, 0 },
	{ { "connection_creation_rate", 24 }, true, false, 2147483647.0 },
};

static struct verdict check_value(struct step *s, bool of_ip, struct str key, double value)
{
	size_t i = 0;

	while (i < array_count(limit) && !(str_eq(limit[i].name, key) && limit[i].of_ip == of_ip))
		i++;
	if (i == array_count(limit))
		return verdict_printf(s, WIRE_INVALID_REQUEST, "Invalid configuration key %.*s",
		                      STR_ARG(key));
	if (!(value > 0))
		return verdict_printf(s, WIRE_INVALID_REQUEST, "Quota %.*s must be greater than 0",
		                      STR_ARG(key));
	if (limit[i].is_fraction)
		return verdict_ok();
	if (value > limit[i].max)
		return verdict_printf(s, WIRE_INVALID_REQUEST,
		                      "Proposed value for %.*s is too large for %s.", STR_ARG(key),
		                      of_ip ? "an INT" : "a LONG");
	if (value < 9007199254740992.0 && value - (double)(int64_t)value > 1e-6)
		return verdict_printf(s, WIRE_INVALID_REQUEST, "%.*s cannot be a fractional value.",
		                      STR_ARG(key));
	return verdict_ok();
}

static struct verdict check_entity(struct step *s,
                                   const struct alter_client_quotas_request_entry_data *e,
                                   bool *ret_of_ip)
{
	bool has_ip = false;
	bool has_other = false;

	for (uint32_t i = 0; i < e->entity_count; i++) {
		struct str type = e->entity[i].entity_type;
		struct str name = e->entity[i].entity_name;

		if (str_eq(type, STR("ip")))
			has_ip = true;
		else if (str_eq(type, STR("user")) || str_eq(type, STR("client-id")))
			has_other = true;
		else
			return verdict_printf(s, WIRE_INVALID_REQUEST,
			                      "Unhandled client quota entity type: %.*s",
			                      STR_ARG(type));
		if (name.data && !name.size)
			return verdict_printf(s, WIRE_INVALID_REQUEST, "Empty %.*s not supported",
			                      STR_ARG(type));
	}
	if (!has_ip && !has_other)
		return verdict_of(WIRE_INVALID_REQUEST, STR("Invalid empty client quota entity"));
	if (has_ip && has_other)
		return verdict_of(WIRE_INVALID_REQUEST,
		                  STR("Invalid quota entity combination, IP entity shouldnot be "
		                      "combined with User or ClientId"));
	*ret_of_ip = has_ip;
	return verdict_ok();
}

static struct str entity_key(struct step *s, struct client_quota_record_entity_data *entity,
                             uint32_t count)
{
	struct image_text text = { .large = NULL };
	struct str key;

	image_quota_key(&text, entity, count);
	key = arena_str(s->arena, image_text_str(&text));
	image_text_fini(&text);
	return key;
}

static struct verdict alter_entity(struct step *s,
                                   const struct alter_client_quotas_request_entry_data *e,
                                   const struct image_quota *current,
                                   struct client_quota_record_entity_data *entity)
{
	bool of_ip = false;
	struct verdict v = check_entity(s, e, &of_ip);

	for (uint32_t i = 0; i < e->ops_count && !verdict_failed(v); i++) {
		struct str key = e->ops[i].key;
		double value = e->ops[i].value;
		const struct object *old = current ? pmap_find(&current->value, key) : NULL;
		bool changes = e->ops[i].remove
		                       ? old != NULL
		                       : !old || ((const struct image_double *)old)->value != value;

		if (!e->ops[i].remove)
			v = check_value(s, of_ip, key, value);
		if (!verdict_failed(v) && changes)
			step_emit(s, METADATA_CLIENT_QUOTA, 0,
			          &(struct client_quota_record){
					  .entity = entity,
					  .entity_count = e->entity_count,
					  .key = key,
					  .value = e->ops[i].remove ? 0 : value,
					  .remove = e->ops[i].remove,
				  });
	}
	return v;
}

static bool has_twice(struct step *s, const struct alter_client_quotas_request_entry_data *e)
{
	struct names names;
	bool twice = false;

	names_init(&names, s);
	for (uint32_t i = 0; i < e->ops_count; i++)
		twice |= names_add(&names, e->ops[i].key)->count > 1;
	names_fini(&names);
	return twice;
}

static struct verdict alter_quota(struct step *s, struct names *seen,
                                  const struct alter_client_quotas_request_entry_data *e)
{
	struct client_quota_record_entity_data *entity =
		step_array(s, e->entity_count, sizeof(*entity));
	const struct image_quota *current;
	size_t keep = s->record_count;
	struct verdict v;
	struct str key;

	for (uint32_t i = 0; i < e->entity_count; i++) {
		entity[i].entity_type = e->entity[i].entity_type;
		entity[i].entity_name = e->entity[i].entity_name;
	}
	key = entity_key(s, entity, e->entity_count);
	if (names_add(seen, key)->count > 1 || has_twice(s, e))
		return verdict_of(WIRE_INVALID_REQUEST, STR("Ignoring duplicate entity"));
	current = (const struct image_quota *)(const void *)pmap_find(&s->c->image->quotas, key);
	v = alter_entity(s, e, current, entity);
	if (verdict_failed(v))
		step_drop_records(s, keep);
	return v;
}

void controller_alter_client_quotas(struct step *s)
{
	const struct alter_client_quotas_request *r = s->event->request;
	struct alter_client_quotas_response *response = step_alloc(s, sizeof(*response));
	struct names seen;

	alter_client_quotas_response_init(response);
	response->entries = step_array(s, r->entries_count, sizeof(*response->entries));
	response->entries_count = r->entries_count;
	names_init(&seen, s);
	for (uint32_t i = 0; i < r->entries_count; i++) {
		struct alter_client_quotas_response_entry_data *entry = &response->entries[i];
		const struct alter_client_quotas_request_entry_data *e = &r->entries[i];
		struct verdict v = alter_quota(s, &seen, e);

		entry->error_code = v.error;
		entry->error_message = v.message;
		entry->entity = step_array(s, e->entity_count, sizeof(*entry->entity));
		entry->entity_count = e->entity_count;
		for (uint32_t j = 0; j < e->entity_count; j++) {
			entry->entity[j].entity_type = e->entity[j].entity_type;
			entry->entity[j].entity_name = e->entity[j].entity_name;
		}
	}
	names_fini(&seen);
	s->out->response = response;
	if (r->validate_only)
		step_drop_records(s, 0);
}
