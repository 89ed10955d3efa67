/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

/* An intrusive, circular, doubly linked list.  An unlinked node points to itself. */
struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert(struct list *node, struct list *before)
{
	node->prev = before->prev;
	node->next = before;
	before->prev->next = node;
	before->prev = node;
}

static inline void list_push(struct list *l, struct list *node) /* at the end */
{
	list_insert(node, l);
}

static inline void list_push_front(struct list *l, struct list *node)
{
	list_insert(node, l->next);
}

static inline void list_remove(struct list *node) /* harmless on an unlinked node */
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline struct list *list_pop(struct list *l) /* NULL when empty */
{
	struct list *node = l->next;

	if (node == l)
		return NULL;
	list_remove(node);
	return node;
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_each(pos, l)             for (struct list *pos = (l)->next; pos != (l); pos = pos->next)
#define list_each_safe(pos, tmp, l)                                                                \
	for (struct list *pos = (l)->next, *tmp = pos->next; pos != (l); pos = tmp, tmp = pos->next)

#endif
