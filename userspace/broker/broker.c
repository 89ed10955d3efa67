/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/auto_topics.h"
#include "broker/config_describe.h"
#include "broker/diag.h"
#include "broker/exporter.h"
#include "broker/fetchers.h"
#include "broker/groups.h"
#include "broker/metrics.h"
#include "broker/producer_ids.h"
#include "broker/telemetry.h"
#include "broker/validators.h"
#include "broker_private.h"
#include "core/topic_name.h"
#include "kern/kernel.h"

/*
 * Start, in this order, each step resting on the one before:
 *
 *	main thread	directories; the metadata log is read; logs are found, not yet opened
 *	reactor 0	lead the quorum, register; the image says which logs to open and who leads
 *	reactor 0	unfence; listen
 *
 * and stop: controlled shutdown, answer what was begun, end the jobs; close every log; say so.
 */
enum {
	SHUTDOWN_MS = 5000, /* for the controller to let us go */
	GRACE_MS = 2000,    /* for calls to be answered */
};

int broker_fail(struct broker_error *why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return err;
}

static struct broker_life *life_of(struct broker *b)
{
	return container_of(b, struct broker_life, broker);
}

const struct config *broker_base_config(const struct broker *b)
{
	return container_of(b, struct broker_life, broker)->base;
}

/* ---- what the image changes ---- */

struct retired_config {
	struct rcu_head rcu;
	const struct config *config;
};

static void free_retired(struct rcu_head *head)
{
	struct retired_config *r = container_of(head, struct retired_config, rcu);

	config_put(r->config);
	mem_free(r);
}

static void publish_config(struct broker_life *life, const struct config *config)
{
	struct retired_config *r = mem_zalloc(sizeof(*r));

	r->config = broker_config(&life->broker);
	rcu_publish(&life->broker.config, config);
	rcu_defer(&r->rcu, free_retired);
}

static void say_report(const struct config_report *report)
{
	const char *at = (const char *)report->text.data;
	const char *end = at + report->text.size;

	while (at < end) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));

		if (!eol)
			eol = end;
		diag_warn("config", "%.*s", (int)(eol - at), at);
		at = eol + 1;
	}
}

struct new_configs {
	bool broker;
	bool client_metrics;
};

static void on_config(void *arg, const struct image_config *old, const struct image_config *new)
{
	const struct image_config *c = new ? new : old;
	struct new_configs *n = arg;

	n->broker |= c->resource_type == IMAGE_RESOURCE_BROKER;
	n->client_metrics |= c->resource_type == IMAGE_RESOURCE_CLIENT_METRICS;
}

static struct new_configs new_configs(const struct image *old, const struct image *new)
{
	struct new_configs n = { 0 };
	const struct image_changes changes = { .config = on_config, .arg = &n };

	image_diff(old, new, &changes);
	return n;
}

static void update_config(struct broker_life *life, const struct image *image)
{
	struct config_report report = { 0 };
	struct config_dynamic dynamic;
	const struct config *config;
	struct arena arena;
	char id[16];

	arena_init(&arena, SIZE_MAX);
	snprintf(id, sizeof(id), "%d", life->broker.node_id);
	dynamic.broker = config_layer_of(image, IMAGE_RESOURCE_BROKER, str_of(id), &arena);
	dynamic.cluster = config_layer_of(image, IMAGE_RESOURCE_BROKER, STR(""), &arena);
	config = config_update(life->base, &dynamic, &report);
	say_report(&report);
	config_report_fini(&report);
	arena_fini(&arena);
	partitions_configure(life->broker.partitions, config, image);
	groups_configure(&life->broker, config);
	broker_limits_changed(life, config);
	publish_config(life, config);
}

static void on_topic(void *arg, const struct image_topic *old, const struct image_topic *new)
{
	if (!new)
		groups_topic_deleted(arg, old);
}

static void on_changed(void *arg, const struct image *old, const struct image *new)
{
	struct broker_life *life = arg;
	const struct image_changes changes = { .topic = on_topic, .arg = &life->broker };
	struct new_configs n = new_configs(old, new);

	if (n.broker)
		update_config(life, new);
	if (n.client_metrics)
		telemetry_subscribe(life->broker.telemetry, new);
	partitions_changed(life->broker.partitions, old, new);
	image_diff(old, new, &changes);
}

