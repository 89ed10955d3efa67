/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/crc32c.h"
#include "store/validate.h"
#include "wire/batch.h"
#include "wire/errors.h"

/*
 * What Apache Kafka 4.3.1 answers was asked with
 *	kafka start /tmp/k 21400; wirediff.py 127.0.0.1:21400 127.0.0.1:21400 produce --show
 *--wording for the scenarios bad_batches, good_batches, compression, topic_compression, too_large,
 * compacted_without_key, timestamps and log_append_time.
 */
enum { HOUR = 3600000 };

static const int64_t now = 1795532868000;

static struct compress_scratch scratch;
static struct arena arena;
static struct buf rebuilt;

static struct validate_rules rules_of_a_fresh_topic(void)
{
	return (struct validate_rules){
		.api_version = 13,
		.before_max_ms = INT64_MAX,
		.after_max_ms = HOUR,
		.max_message_bytes = 1048588,
		.segment_bytes = 1 << 30,
		.compression = -1,
		.compression_level = COMPRESS_LEVEL_DEFAULT,
		.topic = STR("t"),
		.partition = 0,
	};
}

static struct span text(const char *s)
{
	return (struct span){ (const uint8_t *)s, s ? strlen(s) : 0 };
}

/* A batch of values without keys, a millisecond apart. */
static struct buf batch_of(const char *const *value, size_t count, int64_t timestamp)
{
	struct batch_builder b;
	struct buf out = { 0 };

	batch_begin(&b, &out, &BATCH_PLAIN);
	for (size_t i = 0; i < count; i++)
		batch_add(&b, timestamp + (int64_t)i, text(NULL), text(value[i]), NULL, 0);
	(void)batch_end(&b);
	return out;
}

static void fix_crc(struct buf *b)
{
	store_be32(b->data + 17, crc32c(b->data + 21, b->size - 21));
}

static struct buf compressed(const struct buf *plain, enum batch_compression codec)
{
	struct buf out = { 0 };

	buf_add(&out, plain->data, BATCH_HEADER_SIZE);
	assert_int_equal(compress_encode(&scratch, codec, COMPRESS_LEVEL_DEFAULT,
	                                 (struct span){ plain->data + BATCH_HEADER_SIZE,
	                                                plain->size - BATCH_HEADER_SIZE },
	                                 &out),
	                 0);
	store_be32(out.data + 8, (uint32_t)(out.size - 12));
	out.data[22] = (uint8_t)((out.data[22] & ~BATCH_COMPRESSION_MASK) | (int)codec);
	fix_crc(&out);
	return out;
}

static struct validate_result ask(const struct validate_rules *rules, const void *data, size_t size)
{
	struct validate_result r;
	uint8_t *copy = malloc(size ? size : 1);

	if (size)
		memcpy(copy, data, size);
	arena_reset(&arena);
	rebuilt.size = 0;
	validate_append(rules, (struct span){ copy, size }, now, &scratch, &arena, &rebuilt, &r);
	assert_true(size == 0 || !memcmp(copy, data, size));
	free(copy);
	return r;
}

static struct validate_result ask_buf(const struct validate_rules *rules, const struct buf *b)
{
	return ask(rules, b->data, b->size);
}

static void assert_error(const struct validate_result *r, int16_t error, const char *about)
{
	enum validate_outcome want = error ? VALIDATE_REFUSED : VALIDATE_OK;

	if (r->error != error || r->outcome != want)
		fail_msg("%s: outcome %d error %d, not %d", about, r->outcome, r->error, error);
}

static void assert_text(struct str got, const char *want)
{
	assert_int_equal(got.size, strlen(want));
	assert_memory_equal(got.data, want, got.size);
}

/* One field of a batch of one record ("a") or two, changed; the checksum is right. */
struct wrong {
	const char *about;
	int records;
	size_t at;
	size_t size;
	int64_t value;
	bool keep_crc;
	int16_t error;
	bool tells_log_start;
	bool whole_request;
};

