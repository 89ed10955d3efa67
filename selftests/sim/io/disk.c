/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include <errno.h>
#include <string.h>

#include "world.h"

enum { SECTOR_BYTES = 512, NAME_BYTES_MAX = 255 };

/* ---- content ---- */

static void content_reserve(struct content *c, uint64_t size)
{
	unsigned char *grown;

	if (size <= c->capacity)
		return;
	c->capacity = size < 256 ? 256 : size * 2;
	grown = world_alloc(c->capacity);
	if (c->size)
		memcpy(grown, c->data, c->size);
	world_free(c->data);
	c->data = grown;
}

static void content_resize(struct content *c, uint64_t size)
{
	content_reserve(c, size);
	if (size > c->size)
		memset(c->data + c->size, 0, size - c->size);
	c->size = size;
}

static void content_write(struct content *c, const void *data, size_t size, uint64_t position)
{
	if (!size)
		return;
	if (position + size > c->size)
		content_resize(c, position + size);
	memcpy(c->data + position, data, size);
}

static void content_copy(struct content *to, const struct content *from)
{
	content_resize(to, from->size);
	if (from->size)
		memcpy(to->data, from->data, from->size);
}

static struct change *change_add(struct disk *d, struct inode *inode, uint64_t position,
                                 const void *data, size_t size)
{
	struct change *c = world_alloc(sizeof(*c) + size);

	c->number = ++d->numbers;
	c->position = position;
	c->size = size;
	if (size)
		memcpy(c->data, data, size);
	if (inode->last)
		inode->last->next = c;
	else
		inode->first = c;
	inode->last = c;
	return c;
}

static struct change *change_take(struct inode *inode)
{
	struct change *c = inode->first;

	if (!c)
		return NULL;
	inode->first = c->next;
	if (!inode->first)
		inode->last = NULL;
	return c;
}

size_t disk_write(struct disk *d, struct inode *inode, const void *data, size_t size,
                  uint64_t position)
{
	uint64_t end = position + size, space = world()->space_bytes;

	if (end > inode->now.size) {
		uint64_t more = end - inode->now.size;
		uint64_t left = space > d->used_bytes ? space - d->used_bytes : 0;

		if (more > left) {
			if (more - left >= size)
				return 0;
			size -= (size_t)(more - left);
			more = left;
		}
		if (!inode->is_gone)
			d->used_bytes += more;
	}
	trace("write %llu: %zu bytes at %llu", (unsigned long long)inode->number, size,
	      (unsigned long long)position);
	content_write(&inode->now, data, size, position);
	if (size)
		change_add(d, inode, position, data, size);
	return size;
}

void disk_cut(struct disk *d, struct inode *inode, uint64_t size)
{
	if (!inode->is_gone)
		d->used_bytes += size - inode->now.size;
	trace("cut %llu to %llu", (unsigned long long)inode->number, (unsigned long long)size);
	content_resize(&inode->now, size);
	change_add(d, inode, size, NULL, 0)->is_cut = true;
}

uint64_t disk_number(const struct disk *d)
{
	return d->numbers;
}

static void apply(struct content *to, const struct change *c)
{
	if (c->is_cut)
		content_resize(to, c->position);
	else
		content_write(to, c->data, c->size, c->position);
}

void disk_sync(struct inode *inode, uint64_t up_to)
{
	if (inode->first)
		trace("sync %llu", (unsigned long long)inode->number);
	while (inode->first && inode->first->number <= up_to) {
		struct change *c = change_take(inode);

		apply(&inode->durable, c);
		world_free(c);
	}
}

void disk_lose(struct inode *inode)
{
	struct change *c, *next;

	if (!inode) {
		for (inode = world()->disk->inodes; inode; inode = inode->next)
			disk_lose(inode);
		return;
	}
	c = inode->first;
	inode->first = inode->last = NULL;
	for (; c; c = next) {
		next = c->next;
		c->next = NULL;
		if (!c->is_cut) {
			world_free(c);
			continue;
		}
		if (inode->last)
			inode->last->next = c;
		else
			inode->first = c;
		inode->last = c;
	}
}

