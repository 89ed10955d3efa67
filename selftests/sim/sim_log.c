/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/reactor.h"
#include "io/strand.h"
#include "io/work.h"
#include "sim.h"
#include "store/log.h"
#include "store/log_dir.h"
#include "wire/errors.h"

/*
 * One log through many lives on the simulated disk: appends of every kind, rolls, checkpoints,
 * retention, clean stops, kills and power cuts at any change of the disk.
 *
 *   sim_log [SEED [COUNT]]      SIM_LOG_SAY=1 tells about each life
 *
 * Laws.  What was answered survives a kill; what was answered synced survives a power cut; the log
 * is a prefix of what was appended, whole batches without holes; epochs and producers are those of
 * its batches; after a clean stop nothing is recovered and nothing is missing.
 */
enum { SEEDS = 400, LIVES = 12, OFFSETS_MAX = 1 << 14, RUNS = 40 };

struct fact { /* of the batch that begins at an offset */
	uint64_t id;
	int32_t count;    /* 0: no batch begins here */
	int32_t sequence; /* of the producer; -1: none */
	int64_t producer;
};

struct known {
	int64_t answered_end; /* offsets below were answered */
	int64_t synced_end;
	int64_t start_max; /* the log start is not above */
	int32_t epoch;
	int64_t producer;
	int32_t next_sequence;
	uint64_t next_id;
	bool with_crashes; /* this life may crash */
	bool with_power;   /* this world has power cuts */
	bool with_cuts;    /* and its logs are truncated */
	bool with_full;    /* the disk gets full */
	bool is_made;
	struct log_config config;
	bool is_acked; /* it says that what is answered is synced */
	int reactors;
	bool power;    /* a power cut happened, and nobody has looked at the log since */
	bool just_cut; /* a power cut was what ended the last life */
	bool clean;    /* or a clean stop */
	struct fact fact[OFFSETS_MAX];
};

static struct known *known;
static struct dir *dir;
static struct log *the_log;
static struct strand strand;
static int runs_left;
static bool checkpointing;
static bool some_failed; /* in this run, of a full disk */
static unsigned int cuts;

static const struct log_config config = {
	.segment_bytes = 3000,
	.segment_ms = INT64_MAX / 2,
	.index_interval_bytes = 500,
	.index_bytes = 10 << 20,
	.retention_ms = -1,
	.retention_bytes = 12000,
	.file_delete_delay_ms = 1,
	.flush_messages = INT64_MAX,
	.flush_ms = INT64_MAX,
	.producer_expiration_ms = 86400000,
	.cleanup_delete = true,
};

/* ---- the laws, when a log was opened ---- */

static uint64_t id_of(const struct batch *b)
{
	struct record r;

	if (record_decode(batch_records(b), &r) || r.value.size < 8)
		sim_fail("a record without its id at %" PRId64, b->base_offset);
	return load_be64(r.value.data);
}

static void learn(int64_t offset, struct fact fact)
{
	memset(&known->fact[offset], 0, (size_t)fact.count * sizeof(fact));
	known->fact[offset] = fact;
}

static int64_t read_batch(int64_t offset, int32_t *last_epoch)
{
	static uint8_t data[1 << 16];
	struct log_mark end = log_end_mark(the_log);
	struct log_slice slice;
	struct batch b;
	ssize_t got;
	int err = log_locate(the_log, log_view(the_log), offset, 1, true, end, true, &slice);

	if (err || !slice.file)
		sim_fail("nothing at %" PRId64 ": %d", offset, err);
	got = file_read(slice.file, data, sizeof(data), slice.position);
	file_put(slice.file);
	if (got < (ssize_t)slice.size || batch_parse((struct span){ data, slice.size }, &b) ||
	    !batch_crc_ok(&b))
		sim_fail("no batch at %" PRId64, offset);
	/* The log may start inside a batch. */
	sim_law(b.base_offset == offset ||
	                (b.base_offset < offset && offset == log_start_offset(the_log) &&
	                 offset <= batch_last_offset(&b)),
	        "a hole: %" PRId64 " instead of %" PRId64, b.base_offset, offset);
	sim_law(b.leader_epoch >= *last_epoch, "epochs fall at %" PRId64, offset);
	/* What was deleted and came back may come without its epoch. */
	sim_law(log_epoch_of(the_log, offset) == b.leader_epoch ||
	                (offset < known->start_max && log_epoch_of(the_log, offset) < 0),
	        "epoch of %" PRId64 " is %d, not %d", offset, log_epoch_of(the_log, offset),
	        b.leader_epoch);
	*last_epoch = b.leader_epoch;
	offset = b.base_offset;
	/* What a full disk refused was cut off again; a power cut may undo that, above the synced.
	 */
	if (offset < (known->with_full && known->power ? known->synced_end : known->answered_end))
		sim_law(known->fact[offset].id == id_of(&b),
		        "offset %" PRId64 " was answered to another", offset);
	learn(offset,
	      (struct fact){ id_of(&b), b.last_offset_delta + 1,
	                     batch_has_producer(&b) ? b.base_sequence : -1, b.producer_id });
	return batch_last_offset(&b) + 1;
}

