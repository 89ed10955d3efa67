/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "io/file.h"
#include "io/reactor.h"
#include "io/work.h"

/*
 * A random sequence of operations on one directory and a transcript of what was seen.  The same
 * text is compiled against the real seam and the simulated one: the transcripts are equal.
 * Each step runs where its contract says, on a reactor or as a job.
 */
enum { CONFORM_STEPS = 60, CONFORM_SLOTS = 4, CONFORM_BYTES = 3000 };

struct conform {
	struct prng prng;
	struct dir *dir;
	struct file *slot[CONFORM_SLOTS];
	FILE *out;
	int left;
	struct job job;
	struct file_op op;
	struct iovec iov[2];
	char data[CONFORM_BYTES];
	char back[CONFORM_BYTES];
};

static uint64_t conform_below(struct conform *c, uint64_t below)
{
	return prng_below(&c->prng, below);
}

static const char *conform_name(struct conform *c)
{
	static char long_name[300];
	static const char *const names[] = { "a",     "b",       "c",   "d",     "e",   "d/a",
		                             "d/b",   "e/a",     "d/s", "d/s/x", "a/x", "none/x",
		                             "d/s/y", long_name, "e/s", "B" };

	memset(long_name, 'n', sizeof(long_name) - 1);
	return names[conform_below(c, array_count(names))];
}

static size_t conform_fill(struct conform *c)
{
	size_t size = 1 + conform_below(c, CONFORM_BYTES - 1);

	for (size_t i = 0; i < size; i++)
		c->data[i] = (char)('a' + (c->left * 7 + (int)i) % 26);
	c->iov[0] = (struct iovec){ c->data, size / 3 };
	c->iov[1] = (struct iovec){ c->data + size / 3, size - size / 3 };
	return size;
}

static void conform_say_bytes(struct conform *c, const char *what, ssize_t n)
{
	uint64_t sum = 0;

	for (ssize_t i = 0; i < n; i++)
		sum = sum * 31 + (unsigned char)c->back[i];
	fprintf(c->out, "%s %zd %llx\n", what, n, (unsigned long long)sum);
}

static void conform_say_entry(void *arg, const struct dir_entry *e)
{
	struct conform *c = arg;

	fprintf(c->out, " %s%s", e->name, e->is_dir ? "/" : "");
	if (!e->is_dir)
		fprintf(c->out, ":%llu", (unsigned long long)e->size);
}

static void conform_list(struct conform *c)
{
	static const char *const subs[] = { "", "d", "e", "d/s", "a", "none" };
	const char *sub = subs[conform_below(c, array_count(subs))];
	int err;

	fprintf(c->out, "list %s", sub);
	err = dir_list(c->dir, sub, conform_say_entry, c);
	fprintf(c->out, " = %d\n", err);
	fprintf(c->out, "sync %s = %d\n", sub, dir_sync(c->dir, sub));
}

static void conform_open(struct conform *c)
{
	static const unsigned int flags[] = {
		FILE_READ,
		FILE_WRITE,
		FILE_READ | FILE_WRITE,
		FILE_READ | FILE_WRITE | FILE_CREATE,
		FILE_READ | FILE_WRITE | FILE_CREATE,
		FILE_READ | FILE_WRITE | FILE_CREATE | FILE_NEW,
		FILE_WRITE | FILE_CREATE | FILE_TRUNCATE,
		FILE_READ | FILE_WRITE | FILE_TRUNCATE,
	};
	struct file **slot = &c->slot[conform_below(c, CONFORM_SLOTS)];
	unsigned int how = flags[conform_below(c, array_count(flags))];
	const char *name = conform_name(c);
	int err;

	file_put(*slot);
	*slot = NULL;
	err = file_open(c->dir, name, how, slot);
	fprintf(c->out, "open %.20s %u = %d\n", name, how, err);
	if (!err && how == FILE_READ && file_read(*slot, c->back, 1, 0) == -EISDIR) {
		fprintf(c->out, "it is a directory\n");
		file_put(*slot);
		*slot = NULL;
	}
}

static void conform_on_names(struct conform *c)
{
	const char *name = conform_name(c), *to = conform_name(c);
	size_t size = conform_fill(c);
	void *data;
	int err;

	switch (conform_below(c, 9)) {
	case 0:
		fprintf(c->out, "mkdir %.20s = %d\n", name, dir_mkdir(c->dir, name));
		return;
	case 1:
	case 2:
		fprintf(c->out, "rename %.20s %.20s = %d\n", name, to,
		        dir_rename(c->dir, name, to));
		return;
	case 3:
		fprintf(c->out, "unlink %.20s = %d\n", name, dir_unlink(c->dir, name));
		return;
	case 4:
		fprintf(c->out, "rmdir %.20s = %d\n", name, dir_rmdir(c->dir, name));
		return;
	case 5:
		fprintf(c->out, "remove %.20s = %d\n", name, dir_remove_all(c->dir, name));
		return;
	case 6:
		err = dir_replace(c->dir, name, c->data, size, size % 2);
		fprintf(c->out, "replace %.20s = %d\n", name, err);
		return;
	case 7:
		err = dir_read(c->dir, name, CONFORM_BYTES, &data, &size);
		fprintf(c->out, "read %.20s = %d %zu\n", name, err, err ? 0 : size);
		if (!err)
			mem_free(data);
		return;
	default:
		conform_list(c);
		return;
	}
}

