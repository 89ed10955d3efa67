/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "broker/properties.h"
#include "config_private.h"

/* Without a file: one node, on loopback, its data below the current directory. */
static const char single_node[] =
	"process.roles=broker,controller\n"
	"node.id=1\n"
	"listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
	"controller.listener.names=CONTROLLER\n"
	"controller.quorum.bootstrap.servers=127.0.0.1:9093\n"
	"log.dirs=./data\n"
	"offsets.topic.replication.factor=1\n"
	"transaction.state.log.replication.factor=1\n"
	"transaction.state.log.min.isr=1\n"
	"share.coordinator.state.topic.replication.factor=1\n"
	"share.coordinator.state.topic.min.isr=1\n";

/* ---- what there is to say ---- */

static void say(struct config_complaints *to, bool is_error, const char *key, struct str message)
{
	const struct config_given *given =
		key && to->c ? config_givens_find(&to->c->given, str_of(key)) : NULL;
	struct buf *text;

	if (is_error && !to->first.data && to->c)
		to->first = arena_str(&to->c->arena, message);
	if (!to->report)
		return;
	text = &to->report->text;
	if (is_error)
		to->report->errors++;
	else
		to->report->warnings++;
	buf_printf(text, "%s: ", is_error ? "error" : "warning");
	if (given && given->file && given->line)
		buf_printf(text, "%s:%u: ", given->file, given->line);
	else if (given && given->file)
		buf_printf(text, "%s: ", given->file);
	buf_add_str(text, message);
	buf_printf(text, "\n");
}

static struct str format_text(const char *format, va_list args)
{
	char *text = NULL;
	int size = vasprintf(&text, format, args);

	check(size >= 0);
	return (struct str){ text, (uint32_t)size };
}

void config_complain(struct config_complaints *to, const char *key, const char *format, ...)
{
	va_list args;
	struct str message;

	va_start(args, format);
	message = format_text(format, args);
	va_end(args);
	say(to, true, key, message);
	free((char *)message.data);
}

void config_warn(struct config_complaints *to, const char *key, const char *format, ...)
{
	va_list args;
	struct str message;

	va_start(args, format);
	message = format_text(format, args);
	va_end(args);
	say(to, false, key, message);
	free((char *)message.data);
}

/* ---- the fixed part ---- */

static void config_free(struct object *object)
{
	struct config *c = container_of(object, struct config, object);

	arena_fini(&c->arena);
	mem_free(c);
}

static struct config *config_new(void)
{
	struct config *c = mem_zalloc(sizeof(*c));

	object_init(&c->object, config_free);
	arena_init(&c->arena, SIZE_MAX / 2);
	return c;
}

static int compare_given(const void *a, const void *b)
{
	const struct config_given *x = a;
	const struct config_given *y = b;

	return str_cmp(x->name, y->name);
}

static struct config_given *find_unsorted(struct config_givens *g, struct str name)
{
	for (uint32_t i = 0; i < g->count; i++)
		if (str_eq(g->item[i].name, name))
			return &g->item[i];
	return NULL;
}

static void put_given(struct config *c, struct config_givens *to, struct config_given given)
{
	struct config_given *there = find_unsorted(to, given.name);

	given.name = arena_str(&c->arena, given.name);
	given.value = arena_str(&c->arena, given.value);
	if (!there)
		there = &to->item[to->count++];
	*there = given;
}

static void add_file(struct config *c, const struct properties *p, const char *file,
                     struct config_report *report)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct property *item = &p->item[i];
		const struct config_given *there = find_unsorted(&c->fixed, item->key);

		if (there && report) {
			report->warnings++;
			buf_printf(&report->text,
			           "warning: %s:%u: %.*s was given in line %u already; this line "
			           "counts\n",
			           file, item->line, STR_ARG(item->key), there->line);
		}
		put_given(c, &c->fixed,
		          (struct config_given){ item->key, item->value, file, item->line });
	}
}

