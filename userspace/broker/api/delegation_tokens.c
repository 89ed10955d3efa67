/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delegation tokens, while there is no secret key to make them with (KafkaApis.allowTokenRequests,
 * DelegationTokenManager.isEnabled).
 */
#include <string.h>

#include "admin.h"
#include "broker/config.h"
#include "wire/create_delegation_token.h"
#include "wire/describe_delegation_token.h"
#include "wire/expire_delegation_token.h"
#include "wire/renew_delegation_token.h"

/* Who is not authenticated may not even ask: a token stands for somebody. */
static int16_t refusal(const struct call *call)
{
	if (call->listener->security_protocol == SECURITY_PLAINTEXT ||
	    str_eq(call->principal, STR("User:ANONYMOUS")))
		return WIRE_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
	return WIRE_DELEGATION_TOKEN_AUTH_DISABLED;
}

/* "User:alice" */
static void split(struct str principal, struct str *ret_type, struct str *ret_name)
{
	const char *colon = memchr(principal.data, ':', principal.size);

	check(colon);
	*ret_type = (struct str){ principal.data, (uint32_t)(colon - principal.data) };
	*ret_name = (struct str){ colon + 1, principal.size - ret_type->size - 1 };
}

void api_create_delegation_token(struct call *call)
{
	const struct create_delegation_token_request *r = call->request;
	struct create_delegation_token_response response;

	create_delegation_token_response_init(&response);
	response.error_code = refusal(call);
	split(call->principal, &response.token_requester_principal_type,
	      &response.token_requester_principal_name);
	response.principal_type = response.token_requester_principal_type;
	response.principal_name = response.token_requester_principal_name;
	if (r->owner_principal_name.size) {
		/* An owner without a type is one that Kafka cannot make an answer about either. */
		if (!r->owner_principal_type.data) {
			call_close(call);
			return;
		}
		response.principal_type = r->owner_principal_type;
		response.principal_name = r->owner_principal_name;
	}
	response.issue_timestamp_ms = -1;
	response.expiry_timestamp_ms = -1;
	response.max_timestamp_ms = -1;
	call_reply(call, &response);
}

void api_renew_delegation_token(struct call *call)
{
	struct renew_delegation_token_response response;

	renew_delegation_token_response_init(&response);
	response.error_code = refusal(call);
	response.expiry_timestamp_ms = -1;
	call_reply(call, &response);
}

void api_expire_delegation_token(struct call *call)
{
	struct expire_delegation_token_response response;

	expire_delegation_token_response_init(&response);
	response.error_code = refusal(call);
	response.expiry_timestamp_ms = -1;
	call_reply(call, &response);
}

void api_describe_delegation_token(struct call *call)
{
	struct describe_delegation_token_response response;

	describe_delegation_token_response_init(&response);
	response.error_code = refusal(call);
	call_reply(call, &response);
}
