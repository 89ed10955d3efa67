/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/buf.h"
#include "group_fixture.h"
#include "wire/batch.h"

/* ---- a log that Apache Kafka wrote: selftests/golden/group/make.sh ---- */

struct entry {
	struct group_record record;
	int64_t producer_id;
	int64_t timestamp_ms;
	bool is_marker;
	bool commit;
};

struct golden {
	struct buf file;
	struct entry entry[100];
	size_t count;
};

static void add_records(struct golden *g, const struct batch *b)
{
	struct record_iter it = record_iter(batch_records(b), b->record_count);
	struct record r;

	while (record_iter_next(&it, &r) == 1) {
		struct entry *e = &g->entry[g->count++];

		assert_true(g->count < array_count(g->entry));
		*e = (struct entry){
			.record = { r.key, r.value },
			.producer_id =
				batch_is_transactional(b) ? b->producer_id : GROUP_NO_PRODUCER,
			.timestamp_ms = b->base_timestamp + r.timestamp_delta,
			.is_marker = batch_is_control(b),
		};
		if (e->is_marker)
			e->commit = load_be16(r.key.data + 2) == 1;
	}
}

static struct golden golden(void)
{
	struct golden g = { 0 };
	struct batch b;
	FILE *f = fopen("selftests/golden/group/offsets.log", "rb");

	assert_non_null(f);
	buf_reserve(&g.file, 1 << 16);
	g.file.size = fread(g.file.data, 1, 1 << 16, f);
	fclose(f);
	for (size_t at = 0; at < g.file.size; at += b.size) {
		assert_int_equal(
			batch_parse((struct span){ g.file.data + at, g.file.size - at }, &b), 0);
		add_records(&g, &b);
	}
	return g;
}

static int16_t kind_of(const struct entry *e)
{
	return (int16_t)load_be16(e->record.key.data);
}

static void replay(struct group_shard *s, const struct entry *e)
{
	if (e->is_marker)
		group_shard_replay_marker(s, e->producer_id, e->commit);
	else
		assert_int_equal(group_shard_replay(s, &e->record, e->producer_id), 0);
}

/* A world that goes on where Kafka stopped. */
static void world_of(struct world *w, const struct golden *g)
{
	world_init(w, 1);
	group_shard_free(w->s);
	w->s = group_shard_new(&w->options);
	for (size_t i = 0; i < g->count; i++)
		replay(w->s, &g->entry[i]);
	w->wall_ms = g->entry[g->count - 1].timestamp_ms;
	group_shard_loaded(w->s, w->mono_ms, w->wall_ms);
}

static void goes_on_where_kafka_stopped(void **state)
{
	const struct offset_fetch_response_response_group *r;
	const struct describe_groups_response_described_group *d;
	struct golden g = golden();
	struct world w;
	struct text id[3];

	(void)state;
	world_of(&w, &g);
	r = fetch(&w, "simple", NULL, 0);
	assert_int_equal(r->topics_count, 1);
	assert_int_equal(r->topics[0].partitions_count, 1); /* the other one was deleted */
	assert_int_equal(r->topics[0].partitions[0].committed_offset, 5);
	assert_int_equal(r->topics[0].partitions[0].committed_leader_epoch, 1);
	assert_str(r->topics[0].partitions[0].metadata, "h\xc3\xa9 \xf0\x9f\x98\x80");
	assert_int_equal(committed(&w, "expiring", "t", 2), 77);
	assert_int_equal(delete_group(&w, "one"), WIRE_GROUP_ID_NOT_FOUND);
	assert_int_equal(committed(&w, "static", "u", 0), 1000);
	for (int32_t i = 0; i < 3; i++)
		assert_int_equal(committed(&w, "three", "t", i), 10 + i);
	d = describe(&w, "three");
	assert_str(d->group_state, "Stable");
	assert_str(d->protocol_data, "range");
	assert_int_equal(d->members_count, 3);
	for (int i = 0; i < 3; i++) {
		assert_str(d->members[i].client_host, "/127.0.0.1");
		assert_true(d->members[i].member_assignment.size > 10);
		id[i] = text_of(d->members[i].member_id);
	}
	/* Its members notice nothing. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(heartbeat(&w, "three", id[i].data, NULL, 2), 0);
	assert_int_equal(commit(&w, (struct committing){ .group = "three",
	                                                 .member = id[1].data,
	                                                 .generation = 2,
	                                                 .topic = "t",
	                                                 .offset = 11 }),
	                 0);
	pass(&w, 45000);
	assert_state(&w, "three", "Empty"); /* unless they fall silent */
	world_fini(&w);
	buf_fini(&g.file);
}

