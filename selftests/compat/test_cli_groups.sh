#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `sluice group`, `config`, `cluster`, what `sluice topic` changes, and `sluice consume --group`, with
# sluiced and where java and mvn are with Apache Kafka.  An argument, as of test_cli.sh, chooses one.
. "$(dirname "$0")/cli.sh"

# ---- without a broker ----

status 2 "no group" 'a group is wanted' sluice group describe
status 2 "no --to" 'a group and --to are wanted' sluice group reset g
status 2 "no position" '--to never: beginning, end, an offset' sluice group reset g --to never
status 2 "no such day" '--to @2026-13-01: beginning' sluice group reset g --to @2026-13-01
status 2 "partitions that are none" '--topic t:x: NAME or NAME:0,1' sluice group reset g --to end --topic t:x
status 2 "no type" 'bogus: topic, broker, broker-logger, group or client-metrics' sluice config get bogus x
status 2 "no broker" 'a broker.s number or default' sluice config get broker x
status 2 "no value" 'retention.ms: KEY=VALUE is wanted' sluice config set topic t retention.ms
status 2 "nothing to alter" '--config KEY=VALUE or --delete-config KEY' sluice topic alter t
status 2 "no size" '--to N is wanted' sluice topic add-partitions t
status 2 "yes and no" '--yes and --dry-run exclude each other' sluice topic trim t --offset 1 --yes --dry-run
status 2 "a group and a partition" '--group and --partition exclude' sluice consume t --group g --partition 1
status 2 "an instance of no group" 'are for a --group' sluice consume t --instance i
status 2 "no expression" 'not a regular expression' sluice consume '[' --regex
status 2 "no duration" '\+ needs a unit' sluice consume t --from +5
status 2 "no such setting" 'No such configuration property' sluice consume t -X no.such=1
status 1 "nobody listens" 'connection refused: is sluiced running\?' sluice group list
status 1 "a name without address" 'the name has no address' sluice cluster info --bootstrap-server nosuch.invalid:9092

# ---- with one ----

members() { sluice group describe "$1" --format json 2>/dev/null | grep -q "\"state\":\"Stable\".*\"partition_count\":$2}"; }

cluster() {
	check "cluster info" sluice cluster info
	expect '^cluster .{22}: 1 broker$' ; expect '^  broker  1  127\.0\.0\.1  '"$port"
	expect '^  quorum leader 1  epoch ' ; expect '^  voters 1 \(offset [0-9]+\)$' ; expect '^  feature  metadata\.version +[0-9]+  of [0-9]+\.\.[0-9]+$'
	check "as JSON" sluice cluster info --format json
	expect '^\{"type":"cluster","id":".{22}","controller":1,"brokers":\[\{"id":1,"host":"127.0.0.1","port":'"$port"',"rack":null,"fenced":false\}\],"quorum_leader":1,'
	check "two bootstrap servers, the first is none" sluice cluster info --bootstrap-server 127.0.0.1:1,127.0.0.1:$port
}

topics() {
	check "a topic" sluice topic create orders --partitions 2
	check "alter" sluice topic alter orders --config retention.ms=7200000 --config segment.ms=3600000
	expect '^altered orders$'
	check "take one back" sluice topic alter orders --delete-config segment.ms
	check "look" sluice topic describe orders
	expect '^  config retention\.ms=7200000$' ; expect_not segment
	status 1 "a config that is none" 'orders: Unknown topic config name: foo \(INVALID_CONFIG from broker 1 at .* to IncrementalAlterConfigs\)' sluice topic alter orders --config foo=bar
	status 1 "alter what is not there" 'UNKNOWN_TOPIC_OR_PARTITION' sluice topic alter nothere --config retention.ms=1
	check "more partitions, dry" sluice topic add-partitions orders --to 3 --dry-run
	expect '^would go from 2 to 3 partitions: orders$'
	check "more partitions" sluice topic add-partitions orders --to 3
	expect '^went from 2 to 3 partitions: orders$'
	status 1 "fewer partitions" 'INVALID_PARTITIONS from broker 1 at .* to CreatePartitions' sluice topic add-partitions orders --to 2
	status 1 "partitions of what is not there" 'nothere: .*UNKNOWN_TOPIC_OR_PARTITION' sluice topic add-partitions nothere --to 2
	seq 1 100 >"$dir/in"
	check "records" sluice produce orders --partition 0 <"$dir/in"
}

