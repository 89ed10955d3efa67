/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <string.h>

#include "config_fixture.h"
#include "broker/config_describe.h"

/*
 * The table against Kafka 4.3.1's own classes: golden/config-defs.txt, which golden/ConfigDefs.java
 * wrote (the command is in it).
 */
#define GOLDEN   "selftests/unit/golden/config-defs.txt"
#define DOCUMENT "docs/config.md"

enum { FIELDS_MAX = 8 };

struct row {
	char *field[FIELDS_MAX];
	unsigned int count;
};

static void each_row(void (*fn)(const struct row *row, void *arg), void *arg)
{
	FILE *f = fopen(GOLDEN, "r");
	char *line = NULL;
	size_t capacity = 0;

	assert_non_null(f);
	while (getline(&line, &capacity, f) > 0) {
		struct row row = { 0 };
		char *rest = line;

		line[strcspn(line, "\n")] = '\0';
		while (rest && row.count < FIELDS_MAX)
			row.field[row.count++] = strsep(&rest, "\t");
		assert_null(rest);
		fn(&row, arg);
	}
	free(line);
	fclose(f);
}

/* A check as Kafka's validators print theirs. */
static void print_check(const struct config_key *key, char *out, size_t size)
{
	const struct config_check *c = &key->check;
	const char *empty = c->low > 0 ? " not empty" : "";

	if (c->kind == CONFIG_CHECK_RANGE && c->high == DBL_MAX)
		snprintf(out, size, "[%.17g,...]", c->low);
	else if (c->kind == CONFIG_CHECK_RANGE)
		snprintf(out, size, "[%.17g,...,%.17g]", c->low, c->high);
	else if (c->kind == CONFIG_CHECK_RANGE_OR)
		snprintf(out, size, "[%.17g,...,%.17g] or -1", c->low, c->high);
	else if (c->kind == CONFIG_CHECK_ONE_OF && key->type == CONFIG_TYPE_LIST)
		snprintf(out, size, "items[%s]%s", c->allowed, empty);
	else if (c->kind == CONFIG_CHECK_ONE_OF)
		snprintf(out, size, "[%s]", c->allowed);
	else if (c->kind == CONFIG_CHECK_ONE_OF_NOCASE)
		snprintf(out, size, "(case insensitive) [%s]", c->allowed);
	else if (c->kind == CONFIG_CHECK_ITEMS)
		snprintf(out, size, "items%s", empty);
	else if (c->kind == CONFIG_CHECK_NON_EMPTY)
		snprintf(out, size, "non-empty string");
	else if (c->kind == CONFIG_CHECK_THROTTLED)
		snprintf(out, size, "[partitionId]:[brokerId],[partitionId]:[brokerId],...");
	else if (c->kind == CONFIG_CHECK_OFFSET_RESET)
		snprintf(out, size, "[latest, earliest, by_duration:PnDTnHnMn.nS]");
	else
		snprintf(out, size, "-");
}

/* What is asked for elsewhere: a null that no file can give, voters when they are parsed. */
static bool is_checked_elsewhere(const char *check)
{
	return !strcmp(check, "non-null string") || !strcmp(check, "non-empty list");
}

static void compare_row(const struct row *row, enum config_scope scope, uint8_t flags)
{
	static const char *const modes[] = { "read-only", "per-broker", "cluster-wide" };
	int id = config_find(scope, str_of(row->field[1]));
	const struct config_key *key;
	char check[200];

	if (id < 0)
		fail_msg("%s: not in the table", row->field[1]);
	key = &config_table(scope).key[id];
	assert_string_equal(key->name, row->field[1]);
	assert_string_equal(config_type_name(key->type), row->field[2]);
	if (key->flags & CONFIG_REQUIRED)
		assert_string_equal(row->field[3], "(required)");
	else
		assert_string_equal(key->default_text ? key->default_text : "(null)",
		                    row->field[3]);
	assert_string_equal(key->flags & CONFIG_INTERNAL ? "internal" : "public", row->field[5]);
	assert_string_equal(modes[key->update], row->field[6]);
	assert_int_equal(key->flags & CONFIG_QUOTA, flags);
	print_check(key, check, sizeof(check));
	if (!is_checked_elsewhere(row->field[7]) && strcmp(check, row->field[7]))
		fail_msg("%s: checked by %s, Kafka's %s", key->name, check, row->field[7]);
}

