/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_fixture.h"

#include "base/prng.h"
#include "wire/fetch.h"

/* ---- asking ---- */

enum { WANTS_MAX = 300, ID_VERSION = 17, NAME_VERSION = 12 };

struct ask {
	struct uuid topic_id;
	const char *topic; /* instead of the id */
	int32_t session_id;
	int32_t session_epoch;
	int32_t wait_ms;
	int32_t min_bytes;
	int32_t max_bytes;
	int32_t partition_bytes;
	int32_t leader_epoch;
	uint32_t count;
	struct {
		int32_t partition;
		int64_t offset;
	} want[WANTS_MAX];
};

static const struct ask ask_none = {
	.session_epoch = -1,
	.min_bytes = 1,
	.max_bytes = INT32_MAX,
	.partition_bytes = 1 << 20,
	.leader_epoch = -1,
};

static int16_t version_of(const struct ask *a)
{
	return a->topic ? NAME_VERSION : ID_VERSION;
}

static void ask_send(struct client *c, const struct ask *a)
{
	struct fetch_request_partition partition[WANTS_MAX];
	struct fetch_request_topic topic = {
		.topic = str_of(a->topic),
		.topic_id = a->topic_id,
		.partitions = partition,
		.partitions_count = a->count,
	};
	struct fetch_request r;

	fetch_request_init(&r);
	r.max_wait_ms = a->wait_ms;
	r.min_bytes = a->min_bytes;
	r.max_bytes = a->max_bytes;
	r.session_id = a->session_id;
	r.session_epoch = a->session_epoch;
	r.topics = &topic;
	r.topics_count = a->count ? 1 : 0;
	for (uint32_t i = 0; i < a->count; i++)
		partition[i] = (struct fetch_request_partition){
			.partition = a->want[i].partition,
			.current_leader_epoch = a->leader_epoch,
			.fetch_offset = a->want[i].offset,
			.last_fetched_epoch = -1,
			.log_start_offset = -1,
			.partition_max_bytes = a->partition_bytes,
			.high_watermark = INT64_MAX,
		};
	client_send(c, API_FETCH, version_of(a), &r);
}

static const struct fetch_response *ask_recv(struct client *c, const struct ask *a)
{
	return client_recv(c, API_FETCH, version_of(a));
}

static const struct fetch_response *ask(struct client *c, const struct ask *a)
{
	ask_send(c, a);
	return ask_recv(c, a);
}

static const struct fetch_response_partition_data *told(const struct fetch_response *r,
                                                        int32_t partition)
{
	for (uint32_t i = 0; i < r->responses_count; i++) {
		for (uint32_t j = 0; j < r->responses[i].partitions_count; j++) {
			if (r->responses[i].partitions[j].partition_index == partition)
				return &r->responses[i].partitions[j];
		}
	}
	return NULL;
}

static uint32_t told_count(const struct fetch_response *r)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < r->responses_count; i++)
		count += r->responses[i].partitions_count;
	return count;
}

/* What comes behind the whole batches of an answer; they must begin at `offset` or in its batch. */
static int64_t next_offset(const struct fetch_response_partition_data *p, int64_t offset)
{
	struct span rest = { p->records.data, p->records.size };
	int64_t next = offset;
	struct batch b;

	while (rest.size && !batch_parse(rest, &b)) {
		check(batch_crc_ok(&b));
		check(next == offset ? b.base_offset <= offset && batch_last_offset(&b) >= offset
		                     : b.base_offset == next);
		next = batch_last_offset(&b) + 1;
		rest = (struct span){ rest.data + b.size, rest.size - b.size };
	}
	return next;
}

static struct client client, other;
static struct uuid topic;

static void make_topic(const char *name, int32_t partitions)
{
	topic = create_topic(&client, name, partitions, NULL, NULL);
	/* Until the partitions lead somewhere. */
	for (int32_t i = 0; i < partitions; i++) {
		struct ask a = ask_none;
		uint64_t until = now_ms() + PATIENCE_MS;

		a.topic_id = topic;
		a.count = 1;
		a.want[0].partition = i;
		while (told(ask(&client, &a), i)->error_code)
			check(now_ms() < until);
	}
}

