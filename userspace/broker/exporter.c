/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/exporter.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "broker/diag.h"
#include "exporter_private.h"
#include "io/net.h"

/* What each reactor has of it. */
struct exporter_shard {
	struct exporter *exporter;
	struct list conns; /* struct http */
	struct mail end;
};

struct exporter {
	struct broker *broker;
	struct listener *listener;
	int64_t begun_ms;
	_Atomic(uint32_t) open;
	_Atomic(bool) is_stopping;
	_Atomic(int) shards_left;
	struct mail stopped_mail;
	void (*stopped)(void *arg);
	void *stopped_arg;
	int shard_count;
	struct exporter_shard shard[];
};

/* One connection: it reads a request, and goes when the answer is sent. */
struct http {
	struct sock_owner owner;
	struct sock *sock;
	struct exporter *exporter;
	struct list link;
	struct timer timer;
	struct mail again;
	bool is_posted;
	bool is_dead;
	bool is_full;    /* the peer reads too slowly */
	bool is_chunked; /* HTTP/1.1 */
	bool is_last;    /* nothing follows what is in `out` */
	char *request;   /* NULL: it is being answered */
	size_t request_size;
	struct scrape *scrape;
	struct buf piece;
	struct buf out;
	size_t sent;
};

/* ---- the end ---- */

static void end(struct http *h)
{
	struct exporter *e = h->exporter;

	if (h->is_dead)
		return;
	h->is_dead = true;
	sock_close(h->sock);
	timer_disarm(&h->timer);
	scrape_drop(h->scrape);
	list_remove(&h->link);
	mem_free(h->request);
	buf_fini(&h->piece);
	buf_fini(&h->out);
	atomic_fetch_sub_explicit(&e->open, 1, memory_order_relaxed);
	if (!h->is_posted)
		mem_free(h);
}

static void post(struct http *h)
{
	if (h->is_posted)
		return;
	h->is_posted = true;
	reactor_post(reactor_self(), &h->again);
}

/* ---- the answer ---- */

static void say_head(struct http *h, const char *status, const char *type)
{
	buf_printf(&h->out,
	           "HTTP/1.1 %s\r\nContent-Type: %s\r\nCache-Control: no-store\r\n"
	           "X-Content-Type-Options: nosniff\r\nConnection: close\r\n",
	           status, type);
}

static void say_text(struct http *h, const char *status, const char *text)
{
	say_head(h, status, "text/plain; charset=utf-8");
	buf_printf(&h->out, "%sContent-Length: %zu\r\n\r\n%s",
	           strncmp(status, "405", 3) ? "" : "Allow: GET\r\n", strlen(text), text);
	h->is_last = true;
}

static void frame_piece(struct http *h)
{
	bool is_done = h->scrape->phase == SCRAPE_DONE;

	if (h->piece.size && h->is_chunked)
		buf_printf(&h->out, "%zx\r\n", h->piece.size);
	buf_add(&h->out, h->piece.data, h->piece.size);
	if (h->piece.size && h->is_chunked)
		buf_add_str(&h->out, STR("\r\n"));
	if (is_done && h->is_chunked)
		buf_add_str(&h->out, STR("0\r\n\r\n"));
	h->piece.size = 0;
	h->is_last = is_done;
}

/* False: the connection has ended. */
static bool send_out(struct http *h)
{
	while (h->sent < h->out.size) {
		struct iovec iov = { h->out.data + h->sent, h->out.size - h->sent };
		ssize_t n = sock_send(h->sock, &iov, 1, false);

		if (n == -EAGAIN) {
			h->is_full = true;
			return true;
		}
		if (n <= 0) {
			end(h);
			return false;
		}
		h->sent += (size_t)n;
	}
	h->out.size = h->sent = 0;
	if (!h->is_last)
		return true;
	end(h);
	return false;
}

/* A piece a turn; the next one is made when this one was taken. */
static void answer(struct http *h)
{
	if (h->is_full || h->scrape->is_waiting)
		return;
	scrape_step(h->scrape, &h->piece);
	if (h->scrape->is_waiting)
		return;
	frame_piece(h);
	if (send_out(h))
		post(h);
}

static void on_scrape_ready(void *arg)
{
	post(arg);
}

static void begin_answer(struct http *h)
{
	say_head(h, "200 OK", "text/plain; version=0.0.4; charset=utf-8");
	buf_add_str(&h->out,
	            h->is_chunked ? STR("Transfer-Encoding: chunked\r\n\r\n") : STR("\r\n"));
	h->scrape = scrape_new(h->exporter->broker, h->exporter->begun_ms, on_scrape_ready, h);
	post(h);
}

/* ---- the request ---- */

/* "GET /metrics?x HTTP/1.1" */
static void dispatch(struct http *h, char *line)
{
	char *save;
	const char *method = strtok_r(line, " ", &save);
	char *target = strtok_r(NULL, " ", &save);
	const char *version = strtok_r(NULL, " ", &save);

	if (!method || !target || !version || strncmp(version, "HTTP/1.", 7) ||
	    strtok_r(NULL, " ", &save)) {
		say_text(h, "400 Bad Request", "This is not an HTTP/1.1 request.\n");
		return;
	}
	h->is_chunked = strcmp(version, "HTTP/1.0");
	target[strcspn(target, "?")] = '\0';
	if (strcmp(method, "GET"))
		say_text(h, "405 Method Not Allowed", "Only GET is served here.\n");
	else if (!strcmp(target, "/"))
		say_text(h, "200 OK", "sluiced: metrics are at /metrics\n");
	else if (strcmp(target, "/metrics"))
		say_text(h, "404 Not Found", "Metrics are at /metrics.\n");
	else
		begin_answer(h);
}

