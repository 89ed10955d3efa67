/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "conn_private.h"
#include "wire/header.h"

/* ---- who answers what ---- */

const struct api_handler *api_handler_find(int16_t key, bool controller)
{
	size_t low = 0;
	size_t high = api_handler_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct api_handler *h = &api_handlers[middle];

		if (h->key == key)
			return (controller ? h->on_controller : h->on_broker) ? h : NULL;
		if (h->key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

int16_t api_handler_max(const struct api_handler *h)
{
	const struct wire_api *api = wire_api_find(h->key);
	int16_t stable;

	check(api);
	stable = (int16_t)(api->request->max - api->latest_unstable);
	return h->max >= 0 && h->max < stable ? h->max : stable;
}

/* ---- a request becomes a call ---- */

/* NULL: refused.  Any version of ApiVersions is let in: it is how a client learns of versions. */
static const struct api_handler *admit(struct conn *c, const uint8_t *data, size_t size)
{
	const struct api_handler *h;
	const struct wire_api *api;
	int16_t key;
	int16_t version;

	if (size < 4) {
		conn_broken(c, "a request of %zu bytes", size);
		return NULL;
	}
	key = (int16_t)load_be16(data);
	version = (int16_t)load_be16(data + 2);
	api = wire_api_find(key);
	if (!api) {
		conn_broken(c, "a request of the unknown API %d", key);
		return NULL;
	}
	h = api_handler_find(key, c->listener->call.is_controller);
	if (!h) {
		conn_broken(c, "%s, which the listener %.*s does not serve", api->name,
		            STR_ARG(c->listener->call.name));
		return NULL;
	}
	if (key != API_API_VERSIONS &&
	    (version < api->request->min || version > api_handler_max(h))) {
		conn_broken(c, "%s of version %d; served are %d to %d", api->name, version,
		            api->request->min, api_handler_max(h));
		return NULL;
	}
	return h;
}

static int decode(struct call *call, const uint8_t *data, size_t size)
{
	const struct message *m = call->api->request;
	struct reader r = reader_of(data, size);
	struct request_header header;
	int err;

	err = request_header_decode(&r, wire_request_header_version(call->api, call->version),
	                            &call->arena, &header);
	if (err)
		return err;
	call->correlation_id = header.correlation_id;
	call->client_id = header.client_id;
	if (!wire_api_has(call->api, call->version)) {
		call->version = 0;
		return 0;
	}
	call->request = arena_alloc(&call->arena, m->size);
	if (!call->request)
		return -ENOMEM;
	err = message_decode(m, call->version, &r, &call->arena, call->request);
	if (!err && reader_left(&r))
		shard_count(call->shard, SHARD_TRAILING);
	return err;
}

/* A small request must not keep the chunk it came in while it waits. */
static const uint8_t *keep(struct call *call, const uint8_t *data, size_t size, struct frame *frame)
{
	uint8_t *copy;

	if (size >= LIMIT_CALL_COPY_BYTES) {
		call->frame = frame_get(frame);
		return data;
	}
	copy = arena_alloc(&call->arena, size);
	check(copy); /* LIMIT_DECODE_BYTES_BASE has room for it */
	memcpy(copy, data, size);
	return copy;
}

static void count(struct call *call, size_t size)
{
	struct api_meter *meter = metrics_api(metrics_of(call->home), call->api);
	uint16_t version = (uint16_t)call->version;

	counter_add(&meter->request[version < API_METER_VERSIONS ? version : 0], 1);
	counter_add(&meter->bytes_in, size);
	call->meter = meter;
}

static void trace(const struct conn *c, const struct call *call)
{
	char client[80];

	if (diag_may_show(DIAG_TRACE))
		diag_trace("call", "%s:%u: %s %d, %u bytes, client \"%s\"", c->peer.host,
		           c->peer.port, call->api->name, call->version, call->frame_size,
		           diag_escape(client, sizeof(client), call->client_id));
}

bool dispatch(struct conn *c, const uint8_t *data, size_t size, struct frame *frame)
{
	const struct api_handler *h = admit(c, data, size);
	struct call *call;
	int err;

	if (!h)
		return false;
	call = call_new(c, size);
	call->api = wire_api_find(h->key);
	call->version = (int16_t)load_be16(data + 2);
	err = decode(call, keep(call, data, size, frame), size);
	if (err) {
		conn_broken(c, "%s of version %d, %zu bytes, cannot be read: %s", call->api->name,
		            call->version, size,
		            err == -ENOMEM ? "it needs too much memory"
		                           : "it is cut short or damaged");
		call_end(call);
		return false;
	}
	count(call, size);
	c->runs_produce = h->key == API_PRODUCE;
	call->arena.limit = call->arena.used + LIMIT_ANSWER_ARENA_BYTES;
	shard_count(c->shard, SHARD_REQUESTS);
	trace(c, call);
	h->run(call);
	return true;
}
