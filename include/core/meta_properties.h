/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_META_PROPERTIES_H
#define CORE_META_PROPERTIES_H

#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"
#include "base/uuid.h"

/*
 * The file `meta.properties` of a log directory (Kafka: MetaProperties, PropertiesUtils), a Java
 * properties file:
 *
 *	#
 *	#Tue Nov 24 15:48:45 UTC 2026
 *	node.id=1
 *	directory.id=siJWXv08T0S7HXgVi1z91w
 *	version=1
 *	cluster.id=MkU3OEVBNTcwNTJENDM2Qg
 */
struct meta_properties {
	struct str cluster_id; /* decoded: points into the text */
	int32_t node_id;
	struct uuid directory_id; /* zero: not there (written before Kafka 3.7) */
};

void meta_properties_encode(const struct meta_properties *m, int64_t wall_ms, struct buf *out);
/* 0 or -EBADMSG: a wrong line, an unknown version, no cluster id or node id. */
int meta_properties_decode(struct str text, struct meta_properties *ret) must_check;

#endif
