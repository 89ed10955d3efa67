/* SPDX-License-Identifier: Apache-2.0 */
#include "group_fixture.h"

/*
 * Members that come, go, stall, crash, ask twice and too late, administrators, restarts and jumps
 *of time, by a seed.  Whatever they do:
 *
 *	each request is answered once, unless its caller hung up, and none is forgotten in the end
 *	a generation only rises, as long as the coordinator does not start anew
 *	what the leader assigned to a member in a generation is what that member gets
 *	a commit of a fenced member or of an old generation never lands
 *	what is committed stays as it is until a commit, a deletion or its expiry
 *	nothing happens before wake_ms
 *	the log, and a snapshot, make the same state
 */
enum { GROUPS = 3, ACTORS = 9, PARTITIONS = 3, STEPS = 600, WAITING = 200, FENCED = 400 };

static const char *const group_name[GROUPS] = { "a", "b", "c" };

enum actor_state { OUT, JOINING, SYNCING, IN };

struct actor {
	int group;
	const char *instance;
	int version; /* of JoinGroup */
	enum actor_state state;
	struct text id;
	int32_t generation;
	bool leads;
	struct text member[ACTORS]; /* of a leader: whom it assigns to */
	uint32_t member_count;
};

struct waiting {
	void *token;
	enum group_event_type type;
	int actor; /* -1: who has forgotten it */
	int group;
	struct text id;
};

struct known {
	int32_t generation; /* the highest that anybody was told */
	int32_t stored;     /* of the last record */
	struct text fenced[FENCED];
	size_t fenced_count;
	int64_t offset[PARTITIONS]; /* -1: none */
};

/* How often what the laws are about has happened, over all seeds. */
static struct {
	uint32_t joined, synced, fenced, committed, refused, detached, restarted;
} seen;

struct sim {
	struct world w;
	struct actor actor[ACTORS];
	struct waiting waiting[WAITING];
	size_t waiting_count;
	struct known known[GROUPS];
};

static uint64_t below(struct sim *s, uint64_t bound)
{
	return prng_below(&s->w.prng, bound);
}

/* ---- what the log says ---- */

static int group_of(struct str name)
{
	for (int i = 0; i < GROUPS; i++)
		if (str_eq(name, str_of(group_name[i])))
			return i;
	return -1;
}

static void see_offset(struct sim *s, const struct group_record *record, struct reader *key)
{
	struct reader r = reader_of(record->value.data, record->value.size);
	struct offset_commit_key k;
	struct offset_commit_value v;
	struct known *known;

	assert_int_equal(offset_commit_key_decode(key, 0, &s->w.arena, &k), 0);
	known = &s->known[group_of(k.group)];
	if (!record->value.data) {
		known->offset[k.partition] = -1;
		return;
	}
	assert_int_equal(offset_commit_value_decode(&r, reader_i16(&r), &s->w.arena, &v), 0);
	known->offset[k.partition] = v.offset;
}

static void see_group(struct sim *s, const struct group_record *record, struct reader *key)
{
	struct reader r = reader_of(record->value.data, record->value.size);
	struct group_metadata_key k;
	struct group_metadata_value v;
	struct known *known;

	assert_int_equal(group_metadata_key_decode(key, 0, &s->w.arena, &k), 0);
	known = &s->known[group_of(k.group)];
	if (!record->value.data) {
		known->generation = known->stored = 0;
		known->fenced_count = 0;
		return;
	}
	assert_int_equal(group_metadata_value_decode(&r, reader_i16(&r), &s->w.arena, &v), 0);
	assert_true(v.generation >= known->stored);
	known->stored = v.generation;
}

static void see_records(struct sim *s, enum group_event_type type)
{
	for (size_t i = 0; i < s->w.out.record_count; i++) {
		const struct group_record *record = &s->w.out.record[i];
		struct reader key = reader_of(record->key.data, record->key.size);

		if (reader_i16(&key) == 2) {
			see_group(s, record, &key);
			continue;
		}
		/* Nothing but a commit writes an offset. */
		assert_true(!record->value.data || type == GROUP_OFFSET_COMMIT);
		see_offset(s, record, &key);
	}
}

/* ---- what the answers say ---- */

static void fence(struct sim *s, int group, const struct text *id)
{
	struct known *known = &s->known[group];

	assert_true(known->fenced_count < FENCED);
	known->fenced[known->fenced_count++] = *id;
	seen.fenced++;
}

