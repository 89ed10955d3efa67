/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_COMPRESS_CODEC_H
#define STORE_COMPRESS_CODEC_H

#include "store/compress.h"

/* The output side of one compress_decode(): counts, limits, and cuts into pieces. */
struct compress_out {
	struct compress_sink *sink;
	size_t left; /* until output_max */
};

enum { COMPRESS_PIECE = 64 * 1024 };

/* 0, -EFBIG, or the sink's answer. */
int compress_give(struct compress_out *out, struct span piece);
/* At least size bytes in s->block, content lost; NULL when there is no memory. */
uint8_t *compress_block(struct compress_scratch *s, size_t size);

int lz4_decode(struct compress_scratch *s, struct span in, struct compress_out *out);
int lz4_encode(int level, struct span in, struct buf *out);
int snappy_decode(struct compress_scratch *s, struct span in, struct compress_out *out);
int snappy_encode(struct span in, struct buf *out);

#endif
