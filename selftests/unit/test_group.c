/* SPDX-License-Identifier: Apache-2.0 */
#include "group_fixture.h"

/* ---- one member ---- */

static void begins_as_kafka_begins(void **state)
{
	struct world w;
	const struct join_group_response *r;
	const struct describe_groups_response_described_group *d;
	struct text id;
	void *token;

	(void)state;
	world_init(&w, 1);
	token = join(&w, (struct joining){ .version = 0, .group = "g", .protocol = { "x", "y" } });
	assert_null(answer_to(&w, token));
	assert_int_equal(w.out.record_count, 1); /* the group is known from now on */
	assert_state(&w, "g", "PreparingRebalance");
	assert_int_equal(group_shard_wake_ms(w.s), 4000);
	pass(&w, 2999);
	assert_int_equal(w.out.answer_count, 0);
	pass(&w, 1);
	r = join_answer(&w, token);
	assert_int_equal(r->error_code, 0);
	assert_int_equal(r->generation_id, 1);
	assert_str(r->protocol_name, "x");
	assert_int_equal(r->members_count, 1);
	id = text_of(r->member_id);
	assert_int_equal(strncmp(id.data, "client-", 7), 0);
	assert_int_equal(strlen(id.data), 7 + 36);
	assert_int_equal(id.data[7 + 14], '4'); /* a random UUID says so */
	assert_state(&w, "g", "CompletingRebalance");
	assert_int_equal(w.out.record_count, 0);
	assert_int_equal(sync_error(&w, (struct syncing){ .group = "g",
	                                                  .member = id.data,
	                                                  .generation = 1,
	                                                  .to = { id.data },
	                                                  .what = { "all" } }),
	                 0);
	assert_int_equal(w.out.record_count, 1);
	assert_true(w.out.atomic);
	d = describe(&w, "g");
	assert_str(d->group_state, "Stable");
	assert_str(d->protocol_type, "consumer");
	assert_str(d->protocol_data, "x");
	assert_int_equal(d->members_count, 1);
	assert_str(d->members[0].client_id, "client");
	assert_str(d->members[0].client_host, "/127.0.0.1");
	assert_memory_equal(d->members[0].member_assignment.data, "all", 3);
	assert_log_is_state(&w);
	world_fini(&w);
}

static void ids_are_given_out_from_version_4_on(void **state)
{
	struct world w;
	const struct join_group_response *r;
	struct text id;

	(void)state;
	world_init(&w, 1);
	r = join_answer(&w, join(&w, (struct joining){ .version = 4, .group = "g" }));
	assert_int_equal(r->error_code, WIRE_MEMBER_ID_REQUIRED);
	assert_str(r->protocol_name, "");
	assert_int_equal(w.out.record_count, 1);
	id = text_of(r->member_id);
	r = join_answer(&w, join(&w, (struct joining){ .version = 7, .group = "g" }));
	assert_null(r->protocol_name.data);
	assert_int_equal(w.out.record_count, 0);
	assert_state(&w, "g", "Empty");
	/* Who does not come is forgotten with its session. */
	pass(&w, 9999);
	assert_int_equal(leave(&w, 5, "g", id.data, NULL), 0);
	assert_int_equal(leave(&w, 5, "g", id.data, NULL), WIRE_UNKNOWN_MEMBER_ID);
	assert_state(&w, "g", "Empty");
	assert_int_equal(
		join_error(&w, (struct joining){ .version = 9, .group = "g", .member = id.data }),
		WIRE_UNKNOWN_MEMBER_ID);
	pass(&w, 1);
	world_fini(&w);
}

static void ids_not_used_do_not_hold_a_rebalance_beyond_their_session(void **state)
{
	struct world w;
	struct party p;
	void *token;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 1);
	assert_int_equal(join_error(&w, (struct joining){ .version = 9, .group = "g" }),
	                 WIRE_MEMBER_ID_REQUIRED);
	token = rejoin(&w, "g", &p.id[0]);
	assert_null(answer_to(&w, token));
	pass(&w, 9999);
	assert_int_equal(w.out.answer_count, 0);
	pass(&w, 1);
	assert_int_equal(join_answer(&w, token)->generation_id, 2);
	world_fini(&w);
}

