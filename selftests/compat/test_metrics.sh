#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# GET /metrics: what was produced, consumed and committed adds up; lag; restarts; cardinality; a
# second broker that finds the port taken.
. "$(dirname "$0")/lib.sh"
need kcat curl
metrics_port=$((port + 2))
at=127.0.0.1:$metrics_port
b=127.0.0.1:$port

# value SERIES: what the last scrape says of it
value() { series=$1 awk '$1 == ENVIRON["series"] { print $2 }' "$dir/metrics"; }
scrape() { curl -sSf -m 20 "http://$at/metrics" >"$dir/metrics" || die "no metrics"; }
is() {
	[ "$(value "$1")" = "$2" ] || die "$1 is '$(value "$1")', not $2"
	echo "ok: $1 is $2"
}
# Names, labels and values by the grammar of the text format; each family once, in one piece.
well_formed() {
	awk '
	function bad(why) { print FNR ": " why ": " $0; failed = 1 }
	/^# TYPE / { if (seen[$3]++) bad("a family for the second time"); family = $3; type = $4; next }
	/^#/ || /^$/ { next }
	{
		if ($0 !~ /^[a-z_]+(\{[a-z_]+="([^"\\]|\\["\\n])*"(,[a-z_]+="([^"\\]|\\["\\n])*")*\})? [-+]?[0-9.]+(e[-+]?[0-9]+)?$/)
			bad("not a sample")
		name = $0; sub(/[{ ].*/, "", name)
		if (type == "histogram") sub(/_(bucket|sum|count)$/, "", name)
		if (name != family) bad("not of the family " family)
		series = $0; sub(/ [^ ]*$/, "", series)
		if (told[series]++) bad("told twice")
	}
	END { exit failed }' "$dir/metrics"
}

broker_start sluice.metrics.listener=$at num.partitions=3
scrape
check "an empty broker" well_formed
is kafka_controller_kafkacontroller_activecontrollercount 1
is kafka_controller_kafkacontroller_offlinepartitionscount 0
is kafka_server_replicamanager_underreplicatedpartitions 0
is kafka_log_logmanager_offlinelogdirectorycount 0
is kafka_server_brokertopicmetrics_messagesin_total 0

seq -f 'record %g' 1 3000 >"$dir/in"
check "produce" kcat -b $b -P -t orders -X topic.request.required.acks=all -l "$dir/in"
check "produce more" kcat -b $b -P -t other -p 0 -l "$dir/in"
check "consume in a group" timeout 60 kcat -b $b -G accounting -X auto.offset.reset=earliest -c 3000 orders
sort "$dir/out" | grep -c . >"$dir/count"
[ "$(cat "$dir/count")" = 3000 ] || die "not all records came"
# Commits of a group that consumed a part of it.
check "consume a part" timeout 60 kcat -b $b -G audit -X auto.offset.reset=earliest -c 1000 other
scrape
check "a used broker" well_formed
is 'kafka_server_brokertopicmetrics_messagesin_total{topic="orders"}' 3000
is 'kafka_server_brokertopicmetrics_messagesin_total{topic="other"}' 3000
is 'kafka_topic_partitions{topic="orders"}' 3
is 'kafka_topic_partition_current_offset{topic="other",partition="0"}' 3000
is 'kafka_topic_partition_oldest_offset{topic="other",partition="0"}' 0
is 'kafka_consumergroup_current_offset_sum{consumergroup="accounting",topic="orders"}' 3000
is 'kafka_consumergroup_lag_sum{consumergroup="accounting",topic="orders"}' 0
is 'kafka_consumergroup_current_offset{consumergroup="audit",topic="other",partition="0"}' 1000
is 'kafka_consumergroup_lag{consumergroup="audit",topic="other",partition="0"}' 2000
is 'kafka_consumergroup_members{consumergroup="audit"}' 0
is kafka_coordinator_group_groupmetadatamanager_numgroups 2
is kafka_coordinator_group_groupmetadatamanager_numgroupsempty 2

# The parts are the whole.
ends=$(awk '/^kafka_log_log_logendoffset\{topic="orders"/ { n += $2 } END { print n }' "$dir/metrics")
[ "$ends" = 3000 ] || die "the ends of orders are $ends together"
awk '/^kafka_server_brokertopicmetrics_bytesin_total/ { if (/topic=/) parts += $2; else all = $2 }
	END { exit !(all > 0 && all == parts) }' "$dir/metrics" || die "bytesin of topics is not bytesin of all"
disk=$(cat "$dir"/data/orders-*/*.log | wc -c)
is 'sluice_topic_log_bytes{topic="orders"}' "$disk"
is 'kafka_server_brokertopicmetrics_bytesin_total{topic="orders"}' "$disk"
is 'kafka_server_brokertopicmetrics_bytesout_total{topic="orders"}' "$disk"
requests=$(awk '/^kafka_network_requestmetrics_requests_total\{request="Produce"/ { n += $2 } END { print n }' "$dir/metrics")
is 'kafka_network_requestmetrics_totaltimems_count{request="Produce"}' "$requests"
is 'kafka_network_requestmetrics_totaltimems_bucket{request="Produce",le="+Inf"}' "$requests"

head -c 3000000 /dev/zero | tr '\0' x >"$dir/large"
kcat -b $b -P -t other -p 0 -X message.max.bytes=4000000 -X retries=0 "$dir/large" 2>/dev/null
scrape
[ "$(value 'kafka_server_brokertopicmetrics_bytesrejected_total{topic="other"}')" -gt 3000000 ] || die "a batch that is too large is not rejected"
echo "ok: what is too large is counted"
is 'kafka_network_requestmetrics_errors_total{request="Produce",error="MESSAGE_TOO_LARGE"}' 1

# A name that tries to end its label.
echo x | kcat -b $b -P -t quoted 2>/dev/null
check "a group with an odd name" timeout 60 kcat -b $b -G 'a"b\c' -X auto.offset.reset=earliest -c 1 quoted
scrape
check "still well formed" well_formed
is 'kafka_consumergroup_lag_sum{consumergroup="a\"b\\c",topic="quoted"}' 0

# Another broker on this machine.
mkdir "$dir/second"
sed -e "s|$dir/data|$dir/second/data|" -e "s/:$port/:$((port + 3))/g; s/:$((port + 1))/:$((port + 4))/g" \
	"$dir/server.properties" >"$dir/second.properties"
"$O/sluiced" "$dir/second.properties" >"$dir/second.log" 2>&1 </dev/null &
second=$!
for _ in $(seq 1 500); do grep -qs 'ready after' "$dir/second.log" && break; sleep 0.02; done
kill $second
wait $second
check "a second broker runs without" grep -q 'ready after' "$dir/second.log"
check "and says so" grep -q "WARN  metrics: .*another process listens there" "$dir/second.log"

broker_kill
broker_start sluice.metrics.listener=$at sluice.metrics.per.partition=false
for _ in $(seq 1 500); do
	scrape
	[ "$(value kafka_coordinator_group_groupmetadatamanager_numgroups)" = 3 ] && break
	sleep 0.02
done
check "after a kill" well_formed
is 'kafka_consumergroup_lag_sum{consumergroup="audit",topic="other"}' 2000
is 'sluice_topic_log_bytes{topic="orders"}' "$disk"
check "no series of partitions" test "$(grep -c 'partition="' "$dir/metrics")" = 0
check "and a comment says why" grep -q '^# .*sluice.metrics.per.partition=false' "$dir/metrics"
broker_stop
