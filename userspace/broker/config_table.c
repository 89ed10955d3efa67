/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <stdint.h>

#include "base/check.h"
#include "broker/config_keys.h"

/* How the rows say what a value must be. */
#define ANY                                                                                        \
	{                                                                                          \
		CONFIG_CHECK_ANY, 0, 0, NULL                                                       \
	}
#define AT_LEAST(low)                                                                              \
	{                                                                                          \
		CONFIG_CHECK_RANGE, low, DBL_MAX, NULL                                             \
	}
#define RANGE(low, high)                                                                           \
	{                                                                                          \
		CONFIG_CHECK_RANGE, low, high, NULL                                                \
	}
#define RANGE_OR(low, high)                                                                        \
	{                                                                                          \
		CONFIG_CHECK_RANGE_OR, low, high, NULL                                             \
	}
#define ONE_OF(names)                                                                              \
	{                                                                                          \
		CONFIG_CHECK_ONE_OF, 0, 0, names                                                   \
	}
#define SOME_OF(names)                                                                             \
	{                                                                                          \
		CONFIG_CHECK_ONE_OF, 1, 0, names                                                   \
	}
#define ONE_OF_NOCASE(names)                                                                       \
	{                                                                                          \
		CONFIG_CHECK_ONE_OF_NOCASE, 0, 0, names                                            \
	}
#define NON_EMPTY                                                                                  \
	{                                                                                          \
		CONFIG_CHECK_NON_EMPTY, 0, 0, NULL                                                 \
	}
#define ITEMS(low)                                                                                 \
	{                                                                                          \
		CONFIG_CHECK_ITEMS, low, 0, NULL                                                   \
	}
#define THROTTLED                                                                                  \
	{                                                                                          \
		CONFIG_CHECK_THROTTLED, 0, 0, NULL                                                 \
	}
#define OFFSET_RESET                                                                               \
	{                                                                                          \
		CONFIG_CHECK_OFFSET_RESET, 0, 0, NULL                                              \
	}

#define CONFIG(id, name, type, text, check, update, flags, doc)                                    \
	{ name, text, doc, check, CONFIG_TYPE_##type, CONFIG_UPDATE_##update, flags },

static const struct config_key broker_keys[] = {
#include "broker/config_broker.def"
};
static const struct config_key topic_keys[] = {
#include "broker/config_topic.def"
};
static const struct config_key group_keys[] = {
#include "broker/config_group.def"
};
static const struct config_key client_metrics_keys[] = {
#include "broker/config_client_metrics.def"
};

_Static_assert(array_count(broker_keys) == CONFIG_COUNT, "an id for each row");

struct config_table config_table(enum config_scope scope)
{
	switch (scope) {
	case CONFIG_SCOPE_BROKER:
		return (struct config_table){ broker_keys, array_count(broker_keys) };
	case CONFIG_SCOPE_TOPIC:
		return (struct config_table){ topic_keys, array_count(topic_keys) };
	case CONFIG_SCOPE_GROUP:
		return (struct config_table){ group_keys, array_count(group_keys) };
	default:
		check(scope == CONFIG_SCOPE_CLIENT_METRICS);
		return (struct config_table){ client_metrics_keys,
			                      array_count(client_metrics_keys) };
	}
}

int config_find(enum config_scope scope, struct str name)
{
	struct config_table table = config_table(scope);
	uint32_t low = 0;
	uint32_t high = table.count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order = str_cmp(name, str_of(table.key[middle].name));

		if (!order)
			return (int)middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

/* Edits (insert, delete, replace, swap neighbours) from a to b; above `limit` when it is more. */
static uint32_t distance(struct str a, struct str b, uint32_t limit)
{
	enum { NAME_MAX = 128 };
	uint32_t row[3][NAME_MAX + 1];

	if (a.size > NAME_MAX || b.size > NAME_MAX || a.size > b.size + limit ||
	    b.size > a.size + limit)
		return limit + 1;
	for (uint32_t j = 0; j <= b.size; j++)
		row[0][j] = j;
	for (uint32_t i = 1; i <= a.size; i++) {
		uint32_t *now = row[i % 3];
		const uint32_t *last = row[(i + 2) % 3];
		const uint32_t *before = row[(i + 1) % 3];

		uint32_t least = i;

		now[0] = i;
		for (uint32_t j = 1; j <= b.size; j++) {
			bool same = a.data[i - 1] == b.data[j - 1];
			uint32_t best = last[j - 1] + !same;

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
			    a.data[i - 2] == b.data[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
			if (best < least)
				least = best;
		}
		if (least > limit + 1)
			return limit + 1; /* a swap looks two rows back, for one edit */
	}
	return row[a.size % 3][b.size];
}

const char *config_nearest(enum config_scope scope, struct str name)
{
	struct config_table table = config_table(scope);
	uint32_t limit = name.size / 4 < 1 ? 1 : name.size / 4 > 6 ? 6 : name.size / 4;
	uint32_t best = limit + 1;
	const char *ret = NULL;

	for (uint32_t i = 0; i < table.count; i++) {
		uint32_t far = distance(name, str_of(table.key[i].name), limit);

		if (far < best) {
			best = far;
			ret = table.key[i].name;
		}
	}
	return ret;
}

const char *config_type_name(enum config_type type)
{
	static const char *const name[] = {
		"UNKNOWN", "BOOLEAN", "STRING", "INT",   "SHORT",
		"LONG",    "DOUBLE",  "LIST",   "CLASS", "PASSWORD",
	};

	check((size_t)type < array_count(name));
	return name[type];
}
