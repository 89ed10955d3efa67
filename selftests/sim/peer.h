/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_H
#define PEER_H

#include <string.h>

#include "base/mem.h"
#include "sim.h"
#include "wire/api.h"
#include "wire/header.h"

/*
 * A Kafka client on the simulated network: one connection, few requests at a time.  What it knows
 * beyond its connection is the test's, in the memory of the world.
 */
enum { PEER_WAITS_MAX = 5 };

struct peer_wait { /* a request that waits for its answer */
	const struct wire_api *api;
	int16_t version;
	int32_t correlation;
};

struct peer {
	struct sim_client client;
	struct buf in;
	struct peer_wait wait[PEER_WAITS_MAX]; /* in order of asking */
	int wait_count;
	int32_t correlation;
	uint64_t answers;
	/* The body is borrowed.  May ask the next at once. */
	void (*answered)(struct peer *self, const void *body);
	/* The connection ended; a request that waited will not be answered. */
	void (*lost)(struct peer *self);
};

static void peer_take(struct peer *p, struct span frame)
{
	struct peer_wait wait = p->wait[0];
	const struct wire_api *api = wait.api;
	struct reader r = reader_of(frame.data, frame.size);
	struct response_header header;
	struct arena arena;
	void *body;

	sim_law(p->wait_count, "an answer to nothing");
	arena_init(&arena, SIZE_MAX);
	sim_law(!response_header_decode(&r, wire_response_header_version(api, wait.version), &arena,
	                                &header) &&
	                header.correlation_id == wait.correlation,
	        "%s: an answer to another request", api->name);
	body = arena_alloc(&arena, api->response->size);
	sim_law(!message_decode(api->response, wait.version, &r, &arena, body) && !reader_left(&r),
	        "%s: an answer that cannot be read", api->name);
	memmove(p->wait, p->wait + 1, sizeof(p->wait) - sizeof(p->wait[0]));
	p->wait_count--;
	p->answers++;
	p->answered(p, body);
	arena_fini(&arena);
}

static void peer_received(struct sim_client *client, const void *data, size_t size)
{
	struct peer *p = container_of(client, struct peer, client);
	size_t at = 0;

	buf_add(&p->in, data, size);
	while (p->in.size - at >= 4 && p->client.conn) {
		size_t frame = load_be32(p->in.data + at);

		if (p->in.size - at - 4 < frame)
			break;
		peer_take(p, (struct span){ p->in.data + at + 4, frame });
		at += 4 + frame;
	}
	if (at > p->in.size)
		at = p->in.size;
	memmove(p->in.data, p->in.data + at, p->in.size - at);
	p->in.size -= at;
}

static void peer_closed(struct sim_client *client)
{
	struct peer *p = container_of(client, struct peer, client);

	p->in.size = 0;
	p->wait_count = 0;
	p->lost(p);
}

static void peer_init(struct peer *p, void (*answered)(struct peer *self, const void *body),
                      void (*lost)(struct peer *self))
{
	*p = (struct peer){ .answered = answered, .lost = lost };
	p->client.received = peer_received;
	p->client.closed = peer_closed;
}

static bool peer_is_connected(const struct peer *p)
{
	return p->client.conn;
}

/* has_answer: of Produce with acks=0 there is none. */
static void peer_ask(struct peer *p, enum api_key key, int16_t version, const void *body,
                     bool has_answer)
{
	const struct wire_api *api = wire_api_find((int16_t)key);
	struct request_header header = {
		.request_api_key = api->key,
		.request_api_version = version,
		.correlation_id = ++p->correlation,
		.client_id = STR("peer"),
	};
	struct buf frame = { 0 };
	struct writer w = writer_of(&frame);

	check(p->wait_count < PEER_WAITS_MAX && peer_is_connected(p));
	(void)buf_extend(&frame, 4);
	request_header_encode(&w, wire_request_header_version(api, version), &header);
	message_encode(api->request, version, &w, body);
	store_be32(frame.data, (uint32_t)(frame.size - 4));
	if (has_answer)
		p->wait[p->wait_count++] = (struct peer_wait){ api, version, p->correlation };
	sim_client_send(&p->client, frame.data, frame.size);
	buf_fini(&frame);
}

#endif
