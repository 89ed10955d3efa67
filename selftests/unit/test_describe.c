/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_fixture.h"
#include "core/describe.h"

/* Metadata, as it is read off an image (Kafka: KRaftMetadataCache.getTopicMetadata). */

static struct describe describe_of(struct world *w, const char *listener)
{
	return (struct describe){
		.image = controller_image(w->c),
		.arena = &w->arena,
		.listener = str_of(listener),
	};
}

/* Brokers 1 and 2 and a topic on both; the second broker is fenced again if so told. */
static void two_brokers(struct world *w, bool fence)
{
	one_broker(w);
	register_broker(w, 2, 2, -1);
	heartbeat(w, 2, false, false);
	assert_int_equal(create(w, "t", 2, 2).error_code, WIRE_NONE);
	if (fence)
		heartbeat(w, 2, true, false);
}

static struct metadata_response_response_partition partition_of(const struct describe *d,
                                                                int16_t version, int32_t index)
{
	const struct image_topic *topic = image_topic_by_name(d->image, STR("t"));
	struct metadata_response_response_partition ret;

	assert_true(
		describe_metadata_partition(d, version, image_topic_partition(topic, index), &ret));
	assert_int_equal(ret.partition_index, index);
	return ret;
}

static void a_whole_partition_has_no_error(void **state)
{
	struct world w;
	struct describe d;

	(void)state;
	two_brokers(&w, false);
	d = describe_of(&w, "PLAINTEXT");
	for (int16_t version = 0; version <= 13; version++) {
		struct metadata_response_response_partition p = partition_of(&d, version, 0);

		assert_int_equal(p.error_code, WIRE_NONE);
		assert_in_range(p.leader_id, 1, 2);
		assert_int_equal(p.replica_nodes_count, 2);
		assert_int_equal(p.replica_nodes[0], p.leader_id);
		assert_int_equal(p.isr_nodes_count, 2);
		assert_int_equal(p.offline_replicas_count, 0);
	}
	world_fini(&w);
}

/* Version 0 leaves it out and calls that an error; later ones say who is away. */
static void a_replica_that_is_away(void **state)
{
	struct world w;
	struct describe d;

	(void)state;
	two_brokers(&w, true);
	d = describe_of(&w, "PLAINTEXT");
	for (int16_t version = 0; version <= 13; version++) {
		struct metadata_response_response_partition p = partition_of(&d, version, 1);

		assert_int_equal(p.error_code, version ? WIRE_NONE : WIRE_REPLICA_NOT_AVAILABLE);
		assert_int_equal(p.leader_id, 1);
		assert_int_equal(p.replica_nodes_count, version ? 2 : 1);
		assert_int_equal(p.isr_nodes_count, 1);
		assert_int_equal(p.offline_replicas_count, 1);
		assert_int_equal(p.offline_replicas[0], 2);
	}
	world_fini(&w);
}

static void a_leader_that_the_listener_does_not_reach(void **state)
{
	struct world w;
	struct describe d;

	(void)state;
	two_brokers(&w, false);
	d = describe_of(&w, "INTERNAL");
	for (int16_t version = 0; version <= 13; version++) {
		struct metadata_response_response_partition p = partition_of(&d, version, 0);

		assert_int_equal(p.error_code,
		                 version < 6 ? WIRE_LEADER_NOT_AVAILABLE : WIRE_LISTENER_NOT_FOUND);
		assert_int_equal(p.leader_id, -1);
		assert_int_equal(p.replica_nodes_count, version ? 2 : 0);
		assert_int_equal(p.offline_replicas_count, 2);
	}
	world_fini(&w);
}

static void a_partition_that_nobody_leads(void **state)
{
	struct world w;
	struct describe d;

	(void)state;
	two_brokers(&w, true);
	heartbeat(&w, 1, true, false);
	d = describe_of(&w, "PLAINTEXT");
	for (int16_t version = 1; version <= 13; version++) {
		struct metadata_response_response_partition p = partition_of(&d, version, 0);

		assert_int_equal(p.error_code, WIRE_LEADER_NOT_AVAILABLE);
		assert_int_equal(p.leader_id, -1);
		assert_int_equal(
			p.leader_epoch,
			image_topic_by_name(d.image, STR("t"))->partition[0]->leader_epoch);
		assert_int_equal(p.replica_nodes_count, 2);
		assert_int_equal(p.offline_replicas_count, 2);
	}
	world_fini(&w);
}

static void brokers_are_those_that_serve(void **state)
{
	struct metadata_response response;
	struct world w;
	struct describe d;

	(void)state;
	two_brokers(&w, true);
	d = describe_of(&w, "PLAINTEXT");
	metadata_response_init(&response);
	assert_true(describe_metadata_brokers(&d, &response));
	assert_int_equal(response.brokers_count, 1);
	assert_int_equal(response.brokers[0].node_id, 1);
	assert_int_equal(response.brokers[0].port, 9092);
	d = describe_of(&w, "INTERNAL");
	metadata_response_init(&response);
	assert_true(describe_metadata_brokers(&d, &response));
	assert_int_equal(response.brokers_count, 0);
	world_fini(&w);
}

/* An arena that is full ends the answer, wherever that is. */
static void memory_that_is_out_is_told(void **state)
{
	struct metadata_response response;
	struct metadata_response_response_partition p;
	struct world w;
	struct arena tiny;
	struct describe d;

	(void)state;
	two_brokers(&w, true);
	d = describe_of(&w, "PLAINTEXT");
	arena_init(&tiny, 1);
	d.arena = &tiny;
	metadata_response_init(&response);
	assert_false(describe_metadata_brokers(&d, &response));
	assert_false(describe_metadata_partition(
		&d, 0, image_topic_by_name(d.image, STR("t"))->partition[0], &p));
	arena_fini(&tiny);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_partition_has_no_error),
		cmocka_unit_test(a_replica_that_is_away),
		cmocka_unit_test(a_leader_that_the_listener_does_not_reach),
		cmocka_unit_test(a_partition_that_nobody_leads),
		cmocka_unit_test(brokers_are_those_that_serve),
		cmocka_unit_test(memory_that_is_out_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
