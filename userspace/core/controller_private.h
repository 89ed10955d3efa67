/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONTROLLER_PRIVATE_H
#define CORE_CONTROLLER_PRIVATE_H

#include "base/map.h"
#include "base/prng.h"
#include "core/config_list.h"
#include "core/controller.h"
#include "core/metadata_record.h"
#include "wire/errors.h"
#include "image_private.h"
#include "partition_change.h"
#include "wire/message.h"

/* A record that a request makes at most so many of (QuorumController.MAX_RECORDS_PER_USER_OP). */
enum { CONTROLLER_RECORDS_MAX = 10000, CONTROLLER_PARTITIONS_MAX = 10000 };

/* What is known of a registered broker beyond its registration; by id, ascending. */
struct session {
	int32_t id;
	bool fenced;
	int64_t metadata_offset;
	int64_t shutdown_offset; /* of the records that began its controlled shutdown; -1: none */
	int64_t register_offset; /* of its RegisterBrokerRecord */
	/* When it was last heard of, as which incarnation. */
	bool has_contact;
	int64_t contact_epoch;
	uint64_t contact_ms;
};

struct controller {
	struct controller_options options;
	char *cluster_id;
	struct image *image;
	bool active;

	struct session *session;
	uint32_t session_count;
	size_t session_capacity;

	/* Unified name, a zero byte, name: of the topics with '.' or '_'
	 * (Topic.unifyCollisionChars). */
	struct pmap collisions;

	uint64_t idle_due_ms;
	uint64_t balance_due_ms;
	uint64_t unclean_due_ms;
};

/* One step under way: what it decides is collected here and applied at its end. */
/* Defaults of topic configs that decide who leads. */
enum step_default { DEFAULT_MIN_ISR, DEFAULT_UNCLEAN, STEP_DEFAULTS };

struct step {
	struct controller *c;
	const struct controller_event *event;
	struct arena *arena; /* without a limit: nothing from it is NULL */
	struct controller_out *out;
	struct span *record;
	size_t record_count;
	size_t record_capacity;
	struct buf scratch;
	struct str topic_default[STEP_DEFAULTS]; /* data NULL: not asked for yet */
	int32_t shutting_down_id; /* note the offset for this session at the end; -1: none */
};

/* The answer of a manager to one item of a request: an error code and its text. */
struct verdict {
	int16_t error;
	struct str message; /* data NULL: Kafka's default text is not sent either */
};

