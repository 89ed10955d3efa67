/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

const char produce_help[] =
	"sluice produce: one record a line of standard input\n"
	"\n"
	"  sluice produce TOPIC [--partition N] [--key-separator S] [--header NAME=VALUE]...\n"
	"                 [--compression none|gzip|snappy|lz4|zstd] [--acks all|1|0] "
	"[--null-empty]\n";

struct produce {
	rd_kafka_t *client;
	const char *topic;
	int32_t partition;
	const char *separator; /* between key and value; NULL: no keys */
	bool null_empty;       /* an empty key or value is null */
	rd_kafka_headers_t *headers;
	long failed;
	long delivered;
};

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *arg)
{
	struct produce *p = arg;

	(void)client;
	if (!message->err) {
		p->delivered++;
		return;
	}
	if (!p->failed++)
		fprintf(stderr, "sluice: %s\n", rd_kafka_err2str(message->err));
}

static void send_line(struct produce *p, char *line, size_t size)
{
	char *value = line;
	char *key = NULL;
	size_t key_size = 0;
	rd_kafka_resp_err_t err;

	if (p->separator) {
		char *at = strstr(line, p->separator);

		if (at) {
			key = line;
			key_size = (size_t)(at - line);
			value = at + strlen(p->separator);
			size -= key_size + strlen(p->separator);
			if (!key_size && p->null_empty)
				key = NULL;
		}
	}
	if (!size && p->null_empty)
		value = NULL;
	for (;;) {
		rd_kafka_headers_t *headers = p->headers ? rd_kafka_headers_copy(p->headers) : NULL;

		err = rd_kafka_producev(
			p->client, RD_KAFKA_V_TOPIC(p->topic), RD_KAFKA_V_PARTITION(p->partition),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_size),
			RD_KAFKA_V_VALUE(value, size), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
		if (err && headers)
			rd_kafka_headers_destroy(headers);
		if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			break;
		rd_kafka_poll(p->client, 100);
	}
	if (err)
		cli_fail("%s", rd_kafka_err2str(err));
}

static void add_headers(struct cli *cli, struct produce *p)
{
	const char *text;

	while ((text = cli_option(cli, "--header"))) {
		const char *value = strchr(text, '=');

		if (!value)
			cli_usage("--header %s: NAME=VALUE is wanted", text);
		if (!p->headers)
			p->headers = rd_kafka_headers_new(8);
		rd_kafka_header_add(p->headers, text, value - text, value + 1, -1);
	}
}

static rd_kafka_conf_t *producer_conf(struct cli *cli, struct produce *p)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const char *compression = cli_option(cli, "--compression");
	const char *acks = cli_option(cli, "--acks");

	if (compression)
		cli_conf(conf, "compression.codec", compression);
	cli_conf(conf, "acks", acks ? acks : "all");
	cli_conf(conf, "linger.ms", "5");
	cli_conf(conf, "message.max.bytes", "100000000");
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, p);
	return conf;
}

int cmd_produce(struct cli *cli)
{
	struct produce p = { .partition =
		                     (int32_t)cli_number(cli, "--partition", -1, 0, INT32_MAX) };
	rd_kafka_conf_t *conf = producer_conf(cli, &p);
	char *line = NULL;
	size_t capacity = 0;
	ssize_t size;

	p.separator = cli_option(cli, "--key-separator");
	p.null_empty = cli_flag(cli, "--null-empty");
	add_headers(cli, &p);
	p.topic = cli_word(cli);
	if (!p.topic)
		cli_usage("produce: a topic is wanted");
	cli_done(cli);
	p.client = cli_client(cli, RD_KAFKA_PRODUCER, conf);
	while ((size = getline(&line, &capacity, stdin)) >= 0) {
		if (size && line[size - 1] == '\n')
			line[--size] = '\0';
		send_line(&p, line, (size_t)size);
		rd_kafka_poll(p.client, 0);
	}
	free(line);
	(void)rd_kafka_flush(p.client, CLI_TIMEOUT_MS * 4); /* what is left is counted below */
	p.failed += rd_kafka_outq_len(p.client);
	if (p.headers)
		rd_kafka_headers_destroy(p.headers);
	rd_kafka_destroy(p.client);
	if (p.failed)
		cli_fail("%ld records were not delivered, %ld were", p.failed, p.delivered);
	return EXIT_OK;
}
