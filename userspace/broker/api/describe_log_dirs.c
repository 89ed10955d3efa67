/* SPDX-License-Identifier: Apache-2.0 */
/* Directories and the sizes of the logs in them (kafka.server.ReplicaManager.describeLogDirs). */
#include "wire/describe_log_dirs.h"

#include <stdlib.h>

#include "broker/api.h"
#include "broker/broker.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "io/work.h"
#include "partition_table.h"

enum { MEASURE_STEP = 64 /* partitions at a time */ };

struct measured {
	struct call *call;
	struct partition *part; /* a reference */
	struct work work;
	bool is_awaited;
	int dir; /* -1: there is no log */
	int64_t size;
	int64_t lag;
};

struct measured_dir {
	struct dir *dir; /* NULL: it cannot be used */
	int err;
	struct dir_space space;
};

struct describe {
	struct call *call;
	struct measured *part;
	size_t count;
	size_t next;
	struct measured_dir *dir;
	uint32_t dir_count;
	struct job job;
};

/* ---- the response ---- */

static int64_t bytes_of(uint64_t bytes)
{
	return bytes < INT64_MAX ? (int64_t)bytes : INT64_MAX;
}

static bool is_cordoned(const struct call *call, struct uuid dir)
{
	const struct image_node *node =
		image_broker(metadata_image(call->broker->metadata), call->broker->node_id);

	for (uint32_t i = 0; node && i < node->cordoned_dir_count; i++) {
		if (uuid_eq(node->cordoned_dir[i], dir))
			return true;
	}
	return false;
}

/* Partitions are in the order of topics: those of one topic follow each other. */
static bool add_topics(struct describe *d, int dir,
                       struct describe_log_dirs_response_result *result)
{
	struct arena *arena = &d->call->arena;
	struct describe_log_dirs_response_partition *partition;
	struct describe_log_dirs_response_topic *topic = NULL;
	const struct partition *last = NULL;

	result->topics = arena_array(arena, d->count, sizeof(*result->topics));
	partition = arena_array(arena, d->count, sizeof(*partition));
	if (!result->topics || !partition)
		return false;
	for (size_t i = 0; i < d->count; i++) {
		const struct measured *m = &d->part[i];

		if (m->dir != dir)
			continue;
		if (!last || !uuid_eq(last->topic_id, m->part->topic_id)) {
			topic = &result->topics[result->topics_count++];
			topic->name = m->part->topic;
			topic->partitions = partition;
		}
		last = m->part;
		topic->partitions_count++;
		*partition++ = (struct describe_log_dirs_response_partition){
			.partition_index = m->part->index,
			.partition_size = m->size,
			.offset_lag = m->lag,
		};
	}
	return true;
}

static bool add_result(struct describe *d, uint32_t i, struct describe_log_dirs_response_result *r)
{
	const struct partitions *partitions = d->call->broker->partitions;
	struct partitions_dir_info info = partitions_dir_info(partitions, i);

	r->log_dir = str_of(dir_absolute_path(info.dir));
	r->topics = WIRE_EMPTY;
	r->total_bytes = -1;
	r->usable_bytes = -1;
	if (!d->dir[i].dir || d->dir[i].err) {
		r->error_code = WIRE_KAFKA_STORAGE_ERROR;
		return true;
	}
	r->total_bytes = bytes_of(d->dir[i].space.total_bytes);
	r->usable_bytes = bytes_of(d->dir[i].space.free_bytes);
	r->is_cordoned = is_cordoned(d->call, info.id);
	return add_topics(d, (int)i, r);
}

static void reply(struct describe *d)
{
	struct call *call = d->call;
	struct describe_log_dirs_response response;
	bool built;

	describe_log_dirs_response_init(&response);
	response.results = arena_array(&call->arena, d->dir_count, sizeof(*response.results));
	response.results_count = d->dir_count;
	built = response.results;
	for (uint32_t i = 0; i < d->dir_count && built; i++)
		built = add_result(d, i, &response.results[i]);
	for (size_t i = 0; i < d->count; i++)
		partition_put(d->part[i].part);
	if (built)
		call_reply(call, &response);
	else
		call_close(call);
}

/* ---- measuring ---- */

static void run_space(struct job *job)
{
	struct describe *d = container_of(job, struct describe, job);

	for (uint32_t i = 0; i < d->dir_count; i++) {
		if (d->dir[i].dir)
			d->dir[i].err = dir_space(d->dir[i].dir, &d->dir[i].space);
	}
}

static void space_done(struct job *job)
{
	reply(container_of(job, struct describe, job));
}

