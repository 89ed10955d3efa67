/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "broker/topic_config.h"
#include "config_private.h"
#include "store/compress.h"
#include "wire/batch.h"

/* ---- the broker's keys behind a topic's (ServerTopicConfigSynonyms) ---- */

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

#define ONE(key)                                                                                   \
	{                                                                                          \
		{ CONFIG_##key, 1 },                                                               \
		{                                                                                  \
			-1, 0                                                                      \
		}                                                                                  \
	}
#define LIST(...)                                                                                  \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			-1, 0                                                                      \
		}                                                                                  \
	}

static const struct config_topic_synonym synonyms[][CONFIG_TOPIC_SYNONYMS_MAX] = {
	[TOPIC_CONFIG_CLEANUP_POLICY] = ONE(LOG_CLEANUP_POLICY),
	[TOPIC_CONFIG_COMPRESSION_GZIP_LEVEL] = ONE(COMPRESSION_GZIP_LEVEL),
	[TOPIC_CONFIG_COMPRESSION_LZ4_LEVEL] = ONE(COMPRESSION_LZ4_LEVEL),
	[TOPIC_CONFIG_COMPRESSION_TYPE] = ONE(COMPRESSION_TYPE),
	[TOPIC_CONFIG_COMPRESSION_ZSTD_LEVEL] = ONE(COMPRESSION_ZSTD_LEVEL),
	[TOPIC_CONFIG_DELETE_RETENTION_MS] = ONE(LOG_CLEANER_DELETE_RETENTION_MS),
	[TOPIC_CONFIG_FILE_DELETE_DELAY_MS] = ONE(LOG_SEGMENT_DELETE_DELAY_MS),
	[TOPIC_CONFIG_FLUSH_MESSAGES] = ONE(LOG_FLUSH_INTERVAL_MESSAGES),
	[TOPIC_CONFIG_FLUSH_MS] = LIST({ CONFIG_LOG_FLUSH_INTERVAL_MS, 1 },
	                               { CONFIG_LOG_FLUSH_SCHEDULER_INTERVAL_MS, 1 }),
	[TOPIC_CONFIG_FOLLOWER_REPLICATION_THROTTLED_REPLICAS] = { { -1, 0 } },
	[TOPIC_CONFIG_INDEX_INTERVAL_BYTES] = ONE(LOG_INDEX_INTERVAL_BYTES),
	[TOPIC_CONFIG_INTERNAL_SEGMENT_BYTES] = { { -1, 0 } },
	[TOPIC_CONFIG_LEADER_REPLICATION_THROTTLED_REPLICAS] = { { -1, 0 } },
	[TOPIC_CONFIG_LOCAL_RETENTION_BYTES] = ONE(LOG_LOCAL_RETENTION_BYTES),
	[TOPIC_CONFIG_LOCAL_RETENTION_MS] = ONE(LOG_LOCAL_RETENTION_MS),
	[TOPIC_CONFIG_MAX_COMPACTION_LAG_MS] = ONE(LOG_CLEANER_MAX_COMPACTION_LAG_MS),
	[TOPIC_CONFIG_MAX_MESSAGE_BYTES] = ONE(MESSAGE_MAX_BYTES),
	[TOPIC_CONFIG_MESSAGE_TIMESTAMP_AFTER_MAX_MS] = ONE(LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS),
	[TOPIC_CONFIG_MESSAGE_TIMESTAMP_BEFORE_MAX_MS] = ONE(LOG_MESSAGE_TIMESTAMP_BEFORE_MAX_MS),
	[TOPIC_CONFIG_MESSAGE_TIMESTAMP_TYPE] = ONE(LOG_MESSAGE_TIMESTAMP_TYPE),
	[TOPIC_CONFIG_MIN_CLEANABLE_DIRTY_RATIO] = ONE(LOG_CLEANER_MIN_CLEANABLE_RATIO),
	[TOPIC_CONFIG_MIN_COMPACTION_LAG_MS] = ONE(LOG_CLEANER_MIN_COMPACTION_LAG_MS),
	[TOPIC_CONFIG_MIN_INSYNC_REPLICAS] = ONE(MIN_INSYNC_REPLICAS),
	[TOPIC_CONFIG_PREALLOCATE] = ONE(LOG_PREALLOCATE),
	[TOPIC_CONFIG_REMOTE_LOG_COPY_DISABLE] = { { -1, 0 } },
	[TOPIC_CONFIG_REMOTE_LOG_DELETE_ON_DISABLE] = { { -1, 0 } },
	[TOPIC_CONFIG_REMOTE_STORAGE_ENABLE] = { { -1, 0 } },
	[TOPIC_CONFIG_RETENTION_BYTES] = ONE(LOG_RETENTION_BYTES),
	[TOPIC_CONFIG_RETENTION_MS] =
		LIST({ CONFIG_LOG_RETENTION_MS, 1 }, { CONFIG_LOG_RETENTION_MINUTES, MINUTE_MS },
	             { CONFIG_LOG_RETENTION_HOURS, HOUR_MS }),
	[TOPIC_CONFIG_SEGMENT_BYTES] = ONE(LOG_SEGMENT_BYTES),
	[TOPIC_CONFIG_SEGMENT_INDEX_BYTES] = ONE(LOG_INDEX_SIZE_MAX_BYTES),
	[TOPIC_CONFIG_SEGMENT_JITTER_MS] =
		LIST({ CONFIG_LOG_ROLL_JITTER_MS, 1 }, { CONFIG_LOG_ROLL_JITTER_HOURS, HOUR_MS }),
	[TOPIC_CONFIG_SEGMENT_MS] =
		LIST({ CONFIG_LOG_ROLL_MS, 1 }, { CONFIG_LOG_ROLL_HOURS, HOUR_MS }),
	[TOPIC_CONFIG_SLUICE_ACK] = ONE(SLUICE_ACK),
	[TOPIC_CONFIG_UNCLEAN_LEADER_ELECTION_ENABLE] = ONE(UNCLEAN_LEADER_ELECTION_ENABLE),
};

