/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "file_internal.h"
#include "world.h"

/* ---- open files ---- */

static int open_inode(struct dir *d, const char *name, unsigned int flags, struct inode **ret)
{
	struct disk *disk = world()->disk;
	struct inode *parent, *inode;
	const char *last;
	int err = find_parent(d, name, &parent, &last, &inode);

	if (err)
		return err;
	if (inode && (flags & FILE_CREATE) && (flags & FILE_NEW))
		return -EEXIST;
	if (!inode && !(flags & FILE_CREATE))
		return -ENOENT;
	if (inode && inode->is_dir && (flags & (FILE_WRITE | FILE_CREATE | FILE_TRUNCATE)))
		return -EISDIR;
	if (inode && (!(flags & FILE_TRUNCATE) || !inode->now.size)) {
		*ret = inode;
		return 0;
	}
	if (mutation_begins())
		sim_crash();
	if (inode)
		disk_cut(disk, inode, 0);
	else
		inode = disk_create(disk, parent, last, false);
	mutation_ends();
	*ret = inode;
	return 0;
}

int file_open(struct dir *d, const char *name, unsigned int flags, struct file **ret)
{
	struct inode *inode;
	struct file *f;
	int err;

	must_be_inside();
	check(flags & (FILE_READ | FILE_WRITE));
	err = open_inode(d, name, flags, &inode);
	if (err)
		return err;
	f = mem_zalloc(sizeof(*f));
	f->refs = 1;
	f->inode = inode;
	f->dir = d;
	f->name = str_dup(str_of(name));
	f->flags = flags;
	d->refs++;
	*ret = f;
	return 0;
}

struct file *file_get(struct file *f)
{
	f->refs++;
	return f;
}

void file_put(struct file *f)
{
	if (!f || --f->refs)
		return;
	check(!f->is_parked);
	dir_put(f->dir);
	mem_free(f->name);
	mem_free(f);
}

const char *file_name(const struct file *f)
{
	return f->name;
}

int file_size(struct file *f, uint64_t *ret)
{
	must_be_inside();
	if (f->inode->is_dir)
		return -EISDIR;
	*ret = f->inode->now.size;
	return 0;
}

/* ---- bytes ---- */

static ssize_t read_now(struct file *f, void *data, size_t size, uint64_t position)
{
	const struct content *now = &f->inode->now;
	struct world *w = world();

	if (!(f->flags & FILE_READ))
		return -EBADF;
	if (f->inode->is_dir)
		return -EISDIR;
	if (++w->reads == w->faults.fail_read_at)
		return -EIO;
	if (position >= now->size)
		return 0;
	if (size > now->size - position)
		size = (size_t)(now->size - position);
	if (size)
		memcpy(data, now->data + position, size);
	return (ssize_t)size;
}

ssize_t file_read(struct file *f, void *data, size_t size, uint64_t position)
{
	must_be_worker();
	return read_now(f, data, size, position);
}

static size_t total(const struct iovec *iov, int count)
{
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += iov[i].iov_len;
	return size;
}

/* At most `size` of the bytes; as one change, which a power cut tears by sectors. */
static int write_some(struct file *f, const struct iovec *iov, int count, size_t size,
                      uint64_t position)
{
	unsigned char *flat = mem_alloc(size + 1);
	size_t done = 0, wrote;

	for (int i = 0; i < count && done < size; i++) {
		size_t part = iov[i].iov_len < size - done ? iov[i].iov_len : size - done;

		if (part)
			memcpy(flat + done, iov[i].iov_base, part);
		done += part;
	}
	wrote = disk_write(world()->disk, f->inode, flat, size, position);
	f->dir->counters.dirty_bytes += (int64_t)wrote;
	mem_free(flat);
	return wrote < size ? -ENOSPC : 0;
}

static int write_now(struct file *f, const struct iovec *iov, int count, uint64_t position)
{
	size_t size = total(iov, count);
	struct world *w = world();
	int err;

	if (!size)
		return 0;
	if (!(f->flags & FILE_WRITE))
		return -EBADF;
	if (++w->writes == w->faults.fail_write_at) {
		(void)write_some(f, iov, count, (size_t)sim_random(size),
		                 position); /* EIO anyway */
		return -EIO;
	}
	if (mutation_begins()) {
		(void)write_some(f, iov, count, (size_t)sim_random(size + 1), position);
		sim_crash();
	}
	err = write_some(f, iov, count, size, position);
	mutation_ends();
	return err;
}

int file_write(struct file *f, const struct iovec *iov, int count, uint64_t position)
{
	must_be_worker();
	return write_now(f, iov, count, position);
}

static int sync_now(struct file *f, uint64_t up_to)
{
	int before = f->dir->failed, err = sync_trouble(f->dir);

	if (err && !before)
		disk_lose(f->inode);
	if (err)
		return err;
	if (mutation_begins()) {
		/* Some of it reached the disk, in order: the rest is for the power cut to say. */
		disk_sync(f->inode, up_to - sim_random(up_to + 1));
		sim_crash();
	}
	disk_sync(f->inode, up_to);
	f->dir->counters.sync_count++;
	f->dir->counters.dirty_bytes = 0;
	mutation_ends();
	return 0;
}

int file_sync(struct file *f)
{
	must_be_worker();
	return sync_now(f, disk_number(world()->disk));
}

static int cut_now(struct file *f, uint64_t size)
{
	if (!(f->flags & FILE_WRITE))
		return -EINVAL;
	if (size == f->inode->now.size)
		return 0;
	if (mutation_begins())
		sim_crash();
	disk_cut(world()->disk, f->inode, size);
	mutation_ends();
	return 0;
}

