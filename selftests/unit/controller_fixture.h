/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SELFTESTS_UNIT_CONTROLLER_FIXTURE_H
#define SELFTESTS_UNIT_CONTROLLER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "core/bootstrap.h"
#include "core/controller.h"
#include "core/metadata_record.h"
#include "wire/api.h"
#include "wire/broker_heartbeat.h"
#include "wire/broker_registration.h"
#include "wire/create_topics.h"
#include "wire/errors.h"

#define CLUSTER "MkU3OEVBNTcwNTJENDM2Qg"

/* ---- rules of a small world: any name but "bad" is a config, "list" is a list ---- */

static inline int16_t validate(void *arg, struct arena *arena, enum image_resource_type type,
                               struct str resource_name, const struct str *name,
                               const struct str *value, size_t count, struct str *ret_message)
{
	(void)arg;
	(void)arena;
	(void)type;
	(void)resource_name;
	(void)value;
	for (size_t i = 0; i < count; i++)
		if (str_eq(name[i], STR("bad"))) {
			*ret_message = STR("Unknown topic config name: bad");
			return WIRE_INVALID_CONFIG;
		}
	return WIRE_NONE;
}

static inline bool is_list(void *arg, enum image_resource_type type, struct str name)
{
	(void)arg;
	(void)type;
	return str_eq(name, STR("list"));
}

static inline struct str effective(void *arg, struct arena *arena, const struct image *image,
                                   enum image_resource_type type, struct str resource_name,
                                   struct str name)
{
	struct str value = { NULL, 0 };

	(void)arg;
	(void)arena;
	if (image)
		value = image_config_value(image, type, resource_name, name);
	if (value.data)
		return value;
	if (image)
		value = image_config_value(image, IMAGE_RESOURCE_BROKER, STR(""), name);
	if (value.data)
		return value;
	if (str_eq(name, STR("min.insync.replicas")))
		return STR("1");
	return str_eq(name, STR("list")) ? STR("a") : STR("false");
}

static inline size_t topic_entries(void *arg, struct arena *arena, const struct image *image,
                                   const struct str *name, const struct str *value, size_t count,
                                   const struct controller_config_entry **ret)
{
	struct controller_config_entry *entry = arena_array(arena, count, sizeof(*entry));

	(void)arg;
	(void)image;
	for (size_t i = 0; i < count; i++)
		entry[i] = (struct controller_config_entry){ .name = name[i],
			                                     .value = value[i],
			                                     .source = 1 };
	*ret = entry;
	return count;
}

/* ---- a world with one controller ---- */

struct world {
	struct controller *c;
	struct arena arena;
	struct controller_out out;
	struct buf trace;       /* the records of the last step, one a line */
	struct image *replayed; /* what the records make by themselves */
	int64_t next_offset;
	uint64_t now_ms;
	struct prng prng;
};

static inline void random_of(void *arg, void *out, size_t size)
{
	struct world *w = arg;
	uint8_t *p = out;

	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)prng_next(&w->prng);
}

static inline struct controller_options options_of(struct world *w)
{
	return (struct controller_options){
		.node_id = 1,
		.cluster_id = STR(CLUSTER),
		.default_partition_count = 2,
		.default_replication_factor = 1,
		.default_min_isr = 1,
		.session_timeout_ms = 9000,
		.idle_interval_ms = 500,
		.kraft_version_1 = true,
		.rules = { .validate = validate,
		           .is_list = is_list,
		           .effective = effective,
		           .topic_entries = topic_entries },
		.random = random_of,
		.random_arg = w,
	};
}

static inline void world_init(struct world *w, uint64_t seed)
{
	struct controller_options options;

	*w = (struct world){ .prng = { seed }, .now_ms = 1000, .next_offset = 3 };
	options = options_of(w);
	arena_init(&w->arena, SIZE_MAX);
	w->replayed = image_new();
	w->c = controller_new(&options);
}

static inline void world_fini(struct world *w)
{
	controller_free(w->c);
	arena_fini(&w->arena);
	buf_fini(&w->trace);
	image_put(w->replayed);
}

static inline void add_line(struct buf *text, struct span value)
{
	struct metadata_frame frame;
	struct reader reader;
	struct arena arena;
	uint64_t body[64];

	assert_int_equal(metadata_frame_decode(value, &frame), 0);
	arena_init(&arena, SIZE_MAX);
	reader = reader_of(frame.body.data, frame.body.size);
	assert_int_equal(message_decode(metadata_record_message(frame.type), frame.version, &reader,
	                                &arena, body),
	                 0);
	buf_printf(text, "%s v%d ", metadata_record_name(frame.type), frame.version);
	message_json(metadata_record_message(frame.type), frame.version, body, text);
	buf_printf(text, "\n");
	arena_fini(&arena);
}

static inline void snapshot_line(void *arg, struct span value)
{
	add_line(arg, value);
}

static inline char *text_of(const struct image *image)
{
	struct buf text = { 0 };

	image_snapshot(image, snapshot_line, &text);
	buf_add(&text, "", 1);
	return (char *)text.data;
}

