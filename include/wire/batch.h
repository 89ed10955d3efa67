/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_BATCH_H
#define WIRE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/check.h"

/*
 * Record batches, magic 2 (Kafka: DefaultRecordBatch, DefaultRecord, MemoryRecordsBuilder; KIP-98).
 * The header is 61 bytes, big-endian; the CRC-32C covers everything from the attributes on, so base
 * offset and leader epoch may be patched without it.
 *
 * Magic 0 and 1 (LegacyRecord) are recognised, so that old segments can be walked, served and
 * dumped; they are never written.
 */
enum {
	BATCH_HEADER_SIZE = 61,
	BATCH_PREFIX_SIZE = 12, /* base offset and length: what `length` does not count */
	BATCH_MAGIC_END = 17,   /* header up to and with the magic byte */
	BATCH_CRC_START = 21,   /* the checksum covers from here */
	BATCH_LENGTH_MIN = 14,  /* of any magic: LegacyRecord.RECORD_OVERHEAD_V0 */
};

enum batch_attribute {
	BATCH_COMPRESSION_MASK = 0x07,
	BATCH_LOG_APPEND_TIME = 0x08,
	BATCH_TRANSACTIONAL = 0x10,
	BATCH_CONTROL = 0x20,
	BATCH_DELETE_HORIZON = 0x40, /* base_timestamp is the delete horizon (KIP-534) */
};

enum batch_compression {
	BATCH_NONE = 0,
	BATCH_GZIP = 1,
	BATCH_SNAPPY = 2,
	BATCH_LZ4 = 3,
	BATCH_ZSTD = 4,
	BATCH_COMPRESSIONS, /* 5..7 are unknown */
};

enum {
	BATCH_NO_PRODUCER_ID = -1,
	BATCH_NO_PRODUCER_EPOCH = -1,
	BATCH_NO_SEQUENCE = -1,
	BATCH_NO_LEADER_EPOCH = -1,
	BATCH_NO_TIMESTAMP = -1,
};

/* A header, decoded, over borrowed bytes. */
struct batch {
	const uint8_t *data; /* the whole batch, header included; NULL after -EAGAIN */
	size_t size; /* of the whole batch: length + 12; after -EAGAIN 0 or what is needed */
	int64_t base_offset; /* magic 0 and 1: the offset of the (last) message */
	int32_t leader_epoch;
	int8_t magic;
	uint32_t crc;
	int16_t attributes;
	int32_t last_offset_delta;
	int64_t base_timestamp;
	int64_t max_timestamp;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t record_count;
};

/*
 * The batch at the beginning of `bytes`.
 *	0		*ret is the batch.  Of magic 0 and 1 only data, size, base_offset, magic,
 *			crc, attributes and max_timestamp mean something; counts are -1.
 *	-EAGAIN		cut short.  ret->size is the size of the whole batch when the length could
 *			be read, else 0; the other fields are zero.
 *	-EBADMSG	a length below Kafka's minimum (14; 49 for magic 2) or over INT32_MAX - 12,
 *or an unknown magic.  *ret is untouched, except for magic and size. The checksum is not looked at.
 */
int batch_parse(struct span bytes, struct batch *ret) must_check;

/* CRC-32C of magic 2, CRC-32 of magic 0 and 1 (bytes from the magic on). */
bool batch_crc_ok(const struct batch *b);

static inline int64_t batch_last_offset(const struct batch *b)
{
	return b->magic >= 2 ? b->base_offset + b->last_offset_delta : b->base_offset;
}

static inline enum batch_compression batch_compression(const struct batch *b)
{
	return (enum batch_compression)(b->attributes & BATCH_COMPRESSION_MASK);
}

static inline bool batch_is_control(const struct batch *b)
{
	return b->attributes & BATCH_CONTROL;
}

static inline bool batch_is_transactional(const struct batch *b)
{
	return b->attributes & BATCH_TRANSACTIONAL;
}

static inline bool batch_has_producer(const struct batch *b)
{
	return b->producer_id > BATCH_NO_PRODUCER_ID;
}