/* ---- listeners ---- */

static int listen_on(struct broker_life *life, bool controllers, struct broker_error *why)
{
	struct config_listeners l = config_listeners(life->base);

	for (uint32_t i = 0; i < l.count; i++) {
		const struct listener_config *at = &l.listener[i];
		char host[64] = "";
		char *name;
		uint16_t port;
		int err = 0;

		if (at->is_controller != controllers)
			continue;
		name = str_dup(at->host);
		if (*name)
			err = host_resolve(name, host);
		if (!err)
			err = conn_server_listen(life->broker.server, host, at->port, at->name,
			                         (int16_t)at->protocol, controllers, &port);
		if (err)
			broker_fail(why, err, "listener %.*s on %s:%u: %s", STR_ARG(at->name),
			            *name ? name : "*", at->port,
			            err == -EADDRINUSE ? "another process listens there"
			                               : strerror(-err));
		else
			diag_info("broker", "listening on %s:%u (%.*s)", *name ? name : "*", port,
			          STR_ARG(at->name));
		mem_free(name);
		if (err)
			return err;
	}
	return 0;
}

/* Without it the broker is as good: another one on this machine may have the port. */
static void export_metrics(struct broker_life *life)
{
	struct config_voter at = config_metrics_listener(life->base);
	char host[64] = "";
	char *name;
	int err = 0;

	if (!at.host.data || life->exporter || life->is_stopping)
		return;
	name = str_dup(at.host);
	if (*name)
		err = host_resolve(name, host);
	if (!err)
		err = exporter_open(&life->broker, host, at.port, &life->exporter);
	if (err)
		diag_warn("metrics", "sluice.metrics.listener: no metrics on %s:%u: %s", name,
		          at.port,
		          err == -EADDRINUSE ? "another process listens there" : strerror(-err));
	else
		diag_info("metrics", "http://%s:%u/metrics", *name ? name : "*",
		          exporter_port(life->exporter));
	mem_free(name);
}

static const char *why_unsteered(enum listener_spread spread)
{
	switch (spread) {
	case LISTENER_ALONE:
		return "one reactor is enough";
	case LISTENER_BY_HASH:
		return "reactors are not pinned";
	case LISTENER_REFUSED:
		return "BPF is refused";
	case LISTENER_BY_CPU:
	case LISTENER_BY_HANDLER:
		break;
	}
	return NULL;
}

/* One line: which kernel helps are on, which off and why. */
static void say_helps(const struct broker_life *life)
{
	enum listener_spread spread = conn_server_spread(life->broker.server);
	const char *why = why_unsteered(spread);
	struct kernel_help help = { .how = "sluice.bpf=off" };

	if (life->broker.kernel)
		kernel_help(life->broker.kernel, 0, &help);
	else if (config_bpf(life->base))
		kernel_probe(0, &help); /* a build without helps says so */
	if (why)
		diag_info("kernel", "steer off: %s", why);
	else if (spread == LISTENER_BY_HANDLER)
		diag_info("kernel", "steer on: %s", help.how);
	else
		diag_info("kernel", "steer on: classic BPF; %s",
		          help.is_on ? "eBPF could not be attached" : help.how);
}

static void give_up(struct broker_life *life, const struct broker_error *why)
{
	diag_error("broker", "%s", why->text);
	broker_stop(&life->broker);
	if (life->options.failed)
		life->options.failed(life->options.arg);
}

/* reactor 0: registered.  Again after a lost session: then it has only to be unfenced. */
static void on_registered(void *arg)
{
	struct broker_life *life = arg;
	struct broker_error why;

	life->broker_epoch = metadata_broker_epoch(life->broker.metadata);
	partitions_start(life->broker.partitions);
	if (!life->has_listeners && listen_on(life, true, &why)) {
		give_up(life, &why);
		return;
	}
	export_metrics(life);
	life->has_listeners = true;
	metadata_unfence(life->broker.metadata);
}

