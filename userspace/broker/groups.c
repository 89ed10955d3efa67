/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/groups.h"

#include "base/mem.h"
#include "broker/broker.h"
#include "broker/diag.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "core/topic_name.h"
#include "wire/errors.h"

/* ---- which partition ---- */

/* One UTF-16 unit into String.hashCode(). */
static uint32_t hash_unit(uint32_t hash, uint32_t unit)
{
	return 31 * hash + unit;
}

/* As Java decodes UTF-8: what is none becomes U+FFFD. */
static uint32_t decode(const uint8_t *at, uint32_t left, uint32_t *ret_size)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t size = *at < 0x80 ? 1 : *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
	uint32_t code = size == 1 ? *at : *at & (0xffu >> (size + 1));

	*ret_size = 1;
	if (size == 1)
		return code;
	if (*at < 0xc2 || *at > 0xf4 || size > left)
		return 0xfffd;
	for (uint32_t i = 1; i < size; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0xfffd;
		code = code << 6 | (at[i] & 0x3f);
	}
	if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0xfffd;
	*ret_size = size;
	return code;
}

int32_t groups_partition_of(struct str group_id, uint32_t partition_count)
{
	uint32_t hash = 0;
	uint32_t size;

	for (uint32_t i = 0; i < group_id.size; i += size) {
		uint32_t code =
			decode((const uint8_t *)group_id.data + i, group_id.size - i, &size);

		if (code >= 0x10000) {
			hash = hash_unit(hash, 0xd800 + ((code - 0x10000) >> 10));
			code = 0xdc00 + ((code - 0x10000) & 0x3ff);
		}
		hash = hash_unit(hash, code);
	}
	if (hash == 0x80000000u)
		return 0;
	if (hash > 0x80000000u)
		hash = -hash;
	return (int32_t)(hash % partition_count);
}

/* ---- the machine ---- */

static void random_of(void *arg, void *out, size_t size)
{
	(void)arg;
	random_bytes(out, size);
}

static struct group_options options_of(const struct config *c)
{
	return (struct group_options){
		.session_ms_min = config_int(c, CONFIG_GROUP_MIN_SESSION_TIMEOUT_MS),
		.session_ms_max = config_int(c, CONFIG_GROUP_MAX_SESSION_TIMEOUT_MS),
		.initial_rebalance_delay_ms =
			config_int(c, CONFIG_GROUP_INITIAL_REBALANCE_DELAY_MS),
		.size_max = config_int(c, CONFIG_GROUP_MAX_SIZE),
		.offset_metadata_max = config_int(c, CONFIG_OFFSET_METADATA_MAX_BYTES),
		.batch_bytes_max = config_int(c, CONFIG_MESSAGE_MAX_BYTES),
		.offsets_retention_ms =
			config_int(c, CONFIG_OFFSETS_RETENTION_MINUTES) * INT64_C(60000),
		.retention_check_ms = config_long(c, CONFIG_OFFSETS_RETENTION_CHECK_INTERVAL_MS),
		.random = random_of,
	};
}

/* A worker: no reactor's turn protects the dynamic config, which loaded() brings. */
static void *open_machine(void *arg)
{
	struct group_options options = options_of(broker_base_config(arg));

	return group_shard_new(&options);
}

static void close_machine(void *machine)
{
	group_shard_free(machine);
}

static int replay(void *machine, const struct batch *b, const struct coordinator_record *record)
{
	const struct group_record r = { record->key, record->value };

	return group_shard_replay(machine, &r,
	                          batch_is_transactional(b) ? b->producer_id : GROUP_NO_PRODUCER);
}

static void replay_marker(void *machine, int64_t producer_id, bool commit)
{
	group_shard_replay_marker(machine, producer_id, commit);
}

static void loaded(void *arg, void *machine, uint64_t mono_ms, int64_t wall_ms)
{
	struct group_options options = options_of(broker_config(arg));

	group_shard_configure(machine, &options);
	group_shard_loaded(machine, mono_ms, wall_ms);
}

static uint64_t wake_ms(const void *machine)
{
	return group_shard_wake_ms(machine);
}

static void step(struct coordinator *c, struct group_shard *shard, struct group_event *event)
{
	struct coordinator_memory *memory = coordinator_memory_new();
	struct coordinator_record *record;
	struct group_out out;

	event->mono_ms = mono_ms();
	event->wall_ms = wall_ms();
	group_shard_step(shard, event, &memory->arena, &out);
	record = arena_array(&memory->arena, out.record_count, sizeof(*record));
	for (size_t i = 0; i < out.record_count; i++)
		record[i] = (struct coordinator_record){ out.record[i].key, out.record[i].value };
	coordinator_append(c, record, out.record_count, out.atomic, event->wall_ms);
	for (size_t i = 0; i < out.note_count; i++)
		diag_info("group", "%.*s", STR_ARG(out.note[i]));
	for (size_t i = 0; i < out.answer_count; i++)
		coordinator_answer(c, out.answer[i].token, out.answer[i].response, memory);
	coordinator_memory_put(memory);
}

