/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_WORKER_H
#define BROKER_WORKER_H

#include "broker_audit.h"
#include "broker_producer.h"
#include "wire/create_partitions.h"
#include "wire/create_topics.h"
#include "wire/delete_records.h"
#include "wire/delete_topics.h"
#include "wire/incremental_alter_configs.h"
#include "wire/init_producer_id.h"

/*
 * A client at work: one thing after the other, of the seed's choice.  The first of them is the
 * only one that changes topics.
 */
enum asked {
	ASKED_NOTHING,
	ASKED_PID,
	ASKED_PRODUCE,
	ASKED_FETCH,
	ASKED_DELETE_RECORDS,
	ASKED_CREATE,
	ASKED_ID, /* of a topic that was created without an answer */
	ASKED_DELETE,
	ASKED_PARTITIONS,
	ASKED_CONFIG,
};

struct worker {
	struct peer peer;
	struct client_model *m;
	bool is_admin;
	uint16_t port;
	int steps;
	void (*done)(void);
	enum asked asked;
	int topic, part;
	uint32_t life;
	int64_t offset;
	bool is_again; /* the answer to the first time is lost */
	int answers;   /* to the batches of this burst */
};

static void worker_go_on(struct worker *w);

static bool worker_is_done(const struct worker *w)
{
	return !w->steps && w->asked == ASKED_NOTHING;
}

static bool is_same_topic(const struct worker *w)
{
	return model_is_same(w->topic, w->life);
}

static bool is_of_a_topic_that_goes(const struct worker *w, int16_t error)
{
	return model_is_going(w->topic, w->life, error);
}

/* ---- the other things ---- */

static void worker_take_step(void *arg);

/* The controller is in trouble, too: what it did is asked for once more. */
static bool is_to_be_asked_again(struct worker *w, int16_t error)
{
	if (!error || !model->has_trouble)
		return false;
	w->is_again = true;
	sim_after(100000000, worker_take_step, w);
	return true;
}

static void ask_pid(struct worker *w)
{
	struct init_producer_id_request r;

	init_producer_id_request_init(&r);
	r.transactional_id = (struct str){ 0 };
	r.transaction_timeout_ms = 60000;
	w->asked = ASKED_PID;
	peer_ask(&w->peer, API_INIT_PRODUCER_ID, 4, &r, true);
}

static void on_pid(struct worker *w, const struct init_producer_id_response *r)
{
	if (r->error_code && model->has_trouble)
		return;
	sim_law(!r->error_code, "InitProducerId: %d", r->error_code);
	model_pid(r->producer_id);
	w->m->has_pid = true;
	w->m->pid = r->producer_id;
	w->m->epoch = r->producer_epoch;
	memset(w->m->life, 0, sizeof(w->m->life)); /* sequences begin anew */
	w->m->count = 0;
}

static void ask_records(struct worker *w)
{
	const struct part_model *p = &model->topic[w->topic].part[w->part];

	w->asked = ASKED_FETCH;
	w->offset = (int64_t)sim_random((uint64_t)p->end + 1);
	ask_to_fetch(&w->peer, w->topic, w->part, w->offset, 200 + (int32_t)sim_random(4000));
}

static void on_records(struct worker *w, const struct fetch_response_partition_data *p)
{
	int64_t end;

	if (!is_same_topic(w) || is_of_a_topic_that_goes(w, p->error_code))
		return;
	if (p->error_code == WIRE_OFFSET_OUT_OF_RANGE) {
		sim_law(w->offset < model->topic[w->topic].part[w->part].start_max,
		        "t%d-%d has no offset %" PRId64, w->topic, w->part, w->offset);
		return;
	}
	sim_law(!p->error_code || p->error_code == WIRE_UNKNOWN_TOPIC_ID ||
	                model_is_trouble(p->error_code) ||
	                p->error_code == WIRE_NOT_LEADER_OR_FOLLOWER,
	        "Fetch of t%d-%d at %" PRId64 ": %d", w->topic, w->part, w->offset, p->error_code);
	if (p->error_code)
		return;
	end = read_records(w->topic, w->part, w->offset, &p->records);
	model_promise(w->topic, w->part, end);
}

