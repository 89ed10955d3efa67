/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "broker/api.h"
#include "broker/broker.h"
#include "broker/call.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "core/producer_state.h"
#include "core/topic_name.h"
#include "wire/describe_producers.h"

/*
 * KafkaApis.handleDescribeProducersRequest: what the replica here knows of its idempotent and
 * transactional producers, be it the leader's or not.  Read in the partition's strand, where that
 * state is at home.
 */
enum { SUBMIT_TURN = 64 };

typedef struct describe_producers_response_producer_state producer_state;

/* One partition: its strand's until it is done. */
struct inquiry {
	struct work work;
	struct call *call;
	struct partition *partition; /* a reference; NULL: nobody is asked */
	int32_t index;
	int16_t error;
	struct str message;
	producer_state *producer; /* on the heap, for the call's arena is not the strand's */
	uint32_t count;
	size_t capacity;
};

struct inquiring {
	struct call *call;
	const struct describe_producers_request *request;
	struct inquiry *inquiry; /* in the order of the request */
	uint32_t count;
	uint32_t next;
	struct mail mail;
};

/* ---- the answer ---- */

static bool tell_topic(struct inquiring *q,
                       const struct describe_producers_request_topic_request *r,
                       const struct inquiry *from,
                       struct describe_producers_response_topic_response *ret)
{
	ret->name = r->name;
	ret->partitions =
		arena_array(&q->call->arena, r->partition_indexes_count, sizeof(*ret->partitions));
	if (!ret->partitions)
		return false;
	ret->partitions_count = r->partition_indexes_count;
	for (uint32_t i = 0; i < ret->partitions_count; i++)
		ret->partitions[i] = (struct describe_producers_response_partition_response){
			.partition_index = from[i].index,
			.error_code = from[i].error,
			.error_message = from[i].message,
			.active_producers = from[i].producer,
			.active_producers_count = from[i].count,
		};
	return true;
}

static void answer(struct call *call)
{
	struct inquiring *q = call->user;
	const struct describe_producers_request *r = q->request;
	struct describe_producers_response response;
	uint32_t at = 0;

	describe_producers_response_init(&response);
	response.topics = arena_array(&call->arena, r->topics_count, sizeof(*response.topics));
	for (uint32_t i = 0; response.topics && i < r->topics_count; i++) {
		if (!tell_topic(q, &r->topics[i], &q->inquiry[at], &response.topics[i]))
			response.topics = NULL;
		at += r->topics[i].partition_indexes_count;
	}
	response.topics_count = r->topics_count;
	if (response.topics)
		call_reply(call, &response);
	else
		call_close(call);
}

/* The answer is encoded at once, and then the call may be gone: what to free is noted before. */
static void on_all_done(struct call *call)
{
	struct inquiring *q = call->user;
	struct inquiry *inquiry = mem_array(q->count + 1, sizeof(*inquiry));
	uint32_t count = q->count;

	memcpy(inquiry, q->inquiry, count * sizeof(*inquiry));
	answer(call);
	for (uint32_t i = 0; i < count; i++)
		mem_free(inquiry[i].producer);
	mem_free(inquiry);
}

/* ---- one partition ---- */

static void add_producer(struct inquiry *x, const struct producer *p)
{
	const struct producer_facts *f = &p->facts;

	x->producer = mem_grow(x->producer, x->count, &x->capacity, sizeof(*x->producer));
	x->producer[x->count++] = (producer_state){
		.producer_id = p->id,
		.producer_epoch = f->epoch,
		.last_sequence = f->batch_count ? f->batch[f->batch_count - 1].last_sequence : -1,
		.last_timestamp = f->last_timestamp,
		.coordinator_epoch = f->coordinator_epoch,
		.current_txn_start_offset = f->txn_first_offset,
	};
}

/* In the strand (ReplicaManager.activeProducerState). */
static void run_inquiry(struct work *work)
{
	struct inquiry *x = container_of(work, struct inquiry, work);
	struct partition *partition = x->partition;
	enum partition_role role = partition_facts(partition)->role;

	if (role == PARTITION_GONE) {
		x->error = WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	} else if (role == PARTITION_OFFLINE || !partition->log) {
		x->error = WIRE_KAFKA_STORAGE_ERROR;
	} else {
		const struct producers *producers = log_producers(partition->log);

		for (const struct list *at = producers->list.next; at != &producers->list;
		     at = at->next) {
			const struct producer *p = list_entry(at, struct producer, link);

			if (p->has_facts)
				add_producer(x, p);
		}
	}
	call_part_done(x->call);
	partition_put(partition);
}

/* ---- the request ---- */

static void on_turn(struct mail *mail);

static void submit(struct inquiring *q)
{
	int count = 0;

	while (q->next < q->count) {
		struct inquiry *x = &q->inquiry[q->next];

		if (count++ == SUBMIT_TURN) {
			q->mail = (struct mail){ .run = on_turn };
			reactor_post(q->call->home, &q->mail);
			return;
		}
		q->next++;
		if (!x->partition)
			call_part_done(x->call);
		else if (partition_facts(x->partition)->role == PARTITION_OPENING)
			partition_await(x->partition, &x->work);
		else
			strand_post(&x->partition->strand, &x->work);
	}
	call_part_done(q->call);
}

static void on_turn(struct mail *mail)
{
	submit(container_of(mail, struct inquiring, mail));
}

static void survey_partition(struct call *call, struct str topic, struct str invalid, bool exists,
                             struct inquiry *x)
{
	const struct broker *broker = call->broker;

	if (invalid.data) {
		x->error = WIRE_INVALID_TOPIC_EXCEPTION;
		x->message = invalid;
	} else if (!exists) {
		x->error = WIRE_UNKNOWN_TOPIC_OR_PARTITION;
		x->message = STR("This server does not host this topic-partition.");
	} else {
		x->error = partitions_by_name(broker->partitions, metadata_image(broker->metadata),
		                              topic, x->index, &x->partition);
		if (x->partition)
			partition_get(x->partition);
	}
}

static void survey_topic(struct inquiring *q,
                         const struct describe_producers_request_topic_request *topic)
{
	const struct image *image = metadata_image(q->call->broker->metadata);
	struct str invalid = topic_name_error(&q->call->arena, topic->name);
	bool exists = image_topic_by_name(image, topic->name);

	for (uint32_t i = 0; i < topic->partition_indexes_count; i++) {
		struct inquiry *x = &q->inquiry[q->count++];

		x->work.run = run_inquiry;
		x->call = q->call;
		x->index = topic->partition_indexes[i];
		survey_partition(q->call, topic->name, invalid, exists, x);
	}
}

void api_describe_producers(struct call *call)
{
	const struct describe_producers_request *request = call->request;
	struct inquiring *q = arena_zalloc(&call->arena, sizeof(*q));
	size_t count = 0;

	for (uint32_t i = 0; i < request->topics_count; i++)
		count += request->topics[i].partition_indexes_count;
	if (q)
		q->inquiry = arena_array(&call->arena, count, sizeof(*q->inquiry));
	if (!q || !q->inquiry) {
		call_close(call);
		return;
	}
	q->call = call;
	q->request = request;
	call->user = q;
	for (uint32_t i = 0; i < request->topics_count; i++)
		survey_topic(q, &request->topics[i]);
	if (!count) {
		answer(call);
		return;
	}
	/* One more is home's, until all are submitted. */
	call_begin_parts(call, (int)count + 1, on_all_done);
	submit(q);
}
