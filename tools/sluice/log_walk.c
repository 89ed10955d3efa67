/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "log_dump.h"

enum { WINDOW_BYTES = 1 << 20 };

int walk_open(struct walk *w, struct dump *d, const char *path)
{
	struct dir *here;
	int err = dir_open(".", false, &here);

	*w = (struct walk){ .d = d };
	if (err)
		return err;
	err = file_open(here, path, FILE_READ, &w->file);
	dir_close(here);
	if (!err)
		err = file_size(w->file, &w->size);
	if (err)
		walk_close(w);
	return err;
}

void walk_close(struct walk *w)
{
	file_put(w->file);
	w->file = NULL;
	buf_fini(&w->window);
}

/*
 * At least `want` bytes at the position, which the file has; what is held grows with a batch that
 * is really there, never with what a header claims.  data NULL: the file cannot be read.
 */
static struct span look(struct walk *w, uint64_t position, uint64_t want)
{
	uint64_t end = w->window_at + w->window.size;
	uint64_t left = w->size - position;
	ssize_t got;

	if (position < w->window_at || position + want > end) {
		size_t size = (size_t)(want > WINDOW_BYTES ? want : WINDOW_BYTES);

		if (size > left)
			size = (size_t)left;
		w->window.size = 0;
		w->window_at = position;
		got = file_read(w->file, buf_extend(&w->window, size), size, position);
		w->window.size = got < 0 ? 0 : (size_t)got;
		if (got < 0 || (uint64_t)got < want) {
			if (w->d)
				dump_complain(w->d, position, "%s",
				              got < 0 ? strerror((int)-got)
				                      : "the file became shorter meanwhile");
			return (struct span){ NULL, 0 };
		}
	}
	return (struct span){ w->window.data + (position - w->window_at),
		              (size_t)(w->window_at + w->window.size - position) };
}

static void complain_cut(struct walk *w, uint64_t left, uint64_t needed)
{
	if (!w->d)
		return;
	if (needed)
		dump_complain(w->d, w->position,
		              "a batch of %" PRIu64 " bytes is cut short: the file has %" PRIu64
		              " more",
		              needed, left);
	else
		dump_complain(w->d, w->position,
		              "the last %" PRIu64 " bytes are too few for a batch", left);
}

static void complain_bad(struct walk *w, struct span bytes, uint64_t left)
{
	size_t zeros = 0;

	if (!w->d)
		return;
	while (zeros < bytes.size && !bytes.data[zeros])
		zeros++;
	if (zeros == bytes.size)
		dump_complain(w->d, w->position,
		              "zeros where a batch should begin; %" PRIu64
		              " bytes to the end of the file",
		              left);
	else
		dump_complain(w->d, w->position,
		              "no batch begins here (length %" PRId32 ", magic %d); %" PRIu64
		              " bytes to the end of the file",
		              (int32_t)load_be32(bytes.data + 8), (int8_t)bytes.data[16], left);
}

/* Offsets that can be added up. */
static bool offsets_ok(struct walk *w, const struct batch *b)
{
	if (b->base_offset >= 0 && b->base_offset <= INT64_MAX - INT32_MAX &&
	    (b->magic < 2 || b->last_offset_delta >= 0))
		return true;
	if (w->d)
		dump_complain(w->d, w->position,
		              "a batch of offset %" PRId64 " and %" PRId32
		              " more, which cannot be; it is left out",
		              b->base_offset, b->last_offset_delta);
	return false;
}

static int read_batch(struct walk *w, struct batch *ret)
{
	uint64_t left = w->size - w->next;
	struct span bytes;
	int err;

	w->position = w->next;
	if (!left)
		return 0;
	bytes = look(w, w->position, left < BATCH_HEADER_SIZE ? left : BATCH_HEADER_SIZE);
	if (!bytes.data)
		return -1;
	err = batch_parse(bytes, ret);
	if (err == -EAGAIN && ret->size && ret->size <= left) {
		bytes = look(w, w->position, ret->size);
		if (!bytes.data)
			return -1;
		err = batch_parse(bytes, ret);
	}
	if (err == -EAGAIN)
		complain_cut(w, left, ret->size);
	else if (err)
		complain_bad(w, bytes, left);
	if (err)
		return -1;
	w->next = w->position + ret->size;
	return 1;
}

int walk_next(struct walk *w, struct batch *ret)
{
	int more;

	do
		more = read_batch(w, ret);
	while (more == 1 && !offsets_ok(w, ret));
	return more;
}
