/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "file_internal.h"
#include "loop.h"

/*
 * A directory's one writer thread, made when it is first needed: the slow road of appends, and
 * the cleaning of dirty bytes.  It takes all appends that are parked, writes each, syncs each
 * file that asked for it once, and answers all: this is group commit.
 */
enum {
	WRITER_STACK_BYTES = 256 * 1024,
	BUDGET_BEFORE_MEASURED = 256 * 1024 * 1024, /* bytes */
	BUDGET_MIN = 64 * 1024 * 1024,              /* a disk that others use, too, measures slow */
	BUDGET_S = 2,
	RATE_SAMPLE_BYTES = 16 * 1024 * 1024,
};

static uint64_t number_in(const char *path, const char *format)
{
	FILE *f = fopen(path, "re");
	unsigned long long value = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, format, &value) == 1)
			break;
	if (f)
		fclose(f);
	return value;
}

/* Dirty bytes from which on the kernel makes writers wait. */
static uint64_t dirty_limit(void)
{
	uint64_t bytes = number_in("/proc/sys/vm/dirty_bytes", "%llu");
	uint64_t ratio = number_in("/proc/sys/vm/dirty_ratio", "%llu");
	uint64_t memory = number_in("/proc/meminfo", "MemAvailable: %llu") * 1024;
	uint64_t group = cgroup_memory_bytes();

	if (group && group < memory)
		memory = group;
	if (bytes)
		return group && bytes > group / 5 ? group / 5 : bytes;
	return memory / 100 * (ratio ? ratio : 20);
}

int64_t writer_budget(uint64_t bytes_per_s)
{
	uint64_t budget = dirty_limit() / 4;
	uint64_t by_rate = bytes_per_s ? bytes_per_s * BUDGET_S : BUDGET_BEFORE_MEASURED;

	if (by_rate < budget)
		budget = by_rate;
	return (int64_t)(budget > BUDGET_MIN ? budget : BUDGET_MIN);
}

/* ---- the slow road ---- */

static void answer(struct mail *mail)
{
	struct file_op *op = container_of(mail, struct file_op, mail);

	op->done(op);
}

static struct mail *take_all(struct dir *d)
{
	/* Acquire: what the reactors wrote into their ops. */
	struct mail *newest = atomic_exchange_explicit(&d->parked, NULL, memory_order_acquire);
	struct mail *oldest = NULL;

