#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One directory, two brokers in turn: Apache Kafka 4.3.1 starts on what we wrote, after a clean stop and
# after kill -9, reads it, goes on with the same idempotent producer, writes; we start on that again.
# And we start on a directory that Kafka formatted and filled.
. "$(dirname "$0")/lib.sh"
kafka_jars
python_with confluent-kafka==2.6.1
client() { "$python" "$here/both_ways.py" 127.0.0.1:$port "$dir/state" "$@"; }

echo "# ours first"
broker_start
check "we: write" client create write
broker_stop
kafka_start
check "Kafka after our clean stop: read, write" client read write retry
kafka_stop
broker_start
check "we after Kafka's clean stop: read, write" client read write retry
broker_kill
kafka_start
check "Kafka after our kill -9: read, write" client read write retry
kafka_kill
broker_start
check "we after Kafka's kill -9: read, write" client read write retry
broker_stop
expect_not 'stray' "the directory"
ls "$dir/data" | grep -q stray && die "a partition was taken for a stray"

echo "# Kafka's first"
rm -rf "$dir/data" "$dir/state"
kafka_start
check "Kafka: write" client create write
check "Kafka: a config" kafka configs --alter --entity-type topics --entity-name both-lz4 --add-config retention.ms=7200000
kafka_stop
broker_start
check "we: read, write" client read write retry
check "the config" kafka configs --describe --entity-type topics --entity-name both-lz4
expect 'retention.ms=7200000'
broker_stop
kafka_start
check "Kafka again" client read write retry
kafka_stop
logs=$(find "$dir"/data -name '*.log' -size +0 | tr '\n' ,)
check "dump-log of every log" kafka dump-log --files "${logs%,}"
expect_not 'isvalid: false'
