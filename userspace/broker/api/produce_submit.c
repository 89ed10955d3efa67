/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "produce.h"

enum {
	SUBMIT_TURN = 64, /* partitions */
	SUBMIT_TURN_BYTES = 256 * 1024,
};

bool produce_tells_log_start(int16_t error)
{
	switch (error) {
	case WIRE_UNKNOWN_TOPIC_OR_PARTITION:
	case WIRE_UNKNOWN_TOPIC_ID:
	case WIRE_NOT_LEADER_OR_FOLLOWER:
	case WIRE_MESSAGE_TOO_LARGE:
	case WIRE_RECORD_LIST_TOO_LARGE:
	case WIRE_CORRUPT_MESSAGE:
	case WIRE_KAFKA_STORAGE_ERROR:
		return false;
	default:
		return true;
	}
}

void produce_refuse(struct produce *p, struct produce_entry *e, int16_t error, struct str message,
                    int64_t log_start_offset)
{
	e->error = error;
	if (!message.data && log_start_offset < 0)
		return;
	e->refusal = arena_zalloc(&p->call->arena, sizeof(*e->refusal));
	if (e->refusal)
		*e->refusal = (struct produce_refusal){ .message = message,
			                                .log_start_offset = log_start_offset };
}

/* ---- parts ---- */

static void parts_free(struct produce_parts *parts)
{
	for (uint32_t i = 0; i < parts->used; i++) {
		struct produce_part *part = &parts->part[i];

		buf_fini(&part->rebuilt);
		if (part->validation)
			validation_fini(part->validation);
		mem_free(part->validation);
	}
	frame_put(parts->frame);
	mem_free(parts);
}

/* At home, when nobody uses the parts any more. */
static void parts_end(struct produce_parts *parts)
{
	if (parts->produce)
		produce_answer(parts->produce);
	parts_free(parts);
}

static void on_last_part(struct mail *mail)
{
	parts_end(container_of(mail, struct produce_parts, mail));
}

static bool let_go(struct produce_parts *parts)
{
	return atomic_fetch_sub_explicit(&parts->pending, 1, memory_order_acq_rel) == 1;
}

/* In the strand. */
static void on_appended(struct partition_append *append)
{
	struct produce_part *part = container_of(append, struct produce_part, append);
	struct produce_parts *parts = part->parts;

	atomic_store_explicit(&part->is_done, true, memory_order_release);
	if (!let_go(parts))
		return;
	parts->mail = (struct mail){ .run = on_last_part };
	reactor_post(parts->home, &parts->mail);
}

/* The records of a request that is not in a frame move behind the parts. */
static void copy_records(struct produce *p, uint8_t *to)
{
	for (uint32_t i = 1; i <= p->entry_count; i++) {
		struct produce_entry *e = &p->entry[i];

		if (e->is_refused || !e->records.size)
			continue;
		memcpy(to, e->records.data, e->records.size);
		e->records.data = to;
		to += e->records.size;
	}
}

static void make_parts(struct produce *p)
{
	struct call *call = p->call;
	size_t count = 0, bytes = 0;
	size_t size;

	for (uint32_t i = 1; i <= p->entry_count; i++) {
		if (p->entry[i].is_refused)
			continue;
		count++;
		if (!call->frame)
			bytes += p->entry[i].records.size;
	}
	size = sizeof(*p->parts) + count * sizeof(p->parts->part[0]);
	p->parts = mem_zalloc(size + bytes);
	p->parts->produce = p;
	p->parts->home = call->home;
	atomic_init(&p->parts->pending, 1);
	if (call->frame)
		p->parts->frame = frame_get(call->frame);
	else
		copy_records(p, (uint8_t *)p->parts + size);
}

static struct produce_part *add_part(struct produce *p, struct produce_entry *e)
{
	struct produce_part *part = &p->parts->part[p->parts->used++];

	part->parts = p->parts;
	part->entry = (uint32_t)(e - p->entry);
	return part;
}

/* ---- the leader ---- */

static bool has_enough_replicas(const struct partition_facts *facts)
{
	uint32_t want = (uint32_t)facts->settings->config.min_insync_replicas;

	if (want > facts->replica_count)
		want = facts->replica_count;
	return facts->isr_count >= want;
}

/* What may be told of a leader that refused. */
static int64_t log_start_of(const struct partition *partition, bool tells)
{
	enum partition_role role = partition_facts(partition)->role;

	if (!tells || role == PARTITION_OPENING || role == PARTITION_GONE || !partition->log)
		return -1;
	return log_start_offset(partition->log);
}

