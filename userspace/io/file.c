/* SPDX-License-Identifier: Apache-2.0 */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "file_internal.h"
#include "loop.h"

enum {
	SLOW_WRITE_NS = 2 * 1000 * 1000,
	PIECE_IOVS = 64,
	HOT_BYTES = 32 * 1024 * 1024, /* of a file's end, written by us: taken to be in memory */
	SLOW_MS = 5000,               /* how long a directory stays slow after it held us up */
	SLOW_STALL_NS = 50 * 1000 * 1000,
};

/* ---- open files ---- */

int file_open(struct dir *d, const char *name, unsigned int flags, struct file **ret)
{
	int mode = O_CLOEXEC, fd, err;
	struct file *f;

	if (flags & FILE_WRITE)
		mode |= flags & FILE_READ ? O_RDWR : O_WRONLY;
	if (flags & FILE_CREATE)
		mode |= O_CREAT | (flags & FILE_NEW ? O_EXCL : 0);
	if (flags & FILE_TRUNCATE)
		mode |= O_TRUNC;
	do
		fd = openat(d->fd, name, mode, 0644);
	while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		err = -errno;
		return err;
	}

	f = mem_zalloc(sizeof(*f));
	atomic_init(&f->refs, 1);
	f->fd = fd;
	f->dir = d;
	f->name = str_dup(str_of(name));
	atomic_init(&f->hot_from, UINT64_MAX);
	atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	pthread_mutex_lock(&d->lock);
	list_push(&d->files, &f->link);
	pthread_mutex_unlock(&d->lock);
	*ret = f;
	return 0;
}

