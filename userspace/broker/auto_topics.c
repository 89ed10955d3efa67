/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/auto_topics.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/controller_client.h"
#include "broker/diag.h"
#include "broker/limits.h"
#include "broker/metadata.h"
#include "core/topic_name.h"
#include "wire/api.h"
#include "wire/create_topics.h"
#include "wire/errors.h"

enum {
	CONFIGS_MAX = 5,
	ANY_CONFIG = -1, /* the controller's default */
};

typedef struct create_topics_request_creatable_topic creatable;
typedef struct create_topics_request_creatable_topic_config topic_config_pair;

struct auto_topics {
	const struct broker *broker;
	struct map under_way;  /* of struct name */
	struct list creations; /* that the controller was asked for */
	struct diag_limit say_failed;
};

struct name {
	struct map_node node;
	struct str text;
	bool is_under_way;
};

/* Names that were asked for together: one request to the controller. */
struct creation {
	struct mail mail;
	struct list link;
	struct auto_topics *from;
	struct arena arena; /* everything below */
	struct name *name;
	uint32_t count;
	struct create_topics_request request;
	struct controller_call call;
};

struct auto_topics *auto_topics_new(const struct broker *broker)
{
	struct auto_topics *a = mem_zalloc(sizeof(*a));

	a->broker = broker;
	list_init(&a->creations);
	return a;
}

static void creation_free(struct creation *c)
{
	list_remove(&c->link);
	controller_call_fini(&c->call);
	arena_fini(&c->arena);
	mem_free(c);
}

void auto_topics_free(struct auto_topics *a)
{
	struct list *node;

	if (!a)
		return;
	while ((node = list_pop(&a->creations)))
		creation_free(list_entry(node, struct creation, link));
	map_fini(&a->under_way);
	mem_free(a);
}

/* ---- what a topic is made of ---- */

static void set(creatable *topic, const char *name, struct str value)
{
	topic->configs[topic->configs_count++] = (topic_config_pair){ str_of(name), value };
}

/* A config of the topic that is the broker's `id`. */
static void set_from(creatable *topic, const char *name, const struct config *config,
                     enum config_id id, struct arena *arena)
{
	set(topic, name, arena_str(arena, config_str(config, id)));
}

static void describe_internal(creatable *topic, const struct config *config, struct arena *arena)
{
	topic->configs = arena_array(arena, CONFIGS_MAX, sizeof(*topic->configs));
	if (str_eq(topic->name, STR(TOPIC_CONSUMER_OFFSETS))) {
		topic->num_partitions = config_int(config, CONFIG_OFFSETS_TOPIC_NUM_PARTITIONS);
		topic->replication_factor =
			(int16_t)config_int(config, CONFIG_OFFSETS_TOPIC_REPLICATION_FACTOR);
		set(topic, "cleanup.policy", STR("compact"));
		set(topic, "compression.type", STR("producer"));
		set_from(topic, "segment.bytes", config, CONFIG_OFFSETS_TOPIC_SEGMENT_BYTES, arena);
	} else if (str_eq(topic->name, STR(TOPIC_TRANSACTION_STATE))) {
		topic->num_partitions =
			config_int(config, CONFIG_TRANSACTION_STATE_LOG_NUM_PARTITIONS);
		topic->replication_factor = (int16_t)config_int(
			config, CONFIG_TRANSACTION_STATE_LOG_REPLICATION_FACTOR);
		set(topic, "unclean.leader.election.enable", STR("false"));
		set(topic, "compression.type", STR("uncompressed"));
		set(topic, "cleanup.policy", STR("compact"));
		set_from(topic, "min.insync.replicas", config, CONFIG_TRANSACTION_STATE_LOG_MIN_ISR,
		         arena);
		set_from(topic, "segment.bytes", config, CONFIG_TRANSACTION_STATE_LOG_SEGMENT_BYTES,
		         arena);
	} else {
		topic->num_partitions =
			config_int(config, CONFIG_SHARE_COORDINATOR_STATE_TOPIC_NUM_PARTITIONS);
		topic->replication_factor = (int16_t)config_int(
			config, CONFIG_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR);
		set(topic, "cleanup.policy", STR("delete"));
		set(topic, "compression.type", STR("producer"));
		set_from(topic, "segment.bytes", config,
		         CONFIG_SHARE_COORDINATOR_STATE_TOPIC_SEGMENT_BYTES, arena);
		set_from(topic, "min.insync.replicas", config,
		         CONFIG_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR, arena);
		set(topic, "retention.ms", STR("-1"));
	}
}

