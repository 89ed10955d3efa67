/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "out.h"

const char consume_help[] =
	"sluice consume: records to standard output\n"
	"\n"
	"  sluice consume TOPIC [options]\n"
	"    --partition N     may be repeated; default: all of them\n"
	"    --offset O        beginning, end, N, -N (before the end) or @MS (a time);\n"
	"                      default: end, with --exit beginning\n"
	"    --count N         so many records, then the end\n"
	"    --exit            ends where the log ends\n"
	"    --isolation I     read_committed (the default) or read_uncommitted\n"
	"    --format json     a line a record\n"
	"    --print FORMAT    %t topic, %p partition, %o offset, %T timestamp, %k key, %v value,\n"
	"                      %h headers, %% , \\n \\t \\\\; default '%v\\n'.  Null prints as "
	"NULL.\n"
	"\n"
	"No group is joined and no offset is committed.  Exit status 0: all that was asked for "
	"was\n"
	"printed; after an interrupt 0 too, unless --count or --exit had set an end.\n";

struct consume {
	rd_kafka_t *client;
	rd_kafka_topic_t *topic;
	rd_kafka_queue_t *queue;
	const char *name;
	const char *format;
	const char *offset;
	const char *isolation;
	struct out out;
	bool exit_at_end;
	long count; /* -1: no limit */
	int32_t *partition;
	bool *ended; /* one for each: its end was seen */
	size_t partition_count;
	size_t ended_count;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
	if (interrupted)
		_Exit(128 + signo);
	interrupted = signo;
}

/* ---- printing ---- */

static void print_bytes(const void *data, size_t size)
{
	if (data)
		fwrite(data, 1, size, stdout);
	else
		fputs("NULL", stdout);
}

static void print_headers(const rd_kafka_message_t *m)
{
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t size;

	if (rd_kafka_message_headers(m, &headers))
		return;
	for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
		printf("%s%s=", i ? "," : "", name);
		print_bytes(value, size);
	}
}

static void print_field(const struct consume *c, const rd_kafka_message_t *m, char field)
{
	rd_kafka_timestamp_type_t type;

	switch (field) {
	case 't':
		fputs(c->name, stdout);
		break;
	case 'p':
		printf("%" PRId32, m->partition);
		break;
	case 'o':
		printf("%" PRId64, m->offset);
		break;
	case 'T':
		printf("%" PRId64, rd_kafka_message_timestamp(m, &type));
		break;
	case 'k':
		print_bytes(m->key, m->key_len);
		break;
	case 'v':
		print_bytes(m->payload, m->len);
		break;
	case 'h':
		print_headers(m);
		break;
	default:
		putchar(field);
	}
}

static void print_text(const struct consume *c, const rd_kafka_message_t *m)
{
	for (const char *f = c->format; *f; f++) {
		if (*f == '%')
			print_field(c, m, *++f);
		else if (*f == '\\')
			putchar(*++f == 'n' ? '\n' : *f == 't' ? '\t' : *f);
		else
			putchar(*f);
	}
}

static void check_format(const char *format)
{
	for (const char *f = format; *f; f++) {
		if (*f == '%' && (!f[1] || !strchr("tpoTkvh%", *++f)))
			cli_usage("--print: %% must stand before t, p, o, T, k, v, h or %%");
		else if (*f == '\\' && (!f[1] || !strchr("nt\\", *++f)))
			cli_usage("--print: \\ must stand before n, t or \\");
	}
}

static struct span span_at(const void *data, size_t size)
{
	return (struct span){ data, size };
}

static void print_json(struct consume *c, const rd_kafka_message_t *m)
{
	rd_kafka_timestamp_type_t type;
	int64_t timestamp = rd_kafka_message_timestamp(m, &type);
	struct out *o = &c->out;
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t size;

	out_begin(o, "record");
	out_bytes(o, "topic", span_of(str_of(c->name)));
	out_number(o, "partition", m->partition);
	out_number(o, "offset", m->offset);
	out_number(o, "timestamp", timestamp);
	out_word(o, "timestamp_type",
	         type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? "append" : "create");
	out_bytes(o, "key", span_at(m->key, m->key_len));
	out_bytes(o, "value", span_at(m->payload, m->len));
	out_list(o, "headers");
	for (size_t i = 0; !rd_kafka_message_headers(m, &headers) &&
	                   !rd_kafka_header_get_all(headers, i, &name, &value, &size);
	     i++) {
		out_item(o);
		out_bytes(o, "name", span_of(str_of(name)));
		out_bytes(o, "value", span_at(value, size));
		out_item_end(o);
	}
	out_list_end(o);
	out_end(o);
}

