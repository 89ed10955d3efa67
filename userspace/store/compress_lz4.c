/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <lz4.h>
#include <lz4hc.h>

#include "compress_codec.h"

/*
 * LZ4 frames (lz4_Frame_format.md 1.6), as far as Kafka's Java client takes them: independent
 * blocks, no dictionary, nothing read behind the end mark, the content checksum skipped.  A frame
 * that Java cannot read must not get into a log, so liblz4's own frame reader is too lenient.
 */
enum {
	FLAG_VERSION_MASK = 0xc0,
	FLAG_VERSION = 0x40,
	FLAG_INDEPENDENT = 0x20,
	FLAG_BLOCK_CHECKSUM = 0x10,
	FLAG_CONTENT_SIZE = 0x08,
	FLAG_CONTENT_CHECKSUM = 0x04,
	FLAG_RESERVED = 0x03,

	BLOCK_SIZE_64K = 4,
	BLOCK_SIZE_4M = 7,
	BLOCK_64K = 64 * 1024,

	YIELD_MAX = 255, /* a byte of a long match's length stands for so many */
	YIELD_FIRST = 64,
	LEVEL_FAST = 9, /* Kafka's default, which Java's library takes for the fast compressor */
};

#define LZ4_MAGIC        0x184d2204u
#define LZ4_UNCOMPRESSED 0x80000000u

static uint32_t load_le(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store_le(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* ---- xxHash32, seed 0 (xxhash_spec.md) ---- */

#define PRIME_1 0x9e3779b1u
#define PRIME_2 0x85ebca77u
#define PRIME_3 0xc2b2ae3du
#define PRIME_4 0x27d4eb2fu
#define PRIME_5 0x165667b1u

static uint32_t rotate(uint32_t v, int bits)
{
	return v << bits | v >> (32 - bits);
}

static uint32_t xxh32(const uint8_t *p, size_t size)
{
	uint32_t lane[4] = { PRIME_1 + PRIME_2, PRIME_2, 0, 0u - PRIME_1 };
	size_t left = size;
	uint32_t h = PRIME_5;

	if (size >= 16) {
		for (; left >= 16; left -= 16) {
			for (int i = 0; i < 4; i++, p += 4)
				lane[i] = rotate(lane[i] + load_le(p) * PRIME_2, 13) * PRIME_1;
		}
		h = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) +
		    rotate(lane[3], 18);
	}
	h += (uint32_t)size;
	for (; left >= 4; left -= 4, p += 4)
		h = rotate(h + load_le(p) * PRIME_3, 17) * PRIME_4;
	for (; left; left--, p++)
		h = rotate(h + *p * PRIME_5, 11) * PRIME_1;
	h = (h ^ h >> 15) * PRIME_2;
	h = (h ^ h >> 13) * PRIME_3;
	return h ^ h >> 16;
}

/* ---- reading ---- */

struct lz4_frame {
	uint8_t flags;
	size_t block_max;
};

static bool take(struct span *in, size_t size, const uint8_t **ret)
{
	if (in->size < size)
		return false;
	*ret = in->data;
	in->data += size;
	in->size -= size;
	return true;
}

static int read_header(struct span *in, struct lz4_frame *f)
{
	const uint8_t *p, *descriptor;
	size_t size;
	uint8_t block;

	if (!take(in, 6, &p) || load_le(p) != LZ4_MAGIC)
		return -EBADMSG;
	descriptor = p + 4;
	f->flags = p[4];
	block = p[5] >> 4;
	if ((f->flags & FLAG_VERSION_MASK) != FLAG_VERSION || !(f->flags & FLAG_INDEPENDENT) ||
	    f->flags & FLAG_RESERVED)
		return -EBADMSG;
	if (p[5] & 0x0f || block < BLOCK_SIZE_64K || block > BLOCK_SIZE_4M)
		return -EBADMSG;
	f->block_max = (size_t)1 << (2 * block + 8);
	if (f->flags & FLAG_CONTENT_SIZE && !take(in, 8, &p))
		return -EBADMSG;
	size = (size_t)(in->data - descriptor);
	if (!take(in, 1, &p) || *p != (uint8_t)(xxh32(descriptor, size) >> 8))
		return -EBADMSG;
	return 0;
}

static int read_block(struct compress_scratch *s, const struct lz4_frame *f, const uint8_t *data,
                      size_t size, struct compress_out *out)
{
	size_t room = size * YIELD_MAX + YIELD_FIRST;
	uint8_t *plain;
	int got;

	if (room > f->block_max)
		room = f->block_max;
	plain = compress_block(s, room);
	got = LZ4_decompress_safe((const char *)data, (char *)plain, (int)size, (int)room);
	return got < 0 ? -EBADMSG : compress_give(out, (struct span){ plain, (size_t)got });
}

int lz4_decode(struct compress_scratch *s, struct span in, struct compress_out *out)
{
	struct lz4_frame f;
	const uint8_t *p, *data;
	int err = read_header(&in, &f);

	while (!err) {
		uint32_t head;
		size_t size;

		if (!take(&in, 4, &p))
			return -EBADMSG;
		head = load_le(p);
		size = head & ~LZ4_UNCOMPRESSED;
		if (!size)
			break;
		if (size > f.block_max || !take(&in, size, &data))
			return -EBADMSG;
		if (f.flags & FLAG_BLOCK_CHECKSUM &&
		    (!take(&in, 4, &p) || load_le(p) != xxh32(data, size)))
			return -EBADMSG;
		if (head & LZ4_UNCOMPRESSED)
			err = compress_give(out, (struct span){ data, size });
		else
			err = read_block(s, &f, data, size, out);
	}
	if (!err && f.flags & FLAG_CONTENT_CHECKSUM && !take(&in, 4, &p))
		return -EBADMSG;
	return err;
}

/* ---- writing: 64 KiB blocks, no checksums but the header's, as the Java client ---- */

static void write_block(int level, const uint8_t *data, size_t size, struct buf *out)
{
	int bound = LZ4_compressBound((int)size), got;
	uint8_t *to;

	buf_reserve(out, 4 + (size_t)bound);
	to = out->data + out->size;
	if (level == COMPRESS_LEVEL_DEFAULT || level == LEVEL_FAST)
		got = LZ4_compress_default((const char *)data, (char *)to + 4, (int)size, bound);
	else
		got = LZ4_compress_HC((const char *)data, (char *)to + 4, (int)size, bound, level);
	if (got <= 0 || (size_t)got >= size) {
		memcpy(to + 4, data, size);
		store_le(to, (uint32_t)size | LZ4_UNCOMPRESSED);
		out->size += 4 + size;
		return;
	}
	store_le(to, (uint32_t)got);
	out->size += 4 + (size_t)got;
}

int lz4_encode(int level, struct span in, struct buf *out)
{
	uint8_t *header = buf_extend(out, 7);

	store_le(header, LZ4_MAGIC);
	header[4] = FLAG_VERSION | FLAG_INDEPENDENT;
	header[5] = BLOCK_SIZE_64K << 4;
	header[6] = (uint8_t)(xxh32(header + 4, 2) >> 8);
	for (size_t at = 0; at < in.size; at += BLOCK_64K)
		write_block(level, in.data + at,
		            in.size - at < BLOCK_64K ? in.size - at : BLOCK_64K, out);
	store_le(buf_extend(out, 4), 0);
	return 0;
}
