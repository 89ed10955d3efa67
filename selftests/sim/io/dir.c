/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "file_internal.h"
#include "world.h"

enum { DEPTH_MAX = 8, FULL_BYTES = 1 << 30, BUDGET_BYTES = 256 << 20 };

/* ---- open directories ---- */

static int make_with_parents(const char *path)
{
	struct disk *disk = world()->disk;
	char part[PATH_MAX];
	int err = 0;

	for (size_t i = 1; i <= strlen(path) && !err; i++) {
		struct inode *parent, *found;
		const char *last;
		bool made;

		if (path[i] != '/' && path[i])
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		err = disk_find(disk->root, part, &found);
		if (!err && !found->is_dir)
			err = path[i] ? -ENOTDIR : 0; /* at the end opening says so */
		if ((err && err != -ENOENT) || (!err && path[i]))
			continue;
		made = err;
		err = disk_find_parent(disk->root, part, &parent, &last);
		if (err || !*last)
			continue;
		if (made) {
			if (mutation_begins())
				sim_crash();
			disk_create(disk, parent, last, true);
			mutation_ends();
		}
		if (mutation_begins())
			sim_crash();
		disk_sync_names(disk, parent, disk_number(disk));
		mutation_ends();
	}
	return err;
}

int dir_open(const char *path, bool create, struct dir **ret)
{
	struct inode *inode;
	struct dir *d;
	int err = 0;

	must_be_worker();
	if (create)
		err = make_with_parents(path);
	if (!err)
		err = disk_find(world()->disk->root, path, &inode);
	if (!err && !inode->is_dir)
		err = -ENOTDIR;
	if (err)
		return err;
	d = mem_zalloc(sizeof(*d));
	d->refs = 1;
	d->inode = inode;
	d->path = str_dup(str_of(path));
	d->parked_end = &d->parked;
	*ret = d;
	return 0;
}

void dir_put(struct dir *d)
{
	if (--d->refs)
		return;
	mem_free(d->path);
	mem_free(d);
}

void dir_close(struct dir *d)
{
	if (!d)
		return;
	if (d->has_lock)
		d->inode->locked_in_life = 0;
	d->has_lock = false;
	dir_put(d);
}

const char *dir_path(const struct dir *d)
{
	return d->path;
}

const char *dir_absolute_path(const struct dir *d)
{
	return d->path; /* names of the simulator begin at its root */
}

int dir_lock(struct dir *d)
{
	struct file *f;
	int err;

	must_be_worker();
	err = file_open(d, ".lock", FILE_READ | FILE_WRITE | FILE_CREATE, &f);
	if (err)
		return err;
	file_put(f);
	if (d->inode->locked_in_life == world()->lives + 1)
		return -EWOULDBLOCK;
	d->inode->locked_in_life = world()->lives + 1;
	d->has_lock = true;
	return 0;
}

void dir_mark_slow(struct dir *d, bool slow)
{
	must_be_inside();
	d->is_slow = slow;
}

struct dir_counters dir_counters(struct dir *d)
{
	struct dir_counters counters = d->counters;

	must_be_inside();
	counters.dirty_bytes_budget = BUDGET_BYTES;
	return counters;
}

/* ---- names ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

int dir_list(struct dir *d, const char *sub, void (*entry)(void *arg, const struct dir_entry *e),
             void *arg)
{
	struct inode *inode;
	struct name *sorted;
	size_t count;
	int err;

	must_be_worker();
	err = disk_find(d->inode, sub, &inode);
	if (!err && !inode->is_dir)
		err = -ENOTDIR;
	if (err)
		return err;
	count = inode->names.count;
	if (!count)
		return 0;
	/* A copy: the callback may change the directory. */
	sorted = mem_dup(inode->names.list, count * sizeof(*sorted));
	for (size_t i = 0; i < count; i++)
		sorted[i].text = str_dup(str_of(sorted[i].text));
	qsort(sorted, count, sizeof(*sorted), by_text);
	for (size_t i = 0; i < count; i++) {
		struct dir_entry e = { sorted[i].text, sorted[i].inode->is_dir,
			               sorted[i].inode->now.size };

		entry(arg, &e);
		mem_free(sorted[i].text);
	}
	mem_free(sorted);
	return 0;
}

int find_parent(struct dir *d, const char *name, struct inode **parent, const char **last,
                struct inode **found)
{
	int err = disk_find_parent(d->inode, name, parent, last);

	*found = NULL;
	if (err)
		return err;
	err = disk_find_last(*parent, *last, found);
	return err == -ENOENT ? 0 : err;
}

int dir_mkdir(struct dir *d, const char *name)
{
	struct inode *parent, *found;
	const char *last;
	int err;

	must_be_worker();
	err = find_parent(d, name, &parent, &last, &found);
	if (!err && found)
		err = -EEXIST;
	if (err)
		return err;
	if (mutation_begins())
		sim_crash();
	disk_create(world()->disk, parent, last, true);
	mutation_ends();
	return 0;
}

static bool is_inside(const struct inode *inode, const struct inode *outer)
{
	for (; inode->parent != inode; inode = inode->parent)
		if (inode == outer)
			return true;
	return false;
}