static const struct wrong wrongs[] = {
	{ "crc", 1, 17, 4, 1, true, WIRE_CORRUPT_MESSAGE, false, false },
	{ "magic 0", 1, 16, 1, 0, false, WIRE_INVALID_RECORD, false, false },
	{ "magic 1", 1, 16, 1, 1, false, WIRE_INVALID_RECORD, false, false },
	{ "magic 3", 1, 16, 1, 3, false, WIRE_CORRUPT_MESSAGE, false, true },
	{ "magic -1", 1, 16, 1, -1, false, WIRE_CORRUPT_MESSAGE, false, true },
	{ "count too small", 2, 57, 4, 1, false, WIRE_INVALID_RECORD, true, false },
	{ "count too large", 1, 57, 4, 2, false, WIRE_INVALID_RECORD, true, false },
	{ "count 0", 1, 57, 4, 0, false, WIRE_INVALID_RECORD, true, false },
	{ "count negative", 1, 57, 4, -1, false, WIRE_INVALID_RECORD, true, false },
	{ "last delta", 1, 23, 4, 5, false, WIRE_INVALID_RECORD, true, false },
	{ "last delta negative", 1, 23, 4, -1, false, WIRE_INVALID_RECORD, true, false },
	{ "length 0", 1, 8, 4, 0, true, WIRE_CORRUPT_MESSAGE, false, true },
	{ "length negative", 1, 8, 4, -1, true, WIRE_CORRUPT_MESSAGE, false, true },
	{ "length too large", 1, 8, 4, 100, true, WIRE_INVALID_RECORD, false, false },
	{ "length 14", 1, 8, 4, 14, true, WIRE_CORRUPT_MESSAGE, false, false },
	{ "control", 1, 21, 2, BATCH_CONTROL, false, WIRE_INVALID_RECORD, true, false },
	{ "base offset", 1, 0, 8, 12345, false, WIRE_INVALID_RECORD, true, false },
	{ "base offset -1", 1, 0, 8, -1, false, WIRE_INVALID_RECORD, true, false },
	{ "producer without sequence", 1, 43, 8, 9000000002, false, WIRE_INVALID_RECORD, true,
	  false },
	{ "leader epoch", 1, 12, 4, 77, false, WIRE_NONE, false, false },
	{ "delete horizon", 1, 21, 2, BATCH_DELETE_HORIZON, false, WIRE_NONE, false, false },
	{ "producer -2", 1, 43, 8, -2, false, WIRE_NONE, false, false },
	{ "reserved attributes", 1, 21, 2, 0x7f80, false, WIRE_NONE, false, false },
	/* Kafka: UNKNOWN_SERVER_ERROR */
	{ "codec 5", 1, 21, 2, 5, false, WIRE_UNSUPPORTED_COMPRESSION_TYPE, true, false },
	{ "codec 7", 1, 21, 2, 7, false, WIRE_UNSUPPORTED_COMPRESSION_TYPE, true, false },
	{ "gzip that is not", 1, 21, 2, BATCH_GZIP, false, WIRE_INVALID_RECORD, true, false },
	{ "snappy that is not", 1, 21, 2, BATCH_SNAPPY, false, WIRE_INVALID_RECORD, true, false },
	{ "lz4 that is not", 1, 21, 2, BATCH_LZ4, false, WIRE_INVALID_RECORD, true, false },
	{ "zstd that is not", 1, 21, 2, BATCH_ZSTD, false, WIRE_INVALID_RECORD, true, false },
};