/* The partition, if it may be appended to, as far as home can tell. */
static bool find_leader(struct produce *p, struct produce_entry *e, struct partition **ret)
{
	const struct broker *broker = p->call->broker;
	const struct image *image = metadata_image(broker->metadata);
	const struct partition_facts *facts;

	e->error =
		partitions_by_id(broker->partitions, image, p->topic[e->topic].id, e->index, ret);
	if (e->error == WIRE_UNKNOWN_TOPIC_ID && p->call->version < 13)
		e->error = WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	if (e->error)
		return false;
	facts = partition_facts(*ret);
	if (facts->role == PARTITION_OPENING)
		return true;
	e->error = partition_error(facts, -1);
	if (!e->error && p->request->acks == -1 && !has_enough_replicas(facts))
		produce_refuse(p, e, WIRE_NOT_ENOUGH_REPLICAS, (struct str){ 0 },
		               log_start_of(*ret, true));
	return !e->error;
}

static void append(struct produce_part *part, struct partition *partition)
{
	atomic_fetch_add_explicit(&part->parts->pending, 1, memory_order_relaxed);
	part->append.done = on_appended;
	partition_append(partition, &part->append);
}

static void on_open(struct work *work)
{
	struct produce_part *part = container_of(work, struct produce_part, await);
	struct partition *partition = part->opening;

	partition_append(partition, &part->append);
	partition_put(partition);
}

/* The log is not open yet: the append waits for it, and the log for nothing else. */
static void append_when_open(struct produce_part *part, struct partition *partition)
{
	atomic_fetch_add_explicit(&part->parts->pending, 1, memory_order_relaxed);
	part->append.done = on_appended;
	part->opening = partition_get(partition);
	part->await = (struct work){ .run = on_open };
	partition_await(partition, &part->await);
}

/* ---- the batch ---- */

static struct validate_rules rules_of(const struct produce *p, const struct produce_entry *e,
                                      const struct partition *partition)
{
	const struct topic_config *config = &partition_facts(partition)->settings->config;

	return (struct validate_rules){
		.api_version = p->call->version,
		.compact = config->log.cleanup_compact,
		.append_time = config->append_time,
		.before_max_ms = config->before_max_ms,
		.after_max_ms = config->after_max_ms,
		.max_message_bytes = config->max_message_bytes,
		.segment_bytes = config->log.segment_bytes,
		.compression = config->compression,
		.compression_level = config->compression_level,
		.topic = partition->topic,
		.partition = e->index,
	};
}

static void refuse_batch(struct produce *p, struct produce_entry *e,
                         const struct validate_result *result, int64_t log_start_offset)
{
	produce_refuse(p, e, result->error, result->message, log_start_offset);
	if (!e->refusal)
		return;
	e->refusal->record_error = result->record_error;
	e->refusal->record_error_count = result->record_error_count;
}

static void accept_batch(struct produce *p, struct produce_part *part,
                         const struct validate_rules *rules, const struct validate_result *result,
                         int64_t now_ms, const struct buf *rebuilt, struct partition *partition)
{
	struct log_append *log = &part->append.log;

	log->data = (uint8_t *)(uintptr_t)result->batch.data;
	log->size = result->batch.size;
	if (result->rewrite == VALIDATE_REBUILT)
		log->data = rebuilt->data;
	else if (result->rewrite == VALIDATE_PATCH_MAX)
		batch_patch_max_timestamp(log->data, log->size, result->max_timestamp);
	log->origin = LOG_CLIENT;
	log->log_start_offset = -1;
	log->append_time_ms = result->rewrite == VALIDATE_PATCH_TIME ? now_ms : -1;
	log->now_ms = now_ms;
	part->append.acks = p->request->acks;
	part->stamps = rules->append_time;
	p->entry[part->entry].part = part;
	if (partition_facts(partition)->role == PARTITION_OPENING)
		append_when_open(part, partition);
	else
		append(part, partition);
}

static void submit_end(struct produce *p);

