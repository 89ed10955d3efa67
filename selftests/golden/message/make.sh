#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make.sh LIBS
# Makes the golden messages anew.  LIBS is a directory with the jars of Apache Kafka 4.3.1
# (mvn dependency:copy-dependencies -f selftests/compat/kafka.pom.xml -DoutputDirectory=LIBS).
set -eu
libs=$1
here=$(cd "$(dirname "$0")" && pwd)
java -cp "$libs/*" "$here/Gen.java" "$here/java.bin"
