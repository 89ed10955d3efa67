/* SPDX-License-Identifier: Apache-2.0 */
#include "store/compress.h"

#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "compress_codec.h"

enum {
	GZIP_WINDOW = 15 + 16, /* zlib: 32 KiB, gzip header and trailer */
	GZIP_MEMORY = 8,       /* zlib's default */
	ZSTD_KEEP_MAX = 8 * 1024 * 1024,
	BLOCK_KEEP_MAX = 1024 * 1024,
};

int compress_give(struct compress_out *out, struct span piece)
{
	if (piece.size > out->left)
		return -EFBIG;
	out->left -= piece.size;
	return piece.size ? out->sink->take(out->sink, piece) : 0;
}

uint8_t *compress_block(struct compress_scratch *s, size_t size)
{
	s->block.size = 0;
	buf_reserve(&s->block, size ? size : 1);
	return s->block.data;
}

static uint8_t *piece_of(struct compress_scratch *s)
{
	if (!s->piece)
		s->piece = mem_alloc(COMPRESS_PIECE);
	return s->piece;
}

/* ---- gzip ---- */

static z_stream *inflate_of(struct compress_scratch *s)
{
	z_stream *z = s->inflate;

	if (z)
		return inflateReset(z) == Z_OK ? z : NULL;
	z = mem_zalloc(sizeof(*z));
	if (inflateInit2(z, GZIP_WINDOW) != Z_OK) {
		mem_free(z);
		return NULL;
	}
	s->inflate = z;
	return z;
}

/* Another member follows; any other bytes behind a member are ignored, as Java does. */
static bool gzip_continues(const z_stream *z)
{
	return z->avail_in >= 2 && z->next_in[0] == 0x1f && z->next_in[1] == 0x8b;
}

static int gzip_decode(struct compress_scratch *s, struct span in, struct compress_out *out)
{
	z_stream *z = inflate_of(s);
	uint8_t *piece = piece_of(s);

	if (!z)
		return -ENOMEM;
	z->next_in = (Bytef *)(uintptr_t)in.data;
	z->avail_in = (uInt)in.size;
	for (;;) {
		int state, err;

		z->next_out = piece;
		z->avail_out = COMPRESS_PIECE;
		state = inflate(z, Z_NO_FLUSH);
		if (state != Z_OK && state != Z_STREAM_END)
			return state == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
		err = compress_give(out, (struct span){ piece, COMPRESS_PIECE - z->avail_out });
		if (err)
			return err;
		if (state != Z_STREAM_END)
			continue;
		if (!gzip_continues(z))
			return 0;
		if (inflateReset(z) != Z_OK)
			return -ENOMEM;
	}
}

static z_stream *deflate_of(struct compress_scratch *s, int level)
{
	z_stream *z = s->deflate;

	if (z && s->deflate_level == level)
		return deflateReset(z) == Z_OK ? z : NULL;
	if (z)
		(void)deflateEnd(z); /* frees all the same */
	else
		z = mem_alloc(sizeof(*z));
	s->deflate = NULL;
	*z = (z_stream){ 0 };
	if (deflateInit2(z, level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) !=
	    Z_OK) {
		mem_free(z);
		return NULL;
	}
	s->deflate = z;
	s->deflate_level = level;
	return z;
}

enum { GZIP_XFL = 8, GZIP_OS = 9 }; /* of its header, RFC 1952 */

static int gzip_encode(struct compress_scratch *s, int level, struct span in, struct buf *out)
{
	z_stream *z;
	uLong bound;

	z = deflate_of(s, level == COMPRESS_LEVEL_DEFAULT ? Z_DEFAULT_COMPRESSION : level);
	if (!z || in.size > UINT32_MAX)
		return -ENOMEM;
	bound = deflateBound(z, in.size);
	buf_reserve(out, bound);
	z->next_in = (Bytef *)(uintptr_t)in.data;
	z->avail_in = (uInt)in.size;
	z->next_out = out->data + out->size;
	z->avail_out = (uInt)bound;
	if (deflate(z, Z_FINISH) != Z_STREAM_END)
		return -ENOMEM;
	/* Java's header says neither how hard it tried nor on which system. */
	out->data[out->size + GZIP_XFL] = 0;
	out->data[out->size + GZIP_OS] = 0xff;
	out->size += bound - z->avail_out;
	return 0;
}

/* ---- zstd ---- */

static ZSTD_DCtx *zstd_in_of(struct compress_scratch *s)
{
	ZSTD_DCtx *z = s->zstd_in;

	if (!z) {
		z = ZSTD_createDCtx();
		if (!z)
			return NULL;
		s->zstd_in = z;
		(void)ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, COMPRESS_ZSTD_WINDOW_LOG_MAX);
	}
	(void)ZSTD_DCtx_reset(z, ZSTD_reset_session_only); /* cannot fail for a session */
	return z;
}

