/* SPDX-License-Identifier: Apache-2.0 */
#include "core/producer_state.h"

#include <errno.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "wire/errors.h"
#include "wire/producer_snapshot.h"

static const struct producer_facts unknown = {
	.epoch = -1,
	.coordinator_epoch = -1,
	.last_timestamp = -1,
	.txn_first_offset = -1,
};

/* Of a new java.util.HashMap; it doubles when more than three quarters are taken. */
enum { SNAPSHOT_BUCKETS_MIN = 16 };

void producers_init(struct producers *p)
{
	*p = (struct producers){ .snapshot_buckets = SNAPSHOT_BUCKETS_MIN };
	list_init(&p->list);
	list_init(&p->staged);
	list_init(&p->open);
}

static void forget(struct producers *p, struct producer *producer)
{
	map_remove(&p->map, &producer->node);
	list_remove(&producer->link);
	list_remove(&producer->staged);
	list_remove(&producer->open);
	mem_free(producer);
}

void producers_clear(struct producers *p)
{
	list_each_safe(pos, tmp, &p->list) forget(p, list_entry(pos, struct producer, link));
}

void producers_fini(struct producers *p)
{
	producers_clear(p);
	map_fini(&p->map);
}

static void move_list(struct list *to, struct list *from)
{
	struct list *node;

	list_init(to);
	while ((node = list_pop(from)))
		list_push(to, node);
}

void producers_move(struct producers *to, struct producers *from)
{
	to->map = from->map;
	to->end_offset = from->end_offset;
	if (to->snapshot_buckets < from->snapshot_buckets)
		to->snapshot_buckets = from->snapshot_buckets;
	move_list(&to->list, &from->list);
	move_list(&to->staged, &from->staged);
	move_list(&to->open, &from->open);
	from->map = (struct map){ 0 };
}

static uint64_t id_hash(int64_t id)
{
	return hash_bytes(&id, sizeof(id));
}

struct producer *producers_find(const struct producers *p, int64_t id)
{
	struct map_node *node = map_first(&p->map, id_hash(id));

	for (; node; node = map_next(node)) {
		struct producer *producer = container_of(node, struct producer, node);

		if (producer->id == id)
			return producer;
	}
	return NULL;
}

static struct producer *find_or_make(struct producers *p, int64_t id)
{
	struct producer *producer = producers_find(p, id);

	if (producer)
		return producer;
	producer = mem_zalloc(sizeof(*producer));
	producer->id = id;
	producer->facts = unknown;
	list_init(&producer->staged);
	list_init(&producer->open);
	list_push(&p->list, &producer->link);
	map_insert(&p->map, &producer->node, id_hash(id));
	return producer;
}

/* The producer with a copy to work on; the copy of an earlier batch of this run, if any. */
static struct producer *stage(struct producers *p, int64_t id)
{
	struct producer *producer = find_or_make(p, id);

	if (list_is_empty(&producer->staged)) {
		producer->copy = producer->facts;
		list_push(&p->staged, &producer->staged);
	}
	return producer;
}

static int32_t last_sequence(const struct producer_facts *f)
{
	return f->batch_count ? f->batch[f->batch_count - 1].last_sequence : BATCH_NO_SEQUENCE;
}

static const struct producer_batch *find_duplicate(const struct producer_facts *f,
                                                   const struct batch *b)
{
	if (f->epoch != b->producer_epoch)
		return NULL;
	for (uint32_t i = 0; i < f->batch_count; i++) {
		const struct producer_batch *old = &f->batch[i];

		if (old->last_sequence == batch_last_sequence(b) &&
		    batch_sequence_add(b->base_sequence, old->offset_delta) == old->last_sequence)
			return old;
	}
	return NULL;
}

