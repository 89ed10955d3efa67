/* SPDX-License-Identifier: Apache-2.0 */
/* Row by row: where the walk of each stands, and what is told there. */
#include "base/mem.h"
#include "exporter_private.h"

enum {
	STEP_ITEMS = 256, /* partitions, offsets... in a turn */
	STEP_BYTES = 32 * 1024,
};

/* ---- one item of a walk; false: it is at its end ---- */

static bool once(struct scrape *s, struct emit *e)
{
	if (s->at++)
		return false;
	metric_values[s->row].tell(e);
	return true;
}

static bool each_api(struct scrape *s, struct emit *e)
{
	struct api_totals totals;

	if (s->at > WIRE_API_MAX)
		return false;
	e->api = wire_api_find((int16_t)s->at++);
	if (!e->api)
		return true;
	metrics_api_read(e->api->key, &totals);
	e->totals = &totals;
	if (totals.requests)
		metric_values[s->row].tell(e);
	return true;
}

static bool each_dir(struct scrape *s, struct emit *e)
{
	if (s->at >= partitions_dir_count(s->broker->partitions))
		return false;
	e->dir = (uint32_t)s->at++;
	metric_values[s->row].tell(e);
	return true;
}

static const struct topic_meter *meter_of(const struct scrape *s, const struct image_topic *t)
{
	struct partition *part = NULL;

	/* Partitions share it; the first is nearly always here. */
	for (uint32_t i = 0; !part && i < t->partition_count && i < STEP_ITEMS; i++)
		part = partitions_find(s->broker->partitions, t->id, t->partition[i]->index);
	return part ? part->meter : NULL;
}

static bool each_topic(struct scrape *s, struct emit *e)
{
	if (!s->at++) {
		metric_values[s->row].tell(e);
		s->has_topic = s->has_topics && pmap_first(&s->image->topics, &s->topic);
		return true;
	}
	if (!s->has_topic)
		return false;
	e->topic = image_value_of(struct image_topic, s->topic.entry);
	e->meter = meter_of(s, e->topic);
	metric_values[s->row].tell(e);
	s->has_topic = pmap_next(&s->topic);
	return true;
}

static void stand_at(const struct scrape *s, struct emit *e, const struct image_topic *t,
                     const struct image_partition *p)
{
	enum partition_role role;

	e->topic = t;
	e->image = p;
	e->part = partitions_find(s->broker->partitions, t->id, p->index);
	if (!e->part)
		return;
	role = partition_facts(e->part)->role;
	if (role != PARTITION_OPENING && role != PARTITION_GONE)
		e->log = e->part->log;
}

/* The next partition; false: there is none left of this topic, which is e->topic. */
static bool next_partition(struct scrape *s, struct emit *e)
{
	const struct image_topic *t = image_value_of(struct image_topic, s->topic.entry);

	e->topic = t;
	if (s->partition < t->partition_count) {
		stand_at(s, e, t, t->partition[s->partition++]);
		return true;
	}
	s->partition = 0;
	s->has_topic = pmap_next(&s->topic);
	return false;
}

static bool each_partition(struct scrape *s, struct emit *e)
{
	bool sums = metric_values[s->row].walk == WALK_TOPIC_SUM;

	if (!s->at++)
		s->has_topic = (sums ? s->has_topics : s->has_partitions) &&
		               pmap_first(&s->image->topics, &s->topic);
	if (!s->has_topic)
		return false;
	if (next_partition(s, e)) {
		metric_values[s->row].tell(e);
		s->sum += e->value;
		s->has_sum |= e->has_value;
		return true;
	}
	if (s->has_sum)
		metric_int(e->out, e->row->name, &(struct metric_label){ "topic", e->topic->name },
		           1, s->sum);
	s->sum = 0;
	s->has_sum = false;
	return true;
}

static bool each_group(struct scrape *s, struct emit *e)
{
	if (s->at >= s->group_count || s->group_count > EXPORTER_SERIES)
		return false;
	e->group = &s->group[s->at++];
	metric_values[s->row].tell(e);
	return true;
}

static void stand_at_offset(const struct scrape *s, struct emit *e, const struct scrape_offset *o)
{
	const struct image_topic *t = image_topic_by_name(s->image, o->topic);
	const struct image_partition *p = t ? image_topic_partition(t, o->partition) : NULL;

	e->offset = o;
	if (p)
		stand_at(s, e, t, p);
}

static bool each_offset(struct scrape *s, struct emit *e)
{
	if (s->at >= s->offset_count || !s->has_offsets)
		return false;
	stand_at_offset(s, e, &s->offset[s->at++]);
	metric_values[s->row].tell(e);
	return true;
}

