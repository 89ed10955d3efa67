/* SPDX-License-Identifier: Apache-2.0 */
#include "io/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or with @ in place of the zero byte a name that is in no file system. */
static bool find_socket(struct sockaddr_un *ret, socklen_t *ret_size)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t size = name ? strlen(name) : 0;

	if (size < 2 || size >= sizeof(ret->sun_path) || (*name != '/' && *name != '@'))
		return false;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, name, size);
	if (*name == '@')
		ret->sun_path[0] = '\0';
	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (*name == '/'));
	return true;
}

void notify_send(const char *text)
{
	struct sockaddr_un to;
	socklen_t size;
	int fd;

	if (!find_socket(&to, &size))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Who does not take it will not be waited for. */
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&to, size);
	close(fd);
}

static uint64_t number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;
	uint64_t value;

	if (!text || *text < '0' || *text > '9')
		return 0;
	value = strtoull(text, &end, 10);
	return *end ? 0 : value;
}

uint64_t notify_watchdog_ms(void)
{
	/* Inherited from a parent it is not meant for us. */
	if (getenv("WATCHDOG_PID") && number_of("WATCHDOG_PID") != (uint64_t)getpid())
		return 0;
	return number_of("WATCHDOG_USEC") / 1000;
}

bool notify_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device;
	unsigned long long inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}
