/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DESCRIBE_H
#define CORE_DESCRIBE_H

#include "base/arena.h"
#include "core/image.h"
#include "core/raft.h"
#include "wire/describe_client_quotas.h"
#include "wire/describe_cluster.h"
#include "wire/describe_quorum.h"
#include "wire/describe_topic_partitions.h"
#include "wire/describe_user_scram_credentials.h"
#include "wire/list_config_resources.h"
#include "wire/metadata.h"

/*
 * Answers that are read off an image (Kafka: KRaftMetadataCache, AuthHelper, RaftUtil).  Each
 * initialises the response; lists are in the arena, texts and replica lists borrowed from image and
 * request, so the response is to be encoded before the image may go.  A limit of the arena that is
 * reached is WIRE_UNKNOWN_SERVER_ERROR.
 */
struct describe {
	const struct image *image;
	struct arena *arena;
	struct str listener; /* the one the request came in by */
};

/* A broker that the listener reaches, fenced ones too; NULL: no such. */
const struct image_endpoint *describe_endpoint(const struct describe *d, int32_t broker_id);
/* Its id, or -1 where the broker is unknown or has no such listener. */
int32_t describe_leader(const struct describe *d, const struct image_partition *p);
/* Replicas whose broker or directory is away. */
struct image_ids describe_offline_replicas(const struct describe *d,
                                           const struct image_partition *p);

/* Metadata, piece by piece; false: memory is out. */
bool describe_metadata_partition(const struct describe *d, int16_t version,
                                 const struct image_partition *p,
                                 struct metadata_response_response_partition *ret);
/* Those that are alive and that the listener reaches. */
bool describe_metadata_brokers(const struct describe *d, struct metadata_response *ret);

/* WIRE_NONE, or INVALID_REQUEST for the whole request. */
int16_t describe_topic_partitions(const struct describe *d, int32_t partition_limit_max,
                                  const struct describe_topic_partitions_request *request,
                                  struct describe_topic_partitions_response *ret);

enum describe_endpoint_type { DESCRIBE_BROKERS = 1, DESCRIBE_CONTROLLERS = 2 };

/* `expected` is what this listener is for; controller_id -1: unknown. */
void describe_cluster(const struct describe *d, enum describe_endpoint_type expected,
                      int16_t version, struct str cluster_id, int32_t controller_id,
                      int32_t authorized_operations, const struct describe_cluster_request *request,
                      struct describe_cluster_response *ret);

struct describe_leader {
	int32_t leader_id;
	int32_t leader_epoch;
	int64_t high_watermark;
	int64_t log_end_offset;
	int64_t now_ms;
	const struct raft_voter *voter;
	uint32_t voter_count;
};
void describe_quorum(struct arena *arena, int16_t version, const struct describe_leader *leader,
                     const struct describe_quorum_request *request,
                     struct describe_quorum_response *ret);

void list_config_resources(const struct describe *d, int16_t version,
                           const struct list_config_resources_request *request,
                           struct list_config_resources_response *ret);

/* DescribeClientQuotas: who matches all of the filter; errors in the words of Kafka. */
void describe_client_quotas(const struct describe *d,
                            const struct describe_client_quotas_request *request,
                            struct describe_client_quotas_response *ret);

/* Mechanisms and iterations of users; of all of them where none is named. */
void describe_scram(const struct describe *d,
                    const struct describe_user_scram_credentials_request *request,
                    struct describe_user_scram_credentials_response *ret);

#endif
