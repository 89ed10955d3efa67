/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "wire/api_table.h"

/*
 * Any bytes as any message at any version: two bytes choose the message, one the version.  What is
 * accepted is encoded, and that must be accepted again and be the same; it is no longer than what
 * came, as encoding leaves out what decoding does not keep.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_LIMIT = 1 << 22 };

static void meet(const struct message *m, int16_t version, struct span bytes, struct arena *arena)
{
	void *first = arena_alloc(arena, m->size);
	void *second = arena_alloc(arena, m->size);
	struct reader r = reader_of(bytes.data, bytes.size);
	struct buf out = { 0 }, json = { 0 };
	struct writer w = writer_of(&out);
	int err = message_decode(m, version, &r, arena, first);

	check(!err || err == -EBADMSG || err == -ENOMEM);
	check(arena->used <= ARENA_LIMIT);
	if (err)
		return;
	check(!message_unsupported(m, version, first));
	message_json(m, version, first, &json);
	message_encode(m, version, &w, first);
	check(out.size <= bytes.size - reader_left(&r));
	check(out.size == message_size(m, version, first));
	r = reader_of(out.data, out.size);
	err = message_decode(m, version, &r, arena, second);
	check(err == -ENOMEM || (!err && !reader_left(&r) && message_equal(m, first, second)));
	buf_fini(&out);
	buf_fini(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct message *m;
	struct arena arena;
	int16_t version;

	if (size < 3)
		return 0;
	m = wire_messages[load_be16(data) % wire_message_count];
	version = (int16_t)(m->min + data[2] % (m->max - m->min + 1));
	arena_init(&arena, ARENA_LIMIT);
	meet(m, version, (struct span){ data + 3, size - 3 }, &arena);
	arena_fini(&arena);
	return 0;
}
