/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "broker/api.h"
#include "broker/call.h"
#include "wire/fetch.h"
#include "wire/find_coordinator.h"
#include "wire/produce.h"

/*
 * Handlers for tests, in place of the broker's table.
 *
 *	FindCoordinator v1   does what its key says, see `commands`
 *	Produce              answers after timeout_ms with the CRC of all its records
 *	Fetch                answers after max_wait_ms with bytes of `file`, or with memory
 */
static struct file *file; /* byte_at() all through */
static atomic_int running, running_most, detached, resumed_late;

static void began(void)
{
	int now = atomic_fetch_add(&running, 1) + 1;

	if (now > atomic_load(&running_most))
		atomic_store(&running_most, now);
}

static void answer_text(struct call *call, const char *text, int32_t number)
{
	struct find_coordinator_response response;

	find_coordinator_response_init(&response);
	response.host = str_of(text);
	response.node_id = number;
	response.port = call->home;
	atomic_fetch_sub(&running, 1);
	call_reply(call, &response);
}

static void cmd_echo(struct call *call, const char *arg)
{
	answer_text(call, arg, 0);
}

static void answer_waited(struct call *call)
{
	answer_text(call, "waited", 0);
}

static void cmd_wait(struct call *call, const char *arg)
{
	call_timer(call, (uint64_t)atoi(arg), answer_waited);
}

static void on_detach(struct call *call)
{
	atomic_fetch_add(&detached, 1);
	atomic_fetch_sub(&running, 1);
	call_reply_none(call);
}

static void cmd_hang(struct call *call, const char *arg)
{
	(void)arg;
	call->on_detach = on_detach;
}

static void cmd_close(struct call *call, const char *arg)
{
	(void)arg;
	atomic_fetch_sub(&running, 1);
	call_close(call);
}

static void cmd_none(struct call *call, const char *arg)
{
	(void)arg;
	atomic_fetch_sub(&running, 1);
	call_reply_none(call);
}

struct turns {
	int left, count;
};

static void take_turn(struct call *call)
{
	struct turns *turns = call->user;

	if (!turns->left--)
		answer_text(call, "yielded", turns->count);
	else
		call_yield(call, take_turn);
}

static void cmd_yield(struct call *call, const char *arg)
{
	struct turns *turns = arena_zalloc(&call->arena, sizeof(*turns));

	turns->left = turns->count = atoi(arg);
	call->user = turns;
	take_turn(call);
}

struct part {
	struct mail mail;
	struct timer timer;
	struct call *call;
	int value; /* what it was told to find out */
	int result;
	int home;
};

struct parts {
	int count;
	struct part part[];
};

static void part_ends(struct timer *timer)
{
	struct part *part = container_of(timer, struct part, timer);

	part->result = part->value;
	call_part_done(part->call);
}

static void part_runs(struct mail *mail)
{
	struct part *part = container_of(mail, struct part, mail);

	if (part->value >= 0) {
		part->result = part->value;
		call_part_done(part->call);
		return;
	}
	timer_init(&part->timer, part_ends);
	timer_arm(&part->timer, mono_ms() + 200);
}

static struct parts *begin_parts(struct call *call, int count, int value,
                                 void (*resume)(struct call *call))
{
	struct parts *parts =
		arena_zalloc(&call->arena, sizeof(*parts) + (size_t)count * sizeof(parts->part[0]));

	parts->count = count;
	call->user = parts;
	call_begin_parts(call, count, resume);
	for (int i = 0; i < count; i++) {
		struct part *part = &parts->part[i];

		part->call = call;
		part->value = value < 0 ? value : value + i;
		part->mail.run = part_runs;
		reactor_post((call->home + i) % reactor_count(), &part->mail);
	}
	return parts;
}

static inline void add_up(struct call *call)
{
	const struct parts *parts = call->user;
	int sum = 0;

	for (int i = 0; i < parts->count; i++)
		sum += parts->part[i].result;
	answer_text(call, "parts", sum);
}

/* "parts N": the sum of 1 to N, found out all over the place. */
static void cmd_parts(struct call *call, const char *arg)
{
	begin_parts(call, atoi(arg), 1, add_up);
}

static void too_late(struct call *call)
{
	(void)call;
	atomic_fetch_add(&resumed_late, 1);
}

static void time_is_up(struct call *call)
{
	if (call_claim(call))
		answer_text(call, "timed out", 0);
}

