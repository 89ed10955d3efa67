/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/producer_state.h"
#include "wire/errors.h"

/* What tests of whole logs do not reach: sequences and restarts are in test_log_recover.c. */
static struct batch batch_of(int64_t id, int16_t epoch, int32_t sequence, int32_t count)
{
	return (struct batch){ .magic = 2,
		               .producer_id = id,
		               .producer_epoch = epoch,
		               .base_sequence = sequence,
		               .last_offset_delta = count - 1,
		               .record_count = count };
}

static int16_t stage(struct producers *p, struct batch b, int64_t offset)
{
	struct producer_verdict verdict;

	producers_stage(p, &b, offset, 1000 + offset, NULL, true, &verdict);
	return verdict.error;
}

static void nothing_comes_before_what_was_refused(void **state)
{
	struct batch first = batch_of(7, 0, 40, 2);
	struct producers p;

	(void)state;
	producers_init(&p);
	assert_int_equal(stage(&p, first, 0), WIRE_NONE);
	assert_int_equal(stage(&p, batch_of(7, 0, 42, 1), 2), WIRE_NONE);
	producers_abort(&p);
	producers_refuse(&p, &first);
	assert_int_equal(stage(&p, batch_of(7, 0, 42, 1), 0), WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	/* Refused once more, and then not. */
	assert_int_equal(stage(&p, first, 0), WIRE_NONE);
	producers_abort(&p);
	producers_refuse(&p, &first);
	assert_int_equal(stage(&p, first, 0), WIRE_NONE);
	assert_int_equal(stage(&p, batch_of(7, 0, 42, 1), 2), WIRE_NONE);
	producers_commit(&p, 3);
	assert_int_equal(stage(&p, batch_of(7, 0, 44, 1), 3), WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(stage(&p, batch_of(7, 0, 43, 1), 3), WIRE_NONE);
	producers_commit(&p, 4);
	producers_fini(&p);
}

static void a_refused_producer_may_begin_anew_and_is_forgotten(void **state)
{
	struct batch refused = batch_of(7, 3, 0, 1);
	struct buf file = { 0 };
	struct producers p;

	(void)state;
	producers_init(&p);
	producers_refuse(&p, &refused);
	producers_encode(&p, &file); /* it is nobody yet */
	assert_int_equal(file.size, 10);
	assert_int_equal(stage(&p, batch_of(7, 4, 0, 1), 0), WIRE_NONE);
	producers_abort(&p);
	producers_expire(&p, 0);
	assert_null(producers_find(&p, 7));
	assert_int_equal(stage(&p, batch_of(7, 3, 9, 1), 0), WIRE_NONE);
	producers_commit(&p, 1);
	/* Who is known needs no such help. */
	producers_refuse(&p, &refused);
	assert_int_equal(stage(&p, batch_of(7, 3, 10, 1), 1), WIRE_NONE);
	producers_abort(&p);
	producers_fini(&p);
	buf_fini(&file);
}

static void expect_order(struct producers *p, const int64_t *id, int count)
{
	struct buf file = { 0 };

	producers_encode(p, &file);
	assert_int_equal(file.size, 10 + 46 * count);
	for (int i = 0; i < count; i++)
		assert_int_equal(load_be64(file.data + 10 + 46 * i), id[i]);
	buf_fini(&file);
}

static void add(struct producers *p, int64_t id)
{
	assert_int_equal(stage(p, batch_of(id, 0, 0, 1), 0), WIRE_NONE);
	producers_commit(p, 1);
}

/* As `new java.util.HashMap<Long, ...>()` walks them after the same insertions: seen in jshell. */
static void snapshots_are_in_the_order_of_a_hash_map(void **state)
{
	static const int64_t many[] = { 32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1003, 16, 17 };
	static const int64_t large[] = { INT64_C(1) << 32, 1, INT64_C(3) << 32, INT64_C(1) << 20 };
	struct producers p;

	(void)state;
	producers_init(&p);
	add(&p, 1003);
	add(&p, 17);
	add(&p, 32);
	add(&p, 1);
	add(&p, 16);
	expect_order(&p, (const int64_t[]){ 32, 16, 17, 1, 1003 }, 5);
	for (int64_t id = 2; id < 10; id++)
		add(&p, id);
	expect_order(&p, many, 13);
	producers_fini(&p);
	producers_init(&p);
	for (size_t i = 0; i < array_count(large); i++)
		add(&p, large[i]);
	expect_order(&p,
	             (const int64_t[]){ INT64_C(1) << 20, INT64_C(1) << 32, 1, INT64_C(3) << 32 },
	             4);
	producers_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_comes_before_what_was_refused),
		cmocka_unit_test(a_refused_producer_may_begin_anew_and_is_forgotten),
		cmocka_unit_test(snapshots_are_in_the_order_of_a_hash_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
