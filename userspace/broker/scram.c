/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"
#include "core/image.h"

static void hmac(const EVP_MD *md, struct span key, struct str text, uint8_t *ret)
{
	unsigned int size = 0;

	check(key.size <= INT32_MAX);
	check(HMAC(md, key.data, (int)key.size, (const unsigned char *)text.data, text.size, ret,
	           &size));
}

void scram_keys(int8_t mechanism, struct span salted, struct controller_scram_keys *ret)
{
	const EVP_MD *md = mechanism == IMAGE_SCRAM_SHA_256 ? EVP_sha256() : EVP_sha512();
	uint8_t client_key[EVP_MAX_MD_SIZE];

	ret->size = (uint32_t)EVP_MD_size(md);
	hmac(md, salted, STR("Client Key"), client_key);
	check(EVP_Digest(client_key, ret->size, ret->stored_key, NULL, md, NULL) == 1);
	hmac(md, salted, STR("Server Key"), ret->server_key);
}
