/* SPDX-License-Identifier: Apache-2.0 */
#include "store/validate.h"

#include <errno.h>
#include <inttypes.h>

#include "wire/errors.h"

/*
 * In Kafka's order.  Where Kafka 4.3 answers UNKNOWN_SERVER_ERROR (an exception that it did not
 * foresee) we say:
 *	compression 5..7			UNSUPPORTED_COMPRESSION_TYPE
 *	compressed bytes that are none		INVALID_RECORD: sent again they will not be better
 *	plain bytes over the limit		INVALID_RECORD (Kafka has no limit)
 *	a header cut short by its own length	CORRUPT_MESSAGE
 *	a negative timestamp when rebuilding	INVALID_TIMESTAMP
 */
enum {
	ERRORS_SHOWN = 3,             /* in the partition's message */
	PLAIN_MIN = 64 * 1024 * 1024, /* output allowed whatever the input */
	PLAIN_YIELD = 64,             /* output allowed for a byte of input */
	CARRY_KEEP_MAX = 1024 * 1024,
};

/* One call. */
struct walk {
	struct compress_sink sink;
	struct record_stream stream;
	const struct validate_rules *rules;
	struct arena *arena;
	struct validate_result *ret;
	int64_t now_ms;
	bool batch_append_time; /* the batch says LogAppendTime */
	bool dense;             /* offset deltas are 0, 1, 2... */
	bool timestamp_refused;
	int32_t index;
	uint32_t error_count;
};

static void refuse(struct validate_result *ret, int16_t error, bool tells_log_start)
{
	ret->outcome = VALIDATE_REFUSED;
	ret->error = error;
	ret->tells_log_start = tells_log_start;
}

/* ---- what ProduceRequest.validateRecords and the batch iterator see ---- */

/* 0 and the size of the batch that begins the bytes; 0 and *ret_size 0 when there is none. */
static int frame(struct span bytes, struct arena *arena, size_t *ret_size, struct str *ret_message)
{
	int32_t length;
	int magic;

	*ret_size = 0;
	if (bytes.size < BATCH_PREFIX_SIZE)
		return 0;
	length = (int32_t)load_be32(bytes.data + 8);
	if (length < BATCH_LENGTH_MIN) {
		*ret_message = arena_printf(arena,
		                            "Record size %d is less than the minimum record "
		                            "overhead (%d)",
		                            length, BATCH_LENGTH_MIN);
		return -EBADMSG;
	}
	if (bytes.size < BATCH_MAGIC_END)
		return 0;
	magic = (int8_t)bytes.data[BATCH_MAGIC_END - 1];
	if (magic < 0 || magic > 2) {
		*ret_message = arena_printf(arena, "Invalid magic found in record: %d", magic);
		return -EBADMSG;
	}
	if (bytes.size - BATCH_PREFIX_SIZE >= (size_t)length)
		*ret_size = (size_t)length + BATCH_PREFIX_SIZE;
	return 0;
}

/* Of what follows the first batch Kafka's answer has no message. */
bool validate_shape(const struct validate_rules *rules, struct span bytes, struct arena *arena,
                    struct validate_result *ret)
{
	struct str untold = { 0 };
	size_t size, more;

	*ret = (struct validate_result){ .max_timestamp = BATCH_NO_TIMESTAMP };
	if (frame(bytes, arena, &size, &ret->message)) {
		refuse(ret, WIRE_CORRUPT_MESSAGE, false);
		ret->whole_request = true;
		return false;
	}
	if (!size || bytes.data[BATCH_MAGIC_END - 1] != 2) {
		refuse(ret, WIRE_INVALID_RECORD, false);
		return false;
	}
	if (batch_parse((struct span){ bytes.data, size }, &ret->batch)) {
		refuse(ret, WIRE_CORRUPT_MESSAGE, false);
		return false;
	}
	if (rules->api_version < 7 && !rules->internal &&
	    batch_compression(&ret->batch) == BATCH_ZSTD) {
		refuse(ret, WIRE_UNSUPPORTED_COMPRESSION_TYPE, false);
		return false;
	}
	if (frame((struct span){ bytes.data + size, bytes.size - size }, arena, &more, &untold)) {
		refuse(ret, WIRE_CORRUPT_MESSAGE, false);
		return false;
	}
	if (more) {
		refuse(ret, WIRE_INVALID_RECORD, false);
		return false;
	}
	return true;
}

/* ---- UnifiedLog.analyzeAndValidateRecords, LogValidator.validateBatch ---- */

