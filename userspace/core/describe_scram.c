/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/describe.h"
#include "wire/errors.h"

/* Users with SCRAM credentials, never the credentials (Kafka: ScramImage.describe). */

struct wanted {
	struct str user;
	uint32_t count; /* in the request */
};

static int wanted_order(const void *a, const void *b)
{
	return str_cmp(((const struct wanted *)a)->user, ((const struct wanted *)b)->user);
}

/* Users by name, each once. */
static bool gather(const struct describe *d,
                   const struct describe_user_scram_credentials_request *r, struct wanted **ret,
                   uint32_t *ret_count)
{
	bool all = !r->users_count;
	size_t max = all ? d->image->scram.count : r->users_count;
	struct wanted *w = arena_array(d->arena, max + 1, sizeof(*w));
	struct pmap_iter it;
	uint32_t count = 0;
	uint32_t kept = 0;

	if (!w)
		return false;
	if (all)
		pmap_each(it, &d->image->scram) w[count++] =
			(struct wanted){ image_value_of(struct image_scram, it.entry)->user, 1 };
	for (uint32_t i = 0; i < r->users_count; i++)
		w[count++] = (struct wanted){ r->users[i].name, 1 };
	qsort(w, count, sizeof(*w), wanted_order);
	for (uint32_t i = 0; i < count; i++) {
		if (!kept || !str_eq(w[kept - 1].user, w[i].user))
			w[kept++] = w[i];
		else if (!all)
			w[kept - 1].count++;
	}
	*ret = w;
	*ret_count = kept;
	return true;
}

static bool fill_user(const struct describe *d, const struct wanted *w,
                      struct describe_user_scram_credentials_response_result *ret)
{
	*ret = (struct describe_user_scram_credentials_response_result){
		.user = w->user,
		.error_message = STR(""),
	};
	if (w->count > 1) {
		ret->error_code = WIRE_DUPLICATE_RESOURCE;
		ret->error_message = arena_printf(d->arena,
		                                  "Cannot describe SCRAM credentials for the same "
		                                  "user twice in a single request: %.*s",
		                                  STR_ARG(w->user));
		return true;
	}
	ret->credential_infos =
		arena_array(d->arena, IMAGE_SCRAM_SHA_512, sizeof(*ret->credential_infos));
	if (!ret->credential_infos)
		return false;
	for (int8_t m = IMAGE_SCRAM_SHA_256; m <= IMAGE_SCRAM_SHA_512; m++) {
		const struct image_scram *scram = image_scram(d->image, m, w->user);

		if (scram)
			ret->credential_infos[ret->credential_infos_count++] =
				(struct describe_user_scram_credentials_response_credential_info){
					m, scram->iterations
				};
	}
	if (!ret->credential_infos_count) {
		ret->error_code = WIRE_RESOURCE_NOT_FOUND;
		ret->error_message = arena_printf(
			d->arena, "Attempt to describe a user credential that does not exist: %.*s",
			STR_ARG(w->user));
	}
	return true;
}

void describe_scram(const struct describe *d,
                    const struct describe_user_scram_credentials_request *request,
                    struct describe_user_scram_credentials_response *ret)
{
	struct wanted *wanted;
	uint32_t count = 0;
	bool ok = gather(d, request, &wanted, &count);

	describe_user_scram_credentials_response_init(ret);
	ret->results = ok ? arena_array(d->arena, count + 1, sizeof(*ret->results)) : NULL;
	ok = ret->results;
	for (uint32_t i = 0; ok && i < count; i++)
		ok = fill_user(d, &wanted[i], &ret->results[ret->results_count++]);
	if (!ok) {
		ret->results_count = 0;
		ret->error_code = WIRE_UNKNOWN_SERVER_ERROR;
	}
}
