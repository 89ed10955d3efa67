/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_PRIVATE_H
#define BROKER_PRIVATE_H

#include "base/arena.h"
#include "base/uuid.h"
#include "broker/broker.h"
#include "broker/conn.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "store/log_dir.h"

/* ---- directories: broker_dirs.c; all of it on the main thread ---- */

struct broker_dir {
	struct dir *dir;
	struct uuid id;
	bool has_logs; /* one of log.dirs; else it is metadata.log.dir alone */
	enum log_recovery recovery;
};

struct broker_dirs {
	struct broker_dir *at; /* the first is the one of the metadata */
	uint32_t count;
	int64_t previous_broker_epoch; /* -1: not every directory was closed cleanly */
	bool was_formatted;            /* now, for they were empty */
};

/* Opens, locks and, where all is empty, formats; says that a stop from here on is an unclean one.
 */
int broker_dirs_open(const struct config *c, struct broker_dirs *ret,
                     struct broker_error *why) must_check;
/* Says which directories are clean: err[i] is 0. */
int broker_dirs_end(struct broker_dirs *dirs, const int *err, int64_t broker_epoch) must_check;
void broker_dirs_close(struct broker_dirs *dirs);

/* ---- the life of a broker ---- */

struct broker_life {
	struct broker broker;
	struct broker_options options;
	const struct config *base; /* as the file says: the controller's rules */
	struct broker_dirs dirs;
	struct arena arena; /* names of listeners and hosts */
	uint64_t begun_ms;
	bool is_stopping;
	bool has_listeners;
	bool is_ready;
	int64_t broker_epoch; /* of this life, for the clean stop */
	uint64_t limits_serial; /* reactor 0: of the newest limits of connections */
	struct exporter *exporter;
};

/* ---- limits of connections: broker_limits.c ---- */

/* Main thread or worker: host names are looked up.  Overrides are in the arena. */
struct conn_limits broker_limits_read(const struct config *c, struct arena *arena);
/* reactor: conn_server_configure() with these, a little later. */
void broker_limits_changed(struct broker_life *life, const struct config *config);

int broker_fail(struct broker_error *why, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
