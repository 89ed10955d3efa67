/* SPDX-License-Identifier: Apache-2.0 */
#include "log_private.h"

#include "base/mem.h"
#include "io/work.h"

struct beside_job {
	struct job job;
	struct beside *beside;
};

struct beside *beside_new(void)
{
	struct beside *b = mem_zalloc(sizeof(*b));

	atomic_init(&b->refs, 1);
	return b;
}

struct beside *beside_get(struct beside *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void beside_put(struct beside *b)
{
	if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		mem_free(b);
}

/*
 * Whoever sets `running` runs everything; who finds it set leaves his tasks to that one, who looks
 * again after he let go.
 */
static void run_tasks(struct beside *b)
{
	while (atomic_load(&b->top) && !atomic_exchange(&b->running, true)) {
		struct task *top = atomic_exchange(&b->top, NULL);
		struct task *first = NULL;

		while (top) {
			struct task *next = top->next;

			top->next = first;
			first = top;
			top = next;
		}
		while (first) {
			struct task *next = first->next;

			first->run(first);
			first = next;
		}
		atomic_store(&b->running, false);
	}
}

static void run_job(struct job *job)
{
	struct beside_job *j = container_of(job, struct beside_job, job);

	run_tasks(j->beside);
	beside_put(j->beside);
	mem_free(j);
}

void beside_add(struct beside *b, struct task *task)
{
	struct task *top = atomic_load(&b->top);
	struct beside_job *j;

	do {
		task->next = top;
	} while (!atomic_compare_exchange_weak(&b->top, &top, task));
	if (top || b->closing)
		return; /* the job of the one below runs this too; or beside_drain() does */
	j = mem_zalloc(sizeof(*j));
	j->job.run = run_job;
	j->beside = beside_get(b);
	work_submit(WORK_SLOW, &j->job);
}

/* A worker that waits for another one's small write: short, and only when a log is closed or
 * synced. */
void beside_drain(struct beside *b)
{
	do {
		run_tasks(b);
	} while (atomic_load(&b->top) || atomic_load(&b->running));
}