static void transactions_count_when_their_marker_says_so(void **state)
{
	struct offset_fetch_request_request_topics topic = { .name = STR("u"),
		                                             .partition_indexes = (int32_t[]){ 0 },
		                                             .partition_indexes_count = 1 };
	struct offset_fetch_request_request_group r = { .group_id = STR("transactional"),
		                                        .member_epoch = -1,
		                                        .topics = &topic,
		                                        .topics_count = 1 };
	const struct offset_fetch_response_response_group *answer;
	struct golden g = golden();
	struct world w;
	size_t before;

	(void)state;
	world_of(&w, &g);
	assert_int_equal(committed(&w, "transactional", "u", 0), 10);
	assert_true(group_shard_has_transactions(w.s));
	step(&w, (struct group_event){ .type = GROUP_OFFSET_FETCH,
	                               .version = 9,
	                               .request = &r,
	                               .token = &w,
	                               .require_stable = true });
	answer = answer_to(&w, &w);
	assert_int_equal(answer->topics[0].partitions[0].error_code, WIRE_UNSTABLE_OFFSET_COMMIT);
	assert_int_equal(answer->topics[0].partitions[0].committed_offset, -1);
	before = group_shard_record_count(w.s);
	group_shard_replay_marker(w.s, 2, true);
	assert_false(group_shard_has_transactions(w.s));
	assert_int_equal(committed(&w, "transactional", "u", 0), 30);
	assert_int_equal(group_shard_record_count(w.s), before);
	world_fini(&w);
	buf_fini(&g.file);
}

static const struct entry *pending_commit(const struct golden *g)
{
	const struct entry *found = NULL;

	for (size_t i = 0; i < g->count; i++)
		if (g->entry[i].producer_id == 2 && !g->entry[i].is_marker)
			found = &g->entry[i];
	assert_non_null(found);
	return found;
}

static void commit_that_came_later_than_the_transaction_stays(void **state)
{
	struct golden g = golden();
	struct entry e = *pending_commit(&g);
	struct committing c = {
		.group = "transactional", .generation = -1, .topic = "u", .offset = 99
	};
	struct world w;

	(void)state;
	world_of(&w, &g);
	assert_int_equal(commit(&w, c), 0);
	group_shard_replay_marker(w.s, 2, true);
	assert_int_equal(committed(&w, "transactional", "u", 0), 99);
	/* Of one transaction the last value counts; what is deleted meanwhile is gone. */
	replay(w.s, &e);
	e.record.value.data = NULL;
	e.producer_id = GROUP_NO_PRODUCER;
	replay(w.s, &e);
	assert_false(group_shard_has_transactions(w.s));
	group_shard_replay_marker(w.s, 2, true);
	assert_int_equal(committed(&w, "transactional", "u", 0), -1);
	e = *pending_commit(&g);
	replay(w.s, &e);
	replay(w.s, &e);
	group_shard_replay_marker(w.s, 2, false);
	assert_false(group_shard_has_transactions(w.s));
	assert_int_equal(committed(&w, "transactional", "u", 0), -1);
	world_fini(&w);
	buf_fini(&g.file);
}

/* ---- records to the byte ---- */

static void assert_span_equal(struct span a, struct span b)
{
	assert_int_equal(a.size, b.size);
	assert_int_equal(!a.data, !b.data);
	if (a.size)
		assert_memory_equal(a.data, b.data, a.size);
}

/* Each offset is written as Kafka wrote it; and so is each record that is only kept. */
static void offsets_are_written_as_kafka_writes_them(void **state)
{
	struct golden g = golden();
	struct world w;
	size_t count = 0;

	(void)state;
	world_init(&w, 1);
	for (size_t i = 0; i < g.count; i++) {
		const struct entry *e = &g.entry[i];
		struct group_shard *s;
		struct lines l;

		if (e->is_marker || !e->record.value.data)
			continue;
		s = group_shard_new(&w.options);
		assert_int_equal(group_shard_replay(s, &e->record, GROUP_NO_PRODUCER), 0);
		l = lines_of(s);
		assert_int_equal(l.count, 1);
		assert_span_equal(l.line[0].key, e->record.key);
		assert_span_equal(l.line[0].value, e->record.value);
		count += kind_of(e) == 1;
		lines_fini(&l);
		group_shard_free(s);
	}
	assert_true(count > 10);
	world_fini(&w);
	buf_fini(&g.file);
}

