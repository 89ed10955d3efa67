/* SPDX-License-Identifier: Apache-2.0 */
#include "store/log_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

/* CheckpointFile: "0\nCOUNT\n", then lines of "topic partition offset\n". */
enum { FILE_MAX = 256 << 20 };

static int compare(const void *a, const void *b)
{
	const struct log_offset *x = a;
	const struct log_offset *y = b;
	int order = str_cmp(x->topic, y->topic);

	return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static bool take_line(struct str *text, struct str *ret)
{
	const char *end = text->size ? memchr(text->data, '\n', text->size) : NULL;

	*ret = (struct str){ text->data, end ? (uint32_t)(end - text->data) : text->size };
	if (!text->size)
		return false;
	text->size -= ret->size + (end ? 1 : 0);
	text->data += ret->size + (end ? 1 : 0);
	return true;
}

static bool parse_number(struct str s, int64_t max, int64_t *ret)
{
	int64_t value = 0;

	if (!s.size)
		return false;
	for (uint32_t i = 0; i < s.size; i++) {
		if (s.data[i] < '0' || s.data[i] > '9' ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, s.data[i] - '0', &value))
			return false;
	}
	*ret = value;
	return value <= max;
}

static bool parse_entry(struct str line, struct log_offset *ret)
{
	const char *first = line.size ? memchr(line.data, ' ', line.size) : NULL;
	const char *end = line.data + line.size;
	const char *second;
	int64_t partition;

	if (!first || first == line.data)
		return false;
	second = memchr(first + 1, ' ', (size_t)(end - first - 1));
	if (!second)
		return false;
	ret->topic = (struct str){ line.data, (uint32_t)(first - line.data) };
	if (!parse_number((struct str){ first + 1, (uint32_t)(second - first - 1) }, INT32_MAX,
	                  &partition) ||
	    !parse_number((struct str){ second + 1, (uint32_t)(end - second - 1) }, INT64_MAX,
	                  &ret->offset))
		return false;
	ret->partition = (int32_t)partition;
	return true;
}

static int parse(struct str text, struct log_offsets *o)
{
	struct str line;
	int64_t number;
	size_t capacity = 0;

	if (!text.size)
		return 0;
	if (!take_line(&text, &line) || !parse_number(line, 0, &number) ||
	    !take_line(&text, &line) || !parse_number(line, INT32_MAX, &number))
		return -EBADMSG;
	while (take_line(&text, &line)) {
		o->at = mem_grow(o->at, o->count, &capacity, sizeof(*o->at));
		if (!parse_entry(line, &o->at[o->count]))
			return -EBADMSG;
		o->count++;
	}
	return (int64_t)o->count == number ? 0 : -EBADMSG;
}

int log_offsets_read(struct dir *dir, const char *name, struct log_offsets *ret)
{
	struct log_offsets o = { 0 };
	size_t size;
	int err = dir_read(dir, name, FILE_MAX, &o.text, &size);

	*ret = (struct log_offsets){ 0 };
	if (err)
		return err == -ENOENT ? 0 : err;
	err = parse((struct str){ o.text, (uint32_t)size }, &o);
	if (err) {
		log_offsets_fini(&o);
		return err;
	}
	if (o.count)
		qsort(o.at, o.count, sizeof(*o.at), compare);
	*ret = o;
	return 0;
}

void log_offsets_fini(struct log_offsets *o)
{
	mem_free(o->at);
	mem_free(o->text);
	*o = (struct log_offsets){ 0 };
}

int64_t log_offsets_find(const struct log_offsets *o, struct str topic, int32_t partition,
                         int64_t otherwise)
{
	struct log_offset key = { topic, partition, 0 };
	const struct log_offset *found;

	if (!o->count)
		return otherwise;
	found = bsearch(&key, o->at, o->count, sizeof(key), compare);
	return found ? found->offset : otherwise;
}

/* ---- writing ---- */

static int64_t recovery_point_of(const struct log_point *p)
{
	return p->recovery_point;
}

static int64_t high_watermark_of(const struct log_point *p)
{
	return p->high_watermark;
}

static int64_t log_start_of(const struct log_point *p)
{
	return p->log_start;
}

static int write_one(struct dir *dir, const char *name, const struct log_point *point, size_t count,
                     int64_t (*offset_of)(const struct log_point *))
{
	struct buf lines = { 0 };
	struct buf text = { 0 };
	size_t written = 0;
	int err;

	for (size_t i = 0; i < count; i++) {
		int64_t offset = offset_of(&point[i]);

		if (offset < 0)
			continue;
		buf_printf(&lines, "%.*s %d %" PRId64 "\n", STR_ARG(point[i].topic),
		           point[i].partition, offset);
		written++;
	}
	buf_printf(&text, "0\n%zu\n", written);
	buf_add(&text, lines.data, lines.size);
	err = dir_replace(dir, name, text.data, text.size, false);
	buf_fini(&lines);
	buf_fini(&text);
	return err;
}

int log_dir_checkpoint(struct dir *dir, const struct log_point *point, size_t count)
{
	int err = write_one(dir, RECOVERY_POINT_CHECKPOINT, point, count, recovery_point_of);

	if (!err)
		err = write_one(dir, REPLICATION_CHECKPOINT, point, count, high_watermark_of);
	if (!err)
		err = write_one(dir, LOG_START_CHECKPOINT, point, count, log_start_of);
	return err ? err : dir_sync(dir, "");
}
