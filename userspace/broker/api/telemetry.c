/* SPDX-License-Identifier: Apache-2.0 */
/* GetTelemetrySubscriptions, PushTelemetry (KIP-714). */
#include "broker/telemetry.h"

#include "broker/api.h"
#include "broker/broker.h"
#include "broker/conn.h"
#include "broker/diag.h"
#include "io/work.h"
#include "store/compress.h"
#include "wire/batch.h"
#include "wire/get_telemetry_subscriptions.h"
#include "wire/push_telemetry.h"

struct asking {
	struct call *call;
	struct telemetry_request request;
	struct job job; /* decompresses what was pushed */
	size_t output_max;
};

/* What a client is that did not say (ClientInformation.EMPTY). */
static struct str said(struct str text)
{
	return text.size ? text : STR("unknown");
}

/* On reactor 0: the call goes on at home. */
static void on_done(struct telemetry_request *r)
{
	call_part_done(container_of(r, struct asking, request)->call);
}

static struct asking *asking_new(struct call *call, struct uuid instance)
{
	struct asking *a = arena_zalloc(&call->arena, sizeof(*a));

	call->user = a;
	if (!a) {
		call_close(call);
		return NULL;
	}
	a->call = call;
	a->request = (struct telemetry_request){
		.instance = instance,
		.client = {
			.client_id = call->client_id,
			.software_name = said(call_software(call).name),
			.software_version = said(call_software(call).version),
			.host = str_of(call->peer.host),
			.port = call->peer.port,
		},
		.done = on_done,
	};
	return a;
}

/* The instance ends with the connection that it was made for. */
static void note_instance(struct call *call, const struct telemetry_request *r)
{
	if (r->is_new && !call_owns_instance(call, r->instance))
		telemetry_forget(call->broker->telemetry, r->instance);
}

static void reply_subscriptions(struct call *call)
{
	static int8_t accepted[] = { BATCH_ZSTD, BATCH_LZ4, BATCH_GZIP, BATCH_SNAPPY };
	struct asking *a = call->user;
	struct telemetry_request *r = &a->request;
	struct telemetry_metrics *metrics = r->metrics;
	struct get_telemetry_subscriptions_response response;

	note_instance(call, r);
	get_telemetry_subscriptions_response_init(&response);
	response.error_code = r->error;
	if (metrics) {
		response.client_instance_id = r->instance;
		response.subscription_id = r->subscription_id;
		response.accepted_compression_types = accepted;
		response.accepted_compression_types_count = array_count(accepted);
		response.push_interval_ms = r->push_interval_ms;
		response.telemetry_max_bytes =
			config_int(broker_config(call->broker), CONFIG_TELEMETRY_MAX_BYTES);
		response.delta_temporality = true;
		response.requested_metrics = metrics->name;
		response.requested_metrics_count = metrics->count;
	}
	call_reply(call, &response);
	if (metrics)
		object_put(&metrics->object);
}

void api_get_telemetry_subscriptions(struct call *call)
{
	const struct get_telemetry_subscriptions_request *r = call->request;
	struct asking *a = asking_new(call, r->client_instance_id);

	if (!a)
		return;
	call_begin_parts(call, 1, reply_subscriptions);
	telemetry_ask(call->broker->telemetry, &a->request);
}

static void reply_push(struct call *call)
{
	const struct asking *a = call->user;
	const struct push_telemetry_request *r = call->request;
	struct push_telemetry_response response;

	if (!a->request.error) {
		telemetry_pushed(call->broker->telemetry, a->request.size);
		diag_debug("telemetry", "%s:%u pushed %u bytes (%s)", call->peer.host,
		           call->peer.port, a->request.size, compress_name(r->compression_type));
	}
	push_telemetry_response_init(&response);
	response.error_code = a->request.error;
	call_reply(call, &response);
}

static int drop(struct compress_sink *sink, struct span piece)
{
	(void)sink;
	(void)piece;
	return 0;
}

static void run_decompress(struct job *job)
{
	struct asking *a = container_of(job, struct asking, job);
	const struct push_telemetry_request *r = a->call->request;
	struct compress_scratch scratch = { 0 };
	struct compress_sink sink = { drop };

	if (compress_decode(&scratch, (enum batch_compression)r->compression_type, r->metrics,
	                    a->output_max, &sink))
		a->request.error = WIRE_INVALID_RECORD;
	compress_scratch_fini(&scratch);
}

static void on_decompressed(struct job *job)
{
	call_part_done(container_of(job, struct asking, job)->call);
}

/* Nobody reads it, but who pushes is told whether it could be read: in Kafka the receiver does. */
static void look_at_push(struct call *call)
{
	struct asking *a = call->user;
	const struct push_telemetry_request *r = call->request;

	note_instance(call, &a->request);
	if (a->request.error || !r->metrics.size || r->compression_type == BATCH_NONE) {
		reply_push(call);
		return;
	}
	a->output_max = (size_t)config_int(broker_config(call->broker), CONFIG_TELEMETRY_MAX_BYTES);
	a->job.run = run_decompress;
	a->job.done = on_decompressed;
	call_begin_parts(call, 1, reply_push);
	work_submit(WORK_FAST, &a->job);
}

void api_push_telemetry(struct call *call)
{
	const struct push_telemetry_request *r = call->request;
	struct asking *a = asking_new(call, r->client_instance_id);

	if (!a)
		return;
	a->request.is_push = true;
	a->request.subscription_id = r->subscription_id;
	a->request.is_terminating = r->terminating;
	a->request.compression = r->compression_type;
	a->request.size = (uint32_t)r->metrics.size;
	call_begin_parts(call, 1, look_at_push);
	telemetry_ask(call->broker->telemetry, &a->request);
}
