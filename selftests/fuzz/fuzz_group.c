/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "core/group.h"
#include "wire/describe_groups.h"
#include "wire/heartbeat.h"
#include "wire/join_group.h"
#include "wire/leave_group.h"
#include "wire/list_groups.h"
#include "wire/offset_commit.h"
#include "wire/offset_delete.h"
#include "wire/offset_fetch.h"
#include "wire/sync_group.h"

/*
 * Any bytes as what happens to a coordinator of groups: records to replay, requests of any version,
 * time, callers that hang up, a coordinator that takes over.  What it is asked it answers once, in
 * a form that can be sent; what it says are its records makes the same number of records elsewhere.
 *
 * A member id of one byte stands for one that the coordinator gave out, or bytes could never make
 * their way into a group.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IDS = 8, WAITING = 64, STEPS_MAX = 200 };

struct fuzz {
	struct reader in;
	struct group_shard *s;
	struct group_options options;
	struct arena arena;
	uint64_t mono_ms;
	int64_t wall_ms;
	struct str id[IDS]; /* owned */
	uint32_t id_count;
	void *waiting[WAITING];
	size_t waiting_count;
	uintptr_t last_token;
	uint64_t random;
};

static void random_of(void *arg, void *out, size_t size)
{
	struct fuzz *f = arg;

	memset(out, 0, size);
	f->random++;
	memcpy(out, &f->random, sizeof(f->random));
}

static struct span take(struct fuzz *f, size_t max)
{
	size_t size = (uint16_t)reader_i16(&f->in) % max;
	const uint8_t *at;

	if (size > reader_left(&f->in))
		size = reader_left(&f->in);
	at = reader_take(&f->in, size);
	return (struct span){ at, at ? size : 0 };
}

/* ---- what it says ---- */

static void meet(const struct message *m, int16_t version, const void *response)
{
	struct buf buf = { 0 };
	struct writer w = writer_of(&buf);

	check(!message_unsupported(m, version, response));
	message_encode(m, version, &w, response);
	check(buf.size == message_size(m, version, response));
	buf_fini(&buf);
}

static void remember(struct fuzz *f, struct str id)
{
	struct str *to = &f->id[f->id_count++ % IDS];

	mem_free((void *)to->data);
	*to = (struct str){ id.size ? mem_dup(id.data, id.size) : NULL, id.size };
}

static void see_answer(struct fuzz *f, const struct group_answer *a)
{
	struct describe_groups_response described = { .groups = (void *)a->response,
		                                      .groups_count = 1 };
	struct offset_fetch_response fetched = { .groups = (void *)a->response, .groups_count = 1 };
	static const struct message *const plain[] = {
		[GROUP_JOIN] = &join_group_response_message,
		[GROUP_SYNC] = &sync_group_response_message,
		[GROUP_HEARTBEAT] = &heartbeat_response_message,
		[GROUP_LEAVE] = &leave_group_response_message,
		[GROUP_OFFSET_COMMIT] = &offset_commit_response_message,
		[GROUP_OFFSET_DELETE] = &offset_delete_response_message,
		[GROUP_LIST] = &list_groups_response_message,
	};
	size_t at = 0;

	while (at < f->waiting_count && f->waiting[at] != a->token)
		at++;
	check(at < f->waiting_count);
	f->waiting[at] = f->waiting[--f->waiting_count];
	if (a->type == GROUP_JOIN)
		remember(f, ((const struct join_group_response *)a->response)->member_id);
	if (a->type == GROUP_OFFSET_FETCH)
		meet(&offset_fetch_response_message, a->version, &fetched);
	else if (a->type == GROUP_DESCRIBE)
		meet(&describe_groups_response_message, a->version, &described);
	else if (a->type != GROUP_DELETE)
		meet(plain[a->type], a->version, a->response);
}

static void step(struct fuzz *f, struct group_event event)
{
	struct group_out out;

	event.mono_ms = f->mono_ms;
	event.wall_ms = f->wall_ms;
	event.client_id = STR("c");
	event.client_host = STR("/h");
	if (event.type < GROUP_TOPIC_DELETED) {
		if (f->waiting_count == WAITING)
			return;
		event.token = (void *)++f->last_token;
		f->waiting[f->waiting_count++] = event.token;
	}
	group_shard_step(f->s, &event, &f->arena, &out);
	for (size_t i = 0; i < out.answer_count; i++)
		see_answer(f, &out.answer[i]);
	for (size_t i = 0; i < out.record_count; i++) /* it believes itself */
		check(out.record[i].key.size > 2);
	arena_reset(&f->arena);
}

/* ---- what happens ---- */

static void replay(struct fuzz *f)
{
	struct group_record r;
	int64_t producer_id = (int64_t)reader_u8(&f->in) % 4 - 1;
	int err;

	r.key = take(f, 64);
	r.value = take(f, 512);
	if (!r.value.size)
		r.value.data = NULL;
	err = group_shard_replay(f->s, &r, producer_id);
	check(!err || err == -EBADMSG);
}

static void name_member(struct fuzz *f, struct str *id)
{
	if (id->size == 1 && f->id[(uint8_t)id->data[0] % IDS].size)
		*id = f->id[(uint8_t)id->data[0] % IDS];
}

