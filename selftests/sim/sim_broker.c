/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "broker/broker.h"
#include "broker/diag.h"
#include "broker_audit.h"
#include "broker_committer.h"
#include "broker_worker.h"
#include "io/reactor.h"

/*
 * The whole broker on the simulated machine, with clients that create and delete topics, produce
 * with every kind of acks, fetch, delete records, and go on over restarts, kills and power cuts.
 *
 *   sim_broker [SEED [COUNT]]       lives that end anywhere
 *   sim_broker each [SEED [COUNT]]  one short life of each seed, ended at every change of the disk
 *   SIM_VERBOSE=1 shows what the broker tells its operator, SIM_SAY=1 how lives end
 *
 * Laws.  What was acknowledged (or read) survives a kill at its offset, and a power cut where acks
 * are synced; after a power cut each log is a prefix of itself.  No value is in a log twice, though
 * producers retry.  Topics, partitions, configs and producer ids survive both as they were
 * acknowledged.  Every request is answered.
 */
enum {
	SEEDS = 200,
	LIVES = 6,
	WORKERS = 2,
	STEPS = 25,
	SHORT_STEPS = 6,
	PATIENCE_S = 300, /* simulated, without any answer */
	FULL_S = 20,
	PORT = 9092,
};

struct plan {
	int steps; /* of each worker in this life */
	int reactors;
	bool with_groups;
	bool gets_full; /* the disk, for a while */
};

static struct plan *plan;
static struct client_model *clients; /* one for each worker */

static struct broker *broker;
static struct audit audit;
static struct worker worker[WORKERS];
static struct committer committer;
static bool is_stopping;
static uint64_t answers_seen;
static int silent_s;

/* ---- the broker ---- */

static void say(const char *line, size_t size)
{
	if (getenv("SIM_VERBOSE"))
		fwrite(line, 1, size, stderr);
}

static void on_signal(void)
{
	broker_stop(broker);
}

static void start(void *arg)
{
	broker_start(arg);
}

