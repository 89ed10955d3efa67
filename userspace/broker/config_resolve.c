/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config_private.h"

/* From what is given to values, and what there is to say about it. */

/* ---- what there is to say ---- */

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* Is this key spoken of, as a whole word? */
static bool is_named(struct str message, struct str name)
{
	const char *end = message.data + message.size;
	const char *at = message.data;

	while ((at = memmem(at, (size_t)(end - at), name.data, name.size))) {
		const char *after = at + name.size;

		if ((at == message.data || !is_name_char(at[-1])) &&
		    (after == end || !is_name_char(*after)))
			return true;
		at++;
	}
	return false;
}

/* Where the file says it: the key itself, what stands for it, or another key of the message. */
static const struct config_given *find_place(const struct config_complaints *to, const char *key,
                                             struct str message)
{
	struct config *c = to->c;
	const struct config_given *given;
	struct config_list names;

	if (!key || !c)
		return NULL;
	names = config_broker_synonyms(str_of(key), true, &c->arena);
	given = config_givens_find(&c->given, str_of(key));
	for (uint32_t i = 0; !given && i < names.count; i++)
		given = config_givens_find(&c->given, names.item[i]);
	for (uint32_t i = 0; !given && i < c->given.count; i++)
		if (c->given.item[i].name.size && is_named(message, c->given.item[i].name))
			given = &c->given.item[i];
	return given;
}

static void say(struct config_complaints *to, bool is_error, const char *key, struct str message)
{
	const struct config_given *given;
	struct buf *text;

	if (is_error && !to->first.data)
		to->first = arena_str(&to->c->arena, message);
	if (!to->report)
		return;
	given = find_place(to, key, message);
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
	else if (to->c->file && is_error)
		buf_printf(text, "%s: ", to->c->file);
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
		else if (g->item[i].file && to->report)
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

/* node.id and broker.id are one value: the one that the file has is complained of. */
static bool is_wrong_twice(struct config *c, const struct config_given *given, int id)
{
	int other = id == CONFIG_NODE_ID ? CONFIG_BROKER_ID : CONFIG_NODE_ID;
	struct config_value value;
	struct str why;

	return given->is_copy && !config_parse(&config_table(CONFIG_SCOPE_BROKER).key[other],
	                                       given->value, &c->arena, &value, &why);
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
	if (given && is_wrong_twice(c, given, id)) {
		/* Said of the other. */
	} else if (given && to->report) {
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
