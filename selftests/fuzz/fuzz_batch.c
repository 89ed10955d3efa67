/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/check.h"
#include "wire/batch.h"

/* Whatever the bytes, nothing outside them is read, and both walks agree. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count {
	struct record_stream stream;
	int32_t seen;
};

static int count_one(struct record_stream *self, const struct record *r)
{
	struct span headers = r->headers;

	for (int32_t i = 0; i < r->header_count; i++)
		(void)record_header_next(&headers);
	check(headers.size == 0);
	(void)control_type_decode(r->key);
	container_of(self, struct count, stream)->seen++;
	return 0;
}

static void walk(struct span records, int32_t record_count, size_t piece)
{
	struct count c = { { .record_size_max = 1 << 20, .each = count_one }, 0 };
	struct record_iter it = record_iter(records, record_count);
	struct record r;
	int32_t seen = 0;
	int more, err = 0;

	while ((more = record_iter_next(&it, &r)) > 0)
		seen++;
	record_stream_begin(&c.stream, record_count);
	for (size_t at = 0; at < records.size && !err; at += piece)
		err = record_stream_feed(
			&c.stream,
			(struct span){ records.data + at,
		                       records.size - at < piece ? records.size - at : piece });
	if (!err)
		err = record_stream_end(&c.stream);
	check(err == -EFBIG || (!more == !err && seen == c.seen));
	record_stream_fini(&c.stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { data, size };
	struct batch b;

	if (size < 3)
		return 0;
	walk((struct span){ data + 2, size - 2 }, data[0], data[1] ? data[1] : 1);
	while (!batch_parse(rest, &b)) {
		(void)batch_crc_ok(&b);
		(void)batch_last_sequence(&b);
		if (b.magic == 2)
			walk(batch_records(&b), b.record_count, 7);
		rest.data += b.size;
		rest.size -= b.size;
	}
	return 0;
}
