/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_PRODUCER_H
#define BROKER_PRODUCER_H

#include <stdio.h>
#include <stdlib.h>

#include "broker_model.h"
#include "peer.h"
#include "wire/batch.h"
#include "wire/produce.h"

/*
 * What a producer does: batches for one partition, up to five before the first answer, idempotent
 * ones again and again until they are answered, by the next life of the broker too.  So it lives
 * in the world's memory.
 */
struct pending { /* a batch that is on its way */
	bool is_idempotent;
	bool is_done;
	int16_t acks;
	int topic, part;
	uint32_t life; /* of the topic */
	int32_t sequence;
	int32_t count;
	uint32_t value; /* of the first record; the others follow */
};

struct client_model {
	bool has_pid;
	int64_t pid;
	int16_t epoch;
	uint32_t life[TOPICS_MAX];
	int32_t sequence[TOPICS_MAX][PARTS_MAX]; /* behind the last batch with an answer */
	uint32_t losses[TOPICS_MAX][PARTS_MAX];  /* of the partition, at the last answer */
	struct pending pending[PEER_WAITS_MAX];  /* of one partition */
	int count;
};

/* SIM_SAY=2 tells about every batch. */
static void producer_say(const struct client_model *m, const struct pending *p, const char *what,
                         int16_t error, int64_t offset)
{
	const char *say = getenv("SIM_SAY");

	if (say && *say == '2')
		fprintf(stderr,
		        "event %llu: %s t%d-%d acks %d, producer %lld sequence %d, values %u+%d: "
		        "error %d offset %lld\n",
		        (unsigned long long)sim_events(), what, p->topic, p->part, p->acks,
		        (long long)(p->is_idempotent ? m->pid : -1), p->sequence, p->value,
		        p->count, error, (long long)offset);
}

/* ---- sending ---- */

static void producer_add_batch(const struct client_model *m, const struct pending *p,
                               struct buf *out)
{
	static const uint8_t zero[512];
	struct batch_options options = BATCH_PLAIN;
	struct batch_builder b;

	if (p->is_idempotent) {
		options.producer_id = m->pid;
		options.producer_epoch = m->epoch;
		options.base_sequence = p->sequence;
	}
	batch_begin(&b, out, &options);
	for (int32_t i = 0; i < p->count; i++) {
		uint8_t value[8 + sizeof(zero)] = { 0 };
		uint32_t id = p->value + (uint32_t)i;

		store_be64(value, id);
		batch_add(&b, INT64_C(1760000000000) + id * 100, (struct span){ NULL, 0 },
		          (struct span){ value, 8 + id * 37 % sizeof(zero) }, NULL, 0);
	}
	batch_end(&b);
}

static void producer_send_one(struct peer *peer, const struct client_model *m,
                              const struct pending *p)
{
	struct produce_request_partition_produce_data partition = { .index = p->part };
	struct produce_request_topic_produce_data topic = { .topic_id = model->topic[p->topic].id,
		                                            .partition_data = &partition,
		                                            .partition_data_count = 1 };
	struct produce_request r;
	struct buf batch = { 0 };

	producer_add_batch(m, p, &batch);
	partition.records = (struct records){ .data = batch.data, .size = (uint32_t)batch.size };
	produce_request_init(&r);
	r.acks = p->acks;
	r.timeout_ms = 30000;
	r.topic_data = &topic;
	r.topic_data_count = 1;
	producer_say(m, p, "sends", 0, -1);
	peer_ask(peer, API_PRODUCE, 13, &r, p->acks != 0);
	buf_fini(&batch);
}

/* All that is pending; answers how many answers will come. */
static int producer_send(struct peer *peer, struct client_model *m)
{
	int answers = 0;

	for (int i = 0; i < m->count; i++) {
		m->pending[i].is_done = false;
		producer_send_one(peer, m, &m->pending[i]);
		answers += m->pending[i].acks != 0;
	}
	if (!answers)
		m->count = 0;
	return answers;
}

/* All were answered, or no more answers will come: what was not taken is sent again. */
static void producer_end(struct client_model *m)
{
	int kept = 0;

	for (int i = 0; i < m->count; i++)
		if (!m->pending[i].is_done && m->has_pid)
			m->pending[kept++] = m->pending[i];
	m->count = kept;
}

