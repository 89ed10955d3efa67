/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/batch.h"

#include <errno.h>

#include "base/crc32c.h"

/* Where the fields are; magic 0 and 1 share the first 12 bytes and the magic's place. */
enum {
	AT_LENGTH = 8,
	AT_LEADER_EPOCH = 12,
	AT_MAGIC = 16,
	AT_CRC = 17,
	AT_ATTRIBUTES = 21,
	AT_LAST_OFFSET_DELTA = 23,
	AT_BASE_TIMESTAMP = 27,
	AT_MAX_TIMESTAMP = 35,
	AT_PRODUCER_ID = 43,
	AT_PRODUCER_EPOCH = 51,
	AT_BASE_SEQUENCE = 53,
	AT_RECORD_COUNT = 57,

	AT_LEGACY_CRC = 12,
	AT_LEGACY_ATTRIBUTES = 17,
	AT_LEGACY_TIMESTAMP = 18,
	LEGACY_1_LENGTH_MIN = BATCH_LENGTH_MIN + 8,
};

const struct batch_options BATCH_PLAIN = {
	.leader_epoch = BATCH_NO_LEADER_EPOCH,
	.producer_id = BATCH_NO_PRODUCER_ID,
	.producer_epoch = BATCH_NO_PRODUCER_EPOCH,
	.base_sequence = BATCH_NO_SEQUENCE,
	.append_time_ms = BATCH_NO_TIMESTAMP,
	.delete_horizon_ms = BATCH_NO_TIMESTAMP,
};

static int32_t length_min(int8_t magic)
{
	switch (magic) {
	case 0:
		return BATCH_LENGTH_MIN;
	case 1:
		return LEGACY_1_LENGTH_MIN;
	default:
		return BATCH_HEADER_SIZE - BATCH_PREFIX_SIZE;
	}
}

static void read_legacy(const uint8_t *p, size_t size, struct batch *ret)
{
	*ret = (struct batch){
		.data = p,
		.size = size,
		.base_offset = (int64_t)load_be64(p),
		.leader_epoch = BATCH_NO_LEADER_EPOCH,
		.magic = (int8_t)p[AT_MAGIC],
		.crc = load_be32(p + AT_LEGACY_CRC),
		.attributes = p[AT_LEGACY_ATTRIBUTES],
		.last_offset_delta = -1,
		.base_timestamp = BATCH_NO_TIMESTAMP,
		.max_timestamp = BATCH_NO_TIMESTAMP,
		.producer_id = BATCH_NO_PRODUCER_ID,
		.producer_epoch = BATCH_NO_PRODUCER_EPOCH,
		.base_sequence = BATCH_NO_SEQUENCE,
		.record_count = -1,
	};
	if (ret->magic == 1)
		ret->max_timestamp = (int64_t)load_be64(p + AT_LEGACY_TIMESTAMP);
}

static void read_header(const uint8_t *p, size_t size, struct batch *ret)
{
	*ret = (struct batch){
		.data = p,
		.size = size,
		.base_offset = (int64_t)load_be64(p),
		.leader_epoch = (int32_t)load_be32(p + AT_LEADER_EPOCH),
		.magic = (int8_t)p[AT_MAGIC],
		.crc = load_be32(p + AT_CRC),
		.attributes = (int16_t)load_be16(p + AT_ATTRIBUTES),
		.last_offset_delta = (int32_t)load_be32(p + AT_LAST_OFFSET_DELTA),
		.base_timestamp = (int64_t)load_be64(p + AT_BASE_TIMESTAMP),
		.max_timestamp = (int64_t)load_be64(p + AT_MAX_TIMESTAMP),
		.producer_id = (int64_t)load_be64(p + AT_PRODUCER_ID),
		.producer_epoch = (int16_t)load_be16(p + AT_PRODUCER_EPOCH),
		.base_sequence = (int32_t)load_be32(p + AT_BASE_SEQUENCE),
		.record_count = (int32_t)load_be32(p + AT_RECORD_COUNT),
	};
}

int batch_parse(struct span bytes, struct batch *ret)
{
	int32_t length;
	int8_t magic;
	size_t size;

	if (bytes.size < BATCH_PREFIX_SIZE) {
		*ret = (struct batch){ 0 };
		return -EAGAIN;
	}
	length = (int32_t)load_be32(bytes.data + AT_LENGTH);
	if (length < BATCH_LENGTH_MIN || length > INT32_MAX - BATCH_PREFIX_SIZE)
		return -EBADMSG;
	size = (size_t)length + BATCH_PREFIX_SIZE;
	if (bytes.size >= BATCH_MAGIC_END) {
		magic = (int8_t)bytes.data[AT_MAGIC];
		if (magic < 0 || magic > 2 || length < length_min(magic))
			return -EBADMSG;
	}
	if (bytes.size < size) {
		*ret = (struct batch){ .size = size };
		return -EAGAIN;
	}
	if (bytes.data[AT_MAGIC] < 2)
		read_legacy(bytes.data, size, ret);
	else
		read_header(bytes.data, size, ret);
	return 0;
}

/* CRC-32 (IEEE 802.3) by half bytes: only old segments need it. */
static uint32_t crc32_ieee(const uint8_t *p, size_t size)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = ~0u;

	for (size_t i = 0; i < size; i++) {
		crc = (crc >> 4) ^ table[(crc ^ p[i]) & 0xf];
		crc = (crc >> 4) ^ table[(crc ^ (uint32_t)(p[i] >> 4)) & 0xf];
	}
	return ~crc;
}

