/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_METADATA_H
#define BROKER_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/uuid.h"
#include "core/controller.h"
#include "core/image.h"
#include "io/file.h"
#include "store/log.h"

/*
 * The metadata partition of this node: the log `__cluster_metadata-0` with raft and the controller
 * attached, the published image, this broker's registration and heartbeats.
 *
 *	metadata_open()    worker: formats an empty directory, loads snapshot and log
 *	metadata_start()   reactor 0: leads, registers, heartbeats; `ready` when the image is
 *committed metadata_unfence() reactor 0: the broker serves its partitions metadata_stop() reactor
 *0: controlled shutdown metadata_close()   worker
 */
struct metadata;

struct metadata_listener {
	struct str name;
	struct str host;
	uint16_t port;
	int16_t security_protocol;
};

struct metadata_options {
	struct dir *dir;            /* metadata.log.dir, open and locked */
	enum log_recovery recovery; /* of that directory */
	struct log_config log;
	int32_t node_id;
	struct str cluster_id; /* to format with, data NULL: a random one */
	struct str rack;
	const struct metadata_listener *listener; /* advertised, of the broker */
	uint32_t listener_count;
	const struct metadata_listener *controller; /* listeners of the controller; at least one */
	uint32_t controller_count;
	const struct uuid *log_dir; /* directory ids of all log directories */
	uint32_t log_dir_count;
	int64_t previous_broker_epoch; /* of the clean shutdown file; -1: none */

	struct controller_config_rules rules;
	int32_t default_partition_count;
	int16_t default_replication_factor;
	int32_t default_min_isr;
	uint32_t session_timeout_ms;    /* broker.session.timeout.ms */
	uint32_t heartbeat_interval_ms; /* broker.heartbeat.interval.ms */
	uint32_t idle_interval_ms;      /* metadata.max.idle.interval.ms */
	uint32_t imbalance_check_ms;    /* 0: auto.leader.rebalance.enable=false */
	uint64_t snapshot_bytes;        /* metadata.log.max.record.bytes.between.snapshots */
	uint64_t snapshot_interval_ms;  /* metadata.log.max.snapshot.interval.ms */
	uint64_t retention_bytes;       /* metadata.max.retention.bytes */
	uint64_t retention_ms;          /* metadata.max.retention.ms */

	/* reactor 0: everything in the log is committed and in metadata_image(); the broker is
	   registered and fenced. */
	void (*ready)(void *arg);
	/*
	 * In the turn that publishes `new` and before anybody sees it, on whichever reactor that
	 * is, once before ready() (old is an empty image) and then in order; both may be kept with
	 * image_get(), never longer than the call otherwise.
	 */
	void (*changed)(void *arg, const struct image *old, const struct image *new);
	/* reactor 0: the controller unfenced the broker. */
	void (*unfenced)(void *arg);
	void *arg;
};

struct metadata_error {
	char text[240];
};

/*
 * worker.  0; -EBADMSG: what is there cannot be followed; -EINVAL: made for another node or
 * cluster; -errno.  `why` then has a sentence for the operator.  Options are copied; what they
 * point to stays until metadata_close().
 */
int metadata_open(const struct metadata_options *options, struct metadata **ret,
                  struct metadata_error *why) must_check;
/* Registers with these (the log directories are known only after recovery): before start. */
void metadata_start(struct metadata *m);   /* reactor 0 */
void metadata_unfence(struct metadata *m); /* reactor 0; unfenced() follows */
/*
 * reactor 0.  Controlled shutdown: partitions get their last leader epoch of this life, then
 * stopped(arg), at the latest after timeout_ms; 0: at once, and nobody is asked.
 */
void metadata_stop(struct metadata *m, uint64_t timeout_ms, void (*stopped)(void *arg), void *arg);
int metadata_close(struct metadata *m, bool clean) must_check; /* worker; reactors stopped or not */

/* ---- what everybody asks ---- */

/* reactor: the newest committed image, until the end of the turn; image_get() keeps it. */
const struct image *metadata_image(const struct metadata *m);
struct str metadata_cluster_id(const struct metadata *m);    /* any */
struct uuid metadata_directory_id(const struct metadata *m); /* any; of `dir` */
int64_t metadata_broker_epoch(const struct metadata *m);     /* any; -1 before registration */
/* The id of the active controller; -1 while there is none.  any */
int32_t metadata_controller_id(const struct metadata *m);
int32_t metadata_node_id(const struct metadata *m); /* any */

struct metadata_quorum { /* DescribeQuorum; a snapshot, any */
	int32_t leader_id;
	int32_t leader_epoch;
	int64_t high_watermark;
	int64_t log_end_offset;
	int64_t last_fetch_ms; /* of the leader itself: now */
	uint16_t kraft_version;
	uint32_t voter_count;
	const struct raft_voter *voter;
};
void metadata_quorum(const struct metadata *m, struct metadata_quorum *ret);

#endif