static bool is_fenced(const struct sim *s, int group, const struct text *id)
{
	for (size_t i = 0; i < s->known[group].fenced_count; i++)
		if (!strcmp(s->known[group].fenced[i].data, id->data))
			return true;
	return false;
}

static void start_over(struct actor *a)
{
	a->state = OUT;
	a->id = (struct text){ { 0 } };
}

static void joined(struct sim *s, const struct waiting *q, const struct join_group_response *r)
{
	struct actor *a = q->actor < 0 ? NULL : &s->actor[q->actor];
	struct known *known = &s->known[q->group];

	if (r->error_code == WIRE_NONE) {
		assert_true(r->generation_id >= known->generation);
		assert_true(r->generation_id > 0);
		known->generation = r->generation_id;
		seen.joined++;
	}
	if (!a)
		return;
	if (r->error_code == WIRE_MEMBER_ID_REQUIRED) {
		assert_true(a->version >= 4 && !a->instance && r->member_id.size);
		a->state = OUT;
		a->id = text_of(r->member_id);
		return;
	}
	if (r->error_code) {
		start_over(a);
		return;
	}
	/* Whoever was this instance is so no more. */
	if (a->instance && a->id.data[0] && !str_eq(str_of(a->id.data), r->member_id))
		fence(s, a->group, &a->id);
	a->id = text_of(r->member_id);
	a->generation = r->generation_id;
	a->state = SYNCING;
	a->leads = r->members_count > 0 && !r->skip_assignment;
	a->member_count = 0;
	for (uint32_t i = 0; a->leads && i < r->members_count; i++)
		a->member[a->member_count++] = text_of(r->members[i].member_id);
	assert_int_equal(a->leads || r->skip_assignment, r->members_count > 0);
}

/* The assignment names the generation and the member; a static one may have had another id. */
static void synced(struct sim *s, const struct waiting *q, const struct sync_group_response *r)
{
	struct actor *a = q->actor < 0 ? NULL : &s->actor[q->actor];
	char got[130] = { 0 }, want[130];
	size_t size;

	if (r->error_code) {
		if (a && r->error_code != WIRE_REBALANCE_IN_PROGRESS)
			start_over(a);
		else if (a)
			a->state = OUT;
		return;
	}
	assert_true(r->assignment.size < sizeof(got));
	memcpy(got, r->assignment.data, r->assignment.size);
	if (!a)
		return;
	size = (size_t)snprintf(want, sizeof(want), "%d:%s", a->generation, a->id.data);
	if (a->instance)
		size -= 36;
	assert_int_equal(strncmp(got, want, size), 0);
	a->state = IN;
	seen.synced++;
}

static void forget_waiting(struct sim *s, size_t at)
{
	s->waiting[at] = s->waiting[--s->waiting_count];
}

/* After each step: who was answered, exactly who waits, and what was written. */
static void see(struct sim *s, enum group_event_type type)
{
	bool at_once = type < GROUP_TOPIC_DELETED && type != GROUP_JOIN && type != GROUP_SYNC;
	struct group_out out = s->w.out;

	see_records(s, type);
	for (size_t i = 0; i < out.answer_count; i++) {
		const struct group_answer *answer = &out.answer[i];
		struct waiting q;
		size_t at = 0;

		if (at_once && answer->token == (void *)s->w.last_token) {
			at_once = false;
			continue;
		}
		while (at < s->waiting_count && s->waiting[at].token != answer->token)
			at++;
		assert_true(at < s->waiting_count);
		q = s->waiting[at];
		assert_int_equal(q.type, answer->type);
		forget_waiting(s, at);
		if (q.type == GROUP_JOIN)
			joined(s, &q, answer->response);
		else
			synced(s, &q, answer->response);
	}
	assert_false(at_once);
}

static void see_waiting(struct sim *s, enum group_event_type type, int actor)
{
	struct actor *a = &s->actor[actor];

	assert_true(s->waiting_count < WAITING);
	s->waiting[s->waiting_count++] =
		(struct waiting){ (void *)s->w.last_token, type, actor, a->group, a->id };
	see(s, type);
}

/* ---- what members do ---- */