void disk_forget_cache(struct inode *inode)
{
	uint64_t size = inode->now.size;

	content_copy(&inode->now, &inode->durable);
	for (const struct change *c = inode->first; c; c = c->next)
		apply(&inode->now, c);
	content_resize(&inode->now, size); /* that one is in the inode */
}

/* ---- names ---- */

static size_t names_index(const struct names *n, const char *text, size_t size)
{
	size_t i = 0;

	while (i < n->count &&
	       (strncmp(n->list[i].text, text, size) || n->list[i].text[size] != '\0'))
		i++;
	return i;
}

struct inode *names_inode(const struct names *n, const char *text, size_t size)
{
	size_t i = names_index(n, text, size);

	return i < n->count ? n->list[i].inode : NULL;
}

static void names_set(struct names *n, const char *text, struct inode *inode)
{
	size_t i = names_index(n, text, strlen(text));

	if (i < n->count) {
		n->list[i].inode = inode;
		return;
	}
	if (n->count == n->capacity) {
		struct name *grown;

		n->capacity = n->capacity ? n->capacity * 2 : 8;
		grown = world_alloc(n->capacity * sizeof(*grown));
		if (n->count)
			memcpy(grown, n->list, n->count * sizeof(*grown));
		world_free(n->list);
		n->list = grown;
	}
	n->list[n->count++] = (struct name){ world_text(text), inode };
}

static void names_remove(struct names *n, const char *text, const struct inode *inode)
{
	size_t i = names_index(n, text, strlen(text));

	if (i == n->count || n->list[i].inode != inode)
		return;
	world_free(n->list[i].text);
	n->list[i] = n->list[--n->count];
}

static void names_fini(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		world_free(n->list[i].text);
	world_free(n->list);
	*n = (struct names){ 0 };
}

static void names_copy(struct names *to, const struct names *from)
{
	names_fini(to);
	for (size_t i = 0; i < from->count; i++)
		names_set(to, from->list[i].text, from->list[i].inode);
}

static void rename_add(struct disk *d, struct inode *from_dir, const char *from,
                       struct inode *to_dir, const char *to, struct inode *inode)
{
	struct rename *r = world_alloc(sizeof(*r));

	r->number = ++d->numbers;
	r->from_dir = from_dir;
	r->to_dir = to_dir;
	r->from = from ? world_text(from) : NULL;
	r->to = to ? world_text(to) : NULL;
	r->inode = inode;
	if (d->last)
		d->last->next = r;
	else
		d->first = r;
	d->last = r;
}

static void rename_free(struct rename *r)
{
	world_free(r->from);
	world_free(r->to);
	world_free(r);
}

static struct inode *inode_new(struct disk *d, bool is_dir)
{
	struct inode *inode = world_alloc(sizeof(*inode));

	inode->number = ++d->numbers;
	inode->is_dir = is_dir;
	inode->next = d->inodes;
	d->inodes = inode;
	return inode;
}

struct disk *disk_new(void)
{
	struct disk *d = world_alloc(sizeof(*d));

	d->root = inode_new(d, true);
	d->root->parent = d->root;
	return d;
}

struct inode *disk_create(struct disk *d, struct inode *dir, const char *name, bool is_dir)
{
	struct inode *inode = inode_new(d, is_dir);

	inode->parent = dir;
	trace("create %s as %llu", name, (unsigned long long)inode->number);
	names_set(&dir->names, name, inode);
	rename_add(d, NULL, NULL, dir, name, inode);
	return inode;
}

/* It has lost its name: from now on its bytes do not count. */
static void forget_bytes(struct disk *d, struct inode *inode)
{
	if (!inode || inode->is_gone)
		return;
	d->used_bytes -= inode->now.size;
	inode->is_gone = true;
}

void disk_unlink(struct disk *d, struct inode *dir, const char *name)
{
	struct inode *inode = names_inode(&dir->names, name, strlen(name));

	trace("unlink %s", name);
	forget_bytes(d, inode);
	names_remove(&dir->names, name, inode);
	rename_add(d, dir, name, NULL, NULL, inode);
}

