/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char help[] =
	"sluice: topics and records of a Kafka cluster, files of a broker\n"
	"\n"
	"  sluice topic create|list|describe|alter|add-partitions|trim|delete\n"
	"  sluice produce TOPIC            records from standard input\n"
	"  sluice consume TOPIC            records to standard output, alone or in a group\n"
	"  sluice group list|describe|reset|delete\n"
	"  sluice config get|set|unset|list\n"
	"  sluice cluster info             brokers, quorum, features\n"
	"  sluice log dump FILE...         batches, records, index entries, checkpoints\n"
	"  sluice storage random-uuid|format|info\n"
	"  sluice kernel                   what eBPF does for the brokers of this machine\n"
	"\n"
	"  sluice COMMAND --help           what COMMAND takes\n"
	"  --bootstrap-server HOST:PORT    default 127.0.0.1:9092, or $SLUICE_BOOTSTRAP\n"
	"  --version\n"
	"\n"
	"Exit status: 0, 1 when the work failed, 2 when it was asked for wrongly.\n";

static const struct cli_command command[] = {
	{ "topic", cmd_topic, topic_help },         { "produce", cmd_produce, produce_help },
	{ "consume", cmd_consume, consume_help },   { "log", cmd_log, log_help },
	{ "storage", cmd_storage, storage_help },   { "group", cmd_group, group_help },
	{ "config", cmd_config, config_help },      { "cluster", cmd_cluster, cluster_help },
	{ "kernel", cmd_kernel, kernel_help_text },
};
enum { COMMANDS = sizeof(command) / sizeof(command[0]) };

static int print_help(struct cli *cli)
{
	const char *word = cli_word(cli);

	for (size_t i = 0; word && i < COMMANDS; i++) {
		if (!strcmp(word, command[i].name)) {
			fputs(command[i].help, stdout);
			return EXIT_OK;
		}
	}
	fputs(help, stdout);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	struct cli cli = { getenv("SLUICE_BOOTSTRAP"), argc - 1, argv + 1 };
	const char *bootstrap = cli_option(&cli, "--bootstrap-server");
	int status;

	if (bootstrap)
		cli.bootstrap = bootstrap;
	if (!cli.bootstrap || !*cli.bootstrap)
		cli.bootstrap = "127.0.0.1:9092";
	if (!cli.argc) {
		fputs(help, stderr);
		return EXIT_USAGE;
	}
	if (cli_flag_or(&cli, "--help", "-h")) {
		status = print_help(&cli);
	} else if (cli_flag(&cli, "--version")) {
		puts("sluice " SLUICE_VERSION);
		status = EXIT_OK;
	} else {
		status = cli_run(&cli, "", command, COMMANDS);
	}
	cli_flush();
	return status;
}
