/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FEATURE_H
#define CORE_FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * The features of Apache Kafka 4.3 and the levels of them that we follow (Kafka: the enums that
 * implement FeatureVersion; KIP-584, KIP-1022).  metadata.version is one of them; kraft.version
 * is, too, but lives in the quorum's control records and not in the image.
 */
#define FEATURE_METADATA_VERSION "metadata.version"
#define FEATURE_KRAFT_VERSION    "kraft.version"
#define FEATURE_ELR_VERSION      "eligible.leader.replicas.version"

struct feature {
	struct str name;
	int16_t min;
	int16_t max;
};

/* All of them in byte order of name; *ret_count of them. */
const struct feature *feature_table(size_t *ret_count);
const struct feature *feature_find(struct str name); /* NULL: unknown to Kafka 4.3 */

/* The level that a cluster formatted at a metadata.version starts with. */
int16_t feature_default_level(const struct feature *f, int16_t metadata_version);
/* The metadata.version a level depends on; 0: none. */
int16_t feature_depends_on(const struct feature *f, int16_t level);

#endif
