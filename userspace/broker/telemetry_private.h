/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TELEMETRY_PRIVATE_H
#define TELEMETRY_PRIVATE_H

#include "broker/telemetry.h"

enum { TELEMETRY_INTERVAL_MS = 5 * 60 * 1000 }; /* where nobody says otherwise */

/* What a client's match rules look at. */
enum client_attribute {
	CLIENT_INSTANCE_ID,
	CLIENT_ID,
	CLIENT_SOFTWARE_NAME,
	CLIENT_SOFTWARE_VERSION,
	CLIENT_SOURCE_ADDRESS,
	CLIENT_SOURCE_PORT,
	CLIENT_ATTRIBUTES,
};

/* All subscriptions of an image; immutable, counted. */
struct subscriptions;

struct subscriptions *subscriptions_of(const struct image *image);
void subscriptions_put(struct subscriptions *s); /* NULL is fine */
/* Who matches several gets all of their metrics, at the shortest interval. */
struct telemetry_metrics *subscriptions_match(const struct subscriptions *s,
                                              const struct str attribute[CLIENT_ATTRIBUTES],
                                              int32_t *ret_interval_ms);

#endif
