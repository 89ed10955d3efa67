/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/prng.h"
#include "store/compress.h"
#include "wire/batch.h"

enum { MIB = 1024 * 1024 };

static struct compress_scratch scratch;

static struct buf golden(const char *client, const char *codec)
{
	struct buf b = { 0 };
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "selftests/golden/batch/%s-%s.log", client, codec);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("%s: not found (run from the repository's root)", path);
	for (int c = fgetc(f); c != EOF; c = fgetc(f))
		*buf_extend(&b, 1) = (uint8_t)c;
	fclose(f);
	return b;
}

/* A copy of exact size, so that a sanitizer sees reads beyond it. */
static int decode(enum batch_compression codec, const void *data, size_t size, size_t max,
                  struct buf *out)
{
	uint8_t *copy = malloc(size ? size : 1);
	int err;

	if (size)
		memcpy(copy, data, size);
	err = compress_decode_buf(&scratch, codec, (struct span){ copy, size }, max, out);
	free(copy);
	return err;
}

static const enum batch_compression codecs[] = { BATCH_GZIP, BATCH_SNAPPY, BATCH_LZ4, BATCH_ZSTD };
static const char *const clients[] = { "java", "python", "rdkafka" };

static struct span records_of(const struct buf *file, struct batch *b)
{
	assert_int_equal(batch_parse((struct span){ file->data, file->size }, b), 0);
	return batch_records(b);
}

static void reads_what_other_clients_compressed(void **state)
{
	struct batch plain, b;

	(void)state;
	for (size_t n = 0; n < array_count(clients); n++) {
		struct buf file = golden(clients[n], "none"), out = { 0 };
		struct span want = records_of(&file, &plain);

		for (size_t c = 0; c < array_count(codecs); c++) {
			struct buf packed = golden(clients[n], compress_name(codecs[c]));
			struct span in = records_of(&packed, &b);

			out.size = 0;
			assert_int_equal(batch_compression(&b), codecs[c]);
			assert_int_equal(decode(codecs[c], in.data, in.size, MIB, &out), 0);
			assert_int_equal(out.size, want.size);
			assert_memory_equal(out.data, want.data, want.size);
			buf_fini(&packed);
		}
		buf_fini(&out);
		buf_fini(&file);
	}
}

static void fill(struct buf *b, size_t size, bool random, struct prng *prng)
{
	b->size = 0;
	for (size_t i = 0; i < size; i++)
		*buf_extend(b, 1) =
			random ? (uint8_t)prng_next(prng) : (uint8_t) "kafka kafka "[i % 12];
}

static void everything_comes_back(void **state)
{
	static const size_t sizes[] = { 0,     1,     100,   32767,     32768, 32769,
		                        65535, 65536, 65537, 3 * 65536, 700001 };
	struct buf plain = { 0 }, packed = { 0 }, out = { 0 };
	struct prng prng = { 1 };

	(void)state;
	for (size_t n = 0; n < 2 * array_count(sizes); n++) {
		fill(&plain, sizes[n / 2], n % 2, &prng);
		for (size_t c = 0; c < array_count(codecs); c++) {
			packed.size = out.size = 3; /* behind what is there already */
			buf_reserve(&packed, 1);
			buf_reserve(&out, 1);
			assert_int_equal(
				compress_encode(&scratch, codecs[c], COMPRESS_LEVEL_DEFAULT,
			                        (struct span){ plain.data, plain.size }, &packed),
				0);
			assert_int_equal(decode(codecs[c], packed.data + 3, packed.size - 3,
			                        plain.size, &out),
			                 0);
			assert_int_equal(out.size, plain.size + 3);
			if (plain.size)
				assert_memory_equal(out.data + 3, plain.data, plain.size);
		}
	}
	buf_fini(&plain);
	buf_fini(&packed);
	buf_fini(&out);
}

static void every_level_comes_back(void **state)
{
	static const struct {
		enum batch_compression codec;
		int level;
	} rows[] = { { BATCH_GZIP, 1 },  { BATCH_GZIP, 9 },  { BATCH_LZ4, 1 }, { BATCH_LZ4, 17 },
		     { BATCH_ZSTD, -5 }, { BATCH_ZSTD, 22 }, { BATCH_GZIP, 6 } };
	struct buf plain = { 0 }, packed = { 0 }, out = { 0 };

	(void)state;
	fill(&plain, 100000, false, NULL);
	for (size_t i = 0; i < array_count(rows); i++) {
		packed.size = out.size = 0;
		assert_int_equal(compress_encode(&scratch, rows[i].codec, rows[i].level,
		                                 (struct span){ plain.data, plain.size }, &packed),
		                 0);
		assert_true(packed.size < 6000);
		assert_int_equal(decode(rows[i].codec, packed.data, packed.size, MIB, &out), 0);
		assert_int_equal(out.size, plain.size);
		assert_memory_equal(out.data, plain.data, plain.size);
	}
	buf_fini(&plain);
	buf_fini(&packed);
	buf_fini(&out);
}