/* A worker is done with a heavy batch: who leads is asked again. */
static void on_validated(struct validation *validation)
{
	struct produce_part *part = validation->owner;
	struct produce *p = part->parts->produce;
	struct produce_entry *e = &p->entry[part->entry];
	const struct validate_result *result = &validation->result;
	struct partition *partition;

	p->validating--;
	if (find_leader(p, e, &partition)) {
		if (result->outcome == VALIDATE_OK)
			accept_batch(p, part, &validation->rules, result, validation->now_ms,
			             &validation->rebuilt, partition);
		else
			refuse_batch(p, e, result,
			             log_start_of(partition, result->tells_log_start));
	}
	submit_end(p);
}

static void validate_elsewhere(struct produce *p, struct produce_entry *e,
                               const struct validate_rules *rules, int64_t now_ms)
{
	struct produce_part *part = add_part(p, e);
	struct validation *v = mem_zalloc(sizeof(*v));

	part->validation = v;
	*v = (struct validation){
		.rules = *rules,
		.bytes = e->records,
		.now_ms = now_ms,
		.owner = part,
		.done = on_validated,
	};
	p->validating++;
	validation_submit(p->call->broker->validators, v);
}

static void submit_batch(struct produce *p, struct produce_entry *e, struct partition *partition)
{
	struct validators *validators = p->call->broker->validators;
	struct validate_rules rules = rules_of(p, e, partition);
	struct buf rebuilt = { 0 };
	struct validate_result result;
	struct produce_part *part;
	int64_t now_ms = wall_ms();

	validate_append(&rules, e->records, now_ms, validators_scratch(validators), &p->call->arena,
	                &rebuilt, &result);
	if (result.outcome == VALIDATE_HEAVY) {
		rules.topic = arena_str(&p->call->arena, partition->topic);
		validate_elsewhere(p, e, &rules, now_ms);
	} else if (result.outcome == VALIDATE_REFUSED) {
		refuse_batch(p, e, &result, log_start_of(partition, result.tells_log_start));
	} else {
		part = add_part(p, e);
		part->rebuilt = rebuilt;
		accept_batch(p, part, &rules, &result, now_ms, &part->rebuilt, partition);
		return;
	}
	buf_fini(&rebuilt);
}

/* ---- in Kafka's order ---- */

/*
 * There are no transactions on this broker yet, so nobody verifies that the partition was added to
 * one: the client is to try again, as when the transaction coordinator cannot be reached.
 */
static bool refuse_transactional(struct produce *p, struct produce_entry *e)
{
	if (!e->is_transactional)
		return false;
	produce_refuse(p, e, WIRE_NOT_ENOUGH_REPLICAS,
	               STR("Unable to verify the partition has been added to the transaction. "
	                   "Underlying error: COORDINATOR_NOT_AVAILABLE"),
	               -1);
	return true;
}

static void submit_entry(struct produce *p, struct produce_entry *e)
{
	int16_t acks = p->request->acks;
	struct partition *partition;

	if (e->is_refused || refuse_transactional(p, e))
		return;
	if (acks < -1 || acks > 1)
		e->error = WIRE_INVALID_REQUIRED_ACKS;
	else if (p->topic[e->topic].is_internal &&
	         !str_eq(p->call->client_id, STR("__admin_client")))
		e->error = WIRE_INVALID_TOPIC_EXCEPTION;
	else if (find_leader(p, e, &partition))
		submit_batch(p, e, partition);
}

static void on_timeout(struct call *call)
{
	struct produce *p = call->user;
	struct produce_parts *parts = p->parts;

	produce_answer(p);
	parts->produce = NULL;
}

/* All is on its way.  Only acks=all waits for others, and so may be too late. */
static void submit_end(struct produce *p)
{
	struct produce_parts *parts = p->parts;

	if (p->at_entry < p->entry_count || p->validating)
		return;
	if (let_go(parts)) {
		parts_end(parts);
		return;
	}
	if (p->request->acks == -1)
		call_timer(p->call,
		           p->request->timeout_ms > 0 ? (uint64_t)p->request->timeout_ms : 0,
		           on_timeout);
}

static void submit(struct call *call)
{
	struct produce *p = call->user;
	size_t bytes = 0;
	int count = 0;

	while (p->at_entry < p->entry_count) {
		struct produce_entry *e = &p->entry[p->at_entry + 1];

		if (count++ == SUBMIT_TURN || bytes >= SUBMIT_TURN_BYTES) {
			call_yield(call, submit);
			return;
		}
		submit_entry(p, e);
		bytes += e->records.size;
		p->at_entry++;
	}
	submit_end(p);
}

void produce_submit(struct produce *p)
{
	make_parts(p);
	submit(p->call);
}
