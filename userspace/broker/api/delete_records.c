/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/api.h"
#include "broker/broker.h"
#include "broker/call.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "targets.h"
#include "wire/delete_records.h"

/*
 * KafkaApis.handleDeleteRecordsRequest, ReplicaManager.deleteRecords.  Kafka keeps partitions in a
 * map: of one that is named twice the later offset counts.  There is nobody to wait for: the low
 * watermark is that of the replica here.
 */
enum {
	SURVEY_TURN = 1024, /* partitions looked at in a turn */
	SUBMIT_TURN = 64,   /* posted */
};

/* One partition: its strand's until it is done. */
struct deletion {
	struct work work;
	struct call *call;
	struct partition *partition; /* a reference, while it is under way */
	int64_t offset;
	int64_t low_watermark;
	int16_t error;
};

struct deleting {
	struct call *call;
	const struct delete_records_request *request;
	struct targets targets;
	struct deletion *deletion; /* of each target */
	uint32_t at_topic;
	uint32_t at_partition;
	struct target_topic *at;
	uint32_t at_target;
	struct mail mail;
};

/* ---- the answer ---- */

static bool tell_topic(struct deleting *d, const struct target_topic *topic,
                       struct delete_records_response_topic_result *ret)
{
	ret->name = topic->name;
	ret->partitions = arena_array(&d->call->arena, topic->count, sizeof(*ret->partitions));
	if (!ret->partitions)
		return false;
	for (uint32_t i = topic->first; i; i = d->targets.target[i].next)
		ret->partitions[ret->partitions_count++] =
			(struct delete_records_response_partition_result){
				d->targets.target[i].index, d->deletion[i].low_watermark,
				d->deletion[i].error
			};
	return true;
}

static void answer(struct deleting *d)
{
	const struct targets *t = &d->targets;
	struct delete_records_response response;

	delete_records_response_init(&response);
	response.topics = arena_array(&d->call->arena, t->topic_count, sizeof(*response.topics));
	for (uint32_t i = 0; response.topics && i < t->topic_count; i++)
		if (t->topic[i].count &&
		    !tell_topic(d, &t->topic[i], &response.topics[response.topics_count++]))
			response.topics = NULL;
	if (response.topics)
		call_reply(d->call, &response);
	else
		call_close(d->call);
}

static void on_all_done(struct call *call)
{
	struct deleting *d = call->user;

	for (uint32_t i = 1; i <= d->targets.count; i++) {
		if (!d->deletion[i].error) {
			partitions_checkpoint_soon(call->broker->partitions);
			break;
		}
	}
	answer(d);
}

/* ---- one partition ---- */

/* In the strand (Partition.deleteRecordsOnLeader). */
static int16_t delete_records(struct partition *p, int64_t offset, int64_t *ret_low_watermark)
{
	const struct partition_facts *facts = partition_facts(p);
	const struct log_config *config = &facts->settings->config.log;
	int16_t error = partition_error(facts, -1);

	if (error)
		return error;
	if (config->cleanup_compact && !config->cleanup_delete)
		return WIRE_POLICY_VIOLATION;
	return partition_delete_records(p, offset, ret_low_watermark);
}

static void run_deletion(struct work *work)
{
	struct deletion *x = container_of(work, struct deletion, work);
	struct partition *partition = x->partition;

	x->error = delete_records(partition, x->offset, &x->low_watermark);
	if (x->error)
		x->low_watermark = -1;
	call_part_done(x->call);
	partition_put(partition);
}

/* True: it goes on in the strand. */
static bool submit_target(struct deleting *d, uint32_t i)
{
	const struct target *target = &d->targets.target[i];
	const struct target_topic *topic = &d->targets.topic[target->topic];
	const struct broker *broker = d->call->broker;
	struct deletion *x = &d->deletion[i];
	struct partition *partition;

	if (topic->is_internal) {
		x->error = WIRE_INVALID_TOPIC_EXCEPTION;
		return false;
	}
	x->error = partitions_by_id(broker->partitions, metadata_image(broker->metadata), topic->id,
	                            target->index, &partition);
	if (x->error == WIRE_UNKNOWN_TOPIC_ID)
		x->error = WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	if (x->error)
		return false;
	x->call = d->call;
	x->partition = partition_get(partition);
	x->work.run = run_deletion;
	if (partition_facts(partition)->role == PARTITION_OPENING)
		partition_await(partition, &x->work);
	else
		strand_post(&partition->strand, &x->work);
	return true;
}

/* ---- the request ---- */

static void on_turn(struct mail *mail);

static void submit(struct deleting *d)
{
	int count = 0;

	while (d->at_target < d->targets.count) {
		if (count++ == SUBMIT_TURN) {
			d->mail = (struct mail){ .run = on_turn };
			reactor_post(d->call->home, &d->mail);
			return;
		}
		d->at_target++;
		if (d->targets.target[d->at_target].exists && !submit_target(d, d->at_target))
			call_part_done(d->call);
	}
	call_part_done(d->call);
}

static void on_turn(struct mail *mail)
{
	submit(container_of(mail, struct deleting, mail));
}

static void survey_end(struct deleting *d)
{
	int parts = 0;

	targets_end(&d->targets);
	for (uint32_t i = 1; i <= d->targets.count; i++)
		parts += d->targets.target[i].exists;
	if (!parts) {
		answer(d);
		return;
	}
	/* One more is home's, until all are submitted. */
	call_begin_parts(d->call, parts + 1, on_all_done);
	submit(d);
}

static void survey_partition(struct deleting *d, const struct delete_records_request_partition *p)
{
	uint32_t i = targets_partition(&d->targets, d->at, p->partition_index);

	d->deletion[i].offset = p->offset;
	d->deletion[i].low_watermark = -1;
	d->deletion[i].error = WIRE_UNKNOWN_TOPIC_OR_PARTITION;
}

/* One topic or partition further; false: memory is out. */
static bool survey_step(struct deleting *d)
{
	const struct delete_records_request_topic *topic = &d->request->topics[d->at_topic];

	if (!d->at)
		d->at = targets_topic(&d->targets, metadata_image(d->call->broker->metadata),
		                      topic->name, UUID_ZERO, topic->partitions_count);
	if (!d->at)
		return false;
	if (d->at_partition < topic->partitions_count)
		survey_partition(d, &topic->partitions[d->at_partition++]);
	if (d->at_partition == topic->partitions_count) {
		d->at = NULL;
		d->at_partition = 0;
		d->at_topic++;
	}
	return true;
}

static void survey(struct call *call)
{
	struct deleting *d = call->user;
	int steps = 0;

	while (d->at_topic < d->request->topics_count) {
		if (steps++ == SURVEY_TURN) {
			call_yield(call, survey);
			return;
		}
		if (!survey_step(d)) {
			targets_end(&d->targets);
			call_close(call);
			return;
		}
	}
	survey_end(d);
}

void api_delete_records(struct call *call)
{
	const struct delete_records_request *request = call->request;
	struct deleting *d = arena_zalloc(&call->arena, sizeof(*d));
	size_t targets = 0;

	for (uint32_t i = 0; i < request->topics_count; i++)
		targets += request->topics[i].partitions_count;
	if (d)
		d->deletion = arena_array(&call->arena, targets + 1, sizeof(*d->deletion));
	if (!d || !d->deletion ||
	    !targets_init(&d->targets, &call->arena, request->topics_count, targets, false)) {
		call_close(call);
		return;
	}
	d->call = call;
	d->request = request;
	call->user = d;
	survey(call);
}
