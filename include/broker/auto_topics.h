/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_AUTO_TOPICS_H
#define BROKER_AUTO_TOPICS_H

#include <stdint.h>

#include "base/str.h"

/*
 * Topics that are made because somebody asked about them (kafka.server.AutoTopicCreationManager):
 * with the broker's defaults, those of the coordinators with their own configs.  Nobody waits: who
 * asks again finds the topic.  Reactor 0 knows which are asked for already.
 */
struct auto_topics;
struct broker;

struct auto_topics *auto_topics_new(const struct broker *broker); /* before reactors_run() */
void auto_topics_free(struct auto_topics *a);                     /* reactors stopped */

/*
 * reactor.  Valid names of topics that are not there; copied.  What is beyond LIMIT_AUTO_TOPICS
 * under way is forgotten: it will be asked for again.
 */
void auto_topics_create(struct auto_topics *a, const struct str *name, uint32_t count,
                        struct str principal);

#endif
