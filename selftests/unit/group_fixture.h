/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GROUP_FIXTURE_H
#define GROUP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "core/group.h"
#include "wire/describe_groups.h"
#include "wire/errors.h"
#include "wire/group_records.h"
#include "wire/heartbeat.h"
#include "wire/join_group.h"
#include "wire/leave_group.h"
#include "wire/list_groups.h"
#include "wire/offset_commit.h"
#include "wire/offset_delete.h"
#include "wire/offset_fetch.h"
#include "wire/sync_group.h"

/* ---- a world with one shard, its log, and what it is asked ---- */

enum { DAY_MS = 24 * 60 * 60 * 1000 };

struct world {
	struct group_shard *s;
	struct group_options options;
	struct arena arena; /* of the last step */
	struct group_out out;
	struct group_record *log;
	size_t log_count;
	size_t log_capacity;
	uint64_t mono_ms;
	int64_t wall_ms;
	uintptr_t last_token;
	struct prng prng;
	uint8_t next_id[16]; /* of the next member, unless zero */
	const char *client_id;
};

static void random_of(void *arg, void *out, size_t size)
{
	struct world *w = arg;
	uint8_t *p = out;

	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)prng_next(&w->prng);
	if (size == sizeof(w->next_id) && w->next_id[6])
		memcpy(out, w->next_id, size);
	memset(w->next_id, 0, sizeof(w->next_id));
}

static inline void world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){
		.prng = { seed },
		.mono_ms = 1000,
		.wall_ms = 1700000000000,
		.client_id = "client",
		.options = {
			.session_ms_min = 6000,
			.session_ms_max = 1800000,
			.initial_rebalance_delay_ms = 3000,
			.size_max = INT32_MAX,
			.offset_metadata_max = 4096,
			.batch_bytes_max = 1048588,
			.offsets_retention_ms = 7 * (int64_t)DAY_MS,
			.retention_check_ms = 600000,
			.random = random_of,
			.random_arg = w,
		},
	};
	arena_init(&w->arena, SIZE_MAX);
	w->s = group_shard_new(&w->options);
	group_shard_loaded(w->s, w->mono_ms, w->wall_ms);
}

static inline void world_fini(struct world *w)
{
	for (size_t i = 0; i < w->log_count; i++) {
		mem_free((void *)w->log[i].key.data);
		mem_free((void *)w->log[i].value.data);
	}
	mem_free(w->log);
	group_shard_free(w->s);
	arena_fini(&w->arena);
}

static inline struct span span_copy(struct span s)
{
	return (struct span){ s.data ? mem_dup(s.data, s.size) : NULL, s.size };
}

static inline void assert_encodes(const struct message *m, int16_t version, const void *response)
{
	struct buf buf = { 0 };
	struct writer writer = writer_of(&buf);
	struct reader reader;
	struct arena arena;
	void *again;

	arena_init(&arena, SIZE_MAX);
	again = arena_alloc(&arena, m->size);
	assert_null(message_unsupported(m, version, response));
	message_encode(m, version, &writer, response);
	reader = reader_of(buf.data, buf.size);
	assert_int_equal(message_decode(m, version, &reader, &arena, again), 0);
	assert_int_equal(reader_left(&reader), 0);
	buf_fini(&buf);
	arena_fini(&arena);
}

/* An answer is as its version has it: what must not be null is not. */
static inline void assert_is_encodable(const struct group_answer *answer)
{
	static const struct message *const of[] = {
		[GROUP_JOIN] = &join_group_response_message,
		[GROUP_SYNC] = &sync_group_response_message,
		[GROUP_HEARTBEAT] = &heartbeat_response_message,
		[GROUP_LEAVE] = &leave_group_response_message,
		[GROUP_OFFSET_COMMIT] = &offset_commit_response_message,
		[GROUP_OFFSET_DELETE] = &offset_delete_response_message,
		[GROUP_LIST] = &list_groups_response_message,
	};
	struct describe_groups_response described = { .groups_count = 1 };
	struct offset_fetch_response fetched = { .groups_count = 1 };

	if (answer->type == GROUP_OFFSET_FETCH && answer->version >= 8) {
		fetched.groups = (void *)answer->response;
		assert_encodes(&offset_fetch_response_message, answer->version, &fetched);
	} else if (answer->type == GROUP_DESCRIBE) {
		described.groups = (void *)answer->response;
		assert_encodes(&describe_groups_response_message, answer->version, &described);
	} else if (answer->type < array_count(of) && of[answer->type]) {
		assert_encodes(of[answer->type], answer->version, answer->response);
	}
}

