/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "produce.h"
#include "progress.h"

const char produce_help[] =
	"sluice produce: one record a line of standard input\n"
	"\n"
	"  sluice produce TOPIC [options]\n"
	"    --partition N         default: by the hash of the key, or any without a key\n"
	"    --key K               of every record\n"
	"    --key-separator S     a line is KEY S VALUE; without S in it there is no key\n"
	"    --null-empty          an empty key or value is null\n"
	"    --header NAME=VALUE   on every record; NAME alone: a null value; may be repeated\n"
	"    --format json         a line is an object as `sluice consume --format json` prints "
	"it:\n"
	"                          key, value (or key_base64, value_base64; JSON that is no "
	"string\n"
	"                          is taken as it stands), headers, timestamp, partition\n"
	"    --keep-partitions     a record goes to the partition that its JSON names\n"
	"    --whole               all of standard input is the value of one record\n"
	"    --compression C       none, gzip, snappy, lz4 or zstd\n"
	"    --acks N              all (the default), 1 or 0\n"
	"    -X KEY=VALUE          a setting of librdkafka, as linger.ms=100\n"
	"\n"
	"With --acks all the producer is idempotent: no record twice, none out of order.\n"
	"Exit status 0: the cluster has acknowledged every record.\n";

struct produce {
	rd_kafka_t *client;
	const char *topic;
	int32_t partition;
	const char *key;
	const char *separator; /* between key and value; NULL: no keys in the lines */
	bool null_empty;       /* an empty key or value is null */
	bool whole;
	bool is_json;
	bool keep_partitions; /* JSON: a record goes where it says */
	bool is_broken;       /* a line could not be understood */
	long lines;           /* so many were read */
	struct arena arena;   /* of one line of JSON */
	rd_kafka_headers_t *headers;
	struct progress progress;
	long failed;
	long delivered;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
	if (interrupted)
		_Exit(128 + signo);
	interrupted = signo;
}

/* ---- sending ---- */

static void say_failure(const struct produce *p, rd_kafka_resp_err_t err)
{
	switch (err) {
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		cli_say("%s: a record is larger than the topic takes; see its max.message.bytes",
		        p->topic);
		break;
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
		cli_say("%s: the broker refuses a record: has the topic cleanup.policy=compact, "
		        "each needs a key; or its time is too far off",
		        p->topic);
		break;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		cli_say("%s: there is no such topic; `sluice topic create %s` makes it", p->topic,
		        p->topic);
		break;
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		cli_say("%s: there is no partition %d; see `sluice topic describe %s`", p->topic,
		        p->partition, p->topic);
		break;
	default:
		cli_say("%s: %s%s%s", p->topic, rd_kafka_err2str(err), *cli_trouble() ? ": " : "",
		        cli_trouble());
	}
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *arg)
{
	struct produce *p = arg;

	(void)client;
	if (!message->err)
		p->delivered++;
	else if (!p->failed++)
		say_failure(p, message->err);
}

static rd_kafka_resp_err_t try_record(struct produce *p, const struct record *r)
{
	rd_kafka_headers_t *headers = r->headers ? rd_kafka_headers_copy(r->headers) : NULL;
	const rd_kafka_vu_t vu[] = {
		{ .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = p->topic },
		{ .vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = r->partition },
		{ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY },
		{ .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { (void *)r->key.data, r->key.size } },
		{ .vtype = RD_KAFKA_VTYPE_VALUE,
		  .u.mem = { (void *)r->value.data, r->value.size } },
		{ .vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = r->timestamp },
		{ .vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers },
	};
	rd_kafka_error_t *error =
		rd_kafka_produceva(p->client, vu, sizeof(vu) / sizeof(vu[0]) - !headers);
	rd_kafka_resp_err_t err;

	if (!error)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	err = rd_kafka_error_code(error);
	rd_kafka_error_destroy(error);
	if (headers)
		rd_kafka_headers_destroy(headers);
	return err;
}