_Static_assert(array_count(synonyms) == TOPIC_CONFIG_COUNT, "a row for each topic config");

const struct config_topic_synonym *config_topic_synonyms(enum topic_config_id id)
{
	check((uint32_t)id < TOPIC_CONFIG_COUNT);
	return synonyms[id];
}

/* The first of the synonyms that has a value; KafkaConfig takes any retention below 0 for -1. */
void config_topic_default(const struct config *c, enum topic_config_id id, struct arena *arena,
                          struct config_value *ret)
{
	const struct config_topic_synonym *s = synonyms[id];

	while (s->id >= 0 && !c->value[s->id].text.data)
		s++;
	if (s->id < 0) {
		config_parse_default(&config_table(CONFIG_SCOPE_TOPIC).key[id], arena, ret);
		return;
	}
	*ret = c->value[s->id];
	if (s->multiply != 1)
		ret->number *= s->multiply; /* of 32 bits */
	if (id == TOPIC_CONFIG_RETENTION_MS && ret->number < 0)
		ret->number = -1;
	if (ret->number != c->value[s->id].number) {
		ret->real = (double)ret->number;
		ret->text = arena_printf(arena, "%lld", (long long)ret->number);
	}
}

/* ---- one topic ---- */

struct effective {
	const struct config *broker;
	struct config_layer own;
	struct arena arena;
	enum config_scope scope;
};

static struct config_value effective(struct effective *e, int id)
{
	const struct config_key *key = &config_table(e->scope).key[id];
	struct str given = config_layer_value(e->own, str_of(key->name));
	struct config_value value;
	struct str why;

	if (given.data && config_parse(key, given, &e->arena, &value, &why))
		return value;
	if (e->scope == CONFIG_SCOPE_TOPIC)
		config_topic_default(e->broker, (enum topic_config_id)id, &e->arena, &value);
	else
		config_group_default(e->broker, (enum group_config_id)id, &e->arena, &value);
	return value;
}

static int64_t number_of(struct effective *e, int id)
{
	return effective(e, id).number;
}

