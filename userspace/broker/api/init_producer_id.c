/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/api.h"
#include "broker/broker.h"
#include "broker/producer_ids.h"
#include "wire/batch.h"
#include "wire/init_producer_id.h"

/*
 * KafkaApis.handleInitProducerIdRequest, TransactionCoordinator.handleInitProducerId.  Who has no
 * transactional id gets a new producer id each time, whatever he had before.
 */
struct taking {
	struct producer_id_request request;
	struct call *call;
};

static void reply(struct call *call, int16_t error, int64_t producer_id)
{
	struct init_producer_id_response response;

	init_producer_id_response_init(&response);
	response.error_code = error;
	response.producer_id = error ? BATCH_NO_PRODUCER_ID : producer_id;
	response.producer_epoch = error ? BATCH_NO_PRODUCER_EPOCH : 0;
	call_reply(call, &response);
}

static void on_taken(struct producer_id_request *request)
{
	reply(container_of(request, struct taking, request)->call, request->error, request->id);
}

/*
 * What the transaction coordinator says before it looks for the transaction; and that there is
 * none on this broker yet.
 */
static int16_t transactional_error(const struct call *call,
                                   const struct init_producer_id_request *r)
{
	const struct config *config = broker_config(call->broker);

	if (!r->transactional_id.size)
		return WIRE_INVALID_REQUEST;
	if (r->enable2_pc && !config_bool(config, CONFIG_TRANSACTION_TWO_PHASE_COMMIT_ENABLE))
		return WIRE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (r->keep_prepared_txn)
		return WIRE_UNSUPPORTED_VERSION;
	if (!r->enable2_pc &&
	    (r->transaction_timeout_ms <= 0 ||
	     r->transaction_timeout_ms > config_int(config, CONFIG_TRANSACTION_MAX_TIMEOUT_MS)))
		return WIRE_INVALID_TRANSACTION_TIMEOUT;
	return WIRE_COORDINATOR_NOT_AVAILABLE;
}

void api_init_producer_id(struct call *call)
{
	const struct init_producer_id_request *r = call->request;
	struct taking *t;

	if ((r->producer_id == BATCH_NO_PRODUCER_ID) !=
	    (r->producer_epoch == BATCH_NO_PRODUCER_EPOCH)) {
		reply(call, WIRE_INVALID_REQUEST, BATCH_NO_PRODUCER_ID);
		return;
	}
	if (r->transactional_id.data) {
		reply(call, transactional_error(call, r), BATCH_NO_PRODUCER_ID);
		return;
	}
	t = arena_zalloc(&call->arena, sizeof(*t));
	if (!t) {
		call_close(call);
		return;
	}
	t->call = call;
	t->request.done = on_taken;
	producer_ids_take(call->broker->producer_ids, &t->request);
}
