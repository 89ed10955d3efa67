/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"
#include "base/map.h"
#include "broker/api.h"
#include "broker/auto_topics.h"
#include "core/describe.h"
#include "core/topic_name.h"
#include "wire/metadata.h"

/*
 * KafkaApis.handleTopicMetadataRequest.  The answer is made out of one image, which is held until
 * it is encoded, topic by topic and partition by partition, so many of them a turn.
 */
enum {
	TURN = 1024,        /* topics and partitions */
	VERSION_BY_ID = 12, /* topics may be asked for by id */
};

/* A topic that was asked for: each is answered once. */
struct asked {
	struct map_node node;
	const struct metadata_request_request_topic *topic;
};

struct listing {
	struct call *call;
	const struct metadata_request *request;
	struct describe describe; /* with a reference on the image */
	struct metadata_response response;
	bool wants_all;
	bool by_id;

	/* Where it is: in all topics, or in the request; then in a topic's partitions. */
	struct pmap_iter it;
	bool has_more;
	uint32_t at;
	const struct image_topic *topic;
	struct metadata_response_response_topic *filling;

	struct map seen;
	struct asked *asked;
	struct str *missing; /* to be created */
	uint32_t missing_count;
};

/* ---- one topic ---- */

static struct metadata_response_response_topic *add_topic(struct listing *l, int16_t error,
                                                          struct str name, struct uuid id)
{
	struct metadata_response_response_topic *t =
		&l->response.topics[l->response.topics_count++];

	*t = (struct metadata_response_response_topic){
		.error_code = error,
		.name = name,
		.topic_id = id,
		.is_internal = name.data && topic_name_is_internal(name),
		.partitions = WIRE_EMPTY,
		.topic_authorized_operations = INT32_MIN,
	};
	if (name.data && l->request->include_topic_authorized_operations)
		t->topic_authorized_operations = ADMIN_TOPIC_OPERATIONS;
	return t;
}

static bool begin_topic(struct listing *l, const struct image_topic *topic)
{
	l->topic = topic;
	l->filling = add_topic(l, WIRE_NONE, topic->name, topic->id);
	l->filling->partitions = arena_array(&l->call->arena, topic->partition_count,
	                                     sizeof(*l->filling->partitions));
	return l->filling->partitions;
}

static bool next_partition(struct listing *l)
{
	uint32_t i = l->filling->partitions_count;

	if (i == l->topic->partition_count) {
		l->topic = NULL;
		return true;
	}
	l->filling->partitions_count++;
	return describe_metadata_partition(&l->describe, l->call->version, l->topic->partition[i],
	                                   &l->filling->partitions[i]);
}

static bool may_create(const struct listing *l)
{
	return l->request->allow_auto_topic_creation && l->call->broker->auto_topics &&
	       config_bool(broker_config(l->call->broker), CONFIG_AUTO_CREATE_TOPICS_ENABLE);
}

/* What is created is not waited for: the client asks again. */
static void add_missing(struct listing *l, struct str name)
{
	bool is_valid = topic_name_is_valid(name);

	(void)add_topic(l,
	                is_valid ? WIRE_UNKNOWN_TOPIC_OR_PARTITION : WIRE_INVALID_TOPIC_EXCEPTION,
	                name, UUID_ZERO);
	if (is_valid && l->missing)
		l->missing[l->missing_count++] = name;
}

/* ---- which topics ---- */

static uint64_t asked_hash(const struct listing *l, const struct metadata_request_request_topic *t)
{
	return l->by_id ? hash_bytes(t->topic_id.byte, sizeof(t->topic_id.byte))
	                : hash_str(t->name);
}

/* True for the first time. */
static bool note_asked(struct listing *l, const struct metadata_request_request_topic *t)
{
	uint64_t hash = asked_hash(l, t);
	struct asked *asked = &l->asked[l->at];

	for (struct map_node *n = map_first(&l->seen, hash); n; n = map_next(n)) {
		const struct metadata_request_request_topic *other =
			container_of(n, struct asked, node)->topic;

		if (l->by_id ? uuid_eq(other->topic_id, t->topic_id) : str_eq(other->name, t->name))
			return false;
	}
	asked->topic = t;
	map_insert(&l->seen, &asked->node, hash);
	return true;
}

static bool begin_asked(struct listing *l, const struct metadata_request_request_topic *t)
{
	const struct image *image = l->describe.image;
	const struct image_topic *topic;

	if (l->request->topics_count > 1 && !note_asked(l, t))
		return true;
	topic = l->by_id ? image_topic_by_id(image, t->topic_id)
	                 : image_topic_by_name(image, t->name);
	if (topic)
		return begin_topic(l, topic);
	if (l->by_id)
		(void)add_topic(l, WIRE_UNKNOWN_TOPIC_ID, (struct str){ 0 }, t->topic_id);
	else
		add_missing(l, t->name);
	return true;
}

