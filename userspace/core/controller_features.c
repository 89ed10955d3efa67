/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "controller_private.h"
#include "core/feature.h"
#include "wire/metadata_records.h"
#include "wire/update_features.h"

/* UpdateFeaturesRequest.upgradeType */
enum { UPGRADE = 1, SAFE_DOWNGRADE = 2, UNSAFE_DOWNGRADE = 3 };

struct update {
	struct str name;
	int16_t level;
	int8_t type;
};

static struct verdict refuse_update(struct step *s, const struct update *u, struct str why)
{
	return verdict_printf(s, WIRE_INVALID_UPDATE_VERSION,
	                      "Invalid update version %d for feature %.*s. %.*s", u->level,
	                      STR_ARG(u->name), STR_ARG(why));
}

static bool range_of(const struct image_node *node, struct str name,
                     struct image_feature_range *ret)
{
	for (uint32_t i = 0; i < node->feature_count; i++)
		if (str_eq(node->feature[i].name, name)) {
			*ret = node->feature[i];
			return true;
		}
	return false;
}

/* QuorumFeatures.reasonNotSupported: a node that does not name the feature can do level 0. */
static struct str not_supported(struct step *s, struct str who, const struct update *u,
                                const struct image_feature_range *range)
{
	if (!range)
		return u->level ? verdict_printf(s, 0, "%.*s does not support this feature.",
		                                 STR_ARG(who))
		                          .message
		                : (struct str){ NULL, 0 };
	if (u->level >= range->min && u->level <= range->max)
		return (struct str){ NULL, 0 };
	return verdict_printf(s, 0, "%.*s only supports versions %d-%d", STR_ARG(who), range->min,
	                      range->max)
	        .message;
}

static struct str unsupported_by(struct step *s, const struct update *u)
{
	const struct feature *known = feature_find(u->name);
	struct image_feature_range range;
	struct str why;
	struct pmap_iter it;

	if (known)
		range = (struct image_feature_range){ known->name, known->min, known->max };
	why = not_supported(
		s, verdict_printf(s, 0, "Local controller %d", s->c->options.node_id).message, u,
		known ? &range : NULL);
	if (why.data)
		return why;
	pmap_each(it, &s->c->image->brokers)
	{
		const struct image_node *node = image_value_of(struct image_node, it.entry);

		why = not_supported(s, verdict_printf(s, 0, "Broker %d", node->id).message, u,
		                    range_of(node, u->name, &range) ? &range : NULL);
		if (why.data)
			return why;
	}
	pmap_each(it, &s->c->image->controllers)
	{
		const struct image_node *node = image_value_of(struct image_node, it.entry);

		if (node->id == s->c->options.node_id)
			continue;
		why = not_supported(s, verdict_printf(s, 0, "Controller %d", node->id).message, u,
		                    range_of(node, u->name, &range) ? &range : NULL);
		if (why.data)
			return why;
	}
	return why;
}

static struct verdict update_metadata_version(struct step *s, const struct update *u)
{
	int16_t current = s->c->image->metadata_version;

	if (u->level < METADATA_VERSION_MIN || u->level > METADATA_VERSION_LATEST)
		return verdict_printf(
			s, WIRE_INVALID_UPDATE_VERSION,
			"Invalid metadata.version %d. Valid versions are from %d to %d.", u->level,
			METADATA_VERSION_MIN, METADATA_VERSION_LATEST);
	if (u->level < current && metadata_version_loses(current, u->level))
		return verdict_printf(
			s, WIRE_INVALID_UPDATE_VERSION,
			"Unsupported metadata.version downgrade from %d to %d. %s", current,
			u->level,
			u->type == UNSAFE_DOWNGRADE
				? "Unsafe metadata downgrade is not supported in this version."
				: "Refusing to perform the requested downgrade because it might "
				  "delete metadata information.");
	step_emit(s, METADATA_FEATURE_LEVEL, 0,
	          &(struct feature_level_record){ .name = u->name, .feature_level = u->level });
	return verdict_ok();
}

/* kraft.version changes the quorum's own records, which a quorum of one has from the start. */
static struct verdict update_kraft_version(struct step *s, const struct update *u)
{
	int16_t current = s->c->options.kraft_version_1;

	if (u->level == current)
		return verdict_ok();
	if (u->type != UPGRADE)
		return refuse_update(s, u, STR("Can't downgrade the version of this feature."));
	return refuse_update(s, u, STR("Upgrading the version of this feature is not supported."));
}

static int16_t level_after(struct step *s, const struct update *all, uint32_t count,
                           struct str name)
{
	for (uint32_t i = 0; i < count; i++)
		if (str_eq(all[i].name, name))
			return all[i].level;
	return image_feature(s->c->image, name);
}

