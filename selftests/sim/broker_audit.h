/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_AUDIT_H
#define BROKER_AUDIT_H

#include <stdlib.h>

#include "broker_model.h"
#include "peer.h"
#include "wire/batch.h"
#include "wire/describe_configs.h"
#include "wire/errors.h"
#include "wire/fetch.h"
#include "wire/list_offsets.h"
#include "wire/metadata.h"

/*
 * One client, before anybody else works: everything that a broker has after its start must be what
 * the model knows.
 */
enum { TRIES_MAX = 1000 };

struct audit {
	struct peer peer;
	uint16_t port;
	void (*done)(void);
	int topic, part;
	enum { AUDIT_TOPICS, AUDIT_CONFIGS, AUDIT_START, AUDIT_END, AUDIT_READ } at;
	int64_t start, offset, end;
	int tries;
};

static void topic_name(char *text, size_t size, int topic)
{
	snprintf(text, size, "t%d", topic);
}

/* ---- reading: of workers too ---- */

static uint32_t value_of(struct span data)
{
	return data.size >= 8 ? (uint32_t)load_be64(data.data) : 0;
}

/* What is in the model of the records from `offset` on; the offset after the last. */
static int64_t read_records(int topic, int part, int64_t offset, const struct records *records)
{
	struct span rest = { records->data, records->size };
	struct batch b;
	int err;

	while (rest.size && !(err = batch_parse(rest, &b))) {
		struct record_iter it = record_iter(batch_records(&b), b.record_count);
		struct record r;

		sim_law(batch_crc_ok(&b), "a wrong checksum at %" PRId64, b.base_offset);
		while (record_iter_next(&it, &r) > 0) {
			int64_t at = b.base_offset + r.offset_delta;

			if (at < offset)
				continue; /* the batch began before */
			sim_law(at == offset, "t%d-%d: %" PRId64 " follows %" PRId64, topic, part,
			        at, offset - 1);
			model_found(topic, part, at, value_of(r.value));
			offset = at + 1;
		}
		rest = (struct span){ rest.data + b.size, rest.size - b.size };
	}
	return offset;
}

static void ask_to_fetch(struct peer *p, int topic, int part, int64_t offset, int32_t max_bytes)
{
	struct fetch_request_partition partition;
	struct fetch_request_topic t = { .topic_id = model->topic[topic].id,
		                         .partitions = &partition,
		                         .partitions_count = 1 };
	struct fetch_request r;

	fetch_request_init(&r);
	partition = (struct fetch_request_partition){
		.partition = part,
		.current_leader_epoch = -1,
		.fetch_offset = offset,
		.last_fetched_epoch = -1,
		.log_start_offset = -1,
		.partition_max_bytes = max_bytes,
		.high_watermark = INT64_MAX,
	};
	r.max_wait_ms = 100;
	r.min_bytes = 1;
	r.topics = &t;
	r.topics_count = 1;
	peer_ask(p, API_FETCH, 16, &r, true);
}

static const struct fetch_response_partition_data *fetched(const void *body)
{
	const struct fetch_response *r = body;

	sim_law(!r->error_code, "Fetch answers %d", r->error_code);
	sim_law(r->responses_count == 1 && r->responses[0].partitions_count == 1,
	        "Fetch answers of something else");
	return &r->responses[0].partitions[0];
}
/* ---- the audit ---- */

static void audit_ask(struct audit *a);

static void audit_next_topic(struct audit *a)
{
	a->part = 0;
	while (++a->topic < TOPICS_MAX && model->topic[a->topic].state != PRESENT)
		;
	if (a->topic < TOPICS_MAX) {
		a->at = AUDIT_CONFIGS;
		audit_ask(a);
		return;
	}
	sim_client_close(&a->peer.client);
	a->done();
}

static void audit_next_part(struct audit *a)
{
	a->at = AUDIT_START;
	if (++a->part < model->topic[a->topic].parts)
		audit_ask(a);
	else
		audit_next_topic(a);
}

