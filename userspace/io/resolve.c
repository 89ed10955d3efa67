/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/net.h"

int host_resolve(const char *name, char ret_host[64])
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	const struct addrinfo *at;
	char host[64];
	int err = getaddrinfo(name, NULL, &hints, &found);

	if (err)
		return err == EAI_AGAIN ? -EAGAIN : -ENOENT;
	/* IPv4 first, as Java: "localhost" is 127.0.0.1. */
	for (at = found; at && at->ai_family != AF_INET; at = at->ai_next)
		continue;
	if (!at)
		at = found;
	err = getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(found);
	if (err)
		return -ENOENT;
	memcpy(ret_host, host, sizeof(host));
	return 0;
}

void host_name(char *ret, size_t size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME };
	struct addrinfo *found;
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) || !name[0])
		snprintf(name, sizeof(name), "localhost");
	if (!getaddrinfo(name, NULL, &hints, &found)) {
		if (found->ai_canonname)
			snprintf(name, sizeof(name), "%s", found->ai_canonname);
		freeaddrinfo(found);
	}
	snprintf(ret, size, "%s", name);
}
