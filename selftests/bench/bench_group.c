/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the coordinator of groups costs, without the way to it: heartbeats and commits of 1,000
 * groups of 10 members, and rebalances of large groups.  `bench_group NAME` runs one of them only
 * (under callgrind, say).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/prng.h"
#include "core/group.h"
#include "wire/heartbeat.h"
#include "wire/join_group.h"
#include "wire/offset_commit.h"
#include "wire/sync_group.h"

enum { GROUPS = 1000, MEMBERS = 10, ROUNDS = 200000, METADATA_SIZE = 200, MEMBERS_MAX = 1000 };

struct bench {
	struct group_shard *s;
	struct arena arena;
	struct group_out out;
	struct prng prng;
	uint64_t mono_ms;
	uintptr_t last_token;
	struct str id[GROUPS * MEMBERS]; /* by group */
	int32_t generation[GROUPS];
};

static uint8_t metadata[METADATA_SIZE] = { 0, 1, 0, 0, 0, 1, 0, 5, 't', 'o', 'p', 'i', 'c' };

static void random_of(void *arg, void *out, size_t size)
{
	struct bench *b = arg;
	uint64_t words[2] = { prng_next(&b->prng), prng_next(&b->prng) };

	memcpy(out, words, size < sizeof(words) ? size : sizeof(words));
}

static struct bench *bench_new(void)
{
	struct bench *b = mem_zalloc(sizeof(*b));
	struct group_options options = {
		.session_ms_min = 6000,
		.session_ms_max = 1800000,
		.size_max = INT32_MAX,
		.offset_metadata_max = 4096,
		.batch_bytes_max = 1 << 30,
		.offsets_retention_ms = INT64_C(7) * 24 * 3600 * 1000,
		.retention_check_ms = 600000,
		.random = random_of,
		.random_arg = b,
	};

	arena_init(&b->arena, SIZE_MAX);
	b->s = group_shard_new(&options);
	group_shard_loaded(b->s, 0, 1700000000000);
	return b;
}

static void bench_free(struct bench *b)
{
	for (size_t i = 0; i < GROUPS * MEMBERS; i++)
		mem_free((void *)b->id[i].data);
	group_shard_free(b->s);
	arena_fini(&b->arena);
	mem_free(b);
}

static void step(struct bench *b, enum group_event_type type, int16_t version, const void *request)
{
	struct group_event event = {
		.type = type,
		.version = version,
		.request = request,
		.token = (void *)++b->last_token,
		.client_id = STR("consumer"),
		.client_host = STR("/127.0.0.1"),
		.mono_ms = b->mono_ms,
		.wall_ms = 1700000000000 + (int64_t)b->mono_ms,
	};

	arena_reset(&b->arena);
	group_shard_step(b->s, &event, &b->arena, &b->out);
}

static struct str group_id(uint32_t i, char text[32])
{
	return (struct str){ text, (uint32_t)snprintf(text, 32, "a-group-with-a-name-%u", i) };
}

/* ---- what is measured ---- */

static void join(struct bench *b, uint32_t group, struct str member_id)
{
	struct join_group_request_request_protocol protocol = { STR("range"),
		                                                { metadata, METADATA_SIZE } };
	struct join_group_request r;
	char text[32];

	join_group_request_init(&r);
	r.group_id = group_id(group, text);
	r.member_id = member_id;
	r.session_timeout_ms = 45000;
	r.rebalance_timeout_ms = 300000;
	r.protocol_type = STR("consumer");
	r.protocols = &protocol;
	r.protocols_count = 1;
	step(b, GROUP_JOIN, 3, &r);
}

static void sync_all(struct bench *b, uint32_t group, struct str *id, uint32_t count)
{
	struct sync_group_request_request_assignment *assignment =
		mem_array(count, sizeof(*assignment));
	struct sync_group_request r;
	char text[32];

	sync_group_request_init(&r);
	r.group_id = group_id(group, text);
	r.generation_id = b->generation[group];
	for (uint32_t i = 1; i < count; i++) {
		r.member_id = id[i];
		step(b, GROUP_SYNC, 4, &r);
	}
	for (uint32_t i = 0; i < count; i++)
		assignment[i] = (struct sync_group_request_request_assignment){
			id[i], { metadata, METADATA_SIZE / 4 }
		};
	r.member_id = id[0];
	r.assignments = assignment;
	r.assignments_count = count;
	step(b, GROUP_SYNC, 4, &r);
	check(b->out.answer_count == count && b->out.record_count == 1);
	mem_free(assignment);
}

