/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <stdio.h>

#include "base/check.h"

void histogram_gather(struct histogram_total *total, const struct histogram *h)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = counter_read(&h->bucket[i]);

		total->bucket[i] += n;
		total->count += n; /* of the buckets themselves, so that they always agree */
	}
	total->sum += counter_read(&h->sum);
}

const char *metric_type_name(enum metric_type type)
{
	static const char *const name[] = { "counter", "gauge", "histogram" };

	check((size_t)type < array_count(name));
	return name[type];
}

/* ---- escaping ---- */

/* Bytes of the well-formed UTF-8 sequence at `at` (Unicode 3.9, table 3-7); 0: there is none. */
static uint32_t utf8_size(const uint8_t *at, uint32_t left)
{
	uint32_t size = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
	uint8_t low = *at == 0xe0 ? 0xa0 : *at == 0xf0 ? 0x90 : 0x80;
	uint8_t high = *at == 0xed ? 0x9f : *at == 0xf4 ? 0x8f : 0xbf;

	if (size == 1)
		return 1;
	if (*at < 0xc2 || *at > 0xf4 || size > left || at[1] < low || at[1] > high)
		return 0;
	for (uint32_t i = 2; i < size; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

static void add_escaped(struct buf *out, struct str text, bool quotes)
{
	const uint8_t *at = (const uint8_t *)text.data;
	uint32_t left = text.size;

	while (left) {
		uint32_t size = utf8_size(at, left);

		if (!size)
			buf_add_str(out, STR("\xef\xbf\xbd"));
		else if (*at == '\n')
			buf_add_str(out, STR("\\n"));
		else if (*at == '\\' || (*at == '"' && quotes))
			buf_add(out, (const uint8_t[]){ '\\', *at }, 2);
		else
			buf_add(out, at, size);
		at += size ? size : 1;
		left -= size ? size : 1;
	}
}

/* ---- lines ---- */

void metric_family(struct buf *out, const char *name, enum metric_type type, const char *help)
{
	buf_printf(out, "# HELP %s ", name);
	add_escaped(out, str_of(help), false);
	buf_printf(out, "\n# TYPE %s %s\n", name, metric_type_name(type));
}

/* le NULL: none. */
static void add_series(struct buf *out, const char *name, const char *suffix,
                       const struct metric_label *label, uint32_t count, const char *le)
{
	char mark = '{';

	buf_add_str(out, str_of(name));
	buf_add_str(out, str_of(suffix));
	for (uint32_t i = 0; i < count; i++) {
		buf_add(out, &mark, 1);
		buf_add_str(out, str_of(label[i].name));
		buf_add_str(out, STR("=\""));
		add_escaped(out, label[i].value, true);
		buf_add_str(out, STR("\""));
		mark = ',';
	}
	if (le) {
		buf_printf(out, "%cle=\"%s\"", mark, le);
		mark = ',';
	}
	buf_add_str(out, mark == ',' ? STR("} ") : STR(" "));
}

void metric_int(struct buf *out, const char *name, const struct metric_label *label, uint32_t count,
                int64_t value)
{
	add_series(out, name, "", label, count, NULL);
	buf_printf(out, "%lld\n", (long long)value);
}

void metric_float(struct buf *out, const char *name, const struct metric_label *label,
                  uint32_t count, double value)
{
	add_series(out, name, "", label, count, NULL);
	buf_printf(out, "%.15g\n", value);
}

void metric_histogram(struct buf *out, const char *name, const struct metric_label *label,
                      uint32_t count, const struct histogram_total *total, double unit)
{
	uint64_t below = 0;
	char le[32];

	for (uint32_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
		below += total->bucket[i];
		snprintf(le, sizeof(le), "%.9g",
		         unit * (double)(UINT64_C(1) << (HISTOGRAM_FIRST + i)));
		add_series(out, name, "_bucket", label, count, le);
		buf_printf(out, "%llu\n", (unsigned long long)below);
	}
	add_series(out, name, "_bucket", label, count, "+Inf");
	buf_printf(out, "%llu\n", (unsigned long long)total->count);
	add_series(out, name, "_sum", label, count, NULL);
	buf_printf(out, "%.15g\n", unit * (double)total->sum);
	add_series(out, name, "_count", label, count, NULL);
	buf_printf(out, "%llu\n", (unsigned long long)total->count);
}

void metric_comment(struct buf *out, const char *text)
{
	buf_printf(out, "# ");
	add_escaped(out, str_of(text), false);
	buf_printf(out, "\n");
}
