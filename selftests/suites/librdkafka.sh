#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# librdkafka's own tests that need a broker.  librdkafka.sh SOURCE: a checkout of it, v2.15
# or so, which is copied and built (the build is kept in $O/suites/librdkafka).  A test is
# named by its number, in brackets of the scenario that it runs in.
suite=librdkafka
. "$(dirname "$0")/lib.sh"
[ -n "${1:-}" ] || skip "needs the source of librdkafka: $0 DIRECTORY"
[ -e "$1/tests/test.c" ] || die "$1 has no tests/test.c"
need gcc g++ make
src=$O/suites/librdkafka

if [ ! -e "$src/complete" ]; then
	rm -rf "$src"
	mkdir -p "$src"
	(cd "$1" && tar c --exclude=.git .) | tar x -C "$src" || die "copying $1"
	(cd "$src" && ./configure --disable-ssl --disable-gssapi --disable-curl --enable-devel &&
		make -j2 libs && make -C tests -j2 test-runner) >"$dir/build.log" 2>&1 ||
		{ tail -n 20 "$dir/build.log"; die "librdkafka does not build"; }
	touch "$src/complete"
fi

# Every number with a test that is not local, from the table in test.c.
tests=$(awk '/^struct test tests\[\]/ { on = 1 } /NULL}};/ { on = 0 }
	on && /_TEST\(/ { entry = "" } on { entry = entry $0 }
	on && /\),$/ { if (entry !~ /LOCAL|MANUAL/ && match(entry, /_TEST\([0-9]+/))
		print substr(entry, RSTART + 6, 4) (entry ~ /"noautocreate"/ ? "-noautocreate" : "") }' "$src/tests/test.c" | sort -u)
suite_covers $tests

conf=$dir/test.conf
export RDKAFKA_TEST_CONF=$conf TEST_KAFKA_VERSION=4.3.1 LD_LIBRARY_PATH=$src/src:$src/src-cpp
printf 'bootstrap.servers=127.0.0.1:%s\ntest.topic.random=true\n' "$port" >"$conf"

# The runner answers 0 also where it passed over the test: then its summary says so.
one() {
	local number=${1%%-*} scenario=default
	[ "$1" = "$number" ] || scenario=${1#*-}
	# Bounded twice: a runner that hangs says more when it ends itself.
	TESTS=$number TEST_SCENARIO=$scenario ./test-runner -p1 -L -Q || return 1
}
export -f one

run_scenario() {
	local test
	for test in $(suite_allowed); do
		case $test in
		*-noautocreate) [ "$1" = noautocreate ] ;;
		*) [ "$1" = default ] ;;
		esac || continue
		suite_test "$test" bash -c "cd '$src/tests' && one $test"
	done
}

suite_broker num.partitions=4 group.initial.rebalance.delay.ms=100
run_scenario default
if suite_allowed | grep -q noautocreate; then
	suite_broker num.partitions=4 group.initial.rebalance.delay.ms=100 auto.create.topics.enable=false
	run_scenario noautocreate
fi
suite_end
