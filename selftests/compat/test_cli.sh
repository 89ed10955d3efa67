#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `sluice topic`, `produce` and `consume` with a running broker: sluiced, and where java and mvn are
# Apache Kafka as well.  `test_cli.sh kafka` runs with Kafka only, `test_cli.sh sluiced` with sluiced.
. "$(dirname "$0")/cli.sh"

# ---- without a broker ----

status 0 "--help" '' sluice --help
expect '^  sluice topic create'
for command in topic produce consume group config cluster log storage; do
	status 0 "$command --help" '' sluice $command --help
	expect "^sluice $command: "
done
status 0 "--version" '' sluice --version
expect '^sluice [0-9]'
status 2 "no command" '^sluice: topics' sluice
status 2 "an unknown command" 'There is topic, produce' sluice bogus
status 2 "an unknown sub-command" 'There is create, list' sluice topic bogus
status 2 "an unknown option" 'unknown option --bogus' sluice consume t --bogus
status 2 "a wrong number" '--partitions x: a number' sluice topic create t --partitions x
status 2 "an unknown codec" 'none, gzip, snappy, lz4 or zstd' sluice produce t --compression x
status 2 "an unknown field" '% must stand before' sluice consume t --print %q
status 1 "nobody listens" 'connection refused: is sluiced running\? try `make run`' sluice topic list
status 1 "a name without address" 'the name has no address' sluice topic list --bootstrap-server nosuch.invalid:9092

# ---- with one ----

topics() {
	check "create" sluice topic create orders --partitions 3 --config retention.ms=3600000 --config max.message.bytes=30000000
	expect '^created orders$'
	status 1 "created twice" "orders: Topic 'orders' already exists" sluice topic create orders
	status 1 "an unknown config" 'foo' sluice topic create other --config foo=bar
	status 1 "too many replicas" 'replica' sluice topic create other --replication-factor 5
	check "a name with a dash" sluice topic create -- -dash
	check "list" sluice topic list
	count 2
	expect '^orders$'
	check "list in JSON" sluice topic list --format json
	expect '^\{"type":"topic","name":"orders","partition_count":3,"internal":false\}$'
	check "describe" sluice topic describe orders
	expect '^orders: 3 partitions$' ; expect '^  config retention.ms=3600000$'
	expect '^  partition 2  leader 1  replicas 1  isr 1  offsets 0\.\.0$'
	check "describe in JSON" sluice topic describe orders --format json
	expect '"partitions":\[\{"partition":0,"leader":1,"replicas":\[1\],"isr":\[1\],"start_offset":0,"end_offset":0\}'
	status 1 "describe what is not there" 'nothere: there is no such topic' sluice topic describe nothere
	check "list again" sluice topic list
	expect_not nothere
	check "delete" sluice topic delete -- -dash
	expect '^deleted -dash$'
	status 1 "delete what is not there" 'nothere: .*UNKNOWN_TOPIC_OR_PARTITION from broker 1 at .* to DeleteTopics' sluice topic delete nothere
}

# same_in_out NAME produce-options...: 1000 lines in, the same 1000 out
same_in_out() {
	local codec=$1
	check "topic for $codec" sluice topic create "lines-$codec"
	seq -f "$codec-%g" 1 1000 >"$dir/in"
	shift
	check "produce $codec" sluice produce "lines-$codec" "$@" <"$dir/in"
	check "consume $codec" sluice consume "lines-$codec" --exit
	cmp "$dir/in" "$dir/out" || die "$codec: what was read is not what was written"
}

