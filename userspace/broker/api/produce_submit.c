/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "broker/metrics.h"
#include "produce.h"

enum {
	SUBMIT_TURN = 64, /* partitions */
	SUBMIT_TURN_BYTES = 256 * 1024,
	TIMEOUT_LATER_MS = 10,
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

static const struct target *target_of(const struct produce *p, const struct produce_entry *e)
{
	return &p->targets.target[e - p->entry];
}

static const struct target_topic *topic_of(const struct produce *p, const struct produce_entry *e)
{
	return &p->targets.topic[target_of(p, e)->topic];
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

	e->error = partitions_by_id(broker->partitions, image, topic_of(p, e)->id,
	                            target_of(p, e)->index, ret);
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

/* ---- the batch ---- */

/* In the strand. */
static void on_appended(struct partition_append *append)
{
	struct produce_part *part = container_of(append, struct produce_part, append);

	buf_fini(&part->rebuilt);
	atomic_store_explicit(&part->is_done, true, memory_order_release);
	call_part_done(part->call);
}

static struct validate_rules rules_of(const struct produce *p, const struct partition *partition)
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
		.partition = partition->index,
	};
}

static void refuse_batch(struct produce *p, struct produce_entry *e,
                         const struct validate_result *result, struct partition *partition)
{
	metrics_refused(partition->meter, result->error, e->records.size);
	produce_refuse(p, e, result->error, result->message,
	               log_start_of(partition, result->tells_log_start));
	if (!e->refusal)
		return;
	e->refusal->record_error = result->record_error;
	e->refusal->record_error_count = result->record_error_count;
}

/* Takes what was rebuilt.  False: it is refused after all. */
static bool append(struct produce *p, struct produce_entry *e, const struct validate_rules *rules,
                   const struct validate_result *result, int64_t now_ms, struct buf *rebuilt,
                   struct partition *partition)
{
	struct produce_part *part = arena_zalloc(&p->call->arena, sizeof(*part));
	struct log_append *log;

	if (!part) {
		produce_refuse(p, e, WIRE_KAFKA_STORAGE_ERROR, (struct str){ 0 }, -1);
		return false;
	}
	e->part = part;
	part->call = p->call;
	part->stamps = rules->append_time;
	part->rebuilt = *rebuilt;
	*rebuilt = (struct buf){ 0 };
	part->append.acks = p->request->acks;
	part->append.done = on_appended;
	log = &part->append.log;
	log->data = (uint8_t *)(uintptr_t)result->batch.data;
	log->size = result->batch.size;
	log->origin = LOG_CLIENT;
	log->append_time_ms = result->rewrite == VALIDATE_PATCH_TIME ? now_ms : -1;
	log->now_ms = now_ms;
	if (result->rewrite == VALIDATE_REBUILT) {
		log->data = part->rebuilt.data;
		counter_add(&metrics_here()->rebuilt, 1);
	} else if (result->rewrite == VALIDATE_PATCH_MAX) {
		batch_patch_max_timestamp(log->data, log->size, result->max_timestamp);
	}
	partition_append(partition, &part->append);
	return true;
}

/* ---- heavy batches ---- */

struct heavy {
	struct validation validation;
	struct produce *produce;
	struct produce_entry *entry;
};

/* The texts of a refusal move from the validation to the call. */
static void keep_texts(struct arena *arena, struct validate_result *result)
{
	size_t size = result->record_error_count * sizeof(*result->record_error);
	struct validate_record_error *kept = arena_alloc(arena, size);

	result->message = arena_str(arena, result->message);
	if (!kept)
		result->record_error_count = 0;
	for (uint32_t i = 0; i < result->record_error_count; i++)
		kept[i] = (struct validate_record_error){
			result->record_error[i].batch_index,
			arena_str(arena, result->record_error[i].message),
		};
	result->record_error = kept;
}

static void submit_end(struct produce *p);

/* A worker is done with it: who leads is asked again. */
static void on_validated(struct validation *v)
{
	struct heavy *heavy = container_of(v, struct heavy, validation);
	struct produce *p = heavy->produce;
	struct produce_entry *e = heavy->entry;
	struct partition *partition;
	bool appends = false;

	if (!find_leader(p, e, &partition)) {
		/* it says why */
	} else if (v->result.outcome == VALIDATE_OK) {
		appends = append(p, e, &v->rules, &v->result, v->now_ms, &v->rebuilt, partition);
	} else {
		keep_texts(&p->call->arena, &v->result);
		refuse_batch(p, e, &v->result, partition);
	}
	validation_fini(v);
	mem_free(heavy);
	if (!appends)
		call_part_done(p->call);
	p->validating--;
	submit_end(p);
}

