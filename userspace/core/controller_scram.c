/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_private.h"
#include "wire/alter_user_scram_credentials.h"
#include "wire/metadata_records.h"

/*
 * AlterUserScramCredentials (ScramControlManager): of a user one thing at a time, each user
 * answered once.  Deletions are looked at first, whatever the order of the request.
 */
enum { ITERATIONS_MIN = 4096, ITERATIONS_MAX = 16384 };

/* What is to become of a user. */
struct user {
	struct str name;
	const struct alter_user_scram_credentials_request_scram_credential_deletion *deletion;
	const struct alter_user_scram_credentials_request_scram_credential_upsertion *upsertion;
	struct verdict verdict;
};

struct altering {
	struct step *s;
	struct names names;
	struct user *user;
	uint32_t count;
};

static struct user *user_of(struct altering *a, struct str name)
{
	struct named *named = names_add(&a->names, name);

	if (named->count == 1) {
		named->index = a->count++;
		a->user[named->index].name = name;
	}
	return &a->user[named->index];
}

/* False: this user has an error already, or now gets one. */
static bool may_alter(struct altering *a, struct user *user)
{
	if (verdict_failed(user->verdict))
		return false;
	if (user->deletion || user->upsertion)
		user->verdict = verdict_of(
			WIRE_DUPLICATE_RESOURCE,
			STR("A user credential cannot be altered twice in the same request"));
	else if (a->s->c->image->metadata_version < METADATA_VERSION_3_5_IV2)
		user->verdict =
			verdict_of(WIRE_UNSUPPORTED_VERSION,
		                   STR("The current metadata.version does not support SCRAM"));
	return !verdict_failed(user->verdict);
}

static struct verdict check_user(struct str name, int8_t mechanism)
{
	if (!name.size)
		return verdict_of(WIRE_UNACCEPTABLE_CREDENTIAL, STR("Username must not be empty"));
	if (mechanism != IMAGE_SCRAM_SHA_256 && mechanism != IMAGE_SCRAM_SHA_512)
		return verdict_of(WIRE_UNSUPPORTED_SASL_MECHANISM, STR("Unknown SCRAM mechanism"));
	return verdict_ok();
}

static void
look_at_deletion(struct altering *a,
                 const struct alter_user_scram_credentials_request_scram_credential_deletion *d)
{
	struct user *user = user_of(a, d->name);

	if (!may_alter(a, user))
		return;
	user->verdict = check_user(d->name, d->mechanism);
	if (!verdict_failed(user->verdict) && !image_scram(a->s->c->image, d->mechanism, d->name))
		user->verdict =
			verdict_of(WIRE_RESOURCE_NOT_FOUND,
		                   STR("Attempt to delete a user credential that does not exist"));
	if (!verdict_failed(user->verdict))
		user->deletion = d;
}

static void
look_at_upsertion(struct altering *a,
                  const struct alter_user_scram_credentials_request_scram_credential_upsertion *u)
{
	struct user *user = user_of(a, u->name);

	if (!may_alter(a, user))
		return;
	user->verdict = check_user(u->name, u->mechanism);
	if (verdict_failed(user->verdict))
		return;
	if (u->iterations < ITERATIONS_MIN)
		user->verdict = verdict_of(WIRE_UNACCEPTABLE_CREDENTIAL, STR("Too few iterations"));
	else if (u->iterations > ITERATIONS_MAX)
		user->verdict =
			verdict_of(WIRE_UNACCEPTABLE_CREDENTIAL, STR("Too many iterations"));
	else if (!u->salted_password.size)
		user->verdict = verdict_of(WIRE_UNKNOWN_SERVER_ERROR, (struct str){ NULL, 0 });
	else
		user->upsertion = u;
}

static void emit_user(struct step *s, const struct user *user)
{
	const struct alter_user_scram_credentials_request_scram_credential_upsertion *u =
		user->upsertion;
	struct controller_scram_keys keys;

	if (user->deletion)
		step_emit(s, METADATA_REMOVE_USER_SCRAM_CREDENTIAL, 0,
		          &(struct remove_user_scram_credential_record){
				  .name = user->name,
				  .mechanism = user->deletion->mechanism,
			  });
	if (!u)
		return;
	s->c->options.scram_keys(u->mechanism, u->salted_password, &keys);
	step_emit(s, METADATA_USER_SCRAM_CREDENTIAL, 0,
	          &(struct user_scram_credential_record){
			  .name = user->name,
			  .mechanism = u->mechanism,
			  .salt = u->salt,
			  .stored_key = { keys.stored_key, keys.size },
			  .server_key = { keys.server_key, keys.size },
			  .iterations = u->iterations,
		  });
}

void controller_alter_scram(struct step *s)
{
	const struct alter_user_scram_credentials_request *r = s->event->request;
	struct alter_user_scram_credentials_response *response = step_alloc(s, sizeof(*response));
	struct altering a = { .s = s };

	names_init(&a.names, s);
	a.user = step_array(s, (size_t)r->deletions_count + r->upsertions_count, sizeof(*a.user));
	for (uint32_t i = 0; i < r->deletions_count; i++)
		look_at_deletion(&a, &r->deletions[i]);
	for (uint32_t i = 0; i < r->upsertions_count; i++)
		look_at_upsertion(&a, &r->upsertions[i]);
	alter_user_scram_credentials_response_init(response);
	response->results = step_array(s, a.count, sizeof(*response->results));
	response->results_count = a.count;
	for (uint32_t i = 0; i < a.count; i++) {
		if (!verdict_failed(a.user[i].verdict))
			emit_user(s, &a.user[i]);
		response->results[i] = (struct alter_user_scram_credentials_response_result){
			step_str(s, a.user[i].name), a.user[i].verdict.error,
			a.user[i].verdict.message
		};
	}
	names_fini(&a.names);
	s->out->response = response;
}
