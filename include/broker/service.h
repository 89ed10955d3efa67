/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_SERVICE_H
#define BROKER_SERVICE_H

/*
 * What a service manager is told of the broker's life (io/notify.h): that it is ready, which logs
 * are still to be opened, that it stops; and, where a watchdog waits for it, that every reactor
 * still turns.  Without a manager nothing happens.
 */
struct service;
struct broker;

struct service *service_new(struct broker *broker); /* after reactors_open() */
void service_start(struct service *s);              /* reactor 0, once */
void service_ready(struct service *s);              /* reactor 0; clients can connect */
void service_stopping(struct service *s);           /* reactor 0 */
void service_free(struct service *s);               /* reactors stopped; NULL is fine */

#endif
