#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# librdkafka's own tests that need a broker.  librdkafka.sh SOURCE: a checkout of it, v2.15
# or so, which is copied and built (the build is kept in $O/suites/librdkafka).  A test is
# named by its number, with its scenario where that is not the default one, or with one of
# its parts, by function or by words: 0045-noautocreate, 0081+DeleteRecords, 0055+=no_acks.
# QUICK=1 runs only the parts that the suite calls quick.
suite=librdkafka
. "$(dirname "$0")/lib.sh"
[ -n "${1:-}" ] || skip "needs the source of librdkafka: $0 DIRECTORY"
[ -e "$1/tests/test.c" ] || die "$1 has no tests/test.c"
need gcc g++ make # with libssl-dev and rapidjson-dev it tests more
src=$O/suites/librdkafka

if [ ! -e "$src/complete" ]; then
	rm -rf "$src"
	mkdir -p "$src"
	(cd "$1" && tar c --exclude=.git .) | tar x -C "$src" || die "copying $1"
	(cd "$src" && ./configure --disable-gssapi --disable-curl --enable-devel && make -j2 libs &&
		make -C tests -j2 test-runner) >"$dir/build.log" 2>&1 ||
		{ tail -n 20 "$dir/build.log"; die "librdkafka does not build"; }
	touch "$src/complete"
fi

# Every number with a test that is not local, from the table in test.c.
suite_covers $(awk '/^struct test tests\[\]/ { on = 1 } /NULL}};/ { on = 0 }
	on && /_TEST\(/ { entry = "" } on { entry = entry $0 }
	on && /\),$/ { if (entry !~ /LOCAL|MANUAL/ && match(entry, /_TEST\([0-9]+/))
		print substr(entry, RSTART + 6, 4) (entry ~ /"noautocreate"/ ? "-noautocreate" : "") }' "$src/tests/test.c" | sort -u)

printf 'bootstrap.servers=127.0.0.1:%s\ntest.topic.random=true\n' "$port" >"$dir/test.conf"
export RDKAFKA_TEST_CONF=$dir/test.conf TEST_KAFKA_VERSION=4.3.1
export BROKERS=127.0.0.1:$port QUICK=${QUICK:+-Q} LD_LIBRARY_PATH=$src/src:$src/src-cpp

# Some tests create topics with kafka-topics.sh of a Kafka that is unpacked somewhere.
if command -v java >/dev/null && command -v mvn >/dev/null; then
	kafka_jars
	mkdir -p "$dir/kafka/bin"
	cat >"$dir/kafka/bin/kafka-topics.sh" <<-E
		#!/bin/sh
		exec java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlevel=ERROR \
			-Dlog4j2.configurationFile=$here/log4j2.xml -cp '$cache/kafka/libs/*' org.apache.kafka.tools.TopicCommand "\$@"
	E
	chmod +x "$dir/kafka/bin/kafka-topics.sh"
fi

# one TEST SHIM: the runner answers 0 also where it left the test out, so its summary decides.
one() {
	local test=${1%%-*} scenario=default said
	[ "$1" = "$test" ] || scenario=${1#*-}
	export TESTS=${test%%+*} TEST_SCENARIO=$scenario
	case $test in
	*+=*) SUBTESTS=${test#*+=} && export SUBTESTS=${SUBTESTS//_/ } ;;
	*+*) export SUBTESTS=do_test_${test#*+} ;;
	esac
	case $TESTS in 0045 | 0052 | 0077) export KAFKA_PATH=$2 ;; esac
	said=$(mktemp)
	./test-runner -p1 -L $QUICK 2>&1 | tee "$said"
	local rc=${PIPESTATUS[0]}
	if [ "$rc" = 0 ] && ! grep -aq "$TESTS.*PASSED" "$said"; then
		rc=77
		grep -a "$TESTS.*SKIPPED" "$said"
	elif [ -n "${SUBTESTS:-}" ] && ! grep -a ': PASS (' "$said" | grep -aqF "$SUBTESTS"; then
		echo "it has no such part"
		rc=1
	fi
	rm -f "$said"
	return "$rc"
}
export -f one

run_scenario() {
	local test
	for test in $(suite_allowed); do
		case $test in
		*-noautocreate) [ "$1" = noautocreate ] ;;
		*) [ "$1" = default ] ;;
		esac || continue
		suite_test "$test" bash -c "cd '$src/tests' && one '$test' '$dir/kafka'"
	done
}

suite_broker num.partitions=4 group.initial.rebalance.delay.ms=100
run_scenario default
if suite_allowed | grep -q noautocreate; then
	suite_broker num.partitions=4 group.initial.rebalance.delay.ms=100 auto.create.topics.enable=false
	run_scenario noautocreate
fi
suite_end