static struct ask ask_for(uint32_t partitions)
{
	struct ask a = ask_none;

	a.topic_id = topic;
	a.count = partitions;
	for (uint32_t i = 0; i < partitions; i++)
		a.want[i].partition = (int32_t)i;
	return a;
}

static void begin(int reactors)
{
	broker_begin(reactors);
	client_open(&client);
	client_open(&other);
}

static void end(void)
{
	client_close(&client);
	client_close(&other);
	broker_end();
	broker_forget_files();
}

/* A session on these partitions; nothing is waited for. */
static int32_t open_session(struct client *c, struct ask *a)
{
	int32_t wait_ms = a->wait_ms;

	a->wait_ms = 0;
	a->session_id = 0;
	a->session_epoch = 0;
	a->session_id = ask(c, a)->session_id;
	assert_true(a->session_id > 0);
	a->session_epoch = 1;
	a->wait_ms = wait_ms;
	return a->session_id;
}

/* ---- waiting ---- */

static void wait_and_be_woken(struct ask *a)
{
	uint64_t since = now_ms();
	int64_t offset = a->want[1].offset;
	uint64_t took;

	a->wait_ms = 10000;
	ask_send(&client, a);
	sleep_ms(50);
	produce(&other, "t", 1, 3, 100);
	a->want[1].offset = next_offset(told(ask_recv(&client, a), 1), offset);
	assert_int_equal(a->want[1].offset, offset + 3);
	took = now_ms() - since;
	assert_in_range(took, 50, 5000);
}

static void a_waiting_fetch_is_woken_however_it_asks(void **state)
{
	struct ask a;

	(void)state;
	begin(2);
	make_topic("t", 2);
	a = ask_for(2);
	wait_and_be_woken(&a);
	a.topic = "t";
	wait_and_be_woken(&a);
	a.topic = NULL;
	a.session_epoch = 0; /* for a new session */
	wait_and_be_woken(&a);
	open_session(&client, &a);
	wait_and_be_woken(&a);
	a.session_epoch++;
	wait_and_be_woken(&a);
	end();
}

static void a_fetch_waits_its_time_and_no_longer(void **state)
{
	struct ask a;

	(void)state;
	begin(1);
	make_topic("t", 2);
	a = ask_for(2);
	a.wait_ms = 120;
	for (int session = 0; session < 2; session++) {
		uint64_t since = now_ms();
		uint64_t took;

		if (session)
			open_session(&client, &a);
		assert_int_equal(told_count(ask(&client, &a)), session ? 0 : 2);
		took = now_ms() - since;
		assert_in_range(took, 120, 3000);
	}
	end();
}

static void it_waits_for_as_many_bytes_as_it_wants(void **state)
{
	struct ask a;
	const struct fetch_response_partition_data *p;

	(void)state;
	begin(2);
	make_topic("t", 2);
	a = ask_for(2);
	a.wait_ms = 10000;
	a.min_bytes = 1000;
	for (int session = 0; session < 2; session++) {
		const struct fetch_response *r;

		if (session)
			open_session(&client, &a);
		ask_send(&client, &a);
		produce(&other, "t", 0, 1, 300);
		produce(&other, "t", 1, 1, 300);
		assert_int_equal(
			poll(&(struct pollfd){ .fd = client.fd, .events = POLLIN }, 1, 100), 0);
		produce(&other, "t", 0, 1, 600);
		r = ask_recv(&client, &a);
		for (int32_t i = 0; i < 2; i++) {
			p = told(r, i);
			assert_non_null(p);
			a.want[i].offset = next_offset(p, a.want[i].offset);
		}
		assert_int_equal(a.want[0].offset, 2 + 2 * session);
	}
	end();
}

