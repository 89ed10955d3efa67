/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_WORK_H
#define IO_WORK_H

#include "io/reactor.h"

/*
 * A job on a worker thread: run() may block, use the CPU for long and call every `worker` function;
 * then done() runs on the reactor that submitted it (reactor 0 when a worker submitted).  Jobs of
 * one lane start in the order of submission.  The submitter keeps the job still until done() began.
 */
enum work_lane {
	WORK_FAST, /* milliseconds: decompression, cold reads */
	WORK_SLOW, /* directory creation, recovery, deletion, snapshots */
	WORK_LANES,
};

struct job {
	struct mail mail; /* io's own */
	int home;         /* io's own */
	void (*run)(struct job *self);
	void (*done)(struct job *self); /* may be NULL only when run() frees the job */
};

void work_submit(enum work_lane lane, struct job *job); /* any */

#endif
