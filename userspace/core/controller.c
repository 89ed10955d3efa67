/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "controller_private.h"
#include "core/feature.h"
#include "core/topic_name.h"
#include "wire/api.h"
#include "wire/errors.h"
#include "wire/metadata_records.h"

/* Kafka's five minutes between looks for partitions that only an unclean election can save. */
enum { UNCLEAN_CHECK_MS = 5 * 60 * 1000 };

struct verdict verdict_ok(void)
{
	return (struct verdict){ WIRE_NONE, { NULL, 0 } };
}

struct verdict verdict_of(int16_t error, struct str message)
{
	return (struct verdict){ error, message };
}

struct verdict verdict_printf(struct step *s, int16_t error, const char *format, ...)
{
	va_list args;
	char *text;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	check(size >= 0);
	text = step_alloc(s, (size_t)size + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)size + 1, format, args);
	va_end(args);
	return verdict_of(error, (struct str){ text, (uint32_t)size });
}

void step_fail(struct step *s, struct verdict v)
{
	s->out->response = NULL;
	s->out->error = v.error;
	s->out->message = v.message;
	s->record_count = 0;
}

void *step_alloc(struct step *s, size_t size)
{
	void *p = arena_zalloc(s->arena, size);

	check(p);
	return p;
}

void *step_array(struct step *s, size_t count, size_t size)
{
	void *p = arena_array(s->arena, count, size);

	check(p);
	return p;
}

struct str step_str(struct step *s, struct str text)
{
	return arena_str(s->arena, text);
}

void step_add(struct step *s, struct span value)
{
	uint8_t *copy = step_alloc(s, value.size);

	memcpy(copy, value.data, value.size);
	s->record = mem_grow(s->record, s->record_count, &s->record_capacity, sizeof(*s->record));
	s->record[s->record_count++] = (struct span){ copy, value.size };
}

void step_emit(struct step *s, enum metadata_record_type type, int16_t version, const void *body)
{
	s->scratch.size = 0;
	metadata_record_encode(&s->scratch, type, version, body);
	step_add(s, (struct span){ s->scratch.data, s->scratch.size });
}

void step_emit_now(struct step *s, enum metadata_record_type type, const void *body)
{
	step_emit(s, type, metadata_record_version(type, s->c->image->metadata_version), body);
}

void step_drop_records(struct step *s, size_t keep)
{
	check(keep <= s->record_count);

	s->record_count = keep;
}

/* ---- names ---- */

void names_init(struct names *n, struct step *s)
{
	*n = (struct names){ .step = s };
}

struct named *names_find(const struct names *n, struct str name)
{
	for (struct map_node *node = map_first(&n->map, hash_str(name)); node;
	     node = map_next(node)) {
		struct named *named = container_of(node, struct named, node);

		if (str_eq(named->name, name))
			return named;
	}
	return NULL;
}

struct named *names_add(struct names *n, struct str name)
{
	struct named *named = names_find(n, name);

	if (!named) {
		named = step_alloc(n->step, sizeof(*named));
		named->name = name;
		map_insert(&n->map, &named->node, hash_str(name));
	}
	named->count++;
	return named;
}

void names_fini(struct names *n)
{
	map_fini(&n->map);
}

/* ---- sessions ---- */