void disk_rename(struct disk *d, struct inode *from_dir, const char *from, struct inode *to_dir,
                 const char *to)
{
	struct inode *inode = names_inode(&from_dir->names, from, strlen(from));

	trace("rename %s to %s", from, to);
	forget_bytes(d, names_inode(&to_dir->names, to, strlen(to)));
	names_remove(&from_dir->names, from, inode);
	names_set(&to_dir->names, to, inode);
	inode->parent = to_dir;
	rename_add(d, from_dir, from, to_dir, to, inode);
}

static void make_durable(struct rename *r)
{
	if (r->from)
		names_remove(&r->from_dir->names_durable, r->from, r->inode);
	if (r->to)
		names_set(&r->to_dir->names_durable, r->to, r->inode);
}

static bool touches(const struct rename *r, const struct inode *dir, const char *name)
{
	return (r->from_dir == dir && r->from && !strcmp(r->from, name)) ||
	       (r->to_dir == dir && r->to && !strcmp(r->to, name));
}

/* A change of names cannot survive without the earlier ones of the same names. */
static void survive_in_order(struct disk *d)
{
	bool again = true;

	while (again) {
		again = false;
		for (struct rename *r = d->first; r; r = r->next) {
			if (!r->survives)
				continue;
			for (struct rename *e = d->first; e != r; e = e->next) {
				if (e->survives ||
				    !((r->from && touches(e, r->from_dir, r->from)) ||
				      (r->to && touches(e, r->to_dir, r->to))))
					continue;
				e->survives = again = true;
			}
		}
	}
}

static void take_surviving(struct disk *d)
{
	struct rename *r = d->first, *next;

	survive_in_order(d);
	d->first = d->last = NULL;
	for (; r; r = next) {
		next = r->next;
		r->next = NULL;
		if (r->survives) {
			make_durable(r);
			rename_free(r);
			continue;
		}
		if (d->last)
			d->last->next = r;
		else
			d->first = r;
		d->last = r;
	}
}

void disk_sync_names(struct disk *d, const struct inode *dir, uint64_t up_to)
{
	trace("sync names of %llu", (unsigned long long)(dir ? dir->number : 0));
	for (struct rename *r = d->first; r; r = r->next)
		r->survives = r->number <= up_to && (!dir || (r->from && r->from_dir == dir) ||
		                                     (r->to && r->to_dir == dir));
	take_surviving(d);
}

void disk_sync_all(struct disk *d)
{
	disk_sync_names(d, NULL, UINT64_MAX);
	for (struct inode *inode = d->inodes; inode; inode = inode->next)
		disk_sync(inode, UINT64_MAX);
}

/* ---- finding ---- */