static void send_record(struct produce *p, const struct record *r)
{
	rd_kafka_resp_err_t err;

	/* A full queue empties only as deliveries are reported, which poll does. */
	while ((err = try_record(p, r)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rd_kafka_poll(p->client, 100);
	if (err && !p->failed++)
		say_failure(p, err);
	rd_kafka_poll(p->client, 0);
	progress_step(&p->progress, p->delivered, -1);
}

static void send_text(struct produce *p, const char *text, size_t size)
{
	struct record r = { { (const uint8_t *)p->key, p->key ? strlen(p->key) : 0 },
		            { (const uint8_t *)text, size },
		            p->partition,
		            0,
		            p->headers };

	if (p->separator) {
		const char *at = memmem(text, size, p->separator, strlen(p->separator));
		size_t skip = at ? (size_t)(at - text) + strlen(p->separator) : 0;

		if (at) {
			r.key = (struct span){ (const uint8_t *)text, (size_t)(at - text) };
			r.value = (struct span){ (const uint8_t *)text + skip, size - skip };
		}
	}
	if (p->null_empty && !r.key.size)
		r.key.data = NULL;
	if (p->null_empty && !r.value.size)
		r.value.data = NULL;
	send_record(p, &r);
}

/* What the command line says is for the records that do not say it themselves. */
static void send_json(struct produce *p, const char *text, size_t size)
{
	struct record r = { .key = { (const uint8_t *)p->key, p->key ? strlen(p->key) : 0 },
		            .partition = p->partition };
	const char *why;

	arena_reset(&p->arena);
	if (size > UINT32_MAX)
		cli_fail("standard input, line %ld: too long", p->lines);
	why = produce_parse_json((struct str){ text, (uint32_t)size }, &p->arena, &r);
	if (why) {
		cli_say("standard input, line %ld: %s; it and what follows it was not sent",
		        p->lines, why);
		p->is_broken = true;
	} else {
		rd_kafka_headers_t *own = r.headers;

		if (!p->keep_partitions)
			r.partition = p->partition;
		r.headers = own ? own : p->headers;
		send_record(p, &r);
		r.headers = own;
	}
	if (r.headers)
		rd_kafka_headers_destroy(r.headers);
}

static void send_line(struct produce *p, const char *text, size_t size)
{
	p->lines++;
	if (p->is_json)
		send_json(p, text, size);
	else
		send_text(p, text, size);
}

static void send_lines(struct produce *p)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t size;

	while (!interrupted && !p->is_broken && (size = getline(&line, &capacity, stdin)) >= 0) {
		if (size && line[size - 1] == '\n')
			size--;
		send_line(p, line, (size_t)size);
	}
	free(line);
}

static void send_whole(struct produce *p)
{
	enum { PIECE = 1 << 16 };
	struct buf b = { 0 };
	size_t got;

	do {
		buf_reserve(&b, PIECE);
		got = fread(b.data + b.size, 1, PIECE, stdin);
		b.size += got;
	} while (got && !interrupted);
	if (!interrupted)
		send_line(p, (const char *)b.data, b.size);
	buf_fini(&b);
}

/* ---- options ---- */

static void add_headers(struct cli *cli, struct produce *p)
{
	const char *text;

	while ((text = cli_option(cli, "--header"))) {
		const char *value = strchr(text, '=');

		if (!*text || value == text)
			cli_usage("--header %s: NAME=VALUE is wanted", text);
		if (!p->headers)
			p->headers = rd_kafka_headers_new(8);
		rd_kafka_header_add(p->headers, text, value ? value - text : -1,
		                    value ? value + 1 : NULL, value ? -1 : 0);
	}
}

static bool is_one_of(const char *text, const char *const *known, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(text, known[i]))
			return true;
	return false;
}

