/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COORDINATOR_PRIVATE_H
#define COORDINATOR_PRIVATE_H

#include "broker/coordinator.h"

enum {
	COORDINATOR_BATCH_BYTES = 128 * 1024,
	/* Records of the log that are appended again when so many are dead for each that lives. */
	COORDINATOR_DEAD_MIN = 20000,
	COORDINATOR_DEAD_FACTOR = 4,
};

enum coordinator_state { COORDINATOR_NONE, COORDINATOR_LOADING, COORDINATOR_ACTIVE };

struct coordinator {
	struct partition_attachment attachment;
	struct partition *part; /* whose it is: no reference */
	const struct coordinator_ops *ops;
	void *arg;

	/* ---- strand ---- */
	enum coordinator_state state;
	void *machine;
	uint64_t life; /* of the machine: rises when it is dropped */
	bool has_failed;
	bool is_reloading;
	struct work reload_work;
	uint64_t appended; /* batches so far, and those of them that are committed */
	uint64_t committed;
	struct list parked; /* requests that the machine has not answered */
	struct list owed;   /* answered, not given yet: by `wait` */
	int64_t log_start;
	int64_t log_end;
	bool is_compacting;
	int64_t compacted_from; /* first offset of the records that were appended again; -1 */
	struct work tick_work;
	uint64_t armed_ms; /* UINT64_MAX: nothing is */

	/* ---- reactor 0 ---- */
	_Atomic(uint64_t) wanted_ms; /* on its way to the timer */
	_Atomic(bool) tick_posted;
	struct mail arm_mail;
	struct timer timer;
	bool is_stopped; /* the timer is never armed again */
};

struct coordinator_batch;
void coordinator_only_appended(struct coordinator_batch *b);

/* strand: after each step */
void coordinator_stepped(struct coordinator *c);
/* strand: from NONE to LOADING; coordinator_load.c */
void coordinator_load(struct coordinator *c);

#endif
