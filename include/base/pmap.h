/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PMAP_H
#define BASE_PMAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/str.h"

/*
 * A counted object: the value in a persistent map, shared by every version of the map that holds
 * it.  Embedded as the first member.  Counting is atomic because old versions are freed on
 * whichever core saw them last; the contents are not touched while more than one version looks.
 */
struct object {
	_Atomic uint32_t refs;
	void (*free)(struct object *self); /* NULL: mem_free() is enough */
};

void object_init(struct object *o, void (*free)(struct object *self)); /* with one reference */
struct object *object_get(struct object *o);                           /* NULL is fine */
void object_put(struct object *o);                                     /* NULL is fine */
bool object_is_shared(const struct object *o);

/*
 * A persistent ordered map (an AVL tree with path copying) from byte strings to objects, in byte
 * order.  pmap_share() is a second version in O(1); from then on a change to either copies the
 * O(log n) nodes on its path that are still shared and no others, so that nodes that one version
 * has to itself are changed in place.  Versions are independent: each may live on another core.
 */
struct pmap_node;

struct pmap { /* all zero is empty */
	struct pmap_node *root;
	size_t count;
};

struct pmap pmap_share(const struct pmap *m);
void pmap_fini(struct pmap *m); /* this version; it is empty afterwards */

/* Borrowed: it lives as long as this version holds it.  NULL when there is none. */
struct object *pmap_find(const struct pmap *m, struct str key);
/* Takes the caller's reference; replaces and lets go of what was there. */
void pmap_put(struct pmap *m, struct str key, struct object *value);
bool pmap_remove(struct pmap *m, struct str key);
/*
 * The value, made this version's own: what others see is copied first with `copy`, which returns
 * a new object with one reference.  NULL when there is none.
 */
struct object *pmap_own(struct pmap *m, struct str key,
                        struct object *(*copy)(const struct object *value));

/*
 * The place of the value on a path that is this version's own, valid until the next change of the
 * map: for objects that more than one map of a version holds.  NULL when there is none.
 */
struct object **pmap_own_slot(struct pmap *m, struct str key);

/* Integer and uuid keys in their numeric order.  The text lives in `out`. */
struct pmap_key {
	uint8_t byte[8];
};
struct str pmap_key_i32(int32_t value, struct pmap_key *out);
struct str pmap_key_i64(int64_t value, struct pmap_key *out);

struct pmap_entry {
	struct str key;
	struct object *value;
};

/* In order.  The version must not change while it is walked. */
enum { PMAP_DEPTH_MAX = 64 };

struct pmap_iter {
	const struct pmap_node *path[PMAP_DEPTH_MAX];
	uint32_t depth;
	struct pmap_entry entry;
};

bool pmap_first(const struct pmap *m, struct pmap_iter *it);
bool pmap_from(const struct pmap *m, struct str key, struct pmap_iter *it); /* first >= key */
bool pmap_next(struct pmap_iter *it);

#define pmap_each(it, m)                                                                           \
	for (bool it##_more = pmap_first((m), &(it)); it##_more; it##_more = pmap_next(&(it)))

/*
 * Calls `changed` in order for each key whose object differs between two versions: old NULL for a
 * new key, new NULL for one that is gone.  Shared parts are skipped, so the cost follows the
 * number of changes and not the size.
 */
void pmap_diff(const struct pmap *before, const struct pmap *after,
               void (*changed)(void *arg, struct str key, struct object *old, struct object *new),
               void *arg);

#endif