struct group_entry {
	struct group_metadata_value value;
	const struct entry *entry;
	bool is_tombstone;
};

/* The n-th record of a group. */
static struct group_entry group_entry(const struct golden *g, const char *group, size_t n,
                                      struct arena *arena)
{
	struct group_entry ret = { 0 };

	for (size_t i = 0; i < g->count; i++) {
		const struct entry *e = &g->entry[i];
		struct reader key = reader_of(e->record.key.data, e->record.key.size);
		struct reader value = reader_of(e->record.value.data, e->record.value.size);
		struct group_metadata_key k;

		if (e->is_marker || reader_i16(&key) != 2 ||
		    group_metadata_key_decode(&key, 0, arena, &k) ||
		    !str_eq(k.group, str_of(group)) || n--)
			continue;
		ret.entry = e;
		ret.is_tombstone = !e->record.value.data;
		if (!ret.is_tombstone)
			assert_int_equal(group_metadata_value_decode(&value, reader_i16(&value),
			                                             arena, &ret.value),
			                 0);
		return ret;
	}
	fail();
	return ret;
}

/* The bytes of the UUID that ends a member's id. */
static void id_bytes(struct str id, uint8_t out[16])
{
	const char *at = id.data + id.size - 36;

	for (int i = 0; i < 16; at += 2, i++) {
		unsigned int byte;

		at += *at == '-';
		assert_int_equal(sscanf(at, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
}

/* Joins as that member did; its token, when it is asked for its id with the id. */
static void *join_as(struct world *w, const char *group, const struct group_metadata_value *v,
                     uint32_t i)
{
	const struct group_metadata_value_member_metadata *m = &v->members[i];
	struct text client = text_of(m->client_id), instance = text_of(m->group_instance_id);
	struct text protocol = text_of(v->protocol), id = text_of(m->member_id);
	struct joining j = {
		.version = 9,
		.group = group,
		.instance = m->group_instance_id.data ? instance.data : NULL,
		.protocol = { protocol.data },
		.metadata = m->subscription,
		.session_ms = m->session_timeout,
		.rebalance_ms = m->rebalance_timeout,
	};
	void *token;

	w->client_id = client.data;
	id_bytes(m->member_id, w->next_id);
	token = join(w, j);
	if (!j.instance) {
		assert_int_equal(join_answer(w, token)->error_code, WIRE_MEMBER_ID_REQUIRED);
		assert_str(join_answer(w, token)->member_id, id.data);
		j.member = id.data;
		token = join(w, j);
	}
	w->client_id = "";
	return token;
}

static void *sync_as(struct world *w, const char *group, const struct group_metadata_value *v)
{
	struct sync_group_request_request_assignment assignment[3];
	struct sync_group_request r;

	sync_group_request_init(&r);
	r.group_id = str_of(group);
	r.generation_id = v->generation;
	r.member_id = v->leader;
	for (uint32_t i = 0; i < v->members_count; i++)
		assignment[i] =
			(struct sync_group_request_request_assignment){ v->members[i].member_id,
			                                                v->members[i].assignment };
	r.assignments = assignment;
	r.assignments_count = v->members_count;
	return ask(w, GROUP_SYNC, 4, &r);
}

static void assert_wrote(struct world *w, const struct group_entry *want)
{
	assert_int_equal(w->out.record_count, 1);
	assert_span_equal(w->out.record[0].key, want->entry->record.key);
	assert_span_equal(w->out.record[0].value, want->entry->record.value);
}

/* The same requests at the same times make the same records. */
static void groups_are_written_as_kafka_writes_them(void **state)
{
	static const char *const group[] = { "one", "static" };
	struct golden g = golden();
	struct arena arena;

	(void)state;
	arena_init(&arena, SIZE_MAX);
	for (size_t i = 0; i < array_count(group); i++) {
		struct group_entry born = group_entry(&g, group[i], 0, &arena);
		struct group_entry stable = group_entry(&g, group[i], 1, &arena);
		struct text id = text_of(stable.value.leader);
		struct world w;

		world_init(&w, 1);
		w.options.initial_rebalance_delay_ms = 0;
		group_shard_configure(w.s, &w.options);
		w.wall_ms = born.value.current_state_timestamp;
		join_as(&w, group[i], &stable.value, 0);
		assert_int_equal(w.log_count, 1);
		assert_span_equal(w.log[0].key, born.entry->record.key);
		assert_span_equal(w.log[0].value, born.entry->record.value);
		w.wall_ms = stable.value.current_state_timestamp;
		pass(&w, 0);
		sync_as(&w, group[i], &stable.value);
		assert_wrote(&w, &stable);
		if (i == 0) {
			struct group_entry empty = group_entry(&g, group[i], 2, &arena);
			struct group_entry deleted = group_entry(&g, group[i], 3, &arena);

			w.wall_ms = empty.value.current_state_timestamp;
			assert_int_equal(leave(&w, 5, group[i], id.data, NULL), 0);
			assert_wrote(&w, &empty);
			delete_group(&w, group[i]);
			assert_true(deleted.is_tombstone);
			assert_wrote(&w, &deleted);
		}
		world_fini(&w);
	}
	arena_fini(&arena);
	buf_fini(&g.file);
}

/* ---- what is wrong, and what is not known ---- */

static void assert_left_out(struct group_shard *s, const struct group_record *record)
{
	size_t before = group_shard_record_count(s);

	assert_int_equal(group_shard_replay(s, record, GROUP_NO_PRODUCER), -EBADMSG);
	assert_int_equal(group_shard_record_count(s), before);
}

static void records_cut_short_are_left_out(void **state)
{
	struct golden g = golden();
	struct world w;

	(void)state;
	world_init(&w, 1);
	for (size_t i = 0; i < g.count; i++) {
		struct group_record r = g.entry[i].record;

		if (g.entry[i].is_marker || !r.value.data || kind_of(&g.entry[i]) > 2)
			continue;
		for (size_t size = 0; size < r.value.size; size++) {
			struct group_record cut = { r.key, { r.value.data, size } };

			/* What is cut at the end of a tag section ends well. */
			if (group_shard_replay(w.s, &cut, GROUP_NO_PRODUCER))
				assert_left_out(w.s, &cut);
		}
		for (size_t size = 0; size < r.key.size; size++)
			assert_left_out(w.s,
			                &(struct group_record){ { r.key.data, size }, r.value });
	}
	world_fini(&w);
	buf_fini(&g.file);
}

static struct group_record group_record_of(struct buf *key, struct buf *value,
                                           const struct group_metadata_value *v)
{
	struct group_metadata_key k = { STR("g") };
	struct writer w = writer_of(key);

	key->size = value->size = 0;
	writer_i16(&w, 2);
	group_metadata_key_encode(&w, 0, &k);
	w = writer_of(value);
	writer_i16(&w, 3);
	group_metadata_value_encode(&w, 3, v);
	return (struct group_record){ { key->data, key->size }, { value->data, value->size } };
}

static void groups_that_contradict_themselves_are_left_out(void **state)
{
	struct group_metadata_value_member_metadata member[2] = {
		{ .member_id = STR("a"),
		  .client_id = STR("c"),
		  .client_host = STR("/h"),
		  .group_instance_id = STR("i"),
		  .rebalance_timeout = 1,
		  .session_timeout = 1 },
		{ .member_id = STR("b"),
		  .client_id = STR("c"),
		  .client_host = STR("/h"),
		  .group_instance_id = STR("j"),
		  .rebalance_timeout = 1,
		  .session_timeout = 1 },
	};
	const struct group_metadata_value good = { .protocol_type = STR("consumer"),
		                                   .generation = 3,
		                                   .protocol = STR("range"),
		                                   .leader = STR("a"),
		                                   .members = member,
		                                   .members_count = 2 };
	struct buf key = { 0 }, value = { 0 };
	struct group_record r;
	struct world w;

	(void)state;
	world_init(&w, 1);
	for (int i = 0; i < 7; i++) {
		struct group_metadata_value v = good;

		member[1].member_id = i == 1 ? STR("a") : STR("b");
		member[1].group_instance_id = i == 2 ? STR("i") : STR("j");
		if (i == 3)
			v.leader = STR("c");
		if (i == 4)
			v.generation = -1;
		if (i == 5)
			v.protocol = (struct str){ NULL, 0 };
		if (i == 6)
			v.protocol_type = STR("");
		r = group_record_of(&key, &value, &v);
		if (i)
			assert_left_out(w.s, &r);
		else
			assert_int_equal(group_shard_replay(w.s, &r, GROUP_NO_PRODUCER), 0);
		if (!i) {
			assert_state(&w, "g", "Stable");
			r.value.data = NULL;
			assert_int_equal(group_shard_replay(w.s, &r, GROUP_NO_PRODUCER), 0);
		}
		assert_state(&w, "g", "Dead");
	}
	buf_fini(&key);
	buf_fini(&value);
	world_fini(&w);
}

static void records_of_other_kinds_are_kept(void **state)
{
	static const uint8_t key[] = { 0, 99, 1, 2, 3 }, value[] = { 9, 9 }, later[] = { 8 };
	struct group_record r = { { key, sizeof(key) }, { value, sizeof(value) } };
	struct world w;
	struct lines l;

	(void)state;
	world_init(&w, 1);
	assert_int_equal(group_shard_replay(w.s, &r, GROUP_NO_PRODUCER), 0);
	r.value = (struct span){ later, sizeof(later) };
	assert_int_equal(group_shard_replay(w.s, &r, GROUP_NO_PRODUCER), 0);
	l = lines_of(w.s);
	assert_int_equal(l.count, 1);
	assert_span_equal(l.line[0].key, r.key);
	assert_span_equal(l.line[0].value, r.value);
	lines_fini(&l);
	assert_int_equal(list_groups_count(&w), 0);
	r.value.data = NULL;
	assert_int_equal(group_shard_replay(w.s, &r, GROUP_NO_PRODUCER), 0);
	assert_int_equal(group_shard_record_count(w.s), 0);
	world_fini(&w);
}

static void groups_of_newer_protocols_are_no_groups_for_classic_members(void **state)
{
	struct golden g = golden();
	struct world w;
	size_t before;

	(void)state;
	world_of(&w, &g);
	before = group_shard_record_count(w.s);
	assert_int_equal(committed(&w, "modern", "u", 0), 4000);
	assert_int_equal(join_error(&w, (struct joining){ .version = 9, .group = "modern" }),
	                 WIRE_INCONSISTENT_GROUP_PROTOCOL);
	assert_int_equal(sync_error(&w, (struct syncing){ .group = "modern", .member = "m" }),
	                 WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(heartbeat(&w, "modern", "m", NULL, 1), WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(leave(&w, 5, "modern", "m", NULL), WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(
		commit(&w,
	               (struct committing){ .group = "modern", .generation = -1, .topic = "u" }),
		WIRE_UNKNOWN_MEMBER_ID);
	assert_int_equal(delete_group(&w, "modern"), WIRE_NON_EMPTY_GROUP);
	assert_str(describe(&w, "modern")->error_message, "Group modern is not a classic group.");
	assert_int_equal(list_groups_count(&w), 6);
	for (int i = 0; i < 100; i++)
		pass(&w, DAY_MS / 2);
	assert_int_equal(committed(&w, "modern", "u", 0), 4000);
	assert_true(group_shard_record_count(w.s) < before);
	assert_int_equal(list_groups_count(&w), 2); /* and the open transaction */
	world_fini(&w);
	buf_fini(&g.file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_where_kafka_stopped),
		cmocka_unit_test(transactions_count_when_their_marker_says_so),
		cmocka_unit_test(commit_that_came_later_than_the_transaction_stays),
		cmocka_unit_test(offsets_are_written_as_kafka_writes_them),
		cmocka_unit_test(groups_are_written_as_kafka_writes_them),
		cmocka_unit_test(records_cut_short_are_left_out),
		cmocka_unit_test(groups_that_contradict_themselves_are_left_out),
		cmocka_unit_test(records_of_other_kinds_are_kept),
		cmocka_unit_test(groups_of_newer_protocols_are_no_groups_for_classic_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