static void compare(const struct row *row, void *arg)
{
	uint32_t *count = arg;

	if (!strcmp(row->field[0], "broker") && ++count[CONFIG_SCOPE_BROKER])
		compare_row(row, CONFIG_SCOPE_BROKER, 0);
	else if (!strcmp(row->field[0], "broker-quota") && ++count[CONFIG_SCOPE_BROKER])
		compare_row(row, CONFIG_SCOPE_BROKER, CONFIG_QUOTA);
	else if (!strcmp(row->field[0], "topic") && ++count[CONFIG_SCOPE_TOPIC])
		compare_row(row, CONFIG_SCOPE_TOPIC, 0);
	else if (!strcmp(row->field[0], "group") && ++count[CONFIG_SCOPE_GROUP])
		compare_row(row, CONFIG_SCOPE_GROUP, 0);
	else if (!strcmp(row->field[0], "client-metrics") && ++count[CONFIG_SCOPE_CLIENT_METRICS])
		compare_row(row, CONFIG_SCOPE_CLIENT_METRICS, 0);
}

static void every_key_is_kafkas(void **state)
{
	uint32_t count[CONFIG_SCOPE_COUNT] = { 0 };

	(void)state;
	each_row(compare, count);
	for (int scope = 0; scope < CONFIG_SCOPE_COUNT; scope++) {
		struct config_table table = config_table((enum config_scope)scope);

		for (uint32_t i = 0; i < table.count; i++) {
			bool own = !strncmp(table.key[i].name, "sluice.", 7);

			assert_int_equal(!!(table.key[i].flags & CONFIG_OWN), own);
			count[scope] += own;
		}
		assert_int_equal(count[scope], table.count);
	}
}

static void dynamic_row(const struct row *row, void *arg)
{
	int id;

	if (strcmp(row->field[0], "dynamic"))
		return;
	id = config_find(CONFIG_SCOPE_BROKER, str_of(row->field[1]));
	assert_true(id >= 0);
	assert_int_not_equal(config_table(CONFIG_SCOPE_BROKER).key[id].update,
	                     CONFIG_UPDATE_READ_ONLY);
	++*(uint32_t *)arg;
}

static void dynamic_keys_are_kafkas(void **state)
{
	struct config_table table = config_table(CONFIG_SCOPE_BROKER);
	uint32_t count = 0;

	(void)state;
	each_row(dynamic_row, &count);
	for (uint32_t i = 0; i < table.count; i++)
		if (table.key[i].update != CONFIG_UPDATE_READ_ONLY &&
		    !(table.key[i].flags & CONFIG_OWN))
			count--;
	assert_int_equal(count, 0);
}

/* The broker's keys behind a topic's, in their order, each with its unit. */
static void synonym_row(const struct row *row, void *arg)
{
	struct str topic;
	char expected[300];
	char *rest = expected;
	char *one;

	if (strcmp(row->field[0], "synonyms"))
		return;
	++*(uint32_t *)arg;
	topic = str_of(row->field[1]);
	snprintf(expected, sizeof(expected), "%s", row->field[2]);
	while ((one = strsep(&rest, ","))) {
		char *star = strchr(one, '*');
		int id;
		char line[200];
		char value[40];
		struct config *c;
		struct config_entries entries;
		struct arena arena;

		*star = '\0';
		id = config_find(CONFIG_SCOPE_BROKER, str_of(one));
		assert_true(id >= 0);
		if (config_table(CONFIG_SCOPE_BROKER).key[id].type != CONFIG_TYPE_INT &&
		    config_table(CONFIG_SCOPE_BROKER).key[id].type != CONFIG_TYPE_LONG)
			continue;
		/* A value that each of these may have. */
		snprintf(line, sizeof(line), "%s=%d\n", one, !strcmp(star + 1, "1") ? 1048577 : 7);
		snprintf(value, sizeof(value), "%lld",
		         !strcmp(star + 1, "1") ? 1048577 : 7 * atoll(star + 1));
		if (strstr(one, "compression."))
			continue;
		c = load_node(line);
		arena_init(&arena, SIZE_MAX / 2);
		entries = config_describe_topic(c, (struct config_layer){ NULL, 0 }, &arena);
		for (uint32_t i = 0; i < entries.count; i++)
			if (str_eq(entries.entry[i].name, topic))
				assert_true(str_eq(entries.entry[i].value, str_of(value)));
		arena_fini(&arena);
		config_put(c);
	}
}

