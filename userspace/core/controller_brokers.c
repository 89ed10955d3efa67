/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_private.h"
#include "core/feature.h"
#include "wire/allocate_producer_ids.h"
#include "wire/broker_heartbeat.h"
#include "wire/broker_registration.h"
#include "wire/controller_registration.h"
#include "wire/metadata_records.h"
#include "wire/unregister_broker.h"

enum { PRODUCER_ID_BLOCK_SIZE = 1000 };

/* The values of BrokerRegistrationChangeRecord's fields. */
enum { CHANGE_UNFENCE = -1, CHANGE_FENCE = 1, CHANGE_SHUTDOWN = 1 };

static const struct isr_update NO_UPDATE = { NOBODY, NOBODY, NOBODY };

/* ---- changes of a broker's state: records ---- */

/* Each is written at the lowest version that can say it, as Kafka does. */
static void emit_change(struct step *s, const struct image_node *broker, int16_t version,
                        struct broker_registration_change_record *rec)
{
	rec->broker_id = broker->id;
	rec->broker_epoch = broker->epoch;
	step_emit(s, METADATA_BROKER_REGISTRATION_CHANGE, version, rec);
}

static void take_from_isrs(struct step *s, const struct image_node *broker)
{
	struct isr_update update = NO_UPDATE;

	update.remove = broker->id;
	partitions_update(s, update,
	                  (struct partition_selection){ .filter = PARTITIONS_WITH_IN_ISR,
	                                                .broker_id = broker->id });
}

void broker_fence(struct step *s, const struct image_node *broker)
{
	struct broker_registration_change_record rec;

	s->out->atomic = false;
	take_from_isrs(s, broker);
	broker_registration_change_record_init(&rec);
	rec.fenced = CHANGE_FENCE;
	emit_change(s, broker, 0, &rec);
}

static void broker_unfence(struct step *s, const struct image_node *broker)
{
	struct broker_registration_change_record rec;
	struct isr_update update = NO_UPDATE;

	broker_registration_change_record_init(&rec);
	rec.fenced = CHANGE_UNFENCE;
	emit_change(s, broker, 0, &rec);
	update.add = broker->id;
	partitions_update(s, update,
	                  (struct partition_selection){ .filter = PARTITIONS_WITHOUT_LEADER });
}

static void broker_begin_shutdown(struct step *s, const struct image_node *broker)
{
	struct broker_registration_change_record rec;

	if (!broker->in_controlled_shutdown) {
		broker_registration_change_record_init(&rec);
		rec.in_controlled_shutdown = CHANGE_SHUTDOWN;
		emit_change(s, broker, 1, &rec);
	}
	take_from_isrs(s, broker);
}

/* Of an older incarnation: one that stopped cleanly was in sync to its end. */
static void broker_was_shut_down(struct step *s, const struct image_node *broker, bool clean)
{
	struct isr_update update = NO_UPDATE;
	struct partition_selection selection = { .filter = PARTITIONS_WITH_IN_ISR,
		                                 .broker_id = broker->id };

	if (clean || !elr_enabled(s->c)) {
		take_from_isrs(s, broker);
		return;
	}
	update.unclean = broker->id;
	partitions_update(s, update, selection);
	selection.filter = PARTITIONS_WITH_IN_ELR;
	partitions_update(s, update, selection);
}

/* ---- registration ---- */

static struct verdict check_directories(struct step *s, const struct broker_registration_request *r)
{
	struct pmap_iter it;

