/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "kafka.h"
#include "out.h"
#include "table.h"
#include "wire/api_versions.h"
#include "wire/describe_cluster.h"
#include "wire/describe_quorum.h"

const char cluster_help[] = "sluice cluster: the cluster itself\n"
			    "\n"
			    "  sluice cluster info [--format json]\n"
			    "      its id, brokers, controller, metadata quorum and features\n";

struct info {
	struct kafka k;
	const struct describe_cluster_response *cluster;
	const struct describe_quorum_response_partition_data
		*quorum; /* NULL: the cluster has none */
	const struct api_versions_response *features;
};

static const struct describe_quorum_response_partition_data *ask_quorum(struct kafka *k)
{
	struct describe_quorum_request_partition_data partition = { 0 };
	struct describe_quorum_request_topic_data topic = { STR("__cluster_metadata"), &partition,
		                                            1 };
	struct describe_quorum_request r = { .topics = &topic, .topics_count = 1 };
	const struct describe_quorum_response *answer;
	const struct describe_quorum_response_partition_data *p;

	if (kafka_max_version(k, KAFKA_ANY, API_DESCRIBE_QUORUM) < 0)
		return NULL;
	answer = kafka_ask(k, KAFKA_ANY, API_DESCRIBE_QUORUM, &r);
	if (answer->error_code)
		kafka_fail(k, "quorum", answer->error_code, answer->error_message);
	if (!answer->topics_count || !answer->topics[0].partitions_count)
		return NULL;
	p = &answer->topics[0].partitions[0];
	if (p->error_code)
		kafka_fail(k, "quorum", p->error_code, p->error_message);
	return p;
}

static int16_t finalized_level(const struct api_versions_response *f, struct str name)
{
	for (uint32_t i = 0; i < f->finalized_features_count; i++)
		if (str_eq(f->finalized_features[i].name, name))
			return f->finalized_features[i].max_version_level;
	return 0;
}

/* ---- text ---- */

static void print_replicas(const char *label,
                           const struct describe_quorum_response_replica_state *r, uint32_t count)
{
	printf("  %s", label);
	for (uint32_t i = 0; i < count; i++)
		printf("%s %" PRId32 " (offset %" PRId64 ")", i ? "," : "", r[i].replica_id,
		       r[i].log_end_offset);
	printf("%s\n", count ? "" : " none");
}

static void print_brokers(const struct info *in)
{
	struct table t = { 0 };

	for (uint32_t i = 0; i < in->cluster->brokers_count; i++) {
		const struct describe_cluster_response_broker *b = &in->cluster->brokers[i];

		table_word(&t, "broker");
		table_number(&t, b->broker_id);
		table_str(&t, b->host);
		table_number(&t, b->port);
		table_str(&t, b->rack.data ? b->rack : STR(""));
		table_word(&t, b->is_fenced                                 ? "fenced"
		               : b->broker_id == in->cluster->controller_id ? "controller"
		                                                            : "");
		table_row(&t);
	}
	table_print(&t, "  ");
}

static void print_features(const struct api_versions_response *f)
{
	struct table t = { 0 };

	for (uint32_t i = 0; i < f->supported_features_count; i++) {
		const struct api_versions_response_supported_feature_key *s =
			&f->supported_features[i];

		table_word(&t, "feature");
		table_str(&t, s->name);
		table_number(&t, finalized_level(f, s->name));
		buf_printf(&t.text, "of %d..%d", s->min_version, s->max_version);
		table_word(&t, "");
		table_row(&t);
	}
	table_print(&t, "  ");
}

static void print_info(const struct info *in)
{
	printf("cluster %.*s: %" PRIu32 " broker%s\n", STR_ARG(in->cluster->cluster_id),
	       in->cluster->brokers_count, in->cluster->brokers_count == 1 ? "" : "s");
	print_brokers(in);
	if (in->quorum) {
		printf("  quorum leader %" PRId32 "  epoch %" PRId32 "  high watermark %" PRId64
		       "\n",
		       in->quorum->leader_id, in->quorum->leader_epoch, in->quorum->high_watermark);
		print_replicas("voters", in->quorum->current_voters,
		               in->quorum->current_voters_count);
		print_replicas("observers", in->quorum->observers, in->quorum->observers_count);
	}
	print_features(in->features);
}