static int16_t check_header(const struct validate_rules *rules, const struct batch *b)
{
	int64_t count = (int64_t)b->last_offset_delta + 1;

	if (batch_compression(b) >= BATCH_COMPRESSIONS)
		return WIRE_UNSUPPORTED_COMPRESSION_TYPE;
	if (b->record_count <= 0) /* ours too: there is nothing to append */
		return WIRE_INVALID_RECORD;
	if (rules->internal)
		return WIRE_NONE;
	if (count <= 0 || count != b->record_count)
		return WIRE_INVALID_RECORD;
	if (batch_is_control(b))
		return WIRE_INVALID_RECORD;
	if (batch_has_producer(b) && b->base_sequence < 0)
		return WIRE_INVALID_RECORD;
	return WIRE_NONE;
}

/* ---- LogValidator.validateRecord ---- */

static void add_error(struct walk *w, struct str message)
{
	struct validate_result *ret = w->ret;
	uint32_t count = (uint32_t)ret->batch.record_count;

	if (count > VALIDATE_RECORD_ERRORS_MAX)
		count = VALIDATE_RECORD_ERRORS_MAX;
	if (!ret->record_error)
		ret->record_error = arena_array(w->arena, count, sizeof(*ret->record_error));
	w->error_count++;
	if (!ret->record_error || ret->record_error_count == count)
		return;
	ret->record_error[ret->record_error_count++] =
		(struct validate_record_error){ w->index, message };
}

static bool may_tell(const struct walk *w)
{
	return w->error_count < VALIDATE_RECORD_ERRORS_MAX;
}

static void refuse_key(struct walk *w)
{
	struct str message = { 0 };

	if (may_tell(w))
		message = arena_printf(w->arena,
		                       "Compacted topic cannot accept message without key in topic "
		                       "partition %.*s-%" PRId32,
		                       STR_ARG(w->rules->topic), w->rules->partition);
	add_error(w, message);
}

static void refuse_time(struct walk *w, const struct record *r, int64_t timestamp)
{
	struct str message = { 0 };
	uint64_t now = (uint64_t)w->now_ms;

	w->timestamp_refused = true;
	if (may_tell(w))
		message = arena_printf(w->arena,
		                       "Timestamp %" PRId64 " of message with offset %" PRId32
		                       " is out of range. The timestamp should be within [%" PRId64
		                       ", %" PRId64 "]",
		                       timestamp, r->offset_delta,
		                       (int64_t)(now - (uint64_t)w->rules->before_max_ms),
		                       (int64_t)(now + (uint64_t)w->rules->after_max_ms));
	add_error(w, message);
}

static void refuse_time_type(struct walk *w, const struct record *r, int64_t timestamp)
{
	struct str message = { 0 };

	w->timestamp_refused = true;
	if (may_tell(w))
		message = arena_printf(
			w->arena,
			"Invalid timestamp type in message DefaultRecord(offset=%" PRId32
			", timestamp=%" PRId64 ", key=%zu bytes, value=%zu bytes). "
			"Producer should not set timestamp type to LogAppendTime.",
			r->offset_delta, timestamp, r->key.size, r->value.size);
	add_error(w, message);
}

/* Java's arithmetic: it wraps. */
static bool time_in_range(const struct walk *w, int64_t timestamp)
{
	int64_t age = (int64_t)((uint64_t)w->now_ms - (uint64_t)timestamp);

	return age <= w->rules->before_max_ms &&
	       (int64_t)(0 - (uint64_t)age) <= w->rules->after_max_ms;
}

static int64_t record_time(const struct batch *b, const struct record *r)
{
	if (b->attributes & BATCH_LOG_APPEND_TIME)
		return b->max_timestamp;
	return (int64_t)((uint64_t)b->base_timestamp + (uint64_t)r->timestamp_delta);
}

static inline void check_record(struct walk *w, const struct record *r)
{
	struct validate_result *ret = w->ret;
	int64_t timestamp = record_time(&ret->batch, r);
	bool create_time = !w->rules->append_time && timestamp != BATCH_NO_TIMESTAMP;

	if (w->rules->compact && !r->key.data)
		refuse_key(w);
	else if (create_time && !time_in_range(w, timestamp))
		refuse_time(w, r, timestamp);
	else if (!create_time && w->batch_append_time)
		refuse_time_type(w, r, timestamp);
	if (timestamp > ret->max_timestamp) {
		ret->max_timestamp = timestamp;
		ret->max_timestamp_delta = r->offset_delta;
	}
	w->dense &= r->offset_delta == w->index;
	ret->plain_size += (uint32_t)r->size;
	w->index++;
}

static int take_record(struct record_stream *stream, const struct record *r)
{
	check_record(container_of(stream, struct walk, stream), r);
	return 0;
}

static int take_piece(struct compress_sink *sink, struct span piece)
{
	return record_stream_feed(&container_of(sink, struct walk, sink)->stream, piece);
}

/* What a batch may decompress to. */
static size_t plain_max(const struct validate_rules *rules, size_t size)
{
	size_t most = size * PLAIN_YIELD > PLAIN_MIN ? size * PLAIN_YIELD : PLAIN_MIN;

	return rules->heavy_ok ? most : VALIDATE_INLINE_OUTPUT_MAX;
}