records() {
	local codec
	for codec in none gzip snappy lz4 zstd; do
		same_in_out $codec --compression $codec
	done
	same_in_out acks-1 --acks 1
	same_in_out acks-0 --acks 0
	printf 'a:1\nb:\n:3\nplain\n' >"$dir/in"
	check "keys, nulls, headers" sluice produce orders --partition 0 --key-separator : --null-empty --header h=1 --header n <"$dir/in"
	check "read them" sluice consume orders --partition 0 --exit --print '%o|%k|%v|%h\n'
	printf '0|a|1|h=1,n=NULL\n1|b|NULL|h=1,n=NULL\n2|NULL|3|h=1,n=NULL\n3|NULL|plain|h=1,n=NULL\n' | cmp - "$dir/out" || die "keys, nulls, headers"
	check "as JSON" sluice consume orders --partition 0 --exit --format json
	expect '"offset":1,.*"timestamp_type":"create","key":"b","value":null,"headers":\[\{"name":"h","value":"1"\},\{"name":"n","value":null\}\]\}$'
	printf '\377\0\n' | check "bytes" sluice produce orders --partition 1
	check "bytes as JSON" sluice consume orders --partition 1 --exit --format json
	expect '"value_base64":"/wA="'
	check "an empty value is not null" sluice produce orders --partition 2 < <(echo)
	check "read it" sluice consume orders --partition 2 --exit --print '<%v>\n'
	expect '^<>$'
	check "a key for all" sluice produce orders --key k < <(seq 1 10)
	check "the ends of three partitions" sluice consume orders --exit --print '%k\n'
	[ "$(grep -c '^k$' "$dir/out")" = 10 ] || die "not ten records with key k"
}

# What consume prints as JSON, produce takes.
json() {
	check "all of it as JSON" sluice consume orders --exit --format json
	cp "$dir/out" "$dir/in"
	check "topic for JSON" sluice topic create copy --partitions 3
	check "produce JSON" sluice produce copy --format json --keep-partitions <"$dir/in"
	check "read it" sluice consume copy --exit --format json
	cmp <(sed 's/"topic":"orders",//' "$dir/in" | sort) <(sed 's/"topic":"copy",//' "$dir/out" | sort) || die "a copy by JSON is no copy"
	printf '%s\n' '{"value":"\u0041\n\ud83d\ude00\u00e9","key":null}' '{"value":{"a": [1, true]},"headers":[{"name":"h","value_base64":"/wA="}]}' ' { } ' >"$dir/in"
	check "JSON of one's own" sluice produce copy --format json --partition 2 --key k --header all=1 <"$dir/in"
	check "read it" sluice consume copy --partition 2 --from -3 --exit --format json
	sed 's/.*"key":/"key":/' "$dir/out" >"$dir/few"
	cmp "$dir/few" - <<-'J' || { cat "$dir/few"; die "JSON of one's own"; }
		"key":null,"value":"A\n😀é","headers":[{"name":"all","value":"1"}]}
		"key":"k","value":"{\"a\": [1, true]}","headers":[{"name":"h","value_base64":"/wA="}]}
		"key":"k","value":null,"headers":[{"name":"all","value":"1"}]}
	J
	local text
	for text in '' '{' '[]' '{"value":"a" "key":"b"}' '{"value":"\ud800"}' '{"value":"x","value_base64":"eA=="}' '{"key_base64":"*"}' \
		'{"partition":1.5}' '{"headers":{}}' '{"headers":[{}]}' '{"value":01}' '{"value":"a"} x' "$(printf '[%.0s' $(seq 1 100))"; do
		printf '{"value":"good"}\n%s\n{"value":"after"}\n' "$text" >"$dir/in"
		status 1 "JSON: $text" 'standard input, line 2: .*; it and what follows it was not sent' sluice produce copy --format json --partition 1 <"$dir/in"
	done
	check "what stands before was sent" sluice consume copy --partition 1 --from -1 --exit
	expect '^good$'
}

