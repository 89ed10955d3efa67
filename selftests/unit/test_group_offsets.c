/* SPDX-License-Identifier: Apache-2.0 */
#include "group_fixture.h"

static struct committing simple(const char *group, const char *topic, int32_t partition,
                                int64_t offset)
{
	return (struct committing){ .group = group,
		                    .generation = -1,
		                    .topic = topic,
		                    .partition = partition,
		                    .offset = offset,
		                    .topic_id = 7 };
}

/* ---- OffsetCommit, OffsetFetch ---- */

static void offsets_are_kept_without_a_group(void **state)
{
	const struct offset_fetch_response_response_group *r;
	struct world w;

	(void)state;
	world_init(&w, 1);
	assert_int_equal(committed(&w, "g", "t", 0), -1);
	assert_int_equal(fetch(&w, "g", NULL, 0)->topics_count, 0);
	assert_int_equal(commit(&w, simple("g", "t", 3, 50)), 0);
	assert_int_equal(commit(&w, simple("g", "t", 4, 60)), 0);
	assert_int_equal(commit(&w, simple("g", "u", 0, 70)), 0);
	assert_int_equal(commit(&w, simple("g", "t", 3, 51)), 0);
	assert_int_equal(committed(&w, "g", "t", 3), 51);
	assert_int_equal(committed(&w, "g", "t", 0), -1);
	r = fetch(&w, "g", NULL, 0);
	assert_int_equal(r->topics_count, 2);
	assert_str(r->topics[0].name, "t");
	assert_int_equal(r->topics[0].partitions_count, 2);
	assert_true(uuid_is_zero(r->topics[0].topic_id));
	assert_state(&w, "g", "Empty");
	assert_int_equal(group_shard_record_count(w.s), 3);
	/* The empty name is a name as well. */
	assert_int_equal(commit(&w, simple("", "t", 0, 1)), 0);
	assert_int_equal(committed(&w, "", "t", 0), 1);
	assert_log_is_state(&w);
	world_fini(&w);
}

static void metadata_comes_back_as_it_was_and_has_a_limit(void **state)
{
	struct world w;
	struct committing c = simple("g", "t", 0, 1);
	char text[4 * 4 + 1];

	(void)state;
	world_init(&w, 1);
	w.options.offset_metadata_max = 8;
	group_shard_configure(w.s, &w.options);
	c.metadata = "12345678";
	assert_int_equal(commit(&w, c), 0);
	assert_str(fetch(&w, "g", "t", 0)->topics[0].partitions[0].metadata, "12345678");
	c.metadata = "123456789";
	c.offset = 2;
	assert_int_equal(commit(&w, c), WIRE_OFFSET_METADATA_TOO_LARGE);
	assert_int_equal(w.out.record_count, 0);
	assert_int_equal(committed(&w, "g", "t", 0), 1);
	/* Characters are counted in UTF-16: four of four bytes are eight. */
	for (int i = 0; i < 4; i++)
		strcpy(text + (size_t)i * 4, "\xf0\x9f\x98\x80");
	c.metadata = text;
	assert_int_equal(commit(&w, c), 0);
	c.metadata = "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9";
	assert_int_equal(commit(&w, c), WIRE_OFFSET_METADATA_TOO_LARGE);
	c.metadata = NULL;
	assert_int_equal(commit(&w, c), 0);
	assert_str(fetch(&w, "g", "t", 0)->topics[0].partitions[0].metadata, "");
	/* What is refused makes no group. */
	c.group = "h";
	c.metadata = "123456789";
	assert_int_equal(commit(&w, c), WIRE_OFFSET_METADATA_TOO_LARGE);
	assert_int_equal(delete_group(&w, "h"), WIRE_GROUP_ID_NOT_FOUND);
	world_fini(&w);
}

