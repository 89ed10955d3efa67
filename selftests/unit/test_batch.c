/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/varint.h"
#include "wire/batch.h"

/* Bytes made by others: selftests/golden/batch/make.sh. */
static struct buf golden(const char *name)
{
	struct buf b = { 0 };
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "selftests/golden/batch/%s", name);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("%s: not found (run from the repository's root)", path);
	for (int c = fgetc(f); c != EOF; c = fgetc(f))
		*buf_extend(&b, 1) = (uint8_t)c;
	fclose(f);
	return b;
}

static struct span whole(const struct buf *b)
{
	return (struct span){ b->data, b->size };
}

static struct span text(const char *s)
{
	return (struct span){ (const uint8_t *)s, s ? strlen(s) : 0 };
}

static void assert_span(struct span got, struct span want)
{
	assert_int_equal(!got.data, !want.data);
	assert_int_equal(got.size, want.size);
	if (got.size)
		assert_memory_equal(got.data, want.data, got.size);
}

/* The records that every generator makes. */
enum { ROWS = 26 };

struct row {
	int64_t timestamp;
	struct span key, value;
	struct record_pair header[3];
	uint32_t header_count;
	char name[16];
};

static char long_value[80000];

static void make_row(int i, struct row *row)
{
	static const char *const pair[5][2] = {
		{ "key", "value" }, { NULL, "no key" }, { "no value", NULL },
		{ NULL, NULL },     { "", "" },
	};

	*row = (struct row){ .timestamp = 1700000000000 };
	if (i == ROWS - 1) {
		for (size_t at = 0; at < sizeof(long_value); at += 16)
			memcpy(long_value + at, "0123456789abcdef", 16);
		row->key = text("long");
		row->value = (struct span){ (uint8_t *)long_value, sizeof(long_value) };
		return;
	}
	row->timestamp += i * 1000 % 7000;
	row->key = text(pair[i % 5][0]);
	row->value = text(pair[i % 5][1]);
	if (i % 3 != 1)
		return;
	snprintf(row->name, sizeof(row->name), "h%d", i);
	row->header[0] = (struct record_pair){ text(row->name), text("header value") };
	row->header[1] = (struct record_pair){ text(""), text(NULL) };
	row->header[2] = (struct record_pair){ text("empty"), text("") };
	row->header_count = 3;
}

static void assert_row(int i, const struct batch *b, const struct record *r)
{
	struct span headers = r->headers;
	struct row row;

	make_row(i, &row);
	assert_int_equal(r->offset_delta, i);
	assert_int_equal(b->base_timestamp + r->timestamp_delta, row.timestamp);
	assert_span(r->key, row.key);
	assert_span(r->value, row.value);
	assert_int_equal(r->header_count, row.header_count);
	for (uint32_t n = 0; n < row.header_count; n++) {
		struct record_header h = record_header_next(&headers);

		assert_span(h.key, row.header[n].key);
		assert_span(h.value, row.header[n].value);
	}
	assert_int_equal(headers.size, 0);
}

static struct batch parse(const struct buf *b)
{
	struct batch batch;

	assert_int_equal(batch_parse(whole(b), &batch), 0);
	assert_true(batch_crc_ok(&batch));
	return batch;
}

static void reads_what_other_clients_wrote(void **state)
{
	static const char *const names[] = { "java-none.log", "python-none.log",
		                             "rdkafka-none.log" };

	(void)state;
	for (size_t n = 0; n < array_count(names); n++) {
		struct buf file = golden(names[n]);
		struct batch b = parse(&file);
		struct record_iter it = record_iter(batch_records(&b), b.record_count);
		struct record r;

		assert_int_equal(b.size, file.size);
		assert_int_equal(b.record_count, ROWS);
		assert_int_equal(b.last_offset_delta, ROWS - 1);
		assert_int_equal(b.max_timestamp, 1700000006000);
		for (int i = 0; i < ROWS; i++) {
			assert_int_equal(record_iter_next(&it, &r), 1);
			assert_row(i, &b, &r);
		}
		assert_int_equal(record_iter_next(&it, &r), 0);
		buf_fini(&file);
	}
}

