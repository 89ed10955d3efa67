/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "produce.h"

/* A string, null, or any other JSON, which is taken as it stands; or bytes in NAME_base64. */
static const char *bytes_of(const struct json *of, const char *name, struct arena *arena,
                            struct span *ret)
{
	const struct json *plain = json_get(of, name);
	const struct json *coded = json_get(of, arena_printf(arena, "%s_base64", name).data);

	if (plain && coded)
		return "bytes as text and as base64";
	if (coded) {
		if (coded->type != JSON_STRING || !json_base64(coded->string, arena, ret))
			return "bytes that are no base64";
		return NULL;
	}
	if (!plain)
		return NULL;
	if (plain->type == JSON_NULL)
		*ret = (struct span){ 0 };
	else if (plain->type == JSON_STRING)
		*ret = (struct span){ (const uint8_t *)plain->string.data, plain->string.size };
	else
		*ret = (struct span){ (const uint8_t *)plain->text.data, plain->text.size };
	return NULL;
}

static const char *add_header(const struct json *h, struct arena *arena, struct record *r)
{
	const struct json *name = json_get(h, "name");
	struct span value = { 0 };
	const char *why = bytes_of(h, "value", arena, &value);

	if (why)
		return why;
	if (!name || name->type != JSON_STRING)
		return "a header without a name";
	if (!r->headers)
		r->headers = rd_kafka_headers_new(8);
	rd_kafka_header_add(r->headers, name->string.data, (ssize_t)name->string.size, value.data,
	                    (ssize_t)value.size);
	return NULL;
}

static const char *add_headers(const struct json *line, struct arena *arena, struct record *r)
{
	const struct json *list = json_get(line, "headers");
	const char *why = NULL;

	if (!list || list->type == JSON_NULL)
		return NULL;
	if (list->type != JSON_LIST)
		return "headers are a list of {\"name\", \"value\"}";
	for (const struct json *h = list->child; h && !why; h = h->next)
		why = add_header(h, arena, r);
	return why;
}

static const char *number_of(const struct json *line, const char *name, int64_t *ret)
{
	const struct json *j = json_get(line, name);
	int64_t number;

	if (!j || j->type == JSON_NULL)
		return NULL;
	if (!json_number(j, &number) || number < -1)
		return "a partition or timestamp that is no whole number";
	/* -1 is how one says that it is not known. */
	if (number >= 0)
		*ret = number;
	return NULL;
}

const char *produce_parse_json(struct str line, struct arena *arena, struct record *ret)
{
	int64_t partition = ret->partition;
	const char *why;
	const struct json *j = json_parse(line, arena, &why);

	if (!j)
		return why;
	if (j->type != JSON_OBJECT)
		return "an object is wanted";
	why = bytes_of(j, "key", arena, &ret->key);
	if (!why)
		why = bytes_of(j, "value", arena, &ret->value);
	if (!why)
		why = number_of(j, "timestamp", &ret->timestamp);
	if (!why)
		why = number_of(j, "partition", &partition);
	if (!why && partition > INT32_MAX)
		why = "a partition that cannot be";
	if (!why)
		why = add_headers(j, arena, ret);
	ret->partition = (int32_t)partition;
	return why;
}
