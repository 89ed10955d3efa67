/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_SCRAM_H
#define BROKER_SCRAM_H

#include "core/controller.h"

/*
 * RFC 5802: StoredKey = H(HMAC(salted, "Client Key")), ServerKey = HMAC(salted, "Server Key").  For
 * the controller's options; any thread.  mechanism: IMAGE_SCRAM_SHA_256 or _512.
 */
void scram_keys(int8_t mechanism, struct span salted, struct controller_scram_keys *ret);

#endif
