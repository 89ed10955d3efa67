/* SPDX-License-Identifier: Apache-2.0 */
#include "base/varint.h"

static size_t decode(const uint8_t *data, size_t size, unsigned int bits, uint64_t *ret)
{
	uint64_t value = 0;
	unsigned int shift = 0;

	for (size_t i = 0; i < size && shift < bits; i++, shift += 7) {
		uint64_t group = data[i] & 0x7f;

		if (bits - shift < 7 && group >> (bits - shift))
			return 0;
		value |= group << shift;
		if (!(data[i] & 0x80)) {
			*ret = value;
			return i + 1;
		}
	}
	return 0;
}

size_t uvarint_decode(const uint8_t *data, size_t size, uint32_t *ret)
{
	uint64_t value;
	size_t used = decode(data, size, 32, &value);

	if (used)
		*ret = (uint32_t)value;
	return used;
}

size_t uvarlong_decode(const uint8_t *data, size_t size, uint64_t *ret)
{
	return decode(data, size, 64, ret);
}

size_t uvarlong_encode(uint8_t *out, uint64_t value)
{
	size_t size = 0;

	for (; value >= 0x80; value >>= 7)
		out[size++] = (uint8_t)(value | 0x80);
	out[size++] = (uint8_t)value;
	return size;
}

size_t uvarint_encode(uint8_t *out, uint32_t value)
{
	return uvarlong_encode(out, value);
}

size_t uvarlong_size(uint64_t value)
{
	size_t size = 1;

	for (; value >= 0x80; value >>= 7)
		size++;
	return size;
}

size_t uvarint_size(uint32_t value)
{
	return uvarlong_size(value);
}
