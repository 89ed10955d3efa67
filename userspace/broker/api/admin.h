/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_API_ADMIN_H
#define BROKER_API_ADMIN_H

#include "broker/api_admin.h"
#include "broker/broker.h"
#include "broker/call.h"
#include "broker/config_admin.h"
#include "broker/controller_client.h"
#include "broker/metadata.h"

/*
 * What everybody may do while nobody is asked who he is: the bits of AclOperation that a resource
 * of the type knows (Kafka: AclEntry.supportedOperations).
 */
enum {
	ADMIN_TOPIC_OPERATIONS = 0xdf8,
	ADMIN_CLUSTER_OPERATIONS = 0x1fa0,
};

/*
 * Sends the call's own request, or `request` in its place, to the controller; reply(call, response)
 * then runs with the controller's response, or one made of its error.  reply NULL: it is the
 * answer as it stands.
 */
void admin_forward(struct call *call, const void *request,
                   void (*reply)(struct call *call, const void *response));
/* The API's response to a request that failed as a whole, in the call's arena; NULL: no memory. */
void *admin_error_response(struct call *call, int16_t error, struct str message);

/* reactor, at home, for this turn. */
struct config_admin admin_config(struct call *call);

#endif
