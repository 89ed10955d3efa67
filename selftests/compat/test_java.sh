#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Java client of three ages: one program, compiled against each.
. "$(dirname "$0")/lib.sh"
. "$here/clients.sh"
need java javac mvn

for version in ${VERSIONS:-4.3.1 3.3.2 2.1.1}; do
	libs=$cache/java-$version
	if [ ! -e "$libs/complete" ]; then
		mvn -q -B -f "$here/java.pom.xml" -Dclient=$version dependency:copy-dependencies -DoutputDirectory="$libs" \
			>"$dir/mvn.log" 2>&1 || { tail -n 3 "$dir/mvn.log"; skip "Maven Central does not answer"; }
		touch "$libs/complete"
	fi
	check "compile with $version" javac -nowarn -cp "$libs/*" -d "$dir/classes-$version" "$here"/java/*.java
	client_run "java-$version" java -Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$libs/*:$dir/classes-$version" Client
done