static void set_compression(struct effective *e, struct topic_config *ret)
{
	static const struct {
		const char *name;
		int8_t codec;
		int level; /* enum topic_config_id, -1: it has none */
	} types[] = {
		{ "uncompressed", BATCH_NONE, -1 },
		{ "gzip", BATCH_GZIP, TOPIC_CONFIG_COMPRESSION_GZIP_LEVEL },
		{ "snappy", BATCH_SNAPPY, -1 },
		{ "lz4", BATCH_LZ4, TOPIC_CONFIG_COMPRESSION_LZ4_LEVEL },
		{ "zstd", BATCH_ZSTD, TOPIC_CONFIG_COMPRESSION_ZSTD_LEVEL },
	};
	struct str name = effective(e, TOPIC_CONFIG_COMPRESSION_TYPE).text;

	ret->compression = -1;
	ret->compression_level = COMPRESS_LEVEL_DEFAULT;
	for (size_t i = 0; i < array_count(types); i++) {
		if (!str_eq(name, str_of(types[i].name)))
			continue;
		ret->compression = types[i].codec;
		if (types[i].level >= 0)
			ret->compression_level = (int)number_of(e, types[i].level);
	}
	/* gzip's -1 is what zlib takes for its default. */
	if (ret->compression == BATCH_GZIP && ret->compression_level == -1)
		ret->compression_level = COMPRESS_LEVEL_DEFAULT;
}

static void set_log(struct effective *e, struct log_config *log)
{
	struct config_value policy = effective(e, TOPIC_CONFIG_CLEANUP_POLICY);
	struct config_value internal = effective(e, TOPIC_CONFIG_INTERNAL_SEGMENT_BYTES);
	struct str ack = effective(e, TOPIC_CONFIG_SLUICE_ACK).text;

	*log = (struct log_config){
		.segment_bytes = (uint32_t)number_of(e, TOPIC_CONFIG_SEGMENT_BYTES),
		.segment_ms = number_of(e, TOPIC_CONFIG_SEGMENT_MS),
		.segment_jitter_ms = number_of(e, TOPIC_CONFIG_SEGMENT_JITTER_MS),
		.index_interval_bytes = (uint32_t)number_of(e, TOPIC_CONFIG_INDEX_INTERVAL_BYTES),
		.index_bytes = (uint32_t)number_of(e, TOPIC_CONFIG_SEGMENT_INDEX_BYTES),
		.retention_ms = number_of(e, TOPIC_CONFIG_RETENTION_MS),
		.retention_bytes = number_of(e, TOPIC_CONFIG_RETENTION_BYTES),
		.file_delete_delay_ms = number_of(e, TOPIC_CONFIG_FILE_DELETE_DELAY_MS),
		.flush_messages = number_of(e, TOPIC_CONFIG_FLUSH_MESSAGES),
		.flush_ms = number_of(e, TOPIC_CONFIG_FLUSH_MS),
		.producer_expiration_ms = config_int(e->broker, CONFIG_PRODUCER_ID_EXPIRATION_MS),
		.cleanup_delete = config_value_has(&policy, STR("delete")),
		.cleanup_compact = config_value_has(&policy, STR("compact")),
		.ack_synced = str_eq(ack, STR("synced")),
	};
	if (internal.text.data && internal.number > 0)
		log->segment_bytes = (uint32_t)internal.number;
}

void topic_config_build(const struct config *broker, struct config_layer topic,
                        struct topic_config *ret)
{
	struct effective e = { broker, topic, { 0 }, CONFIG_SCOPE_TOPIC };

