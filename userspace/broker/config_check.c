/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "config_private.h"
#include "wire/batch.h"

/* What must fit together (KafkaConfig.validateValues, GroupCoordinatorConfig, ShareGroupConfig). */

void config_refuse(struct config_complaints *to, const char *key, const char *format, ...)
{
	char text[1200];
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

	config_require(to, effective(c, TOPIC_CONFIG_SEGMENT_MS) >= 1, "log.roll.ms",
	               "log.roll.ms must be greater than or equal to 1");
	config_require(to, effective(c, TOPIC_CONFIG_SEGMENT_JITTER_MS) >= 0, "log.roll.jitter.ms",
	               "log.roll.jitter.ms must be greater than or equal to 0");
	config_require(to, retention >= 1 || retention == -1, "log.retention.ms",
	               "log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
	config_require(to, c->log_dirs.count > 0, "log.dirs",
	               "At least one log directory must be defined via log.dirs or log.dir.");
	if (!threads)
		config_complain(to, "log.cleaner.threads", "/ by zero");
	else
		config_require(
			to,
			config_long(c, CONFIG_LOG_CLEANER_DEDUPE_BUFFER_SIZE) / threads >
				1024 * 1024,
			"log.cleaner.dedupe.buffer.size",
			"log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.");
	/* Kafka's LogManager asks once, when it starts. */
	if (to->report && config_long(c, CONFIG_LOG_CLEANER_MIN_COMPACTION_LAG_MS) >
	                          config_long(c, CONFIG_LOG_CLEANER_MAX_COMPACTION_LAG_MS))
		config_complain(to, "log.cleaner.min.compaction.lag.ms",
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

	config_require(
		to, wait <= config_int(c, CONFIG_REPLICA_SOCKET_TIMEOUT_MS),
		"replica.socket.timeout.ms",
		"replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to "
		"prevent unnecessary socket timeouts");
	config_require(to, wait <= config_long(c, CONFIG_REPLICA_LAG_TIME_MAX_MS),
	               "replica.fetch.wait.max.ms",
	               "replica.fetch.wait.max.ms should always be less than or equal to "
	               "replica.lag.time.max.ms to prevent frequent changes in ISR");
	if ((int64_t)heartbeat * 2 > session)
		config_warn(to, "broker.heartbeat.interval.ms",
		            "broker.heartbeat.interval.ms (%d) should be at most half of "
		            "broker.session.timeout.ms (%d)",
		            heartbeat, session);
	config_require(
		to, idle < 0 || delay < idle, "connection.failed.authentication.delay.ms",
		"connection.failed.authentication.delay.ms=%d should always be less than "
		"connections.max.idle.ms=%lld to prevent failed authentication responses from "
		"timing "
		"out",
		delay, (long long)idle);
	config_require(
		to, queued <= 0 || queued >= config_int(c, CONFIG_SOCKET_REQUEST_MAX_BYTES),
		"queued.max.request.bytes",
		"queued.max.request.bytes must be larger or equal to socket.request.max.bytes");
	config_require(to, config_int(c, CONFIG_MAX_CONNECTIONS_PER_IP) || c->ip_limits.count,
	               "max.connections.per.ip",
	               "max.connections.per.ip can be set to zero only if "
	               "max.connections.per.ip.overrides "
	               "property is set.");
}

/* ---- groups: said as Java's require() does, without words of its own ---- */

static void check_at_least(struct config_complaints *to, int a, int b)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_BROKER).key;

	if (config_int(to->c, (enum config_id)a) < config_int(to->c, (enum config_id)b))
		config_complain(to, key[a].name, "%s must be greater than or equal to %s",
		                key[a].name, key[b].name);
}

static void check_at_most(struct config_complaints *to, int a, int b)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_BROKER).key;

	if (config_int(to->c, (enum config_id)a) > config_int(to->c, (enum config_id)b))
		config_complain(to, key[a].name, "%s must be less than or equal to %s", key[a].name,
		                key[b].name);
}

static void check_less(struct config_complaints *to, int a, int b)
{
	const struct config_key *key = config_table(CONFIG_SCOPE_BROKER).key;

	if (config_int(to->c, (enum config_id)a) >= config_int(to->c, (enum config_id)b))
		config_complain(to, key[a].name, "%s must be less than %s", key[a].name,
		                key[b].name);
}

/* Heartbeat, session and assignment of one kind of group; each has its bounds. */
struct group_times {
	uint16_t value;
	uint16_t low;
	uint16_t high;
};

#define TIMES(group, what)                                                                         \
	{                                                                                          \
		CONFIG_GROUP_##group##_##what, CONFIG_GROUP_##group##_MIN_##what,                  \
			CONFIG_GROUP_##group##_MAX_##what                                          \
	}
