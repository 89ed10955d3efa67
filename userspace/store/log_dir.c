/* SPDX-License-Identifier: Apache-2.0 */
#include "store/log_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/reactor.h"

/* ---- names ---- */

static bool str_ends(struct str s, struct str end)
{
	return s.size >= end.size && !memcmp(s.data + s.size - end.size, end.data, end.size);
}

/* "topic-0": the last hyphen divides (LocalLog.parseTopicPartitionName). */
static bool parse_plain(struct str name, struct log_name *ret)
{
	uint32_t at = name.size;
	int64_t partition = 0;

	while (at && name.data[at - 1] >= '0' && name.data[at - 1] <= '9')
		at--;
	if (at < 2 || at == name.size || name.size - at > 10 || name.data[at - 1] != '-')
		return false;
	for (uint32_t i = at; i < name.size; i++)
		partition = partition * 10 + (name.data[i] - '0');
	if (partition > INT32_MAX)
		return false;
	*ret = (struct log_name){ { name.data, at - 1 }, (int32_t)partition };
	return true;
}

/* Behind the dot of "topic-0.UUID-delete" there is no other dot; topics may have some. */
static bool parse_suffixed(struct str name, struct str suffix, struct log_name *ret)
{
	uint32_t at = name.size - suffix.size;

	while (at && name.data[at - 1] != '.')
		at--;
	return at && parse_plain((struct str){ name.data, at - 1 }, ret);
}

enum log_dir_kind log_name_parse(struct str name, struct log_name *ret)
{
	static const struct {
		struct str suffix;
		enum log_dir_kind kind;
	} suffixed[] = {
		{ { "-delete", 7 }, LOG_DIR_DELETED },
		{ { "-future", 7 }, LOG_DIR_FUTURE },
		{ { "-stray", 6 }, LOG_DIR_STRAY },
	};

	for (size_t i = 0; i < array_count(suffixed); i++) {
		if (str_ends(name, suffixed[i].suffix))
			return parse_suffixed(name, suffixed[i].suffix, ret) ? suffixed[i].kind
			                                                     : LOG_DIR_FOREIGN;
	}
	return parse_plain(name, ret) ? LOG_DIR_LOG : LOG_DIR_FOREIGN;
}

bool log_name_format(struct arena *arena, struct str topic, int32_t partition, char **ret)
{
	struct str name = arena_printf(arena, "%.*s-%d%c", STR_ARG(topic), partition, '\0');

	*ret = (char *)(uintptr_t)name.data;
	return name.data;
}

struct listing {
	struct dir *dir;
	struct arena *arena;
	struct log_dir_entry *entry;
	size_t count, capacity;
	bool full;
};

static void on_entry(void *arg, const struct dir_entry *e)
{
	struct listing *l = arg;
	struct log_dir_entry *entry;
	struct str name;

	if (!e->is_dir)
		return;
	name = arena_printf(l->arena, "%s%c", e->name, '\0');
	if (!name.data) {
		l->full = true;
		return;
	}
	name.size--;
	l->entry = mem_grow(l->entry, l->count, &l->capacity, sizeof(*l->entry));
	entry = &l->entry[l->count++];
	*entry = (struct log_dir_entry){ .name = name.data };
	entry->kind = log_name_parse(name, &entry->log);
}

int log_dir_list(struct dir *dir, struct arena *arena, struct log_dir_entry **ret,
                 size_t *ret_count)
{
	struct listing l = { .dir = dir, .arena = arena };
	struct log_dir_entry *all = NULL;
	int err = dir_list(dir, "", on_entry, &l);

	if (!err && !l.full)
		all = arena_array(arena, l.count + 1, sizeof(*all));
	if (!err && !all)
		err = -ENOMEM;
	for (size_t i = 0; i < l.count && !err; i++) {
		struct log_dir_entry *e = &l.entry[i];

		if (e->kind == LOG_DIR_LOG && log_topic_id(dir, e->name, &e->topic_id))
			e->topic_id = UUID_ZERO;
		all[i] = *e;
	}
	if (!err) {
		*ret = all;
		*ret_count = l.count;
	}
	mem_free(l.entry);
	return err;
}

/* ---- deletion ---- */

enum { NAME_SIZE_MAX = 255 };

/* UnifiedLog.logDeleteDirName: the topic gives way when the name gets too long. */
int log_dir_doom(struct dir *dir, const char *name, struct arena *arena, const char **ret_name)
{
	struct buf suffix = { 0 };
	struct log_name log;
	uint8_t id[16];
	struct str doomed;
	int err;

	if (log_name_parse(str_of(name), &log) != LOG_DIR_LOG)
		return -EINVAL;
	random_bytes(id, sizeof(id));
	buf_printf(&suffix, "-%d.", log.partition);
	for (size_t i = 0; i < sizeof(id); i++)
		buf_printf(&suffix, "%02x", id[i]);
	buf_printf(&suffix, "-delete");
	if (log.topic.size + suffix.size > NAME_SIZE_MAX)
		log.topic.size = NAME_SIZE_MAX - (uint32_t)suffix.size;
	doomed = arena_printf(arena, "%.*s%.*s%c", STR_ARG(log.topic), (int)suffix.size,
	                      (char *)suffix.data, '\0');
	buf_fini(&suffix);
	if (!doomed.data)
		return -ENOMEM;
	err = dir_rename(dir, name, doomed.data);
	if (!err)
		err = dir_sync(dir, "");
	if (!err)
		*ret_name = doomed.data;
	return err;
}

