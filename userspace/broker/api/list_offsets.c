/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets by time (kafka.server.ReplicaManager.fetchOffset, UnifiedLog.fetchOffsetByTimestamp). */
#include "wire/list_offsets.h"

#include <errno.h>

#include "broker/api.h"
#include "broker/broker.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "io/work.h"
#include "partition_table.h"

enum { ASK_STEP = 64 /* partitions at a time */ };

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

struct asks {
	struct ask *ask;
	uint32_t count;
	uint32_t next;
	struct ask_topic *topic;
	uint32_t topic_count;
};

static void answer(struct ask *ask, int64_t timestamp, int64_t offset, int32_t leader_epoch)
{
	ask->state = ASK_ANSWERED;
	ask->timestamp = timestamp;
	ask->offset = offset;
	ask->leader_epoch = leader_epoch;
}

static void fail(struct ask *ask, int16_t error)
{
	answer(ask, -1, -1, -1);
	ask->error = error;
}

/* ---- the reply ---- */

static void asks_fini(struct asks *asks)
{
	for (uint32_t i = 0; i < asks->count; i++) {
		partition_put(asks->ask[i].part);
		log_view_put(asks->ask[i].view);
	}
}

static bool build(struct call *call, struct asks *asks, struct list_offsets_response *response)
{
	list_offsets_response_init(response);
	response->topics = arena_array(&call->arena, asks->topic_count, sizeof(*response->topics));
	if (asks->topic_count && !response->topics)
		return false;
	for (uint32_t i = 0; i < asks->topic_count; i++) {
		struct ask_topic *t = &asks->topic[i];

		t->partition = arena_array(&call->arena, t->count, sizeof(*t->partition));
		if (!t->partition)
			return false;
		response->topics[i] =
			(struct list_offsets_response_topic_response){ t->name, t->partition,
			                                               t->count };
	}
	response->topics_count = asks->topic_count;
	for (uint32_t i = 0; i < asks->count; i++) {
		const struct ask *ask = &asks->ask[i];

		*ask->topic->partition++ = (struct list_offsets_response_partition_response){
			ask->want->partition_index, ask->error, ask->timestamp, ask->offset,
			ask->leader_epoch
		};
	}
	return true;
}

static void reply(struct call *call)
{
	struct asks *asks = call->user;
	struct list_offsets_response response;
	bool built = build(call, asks, &response);

	asks_fini(asks);
	if (built)
		call_reply(call, &response);
	else
		call_close(call);
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
static void take_back(struct ask *ask)
{
	bool is_readable = ask->state == ASK_STRAND ||
	                   (ask->found.offset >= 0 && ask->found.offset < ask->bound);

	if (ask->err)
		fail(ask, WIRE_KAFKA_STORAGE_ERROR);
	else if (is_readable)
		answer(ask, ask->found.timestamp, ask->found.offset, ask->found.leader_epoch);
	else
		fail(ask, ask->unavailable);
}

/* ---- one partition ---- */

static bool is_unsupported(int64_t timestamp, int16_t version)
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
			fail(ask, ask->unavailable);
		else
			answer(ask, -1, ask->bound, facts->leader_epoch);
		break;
	case TIME_EARLIEST:
	case TIME_EARLIEST_LOCAL:
		ask->state = ASK_STRAND;
		ask->work.run = run_earliest;
		break;
	case TIME_LATEST_TIERED:
	case TIME_EARLIEST_PENDING_UPLOAD:
		answer(ask, -1, -1, -1); /* there is no other storage */
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
		fail(ask, error);
	else
		ask->part = partition_get(part);
	return !error;
}

static void visit(struct ask *ask)
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
		fail(ask, error);
	else
		find(ask, facts);
}

/* ---- all of them ---- */

static int count_of(const struct asks *asks, enum ask_state state)
{
	int count = 0;

	for (uint32_t i = 0; i < asks->count; i++)
		count += asks->ask[i].state == state;
	return count;
}

static void found(struct call *call)
{
	struct asks *asks = call->user;

	for (uint32_t i = 0; i < asks->count; i++) {
		if (asks->ask[i].state != ASK_ANSWERED)
			take_back(&asks->ask[i]);
	}
	reply(call);
}