/*
 * Of batches below the start too: producers outlive them.  But what a power cut took with all
 * that followed is forgotten, and a snapshot may have found no room; then another one goes on.
 */
static void find_sequence(bool all_may_be_lost)
{
	int64_t at = known->answered_end;

	while (at && !(known->fact[at - 1].count && known->fact[at - 1].sequence >= 0))
		at--;
	known->next_sequence = 0;
	if (all_may_be_lost && at <= log_start_offset(the_log))
		known->producer++;
	else if (at && known->fact[at - 1].producer == known->producer)
		known->next_sequence = known->fact[at - 1].sequence + known->fact[at - 1].count;
}

static void check_log(const struct log_recovered *told, bool clean)
{
	int64_t promised = known->power ? known->synced_end : known->answered_end;
	int64_t start = log_start_offset(the_log);
	int64_t end = log_end_offset(the_log);
	int64_t offset = start;
	int32_t epoch = -1;

	sim_law(end >= promised, "the log ends at %" PRId64 ", promised was %" PRId64, end,
	        promised);
	/* Of what nothing was synced, a power cut may take the first files and leave later ones. */
	if (known->power && known->synced_end <= known->start_max && start > known->start_max)
		known->start_max = start;
	sim_law(start <= known->start_max, "it starts at %" PRId64 ", never above %" PRId64, start,
	        known->start_max);
	if (clean)
		sim_law(end == known->answered_end && !told->truncated_bytes,
		        "not as it was stopped");
	if (known->answered_end > end)
		known->answered_end = end;
	while (offset < end)
		offset = read_batch(offset, &epoch);
	known->answered_end = end;
	find_sequence(known->power || known->with_full);
	if (known->synced_end > end)
		known->synced_end = end;
}

/* ---- appending ---- */

struct sim_append {
	struct log_append append;
	struct buf data;
	struct fact fact;
	int64_t duplicate_of; /* -1: none */
};

static void on_done(struct log_append *a)
{
	struct sim_append *s = container_of(a, struct sim_append, append);

	if (a->error && known->with_full) {
		/* What follows a failed batch of a producer is out of order. */
		sim_law(a->error == WIRE_KAFKA_STORAGE_ERROR ||
		                (some_failed && a->error == WIRE_OUT_OF_ORDER_SEQUENCE_NUMBER),
		        "a full disk answers %d (at %" PRId64 " sequence %d, %d records)", a->error,
		        known->answered_end, s->fact.sequence, s->fact.count);
		some_failed = true;
		goto out;
	}
	sim_law(a->error == WIRE_NONE, "an append failed: %d (sequence %d, %d records)", a->error,
	        s->fact.sequence, s->fact.count);
	if (s->duplicate_of >= 0) {
		sim_law(a->duplicate && a->base_offset == s->duplicate_of,
		        "a retry of %" PRId64 " was appended at %" PRId64, s->duplicate_of,
		        a->base_offset);
	} else {
		sim_law(!a->duplicate && a->base_offset == known->answered_end,
		        "appended at %" PRId64 ", not %" PRId64, a->base_offset,
		        known->answered_end);
		learn(a->base_offset, s->fact);
		known->answered_end = a->last_offset + 1;
		if (a->sync || known->is_acked)
			known->synced_end = known->answered_end;
	}
out:
	buf_fini(&s->data);
	mem_free(s);
}

