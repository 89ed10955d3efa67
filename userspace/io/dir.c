/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "file_internal.h"

#define XFS_MAGIC 0x58465342

enum { DEPTH_MAX = 8 };

/* ---- open directories ---- */

/* The name `path` is durable.  A parent that may not be read must do without. */
static int sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent = slash ? str_dup((struct str){ path, (uint32_t)(slash - path) + 1 })
	                     : str_dup(STR("."));
	int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 && errno != EACCES ? -errno : 0;

	if (fd >= 0) {
		err = fsync(fd) && errno != EINVAL ? -errno : 0;
		close(fd);
	}
	mem_free(parent);
	return err;
}

/* Durably: of what was there already a crash may have come between. */
static int make_with_parents(const char *path)
{
	char *copy = str_dup(str_of(path));
	int err = 0;

	for (char *at = copy + 1; *copy && !err; at++) {
		char was = *at;
		bool made;

		if (was != '/' && was)
			continue;
		*at = '\0';
		made = !mkdir(copy, 0755);
		if (!made && errno != EEXIST)
			err = -errno;
		if (!err && (made || !was))
			err = sync_parent(copy);
		*at = was;
		if (!was)
			break;
	}
	mem_free(copy);
	return err;
}

/* Kafka says so where a directory is (File.getAbsolutePath); the name itself when it cannot be
 * told. */
static char *absolute(const char *path)
{
	char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
	struct buf out = { 0 };

	if (here)
		buf_printf(&out, "%s%s%s", here, here[1] ? "/" : "", path);
	else
		buf_printf(&out, "%s", path);
	buf_add(&out, "", 1);
	free(here); /* of getcwd() */
	return (char *)out.data;
}

int dir_open(const char *path, bool create, struct dir **ret)
{
	struct statfs fs;
	struct dir *d;
	int err = 0, fd;

	if (create)
		err = make_with_parents(path);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	d = mem_zalloc(sizeof(*d));
	atomic_init(&d->refs, 1);
	d->fd = fd;
	d->lock_fd = -1;
	d->path = str_dup(str_of(path));
	d->absolute = absolute(path);
	d->has_nowait_write = !fstatfs(fd, &fs) && fs.f_type == XFS_MAGIC;
	atomic_init(&d->budget, writer_budget(0));
	pthread_mutex_init(&d->lock, NULL);
	list_init(&d->files);
	sem_init(&d->wake, 0, 0);
	*ret = d;
	return 0;
}

void dir_put(struct dir *d)
{
	/* Acquire and release: whoever closes comes after everybody's last use. */
	if (atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	close(d->fd);
	pthread_mutex_destroy(&d->lock);
	sem_destroy(&d->wake);
	mem_free(d->path);
	mem_free(d->absolute);
	mem_free(d);
}

void dir_close(struct dir *d)
{
	if (!d)
		return;
	writer_close(d);
	if (d->lock_fd >= 0) {
		close(d->lock_fd); /* gives the lock back */
		d->lock_fd = -1;
	}
	dir_put(d);
}

const char *dir_path(const struct dir *d)
{
	return d->path;
}

const char *dir_absolute_path(const struct dir *d)
{
	return d->absolute;
}

int dir_lock(struct dir *d)
{
	/*
	 * The kind of lock Java's FileLock takes (fcntl), so that Kafka and we exclude each
	 * other, but owned by the open file, so that we exclude ourselves as well.
	 */
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = openat(d->fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &lock)) {
		err = errno == EACCES ? -EWOULDBLOCK : -errno;
		close(fd);
		return err;
	}
	d->lock_fd = fd;
	return 0;
}

void dir_mark_slow(struct dir *d, bool slow)
{
	atomic_store_explicit(&d->marked_slow, slow, memory_order_relaxed);
}

#define LOAD(counter) atomic_load_explicit(&d->counter, memory_order_relaxed)

struct dir_counters dir_counters(struct dir *d)
{
	return (struct dir_counters){
		.write_count = LOAD(write_count),
		.write_bytes = LOAD(write_bytes),
		.write_slow_count = LOAD(write_slow_count),
		.write_slow_ns = LOAD(write_slow_ns),
		.write_ns_max = LOAD(write_ns_max),
		.parked_count = LOAD(parked_count),
		.sync_count = LOAD(sync_count),
		.sync_ns_max = LOAD(sync_ns_max),
		.dirty_bytes = LOAD(dirty),
		.dirty_bytes_budget = LOAD(budget),
	};
}

