/* SPDX-License-Identifier: Apache-2.0 */
#include "group_fixture.h"

/* ---- static members ---- */

static void static_member_comes_back_without_a_rebalance(void **state)
{
	struct world w;
	struct party p;
	struct text id;
	const struct join_group_response *r;
	void *token;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g", .instance = "i" }, 1);
	token = join(&w, (struct joining){ .version = 9, .group = "g", .instance = "i" });
	r = join_answer(&w, token);
	assert_int_equal(r->error_code, 0);
	assert_int_equal(r->generation_id, p.generation);
	assert_true(r->skip_assignment);
	assert_int_equal(r->members_count, 1);
	assert_str(r->leader, text_of(r->member_id).data);
	id = text_of(r->member_id);
	assert_true(strcmp(id.data, p.id[0].data));
	assert_int_equal(strncmp(id.data, "i-", 2), 0);
	assert_int_equal(w.out.record_count, 1);
	assert_log_is_state(&w);
	assert_state(&w, "g", "Stable");
	/* The old one is fenced, whatever it does. */
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, "i", 1), WIRE_FENCED_INSTANCE_ID);
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, NULL, 1), WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(leave(&w, 5, "g", p.id[0].data, "i"), WIRE_FENCED_INSTANCE_ID);
	assert_int_equal(commit(&w, (struct committing){ .group = "g",
	                                                 .member = p.id[0].data,
	                                                 .instance = "i",
	                                                 .generation = 1,
	                                                 .topic = "t" }),
	                 WIRE_FENCED_INSTANCE_ID);
	assert_int_equal(sync_error(&w, (struct syncing){ .group = "g",
	                                                  .member = id.data,
	                                                  .instance = "i",
	                                                  .generation = 1 }),
	                 0);
	/* Before version 9 it must not think that it leads. */
	r = join_answer(&w,
	                join(&w, (struct joining){ .version = 8, .group = "g", .instance = "i" }));
	assert_false(r->skip_assignment);
	assert_int_equal(r->members_count, 0);
	assert_str(r->leader, id.data);
	world_fini(&w);
}

static void static_member_with_another_protocol_rebalances(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	form(&w, (struct joining){ .group = "g", .instance = "i", .protocol = { "a", "b" } }, 1);
	assert_int_equal(join_answer(&w, join(&w, (struct joining){ .version = 9,
	                                                            .group = "g",
	                                                            .instance = "i",
	                                                            .protocol = { "b" } }))
	                         ->generation_id,
	                 2);
	assert_state(&w, "g", "CompletingRebalance");
	/* And so does one that comes back before the assignment is there. */
	assert_int_equal(join_answer(&w, join(&w, (struct joining){ .version = 9,
	                                                            .group = "g",
	                                                            .instance = "i",
	                                                            .protocol = { "b" } }))
	                         ->generation_id,
	                 3);
	world_fini(&w);
}

static void static_member_that_waits_is_fenced_by_the_next(void **state)
{
	struct world w;
	struct text id;
	void *first, *second;

	(void)state;
	world_init(&w, 1);
	first = knock(&w, (struct joining){ .group = "g", .instance = "i" }, &id);
	second = join(&w, (struct joining){ .version = 9, .group = "g", .instance = "i" });
	assert_int_equal(join_answer(&w, first)->error_code, WIRE_FENCED_INSTANCE_ID);
	assert_null(answer_to(&w, second));
	pass(&w, 3000);
	assert_int_equal(join_answer(&w, second)->generation_id, 1);
	assert_int_equal(join_answer(&w, second)->members_count, 1);
	world_fini(&w);
}