bool batch_crc_ok(const struct batch *b)
{
	if (b->magic < 2)
		return b->crc == crc32_ieee(b->data + AT_MAGIC, b->size - AT_MAGIC);
	return b->crc == crc32c(b->data + BATCH_CRC_START, b->size - BATCH_CRC_START);
}

int32_t batch_sequence_add(int32_t sequence, int32_t increment)
{
	int64_t sum = (int64_t)sequence + increment; /* a header may say anything */

	return (int32_t)(sum > INT32_MAX ? sum - INT32_MAX - 1 : sum);
}

int32_t batch_last_sequence(const struct batch *b)
{
	if (b->base_sequence == BATCH_NO_SEQUENCE)
		return BATCH_NO_SEQUENCE;
	return batch_sequence_add(b->base_sequence, b->last_offset_delta);
}

void batch_patch_offset(uint8_t *data, int64_t base_offset, int32_t leader_epoch)
{
	store_be64(data, (uint64_t)base_offset);
	store_be32(data + AT_LEADER_EPOCH, (uint32_t)leader_epoch);
}

static void patch_time(uint8_t *data, size_t size, uint16_t type, int64_t max_timestamp)
{
	uint16_t kept =
		BATCH_COMPRESSION_MASK | BATCH_TRANSACTIONAL | BATCH_CONTROL | BATCH_DELETE_HORIZON;
	uint16_t attributes = (load_be16(data + AT_ATTRIBUTES) & kept) | type;

	check(size >= BATCH_HEADER_SIZE);
	store_be16(data + AT_ATTRIBUTES, attributes);
	store_be64(data + AT_MAX_TIMESTAMP, (uint64_t)max_timestamp);
	store_be32(data + AT_CRC, crc32c(data + BATCH_CRC_START, size - BATCH_CRC_START));
}

void batch_patch_append_time(uint8_t *data, size_t size, int64_t append_time_ms)
{
	patch_time(data, size, BATCH_LOG_APPEND_TIME, append_time_ms);
}

void batch_patch_max_timestamp(uint8_t *data, size_t size, int64_t max_timestamp)
{
	patch_time(data, size, 0, max_timestamp);
}

void batch_begin(struct batch_builder *b, struct buf *out, const struct batch_options *options)
{
	*b = (struct batch_builder){
		.out = out,
		.start = out->size,
		.options = *options,
		.base_timestamp = options->delete_horizon_ms,
		.max_timestamp = BATCH_NO_TIMESTAMP,
		.last_offset = options->base_offset - 1,
	};
	(void)buf_extend(out, BATCH_HEADER_SIZE); /* written by batch_end() */
}

static void write_header(struct batch_builder *b, int16_t attributes)
{
	uint8_t *p = b->out->data + b->start;
	size_t size = batch_builder_size(b);
	const struct batch_options *o = &b->options;
	int64_t max = o->attributes & BATCH_LOG_APPEND_TIME ? o->append_time_ms : b->max_timestamp;

	check(size <= INT32_MAX);
	store_be64(p, (uint64_t)o->base_offset);
	store_be32(p + AT_LENGTH, (uint32_t)(size - BATCH_PREFIX_SIZE));
	store_be32(p + AT_LEADER_EPOCH, (uint32_t)o->leader_epoch);
	p[AT_MAGIC] = 2;
	store_be16(p + AT_ATTRIBUTES, (uint16_t)attributes);
	store_be32(p + AT_LAST_OFFSET_DELTA, (uint32_t)(b->last_offset - o->base_offset));
	store_be64(p + AT_BASE_TIMESTAMP, (uint64_t)b->base_timestamp);
	store_be64(p + AT_MAX_TIMESTAMP, (uint64_t)max);
	store_be64(p + AT_PRODUCER_ID, (uint64_t)o->producer_id);
	store_be16(p + AT_PRODUCER_EPOCH, (uint16_t)o->producer_epoch);
	store_be32(p + AT_BASE_SEQUENCE, (uint32_t)o->base_sequence);
	store_be32(p + AT_RECORD_COUNT, (uint32_t)b->record_count);
	store_be32(p + AT_CRC, crc32c(p + BATCH_CRC_START, size - BATCH_CRC_START));
}

struct span batch_builder_records(const struct batch_builder *b)
{
	return (struct span){ b->out->data + b->start + BATCH_HEADER_SIZE,
		              batch_builder_size(b) - BATCH_HEADER_SIZE };
}

size_t batch_end(struct batch_builder *b)
{
	if (!b->record_count) {
		batch_abort(b);
		return 0;
	}
	write_header(b, b->options.attributes & ~BATCH_COMPRESSION_MASK);
	return batch_builder_size(b);
}

size_t batch_end_compressed(struct batch_builder *b, enum batch_compression compression,
                            struct span compressed)
{
	check(b->record_count);
	b->out->size = b->start + BATCH_HEADER_SIZE;
	buf_add(b->out, compressed.data, compressed.size);
	write_header(
		b, (int16_t)((b->options.attributes & ~BATCH_COMPRESSION_MASK) | (int)compression));
	return batch_builder_size(b);
}

void batch_abort(struct batch_builder *b)
{
	b->out->size = b->start;
}
