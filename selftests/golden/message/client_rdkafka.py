# SPDX-License-Identifier: Apache-2.0
"""A topic, a record and back by librdkafka (confluent-kafka): client_rdkafka.py BOOTSTRAP."""
import sys
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

common = {"bootstrap.servers": sys.argv[1], "client.id": "golden"}
admin = AdminClient(common)
for result in admin.create_topics([NewTopic("rdkafka", 2, 1, config={"retention.ms": "-1"})]).values():
    result.result()
producer = Producer({"enable.idempotence": True, **common})
producer.produce("rdkafka", b"value", b"key", 1, headers=[("header", b"of it")])
assert producer.flush(10) == 0
consumer = Consumer({"group.id": "golden", "auto.offset.reset": "earliest", **common})
partition = TopicPartition("rdkafka", 1, 0)
assert consumer.get_watermark_offsets(partition, cached=False) == (0, 1)
consumer.assign([partition])
assert consumer.poll(10).value() == b"value"