/* One part of a path, in a directory. */
static int find_part(struct inode *dir, const char *part, size_t size, struct inode **ret)
{
	struct inode *found;

	if (size > NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	if (!size || (size == 1 && *part == '.'))
		found = dir;
	else if (size == 2 && !memcmp(part, "..", 2))
		found = dir->parent;
	else
		found = names_inode(&dir->names, part, size);
	if (!found)
		return -ENOENT;
	*ret = found;
	return 0;
}

int disk_find_parent(struct inode *base, const char *path, struct inode **ret, const char **last)
{
	struct inode *at = *path == '/' ? world()->disk->root : base;

	for (;;) {
		size_t size;
		int err;

		while (*path == '/')
			path++;
		size = strcspn(path, "/");
		if (!at->is_dir)
			return -ENOTDIR;
		if (!path[size]) {
			*ret = at;
			*last = path;
			return 0;
		}
		err = find_part(at, path, size, &at);
		if (err)
			return err;
		path += size;
	}
}

int disk_find_last(struct inode *dir, const char *last, struct inode **ret)
{
	return find_part(dir, last, strlen(last), ret);
}

int disk_find(struct inode *base, const char *path, struct inode **ret)
{
	struct inode *parent;
	const char *last;
	int err = disk_find_parent(base, path, &parent, &last);

	return err ? err : disk_find_last(parent, last, ret);
}

/* ---- crashes ---- */

static void mark(struct inode *inode)
{
	if (!inode || inode->is_marked)
		return;
	inode->is_marked = true;
	for (size_t i = 0; i < inode->names.count; i++)
		mark(inode->names.list[i].inode);
	for (size_t i = 0; i < inode->names_durable.count; i++)
		mark(inode->names_durable.list[i].inode);
}

static void inode_free(struct inode *inode)
{
	struct change *c;

	while ((c = change_take(inode)))
		world_free(c);
	names_fini(&inode->names);
	names_fini(&inode->names_durable);
	world_free(inode->now.data);
	world_free(inode->durable.data);
	world_free(inode);
}

static void count_used(struct disk *d, struct inode *dir)
{
	for (size_t i = 0; i < dir->names.count; i++) {
		struct inode *inode = dir->names.list[i].inode;

		inode->is_gone = false;
		if (inode->is_dir)
			count_used(d, inode);
		else
			d->used_bytes += inode->now.size;
	}
}

void disk_forget(struct disk *d)
{
	struct inode **at = &d->inodes, *inode;

	mark(d->root);
	for (struct rename *r = d->first; r; r = r->next) {
		mark(r->inode);
		mark(r->from_dir);
		mark(r->to_dir);
	}
	while ((inode = *at)) {
		if (inode->is_marked) {
			inode->is_marked = false;
			at = &inode->next;
			continue;
		}
		*at = inode->next;
		inode_free(inode);
	}
	d->used_bytes = 0;
	count_used(d, d->root);
}

enum luck { LUCK_NONE, LUCK_ALL, LUCK_BEGINNING, LUCK_ANY, LUCKS };

/* Some sectors of a write reach the disk; the file's size may or may not. */
static void tear(struct content *to, const struct change *c)
{
	uint64_t end = c->position + c->size;
	bool beginning_only = sim_chance(50);

	for (uint64_t at = c->position; at < end;) {
		uint64_t next = at / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES;

		if (next > end)
			next = end;
		if (sim_chance(50))
			content_write(to, c->data + (at - c->position), (size_t)(next - at), at);
		else if (beginning_only)
			break;
		at = next;
	}
	if (end > to->size && sim_chance(25))
		content_resize(to, end);
}

static void lose_bytes(struct inode *inode)
{
	enum luck luck = (enum luck)sim_random(LUCKS);
	struct change *c;

	while ((c = change_take(inode))) {
		if (luck == LUCK_ALL || (luck == LUCK_BEGINNING && sim_chance(75)) ||
		    (luck == LUCK_ANY && sim_chance(33))) {
			apply(&inode->durable, c);
		} else if (luck == LUCK_BEGINNING || (luck == LUCK_ANY && sim_chance(50))) {
			if (!c->is_cut)
				tear(&inode->durable, c);
			if (luck == LUCK_BEGINNING)
				luck = LUCK_NONE;
		}
		world_free(c);
	}
	content_copy(&inode->now, &inode->durable);
}

static void lose_names(struct disk *d)
{
	enum luck luck = (enum luck)sim_random(LUCKS);
	struct rename *r;

	for (r = d->first; r; r = r->next) {
		r->survives = luck == LUCK_ALL || (luck == LUCK_BEGINNING && sim_chance(85)) ||
		              (luck == LUCK_ANY && sim_chance(50));
		if (luck == LUCK_BEGINNING && !r->survives)
			luck = LUCK_NONE;
	}
	take_surviving(d);
	while ((r = d->first)) {
		d->first = r->next;
		rename_free(r);
	}
	d->last = NULL;
}

void sim_power_cut(void)
{
	struct disk *d = world()->disk;

	lose_names(d);
	for (struct inode *inode = d->inodes; inode; inode = inode->next) {
		if (inode->is_dir)
			names_copy(&inode->names, &inode->names_durable);
		else
			lose_bytes(inode);
	}
	/* A directory's parent is where its surviving name is. */
	for (struct inode *inode = d->inodes; inode; inode = inode->next)
		for (size_t i = 0; i < inode->names.count; i++)
			inode->names.list[i].inode->parent = inode;
	disk_forget(d);
	world()->boot++;
}

void sim_settle_disk(void)
{
	disk_sync_all(world()->disk);
}

void sim_space_left(uint64_t bytes)
{
	world()->space_bytes = world()->disk->used_bytes + bytes;
}

void sim_space(uint64_t bytes)
{
	world()->space_bytes = bytes;
}
