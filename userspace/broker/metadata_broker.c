/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "broker/storage.h"
#include "core/feature.h"
#include "metadata_private.h"
#include "wire/api.h"
#include "wire/errors.h"

/*
 * This broker as the controller sees it (Kafka: BrokerLifecycleManager): one call under way at a
 * time, on reactor 0.
 *
 *	register the controller, register the broker (a new incarnation each start)
 *	heartbeat fenced, until metadata_unfence(); then heartbeats keep the session
 *	metadata_stop(): heartbeats that want to shut down, until the controller lets go
 */
enum {
	RETRY_MS = 100,
	STOP_RETRY_MS = 20,
};

static void next_call(struct metadata *m);

static struct lifecycle_state *life_of(struct metadata *m)
{
	return &m->life;
}

static void wait_ms(struct metadata *m, uint64_t delay_ms)
{
	timer_arm(&m->life.timer, mono_ms() + delay_ms);
}

static void end_stop(struct metadata *m)
{
	struct lifecycle_state *life = life_of(m);

	life->phase = LIFE_STOPPED;
	timer_disarm(&life->timer);
	timer_disarm(&m->tick_timer);
	life->stopped(life->stopped_arg);
}

/* ---- answers ---- */

static void on_registered(struct metadata *m, const struct broker_registration_response *r)
{
	atomic_store_explicit(&m->life.epoch, r->broker_epoch, memory_order_relaxed);
	m->life.phase = LIFE_FENCED;
	if (m->options.ready)
		m->options.ready(m->options.arg);
	next_call(m);
}

static void on_heartbeat(struct metadata *m, const struct broker_heartbeat_response *r)
{
	struct lifecycle_state *life = life_of(m);

	if (life->phase == LIFE_STOPPING) {
		if (r->should_shut_down)
			end_stop(m);
		else
			wait_ms(m, STOP_RETRY_MS);
		return;
	}
	if (life->phase == LIFE_FENCED && !r->is_fenced) {
		life->phase = LIFE_UNFENCED;
		if (m->options.unfenced)
			m->options.unfenced(m->options.arg);
	} else if (life->phase == LIFE_FENCED && life->want_unfence) {
		wait_ms(m, RETRY_MS);
		return;
	}
	wait_ms(m, m->options.heartbeat_interval_ms);
}

/* Somebody took our id, or we were silent for too long: Kafka's broker registers anew, too. */
static void on_refused(struct metadata *m)
{
	struct lifecycle_state *life = life_of(m);

	if (life->phase == LIFE_STOPPING) {
		end_stop(m);
		return;
	}
	if (life->call.error == WIRE_STALE_BROKER_EPOCH)
		life->phase = LIFE_REGISTER;
	wait_ms(m, RETRY_MS);
}

static void on_answer(struct controller_call *call)
{
	struct lifecycle_state *life = container_of(call, struct lifecycle_state, call);
	struct metadata *m = container_of(life, struct metadata, life);

	life->under_way = false;
	if (life->phase == LIFE_STOPPED)
		goto out;
	if (call->error) {
		on_refused(m);
	} else if (call->api_key == API_CONTROLLER_REGISTRATION) {
		life->phase = LIFE_REGISTER;
		next_call(m);
	} else if (call->api_key == API_BROKER_REGISTRATION) {
		on_registered(m, call->response);
	} else {
		on_heartbeat(m, call->response);
	}
out:
	/* A call that was begun above has made the arena anew. */
	if (!life->under_way)
		controller_call_fini(call);
}

/* ---- requests ---- */

static void send_call(struct metadata *m, int16_t api_key, int16_t version)
{
	struct lifecycle_state *life = life_of(m);

	controller_call_fini(&life->call);
	life->under_way = true;
	life->call.api_key = api_key;
	life->call.version = version;
	life->call.request = &life->request;
	life->call.principal = (struct str){ NULL, 0 };
	life->call.done = on_answer;
	controller_send(m, &life->call);
}

static void register_controller(struct metadata *m)
{
	const struct metadata_options *o = &m->options;
	struct lifecycle_state *life = life_of(m);
	struct controller_registration_request *r = &life->request.controller;
	size_t feature_count;
	const struct feature *feature = feature_table(&feature_count);

	arena_reset(&life->arena);
	controller_registration_request_init(r);
	r->controller_id = o->node_id;
	r->incarnation_id = life->controller_incarnation_id;
	r->listeners = arena_array(&life->arena, o->controller_count, sizeof(*r->listeners));
	r->listeners_count = o->controller_count;
	for (uint32_t i = 0; i < o->controller_count; i++)
		r->listeners[i] = (struct controller_registration_request_listener){
			.name = o->controller[i].name,
			.host = o->controller[i].host,
			.port = o->controller[i].port,
			.security_protocol = o->controller[i].security_protocol,
		};
	r->features = arena_array(&life->arena, feature_count, sizeof(*r->features));
	r->features_count = (uint32_t)feature_count;
	for (size_t i = 0; i < feature_count; i++)
		r->features[i] = (struct controller_registration_request_feature){ feature[i].name,
			                                                           feature[i].min,
			                                                           feature[i].max };
	send_call(m, API_CONTROLLER_REGISTRATION, 0);
}

