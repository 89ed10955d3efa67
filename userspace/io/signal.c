/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"

/*
 * The handler posts a letter to reactor 0, which is lock-free and a write(): safe in a handler.
 * A letter on its way is not posted again.
 */
struct letter {
	struct mail mail;
	atomic_bool posted;
	void (*act)(void);
};

static struct letter stop_letter, reload_letter;
static atomic_int stops;

static void deliver(struct mail *mail)
{
	struct letter *letter = container_of(mail, struct letter, mail);

	atomic_store_explicit(&letter->posted, false, memory_order_release);
	if (letter->act)
		letter->act();
}

static void post(struct letter *letter)
{
	if (reactor_count() &&
	    !atomic_exchange_explicit(&letter->posted, true, memory_order_acquire))
		reactor_send(reactor_at(0), &letter->mail);
}

static void handle(int signal)
{
	int old_errno = errno;

	if (signal == SIGHUP)
		post(&reload_letter);
	else if (atomic_fetch_add_explicit(&stops, 1, memory_order_relaxed))
		_exit(128 + signal);
	else
		post(&stop_letter);
	errno = old_errno;
}

void signals_handle(void (*stop)(void), void (*reload)(void))
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	stop_letter.mail.run = deliver;
	stop_letter.act = stop;
	reload_letter.mail.run = deliver;
	reload_letter.act = reload;
	atomic_store(&stops, 0);
	(void)sigaction(SIGTERM, &action, NULL); /* the signals exist */
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}
