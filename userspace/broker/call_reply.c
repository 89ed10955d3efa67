/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "conn_private.h"
#include "wire/header.h"

/*
 * An answer is a row of segments: bytes of the encoded response, and between them slices of files.
 * Small slices are read into memory at once, so that one system call sends them with all that is
 * around them; large ones go from the page cache to the socket.
 */
enum { GATHER = 64 }; /* pieces of memory in one send */

/* ---- making it ---- */

static struct call_segment *add_segment(struct call *call, size_t size)
{
	struct call_segment *segment;

	call->segment = mem_grow(call->segment, call->segment_count, &call->segment_capacity,
	                         sizeof(*call->segment));
	segment = &call->segment[call->segment_count++];
	*segment = (struct call_segment){ .size = size };
	return segment;
}

static void add_memory(struct call *call, const uint8_t *data, size_t size)
{
	if (size)
		add_segment(call, size)->bytes = (struct span){ data, size };
}

/* There is room in `side` for every small slice. */
static bool copy_slice(struct call *call, const struct file_slice *slice)
{
	uint8_t *at = call->side.data + call->side.size;

	if (!call->conn || slice->size >= LIMIT_SLICE_COPY_BYTES)
		return false;
	/* What is not known to be in memory is left to sendfile, as is the news of an error. */
	if (file_read_hot(slice->file, at, slice->size, slice->position) != (ssize_t)slice->size)
		return false;
	call->side.size += slice->size;
	add_memory(call, at, slice->size);
	return true;
}

static void add_slice(struct call *call, const struct wire_splice *splice)
{
	const struct file_slice *slice = splice->source;
	struct call_segment *segment;

	check(slice->size == splice->size);
	if (!slice->size || copy_slice(call, slice)) {
		file_put(slice->file);
		return;
	}
	segment = add_segment(call, slice->size);
	segment->file = slice->file;
	segment->position = slice->position;
}

/* Returns the bytes of the whole answer. */
static size_t lay_out(struct call *call, const struct wire_splice *splice, size_t count)
{
	const struct buf *out = &call->out;
	size_t total = out->size;
	size_t small = 0;
	size_t from = 0;

	for (size_t i = 0; i < count; i++) {
		total += splice[i].size;
		small += splice[i].size < LIMIT_SLICE_COPY_BYTES ? splice[i].size : 0;
	}
	call->side.size = 0;
	buf_reserve(&call->side, small);
	for (size_t i = 0; i < count; i++) {
		add_memory(call, out->data + from, splice[i].at - from);
		add_slice(call, &splice[i]);
		from = splice[i].at;
	}
	add_memory(call, out->data + from, out->size - from);
	return total;
}

static void count(const struct call *call, const void *response, size_t total)
{
	const struct message_field *code = call->meter->error_code;
	int16_t error = 0;

	if (code)
		memcpy(&error, (const char *)response + code->offset, sizeof(error));
	metrics_error(call->api, error);
	counter_add(&call->meter->bytes_out, total);
}

void call_reply(struct call *call, const void *response)
{
	struct response_header header = { .correlation_id = call->correlation_id };
	struct writer w = {
		.buf = &call->out,
		.can_splice = true,
		.splice = call->splice,
		.splice_capacity = call->splice_capacity,
	};
	size_t total;

	check(call->state == CALL_RUNNING);
	call->out.size = 0;
	(void)buf_extend(&call->out, 4);
	response_header_encode(&w, wire_response_header_version(call->api, call->version), &header);
	message_encode(call->api->response, call->version, &w, response);
	call->splice = w.splice;
	call->splice_capacity = w.splice_capacity;
	total = lay_out(call, w.splice, w.splice_count);
	if (total - 4 > INT32_MAX) {
		diag_error("call", "an answer to %s of %zu bytes cannot be sent; closed",
		           call->api->name, total);
		call_close(call);
		return;
	}
	count(call, response, total);
	store_be32(call->out.data, (uint32_t)(total - 4));
	if (call->conn)
		call->conn->unsent += total;
	call_answered(call);
}

void call_reply_none(struct call *call)
{
	check(call->state == CALL_RUNNING);
	if (call->conn)
		metrics_time(call->meter, mono_ns() - call->received_ns);
	call_answered(call);
}

void call_close(struct call *call)
{
	check(call->state == CALL_RUNNING);
	if (call->conn) {
		diag_debug("call", "%s:%u: %s is not answered; closed", call->peer.host,
		           call->peer.port, call->api->name);
		shard_count(call->shard, SHARD_BROKEN);
		call->conn->is_ending = true;
	}
	call->is_last = true;
	call->segment_next = call->segment_count;
	call_answered(call);
}

