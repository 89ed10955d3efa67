/* SPDX-License-Identifier: Apache-2.0 */
#include "core/topic_name.h"

static bool is_legal(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       c == '.' || c == '_' || c == '-';
}

static bool has_only_legal(struct str name)
{
	for (uint32_t i = 0; i < name.size; i++)
		if (!is_legal(name.data[i]))
			return false;
	return true;
}

/* Java counts UTF-16 units: two for what takes four bytes in UTF-8, else one a character. */
static uint32_t length_of(struct str name)
{
	uint32_t length = 0;

	for (uint32_t i = 0; i < name.size; i++) {
		uint8_t c = (uint8_t)name.data[i];

		length += (c & 0xc0) != 0x80;
		length += c >= 0xf0;
	}
	return length;
}

bool topic_name_is_valid(struct str name)
{
	return name.size && name.size <= TOPIC_NAME_MAX && has_only_legal(name) &&
	       !str_eq(name, STR(".")) && !str_eq(name, STR(".."));
}

struct str topic_name_error(struct arena *arena, struct str name)
{
	if (topic_name_is_valid(name))
		return (struct str){ NULL, 0 };
	if (!name.size)
		return STR("Topic name is invalid: the empty string is not allowed");
	if (str_eq(name, STR(".")))
		return STR("Topic name is invalid: '.' is not allowed");
	if (str_eq(name, STR("..")))
		return STR("Topic name is invalid: '..' is not allowed");
	if (length_of(name) > TOPIC_NAME_MAX)
		return arena_printf(arena,
		                    "Topic name is invalid: the length of '%.*s' is longer than "
		                    "the max allowed length %d",
		                    STR_ARG(name), TOPIC_NAME_MAX);
	return arena_printf(arena,
	                    "Topic name is invalid: '%.*s' contains one or more characters other "
	                    "than ASCII alphanumerics, '.', '_' and '-'",
	                    STR_ARG(name));
}

bool topic_name_is_internal(struct str name)
{
	return str_eq(name, STR(TOPIC_CONSUMER_OFFSETS)) ||
	       str_eq(name, STR(TOPIC_TRANSACTION_STATE)) ||
	       str_eq(name, STR(TOPIC_SHARE_GROUP_STATE));
}

bool topic_name_has_collision_chars(struct str name)
{
	for (uint32_t i = 0; i < name.size; i++)
		if (name.data[i] == '.' || name.data[i] == '_')
			return true;
	return false;
}

void topic_name_unify(struct str name, char *out)
{
	for (uint32_t i = 0; i < name.size; i++)
		out[i] = name.data[i] == '.' ? '_' : name.data[i];
}
