/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pmap.h"

#include "base/check.h"
#include "base/mem.h"

/*
 * A node is shared when more than one parent or version points to it.  Whatever hangs below a
 * shared node is shared by it too, so owning goes from the root down: own() of a shared node
 * copies it, which raises the counts of its children, which are then copied when they are reached.
 */
struct pmap_node {
	_Atomic uint32_t refs;
	uint32_t height;
	struct pmap_node *side[2]; /* smaller keys, larger keys */
	struct object *value;
	uint32_t key_size;
	char key[];
};

void object_init(struct object *o, void (*free)(struct object *self))
{
	atomic_init(&o->refs, 1);
	o->free = free;
}

struct object *object_get(struct object *o)
{
	if (o)
		atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

void object_put(struct object *o)
{
	if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (o->free)
		o->free(o);
	else
		mem_free(o);
}

bool object_is_shared(const struct object *o)
{
	return atomic_load_explicit(&o->refs, memory_order_acquire) > 1;
}

static struct str key_of(const struct pmap_node *n)
{
	return (struct str){ n->key, n->key_size };
}

static struct pmap_node *node_get(struct pmap_node *n)
{
	if (n)
		atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
	return n;
}

/* Recurses as deep as the tree is high. */
static void node_put(struct pmap_node *n)
{
	if (!n || atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1)
		return;
	node_put(n->side[0]);
	node_put(n->side[1]);
	object_put(n->value);
	mem_free(n);
}

static struct pmap_node *node_new(struct str key, struct object *value)
{
	struct pmap_node *n = mem_alloc(sizeof(*n) + key.size);

	atomic_init(&n->refs, 1);
	n->height = 1;
	n->side[0] = NULL;
	n->side[1] = NULL;
	n->value = value;
	n->key_size = key.size;
	if (key.size)
		memcpy(n->key, key.data, key.size);
	return n;
}

/* Trades the reference in *link for one to a node that nobody else sees. */
static struct pmap_node *own(struct pmap_node **link)
{
	struct pmap_node *n = *link;
	struct pmap_node *copy;

	if (atomic_load_explicit(&n->refs, memory_order_acquire) == 1)
		return n;
	copy = node_new(key_of(n), object_get(n->value));
	copy->height = n->height;
	copy->side[0] = node_get(n->side[0]);
	copy->side[1] = node_get(n->side[1]);
	node_put(n);
	*link = copy;
	return copy;
}

static uint32_t height_of(const struct pmap_node *n)
{
	return n ? n->height : 0;
}

static void measure(struct pmap_node *n)
{
	uint32_t a = height_of(n->side[0]);
	uint32_t b = height_of(n->side[1]);

	n->height = 1 + (a > b ? a : b);
}

/* Brings the child on `side` up into *link; both nodes are owned. */
static void rotate(struct pmap_node **link, int side)
{
	struct pmap_node *down = *link;
	struct pmap_node *up = own(&down->side[side]);

	down->side[side] = up->side[!side];
	up->side[!side] = down;
	*link = up;
	measure(down);
	measure(up);
}

/* *link is owned and its sides differ by at most two in height. */
static void balance(struct pmap_node **link)
{
	struct pmap_node *n = *link;
	uint32_t height[2] = { height_of(n->side[0]), height_of(n->side[1]) };
	int side = height[1] > height[0];

	measure(n);
	if (height[side] <= height[!side] + 1)
		return;
	if (height_of(n->side[side]->side[!side]) > height_of(n->side[side]->side[side])) {
		own(&n->side[side]);
		rotate(&n->side[side], !side);
	}
	rotate(link, side);
}

static bool put(struct pmap_node **link, struct str key, struct object *value)
{
	struct pmap_node *n;
	bool added;
	int order;

	if (!*link) {
		*link = node_new(key, value);
		return true;
	}
	n = own(link);
	order = str_cmp(key, key_of(n));
	if (!order) {
		object_put(n->value);
		n->value = value;
		return false;
	}
	added = put(&n->side[order > 0], key, value);
	if (added)
		balance(link);
	return added;
}

/* Unlinks the smallest node under *link, owned; its larger side takes its place. */
static struct pmap_node *take_smallest(struct pmap_node **link)
{
	struct pmap_node *n = own(link);
	struct pmap_node *smallest;

	if (!n->side[0]) {
		*link = n->side[1];
		n->side[1] = NULL;
		return n;
	}
	smallest = take_smallest(&n->side[0]);
	balance(link);
	return smallest;
}

static void cut(struct pmap_node **link)
{
	struct pmap_node *n = own(link);

	if (n->side[0] && n->side[1]) {
		struct pmap_node *heir = take_smallest(&n->side[1]);

		heir->side[0] = n->side[0];
		heir->side[1] = n->side[1];
		*link = heir;
		balance(link);
	} else {
		*link = n->side[0] ? n->side[0] : n->side[1];
	}
	n->side[0] = NULL;
	n->side[1] = NULL;
	node_put(n);
}

/* The key is there. */
static void cut_key(struct pmap_node **link, struct str key)
{
	struct pmap_node *n = own(link);
	int order = str_cmp(key, key_of(n));

	if (!order) {
		cut(link);
		return;
	}
	cut_key(&n->side[order > 0], key);
	balance(link);
}

struct pmap pmap_share(const struct pmap *m)
{
	node_get(m->root);
	return *m;
}

void pmap_fini(struct pmap *m)
{
	node_put(m->root);
	*m = (struct pmap){ 0 };
}

struct object *pmap_find(const struct pmap *m, struct str key)
{
	const struct pmap_node *n = m->root;
	int order;

