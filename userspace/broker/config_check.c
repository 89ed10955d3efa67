/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "config_private.h"

/* What must fit together (KafkaConfig.validateValues, GroupCoordinatorConfig, ShareGroupConfig). */

/* Scala's require() puts its own words before; only clients see them. */
#define require(to, is_true, key, ...)                                                             \
	do {                                                                                       \
		if (!(is_true))                                                                    \
			refuse(to, key, __VA_ARGS__);                                              \
	} while (0)

static void refuse(struct config_complaints *to, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(struct config_complaints *to, const char *key, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	config_complain(to, key, "%s%s", to->report ? "" : "requirement failed: ", text);
}

static int64_t effective(const struct config *c, enum topic_config_id id)
{
	struct config_value value;
	struct arena arena;
	int64_t ret;

	arena_init(&arena, SIZE_MAX / 2);
	config_topic_default(c, id, &arena, &value);
	ret = value.number;
	arena_fini(&arena);
	return ret;
}

static void check_log(struct config_complaints *to)
{
	const struct config *c = to->c;
	int64_t retention = effective(c, TOPIC_CONFIG_RETENTION_MS);
	int32_t threads = config_int(c, CONFIG_LOG_CLEANER_THREADS);

	require(to, effective(c, TOPIC_CONFIG_SEGMENT_MS) >= 1, "log.roll.ms",
	        "log.roll.ms must be greater than or equal to 1");
	require(to, effective(c, TOPIC_CONFIG_SEGMENT_JITTER_MS) >= 0, "log.roll.jitter.ms",
	        "log.roll.jitter.ms must be greater than or equal to 0");
	require(to, retention >= 1 || retention == -1, "log.retention.ms",
	        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
	require(to, c->log_dirs.count > 0, "log.dirs",
	        "At least one log directory must be defined via log.dirs or log.dir.");
	if (!threads)
		config_complain(to, "log.cleaner.threads", "/ by zero");
	else
		require(to,
		        config_long(c, CONFIG_LOG_CLEANER_DEDUPE_BUFFER_SIZE) / threads >
		                1024 * 1024,
		        "log.cleaner.dedupe.buffer.size",
		        "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.");
	require(to,
	        config_long(c, CONFIG_LOG_CLEANER_MIN_COMPACTION_LAG_MS) <=
	                config_long(c, CONFIG_LOG_CLEANER_MAX_COMPACTION_LAG_MS),
	        "log.cleaner.min.compaction.lag.ms",
	        "log.cleaner.min.compaction.lag.ms must not be greater than "
	        "log.cleaner.max.compaction.lag.ms");
}

static void check_times(struct config_complaints *to)
{
	const struct config *c = to->c;
	int32_t wait = config_int(c, CONFIG_REPLICA_FETCH_WAIT_MAX_MS);
	int32_t heartbeat = config_int(c, CONFIG_BROKER_HEARTBEAT_INTERVAL_MS);
	int32_t session = config_int(c, CONFIG_BROKER_SESSION_TIMEOUT_MS);
	int64_t idle = config_long(c, CONFIG_CONNECTIONS_MAX_IDLE_MS);
	int32_t delay = config_int(c, CONFIG_CONNECTION_FAILED_AUTHENTICATION_DELAY_MS);
	int64_t queued = config_long(c, CONFIG_QUEUED_MAX_REQUEST_BYTES);

	require(to, wait <= config_int(c, CONFIG_REPLICA_SOCKET_TIMEOUT_MS),
	        "replica.socket.timeout.ms",
	        "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to "
	        "prevent unnecessary socket timeouts");
	require(to, wait <= config_long(c, CONFIG_REPLICA_LAG_TIME_MAX_MS),
	        "replica.fetch.wait.max.ms",
	        "replica.fetch.wait.max.ms should always be less than or equal to "
	        "replica.lag.time.max.ms to prevent frequent changes in ISR");
	if ((int64_t)heartbeat * 2 > session)
		config_warn(to, "broker.heartbeat.interval.ms",
		            "broker.heartbeat.interval.ms (%d) should be at most half of "
		            "broker.session.timeout.ms (%d)",
		            heartbeat, session);
	require(to, idle < 0 || delay < idle, "connection.failed.authentication.delay.ms",
	        "connection.failed.authentication.delay.ms=%d should always be less than "
	        "connections.max.idle.ms=%lld to prevent failed authentication responses from "
	        "timing "
	        "out",
	        delay, (long long)idle);
	require(to, queued <= 0 || queued >= config_int(c, CONFIG_SOCKET_REQUEST_MAX_BYTES),
	        "queued.max.request.bytes",
	        "queued.max.request.bytes must be larger or equal to socket.request.max.bytes");
	require(to,
	        config_int(c, CONFIG_MAX_CONNECTIONS_PER_IP) ||
	                config_str(c, CONFIG_MAX_CONNECTIONS_PER_IP_OVERRIDES).size,
	        "max.connections.per.ip",
	        "max.connections.per.ip can be set to zero only if "
	        "max.connections.per.ip.overrides "
	        "property is set.");
}

/* max >= min, min <= value <= max, heartbeat < session, for each protocol. */
struct interval {
	uint16_t value;
	uint16_t low;
	uint16_t high;
};

static void check_interval(struct config_complaints *to, const struct interval *in)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_BROKER).key;
	int32_t value = config_int(to->c, in->value);
	int32_t low = config_int(to->c, in->low);
	int32_t high = config_int(to->c, in->high);

	require(to, high >= low, key[in->high].name, "%s must be greater than or equal to %s",
	        key[in->high].name, key[in->low].name);
	require(to, value >= low, key[in->value].name, "%s must be greater than or equal to %s",
	        key[in->value].name, key[in->low].name);
	require(to, value <= high, key[in->value].name, "%s must be less than or equal to %s",
	        key[in->value].name, key[in->high].name);
}

