/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_private.h"
#include "core/topic_name.h"
#include "placement.h"
#include "wire/create_topics.h"
#include "wire/metadata_records.h"

static const struct image_ids NONE = { NULL, 0 };

/* ---- placement ---- */

static bool has_uncordoned_dirs(const struct image_node *broker)
{
	for (uint32_t i = 0; i < broker->log_dir_count; i++) {
		bool cordoned = false;

		for (uint32_t j = 0; j < broker->cordoned_dir_count; j++)
			cordoned |= uuid_eq(broker->log_dir[i], broker->cordoned_dir[j]);
		if (!cordoned)
			return true;
	}
	return !broker->log_dir_count;
}

static struct placement *new_placement(struct step *s)
{
	struct controller *c = s->c;
	struct placement_broker *broker;
	struct prng *prng = step_alloc(s, sizeof(*prng));
	uint32_t count = 0;
	struct pmap_iter it;

	broker = step_array(s, c->image->brokers.count, sizeof(*broker));
	pmap_each(it, &c->image->brokers)
	{
		const struct image_node *node = image_value_of(struct image_node, it.entry);
		const struct session *session = session_find(c, node->id);

		if ((session && session->shutdown_offset >= 0) || !has_uncordoned_dirs(node))
			continue;
		broker[count++] = (struct placement_broker){ node->id, node->rack,
			                                     session ? session->fenced : true };
	}
	c->options.random(c->options.random_arg, &prng->state, sizeof(prng->state));
	return placement_new(s->arena, prng, broker, count);
}

struct image_ids active_brokers(struct step *s, struct image_ids replicas)
{
	int32_t *active = step_array(s, replicas.count, sizeof(*active));
	uint32_t count = 0;

	for (uint32_t i = 0; i < replicas.count; i++)
		if (image_broker_is_active(s->c->image, replicas.id[i]))
			active[count++] = replicas.id[i];
	return (struct image_ids){ active, count };
}

static int compare_ids(const int32_t *a, const int32_t *b)
{
	return (*a > *b) - (*a < *b);
}

static struct image_ids sorted(struct step *s, struct image_ids ids)
{
	int32_t *copy = step_array(s, ids.count, sizeof(*copy));

	for (uint32_t i = 0; i < ids.count; i++) {
		uint32_t at = i;

		for (; at && compare_ids(&copy[at - 1], &ids.id[i]) > 0; at--)
			copy[at] = copy[at - 1];
		copy[at] = ids.id[i];
	}
	return (struct image_ids){ copy, ids.count };
}

/* ReplicationControlManager.validateManualPartitionAssignment; replication_factor 0: any. */
struct verdict manual_assignment_check(struct step *s, struct image_ids replicas,
                                       uint32_t replication_factor)
{
	struct image_ids ids = sorted(s, replicas);

	if (!ids.count)
		return verdict_of(WIRE_INVALID_REPLICA_ASSIGNMENT,
		                  STR("The manual partition assignment includes an empty replica "
		                      "list."));
	for (uint32_t i = 0; i < ids.count; i++) {
		const struct image_node *broker = image_broker(s->c->image, ids.id[i]);

		if (!broker)
			return verdict_printf(s, WIRE_INVALID_REPLICA_ASSIGNMENT,
			                      "The manual partition assignment includes broker "
			                      "%d, but no such broker is registered.",
			                      ids.id[i]);
		if (!has_uncordoned_dirs(broker))
			return verdict_printf(s, WIRE_INVALID_REPLICA_ASSIGNMENT,
			                      "The manual partition assignment includes broker "
			                      "%d, but all its log directories are cordoned.",
			                      ids.id[i]);
		if (i && ids.id[i] == ids.id[i - 1])
			return verdict_printf(s, WIRE_INVALID_REPLICA_ASSIGNMENT,
			                      "The manual partition assignment includes the "
			                      "broker %d more than once.",
			                      ids.id[i]);
	}
	if (replication_factor && ids.count != replication_factor)
		return verdict_printf(s, WIRE_INVALID_REPLICA_ASSIGNMENT,
		                      "The manual partition assignment includes a partition with "
		                      "%u replica(s), but this is not consistent with previous "
		                      "partitions, which have %u replica(s).",
		                      ids.count, replication_factor);
	return verdict_ok();
}

/* ---- new partitions ---- */

void new_partition_emit(struct step *s, struct uuid topic_id, int32_t index,
                        const struct new_partition *new)
{
	struct uuid *dir = step_array(s, new->replicas.count, sizeof(*dir));
	const struct image_partition p = {
		.index = index,
		.leader = new->isr.id[0],
		.leader_recovery_state = IMAGE_LEADER_RECOVERED,
		.replicas = new->replicas,
		.isr = new->isr,
		.elr = NONE,
		.last_known_elr = NONE,
		.adding = NONE,
		.removing = NONE,
		.directory = dir,
	};
	struct partition_record rec;

	for (uint32_t i = 0; i < new->replicas.count; i++)
		dir[i] = image_broker_default_dir(s->c->image, new->replicas.id[i]);
	image_partition_record(&p, topic_id, &rec);
	step_emit_now(s, METADATA_PARTITION, &rec);
}

