/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_API_PRODUCE_H
#define BROKER_API_PRODUCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/broker.h"
#include "broker/call.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "broker/validators.h"
#include "targets.h"
#include "wire/produce.h"

/*
 * A Produce request on its way (KafkaApis.handleProduceRequest, ReplicaManager.appendRecords):
 *
 *	queue	behind the request that came before it on its connection, until all of that one's
 *		batches are in the strands: what a producer sent in a row is appended in a row
 *	survey	what it names, each partition once, and whether it is refused as a whole
 *	submit	each partition in turn: its leader, its batch, its strand
 *	answer	when every append is done, or acks=all was not reached in time
 *
 * All of it lives in the call, which is kept until the last part is done even where the answer came
 * before.
 */

/* One append: its partition's until it is done. */
struct produce_part {
	struct partition_append append;
	struct call *call;
	struct buf rebuilt; /* the batch in another shape */
	bool stamps;        /* message.timestamp.type=LogAppendTime */
	_Atomic(bool) is_done;
};

/* What is told beside the error of a batch that was not appended. */
struct produce_refusal {
	struct str message;
	const struct validate_record_error *record_error;
	uint32_t record_error_count;
	int64_t log_start_offset;
};

/* One target of the request. */
struct produce_entry {
	int16_t error; /* without a part: why */
	bool is_transactional;
	bool is_refused; /* by its shape, or it does not exist: before any leader is looked for */
	struct span records;
	struct produce_part *part;       /* NULL: nothing is appended */
	struct produce_refusal *refusal; /* NULL: there is no more to tell */
};

struct produce {
	struct call *call;
	const struct produce_request *request;
	struct produce *follower; /* queued behind it */
	bool is_passed;           /* who comes next need not queue */

	struct targets targets;
	struct produce_entry *entry; /* of each target */

	/* How far it has come: in the request, then in the targets. */
	uint32_t at_topic;
	uint32_t at_partition;
	struct target_topic *at;
	uint32_t at_entry;
	uint32_t validating; /* heavy batches under way */
	struct mail mail;

	/* Refused as a whole: every partition is answered so. */
	int16_t error;
	struct str message;
	bool has_transactional;
};

/* What Kafka tells of a refused partition: where its log starts, or -1. */
bool produce_tells_log_start(int16_t error);
/* What there is to tell of a refusal; where memory is out, the error alone is told. */
void produce_refuse(struct produce *p, struct produce_entry *e, int16_t error, struct str message,
                    int64_t log_start_offset);

/* Appends what can be appended; produce_answer() follows. */
void produce_submit(struct produce *p);
/* Whoever is queued behind it, NULL: nobody, is to be begun when this one is done with its turn. */
struct produce *produce_pass(struct produce *p);
void produce_begin(struct produce *p);
/* Ends the call; what is not committed yet is answered with REQUEST_TIMED_OUT. */
void produce_answer(struct produce *p);

#endif