static void act_join(struct sim *s, int actor)
{
	struct actor *a = &s->actor[actor];
	struct joining j = { .version = a->version,
		             .group = group_name[a->group],
		             .member = a->id.data,
		             .instance = a->instance,
		             .session_ms = 10000,
		             .rebalance_ms = 20000 };

	/* A static member that crashed comes without its id; one that is sure of it, with it. */
	if (a->instance && below(s, 2))
		j.member = "";
	j.protocol[0] = below(s, 8) ? "range" : "sticky";
	j.protocol[1] = "sticky";
	a->state = JOINING;
	join(&s->w, j);
	see_waiting(s, GROUP_JOIN, actor);
}

static void act_sync(struct sim *s, int actor)
{
	struct actor *a = &s->actor[actor];
	struct sync_group_request_request_assignment assignment[ACTORS];
	char text[ACTORS][130];
	struct sync_group_request r;

	sync_group_request_init(&r);
	r.group_id = str_of(group_name[a->group]);
	r.member_id = str_of(a->id.data);
	r.group_instance_id = str_of(a->instance);
	r.generation_id = a->generation;
	r.assignments = assignment;
	for (uint32_t i = 0; a->leads && i < a->member_count; i++) {
		int size = snprintf(text[i], sizeof(text[i]), "%d:%s", a->generation,
		                    a->member[i].data);

		assignment[i] = (struct sync_group_request_request_assignment){
			str_of(a->member[i].data), { (uint8_t *)text[i], (size_t)size }
		};
		r.assignments_count++;
	}
	ask(&s->w, GROUP_SYNC, 4, &r);
	see_waiting(s, GROUP_SYNC, actor);
}

static void act_heartbeat(struct sim *s, struct actor *a, const struct text *id, int32_t generation)
{
	int16_t error = heartbeat(&s->w, group_name[a->group], id->data, a->instance, generation);

	see(s, GROUP_HEARTBEAT);
	if (!error || a->state != IN)
		return;
	if (error == WIRE_REBALANCE_IN_PROGRESS)
		a->state = OUT;
	else
		start_over(a);
}

static void act_commit(struct sim *s, const struct actor *a, const struct text *id,
                       int32_t generation)
{
	struct known *known = &s->known[a->group];
	struct committing c = { .group = group_name[a->group],
		                .member = id->data,
		                .instance = a->instance,
		                .generation = generation,
		                .topic = "t",
		                .partition = (int32_t)below(s, PARTITIONS),
		                .offset = (int64_t)below(s, 1000),
		                .version = 2 + (int)below(s, 8),
		                .topic_id = 1 };
	int64_t before = known->offset[c.partition];
	int16_t error;

	if (c.version < 7)
		c.instance = NULL;
	error = commit(&s->w, c);
	see(s, GROUP_OFFSET_COMMIT);
	if (error) {
		assert_int_equal(known->offset[c.partition], before);
		seen.refused++;
		return;
	}
	assert_int_equal(known->offset[c.partition], c.offset);
	if (generation < 0) { /* as an administrator commits, to a group without members */
		assert_int_equal(describe(&s->w, group_name[a->group])->members_count, 0);
		return;
	}
	seen.committed++;
	/* It may be one of which nobody heard who did not hang up. */
	assert_true(generation >= known->generation);
	known->generation = generation;
	assert_false(is_fenced(s, a->group, id));
}

static void act_leave(struct sim *s, struct actor *a)
{
	if (a->instance && below(s, 2))
		leave(&s->w, 3, group_name[a->group], "", a->instance);
	else
		leave(&s->w, a->instance ? 5 : (int)below(s, 6), group_name[a->group], a->id.data,
		      a->instance);
	see(s, GROUP_LEAVE);
	start_over(a);
}

/* It goes, and knows nothing when it comes back; sometimes the broker hears of it. */
static void act_crash(struct sim *s, int actor)
{
	for (size_t i = 0; i < s->waiting_count;) {
		struct group_detached detached = { s->waiting[i].token };

		if (s->waiting[i].actor != actor) {
			i++;
		} else if (below(s, 2)) {
			s->waiting[i++].actor = -1;
		} else {
			forget_waiting(s, i);
			step(&s->w,
			     (struct group_event){ .type = GROUP_DETACHED, .request = &detached });
			assert_int_equal(s->w.out.answer_count + s->w.out.record_count, 0);
			seen.detached++;
		}
	}
	start_over(&s->actor[actor]);
}

/* The same again, on another connection: the first one was lost. */
static void act_twice(struct sim *s, int actor)
{
	struct actor *a = &s->actor[actor];
	enum actor_state state = a->state;

	for (size_t i = 0; i < s->waiting_count; i++)
		if (s->waiting[i].actor == actor)
			s->waiting[i].actor = -1;
	if (state == JOINING && a->id.data[0])
		act_join(s, actor);
	else if (state == SYNCING)
		act_sync(s, actor);
	else if (state == JOINING)
		start_over(a); /* it has no id to come back with */
}

