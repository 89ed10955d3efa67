/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "broker/controller_client.h"
#include "broker/metadata.h"
#include "broker/storage.h"
#include "core/raft.h"
#include "io/file.h"
#include "io/reactor.h"
#include "wire/api.h"
#include "wire/create_topics.h"
#include "wire/errors.h"

#define GOLDEN "selftests/unit/golden/kafka-metadata/"

/* ---- rules that allow everything ---- */

static int16_t validate(void *arg, struct arena *arena, enum image_resource_type type,
                        struct str resource_name, const struct str *name, const struct str *value,
                        size_t count, struct str *ret_message)
{
	(void)arg, (void)arena, (void)type, (void)resource_name, (void)name, (void)value;
	(void)count, (void)ret_message;
	return WIRE_NONE;
}

static bool is_list(void *arg, enum image_resource_type type, struct str name)
{
	(void)arg, (void)type, (void)name;
	return false;
}

static struct str effective(void *arg, struct arena *arena, const struct image *image,
                            enum image_resource_type type, struct str resource_name,
                            struct str name)
{
	(void)arg, (void)arena, (void)image, (void)type, (void)resource_name;
	return str_eq(name, STR("min.insync.replicas")) ? STR("1") : STR("false");
}

static size_t topic_entries(void *arg, struct arena *arena, const struct image *image,
                            const struct str *name, const struct str *value, size_t count,
                            const struct controller_config_entry **ret)
{
	(void)arg, (void)arena, (void)image, (void)name, (void)value, (void)count;
	*ret = NULL;
	return 0;
}

/* ---- one life of a node ---- */

struct life {
	struct metadata *m;
	const char *topic; /* to be made when unfenced; NULL: none */
	struct controller_call call;
	struct create_topics_request request;
	struct create_topics_request_creatable_topic creatable;
	uint64_t snapshot_bytes; /* 0: Kafka's */
	int16_t error;
	int changes;
	struct image *end; /* what was published last */
	int64_t epoch;
	int32_t leader_epoch;
};

static void stopped(void *arg)
{
	struct life *life = arg;
	struct metadata_quorum quorum;

	metadata_quorum(life->m, &quorum);
	life->leader_epoch = quorum.leader_epoch;
	life->epoch = metadata_broker_epoch(life->m);
	life->end = image_get(metadata_image(life->m));
	reactors_stop();
}

static void created(struct controller_call *call)
{
	struct life *life = container_of(call, struct life, call);
	const struct create_topics_response *response = call->response;

	life->error = call->error ? call->error : response->topics[0].error_code;
	/* Answered means published. */
	if (!life->error)
		assert_non_null(image_topic_by_name(metadata_image(life->m), str_of(life->topic)));
	controller_call_fini(call);
	metadata_stop(life->m, 5000, stopped, life);
}

static void unfenced(void *arg)
{
	struct life *life = arg;

	assert_false(image_broker(metadata_image(life->m), 1)->fenced);
	if (!life->topic) {
		metadata_stop(life->m, 5000, stopped, life);
		return;
	}
	create_topics_request_init(&life->request);
	life->creatable = (struct create_topics_request_creatable_topic){
		.name = str_of(life->topic),
		.num_partitions = 3,
		.replication_factor = 1,
	};
	life->request.topics = &life->creatable;
	life->request.topics_count = 1;
	life->call = (struct controller_call){
		.api_key = API_CREATE_TOPICS,
		.version = 7,
		.request = &life->request,
		.done = created,
	};
	controller_send(life->m, &life->call);
}

static void ready(void *arg)
{
	struct life *life = arg;

	assert_true(image_broker(metadata_image(life->m), 1)->fenced);
	metadata_unfence(life->m);
}

static void changed(void *arg, const struct image *old, const struct image *new)
{
	struct life *life = arg;

	assert_true(new->offset > old->offset);
	assert_true(life->changes || !old->metadata_version);
	life->changes++;
}

static void begin(void *arg)
{
	struct life *life = arg;

	metadata_start(life->m);
}

static struct metadata_options options_of(struct life *life, struct dir *dir,
                                          enum log_recovery recovery, int64_t previous_epoch)
{
	static const struct metadata_listener listener = {
		{ "PLAINTEXT", 9 }, { "127.0.0.1", 9 }, 21690, 0
	};
	static const struct metadata_listener controller = {
		{ "CONTROLLER", 10 }, { "127.0.0.1", 9 }, 21611, 0
	};

