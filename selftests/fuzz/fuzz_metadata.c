/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/buf.h"
#include "core/bootstrap.h"
#include "core/metadata_replay.h"

/*
 * Batches of the metadata log and of its snapshots: the bytes as a file, and the bytes as the
 * values of records, each with its length before it.  A record that contradicts the image is
 * refused, and whatever was accepted can be said again as a snapshot.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(struct metadata_replay *r, struct span file)
{
	struct image_apply_error why;
	struct batch b;

	while (!batch_parse(file, &b)) {
		if (metadata_replay_batch(r, &b, &why) != IMAGE_APPLIED)
			return;
		file = (struct span){ file.data + b.size, file.size - b.size };
	}
}

static void try_file(struct span file)
{
	static const struct raft_snapshot_id id = { .end_offset = 100, .epoch = 3 };
	struct image_apply_error why;
	struct metadata_replay r;
	const struct span *record;
	struct arena arena;
	size_t count;

	arena_init(&arena, SIZE_MAX);
	if (!bootstrap_read(&arena, file, &record, &count)) {
		for (size_t i = 0; i < count; i++)
			check(record[i].data >= file.data &&
			      record[i].data + record[i].size <= file.data + file.size);
	}
	arena_fini(&arena);
	metadata_replay_init(&r);
	replay_file(&r, file);
	metadata_replay_fini(&r);
	metadata_replay_init(&r);
	metadata_replay_snapshot(&r, id);
	replay_file(&r, file);
	(void)!metadata_replay_snapshot_end(&r, id, &why);
	metadata_replay_fini(&r);
}

/* ---- values ---- */

/* 2 bytes of size before each value. */
static void add_value(void *arg, struct span value)
{
	struct buf *out = arg;

	check(value.size <= UINT16_MAX);
	store_be16(buf_extend(out, 2), (uint16_t)value.size);
	buf_add(out, value.data, value.size);
}

/* How many were applied before one was refused; *ret_all when none was. */
static struct image *apply_all(struct metadata_replay *r, struct span values, bool *ret_all)
{
	struct image_apply_error why;
	int64_t offset = 0;

	metadata_replay_init(r);
	*ret_all = false;
	while (values.size >= 2) {
		size_t size = load_be16(values.data);

		values = (struct span){ values.data + 2, values.size - 2 };
		if (size > values.size)
			size = values.size;
		if (image_apply(r->image, offset++, (struct span){ values.data, size }, &why) !=
		    IMAGE_APPLIED)
			return r->image;
		values = (struct span){ values.data + size, values.size - size };
	}
	*ret_all = true;
	return r->image;
}

static void try_values(struct span values)
{
	struct metadata_replay first, second;
	struct buf once = { 0 }, twice = { 0 };
	struct image_apply_error why;
	const struct image *image;
	bool all;

	image = apply_all(&first, values, &all);
	(void)image_unsupported(image, &why);
	if (all && !image_in_transaction(image)) {
		image_snapshot(image, add_value, &once);
		image = apply_all(&second, (struct span){ once.data, once.size }, &all);
		check(all);
		image_snapshot(image, add_value, &twice);
		check(once.size == twice.size);
		check(!once.size || !memcmp(once.data, twice.data, once.size));
		metadata_replay_fini(&second);
	}
	metadata_replay_fini(&first);
	buf_fini(&once);
	buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (*data % 2)
		try_file((struct span){ data + 1, size - 1 });
	else
		try_values((struct span){ data + 1, size - 1 });
	return 0;
}
