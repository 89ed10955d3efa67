/* SPDX-License-Identifier: Apache-2.0 */
#include "core/feature.h"
#include "core/metadata_record.h"
#include "image_private.h"
#include "wire/metadata_records.h"

/*
 * The records that make an image, in the order of org.apache.kafka.image.MetadataImage.write():
 * metadata.version first, as it decides how the rest is written.
 */
struct snapshot {
	const struct image *image;
	struct buf scratch;
	void (*emit)(void *arg, struct span value);
	void *arg;
};

static void emit(struct snapshot *s, enum metadata_record_type type, const void *body)
{
	int16_t version = metadata_record_version(type, s->image->metadata_version);

	s->scratch.size = 0;
	metadata_record_encode(&s->scratch, type, version, body);
	s->emit(s->arg, (struct span){ s->scratch.data, s->scratch.size });
}

/* The codec's structs are for both directions, hence not const; encoding does not write. */
#define UNCONST(type, p) ((type *)(uintptr_t)(p))
#define LIST(ids)        ((ids).count ? UNCONST(int32_t, (ids).id) : WIRE_EMPTY)

static void emit_features(struct snapshot *s)
{
	struct pmap_iter it;

	emit(s, METADATA_FEATURE_LEVEL,
	     &(struct feature_level_record){ .name = STR(FEATURE_METADATA_VERSION),
	                                     .feature_level = s->image->metadata_version });
	pmap_each(it, &s->image->features)
	{
		emit(s, METADATA_FEATURE_LEVEL,
		     &(struct feature_level_record){
			     .name = it.entry.key,
			     .feature_level = image_value_of(struct image_level, it.entry)->level,
		     });
	}
}

static void emit_broker(struct snapshot *s, const struct image_node *node)
{
	struct register_broker_record_broker_endpoint *endpoint;
	struct register_broker_record_broker_feature *feature;
	struct register_broker_record rec;

	endpoint = mem_array(node->endpoint_count + 1, sizeof(*endpoint));
	feature = mem_array(node->feature_count + 1, sizeof(*feature));
	for (uint32_t i = 0; i < node->endpoint_count; i++)
		endpoint[i] = (struct register_broker_record_broker_endpoint){
			.name = node->endpoint[i].name,
			.host = node->endpoint[i].host,
			.port = node->endpoint[i].port,
			.security_protocol = node->endpoint[i].security_protocol,
		};
	for (uint32_t i = 0; i < node->feature_count; i++)
		feature[i] = (struct register_broker_record_broker_feature){
			.name = node->feature[i].name,
			.min_supported_version = node->feature[i].min,
			.max_supported_version = node->feature[i].max,
		};
	register_broker_record_init(&rec);
	rec.broker_id = node->id;
	rec.is_migrating_zk_broker = node->migrating_zk;
	rec.incarnation_id = node->incarnation_id;
	rec.broker_epoch = node->epoch;
	rec.end_points = endpoint;
	rec.end_points_count = node->endpoint_count;
	rec.features = feature;
	rec.features_count = node->feature_count;
	rec.rack = node->rack;
	rec.fenced = node->fenced;
	rec.in_controlled_shutdown = node->in_controlled_shutdown;
	rec.log_dirs = UNCONST(struct uuid, node->log_dir);
	rec.log_dirs_count = node->log_dir_count;
	if (node->cordoned_known) {
		rec.cordoned_log_dirs = node->cordoned_dir_count
		                                ? UNCONST(struct uuid, node->cordoned_dir)
		                                : WIRE_EMPTY;
		rec.cordoned_log_dirs_count = node->cordoned_dir_count;
	}
	emit(s, METADATA_REGISTER_BROKER, &rec);
	mem_free(endpoint);
	mem_free(feature);
}

static void emit_controller(struct snapshot *s, const struct image_node *node)
{
	struct register_controller_record_controller_endpoint *endpoint;
	struct register_controller_record_controller_feature *feature;
	struct register_controller_record rec;

	endpoint = mem_array(node->endpoint_count + 1, sizeof(*endpoint));
	feature = mem_array(node->feature_count + 1, sizeof(*feature));
	for (uint32_t i = 0; i < node->endpoint_count; i++)
		endpoint[i] = (struct register_controller_record_controller_endpoint){
			.name = node->endpoint[i].name,
			.host = node->endpoint[i].host,
			.port = node->endpoint[i].port,
			.security_protocol = node->endpoint[i].security_protocol,
		};
	for (uint32_t i = 0; i < node->feature_count; i++)
		feature[i] = (struct register_controller_record_controller_feature){
			.name = node->feature[i].name,
			.min_supported_version = node->feature[i].min,
			.max_supported_version = node->feature[i].max,
		};
	register_controller_record_init(&rec);
	rec.controller_id = node->id;
	rec.incarnation_id = node->incarnation_id;
	rec.zk_migration_ready = node->migrating_zk;
	rec.end_points = endpoint;
	rec.end_points_count = node->endpoint_count;
	rec.features = feature;
	rec.features_count = node->feature_count;
	emit(s, METADATA_REGISTER_CONTROLLER, &rec);
	mem_free(endpoint);
	mem_free(feature);
}

static void emit_cluster(struct snapshot *s)
{
	struct pmap_iter it;

	pmap_each(it, &s->image->brokers)
	{
		emit_broker(s, image_value_of(struct image_node, it.entry));
	}
	if (s->image->metadata_version < METADATA_VERSION_3_7_IV0)
		return;
	pmap_each(it, &s->image->controllers)
	{
		emit_controller(s, image_value_of(struct image_node, it.entry));
	}
}

