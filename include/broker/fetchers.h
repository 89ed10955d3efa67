/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_FETCHERS_H
#define BROKER_FETCHERS_H

/*
 * The fetch sessions of every reactor (kafka.server.FetchSessionCache): each reactor has its own
 * and their share of max.incremental.fetch.session.cache.slots.  A session is found only where it
 * was made; a client that comes back elsewhere makes a new one.
 */
struct fetchers;
struct broker;

struct fetchers *fetchers_new(struct broker *broker); /* after reactors_open() */
void fetchers_free(struct fetchers *f);               /* reactors stopped, partitions still there */

#endif
