/* SPDX-License-Identifier: Apache-2.0 */
/* Where a leader epoch ends (KIP-101, KIP-279; Partition.lastOffsetForLeaderEpoch). */
#include "wire/offset_for_leader_epoch.h"

#include "broker/api.h"
#include "broker/broker.h"
#include "broker/metadata.h"
#include "broker/partitions.h"

enum { ASK_STEP = 64 /* partitions at a time */ };

struct ask {
	struct call *call;
	const struct offset_for_leader_epoch_request_offset_for_leader_partition *want;
	struct offset_for_leader_epoch_response_epoch_end_offset *answer;
	struct partition *part; /* a reference; NULL: answered */
	struct work work;
};

struct asks {
	struct offset_for_leader_epoch_response response;
	struct ask *ask;
	uint32_t count;
	uint32_t topic_next;
	uint32_t partition_next;
};

static void reply(struct call *call)
{
	struct asks *asks = call->user;

	for (uint32_t i = 0; i < asks->count; i++)
		partition_put(asks->ask[i].part);
	call_reply(call, &asks->response);
}

static void run_ask(struct work *work)
{
	struct ask *ask = container_of(work, struct ask, work);
	const struct partition_facts *facts = partition_facts(ask->part);
	struct log_epoch_end end;

	ask->answer->error_code = partition_error(facts, ask->want->current_leader_epoch);
	if (!ask->answer->error_code) {
		end = log_epoch_end(ask->part->log, ask->want->leader_epoch);
		ask->answer->leader_epoch = end.epoch;
		ask->answer->end_offset = end.end_offset;
	}
	call_part_done(ask->call);
}

static void run(struct call *call)
{
	struct asks *asks = call->user;
	int count = 0;

	for (uint32_t i = 0; i < asks->count; i++)
		count += asks->ask[i].part != NULL;
	if (!count) {
		reply(call);
		return;
	}
	call_begin_parts(call, count, reply);
	for (uint32_t i = 0; i < asks->count; i++) {
		struct ask *ask = &asks->ask[i];

		if (!ask->part)
			continue;
		ask->work.run = run_ask;
		if (partition_facts(ask->part)->role == PARTITION_OPENING)
			partition_await(ask->part, &ask->work);
		else
			strand_post(&ask->part->strand, &ask->work);
	}
}

static void take(struct call *call, struct str topic,
                 const struct offset_for_leader_epoch_request_offset_for_leader_partition *want,
                 struct offset_for_leader_epoch_response_epoch_end_offset *answer)
{
	const struct broker *broker = call->broker;
	struct asks *asks = call->user;
	struct ask *ask = &asks->ask[asks->count++];
	struct partition *part;

	*answer = (struct offset_for_leader_epoch_response_epoch_end_offset){
		.partition = want->partition,
		.leader_epoch = -1,
		.end_offset = -1,
	};
	*ask = (struct ask){ .call = call, .want = want, .answer = answer };
	answer->error_code =
		partitions_by_name(broker->partitions, metadata_image(broker->metadata), topic,
	                           want->partition, &part);
	if (!answer->error_code)
		ask->part = partition_get(part);
}

static void take_on(struct call *call)
{
	const struct offset_for_leader_epoch_request *r =
		CALL_REQUEST(call, offset_for_leader_epoch_request);
	struct asks *asks = call->user;
	int n = 0;

	for (; asks->topic_next < r->topics_count; asks->topic_next++) {
		uint32_t t = asks->topic_next;

		for (; asks->partition_next < r->topics[t].partitions_count;
		     asks->partition_next++) {
			uint32_t p = asks->partition_next;

			if (n++ == ASK_STEP) {
				call_yield(call, take_on);
				return;
			}
			take(call, r->topics[t].topic, &r->topics[t].partitions[p],
			     &asks->response.topics[t].partitions[p]);
		}
		asks->partition_next = 0;
	}
	run(call);
}

static bool asks_init(struct call *call, struct asks *asks)
{
	const struct offset_for_leader_epoch_request *r =
		CALL_REQUEST(call, offset_for_leader_epoch_request);
	struct offset_for_leader_epoch_response *response = &asks->response;
	size_t count = 0;

	offset_for_leader_epoch_response_init(response);
	response->topics = arena_array(&call->arena, r->topics_count, sizeof(*response->topics));
	if (r->topics_count && !response->topics)
		return false;
	response->topics_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		uint32_t partitions = r->topics[i].partitions_count;

		response->topics[i].topic = r->topics[i].topic;
		response->topics[i].partitions_count = partitions;
		response->topics[i].partitions = arena_array(
			&call->arena, partitions, sizeof(*response->topics[i].partitions));
		if (partitions && !response->topics[i].partitions)
			return false;
		count += partitions;
	}
	asks->ask = arena_array(&call->arena, count, sizeof(*asks->ask));
	return !count || asks->ask;
}

void api_offset_for_leader_epoch(struct call *call)
{
	struct asks *asks = arena_zalloc(&call->arena, sizeof(*asks));

	call->user = asks;
	if (asks && asks_init(call, asks))
		take_on(call);
	else
		call_close(call);
}
