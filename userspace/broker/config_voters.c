/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "config_private.h"

/* What is made of hosts and ports: voters, bootstrap servers, limits of addresses (QuorumConfig).
 */

static bool is_host_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("-%._", c));
}

bool config_is_host(struct str s)
{
	for (uint32_t i = 0; i < s.size; i++)
		if (!is_host_char(s.data[i]) && s.data[i] != ':')
			return false;
	return true;
}

static bool parse_port(struct str s, int64_t *ret)
{
	for (uint32_t i = s.size && s.data[0] == '-'; i < s.size; i++)
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
	if (!s.size || str_eq(s, STR("-")))
		return false;
	if (!config_parse_long(s, ret))
		*ret = INT64_MAX; /* digits without end */
	return true;
}

bool config_split_host(struct str s, struct str *ret_host, int64_t *ret_port)
{
	const char *colon = s.size ? memrchr(s.data, ':', s.size) : NULL;
	struct str host = s;

	if (!colon)
		return false;
	host.size = (uint32_t)(colon - s.data);
	if (!parse_port((struct str){ colon + 1, s.size - host.size - 1 }, ret_port))
		return false;
	if (host.size && host.data[0] == '[') {
		host.data++;
		host.size--;
	}
	if (host.size && host.data[host.size - 1] == ']')
		host.size--;
	*ret_host = host;
	return config_is_host(host);
}

/* Before a host there may be "NAME://", which counts for nothing. */
static struct str without_protocol(struct str s)
{
	const char *mark = s.size > 2 ? memmem(s.data, s.size, "://", 3) : NULL;

	if (!mark)
		return s;
	for (const char *p = s.data; p < mark; p++)
		if (!is_host_char(*p))
			return s;
	return (struct str){ mark + 3, s.size - (uint32_t)(mark - s.data) - 3 };
}

static bool parse_address(struct config_complaints *to, const char *key, struct str entry,
                          struct str address, struct config_voter *ret)
{
	bool voter = !strcmp(key, "controller.quorum.voters");
	const char *form = voter ? "`{id}@{host}:{port}`." : "\"{host}:{port}\"";
	int64_t port;

	if (!config_split_host(without_protocol(address), &ret->host, &port) || port < 0) {
		config_complain(to, key,
		                "Failed to parse host name from %s%.*s for the configuration %s. "
		                "Each entry should be in the form %s",
		                voter ? "entry " : "", STR_ARG(entry), key, form);
		return false;
	}
	if (port > UINT16_MAX) {
		config_complain(to, key, "%s: the port of %.*s is not one of 0 to 65535", key,
		                STR_ARG(entry));
		return false;
	}
	ret->port = (uint16_t)port;
	return true;
}

static bool parse_voter(struct config_complaints *to, struct str entry, struct config_voter *ret)
{
	static const char key[] = "controller.quorum.voters";
	const char *at = entry.size ? memchr(entry.data, '@', entry.size) : NULL;
	struct str number = entry;
	struct str address;
	int64_t id;

	if (at) {
		number.size = (uint32_t)(at - entry.data);
		address = (struct str){ at + 1, entry.size - number.size - 1 };
	}
	if (!at || !address.size || memchr(address.data, '@', address.size)) {
		config_complain(to, key,
		                "Invalid configuration value for %s. Each entry should be in the "
		                "form `{id}@{host}:{port}`.",
		                key);
		return false;
	}
	if (!config_parse_long(number, &id) || id < INT32_MIN || id > INT32_MAX) {
		config_complain(to, key, "Failed to parse voter ID as an integer from %.*s",
		                STR_ARG(number));
		return false;
	}
	ret->id = (int32_t)id;
	if (!parse_address(to, key, entry, address, ret))
		return false;
	if (!str_eq(ret->host, STR("0.0.0.0")))
		return true;
	config_complain(to, key, "Host string (%.*s) is not routeable", STR_ARG(ret->host));
	return false;
}