/* ---- JSON ---- */

static void out_replicas(struct out *o, const char *name,
                         const struct describe_quorum_response_replica_state *r, uint32_t count)
{
	out_list(o, name);
	for (uint32_t i = 0; i < count; i++) {
		out_item(o);
		out_number(o, "id", r[i].replica_id);
		out_uuid(o, "directory_id", r[i].replica_directory_id);
		out_number(o, "end_offset", r[i].log_end_offset);
		out_number(o, "last_fetch_ms", r[i].last_fetch_timestamp);
		out_number(o, "last_caught_up_ms", r[i].last_caught_up_timestamp);
		out_item_end(o);
	}
	out_list_end(o);
}

static void out_brokers(struct out *o, const struct describe_cluster_response *c)
{
	out_list(o, "brokers");
	for (uint32_t i = 0; i < c->brokers_count; i++) {
		out_item(o);
		out_number(o, "id", c->brokers[i].broker_id);
		out_bytes(o, "host", span_of(c->brokers[i].host));
		out_number(o, "port", c->brokers[i].port);
		out_bytes(o, "rack", span_of(c->brokers[i].rack));
		out_flag(o, "fenced", c->brokers[i].is_fenced);
		out_item_end(o);
	}
	out_list_end(o);
}

static void out_features(struct out *o, const struct api_versions_response *f)
{
	out_list(o, "features");
	for (uint32_t i = 0; i < f->supported_features_count; i++) {
		out_item(o);
		out_bytes(o, "name", span_of(f->supported_features[i].name));
		out_number(o, "level", finalized_level(f, f->supported_features[i].name));
		out_number(o, "min", f->supported_features[i].min_version);
		out_number(o, "max", f->supported_features[i].max_version);
		out_item_end(o);
	}
	out_list_end(o);
	out_number(o, "features_epoch", f->finalized_features_epoch);
}

static void out_info(const struct info *in)
{
	struct out o = { .json = true };
	const struct describe_quorum_response_partition_data *q = in->quorum;

	out_begin(&o, "cluster");
	out_bytes(&o, "id", span_of(in->cluster->cluster_id));
	out_number(&o, "controller", in->cluster->controller_id);
	out_brokers(&o, in->cluster);
	if (q) {
		out_number(&o, "quorum_leader", q->leader_id);
		out_number(&o, "quorum_epoch", q->leader_epoch);
		out_number(&o, "quorum_high_watermark", q->high_watermark);
		out_replicas(&o, "voters", q->current_voters, q->current_voters_count);
		out_replicas(&o, "observers", q->observers, q->observers_count);
	}
	out_features(&o, in->features);
	out_end(&o);
	out_fini(&o);
}

static int cluster_info(struct cli *cli)
{
	bool json = cli_wants_json(cli);
	struct describe_cluster_request r = { .endpoint_type = 1 };
	struct info in;

	cli_done(cli);
	kafka_open(&in.k, cli);
	/* Fenced brokers are told of where this can be asked for. */
	r.include_fenced_brokers = kafka_max_version(&in.k, KAFKA_ANY, API_DESCRIBE_CLUSTER) >= 2;
	in.cluster = kafka_ask(&in.k, KAFKA_ANY, API_DESCRIBE_CLUSTER, &r);
	if (in.cluster->error_code)
		kafka_fail(&in.k, "cluster", in.cluster->error_code, in.cluster->error_message);
	in.quorum = ask_quorum(&in.k);
	in.features = kafka_features(&in.k);
	if (json)
		out_info(&in);
	else
		print_info(&in);
	kafka_close(&in.k);
	return EXIT_OK;
}

int cmd_cluster(struct cli *cli)
{
	static const struct cli_command sub[] = { { "info", cluster_info, NULL } };

	return cli_run(cli, "cluster", sub, sizeof(sub) / sizeof(sub[0]));
}
