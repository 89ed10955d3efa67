/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "../sim/sim.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "io/file.h"
#include "store/log.h"
#include "store/log_dir.h"
#include "wire/batch.h"

/*
 * A log directory with arbitrary files, on the simulated disk: opened, read in every way, closed
 * cleanly, opened again.  It is refused, or it is a log: what it holds can be read from its start
 * to its end, and a clean stop changes nothing more.
 *
 * The bytes: how it is opened (recovery, recovery point, log start), then files, each with a byte
 * that chooses its name and two of size.  Batches of .log files get their checksums made right
 * when the highest bit of the name's byte is set.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
	"t-0/00000000000000000000.log",
	"t-0/00000000000000000000.index",
	"t-0/00000000000000000000.timeindex",
	"t-0/00000000000000000000.txnindex",
	"t-0/00000000000000000005.log",
	"t-0/00000000000000000005.index",
	"t-0/00000000000000000005.timeindex",
	"t-0/00000000000000000005.txnindex",
	"t-0/00000000000000000009.log",
	"t-0/00000000000000000009.timeindex",
	"t-0/00000000000000000000.snapshot",
	"t-0/00000000000000000005.snapshot",
	"t-0/00000000000000000007.snapshot",
	"t-0/leader-epoch-checkpoint",
	"t-0/partition.metadata",
	"t-0/recovery-point",
	"t-0/00000000000000000005.log.swap",
	"t-0/00000000000000000000.log.cleaned",
	"t-0/00000000000000000005.log.deleted",
	"t-0/leader-epoch-checkpoint.tmp",
	"t-0/99999999999999999999.log",
	"t-0/09223372036854775807.log",
	"recovery-point-offset-checkpoint",
	"log-start-offset-checkpoint",
	".kafka_cleanshutdown",
	".sluice_boot",
};

static struct dir *dir;

static struct span take(struct span *rest, size_t size)
{
	struct span taken = { rest->data, size < rest->size ? size : rest->size };

	*rest = (struct span){ rest->data + taken.size, rest->size - taken.size };
	return taken;
}

static uint32_t take_number(struct span *rest, size_t bytes)
{
	struct span taken = take(rest, bytes);
	uint32_t number = 0;

	for (size_t i = 0; i < taken.size; i++)
		number = number << 8 | taken.data[i];
	return number;
}

static void mend_checksums(uint8_t *data, size_t size)
{
	struct batch b;

	while (!batch_parse((struct span){ data, size }, &b)) {
		if (b.magic == 2)
			store_be32(data + 17,
			           crc32c(data + BATCH_CRC_START, b.size - BATCH_CRC_START));
		data += b.size;
		size -= b.size;
	}
}

static void put_file(struct span *rest)
{
	uint32_t which = take_number(rest, 1);
	const char *name = names[(which & 0x7f) % array_count(names)];
	struct span bytes = take(rest, take_number(rest, 2));
	uint8_t *copy =
		mem_dup(bytes.size ? bytes.data : (const uint8_t *)"", bytes.size + !bytes.size);
	struct iovec iov = { copy, bytes.size };
	struct file *file;

	if (which & 0x80)
		mend_checksums(copy, bytes.size);
	check(!file_open(dir, name, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &file));
	check(!file_write(file, &iov, 1, 0));
	file_put(file);
	mem_free(copy);
}

static void on_unpark(void *arg)
{
	(void)arg;
}

static void on_published(void *arg, struct log_mark end, uint64_t bytes)
{
	(void)arg;
	(void)end;
	(void)bytes;
}

static void on_failed(void *arg, int err)
{
	(void)arg;
	(void)err;
}

/* From offset to offset; a hole of damage below the recovery point may end it. */
static void read_all(const struct log *log)
{
	const struct log_view *view = log_view(log);
	struct log_mark end = log_end_mark(log);
	int64_t offset = log_start_offset(log);
	static uint8_t bytes[1 << 17];

	while (offset < end.offset) {
		struct log_slice slice;
		struct batch b;
		ssize_t got;
		int64_t next;

		if (log_locate(log, view, offset, 1, true, end, true, &slice) || !slice.file)
			return;
		got = file_read(slice.file, bytes, sizeof(bytes), slice.position);
		file_put(slice.file);
		check(got >= (ssize_t)slice.size);
		if (batch_parse((struct span){ bytes, (size_t)got }, &b))
			return;
		next = batch_last_offset(&b) + 1;
		check(next > offset);
		offset = next;
	}
}

static void ask_all(struct log *log)
{
	const struct log_view *view = log_view(log);
	struct log_aborted *aborted;
	struct log_time found;
	struct arena arena;
	size_t count;

	arena_init(&arena, SIZE_MAX);
	for (int64_t at = -1; at < 4; at++)
		(void)!log_find_time(log, view, at, INT64_MAX, &found);
	(void)!log_find_max_time(log, view, &found);
	(void)!log_aborted(view, log_start_offset(log), log_end_offset(log), true, &arena, &aborted,
	                   &count);
	(void)log_epoch_end(log, 1);
	(void)log_epoch_of(log, 3);
	(void)log_first_unstable(log, log_end_offset(log));
	check(log_start_offset(log) <= log_end_offset(log));
	check(log_recovery_point(log) <= log_end_offset(log));
	arena_fini(&arena);
}

static void try_open(const struct log_options *options)
{
	struct log_recovered told;
	struct log_options again = *options;
	struct log *log;
	int64_t start, end;

	if (log_open(options, &log, &told))
		return;
	read_all(log);
	ask_all(log);
	start = log_start_offset(log);
	end = log_end_offset(log);
	if (log_close(log, true))
		return;
	again.recovery = LOG_CLEAN;
	again.start_offset = start;
	again.recovery_point = end;
	check(!log_open(&again, &log, &told));
	check(!told.truncated_bytes);
	check(log_start_offset(log) == start && log_end_offset(log) == end);
	read_all(log);
	check(!log_close(log, false));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { data, size };
	struct log_options options = {
		.name = "t-0",
		.now_ms = 1000,
		.unpark = on_unpark,
		.published = on_published,
		.failed = on_failed,
		.config = {
			.segment_bytes = 1000,
			.segment_ms = 1000,
			.index_interval_bytes = 100,
			.index_bytes = 1000,
			.retention_ms = -1,
			.retention_bytes = -1,
			.flush_messages = INT64_MAX,
			.flush_ms = INT64_MAX,
			.producer_expiration_ms = 1000,
			.cleanup_delete = true,
		},
	};
	struct log_offsets offsets;
	struct log_dir_state state;
	struct uuid id;

	sim_begin(1);
	check(!dir_open("/data", true, &dir));
	check(!dir_mkdir(dir, "t-0"));
	options.dir = dir;
	options.recovery = (enum log_recovery)(take_number(&rest, 1) % 3);
	options.recovery_point = (int8_t)take_number(&rest, 1);
	options.start_offset = (int8_t)take_number(&rest, 1);
	if (options.recovery_point < 0)
		options.recovery_point = INT64_MAX + options.recovery_point;
	if (options.start_offset < 0)
		options.start_offset = 0;
	while (rest.size)
		put_file(&rest);
	check(!log_dir_look(dir, &state));
	if (!log_offsets_read(dir, RECOVERY_POINT_CHECKPOINT, &offsets)) {
		(void)log_offsets_find(&offsets, STR("t"), 0, 0);
		log_offsets_fini(&offsets);
	}
	(void)!log_topic_id(dir, "t-0", &id);
	try_open(&options);
	dir_close(dir);
	return 0;
}