static bool add_overrides(struct config *c, const struct config_input *in,
                          struct config_report *report)
{
	for (uint32_t i = 0; i < in->override_count; i++) {
		struct str text = in->override[i];
		const char *equal = text.size ? memchr(text.data, '=', text.size) : NULL;
		uint32_t size = equal ? (uint32_t)(equal - text.data) : 0;

		if (!size) {
			report->errors++;
			buf_printf(&report->text,
			           "error: --override %.*s: not of the form key=value\n",
			           STR_ARG(text));
			return false;
		}
		put_given(c, &c->fixed,
		          (struct config_given){
				  config_trim((struct str){ text.data, size }),
				  config_trim((struct str){ equal + 1, text.size - size - 1 }),
				  "--override", 0 });
	}
	return true;
}

/* AbstractKafkaConfig.populateSynonyms: broker.id and node.id stand for each other. */
static void add_id(struct config *c)
{
	const struct config_given *broker = find_unsorted(&c->fixed, STR("broker.id"));
	const struct config_given *node = find_unsorted(&c->fixed, STR("node.id"));
	struct config_given other;

	if (!broker == !node)
		return;
	other = broker ? *broker : *node;
	other.name = broker ? STR("node.id") : STR("broker.id");
	put_given(c, &c->fixed, other);
}

static bool load_fixed(struct config *c, const struct config_input *in,
                       struct config_report *report)
{
	struct span file = in->file.data ? in->file
	                                 : (struct span){ (const uint8_t *)single_node,
		                                          sizeof(single_node) - 1 };
	const char *given = in->file.data ? (in->file_name ? in->file_name : "server.properties")
	                                  : "(single node)";
	char *name = config_alloc(&c->arena, strlen(given) + 1, 1);
	struct properties p;
	uint32_t line = 0;
	int err = properties_parse(file, &p, &line);

	memcpy(name, given, strlen(given) + 1);
	if (err) {
		report->errors++;
		buf_printf(&report->text,
		           "error: %s:%u: a \\u is not followed by four hexadecimal digits (or by "
		           "0000)\n",
		           name, line);
		properties_fini(&p);
		return false;
	}
	c->fixed.item =
		config_alloc(&c->arena, p.count + in->override_count + 2, sizeof(*c->fixed.item));
	add_file(c, &p, in->file.data ? name : NULL, report);
	properties_fini(&p);
	if (!add_overrides(c, in, report))
		return false;
	add_id(c);
	qsort(c->fixed.item, c->fixed.count, sizeof(*c->fixed.item), compare_given);
	return true;
}

/* ---- names that nobody knows ---- */

static const char *topic_key_of(struct str name)
{
	int id = config_find(CONFIG_SCOPE_TOPIC, name);
	const struct config_topic_synonym *synonym =
		id < 0 ? NULL : config_topic_synonyms((enum topic_config_id)id);

	return synonym && synonym->id >= 0 ? config_table(CONFIG_SCOPE_BROKER).key[synonym->id].name
	                                   : NULL;
}

static void check_unknown(struct config_complaints *to, const struct config_given *given)
{
	char *name = str_dup(given->name);
	const char *near = topic_key_of(given->name);

	if (near) {
		config_warn(to, name, "%s is a topic's config; the broker's is %s", name, near);
	} else {
		near = config_nearest(CONFIG_SCOPE_BROKER, given->name);
		if (near)
			config_warn(to, name, "unknown key %s; did you mean %s?", name, near);
		else
			config_warn(to, name, "unknown key %s", name);
	}
	mem_free(name);
}

static void check_listener_key(struct config_complaints *to, const struct config_given *given)
{
	struct arena *arena = &to->c->arena;
	struct config_list names = config_broker_synonyms(given->name, true, arena);
	int id = config_find(CONFIG_SCOPE_BROKER, names.item[names.count - 1]);
	char *name = str_dup(given->name);
	struct config_value value;
	struct str why;

	if (id < 0)
		config_warn(to, name, "unknown key %s: no config ends so", name);
	else if (!config_parse(&config_table(CONFIG_SCOPE_BROKER).key[id], given->value, arena,
	                       &value, &why))
		config_complain(to, name, "%s: %.*s", name, STR_ARG(why));
	mem_free(name);
}

