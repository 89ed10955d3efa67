/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/diag.h"
#include "io/notify.h"

/* A manager that listens on `name`, as NOTIFY_SOCKET has it. */
static int listen_on(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(at.sun_path, name, strlen(name));
	if (*name == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&at, size + (*name != '@')), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void assert_heard(int fd, const char *text)
{
	char heard[256];
	ssize_t n = recv(fd, heard, sizeof(heard) - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	heard[n] = '\0';
	assert_string_equal(heard, text);
}

static void a_manager_hears_what_is_said(void **state)
{
	char dir[] = "/tmp/sluice-notify-XXXXXX", path[64], name[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	fd = listen_on(path);
	notify_send("READY=1\nSTATUS=well");
	assert_heard(fd, "READY=1\nSTATUS=well");
	close(fd);
	unlink(path);
	rmdir(dir);
	snprintf(name, sizeof(name), "@sluice-notify-%d", (int)getpid());
	fd = listen_on(name);
	notify_send("STOPPING=1");
	assert_heard(fd, "STOPPING=1");
	close(fd);
}

static void without_a_manager_nothing_happens(void **state)
{
	char large[300];

	(void)state;
	memset(large, 'a', sizeof(large));
	large[0] = '/';
	large[sizeof(large) - 1] = '\0';
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "", 1);
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "vsock:1:2", 1);
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", large, 1);
	notify_send("READY=1");
	unsetenv("NOTIFY_SOCKET");
}

/* A full socket must not hold up a reactor. */
static void a_manager_that_does_not_listen_is_not_waited_for(void **state)
{
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@sluice-notify-full-%d", (int)getpid());
	fd = listen_on(name);
	for (int i = 0; i < 10000; i++)
		notify_send("WATCHDOG=1");
	assert_heard(fd, "WATCHDOG=1");
	close(fd);
	unsetenv("NOTIFY_SOCKET");
}

static void the_watchdog_is_ours_or_not(void **state)
{
	char pid[16];

	(void)state;
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(notify_watchdog_ms(), 30000);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog_ms(), 30000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_ms(), 0);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "-1", 1);
	assert_int_equal(notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "10s", 1);
	assert_int_equal(notify_watchdog_ms(), 0);
	unsetenv("WATCHDOG_USEC");
}

static void the_journal_is_known_by_its_inode(void **state)
{
	struct stat st;
	char text[64];

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	unsetenv("JOURNAL_STREAM");
	assert_false(notify_is_journal());
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	assert_true(notify_is_journal());
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", text, 1);
	assert_false(notify_is_journal());
	setenv("JOURNAL_STREAM", "here", 1);
	assert_false(notify_is_journal());
	unsetenv("JOURNAL_STREAM");
}

/* ---- lines ---- */

static char said[256];

static void listen_in(const char *line, size_t size)
{
	assert_int_equal(strlen(line), size);
	snprintf(said, sizeof(said), "%s", line);
}

static void the_journal_gets_priorities_and_others_the_time(void **state)
{
	(void)state;
	diag_sink_set(listen_in);
	diag_journal_set(true);
	diag_error("log", "%d bytes", 3);
	assert_string_equal(said, "<3>log: 3 bytes\n");
	diag_warn("conn", "closed");
	assert_string_equal(said, "<4>conn: closed\n");
	diag_info("broker", "ready");
	assert_string_equal(said, "<6>broker: ready\n");
	diag_debug("broker", "not shown");
	assert_string_equal(said, "<6>broker: ready\n");
	diag_journal_set(false);
	diag_warn("conn", "closed");
	assert_true(said[0] == '2' && said[10] == 'T');
	assert_string_equal(said + 23, "Z WARN  conn: closed\n");
	diag_sink_set(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manager_hears_what_is_said),
		cmocka_unit_test(without_a_manager_nothing_happens),
		cmocka_unit_test(a_manager_that_does_not_listen_is_not_waited_for),
		cmocka_unit_test(the_watchdog_is_ours_or_not),
		cmocka_unit_test(the_journal_is_known_by_its_inode),
		cmocka_unit_test(the_journal_gets_priorities_and_others_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
