# SPDX-License-Identifier: Apache-2.0
"""ADDRESS STATE step...   create: topics; write: more records into each, remembered in STATE; read: all of
them are there, in order, once; retry: an idempotent raw batch written before is sent again and is found to be
a duplicate."""
import json
import os
import socket
import struct
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

address, path, *steps = sys.argv[1:]
CODECS = "none", "gzip", "snappy", "lz4", "zstd"
state = json.load(open(path)) if os.path.exists(path) else {"records": {}, "producer": None}


def create():
    topics = [NewTopic(f"both-{c}", 3, 1, config={"segment.bytes": "1048576"}) for c in CODECS]
    admin = AdminClient({"bootstrap.servers": address})  # has to live until it was answered
    for future in admin.create_topics(topics).values():
        future.result(30)


def write():
    failed = []
    for codec in CODECS:
        topic = f"both-{codec}"
        producer = Producer({"bootstrap.servers": address, "acks": "all", "compression.type": codec,
                             "enable.idempotence": True, "message.timeout.ms": 30000})
        known = state["records"].setdefault(topic, {"0": [], "1": [], "2": []})
        for partition, values in known.items():
            for n in range(len(values), len(values) + 300):
                value = f"{topic}-{partition}-{n}-" + "x" * (n % 50 * 40)
                producer.produce(topic, value, key=f"k{n}", headers=[("n", str(n))], partition=int(partition),
                                 on_delivery=lambda error, _: error and failed.append(str(error)))
                values.append(value)
        if producer.flush(30):
            sys.exit("not everything was delivered")
    if failed:
        sys.exit(failed[0])


def read():
    consumer = Consumer({"bootstrap.servers": address, "group.id": "none", "enable.auto.commit": False,
                         "enable.partition.eof": True})
    consumer.assign([TopicPartition(t, int(p), 0) for t, ps in state["records"].items() for p in ps])
    got, ended = {}, 0
    while ended < 3 * len(state["records"]):
        message = consumer.poll(20)
        if message is None:
            sys.exit("no answer in 20 s")
        if message.error():
            ended += 1
            continue
        values = got.setdefault((message.topic(), str(message.partition())), [])
        if message.offset() != len(values):
            sys.exit(f"{message.topic()}-{message.partition()}: offset {message.offset()} after {len(values)} records")
        values.append(message.value().decode())
    for topic, partitions in state["records"].items():
        for partition, values in partitions.items():
            if got.get((topic, partition)) != values:
                sys.exit(f"{topic}-{partition}: what was read is not what was written")


# ---- one idempotent producer of our own, so that it can live on over brokers ----

def crc32c(data, table=[]):
    if not table:
        for n in range(256):
            for _ in range(8):
                n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
            table.append(n)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def batch(producer, sequence):
    record = bytes([0, 0, 0, 1, 2]) + b"r" + bytes([0])
    body = bytes([len(record) * 2]) + record
    now = int(time.time() * 1000)  # an old batch would be of an expired producer
    rest = struct.pack(">hiqqqhii", 0, 0, now, now, producer, 0, sequence, 1) + body
    return struct.pack(">qiibI", 0, len(rest) + 9, -1, 2, crc32c(rest)) + rest


def ask(api, version, body):
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), 10) as s:
        request = struct.pack(">hhih", api, version, 7, -1) + body
        s.sendall(struct.pack(">i", len(request)) + request)
        answer = b""
        while len(answer) < 4 or len(answer) < 4 + struct.unpack(">i", answer[:4])[0]:
            more = s.recv(65536)
            if not more:
                sys.exit("the connection was closed")
            answer += more
        return answer[8:]


def produce_raw(sequence):
    data = batch(state["producer"], sequence)
    topic = b"both-none"
    body = struct.pack(">hhiih", -1, -1, 10000, 1, len(topic)) + topic + struct.pack(">iii", 1, 2, len(data)) + data
    answer = ask(0, 7, body)
    error, offset = struct.unpack(">hq", answer[4 + 2 + len(topic) + 4 + 4:][:10])
    if error:
        sys.exit(f"sequence {sequence}: error {error}")
    return offset


def retry():
    """The last batch of the producer is a duplicate, the next one is not.  Of those before it nothing is known
    after a clean stop: a producer snapshot has the newest batch only (ProducerSnapshot.json)."""
    if state["producer"] is None:
        answer = ask(22, 1, struct.pack(">hi", -1, 60000))
        _, error, state["producer"] = struct.unpack(">ihq", answer[:14])
        if error:
            sys.exit(f"InitProducerId: error {error}")
        state["sent"] = []
    for sequence, offset in list(enumerate(state["sent"]))[-1:]:
        again = produce_raw(sequence)
        if again != offset:
            sys.exit(f"sequence {sequence} was at offset {offset}, a retry got {again}")
    for _ in range(2):
        state["sent"].append(produce_raw(len(state["sent"])))
        state["records"]["both-none"]["2"].append("r")


for step in steps:
    {"create": create, "write": write, "read": read, "retry": retry}[step]()
json.dump(state, open(path, "w"))