static void check_names(struct config_complaints *to)
{
	const struct config_givens *g = &to->c->given;

	for (uint32_t i = 0; i < g->count; i++) {
		int id = config_find(CONFIG_SCOPE_BROKER, g->item[i].name);

		if (id >= 0 && config_table(CONFIG_SCOPE_BROKER).key[id].flags & CONFIG_QUOTA &&
		    g->item[i].file)
			config_warn(to, config_table(CONFIG_SCOPE_BROKER).key[id].name,
			            "%s can only be set dynamically; here it has no effect",
			            config_table(CONFIG_SCOPE_BROKER).key[id].name);
		if (id >= 0)
			continue;
		if (config_listener_base(g->item[i].name).data)
			check_listener_key(to, &g->item[i]);
		else if (g->item[i].file)
			check_unknown(to, &g->item[i]);
	}
}

/* ---- values ---- */

static const char *required_hint(int id)
{
	switch (id) {
	case CONFIG_PROCESS_ROLES:
		return " A single node has process.roles=broker,controller.";
	case CONFIG_NODE_ID:
		return " Each node of a cluster has its own number, from 0.";
	default:
		return " It names those of listeners that are for controllers, such as CONTROLLER.";
	}
}

static void resolve_value(struct config_complaints *to, int id)
{
	struct config *c = to->c;
	const struct config_key *key = &config_table(CONFIG_SCOPE_BROKER).key[id];
	const struct config_given *given = config_givens_find(&c->given, str_of(key->name));
	struct buf allowed = { 0 };
	struct str why;

	if (given && config_parse(key, given->value, &c->arena, &c->value[id], &why)) {
		c->is_set[id] = true;
		return;
	}
	if (given && to->report) {
		config_allowed(key, &allowed);
		config_complain(to, key->name, "%.*s (%s: %.*s)", STR_ARG(why), key->name,
		                (int)allowed.size, (const char *)allowed.data);
		buf_fini(&allowed);
	} else if (given) {
		config_complain(to, key->name, "%.*s", STR_ARG(why));
	} else if (key->flags & CONFIG_REQUIRED) {
		config_complain(
			to, NULL,
			"Missing required configuration \"%s\" which has no default value.%s",
			key->name, to->report ? required_hint(id) : "");
	}
	config_parse_default(key, &c->arena, &c->value[id]);
}

void config_resolve(struct config_complaints *to)
{
	for (int id = 0; id < CONFIG_COUNT; id++)
		resolve_value(to, id);
	check_names(to);
	if (to->first.data)
		return; /* what rests on wrong values is not asked for */
	config_derive(to);
	if (!to->first.data)
		config_check_values(to);
}

/* ---- dynamic layers over the fixed part ---- */

static struct config_layer copy_layer(struct config *c, struct config_layer layer)
{
	struct config_pair *pair = config_alloc(&c->arena, layer.count, sizeof(*pair));

	for (uint32_t i = 0; i < layer.count; i++)
		pair[i] = (struct config_pair){ arena_str(&c->arena, layer.pair[i].name),
			                        arena_str(&c->arena, layer.pair[i].value) };
	return (struct config_layer){ pair, layer.count };
}

/* DynamicBrokerConfig.overrideProps: a key puts its synonyms out of force. */
static void override_with(struct config *c, struct config_layer layer)
{
	struct config_givens *g = &c->given;

	for (uint32_t i = 0; i < layer.count; i++) {
		struct config_list names =
			config_broker_synonyms(layer.pair[i].name, false, &c->arena);

		for (uint32_t j = 0; j < names.count; j++) {
			struct config_given *there = find_unsorted(g, names.item[j]);

			if (there)
				*there = g->item[--g->count];
		}
		put_given(
			c, g,
			(struct config_given){ layer.pair[i].name, layer.pair[i].value, NULL, 0 });
	}
}

struct config *config_assemble(const struct config *base, const struct config_dynamic *dynamic)
{
	struct config *c = config_new();
	uint32_t room = base->fixed.count + dynamic->broker.count + dynamic->cluster.count;