static void builds_kafkas_bytes(void **state)
{
	struct buf file = golden("java-none.log"), out = { 0 };
	struct batch b = parse(&file);
	struct batch_options options = BATCH_PLAIN;
	struct batch_builder builder;

	(void)state;
	options.leader_epoch = b.leader_epoch;
	buf_add(&out, "in front", 8);
	batch_begin(&builder, &out, &options);
	for (int i = 0; i < ROWS; i++) {
		struct row row;

		make_row(i, &row);
		batch_add(&builder, row.timestamp, row.key, row.value, row.header,
		          row.header_count);
	}
	assert_int_equal(batch_builder_size(&builder), file.size);
	assert_int_equal(batch_end(&builder), file.size);
	assert_memory_equal(out.data + 8, file.data, file.size);

	/* and record by record, as recompression does */
	out.size = 0;
	batch_begin(&builder, &out, &options);
	{
		struct record_iter it = record_iter(batch_records(&b), b.record_count);
		struct record r;

		while (record_iter_next(&it, &r) > 0)
			batch_add_record(&builder, r.offset_delta,
			                 b.base_timestamp + r.timestamp_delta, &r);
	}
	assert_int_equal(batch_end(&builder), file.size);
	assert_memory_equal(out.data, file.data, file.size);
	buf_fini(&out);
	buf_fini(&file);
}

static void an_empty_batch_leaves_nothing(void **state)
{
	struct buf out = { 0 };
	struct batch_builder b;

	(void)state;
	buf_add(&out, "x", 1);
	batch_begin(&b, &out, &BATCH_PLAIN);
	assert_int_equal(batch_end(&b), 0);
	assert_int_equal(out.size, 1);
	buf_fini(&out);
}

static void says_how_much_is_missing(void **state)
{
	struct buf file = golden("python-gzip.log");
	struct batch b;

	(void)state;
	for (size_t size = 0; size < file.size; size++) {
		assert_int_equal(batch_parse((struct span){ file.data, size }, &b), -EAGAIN);
		assert_int_equal(b.size, size < BATCH_PREFIX_SIZE ? 0 : file.size);
		assert_null(b.data);
	}
	assert_int_equal(batch_parse(whole(&file), &b), 0);
	buf_fini(&file);
}

static void rejects_impossible_lengths_and_magics(void **state)
{
	static const struct {
		int32_t length;
		int magic;
		int answer;
	} rows[] = {
		{ 0, 2, -EBADMSG },
		{ -1, 2, -EBADMSG },
		{ 13, 2, -EBADMSG },
		{ 48, 2, -EBADMSG },
		{ 49, 2, 0 },
		{ 50, 2, -EAGAIN },
		{ INT32_MAX, 2, -EBADMSG },
		{ 49, 3, -EBADMSG },
		{ 49, -1, -EBADMSG },
		{ INT32_MAX - 12, 2, -EAGAIN },
		{ 14, 0, 0 },
		{ 21, 1, -EBADMSG },
		{ 22, 1, 0 },
	};
	uint8_t bytes[BATCH_HEADER_SIZE] = { 0 };
	struct batch b;

	(void)state;
	for (size_t i = 0; i < array_count(rows); i++) {
		store_be32(bytes + 8, (uint32_t)rows[i].length);
		bytes[16] = (uint8_t)rows[i].magic;
		assert_int_equal(batch_parse((struct span){ bytes, sizeof(bytes) }, &b),
		                 rows[i].answer);
	}
}

static void knows_old_messages(void **state)
{
	/* wirediff/batches.py: message_set(["a"], magic, timestamp=1700000000000) */
	static const uint8_t magic_0[] = { 0,   0,   0,   0,    0,    0,    0,    0, 0,
		                           0,   0,   15,  0x51, 0xdf, 0x3a, 0x32, 0, 0,
		                           255, 255, 255, 255,  0,    0,    0,    1, 'a' };
	static const uint8_t magic_1[] = { 0,   0,   0,   0,    0,    0,    0,    0,  0,
		                           0,   0,   23,  0x42, 0xb4, 0xaf, 0x02, 1,  0,
		                           0,   0,   1,   0x8b, 0xcf, 0xe5, 0x68, 0,  255,
		                           255, 255, 255, 0,    0,    0,    1,    'a' };
	struct batch b;

	(void)state;
	assert_int_equal(batch_parse((struct span){ magic_0, sizeof(magic_0) }, &b), 0);
	assert_int_equal(b.magic, 0);
	assert_true(batch_crc_ok(&b));
	assert_int_equal(batch_parse((struct span){ magic_1, sizeof(magic_1) }, &b), 0);
	assert_int_equal(b.magic, 1);
	assert_int_equal(b.max_timestamp, 1700000000000);
	assert_int_equal(batch_last_offset(&b), 0);
	assert_true(batch_crc_ok(&b));
	b.crc ^= 1;
	assert_false(batch_crc_ok(&b));
}

