/* SPDX-License-Identifier: Apache-2.0 */
/* The offset of a time in one partition (Partition.fetchOffsetForTimestamp, UnifiedLog). */
#include "list_offsets.h"

#include <errno.h>

/* Timestamps that mean something else (org.apache.kafka.common.requests.ListOffsetsRequest). */
enum {
	TIME_LATEST = -1,
	TIME_EARLIEST = -2,
	TIME_MAX = -3,
	TIME_EARLIEST_LOCAL = -4,
	TIME_LATEST_TIERED = -5,
	TIME_EARLIEST_PENDING_UPLOAD = -6,
};

enum { REPLICA_CONSUMER = -1, REPLICA_DEBUG = -2 };

void ask_answer(struct ask *ask, int64_t timestamp, int64_t offset, int32_t leader_epoch)
{
	ask->state = ASK_ANSWERED;
	ask->timestamp = timestamp;
	ask->offset = offset;
	ask->leader_epoch = leader_epoch;
}

void ask_fail(struct ask *ask, int16_t error)
{
	ask_answer(ask, -1, -1, -1);
	ask->error = error;
}

/* ---- elsewhere ---- */

static void run_opened(struct work *work)
{
	call_part_done(container_of(work, struct ask, work)->call);
}

/* The first offset, and the epoch that wrote it. */
static void run_earliest(struct work *work)
{
	struct ask *ask = container_of(work, struct ask, work);
	enum partition_role role = partition_facts(ask->part)->role;
	const struct log *log = ask->part->log;

	ask->err = role == PARTITION_LEADER || role == PARTITION_FOLLOWER ? 0 : -EIO;
	if (!ask->err) {
		ask->found.timestamp = -1;
		ask->found.offset = log_start_offset(log);
		ask->found.leader_epoch = log_epoch_of(log, ask->found.offset);
	}
	call_part_done(ask->call);
}

static void run_find(struct job *job)
{
	struct ask *ask = container_of(job, struct ask, job);
	const struct log *log = ask->part->log;

	if (ask->want->timestamp == TIME_MAX)
		ask->err = log_find_max_time(log, ask->view, &ask->found);
	else
		ask->err = log_find_time(log, ask->view, ask->want->timestamp, ask->bound,
		                         &ask->found);
	partition_unpin(ask->part);
}

static void job_done(struct job *job)
{
	call_part_done(container_of(job, struct ask, job)->call);
}

/* At home: what was found. */
void ask_take_back(struct ask *ask)
{
	bool is_readable = ask->state == ASK_STRAND ||
	                   (ask->found.offset >= 0 && ask->found.offset < ask->bound);

	if (ask->err)
		ask_fail(ask, WIRE_KAFKA_STORAGE_ERROR);
	else if (is_readable)
		ask_answer(ask, ask->found.timestamp, ask->found.offset, ask->found.leader_epoch);
	else
		ask_fail(ask, ask->unavailable);
}

/* ---- one partition ---- */

bool ask_is_unsupported(int64_t timestamp, int16_t version)
{
	switch (timestamp) {
	case TIME_LATEST:
	case TIME_EARLIEST:
		return false;
	case TIME_MAX:
		return version < 7;
	case TIME_EARLIEST_LOCAL:
		return version < 8;
	case TIME_LATEST_TIERED:
		return version < 9;
	case TIME_EARLIEST_PENDING_UPLOAD:
		return version < 11;
	default:
		return timestamp < 0;
	}
}

static int16_t access_error(const struct ask *ask, const struct partition_facts *facts)
{
	int32_t replica_id = CALL_REQUEST(ask->call, list_offsets_request)->replica_id;
	int16_t error = partition_error(facts, ask->want->current_leader_epoch);

	if (error == WIRE_NOT_LEADER_OR_FOLLOWER && facts->role == PARTITION_FOLLOWER &&
	    replica_id == REPLICA_DEBUG)
		return WIRE_NONE;
	return error;
}

/* Partition.fetchOffsetForTimestamp: where reading ends for this client. */
static void set_bound(struct ask *ask, const struct partition_facts *facts)
{
	const struct list_offsets_request *r = CALL_REQUEST(ask->call, list_offsets_request);
	int64_t high_watermark = partition_high_watermark(ask->part).offset;

	if (r->replica_id != REPLICA_CONSUMER) {
		ask->bound = log_end_offset(ask->part->log);
		return;
	}
	ask->bound = r->isolation_level ? partition_last_stable(ask->part).offset : high_watermark;
	/* A new leader's high watermark may still be behind what its predecessor told. */
	if (facts->epoch_start_offset > high_watermark)
		ask->unavailable = ask->call->version >= 5 ? WIRE_OFFSET_NOT_AVAILABLE
		                                           : WIRE_LEADER_NOT_AVAILABLE;
}

static void find(struct ask *ask, const struct partition_facts *facts)
{
	set_bound(ask, facts);
	switch (ask->want->timestamp) {
	case TIME_LATEST:
		if (ask->unavailable)
			ask_fail(ask, ask->unavailable);
		else
			ask_answer(ask, -1, ask->bound, facts->leader_epoch);
		break;
	case TIME_EARLIEST:
	case TIME_EARLIEST_LOCAL:
		ask->state = ASK_STRAND;
		ask->work.run = run_earliest;
		break;
	case TIME_LATEST_TIERED:
	case TIME_EARLIEST_PENDING_UPLOAD:
		ask_answer(ask, -1, -1, -1); /* there is no other storage */
		break;
	default:
		ask->state = ASK_WORKER;
		ask->job.run = run_find;
		ask->job.done = job_done;
		ask->view = log_view_get(log_view(ask->part->log));
		partition_pin(ask->part);
	}
}

static bool find_partition(struct ask *ask)
{
	const struct broker *broker = ask->call->broker;
	struct partition *part;
	int16_t error = partitions_by_name(broker->partitions, metadata_image(broker->metadata),
	                                   ask->topic->name, ask->want->partition_index, &part);

	if (error)
		ask_fail(ask, error);
	else
		ask->part = partition_get(part);
	return !error;
}

void ask_visit(struct ask *ask)
{
	const struct partition_facts *facts;
	int16_t error;

	if (!ask->part && !find_partition(ask))
		return;
	facts = partition_facts(ask->part);
	if (facts->role == PARTITION_OPENING) {
		ask->state = ASK_OPENING;
		ask->work.run = run_opened;
		return;
	}
	error = access_error(ask, facts);
	if (error)
		ask_fail(ask, error);
	else
		find(ask, facts);
}

void ask_run(struct ask *ask)
{
	if (ask->state == ASK_OPENING)
		partition_await(ask->part, &ask->work);
	else if (ask->state == ASK_STRAND)
		strand_post(&ask->part->strand, &ask->work);
	else
		work_submit(WORK_FAST, &ask->job);
}