static void first_rebalance_waits_for_those_that_come(void **state)
{
	struct world w;
	struct text id[3];
	void *first;

	(void)state;
	world_init(&w, 1);
	first = knock(&w, (struct joining){ .group = "g", .rebalance_ms = 10000 }, &id[0]);
	pass(&w, 2000);
	knock(&w, (struct joining){ .group = "g", .rebalance_ms = 10000 }, &id[1]);
	for (int i = 0; i < 2; i++) { /* 3 s of 10 s are over, 3 more each time */
		pass(&w, i ? 3000 : 1000);
		assert_int_equal(w.out.answer_count, 0);
		knock(&w, (struct joining){ .group = "g", .rebalance_ms = 10000 }, &id[2]);
	}
	pass(&w, 3000);
	assert_int_equal(w.out.answer_count, 0);
	pass(&w, 999);
	assert_int_equal(w.out.answer_count, 0);
	pass(&w, 1); /* the rebalance timeout is the end */
	assert_int_equal(w.out.answer_count, 4);
	assert_int_equal(join_answer(&w, first)->members_count, 4);
	world_fini(&w);
}

static void no_delay_is_no_delay(void **state)
{
	struct world w;
	struct text id;
	void *token;

	(void)state;
	world_init(&w, 1);
	w.options.initial_rebalance_delay_ms = 0;
	group_shard_configure(w.s, &w.options);
	token = knock(&w, (struct joining){ .group = "g" }, &id);
	assert_true(group_shard_wake_ms(w.s) <= w.mono_ms);
	pass(&w, 0);
	assert_int_equal(join_answer(&w, token)->generation_id, 1);
	world_fini(&w);
}

/* ---- protocols ---- */

static void protocol_of_most_votes_wins(void **state)
{
	static const char *const offers[3][3] = { { "a", "b", "c" },
		                                  { "c", "b", NULL },
		                                  { "c", "b", NULL } };
	struct world w;
	struct text id[3];
	void *token;

	(void)state;
	world_init(&w, 1);
	for (int i = 0; i < 3; i++) {
		struct joining j = { .group = "g" };

		memcpy(j.protocol, offers[i], sizeof(j.protocol));
		token = knock(&w, j, &id[i]);
	}
	pass(&w, 3000);
	pass(&w, 3000);
	assert_str(join_answer(&w, token)->protocol_name, "c");
	world_fini(&w);
}

static void protocols_in_common_are_needed(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	assert_int_equal(join_error(&w, (struct joining){ .version = 3, .group = "g", .type = "" }),
	                 WIRE_INCONSISTENT_GROUP_PROTOCOL);
	form(&w, (struct joining){ .group = "g", .protocol = { "a", "b" } }, 2);
	assert_int_equal(
		join_error(&w, (struct joining){ .version = 9, .group = "g", .protocol = { "c" } }),
		WIRE_INCONSISTENT_GROUP_PROTOCOL);
	assert_int_equal(join_error(&w, (struct joining){ .version = 9,
	                                                  .group = "g",
	                                                  .type = "connect",
	                                                  .protocol = { "a" } }),
	                 WIRE_INCONSISTENT_GROUP_PROTOCOL);
	assert_int_equal(join_error(&w, (struct joining){ .version = 9,
	                                                  .group = "g",
	                                                  .protocol = { "c", "b" } }),
	                 WIRE_MEMBER_ID_REQUIRED);
	world_fini(&w);
}

static void protocol_named_twice_counts_once(void **state)
{
	struct world w;
	struct text id[2];
	void *token;

	(void)state;
	world_init(&w, 1);
	knock(&w, (struct joining){ .group = "g", .protocol = { "a", "a" } }, &id[0]);
	token = knock(&w, (struct joining){ .group = "g", .protocol = { "b", "a" } }, &id[1]);
	pass(&w, 3000);
	pass(&w, 3000);
	assert_str(join_answer(&w, token)->protocol_name, "a");
	world_fini(&w);
}

/* ---- rebalances ---- */

