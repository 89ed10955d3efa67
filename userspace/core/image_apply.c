/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"
#include "core/feature.h"
#include "core/metadata_record.h"
#include "image_object.h"
#include "wire/message.h"
#include "wire/metadata_records.h"

/*
 * Replay, as the deltas of org.apache.kafka.image do it.  What does not fit the image (a change of
 * a partition that does not exist, a broker's at another epoch) is refused as Kafka refuses it:
 * whoever wrote such a log or we ourselves are wrong, and a guess would only hide it.
 */
struct replay {
	struct image *image;
	int64_t offset;
	struct arena arena; /* of the decoded record */
	struct image_apply_error *why;
};

__attribute__((format(printf, 2, 3))) static enum image_verdict refuse(struct replay *r,
                                                                       const char *format, ...)
{
	va_list args;

	if (r->why) {
		va_start(args, format);
		vsnprintf(r->why->text, sizeof(r->why->text), format, args);
		va_end(args);
	}
	return IMAGE_BAD_RECORD;
}

static struct str uuid_key(const struct uuid *id)
{
	return image_uuid_key(id);
}

#define IDS(list) ((struct image_ids){ list, list##_count })

/* ---- nodes ---- */

/* Kafka keeps them in a hash map and writes them in any order; by name two logs can be compared. */
static void sort_features(struct image_feature_range *feature, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		for (uint32_t j = i; j && str_cmp(feature[j].name, feature[j - 1].name) < 0; j--) {
			struct image_feature_range f = feature[j];

			feature[j] = feature[j - 1];
			feature[j - 1] = f;
		}
}

static enum image_verdict put_node(struct pmap *map, const struct image_node *node)
{
	struct pmap_key key;

	pmap_put(map, pmap_key_i32(node->id, &key), &image_node_new(node)->object);
	return IMAGE_APPLIED;
}

static enum image_verdict apply_register_broker(struct replay *r,
                                                const struct register_broker_record *rec)
{
	struct image_endpoint *endpoint;
	struct image_feature_range *feature;

	endpoint = arena_array(&r->arena, rec->end_points_count, sizeof(*endpoint));
	feature = arena_array(&r->arena, rec->features_count, sizeof(*feature));
	if (!endpoint || !feature)
		return refuse(r, "RegisterBrokerRecord is too large");
	for (size_t i = 0; i < rec->end_points_count; i++)
		endpoint[i] = (struct image_endpoint){
			rec->end_points[i].name,
			rec->end_points[i].host,
			rec->end_points[i].port,
			rec->end_points[i].security_protocol,
		};
	for (size_t i = 0; i < rec->features_count; i++)
		feature[i] = (struct image_feature_range){
			rec->features[i].name,
			rec->features[i].min_supported_version,
			rec->features[i].max_supported_version,
		};
	sort_features(feature, rec->features_count);
	return put_node(&r->image->brokers,
	                &(struct image_node){
				.id = rec->broker_id,
				.epoch = rec->broker_epoch,
				.register_offset = r->offset,
				.incarnation_id = rec->incarnation_id,
				.rack = rec->rack,
				.fenced = rec->fenced,
				.in_controlled_shutdown = rec->in_controlled_shutdown,
				.migrating_zk = rec->is_migrating_zk_broker,
				.cordoned_known = rec->cordoned_log_dirs != NULL,
				.endpoint_count = rec->end_points_count,
				.feature_count = rec->features_count,
				.log_dir_count = rec->log_dirs_count,
				.cordoned_dir_count = rec->cordoned_log_dirs_count,
				.endpoint = endpoint,
				.feature = feature,
				.log_dir = rec->log_dirs,
				.cordoned_dir = rec->cordoned_log_dirs,
			});
}