static inline void step(struct world *w, struct group_event event)
{
	event.mono_ms = w->mono_ms;
	event.wall_ms = w->wall_ms;
	event.client_id = str_of(w->client_id);
	event.client_host = STR("/127.0.0.1");
	arena_reset(&w->arena);
	group_shard_step(w->s, &event, &w->arena, &w->out);
	for (size_t i = 0; i < w->out.answer_count; i++)
		assert_is_encodable(&w->out.answer[i]);
	for (size_t i = 0; i < w->out.record_count; i++) {
		w->log = mem_grow(w->log, w->log_count, &w->log_capacity, sizeof(*w->log));
		w->log[w->log_count++] = (struct group_record){ span_copy(w->out.record[i].key),
			                                        span_copy(w->out.record[i].value) };
	}
}

static inline void *ask(struct world *w, enum group_event_type type, int version,
                        const void *request)
{
	void *token = (void *)++w->last_token;

	step(w, (struct group_event){ .type = type,
	                              .version = (int16_t)version,
	                              .request = request,
	                              .token = token });
	return token;
}

static inline void pass(struct world *w, uint64_t ms)
{
	w->mono_ms += ms;
	w->wall_ms += (int64_t)ms;
	step(w, (struct group_event){ .type = GROUP_TICK });
}

/* The answer that the last step gave to a request; NULL: none. */
static inline const void *answer_to(struct world *w, const void *token)
{
	const void *found = NULL;

	for (size_t i = 0; i < w->out.answer_count; i++)
		if (w->out.answer[i].token == token) {
			assert_null(found);
			found = w->out.answer[i].response;
		}
	return found;
}

static inline const struct join_group_response *join_answer(struct world *w, const void *token)
{
	const struct join_group_response *r = answer_to(w, token);

	assert_non_null(r);
	return r;
}

static inline const struct sync_group_response *sync_answer(struct world *w, const void *token)
{
	const struct sync_group_response *r = answer_to(w, token);

	assert_non_null(r);
	return r;
}

static inline void assert_str(struct str got, const char *want)
{
	if (got.size != strlen(want) || (got.size && memcmp(got.data, want, got.size))) {
		print_message("got \"%.*s\", wanted \"%s\"\n", STR_ARG(got), want);
		fail();
	}
}

/* Strings that outlive a step. */
struct text {
	char data[100];
};

static inline struct text text_of(struct str s)
{
	struct text t = { { 0 } };

	assert_true(s.size < sizeof(t.data));
	if (s.size)
		memcpy(t.data, s.data, s.size);
	return t;
}

/* ---- requests ---- */

struct joining {
	int version;
	const char *group;
	const char *member;
	const char *instance;
	const char *type;        /* "consumer" when NULL */
	const char *protocol[3]; /* "range" when there is none */
	struct span metadata;    /* of each */
	int32_t session_ms;      /* 10000 when 0 */
	int32_t rebalance_ms;    /* 60000 when 0 */
};

static inline void *join(struct world *w, struct joining j)
{
	struct join_group_request_request_protocol protocol[3];
	struct join_group_request r;

	join_group_request_init(&r);
	r.group_id = str_of(j.group);
	r.member_id = str_of(j.member ? j.member : "");
	r.group_instance_id = str_of(j.instance);
	r.protocol_type = str_of(j.type ? j.type : "consumer");
	r.session_timeout_ms = j.session_ms ? j.session_ms : 10000;
	r.rebalance_timeout_ms = j.rebalance_ms ? j.rebalance_ms : 60000;
	if (!j.protocol[0])
		j.protocol[0] = "range";
	for (r.protocols_count = 0; r.protocols_count < 3 && j.protocol[r.protocols_count];
	     r.protocols_count++)
		protocol[r.protocols_count] = (struct join_group_request_request_protocol){
			str_of(j.protocol[r.protocols_count]), j.metadata
		};
	r.protocols = protocol;
	return ask(w, GROUP_JOIN, j.version, &r);
}