static rd_kafka_conf_t *producer_conf(struct cli *cli, struct produce *p)
{
	static const char *const codec[] = { "none", "gzip", "snappy", "lz4", "zstd" };
	static const char *const acks[] = { "all", "-1", "1", "0" };
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const char *c = cli_option(cli, "--compression");
	const char *a = cli_option(cli, "--acks");

	c = c ? c : "none";
	a = a ? a : "all";
	if (!is_one_of(c, codec, 5))
		cli_usage("--compression %s: none, gzip, snappy, lz4 or zstd is wanted", c);
	if (!is_one_of(a, acks, 4))
		cli_usage("--acks %s: all, 1 or 0 is wanted", a);
	cli_conf(conf, "compression.codec", c);
	cli_conf(conf, "acks", a);
	cli_conf(conf, "enable.idempotence", is_one_of(a, acks, 2) ? "true" : "false");
	/* A key goes where Java's clients send it. */
	cli_conf(conf, "partitioner", "murmur2_random");
	cli_conf(conf, "linger.ms", "5");
	cli_conf(conf, "message.timeout.ms", "60000");
	/* What a record may weigh is the topic's to say. */
	cli_conf(conf, "message.max.bytes", "1000000000");
	cli_conf_options(cli, conf);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, p);
	return conf;
}

static void parse(struct cli *cli, struct produce *p)
{
	p->partition = (int32_t)cli_number(cli, "--partition", -1, 0, INT32_MAX);
	p->key = cli_option(cli, "--key");
	p->separator = cli_option(cli, "--key-separator");
	p->null_empty = cli_flag(cli, "--null-empty");
	p->whole = cli_flag(cli, "--whole");
	p->is_json = cli_wants_json(cli);
	p->keep_partitions = cli_flag(cli, "--keep-partitions");
	add_headers(cli, p);
	p->topic = cli_word(cli);
	if (!p->topic)
		cli_usage("produce: a topic is wanted");
	if (p->separator && !*p->separator)
		cli_usage("--key-separator: it cannot be empty");
	if (p->separator && p->key)
		cli_usage("--key and --key-separator exclude each other");
	if (p->is_json && (p->separator || p->whole || p->null_empty))
		cli_usage("--format json excludes --key-separator, --null-empty and --whole");
	if (p->keep_partitions && !p->is_json)
		cli_usage("--keep-partitions is for --format json");
	cli_done(cli);
}

int cmd_produce(struct cli *cli)
{
	struct produce p = { 0 };
	rd_kafka_conf_t *conf = producer_conf(cli, &p);
	/* Without SA_RESTART: reading ends, what was read is still delivered. */
	struct sigaction action = { .sa_handler = on_signal };

	parse(cli, &p);
	arena_init(&p.arena, SIZE_MAX);
	p.client = cli_client(cli, RD_KAFKA_PRODUCER, conf);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	progress_start(&p.progress, STDIN_FILENO);
	if (p.whole)
		send_whole(&p);
	else
		send_lines(&p);
	if (ferror(stdin) && !interrupted)
		cli_say("standard input: %s", strerror(errno));
	/* Ends by itself: each record is delivered or fails in message.timeout.ms. */
	while (rd_kafka_outq_len(p.client)) {
		rd_kafka_poll(p.client, 100);
		progress_step(&p.progress, p.delivered, -1);
	}
	progress_clear();
	if (p.headers)
		rd_kafka_headers_destroy(p.headers);
	rd_kafka_destroy(p.client);
	arena_fini(&p.arena);
	if (p.failed)
		cli_fail("%ld record%s not delivered, %ld %s", p.failed,
		         p.failed == 1 ? " was" : "s were", p.delivered,
		         p.delivered == 1 ? "was" : "were");
	if (interrupted)
		cli_say("interrupted; %ld record%s delivered", p.delivered,
		        p.delivered == 1 ? " was" : "s were");
	if (interrupted)
		return 128 + interrupted;
	return ferror(stdin) || p.is_broken ? EXIT_FAILED : EXIT_OK;
}