struct verdict verdict_ok(void);
struct verdict verdict_of(int16_t error, struct str message);
struct verdict verdict_printf(struct step *s, int16_t error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static inline bool verdict_failed(struct verdict v)
{
	return v.error != 0;
}
/* The whole request failed. */
void step_fail(struct step *s, struct verdict v);

void step_add(struct step *s, struct span value); /* a record as it is */
/* Encodes a record; `body` is the struct of the generated codec for the type. */
void step_emit(struct step *s, enum metadata_record_type type, int16_t version, const void *body);
/* At the version of the current metadata.version. */
void step_emit_now(struct step *s, enum metadata_record_type type, const void *body);
void step_drop_records(struct step *s, size_t keep);

void *step_alloc(struct step *s, size_t size);
void *step_array(struct step *s, size_t count, size_t size);
struct str step_str(struct step *s, struct str text); /* a copy: responses outlive the image */

struct session *session_find(struct controller *c, int32_t id);
struct session *session_at(struct controller *c, int32_t id); /* made when new */
void session_remove(struct controller *c, int32_t id);
void session_register(struct controller *c, int32_t id, bool fenced);
void session_touch(struct session *session, bool fenced, int64_t metadata_offset);
bool session_is_valid(const struct controller *c, int32_t id, int64_t epoch, uint64_t now_ms);

/* STALE_BROKER_EPOCH or fine. */
struct verdict broker_epoch_check(struct step *s, int32_t broker_id, int64_t epoch);

bool elr_enabled(const struct controller *c);
int topic_min_isr(struct step *s, const struct image_topic *topic);
bool topic_unclean_election(struct step *s, const struct image_topic *topic);

/* ---- partitions ---- */

enum { NOBODY = -1 };

/* ReplicationControlManager.generateLeaderAndIsrUpdates: see there; NOBODY where not meant. */
struct isr_update {
	int32_t remove;
	int32_t add;
	int32_t unclean;
};

enum partition_filter {
	PARTITIONS_WITH_IN_ISR,
	PARTITIONS_WITH_IN_ELR,
	PARTITIONS_WITHOUT_LEADER,
	PARTITIONS_IN_DIRECTORY,
};

struct partition_selection {
	enum partition_filter filter;
	int32_t broker_id;
	struct uuid directory;
};

void partitions_update(struct step *s, struct isr_update update,
                       struct partition_selection selection);
void partition_update(struct step *s, struct isr_update update, const struct image_topic *topic,
                      const struct image_partition *p);
bool broker_has_leaderships(const struct controller *c, int32_t broker_id);
void partition_target_of(struct step *s, const struct image_topic *topic,
                         const struct image_partition *p, struct partition_target *t);
bool partition_emit(struct step *s, const struct image_topic *topic, struct partition_target *t,
                    struct partition_change *ret);
void partitions_balance(struct step *s);
void partitions_elect_unclean(struct step *s);

struct verdict manual_assignment_check(struct step *s, struct image_ids replicas,
                                       uint32_t replication_factor);

struct new_partition {
	struct image_ids replicas;
	struct image_ids isr;
};

/* INVALID_REPLICATION_FACTOR or `count` of them in `ret`. */
struct verdict new_partitions_place(struct step *s, int32_t count, int16_t replication_factor,
                                    struct new_partition *ret);
void new_partition_emit(struct step *s, struct uuid topic_id, int32_t index,
                        const struct new_partition *new);
struct image_ids active_brokers(struct step *s, struct image_ids replicas);

/* ---- names of a request, counted ---- */

struct named {
	struct map_node node;
	struct str name;
	uint32_t count;
	size_t index; /* the user's own; 0 at first */
};

struct names {
	struct map map;
	struct step *step;
};

void names_init(struct names *n, struct step *s);
struct named *names_add(struct names *n, struct str name);        /* with count raised */
struct named *names_find(const struct names *n, struct str name); /* NULL: never added */
void names_fini(struct names *n);

/* ---- configs ---- */

struct config_change {
	struct str name;
	struct str value; /* data NULL with CONFIG_DELETE */
	int8_t op;
};

/* Emits the ConfigRecords (and ClearElrRecords) or says why not, and emits nothing. */
struct verdict config_alter(struct step *s, int8_t type, struct str resource_name,
                            const struct config_change *change, size_t count, bool is_new);

/* ---- brokers ---- */

void broker_fence(struct step *s, const struct image_node *broker);
/* The session that ended first by `now`; NULL when all are alive. */
struct session *session_expired(struct controller *c, uint64_t now_ms);

/* ---- requests, by API: they fill step->out->response ---- */

void controller_create_topics(struct step *s);
void controller_delete_topics(struct step *s);
void controller_create_partitions(struct step *s);
void controller_alter_configs(struct step *s);
void controller_incremental_alter_configs(struct step *s);
void controller_register_broker(struct step *s);
void controller_broker_heartbeat(struct step *s);
void controller_unregister_broker(struct step *s);
void controller_register_controller(struct step *s);
void controller_allocate_producer_ids(struct step *s);
void controller_alter_partition(struct step *s);
void controller_elect_leaders(struct step *s);
void controller_alter_reassignments(struct step *s);
void controller_list_reassignments(struct step *s);
void controller_assign_dirs(struct step *s);
void controller_alter_client_quotas(struct step *s);
void controller_update_features(struct step *s);
void controller_alter_scram(struct step *s);

#endif