/* The records, still compressed; only of magic 2. */
static inline struct span batch_records(const struct batch *b)
{
	return (struct span){ b->data + BATCH_HEADER_SIZE, b->size - BATCH_HEADER_SIZE };
}

/* Sequences wrap from INT32_MAX to 0 (DefaultRecordBatch.incrementSequence). */
int32_t batch_sequence_add(int32_t sequence, int32_t increment);
int32_t batch_last_sequence(const struct batch *b); /* BATCH_NO_SEQUENCE when it has none */

/* In place, checksum unaffected. */
void batch_patch_offset(uint8_t *data, int64_t base_offset, int32_t leader_epoch);
/*
 * In place, with a new checksum; only of magic 2.  Both as DefaultRecordBatch.setMaxTimestamp: the
 * attributes keep compression, transactional, control and delete horizon and lose unknown bits.
 */
void batch_patch_append_time(uint8_t *data, size_t size, int64_t append_time_ms);
void batch_patch_max_timestamp(uint8_t *data, size_t size, int64_t max_timestamp);

/* ---- records ---- */

/* data == NULL: null. */
struct record {
	size_t size; /* with its length field */
	int8_t attributes;
	int64_t timestamp_delta;
	int32_t offset_delta;
	struct span key;
	struct span value;
	int32_t header_count;
	struct span headers; /* encoded; record_header_next() */
};

/*
 * One record at the beginning of bytes.  0; -EAGAIN: cut short, ret->size is then the size of the
 * whole record when its length could be read, else 0; -EBADMSG: it contradicts itself (every length
 * inside is checked, headers too).  Null and negative lengths are one, as in Kafka, but for a
 * header's key.  After an error only ret->size means something, and only as told.
 */
int record_decode(struct span bytes, struct record *ret) must_check;

struct record_header {
	struct span key; /* never null */
	struct span value;
};

/* Takes the first header off *headers, which record_decode() has checked. */
struct record_header record_header_next(struct span *headers);

/* The records of an uncompressed batch, or of its decompressed bytes. */
struct record_iter {
	struct span rest;
	int32_t left; /* records that the header still promises */
};

static inline struct record_iter record_iter(struct span records, int32_t record_count)
{
	return (struct record_iter){ records, record_count };
}

/* 1: *ret is the next; 0: no more, and no bytes are left; -EBADMSG: any other end. */
int record_iter_next(struct record_iter *it, struct record *ret) must_check;

/*
 * The same over bytes that come in pieces (a decompressor's output): feed() calls each() for every
 * whole record.  Only what a piece cuts is copied, into `carry`, which never grows beyond
 * record_size_max.  When the bytes have ended record_stream_end() says whether all was well.
 */
struct record_stream {
	int32_t left;
	size_t record_size_max;
	/* 0 to go on; anything else ends the walk and is feed()'s answer. */
	int (*each)(struct record_stream *self, const struct record *r);
	struct buf carry; /* owned: record_stream_fini(); may be kept over batches */
};

void record_stream_begin(struct record_stream *s, int32_t record_count);
/* 0, -EBADMSG, -EFBIG (a record over record_size_max), or each()'s answer. */
int record_stream_feed(struct record_stream *s, struct span piece) must_check;
int record_stream_end(struct record_stream *s) must_check; /* 0 or -EBADMSG */
void record_stream_fini(struct record_stream *s);

/* ---- building ---- */

struct batch_options {
	int64_t base_offset;
	int32_t leader_epoch;
	int16_t attributes; /* enum batch_attribute; compression is set by batch_end_compressed() */
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int64_t append_time_ms;    /* with BATCH_LOG_APPEND_TIME: the batch's max timestamp */
	int64_t delete_horizon_ms; /* with BATCH_DELETE_HORIZON: the batch's base timestamp */
};

/* No producer, no leader epoch, offset 0, create time. */
extern const struct batch_options BATCH_PLAIN;

/*
 * Builds one batch at the end of a buffer, byte for byte what MemoryRecordsBuilder makes of the
 * same records.  The base timestamp is the first record's.
 */
struct batch_builder {
	struct buf *out;
	size_t start; /* of the batch in out; the buffer may move */
	struct batch_options options;
	int64_t base_timestamp;
	int64_t max_timestamp;
	int64_t last_offset;
	int32_t record_count;
};

