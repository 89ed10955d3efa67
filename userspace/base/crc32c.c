/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32c.h"

#include <isa-l/crc.h>

/* ISA-L takes an int and does not invert: the caller does, before and after. */
uint32_t crc32c_extend(uint32_t crc, const void *data, size_t size)
{
	enum { STEP = 1 << 30 };
	const uint8_t *p = data;

	crc = ~crc;
	for (; size > STEP; p += STEP, size -= STEP)
		crc = crc32_iscsi((unsigned char *)(uintptr_t)p, STEP, crc);
	return ~crc32_iscsi((unsigned char *)(uintptr_t)p, (int)size, crc);
}

uint32_t crc32c(const void *data, size_t size)
{
	return crc32c_extend(0, data, size);
}