static void check_less(struct config_complaints *to, enum config_id a, enum config_id b)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_BROKER).key;

	require(to, config_int(to->c, a) < config_int(to->c, b), key[a].name,
	        "%s must be less than %s", key[a].name, key[b].name);
}

#define INTERVAL(group, what)                                                                      \
	{                                                                                          \
		CONFIG_GROUP_##group##_##what, CONFIG_GROUP_##group##_MIN_##what,                  \
			CONFIG_GROUP_##group##_MAX_##what                                          \
	}

static void check_groups(struct config_complaints *to)
{
	static const struct interval intervals[] = {
		INTERVAL(CONSUMER, HEARTBEAT_INTERVAL_MS),
		INTERVAL(CONSUMER, SESSION_TIMEOUT_MS),
		INTERVAL(CONSUMER, ASSIGNMENT_INTERVAL_MS),
		INTERVAL(SHARE, HEARTBEAT_INTERVAL_MS),
		INTERVAL(SHARE, SESSION_TIMEOUT_MS),
		INTERVAL(SHARE, ASSIGNMENT_INTERVAL_MS),
		INTERVAL(SHARE, RECORD_LOCK_DURATION_MS),
		INTERVAL(SHARE, DELIVERY_COUNT_LIMIT),
		INTERVAL(SHARE, PARTITION_MAX_RECORD_LOCKS),
		INTERVAL(STREAMS, HEARTBEAT_INTERVAL_MS),
		INTERVAL(STREAMS, SESSION_TIMEOUT_MS),
		INTERVAL(STREAMS, ASSIGNMENT_INTERVAL_MS),
	};
	struct config_list assignors = config_items(to->c, CONFIG_GROUP_SHARE_ASSIGNORS);

	for (size_t i = 0; i < array_count(intervals); i++)
		check_interval(to, &intervals[i]);
	check_less(to, CONFIG_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS,
	           CONFIG_GROUP_CONSUMER_SESSION_TIMEOUT_MS);
	check_less(to, CONFIG_GROUP_SHARE_HEARTBEAT_INTERVAL_MS,
	           CONFIG_GROUP_SHARE_SESSION_TIMEOUT_MS);
	check_less(to, CONFIG_GROUP_STREAMS_HEARTBEAT_INTERVAL_MS,
	           CONFIG_GROUP_STREAMS_SESSION_TIMEOUT_MS);
	require(to, assignors.count == 1, "group.share.assignors",
	        "group.share.assignors must contain exactly one assignor, but found %u",
	        assignors.count);
	require(to,
	        config_int(to->c, CONFIG_GROUP_STREAMS_NUM_STANDBY_REPLICAS) <=
	                config_int(to->c, CONFIG_GROUP_STREAMS_MAX_STANDBY_REPLICAS),
	        "group.streams.num.standby.replicas",
	        "group.streams.num.standby.replicas must be less than or equal to "
	        "group.streams.max.standby.replicas");
	if (!config_value_has(&to->c->value[CONFIG_GROUP_COORDINATOR_REBALANCE_PROTOCOLS],
	                      STR("classic")))
		config_complain(to, "group.coordinator.rebalance.protocols",
		                "Disabling the 'classic' protocol is not supported.");
}

/* ---- roles and listeners ---- */

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