static void commits_are_checked(void **state)
{
	struct world w;
	struct party p;
	struct committing c = { .group = "g", .member = "m", .generation = 1, .topic = "t" };
	struct text id;
	void *token;

	(void)state;
	world_init(&w, 1);
	assert_int_equal(commit(&w, c), WIRE_GROUP_ID_NOT_FOUND);
	c.version = 8;
	assert_int_equal(commit(&w, c), WIRE_ILLEGAL_GENERATION);
	p = form(&w, (struct joining){ .group = "g", .session_ms = 30000 }, 2);
	assert_int_equal(commit(&w, c), WIRE_UNKNOWN_MEMBER_ID);
	c.member = p.id[0].data;
	assert_int_equal(commit(&w, c), 0);
	c.generation = 0;
	assert_int_equal(commit(&w, c), WIRE_ILLEGAL_GENERATION);
	c.generation = -1;
	assert_int_equal(commit(&w, c), WIRE_ILLEGAL_GENERATION);
	assert_int_equal(commit(&w, simple("g", "t", 0, 1)), WIRE_UNKNOWN_MEMBER_ID);
	c.generation = 1;
	c.instance = "i";
	assert_int_equal(commit(&w, c), WIRE_UNKNOWN_MEMBER_ID);
	c.instance = NULL;
	/* While members are asked to join again they may commit what they have done. */
	token = knock(&w, (struct joining){ .group = "g" }, &id);
	assert_int_equal(commit(&w, c), 0);
	rejoin(&w, "g", &p.id[0]);
	rejoin(&w, "g", &p.id[1]);
	assert_int_equal(join_answer(&w, token)->generation_id, 2);
	assert_int_equal(commit(&w, c), WIRE_ILLEGAL_GENERATION);
	c.generation = 2;
	assert_int_equal(commit(&w, c), WIRE_REBALANCE_IN_PROGRESS);
	assert_int_equal(committed(&w, "g", "t", 0), 0);
	assert_log_is_state(&w);
	world_fini(&w);
}

static void commit_shows_that_a_member_lives(void **state)
{
	struct world w;
	struct party p;
	struct committing c = { .group = "g", .generation = 1, .topic = "t" };

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 1);
	c.member = p.id[0].data;
	for (int i = 0; i < 20; i++) {
		pass(&w, 9000);
		assert_int_equal(commit(&w, c), 0);
	}
	pass(&w, 10000);
	assert_int_equal(commit(&w, c), WIRE_UNKNOWN_MEMBER_ID);
	world_fini(&w);
}

static void commit_larger_than_a_batch_is_refused_whole(void **state)
{
	struct offset_commit_request_request_partition partition[100];
	struct offset_commit_request_request_topic topic = { .name = STR("t"),
		                                             .partitions = partition,
		                                             .partitions_count = 100 };
	const struct offset_commit_response *answer;
	struct offset_commit_request r;
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.options.batch_bytes_max = 5000;
	group_shard_configure(w.s, &w.options);
	for (int32_t i = 0; i < 100; i++)
		partition[i] = (struct offset_commit_request_request_partition){
			.partition_index = i, .committed_offset = i, .committed_leader_epoch = -1
		};
	offset_commit_request_init(&r);
	r.group_id = STR("g");
	r.topics = &topic;
	r.topics_count = 1;
	answer = answer_to(&w, ask(&w, GROUP_OFFSET_COMMIT, 9, &r));
	for (int i = 0; i < 100; i++)
		assert_int_equal(answer->topics[0].partitions[i].error_code,
		                 WIRE_UNKNOWN_SERVER_ERROR);
	assert_int_equal(w.log_count, 0);
	assert_int_equal(committed(&w, "g", "t", 5), -1);
	topic.partitions_count = 40;
	ask(&w, GROUP_OFFSET_COMMIT, 9, &r);
	assert_int_equal(w.log_count, 40);
	assert_true(w.out.atomic);
	world_fini(&w);
}