	return (struct metadata_options){
		.dir = dir,
		.recovery = recovery,
		.log = { .segment_bytes = 1 << 30,
		         .segment_ms = INT64_MAX,
		         .index_interval_bytes = 4096,
		         .index_bytes = 10 << 20,
		         .retention_ms = -1,
		         .retention_bytes = -1,
		         .flush_messages = INT64_MAX,
		         .flush_ms = INT64_MAX,
		         .producer_expiration_ms = 86400000 },
		.node_id = 1,
		.listener = &listener,
		.listener_count = 1,
		.controller = &controller,
		.controller_count = 1,
		.previous_broker_epoch = previous_epoch,
		.rules = { .validate = validate,
		           .is_list = is_list,
		           .effective = effective,
		           .topic_entries = topic_entries },
		.default_partition_count = 1,
		.default_replication_factor = 1,
		.default_min_isr = 1,
		.session_timeout_ms = 9000,
		.heartbeat_interval_ms = 2000,
		.idle_interval_ms = 500,
		.snapshot_bytes = life->snapshot_bytes ? life->snapshot_bytes : 20 << 20,
		.snapshot_interval_ms = 3600000,
		.retention_bytes = life->snapshot_bytes ? 1 : 100 << 20,
		.retention_ms = 604800000,
		.ready = ready,
		.changed = changed,
		.unfenced = unfenced,
		.arg = life,
	};
}

static void live(struct life *life, struct dir *dir, enum log_recovery recovery,
                 int64_t previous_epoch, bool clean)
{
	struct metadata_options options = options_of(life, dir, recovery, previous_epoch);
	struct metadata_error why = { "" };

	assert_int_equal(reactors_open(&(struct reactors_options){ .count = 2 }), 0);
	if (metadata_open(&options, &life->m, &why))
		fail_msg("%s", why.text);
	reactors_run(begin, life);
	reactors_close();
	assert_int_equal(metadata_close(life->m, clean), 0);
}

static struct dir *new_dir(char *path)
{
	struct dir *dir;

	strcpy(path, "/tmp/sluice-metadata-XXXXXX");
	assert_non_null(mkdtemp(path));
	assert_int_equal(dir_open(path, false, &dir), 0);
	return dir;
}

static void remove_dir(struct dir *dir, char *path)
{
	char command[100];

	dir_close(dir);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	assert_int_equal(system(command), 0);
}

static void keeps_what_was_acknowledged(void **state)
{
	char path[64];
	struct dir *dir = new_dir(path);
	struct life one = { .topic = "first" };
	struct life two = { .topic = "second" };
	struct life three = { .topic = NULL };
	const struct image_topic *topic;

	(void)state;
	live(&one, dir, LOG_CLEAN, -1, true);
	assert_int_equal(one.error, WIRE_NONE);
	assert_int_equal(one.leader_epoch, 1);
	assert_true(one.changes >= 4);
	assert_true(image_broker(one.end, 1)->fenced);
	topic = image_topic_by_name(one.end, STR("first"));
	assert_int_equal(topic->partition[2]->leader, IMAGE_NO_LEADER);
	assert_int_equal(topic->partition[2]->elr.count, 1);

	live(&two, dir, LOG_CLEAN, one.epoch, true);
	assert_int_equal(two.error, WIRE_NONE);
	assert_int_equal(two.leader_epoch, 2);
	assert_true(two.epoch > one.epoch);
	topic = image_topic_by_name(two.end, STR("first"));
	assert_int_equal(topic->partition[2]->leader_epoch, 3);

	live(&three, dir, LOG_KILLED, -1, false);
	assert_non_null(image_topic_by_name(three.end, STR("first")));
	assert_non_null(image_topic_by_name(three.end, STR("second")));
	assert_int_equal(three.leader_epoch, 3);
	image_put(one.end);
	image_put(two.end);
	image_put(three.end);
	remove_dir(dir, path);
}

static void count_snapshot(void *arg, const struct dir_entry *e)
{
	struct raft_snapshot_id id;

	*(int *)arg += raft_snapshot_parse(str_of(e->name), &id);
}

