/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "broker/diag.h"
#include "broker/storage.h"
#include "telemetry_private.h"
#include "wire/batch.h"
#include "wire/errors.h"

enum {
	INSTANCES_MAX = 16384, /* of the oldest ones is let go */
	EXPIRE_MIN_MS = 60 * 1000,
	EXPIRE_INTERVALS = 3,
	SWEEP_MS = 30 * 1000,
	NEVER_MS = 0,
};

struct instance {
	struct map_node node;
	struct list link; /* by last use, oldest first */
	struct uuid id;
	char *attribute[CLIENT_ATTRIBUTES]; /* NULL: not known */
	uint64_t version;                   /* of the subscriptions that it was matched with */
	struct telemetry_metrics *metrics;
	int32_t interval_ms;
	int32_t subscription_id;
	uint64_t got_ms; /* NEVER_MS at first */
	uint64_t pushed_ms;
	uint64_t used_ms;
	bool is_terminating;
	int16_t last_error;
};

struct telemetry {
	uint32_t bytes_max;
	struct map map;
	struct list used;
	struct subscriptions *subscriptions;
	uint64_t version;
	struct timer sweep;
	_Atomic(uint64_t) pushes, bytes, throttled, unknown;
	_Atomic(uint32_t) instances;
};

static void count(_Atomic(uint64_t) *counter, uint64_t more)
{
	atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* ---- instances ---- */

static struct instance *find(const struct telemetry *t, struct uuid id)
{
	uint64_t hash = hash_bytes(id.byte, sizeof(id.byte));

	for (struct map_node *n = map_first(&t->map, hash); n; n = map_next(n)) {
		struct instance *i = container_of(n, struct instance, node);

		if (uuid_eq(i->id, id))
			return i;
	}
	return NULL;
}

static void let_go(struct telemetry *t, struct instance *i)
{
	map_remove(&t->map, &i->node);
	list_remove(&i->link);
	for (int k = 0; k < CLIENT_ATTRIBUTES; k++)
		mem_free(i->attribute[k]);
	object_put(&i->metrics->object);
	mem_free(i);
	atomic_fetch_sub_explicit(&t->instances, 1, memory_order_relaxed);
}

/* java.util.UUID's and org.apache.kafka.common.Uuid's hashCode(). */
static int32_t uuid_hash(struct uuid id)
{
	uint64_t mixed = load_be64(id.byte) ^ load_be64(id.byte + 8);

	return (int32_t)((uint32_t)(mixed >> 32) ^ (uint32_t)mixed);
}

/*
 * CRC-32C of "[a, b]" and the interval, mixed with the instance's id: the same on every broker of a
 * cluster, for names are sorted.
 */
static int32_t subscription_id(const struct instance *i)
{
	struct buf text = { 0 };
	uint32_t crc;

	for (uint32_t k = 0; k < i->metrics->count; k++)
		buf_printf(&text, "%s%.*s", k ? ", " : "[", STR_ARG(i->metrics->name[k]));
	buf_printf(&text, "%s]%d", i->metrics->count ? "" : "[", i->interval_ms);
	crc = crc32c(text.data, text.size);
	buf_fini(&text);
	return (int32_t)crc ^ uuid_hash(i->id);
}

static void match(struct telemetry *t, struct instance *i)
{
	struct str attribute[CLIENT_ATTRIBUTES];

	for (int k = 0; k < CLIENT_ATTRIBUTES; k++)
		attribute[k] = str_of(i->attribute[k]);
	if (i->metrics)
		object_put(&i->metrics->object);
	i->metrics = subscriptions_match(t->subscriptions, attribute, &i->interval_ms);
	i->subscription_id = subscription_id(i);
	i->version = t->version;
}

static char *copy(struct str text)
{
	return text.data ? str_dup(text) : NULL;
}

static struct instance *make(struct telemetry *t, struct uuid id, const struct telemetry_client *c)
{
	struct instance *i = mem_zalloc(sizeof(*i));
	char text[UUID_TEXT_SIZE + 1];
	char port[8];

	if (t->map.count >= INSTANCES_MAX)
		let_go(t, list_entry(t->used.next, struct instance, link));
	i->id = id;
	uuid_format(id, text);
	snprintf(port, sizeof(port), "%u", c->port);
	i->attribute[CLIENT_INSTANCE_ID] = str_dup(str_of(text));
	i->attribute[CLIENT_ID] = copy(c->client_id);
	i->attribute[CLIENT_SOFTWARE_NAME] = copy(c->software_name);
	i->attribute[CLIENT_SOFTWARE_VERSION] = copy(c->software_version);
	i->attribute[CLIENT_SOURCE_ADDRESS] = copy(c->host);
	i->attribute[CLIENT_SOURCE_PORT] = str_dup(str_of(port));
	match(t, i);
	map_insert(&t->map, &i->node, hash_bytes(id.byte, sizeof(id.byte)));
	list_push(&t->used, &i->link);
	atomic_fetch_add_explicit(&t->instances, 1, memory_order_relaxed);
	return i;
}

/* Other subscriptions make another instance of the same client: it may ask and push at once. */
static void renew(struct telemetry *t, struct instance *i)
{
	i->got_ms = i->pushed_ms = NEVER_MS;
	i->is_terminating = false;
	i->last_error = WIRE_NONE;
	match(t, i);
}

static struct instance *instance_of(struct telemetry *t, struct telemetry_request *r)
{
	struct instance *i;

	while (uuid_is_zero(r->instance))
		r->instance = storage_random_uuid();
	i = find(t, r->instance);
	if (!i) {
		i = make(t, r->instance, &r->client);
		r->is_new = true;
	} else if (i->version < t->version) {
		renew(t, i);
		r->is_new = true;
	}
	i->used_ms = mono_ms();
	list_remove(&i->link);
	list_push(&t->used, &i->link);
	if (!timer_is_armed(&t->sweep))
		timer_arm(&t->sweep, mono_ms() + SWEEP_MS);
	return i;
}

static void sweep(struct timer *timer)
{
	struct telemetry *t = container_of(timer, struct telemetry, sweep);
	uint64_t now = mono_ms();

	list_each_safe(pos, tmp, &t->used)
	{
		struct instance *i = list_entry(pos, struct instance, link);
		uint64_t keep_ms = (uint64_t)i->interval_ms * EXPIRE_INTERVALS;

		if (keep_ms < EXPIRE_MIN_MS)
			keep_ms = EXPIRE_MIN_MS;
		if (now >= i->used_ms + keep_ms)
			let_go(t, i);
	}
	if (t->map.count)
		timer_arm(&t->sweep, now + SWEEP_MS);
}

/* ---- requests ---- */

static bool is_due(const struct instance *i, uint64_t since_ms, uint64_t now)
{
	return since_ms == NEVER_MS || now - since_ms >= (uint64_t)i->interval_ms;
}

/* An error that the client mends by asking again lets it ask at once. */
static int16_t check_get(struct telemetry *t, struct instance *i, uint64_t now)
{
	if (is_due(i, i->got_ms > i->pushed_ms ? i->got_ms : i->pushed_ms, now)) {
		i->got_ms = now;
	} else if (i->last_error != WIRE_UNKNOWN_SUBSCRIPTION_ID &&
	           i->last_error != WIRE_UNSUPPORTED_COMPRESSION_TYPE) {
		count(&t->throttled, 1);
		return WIRE_THROTTLING_QUOTA_EXCEEDED;
	}
	return WIRE_NONE;
}

/* The first push after a get may come at any time: clients spread theirs. */
static int16_t check_push(struct telemetry *t, struct instance *i,
                          const struct telemetry_request *r, uint64_t now)
{
	bool accepted = i->got_ms > i->pushed_ms || is_due(i, i->pushed_ms, now);

	if (i->is_terminating)
		return WIRE_INVALID_REQUEST;
	if (accepted)
		i->pushed_ms = now;
	if (!accepted && !r->is_terminating) {
		count(&t->throttled, 1);
		return WIRE_THROTTLING_QUOTA_EXCEEDED;
	}
	if (r->subscription_id != i->subscription_id) {
		count(&t->unknown, 1);
		return WIRE_UNKNOWN_SUBSCRIPTION_ID;
	}
	if (r->compression < BATCH_NONE || r->compression > BATCH_ZSTD)
		return WIRE_UNSUPPORTED_COMPRESSION_TYPE;
	return r->size > t->bytes_max ? WIRE_TELEMETRY_TOO_LARGE : WIRE_NONE;
}

static void push(struct telemetry *t, struct telemetry_request *r)
{
	struct instance *i;

	if (uuid_is_reserved(r->instance)) {
		r->error = WIRE_INVALID_REQUEST;
		return;
	}
	i = instance_of(t, r);
	r->error = check_push(t, i, r, mono_ms());
	i->is_terminating = r->is_terminating;
	i->last_error = r->error;
}

static void get(struct telemetry *t, struct telemetry_request *r)
{
	struct instance *i = instance_of(t, r);

	r->error = check_get(t, i, mono_ms());
	if (r->error)
		return;
	i->last_error = WIRE_NONE;
	r->subscription_id = i->subscription_id;
	r->push_interval_ms = i->interval_ms;
	r->metrics = i->metrics;
	object_get(&i->metrics->object);
}

static void on_request(struct mail *mail)
{
	struct telemetry_request *r = container_of(mail, struct telemetry_request, mail);

	if (r->is_push)
		push(r->from, r);
	else
		get(r->from, r);
	r->done(r);
}

void telemetry_ask(struct telemetry *t, struct telemetry_request *request)
{
	request->from = t;
	request->mail = (struct mail){ .run = on_request };
	reactor_post(0, &request->mail);
}

/* ---- what happens elsewhere ---- */

struct news {
	struct mail mail;
	struct telemetry *t;
	struct subscriptions *subscriptions;
	struct uuid gone;
};

static void on_subscriptions(struct mail *mail)
{
	struct news *n = container_of(mail, struct news, mail);

	subscriptions_put(n->t->subscriptions);
	n->t->subscriptions = n->subscriptions;
	n->t->version++;
	mem_free(n);
}

void telemetry_subscribe(struct telemetry *t, const struct image *image)
{
	struct news *n = mem_zalloc(sizeof(*n));

	n->mail.run = on_subscriptions;
	n->t = t;
	n->subscriptions = subscriptions_of(image);
	reactor_post(0, &n->mail);
}

static void on_gone(struct mail *mail)
{
	struct news *n = container_of(mail, struct news, mail);
	struct instance *i = find(n->t, n->gone);

	if (i)
		let_go(n->t, i);
	mem_free(n);
}

void telemetry_forget(struct telemetry *t, struct uuid instance)
{
	struct news *n = mem_zalloc(sizeof(*n));

	n->mail.run = on_gone;
	n->t = t;
	n->gone = instance;
	reactor_post(0, &n->mail);
}

void telemetry_pushed(struct telemetry *t, uint32_t bytes)
{
	count(&t->pushes, 1);
	count(&t->bytes, bytes);
}

struct telemetry_counters telemetry_counters(const struct telemetry *t)
{
	return (struct telemetry_counters){
		.pushes = atomic_load_explicit(&t->pushes, memory_order_relaxed),
		.bytes = atomic_load_explicit(&t->bytes, memory_order_relaxed),
		.throttled = atomic_load_explicit(&t->throttled, memory_order_relaxed),
		.unknown_subscriptions = atomic_load_explicit(&t->unknown, memory_order_relaxed),
		.instances = atomic_load_explicit(&t->instances, memory_order_relaxed),
	};
}

struct telemetry *telemetry_new(uint32_t bytes_max)
{
	struct telemetry *t = mem_zalloc(sizeof(*t));
	struct image *none = image_new();

	t->bytes_max = bytes_max;
	list_init(&t->used);
	timer_init(&t->sweep, sweep);
	t->subscriptions = subscriptions_of(none);
	image_put(none);
	return t;
}

void telemetry_free(struct telemetry *t)
{
	if (!t)
		return;
	while (!list_is_empty(&t->used))
		let_go(t, list_entry(t->used.next, struct instance, link));
	map_fini(&t->map);
	subscriptions_put(t->subscriptions);
	mem_free(t);
}