static void deleting_a_topic_wakes_who_waits_for_it(void **state)
{
	struct ask a;

	(void)state;
	begin(2);
	for (int session = 0; session < 2; session++) {
		const struct fetch_response_partition_data *p;
		uint64_t since = now_ms();

		make_topic("t", 1);
		a = ask_for(1);
		a.wait_ms = 10000;
		if (session)
			open_session(&client, &a);
		ask_send(&client, &a);
		sleep_ms(50);
		delete_topic(&other, "t");
		p = told(ask_recv(&client, &a), 0);
		assert_int_equal(p->error_code, WIRE_UNKNOWN_TOPIC_OR_PARTITION);
		assert_true(now_ms() - since < 5000);
	}
	end();
}

/* ---- limits ---- */

/* Each answer has room for one of four: all of them are read in the end, in turns. */
static void limits_starve_nobody(void **state)
{
	enum { BATCHES = 20 };
	struct ask a;
	int32_t last = -1;

	(void)state;
	begin(2);
	make_topic("t", 4);
	for (int32_t i = 0; i < 4; i++) {
		for (int k = 0; k < BATCHES; k++)
			produce(&other, "t", i, 1, 1000);
	}
	a = ask_for(4);
	open_session(&client, &a); /* it names all of them, once */
	a.max_bytes = 1200;
	for (int n = 0; n < 4 * BATCHES; n++) {
		const struct fetch_response *r = ask(&client, &a);
		const struct fetch_response_partition_data *p = NULL;

		for (int32_t i = 0; i < 4; i++) {
			const struct fetch_response_partition_data *one = told(r, i);

			if (one && one->records.size) {
				assert_null(p);
				p = one;
			}
		}
		assert_non_null(p);
		assert_int_not_equal(p->partition_index, last);
		last = p->partition_index;
		a.session_epoch++;
		a.count = 1; /* only what has changed is named */
		a.want[0].partition = last;
		a.want[0].offset = next_offset(p, n / 4);
		assert_int_equal(a.want[0].offset, n / 4 + 1);
	}
	end();
}

/* ---- sessions ---- */

static void a_quiet_session_hears_nothing(void **state)
{
	struct ask a;

	(void)state;
	begin(2);
	make_topic("t", 8);
	a = ask_for(8);
	open_session(&client, &a);
	a.count = 0;
	for (int n = 0; n < 5; n++, a.session_epoch++)
		assert_int_equal(told_count(ask(&client, &a)), 0);
	produce(&other, "t", 5, 1, 10);
	for (int n = 0; n < 3; n++, a.session_epoch++) {
		const struct fetch_response *r = ask(&client, &a);

		/* As long as it names no new offset it is told the same again. */
		assert_int_equal(told_count(r), 1);
		assert_true(told(r, 5)->records.size > 0);
	}
	a.count = 1;
	a.want[0].partition = 5;
	a.want[0].offset = 1;
	assert_int_equal(told_count(ask(&client, &a)), 0);
	end();
}

static void a_session_is_closed_from_anywhere(void **state)
{
	struct ask a, closing;

	(void)state;
	begin(4);
	make_topic("t", 1);
	for (int n = 0; n < 20; n++) {
		struct client closer;

		a = ask_for(1);
		open_session(&client, &a);
		closing = a;
		closing.session_epoch = -1;
		closing.count = 0;
		/* Where this connection lives is the kernel's choice. */
		client_open(&closer);
		assert_int_equal(ask(&closer, &closing)->session_id, 0);
		client_close(&closer);
		for (uint64_t until = now_ms() + PATIENCE_MS;; a.session_epoch++) {
			int16_t error = ask(&client, &a)->error_code;

			if (error == WIRE_FETCH_SESSION_ID_NOT_FOUND)
				break;
			assert_int_equal(error, WIRE_NONE); /* the news is on its way */
			assert_true(now_ms() < until);
		}
	}
	end();
}

