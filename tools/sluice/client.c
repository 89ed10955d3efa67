/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli.h"

enum { CONNECT_STEP_MS = 250 };

/* What librdkafka said last of a connection, and whether every bootstrap server failed. */
static struct {
	rd_kafka_resp_err_t err;
	char reason[300];
	bool all_down;
} trouble;

/* "127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after
 * 0ms in state CONNECT)" without what only librdkafka's authors want to know. */
static void shorten(char *reason)
{
	char *at = strstr(reason, " (after ");

	if (at)
		*at = '\0';
	at = strstr(reason, "/bootstrap: ");
	if (at)
		memmove(at, at + strlen("/bootstrap"), strlen(at + strlen("/bootstrap")) + 1);
}

static void on_error(rd_kafka_t *client, int err, const char *reason, void *opaque)
{
	(void)client;
	(void)opaque;
	if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		trouble.all_down = true;
		return;
	}
	trouble.err = (rd_kafka_resp_err_t)err;
	snprintf(trouble.reason, sizeof(trouble.reason), "%s", reason);
	shorten(trouble.reason);
}

static bool is_local(const char *address)
{
	return !strncmp(address, "127.", 4) || !strncmp(address, "localhost", 9) ||
	       !strncmp(address, "[::1]", 5);
}

void cli_fail_refused(const char *to)
{
	cli_fail("%s: connection refused: %s", to,
	         is_local(to) ? "is sluiced running? try `make run`"
	                      : "is a broker listening there?");
}

static void fail_connecting(const struct cli *cli)
{
	const char *to = cli->bootstrap;

	if (trouble.err == RD_KAFKA_RESP_ERR__RESOLVE)
		cli_fail("%s: the name has no address; is --bootstrap-server right?", to);
	if (strstr(trouble.reason, "Connection refused"))
		cli_fail_refused(to);
	if (trouble.reason[0])
		cli_fail("%s", trouble.reason);
	cli_fail("%s: no answer in %d s: is it a Kafka listener, without TLS and SASL?", to,
	         CLI_TIMEOUT_MS / 1000);
}

/*
 * The first answer of a broker.  A cluster that cannot be reached is told of at once, not when
 * the command's own request has timed out.
 */
static void wait_for_broker(const struct cli *cli, rd_kafka_t *client)
{
	const rd_kafka_metadata_t *md;

	for (int ms = 0; ms < CLI_TIMEOUT_MS; ms += CONNECT_STEP_MS) {
		if (!rd_kafka_metadata(client, 0, NULL, &md, CONNECT_STEP_MS)) {
			rd_kafka_metadata_destroy(md);
			return;
		}
		rd_kafka_poll(client, 0);
		if (trouble.all_down)
			break;
	}
	fail_connecting(cli);
}

void cli_conf(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char error[256];

	if (rd_kafka_conf_set(conf, key, value, error, sizeof(error)) != RD_KAFKA_CONF_OK)
		cli_usage("%s", error);
}

void cli_conf_options(struct cli *cli, rd_kafka_conf_t *conf)
{
	const char *text;

	while ((text = cli_option(cli, "-X"))) {
		const char *equals = strchr(text, '=');
		char *key;

		if (!equals || equals == text)
			cli_usage("-X %s: KEY=VALUE is wanted", text);
		key = str_dup((struct str){ text, (uint32_t)(equals - text) });
		cli_conf(conf, key, equals + 1);
		mem_free(key);
	}
}

rd_kafka_t *cli_client(struct cli *cli, rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char error[256];
	rd_kafka_t *client;

	if (!conf)
		conf = rd_kafka_conf_new();
	cli_conf(conf, "bootstrap.servers", cli->bootstrap);
	cli_conf(conf, "client.id", "sluice");
	/* What it would log comes to on_error() as well. */
	cli_conf(conf, "log_level", "2");
	rd_kafka_conf_set_error_cb(conf, on_error);
	client = rd_kafka_new(type, conf, error, sizeof(error));
	if (!client)
		cli_fail("%s", error);
	wait_for_broker(cli, client);
	return client;
}

const char *cli_trouble(void)
{
	return trouble.reason;
}

void cli_fail_with(rd_kafka_resp_err_t err, const char *what)
{
	const char *colon = what ? ": " : "";

	what = what ? what : "";
	if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
	    err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
		cli_fail("%s%sthere is no such topic; `sluice topic create` makes one", what,
		         colon);
	if (trouble.reason[0] &&
	    (err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__TIMED_OUT ||
	     err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT))
		cli_fail("%s%s%s (%s)", what, colon, rd_kafka_err2str(err), trouble.reason);
	cli_fail("%s%s%s", what, colon, rd_kafka_err2str(err));
}
