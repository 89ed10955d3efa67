/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/raft.h"

static const struct raft_voter me = {
	.id = 1,
	.directory_id = { { 1, 2, 3 } },
	.endpoint_count = 1,
	.endpoint = { { { "CONTROLLER", 10 }, { "127.0.0.1", 9 }, 9093 } },
	.kraft_version_max = 1,
};

static struct raft_quorum quorum_of(const struct raft_voter *voter, uint32_t count,
                                    int64_t voters_offset)
{
	struct raft_quorum q = { .kraft_version = 1, .voters_offset = voters_offset };

	q.voter_count = count;
	for (uint32_t i = 0; i < count; i++)
		q.voter[i] = voter[i];
	return q;
}

static void start(struct raft *raft, const struct raft_quorum *quorum,
                  const struct raft_election *election, struct raft_position end,
                  struct raft_out *out)
{
	raft_init(raft, &me, quorum);
	raft_step(raft,
	          &(struct raft_event){ .type = RAFT_START, .election = election, .end = end },
	          out);
}

static void answer(struct raft *raft, enum raft_event_type type, int64_t end, struct raft_out *out)
{
	raft_step(raft, &(struct raft_event){ .type = type, .end = { end, raft->election.epoch } },
	          out);
}

/* The state file before the first record, the first record before anything counts as committed. */
static void leads_only_what_is_durable(void **state)
{
	struct raft_quorum quorum = quorum_of(&me, 1, 2);
	struct raft raft;
	struct raft_out out;

	(void)state;
	start(&raft, &quorum, NULL, (struct raft_position){ 0, 0 }, &out);
	assert_int_equal(out.count, 1);
	assert_int_equal(out.want[0].type, RAFT_STORE);
	assert_int_equal(out.want[0].election.epoch, 1);
	assert_int_equal(out.want[0].election.leader_id, 1);
	answer(&raft, RAFT_SYNCED, 0, &out);
	assert_int_equal(out.count, 0);

	answer(&raft, RAFT_STORED, 0, &out);
	assert_int_equal(out.count, 2);
	assert_int_equal(out.want[0].type, RAFT_APPEND_LEADER);
	assert_false(out.want[0].voters);
	assert_int_equal(out.want[1].type, RAFT_LEAD);
	answer(&raft, RAFT_APPENDED, 1, &out);
	answer(&raft, RAFT_SYNCED, 0, &out);
	assert_int_equal(out.count, 0);
	assert_int_equal(raft.high_watermark, -1);

	answer(&raft, RAFT_SYNCED, 1, &out);
	assert_int_equal(out.count, 1);
	assert_int_equal(out.want[0].type, RAFT_COMMITTED);
	assert_int_equal(out.want[0].offset, 1);
	answer(&raft, RAFT_SYNCED, 1, &out);
	assert_int_equal(out.count, 0);
}

/* Whatever the files of an earlier life say, the new epoch is above all of them. */
static void never_leads_an_epoch_twice(void **state)
{
	static const struct raft_election election[] = {
		{ 7, 1, RAFT_NOBODY, { { 0 } } },
		{ 7, RAFT_NOBODY, 1, { { 0 } } },
		{ 7, RAFT_NOBODY, RAFT_NOBODY, { { 0 } } },
		{ 3, 1, RAFT_NOBODY, { { 0 } } },
	};
	struct raft_quorum quorum = quorum_of(&me, 1, 2);

	(void)state;
	for (size_t i = 0; i < array_count(election); i++) {
		struct raft raft;
		struct raft_out out;

		start(&raft, &quorum, &election[i], (struct raft_position){ 40, 7 }, &out);
		assert_int_equal(out.want[0].type, RAFT_STORE);
		assert_int_equal(out.want[0].election.epoch, 8);
	}
}

static void tells_the_log_about_voters_once_and_when_changed(void **state)
{
	struct raft_voter moved = me;
	struct raft_quorum quorum;
	struct raft raft;
	struct raft_out out;

	(void)state;
	quorum = quorum_of(&me, 1, -1);
	start(&raft, &quorum, NULL, (struct raft_position){ 0, 0 }, &out);
	answer(&raft, RAFT_STORED, 0, &out);
	assert_true(out.want[0].voters);

	moved.endpoint[0].port = 1;
	quorum = quorum_of(&moved, 1, 2);
	start(&raft, &quorum, NULL, (struct raft_position){ 9, 1 }, &out);
	answer(&raft, RAFT_STORED, 0, &out);
	assert_true(out.want[0].voters);
	assert_int_equal(raft.quorum.voter[0].endpoint[0].port, 9093);

	quorum.kraft_version = 0;
	start(&raft, &quorum, NULL, (struct raft_position){ 9, 1 }, &out);
	answer(&raft, RAFT_STORED, 0, &out);
	assert_false(out.want[0].voters);
}

static void refuses_a_quorum_of_others(void **state)
{
	struct raft_voter two[2] = { me, me };
	struct raft_quorum quorum;
	struct raft raft;
	struct raft_out out;

	(void)state;
	two[1].id = 2;
	quorum = quorum_of(two, 2, 2);
	start(&raft, &quorum, NULL, (struct raft_position){ 0, 0 }, &out);
	assert_int_equal(out.want[0].type, RAFT_REFUSE);

	two[0].directory_id.byte[0] = 99;
	quorum = quorum_of(two, 1, 2);
	start(&raft, &quorum, NULL, (struct raft_position){ 0, 0 }, &out);
	assert_int_equal(out.want[0].type, RAFT_REFUSE);
}