/* The next topic, if there is one. */
static bool next_topic(struct listing *l, bool *ret_end)
{
	const struct metadata_request_request_topic *t;
	bool ok = true;

	*ret_end = l->wants_all ? !l->has_more : l->at == l->request->topics_count;
	if (*ret_end)
		return true;
	if (l->wants_all) {
		ok = begin_topic(l, image_value_of(struct image_topic, l->it.entry));
		l->has_more = pmap_next(&l->it);
		return ok;
	}
	t = &l->request->topics[l->at];
	/* With ids in the request its names do not count. */
	if (!l->by_id || !uuid_is_zero(t->topic_id))
		ok = begin_asked(l, t);
	l->at++;
	return ok;
}

/* ---- the answer ---- */

static void give_up(struct listing *l)
{
	map_fini(&l->seen);
	image_put(l->describe.image);
	call_close(l->call);
}

/* This broker when it is alive: it forwards to the controller as well as any other. */
static int32_t controller_id(const struct listing *l)
{
	int32_t self = l->call->broker->node_id;
	const struct image_node *node = image_broker(l->describe.image, self);
	struct pmap_iter it;

	if (node && !node->fenced)
		return self;
	pmap_each(it, &l->describe.image->brokers)
	{
		node = image_value_of(struct image_node, it.entry);
		if (!node->fenced)
			return node->id;
	}
	return -1;
}

static void reply(struct listing *l)
{
	const struct image *image = l->describe.image;
	struct call *call = l->call;

	l->response.cluster_id = metadata_cluster_id(call->broker->metadata);
	l->response.controller_id = controller_id(l);
	if (l->request->include_cluster_authorized_operations)
		l->response.cluster_authorized_operations = ADMIN_CLUSTER_OPERATIONS;
	if (l->missing_count)
		auto_topics_create(call->broker->auto_topics, l->missing, l->missing_count,
		                   call->principal);
	map_fini(&l->seen);
	if (describe_metadata_brokers(&l->describe, &l->response))
		call_reply(call, &l->response);
	else
		call_close(call);
	image_put(image); /* its texts were in the answer until that was encoded */
}

static void list_topics(struct call *call)
{
	struct listing *l = call->user;
	bool is_end = false;
	bool ok = true;

	for (int steps = 0; ok && !is_end; steps++) {
		if (steps == TURN) {
			call_yield(call, list_topics);
			return;
		}
		ok = l->topic ? next_partition(l) : next_topic(l, &is_end);
	}
	if (ok)
		reply(l);
	else
		give_up(l);
}

/* ---- the request ---- */

/* Before version 12 a topic is its name, and since then nothing is asked for by neither. */
static bool is_valid(const struct call *call, const struct metadata_request *r)
{
	bool by_id = false;

	for (uint32_t i = 0; r->topics && i < r->topics_count; i++)
		by_id |= !uuid_is_zero(r->topics[i].topic_id);
	if (by_id)
		return call->version >= VERSION_BY_ID;
	for (uint32_t i = 0; r->topics && i < r->topics_count; i++)
		if (!r->topics[i].name.data)
			return false;
	return true;
}

static void refuse(struct call *call, const struct metadata_request *r)
{
	struct metadata_response response;

	metadata_response_init(&response);
	response.error_code = WIRE_INVALID_REQUEST;
	response.topics = arena_array(&call->arena, r->topics_count, sizeof(*response.topics));
	if (!response.topics) {
		call_close(call);
		return;
	}
	response.topics_count = r->topics_count;
	for (uint32_t i = 0; i < r->topics_count; i++)
		response.topics[i] = (struct metadata_response_response_topic){
			.error_code = WIRE_INVALID_REQUEST,
			.name = r->topics[i].name.data ? r->topics[i].name : STR(""),
			.topic_id = r->topics[i].topic_id,
			.partitions = WIRE_EMPTY,
			.topic_authorized_operations = INT32_MIN,
		};
	call_reply(call, &response);
}

static bool listing_begin(struct listing *l)
{
	struct arena *arena = &l->call->arena;
	size_t count;

	l->wants_all = !l->request->topics || (!l->request->topics_count && !l->call->version);
	for (uint32_t i = 0; !l->wants_all && i < l->request->topics_count; i++)
		l->by_id |= !uuid_is_zero(l->request->topics[i].topic_id);
	count = l->wants_all ? l->describe.image->topics.count : l->request->topics_count;
	l->response.topics = arena_array(arena, count, sizeof(*l->response.topics));
	if (l->wants_all)
		l->has_more = pmap_first(&l->describe.image->topics, &l->it);
	else if (count > 1)
		l->asked = arena_array(arena, count, sizeof(*l->asked));
	if (!l->wants_all && !l->by_id && may_create(l))
		l->missing = arena_array(arena, count, sizeof(*l->missing));
	return l->response.topics && (l->asked || l->wants_all || count <= 1);
}

void api_metadata(struct call *call)
{
	const struct metadata_request *request = call->request;
	struct listing *l;

	if (!is_valid(call, request)) {
		refuse(call, request);
		return;
	}
	l = arena_zalloc(&call->arena, sizeof(*l));
	if (!l) {
		call_close(call);
		return;
	}
	l->call = call;
	l->request = request;
	metadata_response_init(&l->response);
	l->describe = (struct describe){
		.image = image_get(metadata_image(call->broker->metadata)),
		.arena = &call->arena,
		.listener = call->listener->name,
	};
	call->user = l;
	if (listing_begin(l))
		list_topics(call);
	else
		give_up(l);
}
