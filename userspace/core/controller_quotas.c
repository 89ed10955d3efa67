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

/* ---- addresses: Kafka would resolve names too, but a machine asks nobody ---- */

static bool is_ipv4(struct str s)
{
	uint32_t parts = 0;

	for (uint32_t at = 0; at < s.size; at++, parts++) {
		uint32_t first = at;
		uint32_t value = 0;

		for (; at < s.size && at < first + 4 && s.data[at] >= '0' && s.data[at] <= '9';
		     at++)
			value = 10 * value + (uint32_t)(s.data[at] - '0');
		if (at == first || value > 255 || (at < s.size && s.data[at] != '.'))
			return false;
	}
	return parts == 4 && s.data[s.size - 1] != '.';
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Groups of up to four digits, the last two may be an IPv4 address, and one gap. */
static bool is_ipv6(struct str s)
{
	uint32_t groups = 0;
	uint32_t gaps = 0;
	uint32_t at = 0;

	while (at < s.size) {
		uint32_t first = at;

		while (at < s.size && is_hex(s.data[at]))
			at++;
		if (at < s.size && s.data[at] == '.') {
			groups += 2;
			if (!is_ipv4((struct str){ s.data + first, s.size - first }))
				return false;
			break;
		}
		groups += at > first;
		if (at > first + 4 || (at < s.size && s.data[at] != ':'))
			return false;
		if (at == s.size)
			break;
		at++;
		if (at < s.size && s.data[at] == ':')
			gaps++, at++;
		else if (at == s.size || at == first + 1)
			return false; /* a single colon at an end */
	}
	return gaps ? gaps == 1 && groups < 8 : groups == 8;
}

static struct verdict check_entity(struct step *s, const struct client_quota_record_entity_data *e,
                                   uint32_t count, bool *ret_of_ip)
{
	bool has_ip = false;
	bool has_other = false;
	struct str ip = { NULL, 0 };

	for (uint32_t i = 0; i < count; i++) {
		struct str type = e[i].entity_type;
		struct str name = e[i].entity_name;

		if (str_eq(type, STR("ip"))) {
			has_ip = true;
			ip = name;
		} else if (str_eq(type, STR("user")) || str_eq(type, STR("client-id"))) {
			has_other = true;
		} else {
			return verdict_printf(s, WIRE_INVALID_REQUEST,
			                      "Unhandled client quota entity type: %.*s",
			                      STR_ARG(type));
		}
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
	if (ip.data && !is_ipv4(ip) && !is_ipv6(ip))
		return verdict_printf(s, WIRE_INVALID_REQUEST,
		                      "%.*s is not a valid IP or resolvable host.", STR_ARG(ip));
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

/* Who is limited: of a type that is named twice the last one counts. */
struct target {
	struct client_quota_record_entity_data *entity;
	uint32_t count;
	struct str key;
};

static struct target target_of(struct step *s,
                               const struct alter_client_quotas_request_entry_data *e)
{
	struct target t = { .entity = step_array(s, e->entity_count, sizeof(*t.entity)) };
	struct names types;

	names_init(&types, s);
	for (uint32_t i = 0; i < e->entity_count; i++) {
		struct named *named = names_add(&types, e->entity[i].entity_type);

		if (named->count == 1)
			named->index = t.count++;
		t.entity[named->index].entity_type = e->entity[i].entity_type;
		t.entity[named->index].entity_name = e->entity[i].entity_name;
	}
	names_fini(&types);
	t.key = entity_key(s, t.entity, t.count);
	return t;
}

static struct verdict alter_entity(struct step *s, const struct target *t,
                                   const struct alter_client_quotas_request_entry_data *e)
{
	const struct image_quota *current =
		(const struct image_quota *)(const void *)pmap_find(&s->c->image->quotas, t->key);
	size_t keep = s->record_count;
	bool of_ip = false;
	struct verdict v = check_entity(s, t->entity, t->count, &of_ip);

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
					  .entity = t->entity,
					  .entity_count = t->count,
					  .key = key,
					  .value = e->ops[i].remove ? 0 : value,
					  .remove = e->ops[i].remove,
				  });
	}
	if (verdict_failed(v))
		step_drop_records(s, keep);
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

static void add_entry(struct step *s, const struct target *t,
                      struct alter_client_quotas_response *response)
{
	struct alter_client_quotas_response_entry_data *entry =
		&response->entries[response->entries_count++];

	entry->entity = step_array(s, t->count, sizeof(*entry->entity));
	entry->entity_count = t->count;
	for (uint32_t i = 0; i < t->count; i++) {
		entry->entity[i].entity_type = t->entity[i].entity_type;
		entry->entity[i].entity_name = t->entity[i].entity_name;
	}
}

static struct verdict twice(struct step *s, const struct target *t)
{
	struct str text = STR("");

	for (uint32_t i = 0; i < t->count; i++) {
		struct str name = t->entity[i].entity_name;

		text = verdict_printf(s, 0, "%.*s%s%.*s=%.*s", STR_ARG(text), i ? ", " : "",
		                      STR_ARG(t->entity[i].entity_type),
		                      STR_ARG(name.data ? name : STR("null")))
		               .message;
	}
	return verdict_printf(s, WIRE_INVALID_REQUEST,
	                      "Ignoring duplicate entity ClientQuotaEntity(entries={%.*s})",
	                      STR_ARG(text));
}

/*
 * An entity that comes again is answered once, with an error, although what came first of it is
 * done: so does Kafka (ClientQuotaControlManager).
 */
static void alter_quota(struct step *s, struct names *seen,
                        const struct alter_client_quotas_request_entry_data *e,
                        struct alter_client_quotas_response *response)
{
	struct target t = target_of(s, e);
	struct named *named = names_add(seen, t.key);
	struct verdict v;

	if (named->count == 1) {
		named->index = response->entries_count;
		add_entry(s, &t, response);
	}
	v = named->count > 1 || has_twice(s, e) ? twice(s, &t) : alter_entity(s, &t, e);
	response->entries[named->index].error_code = v.error;
	response->entries[named->index].error_message = v.message;
}

void controller_alter_client_quotas(struct step *s)
{
	const struct alter_client_quotas_request *r = s->event->request;
	struct alter_client_quotas_response *response = step_alloc(s, sizeof(*response));
	struct names seen;

	alter_client_quotas_response_init(response);
	response->entries = step_array(s, r->entries_count, sizeof(*response->entries));
	names_init(&seen, s);
	for (uint32_t i = 0; i < r->entries_count; i++)
		alter_quota(s, &seen, &r->entries[i], response);
	names_fini(&seen);
	s->out->response = response;
	if (r->validate_only)
		step_drop_records(s, 0);
}
