/* SPDX-License-Identifier: Apache-2.0 */
#include "config_private.h"

/* What roles, voters and listeners must be together (KafkaConfig.validateValues). */

struct counted {
	uint32_t controllers;
	uint32_t brokers; /* advertised */
	bool inter_broker;
};

static struct counted count_listeners(const struct config *c)
{
	struct counted n = { 0 };

	for (uint32_t i = 0; i < c->listeners.count; i++) {
		const struct listener_config *l = &c->listeners.listener[i];

		n.controllers += l->is_controller;
		n.brokers += !l->is_controller && l->is_advertised;
		n.inter_broker = n.inter_broker ||
		                 (l->is_inter_broker && !l->is_controller && l->is_advertised);
	}
	return n;
}

static bool is_voter(const struct config *c, int32_t id)
{
	for (uint32_t i = 0; i < c->voters.count; i++)
		if (c->voters.voter[i].id == id)
			return true;
	return false;
}

/* "Set(1, 2)", as Scala prints it. */
static struct str voter_ids(struct config_complaints *to)
{
	struct str text = STR("Set(");

	for (uint32_t i = 0; i < to->c->voters.count; i++)
		text = arena_printf(&to->c->arena, "%.*s%s%d", STR_ARG(text), i ? ", " : "",
		                    to->c->voters.voter[i].id);
	return arena_printf(&to->c->arena, "%.*s)", STR_ARG(text));
}

/* Names of listeners between commas. */
static struct str names_of(struct config_complaints *to, const struct config_listeners *l,
                           bool brokers)
{
	struct str *name = config_alloc(&to->c->arena, l->count, sizeof(*name));
	const struct config_value *not = &to->c->value[CONFIG_CONTROLLER_LISTENER_NAMES];
	uint32_t count = 0;

	for (uint32_t i = 0; i < l->count; i++)
		if (!brokers || !config_value_has(not, l->listener[i].name))
			name[count++] = l->listener[i].name;
	return config_join((struct config_list){ name, count }, ",", &to->c->arena);
}

static void check_controller_only(struct config_complaints *to, const struct counted *n)
{
	const struct config *c = to->c;

	config_require(to, n->controllers == c->listeners.count, "listeners",
	               "The listeners config must only contain KRaft controller listeners from "
	               "controller.listener.names when process.roles=controller");
	config_require(to,
	               config_is_null(c, CONFIG_INTER_BROKER_LISTENER_NAME) ||
	                       !config_value_has(&c->value[CONFIG_CONTROLLER_LISTENER_NAMES],
	                                         c->inter_broker),
	               "inter.broker.listener.name",
	               "controller.listener.names must not contain an explicitly set "
	               "inter.broker.listener.name configuration value when "
	               "process.roles=controller'");
}

static void check_controller(struct config_complaints *to, const struct counted *n)
{
	const struct config *c = to->c;
	struct config_list names = config_items(c, CONFIG_CONTROLLER_LISTENER_NAMES);
	int32_t id = config_int(c, CONFIG_NODE_ID);

	if (!c->is_broker)
		check_controller_only(to, n);
	config_require(to, !c->voters.count || is_voter(c, id), "controller.quorum.voters",
	               "If process.roles contains the 'controller' role, the node id %d must be "
	               "included in the set of voters controller.quorum.voters=%.*s",
	               id, STR_ARG(voter_ids(to)));
	config_require(to, n->controllers, "controller.listener.names",
	               "controller.listener.names must contain at least one value appearing in the "
	               "'listeners' configuration when running the KRaft controller role");
	for (uint32_t i = 0; i < names.count && n->controllers; i++) {
		bool found = false;

		for (uint32_t j = 0; j < c->listeners.count; j++)
			found = found || str_eq(names.item[i], c->listeners.listener[j].name);
		config_require(
			to, found, "controller.listener.names",
			"controller.listener.names must only contain values appearing in the "
			"'listeners' configuration when running the KRaft controller role");
	}
}

