/* SPDX-License-Identifier: Apache-2.0 */
#include "core/meta_properties.h"

#include <errno.h>
#include <stdlib.h>

/* "Tue Nov 24 15:48:45 UTC 2026", as java.util.Date says it. */
static void add_date(struct buf *out, int64_t wall_ms)
{
	static const char day_name[][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
	static const char month_name[][4] = { "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		                              "Sep", "Oct", "Nov", "Dec", "Jan", "Feb" };
	int64_t seconds = wall_ms / 1000;
	int64_t days = seconds / 86400;
	int64_t in_day = seconds % 86400;
	/* Days since 1 March 0000: years then end with their leap day. */
	int64_t shifted = days + 719468;
	int64_t era = shifted / 146097;
	int64_t of_era = shifted % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;
	int64_t day = of_year - (153 * month + 2) / 5 + 1;

	year += era * 400 + (month >= 10);
	buf_printf(out, "%s %s %02d %02d:%02d:%02d UTC %d", day_name[days % 7], month_name[month],
	           (int)day, (int)(in_day / 3600), (int)(in_day / 60 % 60), (int)(in_day % 60),
	           (int)year);
}

void meta_properties_encode(const struct meta_properties *m, int64_t wall_ms, struct buf *out)
{
	char directory[UUID_TEXT_SIZE + 1];

	uuid_format(m->directory_id, directory);
	buf_printf(out, "#\n#");
	add_date(out, wall_ms < 0 ? 0 : wall_ms);
	buf_printf(out, "\nnode.id=%d\n", m->node_id);
	if (!uuid_is_zero(m->directory_id))
		buf_printf(out, "directory.id=%s\n", directory);
	buf_printf(out, "version=1\ncluster.id=%.*s\n", STR_ARG(m->cluster_id));
}

static struct str trim(struct str s)
{
	while (s.size && strchr(" \t\r\f", s.data[0])) {
		s.data++;
		s.size--;
	}
	while (s.size && strchr(" \t\r\f", s.data[s.size - 1]))
		s.size--;
	return s;
}

static bool next_line(struct str *rest, struct str *ret)
{
	const char *end = rest->size ? memchr(rest->data, '\n', rest->size) : NULL;
	uint32_t size = end ? (uint32_t)(end - rest->data) : rest->size;

	if (!rest->size)
		return false;
	*ret = trim((struct str){ rest->data, size });
	size += end != NULL;
	rest->data += size;
	rest->size -= size;
	return true;
}

static bool parse_i32(struct str s, int32_t *ret)
{
	char text[12];
	char *end;
	long value;

	if (!s.size || s.size >= sizeof(text))
		return false;
	memcpy(text, s.data, s.size);
	text[s.size] = '\0';
	value = strtol(text, &end, 10);
	if (*end || value < INT32_MIN || value > INT32_MAX)
		return false;
	*ret = (int32_t)value;
	return true;
}

int meta_properties_decode(struct str text, struct meta_properties *ret)
{
	struct meta_properties m = { .node_id = -1 };
	int32_t version = -1;
	struct str line;

	while (next_line(&text, &line)) {
		const char *equals = line.size ? memchr(line.data, '=', line.size) : NULL;
		struct str name;
		struct str value;
		bool ok = true;

		if (!line.size || line.data[0] == '#' || line.data[0] == '!')
			continue;
		if (!equals)
			return -EBADMSG;
		name = trim((struct str){ line.data, (uint32_t)(equals - line.data) });
		value = trim(
			(struct str){ equals + 1, (uint32_t)(line.data + line.size - equals - 1) });
		if (str_eq(name, STR("version")))
			ok = parse_i32(value, &version);
		else if (str_eq(name, STR("node.id")) ||
		         (version == 0 && str_eq(name, STR("broker.id"))))
			ok = parse_i32(value, &m.node_id);
		else if (str_eq(name, STR("directory.id")))
			ok = uuid_parse(value, &m.directory_id);
		else if (str_eq(name, STR("cluster.id")))
			m.cluster_id = value;
		if (!ok)
			return -EBADMSG;
	}
	if (version != 1 || !m.cluster_id.size || m.node_id < 0)
		return -EBADMSG;
	*ret = m;
	return 0;
}
