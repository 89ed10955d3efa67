/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "io/file.h"
#include "progress.h"

/* ---- options and words ---- */

static void take(struct cli *cli, int at, int count)
{
	memmove(&cli->argv[at], &cli->argv[at + count],
	        (size_t)(cli->argc - at - count) * sizeof(*cli->argv));
	cli->argc -= count;
}

const char *cli_option(struct cli *cli, const char *name)
{
	size_t size = strlen(name);

	for (int i = 0; i < cli->argc && strcmp(cli->argv[i], "--"); i++) {
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
	for (int i = 0; i < cli->argc && strcmp(cli->argv[i], "--"); i++) {
		if (!strcmp(cli->argv[i], name)) {
			take(cli, i, 1);
			return true;
		}
	}
	return false;
}

const char *cli_option_or(struct cli *cli, const char *name, const char *alias)
{
	const char *value = cli_option(cli, name);

	return value ? value : cli_option(cli, alias);
}

bool cli_flag_or(struct cli *cli, const char *name, const char *alias)
{
	return cli_flag(cli, name) || cli_flag(cli, alias);
}

long cli_number(struct cli *cli, const char *name, long fallback, long min, long max)
{
	const char *text = cli_option(cli, name);
	char *end;
	long value;

	if (!text)
		return fallback;
	errno = 0;
	value = strtol(text, &end, 10);
	if (*end || end == text || errno || value < min || value > max)
		cli_usage("%s %s: a number from %ld to %ld is wanted", name, text, min, max);
	return value;
}

bool cli_wants_json(struct cli *cli)
{
	const char *format = cli_option(cli, "--format");

	if (format && strcmp(format, "json") && strcmp(format, "text"))
		cli_usage("--format %s: text or json is wanted", format);
	return format && !strcmp(format, "json");
}

const char *cli_word(struct cli *cli)
{
	char *word = cli->argc ? cli->argv[0] : NULL;

	if (!word)
		return NULL;
	if (!strcmp(word, "--")) {
		word = cli->argc > 1 ? cli->argv[1] : NULL;
		if (word)
			take(cli, 1, 1);
		else
			take(cli, 0, 1);
		return word;
	}
	if (word[0] == '-' && word[1])
		cli_usage("unknown option %s, or it was given twice", word);
	take(cli, 0, 1);
	return word;
}

void cli_done(struct cli *cli)
{
	const char *word = cli_word(cli);

	if (word)
		cli_usage("what is '%s'?", word);
}

int cli_run(struct cli *cli, const char *what, const struct cli_command *command, size_t count)
{
	const char *word = cli_word(cli);

	for (size_t i = 0; word && i < count; i++)
		if (!strcmp(word, command[i].name))
			return command[i].run(cli);
	fflush(stdout);
	fprintf(stderr, "sluice: %s%s%s?  There is", what, *what ? " " : "", word ? word : "what");
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "%s %s", i ? "," : "", command[i].name);
	fprintf(stderr, "; see sluice %s%s--help\n", what, *what ? " " : "");
	return EXIT_USAGE;
}

/* ---- messages and files ---- */

static void say(const char *format, va_list args, const char *end)
{
	fflush(stdout);
	progress_clear();
	fputs("sluice: ", stderr);
	vfprintf(stderr, format, args);
	fputs(end, stderr);
}

void cli_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args, "\n");
	va_end(args);
}

void cli_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args, "\n");
	va_end(args);
	exit(EXIT_FAILED);
}

void cli_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args, "; see sluice --help\n");
	va_end(args);
	exit(EXIT_USAGE);
}

void cli_flush(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return;
	/* Who reads us has had enough, which is nobody's mistake. */
	if (errno == EPIPE)
		_Exit(EXIT_FAILED);
	fprintf(stderr, "sluice: standard output: %s\n", strerror(errno));
	_Exit(EXIT_FAILED);
}

void *cli_read_file(const char *path, size_t size_max, size_t *ret_size)
{
	struct dir *here;
	void *data;
	int err = dir_open(".", false, &here);

	if (!err) {
		err = dir_read(here, path, size_max, &data, ret_size);
		dir_close(here);
	}
	if (err)
		cli_fail("%s: %s", path, strerror(-err));
	return data;
}