static void who_asks_again_in_a_session_takes_it_over(void **state)
{
	const struct fetch_response *r;
	struct ask a, b;

	(void)state;
	begin(1);
	make_topic("t", 1);
	a = ask_for(1);
	a.wait_ms = 10000;
	open_session(&client, &a);
	ask_send(&client, &a);
	sleep_ms(30);
	b = a;
	b.session_epoch = 3;
	assert_int_equal(ask(&other, &b)->error_code, WIRE_INVALID_FETCH_SESSION_EPOCH);
	assert_int_equal(poll(&(struct pollfd){ .fd = client.fd, .events = POLLIN }, 1, 50), 0);
	b.session_epoch = 2;
	b.wait_ms = 0;
	assert_int_equal(ask(&other, &b)->error_code, WIRE_NONE);
	r = ask_recv(&client, &a);
	assert_int_equal(r->error_code, WIRE_INVALID_FETCH_SESSION_EPOCH);
	assert_int_equal(r->session_id, a.session_id);
	b.session_epoch = 3;
	assert_int_equal(ask(&other, &b)->error_code, WIRE_NONE);
	end();
}

static void a_request_outlives_its_session(void **state)
{
	struct ask a, b;

	(void)state;
	begin(1);
	make_topic("t", 1);
	a = ask_for(1);
	a.wait_ms = 300;
	open_session(&client, &a);
	ask_send(&client, &a);
	sleep_ms(30);
	b = a;
	b.session_epoch = -1;
	b.count = 0;
	assert_int_equal(ask(&other, &b)->error_code, WIRE_NONE);
	assert_int_equal(ask_recv(&client, &a)->error_code, WIRE_NONE);
	a.session_epoch++;
	assert_int_equal(ask(&client, &a)->error_code, WIRE_FETCH_SESSION_ID_NOT_FOUND);
	end();
}

static void a_session_outlives_its_connection(void **state)
{
	struct client first;
	struct ask a;

	(void)state;
	begin(1);
	make_topic("t", 1);
	for (int reset = 0; reset < 2; reset++) {
		client_open(&first);
		a = ask_for(1);
		a.wait_ms = 10000;
		open_session(&first, &a);
		ask_send(&first, &a);
		sleep_ms(30);
		if (reset)
			client_reset(&first);
		else
			client_close(&first);
		sleep_ms(50);
		a.wait_ms = 0;
		a.session_epoch = 2; /* the request was taken, nobody heard the answer */
		assert_int_equal(ask(&client, &a)->error_code, WIRE_NONE);
	}
	end();
}

/* More than are looked at in one go, in every step of a session's life. */
static void many_partitions_are_served_in_steps(void **state)
{
	int32_t forget[WANTS_MAX];
	struct fetch_request_forgotten_topic forgotten = { .partitions = forget };
	const struct fetch_response *r;
	struct fetch_request request;
	struct ask a;

	(void)state;
	begin(4);
	make_topic("t", WANTS_MAX);
	a = ask_for(WANTS_MAX);
	assert_int_equal(told_count(ask(&client, &a)), WANTS_MAX);
	open_session(&client, &a);
	assert_int_equal(told_count(ask(&client, &a)), 0); /* names all of them again */
	for (int32_t i = 0; i < WANTS_MAX; i += 3)
		produce(&other, "t", i, 1, 10);
	a.session_epoch++;
	a.count = 0;
	assert_int_equal(told_count(ask(&client, &a)), WANTS_MAX / 3);

	fetch_request_init(&request);
	request.session_id = a.session_id;
	request.session_epoch = ++a.session_epoch;
	request.forgotten_topics_data = &forgotten;
	request.forgotten_topics_data_count = 1;
	forgotten.topic_id = topic;
	for (int32_t i = 0; i < WANTS_MAX; i++) {
		if (i % 2 == 0)
			forget[forgotten.partitions_count++] = i;
	}
	r = client_ask(&client, API_FETCH, ID_VERSION, &request);
	assert_int_equal(told_count(r), WANTS_MAX / 6);
	for (int32_t i = 0; i < WANTS_MAX; i++)
		assert_int_equal(told(r, i) != NULL, i % 6 == 3);

	/* Without partitions it is no session any more. */
	for (int32_t i = 0; i < WANTS_MAX; i++)
		forget[i] = i;
	forgotten.partitions_count = WANTS_MAX;
	request.session_epoch = ++a.session_epoch;
	r = client_ask(&client, API_FETCH, ID_VERSION, &request);
	assert_int_equal(r->session_id, 0);
	assert_int_equal(told_count(r), 0);
	end();
}