static void measure(struct measured *m)
{
	enum partition_role role = partition_facts(m->part)->role;
	const struct log *log = m->part->log;

	m->dir = -1;
	if (role != PARTITION_LEADER && role != PARTITION_FOLLOWER)
		return;
	m->dir = partitions_dir_of(m->call->broker->partitions, m->part);
	m->size = bytes_of(log_size(log));
	m->lag = partition_high_watermark(m->part).offset - log_end_offset(log);
	if (m->lag < 0)
		m->lag = 0;
}

static void measure_on(struct call *call)
{
	struct describe *d = call->user;

	for (int n = 0; d->next < d->count; d->next++) {
		if (n++ == MEASURE_STEP) {
			call_yield(call, measure_on);
			return;
		}
		measure(&d->part[d->next]);
	}
	d->job.run = run_space;
	d->job.done = space_done;
	work_submit(WORK_FAST, &d->job);
}

static void run_opened(struct work *work)
{
	call_part_done(container_of(work, struct measured, work)->call);
}

/* What is being made or recovered is there when it is told of. */
static void await_open(struct call *call)
{
	struct describe *d = call->user;
	int count = 0;

	for (size_t i = 0; i < d->count; i++) {
		struct measured *m = &d->part[i];

		m->is_awaited = partition_facts(m->part)->role == PARTITION_OPENING;
		count += m->is_awaited;
	}
	if (!count) {
		measure_on(call);
		return;
	}
	call_begin_parts(call, count, measure_on);
	for (size_t i = 0; i < d->count; i++) {
		struct measured *m = &d->part[i];

		m->work.run = run_opened;
		if (m->is_awaited)
			partition_await(m->part, &m->work);
	}
}

/* ---- which ---- */

static void count_part(void *arg, struct partition *part)
{
	struct describe *d = arg;

	(void)part;
	d->count++;
}

static void add_part(void *arg, struct partition *part)
{
	struct describe *d = arg;

	d->part[d->count++] = (struct measured){ .call = d->call, .part = partition_get(part) };
}

static bool take_all(struct describe *d)
{
	const struct partitions *partitions = d->call->broker->partitions;

	partitions_each(partitions, count_part, d);
	d->part = arena_array(&d->call->arena, d->count, sizeof(*d->part));
	d->count = 0;
	if (d->part)
		partitions_each(partitions, add_part, d);
	return d->part;
}

static int compare(const void *a, const void *b)
{
	const struct partition *x = ((const struct measured *)a)->part;
	const struct partition *y = ((const struct measured *)b)->part;
	int order = memcmp(&x->topic_id, &y->topic_id, sizeof(x->topic_id));

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void take(struct describe *d, struct partition_table *table, struct str topic, int32_t index)
{
	const struct broker *broker = d->call->broker;
	struct partition_key key = { .topic = topic, .partition = index };
	struct partition *part;

	if (partitions_by_name(broker->partitions, metadata_image(broker->metadata), topic, index,
	                       &part) == WIRE_NONE &&
	    !partition_table_add(table, &key, part))
		add_part(d, part);
}

static bool take_named(struct describe *d, const struct describe_log_dirs_request *r)
{
	struct partition_table table;
	size_t count = 0;

	for (uint32_t i = 0; i < r->topics_count; i++)
		count += r->topics[i].partitions_count;
	d->part = arena_array(&d->call->arena, count, sizeof(*d->part));
	if (!d->part || !partition_table_init(&table, &d->call->arena, count))
		return false;
	for (uint32_t i = 0; i < r->topics_count; i++) {
		for (uint32_t j = 0; j < r->topics[i].partitions_count; j++)
			take(d, &table, r->topics[i].topic, r->topics[i].partitions[j]);
	}
	if (d->count)
		qsort(d->part, d->count, sizeof(*d->part), compare);
	return true;
}

static bool take_dirs(struct describe *d)
{
	const struct partitions *partitions = d->call->broker->partitions;

	d->dir_count = partitions_dir_count(partitions);
	d->dir = arena_array(&d->call->arena, d->dir_count, sizeof(*d->dir));
	for (uint32_t i = 0; d->dir && i < d->dir_count; i++) {
		struct partitions_dir_info info = partitions_dir_info(partitions, i);

		d->dir[i].dir = info.is_failed ? NULL : info.dir;
	}
	return d->dir;
}

void api_describe_log_dirs(struct call *call)
{
	const struct describe_log_dirs_request *r = call->request;
	struct describe *d = arena_zalloc(&call->arena, sizeof(*d));
	bool taken = false;

	if (d) {
		d->call = call;
		call->user = d;
		taken = take_dirs(d) && (r->topics ? take_named(d, r) : take_all(d));
	}
	if (taken)
		await_open(call);
	else
		call_close(call);
}