	arena_init(&e.arena, SIZE_MAX / 2);
	*ret = (struct topic_config){
		.max_message_bytes = (uint32_t)number_of(&e, TOPIC_CONFIG_MAX_MESSAGE_BYTES),
		.append_time = str_eq(effective(&e, TOPIC_CONFIG_MESSAGE_TIMESTAMP_TYPE).text,
		                      STR("LogAppendTime")),
		.before_max_ms = number_of(&e, TOPIC_CONFIG_MESSAGE_TIMESTAMP_BEFORE_MAX_MS),
		.after_max_ms = number_of(&e, TOPIC_CONFIG_MESSAGE_TIMESTAMP_AFTER_MAX_MS),
		.min_insync_replicas = (int32_t)number_of(&e, TOPIC_CONFIG_MIN_INSYNC_REPLICAS),
		.unclean_leader_election =
			number_of(&e, TOPIC_CONFIG_UNCLEAN_LEADER_ELECTION_ENABLE),
		.preallocate = number_of(&e, TOPIC_CONFIG_PREALLOCATE),
		.remote_storage = number_of(&e, TOPIC_CONFIG_REMOTE_STORAGE_ENABLE),
		.min_cleanable_ratio = effective(&e, TOPIC_CONFIG_MIN_CLEANABLE_DIRTY_RATIO).real,
		.min_compaction_lag_ms = number_of(&e, TOPIC_CONFIG_MIN_COMPACTION_LAG_MS),
		.max_compaction_lag_ms = number_of(&e, TOPIC_CONFIG_MAX_COMPACTION_LAG_MS),
		.delete_retention_ms = number_of(&e, TOPIC_CONFIG_DELETE_RETENTION_MS),
	};
	set_log(&e, &ret->log);
	set_compression(&e, ret);
	arena_fini(&e.arena);
}

/* ---- one group ---- */

int config_group_synonym(enum group_config_id id)
{
	static const int16_t broker[] = {
		[GROUP_CONFIG_CONSUMER_ASSIGNMENT_INTERVAL_MS] =
			CONFIG_GROUP_CONSUMER_ASSIGNMENT_INTERVAL_MS,
		[GROUP_CONFIG_CONSUMER_HEARTBEAT_INTERVAL_MS] =
			CONFIG_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS,
		[GROUP_CONFIG_CONSUMER_SESSION_TIMEOUT_MS] =
			CONFIG_GROUP_CONSUMER_SESSION_TIMEOUT_MS,
		[GROUP_CONFIG_SHARE_ASSIGNMENT_INTERVAL_MS] =
			CONFIG_GROUP_SHARE_ASSIGNMENT_INTERVAL_MS,
		[GROUP_CONFIG_SHARE_AUTO_OFFSET_RESET] = -1,
		[GROUP_CONFIG_SHARE_DELIVERY_COUNT_LIMIT] = CONFIG_GROUP_SHARE_DELIVERY_COUNT_LIMIT,
		[GROUP_CONFIG_SHARE_HEARTBEAT_INTERVAL_MS] =
			CONFIG_GROUP_SHARE_HEARTBEAT_INTERVAL_MS,
		[GROUP_CONFIG_SHARE_ISOLATION_LEVEL] = -1,
		[GROUP_CONFIG_SHARE_PARTITION_MAX_RECORD_LOCKS] =
			CONFIG_GROUP_SHARE_PARTITION_MAX_RECORD_LOCKS,
		[GROUP_CONFIG_SHARE_RECORD_LOCK_DURATION_MS] =
			CONFIG_GROUP_SHARE_RECORD_LOCK_DURATION_MS,
		[GROUP_CONFIG_SHARE_RENEW_ACKNOWLEDGE_ENABLE] = -1,
		[GROUP_CONFIG_SHARE_SESSION_TIMEOUT_MS] = CONFIG_GROUP_SHARE_SESSION_TIMEOUT_MS,
		[GROUP_CONFIG_STREAMS_ASSIGNMENT_INTERVAL_MS] =
			CONFIG_GROUP_STREAMS_ASSIGNMENT_INTERVAL_MS,
		[GROUP_CONFIG_STREAMS_HEARTBEAT_INTERVAL_MS] =
			CONFIG_GROUP_STREAMS_HEARTBEAT_INTERVAL_MS,
		[GROUP_CONFIG_STREAMS_INITIAL_REBALANCE_DELAY_MS] =
			CONFIG_GROUP_STREAMS_INITIAL_REBALANCE_DELAY_MS,
		[GROUP_CONFIG_STREAMS_NUM_STANDBY_REPLICAS] =
			CONFIG_GROUP_STREAMS_NUM_STANDBY_REPLICAS,
		[GROUP_CONFIG_STREAMS_SESSION_TIMEOUT_MS] = CONFIG_GROUP_STREAMS_SESSION_TIMEOUT_MS,
	};

	_Static_assert(array_count(broker) == GROUP_CONFIG_COUNT, "a row for each group config");
	check((uint32_t)id < GROUP_CONFIG_COUNT);
	return broker[id];
}

