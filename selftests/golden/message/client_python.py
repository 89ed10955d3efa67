# SPDX-License-Identifier: Apache-2.0
"""A topic, a record and back by kafka-python: client_python.py BOOTSTRAP."""
import sys
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

common = {"bootstrap_servers": sys.argv[1], "client_id": "golden"}
admin = KafkaAdminClient(**common)
admin.create_topics([NewTopic("python", 2, 1, topic_configs={"retention.ms": "-1"})])
producer = KafkaProducer(enable_idempotence=True, acks="all", **common)
producer.send("python", b"value", b"key", partition=1, headers=[("header", b"of it")]).get(10)
producer.close()
consumer = KafkaConsumer(auto_offset_reset="earliest", **common)
partition = TopicPartition("python", 1)
consumer.assign([partition])
assert next(iter(consumer)).value == b"value"
assert consumer.end_offsets([partition])[partition] == 1