static void ask_topics(struct audit *a)
{
	struct metadata_request r;

	metadata_request_init(&r);
	r.topics = NULL; /* all */
	r.allow_auto_topic_creation = false;
	peer_ask(&a->peer, API_METADATA, 12, &r, true);
}

static const struct metadata_response_response_topic *find_topic(const struct metadata_response *r,
                                                                 const char *name)
{
	for (uint32_t i = 0; i < r->topics_count; i++)
		if (str_eq(r->topics[i].name, str_of(name)))
			return &r->topics[i];
	return NULL;
}

/* Of a topic that is there. */
static void check_topic(int topic, const struct metadata_response_response_topic *r)
{
	struct topic_model *t = &model->topic[topic];

	sim_law(!r->error_code, "t%d answers %d", topic, r->error_code);
	sim_law(t->state != ABSENT, "t%d is there and was deleted", topic);
	if (t->state == CREATING)
		model_created(topic, r->topic_id);
	t->state = PRESENT; /* not deleted, then */
	sim_law(uuid_eq(t->id, r->topic_id), "t%d has another id", topic);
	sim_law((int32_t)r->partitions_count == t->parts ||
	                (int32_t)r->partitions_count == t->parts_asked,
	        "t%d has %u partitions, not %d", topic, r->partitions_count, t->parts);
	t->parts = t->parts_asked = (int32_t)r->partitions_count;
	for (uint32_t i = 0; i < r->partitions_count; i++)
		sim_law(!r->partitions[i].error_code && r->partitions[i].leader_id == 1,
		        "t%d-%u: error %d, leader %d", topic, i, r->partitions[i].error_code,
		        r->partitions[i].leader_id);
}

static void on_topics(struct audit *a, const struct metadata_response *r)
{
	for (int i = 0; i < TOPICS_MAX; i++) {
		const struct metadata_response_response_topic *found;
		char name[8];

		topic_name(name, sizeof(name), i);
		found = find_topic(r, name);
		if (found) {
			check_topic(i, found);
			continue;
		}
		sim_law(model->topic[i].state != PRESENT, "t%d is gone", i);
		model_deleted(i);
	}
	a->topic = -1;
	audit_next_topic(a);
}

static void ask_configs(struct audit *a)
{
	struct describe_configs_request_resource resource = { .resource_type = 2 };
	struct describe_configs_request r;
	char name[8];

	topic_name(name, sizeof(name), a->topic);
	resource.resource_name = str_of(name);
	describe_configs_request_init(&r);
	r.resources = &resource;
	r.resources_count = 1;
	peer_ask(&a->peer, API_DESCRIBE_CONFIGS, 4, &r, true);
}

static int64_t config_number(const struct describe_configs_response_result *r, const char *name)
{
	for (uint32_t i = 0; i < r->configs_count; i++)
		if (str_eq(r->configs[i].name, str_of(name)))
			return strtoll(r->configs[i].value.data, NULL, 10);
	sim_fail("%s is not described", name);
}

static void on_configs(struct audit *a, const struct describe_configs_response *r)
{
	struct topic_model *t = &model->topic[a->topic];
	int64_t retention;

	sim_law(r->results_count == 1 && !r->results[0].error_code, "DescribeConfigs of t%d: %d",
	        a->topic, r->results_count ? r->results[0].error_code : 0);
	retention = config_number(&r->results[0], "retention.ms");
	sim_law(retention == t->retention_ms || retention == t->retention_asked,
	        "t%d has retention.ms %" PRId64 ", not %" PRId64, a->topic, retention,
	        t->retention_ms);
	sim_law((config_number(&r->results[0], "flush.messages") == 1) == t->is_synced,
	        "t%d lost flush.messages", a->topic);
	t->retention_ms = t->retention_asked = retention;
	a->part = -1;
	audit_next_part(a);
}