static void check_controller(struct config_complaints *to, const struct counted *n)
{
	const struct config *c = to->c;
	struct config_list names = config_items(c, CONFIG_CONTROLLER_LISTENER_NAMES);
	int32_t id = config_int(c, CONFIG_NODE_ID);

	require(to, !c->voters.count || is_voter(c, id), "controller.quorum.voters",
	        "If process.roles contains the 'controller' role, the node id %d must be included "
	        "in "
	        "the set of voters controller.quorum.voters=%.*s",
	        id, STR_ARG(config_str(c, CONFIG_CONTROLLER_QUORUM_VOTERS)));
	require(to, n->controllers, "controller.listener.names",
	        "controller.listener.names must contain at least one value appearing in the "
	        "'listeners' configuration when running the KRaft controller role");
	for (uint32_t i = 0; i < names.count && n->controllers; i++) {
		bool found = false;

		for (uint32_t j = 0; j < c->listeners.count; j++)
			found = found || str_eq(names.item[i], c->listeners.listener[j].name);
		require(to, found, "controller.listener.names",
		        "controller.listener.names must only contain values appearing in the "
		        "'listeners' configuration when running the KRaft controller role");
	}
	require(to, c->is_broker || n->controllers == c->listeners.count, "listeners",
	        "The listeners config must only contain KRaft controller listeners from "
	        "controller.listener.names when process.roles=controller");
}

static void check_broker_only(struct config_complaints *to, const struct counted *n)
{
	int32_t id = config_int(to->c, CONFIG_NODE_ID);

	require(to, !is_voter(to->c, id), "controller.quorum.voters",
	        "If process.roles contains just the 'broker' role, the node id %d must not be "
	        "included in the set of voters controller.quorum.voters=%.*s",
	        id, STR_ARG(config_str(to->c, CONFIG_CONTROLLER_QUORUM_VOTERS)));
	require(to, !n->controllers, "controller.listener.names",
	        "controller.listener.names must not contain a value appearing in the 'listeners' "
	        "configuration when running KRaft with just the broker role");
	require(to, !config_bool(to->c, CONFIG_CONTROLLER_QUORUM_AUTO_JOIN_ENABLE),
	        "controller.quorum.auto.join.enable",
	        "controller.quorum.auto.join.enable is only supported when process.roles contains "
	        "the 'controller' role.");
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
		require(to, found, "sasl.mechanism.inter.broker.protocol",
		        "sasl.mechanism.inter.broker.protocol must be included in "
		        "sasl.enabled.mechanisms when SASL is used for inter-broker communication");
	}
}

static void check_cordoned(struct config_complaints *to)
{
	const struct config *c = to->c;
	struct config_list dirs = config_items(c, CONFIG_CORDONED_LOG_DIRS);

	for (uint32_t i = 0; i < dirs.count; i++) {
		bool found = false;

		if (str_eq(dirs.item[i], STR("*"))) {
			require(to, dirs.count == 1, "cordoned.log.dirs",
			        "When cordoned.log.dirs is set to *, it must not contain other "
			        "values");
			return;
		}
		for (uint32_t j = 0; j < c->log_dirs.count; j++)
			found = found || str_eq(dirs.item[i], c->log_dirs.item[j]);
		require(to, found, "cordoned.log.dirs",
		        "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. "
		        "Missing entries : %.*s",
		        STR_ARG(dirs.item[i]));
	}
}

static void check_roles(struct config_complaints *to)
{
	const struct config *c = to->c;
	struct counted n = count_listeners(c);

	if (!c->voters.count && !c->bootstrap_servers.count)
		config_complain(
			to, "process.roles",
			"If using process.roles, either controller.quorum.bootstrap.servers "
			"must contain the set of bootstrap controllers or "
			"controller.quorum.voters must contain a parseable set of "
			"controllers.");
	if (c->is_controller)
		check_controller(to, &n);
	else
		check_broker_only(to, &n);
	if (!c->is_broker)
		return;
	require(to, n.brokers, "listeners",
	        "There must be at least one broker advertised listener. Perhaps all listeners "
	        "appear "
	        "in controller.listener.names?");
	require(to, !n.brokers || n.inter_broker, "inter.broker.listener.name",
	        "inter.broker.listener.name must be a listener name defined in "
	        "advertised.listeners.");
	check_cordoned(to);
	check_sasl(to);
}

void config_check_values(struct config_complaints *to)
{
	const struct config *c = to->c;

	if (config_int(c, CONFIG_NODE_ID) != config_int(c, CONFIG_BROKER_ID))
		config_complain(to, "node.id",
		                "You must set `node.id` to the same value as `broker.id`.");
	if (config_items(c, CONFIG_CONFIG_PROVIDERS).count)
		config_complain(
			to, "config.providers",
			"config.providers is not supported: values of the form ${...} would be "
			"taken literally");
	check_log(to);
	check_times(to);
	check_groups(to);
	check_roles(to);
}
