/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_CONFIG_H
#define BROKER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/str.h"
#include "broker/config_keys.h"

/*
 * The broker's configuration (org.apache.kafka.server.config.AbstractKafkaConfig, kafka.server
 * .KafkaConfig, DynamicBrokerConfig): every key with its parsed value, where each came from, the
 * listeners and directories made of them.  Pure: files are read by the caller.
 *
 * A config is immutable and counted.  A dynamic change makes another one, which replaces it whole.
 */
struct config;

struct config *config_get(const struct config *c); /* one more reference */
void config_put(const struct config *c);           /* NULL is fine */

/* ---- loading ---- */

struct config_input {
	struct span file;      /* server.properties; data NULL: none, a single node by default */
	const char *file_name; /* for messages */
	const struct str *override; /* "key=value", after the file */
	uint32_t override_count;
};

/* What there is to say, a line each: "error: FILE:LINE: ..." or "warning: ...". */
struct config_report {
	struct buf text;
	uint32_t errors;
	uint32_t warnings;
};
void config_report_fini(struct config_report *r);

/* NULL: refused, the report says why.  The report is added to; warnings come with a config too. */
struct config *config_load(const struct config_input *in, struct config_report *report);

/* `sluiced --check-config`: adds the whole text for the operator; true when the broker would
 * start. */
bool config_check(const struct config_input *in, struct buf *out);

/* ---- dynamic configs ---- */

/* Dynamic configs of one resource, as the metadata image holds them, sorted by name. */
struct config_pair {
	struct str name;
	struct str value;
};
struct config_layer {
	const struct config_pair *pair;
	uint32_t count;
};
/* data NULL: not in the layer */
struct str config_layer_value(struct config_layer layer, struct str name);

/* The broker's dynamic configs: its own, and the default of all. */
struct config_dynamic {
	struct config_layer broker;
	struct config_layer cluster;
};

/*
 * What `base` is (dynamic parts forgotten) with these dynamic configs over its file.  Those that
 * are not dynamic, or have no good value, are left out and reported as warnings; where they do not
 * fit together it is `base` itself.
 */
struct config *config_update(const struct config *base, const struct config_dynamic *dynamic,
                             struct config_report *report);

/* ---- values: any thread, constant time ---- */

bool config_bool(const struct config *c, enum config_id id);
int32_t config_int(const struct config *c, enum config_id id);  /* INT, SHORT; must have a value */
int64_t config_long(const struct config *c, enum config_id id); /* and LONG */
double config_double(const struct config *c, enum config_id id);
/* STRING, CLASS, PASSWORD; and every other as DescribeConfigs prints it.  data NULL: null. */
struct str config_str(const struct config *c, enum config_id id);

struct config_list {
	const struct str *item;
	uint32_t count;
};
struct config_list config_items(const struct config *c, enum config_id id);
bool config_is_null(const struct config *c, enum config_id id);
/* Given in the file, by an override or dynamically. */
bool config_is_set(const struct config *c, enum config_id id);

/*
 * The value for one listener: `listener.name.NAME.KEY`, else KEY's own.  With a mechanism:
 * `listener.name.NAME.MECHANISM.KEY`.
 */
struct str config_listener_str(const struct config *c, struct str listener, struct str mechanism,
                               enum config_id id);
/* A key of the file that the table does not know ("client.foo"); data NULL: not there. */
struct str config_raw(const struct config *c, struct str name);

/* ---- what is made of them ---- */

/* org.apache.kafka.common.security.auth.SecurityProtocol */
enum security_protocol {
	SECURITY_PLAINTEXT = 0,
	SECURITY_SSL = 1,
	SECURITY_SASL_PLAINTEXT = 2,
	SECURITY_SASL_SSL = 3,
};

/* One of `listeners`, with what is advertised for it. */
struct listener_config {
	struct str name; /* in capitals */
	enum security_protocol protocol;
	struct str host;            /* "": every address */
	uint16_t port;              /* 0: any free one */
	struct str advertised_host; /* "": this machine's canonical name is to be asked for */
	uint16_t advertised_port;
	bool is_advertised;
	bool is_controller;
	bool is_inter_broker;
};

struct config_listeners {
	const struct listener_config *listener;
	uint32_t count;
};
struct config_listeners config_listeners(const struct config *c);

/* One of controller.quorum.voters, or of controller.quorum.bootstrap.servers, whose id is -1. */
struct config_voter {
	int32_t id;
	struct str host;
	uint16_t port;
};
struct config_voters {
	const struct config_voter *voter;
	uint32_t count;
};
struct config_voters config_voters(const struct config *c);
struct config_voters config_bootstrap_servers(const struct config *c);

/* One of max.connections.per.ip.overrides. */
struct config_ip_limit {
	struct str host;
	int32_t connections_max;
};
struct config_ip_limits {
	const struct config_ip_limit *limit;
	uint32_t count;
};
struct config_ip_limits config_ip_limits(const struct config *c);

bool config_is_broker(const struct config *c);
bool config_is_controller(const struct config *c);
struct config_list config_log_dirs(const struct config *c); /* log.dirs, else log.dir */
struct str config_metadata_log_dir(const struct config *c); /* else the first log directory */

/* sluice.metrics.listener; host data NULL: none, "": every address */
struct config_voter config_metrics_listener(const struct config *c);

/* sluice.file.io */
enum config_file_io { CONFIG_FILE_IO_AUTO, CONFIG_FILE_IO_URING, CONFIG_FILE_IO_THREADS };
enum config_file_io config_file_io(const struct config *c);

bool config_bpf(const struct config *c); /* sluice.bpf */

/* docs/config.md, from the table. */
void config_document(struct buf *out);

#endif