#define KIND(group)                                                                                \
	{                                                                                          \
		TIMES(group, HEARTBEAT_INTERVAL_MS), TIMES(group, SESSION_TIMEOUT_MS),             \
			TIMES(group, ASSIGNMENT_INTERVAL_MS)                                       \
	}

static void check_kind(struct config_complaints *to, const struct group_times times[3])
{
	for (int i = 0; i < 3; i++) {
		check_at_least(to, times[i].high, times[i].low);
		check_at_least(to, times[i].value, times[i].low);
		check_at_most(to, times[i].value, times[i].high);
	}
	check_less(to, times[0].value, times[1].value);
}

/* Assignors are Java's classes, but for those of these names. */
static void check_assignors(struct config_complaints *to, enum config_id id, const char *known)
{
	struct config_list list = config_items(to->c, id);
	uint32_t count;
	const struct str *item = config_split(str_of(known), &to->c->arena, &count);

	for (uint32_t i = 0; i < list.count; i++) {
		uint32_t j = 0;

		while (j < count && !str_eq(list.item[i], item[j]))
			j++;
		if (j == count)
			config_complain(to, config_table(CONFIG_SCOPE_BROKER).key[id].name,
			                "Class %.*s cannot be found", STR_ARG(list.item[i]));
	}
}

static void check_share_groups(struct config_complaints *to)
{
	static const struct group_times bounds[] = {
		TIMES(SHARE, DELIVERY_COUNT_LIMIT),
		TIMES(SHARE, PARTITION_MAX_RECORD_LOCKS),
		TIMES(SHARE, RECORD_LOCK_DURATION_MS),
	};

	for (size_t i = 0; i < array_count(bounds); i++) {
		check_at_least(to, bounds[i].high, bounds[i].value);
		check_at_least(to, bounds[i].value, bounds[i].low);
	}
	check_at_least(to, CONFIG_GROUP_SHARE_MAX_SHARE_SESSIONS, CONFIG_GROUP_SHARE_MAX_SIZE);
}

static void check_codec(struct config_complaints *to, enum config_id id)
{
	int32_t codec = config_int(to->c, id);

	if (codec < BATCH_NONE || codec > BATCH_ZSTD)
		config_complain(to, config_table(CONFIG_SCOPE_BROKER).key[id].name,
		                "Unknown compression type id: %d", codec);
}

static void check_groups(struct config_complaints *to)
{
	static const struct group_times kinds[][3] = { KIND(CONSUMER), KIND(SHARE), KIND(STREAMS) };
	struct config_list share = config_items(to->c, CONFIG_GROUP_SHARE_ASSIGNORS);

	check_assignors(to, CONFIG_GROUP_CONSUMER_ASSIGNORS, "uniform,range");
	check_codec(to, CONFIG_OFFSETS_TOPIC_COMPRESSION_CODEC);
	check_assignors(to, CONFIG_GROUP_SHARE_ASSIGNORS, "simple");
	for (size_t i = 0; i < array_count(kinds); i++)
		check_kind(to, kinds[i]);
	if (share.count != 1)
		config_complain(to, "group.share.assignors",
		                "group.share.assignors must contain exactly one assignor, but "
		                "found %u",
		                share.count);
	check_at_most(to, CONFIG_GROUP_STREAMS_NUM_STANDBY_REPLICAS,
	              CONFIG_GROUP_STREAMS_MAX_STANDBY_REPLICAS);
	check_share_groups(to);
	check_codec(to, CONFIG_SHARE_COORDINATOR_STATE_TOPIC_COMPRESSION_CODEC);
	if (!config_value_has(&to->c->value[CONFIG_GROUP_COORDINATOR_REBALANCE_PROTOCOLS],
	                      STR("classic")))
		config_complain(to, "group.coordinator.rebalance.protocols",
		                "Disabling the 'classic' protocol is not supported.");
}

void config_check_values(struct config_complaints *to)
{
	const struct config *c = to->c;

	check_groups(to);
	if (config_int(c, CONFIG_NODE_ID) != config_int(c, CONFIG_BROKER_ID))
		config_complain(to, "node.id",
		                "You must set `node.id` to the same value as `broker.id`.");
	/* Set dynamically they are not asked in Kafka either. */
	if (to->report && config_items(c, CONFIG_CONFIG_PROVIDERS).count)
		config_complain(
			to, "config.providers",
			"config.providers is not supported: values of the form ${...} would be "
			"taken literally");
	check_log(to);
	check_times(to);
	config_check_roles(to);
}
