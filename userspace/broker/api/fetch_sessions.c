/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch.h"

#include "base/mem.h"
#include "broker/limits.h"
#include "broker/metrics.h"

/*
 * Session ids are split among the reactors, so that an id says whose it is: to close a session of
 * another reactor is mail to it (kafka.server.FetchSession.FetchSessionCacheShard).
 */
struct fetcher {
	_Alignas(64) struct fetch_sessions sessions;
};

struct fetchers {
	int count;
	int32_t id_range;
	struct fetcher *at;
};

static void forget(void *arg, struct fetch_partition *part)
{
	struct fetch_slot *slot = part->slot;

	(void)arg;
	part->slot = NULL;
	if (!slot)
		return;
	if (reactor_self() == REACTOR_NONE)
		fetch_slot_drop(slot);
	else
		fetch_slot_leave(slot);
}

static void ended(void *arg, struct fetch_session *session)
{
	(void)arg;
	if (reactor_self() != REACTOR_NONE)
		counter_add(&metrics_here()->fetch_sessions_ended, 1);
	fetch_wait_put(session->user);
}

struct fetchers *fetchers_new(struct broker *broker)
{
	struct fetchers *f = mem_zalloc(sizeof(*f));
	uint32_t count = (uint32_t)reactor_count();
	uint32_t slots = (uint32_t)config_int(broker_config(broker),
	                                      CONFIG_MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS);

	f->count = (int)count;
	f->id_range = INT32_MAX / (int32_t)count;
	f->at = mem_array(count, sizeof(*f->at));
	for (uint32_t i = 0; i < count; i++) {
		struct fetch_sessions *s = &f->at[i].sessions;

		fetch_sessions_init(s, (slots + count - 1) / count, LIMIT_FETCH_PARTITIONS);
		s->forget = forget;
		s->ended = ended;
	}
	return f;
}

void fetchers_free(struct fetchers *f)
{
	if (!f)
		return;
	for (int i = 0; i < f->count; i++)
		fetch_sessions_fini(&f->at[i].sessions);
	mem_free(f->at);
	mem_free(f);
}

/* ---- closing ---- */

struct close_mail {
	struct mail mail;
	struct fetchers *fetchers;
	int32_t id;
};

static void close_here(struct fetchers *f, int32_t id)
{
	struct fetch_sessions *sessions = &f->at[reactor_self()].sessions;
	struct fetch_session *session = fetch_session_find(sessions, id);

	if (session)
		fetch_session_close(sessions, session);
}

static void run_close(struct mail *mail)
{
	struct close_mail *m = container_of(mail, struct close_mail, mail);

	close_here(m->fetchers, m->id);
	mem_free(m);
}

static void close_anywhere(struct fetchers *f, int32_t id)
{
	int home = id / f->id_range;
	struct close_mail *m;

	if (id <= 0 || home >= f->count)
		return;
	if (home == reactor_self()) {
		close_here(f, id);
		return;
	}
	m = mem_zalloc(sizeof(*m));
	m->mail.run = run_close;
	m->fetchers = f;
	m->id = id;
	reactor_post(home, &m->mail);
}

/* ---- what a request says ---- */

int16_t fetch_open_session(struct fetch *f)
{
	const struct fetch_request *r = CALL_REQUEST(f->call, fetch_request);
	struct fetchers *fetchers = f->call->broker->fetchers;
	struct fetch_session *session;
	struct fetch_wait *wait;
	int16_t error;

	f->sessions = &fetchers->at[reactor_self()].sessions;
	if (r->session_epoch == FETCH_SESSION_INITIAL || r->session_epoch == FETCH_SESSION_FINAL) {
		close_anywhere(fetchers, r->session_id);
		f->is_new_session = r->session_epoch == FETCH_SESSION_INITIAL;
		return WIRE_NONE;
	}
	session = fetch_session_find(f->sessions, r->session_id);
	if (!session)
		return WIRE_FETCH_SESSION_ID_NOT_FOUND;
	wait = session->user;
	if (session->in_use && session->epoch == r->session_epoch)
		(void)fetch_give_way(wait->owner); /* else the error below is the answer */
	error = fetch_session_begin(f->sessions, session, r->session_epoch, f->uses_topic_ids,
	                            mono_ms());
	if (error)
		return error;
	f->session = session;
	f->wait = wait;
	wait->owner = f;
	return WIRE_NONE;
}

/* Random, so that a client with an old id does not meet somebody else's session. */
static int32_t new_id(const struct fetchers *f, const struct fetch_sessions *sessions)
{
	int32_t first = reactor_self() * f->id_range;
	uint32_t random;
	int32_t id;

	do {
		random_bytes(&random, sizeof(random));
		id = first + (int32_t)(random % (uint32_t)f->id_range);
	} while (id == FETCH_SESSION_NONE || fetch_session_find(sessions, id));
	return id;
}

void fetch_make_session(struct fetch *f)
{
	const struct fetchers *fetchers = f->call->broker->fetchers;
	uint64_t evicted = f->sessions->evicted_count;
	struct fetch_session *session =
		fetch_session_new(f->sessions, new_id(fetchers, f->sessions), f->uses_topic_ids,
	                          f->item_count, mono_ms());

	counter_add(&metrics_here()->fetch_evictions, f->sessions->evicted_count - evicted);
	if (!session)
		return;
	counter_add(&metrics_here()->fetch_sessions_made, 1);
	session->in_use = true;
	session->removals = partitions_removals(f->call->broker->partitions);
	session->user = fetch_wait_new(fetch_woken, f);
	f->session = session;
}

void fetch_leave_session(struct fetch_sessions *sessions, struct fetch_session *session)
{
	struct fetch_wait *wait;

	if (!session)
		return;
	wait = session->user;
	wait->owner = NULL;
	fetch_session_end(sessions, session);
}
