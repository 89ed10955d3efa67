/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/config_describe.h"

#include <stdlib.h>

#include "config_private.h"

/*
 * Entries are made in an arena without a limit, one resource's at a time, and then copied into the
 * caller's, which may say no.
 */
struct describe {
	const struct config *c;
	struct arena arena;
	struct config_entry *entry;
	uint32_t count;
};

static void describe_begin(struct describe *d, const struct config *c, uint32_t room)
{
	*d = (struct describe){ .c = c };
	arena_init(&d->arena, SIZE_MAX / 2);
	d->entry = config_alloc(&d->arena, room, sizeof(*d->entry));
}

static bool copy_text(struct str *s, struct arena *arena)
{
	if (!s->data)
		return true;
	*s = s->size ? arena_str(arena, *s) : STR("");
	return s->data;
}

static bool copy_entry(struct config_entry *e, struct arena *arena)
{
	struct config_synonym *synonym = arena_array(arena, e->synonym_count + 1, sizeof(*synonym));
	bool ok = synonym && copy_text(&e->name, arena) && copy_text(&e->value, arena);

	for (uint32_t i = 0; ok && i < e->synonym_count; i++) {
		synonym[i] = e->synonym[i];
		ok = copy_text(&synonym[i].name, arena) && copy_text(&synonym[i].value, arena);
	}
	e->synonym = synonym;
	return ok;
}

static int compare_entry(const void *a, const void *b)
{
	const struct config_entry *x = a;
	const struct config_entry *y = b;

	return str_cmp(x->name, y->name);
}

static struct config_entries describe_end(struct describe *d, struct arena *arena)
{
	struct config_entry *entry = arena_array(arena, d->count + 1, sizeof(*entry));
	bool ok = entry;

	qsort(d->entry, d->count, sizeof(*d->entry), compare_entry);
	for (uint32_t i = 0; ok && i < d->count; i++) {
		entry[i] = d->entry[i];
		ok = copy_entry(&entry[i], arena);
	}
	arena_fini(&d->arena);
	return ok ? (struct config_entries){ entry, d->count } : (struct config_entries){ NULL, 0 };
}

/* ---- ConfigHelper.configSynonyms ---- */

struct synonyms {
	struct config_synonym *item;
	uint32_t count;
	bool hide;
};

static void add_synonym(struct synonyms *s, struct str name, struct str value, int8_t source)
{
	if (value.data)
		s->item[s->count++] =
			(struct config_synonym){ name, s->hide ? (struct str){ NULL, 0 } : value,
			                         source };
}

static struct str default_text(struct str name)
{
	int id = config_find(CONFIG_SCOPE_BROKER, name);
	const struct config_key *key = id < 0 ? NULL : &config_table(CONFIG_SCOPE_BROKER).key[id];

	if (!key || key->flags & CONFIG_QUOTA)
		return (struct str){ NULL, 0 };
	return str_of(key->default_text);
}

/* All that is set under the names of a broker key, from the first of its own name on. */
static struct synonyms synonyms_of(struct describe *d, struct str name, bool hide)
{
	struct config_list names = config_broker_synonyms(name, true, &d->arena);
	struct synonyms s = { config_alloc(&d->arena, names.count * 4 + 1, sizeof(*s.item)), 0,
		              hide };
	uint32_t skip = 0;

	for (uint32_t i = 0; i < names.count; i++)
		add_synonym(&s, names.item[i], config_layer_value(d->c->broker, names.item[i]),
		            CONFIG_SOURCE_DYNAMIC_BROKER);
	for (uint32_t i = 0; i < names.count; i++)
		add_synonym(&s, names.item[i], config_layer_value(d->c->cluster, names.item[i]),
		            CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER);
	for (uint32_t i = 0; i < names.count; i++) {
		const struct config_given *given = config_givens_find(&d->c->fixed, names.item[i]);

		if (given)
			add_synonym(&s, names.item[i], given->value, CONFIG_SOURCE_STATIC_BROKER);
	}
	for (uint32_t i = 0; i < names.count; i++)
		add_synonym(&s, names.item[i], default_text(names.item[i]), CONFIG_SOURCE_DEFAULT);
	while (skip < s.count && !str_eq(s.item[skip].name, name))
		skip++;
	s.item += skip;
	s.count -= skip;
	return s;
}

static struct synonyms with_own(struct describe *d, struct synonyms behind, struct str name,
                                struct str value, int8_t source)
{
	struct synonyms s = { config_alloc(&d->arena, behind.count + 1, sizeof(*s.item)), 0,
		              behind.hide };

	add_synonym(&s, name, value, source);
	for (uint32_t i = 0; i < behind.count; i++)
		s.item[s.count++] = behind.item[i];
	return s;
}

