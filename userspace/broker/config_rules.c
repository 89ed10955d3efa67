/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "config_private.h"

/* The controller's questions about configs, answered from the table (struct
 * controller_config_rules). */

static enum config_scope scope_of(enum image_resource_type type)
{
	switch (type) {
	case IMAGE_RESOURCE_TOPIC:
		return CONFIG_SCOPE_TOPIC;
	case IMAGE_RESOURCE_GROUP:
		return CONFIG_SCOPE_GROUP;
	case IMAGE_RESOURCE_CLIENT_METRICS:
		return CONFIG_SCOPE_CLIENT_METRICS;
	default:
		return CONFIG_SCOPE_BROKER;
	}
}

/* KafkaRaftServer.configSchema knows of the lists of brokers and topics only. */
bool config_is_list(enum image_resource_type type, struct str name)
{
	enum config_scope scope = scope_of(type);
	int id = config_find(scope, name);

	return (scope == CONFIG_SCOPE_BROKER || scope == CONFIG_SCOPE_TOPIC) && id >= 0 &&
	       config_table(scope).key[id].type == CONFIG_TYPE_LIST;
}

struct config_layer config_layer_of(const struct image *image, enum image_resource_type type,
                                    struct str resource_name, struct arena *arena)
{
	const struct image_config *config = image_config(image, type, resource_name);
	struct config_pair *pair;
	struct pmap_iter it;
	uint32_t count = 0;

	if (!config)
		return (struct config_layer){ NULL, 0 };
	pair = arena_array(arena, config->value.count, sizeof(*pair));
	if (!pair)
		return (struct config_layer){ NULL, 0 };
	pmap_each(it, &config->value)
	{
		const struct image_value *value =
			container_of(it.entry.value, struct image_value, object);

		pair[count++] = (struct config_pair){ it.entry.key, value->text };
	}
	return (struct config_layer){ pair, count };
}

struct config_layer config_good_layer(const struct image *image, struct str broker_name,
                                      struct arena *arena)
{
	return config_filter(config_layer_of(image, IMAGE_RESOURCE_BROKER, broker_name, arena),
	                     broker_name.size > 0, arena, NULL);
}

static int compare_pair(const void *a, const void *b)
{
	const struct config_pair *x = a;
	const struct config_pair *y = b;

	return str_cmp(x->name, y->name);
}

/* Sorted by name; of equal names one. */
static struct config_layer layer_of(const struct str *name, const struct str *value, size_t count,
                                    struct arena *arena)
{
	struct config_pair *pair = config_alloc(arena, count, sizeof(*pair));
	uint32_t kept = 0;

	for (size_t i = 0; i < count; i++)
		pair[i] = (struct config_pair){ name[i], value[i] };
	qsort(pair, count, sizeof(*pair), compare_pair);
	for (size_t i = 0; i < count; i++) {
		if (kept && str_eq(pair[kept - 1].name, pair[i].name))
			kept--;
		pair[kept++] = pair[i];
	}
	return (struct config_layer){ pair, kept };
}

static int16_t rules_validate(void *arg, struct arena *arena, enum image_resource_type type,
                              struct str resource_name, const struct str *name,
                              const struct str *value, size_t count, struct str *ret_message)
{
	struct arena own;
	int16_t error;

	(void)resource_name;
	arena_init(&own, SIZE_MAX / 2);
	error = config_validate(arg, type, layer_of(name, value, count, &own), arena, ret_message);
	arena_fini(&own);
	return error;
}

static bool rules_is_list(void *arg, enum image_resource_type type, struct str name)
{
	(void)arg;
	return config_is_list(type, name);
}

/* The controller's config with what the image has for brokers; counted. */
static const struct config *with_dynamic(const struct config *c, const struct image *image,
                                         struct arena *arena)
{
	struct config_report report = { 0 };
	struct str id = config_str(c, CONFIG_NODE_ID);
	struct config_dynamic dynamic = {
		.broker = config_layer_of(image, IMAGE_RESOURCE_BROKER, id, arena),
		.cluster = config_layer_of(image, IMAGE_RESOURCE_BROKER, STR(""), arena),
	};
	const struct config *ret;

	if (!dynamic.broker.count && !dynamic.cluster.count)
		return config_get(c);
	ret = config_update(c, &dynamic, &report);
	config_report_fini(&report);
	return ret;
}

/* Has the image something for a broker that this config's value rests on? */
static bool is_touched(const struct config *c, const struct image *image, enum config_scope scope,
                       int id)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_BROKER).key;
	const struct config_topic_synonym *s =
		scope == CONFIG_SCOPE_TOPIC ? config_topic_synonyms((enum topic_config_id)id)
					    : NULL;
	struct str self = config_str(c, CONFIG_NODE_ID);

	if (!s)
		return true;
	for (; s->id >= 0; s++) {
		struct str name = str_of(key[s->id].name);

		if (image_config_value(image, IMAGE_RESOURCE_BROKER, self, name).data ||
		    image_config_value(image, IMAGE_RESOURCE_BROKER, STR(""), name).data)
			return true;
	}
	return false;
}

static struct str rules_effective(void *arg, struct arena *arena, const struct image *image,
                                  enum image_resource_type type, struct str resource_name,
                                  struct str name)
{
	enum config_scope scope = scope_of(type);
	int id = config_find(scope, name);
	struct config_value value = { 0 };
	const struct config *c;
	struct arena own;
	struct str ret;

