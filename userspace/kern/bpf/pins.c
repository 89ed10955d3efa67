/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "kern/kernel.h"
#include "kern_private.h"

/*
 * A pin is a name in the BPF file system that keeps a map or program alive and lets bpftool
 * find it.  Two brokers of one node id would share a directory: the later one takes it over,
 * and a pin is removed only by whoever made it, known by its inode.
 */
enum { PINS_MAX = 32, NAME_SIZE = 32 };

struct pin {
	char name[NAME_SIZE];
	ino_t inode;
};

struct pins {
	int dir_fd;
	int32_t node_id;
	int count;
	struct pin pin[PINS_MAX];
};

static void path_of(char path[static 128], int32_t node_id, const char *name)
{
	snprintf(path, 128, "%s/%d%s%s", KERNEL_PINS, node_id, *name ? "/" : "", name);
}

static void empty(int dir_fd)
{
	int fd = dup(dir_fd);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			(void)unlinkat(dir_fd, entry->d_name, 0);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

int pins_open(int32_t node_id, struct pins **ret)
{
	struct statfs fs;
	struct pins *p;
	char path[128];
	int fd;

	if (statfs("/sys/fs/bpf", &fs))
		return -ENOTSUP;
	if (fs.f_type != BPF_FS_MAGIC)
		return -ENOTSUP;
	path_of(path, node_id, "");
	if (mkdir(KERNEL_PINS, 0755) && errno != EEXIST)
		return -errno;
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	empty(fd);
	p = mem_zalloc(sizeof(*p));
	p->dir_fd = fd;
	p->node_id = node_id;
	*ret = p;
	return 0;
}

int pins_add(struct pins *p, const char *name, int bpf_fd)
{
	struct pin *pin = &p->pin[p->count];
	struct stat st;
	char path[128];
	int err;

	if (p->count == PINS_MAX)
		return -ENOSPC;
	path_of(path, p->node_id, name);
	err = bpf_obj_pin(bpf_fd, path);
	if (err)
		return err;
	if (fstatat(p->dir_fd, name, &st, 0))
		return -errno;
	snprintf(pin->name, sizeof(pin->name), "%s", name);
	pin->inode = st.st_ino;
	p->count++;
	return 0;
}

void pins_close(struct pins *p)
{
	char path[128];

	if (!p)
		return;
	for (int i = 0; i < p->count; i++) {
		struct stat st;

		if (!fstatat(p->dir_fd, p->pin[i].name, &st, 0) && st.st_ino == p->pin[i].inode)
			(void)unlinkat(p->dir_fd, p->pin[i].name, 0);
	}
	close(p->dir_fd);
	path_of(path, p->node_id, "");
	/* Both stay when somebody else's pins are in them. */
	(void)rmdir(path);
	(void)rmdir(KERNEL_PINS);
	mem_free(p);
}

int pin_get(int32_t node_id, const char *name)
{
	char path[128];

	path_of(path, node_id, name);
	return bpf_obj_get(path);
}
