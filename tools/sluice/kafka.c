/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "wire/find_coordinator.h"

enum { AGAIN_MS = 100 };

/* ---- connections ---- */

static struct conn *node_add(struct kafka *k, int32_t id, struct conn *conn)
{
	k->node = mem_grow(k->node, k->node_count, &k->node_capacity, sizeof(*k->node));
	k->node[k->node_count++] = (struct kafka_node){ id, conn };
	return conn;
}

/* "host:port" or "[address]:port"; the pieces are the arena's. */
static struct conn *open_at(struct kafka *k, struct str at, const char **ret_why)
{
	const char *colon = memrchr(at.data, ':', at.size);
	struct str host, port;

	if (!colon || colon == at.data || colon + 1 == at.data + at.size)
		cli_usage("--bootstrap-server %.*s: HOST:PORT is wanted", STR_ARG(at));
	host = (struct str){ at.data, (uint32_t)(colon - at.data) };
	port = (struct str){ colon + 1, at.size - host.size - 1 };
	if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
		host = (struct str){ host.data + 1, host.size - 2 };
	return conn_open(arena_printf(&k->arena, "%.*s", STR_ARG(host)).data,
	                 arena_printf(&k->arena, "%.*s", STR_ARG(port)).data, ret_why);
}

/* The first bootstrap server that answers. */
static void open_bootstrap(struct kafka *k)
{
	const char *at = k->cli->bootstrap;
	const char *why = "";

	while (*at) {
		size_t size = strcspn(at, ",");
		struct conn *c = open_at(k, (struct str){ at, (uint32_t)size }, &why);

		if (c) {
			node_add(k, KAFKA_ANY, c);
			return;
		}
		at += size + (at[size] == ',');
	}
	if (!strcmp(why, "connection refused"))
		cli_fail_refused(k->cli->bootstrap);
	if (!strcmp(why, "the name has no address"))
		cli_fail("%s: the name has no address; is --bootstrap-server right?",
		         k->cli->bootstrap);
	cli_fail("%s: %s", k->cli->bootstrap, why);
}

static struct conn *open_broker(struct kafka *k, int32_t id)
{
	for (uint32_t i = 0; i < k->cluster->brokers_count; i++) {
		const struct metadata_response_response_broker *b = &k->cluster->brokers[i];
		const char *host, *port, *why;
		struct conn *c;

		if (b->node_id != id)
			continue;
		host = arena_printf(&k->arena, "%.*s", STR_ARG(b->host)).data;
		port = arena_printf(&k->arena, "%d", b->port).data;
		c = conn_open(host, port, &why);
		if (!c)
			cli_fail("broker %d at %s:%s: %s; that is where it says it can be "
			         "reached (advertised.listeners)",
			         id, host, port, why);
		return node_add(k, id, c);
	}
	cli_fail("the cluster has no broker %d now; `sluice cluster info` lists those it has", id);
}

static struct conn *conn_of(struct kafka *k, int32_t id)
{
	for (size_t i = 0; i < k->node_count; i++)
		if (k->node[i].id == id)
			return k->node[i].conn;
	return open_broker(k, id);
}

/* ---- asking ---- */

/* Above these versions topics are named by id alone, which people do not write. */
static int16_t version_max(const struct wire_api *api)
{
	if (api->key == API_OFFSET_FETCH || api->key == API_OFFSET_COMMIT)
		return 9;
	return api->request->max;
}

static int16_t choose_version(const struct conn *c, const struct wire_api *api, const void *request)
{
	struct conn_version theirs = conn_version(c, api->key);
	int16_t ours = version_max(api);
	int16_t version = theirs.max < ours ? theirs.max : ours;
	const char *field;

	if (theirs.min > theirs.max)
		cli_fail("the broker at %s does not know %s", conn_address(c), api->name);
	if (version < theirs.min || version < api->request->min)
		cli_fail("the broker at %s knows %s in versions %d to %d, sluice in %d to %d",
		         conn_address(c), api->name, theirs.min, theirs.max, api->request->min,
		         ours);
	field = message_unsupported(api->request, version, request);
	if (field)
		cli_fail("the broker at %s is too old for this: its %s, version %d, has no %s",
		         conn_address(c), api->name, version, field);
	return version;
}

