#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Apache Kafka's own command-line tools against one node.
. "$(dirname "$0")/lib.sh"
kafka_jars
broker_start

check "create" kafka topics --create --topic one --partitions 3 --config retention.ms=3600000
expect 'Created topic one'
if kafka topics --create --topic one >"$dir/out" 2>&1; then die "created twice"; fi
expect 'already exists'
check "200 partitions" kafka topics --create --topic many --partitions 200
check "list" kafka topics --list
expect '^one$' ; expect '^many$'
check "describe" kafka topics --describe --topic one
expect 'PartitionCount: 3' ; expect 'retention.ms=3600000' ; expect 'Leader: 1.*Replicas: 1.*Isr: 1'
check "more partitions" kafka topics --alter --topic one --partitions 5
check "describe 5" kafka topics --describe --topic one
expect 'PartitionCount: 5'

check "topic config" kafka configs --alter --entity-type topics --entity-name one --add-config max.message.bytes=2000000
check "describe it" kafka configs --describe --entity-type topics --entity-name one --all
expect 'max.message.bytes=2000000.*DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000'
expect 'segment.bytes=1073741824.*DEFAULT_CONFIG'
check "broker config" kafka configs --describe --entity-type brokers --entity-name 1 --all
expect 'log.retention.hours=168'
check "broker config set" kafka configs --alter --entity-type brokers --entity-name 1 --add-config log.cleaner.threads=2
check "seen" kafka configs --describe --entity-type brokers --entity-name 1
expect 'log.cleaner.threads=2'

seq 1 1000 >"$dir/in"
check "console producer" kafka console-producer --topic one --command-property acks=all <"$dir/in"
check "how many are where" kafka get-offsets --topic one
cp "$dir/out" "$dir/counts"
while IFS=: read -r _ p count; do
	[ "$count" = 0 ] || kafka console-consumer --topic one --partition "$p" --offset earliest --max-messages "$count" \
		--timeout-ms 60000 2>/dev/null </dev/null
done <"$dir/counts" | sort -n >"$dir/got"
cmp "$dir/in" "$dir/got" || die "the console consumer read something else"

check "producer-perf-test" kafka producer-perf-test --topic many --num-records 20000 --record-size 500 --throughput -1 --command-property acks=all compression.type=lz4
expect '20000 records sent'
check "get-offsets" kafka get-offsets --topic one
[ "$(awk -F: '{ n += $3 } END { print n }' "$dir/out")" = 1000 ] || die "get-offsets does not add up to 1000"
check "get-offsets by time" kafka get-offsets --topic one --time -2
expect 'one:0:0'

echo '{"partitions":[{"topic":"one","partition":0,"offset":-1}],"version":1}' >"$dir/cut.json"
check "delete-records" kafka delete-records --offset-json-file "$dir/cut.json"
expect 'low_watermark'
check "log-dirs" kafka log-dirs --describe --topic-list one
expect '"partition":"one-4"'
check "metadata-quorum status" kafka metadata-quorum describe --status
expect 'LeaderId: +1' ; expect 'MaxFollowerLag: +0'
check "metadata-quorum replication" kafka metadata-quorum describe --replication
expect 'Leader'
check "features" kafka features describe
expect 'metadata.version.*FinalizedVersionLevel: 4.3-IV0'
check "broker-api-versions" kafka broker-api-versions
expect 'Produce\(0\)'
check "cluster id" kafka cluster cluster-id
expect 'Cluster ID:'
check "delete" kafka topics --delete --topic many
check "gone" kafka topics --list
expect_not '^many$'

broker_stop
logs=$(find "$dir"/data -path '*/one-*/*.log' -size +0 | tr '\n' ,)
check "dump-log" kafka dump-log --deep-iteration --files "${logs%,}"
expect 'baseOffset: 0'
expect_not 'isvalid: false'
check "dump-log of the metadata" kafka dump-log --cluster-metadata-decoder --files "$(ls "$dir"/data/__cluster_metadata-0/*.log | tail -n 1)"
expect 'TOPIC_RECORD'
indexes=$(find "$dir"/data -path '*/one-*/*index' -size +0 | tr '\n' ,)
check "indexes" kafka dump-log --index-sanity-check --files "${indexes%,}"