# A terminal on standard error sees how far it is, a file does not.
progress() {
	command -v script >/dev/null || return
	script -qec "(seq 1 1000; sleep 1.3; seq 1001 2000) | $O/sluice produce copy" "$dir/tty" >/dev/null 2>&1 </dev/null
	grep -Eq '1000 records, [0-9]+/s' "$dir/tty" || { cat -v "$dir/tty"; die "a terminal is told nothing"; }
	seq 1 1000 | check "no terminal" sluice produce copy
	[ ! -s "$dir/err" ] || die "standard error is no terminal and is told: $(cat "$dir/err")"
	echo "ok: progress"
}

offsets() {
	check "the last two" sluice consume lines-none --offset -2 --exit
	printf 'none-999\nnone-1000\n' | cmp - "$dir/out" || die "the last two"
	check "from 990, three" sluice consume lines-none --offset 990 --count 3
	printf 'none-991\nnone-992\nnone-993\n' | cmp - "$dir/out" || die "from 990, three"
	check "since the beginning of time" sluice consume lines-none --offset @0 --exit
	count 1000
	check "from a time to come" sluice consume lines-none --offset @99999999999999 --exit
	count 0
	status 1 "an offset that is not there" 'has no offset 5000: it goes from 0 to 1000' sluice consume lines-none --offset 5000 --exit
	status 1 "a partition that is not there" 'orders has partitions 0 to 2, not 3' sluice consume orders --partition 3 --exit
	status 1 "a topic that is not there" 'there is no such topic' sluice consume nothere --exit
	status 1 "produce to a partition that is not there" 'there is no partition 7' sluice produce orders --partition 7 < <(echo x)
}

big() {
	head -c 20000000 /dev/urandom >"$dir/big"
	check "20 MB" sluice produce orders --whole --partition 0 --compression lz4 <"$dir/big"
	check "read it" sluice consume orders --partition 0 --offset -1 --exit --print %v
	cmp "$dir/big" "$dir/out" || die "20 MB: what was read is not what was written"
	cat "$dir/big" "$dir/big" >"$dir/bigger"
	status 1 "40 MB where 30 may be" 'max.message.bytes' sluice produce orders --whole <"$dir/bigger"
	rm "$dir/big" "$dir/bigger"
}

# Who stops reading, who interrupts, and what is then delivered and said.
ends() {
	local pid few
	sluice consume lines-none --exit | head -n 1 >"$dir/out"
	expect '^none-1$'
	echo "ok: a pipe that closes"
	status 1 "a full disk" 'No space left' eval 'sluice consume lines-none --exit >/dev/full'
	"$O/sluice" consume lines-none --offset beginning >"$dir/out" 2>"$dir/err" &
	pid=$!
	for _ in $(seq 1 200); do [ "$(wc -l <"$dir/out")" = 1000 ] && break; sleep 0.05; done
	check "a record that comes later" sluice produce lines-none < <(echo later)
	for _ in $(seq 1 200); do grep -q later "$dir/out" && break; sleep 0.05; done
	"$O/sluice" consume lines-none --count 5 --offset end >"$dir/few" 2>"$dir/err" &
	few=$!
	sleep 1
	kill -INT $pid $few
	wait $pid || die "an interrupt of a consume without end: exit $?"
	wait $few
	[ $? = 130 ] || die "an interrupt before --count: not 130"
	echo "ok: interrupts"
	mkfifo "$dir/fifo"
	"$O/sluice" produce orders --partition 1 <"$dir/fifo" 2>"$dir/err" &
	pid=$!
	exec 9>"$dir/fifo"
	echo kept >&9
	sleep 1.5
	kill -INT $pid
	wait $pid
	[ $? = 130 ] || die "an interrupted produce: not 130"
	exec 9>&-
	rm "$dir/fifo"
	grep -q 'interrupted; 1 record was delivered' "$dir/err" || { cat "$dir/err"; die "an interrupted produce says something else"; }
	check "what was read was delivered" sluice consume orders --partition 1 --offset -1 --exit
	expect '^kept$'
}

all() {
	topics
	records
	json
	progress
	offsets
	big
	ends
}

with_both "${1:-}"
