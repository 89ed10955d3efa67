/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/regex.h"
#include "config_private.h"
#include "telemetry_private.h"

struct rule {
	enum client_attribute attribute;
	struct regex *pattern; /* NULL: nobody matches */
};

struct subscription {
	int32_t interval_ms;
	uint32_t metric_count;
	struct str *metric; /* owned, as their texts are */
	uint32_t rule_count;
	struct rule *rule;
};

struct subscriptions {
	uint32_t count;
	struct subscription at[];
};

static const char *const attribute_name[] = {
	"client_instance_id",    "client_id",
	"client_software_name",  "client_software_version",
	"client_source_address", "client_source_port",
};

/* ---- reading configs, which the controller has let pass ---- */

static void read_rule(struct subscription *s, struct str text)
{
	const char *equal = text.size ? memchr(text.data, '=', text.size) : NULL;
	struct str name;
	struct str pattern;

	if (!equal)
		return;
	name = config_trim((struct str){ text.data, (uint32_t)(equal - text.data) });
	pattern = config_trim(
		(struct str){ equal + 1, text.size - (uint32_t)(equal - text.data) - 1 });
	while (pattern.size && pattern.data[pattern.size - 1] == '=')
		pattern.size--; /* as String.split() drops empty parts at the end */
	for (int i = 0; i < CLIENT_ATTRIBUTES; i++)
		if (str_eq(name, str_of(attribute_name[i])))
			s->rule[s->rule_count++] =
				(struct rule){ (enum client_attribute)i, regex_new(pattern) };
}

/* The items of a list: between commas, without blanks around them. */
static uint32_t split(struct str list, struct str *item)
{
	uint32_t count = 0;

	while (list.size) {
		const char *comma = memchr(list.data, ',', list.size);
		uint32_t size = comma ? (uint32_t)(comma - list.data) : list.size;
		struct str one = config_trim((struct str){ list.data, size });

		if (one.size)
			item[count++] = one;
		list.data += size;
		list.size -= size;
		if (comma) {
			list.data++;
			list.size--;
		}
	}
	return count;
}

static void read_value(struct subscription *s, struct str name, struct str value)
{
	struct str *item = mem_array(value.size + 1, sizeof(*item));
	uint32_t count = split(value, item);
	int64_t interval;

	if (str_eq(name, STR("interval.ms"))) {
		if (config_parse_long(config_trim(value), &interval) && interval > 0 &&
		    interval <= INT32_MAX)
			s->interval_ms = (int32_t)interval;
	} else if (str_eq(name, STR("metrics"))) {
		s->metric = mem_array(count + 1, sizeof(*s->metric));
		for (uint32_t i = 0; i < count; i++)
			s->metric[s->metric_count++] =
				(struct str){ str_dup(item[i]), item[i].size };
	} else if (str_eq(name, STR("match"))) {
		s->rule = mem_array(count + 1, sizeof(*s->rule));
		for (uint32_t i = 0; i < count; i++)
			read_rule(s, item[i]);
	}
	mem_free(item);
}

struct subscriptions *subscriptions_of(const struct image *image)
{
	struct subscriptions *s = mem_zalloc(sizeof(*s) + image->configs.count * sizeof(s->at[0]));
	struct pmap_iter it;

	pmap_each(it, &image->configs)
	{
		const struct image_config *c = image_value_of(struct image_config, it.entry);
		struct subscription *at = &s->at[s->count];
		struct pmap_iter value;

		if (c->resource_type != IMAGE_RESOURCE_CLIENT_METRICS || !c->value.count)
			continue;
		s->count++;
		at->interval_ms = TELEMETRY_INTERVAL_MS;
		pmap_each(value, &c->value) read_value(
			at, value.entry.key, image_value_of(struct image_value, value.entry)->text);
	}
	return s;
}

void subscriptions_put(struct subscriptions *s)
{
	for (uint32_t i = 0; s && i < s->count; i++) {
		struct subscription *at = &s->at[i];

		for (uint32_t k = 0; k < at->metric_count; k++)
			mem_free((char *)(uintptr_t)at->metric[k].data);
		for (uint32_t k = 0; k < at->rule_count; k++)
			regex_free(at->rule[k].pattern);
		mem_free(at->metric);
		mem_free(at->rule);
	}
	mem_free(s);
}

/* ---- who is meant ---- */

/* All rules must match; without any everybody does. */
static bool is_meant(const struct subscription *s, const struct str attribute[CLIENT_ATTRIBUTES])
{
	for (uint32_t i = 0; i < s->rule_count; i++) {
		struct str value = attribute[s->rule[i].attribute];

		if (!value.data || !s->rule[i].pattern || !regex_matches(s->rule[i].pattern, value))
			return false;
	}
	return true;
}

static int name_order(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void free_metrics(struct object *object)
{
	struct telemetry_metrics *m = container_of(object, struct telemetry_metrics, object);

	for (uint32_t i = 0; i < m->count; i++)
		mem_free((char *)(uintptr_t)m->name[i].data);
	mem_free(m);
}

struct telemetry_metrics *subscriptions_match(const struct subscriptions *s,
                                              const struct str attribute[CLIENT_ATTRIBUTES],
                                              int32_t *ret_interval_ms)
{
	struct telemetry_metrics *m;
	struct str *name;
	uint32_t count = 0;
	uint32_t kept = 0;
	uint32_t max = 0;
	bool all = false;

	*ret_interval_ms = TELEMETRY_INTERVAL_MS;
	for (uint32_t i = 0; i < s->count; i++)
		max += s->at[i].metric_count;
	name = mem_array(max + 1, sizeof(*name));
	for (uint32_t i = 0; i < s->count; i++) {
		const struct subscription *at = &s->at[i];

		if (!is_meant(at, attribute))
			continue;
		if (at->interval_ms < *ret_interval_ms)
			*ret_interval_ms = at->interval_ms;
		for (uint32_t k = 0; k < at->metric_count; k++) {
			all |= str_eq(at->metric[k], STR("*"));
			name[count++] = at->metric[k];
		}
	}
	if (all) {
		name[0] = STR("*");
		count = 1;
	}
	qsort(name, count, sizeof(*name), name_order);
	m = mem_zalloc(sizeof(*m) + count * sizeof(m->name[0]));
	object_init(&m->object, free_metrics);
	for (uint32_t i = 0; i < count; i++)
		if (!kept || !str_eq(m->name[kept - 1], name[i]))
			m->name[kept++] = (struct str){ str_dup(name[i]), name[i].size };
	m->count = kept;
	mem_free(name);
	return m;
}
