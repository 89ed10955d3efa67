/* SPDX-License-Identifier: Apache-2.0 */
#include "core/bootstrap.h"

#include <errno.h>

#include "core/feature.h"
#include "core/metadata_record.h"
#include "wire/metadata_records.h"

static const struct bootstrap_level *find_override(const struct bootstrap_level *override,
                                                   size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(override[i].name, name))
			return &override[i];
	return NULL;
}

static struct str unsupported(struct arena *arena, struct str name)
{
	size_t count;
	const struct feature *f = feature_table(&count);
	struct buf text = { 0 };
	struct str ret;

	buf_printf(&text, "Unsupported feature: %.*s. Supported features are: ", STR_ARG(name));
	for (size_t i = 0, listed = 0; i < count; i++)
		if (!str_eq(f[i].name, STR(FEATURE_METADATA_VERSION)))
			buf_printf(&text, "%s%.*s", listed++ ? ", " : "", STR_ARG(f[i].name));
	ret = arena_str(arena, (struct str){ (const char *)text.data, (uint32_t)text.size });
	buf_fini(&text);
	return ret;
}

static int check_override(struct arena *arena, int16_t metadata_version,
                          const struct bootstrap_level *o, struct str *ret_why)
{
	const struct feature *f = feature_find(o->name);

	if (!f) {
		*ret_why = unsupported(arena, o->name);
		return -EINVAL;
	}
	if (o->level < f->min || o->level > f->max) {
		*ret_why = arena_printf(arena, "No feature:%.*s with feature level %d",
		                        STR_ARG(o->name), o->level);
		return -EINVAL;
	}
	if (metadata_version < feature_depends_on(f, o->level)) {
		*ret_why =
			arena_printf(arena,
		                     "%.*s could not be set to %d because it depends on "
		                     "metadata.version level %d",
		                     STR_ARG(o->name), o->level, feature_depends_on(f, o->level));
		return -EINVAL;
	}
	return 0;
}

int bootstrap_levels(struct arena *arena, int16_t metadata_version,
                     const struct bootstrap_level *override, size_t override_count,
                     struct bootstrap_level **ret, size_t *ret_count, struct str *ret_why)
{
	size_t known_count;
	const struct feature *known = feature_table(&known_count);
	struct bootstrap_level *level = arena_array(arena, known_count, sizeof(*level));
	size_t count = 0;

	for (size_t i = 0; i < override_count; i++)
		if (check_override(arena, metadata_version, &override[i], ret_why))
			return -EINVAL;
	level[count++] =
		(struct bootstrap_level){ STR(FEATURE_METADATA_VERSION), metadata_version };
	for (size_t i = 0; i < known_count; i++) {
		const struct bootstrap_level *o =
			find_override(override, override_count, known[i].name);
		int16_t value = o ? o->level : feature_default_level(&known[i], metadata_version);

		if (value && !str_eq(known[i].name, STR(FEATURE_METADATA_VERSION)) &&
		    !str_eq(known[i].name, STR(FEATURE_KRAFT_VERSION)))
			level[count++] = (struct bootstrap_level){ known[i].name, value };
	}
	*ret = level;
	*ret_count = count;
	return 0;
}

const struct span *bootstrap_records(struct arena *arena, const struct bootstrap_level *level,
                                     size_t count, size_t *ret_count)
{
	struct span *record = arena_array(arena, count, sizeof(*record));
	struct buf value = { 0 };

	for (size_t i = 0; i < count; i++) {
		uint8_t *copy;

		value.size = 0;
		metadata_record_encode(
			&value, METADATA_FEATURE_LEVEL, 0,
			&(struct feature_level_record){ .name = level[i].name,
		                                        .feature_level = level[i].level });
		copy = arena_alloc(arena, value.size);
		memcpy(copy, value.data, value.size);
		record[i] = (struct span){ copy, value.size };
	}
	buf_fini(&value);
	*ret_count = count;
	return record;
}

void bootstrap_checkpoint(struct buf *out, const struct span *record, size_t count, int64_t wall_ms)
{
	struct checkpoint c;

	checkpoint_begin(&c, out, &(struct checkpoint_options){ .wall_ms = wall_ms });
	for (size_t i = 0; i < count; i++)
		checkpoint_add(&c, record[i]);
	checkpoint_end(&c);
}

void bootstrap_quorum_checkpoint(struct buf *out, const struct raft_quorum *quorum, int64_t wall_ms)
{
	struct checkpoint c;

	checkpoint_begin(&c, out,
	                 &(struct checkpoint_options){ .wall_ms = wall_ms,
	                                               .last_contained_ms = wall_ms,
	                                               .quorum = quorum });
	checkpoint_end(&c);
}

/* Takes the values of one batch; -EBADMSG for what a snapshot cannot hold. */
static int read_batch(const struct batch *b, struct span *record, size_t *count, size_t max)
{
	struct record_iter it = record_iter(batch_records(b), b->record_count);
	struct record r;
	int more;

	if (b->magic != 2 || batch_compression(b) != BATCH_NONE || !batch_crc_ok(b))
		return -EBADMSG;
	while ((more = record_iter_next(&it, &r)) == 1) {
		if (batch_is_control(b))
			continue;
		if (*count == max)
			return -EBADMSG;
		record[(*count)++] = r.value;
	}
	return more;
}

int bootstrap_read(struct arena *arena, struct span file, const struct span **ret,
                   size_t *ret_count)
{
	/* No record is shorter than this. */
	size_t max = file.size / 7;
	struct span *record = arena_array(arena, max, sizeof(*record));
	struct batch b;
	size_t count = 0;

	while (file.size) {
		if (batch_parse(file, &b) || read_batch(&b, record, &count, max))
			return -EBADMSG;
		file.data += b.size;
		file.size -= b.size;
	}
	*ret = record;
	*ret_count = count;
	return 0;
}
