/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "broker/config.h"
#include "broker/config_describe.h"
#include "broker/properties.h"
#include "broker/topic_config.h"

/*
 * Whatever the file: it is read within its bounds, it is a config or there are errors, and from a
 * config everything that is made of one can be made.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct span file)
{
	struct properties p;
	uint32_t line = 0;
	int err = properties_parse(file, &p, &line);

	check(!err || line);
	for (size_t i = 0; i < p.count && !err; i++) {
		check(p.item[i].line && (!i || p.item[i - 1].line < p.item[i].line));
		check(p.item[i].key.size + p.item[i].value.size <= file.size);
	}
	properties_fini(&p);
}

/* The lines of the file once more, as dynamic configs of each level. */
static void update(const struct config *c, struct span file)
{
	struct config_report report = { 0 };
	struct config_pair *pair;
	struct properties p;
	struct config *now;
	uint32_t line;
	uint32_t count = 0;

	if (properties_parse(file, &p, &line)) {
		properties_fini(&p);
		return;
	}
	pair = mem_array(p.count + 1, sizeof(*pair));
	for (size_t i = 0; i < p.count; i++)
		if (!count || str_cmp(pair[count - 1].name, p.item[i].key) < 0)
			pair[count++] = (struct config_pair){ p.item[i].key, p.item[i].value };
	now = config_update(c,
	                    &(struct config_dynamic){ .broker = { pair, count },
	                                              .cluster = { pair, count / 2 } },
	                    &report);
	check(now && !report.errors);
	config_put(now);
	config_report_fini(&report);
	mem_free(pair);
	properties_fini(&p);
}

static void use(const struct config *c)
{
	struct config_layer none = { NULL, 0 };
	struct topic_config topic;
	struct group_config group;
	struct arena arena;

	topic_config_build(c, none, &topic);
	group_config_build(c, none, &group);
	check(config_listeners(c).count && config_log_dirs(c).count);
	arena_init(&arena, 16 << 20);
	(void)config_describe_broker(c, &arena);
	(void)config_describe_topic(c, none, &arena);
	arena_fini(&arena);
}

static void load(const uint8_t *data, size_t size, const struct str *override, uint32_t count)
{
	const struct config_input in = { .file = { data, size },
		                         .file_name = "fuzz",
		                         .override = override,
		                         .override_count = count };
	struct config_report report = { 0 };
	struct config *c = config_load(&in, &report);

	check(!c == (report.errors > 0));
	if (c) {
		use(c);
		update(c, in.file);
	}
	config_put(c);
	config_report_fini(&report);
}

/* What a file needs to be one at all, so that the rest of it counts. */
static const char node[] = "process.roles=broker,controller\n"
			   "node.id=1\n"
			   "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n"
			   "controller.listener.names=CONTROLLER\n"
			   "controller.quorum.bootstrap.servers=:9093\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str override = { (const char *)data, (uint32_t)size };
	uint8_t *file = mem_alloc(sizeof(node) + size);

	parse((struct span){ data, size });
	load(data, size, NULL, 0);
	memcpy(file, node, sizeof(node) - 1);
	memcpy(file + sizeof(node) - 1, data, size);
	load(file, sizeof(node) - 1 + size, NULL, 0);
	load((const uint8_t *)node, sizeof(node) - 1, &override, 1);
	mem_free(file);
	return 0;
}
