/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DISK_H
#define DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The simulated disk, in the world's memory.  A file is what processes see (`now`), what a power
 * cut certainly leaves (`durable`), and the changes between the two, in order.  Names likewise:
 * each directory has two lists, and the disk a queue of changes of names.
 */
struct change {
	struct change *next;
	uint64_t number;
	bool is_cut;       /* to size `position` */
	uint64_t position; /* bytes */
	size_t size;
	unsigned char data[];
};

struct content {
	unsigned char *data;
	uint64_t size;
	uint64_t capacity;
};

struct name {
	char *text;
	struct inode *inode;
};

struct names {
	struct name *list;
	size_t count;
	size_t capacity;
};

struct inode {
	struct inode *next;
	uint64_t number;
	bool is_dir;
	bool is_marked;
	bool is_gone; /* no name leads here any more */
	uint64_t locked_in_life;
	struct content now, durable;
	struct change *first, *last;
	struct names names, names_durable;
	struct inode *parent; /* of a directory */
};

/* A creation has no `from`, an unlink no `to`. */
struct rename {
	struct rename *next;
	uint64_t number;
	struct inode *from_dir, *to_dir;
	char *from, *to;
	struct inode *inode;
	bool survives;
};

struct disk {
	struct inode *inodes;
	struct inode *root;
	struct rename *first, *last;
	uint64_t numbers;
	uint64_t used_bytes;
};

struct disk *disk_new(void);
/* After a life: what neither a name nor a possible power cut leads to is freed. */
void disk_forget(struct disk *d);

/* path: relative to `base`.  0 or -ENOENT, -ENOTDIR, -ENAMETOOLONG. */
int disk_find(struct inode *base, const char *path, struct inode **ret);
/* The directory that holds path's last part, and that part; then what it names. */
int disk_find_parent(struct inode *base, const char *path, struct inode **ret, const char **last);
int disk_find_last(struct inode *dir, const char *last, struct inode **ret);
struct inode *names_inode(const struct names *n, const char *text, size_t size);

/* All of these are done, now; the caller says what a crash does to them. */
struct inode *disk_create(struct disk *d, struct inode *dir, const char *name, bool is_dir);
void disk_unlink(struct disk *d, struct inode *dir, const char *name);
void disk_rename(struct disk *d, struct inode *from_dir, const char *from, struct inode *to_dir,
                 const char *to);
/* Bytes taken: fewer than size when there is no more space. */
size_t disk_write(struct disk *d, struct inode *inode, const void *data, size_t size,
                  uint64_t position);
void disk_cut(struct disk *d, struct inode *inode, uint64_t size); /* or grow, with zeros */

/* Changes up to this number are covered by a sync that begins now. */
uint64_t disk_number(const struct disk *d);
void disk_sync(struct inode *inode, uint64_t up_to);
void disk_sync_names(struct disk *d, const struct inode *dir, uint64_t up_to); /* NULL: all */
void disk_sync_all(struct disk *d);
/* A sync failed: what was written is clean in memory and never reaches the disk.  NULL: all. */
void disk_lose(struct inode *inode);
/* Memory shows what the disk has, and what is still on its way there. */
void disk_forget_cache(struct inode *inode);

#endif