	c->fixed.item = config_alloc(&c->arena, base->fixed.count, sizeof(*c->fixed.item));
	c->given.item = config_alloc(&c->arena, room, sizeof(*c->given.item));
	for (uint32_t i = 0; i < base->fixed.count; i++) {
		struct config_given given = base->fixed.item[i];

		given.name = arena_str(&c->arena, given.name);
		given.value = arena_str(&c->arena, given.value);
		if (given.file)
			given.file = memcpy(config_alloc(&c->arena, strlen(given.file) + 1, 1),
			                    given.file, strlen(given.file) + 1);
		c->fixed.item[c->fixed.count++] = given;
		c->given.item[c->given.count++] = given;
	}
	c->broker = copy_layer(c, dynamic->broker);
	c->cluster = copy_layer(c, dynamic->cluster);
	override_with(c, c->cluster);
	override_with(c, c->broker);
	qsort(c->given.item, c->given.count, sizeof(*c->given.item), compare_given);
	return c;
}

struct config *config_load(const struct config_input *in, struct config_report *report)
{
	struct config *fixed = config_new();
	struct config *c = NULL;
	struct config_complaints to = { NULL, report, { NULL, 0 } };

	if (load_fixed(fixed, in, report)) {
		c = config_assemble(fixed, &(struct config_dynamic){ 0 });
		to.c = c;
		config_resolve(&to);
	}
	if (c && to.first.data) {
		config_put(c);
		c = NULL;
	}
	config_put(fixed);
	return c;
}

/* ---- config_update() ---- */

static const char *why_not_dynamic(const struct config_pair *pair, bool per_broker,
                                   struct arena *arena, struct str *ret_why)
{
	struct str base = config_listener_base(pair->name);
	int id = config_find(CONFIG_SCOPE_BROKER, base.data ? base : pair->name);
	const struct config_key *key = id < 0 ? NULL : &config_table(CONFIG_SCOPE_BROKER).key[id];
	struct config_value value;

	if (!base.data && key && key->update == CONFIG_UPDATE_READ_ONLY)
		return "it is not dynamic";
	if (!base.data && config_is_security(pair->name))
		return "it can only be set for a listener";
	if (!per_broker && config_is_per_broker(pair->name))
		return "it can only be set for one broker";
	if (key && key->update != CONFIG_UPDATE_READ_ONLY &&
	    !config_parse(key, pair->value, arena, &value, ret_why))
		return "";
	return NULL;
}

static struct config_layer filter(struct config_layer layer, bool per_broker, struct arena *arena,
                                  struct config_report *report)
{
	struct config_pair *kept = config_alloc(arena, layer.count, sizeof(*kept));
	uint32_t count = 0;

	for (uint32_t i = 0; i < layer.count; i++) {
		struct str why = { NULL, 0 };
		const char *reason = why_not_dynamic(&layer.pair[i], per_broker, arena, &why);

		if (!reason) {
			kept[count++] = layer.pair[i];
			continue;
		}
		report->warnings++;
		buf_printf(&report->text, "warning: dynamic config %.*s is left out: %s%.*s\n",
		           STR_ARG(layer.pair[i].name), reason, STR_ARG(why));
	}
	return (struct config_layer){ kept, count };
}

struct config *config_update(const struct config *base, const struct config_dynamic *dynamic,
                             struct config_report *report)
{
	struct config_report own = { 0 };
	struct config_dynamic good;
	struct config_complaints to = { 0 };
	struct arena arena;

	arena_init(&arena, SIZE_MAX / 2);
	good.broker = filter(dynamic->broker, true, &arena, report);
	good.cluster = filter(dynamic->cluster, false, &arena, report);
	to.c = config_assemble(base, &good);
	arena_fini(&arena);
	config_resolve(&to);
	config_report_fini(&own);
	if (!to.first.data)
		return to.c;
	report->warnings++;
	buf_printf(&report->text, "warning: the dynamic configs are left out: %.*s\n",
	           STR_ARG(to.first));
	config_put(to.c);
	return config_get(base);
}