/* "race N": N parts of which each takes longer than the call may. */
static void cmd_race(struct call *call, const char *arg)
{
	call_timer(call, 50, time_is_up);
	begin_parts(call, atoi(arg), -1, too_late);
}

static const struct {
	const char *name;
	void (*run)(struct call *call, const char *arg);
} commands[] = {
	{ "echo ", cmd_echo },   { "wait ", cmd_wait }, { "hang ", cmd_hang },
	{ "close ", cmd_close }, { "none ", cmd_none }, { "yield ", cmd_yield },
	{ "parts ", cmd_parts }, { "race ", cmd_race },
};

static void run_command(struct call *call)
{
	char *key = str_dup(CALL_REQUEST(call, find_coordinator_request)->key);
	bool known = false;

	began();
	for (size_t i = 0; i < array_count(commands) && !known; i++) {
		size_t size = strlen(commands[i].name);

		known = strncmp(key, commands[i].name, size) == 0;
		if (known)
			commands[i].run(call, key + size);
	}
	check(known);
	mem_free(key);
}

static void answer_produce(struct call *call)
{
	const struct produce_request *r = call->request;
	struct produce_response response;
	uint32_t crc = 0;

	for (uint32_t i = 0; i < r->topic_data_count; i++)
		for (uint32_t k = 0; k < r->topic_data[i].partition_data_count; k++) {
			struct records *records = &r->topic_data[i].partition_data[k].records;

			crc = crc32c_extend(crc, records->data, records->size);
		}
	produce_response_init(&response);
	response.throttle_time_ms = (int32_t)crc;
	atomic_fetch_sub(&running, 1);
	if (r->acks)
		call_reply(call, &response);
	else
		call_reply_none(call);
}

static void run_produce(struct call *call)
{
	int32_t ms = CALL_REQUEST(call, produce_request)->timeout_ms;

	began();
	if (ms)
		call_timer(call, (uint64_t)ms, answer_produce);
	else
		answer_produce(call);
}

static uint8_t byte_at(uint64_t position)
{
	return (uint8_t)(position * 2654435761u >> 13);
}

static void fill(struct call *call, const struct fetch_request_partition *want, bool memory,
                 struct records *records)
{
	uint32_t size = (uint32_t)want->partition_max_bytes;
	struct file_slice *slice;
	uint8_t *data;

	if (memory) {
		data = arena_alloc(&call->arena, size);
		for (uint32_t i = 0; i < size; i++)
			data[i] = byte_at((uint64_t)want->fetch_offset + i);
		*records = (struct records){ .data = data, .size = size };
		return;
	}
	slice = arena_zalloc(&call->arena, sizeof(*slice));
	*slice = (struct file_slice){ file_get(file), (uint64_t)want->fetch_offset, size };
	*records = (struct records){ .size = size, .source = slice };
}

static void answer_fetch(struct call *call)
{
	const struct fetch_request *r = call->request;
	struct fetch_response response;

	fetch_response_init(&response);
	response.responses =
		arena_array(&call->arena, r->topics_count, sizeof(*response.responses));
	response.responses_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		struct fetch_response_fetchable_topic_response *topic = &response.responses[i];

		topic->topic = r->topics[i].topic;
		topic->partitions = arena_array(&call->arena, r->topics[i].partitions_count,
		                                sizeof(*topic->partitions));
		topic->partitions_count = r->topics[i].partitions_count;
		for (uint32_t k = 0; k < topic->partitions_count; k++)
			fill(call, &r->topics[i].partitions[k], str_eq(topic->topic, STR("memory")),
			     &topic->partitions[k].records);
	}
	atomic_fetch_sub(&running, 1);
	call_reply(call, &response);
}

static void run_fetch(struct call *call)
{
	int32_t ms = CALL_REQUEST(call, fetch_request)->max_wait_ms;

	began();
	if (ms)
		call_timer(call, (uint64_t)ms, answer_fetch);
	else
		answer_fetch(call);
}

const struct api_handler api_handlers[] = {
	{ API_PRODUCE, -1, true, false, run_produce },
	{ API_FETCH, -1, true, true, run_fetch },
	{ API_FIND_COORDINATOR, 3, true, false, run_command },
	{ API_API_VERSIONS, -1, true, true, api_api_versions },
};
const size_t api_handler_count = array_count(api_handlers);