trim() {
	check "trim, dry" sluice topic trim orders --offset 10 --partition 0 --dry-run
	expect '^orders: partition 0: would remove offsets 0\.\.10 of 0\.\.100$'
	status 2 "trim, unasked" '--yes does it' sluice topic trim orders --offset 10 --partition 0
	check "trim" sluice topic trim orders --offset 10 --partition 0 --yes
	check "keep 50" sluice topic trim orders --offset -50 --yes
	check "before all time" sluice topic trim orders --offset @0 --yes
	check "read what is left" sluice consume orders --exit
	seq 51 100 | cmp - "$dir/out" || die "what is left is something else"
	status 1 "trim beyond the end" 'partition 0 has no offset 101' sluice topic trim orders --offset 101 --partition 0 --yes
	check "what is older than an hour" sluice topic trim orders --offset +1h --yes
	check "describe" sluice topic describe orders --format json
	expect '"partition":0,"leader":1,"replicas":\[1\],"isr":\[1\],"start_offset":50,"end_offset":100\}'
}

configs() {
	check "of a topic" sluice config get topic orders
	expect '^retention\.ms +7200000 +topic$'
	check "all of a topic" sluice config get topic orders --all --format json
	expect '^\{"type":"config","resource_type":"topic","resource":"orders","name":"segment\.ms","value":"604800000","source":"default","read_only":false,"sensitive":false,"synonyms":'
	status 1 "a key that is none" 'bogus: there is no such config' sluice config get topic orders retention.ms bogus
	expect '^retention\.ms +7200000 +topic$'
	check "of all brokers" sluice config set broker default log.retention.ms=86400000
	expect '^set log\.retention\.ms=86400000$'
	check "of one broker, dry" sluice config set broker 1 log.retention.ms=1 --dry-run
	expect '^would set log\.retention\.ms=1$'
	check "of one broker" sluice config get broker 1
	expect '^log\.retention\.ms +86400000 +broker-default$' ; expect '^node\.id +1 +server\.properties$'
	check "taken back" sluice config unset broker default log.retention.ms
	check "as it was" sluice config get broker default
	expect_not retention
	status 1 "a wrong value" 'log\.retention\.ms.*\(INVALID_[A-Z]+ from broker 1 at .* to IncrementalAlterConfigs\)' sluice config set broker 1 log.retention.ms=x
	status 1 "a broker that is none" 'the cluster has no broker 7' sluice config get broker 7
	check "of a group" sluice config set group g consumer.session.timeout.ms=50000
	check "read it" sluice config get group g
	expect '^consumer\.session\.timeout\.ms +50000 +group$'
	check "of client metrics" sluice config set client-metrics m interval.ms=10000
	check "read them" sluice config get client-metrics m
	expect '^interval\.ms +10000 +client-metrics$'
	check "list" sluice config list
	expect '^client-metrics +m$' ; expect '^topic +orders$' ; expect '^broker +1$'
	check "no group's" sluice config unset group g consumer.session.timeout.ms
}

# A group that reads: what is printed is committed, each record once.
reading() {
	check "a group reads" sluice consume orders --group g --exit -v
	seq 51 100 | cmp - "$dir/out" || die "the group has read something else"
	grep -q 'group g: assigned orders:0,1,2$' "$dir/err" && grep -q 'group g: left$' "$dir/err" || { cat "$dir/err"; die "-v says nothing of it"; }
	check "once" sluice consume orders --group g --exit
	count 0
	check "as many as wanted" sluice consume orders --group few --from beginning --count 7
	count 7
	check "not more is committed" sluice group describe few --format json
	expect '"lag":43,' ; expect '"topic":"orders","partition":0,"committed":57,"metadata":"","end_offset":100,"lag":43,"member":null\}'
	expect '"partition":2,"committed":0,"metadata":"","end_offset":0,"lag":0,"member":null\}'
	check "nothing is committed" sluice consume orders --group few --no-commit --exit
	count 43
	check "the rest" sluice consume orders --group few --exit
	count 43
	check "another topic" sluice topic create orders.more
	check "a record" sluice produce orders.more < <(echo more)
	check "by expression" sluice consume 'orders.*' --regex --group all --from -2 --exit
	printf '%s\n' 100 99 more | cmp - <(LC_ALL=C sort "$dir/out") || die "by expression: something else"
	check "by expression, alone" sluice consume 'orders|nothere' --regex --exit
	count 50
	check "two topics, alone" sluice consume orders orders.more --from +1h --exit --print '%t\n'
	[ "$(grep -c '^orders.more$' "$dir/out")" = 1 ] || die "not one record of the other topic"
	status 1 "no such topics" 'no topic has a name like this' sluice consume 'nothere.*' --regex --exit
	status 1 "a group and no topic" 'there is no such topic' sluice consume nothere --group g --exit
}

