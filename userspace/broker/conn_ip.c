/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "conn_private.h"

/*
 * Connections of each address, counted without a lock: an entry belongs to the hash of the first
 * address that took it, for as long as the table lives.  Addresses that find no entry are not
 * limited: there are more of them than the broker may have connections.
 */
enum { ENTRIES = 1 << 14, PROBES = 64 };

struct ip_entry {
	_Atomic(uint64_t) hash; /* 0: free */
	_Atomic(uint32_t) count;
};

struct ip_table {
	struct ip_entry entry[ENTRIES];
	struct ip_entry unlimited;
};

struct ip_table *ip_table_new(void)
{
	return mem_zalloc(sizeof(struct ip_table));
}

void ip_table_free(struct ip_table *t)
{
	mem_free(t);
}

static struct ip_entry *find(struct ip_table *t, uint64_t hash)
{
	for (uint64_t i = 0; i < PROBES; i++) {
		struct ip_entry *e = &t->entry[(hash + i) % ENTRIES];
		uint64_t seen = 0;

		if (atomic_compare_exchange_strong(&e->hash, &seen, hash) || seen == hash)
			return e;
	}
	return &t->unlimited;
}

void *ip_enter(struct ip_table *t, const char *host, uint32_t max)
{
	struct ip_entry *e = find(t, hash_bytes(host, strlen(host)) | 1);

	if (atomic_fetch_add(&e->count, 1) < max || e == &t->unlimited)
		return e;
	atomic_fetch_sub(&e->count, 1);
	return NULL;
}

void ip_leave(void *entry)
{
	struct ip_entry *e = entry;

	if (e)
		atomic_fetch_sub(&e->count, 1);
}
