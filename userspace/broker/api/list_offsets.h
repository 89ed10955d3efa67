/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_API_LIST_OFFSETS_H
#define BROKER_API_LIST_OFFSETS_H

#include "broker/broker.h"
#include "broker/call.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "io/work.h"
#include "wire/list_offsets.h"

/*
 * One ListOffsets: list_offsets.c takes the request apart and puts the answer together,
 * list_offsets_find.c finds the offset of one partition, on the spot or elsewhere.
 */
enum ask_state {
	ASK_NEW,
	ASK_OPENING, /* to be asked again when its log is open */
	ASK_STRAND,
	ASK_WORKER,
	ASK_ANSWERED,
};

/* One partition. */
struct ask {
	struct call *call;
	const struct list_offsets_request_partition *want;
	struct ask_topic *topic;
	enum ask_state state;
	struct partition *part; /* a reference; pinned for the worker */
	int64_t bound;          /* what this client can read ends here */
	int16_t unavailable;    /* the error when it is not known yet what lies there */

	struct work work;
	struct job job;
	const struct log_view *view; /* a reference */
	int err;
	struct log_time found;

	/* the answer */
	int16_t error;
	int64_t timestamp;
	int64_t offset;
	int32_t leader_epoch;
};

struct ask_topic {
	struct str name;
	uint32_t count;
	struct list_offsets_response_partition_response *partition;
};

void ask_answer(struct ask *ask, int64_t timestamp, int64_t offset, int32_t leader_epoch);
void ask_fail(struct ask *ask, int16_t error);
bool ask_is_unsupported(int64_t timestamp, int16_t version);

/* Of one that is ASK_NEW, or ASK_OPENING and open by now: the next state, never ASK_NEW. */
void ask_visit(struct ask *ask);
/* Does what the state says; then call_part_done(). */
void ask_run(struct ask *ask);
/* At home, when that was done: ASK_ANSWERED. */
void ask_take_back(struct ask *ask);

#endif