static int zstd_walk(ZSTD_DCtx *z, uint8_t *piece, struct span data, struct compress_out *out)
{
	ZSTD_inBuffer in = { data.data, data.size, 0 };
	size_t hint;

	do {
		ZSTD_outBuffer to = { piece, COMPRESS_PIECE, 0 };
		int err;

		hint = ZSTD_decompressStream(z, &to, &in);
		if (ZSTD_isError(hint))
			return -EBADMSG;
		err = compress_give(out, (struct span){ piece, to.pos });
		if (err)
			return err;
		if (in.pos == in.size && to.pos < to.size)
			break;
	} while (hint || in.pos < in.size);
	return hint ? -EBADMSG : 0;
}

/* A frame may claim a window of 128 MiB; only what output reaches is ever touched, and a context
 * that grew so is not kept. */
static int zstd_decode(struct compress_scratch *s, struct span in, struct compress_out *out)
{
	ZSTD_DCtx *z = zstd_in_of(s);
	int err;

	if (!z)
		return -ENOMEM;
	err = in.size ? zstd_walk(z, piece_of(s), in, out) : -EBADMSG;
	if (ZSTD_sizeof_DCtx(z) > ZSTD_KEEP_MAX) {
		(void)ZSTD_freeDCtx(z); /* always 0 */
		s->zstd_in = NULL;
	}
	return err;
}

/*
 * As Kafka's stream makes it: its length is not said in advance, it is flushed and then ended, by a
 * block of nothing.
 */
static int zstd_encode(struct compress_scratch *s, int level, struct span in, struct buf *out)
{
	ZSTD_inBuffer input = { in.data, in.size, 0 };
	ZSTD_outBuffer output = { .size = ZSTD_compressBound(in.size) + 64 };
	ZSTD_CCtx *z = s->zstd_out ? s->zstd_out : ZSTD_createCCtx();

	s->zstd_out = z;
	if (!z)
		return -ENOMEM;
	buf_reserve(out, output.size);
	output.dst = out->data + out->size;
	if (ZSTD_isError(ZSTD_CCtx_reset(z, ZSTD_reset_session_and_parameters)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(
		    z, ZSTD_c_compressionLevel,
		    level == COMPRESS_LEVEL_DEFAULT ? ZSTD_CLEVEL_DEFAULT : level)) ||
	    ZSTD_compressStream2(z, &output, &input, ZSTD_e_flush) ||
	    ZSTD_compressStream2(z, &output, &input, ZSTD_e_end))
		return -ENOMEM;
	out->size += output.pos;
	return 0;
}

/* ---- all ---- */

int compress_decode(struct compress_scratch *s, enum batch_compression codec, struct span in,
                    size_t output_max, struct compress_sink *sink)
{
	struct compress_out out = { sink, output_max };
	int err;

	if (in.size > INT32_MAX)
		return -EBADMSG;
	switch (codec) {
	case BATCH_NONE:
		return compress_give(&out, in);
	case BATCH_GZIP:
		return gzip_decode(s, in, &out);
	case BATCH_ZSTD:
		return zstd_decode(s, in, &out);
	case BATCH_SNAPPY:
		err = snappy_decode(s, in, &out);
		break;
	case BATCH_LZ4:
		err = lz4_decode(s, in, &out);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (s->block.capacity > BLOCK_KEEP_MAX)
		buf_fini(&s->block);
	return err;
}

struct buf_sink {
	struct compress_sink sink;
	struct buf *out;
};

static int buf_take(struct compress_sink *self, struct span piece)
{
	buf_add(((struct buf_sink *)self)->out, piece.data, piece.size);
	return 0;
}

int compress_decode_buf(struct compress_scratch *s, enum batch_compression codec, struct span in,
                        size_t output_max, struct buf *out)
{
	struct buf_sink sink = { { buf_take }, out };
	size_t before = out->size;
	int err = compress_decode(s, codec, in, output_max, &sink.sink);

	if (err)
		out->size = before;
	return err;
}

int compress_encode(struct compress_scratch *s, enum batch_compression codec, int level,
                    struct span in, struct buf *out)
{
	switch (codec) {
	case BATCH_NONE:
		buf_add(out, in.data, in.size);
		return 0;
	case BATCH_GZIP:
		return gzip_encode(s, level, in, out);
	case BATCH_SNAPPY:
		return snappy_encode(in, out);
	case BATCH_LZ4:
		return lz4_encode(level, in, out);
	case BATCH_ZSTD:
		return zstd_encode(s, level, in, out);
	default:
		return -EOPNOTSUPP;
	}
}

const char *compress_name(int codec)
{
	static const char *const names[] = { "none", "gzip", "snappy", "lz4", "zstd" };

	return codec < 0 || codec >= BATCH_COMPRESSIONS ? NULL : names[codec];
}

void compress_scratch_fini(struct compress_scratch *s)
{
	if (s->inflate)
		(void)inflateEnd(s->inflate);
	if (s->deflate)
		(void)deflateEnd(s->deflate); /* Z_DATA_ERROR only says that input was pending */
	mem_free(s->inflate);
	mem_free(s->deflate);
	(void)ZSTD_freeDCtx(s->zstd_in);
	(void)ZSTD_freeCCtx(s->zstd_out);
	mem_free(s->piece);
	buf_fini(&s->block);
	buf_fini(&s->plain);
	buf_fini(&s->carry);
	*s = (struct compress_scratch){ 0 };
}
