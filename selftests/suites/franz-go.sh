#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# franz-go's own tests that need a broker, of its package kgo.  franz-go.sh SOURCE: a checkout
# of it; what it depends on comes from the Go module proxy.  A test is named by its function.
# RECORDS=n is how many the chains of consumers take through a group (50,000).
suite=franz-go
. "$(dirname "$0")/lib.sh"
[ -n "${1:-}" ] || skip "needs the source of franz-go: $0 DIRECTORY"
kgo=$(cd "$1" && pwd)/pkg/kgo
[ -e "$kgo/group_test.go" ] || die "$1 has no pkg/kgo/group_test.go"
need go
bin=$O/suites/kgo.test
mkdir -p "$O/suites"
(cd "$kgo" && go test -c -o "$bin" .) >"$dir/build.log" 2>&1 ||
	{ tail -n 20 "$dir/build.log"; die "franz-go does not build"; }

# Every test that makes a client of the suite's broker.
suite_covers $(cd "$kgo" && awk '/^func / { name = $2; sub(/\(.*/, "", name) }
	/newTestClient\(|getSeedBrokers\(|testClientOpts\(|tmpTopic|tmpGroup|adm\(\)/ && name ~ /^Test/ { print name }' *_test.go | sort -u)

export KGO_SEEDS=127.0.0.1:$port KGO_TEST_RF=1 KGO_TEST_RECORDS=${RECORDS:-50000} KGO_LOG_LEVEL=none
suite_broker group.initial.rebalance.delay.ms=0
cd "$kgo" || exit
for test in $(suite_allowed); do
	suite_test "$test" "$bin" -test.v -test.run "^$test\$"
done
suite_end
