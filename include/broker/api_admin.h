/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_API_ADMIN_HANDLERS_H
#define BROKER_API_ADMIN_HANDLERS_H

#include "broker/call.h"

/*
 * Handlers of what the controller decides and of what is read off the metadata image: rows of the
 * table in broker/call.h.
 */

/* On both listeners: */
void api_create_topics(struct call *call);
void api_delete_topics(struct call *call);
void api_create_partitions(struct call *call);
void api_describe_configs(struct call *call);
void api_alter_configs(struct call *call);
void api_incremental_alter_configs(struct call *call);
void api_elect_leaders(struct call *call);
void api_alter_partition_reassignments(struct call *call);
void api_list_partition_reassignments(struct call *call);
void api_alter_client_quotas(struct call *call);
void api_update_features(struct call *call);
void api_unregister_broker(struct call *call);
void api_describe_cluster(struct call *call);
void api_describe_quorum(struct call *call);
void api_describe_acls(struct call *call);
void api_create_acls(struct call *call);
void api_delete_acls(struct call *call);
void api_create_delegation_token(struct call *call);
void api_renew_delegation_token(struct call *call);
void api_expire_delegation_token(struct call *call);
void api_describe_delegation_token(struct call *call);
void api_describe_user_scram_credentials(struct call *call);
void api_alter_user_scram_credentials(struct call *call);
/* On the broker's: */
void api_describe_topic_partitions(struct call *call);
void api_list_config_resources(struct call *call);
void api_describe_client_quotas(struct call *call);
/* On the controller's: */
void api_broker_registration(struct call *call);
void api_broker_heartbeat(struct call *call);
void api_controller_registration(struct call *call);
void api_alter_partition(struct call *call);
void api_allocate_producer_ids(struct call *call);
void api_assign_replicas_to_dirs(struct call *call);

#endif
