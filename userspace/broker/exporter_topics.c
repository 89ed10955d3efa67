/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of each topic, partition, group and committed offset. */
#include <stdio.h>

#include "exporter_private.h"

/* ---- topics ---- */

static void tell_topic(struct emit *e, uint64_t value)
{
	metric_int(e->out, e->row->name, &(struct metric_label){ "topic", e->topic->name }, 1,
	           (int64_t)value);
}

#define TOPIC_VALUE(what)                                                                          \
	void value_##what(struct emit *e)                                                          \
	{                                                                                          \
		if (!e->topic)                                                                     \
			metric_int(e->out, e->row->name, NULL, 0,                                  \
			           (int64_t)metrics_all_topics().what);                            \
		else if (e->meter)                                                                 \
			tell_topic(e, topic_meter_read(e->meter).what);                            \
	}
TOPIC_VALUE(messages_in)
TOPIC_VALUE(bytes_in)
TOPIC_VALUE(bytes_out)
TOPIC_VALUE(bytes_rejected)
TOPIC_VALUE(produces)
TOPIC_VALUE(produces_failed)
TOPIC_VALUE(fetches)
TOPIC_VALUE(fetches_failed)

void value_topic_partitions(struct emit *e)
{
	if (e->topic)
		tell_topic(e, e->topic->partition_count);
}

void value_topic_bytes(struct emit *e)
{
	if (!e->log)
		return;
	e->value = (int64_t)log_size(e->log);
	e->has_value = true;
}

/* ---- partitions ---- */

static void tell_partition(struct emit *e, int64_t value)
{
	char partition[16];

	snprintf(partition, sizeof(partition), "%d", e->image->index);
	metric_int(e->out, e->row->name,
	           (struct metric_label[]){ { "topic", e->topic->name },
	                                    { "partition", str_of(partition) } },
	           2, value);
}

#define LOG_VALUE(name, what)                                                                      \
	void value_##name(struct emit *e)                                                          \
	{                                                                                          \
		if (e->log)                                                                        \
			tell_partition(e, (int64_t)(what));                                        \
	}
LOG_VALUE(log_size, log_size(e->log))
LOG_VALUE(log_start, log_start_offset(e->log))
LOG_VALUE(log_end, log_end_offset(e->log))
LOG_VALUE(log_segments, log_segment_count(e->log))
LOG_VALUE(partition_current, partition_high_watermark(e->part).offset)

#define IMAGE_VALUE(name, what)                                                                    \
	void value_##name(struct emit *e)                                                          \
	{                                                                                          \
		const struct image_partition *p = e->image;                                        \
                                                                                                   \
		tell_partition(e, what);                                                           \
	}
IMAGE_VALUE(partition_leader, p->leader)
IMAGE_VALUE(partition_is_preferred, p->replicas.count && p->leader == p->replicas.id[0])
IMAGE_VALUE(partition_replicas, p->replicas.count)
IMAGE_VALUE(partition_isr, p->isr.count)
IMAGE_VALUE(partition_is_under, p->isr.count < p->replicas.count)

/* ---- groups ---- */

void value_group_members(struct emit *e)
{
	metric_int(e->out, e->row->name, &(struct metric_label){ "consumergroup", e->group->id }, 1,
	           e->group->members);
}

/* What is below the log start is gone: nobody can be behind in it. */
static bool lag_of(const struct emit *e, int64_t *ret)
{
	int64_t end;
	int64_t from = e->offset->offset;

	if (!e->log)
		return false;
	if (from < log_start_offset(e->log))
		from = log_start_offset(e->log);
	end = partition_high_watermark(e->part).offset;
	*ret = end > from ? end - from : 0;
	return true;
}

static void tell_offset(struct emit *e, int64_t value)
{
	char partition[16];

	snprintf(partition, sizeof(partition), "%d", e->offset->partition);
	metric_int(e->out, e->row->name,
	           (struct metric_label[]){ { "consumergroup", e->offset->group },
	                                    { "topic", e->offset->topic },
	                                    { "partition", str_of(partition) } },
	           3, value);
}

void value_offset_current(struct emit *e)
{
	tell_offset(e, e->offset->offset);
}

void value_offset_lag(struct emit *e)
{
	int64_t lag;

	if (lag_of(e, &lag))
		tell_offset(e, lag);
}

void value_offset_sum(struct emit *e)
{
	e->value = e->offset->offset;
	e->has_value = true;
}

void value_lag_sum(struct emit *e)
{
	e->has_value = lag_of(e, &e->value);
}
