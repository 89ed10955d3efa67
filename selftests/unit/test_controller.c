/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_fixture.h"
#include "wire/allocate_producer_ids.h"
#include "wire/alter_configs.h"
#include "wire/alter_partition.h"
#include "wire/create_partitions.h"
#include "wire/delete_topics.h"
#include "wire/elect_leaders.h"
#include "wire/incremental_alter_configs.h"
#include "wire/metadata_records.h"

/* Record for record what Kafka 4.3.1 wrote (golden/kafka-metadata, offsets 3 to 17). */
static void begins_as_kafka_begins(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	register_broker(&w, 1, 1, -1);
	assert_int_equal(w.out.error, WIRE_NOT_CONTROLLER);
	activate(&w);
	assert_trace(
		&w, "BeginTransactionRecord v0 {\"name\":\"Bootstrap records\"}\n"
		    "FeatureLevelRecord v0 {\"name\":\"metadata.version\",\"feature_level\":30}\n"
		    "FeatureLevelRecord v0 {\"name\":\"eligible.leader.replicas.version\","
		    "\"feature_level\":1}\n"
		    "FeatureLevelRecord v0 {\"name\":\"group.version\",\"feature_level\":1}\n"
		    "FeatureLevelRecord v0 {\"name\":\"share.version\",\"feature_level\":1}\n"
		    "FeatureLevelRecord v0 {\"name\":\"streams.version\",\"feature_level\":1}\n"
		    "FeatureLevelRecord v0 {\"name\":\"transaction.version\",\"feature_level\":2}\n"
		    "ConfigRecord v0 {\"resource_type\":4,\"resource_name\":\"\","
		    "\"name\":\"min.insync.replicas\",\"value\":\"1\"}\n"
		    "EndTransactionRecord v0 {}\n");
	assert_false(w.out.atomic);
	register_broker(&w, 1, 1, -1);
	assert_int_equal(((struct broker_registration_response *)w.out.response)->broker_epoch, 12);
	heartbeat(&w, 1, true, false);
	assert_trace(&w, "BrokerRegistrationChangeRecord v3 {\"broker_id\":1,\"broker_epoch\":12,"
	                 "\"fenced\":0,\"in_controlled_shutdown\":0,\"log_dirs\":[],"
	                 "\"cordoned_log_dirs\":[]}\n");
	assert_true(((struct broker_heartbeat_response *)w.out.response)->is_fenced);
	heartbeat(&w, 1, false, false);
	assert_trace(&w, "BrokerRegistrationChangeRecord v0 {\"broker_id\":1,\"broker_epoch\":12,"
	                 "\"fenced\":-1}\n");
	assert_false(((struct broker_heartbeat_response *)w.out.response)->is_fenced);
	heartbeat(&w, 1, false, false);
	assert_trace(&w, "");
	assert_state_is_its_records(&w);
	world_fini(&w);
}

static const struct image_partition *partition(struct world *w, const char *topic, int32_t index)
{
	return image_topic_partition(image_topic_by_name(controller_image(w->c), str_of(topic)),
	                             index);
}

/* Offsets 99 to 116 of Kafka's log: nobody leads while the only broker is away, +2 epochs. */
static void clean_restart_keeps_the_leader_eligible(void **state)
{
	struct world w;
	const struct image_partition *p;
	int64_t epoch;

	(void)state;
	one_broker(&w);
	assert_int_equal(create(&w, "t", 1, 1).error_code, WIRE_NONE);
	epoch = epoch_of(&w, 1);
	heartbeat(&w, 1, false, true);
	assert_non_null(strstr((char *)w.trace.data, "\"in_controlled_shutdown\":1"));
	assert_non_null(strstr((char *)w.trace.data,
	                       "\"isr\":[],\"leader\":-1,\"replicas\":null,"
	                       "\"removing_replicas\":null,\"adding_replicas\":null,"
	                       "\"leader_recovery_state\":-1,"
	                       "\"eligible_leader_replicas\":[1],\"last_known_elr\":[1],"
	                       "\"directories\":null"));
	assert_false(((struct broker_heartbeat_response *)w.out.response)->should_shut_down);
	heartbeat(&w, 1, false, true);
	assert_true(((struct broker_heartbeat_response *)w.out.response)->should_shut_down);
	assert_true(image_broker(controller_image(w.c), 1)->fenced);

	controller_reset(w.c, w.replayed, w.now_ms);
	activate(&w);
	register_broker(&w, 1, 2, epoch);
	assert_int_equal(w.out.record_count, 1);
	heartbeat(&w, 1, false, false);
	p = partition(&w, "t", 0);
	assert_int_equal(p->leader, 1);
	assert_int_equal(p->leader_epoch, 2);
	assert_int_equal(p->leader_recovery_state, IMAGE_LEADER_RECOVERED);
	assert_int_equal(p->elr.count + p->last_known_elr.count, 0);
	assert_int_equal(p->isr.count, 1);
	assert_state_is_its_records(&w);
	world_fini(&w);
}

