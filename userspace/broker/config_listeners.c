/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "config_private.h"

/* What listeners, voters and directories are made of (SocketServerConfigs, QuorumConfig). */

static const char *const protocol_name[] = { "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL" };

static int find_protocol(struct str name)
{
	for (size_t i = 0; i < array_count(protocol_name); i++)
		if (config_str_eq_nocase(name, str_of(protocol_name[i])))
			return (int)i;
	return -1;
}

/* ---- host:port ---- */

static bool is_host(struct str s)
{
	for (uint32_t i = 0; i < s.size; i++) {
		char c = s.data[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c && strchr("-%._:", c))))
			return false;
	}
	return true;
}

static bool split_host(struct str s, struct str *ret_host, uint16_t *ret_port)
{
	const char *colon = s.size ? memrchr(s.data, ':', s.size) : NULL;
	struct str host;
	int64_t port;

	if (!colon)
		return false;
	host = (struct str){ s.data, (uint32_t)(colon - s.data) };
	if (!config_parse_long((struct str){ colon + 1, s.size - host.size - 1 }, &port) ||
	    port < 0 || port > UINT16_MAX || colon[1] == '+')
		return false;
	if (host.size && host.data[0] == '[') {
		host.data++;
		host.size--;
	}
	if (host.size && host.data[host.size - 1] == ']')
		host.size--;
	*ret_host = host;
	*ret_port = (uint16_t)port;
	return is_host(host);
}

/* ---- listener.security.protocol.map ---- */

struct protocol_map {
	struct str *name; /* in capitals */
	enum security_protocol *protocol;
	uint32_t count;
};

static int map_find(const struct protocol_map *m, struct str name)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (str_eq(m->name[i], name))
			return (int)m->protocol[i];
	return -1;
}

static bool is_secure(struct str name)
{
	return str_eq(name, STR("SSL")) || str_eq(name, STR("SASL_SSL")) ||
	       str_eq(name, STR("SASL_PLAINTEXT"));
}

/* A controller's listener is PLAINTEXT by itself where nothing at all is secure. */
static bool is_plain_everywhere(const struct config *c)
{
	struct config_list names = config_items(c, CONFIG_CONTROLLER_LISTENER_NAMES);
	struct config_list listeners = config_items(c, CONFIG_LISTENERS);

	for (uint32_t i = 0; i < names.count; i++)
		if (is_secure(names.item[i]))
			return false;
	for (uint32_t i = 0; i < listeners.count; i++) {
		struct str s = listeners.item[i];
		const char *colon = memchr(s.data, ':', s.size);

		if (colon)
			s.size = (uint32_t)(colon - s.data);
		if (config_str_eq_nocase(s, STR("SSL")) ||
		    config_str_eq_nocase(s, STR("SASL_SSL")) ||
		    config_str_eq_nocase(s, STR("SASL_PLAINTEXT")))
			return false;
	}
	return true;
}

static bool make_map(struct config_complaints *to, struct protocol_map *ret)
{
	static const char key[] = "listener.security.protocol.map";
	struct config *c = to->c;
	struct config_list names = config_items(c, CONFIG_CONTROLLER_LISTENER_NAMES);
	uint32_t count;
	const struct str *item = config_split(config_str(c, CONFIG_LISTENER_SECURITY_PROTOCOL_MAP),
	                                      &c->arena, &count);

	ret->name = config_alloc(&c->arena, count + names.count, sizeof(*ret->name));
	ret->protocol = config_alloc(&c->arena, count + names.count, sizeof(*ret->protocol));
	ret->count = 0;
	for (uint32_t i = 0; i < count; i++) {
		const char *colon = item[i].size ? memrchr(item[i].data, ':', item[i].size) : NULL;
		struct str name = item[i];
		struct str protocol = { NULL, 0 };
		int found;

		if (colon) {
			name.size = (uint32_t)(colon - name.data);
			protocol = config_trim(
				(struct str){ colon + 1, item[i].size - name.size - 1 });
		}
		found = find_protocol(protocol);
		if (found < 0) {
			config_complain(to, key, "Invalid security protocol `%.*s` defined in %s",
			                STR_ARG(protocol), key);
			return false;
		}
		ret->name[ret->count] = config_upper(config_trim(name), &c->arena);
		ret->protocol[ret->count++] = (enum security_protocol)found;
	}
	if (config_is_set(c, CONFIG_LISTENER_SECURITY_PROTOCOL_MAP) || !is_plain_everywhere(c))
		return true;
	for (uint32_t i = 0; i < names.count; i++) {
		if (map_find(ret, names.item[i]) >= 0)
			continue;
		ret->name[ret->count] = names.item[i];
		ret->protocol[ret->count++] = SECURITY_PLAINTEXT;
	}
	return true;
}

