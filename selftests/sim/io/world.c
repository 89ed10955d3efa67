/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"

enum { CLASS_MIN = 5, HEADER_BYTES = 16 };
#define ARENA_BYTES ((size_t)4 << 30) /* of addresses; pages only as touched */
#define EPOCH_MS    INT64_C(1760000000000)

enum exit_code { EXIT_RETURNED, EXIT_CRASHED = 81, EXIT_HALTED, EXIT_IDLE, EXIT_FAILED };

enum place place = PLACE_WORKER;
static struct world *the_world;
static bool is_alive; /* this process is a life */

/* ---- memory of the world ---- */

static void *arena_map(void)
{
	void *p = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(p != MAP_FAILED);
	return p;
}

struct world *world(void)
{
	if (!the_world)
		sim_begin(1);
	return the_world;
}

static int class_of(size_t size)
{
	int class = CLASS_MIN;

	while (((size_t)1 << class) < size + HEADER_BYTES)
		class ++;
	return class;
}

/* A block is headed by its class; a free one holds the next free one instead of data. */
void *world_alloc(size_t size)
{
	struct world *w = world();
	int class = class_of(size);
	char *block = w->free[class];

	if (block) {
		memcpy(&w->free[class], block + HEADER_BYTES, sizeof(void *));
	} else {
		block = (char *)w + w->used;
		w->used += (size_t)1 << class;
		check(w->used < ARENA_BYTES);
	}
	memcpy(block, &class, sizeof(class));
	memset(block + HEADER_BYTES, 0, size);
	return block + HEADER_BYTES;
}

void world_free(void *p)
{
	struct world *w = world();
	int class;

	if (!p)
		return;
	memcpy(&class, (char *)p - HEADER_BYTES, sizeof(class));
	memcpy(p, &w->free[class], sizeof(void *));
	w->free[class] = (char *)p - HEADER_BYTES;
}

char *world_text(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(world_alloc(size), text, size);
}

void *sim_alloc(size_t size)
{
	return world_alloc(size);
}

void sim_free(void *p)
{
	world_free(p);
}

/* ---- chance ---- */

uint64_t sim_random(uint64_t below)
{
	return prng_below(&world()->prng, below);
}

bool sim_chance(unsigned int per_cent)
{
	return sim_random(100) < per_cent;
}

static uint64_t one_of(const uint64_t *choice, size_t count)
{
	return choice[sim_random(count)];
}

static void draw_manners(struct sim_manners *m)
{
	static const uint64_t mail[] = { 0, 1000, 50000, 2000000 };
	static const uint64_t slow[] = { 0, 20000, 1000000, 300000000 };
	static const uint64_t window[] = { 1500, 16384, 65536, 1 << 20 };
	static const uint64_t per_cent[] = { 0, 0, 5, 30, 80 };

	m->reactor_count = 1 + (int)sim_random(4);
	m->mail_ns_max = one_of(mail, array_count(mail));
	m->job_ns_max = one_of(slow, array_count(slow));
	m->disk_ns_max = one_of(slow, array_count(slow));
	m->net_ns_max = one_of(slow, array_count(slow) - 1);
	m->window_bytes = (size_t)one_of(window, array_count(window));
	m->park_per_cent = (unsigned int)one_of(per_cent, array_count(per_cent));
	m->cold_per_cent = (unsigned int)one_of(per_cent, array_count(per_cent));
	m->other_per_cent = (unsigned int)one_of(per_cent, array_count(per_cent));
	m->short_per_cent = (unsigned int)one_of(per_cent, array_count(per_cent));
}

struct sim_manners *sim_manners(void)
{
	return &world()->manners;
}

/* ---- worlds ---- */

void sim_begin(uint64_t seed)
{
	struct world *w = the_world;

	check(!is_alive);
	if (!w)
		w = the_world = arena_map();
	else
		memset(w, 0, sizeof(*w)); /* the rest is zeroed as it is handed out */
	w->used = (sizeof(*w) + 63) & ~(size_t)63;
	w->seed = seed;
	w->prng.state = seed;
	w->now_ns = 1000000000u;
	w->boot = 1;
	w->space_bytes = UINT64_MAX;
	draw_manners(&w->manners);
	w->disk = disk_new();
}

void sim_seeds_of(int argc, char **argv, uint64_t *first, uint64_t *count)
{
	const char *seeds = getenv("SEEDS");

	*first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	if (argc > 2)
		*count = strtoull(argv[2], NULL, 10);
	else if (argc > 1)
		*count = 1;
	else if (seeds && *seeds)
		*count = strtoull(seeds, NULL, 10);
}

int sim_seeds(int argc, char **argv, uint64_t count, bool (*run)(uint64_t seed))
{
	uint64_t first;

	sim_seeds_of(argc, argv, &first, &count);
	for (uint64_t i = 0; i < count; i++) {
		if (run(first + i))
			continue;
		printf("replay: %s %llu\n", argv[0], (unsigned long long)(first + i));
		return 1;
	}
	printf("%llu seeds from %llu: every law holds\n", (unsigned long long)count,
	       (unsigned long long)first);
	return 0;
}

uint64_t sim_seed(void)
{
	return world()->seed;
}

uint64_t sim_lives(void)
{
	return world()->lives;
}

uint64_t sim_mutations(void)
{
	return world()->mutations;
}