struct record_pair {
	struct span key;
	struct span value;
};

void batch_begin(struct batch_builder *b, struct buf *out, const struct batch_options *options);
/* At the next offset. */
void batch_add(struct batch_builder *b, int64_t timestamp_ms, struct span key, struct span value,
               const struct record_pair *headers, uint32_t header_count);
/* At a later offset than the last: compaction and recompression leave gaps. */
void batch_add_at(struct batch_builder *b, int64_t offset, int64_t timestamp_ms, struct span key,
                  struct span value, const struct record_pair *headers, uint32_t header_count);
/* The same record with headers that are encoded already (struct record's). */
void batch_add_record(struct batch_builder *b, int64_t offset, int64_t timestamp_ms,
                      const struct record *r);
static inline size_t batch_builder_size(const struct batch_builder *b)
{
	return b->out->size - b->start;
}
/* The encoded records so far: what a compressor takes; valid until the buffer grows. */
struct span batch_builder_records(const struct batch_builder *b);
/* Writes the header.  The size of the batch; 0 when it has no record (the buffer is as before). */
size_t batch_end(struct batch_builder *b);
/* Puts `compressed` in place of the records first. */
size_t batch_end_compressed(struct batch_builder *b, enum batch_compression compression,
                            struct span compressed);
/* Forgets the batch: the buffer is as before. */
void batch_abort(struct batch_builder *b);

/* ---- control records (Kafka: ControlRecordType) ---- */

enum control_type {
	CONTROL_ABORT = 0,
	CONTROL_COMMIT = 1,
	CONTROL_LEADER_CHANGE = 2,
	CONTROL_SNAPSHOT_HEADER = 3,
	CONTROL_SNAPSHOT_FOOTER = 4,
	CONTROL_KRAFT_VERSION = 5,
	CONTROL_KRAFT_VOTERS = 6,
};

/* -1 for a key that is none, or of a type that we do not know (Kafka: UNKNOWN). */
int control_type_decode(struct span key);
/* "COMMIT", "LEADER_CHANGE"...; "UNKNOWN". */
const char *control_type_name(int type);

/* A control record with its key; `value` is the encoded message.  The batch has BATCH_CONTROL. */
void batch_add_control(struct batch_builder *b, int64_t timestamp_ms, enum control_type type,
                       struct span value);
/* EndTxnMarker version 0 (or 1, flexible, from transaction.version 2: not written by Kafka 4.3). */
void batch_add_end_txn(struct batch_builder *b, int64_t timestamp_ms, bool commit,
                       int32_t coordinator_epoch);
bool control_end_txn_decode(struct span value, int32_t *ret_coordinator_epoch);

struct quorum_voter {
	int32_t id;
	uint8_t directory_id[16];
};

/*
 * LeaderChangeMessage.  Version 1 carries the voters' directory ids, version 0 only their ids.
 * `granting` are the voters whose votes made the leader.
 */
void batch_add_leader_change(struct batch_builder *b, int64_t timestamp_ms, int16_t version,
                             int32_t leader_id, const struct quorum_voter *voter,
                             uint32_t voter_count, const struct quorum_voter *granting,
                             uint32_t granting_count);
void batch_add_snapshot_header(struct batch_builder *b, int64_t timestamp_ms,
                               int64_t last_contained_log_timestamp_ms);
void batch_add_snapshot_footer(struct batch_builder *b, int64_t timestamp_ms);
void batch_add_kraft_version(struct batch_builder *b, int64_t timestamp_ms, int16_t kraft_version);

struct voters_endpoint {
	struct str name;
	struct str host;
	uint16_t port;
};

struct voters_entry {
	int32_t id;
	uint8_t directory_id[16];
	const struct voters_endpoint *endpoint;
	uint32_t endpoint_count;
	int16_t kraft_version_min;
	int16_t kraft_version_max;
};

void batch_add_voters(struct batch_builder *b, int64_t timestamp_ms,
                      const struct voters_entry *voter, uint32_t voter_count);

#endif
