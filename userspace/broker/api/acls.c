/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeAcls, CreateAcls, DeleteAcls, while no authorizer is configured (Kafka: AclApis). */
#include "admin.h"
#include "wire/create_acls.h"
#include "wire/delete_acls.h"
#include "wire/describe_acls.h"

/* Zero is UNKNOWN in each of the four: whoever sends that breaks the protocol. */
static bool is_known(int8_t resource, int8_t pattern, int8_t operation, int8_t permission)
{
	return resource && pattern && operation && permission;
}

void api_describe_acls(struct call *call)
{
	const struct describe_acls_request *r = call->request;
	struct describe_acls_response response;

	if (!is_known(r->resource_type_filter, r->pattern_type_filter, r->operation,
	              r->permission_type)) {
		call_close(call);
		return;
	}
	describe_acls_response_init(&response);
	response.error_code = WIRE_SECURITY_DISABLED;
	response.error_message = STR("No Authorizer is configured on the broker");
	call_reply(call, &response);
}

void api_create_acls(struct call *call)
{
	const struct create_acls_request *r = call->request;
	struct create_acls_response response;

	create_acls_response_init(&response);
	response.results = arena_array(&call->arena, r->creations_count, sizeof(*response.results));
	for (uint32_t i = 0; response.results && i < r->creations_count; i++) {
		const struct create_acls_request_acl_creation *c = &r->creations[i];

		if (!is_known(c->resource_type, c->resource_pattern_type, c->operation,
		              c->permission_type)) {
			call_close(call);
			return;
		}
		response.results[i].error_code = WIRE_SECURITY_DISABLED;
		response.results[i].error_message = STR("No Authorizer is configured.");
	}
	response.results_count = r->creations_count;
	if (response.results)
		call_reply(call, &response);
	else
		call_close(call);
}

void api_delete_acls(struct call *call)
{
	const struct delete_acls_request *r = call->request;
	struct delete_acls_response response;

	delete_acls_response_init(&response);
	response.filter_results =
		arena_array(&call->arena, r->filters_count, sizeof(*response.filter_results));
	for (uint32_t i = 0; response.filter_results && i < r->filters_count; i++) {
		const struct delete_acls_request_filter *f = &r->filters[i];

		if (!is_known(f->resource_type_filter, f->pattern_type_filter, f->operation,
		              f->permission_type)) {
			call_close(call);
			return;
		}
		response.filter_results[i].error_code = WIRE_SECURITY_DISABLED;
		response.filter_results[i].error_message = STR("No Authorizer is configured.");
	}
	response.filter_results_count = r->filters_count;
	if (response.filter_results)
		call_reply(call, &response);
	else
		call_close(call);
}