static enum image_verdict apply_register_controller(struct replay *r,
                                                    const struct register_controller_record *rec)
{
	struct image_endpoint *endpoint;
	struct image_feature_range *feature;

	endpoint = arena_array(&r->arena, rec->end_points_count, sizeof(*endpoint));
	feature = arena_array(&r->arena, rec->features_count, sizeof(*feature));
	if (!endpoint || !feature)
		return refuse(r, "RegisterControllerRecord is too large");
	for (size_t i = 0; i < rec->end_points_count; i++)
		endpoint[i] = (struct image_endpoint){
			rec->end_points[i].name,
			rec->end_points[i].host,
			rec->end_points[i].port,
			rec->end_points[i].security_protocol,
		};
	for (size_t i = 0; i < rec->features_count; i++)
		feature[i] = (struct image_feature_range){
			rec->features[i].name,
			rec->features[i].min_supported_version,
			rec->features[i].max_supported_version,
		};
	sort_features(feature, rec->features_count);
	return put_node(&r->image->controllers, &(struct image_node){
							.id = rec->controller_id,
							.incarnation_id = rec->incarnation_id,
							.migrating_zk = rec->zk_migration_ready,
							.register_offset = r->offset,
							.endpoint_count = rec->end_points_count,
							.feature_count = rec->features_count,
							.endpoint = endpoint,
							.feature = feature,
						});
}

/* Of a broker that must be there at that epoch; NULL after refusing. */
static const struct image_node *broker_at(struct replay *r, int32_t id, int64_t epoch)
{
	const struct image_node *broker = image_broker(r->image, id);

	if (!broker)
		refuse(r, "broker %d is not registered", id);
	else if (broker->epoch != epoch)
		refuse(r, "broker %d has epoch %lld, not %lld", id, (long long)broker->epoch,
		       (long long)epoch);
	return broker && broker->epoch == epoch ? broker : NULL;
}

static enum image_verdict set_fenced(struct replay *r, int32_t id, int64_t epoch, bool fenced)
{
	const struct image_node *broker = broker_at(r, id, epoch);
	struct image_node next;

	if (!broker)
		return IMAGE_BAD_RECORD;
	next = *broker;
	next.fenced = fenced;
	return put_node(&r->image->brokers, &next);
}

static enum image_verdict
apply_registration_change(struct replay *r, const struct broker_registration_change_record *rec)
{
	const struct image_node *broker = broker_at(r, rec->broker_id, rec->broker_epoch);
	struct image_node next;

	if (!broker)
		return IMAGE_BAD_RECORD;
	if (rec->fenced < -1 || rec->fenced > 1 || rec->in_controlled_shutdown < 0 ||
	    rec->in_controlled_shutdown > 1)
		return refuse(r,
		              "BrokerRegistrationChangeRecord of broker %d says fenced %d, "
		              "inControlledShutdown %d",
		              rec->broker_id, rec->fenced, rec->in_controlled_shutdown);
	next = *broker;
	if (rec->fenced)
		next.fenced = rec->fenced > 0;
	if (rec->in_controlled_shutdown)
		next.in_controlled_shutdown = true;
	if (rec->log_dirs_count) {
		next.log_dir = rec->log_dirs;
		next.log_dir_count = rec->log_dirs_count;
	}
	if (rec->cordoned_log_dirs) {
		next.cordoned_known = true;
		next.cordoned_dir = rec->cordoned_log_dirs;
		next.cordoned_dir_count = rec->cordoned_log_dirs_count;
	}
	return put_node(&r->image->brokers, &next);
}

static enum image_verdict apply_unregister_broker(struct replay *r,
                                                  const struct unregister_broker_record *rec)
{
	struct pmap_key key;

	if (!broker_at(r, rec->broker_id, rec->broker_epoch))
		return IMAGE_BAD_RECORD;
	(void)pmap_remove(&r->image->brokers, pmap_key_i32(rec->broker_id, &key)); /* it is there */
	return IMAGE_APPLIED;
}

/* ---- topics ---- */

static void put_topic(struct image *image, struct image_topic *t)
{
	pmap_put(&image->topics, t->name, object_get(&t->object));
	pmap_put(&image->topics_by_id, uuid_key(&t->id), &t->object);
}