/* ---- sending it ---- */

/* Lets go of answers that are sent; the one that is next, NULL: none. */
static struct call *next_answer(struct conn *c)
{
	while (!list_is_empty(&c->calls)) {
		struct call *call = list_entry(c->calls.next, struct call, link);

		if (call->state != CALL_ANSWERED)
			return NULL;
		if (call->segment_next < call->segment_count || call->is_last)
			return call;
		call_end(call);
	}
	return NULL;
}

/* Is there something to send right behind this segment? */
static bool is_followed(const struct conn *c, const struct call *call, uint32_t segment)
{
	const struct list *next = call->link.next;

	if (segment + 1 < call->segment_count)
		return true;
	if (next == &c->calls)
		return false;
	call = list_entry(next, const struct call, link);
	return call->state == CALL_ANSWERED && call->segment_count && !call->is_last;
}

struct gathered {
	struct iovec iov[GATHER];
	int count;
	size_t size;
	bool is_followed;
};

/* Memory that is next, of as many answers as stand in a row, at most `left` bytes or one piece. */
static void gather(const struct conn *c, struct gathered *g, size_t left)
{
	size_t done = list_entry(c->calls.next, struct call, link)->segment_done;

	g->count = 0;
	g->size = 0;
	g->is_followed = true;
	list_each(node, &c->calls)
	{
		const struct call *call = list_entry(node, struct call, link);

		if (call->state != CALL_ANSWERED || call->is_last)
			break;
		for (uint32_t i = call->segment_next; i < call->segment_count; i++) {
			const struct call_segment *s = &call->segment[i];

			if (s->file || g->count == GATHER || g->size >= left)
				return;
			g->iov[g->count++] = (struct iovec){
				.iov_base = (void *)(uintptr_t)(s->bytes.data + done),
				.iov_len = s->size - done,
			};
			g->size += s->size - done;
			done = 0;
		}
	}
	g->is_followed = false;
}

static ssize_t send_next(struct conn *c, const struct call *call, size_t left)
{
	const struct call_segment *s = &call->segment[call->segment_next];
	size_t size = s->size - call->segment_done;
	struct gathered g;

	if (s->file)
		return sock_send_file(c->sock, s->file, s->position + call->segment_done,
		                      size < left ? size : left,
		                      size > left || is_followed(c, call, call->segment_next));
	gather(c, &g, left);
	return sock_send(c->sock, g.iov, g.count, g.is_followed);
}

static void advance(struct conn *c, size_t sent)
{
	c->unsent -= sent;
	while (sent) {
		struct call *call = next_answer(c);
		size_t left = call->segment[call->segment_next].size - call->segment_done;

		if (sent < left) {
			call->segment_done += sent;
			return;
		}
		sent -= left;
		call->segment_next++;
		call->segment_done = 0;
		if (call->segment_next == call->segment_count)
			metrics_time(call->meter, c->sent_ns - call->received_ns);
	}
}

static void say_failed(struct conn *c, const struct call *call, ssize_t err)
{
	const struct file *file = call->segment[call->segment_next].file;

	if (!err)
		diag_limited(&c->server->say_closed, DIAG_ERROR, "conn",
		             "%s:%u: %s ends before what was promised of it; closed", c->peer.host,
		             c->peer.port, file_name(file));
	else if (err != -ECONNRESET && err != -EPIPE)
		diag_limited(&c->server->say_closed, DIAG_WARN, "conn", "%s:%u: %s; closed",
		             c->peer.host, c->peer.port, strerror((int)-err));
}

bool conn_send(struct conn *c)
{
	size_t left = LIMIT_SEND_TURN_BYTES;
	struct call *call;

	while ((call = next_answer(c)) && !c->is_full) {
		ssize_t n;

		if (call->is_last)
			return false;
		if (!left) {
			conn_post(c);
			break;
		}
		n = send_next(c, call, left);
		if (n == -EAGAIN) {
			c->is_full = true;
			break;
		}
		if (n <= 0) {
			say_failed(c, call, n);
			return false;
		}
		c->sent_ns = mono_ns();
		c->progress_ms = c->sent_ns / 1000000;
		advance(c, (size_t)n);
		left -= (size_t)n < left ? (size_t)n : left;
	}
	return true;
}