/* ---- listeners, advertised.listeners ---- */

struct endpoints {
	struct listener_config *item;
	uint32_t count;
};

static bool parse_endpoint(struct config_complaints *to, const char *key, struct str text,
                           const struct protocol_map *map, struct listener_config *ret)
{
	const char *mark = text.size > 2 ? memmem(text.data, text.size, "://", 3) : NULL;
	struct str name = text;
	struct str rest = { NULL, 0 };
	int protocol;

	if (mark) {
		name.size = (uint32_t)(mark - text.data);
		rest = (struct str){ mark + 3, text.size - name.size - 3 };
	}
	if (!mark || !split_host(rest, &ret->host, &ret->port)) {
		config_complain(
			to, key,
			"Error creating broker listeners from '[%.*s]': Unable to parse "
			"%.*s to a broker endpoint",
			STR_ARG(config_str(to->c, (enum config_id)config_find(CONFIG_SCOPE_BROKER,
		                                                              str_of(key)))),
			STR_ARG(text));
		return false;
	}
	ret->name = config_upper(name, &to->c->arena);
	protocol = map_find(map, ret->name);
	if (protocol < 0) {
		config_complain(
			to, key,
			"Error creating broker listeners from '[%.*s]': No security "
			"protocol defined for listener %.*s",
			STR_ARG(config_str(to->c, (enum config_id)config_find(CONFIG_SCOPE_BROKER,
		                                                              str_of(key)))),
			STR_ARG(ret->name));
		return false;
	}
	ret->protocol = (enum security_protocol)protocol;
	return true;
}

static bool is_ipv6(struct str host)
{
	return host.size && memchr(host.data, ':', host.size);
}

static bool is_ipv4(struct str host)
{
	uint32_t dots = 0;

	for (uint32_t i = 0; i < host.size; i++) {
		dots += host.data[i] == '.';
		if (host.data[i] != '.' && (host.data[i] < '0' || host.data[i] > '9'))
			return false;
	}
	return dots == 3;
}

/* Two on one port are fine only as IPv4 and IPv6. */
static bool may_share_port(struct str a, struct str b)
{
	return (is_ipv4(a) && is_ipv6(b)) || (is_ipv6(a) && is_ipv4(b));
}

static bool check_distinct(struct config_complaints *to, const char *key, struct str all,
                           const struct endpoints *e, bool ports)
{
	for (uint32_t i = 0; i < e->count; i++) {
		uint32_t sharing = 0;

		for (uint32_t j = 0; j < i; j++) {
			bool same_port =
				ports && e->item[i].port && e->item[i].port == e->item[j].port;

			if (str_eq(e->item[i].name, e->item[j].name)) {
				config_complain(to, key,
				                "Error creating broker listeners from '[%.*s]': "
				                "Each listener must have a different name, "
				                "listeners: [%.*s]",
				                STR_ARG(all), STR_ARG(all));
				return false;
			}
			sharing += same_port;
			if (same_port &&
			    (sharing > 1 || !may_share_port(e->item[i].host, e->item[j].host))) {
				config_complain(to, key,
				                "Error creating broker listeners from '[%.*s]': "
				                "Each listener must have a different port, "
				                "listeners: [%.*s]",
				                STR_ARG(all), STR_ARG(all));
				return false;
			}
		}
	}
	return true;
}

