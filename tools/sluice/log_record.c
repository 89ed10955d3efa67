/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "core/metadata_record.h"
#include "log_dump.h"
#include "wire/control_records.h"
#include "wire/group_records.h"
#include "wire/share_records.h"
#include "wire/transaction_records.h"

/* ---- messages inside of records ---- */

/* The body as JSON; false: it is not what it should be. */
static bool out_message(struct out *o, const char *name, const struct message *m, int16_t version,
                        struct span body)
{
	struct reader r = reader_of(body.data, body.size);
	struct buf json = { 0 };
	struct arena arena;
	void *message;
	bool ok;

	if (version < m->min || version > m->max)
		return false;
	/* A decoded element takes no more than this for each of its bytes. */
	arena_init(&arena, body.size * 64 + 65536);
	message = arena_zalloc(&arena, m->size);
	ok = message && !message_decode(m, version, &r, &arena, message) && !reader_left(&r);
	if (ok) {
		message_json(m, version, message, &json);
		out_json(o, name, (struct str){ (char *)json.data, (uint32_t)json.size });
	}
	buf_fini(&json);
	arena_fini(&arena);
	return ok;
}

static bool out_control(struct out *o, const struct record *r)
{
	static const struct message *const kraft[] = {
		[CONTROL_LEADER_CHANGE] = &leader_change_message_message,
		[CONTROL_SNAPSHOT_HEADER] = &snapshot_header_record_message,
		[CONTROL_SNAPSHOT_FOOTER] = &snapshot_footer_record_message,
		[CONTROL_KRAFT_VERSION] = &kraft_version_record_message,
		[CONTROL_KRAFT_VOTERS] = &voters_record_message,
	};
	int type = control_type_decode(r->key);
	int32_t coordinator_epoch;

	out_word(o, "control", control_type_name(type));
	if (type < 0)
		return false;
	if (type > CONTROL_COMMIT)
		return r->value.size >= 2 &&
		       out_message(o, "value", kraft[type], (int16_t)load_be16(r->value.data),
		                   r->value);
	if (!control_end_txn_decode(r->value, &coordinator_epoch))
		return false;
	out_number(o, "coordinator_epoch", coordinator_epoch);
	return true;
}

static bool out_metadata(struct out *o, const struct record *r)
{
	struct metadata_frame f;
	const struct message *m;

	if (metadata_frame_decode(r->value, &f))
		return false;
	m = metadata_record_message(f.type);
	if (!m)
		return false;
	out_word(o, "record", metadata_record_name(f.type));
	out_number(o, "version", f.version);
	return out_message(o, "value", m, f.version, f.body);
}

struct schema {
	const struct message *const *message;
	size_t count;
};

static struct schema schema_of(enum log_content content)
{
	switch (content) {
	case CONTENT_GROUPS:
		return (struct schema){ group_records_messages, group_records_message_count };
	case CONTENT_TXNS:
		return (struct schema){ transaction_records_messages,
			                transaction_records_message_count };
	case CONTENT_SHARE:
		return (struct schema){ share_records_messages, share_records_message_count };
	default:
		return (struct schema){ NULL, 0 };
	}
}

/* The message of this id whose name ends so. */
static const struct message *find_message(struct schema s, int16_t id, const char *ending)
{
	for (size_t i = 0; i < s.count; i++) {
		const struct message *m = s.message[i];
		size_t size = strlen(m->name);

		if (m->id == id && size > strlen(ending) &&
		    !strcmp(m->name + size - strlen(ending), ending))
			return m;
	}
	return NULL;
}

/* "offset_commit_value" is an offset_commit. */
static void out_record_name(struct out *o, const char *value_name)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)(strlen(value_name) - strlen("_value")),
	         value_name);
	out_word(o, "record", name);
}

/* A coordinator's record: the version of the key is its type. */
static bool out_coordinator(struct out *o, enum log_content content, const struct record *r)
{
	struct schema s = schema_of(content);
	const struct message *key;
	const struct message *value;
	int16_t type;

	if (r->key.size < 2)
		return false;
	type = (int16_t)load_be16(r->key.data);
	key = find_message(s, type, "_key");
	value = find_message(s, type, "_value");
	if (!key || !value)
		return false;
	out_record_name(o, value->name);
	if (!out_message(o, "key", key, 0, (struct span){ r->key.data + 2, r->key.size - 2 }))
		return false;
	if (!r->value.data) {
		out_null(o, "value");
		return true;
	}
	if (r->value.size < 2)
		return false;
	out_number(o, "version", (int16_t)load_be16(r->value.data));
	return out_message(o, "value", value, (int16_t)load_be16(r->value.data),
	                   (struct span){ r->value.data + 2, r->value.size - 2 });
}

/* ---- records ---- */

static void out_headers(struct out *o, const struct record *r)
{
	struct span rest = r->headers;

	if (!r->header_count && !o->json)
		return;
	out_list(o, "headers");
	for (int32_t i = 0; i < r->header_count; i++) {
		struct record_header h = record_header_next(&rest);

		out_item(o);
		out_bytes(o, "name", h.key);
		out_bytes(o, "value", h.value);
		out_item_end(o);
	}
	out_list_end(o);
}

static int64_t timestamp_of(const struct batch *b, const struct record *r)
{
	if (b->attributes & BATCH_LOG_APPEND_TIME)
		return b->max_timestamp;
	return (int64_t)((uint64_t)b->base_timestamp + (uint64_t)r->timestamp_delta);
}

void dump_record(struct dump *d, const struct batch *b, uint64_t position, const struct record *r)
{
	struct out *o = &d->out;
	int64_t offset = b->base_offset + r->offset_delta;
	bool ok = true;

	out_begin(o, " record");
	out_number(o, "offset", offset);
	out_number(o, "timestamp", timestamp_of(b, r));
	if (batch_has_producer(b) && !batch_is_control(b))
		out_number(o, "sequence", batch_sequence_add(b->base_sequence, r->offset_delta));
	out_number(o, "key_size", r->key.data ? (int64_t)r->key.size : -1);
	out_number(o, "value_size", r->value.data ? (int64_t)r->value.size : -1);
	if (batch_is_control(b))
		ok = out_control(o, r);
	else if (d->content == CONTENT_METADATA)
		ok = out_metadata(o, r);
	else if (d->content != CONTENT_BYTES)
		ok = out_coordinator(o, d->content, r);
	if (!ok || (!batch_is_control(b) && d->content == CONTENT_BYTES)) {
		out_bytes(o, ok ? "key" : "raw_key", r->key);
		out_bytes(o, ok ? "value" : "raw_value", r->value);
	}
	out_headers(o, r);
	out_end(o);
	if (!ok)
		dump_complain(d, position, "the record at offset %" PRId64 " cannot be decoded",
		              offset);
}