static struct sim_append *new_append(struct fact fact)
{
	struct sim_append *s = mem_zalloc(sizeof(*s));
	struct batch_options options = BATCH_PLAIN;
	uint8_t value[900] = { 0 };
	struct batch_builder b;

	s->fact = fact;
	s->duplicate_of = -1;
	if (fact.sequence >= 0) {
		options.producer_id = fact.producer;
		options.producer_epoch = 0;
		options.base_sequence = fact.sequence;
	}
	store_be64(value, fact.id);
	batch_begin(&b, &s->data, &options);
	for (int i = 0; i < fact.count; i++)
		batch_add(&b, 1000 + i, (struct span){ NULL, 0 },
		          (struct span){ value, 8 + (size_t)sim_random(sizeof(value) - 8) }, NULL,
		          0);
	batch_end(&b);
	s->append.origin = LOG_CLIENT;
	s->append.leader_epoch = known->epoch;
	s->append.append_time_ms = -1;
	s->append.now_ms = 1000;
	s->append.done = on_done;
	s->append.data = s->data.data;
	s->append.size = s->data.size;
	return s;
}

static void stage_some(void)
{
	int count = 1 + (int)sim_random(6);

	for (int i = 0; i < count && known->answered_end < OFFSETS_MAX - 200; i++) {
		int32_t records = 1 + (int32_t)sim_random(4);
		bool idempotent = sim_chance(50);
		struct sim_append *s = new_append(
			(struct fact){ known->next_id++, records,
		                       idempotent ? known->next_sequence : -1, known->producer });

		if (idempotent)
			known->next_sequence += records;
		s->append.sync = sim_chance(15);
		log_stage(the_log, &s->append);
	}
}

/* One of the last five batches of the producer, once more; after a cut only the newest is sure. */
static void retry_one(void)
{
	int skip = known->with_cuts ? 0 : (int)sim_random(5);

	for (int64_t at = known->answered_end - 1; at >= log_start_offset(the_log); at--) {
		const struct fact *f = &known->fact[at];
		struct sim_append *s;

		if (!f->count || f->sequence < 0 || f->producer != known->producer || skip--)
			continue;
		s = new_append(*f);
		s->duplicate_of = at;
		log_stage(the_log, &s->append);
		return;
	}
}

/* ---- a life ---- */

/* Where a few changes of the disk belong together, crashes are worth more. */
static void crash_perhaps(uint64_t within)
{
	if (known->with_crashes && sim_chance(15))
		sim_crash_soon(1 + sim_random(within), (enum sim_when)sim_random(3));
}

/* As a follower would. */
static void truncate_some(void)
{
	int64_t start = log_start_offset(the_log);
	int64_t at;

	if (known->answered_end - start < 20)
		return;
	at = known->answered_end - 1 - (int64_t)sim_random(15);
	while (at > start && !known->fact[at].count)
		at--;
	if (at <= start)
		return;
	known->answered_end = at;
	if (known->synced_end > at)
		known->synced_end = at;
	find_sequence(false);
	cuts++;
	crash_perhaps(20);
	log_truncate(the_log, at);
}

/* DeleteRecords.  After a crash the start is where the checkpoint says, at the least. */
static void delete_some(void)
{
	int64_t start = log_start_offset(the_log);
	int64_t at = start + (int64_t)sim_random((uint64_t)(log_end_offset(the_log) - start) + 1);

	sim_law(log_delete_records(the_log, at) == WIRE_NONE, "records are not deleted");
	sim_law(log_start_offset(the_log) == at, "the log starts elsewhere");
	if (known->start_max < at)
		known->start_max = at;
}

struct checkpoint_job {
	struct job job;
	const struct log_view *view;
	int64_t end;
	int64_t start;
	unsigned int cuts; /* before it */
};

static int write_checkpoint(int64_t recovery_point, int64_t end, int64_t start)
{
	struct log_point point = { { "t", 1 }, 0, recovery_point, end, start };

	return log_dir_checkpoint(dir, &point, 1);
}

