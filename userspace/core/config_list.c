/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config_list.h"

#include "base/buf.h"

static bool next_item(struct str *list, struct str *ret)
{
	const char *comma;

	if (!list->size)
		return false;
	comma = memchr(list->data, ',', list->size);
	*ret = (struct str){ list->data, comma ? (uint32_t)(comma - list->data) : list->size };
	list->data += ret->size + (comma != NULL);
	list->size -= ret->size + (comma != NULL);
	return true;
}

static bool list_has(struct str list, struct str wanted)
{
	struct str item;

	while (next_item(&list, &item))
		if (str_eq(item, wanted))
			return true;
	return false;
}

/* Each item of `from` that `other` does not have. */
static void add_items(struct buf *list, struct str from, struct str other)
{
	struct str item;

	while (next_item(&from, &item)) {
		struct str so_far = { (const char *)list->data, (uint32_t)list->size };

		if (!item.size || list_has(other, item) || list_has(so_far, item))
			continue;
		if (list->size)
			buf_add(list, ",", 1);
		buf_add(list, item.data, item.size);
	}
}

struct str config_list_apply(struct arena *arena, int8_t op, struct str old, struct str change)
{
	struct buf list = { 0 };
	struct str result;

	if (op == CONFIG_APPEND) {
		add_items(&list, old, STR(""));
		add_items(&list, change, STR(""));
	} else {
		add_items(&list, old, change);
	}
	result = list.size ? arena_str(arena,
	                               (struct str){ (const char *)list.data, (uint32_t)list.size })
	                   : STR("");
	buf_fini(&list);
	return result;
}
