#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 in the middle of producing with acks=all, ten times over: what was acknowledged is read
# back at the offset that was acknowledged, and an idempotent producer leaves no duplicates.
. "$(dirname "$0")/../compat/lib.sh"
python_with confluent-kafka==2.6.1
broker_start
"$python" "$here/../crash/kill9.py" produce 127.0.0.1:$port "$dir/acked" >"$dir/producer.log" 2>&1 &
producer=$!
for round in 1 2 3 4 5 6 7 8 9 10; do
	sleep 0.$((RANDOM % 5 + 4))
	broker_kill
	broker_start
	kill -0 $producer 2>/dev/null || { cat "$dir/producer.log"; die "the producer ended in round $round"; }
done
sleep 0.5
kill -TERM $producer
wait $producer || { tail "$dir/producer.log"; die "the producer failed"; }
check "read back" "$python" "$here/../crash/kill9.py" verify 127.0.0.1:$port "$dir/acked"
cat "$dir/out"
broker_stop