/* ---- names ---- */

struct found {
	char *name;
	bool is_dir;
	uint64_t size;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

static int open_sub(struct dir *d, const char *sub)
{
	int fd = openat(d->fd, *sub ? sub : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int read_entries(DIR *stream, struct found **all, size_t *count)
{
	size_t capacity = 0;
	struct dirent *e;

	while ((errno = 0, e = readdir(stream))) {
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (fstatat(dirfd(stream), e->d_name, &st, 0)) {
			if (errno == ENOENT)
				continue; /* unlinked meanwhile */
			return -errno;
		}
		*all = mem_grow(*all, *count, &capacity, sizeof(**all));
		(*all)[(*count)++] = (struct found){
			.name = str_dup(str_of(e->d_name)),
			.is_dir = S_ISDIR(st.st_mode),
			.size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0,
		};
	}
	return -errno;
}

int dir_list(struct dir *d, const char *sub, void (*entry)(void *arg, const struct dir_entry *e),
             void *arg)
{
	struct found *all = NULL;
	size_t count = 0;
	int fd = open_sub(d, sub), err;
	DIR *stream;

	if (fd < 0)
		return fd;
	stream = fdopendir(fd);
	if (!stream) {
		err = -errno;
		close(fd);
		return err;
	}
	err = read_entries(stream, &all, &count);
	closedir(stream);
	if (count)
		qsort(all, count, sizeof(*all), by_name);
	for (size_t i = 0; i < count; i++) {
		struct dir_entry e = { all[i].name, all[i].is_dir, all[i].size };

		if (!err)
			entry(arg, &e);
		mem_free(all[i].name);
	}
	mem_free(all);
	return err;
}

int dir_mkdir(struct dir *d, const char *name)
{
	return mkdirat(d->fd, name, 0755) ? -errno : 0;
}

int dir_rename(struct dir *d, const char *from, const char *to)
{
	return renameat(d->fd, from, d->fd, to) ? -errno : 0;
}

int dir_unlink(struct dir *d, const char *name)
{
	return unlinkat(d->fd, name, 0) ? -errno : 0;
}

int dir_rmdir(struct dir *d, const char *name)
{
	if (!unlinkat(d->fd, name, AT_REMOVEDIR))
		return 0;
	return errno == EEXIST ? -ENOTEMPTY : -errno;
}

static int remove_at(int parent_fd, const char *name, int depth)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int err = 0;
	struct dirent *e;
	DIR *stream;

	if (fd < 0)
		return -errno;
	stream = fdopendir(fd);
	if (!stream) {
		err = -errno;
		close(fd);
		return err;
	}
	while (!err && (e = readdir(stream))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (!unlinkat(fd, e->d_name, 0))
			continue;
		err = -errno;
		if ((err == -EISDIR || err == -EPERM) && depth)
			err = remove_at(fd, e->d_name, depth - 1);
	}
	closedir(stream);
	if (!err && unlinkat(parent_fd, name, AT_REMOVEDIR))
		err = -errno;
	return err;
}

int dir_remove_all(struct dir *d, const char *name)
{
	return remove_at(d->fd, name, DEPTH_MAX);
}

/* ---- durability ---- */

int dir_sync(struct dir *d, const char *sub)
{
	int failed = atomic_load_explicit(&d->failed, memory_order_acquire);
	int fd, err = 0;

	if (failed)
		return failed;
	fd = open_sub(d, sub);
	if (fd < 0)
		return fd;
	if (fsync(fd) && errno != EINVAL) /* EINVAL: this file system has nothing to sync here */
		err = dir_sync_failed(d, -errno);
	close(fd);
	return err;
}

int dir_syncfs(struct dir *d)
{
	int failed = atomic_load_explicit(&d->failed, memory_order_acquire);
	int64_t orphaned = atomic_load_explicit(&d->orphaned, memory_order_relaxed);
	int64_t *dirty = NULL;
	size_t count = 0, capacity = 0;
	struct file **files = NULL;
	int err = 0;

	if (failed)
		return failed;
	/* What is dirty now is clean afterwards; what comes meanwhile stays counted. */
	pthread_mutex_lock(&d->lock);
	list_each(node, &d->files)
	{
		struct file *f = list_entry(node, struct file, link);
		int refs = atomic_load_explicit(&f->refs, memory_order_relaxed);
		size_t dirty_capacity = capacity;

		while (refs && !atomic_compare_exchange_weak_explicit(&f->refs, &refs, refs + 1,
		                                                      memory_order_relaxed,
		                                                      memory_order_relaxed))
			;
		if (!refs)
			continue; /* being closed */
		files = mem_grow(files, count, &capacity, sizeof(struct file *));
		dirty = mem_grow(dirty, count, &dirty_capacity, sizeof(*dirty));
		file_sync_begin(f, &dirty[count]);
		files[count++] = f;
	}
	pthread_mutex_unlock(&d->lock);

	if (syncfs(d->fd))
		err = dir_sync_failed(d, -errno);
	for (size_t i = 0; i < count; i++) {
		(void)file_sync_end(files[i], dirty[i], err); /* says the same */
		file_put(files[i]);
	}
	if (!err) {
		atomic_fetch_sub_explicit(&d->orphaned, orphaned, memory_order_relaxed);
		atomic_fetch_sub_explicit(&d->dirty, orphaned, memory_order_relaxed);
	}
	mem_free(files);
	mem_free(dirty);
	return err;
}

/* ---- facts ---- */

int dir_space(struct dir *d, struct dir_space *ret)
{
	struct statvfs fs;

	if (fstatvfs(d->fd, &fs))
		return -errno;
	ret->total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	ret->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000u /* 6.8: a number that is never used again */
#endif

int dir_identity(struct dir *d, char *text, size_t size)
{
	struct statx stx;
	struct statfs fs;
	int n;

	if (statx(d->fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &stx) ||
	    fstatfs(d->fd, &fs))
		return -errno;
	n = snprintf(text, size, "device %u:%u mount %llu inode %llu fs %lx", stx.stx_dev_major,
	             stx.stx_dev_minor, (unsigned long long)stx.stx_mnt_id,
	             (unsigned long long)stx.stx_ino, (unsigned long)fs.f_type);
	return n < 0 || (size_t)n >= size ? -ENOSPC : 0;
}

/* ---- small files ---- */

static int write_whole(struct dir *d, const char *name, const void *data, size_t size)
{
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct file *f;
	int err = file_open(d, name, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &f);

	if (err)
		return err;
	err = file_write(f, &iov, 1, 0);
	if (!err)
		err = file_sync(f);
	file_put(f);
	return err;
}

int dir_replace(struct dir *d, const char *name, const void *data, size_t size, bool durable)
{
	const char *slash = strrchr(name, '/');
	char temporary[PATH_MAX], parent[PATH_MAX];
	int err;

	if (snprintf(temporary, sizeof(temporary), "%s.tmp", name) >= PATH_MAX)
		return -ENAMETOOLONG;
	err = write_whole(d, temporary, data, size);
	if (!err)
		err = dir_rename(d, temporary, name);
	if (err) {
		(void)!dir_unlink(d, temporary); /* a leftover would be overwritten anyway */
		return err;
	}
	if (!durable)
		return 0;
	snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - name) : 0, name);
	return dir_sync(d, parent);
}

int dir_read(struct dir *d, const char *name, size_t size_max, void **ret_data, size_t *ret_size)
{
	struct file *f;
	uint64_t size;
	ssize_t n;
	char *data;
	int err = file_open(d, name, FILE_READ, &f);

	if (err)
		return err;
	err = file_size(f, &size);
	if (!err && size > size_max)
		err = -EFBIG;
	if (err)
		goto out;
	data = mem_alloc((size_t)size + 1);
	n = file_read(f, data, (size_t)size, 0);
	if (n < 0) {
		mem_free(data);
		err = (int)n;
		goto out;
	}
	data[n] = '\0'; /* not counted: a convenience for text */
	*ret_data = data;
	*ret_size = (size_t)n;
out:
	file_put(f);
	return err;
}
