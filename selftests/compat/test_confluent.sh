#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# confluent-kafka for Python, which is librdkafka.
. "$(dirname "$0")/lib.sh"
. "$here/clients.sh"
python_with confluent-kafka==2.16.1
client_run confluent "$python" "$here/confluent.py"
