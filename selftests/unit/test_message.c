/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "message_fill.h"
#include "wire/api_table.h"
#include "wire/fetch.h"
#include "wire/metadata.h"
#include "wire/vote.h"

/* Laws of the codec, for every message at every version. */
enum { PLENTY = 64 << 20 };

typedef void law_fn(const struct message *m, int16_t version, struct arena *arena);

static void each_version(law_fn *law)
{
	for (size_t i = 0; i < wire_message_count; i++) {
		const struct message *m = wire_messages[i];

		for (int16_t version = m->min; version <= m->max; version++) {
			struct arena arena;

			arena_init(&arena, PLENTY);
			law(m, version, &arena);
			arena_fini(&arena);
		}
	}
}

static void fail_in(const struct message *m, int16_t version, const char *what)
{
	fail_msg("%s/%d: %s", m->name, version, what);
}

static void encode(const struct message *m, int16_t version, const void *in, struct buf *out)
{
	struct writer w = writer_of(out);

	message_encode(m, version, &w, in);
}

/* From a heap block of exactly this size, so that a byte read behind it is seen. */
static int decode(const struct message *m, int16_t version, const void *data, size_t size,
                  struct arena *arena)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct reader r = reader_of(copy, size);
	int err;

	assert_non_null(copy);
	memcpy(copy, size ? data : "", size);
	err = message_decode(m, version, &r, arena, arena_alloc(arena, m->size));
	free(copy);
	return err;
}

static void comes_back(const struct message *m, int16_t version, struct arena *arena)
{
	for (uint64_t seed = 0; seed < 12; seed++) {
		void *in = fill_message(m, version, seed, arena);
		void *back = arena_alloc(arena, m->size);
		struct buf first = { 0 }, second = { 0 };
		struct reader r;

		encode(m, version, in, &first);
		if (message_size(m, version, in) != first.size)
			fail_in(m, version, "another size than said");
		r = reader_of(first.data, first.size);
		if (message_decode(m, version, &r, arena, back))
			fail_in(m, version, "its own bytes refused");
		if (reader_left(&r))
			fail_in(m, version, "bytes left over");
		if (!message_equal(m, in, back) || message_unsupported(m, version, back))
			fail_in(m, version, "something else came back");
		encode(m, version, back, &second);
		if (second.size != first.size ||
		    (first.size && memcmp(first.data, second.data, first.size)))
			fail_in(m, version, "other bytes the second time");
		buf_fini(&first);
		buf_fini(&second);
	}
}

static void what_is_encoded_comes_back(void **state)
{
	(void)state;
	each_version(comes_back);
}

static void refuses_less(const struct message *m, int16_t version, struct arena *arena)
{
	for (uint64_t seed = 0; seed < 3; seed++) {
		struct buf b = { 0 };

		encode(m, version, fill_message(m, version, seed, arena), &b);
		for (size_t size = 0; size < b.size; size++) {
			struct arena mine;

			arena_init(&mine, PLENTY);
			if (decode(m, version, b.data, size, &mine) != -EBADMSG)
				fail_in(m, version, "cut short, and accepted");
			arena_fini(&mine);
		}
		buf_fini(&b);
	}
}

static void rejects_every_truncation(void **state)
{
	(void)state;
	each_version(refuses_less);
}

/* The last byte of a message of defaults is the number of its tags: none. */
static void skips_tags(const struct message *m, int16_t version, struct arena *arena)
{
	static const uint8_t tags[] = { 2, 0xe7, 0x07, 3, 'a', 'b', 'c', 0xe8, 0x07, 0 };
	void *in = fill_message(m, version, 0, arena);
	void *back = arena_alloc(arena, m->size);
	struct buf b = { 0 };
	struct reader r;

	if (version < m->flexible)
		return;
	encode(m, version, in, &b);
	assert_int_equal(b.data[b.size - 1], 0);
	b.size--;
	buf_add(&b, tags, sizeof(tags));
	r = reader_of(b.data, b.size);
	if (message_decode(m, version, &r, arena, back) || reader_left(&r) ||
	    !message_equal(m, in, back))
		fail_in(m, version, "does not skip tags that it does not know");
	r = reader_of(b.data, b.size);
	reader_take(&r, b.size - sizeof(tags));
	reader_skip_tags(&r);
	assert_int_equal(r.err, 0);
	assert_int_equal(reader_left(&r), 0);
	for (size_t size = b.size - sizeof(tags); size < b.size; size++)
		assert_int_equal(decode(m, version, b.data, size, arena), -EBADMSG);
	buf_fini(&b);
}