static void newcomer_makes_all_join_again(void **state)
{
	struct world w;
	struct party p;
	struct text id;
	void *token[3];

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 2);
	token[2] = knock(&w, (struct joining){ .group = "g" }, &id);
	assert_state(&w, "g", "PreparingRebalance");
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, NULL, p.generation),
	                 WIRE_REBALANCE_IN_PROGRESS);
	assert_int_equal(sync_error(&w, (struct syncing){ .group = "g",
	                                                  .member = p.id[0].data,
	                                                  .generation = p.generation }),
	                 WIRE_REBALANCE_IN_PROGRESS);
	token[1] = rejoin(&w, "g", &p.id[1]);
	assert_int_equal(w.out.answer_count, 0);
	token[0] = rejoin(&w, "g", &p.id[0]);
	assert_int_equal(w.out.answer_count, 3);
	for (int i = 0; i < 3; i++) {
		const struct join_group_response *r = join_answer(&w, token[i]);

		assert_int_equal(r->generation_id, p.generation + 1);
		assert_str(r->leader, p.id[0].data);
	}
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, NULL, p.generation),
	                 WIRE_ILLEGAL_GENERATION);
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, NULL, p.generation + 1), 0);
	assert_log_is_state(&w);
	world_fini(&w);
}

static void only_the_leader_rebalances_by_joining_again(void **state)
{
	struct world w;
	struct party p;
	const struct join_group_response *r;
	void *token;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 2);
	r = join_answer(&w, rejoin(&w, "g", &p.id[1]));
	assert_int_equal(r->error_code, 0);
	assert_int_equal(r->generation_id, p.generation);
	assert_int_equal(r->members_count, 0);
	assert_str(r->leader, p.id[0].data);
	assert_state(&w, "g", "Stable");
	token = join(&w, (struct joining){ .version = 9,
	                                   .group = "g",
	                                   .member = p.id[1].data,
	                                   .metadata = { (const uint8_t *)"new", 3 } });
	assert_null(answer_to(&w, token));
	assert_state(&w, "g", "PreparingRebalance");
	rejoin(&w, "g", &p.id[0]);
	assert_int_equal(w.out.answer_count, 2);
	/* Who lost the answer asks again, and gets the same. */
	r = join_answer(&w, rejoin(&w, "g", &p.id[0]));
	assert_int_equal(r->generation_id, p.generation + 1);
	assert_int_equal(r->members_count, 2);
	assert_state(&w, "g", "CompletingRebalance");
	world_fini(&w);
}

static void who_does_not_rejoin_in_time_is_gone(void **state)
{
	struct world w;
	struct party p;
	void *token;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g", .rebalance_ms = 30000 }, 2);
	token = rejoin(&w, "g", &p.id[0]);
	for (int i = 0; i < 5; i++) { /* the other one lives, but does not come */
		pass(&w, 5999);
		assert_int_equal(w.out.answer_count, 0);
		assert_int_equal(heartbeat(&w, "g", p.id[1].data, NULL, p.generation),
		                 WIRE_REBALANCE_IN_PROGRESS);
	}
	/* The leader joined with a longer timeout than the other has. */
	pass(&w, 60000 - 5 * 5999 - 1);
	assert_int_equal(w.out.answer_count, 1);
	assert_int_equal(join_answer(&w, token)->members_count, 1);
	assert_int_equal(heartbeat(&w, "g", p.id[1].data, NULL, p.generation),
	                 WIRE_UNKNOWN_MEMBER_ID);
	world_fini(&w);
}

static void another_member_leads_when_the_leader_does_not_rejoin(void **state)
{
	struct world w;
	struct party p;
	void *token;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 3);
	assert_int_equal(leave(&w, 3, "g", p.id[0].data, NULL), 0);
	rejoin(&w, "g", &p.id[2]);
	token = rejoin(&w, "g", &p.id[1]);
	assert_int_equal(w.out.answer_count, 2);
	assert_str(join_answer(&w, token)->leader, p.id[1].data);
	assert_int_equal(join_answer(&w, token)->members_count, 2);
	world_fini(&w);
}

static void who_does_not_sync_in_time_is_gone(void **state)
{
	struct world w;
	struct text id[2];
	void *token;

	(void)state;
	world_init(&w, 1);
	for (int i = 0; i < 2; i++)
		knock(&w, (struct joining){ .group = "g", .rebalance_ms = 20000 }, &id[i]);
	pass(&w, 3000);
	pass(&w, 3000);
	token = sync_group(&w,
	                   (struct syncing){ .group = "g", .member = id[1].data, .generation = 1 });
	for (int i = 0; i < 3; i++) {
		pass(&w, 6000);
		assert_int_equal(heartbeat(&w, "g", id[0].data, NULL, 1), 0);
	}
	pass(&w, 2000);
	assert_int_equal(sync_answer(&w, token)->error_code, WIRE_REBALANCE_IN_PROGRESS);
	assert_int_equal(heartbeat(&w, "g", id[0].data, NULL, 1), WIRE_UNKNOWN_MEMBER_ID);
	token = rejoin(&w, "g", &id[1]);
	assert_str(join_answer(&w, token)->leader, id[1].data);
	world_fini(&w);
}