/* ProducerAppendInfo.checkProducerEpoch, checkSequence */
static int16_t check_client(const struct producer_facts *f, const struct batch *b)
{
	if (b->producer_epoch < f->epoch)
		return WIRE_INVALID_PRODUCER_EPOCH;
	if (b->producer_epoch != f->epoch)
		return b->base_sequence && f->epoch != BATCH_NO_PRODUCER_EPOCH
		               ? WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER
		               : WIRE_NONE;
	if (f->epoch != BATCH_NO_PRODUCER_EPOCH &&
	    b->base_sequence != batch_sequence_add(last_sequence(f), 1))
		return WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER;
	/* A plain batch may not stand inside a transaction, nor begin one. */
	if (!batch_is_transactional(b) && f->txn_first_offset >= 0)
		return WIRE_INVALID_TXN_STATE;
	return WIRE_NONE;
}

static void adopt_epoch(struct producer_facts *f, int16_t epoch)
{
	if (f->epoch == epoch)
		return;
	f->epoch = epoch;
	f->batch_count = 0;
}

static void add_batch(struct producer_facts *f, const struct batch *b, int64_t last_offset,
                      int64_t timestamp)
{
	if (f->batch_count == PRODUCER_BATCHES) {
		memmove(f->batch, f->batch + 1, sizeof(f->batch) - sizeof(f->batch[0]));
		f->batch_count--;
	}
	f->batch[f->batch_count++] =
		(struct producer_batch){ batch_last_sequence(b), b->last_offset_delta, last_offset,
		                         timestamp };
}

static int64_t min_open(int64_t min, const struct producer_facts *f)
{
	return f->txn_first_offset >= 0 && f->txn_first_offset < min ? f->txn_first_offset : min;
}

/* With the run's copies: the first open transaction but that of `id`. */
static int64_t first_open_but(const struct producers *p, int64_t id)
{
	int64_t min = INT64_MAX;

	list_each(pos, &p->staged)
	{
		const struct producer *producer = list_entry(pos, struct producer, staged);

		if (producer->id != id)
			min = min_open(min, &producer->copy);
	}
	list_each(pos, &p->open)
	{
		const struct producer *producer = list_entry(pos, struct producer, open);

		if (producer->id != id && list_is_empty(&producer->staged))
			return min_open(min, &producer->facts);
	}
	return min;
}

/* A marker ends the transaction and tells the coordinator's epoch; sequences stay as they are. */
static void stage_marker(struct producer_facts *f, int64_t id, const struct batch *b,
                         int64_t offset, int64_t timestamp, const struct producer_marker *marker,
                         struct producer_verdict *ret)
{
	adopt_epoch(f, b->producer_epoch);
	if (f->txn_first_offset >= 0) {
		ret->ended = true;
		ret->end = (struct producer_txn_end){ id, f->txn_first_offset, offset, offset + 1,
			                              !marker->commit };
	}
	f->txn_first_offset = -1;
	f->coordinator_epoch = marker->coordinator_epoch;
	f->last_timestamp = timestamp;
}

static bool skips_refused(const struct producer *producer, const struct batch *b)
{
	return producer->is_refused && list_is_empty(&producer->staged) &&
	       producer->refused_epoch == b->producer_epoch &&
	       producer->refused_sequence != b->base_sequence;
}

void producers_refuse(struct producers *p, const struct batch *b)
{
	struct producer *producer = find_or_make(p, b->producer_id);

	if (producer->has_facts || producer->is_refused || !list_is_empty(&producer->staged))
		return;
	producer->is_refused = true;
	producer->refused_epoch = b->producer_epoch;
	producer->refused_sequence = b->base_sequence;
}

void producers_stage(struct producers *p, const struct batch *b, int64_t base_offset,
                     int64_t timestamp, const struct producer_marker *marker, bool client,
                     struct producer_verdict *ret)
{
	struct producer *producer = producers_find(p, b->producer_id);
	const struct producer_facts *f = &unknown;
	const struct producer_batch *old;
	struct producer_facts *copy;