static void on_unfenced(void *arg)
{
	struct broker_life *life = arg;
	struct broker_error why;
	uint64_t ms;

	if (life->is_ready || life->is_stopping)
		return;
	life->is_ready = true;
	if (listen_on(life, false, &why)) {
		give_up(life, &why);
		return;
	}
	say_helps(life);
	ms = mono_ms() - life->begun_ms;
	diag_info("broker", "ready after %llu ms: node %d of cluster %.*s", (unsigned long long)ms,
	          life->broker.node_id, STR_ARG(metadata_cluster_id(life->broker.metadata)));
	if (life->options.ready)
		life->options.ready(life->options.arg, ms);
}

static void on_partition_made(void *arg, struct partition *part)
{
	struct broker_life *life = arg;

	if (str_eq(part->topic, STR(TOPIC_CONSUMER_OFFSETS)))
		groups_attach(&life->broker, part);
}

static void on_dir_failed(void *arg, struct uuid id, uint32_t left)
{
	struct broker_life *life = arg;

	if (!left)
		halt("no log directory is left that can be trusted");
	if (uuid_eq(id, life->dirs.at[0].id))
		halt("the directory of the metadata log cannot be trusted");
}

/* ---- opening ---- */

static int check_roles(const struct config *c, struct broker_error *why)
{
	struct config_listeners l = config_listeners(c);

	if (!config_is_broker(c) || !config_is_controller(c))
		return broker_fail(why, -EINVAL,
		                   "process.roles must be broker,controller: a node of one role "
		                   "needs a quorum of several nodes, which is not there yet");
	if (config_voters(c).count > 1)
		return broker_fail(why, -EINVAL,
		                   "controller.quorum.voters names %u voters: a quorum of several "
		                   "nodes is not there yet",
		                   config_voters(c).count);
	for (uint32_t i = 0; i < l.count; i++) {
		if (l.listener[i].protocol != SECURITY_PLAINTEXT)
			return broker_fail(why, -EINVAL,
			                   "listener %.*s: only the security protocol PLAINTEXT is "
			                   "there yet",
			                   STR_ARG(l.listener[i].name));
		if (!l.listener[i].is_controller && !l.listener[i].advertised_port)
			return broker_fail(why, -EINVAL,
			                   "listener %.*s: a port must be given, or an advertised "
			                   "one",
			                   STR_ARG(l.listener[i].name));
	}
	return 0;
}

/* Advertised listeners of one kind; names live in the life's arena. */
static const struct metadata_listener *advertised(struct broker_life *life, bool controllers,
                                                  uint32_t *ret_count)
{
	struct config_listeners l = config_listeners(life->base);
	struct metadata_listener *ret = arena_array(&life->arena, l.count, sizeof(*ret));
	char name[256] = "";

	*ret_count = 0;
	for (uint32_t i = 0; i < l.count; i++) {
		const struct listener_config *at = &l.listener[i];
		struct str host = at->advertised_host;

		if (at->is_controller != controllers || (!controllers && !at->is_advertised))
			continue;
		if (!host.size) {
			if (!name[0])
				host_name(name, sizeof(name));
			host = arena_str(&life->arena, str_of(name));
		}
		ret[(*ret_count)++] = (struct metadata_listener){
			.name = at->name,
			.host = host,
			.port = at->advertised_port ? at->advertised_port : at->port,
			.security_protocol = (int16_t)at->protocol,
		};
	}
	return ret;
}

static struct log_config metadata_log_config(const struct config *c)
{
	return (struct log_config){
		.segment_bytes = (uint32_t)config_int(c, CONFIG_METADATA_LOG_SEGMENT_BYTES),
		.segment_ms = config_long(c, CONFIG_METADATA_LOG_SEGMENT_MS),
		.index_interval_bytes = (uint32_t)config_int(c, CONFIG_LOG_INDEX_INTERVAL_BYTES),
		.index_bytes = (uint32_t)config_int(c, CONFIG_LOG_INDEX_SIZE_MAX_BYTES),
		.retention_ms = -1,
		.retention_bytes = -1,
		.file_delete_delay_ms = config_long(c, CONFIG_LOG_SEGMENT_DELETE_DELAY_MS),
		.flush_messages = INT64_MAX,
		.flush_ms = INT64_MAX,
		.producer_expiration_ms = config_int(c, CONFIG_PRODUCER_ID_EXPIRATION_MS),
		.cleanup_delete = true,
	};
}