static void rebalance_interrupts_a_rebalance(void **state)
{
	struct world w;
	struct party p;
	struct text id;
	void *token, *waits;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 2);
	rejoin(&w, "g", &p.id[0]);
	rejoin(&w, "g", &p.id[1]);
	waits = sync_group(&w, (struct syncing){ .group = "g",
	                                         .member = p.id[1].data,
	                                         .generation = p.generation + 1 });
	assert_null(answer_to(&w, waits));
	token = knock(&w, (struct joining){ .group = "g" }, &id);
	assert_int_equal(sync_answer(&w, waits)->error_code, WIRE_REBALANCE_IN_PROGRESS);
	rejoin(&w, "g", &p.id[0]);
	rejoin(&w, "g", &p.id[1]);
	assert_int_equal(join_answer(&w, token)->generation_id, p.generation + 2);
	world_fini(&w);
}

static void group_that_all_left_is_empty(void **state)
{
	struct world w;
	struct party p;
	size_t before;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 2);
	assert_int_equal(leave(&w, 5, "g", p.id[1].data, NULL), 0);
	assert_state(&w, "g", "PreparingRebalance");
	before = w.log_count;
	assert_int_equal(leave(&w, 0, "g", p.id[0].data, NULL), 0);
	assert_int_equal(w.log_count, before + 1);
	assert_str(describe(&w, "g")->group_state, "Empty");
	assert_str(describe(&w, "g")->protocol_type, "consumer");
	assert_int_equal(sync_error(&w, (struct syncing){ .group = "g",
	                                                  .member = p.id[0].data,
	                                                  .generation = p.generation }),
	                 WIRE_UNKNOWN_MEMBER_ID);
	assert_log_is_state(&w);
	p = form(&w, (struct joining){ .group = "g" }, 1);
	assert_int_equal(p.generation, 3);
	world_fini(&w);
}

/* ---- sessions ---- */

static void silent_member_is_gone_when_its_session_ends(void **state)
{
	struct world w;
	struct party p;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 2);
	for (int i = 0; i < 10; i++) {
		pass(&w, 9000);
		assert_int_equal(w.out.answer_count, 0);
		assert_int_equal(heartbeat(&w, "g", p.id[0].data, NULL, p.generation), 0);
		if (i < 5)
			assert_int_equal(heartbeat(&w, "g", p.id[1].data, NULL, p.generation), 0);
		if (i == 5) {
			pass(&w, 1000);
			assert_state(&w, "g", "PreparingRebalance");
			break;
		}
	}
	assert_int_equal(heartbeat(&w, "g", p.id[1].data, NULL, p.generation),
	                 WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(join_answer(&w, rejoin(&w, "g", &p.id[0]))->members_count, 1);
	world_fini(&w);
}

static void who_waits_for_others_does_not_time_out(void **state)
{
	struct world w;
	struct party p;
	void *token;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g" }, 2);
	token = rejoin(&w, "g", &p.id[0]);
	for (int i = 0; i < 9; i++) {
		pass(&w, 6000);
		assert_int_equal(w.out.answer_count, 0);
		assert_int_equal(heartbeat(&w, "g", p.id[1].data, NULL, p.generation),
		                 WIRE_REBALANCE_IN_PROGRESS);
	}
	rejoin(&w, "g", &p.id[1]);
	assert_int_equal(join_answer(&w, token)->error_code, 0);
	/* From now on its session counts again. */
	pass(&w, 9999);
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, NULL, p.generation + 1), 0);
	pass(&w, 1);
	assert_int_equal(heartbeat(&w, "g", p.id[1].data, NULL, p.generation + 1),
	                 WIRE_UNKNOWN_MEMBER_ID);
	world_fini(&w);
}

