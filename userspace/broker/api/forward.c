/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"
#include "base/mem.h"
#include "wire/alter_partition_reassignments.h"
#include "wire/create_partitions.h"
#include "wire/create_topics.h"
#include "wire/delete_topics.h"
#include "wire/elect_leaders.h"

/* A request on its way through the controller; it may outlive the call's connection. */
struct forward {
	struct controller_call controller;
	struct call *call;
	void (*reply)(struct call *call, const void *response);
};

static void on_answer(struct controller_call *controller)
{
	struct forward *f = container_of(controller, struct forward, controller);
	struct call *call = f->call;
	const void *response = controller->response;

	if (controller->error)
		response = admin_error_response(call, controller->error, controller->message);
	if (!response)
		call_close(call);
	else if (f->reply)
		f->reply(call, response);
	else
		call_reply(call, response);
	controller_call_fini(controller);
	mem_free(f);
}

void admin_forward(struct call *call, const void *request,
                   void (*reply)(struct call *call, const void *response))
{
	struct forward *f = mem_zalloc(sizeof(*f));

	f->call = call;
	f->reply = reply;
	f->controller.api_key = call->api->key;
	f->controller.version = call->version;
	f->controller.request = request ? request : call->request;
	f->controller.principal = call->principal;
	f->controller.done = on_answer;
	controller_send(call->broker->metadata, &f->controller);
}

static void refuse(struct call *call, int16_t error, struct str message)
{
	const void *response = admin_error_response(call, error, message);

	if (response)
		call_reply(call, response);
	else
		call_close(call);
}

/*
 * A request whose time is over before it comes: Kafka's controller takes it from its queue, does
 * not look at it, and says no more than the error.
 */
static void forward_in_time(struct call *call, int32_t timeout_ms)
{
	if (timeout_ms > 0)
		admin_forward(call, NULL, NULL);
	else
		refuse(call, WIRE_REQUEST_TIMED_OUT, (struct str){ NULL, 0 });
}

void api_create_topics(struct call *call)
{
	forward_in_time(call, CALL_REQUEST(call, create_topics_request)->timeout_ms);
}

void api_delete_topics(struct call *call)
{
	const struct config *c = broker_config(call->broker);

	if (c && !config_bool(c, CONFIG_DELETE_TOPIC_ENABLE)) {
		refuse(call,
		       call->version < 3 ? WIRE_INVALID_REQUEST : WIRE_TOPIC_DELETION_DISABLED,
		       STR("Topic deletion is disabled."));
		return;
	}
	forward_in_time(call, CALL_REQUEST(call, delete_topics_request)->timeout_ms);
}

void api_create_partitions(struct call *call)
{
	forward_in_time(call, CALL_REQUEST(call, create_partitions_request)->timeout_ms);
}

void api_elect_leaders(struct call *call)
{
	forward_in_time(call, CALL_REQUEST(call, elect_leaders_request)->timeout_ms);
}

void api_alter_partition_reassignments(struct call *call)
{
	forward_in_time(call,
	                CALL_REQUEST(call, alter_partition_reassignments_request)->timeout_ms);
}

void api_list_partition_reassignments(struct call *call)
{
	admin_forward(call, NULL, NULL); /* in Kafka too its timeout means nothing */
}

void api_alter_client_quotas(struct call *call)
{
	admin_forward(call, NULL, NULL);
}

void api_alter_user_scram_credentials(struct call *call)
{
	admin_forward(call, NULL, NULL);
}

void api_update_features(struct call *call)
{
	admin_forward(call, NULL, NULL);
}

void api_unregister_broker(struct call *call)
{
	admin_forward(call, NULL, NULL);
}

void api_broker_registration(struct call *call)
{
	admin_forward(call, NULL, NULL);
}

void api_broker_heartbeat(struct call *call)
{
	admin_forward(call, NULL, NULL);
}

void api_controller_registration(struct call *call)
{
	admin_forward(call, NULL, NULL);
}

void api_alter_partition(struct call *call)
{
	admin_forward(call, NULL, NULL);
}

void api_allocate_producer_ids(struct call *call)
{
	admin_forward(call, NULL, NULL);
}

void api_assign_replicas_to_dirs(struct call *call)
{
	admin_forward(call, NULL, NULL);
}
