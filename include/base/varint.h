/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_VARINT_H
#define BASE_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Protocol-buffer varints as Kafka uses them (ByteUtils): little groups of seven bits,
 * zigzag for signed values.  Decoding returns the bytes consumed, 0 when the value is
 * cut short or longer than its type (5 or 10 bytes).
 */
size_t uvarint_decode(const uint8_t *data, size_t size, uint32_t *ret);
size_t uvarlong_decode(const uint8_t *data, size_t size, uint64_t *ret);
size_t uvarint_encode(uint8_t *out, uint32_t value);  /* at most 5 bytes */
size_t uvarlong_encode(uint8_t *out, uint64_t value); /* at most 10 bytes */
size_t uvarint_size(uint32_t value);
size_t uvarlong_size(uint64_t value);

static inline uint32_t zigzag32(int32_t v)
{
	return ((uint32_t)v << 1) ^ (uint32_t)(v >> 31);
}

static inline int32_t unzigzag32(uint32_t v)
{
	return (int32_t)(v >> 1) ^ -(int32_t)(v & 1);
}

static inline uint64_t zigzag64(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag64(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#endif
