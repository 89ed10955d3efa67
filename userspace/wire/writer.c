/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/writer.h"

#include "base/varint.h"

void writer_uvarint_long(struct writer *w, uint32_t v)
{
	uint8_t bytes[5];

	buf_add(w->buf, bytes, uvarint_encode(bytes, v));
}
