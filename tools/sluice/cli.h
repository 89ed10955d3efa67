/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CLI_H
#define SLUICE_CLI_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

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

/*
 * Takes the option out of the arguments: `--name value` or `--name=value`.  NULL when it is not
 * there.  cli_options() may be called until it says NULL.
 */
const char *cli_option(struct cli *cli, const char *name);
bool cli_flag(struct cli *cli, const char *name);
long cli_number(struct cli *cli, const char *name, long fallback, long min, long max);
/* The next word that is no option; NULL when there is none. */
const char *cli_word(struct cli *cli);
/* Ends the program with EXIT_USAGE when anything is left over. */
void cli_done(struct cli *cli);

void cli_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void cli_usage(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* A client for cli->bootstrap; `conf` may be NULL and is taken over. */
rd_kafka_t *cli_client(struct cli *cli, rd_kafka_type_t type, rd_kafka_conf_t *conf);
void cli_conf(rd_kafka_conf_t *conf, const char *key, const char *value);
enum { CLI_TIMEOUT_MS = 15000 };

int cmd_topic(struct cli *cli);
int cmd_produce(struct cli *cli);
int cmd_consume(struct cli *cli);
int cmd_log(struct cli *cli);
int cmd_storage(struct cli *cli);

#endif
