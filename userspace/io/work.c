/* SPDX-License-Identifier: Apache-2.0 */
#include "io/work.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>

#include "base/mem.h"
#include "loop.h"

enum {
	WORKERS_MAX = 16,
	FAST_COUNT = 2,
	SLOW_COUNT = 2,
	WORKER_STACK_BYTES = 1024 * 1024, /* of addresses; pages only as touched */
};

/*
 * A lane: reactors push with one compare-and-swap and wake a worker by semaphore, they never
 * wait.  The workers share the lock of `queue` among themselves only.
 */
struct lane {
	_Atomic(struct mail *) pushed; /* newest first */
	sem_t count;                   /* one for each job, and for each worker told to end */
	pthread_mutex_t lock;
	struct mail *queue; /* oldest first */
	int worker_count;
	pthread_t worker[WORKERS_MAX];
};

static struct lane lanes[WORK_LANES];

int thread_make(pthread_t *thread, const char *name, size_t stack_bytes, void *(*main)(void *),
                void *arg)
{
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);

	if (err)
		return -err;
	err = pthread_attr_setstacksize(&attr, stack_bytes);
	if (!err)
		err = pthread_create(thread, &attr, main, arg);
	pthread_attr_destroy(&attr);
	if (!err)
		(void)pthread_setname_np(*thread, name); /* only for those who look */
	return -err;
}

/* NULL: no job; this worker was told to end. */
static struct mail *take(struct lane *lane)
{
	struct mail *mail;

	while (sem_wait(&lane->count))
		check(errno == EINTR);

	pthread_mutex_lock(&lane->lock);
	if (!lane->queue) {
		/* Acquire: what the submitters wrote into their jobs. */
		struct mail *newest =
			atomic_exchange_explicit(&lane->pushed, NULL, memory_order_acquire);

		while (newest) {
			struct mail *next = newest->next;

			newest->next = lane->queue;
			lane->queue = newest;
			newest = next;
		}
	}
	mail = lane->queue;
	if (mail)
		lane->queue = mail->next;
	pthread_mutex_unlock(&lane->lock);
	return mail;
}

static void *worker_main(void *arg)
{
	struct lane *lane = arg;
	struct mail *mail;

	while ((mail = take(lane)))
		mail->run(mail);
	return NULL;
}

void work_send(enum work_lane lane, struct mail *mail)
{
	struct lane *l = &lanes[lane];
	struct mail *top = atomic_load_explicit(&l->pushed, memory_order_relaxed);

	/* Release: the job's content, for the worker that takes it. */
	do {
		mail->next = top;
	} while (!atomic_compare_exchange_weak_explicit(
		&l->pushed, &top, mail, memory_order_release, memory_order_relaxed));
	sem_post(&l->count);
}

static void job_done(struct mail *mail)
{
	struct job *job = container_of(mail, struct job, mail);

	job->done(job);
}

static void job_run(struct mail *mail)
{
	struct job *job = container_of(mail, struct job, mail);
	int home = job->home;
	bool has_done = job->done;

	job->run(job);
	if (!has_done)
		return; /* run() freed it */
	job->mail.run = job_done;
	reactor_post(home, &job->mail);
}

void work_submit(enum work_lane lane, struct job *job)
{
	int self = reactor_self();

	job->home = self == REACTOR_NONE ? 0 : self;
	job->mail.run = job_run;
	work_send(lane, &job->mail);
}

int work_open(int slow_count)
{
	static const char *const names[WORK_LANES] = { "fast", "slow" };
	int counts[WORK_LANES] = { FAST_COUNT, slow_count > 0 ? slow_count : SLOW_COUNT };

	for (int i = 0; i < WORK_LANES; i++) {
		struct lane *lane = &lanes[i];

		atomic_init(&lane->pushed, NULL);
		lane->queue = NULL;
		lane->worker_count = 0;
		pthread_mutex_init(&lane->lock, NULL);
		sem_init(&lane->count, 0, 0);
	}
	for (int i = 0; i < WORK_LANES; i++) {
		int count = counts[i] < WORKERS_MAX ? counts[i] : WORKERS_MAX;

		for (int k = 0; k < count; k++) {
			char name[16];
			int err;

			snprintf(name, sizeof(name), "sluice/%s%d", names[i], k);
			err = thread_make(&lanes[i].worker[k], name, WORKER_STACK_BYTES,
			                  worker_main, &lanes[i]);
			if (err) {
				work_close();
				return err;
			}
			lanes[i].worker_count++;
		}
	}
	return 0;
}

/* Jobs submitted before are run; their done() is not. */
void work_close(void)
{
	for (int i = 0; i < WORK_LANES; i++)
		for (int k = 0; k < lanes[i].worker_count; k++)
			sem_post(&lanes[i].count);
	for (int i = 0; i < WORK_LANES; i++) {
		for (int k = 0; k < lanes[i].worker_count; k++)
			pthread_join(lanes[i].worker[k], NULL);
		lanes[i].worker_count = 0;
		pthread_mutex_destroy(&lanes[i].lock);
		sem_destroy(&lanes[i].count);
	}
}