static void register_broker(struct metadata *m)
{
	const struct metadata_options *o = &m->options;
	struct lifecycle_state *life = life_of(m);
	struct broker_registration_request *r = &life->request.registration;
	size_t feature_count;
	const struct feature *feature = feature_table(&feature_count);

	arena_reset(&life->arena);
	broker_registration_request_init(r);
	r->broker_id = o->node_id;
	r->cluster_id = m->cluster_id;
	r->incarnation_id = life->incarnation_id;
	r->listeners = arena_array(&life->arena, o->listener_count, sizeof(*r->listeners));
	r->listeners_count = o->listener_count;
	for (uint32_t i = 0; i < o->listener_count; i++)
		r->listeners[i] = (struct broker_registration_request_listener){
			.name = o->listener[i].name,
			.host = o->listener[i].host,
			.port = o->listener[i].port,
			.security_protocol = o->listener[i].security_protocol,
		};
	r->features = arena_array(&life->arena, feature_count, sizeof(*r->features));
	r->features_count = (uint32_t)feature_count;
	for (size_t i = 0; i < feature_count; i++)
		r->features[i] = (struct broker_registration_request_feature){ feature[i].name,
			                                                       feature[i].min,
			                                                       feature[i].max };
	r->rack = o->rack;
	r->log_dirs = (struct uuid *)(uintptr_t)o->log_dir;
	r->log_dirs_count = o->log_dir_count;
	r->previous_broker_epoch = o->previous_broker_epoch;
	if (!o->log_dir_count) {
		r->log_dirs = &m->directory_id;
		r->log_dirs_count = 1;
	}
	send_call(m, API_BROKER_REGISTRATION, 4);
}

static void send_heartbeat(struct metadata *m)
{
	struct lifecycle_state *life = life_of(m);
	struct broker_heartbeat_request *r = &life->request.heartbeat;

	broker_heartbeat_request_init(r);
	r->broker_id = m->options.node_id;
	r->broker_epoch = metadata_broker_epoch(m);
	r->current_metadata_offset = metadata_image(m)->offset;
	r->want_fence = life->phase == LIFE_FENCED && !life->want_unfence;
	r->want_shut_down = life->phase == LIFE_STOPPING;
	r->cordoned_log_dirs = WIRE_EMPTY;
	send_call(m, API_BROKER_HEARTBEAT, 2);
}

static void next_call(struct metadata *m)
{
	struct lifecycle_state *life = life_of(m);

	if (life->under_way)
		return;
	timer_disarm(&life->timer);
	switch (life->phase) {
	case LIFE_IDLE:
	case LIFE_STOPPED:
		return;
	case LIFE_CONTROLLER:
		register_controller(m);
		return;
	case LIFE_REGISTER:
		register_broker(m);
		return;
	case LIFE_FENCED:
	case LIFE_UNFENCED:
		send_heartbeat(m);
		return;
	case LIFE_STOPPING:
		send_heartbeat(m);
		timer_arm(&life->timer, life->stop_due_ms);
		return;
	}
}

static void fire(struct timer *timer)
{
	struct lifecycle_state *life = container_of(timer, struct lifecycle_state, timer);
	struct metadata *m = container_of(life, struct metadata, life);

	if (life->phase == LIFE_STOPPING && mono_ms() >= life->stop_due_ms)
		end_stop(m);
	else
		next_call(m);
}

/* ---- entry ---- */

void metadata_life_init(struct metadata *m)
{
	timer_init(&m->life.timer, fire);
	arena_init(&m->life.arena, SIZE_MAX);
	atomic_init(&m->life.epoch, -1);
}

void metadata_life_start(struct metadata *m)
{
	struct lifecycle_state *life = life_of(m);

	if (life->phase != LIFE_IDLE)
		return;
	life->incarnation_id = storage_random_uuid();
	life->controller_incarnation_id = storage_random_uuid();
	life->phase = LIFE_CONTROLLER;
	next_call(m);
}

void metadata_unfence(struct metadata *m)
{
	m->life.want_unfence = true;
	next_call(m);
}

void metadata_stop(struct metadata *m, uint64_t timeout_ms, void (*stopped)(void *arg), void *arg)
{
	struct lifecycle_state *life = life_of(m);
	bool registered = life->phase == LIFE_FENCED || life->phase == LIFE_UNFENCED;

	life->stopped = stopped;
	life->stopped_arg = arg;
	life->stop_due_ms = mono_ms() + timeout_ms;
	if (!registered || !timeout_ms) {
		end_stop(m);
		return;
	}
	life->phase = LIFE_STOPPING;
	next_call(m);
}