struct syncing {
	int version;
	const char *group;
	const char *member;
	const char *instance;
	int32_t generation;
	const char *to[4]; /* the leader: who gets an assignment, */
	const char *what[4];
	const char *type; /* of version 5 */
	const char *protocol;
};

static inline void *sync_group(struct world *w, struct syncing y)
{
	struct sync_group_request_request_assignment assignment[4];
	struct sync_group_request r;

	sync_group_request_init(&r);
	r.group_id = str_of(y.group);
	r.member_id = str_of(y.member);
	r.group_instance_id = str_of(y.instance);
	r.generation_id = y.generation;
	r.protocol_type = str_of(y.type);
	r.protocol_name = str_of(y.protocol);
	for (r.assignments_count = 0; r.assignments_count < 4 && y.to[r.assignments_count];
	     r.assignments_count++) {
		const char *what = y.what[r.assignments_count];

		assignment[r.assignments_count] = (struct sync_group_request_request_assignment){
			str_of(y.to[r.assignments_count]),
			{ (const uint8_t *)what, strlen(what) },
		};
	}
	r.assignments = assignment;
	return ask(w, GROUP_SYNC, y.version, &r);
}

static inline int16_t heartbeat(struct world *w, const char *group, const char *member,
                                const char *instance, int32_t generation)
{
	struct heartbeat_request r;
	const struct heartbeat_response *answer;

	heartbeat_request_init(&r);
	r.group_id = str_of(group);
	r.member_id = str_of(member);
	r.group_instance_id = str_of(instance);
	r.generation_id = generation;
	answer = answer_to(w, ask(w, GROUP_HEARTBEAT, 4, &r));
	assert_non_null(answer);
	return answer->error_code;
}

/* Of one member; its error. */
static inline int16_t leave(struct world *w, int version, const char *group, const char *member,
                            const char *instance)
{
	struct leave_group_request_member_identity who = { .member_id = str_of(member),
		                                           .group_instance_id = str_of(instance) };
	const struct leave_group_response *answer;
	struct leave_group_request r;

	leave_group_request_init(&r);
	r.group_id = str_of(group);
	r.member_id = str_of(member);
	r.members = &who;
	r.members_count = 1;
	answer = answer_to(w, ask(w, GROUP_LEAVE, version, &r));
	assert_non_null(answer);
	if (version < 3 || answer->error_code) {
		assert_int_equal(answer->members_count, 0);
		return answer->error_code;
	}
	assert_int_equal(answer->members_count, 1);
	return answer->members[0].error_code;
}

struct committing {
	int version; /* 9 when 0 */
	const char *group;
	const char *member;
	const char *instance;
	int32_t generation;
	const char *topic;
	int32_t partition;
	int64_t offset;
	const char *metadata;
	int64_t retention_ms;
	uint8_t topic_id; /* its first byte */
};

static inline int16_t commit(struct world *w, struct committing c)
{
	struct offset_commit_request_request_partition partition = {
		.partition_index = c.partition,
		.committed_offset = c.offset,
		.committed_leader_epoch = -1,
		.committed_metadata = str_of(c.metadata),
	};
	struct offset_commit_request_request_topic topic = {
		.name = str_of(c.topic),
		.topic_id = { { c.topic_id } },
		.partitions = &partition,
		.partitions_count = 1,
	};
	const struct offset_commit_response *answer;
	struct offset_commit_request r;

	offset_commit_request_init(&r);
	r.group_id = str_of(c.group);
	r.member_id = str_of(c.member ? c.member : "");
	r.group_instance_id = str_of(c.instance);
	r.generation_id_or_member_epoch = c.generation;
	r.topics = &topic;
	r.topics_count = 1;
	if (c.retention_ms)
		r.retention_time_ms = c.retention_ms;
	answer = answer_to(w, ask(w, GROUP_OFFSET_COMMIT, c.version ? c.version : 9, &r));
	assert_non_null(answer);
	assert_int_equal(answer->topics_count, 1);
	assert_int_equal(answer->topics[0].partitions_count, 1);
	assert_int_equal(answer->topics[0].partitions[0].partition_index, c.partition);
	return answer->topics[0].partitions[0].error_code;
}