static void offset_of_another_topic_of_the_name_is_not_given(void **state)
{
	struct offset_fetch_request_request_topics topic = { .name = STR("t"),
		                                             .partition_indexes = (int32_t[]){ 0 },
		                                             .partition_indexes_count = 1 };
	struct offset_fetch_request_request_group r = {
		.group_id = STR("g"), .member_epoch = -1, .topics = &topic, .topics_count = 1
	};
	static const struct {
		uint8_t topic_id;
		int64_t offset;
	} want[] = { { 7, 9 }, { 0, 9 }, { 8, -1 } };
	struct world w;

	(void)state;
	world_init(&w, 1);
	commit(&w, simple("g", "t", 0, 9));
	for (size_t i = 0; i < array_count(want); i++) {
		const struct offset_fetch_response_response_group *answer;

		topic.topic_id.byte[0] = want[i].topic_id;
		answer = answer_to(&w, ask(&w, GROUP_OFFSET_FETCH, 10, &r));
		assert_true(uuid_eq(answer->topics[0].topic_id, topic.topic_id));
		assert_int_equal(answer->topics[0].partitions[0].committed_offset, want[i].offset);
	}
	world_fini(&w);
}

/* ---- OffsetDelete, DeleteGroups ---- */

static const struct offset_delete_response *delete_offsets(struct world *w, const char *group,
                                                           const char *topic, int32_t partition)
{
	struct offset_delete_request_request_partition p = { partition };
	struct offset_delete_request_request_topic t = { .name = str_of(topic),
		                                         .partitions = &p,
		                                         .partitions_count = 1 };
	struct offset_delete_request r = { .group_id = str_of(group),
		                           .topics = &t,
		                           .topics_count = 1 };
	const struct offset_delete_response *answer =
		answer_to(w, ask(w, GROUP_OFFSET_DELETE, 0, &r));

	assert_non_null(answer);
	return answer;
}

