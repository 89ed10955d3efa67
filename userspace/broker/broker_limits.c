/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections there may be, as the configuration says it now. */
#include "base/mem.h"
#include "broker/diag.h"
#include "broker_private.h"
#include "io/net.h"
#include "io/work.h"

/* max.connections.per.ip.overrides, by address; names are asked for, so: worker or main thread. */
static uint32_t resolve_overrides(const struct config *c, struct arena *arena,
                                  struct conn_override **ret)
{
	struct config_ip_limits limits = config_ip_limits(c);
	uint32_t count = 0;

	*ret = arena_array(arena, limits.count, sizeof(**ret));
	for (uint32_t i = 0; i < limits.count; i++) {
		char *name = str_dup(limits.limit[i].host);
		char host[64];

		if (host_resolve(name, host))
			diag_warn("config", "max.connections.per.ip.overrides: no address for %s",
			          name);
		else
			(*ret)[count++] = (struct conn_override){
				arena_str(arena, str_of(host)),
				(uint32_t)limits.limit[i].connections_max,
			};
		mem_free(name);
	}
	return count;
}

struct conn_limits broker_limits_read(const struct config *c, struct arena *arena)
{
	int64_t queued = config_long(c, CONFIG_QUEUED_MAX_REQUEST_BYTES);
	int64_t idle = config_long(c, CONFIG_CONNECTIONS_MAX_IDLE_MS);
	struct conn_limits limits = CONN_LIMITS_DEFAULT;
	struct conn_override *override;

	limits.request_bytes_max = (uint32_t)config_int(c, CONFIG_SOCKET_REQUEST_MAX_BYTES);
	if (queued > 0)
		limits.requests_bytes_max = (size_t)queued;
	limits.connections_max = (uint32_t)config_int(c, CONFIG_MAX_CONNECTIONS);
	limits.connections_ip_max = (uint32_t)config_int(c, CONFIG_MAX_CONNECTIONS_PER_IP);
	limits.override_count = resolve_overrides(c, arena, &override);
	limits.override = override;
	limits.idle_ms = idle < 0 ? 0 : idle > UINT32_MAX ? UINT32_MAX : (uint32_t)idle;
	return limits;
}

/* ---- when the dynamic configs changed ---- */

struct limits_job {
	struct job job;
	struct mail mail; /* to reactor 0, which keeps the order */
	struct broker_life *life;
	const struct config *config;
	uint64_t serial;
	struct arena arena;
	struct conn_limits limits;
};

static void run_limits(struct job *job)
{
	struct limits_job *j = container_of(job, struct limits_job, job);

	j->limits = broker_limits_read(j->config, &j->arena);
}

/* A name may take its time: what was changed meanwhile is not undone. */
static void limits_done(struct job *job)
{
	struct limits_job *j = container_of(job, struct limits_job, job);
	struct broker_life *life = j->life;

	if (j->serial == life->limits_serial && !life->is_stopping)
		conn_server_configure(life->broker.server, &j->limits);
	arena_fini(&j->arena);
	config_put(j->config);
	mem_free(j);
}

static void on_limits(struct mail *mail)
{
	struct limits_job *j = container_of(mail, struct limits_job, mail);

	j->serial = ++j->life->limits_serial;
	j->job.run = run_limits;
	j->job.done = limits_done;
	work_submit(WORK_SLOW, &j->job);
}

void broker_limits_changed(struct broker_life *life, const struct config *config)
{
	struct limits_job *j = mem_zalloc(sizeof(*j));

	j->mail.run = on_limits;
	j->life = life;
	j->config = config_get(config);
	arena_init(&j->arena, SIZE_MAX);
	reactor_post(0, &j->mail);
}