/* It cannot send a heartbeat, as it does not know its id; but it does not wait for ever. */
static void newcomer_waits_five_minutes(void **state)
{
	struct world w;
	struct party p;
	struct text id;
	void *token;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g", .rebalance_ms = 600000 }, 1);
	token = knock(&w, (struct joining){ .group = "g", .rebalance_ms = 600000 }, &id);
	for (int i = 0; i < 50; i++) {
		pass(&w, 5999);
		assert_int_equal(w.out.answer_count, 0);
		assert_int_equal(heartbeat(&w, "g", p.id[0].data, NULL, p.generation),
		                 WIRE_REBALANCE_IN_PROGRESS);
	}
	pass(&w, 50);
	assert_int_equal(join_answer(&w, token)->error_code, WIRE_UNKNOWN_MEMBER_ID);
	assert_str(join_answer(&w, token)->member_id, "");
	world_fini(&w);
}

static void heartbeats_are_checked(void **state)
{
	struct world w;
	struct party p;

	(void)state;
	world_init(&w, 1);
	p = form(&w, (struct joining){ .group = "g", .instance = "i" }, 1);
	assert_int_equal(heartbeat(&w, "", "m", NULL, 0), WIRE_INVALID_GROUP_ID);
	assert_int_equal(heartbeat(&w, "none", "m", NULL, 0), WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(heartbeat(&w, "g", "m", NULL, 1), WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(heartbeat(&w, "g", "", NULL, 1), WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(heartbeat(&w, "g", "m", "i", 1), WIRE_FENCED_INSTANCE_ID);
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, "j", 1), WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, "i", 2), WIRE_ILLEGAL_GENERATION);
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, NULL, 1), 0);
	assert_int_equal(heartbeat(&w, "g", p.id[0].data, "i", 1), 0);
	world_fini(&w);
}

/* ---- requests that are wrong ---- */