static void every_flipped_bit_behind_the_crc_is_seen(void **state)
{
	struct buf file = golden("java-zstd.log");

	(void)state;
	for (size_t at = 17; at < file.size; at++) {
		struct batch b;

		file.data[at] ^= 0x10;
		if (!batch_parse(whole(&file), &b))
			assert_false(batch_crc_ok(&b));
		file.data[at] ^= 0x10;
	}
	buf_fini(&file);
}

static void patches_keep_the_batch_valid(void **state)
{
	struct buf file = golden("java-gzip.log");
	struct batch b;

	(void)state;
	batch_patch_offset(file.data, 123456789012, 7);
	b = parse(&file);
	assert_int_equal(b.base_offset, 123456789012);
	assert_int_equal(b.leader_epoch, 7);
	batch_patch_append_time(file.data, file.size, 1800000000000);
	b = parse(&file);
	assert_int_equal(b.attributes, BATCH_GZIP | BATCH_LOG_APPEND_TIME);
	assert_int_equal(b.max_timestamp, 1800000000000);
	batch_patch_max_timestamp(file.data, file.size, 5);
	b = parse(&file);
	assert_int_equal(b.attributes, BATCH_GZIP);
	assert_int_equal(b.max_timestamp, 5);
	buf_fini(&file);
}

static void sequences_wrap(void **state)
{
	struct batch b = { .base_sequence = INT32_MAX, .last_offset_delta = 2 };

	(void)state;
	assert_int_equal(batch_sequence_add(5, 3), 8);
	assert_int_equal(batch_sequence_add(INT32_MAX, 1), 0);
	assert_int_equal(batch_sequence_add(INT32_MAX - 1, 3), 1);
	assert_int_equal(batch_last_sequence(&b), 1);
	b.base_sequence = -1;
	assert_int_equal(batch_last_sequence(&b), -1);
}

/* ---- records ---- */

static void rejects_records_that_contradict_themselves(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} rows[] = {
#define ROW(s) { s, sizeof(s) - 1 }
		ROW("\x00"),                                  /* empty */
		ROW("\x01\x00"),                              /* length -1 */
		ROW("\xff\xff\xff\xff\xff\x01"),              /* length too long */
		ROW("\x0c\x00\x00\x00\x04\x01\x00"),          /* key longer than the record */
		ROW("\x0c\x00\x00\x00\x01\x02\x00"),          /* no room for the header count */
		ROW("\x0c\x00\x00\x00\x01\x01\x01"),          /* header count -1 */
		ROW("\x0c\x00\x00\x00\x01\x01\x02"),          /* one header, none there */
		ROW("\x10\x00\x00\x00\x01\x01\x02\x01\x01"),  /* header key null */
		ROW("\x0e\x00\x00\x00\x01\x01\x00\x00"),      /* a byte too many */
		ROW("\x12\x00\x00\x00\x01\x01\x04\x02k\x01"), /* two headers, one there */
	};
	struct record r;

	(void)state;
	for (size_t i = 0; i < array_count(rows); i++) {
		struct span s = { (const uint8_t *)rows[i].bytes, rows[i].size };
		struct record_iter it = record_iter(s, 1);

		assert_int_equal(record_decode(s, &r), -EBADMSG);
		assert_int_equal(record_iter_next(&it, &r), -EBADMSG);
	}
}

static void says_how_much_of_a_record_is_missing(void **state)
{
	struct buf file = golden("java-none.log");
	struct batch b = parse(&file);
	struct span records = batch_records(&b);
	struct record r, cut;

	(void)state;
	assert_int_equal(record_decode(records, &r), 0);
	for (size_t size = 0; size < r.size; size++) {
		assert_int_equal(record_decode((struct span){ records.data, size }, &cut), -EAGAIN);
		assert_int_equal(cut.size, size ? r.size : 0);
	}
	buf_fini(&file);
}

