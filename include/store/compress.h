/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_COMPRESS_H
#define STORE_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/check.h"
#include "wire/batch.h"

/*
 * The four codecs of record batches: gzip (RFC 1952), snappy (raw, or in the framing of Java's
 * snappy-java, "xerial"), LZ4 (frame format 1.6), zstd (RFC 8878).
 *
 * A claim inside the data (snappy's uncompressed length, LZ4's block size, zstd's window) is never
 * allocated before it is earned: output is limited by `output_max`, windows by fixed numbers.
 *
 * Errors: -EBADMSG the data is corrupt, cut short, or has bytes behind its end that Kafka would not
 * take; -EFBIG more than output_max came out; -EOPNOTSUPP an unknown codec.
 */
enum {
	COMPRESS_ZSTD_WINDOW_LOG_MAX = 27,
	COMPRESS_XERIAL_BLOCK = 32 * 1024,
	COMPRESS_SNAPPY_BLOCK_MAX = 64 * 1024 * 1024, /* one block of a xerial stream, plain */
	COMPRESS_LEVEL_DEFAULT = INT32_MIN,
};

/* Contexts and buffers that are kept for the next call.  One thread at a time; all zero is new. */
struct compress_scratch {
	void *inflate; /* z_stream */
	void *deflate; /* z_stream, of deflate_level */
	int deflate_level;
	void *zstd_in;  /* ZSTD_DCtx */
	void *zstd_out; /* ZSTD_CCtx */
	uint8_t *piece; /* what a sink is given */
	struct buf block;
	struct buf plain; /* the caller's: decompressed records */
	struct buf carry; /* the caller's: of struct record_stream */
};

void compress_scratch_fini(struct compress_scratch *s);

/* Takes a piece of the output; 0 to go on, anything else ends the call and is its answer. */
struct compress_sink {
	int (*take)(struct compress_sink *self, struct span piece);
};

/*
 * Streams.  Held are 64 KiB, of snappy and LZ4 one block, whose plain size is bounded by what its
 * compressed bytes can yield, and of zstd the window as far as output reached into it.
 */
int compress_decode(struct compress_scratch *s, enum batch_compression codec, struct span in,
                    size_t output_max, struct compress_sink *sink) must_check;

/* The same, at the end of *out; on failure out->size is as before. */
int compress_decode_buf(struct compress_scratch *s, enum batch_compression codec, struct span in,
                        size_t output_max, struct buf *out) must_check;

/*
 * Appends to *out.  level: the codec's own (gzip 1..9, lz4 1..17, zstd -131072..22; snappy has
 * none), COMPRESS_LEVEL_DEFAULT: Kafka's default.  Snappy is written as Java's client does: xerial,
 * 32 KiB blocks.  0, -EOPNOTSUPP, or -ENOMEM.
 */
int compress_encode(struct compress_scratch *s, enum batch_compression codec, int level,
                    struct span in, struct buf *out) must_check;

/* "none", "gzip", ...; NULL when unknown. */
const char *compress_name(int codec);

#endif
