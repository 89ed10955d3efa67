/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "consume.h"

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

static void print_field(const rd_kafka_message_t *m, char field)
{
	rd_kafka_timestamp_type_t type;

	switch (field) {
	case 't':
		fputs(rd_kafka_topic_name(m->rkt), stdout);
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
			print_field(m, *++f);
		else if (*f == '\\')
			putchar(*++f == 'n' ? '\n' : *f == 't' ? '\t' : *f);
		else
			putchar(*f);
	}
}

void consume_check_format(const char *format)
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
	out_bytes(o, "topic", span_of(str_of(rd_kafka_topic_name(m->rkt))));
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

void consume_print(struct consume *c, const rd_kafka_message_t *m)
{
	if (c->out.json)
		print_json(c, m);
	else
		print_text(c, m);
}