	while (newest) {
		struct mail *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

static void sync_written(struct file_op *op)
{
	int err;

	if (!op->sync || op->result < 0)
		return;
	err = file_sync_now(op->file);
	if (err)
		op->result = file_cut_back(op->file, op->position, err);
}

static void write_parked(struct dir *d)
{
	struct mail *all;

	reactors_enter();
	all = take_all(d);
	/* A file has one append under way, so each is here once. */
	for (struct mail *mail = all; mail; mail = mail->next) {
		struct file_op *op = container_of(mail, struct file_op, mail);
		int err = file_append_now(op);

		op->result = err ? err : (int64_t)op->bytes;
	}
	for (struct mail *mail = all; mail; mail = mail->next)
		sync_written(container_of(mail, struct file_op, mail));
	while (all) {
		struct file_op *op = container_of(all, struct file_op, mail);

		all = all->next;
		atomic_store_explicit(&op->file->parked, false, memory_order_relaxed);
		op->mail.run = answer;
		reactor_post(op->home, &op->mail);
	}
	reactors_leave();
}

/* ---- cleaning ---- */

/* A counted reference to some file with dirty bytes, or NULL.  Each file once a pass. */
static struct file *next_dirty(struct dir *d, size_t *left)
{
	struct file *found = NULL;

	pthread_mutex_lock(&d->lock);
	while (!found && *left && !list_is_empty(&d->files)) {
		struct file *f = list_entry(d->files.next, struct file, link);
		int refs = atomic_load_explicit(&f->refs, memory_order_relaxed);

		(*left)--;
		list_remove(&f->link);
		list_push(&d->files, &f->link);
		if (!atomic_load_explicit(&f->dirty, memory_order_relaxed))
			continue;
		/* One at 0 is being closed and waits for our lock. */
		while (refs && !atomic_compare_exchange_weak_explicit(&f->refs, &refs, refs + 1,
		                                                      memory_order_relaxed,
		                                                      memory_order_relaxed))
			;
		if (refs)
			found = f;
	}
	pthread_mutex_unlock(&d->lock);
	return found;
}

static size_t file_count(struct dir *d)
{
	size_t n = 0;

	pthread_mutex_lock(&d->lock);
	list_each(node, &d->files) n++;
	pthread_mutex_unlock(&d->lock);
	return n;
}

static void clean(struct dir *d)
{
	int64_t before = atomic_load_explicit(&d->dirty, memory_order_relaxed);
	int64_t orphaned = atomic_load_explicit(&d->orphaned, memory_order_relaxed);
	uint64_t begin_ns = mono_ns(), took_ns;
	size_t left = file_count(d);
	struct file *f;

	if (orphaned > before / 2) {
		(void)!dir_syncfs(d); /* a failure is remembered: appends will say it */
	} else {
		/* Who is parked waits for one file, not for all of them. */
		while ((f = next_dirty(d, &left))) {
			(void)file_sync_now(f); /* likewise */
			file_put(f);
			write_parked(d);
		}
	}
	took_ns = mono_ns() - begin_ns;
	if (before > RATE_SAMPLE_BYTES && took_ns)
		atomic_store_explicit(
			&d->budget,
			writer_budget((uint64_t)((double)before * 1e9 / (double)took_ns)),
			memory_order_relaxed);
	atomic_store_explicit(&d->cleaning, false, memory_order_release);
}

static void *writer_main(void *arg)
{
	struct dir *d = arg;

	for (;;) {
		while (sem_wait(&d->wake))
			check(errno == EINTR);
		if (atomic_load_explicit(&d->dirty, memory_order_relaxed) >
		    atomic_load_explicit(&d->budget, memory_order_relaxed) / 2)
			clean(d);
		else
			atomic_store_explicit(&d->cleaning, false, memory_order_release);
		write_parked(d);
		if (atomic_load_explicit(&d->writer_ends, memory_order_acquire))
			return NULL;
	}
}

static void wake(struct dir *d)
{
	if (!atomic_load_explicit(&d->writer_started, memory_order_acquire)) {
		pthread_mutex_lock(&d->lock);
		if (!atomic_load_explicit(&d->writer_started, memory_order_relaxed)) {
			if (thread_make(&d->writer, "sluice/writer", WRITER_STACK_BYTES,
			                writer_main, d))
				halt("no thread for the writer of a log directory");
			atomic_store_explicit(&d->writer_started, true, memory_order_release);
		}
		pthread_mutex_unlock(&d->lock);
	}
	sem_post(&d->wake);
}

void writer_park(struct file_op *op)
{
	struct dir *d = op->file->dir;
	struct mail *top = atomic_load_explicit(&d->parked, memory_order_relaxed);

	atomic_fetch_add_explicit(&d->parked_count, 1, memory_order_relaxed);
	/* Release: op's content, for the writer. */
	do {
		op->mail.next = top;
	} while (!atomic_compare_exchange_weak_explicit(
		&d->parked, &top, &op->mail, memory_order_release, memory_order_relaxed));
	if (!top)
		wake(d); /* else whoever pushed the first did */
}

void writer_clean(struct dir *d)
{
	if (!atomic_load_explicit(&d->cleaning, memory_order_relaxed) &&
	    !atomic_exchange_explicit(&d->cleaning, true, memory_order_acquire))
		wake(d);
}

void writer_close(struct dir *d)
{
	if (!atomic_load_explicit(&d->writer_started, memory_order_acquire))
		return;
	atomic_store_explicit(&d->writer_ends, true, memory_order_release);
	sem_post(&d->wake);
	pthread_join(d->writer, NULL);
}