static inline const struct offset_fetch_response_response_group *
fetch(struct world *w, const char *group, const char *topic, int32_t partition)
{
	struct offset_fetch_request_request_topics wanted = { .name = str_of(topic),
		                                              .partition_indexes = &partition,
		                                              .partition_indexes_count = 1 };
	struct offset_fetch_request_request_group r = { .group_id = str_of(group),
		                                        .member_epoch = -1,
		                                        .topics = topic ? &wanted : NULL,
		                                        .topics_count = !!topic };
	const struct offset_fetch_response_response_group *answer =
		answer_to(w, ask(w, GROUP_OFFSET_FETCH, 9, &r));

	assert_non_null(answer);
	assert_str(answer->group_id, group);
	return answer;
}

/* -1: none. */
static inline int64_t committed(struct world *w, const char *group, const char *topic,
                                int32_t partition)
{
	const struct offset_fetch_response_response_group *r = fetch(w, group, topic, partition);

	assert_int_equal(r->error_code, 0);
	assert_int_equal(r->topics_count, 1);
	assert_int_equal(r->topics[0].partitions_count, 1);
	assert_int_equal(r->topics[0].partitions[0].error_code, 0);
	return r->topics[0].partitions[0].committed_offset;
}

static inline const struct describe_groups_response_described_group *describe(struct world *w,
                                                                              const char *group)
{
	struct str id = str_of(group);
	const struct describe_groups_response_described_group *answer =
		answer_to(w, ask(w, GROUP_DESCRIBE, 6, &id));

	assert_non_null(answer);
	return answer;
}

static inline void assert_state(struct world *w, const char *group, const char *state)
{
	assert_str(describe(w, group)->group_state, state);
}

static inline uint32_t list_groups_count(struct world *w)
{
	struct list_groups_request r = { 0 };
	const struct list_groups_response *answer = answer_to(w, ask(w, GROUP_LIST, 5, &r));

	assert_non_null(answer);
	return answer->groups_count;
}

static inline int16_t delete_group(struct world *w, const char *group)
{
	struct str id = str_of(group);
	const int16_t *answer = answer_to(w, ask(w, GROUP_DELETE, 2, &id));

	assert_non_null(answer);
	return *answer;
}

/* ---- the log and the state say the same ---- */

struct lines {
	struct group_record *line;
	size_t count;
	size_t capacity;
};

static inline void lines_add(void *arg, const struct group_record *record)
{
	struct lines *l = arg;

	l->line = mem_grow(l->line, l->count, &l->capacity, sizeof(*l->line));
	l->line[l->count++] =
		(struct group_record){ span_copy(record->key), span_copy(record->value) };
}

