/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a log consists of (LogLoader.load): what an interrupted deletion, compaction or split
 * left is finished or undone first.  Every step may be interrupted and done again.
 */
#include "log_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

struct name {
	char *text;
	uint64_t size;
	int64_t offset; /* -1: it has none */
};

struct names {
	struct name *at;
	size_t count, capacity;
};

static bool has_suffix(const char *name, const char *suffix)
{
	size_t size = strlen(name);
	size_t end = strlen(suffix);

	return size >= end && !strcmp(name + size - end, suffix);
}

/* 20 digits, then a dot. */
static int64_t offset_of(const char *name)
{
	int64_t offset;

	if (strspn(name, "0123456789") != SEGMENT_NAME_SIZE || name[SEGMENT_NAME_SIZE] != '.')
		return -1;
	errno = 0;
	offset = strtoll(name, NULL, 10);
	return errno ? -1 : offset;
}

static void on_entry(void *arg, const struct dir_entry *e)
{
	struct names *names = arg;

	if (e->is_dir)
		return;
	names->at = mem_grow(names->at, names->count, &names->capacity, sizeof(*names->at));
	names->at[names->count++] =
		(struct name){ str_dup(str_of(e->name)), e->size, offset_of(e->name) };
}

static void names_fini(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		mem_free(names->at[i].text);
	mem_free(names->at);
	*names = (struct names){ 0 };
}

static int remove_name(const struct scan *scan, const struct name *name)
{
	char *path = log_path(scan->name, name->text);
	int err = dir_unlink(scan->dir, path);

	mem_free(path);
	return err == -ENOENT ? 0 : err;
}

static bool is_segment_file(const char *name)
{
	return has_suffix(name, ".log") || has_suffix(name, ".index") ||
	       has_suffix(name, ".timeindex") || has_suffix(name, ".txnindex");
}

/* ---- what a compaction or a split left ---- */

struct last_offset {
	struct walk walk;
	int64_t end;
};

static bool on_swap_batch(struct walk *w, const struct batch *b)
{
	container_of(w, struct last_offset, walk)->end = batch_last_offset(b) + 1;
	return true;
}

/* The offset after the last batch of a .log.swap. */
static int end_of_swap(const struct scan *scan, const struct name *name, int64_t *ret)
{
	struct last_offset last = { .walk = { .each = on_swap_batch }, .end = name->offset };
	char *path = log_path(scan->name, name->text);
	int err = file_open(scan->dir, path, FILE_READ, &last.walk.file);

	mem_free(path);
	if (err)
		return err;
	last.walk.end = name->size;
	err = walk_run(&last.walk);
	file_put(last.walk.file);
	*ret = last.end;
	return err == -EBADMSG ? 0 : err;
}

/*
 * .deleted, .tmp and .cleaned are dropped, and with a .cleaned every .swap at or above it: that
 * change had not been decided yet.
 */
static int drop_undecided(const struct scan *scan, const struct names *names)
{
	int64_t cleaned = INT64_MAX;
	int err = 0;

	for (size_t i = 0; i < names->count; i++) {
		if (has_suffix(names->at[i].text, ".cleaned") && names->at[i].offset < cleaned)
			cleaned = names->at[i].offset;
	}
	for (size_t i = 0; i < names->count && !err; i++) {
		const char *text = names->at[i].text;

		if (has_suffix(text, ".deleted") || has_suffix(text, ".tmp") ||
		    has_suffix(text, ".cleaned") ||
		    (has_suffix(text, ".swap") && names->at[i].offset >= cleaned))
			err = remove_name(scan, &names->at[i]);
	}
	return err;
}

