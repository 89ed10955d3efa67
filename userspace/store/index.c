/* SPDX-License-Identifier: Apache-2.0 */
#include "log_private.h"

#include "base/mem.h"

void index_init(struct index *x, uint32_t entry_size)
{
	*x = (struct index){ .entry_size = entry_size };
}

void index_fini(struct index *x)
{
	while (x->first) {
		struct index_chunk *next = x->first->next;

		mem_free(x->first);
		x->first = next;
	}
	x->last = NULL;
}

uint32_t index_per_chunk(const struct index *x)
{
	return INDEX_CHUNK_BYTES / x->entry_size;
}

uint32_t index_count(const struct index *x)
{
	/* Acquire: the entries below it are complete. */
	return atomic_load_explicit(&x->count, memory_order_acquire);
}

void index_add(struct index *x, const void *entry)
{
	uint32_t count = atomic_load_explicit(&x->count, memory_order_relaxed);
	uint32_t at = count % index_per_chunk(x);

	if (!at) {
		struct index_chunk *chunk = mem_alloc(sizeof(*chunk));

		atomic_init(&chunk->next, NULL);
		if (x->last)
			atomic_store_explicit(&x->last->next, chunk, memory_order_release);
		else
			x->first = chunk; /* seen through count */
		x->last = chunk;
	}
	memcpy(x->last->data + at * x->entry_size, entry, x->entry_size);
	atomic_store_explicit(&x->count, count + 1, memory_order_release);
}

const uint8_t *index_at(const struct index *x, uint32_t i)
{
	const struct index_chunk *chunk = x->first;

	for (uint32_t n = i / index_per_chunk(x); n; n--)
		chunk = atomic_load_explicit(&chunk->next, memory_order_acquire);
	return chunk->data + i % index_per_chunk(x) * x->entry_size;
}

void index_cut(struct index *x, uint32_t count)
{
	struct index_chunk *chunk = x->first;
	struct index_chunk *next;

	if (count >= index_count(x))
		return;
	atomic_store_explicit(&x->count, count, memory_order_relaxed);
	if (x->written > count)
		x->written = count;
	if (!count) {
		uint32_t entry_size = x->entry_size;

		index_fini(x);
		index_init(x, entry_size);
		return;
	}
	for (uint32_t n = (count - 1) / index_per_chunk(x); n; n--)
		chunk = atomic_load_explicit(&chunk->next, memory_order_relaxed);
	x->last = chunk;
	next = atomic_exchange_explicit(&chunk->next, NULL, memory_order_relaxed);
	while (next) {
		chunk = next;
		next = atomic_load_explicit(&chunk->next, memory_order_relaxed);
		mem_free(chunk);
	}
}