static int open_metadata(struct broker_life *life, struct broker_error *why)
{
	const struct config *c = life->base;
	struct uuid *ids = arena_array(&life->arena, life->dirs.count, sizeof(*ids));
	struct metadata_error reason;
	struct metadata_options o = {
		.dir = life->dirs.at[0].dir,
		.recovery = life->dirs.at[0].recovery,
		.log = metadata_log_config(c),
		.node_id = life->broker.node_id,
		.rack = config_str(c, CONFIG_BROKER_RACK),
		.log_dir = ids,
		.previous_broker_epoch = life->dirs.previous_broker_epoch,
		.rules = config_controller_rules(c),
		.default_partition_count = config_int(c, CONFIG_NUM_PARTITIONS),
		.default_replication_factor =
			(int16_t)config_int(c, CONFIG_DEFAULT_REPLICATION_FACTOR),
		.default_min_isr = config_int(c, CONFIG_MIN_INSYNC_REPLICAS),
		.session_timeout_ms = (uint32_t)config_int(c, CONFIG_BROKER_SESSION_TIMEOUT_MS),
		.heartbeat_interval_ms =
			(uint32_t)config_int(c, CONFIG_BROKER_HEARTBEAT_INTERVAL_MS),
		.idle_interval_ms = (uint32_t)config_int(c, CONFIG_METADATA_MAX_IDLE_INTERVAL_MS),
		.snapshot_bytes = (uint64_t)config_long(
			c, CONFIG_METADATA_LOG_MAX_RECORD_BYTES_BETWEEN_SNAPSHOTS),
		.snapshot_interval_ms =
			(uint64_t)config_long(c, CONFIG_METADATA_LOG_MAX_SNAPSHOT_INTERVAL_MS),
		.retention_bytes = (uint64_t)config_long(c, CONFIG_METADATA_MAX_RETENTION_BYTES),
		.retention_ms = (uint64_t)config_long(c, CONFIG_METADATA_MAX_RETENTION_MS),
		.ready = on_registered,
		.changed = on_changed,
		.unfenced = on_unfenced,
		.arg = life,
	};
	int err;

	if (config_bool(c, CONFIG_AUTO_LEADER_REBALANCE_ENABLE))
		o.imbalance_check_ms =
			(uint32_t)config_long(c, CONFIG_LEADER_IMBALANCE_CHECK_INTERVAL_SECONDS) *
			1000;
	o.listener = advertised(life, false, &o.listener_count);
	o.controller = advertised(life, true, &o.controller_count);
	for (uint32_t i = 0; i < life->dirs.count; i++)
		if (life->dirs.at[i].has_logs)
			ids[o.log_dir_count++] = life->dirs.at[i].id;
	err = metadata_open(&o, &life->broker.metadata, &reason);
	return err ? broker_fail(why, err, "%s", reason.text) : 0;
}

static int open_partitions(struct broker_life *life, struct broker_error *why)
{
	struct partitions_dir *dir = arena_array(&life->arena, life->dirs.count, sizeof(*dir));
	struct partitions_options o = {
		.node_id = life->broker.node_id,
		.dir = dir,
		.config = life->base,
		.metadata = life->broker.metadata,
		.dir_failed = on_dir_failed,
		.attach = on_partition_made,
		.arg = life,
	};
	int err;

	for (uint32_t i = 0; i < life->dirs.count; i++)
		if (life->dirs.at[i].has_logs)
			dir[o.dir_count++] =
				(struct partitions_dir){ life->dirs.at[i].dir, life->dirs.at[i].id,
				                         life->dirs.at[i].recovery };
	err = partitions_open(&o, &life->broker.partitions);
	return err ? broker_fail(why, err, "log directories: %s", strerror(-err)) : 0;
}

