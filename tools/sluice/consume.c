/* SPDX-License-Identifier: Apache-2.0 */
#include "consume.h"

#include <inttypes.h>
#include <limits.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

const char consume_help[] =
	"sluice consume: records to standard output\n"
	"\n"
	"  sluice consume TOPIC... [options]\n"
	"    --regex           TOPIC is an extended regular expression for the whole name\n"
	"    --from O          beginning, end, an offset, -N (before the end), @TIME, or\n"
	"                      +DURATION (the last 90s, 5m, 2h, 1d); default: end, with --exit\n"
	"                      beginning.  In a group only where it has committed nothing.\n"
	"    --count N         so many records, then the end\n"
	"    --exit            ends where the log ends\n"
	"    --isolation I     read_committed (the default) or read_uncommitted\n"
	"    --format json     a line a record\n"
	"    --print FORMAT    %t topic, %p partition, %o offset, %T timestamp, %k key, %v value,\n"
	"                      %h headers, %% , \\n \\t \\\\; default '%v\\n'.  Null prints as "
	"NULL.\n"
	"    -X KEY=VALUE      a setting of librdkafka, as session.timeout.ms=10000\n"
	"\n"
	"  alone\n"
	"    --partition N     may be repeated; default: all of them\n"
	"\n"
	"  in a group\n"
	"    --group G         shares the partitions with its other members\n"
	"    --instance ID     a static member: it may be away for the session timeout\n"
	"    --assignor A      range, roundrobin (the default is both) or cooperative-sticky\n"
	"    --no-commit       what was read stays as if it were not\n"
	"    -v                says on standard error which partitions come and go\n"
	"\n"
	"TIME is in milliseconds since 1970 or like 2026-11-27T19:30:00Z, without Z local time.\n"
	"Offsets are committed of what was printed, every second and at the end; an interrupt\n"
	"leaves the group.  Exit status 0: all that was asked for was printed; after an interrupt\n"
	"0 too, unless --count or --exit had set an end.\n";

enum { STORE_EVERY = 1024 };

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
	if (interrupted)
		_Exit(128 + signo);
	interrupted = signo;
}

/* ---- reading ---- */