	*ret = (struct producer_verdict){ 0 };
	if (producer)
		f = list_is_empty(&producer->staged) ? &producer->facts : &producer->copy;
	if (client && (old = find_duplicate(f, b))) {
		ret->duplicate = true;
		ret->duplicate_base_offset = old->last_offset - old->offset_delta;
		ret->duplicate_timestamp = old->timestamp;
		return;
	}
	if (client && (ret->error = check_client(f, b)))
		return;
	if (client && producer && skips_refused(producer, b)) {
		ret->error = WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER;
		return;
	}
	copy = &stage(p, b->producer_id)->copy;
	if (marker) {
		stage_marker(copy, b->producer_id, b, base_offset, timestamp, marker, ret);
		if (ret->ended) {
			int64_t open = first_open_but(p, b->producer_id);

			if (open != INT64_MAX)
				ret->end.last_stable_offset = open;
		}
		return;
	}
	adopt_epoch(copy, b->producer_epoch);
	add_batch(copy, b, base_offset + b->last_offset_delta, timestamp);
	copy->last_timestamp = timestamp;
	if (batch_is_transactional(b) && copy->txn_first_offset < 0)
		copy->txn_first_offset = base_offset;
}

/* Transactions begin at rising offsets, so the place is nearly always the end. */
static void place_open(struct producers *p, struct producer *producer)
{
	int64_t offset = producer->facts.txn_first_offset;
	struct list *before = &p->open;

	list_remove(&producer->open);
	if (offset < 0)
		return;
	while (before->prev != &p->open &&
	       list_entry(before->prev, struct producer, open)->facts.txn_first_offset > offset)
		before = before->prev;
	list_insert(&producer->open, before);
}

void producers_commit(struct producers *p, int64_t end_offset)
{
	struct list *node;

	while ((node = list_pop(&p->staged))) {
		struct producer *producer = list_entry(node, struct producer, staged);

		bool moved = producer->facts.txn_first_offset != producer->copy.txn_first_offset;

		producer->facts = producer->copy;
		if (!producer->has_facts) { /* it appears now */
			list_remove(&producer->link);
			list_push(&p->list, &producer->link);
		}
		producer->has_facts = true;
		producer->is_refused = false;
		if (moved)
			place_open(p, producer);
	}
	while (p->map.count > p->snapshot_buckets / 4 * 3)
		p->snapshot_buckets *= 2;
	p->end_offset = end_offset;
}

void producers_abort(struct producers *p)
{
	struct list *node;

	while ((node = list_pop(&p->staged))) {
		struct producer *producer = list_entry(node, struct producer, staged);

		if (!producer->has_facts && !producer->is_refused)
			forget(p, producer);
	}
}

int64_t producers_first_open(const struct producers *p)
{
	if (list_is_empty(&p->open))
		return INT64_MAX;
	return list_entry(p->open.next, struct producer, open)->facts.txn_first_offset;
}

void producers_expire(struct producers *p, int64_t before_ms)
{
	list_each_safe(pos, tmp, &p->list)
	{
		struct producer *producer = list_entry(pos, struct producer, link);

		if (list_is_empty(&producer->staged) && producer->facts.txn_first_offset < 0 &&
		    producer->facts.last_timestamp < before_ms)
			forget(p, producer);
	}
}

void producers_remember(struct producers *p, const struct producers *earlier)
{
	list_each(pos, &p->list)
	{
		struct producer_facts *f = &list_entry(pos, struct producer, link)->facts;
		const struct producer *old =
			producers_find(earlier, list_entry(pos, struct producer, link)->id);
		uint32_t count = old ? old->facts.batch_count : 0;
		const struct producer_batch *newest = count ? &old->facts.batch[count - 1] : NULL;

		if (f->batch_count != 1 || !newest || old->facts.epoch != f->epoch ||
		    newest->last_offset != f->batch[0].last_offset ||
		    newest->last_sequence != f->batch[0].last_sequence)
			continue;
		memcpy(f->batch, old->facts.batch, count * sizeof(f->batch[0]));
		f->batch_count = count;
	}
}

/* ---- the snapshot file ---- */

/*
 * Only the newest batch of a producer is kept (ProducerStateManager.writeSnapshot).  The checksum
 * covers what stands behind it: from byte 6 on.
 */