static void requested(struct http *h)
{
	char *request = h->request;

	h->request = NULL;
	timer_arm(&h->timer, mono_ms() + EXPORTER_ANSWER_MS);
	if (memchr(request, '\0', h->request_size))
		request[0] = '\0';
	request[strcspn(request, "\r\n")] = '\0';
	dispatch(h, request);
	mem_free(request);
	send_out(h);
}

static void receive(struct http *h)
{
	while (h->request_size < EXPORTER_REQUEST_BYTES) {
		ssize_t n = sock_recv(h->sock, h->request + h->request_size,
		                      EXPORTER_REQUEST_BYTES - h->request_size);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			end(h);
			return;
		}
		h->request_size += (size_t)n;
		h->request[h->request_size] = '\0';
		if (memmem(h->request, h->request_size, "\r\n\r\n", 4) ||
		    memmem(h->request, h->request_size, "\n\n", 2)) {
			requested(h);
			return;
		}
	}
	mem_free(h->request);
	h->request = NULL;
	say_text(h, "431 Request Header Fields Too Large", "The request is too long.\n");
	send_out(h);
}

/* ---- events ---- */

static void go_on(struct http *h)
{
	if (h->request)
		receive(h);
	else if (!h->is_full && send_out(h) && h->scrape)
		answer(h);
}

static void on_event(struct sock_owner *owner, unsigned int events)
{
	struct http *h = container_of(owner, struct http, owner);

	if (events & SOCK_WRITABLE)
		h->is_full = false;
	if (!h->is_posted)
		go_on(h);
}

static void on_again(struct mail *mail)
{
	struct http *h = container_of(mail, struct http, again);

	h->is_posted = false;
	if (h->is_dead)
		mem_free(h);
	else
		go_on(h);
}

static void on_timer(struct timer *timer)
{
	end(container_of(timer, struct http, timer));
}

static struct sock_owner *accepted(void *arg, struct sock *sock)
{
	struct exporter *e = arg;
	struct http *h;

	if (atomic_load(&e->is_stopping) || !metadata_image(e->broker->metadata))
		return NULL;
	if (atomic_fetch_add_explicit(&e->open, 1, memory_order_relaxed) >= EXPORTER_CONNECTIONS) {
		atomic_fetch_sub_explicit(&e->open, 1, memory_order_relaxed);
		return NULL;
	}
	h = mem_zalloc(sizeof(*h));
	h->owner.event = on_event;
	h->sock = sock;
	h->exporter = e;
	h->again.run = on_again;
	h->request = mem_alloc(EXPORTER_REQUEST_BYTES + 1);
	list_push(&e->shard[reactor_self()].conns, &h->link);
	timer_init(&h->timer, on_timer);
	timer_arm(&h->timer, mono_ms() + EXPORTER_REQUEST_MS);
	return &h->owner;
}

/* ---- life ---- */

static void end_shard(struct mail *mail)
{
	struct exporter_shard *s = container_of(mail, struct exporter_shard, end);

	while (!list_is_empty(&s->conns))
		end(list_entry(s->conns.next, struct http, link));
	/* Acquire and release: what every reactor did comes before stopped(). */
	if (atomic_fetch_sub_explicit(&s->exporter->shards_left, 1, memory_order_acq_rel) == 1)
		reactor_post(0, &s->exporter->stopped_mail);
}

static void all_stopped(struct mail *mail)
{
	struct exporter *e = container_of(mail, struct exporter, stopped_mail);

	e->stopped(e->stopped_arg);
}

int exporter_open(struct broker *broker, const char *host, uint16_t port, struct exporter **ret)
{
	int count = reactor_count();
	struct exporter *e = mem_zalloc(sizeof(*e) + (size_t)count * sizeof(e->shard[0]));
	const struct listener_handler handler = { .accepted = accepted, .arg = e };
	int err;

	e->broker = broker;
	e->begun_ms = wall_ms();
	e->stopped_mail.run = all_stopped;
	e->shard_count = count;
	for (int i = 0; i < count; i++) {
		e->shard[i].exporter = e;
		e->shard[i].end.run = end_shard;
		list_init(&e->shard[i].conns);
	}
	err = listener_open(host, port, &handler, &e->listener);
	if (err) {
		mem_free(e);
		return err;
	}
	*ret = e;
	return 0;
}

uint16_t exporter_port(const struct exporter *e)
{
	return listener_port(e->listener);
}

void exporter_stop(struct exporter *e, void (*stopped)(void *arg), void *arg)
{
	if (!e) {
		stopped(arg);
		return;
	}
	e->stopped = stopped;
	e->stopped_arg = arg;
	atomic_store(&e->is_stopping, true);
	listener_close(e->listener);
	e->listener = NULL;
	atomic_store(&e->shards_left, e->shard_count);
	for (int i = 0; i < e->shard_count; i++)
		reactor_post(i, &e->shard[i].end);
}

void exporter_free(struct exporter *e)
{
	mem_free(e);
}
