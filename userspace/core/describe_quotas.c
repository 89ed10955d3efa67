/* SPDX-License-Identifier: Apache-2.0 */
#include "core/describe.h"
#include "wire/errors.h"

/* Which entities have quotas, and which (Kafka: ClientQuotasImage.describe). */
enum quota_match { MATCH_EXACT = 0, MATCH_DEFAULT = 1, MATCH_SPECIFIED = 2 };

static const struct str entity_type[] = { { "ip", 2 }, { "user", 4 }, { "client-id", 9 } };
enum { OF_IP, OF_USER, OF_CLIENT, ENTITY_TYPES };

/* What is asked of each type of entity; NULL: nothing. */
struct filter {
	const struct describe_client_quotas_request_component_data *of[ENTITY_TYPES];
	uint32_t count;
	bool is_strict;
};

struct refusal {
	int16_t error;
	struct str message;
};

static struct refusal refuse(int16_t error, struct str message)
{
	return (struct refusal){ error, message };
}

static int type_of(struct str name)
{
	for (int i = 0; i < ENTITY_TYPES; i++)
		if (str_eq(entity_type[i], name))
			return i;
	return -1;
}

static struct refusal check_match(struct arena *arena,
                                  const struct describe_client_quotas_request_component_data *c)
{
	switch (c->match_type) {
	case MATCH_EXACT:
		return c->match.data ? refuse(WIRE_NONE, (struct str){ NULL, 0 })
		                     : refuse(WIRE_INVALID_REQUEST,
		                              STR("Request specified MATCH_TYPE_EXACT, but set "
		                                  "match string to null."));
	case MATCH_DEFAULT:
	case MATCH_SPECIFIED:
		if (!c->match.data)
			return refuse(WIRE_NONE, (struct str){ NULL, 0 });
		return refuse(
			WIRE_INVALID_REQUEST,
			arena_printf(arena,
		                     "Request specified MATCH_TYPE_%s, but also specified "
		                     "a match string.",
		                     c->match_type == MATCH_DEFAULT ? "DEFAULT" : "SPECIFIED"));
	default:
		return refuse(WIRE_INVALID_REQUEST,
		              arena_printf(arena, "Unknown match type %d", c->match_type));
	}
}

static struct refusal
read_filter(struct arena *arena, const struct describe_client_quotas_request *r, struct filter *ret)
{
	*ret = (struct filter){ .is_strict = r->strict };
	for (uint32_t i = 0; i < r->components_count; i++) {
		const struct describe_client_quotas_request_component_data *c = &r->components[i];
		int type = type_of(c->entity_type);
		struct refusal bad;

		if (!c->entity_type.size)
			return refuse(WIRE_INVALID_REQUEST, STR("Invalid empty entity type."));
		if (type < 0)
			return refuse(WIRE_UNSUPPORTED_VERSION,
			              arena_printf(arena, "Unsupported entity type %.*s",
			                           STR_ARG(c->entity_type)));
		if (ret->of[type])
			return refuse(WIRE_INVALID_REQUEST,
			              arena_printf(arena,
			                           "Entity type %.*s cannot appear more than "
			                           "once in the filter.",
			                           STR_ARG(c->entity_type)));
		bad = check_match(arena, c);
		if (bad.error)
			return bad;
		ret->of[type] = c;
		ret->count++;
	}
	if (ret->of[OF_IP] && (ret->of[OF_USER] || ret->of[OF_CLIENT]))
		return refuse(WIRE_INVALID_REQUEST,
		              STR("Invalid entity filter component combination. IP filter "
		                  "component should not be used with user or clientId filter "
		                  "component."));
	return refuse(WIRE_NONE, (struct str){ NULL, 0 });
}

static const struct image_quota_part *part_of(const struct image_quota *quota, struct str type)
{
	for (uint32_t i = 0; i < quota->part_count; i++)
		if (str_eq(quota->part[i].type, type))
			return &quota->part[i];
	return NULL;
}

static bool is_matched(const struct image_quota *quota, const struct filter *f)
{
	if (f->is_strict && quota->part_count != f->count)
		return false;
	for (int i = 0; i < ENTITY_TYPES; i++) {
		const struct image_quota_part *part;

		if (!f->of[i])
			continue;
		part = part_of(quota, entity_type[i]);
		if (!part)
			return false;
		if (f->of[i]->match_type == MATCH_SPECIFIED)
			continue;
		/* The default entity is the one whose name is null. */
		if (!part->name.data != !f->of[i]->match.data ||
		    !str_eq(part->name, f->of[i]->match))
			return false;
	}
	return true;
}

static bool fill_entry(struct arena *arena, const struct image_quota *quota,
                       struct describe_client_quotas_response_entry_data *ret)
{
	struct pmap_iter it;

	ret->entity = arena_array(arena, quota->part_count, sizeof(*ret->entity));
	ret->values = arena_array(arena, quota->value.count, sizeof(*ret->values));
	if (!ret->entity || !ret->values)
		return false;
	ret->entity_count = quota->part_count;
	for (uint32_t i = 0; i < quota->part_count; i++)
		ret->entity[i] =
			(struct describe_client_quotas_response_entity_data){ quota->part[i].type,
			                                                      quota->part[i].name };
	pmap_each(it, &quota->value) ret->values[ret->values_count++] =
		(struct describe_client_quotas_response_value_data){
			it.entry.key, image_value_of(struct image_double, it.entry)->value
		};
	return true;
}

void describe_client_quotas(const struct describe *d,
                            const struct describe_client_quotas_request *request,
                            struct describe_client_quotas_response *ret)
{
	struct filter filter;
	struct refusal bad = read_filter(d->arena, request, &filter);
	struct pmap_iter it;

	describe_client_quotas_response_init(ret);
	if (bad.error) {
		ret->error_code = bad.error;
		ret->error_message = bad.message;
		ret->entries = NULL;
		return;
	}
	ret->entries = arena_array(d->arena, d->image->quotas.count + 1, sizeof(*ret->entries));
	pmap_each(it, &d->image->quotas)
	{
		const struct image_quota *quota = image_value_of(struct image_quota, it.entry);

		if (!ret->entries)
			break;
		if (is_matched(quota, &filter) &&
		    !fill_entry(d->arena, quota, &ret->entries[ret->entries_count++]))
			ret->entries = NULL;
	}
	if (!ret->entries) {
		ret->entries_count = 0;
		ret->error_code = WIRE_UNKNOWN_SERVER_ERROR;
	}
}