static void joins_are_checked(void **state)
{
	struct world w;
	const struct join_group_response *r;

	(void)state;
	world_init(&w, 1);
	r = join_answer(&w, join(&w, (struct joining){ .version = 9, .group = "", .member = "m" }));
	assert_int_equal(r->error_code, WIRE_INVALID_GROUP_ID);
	assert_str(r->member_id, "m");
	assert_int_equal(r->generation_id, -1);
	assert_int_equal(
		join_error(&w, (struct joining){ .version = 9, .group = "g", .session_ms = 5999 }),
		WIRE_INVALID_SESSION_TIMEOUT);
	assert_int_equal(
		join_error(&w,
	                   (struct joining){ .version = 9, .group = "g", .session_ms = 1800001 }),
		WIRE_INVALID_SESSION_TIMEOUT);
	r = join_answer(&w,
	                join(&w, (struct joining){ .version = 9, .group = "g", .member = "m" }));
	assert_int_equal(r->error_code, WIRE_UNKNOWN_MEMBER_ID);
	assert_str(r->member_id, "m");
	assert_int_equal(w.log_count, 0);
	form(&w, (struct joining){ .group = "g", .instance = "i" }, 1);
	assert_int_equal(join_error(&w, (struct joining){ .version = 9,
	                                                  .group = "g",
	                                                  .member = "m",
	                                                  .instance = "i" }),
	                 WIRE_FENCED_INSTANCE_ID);
	assert_int_equal(join_error(&w, (struct joining){ .version = 9,
	                                                  .group = "g",
	                                                  .member = "m",
	                                                  .instance = "j" }),
	                 WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(
		join_error(&w, (struct joining){ .version = 9, .group = "g", .member = "m" }),
		WIRE_UNKNOWN_MEMBER_ID);
	assert_state(&w, "g", "Stable");
	world_fini(&w);
}

static void syncs_are_checked(void **state)
{
	struct world w;
	struct party p;
	struct syncing y = { .group = "g", .generation = 1, .member = "m" };

	(void)state;
	world_init(&w, 1);
	assert_int_equal(sync_error(&w, y), WIRE_UNKNOWN_MEMBER_ID);
	y.version = 5;
	assert_int_equal(sync_error(&w, y), WIRE_INCONSISTENT_GROUP_PROTOCOL);
	y.version = 4;
	y.group = "";
	assert_int_equal(sync_error(&w, y), WIRE_INVALID_GROUP_ID);
	y.group = "g";
	p = form(&w, (struct joining){ .group = "g", .instance = "i" }, 1);
	assert_int_equal(sync_error(&w, y), WIRE_UNKNOWN_MEMBER_ID);
	y.instance = "i";
	assert_int_equal(sync_error(&w, y), WIRE_FENCED_INSTANCE_ID);
	y.member = p.id[0].data;
	y.generation = 0;
	assert_int_equal(sync_error(&w, y), WIRE_ILLEGAL_GENERATION);
	y.generation = 1;
	y.version = 5;
	y.type = "consumer";
	y.protocol = "other";
	assert_int_equal(sync_error(&w, y), WIRE_INCONSISTENT_GROUP_PROTOCOL);
	y.protocol = "range";
	y.type = "other";
	assert_int_equal(sync_error(&w, y), WIRE_INCONSISTENT_GROUP_PROTOCOL);
	y.type = "consumer";
	assert_int_equal(sync_error(&w, y), 0);
	world_fini(&w);
}

static void members_leave_one_by_one_and_together(void **state)
{
	struct leave_group_request_member_identity who[4];
	struct leave_group_request r;
	const struct leave_group_response *answer;
	struct world w;
	struct party p;

	(void)state;
	world_init(&w, 1);
	assert_int_equal(leave(&w, 0, "", "m", NULL), WIRE_INVALID_GROUP_ID);
	assert_int_equal(leave(&w, 5, "", "m", NULL), WIRE_INVALID_GROUP_ID);
	assert_int_equal(leave(&w, 2, "g", "m", NULL), WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(leave(&w, 5, "g", "m", NULL), WIRE_UNKNOWN_MEMBER_ID);
	p = form(&w, (struct joining){ .group = "g" }, 3);
	who[0] = (struct leave_group_request_member_identity){ .member_id = str_of(p.id[0].data) };
	who[1] = (struct leave_group_request_member_identity){ .member_id = STR("nobody") };
	who[2] = (struct leave_group_request_member_identity){ .member_id = str_of(p.id[2].data),
		                                               .reason = STR("tired") };
	who[3] = (struct leave_group_request_member_identity){ .member_id = STR(""),
		                                               .group_instance_id = STR("i") };
	leave_group_request_init(&r);
	r.group_id = STR("g");
	r.members = who;
	r.members_count = 4;
	answer = answer_to(&w, ask(&w, GROUP_LEAVE, 5, &r));
	assert_int_equal(answer->error_code, 0);
	assert_int_equal(answer->members_count, 4);
	assert_int_equal(answer->members[0].error_code, 0);
	assert_int_equal(answer->members[1].error_code, WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(answer->members[2].error_code, 0);
	assert_int_equal(answer->members[3].error_code, WIRE_UNKNOWN_MEMBER_ID);
	assert_str(answer->members[3].group_instance_id, "i");
	assert_int_equal(describe(&w, "g")->members_count, 1);
	assert_state(&w, "g", "PreparingRebalance");
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_as_kafka_begins),
		cmocka_unit_test(ids_are_given_out_from_version_4_on),
		cmocka_unit_test(ids_not_used_do_not_hold_a_rebalance_beyond_their_session),
		cmocka_unit_test(first_rebalance_waits_for_those_that_come),
		cmocka_unit_test(no_delay_is_no_delay),
		cmocka_unit_test(protocol_of_most_votes_wins),
		cmocka_unit_test(protocols_in_common_are_needed),
		cmocka_unit_test(protocol_named_twice_counts_once),
		cmocka_unit_test(newcomer_makes_all_join_again),
		cmocka_unit_test(only_the_leader_rebalances_by_joining_again),
		cmocka_unit_test(who_does_not_rejoin_in_time_is_gone),
		cmocka_unit_test(another_member_leads_when_the_leader_does_not_rejoin),
		cmocka_unit_test(who_does_not_sync_in_time_is_gone),
		cmocka_unit_test(rebalance_interrupts_a_rebalance),
		cmocka_unit_test(group_that_all_left_is_empty),
		cmocka_unit_test(silent_member_is_gone_when_its_session_ends),
		cmocka_unit_test(who_waits_for_others_does_not_time_out),
		cmocka_unit_test(newcomer_waits_five_minutes),
		cmocka_unit_test(heartbeats_are_checked),
		cmocka_unit_test(joins_are_checked),
		cmocka_unit_test(syncs_are_checked),
		cmocka_unit_test(members_leave_one_by_one_and_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
