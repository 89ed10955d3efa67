/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_CONFIG_PRIVATE_H
#define BROKER_CONFIG_PRIVATE_H

#include "base/arena.h"
#include "base/map.h"
#include "base/pmap.h"
#include "broker/config.h"
#include "broker/config_describe.h"

/* A parsed value; text is as DescribeConfigs prints it, data NULL: null. */
struct config_value {
	struct str text;
	int64_t number; /* INT, SHORT, LONG; BOOLEAN as 0 and 1 */
	double real;    /* and as double */
	const struct str *item;
	uint32_t item_count;
};

/*
 * Parses and checks one value (ConfigDef.parseValue).  False: *ret_why has Kafka's message.  Texts
 * are in the arena, which must not run out.
 */
bool config_parse(const struct config_key *key, struct str raw, struct arena *arena,
                  struct config_value *ret, struct str *ret_why);
/* The default of a key that has one (or null). */
void config_parse_default(const struct config_key *key, struct arena *arena,
                          struct config_value *ret);
/* "INT, at least 1" */
void config_allowed(const struct config_key *key, struct buf *out);
bool config_value_has(const struct config_value *v, struct str item);

struct str config_trim(struct str s);
bool config_parse_long(struct str s, int64_t *ret);
/* Items between commas, blanks around commas dropped (AbstractConfig's lists). */
const struct str *config_split(struct str text, struct arena *arena, uint32_t *ret_count);
bool config_str_eq_nocase(struct str a, struct str b);
struct str config_upper(struct str s, struct arena *arena);
struct str config_join(struct config_list list, const char *between, struct arena *arena);
/* "host:port", "[::1]:port"; the port may be out of range.  False: it is not like that. */
bool config_split_host(struct str s, struct str *ret_host, int64_t *ret_port);
bool config_is_host(struct str s); /* Utils.validHostPattern */
struct str config_lower(struct str s, struct arena *arena);
/* arena_printf() and arena_alloc() that never fail, for the arenas that have no limit. */
void *config_alloc(struct arena *arena, size_t count, size_t size);

/* What is in the file, or in a dynamic layer. */
struct config_given {
	struct str name;
	struct str value;
	const char *file; /* where it is from; NULL: nobody gave it */
	uint32_t line;    /* 0: not from a file */
	uint32_t order;   /* of two of the same name the later counts */
	bool is_copy;     /* node.id of broker.id, or the other way round */
	bool is_dead;     /* while layers are merged */
	struct map_node node;
};

struct config_givens { /* sorted by name, each name once */
	struct config_given *item;
	uint32_t count;
};

const struct config_given *config_givens_find(const struct config_givens *g, struct str name);

struct config {
	struct object object;
	struct arena arena; /* everything below lives here */

	const char *file; /* NULL: a single node without one */

	struct config_givens fixed; /* STATIC_BROKER */
	struct config_layer broker; /* DYNAMIC_BROKER, what of it is good */
	struct config_layer cluster;
	struct config_givens given; /* the three in one, as Kafka merges them */

	struct config_value value[CONFIG_COUNT];
	bool is_set[CONFIG_COUNT];

	struct config_list log_dirs;
	struct config_listeners listeners;
	struct config_listeners advertised; /* as given in advertised.listeners */
	struct config_list listener_map;    /* names that have a protocol */
	struct str inter_broker;            /* the name of that listener */
	struct config_ip_limits ip_limits;
	struct config_voters voters;
	struct config_voters bootstrap_servers;
	struct config_voter metrics_listener;
	bool is_broker;
	bool is_controller;
};

/*
 * The other names of a broker key, itself included, by precedence (DynamicBrokerConfig
 * .brokerConfigSynonyms); in the arena where needed.
 */
struct config_list config_broker_synonyms(struct str name, bool match_listener,
                                          struct arena *arena);
/* "listener.name.NAME.KEY": KEY; data NULL: it is not like that. */
struct str config_listener_base(struct str name);
bool config_is_dynamic(struct str name); /* DynamicBrokerConfig.ALL_DYNAMIC_CONFIGS */
bool config_is_per_broker(struct str name);
bool config_is_security(struct str name); /* only per listener (SslConfigs.RECONFIGURABLE) */

/* A complaint, Kafka's text, for a place in the file when the key is from there. */
struct config_complaints {
	struct config *c;
	struct config_report *report; /* NULL: only the first is wanted */
	struct str first;             /* error; data NULL: none */
};
void config_complain(struct config_complaints *to, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void config_warn(struct config_complaints *to, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Scala's require(): clients see its own words before the message, the operator does not. */
void config_refuse(struct config_complaints *to, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define config_require(to, is_true, key, ...)                                                      \
	do {                                                                                       \
		if (!(is_true))                                                                    \
			config_refuse(to, key, __VA_ARGS__);                                       \
	} while (0)

/* After the values: voters, listeners, directories; each false when it complained. */
void config_derive(struct config_complaints *to);
bool config_derive_voters(struct config_complaints *to);
bool config_derive_listeners(struct config_complaints *to);
bool config_derive_ip_limits(struct config_complaints *to);
bool config_derive_metrics_listener(struct config_complaints *to);

/* What must fit together (KafkaConfig.validateValues). */
void config_check_values(struct config_complaints *to);
void config_check_roles(struct config_complaints *to);
/* What this broker cannot be yet. */
void config_check_supported(struct config_complaints *to);

/*
 * The fixed part of `base` with these layers over it, cross-checked.  Complaints about single
 * values and between them; values that are wrong have their default.
 */
struct config *config_assemble(const struct config *base, const struct config_dynamic *dynamic);
/* What of a layer may be dynamic and has good values (DynamicBrokerConfig.fromPersistentProps). */
struct config_layer config_filter(struct config_layer layer, bool per_broker, struct arena *arena,
                                  struct config_report *report);
/* Those of a broker, or of the empty name, in an image. */
struct config_layer config_good_layer(const struct image *image, struct str broker_name,
                                      struct arena *arena);
void config_resolve(struct config_complaints *to);

/* One question whether configs are good: the layer, and where the answer goes. */
struct validation {
	const struct config *c;
	struct config_layer layer;
	struct arena arena; /* without a limit, for what is parsed */
	struct arena *out;
	int16_t error;
	struct str message;
};
/* Sets the answer; false. */
bool validation_refuse(struct validation *v, int16_t error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same layer; it must be sorted. */
struct config_layer validation_layer(struct config_layer layer);

/* Of a topic's config the broker keys that stand in for it, by precedence; id -1 ends. */
struct config_topic_synonym {
	int id;           /* enum config_id */
	int64_t multiply; /* into the topic's unit */
};
enum { CONFIG_TOPIC_SYNONYMS_MAX = 4 };
const struct config_topic_synonym *config_topic_synonyms(enum topic_config_id id);
int config_group_synonym(enum group_config_id id); /* -1: none */

/* The value that a topic (a group) has without configs of its own. */
void config_topic_default(const struct config *c, enum topic_config_id id, struct arena *arena,
                          struct config_value *ret);
void config_group_default(const struct config *c, enum group_config_id id, struct arena *arena,
                          struct config_value *ret);

/* share.auto.offset.reset; false: neither latest, earliest nor by_duration:P... */
bool config_parse_offset_reset(struct str text, int *ret_kind, int64_t *ret_ms);

#endif