/* Of subscribers to topic "t", as their clients write it. */
static const uint8_t subscription[] = { 0,    3, 0, 0, 0, 1,    0,    1,    't',  0xff, 0xff, 0xff,
	                                0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const struct span subscribes = { subscription, sizeof(subscription) };

static void offsets_in_use_are_not_deleted(void **state)
{
	struct world w;
	struct party p;

	(void)state;
	world_init(&w, 1);
	assert_int_equal(delete_offsets(&w, "", "t", 0)->error_code, WIRE_INVALID_GROUP_ID);
	assert_int_equal(delete_offsets(&w, "g", "t", 0)->error_code, WIRE_GROUP_ID_NOT_FOUND);
	commit(&w, simple("g", "t", 0, 1));
	commit(&w, simple("g", "u", 0, 2));
	commit(&w, simple("g", "u", 1, 3));
	p = form(&w, (struct joining){ .group = "g", .metadata = subscribes }, 1);
	assert_int_equal(delete_offsets(&w, "g", "t", 0)->topics[0].partitions[0].error_code,
	                 WIRE_GROUP_SUBSCRIBED_TO_TOPIC);
	assert_int_equal(w.out.record_count, 0);
	assert_int_equal(delete_offsets(&w, "g", "u", 0)->topics[0].partitions[0].error_code, 0);
	assert_int_equal(w.out.record_count, 1);
	assert_int_equal(delete_offsets(&w, "g", "u", 0)->topics[0].partitions[0].error_code, 0);
	assert_int_equal(w.out.record_count, 0);
	assert_int_equal(committed(&w, "g", "u", 0), -1);
	assert_int_equal(committed(&w, "g", "u", 1), 3);
	assert_int_equal(delete_group(&w, "g"), WIRE_NON_EMPTY_GROUP);
	leave(&w, 5, "g", p.id[0].data, NULL);
	assert_int_equal(delete_offsets(&w, "g", "t", 0)->topics[0].partitions[0].error_code, 0);
	assert_log_is_state(&w);
	form(&w, (struct joining){ .group = "h", .type = "connect" }, 1);
	assert_int_equal(delete_offsets(&w, "h", "t", 0)->error_code, WIRE_NON_EMPTY_GROUP);
	/* Of consumers that say what nobody understands anything may be subscribed. */
	form(&w, (struct joining){ .group = "i", .metadata = { subscription, 7 } }, 1);
	assert_int_equal(delete_offsets(&w, "i", "u", 0)->topics[0].partitions[0].error_code,
	                 WIRE_GROUP_SUBSCRIBED_TO_TOPIC);
	world_fini(&w);
}

static void deleted_group_leaves_nothing(void **state)
{
	struct world w;
	struct party p;

	(void)state;
	world_init(&w, 1);
	assert_int_equal(delete_group(&w, "g"), WIRE_GROUP_ID_NOT_FOUND);
	p = form(&w, (struct joining){ .group = "g" }, 1);
	for (int32_t i = 0; i < 3; i++)
		assert_int_equal(commit(&w, (struct committing){ .group = "g",
		                                                 .member = p.id[0].data,
		                                                 .generation = 1,
		                                                 .topic = "t",
		                                                 .partition = i }),
		                 0);
	leave(&w, 5, "g", p.id[0].data, NULL);
	assert_int_equal(delete_group(&w, "g"), 0);
	assert_int_equal(w.out.record_count, 4); /* the group's own tombstone is the last */
	for (size_t i = 0; i < 4; i++) {
		assert_null(w.out.record[i].value.data);
		assert_int_equal(w.out.record[i].key.data[1], i < 3 ? 1 : 2);
	}
	assert_false(w.out.atomic);
	assert_int_equal(group_shard_record_count(w.s), 0);
	assert_int_equal(delete_group(&w, "g"), WIRE_GROUP_ID_NOT_FOUND);
	assert_int_equal(fetch(&w, "g", NULL, 0)->topics_count, 0);
	assert_log_is_state(&w);
	world_fini(&w);
}

/* ---- what time does ---- */

static void check_expiry(struct world *w)
{
	pass(w, group_shard_wake_ms(w->s) - w->mono_ms);
}

/* Time goes by without a jump of the clock. */
static void let_days_pass(struct world *w, int days)
{
	for (uint64_t end_ms = w->mono_ms + (uint64_t)days * DAY_MS; w->mono_ms < end_ms;)
		check_expiry(w);
}

static void offsets_without_a_group_expire_after_their_commit(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	commit(&w, simple("g", "t", 0, 1));
	let_days_pass(&w, 3);
	commit(&w, simple("g", "t", 1, 2));
	let_days_pass(&w, 5);
	assert_int_equal(committed(&w, "g", "t", 0), -1);
	assert_int_equal(committed(&w, "g", "t", 1), 2);
	assert_state(&w, "g", "Empty");
	let_days_pass(&w, 3);
	assert_int_equal(delete_group(&w, "g"), WIRE_GROUP_ID_NOT_FOUND);
	assert_int_equal(group_shard_record_count(w.s), 0);
	assert_log_is_state(&w);
	world_fini(&w);
}

static void offsets_of_a_group_expire_after_it_became_empty(void **state)
{
	struct world w;
	struct party p;
	struct committing c = { .group = "g", .generation = 1, .topic = "t", .offset = 5 };

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g", .metadata = subscribes }, 1);
	c.member = p.id[0].data;
	assert_int_equal(commit(&w, c), 0);
	c.topic = "u";
	assert_int_equal(commit(&w, c), 0);
	/* Its topics stay as long as it has members; others go. */
	for (int i = 0; i < 8 * 24 * 60 * 6; i++) {
		pass(&w, 9000);
		if (group_shard_wake_ms(w.s) <= w.mono_ms)
			pass(&w, 0);
		assert_int_equal(heartbeat(&w, "g", c.member, NULL, 1), 0);
	}
	assert_int_equal(committed(&w, "g", "t", 0), 5);
	assert_int_equal(committed(&w, "g", "u", 0), -1);
	leave(&w, 5, "g", c.member, NULL);
	let_days_pass(&w, 6);
	assert_int_equal(committed(&w, "g", "t", 0), 5);
	let_days_pass(&w, 2);
	assert_int_equal(committed(&w, "g", "t", 0), -1);
	assert_int_equal(delete_group(&w, "g"), WIRE_GROUP_ID_NOT_FOUND);
	assert_log_is_state(&w);
	world_fini(&w);
}

static void commit_may_say_how_long_it_is_kept(void **state)
{
	struct world w;
	struct committing c = simple("g", "t", 0, 5);

	(void)state;
	world_init(&w, 1);
	c.version = 2;
	c.retention_ms = 3600000;
	assert_int_equal(commit(&w, c), 0);
	assert_int_equal(w.out.record[0].value.data[1], 1); /* the version of its record */
	c.partition = 1;
	c.retention_ms = INT64_MAX;
	assert_int_equal(commit(&w, c), 0);
	pass(&w, 3600000 - 1);
	assert_int_equal(committed(&w, "g", "t", 0), 5);
	assert_log_is_state(&w);
	check_expiry(&w);
	assert_int_equal(committed(&w, "g", "t", 0), -1);
	let_days_pass(&w, 30);
	assert_int_equal(committed(&w, "g", "t", 1), 5);
	world_fini(&w);
}

static void jump_of_the_wall_clock_expires_nothing_at_once(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	commit(&w, simple("g", "t", 0, 5));
	w.wall_ms += 365 * (int64_t)DAY_MS;
	check_expiry(&w);
	assert_int_equal(committed(&w, "g", "t", 0), 5);
	/* Somebody sets it right within a day. */
	w.wall_ms -= 365 * (int64_t)DAY_MS;
	let_days_pass(&w, 5);
	assert_int_equal(committed(&w, "g", "t", 0), 5);
	let_days_pass(&w, 3);
	assert_int_equal(committed(&w, "g", "t", 0), -1);
	/* Nobody does: after a day it is taken to be right. */
	commit(&w, simple("g", "t", 0, 6));
	w.wall_ms += 365 * (int64_t)DAY_MS;
	check_expiry(&w);
	pass(&w, DAY_MS - 1);
	assert_int_equal(committed(&w, "g", "t", 0), 6);
	check_expiry(&w);
	assert_int_equal(committed(&w, "g", "t", 0), -1);
	world_fini(&w);
}

static void offsets_go_with_their_topic(void **state)
{
	struct group_topic gone = { STR("t"), { { 7 } } };
	struct committing c = simple("g", "t", 1, 2);
	struct world w;

	(void)state;
	world_init(&w, 1);
	commit(&w, simple("g", "t", 0, 1));
	commit(&w, simple("h", "t", 0, 1));
	commit(&w, simple("h", "u", 0, 1));
	c.topic_id = 8; /* a later topic of that name */
	commit(&w, c);
	c.partition = 2;
	c.topic_id = 0; /* a record that does not say */
	commit(&w, c);
	step(&w, (struct group_event){ .type = GROUP_TOPIC_DELETED, .request = &gone });
	assert_int_equal(w.out.record_count, 3);
	assert_int_equal(w.out.answer_count, 0);
	assert_int_equal(committed(&w, "g", "t", 0), -1);
	assert_int_equal(committed(&w, "g", "t", 1), 2);
	assert_int_equal(committed(&w, "g", "t", 2), -1);
	assert_int_equal(committed(&w, "h", "t", 0), -1);
	assert_int_equal(committed(&w, "h", "u", 0), 1);
	assert_log_is_state(&w);
	world_fini(&w);
}

/* ---- looking ---- */

static uint32_t list(struct world *w, const char *state, const char *type, struct text *ret_state)
{
	struct str s = str_of(state), t = str_of(type);
	struct list_groups_request r = { .states_filter = &s,
		                         .states_filter_count = !!state,
		                         .types_filter = &t,
		                         .types_filter_count = !!type };
	const struct list_groups_response *answer = answer_to(w, ask(w, GROUP_LIST, 5, &r));

	assert_int_equal(answer->error_code, 0);
	if (ret_state)
		*ret_state = text_of(answer->groups[0].group_state);
	return answer->groups_count;
}

static void groups_are_listed_by_state_and_type(void **state)
{
	struct world w;
	struct text found;

	(void)state;
	world_init(&w, 1);
	assert_int_equal(list(&w, NULL, NULL, NULL), 0);
	commit(&w, simple("a", "t", 0, 1));
	form(&w, (struct joining){ .group = "b" }, 1);
	form(&w, (struct joining){ .group = "c", .type = "connect" }, 1);
	assert_int_equal(list(&w, NULL, NULL, NULL), 3);
	assert_int_equal(list(&w, "Stable", NULL, NULL), 2);
	assert_int_equal(list(&w, " sTABLE ", "CLASSIC", &found), 2);
	assert_string_equal(found.data, "Stable");
	assert_int_equal(list(&w, "empty", NULL, &found), 1);
	assert_string_equal(found.data, "Empty");
	assert_int_equal(list(&w, "none such", NULL, NULL), 0);
	assert_int_equal(list(&w, NULL, "consumer", NULL), 0);
	assert_int_equal(list(&w, NULL, "none such", NULL), 0);
	world_fini(&w);
}

static void unknown_group_is_described_as_dead(void **state)
{
	const struct describe_groups_response_described_group *d;
	struct str id = STR("none");
	struct world w;

	(void)state;
	world_init(&w, 1);
	d = describe(&w, "none");
	assert_int_equal(d->error_code, WIRE_GROUP_ID_NOT_FOUND);
	assert_str(d->error_message, "Group none not found.");
	assert_str(d->group_state, "Dead");
	d = answer_to(&w, ask(&w, GROUP_DESCRIBE, 5, &id));
	assert_int_equal(d->error_code, 0);
	assert_str(d->group_state, "Dead");
	world_fini(&w);
}

static void counts_follow_the_states(void **state)
{
	uint32_t count[GROUP_STATES];
	struct world w;
	struct party p;

	(void)state;
	world_init(&w, 1);
	commit(&w, simple("a", "t", 0, 1));
	p = form(&w, (struct joining){ .group = "b" }, 2);
	group_shard_counts(w.s, count);
	assert_int_equal(count[GROUP_EMPTY], 1);
	assert_int_equal(count[GROUP_STABLE], 1);
	rejoin(&w, "b", &p.id[0]);
	group_shard_counts(w.s, count);
	assert_int_equal(count[GROUP_PREPARING_REBALANCE], 1);
	delete_group(&w, "a");
	group_shard_counts(w.s, count);
	assert_int_equal(count[GROUP_EMPTY], 0);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_kept_without_a_group),
		cmocka_unit_test(metadata_comes_back_as_it_was_and_has_a_limit),
		cmocka_unit_test(commits_are_checked),
		cmocka_unit_test(commit_shows_that_a_member_lives),
		cmocka_unit_test(commit_larger_than_a_batch_is_refused_whole),
		cmocka_unit_test(offset_of_another_topic_of_the_name_is_not_given),
		cmocka_unit_test(offsets_in_use_are_not_deleted),
		cmocka_unit_test(deleted_group_leaves_nothing),
		cmocka_unit_test(offsets_without_a_group_expire_after_their_commit),
		cmocka_unit_test(offsets_of_a_group_expire_after_it_became_empty),
		cmocka_unit_test(commit_may_say_how_long_it_is_kept),
		cmocka_unit_test(jump_of_the_wall_clock_expires_nothing_at_once),
		cmocka_unit_test(offsets_go_with_their_topic),
		cmocka_unit_test(groups_are_listed_by_state_and_type),
		cmocka_unit_test(unknown_group_is_described_as_dead),
		cmocka_unit_test(counts_follow_the_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