static void skips_unknown_tags(void **state)
{
	(void)state;
	each_version(skips_tags);
}

/* ---- hostile bytes ---- */

static size_t least(const struct message *m, int16_t version, bool flexible);

static size_t least_value(const struct message_field *f, int16_t version, bool flexible)
{
	if (f->type == WIRE_STRUCT)
		return least(f->sub, version, flexible);
	return f->type >= WIRE_STRING ? 1 : f->type == WIRE_UUID ? 16 : fill_value_size(f);
}

static size_t least(const struct message *m, int16_t version, bool flexible)
{
	size_t size = flexible;

	for (uint32_t i = 0; i < m->field_count; i++) {
		const struct message_field *f = &m->field[i];

		if (version < f->min || version > f->max || (flexible && f->tag >= 0))
			continue;
		size += f->is_array || f->null_min >= 0 ? 1 : least_value(f, version, flexible);
	}
	return size;
}

/* How many bytes of memory one byte may earn: in an array, of its element; in all levels. */
static size_t earned(const struct message *m, int16_t version, bool flexible)
{
	size_t most = 0, below = 0;

	for (uint32_t i = 0; i < m->field_count; i++) {
		const struct message_field *f = &m->field[i];
		size_t of_value = f->is_array ? least_value(f, version, flexible) : 1;
		size_t here = (fill_value_size(f) + 15) / (of_value ? of_value : 1) + 16;

		if (f->type == WIRE_STRUCT && earned(f->sub, version, flexible) > below)
			below = earned(f->sub, version, flexible);
		if ((f->is_array || f->type == WIRE_STRUCT) && here > most)
			most = here;
	}
	return most + below;
}

static void meet(const struct message *m, int16_t version, const struct buf *b, size_t limit)
{
	size_t top = (m->size + 15) & ~(size_t)15; /* the struct itself, which decode() allocates */
	struct arena arena;
	int err;

	arena_init(&arena, top + limit);
	err = decode(m, version, b->data, b->size, &arena);
	if (err && err != -EBADMSG && err != -ENOMEM)
		fail_in(m, version, "an unknown error");
	if (arena.used > top + b->size * earned(m, version, version >= m->flexible))
		fail_in(m, version, "more memory than the bytes earn");
	arena_fini(&arena);
}

static void earns_its_memory(const struct message *m, int16_t version, struct arena *arena)
{
	static const uint8_t lie[][5] = {
		{ 0x7f, 0xff, 0xff, 0xff, 0xff }, { 0xff, 0xff, 0xff, 0xff, 0x0f },
		{ 0xff, 0xff, 0xff, 0xff, 0x07 }, { 0, 0, 0xff, 0xff, 0 },
		{ 0x80, 0x80, 0x04, 0x80, 0x04 }, { 0, 0, 0, 0, 0 },
	};
	struct buf b = { 0 }, bad = { 0 };

	encode(m, version, fill_message(m, version, 1, arena), &b);
	for (size_t at = 0; at < b.size && at < 400; at++) {
		for (size_t i = 0; i < array_count(lie); i++) {
			size_t left = b.size - at;

			bad.size = 0;
			buf_add(&bad, b.data, b.size);
			memcpy(bad.data + at, lie[i], left < 5 ? left : 5);
			meet(m, version, &bad, PLENTY);
			meet(m, version, &bad, 256);
		}
	}
	buf_fini(&b);
	buf_fini(&bad);
}

static void allocates_no_more_than_the_bytes_earn(void **state)
{
	(void)state;
	each_version(earns_its_memory);
}

