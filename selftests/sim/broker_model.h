/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_MODEL_H
#define BROKER_MODEL_H

#include <inttypes.h>
#include <string.h>

#include "base/uuid.h"
#include "sim.h"
#include "wire/errors.h"

/*
 * What clients know of a broker over all of its lives: what was acknowledged, what was seen, what
 * was asked and not answered.  The laws are here; the memory is the world's.
 */
enum {
	TOPICS_MAX = 3,
	PARTS_MAX = 3,
	OFFSETS_MAX = 4096,
	VALUES_MAX = 1 << 15,
	PIDS_MAX = 1 << 16,
	GROUPS_MAX = 2,
};

enum topic_state { ABSENT, CREATING, PRESENT, DELETING };

struct part_model {
	int64_t start_max;           /* DeleteRecords was asked up to here */
	int64_t promised;            /* below, all is there after a kill */
	int64_t synced;              /* and after a power cut */
	int64_t end;                 /* of what is known of */
	uint32_t losses;             /* power cuts that may have taken its end */
	uint32_t value[OFFSETS_MAX]; /* 0: not known */
};

struct topic_model {
	enum topic_state state;
	uint32_t life; /* topics of this name so far */
	struct uuid id;
	int32_t parts, parts_asked;
	int64_t retention_ms, retention_asked;
	bool is_synced; /* its acks survive a power cut */
	struct part_model part[PARTS_MAX];
};

struct place {
	uint32_t life; /* 0: nowhere yet */
	uint8_t topic;
	uint8_t part;
	bool is_lost; /* a power cut may have taken it */
	int64_t offset;
};

/* What a group committed of partition 0 of a topic. */
struct commit_model {
	uint32_t life; /* of the topic */
	int64_t known; /* acknowledged, or fetched; -1: nothing */
	int64_t asked;
};

struct model {
	struct topic_model topic[TOPICS_MAX];
	struct place place[VALUES_MAX]; /* of each value */
	uint32_t values;                /* given out */
	bool pid[PIDS_MAX];             /* given out */
	struct commit_model commit[GROUPS_MAX][TOPICS_MAX];
	int64_t commits;  /* asked for */
	bool has_trouble; /* this life has a disk that fails once */
};

static struct model *model;

/* What a disk that fails is answered with; the client tries again. */
static bool model_is_trouble(int16_t error)
{
	return model->has_trouble && error == WIRE_KAFKA_STORAGE_ERROR;
}

/* The topic of that time is still there; while it is being deleted it may yet survive. */
static bool model_is_same(int topic, uint32_t life)
{
	const struct topic_model *t = &model->topic[topic];

	return (t->state == PRESENT || t->state == DELETING) && t->life == life;
}

/* Topics come and go beside; so do answers about them. */
static bool model_is_going(int topic, uint32_t life, int16_t error)
{
	return (!model_is_same(topic, life) || model->topic[topic].state == DELETING) &&
	       (error == WIRE_UNKNOWN_TOPIC_OR_PARTITION || error == WIRE_UNKNOWN_TOPIC_ID ||
	        error == WIRE_NOT_LEADER_OR_FOLLOWER);
}

/* A value lies at an offset: it was acknowledged there, or read. */
static void model_found(int topic, int part, int64_t offset, uint32_t value)
{
	struct topic_model *t = &model->topic[topic];
	struct part_model *p = &t->part[part];
	struct place *place = &model->place[value];

	sim_law(value && value <= model->values, "t%d-%d holds at %" PRId64 " what nobody sent",
	        topic, part, offset);
	sim_law(offset >= 0 && offset < OFFSETS_MAX, "an offset of %" PRId64, offset);
	sim_law(!p->value[offset] || p->value[offset] == value,
	        "t%d-%d at %" PRId64 " was value %u and is %u", topic, part, offset,
	        p->value[offset], value);
	sim_law(!place->life || place->is_lost ||
	                (place->life == t->life && place->topic == topic && place->part == part &&
	                 place->offset == offset),
	        "value %u is at %" PRId64 " of t%d-%d and at %" PRId64 " of t%d-%d", value,
	        place->offset, place->topic, place->part, offset, topic, part);
	*place = (struct place){ t->life, (uint8_t)topic, (uint8_t)part, false, offset };
	p->value[offset] = value;
	if (p->end <= offset)
		p->end = offset + 1;
}

/* What was acknowledged, or could be read. */
static void model_promise(int topic, int part, int64_t end)
{
	struct part_model *p = &model->topic[topic].part[part];

	if (p->promised < end)
		p->promised = end;
	if (model->topic[topic].is_synced && p->synced < end)
		p->synced = end;
}

/* All that is there is durable: a clean stop. */
static void model_settle(void)
{
	for (int i = 0; i < TOPICS_MAX; i++)
		for (int k = 0; k < PARTS_MAX; k++)
			model->topic[i].part[k].synced = model->topic[i].part[k].promised;
}

static void model_power_cut(void)
{
	for (int i = 0; i < GROUPS_MAX; i++)
		for (int k = 0; k < TOPICS_MAX; k++)
			model->commit[i][k].known = -1; /* __consumer_offsets is not synced */
	for (int i = 0; i < TOPICS_MAX; i++)
		for (int k = 0; k < PARTS_MAX; k++) {
			struct part_model *p = &model->topic[i].part[k];

			if (!model->topic[i].is_synced || p->synced < p->promised)
				p->losses++;
			p->promised = p->synced;
		}
}

/* What a power cut took; it may come again elsewhere. */
static void model_forget(struct part_model *p, int64_t from, int64_t to)
{
	for (int64_t at = from; at < to; at++) {
		if (p->value[at])
			model->place[p->value[at]].is_lost = true;
		p->value[at] = 0;
	}
}

/* Where a partition begins and ends after a start; what lay beyond is forgotten. */
static void model_bounds(int topic, int part, int64_t start, int64_t end)
{
	struct part_model *p = &model->topic[topic].part[part];

	sim_law(end >= p->promised, "t%d-%d ends at %" PRId64 ", promised was %" PRId64, topic,
	        part, end, p->promised);
	/* Of what nothing was synced, a power cut may take the first files and leave later ones. */
	if (p->losses && !p->promised && p->start_max < start) {
		model_forget(p, 0, start);
		p->start_max = start;
	}
	sim_law(start <= p->start_max, "t%d-%d begins at %" PRId64 ", not above %" PRId64, topic,
	        part, start, p->start_max);
	model_forget(p, end, p->end);
	if (p->end > end)
		p->end = end;
	model_promise(topic, part, end);
}

static void model_created(int topic, struct uuid id)
{
	struct topic_model *t = &model->topic[topic];

	t->state = PRESENT;
	t->id = id;
	t->parts = t->parts_asked;
	t->retention_ms = t->retention_asked;
}

static void model_deleted(int topic)
{
	struct topic_model *t = &model->topic[topic];

	t->state = ABSENT;
	memset(t->part, 0, sizeof(t->part));
}

/* Asked for, with these settings. */
static void model_creating(int topic, int32_t parts, int64_t retention_ms, bool is_synced)
{
	struct topic_model *t = &model->topic[topic];

	t->state = CREATING;
	t->life++;
	t->parts_asked = parts;
	t->retention_asked = retention_ms;
	t->is_synced = is_synced;
	memset(t->part, 0, sizeof(t->part));
}

static void model_pid(int64_t pid)
{
	sim_law(pid >= 0 && pid < PIDS_MAX, "a producer id of %" PRId64, pid);
	sim_law(!model->pid[pid], "producer id %" PRId64 " was given twice", pid);
	model->pid[pid] = true;
}

#endif