static bool waits(const struct sim *s, int actor)
{
	for (size_t i = 0; i < s->waiting_count; i++)
		if (s->waiting[i].actor == actor)
			return true;
	return false;
}

static void act(struct sim *s, int actor)
{
	struct actor *a = &s->actor[actor];
	struct text late = a->id;

	switch (below(s, 40)) {
	case 0:
		act_crash(s, actor);
		return;
	case 1:
		act_twice(s, actor);
		return;
	case 2:
		act_commit(s, a, &late, a->generation - 1);
		return;
	case 3: /* somebody else's */
		act_commit(s, a, &s->actor[below(s, ACTORS)].id, a->generation);
		return;
	case 4:
		if (s->known[a->group].fenced_count)
			act_commit(s, a,
			           &s->known[a->group]
			                    .fenced[below(s, s->known[a->group].fenced_count)],
			           a->generation);
		return;
	case 5:
		if (a->id.data[0] && !waits(s, actor))
			act_leave(s, a);
		return;
	default:
		break;
	}
	if (waits(s, actor))
		return;
	if (a->state == OUT)
		act_join(s, actor);
	else if (a->state == SYNCING)
		act_sync(s, actor);
	else if (below(s, 2))
		act_heartbeat(s, a, &late, a->generation);
	else
		act_commit(s, a, &late, a->generation);
}

/* ---- what else happens ---- */

static void time_passes(struct sim *s, uint64_t ms)
{
	uint64_t end_ms = s->w.mono_ms + ms;
	uint64_t wake_ms;

	/* Now and then the timer is late. */
	while (below(s, 4) && (wake_ms = group_shard_wake_ms(s->w.s)) <= end_ms) {
		if (wake_ms > s->w.mono_ms + 1) {
			pass(&s->w, wake_ms - 1 - s->w.mono_ms);
			assert_int_equal(s->w.out.answer_count + s->w.out.record_count, 0);
		}
		pass(&s->w, wake_ms > s->w.mono_ms ? wake_ms - s->w.mono_ms : 0);
		see(s, GROUP_TICK);
	}
	if (end_ms > s->w.mono_ms) {
		pass(&s->w, end_ms - s->w.mono_ms);
		see(s, GROUP_TICK);
	}
}

static void administrate(struct sim *s)
{
	static const struct group_topic gone = { { "t", 1 }, { { 1 } } };
	const char *group = group_name[below(s, GROUPS)];

	switch (below(s, 8)) {
	case 0:
		delete_group(&s->w, group);
		see(s, GROUP_DELETE);
		break;
	case 1:
		step(&s->w, (struct group_event){ .type = GROUP_TOPIC_DELETED, .request = &gone });
		see(s, GROUP_TOPIC_DELETED);
		break;
	case 2:
		list_groups_count(&s->w);
		see(s, GROUP_LIST);
		break;
	case 3:
		s->w.options.size_max = below(s, 2) ? 2 : INT32_MAX;
		group_shard_configure(s->w.s, &s->w.options);
		break;
	case 4:
		describe(&s->w, group);
		see(s, GROUP_DESCRIBE);
		break;
	default:
		leave(&s->w, 3, group, "", below(s, 2) ? "x" : "y");
		see(s, GROUP_LEAVE);
	}
}

/* What a group looks like as long as it is stable; empty when it is not. */
static struct buf looks(struct sim *s, int group)
{
	struct describe_groups_response_described_group d = *describe(&s->w, group_name[group]);
	struct describe_groups_response all = { .groups = &d, .groups_count = 1 };
	struct buf text = { 0 };

	if (str_eq(d.group_state, STR("Stable")))
		message_json(&describe_groups_response_message, 5, &all, &text);
	return text;
}

