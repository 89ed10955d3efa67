/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/diag.h"
#include "broker/metrics.h"
#include "broker/service.h"
#include "io/file.h"
#include "io/notify.h"
#include "io/reactor.h"
#include "kern/kernel.h"

/* Exit status, as of most daemons: started and stopped well; failed; asked for wrongly. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char help[] =
	"sluiced: an event streaming broker that speaks Kafka's protocol\n"
	"\n"
	"  sluiced [FILE] [--override KEY=VALUE]...\n"
	"\n"
	"FILE is Kafka's server.properties; docs/config.md lists the keys.  Without it: a single "
	"node\n"
	"on 127.0.0.1:9092 with its data in ./data.  An empty directory is formatted at the first\n"
	"start.  SIGTERM stops it cleanly.\n"
	"\n"
	"  --override KEY=VALUE   stronger than the file\n"
	"  --check-config         says what the configuration means, starts nothing\n"
	"  --document-config      prints docs/config.md\n"
	"  --document-metrics     prints docs/metrics.md\n"
	"  --verbose              says more\n"
	"  --help, --version\n";

struct arguments {
	const char *file;
	struct str *override;
	uint32_t override_count;
	bool check_config;
};

static int usage(const char *what, const char *which)
{
	fprintf(stderr, "sluiced: %s%s; see sluiced --help\n", what, which);
	return EXIT_USAGE;
}

static int parse(int argc, char **argv, struct arguments *a)
{
	a->override = mem_array((size_t)argc, sizeof(*a->override));
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];

		if (!strcmp(arg, "--override") || !strncmp(arg, "--override=", 11)) {
			const char *pair = arg[10] ? arg + 11 : i + 1 < argc ? argv[++i] : "";

			if (!strchr(pair, '='))
				return usage("--override wants KEY=VALUE, not ", pair);
			a->override[a->override_count++] = str_of(pair);
		} else if (!strcmp(arg, "--check-config")) {
			a->check_config = true;
		} else if (!strcmp(arg, "--verbose")) {
			diag_level_set(DIAG_DEBUG);
		} else if (arg[0] == '-') {
			return usage("unknown option ", arg);
		} else if (a->file) {
			return usage("one file is enough: ", arg);
		} else {
			a->file = arg;
		}
	}
	return -1;
}

enum { CONFIG_FILE_MAX = 4 * 1024 * 1024 };

/* Through the standard library: the file may be a pipe, and no reactor is there yet. */
static int read_file(const char *name, struct buf *out)
{
	FILE *f = fopen(name, "re");

	if (!f)
		return -errno;
	for (;;) {
		size_t n;

		buf_reserve(out, 64 * 1024);
		n = fread(out->data + out->size, 1, 64 * 1024, f);
		out->size += n;
		if (!n || out->size > CONFIG_FILE_MAX)
			break;
	}
	if (ferror(f) || out->size > CONFIG_FILE_MAX) {
		int err = ferror(f) ? -errno : -EFBIG;

		fclose(f);
		return err;
	}
	fclose(f);
	return 0;
}

/* ---- running ---- */

static struct broker *the_broker;
static struct service *service;
static bool has_failed;

static void on_failed(void *arg)
{
	(void)arg;
	has_failed = true;
	service_stopping(service);
}

static void on_ready(void *arg, uint64_t ms)
{
	(void)arg;
	(void)ms;
	service_ready(service);
}

static void start(void *arg)
{
	service_start(service);
	broker_start(arg);
}

static void on_signal(void)
{
	service_stopping(service);
	broker_stop(the_broker);
}

static void say_notes(void)
{
	const char *at = reactors_notes();

	while (*at) {
		size_t size = strcspn(at, "\n");

		diag_info("broker", "%.*s", (int)size, at);
		at += size + (at[size] == '\n');
	}
}

static void choose_hash_keys(void)
{
	uint64_t keys[2];

	random_bytes(keys, sizeof(keys));
	hash_keys_set(keys);
}

static int run(const struct config *config)
{
	const struct reactors_options reactors = {
		.count = config_int(config, CONFIG_SLUICE_REACTORS),
		.worker_count = config_int(config, CONFIG_SLUICE_IO_THREADS),
		.file_io_uring = config_file_io(config) != CONFIG_FILE_IO_THREADS,
	};
	int32_t node_id = config_int(config, CONFIG_NODE_ID);
	struct kernel *kernel = config_bpf(config) ? kernel_open() : NULL; /* before any thread */
	const struct broker_options options = {
		.config = config, .kernel = kernel, .ready = on_ready, .failed = on_failed
	};
	struct broker_error why;
	int err = reactors_open(&reactors);

	if (err) {
		kernel_close(kernel);
		diag_error("broker", "this machine refuses: %s", strerror(-err));
		config_put(config);
		return EXIT_FAILED;
	}
	say_notes();
	err = broker_open(&options, &the_broker, &why);
	if (err) {
		diag_error("broker", "%s", why.text);
		reactors_close();
		kernel_close(kernel);
		return EXIT_FAILED;
	}
	kernel_pin(kernel, node_id);
	service = service_new(the_broker);
	signals_handle(on_signal, NULL);
	reactors_run(start, the_broker);
	err = broker_close(the_broker);
	reactors_close();
	service_free(service);
	broker_free(the_broker);
	kernel_close(kernel);
	if (!err && !has_failed)
		diag_info("broker", "stopped");
	return err || has_failed ? EXIT_FAILED : EXIT_OK;
}

static int with_config(const struct arguments *a)
{
	struct config_report report = { 0 };
	struct buf text = { 0 };
	struct config_input in = {
		.file_name = a->file,
		.override = a->override,
		.override_count = a->override_count,
	};
	struct buf said = { 0 };
	struct config *config;
	bool good;
	int err = a->file ? read_file(a->file, &text) : 0;

	if (err) {
		fprintf(stderr, "sluiced: %s: %s\n", a->file, strerror(-err));
		buf_fini(&text);
		return EXIT_USAGE;
	}
	if (a->file)
		in.file = (struct span){ text.data ? text.data : (const uint8_t *)"", text.size };
	if (a->check_config) {
		good = config_check(&in, &said);
		fwrite(said.data, 1, said.size, stdout);
		buf_fini(&said);
		buf_fini(&text);
		return good ? EXIT_OK : EXIT_USAGE;
	}
	config = config_load(&in, &report);
	if (report.text.size)
		fwrite(report.text.data, 1, report.text.size, stderr);
	config_report_fini(&report);
	buf_fini(&text);
	return config ? run(config) : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct arguments a = { 0 };
	struct buf text = { 0 };
	int status;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help")) {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (!strcmp(argv[i], "--version")) {
			puts("sluiced " SLUICE_VERSION);
			return EXIT_OK;
		}
		if (!strcmp(argv[i], "--document-config") ||
		    !strcmp(argv[i], "--document-metrics")) {
			(argv[i][11] == 'c' ? config_document : metrics_document)(&text);
			fwrite(text.data, 1, text.size, stdout);
			buf_fini(&text);
			return EXIT_OK;
		}
	}
	diag_journal_set(notify_is_journal());
	status = parse(argc, argv, &a);
	if (status < 0) {
		choose_hash_keys();
		status = with_config(&a);
	}
	mem_free(a.override);
	return status;
}