static void open_server(struct broker_life *life)
{
	struct conn_limits limits = broker_limits_read(life->base, &life->arena);

	life->broker.server = conn_server_open(&life->broker, &limits);
}

int broker_open(const struct broker_options *options, struct broker **ret, struct broker_error *why)
{
	struct broker_life *life = mem_zalloc(sizeof(*life));
	int err;

	life->begun_ms = mono_ms();
	life->options = *options;
	life->base = options->config;
	life->broker_epoch = -1;
	atomic_init(&life->broker.config, config_get(life->base));
	life->broker.node_id = config_int(life->base, CONFIG_NODE_ID);
	life->broker.kernel = options->kernel;
	arena_init(&life->arena, SIZE_MAX);
	err = check_roles(life->base, why);
	if (!err)
		err = broker_dirs_open(life->base, &life->dirs, why);
	if (!err)
		err = open_metadata(life, why);
	if (!err)
		err = open_partitions(life, why);
	if (err) {
		if (life->broker.metadata && metadata_close(life->broker.metadata, false))
			diag_debug("broker", "the metadata log was not closed well");
		life->broker.metadata = NULL;
		broker_dirs_close(&life->dirs);
		broker_free(&life->broker);
		return err;
	}
	life->broker.producer_ids = producer_ids_new(life->broker.metadata);
	life->broker.auto_topics = auto_topics_new(&life->broker);
	life->broker.fetchers = fetchers_new(&life->broker);
	life->broker.validators = validators_new();
	life->broker.telemetry =
		telemetry_new((uint32_t)config_int(life->base, CONFIG_TELEMETRY_MAX_BYTES));
	open_server(life);
	*ret = &life->broker;
	return 0;
}

void broker_start(struct broker *b)
{
	metadata_start(b->metadata);
}

/* ---- stopping ---- */

static void on_idle(void *arg)
{
	(void)arg;
	reactors_stop();
}

static void on_quiet(void *arg)
{
	struct broker_life *life = arg;

	partitions_stop(life->broker.partitions, on_idle, life);
}

static void on_hidden(void *arg)
{
	struct broker_life *life = arg;

	conn_server_stop(life->broker.server, GRACE_MS, on_quiet, life);
}

static void on_left(void *arg)
{
	struct broker_life *life = arg;

	exporter_stop(life->exporter, on_hidden, life);
}

void broker_stop(struct broker *b)
{
	struct broker_life *life = life_of(b);
	bool controlled;

	if (life->is_stopping)
		return;
	life->is_stopping = true;
	diag_info("broker", "stopping");
	controlled = config_bool(broker_config(b), CONFIG_CONTROLLED_SHUTDOWN_ENABLE);
	metadata_stop(b->metadata, controlled ? SHUTDOWN_MS : 0, on_left, life);
}

int broker_close(struct broker *b)
{
	struct broker_life *life = life_of(b);
	int *log_err = mem_array(life->dirs.count + 1, sizeof(*log_err));
	int *err = mem_array(life->dirs.count + 1, sizeof(*err));
	uint32_t n = 0;
	int worst;

	partitions_close(b->partitions, true, log_err);
	for (uint32_t i = 0; i < life->dirs.count; i++)
		if (life->dirs.at[i].has_logs)
			err[i] = log_err[n++];
	worst = metadata_close(b->metadata, true);
	b->metadata = NULL;
	if (worst && !err[0])
		err[0] = worst;
	worst = broker_dirs_end(&life->dirs, err, life->broker_epoch);
	mem_free(log_err);
	mem_free(err);
	return worst;
}

void broker_free(struct broker *b)
{
	struct broker_life *life = life_of(b);

	if (b->fetchers)
		fetchers_free(b->fetchers);
	if (b->server)
		conn_server_close(b->server);
	exporter_free(life->exporter);
	auto_topics_free(b->auto_topics);
	validators_free(b->validators);
	telemetry_free(b->telemetry);
	producer_ids_free(b->producer_ids);
	partitions_free(b->partitions);
	config_put(atomic_load(&b->config));
	config_put(life->base);
	arena_fini(&life->arena);
	broker_dirs_close(&life->dirs);
	metrics_close();
	mem_free(life);
}