static void run_checkpoint(struct job *job)
{
	struct checkpoint_job *c = container_of(job, struct checkpoint_job, job);
	int err = log_sync(the_log, c->view, c->end);

	if (!err)
		err = write_checkpoint(log_recovery_point(the_log), c->end, c->start);
	if (known->with_full && errno_is_full(err))
		return;
	sim_law(!err, "a checkpoint failed: %d", err);
	log_checkpointed(the_log, c->view);
	if (known->synced_end < c->end && c->cuts == cuts)
		known->synced_end = c->end;
}

static void checkpoint_done(struct job *job)
{
	struct checkpoint_job *c = container_of(job, struct checkpoint_job, job);

	log_view_put(c->view);
	mem_free(c);
	checkpointing = false;
}

static void begin_checkpoint(void)
{
	struct checkpoint_job *c = mem_zalloc(sizeof(*c));

	c->job.run = run_checkpoint;
	c->job.done = checkpoint_done;
	c->view = log_view_to_sync(the_log, &c->end);
	c->cuts = cuts;
	c->start = log_start_to_keep(the_log);
	checkpointing = true;
	crash_perhaps(30);
	work_submit(WORK_SLOW, &c->job);
}

static struct work work;
static bool work_is_out;

static void run_some(struct work *self)
{
	(void)self;
	work_is_out = false;
	if (some_failed)
		find_sequence(false);
	some_failed = false;
	log_lead(the_log, known->epoch);
	if (known->with_cuts && sim_chance(10)) {
		truncate_some();
		return;
	}
	if (sim_chance(30))
		retry_one();
	else
		stage_some();
	if (sim_chance(10))
		known->epoch++; /* of what is staged next */
	if (!checkpointing && sim_chance(10))
		begin_checkpoint();
	if (sim_chance(3))
		delete_some();
	if (sim_chance(5)) {
		(void)log_retain(the_log, 3000 - runs_left, log_end_offset(the_log));
		if (known->start_max < log_start_offset(the_log))
			known->start_max = log_start_offset(the_log);
	}
}

static void drive(struct timer *timer)
{
	if (!runs_left && !work_is_out && !log_has_staged(the_log) && !checkpointing) {
		reactors_stop();
		return;
	}
	if (runs_left && !work_is_out && !log_has_staged(the_log)) {
		runs_left--;
		work_is_out = true;
		work = (struct work){ .run = run_some };
		strand_post(&strand, &work);
	}
	timer_arm(timer, mono_ms() + 1);
}

static struct timer driver;

static void start(void *arg)
{
	(void)arg;
	timer_init(&driver, drive);
	timer_arm(&driver, mono_ms() + 1);
}

static enum settled settle(struct strand *self)
{
	(void)self;
	return log_settle(the_log);
}

static void unpark(void *arg)
{
	strand_unpark(arg);
}

static void on_published(void *arg, struct log_mark end, uint64_t bytes)
{
	(void)arg;
	(void)end;
	(void)bytes;
}

static void on_failed(void *arg, int err)
{
	(void)arg;
	sim_fail("the log failed: %d", err);
}