struct verdict new_partitions_place(struct step *s, int32_t count, int16_t replication_factor,
                                    struct new_partition *ret)
{
	struct placement *placement = new_placement(s);
	const struct str *error = placement_error(placement, replication_factor);

	if (error)
		return verdict_of(WIRE_INVALID_REPLICATION_FACTOR, *error);
	for (int32_t i = 0; i < count; i++) {
		int32_t *replicas = step_array(s, (size_t)replication_factor, sizeof(*replicas));

		placement_next(placement, replication_factor, replicas);
		ret[i].replicas = (struct image_ids){ replicas, (uint32_t)replication_factor };
		ret[i].isr = active_brokers(s, ret[i].replicas);
		if (!ret[i].isr.count)
			return verdict_of(WIRE_INVALID_REPLICATION_FACTOR,
			                  STR("All brokers are currently fenced or in controlled "
			                      "shutdown."));
	}
	return verdict_ok();
}

/* ---- CreateTopics ---- */

static struct verdict assign_by_hand(struct step *s,
                                     const struct create_topics_request_creatable_topic *topic,
                                     struct new_partition *new)
{
	uint32_t count = topic->assignments_count;
	uint32_t replication_factor = 0;
	bool *seen = step_array(s, count, sizeof(*seen));

	if (topic->replication_factor != -1)
		return verdict_of(WIRE_INVALID_REQUEST,
		                  STR("A manual partition assignment was specified, but "
		                      "replication factor was not set to -1."));
	if (topic->num_partitions != -1)
		return verdict_of(WIRE_INVALID_REQUEST,
		                  STR("A manual partition assignment was specified, but "
		                      "numPartitions was not set to -1."));
	for (uint32_t i = 0; i < count; i++) {
		const struct create_topics_request_creatable_replica_assignment *a =
			&topic->assignments[i];
		struct image_ids replicas = { a->broker_ids, a->broker_ids_count };
		struct new_partition *slot;
		struct verdict v;

		for (uint32_t j = 0; j < i; j++)
			if (topic->assignments[j].partition_index == a->partition_index)
				return verdict_printf(s, WIRE_INVALID_REPLICA_ASSIGNMENT,
				                      "Found multiple manual partition "
				                      "assignments for partition %d",
				                      a->partition_index);
		v = manual_assignment_check(s, replicas, replication_factor);
		if (verdict_failed(v))
			return v;
		replication_factor = replicas.count;
		if (!active_brokers(s, replicas).count)
			return verdict_printf(s, WIRE_INVALID_REPLICA_ASSIGNMENT,
			                      "All brokers specified in the manual partition "
			                      "assignment for partition %d are fenced or in "
			                      "controlled shutdown.",
			                      a->partition_index);
		if (a->partition_index < 0 || (uint32_t)a->partition_index >= count)
			continue;
		slot = &new[a->partition_index];
		slot->replicas = replicas;
		slot->isr = active_brokers(s, replicas);
		seen[a->partition_index] = true;
	}
	for (uint32_t i = 0; i < count; i++)
		if (!seen[i])
			return verdict_of(WIRE_INVALID_REPLICA_ASSIGNMENT,
			                  STR("partitions should be a consecutive 0-based integer "
			                      "sequence"));
	return verdict_ok();
}

static struct verdict assign(struct step *s,
                             const struct create_topics_request_creatable_topic *topic,
                             struct new_partition **ret, int32_t *ret_count)
{
	const struct controller_options *o = &s->c->options;
	int32_t count =
		topic->num_partitions == -1 ? o->default_partition_count : topic->num_partitions;
	int16_t factor = topic->replication_factor == -1 ? o->default_replication_factor
	                                                 : topic->replication_factor;
	struct verdict v;

	if (topic->assignments_count) {
		*ret_count = (int32_t)topic->assignments_count;
		*ret = step_array(s, topic->assignments_count, sizeof(**ret));
		return assign_by_hand(s, topic, *ret);
	}
	if (topic->replication_factor < -1 || topic->replication_factor == 0)
		return verdict_of(WIRE_INVALID_REPLICATION_FACTOR,
		                  STR("Replication factor must be larger than 0, or -1 to use the "
		                      "default value."));
	if (topic->num_partitions < -1 || topic->num_partitions == 0)
		return verdict_of(WIRE_INVALID_PARTITIONS,
		                  STR("Number of partitions was set to an invalid non-positive "
		                      "value."));
	*ret_count = count;
	*ret = step_array(s, (size_t)count, sizeof(**ret));
	v = new_partitions_place(s, count, factor, *ret);
	if (verdict_failed(v))
		v = verdict_printf(s, v.error, "Unable to replicate the partition %d time(s): %.*s",
		                   factor, STR_ARG(v.message));
	return v;
}

