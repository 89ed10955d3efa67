#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Configs with kafka-configs: set, seen with their source, in force, kept over a restart; refused as
# Kafka refuses; and what the file says about deleting topics.
. "$(dirname "$0")/lib.sh"
kafka_jars
broker_start message.max.bytes=5000

topic() { kafka configs --entity-type topics --entity-name t "$@"; }
broker() { kafka configs --entity-type brokers --entity-name 1 "$@"; }
cluster() { kafka configs --entity-type brokers --entity-default "$@"; }

check "create" kafka topics --create --topic t --config retention.ms=123456
check "set" topic --alter --add-config 'cleanup.policy=[compact,delete],sluice.ack=synced'
check "seen" topic --describe
expect 'cleanup.policy=compact,delete .*DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete'
expect 'retention.ms=123456'
expect 'sluice.ack=synced'
check "the file's value" topic --describe --all
expect 'max.message.bytes=5000 .*STATIC_BROKER_CONFIG:message.max.bytes=5000'

# A dynamic value of the broker is in force at once, without a restart.
head -c 8000 /dev/zero | tr '\0' x >"$dir/large"
produce() { kafka console-producer --topic t --producer-property max.request.size=100000 --property parse.key=true \
	--property key.separator=: < <(printf 'key:'; cat "$dir/large"); }
produce >"$dir/out" 2>&1
expect 'RecordTooLargeException'
check "larger batches" cluster --alter --add-config message.max.bytes=20000
check "seen as the cluster's" cluster --describe
expect 'message.max.bytes=20000'
check "seen as the topic's" topic --describe --all
expect 'max.message.bytes=20000 .*DYNAMIC_DEFAULT_BROKER_CONFIG:message.max.bytes=20000, STATIC_BROKER_CONFIG:message.max.bytes=5000'
check "taken" produce
expect_not Exception "the larger batch"

refused() {
	local name=$1 text=$2
	shift 2
	"$@" >"$dir/out" 2>&1 && die "$name: was taken"
	expect "$text"
}
refused "an unknown key" 'Unknown topic config name: no.such' topic --alter --add-config no.such=1
refused "a wrong value" 'Invalid value soon for configuration retention.ms: Not a number of type LONG' \
	topic --alter --add-config retention.ms=soon
refused "a fixed key" 'Cannot update these configs dynamically: \[num.partitions\]' broker --alter --add-config num.partitions=3
refused "too many threads" 'num.io.threads=100, value should not be greater than double the current value 8' \
	broker --alter --add-config num.io.threads=100

broker_kill
broker_start message.max.bytes=5000 delete.topic.enable=false controlled.shutdown.enable=false
check "kept" cluster --describe
expect 'message.max.bytes=20000'
check "kept by the topic" topic --describe
expect 'sluice.ack=synced'
refused "deleting" 'Topic deletion is disabled' kafka topics --delete --topic t
check "removed" topic --alter --delete-config sluice.ack
check "gone" topic --describe
expect_not sluice.ack "what was removed"
broker_stop

check "--check-config" "$O/sluiced" --check-config "$dir/server.properties"
expect 'The configuration is good'
echo num.partitons=3 >>"$dir/server.properties"
echo log.segment.bytes=1 >>"$dir/server.properties"
refused "a wrong file" 'server.properties:[0-9]+: Invalid value 1 for configuration log.segment.bytes: Value must be at least 1048576' \
	"$O/sluiced" "$dir/server.properties"
expect 'unknown key num.partitons; did you mean num.partitions\?'
