/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <snappy-c.h>

#include "compress_codec.h"

/*
 * snappy, raw or in the framing of snappy-java ("xerial"): a header of 16 bytes, then blocks, each
 * a big-endian size and raw snappy.  Clients write either; Java's, and we, the second.
 */
enum {
	HEADER_SIZE = 16,
	MAGIC_SIZE = 8,
	VERSION = 1,
	COMPATIBLE_VERSION = 1,
	/* A copy of 64 bytes takes at least 3; a bit more for the beginning. */
	YIELD_MAX = 22,
	YIELD_FIRST = 64,
};

static const uint8_t magic[MAGIC_SIZE] = { 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0 };

static int decode_block(struct compress_scratch *s, struct span in, struct compress_out *out)
{
	const char *data = (const char *)in.data;
	uint8_t *plain;
	size_t size;

	if (snappy_uncompressed_length(data, in.size, &size) != SNAPPY_OK)
		return -EBADMSG;
	/* The claim, before anything is allocated for it (CVE-2023-34455). */
	if (size > in.size * YIELD_MAX + YIELD_FIRST)
		return -EBADMSG;
	if (size > out->left)
		return -EFBIG;
	plain = compress_block(s, size);
	if (snappy_uncompress(data, in.size, (char *)plain, &size) != SNAPPY_OK)
		return -EBADMSG;
	return compress_give(out, (struct span){ plain, size });
}

static bool skip_header(struct span *in)
{
	if (in->size < HEADER_SIZE || memcmp(in->data, magic, MAGIC_SIZE) != 0)
		return false;
	in->data += HEADER_SIZE;
	in->size -= HEADER_SIZE;
	return true;
}

int snappy_decode(struct compress_scratch *s, struct span in, struct compress_out *out)
{
	if (in.size >= HEADER_SIZE && memcmp(in.data, magic, MAGIC_SIZE) == 0 &&
	    (int32_t)load_be32(in.data + MAGIC_SIZE) < COMPATIBLE_VERSION)
		return -EBADMSG;
	if (!skip_header(&in))
		return decode_block(s, in, out);
	while (in.size) {
		uint32_t size;
		int err;

		if (skip_header(&in)) /* streams one after the other */
			continue;
		if (in.size < sizeof(size))
			return -EBADMSG;
		size = load_be32(in.data);
		in.data += sizeof(size);
		in.size -= sizeof(size);
		if (size > in.size)
			return -EBADMSG;
		err = decode_block(s, (struct span){ in.data, size }, out);
		if (err)
			return err;
		in.data += size;
		in.size -= size;
	}
	return 0;
}

int snappy_encode(struct span in, struct buf *out)
{
	uint8_t *header = buf_extend(out, HEADER_SIZE);

	memcpy(header, magic, MAGIC_SIZE);
	store_be32(header + MAGIC_SIZE, VERSION);
	store_be32(header + MAGIC_SIZE + 4, COMPATIBLE_VERSION);
	for (size_t at = 0; at < in.size; at += COMPRESS_XERIAL_BLOCK) {
		size_t plain =
			in.size - at < COMPRESS_XERIAL_BLOCK ? in.size - at : COMPRESS_XERIAL_BLOCK;
		size_t size = snappy_max_compressed_length(plain);
		uint8_t *to;

		buf_reserve(out, sizeof(uint32_t) + size);
		to = out->data + out->size;
		if (snappy_compress((const char *)in.data + at, plain, (char *)to + 4, &size) !=
		    SNAPPY_OK)
			return -ENOMEM;
		store_be32(to, (uint32_t)size);
		out->size += sizeof(uint32_t) + size;
	}
	return 0;
}
