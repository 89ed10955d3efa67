/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/crc32c.h"
#include "store/validate.h"
#include "wire/errors.h"

/*
 * First byte: the rules; the rest is a records field, once as it is and once with its length and
 * checksum put right, so that the records are reached.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try(const struct validate_rules *rules, struct span bytes)
{
	static struct compress_scratch scratch;
	struct validate_result r, again;
	struct buf rebuilt = { 0 };
	struct arena arena;

	arena_init(&arena, 1 << 16);
	validate_append(rules, bytes, 1700000000000, &scratch, &arena, &rebuilt, &r);
	check(r.error != WIRE_UNKNOWN_SERVER_ERROR);
	check((r.outcome == VALIDATE_REFUSED) == (r.error != WIRE_NONE));
	check(r.outcome != VALIDATE_HEAVY || !rules->heavy_ok);
	if (r.outcome == VALIDATE_OK && r.rewrite == VALIDATE_REBUILT) {
		struct buf none = { 0 };

		/* What we made passes our own check, unchanged. */
		validate_append(rules, (struct span){ rebuilt.data, rebuilt.size }, 1700000000000,
		                &scratch, &arena, &none, &again);
		check(again.outcome == VALIDATE_HEAVY || rules->append_time ||
		      (again.outcome == VALIDATE_OK && again.rewrite == VALIDATE_AS_IS));
		buf_fini(&none);
	}
	buf_fini(&rebuilt);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct validate_rules rules = {
		.api_version = 13,
		.before_max_ms = INT64_MAX,
		.after_max_ms = 3600000,
		.max_message_bytes = 1 << 20,
		.segment_bytes = 1 << 30,
		.compression_level = COMPRESS_LEVEL_DEFAULT,
		.topic = STR("t"),
	};
	struct buf copy = { 0 };

	if (!size)
		return 0;
	rules.compact = data[0] & 1;
	rules.append_time = data[0] & 2;
	rules.heavy_ok = data[0] & 4;
	rules.internal = data[0] & 8;
	rules.compression = (int8_t)((data[0] >> 4) % 6 - 1);
	try(&rules, (struct span){ data + 1, size - 1 });
	if (size - 1 >= BATCH_HEADER_SIZE) {
		buf_add(&copy, data + 1, size - 1);
		store_be64(copy.data, 0);
		store_be32(copy.data + 8, (uint32_t)(copy.size - BATCH_PREFIX_SIZE));
		copy.data[BATCH_MAGIC_END - 1] = 2;
		store_be32(copy.data + 17,
		           crc32c(copy.data + BATCH_CRC_START, copy.size - BATCH_CRC_START));
		try(&rules, (struct span){ copy.data, copy.size });
	}
	buf_fini(&copy);
	return 0;
}
