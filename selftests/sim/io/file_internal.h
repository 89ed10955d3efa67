/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILE_INTERNAL_H
#define FILE_INTERNAL_H

#include "disk.h"
#include "io/file.h"

/* Shared by dir.c, file.c and net.c of the simulator. */

struct dir {
	int refs; /* the opener's and one for each file */
	struct inode *inode;
	char *path;
	bool has_lock;
	int failed; /* the -errno of the first failed sync: for ever */
	bool is_slow;
	struct dir_counters counters;

	struct mail *parked, **parked_end;
	bool is_writing;
};

struct file {
	int refs;
	struct inode *inode;
	struct dir *dir;
	char *name;
	unsigned int flags;
	bool is_broken;
	bool is_parked;
};

void dir_put(struct dir *d);
/* 0, or the answer of a sync that fails here. */
int sync_trouble(struct dir *d);
/* The directory of a name, its last part, and what is there: NULL when nothing is. */
int find_parent(struct dir *d, const char *name, struct inode **parent, const char **last,
                struct inode **found);

#endif