static int walk_plain(struct walk *w)
{
	struct record_iter it =
		record_iter(batch_records(&w->ret->batch), w->ret->batch.record_count);
	struct record r;
	int more;

	while ((more = record_iter_next(&it, &r)) > 0)
		check_record(w, &r);
	return more;
}

static int walk_compressed(struct walk *w, struct compress_scratch *scratch)
{
	struct span records = batch_records(&w->ret->batch);
	size_t max = plain_max(w->rules, records.size);
	int err;

	w->sink.take = take_piece;
	w->stream.each = take_record;
	w->stream.record_size_max = max;
	w->stream.carry = scratch->carry;
	record_stream_begin(&w->stream, w->ret->batch.record_count);
	err = compress_decode(scratch, batch_compression(&w->ret->batch), records, max, &w->sink);
	if (!err)
		err = record_stream_end(&w->stream);
	scratch->carry = w->stream.carry;
	if (scratch->carry.capacity > CARRY_KEEP_MAX)
		buf_fini(&scratch->carry);
	return err;
}

/* ---- the verdict ---- */

static void refuse_bytes(const struct walk *w, int err)
{
	struct validate_result *ret = w->ret;

	/* Errors of single records no longer count: Kafka threw before it told them. */
	ret->record_error = NULL;
	ret->record_error_count = 0;
	if (err == -EFBIG && !w->rules->heavy_ok)
		*ret = (struct validate_result){ .outcome = VALIDATE_HEAVY };
	else if (err == -ENOMEM)
		refuse(ret, WIRE_KAFKA_STORAGE_ERROR, false);
	else
		refuse(ret, WIRE_INVALID_RECORD, true);
}

static void refuse_records(const struct walk *w)
{
	struct validate_result *ret = w->ret;
	struct str shown = STR("");

	if (w->timestamp_refused) {
		refuse(ret, WIRE_INVALID_TIMESTAMP, true);
		ret->message =
			STR("One or more records have been rejected due to invalid timestamp");
		return;
	}
	refuse(ret, WIRE_INVALID_RECORD, true);
	for (uint32_t i = 0; i < ret->record_error_count && i < ERRORS_SHOWN; i++)
		shown = arena_printf(
			w->arena, "%.*s%sRecordError(batchIndex=%" PRId32 ", message='%.*s')",
			STR_ARG(shown), i ? ", " : "", ret->record_error[i].batch_index,
			STR_ARG(ret->record_error[i].message));
	ret->message =
		arena_printf(w->arena,
	                     "One or more records have been rejected due to %" PRIu32
	                     " record errors in total, and only showing the first three errors "
	                     "at most: [%.*s]",
	                     w->error_count, STR_ARG(shown));
}

/* Does the batch go into the log in another shape (LogValidator's inPlaceAssignment)? */
static int target_compression(const struct walk *w)
{
	const struct batch *b = &w->ret->batch;
	int source = batch_compression(b), target = w->rules->compression;

	if (target < 0 || (source == BATCH_NONE && batch_is_control(b)))
		target = source;
	return target;
}

static bool add_records(const struct walk *w, struct span plain, struct batch_builder *builder)
{
	struct record_iter it = record_iter(plain, w->ret->batch.record_count);
	struct record r;

	while (record_iter_next(&it, &r) > 0) {
		int64_t timestamp = record_time(&w->ret->batch, &r);

		if (timestamp < BATCH_NO_TIMESTAMP)
			return false;
		batch_add_record(builder, builder->last_offset + 1, timestamp, &r);
	}
	return true;
}

static int plain_records(const struct walk *w, struct compress_scratch *scratch, struct span *ret)
{
	struct span records = batch_records(&w->ret->batch);
	int err;

	*ret = records;
	if (batch_compression(&w->ret->batch) == BATCH_NONE)
		return 0;
	scratch->plain.size = 0;
	err = compress_decode_buf(scratch, batch_compression(&w->ret->batch), records,
	                          plain_max(w->rules, records.size), &scratch->plain);
	*ret = (struct span){ scratch->plain.data, scratch->plain.size };
	return err;
}

