/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the client at the other end of a connection. */
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/telemetry.h"
#include "conn_private.h"

struct conn_software call_software(const struct call *call)
{
	const char *text = call->conn ? call->conn->software : NULL;
	struct str name = str_of(text);

	return (struct conn_software){ name, str_of(text ? text + name.size + 1 : NULL) };
}

void call_software_set(struct call *call, struct conn_software s)
{
	struct conn *c = call->conn;

	if (!c)
		return;
	mem_free(c->software);
	c->software = mem_zalloc((size_t)s.name.size + s.version.size + 2);
	if (s.name.size)
		memcpy(c->software, s.name.data, s.name.size);
	if (s.version.size)
		memcpy(c->software + s.name.size + 1, s.version.data, s.version.size);
}

bool call_owns_instance(struct call *call, struct uuid instance)
{
	struct conn *c = call->conn;

	if (!c)
		return false;
	if (!uuid_is_zero(c->telemetry_instance) && !uuid_eq(c->telemetry_instance, instance))
		telemetry_forget(c->server->broker->telemetry, c->telemetry_instance);
	c->telemetry_instance = instance;
	return true;
}