int file_truncate(struct file *f, uint64_t size)
{
	must_be_worker();
	return cut_now(f, size);
}

void file_forget(struct file *f)
{
	must_be_worker();
	disk_forget_cache(f->inode);
}

/* ---- append ---- */

static int64_t append_now(struct file_op *op)
{
	struct file *f = op->file;
	int err = f->is_broken ? -EIO : f->dir->failed;

	if (err)
		return err;
	/* The caller knows the end of the file; whoever does not would write over something. */
	check(op->position == f->inode->now.size);
	err = write_now(f, op->iov, op->iov_count, op->position);
	if (!err) {
		f->dir->counters.write_count++;
		f->dir->counters.write_bytes += op->bytes;
		return (int64_t)op->bytes;
	}
	if (cut_now(f, op->position)) {
		f->is_broken = true;
		err = -EIO;
	}
	return err;
}

static void answer(struct mail *mail)
{
	struct file_op *op = container_of(mail, struct file_op, mail);

	op->done(op);
}

static void reply(void *arg)
{
	struct file_op *op = arg;

	op->mail.run = answer;
	mail_arrives(op->home, &op->mail);
}

struct batch {
	struct dir *dir;
	struct mail *ops;
	uint64_t up_to;
};

static void begin_writing(struct dir *d);

static void sync_batch(void *arg)
{
	struct batch *b = arg;
	struct dir *d = b->dir;
	struct mail *mail = b->ops, *next;

	for (; mail; mail = next) {
		struct file_op *op = container_of(mail, struct file_op, mail);
		int err = 0;

		next = mail->next;
		if (op->sync && op->result >= 0)
			err = sync_now(op->file, b->up_to);
		if (err)
			op->result = cut_now(op->file, op->position) ? -EIO : err;
		op->file->is_parked = false;
		file_put(op->file);
		event_at(later(world()->manners.mail_ns_max), PLACE_WORKER, reply, op);
	}
	mem_free(b);
	d->is_writing = false;
	if (d->parked)
		begin_writing(d);
	dir_put(d);
}

/* The directory's writer: what is parked by now is written, each, then synced, each. */
static void write_batch(void *arg)
{
	struct dir *d = arg;
	struct batch *b = mem_zalloc(sizeof(*b));

	b->dir = d;
	b->ops = d->parked;
	d->parked = NULL;
	d->parked_end = &d->parked;
	for (struct mail *mail = b->ops; mail; mail = mail->next) {
		struct file_op *op = container_of(mail, struct file_op, mail);

		op->result = append_now(op);
	}
	b->up_to = disk_number(world()->disk);
	event_at(later(world()->manners.disk_ns_max), PLACE_WORKER, sync_batch, b);
}

static void begin_writing(struct dir *d)
{
	d->is_writing = true;
	d->refs++;
	event_at(later(world()->manners.disk_ns_max), PLACE_WORKER, write_batch, d);
}

int64_t file_append(struct file_op *op)
{
	struct file *f = op->file;
	struct dir *d = f->dir;

	must_be_reactor();
	check(!f->is_parked); /* a file has one append under way at a time */
	check(op->bytes == total(op->iov, op->iov_count));
	if (!op->sync && !d->is_slow && !sim_chance(world()->manners.park_per_cent))
		return append_now(op);

	f->is_parked = true;
	(void)file_get(f);
	d->counters.parked_count++;
	op->home = reactor_self();
	op->mail.next = NULL;
	*d->parked_end = &op->mail;
	d->parked_end = &op->mail.next;
	if (!d->is_writing)
		begin_writing(d);
	return FILE_PARKED;
}

/* ---- what is in memory ---- */

ssize_t file_read_hot(struct file *f, void *data, size_t size, uint64_t position)
{
	must_be_reactor();
	if (sim_chance(world()->manners.cold_per_cent))
		return -EAGAIN;
	if (size > 1 && sim_chance(world()->manners.short_per_cent))
		size = 1 + (size_t)sim_random(size - 1);
	return read_now(f, data, size, position);
}

bool file_is_hot(struct file *f, uint64_t position, uint64_t size)
{
	(void)f;
	(void)position;
	must_be_reactor();
	return !size || !sim_chance(world()->manners.cold_per_cent);
}

static void read_submitted(void *arg)
{
	struct file_op *op = arg;

	op->result = read_now(op->file, op->iov[0].iov_base, op->iov[0].iov_len, op->position);
	file_put(op->file);
	event_at(later(world()->manners.disk_ns_max), PLACE_WORKER, reply, op);
}

void file_read_submit(struct file_op *op)
{
	must_be_reactor();
	op->home = reactor_self();
	(void)file_get(op->file);
	event_at(later(world()->manners.disk_ns_max), PLACE_WORKER, read_submitted, op);
}

struct sync_later {
	struct file_op *op;
	uint64_t up_to;
};

static void sync_submitted(void *arg)
{
	struct sync_later *s = arg;

	s->op->result = sync_now(s->op->file, s->up_to);
	file_put(s->op->file);
	event_at(later(world()->manners.disk_ns_max), PLACE_WORKER, reply, s->op);
	mem_free(s);
}

/* What is written after the submission need not be covered, so it is not. */
void file_sync_submit(struct file_op *op)
{
	struct sync_later *s = mem_zalloc(sizeof(*s));

	must_be_reactor();
	s->op = op;
	s->up_to = disk_number(world()->disk);
	op->home = reactor_self();
	(void)file_get(op->file);
	event_at(later(world()->manners.disk_ns_max), PLACE_WORKER, sync_submitted, s);
}
