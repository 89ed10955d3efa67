# SPDX-License-Identifier: Apache-2.0
"""Topics, every codec, headers, null keys and values, 1 B to 10 MB, lookup by time, with kafka-python."""
import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

address = sys.argv[1]
admin = KafkaAdminClient(bootstrap_servers=address)
admin.create_topics([NewTopic("py", 2, 1, topic_configs={"max.message.bytes": "12000000"})])
assert "py" in admin.list_topics()
admin.create_partitions({"py": NewPartitions(4)})
assert len(admin.describe_topics(["py"])[0]["partitions"]) == 4
admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "py")])

sent = []
for codec in None, "gzip", "snappy", "lz4", "zstd":
    producer = KafkaProducer(bootstrap_servers=address, acks="all", compression_type=codec, max_request_size=12000000,
                             buffer_memory=50000000)
    for n, size in enumerate((1, 100, 10_000, 1_000_000, 10_000_000)):
        value = bytes([65 + n]) * size
        meta = producer.send("py", value, key=f"{codec}-{n}".encode(), headers=[("h", b"1"), ("h", b"")],
                             partition=n % 4).get(30)
        sent.append((meta.partition, meta.offset, f"{codec}-{n}".encode(), value))
    for key, value in (None, b"v"), (b"k", None), (None, b""):
        meta = producer.send("py", value, key=key, partition=0).get(30)
        sent.append((0, meta.offset, key, value))
    producer.close()

consumer = KafkaConsumer(bootstrap_servers=address, consumer_timeout_ms=5000, fetch_max_bytes=60000000,
                         max_partition_fetch_bytes=12000000)
parts = [TopicPartition("py", p) for p in range(4)]
consumer.assign(parts)
consumer.seek_to_beginning()
ends = consumer.end_offsets(parts)
assert sum(ends.values()) == len(sent), ends
got = {}
for record in consumer:
    got[record.partition, record.offset] = (record.key, record.value)
    if len(got) == len(sent):
        break
for partition, offset, key, value in sent:
    assert got[partition, offset] == (key, value), (partition, offset, key)
assert consumer.beginning_offsets(parts) == {p: 0 for p in parts}
assert consumer.offsets_for_times({parts[0]: 0})[parts[0]].offset == 0
admin.delete_topics(["py"])
print(f"{len(sent)} records, all codecs, 1 B to 10 MB")
