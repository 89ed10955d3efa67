/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config_list.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

/* A text of the list, which may have it several times. */
struct item {
	struct map_node node;
	struct str text;
	size_t count;
	size_t removed; /* the first so many of them are gone */
};

struct items {
	struct item *item; /* memory for all of them */
	size_t item_count;
	struct item **list; /* in their order */
	size_t count;
	struct map map;
};

static size_t comma_count(struct str s)
{
	size_t count = 0;

	for (uint32_t i = 0; i < s.size; i++)
		count += s.data[i] == ',';
	return count;
}

/* String.split(","): empty items at the end are none, but "" is one empty item. */
static bool next_item(struct str *list, bool *begun, struct str *ret)
{
	const char *comma;

	if (!*begun) {
		while (list->size && list->data[list->size - 1] == ',')
			list->size--;
	} else if (!list->size) {
		return false;
	}
	*begun = true;
	comma = list->size ? memchr(list->data, ',', list->size) : NULL;
	*ret = (struct str){ list->data, comma ? (uint32_t)(comma - list->data) : list->size };
	list->data += ret->size + (comma != NULL);
	list->size -= ret->size + (comma != NULL);
	return true;
}

static struct item *find(const struct items *items, struct str text)
{
	for (struct map_node *n = map_first(&items->map, hash_str(text)); n; n = map_next(n)) {
		struct item *item = container_of(n, struct item, node);

		if (str_eq(item->text, text))
			return item;
	}
	return NULL;
}

static void add(struct items *items, struct str text)
{
	struct item *item = find(items, text);

	if (!item) {
		item = &items->item[items->item_count++];
		item->text = text;
		map_insert(&items->map, &item->node, hash_str(text));
	}
	item->count++;
	items->list[items->count++] = item;
}

static void change_items(struct items *items, int8_t op, struct str change)
{
	bool all_commas = change.size && comma_count(change) == change.size;
	bool begun = false;
	struct str text;

	while (!all_commas && next_item(&change, &begun, &text)) {
		struct item *item = find(items, text);

		if (op == CONFIG_APPEND && !item)
			add(items, text);
		else if (op == CONFIG_SUBTRACT && item && item->removed < item->count)
			item->removed++;
	}
}

static struct str join(const struct items *items, struct arena *arena)
{
	struct buf text = { 0 };
	struct str ret;
	bool first = true;

	for (size_t i = 0; i < items->count; i++) {
		struct item *item = items->list[i];

		if (item->removed) {
			item->removed--;
			continue;
		}
		if (!first)
			buf_add(&text, ",", 1);
		first = false;
		buf_add_str(&text, item->text);
	}
	ret = text.size ? arena_str(arena,
	                            (struct str){ (const char *)text.data, (uint32_t)text.size })
	                : STR("");
	buf_fini(&text);
	return ret;
}

struct str config_list_apply(struct arena *arena, int8_t op, struct str old, struct str change)
{
	size_t most = comma_count(old) + comma_count(change) + 2;
	struct items items = { 0 };
	bool begun = false;
	struct str text;
	struct str ret;

	items.item = mem_array(most, sizeof(*items.item));
	items.list = mem_array(most, sizeof(struct item *));
	while (next_item(&old, &begun, &text))
		if (text.size)
			add(&items, text);
	change_items(&items, op, change);
	ret = join(&items, arena);
	map_fini(&items.map);
	mem_free(items.list);
	mem_free(items.item);
	return ret;
}