/* What cannot be sent again is forgotten: it is lost, or others will find it. */
static bool producer_can_retry(struct client_model *m)
{
	const struct pending *p = &m->pending[0];

	producer_end(m);
	if (m->count && (!p->is_idempotent || !model_is_same(p->topic, p->life)))
		m->count = 0;
	return m->count;
}

static void producer_meet_topic(struct client_model *m, int topic)
{
	const struct topic_model *t = &model->topic[topic];

	if (m->life[topic] == t->life)
		return;
	m->life[topic] = t->life;
	memset(m->sequence[topic], 0, sizeof(m->sequence[0]));
	for (int i = 0; i < PARTS_MAX; i++)
		m->losses[topic][i] = t->part[i].losses;
}

/* False: this world has no more numbers. */
static bool producer_new_burst(struct client_model *m, int topic, int part)
{
	const struct topic_model *t = &model->topic[topic];
	struct pending p = { .topic = topic, .part = part, .life = t->life };
	int count;

	p.acks = (int16_t)(sim_chance(15) ? 0 : sim_chance(50) ? 1 : -1);
	p.is_idempotent = p.acks && m->has_pid && sim_chance(80);
	count = p.is_idempotent && sim_chance(50) ? 1 + (int)sim_random(PEER_WAITS_MAX) : 1;
	producer_meet_topic(m, topic);
	p.sequence = m->sequence[topic][part];
	for (m->count = 0; m->count < count; m->count++) {
		p.count = 1 + (int32_t)sim_random(4);
		if (model->values + (uint32_t)p.count >= VALUES_MAX ||
		    t->part[part].end + 64 > OFFSETS_MAX)
			break;
		p.value = model->values + 1;
		model->values += (uint32_t)p.count;
		m->pending[m->count] = p;
		p.sequence += p.count;
	}
	return m->count;
}

/* ---- answers ---- */

static void producer_appended(struct client_model *m, struct pending *p, int64_t base)
{
	for (int32_t i = 0; i < p->count; i++)
		model_found(p->topic, p->part, base + i, p->value + (uint32_t)i);
	model_promise(p->topic, p->part, base + p->count);
	p->is_done = true;
	if (!p->is_idempotent)
		return;
	m->sequence[p->topic][p->part] = p->sequence + p->count;
	m->losses[p->topic][p->part] = model->topic[p->topic].part[p->part].losses;
}

/* A power cut took what this producer wrote before: it begins anew. */
static bool producer_has_lost_its_past(const struct client_model *m, const struct pending *p)
{
	return p->is_idempotent &&
	       m->losses[p->topic][p->part] != model->topic[p->topic].part[p->part].losses;
}

/* Behind one that was refused all are out of order. */
static bool producer_has_gap(const struct client_model *m, int i)
{
	while (i--)
		if (!m->pending[i].is_done)
			return true;
	return false;
}

/* The i-th of what is pending. */
static void producer_answered(struct client_model *m, int i, const struct produce_response *r)
{
	const struct produce_response_partition_produce_response *answer =
		r->responses[0].partition_responses;
	struct pending *p = &m->pending[i];
	int16_t error = answer->error_code;

	producer_say(m, p, "answer to", error, answer->base_offset);
	if (!model_is_same(p->topic, p->life)) {
		p->is_done = true;
		return;
	}
	if (!error) {
		producer_appended(m, p, answer->base_offset);
		return;
	}
	if (error == WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER && producer_has_lost_its_past(m, p)) {
		m->has_pid = false;
		p->is_done = true;
		return;
	}
	/* A topic that was just made may not be everywhere yet. */
	sim_law(model_is_going(p->topic, p->life, error) || error == WIRE_UNKNOWN_TOPIC_ID ||
	                error == WIRE_NOT_LEADER_OR_FOLLOWER || model_is_trouble(error) ||
	                (error == WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER && producer_has_gap(m, i)),
	        "Produce to t%d-%d: %d (sequence %d, %d records)", p->topic, p->part, error,
	        p->sequence, p->count);
}

#endif
