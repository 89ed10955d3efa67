/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_TOPIC_CONFIG_H
#define BROKER_TOPIC_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/config.h"
#include "store/log.h"

/*
 * The effective configs of one topic: its own over the broker's (LogConfig.fromProps over
 * KafkaConfig.extractLogConfigMap).
 */
struct topic_config {
	struct log_config log; /* segments, indexes, retention, flushing, cleanup, sluice.ack */
	uint32_t max_message_bytes;
	bool append_time; /* message.timestamp.type=LogAppendTime */
	int64_t before_max_ms;
	int64_t after_max_ms;
	int8_t compression;    /* enum batch_compression, -1: the producer's */
	int compression_level; /* of that codec; COMPRESS_LEVEL_DEFAULT: Kafka's */
	int32_t min_insync_replicas;
	bool unclean_leader_election;
	bool preallocate;
	bool remote_storage;
	double min_cleanable_ratio;
	int64_t min_compaction_lag_ms;
	int64_t max_compaction_lag_ms;
	int64_t delete_retention_ms;
};

/* A value that is not good (a metadata log of another version) counts as not there. */
void topic_config_build(const struct config *broker, struct config_layer topic,
                        struct topic_config *ret);

/*
 * Effective configs of a group: its own, within the broker's bounds, over the broker's
 * (GroupConfig.fromProps over extractGroupConfigMap, GroupConfig.evaluate).
 */
struct group_config {
	int32_t consumer_session_timeout_ms;
	int32_t consumer_heartbeat_interval_ms;
	int32_t consumer_assignment_interval_ms;
	int32_t share_session_timeout_ms;
	int32_t share_heartbeat_interval_ms;
	int32_t share_assignment_interval_ms;
	int32_t share_record_lock_duration_ms;
	int32_t share_delivery_count_limit;
	int32_t share_partition_max_record_locks;
	bool share_read_committed;
	bool share_renew_acknowledge;
	/* share.auto.offset.reset: latest, earliest, or so long ago */
	enum { SHARE_RESET_LATEST, SHARE_RESET_EARLIEST, SHARE_RESET_DURATION } share_reset;
	int64_t share_reset_ms;
	int32_t streams_session_timeout_ms;
	int32_t streams_heartbeat_interval_ms;
	int32_t streams_assignment_interval_ms;
	int32_t streams_initial_rebalance_delay_ms;
	int32_t streams_num_standby_replicas;
};

void group_config_build(const struct config *broker, struct config_layer group,
                        struct group_config *ret);

#endif
