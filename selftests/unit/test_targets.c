/* SPDX-License-Identifier: Apache-2.0 */
#include "../../userspace/broker/api/targets.h"
#include "controller_fixture.h"

/* The partitions of a request, against a list that is searched from end to end. */
enum { TOPICS = 30, NAMED_MAX = 2000 };

struct named {
	uint32_t topic; /* of the name table */
	int32_t index;
};

static char names[TOPICS + 2][16];

/* Topics "t0".. with 1, 2, 3... partitions; the last two names are of none. */
static void make_topics(struct world *w)
{
	one_broker(w);
	for (int i = 0; i < TOPICS + 2; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d", i);
		if (i < TOPICS)
			assert_int_equal(create(w, names[i], 1 + 2 * i, 1).error_code, WIRE_NONE);
	}
}

static uint32_t find(const struct named *named, uint32_t count, struct named what)
{
	for (uint32_t i = 0; i < count; i++)
		if (named[i].topic == what.topic && named[i].index == what.index)
			return i;
	return count;
}

/* Mentions of `mentions` topics, each with some partitions that exist. */
static void one_request(struct world *w, struct prng *prng, uint32_t mentions, uint32_t most)
{
	const struct image *image = controller_image(w->c);
	struct named named[NAMED_MAX];
	struct targets t;
	uint32_t count = 0;
	uint32_t listed = 0;

	assert_true(targets_init(&t, &w->arena, mentions, NAMED_MAX, false));
	for (uint32_t m = 0; m < mentions; m++) {
		uint32_t which = (uint32_t)prng_below(prng, TOPICS);
		uint32_t partitions = 1 + 2 * which;
		uint32_t more = (uint32_t)prng_below(prng, most + 1);
		struct target_topic *topic =
			targets_topic(&t, image, str_of(names[which]), UUID_ZERO, more);

		assert_non_null(topic);
		assert_int_equal(topic->partition_count, partitions);
		for (uint32_t i = 0; i < more && count < NAMED_MAX; i++) {
			struct named what = { which, (int32_t)prng_below(prng, partitions) };
			uint32_t at = find(named, count, what);

			assert_int_equal(targets_partition(&t, topic, what.index), at + 1);
			assert_true(t.target[at + 1].exists);
			if (at == count)
				named[count++] = what;
		}
	}
	assert_int_equal(t.count, count);
	for (uint32_t i = 0; i < t.topic_count; i++) {
		uint32_t last = 0;

		for (uint32_t at = t.topic[i].first; at; at = t.target[at].next) {
			assert_true(at > last);
			assert_int_equal(t.target[at].topic, i);
			last = at;
			listed++;
		}
		assert_int_equal(last, t.topic[i].last);
	}
	assert_int_equal(listed, count);
	targets_end(&t);
}

static void each_is_there_once_in_the_order_of_the_request(void **state)
{
	struct prng prng = { 11 };
	struct world w;

	(void)state;
	make_topics(&w);

	for (uint32_t round = 0; round < 200; round++)
		one_request(&w, &prng, 1 + round % 60, round % 7 ? 5 : 80);
	world_fini(&w);
}

static void what_is_not_there_is_said(void **state)
{
	static const int32_t odd[] = { -1, 1, INT32_MAX, INT32_MIN };
	struct target_topic *topic;
	struct targets t;
	struct world w;

	(void)state;
	make_topics(&w);
	assert_true(targets_init(&t, &w.arena, 3, 3000, false));
	topic = targets_topic(&t, controller_image(w.c), str_of(names[TOPICS]), UUID_ZERO, 1000);
	assert_non_null(topic);
	assert_true(uuid_is_zero(topic->id));
	for (int32_t i = 0; i < 1000; i++)
		assert_false(t.target[targets_partition(&t, topic, i)].exists);
	topic = targets_topic(&t, controller_image(w.c), str_of(names[0]), UUID_ZERO, 4);
	assert_non_null(topic);
	for (size_t i = 0; i < array_count(odd); i++)
		assert_false(t.target[targets_partition(&t, topic, odd[i])].exists);
	assert_true(t.target[targets_partition(&t, topic, 0)].exists);
	targets_end(&t);
	world_fini(&w);
}

static void topics_are_found_by_id(void **state)
{
	struct target_topic *topic;
	struct targets t;
	struct world w;
	struct uuid id;

	(void)state;
	make_topics(&w);
	id = image_topic_by_name(controller_image(w.c), STR("t3"))->id;
	assert_true(targets_init(&t, &w.arena, 3, 3, true));
	topic = targets_topic(&t, controller_image(w.c), STR(""), id, 1);
	assert_true(uuid_eq(topic->id, id));
	assert_int_equal(targets_partition(&t, topic, 6), 1);
	assert_true(t.target[1].exists);
	assert_ptr_equal(targets_topic(&t, controller_image(w.c), STR(""), id, 1), topic);
	topic = targets_topic(&t, controller_image(w.c), STR(""), UUID_ZERO, 1);
	assert_true(uuid_is_zero(topic->id));
	targets_end(&t);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_there_once_in_the_order_of_the_request),
		cmocka_unit_test(what_is_not_there_is_said),
		cmocka_unit_test(topics_are_found_by_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