static bool each_offset_sum(struct scrape *s, struct emit *e)
{
	const struct scrape_offset *o = &s->offset[s->at];
	bool is_last;

	if (s->at >= s->offset_count)
		return false;
	s->at++;
	is_last = s->at == s->offset_count || !str_eq(o[1].group, o->group) ||
	          !str_eq(o[1].topic, o->topic);
	stand_at_offset(s, e, o);
	metric_values[s->row].tell(e);
	s->sum += e->value;
	s->has_sum |= e->has_value;
	if (!is_last)
		return true;
	if (s->has_sum)
		metric_int(e->out, e->row->name,
		           (struct metric_label[]){ { "consumergroup", o->group },
		                                    { "topic", o->topic } },
		           2, s->sum);
	s->sum = 0;
	s->has_sum = false;
	return true;
}

static bool tell_item(struct scrape *s, struct emit *e)
{
	switch (metric_values[s->row].walk) {
	case WALK_ONCE:
		return once(s, e);
	case WALK_API:
		return each_api(s, e);
	case WALK_DIR:
		return each_dir(s, e);
	case WALK_TOPIC:
		return each_topic(s, e);
	case WALK_TOPIC_SUM:
	case WALK_PARTITION:
		return each_partition(s, e);
	case WALK_GROUP:
		return each_group(s, e);
	case WALK_OFFSET:
		return each_offset(s, e);
	case WALK_OFFSET_SUM:
		return each_offset_sum(s, e);
	}
	return false;
}

/* ---- all of it ---- */

/* A family without samples is left out: its head is written with the first one. */
static void tell_some(struct scrape *s, struct buf *out, const struct metric_row *row)
{
	struct emit e = { .s = s, .out = out, .row = row };
	size_t before = out->size;
	size_t head;

	if (!s->has_begun)
		metric_family(out, row->name, row->type, row->help);
	head = out->size;
	if (!tell_item(s, &e)) {
		out->size = before;
		s->row++;
		s->at = 0;
		s->has_begun = false;
		return;
	}
	if (out->size == head)
		out->size = before;
	else
		s->has_begun = true;
}

static void tell_bounds(struct scrape *s, struct buf *out)
{
	struct buf text = { 0 };

	if (!s->has_topics)
		buf_printf(&text, "%zu topics: there are no series of each. ",
		           s->image->topics.count);
	if (!s->has_partitions)
		buf_printf(&text, "%u partitions: there are no series of each%s. ",
		           s->counts.partitions,
		           s->per_partition ? "" : " (sluice.metrics.per.partition=false)");
	if (!s->has_offsets)
		buf_printf(&text, "%llu committed offsets: there are only sums. ",
		           (unsigned long long)s->offsets_seen);
	if (s->offsets_seen > s->offset_count)
		buf_printf(&text, "Only the first %zu committed offsets are told. ",
		           s->offset_count);
	if (s->group_count > EXPORTER_SERIES)
		buf_printf(&text, "%zu groups: there are no members of each. ", s->group_count);
	if (text.size) {
		text.data[text.size - 1] = '\0';
		metric_comment(out, (const char *)text.data);
	}
	buf_fini(&text);
}

void scrape_step(struct scrape *s, struct buf *out)
{
	size_t from = out->size;
	size_t row_count;
	const struct metric_row *row = metrics_table(&row_count);

	if (s->phase < SCRAPE_TELL) {
		scrape_look(s);
		if (s->phase == SCRAPE_TELL)
			tell_bounds(s, out);
		return;
	}
	for (int n = 0; n < STEP_ITEMS && out->size - from < STEP_BYTES; n++) {
		if (s->row == row_count) {
			s->phase = SCRAPE_DONE;
			return;
		}
		tell_some(s, out, &row[s->row]);
	}
}

struct scrape *scrape_new(struct broker *broker, int64_t begun_ms, void (*ready)(void *arg),
                          void *arg)
{
	struct scrape *s = mem_zalloc(sizeof(*s));

	s->broker = broker;
	s->image = image_get(metadata_image(broker->metadata));
	s->begun_ms = begun_ms;
	s->per_partition = config_bool(broker_config(broker), CONFIG_SLUICE_METRICS_PER_PARTITION);
	s->ready = ready;
	s->arg = arg;
	arena_init(&s->arena, SIZE_MAX);
	return s;
}

void scrape_drop(struct scrape *s)
{
	if (!s)
		return;
	s->is_dropped = true;
	if (s->is_waiting)
		return;
	image_put(s->image);
	arena_fini(&s->arena);
	mem_free(s->space);
	mem_free(s->offset);
	mem_free(s->group);
	mem_free(s);
}