static void one_wrong_field_gets_kafkas_error(void **state)
{
	static const char *const values[] = { "a", "b" };
	struct validate_rules rules = rules_of_a_fresh_topic();

	(void)state;
	for (size_t i = 0; i < array_count(wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		struct buf b = batch_of(values, (size_t)w->records, now - HOUR);
		struct validate_result r;

		for (size_t n = 0; n < w->size; n++)
			b.data[w->at + n] = (uint8_t)(w->value >> (8 * (w->size - 1 - n)));
		if (!w->keep_crc)
			fix_crc(&b);
		r = ask_buf(&rules, &b);
		assert_error(&r, w->error, w->about);
		assert_int_equal(r.tells_log_start, w->tells_log_start);
		assert_int_equal(r.whole_request, w->whole_request);
		assert_int_equal(r.record_error_count, 0);
		assert_int_equal(rebuilt.size, 0);
		buf_fini(&b);
	}
}

static void wrong_bytes_get_kafkas_error(void **state)
{
	static const struct {
		const char *about;
		const char *bytes;
		size_t size;
		int16_t error;
		const char *message;
	} rows[] = {
#define BYTES(s) s, sizeof(s) - 1
		{ "nothing", BYTES(""), WIRE_INVALID_RECORD, "" },
		{ "one byte", BYTES("\0"), WIRE_INVALID_RECORD, "" },
		{ "zeros", BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), WIRE_CORRUPT_MESSAGE,
		  "Record size 0 is less than the minimum record overhead (14)" },
		{ "garbage", BYTES("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), WIRE_CORRUPT_MESSAGE,
		  "Invalid magic found in record: 120" },
		{ "message set 0",
		  BYTES("\0\0\0\0\0\0\0\0\0\0\0\x0f\x51\xdf\x3a\x32\0\0\xff\xff\xff\xff\0\0\0\1a"),
		  WIRE_INVALID_RECORD, "" },
	};
	static const char *const value = "good";
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct buf good = batch_of(&value, 1, now), two = { 0 };
	struct validate_result r;

	(void)state;
	for (size_t i = 0; i < array_count(rows); i++) {
		r = ask(&rules, rows[i].bytes, rows[i].size);
		assert_error(&r, rows[i].error, rows[i].about);
		assert_text(r.message, rows[i].message);
	}
	for (size_t size = 0; size < good.size; size++) {
		r = ask(&rules, good.data, size);
		assert_error(&r, WIRE_INVALID_RECORD, "cut");
	}
	buf_add(&two, good.data, good.size);
	buf_add(&two, good.data, good.size);
	for (size_t size = good.size; size < two.size; size++) {
		r = ask(&rules, two.data, size);
		assert_error(&r, WIRE_NONE, "less than a batch behind the batch");
		assert_int_equal(r.batch.size, good.size);
	}
	r = ask_buf(&rules, &two);
	assert_error(&r, WIRE_INVALID_RECORD, "two batches");
	buf_fini(&two);
	buf_fini(&good);
}

/* A batch of one with this as its records. */
static void wrong_records_get_kafkas_error(void **state)
{
	static const struct {
		const char *about;
		const char *bytes;
		size_t size;
		int16_t error;
	} rows[] = {
		{ "record length", BYTES("\x7f\0\0\0\0\0\0\0"), WIRE_INVALID_RECORD },
		{ "record empty", BYTES("\0"), WIRE_INVALID_RECORD },
		{ "body longer",
		  BYTES("\x0e\0\0\0\x01\x02"
		        "a\0\0\0"),
		  WIRE_INVALID_RECORD },
		{ "record attributes",
		  BYTES("\x10\x01\0\0\x02k\x02"
		        "a\0"),
		  WIRE_NONE },
		{ "no bytes", BYTES(""), WIRE_INVALID_RECORD },
		{ "good",
		  BYTES("\x0e\0\0\0\x01\x02"
		        "a\0"),
		  WIRE_NONE },
	};
	static const char *const value = "a";
	struct validate_rules rules = rules_of_a_fresh_topic();

	(void)state;
	for (size_t i = 0; i < array_count(rows); i++) {
		struct buf b = batch_of(&value, 1, now);
		struct validate_result r;

		b.size = BATCH_HEADER_SIZE;
		buf_add(&b, rows[i].bytes, rows[i].size);
		store_be32(b.data + 8, (uint32_t)(b.size - 12));
		fix_crc(&b);
		for (int codec = BATCH_NONE; codec < BATCH_COMPRESSIONS; codec++) {
			struct buf c = compressed(&b, (enum batch_compression)codec);

			r = ask_buf(&rules, &c);
			assert_error(&r, rows[i].error, rows[i].about);
			assert_int_equal(r.tells_log_start, rows[i].error != 0);
			buf_fini(&c);
		}
		buf_fini(&b);
	}
}

static void good_batches_are_described(void **state)
{
	static const char *const values[] = { "a", NULL, "", "ccc" };
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct buf plain = batch_of(values, 4, now - HOUR);

	(void)state;
	for (int codec = BATCH_NONE; codec < BATCH_COMPRESSIONS; codec++) {
		struct buf b = compressed(&plain, (enum batch_compression)codec);
		struct validate_result r = ask_buf(&rules, &b);

		assert_error(&r, WIRE_NONE, "good");
		assert_int_equal(r.rewrite, VALIDATE_AS_IS);
		assert_int_equal(r.record_count, 4);
		assert_int_equal(r.max_timestamp, now - HOUR + 3);
		assert_int_equal(r.max_timestamp_delta, 3);
		assert_int_equal(r.plain_size, plain.size - BATCH_HEADER_SIZE);
		assert_int_equal(r.batch.size, b.size);
		buf_fini(&b);
	}
	buf_fini(&plain);
}

static void zstd_needs_produce_7(void **state)
{
	static const char *const value = "a";
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct buf plain = batch_of(&value, 1, now), b = compressed(&plain, BATCH_ZSTD);
	struct validate_result r;

	(void)state;
	rules.api_version = 6;
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_UNSUPPORTED_COMPRESSION_TYPE, "version 6");
	assert_false(r.tells_log_start);
	rules.api_version = 7;
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_NONE, "version 7");
	buf_fini(&b);
	buf_fini(&plain);
}

