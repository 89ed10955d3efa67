/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_API_GROUP_H
#define BROKER_API_GROUP_H

#include "broker/call.h"
#include "broker/groups.h"

/*
 * A request about one group: sent to its coordinator, answered with what that says.  Where there is
 * none, refuse(call, error) answers; refuse NULL: the response's own error code says it.
 */
void group_forward(struct call *call, enum group_event_type type, struct str group_id,
                   const void *request, void (*refuse)(struct call *call, int16_t error));

/* A request about several groups, or all: a part for each, together one answer. */
struct group_part {
	struct group_request request;
	struct call *call;
	struct coordinator_memory *memory; /* of the response, until group_parts_reply() */
};

/* The call's host as Kafka keeps it, "/127.0.0.1"; in the arena. */
struct str group_client_host(struct call *call);
void group_part_init(struct group_part *part, struct call *call, enum group_event_type type,
                     const void *request);
/*
 * Sends it; where there is no coordinator the part has its error at once.  call_part_done() in any
 * case, after call_begin_parts().
 */
void group_part_send(struct group_part *part, struct str group_id);
/*
 * Answers the call with what was made of its parts' responses (NULL: closes it), and lets go of
 * these: `count` parts, the first at `part`, each `size` bytes behind the one before.
 */
void group_parts_reply(struct call *call, const void *response, struct group_part *part,
                       uint32_t count, size_t size);

#endif
