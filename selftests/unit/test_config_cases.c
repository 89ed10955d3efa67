/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "broker/config.h"

/*
 * Files of configuration, and what Kafka 4.3.1's KafkaConfig says of each: golden/config-cases.txt,
 * whose answers golden/ConfigCases.java wrote.  A line "!! text" below a case is our own answer,
 * where it is to be another.
 */
#define GOLDEN "selftests/unit/golden/config-cases.txt"

static const char base[] = "process.roles=broker,controller\n"
			   "node.id=1\n"
			   "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
			   "controller.listener.names=CONTROLLER\n"
			   "controller.quorum.bootstrap.servers=127.0.0.1:9093\n"
			   "log.dirs=/data\n";

enum { FACTS_MAX = 64 };

struct facts {
	char *text[FACTS_MAX];
	unsigned int count;
};

struct test_case {
	char name[120];
	struct buf file;
	struct facts kafka; /* the first: ok, or why not */
	char own[400];      /* "": as Kafka */
};

static void add_fact(struct facts *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_fact(struct facts *f, const char *format, ...)
{
	va_list args;

	assert_true(f->count < FACTS_MAX);
	va_start(args, format);
	assert_true(vasprintf(&f->text[f->count++], format, args) >= 0);
	va_end(args);
}

static void drop_facts(struct facts *f)
{
	for (unsigned int i = 0; i < f->count; i++)
		free(f->text[i]);
	f->count = 0;
}

static bool has_fact(const struct facts *f, const char *text)
{
	for (unsigned int i = 0; i < f->count; i++)
		if (!strcmp(f->text[i], text))
			return true;
	return false;
}

/* ---- the facts of a config, in the words of ConfigCases.java ---- */

static void add_listener(struct facts *f, const char *kind, const struct listener_config *l,
                         struct str host, uint16_t port)
{
	static const char *const protocol[] = { "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL" };

	add_fact(f, "%s %.*s %s %.*s %u", kind, STR_ARG(l->name), protocol[l->protocol],
	         STR_ARG(host.size ? host : STR("-")), port);
}

/* The value of the key that Kafka tells of in "key=value". */
static void add_value(struct facts *f, const struct config *c, const char *fact)
{
	const char *equal = strchr(fact, '=');
	struct str name = { fact, equal ? (uint32_t)(equal - fact) : 0 };
	int id = config_find(CONFIG_SCOPE_BROKER, name);

	if (id >= 0)
		add_fact(f, "%.*s=%.*s", STR_ARG(name), STR_ARG(config_str(c, (enum config_id)id)));
}

static void facts_of(const struct config *c, const struct facts *kafka, struct facts *f)
{
	struct config_listeners l = config_listeners(c);
	struct config_voters v = config_voters(c);
	struct config_voters b = config_bootstrap_servers(c);

	add_fact(f, "ok");
	for (uint32_t i = 0; i < l.count; i++) {
		const struct listener_config *one = &l.listener[i];

		add_listener(f, "listener", one, one->host, one->port);
		if (one->is_advertised)
			add_listener(f, "advertised", one, one->advertised_host,
			             one->advertised_port);
		if (one->is_inter_broker)
			add_fact(f, "inter.broker %.*s", STR_ARG(one->name));
	}
	for (uint32_t i = 0; i < v.count; i++)
		add_fact(f, "voter %d %.*s %u", v.voter[i].id, STR_ARG(v.voter[i].host),
		         v.voter[i].port);
	for (uint32_t i = 0; i < b.count; i++)
		add_fact(f, "bootstrap %.*s %u", STR_ARG(b.voter[i].host), b.voter[i].port);
	for (unsigned int i = 0; i < kafka->count; i++)
		add_value(f, c, kafka->text[i]);
}

/* ---- one case ---- */

/* Is this one of the errors?  Scala's own words are not for the operator. */
static bool says(const struct buf *said, const char *what)
{
	static const char prefix[] = "requirement failed: ";

	if (!strncmp(what, prefix, sizeof(prefix) - 1))
		what += sizeof(prefix) - 1;
	return said->size && memmem(said->data, said->size, what, strlen(what));
}

/* Facts of a that b has not; how many. */
static unsigned int compare(const char *name, const char *what, const struct facts *a,
                            const struct facts *b)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < a->count; i++) {
		if (has_fact(b, a->text[i]))
			continue;
		print_error("%s: %s: %s\n", name, what, a->text[i]);
		count++;
	}
	return count;
}

/* The number of differences. */
static unsigned int check_case(const struct test_case *t)
{
	struct config_report report = { 0 };
	struct config *c = config_load(
		&(struct config_input){ .file = { t->file.data, t->file.size } }, &report);
	const char *refused = t->own[0] ? t->own : NULL;
	struct facts ours = { 0 };
	unsigned int count = 0;

	assert_int_equal(!c, report.errors > 0);
	if (!refused && !strncmp(t->kafka.text[0], "refused: ", 9))
		refused = t->kafka.text[0] + 9;
	if (c)
		facts_of(c, &t->kafka, &ours);
	if (!refused && c)
		count = compare(t->name, "only here", &ours, &t->kafka) +
		        compare(t->name, "only in Kafka", &t->kafka, &ours);
	else if (c || !refused || !says(&report.text, refused))
		count = 1;
	if (count)
		print_error("%s: expected '%s', said '%.*s'\n", t->name, refused ? refused : "ok",
		            (int)report.text.size, (const char *)report.text.data);
	drop_facts(&ours);
	config_put(c);
	config_report_fini(&report);
	return count;
}

static void end_case(struct test_case *t, unsigned int *count, unsigned int *wrong)
{
	if (t->name[0]) {
		*wrong += check_case(t);
		++*count;
	}
	buf_fini(&t->file);
	drop_facts(&t->kafka);
	*t = (struct test_case){ 0 };
}

static void every_file_is_judged_as_kafka_does(void **state)
{
	FILE *f = fopen(GOLDEN, "r");
	struct test_case t = { 0 };
	unsigned int count = 0;
	unsigned int wrong = 0;
	char *line = NULL;
	size_t capacity = 0;

	(void)state;
	assert_non_null(f);
	while (getline(&line, &capacity, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!line[0])
			end_case(&t, &count, &wrong);
		else if (!strncmp(line, "## ", 3))
			snprintf(t.name, sizeof(t.name), "%s", line + 3);
		else if (!t.name[0])
			continue;
		else if (!strncmp(line, "=> ", 3))
			add_fact(&t.kafka, "%s", line + 3);
		else if (!strncmp(line, "!! ", 3))
			snprintf(t.own, sizeof(t.own), "%s", line + 3);
		else if (!strcmp(line, "@base"))
			buf_printf(&t.file, "%s", base);
		else
			buf_printf(&t.file, "%s\n", line);
	}
	end_case(&t, &count, &wrong);
	free(line);
	fclose(f);
	assert_int_equal(wrong, 0);
	assert_true(count > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_is_judged_as_kafka_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
