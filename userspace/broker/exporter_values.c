/* SPDX-License-Identifier: Apache-2.0 */
/* What is told once, of each API, and of each log directory. */
#include <stdio.h>

#include "broker/conn.h"
#include "broker/frame.h"
#include "exporter_private.h"
#include "wire/errors.h"

static void tell(struct emit *e, int64_t value)
{
	metric_int(e->out, e->row->name, NULL, 0, value);
}

/* ---- this broker ---- */

void value_build(struct emit *e)
{
	metric_int(e->out, e->row->name, &(struct metric_label){ "version", STR(SLUICE_VERSION) },
	           1, 1);
}

void value_start_time(struct emit *e)
{
	metric_float(e->out, e->row->name, NULL, 0, (double)(e->s->begun_ms / 1000));
}

void value_reactors(struct emit *e)
{
	tell(e, reactor_count());
}

/* ---- counters of the reactors ---- */

static void tell_shards(struct emit *e, size_t offset)
{
	uint64_t sum = 0;

	for (int i = 0; i < reactor_count(); i++) {
		const struct metrics_shard *s =
			atomic_load_explicit(&metrics_shards[i], memory_order_acquire);

		if (s)
			sum += counter_read((const struct counter *)((const char *)s + offset));
	}
	tell(e, (int64_t)sum);
}

#define SHARD_VALUE(name, field)                                                                   \
	void value_##name(struct emit *e)                                                          \
	{                                                                                          \
		tell_shards(e, offsetof(struct metrics_shard, field));                             \
	}
SHARD_VALUE(invalid_crc, invalid_crc)
SHARD_VALUE(invalid_sequence, invalid_sequence)
SHARD_VALUE(rebuilt, rebuilt)
SHARD_VALUE(fetch_evictions, fetch_evictions)

void value_fetch_sessions(struct emit *e)
{
	uint64_t made = 0;
	uint64_t ended = 0;

	for (int i = 0; i < reactor_count(); i++) {
		const struct metrics_shard *s =
			atomic_load_explicit(&metrics_shards[i], memory_order_acquire);

		if (!s)
			continue;
		ended += counter_read(&s->fetch_sessions_ended);
		made += counter_read(&s->fetch_sessions_made);
	}
	tell(e, made > ended ? (int64_t)(made - ended) : 0);
}

/* ---- connections ---- */

#define SERVER_VALUE(name, field)                                                                  \
	void value_##name(struct emit *e)                                                          \
	{                                                                                          \
		tell(e, (int64_t)conn_server_counters(e->s->broker->server).field);                \
	}
SERVER_VALUE(connections, open)
SERVER_VALUE(connections_made, accepted)
SERVER_VALUE(connections_refused, refused)
SERVER_VALUE(connections_broken, broken)
SERVER_VALUE(in_flight, calls)
SERVER_VALUE(trailing, trailing)
SERVER_VALUE(memory_waits, memory_waits)

void value_request_memory(struct emit *e)
{
	tell(e, (int64_t)frame_budget_used());
}

/* ---- replicas and the cluster ---- */

#define COUNT_VALUE(name, what)                                                                    \
	void value_##name(struct emit *e)                                                          \
	{                                                                                          \
		const struct scrape *s = e->s;                                                     \
		const struct scrape_counts *n = &s->counts;                                        \
                                                                                                   \
		(void)n;                                                                           \
		tell(e, (int64_t)(what));                                                          \
	}
COUNT_VALUE(leaders, n->leaders)
COUNT_VALUE(partitions, n->here)
COUNT_VALUE(offline_replicas, n->offline_here)
COUNT_VALUE(under_replicated, n->under_replicated)
COUNT_VALUE(under_min_isr, n->under_min_isr)
COUNT_VALUE(at_min_isr, n->at_min_isr)
COUNT_VALUE(active_controller,
            metadata_controller_id(s->broker->metadata) == metadata_node_id(s->broker->metadata))
COUNT_VALUE(active_brokers, n->brokers - n->brokers_fenced)
COUNT_VALUE(fenced_brokers, n->brokers_fenced)
COUNT_VALUE(brokers, n->brokers)
COUNT_VALUE(topics, s->image->topics.count)
COUNT_VALUE(global_partitions, n->partitions)
COUNT_VALUE(offline_partitions, n->offline)
COUNT_VALUE(imbalance, n->imbalance)
COUNT_VALUE(image_offset, s->image->offset)
COUNT_VALUE(metadata_version, s->image->metadata_version)

#define QUORUM_VALUE(name, field)                                                                  \
	void value_##name(struct emit *e)                                                          \
	{                                                                                          \
		struct metadata_quorum quorum;                                                     \
                                                                                                   \
		metadata_quorum(e->s->broker->metadata, &quorum);                                  \
		tell(e, quorum.field);                                                             \
	}
QUORUM_VALUE(raft_leader, leader_id)
QUORUM_VALUE(raft_epoch, leader_epoch)
QUORUM_VALUE(raft_high_watermark, high_watermark)
QUORUM_VALUE(raft_end, log_end_offset)

/* ---- recovery ---- */

#define RECOVERY_VALUE(name, field)                                                                \
	void value_##name(struct emit *e)                                                          \
	{                                                                                          \
		tell(e, (int64_t)partitions_progress(e->s->broker->partitions).field);             \
	}
RECOVERY_VALUE(recovery_logs, logs)
RECOVERY_VALUE(recovery_opened, opened)
RECOVERY_VALUE(recovery_failed, failed)
RECOVERY_VALUE(recovery_truncated, truncated_bytes)
RECOVERY_VALUE(recovery_indexes, indexes_rebuilt)