static void name_members(struct fuzz *f, enum group_event_type type, void *request)
{
	struct leave_group_request *leave = request;
	struct sync_group_request *sync = request;

	switch (type) {
	case GROUP_JOIN:
		name_member(f, &((struct join_group_request *)request)->member_id);
		break;
	case GROUP_SYNC:
		name_member(f, &sync->member_id);
		for (uint32_t i = 0; i < sync->assignments_count; i++)
			name_member(f, &sync->assignments[i].member_id);
		break;
	case GROUP_HEARTBEAT:
		name_member(f, &((struct heartbeat_request *)request)->member_id);
		break;
	case GROUP_LEAVE:
		name_member(f, &leave->member_id);
		for (uint32_t i = 0; i < leave->members_count; i++)
			name_member(f, &leave->members[i].member_id);
		break;
	case GROUP_OFFSET_COMMIT:
		name_member(f, &((struct offset_commit_request *)request)->member_id);
		break;
	default:
		break;
	}
}

/* One of the requests that are messages of their own. */
static void request(struct fuzz *f, enum group_event_type type)
{
	static const struct message *const of[] = {
		[GROUP_JOIN] = &join_group_request_message,
		[GROUP_SYNC] = &sync_group_request_message,
		[GROUP_HEARTBEAT] = &heartbeat_request_message,
		[GROUP_LEAVE] = &leave_group_request_message,
		[GROUP_OFFSET_COMMIT] = &offset_commit_request_message,
		[GROUP_OFFSET_FETCH] = &offset_fetch_request_message,
		[GROUP_OFFSET_DELETE] = &offset_delete_request_message,
		[GROUP_LIST] = &list_groups_request_message,
	};
	const struct message *m = of[type];
	int16_t version = (int16_t)(m->min + reader_u8(&f->in) % (m->max - m->min + 1));
	struct span bytes = take(f, 512);
	struct reader r = reader_of(bytes.data, bytes.size);
	void *body = arena_alloc(&f->arena, m->size);
	struct offset_fetch_request *fetch = body;

	if (type == GROUP_OFFSET_FETCH && version < 8)
		version = 8; /* the caller makes the older form into this one */
	if (message_decode(m, version, &r, &f->arena, body))
		return;
	name_members(f, type, body);
	if (type != GROUP_OFFSET_FETCH) {
		step(f, (struct group_event){ .type = type, .version = version, .request = body });
		return;
	}
	if (fetch->groups_count)
		step(f, (struct group_event){ .type = type,
		                              .version = version,
		                              .request = &fetch->groups[0],
		                              .require_stable = fetch->require_stable });
}

static void by_name(struct fuzz *f, enum group_event_type type)
{
	struct span name = take(f, 8);
	struct str id = { (const char *)name.data, (uint32_t)name.size };
	struct group_topic topic = { id, UUID_ZERO };
	struct group_detached gone = { NULL };

	if (type == GROUP_DETACHED) {
		if (!f->waiting_count)
			return;
		gone.token = f->waiting[--f->waiting_count];
		step(f, (struct group_event){ .type = type, .request = &gone });
	} else if (type == GROUP_TOPIC_DELETED) {
		step(f, (struct group_event){ .type = type, .request = &topic });
	} else {
		step(f, (struct group_event){ .type = type,
		                              .version = type == GROUP_DESCRIBE ? 6 : 2,
		                              .request = &id });
	}
}

static void on_record(void *arg, const struct group_record *record)
{
	check(!group_shard_replay(arg, record, GROUP_NO_PRODUCER));
}

/* Another one takes over from what this one says its records are. */
static void take_over(struct fuzz *f)
{
	struct group_shard *next = group_shard_new(&f->options);

	group_shard_snapshot(f->s, on_record, next);
	check(group_shard_record_count(next) == group_shard_record_count(f->s));
	group_shard_free(f->s);
	f->s = next;
	f->waiting_count = 0;
	group_shard_loaded(next, f->mono_ms, f->wall_ms);
}

static void tick(struct fuzz *f)
{
	uint32_t ms = (uint32_t)reader_i32(&f->in) % 4000000;

	f->mono_ms += ms;
	f->wall_ms += ms;
	step(f, (struct group_event){ .type = GROUP_TICK });
}

static void happen(struct fuzz *f)
{
	enum { REPLAY = GROUP_DETACHED + 1, TAKE_OVER, MARKER, HAPPENINGS };
	int type = reader_u8(&f->in) % HAPPENINGS;

	switch (type) {
	case GROUP_DESCRIBE:
	case GROUP_DELETE:
	case GROUP_TOPIC_DELETED:
	case GROUP_DETACHED:
		by_name(f, (enum group_event_type)type);
		break;
	case GROUP_TICK:
		tick(f);
		break;
	case REPLAY:
		replay(f);
		break;
	case TAKE_OVER:
		take_over(f);
		break;
	case MARKER:
		group_shard_replay_marker(f->s, (int64_t)reader_u8(&f->in) % 3,
		                          reader_u8(&f->in) % 2);
		break;
	default:
		request(f, (enum group_event_type)type);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { .in = reader_of(data, size), .mono_ms = 1, .wall_ms = 1700000000000 };

	f.options = (struct group_options){
		.session_ms_min = 1,
		.session_ms_max = 1800000,
		.initial_rebalance_delay_ms = size % 2 ? 3000 : 0,
		.size_max = 3,
		.offset_metadata_max = 16,
		.batch_bytes_max = 2000,
		.offsets_retention_ms = 1000000,
		.retention_check_ms = 100000,
		.random = random_of,
		.random_arg = &f,
	};
	arena_init(&f.arena, SIZE_MAX);
	f.s = group_shard_new(&f.options);
	for (int i = reader_u8(&f.in) % 8; i > 0; i--)
		replay(&f);
	group_shard_loaded(f.s, f.mono_ms, f.wall_ms);
	for (int i = 0; i < STEPS_MAX && reader_left(&f.in) && !f.in.err; i++)
		happen(&f);
	group_shard_free(f.s);
	arena_fini(&f.arena);
	for (int i = 0; i < IDS; i++)
		mem_free((void *)f.id[i].data);
	return 0;
}