static void compacted_topics_need_keys(void **state)
{
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct batch_builder builder;
	struct buf b = { 0 };
	struct validate_result r;

	(void)state;
	rules.compact = true;
	batch_begin(&builder, &b, &BATCH_PLAIN);
	batch_add(&builder, now, text("k"), text("a"), NULL, 0);
	batch_add(&builder, now, text(NULL), text("b"), NULL, 0);
	batch_add(&builder, now, text(""), text("c"), NULL, 0);
	batch_add(&builder, now, text(NULL), text("d"), NULL, 0);
	(void)batch_end(&builder);
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_INVALID_RECORD, "no key");
	assert_true(r.tells_log_start);
	assert_int_equal(r.record_error_count, 2);
	assert_int_equal(r.record_error[0].batch_index, 1);
	assert_int_equal(r.record_error[1].batch_index, 3);
	assert_text(r.record_error[1].message,
	            "Compacted topic cannot accept message without key in topic partition t-0");
	assert_text(
		r.message,
		"One or more records have been rejected due to 2 record errors in total, and only "
		"showing the first three errors at most: [RecordError(batchIndex=1, "
		"message='Compacted topic cannot accept message without key in topic partition "
		"t-0'), RecordError(batchIndex=3, message='Compacted topic cannot accept message "
		"without key in topic partition t-0')]");
	rules.compact = false;
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_NONE, "not compacted");
	buf_fini(&b);
}

static void full_arena_costs_words_only(void **state)
{
	static const char *const values[] = { "a", "b" };
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct buf b = batch_of(values, 2, now);
	struct arena small;
	struct validate_result r;

	(void)state;
	rules.compact = true;
	for (size_t limit = 0; limit < 2000; limit += 16) {
		arena_init(&small, limit);
		validate_append(&rules, (struct span){ b.data, b.size }, now, &scratch, &small,
		                &rebuilt, &r);
		assert_error(&r, WIRE_INVALID_RECORD, "no key");
		arena_fini(&small);
	}
	buf_fini(&b);
}

static void timestamps_are_bounded_as_in_kafka(void **state)
{
	static const struct {
		int64_t first;
		int64_t before, after;
		int16_t error;
		int64_t max; /* of the batch in the log */
	} rows[] = {
		{ 0, INT64_MAX, HOUR, 0, 1 },
		{ -1, INT64_MAX, HOUR, 0, 0 },
		{ -2, INT64_MAX, HOUR, 0, -1 },
		{ now - 11 * HOUR, INT64_MAX, HOUR, 0, now - 11 * HOUR + 1 },
		{ now + 2 * HOUR, INT64_MAX, HOUR, WIRE_INVALID_TIMESTAMP, 0 },
		{ 1ll << 62, INT64_MAX, HOUR, WIRE_INVALID_TIMESTAMP, 0 },
		{ now - 49 * HOUR, 24 * HOUR, HOUR, WIRE_INVALID_TIMESTAMP, 0 },
		{ now + HOUR - 1, 24 * HOUR, HOUR, 0, now + HOUR },
		{ now + HOUR, 24 * HOUR, HOUR, WIRE_INVALID_TIMESTAMP, 0 },
		{ now - 24 * HOUR, 24 * HOUR, HOUR, 0, now - 24 * HOUR + 1 },
		{ now - 24 * HOUR - 1, 24 * HOUR, HOUR, WIRE_INVALID_TIMESTAMP, 0 },
	};
	static const char *const values[] = { "a", "b" };
	struct validate_rules rules = rules_of_a_fresh_topic();

	(void)state;
	for (size_t i = 0; i < array_count(rows); i++) {
		struct buf b = batch_of(values, 2, rows[i].first);
		struct validate_result r;

		rules.before_max_ms = rows[i].before;
		rules.after_max_ms = rows[i].after;
		r = ask_buf(&rules, &b);
		assert_error(&r, rows[i].error, "timestamp");
		if (rows[i].error)
			assert_text(
				r.message,
				"One or more records have been rejected due to invalid timestamp");
		else
			assert_int_equal(r.max_timestamp, rows[i].max);
		buf_fini(&b);
	}
}

