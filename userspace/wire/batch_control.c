/* SPDX-License-Identifier: Apache-2.0 */
#include "base/varint.h"
#include "wire/batch.h"

enum {
	KEY_VERSION = 0,
	KEY_SIZE = 4,
	END_TXN_VERSION = 0,
	END_TXN_SIZE = 6,
	MESSAGE_VERSION = 0, /* the `Version` field that each KRaft message repeats inside */
};

int control_type_decode(struct span key)
{
	int16_t type;

	if (!key.data || key.size < KEY_SIZE || (int16_t)load_be16(key.data) < KEY_VERSION)
		return -1;
	type = (int16_t)load_be16(key.data + 2);
	return type < CONTROL_ABORT || type > CONTROL_KRAFT_VOTERS ? -1 : type;
}

const char *control_type_name(int type)
{
	static const char *const names[] = {
		[CONTROL_ABORT] = "ABORT",
		[CONTROL_COMMIT] = "COMMIT",
		[CONTROL_LEADER_CHANGE] = "LEADER_CHANGE",
		[CONTROL_SNAPSHOT_HEADER] = "SNAPSHOT_HEADER",
		[CONTROL_SNAPSHOT_FOOTER] = "SNAPSHOT_FOOTER",
		[CONTROL_KRAFT_VERSION] = "KRAFT_VERSION",
		[CONTROL_KRAFT_VOTERS] = "KRAFT_VOTERS",
	};

	return type < 0 || type > CONTROL_KRAFT_VOTERS ? "UNKNOWN" : names[type];
}

void batch_add_control(struct batch_builder *b, int64_t timestamp_ms, enum control_type type,
                       struct span value)
{
	uint8_t key[KEY_SIZE];

	check(b->options.attributes & BATCH_CONTROL);
	store_be16(key, KEY_VERSION);
	store_be16(key + 2, (uint16_t)type);
	batch_add(b, timestamp_ms, (struct span){ key, sizeof(key) }, value, NULL, 0);
}

void batch_add_end_txn(struct batch_builder *b, int64_t timestamp_ms, bool commit,
                       int32_t coordinator_epoch)
{
	uint8_t value[END_TXN_SIZE];

	check(b->options.attributes & BATCH_TRANSACTIONAL);
	check(b->options.producer_id != BATCH_NO_PRODUCER_ID);
	store_be16(value, END_TXN_VERSION);
	store_be32(value + 2, (uint32_t)coordinator_epoch);
	batch_add_control(b, timestamp_ms, commit ? CONTROL_COMMIT : CONTROL_ABORT,
	                  (struct span){ value, sizeof(value) });
}

bool control_end_txn_decode(struct span value, int32_t *ret_coordinator_epoch)
{
	if (!value.data || value.size < END_TXN_SIZE || (int16_t)load_be16(value.data) < 0)
		return false;
	*ret_coordinator_epoch = (int32_t)load_be32(value.data + 2);
	return true;
}

/* ---- the KRaft messages: all flexible, each with its version as first field ---- */

static void put_i16(struct buf *out, int16_t value)
{
	store_be16(buf_extend(out, 2), (uint16_t)value);
}

static void put_i32(struct buf *out, int32_t value)
{
	store_be32(buf_extend(out, 4), (uint32_t)value);
}

static void put_uvarint(struct buf *out, uint32_t value)
{
	uint8_t bytes[5];

	buf_add(out, bytes, uvarint_encode(bytes, value));
}

static void put_no_tags(struct buf *out)
{
	put_uvarint(out, 0);
}

static void put_str(struct buf *out, struct str s)
{
	put_uvarint(out, s.size + 1);
	buf_add_str(out, s);
}

static void add_message(struct batch_builder *b, int64_t timestamp_ms, enum control_type type,
                        struct buf *message)
{
	batch_add_control(b, timestamp_ms, type, (struct span){ message->data, message->size });
	buf_fini(message);
}

static void put_quorum(struct buf *out, int16_t version, const struct quorum_voter *voter,
                       uint32_t count)
{
	put_uvarint(out, count + 1);
	for (uint32_t i = 0; i < count; i++) {
		put_i32(out, voter[i].id);
		if (version >= 1)
			buf_add(out, voter[i].directory_id, sizeof(voter[i].directory_id));
		put_no_tags(out);
	}
}

void batch_add_leader_change(struct batch_builder *b, int64_t timestamp_ms, int16_t version,
                             int32_t leader_id, const struct quorum_voter *voter,
                             uint32_t voter_count, const struct quorum_voter *granting,
                             uint32_t granting_count)
{
	struct buf message = { 0 };

	check(version == 0 || version == 1);
	put_i16(&message, version);
	put_i32(&message, leader_id);
	put_quorum(&message, version, voter, voter_count);
	put_quorum(&message, version, granting, granting_count);
	put_no_tags(&message);
	add_message(b, timestamp_ms, CONTROL_LEADER_CHANGE, &message);
}

void batch_add_snapshot_header(struct batch_builder *b, int64_t timestamp_ms,
                               int64_t last_contained_log_timestamp_ms)
{
	struct buf message = { 0 };

	put_i16(&message, MESSAGE_VERSION);
	store_be64(buf_extend(&message, 8), (uint64_t)last_contained_log_timestamp_ms);
	put_no_tags(&message);
	add_message(b, timestamp_ms, CONTROL_SNAPSHOT_HEADER, &message);
}

void batch_add_snapshot_footer(struct batch_builder *b, int64_t timestamp_ms)
{
	struct buf message = { 0 };

	put_i16(&message, MESSAGE_VERSION);
	put_no_tags(&message);
	add_message(b, timestamp_ms, CONTROL_SNAPSHOT_FOOTER, &message);
}

void batch_add_kraft_version(struct batch_builder *b, int64_t timestamp_ms, int16_t kraft_version)
{
	struct buf message = { 0 };

	put_i16(&message, MESSAGE_VERSION);
	put_i16(&message, kraft_version);
	put_no_tags(&message);
	add_message(b, timestamp_ms, CONTROL_KRAFT_VERSION, &message);
}

static void put_voter(struct buf *out, const struct voters_entry *v)
{
	put_i32(out, v->id);
	buf_add(out, v->directory_id, sizeof(v->directory_id));
	put_uvarint(out, v->endpoint_count + 1);
	for (uint32_t i = 0; i < v->endpoint_count; i++) {
		put_str(out, v->endpoint[i].name);
		put_str(out, v->endpoint[i].host);
		put_i16(out, (int16_t)v->endpoint[i].port);
		put_no_tags(out);
	}
	put_i16(out, v->kraft_version_min);
	put_i16(out, v->kraft_version_max);
	put_no_tags(out); /* of the version range */
	put_no_tags(out);
}

void batch_add_voters(struct batch_builder *b, int64_t timestamp_ms,
                      const struct voters_entry *voter, uint32_t voter_count)
{
	struct buf message = { 0 };

	put_i16(&message, MESSAGE_VERSION);
	put_uvarint(&message, voter_count + 1);
	for (uint32_t i = 0; i < voter_count; i++)
		put_voter(&message, &voter[i]);
	put_no_tags(&message);
	add_message(b, timestamp_ms, CONTROL_KRAFT_VOTERS, &message);
}