static void ask_to_delete_records(struct worker *w)
{
	struct part_model *p = &model->topic[w->topic].part[w->part];
	struct delete_records_request_partition partition = { .partition_index = w->part };
	struct delete_records_request_topic topic = { .partitions = &partition,
		                                      .partitions_count = 1 };
	struct delete_records_request r;
	char name[8];

	topic_name(name, sizeof(name), w->topic);
	topic.name = str_of(name);
	w->asked = ASKED_DELETE_RECORDS;
	w->offset = partition.offset = (int64_t)sim_random((uint64_t)p->promised + 1);
	if (p->start_max < w->offset)
		p->start_max = w->offset;
	delete_records_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	r.timeout_ms = 30000;
	peer_ask(&w->peer, API_DELETE_RECORDS, 2, &r, true);
}

static void on_deleted_records(struct worker *w, const struct delete_records_response *r)
{
	const struct delete_records_response_partition_result *p = r->topics[0].partitions;

	if (!is_same_topic(w) || is_of_a_topic_that_goes(w, p->error_code))
		return;
	sim_law(!p->error_code || p->error_code == WIRE_UNKNOWN_TOPIC_OR_PARTITION ||
	                model_is_trouble(p->error_code) ||
	                p->error_code == WIRE_NOT_LEADER_OR_FOLLOWER,
	        "DeleteRecords: %d", p->error_code);
	sim_law(p->error_code || p->low_watermark >= w->offset,
	        "records below %" PRId64 " are deleted, asked were %" PRId64, p->low_watermark,
	        w->offset);
}

/* ---- topics ---- */

/* As the model has it asked for. */
static void ask_to_create(struct worker *w)
{
	struct create_topics_request_creatable_topic_config config[3] = {
		{ STR("retention.ms"), STR("") },
		{ STR("segment.ms"), STR("1000") },
		{ STR("flush.messages"), STR("1") },
	};
	struct create_topics_request_creatable_topic topic = { .replication_factor = 1,
		                                               .configs = config };
	struct topic_model *t = &model->topic[w->topic];
	struct create_topics_request r;
	char name[8], retention[24];

	topic_name(name, sizeof(name), w->topic);
	snprintf(retention, sizeof(retention), "%" PRId64, t->retention_asked);
	topic.name = str_of(name);
	topic.num_partitions = t->parts_asked;
	config[0].value = str_of(retention);
	topic.configs_count = t->is_synced ? 3 : 2;
	create_topics_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	w->asked = ASKED_CREATE;
	peer_ask(&w->peer, API_CREATE_TOPICS, 7, &r, true);
}

static void ask_for_id(struct worker *w)
{
	struct metadata_request_request_topic topic = { 0 };
	struct metadata_request r;
	char name[8];

	topic_name(name, sizeof(name), w->topic);
	topic.name = str_of(name);
	metadata_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	r.allow_auto_topic_creation = false;
	w->asked = ASKED_ID;
	peer_ask(&w->peer, API_METADATA, 12, &r, true);
}

static void on_id(struct worker *w, const struct metadata_response *r)
{
	sim_law(r->topics_count == 1 && !r->topics[0].error_code, "t%d exists and answers %d",
	        w->topic, r->topics[0].error_code);
	model_created(w->topic, r->topics[0].topic_id);
}

/* False: it was created already, and its id is asked for. */
static bool on_created(struct worker *w, const struct create_topics_response *r)
{
	int16_t error = r->topics[0].error_code;

	if (error == WIRE_TOPIC_ALREADY_EXISTS && w->is_again) {
		ask_for_id(w);
		return false;
	}
	if (is_to_be_asked_again(w, error))
		return false;
	sim_law(r->topics_count == 1 && !error, "CreateTopics: %d", error);
	model_created(w->topic, r->topics[0].topic_id);
	return true;
}