static void a_lying_max_timestamp_is_put_right(void **state)
{
	static const char *const values[] = { "a", "b" };
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct buf b = batch_of(values, 2, now);
	struct validate_result r;

	(void)state;
	batch_patch_max_timestamp(b.data, b.size, now + 77);
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_NONE, "max");
	assert_int_equal(r.rewrite, VALIDATE_PATCH_MAX);
	assert_int_equal(r.max_timestamp, now + 1);
	/* LogAppendTime from a client: its time counts, the attribute goes */
	batch_patch_append_time(b.data, b.size, now + 5);
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_NONE, "client's LogAppendTime");
	assert_int_equal(r.rewrite, VALIDATE_PATCH_MAX);
	assert_int_equal(r.max_timestamp, now + 5);
	rules.append_time = true;
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_INVALID_TIMESTAMP, "client's LogAppendTime on such a topic");
	assert_int_equal(r.record_error_count, 2);
	buf_fini(&b);
}

static void append_time_is_asked_for(void **state)
{
	static const char *const values[] = { "a", "b" };
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct buf plain = batch_of(values, 2, 5);

	(void)state;
	rules.append_time = true;
	for (int codec = BATCH_NONE; codec < BATCH_COMPRESSIONS; codec++) {
		struct buf b = compressed(&plain, (enum batch_compression)codec);
		struct validate_result r = ask_buf(&rules, &b);

		assert_error(&r, WIRE_NONE, "append time");
		assert_int_equal(r.rewrite, VALIDATE_PATCH_TIME);
		assert_int_equal(r.max_timestamp, now);
		buf_fini(&b);
	}
	buf_fini(&plain);
}

static void sizes_are_limited(void **state)
{
	static char big[5001];
	static const struct {
		size_t value;
		int16_t plain_error;
	} rows[] = { { 900, 0 }, { 931, 10 }, { 934, 10 }, { 1000, 10 }, { 5000, 10 } };
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct validate_result r;

	(void)state;
	rules.max_message_bytes = 1000;
	for (size_t i = 0; i < array_count(rows); i++) {
		const char *value = big;
		struct buf plain, b;

		memset(big, 'x', sizeof(big));
		big[rows[i].value] = 0;
		plain = batch_of(&value, 1, now);
		r = ask_buf(&rules, &plain);
		assert_error(&r, rows[i].plain_error, "plain");
		assert_false(r.tells_log_start);
		b = compressed(&plain, BATCH_GZIP);
		r = ask_buf(&rules, &b);
		assert_error(&r, WIRE_NONE, "gzip");
		/* what is too large after decompression for a topic without */
		rules.compression = BATCH_NONE;
		r = ask_buf(&rules, &b);
		assert_error(&r, rows[i].plain_error, "gzip, kept plain");
		assert_int_equal(rebuilt.size != 0, !rows[i].plain_error);
		rules.compression = -1;
		buf_fini(&plain);
		buf_fini(&b);
	}
	rules = rules_of_a_fresh_topic();
	{
		const char *value = "a";
		struct buf b = batch_of(&value, 1, now);

		rules.segment_bytes = (uint32_t)b.size;
		r = ask_buf(&rules, &b);
		assert_error(&r, WIRE_NONE, "segment");
		rules.segment_bytes--;
		r = ask_buf(&rules, &b);
		assert_error(&r, WIRE_RECORD_LIST_TOO_LARGE, "segment");
		buf_fini(&b);
	}
}