static enum image_verdict apply_topic(struct replay *r, const struct topic_record *rec)
{
	const struct image_topic *same = image_topic_by_name(r->image, rec->name);

	if (same && !uuid_eq(same->id, rec->topic_id))
		return refuse(r, "topic %.*s is there already with another id", STR_ARG(rec->name));
	put_topic(r->image, image_topic_new(rec->name, rec->topic_id));
	return IMAGE_APPLIED;
}

/*
 * The topic, this version's own.  Once both paths to it are, the two maps hold a reference each;
 * more than that belong to other versions.
 */
static struct image_topic *own_topic(struct image *image, const struct image_topic *topic)
{
	struct object **by_name = pmap_own_slot(&image->topics, topic->name);
	struct object **by_id = pmap_own_slot(&image->topics_by_id, uuid_key(&topic->id));
	struct object *copy;

	check(*by_name == *by_id);

	if (atomic_load_explicit(&topic->object.refs, memory_order_acquire) > 2) {
		copy = image_topic_copy(*by_id);
		object_put(*by_name);
		object_put(*by_id);
		*by_name = object_get(copy);
		*by_id = copy;
	}
	return container_of(*by_id, struct image_topic, object);
}

static enum image_verdict apply_partition(struct replay *r, const struct partition_record *rec)
{
	const struct image_topic *topic = image_topic_by_id(r->image, rec->topic_id);

	if (!topic)
		return refuse(r, "PartitionRecord %d of a topic that is not there",
		              rec->partition_id);
	if (rec->directories_count && rec->directories_count != rec->replicas_count)
		return refuse(r, "partition %.*s-%d has %u replicas and %u directories",
		              STR_ARG(topic->name), rec->partition_id, rec->replicas_count,
		              rec->directories_count);
	if (rec->leader_recovery_state < 0 || rec->leader_recovery_state > 1)
		return refuse(r, "partition %.*s-%d has leader recovery state %d",
		              STR_ARG(topic->name), rec->partition_id, rec->leader_recovery_state);
	image_topic_set(own_topic(r->image, topic),
	                image_partition_new(&(struct image_partition){
				.index = rec->partition_id,
				.leader = rec->leader,
				.leader_epoch = rec->leader_epoch,
				.partition_epoch = rec->partition_epoch,
				.leader_recovery_state = rec->leader_recovery_state,
				.replicas = IDS(rec->replicas),
				.isr = IDS(rec->isr),
				.elr = IDS(rec->eligible_leader_replicas),
				.last_known_elr = IDS(rec->last_known_elr),
				.adding = IDS(rec->adding_replicas),
				.removing = IDS(rec->removing_replicas),
				.directory = rec->directories_count ? rec->directories : NULL,
			}));
	return IMAGE_APPLIED;
}

static enum image_verdict apply_partition_change(struct replay *r,
                                                 const struct partition_change_record *rec)
{
	const struct image_topic *topic = image_topic_by_id(r->image, rec->topic_id);
	const struct image_partition *old;
	struct image_partition p;

	old = topic ? image_topic_partition(topic, rec->partition_id) : NULL;
	if (!old)
		return refuse(r, "PartitionChangeRecord of partition %d, which is not there",
		              rec->partition_id);
	p = *old;
	if (rec->replicas) {
		p.replicas = IDS(rec->replicas);
		if (p.replicas.count != old->replicas.count)
			p.directory = NULL;
	}
	if (rec->directories && rec->directories_count) {
		if (rec->directories_count != p.replicas.count)
			return refuse(r, "a change of %.*s-%d has %u replicas and %u directories",
			              STR_ARG(topic->name), rec->partition_id, p.replicas.count,
			              rec->directories_count);
		p.directory = rec->directories;
	}
	if (rec->isr)
		p.isr = IDS(rec->isr);
	if (rec->removing_replicas)
		p.removing = IDS(rec->removing_replicas);
	if (rec->adding_replicas)
		p.adding = IDS(rec->adding_replicas);
	if (rec->eligible_leader_replicas)
		p.elr = IDS(rec->eligible_leader_replicas);
	if (rec->last_known_elr)
		p.last_known_elr = IDS(rec->last_known_elr);
	if (rec->leader != -2) {
		p.leader = rec->leader;
		p.leader_epoch++;
	}
	if (rec->leader_recovery_state < -1 || rec->leader_recovery_state > 1)
		return refuse(r, "a change of %.*s-%d has leader recovery state %d",
		              STR_ARG(topic->name), rec->partition_id, rec->leader_recovery_state);
	if (rec->leader_recovery_state >= 0)
		p.leader_recovery_state = rec->leader_recovery_state;
	p.partition_epoch++;
	image_topic_set(own_topic(r->image, topic), image_partition_new(&p));
	return IMAGE_APPLIED;
}