static struct verdict update_feature(struct step *s, const struct update *u,
                                     const struct update *all, uint32_t count)
{
	bool is_kraft = str_eq(u->name, STR(FEATURE_KRAFT_VERSION));
	int16_t current =
		is_kraft ? s->c->options.kraft_version_1 : image_feature(s->c->image, u->name);
	int16_t depends_on;
	struct str why;

	if (u->type < UPGRADE || u->type > UNSAFE_DOWNGRADE)
		return refuse_update(
			s, u, STR("The controller does not support the given upgrade type."));
	if (u->level < 0)
		return refuse_update(s, u, STR("A feature version cannot be less than 0."));
	why = unsupported_by(s, u);
	if (why.data)
		return refuse_update(s, u, why);
	if (u->level < current && u->type == UPGRADE)
		return refuse_update(s, u,
		                     STR("Can't downgrade the version of this feature without "
		                         "setting the upgrade type to either safe or unsafe "
		                         "downgrade."));
	if (u->level > current && u->type != UPGRADE)
		return refuse_update(s, u, STR("Can't downgrade to a newer version."));
	if (str_eq(u->name, STR(FEATURE_METADATA_VERSION)))
		return update_metadata_version(s, u);
	if (is_kraft)
		return update_kraft_version(s, u);
	if (!feature_find(u->name)) /* at level 0 everybody supports it */
		return refuse_update(s, u,
		                     verdict_printf(s, 0, "Feature %.*s not found.",
		                                    STR_ARG(u->name))
		                             .message);
	depends_on = feature_depends_on(feature_find(u->name), u->level);
	if (level_after(s, all, count, STR(FEATURE_METADATA_VERSION)) < depends_on)
		return refuse_update(
			s, u,
			verdict_printf(s, 0,
		                       "%.*s could not be set to %d because it depends "
		                       "on metadata.version level %d",
		                       STR_ARG(u->name), u->level, depends_on)
				.message);
	step_emit(s, METADATA_FEATURE_LEVEL, 0,
	          &(struct feature_level_record){ .name = u->name, .feature_level = u->level });
	return verdict_ok();
}

/*
 * With eligible leader replicas min.insync.replicas is one number for the cluster: it is written
 * down, and what brokers had of their own is removed.
 */
static void emit_elr_safety(struct step *s)
{
	const struct str name = STR("min.insync.replicas");
	struct pmap_iter it;

	if (!image_config_value(s->c->image, IMAGE_RESOURCE_BROKER, STR(""), name).data)
		step_emit(s, METADATA_CONFIG, 0,
		          &(struct config_record){
				  .resource_type = IMAGE_RESOURCE_BROKER,
				  .resource_name = STR(""),
				  .name = name,
				  .value = verdict_printf(s, 0, "%d", s->c->options.default_min_isr)
		                                   .message });
	pmap_each(it, &s->c->image->configs)
	{
		const struct image_config *config = image_value_of(struct image_config, it.entry);

		if (config->resource_type == IMAGE_RESOURCE_BROKER && config->resource_name.size &&
		    pmap_find(&config->value, name))
			step_emit(s, METADATA_CONFIG, 0,
			          &(struct config_record){ .resource_type = IMAGE_RESOURCE_BROKER,
			                                   .resource_name = config->resource_name,
			                                   .name = name });
	}
}

static void answer_features(struct step *s, const struct update_features_request *r,
                            struct verdict v)
{
	struct update_features_response *response = step_alloc(s, sizeof(*response));

	update_features_response_init(response);
	response->error_code = v.error;
	response->error_message = v.message;
	if (verdict_failed(v))
		response->error_message =
			verdict_printf(s, 0,
		                       "The update failed for all features since the following "
		                       "feature had an error: %.*s",
		                       STR_ARG(v.message))
				.message;
	if (!verdict_failed(v) && s->event->version <= 1) {
		response->results =
			step_array(s, r->feature_updates_count, sizeof(*response->results));
		response->results_count = r->feature_updates_count;
		for (uint32_t i = 0; i < r->feature_updates_count; i++) {
			response->results[i].feature = r->feature_updates[i].feature;
			response->results[i].error_message =
				STR("NONE"); /* Errors.NONE.message() */
		}
	}
	s->out->response = response;
}

void controller_update_features(struct step *s)
{
	const struct update_features_request *r = s->event->request;
	struct update *all = step_array(s, r->feature_updates_count, sizeof(*all));
	struct verdict v = verdict_ok();

	/* allow_downgrade of version 0 means nothing to Kafka's controller: it is an upgrade. */
	for (uint32_t i = 0; i < r->feature_updates_count; i++)
		all[i] = (struct update){ r->feature_updates[i].feature,
			                  r->feature_updates[i].max_version_level,
			                  r->feature_updates[i].upgrade_type };
	if (!r->validate_only &&
	    level_after(s, all, r->feature_updates_count, STR(FEATURE_ELR_VERSION)) > 0 &&
	    !elr_enabled(s->c))
		emit_elr_safety(s);
	for (uint32_t i = 0; i < r->feature_updates_count && !verdict_failed(v); i++)
		v = update_feature(s, &all[i], all, r->feature_updates_count);
	if (verdict_failed(v) || r->validate_only)
		step_drop_records(s, 0);
	answer_features(s, r, v);
}