	while (n && (order = str_cmp(key, key_of(n))))
		n = n->side[order > 0];
	return n ? n->value : NULL;
}

void pmap_put(struct pmap *m, struct str key, struct object *value)
{
	check(value);

	m->count += put(&m->root, key, value);
}

bool pmap_remove(struct pmap *m, struct str key)
{
	if (!pmap_find(m, key))
		return false;
	cut_key(&m->root, key);
	m->count--;
	return true;
}

struct object **pmap_own_slot(struct pmap *m, struct str key)
{
	struct pmap_node **link = &m->root;
	struct pmap_node *n;
	int order;

	if (!pmap_find(m, key))
		return NULL;
	for (n = own(link); (order = str_cmp(key, key_of(n))); n = own(link))
		link = &n->side[order > 0];
	return &n->value;
}

struct object *pmap_own(struct pmap *m, struct str key,
                        struct object *(*copy)(const struct object *value))
{
	struct object **slot = pmap_own_slot(m, key);

	if (slot && object_is_shared(*slot)) {
		struct object *mine = copy(*slot);

		object_put(*slot);
		*slot = mine;
	}
	return slot ? *slot : NULL;
}

struct str pmap_key_i32(int32_t value, struct pmap_key *out)
{
	store_be32(out->byte, (uint32_t)value ^ 0x80000000u);
	return (struct str){ (const char *)out->byte, 4 };
}

struct str pmap_key_i64(int64_t value, struct pmap_key *out)
{
	store_be64(out->byte, (uint64_t)value ^ (uint64_t)1 << 63);
	return (struct str){ (const char *)out->byte, 8 };
}

/*
 * path[] holds the nodes still to come: its top is the current one, and below it those of its
 * ancestors that are larger.
 */
static void push_smallest(struct pmap_iter *it, const struct pmap_node *n)
{
	for (; n; n = n->side[0]) {
		check(it->depth < PMAP_DEPTH_MAX);
		it->path[it->depth++] = n;
	}
}

static bool show(struct pmap_iter *it)
{
	const struct pmap_node *n;

	if (!it->depth)
		return false;
	n = it->path[it->depth - 1];
	it->entry = (struct pmap_entry){ key_of(n), n->value };
	return true;
}

bool pmap_first(const struct pmap *m, struct pmap_iter *it)
{
	it->depth = 0;
	push_smallest(it, m->root);
	return show(it);
}

bool pmap_from(const struct pmap *m, struct str key, struct pmap_iter *it)
{
	it->depth = 0;
	for (const struct pmap_node *n = m->root; n;) {
		int order = str_cmp(key, key_of(n));

		if (order <= 0) {
			check(it->depth < PMAP_DEPTH_MAX);
			it->path[it->depth++] = n;
		}
		if (!order)
			break;
		n = n->side[order > 0];
	}
	return show(it);
}

bool pmap_next(struct pmap_iter *it)
{
	check(it->depth);

	it->depth--;
	push_smallest(it, it->path[it->depth]->side[1]);
	return show(it);
}

/*
 * What is left of one version in a comparison, the next in order on top: whole subtrees, and
 * nodes whose own entry only is meant.
 */
struct rest {
	struct {
		const struct pmap_node *node;
		bool whole;
	} item[2 * PMAP_DEPTH_MAX];
	uint32_t count;
};

static void rest_push(struct rest *r, const struct pmap_node *n, bool whole)
{
	if (!n)
		return;
	check(r->count < array_count(r->item));
	r->item[r->count].node = n;
	r->item[r->count].whole = whole;
	r->count++;
}

static uint32_t rest_height(const struct rest *r)
{
	return r->count && r->item[r->count - 1].whole ? r->item[r->count - 1].node->height : 0;
}

static void rest_expand(struct rest *r)
{
	const struct pmap_node *n = r->item[--r->count].node;

	rest_push(r, n->side[1], true);
	rest_push(r, n, false);
	rest_push(r, n->side[0], true);
}

static const struct pmap_node *rest_top(const struct rest *r)
{
	return r->count ? r->item[r->count - 1].node : NULL;
}

void pmap_diff(const struct pmap *before, const struct pmap *after,
               void (*changed)(void *arg, struct str key, struct object *old, struct object *new),
               void *arg)
{
	struct rest a = { .count = 0 };
	struct rest b = { .count = 0 };

	rest_push(&a, before->root, true);
	rest_push(&b, after->root, true);
	while (a.count || b.count) {
		const struct pmap_node *old = rest_top(&a);
		const struct pmap_node *new = rest_top(&b);
		uint32_t height[2] = { rest_height(&a), rest_height(&b) };
		int order;

		if (old == new && !height[0] == !height[1]) {
			a.count--;
			b.count--;
			continue;
		}
		if (height[0] || height[1]) {
			rest_expand(height[0] >= height[1] ? &a : &b);
			continue;
		}
		order = !old ? 1 : !new ? -1 : str_cmp(key_of(old), key_of(new));
		a.count -= order <= 0;
		b.count -= order >= 0;
		if (order || old->value != new->value)
			changed(arg, key_of(order <= 0 ? old : new), order <= 0 ? old->value : NULL,
			        order >= 0 ? new->value : NULL);
	}
}