static void counts_must_agree(void **state)
{
	struct buf file = golden("java-none.log");
	struct batch b = parse(&file);
	struct record r;

	(void)state;
	for (int32_t count = -1; count <= ROWS + 1; count++) {
		struct record_iter it = record_iter(batch_records(&b), count);
		int more;

		while ((more = record_iter_next(&it, &r)) > 0)
			;
		assert_int_equal(more, count == ROWS ? 0 : -EBADMSG);
	}
	buf_fini(&file);
}

struct collect {
	struct record_stream stream;
	const struct batch *batch;
	int seen;
	int stop_at;
};

static int collect_one(struct record_stream *self, const struct record *r)
{
	struct collect *c = container_of(self, struct collect, stream);

	assert_row(c->seen, c->batch, r);
	return c->seen++ == c->stop_at ? -ECANCELED : 0;
}

static int feed_in_pieces(struct collect *c, struct span bytes, size_t piece)
{
	int err = 0;

	for (size_t at = 0; at < bytes.size && !err; at += piece) {
		size_t size = bytes.size - at < piece ? bytes.size - at : piece;
		uint8_t *copy = malloc(size); /* so that a sanitizer sees reads beyond */

		memcpy(copy, bytes.data + at, size);
		err = record_stream_feed(&c->stream, (struct span){ copy, size });
		free(copy);
	}
	return err;
}

static void pieces_of_any_size_give_the_same_records(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 5, 7, 11, 64, 1000, 4096, 80000, 100000 };
	struct buf file = golden("java-none.log");
	struct batch b = parse(&file);

	(void)state;
	for (size_t i = 0; i < array_count(sizes); i++) {
		struct collect c = {
			{ .record_size_max = 1 << 20, .each = collect_one }, &b, 0, -1
		};

		record_stream_begin(&c.stream, b.record_count);
		assert_int_equal(feed_in_pieces(&c, batch_records(&b), sizes[i]), 0);
		assert_int_equal(record_stream_end(&c.stream), 0);
		assert_int_equal(c.seen, ROWS);
		record_stream_fini(&c.stream);
	}
	buf_fini(&file);
}

static void a_stream_ends_early_or_late_or_too_large(void **state)
{
	struct buf file = golden("java-none.log");
	struct batch b = parse(&file);
	struct span records = batch_records(&b);
	struct collect c = { { .record_size_max = 1 << 20, .each = collect_one }, &b, 0, -1 };

	(void)state;
	record_stream_begin(&c.stream, b.record_count);
	assert_int_equal(feed_in_pieces(&c, (struct span){ records.data, records.size - 1 }, 100),
	                 0);
	assert_int_equal(record_stream_end(&c.stream), -EBADMSG);
	record_stream_begin(&c.stream, b.record_count - 1);
	c.seen = 0;
	assert_int_equal(feed_in_pieces(&c, records, 100), -EBADMSG);
	record_stream_begin(&c.stream, b.record_count);
	c.seen = 0;
	c.stream.record_size_max = 70000;
	assert_int_equal(feed_in_pieces(&c, records, 100), -EFBIG);
	record_stream_begin(&c.stream, b.record_count);
	c.seen = 0;
	assert_int_equal(feed_in_pieces(&c, records, records.size), -EFBIG);
	record_stream_begin(&c.stream, b.record_count);
	c.seen = 0;
	c.stop_at = 3;
	assert_int_equal(feed_in_pieces(&c, records, 100), -ECANCELED);
	record_stream_fini(&c.stream);
	buf_fini(&file);
}

/* ---- control batches ---- */

/* voters.checkpoint and metadata.log hold the same voter with the directory id of their run. */
static struct voters_entry voter_of(const struct buf *file, struct voters_endpoint *endpoint)
{
	struct voters_entry v = { .id = 1,
		                  .endpoint = endpoint,
		                  .endpoint_count = 1,
		                  .kraft_version_min = 0,
		                  .kraft_version_max = 1 };
	size_t at = 0;

	while (memcmp(file->data + at,
	              "\x0b"
	              "CONTROLLER",
	              11) != 0)
		at++;
	memcpy(v.directory_id, file->data + at - 17, sizeof(v.directory_id));
	*endpoint = (struct voters_endpoint){ STR("CONTROLLER"), STR("127.0.0.1"), 21401 };
	return v;
}

