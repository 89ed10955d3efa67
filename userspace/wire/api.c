/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/api.h"

#include "wire/api_table.h"

const struct wire_api *wire_api_find(int16_t key)
{
	size_t low = 0;
	size_t high = wire_api_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (wire_apis[middle].key == key)
			return &wire_apis[middle];
		if (wire_apis[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

int16_t wire_request_header_version(const struct wire_api *api, int16_t version)
{
	return version >= api->request->flexible ? 2 : 1;
}

/* KIP-511: who asks for ApiVersions does not know yet what we speak. */
int16_t wire_response_header_version(const struct wire_api *api, int16_t version)
{
	if (api->key == API_API_VERSIONS)
		return 0;
	return version >= api->response->flexible ? 1 : 0;
}