static void steps_down_when_the_disk_fails(void **state)
{
	struct raft_quorum quorum = quorum_of(&me, 1, 2);
	struct raft raft;
	struct raft_out out;

	(void)state;
	start(&raft, &quorum, NULL, (struct raft_position){ 0, 0 }, &out);
	answer(&raft, RAFT_STORED, 0, &out);
	answer(&raft, RAFT_FAILED, 0, &out);
	assert_int_equal(out.count, 1);
	assert_int_equal(out.want[0].type, RAFT_STEP_DOWN);
	answer(&raft, RAFT_SYNCED, 1, &out);
	assert_int_equal(out.count, 0);
}

static struct str text_of(const struct buf *b)
{
	return (struct str){ (const char *)b->data, (uint32_t)b->size };
}

/* Both texts were written by Kafka 4.3.1: kafka-storage format, start, stop; cat quorum-state. */
static void state_file_is_kafkas(void **state)
{
	static const char v1[] = "{\"leaderId\":1,\"leaderEpoch\":3,\"votedId\":-1,"
				 "\"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\","
				 "\"data_version\":1}";
	static const char v0[] = "{\"clusterId\":\"\",\"leaderId\":1,\"leaderEpoch\":3,"
				 "\"votedId\":-1,\"appliedOffset\":0,"
				 "\"currentVoters\":[{\"voterId\":1}],\"data_version\":0}";
	struct raft raft = { .quorum = quorum_of(&me, 1, 2) };
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(raft_election_decode(str_of(v1), &raft.election), 0);
	raft_election_encode(&raft, &out);
	assert_true(str_eq(text_of(&out), str_of(v1)));
	out.size = 0;
	raft.quorum.kraft_version = 0;
	raft.election = (struct raft_election){ 0 };
	assert_int_equal(raft_election_decode(str_of(v0), &raft.election), 0);
	raft_election_encode(&raft, &out);
	assert_true(str_eq(text_of(&out), str_of(v0)));
	buf_fini(&out);
}

static void state_file_rejects_every_truncation(void **state)
{
	static const char text[] = " { \"x\" : [ {\"y\":\"a]\\\"\"}, 3 ], \"leaderId\": 1,\n"
				   "\"leaderEpoch\":3,\"votedId\":-1,\"data_version\":1 } ";
	struct raft_election e;

	(void)state;
	assert_int_equal(raft_election_decode(str_of(text), &e), 0);
	assert_int_equal(e.epoch, 3);
	for (uint32_t size = 0; size < sizeof(text) - 2; size++)
		assert_int_not_equal(raft_election_decode((struct str){ text, size }, &e), 0);
	assert_int_not_equal(raft_election_decode(STR("{\"leaderEpoch\":99999999999,"
	                                              "\"data_version\":1}"),
	                                          &e),
	                     0);
	assert_int_not_equal(
		raft_election_decode(STR("{\"leaderEpoch\":1,\"data_version\":2}"), &e), 0);
	assert_int_not_equal(raft_election_decode(STR("{\"leaderEpoch\":1}"), &e), 0);
}

static void snapshot_names_round_trip(void **state)
{
	struct raft_snapshot_id id = { 181, 3 };
	char name[RAFT_SNAPSHOT_NAME_SIZE];
	struct raft_snapshot_id back;

	(void)state;
	raft_snapshot_name(id, name);
	assert_string_equal(name, "00000000000000000181-0000000003.checkpoint");
	assert_true(raft_snapshot_parse(str_of(name), &back));
	assert_int_equal(back.end_offset, 181);
	assert_int_equal(back.epoch, 3);
	assert_false(raft_snapshot_parse(STR("00000000000000000181-0000000003.checkpoint.deleted"),
	                                 &back));
	assert_false(raft_snapshot_parse(STR("00000000000000000181-000000000x.checkpoint"), &back));
	assert_false(raft_snapshot_parse(STR("99999999999999999999-0000000003.checkpoint"), &back));
}

static void snapshots_are_due_by_bytes_and_by_time(void **state)
{
	struct raft_snapshot_policy p = { .bytes_max = 100, .interval_ms = 1000 };

	(void)state;
	raft_snapshot_done(&p, 50);
	assert_false(raft_snapshot_due(&p, 5000));
	raft_snapshot_count(&p, 99);
	assert_false(raft_snapshot_due(&p, 1049));
	assert_true(raft_snapshot_due(&p, 1050));
	raft_snapshot_count(&p, 1);
	assert_true(raft_snapshot_due(&p, 51));
	raft_snapshot_done(&p, 51);
	assert_false(raft_snapshot_due(&p, 51));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leads_only_what_is_durable),
		cmocka_unit_test(never_leads_an_epoch_twice),
		cmocka_unit_test(tells_the_log_about_voters_once_and_when_changed),
		cmocka_unit_test(refuses_a_quorum_of_others),
		cmocka_unit_test(steps_down_when_the_disk_fails),
		cmocka_unit_test(state_file_is_kafkas),
		cmocka_unit_test(state_file_rejects_every_truncation),
		cmocka_unit_test(snapshot_names_round_trip),
		cmocka_unit_test(snapshots_are_due_by_bytes_and_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