/* Another coordinator loads the log, or what a snapshot made of it; who waited must ask again. */
static void restart(struct sim *s)
{
	struct group_shard *next = NULL;
	struct buf before[GROUPS];

	seen.restarted++;
	for (int i = 0; i < GROUPS; i++)
		before[i] = looks(s, i);
	assert_log_is_state(&s->w);
	if (below(s, 2)) {
		next = replayed(&s->w);
	} else {
		struct lines l = lines_of(s->w.s);

		next = group_shard_new(&s->w.options);
		for (size_t i = 0; i < l.count; i++)
			assert_int_equal(group_shard_replay(next, &l.line[i], GROUP_NO_PRODUCER),
			                 0);
		lines_fini(&l);
	}
	group_shard_free(s->w.s);
	s->w.s = next;
	group_shard_loaded(next, s->w.mono_ms, s->w.wall_ms);
	for (int i = 0; i < ACTORS; i++)
		if (waits(s, i))
			s->actor[i].state = s->actor[i].state == JOINING ? OUT : SYNCING;
	s->waiting_count = 0;
	for (int i = 0; i < GROUPS; i++) {
		struct buf after = looks(s, i);

		if (before[i].size && after.size) { /* it may have to become smaller */
			assert_int_equal(before[i].size, after.size);
			assert_memory_equal(before[i].data, after.data, after.size);
		}
		buf_fini(&before[i]);
		buf_fini(&after);
		s->known[i].generation = s->known[i].stored;
		s->known[i].fenced_count = 0;
	}
}

static void check_offsets(struct sim *s)
{
	for (int i = 0; i < GROUPS; i++)
		for (int32_t p = 0; p < PARTITIONS; p++)
			assert_int_equal(committed(&s->w, group_name[i], "t", p),
			                 s->known[i].offset[p]);
}

/* All fall silent: whoever waits is answered, and in the end nobody is left. */
static void end(struct sim *s)
{
	uint64_t end_ms = s->w.mono_ms + 600000;

	while (group_shard_wake_ms(s->w.s) < end_ms) {
		uint64_t wake_ms = group_shard_wake_ms(s->w.s);

		pass(&s->w, wake_ms > s->w.mono_ms ? wake_ms - s->w.mono_ms : 0);
		see(s, GROUP_TICK);
	}
	assert_int_equal(s->waiting_count, 0);
	for (int i = 0; i < GROUPS; i++)
		assert_int_equal(describe(&s->w, group_name[i])->members_count, 0);
	check_offsets(s);
	assert_log_is_state(&s->w);
}

static uint64_t running; /* the seed; 0: none */

static int tell_seed(void **state)
{
	(void)state;
	if (running)
		print_message("seed %llu: SEED=%llu runs it alone\n", (unsigned long long)running,
		              (unsigned long long)running);
	return 0;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void random_members_keep_the_laws(void **state)
{
	uint64_t only = number_of("SEED", 0);
	uint64_t count = only ? only : number_of("SEEDS", 100);

	(void)state;
	for (uint64_t seed = only ? only : 1; seed <= count; seed++) {
		struct sim *s = mem_zalloc(sizeof(*s));

		running = seed;
		world_init(&s->w, seed);
		s->w.options.offsets_retention_ms = 50000;
		s->w.options.retention_check_ms = 20000;
		group_shard_configure(s->w.s, &s->w.options);
		for (int i = 0; i < ACTORS; i++)
			s->actor[i] = (struct actor){
				.group = i % GROUPS,
				.instance = i >= 6   ? "x"
				            : i == 3 ? "y"
				                     : NULL,
				.version = (int)below(s, 10),
			};
		for (int i = 0; i < ACTORS; i++)
			if (s->actor[i].instance)
				s->actor[i].version = 5 + s->actor[i].version % 5;
		for (int i = 0; i < GROUPS; i++)
			for (int p = 0; p < PARTITIONS; p++)
				s->known[i].offset[p] = -1;
		for (int i = 0; i < STEPS; i++) {
			if (!below(s, 8))
				time_passes(s, below(s, below(s, 20) ? 3000 : 100000));
			else if (!below(s, 50))
				administrate(s);
			else if (!below(s, 150))
				restart(s);
			else
				act(s, (int)below(s, ACTORS));
			if (!below(s, 20))
				check_offsets(s);
		}
		end(s);
		world_fini(&s->w);
		mem_free(s);
	}
	running = 0;
	if (only)
		return;
	print_message("%llu seeds: joined %u, synced %u, fenced %u, committed %u, refused %u, "
	              "detached %u, restarted %u\n",
	              (unsigned long long)count, seen.joined, seen.synced, seen.fenced,
	              seen.committed, seen.refused, seen.detached, seen.restarted);
	assert_true(seen.joined && seen.synced && seen.fenced && seen.committed && seen.refused &&
	            seen.detached && seen.restarted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(random_members_keep_the_laws, tell_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
