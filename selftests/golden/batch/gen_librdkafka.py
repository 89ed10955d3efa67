# SPDX-License-Identifier: Apache-2.0
"""The same records by librdkafka (confluent-kafka): gen_librdkafka.py BOOTSTRAP TOPIC CODEC."""
import sys
from confluent_kafka import Producer

producer = Producer({"bootstrap.servers": sys.argv[1], "compression.type": sys.argv[3], "linger.ms": 1000,
                     "batch.size": 200000})
rows = [(b"key", b"value"), (None, b"no key"), (b"no value", None), (None, None), (b"", b"")]
for i in range(25):
    key, value = rows[i % 5]
    headers = [] if i % 3 != 1 else [("h%d" % i, b"header value"), ("", None), ("empty", b"")]
    producer.produce(sys.argv[2], value, key, 0, timestamp=1700000000000 + i * 1000 % 7000, headers=headers)
producer.produce(sys.argv[2], b"0123456789abcdef" * 5000, b"long", 0, timestamp=1700000000000)
producer.flush()
