/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "core/leader_epoch.h"
#include "core/meta_properties.h"
#include "core/producer_state.h"
#include "core/raft.h"
#include "store/log_dir.h"

/*
 * The small files of a broker, chosen by the first byte: NNN.snapshot (as it is, and with its
 * checksum made right), leader-epoch-checkpoint, meta.properties, quorum-state, and the names of
 * files and directories.  What is understood can be said again, and then means the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say_producers_again(const struct producers *p)
{
	struct buf once = { 0 }, twice = { 0 };
	struct producers again;

	producers_init(&again);
	producers_encode(p, &once);
	check(!producers_decode(&again, (struct span){ once.data, once.size }));
	producers_encode(&again, &twice);
	check(once.size == twice.size && !memcmp(once.data, twice.data, once.size));
	producers_fini(&again);
	buf_fini(&once);
	buf_fini(&twice);
}

static void try_producers(struct span bytes)
{
	struct producers p;

	producers_init(&p);
	if (!producers_decode(&p, bytes)) {
		say_producers_again(&p);
		(void)producers_first_open(&p);
		producers_expire(&p, INT64_MAX);
	}
	producers_fini(&p);
}

/* Behind version and checksum. */
enum { SNAPSHOT_HEAD = 6 };

static void try_snapshot(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	try_producers((struct span){ data, size });
	if (size < SNAPSHOT_HEAD)
		return;
	copy = mem_dup(data, size);
	store_be32(copy + 2, crc32c(copy + SNAPSHOT_HEAD, size - SNAPSHOT_HEAD));
	try_producers((struct span){ copy, size });
	mem_free(copy);
}

static void try_epochs(struct str text)
{
	struct epoch_cache c = { 0 }, again = { 0 };
	struct buf once = { 0 };

	if (!epoch_cache_decode(&c, text)) {
		epoch_cache_encode(&c, &once);
		check(!epoch_cache_decode(&again,
		                          (struct str){ (char *)once.data, (uint32_t)once.size }));
		check(again.count == c.count);
		check(!c.count || !memcmp(again.entry, c.entry, c.count * sizeof(*c.entry)));
		for (int64_t offset = 0; offset < 8; offset++)
			check(epoch_cache_of(&c, offset) <= epoch_cache_latest(&c));
	} else {
		check(!c.count);
	}
	buf_fini(&once);
	epoch_cache_fini(&c);
	epoch_cache_fini(&again);
}

static void try_properties(struct str text)
{
	struct meta_properties m, again;
	struct buf once = { 0 };

	if (meta_properties_decode(text, &m))
		return;
	meta_properties_encode(&m, 0, &once);
	/* Escapes and the like may make an id that cannot be written; it is refused then. */
	if (!meta_properties_decode((struct str){ (char *)once.data, (uint32_t)once.size }, &again))
		check(again.node_id == m.node_id && uuid_eq(again.directory_id, m.directory_id));
	buf_fini(&once);
}

static void try_names(struct str text)
{
	char name[RAFT_SNAPSHOT_NAME_SIZE];
	struct raft_snapshot_id id;
	struct log_name log;
	enum log_dir_kind kind = log_name_parse(text, &log);

	if (raft_snapshot_parse(text, &id)) {
		check(id.end_offset >= 0 && id.epoch >= 0);
		raft_snapshot_name(id, name);
		check(str_eq(text, str_of(name)));
	}
	if (kind == LOG_DIR_FOREIGN)
		return;
	check(log.topic.data >= text.data && log.topic.size < text.size);
	check(log.partition >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct raft_election election;
	struct str text;

	if (!size)
		return 0;
	text = (struct str){ (const char *)data + 1, (uint32_t)size - 1 };
	switch (*data % 5) {
	case 0:
		try_snapshot(data + 1, size - 1);
		break;
	case 1:
		try_epochs(text);
		break;
	case 2:
		try_properties(text);
		break;
	case 3:
		(void)!raft_election_decode(text, &election);
		break;
	default:
		try_names(text);
		break;
	}
	return 0;
}
