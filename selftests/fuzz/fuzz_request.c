/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/mem.h"
#include "broker/limits.h"
#include "wire/api.h"
#include "wire/api_table.h"
#include "wire/header.h"

/*
 * The bytes are a request frame, as a peer may send it; and once more with its API and version
 * chosen by their first two bytes, so that every one is reached soon.  Memory is bounded by the
 * size of the frame, as for a call.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was decoded can be said again, and then means the same. */
static void say_again(const struct message *m, int16_t version, const void *body, size_t limit)
{
	struct buf once = { 0 }, twice = { 0 }, json = { 0 };
	struct writer w = writer_of(&once);
	struct arena arena;
	struct reader r;
	void *again;

	message_encode(m, version, &w, body);
	check(message_size(m, version, body) == once.size);
	r = reader_of(once.data, once.size);
	arena_init(&arena, limit);
	again = arena_alloc(&arena, m->size);
	check(again);
	check(!message_decode(m, version, &r, &arena, again) && !reader_left(&r));
	check(message_equal(m, body, again));
	w = writer_of(&twice);
	message_encode(m, version, &w, again);
	check(twice.size == once.size && (!once.size || !memcmp(twice.data, once.data, once.size)));
	message_json(m, version, body, &json);
	buf_fini(&once);
	buf_fini(&twice);
	buf_fini(&json);
	arena_fini(&arena);
}

static size_t decode_limit(size_t size)
{
	return LIMIT_DECODE_BYTES_BASE + LIMIT_DECODE_BYTES_FACTOR * size;
}

static void try_frame(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);
	struct request_header header;
	const struct wire_api *api;
	struct arena arena;
	int16_t version, header_version;
	void *body;

	api = size < 4 ? NULL : wire_api_find((int16_t)load_be16(data));
	if (!api)
		return;
	version = (int16_t)load_be16(data + 2);
	header_version = wire_request_header_version(api, version);
	arena_init(&arena, decode_limit(size));
	if (!request_header_decode(&r, header_version, &arena, &header) &&
	    wire_api_has(api, version)) {
		say_again(&request_header_message, header_version, &header, arena.limit);
		body = arena_alloc(&arena, api->request->size);
		check(body);
		if (!message_decode(api->request, version, &r, &arena, body))
			say_again(api->request, version, body, 2 * arena.limit);
	}
	check(arena.used <= arena.limit);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct message *m;
	uint8_t *frame;

	try_frame(data, size);
	if (size < 4)
		return 0;
	m = wire_apis[data[0] % wire_api_count].request;
	frame = mem_dup(data, size); /* of this size, so that a read behind it is seen */
	store_be16(frame, (uint16_t)m->id);
	store_be16(frame + 2, (uint16_t)(m->min + data[1] % (m->max - m->min + 1)));
	try_frame(frame, size);
	mem_free(frame);
	return 0;
}