void image_partition_record(const struct image_partition *p, struct uuid topic_id,
                            struct partition_record *ret)
{
	partition_record_init(ret);
	ret->partition_id = p->index;
	ret->topic_id = topic_id;
	ret->replicas = LIST(p->replicas);
	ret->replicas_count = p->replicas.count;
	ret->isr = LIST(p->isr);
	ret->isr_count = p->isr.count;
	ret->removing_replicas = LIST(p->removing);
	ret->removing_replicas_count = p->removing.count;
	ret->adding_replicas = LIST(p->adding);
	ret->adding_replicas_count = p->adding.count;
	ret->leader = p->leader;
	ret->leader_recovery_state = p->leader_recovery_state;
	ret->leader_epoch = p->leader_epoch;
	ret->partition_epoch = p->partition_epoch;
	ret->directories = UNCONST(struct uuid, p->directory);
	ret->directories_count = p->replicas.count;
	if (p->elr.count) {
		ret->eligible_leader_replicas = LIST(p->elr);
		ret->eligible_leader_replicas_count = p->elr.count;
	}
	if (p->last_known_elr.count) {
		ret->last_known_elr = LIST(p->last_known_elr);
		ret->last_known_elr_count = p->last_known_elr.count;
	}
}

static void emit_topics(struct snapshot *s)
{
	struct pmap_iter it;

	pmap_each(it, &s->image->topics_by_id)
	{
		const struct image_topic *t = image_value_of(struct image_topic, it.entry);

		emit(s, METADATA_TOPIC,
		     &(struct topic_record){ .name = t->name, .topic_id = t->id });
		for (uint32_t i = 0; i < t->partition_count; i++) {
			struct partition_record rec;

			image_partition_record(t->partition[i], t->id, &rec);
			emit(s, METADATA_PARTITION, &rec);
		}
	}
}

static void emit_configs(struct snapshot *s)
{
	struct pmap_iter it;

	pmap_each(it, &s->image->configs)
	{
		const struct image_config *config = image_value_of(struct image_config, it.entry);
		struct pmap_iter value;

		pmap_each(value, &config->value)
		{
			emit(s, METADATA_CONFIG,
			     &(struct config_record){
				     .resource_type = config->resource_type,
				     .resource_name = config->resource_name,
				     .name = value.entry.key,
				     .value = image_value_of(struct image_value, value.entry)->text,
			     });
		}
	}
}

static void emit_quotas(struct snapshot *s)
{
	struct pmap_iter it;

	pmap_each(it, &s->image->quotas)
	{
		const struct image_quota *quota = image_value_of(struct image_quota, it.entry);
		struct client_quota_record_entity_data *entity;
		struct pmap_iter value;

		entity = mem_array(quota->part_count + 1, sizeof(*entity));
		for (uint32_t i = 0; i < quota->part_count; i++)
			entity[i] = (struct client_quota_record_entity_data){
				.entity_type = quota->part[i].type,
				.entity_name = quota->part[i].name,
			};
		pmap_each(value, &quota->value)
		{
			emit(s, METADATA_CLIENT_QUOTA,
			     &(struct client_quota_record){
				     .entity = entity,
				     .entity_count = quota->part_count,
				     .key = value.entry.key,
				     .value = image_value_of(struct image_double, value.entry)
			                              ->value,
			     });
		}
		mem_free(entity);
	}
}

static void emit_security(struct snapshot *s)
{
	struct pmap_iter it;

	pmap_each(it, &s->image->acls)
	{
		const struct image_acl *acl = image_value_of(struct image_acl, it.entry);

		emit(s, METADATA_ACCESS_CONTROL_ENTRY,
		     &(struct access_control_entry_record){
			     .id = acl->id,
			     .resource_type = acl->resource_type,
			     .resource_name = acl->resource_name,
			     .pattern_type = acl->pattern_type,
			     .principal = acl->principal,
			     .host = acl->host,
			     .operation = acl->operation,
			     .permission_type = acl->permission_type,
		     });
	}
	pmap_each(it, &s->image->scram)
	{
		const struct image_scram *scram = image_value_of(struct image_scram, it.entry);

		emit(s, METADATA_USER_SCRAM_CREDENTIAL,
		     &(struct user_scram_credential_record){
			     .name = scram->user,
			     .mechanism = scram->mechanism,
			     .salt = scram->salt,
			     .stored_key = scram->stored_key,
			     .server_key = scram->server_key,
			     .iterations = scram->iterations,
		     });
	}
	pmap_each(it, &s->image->tokens)
	{
		const struct image_token *token = image_value_of(struct image_token, it.entry);

		emit(s, METADATA_DELEGATION_TOKEN,
		     &(struct delegation_token_record){
			     .owner = token->owner,
			     .requester = token->requester,
			     .renewers = UNCONST(struct str, token->renewer),
			     .renewers_count = token->renewer_count,
			     .issue_timestamp = token->issue_ms,
			     .max_timestamp = token->max_ms,
			     .expiration_timestamp = token->expiry_ms,
			     .token_id = token->id,
		     });
	}
}

void image_snapshot(const struct image *image, void (*on_record)(void *arg, struct span value),
                    void *arg)
{
	struct snapshot s = { .image = image, .emit = on_record, .arg = arg };

	check(!image_in_transaction(image));

	if (image->metadata_version)
		emit_features(&s);
	emit_cluster(&s);
	emit_topics(&s);
	emit_configs(&s);
	emit_quotas(&s);
	if (image->next_producer_id >= 0)
		emit(&s, METADATA_PRODUCER_IDS,
		     &(struct producer_ids_record){ .broker_id = -1,
		                                    .broker_epoch = -1,
		                                    .next_producer_id = image->next_producer_id });
	emit_security(&s);
	buf_fini(&s.scratch);
}