static void a_topics_codec_rebuilds_the_batch(void **state)
{
	static const char *const values[] = {
		"a", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	};
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct buf plain = batch_of(values, 2, now), out = { 0 };

	(void)state;
	for (int from = BATCH_NONE; from < BATCH_COMPRESSIONS; from++) {
		for (int to = BATCH_NONE; to < BATCH_COMPRESSIONS; to++) {
			struct buf b = compressed(&plain, (enum batch_compression)from);
			struct validate_result r;
			struct span records;

			rules.compression = (int8_t)to;
			r = ask_buf(&rules, &b);
			assert_error(&r, WIRE_NONE, "codec");
			assert_int_equal(r.rewrite, from == to ? VALIDATE_AS_IS : VALIDATE_REBUILT);
			if (from != to) {
				assert_true(batch_crc_ok(&r.batch));
				assert_int_equal(r.batch.size, rebuilt.size);
				assert_int_equal(batch_compression(&r.batch), to);
				records = batch_records(&r.batch);
				out.size = 0;
				assert_int_equal(compress_decode_buf(&scratch,
				                                     (enum batch_compression)to,
				                                     records, 10000, &out),
				                 0);
				assert_int_equal(out.size, plain.size - BATCH_HEADER_SIZE);
				assert_memory_equal(out.data, plain.data + BATCH_HEADER_SIZE,
				                    out.size);
			}
			buf_fini(&b);
		}
	}
	buf_fini(&out);
	buf_fini(&plain);
}

/* Kafka: plain batches keep what they have, compressed ones are written anew. */
static void offsets_that_are_not_dense(void **state)
{
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct buf b = { 0 }, c;
	struct batch_builder builder;
	struct record_iter it;
	struct validate_result r;
	struct record record;

	(void)state;
	batch_begin(&builder, &b, &BATCH_PLAIN);
	batch_add_at(&builder, 3, now, text(NULL), text("a"), NULL, 0);
	batch_add_at(&builder, 9, now, text(NULL), text("b"), NULL, 0);
	(void)batch_end(&builder);
	store_be32(b.data + 23, 1);
	fix_crc(&b);
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_NONE, "plain");
	assert_int_equal(r.rewrite, VALIDATE_AS_IS);
	c = compressed(&b, BATCH_GZIP);
	r = ask_buf(&rules, &c);
	assert_error(&r, WIRE_NONE, "gzip");
	assert_int_equal(r.rewrite, VALIDATE_REBUILT);
	assert_int_equal(batch_compression(&r.batch), BATCH_GZIP);
	buf_fini(&b);
	assert_int_equal(
		compress_decode_buf(&scratch, BATCH_GZIP, batch_records(&r.batch), 1000, &b), 0);
	it = record_iter((struct span){ b.data, b.size }, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(record_iter_next(&it, &record), 1);
		assert_int_equal(record.offset_delta, i);
	}
	buf_fini(&b);
	buf_fini(&c);
}

static void heavy_batches_go_to_a_worker(void **state)
{
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct batch_builder builder;
	struct buf b = { 0 }, c;
	struct validate_result r;
	uint8_t *value = calloc(1, 4 << 20);

	(void)state;
	batch_begin(&builder, &b, &BATCH_PLAIN);
	batch_add(&builder, now, text(NULL), (struct span){ value, 4 << 20 }, NULL, 0);
	(void)batch_end(&builder);
	/* Small, but its output is not. */
	for (int codec = BATCH_GZIP; codec < BATCH_COMPRESSIONS; codec++) {
		c = compressed(&b, (enum batch_compression)codec);
		rules.heavy_ok = false;
		r = ask_buf(&rules, &c);
		assert_int_equal(r.outcome, VALIDATE_HEAVY);
		rules.heavy_ok = true;
		r = ask_buf(&rules, &c);
		assert_error(&r, WIRE_NONE, "on a worker");
		buf_fini(&c);
	}
	/* Plain batches are walked at any size. */
	rules.heavy_ok = false;
	rules.max_message_bytes = 8 << 20;
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_NONE, "plain");
	rules.compression = BATCH_LZ4;
	r = ask_buf(&rules, &b);
	assert_int_equal(r.outcome, VALIDATE_HEAVY);
	buf_fini(&b);
	free(value);
}

static void a_bomb_is_refused(void **state)
{
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct batch_builder builder;
	struct buf b = { 0 }, c;
	struct validate_result r;
	uint8_t *value = calloc(1, 100 << 20);

	(void)state;
	rules.heavy_ok = true;
	batch_begin(&builder, &b, &BATCH_PLAIN);
	batch_add(&builder, now, text(NULL), (struct span){ value, 100 << 20 }, NULL, 0);
	(void)batch_end(&builder);
	c = compressed(&b, BATCH_ZSTD);
	assert_true(c.size < 100000);
	r = ask_buf(&rules, &c);
	assert_error(&r, WIRE_INVALID_RECORD, "bomb");
	assert_true(scratch.carry.capacity <= 1 << 20);
	buf_fini(&b);
	buf_fini(&c);
	free(value);
}

