/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "broker/limits.h"
#include "conn_fixture.h"

/* Answers of many bytes, of memory and of files, arrive whole or not at all. */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_of_files_arrive_with_exactly_their_bytes),
		cmocka_unit_test(an_answer_may_have_thousands_of_slices),
		cmocka_unit_test(a_slice_beyond_its_file_closes_the_connection),
		cmocka_unit_test(a_slow_reader_holds_up_only_itself),
		cmocka_unit_test(a_reader_who_stops_for_good_is_idle),
		cmocka_unit_test(a_reset_in_the_middle_of_a_file_frees_it),
		cmocka_unit_test(anything_at_once_and_a_stop_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
