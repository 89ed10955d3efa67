/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "message_fill.h"
#include "wire/api_table.h"

/*
 * Bytes that Kafka itself wrote (selftests/golden/message/make.sh): both sides fill each message
 * with the same values, field by field, so these must be the same bytes and mean the same.
 */
enum { SEEDS = 6, PLENTY = 64 << 20 };

static struct buf golden(const char *name)
{
	struct buf b = { 0 };
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "selftests/golden/message/%s", name);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("%s: not found (run from the repository's root)", path);
	for (int c = fgetc(f); c != EOF; c = fgetc(f))
		*buf_extend(&b, 1) = (uint8_t)c;
	fclose(f);
	return b;
}

static const struct message *message_named(struct str name)
{
	for (size_t i = 0; i < wire_message_count; i++) {
		if (str_eq(str_of(wire_messages[i]->name), name))
			return wire_messages[i];
	}
	fail_msg("%.*s: not in our schema", STR_ARG(name));
	return NULL;
}

static void explain(const struct message *m, int16_t version, const void *want, const void *got)
{
	struct buf b = { 0 };

	message_json(m, version, want, &b);
	print_error("wanted %.*s\n", (int)b.size, (char *)b.data);
	b.size = 0;
	message_json(m, version, got, &b);
	print_error("got    %.*s\n", (int)b.size, (char *)b.data);
	buf_fini(&b);
}

static void same(const struct message *m, int16_t version, uint64_t seed, struct span theirs)
{
	struct reader r = reader_of(theirs.data, theirs.size);
	struct buf ours = { 0 };
	struct writer w = writer_of(&ours);
	struct arena arena;
	void *in, *out;

	arena_init(&arena, PLENTY);
	in = fill_message(m, version, seed, &arena);
	out = arena_alloc(&arena, m->size);
	if (message_decode(m, version, &r, &arena, out) || reader_left(&r))
		fail_msg("%s/%d seed %d: refused", m->name, version, (int)seed);
	if (!message_equal(m, in, out)) {
		explain(m, version, in, out);
		fail_msg("%s/%d seed %d: means something else", m->name, version, (int)seed);
	}
	message_encode(m, version, &w, in);
	/* The last seed's tags, which nobody knows, are not kept. */
	if (seed == SEEDS - 1 && version >= m->flexible)
		assert_true(ours.size < theirs.size);
	else if (ours.size != theirs.size ||
	         (ours.size && memcmp(ours.data, theirs.data, ours.size)))
		fail_msg("%s/%d seed %d: other bytes", m->name, version, (int)seed);
	buf_fini(&ours);
	arena_fini(&arena);
}

static void every_message_has_kafkas_bytes(void **state)
{
	struct buf file = golden("java.bin");
	struct reader r = reader_of(file.data, file.size);
	size_t count = 0, versions = 0;

	(void)state;
	for (; reader_left(&r); count++) {
		uint8_t size = reader_u8(&r);
		struct str name = { (const char *)reader_take(&r, size), size };
		const struct message *m = message_named(name);
		int16_t version = reader_u8(&r);

		assert_in_range(version, m->min, m->max);
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			uint16_t bytes = (uint16_t)reader_i16(&r);

			same(m, version, seed, (struct span){ reader_take(&r, bytes), bytes });
		}
	}
	assert_int_equal(r.err, 0);
	for (size_t i = 0; i < wire_message_count; i++)
		versions += (size_t)(wire_messages[i]->max - wire_messages[i]->min + 1);
	assert_int_equal(count, versions);
	buf_fini(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_has_kafkas_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
