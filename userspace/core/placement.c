/* SPDX-License-Identifier: Apache-2.0 */
#include "placement.h"

#include <stdlib.h>

struct brokers {
	int32_t *id;
	uint32_t count;
	uint32_t index;  /* of the next to give in this round */
	uint32_t offset; /* where a round begins; moves on by one a round */
	uint32_t round;
};

struct rack {
	struct str name;
	struct brokers fenced;
	struct brokers unfenced;
};

struct placement {
	struct arena *arena;
	struct prng *prng;
	struct rack *rack;
	uint32_t rack_count;
	uint32_t broker_count;
	uint32_t unfenced_count;
	uint32_t offset;
	uint32_t round;
	struct str error;
};

static struct rack *rack_at(struct placement *p, struct str name, uint32_t capacity)
{
	struct rack *rack;

	for (uint32_t i = 0; i < p->rack_count; i++)
		if (str_eq(p->rack[i].name, name))
			return &p->rack[i];
	rack = &p->rack[p->rack_count++];
	rack->name = name;
	rack->fenced.id = arena_array(p->arena, capacity, sizeof(int32_t));
	rack->unfenced.id = arena_array(p->arena, capacity, sizeof(int32_t));
	return rack;
}

static int rack_order(const void *a, const void *b)
{
	return str_cmp(((const struct rack *)a)->name, ((const struct rack *)b)->name);
}

static int id_order(const void *a, const void *b)
{
	int32_t left = *(const int32_t *)a;
	int32_t right = *(const int32_t *)b;

	return (left > right) - (left < right);
}

static void brokers_start(struct brokers *b, struct prng *prng)
{
	if (!b->count)
		return;
	qsort(b->id, b->count, sizeof(*b->id), id_order);
	b->offset = (uint32_t)prng_below(prng, b->count);
}

struct placement *placement_new(struct arena *arena, struct prng *prng,
                                const struct placement_broker *broker, uint32_t count)
{
	struct placement *p = arena_zalloc(arena, sizeof(*p));

	p->arena = arena;
	p->prng = prng;
	p->rack = arena_array(arena, count, sizeof(*p->rack));
	for (uint32_t i = 0; i < count; i++) {
		struct rack *rack = rack_at(p, broker[i].rack, count);
		struct brokers *b = broker[i].fenced ? &rack->fenced : &rack->unfenced;

		b->id[b->count++] = broker[i].id;
		p->unfenced_count += !broker[i].fenced;
	}
	p->broker_count = count;
	if (p->rack_count) {
		qsort(p->rack, p->rack_count, sizeof(*p->rack), rack_order);
		p->offset = (uint32_t)prng_below(prng, p->rack_count);
	}
	for (uint32_t i = 0; i < p->rack_count; i++) {
		brokers_start(&p->rack[i].fenced, prng);
		brokers_start(&p->rack[i].unfenced, prng);
	}
	return p;
}

const struct str *placement_error(struct placement *p, int16_t replication_factor)
{
	if (!p->unfenced_count)
		p->error = STR("All brokers are currently fenced, or have all their log "
		               "directories cordoned.");
	else if ((uint32_t)replication_factor > p->broker_count)
		p->error = arena_printf(p->arena,
		                        "The target replication factor of %d cannot be reached "
		                        "because only %u broker(s) are registered or some brokers "
		                        "have all their log directories cordoned.",
		                        replication_factor, p->broker_count);
	else
		return NULL;
	return &p->error;
}

static int32_t brokers_next(struct brokers *b, uint32_t round)
{
	if (!b->count)
		return -1;
	if (b->round != round) {
		b->round = round;
		b->index = 0;
		b->offset = (b->offset + 1) % b->count;
	}
	if (b->index >= b->count)
		return -1;
	return b->id[(b->index++ + b->offset) % b->count];
}

static void shuffle_ids(struct prng *prng, struct brokers *b)
{
	for (uint32_t i = b->count; i > 1; i--) {
		uint32_t j = (uint32_t)prng_below(prng, i);
		int32_t id = b->id[j];

		b->id[j] = b->id[i - 1];
		b->id[i - 1] = id;
	}
}

static void shuffle(struct placement *p)
{
	for (uint32_t i = p->rack_count; i > 1; i--) {
		uint32_t j = (uint32_t)prng_below(p->prng, i);
		struct rack rack = p->rack[j];

		p->rack[j] = p->rack[i - 1];
		p->rack[i - 1] = rack;
	}
	for (uint32_t i = 0; i < p->rack_count; i++) {
		shuffle_ids(p->prng, &p->rack[i].fenced);
		shuffle_ids(p->prng, &p->rack[i].unfenced);
	}
}

static uint32_t place_leader(struct placement *p, int32_t *ret)
{
	for (uint32_t at = p->offset;; at = (at + 1) % p->rack_count) {
		*ret = brokers_next(&p->rack[at].unfenced, p->round);
		if (*ret >= 0)
			return at;
	}
}

static int32_t rack_next(struct rack *rack, uint32_t round)
{
	int32_t id = brokers_next(&rack->unfenced, round);

	return id >= 0 ? id : brokers_next(&rack->fenced, round);
}

/* The leader's rack is passed over once, so that followers go elsewhere first. */
void placement_next(struct placement *p, int16_t replication_factor, int32_t *ret)
{
	uint32_t leader_rack;
	bool passed = false;
	uint32_t at;

	check(replication_factor > 0 && !placement_error(p, replication_factor));

	if (p->round == p->unfenced_count && p->unfenced_count > 1) {
		shuffle(p);
		p->round = 0;
	}
	p->offset %= p->rack_count;
	leader_rack = place_leader(p, &ret[0]);
	at = p->offset;
	for (int16_t i = 1; i < replication_factor;) {
		if (at == leader_rack && !passed) {
			passed = true;
		} else {
			ret[i] = rack_next(&p->rack[at], p->round);
			if (ret[i] >= 0)
				i++;
		}
		at = (at + 1) % p->rack_count;
	}
	p->round++;
	p->offset++;
}
