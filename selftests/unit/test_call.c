/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "broker/limits.h"
#include "conn_fixture.h"
#include "wire/api_versions.h"

/* Requests become answers: in order, whole, one at a time, and detached when nobody waits. */

/* ---- order ---- */

static void answers_come_in_the_order_of_requests(void **state)
{
	enum { COUNT = 10000 };
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(3, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (int i = 0; i < COUNT; i++)
		add_command(&out, i,
		            i % 1000 == 7    ? "wait 5"
		            : i % 1000 == 77 ? "yield 3"
		            : i % 100 == 9   ? "parts 6"
		                             : "echo hello");
	send_bytes(fd, out.data, out.size);
	for (int i = 0; i < COUNT; i++)
		expect_text(fd, i,
		            i % 1000 == 7    ? "waited"
		            : i % 1000 == 77 ? "yielded"
		            : i % 100 == 9   ? "parts"
		                             : "hello");
	assert_int_equal(atomic_load(&running_most), 1);
	assert_int_equal(conn_server_counters(server).requests, COUNT);
	close(fd);
	buf_fini(&out);
	server_stop();
}

static void connections_do_not_wait_for_each_other(void **state)
{
	int slow, quick;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	slow = client_open(port);
	quick = client_open(port);
	send_command(slow, 1, "wait 300");
	for (int i = 0; i < 20; i++) {
		send_command(quick, i, "echo quick");
		expect_text(quick, i, "quick");
	}
	assert_true(is_silent(slow, 0));
	expect_text(slow, 1, "waited");
	close(slow);
	close(quick);
	server_stop();
}

/* Five at a time, the first the slowest, and nothing else beside them. */
static void produce_follows_produce_and_nothing_else_does(void **state)
{
	enum { COUNT = 8 };
	static const uint8_t data[3000] = { 1, 2, 3 };
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (int i = 0; i < COUNT; i++)
		add_produce(&out, i, 1, 400 - 45 * i, (struct span){ data, (size_t)i * 300 });
	add_command(&out, COUNT, "wait 100");
	add_produce(&out, COUNT + 1, 1, 0, (struct span){ data, 9 });
	send_bytes(fd, out.data, out.size);
	assert_soon(atomic_load(&running) == 5);
	assert_true(is_silent(fd, 0));
	for (int i = 0; i < COUNT; i++)
		expect_produced(fd, i, (struct span){ data, (size_t)i * 300 });
	assert_int_equal(atomic_load(&running_most), 5);
	assert_soon(atomic_load(&running) == 1);
	assert_true(is_silent(fd, 30));
	expect_text(fd, COUNT, "waited");
	expect_produced(fd, COUNT + 1, (struct span){ data, 9 });
	close(fd);
	buf_fini(&out);
	server_stop();
}

static void a_request_without_answer_is_followed_by_the_next(void **state)
{
	static const uint8_t data[10];
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (int i = 0; i < 100; i++)
		add_produce(&out, i, 0, i % 10 == 4, (struct span){ data, 10 });
	add_produce(&out, 100, 1, 0, (struct span){ data, 10 });
	add_command(&out, 101, "none ");
	add_command(&out, 102, "echo end");
	send_bytes(fd, out.data, out.size);
	expect_produced(fd, 100, (struct span){ data, 10 });
	expect_text(fd, 102, "end");
	close(fd);
	buf_fini(&out);
	server_stop();
}

/* ---- parts, turns, time ---- */

static void parts_run_anywhere_and_the_last_resumes_the_call(void **state)
{
	int fd[4];

	(void)state;
	server_open(4, &CONN_LIMITS_DEFAULT);
	for (size_t i = 0; i < array_count(fd); i++)
		fd[i] = client_open(port);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < array_count(fd); i++)
			send_command(fd[i], round, "parts 100");
		for (size_t i = 0; i < array_count(fd); i++)
			assert_int_equal(expect_text(fd[i], round, "parts"), 5050);
	}
	for (size_t i = 0; i < array_count(fd); i++)
		close(fd[i]);
	server_stop();
}

static void a_call_may_yield_as_often_as_it_likes(void **state)
{
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	send_command(fd, 1, "yield 5000");
	assert_int_equal(expect_text(fd, 1, "yielded"), 5000);
	close(fd);
	server_stop();
}