static struct uuid new_topic_id(struct step *s)
{
	char text[UUID_TEXT_SIZE + 1];
	struct uuid id;

	do {
		s->c->options.random(s->c->options.random_arg, &id, sizeof(id));
		/* As java.util.UUID.randomUUID(): version 4, variant 2. */
		id.byte[6] = (id.byte[6] & 0x0f) | 0x40;
		id.byte[8] = (id.byte[8] & 0x3f) | 0x80;
		uuid_format(id, text);
	} while (uuid_is_reserved(id) || text[0] == '-');
	return id;
}

static void fill_configs(struct step *s, const struct config_change *change, size_t change_count,
                         struct create_topics_response_creatable_topic_result *result)
{
	const struct controller_config_rules *rules = &s->c->options.rules;
	const struct controller_config_entry *entry;
	struct str *name = step_array(s, change_count, sizeof(*name));
	struct str *value = step_array(s, change_count, sizeof(*value));
	size_t count;

	for (size_t i = 0; i < change_count; i++) {
		name[i] = change[i].name;
		value[i] = change[i].value;
	}
	count = rules->topic_entries(rules->arg, s->arena, s->c->image, name, value, change_count,
	                             &entry);
	result->configs = count ? step_array(s, count, sizeof(*result->configs)) : WIRE_EMPTY;
	result->configs_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		struct create_topics_response_creatable_topic_configs *config = &result->configs[i];

		config->name = entry[i].name;
		if (!entry[i].is_sensitive)
			config->value = entry[i].value;
		config->read_only = entry[i].is_read_only;
		config->config_source = entry[i].source;
		config->is_sensitive = entry[i].is_sensitive;
	}
}

/* The last of several values of a name counts, as in the map that Kafka makes of them. */
static struct config_change *
unique_configs(struct step *s, const struct create_topics_request_creatable_topic *topic,
               size_t *ret_count)
{
	struct config_change *change = step_array(s, topic->configs_count, sizeof(*change));
	struct names names;
	size_t count = 0;

	names_init(&names, s);
	for (uint32_t i = 0; i < topic->configs_count; i++) {
		struct named *named = names_add(&names, topic->configs[i].name);

		if (named->count == 1)
			named->index = count++;
		change[named->index] =
			(struct config_change){ topic->configs[i].name, topic->configs[i].value,
			                        CONFIG_SET };
	}
	names_fini(&names);
	*ret_count = count;
	return change;
}

static struct verdict null_configs(struct step *s,
                                   const struct create_topics_request_creatable_topic *topic)
{
	struct buf names = { 0 };
	struct verdict v = verdict_ok();

	for (uint32_t i = 0; i < topic->configs_count; i++)
		if (!topic->configs[i].value.data)
			buf_printf(&names, "%s%.*s", names.size ? "," : "",
			           STR_ARG(topic->configs[i].name));
	if (names.size)
		v = verdict_printf(s, WIRE_INVALID_CONFIG,
		                   "Null value not supported for topic configs: %.*s",
		                   (int)names.size, (const char *)names.data);
	buf_fini(&names);
	return v;
}

static struct verdict colliding(struct step *s, struct str name)
{
	struct buf key = { 0 };
	struct verdict v = verdict_ok();
	struct pmap_iter it;
	struct str prefix;

	topic_name_unify(name, (char *)buf_extend(&key, name.size));
	buf_add(&key, "", 1);
	prefix = (struct str){ (const char *)key.data, (uint32_t)key.size };
	if (pmap_from(&s->c->collisions, prefix, &it) && str_starts(it.entry.key, prefix))
		v = verdict_printf(s, WIRE_INVALID_TOPIC_EXCEPTION,
		                   "Topic '%.*s' collides with existing topic: %.*s", STR_ARG(name),
		                   (int)(it.entry.key.size - prefix.size),
		                   it.entry.key.data + prefix.size);
	buf_fini(&key);
	return v;
}

/* In Kafka each check runs over all topics before the next; the last that finds fault speaks. */
static struct verdict check_new_topic(struct step *s,
                                      const struct create_topics_request_creatable_topic *topic)
{
	struct str error = topic_name_error(s->arena, topic->name);
	struct verdict v = verdict_ok();

	if (error.data)
		v = verdict_of(WIRE_INVALID_TOPIC_EXCEPTION, error);
	if (topic_name_has_collision_chars(topic->name)) {
		struct verdict collision = colliding(s, topic->name);

		v = verdict_failed(collision) ? collision : v;
	}
	if (image_topic_by_name(s->c->image, topic->name))
		v = verdict_printf(s, WIRE_TOPIC_ALREADY_EXISTS, "Topic '%.*s' already exists.",
		                   STR_ARG(topic->name));
	return verdict_failed(v) ? v : null_configs(s, topic);
}