const void *kafka_ask(struct kafka *k, int32_t node, int16_t key, const void *request)
{
	const struct wire_api *api = wire_api_find(key);
	struct conn *c = conn_of(k, node);
	int16_t version = choose_version(c, api, request);
	void *answer = arena_zalloc(&k->arena, api->response->size);
	const char *why = conn_call(c, api, version, request, &k->arena, answer);

	k->last_node = node;
	k->last_key = key;
	if (why)
		cli_fail("%s, %s: %s", conn_address(c), api->name, why);
	return answer;
}

int16_t kafka_max_version(struct kafka *k, int32_t node, int16_t key)
{
	return conn_version(conn_of(k, node), key).max;
}

const char *kafka_address(struct kafka *k, int32_t node)
{
	return conn_address(conn_of(k, node));
}

const struct api_versions_response *kafka_features(struct kafka *k)
{
	return conn_features(k->node[0].conn);
}

bool kafka_again(int16_t error, int *tries)
{
	if (error != WIRE_COORDINATOR_NOT_AVAILABLE && error != WIRE_NOT_COORDINATOR &&
	    error != WIRE_COORDINATOR_LOAD_IN_PROGRESS)
		return false;
	if (++*tries > CLI_TIMEOUT_MS / AGAIN_MS)
		return false;
	usleep(AGAIN_MS * 1000);
	return true;
}

/* ---- the cluster ---- */

void kafka_open(struct kafka *k, const struct cli *cli)
{
	struct metadata_request r = { .topics = WIRE_EMPTY };

	*k = (struct kafka){ .cli = cli };
	arena_init(&k->arena, SIZE_MAX);
	open_bootstrap(k);
	k->cluster = kafka_ask(k, KAFKA_ANY, API_METADATA, &r);
}

void kafka_close(struct kafka *k)
{
	for (size_t i = 0; i < k->node_count; i++)
		conn_close(k->node[i].conn);
	mem_free(k->node);
	arena_fini(&k->arena);
}

int32_t kafka_controller(const struct kafka *k)
{
	return k->cluster->controller_id;
}

int32_t kafka_coordinator(struct kafka *k, struct str group)
{
	struct find_coordinator_request r = { .coordinator_keys = &group,
		                              .coordinator_keys_count = 1 };
	const struct find_coordinator_response *answer;
	const struct find_coordinator_response_coordinator *c;
	int tries = 0;

	do {
		answer = kafka_ask(k, KAFKA_ANY, API_FIND_COORDINATOR, &r);
		if (!answer->coordinators_count)
			cli_fail("%s: an empty answer to FindCoordinator",
			         kafka_address(k, KAFKA_ANY));
		c = &answer->coordinators[0];
	} while (kafka_again(c->error_code, &tries));
	if (c->error_code)
		kafka_fail(k, group.data, c->error_code, c->error_message);
	return c->node_id;
}

static int by_name(const void *a, const void *b)
{
	const struct metadata_response_response_topic *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

static int by_index(const void *a, const void *b)
{
	const struct metadata_response_response_partition *x = a, *y = b;

	return (x->partition_index > y->partition_index) -
	       (x->partition_index < y->partition_index);
}

struct metadata_response *kafka_topics(struct kafka *k, const struct str *name, size_t count)
{
	struct metadata_request r = { .topics = count ? NULL : WIRE_EMPTY,
		                      .topics_count = (uint32_t)count };
	struct metadata_response *answer;

	if (!name)
		r.topics = NULL;
	else if (count)
		r.topics = arena_zalloc(&k->arena, count * sizeof(*r.topics));
	for (size_t i = 0; name && i < count; i++)
		r.topics[i].name = name[i];
	answer = (struct metadata_response *)kafka_ask(k, KAFKA_ANY, API_METADATA, &r);
	if (answer->topics_count)
		qsort(answer->topics, answer->topics_count, sizeof(*answer->topics), by_name);
	for (uint32_t i = 0; i < answer->topics_count; i++)
		if (answer->topics[i].partitions_count)
			qsort(answer->topics[i].partitions, answer->topics[i].partitions_count,
			      sizeof(*answer->topics[i].partitions), by_index);
	return answer;
}

const struct metadata_response_response_topic *kafka_topic(struct kafka *k, const char *name)
{
	struct str s = str_of(name);
	const struct metadata_response *md = kafka_topics(k, &s, 1);

	if (!md->topics_count)
		cli_fail("%s: an empty answer to Metadata", kafka_address(k, KAFKA_ANY));
	if (md->topics[0].error_code)
		kafka_fail(k, name, md->topics[0].error_code, (struct str){ 0 });
	return &md->topics[0];
}
