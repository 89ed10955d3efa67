/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/producer_ids.h"

#include "base/mem.h"
#include "broker/controller_client.h"
#include "broker/metadata.h"
#include "wire/allocate_producer_ids.h"
#include "wire/api.h"
#include "wire/errors.h"

/* Ids left in the block when the next one is asked for: a tenth of it. */
enum { PREFETCH_LEFT = 100 };

struct producer_ids {
	struct metadata *metadata;
	int64_t next; /* of the block in use */
	int64_t end;
	int64_t spare_next; /* the block after it; empty: none yet */
	int64_t spare_end;
	bool under_way;
	struct controller_call call;
	struct allocate_producer_ids_request request;
	struct producer_id_request *waiting; /* oldest first */
	struct producer_id_request **waiting_end;
};

struct producer_ids *producer_ids_new(struct metadata *metadata)
{
	struct producer_ids *p = mem_zalloc(sizeof(*p));

	p->metadata = metadata;
	p->waiting_end = &p->waiting;
	return p;
}

void producer_ids_free(struct producer_ids *p)
{
	mem_free(p);
}

static void run_done(struct mail *mail)
{
	struct producer_id_request *request = container_of(mail, struct producer_id_request, mail);

	request->done(request);
}

static void answer(struct producer_id_request *request, int16_t error, int64_t id)
{
	request->error = error;
	request->id = id;
	request->mail = (struct mail){ .run = run_done };
	reactor_post(request->home, &request->mail);
}

static bool take_id(struct producer_ids *p, int64_t *ret)
{
	if (p->next == p->end) {
		p->next = p->spare_next;
		p->end = p->spare_end;
		p->spare_next = p->spare_end;
	}
	if (p->next == p->end)
		return false;
	*ret = p->next++;
	return true;
}

static struct producer_id_request *take_waiting(struct producer_ids *p)
{
	struct producer_id_request *request = p->waiting;

	if (!request)
		return NULL;
	p->waiting = request->next;
	if (!p->waiting)
		p->waiting_end = &p->waiting;
	return request;
}

static void ask(struct producer_ids *p);

static void on_block(struct controller_call *call)
{
	struct producer_ids *p = container_of(call, struct producer_ids, call);
	const struct allocate_producer_ids_response *response = call->response;
	int16_t error = call->error ? call->error : response->error_code;
	struct producer_id_request *request;
	int64_t id;

	p->under_way = false;
	if (!error) {
		p->spare_next = response->producer_id_start;
		p->spare_end = p->spare_next + response->producer_id_len;
	}
	controller_call_fini(call);
	while (p->waiting && take_id(p, &id))
		answer(take_waiting(p), WIRE_NONE, id);
	if (p->waiting && !error)
		ask(p);
	while (error && (request = take_waiting(p)))
		answer(request, WIRE_COORDINATOR_LOAD_IN_PROGRESS, -1);
}

static void ask(struct producer_ids *p)
{
	if (p->under_way || p->spare_next != p->spare_end)
		return;
	p->under_way = true;
	allocate_producer_ids_request_init(&p->request);
	p->request.broker_id = metadata_node_id(p->metadata);
	p->request.broker_epoch = metadata_broker_epoch(p->metadata);
	p->call = (struct controller_call){
		.api_key = API_ALLOCATE_PRODUCER_IDS,
		.request = &p->request,
		.done = on_block,
	};
	controller_send(p->metadata, &p->call);
}

static void on_request(struct mail *mail)
{
	struct producer_id_request *request = container_of(mail, struct producer_id_request, mail);
	struct producer_ids *p = request->from;
	int64_t id;

	if (!p->waiting && take_id(p, &id)) {
		answer(request, WIRE_NONE, id);
	} else {
		request->next = NULL;
		*p->waiting_end = request;
		p->waiting_end = &request->next;
	}
	if (p->end - p->next <= PREFETCH_LEFT)
		ask(p);
}

void producer_ids_take(struct producer_ids *p, struct producer_id_request *request)
{
	request->from = p;
	request->home = reactor_self();
	request->mail = (struct mail){ .run = on_request };
	reactor_post(0, &request->mail);
}
