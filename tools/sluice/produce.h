/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PRODUCE_H
#define SLUICE_PRODUCE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "cli.h"

/* A record as it is to be sent; data NULL is null. */
struct record {
	struct span key;
	struct span value;
	int32_t partition;           /* -1: as the key says */
	int64_t timestamp;           /* 0: now */
	rd_kafka_headers_t *headers; /* NULL: none; the record's own */
};

/*
 * One line as `sluice consume --format json` prints it; what it does not say stays in *ret.  NULL,
 * or what is wrong with it.  Bytes in *ret are the arena's.
 */
const char *produce_parse_json(struct str line, struct arena *arena, struct record *ret);

#endif
