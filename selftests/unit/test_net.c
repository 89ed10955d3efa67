/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/net.h"
#include "io/reactor.h"

enum { ECHO_BYTES = 1 << 20, CHUNK = 1500, FILE_BYTES = 12 * 1024 * 1024 + 77 };

static uint8_t byte_at(uint64_t position)
{
	return (uint8_t)(position * 2654435761u >> 13);
}

/* ---- an echo server that keeps what it could not send ---- */

struct echo {
	struct sock_owner owner;
	struct sock *sock;
	uint8_t buf[CHUNK];
	size_t from, to;
	bool ended;
};

static struct listener *listener;
static atomic_int echoes;
static atomic_int wrong_owners;

static void echo_event(struct sock_owner *self, unsigned int events)
{
	struct echo *e = container_of(self, struct echo, owner);
	struct iovec iov;
	ssize_t n;

	(void)events;
	for (;;) {
		while (e->from < e->to) {
			iov = (struct iovec){ e->buf + e->from, e->to - e->from };
			n = sock_send(e->sock, &iov, 1, false);
			if (n == -EAGAIN)
				return;
			if (n < 0)
				goto end;
			e->from += (size_t)n;
		}
		n = sock_recv(e->sock, e->buf, sizeof(e->buf));
		if (n == -EAGAIN)
			return;
		if (n <= 0)
			goto end;
		e->from = 0;
		e->to = (size_t)n;
	}
end:
	sock_close(e->sock);
	mem_free(e);
	atomic_fetch_sub(&echoes, 1);
}

static struct sock_owner *echo_accepted(void *arg, struct sock *s)
{
	struct echo *e = mem_zalloc(sizeof(*e));

	(void)arg;
	if (reactor_self() == REACTOR_NONE || !sock_peer(s).is_loopback ||
	    strcmp(sock_peer(s).host, "127.0.0.1") || sock_local(s).port != listener_port(listener))
		atomic_fetch_add(&wrong_owners, 1);
	e->owner.event = echo_event;
	e->sock = s;
	atomic_fetch_add(&echoes, 1);
	return &e->owner;
}

/* ---- clients that send ECHO_BYTES and read them back ---- */

enum { CLIENTS = 12 };
struct client {
	struct sock_owner owner;
	struct sock *sock;
	size_t sent, received;
	bool right;
};

static struct client clients[CLIENTS];
static int clients_left;
static struct timer patience, parting;

static void give_up(struct timer *t)
{
	(void)t;
	reactors_stop();
}

static void stop_when_all_left(struct timer *t)
{
	if (atomic_load(&echoes))
		timer_arm(t, mono_ms() + 1);
	else
		reactors_stop();
}

static void client_send(struct client *c)
{
	uint8_t part[4][3000];
	struct iovec iov[4];
	ssize_t n;

	while (c->sent < ECHO_BYTES) {
		size_t left = ECHO_BYTES - c->sent, at = c->sent;
		int count = 0;

		for (; count < 4 && left; count++) {
			size_t size = left < sizeof(part[0]) ? left : sizeof(part[0]);

			for (size_t i = 0; i < size; i++)
				part[count][i] = byte_at(at++);
			iov[count] = (struct iovec){ part[count], size };
			left -= size;
		}
		n = sock_send(c->sock, iov, count, false);
		if (n < 0) {
			c->right &= n == -EAGAIN;
			return;
		}
		c->sent += (size_t)n;
	}
}

