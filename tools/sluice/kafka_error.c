/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "kafka.h"

/* What an error means where the broker did not say, and what can be done about it. */
static const struct advice {
	int16_t error;
	const char *text;
	const char *advice; /* NULL: nothing better than the text */
} known[] = {
	{ WIRE_UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic or partition",
	  "`sluice topic list` shows those there are, `sluice topic create` makes one" },
	{ WIRE_TOPIC_ALREADY_EXISTS, "the topic exists already",
	  "`sluice topic alter` changes its configs, `sluice topic add-partitions` its size" },
	{ WIRE_INVALID_TOPIC_EXCEPTION, "no topic can have this name",
	  "letters, digits, '.', '_' and '-', up to 249 of them" },
	{ WIRE_INVALID_REPLICATION_FACTOR, "not so many replicas can be made",
	  "`sluice cluster info` shows how many brokers there are" },
	{ WIRE_INVALID_PARTITIONS, "not so many partitions can be made",
	  "partitions can be added, never taken away" },
	{ WIRE_INVALID_CONFIG, "no such config, or a value that it cannot have",
	  "`sluice config get TYPE NAME --all` shows those there are" },
	{ WIRE_OFFSET_OUT_OF_RANGE, "the log has no such offset",
	  "`sluice topic describe` shows where it begins and ends" },
	{ WIRE_LEADER_NOT_AVAILABLE, "the partition has no leader now",
	  "is the broker with its replica running?  See `sluice topic describe`" },
	{ WIRE_NOT_LEADER_OR_FOLLOWER, "the partition's leader has just changed", "try again" },
	{ WIRE_NOT_CONTROLLER, "the controller has just changed", "try again" },
	{ WIRE_REQUEST_TIMED_OUT, "the broker was not done in time",
	  "it may still do it: look before trying again" },
	{ WIRE_COORDINATOR_NOT_AVAILABLE, "the group has no coordinator now",
	  "is the leader of its __consumer_offsets partition running?" },
	{ WIRE_COORDINATOR_LOAD_IN_PROGRESS, "the group's coordinator is still loading",
	  "try again" },
	{ WIRE_NOT_COORDINATOR, "the group's coordinator has just changed", "try again" },
	{ WIRE_GROUP_ID_NOT_FOUND, "there is no such group",
	  "`sluice group list` shows those there are" },
	{ WIRE_INVALID_GROUP_ID, "no group can have this name", NULL },
	{ WIRE_NON_EMPTY_GROUP, "the group has active members",
	  "stop its consumers first; `sluice group describe` shows who they are" },
	{ WIRE_UNKNOWN_MEMBER_ID, "the group has active members",
	  "stop its consumers first; `sluice group describe` shows who they are" },
	{ WIRE_GROUP_SUBSCRIBED_TO_TOPIC, "a member of the group reads this topic",
	  "stop its consumers first; `sluice group describe` shows who they are" },
	{ WIRE_TOPIC_AUTHORIZATION_FAILED, "not allowed for this topic",
	  "the cluster's ACLs decide" },
	{ WIRE_GROUP_AUTHORIZATION_FAILED, "not allowed for this group",
	  "the cluster's ACLs decide" },
	{ WIRE_CLUSTER_AUTHORIZATION_FAILED, "not allowed for this cluster",
	  "the cluster's ACLs decide" },
	{ WIRE_POLICY_VIOLATION, "the cluster's policy forbids it", NULL },
	{ WIRE_INVALID_REQUEST, "the broker takes the request for a mistake", NULL },
	{ WIRE_UNSUPPORTED_VERSION, "the broker does not know this yet",
	  "`sluice cluster info` shows the features it has" },
	{ WIRE_KAFKA_STORAGE_ERROR, "the broker cannot use the partition's directory",
	  "its log says why" },
	{ WIRE_UNKNOWN_SERVER_ERROR, "the broker failed", "its log says why" },
};

static const struct advice *advice_for(int16_t error)
{
	static const struct advice none;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].error == error)
			return &known[i];
	return &none;
}

void kafka_say(struct kafka *k, const char *what, int16_t error, struct str message)
{
	const struct advice *a = advice_for(error);
	const char *name = wire_error_name(error);
	char broker[32] = "broker";

	if (!message.size)
		message = str_of(a->text ? a->text : "refused");
	/* Kafka's sentences end with a full stop, ours go on. */
	if (message.data[message.size - 1] == '.')
		message.size--;
	if (k->last_node >= 0)
		snprintf(broker, sizeof(broker), "broker %d", k->last_node);
	cli_say("%s: %.*s (%s from %s at %s to %s)%s%s", what, STR_ARG(message), name, broker,
	        kafka_address(k, k->last_node), wire_api_find(k->last_key)->name,
	        a->advice ? "; " : "", a->advice ? a->advice : "");
}

void kafka_fail(struct kafka *k, const char *what, int16_t error, struct str message)
{
	kafka_say(k, what, error, message);
	exit(EXIT_FAILED);
}