/* The law of the private state: it is what its records make. */
static inline void assert_state_is_its_records(struct world *w)
{
	char *left = text_of(controller_image(w->c));
	char *right = text_of(w->replayed);

	assert_string_equal(left, right);
	mem_free(left);
	mem_free(right);
}

static inline void step(struct world *w, struct controller_event event)
{
	struct image_apply_error why;

	arena_reset(&w->arena);
	event.mono_ms = w->now_ms;
	event.wall_ms = (int64_t)w->now_ms;
	event.next_offset = w->next_offset;
	controller_step(w->c, &event, &w->arena, &w->out);
	w->trace.size = 0;
	for (size_t i = 0; i < w->out.record_count; i++) {
		add_line(&w->trace, w->out.record[i]);
		assert_int_equal(image_apply(w->replayed, w->next_offset, w->out.record[i], &why),
		                 IMAGE_APPLIED);
		w->next_offset++;
	}
	buf_add(&w->trace, "", 1);
}

static inline void request(struct world *w, int16_t api_key, int16_t version, const void *body)
{
	step(w, (struct controller_event){ .type = CONTROLLER_REQUEST,
	                                   .api_key = api_key,
	                                   .version = version,
	                                   .request = body });
}

static inline void assert_trace(struct world *w, const char *want)
{
	assert_string_equal((const char *)w->trace.data, want);
}

static inline void activate(struct world *w)
{
	struct bootstrap_level *level;
	const struct span *record;
	struct str why;
	struct arena arena;
	size_t count;

	arena_init(&arena, SIZE_MAX);
	assert_int_equal(bootstrap_levels(&arena, 30, NULL, 0, &level, &count, &why), 0);
	record = bootstrap_records(&arena, level, count, &count);
	step(w, (struct controller_event){ .type = CONTROLLER_ACTIVATE,
	                                   .bootstrap = record,
	                                   .bootstrap_count = count });
	arena_fini(&arena);
}

static inline struct uuid uuid_of(uint8_t n)
{
	return (struct uuid){ { n, n, n } };
}

static struct broker_registration_request_feature features[] = {
	{ { "eligible.leader.replicas.version", 32 }, 0, 1 },
	{ { "group.version", 13 }, 0, 1 },
	{ { "kraft.version", 13 }, 0, 1 },
	{ { "metadata.version", 16 }, 7, 30 },
	{ { "share.version", 13 }, 0, 1 },
	{ { "streams.version", 15 }, 0, 1 },
	{ { "transaction.version", 19 }, 0, 2 },
};

static inline void register_broker(struct world *w, int32_t id, uint8_t incarnation,
                                   int64_t previous)
{
	struct broker_registration_request_listener listener = {
		{ "PLAINTEXT", 9 }, { "127.0.0.1", 9 }, 9092, 0
	};
	struct uuid dir = uuid_of((uint8_t)(100 + id));
	struct broker_registration_request r;

	broker_registration_request_init(&r);
	r.broker_id = id;
	r.cluster_id = STR(CLUSTER);
	r.incarnation_id = uuid_of(incarnation);
	r.listeners = &listener;
	r.listeners_count = 1;
	r.features = features;
	r.features_count = array_count(features);
	r.log_dirs = &dir;
	r.log_dirs_count = 1;
	r.previous_broker_epoch = previous;
	request(w, API_BROKER_REGISTRATION, 4, &r);
}

static inline int64_t epoch_of(struct world *w, int32_t id)
{
	return image_broker(controller_image(w->c), id)->epoch;
}

static inline void heartbeat(struct world *w, int32_t id, bool want_fence, bool want_shut_down)
{
	struct broker_heartbeat_request r;

	broker_heartbeat_request_init(&r);
	r.broker_id = id;
	r.broker_epoch = epoch_of(w, id);
	r.current_metadata_offset = w->next_offset - 1;
	r.want_fence = want_fence;
	r.want_shut_down = want_shut_down;
	r.cordoned_log_dirs = WIRE_EMPTY;
	request(w, API_BROKER_HEARTBEAT, 2, &r);
}

static inline struct create_topics_response_creatable_topic_result
create(struct world *w, const char *name, int32_t partitions, int16_t replication_factor)
{
	struct create_topics_request_creatable_topic topic = {
		.name = str_of(name),
		.num_partitions = partitions,
		.replication_factor = replication_factor,
	};
	struct create_topics_request r;
	const struct create_topics_response *response;

	create_topics_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	request(w, API_CREATE_TOPICS, 7, &r);
	response = w->out.response;
	assert_non_null(response);
	assert_int_equal(response->topics_count, 1);
	return response->topics[0];
}

static inline void assert_refused(struct create_topics_response_creatable_topic_result result,
                                  int16_t error, const char *message)
{
	char text[400];

	snprintf(text, sizeof(text), "%.*s", STR_ARG(result.error_message));
	assert_int_equal(result.error_code, error);
	assert_string_equal(text, message);
}

static inline void one_broker(struct world *w)
{
	world_init(w, 5);
	activate(w);
	register_broker(w, 1, 1, -1);
	heartbeat(w, 1, false, false);
}

#endif