static void writes_kafkas_control_records(void **state)
{
	struct buf file = golden("metadata.log"), out = { 0 };
	struct batch b = parse(&file);
	struct batch_options options = BATCH_PLAIN;
	struct quorum_voter me = { .id = 1 };
	struct voters_endpoint endpoint;
	struct voters_entry voter = voter_of(&file, &endpoint);
	struct batch_builder builder;

	(void)state;
	assert_true(batch_is_control(&b));
	options.leader_epoch = b.leader_epoch;
	options.attributes = BATCH_CONTROL;
	batch_begin(&builder, &out, &options);
	batch_add_leader_change(&builder, b.base_timestamp, 0, 1, &me, 1, &me, 1);
	batch_add_kraft_version(&builder, b.base_timestamp, 1);
	batch_add_voters(&builder, b.base_timestamp, &voter, 1);
	assert_int_equal(batch_end(&builder), b.size);
	assert_memory_equal(out.data, b.data, b.size);
	buf_fini(&out);
	buf_fini(&file);
}

static void writes_kafkas_snapshots(void **state)
{
	struct buf file = golden("voters.checkpoint"), out = { 0 };
	struct batch head = parse(&file), foot;
	struct batch_options options = BATCH_PLAIN;
	struct voters_endpoint endpoint;
	struct voters_entry voter = voter_of(&file, &endpoint);
	struct batch_builder builder;
	int64_t contained = (int64_t)load_be64(head.data + 0x49);

	(void)state;
	assert_int_equal(
		batch_parse((struct span){ file.data + head.size, file.size - head.size }, &foot),
		0);
	options.leader_epoch = 0;
	options.attributes = BATCH_CONTROL;
	batch_begin(&builder, &out, &options);
	batch_add_snapshot_header(&builder, head.base_timestamp, contained);
	batch_add_kraft_version(&builder, head.base_timestamp, 1);
	batch_add_voters(&builder, head.base_timestamp, &voter, 1);
	(void)batch_end(&builder);
	options.base_offset = foot.base_offset;
	batch_begin(&builder, &out, &options);
	batch_add_snapshot_footer(&builder, foot.base_timestamp);
	(void)batch_end(&builder);
	assert_int_equal(out.size, file.size);
	assert_memory_equal(out.data, file.data, file.size);
	buf_fini(&out);
	buf_fini(&file);
}

static void transaction_markers_come_back(void **state)
{
	struct batch_options options = BATCH_PLAIN;
	struct batch_builder builder;
	struct buf out = { 0 };
	struct record_iter it;
	struct record r;
	struct batch b;
	int32_t epoch;

	(void)state;
	options.attributes = BATCH_CONTROL | BATCH_TRANSACTIONAL;
	options.producer_id = 9;
	options.producer_epoch = 3;
	batch_begin(&builder, &out, &options);
	batch_add_end_txn(&builder, 77, true, 12);
	assert_int_equal(batch_end(&builder), 78);
	b = parse(&out);
	assert_true(batch_is_transactional(&b) && batch_is_control(&b) && batch_has_producer(&b));
	it = record_iter(batch_records(&b), b.record_count);
	assert_int_equal(record_iter_next(&it, &r), 1);
	assert_int_equal(control_type_decode(r.key), CONTROL_COMMIT);
	assert_true(control_end_txn_decode(r.value, &epoch));
	assert_int_equal(epoch, 12);
	r.value.size--;
	assert_false(control_end_txn_decode(r.value, &epoch));
	r.key.size--;
	assert_int_equal(control_type_decode(r.key), -1);
	assert_string_equal(control_type_name(-1), "UNKNOWN");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_other_clients_wrote),
		cmocka_unit_test(builds_kafkas_bytes),
		cmocka_unit_test(an_empty_batch_leaves_nothing),
		cmocka_unit_test(says_how_much_is_missing),
		cmocka_unit_test(rejects_impossible_lengths_and_magics),
		cmocka_unit_test(knows_old_messages),
		cmocka_unit_test(every_flipped_bit_behind_the_crc_is_seen),
		cmocka_unit_test(patches_keep_the_batch_valid),
		cmocka_unit_test(sequences_wrap),
		cmocka_unit_test(rejects_records_that_contradict_themselves),
		cmocka_unit_test(says_how_much_of_a_record_is_missing),
		cmocka_unit_test(counts_must_agree),
		cmocka_unit_test(pieces_of_any_size_give_the_same_records),
		cmocka_unit_test(a_stream_ends_early_or_late_or_too_large),
		cmocka_unit_test(writes_kafkas_control_records),
		cmocka_unit_test(writes_kafkas_snapshots),
		cmocka_unit_test(transaction_markers_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