enum { CRC_AT = 2, CRC_END = 6 };

struct placed {
	struct producer_snapshot_producer_entry entry;
	uint32_t bucket;
	uint32_t number; /* in order of first appearance */
};

/* HashMap.hash(Long.hashCode()), and the bucket of it. */
static uint32_t bucket_of(const struct producers *p, int64_t id)
{
	uint32_t hash = (uint32_t)((uint64_t)id ^ (uint64_t)id >> 32);

	return (uint32_t)((hash ^ hash >> 16) & (p->snapshot_buckets - 1));
}

static int by_bucket(const void *a, const void *b)
{
	const struct placed *x = a;
	const struct placed *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

void producers_encode(const struct producers *p, struct buf *out)
{
	struct producer_snapshot snapshot;
	struct producer_snapshot_producer_entry *entry = mem_array(p->map.count, sizeof(*entry));
	struct placed *placed = mem_array(p->map.count, sizeof(*placed));
	struct writer w = writer_of(out);
	size_t start = out->size;
	uint32_t count = 0;

	list_each(pos, &p->list)
	{
		const struct producer *producer = list_entry(pos, struct producer, link);
		const struct producer_facts *f = &producer->facts;
		const struct producer_batch *last =
			f->batch_count ? &f->batch[f->batch_count - 1] : NULL;

		if (!producer->has_facts)
			continue;
		placed[count].bucket = bucket_of(p, producer->id);
		placed[count].number = count;
		placed[count++].entry = (struct producer_snapshot_producer_entry){
			.producer_id = producer->id,
			.epoch = f->epoch,
			.last_sequence = last ? last->last_sequence : -1,
			.last_offset = last ? last->last_offset : -1,
			.offset_delta = last ? last->offset_delta : 0,
			.timestamp = f->last_timestamp,
			.coordinator_epoch = f->coordinator_epoch,
			.current_txn_first_offset = f->txn_first_offset,
		};
	}
	if (count)
		qsort(placed, count, sizeof(*placed), by_bucket);
	for (uint32_t i = 0; i < count; i++)
		entry[i] = placed[i].entry;
	mem_free(placed);
	producer_snapshot_init(&snapshot);
	snapshot.producer_entries = entry;
	snapshot.producer_entries_count = count;
	writer_i16(&w, 1);
	producer_snapshot_encode(&w, 1, &snapshot);
	store_be32(out->data + start + CRC_AT,
	           crc32c(out->data + start + CRC_END, out->size - start - CRC_END));
	mem_free(entry);
}

static void add_entry(struct producers *p, const struct producer_snapshot_producer_entry *e)
{
	struct producer_facts *f = &stage(p, e->producer_id)->copy;

	*f = unknown;
	f->epoch = e->epoch;
	f->last_timestamp = e->timestamp;
	f->coordinator_epoch = e->coordinator_epoch;
	f->txn_first_offset = e->current_txn_first_offset;
	if (e->last_offset >= 0)
		f->batch[f->batch_count++] =
			(struct producer_batch){ e->last_sequence, e->offset_delta, e->last_offset,
			                         e->timestamp };
}

int producers_decode(struct producers *p, struct span bytes)
{
	struct producer_snapshot snapshot;
	struct reader r = reader_of(bytes.data, bytes.size);
	struct arena arena;
	int err;

	producers_clear(p);
	if (bytes.size < CRC_END || reader_i16(&r) != 1)
		return -EBADMSG;
	arena_init(&arena, bytes.size * 8 + 4096);
	err = producer_snapshot_decode(&r, 1, &arena, &snapshot);
	if (!err && snapshot.crc != crc32c(bytes.data + CRC_END, bytes.size - CRC_END))
		err = -EBADMSG;
	for (uint32_t i = 0; !err && i < snapshot.producer_entries_count; i++)
		add_entry(p, &snapshot.producer_entries[i]);
	producers_commit(p, p->end_offset);
	arena_fini(&arena);
	return err ? -EBADMSG : 0;
}