static void client_receive(struct client *c)
{
	uint8_t buf[4096];
	ssize_t n;

	while ((n = sock_recv(c->sock, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			c->right &= buf[i] == byte_at(c->received++);
	c->right &= n == -EAGAIN;
}

static void client_event(struct sock_owner *self, unsigned int events)
{
	struct client *c = container_of(self, struct client, owner);

	if (events & SOCK_WRITABLE)
		client_send(c);
	if (events & SOCK_READABLE)
		client_receive(c);
	if (c->received < ECHO_BYTES && c->right)
		return;
	sock_close(c->sock);
	if (!--clients_left) {
		listener_close(listener);
		timer_init(&parting, stop_when_all_left);
		timer_arm(&parting, 0);
	}
}

static void connect_all(void *arg)
{
	struct listener_handler handler = { .accepted = echo_accepted };

	(void)arg;
	atomic_store(&wrong_owners, 0);
	assert_int_equal(listener_open("127.0.0.1", 0, &handler, &listener), 0);
	assert_true(listener_port(listener) != 0);
	clients_left = CLIENTS;
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){ .owner.event = client_event, .right = true };
		assert_int_equal(sock_connect("127.0.0.1", listener_port(listener),
		                              &clients[i].owner, &clients[i].sock),
		                 0);
	}
	timer_init(&patience, give_up);
	timer_arm(&patience, mono_ms() + 20000);
}

static void run(int count, void (*start)(void *arg))
{
	struct reactors_options options = { .count = count };

	assert_int_equal(reactors_open(&options), 0);
	reactors_run(start, NULL);
	reactors_close();
}

static void every_byte_comes_back_through_partial_writes(void **state)
{
	(void)state;
	for (int count = 1; count <= 3; count++) {
		run(count, connect_all);
		assert_int_equal(clients_left, 0);
		assert_int_equal(atomic_load(&wrong_owners), 0);
		for (int i = 0; i < CLIENTS; i++) {
			assert_true(clients[i].right);
			assert_int_equal(clients[i].received, ECHO_BYTES);
		}
	}
}

/* ---- a file, by sendfile, between a head and a tail ---- */

static struct dir *dir;
static struct file *file;

struct feeder {
	struct sock_owner owner;
	struct sock *sock;
	uint64_t sent; /* of head, file and tail */
};
static struct feeder feeder;

enum { HEAD = 10, TAIL = 5 };

static void feed(struct sock_owner *self, unsigned int events)
{
	struct feeder *f = container_of(self, struct feeder, owner);
	static const char head[HEAD + 1] = "0123456789", tail[TAIL + 1] = "abcde";
	ssize_t n;

	(void)events;
	while (f->sent < HEAD + FILE_BYTES + TAIL) {
		if (f->sent < HEAD) {
			struct iovec iov = { (void *)(uintptr_t)(head + f->sent), HEAD - f->sent };

			n = sock_send(f->sock, &iov, 1, true);
		} else if (f->sent < HEAD + FILE_BYTES) {
			n = sock_send_file(f->sock, file, f->sent - HEAD,
			                   HEAD + FILE_BYTES - f->sent, true);
		} else {
			size_t at = f->sent - HEAD - FILE_BYTES;
			struct iovec iov = { (void *)(uintptr_t)(tail + at), TAIL - at };

			n = sock_send(f->sock, &iov, 1, false);
		}
		if (n == -EAGAIN)
			return;
		assert_true(n > 0);
		f->sent += (uint64_t)n;
	}
	assert_int_equal(sock_send_file(f->sock, file, FILE_BYTES, 100, false), 0);
	sock_close(f->sock);
}

static struct sock_owner *feeder_accepted(void *arg, struct sock *s)
{
	(void)arg;
	feeder = (struct feeder){ .owner.event = feed, .sock = s };
	feed(&feeder.owner, 0); /* nothing said -EAGAIN yet, so no event would begin it */
	return &feeder.owner;
}

struct eater {
	struct sock_owner owner;
	struct sock *sock;
	uint64_t got;
	bool right;
};
static struct eater eater;

static void eat(struct sock_owner *self, unsigned int events)
{
	struct eater *e = container_of(self, struct eater, owner);
	static uint8_t buf[65536];
	ssize_t n;

	(void)events;
	while ((n = sock_recv(e->sock, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++, e->got++) {
			uint8_t want = e->got < HEAD ? (uint8_t)('0' + e->got)
			               : e->got < HEAD + FILE_BYTES
			                       ? byte_at(e->got - HEAD)
			                       : (uint8_t)('a' + (e->got - HEAD - FILE_BYTES));

			e->right &= buf[i] == want;
		}
	if (n == -EAGAIN)
		return;
	e->right &= n == 0;
	sock_close(e->sock);
	reactors_stop();
}

static void serve_file(void *arg)
{
	struct listener_handler handler = { .accepted = feeder_accepted };

	(void)arg;
	eater = (struct eater){ .owner.event = eat, .right = true };
	assert_int_equal(listener_open("127.0.0.1", 0, &handler, &listener), 0);
	assert_int_equal(
		sock_connect("127.0.0.1", listener_port(listener), &eater.owner, &eater.sock), 0);
	timer_init(&patience, give_up);
	timer_arm(&patience, mono_ms() + 20000);
}

static void a_large_file_arrives_whole_between_head_and_tail(void **state)
{
	char path[] = "/tmp/sluice-net-XXXXXX";
	uint8_t *data = mem_alloc(FILE_BYTES);
	struct iovec iov = { data, FILE_BYTES };

	(void)state;
	assert_non_null(mkdtemp(path));
	for (size_t i = 0; i < FILE_BYTES; i++)
		data[i] = byte_at(i);
	assert_int_equal(dir_open(path, false, &dir), 0);
	assert_int_equal(file_open(dir, "f", FILE_READ | FILE_WRITE | FILE_CREATE, &file), 0);
	assert_int_equal(file_write(file, &iov, 1, 0), 0);
	for (int count = 1; count <= 2; count++) {
		run(count, serve_file);
		assert_true(eater.right);
		assert_int_equal(eater.got, HEAD + FILE_BYTES + TAIL);
	}
	file_put(file);
	assert_int_equal(dir_unlink(dir, "f"), 0);
	dir_close(dir);
	assert_int_equal(rmdir(path), 0);
	mem_free(data);
}

/* ---- listening ---- */

static void a_port_in_use_is_refused(void **state)
{
	struct reactors_options options = { .count = 2 };
	struct listener_handler handler = { .accepted = echo_accepted };
	struct listener *first, *second;

	(void)state;
	assert_int_equal(reactors_open(&options), 0);
	assert_int_equal(listener_open("127.0.0.1", 0, &handler, &first), 0);
	assert_int_equal(listener_open("127.0.0.1", listener_port(first), &handler, &second),
	                 -EADDRINUSE);
	assert_int_equal(listener_open("", listener_port(first), &handler, &second), -EADDRINUSE);
	assert_int_equal(listener_open("no such host", 1, &handler, &second), -EINVAL);
	reactors_close();
}

static int refusal;
static struct sock *refused;

static void refused_event(struct sock_owner *self, unsigned int events)
{
	struct iovec iov = { "x", 1 };

	(void)self;
	if (!(events & SOCK_WRITABLE))
		return;
	refusal = (int)sock_send(refused, &iov, 1, false);
	sock_close(refused);
	reactors_stop();
}

static struct sock_owner refused_owner = { refused_event };

static void connect_to_nobody(void *arg)
{
	uint16_t port;
	struct listener_handler handler = { .accepted = echo_accepted };

	(void)arg;
	assert_int_equal(listener_open("127.0.0.1", 0, &handler, &listener), 0);
	port = listener_port(listener);
	listener_close(listener);
	assert_int_equal(sock_connect("127.0.0.1", port, &refused_owner, &refused), 0);
	timer_init(&patience, give_up);
	timer_arm(&patience, mono_ms() + 20000);
}

static void a_failed_connection_says_why_and_a_closed_listener_refuses(void **state)
{
	(void)state;
	refusal = 0;
	run(1, connect_to_nobody);
	assert_int_equal(refusal, -ECONNREFUSED);
}

/* ---- no descriptors left ---- */

static struct rlimit old_limit;
static int hogs[64], hog_count;
static struct timer relief;

static void free_descriptors(struct timer *t)
{
	(void)t;
	while (hog_count)
		close(hogs[--hog_count]);
}

static void fill_descriptors(void *arg)
{
	struct rlimit limit = old_limit;
	int probe;

	connect_all(arg);
	probe = dup(0);
	limit.rlim_cur = (rlim_t)probe + 3;
	close(probe);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (hog_count < 64 && (hogs[hog_count] = dup(0)) >= 0)
		hog_count++;
	timer_init(&relief, free_descriptors);
	timer_arm(&relief, mono_ms() + 250);
}

static struct timer raise_limit_timer;

static void raise_limit(struct timer *t)
{
	(void)t;
	(void)setrlimit(RLIMIT_NOFILE, &old_limit);
}

static void fill_then_relieve(void *arg)
{
	fill_descriptors(arg);
	timer_init(&raise_limit_timer, raise_limit);
	timer_arm(&raise_limit_timer, mono_ms() + 250);
}

static void accepting_goes_on_after_descriptors_ran_out(void **state)
{
	int served = 0;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old_limit);
	run(1, fill_then_relieve);
	(void)setrlimit(RLIMIT_NOFILE, &old_limit);
	/* One peer was told by a closed connection; the others waited in the backlog. */
	for (int i = 0; i < CLIENTS; i++)
		served += clients[i].received == ECHO_BYTES;
	assert_int_equal(clients_left, 0);
	assert_true(served >= CLIENTS - 3 && served < CLIENTS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_comes_back_through_partial_writes),
		cmocka_unit_test(a_large_file_arrives_whole_between_head_and_tail),
		cmocka_unit_test(a_port_in_use_is_refused),
		cmocka_unit_test(a_failed_connection_says_why_and_a_closed_listener_refuses),
		cmocka_unit_test(accepting_goes_on_after_descriptors_ran_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