	(void)resource_name;
	if (id < 0)
		return (struct str){ NULL, 0 };
	if (!image)
		return str_of(config_table(scope).key[id].default_text);
	arena_init(&own, SIZE_MAX / 2);
	c = is_touched(arg, image, scope, id) ? with_dynamic(arg, image, &own) : config_get(arg);
	if (scope == CONFIG_SCOPE_TOPIC)
		config_topic_default(c, (enum topic_config_id)id, &own, &value);
	else if (scope == CONFIG_SCOPE_GROUP)
		config_group_default(c, (enum group_config_id)id, &own, &value);
	else if (scope == CONFIG_SCOPE_BROKER)
		value = c->value[id];
	else
		config_parse_default(&config_table(scope).key[id], &own, &value);
	ret = value.text.data && !value.text.size ? STR("") : arena_str(arena, value.text);
	config_put(c);
	arena_fini(&own);
	return ret;
}

/* ---- KafkaConfigSchema.resolveEffectiveTopicConfig: texts as they were given ---- */

struct effective {
	struct config_layer topic;
	struct config_layer broker;
	struct config_layer cluster;
	const struct config_givens *fixed;
};

/* Hours and minutes become milliseconds; what is no number is 0. */
static struct str converted(const struct config_topic_synonym *s, struct str value,
                            struct arena *arena)
{
	int64_t number;

	if (s->multiply == 1)
		return value;
	if (!config_parse_long(config_trim(value), &number) || number < INT32_MIN ||
	    number > INT32_MAX)
		number = 0;
	return arena_printf(arena, "%lld", (long long)(number * s->multiply));
}

static bool from_layer(const struct config_topic_synonym *s, struct config_layer layer,
                       struct arena *arena, struct str *ret)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_BROKER).key;

	for (; s->id >= 0; s++) {
		struct str value = config_layer_value(layer, str_of(key[s->id].name));

		if (!value.data)
			continue;
		*ret = converted(s, value, arena);
		return true;
	}
	return false;
}

static bool from_file(const struct config_topic_synonym *s, const struct config_givens *fixed,
                      struct arena *arena, struct str *ret)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_BROKER).key;

	for (; s->id >= 0; s++) {
		const struct config_given *given =
			config_givens_find(fixed, str_of(key[s->id].name));

		if (!given)
			continue;
		*ret = converted(s, given->value, arena);
		return true;
	}
	return false;
}

static int8_t effective_value(const struct effective *e, int id, struct arena *arena,
                              struct str *ret)
{
	const struct config_topic_synonym *s = config_topic_synonyms((enum topic_config_id)id);
	const struct config_key *key = &config_table(CONFIG_SCOPE_TOPIC).key[id];

	*ret = config_layer_value(e->topic, str_of(key->name));
	if (ret->data)
		return CONFIG_SOURCE_TOPIC;
	if (from_layer(s, e->broker, arena, ret))
		return CONFIG_SOURCE_DYNAMIC_BROKER;
	if (from_layer(s, e->cluster, arena, ret))
		return CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER;
	if (from_file(s, e->fixed, arena, ret))
		return CONFIG_SOURCE_STATIC_BROKER;
	*ret = str_of(key->default_text);
	return CONFIG_SOURCE_DEFAULT;
}

static size_t fill_entries(const struct effective *e, struct arena *arena,
                           struct controller_config_entry *out)
{
	struct config_table table = config_table(CONFIG_SCOPE_TOPIC);
	size_t count = 0;

	for (uint32_t id = 0; id < table.count; id++) {
		const struct config_key *key = &table.key[id];
		struct str value;
		int8_t source = effective_value(e, (int)id, arena, &value);

		if (key->flags & CONFIG_INTERNAL && source != CONFIG_SOURCE_TOPIC)
			continue;
		if (key->flags & CONFIG_OWN && source == CONFIG_SOURCE_DEFAULT)
			continue; /* Kafka's tools know their own */
		out[count++] = (struct controller_config_entry){
			.name = str_of(key->name),
			.value = value.data && !value.size ? STR("") : arena_str(arena, value),
			.source = source,
			.type = (int8_t)key->type,
			.is_sensitive = config_is_sensitive(key),
		};
	}
	return count;
}

static size_t rules_topic_entries(void *arg, struct arena *arena, const struct image *image,
                                  const struct str *name, const struct str *value, size_t count,
                                  const struct controller_config_entry **ret)
{
	const struct config *c = arg;
	struct controller_config_entry *out = arena_array(arena, TOPIC_CONFIG_COUNT, sizeof(*out));
	struct effective e;
	struct arena own;

	*ret = out;
	if (!out)
		return 0;
	arena_init(&own, SIZE_MAX / 2);
	e = (struct effective){
		.topic = layer_of(name, value, count, &own),
		.broker = config_layer_of(image, IMAGE_RESOURCE_BROKER,
		                          config_str(c, CONFIG_NODE_ID), &own),
		.cluster = config_layer_of(image, IMAGE_RESOURCE_BROKER, STR(""), &own),
		.fixed = &c->fixed,
	};
	count = fill_entries(&e, arena, out);
	arena_fini(&own);
	return count;
}

struct controller_config_rules config_controller_rules(const struct config *c)
{
	return (struct controller_config_rules){
		.arg = (void *)c, /* only read */
		.validate = rules_validate,
		.is_list = rules_is_list,
		.effective = rules_effective,
		.topic_entries = rules_topic_entries,
	};
}