/* A full arena is an answer of its own, at whatever byte it is met. */
static void a_small_arena(const struct message *m, int16_t version, struct arena *arena)
{
	struct buf b = { 0 };
	size_t used;

	encode(m, version, fill_message(m, version, 1, arena), &b);
	used = arena->used;
	assert_int_equal(decode(m, version, b.data, b.size, arena), 0);
	used = arena->used - used;
	for (size_t limit = (m->size + 15) & ~(size_t)15; limit <= used; limit += 16) {
		struct arena mine;

		arena_init(&mine, limit);
		if (decode(m, version, b.data, b.size, &mine) != (limit < used ? -ENOMEM : 0))
			fail_in(m, version, "does not know the arena's limit");
		arena_fini(&mine);
	}
	buf_fini(&b);
}

static void says_when_the_arena_is_full(void **state)
{
	(void)state;
	each_version(a_small_arena);
}

/* ---- single cases ---- */

static int decode_vote(const char *bytes, size_t size)
{
	struct arena arena;
	int err;

	arena_init(&arena, PLENTY);
	err = decode(&vote_response_message, 1, bytes, size, &arena);
	arena_fini(&arena);
	return err;
}
#define VOTE(bytes) decode_vote((bytes), sizeof(bytes) - 1)

static void a_tag_fills_its_size(void **state)
{
	(void)state;
	assert_int_equal(VOTE("\0\0"
	                      "\1"
	                      "\1\0\1"
	                      "\1"),
	                 0);
	assert_int_equal(VOTE("\0\0"
	                      "\1"
	                      "\1\0\2"
	                      "\1\0"),
	                 -EBADMSG); /* a byte too many */
	assert_int_equal(VOTE("\0\0"
	                      "\1"
	                      "\1\0\0"
	                      "\1"),
	                 -EBADMSG); /* none */
	assert_int_equal(VOTE("\0\0"
	                      "\1"
	                      "\1\0\1"
	                      "\2"),
	                 -EBADMSG); /* an element outside */
	assert_int_equal(VOTE("\0\0"
	                      "\1"
	                      "\1\0\1"
	                      "\0"),
	                 -EBADMSG); /* null */
	assert_int_equal(VOTE("\0\0"
	                      "\1"
	                      "\377\377\377\377\37"),
	                 -EBADMSG); /* 33 bits */
	assert_int_equal(VOTE("\0\0"
	                      "\1"
	                      "\377\377\377\377\17"),
	                 -EBADMSG); /* that many tags */
}

static void null_only_where_it_may_be(void **state)
{
	static const uint8_t null_name[] = { 0, 0, 0, 1, 0xff, 0xff };
	static const uint8_t null_topics[] = { 0xff, 0xff, 0xff, 0xff };
	static const uint8_t minus_two[] = { 0xff, 0xff, 0xff, 0xfe };
	struct metadata_request req;
	struct arena arena;
	struct reader r;

	(void)state;
	arena_init(&arena, PLENTY);
	r = reader_of(null_name, sizeof(null_name));
	assert_int_equal(metadata_request_decode(&r, 1, &arena, &req), -EBADMSG);
	r = reader_of(null_topics, sizeof(null_topics));
	assert_int_equal(metadata_request_decode(&r, 0, &arena, &req), -EBADMSG);
	r = reader_of(null_topics, sizeof(null_topics));
	assert_int_equal(metadata_request_decode(&r, 1, &arena, &req), 0);
	assert_null(req.topics);
	r = reader_of(minus_two, sizeof(minus_two));
	assert_int_equal(metadata_request_decode(&r, 1, &arena, &req), -EBADMSG);
	r = reader_of("\0\0\0\0", 4);
	assert_int_equal(metadata_request_decode(&r, 1, &arena, &req), 0);
	assert_non_null(req.topics);
	assert_int_equal(req.topics_count, 0);
	arena_fini(&arena);
}

/* A compact length could say more than the 32,767 bytes that a string may have. */
static void strings_have_a_bound(void **state)
{
	struct fetch_request out, req = { 0 };
	struct buf b = { 0 };
	struct writer w = writer_of(&b);
	struct arena arena;
	struct reader r;
	char *text = calloc(1, 32768);

	(void)state;
	assert_non_null(text);
	fetch_request_init(&req);
	arena_init(&arena, PLENTY);
	for (uint32_t size = 32767; size <= 32768; size++) {
		b.size = 0;
		req.rack_id = (struct str){ text, size };
		fetch_request_encode(&w, 12, &req);
		r = reader_of(b.data, b.size);
		assert_int_equal(fetch_request_decode(&r, 12, &arena, &out),
		                 size > 32767 ? -EBADMSG : 0);
	}
	arena_fini(&arena);
	buf_fini(&b);
	free(text);
}