static struct str config_key(struct image_text *text, int8_t type, struct str name)
{
	image_text_add(text, (uint8_t)type, name);
	return image_text_str(text);
}

static enum image_verdict apply_remove_topic(struct replay *r,
                                             const struct remove_topic_record *rec)
{
	const struct image_topic *topic = image_topic_by_id(r->image, rec->topic_id);
	struct image_text key = { .large = NULL };

	if (!topic)
		return refuse(r, "RemoveTopicRecord of a topic that is not there");
	/* A topic has configs or not; it is in both maps of topics. */
	(void)pmap_remove(&r->image->configs, config_key(&key, IMAGE_RESOURCE_TOPIC, topic->name));
	image_text_fini(&key);
	object_get((struct object *)(uintptr_t)&topic->object);
	(void)pmap_remove(&r->image->topics, topic->name);
	(void)pmap_remove(&r->image->topics_by_id, uuid_key(&topic->id));
	object_put((struct object *)(uintptr_t)&topic->object);
	return IMAGE_APPLIED;
}

static void clear_elr(struct image *image, const struct image_topic *topic)
{
	for (uint32_t i = 0; i < topic->partition_count; i++) {
		struct image_partition p = *topic->partition[i];
		struct image_topic *own;

		if (!p.elr.count && !p.last_known_elr.count)
			continue;
		p.elr = (struct image_ids){ NULL, 0 };
		p.last_known_elr = (struct image_ids){ NULL, 0 };
		p.partition_epoch++;
		own = own_topic(image, topic);
		image_topic_set(own, image_partition_new(&p));
		topic = own;
	}
}

/* Without a name: of all topics.  The map changes under the walk, so it is by key. */
static enum image_verdict apply_clear_elr(struct replay *r, const struct clear_elr_record *rec)
{
	const struct image_topic *topic;
	struct pmap topics;
	struct pmap_iter it;

	if (rec->topic_name.size) {
		topic = image_topic_by_name(r->image, rec->topic_name);
		if (!topic)
			return refuse(r, "ClearElrRecord of topic %.*s, which is not there",
			              STR_ARG(rec->topic_name));
		clear_elr(r->image, topic);
		return IMAGE_APPLIED;
	}
	topics = pmap_share(&r->image->topics);
	pmap_each(it, &topics)
	{
		clear_elr(r->image, image_value_of(struct image_topic, it.entry));
	}
	pmap_fini(&topics);
	return IMAGE_APPLIED;
}

/* ---- configs, quotas ---- */

/* Entries of one resource come and go one by one; without any it is not there. */
static enum image_verdict apply_config(struct replay *r, const struct config_record *rec)
{
	struct image *image = r->image;
	struct image_text text = { .large = NULL };
	struct str key = config_key(&text, rec->resource_type, rec->resource_name);
	struct image_config *config;

