/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

const char consume_help[] =
	"sluice consume: records to standard output\n"
	"\n"
	"  sluice consume TOPIC [--partition N]... [--offset beginning|end|N|-N|@MS] [--count N]\n"
	"                 [--exit] [--print FORMAT]\n"
	"      without --partition all of them; --exit ends at the end of the log\n"
	"      FORMAT: %t topic, %p partition, %o offset, %T timestamp, %k key, %v value, %h "
	"headers,\n"
	"      \\n and \\t; default '%v\\n'\n";

struct consume {
	rd_kafka_t *client;
	const char *topic;
	const char *format;
	const char *offset;
	bool exit_at_end;
	long count; /* -1: no limit */
	rd_kafka_topic_partition_list_t *list;
	int ended;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
	(void)signo;
	interrupted = 1;
}

static void print_bytes(const void *data, size_t size)
{
	if (size)
		fwrite(data, 1, size, stdout);
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
		if (value)
			print_bytes(value, size);
		else
			fputs("NULL", stdout);
	}
}

static void print_field(const rd_kafka_message_t *m, const char *topic, char field)
{
	rd_kafka_timestamp_type_t type;

	switch (field) {
	case 't':
		fputs(topic, stdout);
		break;
	case 'p':
		printf("%d", m->partition);
		break;
	case 'o':
		printf("%" PRId64, m->offset);
		break;
	case 'T':
		printf("%" PRId64, rd_kafka_message_timestamp(m, &type));
		break;
	case 'k':
		if (m->key)
			print_bytes(m->key, m->key_len);
		else
			fputs("NULL", stdout);
		break;
	case 'v':
		if (m->payload)
			print_bytes(m->payload, m->len);
		else
			fputs("NULL", stdout);
		break;
	case 'h':
		print_headers(m);
		break;
	default:
		putchar(field);
	}
}

static void print_message(const struct consume *c, const rd_kafka_message_t *m)
{
	for (const char *f = c->format; *f; f++) {
		if (*f == '%' && f[1])
			print_field(m, c->topic, *++f);
		else if (*f == '\\' && f[1] == 'n')
			putchar('\n'), f++;
		else if (*f == '\\' && f[1] == 't')
			putchar('\t'), f++;
		else
			putchar(*f);
	}
}

/* beginning, end, N, -N before the end, @MS */
static int64_t start_of(struct consume *c, int32_t partition)
{
	int64_t low;
	int64_t high;
	char *end;
	long long number;
	rd_kafka_resp_err_t err;

	if (!strcmp(c->offset, "beginning"))
		return RD_KAFKA_OFFSET_BEGINNING;
	if (!strcmp(c->offset, "end"))
		return RD_KAFKA_OFFSET_END;
	number = strtoll(c->offset + (c->offset[0] == '@'), &end, 10);
	if (*end || !*c->offset)
		cli_usage("--offset %s: beginning, end, N, -N or @MS is wanted", c->offset);
	if (c->offset[0] == '@') {
		rd_kafka_topic_partition_list_t *times = rd_kafka_topic_partition_list_new(1);

		rd_kafka_topic_partition_list_add(times, c->topic, partition)->offset = number;
		err = rd_kafka_offsets_for_times(c->client, times, CLI_TIMEOUT_MS);
		if (err)
			cli_fail("%s", rd_kafka_err2str(err));
		number = times->elems[0].offset;
		rd_kafka_topic_partition_list_destroy(times);
		return number < 0 ? RD_KAFKA_OFFSET_END : number;
	}
	if (number >= 0)
		return number;
	err = rd_kafka_query_watermark_offsets(c->client, c->topic, partition, &low, &high,
	                                       CLI_TIMEOUT_MS);
	if (err)
		cli_fail("%s", rd_kafka_err2str(err));
	return high + number > low ? high + number : low;
}

static void assign(struct cli *cli, struct consume *c)
{
	const rd_kafka_metadata_t *md;
	rd_kafka_topic_t *topic = rd_kafka_topic_new(c->client, c->topic, NULL);
	rd_kafka_resp_err_t err = rd_kafka_metadata(c->client, 0, topic, &md, CLI_TIMEOUT_MS);
	const char *text;

	if (!err)
		err = md->topics[0].err;
	if (err)
		cli_fail("%s: %s", c->topic, rd_kafka_err2str(err));
	c->list = rd_kafka_topic_partition_list_new(md->topics[0].partition_cnt);
	while ((text = cli_option(cli, "--partition"))) {
		int32_t partition = (int32_t)strtol(text, NULL, 10);

		if (partition < 0 || partition >= md->topics[0].partition_cnt)
			cli_fail("%s has partitions 0 to %d, not %s", c->topic,
			         md->topics[0].partition_cnt - 1, text);
		rd_kafka_topic_partition_list_add(c->list, c->topic, partition);
	}
	if (!c->list->cnt)
		rd_kafka_topic_partition_list_add_range(c->list, c->topic, 0,
		                                        md->topics[0].partition_cnt - 1);
	rd_kafka_metadata_destroy(md);
	rd_kafka_topic_destroy(topic);
	for (int i = 0; i < c->list->cnt; i++)
		c->list->elems[i].offset = start_of(c, c->list->elems[i].partition);
	err = rd_kafka_assign(c->client, c->list);
	if (err)
		cli_fail("%s", rd_kafka_err2str(err));
}

static void run(struct consume *c)
{
	while (!interrupted && c->count && !(c->exit_at_end && c->ended == c->list->cnt)) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(c->client, 200);

		if (!m) {
			fflush(stdout);
			continue;
		}
		if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
			c->ended++;
			fflush(stdout);
		} else if (m->err) {
			fprintf(stderr, "sluice: %s\n", rd_kafka_message_errstr(m));
		} else {
			print_message(c, m);
			if (c->count > 0)
				c->count--;
		}
		rd_kafka_message_destroy(m);
	}
	fflush(stdout);
}

int cmd_consume(struct cli *cli)
{
	struct consume c = { .count = cli_number(cli, "--count", -1, 1, 2147483647) };
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	c.format = cli_option(cli, "--print");
	c.offset = cli_option(cli, "--offset");
	c.exit_at_end = cli_flag(cli, "--exit");
	if (!c.format)
		c.format = "%v\\n";
	if (!c.offset)
		c.offset = c.exit_at_end ? "beginning" : "end";
	/* librdkafka wants a group's name even where none is joined. */
	cli_conf(conf, "group.id", "sluice-consume");
	cli_conf(conf, "enable.auto.commit", "false");
	cli_conf(conf, "enable.partition.eof", "true");
	cli_conf(conf, "allow.auto.create.topics", "false");
	cli_conf(conf, "auto.offset.reset", "earliest");
	cli_conf(conf, "fetch.wait.max.ms", "100");
	c.client = cli_client(cli, RD_KAFKA_CONSUMER, conf);
	c.topic = NULL;
	for (int i = 0; i < cli->argc && !c.topic; i++) {
		if (!strcmp(cli->argv[i], "--partition"))
			i++;
		else if (cli->argv[i][0] != '-')
			c.topic = cli->argv[i];
	}
	if (!c.topic)
		cli_usage("consume: a topic is wanted");
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	assign(cli, &c);
	(void)cli_word(cli);
	cli_done(cli);
	run(&c);
	rd_kafka_topic_partition_list_destroy(c.list);
	rd_kafka_consumer_close(c.client);
	rd_kafka_destroy(c.client);
	return EXIT_OK;
}