struct file *file_get(struct file *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

void file_put(struct file *f)
{
	struct dir *d;

	if (!f)
		return;
	/* Acquire and release: whoever closes comes after everybody's last use. */
	if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
		return;
	d = f->dir;
	pthread_mutex_lock(&d->lock);
	list_remove(&f->link);
	pthread_mutex_unlock(&d->lock);
	atomic_fetch_add_explicit(&d->orphaned,
	                          atomic_load_explicit(&f->dirty, memory_order_relaxed),
	                          memory_order_relaxed);
	close(f->fd);
	mem_free(f->name);
	mem_free(f);
	dir_put(d);
}

const char *file_name(const struct file *f)
{
	return f->name;
}

int file_fd(const struct file *f)
{
	return f->fd;
}

int file_size(struct file *f, uint64_t *ret)
{
	struct stat st;

	if (fstat(f->fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	*ret = (uint64_t)st.st_size;
	return 0;
}

void file_forget(struct file *f)
{
	(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* ---- blocking reads and writes ---- */

ssize_t file_read(struct file *f, void *data, size_t size, uint64_t position)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n =
			pread(f->fd, (char *)data + done, size - done, (off_t)(position + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Up to PIECE_IOVS vectors and WRITE_BYTES_MAX of what is left of iov after `skip` bytes. */
static int next_piece(const struct iovec *iov, int count, size_t skip, struct iovec *piece)
{
	size_t room = WRITE_BYTES_MAX;
	int n = 0;

	for (int i = 0; i < count && n < PIECE_IOVS && room; i++) {
		size_t left = iov[i].iov_len;

		if (skip >= left) {
			skip -= left;
			continue;
		}
		left -= skip;
		if (left > room)
			left = room;
		piece[n++] = (struct iovec){ (char *)iov[i].iov_base + skip, left };
		room -= left;
		skip = 0;
	}
	return n;
}

static int write_all(struct file *f, const struct iovec *iov, int count, uint64_t position,
                     int flags)
{
	struct iovec piece[PIECE_IOVS];
	size_t done = 0;
	int n;

	while ((n = next_piece(iov, count, done, piece))) {
		ssize_t wrote = flags ? pwritev2(f->fd, piece, n, (off_t)(position + done), flags)
		                      : pwritev(f->fd, piece, n, (off_t)(position + done));

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		if (!wrote)
			return -EIO; /* a regular file takes something or says why not */
		done += (size_t)wrote;
	}
	return 0;
}

int file_write_all(struct file *f, const struct iovec *iov, int count, uint64_t position)
{
	return write_all(f, iov, count, position, 0);
}

/* More dirty bytes.  Asks for cleaning from half of the budget on. */
static void dirtied(struct file *f, size_t bytes)
{
	struct dir *d = f->dir;
	int64_t dirty;

	atomic_fetch_add_explicit(&f->dirty, (int64_t)bytes, memory_order_relaxed);
	dirty = atomic_fetch_add_explicit(&d->dirty, (int64_t)bytes, memory_order_relaxed) +
	        (int64_t)bytes;
	if (dirty > atomic_load_explicit(&d->budget, memory_order_relaxed) / 2)
		writer_clean(d);
}

int file_write(struct file *f, const struct iovec *iov, int count, uint64_t position)
{
	size_t bytes = 0;
	int err = file_write_all(f, iov, count, position);

	for (int i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	dirtied(f, bytes);
	return err;
}

int file_truncate(struct file *f, uint64_t size)
{
	return ftruncate(f->fd, (off_t)size) ? -errno : 0;
}

/* ---- sync ---- */

int dir_sync_failed(struct dir *d, int err)
{
	int none = 0;

	/* Whatever failed first is the answer for ever: the kernel forgets, we do not. */
	if (!atomic_compare_exchange_strong_explicit(&d->failed, &none, err, memory_order_acq_rel,
	                                             memory_order_acquire))
		return none;
	return err;
}

void file_sync_begin(struct file *f, int64_t *ret_dirty)
{
	*ret_dirty = atomic_load_explicit(&f->dirty, memory_order_relaxed);
}

int file_sync_end(struct file *f, int64_t dirty, int result)
{
	int failed = atomic_load_explicit(&f->dir->failed, memory_order_acquire);

	atomic_fetch_add_explicit(&f->dir->sync_count, 1, memory_order_relaxed);
	if (result)
		return dir_sync_failed(f->dir, result);
	if (failed)
		return failed;
	/* Two syncs of one file at a time may both count its bytes: take what is there. */
	for (int64_t left = atomic_load_explicit(&f->dirty, memory_order_relaxed);;) {
		int64_t clean = dirty < left ? dirty : left;

		if (atomic_compare_exchange_weak_explicit(&f->dirty, &left, left - clean,
		                                          memory_order_relaxed,
		                                          memory_order_relaxed)) {
			atomic_fetch_sub_explicit(&f->dir->dirty, clean, memory_order_relaxed);
			return 0;
		}
	}
}

static void raise_max(_Atomic uint64_t *max, uint64_t value)
{
	uint64_t old = atomic_load_explicit(max, memory_order_relaxed);

	while (value > old && !atomic_compare_exchange_weak_explicit(
				      max, &old, value, memory_order_relaxed, memory_order_relaxed))
		;
}

int file_sync_now(struct file *f)
{
	int failed = atomic_load_explicit(&f->dir->failed, memory_order_acquire);
	uint64_t begin_ns = mono_ns();
	int64_t dirty;
	int rc;

	if (failed)
		return failed;
	file_sync_begin(f, &dirty);
	do
		rc = fdatasync(f->fd);
	while (rc && errno == EINTR);
	rc = file_sync_end(f, dirty, rc ? -errno : 0);
	raise_max(&f->dir->sync_ns_max, mono_ns() - begin_ns);
	return rc;
}

int file_sync(struct file *f)
{
	return file_sync_now(f);
}

/* ---- append ---- */

/* Bytes from the first append on are hot until HOT_BYTES more came. */
static void heated(struct file *f, uint64_t position, size_t bytes)
{
	if (position < atomic_load_explicit(&f->hot_from, memory_order_relaxed))
		atomic_store_explicit(&f->hot_from, position, memory_order_relaxed);
	atomic_store_explicit(&f->hot_to, position + bytes, memory_order_relaxed);
}

/* The file ends at `position` again, or is lost for appending. */
int file_cut_back(struct file *f, uint64_t position, int err)
{
	if (!ftruncate(f->fd, (off_t)position))
		return err;
	atomic_store_explicit(&f->broken, true, memory_order_release);
	return -EIO;
}

static void measured(struct dir *d, uint64_t took_ns, size_t bytes)
{
	atomic_fetch_add_explicit(&d->write_count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&d->write_bytes, bytes, memory_order_relaxed);
	if (took_ns <= SLOW_WRITE_NS)
		return;
	atomic_fetch_add_explicit(&d->write_slow_count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&d->write_slow_ns, took_ns, memory_order_relaxed);
	raise_max(&d->write_ns_max, took_ns);
	if (took_ns > SLOW_STALL_NS && reactor_self() != REACTOR_NONE)
		atomic_store_explicit(&d->slow_until_ms, mono_ms() + SLOW_MS, memory_order_relaxed);
}

static int append(struct file_op *op, int flags)
{
	struct file *f = op->file;
	uint64_t begin_ns = mono_ns();
	int err;

	if (atomic_load_explicit(&f->broken, memory_order_acquire))
		return -EIO;
	err = atomic_load_explicit(&f->dir->failed, memory_order_acquire);
	if (err)
		return err;
	err = write_all(f, op->iov, op->iov_count, op->position, flags);
	if (err)
		return flags && (err == -EAGAIN || err == -EOPNOTSUPP)
		               ? err
		               : file_cut_back(f, op->position, err);
	measured(f->dir, mono_ns() - begin_ns, op->bytes);
	heated(f, op->position, op->bytes);
	dirtied(f, op->bytes);
	return 0;
}

int file_append_now(struct file_op *op)
{
	return append(op, 0);
}

static bool must_park(struct file_op *op)
{
	struct dir *d = op->file->dir;
	uint64_t slow_until_ms = atomic_load_explicit(&d->slow_until_ms, memory_order_relaxed);

	if (op->sync || atomic_load_explicit(&d->marked_slow, memory_order_relaxed) ||
	    atomic_load_explicit(&op->file->parked, memory_order_relaxed))
		return true;
	if (slow_until_ms && mono_ms() < slow_until_ms)
		return true;
	return atomic_load_explicit(&d->dirty, memory_order_relaxed) + (int64_t)op->bytes >
	       atomic_load_explicit(&d->budget, memory_order_relaxed);
}

int64_t file_append(struct file_op *op)
{
	struct dir *d = op->file->dir;
	int self = reactor_self(), err;

	if (!must_park(op)) {
		bool nowait = d->has_nowait_write &&
		              !atomic_load_explicit(&d->no_nowait, memory_order_relaxed);

		err = append(op, nowait ? RWF_NOWAIT : 0);
		if (err == -EOPNOTSUPP && nowait) {
			atomic_store_explicit(&d->no_nowait, true, memory_order_relaxed);
			err = append(op, 0);
		}
		if (err != -EAGAIN)
			return err ? err : (int64_t)op->bytes;
	}
	op->home = self == REACTOR_NONE ? 0 : self;
	atomic_store_explicit(&op->file->parked, true, memory_order_relaxed);
	writer_park(op);
	return FILE_PARKED;
}

/* ---- what is in memory ---- */

static bool is_ours_and_recent(struct file *f, uint64_t position, uint64_t size)
{
	uint64_t from = atomic_load_explicit(&f->hot_from, memory_order_relaxed);
	uint64_t to = atomic_load_explicit(&f->hot_to, memory_order_relaxed);

	return position >= from && position + size <= to && to - position <= HOT_BYTES;
}

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

/* As in linux/mman.h of 6.5; older headers lack them. */
struct range_asked {
	uint64_t position;
	uint64_t size;
};
struct range_found {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

/* 1 yes, 0 no, -1 cannot say. */
static int ask_cachestat(struct file *f, uint64_t position, uint64_t size)
{
	static atomic_bool refused;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t pages = (position + size + page - 1) / page - position / page;
	struct range_asked asked = { position, size };
	struct range_found found;

	if (atomic_load_explicit(&refused, memory_order_relaxed))
		return -1;
	if (syscall(SYS_cachestat, f->fd, &asked, &found, 0)) {
		atomic_store_explicit(&refused, errno == ENOSYS || errno == EPERM,
		                      memory_order_relaxed);
		return -1;
	}
	return found.cached >= pages;
}

static bool ask_mincore(struct file *f, uint64_t position, uint64_t size)
{
	enum { PAGES_MAX = 512 };
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned char seen[PAGES_MAX];
	bool hot = true;

	for (uint64_t at = position / page * page; hot && at < position + size;
	     at += PAGES_MAX * page) {
		uint64_t left = position + size - at;
		size_t bytes = (size_t)(left < PAGES_MAX * page ? left : PAGES_MAX * page);
		void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, f->fd, (off_t)at);

		if (map == MAP_FAILED)
			return false;
		hot = !mincore(map, bytes, seen);
		for (size_t i = 0; hot && i < (bytes + page - 1) / page; i++)
			hot = seen[i] & 1;
		munmap(map, bytes);
	}
	return hot;
}

bool file_is_hot(struct file *f, uint64_t position, uint64_t size)
{
	int says;

	if (!size || is_ours_and_recent(f, position, size))
		return true;
	says = ask_cachestat(f, position, size);
	return says < 0 ? ask_mincore(f, position, size) : says;
}

ssize_t file_read_hot(struct file *f, void *data, size_t size, uint64_t position)
{
	struct iovec iov = { data, size };
	ssize_t n;

	do
		n = preadv2(f->fd, &iov, 1, (off_t)position, RWF_NOWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	if (!file_is_hot(f, position, size))
		return -EAGAIN;
	do
		n = pread(f->fd, data, size, (off_t)position);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