static void find_elsewhere(struct call *call, int count)
{
	struct asks *asks = call->user;

	call_begin_parts(call, count, found);
	for (uint32_t i = 0; i < asks->count; i++) {
		struct ask *ask = &asks->ask[i];

		if (ask->state == ASK_STRAND)
			strand_post(&ask->part->strand, &ask->work);
		else if (ask->state == ASK_WORKER)
			work_submit(WORK_FAST, &ask->job);
	}
}

static void visit_on(struct call *call);

static void await_open(struct call *call, int count)
{
	struct asks *asks = call->user;

	asks->next = 0;
	call_begin_parts(call, count, visit_on);
	for (uint32_t i = 0; i < asks->count; i++) {
		struct ask *ask = &asks->ask[i];

		if (ask->state == ASK_OPENING)
			partition_await(ask->part, &ask->work);
	}
}

static void visit_on(struct call *call)
{
	struct asks *asks = call->user;
	int elsewhere;

	for (int n = 0; asks->next < asks->count; asks->next++) {
		struct ask *ask = &asks->ask[asks->next];

		if (ask->state > ASK_OPENING)
			continue;
		if (n++ == ASK_STEP) {
			call_yield(call, visit_on);
			return;
		}
		visit(ask);
	}
	elsewhere = count_of(asks, ASK_STRAND) + count_of(asks, ASK_WORKER);
	if (count_of(asks, ASK_OPENING))
		await_open(call, count_of(asks, ASK_OPENING));
	else if (elsewhere)
		find_elsewhere(call, elsewhere);
	else
		reply(call);
}

/* ---- what is asked ---- */

static struct ask_topic *topic_of(struct call *call, struct partition_table *table, struct str name)
{
	struct asks *asks = call->user;
	struct ask_topic *topic = &asks->topic[asks->topic_count];
	struct ask_topic *same =
		partition_table_add(table, &(struct partition_key){ .topic = name }, topic);

	if (same)
		return same;
	topic->name = name;
	asks->topic_count++;
	return topic;
}

/* Each partition once; whoever is named twice is refused. */
static void take(struct call *call, struct partition_table *table, struct ask_topic *topic,
                 const struct list_offsets_request_partition *want)
{
	struct asks *asks = call->user;
	struct ask *ask = &asks->ask[asks->count];
	struct ask *same = partition_table_add(
		table,
		&(struct partition_key){ .topic = topic->name, .partition = want->partition_index },
		ask);

	if (same) {
		fail(same, WIRE_INVALID_REQUEST);
		return;
	}
	asks->count++;
	topic->count++;
	*ask = (struct ask){ .call = call, .want = want, .topic = topic };
	answer(ask, -1, -1, -1);
	ask->state = ASK_NEW;
	if (is_unsupported(want->timestamp, call->version))
		fail(ask, WIRE_UNSUPPORTED_VERSION);
}

static bool take_all(struct call *call)
{
	const struct list_offsets_request *r = CALL_REQUEST(call, list_offsets_request);
	struct asks *asks = arena_zalloc(&call->arena, sizeof(*asks));
	struct partition_table partitions;
	struct partition_table topics;
	uint64_t count = 0;

	call->user = asks;
	for (uint32_t i = 0; i < r->topics_count; i++)
		count += r->topics[i].partitions_count;
	if (!asks || !partition_table_init(&partitions, &call->arena, count) ||
	    !partition_table_init(&topics, &call->arena, r->topics_count))
		return false;
	asks->ask = arena_array(&call->arena, count + 1, sizeof(*asks->ask));
	asks->topic = arena_array(&call->arena, r->topics_count + 1, sizeof(*asks->topic));
	if (!asks->ask || !asks->topic)
		return false;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		const struct list_offsets_request_topic *t = &r->topics[i];
		struct ask_topic *topic;

		if (!t->partitions_count)
			continue;
		topic = topic_of(call, &topics, t->name);
		for (uint32_t j = 0; j < t->partitions_count; j++)
			take(call, &partitions, topic, &t->partitions[j]);
	}
	return true;
}

void api_list_offsets(struct call *call)
{
	const struct list_offsets_request *r = call->request;
	struct asks *asks;

	if (!take_all(call)) {
		call_close(call);
		return;
	}
	asks = call->user;
	if (r->isolation_level < 0 || r->isolation_level > 1) {
		for (uint32_t i = 0; i < asks->count; i++)
			fail(&asks->ask[i], WIRE_INVALID_REQUEST);
	}
	visit_on(call);
}