	if (s->c->image->metadata_version < METADATA_VERSION_3_7_IV2)
		return verdict_ok();
	if (!r->log_dirs_count)
		return verdict_of(WIRE_INVALID_REGISTRATION,
		                  STR("No directories specified in request"));
	for (uint32_t i = 0; i < r->log_dirs_count; i++)
		if (uuid_is_reserved(r->log_dirs[i]))
			return verdict_of(WIRE_INVALID_REGISTRATION,
			                  STR("Reserved directory ID in request"));
	for (uint32_t i = 0; i < r->log_dirs_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (uuid_eq(r->log_dirs[i], r->log_dirs[j]))
				return verdict_of(WIRE_INVALID_REGISTRATION,
				                  STR("Duplicate directory ID in request"));
	pmap_each(it, &s->c->image->brokers)
	{
		const struct image_node *other = image_value_of(struct image_node, it.entry);
		char text[UUID_TEXT_SIZE + 1];

		for (uint32_t i = 0; other->id != r->broker_id && i < r->log_dirs_count; i++)
			for (uint32_t j = 0; j < other->log_dir_count; j++) {
				if (!uuid_eq(r->log_dirs[i], other->log_dir[j]))
					continue;
				uuid_format(r->log_dirs[i], text);
				return verdict_printf(s, WIRE_INVALID_REGISTRATION,
				                      "Broker %d is already registered with "
				                      "directory %s",
				                      other->id, text);
			}
	}
	return verdict_ok();
}

static struct verdict check_level(struct step *s, struct str name, int16_t level, int16_t min,
                                  int16_t max)
{
	if (level >= min && level <= max)
		return verdict_ok();
	return verdict_printf(s, WIRE_UNSUPPORTED_VERSION,
	                      "Unable to register because the broker does not support finalized "
	                      "version %d of %.*s. The broker wants a version between %d and %d, "
	                      "inclusive.",
	                      level, STR_ARG(name), min, max);
}

static int16_t finalized_level(const struct controller *c, struct str name)
{
	if (str_eq(name, STR(FEATURE_KRAFT_VERSION)))
		return c->options.kraft_version_1;
	return image_feature(c->image, name);
}

static bool names_feature(const struct broker_registration_request *r, struct str name)
{
	for (uint32_t i = 0; i < r->features_count; i++)
		if (str_eq(r->features[i].name, name))
			return true;
	return false;
}

/* Every finalized feature must be within what the broker can do, those it does not name too. */
static struct verdict check_features(struct step *s, const struct broker_registration_request *r)
{
	struct verdict v = verdict_ok();
	struct pmap_iter it;

