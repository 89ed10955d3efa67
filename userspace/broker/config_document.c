/* SPDX-License-Identifier: Apache-2.0 */
#include "config_private.h"

/* docs/config.md, and what `sluiced --check-config` says. */

static const char *update_text(const struct config_key *key)
{
	switch (key->update) {
	case CONFIG_UPDATE_PER_BROKER:
		return ", per broker at run time";
	case CONFIG_UPDATE_CLUSTER:
		return ", at run time";
	default:
		return "";
	}
}

/* In a table's cell. */
static void add_cell(struct buf *out, struct str s)
{
	for (uint32_t i = 0; i < s.size; i++) {
		if (s.data[i] == '|')
			buf_add(out, "\\", 1);
		buf_add(out, &s.data[i], 1);
	}
}

static void document_key(struct buf *out, const struct config_key *key, bool broker)
{
	struct buf allowed = { 0 };

	config_allowed(key, &allowed);
	buf_printf(out, "| `%s` | ", key->name);
	if (key->flags & CONFIG_REQUIRED)
		buf_printf(out, "(required)");
	else if (!key->default_text)
		buf_printf(out, "(none)");
	else if (!*key->default_text)
		buf_printf(out, "(empty)");
	else
		buf_printf(out, "`%s`", key->default_text);
	buf_printf(out, " | ");
	add_cell(out, (struct str){ (const char *)allowed.data, (uint32_t)allowed.size });
	buf_printf(out, "%s | ", broker ? update_text(key) : "");
	add_cell(out, str_of(key->doc));
	buf_printf(out, "%s |\n", key->flags & CONFIG_HONOURED ? "" : " *(no effect)*");
	buf_fini(&allowed);
}

static void document_table(struct buf *out, enum config_scope scope, uint8_t with, uint8_t without)
{
	struct config_table table = config_table(scope);

	buf_printf(out, "| Name | Default | Value | What it does |\n| --- | --- | --- | --- |\n");
	for (uint32_t i = 0; i < table.count; i++) {
		const struct config_key *key = &table.key[i];

		if ((key->flags & with) == with && !(key->flags & without))
			document_key(out, key, scope == CONFIG_SCOPE_BROKER);
	}
	buf_printf(out, "\n");
}

void config_document(struct buf *out)
{
	buf_printf(out,
	           "# Configuration\n\n"
	           "This page is made from the table in the source: `build/sluiced "
	           "--document-config > docs/config.md`.\n\n"
	           "`sluiced` reads a `server.properties` with the names, types and defaults of "
	           "Kafka 4.3, and `--override key=value` after it.  `sluiced --check-config` says "
	           "what is wrong with a file and what has no effect.  With no file it is one node "
	           "on 127.0.0.1:9092 with its data in `./data`.\n\n"
	           "*(no effect)*: the name is accepted and shown to clients, so that files and "
	           "tools for Kafka go on working, but nothing here follows it.  \"At run time\": "
	           "`kafka-configs --alter` changes it.  `listener.name.NAME.KEY` sets a key for "
	           "one listener only.\n\n");
	buf_printf(out, "## Only here\n\n");
	document_table(out, CONFIG_SCOPE_BROKER, CONFIG_OWN, 0);
	buf_printf(out, "## Broker\n\n");
	document_table(out, CONFIG_SCOPE_BROKER, 0, CONFIG_OWN | CONFIG_INTERNAL);
	buf_printf(out, "## Broker, internal\n\n"
	                "Kafka keeps these for its own tests.\n\n");
	document_table(out, CONFIG_SCOPE_BROKER, CONFIG_INTERNAL, 0);
	buf_printf(out, "## Topic\n\n"
	                "What a topic does not set it has from the broker.\n\n");
	document_table(out, CONFIG_SCOPE_TOPIC, 0, CONFIG_INTERNAL);
	buf_printf(out, "## Group\n\n");
	document_table(out, CONFIG_SCOPE_GROUP, 0, 0);
	buf_printf(out, "## Client metrics\n\n");
	document_table(out, CONFIG_SCOPE_CLIENT_METRICS, 0, 0);
	out->size--; /* one empty line too many */
}

/* ---- --check-config ---- */

static void say_listeners(const struct config *c, struct buf *out)
{
	static const char *const protocol[] = { "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL" };

	for (uint32_t i = 0; i < c->listeners.count; i++) {
		const struct listener_config *l = &c->listeners.listener[i];

		buf_printf(out, "listener: %.*s (%s) on %.*s:%u", STR_ARG(l->name),
		           protocol[l->protocol], STR_ARG(l->host.size ? l->host : STR("*")),
		           l->port);
		if (l->is_controller)
			buf_printf(out, ", for controllers\n");
		else if (!l->is_advertised)
			buf_printf(out, ", not advertised\n");
		else
			buf_printf(out, ", advertised as %.*s:%u\n",
			           STR_ARG(l->advertised_host.size ? l->advertised_host
			                                           : STR("(this machine's name)")),
			           l->advertised_port);
	}
}

static void say_values(const struct config *c, struct buf *out)
{
	struct config_table table = config_table(CONFIG_SCOPE_BROKER);

	for (uint32_t id = 0; id < table.count; id++) {
		const struct config_key *key = &table.key[id];
		const struct config_given *given = config_givens_find(&c->given, str_of(key->name));

		if (!given || given->is_copy)
			continue;
		buf_printf(out, "%s=%.*s%s\n", key->name,
		           STR_ARG(config_is_sensitive(key) ? STR("[hidden]") : c->value[id].text),
		           key->flags & CONFIG_HONOURED ? "" : " (no effect here)");
	}
}

static void say_count(struct buf *out, uint32_t count, const char *what)
{
	buf_printf(out, "%u %s%s", count, what, count == 1 ? "" : "s");
}

bool config_check(const struct config_input *in, struct buf *out)
{
	struct config_report report = { 0 };
	struct config *c = config_load(in, &report);

	buf_add(out, report.text.data, report.text.size);
	if (c) {
		say_values(c, out);
		for (uint32_t i = 0; i < c->log_dirs.count; i++)
			buf_printf(out, "log directory: %.*s\n", STR_ARG(c->log_dirs.item[i]));
		say_listeners(c, out);
		buf_printf(out, "The configuration is good");
	} else {
		buf_printf(out, "The broker would not start: ");
		say_count(out, report.errors, "error");
	}
	if (report.warnings) {
		buf_printf(out, c ? ": " : ", ");
		say_count(out, report.warnings, "warning");
	}
	buf_printf(out, ".\n");
	config_report_fini(&report);
	config_put(c);
	return c;
}
