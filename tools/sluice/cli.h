/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CLI_H
#define SLUICE_CLI_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The command-line tool.  It talks to any Kafka through librdkafka; commands that look at
 * files use the daemon's own code.  Exit status: 0, 1 when the work failed, 2 when it was
 * asked for wrongly.
 */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct cli {
	const char *bootstrap;
	/* What is left of the command line, options taken out by cli_option(). */
	int argc;
	char **argv;
};

/* ---- arguments: args.c ---- */

/*
 * Takes the option out of the arguments: `--name value` or `--name=value`.  NULL when it is not
 * there.  May be called again until it says NULL.  What follows a `--` is no option.
 */
const char *cli_option(struct cli *cli, const char *name);
bool cli_flag(struct cli *cli, const char *name);
/* The same by a long or a short name. */
const char *cli_option_or(struct cli *cli, const char *name, const char *alias);
bool cli_flag_or(struct cli *cli, const char *name, const char *alias);
long cli_number(struct cli *cli, const char *name, long fallback, long min, long max);
/* `--format json` or none. */
bool cli_wants_json(struct cli *cli);
/* The next word that is no option; NULL when there is none. */
const char *cli_word(struct cli *cli);
/* Ends the program with EXIT_USAGE when anything is left over. */
void cli_done(struct cli *cli);

struct cli_command {
	const char *name;
	int (*run)(struct cli *cli);
	const char *help; /* of a command; NULL of what belongs to one */
};
/* Runs the command that the next word names; `what` is for the message when there is none. */
int cli_run(struct cli *cli, const char *what, const struct cli_command *command, size_t count);

void cli_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void cli_usage(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Without end: "sluice: ..." on standard error. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What was printed reaches its reader, or the program ends. */
void cli_flush(void);
/* A small file, whole; the caller owns it (mem_free).  Ends the program when it cannot be had. */
void *cli_read_file(const char *path, size_t size_max, size_t *ret_size);

/* ---- a cluster: client.c ---- */

/* A client for cli->bootstrap; `conf` may be NULL and is taken over. */
rd_kafka_t *cli_client(struct cli *cli, rd_kafka_type_t type, rd_kafka_conf_t *conf);
void cli_conf(rd_kafka_conf_t *conf, const char *key, const char *value);
/* Every -X KEY=VALUE of the command line. */
void cli_conf_options(struct cli *cli, rd_kafka_conf_t *conf);
/* Ends the program with what is known of the trouble and what can be done. */
void cli_fail_with(rd_kafka_resp_err_t err, const char *what) __attribute__((noreturn));
/* Nobody listens there. */
void cli_fail_refused(const char *to) __attribute__((noreturn));
/* What was last wrong with a connection; "" when nothing was. */
const char *cli_trouble(void);
enum { CLI_TIMEOUT_MS = 15000 };

/* ---- the commands ---- */

int cmd_topic(struct cli *cli);
int cmd_produce(struct cli *cli);
int cmd_consume(struct cli *cli);
int cmd_group(struct cli *cli);
int cmd_config(struct cli *cli);
int cmd_cluster(struct cli *cli);
int cmd_log(struct cli *cli);
int cmd_storage(struct cli *cli);
int cmd_kernel(struct cli *cli);

extern const char topic_help[];
extern const char produce_help[];
extern const char consume_help[];
extern const char group_help[];
extern const char config_help[];
extern const char cluster_help[];
extern const char log_help[];
extern const char storage_help[];
extern const char kernel_help_text[];

#endif