	for (uint32_t i = 0; i < r->features_count && !verdict_failed(v); i++)
		v = check_level(s, r->features[i].name, finalized_level(s->c, r->features[i].name),
		                r->features[i].min_supported_version,
		                r->features[i].max_supported_version);
	if (verdict_failed(v))
		return v;
	if (!names_feature(r, STR(FEATURE_METADATA_VERSION)))
		return verdict_of(WIRE_INVALID_REGISTRATION,
		                  STR("Request features do not contain 'metadata.version'"));
	pmap_each(it, &s->c->image->features)
	{
		if (!verdict_failed(v) && !names_feature(r, it.entry.key))
			v = check_level(s, it.entry.key, image_feature(s->c->image, it.entry.key),
			                0, 0);
	}
	if (!verdict_failed(v) && !names_feature(r, STR(FEATURE_KRAFT_VERSION)))
		v = check_level(s, STR(FEATURE_KRAFT_VERSION), s->c->options.kraft_version_1, 0, 0);
	return v;
}

static struct verdict check_registration(struct step *s,
                                         const struct broker_registration_request *r,
                                         const struct image_node *existing)
{
	struct verdict v;

	if (!str_eq(r->cluster_id, s->c->options.cluster_id))
		return verdict_printf(s, WIRE_INCONSISTENT_CLUSTER_ID,
		                      "Expected cluster ID %.*s, but got cluster ID %.*s",
		                      STR_ARG(s->c->options.cluster_id), STR_ARG(r->cluster_id));
	if (existing && !uuid_eq(existing->incarnation_id, r->incarnation_id) &&
	    session_is_valid(s->c, existing->id, existing->epoch, s->event->mono_ms))
		return verdict_of(WIRE_DUPLICATE_BROKER_REGISTRATION,
		                  STR("Another broker is registered with that broker id. If the "
		                      "broker was recently restarted this should self-resolve once "
		                      "the heartbeat manager expires the broker's session."));
	if (r->is_migrating_zk_broker)
		return verdict_of(WIRE_BROKER_ID_NOT_REGISTERED,
		                  STR("Controller does not support registering ZK brokers."));
	v = check_directories(s, r);
	return verdict_failed(v) ? v : check_features(s, r);
}

static void fill_registration(struct step *s, const struct broker_registration_request *r,
                              struct register_broker_record *rec)
{
	register_broker_record_init(rec);
	rec->broker_id = r->broker_id;
	rec->is_migrating_zk_broker = r->is_migrating_zk_broker;
	rec->incarnation_id = r->incarnation_id;
	rec->rack = r->rack;
	rec->end_points = step_array(s, r->listeners_count, sizeof(*rec->end_points));
	rec->end_points_count = r->listeners_count;
	for (uint32_t i = 0; i < r->listeners_count; i++)
		rec->end_points[i] = (struct register_broker_record_broker_endpoint){
			.name = r->listeners[i].name,
			.host = r->listeners[i].host,
			.port = r->listeners[i].port,
			.security_protocol = r->listeners[i].security_protocol,
		};
	rec->features = step_array(s, r->features_count, sizeof(*rec->features));
	rec->features_count = r->features_count;
	for (uint32_t i = 0; i < r->features_count; i++)
		rec->features[i] = (struct register_broker_record_broker_feature){
			.name = r->features[i].name,
			.min_supported_version = r->features[i].min_supported_version,
			.max_supported_version = r->features[i].max_supported_version,
		};
	if (s->c->image->metadata_version >= METADATA_VERSION_3_7_IV2) {
		rec->log_dirs = r->log_dirs;
		rec->log_dirs_count = r->log_dirs_count;
	}
}

/*
 * The epoch of a new incarnation is the offset that its record would have if it stood alone: what
 * cleans up behind the old one goes before it.
 */
void controller_register_broker(struct step *s)
{
	const struct broker_registration_request *r = s->event->request;
	const struct image_node *existing = image_broker(s->c->image, r->broker_id);
	struct broker_registration_response *response = step_alloc(s, sizeof(*response));
	struct verdict v = check_registration(s, r, existing);
	struct register_broker_record rec;
	bool clean;

	if (verdict_failed(v)) {
		step_fail(s, v);
		return;
	}
	s->out->atomic = false;
	fill_registration(s, r, &rec);
	if (existing && uuid_eq(existing->incarnation_id, r->incarnation_id)) {
		rec.fenced = existing->fenced;
		rec.in_controlled_shutdown = existing->in_controlled_shutdown;
		rec.broker_epoch = existing->epoch;
	} else {
		clean = existing && s->event->version >= 3 &&
		        existing->epoch == r->previous_broker_epoch;
		if (existing)
			broker_was_shut_down(s, existing, clean);
		rec.broker_epoch = s->event->next_offset;
	}
	step_emit_now(s, METADATA_REGISTER_BROKER, &rec);
	broker_registration_response_init(response);
	response->broker_epoch = rec.broker_epoch;
	s->out->response = response;
}

void controller_unregister_broker(struct step *s)
{
	const struct unregister_broker_request *r = s->event->request;
	const struct image_node *broker = image_broker(s->c->image, r->broker_id);
	struct unregister_broker_response *response = step_alloc(s, sizeof(*response));
	struct isr_update update = NO_UPDATE;

	if (!broker) {
		step_fail(s,
		          verdict_printf(s, WIRE_BROKER_ID_NOT_REGISTERED,
		                         "Broker ID %d is not currently registered", r->broker_id));
		return;
	}
	s->out->atomic = false;
	take_from_isrs(s, broker);
	update.remove = broker->id;
	partitions_update(s, update,
	                  (struct partition_selection){ .filter = PARTITIONS_WITH_IN_ELR,
	                                                .broker_id = broker->id });
	step_emit(s, METADATA_UNREGISTER_BROKER, 0,
	          &(struct unregister_broker_record){ .broker_id = broker->id,
	                                              .broker_epoch = broker->epoch });
	unregister_broker_response_init(response);
	s->out->response = response;
}

void controller_register_controller(struct step *s)
{
	const struct controller_registration_request *r = s->event->request;
	struct controller_registration_response *response = step_alloc(s, sizeof(*response));
	struct register_controller_record rec;

	if (s->c->image->metadata_version < METADATA_VERSION_3_7_IV0) {
		step_fail(s, verdict_of(WIRE_UNSUPPORTED_VERSION,
		                        STR("The current MetadataVersion is too old to support "
		                            "controller registrations.")));
		return;
	}
	register_controller_record_init(&rec);
	rec.controller_id = r->controller_id;
	rec.incarnation_id = r->incarnation_id;
	rec.end_points = step_array(s, r->listeners_count, sizeof(*rec.end_points));
	rec.end_points_count = r->listeners_count;
	for (uint32_t i = 0; i < r->listeners_count; i++)
		rec.end_points[i] = (struct register_controller_record_controller_endpoint){
			.name = r->listeners[i].name,
			.host = r->listeners[i].host,
			.port = r->listeners[i].port,
			.security_protocol = r->listeners[i].security_protocol,
		};
	rec.features = step_array(s, r->features_count, sizeof(*rec.features));
	rec.features_count = r->features_count;
	for (uint32_t i = 0; i < r->features_count; i++)
		rec.features[i] = (struct register_controller_record_controller_feature){
			.name = r->features[i].name,
			.min_supported_version = r->features[i].min_supported_version,
			.max_supported_version = r->features[i].max_supported_version,
		};
	step_emit(s, METADATA_REGISTER_CONTROLLER, 0, &rec);
	controller_registration_response_init(response);
	s->out->response = response;
}

/* ---- heartbeats ---- */

enum broker_state { FENCED, UNFENCED, CONTROLLED_SHUTDOWN, SHUTDOWN_NOW };

static enum broker_state state_of(const struct session *session)
{
	if (session->shutdown_offset >= 0)
		return CONTROLLED_SHUTDOWN;
	return session->fenced ? FENCED : UNFENCED;
}

/* What every broker that serves has seen; INT64_MAX when none does. */
static int64_t lowest_active_offset(const struct controller *c)
{
	int64_t lowest = INT64_MAX;

	for (uint32_t i = 0; i < c->session_count; i++) {
		const struct session *session = &c->session[i];

		if (!session->fenced && session->shutdown_offset < 0 &&
		    session->metadata_offset < lowest)
			lowest = session->metadata_offset;
	}
	return lowest;
}

static enum broker_state next_state(const struct controller *c, const struct session *session,
                                    const struct broker_heartbeat_request *r)
{
	switch (state_of(session)) {
	case FENCED:
		if (r->want_shut_down)
			return SHUTDOWN_NOW;
		if (r->want_fence || r->current_metadata_offset < session->register_offset)
			return FENCED;
		return UNFENCED;
	case UNFENCED:
		if (r->want_fence)
			return r->want_shut_down ? SHUTDOWN_NOW : FENCED;
		if (!r->want_shut_down)
			return UNFENCED;
		return broker_has_leaderships(c, r->broker_id) ? CONTROLLED_SHUTDOWN : SHUTDOWN_NOW;
	case CONTROLLED_SHUTDOWN:
		if (broker_has_leaderships(c, r->broker_id) ||
		    session->shutdown_offset > lowest_active_offset(c))
			return CONTROLLED_SHUTDOWN;
		return SHUTDOWN_NOW;
	case SHUTDOWN_NOW:
		break;
	}
	return SHUTDOWN_NOW;
}

static bool is_in(const struct uuid *list, uint32_t count, struct uuid u)
{
	for (uint32_t i = 0; i < count; i++)
		if (uuid_eq(list[i], u))
			return true;
	return false;
}

static void note_offline(struct step *s, const struct image_node *broker,
                         const struct broker_heartbeat_request *r)
{
	struct broker_registration_change_record rec;
	struct isr_update update = NO_UPDATE;
	struct uuid *online = step_array(s, broker->log_dir_count, sizeof(*online));
	uint32_t online_count = 0;

	update.remove = broker->id;
	for (uint32_t i = 0; i < broker->log_dir_count; i++) {
		struct uuid dir = broker->log_dir[i];

		if (is_in(r->offline_log_dirs, r->offline_log_dirs_count, dir))
			partitions_update(
				s, update,
				(struct partition_selection){ .filter = PARTITIONS_IN_DIRECTORY,
			                                      .directory = dir });
		else
			online[online_count++] = dir;
	}
	if (online_count == broker->log_dir_count)
		return;
	broker_registration_change_record_init(&rec);
	rec.log_dirs = online;
	rec.log_dirs_count = online_count;
	emit_change(s, broker, 2, &rec);
}

/* Null until the broker has caught up with its own configs. */
static void note_cordoned(struct step *s, const struct image_node *broker,
                          const struct broker_heartbeat_request *r)
{
	struct broker_registration_change_record rec;
	bool same =
		broker->cordoned_known && broker->cordoned_dir_count == r->cordoned_log_dirs_count;

	if (!r->cordoned_log_dirs)
		return;
	for (uint32_t i = 0; same && i < r->cordoned_log_dirs_count; i++)
		same = is_in(broker->cordoned_dir, broker->cordoned_dir_count,
		             r->cordoned_log_dirs[i]);
	if (same)
		return;
	broker_registration_change_record_init(&rec);
	rec.cordoned_log_dirs = r->cordoned_log_dirs;
	rec.cordoned_log_dirs_count = r->cordoned_log_dirs_count;
	emit_change(s, broker, 3, &rec);
}

static void enter_state(struct step *s, const struct image_node *broker, enum broker_state next)
{
	switch (next) {
	case FENCED:
	case SHUTDOWN_NOW:
		broker_fence(s, broker);
		return;
	case UNFENCED:
		broker_unfence(s, broker);
		return;
	case CONTROLLED_SHUTDOWN:
		broker_begin_shutdown(s, broker);
		return;
	}
}

void controller_broker_heartbeat(struct step *s)
{
	const struct broker_heartbeat_request *r = s->event->request;
	struct broker_heartbeat_response *response = step_alloc(s, sizeof(*response));
	struct verdict v = broker_epoch_check(s, r->broker_id, r->broker_epoch);
	const struct image_node *broker;
	struct session *session;
	enum broker_state next;

	if (verdict_failed(v)) {
		step_fail(s, v);
		return;
	}
	broker = image_broker(s->c->image, r->broker_id);
	session = session_at(s->c, r->broker_id);
	session->has_contact = true;
	session->contact_epoch = r->broker_epoch;
	session->contact_ms = s->event->mono_ms;
	s->out->atomic = false;

	next = next_state(s->c, session, r);
	if (next != state_of(session))
		enter_state(s, broker, next);
	session_touch(session, next == FENCED || next == SHUTDOWN_NOW, r->current_metadata_offset);
	if (s->c->image->metadata_version >= METADATA_VERSION_3_7_IV2)
		note_offline(s, broker, r);
	if (s->c->image->metadata_version >= METADATA_VERSION_4_3_IV0)
		note_cordoned(s, broker, r);
	if (next == CONTROLLED_SHUTDOWN)
		s->shutting_down_id = r->broker_id;

	broker_heartbeat_response_init(response);
	response->is_caught_up = r->current_metadata_offset >= session->register_offset;
	response->is_fenced = next == FENCED || next == SHUTDOWN_NOW;
	response->should_shut_down = next == SHUTDOWN_NOW;
	s->out->response = response;
}

/* ---- producer ids ---- */

void controller_allocate_producer_ids(struct step *s)
{
	const struct allocate_producer_ids_request *r = s->event->request;
	struct allocate_producer_ids_response *response = step_alloc(s, sizeof(*response));
	struct verdict v = broker_epoch_check(s, r->broker_id, r->broker_epoch);
	int64_t first = s->c->image->next_producer_id < 0 ? 0 : s->c->image->next_producer_id;

	if (!verdict_failed(v) && first > INT64_MAX - PRODUCER_ID_BLOCK_SIZE)
		v = verdict_of(
			WIRE_UNKNOWN_SERVER_ERROR,
			STR("Exhausted all producerIds as the next block's end producerId has "
		            "exceeded the int64 type limit"));
	if (verdict_failed(v)) {
		step_fail(s, v);
		return;
	}
	step_emit(s, METADATA_PRODUCER_IDS, 0,
	          &(struct producer_ids_record){ .broker_id = r->broker_id,
	                                         .broker_epoch = r->broker_epoch,
	                                         .next_producer_id =
	                                                 first + PRODUCER_ID_BLOCK_SIZE });
	allocate_producer_ids_response_init(response);
	response->producer_id_start = first;
	response->producer_id_len = PRODUCER_ID_BLOCK_SIZE;
	s->out->response = response;
}