static void ask_to_delete(struct worker *w)
{
	struct delete_topics_request_delete_topic_state state = { 0 };
	struct delete_topics_request r;
	char name[8];

	topic_name(name, sizeof(name), w->topic);
	state.name = str_of(name);
	delete_topics_request_init(&r);
	r.topics = &state;
	r.topics_count = 1;
	r.timeout_ms = 30000;
	model->topic[w->topic].state = DELETING;
	w->asked = ASKED_DELETE;
	peer_ask(&w->peer, API_DELETE_TOPICS, 6, &r, true);
}

static bool on_deleted(struct worker *w, const struct delete_topics_response *r)
{
	int16_t error = r->responses[0].error_code;

	bool is_gone = w->is_again && error == WIRE_UNKNOWN_TOPIC_OR_PARTITION;

	if (!is_gone && is_to_be_asked_again(w, error))
		return false;
	sim_law(!error || is_gone, "DeleteTopics: %d", error);
	model_deleted(w->topic);
	return true;
}

static void ask_for_partitions(struct worker *w)
{
	struct topic_model *t = &model->topic[w->topic];
	struct create_partitions_request_topic topic = { .count = t->parts_asked };
	struct create_partitions_request r;
	char name[8];

	topic_name(name, sizeof(name), w->topic);
	topic.name = str_of(name);
	create_partitions_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	r.timeout_ms = 30000;
	w->asked = ASKED_PARTITIONS;
	peer_ask(&w->peer, API_CREATE_PARTITIONS, 3, &r, true);
}

static bool on_partitions(struct worker *w, const struct create_partitions_response *r)
{
	int16_t error = r->results[0].error_code;

	bool is_there = w->is_again && error == WIRE_INVALID_PARTITIONS;

	if (!is_there && is_to_be_asked_again(w, error))
		return false;
	sim_law(!error || is_there, "CreatePartitions: %d", error);
	model->topic[w->topic].parts = model->topic[w->topic].parts_asked;
	return true;
}

static void ask_for_config(struct worker *w)
{
	struct incremental_alter_configs_request_alterable_config config = {
		.name = STR("retention.ms")
	};
	struct incremental_alter_configs_request_alter_configs_resource resource = {
		.resource_type = 2, .configs = &config, .configs_count = 1
	};
	struct topic_model *t = &model->topic[w->topic];
	struct incremental_alter_configs_request r;
	char name[8], retention[24];

	topic_name(name, sizeof(name), w->topic);
	snprintf(retention, sizeof(retention), "%" PRId64, t->retention_asked);
	resource.resource_name = str_of(name);
	config.value = str_of(retention);
	incremental_alter_configs_request_init(&r);
	r.resources = &resource;
	r.resources_count = 1;
	w->asked = ASKED_CONFIG;
	peer_ask(&w->peer, API_INCREMENTAL_ALTER_CONFIGS, 1, &r, true);
}

static bool on_config_altered(struct worker *w, const struct incremental_alter_configs_response *r)
{
	if (is_to_be_asked_again(w, r->responses[0].error_code))
		return false;
	sim_law(r->responses_count == 1 && !r->responses[0].error_code,
	        "IncrementalAlterConfigs: %d", r->responses[0].error_code);
	model->topic[w->topic].retention_ms = model->topic[w->topic].retention_asked;
	return true;
}

static void administer(struct worker *w)
{
	struct topic_model *t = &model->topic[w->topic];

	if (t->state == ABSENT) {
		model_creating(w->topic, 1 + (int32_t)sim_random(PARTS_MAX),
		               INT64_C(100000000) + (int64_t)sim_random(1000000), sim_chance(40));
		ask_to_create(w);
	} else if (sim_chance(30)) {
		ask_to_delete(w);
	} else if (sim_chance(50) && t->parts < PARTS_MAX) {
		t->parts_asked = t->parts + 1;
		ask_for_partitions(w);
	} else {
		t->retention_asked = t->retention_ms + 1 + (int64_t)sim_random(1000);
		ask_for_config(w);
	}
}

