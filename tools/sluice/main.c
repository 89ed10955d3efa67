/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char help[] =
	"sluice: topics and records of a Kafka cluster, files of a broker\n"
	"\n"
	"  sluice topic create NAME [--partitions N] [--replication-factor N] [--config "
        "KEY=VALUE]...\n"
	"  sluice topic list [--internal]\n"
	"  sluice topic describe [NAME]\n"
	"  sluice topic delete NAME...\n"
	"  sluice produce TOPIC [--partition N] [--key-separator S] [--header NAME=VALUE]...\n"
	"                 [--compression none|gzip|snappy|lz4|zstd] [--acks all|1|0] "
        "[--null-empty]\n"
	"      one record a line of standard input\n"
	"  sluice consume TOPIC [--partition N]... [--offset beginning|end|N|-N|@MS] [--count N]\n"
	"                 [--exit] [--print FORMAT]\n"
	"      without --partition all of them; --exit ends at the end of the log\n"
	"      FORMAT: %t topic, %p partition, %o offset, %T timestamp, %k key, %v value, %h "
        "headers,\n"
	"      \\n and \\t; default '%v\\n'\n"
	"  sluice log dump [--records] [--format json] FILE...\n"
	"  sluice storage random-uuid\n"
	"  sluice storage format --config FILE [--cluster-id ID] [--standalone] "
        "[--ignore-formatted]\n"
	"  sluice storage info --config FILE\n"
	"\n"
	"  --bootstrap-server HOST:PORT   default 127.0.0.1:9092, or $SLUICE_BOOTSTRAP\n"
	"  --help, --version\n";

static const struct {
	const char *name;
	int (*run)(struct cli *cli);
} command[] = {
	{ "topic", cmd_topic }, { "produce", cmd_produce }, { "consume", cmd_consume },
	{ "log", cmd_log },     { "storage", cmd_storage },
};

static void take(struct cli *cli, int at, int count)
{
	memmove(&cli->argv[at], &cli->argv[at + count],
	        (size_t)(cli->argc - at - count) * sizeof(*cli->argv));
	cli->argc -= count;
}

const char *cli_option(struct cli *cli, const char *name)
{
	size_t size = strlen(name);

	for (int i = 0; i < cli->argc; i++) {
		char *arg = cli->argv[i];

		if (strncmp(arg, name, size))
			continue;
		if (arg[size] == '=') {
			take(cli, i, 1);
			return arg + size + 1;
		}
		if (!arg[size]) {
			char *value;

			if (i + 1 == cli->argc)
				cli_usage("%s needs a value", name);
			value = cli->argv[i + 1];
			take(cli, i, 2);
			return value;
		}
	}
	return NULL;
}

bool cli_flag(struct cli *cli, const char *name)
{
	for (int i = 0; i < cli->argc; i++) {
		if (!strcmp(cli->argv[i], name)) {
			take(cli, i, 1);
			return true;
		}
	}
	return false;
}

long cli_number(struct cli *cli, const char *name, long fallback, long min, long max)
{
	const char *text = cli_option(cli, name);
	char *end;
	long value;

	if (!text)
		return fallback;
	value = strtol(text, &end, 10);
	if (*end || end == text || value < min || value > max)
		cli_usage("%s %s: a number from %ld to %ld is wanted", name, text, min, max);
	return value;
}

const char *cli_word(struct cli *cli)
{
	char *word = cli->argc ? cli->argv[0] : NULL;

	if (!word)
		return NULL;
	if (word[0] == '-' && word[1])
		cli_usage("unknown option %s", word);
	take(cli, 0, 1);
	return word;
}

void cli_done(struct cli *cli)
{
	if (cli->argc)
		cli_usage("what is '%s'?", cli->argv[0]);
}

void cli_fail(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("sluice: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILED);
}

void cli_usage(const char *format, ...)
{
	va_list args;

	fputs("sluice: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; see sluice --help\n", stderr);
	exit(EXIT_USAGE);
}

void cli_conf(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char error[256];

	if (rd_kafka_conf_set(conf, key, value, error, sizeof(error)) != RD_KAFKA_CONF_OK)
		cli_usage("%s", error);
}

rd_kafka_t *cli_client(struct cli *cli, rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char error[256];
	rd_kafka_t *client;

	if (!conf)
		conf = rd_kafka_conf_new();
	cli_conf(conf, "bootstrap.servers", cli->bootstrap);
	cli_conf(conf, "client.id", "sluice");
	cli_conf(conf, "log_level", "2");
	client = rd_kafka_new(type, conf, error, sizeof(error));
	if (!client)
		cli_fail("%s", error);
	return client;
}

int main(int argc, char **argv)
{
	struct cli cli = { .bootstrap = getenv("SLUICE_BOOTSTRAP"), argc - 1, argv + 1 };
	const char *bootstrap = cli_option(&cli, "--bootstrap-server");
	const char *word;

	if (bootstrap)
		cli.bootstrap = bootstrap;
	if (!cli.bootstrap)
		cli.bootstrap = "127.0.0.1:9092";
	if (cli_flag(&cli, "--version")) {
		puts("sluice " SLUICE_VERSION);
		return EXIT_OK;
	}
	if (cli_flag(&cli, "--help") || !cli.argc) {
		fputs(help, stdout);
		return argc > 1 ? EXIT_OK : EXIT_USAGE;
	}
	word = cli_word(&cli);
	for (size_t i = 0; i < sizeof(command) / sizeof(command[0]); i++) {
		if (!strcmp(word, command[i].name))
			return command[i].run(&cli);
	}
	cli_usage("unknown command '%s'", word);
}