static uint32_t session_slot(const struct controller *c, int32_t id)
{
	uint32_t low = 0;
	uint32_t high = c->session_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (c->session[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct session *session_find(struct controller *c, int32_t id)
{
	uint32_t slot = session_slot(c, id);

	return slot < c->session_count && c->session[slot].id == id ? &c->session[slot] : NULL;
}

struct session *session_at(struct controller *c, int32_t id)
{
	uint32_t slot = session_slot(c, id);

	if (slot < c->session_count && c->session[slot].id == id)
		return &c->session[slot];
	c->session =
		mem_grow(c->session, c->session_count, &c->session_capacity, sizeof(*c->session));
	memmove(&c->session[slot + 1], &c->session[slot],
	        (c->session_count - slot) * sizeof(*c->session));
	c->session_count++;
	c->session[slot] = (struct session){
		.id = id,
		.fenced = true,
		.metadata_offset = -1,
		.shutdown_offset = -1,
		.register_offset = -1,
	};
	return &c->session[slot];
}

void session_remove(struct controller *c, int32_t id)
{
	uint32_t slot = session_slot(c, id);

	if (slot >= c->session_count || c->session[slot].id != id)
		return;
	c->session_count--;
	memmove(&c->session[slot], &c->session[slot + 1],
	        (c->session_count - slot) * sizeof(*c->session));
}

void session_touch(struct session *session, bool fenced, int64_t metadata_offset)
{
	session->fenced = fenced;
	session->metadata_offset = metadata_offset;
	if (fenced)
		session->shutdown_offset = -1;
}

void session_register(struct controller *c, int32_t id, bool fenced)
{
	struct session *session = session_at(c, id);

	session_touch(session, fenced, session->fenced != fenced ? session->metadata_offset : -1);
}

static bool is_expired(const struct controller *c, const struct session *session, uint64_t now_ms)
{
	return now_ms > session->contact_ms + c->options.session_timeout_ms;
}

bool session_is_valid(const struct controller *c, int32_t id, int64_t epoch, uint64_t now_ms)
{
	uint32_t slot = session_slot(c, id);
	const struct session *session = &c->session[slot];

	return slot < c->session_count && session->id == id && session->has_contact &&
	       session->contact_epoch == epoch && !is_expired(c, session, now_ms);
}

struct session *session_expired(struct controller *c, uint64_t now_ms)
{
	for (uint32_t i = 0; i < c->session_count; i++)
		if (c->session[i].has_contact && is_expired(c, &c->session[i], now_ms))
			return &c->session[i];
	return NULL;
}

/*
 * A new leader of the quorum does not know when brokers were last heard of: each gets a whole
 * session more.  This process cannot share its directory with an older one (it holds the lock),
 * so what is registered under its own id is dead and need not be waited for.
 */
static void start_sessions(struct controller *c, uint64_t now_ms)
{
	struct pmap_iter it;

	c->session_count = 0;
	pmap_each(it, &c->image->brokers)
	{
		const struct image_node *broker = image_value_of(struct image_node, it.entry);
		struct session *session = session_at(c, broker->id);

		session_touch(session, broker->fenced, -1);
		session->register_offset = broker->register_offset;
		if (broker->fenced || broker->id == c->options.node_id)
			continue;
		session->has_contact = true;
		session->contact_epoch = broker->epoch;
		session->contact_ms = now_ms;
	}
}

/* ---- colliding names ---- */

static struct str collision_key(struct buf *key, struct str name)
{
	key->size = 0;
	topic_name_unify(name, (char *)buf_extend(key, name.size));
	buf_add(key, "", 1);
	buf_add(key, name.data, name.size);
	return (struct str){ (const char *)key->data, (uint32_t)key->size };
}

static void collision_add(struct controller *c, const struct image_topic *topic)
{
	struct buf key = { 0 };

	if (topic_name_has_collision_chars(topic->name))
		pmap_put(&c->collisions, collision_key(&key, topic->name),
		         object_get(&((struct image_topic *)(uintptr_t)topic)->object));
	buf_fini(&key);
}

static void collision_remove(struct controller *c, struct str name)
{
	struct buf key = { 0 };

	if (topic_name_has_collision_chars(name))
		(void)pmap_remove(&c->collisions, collision_key(&key, name)); /* if it is there */
	buf_fini(&key);
}

/* ---- state ---- */

struct controller *controller_new(const struct controller_options *options)
{
	struct controller *c = mem_zalloc(sizeof(*c));

	c->options = *options;
	c->cluster_id = str_dup(options->cluster_id);
	c->options.cluster_id = str_of(c->cluster_id);
	c->image = image_new();
	return c;
}

void controller_free(struct controller *c)
{
	if (!c)
		return;
	image_put(c->image);
	pmap_fini(&c->collisions);
	mem_free(c->session);
	mem_free(c->cluster_id);
	mem_free(c);
}

void controller_reset(struct controller *c, const struct image *committed, uint64_t mono_ms)
{
	struct pmap_iter it;

	image_put(c->image);
	c->image = committed ? image_edit(committed) : image_new();
	c->active = false;
	pmap_fini(&c->collisions);
	pmap_each(it, &c->image->topics)
	{
		collision_add(c, image_value_of(struct image_topic, it.entry));
	}
	start_sessions(c, mono_ms);
}

bool controller_is_active(const struct controller *c)
{
	return c->active;
}

const struct image *controller_image(const struct controller *c)
{
	return c->image;
}

bool elr_enabled(const struct controller *c)
{
	return image_feature(c->image, STR(FEATURE_ELR_VERSION)) >= 1;
}

struct verdict broker_epoch_check(struct step *s, int32_t broker_id, int64_t epoch)
{
	const struct image_node *broker = image_broker(s->c->image, broker_id);

	if (!broker)
		return verdict_printf(s, WIRE_STALE_BROKER_EPOCH,
		                      "No broker registration found for broker id %d", broker_id);
	if (broker->epoch != epoch)
		return verdict_printf(s, WIRE_STALE_BROKER_EPOCH,
		                      "Expected broker epoch %lld, but got broker epoch %lld",
		                      (long long)broker->epoch, (long long)epoch);
	return verdict_ok();
}

/* ---- a step ---- */

static void on_topic(void *arg, const struct image_topic *old, const struct image_topic *new)
{
	struct controller *c = arg;

	if (old && !new)
		collision_remove(c, old->name);
	else if (new && !old)
		collision_add(c, new);
}

static void on_broker(void *arg, const struct image_node *old, const struct image_node *new)
{
	struct controller *c = arg;

	if (!new || (old && old->register_offset != new->register_offset))
		session_remove(c, old->id);
	if (!new)
		return;
	session_register(c, new->id, new->fenced);
	session_at(c, new->id)->register_offset = new->register_offset;
}

/*
 * The private image takes the records at once: what is decided next sees them.  Sessions and
 * colliding names follow what changed in it.
 */
static void apply(struct step *s)
{
	struct controller *c = s->c;
	const struct image_changes changes = { .topic = on_topic, .broker = on_broker, .arg = c };
	struct image *before;
	struct image_apply_error why;

	if (!s->record_count)
		return;
	before = image_edit(c->image);
	for (size_t i = 0; i < s->record_count; i++) {
		int64_t offset = s->event->next_offset + (int64_t)i;

		check(image_apply(c->image, offset, s->record[i], &why) == IMAGE_APPLIED);
		image_advance(c->image, offset, c->image->epoch, s->event->wall_ms);
	}
	image_diff(before, c->image, &changes);
	image_put(before);
	c->idle_due_ms = s->event->mono_ms + c->options.idle_interval_ms;
}

static void add_bootstrap(struct step *s)
{
	const struct controller_event *event = s->event;
	struct image_apply_error why;
	struct image *probe = image_new();
	bool atomic;

	for (size_t i = 0; i < event->bootstrap_count; i++)
		check(image_apply(probe, 0, event->bootstrap[i], &why) == IMAGE_APPLIED);
	atomic = probe->metadata_version < METADATA_VERSION_3_6_IV1;
	if (!atomic)
		step_emit(s, METADATA_BEGIN_TRANSACTION, 0,
		          &(struct begin_transaction_record){ .name = STR("Bootstrap records") });
	for (size_t i = 0; i < event->bootstrap_count; i++)
		step_add(s, event->bootstrap[i]);
	if (image_feature(probe, STR(FEATURE_ELR_VERSION)) > 0)
		step_emit(s, METADATA_CONFIG, 0,
		          &(struct config_record){
				  .resource_type = IMAGE_RESOURCE_BROKER,
				  .resource_name = STR(""),
				  .name = STR("min.insync.replicas"),
				  .value = verdict_printf(s, WIRE_NONE, "%d",
		                                          s->c->options.default_min_isr)
		                                   .message,
			  });
	if (!atomic)
		step_emit(s, METADATA_END_TRANSACTION, 0, &(struct end_transaction_record){ 0 });
	s->out->atomic = atomic;
	image_put(probe);
}

/* ActivationRecordsGenerator: what an empty log begins with, or the end of what was left open. */
static void activate(struct step *s)
{
	struct controller *c = s->c;
	const struct controller_event *event = s->event;
	const struct image *settled = c->image->before ? c->image->before : c->image;

	c->active = true;
	c->idle_due_ms = event->mono_ms + c->options.idle_interval_ms;
	c->balance_due_ms = event->mono_ms + c->options.imbalance_check_ms;
	c->unclean_due_ms = event->mono_ms + UNCLEAN_CHECK_MS;
	start_sessions(c, event->mono_ms);
	if (image_in_transaction(c->image))
		step_emit(
			s, METADATA_ABORT_TRANSACTION, 0,
			&(struct abort_transaction_record){ .reason = STR("Controller failover") });
	if (!settled->metadata_version)
		add_bootstrap(s);
}

static bool fence_expired(struct step *s)
{
	struct session *expired = session_expired(s->c, s->event->mono_ms);
	const struct image_node *broker;

	if (!expired)
		return false;
	broker = image_broker(s->c->image, expired->id);
	expired->has_contact = false;
	if (broker && broker->epoch == expired->contact_epoch && !broker->fenced)
		broker_fence(s, broker);
	return true;
}

/* One thing at a time: the next is due at once and sees what this one changed. */
static void tick(struct step *s)
{
	struct controller *c = s->c;
	uint64_t now_ms = s->event->mono_ms;

	if (!c->active || fence_expired(s))
		return;
	if (c->options.imbalance_check_ms && now_ms >= c->balance_due_ms) {
		partitions_balance(s);
		c->balance_due_ms = now_ms + c->options.imbalance_check_ms;
	} else if (now_ms >= c->unclean_due_ms) {
		partitions_elect_unclean(s);
		c->unclean_due_ms = now_ms + UNCLEAN_CHECK_MS;
	} else if (c->options.idle_interval_ms && now_ms >= c->idle_due_ms) {
		step_emit(s, METADATA_NO_OP, 0, &(struct no_op_record){ 0 });
	}
}

uint64_t controller_wake_ms(const struct controller *c)
{
	uint64_t wake_ms = c->unclean_due_ms;

	if (!c->active)
		return UINT64_MAX;
	if (c->options.imbalance_check_ms && c->balance_due_ms < wake_ms)
		wake_ms = c->balance_due_ms;
	if (c->options.idle_interval_ms && c->idle_due_ms < wake_ms)
		wake_ms = c->idle_due_ms;
	for (uint32_t i = 0; i < c->session_count; i++) {
		uint64_t end_ms = c->session[i].contact_ms + c->options.session_timeout_ms + 1;

		if (c->session[i].has_contact && end_ms < wake_ms)
			wake_ms = end_ms;
	}
	return wake_ms;
}

static const struct {
	int16_t api_key;
	void (*run)(struct step *s);
} handler[] = {
	{ API_CREATE_TOPICS, controller_create_topics },
	{ API_DELETE_TOPICS, controller_delete_topics },
	{ API_CREATE_PARTITIONS, controller_create_partitions },
	{ API_ALTER_CONFIGS, controller_alter_configs },
	{ API_INCREMENTAL_ALTER_CONFIGS, controller_incremental_alter_configs },
	{ API_BROKER_REGISTRATION, controller_register_broker },
	{ API_BROKER_HEARTBEAT, controller_broker_heartbeat },
	{ API_UNREGISTER_BROKER, controller_unregister_broker },
	{ API_CONTROLLER_REGISTRATION, controller_register_controller },
	{ API_ALLOCATE_PRODUCER_IDS, controller_allocate_producer_ids },
	{ API_ALTER_PARTITION, controller_alter_partition },
	{ API_ELECT_LEADERS, controller_elect_leaders },
	{ API_ALTER_PARTITION_REASSIGNMENTS, controller_alter_reassignments },
	{ API_LIST_PARTITION_REASSIGNMENTS, controller_list_reassignments },
	{ API_ASSIGN_REPLICAS_TO_DIRS, controller_assign_dirs },
	{ API_ALTER_CLIENT_QUOTAS, controller_alter_client_quotas },
	{ API_UPDATE_FEATURES, controller_update_features },
	{ API_ALTER_USER_SCRAM_CREDENTIALS, controller_alter_scram },
};

static void answer(struct step *s)
{
	if (!s->c->active) {
		step_fail(s, verdict_of(WIRE_NOT_CONTROLLER,
		                        STR("No controller appears to be active.")));
		return;
	}
	for (size_t i = 0; i < array_count(handler); i++)
		if (handler[i].api_key == s->event->api_key) {
			handler[i].run(s);
			return;
		}
	step_fail(s, verdict_of(WIRE_UNSUPPORTED_VERSION,
	                        STR("The controller does not know this request.")));
}

/* The broker may stop once everybody active has seen the records that took its leaderships. */
static void note_shutdown(struct step *s)
{
	struct session *session = session_find(s->c, s->shutting_down_id);

	if (session && !session->fenced && session->shutdown_offset < 0)
		session->shutdown_offset = s->event->next_offset + (int64_t)s->record_count - 1;
}

static const struct span *kept_records(struct step *s)
{
	struct span *kept = step_array(s, s->record_count, sizeof(*kept));

	if (s->record_count)
		memcpy(kept, s->record, s->record_count * sizeof(*kept));
	return kept;
}

void controller_step(struct controller *c, const struct controller_event *event,
                     struct arena *arena, struct controller_out *out)
{
	struct step s = {
		.c = c,
		.event = event,
		.arena = arena,
		.out = out,
		.shutting_down_id = NOBODY,
	};

	check(arena->limit == SIZE_MAX);

	*out = (struct controller_out){ .error = WIRE_NONE, .atomic = true };
	switch (event->type) {
	case CONTROLLER_ACTIVATE:
		activate(&s);
		break;
	case CONTROLLER_TICK:
		tick(&s);
		break;
	case CONTROLLER_REQUEST:
		answer(&s);
		break;
	}
	if (s.record_count > CONTROLLER_RECORDS_MAX && out->atomic)
		step_fail(&s,
		          verdict_of(WIRE_POLICY_VIOLATION,
		                     STR("Unable to perform excessively large batch operation.")));
	apply(&s);
	if (s.shutting_down_id != NOBODY)
		note_shutdown(&s);
	out->record_count = s.record_count;
	out->record = kept_records(&s);
	buf_fini(&s.scratch);
	mem_free(s.record);
}