/* Each step makes one, with this bound; only the newest is kept, and it is enough to start with. */
static void goes_on_from_its_snapshot(void **state)
{
	char path[64];
	struct dir *dir = new_dir(path);
	struct life one = { .topic = "first", .snapshot_bytes = 1 };
	struct life two = { .topic = "second", .snapshot_bytes = 1 };
	int count = 0;

	(void)state;
	live(&one, dir, LOG_CLEAN, -1, true);
	assert_int_equal(dir_list(dir, "__cluster_metadata-0", count_snapshot, &count), 0);
	assert_true(count >= 1);
	live(&two, dir, LOG_KILLED, one.epoch, true);
	assert_non_null(image_topic_by_name(two.end, STR("first")));
	assert_non_null(image_topic_by_name(two.end, STR("second")));
	assert_int_equal(two.leader_epoch, 2);
	image_put(one.end);
	image_put(two.end);
	remove_dir(dir, path);
}

static void copy(const char *from, const char *to)
{
	char command[400];

	snprintf(command, sizeof(command), "cp " GOLDEN "%s %s", from, to);
	assert_int_equal(system(command), 0);
}

/* With snapshots and without them: the log alone says the same. */
static void goes_on_where_kafka_stopped(void **state)
{
	(void)state;
	for (int with_snapshots = 0; with_snapshots < 2; with_snapshots++) {
		char path[64];
		char sub[128];
		struct dir *dir = new_dir(path);
		struct life life = { .topic = "ours" };
		const struct image_topic *orders;

		snprintf(sub, sizeof(sub), "%s/__cluster_metadata-0", path);
		assert_int_equal(mkdir(sub, 0755), 0);
		copy("00000000000000000000.log", sub);
		copy("quorum-state", sub);
		copy("00000000000000000000-0000000000.checkpoint", sub);
		if (with_snapshots)
			copy("00000000000000000186-0000000003.checkpoint", sub);
		copy("meta.properties", path);
		copy("bootstrap.checkpoint", path);
		live(&life, dir, LOG_KILLED, -1, true);
		assert_int_equal(life.error, WIRE_NONE);
		assert_int_equal(life.leader_epoch, 4);
		orders = image_topic_by_name(life.end, STR("orders"));
		assert_int_equal(orders->partition_count, 5);
		/* Stopped cleanly by Kafka, but we were not told: back as the last known leader. */
		assert_int_equal(orders->partition[0]->leader_epoch, 7);
		assert_non_null(image_topic_by_name(life.end, STR("ours")));
		assert_int_equal(life.end->scram.count, with_snapshots ? 1 : 2);
		assert_true(str_eq(image_config_value(life.end, IMAGE_RESOURCE_GROUP, STR("g1"),
		                                      STR("consumer.session.timeout.ms")),
		                   STR("50000")));
		image_put(life.end);
		remove_dir(dir, path);
	}
}

static void refuses_what_is_not_its_own(void **state)
{
	char path[64];
	struct dir *dir = new_dir(path);
	struct life life = { 0 };
	struct metadata_options options = options_of(&life, dir, LOG_CLEAN, -1);
	struct metadata_error why;
	struct storage_error reason;
	struct storage_format format = {
		.cluster_id = STR("MkU3OEVBNTcwNTJENDM2Qg"),
		.node_id = 2,
		.metadata_version = 30,
		.standalone = true,
		.controller = { STR("CONTROLLER"), STR("127.0.0.1"), 21611 },
	};
	uint32_t formatted;

	(void)state;
	assert_int_equal(storage_format(&dir, 1, &format, true, &formatted, &reason), 0);
	assert_int_equal(formatted, 1);
	assert_int_equal(storage_format(&dir, 1, &format, true, &formatted, &reason), -EEXIST);
	assert_int_equal(storage_format(&dir, 1, &format, false, &formatted, &reason), 0);
	assert_int_equal(formatted, 0);
	assert_int_equal(metadata_open(&options, &life.m, &why), -EINVAL);
	assert_non_null(strstr(why.text, "belongs to node 2, not 1"));
	options.node_id = 2;
	options.cluster_id = STR("other");
	assert_int_equal(metadata_open(&options, &life.m, &why), -EINVAL);
	assert_non_null(strstr(why.text, "belongs to cluster"));
	remove_dir(dir, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_was_acknowledged),
		cmocka_unit_test(goes_on_from_its_snapshot),
		cmocka_unit_test(goes_on_where_kafka_stopped),
		cmocka_unit_test(refuses_what_is_not_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