/* ---- groups ---- */

COUNT_VALUE(groups, s->group_states[GROUP_EMPTY] + s->group_states[GROUP_PREPARING_REBALANCE] +
                            s->group_states[GROUP_COMPLETING_REBALANCE] +
                            s->group_states[GROUP_STABLE] + s->group_states[GROUP_DEAD])
COUNT_VALUE(groups_empty, s->group_states[GROUP_EMPTY])
COUNT_VALUE(groups_preparing, s->group_states[GROUP_PREPARING_REBALANCE])
COUNT_VALUE(groups_completing, s->group_states[GROUP_COMPLETING_REBALANCE])
COUNT_VALUE(groups_stable, s->group_states[GROUP_STABLE])
COUNT_VALUE(groups_dead, s->group_states[GROUP_DEAD])
COUNT_VALUE(group_offsets, s->offsets_seen)

/* ---- APIs ---- */

/* Kafka tells a consumer's Fetch under two names; here nobody else fetches. */
static uint32_t api_names(const struct emit *e, struct str ret[2])
{
	ret[0] = str_of(e->api->name);
	ret[1] = STR("FetchConsumer");
	return e->api->key == API_FETCH ? 2 : 1;
}

void value_api_requests(struct emit *e)
{
	struct str name[2];
	uint32_t count = api_names(e, name);
	char version[8];

	for (uint32_t i = 0; i < count; i++) {
		for (int v = 0; v < API_METER_VERSIONS; v++) {
			if (!e->totals->request[v])
				continue;
			snprintf(version, sizeof(version), "%d", v);
			metric_int(e->out, e->row->name,
			           (struct metric_label[]){ { "request", name[i] },
			                                    { "version", str_of(version) } },
			           2, (int64_t)e->totals->request[v]);
		}
	}
}

void value_api_errors(struct emit *e)
{
	for (int i = 0; i < API_METER_ERRORS; i++) {
		const char *error = wire_error_name((int16_t)(i - 1));

		if (e->totals->error[i])
			metric_int(e->out, e->row->name,
			           (struct metric_label[]){ { "request", str_of(e->api->name) },
			                                    { "error", str_of(error) } },
			           2, (int64_t)e->totals->error[i]);
	}
}

void value_api_time(struct emit *e)
{
	struct str name[2];
	uint32_t count = api_names(e, name);

	for (uint32_t i = 0; i < count; i++)
		metric_histogram(e->out, e->row->name, &(struct metric_label){ "request", name[i] },
		                 1, &e->totals->time_us, 1e-3);
}

static void tell_api(struct emit *e, uint64_t value)
{
	metric_int(e->out, e->row->name, &(struct metric_label){ "request", str_of(e->api->name) },
	           1, (int64_t)value);
}

void value_api_bytes_in(struct emit *e)
{
	tell_api(e, e->totals->bytes_in);
}

void value_api_bytes_out(struct emit *e)
{
	tell_api(e, e->totals->bytes_out);
}

/* ---- log directories ---- */

void value_offline_dirs(struct emit *e)
{
	const struct partitions *p = e->s->broker->partitions;
	int64_t offline = 0;

	for (uint32_t i = 0; i < partitions_dir_count(p); i++)
		offline += partitions_dir_info(p, i).is_failed;
	tell(e, offline);
}

static struct metric_label dir_label(const struct emit *e)
{
	const char *path = partitions_dir_info(e->s->broker->partitions, e->dir).path;

	return (struct metric_label){ "logdirectory", str_of(path) };
}

static void tell_dir(struct emit *e, uint64_t value)
{
	struct metric_label label = dir_label(e);

	metric_int(e->out, e->row->name, &label, 1, (int64_t)value);
}

static void tell_dir_ns(struct emit *e, uint64_t ns)
{
	struct metric_label label = dir_label(e);

	metric_float(e->out, e->row->name, &label, 1, (double)ns / 1e9);
}

void value_dir_offline(struct emit *e)
{
	tell_dir(e, partitions_dir_info(e->s->broker->partitions, e->dir).is_failed);
}

void value_dir_free(struct emit *e)
{
	if (e->s->space[e->dir].total_bytes)
		tell_dir(e, e->s->space[e->dir].free_bytes);
}

void value_dir_size(struct emit *e)
{
	if (e->s->space[e->dir].total_bytes)
		tell_dir(e, e->s->space[e->dir].total_bytes);
}

static struct dir_counters counters_of(const struct emit *e)
{
	return dir_counters(partitions_dir_info(e->s->broker->partitions, e->dir).dir);
}

#define DIR_VALUE(name, how, field)                                                                \
	void value_##name(struct emit *e)                                                          \
	{                                                                                          \
		how(e, (uint64_t)counters_of(e).field);                                            \
	}
DIR_VALUE(dir_writes, tell_dir, write_count)
DIR_VALUE(dir_write_bytes, tell_dir, write_bytes)
DIR_VALUE(dir_slow_writes, tell_dir, write_slow_count)
DIR_VALUE(dir_slow_seconds, tell_dir_ns, write_slow_ns)
DIR_VALUE(dir_write_max, tell_dir_ns, write_ns_max)
DIR_VALUE(dir_parked, tell_dir, parked_count)
DIR_VALUE(dir_syncs, tell_dir, sync_count)
DIR_VALUE(dir_sync_max, tell_dir_ns, sync_ns_max)
DIR_VALUE(dir_dirty, tell_dir, dirty_bytes)
DIR_VALUE(dir_budget, tell_dir, dirty_bytes_budget)