static void check_broker_only(struct config_complaints *to, const struct counted *n)
{
	const struct config *c = to->c;
	struct config_list names = config_items(c, CONFIG_CONTROLLER_LISTENER_NAMES);
	int32_t id = config_int(c, CONFIG_NODE_ID);

	config_require(to, !is_voter(c, id), "controller.quorum.voters",
	               "If process.roles contains just the 'broker' role, the node id %d must not "
	               "be included in the set of voters controller.quorum.voters=%.*s",
	               id, STR_ARG(voter_ids(to)));
	config_require(to, !n->controllers, "controller.listener.names",
	               "controller.listener.names must not contain a value appearing in the "
	               "'listeners' configuration when running KRaft with just the broker role");
	for (uint32_t i = 0; i < names.count; i++) {
		struct str name = config_upper(names.item[i], &to->c->arena);
		bool found = false;

		for (uint32_t j = 0; j < c->listener_map.count; j++)
			found = found || str_eq(c->listener_map.item[j], name);
		if (!found)
			config_complain(
				to, "controller.listener.names",
				"Controller listener with name %.*s defined in "
				"controller.listener.names not found in "
				"listener.security.protocol.map  (an explicit security mapping "
				"for each controller listener is required if "
				"listener.security.protocol.map is non-empty, or if there are "
				"security protocols other than PLAINTEXT in use)",
				STR_ARG(name));
	}
	config_require(to, !config_bool(c, CONFIG_CONTROLLER_QUORUM_AUTO_JOIN_ENABLE),
	               "controller.quorum.auto.join.enable",
	               "controller.quorum.auto.join.enable is only supported when process.roles "
	               "contains the 'controller' role.");
}

/* The mechanism between brokers must be one that their listener takes. */
static void check_sasl(struct config_complaints *to)
{
	const struct config *c = to->c;
	struct str mechanism = config_str(c, CONFIG_SASL_MECHANISM_INTER_BROKER_PROTOCOL);

	for (uint32_t i = 0; i < c->listeners.count; i++) {
		const struct listener_config *l = &c->listeners.listener[i];
		struct str text;
		const struct str *item;
		uint32_t count;
		bool found = false;

		if (!l->is_inter_broker ||
		    (l->protocol != SECURITY_SASL_PLAINTEXT && l->protocol != SECURITY_SASL_SSL))
			continue;
		text = config_listener_str(c, l->name, (struct str){ NULL, 0 },
		                           CONFIG_SASL_ENABLED_MECHANISMS);
		item = config_split(text, &to->c->arena, &count);
		for (uint32_t j = 0; j < count; j++)
			found = found || str_eq(item[j], mechanism);
		config_require(
			to, found, "sasl.mechanism.inter.broker.protocol",
			"sasl.mechanism.inter.broker.protocol must be included in "
			"sasl.enabled.mechanisms when SASL is used for inter-broker communication");
	}
}

static void check_cordoned(struct config_complaints *to)
{
	struct config *c = to->c;
	const struct config_value *dirs = &c->value[CONFIG_CORDONED_LOG_DIRS];
	struct str *missing = config_alloc(&c->arena, dirs->item_count, sizeof(*missing));
	uint32_t count = 0;

	if (config_value_has(dirs, STR("*"))) {
		config_require(to, dirs->item_count == 1, "cordoned.log.dirs",
		               "When cordoned.log.dirs is set to *, it must not contain other "
		               "values");
		return;
	}
	for (uint32_t i = 0; i < dirs->item_count; i++) {
		uint32_t j = 0;

		while (j < c->log_dirs.count && !str_eq(dirs->item[i], c->log_dirs.item[j]))
			j++;
		if (j == c->log_dirs.count)
			missing[count++] = dirs->item[i];
	}
	config_require(
		to, !count, "cordoned.log.dirs",
		"All entries in cordoned.log.dirs must be present in log.dirs or log.dir. "
		"Missing entries : %.*s",
		STR_ARG(config_join((struct config_list){ missing, count }, ", ", &c->arena)));
}

static void check_early(struct config_complaints *to)
{
	struct config *c = to->c;
	struct config_list early = config_items(c, CONFIG_EARLY_START_LISTENERS);

	for (uint32_t i = 0; i < early.count; i++) {
		bool found = false;

		for (uint32_t j = 0; j < c->listeners.count; j++)
			found = found || str_eq(early.item[i], c->listeners.listener[j].name);
		if (!found)
			config_complain(to, "early.start.listeners",
			                "early.start.listeners contains listener %.*s, but this is "
			                "not contained in listeners or controller.listener.names",
			                STR_ARG(early.item[i]));
	}
}