void config_group_default(const struct config *c, enum group_config_id id, struct arena *arena,
                          struct config_value *ret)
{
	int synonym = config_group_synonym(id);

	if (synonym >= 0)
		*ret = c->value[synonym];
	else
		config_parse_default(&config_table(CONFIG_SCOPE_GROUP).key[id], arena, ret);
}

/* GroupConfig.evaluate: what a group was given stays within the broker's bounds, as they are now.
 */
static int32_t bounded(struct effective *e, int id, enum config_id low, enum config_id high)
{
	const struct config_key *key = &config_table(CONFIG_SCOPE_GROUP).key[id];
	int64_t value = number_of(e, id);

	if (!config_layer_value(e->own, str_of(key->name)).data)
		return (int32_t)value;
	if (low != CONFIG_COUNT && value < config_int(e->broker, low))
		value = config_int(e->broker, low);
	if (value > config_int(e->broker, high))
		value = config_int(e->broker, high);
	return (int32_t)value;
}

void group_config_build(const struct config *broker, struct config_layer group,
                        struct group_config *ret)
{
	struct effective e = { broker, group, { 0 }, CONFIG_SCOPE_GROUP };
	int kind = SHARE_RESET_LATEST;
	int64_t ms = 0;

	arena_init(&e.arena, SIZE_MAX / 2);
#define NUMBER(id) (int32_t) number_of(&e, GROUP_CONFIG_##id)
#define BOUNDED(group, what)                                                                       \
	bounded(&e, GROUP_CONFIG_##group##_##what, CONFIG_GROUP_##group##_MIN_##what,              \
	        CONFIG_GROUP_##group##_MAX_##what)
	*ret = (struct group_config){
		.consumer_session_timeout_ms = BOUNDED(CONSUMER, SESSION_TIMEOUT_MS),
		.consumer_heartbeat_interval_ms = BOUNDED(CONSUMER, HEARTBEAT_INTERVAL_MS),
		.consumer_assignment_interval_ms = BOUNDED(CONSUMER, ASSIGNMENT_INTERVAL_MS),
		.share_session_timeout_ms = BOUNDED(SHARE, SESSION_TIMEOUT_MS),
		.share_heartbeat_interval_ms = BOUNDED(SHARE, HEARTBEAT_INTERVAL_MS),
		.share_assignment_interval_ms = BOUNDED(SHARE, ASSIGNMENT_INTERVAL_MS),
		.share_record_lock_duration_ms = BOUNDED(SHARE, RECORD_LOCK_DURATION_MS),
		.share_delivery_count_limit = BOUNDED(SHARE, DELIVERY_COUNT_LIMIT),
		.share_partition_max_record_locks = BOUNDED(SHARE, PARTITION_MAX_RECORD_LOCKS),
		.share_read_committed =
			str_eq(effective(&e, GROUP_CONFIG_SHARE_ISOLATION_LEVEL).text,
		               STR("read_committed")),
		.share_renew_acknowledge = NUMBER(SHARE_RENEW_ACKNOWLEDGE_ENABLE),
		.streams_session_timeout_ms = BOUNDED(STREAMS, SESSION_TIMEOUT_MS),
		.streams_heartbeat_interval_ms = BOUNDED(STREAMS, HEARTBEAT_INTERVAL_MS),
		.streams_assignment_interval_ms = BOUNDED(STREAMS, ASSIGNMENT_INTERVAL_MS),
		.streams_initial_rebalance_delay_ms = NUMBER(STREAMS_INITIAL_REBALANCE_DELAY_MS),
		.streams_num_standby_replicas =
			bounded(&e, GROUP_CONFIG_STREAMS_NUM_STANDBY_REPLICAS, CONFIG_COUNT,
		                CONFIG_GROUP_STREAMS_MAX_STANDBY_REPLICAS),
	};
#undef BOUNDED
#undef NUMBER
	(void)config_parse_offset_reset(effective(&e, GROUP_CONFIG_SHARE_AUTO_OFFSET_RESET).text,
	                                &kind, &ms); /* it is good: it was parsed */
	ret->share_reset = (__typeof__(ret->share_reset))kind;
	ret->share_reset_ms = ms;
	arena_fini(&e.arena);
}

/* ---- share.auto.offset.reset ---- */

/* A sign, over which *s goes. */
static int take_sign(struct str *s)
{
	int sign = s->size && s->data[0] == '-' ? -1 : 1;

	if (s->size && (s->data[0] == '-' || s->data[0] == '+')) {
		s->data++;
		s->size--;
	}
	return sign;
}

/* Digits, over which *s goes; false: none, or too many. */
static bool take_digits(struct str *s, int64_t *ret)
{
	int64_t value = 0;
	uint32_t i = 0;

	for (; i < s->size && s->data[i] >= '0' && s->data[i] <= '9'; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, s->data[i] - '0', &value))
			return false;
	s->data += i;
	s->size -= i;
	*ret = value;
	return i;
}

