/* SPDX-License-Identifier: Apache-2.0 */
/* What one partition yields (kafka.server.ReplicaManager.readFromLog, kafka.cluster.Partition). */
#include "fetch.h"

#include <errno.h>

#include "base/mem.h"

void fetch_clear(struct fetch_item *item)
{
	file_put(item->slice.file);
	item->slice = (struct log_slice){ 0 };
	log_view_put(item->view);
	item->view = NULL;
	item->size = 0;
	item->is_located = false;
}

void fetch_fail(struct fetch *f, struct fetch_item *item, int16_t error)
{
	item->error = error;
	item->has_more = true;
	item->is_filtered = false;
	item->size = 0;
	item->high_watermark = -1;
	item->last_stable = -1;
	item->log_start = -1;
	f->is_due = true;
}

/* What the metadata does not know (yet). */
static void fail_unknown(struct fetch *f, struct fetch_item *item, int16_t error)
{
	item->error = error;
	item->is_unknown = true;
	item->is_filtered =
		true; /* Kafka answers it with an empty list, and other errors with null */
	item->has_more = true;
	f->unknown_count++;
}

/* ---- which partition ---- */

static const struct image_topic *find_topic(struct fetch *f, struct fetch_item *item)
{
	const struct image *image = metadata_image(f->call->broker->metadata);
	const struct image_topic *topic;

	if (!f->uses_topic_ids)
		return image_topic_by_name(image, item->want.topic);
	topic = image_topic_by_id(image, item->want.topic_id);
	/* An id that had a name keeps it: another topic of that name is then the wrong one. */
	if (!topic && item->want.topic.data)
		return image_topic_by_name(image, item->want.topic);
	if (!topic || item->want.topic.data)
		return topic;
	item->want.topic = arena_str(&f->call->arena, topic->name);
	if (!item->want.topic.data)
		f->has_no_memory = true;
	if (item->cached && !item->cached->topic)
		item->cached->topic = str_dup(topic->name);
	return topic;
}

