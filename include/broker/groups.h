/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_GROUPS_H
#define BROKER_GROUPS_H

#include <stdint.h>

#include "base/str.h"
#include "broker/coordinator.h"
#include "core/group.h"
#include "core/image.h"

/*
 * Groups, as machines attached to the partitions of `__consumer_offsets`
 * (kafka.coordinator.group.GroupCoordinatorService).
 */
struct broker;

/* The partition is one of `__consumer_offsets`. */
void groups_attach(struct broker *broker, struct partition *part);

/* The partition that a group's records are in (Java: Utils.abs(id.hashCode()) % count). */
int32_t groups_partition_of(struct str group_id, uint32_t partition_count);

/* One event for the shard of a group. */
struct group_request {
	/* in; what event.request points to stays until done() */
	struct group_event event; /* type, version, request, client id and host */
	void (*done)(struct group_request *self);

	/* out, in done(): as struct coordinator_request */
	int16_t error;
	const void *response;

	struct coordinator_request request; /* the module's own */
};

/*
 * reactor.  WIRE_NONE, and done() follows; else the group's partition is not here:
 * COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
 */
int16_t groups_send(struct broker *broker, struct str group_id, struct group_request *request);
/* The same for one shard, whatever its groups. */
void groups_send_to(struct partition *part, struct group_request *request);

/* reactor.  The broker's dynamic configs changed. */
void groups_configure(struct broker *broker, const struct config *config);
/* reactor.  The topic is gone: so are its offsets. */
void groups_topic_deleted(struct broker *broker, const struct image_topic *topic);

/* reactor.  Each partition of `__consumer_offsets` that this broker leads. */
void groups_each(struct broker *broker, void (*each)(void *arg, struct partition *part), void *arg);

#endif
