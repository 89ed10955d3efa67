/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
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

/* At the end; the texts are copied. */
static void append_given(struct config *c, struct config_givens *to, struct config_given given)
{
	given.name = arena_str(&c->arena, given.name);
	given.value = arena_str(&c->arena, given.value);
	given.order = to->count;
	to->item[to->count++] = given;
}

static int compare_given(const void *a, const void *b)
{
	const struct config_given *x = a;
	const struct config_given *y = b;
	int order = str_cmp(x->name, y->name);

	return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* By name, and of each name the last; a name twice in one file is most likely a mistake. */
static void settle_givens(struct config_givens *g, struct config_report *report)
{
	uint32_t kept = 0;

	qsort(g->item, g->count, sizeof(*g->item), compare_given);
	for (uint32_t i = 0; i < g->count; i++) {
		const struct config_given *now = &g->item[i];
		const struct config_given *before = kept ? &g->item[kept - 1] : NULL;

		if (!before || !str_eq(before->name, now->name)) {
			g->item[kept++] = *now;
			continue;
		}
		if (before->line && now->line) {
			report->warnings++;
			buf_printf(&report->text,
			           "warning: %s:%u: %.*s was given in line %u already; this line "
			           "counts\n",
			           now->file, now->line, STR_ARG(now->name), before->line);
		}
		g->item[kept - 1] = *now;
	}
	g->count = kept;
}

static bool add_overrides(struct config *c, const struct config_input *in,
                          struct config_report *report)
{
	for (uint32_t i = 0; i < in->override_count; i++) {
		struct str text = in->override[i];
		const char *equal = text.size ? memchr(text.data, '=', text.size) : NULL;
		uint32_t size = equal ? (uint32_t)(equal - text.data) : 0;
		struct str name = config_trim((struct str){ text.data, size });

		if (!name.size) {
			report->errors++;
			buf_printf(&report->text,
			           "error: --override %.*s: not of the form key=value\n",
			           STR_ARG(text));
			return false;
		}
		append_given(c, &c->fixed,
		             (struct config_given){
				     .name = name,
				     .value = config_trim(
					     (struct str){ equal + 1, text.size - size - 1 }),
				     .file = "--override",
			     });
	}
	return true;
}

/* AbstractKafkaConfig.populateSynonyms: broker.id and node.id stand for each other. */
static void add_id(struct config *c)
{
	const struct config_given *broker = config_givens_find(&c->fixed, STR("broker.id"));
	const struct config_given *node = config_givens_find(&c->fixed, STR("node.id"));
	struct config_given other;

	if (!broker == !node)
		return;
	other = broker ? *broker : *node;
	other.name = broker ? STR("node.id") : STR("broker.id");
	other.is_copy = true;
	append_given(c, &c->fixed, other);
	qsort(c->fixed.item, c->fixed.count, sizeof(*c->fixed.item), compare_given);
}

/* The properties of the file, or of the single node.  False: complained. */
static bool add_file(struct config *c, const struct config_input *in, struct config_report *report)
{
	struct span file = in->file.data ? in->file
	                                 : (struct span){ (const uint8_t *)single_node,
		                                          sizeof(single_node) - 1 };
	struct properties p;
	uint32_t line = 0;
	int err = properties_parse(file, &p, &line);

	if (err) {
		report->errors++;
		if (err == -EFBIG)
			buf_printf(&report->text, "error: %s: larger than %d bytes\n", c->file,
			           PROPERTIES_BYTES_MAX);
		else
			buf_printf(&report->text,
			           "error: %s:%u: a \\u is not followed by four hexadecimal "
			           "digits (or by 0000)\n",
			           c->file, line);
		properties_fini(&p);
		return false;
	}
	c->fixed.item =
		config_alloc(&c->arena, p.count + in->override_count + 1, sizeof(*c->fixed.item));
	for (size_t i = 0; i < p.count; i++)
		append_given(c, &c->fixed,
		             (struct config_given){ .name = p.item[i].key,
		                                    .value = p.item[i].value,
		                                    .file = in->file.data ? c->file : NULL,
		                                    .line = p.item[i].line });
	properties_fini(&p);
	return true;
}

static const char *copy_file_name(struct config *c, const char *name)
{
	size_t size = name ? strlen(name) + 1 : 0;

	return name ? memcpy(config_alloc(&c->arena, size, 1), name, size) : NULL;
}

static bool load_fixed(struct config *c, const struct config_input *in,
                       struct config_report *report)
{
	if (in->file.data)
		c->file = copy_file_name(c, in->file_name ? in->file_name : "server.properties");
	if (!add_file(c, in, report) || !add_overrides(c, in, report))
		return false;
	settle_givens(&c->fixed, report);
	add_id(c);
	return true;
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

static struct config_given *find_mapped(const struct map *map, struct str name)
{
	for (struct map_node *n = map_first(map, hash_str(name)); n; n = map_next(n)) {
		struct config_given *given = container_of(n, struct config_given, node);

		if (str_eq(given->name, name))
			return given;
	}
	return NULL;
}

/* DynamicBrokerConfig.overrideProps: a key puts its synonyms out of force. */
static void override_with(struct config *c, struct map *map, struct config_layer layer)
{
	struct config_givens *g = &c->given;

	for (uint32_t i = 0; i < layer.count; i++) {
		struct config_list names =
			config_broker_synonyms(layer.pair[i].name, false, &c->arena);

		for (uint32_t j = 0; j < names.count; j++) {
			struct config_given *there = find_mapped(map, names.item[j]);

			if (!there)
				continue;
			map_remove(map, &there->node);
			there->is_dead = true;
		}
		append_given(c, g,
		             (struct config_given){ .name = layer.pair[i].name,
		                                    .value = layer.pair[i].value });
		map_insert(map, &g->item[g->count - 1].node, hash_str(layer.pair[i].name));
	}
}

/* c->given: what is fixed, with the layers over it. */
static void merge_layers(struct config *c)
{
	struct config_givens *g = &c->given;
	struct map map = { 0 };
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->fixed.count; i++) {
		g->item[g->count] = c->fixed.item[i];
		map_insert(&map, &g->item[g->count].node, hash_str(g->item[g->count].name));
		g->count++;
	}
	override_with(c, &map, c->cluster);
	override_with(c, &map, c->broker);
	map_fini(&map);
	for (uint32_t i = 0; i < g->count; i++)
		if (!g->item[i].is_dead)
			g->item[kept++] = g->item[i];
	g->count = kept;
	qsort(g->item, g->count, sizeof(*g->item), compare_given);
}

struct config *config_assemble(const struct config *base, const struct config_dynamic *dynamic)
{
	struct config *c = config_new();
	uint32_t room = base->fixed.count + dynamic->broker.count + dynamic->cluster.count;

	c->file = copy_file_name(c, base->file);
	c->fixed.item = config_alloc(&c->arena, base->fixed.count, sizeof(*c->fixed.item));
	c->given.item = config_alloc(&c->arena, room, sizeof(*c->given.item));
	for (uint32_t i = 0; i < base->fixed.count; i++) {
		struct config_given given = base->fixed.item[i];

		given.file = given.line ? c->file : given.file;
		append_given(c, &c->fixed, given);
	}
	c->broker = copy_layer(c, dynamic->broker);
	c->cluster = copy_layer(c, dynamic->cluster);
	merge_layers(c);
	return c;
}

struct config *config_load(const struct config_input *in, struct config_report *report)
{
	struct config *fixed = config_new();
	struct config *c = NULL;
	struct config_complaints to = { .report = report };

	if (load_fixed(fixed, in, report)) {
		c = config_assemble(fixed, &(struct config_dynamic){ 0 });
		to.c = c;
		config_resolve(&to);
		if (!to.first.data)
			config_check_supported(&to);
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

struct config_layer config_filter(struct config_layer layer, bool per_broker, struct arena *arena,
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
		if (!report)
			continue;
		report->warnings++;
		buf_printf(&report->text, "warning: dynamic config %.*s is left out: %s%.*s\n",
		           STR_ARG(layer.pair[i].name), reason, STR_ARG(why));
	}
	return (struct config_layer){ kept, count };
}

/* GroupCoordinatorConfig.clampDynamicConfigs: these stay within bounds that may have changed. */
static void clamp(struct config *c, const struct config *base, struct config_report *report)
{
	static const struct {
		uint16_t value;
		uint16_t low;
		uint16_t high;
	} bounds[] = {
		{ CONFIG_GROUP_CONSUMER_ASSIGNMENT_INTERVAL_MS,
		  CONFIG_GROUP_CONSUMER_MIN_ASSIGNMENT_INTERVAL_MS,
		  CONFIG_GROUP_CONSUMER_MAX_ASSIGNMENT_INTERVAL_MS },
		{ CONFIG_GROUP_SHARE_ASSIGNMENT_INTERVAL_MS,
		  CONFIG_GROUP_SHARE_MIN_ASSIGNMENT_INTERVAL_MS,
		  CONFIG_GROUP_SHARE_MAX_ASSIGNMENT_INTERVAL_MS },
		{ CONFIG_GROUP_STREAMS_ASSIGNMENT_INTERVAL_MS,
		  CONFIG_GROUP_STREAMS_MIN_ASSIGNMENT_INTERVAL_MS,
		  CONFIG_GROUP_STREAMS_MAX_ASSIGNMENT_INTERVAL_MS },
	};

	for (size_t i = 0; i < array_count(bounds); i++) {
		struct str name =
			str_of(config_table(CONFIG_SCOPE_BROKER).key[bounds[i].value].name);
		struct config_given *given =
			(struct config_given *)config_givens_find(&c->given, name); /* c is ours */
		int32_t low = config_int(base, bounds[i].low);
		int32_t high = config_int(base, bounds[i].high);
		int64_t value;

		if (!given || !config_parse_long(config_trim(given->value), &value) ||
		    (value >= low && value <= high))
			continue;
		given->value = arena_printf(&c->arena, "%d", value < low ? low : high);
		report->warnings++;
		buf_printf(&report->text, "warning: dynamic config %.*s=%lld is taken for %.*s\n",
		           STR_ARG(name), (long long)value, STR_ARG(given->value));
	}
}

struct config *config_update(const struct config *base, const struct config_dynamic *dynamic,
                             struct config_report *report)
{
	struct config_dynamic good;
	struct config_complaints to = { 0 };
	struct arena arena;

	arena_init(&arena, SIZE_MAX / 2);
	good.broker = config_filter(dynamic->broker, true, &arena, report);
	good.cluster = config_filter(dynamic->cluster, false, &arena, report);
	to.c = config_assemble(base, &good);
	arena_fini(&arena);
	clamp(to.c, base, report);
	config_resolve(&to);
	if (!to.first.data)
		return to.c;
	report->warnings++;
	buf_printf(&report->text, "warning: the dynamic configs are left out: %.*s\n",
	           STR_ARG(to.first));
	config_put(to.c);
	return config_get(base);
}