bool config_derive_voters(struct config_complaints *to)
{
	struct config *c = to->c;
	struct config_list voters = config_items(c, CONFIG_CONTROLLER_QUORUM_VOTERS);
	struct config_list servers = config_items(c, CONFIG_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS);
	struct config_voter *voter = config_alloc(&c->arena, voters.count, sizeof(*voter));
	struct config_voter *server = config_alloc(&c->arena, servers.count, sizeof(*server));

	for (uint32_t i = 0; i < voters.count; i++)
		if (!parse_voter(to, voters.item[i], &voter[i]))
			return false;
	for (uint32_t i = 0; i < servers.count; i++) {
		server[i].id = -1;
		if (!parse_address(to, "controller.quorum.bootstrap.servers", servers.item[i],
		                   servers.item[i], &server[i]))
			return false;
	}
	c->voters = (struct config_voters){ voter, voters.count };
	c->bootstrap_servers = (struct config_voters){ server, servers.count };
	return true;
}

/* ---- max.connections.per.ip.overrides ---- */

/* "host:number"; a host that comes again has the last number. */
static bool add_limit(struct config_complaints *to, struct str text, struct config_ip_limit *limit,
                      uint32_t *count)
{
	static const char key[] = "max.connections.per.ip.overrides";
	const char *colon = text.size ? memrchr(text.data, ':', text.size) : NULL;
	struct str host = text;
	struct str number;
	int64_t value;
	uint32_t i = 0;

	if (!colon) {
		if (to->report)
			config_complain(to, key, "%s: %.*s is not of the form host:number", key,
			                STR_ARG(text));
		else
			config_complain(to, key,
			                "Error parsing configuration property '%s': begin 0, end "
			                "-1, length %u",
			                key, text.size);
		return false;
	}
	host.size = (uint32_t)(colon - text.data);
	host = config_trim(host);
	number = config_trim(
		(struct str){ colon + 1, text.size - (uint32_t)(colon - text.data) - 1 });
	if (!config_parse_long(number, &value) || value < INT32_MIN || value > INT32_MAX) {
		config_complain(to, key, "%s%sFor input string: \"%.*s\"", to->report ? key : "",
		                to->report ? ": " : "", STR_ARG(number));
		return false;
	}
	if (!config_is_host(host)) {
		config_complain(to, key, "%s contains invalid addresses : %.*s", key,
		                STR_ARG(host));
		return false;
	}
	while (i < *count && !str_eq(limit[i].host, host))
		i++;
	limit[i] = (struct config_ip_limit){ host, value < 0 ? 0 : (int32_t)value };
	*count += i == *count;
	return true;
}

bool config_derive_ip_limits(struct config_complaints *to)
{
	struct config *c = to->c;
	uint32_t count;
	uint32_t kept = 0;
	const struct str *item = config_split(
		config_str(c, CONFIG_MAX_CONNECTIONS_PER_IP_OVERRIDES), &c->arena, &count);
	struct config_ip_limit *limit = config_alloc(&c->arena, count, sizeof(*limit));

	while (count && !item[count - 1].size)
		count--; /* Java's split() drops them */
	for (uint32_t i = 0; i < count; i++)
		if (!add_limit(to, item[i], limit, &kept))
			return false;
	c->ip_limits = (struct config_ip_limits){ limit, kept };
	return true;
}

bool config_derive_metrics_listener(struct config_complaints *to)
{
	static const char key[] = "sluice.metrics.listener";
	struct str text = config_trim(config_str(to->c, CONFIG_SLUICE_METRICS_LISTENER));
	struct config_voter *ret = &to->c->metrics_listener;
	int64_t port;

	if (!text.size)
		return true;
	if (!config_split_host(text, &ret->host, &port) || port < 0 || port > UINT16_MAX) {
		config_complain(to, key, "%s: %.*s is not like host:port", key, STR_ARG(text));
		return false;
	}
	ret->port = (uint16_t)port;
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
	if (config_derive_voters(to) && config_derive_listeners(to) && config_derive_ip_limits(to))
		(void)config_derive_metrics_listener(to); /* has complained */
}
