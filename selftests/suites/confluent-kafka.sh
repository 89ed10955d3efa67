#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# confluent-kafka's own integration tests.  confluent-kafka.sh SOURCE: a checkout of
# confluent-kafka-python, v2.15 (the package on PyPI has no tests), which brings trivup too;
# the client and the rest come from PyPI.  A test is named as pytest does, without the
# directory.
suite=confluent-kafka
. "$(dirname "$0")/lib.sh"
[ -n "${1:-}" ] || skip "needs the source of confluent-kafka-python: $0 DIRECTORY"
tests=$(cd "$1" && pwd)/tests
[ -e "$tests/integration/cluster_fixture.py" ] || die "$1 has no tests/integration/cluster_fixture.py"
python_with 'confluent-kafka[schemaregistry,avro,json,protobuf]==2.15.0' pytest==9.2.0 pytest-asyncio pytest-timeout==2.4.0 \
	"$tests"/trivup/trivup-*.tar.gz

# Beside the source directory of the client its tests would import that, which is not built.
mkdir "$dir/run"
ln -s "$tests" "$dir/run/tests"
cd "$dir/run" || exit
export BROKERS=127.0.0.1:$port PYTHONDONTWRITEBYTECODE=1
suite_covers $("$python" -m pytest -p no:cacheprovider -q --collect-only tests/integration/{admin,consumer,producer} 2>/dev/null |
	sed -n 's/\[.*//; s,^tests/integration/\(.*::.*\),\1,p' | sort -u)

suite_broker group.initial.rebalance.delay.ms=0
for test in $(suite_allowed); do
	suite_test "$test" "$python" -m pytest -p no:cacheprovider -q --timeout 90 "tests/integration/$test"
done
suite_end