/* After kill -9 it may have lost writes: it comes back as the last known leader, recovering. */
static void unclean_restart_is_a_recovery(void **state)
{
	struct world w;
	const struct image_partition *p;
	struct alter_partition_request_broker_state isr = { 1, -1 };
	struct alter_partition_request_partition_data data;
	struct alter_partition_request_topic_data topic;
	struct alter_partition_request r;

	(void)state;
	one_broker(&w);
	create(&w, "t", 1, 1);
	controller_reset(w.c, w.replayed, w.now_ms);
	activate(&w);
	assert_trace(&w, "");
	/* In one process with the controller, its old self is known to be gone. */
	register_broker(&w, 1, 2, -1);
	assert_int_equal(w.out.error, WIRE_NONE);
	assert_int_equal(w.out.record_count, 2);
	assert_int_equal(partition(&w, "t", 0)->leader, IMAGE_NO_LEADER);
	assert_int_equal(partition(&w, "t", 0)->elr.count, 0);
	heartbeat(&w, 1, false, false);
	p = partition(&w, "t", 0);
	assert_int_equal(p->leader, 1);
	assert_int_equal(p->leader_epoch, 2);
	assert_int_equal(p->leader_recovery_state, IMAGE_LEADER_RECOVERING);

	alter_partition_request_init(&r);
	isr.broker_epoch = epoch_of(&w, 1);
	data = (struct alter_partition_request_partition_data){
		.leader_epoch = 2,
		.partition_epoch = p->partition_epoch,
		.new_isr_with_epochs = &isr,
		.new_isr_with_epochs_count = 1,
	};
	topic = (struct alter_partition_request_topic_data){
		.topic_id = image_topic_by_name(controller_image(w.c), STR("t"))->id,
		.partitions = &data,
		.partitions_count = 1,
	};
	r.broker_id = 1;
	r.broker_epoch = epoch_of(&w, 1);
	r.topics = &topic;
	r.topics_count = 1;
	request(&w, API_ALTER_PARTITION, 3, &r);
	assert_int_equal(w.out.record_count, 1);
	p = partition(&w, "t", 0);
	assert_int_equal(p->leader_recovery_state, IMAGE_LEADER_RECOVERED);
	assert_int_equal(p->leader_epoch, 2);
	/* Again, with what is now an old partition epoch. */
	request(&w, API_ALTER_PARTITION, 3, &r);
	assert_int_equal(((struct alter_partition_response *)w.out.response)
	                         ->topics[0]
	                         .partitions[0]
	                         .error_code,
	                 WIRE_INVALID_UPDATE_VERSION);
	assert_state_is_its_records(&w);
	world_fini(&w);
}

static void silent_broker_is_fenced_when_its_session_ends(void **state)
{
	struct world w;

	(void)state;
	one_broker(&w);
	create(&w, "t", 1, 1);
	assert_int_equal(controller_wake_ms(w.c), w.now_ms + 500);
	w.now_ms += 500;
	step(&w, (struct controller_event){ .type = CONTROLLER_TICK });
	assert_trace(&w, "NoOpRecord v0 {}\n");
	w.now_ms += 9000;
	step(&w, (struct controller_event){ .type = CONTROLLER_TICK });
	assert_true(image_broker(controller_image(w.c), 1)->fenced);
	assert_int_equal(partition(&w, "t", 0)->leader, IMAGE_NO_LEADER);
	/* Another incarnation was not let in before; it is now. */
	register_broker(&w, 1, 9, -1);
	assert_int_equal(w.out.error, WIRE_NONE);
	heartbeat(&w, 1, false, false);
	register_broker(&w, 1, 10, -1);
	assert_int_equal(w.out.error, WIRE_DUPLICATE_BROKER_REGISTRATION);
	assert_state_is_its_records(&w);
	world_fini(&w);
}