static inline int span_cmp(struct span a, struct span b)
{
	int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static inline int line_cmp(const void *a, const void *b)
{
	return span_cmp(((const struct group_record *)a)->key,
	                ((const struct group_record *)b)->key);
}

static inline struct lines lines_of(const struct group_shard *s)
{
	struct lines l = { 0 };

	group_shard_snapshot(s, lines_add, &l);
	assert_int_equal(l.count, group_shard_record_count(s));
	if (l.count)
		qsort(l.line, l.count, sizeof(*l.line), line_cmp);
	return l;
}

static inline void lines_fini(struct lines *l)
{
	for (size_t i = 0; i < l->count; i++) {
		mem_free((void *)l->line[i].key.data);
		mem_free((void *)l->line[i].value.data);
	}
	mem_free(l->line);
}

static inline void assert_same_state(const struct group_shard *a, const struct group_shard *b)
{
	struct lines x = lines_of(a), y = lines_of(b);

	assert_int_equal(x.count, y.count);
	for (size_t i = 0; i < x.count; i++) {
		assert_int_equal(span_cmp(x.line[i].key, y.line[i].key), 0);
		assert_int_equal(span_cmp(x.line[i].value, y.line[i].value), 0);
	}
	lines_fini(&x);
	lines_fini(&y);
}

/* What another coordinator makes of the log; and of the snapshot of the state. */
static inline struct group_shard *replayed(struct world *w)
{
	struct group_shard *s = group_shard_new(&w->options);

	for (size_t i = 0; i < w->log_count; i++)
		assert_int_equal(group_shard_replay(s, &w->log[i], GROUP_NO_PRODUCER), 0);
	return s;
}

static inline void assert_log_is_state(struct world *w)
{
	struct group_shard *from_log = replayed(w);
	struct group_shard *from_snapshot = group_shard_new(&w->options);
	struct lines l = lines_of(w->s);

	for (size_t i = 0; i < l.count; i++)
		assert_int_equal(group_shard_replay(from_snapshot, &l.line[i], GROUP_NO_PRODUCER),
		                 0);
	assert_same_state(w->s, from_log);
	assert_same_state(w->s, from_snapshot);
	lines_fini(&l);
	group_shard_free(from_log);
	group_shard_free(from_snapshot);
}

/* ---- a group of members, each with what it was last told ---- */

struct party {
	uint32_t count;
	int32_t generation;
	struct text id[4]; /* the first one leads */
};

/* A member that has its id, waiting to join. */
static inline void *knock(struct world *w, struct joining j, struct text *id)
{
	const struct join_group_response *r;
	void *token;

	j.version = 9;
	token = join(w, j);
	r = answer_to(w, token);
	if (!r)
		return token;
	assert_int_equal(r->error_code, WIRE_MEMBER_ID_REQUIRED);
	*id = text_of(r->member_id);
	j.member = id->data;
	return join(w, j);
}

static inline void sync_all(struct world *w, struct party *p, const char *group)
{
	struct syncing y = { .group = group, .generation = p->generation };
	void *token[4];

	for (uint32_t i = 1; i < p->count; i++) {
		y.member = p->id[i].data;
		token[i] = sync_group(w, y);
		assert_null(answer_to(w, token[i]));
	}
	for (uint32_t i = 0; i < p->count; i++) {
		y.to[i] = p->id[i].data;
		y.what[i] = p->id[i].data;
	}
	y.member = p->id[0].data;
	token[0] = sync_group(w, y);
	for (uint32_t i = 0; i < p->count; i++) {
		const struct sync_group_response *r = sync_answer(w, token[i]);

		assert_int_equal(r->error_code, 0);
		assert_str((struct str){ (const char *)r->assignment.data,
		                         (uint32_t)r->assignment.size },
		           p->id[i].data);
	}
}

/* A stable group of `count` members, from nothing. */
static inline struct party form(struct world *w, struct joining j, uint32_t count)
{
	struct party p = { .count = count };
	void *token[4];

	for (uint32_t i = 0; i < count; i++)
		token[i] = knock(w, j, &p.id[i]);
	pass(w, 3000);
	if (count > 1) /* it waited for more */
		pass(w, 3000);
	for (uint32_t i = 0; i < count; i++) {
		const struct join_group_response *r = join_answer(w, token[i]);

		assert_int_equal(r->error_code, 0);
		if (!p.id[i].data[0]) /* a static member learns it only now */
			p.id[i] = text_of(r->member_id);
		assert_str(r->leader, p.id[0].data);
		assert_str(r->member_id, p.id[i].data);
		assert_int_equal(r->members_count, i ? 0 : count);
		p.generation = r->generation_id;
	}
	sync_all(w, &p, j.group);
	assert_state(w, j.group, "Stable");
	return p;
}

static inline void *rejoin(struct world *w, const char *group, const struct text *id)
{
	return join(w, (struct joining){ .version = 9, .group = group, .member = id->data });
}

static inline int16_t join_error(struct world *w, struct joining j)
{
	return join_answer(w, join(w, j))->error_code;
}

static inline int16_t sync_error(struct world *w, struct syncing y)
{
	return sync_answer(w, sync_group(w, y))->error_code;
}

#endif
