/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_private.h"

/* ---- text ---- */

void *config_alloc(struct arena *arena, size_t count, size_t size)
{
	void *p = arena_array(arena, count ? count : 1, size);

	check(p);
	return p;
}

/* String.trim(): everything up to the blank. */
struct str config_trim(struct str s)
{
	while (s.size && (uint8_t)s.data[0] <= ' ') {
		s.data++;
		s.size--;
	}
	while (s.size && (uint8_t)s.data[s.size - 1] <= ' ')
		s.size--;
	return s;
}

static int upper(int c)
{
	return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

bool config_str_eq_nocase(struct str a, struct str b)
{
	if (a.size != b.size)
		return false;
	for (uint32_t i = 0; i < a.size; i++)
		if (upper(a.data[i]) != upper(b.data[i]))
			return false;
	return true;
}

struct str config_upper(struct str s, struct arena *arena)
{
	char *copy = config_alloc(arena, s.size, 1);

	for (uint32_t i = 0; i < s.size; i++)
		copy[i] = (char)upper(s.data[i]);
	return (struct str){ copy, s.size };
}

struct str config_lower(struct str s, struct arena *arena)
{
	char *copy = config_alloc(arena, s.size, 1);

	for (uint32_t i = 0; i < s.size; i++)
		copy[i] = s.data[i] >= 'A' && s.data[i] <= 'Z' ? (char)(s.data[i] - 'A' + 'a')
		                                               : s.data[i];
	return (struct str){ copy, s.size };
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

const struct str *config_split(struct str text, struct arena *arena, uint32_t *ret_count)
{
	struct str *item;
	uint32_t count = 1;
	uint32_t start = 0;

	*ret_count = 0;
	text = config_trim(text);
	for (uint32_t i = 0; i < text.size; i++)
		count += text.data[i] == ',';
	item = config_alloc(arena, count, sizeof(*item));
	if (!text.size)
		return item;
	for (uint32_t i = 0; i <= text.size; i++) {
		uint32_t from = start;
		uint32_t to = i;

		if (i < text.size && text.data[i] != ',')
			continue;
		while (from < to && is_space(text.data[from]))
			from++;
		while (to > from && is_space(text.data[to - 1]))
			to--;
		item[(*ret_count)++] = (struct str){ text.data + from, to - from };
		start = i + 1;
	}
	return item;
}

/* ---- numbers ---- */

/* Long.parseLong(): a sign and digits. */
bool config_parse_long(struct str s, int64_t *ret)
{
	bool negative = s.size && s.data[0] == '-';
	uint32_t i = s.size && (negative || s.data[0] == '+');
	int64_t value = 0;

	if (i == s.size)
		return false;
	for (; i < s.size; i++) {
		int digit = s.data[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, digit, &value))
			return false;
	}
	if (!negative && value == INT64_MIN)
		return false;
	*ret = negative ? value : -value;
	return true;
}

/* Double.parseDouble(), hexadecimal left out. */
static bool parse_double(struct str s, double *ret)
{
	char text[400];
	char *end;

	if (str_eq(s, STR("NaN")) || str_eq(s, STR("Infinity")) || str_eq(s, STR("+Infinity")) ||
	    str_eq(s, STR("-Infinity"))) {
		*ret = s.data[0] == 'N' ? (double)NAN
		                        : (s.data[0] == '-' ? -(double)INFINITY : (double)INFINITY);
		return true;
	}
	if (s.size > 1 && strchr("dDfF", s.data[s.size - 1]))
		s.size--;
	if (!s.size || s.size >= sizeof(text))
		return false;
	for (uint32_t i = 0; i < s.size; i++)
		if (!s.data[i] || !strchr("0123456789.eE+-", s.data[i]))
			return false;
	memcpy(text, s.data, s.size);
	text[s.size] = '\0';
	*ret = strtod(text, &end);
	return !*end;
}

/* Double.toString(): the fewest digits that tell the value, 1.0E10 outside 10^-3 .. 10^7. */
static struct str print_double(double v, struct arena *arena)
{
	char text[40];
	char digits[20];
	int precision = 0;
	int exponent;
	int count = 0;

	if (isnan(v))
		return STR("NaN");
	if (isinf(v))
		return v < 0 ? STR("-Infinity") : STR("Infinity");
	do
		snprintf(text, sizeof(text), "%.*e", precision, fabs(v));
	while (strtod(text, NULL) != fabs(v) && ++precision < 17);
	exponent = atoi(strchr(text, 'e') + 1);
	for (const char *p = text; *p != 'e'; p++)
		if (*p != '.')
			digits[count++] = *p;
	digits[count] = '\0';
	if (v == 0 || (exponent >= -3 && exponent < 7)) {
		int after = count - 1 - exponent;

		return arena_printf(arena, "%.*f", after < 1 ? 1 : after, v);
	}
	return arena_printf(arena, "%s%c.%sE%d", v < 0 ? "-" : "", digits[0],
	                    count > 1 ? digits + 1 : "0", exponent);
}

/* ---- checks: false with Kafka's message ---- */

static bool refuse(const struct config_key *key, struct str value, struct arena *arena,
                   struct str *why, const char *reason)
{
	*why = arena_printf(arena, "Invalid value %.*s for configuration %s: %s", STR_ARG(value),
	                    key->name, reason);
	return false;
}

static bool check_range(const struct config_key *key, const struct config_value *v,
                        struct arena *arena, struct str *why)
{
	const struct config_check *c = &key->check;
	struct str reason;

	if (c->kind == CONFIG_CHECK_RANGE_OR) {
		if (v->real == -1 || (v->real >= c->low && v->real <= c->high))
			return true;
		reason = arena_printf(arena, "Value must be between %.17g and %.17g or equal to -1",
		                      c->low, c->high);
	} else {
		if (!(v->real < c->low) && !(v->real > c->high))
			return true;
		reason = v->real < c->low
		                 ? arena_printf(arena, "Value must be at least %.17g", c->low)
		                 : arena_printf(arena, "Value must be no more than %.17g", c->high);
	}
	*why = arena_printf(arena, "Invalid value %.*s for configuration %s: %.*s",
	                    STR_ARG(v->text), key->name, STR_ARG(reason));
	return false;
}

static bool is_allowed(const char *allowed, struct str value, bool nocase)
{
	struct str left = str_of(allowed);

	while (left.size) {
		const char *comma = memchr(left.data, ',', left.size);
		struct str one = { left.data, comma ? (uint32_t)(comma - left.data) : left.size };

		if (nocase ? config_str_eq_nocase(one, value) : str_eq(one, value))
			return true;
		if (!comma)
			return false;
		left = config_trim((struct str){ comma + 1, left.size - one.size - 1 });
	}
	return false;
}

static bool check_one(const struct config_key *key, struct str value, struct arena *arena,
                      struct str *why)
{
	bool nocase = key->check.kind == CONFIG_CHECK_ONE_OF_NOCASE;

	if (value.data && is_allowed(key->check.allowed, value, nocase))
		return true;
	*why = arena_printf(
		arena, "Invalid value %.*s for configuration %s: String must be one of%s: %s",
		STR_ARG(value), key->name, nocase ? " (case insensitive)" : "", key->check.allowed);
	return false;
}

static bool check_items(const struct config_key *key, const struct config_value *v,
                        struct arena *arena, struct str *why)
{
	const char *allowed = key->check.allowed;

	if (v->item_count < key->check.low) {
		*why = arena_printf(arena,
		                    "Configuration '%s' must not be empty. Valid values include: "
		                    "%s%s%s",
		                    key->name, allowed ? "[" : "",
		                    allowed ? allowed : "any non-empty value", allowed ? "]" : "");
		return false;
	}
	for (uint32_t i = 0; i < v->item_count; i++) {
		if (!v->item[i].size) {
			*why = arena_printf(arena, "Configuration '%s' values must not be empty.",
			                    key->name);
			return false;
		}
		if (allowed && !check_one(key, v->item[i], arena, why))
			return false;
	}
	return true;
}

static bool is_replica(struct str s) /* ([0-9]+:[0-9]+)? */
{
	uint32_t i = 0;
	uint32_t colon;

	while (i < s.size && s.data[i] >= '0' && s.data[i] <= '9')
		i++;
	colon = i++;
	if (!s.size)
		return true;
	if (!colon || colon >= s.size || s.data[colon] != ':' || i >= s.size)
		return false;
	while (i < s.size && s.data[i] >= '0' && s.data[i] <= '9')
		i++;
	return i == s.size;
}

static bool check_throttled(const struct config_key *key, const struct config_value *v,
                            struct arena *arena, struct str *why)
{
	bool all = true;
	uint32_t stars = 0;
	uint32_t others = 0;

	for (uint32_t i = 0; i < v->item_count; i++) {
		all = all && is_replica(v->item[i]);
		stars += str_eq(v->item[i], STR("*"));
		others += v->item[i].size && !str_eq(v->item[i], STR("*"));
	}
	if (all || (stars == 1 && !others))
		return true;
	*why = arena_printf(
		arena,
		"Invalid value [%.*s] for configuration %s: %s must be the literal '*' or a "
		"list of replicas in the following format: "
		"[partitionId]:[brokerId],[partitionId]:[brokerId],...",
		STR_ARG(config_join((struct config_list){ v->item, v->item_count }, ", ", arena)),
		key->name, key->name);
	return false;
}

static bool check_offset_reset(const struct config_key *key, const struct config_value *v,
                               struct arena *arena, struct str *why)
{
	int kind;
	int64_t ms;

	if (config_parse_offset_reset(v->text, &kind, &ms))
		return true;
	*why = arena_printf(arena,
	                    "Invalid value %.*s for configuration %s: Invalid value `%.*s` for "
	                    "configuration %s. The value must be either 'earliest', 'latest' or of "
	                    "the format 'by_duration:<PnDTnHnMn.nS>'.",
	                    STR_ARG(v->text), key->name, STR_ARG(v->text), key->name);
	return false;
}

static bool check_value(const struct config_key *key, const struct config_value *v,
                        struct arena *arena, struct str *why)
{
	switch (key->check.kind) {
	case CONFIG_CHECK_RANGE:
	case CONFIG_CHECK_RANGE_OR:
		return check_range(key, v, arena, why);
	case CONFIG_CHECK_ONE_OF:
		if (key->type != CONFIG_TYPE_LIST)
			return check_one(key, v->text, arena, why);
		return check_items(key, v, arena, why);
	case CONFIG_CHECK_ITEMS:
		return check_items(key, v, arena, why);
	case CONFIG_CHECK_ONE_OF_NOCASE:
		return check_one(key, v->text, arena, why);
	case CONFIG_CHECK_NON_EMPTY:
		return v->text.size || refuse(key, v->text, arena, why, "String must be non-empty");
	case CONFIG_CHECK_THROTTLED:
		return check_throttled(key, v, arena, why);
	case CONFIG_CHECK_OFFSET_RESET:
		return check_offset_reset(key, v, arena, why);
	default:
		return true;
	}
}

/* ---- parsing ---- */

static bool parse_number(const struct config_key *key, struct str text, struct arena *arena,
                         struct config_value *ret)
{
	int64_t low = key->type == CONFIG_TYPE_SHORT ? INT16_MIN : INT32_MIN;
	int64_t high = key->type == CONFIG_TYPE_SHORT ? INT16_MAX : INT32_MAX;

	if (!config_parse_long(text, &ret->number) ||
	    (key->type != CONFIG_TYPE_LONG && (ret->number < low || ret->number > high)))
		return false;
	ret->real = (double)ret->number;
	ret->text = arena_printf(arena, "%lld", (long long)ret->number);
	return true;
}

struct str config_join(struct config_list list, const char *between, struct arena *arena)
{
	size_t gap = strlen(between);
	size_t size = 0;
	char *text;
	uint32_t used = 0;

	for (uint32_t i = 0; i < list.count; i++)
		size += list.item[i].size + gap;
	text = config_alloc(arena, size, 1);
	for (uint32_t i = 0; i < list.count; i++) {
		if (i)
			memcpy(text + used, between, gap);
		used += i ? (uint32_t)gap : 0;
		if (list.item[i].size)
			memcpy(text + used, list.item[i].data, list.item[i].size);
		used += list.item[i].size;
	}
	return (struct str){ text, used };
}

/* A list; equal items once where Kafka's check is for such lists. */
static void parse_list(const struct config_key *key, struct str text, struct arena *arena,
                       struct config_value *ret)
{
	uint32_t count;
	const struct str *item = config_split(text, arena, &count);
	struct str *kept = config_alloc(arena, count, sizeof(*kept));
	bool once = key->check.kind == CONFIG_CHECK_ITEMS || key->check.kind == CONFIG_CHECK_ONE_OF;

	for (uint32_t i = 0; i < count; i++) {
		bool seen = false;

		for (uint32_t j = 0; once && j < ret->item_count; j++)
			seen = seen || str_eq(kept[j], item[i]);
		if (!seen)
			kept[ret->item_count++] = item[i];
	}
	ret->item = kept;
	ret->text = config_join((struct config_list){ kept, ret->item_count }, ",", arena);
}

bool config_parse(const struct config_key *key, struct str raw, struct arena *arena,
                  struct config_value *ret, struct str *ret_why)
{
	struct str text = config_trim(raw);
	char why[40];

	*ret = (struct config_value){ .text = text };
	switch (key->type) {
	case CONFIG_TYPE_BOOLEAN:
		ret->number = config_str_eq_nocase(text, STR("true"));
		if (!ret->number && !config_str_eq_nocase(text, STR("false")))
			return refuse(key, raw, arena, ret_why,
			              "Expected value to be either true or false");
		ret->text = ret->number ? STR("true") : STR("false");
		break;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_SHORT:
	case CONFIG_TYPE_LONG:
		if (!parse_number(key, text, arena, ret)) {
			snprintf(why, sizeof(why), "Not a number of type %s",
			         config_type_name(key->type));
			return refuse(key, raw, arena, ret_why, why);
		}
		break;
	case CONFIG_TYPE_DOUBLE:
		if (!parse_double(text, &ret->real))
			return refuse(key, raw, arena, ret_why, "Not a number of type DOUBLE");
		ret->text = print_double(ret->real, arena);
		break;
	case CONFIG_TYPE_LIST:
		parse_list(key, text, arena, ret);
		break;
	default: /* the trimmed text, which is not null even when empty */
		if (!text.data)
			ret->text = STR("");
		break;
	}
	return check_value(key, ret, arena, ret_why);
}

void config_parse_default(const struct config_key *key, struct arena *arena,
                          struct config_value *ret)
{
	struct str why;

	*ret = (struct config_value){ 0 };
	if (key->default_text)
		check(config_parse(key, str_of(key->default_text), arena, ret, &why));
}

bool config_value_has(const struct config_value *v, struct str item)
{
	for (uint32_t i = 0; i < v->item_count; i++)
		if (str_eq(v->item[i], item))
			return true;
	return false;
}

void config_allowed(const struct config_key *key, struct buf *out)
{
	const struct config_check *c = &key->check;

	buf_printf(out, "%s", config_type_name(key->type));
	switch (c->kind) {
	case CONFIG_CHECK_RANGE:
		if (c->high == DBL_MAX)
			buf_printf(out, ", at least %.17g", c->low);
		else
			buf_printf(out, ", %.17g to %.17g", c->low, c->high);
		break;
	case CONFIG_CHECK_RANGE_OR:
		buf_printf(out, ", %.17g to %.17g, or -1", c->low, c->high);
		break;
	case CONFIG_CHECK_ONE_OF:
		buf_printf(out, key->type == CONFIG_TYPE_LIST ? " of: %s" : ", one of: %s",
		           c->allowed);
		break;
	case CONFIG_CHECK_ONE_OF_NOCASE:
		buf_printf(out, ", one of (in any case): %s", c->allowed);
		break;
	case CONFIG_CHECK_NON_EMPTY:
		buf_printf(out, ", not empty");
		break;
	case CONFIG_CHECK_ITEMS:
		if (c->low > 0)
			buf_printf(out, ", not empty");
		break;
	case CONFIG_CHECK_THROTTLED:
		buf_printf(out, " of partition:broker, or *");
		break;
	case CONFIG_CHECK_OFFSET_RESET:
		buf_printf(out, ": latest, earliest or by_duration:PnDTnHnMn.nS");
		break;
	default:
		if (key->type == CONFIG_TYPE_BOOLEAN)
			buf_printf(out, ", true or false");
		break;
	}
}
