/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/api.h"
#include "broker/broker.h"
#include "broker/call.h"
#include "broker/diag.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "targets.h"
#include "wire/alter_replica_log_dirs.h"

/*
 * ReplicaManager.alterReplicaLogDirs.  A replica that is where it shall be is done; one that would
 * have to move from one directory to another is refused with KAFKA_STORAGE_ERROR, which Kafka
 * answers where no future log can be made: logs do not move here.  Kafka keeps partitions in a
 * map: of one that is named twice the later directory counts.
 */
enum {
	DIR_NAME_MAX = 255, /* topic-partition.uuid-future must be a file name */
	SURVEY_TURN = 1024,
};

/* "." and 32 digits and "-future" */
enum { FUTURE_SUFFIX = 1 + 32 + 7 };

struct moving {
	struct targets targets;
	int *dir; /* of each target, -1: there is no such */
	uint32_t at_dir, at_topic, at_partition;
	int found; /* of at_dir */
	struct target_topic *at;
};

static struct diag_limit say_refused;

static int dir_find(const struct partitions *p, struct str path)
{
	for (uint32_t i = 0; i < partitions_dir_count(p); i++)
		if (str_eq(str_of(partitions_dir_info(p, i).path), path))
			return (int)i;
	return -1;
}

static uint32_t digits(int32_t value)
{
	uint32_t count = value < 0;

	do
		count++;
	while (value /= 10);
	return count;
}

static int16_t judge(struct call *call, const struct target_topic *topic, int32_t index, int dir)
{
	const struct broker *broker = call->broker;
	const struct partitions *p = broker->partitions;
	struct partition *part;
	enum partition_role role;
	int16_t error;

	if (topic->name.size + 1 + digits(index) + FUTURE_SUFFIX > DIR_NAME_MAX)
		return WIRE_INVALID_TOPIC_EXCEPTION;
	if (dir < 0)
		return WIRE_LOG_DIR_NOT_FOUND;
	if (partitions_dir_info(p, (uint32_t)dir).is_failed)
		return WIRE_KAFKA_STORAGE_ERROR;
	error = partitions_by_name(p, metadata_image(broker->metadata), topic->name, index, &part);
	if (error)
		return error == WIRE_NOT_LEADER_OR_FOLLOWER ? WIRE_REPLICA_NOT_AVAILABLE : error;
	role = partition_facts(part)->role;
	if (role == PARTITION_GONE)
		return WIRE_UNKNOWN_TOPIC_OR_PARTITION;
	if (role == PARTITION_OFFLINE)
		return WIRE_KAFKA_STORAGE_ERROR;
	if (partitions_dir_of(p, part) == dir)
		return WIRE_NONE;
	diag_limited(&say_refused, DIAG_WARN, "log",
	             "%s stays in its log directory: moving it to %s is not there yet", part->name,
	             partitions_dir_info(p, (uint32_t)dir).path);
	return WIRE_KAFKA_STORAGE_ERROR;
}

static bool
tell_topic(struct call *call, const struct target_topic *topic,
           struct alter_replica_log_dirs_response_alter_replica_log_dir_topic_result *ret)
{
	const struct moving *m = call->user;

	ret->topic_name = topic->name;
	ret->partitions = arena_array(&call->arena, topic->count, sizeof(*ret->partitions));
	if (!ret->partitions)
		return false;
	for (uint32_t i = topic->first; i; i = m->targets.target[i].next) {
		int32_t index = m->targets.target[i].index;

		ret->partitions[ret->partitions_count].partition_index = index;
		ret->partitions[ret->partitions_count++].error_code =
			judge(call, topic, index, m->dir[i]);
	}
	return true;
}

static void answer(struct call *call)
{
	const struct moving *m = call->user;
	const struct targets *t = &m->targets;
	struct alter_replica_log_dirs_response response;

	alter_replica_log_dirs_response_init(&response);
	response.results = arena_array(&call->arena, t->topic_count, sizeof(*response.results));
	for (uint32_t i = 0; response.results && i < t->topic_count; i++)
		if (t->topic[i].count &&
		    !tell_topic(call, &t->topic[i], &response.results[response.results_count++]))
			response.results = NULL;
	if (response.results)
		call_reply(call, &response);
	else
		call_close(call);
}

/* One partition, topic or directory further; false: memory is out. */
static bool survey_step(struct call *call)
{
	const struct alter_replica_log_dirs_request *r = call->request;
	const struct alter_replica_log_dirs_request_alter_replica_log_dir *dir;
	struct moving *m = call->user;

	dir = &r->dirs[m->at_dir];
	if (m->at_topic == dir->topics_count) {
		m->at_dir++;
		m->at_topic = 0;
		m->at = NULL;
		return true;
	}
	if (!m->at_topic && !m->at)
		m->found = dir_find(call->broker->partitions, dir->path);
	if (!m->at)
		m->at = targets_topic(&m->targets, metadata_image(call->broker->metadata),
		                      dir->topics[m->at_topic].name, UUID_ZERO,
		                      dir->topics[m->at_topic].partitions_count);
	if (!m->at)
		return false;
	if (m->at_partition < dir->topics[m->at_topic].partitions_count) {
		uint32_t i = targets_partition(
			&m->targets, m->at, dir->topics[m->at_topic].partitions[m->at_partition++]);

		m->dir[i] = m->found;
		return true;
	}
	m->at = NULL;
	m->at_partition = 0;
	m->at_topic++;
	return true;
}

static void survey(struct call *call)
{
	const struct alter_replica_log_dirs_request *r = call->request;
	struct moving *m = call->user;
	int steps = 0;

	while (m->at_dir < r->dirs_count) {
		if (steps++ == SURVEY_TURN) {
			call_yield(call, survey);
			return;
		}
		if (!survey_step(call)) {
			targets_end(&m->targets);
			call_close(call);
			return;
		}
	}
	targets_end(&m->targets);
	answer(call);
}

void api_alter_replica_log_dirs(struct call *call)
{
	const struct alter_replica_log_dirs_request *r = call->request;
	struct moving *m = arena_zalloc(&call->arena, sizeof(*m));
	size_t targets = 0;
	size_t topics = 0;

	for (uint32_t i = 0; i < r->dirs_count; i++) {
		topics += r->dirs[i].topics_count;
		for (uint32_t j = 0; j < r->dirs[i].topics_count; j++)
			targets += r->dirs[i].topics[j].partitions_count;
	}
	if (m)
		m->dir = arena_array(&call->arena, targets + 1, sizeof(*m->dir));
	if (!m || !m->dir ||
	    !targets_init(&m->targets, &call->arena, (uint32_t)topics, targets, false)) {
		call_close(call);
		return;
	}
	call->user = m;
	survey(call);
}
