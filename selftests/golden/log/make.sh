#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make.sh KAFKA_REFERENCE DIR PORT
# Makes the golden logs anew.  Apache Kafka 4.3.1 writes partition 0 of a topic in three lives:
# after the second it is stopped (clean/), after the third killed (killed/).  The index files of a
# killed log are cut to their entries and one zero entry: Kafka grows them to 10 MiB ahead.
set -eu
kafka=$1 dir=$2 port=$3
here=$(cd "$(dirname "$0")" && pwd)
libs=${KAFKA_REFERENCE_HOME:-$HOME/.cache/kafka-reference}/libs
life() {
	"$kafka" start "$dir" "$port" group.coordinator.rebalance.protocols=classic
	[ "$1" != 0 ] || "$kafka" topics --bootstrap-server "127.0.0.1:$port" --create --topic golden \
		--partitions 1 --config segment.ms=10000 --config index.interval.bytes=300 \
		--config retention.ms=-1
	java -cp "$libs/*" "$here/Gen.java" "127.0.0.1:$port" golden "$1"
}
keep() {
	mkdir -p "$here/$1"
	rm -f "$here/$1"/*
	for file in "$dir/data/golden-0"/*; do
		cp "$file" "$here/$1/"
	done
}
life 0
"$kafka" stop "$dir"
life 1
"$kafka" stop "$dir"
keep clean
life 2
"$kafka" kill "$dir"
keep killed
python3 - "$here/killed" <<'P'
import pathlib, sys
for file in pathlib.Path(sys.argv[1]).iterdir():
    entry = {".index": 8, ".timeindex": 12}.get(file.suffix)
    data = file.read_bytes()
    if entry and len(data) > 1 << 20:
        used = len(data.rstrip(b"\0"))
        file.write_bytes(data[:(used + entry - 1) // entry * entry + entry])
P