static struct verdict create_topic(struct step *s,
                                   const struct create_topics_request_creatable_topic *topic,
                                   struct create_topics_response_creatable_topic_result *result)
{
	struct uuid id = new_topic_id(s);
	size_t keep = s->record_count;
	struct new_partition *new = NULL;
	struct config_change *change;
	size_t change_count;
	int32_t count = 0;
	struct verdict v = check_new_topic(s, topic);

	if (verdict_failed(v))
		return v;
	change = unique_configs(s, topic, &change_count);
	step_emit(s, METADATA_TOPIC, 0,
	          &(struct topic_record){ .name = topic->name, .topic_id = id });
	v = config_alter(s, IMAGE_RESOURCE_TOPIC, topic->name, change, change_count, true);
	if (!verdict_failed(v))
		v = assign(s, topic, &new, &count);
	if (verdict_failed(v)) {
		step_drop_records(s, keep);
		return v;
	}
	for (int32_t i = 0; i < count; i++)
		new_partition_emit(s, id, i, &new[i]);
	result->topic_id = id;
	result->num_partitions = count;
	result->replication_factor = (int16_t) new[0].replicas.count;
	fill_configs(s, change, change_count, result);
	return v;
}

static bool too_many_partitions(struct step *s, const struct create_topics_request *r)
{
	int64_t total = 0;

	for (uint32_t i = 0; i < r->topics_count; i++) {
		const struct create_topics_request_creatable_topic *topic = &r->topics[i];

		if (topic->assignments_count)
			total += topic->assignments_count;
		else if (topic->num_partitions == -1)
			total += s->c->options.default_partition_count;
		else if (topic->num_partitions > 0)
			total += topic->num_partitions;
	}
	return total > CONTROLLER_PARTITIONS_MAX;
}

static struct create_topics_response_creatable_topic_result *
add_result(struct create_topics_response *response, struct str name)
{
	struct create_topics_response_creatable_topic_result *result =
		&response->topics[response->topics_count++];

	*result = (struct create_topics_response_creatable_topic_result){
		.name = name,
		.num_partitions = -1,
		.replication_factor = -1,
		.configs = WIRE_EMPTY,
	};
	return result;
}

static bool is_metadata_topic(struct str name)
{
	return str_eq(name, STR(TOPIC_CLUSTER_METADATA));
}

/* Topics named twice, and the one nobody may make, are answered last, once each (ControllerApis).
 */
static void answer_refused(struct create_topics_response *response, struct names *names,
                           const struct create_topics_request *r)
{
	for (uint32_t i = 0; i < r->topics_count; i++) {
		struct str name = r->topics[i].name;
		struct named *named = names_find(names, name);
		struct create_topics_response_creatable_topic_result *result;

		if ((named->count == 1 && !is_metadata_topic(name)) || named->index)
			continue;
		named->index = 1;
		result = add_result(response, name);
		result->error_code = WIRE_INVALID_REQUEST;
		result->error_message =
			named->count > 1 ? STR("Duplicate topic name.")
					 : STR("Creation of internal topic " TOPIC_CLUSTER_METADATA
		                               " is prohibited.");
	}
}

void controller_create_topics(struct step *s)
{
	const struct create_topics_request *r = s->event->request;
	struct create_topics_response *response = step_alloc(s, sizeof(*response));
	struct names names;

	if (too_many_partitions(s, r)) {
		step_fail(s,
		          verdict_of(WIRE_POLICY_VIOLATION,
		                     STR("Excessively large number of partitions per request.")));
		return;
	}
	names_init(&names, s);
	for (uint32_t i = 0; i < r->topics_count; i++)
		(void)names_add(&names, r->topics[i].name); /* counted */
	create_topics_response_init(response);
	response->topics = step_array(s, r->topics_count, sizeof(*response->topics));
	for (uint32_t i = 0; i < r->topics_count; i++) {
		const struct create_topics_request_creatable_topic *topic = &r->topics[i];
		struct create_topics_response_creatable_topic_result *result;
		struct verdict v;

		if (names_find(&names, topic->name)->count > 1 || is_metadata_topic(topic->name))
			continue;
		result = add_result(response, topic->name);
		v = create_topic(s, topic, result);
		result->error_code = v.error;
		result->error_message = v.message;
	}
	answer_refused(response, &names, r);
	names_fini(&names);
	s->out->response = response;
	if (r->validate_only)
		step_drop_records(s, 0);
}
