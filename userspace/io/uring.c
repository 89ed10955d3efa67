/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "file_internal.h"
#include "loop.h"

/*
 * Reads and syncs that may wait, without a thread of ours: one io_uring a reactor, its eventfd
 * in the epoll set.  Where the machine refuses io_uring the worker threads do the same.
 */
enum { RING_ENTRIES = 64 };

struct uring {
	struct source source;
	struct io_uring ring;
	int event_fd;
	unsigned int waiting; /* entries not yet handed over */
};

/* ---- the thread pool's road ---- */

static void answer(struct mail *mail)
{
	struct file_op *op = container_of(mail, struct file_op, mail);

	op->done(op);
}

static void send_home(struct file_op *op)
{
	op->mail.run = answer;
	reactor_post(op->home, &op->mail);
}

static void read_on_worker(struct mail *mail)
{
	struct file_op *op = container_of(mail, struct file_op, mail);

	op->result = file_read(op->file, op->iov[0].iov_base, op->iov[0].iov_len, op->position);
	send_home(op);
}

static void sync_on_worker(struct mail *mail)
{
	struct file_op *op = container_of(mail, struct file_op, mail);

	op->result = file_sync_now(op->file);
	send_home(op);
}

static void submit_to_worker(struct file_op *op, enum work_lane lane,
                             void (*run)(struct mail *mail))
{
	op->mail.run = run;
	work_send(lane, &op->mail);
}

/* ---- io_uring ---- */

static void ring_ready(struct source *source, uint32_t events)
{
	(void)source; /* edge-triggered, never read: uring_reap() looks each turn */
	(void)events;
}

int uring_open(struct reactor *r)
{
	struct uring *u = mem_zalloc(sizeof(*u));
	int err = io_uring_queue_init(RING_ENTRIES, &u->ring, 0);

	if (err) {
		mem_free(u);
		return err;
	}
	r->uring = u;
	u->source.ready = ring_ready;
	u->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = u->event_fd < 0 ? -errno : io_uring_register_eventfd(&u->ring, u->event_fd);
	if (!err)
		err = reactor_watch(r, u->event_fd, EPOLLIN | EPOLLET, &u->source);
	if (err)
		uring_close(r);
	return err;
}

void uring_close(struct reactor *r)
{
	struct uring *u = r->uring;

	if (!u)
		return;
	r->uring = NULL;
	io_uring_queue_exit(&u->ring);
	if (u->event_fd >= 0)
		close(u->event_fd);
	mem_free(u);
}

void uring_turn_ends(struct reactor *r)
{
	struct uring *u = r->uring;

	while (u->waiting) {
		int n = io_uring_submit(&u->ring);

		if (n == -EAGAIN || n == -EBUSY || n == -EINTR)
			return; /* completions must be reaped first; the next turn tries again */
		check(n >= 0);
		u->waiting -= (unsigned int)n < u->waiting ? (unsigned int)n : u->waiting;
	}
}

bool uring_has_waiting(const struct reactor *r)
{
	return r->uring && r->uring->waiting;
}

/* NULL: the ring is full. */
static struct io_uring_sqe *take_entry(struct reactor *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring->ring);

	if (!sqe) {
		uring_turn_ends(r);
		sqe = io_uring_get_sqe(&r->uring->ring);
	}
	if (sqe)
		r->uring->waiting++;
	return sqe;
}

static bool is_sync(const struct file_op *op)
{
	return !op->iov;
}

/* A read that came short goes on; only the end of the file ends it before its size. */
static bool read_goes_on(struct reactor *r, struct file_op *op, int result)
{
	size_t done = (size_t)op->result + (size_t)(result > 0 ? result : 0);
	struct io_uring_sqe *sqe;

	if (result < 0 && result != -EINTR && result != -EAGAIN) {
		op->result = result;
		return false;
	}
	op->result = (int64_t)done;
	if (!result || done == op->iov[0].iov_len)
		return false;
	sqe = take_entry(r);
	if (!sqe) {
		submit_to_worker(op, WORK_FAST, read_on_worker); /* from its beginning */
		return true;
	}
	io_uring_prep_read(sqe, file_fd(op->file), (char *)op->iov[0].iov_base + done,
	                   (unsigned int)(op->iov[0].iov_len - done), op->position + done);
	io_uring_sqe_set_data(sqe, op);
	return true;
}

void uring_reap(struct reactor *r)
{
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&r->uring->ring, &cqe)) {
		struct file_op *op = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&r->uring->ring, cqe);
		if (is_sync(op))
			op->result = file_sync_end(op->file, op->dirty, result < 0 ? result : 0);
		else if (read_goes_on(r, op, result))
			continue;
		op->done(op);
	}
}

/* ---- the contract ---- */

static void set_home(struct file_op *op)
{
	int self = reactor_self();

	op->home = self == REACTOR_NONE ? 0 : self;
}

void file_read_submit(struct file_op *op)
{
	struct io_uring_sqe *sqe = NULL;

	set_home(op);
	op->result = 0;
	if (reactor_self() != REACTOR_NONE && reactor_here()->uring)
		sqe = take_entry(reactor_here());
	if (!sqe) {
		submit_to_worker(op, WORK_FAST, read_on_worker);
		return;
	}
	io_uring_prep_read(sqe, file_fd(op->file), op->iov[0].iov_base,
	                   (unsigned int)op->iov[0].iov_len, op->position);
	io_uring_sqe_set_data(sqe, op);
}

void file_sync_submit(struct file_op *op)
{
	struct io_uring_sqe *sqe = NULL;

	set_home(op);
	op->iov = NULL; /* what tells a sync from a read */
	if (reactor_self() != REACTOR_NONE && reactor_here()->uring &&
	    !atomic_load_explicit(&op->file->dir->failed, memory_order_acquire))
		sqe = take_entry(reactor_here());
	if (!sqe) {
		submit_to_worker(op, WORK_SLOW, sync_on_worker); /* may take seconds */
		return;
	}
	file_sync_begin(op->file, &op->dirty);
	io_uring_prep_fsync(sqe, file_fd(op->file), IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data(sqe, op);
}