static struct config *load_config(void)
{
	const struct str override[] = {
		STR("log.dirs=/data"),
		STR("listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
		STR("num.partitions=2"),
		STR("offsets.topic.num.partitions=2"),
		STR("offsets.topic.replication.factor=1"),
		STR("log.segment.delete.delay.ms=2000"),
		STR("log.flush.offset.checkpoint.interval.ms=3000"),
	};
	struct config_input in = { .override = override, .override_count = array_count(override) };
	struct config_report report = { 0 };
	struct config *config = config_load(&in, &report);

	if (!config)
		sim_fail("%.*s", (int)report.text.size, (const char *)report.text.data);
	config_report_fini(&report);
	return config;
}

/* ---- its clients ---- */

static void stop_when_done(void)
{
	for (int i = 0; i < WORKERS; i++)
		if (!worker_is_done(&worker[i]))
			return;
	if (!committer_is_done(&committer))
		return;
	if (!is_stopping)
		sim_signal_stop();
	is_stopping = true;
}

static void begin_work(void)
{
	committer_begin(&committer, plan->with_groups ? plan->steps : 0, PORT, stop_when_done);
	for (int i = 0; i < WORKERS; i++)
		worker_begin(&worker[i], &clients[i], i == 0, plan->steps, PORT, stop_when_done);
}

static void free_space(void *arg)
{
	(void)arg;
	sim_space(UINT64_MAX);
}

static void on_ready(void *arg, uint64_t ms)
{
	(void)arg;
	(void)ms;
	if (plan->gets_full) {
		sim_space_left(sim_random(30000));
		sim_after(FULL_S * UINT64_C(1000000000), free_space, NULL);
	}
	audit_begin(&audit, PORT, begin_work);
}

static void watch(void *arg)
{
	uint64_t answers = audit.peer.answers + committer.peer.answers;

	for (int i = 0; i < WORKERS; i++)
		answers += worker[i].peer.answers;
	silent_s = answers == answers_seen ? silent_s + 1 : 0;
	answers_seen = answers;
	sim_law(silent_s < PATIENCE_S, "nobody is answered any more");
	sim_after(1000000000, watch, arg);
}

static void life(void *arg)
{
	const struct reactors_options reactors = { .count = plan->reactors };
	struct broker_options options = { .config = load_config(), .ready = on_ready };
	struct broker_error why;

	(void)arg;
	diag_sink_set(say);
	if (reactors_open(&reactors))
		sim_fail("reactors_open");
	if (broker_open(&options, &broker, &why)) {
		if (model->has_trouble)
			sim_crash(); /* refused, and it said why */
		sim_fail("%s", why.text);
	}
	signals_handle(on_signal, NULL);
	sim_after(1000000000, watch, NULL);
	reactors_run(start, broker);
	if (broker_close(broker)) {
		if (model->has_trouble)
			sim_crash();
		sim_fail("a clean stop failed");
	}
	reactors_close();
	broker_free(broker);
	model_settle();
}

/* ---- worlds ---- */

static void begin_world(uint64_t seed)
{
	sim_begin(seed);
	model = sim_alloc(sizeof(*model));
	plan = sim_alloc(sizeof(*plan));
	clients = sim_alloc(WORKERS * sizeof(*clients));
	plan->with_groups = sim_chance(50);
	plan->reactors = 1 + (int)sim_random(3);
	plan->steps = STEPS;
}

/* Ends as it may. */
static bool run_life(const struct sim_faults *faults, bool may_crash)
{
	enum sim_end end = sim_life(faults, life, NULL);

	if (getenv("SIM_SAY"))
		fprintf(stderr,
		        "life %llu of seed %llu: ended with %d after %llu events, %llu "
		        "changes of the disk\n",
		        (unsigned long long)sim_lives(), (unsigned long long)sim_seed(), end,
		        (unsigned long long)sim_events(), (unsigned long long)sim_mutations());
	/* After a failed sync what was not synced is lost, if only the process ends. */
	if (sim_has_sync_failed())
		model_power_cut();
	if (model->has_trouble && (end == SIM_CRASHED || end == SIM_HALTED))
		return true;
	return end == SIM_RETURNED || (may_crash && end == SIM_CRASHED);
}

static void cut_power(void)
{
	sim_power_cut();
	model_power_cut();
}

/* A disk that fails: once, at the latest in the life before the last. */
static void draw_trouble(struct sim_faults *faults)
{
	uint64_t at = 1 + sim_random(1 + sim_random(300));

	model->has_trouble = true;
	switch (sim_random(4)) {
	case 0:
		faults->fail_sync_at = at;
		break;
	case 1:
		faults->fail_write_at = at;
		break;
	case 2:
		faults->fail_read_at = at;
		break;
	default:
		plan->gets_full = true;
		break;
	}
}

static bool run_seed(uint64_t seed)
{
	bool with_power, with_resets, with_trouble;

	begin_world(seed);
	with_power = sim_chance(60);
	with_resets = sim_chance(20);
	with_trouble = sim_chance(25);
	for (int i = 0; i < LIVES; i++) {
		struct sim_faults faults = { 0 };
		bool may_crash = i + 1 < LIVES && sim_chance(85);

		if (may_crash && sim_chance(70))
			faults.crash_at_mutation = 1 + sim_random(1 + sim_random(400));
		else if (may_crash)
			faults.crash_at_event = 1 + sim_random(1 + sim_random(4000));
		faults.crash_when = (enum sim_when)sim_random(3);
		faults.reset_per_mille = with_resets ? 20 : 0;
		model->has_trouble = false;
		plan->gets_full = false;
		sim_space(UINT64_MAX);
		if (with_trouble && i + 1 < LIVES && sim_chance(50))
			draw_trouble(&faults);
		if (!run_life(&faults, may_crash))
			return false;
		if (with_power && sim_chance(50))
			cut_power();
	}
	return true;
}

/* ---- each change of the disk ---- */

static bool run_crash(uint64_t seed, uint64_t at, enum sim_when when, bool power)
{
	struct sim_faults faults = { .crash_at_mutation = at, .crash_when = when };
	bool good;

	begin_world(seed);
	plan->steps = SHORT_STEPS;
	good = run_life(&faults, true);
	if (good && power)
		cut_power();
	good = good && run_life(NULL, false);
	if (!good)
		printf("seed %llu, change %llu, %s, power %d\n", (unsigned long long)seed,
		       (unsigned long long)at,
		       when == SIM_BEFORE   ? "before"
		       : when == SIM_DURING ? "during"
		                            : "after",
		       power);
	return good;
}

static bool run_each(uint64_t seed)
{
	uint64_t changes;

	begin_world(seed);
	plan->steps = SHORT_STEPS;
	if (!run_life(NULL, false))
		return false;
	changes = sim_mutations();
	for (uint64_t at = 1; at <= changes; at++)
		for (int when = SIM_BEFORE; when <= SIM_AFTER; when++)
			for (int power = 0; power < 2; power++)
				if (!run_crash(seed, at, (enum sim_when)when, power))
					return false;
	return true;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "each"))
		return sim_seeds(argc - 1, argv + 1, 1, run_each);
	if (sim_seeds(argc, argv, SEEDS, run_seed))
		return 1;
	return argc > 1 || run_each(1) ? 0 : 1;
}
