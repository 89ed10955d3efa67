/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PRODUCER_STATE_H
#define CORE_PRODUCER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "wire/batch.h"

/*
 * What a partition knows of its idempotent and transactional producers (KIP-98, KIP-360;
 * ProducerStateManager, ProducerAppendInfo, ProducerStateEntry): the last five batches of each, so
 * that a retry is recognised, and where its open transaction began.
 *
 * A run stages: producers_stage() works on a copy, which the next one of the same run sees.  Then
 * producers_commit() makes all copies the state, or producers_abort() forgets them.
 */
enum { PRODUCER_BATCHES = 5 };

struct producer_batch {
	int32_t last_sequence;
	int32_t offset_delta; /* last offset - base offset, as sequences */
	int64_t last_offset;
	int64_t timestamp;
};

struct producer_facts {
	int16_t epoch;             /* -1: not known */
	int32_t coordinator_epoch; /* -1: no marker seen */
	int64_t last_timestamp;
	int64_t txn_first_offset; /* -1: no open transaction */
	uint32_t batch_count;
	struct producer_batch batch[PRODUCER_BATCHES]; /* oldest first */
};

struct producer {
	struct map_node node;
	struct list link;   /* producers->list, in order of first appearance */
	struct list staged; /* producers->staged while a copy exists */
	struct list open;   /* producers->open while a transaction is */
	int64_t id;
	struct producer_facts facts;
	struct producer_facts copy;
	bool has_facts; /* false: made by this run, or refused */
	bool is_refused;
	int16_t refused_epoch;
	int32_t refused_sequence;
};

struct producers {
	struct map map;
	struct list list;
	struct list staged;
	struct list open;   /* with an open transaction, by its first offset */
	int64_t end_offset; /* of the log that this is the state of */
	/* Buckets that Kafka's table of them has by now: the order of a snapshot's entries. */
	size_t snapshot_buckets;
};

/* An ended transaction; aborted ones go into the transaction index. */
struct producer_txn_end {
	int64_t producer_id;
	int64_t first_offset;
	int64_t last_offset;        /* of the marker */
	int64_t last_stable_offset; /* once it has ended (ProducerStateManager.lastStableOffset) */
	bool aborted;
};

/*
 * What Kafka 4.3 answers.  The same batch as one of the last five: a duplicate.  One that is older:
 * OUT_OF_ORDER_SEQUENCE_NUMBER, as is a gap; DUPLICATE_SEQUENCE_NUMBER is not used, for a client
 * takes it for success, and a producer whose state was forgotten may really lack that batch.
 */
void producers_init(struct producers *p);
void producers_clear(struct producers *p); /* empty, end offset kept */
void producers_fini(struct producers *p);
void producers_move(struct producers *to,
                    struct producers *from); /* to: empty or fini; from: fini */
struct producer *producers_find(const struct producers *p, int64_t id);

struct producer_verdict {
	int16_t error;  /* WIRE_NONE, ... */
	bool duplicate; /* not to be appended: answer with these */
	int64_t duplicate_base_offset;
	int64_t duplicate_timestamp;
	bool ended; /* a marker that ended a transaction */
	struct producer_txn_end end;
};

/*
 * One batch that a client sent, or that is replayed (`client` false: taken as it is).  The batch
 * has a producer id; base_offset is what it gets.  For a marker (control batch) `marker` says which
 * and the coordinator's epoch.
 */
struct producer_marker {
	bool commit;
	int32_t coordinator_epoch;
};
void producers_stage(struct producers *p, const struct batch *b, int64_t base_offset,
                     int64_t timestamp, const struct producer_marker *marker, bool client,
                     struct producer_verdict *ret);
void producers_commit(struct producers *p, int64_t end_offset);
void producers_abort(struct producers *p);
/*
 * The storage refused this batch of a client, who sends it again.  Of a producer that is not known
 * any sequence is taken; but not a later batch before this one.
 */
void producers_refuse(struct producers *p, const struct batch *b);

/* The smallest offset of an open transaction; INT64_MAX when there is none. */
int64_t producers_first_open(const struct producers *p);
/* Forgets who has no open transaction and wrote nothing since before_ms
 * (producer.id.expiration.ms). */
void producers_expire(struct producers *p, int64_t before_ms);

/*
 * A snapshot knows the newest batch of each producer.  `earlier` was replayed from some batches
 * before it: where its newest is the same one, those before that are known again.
 */
void producers_remember(struct producers *p, const struct producers *earlier);

/*
 * The file NNN.snapshot (ProducerSnapshot.json, version 1): version, CRC-32C of what follows it,
 * entries, in the order in which a java.util.HashMap with the same past would walk them.  Decoding
 * answers 0 or -EBADMSG, and then leaves the state empty.
 */
void producers_encode(const struct producers *p, struct buf *out);
int producers_decode(struct producers *p, struct span bytes) must_check;

#endif
