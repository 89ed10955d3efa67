/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "store/compress.h"

/* First byte: the codec; the rest is decompressed, and itself compressed and read back. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct compress_scratch scratch;
	enum batch_compression codec;
	struct buf packed = { 0 }, out = { 0 };
	struct span in = { data + 1, size - 1 };
	int err;

	if (!size)
		return 0;
	codec = (enum batch_compression)(data[0] % 8);
	err = compress_decode_buf(&scratch, codec, in, OUTPUT_MAX, &out);
	check(out.size <= OUTPUT_MAX && (!err || !out.size));
	if (codec < BATCH_COMPRESSIONS) {
		out.size = 0;
		check(!compress_encode(&scratch, codec, COMPRESS_LEVEL_DEFAULT, in, &packed));
		check(!compress_decode_buf(
			&scratch, codec, (struct span){ packed.data, packed.size }, in.size, &out));
		check(out.size == in.size && (!in.size || !memcmp(out.data, in.data, in.size)));
	}
	buf_fini(&packed);
	buf_fini(&out);
	return 0;
}
