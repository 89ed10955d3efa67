#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kcat (librdkafka): metadata, every codec, keys, nulls, headers, offsets by number and by time.
. "$(dirname "$0")/lib.sh"
need kcat
broker_start auto.create.topics.enable=true
b=127.0.0.1:$port

check "metadata" kcat -b $b -L
expect '1 brokers' ; expect "broker 1 at 127.0.0.1:$port"

for codec in none gzip snappy lz4 zstd; do
	seq -f "$codec-%g" 1 1000 >"$dir/in"
	check "produce $codec" kcat -b $b -P -t "t-$codec" -z $codec -X topic.request.required.acks=all "$dir/in" -l
	check "consume $codec" kcat -b $b -C -t "t-$codec" -p 0 -o beginning -e -q
	cmp "$dir/in" "$dir/out" || die "$codec: what was read is not what was written"
done

echo 'key1:value1' | check "a key and headers" kcat -b $b -P -t t-headers -K: -H a=1 -H b=2
check "read them" kcat -b $b -C -t t-headers -p 0 -o beginning -e -q -f '%k|%s|%h\n'
expect '^key1\|value1\|a=1,b=2$'
echo 'key2:' | check "a null value" kcat -b $b -P -t t-headers -K: -Z
check "read it" kcat -b $b -C -t t-headers -p 0 -o -1 -e -q -f '%k|%S\n'
expect '^key2\|-1$'

# kcat answers both queries with the second one's offset when a partition is named twice.
check "the end" kcat -b $b -Q -t t-none:0:-1
expect 'offset 1000'
check "the beginning" kcat -b $b -Q -t t-none:0:-2
expect 'offset 0'
check "the last ten" kcat -b $b -C -t t-none -p 0 -o -10 -e -q
[ "$(wc -l <"$dir/out")" = 10 ] || die "not ten records"
check "from a time" kcat -b $b -C -t t-none -p 0 -o s@1 -e -q
[ "$(wc -l <"$dir/out")" = 1000 ] || die "not all records from the beginning of time"

broker_stop
broker_start
check "after a restart" kcat -b $b -C -t t-zstd -p 0 -o beginning -e -q
[ "$(wc -l <"$dir/out")" = 1000 ] || die "records are missing after a restart"
broker_stop