static const struct message *inner(const struct message *m, const char *field)
{
	for (uint32_t i = 0; i < m->field_count; i++) {
		if (!strcmp(m->field[i].name, field))
			return m->field[i].sub;
	}
	fail_msg("%s has no %s", m->name, field);
	return NULL;
}

static void says_what_a_version_cannot_carry(void **state)
{
	struct fetch_request_topic topic;
	struct fetch_request req;

	(void)state;
	fetch_request_init(&req);
	req.topics = &topic;
	req.topics_count = 1;
	message_defaults(inner(&fetch_request_message, "topics"), &topic);
	assert_null(message_unsupported(&fetch_request_message, 4, &req));
	req.rack_id = STR("ignorable");
	assert_null(message_unsupported(&fetch_request_message, 4, &req));
	req.replica_state.replica_epoch = 3;
	assert_string_equal(message_unsupported(&fetch_request_message, 14, &req), "replica_state");
	assert_null(message_unsupported(&fetch_request_message, 15, &req));
}

/* Records that are elsewhere leave a gap: their size before it, their place in the splice. */
static void splices_are_counted_and_placed(void **state)
{
	enum { PARTITIONS = 100 };
	struct fetch_response_partition_data partition[PARTITIONS];
	struct fetch_response_fetchable_topic_response topic = { .partitions = partition,
		                                                 .partitions_count = PARTITIONS };
	struct fetch_response resp;
	struct buf b = { 0 };
	struct writer w = { .buf = &b, .can_splice = true };
	size_t spliced = 0;

	(void)state;
	fetch_response_init(&resp);
	resp.responses = &topic;
	resp.responses_count = 1;
	for (uint32_t i = 0; i < PARTITIONS; i++) {
		message_defaults(inner(inner(&fetch_response_message, "responses"), "partitions"),
		                 &partition[i]);
		partition[i].records = (struct records){ NULL, 100 + i, &partition[i] };
	}
	fetch_response_encode(&w, 11, &resp);
	assert_int_equal(w.splice_count, PARTITIONS);
	for (uint32_t i = 0; i < PARTITIONS; i++) {
		assert_ptr_equal(w.splice[i].source, &partition[i]);
		assert_int_equal(w.splice[i].size, 100 + i);
		assert_int_equal(load_be32(b.data + w.splice[i].at - 4), 100 + i);
		spliced += w.splice[i].size;
	}
	assert_int_equal(w.splice[PARTITIONS - 1].at, b.size);
	assert_int_equal(message_size(&fetch_response_message, 11, &resp), b.size + spliced);
	mem_free(w.splice);
	buf_fini(&b);
}

static void json_shows_what_the_version_has(void **state)
{
	struct metadata_request_request_topic topic = { .name = STR("a\"b\n\x01") };
	struct metadata_request req;
	struct buf b = { 0 };

	(void)state;
	metadata_request_init(&req);
	req.topics = &topic;
	req.topics_count = 1;
	message_json(&metadata_request_message, 4, &req, &b);
	buf_add(&b, "", 1);
	assert_string_equal((char *)b.data, "{\"topics\":[{\"name\":\"a\\\"b\\u000a\\u0001\"}],"
	                                    "\"allow_auto_topic_creation\":true}");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_comes_back),
		cmocka_unit_test(rejects_every_truncation),
		cmocka_unit_test(skips_unknown_tags),
		cmocka_unit_test(allocates_no_more_than_the_bytes_earn),
		cmocka_unit_test(says_when_the_arena_is_full),
		cmocka_unit_test(a_tag_fills_its_size),
		cmocka_unit_test(null_only_where_it_may_be),
		cmocka_unit_test(strings_have_a_bound),
		cmocka_unit_test(says_what_a_version_cannot_carry),
		cmocka_unit_test(splices_are_counted_and_placed),
		cmocka_unit_test(json_shows_what_the_version_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
