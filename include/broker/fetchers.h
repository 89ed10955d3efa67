/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_FETCHERS_H
#define BROKER_FETCHERS_H

/* The fetch sessions of every reactor (KIP-227): userspace/broker/api/fetch_sessions.c. */
struct broker;
struct fetchers;

struct fetchers *fetchers_new(struct broker *broker); /* after reactors_open() */
void fetchers_free(struct fetchers *f);               /* reactors stopped, partitions still there */

#endif