static void tick(struct coordinator *c, void *machine)
{
	struct group_event event = { .type = GROUP_TICK };

	step(c, machine, &event);
}

static bool can_snapshot(const void *machine)
{
	return !group_shard_has_transactions(machine);
}

static size_t record_count(const void *machine)
{
	return group_shard_record_count(machine);
}

struct snapshot {
	void (*on_record)(void *arg, const struct coordinator_record *record);
	void *arg;
};

static void on_snapshot_record(void *arg, const struct group_record *record)
{
	const struct snapshot *s = arg;
	const struct coordinator_record r = { record->key, record->value };

	s->on_record(s->arg, &r);
}

static void snapshot(const void *machine,
                     void (*on_record)(void *arg, const struct coordinator_record *record),
                     void *arg)
{
	struct snapshot s = { on_record, arg };

	group_shard_snapshot(machine, on_snapshot_record, &s);
}

static const struct coordinator_ops ops = {
	.open = open_machine,
	.close = close_machine,
	.replay = replay,
	.replay_marker = replay_marker,
	.loaded = loaded,
	.wake_ms = wake_ms,
	.tick = tick,
	.can_snapshot = can_snapshot,
	.record_count = record_count,
	.snapshot = snapshot,
};

void groups_attach(struct broker *broker, struct partition *part)
{
	coordinator_attach(part, &ops, broker);
}

/* ---- requests ---- */

static void run(struct coordinator *c, void *machine, struct coordinator_request *self)
{
	struct group_request *r = container_of(self, struct group_request, request);

	r->event.token = self;
	step(c, machine, &r->event);
}

static void done(struct coordinator_request *self)
{
	struct group_request *r = container_of(self, struct group_request, request);

	r->error = self->error;
	r->response = self->response;
	r->done(r);
}

void groups_send_to(struct partition *part, struct group_request *request)
{
	request->request.run = run;
	request->request.done = done;
	coordinator_send(part, &request->request);
}

int16_t groups_send(struct broker *broker, struct str group_id, struct group_request *request)
{
	const struct image *image = metadata_image(broker->metadata);
	const struct image_topic *topic = image_topic_by_name(image, STR(TOPIC_CONSUMER_OFFSETS));
	struct partition *part;

	if (!topic || !topic->partition_count)
		return WIRE_NOT_COORDINATOR;
	part = partitions_find(broker->partitions, topic->id,
	                       groups_partition_of(group_id, topic->partition_count));
	if (!part)
		return WIRE_NOT_COORDINATOR;
	groups_send_to(part, request);
	return WIRE_NONE;
}

/* ---- dynamic configs ---- */

struct configuration {
	struct coordinator_request request;
	struct group_options options;
};

static void run_configure(struct coordinator *c, void *machine, struct coordinator_request *self)
{
	(void)c;
	group_shard_configure(machine, &container_of(self, struct configuration, request)->options);
}

static void free_configuration(struct coordinator_request *self)
{
	mem_free(container_of(self, struct configuration, request));
}

static void send_configuration(void *arg, struct partition *part)
{
	struct configuration *c = mem_zalloc(sizeof(*c));

	c->options = options_of(arg);
	c->request.run = run_configure;
	c->request.done = free_configuration;
	c->request.is_news = true;
	coordinator_send(part, &c->request);
}

void groups_configure(struct broker *broker, const struct config *config)
{
	groups_each(broker, send_configuration, (void *)(uintptr_t)config);
}

/* ---- a deleted topic takes its offsets along ---- */

struct deletion {
	struct group_request request;
	struct group_topic topic;
};

static void free_deletion(struct group_request *request)
{
	struct deletion *d = container_of(request, struct deletion, request);

	mem_free((char *)(uintptr_t)d->topic.name.data);
	mem_free(d);
}

static void send_deletion(void *arg, struct partition *part)
{
	const struct image_topic *topic = arg;
	struct deletion *d = mem_zalloc(sizeof(*d));

	d->topic = (struct group_topic){ { str_dup(topic->name), topic->name.size }, topic->id };
	d->request.event.type = GROUP_TOPIC_DELETED;
	d->request.event.request = &d->topic;
	d->request.request.is_news = true;
	d->request.done = free_deletion;
	groups_send_to(part, &d->request);
}

void groups_topic_deleted(struct broker *broker, const struct image_topic *topic)
{
	groups_each(broker, send_deletion, (void *)(uintptr_t)topic);
}

/* ---- all shards ---- */

void groups_each(struct broker *broker, void (*each)(void *arg, struct partition *part), void *arg)
{
	const struct image *image = metadata_image(broker->metadata);
	const struct image_topic *topic = image_topic_by_name(image, STR(TOPIC_CONSUMER_OFFSETS));

	for (uint32_t i = 0; topic && i < topic->partition_count; i++) {
		struct partition *part =
			partitions_find(broker->partitions, topic->id, topic->partition[i]->index);

		if (part && part->attached)
			each(arg, part);
	}
}
