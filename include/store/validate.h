/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_VALIDATE_H
#define STORE_VALIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/str.h"
#include "store/compress.h"
#include "wire/batch.h"

/*
 * What a leader checks before it appends a client's records, as far as that needs no state of the
 * partition (Kafka 4.3: ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords,
 * LogValidator; error codes are Kafka's, and where Kafka answers UNKNOWN_SERVER_ERROR, see
 * validate.c).  Sequences, epochs and transactions need state: they are the log's.
 */
enum {
	/* Inline limits: what is larger than either answers VALIDATE_HEAVY unless heavy_ok. */
	VALIDATE_INLINE_INPUT_MAX = 64 * 1024,
	VALIDATE_INLINE_OUTPUT_MAX = 1024 * 1024,
	/* The first errors are told, the others counted. */
	VALIDATE_RECORD_ERRORS_MAX = 1000,
};

struct validate_rules {
	int16_t api_version; /* of Produce; below 7 zstd is refused */
	bool internal;       /* the records are ours (a coordinator's): control, base offset free */
	bool heavy_ok;       /* this is a worker */
	bool compact;        /* cleanup.policy has compact: keys are required */
	bool append_time;    /* message.timestamp.type=LogAppendTime */
	int64_t before_max_ms; /* message.timestamp.before.max.ms */
	int64_t after_max_ms;
	uint32_t max_message_bytes; /* max.message.bytes */
	uint32_t segment_bytes;     /* segment.bytes */
	/* compression.type: enum batch_compression, or -1 for the producer's. */
	int8_t compression;
	int compression_level; /* COMPRESS_LEVEL_DEFAULT: Kafka's */
	struct str topic;      /* with partition: for the messages */
	int32_t partition;
};

struct validate_record_error {
	int32_t batch_index;
	struct str message; /* in the call's arena */
};

enum validate_outcome {
	VALIDATE_OK,      /* append the batch; see `rewrite` */
	VALIDATE_REFUSED, /* error (and perhaps messages): answer it */
	VALIDATE_HEAVY,   /* nothing was decided: call again on a worker, with heavy_ok */
};

/*
 * How the batch must be changed before it is appended, beside its offset and leader epoch, which
 * the log patches in place.
 */
enum validate_rewrite {
	VALIDATE_AS_IS,
	VALIDATE_PATCH_TIME, /* batch_patch_append_time(now) */
	VALIDATE_PATCH_MAX,  /* batch_patch_max_timestamp(max_timestamp): the header lied */
	VALIDATE_REBUILT,    /* append `rebuilt` in its place: another codec, or other offsets */
};

struct validate_result {
	enum validate_outcome outcome;
	int16_t error;                              /* WIRE_...; WIRE_NONE when OK */
	struct str message;                         /* data NULL: none, as Kafka */
	struct validate_record_error *record_error; /* in the call's arena */
	uint32_t record_error_count;
	/* Refused: Kafka tells the log start offset with this error; else it says -1. */
	bool tells_log_start;
	/* Refused: Kafka answers every partition of the request with this error and message. */
	bool whole_request;

	/* When OK */
	enum validate_rewrite rewrite;
	struct batch batch;          /* the header as it came (of `rebuilt` when that) */
	int64_t max_timestamp;       /* -1: none of the records has one */
	int32_t max_timestamp_delta; /* offset delta of the first record with it */
	uint32_t plain_size;         /* of the records, uncompressed */
	uint32_t record_count;
};

/*
 * The first of the checks alone (ProduceRequest.validateRecords): exactly one batch, of magic 2.
 * False: it is refused.  ret->batch is the first batch, also of some that are refused; its data is
 * NULL where there is none.  Of the rules only api_version and internal count.
 */
bool validate_shape(const struct validate_rules *rules, struct span bytes, struct arena *arena,
                    struct validate_result *ret);

/*
 * `bytes`: the records field of one partition, borrowed and not changed; what follows the first
 * batch and is too short to be one is ignored.  A new batch for VALIDATE_REBUILT is added to
 * *rebuilt, with base offset 0 and no leader epoch.  Messages and record errors live in `arena`;
 * what does not fit is left out.
 */
void validate_append(const struct validate_rules *rules, struct span bytes, int64_t now_ms,
                     struct compress_scratch *scratch, struct arena *arena, struct buf *rebuilt,
                     struct validate_result *ret);

#endif