static void ask_for_offset(struct audit *a, int64_t timestamp)
{
	struct list_offsets_request_partition partition = { a->part, -1, timestamp };
	struct list_offsets_request_topic topic = { .partitions = &partition,
		                                    .partitions_count = 1 };
	struct list_offsets_request r;
	char name[8];

	topic_name(name, sizeof(name), a->topic);
	topic.name = str_of(name);
	list_offsets_request_init(&r);
	r.replica_id = -1;
	r.topics = &topic;
	r.topics_count = 1;
	peer_ask(&a->peer, API_LIST_OFFSETS, 7, &r, true);
}

static void audit_again(void *arg)
{
	audit_ask(arg);
}

/* What was just elected may not know it yet; it will. */
static bool is_early(struct audit *a, int16_t error)
{
	if (error != WIRE_NOT_LEADER_OR_FOLLOWER && !model_is_trouble(error))
		return false;
	if (a->tries == TRIES_MAX && model_is_trouble(error))
		sim_crash(); /* a log that could not be opened; the operator begins anew */
	if (a->tries == TRIES_MAX)
		return false;
	a->tries++;
	sim_after(10000000, audit_again, a);
	return true;
}

static void on_offset(struct audit *a, const struct list_offsets_response *r)
{
	const struct list_offsets_response_partition_response *p = r->topics[0].partitions;

	if (is_early(a, p->error_code))
		return;
	sim_law(!p->error_code, "ListOffsets of t%d-%d: %d", a->topic, a->part, p->error_code);
	if (a->at == AUDIT_START) {
		a->start = a->offset = p->offset;
		a->at = AUDIT_END;
		audit_ask(a);
		return;
	}
	a->end = p->offset;
	model_bounds(a->topic, a->part, a->start, a->end);
	a->at = AUDIT_READ;
	if (a->offset < a->end)
		audit_ask(a);
	else
		audit_next_part(a);
}

static void on_fetched(struct audit *a, const struct fetch_response_partition_data *p)
{
	int64_t next;

	if (is_early(a, p->error_code))
		return;
	sim_law(!p->error_code, "Fetch of t%d-%d at %" PRId64 ": %d", a->topic, a->part, a->offset,
	        p->error_code);
	next = read_records(a->topic, a->part, a->offset, &p->records);
	sim_law(next > a->offset, "nothing of t%d-%d at %" PRId64, a->topic, a->part, a->offset);
	a->offset = next;
	if (next < a->end)
		audit_ask(a);
	else
		audit_next_part(a);
}

static void audit_ask(struct audit *a)
{
	if (!peer_is_connected(&a->peer)) {
		sim_client_connect(&a->peer.client, a->port);
	}
	switch (a->at) {
	case AUDIT_TOPICS:
		ask_topics(a);
		break;
	case AUDIT_CONFIGS:
		ask_configs(a);
		break;
	case AUDIT_START:
		ask_for_offset(a, -2);
		break;
	case AUDIT_END:
		ask_for_offset(a, -1);
		break;
	default:
		ask_to_fetch(&a->peer, a->topic, a->part, a->offset, 5000);
		break;
	}
}

static void audit_answered(struct peer *p, const void *body)
{
	struct audit *a = container_of(p, struct audit, peer);

	switch (a->at) {
	case AUDIT_TOPICS:
		on_topics(a, body);
		break;
	case AUDIT_CONFIGS:
		on_configs(a, body);
		break;
	case AUDIT_START:
	case AUDIT_END:
		on_offset(a, body);
		break;
	default:
		on_fetched(a, fetched(body));
		break;
	}
}

static void audit_lost(struct peer *p)
{
	sim_after(50000000, audit_again, container_of(p, struct audit, peer));
}

static void audit_begin(struct audit *a, uint16_t port, void (*done)(void))
{
	*a = (struct audit){ .port = port, .done = done, .at = AUDIT_TOPICS };
	peer_init(&a->peer, audit_answered, audit_lost);
	sim_after(0, audit_again, a);
}

#endif