/* ---- where to begin ---- */

static int64_t offset_at_time(const struct consume *c, int32_t partition, int64_t time_ms)
{
	rd_kafka_topic_partition_list_t *at = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t err;
	int64_t offset;

	rd_kafka_topic_partition_list_add(at, c->name, partition)->offset = time_ms;
	err = rd_kafka_offsets_for_times(c->client, at, CLI_TIMEOUT_MS);
	if (!err)
		err = at->elems[0].err;
	if (err)
		cli_fail_with(err, c->name);
	offset = at->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(at);
	return offset < 0 ? RD_KAFKA_OFFSET_END : offset;
}

static int64_t start_of(const struct consume *c, int32_t partition)
{
	const char *text = c->offset;
	bool is_time = text[0] == '@';
	int64_t low;
	int64_t high;
	char *end;
	long long number;
	rd_kafka_resp_err_t err;

	if (!strcmp(text, "beginning"))
		return RD_KAFKA_OFFSET_BEGINNING;
	if (!strcmp(text, "end"))
		return RD_KAFKA_OFFSET_END;
	number = strtoll(text + is_time, &end, 10);
	if (*end || end == text + is_time || (is_time && number < 0))
		cli_usage("--offset %s: beginning, end, N, -N or @MS is wanted", text);
	if (is_time)
		return offset_at_time(c, partition, number);
	err = rd_kafka_query_watermark_offsets(c->client, c->name, partition, &low, &high,
	                                       CLI_TIMEOUT_MS);
	if (err)
		cli_fail_with(err, c->name);
	if (number < 0)
		return high + number > low ? high + number : low;
	if (number < low || number > high)
		cli_fail("%s: partition %" PRId32 " has no offset %lld: it goes from %" PRId64
		         " to %" PRId64,
		         c->name, partition, number, low, high);
	return number;
}

static void add_partition(struct consume *c, long partition)
{
	size_t i = c->partition_count++;

	c->partition = mem_realloc(c->partition, c->partition_count * sizeof(*c->partition));
	c->ended = mem_realloc(c->ended, c->partition_count * sizeof(*c->ended));
	c->partition[i] = (int32_t)partition;
	c->ended[i] = false;
}

/* Those asked for must be there; none asked for: all that are there. */
static void choose_partitions(struct consume *c)
{
	const rd_kafka_metadata_t *md;
	rd_kafka_resp_err_t err = rd_kafka_metadata(c->client, 0, c->topic, &md, CLI_TIMEOUT_MS);

	if (!err)
		err = md->topics[0].err;
	if (err)
		cli_fail_with(err, c->name);
	for (size_t i = 0; i < c->partition_count; i++)
		if (c->partition[i] >= md->topics[0].partition_cnt)
			cli_fail("%s has partitions 0 to %d, not %" PRId32, c->name,
			         md->topics[0].partition_cnt - 1, c->partition[i]);
	if (!c->partition_count)
		for (int i = 0; i < md->topics[0].partition_cnt; i++)
			add_partition(c, md->topics[0].partitions[i].id);
	rd_kafka_metadata_destroy(md);
}

static void start(struct consume *c)
{
	c->topic = rd_kafka_topic_new(c->client, c->name, NULL);
	c->queue = rd_kafka_queue_new(c->client);
	if (!c->topic)
		cli_fail_with(rd_kafka_last_error(), c->name);
	choose_partitions(c);
	for (size_t i = 0; i < c->partition_count; i++)
		if (rd_kafka_consume_start_queue(c->topic, c->partition[i],
		                                 start_of(c, c->partition[i]), c->queue))
			cli_fail_with(rd_kafka_last_error(), c->name);
}

