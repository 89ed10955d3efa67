/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_CONFIG_FIXTURE_H
#define TEST_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "broker/config.h"

/* Configs of a single node, for tests. */
#define SINGLE_NODE                                                                                \
	"process.roles=broker,controller\n"                                                        \
	"node.id=1\n"                                                                              \
	"listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"                       \
	"controller.listener.names=CONTROLLER\n"                                                   \
	"controller.quorum.bootstrap.servers=127.0.0.1:9093\n"                                     \
	"log.dirs=/data\n"

static inline struct config_input input_of(const char *text)
{
	return (struct config_input){ .file = { (const uint8_t *)text, text ? strlen(text) : 0 },
		                      .file_name = "server.properties" };
}

/* A file that must be good; what was said is left out. */
static inline struct config *load_file(const char *text)
{
	struct config_input in = input_of(text);
	struct config_report report = { 0 };
	struct config *c = config_load(&in, &report);

	if (!c)
		fail_msg("%.*s", (int)report.text.size, (const char *)report.text.data);
	assert_int_equal(report.errors, 0);
	config_report_fini(&report);
	return c;
}

/* A single node, and what is to be in its file besides: "key=value\n..." */
static inline struct config *load_node(const char *more)
{
	struct buf text = { 0 };
	struct config *c;

	buf_printf(&text, "%s%s", SINGLE_NODE, more);
	buf_add(&text, "", 1);
	c = load_file((const char *)text.data);
	buf_fini(&text);
	return c;
}

static inline void assert_str(struct str s, const char *expected)
{
	if (!expected)
		assert_null(s.data);
	else if (!str_eq(s, str_of(expected)) || !s.data)
		fail_msg("'%.*s' is not '%s'", STR_ARG(s), expected);
}

static inline void assert_items(struct config_list list, const char *expected)
{
	char text[400] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < list.count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s", i ? "," : "",
		                         STR_ARG(list.item[i]));
	assert_string_equal(text, expected);
}

/* A layer of pairs that the test wrote in the order of their names. */
#define LAYER(...)                                                                                 \
	((struct config_layer){ (const struct config_pair[]){ __VA_ARGS__ },                       \
	                        sizeof((const struct config_pair[]){ __VA_ARGS__ }) /              \
	                                sizeof(struct config_pair) })
#define PAIR(name, value)                                                                          \
	{                                                                                          \
		{ name, sizeof(name) - 1 },                                                        \
		{                                                                                  \
			value, sizeof(value) - 1                                                   \
		}                                                                                  \
	}
#define NO_LAYER ((struct config_layer){ NULL, 0 })

#endif