static void the_limit_is_exact(void **state)
{
	struct buf plain = { 0 }, packed = { 0 }, out = { 0 };

	(void)state;
	fill(&plain, 200000, false, NULL);
	for (size_t c = 0; c < array_count(codecs); c++) {
		packed.size = 0;
		assert_int_equal(compress_encode(&scratch, codecs[c], COMPRESS_LEVEL_DEFAULT,
		                                 (struct span){ plain.data, plain.size }, &packed),
		                 0);
		out.size = 0;
		assert_int_equal(decode(codecs[c], packed.data, packed.size, plain.size, &out), 0);
		out.size = 0;
		assert_int_equal(decode(codecs[c], packed.data, packed.size, plain.size - 1, &out),
		                 -EFBIG);
		assert_int_equal(decode(codecs[c], packed.data, packed.size, 0, &out), -EFBIG);
		assert_int_equal(out.size, 0);
	}
	buf_fini(&plain);
	buf_fini(&packed);
	buf_fini(&out);
}

static void rejects_every_truncation(void **state)
{
	struct buf out = { 0 };
	struct batch b;

	(void)state;
	for (size_t n = 0; n < array_count(clients); n++) {
		for (size_t c = 0; c < array_count(codecs); c++) {
			struct buf file = golden(clients[n], compress_name(codecs[c]));
			struct span in = records_of(&file, &b);

			for (size_t size = 0; size < in.size; size += 1 + size / 400) {
				/* a xerial stream may end after its header and after each block */
				if (codecs[c] == BATCH_SNAPPY && size >= 16)
					break;
				assert_int_equal(decode(codecs[c], in.data, size, MIB, &out),
				                 -EBADMSG);
			}
			assert_int_equal(out.size, 0);
			buf_fini(&file);
		}
	}
	buf_fini(&out);
}

static void rejects_lies(void **state)
{
	static const struct {
		const char *about;
		enum batch_compression codec;
		const char *bytes;
		size_t size;
		int answer;
	} rows[] = {
#define BYTES(s) s, sizeof(s) - 1
		{ "snappy: 4 GiB claimed", BATCH_SNAPPY,
		  BYTES("\xff\xff\xff\xff\x0f\x00"
		        "a"),
		  -EBADMSG },
		{ "snappy: 64 MiB claimed by 6 bytes", BATCH_SNAPPY,
		  BYTES("\x80\x80\x80\x20\x00"
		        "a"),
		  -EBADMSG },
		{ "snappy: more claimed than there is", BATCH_SNAPPY,
		  BYTES("\x05\x00"
		        "a"),
		  -EBADMSG },
		{ "snappy: nothing", BATCH_SNAPPY, BYTES(""), -EBADMSG },
		{ "snappy: empty block", BATCH_SNAPPY, BYTES("\x00"), 0 },
		{ "xerial: block longer than the rest", BATCH_SNAPPY,
		  BYTES("\x82SNAPPY\0\0\0\0\1\0\0\0\1\x7f\xff\xff\xff\x00"), -EBADMSG },
		{ "xerial: version 0", BATCH_SNAPPY,
		  BYTES("\x82SNAPPY\0\0\0\0\0\0\0\0\1\0\0\0\1\0"), -EBADMSG },
		{ "xerial: size cut short", BATCH_SNAPPY, BYTES("\x82SNAPPY\0\0\0\0\1\0\0\0\1\0\0"),
		  -EBADMSG },
		{ "xerial: no block", BATCH_SNAPPY, BYTES("\x82SNAPPY\0\0\0\0\1\0\0\0\1"), 0 },
		{ "lz4: magic", BATCH_LZ4, BYTES("\x05\x22\x4d\x18\x60\x40\x82\0\0\0\0"),
		  -EBADMSG },
		{ "lz4: header checksum", BATCH_LZ4, BYTES("\x04\x22\x4d\x18\x60\x40\x83\0\0\0\0"),
		  -EBADMSG },
		{ "lz4: dependent blocks", BATCH_LZ4, BYTES("\x04\x22\x4d\x18\x40\x40\xc0\0\0\0\0"),
		  -EBADMSG },
		{ "lz4: block size 3", BATCH_LZ4, BYTES("\x04\x22\x4d\x18\x60\x30\x82\0\0\0\0"),
		  -EBADMSG },
		{ "lz4: empty", BATCH_LZ4, BYTES("\x04\x22\x4d\x18\x60\x40\x82\0\0\0\0"), 0 },
		{ "lz4: bytes behind the end", BATCH_LZ4,
		  BYTES("\x04\x22\x4d\x18\x60\x40\x82\0\0\0\0tail"), 0 },
		{ "lz4: block over the maximum", BATCH_LZ4,
		  BYTES("\x04\x22\x4d\x18\x60\x40\x82\1\0\1\0aaaa"), -EBADMSG },
		{ "gzip: not", BATCH_GZIP, BYTES("not compressed at all"), -EBADMSG },
		{ "zstd: not", BATCH_ZSTD, BYTES("not compressed at all"), -EBADMSG },
		{ "zstd: window 2 GiB", BATCH_ZSTD, BYTES("\x28\xb5\x2f\xfd\x00\xa8\x01\0\0"),
		  -EBADMSG },
		{ "zstd: nothing", BATCH_ZSTD, BYTES(""), -EBADMSG },
		{ "codec 5", (enum batch_compression)5, BYTES("a"), -EOPNOTSUPP },
		{ "none", BATCH_NONE, BYTES("a"), 0 },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < array_count(rows); i++) {
		int got = decode(rows[i].codec, rows[i].bytes, rows[i].size, 1u << 30, &out);

		if (got != rows[i].answer)
			fail_msg("%s: %d, not %d", rows[i].about, got, rows[i].answer);
		assert_true(scratch.block.capacity < MIB);
	}
	buf_fini(&out);
}

