/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/*
 * Control-plane memory: never NULL.  Sizes that a peer chose are bounded before
 * they come here, so running out means the machine is out: the broker stops and
 * says so rather than go on with half a state.
 */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull)); /* zeroed */
void *mem_realloc(void *p, size_t size) __attribute__((returns_nonnull));
void *mem_dup(const void *p, size_t size) __attribute__((returns_nonnull));
void mem_free(void *p); /* NULL is fine */

/* Grows an array of `size`-byte elements so that index `count` is valid. */
void *mem_grow(void *array, size_t count, size_t *capacity, size_t size)
	__attribute__((returns_nonnull));

#endif