static void open_directory(void)
{
	struct log_options options = {
		.dir = dir,
		.name = "t-0",
		.config = known->config,
		.now_ms = 1000,
		.unpark = unpark,
		.published = on_published,
		.failed = on_failed,
		.arg = &strand,
	};
	struct log_dir_state was;
	struct log_recovered told;
	struct log_offsets offsets;
	struct uuid id;
	bool clean;

	if (log_dir_look(dir, &was))
		sim_fail("log_dir_look");
	sim_law((was.recovery == LOG_CLEAN) >= known->clean, "a clean stop is forgotten");
	sim_law(!known->just_cut || was.recovery != LOG_KILLED, "a power cut looks like a kill");
	options.recovery = was.recovery;
	if (log_offsets_read(dir, RECOVERY_POINT_CHECKPOINT, &offsets))
		sim_fail("a checkpoint is torn");
	options.recovery_point = log_offsets_find(&offsets, (struct str){ "t", 1 }, 0, 0);
	log_offsets_fini(&offsets);
	if (log_offsets_read(dir, LOG_START_CHECKPOINT, &offsets))
		sim_fail("a checkpoint is torn");
	options.start_offset = log_offsets_find(&offsets, (struct str){ "t", 1 }, 0, 0);
	log_offsets_fini(&offsets);
	clean = known->clean;
	known->clean = false;
	if (!known->is_made)
		sim_space(UINT64_MAX);
	if (log_dir_begin(dir))
		sim_fail("log_dir_begin");
	if (log_topic_id(dir, "t-0", &id)) {
		int err = log_create(dir, "t-0", UUID_METADATA_TOPIC, false);

		if (err == -EEXIST)
			err = log_identify(dir, "t-0", UUID_METADATA_TOPIC, false);
		sim_law(!err, "log_create: %d", err);
	}
	if (log_open(&options, &the_log, &told))
		sim_fail("log_open");
	if (getenv("SIM_LOG_SAY"))
		fprintf(stderr,
		        "life %llu: recovery %d point %lld start %lld: log %lld..%lld, cut %llu, "
		        "answered %lld synced %lld\n",
		        (unsigned long long)sim_lives(), was.recovery,
		        (long long)options.recovery_point, (long long)options.start_offset,
		        (long long)log_start_offset(the_log), (long long)log_end_offset(the_log),
		        (unsigned long long)told.truncated_bytes, (long long)known->answered_end,
		        (long long)known->synced_end);
	known->is_made = true;
	check_log(&told, clean);
	known->power = false;
	if (log_dir_recovered(dir))
		sim_fail("log_dir_recovered");
	known->synced_end = log_end_offset(the_log);
}

/* So much may still be written in this life. */
static void fill_disk(void)
{
	if (sim_chance(30))
		sim_space(UINT64_MAX);
	else
		sim_space_left(sim_random(20000));
}

/* False: there was no room for a clean stop. */
static bool stop_cleanly(void)
{
	int64_t start = log_start_to_keep(the_log);
	int err = log_close(the_log, true);

	if (!err)
		err = dir_syncfs(dir);
	if (!err)
		err = write_checkpoint(known->answered_end, known->answered_end, start);
	if (!err)
		err = log_unlimit(dir, "t-0");
	if (!err)
		err = log_dir_end(dir, 7);
	sim_law(!err || (known->with_full && errno_is_full(err)), "a clean stop failed: %d", err);
	return !err;
}

static void life(void *arg)
{
	struct reactors_options options = { .count = known->reactors };

	(void)arg;
	if (dir_open("/data", true, &dir))
		sim_fail("dir_open");
	open_directory();
	known->epoch++;
	strand_init(&strand, settle);
	runs_left = RUNS;
	if (known->with_full)
		fill_disk();
	if (reactors_open(&options))
		sim_fail("reactors_open");
	reactors_run(start, NULL);
	crash_perhaps(40);
	known->clean = stop_cleanly();
	if (known->clean)
		known->synced_end = known->answered_end;
	reactors_close();
	dir_close(dir);
}

static bool run_seed(uint64_t seed)
{
	sim_begin(seed);
	known = sim_alloc(sizeof(*known));
	known->epoch = -1;
	known->producer = 1;
	known->with_power = sim_chance(60);
	known->with_full = sim_chance(20);
	known->with_cuts = !known->with_full && sim_chance(50);
	known->reactors = 1 + (int)sim_random(3);
	known->config = config;
	known->config.ack_synced = sim_chance(10);
	known->config.flush_messages = sim_chance(10) ? 1 + (int64_t)sim_random(4) : INT64_MAX;
	known->is_acked = known->config.ack_synced || known->config.flush_messages == 1;
	for (int i = 0; i < LIVES; i++) {
		struct sim_faults faults = { 0 };
		enum sim_end end;

		known->with_crashes = sim_chance(80);
		if (known->with_crashes)
			faults.crash_at_mutation = 1 + sim_random(1 + sim_random(600));
		faults.crash_when = (enum sim_when)sim_random(3);
		end = sim_life(&faults, life, NULL);
		if (end != SIM_RETURNED && end != SIM_CRASHED) {
			printf("seed %llu: life %d ended with %d\n", (unsigned long long)seed, i,
			       end);
			return false;
		}
		known->just_cut = end == SIM_CRASHED && known->with_power && sim_chance(50);
		if (known->just_cut) {
			sim_power_cut();
			known->power = true;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	return sim_seeds(argc, argv, SEEDS, run_seed);
}
