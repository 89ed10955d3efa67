#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kafka-python's own integration tests.  kafka-python.sh SOURCE: a checkout of it (the package
# on PyPI lacks a file that its tests import); what it depends on comes from PyPI.  A test is
# named as pytest does, without the directory.
suite=kafka-python
. "$(dirname "$0")/lib.sh"
[ -n "${1:-}" ] || skip "needs the source of kafka-python: $0 DIRECTORY"
[ -e "$1/test/service.py" ] || die "$1 has no test/service.py"
python_with pytest==9.2.0 pytest-mock==3.17.0 pytest-timeout==2.4.0 py==1.11.0 lz4 python-snappy zstandard
cd "$1" || exit

# Its fixtures look for a Kafka to start even where they are told of one that runs.
export KAFKA_VERSION=4.3.0 KAFKA_URI=kafka://127.0.0.1:$port KAFKA_ROOT=$dir PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1
suite_covers $("$python" -m pytest -p no:cacheprovider -q --collect-only test/integration |
	sed -n 's/\[.*//; s,^test/integration/\(.*::.*\),\1,p' | sort -u)

# What the suite gives to a broker that it starts itself.
suite_broker node.id=0 num.partitions=4 offsets.topic.num.partitions=2 group.min.session.timeout.ms=1000 \
	group.initial.rebalance.delay.ms=0
for test in $(suite_allowed); do
	suite_test "$test" "$python" -m pytest -p no:cacheprovider -q --timeout 90 "test/integration/$test"
done
suite_end
