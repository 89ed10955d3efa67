/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_API_H
#define BROKER_API_H

#include "broker/call.h"

/* The handlers that there are, one of each API: userspace/broker/api/NOUN.c. */
void api_api_versions(struct call *call);
void api_produce(struct call *call);
void api_fetch(struct call *call);
void api_list_offsets(struct call *call);
void api_metadata(struct call *call);
void api_offset_for_leader_epoch(struct call *call);
void api_init_producer_id(struct call *call);
void api_delete_records(struct call *call);
void api_describe_log_dirs(struct call *call);
void api_alter_replica_log_dirs(struct call *call);
void api_describe_producers(struct call *call);
void api_find_coordinator(struct call *call);
void api_join_group(struct call *call);
void api_sync_group(struct call *call);
void api_heartbeat(struct call *call);
void api_leave_group(struct call *call);
void api_offset_commit(struct call *call);
void api_offset_fetch(struct call *call);
void api_offset_delete(struct call *call);
void api_describe_groups(struct call *call);
void api_list_groups(struct call *call);
void api_delete_groups(struct call *call);
void api_get_telemetry_subscriptions(struct call *call);
void api_push_telemetry(struct call *call);

#endif