static int may_rename(struct inode *from_dir, struct inode *moved, struct inode *to_dir,
                      struct inode *there)
{
	if (moved->is_dir && is_inside(to_dir, moved))
		return -EINVAL;
	if (there && there->is_dir && is_inside(from_dir, there))
		return -ENOTEMPTY;
	if (!there)
		return 0;
	if (there->is_dir && !moved->is_dir)
		return -EISDIR;
	if (!there->is_dir && moved->is_dir)
		return -ENOTDIR;
	return there->is_dir && there->names.count ? -ENOTEMPTY : 0;
}

int dir_rename(struct dir *d, const char *from, const char *to)
{
	struct inode *from_dir, *to_dir, *moved = NULL, *there = NULL;
	const char *from_last, *to_last;
	int err;

	must_be_worker();
	/* Both directories before what is in them. */
	err = disk_find_parent(d->inode, from, &from_dir, &from_last);
	if (!err)
		err = disk_find_parent(d->inode, to, &to_dir, &to_last);
	if (!err)
		err = disk_find_last(from_dir, from_last, &moved);
	if (!err)
		err = disk_find_last(to_dir, to_last, &there);
	if (err == -ENOENT && moved)
		err = 0;
	if (!err && moved == there)
		return 0;
	if (!err)
		err = may_rename(from_dir, moved, to_dir, there);
	if (err)
		return err;
	if (mutation_begins())
		sim_crash();
	disk_rename(world()->disk, from_dir, from_last, to_dir, to_last);
	mutation_ends();
	return 0;
}

static int unlink_one(struct inode *parent, const char *last, struct inode *found, bool is_dir)
{
	if (!found)
		return -ENOENT;
	if (found->is_dir != is_dir)
		return is_dir ? -ENOTDIR : -EISDIR;
	if (found->names.count)
		return -ENOTEMPTY;
	if (mutation_begins())
		sim_crash();
	disk_unlink(world()->disk, parent, last);
	mutation_ends();
	return 0;
}

int dir_unlink(struct dir *d, const char *name)
{
	struct inode *parent, *found;
	const char *last;
	int err;

	must_be_worker();
	err = find_parent(d, name, &parent, &last, &found);
	return err ? err : unlink_one(parent, last, found, false);
}

int dir_rmdir(struct dir *d, const char *name)
{
	struct inode *parent, *found;
	const char *last;
	int err;

	must_be_worker();
	err = find_parent(d, name, &parent, &last, &found);
	return err ? err : unlink_one(parent, last, found, true);
}

static int remove_all(struct inode *parent, const char *last, struct inode *inode, int depth)
{
	int err = 0;

	while (!err && inode->names.count) {
		/* In no order, as a file system has none. */
		const struct name *n = &inode->names.list[sim_random(inode->names.count)];
		char *text = str_dup(str_of(n->text));

		if (!n->inode->is_dir)
			err = unlink_one(inode, text, n->inode, false);
		else
			err = depth ? remove_all(inode, text, n->inode, depth - 1) : -EISDIR;
		mem_free(text);
	}
	return err ? err : unlink_one(parent, last, inode, true);
}

int dir_remove_all(struct dir *d, const char *name)
{
	struct inode *parent, *found;
	const char *last;
	int err;

	must_be_worker();
	err = find_parent(d, name, &parent, &last, &found);
	if (!err && !found)
		err = -ENOENT;
	if (!err && !found->is_dir)
		err = -ENOTDIR;
	return err ? err : remove_all(parent, last, found, DEPTH_MAX);
}

/* ---- durability ---- */

int sync_trouble(struct dir *d)
{
	struct world *w = world();

	if (!d->failed && ++w->syncs == w->faults.fail_sync_at)
		d->failed = -EIO;
	return d->failed;
}

int dir_sync(struct dir *d, const char *sub)
{
	struct disk *disk = world()->disk;
	struct inode *inode;
	int err;

	must_be_worker();
	if (d->failed)
		return d->failed;
	err = disk_find(d->inode, sub, &inode);
	if (!err && !inode->is_dir)
		err = -ENOTDIR;
	if (!err)
		err = sync_trouble(d);
	if (err)
		return err;
	if (mutation_begins())
		sim_crash();
	disk_sync_names(disk, inode, disk_number(disk));
	mutation_ends();
	return 0;
}

int dir_syncfs(struct dir *d)
{
	int before = d->failed, err;

	must_be_worker();
	err = sync_trouble(d);
	if (err && !before)
		disk_lose(NULL);
	if (err)
		return err;
	if (mutation_begins())
		sim_crash();
	disk_sync_all(world()->disk);
	d->counters.dirty_bytes = 0;
	mutation_ends();
	return 0;
}

/* ---- facts ---- */

int dir_space(struct dir *d, struct dir_space *ret)
{
	uint64_t used = world()->disk->used_bytes, total = world()->space_bytes;

	(void)d;
	must_be_worker();
	if (total == UINT64_MAX)
		total = used + FULL_BYTES;
	ret->total_bytes = total;
	ret->free_bytes = total > used ? total - used : 0;
	return 0;
}

int dir_identity(struct dir *d, char *text, size_t size)
{
	int n;

	must_be_worker();
	n = snprintf(text, size, "device 0:0 mount %llu inode %llu fs sim",
	             (unsigned long long)world()->boot, (unsigned long long)d->inode->number);
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

	must_be_worker();
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
	data[n] = '\0';
	*ret_data = data;
	*ret_size = (size_t)n;
out:
	file_put(f);
	return err;
}