static void static_member_keeps_its_place_through_a_rebalance(void **state)
{
	struct world w;
	struct text id[2];
	void *token[2];

	(void)state;
	world_init(&w, 1);
	token[0] = knock(&w, (struct joining){ .group = "g", .instance = "i" }, &id[0]);
	token[1] = knock(&w, (struct joining){ .group = "g", .session_ms = 100000 }, &id[1]);
	pass(&w, 3000);
	pass(&w, 3000);
	id[0] = text_of(join_answer(&w, token[0])->member_id);
	token[1] = join(&w, (struct joining){ .version = 9,
	                                      .group = "g",
	                                      .member = id[1].data,
	                                      .session_ms = 100000,
	                                      .rebalance_ms = 9000,
	                                      .metadata = { (const uint8_t *)"n", 1 } });
	assert_null(answer_to(&w, token[1]));
	for (int i = 0; i < 12; i++) {
		pass(&w, 5000);
		if (w.out.answer_count)
			break;
		assert_int_equal(heartbeat(&w, "g", id[0].data, "i", 1),
		                 WIRE_REBALANCE_IN_PROGRESS);
	}
	/* It did not rejoin, so it does not lead; but it is there, as long as its session is. */
	assert_str(join_answer(&w, token[1])->leader, id[1].data);
	assert_int_equal(join_answer(&w, token[1])->members_count, 2);
	assert_int_equal(heartbeat(&w, "g", id[0].data, "i", 2), 0);
	world_fini(&w);
}

static void administrator_removes_a_static_member_by_instance(void **state)
{
	struct world w;
	struct text id;
	void *token;

	(void)state;
	world_init(&w, 1);
	token = knock(&w, (struct joining){ .group = "g", .instance = "i" }, &id);
	assert_int_equal(leave(&w, 3, "g", "", "j"), WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(leave(&w, 3, "g", "", "i"), 0);
	assert_int_equal(join_answer(&w, token)->error_code, WIRE_UNKNOWN_MEMBER_ID);
	world_fini(&w);
}

/* ---- size ---- */

static void group_takes_no_more_than_its_size(void **state)
{
	struct world w;
	struct party p;

	(void)state;
	world_init(&w, 1);
	w.options.size_max = 2;
	group_shard_configure(w.s, &w.options);
	p = form(&w, (struct joining){ .group = "g" }, 2);
	assert_int_equal(join_error(&w, (struct joining){ .version = 9, .group = "g" }),
	                 WIRE_GROUP_MAX_SIZE_REACHED);
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, NULL, p.generation), 0);
	assert_int_equal(leave(&w, 5, "g", p.id[1].data, NULL), 0);
	assert_int_equal(join_error(&w, (struct joining){ .version = 9, .group = "g" }),
	                 WIRE_MEMBER_ID_REQUIRED);
	world_fini(&w);
}

static void group_loaded_too_large_loses_those_that_come_last(void **state)
{
	struct world w;
	struct party p;
	struct group_shard *other;
	void *token;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 3);
	w.options.size_max = 2;
	other = replayed(&w);
	group_shard_free(w.s);
	w.s = other;
	group_shard_loaded(w.s, w.mono_ms, w.wall_ms);
	assert_state(&w, "g", "PreparingRebalance");
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, NULL, p.generation),
	                 WIRE_REBALANCE_IN_PROGRESS);
	assert_int_equal(commit(&w, (struct committing){ .group = "g",
	                                                 .member = p.id[0].data,
	                                                 .generation = p.generation,
	                                                 .topic = "t",
	                                                 .offset = 5 }),
	                 0);
	rejoin(&w, "g", &p.id[2]);
	token = rejoin(&w, "g", &p.id[1]);
	assert_int_equal(w.out.answer_count, 0);
	assert_int_equal(join_answer(&w, rejoin(&w, "g", &p.id[0]))->error_code,
	                 WIRE_GROUP_MAX_SIZE_REACHED);
	assert_int_equal(join_answer(&w, token)->error_code, 0);
	world_fini(&w);
}

/* ---- who hangs up, and who asks twice ---- */