uint64_t sim_events(void)
{
	return world()->events;
}

bool sim_is_trouble_over(void)
{
	struct sim_faults *f = &world()->faults;

	return !f->crash_at_event && !f->crash_at_mutation;
}

bool sim_has_sync_failed(void)
{
	const struct world *w = world();

	return w->faults.fail_sync_at && w->syncs >= w->faults.fail_sync_at;
}

/* ---- lives ---- */

static void leave(enum exit_code code) __attribute__((noreturn));
static void leave(enum exit_code code)
{
	fflush(NULL);
	_exit(code);
}

static enum sim_end end_of(int status)
{
	if (!WIFEXITED(status))
		return SIM_FAILED;
	switch (WEXITSTATUS(status)) {
	case EXIT_RETURNED:
		return SIM_RETURNED;
	case EXIT_CRASHED:
		return SIM_CRASHED;
	case EXIT_HALTED:
		return SIM_HALTED;
	case EXIT_IDLE:
		return SIM_IDLE;
	default:
		return SIM_FAILED;
	}
}

/* With the leak sanitizer linked in: a life that returns has freed all that it had. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static bool has_leaks(void)
{
	return __lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check();
}

enum sim_end sim_life(const struct sim_faults *faults, void (*life)(void *arg), void *arg)
{
	static const struct sim_faults none;
	struct world *w = world();
	int status = 0;
	pid_t pid;

	check(!is_alive);
	w->faults = faults ? *faults : none;
	w->lives++;
	w->events = w->mutations = w->syncs = w->writes = w->reads = 0;
	w->now_ns += 1000000000u; /* a process takes its time to start */
	fflush(NULL);
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		is_alive = true;
		life(arg);
		leave(has_leaks() ? EXIT_FAILED : EXIT_RETURNED);
	}
	while (waitpid(pid, &status, 0) < 0)
		;
	if (WIFSIGNALED(status))
		fprintf(stderr, "sim: life %llu of seed %llu ended by signal %d at event %llu\n",
		        (unsigned long long)w->lives, (unsigned long long)w->seed, WTERMSIG(status),
		        (unsigned long long)w->events);
	disk_forget(w->disk);
	return end_of(status);
}

void sim_idle(void)
{
	leave(EXIT_IDLE);
}

void sim_crash(void)
{
	check(is_alive);
	leave(EXIT_CRASHED);
}

void sim_crash_soon(uint64_t n, enum sim_when when)
{
	struct world *w = world();

	check(is_alive && n);
	w->faults.crash_at_mutation = w->mutations + n;
	w->faults.crash_when = when;
}

static void where_am_i(void)
{
	struct world *w = the_world;

	if (w)
		fprintf(stderr, "sim: at event %llu, mutation %llu of life %llu of seed %llu\n",
		        (unsigned long long)w->events, (unsigned long long)w->mutations,
		        (unsigned long long)w->lives, (unsigned long long)w->seed);
}

void sim_fail(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("sim: law broken: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	where_am_i();
	leave(EXIT_FAILED);
}

void check_failed(const char *expr, const char *file, int line)
{
	fflush(stdout);
	fprintf(stderr, "sluice: bug: check(%s) failed at %s:%d\n", expr, file, line);
	where_am_i();
	abort();
}

void halt(const char *reason)
{
	struct world *w = the_world;

	if (getenv("SIM_VERBOSE"))
		fprintf(stderr, "sim: life %llu halted: %s\n",
		        (unsigned long long)(w ? w->lives : 0), reason);
	leave(is_alive ? EXIT_HALTED : EXIT_FAILED);
}

bool mutation_begins(void)
{
	struct world *w = world();
	struct sim_faults *f = &w->faults;

	must_be_inside();
	w->mutations++;
	if (w->mutations != f->crash_at_mutation)
		return false;
	if (f->crash_when == SIM_BEFORE)
		sim_crash();
	return f->crash_when == SIM_DURING;
}

void mutation_ends(void)
{
	struct world *w = world();

	if (w->mutations == w->faults.crash_at_mutation)
		sim_crash();
}

void trace(const char *format, ...)
{
	struct world *w = world();
	const char *text = getenv("SIM_TRACE");
	va_list args;

	if (!text || (*text != '0' && strtoull(text, NULL, 10) != w->lives))
		return;
	fprintf(stderr, "sim: life %llu, mutation %llu: ", (unsigned long long)w->lives,
	        (unsigned long long)w->mutations);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* ---- time and identity ---- */

uint64_t mono_ns(void)
{
	struct world *w = world();

	/* Time passes for whoever looks, now and then a lot: limits of time are met too. */
	w->now_ns += sim_random(1000) ? 50 : sim_random(400000);
	return w->now_ns;
}

uint64_t mono_ms(void)
{
	return mono_ns() / 1000000u;
}

int64_t wall_ms(void)
{
	return EPOCH_MS + (int64_t)(mono_ns() / 1000000u) + world()->wall_jump_ms;
}

void sim_wall_jump(int64_t ms)
{
	world()->wall_jump_ms += ms;
}

void random_bytes(void *out, size_t size)
{
	uint8_t *at = out;

	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)sim_random(256);
}

struct boot_id boot_id(void)
{
	struct boot_id id;

	snprintf(id.text, sizeof(id.text), "00000000-0000-4000-8000-%012llx",
	         (unsigned long long)world()->boot);
	return id;
}