static bool parse_endpoints(struct config_complaints *to, enum config_id id,
                            const struct protocol_map *map, bool ports, struct endpoints *ret)
{
	const char *key = config_table(CONFIG_SCOPE_BROKER).key[id].name;
	struct config_list items = config_items(to->c, id);

	ret->item = config_alloc(&to->c->arena, items.count, sizeof(*ret->item));
	memset(ret->item, 0, items.count * sizeof(*ret->item));
	ret->count = items.count;
	for (uint32_t i = 0; i < items.count; i++)
		if (!parse_endpoint(to, key, items.item[i], map, &ret->item[i]))
			return false;
	return check_distinct(to, key, config_str(to->c, id), ret, ports);
}

static const struct listener_config *find_endpoint(const struct endpoints *e, struct str name)
{
	for (uint32_t i = 0; i < e->count; i++)
		if (str_eq(e->item[i].name, name))
			return &e->item[i];
	return NULL;
}

static void advertise(struct config *c, struct listener_config *l, const struct endpoints *given)
{
	const struct listener_config *as = find_endpoint(given, l->name);

	l->is_controller = config_value_has(&c->value[CONFIG_CONTROLLER_LISTENER_NAMES], l->name);
	l->is_advertised = as || l->is_controller || config_is_null(c, CONFIG_ADVERTISED_LISTENERS);
	l->advertised_host = as ? as->host : l->host;
	l->advertised_port = as ? as->port : l->port;
	/* A controller that is reached everywhere is known by this machine's name. */
	if (l->is_controller && str_eq(l->advertised_host, STR("0.0.0.0")) && !as)
		l->advertised_host = STR("");
}

/* Where brokers talk to each other; false: complained. */
static bool find_inter_broker(struct config_complaints *to, const struct protocol_map *map,
                              struct str *ret)
{
	struct config *c = to->c;
	struct str name = config_str(c, CONFIG_INTER_BROKER_LISTENER_NAME);

	if (!name.data) {
		*ret = config_str(c, CONFIG_SECURITY_INTER_BROKER_PROTOCOL);
		return true;
	}
	*ret = config_upper(name, &c->arena);
	if (config_is_set(c, CONFIG_SECURITY_INTER_BROKER_PROTOCOL)) {
		config_complain(to, "inter.broker.listener.name",
		                "Only one of inter.broker.listener.name and "
		                "security.inter.broker.protocol should be set.");
		return false;
	}
	if (map_find(map, *ret) < 0) {
		config_complain(to, "inter.broker.listener.name",
		                "Listener with name %.*s defined in inter.broker.listener.name not "
		                "found in listener.security.protocol.map.",
		                STR_ARG(*ret));
		return false;
	}
	return true;
}

static void check_advertised(struct config_complaints *to, const struct endpoints *given)
{
	struct config *c = to->c;

	for (uint32_t i = 0; i < given->count; i++) {
		const struct listener_config *g = &given->item[i];
		bool listened = false;

		for (uint32_t j = 0; j < c->listeners.count; j++)
			listened = listened || str_eq(g->name, c->listeners.listener[j].name);
		if (str_eq(g->host, STR("0.0.0.0")))
			config_complain(to, "advertised.listeners",
			                "advertised.listeners cannot use the nonroutable "
			                "meta-address 0.0.0.0. Use a routable IP address.");
		if (!listened && c->is_broker)
			config_complain(to, "advertised.listeners",
			                "advertised.listeners listener names must be equal to or a "
			                "subset of the ones defined in listeners. Found %.*s.",
			                STR_ARG(g->name));
	}
	if (given->count)
		return;
	for (uint32_t j = 0; j < c->listeners.count; j++)
		if (!c->listeners.listener[j].is_controller &&
		    str_eq(c->listeners.listener[j].host, STR("0.0.0.0")))
			config_complain(to, "listeners",
			                "advertised.listeners cannot use the nonroutable "
			                "meta-address 0.0.0.0. Use a routable IP address.");
}