static void detached_request_is_not_answered_but_counts(void **state)
{
	struct world w;
	struct party p;
	void *token[2];

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 2);
	token[0] = rejoin(&w, "g", &p.id[0]);
	step(&w, (struct group_event){ .type = GROUP_DETACHED,
	                               .request = &(struct group_detached){ token[0] } });
	assert_int_equal(w.out.answer_count, 0);
	token[1] = rejoin(&w, "g", &p.id[1]);
	assert_int_equal(w.out.answer_count, 1);
	assert_non_null(answer_to(&w, token[1]));
	/* It comes again, on another connection, and learns what it missed. */
	assert_int_equal(join_answer(&w, rejoin(&w, "g", &p.id[0]))->members_count, 2);
	world_fini(&w);
}

static void second_request_takes_the_place_of_the_first(void **state)
{
	struct world w;
	struct party p;
	void *first, *second;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 2);
	first = rejoin(&w, "g", &p.id[0]);
	second = rejoin(&w, "g", &p.id[0]);
	assert_int_equal(w.out.answer_count, 1);
	assert_int_equal(join_answer(&w, first)->error_code, WIRE_REBALANCE_IN_PROGRESS);
	rejoin(&w, "g", &p.id[1]);
	assert_int_equal(join_answer(&w, second)->error_code, 0);
	first = sync_group(
		&w, (struct syncing){ .group = "g", .member = p.id[1].data, .generation = 2 });
	second = sync_group(
		&w, (struct syncing){ .group = "g", .member = p.id[1].data, .generation = 2 });
	assert_int_equal(sync_answer(&w, first)->error_code, WIRE_REBALANCE_IN_PROGRESS);
	sync_group(&w, (struct syncing){ .group = "g", .member = p.id[0].data, .generation = 2 });
	assert_int_equal(sync_answer(&w, second)->error_code, 0);
	assert_int_equal(sync_answer(&w, second)->assignment.size, 0);
	world_fini(&w);
}

static void assignment_larger_than_a_record_fails_and_is_tried_again(void **state)
{
	struct world w;
	struct text id[2];
	char large[2000];
	void *token[2];

	(void)state;
	world_init(&w, 1);
	w.options.batch_bytes_max = 1500;
	group_shard_configure(w.s, &w.options);
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	for (int i = 0; i < 2; i++)
		knock(&w, (struct joining){ .group = "g" }, &id[i]);
	pass(&w, 3000);
	pass(&w, 3000);
	token[1] = sync_group(
		&w, (struct syncing){ .group = "g", .member = id[1].data, .generation = 1 });
	token[0] = sync_group(&w, (struct syncing){ .group = "g",
	                                            .member = id[0].data,
	                                            .generation = 1,
	                                            .to = { id[0].data },
	                                            .what = { large } });
	for (int i = 0; i < 2; i++)
		assert_int_equal(sync_answer(&w, token[i])->error_code, WIRE_UNKNOWN_SERVER_ERROR);
	assert_int_equal(w.out.record_count, 0);
	assert_state(&w, "g", "PreparingRebalance");
	assert_int_equal(join_error(&w, (struct joining){ .version = 9,
	                                                  .group = "h",
	                                                  .metadata = { (const uint8_t *)large,
	                                                                sizeof(large) } }),
	                 WIRE_UNKNOWN_SERVER_ERROR);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(static_member_comes_back_without_a_rebalance),
		cmocka_unit_test(static_member_with_another_protocol_rebalances),
		cmocka_unit_test(static_member_that_waits_is_fenced_by_the_next),
		cmocka_unit_test(static_member_keeps_its_place_through_a_rebalance),
		cmocka_unit_test(administrator_removes_a_static_member_by_instance),
		cmocka_unit_test(group_takes_no_more_than_its_size),
		cmocka_unit_test(group_loaded_too_large_loses_those_that_come_last),
		cmocka_unit_test(detached_request_is_not_answered_but_counts),
		cmocka_unit_test(second_request_takes_the_place_of_the_first),
		cmocka_unit_test(assignment_larger_than_a_record_fails_and_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