struct count_sink {
	struct compress_sink sink;
	size_t bytes;
	size_t stop_at;
};

static int count_take(struct compress_sink *self, struct span piece)
{
	struct count_sink *c = (struct count_sink *)self;

	c->bytes += piece.size;
	return c->bytes >= c->stop_at ? -ECANCELED : 0;
}

static void bombs_stop_at_the_limit(void **state)
{
	struct buf plain = { 0 }, packed = { 0 };

	(void)state;
	memset(buf_extend(&plain, 64 * MIB), 0, 64 * MIB);
	for (size_t c = 0; c < array_count(codecs); c++) {
		struct count_sink sink = { { count_take }, 0, SIZE_MAX };

		packed.size = 0;
		assert_int_equal(compress_encode(&scratch, codecs[c], COMPRESS_LEVEL_DEFAULT,
		                                 (struct span){ plain.data, plain.size }, &packed),
		                 0);
		assert_int_equal(compress_decode(&scratch, codecs[c],
		                                 (struct span){ packed.data, packed.size }, MIB,
		                                 &sink.sink),
		                 -EFBIG);
		assert_true(sink.bytes <= MIB);
		sink = (struct count_sink){ { count_take }, 0, 1000 };
		assert_int_equal(compress_decode(&scratch, codecs[c],
		                                 (struct span){ packed.data, packed.size }, MIB,
		                                 &sink.sink),
		                 -ECANCELED);
		/* the context is good for the next one */
		sink = (struct count_sink){ { count_take }, 0, SIZE_MAX };
		assert_int_equal(compress_decode(&scratch, codecs[c],
		                                 (struct span){ packed.data, packed.size },
		                                 plain.size, &sink.sink),
		                 0);
		assert_int_equal(sink.bytes, plain.size);
	}
	buf_fini(&plain);
	buf_fini(&packed);
}

/* As RFC 1952 and GZIPInputStream: members follow each other, other bytes behind are ignored. */
static void gzip_members_follow_each_other(void **state)
{
	struct buf packed = { 0 }, out = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(compress_encode(&scratch, BATCH_GZIP, COMPRESS_LEVEL_DEFAULT,
		                                 (struct span){ (const uint8_t *)"abc", 3 },
		                                 &packed),
		                 0);
	buf_add(&packed, "tail", 4);
	assert_int_equal(decode(BATCH_GZIP, packed.data, packed.size, 100, &out), 0);
	assert_int_equal(out.size, 6);
	assert_memory_equal(out.data, "abcabc", 6);
	buf_fini(&packed);
	buf_fini(&out);
}

static int finish(void **state)
{
	(void)state;
	compress_scratch_fini(&scratch);
	return 0;
}

/* What a broker compresses is on disk byte for byte as Kafka's would be. */
static void frames_begin_and_end_as_kafkas(void **state)
{
	static const uint8_t gzip[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff };
	static const uint8_t zstd[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58 };
	static const uint8_t nothing[] = { 1, 0, 0 }; /* a last block that is empty */
	const struct span in = { (const uint8_t *)"kafkakafkakafka", 15 };
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(compress_encode(&scratch, BATCH_GZIP, 9, in, &out), 0);
	assert_memory_equal(out.data, gzip, sizeof(gzip));
	out.size = 0;
	assert_int_equal(compress_encode(&scratch, BATCH_ZSTD, COMPRESS_LEVEL_DEFAULT, in, &out),
	                 0);
	assert_memory_equal(out.data, zstd, sizeof(zstd));
	assert_memory_equal(out.data + out.size - 3, nothing, sizeof(nothing));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_other_clients_compressed),
		cmocka_unit_test(everything_comes_back),
		cmocka_unit_test(every_level_comes_back),
		cmocka_unit_test(the_limit_is_exact),
		cmocka_unit_test(rejects_every_truncation),
		cmocka_unit_test(rejects_lies),
		cmocka_unit_test(bombs_stop_at_the_limit),
		cmocka_unit_test(gzip_members_follow_each_other),
		cmocka_unit_test(frames_begin_and_end_as_kafkas),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