/* Nothing is left behind when the peer goes away in the middle of any of these steps. */
static void a_peer_may_go_at_any_time(void **state)
{
	struct prng prng = { 1 };
	struct ask a;

	(void)state;
	begin(2);
	make_topic("t", WANTS_MAX);
	for (int n = 0; n < 200; n++) {
		struct client c;

		client_open(&c);
		a = ask_for(WANTS_MAX);
		a.wait_ms = n % 2 ? 10000 : 0;
		a.session_epoch = n % 3 ? 0 : -1;
		ask_send(&c, &a);
		usleep((useconds_t)prng_below(&prng, 1000));
		client_reset(&c);
	}
	a = ask_for(WANTS_MAX);
	assert_int_equal(told_count(ask(&client, &a)), WANTS_MAX);
	end();
}

/* ---- old segments, whose indexes are in their files ---- */

static void everything_is_read_after_a_restart(void **state)
{
	int64_t offsets = 0;

	(void)state;
	begin(2);
	topic = create_topic(&client, "t", 1, "segment.bytes", "1048576");
	for (int n = 0; n < 120; n++) {
		int64_t at;

		while ((at = produce(&client, "t", 0, 1 + n % 7, 10000)) < 0)
			sleep_ms(5);
		assert_int_equal(at, offsets);
		offsets += 1 + n % 7;
	}
	for (int run = 0; run < 2; run++) {
		struct ask a = ask_for(1);

		a.partition_bytes = 150000;
		while (a.want[0].offset < offsets) {
			const struct fetch_response_partition_data *p = told(ask(&client, &a), 0);

			assert_int_equal(p->error_code, WIRE_NONE);
			assert_int_equal(p->high_watermark, offsets);
			a.want[0].offset = next_offset(p, a.want[0].offset);
		}
		assert_int_equal(told(ask(&client, &a), 0)->records.size, 0);
		if (run)
			break;
		client_close(&client);
		client_close(&other);
		broker_end();
		broker_begin(2);
		client_open(&client);
		client_open(&other);
	}
	end();
}

/* ---- all at once ---- */

enum { CROWD = 12, CROWD_PARTITIONS = 6, CROWD_BATCHES = 150 };

struct consumer {
	pthread_t thread;
	struct prng prng;
	int64_t offset[CROWD_PARTITIONS];
};

static struct consumer consumer[CROWD];

static bool is_done(const struct consumer *r)
{
	for (int i = 0; i < CROWD_PARTITIONS; i++) {
		if (r->offset[i] < CROWD_BATCHES)
			return false;
	}
	return true;
}

static void name_all(struct consumer *r, struct ask *a)
{
	for (uint32_t i = 0; i < CROWD_PARTITIONS; i++) {
		a->want[i].partition = (int32_t)i;
		a->want[i].offset = r->offset[i];
	}
	a->count = CROWD_PARTITIONS;
}

static void take_news(struct consumer *r, struct ask *a, const struct fetch_response *response)
{
	a->count = 0;
	for (int32_t i = 0; i < CROWD_PARTITIONS; i++) {
		const struct fetch_response_partition_data *p = told(response, i);

		if (!p)
			continue;
		check(!p->error_code);
		check(p->high_watermark <= CROWD_BATCHES && p->high_watermark >= r->offset[i]);
		r->offset[i] = next_offset(p, r->offset[i]);
		a->want[a->count].partition = i;
		a->want[a->count++].offset = r->offset[i];
	}
}