/* ".5" behind seconds: at most nine digits, of which three count. */
static bool take_fraction(struct str *s, int64_t *ret_ms)
{
	uint32_t i = 1;
	int64_t scale = 100;

	*ret_ms = 0;
	for (; i < s->size && s->data[i] >= '0' && s->data[i] <= '9'; i++) {
		*ret_ms += (s->data[i] - '0') * scale;
		scale /= 10;
	}
	s->data += i;
	s->size -= i;
	return i <= 10;
}

/* One of nD, nH, nM, n.nS: the unit must come behind *unit. */
static bool take_part(struct str *s, int sign, uint32_t *unit, int64_t *sum)
{
	static const char names[] = "DHMS";
	static const int64_t ms[] = { 24 * (int64_t)HOUR_MS, HOUR_MS, MINUTE_MS, 1000 };
	int64_t fraction = 0;
	int64_t number;
	bool has_fraction;
	uint32_t i = *unit;

	sign *= take_sign(s);
	if (!take_digits(s, &number))
		return false;
	has_fraction = s->size && (s->data[0] == '.' || s->data[0] == ',');
	if (has_fraction && !take_fraction(s, &fraction))
		return false;
	while (i < 4 && !(s->size && (s->data[0] & ~0x20) == names[i]))
		i++;
	if (i == 4 || (has_fraction && i != 3) || (*unit == 0) != (i == 0) ||
	    __builtin_mul_overflow(number, ms[i], &number) ||
	    __builtin_add_overflow(number, fraction, &number) ||
	    __builtin_add_overflow(*sum, sign * number, sum))
		return false;
	s->data++;
	s->size--;
	*unit = i + 1;
	return true;
}

/* java.time.Duration: PnDTnHnMn.nS, any part left out but not all; not negative here. */
static bool parse_duration(struct str s, int64_t *ret_ms)
{
	int sign = take_sign(&s);
	uint32_t unit = 0;
	int64_t sum = 0;

	if (s.size < 3 || (s.data[0] & ~0x20) != 'P')
		return false;
	s.data++;
	s.size--;
	if ((s.data[0] & ~0x20) != 'T' && !take_part(&s, sign, &unit, &sum))
		return false;
	if (s.size) {
		if ((s.data[0] & ~0x20) != 'T' || s.size == 1)
			return false;
		s.data++;
		s.size--;
		unit = 1;
	}
	while (s.size)
		if (!take_part(&s, sign, &unit, &sum))
			return false;
	*ret_ms = sum;
	return sum >= 0;
}

bool config_parse_offset_reset(struct str text, int *ret_kind, int64_t *ret_ms)
{
	static const char prefix[] = "by_duration:";

	*ret_ms = 0;
	*ret_kind = SHARE_RESET_LATEST;
	if (str_eq(text, STR("latest")))
		return true;
	*ret_kind = SHARE_RESET_EARLIEST;
	if (str_eq(text, STR("earliest")))
		return true;
	*ret_kind = SHARE_RESET_DURATION;
	if (!str_starts(text, STR(prefix)))
		return false;
	text.data += sizeof(prefix) - 1;
	text.size -= (uint32_t)sizeof(prefix) - 1;
	return parse_duration(text, ret_ms);
}
