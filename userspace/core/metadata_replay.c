/* SPDX-License-Identifier: Apache-2.0 */
#include "core/metadata_replay.h"

#include <stdarg.h>
#include <stdio.h>

#include "wire/control_records.h"

enum { VOTERS_ARENA_MAX = 1 << 20 };

__attribute__((format(printf, 2, 3))) static enum image_verdict
refuse(struct image_apply_error *why, const char *format, ...)
{
	va_list args;

	if (why) {
		va_start(args, format);
		vsnprintf(why->text, sizeof(why->text), format, args);
		va_end(args);
	}
	return IMAGE_BAD_RECORD;
}

void metadata_replay_init(struct metadata_replay *r)
{
	*r = (struct metadata_replay){
		.image = image_new(),
		.quorum = { .voters_offset = -1 },
		.snapshot_offset = -1,
	};
	arena_init(&r->strings, VOTERS_ARENA_MAX);
}

void metadata_replay_fini(struct metadata_replay *r)
{
	image_put(r->image);
	r->image = NULL;
	arena_fini(&r->strings);
}

void metadata_replay_snapshot(struct metadata_replay *r, struct raft_snapshot_id id)
{
	metadata_replay_fini(r);
	metadata_replay_init(r);
	r->in_snapshot = true;
	r->snapshot_offset = id.end_offset - 1;
}

enum image_verdict metadata_replay_snapshot_end(struct metadata_replay *r,
                                                struct raft_snapshot_id id,
                                                struct image_apply_error *why)
{
	if (!r->header_seen || !r->footer_seen)
		return refuse(why, "the snapshot is cut short");
	r->in_snapshot = false;
	image_advance(r->image, id.end_offset - 1, id.epoch, r->last_contained_ms);
	return IMAGE_APPLIED;
}

/* ---- control records ---- */

static bool take_voter(struct metadata_replay *r, const struct voters_record_voter *from,
                       struct raft_voter *voter)
{
	if (from->endpoints_count > RAFT_ENDPOINTS_MAX)
		return false;
	*voter = (struct raft_voter){
		.id = from->voter_id,
		.directory_id = from->voter_directory_id,
		.endpoint_count = from->endpoints_count,
		.kraft_version_min = (uint16_t)from->kraft_version_feature.min_supported_version,
		.kraft_version_max = (uint16_t)from->kraft_version_feature.max_supported_version,
	};
	for (uint32_t i = 0; i < from->endpoints_count; i++)
		voter->endpoint[i] = (struct raft_endpoint){
			arena_str(&r->strings, from->endpoints[i].name),
			arena_str(&r->strings, from->endpoints[i].host),
			from->endpoints[i].port,
		};
	return true;
}

static bool take_voters(struct metadata_replay *r, int64_t offset, const struct voters_record *rec)
{
	if (rec->voters_count > RAFT_VOTERS_MAX)
		return false;
	arena_reset(&r->strings);
	r->quorum.voters_offset = offset;
	r->quorum.voter_count = rec->voters_count;
	for (uint32_t i = 0; i < rec->voters_count; i++)
		if (!take_voter(r, &rec->voters[i], &r->quorum.voter[i]))
			return false;
	return true;
}

static bool decode_voters(struct metadata_replay *r, int64_t offset, struct span value)
{
	struct reader reader = reader_of(value.data, value.size);
	struct voters_record rec;
	struct arena arena;
	bool ok;

	arena_init(&arena, VOTERS_ARENA_MAX);
	ok = !voters_record_decode(&reader, 0, &arena, &rec) && take_voters(r, offset, &rec);
	arena_fini(&arena);
	return ok;
}

static bool decode_kraft_version(struct metadata_replay *r, struct span value)
{
	struct reader reader = reader_of(value.data, value.size);
	struct kraft_version_record rec;
	struct arena arena;
	int err;

	arena_init(&arena, 0);
	err = kraft_version_record_decode(&reader, 0, &arena, &rec);
	arena_fini(&arena);
	if (err || rec.kraft_version < 0 || rec.kraft_version > 1)
		return false;
	r->quorum.kraft_version = (uint16_t)rec.kraft_version;
	return true;
}

static bool decode_header(struct metadata_replay *r, struct span value)
{
	struct reader reader = reader_of(value.data, value.size);
	struct snapshot_header_record rec;
	struct arena arena;
	int err;

	arena_init(&arena, 0);
	err = snapshot_header_record_decode(&reader, 0, &arena, &rec);
	arena_fini(&arena);
	r->header_seen = true;
	r->last_contained_ms = err ? 0 : rec.last_contained_log_timestamp;
	return !err;
}

static enum image_verdict replay_control(struct metadata_replay *r, int64_t offset,
                                         const struct record *record, struct image_apply_error *why)
{
	int type = control_type_decode(record->key);
	bool ok = true;

	switch (type) {
	case CONTROL_LEADER_CHANGE:
		break;
	case CONTROL_SNAPSHOT_HEADER:
		ok = r->in_snapshot && !r->header_seen && decode_header(r, record->value);
		break;
	case CONTROL_SNAPSHOT_FOOTER:
		ok = r->in_snapshot && !r->footer_seen;
		r->footer_seen = true;
		break;
	case CONTROL_KRAFT_VERSION:
		ok = decode_kraft_version(r, record->value);
		break;
	case CONTROL_KRAFT_VOTERS:
		ok = decode_voters(r, offset, record->value);
		break;
	default:
		return refuse(why,
		              "offset %lld has a control record of type %d, which is not known",
		              (long long)offset, type);
	}
	if (!ok)
		return refuse(why, "offset %lld has a %s record that cannot be followed",
		              (long long)offset, control_type_name(type));
	return IMAGE_APPLIED;
}

/* ---- batches ---- */

static enum image_verdict replay_record(struct metadata_replay *r, const struct batch *b,
                                        const struct record *record, struct image_apply_error *why)
{
	int64_t offset =
		r->in_snapshot ? r->snapshot_offset : b->base_offset + record->offset_delta;
	struct image_apply_error inner = { "" };

	if (batch_is_control(b))
		return replay_control(r, offset, record, why);
	if (r->in_snapshot && (!r->header_seen || r->footer_seen))
		return refuse(why, "the snapshot has records outside of header and footer");
	if (image_apply(r->image, offset, record->value, &inner) == IMAGE_APPLIED)
		return IMAGE_APPLIED;
	return refuse(why, "offset %lld: %.120s", (long long)offset, inner.text);
}

enum image_verdict metadata_replay_batch(struct metadata_replay *r, const struct batch *b,
                                         struct image_apply_error *why)
{
	struct record_iter it;
	struct record record;
	int more;

	if (b->magic != 2 || batch_compression(b) != BATCH_NONE)
		return refuse(why, "the batch at offset %lld is compressed or of an old format",
		              (long long)b->base_offset);
	it = record_iter(batch_records(b), b->record_count);
	while ((more = record_iter_next(&it, &record)) == 1)
		if (replay_record(r, b, &record, why) != IMAGE_APPLIED)
			return IMAGE_BAD_RECORD;
	if (more < 0)
		return refuse(why, "the batch at offset %lld cannot be read",
		              (long long)b->base_offset);
	if (!r->in_snapshot)
		image_advance(r->image, batch_last_offset(b), b->leader_epoch, b->max_timestamp);
	return IMAGE_APPLIED;
}