	if (!pmap_find(&image->configs, key) && rec->value.data)
		pmap_put(&image->configs, key,
		         &image_config_new(rec->resource_type, rec->resource_name)->object);
	config = (struct image_config *)(void *)pmap_own(&image->configs, key, image_config_copy);
	if (config && rec->value.data)
		pmap_put(&config->value, rec->name, &image_value_new(rec->value)->object);
	else if (config)
		(void)pmap_remove(&config->value, rec->name); /* or was not there */
	if (config && !config->value.count)
		(void)pmap_remove(&image->configs, key);
	image_text_fini(&text);
	return IMAGE_APPLIED;
}

static void add_length(struct image_text *text, struct str s)
{
	uint32_t length = s.data ? s.size : UINT32_MAX;

	store_be32(image_text_extend(text, sizeof(length)), length);
	if (s.size)
		memcpy(image_text_extend(text, s.size), s.data, s.size);
}

static void sort_entity(struct client_quota_record_entity_data *entity, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		for (uint32_t j = i;
		     j && str_cmp(entity[j].entity_type, entity[j - 1].entity_type) < 0; j--) {
			struct client_quota_record_entity_data e = entity[j];

			entity[j] = entity[j - 1];
			entity[j - 1] = e;
		}
}

void image_quota_key(struct image_text *text, struct client_quota_record_entity_data *entity,
                     uint32_t count)
{
	sort_entity(entity, count);
	for (uint32_t i = 0; i < count; i++) {
		add_length(text, entity[i].entity_type);
		add_length(text, entity[i].entity_name);
	}
}

static struct object *double_new(double value)
{
	struct image_double *d = mem_alloc(sizeof(*d));

	object_init(&d->object, NULL);
	d->value = value;
	return &d->object;
}

static enum image_verdict apply_quota(struct replay *r, const struct client_quota_record *rec)
{
	struct image *image = r->image;
	struct image_text text = { .large = NULL };
	struct image_quota_part *part;
	struct image_quota *quota;
	struct str key;

	if (rec->entity_count > 16)
		return refuse(r, "ClientQuotaRecord with %u entities", rec->entity_count);
	part = arena_array(&r->arena, rec->entity_count, sizeof(*part));
	image_quota_key(&text, rec->entity, rec->entity_count);
	for (uint32_t i = 0; part && i < rec->entity_count; i++)
		part[i] = (struct image_quota_part){ rec->entity[i].entity_type,
			                             rec->entity[i].entity_name };
	key = image_text_str(&text);
	if (!pmap_find(&image->quotas, key) && !rec->remove)
		pmap_put(&image->quotas, key, &image_quota_new(part, rec->entity_count)->object);
	quota = (struct image_quota *)(void *)pmap_own(&image->quotas, key, image_quota_copy);
	if (quota && !rec->remove)
		pmap_put(&quota->value, rec->key, double_new(rec->value));
	else if (quota)
		(void)pmap_remove(&quota->value, rec->key); /* or was not there */
	if (quota && !quota->value.count)
		(void)pmap_remove(&image->quotas, key);
	image_text_fini(&text);
	return IMAGE_APPLIED;
}

/* ---- features, producer ids ---- */

static enum image_verdict apply_feature(struct replay *r, const struct feature_level_record *rec)
{
	struct image_level *level;

	if (str_eq(rec->name, STR(FEATURE_METADATA_VERSION))) {
		r->image->metadata_version = rec->feature_level;
		return IMAGE_APPLIED;
	}
	/* kraft.version is the quorum's; old controllers wrote it here by mistake (KAFKA-18979). */
	if (str_eq(rec->name, STR(FEATURE_KRAFT_VERSION)))
		return IMAGE_APPLIED;
	if (!rec->feature_level) {
		(void)pmap_remove(&r->image->features, rec->name); /* or was at 0 before */
		return IMAGE_APPLIED;
	}
	level = mem_alloc(sizeof(*level));
	object_init(&level->object, NULL);
	level->level = rec->feature_level;
	pmap_put(&r->image->features, rec->name, &level->object);
	return IMAGE_APPLIED;
}

