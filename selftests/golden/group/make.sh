#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make.sh KAFKA_REFERENCE DIR PORT
# Makes offsets.log anew: the first segment of __consumer_offsets-0, as Apache Kafka 4.3.1 left it when
# Gen.java had used it.  KAFKA_REFERENCE starts one (`KAFKA_REFERENCE start DIR PORT`); DIR is new.
set -eu
kafka=$1 dir=$2 port=$3
here=$(cd "$(dirname "$0")" && pwd)
libs=${KAFKA_REFERENCE_HOME:-$HOME/.cache/kafka-reference}/libs
"$kafka" start "$dir" "$port" offsets.topic.num.partitions=1 group.initial.rebalance.delay.ms=0 \
	transaction.state.log.num.partitions=1
java -cp "$libs/*" "$here/Gen.java" "127.0.0.1:$port"
"$kafka" kill "$dir"
cp "$dir/data/__consumer_offsets-0/00000000000000000000.log" "$here/offsets.log"
