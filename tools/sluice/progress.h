/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROGRESS_H
#define SLUICE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One line on standard error that says how far it is, for somebody who waits: only where standard
 * error is a terminal, and only after a moment.  cli_say() clears it.
 */
struct progress {
	bool is_on;
	int64_t start_ms;
	int64_t next_ms;
};

/* `stream` carries the records: a terminal there shows enough by itself. */
void progress_start(struct progress *p, int stream);
/* total < 0: not known. */
void progress_step(struct progress *p, int64_t records, int64_t total);
void progress_clear(void);

#endif