/* Reads all there is, in one way after another, and hangs up in the middle now and then. */
static void *read_crowded(void *arg)
{
	struct consumer *r = arg;

	while (!is_done(r)) {
		struct client c;
		struct ask a = ask_for(0);
		bool session = prng_below(&r->prng, 2);

		client_open(&c);
		a.min_bytes = 1 + (int32_t)prng_below(&r->prng, 400);
		a.max_bytes = 100 + (int32_t)prng_below(&r->prng, 3000);
		if (prng_below(&r->prng, 3) == 0)
			a.topic = "t";
		a.session_epoch = session ? 0 : -1;
		for (int n = (int)prng_below(&r->prng, 40); n >= 0 && !is_done(r); n--) {
			const struct fetch_response *response;

			if (!session || !a.session_epoch)
				name_all(r, &a);
			/* Short for those at the end, who may want more bytes than will come. */
			a.wait_ms = (int32_t)prng_below(&r->prng, 20);
			ask_send(&c, &a);
			if (prng_below(&r->prng, 50) == 0)
				break;
			response = ask_recv(&c, &a);
			check(!response->error_code);
			a.session_id = response->session_id;
			check(session == (a.session_id > 0));
			a.session_epoch += session;
			take_news(r, &a, response);
		}
		client_reset(&c);
	}
	return NULL;
}

static void readers_in_a_crowd_miss_nothing(void **state)
{
	(void)state;
	begin(4);
	make_topic("t", CROWD_PARTITIONS);
	for (int i = 0; i < CROWD; i++) {
		consumer[i] = (struct consumer){ .prng.state = (uint64_t)i };
		assert_int_equal(
			pthread_create(&consumer[i].thread, NULL, read_crowded, &consumer[i]), 0);
	}
	for (int n = 0; n < CROWD_BATCHES; n++) {
		for (int32_t i = 0; i < CROWD_PARTITIONS; i++)
			assert_int_equal(produce(&other, "t", i, 1, 50 + (size_t)n), n);
	}
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(pthread_join(consumer[i].thread, NULL), 0);
	end();
}

static void who_knows_an_old_leader_is_told_the_new_one(void **state)
{
	const struct fetch_response_partition_data *p;
	const struct fetch_response *r;
	struct ask a;

	(void)state;
	begin(1);
	make_topic("t", 2);
	a = ask_for(2);
	client_close(&client);
	client_close(&other);
	broker_end();
	broker_begin(1);
	client_open(&client);
	client_open(&other);
	a.leader_epoch = 0;
	r = ask(&client, &a);
	for (int32_t i = 0; i < 2; i++) {
		p = told(r, i);
		assert_int_equal(p->error_code, WIRE_FENCED_LEADER_EPOCH);
		assert_true(p->current_leader.leader_epoch > 0);
	}
	assert_int_equal(r->node_endpoints_count, 1);
	assert_int_equal(r->node_endpoints[0].node_id, p->current_leader.leader_id);
	assert_int_equal(r->node_endpoints[0].port, test_port);
	assert_string_equal(r->node_endpoints[0].host.data, "127.0.0.1");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_waiting_fetch_is_woken_however_it_asks),
		cmocka_unit_test(a_fetch_waits_its_time_and_no_longer),
		cmocka_unit_test(it_waits_for_as_many_bytes_as_it_wants),
		cmocka_unit_test(deleting_a_topic_wakes_who_waits_for_it),
		cmocka_unit_test(limits_starve_nobody),
		cmocka_unit_test(a_quiet_session_hears_nothing),
		cmocka_unit_test(a_session_is_closed_from_anywhere),
		cmocka_unit_test(who_asks_again_in_a_session_takes_it_over),
		cmocka_unit_test(a_request_outlives_its_session),
		cmocka_unit_test(a_session_outlives_its_connection),
		cmocka_unit_test(many_partitions_are_served_in_steps),
		cmocka_unit_test(a_peer_may_go_at_any_time),
		cmocka_unit_test(everything_is_read_after_a_restart),
		cmocka_unit_test(who_knows_an_old_leader_is_told_the_new_one),
		cmocka_unit_test(readers_in_a_crowd_miss_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