/* A .swap that is left was decided: it replaces every segment in its range of offsets. */
static int finish_swaps(const struct scan *scan, const struct names *names)
{
	int64_t from = INT64_MAX;
	int64_t to = -1;
	int64_t end;
	int err = 0;

	for (size_t i = 0; i < names->count && !err; i++) {
		if (!has_suffix(names->at[i].text, ".log.swap"))
			continue;
		err = end_of_swap(scan, &names->at[i], &end);
		from = names->at[i].offset < from ? names->at[i].offset : from;
		to = !err && end > to ? end : to;
	}
	for (size_t i = 0; i < names->count && !err; i++) {
		const struct name *n = &names->at[i];

		if (is_segment_file(n->text) && n->offset >= from && n->offset < to)
			err = remove_name(scan, n);
	}
	for (size_t i = 0; i < names->count && !err; i++) {
		char *path;
		char *final;

		if (!has_suffix(names->at[i].text, ".swap"))
			continue;
		path = log_path(scan->name, names->at[i].text);
		final = str_dup((struct str){ path, (uint32_t)strlen(path) - 5 });
		err = dir_rename(scan->dir, path, final);
		mem_free(path);
		mem_free(final);
	}
	return err;
}

/* ---- what there is ---- */

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a;
	const struct found *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static int compare_offsets(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

struct found *scan_find(struct scan *scan, int64_t offset)
{
	struct found key = { .offset = offset };

	if (!scan->segment_count)
		return NULL;
	return bsearch(&key, scan->segment, scan->segment_count, sizeof(key), compare_found);
}

static void collect(struct scan *scan, const struct names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct name *n = &names->at[i];

		if (n->offset < 0)
			continue;
		if (has_suffix(n->text, ".log")) {
			scan->segment = mem_grow(scan->segment, scan->segment_count,
			                         &scan->segment_capacity, sizeof(*scan->segment));
			scan->segment[scan->segment_count++] =
				(struct found){ n->offset, n->size, false };
		} else if (has_suffix(n->text, ".snapshot")) {
			scan->snapshot =
				mem_grow(scan->snapshot, scan->snapshot_count,
			                 &scan->snapshot_capacity, sizeof(*scan->snapshot));
			scan->snapshot[scan->snapshot_count++] = n->offset;
		}
	}
	if (scan->segment_count)
		qsort(scan->segment, scan->segment_count, sizeof(*scan->segment), compare_found);
	if (scan->snapshot_count)
		qsort(scan->snapshot, scan->snapshot_count, sizeof(*scan->snapshot),
		      compare_offsets);
}

/* An index without its segment is dropped. */
static int drop_orphans(struct scan *scan, const struct names *names)
{
	int err = 0;

	for (size_t i = 0; i < names->count && !err; i++) {
		const struct name *n = &names->at[i];
		struct found *found;

		if (n->offset < 0 || !is_segment_file(n->text) || has_suffix(n->text, ".log"))
			continue;
		found = scan_find(scan, n->offset);
		if (!found)
			err = remove_name(scan, n);
		else if (has_suffix(n->text, ".txnindex"))
			found->has_txns = n->size >= TXN_ENTRY;
	}
	return err;
}

int scan_run(struct scan *scan)
{
	struct names names = { 0 };
	int err = dir_list(scan->dir, scan->name, on_entry, &names);

	if (!err)
		err = drop_undecided(scan, &names);
	names_fini(&names);
	if (!err)
		err = dir_list(scan->dir, scan->name, on_entry, &names);
	if (!err)
		err = finish_swaps(scan, &names);
	names_fini(&names);
	if (!err)
		err = dir_list(scan->dir, scan->name, on_entry, &names);
	if (!err) {
		collect(scan, &names);
		err = drop_orphans(scan, &names);
	}
	names_fini(&names);
	return err;
}

int scan_snapshots(struct scan *scan)
{
	struct names names = { 0 };
	int err = dir_list(scan->dir, scan->name, on_entry, &names);

	if (!err)
		collect(scan, &names);
	names_fini(&names);
	return err;
}

void scan_fini(struct scan *scan)
{
	mem_free(scan->segment);
	mem_free(scan->snapshot);
	*scan = (struct scan){ 0 };
}
