/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * A borrowed string: bytes and a size, not terminated.  A decoded one points into
 * the frame it came from and lives as long as that does.  Not trusted to be UTF-8.
 */
struct str {
	const char *data; /* NULL means the wire's null, not "" */
	uint32_t size;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s)   ((int)(s).size), ((s).data ? (s).data : "")

static inline struct str str_of(const char *text)
{
	return (struct str){ text, text ? (uint32_t)strlen(text) : 0 };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.size == b.size && (!a.size || !memcmp(a.data, b.data, a.size));
}

static inline int str_cmp(struct str a, struct str b)
{
	uint32_t common = a.size < b.size ? a.size : b.size;
	int order = common ? memcmp(a.data, b.data, common) : 0;

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static inline bool str_starts(struct str s, struct str prefix)
{
	return s.size >= prefix.size && (!prefix.size || !memcmp(s.data, prefix.data, prefix.size));
}

/* A terminated copy, owned by the caller (mem_free). */
char *str_dup(struct str s);

#endif