static void describe(creatable *topic, struct str name, const struct config *config,
                     struct arena *arena)
{
	*topic = (creatable){
		.name = name,
		.num_partitions = ANY_CONFIG,
		.replication_factor = ANY_CONFIG,
	};
	if (topic_name_is_internal(name)) {
		describe_internal(topic, config, arena);
		return;
	}
	if (config_is_set(config, CONFIG_NUM_PARTITIONS))
		topic->num_partitions = config_int(config, CONFIG_NUM_PARTITIONS);
	if (config_is_set(config, CONFIG_DEFAULT_REPLICATION_FACTOR))
		topic->replication_factor =
			(int16_t)config_int(config, CONFIG_DEFAULT_REPLICATION_FACTOR);
}

/* ---- reactor 0 ---- */

static bool is_under_way(const struct auto_topics *a, struct str name)
{
	for (struct map_node *n = map_first(&a->under_way, hash_str(name)); n; n = map_next(n))
		if (str_eq(container_of(n, struct name, node)->text, name))
			return true;
	return false;
}

static void say_failed(struct auto_topics *a,
                       const struct create_topics_response_creatable_topic_result *result)
{
	char name[TOPIC_NAME_MAX + 1];
	char message[200];

	/* Another broker, or a client of its own accord, was faster. */
	if (!result->error_code || result->error_code == WIRE_TOPIC_ALREADY_EXISTS)
		return;
	diag_limited(&a->say_failed, DIAG_WARN, "topics",
	             "%s, which a client asked for, cannot be created: %s (%s)",
	             diag_escape(name, sizeof(name), result->name),
	             wire_error_name(result->error_code),
	             diag_escape(message, sizeof(message), result->error_message));
}

static void on_answer(struct controller_call *call)
{
	struct creation *c = container_of(call, struct creation, call);
	const struct create_topics_response *response = call->response;

	for (uint32_t i = 0; i < c->count; i++)
		if (c->name[i].is_under_way)
			map_remove(&c->from->under_way, &c->name[i].node);
	for (uint32_t i = 0; response && i < response->topics_count; i++)
		say_failed(c->from, &response->topics[i]);
	if (call->error)
		diag_limited(&c->from->say_failed, DIAG_WARN, "topics",
		             "%u topics that clients asked for cannot be created: %s", c->count,
		             wire_error_name(call->error));
	creation_free(c);
}

static void on_wanted(struct mail *mail)
{
	struct creation *c = container_of(mail, struct creation, mail);
	struct auto_topics *a = c->from;
	const struct config *config = broker_config(a->broker);
	struct create_topics_request *request = &c->request;

	create_topics_request_init(request);
	request->timeout_ms = config_int(config, CONFIG_REQUEST_TIMEOUT_MS);
	request->topics = arena_array(&c->arena, c->count, sizeof(*request->topics));
	for (uint32_t i = 0; i < c->count && a->under_way.count < LIMIT_AUTO_TOPICS; i++) {
		struct name *name = &c->name[i];

		if (is_under_way(a, name->text))
			continue;
		name->is_under_way = true;
		map_insert(&a->under_way, &name->node, hash_str(name->text));
		describe(&request->topics[request->topics_count++], name->text, config, &c->arena);
	}
	if (!request->topics_count) {
		creation_free(c);
		return;
	}
	c->call.api_key = API_CREATE_TOPICS;
	c->call.version = create_topics_request_message.max;
	c->call.request = request;
	c->call.done = on_answer;
	list_push(&a->creations, &c->link);
	controller_send(a->broker->metadata, &c->call);
}

/* ---- whoever asks ---- */

void auto_topics_create(struct auto_topics *a, const struct str *name, uint32_t count,
                        struct str principal)
{
	struct creation *c = mem_zalloc(sizeof(*c));

	if (count > LIMIT_AUTO_TOPICS)
		count = LIMIT_AUTO_TOPICS;
	arena_init(&c->arena, SIZE_MAX); /* so many names, none longer than a topic's may be */
	list_init(&c->link);
	c->from = a;
	c->count = count;
	c->call.principal = arena_str(&c->arena, principal);
	c->name = arena_array(&c->arena, count, sizeof(*c->name));
	for (uint32_t i = 0; i < count; i++)
		c->name[i].text = arena_str(&c->arena, name[i]);
	c->mail.run = on_wanted;
	reactor_post(0, &c->mail);
}