/* The answer does not wait for the parts, the memory of the call does. */
static void a_timer_may_answer_before_the_parts_are_done(void **state)
{
	int fd;

	(void)state;
	server_open(4, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (int i = 0; i < 4; i++) {
		send_command(fd, i, "race 9");
		expect_text(fd, i, "timed out");
	}
	assert_true(conn_server_counters(server).calls > 0);
	assert_soon(!conn_server_counters(server).calls);
	send_command(fd, 4, "race 3");
	close(fd); /* and detached on top of it */
	server_stop();
	assert_int_equal(atomic_load(&resumed_late), 0);
}

/* ---- the end of a connection ---- */

static void a_reset_detaches_what_runs(void **state)
{
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(2, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	send_command(fd, 1, "hang ");
	assert_soon(atomic_load(&running) == 1);
	client_reset(fd);
	assert_soon(atomic_load(&detached) == 1);
	assert_soon(!conn_server_counters(server).calls);

	fd = client_open(port);
	for (int i = 0; i < 9; i++)
		add_produce(&out, i, 1, 100, (struct span){ 0 });
	send_bytes(fd, out.data, out.size);
	assert_soon(atomic_load(&running) == 5);
	client_reset(fd);
	assert_soon(!conn_server_counters(server).open);
	assert_int_equal(conn_server_counters(server).calls, 5);
	assert_soon(!conn_server_counters(server).calls);
	buf_fini(&out);
	server_stop();
}

static void who_has_only_stopped_writing_still_gets_its_answers(void **state)
{
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	add_command(&out, 1, "wait 50");
	add_command(&out, 2, "echo then");
	add_command(&out, 3, "wait 50");
	send_bytes(fd, out.data, out.size);
	shutdown(fd, SHUT_WR);
	expect_text(fd, 1, "waited");
	expect_text(fd, 2, "then");
	expect_text(fd, 3, "waited");
	assert_true(is_closed(fd));
	close(fd);
	buf_fini(&out);
	server_stop();
}

static void closing_a_call_sends_earlier_answers_first(void **state)
{
	static const uint8_t data[10];
	struct buf out = { 0 };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	add_produce(&out, 1, 1, 30, (struct span){ data, 10 });
	add_command(&out, 2, "close ");
	send_bytes(fd, out.data, out.size);
	expect_produced(fd, 1, (struct span){ data, 10 });
	assert_true(is_closed(fd));
	assert_int_equal(conn_server_counters(server).broken, 1);
	close(fd);
	buf_fini(&out);
	server_stop();
}

/* ---- answers of many bytes ---- */

struct slice {
	int64_t position;
	int32_t size;
};

static void add_fetch(struct buf *out, int32_t correlation, const char *topic_name,
                      const struct slice *slice, uint32_t count)
{
	struct fetch_request_partition *partition = mem_array(count, sizeof(*partition));
	struct fetch_request_topic topic = {
		.topic = str_of(topic_name),
		.partitions = partition,
		.partitions_count = count,
	};
	struct fetch_request r;

	for (uint32_t i = 0; i < count; i++) {
		partition[i].partition = (int32_t)i;
		partition[i].fetch_offset = slice[i].position;
		partition[i].partition_max_bytes = slice[i].size;
		partition[i].current_leader_epoch = partition[i].last_fetched_epoch = -1;
	}
	fetch_request_init(&r);
	r.topics = &topic;
	r.topics_count = 1;
	add_frame(out, wire_api_find(API_FETCH), 11, correlation, &r);
	mem_free(partition);
}

static void expect_fetched(int fd, int32_t correlation, const struct slice *slice, uint32_t count)
{
	struct answer a = recv_answer(fd, API_FETCH, 11);
	const struct fetch_response *r = a.body;

	assert_int_equal(a.correlation, correlation);
	assert_int_equal(r->responses[0].partitions_count, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct records *records = &r->responses[0].partitions[i].records;
		bool right = records->size == (uint32_t)slice[i].size;

		for (uint32_t k = 0; right && k < records->size; k++)
			right = records->data[k] == byte_at((uint64_t)slice[i].position + k);
		assert_true(right);
	}
	answer_free(&a);
}

enum { FILE_BYTES = 12 * 1024 * 1024 + 77 };
static struct dir *dir;

static void file_make(void)
{
	static char path[] = "/tmp/sluice-call-XXXXXX";
	uint8_t *data = mem_alloc(FILE_BYTES);
	struct iovec iov = { data, FILE_BYTES };

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	assert_non_null(mkdtemp(path));
	for (size_t i = 0; i < FILE_BYTES; i++)
		data[i] = byte_at(i);
	assert_int_equal(dir_open(path, false, &dir), 0);
	assert_int_equal(file_open(dir, "f", FILE_READ | FILE_WRITE | FILE_CREATE, &file), 0);
	assert_int_equal(file_write(file, &iov, 1, 0), 0);
	mem_free(data);
}

static void file_drop(void)
{
	file_put(file);
	assert_int_equal(dir_unlink(dir, "f"), 0);
	assert_int_equal(rmdir(dir_path(dir)), 0);
	dir_close(dir);
}

static const struct slice slices[] = {
	{ 0, 1 },           { 5, 0 },
	{ 77, 100 },        { 1000, LIMIT_SLICE_COPY_BYTES - 1 },
	{ 3, 8 * 1024 },    { 4096, LIMIT_SLICE_COPY_BYTES + 1 },
	{ 99, 100000 },     { 0, 0 },
	{ 12345, 3000000 }, { FILE_BYTES - 5, 5 },
	{ 1, 20 },          { FILE_BYTES - 70000, 70000 },
};

static void slices_of_files_arrive_with_exactly_their_bytes(void **state)
{
	struct buf out = { 0 };
	int fd;

	(void)state;
	file_make();
	server_open(2, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (uint32_t count = 1; count <= array_count(slices); count++) {
		add_fetch(&out, (int32_t)count, "file", slices, count);
		add_command(&out, (int32_t)count + 100, "echo between");
	}
	for (uint32_t i = 0; i < array_count(slices); i++) {
		add_fetch(&out, (int32_t)i, "file", &slices[i], 1);
		add_fetch(&out, (int32_t)i, "memory", &slices[i], 1);
	}
	send_bytes(fd, out.data, out.size);
	for (uint32_t count = 1; count <= array_count(slices); count++) {
		expect_fetched(fd, (int32_t)count, slices, count);
		expect_text(fd, (int32_t)count + 100, "between");
	}
	for (uint32_t i = 0; i < array_count(slices); i++) {
		expect_fetched(fd, (int32_t)i, &slices[i], 1);
		expect_fetched(fd, (int32_t)i, &slices[i], 1);
	}
	close(fd);
	buf_fini(&out);
	server_stop();
	file_drop();
}

static void an_answer_may_have_thousands_of_slices(void **state)
{
	enum { COUNT = 3000 };
	struct slice *slice = mem_array(COUNT, sizeof(*slice));
	struct buf out = { 0 };
	int fd;

	(void)state;
	for (int i = 0; i < COUNT; i++)
		slice[i] = (struct slice){ i * 1001, i % 50 == 7 ? 10000 + i : i % 700 };
	file_make();
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	add_fetch(&out, 1, "file", slice, COUNT);
	add_fetch(&out, 2, "memory", slice, COUNT);
	send_bytes(fd, out.data, out.size);
	expect_fetched(fd, 1, slice, COUNT);
	expect_fetched(fd, 2, slice, COUNT);
	close(fd);
	buf_fini(&out);
	mem_free(slice);
	server_stop();
	file_drop();
}

/* What was promised cannot be delivered: better no answer than a wrong one. */
static void a_slice_beyond_its_file_closes_the_connection(void **state)
{
	static const struct slice wrong[] = {
		{ FILE_BYTES - 100, 101 },
		{ FILE_BYTES - 100000, 100001 },
	};

	(void)state;
	file_make();
	server_open(1, &CONN_LIMITS_DEFAULT);
	for (size_t i = 0; i < array_count(wrong); i++) {
		struct buf out = { 0 };
		uint8_t *got = mem_alloc(FILE_BYTES);
		int fd = client_open(port);

		add_fetch(&out, 1, "file", &wrong[i], 1);
		send_bytes(fd, out.data, out.size);
		/* The size said one byte more than came. */
		assert_true(recv_bytes(fd, got, FILE_BYTES) < (size_t)wrong[i].size + 100);
		assert_true(was_said("f ends before what was promised of it"));
		close(fd);
		buf_fini(&out);
		mem_free(got);
	}
	server_stop();
	file_drop();
}

/* Who does not read is not read from, and loses nothing. */
static void a_slow_reader_holds_up_only_itself(void **state)
{
	enum { COUNT = 100 };
	static const struct slice part = { 100, 1000000 };
	struct buf out = { 0 };

	(void)state;
	file_make();
	for (int memory = 0; memory < 2; memory++) {
		uint64_t begun;
		int slow, quick;

		server_open(1, &CONN_LIMITS_DEFAULT);
		slow = client_open(port);
		quick = client_open(port);
		out.size = 0;
		for (int i = 0; i < COUNT; i++)
			add_fetch(&out, i, memory ? "memory" : "file", &part, 1);
		send_bytes(slow, out.data, out.size);
		sleep_ms(300);
		begun = conn_server_counters(server).requests;
		assert_true(begun > 0 && begun < 20);
		for (int i = 0; i < 10; i++) {
			send_command(quick, i, "echo quick");
			expect_text(quick, i, "quick");
		}
		assert_int_equal(conn_server_counters(server).requests, begun + 10);
		assert_true(conn_server_counters(server).calls <= 2);
		for (int i = 0; i < COUNT; i++)
			expect_fetched(slow, i, &part, 1);
		close(slow);
		close(quick);
		server_stop();
	}
	buf_fini(&out);
	file_drop();
}

static void a_reader_who_stops_for_good_is_idle(void **state)
{
	static const struct slice part = { 0, FILE_BYTES };
	struct conn_limits limits = CONN_LIMITS_DEFAULT;
	struct buf out = { 0 };
	int fd;

	(void)state;
	limits.idle_ms = 300;
	file_make();
	server_open(1, &limits);
	fd = client_open(port);
	add_fetch(&out, 1, "file", &part, 1);
	send_bytes(fd, out.data, out.size);
	assert_soon(conn_server_counters(server).requests == 1);
	assert_soon(!conn_server_counters(server).open);
	assert_int_equal(conn_server_counters(server).calls, 0);
	close(fd);
	buf_fini(&out);
	server_stop();
	file_drop();
}

static void a_reset_in_the_middle_of_a_file_frees_it(void **state)
{
	static const struct slice part = { 0, FILE_BYTES };
	struct buf out = { 0 };

	(void)state;
	file_make();
	server_open(2, &CONN_LIMITS_DEFAULT);
	add_fetch(&out, 1, "file", &part, 1);
	for (int i = 0; i < 20; i++) {
		char some[5000];
		int fd = client_open(port);

		send_bytes(fd, out.data, out.size);
		assert_int_equal(recv_bytes(fd, some, sizeof(some)), sizeof(some));
		client_reset(fd);
	}
	assert_soon(!conn_server_counters(server).open);
	buf_fini(&out);
	server_stop();
	file_drop();
}

/* ---- stopping ---- */

static void a_stop_answers_what_was_begun_and_begins_nothing(void **state)
{
	struct sockaddr_in gone = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct buf out = { 0 };
	uint64_t begin;
	int busy, idle, late;

	(void)state;
	server_open(4, &CONN_LIMITS_DEFAULT);
	gone.sin_port = htons(port);
	busy = client_open(port);
	idle = client_open(port);
	add_command(&out, 1, "wait 300");
	add_command(&out, 2, "echo never");
	send_bytes(busy, out.data, out.size);
	assert_soon(atomic_load(&running) == 1);
	begin = now_ms();
	server_begin_stop();
	assert_true(is_closed(idle));
	late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(late, (struct sockaddr *)&gone, sizeof(gone)), -1);
	expect_text(busy, 1, "waited");
	assert_true(is_closed(busy));
	server_end();
	assert_true(now_ms() - begin < 3000);
	close(busy);
	close(idle);
	close(late);
	buf_fini(&out);
}

static void a_stop_ends_what_takes_longer_than_the_grace(void **state)
{
	uint64_t begin;
	int fd;

	(void)state;
	server_open(2, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	send_command(fd, 1, "hang ");
	assert_soon(atomic_load(&running) == 1);
	grace_ms = 200;
	begin = now_ms();
	server_stop();
	assert_true(now_ms() - begin >= 200);
	assert_int_equal(atomic_load(&detached), 1);
	assert_true(is_closed(fd));
	close(fd);
}

static void a_stop_with_nothing_to_do_is_over_at_once(void **state)
{
	uint64_t begin;

	(void)state;
	for (int count = 1; count <= 4; count++) {
		server_open(count, &CONN_LIMITS_DEFAULT);
		grace_ms = count == 4 ? 0 : 5000;
		begin = now_ms();
		server_stop();
		assert_true(now_ms() - begin < 2000);
	}
}

/* Many clients do anything, some die of it, and the broker stops in the middle. */
static void anything_at_once_and_a_stop_in_the_middle(void **state)
{
	static const char *const command[] = { "echo x",  "wait 3",   "hang ",  "close ", "none ",
		                               "yield 9", "parts 12", "race 5", "wait 40" };
	static const struct slice part[] = { { 5, 300 }, { 7000, 60000 }, { 0, 900 } };
	struct prng prng = { 17 };
	struct buf out = { 0 };
	int fd[48];

	(void)state;
	file_make();
	server_open(4, &CONN_LIMITS_DEFAULT);
	grace_ms = 300;
	for (size_t i = 0; i < array_count(fd); i++)
		fd[i] = client_open(port);
	for (int i = 0; i < 3000; i++) {
		int *at = &fd[prng_below(&prng, array_count(fd))];
		char junk[3000] = { 0 };
		uint64_t kind = prng_below(&prng, 100);

		out.size = 0;
		if (kind < 60)
			add_command(&out, i, command[prng_below(&prng, array_count(command))]);
		else if (kind < 75)
			add_produce(&out, i, (int16_t)(kind % 2), (int32_t)(kind % 4),
			            (struct span){ (uint8_t *)junk, kind * 30 });
		else if (kind < 90)
			add_fetch(&out, i, kind % 2 ? "file" : "memory", part, array_count(part));
		else if (kind < 93)
			buf_add(&out, "\0\0\0\x09\0\x03", 6);
		/* The broker may have closed it meanwhile: then this is lost, as it should be. */
		(void)!send(*at, out.data, out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)!recv(*at, junk, sizeof(junk), MSG_DONTWAIT);
		if (kind < 96)
			continue;
		if (kind % 2)
			client_reset(*at);
		else
			close(*at);
		*at = client_open(port);
	}
	server_stop();
	for (size_t i = 0; i < array_count(fd); i++)
		close(fd[i]);
	assert_int_equal(atomic_load(&resumed_late), 0);
	buf_fini(&out);
	file_drop();
}

/* ---- ApiVersions ---- */

static struct answer ask_versions(int fd, uint16_t version, const char *software, int16_t answered)
{
	const struct wire_api *api = wire_api_find(API_API_VERSIONS);
	struct api_versions_request r;
	struct buf out = { 0 };
	struct answer a;

	api_versions_request_init(&r);
	r.client_software_name = str_of(software);
	r.client_software_version = STR("1.0");
	add_frame(&out, api, version > 4 ? 4 : (int16_t)version, 9, &r);
	store_be16(out.data + 6, version);
	send_bytes(fd, out.data, out.size);
	buf_fini(&out);
	a = recv_answer(fd, API_API_VERSIONS, answered);
	assert_int_equal(a.correlation, 9);
	return a;
}

static void api_versions_shows_what_the_listener_serves(void **state)
{
	static const int16_t shown[][3] = {
		{ 0, 0, 13 }, { 1, 4, 18 }, { 10, 0, 3 }, { 18, 0, 4 }
	};
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (int16_t version = 0; version <= 4; version++) {
		struct answer a = ask_versions(fd, (uint16_t)version, "tester", version);
		const struct api_versions_response *r = a.body;

		assert_int_equal(r->error_code, WIRE_NONE);
		assert_int_equal(r->api_keys_count, array_count(shown));
		for (size_t i = 0; i < array_count(shown); i++) {
			assert_int_equal(r->api_keys[i].api_key, shown[i][0]);
			assert_int_equal(r->api_keys[i].min_version, shown[i][1]);
			assert_int_equal(r->api_keys[i].max_version, shown[i][2]);
		}
		assert_int_equal(r->supported_features_count, version < 3   ? 0
		                                              : version < 4 ? 1
		                                                            : 7);
		assert_int_equal(r->finalized_features_epoch, -1);
		assert_false(r->zk_migration_ready);
		answer_free(&a);
	}
	close(fd);
	fd = client_open(controller_port);
	{
		struct answer a = ask_versions(fd, 0, "", 0);
		const struct api_versions_response *r = a.body;

		assert_int_equal(r->api_keys_count, 2);
		assert_int_equal(r->api_keys[0].api_key, API_FETCH);
		assert_int_equal(r->api_keys[1].api_key, API_API_VERSIONS);
		answer_free(&a);
	}
	close(fd);
	server_stop();
}

static void api_versions_of_the_future_is_answered_as_version_0(void **state)
{
	static const uint16_t versions[] = { 5, 99, 0x7fff, 0xffff };
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (size_t i = 0; i < array_count(versions); i++) {
		struct answer a = ask_versions(fd, versions[i], "tester", 0);
		const struct api_versions_response *r = a.body;

		assert_int_equal(r->error_code, WIRE_UNSUPPORTED_VERSION);
		assert_int_equal(r->api_keys_count, 1);
		assert_int_equal(r->api_keys[0].api_key, API_API_VERSIONS);
		assert_int_equal(r->api_keys[0].min_version, 0);
		assert_int_equal(r->api_keys[0].max_version, 4);
		answer_free(&a);
	}
	send_command(fd, 1, "echo open");
	expect_text(fd, 1, "open");
	close(fd);
	server_stop();
}

static void a_client_must_have_a_decent_name(void **state)
{
	static const struct {
		const char *name;
		bool right;
	} names[] = {
		{ "a", true },    { "apache-kafka-java", true },
		{ "a..b", true }, { "9-9", true },
		{ "", false },    { "-a", false },
		{ "a.", false },  { "a b", false },
		{ "a\n", false }, { "a_b", false },
		{ ".", false },   { "\xc3\xa9", false },
	};
	int fd;

	(void)state;
	server_open(1, &CONN_LIMITS_DEFAULT);
	fd = client_open(port);
	for (size_t i = 0; i < array_count(names); i++) {
		struct answer a = ask_versions(fd, 3, names[i].name, 3);
		const struct api_versions_response *r = a.body;

		assert_int_equal(r->error_code, names[i].right ? WIRE_NONE : WIRE_INVALID_REQUEST);
		assert_int_equal(r->api_keys_count > 0, names[i].right);
		answer_free(&a);
	}
	close(fd);
	server_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_in_the_order_of_requests),
		cmocka_unit_test(connections_do_not_wait_for_each_other),
		cmocka_unit_test(produce_follows_produce_and_nothing_else_does),
		cmocka_unit_test(a_request_without_answer_is_followed_by_the_next),
		cmocka_unit_test(parts_run_anywhere_and_the_last_resumes_the_call),
		cmocka_unit_test(a_call_may_yield_as_often_as_it_likes),
		cmocka_unit_test(a_timer_may_answer_before_the_parts_are_done),
		cmocka_unit_test(a_reset_detaches_what_runs),
		cmocka_unit_test(who_has_only_stopped_writing_still_gets_its_answers),
		cmocka_unit_test(closing_a_call_sends_earlier_answers_first),
		cmocka_unit_test(slices_of_files_arrive_with_exactly_their_bytes),
		cmocka_unit_test(an_answer_may_have_thousands_of_slices),
		cmocka_unit_test(a_slice_beyond_its_file_closes_the_connection),
		cmocka_unit_test(a_slow_reader_holds_up_only_itself),
		cmocka_unit_test(a_reader_who_stops_for_good_is_idle),
		cmocka_unit_test(a_reset_in_the_middle_of_a_file_frees_it),
		cmocka_unit_test(a_stop_answers_what_was_begun_and_begins_nothing),
		cmocka_unit_test(a_stop_ends_what_takes_longer_than_the_grace),
		cmocka_unit_test(a_stop_with_nothing_to_do_is_over_at_once),
		cmocka_unit_test(anything_at_once_and_a_stop_in_the_middle),
		cmocka_unit_test(api_versions_shows_what_the_listener_serves),
		cmocka_unit_test(api_versions_of_the_future_is_answered_as_version_0),
		cmocka_unit_test(a_client_must_have_a_decent_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
