/* SPDX-License-Identifier: Apache-2.0 */
#include "core/feature.h"

#include "base/check.h"
#include "core/metadata_record.h"

enum { LEVELS_MAX = 2 };

/* A level's default begins at a metadata.version, and it needs one: both 0 for level 0. */
static const struct {
	int16_t default_from[LEVELS_MAX];
	int16_t depends_on[LEVELS_MAX];
} level_of[] = {
	{ { 26 }, { 23 } },       /* eligible.leader.replicas.version */
	{ { 22 }, { 0 } },        /* group.version */
	{ { 21 }, { 0 } },        /* kraft.version */
	{ { 0 }, { 0 } },         /* metadata.version */
	{ { 28 }, { 0 } },        /* share.version */
	{ { 29 }, { 0 } },        /* streams.version */
	{ { 24, 24 }, { 0, 0 } }, /* transaction.version */
};

#define NAMED(text)                                                                                \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static const struct feature table[] = {
	{ NAMED(FEATURE_ELR_VERSION), 0, 1 },
	{ NAMED("group.version"), 0, 1 },
	{ NAMED(FEATURE_KRAFT_VERSION), 0, 1 },
	{ NAMED(FEATURE_METADATA_VERSION), METADATA_VERSION_MIN, METADATA_VERSION_LATEST },
	{ NAMED("share.version"), 0, 1 },
	{ NAMED("streams.version"), 0, 1 },
	{ NAMED("transaction.version"), 0, 2 },
};
_Static_assert(array_count(table) == array_count(level_of), "levels for each feature");

const struct feature *feature_table(size_t *ret_count)
{
	*ret_count = array_count(table);
	return table;
}

const struct feature *feature_find(struct str name)
{
	for (size_t i = 0; i < array_count(table); i++)
		if (str_eq(table[i].name, name))
			return &table[i];
	return NULL;
}

int16_t feature_default_level(const struct feature *f, int16_t metadata_version)
{
	const int16_t *from = level_of[f - table].default_from;
	int16_t level = 0;

	if (str_eq(f->name, STR(FEATURE_METADATA_VERSION)))
		return metadata_version;
	while (level < f->max && metadata_version >= from[level])
		level++;
	return level;
}

int16_t feature_depends_on(const struct feature *f, int16_t level)
{
	if (level < 1 || level > LEVELS_MAX)
		return 0;
	return level_of[f - table].depends_on[level - 1];
}