static void take(struct consume *c, const rd_kafka_message_t *m)
{
	const char *topic = m->rkt ? rd_kafka_topic_name(m->rkt) : c->name[0];

	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		consume_ended(c, topic, m->partition, true);
		return;
	}
	if (m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE ||
	    m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
		cli_fail("%s: partition %" PRId32
		         ": what was to be read next is not in the log (any more)%s",
		         topic, m->partition,
		         c->group ? "; `sluice group reset` chooses another place" : "");
	if (m->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		cli_fail_with(m->err, topic);
	if (m->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
		cli_say("group %s: standard output took so long that the group went on without us",
		        c->group);
		return;
	}
	if (m->err)
		cli_fail("%s: %s", topic, rd_kafka_message_errstr(m));
	consume_print(c, m);
	c->taken++;
	if (c->group)
		consume_printed(c, m);
	if (ferror(stdout))
		cli_flush();
}

static rd_kafka_message_t *next(struct consume *c, int timeout_ms)
{
	if (c->group)
		return rd_kafka_consumer_poll(c->client, timeout_ms);
	return rd_kafka_consume_queue(c->queue, timeout_ms);
}

static void flush(struct consume *c)
{
	cli_flush();
	if (c->group)
		consume_store(c);
}

static bool is_at_end(const struct consume *c)
{
	return c->exit_at_end && c->ended_count == c->source_count &&
	       (!c->group || c->was_assigned);
}

/* True: all that was asked for was printed. */
static bool run(struct consume *c)
{
	for (;;) {
		rd_kafka_message_t *m;

		if (c->taken == c->count || is_at_end(c))
			return true;
		if (interrupted)
			return c->count < 0 && !c->exit_at_end;
		/* First what is there already, then what comes. */
		m = next(c, 0);
		if (!m) {
			flush(c);
			m = next(c, 200);
		}
		if (!c->group)
			rd_kafka_poll(c->client, 0);
		progress_step(&c->progress, c->taken, c->count);
		if (!m)
			continue;
		take(c, m);
		rd_kafka_message_destroy(m);
		if (c->group && c->taken % STORE_EVERY == 0)
			flush(c);
	}
}

/* ---- options ---- */

static rd_kafka_conf_t *consumer_conf(struct cli *cli, struct consume *c)
{
	const char *isolation = cli_option(cli, "--isolation");
	const char *assignor = cli_option(cli, "--assignor");
	const char *instance = cli_option(cli, "--instance");
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	isolation = isolation ? isolation : "read_committed";
	if (strcmp(isolation, "read_committed") && strcmp(isolation, "read_uncommitted"))
		cli_usage("--isolation %s: read_committed or read_uncommitted is wanted",
		          isolation);
	if (!c->group && (assignor || instance || !c->commits))
		cli_usage("--assignor, --instance and --no-commit are for a --group");
	cli_conf(conf, "enable.partition.eof", "true");
	cli_conf(conf, "allow.auto.create.topics", "false");
	cli_conf(conf, "auto.offset.reset", "error");
	cli_conf(conf, "isolation.level", isolation);
	cli_conf(conf, "fetch.wait.max.ms", "100");
	/* One record may be as large as its topic lets it be. */
	cli_conf(conf, "receive.message.max.bytes", "2147483647");
	if (c->group)
		consume_group_conf(c, conf);
	if (assignor)
		cli_conf(conf, "partition.assignment.strategy", assignor);
	if (instance)
		cli_conf(conf, "group.instance.id", instance);
	cli_conf_options(cli, conf);
	return conf;
}

static void parse_from(struct cli *cli, struct consume *c)
{
	const char *from = cli_option_or(cli, "--from", "--offset");

	c->from = when_parse("--from", from ? from : c->exit_at_end ? "beginning" : "end");
	if (c->from.kind == WHEN_FORTH)
		cli_usage("--from %s: + needs a unit, as in +5m", from);
}

static void parse_partitions(struct cli *cli, struct consume *c)
{
	long partition;

	c->partition = mem_array((size_t)cli->argc + 1, sizeof(*c->partition));
	while ((partition = cli_number(cli, "--partition", -1, 0, INT32_MAX)) >= 0)
		c->partition[c->partition_count++] = (int32_t)partition;
	if (c->group && c->partition_count)
		cli_usage("--group and --partition exclude each other: the group decides");
}

static void parse_topics(struct cli *cli, struct consume *c)
{
	size_t count = 0;
	regex_t re;

	c->name = mem_array((size_t)cli->argc + 1, sizeof(*c->name));
	while ((c->name[count] = cli_word(cli)))
		count++;
	if (!count)
		cli_usage("consume: a topic is wanted");
	if (!c->is_regex)
		return;
	if (count > 1)
		cli_usage("--regex: one expression is wanted; a|b is for both");
	if (regcomp(&re, c->name[0], REG_EXTENDED | REG_NOSUB))
		cli_usage("%s: not a regular expression", c->name[0]);
	regfree(&re);
}

static rd_kafka_conf_t *parse(struct cli *cli, struct consume *c)
{
	rd_kafka_conf_t *conf;

	c->count = cli_number(cli, "--count", -1, 1, LONG_MAX);
	c->group = cli_option(cli, "--group");
	c->commits = !cli_flag(cli, "--no-commit");
	c->format = cli_option(cli, "--print");
	c->exit_at_end = cli_flag(cli, "--exit");
	c->is_regex = cli_flag(cli, "--regex");
	c->verbose = cli_flag_or(cli, "-v", "--verbose");
	c->out.json = cli_wants_json(cli);
	parse_from(cli, c);
	parse_partitions(cli, c);
	conf = consumer_conf(cli, c);
	parse_topics(cli, c);
	if (c->out.json && c->format)
		cli_usage("--print and --format json exclude each other");
	c->format = c->format ? c->format : "%v\\n";
	consume_check_format(c->format);
	return conf;
}

static void fini(struct consume *c)
{
	rd_kafka_destroy(c->client);
	for (size_t i = 0; i < c->source_count; i++)
		mem_free(c->source[i].name);
	mem_free(c->source);
	mem_free(c->partition);
	mem_free(c->name);
	out_fini(&c->out);
}

int cmd_consume(struct cli *cli)
{
	struct consume c = { 0 };
	struct sigaction action = { .sa_handler = on_signal };
	rd_kafka_conf_t *conf = parse(cli, &c);
	bool complete;

	c.client = cli_client(cli, RD_KAFKA_CONSUMER, conf);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (c.group)
		consume_start_group(&c);
	else
		consume_start_alone(&c);
	progress_start(&c.progress, STDOUT_FILENO);
	complete = run(&c);
	flush(&c);
	progress_clear();
	if (c.group)
		consume_stop_group(&c);
	else
		consume_stop_alone(&c);
	fini(&c);
	return complete ? EXIT_OK : 128 + interrupted;
}