/* A group with members, stable; the first one leads. */
static void form(struct bench *b, uint32_t group, struct str *id, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		join(b, group, STR(""));
	arena_reset(&b->arena);
	for (size_t found = 0; found < count;) {
		struct group_event tick = { .type = GROUP_TICK,
			                    .mono_ms = ++b->mono_ms,
			                    .wall_ms = 1700000000000 };

		group_shard_step(b->s, &tick, &b->arena, &b->out);
		for (size_t i = 0; i < b->out.answer_count; i++) {
			const struct join_group_response *r = b->out.answer[i].response;

			b->generation[group] = r->generation_id;
			id[found++] = (struct str){ str_dup(r->member_id), r->member_id.size };
		}
	}
	sync_all(b, group, id, count);
}

static void form_all(struct bench *b)
{
	for (uint32_t i = 0; i < GROUPS; i++)
		form(b, i, &b->id[i * MEMBERS], MEMBERS);
}

static double ns_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e9 + (double)(now.tv_nsec - start->tv_nsec);
}

static void heartbeats(void)
{
	struct bench *b = bench_new();
	struct timespec start;
	char text[32];
	double ns;

	form_all(b);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t at = (uint32_t)prng_below(&b->prng, GROUPS * MEMBERS);
		struct heartbeat_request r = { .group_id = group_id(at / MEMBERS, text),
			                       .generation_id = b->generation[at / MEMBERS],
			                       .member_id = b->id[at] };

		b->mono_ms += i % 10 == 0;
		step(b, GROUP_HEARTBEAT, 4, &r);
		check(!((const struct heartbeat_response *)b->out.answer[0].response)->error_code);
	}
	ns = ns_since(&start) / ROUNDS;
	printf("heartbeat                  %8.0f ns\n", ns);
	bench_free(b);
}

static void commits(uint32_t partitions)
{
	struct offset_commit_request_request_partition partition[10];
	struct offset_commit_request_request_topic topic = { .name = STR("a-topic-with-a-name"),
		                                             .topic_id = { { 1 } },
		                                             .partitions = partition,
		                                             .partitions_count = partitions };
	struct bench *b = bench_new();
	struct timespec start;
	char text[32];

	form_all(b);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t at = (uint32_t)prng_below(&b->prng, GROUPS * MEMBERS);
		struct offset_commit_request r;

		offset_commit_request_init(&r);
		r.group_id = group_id(at / MEMBERS, text);
		r.member_id = b->id[at];
		r.generation_id_or_member_epoch = b->generation[at / MEMBERS];
		r.topics = &topic;
		r.topics_count = 1;
		for (uint32_t j = 0; j < partitions; j++)
			partition[j] = (struct offset_commit_request_request_partition){
				.partition_index = (int32_t)(at % MEMBERS * partitions + j),
				.committed_offset = i,
				.committed_leader_epoch = 3,
			};
		step(b, GROUP_OFFSET_COMMIT, 9, &r);
		check(b->out.record_count == partitions);
	}
	printf("commit of %2u partitions    %8.0f ns\n", partitions, ns_since(&start) / ROUNDS);
	bench_free(b);
}

static void commits_of_one(void)
{
	commits(1);
}

static void commits_of_ten(void)
{
	commits(10);
}

/* Every member joins and syncs once more: two requests each. */
static void rebalances(uint32_t members)
{
	struct str *id = mem_array(members, sizeof(*id));
	struct bench *b = bench_new();
	struct timespec start;
	enum { TIMES = 20 };

	form(b, 0, id, members);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	for (int i = 0; i < TIMES; i++) {
		for (uint32_t j = 0; j < members; j++)
			join(b, 0, id[j]);
		check(b->out.answer_count == members);
		b->generation[0]++;
		sync_all(b, 0, id, members);
	}
	printf("rebalance of %4u members  %8.0f ns a member\n", members,
	       ns_since(&start) / TIMES / members);
	for (uint32_t i = 0; i < members; i++)
		mem_free((void *)id[i].data);
	mem_free(id);
	bench_free(b);
}

static void rebalance_of_100(void)
{
	rebalances(100);
}

static void rebalance_of_1000(void)
{
	rebalances(MEMBERS_MAX);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} all[] = {
		{ "heartbeat", heartbeats },
		{ "commit", commits_of_one },
		{ "commit10", commits_of_ten },
		{ "rebalance100", rebalance_of_100 },
		{ "rebalance1000", rebalance_of_1000 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (argc < 2 || !strcmp(argv[1], all[i].name))
			all[i].run();
	return 0;
}
