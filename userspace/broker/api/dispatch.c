/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "broker/api.h"
#include "broker/api_admin.h"
#include "broker/call.h"

/*
 * Who answers what, by key; what is not here is not advertised.  Nothing but the table is in this
 * file: a test that needs other handlers brings its own.
 */
enum { ALL = -1 };
#define ON_BROKER     true, false
#define ON_CONTROLLER false, true
#define ON_BOTH       true, true

const struct api_handler api_handlers[] = {
	{ API_PRODUCE, ALL, ON_BROKER, api_produce },
	{ API_FETCH, ALL, ON_BROKER, api_fetch },
	{ API_LIST_OFFSETS, ALL, ON_BROKER, api_list_offsets },
	{ API_METADATA, ALL, ON_BROKER, api_metadata },
	{ API_OFFSET_COMMIT, ALL, ON_BROKER, api_offset_commit },
	{ API_OFFSET_FETCH, ALL, ON_BROKER, api_offset_fetch },
	{ API_FIND_COORDINATOR, ALL, ON_BROKER, api_find_coordinator },
	{ API_JOIN_GROUP, ALL, ON_BROKER, api_join_group },
	{ API_HEARTBEAT, ALL, ON_BROKER, api_heartbeat },
	{ API_LEAVE_GROUP, ALL, ON_BROKER, api_leave_group },
	{ API_SYNC_GROUP, ALL, ON_BROKER, api_sync_group },
	{ API_DESCRIBE_GROUPS, ALL, ON_BROKER, api_describe_groups },
	{ API_LIST_GROUPS, ALL, ON_BROKER, api_list_groups },
	{ API_API_VERSIONS, ALL, ON_BOTH, api_api_versions },
	{ API_CREATE_TOPICS, ALL, ON_BOTH, api_create_topics },
	{ API_DELETE_TOPICS, ALL, ON_BOTH, api_delete_topics },
	{ API_DELETE_RECORDS, ALL, ON_BROKER, api_delete_records },
	{ API_INIT_PRODUCER_ID, ALL, ON_BROKER, api_init_producer_id },
	{ API_OFFSET_FOR_LEADER_EPOCH, ALL, ON_BROKER, api_offset_for_leader_epoch },
	{ API_DESCRIBE_ACLS, ALL, ON_BOTH, api_describe_acls },
	{ API_CREATE_ACLS, ALL, ON_BOTH, api_create_acls },
	{ API_DELETE_ACLS, ALL, ON_BOTH, api_delete_acls },
	{ API_DESCRIBE_CONFIGS, ALL, ON_BOTH, api_describe_configs },
	{ API_ALTER_CONFIGS, ALL, ON_BOTH, api_alter_configs },
	{ API_ALTER_REPLICA_LOG_DIRS, ALL, ON_BROKER, api_alter_replica_log_dirs },
	{ API_DESCRIBE_LOG_DIRS, ALL, ON_BROKER, api_describe_log_dirs },
	{ API_CREATE_PARTITIONS, ALL, ON_BOTH, api_create_partitions },
	{ API_CREATE_DELEGATION_TOKEN, ALL, ON_BOTH, api_create_delegation_token },
	{ API_RENEW_DELEGATION_TOKEN, ALL, ON_BOTH, api_renew_delegation_token },
	{ API_EXPIRE_DELEGATION_TOKEN, ALL, ON_BOTH, api_expire_delegation_token },
	{ API_DESCRIBE_DELEGATION_TOKEN, ALL, ON_BOTH, api_describe_delegation_token },
	{ API_DELETE_GROUPS, ALL, ON_BROKER, api_delete_groups },
	{ API_ELECT_LEADERS, ALL, ON_BOTH, api_elect_leaders },
	{ API_INCREMENTAL_ALTER_CONFIGS, ALL, ON_BOTH, api_incremental_alter_configs },
	{ API_ALTER_PARTITION_REASSIGNMENTS, ALL, ON_BOTH, api_alter_partition_reassignments },
	{ API_LIST_PARTITION_REASSIGNMENTS, ALL, ON_BOTH, api_list_partition_reassignments },
	{ API_OFFSET_DELETE, ALL, ON_BROKER, api_offset_delete },
	{ API_DESCRIBE_CLIENT_QUOTAS, ALL, ON_BROKER, api_describe_client_quotas },
	{ API_ALTER_CLIENT_QUOTAS, ALL, ON_BOTH, api_alter_client_quotas },
	{ API_DESCRIBE_USER_SCRAM_CREDENTIALS, ALL, ON_BOTH, api_describe_user_scram_credentials },
	{ API_ALTER_USER_SCRAM_CREDENTIALS, ALL, ON_BOTH, api_alter_user_scram_credentials },
	{ API_DESCRIBE_QUORUM, ALL, ON_BOTH, api_describe_quorum },
	{ API_ALTER_PARTITION, ALL, ON_CONTROLLER, api_alter_partition },
	{ API_UPDATE_FEATURES, ALL, ON_BOTH, api_update_features },
	{ API_DESCRIBE_CLUSTER, ALL, ON_BOTH, api_describe_cluster },
	{ API_DESCRIBE_PRODUCERS, ALL, ON_BROKER, api_describe_producers },
	{ API_BROKER_REGISTRATION, ALL, ON_CONTROLLER, api_broker_registration },
	{ API_BROKER_HEARTBEAT, ALL, ON_CONTROLLER, api_broker_heartbeat },
	{ API_UNREGISTER_BROKER, ALL, ON_BOTH, api_unregister_broker },
	{ API_ALLOCATE_PRODUCER_IDS, ALL, ON_CONTROLLER, api_allocate_producer_ids },
	{ API_CONTROLLER_REGISTRATION, ALL, ON_CONTROLLER, api_controller_registration },
	{ API_GET_TELEMETRY_SUBSCRIPTIONS, ALL, ON_BROKER, api_get_telemetry_subscriptions },
	{ API_PUSH_TELEMETRY, ALL, ON_BROKER, api_push_telemetry },
	{ API_ASSIGN_REPLICAS_TO_DIRS, ALL, ON_CONTROLLER, api_assign_replicas_to_dirs },
	{ API_LIST_CONFIG_RESOURCES, ALL, ON_BROKER, api_list_config_resources },
	{ API_DESCRIBE_TOPIC_PARTITIONS, ALL, ON_BROKER, api_describe_topic_partitions },
};
const size_t api_handler_count = array_count(api_handlers);