/* The records as this broker would have batched them.  They have been walked: they are sound. */
static void rebuild(struct walk *w, int target, struct compress_scratch *scratch, struct buf *out)
{
	const struct batch *b = &w->ret->batch;
	struct batch_options options = BATCH_PLAIN;
	struct batch_builder builder;
	struct span plain;
	size_t start = out->size;
	int err;

	options.attributes = (int16_t)((b->attributes & BATCH_TRANSACTIONAL) |
	                               (w->rules->append_time ? BATCH_LOG_APPEND_TIME : 0));
	options.append_time_ms = w->now_ms;
	options.producer_id = b->producer_id;
	options.producer_epoch = b->producer_epoch;
	options.base_sequence = b->base_sequence;
	err = plain_records(w, scratch, &plain);
	if (err) {
		refuse_bytes(w, err);
		return;
	}
	batch_begin(&builder, out, &options);
	if (!add_records(w, plain, &builder)) {
		batch_abort(&builder);
		refuse(w->ret, WIRE_INVALID_TIMESTAMP, true);
		return;
	}
	if (target == BATCH_NONE) {
		(void)batch_end(&builder);
	} else {
		scratch->plain.size = 0; /* the records are in the builder now */
		err = compress_encode(scratch, (enum batch_compression)target,
		                      w->rules->compression_level, batch_builder_records(&builder),
		                      &scratch->plain);
		if (err) {
			batch_abort(&builder);
			refuse_bytes(w, -ENOMEM);
			return;
		}
		(void)batch_end_compressed(
			&builder, (enum batch_compression)target,
			(struct span){ scratch->plain.data, scratch->plain.size });
	}
	w->ret->rewrite = VALIDATE_REBUILT;
	check(!batch_parse((struct span){ out->data + start, out->size - start }, &w->ret->batch));
}

static void decide_rewrite(struct walk *w, struct compress_scratch *scratch, struct buf *rebuilt)
{
	struct validate_result *ret = w->ret;
	int source = batch_compression(&ret->batch), target = target_compression(w);
	bool rebuilding = target != source || (source != BATCH_NONE && !w->dense);

	if (rebuilding && ret->plain_size > VALIDATE_INLINE_INPUT_MAX && !w->rules->heavy_ok) {
		*ret = (struct validate_result){ .outcome = VALIDATE_HEAVY };
		return;
	}
	if (rebuilding)
		rebuild(w, target, scratch, rebuilt);
	else if (w->rules->append_time)
		ret->rewrite = VALIDATE_PATCH_TIME;
	else if (w->batch_append_time || ret->batch.max_timestamp != ret->max_timestamp)
		ret->rewrite = VALIDATE_PATCH_MAX;
	if (w->rules->append_time) {
		ret->max_timestamp = w->now_ms;
		ret->max_timestamp_delta = ret->batch.last_offset_delta;
	}
}

static void walk_records(struct walk *w, struct compress_scratch *scratch, struct buf *rebuilt)
{
	struct validate_result *ret = w->ret;
	int err = batch_compression(&ret->batch) == BATCH_NONE ? walk_plain(w)
	                                                       : walk_compressed(w, scratch);

	if (err) {
		refuse_bytes(w, err);
		return;
	}
	if (w->error_count) {
		refuse_records(w);
		return;
	}
	ret->record_count = (uint32_t)w->index;
	decide_rewrite(w, scratch, rebuilt);
	if (ret->outcome != VALIDATE_OK)
		return;
	if (ret->rewrite == VALIDATE_REBUILT && ret->batch.size > w->rules->max_message_bytes &&
	    !w->rules->internal)
		refuse(ret, WIRE_MESSAGE_TOO_LARGE, false);
	else if (ret->batch.size > w->rules->segment_bytes)
		refuse(ret, WIRE_RECORD_LIST_TOO_LARGE, false);
}

void validate_append(const struct validate_rules *rules, struct span bytes, int64_t now_ms,
                     struct compress_scratch *scratch, struct arena *arena, struct buf *rebuilt,
                     struct validate_result *ret)
{
	struct walk w = {
		.rules = rules, .arena = arena, .ret = ret, .now_ms = now_ms, .dense = true
	};
	size_t rebuilt_size = rebuilt->size;
	const struct batch *b = &ret->batch;
	int16_t error;

	if (!validate_shape(rules, bytes, arena, ret))
		return;
	if (b->base_offset != 0 && !rules->internal) {
		refuse(ret, WIRE_INVALID_RECORD, true);
		return;
	}
	if (b->size > rules->max_message_bytes && !rules->internal) {
		refuse(ret, WIRE_MESSAGE_TOO_LARGE, false);
		return;
	}
	if (batch_compression(b) != BATCH_NONE && b->size > VALIDATE_INLINE_INPUT_MAX &&
	    !rules->heavy_ok) {
		*ret = (struct validate_result){ .outcome = VALIDATE_HEAVY };
		return;
	}
	if (!batch_crc_ok(b)) {
		refuse(ret, WIRE_CORRUPT_MESSAGE, false);
		return;
	}
	error = check_header(rules, b);
	if (error) {
		refuse(ret, error, true);
		return;
	}
	w.batch_append_time = b->attributes & BATCH_LOG_APPEND_TIME;
	walk_records(&w, scratch, rebuilt);
	if (ret->outcome != VALIDATE_OK)
		rebuilt->size = rebuilt_size;
}
