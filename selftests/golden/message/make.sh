#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make.sh LIBS BROKER_PORT TAP_PORT PYTHON
# Makes the golden messages anew.  LIBS is a directory with the jars of Apache Kafka 4.3.1
# (mvn dependency:copy-dependencies -f selftests/compat/kafka.pom.xml -DoutputDirectory=LIBS); a
# single Kafka of them, without topics, listens on BROKER_PORT and advertises TAP_PORT, so that its
# clients come through the tap; PYTHON has kafka-python 3.0.12 and confluent-kafka 2.16.1.
set -eu
libs=$1 broker=$2 tap=$3 python=$4
here=$(cd "$(dirname "$0")" && pwd)
java -cp "$libs/*" "$here/Gen.java" "$here/java.bin" "$here/refused.bin"
java -cp "$libs/*" "$here/Tables.java" "$here/apis.txt" "$here/errors.txt"
for client in python rdkafka; do
	"$python" "$here/tap.py" "$tap" "$broker" "$here/$client.bin" \
		"$python" "$here/client_$client.py" "127.0.0.1:$tap"
done
