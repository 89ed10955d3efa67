/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_NOTIFY_H
#define IO_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The service manager that started us, if one did (systemd: sd_notify(3), sd-daemon(3)).
 */

/* any.  Assignments, a line each: "READY=1\nSTATUS=..."; dropped where nobody listens. */
void notify_send(const char *text);
/* any.  How often "WATCHDOG=1" is expected at the least; 0: it is not. */
uint64_t notify_watchdog_ms(void);
/* any.  Standard error is the journal: a line may begin with its priority, "<4>". */
bool notify_is_journal(void);

#endif
