/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_API_H
#define BROKER_API_H

#include "broker/call.h"

/* The handlers that there are, one of each API: userspace/broker/api/NOUN.c. */
void api_api_versions(struct call *call);

#endif
