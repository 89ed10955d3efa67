#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make.sh KAFKA_REFERENCE KAFKA_DIR BOOTSTRAP PYTHON
# Makes the golden batches anew: a running Apache Kafka 4.3.1 (KAFKA_REFERENCE start KAFKA_DIR PORT)
# writes what the Java client and librdkafka 2.x send it, PYTHON has kafka-python 3.0.12 and
# confluent-kafka 2.16.1; the files are the segments as Kafka left them.
set -eu
kafka=$1 dir=$2 bootstrap=$3 python=$4
here=$(cd "$(dirname "$0")" && pwd)
libs=${KAFKA_REFERENCE_HOME:-$HOME/.cache/kafka-reference}/libs
segment() { cp "$dir/data/$1-0/00000000000000000000.log" "$here/$2.log"; }
for codec in none gzip snappy lz4 zstd; do
	"$kafka" topics --bootstrap-server "$bootstrap" --create --topic "java-$codec" --partitions 1
	"$kafka" topics --bootstrap-server "$bootstrap" --create --topic "rdkafka-$codec" --partitions 1
	java -cp "$libs/*" "$here/Gen.java" "$bootstrap" "java-$codec" $codec false
	"$python" "$here/gen_librdkafka.py" "$bootstrap" "rdkafka-$codec" $codec
	"$python" "$here/gen_python.py" $codec "$here/python-$codec.log"
	segment "java-$codec" "java-$codec"
	segment "rdkafka-$codec" "rdkafka-$codec"
done
cp "$dir/data/bootstrap.checkpoint" "$here/"
cp "$dir/data/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint" "$here/voters.checkpoint"
head -c 790 "$dir/data/__cluster_metadata-0/00000000000000000000.log" >"$here/metadata.log"