static bool derive_listeners(struct config_complaints *to)
{
	struct config *c = to->c;
	struct protocol_map map;
	struct endpoints bound;
	struct endpoints given = { 0 };
	struct str inter_broker;

	if (!make_map(to, &map) || !parse_endpoints(to, CONFIG_LISTENERS, &map, true, &bound) ||
	    !find_inter_broker(to, &map, &inter_broker))
		return false;
	if (!config_is_null(c, CONFIG_ADVERTISED_LISTENERS) &&
	    !parse_endpoints(to, CONFIG_ADVERTISED_LISTENERS, &map, false, &given))
		return false;
	for (uint32_t i = 0; i < bound.count; i++) {
		advertise(c, &bound.item[i], &given);
		bound.item[i].is_inter_broker = str_eq(bound.item[i].name, inter_broker);
	}
	c->listeners = (struct config_listeners){ bound.item, bound.count };
	check_advertised(to, &given);
	if (c->is_broker && !c->is_controller) {
		struct config_list names = config_items(c, CONFIG_CONTROLLER_LISTENER_NAMES);

		for (uint32_t i = 0; i < names.count; i++)
			if (map_find(&map, config_upper(names.item[i], &c->arena)) < 0)
				config_complain(to, "controller.listener.names",
				                "Controller listener with name %.*s defined in "
				                "controller.listener.names not found in "
				                "listener.security.protocol.map",
				                STR_ARG(names.item[i]));
	}
	return !to->first.data;
}

/* ---- voters ---- */

static bool derive_voters(struct config_complaints *to, enum config_id id,
                          struct config_voters *ret)
{
	struct config_list items = config_items(to->c, id);
	const char *key = config_table(CONFIG_SCOPE_BROKER).key[id].name;
	struct config_voter *voter = config_alloc(&to->c->arena, items.count, sizeof(*voter));

	for (uint32_t i = 0; i < items.count; i++) {
		struct str s = items.item[i];
		const char *at = s.size ? memchr(s.data, '@', s.size) : NULL;
		bool with_id = id == CONFIG_CONTROLLER_QUORUM_VOTERS;
		int64_t number = -1;

		if (with_id && at) {
			struct str text = { s.data, (uint32_t)(at - s.data) };

			if (!config_parse_long(text, &number) || number < 0 || number > INT32_MAX) {
				config_complain(to, key,
				                "Failed to parse voter ID as an integer from %.*s",
				                STR_ARG(text));
				return false;
			}
			s = (struct str){ at + 1, s.size - text.size - 1 };
		}
		voter[i].id = (int32_t)number;
		if (with_id == !at || !split_host(s, &voter[i].host, &voter[i].port)) {
			config_complain(to, key,
			                "Failed to parse host and port from entry %.*s for the "
			                "configuration %s. Each entry should be in the form "
			                "`%s{host}:{port}`.",
			                STR_ARG(items.item[i]), key, with_id ? "{id}@" : "");
			return false;
		}
	}
	*ret = (struct config_voters){ voter, items.count };
	return true;
}

/* ---- all of it ---- */

void config_derive(struct config_complaints *to)
{
	struct config *c = to->c;
	const struct config_value *roles = &c->value[CONFIG_PROCESS_ROLES];

	c->is_broker = config_value_has(roles, STR("broker"));
	c->is_controller = config_value_has(roles, STR("controller"));
	c->log_dirs = config_items(c, config_is_null(c, CONFIG_LOG_DIRS) ? CONFIG_LOG_DIR
	                                                                 : CONFIG_LOG_DIRS);
	if (derive_listeners(to) && derive_voters(to, CONFIG_CONTROLLER_QUORUM_VOTERS, &c->voters))
		(void)derive_voters(to, CONFIG_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS,
		                    &c->bootstrap_servers); /* has complained */
}