static void ours_may_be_control_records_anywhere(void **state)
{
	struct validate_rules rules = rules_of_a_fresh_topic();
	struct batch_options options = BATCH_PLAIN;
	struct batch_builder builder;
	struct buf b = { 0 };
	struct validate_result r;

	(void)state;
	options.attributes = BATCH_CONTROL | BATCH_TRANSACTIONAL;
	options.producer_id = 5;
	options.producer_epoch = 0;
	options.base_offset = 100;
	batch_begin(&builder, &b, &options);
	batch_add_end_txn(&builder, now, true, 1);
	(void)batch_end(&builder);
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_INVALID_RECORD, "a client");
	rules.internal = true;
	rules.compression = BATCH_GZIP; /* control records stay plain */
	r = ask_buf(&rules, &b);
	assert_error(&r, WIRE_NONE, "ours");
	assert_int_equal(r.rewrite, VALIDATE_AS_IS);
	buf_fini(&b);
}

static int start(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	arena_fini(&arena);
	buf_fini(&rebuilt);
	compress_scratch_fini(&scratch);
	return 0;
}

/* What Produce is judged by as a whole: the first header, whatever else is wrong. */
static void the_shape_is_judged_alone(void **state)
{
	static const char *const value[] = { "a" };
	struct validate_rules rules = { .api_version = 13 };
	struct buf one = batch_of(value, 1, now);
	struct buf two = batch_of(value, 1, now);
	struct validate_result r;

	(void)state;
	arena_init(&arena, SIZE_MAX);
	one.data[BATCH_HEADER_SIZE - 1] ^= 1; /* neither checksum nor counts matter here */
	assert_true(validate_shape(&rules, (struct span){ one.data, one.size }, &arena, &r));
	assert_ptr_equal(r.batch.data, one.data);
	buf_add(&two, one.data, one.size);
	assert_false(validate_shape(&rules, (struct span){ two.data, two.size }, &arena, &r));
	assert_int_equal(r.error, WIRE_INVALID_RECORD);
	assert_int_equal(r.batch.size, one.size);
	store_be32(two.data + one.size + 8, 3);
	assert_false(validate_shape(&rules, (struct span){ two.data, two.size }, &arena, &r));
	assert_int_equal(r.error, WIRE_CORRUPT_MESSAGE);
	assert_false(r.whole_request);
	assert_null(r.message.data);
	store_be32(two.data + 8, 3);
	assert_false(validate_shape(&rules, (struct span){ two.data, two.size }, &arena, &r));
	assert_int_equal(r.error, WIRE_CORRUPT_MESSAGE);
	assert_true(r.whole_request);
	assert_non_null(r.message.data);
	assert_null(r.batch.data);
	arena_fini(&arena);
	buf_fini(&one);
	buf_fini(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_wrong_field_gets_kafkas_error),
		cmocka_unit_test(wrong_bytes_get_kafkas_error),
		cmocka_unit_test(wrong_records_get_kafkas_error),
		cmocka_unit_test(good_batches_are_described),
		cmocka_unit_test(zstd_needs_produce_7),
		cmocka_unit_test(compacted_topics_need_keys),
		cmocka_unit_test(full_arena_costs_words_only),
		cmocka_unit_test(timestamps_are_bounded_as_in_kafka),
		cmocka_unit_test(a_lying_max_timestamp_is_put_right),
		cmocka_unit_test(append_time_is_asked_for),
		cmocka_unit_test(sizes_are_limited),
		cmocka_unit_test(a_topics_codec_rebuilds_the_batch),
		cmocka_unit_test(offsets_that_are_not_dense),
		cmocka_unit_test(heavy_batches_go_to_a_worker),
		cmocka_unit_test(a_bomb_is_refused),
		cmocka_unit_test(ours_may_be_control_records_anywhere),
		cmocka_unit_test(the_shape_is_judged_alone),
	};

	return cmocka_run_group_tests(tests, start, finish);
}