static void add_entry(struct describe *d, const struct config_key *key, struct str value,
                      struct synonyms s, bool read_only)
{
	d->entry[d->count++] = (struct config_entry){
		.name = str_of(key->name),
		.value = config_is_sensitive(key) ? (struct str){ NULL, 0 } : value,
		.doc = str_of(key->doc),
		.synonym = s.item,
		.synonym_count = s.count,
		.source = s.count ? s.item[0].source : CONFIG_SOURCE_DEFAULT,
		.type = (int8_t)key->type,
		.is_read_only = read_only,
		.is_sensitive = config_is_sensitive(key),
	};
}

/*
 * Names of a resource that the table does not know, from a metadata log of another version: what
 * they hold may be a secret (`hide`).
 */
static void add_unknown(struct describe *d, enum config_scope scope, struct config_layer layer,
                        int8_t source, bool hide)
{
	for (uint32_t i = 0; i < layer.count; i++) {
		struct config_pair pair = layer.pair[i];
		struct synonyms s = { NULL, 0, hide };

		if (config_find(scope, pair.name) >= 0)
			continue;
		s = with_own(d, s, pair.name, pair.value, source);
		d->entry[d->count++] = (struct config_entry){
			.name = pair.name,
			.value = hide ? (struct str){ NULL, 0 } : pair.value,
			.synonym = s.item,
			.synonym_count = s.count,
			.source = source,
			.type = CONFIG_TYPE_UNKNOWN,
			.is_sensitive = hide,
		};
	}
}

/* ---- topics ---- */

static void describe_topic_key(struct describe *d, struct config_layer topic, int id)
{
	const struct config_key *key = &config_table(CONFIG_SCOPE_TOPIC).key[id];
	const struct config_topic_synonym *broker = config_topic_synonyms((enum topic_config_id)id);
	struct str given = config_layer_value(topic, str_of(key->name));
	struct synonyms s = { NULL, 0, false };
	struct config_value value;
	struct str why;

	config_topic_default(d->c, (enum topic_config_id)id, &d->arena, &value);
	if (key->flags & CONFIG_INTERNAL && !given.data)
		return;
	/* Ours is shown only where it is used: Kafka's tools know their own. */
	if (key->flags & CONFIG_OWN && !given.data && str_eq(value.text, str_of(key->default_text)))
		return;
	if (broker->id >= 0)
		s = synonyms_of(d, str_of(config_table(CONFIG_SCOPE_BROKER).key[broker->id].name),
		                false);
	if (given.data) {
		if (!config_parse(key, given, &d->arena, &value, &why))
			value.text = given;
		s = with_own(d, s, str_of(key->name), value.text, CONFIG_SOURCE_TOPIC);
	}
	add_entry(d, key, value.text, s, false);
}

struct config_entries config_describe_topic(const struct config *c, struct config_layer topic,
                                            struct arena *arena)
{
	struct describe d;

	describe_begin(&d, c, TOPIC_CONFIG_COUNT + topic.count);
	for (int id = 0; id < TOPIC_CONFIG_COUNT; id++)
		describe_topic_key(&d, topic, id);
	add_unknown(&d, CONFIG_SCOPE_TOPIC, topic, CONFIG_SOURCE_TOPIC, true);
	return describe_end(&d, arena);
}

/* ---- brokers ---- */

/* KafkaConfig.configType: of an unknown name nothing is told, it may be a secret. */
static const struct config_key *key_of(struct str name, struct arena *arena, bool *ret_exact)
{
	struct config_list names = config_broker_synonyms(name, true, arena);
	int id = config_find(CONFIG_SCOPE_BROKER, name);

	*ret_exact = id >= 0;
	for (uint32_t i = 0; id < 0 && i < names.count; i++)
		id = config_find(CONFIG_SCOPE_BROKER, names.item[i]);
	return id < 0 ? NULL : &config_table(CONFIG_SCOPE_BROKER).key[id];
}

/* Something that was given; it may have a name that only its listener knows. */
static void describe_given(struct describe *d, struct str name, struct str value, bool cluster)
{
	bool exact;
	const struct config_key *key = key_of(name, &d->arena, &exact);
	bool hide = !key || config_is_sensitive(key);
	struct synonyms s = synonyms_of(d, name, hide);
	uint32_t kept = 0;

	for (uint32_t i = 0; cluster && i < s.count; i++)
		if (s.item[i].source == CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER)
			s.item[kept++] = s.item[i];
	if (cluster)
		s.count = kept;
	d->entry[d->count++] = (struct config_entry){
		.name = name,
		.value = hide ? (struct str){ NULL, 0 } : value,
		.doc = exact && !(key->flags & CONFIG_QUOTA) ? str_of(key->doc)
		                                             : (struct str){ NULL, 0 },
		.synonym = s.item,
		.synonym_count = s.count,
		.source = s.count ? s.item[0].source : CONFIG_SOURCE_DEFAULT,
		.type = (int8_t)(key ? key->type : CONFIG_TYPE_UNKNOWN),
		.is_read_only = !config_is_dynamic(name),
		.is_sensitive = hide,
	};
}