static void refuses_wrong_registrations(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	activate(&w);
	features[3].max_supported_version = 29;
	register_broker(&w, 1, 1, -1);
	assert_int_equal(w.out.error, WIRE_UNSUPPORTED_VERSION);
	assert_true(str_eq(w.out.message,
	                   STR("Unable to register because the broker does not support finalized "
	                       "version 30 of metadata.version. The broker wants a version between "
	                       "7 and 29, inclusive.")));
	features[3].max_supported_version = 30;
	features[6].name = STR("other.version");
	register_broker(&w, 1, 1, -1);
	assert_int_equal(w.out.error, WIRE_UNSUPPORTED_VERSION);
	features[6].name = STR("transaction.version");
	register_broker(&w, 1, 1, -1);
	assert_int_equal(w.out.error, WIRE_NONE);
	world_fini(&w);
}

static void topic_names_and_numbers_are_checked(void **state)
{
	struct world w;

	(void)state;
	one_broker(&w);
	assert_refused(create(&w, "", 1, 1), WIRE_INVALID_TOPIC_EXCEPTION,
	               "Topic name is invalid: the empty string is not allowed");
	assert_refused(create(&w, "a/b", 1, 1), WIRE_INVALID_TOPIC_EXCEPTION,
	               "Topic name is invalid: 'a/b' contains one or more characters other than "
	               "ASCII alphanumerics, '.', '_' and '-'");
	assert_refused(create(&w, "t", 0, 1), WIRE_INVALID_PARTITIONS,
	               "Number of partitions was set to an invalid non-positive value.");
	assert_refused(create(&w, "t", 1, 0), WIRE_INVALID_REPLICATION_FACTOR,
	               "Replication factor must be larger than 0, or -1 to use the default value.");
	assert_refused(create(&w, "t", 1, 2), WIRE_INVALID_REPLICATION_FACTOR,
	               "Unable to replicate the partition 2 time(s): The target replication factor "
	               "of 2 cannot be reached because only 1 broker(s) are registered or some "
	               "brokers have all their log directories cordoned.");
	assert_refused(create(&w, "__cluster_metadata", 1, 1), WIRE_INVALID_REQUEST,
	               "Creation of internal topic __cluster_metadata is prohibited.");
	assert_int_equal(w.out.record_count, 0);
	assert_int_equal(create(&w, "x.y", -1, -1).num_partitions, 2);
	assert_refused(create(&w, "x_y", 1, 1), WIRE_INVALID_TOPIC_EXCEPTION,
	               "Topic 'x_y' collides with existing topic: x.y");
	assert_refused(create(&w, "x.y", 1, 1), WIRE_TOPIC_ALREADY_EXISTS,
	               "Topic 'x.y' already exists.");
	world_fini(&w);
}

static void validate_only_changes_nothing(void **state)
{
	struct create_topics_request_creatable_topic topic[2] = {
		{ .name = { "t", 1 }, .num_partitions = 3, .replication_factor = 1 },
		{ .name = { "t", 1 }, .num_partitions = 3, .replication_factor = 1 },
	};
	struct create_topics_request r;
	const struct create_topics_response *response;
	struct world w;

	(void)state;
	one_broker(&w);
	create_topics_request_init(&r);
	r.topics = topic;
	r.topics_count = 1;
	r.validate_only = true;
	request(&w, API_CREATE_TOPICS, 7, &r);
	response = w.out.response;
	assert_int_equal(response->topics[0].error_code, WIRE_NONE);
	assert_int_equal(response->topics[0].num_partitions, 3);
	assert_int_equal(w.out.record_count, 0);
	assert_null(image_topic_by_name(controller_image(w.c), STR("t")));
	/* Twice in one request is once in the answer. */
	r.topics_count = 2;
	request(&w, API_CREATE_TOPICS, 7, &r);
	response = w.out.response;
	assert_int_equal(response->topics_count, 1);
	assert_refused(response->topics[0], WIRE_INVALID_REQUEST, "Duplicate topic name.");
	world_fini(&w);
}