static void synonyms_are_kafkas(void **state)
{
	uint32_t count = 0;

	(void)state;
	each_row(synonym_row, &count);
	assert_int_equal(count, 28);
}

static void rows_are_in_the_order_of_names(void **state)
{
	(void)state;
	for (int scope = 0; scope < CONFIG_SCOPE_COUNT; scope++) {
		struct config_table table = config_table((enum config_scope)scope);

		for (uint32_t i = 0; i < table.count; i++) {
			assert_int_equal(
				config_find((enum config_scope)scope, str_of(table.key[i].name)),
				i);
			if (i)
				assert_true(strcmp(table.key[i - 1].name, table.key[i].name) < 0);
		}
		assert_int_equal(config_find((enum config_scope)scope, STR("")), -1);
		assert_int_equal(config_find((enum config_scope)scope, STR("zzz")), -1);
	}
}

static void a_mistyped_name_finds_its_neighbour(void **state)
{
	static const struct {
		const char *typed;
		const char *meant; /* NULL: nothing is near */
	} names[] = {
		{ "num.partition", "num.partitions" },
		{ "log.retension.hours", "log.retention.hours" },
		{ "advertised.listener", "advertised.listeners" },
		{ "lgo.dirs", "log.dirs" },
		{ "broker-id", "broker.id" },
		{ "slice.ack", "sluice.ack" },
		{ "zookeeper.connect", NULL },
		{ "my.own.key", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *found = config_nearest(CONFIG_SCOPE_BROKER, str_of(names[i].typed));

		if (!names[i].meant)
			assert_null(found);
		else
			assert_string_equal(found, names[i].meant);
	}
}

static void every_key_says_what_it_does(void **state)
{
	(void)state;
	for (int scope = 0; scope < CONFIG_SCOPE_COUNT; scope++) {
		struct config_table table = config_table((enum config_scope)scope);

		for (uint32_t i = 0; i < table.count; i++) {
			const char *doc = table.key[i].doc;
			size_t size = strlen(doc);

			if (size < 20 || doc[0] < 'A' || doc[0] > 'Z' || doc[size - 1] != '.' ||
			    strstr(doc, "  "))
				fail_msg("%s: '%s'", table.key[i].name, doc);
		}
	}
}

static void the_document_is_the_one_made_from_the_table(void **state)
{
	FILE *f = fopen(DOCUMENT, "r");
	struct buf made = { 0 };
	char *text;

	(void)state;
	assert_non_null(f);
	config_document(&made);
	text = malloc(made.size + 2);
	assert_int_equal(fread(text, 1, made.size + 2, f), made.size);
	assert_memory_equal(text, made.data, made.size);
	free(text);
	fclose(f);
	buf_fini(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_kafkas),
		cmocka_unit_test(dynamic_keys_are_kafkas),
		cmocka_unit_test(synonyms_are_kafkas),
		cmocka_unit_test(rows_are_in_the_order_of_names),
		cmocka_unit_test(a_mistyped_name_finds_its_neighbour),
		cmocka_unit_test(every_key_says_what_it_does),
		cmocka_unit_test(the_document_is_the_one_made_from_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