static void find_partition(struct fetch *f, struct fetch_item *item)
{
	const struct image_topic *topic = find_topic(f, item);

	partition_put(item->part);
	item->part = NULL;
	item->is_found = true;
	if (!topic && f->uses_topic_ids && !item->want.topic.data) {
		fail_unknown(f, item, WIRE_UNKNOWN_TOPIC_ID);
	} else if (!topic || !image_topic_partition(topic, item->want.partition)) {
		fail_unknown(f, item, WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	} else if (f->uses_topic_ids && !uuid_eq(topic->id, item->want.topic_id)) {
		fetch_fail(f, item, WIRE_INCONSISTENT_TOPIC_ID);
	} else {
		item->part = partitions_find(f->call->broker->partitions, topic->id,
		                             item->want.partition);
		if (item->part)
			partition_get(item->part);
		else
			fetch_fail(f, item, WIRE_NOT_LEADER_OR_FOLLOWER);
	}
}

void fetch_subscribe(struct fetch *f, struct fetch_item *item)
{
	struct fetch_slot *slot = item->cached ? item->cached->slot : item->slot;

	if (!f->wait || (slot && slot->part == item->part))
		return;
	if (slot)
		fetch_slot_leave(slot);
	slot = NULL;
	if (item->part)
		slot = fetch_slot_join(f->wait, item->part,
		                       item->cached ? (void *)item->cached : item);
	if (item->cached)
		item->cached->slot = slot;
	else
		item->slot = slot;
}

/* Partition.getLocalLog, fetchRecords: who may read here? */
static int16_t access_error(const struct fetch *f, const struct fetch_item *item,
                            const struct partition_facts *facts)
{
	int32_t epoch = item->want.current_leader_epoch;
	int16_t error = partition_error(facts, epoch < 0 ? -1 : epoch);

	/* From version 11 on a consumer may read from a follower. */
	if (error == WIRE_NOT_LEADER_OR_FOLLOWER && facts->role == PARTITION_FOLLOWER &&
	    f->replica_id < 0 && f->call->version >= 11)
		error = WIRE_NONE;
	/* No other broker is known here as one that replicates. */
	if (!error && f->replica_id >= 0)
		error = epoch < 0 ? WIRE_NOT_LEADER_OR_FOLLOWER : WIRE_UNKNOWN_LEADER_EPOCH;
	return error;
}

/* ---- which bytes ---- */

static int16_t error_of(int err)
{
	switch (err) {
	case -ERANGE:
		return WIRE_OFFSET_OUT_OF_RANGE;
	case -EBADMSG:
		return WIRE_CORRUPT_MESSAGE;
	default:
		return WIRE_KAFKA_STORAGE_ERROR;
	}
}

/* How much of the slice the limits allow: whole batches only at the beginning of an answer. */
static void apply_limits(struct fetch *f, struct fetch_item *item)
{
	int32_t limit = item->want.max_bytes < f->left ? item->want.max_bytes : f->left;
	uint32_t size;

	if (limit < 0) {
		fetch_fail(f, item, WIRE_INVALID_FETCH_SIZE);
		return;
	}
	size = (uint32_t)limit;
	if (!f->has_first && size < item->slice.first_size)
		size = item->slice.first_size;
	if (size && size < item->slice.first_size) {
		item->is_filtered = false; /* as Kafka has it: nothing is said of transactions */
		return;
	}
	item->size = size < item->slice.size ? size : item->slice.size;
	f->bytes += item->size;
	f->has_first |= item->size > 0;
	f->left = (uint32_t)f->left > item->size ? f->left - (int32_t)item->size : 0;
}

static void locate(struct fetch *f, struct fetch_item *item, struct log_mark bound)
{
	const struct log *log = item->part->log;
	const struct log_view *view = log_view(log);
	int err = item->locate_err;

	item->has_more = true;
	if (!f->left && f->has_first)
		return;
	if (!item->is_located) {
		uint32_t max = item->want.max_bytes > 0 ? (uint32_t)item->want.max_bytes : 0;

		err = log_locate(log, view, item->want.fetch_offset, max, true, bound, false,
		                 &item->slice);
	}
	if (err == -EAGAIN) {
		fetch_errand_locate(f, item, view, bound);
		return;
	}
	if (err) {
		fetch_fail(f, item, error_of(err));
		return;
	}
	/* The bytes lie in an older segment: Kafka does not wait for more then. */
	if (item->slice.file && item->slice.segment < bound.segment)
		f->is_due = true;
	apply_limits(f, item);
	if (item->size && item->is_filtered && log_view_has_aborted(view))
		item->view = log_view_get(view);
}

/* KIP-595: does its log agree with ours up to the offset it wants?  False: that is the answer. */
static bool agrees(struct fetch *f, struct fetch_item *item)
{
	const struct fetch_want *want = &item->want;
	struct log_epoch_end end = item->epoch_end;

	if (end.end_offset < 0 || end.epoch < 0 || want->fetch_offset < item->log_start) {
		fetch_fail(f, item, WIRE_OFFSET_OUT_OF_RANGE);
		return false;
	}
	if (end.epoch >= want->last_fetched_epoch && end.end_offset >= want->fetch_offset)
		return true;
	item->is_diverged = true;
	item->is_filtered = false;
	item->has_more = true;
	f->is_due = true;
	return false;
}

static void read_log(struct fetch *f, struct fetch_item *item)
{
	const struct partition *part = item->part;
	int64_t offset = item->want.fetch_offset;
	struct log_mark high_watermark;
	struct log_mark last_stable;
	struct log_mark end;
	struct log_mark bound;

	/* In this order none passes the next. */
	item->log_start = log_start_offset(part->log);
	last_stable = partition_last_stable(part);
	high_watermark = partition_high_watermark(part);
	end = log_end_mark(part->log);
	item->last_stable = last_stable.offset;
	item->high_watermark = high_watermark.offset;
	item->log_end = end.offset;
	item->is_filtered = f->isolation == FETCH_COMMITTED;
	if (item->want.last_fetched_epoch >= 0 && !agrees(f, item))
		return;
	if (offset < item->log_start || offset > end.offset) {
		fetch_fail(f, item, WIRE_OFFSET_OUT_OF_RANGE);
		return;
	}
	switch (f->isolation) {
	case FETCH_LOG_END:
		bound = end;
		break;
	case FETCH_COMMITTED:
		bound = last_stable;
		f->has_open |= last_stable.offset < high_watermark.offset;
		break;
	default:
		bound = high_watermark;
	}
	if (offset < bound.offset)
		locate(f, item, bound);
}

void fetch_visit(struct fetch *f, struct fetch_item *item)
{
	const struct partition_facts *facts;
	int16_t error;

	if (!item->is_located)
		fetch_clear(item);
	item->error = WIRE_NONE;
	item->is_unknown = false;
	item->is_diverged = false;
	item->is_filtered = false;
	item->has_more = false;
	item->high_watermark = -1;
	item->last_stable = -1;
	item->log_start = -1;
	item->aborted_count = 0;
	if (!item->is_found || !item->part || partition_facts(item->part)->role == PARTITION_GONE)
		find_partition(f, item);
	fetch_subscribe(f, item);
	if (!item->part)
		return;
	facts = partition_facts(item->part);
	if (facts->role == PARTITION_OPENING) {
		fetch_errand_await(f, item);
		return;
	}
	error = access_error(f, item, facts);
	if (error) {
		fetch_fail(f, item, error);
	} else if (item->want.last_fetched_epoch >= 0 && !item->has_end) {
		fetch_errand_epoch(f, item);
	} else {
		read_log(f, item);
	}
	item->has_end = false;
	item->is_located = false;
}

/* ---- before the answer ---- */

static void find_aborted(struct fetch *f, struct fetch_item *item)
{
	struct log_slice slice = item->slice;
	struct log_aborted *aborted = NULL;
	int64_t bound;
	int err = 0;

	slice.size = item->size;
	bound = log_slice_bound(item->view, &slice, item->log_end, false);
	if (bound >= 0)
		err = log_aborted(item->view, item->want.fetch_offset, bound, false,
		                  &f->call->arena, &aborted, &item->aborted_count);
	else
		err = (int)bound;
	item->aborted = aborted;
	if (err == -EAGAIN)
		fetch_errand_aborted(f, item);
	else if (err == -ENOMEM)
		f->has_no_memory = true;
	else if (err)
		fetch_fail(f, item, error_of(err));
}

void fetch_prepare(struct fetch *f, struct fetch_item *item)
{
	if (!item->size)
		return;
	if (!file_is_hot(item->slice.file, item->slice.position, item->size))
		fetch_errand_warm(f, item);
	if (item->view)
		find_aborted(f, item);
}