# Members that come and go; what may not be done meanwhile.
active() {
	local first second
	background "$O/sluice" consume orders --group g -v
	first=$bg_pid
	until_true members g 3
	check "list" sluice group list
	expect '^g +Stable +[Cc]lassic +consumer$'
	check "list by state" sluice group list --state Stable --format json
	expect '^\{"type":"group","group":"g","state":"Stable","group_type":"[Cc]lassic","protocol_type":"consumer"\}$' ; count 1
	check "describe" sluice group describe g
	expect '^g: Stable  classic  coordinator 1  members 1  lag 0$' ; expect '^  orders +0 +100 +100 +0 +sluice-' ; expect '^  member  sluice-.* +/127\.0\.0\.1 +3 partitions$'
	status 1 "reset under a reader" 'g: the group is Stable and has 1 active member, .*stop its consumers first' sluice group reset g --to beginning --execute
	status 1 "delete under a reader" 'g: .*NON_EMPTY_GROUP from broker 1 at .* to DeleteGroups' sluice group delete g
	status 1 "delete its offsets" 'orders:0: .*GROUP_SUBSCRIBED_TO_TOPIC' sluice group delete g --topic orders:0
	check "a record" sluice produce orders --partition 0 < <(echo 101)
	until_true grep -q '^101$' "$dir/bg.out"
	"$O/sluice" consume orders --group g >"$dir/second" 2>&1 &
	second=$!
	bg_pids="$bg_pids $second"
	until_true grep -q 'assigned orders:[0-9],[0-9]$\|assigned orders:[0-9]$' "$dir/bg.err"
	echo "ok: a second member takes its part"
	kill -INT $second $first
	wait $second || die "an interrupted group member: exit $?"
	wait $first || die "an interrupted group member: exit $?"
	bg_pids=
	[ ! -s "$dir/second" ] || die "the second member said: $(cat "$dir/second")"
	check "both have left" sluice group describe g
	expect '^g: Empty  classic  coordinator 1  members 0  lag 0$' ; expect '^  orders +0 +101 +101 +0 +-$'
}

groups() {
	check "reset, dry" sluice group reset g --to beginning
	expect '^orders +0 +101 +-> +50$' ; grep -q 'nothing was changed: --execute does it' "$dir/err" || die "a dry run does not say so"
	check "reset back" sluice group reset g --to -11 --execute --format json
	expect '^\{"type":"reset","group":"g","topic":"orders","partition":0,"committed":101,"new":90\}$'
	check "and forth" sluice group reset g --to +1 --topic orders:0 --execute
	check "read from there" sluice consume orders --group g --exit
	seq 92 101 | cmp - "$dir/out" || die "read from somewhere else"
	check "by offset" sluice group reset g --to 60 --topic orders:0 --execute
	check "by time" sluice group reset g --to @1970-01-02T00:00:00Z --topic orders:0
	expect '^orders +0 +60 +-> +50$'
	check "a time to come" sluice group reset g --to @2100-01-01 --topic orders:0
	expect '^orders +0 +60 +-> +101$'
	check "what is out of the log" sluice group reset g --to 5 --topic orders:0
	expect '^orders +0 +60 +-> +50$'
	check "the lag" sluice group describe g
	expect '^g: Empty .* lag 41$'
	check "a new group" sluice group reset new --to end --topic orders.more --execute
	expect '^orders\.more +0 +- +-> +1$'
	status 1 "a partition that is none" 'orders has partitions 0 to 2, not 9' sluice group reset g --to end --topic orders:9
	status 1 "nothing to count from" 'no committed offset to count from' sluice group reset new --to -1 --topic orders
	status 1 "reset what is not there" 'committed no offsets; --topic' sluice group reset nothere --to end
	check "delete an offset" sluice group delete g --topic orders:1,2
	expect '^deleted the offset of orders:2$'
	check "one is left" sluice group describe g --format json
	expect '"partitions":\[\{"topic":"orders","partition":0,[^]]*\}\]\}$' ; expect_not '"partition":1'
	status 1 "an offset that is none" 'has committed no offset of nothere' sluice group delete g --topic nothere
	check "delete groups" sluice group delete g few all new
	expect '^deleted few$' ; expect '^deleted new$'
	status 1 "delete what is not there" 'g: there is no such group \(GROUP_ID_NOT_FOUND from broker 1 at .* to DeleteGroups\)' sluice group delete g
	status 1 "describe what is not there" 'g: there is no such group' sluice group describe g
	check "none is left" sluice group list
	count 0
}

all() {
	cluster
	topics
	trim
	configs
	reading
	active
	groups
}

# The default, 3 s for each new group, is for clusters.
with_both "${1:-}" group.initial.rebalance.delay.ms=100