static void validate_elsewhere(struct produce *p, struct produce_entry *e,
                               const struct validate_rules *rules, int64_t now_ms)
{
	struct heavy *heavy = mem_zalloc(sizeof(*heavy));

	heavy->produce = p;
	heavy->entry = e;
	heavy->validation.rules = *rules;
	heavy->validation.bytes = e->records;
	heavy->validation.now_ms = now_ms;
	heavy->validation.done = on_validated;
	p->validating++;
	validation_submit(p->call->broker->validators, &heavy->validation);
}

/* True: it is appended or validated elsewhere, and the part's end follows. */
static bool submit_batch(struct produce *p, struct produce_entry *e, struct partition *partition)
{
	struct compress_scratch *scratch = validators_scratch(p->call->broker->validators);
	struct validate_rules rules = rules_of(p, partition);
	struct buf rebuilt = { 0 };
	struct validate_result result;
	int64_t now_ms = wall_ms();
	bool goes_on = false;

	validate_append(&rules, e->records, now_ms, scratch, &p->call->arena, &rebuilt, &result);
	if (result.outcome == VALIDATE_OK) {
		goes_on = append(p, e, &rules, &result, now_ms, &rebuilt, partition);
	} else if (result.outcome == VALIDATE_REFUSED) {
		refuse_batch(p, e, &result, partition);
	} else {
		/* The partition may go meanwhile. */
		rules.topic = arena_str(&p->call->arena, partition->topic);
		validate_elsewhere(p, e, &rules, now_ms);
		goes_on = true;
	}
	buf_fini(&rebuilt);
	return goes_on;
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

/* True: it goes on without us. */
static bool submit_entry(struct produce *p, struct produce_entry *e)
{
	int16_t acks = p->request->acks;
	struct partition *partition;

	if (refuse_transactional(p, e))
		return false;
	if (acks < -1 || acks > 1)
		e->error = WIRE_INVALID_REQUIRED_ACKS;
	else if (topic_of(p, e)->is_internal && !str_eq(p->call->client_id, STR("__admin_client")))
		e->error = WIRE_INVALID_TOPIC_EXCEPTION;
	else if (find_leader(p, e, &partition))
		return submit_batch(p, e, partition);
	metrics_refused(NULL, e->error, 0);
	return false;
}

/* ---- the request ---- */

static void on_parts_done(struct call *call)
{
	if (call_claim(call))
		produce_answer(call->user);
}

/* The time is for other replicas: what is not in the log here is waited for, whatever it takes. */
static bool is_written(const struct produce *p)
{
	for (uint32_t i = 1; i <= p->targets.count; i++) {
		const struct produce_part *part = p->entry[i].part;

		if (part && !atomic_load_explicit(&part->is_done, memory_order_acquire) &&
		    !atomic_load_explicit(&part->append.is_deferred, memory_order_acquire))
			return false;
	}
	return true;
}

static void on_timeout(struct call *call)
{
	if (!is_written(call->user))
		call_timer(call, TIMEOUT_LATER_MS, on_timeout);
	else if (call_claim(call))
		produce_answer(call->user);
}

/* All is on its way.  Only acks=all waits for others, and so may be too late. */
static void submit_end(struct produce *p)
{
	int32_t timeout_ms = p->request->timeout_ms;
	struct produce *follower;

	if (p->at_entry < p->targets.count || p->validating)
		return;
	if (p->request->acks == -1)
		call_timer(p->call, timeout_ms > 0 ? (uint64_t)timeout_ms : 0, on_timeout);
	follower = produce_pass(p);
	call_part_done(p->call);
	produce_begin(follower);
}

static void on_turn(struct mail *mail);

static void submit(struct produce *p)
{
	size_t bytes = 0;
	int count = 0;

	while (p->at_entry < p->targets.count) {
		struct produce_entry *e = &p->entry[p->at_entry + 1];

		if (count++ == SUBMIT_TURN || bytes >= SUBMIT_TURN_BYTES) {
			p->mail = (struct mail){ .run = on_turn };
			reactor_post(p->call->home, &p->mail);
			return;
		}
		p->at_entry++;
		if (e->is_refused)
			continue;
		bytes += e->records.size;
		if (!submit_entry(p, e))
			call_part_done(p->call);
	}
	submit_end(p);
}

static void on_turn(struct mail *mail)
{
	submit(container_of(mail, struct produce, mail));
}

void produce_submit(struct produce *p)
{
	int parts = 0;

	for (uint32_t i = 1; i <= p->targets.count; i++)
		parts += !p->entry[i].is_refused;
	if (!parts) {
		produce_answer(p);
		return;
	}
	/* One more is home's, until all are submitted. */
	call_begin_parts(p->call, parts + 1, on_parts_done);
	submit(p);
}