int log_dir_remove(struct dir *dir, const char *name)
{
	return dir_remove_all(dir, name);
}

/* ---- start and stop ---- */

#define CLEAN_FILE ".kafka_cleanshutdown"
#define BOOT_FILE  ".sluice_boot"

enum { SMALL_FILE_MAX = 64 * 1024 };

static int unlink_if_there(struct dir *dir, const char *name)
{
	int err = dir_unlink(dir, name);

	return err == -ENOENT ? 0 : err;
}

/* Which boot of which machine, which mount, which device. */
static int boot_text(struct dir *dir, struct buf *out)
{
	struct boot_id id = boot_id();
	char identity[256];
	int err = dir_identity(dir, identity, sizeof(identity));

	if (!err)
		buf_printf(out, "version: 0\nboot: %s\nmount: %s\n", id.text, identity);
	return err;
}

static bool is_same_boot(struct dir *dir)
{
	struct buf now = { 0 };
	void *data;
	size_t size;
	bool same = false;

	if (boot_text(dir, &now) || dir_read(dir, BOOT_FILE, SMALL_FILE_MAX, &data, &size)) {
		buf_fini(&now);
		return false;
	}
	same = size == now.size && !memcmp(data, now.data, size);
	mem_free(data);
	buf_fini(&now);
	return same;
}

/* {"version":0,"brokerEpoch":N} */
static int64_t parse_epoch(const char *text)
{
	const char *key = strstr(text, "\"brokerEpoch\"");
	char *end;
	int64_t epoch;

	if (!key)
		return -1;
	key += strcspn(key, ":");
	if (!*key)
		return -1;
	errno = 0;
	epoch = strtoll(key + 1, &end, 10);
	return errno || end == key + 1 || epoch < 0 ? -1 : epoch;
}

int log_dir_look(struct dir *dir, struct log_dir_state *ret)
{
	void *data;
	size_t size;
	char *text;
	int err = dir_read(dir, CLEAN_FILE, SMALL_FILE_MAX, &data, &size);

	if (err == -ENOENT) {
		*ret = (struct log_dir_state){ is_same_boot(dir) ? LOG_KILLED : LOG_POWERLESS, -1 };
		return 0;
	}
	if (err)
		return err;
	/* Kafka before 3.7 left it empty: clean, epoch unknown. */
	text = str_dup((struct str){ data, (uint32_t)size });
	*ret = (struct log_dir_state){ LOG_CLEAN, parse_epoch(text) };
	mem_free(text);
	mem_free(data);
	return 0;
}

static int make_if_missing(struct dir *dir, const char *name)
{
	struct file *file;
	int err = file_open(dir, name, FILE_WRITE | FILE_CREATE, &file);

	if (!err)
		file_put(file);
	return err;
}

int log_dir_begin(struct dir *dir)
{
	int err = 0;

	/* Until all is recovered the boot file must not say that this boot's cache is whole. */
	if (!is_same_boot(dir))
		err = unlink_if_there(dir, BOOT_FILE);
	if (!err)
		err = unlink_if_there(dir, CLEAN_FILE);
	if (!err)
		err = make_if_missing(dir, CLEANER_CHECKPOINT);
	if (errno_is_full(err))
		err = 0; /* it is only there because Kafka has it */
	return err ? err : dir_sync(dir, "");
}

void log_dir_doubt(struct dir *dir)
{
	(void)!dir_unlink(dir, BOOT_FILE); /* what cannot be written to will not be opened either */
}

int log_dir_recovered(struct dir *dir)
{
	struct buf text = { 0 };
	int err = dir_syncfs(dir);

	if (err)
		log_dir_doubt(dir);
	if (!err)
		err = boot_text(dir, &text);
	if (!err)
		err = dir_replace(dir, BOOT_FILE, text.data, text.size, true);
	buf_fini(&text);
	/* Without it the next start checks more than it must. */
	return errno_is_full(err) ? 0 : err;
}

int log_dir_end(struct dir *dir, int64_t broker_epoch)
{
	struct buf text = { 0 };
	int err = dir_syncfs(dir);

	if (err)
		log_dir_doubt(dir);
	buf_printf(&text, "{\"version\":0,\"brokerEpoch\":%" PRId64 "}", broker_epoch);
	if (!err)
		err = dir_replace(dir, CLEAN_FILE, text.data, text.size, true);
	buf_fini(&text);
	return err;
}