static enum image_verdict apply_producer_ids(struct replay *r,
                                             const struct producer_ids_record *rec)
{
	if (rec->next_producer_id <= r->image->next_producer_id)
		return refuse(r, "ProducerIdsRecord goes back from %lld to %lld",
		              (long long)r->image->next_producer_id,
		              (long long)rec->next_producer_id);
	r->image->next_producer_id = rec->next_producer_id;
	return IMAGE_APPLIED;
}

/* ---- ACLs, SCRAM, tokens ---- */

static struct image_acl *lay_acl(struct carve *c, const struct image_acl *from)
{
	struct image_acl *acl = carve(c, sizeof(*acl), _Alignof(struct image_acl));
	struct image_acl out = *from;

	out.resource_name = carve_str(c, from->resource_name);
	out.principal = carve_str(c, from->principal);
	out.host = carve_str(c, from->host);
	if (acl)
		*acl = out;
	return acl;
}

static enum image_verdict apply_acl(struct replay *r, const struct access_control_entry_record *rec)
{
	const struct image_acl from = {
		.id = rec->id,
		.resource_type = rec->resource_type,
		.pattern_type = rec->pattern_type,
		.operation = rec->operation,
		.permission_type = rec->permission_type,
		.resource_name = rec->resource_name,
		.principal = rec->principal,
		.host = rec->host,
	};
	struct carve size = { NULL, 0 };
	struct carve fill = { NULL, 0 };
	struct image_acl *acl;

	lay_acl(&size, &from);
	fill.data = mem_alloc(size.size);
	acl = lay_acl(&fill, &from);
	object_init(&acl->object, NULL);
	pmap_put(&r->image->acls, uuid_key(&acl->id), &acl->object);
	return IMAGE_APPLIED;
}

static enum image_verdict apply_remove_acl(struct replay *r,
                                           const struct remove_access_control_entry_record *rec)
{
	if (!pmap_remove(&r->image->acls, uuid_key(&rec->id)))
		return refuse(r, "RemoveAccessControlEntryRecord of an ACL that is not there");
	return IMAGE_APPLIED;
}

static struct image_scram *lay_scram(struct carve *c, const struct image_scram *from)
{
	struct image_scram *scram = carve(c, sizeof(*scram), _Alignof(struct image_scram));
	struct image_scram out = *from;

	out.user = carve_str(c, from->user);
	out.salt = carve_span(c, from->salt);
	out.stored_key = carve_span(c, from->stored_key);
	out.server_key = carve_span(c, from->server_key);
	if (scram)
		*scram = out;
	return scram;
}

static struct str scram_key(struct image_text *text, int8_t mechanism, struct str user)
{
	image_text_add(text, (uint8_t)mechanism, user);
	return image_text_str(text);
}

static enum image_verdict apply_scram(struct replay *r,
                                      const struct user_scram_credential_record *rec)
{
	const struct image_scram from = {
		.mechanism = rec->mechanism,
		.iterations = rec->iterations,
		.user = rec->name,
		.salt = rec->salt,
		.stored_key = rec->stored_key,
		.server_key = rec->server_key,
	};
	struct image_text text = { .large = NULL };
	struct carve size = { NULL, 0 };
	struct carve fill = { NULL, 0 };
	struct image_scram *scram;

	lay_scram(&size, &from);
	fill.data = mem_alloc(size.size);
	scram = lay_scram(&fill, &from);
	object_init(&scram->object, NULL);
	pmap_put(&r->image->scram, scram_key(&text, rec->mechanism, rec->name), &scram->object);
	image_text_fini(&text);
	return IMAGE_APPLIED;
}

static enum image_verdict apply_remove_scram(struct replay *r,
                                             const struct remove_user_scram_credential_record *rec)
{
	struct image_text text = { .large = NULL };

	/* Kafka does not mind either when it is not there. */
	(void)pmap_remove(&r->image->scram, scram_key(&text, rec->mechanism, rec->name));
	image_text_fini(&text);
	return IMAGE_APPLIED;
}

