/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of groups share, and those that are nothing but one question to one group. */
#include "group.h"

#include "admin.h"
#include "base/mem.h"
#include "broker/api.h"
#include "wire/heartbeat.h"
#include "wire/join_group.h"
#include "wire/leave_group.h"
#include "wire/sync_group.h"

/* ---- one group ---- */

struct forward {
	struct group_request request;
	struct call *call;
	void (*refuse)(struct call *call, int16_t error);
};

static void refuse_plainly(struct call *call, int16_t error)
{
	const void *response = admin_error_response(call, error, (struct str){ NULL, 0 });

	if (response)
		call_reply(call, response);
	else
		call_close(call);
}

static void refuse(struct forward *f, int16_t error)
{
	if (f->refuse)
		f->refuse(f->call, error);
	else
		refuse_plainly(f->call, error);
}

static void on_answer(struct group_request *request)
{
	struct forward *f = container_of(request, struct forward, request);

	if (request->error)
		refuse(f, request->error);
	else
		call_reply(f->call, request->response);
}

struct str group_client_host(struct call *call)
{
	return arena_printf(&call->arena, "/%s", call->peer.host);
}

void group_forward(struct call *call, enum group_event_type type, struct str group_id,
                   const void *request, void (*refuse_with)(struct call *call, int16_t error))
{
	struct forward *f = arena_zalloc(&call->arena, sizeof(*f));
	int16_t error;

	if (!f) {
		call_close(call);
		return;
	}
	f->call = call;
	f->refuse = refuse_with;
	f->request.done = on_answer;
	f->request.event = (struct group_event){
		.type = type,
		.version = call->version,
		.request = request,
		.client_id = call->client_id.data ? call->client_id : STR(""),
		.client_host = group_client_host(call),
	};
	error = groups_send(call->broker, group_id, &f->request);
	if (error)
		refuse(f, error);
}

void api_join_group(struct call *call)
{
	const struct join_group_request *r = call->request;

	group_forward(call, GROUP_JOIN, r->group_id, r, NULL);
}

void api_sync_group(struct call *call)
{
	const struct sync_group_request *r = call->request;

	group_forward(call, GROUP_SYNC, r->group_id, r, NULL);
}

void api_heartbeat(struct call *call)
{
	const struct heartbeat_request *r = call->request;

	group_forward(call, GROUP_HEARTBEAT, r->group_id, r, NULL);
}

void api_leave_group(struct call *call)
{
	const struct leave_group_request *r = call->request;

	group_forward(call, GROUP_LEAVE, r->group_id, r, NULL);
}

/* ---- several groups ---- */

static void on_part_answer(struct group_request *request)
{
	struct group_part *part = container_of(request, struct group_part, request);

	part->memory = coordinator_memory_get(request->request.memory);
	call_part_done(part->call);
}

/* The parts may be gone with the call as soon as it is answered, but until then they are needed. */
void group_parts_reply(struct call *call, const void *response, struct group_part *part,
                       uint32_t count, size_t size)
{
	struct coordinator_memory **memory = mem_array(count, sizeof(struct coordinator_memory *));
	char *at = (char *)part;

	for (uint32_t i = 0; i < count; i++)
		memory[i] = ((struct group_part *)(void *)(at + i * size))->memory;
	if (response)
		call_reply(call, response);
	else
		call_close(call);
	for (uint32_t i = 0; i < count; i++)
		coordinator_memory_put(memory[i]);
	mem_free(memory);
}

void group_part_init(struct group_part *part, struct call *call, enum group_event_type type,
                     const void *request)
{
	*part = (struct group_part){
		.request = { .done = on_part_answer,
		             .event = { .type = type,
		                        .version = call->version,
		                        .request = request,
		                        .client_id =
		                                call->client_id.data ? call->client_id : STR(""),
		                        .client_host = STR("") } },
		.call = call,
	};
}

void group_part_send(struct group_part *part, struct str group_id)
{
	part->request.error = groups_send(part->call->broker, group_id, &part->request);
	if (part->request.error)
		call_part_done(part->call);
}
