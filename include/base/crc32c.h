/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), as record batches use it. */
uint32_t crc32c(const void *data, size_t size);
/* Continues: crc32c_extend(crc32c(a), b) == crc32c(ab). */
uint32_t crc32c_extend(uint32_t crc, const void *data, size_t size);

#endif