static struct image_token *lay_token(struct carve *c, const struct image_token *from)
{
	struct image_token *token = carve(c, sizeof(*token), _Alignof(struct image_token));
	struct str *renewer = carve(c, from->renewer_count * sizeof(*renewer), 8);
	struct image_token out = *from;

	for (uint32_t i = 0; i < from->renewer_count; i++) {
		struct str copy = carve_str(c, from->renewer[i]);

		if (renewer)
			renewer[i] = copy;
	}
	out.renewer = renewer;
	out.id = carve_str(c, from->id);
	out.owner = carve_str(c, from->owner);
	out.requester = carve_str(c, from->requester);
	if (token)
		*token = out;
	return token;
}

static enum image_verdict apply_token(struct replay *r, const struct delegation_token_record *rec)
{
	const struct image_token from = {
		.id = rec->token_id,
		.owner = rec->owner,
		.requester = rec->requester,
		.issue_ms = rec->issue_timestamp,
		.max_ms = rec->max_timestamp,
		.expiry_ms = rec->expiration_timestamp,
		.renewer_count = rec->renewers_count,
		.renewer = rec->renewers,
	};
	struct carve size = { NULL, 0 };
	struct carve fill = { NULL, 0 };
	struct image_token *token;

	lay_token(&size, &from);
	fill.data = mem_alloc(size.size);
	token = lay_token(&fill, &from);
	object_init(&token->object, NULL);
	pmap_put(&r->image->tokens, token->id, &token->object);
	return IMAGE_APPLIED;
}

/* ---- transactions (KIP-868) ---- */

static enum image_verdict apply_begin(struct replay *r)
{
	if (image_in_transaction(r->image))
		return refuse(r, "BeginTransactionRecord inside of a transaction");
	image_begin(r->image, r->offset);
	return IMAGE_APPLIED;
}

static enum image_verdict apply_end(struct replay *r, void (*end)(struct image *image))
{
	if (!image_in_transaction(r->image))
		return refuse(r, "the end of a transaction that did not begin");
	end(r->image);
	return IMAGE_APPLIED;
}

/* ---- records ---- */

union any_record {
	struct register_broker_record register_broker;
	struct unregister_broker_record unregister_broker;
	struct topic_record topic;
	struct partition_record partition;
	struct config_record config;
	struct partition_change_record partition_change;
	struct fence_broker_record fence;
	struct unfence_broker_record unfence;
	struct remove_topic_record remove_topic;
	struct delegation_token_record token;
	struct user_scram_credential_record scram;
	struct feature_level_record feature;
	struct client_quota_record quota;
	struct producer_ids_record producer_ids;
	struct broker_registration_change_record registration_change;
	struct access_control_entry_record acl;
	struct remove_access_control_entry_record remove_acl;
	struct no_op_record no_op;
	struct zk_migration_state_record zk;
	struct remove_user_scram_credential_record remove_scram;
	struct begin_transaction_record begin;
	struct end_transaction_record end;
	struct abort_transaction_record abort;
	struct remove_delegation_token_record remove_token;
	struct register_controller_record register_controller;
	struct clear_elr_record clear_elr;
};

static enum image_verdict apply_node_record(struct replay *r, int16_t type,
                                            const union any_record *rec)
{
	switch (type) {
	case METADATA_REGISTER_BROKER:
		return apply_register_broker(r, &rec->register_broker);
	case METADATA_UNREGISTER_BROKER:
		return apply_unregister_broker(r, &rec->unregister_broker);
	case METADATA_FENCE_BROKER:
		return set_fenced(r, rec->fence.id, rec->fence.epoch, true);
	case METADATA_UNFENCE_BROKER:
		return set_fenced(r, rec->unfence.id, rec->unfence.epoch, false);
	case METADATA_BROKER_REGISTRATION_CHANGE:
		return apply_registration_change(r, &rec->registration_change);
	case METADATA_REGISTER_CONTROLLER:
		return apply_register_controller(r, &rec->register_controller);
	default:
		return refuse(r, "a record of type %d is not followed", type);
	}
}