/* Do clients hear of an address that is none?  0.0.0.0 is for listening. */
static bool is_nowhere(const struct config *c)
{
	for (uint32_t i = 0; i < c->listeners.count; i++)
		if (c->listeners.listener[i].is_advertised &&
		    str_eq(c->listeners.listener[i].advertised_host, STR("0.0.0.0")))
			return true;
	for (uint32_t i = 0; i < c->advertised.count; i++)
		if (str_eq(c->advertised.listener[i].host, STR("0.0.0.0")))
			return true;
	return false;
}

static bool is_listened(const struct config *c)
{
	for (uint32_t i = 0; i < c->advertised.count; i++) {
		const struct listener_config *a = &c->advertised.listener[i];
		bool found = config_value_has(&c->value[CONFIG_CONTROLLER_LISTENER_NAMES], a->name);

		for (uint32_t j = 0; j < c->listeners.count; j++)
			found = found || str_eq(a->name, c->listeners.listener[j].name);
		if (!found)
			return false;
	}
	return true;
}

static void check_broker(struct config_complaints *to, const struct counted *n)
{
	const struct config *c = to->c;
	bool given = c->advertised.count;
	struct str advertised = names_of(to, given ? &c->advertised : &c->listeners, true);

	config_require(to, advertised.size, given ? "advertised.listeners" : "listeners",
	               "There must be at least one broker advertised listener. Perhaps all "
	               "listeners appear in controller.listener.names?");
	config_require(to, !advertised.size || n->inter_broker, "inter.broker.listener.name",
	               "inter.broker.listener.name must be a listener name defined in "
	               "advertised.listeners. The valid options based on currently configured "
	               "listeners are %.*s",
	               STR_ARG(advertised));
	config_require(to, is_listened(c), "advertised.listeners",
	               "advertised.listeners listener names must be equal to or a subset of the "
	               "ones defined in listeners. Found %.*s. The valid options based on the "
	               "current configuration are %.*s",
	               STR_ARG(advertised), STR_ARG(names_of(to, &c->listeners, false)));
	check_cordoned(to);
}

void config_check_roles(struct config_complaints *to)
{
	const struct config *c = to->c;
	struct counted n = count_listeners(c);

	check_early(to);
	if (!c->voters.count && !c->bootstrap_servers.count)
		config_complain(
			to, "process.roles",
			"If using process.roles, either controller.quorum.bootstrap.servers must "
			"contain the set of bootstrap controllers or controller.quorum.voters "
			"must contain a parseable set of controllers.");
	if (c->is_controller)
		check_controller(to, &n);
	else
		check_broker_only(to, &n);
	if (c->is_broker)
		check_broker(to, &n);
	config_require(to, !is_nowhere(c),
	               c->advertised.count ? "advertised.listeners" : "listeners",
	               "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use "
	               "a routable IP address.");
	check_sasl(to);
}

/* ---- what is not there yet: better no broker than one that does something else ---- */

void config_check_supported(struct config_complaints *to)
{
	const struct config *c = to->c;

	if (!c->is_broker || !c->is_controller || c->voters.count > 1 ||
	    c->bootstrap_servers.count > 1)
		config_complain(to,
		                c->voters.count > 1 ? "controller.quorum.voters"
		                : c->bootstrap_servers.count > 1
		                        ? "controller.quorum.bootstrap.servers"
		                        : "process.roles",
		                "sluice is a single node so far: process.roles=broker,controller "
		                "and itself as the one controller");
	for (uint32_t i = 0; i < c->listeners.count; i++)
		if (c->listeners.listener[i].protocol != SECURITY_PLAINTEXT)
			config_complain(to, "listeners",
			                "the listener %.*s has TLS or SASL, which sluice does not "
			                "have yet: only PLAINTEXT",
			                STR_ARG(c->listeners.listener[i].name));
	if (config_str(c, CONFIG_AUTHORIZER_CLASS_NAME).size)
		config_complain(to, "authorizer.class.name",
		                "authorizer.class.name: sluice has no authorizer yet, and without "
		                "one everybody may do everything; remove the key to accept that");
	if (config_bool(c, CONFIG_REMOTE_LOG_STORAGE_SYSTEM_ENABLE))
		config_complain(to, "remote.log.storage.system.enable",
		                "remote.log.storage.system.enable: sluice has no remote storage");
}