struct config_entries config_describe_broker(const struct config *c, struct arena *arena)
{
	struct config_table table = config_table(CONFIG_SCOPE_BROKER);
	struct describe d;

	describe_begin(&d, c, table.count + c->given.count);
	for (uint32_t id = 0; id < table.count; id++) {
		const struct config_key *key = &table.key[id];

		if (key->flags & (CONFIG_INTERNAL | CONFIG_QUOTA | CONFIG_OWN))
			continue; /* only where given */
		add_entry(&d, key, c->value[id].text,
		          synonyms_of(&d, str_of(key->name), config_is_sensitive(key)),
		          key->update == CONFIG_UPDATE_READ_ONLY);
	}
	for (uint32_t i = 0; i < c->given.count; i++) {
		int id = config_find(CONFIG_SCOPE_BROKER, c->given.item[i].name);

		if (id < 0 || table.key[id].flags & (CONFIG_INTERNAL | CONFIG_QUOTA | CONFIG_OWN))
			describe_given(&d, c->given.item[i].name, c->given.item[i].value, false);
	}
	return describe_end(&d, arena);
}

struct config_entries config_describe_cluster(const struct config *c, struct arena *arena)
{
	struct describe d;

	describe_begin(&d, c, c->cluster.count);
	for (uint32_t i = 0; i < c->cluster.count; i++)
		describe_given(&d, c->cluster.pair[i].name, c->cluster.pair[i].value, true);
	return describe_end(&d, arena);
}

/* ---- groups, client metrics ---- */

static void describe_group_key(struct describe *d, struct config_layer group, int id)
{
	const struct config_key *key = &config_table(CONFIG_SCOPE_GROUP).key[id];
	int broker = config_group_synonym((enum group_config_id)id);
	struct str given = config_layer_value(group, str_of(key->name));
	struct synonyms s = { NULL, 0, false };
	struct config_value value;
	struct str why;

	config_group_default(d->c, (enum group_config_id)id, &d->arena, &value);
	if (broker >= 0)
		s = synonyms_of(d, str_of(config_table(CONFIG_SCOPE_BROKER).key[broker].name),
		                false);
	else
		s = with_own(d, s, str_of(key->name), str_of(key->default_text),
		             CONFIG_SOURCE_DEFAULT);
	if (given.data) {
		if (!config_parse(key, given, &d->arena, &value, &why))
			value.text = given;
		s = with_own(d, s, str_of(key->name), value.text, CONFIG_SOURCE_GROUP);
	}
	add_entry(d, key, value.text, s, false);
}

struct config_entries config_describe_group(const struct config *c, struct config_layer group,
                                            struct arena *arena)
{
	struct describe d;

	describe_begin(&d, c, GROUP_CONFIG_COUNT + group.count);
	for (int id = 0; id < GROUP_CONFIG_COUNT; id++)
		describe_group_key(&d, group, id);
	add_unknown(&d, CONFIG_SCOPE_GROUP, group, CONFIG_SOURCE_GROUP, true);
	return describe_end(&d, arena);
}

struct config_entries config_describe_client_metrics(struct config_layer layer, struct arena *arena)
{
	struct config_table table = config_table(CONFIG_SCOPE_CLIENT_METRICS);
	struct describe d;

	describe_begin(&d, NULL, table.count + layer.count);
	for (uint32_t id = 0; id < table.count; id++) {
		struct str name = str_of(table.key[id].name);
		struct str given = config_layer_value(layer, name);
		struct synonyms s = { NULL, 0, false };
		struct config_value value;
		struct str why;

		config_parse_default(&table.key[id], &d.arena, &value);
		if (given.data) {
			if (!config_parse(&table.key[id], given, &d.arena, &value, &why))
				value.text = given;
			s = with_own(&d, s, name, value.text, CONFIG_SOURCE_CLIENT_METRICS);
		}
		add_entry(&d, &table.key[id], value.text, s, false);
	}
	add_unknown(&d, CONFIG_SCOPE_CLIENT_METRICS, layer, CONFIG_SOURCE_CLIENT_METRICS, false);
	return describe_end(&d, arena);
}