static void stop(struct consume *c)
{
	for (size_t i = 0; i < c->partition_count; i++)
		rd_kafka_consume_stop(c->topic, c->partition[i]);
	rd_kafka_topic_destroy(c->topic);
	rd_kafka_queue_destroy(c->queue);
	rd_kafka_destroy(c->client);
	mem_free(c->partition);
	mem_free(c->ended);
	out_fini(&c->out);
}

/* ---- reading ---- */

static void end_of(struct consume *c, int32_t partition)
{
	for (size_t i = 0; i < c->partition_count; i++) {
		if (c->partition[i] == partition && !c->ended[i]) {
			c->ended[i] = true;
			c->ended_count++;
		}
	}
}

static void take(struct consume *c, const rd_kafka_message_t *m)
{
	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		end_of(c, m->partition);
		return;
	}
	if (m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE ||
	    m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
		cli_fail("%s: partition %" PRId32
		         ": what was to be read next is not in the log (any more)",
		         c->name, m->partition);
	if (m->err)
		cli_fail("%s: %s", c->name, rd_kafka_message_errstr(m));
	if (c->out.json)
		print_json(c, m);
	else
		print_text(c, m);
	if (c->count > 0)
		c->count--;
	if (ferror(stdout))
		cli_flush();
}

/* True: all that was asked for was printed. */
static bool run(struct consume *c)
{
	for (;;) {
		rd_kafka_message_t *m;

		if (!c->count || (c->exit_at_end && c->ended_count == c->partition_count))
			return true;
		if (interrupted)
			return c->count < 0 && !c->exit_at_end;
		/* First what is there already, then what comes. */
		m = rd_kafka_consume_queue(c->queue, 0);
		if (!m) {
			cli_flush();
			m = rd_kafka_consume_queue(c->queue, 200);
		}
		rd_kafka_poll(c->client, 0);
		if (m) {
			take(c, m);
			rd_kafka_message_destroy(m);
		}
	}
}

static rd_kafka_conf_t *consumer_conf(const struct consume *c)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	cli_conf(conf, "enable.partition.eof", "true");
	cli_conf(conf, "allow.auto.create.topics", "false");
	cli_conf(conf, "auto.offset.reset", "error");
	cli_conf(conf, "isolation.level", c->isolation);
	cli_conf(conf, "fetch.wait.max.ms", "100");
	/* One record may be as large as its topic lets it be. */
	cli_conf(conf, "receive.message.max.bytes", "2147483647");
	return conf;
}

static void parse(struct cli *cli, struct consume *c)
{
	long partition;

	c->count = cli_number(cli, "--count", -1, 1, LONG_MAX);
	while ((partition = cli_number(cli, "--partition", -1, 0, INT32_MAX)) >= 0)
		add_partition(c, partition);
	c->format = cli_option(cli, "--print");
	c->offset = cli_option(cli, "--offset");
	c->isolation = cli_option(cli, "--isolation");
	c->exit_at_end = cli_flag(cli, "--exit");
	c->out.json = cli_wants_json(cli);
	c->name = cli_word(cli);
	if (!c->name)
		cli_usage("consume: a topic is wanted");
	cli_done(cli);
	if (c->out.json && c->format)
		cli_usage("--print and --format json exclude each other");
	c->format = c->format ? c->format : "%v\\n";
	check_format(c->format);
	c->offset = c->offset ? c->offset : c->exit_at_end ? "beginning" : "end";
	c->isolation = c->isolation ? c->isolation : "read_committed";
	if (strcmp(c->isolation, "read_committed") && strcmp(c->isolation, "read_uncommitted"))
		cli_usage("--isolation %s: read_committed or read_uncommitted is wanted",
		          c->isolation);
}

int cmd_consume(struct cli *cli)
{
	struct consume c = { 0 };
	struct sigaction action = { .sa_handler = on_signal };
	bool complete;

	parse(cli, &c);
	c.client = cli_client(cli, RD_KAFKA_CONSUMER, consumer_conf(&c));
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	start(&c);
	complete = run(&c);
	cli_flush();
	stop(&c);
	return complete ? EXIT_OK : 128 + interrupted;
}
