/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"
#include "kafka.h"
#include "wire/api_versions.h"

enum {
	ANSWER_TIMEOUT_S = 30,
	ANSWER_BYTES_MAX = 1 << 28,
	PIECE_BYTES = 1 << 16,
	KEYS = WIRE_API_MAX + 1,
};

struct conn {
	int fd;
	int32_t correlation;
	char address[300];
	struct arena arena; /* of `features` */
	struct api_versions_response features;
	struct conn_version version[KEYS];
};

static const char not_kafka[] = "what answers is no Kafka listener, or one with TLS or SASL";

/* ---- bytes ---- */

static const char *trouble(void)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return "no answer in time";
	return strerror(errno);
}

static const char *send_all(int fd, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return trouble();
		data += n;
		size -= (size_t)n;
	}
	return NULL;
}

/* Grows with what has come, not with what is claimed. */
static const char *receive_bytes(int fd, struct buf *to, size_t size)
{
	while (size) {
		size_t piece = size < PIECE_BYTES ? size : PIECE_BYTES;
		ssize_t n;

		buf_reserve(to, piece);
		n = recv(fd, to->data + to->size, piece, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return trouble();
		if (!n)
			return "the connection was closed instead of an answer; is it a Kafka "
			       "listener without TLS and SASL?";
		to->size += (size_t)n;
		size -= (size_t)n;
	}
	return NULL;
}

/* ---- connecting ---- */

static const char *finish_connect(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int err = 0;
	int n = poll(&p, 1, CLI_TIMEOUT_MS);

	if (!n)
		return "no connection in time";
	if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size))
		err = errno;
	if (err == ECONNREFUSED)
		return "connection refused";
	return err ? strerror(err) : NULL;
}

static const char *connect_to(const struct addrinfo *to, int *ret_fd)
{
	struct timeval limit = { .tv_sec = ANSWER_TIMEOUT_S };
	int one = 1;
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *why = NULL;

	if (fd < 0)
		return strerror(errno);
	if (connect(fd, to->ai_addr, to->ai_addrlen))
		why = errno == EINPROGRESS    ? finish_connect(fd)
		      : errno == ECONNREFUSED ? "connection refused"
		                              : strerror(errno);
	if (!why && fcntl(fd, F_SETFL, 0))
		why = strerror(errno);
	if (why) {
		close(fd);
		return why;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	*ret_fd = fd;
	return NULL;
}

static const char *dial(const char *host, const char *port, int *ret_fd)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	const char *why = NULL;

	if (getaddrinfo(host, port, &hints, &list))
		return "the name has no address";
	for (struct addrinfo *a = list; a; a = a->ai_next) {
		why = connect_to(a, ret_fd);
		if (!why)
			break;
	}
	freeaddrinfo(list);
	return why;
}

/* ---- asking ---- */

static void encode(struct conn *c, struct buf *out, const struct wire_api *api, int16_t version,
                   const void *request)
{
	static const char client[] = "sluice";
	struct writer w = writer_of(out);

	writer_i32(&w, 0);
	writer_i16(&w, api->key);
	writer_i16(&w, version);
	writer_i32(&w, ++c->correlation);
	writer_i16(&w, sizeof(client) - 1);
	buf_add(out, client, sizeof(client) - 1);
	if (wire_request_header_version(api, version) == 2)
		writer_u8(&w, 0);
	message_encode(api->request, version, &w, request);
	store_be32(out->data, (uint32_t)(out->size - 4));
}

static const char *receive(struct conn *c, struct buf *in)
{
	const char *why = receive_bytes(c->fd, in, 4);
	uint32_t size;

	if (why)
		return why;
	size = load_be32(in->data);
	if (size < 4 || size > ANSWER_BYTES_MAX)
		return not_kafka;
	in->size = 0;
	why = receive_bytes(c->fd, in, size);
	if (!why && (int32_t)load_be32(in->data) != c->correlation)
		return not_kafka;
	return why;
}

static const char *decode(const struct buf *in, const struct wire_api *api, int16_t version,
                          struct arena *arena, void *ret)
{
	uint8_t *frame = arena_alloc(arena, in->size);
	struct reader r;

	memcpy(frame, in->data, in->size);
	r = reader_of(frame, in->size);
	(void)reader_i32(&r);
	/* A broker that does not know our version of ApiVersions answers in its first. */
	if (api->key == API_API_VERSIONS && in->size >= 6 &&
	    (int16_t)load_be16(frame + 4) == WIRE_UNSUPPORTED_VERSION)
		version = 0;
	if (wire_response_header_version(api, version) == 1)
		reader_skip_tags(&r);
	if (r.err || message_decode(api->response, version, &r, arena, ret))
		return "the answer cannot be decoded";
	return NULL;
}

const char *conn_call(struct conn *c, const struct wire_api *api, int16_t version,
                      const void *request, struct arena *arena, void *ret)
{
	struct buf bytes = { 0 };
	const char *why;

	encode(c, &bytes, api, version, request);
	why = send_all(c->fd, bytes.data, bytes.size);
	bytes.size = 0;
	if (!why)
		why = receive(c, &bytes);
	if (!why)
		why = decode(&bytes, api, version, arena, ret);
	buf_fini(&bytes);
	return why;
}

static const char *negotiate(struct conn *c)
{
	const struct wire_api *api = wire_api_find(API_API_VERSIONS);
	struct api_versions_request r = { .client_software_name = STR("sluice"),
		                          .client_software_version = STR(SLUICE_VERSION) };
	const char *why = conn_call(c, api, 3, &r, &c->arena, &c->features);

	for (size_t i = 0; i < KEYS; i++)
		c->version[i] = (struct conn_version){ 0, -1 };
	if (why)
		return why;
	if (c->features.error_code && c->features.error_code != WIRE_UNSUPPORTED_VERSION)
		return wire_error_name(c->features.error_code);
	for (uint32_t i = 0; i < c->features.api_keys_count; i++) {
		const struct api_versions_response_api_version *v = &c->features.api_keys[i];

		if (v->api_key >= 0 && v->api_key < KEYS)
			c->version[v->api_key] =
				(struct conn_version){ v->min_version, v->max_version };
	}
	return NULL;
}

struct conn *conn_open(const char *host, const char *port, const char **ret_why)
{
	struct conn *c = mem_zalloc(sizeof(*c));

	c->fd = -1;
	arena_init(&c->arena, SIZE_MAX);
	snprintf(c->address, sizeof(c->address), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
	         port);
	*ret_why = dial(host, port, &c->fd);
	if (!*ret_why)
		*ret_why = negotiate(c);
	if (!*ret_why)
		return c;
	conn_close(c);
	return NULL;
}

void conn_close(struct conn *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	arena_fini(&c->arena);
	mem_free(c);
}

struct conn_version conn_version(const struct conn *c, int16_t key)
{
	return c->version[key];
}

const char *conn_address(const struct conn *c)
{
	return c->address;
}

const struct api_versions_response *conn_features(const struct conn *c)
{
	return &c->features;
}
