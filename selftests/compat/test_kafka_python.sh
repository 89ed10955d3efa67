#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kafka-python: its newest protocol versions, producers and assigned consumers.
. "$(dirname "$0")/lib.sh"
python_with kafka-python==2.2.15 lz4 zstandard python-snappy
broker_start
check "kafka-python" "$python" "$here/kafka_python.py" 127.0.0.1:$port
cat "$dir/out"
broker_stop
