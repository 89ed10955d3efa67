/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"

void *mem_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	check(p);
	return p;
}

void *mem_zalloc(size_t size)
{
	return mem_array(1, size);
}

void *mem_array(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	check(p);
	return p;
}

void *mem_realloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	check(p);
	return p;
}

void *mem_dup(const void *p, size_t size)
{
	void *copy = mem_alloc(size);

	if (size)
		memcpy(copy, p, size);
	return copy;
}

void mem_free(void *p)
{
	free(p);
}

void *mem_grow(void *array, size_t count, size_t *capacity, size_t size)
{
	size_t room = *capacity ? *capacity : 8;

	if (count < *capacity)
		return array;
	while (room <= count)
		room *= 2;
	check(room <= SIZE_MAX / size);
	*capacity = room;
	return mem_realloc(array, room * size);
}

char *str_dup(struct str s)
{
	char *copy = mem_alloc((size_t)s.size + 1);

	if (s.size)
		memcpy(copy, s.data, s.size);
	copy[s.size] = '\0';
	return copy;
}