/* The connection ended: what changes topics is asked once more, the rest is let go. */
static void ask_again(struct worker *w)
{
	w->is_again = true;
	switch (w->asked) {
	case ASKED_CREATE:
	case ASKED_ID:
		ask_to_create(w);
		break;
	case ASKED_DELETE:
		ask_to_delete(w);
		break;
	case ASKED_PARTITIONS:
		ask_for_partitions(w);
		break;
	case ASKED_CONFIG:
		ask_for_config(w);
		break;
	default:
		worker_go_on(w);
		break;
	}
}

/* ---- one thing after the other ---- */

static void produce(struct worker *w)
{
	w->asked = ASKED_PRODUCE;
	w->answers = 0;
	if (!producer_send(&w->peer, w->m))
		worker_go_on(w); /* nobody will say what became of it */
}

static void worker_step(struct worker *w)
{
	struct client_model *m = w->m;
	struct topic_model *t;

	if (producer_can_retry(m)) {
		produce(w);
		return;
	}
	if (!m->has_pid && sim_chance(50)) {
		ask_pid(w);
		return;
	}
	w->topic = (int)sim_random(TOPICS_MAX);
	t = &model->topic[w->topic];
	w->life = t->life;
	if (w->is_admin && (t->state == ABSENT || sim_chance(12))) {
		administer(w);
		return;
	}
	if (t->state != PRESENT) {
		worker_go_on(w);
		return;
	}
	w->part = (int)sim_random((uint64_t)t->parts);
	if (sim_chance(5))
		ask_to_delete_records(w);
	else if (sim_chance(60) && producer_new_burst(m, w->topic, w->part))
		produce(w);
	else
		ask_records(w);
}

static void worker_take_step(void *arg)
{
	struct worker *w = arg;

	if (!peer_is_connected(&w->peer))
		sim_client_connect(&w->peer.client, w->port);
	if (w->asked == ASKED_NOTHING)
		worker_step(w);
	else
		ask_again(w);
}

/* At the end of its steps a worker leaves; the broker may be stopping then. */
static void worker_lost(struct peer *p)
{
	struct worker *w = container_of(p, struct worker, peer);

	if (w->asked != ASKED_NOTHING)
		sim_after(20000000 + sim_random(100000000), worker_take_step, w);
}

static void worker_go_on(struct worker *w)
{
	w->asked = ASKED_NOTHING;
	w->is_again = false;
	if (w->steps && --w->steps)
		sim_after(sim_chance(70) ? 0 : sim_random(2000000000), worker_take_step, w);
	else
		w->done();
}

static void worker_answered(struct peer *p, const void *body)
{
	struct worker *w = container_of(p, struct worker, peer);

	switch (w->asked) {
	case ASKED_PID:
		on_pid(w, body);
		break;
	case ASKED_PRODUCE:
		producer_answered(w->m, w->answers++, body);
		if (w->answers < w->m->count)
			return;
		producer_end(w->m);
		break;
	case ASKED_FETCH:
		on_records(w, fetched(body));
		break;
	case ASKED_DELETE_RECORDS:
		on_deleted_records(w, body);
		break;
	case ASKED_CREATE:
		if (!on_created(w, body))
			return;
		break;
	case ASKED_ID:
		on_id(w, body);
		break;
	case ASKED_DELETE:
		if (!on_deleted(w, body))
			return;
		break;
	case ASKED_PARTITIONS:
		if (!on_partitions(w, body))
			return;
		break;
	case ASKED_CONFIG:
		if (!on_config_altered(w, body))
			return;
		break;
	default:
		sim_fail("an answer to nothing");
	}
	worker_go_on(w);
}

static void worker_begin(struct worker *w, struct client_model *m, bool is_admin, int steps,
                         uint16_t port, void (*done)(void))
{
	*w = (struct worker){
		.m = m, .is_admin = is_admin, .port = port, .steps = steps, .done = done
	};
	peer_init(&w->peer, worker_answered, worker_lost);
	sim_after(sim_random(1000000), worker_take_step, w);
}

#endif