static void delete_topics_by_name_and_id(void **state)
{
	struct delete_topics_request_delete_topic_state topic[4] = { 0 };
	struct delete_topics_request r;
	const struct delete_topics_response *response;
	struct world w;

	(void)state;
	one_broker(&w);
	create(&w, "a.a", 1, 1);
	create(&w, "b", 1, 1);
	topic[0].name = STR("a.a");
	topic[1].topic_id = image_topic_by_name(controller_image(w.c), STR("b"))->id;
	topic[2].name = STR("none");
	topic[3].topic_id = uuid_of(77);
	delete_topics_request_init(&r);
	r.topics = topic;
	r.topics_count = 4;
	request(&w, API_DELETE_TOPICS, 6, &r);
	response = w.out.response;
	assert_int_equal(response->responses_count, 4);
	assert_int_equal(response->responses[0].error_code, WIRE_NONE);
	assert_int_equal(response->responses[1].error_code, WIRE_NONE);
	assert_true(str_eq(response->responses[1].name, STR("b")));
	assert_int_equal(response->responses[2].error_code, WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(response->responses[3].error_code, WIRE_UNKNOWN_TOPIC_ID);
	assert_int_equal(w.out.record_count, 2);
	/* Its name does not collide any more. */
	assert_int_equal(create(&w, "a_a", 1, 1).error_code, WIRE_NONE);
	assert_state_is_its_records(&w);
	world_fini(&w);
}

static struct create_partitions_response_topic_result grow(struct world *w, const char *name,
                                                           int32_t count)
{
	struct create_partitions_request_topic topic = { .name = str_of(name), .count = count };
	struct create_partitions_request r;

	create_partitions_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	request(w, API_CREATE_PARTITIONS, 3, &r);
	return ((struct create_partitions_response *)w->out.response)->results[0];
}

static void topics_only_grow(void **state)
{
	struct world w;

	(void)state;
	one_broker(&w);
	create(&w, "t", 2, 1);
	assert_int_equal(grow(&w, "t", 5).error_code, WIRE_NONE);
	assert_int_equal(w.out.record_count, 3);
	assert_int_equal(image_topic_by_name(controller_image(w.c), STR("t"))->partition_count, 5);
	assert_true(
		str_eq(grow(&w, "t", 5).error_message, STR("Topic already has 5 partition(s).")));
	assert_true(str_eq(grow(&w, "t", 4).error_message,
	                   STR("The topic t currently has 5 partition(s); 4 would not be an "
	                       "increase.")));
	assert_int_equal(grow(&w, "none", 4).error_code, WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	assert_state_is_its_records(&w);
	world_fini(&w);
}

static struct incremental_alter_configs_response_alter_configs_resource_response
alter(struct world *w, int8_t type, const char *resource, int8_t op, const char *name,
      const char *value)
{
	struct incremental_alter_configs_request_alterable_config config = { str_of(name), op,
		                                                             str_of(value) };
	struct incremental_alter_configs_request_alter_configs_resource res = {
		.resource_type = type,
		.resource_name = str_of(resource),
		.configs = &config,
		.configs_count = 1,
	};
	struct incremental_alter_configs_request r;

	incremental_alter_configs_request_init(&r);
	r.resources = &res;
	r.resources_count = 1;
	request(w, API_INCREMENTAL_ALTER_CONFIGS, 1, &r);
	return ((struct incremental_alter_configs_response *)w->out.response)->responses[0];
}

static void assert_config(struct world *w, const char *resource, const char *name,
                          const char *value)
{
	struct str text = image_config_value(controller_image(w->c), IMAGE_RESOURCE_TOPIC,
	                                     str_of(resource), str_of(name));

	assert_true(value ? str_eq(text, str_of(value)) : !text.data);
}

static void configs_change_one_by_one(void **state)
{
	struct world w;

	(void)state;
	one_broker(&w);
	create(&w, "t", 1, 1);
	assert_int_equal(alter(&w, 2, "t", 0, "x", "1").error_code, WIRE_NONE);
	assert_config(&w, "t", "x", "1");
	alter(&w, 2, "t", 0, "x", "1");
	assert_int_equal(w.out.record_count, 0);
	alter(&w, 2, "t", 2, "list", "b,c,a");
	assert_config(&w, "t", "list", "a,b,c");
	alter(&w, 2, "t", 3, "list", "a,c");
	assert_config(&w, "t", "list", "b");
	assert_true(str_eq(alter(&w, 2, "t", 2, "x", "2").error_message,
	                   STR("Can't APPEND to key x because its type is not LIST.")));
	alter(&w, 2, "t", 1, "x", NULL);
	assert_config(&w, "t", "x", NULL);
	assert_int_equal(alter(&w, 2, "t", 0, "bad", "1").error_code, WIRE_INVALID_CONFIG);
	assert_int_equal(alter(&w, 2, "none", 0, "x", "1").error_code,
	                 WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(alter(&w, 99, "t", 0, "x", "1").error_code, WIRE_UNSUPPORTED_VERSION);
	assert_int_equal(alter(&w, 4, "7", 0, "x", "1").error_code, WIRE_BROKER_ID_NOT_REGISTERED);
	assert_int_equal(alter(&w, 4, "x", 0, "x", "1").error_code, WIRE_INVALID_REQUEST);
	assert_int_equal(alter(&w, 4, "1", 0, "x", "1").error_code, WIRE_NONE);
	alter(&w, 4, "1", 0, "x", "1");
	assert_int_equal(w.out.record_count, 1);
	assert_true(str_eq(alter(&w, 4, "1", 0, "min.insync.replicas", "2").error_message,
	                   STR("Broker-level min.insync.replicas cannot be altered while ELR is "
	                       "enabled.")));
	alter(&w, 2, "t", 0, "min.insync.replicas", "2");
	assert_int_equal(w.out.record_count, 2);
	assert_non_null(strstr((char *)w.trace.data, "ClearElrRecord v0 {\"topic_name\":\"t\"}"));
	assert_state_is_its_records(&w);
	world_fini(&w);
}

static void producer_ids_never_repeat(void **state)
{
	struct allocate_producer_ids_request r;
	struct world w;

	(void)state;
	one_broker(&w);
	allocate_producer_ids_request_init(&r);
	r.broker_id = 1;
	r.broker_epoch = epoch_of(&w, 1);
	for (int64_t i = 0; i < 3; i++) {
		const struct allocate_producer_ids_response *response;

		request(&w, API_ALLOCATE_PRODUCER_IDS, 0, &r);
		response = w.out.response;
		assert_int_equal(response->producer_id_start, i * 1000);
		assert_int_equal(response->producer_id_len, 1000);
	}
	r.broker_epoch++;
	request(&w, API_ALLOCATE_PRODUCER_IDS, 0, &r);
	assert_int_equal(w.out.error, WIRE_STALE_BROKER_EPOCH);
	world_fini(&w);
}

static void aborts_what_a_crash_left_open(void **state)
{
	struct world w;
	struct image *crashed = image_new();
	struct image_apply_error why;

	(void)state;
	world_init(&w, 1);
	activate(&w);
	for (size_t i = 0; i + 1 < w.out.record_count; i++)
		assert_int_equal(image_apply(crashed, 3 + (int64_t)i, w.out.record[i], &why),
		                 IMAGE_APPLIED);
	image_put(w.replayed);
	w.replayed = image_edit(crashed);
	controller_reset(w.c, crashed, w.now_ms);
	activate(&w);
	assert_non_null(strstr((char *)w.trace.data,
	                       "AbortTransactionRecord v0 {\"reason\":\"Controller failover\"}\n"
	                       "BeginTransactionRecord"));
	assert_int_equal(controller_image(w.c)->metadata_version, 30);
	assert_state_is_its_records(&w);
	image_put(crashed);
	world_fini(&w);
}

/* ---- three brokers, random commands ---- */

static void random_command(struct world *w)
{
	static const char *const topic[] = { "a", "b.c", "d_e", "f" };
	const char *name = topic[prng_below(&w->prng, 4)];
	int32_t broker = 1 + (int32_t)prng_below(&w->prng, 3);
	struct delete_topics_request deletion;
	struct elect_leaders_request election;
	struct str names[1] = { str_of(name) };

	switch (prng_below(&w->prng, 10)) {
	case 0:
		create(w, name, 1 + (int32_t)prng_below(&w->prng, 4),
		       1 + (int16_t)prng_below(&w->prng, 4));
		break;
	case 1:
		grow(w, name, (int32_t)prng_below(&w->prng, 8));
		break;
	case 2:
		delete_topics_request_init(&deletion);
		deletion.topic_names = names;
		deletion.topic_names_count = 1;
		request(w, API_DELETE_TOPICS, 5, &deletion);
		break;
	case 3:
		register_broker(w, broker, (uint8_t)(1 + prng_below(&w->prng, 200)),
		                epoch_of(w, broker) - (int64_t)prng_below(&w->prng, 2));
		break;
	case 4:
		w->now_ms += prng_below(&w->prng, 12000);
		step(w, (struct controller_event){ .type = CONTROLLER_TICK });
		break;
	case 5:
		alter(w, 2, name, (int8_t)prng_below(&w->prng, 2), "min.insync.replicas",
		      prng_below(&w->prng, 2) ? "2" : "1");
		break;
	case 6:
		elect_leaders_request_init(&election);
		election.election_type = (int8_t)prng_below(&w->prng, 2);
		request(w, API_ELECT_LEADERS, 2, &election);
		break;
	default:
		heartbeat(w, broker, prng_below(&w->prng, 8) == 0, prng_below(&w->prng, 8) == 0);
	}
}

/* What must hold of every partition whatever happened. */
static void assert_sane(struct world *w)
{
	struct pmap_iter it;

	pmap_each(it, &controller_image(w->c)->topics_by_id)
	{
		const struct image_topic *t = image_value_of(struct image_topic, it.entry);

		for (uint32_t i = 0; i < t->partition_count; i++) {
			const struct image_partition *p = t->partition[i];

			assert_int_equal(p->index, i);
			if (p->leader != IMAGE_NO_LEADER) {
				assert_true(image_ids_has(p->isr, p->leader));
				assert_false(
					image_broker(controller_image(w->c), p->leader)->fenced);
			}
			for (uint32_t j = 0; j < p->elr.count; j++)
				assert_false(image_ids_has(p->isr, p->elr.id[j]));
			for (uint32_t j = 0; j < p->isr.count; j++)
				assert_true(image_ids_has(p->replicas, p->isr.id[j]));
		}
	}
}

static void random_commands_keep_the_laws(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world w;

		world_init(&w, seed);
		activate(&w);
		for (int32_t id = 1; id <= 3; id++) {
			register_broker(&w, id, (uint8_t)id, -1);
			heartbeat(&w, id, false, false);
		}
		for (int i = 0; i < 300; i++) {
			random_command(&w);
			assert_sane(&w);
		}
		assert_state_is_its_records(&w);
		/* A new leader of the quorum knows the same. */
		controller_reset(w.c, w.replayed, w.now_ms);
		activate(&w);
		assert_trace(&w, "");
		assert_state_is_its_records(&w);
		world_fini(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_as_kafka_begins),
		cmocka_unit_test(clean_restart_keeps_the_leader_eligible),
		cmocka_unit_test(unclean_restart_is_a_recovery),
		cmocka_unit_test(silent_broker_is_fenced_when_its_session_ends),
		cmocka_unit_test(refuses_wrong_registrations),
		cmocka_unit_test(topic_names_and_numbers_are_checked),
		cmocka_unit_test(validate_only_changes_nothing),
		cmocka_unit_test(delete_topics_by_name_and_id),
		cmocka_unit_test(topics_only_grow),
		cmocka_unit_test(configs_change_one_by_one),
		cmocka_unit_test(producer_ids_never_repeat),
		cmocka_unit_test(aborts_what_a_crash_left_open),
		cmocka_unit_test(random_commands_keep_the_laws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
