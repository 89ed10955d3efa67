/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/limits.h"

#include "base/check.h"
#include "broker/exporter.h"
#include "io/strand.h"

static const struct limit limits[] = {
	{ "connections", "sockets", "max.connections", "a new one is closed at once" },
	{ "connections of an address", "sockets", "max.connections.per.ip",
	  "a new one is closed at once" },
	{ "request", "bytes", "socket.request.max.bytes", "the connection is closed" },
	{ "requests larger than 256 KiB being received", "bytes of all connections",
	  "queued.max.request.bytes",
	  "reading stops until there is room; who stalls for 5 s meanwhile is closed" },
	{ "requests being answered", "calls of a connection", "1, or 5 of Produce",
	  "reading stops" },
	{ "request read ahead", "bytes of a connection", "256 KiB", "reading stops" },
	{ "structures of a request", "bytes of a call", "64 KiB and 32 times the request",
	  "the connection is closed" },
	{ "structures of an answer", "bytes of a call", "512 MiB", "the handler answers an error" },
	{ "answers not yet sent", "bytes of a connection", "64 KiB and the answers that pass it",
	  "reading stops; closed after connections.max.idle.ms without progress" },
	{ "topics being created because Metadata was asked for them", "topics", "1000",
	  "the client asks again, as it does anyway" },
	{ "batches decompressed by workers", "batches of a reactor", "4",
	  "the others wait in line, and their requests with them" },
	{ "scrapers of metrics", "sockets", "16", "a new one is closed at once" },
	{ "request for metrics", "bytes", "8 KiB, within 10 s", "the connection is closed" },
	{ "committed offsets told of in metrics", "offsets of a scrape", "100000",
	  "the rest is left out, and a comment says so" },
	{ "fetch sessions", "sessions", "max.incremental.fetch.session.cache.slots",
	  "an old one makes room, or the client is served without a session" },
	{ "partitions of fetch sessions", "partitions of a reactor", "500000",
	  "the client is served without a session" },
	{ "run of a partition", "items, bytes, time", "64, 256 KiB, 200 us",
	  "the rest waits for the next run, behind other partitions" },
	{ "unwritten log data", "bytes of a directory", "dirty budget of the directory",
	  "appends wait for the directory's writer" },
};

_Static_assert(EXPORTER_CONNECTIONS == 16 && EXPORTER_REQUEST_BYTES == 8192 &&
                       EXPORTER_REQUEST_MS == 10000 && EXPORTER_OFFSETS == 100000,
               "as the table says");
_Static_assert(LIMIT_FETCH_PARTITIONS == 500000, "as the table says");
_Static_assert(STRAND_RUN_ITEMS == 64 && STRAND_RUN_BYTES == 256 * 1024 && STRAND_RUN_US == 200,
               "as the table says");

const struct limit *limits_table(size_t *ret_count)
{
	*ret_count = array_count(limits);
	return limits;
}

void limits_document(struct buf *out)
{
	buf_printf(out, "| Queue | Unit | Bound | When it is full |\n|--|--|--|--|\n");
	for (size_t i = 0; i < array_count(limits); i++)
		buf_printf(out, "| %s | %s | %s | %s |\n", limits[i].name, limits[i].unit,
		           limits[i].bound, limits[i].when_full);
}
