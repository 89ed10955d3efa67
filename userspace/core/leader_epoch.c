/* SPDX-License-Identifier: Apache-2.0 */
#include "core/leader_epoch.h"

#include <errno.h>

#include "base/mem.h"
#include "base/bytes.h"

void epoch_cache_fini(struct epoch_cache *c)
{
	mem_free(c->entry);
	*c = (struct epoch_cache){ 0 };
}

bool epoch_cache_assign(struct epoch_cache *c, int32_t epoch, int64_t start_offset)
{
	if (epoch < 0 || (c->count && c->entry[c->count - 1].epoch >= epoch))
		return false;
	/* A newer epoch at or before an older one's start: the older one wrote nothing. */
	while (c->count && c->entry[c->count - 1].start_offset >= start_offset)
		c->count--;
	c->entry = mem_grow(c->entry, c->count, &c->capacity, sizeof(*c->entry));
	c->entry[c->count++] = (struct epoch_entry){ epoch, start_offset };
	return true;
}

int32_t epoch_cache_latest(const struct epoch_cache *c)
{
	return c->count ? c->entry[c->count - 1].epoch : -1;
}

int32_t epoch_cache_of(const struct epoch_cache *c, int64_t offset)
{
	for (size_t i = c->count; i; i--) {
		if (c->entry[i - 1].start_offset <= offset)
			return c->entry[i - 1].epoch;
	}
	return -1;
}

/* LeaderEpochFileCache.endOffsetFor */
struct epoch_entry epoch_cache_end(const struct epoch_cache *c, int32_t epoch,
                                   int64_t log_end_offset)
{
	size_t above = 0;

	if (epoch == -1 || !c->count)
		return (struct epoch_entry){ -1, -1 };
	if (epoch == c->entry[c->count - 1].epoch)
		return (struct epoch_entry){ epoch, log_end_offset };
	while (above < c->count && c->entry[above].epoch <= epoch)
		above++;
	if (above == c->count)
		return (struct epoch_entry){ -1, -1 };
	if (!above)
		return (struct epoch_entry){ epoch, c->entry[0].start_offset };
	return (struct epoch_entry){ c->entry[above - 1].epoch, c->entry[above].start_offset };
}

bool epoch_cache_truncate_end(struct epoch_cache *c, int64_t end_offset)
{
	size_t before = c->count;

	while (c->count && c->entry[c->count - 1].start_offset >= end_offset)
		c->count--;
	return c->count != before;
}

bool epoch_cache_truncate_start(struct epoch_cache *c, int64_t start_offset)
{
	size_t gone = 0;

	while (gone + 1 < c->count && c->entry[gone + 1].start_offset <= start_offset)
		gone++;
	if (!c->count || (!gone && c->entry[0].start_offset >= start_offset))
		return false;
	c->count -= gone;
	memmove(c->entry, c->entry + gone, c->count * sizeof(*c->entry));
	if (c->entry[0].start_offset < start_offset)
		c->entry[0].start_offset = start_offset;
	return true;
}

void epoch_cache_encode(const struct epoch_cache *c, struct buf *out)
{
	buf_printf(out, "0\n%zu\n", c->count);
	for (size_t i = 0; i < c->count; i++)
		buf_printf(out, "%d %lld\n", c->entry[i].epoch,
		           (long long)c->entry[i].start_offset);
}

/* A number and the one character behind it. */
static bool take_number(struct str *text, char end, int64_t max, int64_t *ret)
{
	int64_t value = 0;
	uint32_t i = 0;

	for (; i < text->size && text->data[i] >= '0' && text->data[i] <= '9'; i++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, text->data[i] - '0', &value))
			return false;
	}
	if (!i || i == text->size || text->data[i] != end || value > max)
		return false;
	*text = (struct str){ text->data + i + 1, text->size - i - 1 };
	*ret = value;
	return true;
}

int epoch_cache_decode(struct epoch_cache *c, struct str text)
{
	int64_t version;
	int64_t count;
	int64_t epoch;
	int64_t start;

	c->count = 0;
	if (!take_number(&text, '\n', 0, &version) || !take_number(&text, '\n', INT32_MAX, &count))
		return -EBADMSG;
	for (; count; count--) {
		if (!take_number(&text, ' ', INT32_MAX, &epoch) ||
		    !take_number(&text, '\n', INT64_MAX, &start) ||
		    !epoch_cache_assign(c, (int32_t)epoch, start)) {
			c->count = 0;
			return -EBADMSG;
		}
	}
	return 0;
}