static enum image_verdict apply_record(struct replay *r, int16_t type, const union any_record *rec)
{
	switch (type) {
	case METADATA_TOPIC:
		return apply_topic(r, &rec->topic);
	case METADATA_PARTITION:
		return apply_partition(r, &rec->partition);
	case METADATA_PARTITION_CHANGE:
		return apply_partition_change(r, &rec->partition_change);
	case METADATA_REMOVE_TOPIC:
		return apply_remove_topic(r, &rec->remove_topic);
	case METADATA_CLEAR_ELR:
		return apply_clear_elr(r, &rec->clear_elr);
	case METADATA_CONFIG:
		return apply_config(r, &rec->config);
	case METADATA_CLIENT_QUOTA:
		return apply_quota(r, &rec->quota);
	case METADATA_FEATURE_LEVEL:
		return apply_feature(r, &rec->feature);
	case METADATA_PRODUCER_IDS:
		return apply_producer_ids(r, &rec->producer_ids);
	case METADATA_ACCESS_CONTROL_ENTRY:
		return apply_acl(r, &rec->acl);
	case METADATA_REMOVE_ACCESS_CONTROL_ENTRY:
		return apply_remove_acl(r, &rec->remove_acl);
	case METADATA_USER_SCRAM_CREDENTIAL:
		return apply_scram(r, &rec->scram);
	case METADATA_REMOVE_USER_SCRAM_CREDENTIAL:
		return apply_remove_scram(r, &rec->remove_scram);
	case METADATA_DELEGATION_TOKEN:
		return apply_token(r, &rec->token);
	case METADATA_REMOVE_DELEGATION_TOKEN:
		/* Kafka does not mind either when it is not there. */
		(void)pmap_remove(&r->image->tokens, rec->remove_token.token_id);
		return IMAGE_APPLIED;
	case METADATA_NO_OP:
	case METADATA_ZK_MIGRATION_STATE:
		return IMAGE_APPLIED;
	case METADATA_BEGIN_TRANSACTION:
		return apply_begin(r);
	case METADATA_END_TRANSACTION:
		return apply_end(r, image_end);
	case METADATA_ABORT_TRANSACTION:
		return apply_end(r, image_abort);
	default:
		return apply_node_record(r, type, rec);
	}
}

static enum image_verdict decode_and_apply(struct replay *r, const struct metadata_frame *frame)
{
	const struct message *m = metadata_record_message(frame->type);
	struct reader reader = reader_of(frame->body.data, frame->body.size);
	union any_record rec;

	if (!m)
		return refuse(r, "a record of type %d is not known", frame->type);
	if (frame->version < m->min || frame->version > m->max)
		return refuse(r, "%s of version %d is not known, only up to %d", m->name,
		              frame->version, m->max);
	check(m->size <= sizeof(rec));
	if (message_decode(m, frame->version, &reader, &r->arena, &rec))
		return refuse(r, "%s has a body that cannot be read", m->name);
	if (reader_left(&reader))
		return refuse(r, "%s has %zu bytes too many", m->name, reader_left(&reader));
	return apply_record(r, frame->type, &rec);
}

enum { RECORD_ARENA_MAX = 256 * 1024 * 1024 };

enum image_verdict image_apply(struct image *image, int64_t offset, struct span value,
                               struct image_apply_error *why)
{
	struct replay r = { .image = image, .offset = offset, .why = why };
	struct metadata_frame frame;
	enum image_verdict verdict;

	if (metadata_frame_decode(value, &frame))
		return refuse(&r, "a record without a frame of version 1");
	arena_init(&r.arena, RECORD_ARENA_MAX);
	verdict = decode_and_apply(&r, &frame);
	arena_fini(&r.arena);
	return verdict;
}
