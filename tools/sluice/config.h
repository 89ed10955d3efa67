/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include "kafka.h"
#include "wire/describe_configs.h"

/* What has configs; the numbers are the wire's. */
enum config_type {
	CONFIG_TOPIC = 2,
	CONFIG_BROKER = 4,
	CONFIG_BROKER_LOGGER = 8,
	CONFIG_CLIENT_METRICS = 16,
	CONFIG_GROUP = 32,
};

enum config_source {
	SOURCE_TOPIC = 1,
	SOURCE_DEFAULT = 5,
};

struct config_of {
	enum config_type type;
	const char *name;
};

/* The values that were set (KEY=VALUE) and the keys to be taken back; NULL ends each. */
struct config_change {
	const char **set;
	const char **unset;
	bool dry_run;
};

/* Every --NAME of the command line, NULL behind the last; the caller's (mem_free). */
const char **config_options(struct cli *cli, const char *name);
/* KEY of KEY=VALUE, the arena's; ends the program when there is none. */
struct str config_key(const char *option, const char *text);
/* Says itself what was refused; the exit status. */
int config_alter(struct kafka *k, struct config_of of, const struct config_change *change);
/* `key` NULL: all; else a list that NULL ends.  Look at its error_code. */
const struct describe_configs_response_result *config_describe(struct kafka *k, struct config_of of,
                                                               const char **key);

#endif
