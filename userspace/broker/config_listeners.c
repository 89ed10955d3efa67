/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>

#include "config_private.h"

/* What listeners are made of (AbstractKafkaConfig, SocketServerConfigs, KafkaConfig). */

static const char *const protocol_name[] = { "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL" };

static int find_protocol(struct str name)
{
	for (size_t i = 0; i < array_count(protocol_name); i++)
		if (config_str_eq_nocase(name, str_of(protocol_name[i])))
			return (int)i;
	return -1;
}

/* ---- listener.security.protocol.map ---- */

struct protocol_map {
	struct str *given; /* names as in the file */
	struct str *name;  /* in capitals */
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

/*
 * A controller's listener is PLAINTEXT by itself where the map is not given and nothing at all is
 * secure.  False: complained.
 */
static bool find_plain(struct config_complaints *to, bool *ret)
{
	struct config_list names = config_items(to->c, CONFIG_CONTROLLER_LISTENER_NAMES);
	struct config_list listeners = config_items(to->c, CONFIG_LISTENERS);
	bool secure = false;

	*ret = false;
	if (config_is_set(to->c, CONFIG_LISTENER_SECURITY_PROTOCOL_MAP))
		return true;
	for (uint32_t i = 0; i < names.count; i++)
		secure = secure || is_secure(names.item[i]);
	for (uint32_t i = 0; i < listeners.count && !secure; i++) {
		struct str s = listeners.item[i];
		const char *colon = memchr(s.data, ':', s.size);

		if (!colon) {
			config_complain(to, "listeners",
			                "Unable to parse a listener name from %.*s", STR_ARG(s));
			return false;
		}
		s.size = (uint32_t)(colon - s.data);
		secure = is_secure(config_upper(s, &to->c->arena));
	}
	*ret = !secure;
	return true;
}

/* "NAME:PROTOCOL"; false: complained. */
static bool add_mapping(struct config_complaints *to, struct str text, struct protocol_map *m)
{
	static const char key[] = "listener.security.protocol.map";
	const char *colon = text.size ? memrchr(text.data, ':', text.size) : NULL;
	struct str name = text;
	struct str protocol;
	int found;

	if (!colon) {
		if (to->report)
			config_complain(to, key, "%s: %.*s is not of the form NAME:PROTOCOL", key,
			                STR_ARG(text));
		else
			config_complain(to, key,
			                "Error parsing configuration property '%s': begin 0, end "
			                "-1, length %u",
			                key, text.size);
		return false;
	}
	name.size = (uint32_t)(colon - name.data);
	name = config_trim(name);
	protocol = config_trim(
		(struct str){ colon + 1, text.size - (uint32_t)(colon - text.data) - 1 });
	found = find_protocol(protocol);
	if (found < 0) {
		config_complain(to, key, "Invalid security protocol `%.*s` defined in %s",
		                STR_ARG(protocol), key);
		return false;
	}
	for (uint32_t i = 0; i < m->count; i++) {
		if (str_eq(m->given[i], name)) { /* the last one counts */
			m->protocol[i] = (enum security_protocol)found;
			return true;
		}
	}
	m->given[m->count] = name;
	m->name[m->count] = config_upper(name, &to->c->arena);
	if (map_find(m, m->name[m->count]) >= 0) {
		config_complain(to, key, "%s: the listener %.*s comes twice", key,
		                STR_ARG(m->name[m->count]));
		return false;
	}
	m->protocol[m->count++] = (enum security_protocol)found;
	return true;
}

static bool make_map(struct config_complaints *to, struct protocol_map *ret)
{
	struct config *c = to->c;
	struct config_list names = config_items(c, CONFIG_CONTROLLER_LISTENER_NAMES);
	uint32_t count;
	bool plain;
	const struct str *item = config_split(config_str(c, CONFIG_LISTENER_SECURITY_PROTOCOL_MAP),
	                                      &c->arena, &count);

	while (count && !item[count - 1].size)
		count--; /* Java's split() drops them */
	ret->given = config_alloc(&c->arena, count + names.count, sizeof(*ret->given));
	ret->name = config_alloc(&c->arena, count + names.count, sizeof(*ret->name));
	ret->protocol = config_alloc(&c->arena, count + names.count, sizeof(*ret->protocol));
	ret->count = 0;
	for (uint32_t i = 0; i < count; i++)
		if (!add_mapping(to, item[i], ret))
			return false;
	if (!find_plain(to, &plain))
		return false;
	for (uint32_t i = 0; plain && i < names.count; i++) {
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

/* The whole of a list is wrong; false. */
static bool refuse_list(struct config_complaints *to, enum config_id id, const char *why,
                        struct str what)
{
	struct config_list list = config_items(to->c, id);

	config_complain(to, config_table(CONFIG_SCOPE_BROKER).key[id].name,
	                "Error creating broker listeners from '[%.*s]': %s%.*s",
	                STR_ARG(config_join(list, ", ", &to->c->arena)), why, STR_ARG(what));
	return false;
}

/* "NAME://host:port"; false: complained. */
static bool parse_endpoint(struct config_complaints *to, enum config_id id, struct str text,
                           const struct protocol_map *map, struct listener_config *ret)
{
	const char *mark = text.size > 2 ? memmem(text.data, text.size, "://", 3) : NULL;
	struct arena *arena = &to->c->arena;
	struct str name = text;
	int64_t port;
	int protocol;

	if (mark)
		name.size = (uint32_t)(mark - text.data);
	if (!mark || !config_split_host((struct str){ mark + 3, text.size - name.size - 3 },
	                                &ret->host, &port))
		return refuse_list(to, id, "",
		                   arena_printf(arena, "Unable to parse %.*s to a broker endpoint",
		                                STR_ARG(text)));
	if (port < 0 || port > UINT16_MAX)
		return refuse_list(to, id, "",
		                   arena_printf(arena, "The port of %.*s is not one of 0 to 65535",
		                                STR_ARG(text)));
	if (!name.size)
		return refuse_list(to, id, "The provided listener name is null or empty string",
		                   STR(""));
	ret->name = config_upper(name, arena);
	ret->port = (uint16_t)port;
	protocol = map_find(map, ret->name);
	if (protocol < 0)
		return refuse_list(to, id, "No security protocol defined for listener ", ret->name);
	ret->protocol = (enum security_protocol)protocol;
	return true;
}

static bool is_ip(struct str host, int family)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (!host.size || host.size >= sizeof(text) || memchr(host.data, '\0', host.size))
		return false;
	memcpy(text, host.data, host.size);
	text[host.size] = '\0';
	return inet_pton(family, text, &address) == 1;
}

/* Two listeners share a port only as IPv4 and IPv6. */
static bool check_port(struct config_complaints *to, enum config_id id, const struct endpoints *e,
                       uint16_t port)
{
	struct str all = config_join(config_items(to->c, id), ", ", &to->c->arena);
	uint32_t count[3] = { 0 }; /* IPv4, IPv6, other hosts */
	const char *why;

	for (uint32_t i = 0; i < e->count; i++)
		if (e->item[i].port == port)
			count[is_ip(e->item[i].host, AF_INET)    ? 0
			      : is_ip(e->item[i].host, AF_INET6) ? 1
			                                         : 2]++;
	if (count[0] + count[1] + count[2] < 2 || (count[0] == 1 && count[1] == 1 && !count[2]))
		return true;
	if (count[2] > 1)
		return refuse_list(to, id, "",
		                   arena_printf(&to->c->arena,
		                                "Each listener must have a different port, "
		                                "listeners: [%.*s]",
		                                STR_ARG(all)));
	why = count[0] + count[1] == 2
	              ? "If you have two listeners on the same port then one needs to be IPv4 and "
	                "the other IPv6"
	              : "Each listener must have a different port unless exactly one listener has "
	                "an IPv4 address and the other IPv6 address";
	return refuse_list(
		to, id, why,
		arena_printf(&to->c->arena, ", listeners: [%.*s], port: %u", STR_ARG(all), port));
}

static bool parse_endpoints(struct config_complaints *to, enum config_id id,
                            const struct protocol_map *map, bool ports, struct endpoints *ret)
{
	struct config_list items = config_items(to->c, id);

	ret->item = config_alloc(&to->c->arena, items.count, sizeof(*ret->item));
	memset(ret->item, 0, items.count * sizeof(*ret->item));
	ret->count = items.count;
	for (uint32_t i = 0; i < items.count; i++)
		if (!parse_endpoint(to, id, items.item[i], map, &ret->item[i]))
			return false;
	for (uint32_t i = 0; i < items.count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (str_eq(ret->item[i].name, ret->item[j].name))
				return refuse_list(
					to, id, "",
					arena_printf(
						&to->c->arena,
						"Each listener must have a different name, "
						"listeners: [%.*s]",
						STR_ARG(config_join(items, ", ", &to->c->arena))));
	for (uint32_t i = 0; ports && i < items.count; i++)
		if (ret->item[i].port && !check_port(to, id, ret, ret->item[i].port))
			return false;
	return true;
}

static const struct listener_config *find_endpoint(const struct endpoints *e, struct str name)
{
	for (uint32_t i = 0; i < e->count; i++)
		if (str_eq(e->item[i].name, name))
			return &e->item[i];
	return NULL;
}

static const struct config_voter *find_voter(const struct config *c, int32_t id)
{
	for (uint32_t i = 0; i < c->voters.count; i++)
		if (c->voters.voter[i].id == id)
			return &c->voters.voter[i];
	return NULL;
}

/* KafkaConfig.effectiveAdvertisedBrokerListeners, effectiveAdvertisedControllerListeners. */
static void advertise(struct config *c, struct listener_config *l, const struct endpoints *given)
{
	const struct listener_config *as = find_endpoint(given, l->name);
	const struct config_value *names = &c->value[CONFIG_CONTROLLER_LISTENER_NAMES];
	const struct config_voter *voter = NULL;
	bool everywhere = !l->host.size || str_eq(l->host, STR("0.0.0.0"));

	l->is_controller = config_value_has(names, l->name);
	l->is_advertised = as || l->is_controller || config_is_null(c, CONFIG_ADVERTISED_LISTENERS);
	l->advertised_host = as ? as->host : l->host;
	l->advertised_port = as ? as->port : l->port;
	if (!l->is_controller || as || !everywhere)
		return;
	/* The first controller listener is known by the voter's address, where there is one. */
	if (str_eq(names->item[0], l->name))
		voter = find_voter(c, config_int(c, CONFIG_NODE_ID));
	l->advertised_host = voter ? voter->host : STR("");
	l->advertised_port = voter ? voter->port : l->port;
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

bool config_derive_listeners(struct config_complaints *to)
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
	c->inter_broker = inter_broker;
	c->listener_map = (struct config_list){ map.name, map.count };
	c->listeners = (struct config_listeners){ bound.item, bound.count };
	c->advertised = (struct config_listeners){ given.item, given.count };
	return true;
}