static void conform_on_file(struct conform *c, struct file *f)
{
	uint64_t position = conform_below(c, 4 * CONFORM_BYTES), size = 0;
	size_t bytes = conform_fill(c);

	switch (conform_below(c, 5)) {
	case 0:
		fprintf(c->out, "write %llu %zu = %d\n", (unsigned long long)position, bytes,
		        file_write(f, c->iov, 2, position));
		break;
	case 1:
		conform_say_bytes(c, "read", file_read(f, c->back, bytes, position));
		break;
	case 2:
		fprintf(c->out, "truncate %llu = %d\n", (unsigned long long)position,
		        file_truncate(f, position));
		break;
	case 3:
		fprintf(c->out, "sync = %d\n", file_sync(f));
		break;
	default:
		fprintf(c->out, "name %.20s\n", file_name(f));
		break;
	}
	fprintf(c->out, "size = %d", file_size(f, &size));
	fprintf(c->out, " %llu\n", (unsigned long long)size);
}

static void conform_on_worker(struct job *job)
{
	struct conform *c = container_of(job, struct conform, job);
	struct file *f = c->slot[conform_below(c, CONFORM_SLOTS)];
	uint64_t what = conform_below(c, 10);

	if (what < 4)
		conform_on_names(c);
	else if (what < 6 || !f)
		conform_open(c);
	else
		conform_on_file(c, f);
}

static void conform_step(struct conform *c);

static void conform_job_done(struct job *job)
{
	conform_step(container_of(job, struct conform, job));
}

static void conform_op_done(struct file_op *op)
{
	struct conform *c = container_of(op, struct conform, op);

	conform_say_bytes(c, "done", op->result > CONFORM_BYTES ? 0 : (ssize_t)op->result);
	conform_step(c);
}

/* Answers whether the step ended at once. */
static bool conform_on_reactor(struct conform *c, struct file *f)
{
	size_t bytes = conform_fill(c);
	uint64_t end = 0;
	int64_t n;

	check(!file_size(f, &end));
	memset(c->back, 0, sizeof(c->back));
	c->op = (struct file_op){ .file = f,
		                  .iov = c->iov,
		                  .iov_count = 2,
		                  .bytes = bytes,
		                  .position = end,
		                  .done = conform_op_done };
	switch (conform_below(c, 4)) {
	case 0:
		c->iov[0] = (struct iovec){ c->back, bytes };
		c->op.iov_count = 1;
		c->op.position = conform_below(c, end + 100);
		file_read_submit(&c->op);
		return false;
	case 1:
		file_sync_submit(&c->op);
		return false;
	case 2:
		c->op.sync = true;
		break;
	default:
		break;
	}
	n = file_append(&c->op);
	if (n == FILE_PARKED)
		return false;
	conform_say_bytes(c, "done", (ssize_t)n);
	return true;
}

static void conform_step(struct conform *c)
{
	while (c->left--) {
		struct file *f = c->slot[conform_below(c, CONFORM_SLOTS)];

		if (f && conform_below(c, 3)) {
			if (conform_on_reactor(c, f))
				continue;
			return;
		}
		c->job.run = conform_on_worker;
		c->job.done = conform_job_done;
		work_submit(WORK_SLOW, &c->job);
		return;
	}
	reactors_stop();
}

static void conform_start(void *arg)
{
	conform_step(arg);
}

static void conform_sequence(uint64_t seed, struct dir *d, bool io_uring, FILE *out)
{
	struct reactors_options options = { .count = 1, .file_io_uring = io_uring };
	struct conform *c = mem_zalloc(sizeof(*c));
	char name[32];
	int err;

	fprintf(out, "sequence %llu\n", (unsigned long long)seed);
	c->prng.state = seed;
	c->dir = d;
	c->out = out;
	c->left = CONFORM_STEPS;
	dir_mark_slow(d, seed % 3 == 0);
	check(!reactors_open(&options));
	reactors_run(conform_start, c);
	reactors_close();
	for (int i = 0; i < CONFORM_SLOTS; i++)
		file_put(c->slot[i]);
	mem_free(c);
	/* The next one begins in an empty directory. */
	static const char *const names[] = { "a", "b", "c", "d", "e", "B" };
	for (size_t i = 0; i < array_count(names); i++) {
		err = dir_unlink(d, names[i]);
		if (err == -EISDIR)
			err = dir_remove_all(d, names[i]);
		snprintf(name, sizeof(name), "%s.tmp", names[i]);
		if (!dir_unlink(d, name))
			fprintf(out, "%s was left\n", name);
	}
}

#endif
