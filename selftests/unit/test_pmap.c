/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pmap.h"
#include "base/prng.h"

enum { KEYS = 300, STEPS = 4000, VERSIONS = 8 };

struct number {
	struct object object;
	int value;
};

static int alive;

static void number_free(struct object *o)
{
	alive--;
	mem_free(o);
}

static struct object *number(int value)
{
	struct number *n = mem_zalloc(sizeof(*n));

	object_init(&n->object, number_free);
	n->value = value;
	alive++;
	return &n->object;
}

static struct object *number_copy(const struct object *o)
{
	return number(((const struct number *)o)->value);
}

static int value_of(const struct object *o)
{
	return o ? ((const struct number *)o)->value : -1;
}

static struct str key_at(int key, struct pmap_key *out)
{
	return pmap_key_i32(key - KEYS / 2, out);
}

struct version {
	struct pmap map;
	int model[KEYS]; /* -1: not there */
};

static void assert_equals_model(const struct version *v)
{
	struct pmap_iter it;
	struct pmap_key key;
	size_t count = 0;
	int at = 0;

	for (int i = 0; i < KEYS; i++) {
		assert_int_equal(value_of(pmap_find(&v->map, key_at(i, &key))), v->model[i]);
		count += v->model[i] >= 0;
	}
	assert_int_equal(v->map.count, count);
	pmap_each(it, &v->map)
	{
		while (v->model[at] < 0)
			at++;
		assert_true(str_eq(it.entry.key, key_at(at, &key)));
		assert_int_equal(value_of(it.entry.value), v->model[at]);
		at++;
	}
	for (int from = 0; from < KEYS; from += 7) {
		for (at = from; at < KEYS && v->model[at] < 0; at++)
			;
		assert_int_equal(pmap_from(&v->map, key_at(from, &key), &it), at < KEYS);
		if (at < KEYS)
			assert_int_equal(value_of(it.entry.value), v->model[at]);
	}
}

struct seen {
	const struct version *old;
	const struct version *new;
	int next;
};

static void skip_equal(struct seen *s)
{
	while (s->next < KEYS && s->old->model[s->next] == s->new->model[s->next])
		s->next++;
}

static void on_change(void *arg, struct str key, struct object *old, struct object *new)
{
	struct seen *s = arg;
	struct pmap_key want;

	/* Another object with the same number may be reported; its key is still in order. */
	if (value_of(old) == value_of(new))
		return;
	skip_equal(s);
	assert_true(s->next < KEYS);
	assert_true(str_eq(key, key_at(s->next, &want)));
	assert_int_equal(value_of(old), s->old->model[s->next]);
	assert_int_equal(value_of(new), s->new->model[s->next]);
	s->next++;
}

static void assert_diff_is_exact(const struct version *a, const struct version *b)
{
	struct seen s = { a, b, 0 };

	pmap_diff(&a->map, &b->map, on_change, &s);
	skip_equal(&s);
	assert_int_equal(s.next, KEYS);
}

static void mutate(struct version *v, struct prng *p)
{
	int key = (int)prng_below(p, KEYS);
	int value = (int)prng_below(p, 1000000);
	struct pmap_key text;
	struct number *own;

	switch (prng_below(p, 4)) {
	case 0:
		assert_int_equal(pmap_remove(&v->map, key_at(key, &text)), v->model[key] >= 0);
		v->model[key] = -1;
		break;
	case 1:
		own = (struct number *)pmap_own(&v->map, key_at(key, &text), number_copy);
		assert_int_equal(own != NULL, v->model[key] >= 0);
		if (own)
			v->model[key] = own->value = value;
		break;
	default:
		pmap_put(&v->map, key_at(key, &text), number(value));
		v->model[key] = value;
	}
}

/* Versions branch off each other at random; each must stay what it was told, whatever others do. */
static void versions_are_independent(void **state)
{
	static struct version version[VERSIONS];
	struct prng p = { 7 };

	(void)state;
	for (int v = 0; v < VERSIONS; v++)
		memset(version[v].model, -1, sizeof(version[v].model));
	for (int step = 0; step < STEPS; step++) {
		int v = (int)prng_below(&p, VERSIONS);
		int from = (int)prng_below(&p, VERSIONS);

		if (prng_below(&p, 50) == 0 && v != from) {
			pmap_fini(&version[v].map);
			version[v] = version[from];
			version[v].map = pmap_share(&version[from].map);
		}
		for (int i = 0; i < 5; i++)
			mutate(&version[v], &p);
		if (step % 100 == 0) {
			assert_equals_model(&version[v]);
			assert_diff_is_exact(&version[v], &version[from]);
		}
	}
	for (int v = 0; v < VERSIONS; v++) {
		assert_equals_model(&version[v]);
		pmap_fini(&version[v].map);
	}
	assert_int_equal(alive, 0);
}

static void count_change(void *arg, struct str key, struct object *old, struct object *new)
{
	(void)key;
	(void)old;
	(void)new;
	++*(int *)arg;
}

/* Ascending keys are the worst case of a tree that does not balance. */
static void ten_thousand_versions_stay_shallow(void **state)
{
	struct pmap now = { 0 };
	struct pmap_key key;
	struct pmap_iter it;
	uint32_t depth = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct pmap before = pmap_share(&now);
		int changes = 0;

		pmap_put(&now, pmap_key_i32(i, &key), number(i));
		pmap_diff(&before, &now, count_change, &changes);
		assert_int_equal(changes, 1);
		pmap_fini(&before);
	}
	pmap_each(it, &now) depth = it.depth > depth ? it.depth : depth;
	assert_in_range(depth, 1, 20);
	pmap_fini(&now);
	assert_int_equal(alive, 0);
}

static void integer_keys_sort_as_numbers(void **state)
{
	static const int64_t number_at[] = { INT64_MIN, -5, -1, 0, 1, 77, INT64_MAX };
	struct pmap_key a;
	struct pmap_key b;

	(void)state;
	for (size_t i = 1; i < sizeof(number_at) / sizeof(number_at[0]); i++)
		assert_true(str_cmp(pmap_key_i64(number_at[i - 1], &a),
		                    pmap_key_i64(number_at[i], &b)) < 0);
	assert_true(str_cmp(pmap_key_i32(-1, &a), pmap_key_i32(0, &b)) < 0);
	assert_true(str_cmp(pmap_key_i32(INT32_MIN, &a), pmap_key_i32(INT32_MAX, &b)) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_independent),
		cmocka_unit_test(ten_thousand_versions_stay_shallow),
		cmocka_unit_test(integer_keys_sort_as_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
