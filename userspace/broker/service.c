/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/service.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "broker/broker.h"
#include "broker/partitions.h"
#include "io/notify.h"
#include "io/reactor.h"

enum {
	STATUS_MS = 1000,
	CLOSING_S = 3600, /* closing logs takes what it takes: no beats meanwhile */
};

/* A letter to each reactor; when all came back the watchdog hears of it. */
struct beat {
	struct mail mail;
	struct service *service;
};

struct service {
	struct broker *broker;
	bool is_ready;
	struct timer status;
	struct timer watchdog;
	uint64_t watchdog_ms; /* between rounds; 0: nobody waits */
	_Atomic(int) awaited; /* letters that are under way */
	int count;
	struct beat beat[];
};

/* ---- the watchdog ---- */

static void on_beat(struct mail *mail)
{
	struct beat *b = container_of(mail, struct beat, mail);

	/* Release: the letter may be sent again by whoever sees this. */
	atomic_fetch_sub_explicit(&b->service->awaited, 1, memory_order_release);
}

static void on_watchdog(struct timer *timer)
{
	struct service *s = container_of(timer, struct service, watchdog);

	if (!atomic_load_explicit(&s->awaited, memory_order_acquire)) {
		notify_send("WATCHDOG=1");
		atomic_store_explicit(&s->awaited, s->count, memory_order_relaxed);
		for (int i = 0; i < s->count; i++)
			reactor_post(i, &s->beat[i].mail);
	}
	timer_arm(&s->watchdog, mono_ms() + s->watchdog_ms);
}

/* ---- the status ---- */

/* While logs are opened; requests for them wait already. */
static void on_status(struct timer *timer)
{
	struct service *s = container_of(timer, struct service, status);
	struct partitions_progress p = partitions_progress(s->broker->partitions);
	bool is_over = p.opened + p.failed >= p.logs;
	char text[200];

	if (!is_over)
		snprintf(text, sizeof(text), "STATUS=%s: %u of %u logs are open",
		         s->is_ready ? "serving" : "starting", p.opened, p.logs);
	else if (s->is_ready)
		snprintf(text, sizeof(text), "STATUS=serving%s",
		         p.failed ? "; some logs could not be opened, see the log" : "");
	else
		snprintf(text, sizeof(text), "STATUS=starting");
	notify_send(text);
	if (!is_over || !s->is_ready)
		timer_arm(&s->status, mono_ms() + STATUS_MS);
}

/* ---- life ---- */

struct service *service_new(struct broker *broker)
{
	int count = reactor_count();
	struct service *s = mem_zalloc(sizeof(*s) + (size_t)count * sizeof(s->beat[0]));

	s->broker = broker;
	s->count = count;
	s->watchdog_ms = notify_watchdog_ms() / 4;
	timer_init(&s->status, on_status);
	timer_init(&s->watchdog, on_watchdog);
	for (int i = 0; i < count; i++)
		s->beat[i] = (struct beat){ { .run = on_beat }, s };
	return s;
}

void service_start(struct service *s)
{
	timer_arm(&s->status, mono_ms() + STATUS_MS);
	if (s->watchdog_ms)
		on_watchdog(&s->watchdog);
}

void service_ready(struct service *s)
{
	s->is_ready = true;
	notify_send("READY=1");
	on_status(&s->status);
}

void service_stopping(struct service *s)
{
	char text[100];

	timer_disarm(&s->status);
	snprintf(text, sizeof(text), "STOPPING=1\nSTATUS=stopping\nWATCHDOG_USEC=%d000000",
	         CLOSING_S);
	notify_send(text);
}

void service_free(struct service *s)
{
	mem_free(s);
}
